"""The event study: R, dummies written out, gaps, references, windows and what is not identified."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clsimpact.design import Design
from clsimpact.errors import DesignError
from clsimpact.estimators import event_study, twfe
from clsimpact.results import REFERENCE
from tests.estimation_helpers import (
    EXACT,
    ORACLE,
    SOLVER,
    clustered,
    council_design,
    made_up,
    mpdta,
    textbook,
    with_holes,
)

pytestmark = pytest.mark.usefixtures("usual_errors")

# R fixest 0.14.2 on mpdta: feols(lemp ~ i(rel, ref = c(-1, never)) | county + year, cluster = ~county)
FIXEST = {
    -4: (0.00354932691943241, 0.0228285814462781),
    -3: (0.02462350198649, 0.0176793711726706),
    -2: (0.0233548148864028, 0.0134366993772462),
    0: (-0.0181439269665805, 0.010982218280948),
    1: (-0.0434723726285508, 0.0175769469944396),
    2: (-0.131794857754317, 0.0288374073900672),
    3: (-0.0922467941818831, 0.0323361931631249),
}


def _rows(fit) -> pd.DataFrame:
    tidy = fit.tidy()
    return tidy[tidy["event_time"].notna()].set_index("event_time")


def test_equals_fixest() -> None:
    rows = _rows(event_study(mpdta()))
    assert list(rows.index) == [-4, -3, -2, -1, 0, 1, 2, 3]
    for e, (estimate, error) in FIXEST.items():
        assert rows.loc[e, "estimate"] == pytest.approx(estimate, abs=ORACLE)
        assert rows.loc[e, "std_error"] == pytest.approx(error, abs=ORACLE)
    assert rows["n_units"].tolist() == [131, 171, 171, 191, 191, 60, 20, 20]


def test_constants_are_those_of_the_reference_file(frozen: Path) -> None:
    table = pd.read_csv(frozen / "mpdta_r.csv")
    table = table[table["method"] == "twfe_event"]
    found = {int(row["term"]): (row["estimate"], row["se"]) for _, row in table.iterrows()}
    assert list(found) == list(FIXEST)
    np.testing.assert_allclose(list(found.values()), list(FIXEST.values()), rtol=EXACT)


def test_reference_row() -> None:
    row = _rows(event_study(mpdta())).loc[-1]
    assert row["estimate"] == 0
    assert np.isnan(row["std_error"])
    assert not row["identified"]
    assert row["reason"] == REFERENCE


@pytest.mark.parametrize("name", ["castle", "stagg", "stagg with a covariate", "ehec", "ehec weighted"])
@pytest.mark.parametrize("holes", [False, True])
def test_other_panels_agree_with_both_libraries(reference: Path, name: str, holes: bool) -> None:
    design = textbook(reference)[name]
    if holes:
        design = with_holes(design, lost_years=design.periods[3:5])
    fit = event_study(design)
    check = fit.verify()
    assert check["difference"].max() <= SOLVER
    assert len(check) >= 8


@pytest.mark.parametrize("name", ["plain", "gaps", "covariate", "weighted", "weighted, gaps and covariate"])
def test_made_up_panels_agree_with_both_libraries(lookalikes: dict[str, Design], name: str) -> None:
    check = event_study(lookalikes[name]).verify()
    assert set(check.attrs["variance_factors"]) == {"linearmodels", "statsmodels"}
    assert check["difference"].max() <= SOLVER
    assert len(check) >= 8


def _gaps(**options: object) -> Design:
    return council_design(made_up(), **options)


def test_gaps_use_each_cohorts_last_observed_period() -> None:
    """On 2014, 2016, 2017, 2020, 2021 event time -1 does not exist for cohort 2016."""
    design = _gaps()
    fit = event_study(design)
    data = design.data
    left_out = {2016: -2, 2017: -1, 2018: -1}
    names = []
    for e in (-4, -3, -2, 0, 1, 2, 3, 4, 5):
        name = f"at_{'m' if e < 0 else 'p'}{abs(e)}"
        cell = (data["event_time"] == e) & (data["adoption_year"].map(left_out) != e)
        data[name] = cell.astype(float)
        names.append((e, name, int(cell.sum())))
    formula = " + ".join(name for _, name, _ in names)
    other = clustered(data, f"cost ~ {formula} + C(ons_code) + C(year)", "ons_code")
    rows = _rows(fit.with_covariance("CR0"))
    assert list(rows.index) == [-4, -3, -2, -1, 0, 1, 2, 3, 4, 5]
    for e, name, count in names:
        assert rows.loc[e, "estimate"] == pytest.approx(other.params[name], rel=SOLVER)
        assert rows.loc[e, "std_error"] == pytest.approx(other.bse[name], rel=SOLVER)
        assert rows.loc[e, "n_obs"] == count
    assert rows.loc[-1, "reason"] == f"{REFERENCE} (another event time for cohort 2016)"
    assert "2016: -2, 2017: -1, 2018: -1" in fit.summary()
    assert "not observed for cohort 2016" in fit.summary()
    named = event_study(design, reference="last_observed")
    assert named.estimates.tobytes() == fit.estimates.tobytes()


def test_gaps_with_event_time_minus_one_only() -> None:
    design = _gaps()
    data = design.data
    names = []
    for e in (-4, -3, -2, 0, 1, 2, 3, 4, 5):
        data[f"at{e + 9}"] = (data["event_time"] == e).astype(float)
        names.append((e, f"at{e + 9}"))
    other = clustered(data, f"cost ~ {' + '.join(n for _, n in names)} + C(ons_code) + C(year)", "ons_code")
    rows = _rows(event_study(design, reference=-1, inference="CR0"))
    for e, name in names:
        assert rows.loc[e, "estimate"] == pytest.approx(other.params[name], rel=SOLVER)
    assert rows.loc[-2, "estimate"] != pytest.approx(_rows(event_study(design)).loc[-2, "estimate"], rel=1e-3)


def test_binned_ends_by_dummies() -> None:
    design = mpdta()
    data = design.data
    event = data["event_time"]
    data["early"], data["zero"], data["late"] = event <= -2, event == 0, event >= 1
    data = data.astype({"early": float, "zero": float, "late": float})
    other = clustered(data, "lemp ~ early + zero + late + C(county) + C(year)", "county")
    fit = event_study(design, leads=2, lags=1, inference="CR0")
    rows = fit.tidy().set_index("term")
    assert list(rows.index) == ["e<=-2", "e=-1", "e=0", "e>=1"]
    for term, name in (("e<=-2", "early"), ("e=0", "zero"), ("e>=1", "late")):
        assert rows.loc[term, "estimate"] == pytest.approx(other.params[name], rel=SOLVER)
        assert rows.loc[term, "std_error"] == pytest.approx(other.bse[name], rel=SOLVER)
    assert fit.nobs == 2500


def test_open_ends_drop_rows_and_count_them() -> None:
    design = mpdta()
    fit = event_study(design, leads=2, lags=1, bin_ends=False)
    beyond = int(((design.event_time < -2) | (design.event_time > 1)).sum())
    assert fit.nobs == 2500 - beyond
    assert f"{beyond} rows: outside the event window" in fit.summary()
    assert fit.tidy()["term"].tolist() == ["e=-2", "e=-1", "e=0", "e=1"]
    assert fit.verify()["difference"].max() <= SOLVER


def test_one_lead_binned_makes_all_periods_before_the_reference() -> None:
    """With one binned lead and no lag of its own, the event study is the static model."""
    design = mpdta()
    fit = event_study(design, leads=1, lags=0)
    assert fit.tidy()["term"].tolist() == ["e<=-1", "e>=0"]
    assert fit.estimates[1] == pytest.approx(twfe(design).estimates[0], rel=EXACT * 100)


def test_anticipation_moves_the_reference() -> None:
    panel = made_up(years=tuple(range(2013, 2022)))
    fit = event_study(council_design(panel, anticipation=1))
    rows = _rows(fit)
    assert rows.loc[-2, "reason"].startswith(REFERENCE)
    assert rows.loc[-1, "identified"]


def _all_treated() -> Design:
    rng = np.random.default_rng(3)
    rows = [(u, t, 4 + u % 3, rng.normal()) for u in range(30) for t in range(1, 9)]
    return Design(
        pd.DataFrame(rows, columns=["u", "t", "c", "y"]), outcome="y", unit="u", time="t", cohort="c"
    )


def test_without_never_treated_units_one_reference_is_not_enough() -> None:
    fit = event_study(_all_treated())
    rows = _rows(fit)
    assert not rows["identified"].any()
    others = rows.drop(index=-1)
    assert others["estimate"].isna().all()
    assert others["std_error"].isna().all()
    assert others["reason"].str.contains("exact collinearity").all()
    assert others["reason"].str.contains("leave out a second event time").all()
    assert "No effect after adoption is identified" in fit.explain()


def test_a_second_reference_identifies_the_rest() -> None:
    fit = event_study(_all_treated(), reference=(-1, -4))
    rows = _rows(fit)
    assert rows["identified"].sum() == len(rows) - 2
    assert fit.verify()["difference"].max() <= SOLVER


def test_one_treated_unit_is_said() -> None:
    panel = made_up(n_units=8)
    rows = _rows(event_study(council_design(panel)))
    alone = rows[rows["n_units"] == 1]
    assert len(alone) > 0
    assert alone[alone["identified"]]["reason"].str.contains("one treated council").all()


def test_region_effects_with_leads_and_lags() -> None:
    design = council_design(made_up(share=0.85), effects="region")
    assert event_study(design).verify()["difference"].max() <= SOLVER


def test_adopters_after_the_panel_have_no_leads() -> None:
    panel = made_up()
    panel.loc[panel["ons_code"] == "E007", "adoption_year"] = 2023
    later = event_study(council_design(panel))
    plain = event_study(council_design(made_up()))
    assert later.estimates.tobytes() == plain.estimates.tobytes()


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), shift=st.integers(-500, 500))
def test_shuffled_rows_and_shifted_years(seed: int, shift: int) -> None:
    panel = made_up(share=0.9)
    moved = panel.sample(frac=1, random_state=seed)
    moved = moved.assign(year=moved["year"] + shift, adoption_year=moved["adoption_year"] + shift)
    one, two = event_study(council_design(panel)), event_study(council_design(moved))
    assert one.estimates.tobytes() == two.estimates.tobytes()
    assert one.vcov.matrix.tobytes() == two.vcov.matrix.tobytes()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"reference": -9}, "Observed: -4, -3, -2, -1, 0, 1, 2, 3"),
        ({"reference": ()}, "not an observed event time"),
        ({"reference": "last"}, "not an observed event time"),
        ({"leads": 0}, "at least 1"),
        ({"lags": -1}, "at least 0"),
        ({"level": 95}, "between 0 and 1"),
        ({"inference": "CR4"}, "Use one of CR0"),
    ],
)
def test_bad_options(options: dict[str, object], words: str) -> None:
    with pytest.raises(DesignError, match=words):
        event_study(mpdta(), **options)


def test_no_period_before_adoption() -> None:
    rows = [(u, t, 1 if u < 3 else np.nan, 0.1 * u * t) for u in range(6) for t in (1, 2, 3)]
    panel = pd.DataFrame(rows, columns=["u", "t", "c", "y"])
    design = Design(panel, outcome="y", unit="u", time="t", cohort="c", always_treated="keep")
    with pytest.raises(DesignError, match="No cohort is observed before adoption"):
        event_study(design)


def test_one_cohort_alone_has_no_effect_after_adoption() -> None:
    """Event time is calendar time there: the overall effect is missing, and says why."""
    panel = made_up(years=(2013, 2014, 2015, 2016, 2017, 2018), seed=22)
    overall = event_study(council_design(panel[panel["adoption_year"] == 2016])).overall.iloc[0]
    assert overall["term"] == "average after adoption"
    assert overall["reason"] == "no event time after adoption is identified"
    assert np.isnan(overall["estimate"])
    assert np.isnan(overall["std_error"])
    whole = event_study(council_design(panel)).overall.iloc[0]
    assert np.isfinite(whole["estimate"])


def test_a_window_keeps_the_event_times_within_it() -> None:
    """Rows of adopters outside of the window are left out where ends are not binned."""
    panel = made_up(years=tuple(range(2012, 2020)), seed=22)
    fit = event_study(council_design(panel), leads=2, lags=1, bin_ends=False)
    assert [term.event_time for term in fit.terms] == [-2, -1, 0, 1]
    event = panel["year"] - panel["adoption_year"]
    assert fit.design.n_obs == int((event.isna() | event.between(-2, 1)).sum())
