r"""Estimates on untreated rows without each cluster in turn, in closed form.

The normal equations of unit effects, period effects and slopes are sums over units. With unit means removed
they are as wide as there are periods (:math:`S`, see `clsimpact.estimators._grid`) and slopes, so leaving a
cluster out is a subtraction and a small solve. What is subtracted need not be fitted again, and nothing is
approximated: the numbers are those of the same estimator on the rows that remain.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clsimpact.estimators._cells import Plan
from clsimpact.estimators._grid import NULL_SHARE, TwoWay
from clsimpact.estimators._untreated import Parts
from clsimpact.estimators._within_solve import LOADING_TOLERANCE

__all__ = ["LeftOut", "averages_without", "cells_without", "pseudo_inverse", "solve_without"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

BATCH = 512
"""Clusters solved at once: their matrices take a few megabytes."""

GONE_SHARE = 1e-9
"""A cell keeps at least this share of its weight, or it is empty: rounding leaves about 1e-16.

One unit of a million holds 1e-6."""


@dataclass(frozen=True)
class LeftOut:
    """Solutions without each cluster (first G entries) and with all of them (the last entry).

    Attributes
    ----------
    periods : float array (G + 1, T)
        Period effects of the first variable net of slopes times the others.
    slopes : float array (G + 1, k)
        Coefficients of the other variables.
    slopes_known : boolean array (G + 1, k)
    slopes_rank : integer array (G + 1)
    null : list of float arrays (., T)
        Directions of period effects that are not determined.
    """

    periods: Floats
    slopes: Floats
    slopes_known: Bools
    slopes_rank: Ints
    null: list[Floats]


def solve_without(effects: TwoWay, z: Floats, spread: Floats, clusters: Ints, n_clusters: int) -> LeftOut:
    """Regress ``z[0]`` on effects and ``z[1:]`` (q, N, T) without each cluster in turn.

    ``spread`` (q - 1) is the squared norm of the regressors before effects were removed.
    """
    deviations = z - (effects.shares * z).sum(axis=2)[:, :, None]
    order = np.argsort(clusters, kind="stable")
    ends = np.searchsorted(clusters[order], np.arange(n_clusters + 1))
    whole = _moments(effects, deviations, np.arange(len(clusters)), np.zeros(len(clusters), np.int64), 1)
    found = []
    for start in range(0, n_clusters, BATCH):
        stop = min(start + BATCH, n_clusters)
        units = order[ends[start] : ends[stop]]
        lost = _moments(effects, deviations, units, clusters[units] - start, stop - start)
        found.append(_solve(_less(whole, lost), whole[0], spread))
    found.append(_solve(whole, whole[0], spread))
    joined = [np.concatenate(parts) for parts in list(zip(*found, strict=True))[:4]]
    null = [directions for batch in found for directions in batch[4]]
    return LeftOut(joined[0], joined[1], joined[2], joined[3], null)


Moments = tuple[Floats, Floats, Floats, Floats]


def _moments(effects: TwoWay, deviations: Floats, units: NDArray[np.intp], at: Ints, size: int) -> Moments:
    """Return sums over the units of each cluster: mass by period, S, and the moments R and B."""
    mass, shares, z = effects.mass[units], effects.shares[units], deviations[:, units]
    if size == 1:
        weighted = mass * z
        right = weighted.sum(axis=1).T[None]
        inner = np.einsum("qnt,rnt->qr", weighted, z, optimize=True)[None]
        return mass.sum(axis=0)[None], (np.diag(mass.sum(axis=0)) - mass.T @ shares)[None], right, inner
    own = -mass[:, :, None] * shares[:, None, :]
    diagonal = np.arange(mass.shape[1])
    own[:, diagonal, diagonal] += mass
    weighted = mass * z
    pieces = (mass, own, weighted.transpose(1, 2, 0), np.einsum("qnt,rnt->nqr", weighted, z, optimize=True))
    out = []
    for piece in pieces:
        total = np.zeros((size, *piece.shape[1:]))
        np.add.at(total, at, piece)
        out.append(total)
    return out[0], out[1], out[2], out[3]


def _less(whole: Moments, lost: Moments) -> Moments:
    return whole[0] - lost[0], whole[1] - lost[1], whole[2] - lost[2], whole[3] - lost[3]


def _solve(
    moments: Moments, full: Floats, spread: Floats
) -> tuple[Floats, Floats, Bools, Ints, list[Floats]]:
    mass, system, right, inner = moments
    scale = np.sqrt(np.where(mass > GONE_SHARE * full, mass, 1.0))
    roots, vectors = np.linalg.eigh(system / scale[:, :, None] / scale[:, None, :])
    kept = roots > NULL_SHARE
    vectors = vectors / scale[:, :, None]
    gain = np.where(kept, 1 / np.where(kept, roots, 1.0), 0.0)
    period = vectors @ (gain[:, :, None] * (vectors.transpose(0, 2, 1) @ right))
    gram = inner - right.transpose(0, 2, 1) @ period
    inverse, known, rank = pseudo_inverse(gram[:, 1:, 1:], spread)
    slopes = np.einsum("gkl,gl->gk", inverse, gram[:, 1:, 0])
    net = period[:, :, 0] - np.einsum("gtk,gk->gt", period[:, :, 1:], slopes)
    null = [v[:, ~k].T / np.abs(v[:, ~k]).max(initial=0.0) for v, k in zip(vectors, kept, strict=True)]
    return net, slopes, known, rank, null


def pseudo_inverse(gram: Floats, spread: Floats) -> tuple[Floats, Bools, Ints]:
    """Invert moments (G, k, k) of columns whose squared norm was ``spread`` (k) before effects were removed.

    Returns the inverses, which coefficients they determine (G, k), and the ranks (G).
    """
    size = np.einsum("gkk->gk", gram)
    alive = size > NULL_SHARE * spread
    scale = np.where(alive, np.sqrt(np.where(alive, size, 1.0)), np.inf)
    roots, vectors = np.linalg.eigh(gram / scale[:, :, None] / scale[:, None, :])
    kept = roots > NULL_SHARE
    gain = np.where(kept, 1 / np.where(kept, roots, 1.0), 0.0)
    inverse = (vectors * gain[:, None, :]) @ vectors.transpose(0, 2, 1)
    loads = np.where(kept[:, None, :], 0.0, np.abs(vectors)).max(axis=2, initial=0.0)
    return (
        inverse / scale[:, :, None] / scale[:, None, :],
        loads <= LOADING_TOLERANCE,
        kept.sum(axis=1),
    )


def cells_without(parts: Parts) -> tuple[Floats, Floats, Floats]:
    """Return means and masses of cells (G, m) and slopes of covariates (G, k), without each cluster.

    A cell without rows has mass zero; one whose rows can no longer be predicted is NaN.
    """
    stage = parts.stage
    clusters, g = stage.design.unit_clusters, stage.design.n_clusters
    z = np.concatenate([stage.flat[None], stage.x])
    found = solve_without(stage.effects, z, stage.spread, clusters, g)
    deviations = z - (stage.effects.shares * z).sum(axis=2)[:, :, None]
    at = (parts.cohort_at, parts.period_at)
    level = [stage.by_cohort(parts.own * d)[at] for d in deviations]
    reach = np.zeros((len(at[0]), parts.own.shape[1]))
    for c, (h, t) in enumerate(zip(*at, strict=True)):
        rows = stage.members[h]
        reach[c] = parts.own[rows, t] @ stage.effects.shares[rows]
    period, slopes = found.periods[:g], found.slopes[:g]
    total = level[0] + period @ reach.T - parts.cells.mass * period[:, at[1]]
    if len(stage.x):
        total = total - slopes @ np.array(level[1:])
    moved = (stage.effects.shares * period[clusters]).sum(axis=1)
    gaps = deviations[0] + moved[:, None] - period[clusters]
    gaps = gaps - np.einsum("nk,knt->nt", slopes[clusters], deviations[1:])
    mass = parts.cells.mass - _by_cluster(parts, parts.own, clusters, g)
    there = mass > GONE_SHARE * parts.cells.mass
    total = total - _by_cluster(parts, parts.own * gaps, clusters, g)
    means = np.where(there, total / np.where(there, mass, 1.0), 0.0)
    means[found.slopes_rank[:g] < found.slopes_rank[g]] = np.nan
    _lose_unreached(parts, found, means, reach)
    slopes = np.where(found.slopes_known[:g], slopes, np.nan)
    return means, np.where(there, mass, 0.0), slopes


def _by_cluster(parts: Parts, values: Floats, clusters: Ints, g: int) -> Floats:
    """Sum rows (N, T) by cluster and cell (G, m)."""
    out = np.zeros((g, len(parts.cohort_at)))
    for h, rows in enumerate(parts.stage.members):
        mine = np.flatnonzero(parts.cohort_at == h)
        total = np.zeros((g, len(mine)))
        np.add.at(total, clusters[rows], values[rows][:, parts.period_at[mine]])
        out[:, mine] = total
    return out


def _lose_unreached(parts: Parts, found: LeftOut, means: Floats, reach: Floats) -> None:
    """Set to NaN the cells that the remaining untreated rows do not determine."""
    stage, clusters, g = parts.stage, parts.stage.design.unit_clusters, len(means)
    full = len(found.null[g])
    for cluster in [i for i in range(g) if len(found.null[i]) > full]:
        gone = np.flatnonzero(clusters == cluster)
        for c, (h, t) in enumerate(zip(parts.cohort_at, parts.period_at, strict=True)):
            rows = np.intersect1d(gone, stage.members[h])
            own = parts.own[rows, t]
            left = parts.cells.mass[c] - own.sum()
            if left <= GONE_SHARE * parts.cells.mass[c]:
                continue
            share = (reach[c] - own @ stage.effects.shares[rows]) / left
            loads = np.abs(found.null[cluster] @ share - found.null[cluster][:, t])
            if loads.max(initial=0.0) > LOADING_TOLERANCE:
                means[cluster, c] = np.nan


def averages_without(plan: Plan, known: Bools, means: Floats, mass: Floats) -> Floats:
    """Return the averages of a plan and its overall effect (G, p + 1), weighted anew without each cluster.

    Cells that are not ``known`` (m) take no part. A cell that is gone with its rows leaves its averages; an
    average with a cell that rows remain in but no longer determine is NaN.
    """
    out = np.full((len(means), len(plan.terms) + 1), np.nan)
    sizes = np.zeros((len(means), len(plan.terms)))
    for j in range(len(plan.terms)):
        cells = np.flatnonzero((plan.weights[:, j] != 0) & known)
        there = mass[:, cells] > 0
        share = there.astype(np.float64) if plan.kind == "group" else mass[:, cells]
        whole = share.sum(axis=1)
        total = np.where(share > 0, share * means[:, cells], 0.0).sum(axis=1)
        out[:, j] = np.where(whole > 0, total / np.where(whole > 0, whole, 1.0), np.nan)
        sizes[:, j] = mass[:, cells].sum(axis=1) / np.maximum(there.sum(axis=1), 1)
    used = np.flatnonzero(plan.total)
    fixed = np.repeat(plan.total[None, used], len(means), axis=0)
    share = sizes[:, used] if plan.kind == "group" else fixed
    numbers = np.where(share > 0, out[:, used], 0.0)
    out[:, -1] = (share * numbers).sum(axis=1) / share.sum(axis=1) if used.size else np.nan
    return out
