"""Uncertainty of imputed effects: conservative, with each cluster left out of its own mean, and resampled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from clsimpact.estimators._cells import Plan
from clsimpact.estimators._leads import Leads
from clsimpact.estimators._left_out import averages_without, cells_without
from clsimpact.estimators._untreated import Parts
from clsimpact.estimators._working import adjusted_effects, adjusted_leads, together
from clsimpact.inference.influence import Influence
from clsimpact.inference.sandwich import Covariance, cluster_sums

__all__ = ["Averaged", "Scores"]

Floats = NDArray[np.float64]

LEAVE_ONE_OUT = "leave_one_out"
"""Name of the covariance in which the mean of a row's cohort and period leaves out its own cluster."""

ALONE_SHARE = 1e-9
"""A cluster with all but this share of the squared weights of a cohort and period is alone in it.

Sums of squares round to 1e-15; one unit beside a cluster of ten thousand leaves 1e-4."""


@dataclass(frozen=True)
class Scores(Influence):
    """Influence of effects and leads.

    Attributes
    ----------
    regular : callable or None
        Returns the influence with the factor of CR1 (N, p): leads have theirs already.
    """

    regular: Callable[[], Floats] | None = None

    def covariance(self, kind: str) -> Covariance:
        """Covariance of all numbers; CR1 leaves leads as they are."""
        found = super().covariance(kind)
        if kind != "CR1" or self.regular is None:
            return found
        scores = cluster_sums(self.regular(), self.clusters, self.counts.n_clusters)
        return replace(found, matrix=scores.T @ scores)

    def combine(self, weights: Floats) -> Influence:
        """Return linear combinations with fixed ``weights`` (p, m)."""
        found, regular = super().combine(weights), self.regular
        if regular is None or not isinstance(found, Scores):
            return found
        used = np.flatnonzero(weights.any(axis=1))
        return replace(found, regular=lambda: regular()[:, used] @ weights[used])

    def joined(self, leads: Leads) -> Scores:
        """Put the coefficients of leads after the effects."""
        g = self.counts.n_clusters
        growth, effects = np.sqrt(g / max(g - 1, 1)), self.adjusted

        def both(first: Callable[[], Floats] | None, more: Callable[[], Floats]) -> Callable[[], Floats]:
            return lambda: np.hstack([self.psi if first is None else first(), more()])

        return replace(
            self,
            estimates=np.concatenate([self.estimates, leads.coefficients]),
            psi=np.hstack([self.psi, leads.psi]),
            regular=both(lambda: growth * self.psi, lambda: leads.psi),
            adjusted=None
            if effects is None
            else lambda: together(effects(), adjusted_leads(leads.stage, leads.place, leads.shown)),
            left_out=both(self.left_out, lambda: leads.without),
            other={name: both(one, lambda: leads.psi) for name, one in self.other.items()},
        )


@dataclass(frozen=True)
class Averaged:
    """Uncertainty of averages of cells: called by `Effects` with a plan and its weights."""

    parts: Parts

    def __call__(self, plan: Plan, weights: Floats, overall: Plan | None = None) -> Scores:
        """Return the uncertainty of the averages, the overall effect and the slopes of covariates.

        Parameters
        ----------
        plan, weights
            See `Effects`.
        overall
            The plan whose overall effect it is, where that is another.
        """
        stage, parts = self.parts.stage, self.parts
        m = len(parts.means)
        first = parts.first_psi(weights[:m])
        if stage.slopes.size:
            first = first + stage.slope_psi @ weights[m:]
        shares = parts.shares(weights[:m])
        numbers = np.nan_to_num(np.concatenate([parts.means, stage.slopes])) @ weights

        def left_out() -> Floats:
            means, mass, slopes = self.without
            found = averages_without(plan, parts.cells.identified, means, mass)
            if overall is not None:
                other = averages_without(overall, parts.cells.identified, means, mass)
                found[:, -1] = other[:, -1]
            return np.hstack([found, slopes])

        return Scores(
            estimates=numbers,
            psi=first + parts.spread(self.deviations, shares),
            clusters=stage.design.unit_clusters,
            counts=stage.counts,
            adjusted=lambda: adjusted_effects(parts, weights[:m], weights[m:]),
            left_out=left_out,
            other={LEAVE_ONE_OUT: lambda: first + parts.spread(self.own_left_out, shares)},
        )

    @cached_property
    def without(self) -> tuple[Floats, Floats, Floats]:
        return cells_without(self.parts)

    @cached_property
    def deviations(self) -> Floats:
        """Weighted gaps less the mean of their cohort and period, by squared weights (N, T)."""
        parts = self.parts
        out = np.zeros(parts.own.shape)
        for rows in parts.stage.members:
            own, net = parts.own[rows], parts.stage.net[rows]
            square = own**2
            total = square.sum(axis=0)
            mean = (square * net).sum(axis=0) / np.where(total > 0, total, 1.0)
            out[rows] = own * (net - mean)
        return out

    @cached_property
    def own_left_out(self) -> Floats:
        """The same, where the mean leaves out the cluster of the row; zero where no other cluster is left."""
        parts, clusters = self.parts, self.parts.stage.design.unit_clusters
        out = np.zeros(parts.own.shape)
        for rows in parts.stage.members:
            own, net = parts.own[rows], parts.stage.net[rows]
            square = own**2
            _, at = np.unique(clusters[rows], return_inverse=True)
            size = _given_back(square, at)
            total = _given_back(square * net, at)
            rest = square.sum(axis=0) - size
            there = rest > ALONE_SHARE * size
            mean = ((square * net).sum(axis=0) - total) / np.where(there, rest, 1.0)
            out[rows] = np.where(there, own * (net - mean), 0.0)
        return out


def _given_back(values: Floats, at: NDArray[np.intp]) -> Floats:
    """Sum rows (n, T) over their group and give the sum back to each row (n, T)."""
    total = np.zeros((int(at.max()) + 1, values.shape[1]))
    np.add.at(total, at, values)
    return total[at]
