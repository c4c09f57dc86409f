r"""Exact least squares with effects absorbed, on arrays.

The model is :math:`y = \alpha_{g} + N\gamma + X\beta + \varepsilon` with a group effect for each row,
nuisance columns N (time effects, and the rest of the effects) and the terms X. Group effects go by
(weighted) group means; the nuisance columns, net of groups, get an orthonormal basis: in closed form on a
balanced unweighted panel, by pivoted QR otherwise. Nothing iterates and nothing depends on a convergence
tolerance.

A coefficient is identified when no direction of the null space of the remaining columns loads on it. The
others are reported as not identified; their columns still span the same space, so the identified ones are
unaffected.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from clsimpact import _explain
from clsimpact.design import Design
from clsimpact.errors import DesignError
from clsimpact.inference.sandwich import Counts
from clsimpact.results import Estimate, Term, checked_level, embedded

__all__ = ["Regression", "build", "demean", "least_squares", "regress"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

EMPTY_TOLERANCE = 1e-10
"""A column whose norm falls below this share of its spread holds only rounding error once effects are
removed."""

RANK_TOLERANCE = 1e-10
"""Singular values (columns have norm one) below this are zero; rounding gives about 1e-15 times the column
count."""

LOADING_TOLERANCE = 1e-6
"""A coefficient loading on the null space by more than this is not identified; rounding gives about 1e-12."""


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
    columns : float array (n, p)
        The terms as they went in.
    influence : float array (n, p)
        How each outcome moves each coefficient (zero where not identified).
    residuals : float array (n)
    basis : float array (n, q)
        Orthonormal basis of all regressors net of the absorbed effects.
    counts : Counts
    """

    coefficients: Floats
    identified: Bools
    partners: tuple[tuple[int, ...], ...]
    kept: Bools
    columns: Floats
    influence: Floats
    residuals: Floats
    basis: Floats
    counts: Counts


def demean(values: Floats, codes: Ints, *, w: Floats | None = None) -> Floats:
    """Subtract the (weighted) mean of each group from each column.

    Examples
    --------
    >>> demean(np.array([[1.0], [3.0], [5.0]]), np.array([0, 0, 1])).ravel().tolist()
    [-1.0, 1.0, 0.0]
    """
    mass = np.bincount(codes, weights=w)
    out = np.empty_like(values)
    for j, column in enumerate(values.T):
        total = np.bincount(codes, weights=column if w is None else column * w)
        out[:, j] = column - (total / mass)[codes]
    return out


def regress(design: Design, columns: Floats) -> Regression:
    """Regress the outcome on ``columns`` (n, p) and the covariates, with the effects of the design."""
    terms = np.column_stack([columns, design.X])
    nested = _nested(design.effect_codes, design.cluster_codes)
    absorb = design.effect_codes if nested else None
    nuisance = _dummies(design.time_codes)[:, 1:]
    if design.effects != "unit":
        cohorts = np.unique(design.cohorts[~np.isnan(design.cohorts)])
        nuisance = np.column_stack([nuisance, *((design.cohorts == c).astype(float) for c in cohorts)])
    if absorb is None:
        ones = np.ones((design.n_obs, 1))
        nuisance = np.column_stack([ones, _dummies(design.effect_codes)[:, 1:], nuisance])
    known = _balanced_time_basis(design) if absorb is not None and design.effects == "unit" else None
    return least_squares(
        design.y,
        terms,
        absorb=absorb,
        nuisance=nuisance,
        w=design.w,
        n_clusters=design.n_clusters,
        known_basis=known,
    )


def least_squares(
    y: Floats,
    terms: Floats,
    *,
    absorb: Ints | None,
    nuisance: Floats,
    w: Floats | None = None,
    n_clusters: int,
    known_basis: Floats | None = None,
) -> Regression:
    """Solve the model of this module.

    Parameters
    ----------
    y, terms, nuisance
        Arrays (n), (n, p) and (n, m).
    absorb
        Group of each row, removed by group means; None to absorb nothing.
    w
        Positive weights (n); only their ratios matter.
    n_clusters
        Number of clusters, kept with the other counts.
    known_basis
        Orthonormal basis of the nuisance columns net of groups, where a closed form gives it.

    Examples
    --------
    A 2x2 table: the difference of differences is (7 - 2) - (4 - 1) = 2.

    >>> y = np.array([2.0, 7.0, 1.0, 4.0])
    >>> d, after = np.array([[0.0], [1], [0], [0]]), np.array([[0.0], [1], [0], [1]])
    >>> fit = least_squares(y, d, absorb=np.array([0, 0, 1, 1]), nuisance=after, n_clusters=2)
    >>> round(float(fit.coefficients[0]), 12)
    2.0
    """
    w = None if w is None else _mean_one(w)
    root = np.ones(y.size) if w is None else np.sqrt(w)
    moving = np.column_stack([y, terms, nuisance])
    if absorb is not None:
        moving = demean(moving, absorb, w=w)
    moving *= root[:, None]
    p = terms.shape[1]
    spread = np.linalg.norm((terms - terms.mean(axis=0)) * root[:, None], axis=0)
    whole = np.linalg.norm(nuisance * root[:, None], axis=0)
    base = _orthonormal(moving[:, 1 + p :], whole) if known_basis is None else known_basis
    left = moving[:, : 1 + p]
    for _ in range(2):
        left = left - base @ (base.T @ left)
    target, net = left[:, 0], left[:, 1:]
    norm = np.linalg.norm(net, axis=0)
    alive = norm > EMPTY_TOLERANCE * np.where(spread > 0, spread, 1.0)
    u, s, vt = _svd(net[:, alive] / norm[alive])
    rank = int((s > RANK_TOLERANCE).sum())
    loads = np.zeros((len(vt) - rank, p))
    loads[:, alive] = vt[rank:]
    identified = alive & (np.abs(loads).max(axis=0, initial=0.0) <= LOADING_TOLERANCE)
    influence = np.zeros_like(net)
    influence[:, alive] = (u[:, :rank] @ (vt[:rank] / s[:rank, None])) / norm[alive]
    influence[:, ~identified] = 0.0
    fitted = u[:, :rank]
    k = rank + base.shape[1] + (absorb is not None)
    k_all = k if absorb is None else k - 1 + int(absorb.max()) + 1
    return Regression(
        coefficients=np.where(identified, influence.T @ target, np.nan),
        identified=identified,
        partners=_partners(loads, identified),
        kept=_independent(net, norm, identified, alive),
        columns=terms,
        influence=influence,
        residuals=target - fitted @ (fitted.T @ target),
        basis=np.column_stack([base, fitted]),
        counts=Counts(n_obs=y.size, n_clusters=n_clusters, k_nested=k, k_all=k_all),
    )


def _mean_one(w: Floats) -> Floats:
    """Scale weights in two steps, so that neither the sum nor a quotient overflows."""
    share = w / w.max()
    return np.asarray(share / share.mean())


def _svd(matrix: Floats) -> tuple[Floats, Floats, Floats]:
    if matrix.shape[1] == 0:
        return matrix, np.empty(0), np.empty((0, 0))
    q, r = np.linalg.qr(matrix)
    u, s, vt = np.linalg.svd(r)
    return q @ u[:, : s.size], s, vt


def _orthonormal(matrix: Floats, whole: Floats) -> Floats:
    """Return a basis; ``whole`` has the norm of each column before anything was removed from it."""
    norm = np.linalg.norm(matrix, axis=0)
    alive = norm > EMPTY_TOLERANCE * whole
    matrix = matrix[:, alive] / norm[alive]
    if matrix.shape[1] == 0:
        return matrix
    q, r, _ = scipy.linalg.qr(matrix, mode="economic", pivoting=True)
    return np.asarray(q[:, np.abs(np.diag(r)) > RANK_TOLERANCE])


def _balanced_time_basis(design: Design) -> Floats | None:
    n_units, n_periods = len(design.units), len(design.periods)
    if design.w is not None or design.n_obs != n_units * n_periods:
        return None
    contrasts = scipy.linalg.helmert(n_periods).T / np.sqrt(n_units)
    return np.asarray(np.tile(contrasts, (n_units, 1)))


def _dummies(codes: Ints) -> Floats:
    same: Bools = codes[:, None] == np.arange(codes.max() + 1)
    return same.astype(np.float64)


def _nested(inner: Ints, outer: Ints) -> bool:
    pairs = np.unique(np.column_stack([inner, outer]), axis=0)
    return len(pairs) == int(inner.max()) + 1


def _partners(loads: Floats, identified: Bools) -> tuple[tuple[int, ...], ...]:
    linked = np.abs(loads.T @ loads) > LOADING_TOLERANCE**2
    return tuple(
        () if ok else tuple(int(i) for i in np.flatnonzero(linked[j])) for j, ok in enumerate(identified)
    )


def _independent(net: Floats, norm: Floats, identified: Bools, alive: Bools) -> Bools:
    kept = identified.copy()
    for j in np.flatnonzero(alive & ~identified):
        base = _orthonormal(net[:, kept], norm[kept])
        column = net[:, j] / norm[j]
        for _ in range(2):
            column = column - base @ (base.T @ column)
        kept[j] = np.linalg.norm(column) > LOADING_TOLERANCE
    return kept


def build(
    *,
    estimator: str,
    design: Design,
    regression: Regression,
    terms: Sequence[Term],
    slots: tuple[int | None, ...],
    middle: str,
    covariance: str,
    level: float,
    notes: tuple[str, ...] = (),
) -> Estimate:
    """Join a regression, its terms and its covariance into an `Estimate` (for estimators)."""
    first = sum(slot is not None for slot in slots)
    slots = (*slots, *range(first, first + len(design.covariates)))
    terms = [*terms, *(Term(name, None, None, None, None) for name in design.covariates)]
    _require_names([term.name for term in terms])
    names = {slot: term.name for slot, term in zip(slots, terms, strict=True) if slot is not None}
    estimates, identified = np.zeros(len(terms)), np.zeros(len(terms), dtype=bool)
    for i, slot in enumerate(slots):
        if slot is not None:
            estimates[i], identified[i] = regression.coefficients[slot], regression.identified[slot]
            terms[i] = replace(
                terms[i], reason=_explain.reason(design, regression, slot, names, terms[i].n_units)
            )
    return Estimate(
        estimator=estimator,
        design=design,
        terms=tuple(terms),
        estimates=estimates,
        identified=identified,
        vcov=embedded(regression, slots, design, covariance),
        level=checked_level(level),
        equation=_explain.equation(design, middle),
        notes=notes,
        regression=regression,
        slots=slots,
    )


def _require_names(names: list[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        problems = [f"two terms would be called {name!r}" for name in twice]
        raise DesignError("Terms need names of their own.", problems, repair="Rename or drop the covariate.")
