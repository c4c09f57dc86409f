"""Sun and Abraham: R fixest, other packages, means by hand, dummies written out, hard panels, properties."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clsimpact.design import Design
from clsimpact.errors import DesignError
from clsimpact.estimators.sun_abraham import sun_abraham
from clsimpact.results import REFERENCE, Estimate
from tests.estimation_helpers import SOLVER, clustered, council_design, made_up, mpdta, stagg
from tests.oracles import panels

pytestmark = pytest.mark.usefixtures("usual_errors")

FIXEST = 1e-9
"""fixest solves this problem without iterating on balanced panels; 16 digits are printed."""

ITERATED = 1e-7
"""pyfixest demeans unbalanced panels by iteration: its errors are 1e-8 from two direct solvers."""

SAME = 1e-9
"""The same numbers after another order of sums."""

# R fixest 0.14.2 on mpdta: feols(lemp ~ sunab(first.treat, year, ref.p = -1) | county + year), by county
SUNAB = {
    "e=-4": (0.00330635669251185, 0.024555095531865),
    "e=-3": (0.0250218295975558, 0.0181543444100495),
    "e=-2": (0.0244587449711702, 0.0142667921546192),
    "e=0": (-0.0199318167892587, 0.0118575389634539),
    "e=1": (-0.0509573670651893, 0.0168706783846088),
    "e=2": (-0.137258738889393, 0.0365894759637626),
    "e=3": (-0.100811363085394, 0.0345042719102051),
}
ATT = (-0.0399512751551736, 0.0117962774417539)


def close(row: pd.Series, estimate: float, error: float, tolerance: float) -> None:
    assert row["estimate"] == pytest.approx(estimate, rel=tolerance, abs=tolerance)
    assert row["std_error"] == pytest.approx(error, rel=tolerance)


def by_term(fit: Estimate) -> pd.DataFrame:
    return fit.tidy().set_index("term")


def oracle_design(panel: str, **options: object) -> Design:
    data = panels.PANELS[panel]()
    return Design(data, outcome="y", unit="unit", time="time", cohort="cohort", **options)


def test_equals_fixest_on_mpdta() -> None:
    fit = sun_abraham(mpdta())
    rows = by_term(fit)
    assert list(rows.index) == ["e=-4", "e=-3", "e=-2", "e=-1", "e=0", "e=1", "e=2", "e=3"]
    for name, (estimate, error) in SUNAB.items():
        close(rows.loc[name], estimate, error, FIXEST)
    assert rows.loc["e=-1", "reason"] == REFERENCE
    close(fit.overall.iloc[0], *ATT, FIXEST)
    assert fit.overall["term"].tolist() == ["ATT"]
    assert rows["n_units"].tolist() == [131, 171, 171, 191, 191, 60, 20, 20]


def test_every_row_of_fixest_with_a_covariate(reference: Path) -> None:
    table = pd.read_csv(reference / "misc.csv")
    table = table[table["dataset"] == "base_stagg"]
    assert len(table) == 29
    fit = sun_abraham(stagg(reference, covariates=["x1"]))
    found = {"sunab_event": by_term(fit), "sunab_cohort": by_term(fit.aggregate("group"))}
    found["sunab_att"] = fit.overall.set_index("term")
    for row in table.itertuples():
        name = row.term.replace("year::", "e=").replace("cohort::", "g=")
        close(found[row.method].loc[name], row.estimate, row.se, FIXEST)


def _frozen() -> list[tuple[str, str]]:
    path = Path(__file__).parents[1] / "reference" / "interaction.csv"
    rows = pd.read_csv(path)
    rows = rows[(rows["estimator"] == "sun_abraham") & (rows["panel"] != "gaps")]
    rows = rows[~rows["options"].str.contains("late=cohort")][["panel", "options"]].drop_duplicates()
    return [tuple(row) for row in rows.itertuples(index=False)]


@pytest.mark.parametrize(("panel", "options"), _frozen())
def test_equals_pyfixest(frozen: Path, panel: str, options: str) -> None:
    rows = pd.read_csv(frozen / "interaction.csv")
    rows = rows[(rows["panel"] == panel) & (rows["options"] == options)]
    rows = rows[(rows["estimator"] == "sun_abraham") & rows["package"].str.contains("pyfixest")]
    asked = dict(part.split("=") for part in options.split(";"))
    more = {"weights": asked.get("weights"), "covariates": [asked["x"]] if "x" in asked else []}
    fit = sun_abraham(mpdta() if panel == "mpdta" else oracle_design(panel, **more))
    found = by_term(fit)
    assert len(rows) >= 8
    for row in rows.itertuples():
        if row.term == "att":
            ours = fit.overall.iloc[0]
        else:
            ours = found.loc[row.term.replace("event:", "e=").removeprefix("x:")]
        assert ours["estimate"] == pytest.approx(row.estimate, rel=SOLVER, abs=SOLVER)
        if row.std_error > 0:
            assert ours["std_error"] == pytest.approx(row.std_error, rel=ITERATED)


def test_by_hand() -> None:
    """Cohort 2 rises by 5 and 7 from period 1, controls by 1 and 2: effects 4 and 5; cohort 3 by 3 - 1."""
    paths = {("a", 2): (0, 5, 7), ("b", 2): (10, 15, 17), ("c", 3): (1, 2, 5), ("d", 3): (3, 4, 7)}
    paths |= {("e", np.nan): (2, 3, 4), ("f", np.nan): (4, 5, 6)}
    rows = [(u, t + 1, c, float(y)) for (u, c), path in paths.items() for t, y in enumerate(path)]
    panel = pd.DataFrame(rows, columns=["u", "t", "c", "y"])
    fit = sun_abraham(Design(panel, outcome="y", unit="u", time="t", cohort="c"))
    rows = by_term(fit)
    assert rows.loc["e=-2", "estimate"] == pytest.approx(0.0, abs=SAME)
    assert rows.loc["e=0", "estimate"] == pytest.approx((4 + 2) / 2, abs=SAME)
    assert rows.loc["e=1", "estimate"] == pytest.approx(5.0, abs=SAME)
    assert fit.overall["estimate"].item() == pytest.approx((4 + 5 + 2) / 3, abs=SAME)


def test_cells_are_differences_of_means_on_a_balanced_panel() -> None:
    panel = made_up()
    wide = panel.pivot_table(index="ons_code", columns="year", values="cost")
    cohort = panel.groupby("ons_code")["adoption_year"].first()
    change = wide[wide.index.isin(cohort[cohort == 2017].index)].mean() - wide[cohort.isna()].mean()
    design = council_design(panel[panel["adoption_year"].isna() | (panel["adoption_year"] == 2017)])
    rows = by_term(sun_abraham(design))
    for year, name in ((2014, "e=-3"), (2017, "e=0"), (2021, "e=4")):
        assert rows.loc[name, "estimate"] == pytest.approx(change[year] - change[2016], rel=SAME)


@pytest.mark.parametrize("weights", [None, "size"])
def test_equals_dummies_written_out(weights: str | None) -> None:
    """Holes, gaps (cohort 2016 has no event time -1), a covariate and weights, by statsmodels."""
    design = council_design(made_up(share=0.85), weights=weights, covariates=["need"])
    data = design.data
    mass = np.ones(len(data)) if weights is None else data["size"].to_numpy()
    left_out = {2016: 2014, 2017: 2016, 2018: 2017}
    names, event, sizes = [], [], []
    for g, base in left_out.items():
        for t in sorted(set(design.periods) - {base}):
            names.append(f"g{g}t{t}")
            here = (data["adoption_year"] == g) & (data["year"] == t)
            data[names[-1]] = here.astype(float)
            event.append(t - g)
            sizes.append(mass[here].sum())
    formula = f"cost ~ {' + '.join(names)} + need + C(ons_code) + C(year)"
    other = clustered(data, formula, "ons_code", weights=weights)
    fit = sun_abraham(design, inference="CR0")
    rows, sizes, event = by_term(fit), np.array(sizes), np.array(event)
    vcov = other.cov_params().loc[names, names].to_numpy()
    asked = [(f"e={e}", event == e) for e in np.unique(event)]
    for name, mine in [*asked, ("ATT", event >= 0)]:
        share = np.where(mine, sizes, 0) / sizes[mine].sum()
        ours = fit.overall.iloc[0] if name == "ATT" else rows.loc[name]
        assert ours["estimate"] == pytest.approx(share @ other.params[names], rel=SOLVER)
        assert ours["std_error"] == pytest.approx(np.sqrt(share @ vcov @ share), rel=SOLVER)
    assert rows.loc["need", "estimate"] == pytest.approx(other.params["need"], rel=SOLVER)
    assert rows.loc["e=-1", "reason"] == REFERENCE
    assert "by cohort 2016: -2" in fit.summary()


@pytest.mark.parametrize("kind", ["CR0", "CR1", "CR2", "CR3", "jackknife", "HC1", "iid"])
def test_inference_without_refitting(kind: str) -> None:
    design = council_design(made_up(share=0.9, n_units=64), cluster="region")
    one, two = sun_abraham(design).with_inference(kind), sun_abraham(design, inference=kind)
    pd.testing.assert_frame_equal(one.tidy(), two.tidy(), check_exact=True)
    pd.testing.assert_frame_equal(one.overall, two.overall, check_exact=True)
    assert one.overall["std_error"].item() > 0


def test_cr3_is_leaving_out_one_region_at_a_time() -> None:
    """One cohort without gaps: the shares do not move when a region leaves, so neither does the estimand."""
    panel = made_up(n_units=64, share=1.0)
    panel = panel[panel["adoption_year"].isna() | (panel["adoption_year"] == 2017)]
    design = council_design(panel, cluster="region")
    fit = sun_abraham(design, inference="CR3")
    left = []
    for code in range(design.n_clusters):
        kept = design.restrict(design.cluster_codes != code, reason="left out")
        left.append(by_term(sun_abraham(kept)).loc["e=0", "estimate"])
    brute = np.sqrt(np.square(np.array(left) - by_term(fit).loc["e=0", "estimate"]).sum())
    assert by_term(fit).loc["e=0", "std_error"] == pytest.approx(brute, rel=SOLVER)


def test_without_never_treated_the_last_cohort_is_the_comparison() -> None:
    design = oracle_design("no_never")
    fit = sun_abraham(design)
    last = max(design.cohort_sizes)
    assert max(fit.design.periods) == last - 1
    assert "every unit is treated" in fit.summary()
    assert f"Comparison: the last cohort, {last}, before {last}" in fit.summary()
    assert fit.nobs == int((design.times < last).sum())


def test_one_cohort_and_nobody_else() -> None:
    rows = [(u, t, 3, 0.1 * u * t) for u in range(6) for t in (1, 2, 3, 4)]
    panel = pd.DataFrame(rows, columns=["u", "t", "c", "y"])
    with pytest.raises(DesignError, match=r"adopts in 3.*nobody to compare"):
        sun_abraham(Design(panel, outcome="y", unit="u", time="t", cohort="c"))


def test_everyone_treated_before_the_last_cohort_is_not_invented() -> None:
    rows = [(u, t, 3 + u % 2, 0.1 * u * t) for u in range(6) for t in (1, 2, 4, 5)]
    panel = pd.DataFrame(rows, columns=["u", "t", "c", "y"])
    with pytest.raises(DesignError, match="no unit is observed under treatment"):
        sun_abraham(Design(panel, outcome="y", unit="u", time="t", cohort="c"))


def test_a_cohort_without_a_before_is_left_out_by_name() -> None:
    panel = made_up(n_units=48)
    panel = panel[(panel["adoption_year"] != 2017) | (panel["year"] >= 2017)]
    fit = sun_abraham(council_design(panel, always_treated="keep"))
    rows = by_term(fit.aggregate("group"))
    assert not rows.loc["g=2017", "identified"]
    assert np.isnan(rows.loc["g=2017", "estimate"])
    assert "Council 1 (E001)" in rows.loc["g=2017", "reason"]
    assert "no row before adoption in 2017" in rows.loc["g=2017", "reason"]
    assert "no row before adoption (cohort 2017" in fit.summary()
    assert by_term(fit).loc["e=0", "reason"].startswith("without g=2017,t=2017")
    without = sun_abraham(council_design(panel[panel["adoption_year"] != 2017]))
    assert fit.overall["estimate"].item() == pytest.approx(without.overall["estimate"].item(), rel=SAME)
    assert fit.overall["std_error"].item() == pytest.approx(without.overall["std_error"].item(), rel=SAME)


def test_a_year_without_controls_is_not_identified_and_says_so() -> None:
    panel = made_up(n_units=48)
    panel = panel[panel["adoption_year"].notna() | (panel["year"] != 2020)]
    fit = sun_abraham(council_design(panel))
    rows = by_term(fit.aggregate("calendar"))
    assert np.isnan(rows.loc["t=2020", "estimate"])
    assert "in 2020: no council that never adopts is observed then" in rows.loc["t=2020", "reason"]
    assert "Council 0 (E000)" in rows.loc["t=2020", "reason"]
    assert rows.loc["t=2021", "identified"]
    left = fit.sample().set_index("term")["left_out"]
    assert "g=2018,t=2020" in left["e=2"]


def test_a_cohort_of_one_council_is_told() -> None:
    panel = made_up(n_units=8)
    fit = sun_abraham(council_design(panel))
    rows = by_term(fit)
    known = rows[rows["identified"]]
    assert "one treated council per cohort" in fit.overall["reason"].item()
    assert known["reason"].str.contains("one treated council per cohort").all()


def test_references_of_other_cohorts_are_not_averaged_in() -> None:
    """Cohort 2016 has its reference at event time -2, where cohort 2018 has an effect of its own."""
    panel = made_up(n_units=48)
    whole = by_term(sun_abraham(council_design(panel)))
    alone = by_term(sun_abraham(council_design(panel[panel["adoption_year"] != 2016])))
    assert whole.loc["e=-2", "estimate"] == pytest.approx(alone.loc["e=-2", "estimate"], rel=SAME)
    assert whole.loc["e=-2", "n_units"] == 6


def test_the_first_effect_alone_keeps_references_of_others_out() -> None:
    """Cohort 2012 has one effect at event time -2, the first of all; cohort 2014 has its reference there."""
    years = tuple(year for year in range(2010, 2018) if year != 2013)
    panel = made_up(years=years, n_units=48)
    panel["adoption_year"] = panel["adoption_year"].map({2016: 2012, 2017: 2014})
    fit = sun_abraham(council_design(panel))
    alone = by_term(sun_abraham(council_design(panel[panel["adoption_year"] != 2014])))
    assert by_term(fit).loc["e=-2", "estimate"] == pytest.approx(alone.loc["e=-2", "estimate"], rel=SAME)
    assert fit.row_terms is not None
    behind = fit.row_terms == [term.name for term in fit.terms].index("e=-2")
    assert set(fit.design.cohorts[behind]) == {2012}
    assert set(fit.design.times[behind]) == {2010}


def test_anticipation_moves_the_reference() -> None:
    panel = made_up(years=tuple(range(2013, 2022)), n_units=48)
    fit = sun_abraham(council_design(panel, anticipation=1))
    rows = by_term(fit)
    assert rows.loc["e=-2", "reason"] == REFERENCE
    assert rows.loc["e=-1", "identified"]
    plain = by_term(sun_abraham(council_design(panel)))
    moved = plain.loc["e=0", "estimate"] - plain.loc["e=-2", "estimate"]
    assert rows.loc["e=0", "estimate"] == pytest.approx(moved, rel=SAME)
    after = rows[(rows["event_time"] >= 0)]
    mean = (after["estimate"] * after["n_obs"].astype(float)).sum() / after["n_obs"].sum()
    assert fit.overall["estimate"].item() == pytest.approx(mean, rel=SAME)


def test_later_adopters_are_controls() -> None:
    panel = made_up()
    later = panel.copy()
    later.loc[later["ons_code"] == "E007", "adoption_year"] = 2023
    one, two = sun_abraham(council_design(panel)), sun_abraham(council_design(later))
    assert one.estimates.tobytes() == two.estimates.tobytes()


def test_aggregate_dynamic_and_calendar() -> None:
    fit = sun_abraham(mpdta())
    dynamic = fit.aggregate("dynamic")
    post = by_term(dynamic).loc[["e=0", "e=1", "e=2", "e=3"], "estimate"]
    assert dynamic.overall["estimate"].item() == pytest.approx(post.mean(), rel=SAME)
    simple = fit.aggregate("simple")
    close(simple.overall.iloc[0], *ATT, FIXEST)
    window = fit.aggregate("dynamic", balance=1)
    assert window.tidy()["term"].tolist() == ["e=-3", "e=-2", "e=-1", "e=0", "e=1"]
    assert by_term(fit.aggregate("calendar")).index.tolist() == ["t=2004", "t=2005", "t=2006", "t=2007"]


def test_sample_says_what_is_compared() -> None:
    frame = sun_abraham(mpdta()).sample().set_index("term")
    assert frame.loc["e=2", ["treated_units", "control_units", "periods"]].tolist() == [
        20,
        309,
        "2006, against 2003",
    ]
    assert frame.loc["e=1", "periods"] == "2005, 2007, against 2003, 2005"


def test_a_constant_covariate_is_not_identified_with_a_reason() -> None:
    panel = made_up().assign(fixed=lambda f: f["ons_code"].str[1:].astype(float))
    fit = sun_abraham(council_design(panel, covariates=["need", "fixed"]))
    for found in (fit, fit.aggregate("group")):
        row = by_term(found).loc["fixed"]
        assert not row["identified"]
        assert "no variation left" in row["reason"]
    plain = sun_abraham(council_design(panel, covariates=["need"]))
    assert fit.overall["estimate"].item() == pytest.approx(plain.overall["estimate"].item(), rel=SAME)


@pytest.mark.parametrize(
    ("roles", "options", "words"),
    [
        ({"effects": "region"}, {}, "needs unit effects.*twfe or event_study"),
        ({}, {"inference": "CR5"}, "did you mean 'CR"),
        ({}, {"level": 95}, "between 0 and 1"),
    ],
)
def test_bad_input(roles: dict[str, str], options: dict[str, object], words: str) -> None:
    with pytest.raises(DesignError, match=f"(?s){words}"):
        sun_abraham(council_design(made_up(), **roles), **options)


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 2**16),
    scale=st.floats(0.01, 100),
    slope=st.floats(-50, 50),
    share=st.sampled_from([0.8, 1.0]),
)
def test_constants_of_units_and_periods_and_scale(
    seed: int, scale: float, slope: float, share: float
) -> None:
    panel = made_up(share=share, seed=seed)
    moved = panel.sample(frac=1, random_state=seed)
    unit = moved["ons_code"].str[1:].astype(float)
    moved = moved.assign(cost=scale * moved["cost"] + slope * (moved["year"] - 2014) ** 2 + 3 * unit)
    one, two = sun_abraham(council_design(panel)), sun_abraham(council_design(moved))
    for column in ("estimate", "std_error"):
        np.testing.assert_allclose(
            two.tidy()[column], scale * one.tidy()[column], rtol=1e-7, atol=1e-8 * scale
        )


def test_two_copies_of_the_panel_halve_the_raw_variance() -> None:
    panel = made_up(share=0.85)
    double = pd.concat([panel, panel.assign(ons_code="X" + panel["ons_code"])])
    one, two = (sun_abraham(council_design(p), inference="CR0").overall.iloc[0] for p in (panel, double))
    assert two["estimate"] == pytest.approx(one["estimate"], rel=SAME)
    assert two["std_error"] == pytest.approx(one["std_error"] / np.sqrt(2), rel=SAME)
