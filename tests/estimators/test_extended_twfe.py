"""Extended two-way fixed effects: other packages, imputation by hand, dummies written out, hard panels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clsimpact.design import Design
from clsimpact.errors import DesignError
from clsimpact.estimators.extended_twfe import extended_twfe
from clsimpact.estimators.sun_abraham import sun_abraham
from clsimpact.results import REFERENCE, Estimate
from tests.estimation_helpers import SOLVER, clustered, council_design, made_up, mpdta
from tests.oracles import panels

pytestmark = pytest.mark.usefixtures("usual_errors")

EXACT_DIGITS = 1e-8
"""Reference values are printed with eight digits."""

PRINTED = 5e-5
"""The vignette of R etwfe prints four digits."""

ITERATED = 1e-6
"""etwfe demeans unbalanced panels by iteration, to 1e-7 of the direct answer."""

SAME = 1e-9
"""The same numbers after another order of sums."""


def by_term(fit: Estimate) -> pd.DataFrame:
    return fit.tidy().set_index("term")


def oracle_design(panel: str, **options: object) -> Design:
    data = panels.PANELS[panel]()
    return Design(data, outcome="y", unit="unit", time="time", cohort="cohort", **options)


def test_reference_value_on_mpdta() -> None:
    """R etwfe, diff-diff and moderndid are identical."""
    row = extended_twfe(mpdta()).overall.iloc[0]
    assert row["estimate"] == pytest.approx(-0.04770992, abs=EXACT_DIGITS)
    assert row["std_error"] == pytest.approx(0.01326496, abs=EXACT_DIGITS)
    assert (row["term"], row["n_units"], row["n_obs"]) == ("ATT", 191, 291)


def test_vignette_of_r_etwfe_with_a_covariate() -> None:
    """etwfe(lemp ~ lpop, tvar = year, gvar = first.treat, vcov = ~countyreal), then emfx."""
    fit = extended_twfe(mpdta(covariates=["lpop"]))
    row = fit.overall.iloc[0]
    assert row["estimate"] == pytest.approx(-0.0506, abs=PRINTED)
    assert row["std_error"] == pytest.approx(0.0125, abs=PRINTED)
    path = by_term(fit.aggregate("dynamic"))["estimate"]
    np.testing.assert_allclose(path, [-0.0332, -0.0573, -0.1379, -0.1095], atol=PRINTED)
    assert "lpop" not in by_term(fit).index
    assert "Interacted with cells" in fit.summary()


SEVERAL = ".*;.*"
"""Rows on which two packages or more agree."""

FROZEN = [
    *(
        ("balanced", f"control={c}{x}", SEVERAL)
        for c in ("never", "not_yet")
        for x in ("", ";weights=w", ";x=x2")
    ),
    *(("balanced", f"control={c};x=x1", ".*diff-diff.*") for c in ("never", "not_yet")),
    *(("mpdta", f"control={c}", SEVERAL) for c in ("never", "not_yet")),
    ("late", "control=never", ".*moderndid.*"),
    *((panel, "control=not_yet", SEVERAL) for panel in ("late", "missing", "gaps", "no_never")),
]


@pytest.mark.parametrize(("panel", "options", "package"), FROZEN)
def test_equals_other_packages(frozen: Path, panel: str, options: str, package: str) -> None:
    rows = pd.read_csv(frozen / "interaction.csv")
    rows = rows[(rows["estimator"] == "extended_twfe") & (rows["panel"] == panel)]
    rows = rows[(rows["options"] == options) & rows["package"].str.fullmatch(package)]
    rows = rows[rows["std_error"] > 0]
    asked = dict(part.split("=") for part in options.split(";"))
    more = {"weights": asked.get("weights"), "covariates": [asked["x"]] if "x" in asked else []}
    design = mpdta() if panel == "mpdta" else oracle_design(panel, **more)
    fit = extended_twfe(design, control=asked["control"])
    tables = {k: by_term(fit.aggregate(k)) for k in ("dynamic", "group", "calendar")}
    seen = 0
    for row in rows.itertuples():
        kind, _, level = row.term.partition(":")
        if kind == "x":
            assert by_term(fit).loc[level, "estimate"] == pytest.approx(row.estimate, rel=SOLVER)
            continue
        if panel == "missing" and kind in ("group", "calendar"):
            continue  # rows count there, periods here: see the methodology page
        where = {"event": ("dynamic", "e"), "group": ("group", "g"), "calendar": ("calendar", "t")}
        table, letter = where.get(kind, ("", ""))
        ours = fit.overall.iloc[0] if kind == "att" else tables[table].loc[f"{letter}={level}"]
        assert ours["estimate"] == pytest.approx(row.estimate, rel=SOLVER, abs=SOLVER)
        if panel != "no_never":  # another N and K in CR1: see the methodology page
            assert ours["std_error"] == pytest.approx(row.std_error, rel=ITERATED)
        seen += 1
    assert seen >= 5


def test_by_hand() -> None:
    """Cohort 2 rises by 5 and 7 from period 1, controls by 1 and 2: effects 4 and 5."""
    paths = {("a", 2): (0, 5, 7), ("b", 2): (10, 15, 17), ("e", np.nan): (2, 3, 4), ("f", np.nan): (4, 5, 6)}
    rows = [(u, t + 1, c, float(y)) for (u, c), path in paths.items() for t, y in enumerate(path)]
    panel = pd.DataFrame(rows, columns=["u", "t", "c", "y"])
    rows = by_term(extended_twfe(Design(panel, outcome="y", unit="u", time="t", cohort="c")))
    assert rows["estimate"].tolist() == pytest.approx([4.0, 5.0], abs=SAME)
    assert rows["event_time"].tolist() == [0, 1]


def imputed(design: Design) -> pd.Series:
    """Mean of outcome less prediction from untreated rows (covariates by period), by cohort and period."""
    x = np.column_stack(
        [np.eye(len(design.units))[design.unit_codes], np.eye(len(design.periods))[design.time_codes]]
    )
    x = np.column_stack(
        [x, *(np.eye(len(design.periods))[design.time_codes] * c[:, None] for c in design.X.T)]
    )
    off = ~design.treated
    fitted = x @ np.linalg.lstsq(x[off], design.y[off], rcond=None)[0]
    frame = pd.DataFrame({"g": design.cohorts, "t": design.times, "gap": design.y - fitted})[design.treated]
    return frame.groupby(["g", "t"])["gap"].mean()


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**16))
def test_not_yet_equals_imputation_on_a_balanced_panel(seed: int) -> None:
    design = council_design(made_up(seed=seed))
    rows = by_term(extended_twfe(design))
    for (g, t), gap in imputed(design).items():
        assert rows.loc[f"g={int(g)},t={t}", "estimate"] == pytest.approx(gap, rel=1e-8, abs=1e-8)


def test_with_a_constant_covariate_it_equals_imputation_with_that_covariate_by_period() -> None:
    design = oracle_design("balanced", covariates=["x1"])
    rows = by_term(extended_twfe(design))
    for (g, t), gap in imputed(design).items():
        assert rows.loc[f"g={int(g)},t={t}", "estimate"] == pytest.approx(gap, rel=SOLVER)


def test_never_with_a_constant_covariate_equals_outcome_regression() -> None:
    """Change of the cohort less the change predicted from the controls' regression on the covariate."""
    panel = panels.PANELS["balanced"]()
    wide = panel.pivot_table(index="unit", columns="time", values="y")
    unit = panel.groupby("unit")[["cohort", "x1"]].first()
    never, mine = unit["cohort"].isna(), unit["cohort"] == 2017
    change = wide[2020] - wide[2016]
    slope, level = np.polyfit(unit.loc[never, "x1"], change[never], 1)
    effect = (change[mine] - level - slope * unit.loc[mine, "x1"]).mean()
    rows = by_term(extended_twfe(oracle_design("balanced", covariates=["x1"]), control="never"))
    assert rows.loc["g=2017,t=2020", "estimate"] == pytest.approx(effect, rel=SOLVER)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**16), share=st.sampled_from([0.8, 1.0]))
def test_never_equals_sun_abraham(seed: int, share: float) -> None:
    design = council_design(made_up(seed=seed, share=share), weights="size")
    one, two = extended_twfe(design, control="never").aggregate("dynamic"), sun_abraham(design)
    pd.testing.assert_frame_equal(one.tidy(), two.tidy(), rtol=SAME, atol=SAME)


MOVED, MOVED_TINY = 1e-7, 1e-8
"""Relative, and absolute in scaled units. Outcomes near 100 are moved by up to 2,450 before unit and period
effects are removed again: that costs four to seven of sixteen digits."""

LEVEL, LEVEL_TINY = 1e-9, 1e-12
"""Relative and absolute. The level of a covariate within its cohort enters no cell: what is left is rounding,
about 1e-13 of outcomes of size one. The fault that the test guards against left whole cohorts out."""


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**16), scale=st.floats(0.01, 100), slope=st.floats(-50, 50))
def test_constants_of_units_and_periods_and_scale(seed: int, scale: float, slope: float) -> None:
    panel = made_up(share=0.85, seed=seed)
    unit = panel["ons_code"].str[1:].astype(float)
    moved = panel.assign(cost=scale * panel["cost"] + slope * (panel["year"] - 2014) ** 2 + 3 * unit)
    one, two = (extended_twfe(council_design(p.sample(frac=1, random_state=seed))) for p in (panel, moved))
    for column in ("estimate", "std_error"):
        was, now = scale * one.tidy()[column], two.tidy()[column]
        assert np.isfinite(was[one.tidy()["identified"]]).all()
        np.testing.assert_allclose(now, was, rtol=MOVED, atol=MOVED_TINY * scale)


def written_out(design: Design, constant: str, varying: str, weights: str | None) -> tuple[object, list[str]]:
    """Wooldridge's regression as a formula, with dummies for units and periods."""
    data = design.data
    mass = 1.0 if weights is None else data[weights]
    data["mass"] = mass
    data["level"] = data["adoption_year"].fillna(0)
    total = data.assign(wx=data["mass"] * data[constant]).groupby("level")[["wx", "mass"]].transform("sum")
    data["around"] = data[constant] - total["wx"] / total["mass"]
    names, more = [], []
    for g in (2016, 2017, 2018):
        for t in [t for t in design.periods if t >= g]:
            names.append(f"g{g}t{t}")
            data[names[-1]] = ((data["adoption_year"] == g) & (data["year"] == t)).astype(float)
            more.append(f"x{g}t{t}")
            data[more[-1]] = data[names[-1]] * data["around"]
    for t in design.periods[1:]:
        more.append(f"p{t}")
        data[more[-1]] = (data["year"] == t) * data[constant]
    formula = f"cost ~ {' + '.join([*names, *more])} + {varying} + C(ons_code) + C(year)"
    return clustered(data, formula, "ons_code", weights=weights), names


@pytest.mark.parametrize(("share", "weights"), [(1.0, None), (0.85, None), (0.85, "size")])
def test_covariates_equal_dummies_written_out(share: float, weights: str | None) -> None:
    panel = made_up(share=share, n_units=48)
    panel["fixed"] = panel.groupby("ons_code")["need"].transform("first")
    design = council_design(panel, covariates=["need", "fixed"], weights=weights)
    other, names = written_out(design, "fixed", "need", weights)
    fit = extended_twfe(design, inference="CR0")
    rows = by_term(fit)
    assert [f"g={n[1:5]},t={n[6:]}" for n in names] == rows.index[:-1].tolist()
    np.testing.assert_allclose(rows["estimate"][:-1], other.params[names], rtol=SOLVER)
    np.testing.assert_allclose(rows["std_error"][:-1], other.bse[names], rtol=SOLVER)
    assert rows.loc["need", "estimate"] == pytest.approx(other.params["need"], rel=SOLVER)
    assert rows.loc["need", "std_error"] == pytest.approx(other.bse["need"], rel=SOLVER)
    assert "Interacted with cells (around cohort means) and periods: fixed" in fit.summary()
    assert "Plain regressors, one slope each: need" in fit.summary()


@pytest.mark.parametrize("kind", ["CR0", "CR1", "CR2", "CR3", "jackknife", "HC1", "iid"])
def test_inference_without_refitting(kind: str) -> None:
    panel = made_up(share=0.9, n_units=64)
    panel["fixed"] = panel.groupby("ons_code")["need"].transform("first")
    design = council_design(panel, cluster="region", covariates=["fixed"])
    one, two = extended_twfe(design).with_inference(kind), extended_twfe(design, inference=kind)
    pd.testing.assert_frame_equal(one.tidy(), two.tidy(), check_exact=True)
    pd.testing.assert_frame_equal(one.overall, two.overall, check_exact=True)


def test_nothing_is_invented_where_everyone_is_treated() -> None:
    fit = extended_twfe(oracle_design("no_never"))
    rows = by_term(fit)
    last = max(fit.design.cohort_sizes)
    late = rows[rows.index.str.endswith(f"t={last}")]
    assert len(late) >= 3
    assert not late["identified"].any()
    assert late["estimate"].isna().all()
    assert late["reason"].str.contains(f"in {last}: no unit observed then is untreated").all()
    assert fit.overall["identified"].item()
    assert fit.sample().set_index("term").loc[late.index[0], "treated_units"] == 0


def test_cells_without_rows_have_no_terms() -> None:
    panel = made_up(years=tuple(range(2012, 2020)))
    held = panel[~(panel["adoption_year"].eq(2016) & panel["year"].eq(2018))]
    names = extended_twfe(council_design(held)).tidy()["term"]
    of_cohort = names[names.str.startswith("g=2016")].tolist()
    assert of_cohort == ["g=2016,t=2016", "g=2016,t=2017", "g=2016,t=2019"]


def test_what_every_cell_of_an_average_shares_is_said_of_it() -> None:
    panel = made_up(n_units=16)
    lone = panel[panel["adoption_year"].isna() | panel["ons_code"].isin(["E000", "E001"])]
    frame = extended_twfe(council_design(lone)).aggregate("dynamic").tidy().set_index("term")
    assert frame["reason"].str.contains("one treated council per cohort").all()
    assert len(frame) > frame["n_units"].eq(2).sum()
    last = panel[(panel["adoption_year"].isna() | panel["ons_code"].eq("E000")) & (panel["year"] <= 2016)]
    only = extended_twfe(council_design(last)).aggregate("dynamic").overall
    assert only["reason"].str.contains("one treated council per cohort").tolist() == [True]


def test_never_needs_such_units() -> None:
    with pytest.raises(DesignError, match=r"(?s)no unit that never adopts.*control='not_yet'"):
        extended_twfe(oracle_design("no_never"), control="never")


def test_anticipation_starts_the_cells_earlier() -> None:
    panel = made_up(years=tuple(range(2013, 2022)), n_units=48)
    fit = extended_twfe(council_design(panel, anticipation=1))
    rows = by_term(fit)
    assert rows["event_time"].min() == -1
    after = rows[rows["event_time"] >= 0]
    mean = (after["estimate"] * after["n_obs"].astype(float)).sum() / after["n_obs"].sum()
    assert fit.overall["estimate"].item() == pytest.approx(mean, rel=SAME)
    earlier = panel.assign(adoption_year=panel["adoption_year"] - 1)
    shifted = by_term(extended_twfe(council_design(earlier)))
    assert rows.loc["g=2017,t=2018", "estimate"] == pytest.approx(
        shifted.loc["g=2016,t=2018", "estimate"], rel=SAME
    )


def test_never_shows_its_references() -> None:
    fit = extended_twfe(mpdta(), control="never")
    rows = by_term(fit)
    assert rows.loc["g=2004,t=2003", "reason"] == REFERENCE
    assert rows.loc["g=2004,t=2003", "estimate"] == 0
    assert fit.sample().set_index("term").loc["g=2006,t=2007", "periods"] == "2007, against 2005"


def test_sample_counts_those_not_yet_treated() -> None:
    frame = extended_twfe(mpdta()).sample().set_index("term")
    assert frame.loc["g=2004,t=2004", "control_units"] == 309 + 40 + 131
    assert frame.loc["g=2004,t=2007", "control_units"] == 309
    assert frame["periods"].str.endswith("against every period before adoption").all()
    early = extended_twfe(council_design(made_up(), anticipation=1)).sample().set_index("term")
    assert early.loc["g=2016,t=2016", "control_units"] == 25 + 5  # those of 2017 may react in 2016 already


def test_two_cohorts_that_adopt_late_in_a_gap_of_the_controls() -> None:
    """In 2020 nobody untreated is observed: those cells have no answer, the others keep theirs."""
    panel = made_up(n_units=48)
    panel = panel[panel["adoption_year"].notna() | (panel["year"] != 2020)]
    rows = by_term(extended_twfe(council_design(panel)))
    gone = rows[rows.index.str.endswith("t=2020")]
    assert gone["estimate"].isna().all()
    assert gone["reason"].str.contains("no council observed then is untreated").all()
    whole = by_term(extended_twfe(council_design(panel[panel["year"] != 2020])))
    kept = rows[~rows.index.str.endswith("t=2020")]
    np.testing.assert_allclose(kept["estimate"], whole["estimate"], rtol=SOLVER)


@pytest.mark.parametrize(
    ("roles", "options", "words"),
    [
        ({"effects": "region"}, {}, "needs unit effects.*twfe or event_study"),
        ({}, {"control": "notyet"}, "did you mean 'not_yet'"),
        ({}, {"inference": "CR5"}, "did you mean 'CR"),
        ({}, {"level": 95}, "between 0 and 1"),
    ],
)
def test_bad_input(roles: dict[str, str], options: dict[str, object], words: str) -> None:
    with pytest.raises(DesignError, match=f"(?s){words}"):
        extended_twfe(council_design(made_up(), **roles), **options)


def test_no_cohort_seen_before_adoption() -> None:
    rows = [(u, t, 1 if u < 3 else np.nan, 0.1 * u * t) for u in range(6) for t in (1, 2, 3)]
    panel = pd.DataFrame(rows, columns=["u", "t", "c", "y"])
    design = Design(panel, outcome="y", unit="u", time="t", cohort="c", always_treated="keep")
    with pytest.raises(DesignError, match=r"(?s)No cohort is observed before adoption.*cohort 1: 0"):
        extended_twfe(design)


@pytest.mark.parametrize("control", ["not_yet", "never"])
def test_a_cohort_with_one_value_of_a_covariate_keeps_its_effects(control: str) -> None:
    # The mean of three times 0.1 is not 0.1 in floating point; nor is a weighted mean of one value.
    rng = np.random.default_rng(0)
    rows = [(u, t, 2003 if u < 3 else 2005 if u < 9 else 0) for u in range(30) for t in range(2001, 2007)]
    data = pd.DataFrame(rows, columns=["unit", "time", "cohort"])
    data["y"] = rng.normal(size=len(data))
    x, data["w"] = rng.normal(size=30), rng.uniform(0.5, 2.0, size=len(data))
    x[:3] = 0.1
    for weights in (None, "w"):
        found = []
        for scale in (1.0, 10.0):
            design = Design(
                data.assign(x=scale * x[data["unit"]]),
                outcome="y", unit="unit", time="time", cohort="cohort", covariates=["x"], weights=weights,
            )  # fmt: skip
            fit = extended_twfe(design, control=control)  # type: ignore[arg-type]
            assert all(ok or t.reason == REFERENCE for t, ok in zip(fit.terms, fit.identified, strict=True))
            found.append(fit.estimates)
        assert np.isfinite(found[0]).all()
        np.testing.assert_allclose(found[0], found[1], rtol=LEVEL, atol=LEVEL_TINY)
