r"""Averages of group-time effects and their uncertainty.

Every average is built from *parts* (the effects, or each cohort's mean over periods) in two ways: with fixed
weights, or by cohort size. The latter are estimated too (Callaway and Sant'Anna 2021, section 4): with
cohort weight :math:`W_g`, parts r of cohort g(r) and :math:`M = \sum_r W_{g(r)}`,

.. math:: \theta = \sum_r W_{g(r)}\theta_r / M, \qquad
          \psi_i = \sum_r \frac{W_{g(r)}}{M}\psi_{ir} + \frac{w_i}{M}\sum_{r: g(r) = G_i}(\theta_r - \theta).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from clsimpact.estimators._cells import Plan
from clsimpact.inference.influence import Influence
from clsimpact.inference.sandwich import Counts, Covariance, cluster_sums

__all__ = ["Averages", "Source", "averages"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

GONE = 1e-10
"""A cohort with less than this share of its weight has left; sums of weights round to about 1e-15.

One unit of a cohort of a million holds 1e-6."""


Correct = Callable[[Floats, Callable[[int], Floats]], tuple[Floats, Floats]]
"""Takes the weights of the cells in the columns and, for a column, what cohort shares add (G, m)."""


class Source(Protocol):
    """Effects of the cells and how units move them: with covariates or without."""

    @property
    def effects(self) -> Floats:
        """Effects (m), zero where not identified."""

    @property
    def psi(self) -> Floats:
        """Influence of each unit on each cell (N, m)."""

    @property
    def left_out(self) -> Floats:
        """Effects without each cluster in turn (G, m), NaN where one does not exist."""

    def meat(self, weights: Floats, shifts: Floats, unit_weight: Floats) -> Floats | None:
        """Sum of squares of the influences of columns, where there is a short way."""

    @property
    def corrected(self) -> Correct | None:
        """Makes CR2 scores of the clusters (G, q), cohort shares apart, and degrees of freedom (q)."""


@dataclass(frozen=True, eq=False)
class Averages:
    """Averages of cells, with any covariance on request; an `Uncertainty`.

    Attributes
    ----------
    source : Source
    unit_class : integer array (N)
    unit_weight : float array (N)
        Weight of each unit in the size of its cohort.
    mass : float array (c)
        Weight of each class of units.
    clusters : integer array (N)
    counts : Counts
    fixed : float array (m, r)
        Weights of the cells in the parts.
    part_class : integer array (r)
    taken : float array (r, a)
        One where a part is in an average by cohort size.
    direct, sized : float arrays (r, q), (a, q)
        Fixed weights of the parts, and of the averages by cohort size, in the columns.
    """

    source: Source
    unit_class: Ints
    unit_weight: Floats
    mass: Floats
    clusters: Ints
    counts: Counts
    fixed: Floats
    part_class: Ints
    taken: Floats
    direct: Floats
    sized: Floats
    _found: dict[str, Covariance] = field(default_factory=dict, repr=False)

    @cached_property
    def _parts(self) -> Floats:
        return np.asarray(self.source.effects @ self.fixed)

    @cached_property
    def _shares(self) -> Floats:
        """Weight of each part in each average by cohort size (r, a)."""
        size = self.taken * self.mass[self.part_class][:, None]
        return np.asarray(size / np.where(size.any(axis=0), size.sum(axis=0), 1.0))

    @cached_property
    def _total(self) -> Floats:
        """M of each average by cohort size (a)."""
        total = self.mass[self.part_class] @ self.taken
        return np.where(total > 0, total, 1.0)

    @cached_property
    def weights(self) -> Floats:
        """Weight of each cell in each column (m, q)."""
        return np.asarray(self.fixed @ (self.direct + self._shares @ self.sized))

    @cached_property
    def shifts(self) -> Floats:
        """Constant that each class adds to the influence of its units, per weight (c, q)."""
        away = self.taken * (self._parts[:, None] - self._parts @ self._shares) / self._total
        classes = np.zeros((self.mass.size, self.taken.shape[1]))
        np.add.at(classes, self.part_class, away)
        return np.asarray(classes @ self.sized)

    @property
    def estimates(self) -> Floats:
        """The averages (q)."""
        return np.asarray(self.source.effects @ self.weights)

    @cached_property
    def psi(self) -> Floats:
        """Influence of each unit on each average (N, q), already divided by the number of units."""
        moved = self.source.psi @ self.weights
        return np.asarray(moved + self.unit_weight[:, None] * self.shifts[self.unit_class])

    @property
    def scores(self) -> Floats:
        """Influence of each cluster (G, q)."""
        return cluster_sums(self.psi, self.clusters, self.counts.n_clusters)

    @cached_property
    def influence(self) -> Influence:
        """The same as `Influence`, which has no CR2."""
        return Influence(self.estimates, self.psi, self.clusters, self.counts, left_out=lambda: self.left_out)

    @property
    def kinds(self) -> tuple[str, ...]:
        """Covariances on offer."""
        return ("CR0", "CR1", *(("CR2",) if self.source.corrected is not None else ()), "CR3", "jackknife")

    def covariance(self, kind: str) -> Covariance:
        """Covariance matrix of all averages, with degrees of freedom."""
        if kind not in self._found:
            self._found[kind] = self._covariance(kind)
        return self._found[kind]

    def _covariance(self, kind: str) -> Covariance:
        g, meat = self.counts.n_clusters, None
        if kind not in self.kinds or g < 2:
            return replace(self._blank, left_out=lambda: self.left_out).covariance(kind)
        if kind == "CR2" and self.source.corrected is not None:
            scores, df = self.source.corrected(self.weights, self._constants)
            scores = scores + self._cluster_mass @ self.shifts
            return Covariance(kind, scores.T @ scores, df, 1.0, "CR2 = 1", self.counts)
        if kind in ("CR0", "CR1"):
            meat = self.source.meat(self.weights, self.shifts, self.unit_weight)
        if meat is None:
            return self.influence.covariance(kind)
        found = self._blank.covariance(kind)
        df = np.full(len(meat), found.df[0])
        return replace(found, matrix=found.factor * meat, df=df, lost=())

    @property
    def _blank(self) -> Influence:
        """One number without influence, for the factors and the refusals."""
        g = self.counts.n_clusters
        return Influence(np.zeros(1), np.zeros((g, 1)), np.arange(g), self.counts)

    def combine(self, weights: Floats) -> Averages:
        """Return linear combinations with fixed ``weights`` (q, k)."""
        return replace(self, direct=self.direct @ weights, sized=self.sized @ weights, _found={})

    @cached_property
    def _cluster_mass(self) -> Floats:
        """Weight of each cluster in each class (G, c)."""
        n = self.mass.size
        flat = np.bincount(
            self.clusters * n + self.unit_class,
            weights=self.unit_weight,
            minlength=n * self.counts.n_clusters,
        )
        return np.asarray(flat, dtype=np.float64).reshape(-1, n)

    @cached_property
    def left_out(self) -> Floats:
        """The averages without each cluster in turn (G, q), cohort sizes taken anew; NaN where none exists.

        An average by cohort size goes on without a cohort that is gone; fixed weights need every part.
        """
        parts = _through(self.source.left_out, self.fixed)
        rest = 1.0 - self._cluster_mass / np.where(self.mass > 0, self.mass, 1.0)
        there = np.isfinite(parts) & (rest[:, self.part_class] > GONE)
        size = np.where(there, (rest * self.mass)[:, self.part_class], 0.0)
        whole = size @ self.taken
        sums = (size * np.where(there, parts, 0.0)) @ self.taken
        means = np.divide(sums, whole, out=np.full(sums.shape, np.nan), where=whole > 0)
        return _through(parts, self.direct) + _through(means, self.sized)

    def _constants(self, column: int) -> Floats:
        """Return what each effect adds to the score of each cluster through the cohort shares (G, m)."""
        if not self.sized[:, column].any():
            return np.zeros((1, self.fixed.shape[0]))
        out = np.zeros((self.mass.size, self.fixed.shape[0]))
        for a in np.flatnonzero(self.sized[:, column]):
            taken = self.taken[:, a]
            own = np.zeros((self.mass.size, taken.size))
            own[self.part_class, np.arange(taken.size)] = taken
            around = own - np.outer(own.sum(axis=1), self._shares[:, a])
            out += self.sized[a, column] / self._total[a] * around @ self.fixed.T
        return np.asarray(self._cluster_mass @ out)


def _through(values: Floats, weights: Floats) -> Floats:
    """Return ``values @ weights``, NaN where a value that is needed is NaN and nowhere else."""
    gone = np.isnan(values)
    sums = np.where(gone, 0.0, values) @ weights
    lost = gone.astype(np.float64) @ (weights != 0) > 0
    return np.where(lost, np.nan, sums)


def averages(
    plan: Plan,
    source: Source,
    *,
    group: Ints,
    unit_class: Ints,
    unit_weight: Floats,
    mass: Floats,
    clusters: Ints,
    counts: Counts,
) -> Averages:
    """Return the averages of a plan and, last, its overall effect; ``group`` is the class of each cell."""
    m, p = plan.weights.shape
    fixed, part_class = np.eye(m), group
    direct, sized = np.zeros((m, p + 1)), np.eye(1, p + 1, p)
    taken = (plan.weights @ plan.total != 0)[:, None]
    if plan.kind == "cells":
        direct[:, :p] = plan.weights
    elif plan.kind == "group":
        fixed, direct = plan.weights, np.eye(p, p + 1)
        part_class = np.array([group[members[0]] for members in plan.members])
        taken = (plan.total != 0)[:, None]
    else:
        taken, sized = plan.weights != 0, np.column_stack([np.eye(p), plan.total])
    return Averages(
        source, unit_class, unit_weight, mass, clusters, counts,
        fixed, part_class, taken.astype(np.float64), direct, sized,
    )  # fmt: skip
