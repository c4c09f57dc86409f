"""Imputation: reference values, values of other packages, hand arithmetic, brute-force second opinions."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from clsimpact.design import Design
from clsimpact.estimators.extended_twfe import extended_twfe
from clsimpact.estimators.imputation import imputation
from clsimpact.results import REFERENCE, Estimate
from tests.estimation_helpers import EXACT, ORACLE, clustered, dummies, mpdta
from tests.oracles.panels import PANELS

pytestmark = pytest.mark.usefixtures("usual_errors")

DIRECT = -0.047709918278
"""The estimate on the county panel by a direct solution, to the digits printed."""

DIRECT_DIGITS = 5e-13

ITERATED = 5e-9
"""R stops its iterations that far from the solution (DIRECT less R's value is 3.2e-9)."""

ITERATED_ERRORS = 2e-8
"""Relative: R nets the leads of effects by iterations too; two direct programs share our digits to 1e-14."""

PACKAGES = 1e-10
"""Packages that agree solve directly or to 1e-12; standard errors are compared relatively."""

REDONE = 1e-11
"""A closed form against the estimator run again on fewer rows."""


def design_of(panel: pd.DataFrame, **options: object) -> Design:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Design(panel, outcome="y", unit="unit", time="time", cohort="cohort", **options)  # type: ignore[arg-type]


def numbers(fit: Estimate, term: str) -> tuple[float, float]:
    frame = fit.overall if term in ("ATT", "att") else fit.tidy().set_index("term").loc[[term]]
    return float(frame["estimate"].iloc[0]), float(frame["std_error"].iloc[0])


def hand() -> pd.DataFrame:
    """Two councils adopt in year 3, one in year 4, two never do; numbers that can be added up by hand."""
    y = {
        "A": (1.0, 2, 9, 11),
        "B": (3.0, 3, 8, 9),
        "C": (0.0, 1, 2, 7),
        "D": (2.0, 4, 4, 5),
        "E": (5.0, 5, 7, 8),
    }
    cohort = {"A": 3, "B": 3, "C": 4}
    rows = [(u, t + 1, cohort.get(u, np.nan), v) for u, values in y.items() for t, v in enumerate(values)]
    return pd.DataFrame(rows, columns=["unit", "time", "cohort", "y"])


def by_dummies(design: Design) -> tuple[pd.DataFrame, pd.Series]:
    """Predict every row from a dummy-variable regression on untreated rows."""
    data = design.data.rename(columns={design.unit: "u", design.time: "t", design.outcome: "y"})
    right = "".join(f" + {name}" for name in design.covariates)
    first = dummies(data[~data["treated"]], f"y ~ C(u) + C(t){right}", weights=design.weights)
    return data, data["y"] - first.predict(data)


# Reference values


def test_direct_value() -> None:
    assert abs(numbers(imputation(mpdta()), "ATT")[0] - DIRECT) < DIRECT_DIGITS


@pytest.mark.parametrize(
    ("term", "estimate", "error"),
    [
        ("ATT", -0.04770992, 0.01322249),
        ("e=-4", -0.00139535, 0.02319650),
        ("e=-3", 0.02384100, 0.01804354),
        ("e=-2", 0.02168227, 0.01364146),
        ("e=0", -0.03106692, 0.01357725),
        ("e=1", -0.05223485, 0.01881243),
        ("e=2", -0.13607811, 0.03534197),
        ("e=3", -0.10470747, 0.03376585),
    ],
)
def test_values_of_r_didimputation(term: str, estimate: float, error: float) -> None:
    got = numbers(imputation(mpdta()), term)
    assert got == pytest.approx((estimate, error), abs=ORACLE)


def test_full_precision_of_r(reference: Path) -> None:
    table = pd.read_csv(reference / "mpdta_r_reference.csv").query("method == 'bjs_event_fixefrm_none'")
    fit = imputation(mpdta())
    assert len(table) == 7
    for row in table.itertuples():
        estimate, error = numbers(fit, f"e={row.term}")
        leads_are_direct = 1e-14 if int(row.term) < 0 else ITERATED
        assert abs(estimate - row.estimate) < leads_are_direct
        assert abs(error / row.se - 1) < ITERATED_ERRORS


def test_jackknife_of_the_reference() -> None:
    fit = imputation(mpdta(), inference="jackknife")
    assert numbers(fit, "ATT")[1] == pytest.approx(0.01355264462, abs=1e-11)


OPTIONS = {"x=x2": {"covariates": ["x2"]}, "weights=w": {"weights": "w"}}


def frozen_rows(frozen: Path, estimator: str) -> list[tuple[str, str, pd.DataFrame]]:
    table = pd.read_csv(frozen / "imputation.csv").fillna({"options": ""})
    table = table[table["estimator"] == estimator]
    return [(str(p), str(o), part) for (p, o), part in table.groupby(["panel", "options"])]


def asked(panel: str, options: str) -> Design:
    data, words = PANELS[panel](), options.split(";")
    if "sample=identified" in words:
        data = data[data["time"] < data["cohort"].max()]
    keywords = {k: v for word in words if word in OPTIONS for k, v in OPTIONS[word].items()}
    return design_of(data, **keywords)


def test_values_of_other_packages(frozen: Path) -> None:
    """Values that two packages share, or a package and the paper's formulas in dense matrices.

    Units that adopt after the panel have no leads here, so leads of such panels differ from packages that
    give them some.
    """
    seen = 0
    for panel, options, part in frozen_rows(frozen, "imputation"):
        design = asked(panel, options)
        later = bool((~design.in_window & ~np.isnan(design.unit_cohorts)).any())
        fit = imputation(design, inference="leave_one_out" if "leave_one_out" in options else "CR0")
        for row in part.itertuples():
            kind, _, event = str(row.term).partition(":")
            alone = ";" not in str(row.package) and row.package not in ("pyfixest", "numpy")
            if alone or (kind == "lead" and later):
                continue
            estimate, error = numbers(fit, "ATT" if kind == "att" else f"e={event}")
            assert abs(estimate - row.estimate) < PACKAGES * max(1, abs(row.estimate)), (panel, options, row)
            assert abs(error / row.std_error - 1) < PACKAGES, (panel, options, row)
            seen += 1
    assert seen > 150


# Arithmetic


def test_by_hand() -> None:
    """Never treated D, E and the others before adoption.

    Untreated rows: all in years 1 and 2; C, D, E in year 3; D, E in year 4. The change from 2 to 3 of C, D
    and E is 1, 0, 2 (mean 1, and years 1 and 2 of A and B say nothing of year 3).
    """
    fit = imputation(design_of(hand()))
    data, gap = by_dummies(fit.design)
    treated = data["treated"].to_numpy()
    assert fit.overall["estimate"].item() == pytest.approx(gap[treated].mean(), abs=EXACT * 100)
    cells = fit.aggregate("group").tidy().set_index("term")["estimate"]
    # C in year 4: 7 less its own level (1 over three years), less the year against its mean in D and E.
    year = np.array([[2.0, 4, 4, 5], [5, 5, 7, 8]])
    own = year[:, 3] - year[:, :3].mean(axis=1)
    level = np.array([0.0, 1, 2])
    # With D and E complete and C seen through year 3, years 1 to 3 cancel from the comparison of C.
    assert cells["g=4"] == pytest.approx(7 - level.mean() - own.mean(), abs=1e-12)


def test_one_cohort_is_the_difference_of_means() -> None:
    """One cohort, no gaps: the effect is a difference in differences of means before and after."""
    panel = hand()
    panel = panel[panel["unit"] != "C"]
    fit = imputation(design_of(panel))
    wide = panel.pivot_table(index="unit", columns="time", values="y")
    change = wide[[3, 4]].mean(axis=1) - wide[[1, 2]].mean(axis=1)
    expected = change[["A", "B"]].mean() - change[["D", "E"]].mean()
    assert fit.overall["estimate"].item() == pytest.approx(expected, abs=1e-13)
    assert expected == pytest.approx(5.0)
    first = fit.tidy().set_index("term")["estimate"]
    assert first["e=-2"] == pytest.approx((1 - 2 + 3 - 3) / 2 - (2 - 4 + 5 - 5) / 2, abs=1e-13)


@pytest.mark.parametrize("options", ["", "x=x2", "weights=w", "x=x2;weights=w"])
def test_dummy_regression_on_untreated_rows(options: str) -> None:
    fit = imputation(asked("missing", options))
    data, gap = by_dummies(fit.design)
    mass = np.ones(len(data)) if fit.design.w is None else fit.design.w
    event = data["event_time"].to_numpy()
    for row in fit.tidy().query("event_time >= 0").itertuples():
        mine = data["treated"].to_numpy() & (event == row.event_time)
        assert row.estimate == pytest.approx(np.average(gap[mine], weights=mass[mine]), rel=1e-8)
        assert row.n_obs == mine.sum()


@pytest.mark.parametrize(
    ("panel", "options", "reference"),
    [("missing", {"weights": "w"}, -1), ("gaps", {}, -1), ("gaps", {"anticipation": 1}, -2)],
)
def test_leads_are_a_regression_on_untreated_rows(
    panel: str, options: dict[str, object], reference: int
) -> None:
    fit = imputation(design_of(PANELS[panel](), **options))
    data = fit.design.data.rename(columns={"unit": "u", "time": "t"})
    rows = data[~data["treated"]].copy()
    names = {e: f"lead{-int(e)}" for e in np.unique(rows["event_time"].dropna()) if e < reference}
    for e, name in names.items():
        rows[name] = (rows["event_time"] == e).astype(float)
    formula = f"y ~ {' + '.join(names.values())} + C(u) + C(t)"
    other = clustered(rows, formula, "u", weights=fit.design.weights)
    got = fit.tidy().set_index("term")
    assert got.loc[f"e={reference}", "reason"] == REFERENCE
    rank, g = len(names) + rows["t"].nunique(), fit.design.n_clusters
    factor = g / (g - 1) * (len(rows) - 1) / (len(rows) - rank)
    for e, name in names.items():
        assert got.loc[f"e={int(e)}", "estimate"] == pytest.approx(other.params[name], rel=1e-8)
        error = other.bse[name] * np.sqrt(factor)
        assert got.loc[f"e={int(e)}", "std_error"] == pytest.approx(error, rel=1e-7)


# Resampling, in closed form against the estimator run again


JACKKNIFE = {
    "balanced": {},
    "missing": {"covariates": ["x1", "x2"], "weights": "wt", "cluster": "region"},
    "gaps": {"anticipation": 1},
    "no_never": {"covariates": ["x2"]},
}


@pytest.mark.parametrize("panel", list(JACKKNIFE))
@pytest.mark.parametrize("kind", ["path", "group", "simple", "calendar", "dynamic"])
def test_left_out_in_closed_form(panel: str, kind: str) -> None:
    """Without each of some clusters: treated in a cohort alone, treated with others, never treated."""
    options, data = JACKKNIFE[panel], PANELS[panel]()
    column = str(options.get("cluster", "unit"))

    def run(rows: pd.DataFrame) -> Estimate:
        found = imputation(design_of(rows, **options))
        return found if kind == "path" else found.aggregate(kind)

    fit = run(data)
    closed = fit.uncertainty.left_out()
    levels = list(fit.design.units) if column == "unit" else sorted(data[column].unique())
    for g in (0, 7, 13, len(levels) - 1):
        again = run(data[data[column] != levels[g]])
        frame = again.tidy().set_index("term")["estimate"]
        for slot, term in zip(fit.slots, fit.terms, strict=True):
            if slot is None:
                continue
            ours, theirs = closed[g, slot], frame.get(term.name, np.nan)
            assert np.isnan(ours) == np.isnan(theirs), (term.name, levels[g])
            assert np.isnan(ours) or abs(ours - theirs) < REDONE
        if fit.total is not None:
            whole = fit.total.uncertainty.left_out()[g, fit.total.slots[0]]
            missing = any(closed[g, slot] != closed[g, slot] for slot in fit.slots if slot is not None)
            assert abs(whole - numbers(again, "ATT")[0]) < REDONE or (np.isnan(whole) and missing)


def left_out(data: pd.DataFrame, column: str, kind: str = "path") -> tuple[Estimate, pd.DataFrame]:
    """The estimate, and its terms and overall effect without each cluster, estimated again."""

    def run(rows: pd.DataFrame) -> Estimate:
        found = imputation(design_of(rows, cluster=column))
        return found if kind == "path" else found.aggregate(kind)

    again = {}
    for level in sorted(data[column].unique()):
        found = run(data[data[column] != level])
        terms = found.tidy().set_index("term")["estimate"]
        again[level] = pd.concat([terms, pd.Series({"overall": found.overall["estimate"].item()})])
    return run(data), pd.DataFrame(again).T


def test_left_out_where_a_cluster_joins_early_and_late_years() -> None:
    """Without region 0 no untreated unit is seen in both 1 to 3 and 4 to 6; unit 2 still has an effect."""
    early, late = range(1, 4), range(4, 7)
    seen = {0: range(1, 7), 1: range(1, 7), 2: late, 3: late, 4: early, 5: early, 6: late, 7: late}
    rng = np.random.default_rng(4)
    rows = [(u, t, 6.0 if u in (0, 2, 3) else np.nan, float(u), rng.normal()) for u in seen for t in seen[u]]
    data = pd.DataFrame(rows, columns=["unit", "time", "cohort", "region", "y"]).replace(
        {"region": {1.0: 0.0}}
    )
    fit, again = left_out(data, "region", "group")
    found = fit.uncertainty.left_out()[:, fit.slots[0]]
    assert np.isfinite(found).all()
    assert found == pytest.approx(again["g=6"].to_numpy(), abs=REDONE)


def test_left_out_where_a_cohort_is_one_region() -> None:
    """Without it the overall effect is that of the others."""
    data = PANELS["balanced"]()
    data.loc[data["cohort"] == 2016, "cohort"] = np.nan
    data.loc[(data["region"] == data["region"].iloc[0]) & data["cohort"].isna(), "cohort"] = 2016
    fit, again = left_out(data, "region", "group")
    assert again["g=2016"].isna().sum() == 1
    assert fit.total is not None
    found = fit.total.uncertainty.left_out()[:, fit.total.slots[0]]
    assert found == pytest.approx(again["overall"].to_numpy(), abs=REDONE)


def test_jackknife_is_cr3_times_its_factor() -> None:
    fit = imputation(asked("balanced", ""))
    three, jack = (fit.with_inference(kind).vcov for kind in ("CR3", "jackknife"))
    assert jack.factor == pytest.approx(149 / 150)
    assert np.nanmax(np.abs(jack.matrix - 149 / 150 * three.matrix)) < EXACT


def test_cr2_is_that_of_the_saturated_regression_on_balanced_panels() -> None:
    for design in (mpdta(), asked("balanced", ""), design_of(PANELS["balanced"](), cluster="region")):
        ours = imputation(design, inference="CR2").aggregate("dynamic")
        theirs = extended_twfe(design, inference="CR2").aggregate("dynamic")
        later = ours.tidy().query("event_time >= 0").index
        other = theirs.tidy().query("event_time >= 0").index
        assert ours.tidy().loc[later, "std_error"].to_numpy() == pytest.approx(
            theirs.tidy().loc[other, "std_error"].to_numpy(), rel=1e-9
        )
        assert ours.vcov.df[later] == pytest.approx(theirs.vcov.df[other], rel=1e-8)


def test_cr2_is_unbiased_under_the_working_model() -> None:
    """On an unbalanced weighted panel: A M A = I where no direction is fitted exactly.

    Estimate and scores are linear in the outcome, so that their mean squares under the working model are sums
    over outcomes that differ from zero in one row. Without the adjustment the second is a tenth too small.
    """
    from clsimpact.estimators._untreated import first_stage, parts_of
    from clsimpact.estimators._working import adjusted_effects

    panel = PANELS["missing"]()
    panel = panel[(panel["cohort"] != 2018) & ((panel["unit"] <= 25) | (panel["unit"] > 115))]
    squares = np.zeros(2)
    for row in np.diag(1 / np.sqrt(panel["wt"])):
        stage = first_stage(design_of(panel.assign(y=row), weights="wt"), "imputation")
        parts = parts_of(stage, stage.grid.seen & stage.grid.treated)
        weights = (parts.cells.mass / parts.cells.mass.sum())[:, None]
        scores = adjusted_effects(parts, weights, np.zeros((0, 1))).scores
        squares += float(parts.means @ weights[:, 0]) ** 2, float((scores**2).sum())
    true, estimated = squares
    assert estimated == pytest.approx(true, rel=EXACT)
