r"""Permutation test of a whole specification curve.

Adoption paths (what every definition of dates says of a unit) are permuted among units, one re-assignment
for all specifications. Outcomes stay as they are: nobody has any effect under the null, so that the curve of
each re-assignment is one that could have been observed. Units exchange paths within strata of units that have
the same rows in every specification; so each keeps its numbers of units by type, and with them its weights
(`clsimpact.inference.linear`). A re-assignment costs products of arrays, and no refit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.special import stdtr

from clsimpact.diagnostics._specification_fit import Cell, Piece
from clsimpact.diagnostics._specification_inputs import Request
from clsimpact.errors import DesignError
from clsimpact.inference.assignments import Assignments
from clsimpact.inference.blocks import Block, blocks_of, joined, run_blocks
from clsimpact.inference.linear import LinearForm, Moments, products

__all__ = ["STATISTICS", "Column", "Drawn", "curve_statistics", "drawn", "paths_and_strata"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SIZE = 250
"""Re-assignments of a block: 2 megabytes for a thousand specifications."""

STATISTICS = {
    "median_t": "median of the t statistics",
    "mean_abs_t": "mean size of the t statistics",
    "share_significant": "share significant, with the sign that most estimates have",
    "share_dominant": "share with the sign that most estimates have",
    "median_estimate": "median estimate (not studentised)",
}
"""What is compared between curves. The first is the one to quote."""


@dataclass(frozen=True, eq=False)
class Column:
    """One specification of the test: its outcome, how it enters, and what the estimate is divided by."""

    outcome: str
    piece: Piece
    scale: float
    cell: Cell


@dataclass(frozen=True, eq=False)
class Drawn:
    """Statistics of the observed curve (m) and of the re-assigned ones (B, m)."""

    observed: Floats
    draws: Floats
    enumerated: bool
    assignments: Assignments
    used: tuple[int, ...]
    refused: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class _Batch:
    """Specifications whose units have the same types, of one outcome and one working regression."""

    outcome: str
    form: LinearForm
    df: Floats
    at: Ints


@dataclass(frozen=True, eq=False)
class _Group:
    """Batches whose units have the same types; the type that each path has in each stratum."""

    types: Ints
    lookup: Ints
    batches: tuple[_Batch, ...]


@dataclass(frozen=True, eq=False)
class _Job:
    assignments: Assignments
    outcomes: dict[str, Floats]
    groups: tuple[_Group, ...]
    scales: Floats
    alpha: float
    every: bool


def drawn(
    request: Request,
    columns: Sequence[Column],
    *,
    draws: int,
    seed: int,
    executor: Executor | None,
    progress: bool,
) -> Drawn:
    """Re-assign adoption and compute the statistics of every curve."""
    paths, strata = paths_and_strata(request, list(dict.fromkeys((c.cell, c.outcome) for c in columns)))
    groups, used, refused = _groups(columns, paths, strata)
    if not used:
        raise DesignError(
            "No specification can be re-assigned without refits.",
            repair="Use designs without weights and covariates, clustered by unit.",
        )
    assignments = Assignments(paths, strata)
    if assignments.movable < 2:
        raise DesignError(
            f"Re-assignment moves {assignments.movable} of {int((paths > 0).sum())} units with an adoption "
            "path: the others are alone among the units that have the same rows in every specification.",
            repair="Leave out outcomes, samples or controls that cut the panel into small strata.",
        )
    every = assignments.count <= draws
    scales = np.array([columns[i].scale for i in used])
    held = {name: _laid(request, name) for name in {columns[i].outcome: None for i in used}}
    job = _Job(assignments, held, groups, scales, 1 - request.level, every)
    observed = _statistics(job, paths[None].astype(np.int16))
    blocks = (Block(seed, 0, assignments.count),) if every else blocks_of(draws, seed=seed, size=SIZE)
    found = run_blocks(partial(_block, job), blocks, executor=executor, progress=progress, label="curves")
    return Drawn(observed[0], joined(found)[0], every, assignments, tuple(used), tuple(refused))


def paths_and_strata(request: Request, used: Sequence[tuple[Cell, str]]) -> tuple[Ints, Ints]:
    """Adoption path of each unit (N), and its stratum: units that have the same rows in every specification.

    Rows are those that a unit has if it adopts and those that it has if it does not, which a filter of
    controls tells apart.
    """
    union = request.union
    keys = []
    for cell, outcome in used:
        sample, rule, dates, _ = cell
        there = union.frame[request.outcomes[outcome]].notna().to_numpy() & request.samples[sample]
        own = there & union.open_rows(dates)
        kept = request.controls[rule]
        keys.append(union.laid(own))
        if not isinstance(kept, str):
            keys.append(union.laid(own & kept))
    packed = np.packbits(np.hstack(keys), axis=1)
    strata = np.unique(packed, axis=0, return_inverse=True)[1].ravel().astype(np.int64)
    return union.profiles(), strata


def _laid(request: Request, outcome: str) -> Floats:
    """Outcomes (N, T) net of unit means with the products of periods; zero where there is no row."""
    values = request.union.frame[request.outcomes[outcome]].to_numpy(dtype=np.float64, na_value=np.nan)
    seen = request.union.laid(np.isfinite(values))
    laid = request.union.laid(np.nan_to_num(values))
    means = laid.sum(axis=1) / np.maximum(seen.sum(axis=1), 1)
    return products(np.where(seen, laid - means[:, None], 0.0))


def _groups(
    columns: Sequence[Column], paths: Ints, strata: Ints
) -> tuple[tuple[_Group, ...], list[int], list[int]]:
    """Put specifications together that share types, outcome and working regression."""
    lookups: dict[bytes, Ints | None] = {}
    held: dict[bytes, dict[tuple[str, bytes], list[int]]] = {}
    used, refused = list[int](), list[int]()
    for i, column in enumerate(columns):
        form, types = column.piece.form, column.piece.types
        key = types.tobytes()
        if key not in lookups:
            lookups[key] = _lookup(types, paths, strata)
        if lookups[key] is None:
            refused.append(i)
            continue
        held.setdefault(key, {}).setdefault((column.outcome, form.basis.tobytes()), []).append(len(used))
        used.append(i)
    groups = []
    for key, parts in held.items():
        lookup, batches = lookups[key], []
        for (outcome, _), at in parts.items():
            forms = [columns[used[j]].piece.form for j in at]
            whole = replace(forms[0], weights=np.concatenate([form.weights for form in forms], axis=2))
            batches.append(_Batch(outcome, whole, whole.df, np.array(at)))
        if lookup is not None:
            groups.append(_Group(np.frombuffer(key, dtype=np.int64), lookup, tuple(batches)))
    return tuple(groups), used, refused


def _lookup(types: Ints, paths: Ints, strata: Ints) -> Ints | None:
    """Type of each path in each stratum (-1: not used); None where units that are alike differ in type."""
    out = np.full((paths.max() + 1, strata.max() + 1), -2, dtype=np.int64)
    out[paths, strata] = types
    return out if (out[paths, strata] == types).all() else None


def _block(job: _Job, block: Block) -> tuple[Floats]:
    paths = job.assignments.every() if job.every else job.assignments.draw(block)
    if len(paths) <= SIZE:
        return (_statistics(job, paths),)
    return (np.vstack([_statistics(job, paths[i : i + SIZE]) for i in range(0, len(paths), SIZE)]),)


def _statistics(job: _Job, paths: NDArray[np.int16]) -> Floats:
    """Statistics of the curves of re-assignments ``paths`` (B, N)."""
    draw, unit = np.nonzero(paths != job.assignments.paths)
    strata = job.assignments.strata[unit]
    shape = (len(paths), job.scales.size)
    estimates, errors, df = np.empty(shape), np.empty(shape), np.empty(job.scales.size)
    for group in job.groups:
        k = group.batches[0].form.sizes.size
        new, old = group.lookup[paths[draw, unit], strata], group.types[unit]
        moves = _moves(draw, unit, new, old, k, (len(paths), len(group.types)))
        held: dict[str, Moments] = {}
        for batch in group.batches:
            if batch.outcome not in held:
                z = job.outcomes[batch.outcome]
                held[batch.outcome] = _moments(moves, group.types, z, k, len(paths))
            found = batch.form.statistics(held[batch.outcome])
            estimates[:, batch.at], errors[:, batch.at] = found
            df[batch.at] = batch.df
    return curve_statistics(estimates / job.scales, errors / job.scales, df, job.alpha)


def _moves(draw: Any, unit: Any, new: Ints, old: Ints, k: int, shape: tuple[int, int]) -> csr_matrix:
    """Return what re-assignments add to, and take from, the types of the units as they are (B K, N)."""
    changed = new != old
    arrives, leaves = changed & (new >= 0), changed & (old >= 0)
    rows = np.concatenate([draw[arrives] * k + new[arrives], draw[leaves] * k + old[leaves]])
    sign = np.repeat([1.0, -1.0], [int(arrives.sum()), int(leaves.sum())])
    cols = np.concatenate([unit[arrives], unit[leaves]])
    return csr_matrix((sign, (rows, cols)), shape=(shape[0] * k, shape[1]))


def _moments(moves: csr_matrix, types: Ints, z: Floats, k: int, b: int) -> Moments:
    """Sum over types, as observed and after each re-assignment."""
    base = np.zeros((k, z.shape[1]))
    np.add.at(base, types[types >= 0], z[types >= 0])
    sums = np.asarray(moves @ z).reshape(b, k, -1) + base
    t = round(float(np.sqrt(9 + 8 * z.shape[1]) - 3) / 2)
    return Moments(np.ascontiguousarray(sums[:, :, :t]), np.ascontiguousarray(sums[:, :, t:]))


def curve_statistics(estimates: Floats, errors: Floats, df: Floats, alpha: float) -> Floats:
    """Statistics of curves (B, m), in the order of `STATISTICS`, from estimates and errors (B, S).

    Where nothing varies the statistic of a specification is infinite with the sign of its estimate.

    Examples
    --------
    >>> one = curve_statistics(np.array([[1.0, 2.0, -1.0]]), np.ones((1, 3)), np.full(3, 1e9), 0.05)
    >>> one.round(3).tolist()
    [[1.0, 1.333, 0.333, 0.667, 1.0]]
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        t = np.where(np.isfinite(errors), estimates / errors, np.sign(estimates) * np.inf)
    t = np.where(np.isnan(t), 0.0, t)
    small = 2 * stdtr(df, -np.abs(t)) < alpha
    up, down = (estimates > 0).mean(axis=1), (estimates < 0).mean(axis=1)
    sure_up, sure_down = (small & (estimates > 0)).mean(axis=1), (small & (estimates < 0)).mean(axis=1)
    sure = np.where(up == down, np.maximum(sure_up, sure_down), np.where(up > down, sure_up, sure_down))
    found: Mapping[str, Floats] = {
        "median_t": np.median(t, axis=1),
        "mean_abs_t": np.abs(t).mean(axis=1),
        "share_significant": sure,
        "share_dominant": np.maximum(up, down),
        "median_estimate": np.median(estimates, axis=1),
    }
    return np.column_stack([found[name] for name in STATISTICS])


def as_table(found: Drawn) -> pd.DataFrame:
    """Return one row per statistic: observed, p-value, and what re-assignments gave."""
    from clsimpact.inference.draws import p_value

    size = np.abs(found.draws)
    return pd.DataFrame(
        {
            "statistic": list(STATISTICS),
            "meaning": list(STATISTICS.values()),
            "observed": found.observed,
            "p_value": p_value(found.draws, found.observed, enumerated=found.enumerated),
            "null_median": np.median(size, axis=0),
            "null_95": np.quantile(size, 0.95, axis=0),
        }
    )
