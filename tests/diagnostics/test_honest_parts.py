"""The parts of HonestDiD: vertices, test, critical values and fixed-length intervals, by other means."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import linprog, minimize

from clsimpact.diagnostics._honest_conditional import accepted, critical_values, ends, p_values, reached
from clsimpact.diagnostics._honest_flci import fixed_length, folded_quantile, frontier
from clsimpact.diagnostics._honest_pieces import Pieces, steps
from tests.diagnostics.honest_helpers import (
    CASES,
    Floats,
    arrays,
    moments,
    normals_of_r,
    values_of_r,
    weights_of,
)

LP = 1e-5
"""p-values with truncation points from linear programmes that are solved to 1e-7."""

ROUNDING = 1e-10
"""Sums of a few hundred numbers, and root searches that stop at 1e-13."""

DRAWS, MONTE_CARLO = 400_000, 4.0
"""Draws of a tail of 0.5%, and standard errors allowed."""

KAPPA = 0.005


def covariance(seed: int, n: int) -> Floats:
    root = np.random.default_rng(seed).normal(size=(n, n + 2))
    return root @ root.T / n


def one(seed: int, n_pre: int, weights: Floats, m: float) -> tuple[Pieces, Floats, Floats]:
    n = n_pre + len(weights)
    beta, sigma = np.random.default_rng(seed + 100).normal(size=n), covariance(seed, n)
    return steps(beta, sigma, n_pre, weights, np.array([m])), beta, sigma


def statistic(y: Floats, sd: Floats, x: Floats) -> tuple[float, Floats]:
    """min eta such that y - x delta <= eta sd, by HiGHS, with the multipliers."""
    found = linprog(
        np.r_[1.0, np.zeros(x.shape[1])],
        A_ub=-np.column_stack([sd, x]),
        b_ub=-y,
        bounds=[(None, None)] * (1 + x.shape[1]),
        method="highs-ds",
    )
    assert found.status == 0
    return float(found.fun), -found.ineqlin.marginals


def p_by_programmes(theta: float, beta: Floats, sigma: Floats, rows: Floats, weights: Floats) -> float:
    """The conditional test from its definition: truncation points are where the optimal vertex changes.

    The optimal value is convex in v, so that steps to where two vertices meet reach the point in a few.
    """
    n_post = len(weights)
    post = rows[:, -n_post:]
    direction = weights / (weights @ weights)
    null = np.linalg.svd(weights[None, :])[2][1:].T
    y, x = rows @ beta - post @ direction * theta, post @ null
    spread = rows @ sigma @ rows.T
    sd = np.sqrt(np.diag(spread))
    eta, gamma = statistic(y, sd, x)
    variance = gamma @ spread @ gamma
    move = spread @ gamma / variance
    rest = y - move * eta

    bounds = []
    for side in (-1.0, 1.0):
        v = eta + side * 1e4
        for _ in range(40):
            value, other = statistic(rest + move * v, sd, x)
            if value - v < 1e-8 * max(1.0, abs(v)):
                break
            # where the vertex that is largest at v meets the first one
            v = float(other @ rest / (1 - other @ move))
        bounds.append(v if abs(v - eta) < 1e4 else side * np.inf)
    low, high = (b / np.sqrt(variance) for b in bounds)
    at = eta / np.sqrt(variance)
    if eta <= 0:
        return 1.0
    return float((stats.norm.sf(at) - stats.norm.sf(high)) / (stats.norm.sf(low) - stats.norm.sf(high)))


@pytest.mark.parametrize(
    ("seed", "weights"),
    [
        (1, [1.0, 0.0, 0.0]),
        (2, [0.25, 0.25, 0.25, 0.25]),
        (3, [0.5, -1.0, 0.3]),
        (4, [0.0, 0.0, 1.0]),
        (5, [1.0]),
        (6, [0.4, 0.6]),
    ],
)
@pytest.mark.parametrize("m", [0.3, 1.0, 2.5])
def test_the_conditional_test_is_that_of_linear_programmes(seed: int, weights: list[float], m: float) -> None:
    n_pre, w = 3, np.array(weights)
    pieces, beta, sigma = one(seed, n_pre, w, m)
    centre = pieces.p + np.array([-2.0, -0.4, 0.7, 2.5])
    ours = p_values(pieces, np.broadcast_to(centre[:, None, None], (4, 1, 6)), np.full((1, 6), np.inf))
    for at, (sign, step) in enumerate((s, k) for s in (1, -1) for k in range(n_pre)):
        rows = moments(n_pre, len(w), m, step, sign)
        for h, theta in enumerate(centre):
            assert ours[h, 0, at] == pytest.approx(p_by_programmes(theta, beta, sigma, rows, w), abs=LP)


@pytest.mark.parametrize("m", [0.0, 0.5, 2.0])
def test_least_favourable_values_are_quantiles_of_draws(m: float) -> None:
    w = np.array([0.5, -1.0, 0.3])
    pieces, _, sigma = one(3, 2, w, m)
    exact = critical_values(pieces, KAPPA)[0]
    draws = np.random.default_rng(1).multivariate_normal(np.zeros(5), sigma, size=DRAWS)
    for at, (sign, step) in enumerate((s, k) for s in (1, -1) for k in range(2)):
        eta = largest(draws @ moments(2, 3, m, step, sign).T, moments(2, 3, m, step, sign), sigma, w)
        beyond = (eta > exact[at]).mean()
        assert abs(beyond - KAPPA) < MONTE_CARLO * np.sqrt(KAPPA / DRAWS)


def largest(y: Floats, rows: Floats, sigma: Floats, weights: Floats) -> Floats:
    """The statistic of many y at once, by the vertices of its dual, found by taking moments in pairs."""
    n_post, sd = len(weights), np.sqrt(np.diag(rows @ sigma @ rows.T))
    c = np.cumsum(weights[::-1])[::-1]
    multipliers = [np.r_[np.maximum(c, 0), np.maximum(-c, 0)], np.r_[np.maximum(-c, 0), np.maximum(c, 0)]]
    multipliers += [np.r_[e, e] for e in np.eye(n_post)]
    return np.max([y @ g / (sd @ g) for g in multipliers], axis=0)


@pytest.mark.parametrize("seed", range(5))
def test_vertices_solve_the_programme(seed: int) -> None:
    """The helper above, which the tests of draws rest on, against HiGHS."""
    rng = np.random.default_rng(seed)
    w, sigma = rng.normal(size=3), covariance(seed, 5)
    rows = moments(2, 3, 0.8, 1, 1)
    null = np.linalg.svd(w[None, :])[2][1:].T
    y = rng.normal(size=6)
    # without the estimand: its direction is part of y
    found, _ = statistic(y, np.sqrt(np.diag(rows @ sigma @ rows.T)), rows[:, -3:] @ null)
    assert largest(y[None], rows, sigma, w)[0] == pytest.approx(found, abs=1e-8)


def test_normal_numbers_are_those_of_r() -> None:
    """set.seed(0); rnorm(3) prints 1.2629543 -0.3262334 1.3297993."""
    assert normals_of_r(0, 3).round(7).tolist() == [1.2629543, -0.3262334, 1.3297993]


def critical_of_r(sigma: Floats, n_pre: int, weights: Floats, m: float, step: int, sign: int) -> float:
    """R draws 1,000 vectors of moments by the symmetric root after set.seed(0)."""
    rows = moments(n_pre, len(weights), m, step, sign)
    spread = rows @ sigma @ rows.T
    values, vectors = np.linalg.eigh(spread)
    root = vectors @ np.diag(np.sqrt(np.maximum(values, 0))) @ vectors.T
    draws = normals_of_r(0, 1000 * len(rows)).reshape(1000, len(rows)) @ root
    return float(np.quantile(largest(draws, rows, sigma, weights), 1 - KAPPA))


@pytest.mark.parametrize(("name", "which"), CASES)
@pytest.mark.parametrize("kind", ["C-LF", "Conditional"])
def test_with_the_grid_and_the_draws_of_r_the_ends_are_those_of_r(
    reference: Path, name: str, which: str, kind: str
) -> None:
    """Every interval of R HonestDiD 0.2.7 in the reference files, to the last digit that is kept."""
    given = arrays(reference, name)
    n_pre, sigma, w = given["n_pre"], given["sigma"], weights_of(which, given["n_post"])
    theirs = values_of_r(reference, name, f"relmag_{kind}", which)
    if name == "ehec" and kind == "Conditional":
        pytest.skip("R's conditional intervals are held for the other paths")
    assert len(theirs) >= 4
    edge = 20 * np.sqrt(w @ sigma[n_pre:, n_pre:] @ w)
    grid = np.linspace(-edge, edge, 1000)
    for row in theirs.itertuples():
        pieces = steps(given["beta"], sigma, n_pre, w, np.array([row.M]))
        cut = None
        if kind == "C-LF":
            order = [(step, sign) for sign in (1, -1) for step in range(n_pre)]
            cut = np.array([[critical_of_r(sigma, n_pre, w, row.M, *each) for each in order]])
        tested = np.broadcast_to(grid[:, None, None], (1000, 1, 2 * n_pre))
        inside = grid[accepted(pieces, tested, 0.05, cut).any(axis=-1)[:, 0]]
        assert (inside.min(), inside.max()) == pytest.approx((row.lb, row.ub), abs=1e-12)


@pytest.mark.parametrize("hybrid", [True, False])
@pytest.mark.parametrize("seed", range(6))
def test_ends_are_the_outermost_hypotheses_that_are_not_rejected(seed: int, hybrid: bool) -> None:
    """A dense grid far beyond the ends finds nothing outside them."""
    w = np.random.default_rng(seed).normal(size=3)
    pieces, *_ = one(seed, 3, w, 1.3)
    cut = critical_values(pieces, KAPPA) if hybrid else None
    low, high = (float(end[0]) for end in ends(pieces, 0.05, cut))
    width = high - low
    grid = np.linspace(low - 3 * width, high + 3 * width, 20_001)
    kept = accepted(pieces, np.broadcast_to(grid[:, None, None], (len(grid), 1, 6)), 0.05, cut)
    inside = grid[kept.any(axis=-1)[:, 0]]
    step = grid[1] - grid[0]
    assert low <= inside.min() + ROUNDING * width
    assert inside.max() <= high + ROUNDING * width
    assert inside.min() - low < step
    assert high - inside.max() < step


@pytest.mark.parametrize("hybrid", [True, False])
def test_reached_says_what_the_ends_say(hybrid: bool) -> None:
    grid = np.linspace(0, 3, 40)
    beta, sigma = np.random.default_rng(8).normal(1, 1, size=6), 0.1 * covariance(8, 6)
    pieces = steps(beta, sigma, 3, np.array([1.0, 0, 0]), grid)
    cut = critical_values(pieces, KAPPA) if hybrid else None
    low, high = ends(pieces, 0.05, cut)
    for theta in (-1.0, 0.0, float(low[7]) - 1e-6, float(low[7]) + 1e-6, 2.0):
        assert (reached(pieces, theta, 0.05, cut) == ((low <= theta) & (theta <= high))).all()


def test_quantiles_of_the_folded_normal() -> None:
    centre = np.array([0.0, 0.1, 1.0, 3.0, 6.0])
    by_scipy = np.sqrt(stats.ncx2.ppf(0.95, 1, np.maximum(centre, 1e-9) ** 2))
    assert folded_quantile(centre, 0.95) == pytest.approx(by_scipy, abs=1e-8)


@pytest.mark.parametrize(("seed", "n_pre", "n_post"), [(1, 2, 1), (2, 4, 3), (3, 6, 2), (4, 1, 3), (5, 9, 4)])
def test_the_frontier_is_that_of_a_general_optimiser(seed: int, n_pre: int, n_post: int) -> None:
    """No weights that cancel the slope have less variance at the same bias."""
    sigma, w = covariance(seed, n_pre + n_post), np.random.default_rng(seed).normal(size=n_post)
    trade = frontier(sigma, n_pre, w)
    total = np.arange(1, n_post + 1) @ w
    later = [np.maximum(np.arange(1, n_post + 1) - i, 0) @ w for i in range(n_post)]
    slopes = np.arange(n_pre, 0, -1)
    assert trade.weights[:, :n_pre] @ slopes == pytest.approx(np.full(len(trade.bias), total), abs=1e-8)
    for knot, weights in enumerate(trade.weights):
        a = weights[:n_pre]
        earlier = [np.maximum(slopes - i, 0) @ a for i in range(1, n_pre)]
        assert trade.bias[knot] == pytest.approx(np.abs(later).sum() + np.abs(earlier).sum(), abs=1e-8)
    assert (np.diff(trade.bias) >= -1e-9).all()
    least = minimize(
        lambda a: np.r_[a, w] @ sigma @ np.r_[a, w],
        np.zeros(n_pre),
        constraints={"type": "eq", "fun": lambda a: a @ slopes - total},
        method="SLSQP",
        options={"ftol": 1e-14, "maxiter": 500},
    )
    assert trade.weights[-1] @ sigma @ trade.weights[-1] == pytest.approx(least.fun, rel=1e-5)


@pytest.mark.parametrize("bound", [0.05, 0.4, 3.0])
def test_no_other_weights_give_a_shorter_interval(bound: float) -> None:
    sigma, n_pre, w = covariance(7, 7), 4, np.array([0.2, 0.5, 0.3])
    beta, slopes, total = np.zeros(7), np.arange(4, 0, -1), np.array([1, 2, 3]) @ w
    later = sum(abs(np.maximum(np.arange(1, 4) - i, 0) @ w) for i in range(3))

    def length(free: Floats) -> float:
        a = np.r_[free, total - free @ slopes[:-1]]
        bias = later + sum(abs(np.maximum(slopes - i, 0) @ a) for i in range(1, 4))
        sd = np.sqrt(np.r_[a, w] @ sigma @ np.r_[a, w])
        return float(sd * folded_quantile(np.array([bound * bias / sd]), 0.95)[0])

    low, high, weights = fixed_length(frontier(sigma, n_pre, w), beta, np.array([bound]), 0.95)
    ours = 0.5 * (high[0] - low[0])
    assert ours == pytest.approx(length(weights[0, :3]), rel=1e-10)
    rng = np.random.default_rng(0)
    starts = [weights[0, :3] + rng.normal(0, s, 3) for s in (1e-3, 0.1, 1.0)]
    others = [minimize(length, x, method="Nelder-Mead", options={"xatol": 1e-10, "maxiter": 4000}).fun
              for x in starts]  # fmt: skip
    assert ours <= min(others) * (1 + 1e-9)
    assert ours == pytest.approx(min(others), rel=1e-5)


PRINTED = [
    ("0.0259", "0.0607"), ("0.0132", "0.0787"), ("0.00286", "0.0907"),
    ("-0.00714", "0.101"), ("-0.0171", "0.111"), ("-0.0271", "0.121"),
]  # fmt: skip
"""README of R HonestDiD (v0.2.8), Medicaid, smoothness M = 0, 0.01, ..., 0.05."""

FLAT = {"ehec": 2e-3, "BC": 2e-3, "TWFE": 2e-2, "CS": 2e-2}
"""Standard errors between the ends of R's intervals and ours with R's quantiles.

The length is flat around its optimum, which R seeks by numerical derivatives of a quantile of draws.
"""

LONGER = 1e-4
"""R's intervals are longer than the best by less than this share, never shorter (but for rounding)."""


def smooth_with_draws(given: dict[str, Any], w: Floats, bounds: Floats) -> tuple[Floats, Floats, Floats]:
    """Our weights with R's quantiles of |N(t, 1)|, from a million draws: ends and standard deviations."""
    trade = frontier(given["sigma"], given["n_pre"], w)
    _, _, weights = fixed_length(trade, given["beta"], bounds, 0.95)
    draws = normals_of_r(0, 10**6)
    slopes, times = np.arange(given["n_pre"], 0, -1), np.arange(1, given["n_post"] + 1)
    later = sum(abs(np.maximum(times - i, 0) @ w) for i in range(given["n_post"]))
    ends_of, sds = [], []
    for bound, row in zip(bounds, weights, strict=True):
        a, sd = row[: given["n_pre"]], np.sqrt(row @ given["sigma"] @ row)
        bias = later + sum(abs(np.maximum(slopes - i, 0) @ a) for i in range(1, given["n_pre"]))
        half = sd * np.quantile(np.abs(draws + bound * bias / sd), 0.95)
        ends_of.append(row @ given["beta"] + half * np.array([-1.0, 1.0]))
        sds.append(sd)
    low, high = np.array(ends_of).T
    return low, high, np.array(sds)


@pytest.mark.parametrize(
    ("name", "which"), [(name, which) for name, which in CASES if (name, which) != ("ehec", "average")]
)
def test_with_the_quantiles_of_r_smoothness_is_that_of_r(reference: Path, name: str, which: str) -> None:
    given = arrays(reference, name)
    theirs = values_of_r(reference, name, "smoothness_FLCI", which)
    assert len(theirs) >= 4
    low, high, sd = smooth_with_draws(given, weights_of(which, given["n_post"]), theirs["M"].to_numpy())
    longer = (theirs["ub"] - theirs["lb"]) / (high - low) - 1
    assert longer.between(-1e-6, LONGER).all()
    assert (np.abs(low - theirs["lb"]) < FLAT[name] * sd).all()
    assert (np.abs(high - theirs["ub"]) < FLAT[name] * sd).all()


def test_with_the_quantiles_of_r_the_printed_digits_are_met(reference: Path) -> None:
    """All but one: at M = 0 R's weights are 2e-4 standard errors from those of least variance.

    Its lower end, 0.0259495, rounds down; with the weights of least variance it is 0.0259513.
    """
    low, high, _ = smooth_with_draws(arrays(reference, "ehec"), weights_of("first", 2), np.arange(6) / 100)
    ours = [(f"{a:.3g}", f"{b:.3g}") for a, b in zip(low, high, strict=True)]
    assert ours[1:] == PRINTED[1:]
    assert ours[0][1] == PRINTED[0][1]
    assert low[0] == pytest.approx(0.0259513, abs=5e-8)
