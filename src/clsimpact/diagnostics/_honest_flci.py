r"""Smoothness: fixed-length confidence intervals, exactly and for every bound at once.

Smoothness says that the slope of the difference in trends :math:`\delta` changes by at most M from one period
to the next: :math:`|e_t| \le M`, :math:`e_t = \delta_{t+1} - 2\delta_t + \delta_{t-1}`, with
:math:`\delta_{ref} = 0`. A linear estimator :math:`l'\hat\beta_{post} + a'\hat\beta_{pre}` is off by
:math:`l'\delta_{post} + a'\delta_{pre}`. The slope at the reference is free, so a must cancel it,
:math:`\sum_k k a_k = \sum_k k l_k =: q_0` (k periods from the reference). What is left has factor
:math:`\sum_{k > i} (k - i) l_k` on the change i periods after the reference and
:math:`q_i = \sum_{k > i} (k - i) a_k` on that i periods before; the largest bias is M times
:math:`B(q) = B_{post} + |q|_1`. In q the weights are second differences,
:math:`a_i = q_{i-1} - 2 q_i + q_{i+1}`, and the half-length

.. math:: \sigma(q)\, cv_\alpha\{M B(q) / \sigma(q)\}

grows with bias and with variance, :math:`cv_\alpha(t)` being the :math:`1 - \alpha` quantile of
|N(t, 1)|. The best trade-offs of the two are the lasso path
:math:`\min \sigma^2(q)/2 + \mu |q|_1`, which is piecewise linear and does not depend on M; the half-length
is minimised along it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

__all__ = ["Frontier", "fixed_length", "folded_quantile", "frontier"]

Floats = NDArray[np.float64]

PER_SEGMENT = 12
"""Points of each linear segment at which the half-length is looked at before the minimum is polished."""

SECTIONS, GOLDEN = 32, (5**0.5 - 1) / 2
"""Golden sections: the place is known to 1e-7 of a step, and the length to its square."""

STEPS, ROUNDING = 30, 1e-14
"""Most Newton steps towards a quantile (five are usual), and the step that ends them, in standard deviations.

Quantiles of one to ten round to 1e-16 to 1e-15; those of thousands take all steps, which does no harm."""

KNOTS, LATER = 20, 1e-12
"""Most knots of the path for each coefficient, and the share by which the next penalty is smaller.

A knot that is found again differs from itself by 1e-15. Knots are a few for each coefficient; were they cut
short, the interval would be longer than need be and hold as before."""


@dataclass(frozen=True)
class Frontier:
    """The best trade-offs of bias and variance.

    Attributes
    ----------
    weights : float array (m, n)
        Weights on all coefficients at the knots, from least bias to least variance; linear in between.
    bias : float array (m)
        Largest bias per unit of M.
    sigma : float array (n, n)
    """

    weights: Floats
    bias: Floats
    sigma: Floats

    def at(self, place: Floats) -> tuple[Floats, Floats, Floats]:
        """Return weights, bias and standard deviation at places from 0 to m - 1."""
        last = len(self.bias) - 1
        knot = np.minimum(place.astype(int), max(last - 1, 0))
        share = place - knot
        after = np.minimum(knot + 1, last)
        weights = (1 - share)[:, None] * self.weights[knot] + share[:, None] * self.weights[after]
        bias = (1 - share) * self.bias[knot] + share * self.bias[after]
        return weights, bias, np.sqrt(((weights @ self.sigma) * weights).sum(axis=1))


def folded_quantile(centre: Floats, level: float) -> Floats:
    """Return the quantile of |N(centre, 1)|.

    Examples
    --------
    >>> folded_quantile(np.array([0.0, 1.0, 10.0]), 0.95).round(6).tolist()
    [1.959964, 2.646146, 11.644854]
    """
    t = np.abs(np.asarray(centre, dtype=float))
    c = np.maximum(t + ndtri(level), ndtri(0.5 + level / 2))
    # From below, Newton climbs to the root without passing it: beyond the centre the distribution is concave.
    for _ in range(STEPS):
        gap = level - (ndtr(c - t) - ndtr(-c - t))
        step = gap * np.sqrt(2 * np.pi) / (np.exp(-0.5 * (c - t) ** 2) + np.exp(-0.5 * (c + t) ** 2))
        c = c + step
        if np.abs(step).max(initial=0.0) < ROUNDING:
            break
    return np.asarray(c)


def frontier(sigma: Floats, n_pre: int, weights: Floats) -> Frontier:
    """Return the trade-offs for a covariance and the weights of an estimand.

    Parameters
    ----------
    sigma
        Covariance (n, n), the reference left out after the first ``n_pre`` coefficients.
    n_pre
        Number of coefficients before the reference, 1 or more.
    weights
        Weights of the estimand (n - n_pre).

    Examples
    --------
    One coefficient before: its slope is carried on, whatever the variance.

    >>> frontier(np.eye(2), 1, np.ones(1)).weights.tolist()
    [[1.0, 1.0]]
    """
    n_post = len(weights)
    ahead = np.maximum(np.arange(1, n_post + 1)[None, :] - np.arange(n_post)[:, None], 0) @ weights
    spread = np.zeros((n_pre, n_pre))  # from q_0 .. q_{n_pre - 1} to a_1 .. a_{n_pre}
    for i in range(n_pre):
        for j, factor in ((i, 1.0), (i + 1, -2.0), (i + 2, 1.0)):
            if j < n_pre:
                spread[i, j] = factor
    spread = spread[::-1]  # coefficients run from the earliest to the last before the reference
    base = np.concatenate([spread[:, 0] * ahead[0], weights])
    moves = np.vstack([spread[:, 1:], np.zeros((n_post, n_pre - 1))])
    path = _lasso(moves.T @ sigma @ moves, moves.T @ sigma @ base)
    bias = np.abs(ahead).sum() + np.abs(path).sum(axis=1)
    return Frontier(base + path @ moves.T, bias, sigma)


def _lasso(h: Floats, g: Floats) -> Floats:
    """Return the knots (m, K) of argmin q'hq/2 + g'q + mu |q|_1 as mu falls to zero."""
    q, knots = np.zeros(len(g)), [np.zeros(len(g))]
    if not len(g):
        return np.array(knots)
    mu, active = float(np.abs(g).max()), np.zeros(len(g), dtype=bool)
    signs = np.zeros(len(g))
    first = int(np.abs(g).argmax())
    active[first], signs[first] = True, -np.sign(g[first])
    for _ in range(KNOTS * (len(g) + 1)):
        if mu <= 0:
            break
        mu, q, changed = _next_knot(h, g, active, signs, mu)
        knots.append(q)
        if changed is not None:
            at, sign = changed
            active[at], signs[at] = sign != 0, sign
    return np.array(knots)


def _next_knot(
    h: Floats, g: Floats, active: NDArray[np.bool_], signs: Floats, mu: float
) -> tuple[float, Floats, tuple[int, float] | None]:
    """Return the next mu at which a coefficient joins (sign) or leaves (0), with the solution there."""
    solved = np.linalg.solve(h[np.ix_(active, active)], np.column_stack([g[active], signs[active]]))
    start, rate = np.zeros(len(g)), np.zeros(len(g))
    start[active], rate[active] = -solved[:, 0], -solved[:, 1]
    pull, drift = -(g + h @ start), -(h @ rate)
    best, changed = 0.0, None
    top = mu * (1 - LATER)
    for i in range(len(g)):
        if active[i]:
            leaves = -start[i] / rate[i] if rate[i] else 0.0
            events = [(leaves, 0.0)]
        else:
            events = [(pull[i] / (side - drift[i]), side) for side in (1.0, -1.0) if side != drift[i]]
        for at, side in events:
            if best < at < top:
                best, changed = float(at), (i, side)
    q = start + best * rate
    if changed is not None and changed[1] == 0:
        q[changed[0]] = 0.0
    return best, q, changed


def fixed_length(trade: Frontier, beta: Floats, grid: Floats, level: float) -> tuple[Floats, Floats, Floats]:
    """Return lower ends, upper ends (G) and weights (G, n) of the shortest fixed-length intervals.

    Examples
    --------
    A straight line carried on: 3 less the slope -1 gives 4, with variance 2.

    >>> beta = np.array([1.0, 3.0])
    >>> low, high, _ = fixed_length(frontier(np.eye(2), 1, np.ones(1)), beta, np.array([0.0]), 0.95)
    >>> low.round(4).item(), high.round(4).item()
    (1.2282, 6.7718)
    """
    found = _shortest(trade, grid, level)
    weights, bias, sd = trade.at(found)
    half = sd * folded_quantile(grid * bias / sd, level)
    centre = weights @ beta
    return centre - half, centre + half, weights


def _shortest(trade: Frontier, grid: Floats, level: float) -> Floats:
    """Return the place of the shortest interval for each bound: a scan, then golden sections (convex)."""
    last = len(trade.bias) - 1
    places = np.linspace(0, last, last * PER_SEGMENT + 1)
    _, bias, sd = trade.at(places)
    lengths = sd * folded_quantile(grid[:, None] * bias / sd, level)
    best = lengths.argmin(axis=1)
    low, high = places[np.maximum(best - 1, 0)], places[np.minimum(best + 1, len(places) - 1)]

    def length(place: Floats) -> Floats:
        _, bias, sd = trade.at(place)
        return np.asarray(sd * folded_quantile(grid * bias / sd, level))

    for _ in range(SECTIONS):
        left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
        keep = length(left) <= length(right)
        low, high = np.where(keep, low, left), np.where(keep, right, high)
    middle = 0.5 * (low + high)
    at_knots = np.stack([middle, places[best]])
    better = np.stack([length(at) for at in at_knots]).argmin(axis=0)
    return np.asarray(np.where(grid == 0, float(last), np.take_along_axis(at_knots, better[None], axis=0)[0]))
