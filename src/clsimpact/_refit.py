"""Randomisation inference by estimating every re-assigned panel again: for designs without a form by type.

With weights or covariates an outcome enters an estimate in another way under each re-assignment, so nothing
can be kept between draws but the panel itself. A draw costs a fit: hand an executor over.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from clsimpact._again import asked_again
from clsimpact.errors import ClsimpactWarning, DesignError
from clsimpact.inference.assignments import Assignments, Small
from clsimpact.inference.blocks import Block, blocks_of, joined, run_blocks
from clsimpact.inference.draws import Drawn

if TYPE_CHECKING:
    from clsimpact.design import Design
    from clsimpact.results import Estimate

__all__ = ["Refits", "best_kind", "refits"]

Floats = NDArray[np.float64]

SIZE = 25
"""Refits of a block: a fraction of a second, so that workers share the work evenly."""


@dataclass(frozen=True)
class _Job:
    again: Callable[[Design], Estimate]
    design: Design
    assignments: Assignments
    names: tuple[str, ...]
    width: int
    kind: str

    def estimated(self, own: Small) -> tuple[Floats, Floats]:
        """Numbers of the panel under one re-assignment (N), and their covariance."""
        inside = self.design.in_window
        cohorts = np.append(np.nan, np.unique(self.design.unit_cohorts[inside]))
        given = np.where((own == 0) & ~inside, self.design.unit_cohorts, cohorts[own])
        fit = self.again(self.design.with_cohorts(given))
        return _numbers(fit, self.kind, self.names, self.width)


@dataclass(frozen=True)
class _Listed(Block):
    """A block of re-assignments that are enumerated: ``paths`` (size, N) are its own."""

    paths: Small


@dataclass(frozen=True)
class Refits:
    """Numbers of every re-assigned panel and their covariances: any combination follows without a refit.

    Attributes
    ----------
    numbers : float array (B + 1, p)
        Terms and, last, the overall effect where it is a number of its own; the last row was observed.
        NaN where a number is not identified.
    matrices : float array (B + 1, p, p)
    studentised : bool
        Whether statistics are estimates over errors, or the estimates.
    enumerated : bool
    count : int
        Re-assignments that there are.
    """

    numbers: Floats
    matrices: Floats
    studentised: bool
    enumerated: bool
    count: int

    @property
    def lost(self) -> int:
        """Number of re-assigned panels that have no statistic at all; they count against an effect."""
        gone = np.isnan(self.numbers[:-1])
        if self.studentised:
            gone |= ~(np.diagonal(self.matrices[:-1], axis1=1, axis2=2) > 0)
        return int(gone.all(axis=1).sum())

    def drawn(self, weights: Floats) -> Drawn:
        """Return the draws of combinations ``weights`` (p, m)."""
        used = weights != 0
        lost = (np.isnan(self.numbers).astype(float) @ used.astype(float)) > 0
        numbers = np.where(lost, np.nan, np.nan_to_num(self.numbers) @ weights)
        variance = np.einsum("im,bij,jm->bm", weights, np.nan_to_num(self.matrices), weights, optimize=True)
        errors = np.sqrt(np.where(lost | (variance <= 0), np.nan, variance))
        if not self.studentised:
            errors = np.where(lost, np.nan, 1.0)
        with np.errstate(invalid="ignore"):
            statistics = np.nan_to_num(numbers[:-1] / errors[:-1], nan=np.inf)
        return Drawn(numbers[-1], errors[-1], statistics, (), self.enumerated, self.count)


def best_kind(fit: Estimate) -> str:
    """Return the covariance that statistics are studentised with: path errors where weights are kept."""
    offered = () if fit.uncertainty is None else fit.uncertainty.kinds
    if fit.rows is not None:
        return "path"
    return next((kind for kind in ("CR2", "jackknife", "CR3", "CR1") if kind in offered), fit.vcov.kind)


def refits(
    fit: Estimate,
    assignments: Assignments,
    *,
    studentise: bool,
    draws: int,
    seed: int,
    executor: Executor | None,
    progress: bool,
) -> Refits:
    """Re-assign adoption, effects taken out at their estimates, and estimate again.

    Raises
    ------
    DesignError
        A result that cannot be asked again, or of which no re-assigned panel can be estimated.
    """
    again = asked_again(fit)
    kind, names = best_kind(fit), tuple(term.name for term in fit.terms)
    width = len(names) + (fit.total is not None)
    observed = _numbers(fit, kind, names, width)
    clean = fit.design.with_outcome(fit.design.y - _path(fit.design))
    every = assignments.count <= draws
    job = _Job(again, clean, assignments, names, width, kind)
    blocks = blocks_of(assignments.count if every else draws, seed=seed, size=SIZE)
    if every:
        ways = assignments.every()
        blocks = tuple(_Listed(seed, b.start, b.stop, ways[b.start : b.stop]) for b in blocks)
    run = partial(_block, job)
    numbers, matrices = joined(
        run_blocks(run, blocks, executor=executor, progress=progress, label="refits", threads=False)
    )
    numbers, matrices = np.vstack([numbers, observed[0]]), np.concatenate([matrices, observed[1][None]])
    found = Refits(numbers, matrices, studentise, every, assignments.count)
    if found.lost == len(numbers) - 1:
        raise _all_lost(job, blocks[0], found.lost)
    return found


def _all_lost(job: _Job, block: Block, count: int) -> DesignError:
    """Return the error for a result of which no re-assigned panel can be estimated, with the first reason."""
    why = "no number has an estimate and an error"
    try:
        job.estimated(_paths(job, block)[0])
    except DesignError as error:
        why = " ".join([error.summary, *error.problems])
    return DesignError(
        f"None of {count} re-assigned panels can be estimated.",
        [f"the first: {why}"],
        repair="Use strata within which units can stand for each other, another estimator, or 'wild'.",
    )


def _path(design: Design) -> Floats:
    """Effect of each row by event time, as two-way fixed effects estimate it (n); zero at the reference."""
    from clsimpact.estimators.event_study import event_study

    fit = event_study(design, inference="CR0")
    effects = np.append(np.where(fit.identified, fit.estimates, 0.0), 0.0)
    rows = np.full(design.n_obs, -1) if fit.row_terms is None else fit.row_terms
    return np.asarray(effects[rows])


def _paths(job: _Job, block: Block) -> Small:
    """Return the re-assignments of a block (size, N)."""
    return block.paths if isinstance(block, _Listed) else job.assignments.draw(block)


def _block(job: _Job, block: Block) -> tuple[Floats, Floats]:
    """Estimate the panels of one block; NaN where one cannot be estimated (`Refits.lost` counts them)."""
    paths = _paths(job, block)
    numbers = np.full((len(paths), job.width), np.nan)
    matrices = np.full((len(paths), job.width, job.width), np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ClsimpactWarning)
        for i, own in enumerate(paths):
            try:
                numbers[i], matrices[i] = job.estimated(own)
            except DesignError:
                continue
    return numbers, matrices


def _numbers(fit: Estimate, kind: str, names: tuple[str, ...], width: int) -> tuple[Floats, Floats]:
    """Named terms and, last, the overall effect (width), and their covariance: that of ``kind``."""
    from clsimpact._combine import with_kind

    fit = fit.with_inference("path") if kind == "path" else with_kind(fit, kind, fit.level)
    place = {term.name: i for i, term in enumerate(fit.terms)}
    at = np.array([place.get(name, -1) for name in names])
    known = (at >= 0) & np.append(fit.identified, False)[at]
    p, numbers, matrix = len(names), np.full(width, np.nan), np.full((width, width), np.nan)
    numbers[:p] = np.where(known, np.append(fit.estimates, np.nan)[at], np.nan)
    matrix[:p, :p] = np.where(known[:, None] & known, np.pad(fit.vcov.matrix, (0, 1))[np.ix_(at, at)], np.nan)
    if fit.total is not None and width > p:
        numbers[p], matrix[p, p] = fit.total.estimates[0], fit.total.vcov.matrix[0, 0]
    return numbers, matrix
