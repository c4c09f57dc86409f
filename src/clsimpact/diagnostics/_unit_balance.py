r"""How adopters differ from the others before adoption: mean differences, scores, and what chance does.

The standardised difference of a column is :math:`d_k = (\bar x_{1k} - \bar x_{0k}) / s_k` with the pooled
standard deviation :math:`s_k^2 = (\sum_{i \in 1} (x_{ik} - \bar x_{1k})^2 + \sum_{i \in 0} (x_{ik} -
\bar x_{0k})^2) / (N - 2)`. All columns together are judged by the largest :math:`|d_k|`, and by its
distribution when adopters are drawn anew from all units.

Scores are those of a logistic regression with a standard normal prior on the slopes of standardised columns
(a ridge), which few adopters need: :math:`\max_b \sum_i \log p_i(b) - \tfrac12 \sum_k b_k^2`, with the
intercept free, by Newton steps. A unit's own adoption pulls its score towards itself, so that it is scored as
if it were left out, by one Newton step (Rad and Maleki 2020, doi 10.1111/rssb.12374):

.. math:: x_i'b - \frac{h_i (y_i - p_i)}{1 - h_i p_i (1 - p_i)}, \qquad h_i = x_i' H^{-1} x_i ,

with H the curvature of the penalised likelihood.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["differences", "outside", "redrawn", "scores"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

STEPS = 50
"""Most Newton steps: a dozen are taken where adopters are few."""

FLAT = 1e-9
"""Largest slope of the penalised likelihood at which it is maximised.

Covariates are in standard deviations: log odds are then known to 1e-9, and are told to 0.1."""

FLATTEST = 1e-12
"""Least share of the variance that lies within groups: where all of it lies between, no ratio is left.

Rounding leaves 1e-15 of it; a difference of a million standard deviations is then the largest."""

FARTHEST = 2.0
"""Most by which a step changes the log odds of any unit: a full step from few adopters can overshoot."""

BATCH = 100
"""Sets of adopters whose scores are found at a time: a few megabytes for 150 units."""


def redrawn(adopts: Bools, draws: int, seed: int) -> Bools:
    """Return sets of adopters drawn from all units, each as large as the observed one (B, N).

    Examples
    --------
    >>> redrawn(np.array([True, False, False]), 4, 0).sum(axis=1).tolist()
    [1, 1, 1, 1]
    """
    rows = np.tile(adopts, (draws, 1))
    return np.asarray(np.random.default_rng(seed).permuted(rows, axis=1))


def differences(values: Floats, adopts: Bools) -> Floats:
    """Return the standardised difference of each column (B, k), for each set of adopters (B, N).

    Examples
    --------
    >>> x = np.array([[1.0], [3.0], [0.0], [2.0]])
    >>> differences(x, np.array([[True, True, False, False]])).round(4).tolist()
    [[0.7071]]
    """
    centred = values - values.mean(axis=0)
    chosen = adopts.astype(float)
    n, k = chosen.sum(axis=1, keepdims=True), float(len(values))
    total = chosen @ centred
    gap = total / n + total / (k - n)
    within = (centred**2).sum(axis=0) - total**2 / n - total**2 / (k - n)
    least = FLATTEST * (centred**2).sum(axis=0)
    return np.asarray(gap / np.sqrt(np.maximum(within, least) / (k - 2)))


def scores(values: Floats, adopts: Bools) -> Floats:
    """Return the log odds of adoption of each unit, itself left out (B, N), for sets of adopters (B, N).

    Examples
    --------
    >>> x, adopts = np.array([[0.0], [1.0], [2.0], [3.0]]), np.array([[False, False, True, True]])
    >>> scores(x, adopts).round(2).tolist()
    [[-0.45, 0.35, -0.35, 0.45]]
    """
    spread = values.std(axis=0)
    x = np.column_stack([np.ones(len(values)), (values - values.mean(axis=0)) / spread])
    return np.vstack([_scores(x, adopts[i : i + BATCH]) for i in range(0, len(adopts), BATCH)])


def _scores(x: Floats, adopts: Bools) -> Floats:
    n, k = x.shape
    products = (x[:, :, None] * x[:, None, :]).reshape(n, k * k).T
    prior = np.append(0.0, np.ones(k - 1))
    rate = adopts.mean(axis=1)
    b = np.zeros((len(adopts), k))
    b[:, 0] = np.log(rate / (1 - rate))
    for _ in range(STEPS):
        p = 1 / (1 + np.exp(-(b @ x.T)))
        curve = (products @ (p * (1 - p)).T).T.reshape(-1, k, k) + np.diag(prior)
        slope = (adopts - p) @ x - prior * b
        if np.abs(slope).max() < FLAT:
            break
        step = np.linalg.solve(curve, slope[:, :, None])[:, :, 0]
        far = np.abs(step @ x.T).max(axis=1, keepdims=True)
        b = b + step * np.minimum(1.0, FARTHEST / np.maximum(far, FARTHEST))
    own = (x @ np.linalg.inv(curve) * x).sum(axis=2)
    return np.asarray(b @ x.T - own * (adopts - p) / (1 - own * p * (1 - p)))


def outside(found: Floats, adopts: Bools) -> Bools:
    """Return the adopters (B, N) whose score lies above the scores of all others: nobody is like them.

    Examples
    --------
    >>> outside(np.array([[3.0, 1.0, 2.0, 0.0]]), np.array([[True, True, False, False]])).tolist()
    [[True, False, False, False]]
    """
    top = np.where(adopts, -np.inf, found).max(axis=1, keepdims=True)
    return np.asarray(adopts & (found > top))
