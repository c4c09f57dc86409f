"""The linear form of a result: how each outcome enters its numbers, found by asking the estimator.

On a panel without weights and covariates the rows of units of one type (a cohort, and the periods in which
the unit is observed) enter any number with the same weights, so that the estimator, asked for the effect of
one outcome of one unit per type and period, has said everything. A regression knows its weights already.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from clsimpact._again import asked_again
from clsimpact._room import require_room_for_draws
from clsimpact.errors import ClsimpactWarning, DesignError
from clsimpact.inference.blocks import Block, blocks_of, run_blocks
from clsimpact.inference.linear import LinearForm
from clsimpact.inference.wild import RowForm

if TYPE_CHECKING:
    from clsimpact.design import Design
    from clsimpact.results import Estimate

__all__ = ["Forms", "forms_of"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CLOSE = 1e-7
"""Weights rebuild the numbers to this share of their size, or the estimator is not linear in the outcomes.

Eleven estimators agree with their weights to 2e-15; what is not linear differs in the first digits."""

ASKED = 600 * 1200
"""Rows of all panels that an estimator is asked about at most: 600 panels of the study, seconds of refits."""

QUESTIONS = 50
"""Panels that a worker is asked about at a time: a tenth of a second."""

TWO_WAY = ("twfe", "event_study")
"""Estimators whose own regression is the working regression."""

_OTHER = "Ask for a covariance by name, or for Permutation(refit=True)."


@dataclass(frozen=True, eq=False)
class Forms:
    """How outcomes enter the terms of a result and, in the last column, its overall effect.

    Attributes
    ----------
    fit : Estimate
        As the estimator returned it.
    executor : Executor, optional
        Asks the estimator; see `clsimpact.inference.blocks.run_blocks`.
    """

    fit: Estimate
    executor: Executor | None = None

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"executor": None}

    @property
    def design(self) -> Design:
        """The sample."""
        return self.fit.design

    @cached_property
    def obstacle(self) -> str:
        """Why the numbers have no form by type, or nothing."""
        if self.plain_obstacle:
            return self.plain_obstacle
        form, problem = self._form
        return problem if form is None else ""

    @cached_property
    def plain_obstacle(self) -> str:
        """Why there can be no form by type, as far as that is known without asking the estimator."""
        design = self.design
        if design.weights is not None:
            return f"rows are weighted by {design.weights}"
        if design.covariates:
            return f"covariates ({', '.join(design.covariates)}) move the estimate with each re-assignment"
        if design.effects != "unit":
            return f"effects are those of {design.effects}, not of units"
        if design.n_clusters < len(design.units):
            return f"errors are clustered by {design.cluster}, above the unit"
        if self.fit.rows is not None or self.fit.estimator == "synthetic_did":
            return "the weights of units and periods depend on the outcomes"
        if self.fit.again is None:
            return f"{self.fit.estimator} cannot be asked again"
        return "" if _of_regressions(self.fit) else self.long

    @cached_property
    def long(self) -> str:
        """Why it would take long to ask the estimator, or nothing; a regression need not be asked."""
        if self._asked * max(self.design.n_obs, 1200) <= ASKED:
            return ""
        return (
            f"finding its weights takes {self._asked:,} fits of {self.design.n_obs:,} rows "
            f"({self._types[1].max() + 1:,} types of units, by cohort and periods in which they are observed)"
        )

    @cached_property
    def paths(self) -> Ints:
        """Adoption path of each unit (N): 0 for none, else 1 and up by cohort."""
        inside = self.design.in_window
        cohorts = np.unique(self.design.unit_cohorts[inside])
        return np.where(inside, np.searchsorted(cohorts, self.design.unit_cohorts) + 1, 0).astype(np.int64)

    @cached_property
    def seen(self) -> NDArray[np.bool_]:
        """True (N, T) where a unit is observed."""
        design = self.design
        out = np.zeros((len(design.units), len(design.periods)), dtype=bool)
        out[design.unit_codes, design.time_codes] = True
        return out

    @cached_property
    def patterns(self) -> Ints:
        """Number of the set of periods in which each unit is observed (N)."""
        return np.unique(self.seen, axis=0, return_inverse=True)[1].ravel().astype(np.int64)

    @property
    def types(self) -> Ints:
        """Type of each unit (N)."""
        return self._types[1]

    @cached_property
    def _types(self) -> tuple[Ints, Ints]:
        """First unit of each type (K), and the type of each unit (N); sorted by path and pattern."""
        keys = np.column_stack([self.paths, self.patterns])
        _, first, types = np.unique(keys, axis=0, return_index=True, return_inverse=True)
        return first.astype(np.int64), types.ravel().astype(np.int64)

    @property
    def _asked(self) -> int:
        return int((self.seen[self._types[0]].sum(axis=1) - 1).sum())

    @property
    def roots(self) -> Floats:
        """What `by_row` multiplies each row by (n): the root of its weight, or one."""
        from clsimpact.estimators._compress import mean_one

        w = self.design.w
        return np.ones(self.design.n_obs) if w is None else np.sqrt(mean_one(w))

    @property
    def donors(self) -> NDArray[np.bool_]:
        """True (N) for units whose residuals can stand for an adopter's: controls seen in every period."""
        return np.asarray((self.paths == 0) & self.seen.all(axis=1))

    @cached_property
    def outcomes(self) -> Floats:
        """Outcomes net of unit means (N, T), zero where there is no row."""
        return self._net(self._laid(self.design.y))

    def _laid(self, rows: Floats) -> Floats:
        out = np.zeros((*self.seen.shape, *rows.shape[1:]))
        out[self.design.unit_codes, self.design.time_codes] = rows
        return out

    def _net(self, laid: Floats) -> Floats:
        means = laid.sum(axis=1) / self.seen.sum(axis=1)
        return np.where(self.seen, laid - means[:, None], 0.0)

    @cached_property
    def _form(self) -> tuple[LinearForm | None, str]:
        first, types = self._types
        weights = self._own_weights(first)
        if weights is None:
            weights = self._asked_weights(first)
        sizes = np.bincount(types)
        basis = self._laid(_working(self.fit))[first]
        form = LinearForm(weights, basis, sizes.astype(np.int64))
        rebuilt = np.einsum("nt,ntp->p", self.outcomes, weights[types])
        size = np.einsum("nt,ntp->p", np.abs(self.outcomes), np.abs(weights[types]))
        wrong = np.abs(rebuilt - np.nan_to_num(_numbers(self.fit))) > CLOSE * size
        if wrong.any():
            return None, f"{self.fit.estimator} is not linear in the outcomes"
        return form, ""

    @property
    def by_type(self) -> LinearForm:
        """The form by type, or `DesignError` with the obstacle."""
        if self.obstacle:
            raise DesignError(
                f"The numbers of {self.fit.estimator} have no form by type: {self.obstacle}.", repair=_OTHER
            )
        form = self._form[0]
        if form is None:
            raise DesignError(f"There is no form by type: {self._form[1]}.", repair=_OTHER)
        return form

    def _own_weights(self, first: Ints) -> Floats | None:
        """Weights that the result knows (K, T, p + 1), or None."""
        rows = _regression_weights(self.fit)
        return None if rows is None else self._laid(rows)[first]

    def _asked_weights(self, first: Ints) -> Floats:
        """Weights by asking the estimator about one outcome at a time (K, T, p + 1)."""
        design, again = self.design, asked_again(self.fit)
        rows = [
            np.arange(design.unit_rows[unit], design.unit_rows[unit + 1] - 1, dtype=np.int64)
            for unit in first
        ]
        asked, kinds = np.concatenate(rows), np.repeat(np.arange(first.size), [len(part) for part in rows])
        ask = partial(_answers, again, design, asked)
        blocks = blocks_of(asked.size, seed=0, size=QUESTIONS)
        found = np.vstack(run_blocks(ask, blocks, executor=self.executor, threads=False))
        out = np.zeros((first.size, self.seen.shape[1], found.shape[1]))
        out[kinds, design.time_codes[asked]] = found
        last = design.time_codes[design.unit_rows[first + 1] - 1]
        out[np.arange(first.size), last] = -out.sum(axis=1)
        return out

    @cached_property
    def by_row(self) -> RowForm:
        """The form by row: of the own regression, or of the working regression."""
        fit, design = self.fit, self.design
        require_room_for_draws(len(fit.terms), design.n_obs)
        rows, numbers = _regression_weights(fit), np.nan_to_num(_numbers(fit))
        regression = getattr(fit.uncertainty, "regression", None)
        if regression is not None and rows is not None and (fit.estimator in TWO_WAY or self.obstacle):
            factor = fit.uncertainty.covariance("CR1").factor  # type: ignore[union-attr]
            basis, error = regression.basis, regression.residuals
            return RowForm(rows, basis, error, design.cluster_codes, numbers, factor)
        weights = self.by_type.weights[self.types] if fit.rows is None else fit.rows()
        taken = weights[design.unit_codes, design.time_codes]
        basis = _working(fit)
        y = self.outcomes[design.unit_codes, design.time_codes]
        error = y - basis @ (basis.T @ y)
        n, g = design.n_obs, design.n_clusters
        factor = g / (g - 1) * (n - 1) / (n - basis.shape[1] - 1)
        return RowForm(taken, basis, error, design.cluster_codes, numbers, factor)


def _answers(again: Callable[[Design], Estimate], design: Design, asked: Ints, block: Block) -> Floats:
    """Numbers of the estimator for the outcomes that are one in one row and zero elsewhere."""
    out = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ClsimpactWarning)
        for row in asked[block.start : block.stop]:
            y = np.zeros(design.n_obs)
            y[row] = 1.0
            out.append(np.nan_to_num(_numbers(again(design.with_outcome(y)))))
    return np.array(out)


def forms_of(fit: Estimate) -> Forms:
    """Return the forms of a result."""
    return Forms(fit)


def _numbers(fit: Estimate) -> Floats:
    """Estimates of the terms and, last, of the overall effect where it is more than a mean of terms."""
    terms = np.where(fit.identified, fit.estimates, np.nan)
    if fit.total is None:
        return terms
    return np.append(terms, np.where(fit.total.identified, fit.total.estimates, np.nan))


def _of_regressions(fit: Estimate) -> bool:
    """Whether terms and overall effect come from regressions, which know their weights."""
    parts = (fit,) if fit.total is None else (fit, fit.total)
    return all(getattr(part.uncertainty, "regression", None) is not None for part in parts)


def _regression_weights(fit: Estimate) -> Floats | None:
    """Weights of the rows in the terms and the overall effect (n, p), where all come from one regression."""
    columns = []
    for part in (fit,) if fit.total is None else (fit, fit.total):
        source = part.uncertainty
        regression = getattr(source, "regression", None)
        if regression is None:
            return None
        mixed = getattr(source, "weights", None)
        influence = (
            regression.influence if mixed is None else regression.basis @ (regression.loadings @ mixed)
        )
        padded = np.hstack([influence, np.zeros((len(influence), 1))])
        places = [
            slot if slot is not None and ok else -1
            for slot, ok in zip(part.slots, part.identified, strict=True)
        ]
        columns.append(padded[:, places])
    return np.hstack(columns)


def _working(fit: Estimate) -> Floats:
    """Orthonormal basis (n, q) of the working regression.

    That of two-way fixed effects themselves, else of a path of effects by event time, else of one effect.
    """
    from clsimpact.estimators.event_study import event_study
    from clsimpact.estimators.twfe import twfe

    if fit.estimator in TWO_WAY:
        return fit.fitted().basis
    plain = fit.design
    ways: tuple[Callable[[Design], Estimate], ...] = (
        lambda design: event_study(design, inference="CR0"),
        lambda design: twfe(design, inference="CR0"),
    )
    for way in ways:
        try:
            return way(plain).fitted().basis
        except DesignError as error:
            problem = error
    raise problem
