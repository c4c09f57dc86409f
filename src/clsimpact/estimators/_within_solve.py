r"""Least squares in a small space, and what it says about each coefficient.

All regressors net of effects are :math:`\tilde X = \hat Q J` with orthonormal :math:`\hat Q` and a matrix J
no larger than the number of regressors. Rank, identification and the coefficients follow from J alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from clsimpact.inference.sandwich import Counts, Covariance

__all__ = ["Regression", "Solved", "Source", "at_level", "orthonormal", "solve"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

EMPTY_TOLERANCE = 1e-10
"""A column whose norm falls below this share of its spread holds only rounding error once effects are
removed.

Removing them leaves 1e-15; seven digits of which the last changes in one row of a thousand leave 3e-9."""

LEVEL_SHARE = 2e-4
"""Share of the norm of a column that counts as its spread where the spread is less: rounding follows the
level.

`EMPTY_TOLERANCE` of it is 2e-14 of the level. The numbers themselves are rounded to 1e-16 of it and removing
effects leaves some 1e-15; a hundred pounds that move among a hundred thousand million lie at 1e-9."""

RANK_TOLERANCE = 1e-10
"""Singular values (columns have norm one) below this are zero; rounding gives about 1e-15 times the column
count.

A correlation of 0.99999 leaves 2e-3; below 1e-10 no digit of a slope would be left to trust."""

LOADING_TOLERANCE = 1e-6
"""A coefficient loading on the null space by more than this is not identified; rounding gives about 1e-12.

Null vectors have norm one: a coefficient that takes part in one loads on it by a thousandth or more."""


def at_level(spread: Floats, size: Floats) -> Floats:
    """Return the spread of columns from their spread around the mean and their norm (p): see `LEVEL_SHARE`.

    Examples
    --------
    >>> at_level(np.array([1.0, 1.0]), np.array([10.0, 1e6])).tolist()
    [1.0, 200.0]
    """
    return np.asarray(np.maximum(spread, LEVEL_SHARE * size))


class Source(Protocol):
    """The rows behind a regression, made when somebody asks for them."""

    def columns(self) -> Floats:
        """Regressors as they went in (n, p)."""

    def basis(self) -> Floats:
        """Orthonormal basis of all regressors net of the absorbed effects (n, q)."""

    def residuals(self) -> Floats:
        """Residuals (n)."""

    def covariance(self, loadings: Floats, kind: str, clusters: Ints, counts: Counts) -> Covariance:
        """Covariance of the numbers whose influence is ``basis @ loadings`` (q, m)."""


@dataclass(frozen=True)
class Regression:
    """Least squares with effects absorbed, and all that a covariance or a second opinion needs.

    Rows are multiplied by the square root of their weight in ``influence``, ``residuals`` and ``basis``.

    Attributes
    ----------
    coefficients, identified : arrays (p)
        NaN and False where the data cannot tell the coefficient from the others.
    partners : tuple of tuples
        For each unidentified column, the columns it cannot be told apart from (itself included).
    kept : boolean array (p)
        Columns that a program without a null-space analysis would keep (first independent ones).
    counts : Counts
    loadings : float array (q, p)
        ``influence`` in terms of ``basis`` (zero where not identified).
    source : Source
        Makes the arrays of one row per observation: ``columns`` (n, p), ``influence`` (n, p: how each outcome
        moves each coefficient), ``residuals`` (n) and ``basis`` (n, q).
    """

    coefficients: Floats
    identified: Bools
    partners: tuple[tuple[int, ...], ...]
    kept: Bools
    counts: Counts
    loadings: Floats
    source: Source

    @cached_property
    def columns(self) -> Floats:
        """The terms as they went in (n, p)."""
        return self.source.columns()

    @cached_property
    def basis(self) -> Floats:
        """Orthonormal basis of all regressors net of the absorbed effects (n, q)."""
        return self.source.basis()

    @cached_property
    def influence(self) -> Floats:
        """How each outcome moves each coefficient (n, p)."""
        return self.basis @ self.loadings

    @cached_property
    def residuals(self) -> Floats:
        """Residuals (n)."""
        return self.source.residuals()


@dataclass(frozen=True)
class Solved:
    """The small problem, solved.

    Attributes
    ----------
    identified, kept : boolean arrays (p)
    partners : tuple of tuples
    left : float array (m, r)
        Directions of J that carry something, as columns: the fit in terms of Q.
    inverse : float array (r, p)
        Coefficients are ``inverse.T @ left.T @ (Q'y)``: a generalised inverse.
    """

    identified: Bools
    kept: Bools
    partners: tuple[tuple[int, ...], ...]
    left: Floats
    inverse: Floats

    @property
    def loadings(self) -> Floats:
        """The generalised inverse, zero for coefficients that are not identified (r, p)."""
        return np.asarray(self.inverse * self.identified)


def solve(small: Floats, spread: Floats) -> Solved:
    """Solve for the coefficients of columns ``small`` (m, p).

    Parameters
    ----------
    small
        J, as in this module.
    spread
        Norm of each regressor around its mean, before effects were removed (p).

    Examples
    --------
    >>> found = solve(np.array([[2.0, 2.0, 0.0], [0.0, 0.0, 3.0]]), np.ones(3))
    >>> found.identified.tolist(), found.partners[0]
    ([False, False, True], (0, 1))
    """
    p = small.shape[1]
    if small.shape[0] < p:
        small = np.vstack([small, np.zeros((p - small.shape[0], p))])
    norm = np.sqrt((small**2).sum(axis=0))
    alive = norm > EMPTY_TOLERANCE * np.where(spread > 0, spread, 1.0)
    scaled = small[:, alive] / norm[alive]
    if scaled.shape[1]:
        u, s, vt = np.linalg.svd(scaled, full_matrices=False)
    else:
        u, s, vt = scaled, np.empty(0), np.empty((0, 0))
    rank = int((s > RANK_TOLERANCE).sum())
    inverse = np.zeros((rank, p))
    inverse[:, alive] = vt[:rank] / s[:rank, None] / norm[alive]
    if rank == p:
        return Solved(alive, alive, ((),) * p, u, inverse)
    loads = np.zeros((len(vt) - rank, p))
    loads[:, alive] = vt[rank:]
    identified = alive & (np.abs(loads).max(axis=0, initial=0.0) <= LOADING_TOLERANCE)
    kept = _independent(small, norm, identified, alive)
    return Solved(identified, kept, _partners(loads, identified), u[:, :rank], inverse)


def orthonormal(matrix: Floats, whole: Floats) -> Floats:
    """Return a basis; ``whole`` has the norm of each column before anything was removed from it.

    Examples
    --------
    >>> orthonormal(np.array([[3.0, 6.0], [4.0, 8.0]]), np.ones(2)).shape
    (2, 1)
    """
    norm = np.linalg.norm(matrix, axis=0)
    alive = norm > EMPTY_TOLERANCE * whole
    matrix = matrix[:, alive] / norm[alive]
    if matrix.shape[1] == 0:
        return matrix
    q, r, _ = scipy.linalg.qr(matrix, mode="economic", pivoting=True)
    return np.asarray(q[:, : r.shape[0]][:, np.abs(np.diag(r)) > RANK_TOLERANCE])


def _partners(loads: Floats, identified: Bools) -> tuple[tuple[int, ...], ...]:
    linked = np.abs(loads.T @ loads) > LOADING_TOLERANCE**2
    return tuple(
        () if ok else tuple(int(i) for i in np.flatnonzero(linked[j])) for j, ok in enumerate(identified)
    )


def _independent(net: Floats, norm: Floats, identified: Bools, alive: Bools) -> Bools:
    kept = identified.copy()
    for j in np.flatnonzero(alive & ~identified):
        base = orthonormal(net[:, kept], norm[kept])
        column = net[:, j] / norm[j]
        for _ in range(2):
            column = column - base @ (base.T @ column)
        kept[j] = np.linalg.norm(column) > LOADING_TOLERANCE
    return kept
