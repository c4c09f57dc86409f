r"""Weights as the programs of Arkhangelsky et al. compute them: Frank-Wolfe steps that stop early.

The problem is that of `clsimpact.estimators._synthetic_simplex`,
:math:`f(\omega) = \lVert A\omega - b\rVert^2 + \eta\lVert\omega\rVert^2` over the simplex. One step moves
towards the vertex :math:`e_i` with the smallest gradient. With half the gradient
:math:`g = A'(A\omega - b) + \eta\omega` and :math:`d = e_i - \omega`, the line search is exact:

.. math:: \gamma = \min\Big(1, \frac{-g'd}{\lVert Ad\rVert^2 + \eta\lVert d\rVert^2}\Big), \qquad
          f(\omega) - f(\omega + \gamma d) = \gamma\big(-2 g'd - \gamma(\lVert Ad\rVert^2
          + \eta\lVert d\rVert^2)\big) .

1. From equal weights, at most `SHORT` steps.
2. Weights of at most `DROPPED` of the largest become zero; the others are scaled to sum to one.
3. From there, at most `LONG` steps.

Each run takes two steps or more and ends with the first whose fall of f is no more than a given ``least``.
The end lies above the minimum; how far depends on where the steps happen to stop. These numbers define what
is computed and are not for the user to choose.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["LEAST", "LONG", "descend", "published_weights"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

SHORT, LONG = 100, 10_000
"""Most steps before and after small weights are dropped: the published programs' limits."""

DROPPED = 0.25
"""Weights up to this share of the largest are dropped: the published programs' share."""

LEAST = 1e-5
"""Steps go on while the objective per row falls by more than this share of the noise, squared."""


def published_weights(
    a: Floats, b: Floats, eta: Floats, least: Floats, columns: Ints | None = None
) -> tuple[Floats, Bools]:
    """Return the weights (B, n) of B problems, and which reached the limit of steps (B).

    Parameters
    ----------
    a, b
        Arrays (B, m, n) and (B, m).
    eta, least
        Ridge and least fall of the objective (B), in squared units of ``b``.
    columns
        How many columns each problem has (B), the first ones; by default all.

    Examples
    --------
    One quarter is more than a quarter of the largest weight, so that nothing is dropped:

    >>> w, _ = published_weights(np.array([[[0.0, 4.0]]]), np.array([[1.0]]), np.zeros(1), np.full(1, 1e-12))
    >>> w.round(12).tolist()
    [[0.75, 0.25]]
    """
    columns = np.full(len(a), a.shape[2]) if columns is None else columns
    bar = np.where(np.arange(a.shape[2]) < columns[:, None], 0.0, np.inf)
    start = np.where(bar == 0, 1 / columns[:, None], 0.0)
    first, _ = descend(a, b, eta, least, start, SHORT, bar)
    kept = np.where(first > DROPPED * first.max(axis=1, keepdims=True), first, 0.0)
    return descend(a, b, eta, least, kept / kept.sum(axis=1, keepdims=True), LONG, bar)


def descend(
    a: Floats, b: Floats, eta: Floats, least: Floats, start: Floats, limit: int, bar: Floats
) -> tuple[Floats, Bools]:
    """Take Frank-Wolfe steps from ``start`` (B, n); return the weights and which reached ``limit``.

    ``bar`` (B, n) is infinite for columns that are not there, otherwise zero.

    Examples
    --------
    One step goes all the way to the better vertex, two are the least that are taken:

    >>> a, b = np.array([[[0.0, 4.0]]]), np.array([[0.0]])
    >>> at = np.array([[0.5, 0.5]])
    >>> w, reached = descend(a, b, np.zeros(1), np.ones(1), at, 100, np.zeros((1, 2)))
    >>> w.tolist(), reached.tolist()
    ([[1.0, 0.0]], [False])
    """
    ends, at = start.copy(), np.arange(len(start))
    w, rest = start.copy(), (a @ start[:, :, None])[:, :, 0] - b
    going = np.ones(len(start), dtype=bool)
    for step in range(1, limit + 1):
        fall = _step(a, b, eta, w, rest, going, bar)
        if step > 1:
            going &= fall > least
        left = np.count_nonzero(going)
        if left <= going.size // 2:
            ends[at] = w
            if left == 0:
                return ends, np.zeros(len(start), dtype=bool)
            a, b, eta, least = a[going], b[going], eta[going], least[going]
            w, rest, at, bar = w[going], rest[going], at[going], bar[going]
            going = np.ones(left, dtype=bool)
    ends[at] = w
    reached = np.zeros(len(start), dtype=bool)
    reached[at[going]] = True
    return ends, reached


def _step(a: Floats, b: Floats, eta: Floats, w: Floats, rest: Floats, going: Bools, bar: Floats) -> Floats:
    """Move ``w`` and ``rest`` = a w - b by one step where ``going``; return the falls of the objective."""
    every = np.arange(len(w))
    half = (rest[:, None, :] @ a)[:, 0] + eta[:, None] * w
    i = (half + bar).argmin(axis=1)
    slope = np.einsum("bn,bn->b", half, w) - half[every, i]
    moved = a[every, :, i] - b - rest
    curve = np.einsum("bm,bm->b", moved, moved)
    curve += eta * (np.einsum("bn,bn->b", w, w) - 2 * w[every, i] + 1)
    length = np.where(going & (slope > 0), slope / np.where(curve > 0, curve, np.inf), 0.0)
    length = np.minimum(length, 1.0)
    w *= 1 - length[:, None]
    w[every, i] += length
    rest += length[:, None] * moved
    return np.asarray(length * (2 * slope - length * curve))
