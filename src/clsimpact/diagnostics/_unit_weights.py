r"""Weights that make comparison units like adopters: entropy balancing and nearest neighbours.

Entropy balancing (Hainmueller 2012, doi 10.1093/pan/mpr025) gives the n comparison units the weights closest
to equal ones, :math:`\min_w \sum_j w_j \log (n w_j)`, with :math:`\sum_j w_j = 1` and
:math:`\sum_j w_j x_j = \bar x` the adopters' means. By its dual :math:`w_j \propto \exp(\lambda'z_j)`,
:math:`z_j = x_j - \bar x`, where :math:`\lambda` minimises the convex

.. math:: \log \sum_j \exp(\lambda'z_j) + \tfrac{\delta}{2} \lVert \lambda \rVert^2 ,

found by Newton steps. A small :math:`\delta` leaves means that differ by :math:`-\delta\lambda`, and gives an
answer where no weights balance exactly.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["closeness", "distances", "effective_size", "entropy_weights", "neighbour_weights"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PENALTY = 1e-3
"""delta: with covariates in standard deviations the means that are left apart differ by thousandths."""

SHRINK = 0.1
"""Share of the diagonal in the covariance that distances are measured with, so that it can be inverted."""

STEPS, HALVINGS = 100, 30
"""Most Newton steps, and most halvings of one."""

FALL = 1e-4
"""Share of the fall along the gradient that a step must bring (Armijo): more than rounding, less than any
step near the minimum brings, which is half."""

FLAT = 1e-9
"""Length of the gradient at which the dual is solved: covariates are in standard deviations.

That is how far means are from where they should be; rounding leaves 1e-15, and balance is told to 0.1."""


def entropy_weights(others: Floats, target: Floats, *, penalty: float = PENALTY) -> Floats:
    """Return weights (n, summing to one) that bring the means of ``others`` (n, k) to ``target`` (k).

    Examples
    --------
    >>> w = entropy_weights(np.array([[0.0], [1.0]]), np.array([0.8]), penalty=0.0)
    >>> w.round(6).tolist()
    [0.2, 0.8]
    """
    z = others - target
    at = np.zeros(z.shape[1])
    value, w = _dual(z, at, penalty)
    for _ in range(STEPS):
        mean = w @ z
        slope = mean + penalty * at
        if np.sqrt(slope @ slope) < FLAT:
            break
        curve = (z * w[:, None]).T @ z - np.outer(mean, mean) + penalty * np.eye(at.size)
        step = np.linalg.lstsq(curve, slope, rcond=None)[0] if penalty == 0 else np.linalg.solve(curve, slope)
        size = 1.0
        for _ in range(HALVINGS):
            new, tried = _dual(z, at - size * step, penalty)
            if new <= value - FALL * size * float(slope @ step):
                break
            size /= 2
        else:
            break
        at, value, w = at - size * step, new, tried
    return w


def _dual(z: Floats, at: Floats, penalty: float) -> tuple[float, Floats]:
    """Return the dual and its weights."""
    line = z @ at
    top = line.max()
    raised = np.exp(line - top)
    total = raised.sum()
    return float(top + np.log(total) + penalty / 2 * (at @ at)), raised / total


def distances(values: Floats) -> Floats:
    """Return Mahalanobis distances between units (N, N): the covariance is shrunk towards its diagonal.

    Examples
    --------
    >>> distances(np.array([[0.0], [3.0], [-3.0]])).round(6).tolist()
    [[0.0, 1.0, 1.0], [1.0, 0.0, 2.0], [1.0, 2.0, 0.0]]
    """
    spread = np.atleast_2d(np.cov(values, rowvar=False))
    spread = (1 - SHRINK) * spread + SHRINK * np.diag(np.diag(spread))
    whitened = np.linalg.solve(np.linalg.cholesky(spread), (values - values.mean(axis=0)).T).T
    size = (whitened**2).sum(axis=1)
    return np.asarray(np.sqrt(np.maximum(size[:, None] + size - 2 * whitened @ whitened.T, 0.0)))


def closeness(values: Floats) -> Ints:
    """Return, for each unit, the units from the closest to the farthest (N, N); itself comes first.

    Examples
    --------
    >>> closeness(np.array([[0.0], [3.0], [1.0]])).tolist()
    [[0, 2, 1], [1, 2, 0], [2, 0, 1]]
    """
    gaps = distances(values)
    np.fill_diagonal(gaps, -1.0)
    return np.argsort(gaps, axis=1, kind="stable").astype(np.int64)


def neighbour_weights(order: Ints, adopts: NDArray[np.bool_], count: int) -> Floats:
    """Return how often each unit is among the ``count`` nearest of an adopter, as weights summing to one (N).

    Examples
    --------
    >>> order = closeness(np.array([[0.0], [3.0], [1.0]]))
    >>> neighbour_weights(order, np.array([True, False, False]), 1).tolist()
    [0.0, 0.0, 1.0]
    """
    rows = order[adopts]
    free = ~adopts[rows]
    chosen = rows[free & (free.cumsum(axis=1) <= count)]
    taken = np.bincount(chosen, minlength=adopts.size).astype(float)
    return np.asarray(taken / taken.sum())


def effective_size(weights: Floats) -> float:
    """Return how many equally weighted units are as good: (sum w)^2 / sum w^2.

    Examples
    --------
    >>> effective_size(np.array([1.0, 1.0, 0.0]))
    2.0
    """
    return float(weights.sum() ** 2 / (weights**2).sum())
