r"""Variance of synthetic difference in differences: the three of Arkhangelsky et al. (2021).

With :math:`\hat\tau^{(b)}` the estimate of replicate b and G clusters (units, unless the design says
otherwise):

==========  ============================================================  ==================================
kind        replicate                                                     variance
==========  ============================================================  ==================================
jackknife   without cluster b, weights kept and renormalised              (G-1)/G sum of squares about the
            (Algorithm 3)                                                 estimate
placebo     controls drawn to act as adopters, all weights anew           mean square about their mean
            (Algorithm 4)
bootstrap   clusters drawn with replacement, all weights anew             mean square about their mean
            (Algorithm 2)
==========  ============================================================  ==================================

Averages over cohorts are taken anew in each replicate: where a treated unit is left out, its cohort counts
for less.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from clsimpact.errors import DesignError, did_you_mean
from clsimpact.estimators._cells import Plan
from clsimpact.estimators._synthetic_blocks import Block, bootstrap, leave_out, placebo
from clsimpact.inference.influence import lost
from clsimpact.inference.sandwich import Counts, Covariance

__all__ = ["KINDS", "Replicates", "Resampled", "averaged", "choice"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

KINDS = ("jackknife", "placebo", "bootstrap")
"""Covariances on offer."""


@dataclass(frozen=True)
class Replicates:
    """Gaps of all cohorts under each way to resample, computed when first asked for.

    Attributes
    ----------
    y : float array (N, T)
    blocks : tuple of Block
    member : integer array (N)
        Cohort of each unit, -1 for a control, -2 for neither.
    clusters : integer array (N)
    draws, seed : int
    counts : Counts
    how : str
        How the weights are computed, here and in each replicate that computes them anew.
    """

    y: Floats
    blocks: tuple[Block, ...]
    member: Ints
    clusters: Ints
    draws: int
    seed: int
    counts: Counts
    how: str = "exact"

    @property
    def smallest(self) -> int:
        """Clusters in the cohort that has fewest."""
        return min(np.unique(self.clusters[self.member == k]).size for k in range(len(self.blocks)))

    @property
    def can_place(self) -> str:
        """Why placebo adopters cannot be drawn, or nothing."""
        if self.counts.n_clusters < self.member.size:
            return "placebo adopters are single units, but the design clusters above them"
        treated, controls = int((self.member >= 0).sum()), int((self.member == -1).sum())
        if controls <= treated:
            return f"{controls} controls cannot stand in for {treated} treated and be controls too"
        return ""

    @cached_property
    def jackknife(self) -> tuple[Floats, Floats]:
        """Gaps (G, m) and shares (G, K) without each cluster."""
        return _flat(*leave_out(self.y, self.blocks, self.clusters, self.counts.n_clusters))

    @cached_property
    def placebo(self) -> tuple[Floats, Floats]:
        """Gaps (draws, m) of placebo adopters."""
        if self.can_place:
            raise DesignError(f"There is no placebo variance: {self.can_place}.", repair=_REPAIR)
        spans = [block.span for block in self.blocks]
        values = placebo(self.y, spans, self.member, draws=self.draws, seed=self.seed, how=self.how)
        return _flat(values, np.ones(values.shape[:2]))

    @cached_property
    def bootstrap(self) -> tuple[Floats, Floats]:
        """Gaps (draws, m) and shares (draws, K) of resampled clusters."""
        if self.smallest < 2:
            text = "There is no bootstrap variance: a cohort of one cluster has no variation of its own."
            raise DesignError(text, repair=_REPAIR)
        spans = [block.span for block in self.blocks]
        found = bootstrap(
            self.y, spans, self.member, self.clusters, draws=self.draws, seed=self.seed, how=self.how
        )
        return _flat(*found)


_REPAIR = 'Use inference="jackknife" (two treated clusters in each cohort) or "placebo" (more controls than \
treated).'


def _flat(values: Floats, shares: Floats) -> tuple[Floats, Floats]:
    return values.reshape(len(values), -1), shares


@dataclass(frozen=True)
class Resampled:
    """Numbers with their replicates: an `Uncertainty`.

    Attributes
    ----------
    numbers : float array (p)
    replicates : callable
        Takes a kind and returns the numbers of each replicate (B, p).
    counts : Counts
    """

    numbers: Floats
    replicates: Callable[[str], Floats]
    counts: Counts

    @property
    def kinds(self) -> tuple[str, ...]:
        """Covariances on offer."""
        return KINDS

    def covariance(self, kind: str) -> Covariance:
        """Covariance of all numbers (p, p), with G - 1 degrees of freedom.

        Raises
        ------
        DesignError
            Another kind, or one that this sample does not allow.
        """
        if kind not in KINDS:
            raise DesignError(
                f"covariance {kind!r} is not on offer for synthetic_did{did_you_mean(str(kind), KINDS)}.",
                repair=f"Use one of {', '.join(KINDS)}.",
            )
        found, g = self.replicates(kind), self.counts.n_clusters
        df = np.full(self.numbers.size, g - 1.0)
        if kind == "jackknife":
            moved = found - self.numbers
            factor, text = (g - 1) / g, f"jackknife = {g - 1}/{g} = {(g - 1) / g:.4f}"
        else:
            moved = found - found.mean(axis=0)
            factor, text = 1 / len(found), f"{kind}: {len(found)} draws"
        return Covariance(kind, factor * moved.T @ moved, df, factor, text, self.counts, lost(moved))

    def combine(self, weights: Floats) -> Resampled:
        """Return fixed combinations ``weights`` (p, m) of these numbers."""
        used = np.flatnonzero(weights.any(axis=1))
        replicates = self.replicates
        return replace(
            self,
            numbers=self.numbers[used] @ weights[used],
            replicates=lambda kind: replicates(kind)[:, used] @ weights[used],
        )


def averaged(
    source: Replicates, block: Ints, at: Ints, estimates: Floats, plan: Plan, weights: Floats
) -> Resampled:
    """Return the averages of a plan with their replicates.

    Parameters
    ----------
    source
    block
        Block of each cell (m), -1 for none.
    at
        Position of each cell among the gaps of all blocks (m).
    estimates
        Effects of the cells (m).
    plan, weights
        The averages: see `Effects`.
    """

    def replicates(kind: str) -> Floats:
        values, shares = getattr(source, kind)
        columns = [_average(values, shares, block, at, column) for column in weights.T]
        p = len(plan.terms)
        if plan.kind in ("dynamic", "calendar") and p < len(columns):
            columns[p] = np.column_stack(columns[:p])[:, plan.total > 0] @ plan.total[plan.total > 0]
        return np.column_stack(columns)

    known = np.where(np.isfinite(estimates), estimates, 0.0)
    return Resampled(known @ weights, replicates, source.counts)


def _average(values: Floats, shares: Floats, block: Ints, at: Ints, weight: Floats) -> Floats:
    """Average of cells in each replicate, each cohort counting with what is left of it."""
    used = np.flatnonzero((weight != 0) & (block >= 0))
    if used.size == 0:
        return np.zeros(len(values))
    w = weight[used] * shares[:, block[used]]
    total = w.sum(axis=1)
    scale = np.where(total != 0, weight[used].sum() / np.where(total != 0, total, 1.0), np.nan)
    return np.asarray((w * values[:, at[used]]).sum(axis=1) * scale)


def choice(source: Replicates) -> str:
    """Return the covariance to use where none is asked for: see `synthetic_did`."""
    return "jackknife" if source.smallest >= 2 or source.can_place else "placebo"
