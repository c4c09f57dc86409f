r"""Randomisation inference: the distribution of a statistic over re-assignments of adoption.

With weights :math:`v_k` by type (see `clsimpact.inference.linear`) the statistic of a re-assignment is
:math:`t^* = \hat\theta^* / \mathrm{se}^*`, its error taken anew from the re-assigned panel (*studentised*),
or :math:`\hat\theta^*` alone. What is re-assigned are outcomes without the effect under test:

``impose_null=False``
    the residuals of the working regression: all effects taken out at their estimates. One reference
    distribution serves every number, its intervals and their joint bands.
``impose_null=True``
    residuals plus the shift that the hypothesis leaves in them, for each number and each hypothesis: exact
    for a single effect that is the same for all, if errors are exchangeable between the units of a stratum.

Without studentising, a test is valid only if adopters are as noisy as everybody else.
"""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from clsimpact.inference.assignments import Assignments
from clsimpact.inference.blocks import Block, blocks_of, joined, run_blocks
from clsimpact.inference.draws import Drawn, Line, settled
from clsimpact.inference.linear import LinearForm, Moments, products
from clsimpact.inference.wald import walds

__all__ = ["assigned_moments", "permute", "permute_wald"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class _Job:
    """Arrays that every block needs: outcomes (M, N, T), each with the columns of the form it is for."""

    form: LinearForm
    assignments: Assignments
    patterns: Ints
    lookup: Ints
    outcomes: Floats
    columns: tuple[tuple[int, ...], ...]
    studentise: bool
    enumerate_all: bool


def permute(
    form: LinearForm,
    outcomes: Floats,
    assignments: Assignments,
    patterns: Ints,
    *,
    draws: int,
    seed: int,
    impose_null: bool = False,
    studentise: bool = True,
    executor: Executor | None = None,
    progress: bool = False,
) -> Drawn:
    """Re-assign adoption and compute the statistics of every number.

    Parameters
    ----------
    form
        The numbers, by type. Types are the pairs of a path and a pattern that occur, sorted.
    outcomes
        Outcomes (N, T), net of unit means, zero where a unit is not observed.
    assignments
        Paths and strata; units of one stratum have one pattern.
    patterns
        Pattern of observed periods of each unit (N), 0 and up.
    draws, seed
        Random re-assignments; all of them where the design allows no more than ``draws``.
    impose_null, studentise
        See this module.
    executor, progress
        See `clsimpact.inference.blocks.run_blocks`.

    Returns
    -------
    Drawn
        ``count`` is the number of re-assignments that the design allows.

    Examples
    --------
    One of four units is treated; its change is the largest, so that p is one of four:

    >>> y = np.array([[0.0, 5.0], [0, 1], [0, 2], [0, 3]])
    >>> y = y - y.mean(axis=1, keepdims=True)
    >>> basis = np.array([[[-0.5, -0.5], [0.5, 0.5]], [[-0.5, 1.5], [0.5, -1.5]]]) / np.sqrt([2, 6])
    >>> form = LinearForm(np.array([[[1 / 3], [-1 / 3]], [[-1.0], [1.0]]]), basis, np.array([3, 1]))
    >>> found = permute(form, y, Assignments(np.array([1, 0, 0, 0]), np.zeros(4, int)), np.zeros(4, int),
    ...     draws=99, seed=0, impose_null=True, studentise=False)
    >>> found.statistics.ravel().round(6).tolist(), found.enumerated
    ([3.0, -2.333333, -1.0, 0.333333], True)
    """
    types, lookup, k = _types(assignments, patterns)
    actual = assigned_moments(products(outcomes), assignments.paths[None], patterns, lookup, k)
    estimates, errors = (part[0] for part in form.statistics(actual))
    errors = errors if studentise else np.where(np.isfinite(errors), 1.0, np.nan)
    residuals, p = form.residuals(outcomes, types), estimates.size
    panels, columns = [residuals], [tuple(range(p))]
    if impose_null:
        shifts = np.moveaxis(form.directions()[types], 2, 0) * np.nan_to_num(errors)[:, None, None]
        panels += [panel for shift in np.nan_to_num(shifts) for panel in (shift, residuals + shift)]
        columns += [(j,) for j in range(p) for _ in range(2)]
    every = assignments.count <= draws
    job = _Job(
        form, assignments, patterns, lookup, np.array(panels), tuple(columns), studentise, every
    )  # fmt: skip
    blocks = (Block(seed, 0, assignments.count),) if every else blocks_of(draws, seed=seed)
    run = partial(_statistics, job)
    numerators, variances = joined(run_blocks(run, blocks, executor=executor, progress=progress))
    lines: tuple[Line, ...] = ()
    with np.errstate(invalid="ignore", divide="ignore"):
        statistics = numerators[:, :p] / np.sqrt(variances[:, :p])
    if impose_null:
        lines = tuple(_line(numerators, variances, j, p, enumerated=every) for j in range(p))
        with np.errstate(invalid="ignore", divide="ignore"):
            where = estimates / errors
        statistics = np.column_stack([line.at(x) for line, x in zip(lines, where, strict=True)])
    return Drawn(estimates, errors, statistics, lines, every, assignments.count)


def _types(assignments: Assignments, patterns: Ints) -> tuple[Ints, Ints, int]:
    """Return the type of each unit (N), the type of each path and pattern (-1: none), and their number."""
    keys = np.column_stack([assignments.paths, patterns])
    found, types = np.unique(keys, axis=0, return_inverse=True)
    lookup = np.full((assignments.paths.max() + 1, patterns.max() + 1), -1)
    lookup[found[:, 0], found[:, 1]] = np.arange(len(found))
    return types.ravel().astype(np.int64), lookup, len(found)


def permute_wald(
    form: LinearForm,
    outcomes: Floats,
    assignments: Assignments,
    patterns: Ints,
    *,
    draws: int,
    seed: int,
    impose_null: bool = False,
    executor: Executor | None = None,
    progress: bool = False,
) -> tuple[float, Floats, bool]:
    """Re-assign adoption and compute the Wald statistic that all numbers of the form are zero.

    Parameters are those of `permute`. With ``impose_null`` the outcomes are re-assigned as they are: the
    sharp null that nobody has any effect; otherwise effects are taken out at their estimates.

    Returns
    -------
    tuple
        The statistic, those of the re-assignments (B), and whether all of them were enumerated.
    """
    types, lookup, k = _types(assignments, patterns)
    residuals = form.residuals(outcomes, types)
    actual, left = (
        form.covariances(assigned_moments(products(y), assignments.paths[None], patterns, lookup, k))
        for y in (outcomes, residuals)
    )
    statistic = float(walds(actual[0], left[1]).item())
    panel = outcomes if impose_null else residuals
    every = assignments.count <= draws
    job = _Job(form, assignments, patterns, lookup, panel[None], ((),), True, every)
    blocks = (Block(seed, 0, assignments.count),) if every else blocks_of(draws, seed=seed)
    (found,) = joined(run_blocks(partial(_wald_block, job), blocks, executor=executor, progress=progress))
    return statistic, found, every


def _wald_block(job: _Job, block: Block) -> tuple[Floats]:
    paths = job.assignments.every() if job.enumerate_all else job.assignments.draw(block)
    z = products(job.outcomes[0])
    moments = assigned_moments(z, paths, job.patterns, job.lookup, job.form.sizes.size)
    return (walds(*job.form.covariances(moments)),)


def _line(numerators: Floats, variances: Floats, j: int, p: int, *, enumerated: bool) -> Line:
    """Put the parts of number j together; the cross term follows from the sum of the two panels.

    A shift that the working regression fits has no variance: that of the assignment as it is.
    """
    shift, both = p + 2 * j, p + 2 * j + 1
    v0, v2 = variances[:, j], np.nan_to_num(variances[:, shift])
    cross = (variances[:, both] - v0 - v2) / 2
    return Line(numerators[:, j], numerators[:, shift], v0, *settled(cross, v2), enumerated)


def _statistics(job: _Job, block: Block) -> tuple[Floats, Floats]:
    """Return numerators and variances of one block of re-assignments, panel after panel.

    Panels are the residuals, then for each number the shift alone and the two together. Statistics that are
    not studentised have the variance one, to which a shift adds nothing.
    """
    paths = job.assignments.every() if job.enumerate_all else job.assignments.draw(block)
    numerators, variances = [], []
    for m, (panel, columns) in enumerate(zip(job.outcomes, job.columns, strict=True)):
        moments = assigned_moments(products(panel), paths, job.patterns, job.lookup, job.form.sizes.size)
        pick = np.eye(job.form.weights.shape[2])[:, list(columns)]
        form = job.form if pick.shape[0] == pick.shape[1] else job.form.combine(pick)
        if job.studentise:
            estimate, error = form.statistics(moments)
            variances.append(error**2)
        else:
            estimate = form.estimates(moments)
            variances.append(np.full(estimate.shape, float(m % 2 == 0)))
        numerators.append(estimate)
    return np.hstack(numerators), np.hstack(variances)


def assigned_moments(z: Floats, paths: NDArray[np.integer], patterns: Ints, lookup: Ints, k: int) -> Moments:
    """Sum outcomes and products ``z`` (N, F) over types under each assignment ``paths`` (B, N).

    Adopters are summed; those who do not adopt are what is left of their pattern.

    Examples
    --------
    >>> z = products(np.array([[2.0], [3.0], [4.0]]))
    >>> paths = np.array([[1, 0, 0], [0, 0, 1]])
    >>> assigned_moments(z, paths, np.zeros(3, int), np.array([[0], [1]]), 2).sums.ravel().tolist()
    [7.0, 2.0, 5.0, 4.0]
    """
    from scipy.sparse import csr_matrix

    b = len(paths)
    draw, unit = np.nonzero(paths)
    kind = lookup[paths[draw, unit], patterns[unit]]
    ones = np.ones(unit.size)
    sums = csr_matrix((ones, (draw * k + kind, unit)), shape=(b * k, len(z))) @ z
    sums = np.asarray(sums).reshape(b, k, -1)
    for pattern in range(lookup.shape[1]):
        base, others = lookup[0, pattern], lookup[1:, pattern]
        if base >= 0:
            left = z[patterns == pattern].sum(axis=0)
            sums[:, base] = left - sums[:, others[others >= 0]].sum(axis=1)
    t = round(float(np.sqrt(9 + 8 * z.shape[1]) - 3) / 2)
    return Moments(np.ascontiguousarray(sums[:, :, :t]), np.ascontiguousarray(sums[:, :, t:]))
