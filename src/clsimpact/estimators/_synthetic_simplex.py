r"""Ridge regression on the simplex, solved exactly.

.. math:: \min_{\omega}\; \lVert A\omega - b\rVert^2 + \eta\lVert\omega\rVert^2
          \quad\text{with}\quad \omega \ge 0,\ \textstyle\sum_i \omega_i = 1 .

On a face (the weights outside a set S are zero) the solution is
:math:`\omega_S = 1/|S| + C'(CC' + \eta I)^{-1} d` with :math:`C` the columns of S less their mean, and d what
the mean leaves of b. The face is found by exchanging every weight that is negative and every zero weight
whose gradient asks for more, and, should that fail to settle, one weight at a time with a falling objective.
Both stop on the face that satisfies the conditions of Karush, Kuhn and Tucker: nothing converges slowly and
there is no number of iterations to choose.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["fewer_rows", "objective", "simplex_ridge"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

ROUNDING = 1e-11
"""A gradient is out of line beyond this share of its largest term; sums in double precision leave 1e-14.

A weight that is missed moves the objective by less than 1e-11 of itself."""

SLACK = 8
"""Units in the last place of the residual, times its largest term, by which a gradient may be wrong."""

EXCHANGES = 60
"""Faces tried by joint exchange before single exchanges; panels tried took at most a dozen."""


def simplex_ridge(a: Floats, b: Floats, eta: float) -> Floats:
    """Return the weights (n) of the columns of ``a`` (m, n) that come closest to ``b`` (m).

    Parameters
    ----------
    a, b
        Arrays (m, n) and (m).
    eta
        Ridge, in squared units of ``b``. With zero and more columns than rows the solution of least norm is
        taken on each face.

    Examples
    --------
    The nearest mean of 0 and 4 to the number 1 is three quarters and one quarter:

    >>> simplex_ridge(np.array([[0.0, 4.0]]), np.array([1.0]), 0.0).round(12).tolist()
    [0.75, 0.25]

    A strong ridge makes the weights equal:

    >>> simplex_ridge(np.array([[0.0, 4.0]]), np.array([1.0]), 1e12).round(6).tolist()
    [0.5, 0.5]
    """
    a, b = fewer_rows(a, b)
    face = np.ones(a.shape[1], dtype=bool)
    for _ in range(EXCHANGES):
        weights = _on_face(a, b, eta, face)
        enter = _entering(a, b, eta, weights, face) > 0
        leave = face & (weights < 0)
        if not enter.any() and not leave.any():
            return weights
        face = (face & ~leave) | enter
    return _one_by_one(a, b, eta)


def objective(a: Floats, b: Floats, eta: float, weights: Floats) -> float:
    """Return the objective at ``weights``.

    Examples
    --------
    >>> objective(np.array([[0.0, 4.0]]), np.array([1.0]), 2.0, np.array([0.5, 0.5]))
    2.0
    """
    rest = a @ weights - b
    return float(rest @ rest + eta * (weights @ weights))


def fewer_rows(a: Floats, b: Floats) -> tuple[Floats, Floats]:
    """Return as few rows as there are columns: an orthogonal map leaves the objective as it is."""
    if a.shape[0] <= a.shape[1] + 1:
        return a, b
    r = np.asarray(np.linalg.qr(np.column_stack([a, b]), mode="r"))
    return r[:, :-1], r[:, -1]


def _on_face(a: Floats, b: Floats, eta: float, face: Bools) -> Floats:
    columns = a[:, face]
    middle = columns.mean(axis=1)
    u, s, vt = np.linalg.svd(columns - middle[:, None], full_matrices=False)
    kept = s > np.finfo(np.float64).eps * max(columns.shape) * np.linalg.norm(columns)
    u, s, vt = u[:, kept], s[kept], vt[kept]
    out = np.zeros(face.size)
    out[face] = 1 / columns.shape[1] + ((s / (s**2 + eta)) * (u.T @ (b - middle))) @ vt
    return out


def _entering(a: Floats, b: Floats, eta: float, weights: Floats, face: Bools) -> Floats:
    """Return by how much the gradient of each weight outside the face asks for more (zero: not at all)."""
    rest = a @ weights - b
    gradient = a.T @ rest + eta * weights
    width = np.abs(a).max()
    size = width * np.abs(rest).sum() + eta * np.abs(weights).max()
    lost = np.finfo(np.float64).eps * b.size * width * (width + np.abs(b).max())
    wanted = gradient[face].mean() - gradient - ROUNDING * size - SLACK * lost
    return np.where(face, 0.0, np.maximum(wanted, 0.0))


def _one_by_one(a: Floats, b: Floats, eta: float) -> Floats:
    """Exchange one weight at a time; the objective falls each time, so that no face comes back."""
    start = np.argmin(((a - b[:, None]) ** 2).sum(axis=0))
    weights = np.zeros(a.shape[1])
    weights[start] = 1.0
    face = weights > 0
    best = np.inf
    while True:
        target = _on_face(a, b, eta, face)
        while (target[face] < 0).any():
            out = np.flatnonzero(face & (target < 0))
            steps = weights[out] / (weights[out] - target[out])
            weights = weights + steps.min() * (target - weights)
            weights[out[steps == steps.min()]] = 0.0
            face[out[steps == steps.min()]] = False
            target = _on_face(a, b, eta, face)
        weights, now = target, objective(a, b, eta, target)
        wanted = _entering(a, b, eta, weights, face)
        if not wanted.any() or now >= best:
            return weights
        best = now
        face[np.argmax(wanted)] = True
