r"""Exact least squares with effects absorbed: the regression and its uncertainty.

The model is :math:`y = \alpha_{g} + N\gamma + X\beta + \varepsilon` with a group effect for each row,
nuisance columns N (time effects, and the rest of the effects) and the terms X. With unit effects the grid of
units by periods gives everything in closed form (`clsimpact.estimators._within_grid`). With effects of
another column there are few of them: group effects go by (weighted) group means, and the nuisance columns get
an orthonormal basis by pivoted QR. Nothing iterates and nothing depends on a convergence tolerance.

A coefficient is identified when no direction of the null space of the remaining columns loads on it. The
others are reported as not identified; their columns still span the same space, so the identified ones are
unaffected.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from clsimpact import _explain
from clsimpact.design import Design
from clsimpact.errors import DesignError
from clsimpact.estimators._compress import Layout, layout_of, mean_one
from clsimpact.estimators._within_grid import regress_cells
from clsimpact.estimators._within_solve import Regression, at_level, orthonormal, solve
from clsimpact.inference.random_effects import imbens_kolesar
from clsimpact.inference.sandwich import KINDS, Counts, Covariance, sandwich
from clsimpact.results import Estimate, Term, checked_level, embedded

__all__ = ["LeastSquares", "Regression", "build", "demean", "least_squares", "regress", "regress_table"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class LeastSquares:
    """Uncertainty of the coefficients of a regression, or of fixed combinations of them.

    Attributes
    ----------
    regression : Regression
    clusters : integer array (n)
        Cluster of each row.
    weights : float array (p, m) or None
        The combinations; None for the coefficients themselves.
    """

    regression: Regression
    clusters: Ints
    weights: Floats | None = None
    _found: dict[str, Covariance] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def kinds(self) -> tuple[str, ...]:
        """Covariances on offer."""
        return (*KINDS, "jackknife", "CR2_IK")

    @property
    def plain(self) -> Regression | None:
        """The regression, where the numbers are its coefficients."""
        return self.regression if self.weights is None else None

    def covariance(self, kind: str) -> Covariance:
        """Covariance matrix of all numbers, with degrees of freedom (kept for the next call)."""
        if kind not in self._found:
            self._found[kind] = self._covariance(kind)
        return self._found[kind]

    def _covariance(self, kind: str) -> Covariance:
        if kind == "jackknife":
            found, g = self.covariance("CR3"), self.regression.counts.n_clusters
            share, text = (g - 1) / g, f"jackknife = {g - 1}/{g} = {(g - 1) / g:.4f}"
            return replace(found, kind=kind, matrix=share * found.matrix, factor=share, factor_text=text)
        if kind == "CR2_IK":
            return self._imbens_kolesar()
        return self.regression.source.covariance(self._loadings, kind, self.clusters, self.regression.counts)

    def _imbens_kolesar(self) -> Covariance:
        """CR2 with the degrees of freedom of a random effect per cluster; unit effects take it out."""
        found, source = (
            replace(self.covariance("CR2"), kind="CR2_IK", factor_text="CR2 = 1"),
            self.regression.source,
        )
        if not isinstance(source, _Rows):
            return found
        if source.weighted:
            raise DesignError(
                "CR2_IK is not defined with weights: its random effect is the same on all rows of a cluster.",
                repair="Use CR2 (Satterthwaite degrees of freedom), or a design without weights.",
            )
        base, error = source.base, source.error
        columns = (base @ self._loadings).T
        df = [imbens_kolesar(p, base, self.clusters, residuals=error) for p in columns]
        return replace(found, df=np.array(df))

    @property
    def _loadings(self) -> Floats:
        own = self.regression.loadings
        return own if self.weights is None else own @ self.weights

    def combine(self, weights: Floats) -> LeastSquares:
        """Return fixed combinations ``weights`` (p, m) of these numbers."""
        return replace(self, weights=weights if self.weights is None else self.weights @ weights)


@dataclass(frozen=True)
class _Rows:
    """A regression whose rows are at hand: `Source` for effects other than those of units."""

    terms: Floats
    base: Floats
    error: Floats
    weighted: bool

    def columns(self) -> Floats:
        return self.terms

    def basis(self) -> Floats:
        return self.base

    def residuals(self) -> Floats:
        return self.error

    def covariance(self, loadings: Floats, kind: str, clusters: Ints, counts: Counts) -> Covariance:
        return sandwich(self.base @ loadings, self.error, self.base, clusters, kind=kind, counts=counts)


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
    if design.effects == "unit":
        layout = layout_of(design)
        empty = np.full((layout.levels.size + 1, len(design.periods)), -1)
        extra = np.array([layout.laid(column) for column in terms.T]).reshape(-1, *layout.mass.shape)
        return regress_cells(layout, empty, extra=extra)
    nested = _nested(design.effect_codes, design.cluster_codes)
    cohorts = np.unique(design.cohorts[~np.isnan(design.cohorts)])
    nuisance = np.column_stack(
        [_dummies(design.time_codes)[:, 1:], *((design.cohorts == c).astype(float) for c in cohorts)]
    )
    if not nested:
        ones = np.ones((design.n_obs, 1))
        nuisance = np.column_stack([ones, _dummies(design.effect_codes)[:, 1:], nuisance])
    return least_squares(
        design.y,
        terms,
        absorb=design.effect_codes if nested else None,
        nuisance=nuisance,
        w=design.w,
        n_clusters=design.n_clusters,
    )


def regress_table(layout: Layout, table: Ints) -> Regression:
    """Regress the outcome on indicators of cohort and period, with the effects of the design.

    Parameters
    ----------
    layout
        The design, compressed.
    table
        Column of each cohort code and period (C + 1, T), -1 for none.
    """
    design = layout.design
    if design.effects == "unit":
        return regress_cells(layout, table)
    at = layout.row_values(table)
    same: Bools = at[:, None] == np.arange(table.max() + 1)
    return regress(design, same.astype(np.float64))


def least_squares(
    y: Floats,
    terms: Floats,
    *,
    absorb: Ints | None,
    nuisance: Floats,
    w: Floats | None = None,
    n_clusters: int,
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

    Examples
    --------
    A 2x2 table: the difference of differences is (7 - 2) - (4 - 1) = 2.

    >>> y = np.array([2.0, 7.0, 1.0, 4.0])
    >>> d, after = np.array([[0.0], [1], [0], [0]]), np.array([[0.0], [1], [0], [1]])
    >>> fit = least_squares(y, d, absorb=np.array([0, 0, 1, 1]), nuisance=after, n_clusters=2)
    >>> round(float(fit.coefficients[0]), 12)
    2.0
    """
    root = np.ones(y.size) if w is None else np.sqrt(mean_one(w))
    moving = np.column_stack([y, terms, nuisance])
    if absorb is not None:
        moving = demean(moving, absorb, w=None if w is None else mean_one(w))
    moving *= root[:, None]
    around, size = (
        np.linalg.norm(values * root[:, None], axis=0) for values in (terms - terms.mean(axis=0), terms)
    )
    base = orthonormal(moving[:, 1 + terms.shape[1] :], np.linalg.norm(nuisance * root[:, None], axis=0))
    left = moving[:, : 1 + terms.shape[1]]
    for _ in range(2):
        left = left - base @ (base.T @ left)
    target, (q, r) = left[:, 0], np.linalg.qr(left[:, 1:])
    solved = solve(r, at_level(around, size))
    fitted = q @ solved.left[: q.shape[1]]
    k = fitted.shape[1] + base.shape[1] + (absorb is not None)
    k_all = k if absorb is None else k - 1 + int(absorb.max()) + 1
    return Regression(
        coefficients=np.where(solved.identified, solved.inverse.T @ (fitted.T @ target), np.nan),
        identified=solved.identified,
        partners=solved.partners,
        kept=solved.kept,
        counts=Counts(n_obs=y.size, n_clusters=n_clusters, k_nested=k, k_all=k_all),
        loadings=np.vstack([np.zeros((base.shape[1], terms.shape[1])), solved.loadings]),
        source=_Rows(
            terms, np.column_stack([base, fitted]), target - fitted @ (fitted.T @ target), w is not None
        ),
    )


def _dummies(codes: Ints) -> Floats:
    same: Bools = codes[:, None] == np.arange(codes.max() + 1)
    return same.astype(np.float64)


def _nested(inner: Ints, outer: Ints) -> bool:
    pairs = np.unique(np.column_stack([inner, outer]), axis=0)
    return len(pairs) == int(inner.max()) + 1


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
    row_terms: Ints | None = None,
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
            reason = _explain.reason(design, regression, slot, names, terms[i].n_units)
            if reason != terms[i].reason:
                terms[i] = replace(terms[i], reason=reason)
    uncertainty = LeastSquares(regression, design.cluster_codes)
    return Estimate(
        estimator=estimator,
        design=design,
        terms=tuple(terms),
        estimates=estimates,
        identified=identified,
        vcov=embedded(uncertainty, slots, identified, covariance),
        level=checked_level(level),
        equation=_explain.equation(design, middle),
        notes=notes,
        uncertainty=uncertainty,
        slots=slots,
        row_terms=row_terms,
    )


def _require_names(names: list[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        problems = [f"two terms would be called {name!r}" for name in twice]
        raise DesignError("Terms need names of their own.", problems, repair="Rename or drop the covariate.")
