"""Synthetic difference in differences: weights at the optimum, gaps, aggregates, three variances."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.optimize
from hypothesis import given, settings
from hypothesis import strategies as st

from clsimpact._auto import MANY
from clsimpact.design import Design
from clsimpact.errors import DesignError
from clsimpact.estimators import _synthetic_published as published
from clsimpact.estimators import _synthetic_simplex as simplex
from clsimpact.estimators._synthetic_blocks import Span, block_of, leave_out
from clsimpact.estimators._synthetic_published import descend, published_weights
from clsimpact.estimators._synthetic_simplex import objective, simplex_ridge
from clsimpact.estimators._synthetic_solve import problem_of, solve
from clsimpact.estimators.synthetic_did import SyntheticEstimate, synthetic_did
from clsimpact.plots.synthetic import synthetic_figure
from tests.estimation_helpers import EXACT, castle, council_design, dummies, made_up, mpdta
from tests.figure_helpers import assert_legible
from tests.oracles.panels import PANELS

pytestmark = pytest.mark.usefixtures("usual_errors")

KKT = 1e-9
"""Share of the largest term of the gradient that rounding may leave at the optimum."""

FRANK_WOLFE = 5e-4
"""synthdid-py stops its Frank-Wolfe steps early and drops small weights: its effects on mpdta move by up to
8e-4 by cohort and 3.4e-4 overall when both are tightened."""

MOST_TIGHT = 2e-4
"""What its tightest setting (300,000 steps, nothing dropped) still leaves."""


def frame(y: np.ndarray, cohorts: list[float]) -> pd.DataFrame:
    n, t = y.shape
    columns = {
        "unit": np.repeat([f"u{i:02d}" for i in range(n)], t),
        "year": np.tile(range(2000, 2000 + t), n),
    }
    return pd.DataFrame({**columns, "y": y.ravel(), "g": np.repeat(cohorts, t)})


def design_of(y: np.ndarray, cohorts: list[float], **options: object) -> Design:
    roles = {"outcome": "y", "unit": "unit", "time": "year", "cohort": "g"}
    return Design(frame(y, cohorts), **(roles | options))  # type: ignore[arg-type]


def walk(n: int, t: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.asarray(rng.normal(size=(n, t)).cumsum(axis=1) + rng.normal(size=(n, 1)) * 3)


def att(fit: SyntheticEstimate) -> float:
    return float(fit.overall["estimate"].iloc[0])


# --- the weights ----------------------------------------------------------------------------------------


def assert_optimal(a: np.ndarray, b: np.ndarray, eta: float, w: np.ndarray) -> None:
    gradient = a.T @ (a @ w - b) + eta * w
    width = np.abs(a).max()
    rounding = 1e-13 * b.size * width * (width + np.abs(b).max())
    allowed = KKT * (width * np.abs(a @ w - b).sum() + eta) + rounding
    level = gradient[w > 0].mean()
    assert w.min() >= 0
    assert abs(w.sum() - 1) < EXACT
    assert np.abs(gradient[w > 0] - level).max() < allowed
    assert (gradient - level).min() > -allowed


@settings(max_examples=150, deadline=None)
@given(
    st.integers(1, 12), st.integers(1, 25), st.integers(0, 10**6), st.sampled_from([1e-8, 1e-3, 1.0, 30.0])
)
def test_the_weights_satisfy_the_conditions_of_an_optimum(m: int, n: int, seed: int, eta: float) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(m, n)), rng.normal(size=m) * rng.choice([0.1, 1, 5])
    assert_optimal(a, b, eta, simplex_ridge(a, b, eta))


@pytest.mark.parametrize("seed", range(6))
def test_joint_and_single_exchanges_agree_with_a_general_solver(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b, eta = rng.normal(size=(9, 14)), rng.normal(size=9), 0.3
    ours = simplex_ridge(a, b, eta)
    np.testing.assert_allclose(simplex._one_by_one(a, b, eta), ours, atol=1e-12)
    general = scipy.optimize.minimize(
        lambda w: objective(a, b, eta, w),
        np.full(14, 1 / 14),
        jac=lambda w: 2 * (a.T @ (a @ w - b) + eta * w),
        bounds=[(0, 1)] * 14,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1, "jac": lambda w: np.ones(14)},
        method="SLSQP",
        options={"ftol": 1e-14, "maxiter": 500},
    )
    np.testing.assert_allclose(general.x, ours, atol=1e-5)
    assert objective(a, b, eta, ours) <= general.fun + 1e-12


def test_where_joint_exchanges_never_settle_single_ones_finish(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    problems = [(rng.normal(size=(6, 20)), rng.normal(size=6)) for _ in range(30)]
    expected = [simplex_ridge(a, b, 0.01) for a, b in problems]
    monkeypatch.setattr(simplex, "EXCHANGES", 0)
    for (a, b), weights in zip(problems, expected, strict=True):
        np.testing.assert_allclose(simplex_ridge(a, b, 0.01), weights, atol=1e-12)


def test_the_ridge_is_that_of_the_paper() -> None:
    y = walk(12, 8, 1)
    block = block_of(y, Span(2005, np.arange(8) < 5, np.arange(8) >= 5), np.arange(3), np.arange(3, 12))
    noise = np.diff(y[3:, :5], axis=1).std(ddof=1)
    assert block.zeta == pytest.approx((3 * 3) ** 0.25 * noise, rel=EXACT)


def test_the_ridge_of_two_steps_is_their_spread() -> None:
    y = np.array([[0.0, 5.0, 9.0], [1.0, 3.0, 4.0], [2.0, 7.0, 1.0]])
    before = np.arange(3) < 2
    block = block_of(y, Span(2002, before, ~before), np.array([0]), np.array([1, 2]))
    # steps 2 and 5: standard deviation 3 / sqrt(2), one treated unit, one period
    assert block.zeta == pytest.approx(3 / np.sqrt(2), rel=EXACT)


def test_a_target_beyond_the_controls_takes_the_nearest_of_them() -> None:
    """A step is never longer than the way to the vertex, though the objective falls beyond it."""
    bar, start = np.zeros((1, 2)), np.full((1, 2), 0.5)
    one, _ = descend(*problem(np.array([[0.0, 4.0]]), np.array([-1.0])), start, 1, bar)
    assert one.tolist() == [[1.0, 0.0]]


# --- by hand --------------------------------------------------------------------------------------------


def test_one_period_before_and_one_after_is_the_difference_of_differences() -> None:
    y = np.array([[1.0, 4.0], [3.0, 8.0], [0.0, 1.0], [2.0, 5.0], [5.0, 5.5]])
    fit = synthetic_did(design_of(y, [2001, 2001, np.nan, np.nan, np.nan]))
    assert att(fit) == pytest.approx((3 + 5) / 2 - (1 + 3 + 0.5) / 3, abs=EXACT)
    np.testing.assert_allclose(fit.unit_weights["weight"], 1 / 3, rtol=EXACT)
    dynamic = fit.aggregate("dynamic").tidy().set_index("term")
    assert dynamic.loc["e=-1", "estimate"] == 0
    assert not dynamic.loc["e=-1", "identified"]
    assert dynamic.loc["e=-1", "reason"].startswith("reference")


def test_two_controls_with_parallel_and_opposite_trends() -> None:
    """The treated unit moves like the first control: with almost no noise ridge it takes all the weight."""
    base = np.array([0.0, 1, 2, 3, 4])
    y = np.array([10 + base + np.array([0, 0, 0, 7, 7]), base, -base])
    before = np.arange(5) < 3
    block = block_of(y, Span(2003, before, ~before), np.array([0]), np.array([1, 2]))
    # first differences 1, 1, -1, -1: variance 4/3, so that eta = zeta^2 |P| = sqrt(1 * 2) * 4/3 * 3
    eta = np.sqrt(2) * 4
    # minimise 2 (1 - w + (1 - w))^2 + eta (w^2 + (1 - w)^2) over w: slope 16 (w - 1) + eta (4 w - 2) = 0
    w = (16 + 2 * eta) / (16 + 4 * eta)
    np.testing.assert_allclose(block.unit_weights, [w, 1 - w], rtol=EXACT)


def test_the_effect_is_the_weighted_least_squares_coefficient() -> None:
    y = walk(14, 7, 4)
    fit = synthetic_did(design_of(y, [2004.0] * 3 + [np.nan] * 11))
    omega = np.concatenate([np.full(3, 1 / 3), fit.unit_weights["weight"]])
    mass = np.outer(omega, np.concatenate([fit.time_weights["weight"], np.full(3, 1 / 3)]))
    data = frame(y, [2004.0] * 3 + [np.nan] * 11).assign(w=mass.ravel())
    data["d"] = (data["g"] <= data["year"]).astype(float)
    kept = data[data["w"] > 0]
    wls = dummies(kept, "y ~ d + C(unit) + C(year)", weights="w")
    assert att(fit) == pytest.approx(float(wls.params["d"]), abs=1e-9)


# --- other programs -------------------------------------------------------------------------------------

SYNTHDID = {2004: -0.079749, 2006: -0.023568, 2007: -0.037500}
SYNTHDID_TIGHT = {2004: -0.079749, 2006: -0.023616, 2007: -0.036861}
"""synthdid-py 0.1.0, staggered_synthdid_estimate: defaults, and with 300,000 steps and nothing dropped."""


def test_mpdta_against_synthdid() -> None:
    fit = synthetic_did(mpdta())
    ours = dict(zip(fit.tidy()["cohort"], fit.tidy()["estimate"], strict=True))
    for cohort, value in SYNTHDID.items():
        assert ours[cohort] == pytest.approx(value, abs=1e-3)
    for cohort, value in SYNTHDID_TIGHT.items():
        assert ours[cohort] == pytest.approx(value, abs=MOST_TIGHT)
    assert att(fit) == pytest.approx(-0.04528494, abs=FRANK_WOLFE)
    assert att(fit) == pytest.approx(-0.04501061, abs=1e-4)
    errors = dict(zip(fit.tidy()["cohort"], fit.tidy()["std_error"], strict=True))
    for cohort, value in {2004: 0.027510, 2006: 0.016727, 2007: 0.015872}.items():
        assert errors[cohort] == pytest.approx(value, rel=0.005)


def test_the_first_cohort_has_one_period_before_and_is_exact() -> None:
    """With one period before adoption there is nothing to optimise: 2x2 changes from 2003 to each year."""
    path = synthetic_did(mpdta()).aggregate("dynamic").tidy().set_index("term")["estimate"]
    assert path["e=2"] == pytest.approx(-0.13725874, abs=1e-8)
    assert path["e=3"] == pytest.approx(-0.10081136, abs=1e-8)


ROLES = {"outcome": "y", "unit": "unit", "time": "time", "cohort": "cohort"}

OPTIMUM = {"balanced": 6e-3, "late": 6e-3, "mpdta": 8e-4}
"""Largest distance of a cohort's effect from the same programs, which stop short of the optimum: they share
one algorithm, of Frank-Wolfe steps, weights below a quarter of the largest dropped, steps again."""


def frozen_rows(frozen: Path) -> pd.DataFrame:
    return pd.read_csv(frozen / "synthetic_did.csv")


@pytest.mark.parametrize("panel", ["balanced", "late", "mpdta"])
def test_cohorts_against_synthdid_and_statspai(frozen: Path, panel: str) -> None:
    table = frozen_rows(frozen)
    table = table[(table["panel"] == panel) & (table["options"] == "cohort=all;control=never")]
    theirs = table.set_index("term")["estimate"]
    fit = synthetic_did(Design(PANELS[panel](), **ROLES))
    assert att(fit) == pytest.approx(theirs["att"], abs=1e-3)
    for row in fit.tidy().itertuples():
        assert row.estimate == pytest.approx(theirs[f"cohort:{row.cohort}"], abs=OPTIMUM[panel])


@pytest.mark.parametrize(("panel", "cohort"), [("balanced", 2016), ("balanced", 2020), ("mpdta", 2006)])
def test_jackknife_errors_of_three_programs(frozen: Path, panel: str, cohort: int) -> None:
    """They centre on the mean of the replicates and have other weights: 2e-4 together."""
    data = PANELS[panel]()
    fit = synthetic_did(Design(data[data["cohort"].isin([cohort]) | data["cohort"].isna()], **ROLES))
    table = frozen_rows(frozen)
    row = table[
        (table["panel"] == panel) & (table["options"] == f"cohort={cohort}") & (table["term"] == "att")
    ]
    assert fit.vcov.kind == "jackknife"
    assert fit.overall["std_error"].iloc[0] == pytest.approx(row["std_error"].iloc[0], rel=2e-4)
    weights = table[(table["panel"] == panel) & (table["options"] == f"cohort={cohort}")]
    theirs = weights[weights["term"].str.startswith("lambda")]["estimate"]
    np.testing.assert_allclose(fit.time_weights["weight"], theirs, atol=2e-4)


def test_weights_of_other_programs_give_their_effect_and_a_higher_objective(frozen: Path) -> None:
    """The estimator is the same; only the point at which their solver stops differs."""
    table = frozen_rows(frozen).query("panel == 'balanced' and options == 'cohort=2017'")
    theirs = table.set_index("term")["estimate"]
    data = PANELS["balanced"]()
    fit = synthetic_did(Design(data[data["cohort"].isin([2017]) | data["cohort"].isna()], **ROLES))
    block, y = fit.blocks[0], fit.design.y.reshape(len(fit.design.units), -1)
    omega = np.array([theirs[f"omega:{fit.design.units[i]}"] for i in block.controls])
    lam = np.array([theirs[f"lambda:{t}"] for t in (2014, 2015, 2016)])
    delta = y[block.treated].mean(axis=0) - omega @ y[block.controls]
    assert delta[3:].mean() - delta[:3] @ lam == pytest.approx(theirs["att"], abs=1e-9)
    before = y[block.controls][:, :3].T
    a, b = before - before.mean(axis=0), y[block.treated][:, :3].mean(axis=0)
    eta = block.zeta**2 * 3
    ours = objective(a, b - b.mean(), eta, block.unit_weights)
    assert ours < objective(a, b - b.mean(), eta, omega)


# --- weights as the published programs compute them ------------------------------------------------------

SAME_STEPS = 1e-8
"""The steps are the same; rounding is all that can differ (measured: 1e-13)."""


def problem(a: np.ndarray, b: np.ndarray, eta: float = 0.0, least: float = 1e-12) -> list[np.ndarray]:
    return [a[None], b[None], np.full(1, eta), np.full(1, least)]


def test_published_steps_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """From (1/2, 1/2) one step of 20/25 reaches (0.9, 0.1); the 0.1 is dropped, and found again."""
    a, b = np.array([[0.0, 10.0]]), np.array([1.0])
    start, bar = np.full((1, 2), 0.5), np.zeros((1, 2))
    first, reached = descend(*problem(a, b), start, 1, bar)
    np.testing.assert_allclose(first, [[0.9, 0.1]], rtol=EXACT)
    assert reached.all()
    assert not descend(*problem(a, b), start, 2, bar)[1].any()
    np.testing.assert_allclose(published_weights(*problem(a, b))[0], [[0.9, 0.1]], rtol=EXACT)
    monkeypatch.setattr(published, "LONG", 0)
    assert published_weights(*problem(a, b))[0].tolist() == [[1.0, 0.0]]


def test_published_steps_end_with_the_first_fall_that_is_small() -> None:
    rng = np.random.default_rng(8)
    a, b = rng.normal(size=(5, 9)), rng.normal(size=5)
    start, bar = np.full((1, 9), 1 / 9), np.zeros((1, 9))
    values = [objective(a, b, 0.2, descend(*problem(a, b, 0.2, -1), start, k, bar)[0][0]) for k in range(40)]
    falls = -np.diff(values)
    assert (falls > 0).all()
    least = 1e-3
    steps = next(k for k in range(2, 40) if falls[k - 1] <= least)
    ended = descend(*problem(a, b, 0.2, least), start, 1000, bar)[0][0]
    assert 2 < steps < 39
    np.testing.assert_array_equal(ended, descend(*problem(a, b, 0.2, -1), start, steps, bar)[0][0])
    at_once = descend(*problem(a, b, 0.2, 1e9), start, 1000, bar)[0][0]
    np.testing.assert_array_equal(at_once, descend(*problem(a, b, 0.2, -1), start, 2, bar)[0][0])


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 8), st.integers(1, 20), st.integers(0, 10**6), st.sampled_from([1e-6, 0.1, 1.0, 5.0]))
def test_the_exact_objective_is_never_above_the_published(m: int, n: int, seed: int, zeta: float) -> None:
    rng = np.random.default_rng(seed)
    given_one = problem_of(rng.normal(size=(m, n)), rng.normal(size=m) * 3, zeta, 1e3)
    values = []
    for how in ("exact", "published"):
        (weights,), _ = solve([given_one], how)
        assert weights.min() >= 0
        assert weights.sum() == pytest.approx(1, abs=EXACT)
        values.append(objective(given_one.a, given_one.b, given_one.eta, weights))
    assert values[0] <= values[1] * (1 + 1e-10) + 1e-13


def test_problems_of_different_sizes_are_solved_at_once_as_one_by_one() -> None:
    rng = np.random.default_rng(5)
    sizes = [(3, 7), (6, 4), (1, 5), (9, 2), (4, 1), (40, 6)]
    many = [problem_of(rng.normal(size=(m, n)), rng.normal(size=m), 0.3, 10.0) for m, n in sizes]
    together, _ = solve(many, "published")
    for one, found in zip(many, together, strict=True):
        np.testing.assert_allclose(solve([one], "published")[0][0], found, atol=1e-12)


@cache
def as_published(panel: str) -> SyntheticEstimate:
    design = Design(PANELS[panel](), **ROLES)
    return synthetic_did(design, weights="published", inference="jackknife")


def test_the_published_value_on_mpdta() -> None:
    fit = synthetic_did(mpdta(), weights="published")
    assert att(fit) == pytest.approx(-0.04528494, abs=5e-9)
    assert att(synthetic_did(mpdta())) == pytest.approx(-0.04494432, abs=5e-9)
    assert float(fit.overall["std_error"].iloc[0]) == pytest.approx(0.012269272, abs=SAME_STEPS)
    note = next(note for note in fit.notes if note.startswith("Weights"))
    assert note.endswith("the limit of 10,000 steps ended the unit weights of cohort 2006, 2007")
    assert not any(note.startswith("Weights") for note in synthetic_did(mpdta()).notes)
    assert fit.aggregate("dynamic").options["weights"] == "published"


@pytest.mark.parametrize("panel", ["balanced", "late", "mpdta"])
def test_published_cohorts_are_those_of_two_programs(frozen: Path, panel: str) -> None:
    table = frozen_rows(frozen)
    table = table[(table["panel"] == panel) & (table["options"] == "cohort=all;control=never")]
    theirs, fit = table.set_index("term")["estimate"], as_published(panel)
    assert att(fit) == pytest.approx(theirs["att"], abs=SAME_STEPS)
    assert len(theirs) == len(fit.tidy()) + 1
    for row in fit.tidy().itertuples():
        assert row.estimate == pytest.approx(theirs[f"cohort:{row.cohort}"], abs=SAME_STEPS)


def mean_centred(fit: SyntheticEstimate, k: int) -> float:
    """Jackknife error as the programs form it: about the mean of the replicates of one cohort's block."""
    block, y = fit.blocks[k], fit.design.y.reshape(len(fit.design.units), -1)
    gaps, _ = leave_out(y, [block], np.arange(len(y)), len(y))
    found = gaps[np.concatenate([block.treated, block.controls]), 0][:, block.span.after].mean(axis=1)
    return float(np.sqrt((found.size - 1) / found.size * ((found - found.mean()) ** 2).sum()))


@pytest.mark.parametrize("panel", ["balanced", "mpdta"])
def test_published_weights_and_errors_are_those_of_three_programs(frozen: Path, panel: str) -> None:
    table, fit, seen = frozen_rows(frozen).query("panel == @panel"), as_published(panel), 0
    for k, block in enumerate(fit.blocks):
        rows = table[table["options"] == f"cohort={block.span.cohort}"].set_index("term")
        years = np.array(fit.design.periods)[block.span.before]
        ours = {"att": block.gaps[block.span.after].mean()}
        ours |= {f"lambda:{t}": w for t, w in zip(years, block.time_weights, strict=True)}
        units = [fit.design.units[i] for i in block.controls]
        ours |= {f"omega:{u}": w for u, w in zip(units, block.unit_weights, strict=True)}
        for term, row in rows.iterrows():
            assert ours[str(term)] == pytest.approx(row["estimate"], abs=SAME_STEPS)
        if len(rows) and np.isfinite(rows.loc["att", "std_error"]):
            assert mean_centred(fit, k) == pytest.approx(rows.loc["att", "std_error"], abs=SAME_STEPS)
        seen += len(rows)
    assert seen == int(table["options"].str.fullmatch(r"cohort=\d+").sum())


def test_every_replicate_uses_the_published_weights() -> None:
    y = walk(14, 5, 2)
    fit = synthetic_did(design_of(y, [2003.0, 2004.0] + [np.nan] * 12), weights="published", draws=4, seed=5)
    assert fit.vcov.kind == "placebo"
    rng, found = np.random.default_rng(5), []
    for _ in range(4):
        roles = np.array([0, 1] + [-1] * 10)[rng.permutation(12)]
        cohorts = [{0: 2003.0, 1: 2004.0}.get(r, np.nan) for r in roles]
        found.append(att(synthetic_did(design_of(y[2:], cohorts), weights="published", draws=2)))
    assert float(fit.overall["std_error"].iloc[0]) == pytest.approx(np.std(found), rel=1e-8)
    pair = design_of(walk(9, 5, 2), [2003.0] * 2 + [np.nan] * 7)
    options = {"inference": "bootstrap", "draws": 4}
    errors = [
        synthetic_did(pair, weights=how, **options).overall["std_error"].iloc[0]  # type: ignore[arg-type]
        for how in ("published", "published", "exact")
    ]
    assert errors[0] == errors[1] != errors[2]


def test_published_weights_where_nothing_can_be_learnt_are_equal() -> None:
    y = np.tile(np.arange(5.0), (6, 1)) + np.arange(6.0)[:, None]
    for how in ("exact", "published"):
        fit = synthetic_did(design_of(y, [2003.0] * 2 + [np.nan] * 4), weights=how)  # type: ignore[arg-type]
        np.testing.assert_allclose(fit.unit_weights["weight"], 0.25, rtol=EXACT)
        np.testing.assert_allclose(fit.time_weights["weight"], 1 / 3, rtol=EXACT)


# --- averages and inference -----------------------------------------------------------------------------


def cells_by_hand(fit: SyntheticEstimate) -> dict[tuple[int, int], float]:
    return {
        (b.span.cohort, t): g for b in fit.blocks for t, g in zip(fit.design.periods, b.gaps, strict=True)
    }


def test_averages_count_treated_units_and_periods() -> None:
    fit = synthetic_did(mpdta())
    cells, sizes = cells_by_hand(fit), {2004: 20, 2006: 40, 2007: 131}
    after = [(g, t) for g, t in cells if t >= g]
    simple = sum(sizes[g] * cells[g, t] for g, t in after) / sum(sizes[g] for g, _ in after)
    assert att(fit) == pytest.approx(simple, abs=EXACT)
    assert float(fit.aggregate("simple").tidy()["estimate"].iloc[0]) == pytest.approx(simple, abs=EXACT)
    zero = sum(sizes[g] * cells[g, g] for g in sizes) / 191
    dynamic = fit.aggregate("dynamic").tidy().set_index("event_time")
    assert dynamic.loc[0, "estimate"] == pytest.approx(zero, abs=EXACT)
    pre = (40 * cells[2006, 2005] + 131 * cells[2007, 2006]) / 171
    assert dynamic.loc[-1, "estimate"] == pytest.approx(pre, abs=EXACT)
    assert "g=2004,t=2003" in dynamic.loc[-1, "reason"]
    weighed = sum(
        w * cells[2006, t] for t, w in zip((2003, 2004, 2005), fit.blocks[1].time_weights, strict=True)
    )
    assert weighed == pytest.approx(0, abs=EXACT)


def test_the_jackknife_leaves_out_one_unit_at_a_time() -> None:
    y = walk(16, 6, 9)
    cohorts = [2003.0] * 3 + [2004.0] * 2 + [np.nan] * 11
    fit = synthetic_did(design_of(y, cohorts))
    assert fit.vcov.kind == "jackknife"
    found, path = [], []
    for i in range(16):
        total, mass, first, n0 = 0.0, 0, 0.0, 0
        for block in fit.blocks:
            own = block.treated[block.treated != i]
            w = np.where(block.controls == i, 0, block.unit_weights)
            delta = y[own].mean(axis=0) - w / w.sum() @ y[block.controls]
            gap = delta - delta[block.span.before] @ block.time_weights
            total, mass = (
                total + own.size * gap[block.span.after].sum(),
                mass + own.size * block.span.after.sum(),
            )
            first, n0 = first + own.size * gap[block.span.after][0], n0 + own.size
        found.append(total / mass)
        path.append(first / n0)
    for numbers, row in (
        (found, fit.overall),
        (path, fit.aggregate("dynamic").tidy().query("event_time == 0")),
    ):
        expected = np.sqrt(15 / 16 * ((np.array(numbers) - row["estimate"].iloc[0]) ** 2).sum())
        assert row["std_error"].iloc[0] == pytest.approx(expected, rel=1e-10)


def test_placebo_draws_are_estimates_on_controls() -> None:
    y = walk(20, 6, 2)
    design = design_of(y, [2003.0, 2004.0] + [np.nan] * 18)
    fit = synthetic_did(design, draws=30, seed=5)
    assert fit.vcov.kind == "placebo"
    rng, found = np.random.default_rng(5), []
    for _ in range(30):
        roles = np.array([0, 1] + [-1] * 16)[rng.permutation(18)]
        cohorts = [{0: 2003.0, 1: 2004.0}.get(r, np.nan) for r in roles]
        found.append(att(synthetic_did(design_of(y[2:], cohorts), draws=2)))
    assert float(fit.overall["std_error"].iloc[0]) == pytest.approx(np.std(found), rel=1e-9)


def test_bootstrap_resamples_whole_clusters() -> None:
    y = walk(24, 5, 6)
    data = frame(y, [2002.0] * 4 + [2003.0] * 4 + [np.nan] * 16)
    data["place"] = data["unit"].str[1:].astype(int) // 2
    roles = {"outcome": "y", "unit": "unit", "time": "year", "cohort": "g"}
    fit = synthetic_did(Design(data, **roles, cluster="place"), inference="bootstrap", draws=50)
    again = synthetic_did(Design(data.iloc[::-1], **roles, cluster="place"), inference="bootstrap", draws=50)
    alone = synthetic_did(Design(data, **roles), inference="bootstrap", draws=50)
    assert float(fit.overall["std_error"].iloc[0]) == float(again.overall["std_error"].iloc[0])
    assert float(fit.overall["std_error"].iloc[0]) != float(alone.overall["std_error"].iloc[0])
    assert fit.tidy()["std_error"].gt(0).all()
    assert fit.vcov.df[0] == 11
    jackknife = fit.with_inference("jackknife")
    assert jackknife.vcov.kind == "jackknife"
    assert isinstance(jackknife, SyntheticEstimate)
    with pytest.raises(DesignError, match="clusters above them"):
        fit.with_inference("placebo")


def test_variances_that_do_not_exist() -> None:
    lone = synthetic_did(design_of(walk(9, 5, 3), [2003.0] + [np.nan] * 8))
    assert lone.vcov.kind == "placebo"
    without = lone.with_inference("jackknife")
    assert np.isnan(without.tidy()["std_error"].iloc[0])
    assert "u00" in without.tidy()["reason"].iloc[0]
    with pytest.raises(DesignError, match="one cluster"):
        lone.with_inference("bootstrap")
    crowded = design_of(walk(6, 5, 3), [2003.0] * 4 + [np.nan] * 2)
    assert synthetic_did(crowded).vcov.kind == "jackknife"
    with pytest.raises(DesignError, match="2 controls cannot stand in for 4 treated"):
        synthetic_did(crowded, inference="placebo")
    with pytest.raises(DesignError, match="not on offer for this estimator"):
        lone.with_inference("CR2")


# --- options, covariates and hard panels ----------------------------------------------------------------


def test_covariates_are_taken_out_with_slopes_from_untreated_rows() -> None:
    data = made_up(n_units=24, years=(2014, 2015, 2016, 2017, 2018))
    design = council_design(data, covariates=["need"])
    clean = data[~(data["adoption_year"] <= data["year"])]
    slope = float(dummies(clean, "cost ~ need + C(ons_code) + C(year)").params["need"])
    plain = council_design(data.assign(cost=data["cost"] - slope * data["need"]))
    assert att(synthetic_did(design)) == pytest.approx(att(synthetic_did(plain)), abs=1e-9)
    still = synthetic_did(mpdta(covariates=["lpop"]))
    assert att(still) == att(synthetic_did(mpdta()))
    assert any("lpop does not move" in note for note in still.notes)


@pytest.mark.parametrize("value", [0.0, 0.1, 1 / 3, 5.0, 1e6 / 7])
def test_a_constant_covariate_changes_nothing(value: float) -> None:
    """What is left of it when effects are taken out is rounding, not a movement."""
    data = made_up(n_units=24, years=(2014, 2015, 2016, 2017, 2018))
    fit = synthetic_did(council_design(data.assign(need=value), covariates=["need"]), draws=2)
    assert att(fit) == att(synthetic_did(council_design(data), draws=2))
    assert fit.notes[-1].startswith("Covariates: need does not move")


def test_a_covariate_that_moves_little_counts_beside_large_ones() -> None:
    """Units of covariates change nothing, whether the large ones move or not."""
    data = made_up(n_units=24, years=(2014, 2015, 2016, 2017, 2018))
    scaled = data.assign(need=1e-6 * data["need"], size=1e14 * data["size"], level=3e14)
    plain = synthetic_did(council_design(data, covariates=["need", "size"]), draws=2)
    beside = synthetic_did(council_design(scaled, covariates=["need", "size", "level"]), draws=2)
    assert att(beside) == pytest.approx(att(plain), rel=EXACT)
    assert [note[:40] for note in beside.notes[-2:]] == [
        "Covariates: taken out with slopes from r",
        "Covariates: level does not move within u",
    ]


@pytest.mark.parametrize("moves", [1.0, 1e-4])
def test_two_covariates_that_mirror_each_other_are_one(moves: float) -> None:
    """Percentages that add up to a hundred: no slope of their rounding."""
    data = made_up(n_units=24, years=(2014, 2015, 2016, 2017, 2018))
    level = 20 + 60 * data.groupby("ons_code")["size"].transform("first") / 2
    both = data.assign(p=level + moves * data["need"]).assign(q=lambda d: 100 - d["p"])
    alone, pair = (
        synthetic_did(council_design(both, covariates=names), draws=2) for names in (["p"], ["p", "q"])
    )
    assert att(pair) == pytest.approx(att(alone), rel=1e-9)


def test_draws_are_those_of_seed_0_by_default() -> None:
    design = design_of(walk(9, 5, 3), [2003.0, 2003.0, *[np.nan] * 7])
    one, two, other = (
        synthetic_did(design, inference="placebo", draws=20, **seed).overall["std_error"].iloc[0]
        for seed in ({}, {"seed": 0}, {"seed": 1})
    )
    assert one == two != other


def test_what_was_compared_is_a_table() -> None:
    fit = synthetic_did(design_of(walk(9, 5, 3), [2003.0, 2003.0, 2004.0, *[np.nan] * 6]), draws=2)
    weights = fit.unit_weights
    assert weights.columns.tolist() == ["cohort", "unit", "name", "weight"]
    sample = fit.sample().set_index("term")
    assert sample.dtypes.astype(str)[["treated_units", "control_units"]].tolist() == ["Int64", "Int64"]
    for g in (2003, 2004):
        used = (weights["cohort"] == g) & (weights["weight"] > 0)
        assert sample.loc[f"g={g}", "control_units"] == used.sum()
    reasons = fit.tidy().set_index("term")["reason"]
    assert reasons.loc["g=2004"] == "one treated unit: its own variation is taken from the controls"
    assert "its own variation" not in reasons.loc["g=2003"]


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("jackknife", "(one cluster left out at a time, weights kept)"),
        ("placebo", "(20 draws of controls as adopters, seed 5; takes treated units to be as noisy as"),
        ("bootstrap", "(20 draws of clusters, seed 5)"),
    ],
)
def test_the_variance_is_said(kind: str, words: str) -> None:
    design = design_of(walk(9, 5, 3), [2003.0, 2003.0, *[np.nan] * 7])
    notes = synthetic_did(design, inference=kind, draws=20, seed=5).notes
    assert notes[-1].startswith(f"Variance: {kind} {words}")


def test_sizes_count_all_rows() -> None:
    counts = synthetic_did(mpdta(), inference="jackknife").vcov.counts
    assert (counts.n_obs, counts.n_clusters) == (2500, 500)


def test_a_combination_has_the_error_of_its_replicates() -> None:
    fit = synthetic_did(mpdta(), inference="jackknife")
    row = fit.linear_combination({"g=2004": 1.0, "g=2007": -1.0})
    both = fit.tidy().set_index("term")["estimate"]
    assert row["estimate"].item() == pytest.approx(both["g=2004"] - both["g=2007"], rel=EXACT)
    v = fit.covariance
    variance = v.loc["g=2004", "g=2004"] + v.loc["g=2007", "g=2007"] - 2 * v.loc["g=2004", "g=2007"]
    assert row["std_error"].item() == pytest.approx(np.sqrt(variance), rel=1e-9)


def test_many_adopters_have_a_jackknife_error_under_path() -> None:
    """Without it a cohort of one takes its variance from placebo adopters."""
    design = design_of(walk(2 * MANY + 5, 4, 3), [2002.0] * MANY + [2003.0] + [np.nan] * (MANY + 4))
    fits = (synthetic_did(design, inference=kind, draws=2) for kind in ("path", "auto"))
    assert [fit.notes[-1][:19] for fit in fits] == ["Variance: jackknife", "Variance: placebo ("]


def test_anticipation_moves_the_weights_but_not_the_average() -> None:
    y = walk(15, 7, 8)
    cohorts = [2004.0] * 3 + [np.nan] * 12
    fit = synthetic_did(design_of(y, cohorts, anticipation=1))
    assert fit.time_weights["period"].tolist() == [2000, 2001, 2002]
    block = fit.blocks[0]
    assert att(fit) == pytest.approx(block.gaps[4:].mean(), abs=EXACT)
    assert fit.aggregate("dynamic").tidy()["event_time"].tolist() == list(range(-4, 3))
    changed = y.copy()
    changed[:3, 3] += 100
    assert att(synthetic_did(design_of(changed, cohorts, anticipation=1))) == pytest.approx(
        att(fit), abs=1e-10
    )


def test_units_that_adopt_after_the_panel_are_controls() -> None:
    y = walk(10, 5, 1)
    later = synthetic_did(design_of(y, [2003.0, 2003.0, *[2050.0] * 4, *[np.nan] * 4]), draws=2)
    never = synthetic_did(design_of(y, [2003.0, 2003.0, *[np.nan] * 8]), draws=2)
    assert att(later) == att(never)


def test_gaps_in_the_years_count_calendar_periods() -> None:
    fit = synthetic_did(council_design(made_up()))
    assert fit.aggregate("dynamic").tidy()["event_time"].tolist() == [-4, -3, -2, -1, 0, 1, 2, 3, 4, 5]
    sample = fit.sample().set_index("term")
    assert sample.loc["g=2018", "periods"].startswith("cohort 2018 against 2014 (")
    assert sample.loc["g=2018", "treated_units"] == 5
    assert "2014 (1.00)" in sample.loc["g=2016", "periods"]
    path = fit.aggregate("dynamic").sample().set_index("term")
    assert "zero by construction" in path.loc["e=-2", "left_out"]


def test_a_cohort_without_a_period_before_or_after_is_named() -> None:
    y = walk(12, 5, 2)
    kept = design_of(y, [2000.0, 2003.0, 2003.0, *[np.nan] * 9], always_treated="keep")
    tidy = synthetic_did(kept).tidy().set_index("term")
    assert not tidy.loc["g=2000", "identified"]
    assert "u00" in tidy.loc["g=2000", "reason"]
    assert "before" in tidy.loc["g=2000", "reason"]
    assert att(synthetic_did(kept)) == pytest.approx(
        att(synthetic_did(design_of(y[1:], [2003.0, 2003.0, *[np.nan] * 9]))), abs=1e-10
    )
    early = synthetic_did(design_of(y, [2005.0, 2003.0, 2003.0, *[np.nan] * 9], anticipation=1))
    assert early.tidy()["term"].tolist() == ["g=2003"]
    assert "Left out: no period after the adoption of cohort 2005 (u00)" in early.notes


def test_without_controls_the_repair_names_the_year_to_stop_at() -> None:
    with pytest.raises(DesignError, match=r"every unit adopts by 2005\.\nRepair: .* before 2004"):
        synthetic_did(design_of(walk(6, 6, 2), [2003.0] * 3 + [2004.0] * 3))


def test_missing_rows_are_named_and_can_be_left_out() -> None:
    data = made_up(years=(2014, 2015, 2016, 2017, 2018))
    gone = data[~((data["ons_code"] == "E007") & (data["year"] == 2016))]
    with pytest.raises(DesignError, match=r"Council 7 \(E007\) in 2016"):
        synthetic_did(council_design(gone))
    with pytest.raises(DesignError, match=r"^synthetic_did (.*\n){2}.*keeps the 39 councils"):
        synthetic_did(council_design(gone))
    fit = synthetic_did(council_design(gone), unbalanced="complete")
    whole = synthetic_did(council_design(data[data["ons_code"] != "E007"]))
    assert att(fit) == att(whole)
    assert fit.design.dropped["unit"].unique().tolist() == ["E007"]
    assert "Council 7" not in set(fit.unit_weights["name"])


def test_a_design_it_cannot_take_is_told_with_every_problem() -> None:
    with pytest.raises(DesignError, match="jacknife") as caught:
        synthetic_did(
            council_design(made_up(), weights="size", effects="region"),
            inference="jacknife",  # type: ignore[arg-type]
            draws=1,
        )
    assert len(caught.value.problems) == 4
    with pytest.raises(DesignError, match=r"draws is 2.5; a whole number"):
        synthetic_did(mpdta(), draws=2.5)  # type: ignore[arg-type]
    with pytest.raises(DesignError, match="did you mean 'published'"):
        synthetic_did(mpdta(), weights="publised")  # type: ignore[arg-type]
    assert "did you mean 'jackknife'" in str(caught.value)
    assert "the method chooses the weights of units itself" in str(caught.value)
    with pytest.raises(DesignError, match="did you mean 'complete'"):
        synthetic_did(mpdta(), unbalanced="completed")  # type: ignore[arg-type]


# --- properties -----------------------------------------------------------------------------------------


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.floats(-50, 50), st.floats(0.1, 20))
def test_levels_of_units_change_nothing_and_scaling_scales(seed: int, shift: float, scale: float) -> None:
    y = walk(14, 6, seed)
    cohorts = [2003.0] * 2 + [2004.0] * 3 + [np.nan] * 9
    fit = synthetic_did(design_of(y, cohorts))
    levels = np.random.default_rng(seed).normal(size=(14, 1))
    for other in (scale * (y + shift), scale * (y + levels)):
        again = synthetic_did(design_of(other, cohorts))
        assert att(again) == pytest.approx(scale * att(fit), rel=1e-7, abs=1e-9)
        errors = again.overall["std_error"].iloc[0]
        assert errors == pytest.approx(scale * fit.overall["std_error"].iloc[0], rel=1e-7)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6))
def test_row_order_and_labels_change_nothing(seed: int) -> None:
    y = walk(12, 5, seed)
    data = frame(y, [2003.0] * 3 + [np.nan] * 9)
    roles = {"outcome": "y", "unit": "unit", "time": "year", "cohort": "g"}
    fit = synthetic_did(Design(data, **roles))
    shuffled = data.sample(frac=1, random_state=seed % 1000)
    pd.testing.assert_frame_equal(synthetic_did(Design(shuffled, **roles)).tidy(), fit.tidy())
    renamed = data.assign(unit="z" + (99 - data["unit"].str[1:].astype(int)).astype(str))
    assert att(synthetic_did(Design(renamed, **roles))) == pytest.approx(att(fit), abs=1e-10)


def test_an_effect_added_to_treated_rows_comes_back() -> None:
    design = mpdta()
    before = synthetic_did(design)
    data = design.data.assign(lemp=lambda d: d["lemp"] + 0.5 * d["treated"])
    after = synthetic_did(Design(data, outcome="lemp", unit="county", time="year", cohort="first_treat"))
    assert att(after) - att(before) == pytest.approx(0.5, abs=1e-12)


# --- figures and words ----------------------------------------------------------------------------------


def test_the_figure_shows_the_gap_and_nothing_overlaps(reference: Path) -> None:
    fit = synthetic_did(castle(reference))
    figure = synthetic_figure(fit)
    assert_legible(figure.figure)
    assert figure.title.startswith(
        "l_homicide after adoption in 2006, against weighted controls: anywhere from"
    )
    data = figure.data.set_index("period")
    assert data.loc[2006:, "gap"].mean() == pytest.approx(
        float(fit.tidy().set_index("term").loc["g=2006", "estimate"]), abs=EXACT
    )
    assert data["time_weight"].sum() == pytest.approx(1)
    assert "2006: " in figure.alt_text
    with pytest.raises(DesignError, match="Cohorts: 2005"):
        synthetic_figure(fit, cohort=1999)


def test_summary_says_what_was_compared() -> None:
    text = synthetic_did(mpdta()).summary()
    assert "309 units not treated in the panel" in text
    assert "not a test of parallel trends" in text
    assert "Overall (ATT): -0.0449" in text


def test_the_variance_of_a_combination_is_that_of_its_parts() -> None:
    fit = synthetic_did(design_of(walk(14, 8, 3), [2004.0, 2004, 2005, 2006] + [np.nan] * 10))
    weights = np.array([[0.5, 0.0], [0.0, 0.0], [0.5, -1.0], [0.0, 1.0]])  # the last is the overall effect
    numbers = np.append(fit.estimates, fit.overall["estimate"].item())
    assert fit.uncertainty is not None
    both = fit.uncertainty.combine(weights)
    np.testing.assert_allclose(both.numbers, numbers @ weights, atol=EXACT)  # type: ignore[attr-defined]
    parts, found = (made.covariance("jackknife").matrix for made in (fit.uncertainty, both))
    np.testing.assert_allclose(found, weights.T @ parts @ weights, atol=EXACT)


def test_a_covariate_of_zeros_changes_nothing() -> None:
    y, cohorts = walk(14, 8, 3), [2004.0, 2004, 2005, 2006] + [np.nan] * 10
    plain = synthetic_did(design_of(y, cohorts))
    data = frame(y, cohorts).assign(nothing=0.0)
    fit = synthetic_did(
        Design(data, outcome="y", unit="unit", time="year", cohort="g", covariates=["nothing"])
    )
    np.testing.assert_array_equal(fit.estimates, plain.estimates)
    assert any("nothing does not move within units and changes nothing" in note for note in fit.notes)


def test_an_unknown_error_is_refused_by_the_number_itself() -> None:
    fit = synthetic_did(design_of(walk(14, 8, 3), [2004.0, 2004, 2005, 2006] + [np.nan] * 10))
    assert fit.uncertainty is not None
    with pytest.raises(
        DesignError, match=r"covariance 'jacknife' is not on offer .*did you mean 'jackknife'"
    ):
        fit.uncertainty.covariance("jacknife")


def test_of_many_units_with_gaps_twelve_are_named() -> None:
    data = frame(walk(20, 6, 3), [2004.0, 2004, 2005] + [np.nan] * 17)
    holes = data["year"].eq(2001) & data["unit"].isin([f"u{i:02d}" for i in range(4, 17)])
    held = Design(data[~holes], outcome="y", unit="unit", time="year", cohort="g")
    with pytest.raises(DesignError) as told:
        synthetic_did(held)
    assert len(told.value.problems) == 13
    assert told.value.problems[-2:] == ("no row for u15 in 2001", "no row for periods of 1 more unit")
