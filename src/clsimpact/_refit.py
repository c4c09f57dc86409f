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

from clsimpact.errors import ClsimpactWarning, DesignError
from clsimpact.inference.assignments import Assignments
from clsimpact.inference.blocks import Block, blocks_of, joined, run_blocks
from clsimpact.inference.draws import Drawn

if TYPE_CHECKING:
    from clsimpact.design import Design
    from clsimpact.results import Estimate

__all__ = ["best_kind", "permute_by_refit"]

Floats = NDArray[np.float64]

SIZE = 25
"""Refits of a block: a fraction of a second, so that workers share the work evenly."""


@dataclass(frozen=True)
class _Job:
    again: Callable[[Design], Estimate]
    design: Design
    assignments: Assignments
    names: tuple[str, ...]
    weights: Floats
    kind: str
    studentise: bool
    every: bool


def best_kind(fit: Estimate) -> str:
    """Return the covariance that statistics are studentised with."""
    offered = () if fit.uncertainty is None else fit.uncertainty.kinds
    return next((kind for kind in ("CR2", "jackknife", "CR3", "CR1") if kind in offered), fit.vcov.kind)


def permute_by_refit(
    fit: Estimate,
    assignments: Assignments,
    weights: Floats,
    *,
    studentise: bool,
    draws: int,
    seed: int,
    executor: Executor | None,
    progress: bool,
) -> Drawn:
    """Re-assign adoption, effects taken out at their estimates, and estimate again.

    ``weights`` (terms and overall effect, m) are combinations; see `clsimpact.inference.randomisation`.
    """
    from clsimpact._combine import with_kind

    if fit.again is None:
        raise DesignError(f"{fit.estimator} cannot be asked again.")
    kind, names = best_kind(fit), tuple(term.name for term in fit.terms)
    whole = with_kind(fit, kind, fit.level)
    estimates, errors = _combined(whole, names, weights)
    errors = errors if studentise else np.where(np.isfinite(errors), 1.0, np.nan)
    clean = fit.design.with_outcome(fit.design.y - _path(fit.design))
    every = assignments.count <= draws
    job = _Job(fit.again, clean, assignments, names, weights, kind, studentise, every)
    blocks = (Block(seed, 0, assignments.count),) if every else blocks_of(draws, seed=seed, size=SIZE)
    run = partial(_statistics, job)
    (found,) = joined(
        run_blocks(run, blocks, executor=executor, progress=progress, label="refits", threads=False)
    )
    return Drawn(estimates, errors, found, (), every, assignments.count)


def _path(design: Design) -> Floats:
    """Effect of each row by event time, as two-way fixed effects estimate it (n); zero at the reference."""
    from clsimpact.estimators.event_study import event_study

    fit = event_study(design, inference="CR0")
    effects = np.append(np.where(fit.identified, fit.estimates, 0.0), 0.0)
    rows = np.full(design.n_obs, -1) if fit.row_terms is None else fit.row_terms
    return np.asarray(effects[rows])


def _statistics(job: _Job, block: Block) -> tuple[Floats]:
    from clsimpact._combine import with_kind

    paths = job.assignments.every() if job.every else job.assignments.draw(block)
    inside = job.design.in_window
    cohorts = np.append(np.nan, np.unique(job.design.unit_cohorts[inside]))
    out = np.full((len(paths), job.weights.shape[1]), np.inf)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ClsimpactWarning)
        for row, own in zip(out, paths, strict=True):
            given = np.where((own == 0) & ~inside, job.design.unit_cohorts, cohorts[own])
            try:
                fit = with_kind(job.again(job.design.with_cohorts(given)), job.kind, 0.95)
            except DesignError:
                continue
            estimate, error = _combined(fit, job.names, job.weights)
            with np.errstate(invalid="ignore"):
                row[:] = estimate / error if job.studentise else estimate
    return (out,)


def _combined(fit: Estimate, names: tuple[str, ...], weights: Floats) -> tuple[Floats, Floats]:
    """Estimates and errors of combinations of named terms and, in the last row, of the overall effect."""
    place = {term.name: i for i, term in enumerate(fit.terms)}
    p = len(names)
    at = np.array([place.get(name, -1) for name in names])
    known = (at >= 0) & np.append(fit.identified, False)[at]
    full = np.zeros((len(weights), len(weights)))
    numbers = np.zeros(len(weights))
    numbers[:p] = np.where(known, np.append(fit.estimates, 0.0)[at], 0.0)
    matrix = np.pad(fit.vcov.matrix, (0, 1))
    full[:p, :p] = np.where(known[:, None] & known, matrix[np.ix_(at, at)], 0.0)
    if fit.total is not None and len(weights) > p:
        numbers[p], full[p, p] = fit.total.estimates[0], fit.total.vcov.matrix[0, 0]
    lost = (np.append(~known, np.zeros(len(weights) - p, dtype=bool)).astype(float) @ (weights != 0)) > 0
    variance = np.einsum("im,ij,jm->m", weights, full, weights)
    error = np.sqrt(np.where(lost | (variance <= 0), np.nan, variance))
    return np.where(lost, np.nan, numbers @ weights), error
