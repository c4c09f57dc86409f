r"""Normal vectors in a box: the probability, and the mean given that they are in it.

The probability is Genz's separation of variables (1992, doi 10.1080/10618600.1992.10477010): with L the lower
root of the covariance, the box is a cube of one dimension less with a smooth integrand. Up to four dimensions
the cube is integrated by Gauss and Legendre's rule, beyond by a lattice with a tent. Nothing is drawn: the
same numbers each time, smooth in the mean. The mean is Tallis's formula (1961), whose terms are again
probabilities of boxes.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

__all__ = ["box_probability", "box_pull"]

Floats = NDArray[np.float64]

NODES = {1: 200, 2: 64, 3: 28}
"""Nodes for each dimension of the cube."""

LATTICE = 2**15
"""Points of the lattice where the cube has more dimensions: probabilities to about 1e-5."""

TINY, NEARLY_ONE = 1e-300, 1 - 1e-16
"""Least and largest probability whose quantile is taken: 0 and 1 have none that is finite.

The next double below one is 1 - 1.1e-16. Quantiles then lie at -37 and 8.2, where nothing
that counts is left."""


@lru_cache(maxsize=16)
def _cube(dimensions: int) -> tuple[Floats, Floats]:
    """Return points (N, k) in the unit cube and their weights."""
    if dimensions in NODES:
        x, w = np.polynomial.legendre.leggauss(NODES[dimensions])
        axes = np.meshgrid(*[0.5 * (x + 1)] * dimensions, indexing="ij")
        weights = np.meshgrid(*[0.5 * w] * dimensions, indexing="ij")
        points = np.stack([axis.ravel() for axis in axes], axis=1)
        return points, np.asarray(np.prod([each.ravel() for each in weights], axis=0))
    odd = [n for n in range(3, 400, 2) if all(n % d for d in range(3, int(n**0.5) + 1, 2))]
    steps = np.sqrt(np.array([2, *odd][:dimensions], dtype=float))
    points = (np.arange(1, LATTICE + 1)[:, None] * steps + 0.5) % 1
    return 1 - np.abs(2 * points - 1), np.full(LATTICE, 1 / LATTICE)


def box_probability(mean: Floats, sigma: Floats, low: Floats, high: Floats) -> float:
    """Return P(low < X < high) for X normal.

    Parameters
    ----------
    mean, low, high
        (n); no dimension at all has probability 1.
    sigma
        Positive definite covariance (n, n).

    Examples
    --------
    >>> box_probability(np.zeros(2), np.eye(2), -np.ones(2), np.ones(2))
    0.46606...
    """
    n = len(mean)
    if n == 0:
        return 1.0
    # The narrowest side first: the integrand varies least.
    sd = np.sqrt(np.diag(sigma))
    order = np.argsort(ndtr((high - mean) / sd) - ndtr((low - mean) / sd), kind="stable")
    root = np.linalg.cholesky(sigma[np.ix_(order, order)])
    low, high = (low - mean)[order], (high - mean)[order]
    if n == 1:
        return float(ndtr(high[0] / root[0, 0]) - ndtr(low[0] / root[0, 0]))
    points, weights = _cube(n - 1)
    y = np.zeros((len(points), n - 1))
    share = weights.copy()
    for i in range(n):
        shift = y[:, :i] @ root[i, :i]
        below, above = ndtr((low[i] - shift) / root[i, i]), ndtr((high[i] - shift) / root[i, i])
        share *= above - below
        if i < n - 1:
            y[:, i] = ndtri(np.clip(below + points[:, i] * (above - below), TINY, NEARLY_ONE))
    return float(share.sum())


def box_pull(mean: Floats, sigma: Floats, low: Floats, high: Floats) -> Floats:
    r"""Return v (n) with E(X | low < X < high) = mean + sigma v.

    .. math:: v_j = \{f_j(low_j) - f_j(high_j)\} / P(box),

    where :math:`f_j(x)` is the density of :math:`X_j` at x times the probability that the others are in the
    box given :math:`X_j = x`. For Z jointly normal with X, E(Z | box) = E(Z) + cov(Z, X) v.

    Examples
    --------
    >>> one, zero = np.ones(1), np.zeros(1)
    >>> box_pull(zero, np.eye(1), zero, np.array([np.inf])).round(6).item()
    0.797885
    """
    n = len(mean)
    pull = np.zeros(n)
    for j in range(n):
        others = np.arange(n) != j
        slope = sigma[others, j] / sigma[j, j]
        rest = sigma[np.ix_(others, others)] - np.outer(slope, sigma[j, others])
        for side, edge in ((1.0, low[j]), (-1.0, high[j])):
            if np.isfinite(edge):
                gap = edge - mean[j]
                density = np.exp(-0.5 * gap**2 / sigma[j, j]) / np.sqrt(2 * np.pi * sigma[j, j])
                inside = box_probability(mean[others] + slope * gap, rest, low[others], high[others])
                pull[j] += side * density * inside
    return pull / box_probability(mean, sigma, low, high)
