r"""Group-time effects without covariates: differences of means, and how each unit moves them.

A *node* is the mean change :math:`m_v = \sum_{i \in v} w_i\Delta_i / W_v` of a set of units between two
periods; an effect is the node of the treated less the node of the controls. Unit i moves node v by
:math:`r_{iv} = w_i(\Delta_i - m_v) / W_v`. With cluster h of share :math:`\lambda_{hv} = W_{hv} / W_v` and
:math:`r_{hv} = \sum_{i \in h} r_{iv}`,

- without the cluster the node moves by :math:`-r_{hv} / (1 - \lambda_{hv})`, exactly;
- the CR2 adjustment of a regression on the mean alone is :math:`r_{hv} / \sqrt{1 - \lambda_{hv}}`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from clsimpact.estimators._grid import Grid
from clsimpact.estimators._group_time_layout import Layout
from clsimpact.inference.sandwich import cluster_sums

__all__ = ["WHOLE", "Means"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

WHOLE = 1e-10
"""A cluster with all but this share of a node is the whole of it; sums of weights round to about 1e-15.

One unit beside a cluster of a million leaves 1e-6."""


@dataclass(frozen=True, eq=False)
class Means:
    """Effects of all cells of a layout as differences of node means.

    Attributes
    ----------
    grid : Grid
    layout : Layout
    clusters : integer array (N)
    n_clusters : int
    """

    grid: Grid
    layout: Layout
    clusters: Ints
    n_clusters: int

    @cached_property
    def flat(self) -> bool:
        """Every unit is seen in every period, with one weight."""
        mass = self.grid.mass
        return self.grid.balanced or bool(self.grid.seen.all() and (mass == mass[:, :1]).all())

    @cached_property
    def _pairs(self) -> tuple[Ints, Ints, Ints]:
        """Distinct pairs of period and base period, and the pair of each cell."""
        layout, n = self.layout, self.grid.periods.size
        codes, pair = np.unique(layout.when * n + np.maximum(layout.base, 0), return_inverse=True)
        return codes // n, codes % n, pair

    @cached_property
    def _classes(self) -> tuple[Floats, Floats, list[Floats]]:
        """Weight (c) and mean outcome (c, T) of each class, and outcomes net of it; only where `flat`."""
        weight, middle, net = [], [], []
        for c in range(self.layout.classes.size):
            mine = self.layout.unit_class == c
            y, w = self.grid.y[mine], self.grid.mass[mine, 0]
            weight.append(w.sum())
            middle.append(w @ y / weight[-1] if y.size else np.zeros(y.shape[1]))
            net.append(y - middle[-1])
        return np.array(weight), np.array(middle), net

    @cached_property
    def _changes(self) -> tuple[Floats, Floats]:
        """Weight and change (N, pairs) of each unit, zero where a period is missing."""
        at, base, _ = self._pairs
        grid = self.grid
        both = grid.seen[:, at] & grid.seen[:, base]
        weight = np.where(both, grid.mass[:, np.minimum(at, base)], 0.0)
        return weight, np.where(both, grid.y[:, at] - grid.y[:, base], 0.0)

    @cached_property
    def _sums(self) -> tuple[Floats, Floats, Floats]:
        """Units, weight and weighted change of each class and pair (c, pairs)."""
        at, base, _ = self._pairs
        member = self.layout.member
        if self.flat:
            weight, middle, _ = self._classes
            size = member.sum(axis=1)[:, None] * np.ones(at.size)
            wide = weight[:, None] * np.ones(at.size)
            return size, wide, wide * (middle[:, at] - middle[:, base])
        weight, change = self._changes
        return member @ (weight > 0), member @ weight, member @ (weight * change)

    @cached_property
    def _nodes(self) -> tuple[Bools, Ints, Ints, Ints]:
        """Classes (v, c) and pair (v) of each node, and the two nodes of each usable cell."""
        layout, pair = self.layout, self._pairs[2]
        use = layout.usable
        treated: Bools = layout.group[use, None] == np.arange(layout.classes.size)
        sets, which = np.unique(np.concatenate([treated, layout.controls[use]]), axis=0, return_inverse=True)
        codes = which.ravel() * (pair.max(initial=0) + 1) + np.tile(pair[use], 2)
        found, node = np.unique(codes, return_inverse=True)
        own, other = np.full(pair.size, -1), np.full(pair.size, -1)
        own[use], other[use] = node[: use.sum()], node[use.sum() :]
        return sets[found // (pair.max(initial=0) + 1)], found % (pair.max(initial=0) + 1), own, other

    @cached_property
    def node_weight(self) -> Floats:
        """Weight behind each node (v)."""
        sets, pair, _, _ = self._nodes
        return np.asarray(np.einsum("vc,cv->v", sets.astype(float), self._sums[1][:, pair]))

    @cached_property
    def node_mean(self) -> Floats:
        """Mean change of each node (v); zero where nobody is seen."""
        sets, pair, _, _ = self._nodes
        total = np.einsum("vc,cv->v", sets.astype(float), self._sums[2][:, pair])
        there = self.node_weight > 0
        return np.where(there, total / np.where(there, self.node_weight, 1.0), 0.0)

    @cached_property
    def counts(self) -> tuple[Ints, Ints]:
        """Treated and control units of each cell (m); zero without a base period."""
        pair, layout = self._pairs[2], self.layout
        size = self._sums[0][:, pair]
        own = np.where(layout.base >= 0, size[layout.group, np.arange(pair.size)], 0)
        other = np.where(layout.usable, (layout.controls.T * size).sum(axis=0), 0)
        return np.rint(own).astype(np.int64), np.rint(other).astype(np.int64)

    @cached_property
    def signs(self) -> Floats:
        """Node coefficients of each cell (v, m)."""
        _, pair, own, other = self._nodes
        out = np.zeros((pair.size, own.size))
        known = np.flatnonzero(self.identified)
        out[own[known], known] += 1.0
        out[other[known], known] -= 1.0
        return out

    @cached_property
    def identified(self) -> Bools:
        """Cells with treated and control units (m)."""
        own, other = self.counts
        return np.asarray(self.layout.usable & (own > 0) & (other > 0))

    @cached_property
    def effects(self) -> Floats:
        """Effect of each cell (m); zero where it is not identified."""
        return self._differences(self.node_mean, 0.0)

    def _differences(self, nodes: Floats, otherwise: float) -> Floats:
        """Return treated less control node of each cell (..., m); no cell may have any (..., 0 nodes)."""
        _, _, own, other = self._nodes
        known = np.flatnonzero(self.identified)
        out = np.full((*nodes.shape[:-1], own.size), otherwise)
        out[..., known] = nodes[..., own[known]] - nodes[..., other[known]]
        return out

    @cached_property
    def node_psi(self) -> Floats:
        """Influence of each unit on each node (N, v)."""
        sets, pair, _, _ = self._nodes
        weight, change = self._changes
        member = self.layout.member.T @ sets.T.astype(float)
        share = member * weight[:, pair] / np.where(self.node_weight > 0, self.node_weight, 1.0)
        return np.asarray(share * (change[:, pair] - self.node_mean))

    @cached_property
    def psi(self) -> Floats:
        """Influence of each unit on each cell (N, m); zero where it is not identified."""
        return self._differences(self.node_psi, 0.0)

    @cached_property
    def share(self) -> Floats:
        """Share of each cluster in the weight of each node (G, v)."""
        sets, pair, _, _ = self._nodes
        weight = self._changes[0]
        member = self.layout.member.T @ sets.T.astype(float)
        whole = np.where(self.node_weight > 0, self.node_weight, 1.0)
        return cluster_sums(member * weight[:, pair] / whole, self.clusters, self.n_clusters)

    @cached_property
    def left_out(self) -> Floats:
        """Effects without each cluster in turn (G, m), NaN where one does not exist."""
        rest = 1.0 - self.share
        moved = cluster_sums(self.node_psi, self.clusters, self.n_clusters)
        nodes = np.where(rest > WHOLE, self.node_mean - moved / np.where(rest > WHOLE, rest, 1.0), np.nan)
        return self._differences(nodes, np.nan)

    def spread(self, used: NDArray[np.intp]) -> tuple[Floats, Floats]:
        """Units' loadings (N, v) on the chosen nodes, for errors of variance one; overlap of pairs (v, v)."""
        sets, pair, _, _ = self._nodes
        at, base, _ = self._pairs
        weight = self._changes[0][:, pair[used]]
        member = self.layout.member.T @ sets[used].T.astype(float)
        steps = np.zeros((used.size, self.grid.periods.size))
        rows = np.arange(used.size)
        steps[rows, at[pair[used]]] += 1.0
        steps[rows, base[pair[used]]] -= 1.0
        return np.asarray(member * np.sqrt(weight) / self.node_weight[used]), steps @ steps.T

    @property
    def corrected(self) -> Callable[[Floats, Callable[[int], Floats]], tuple[Floats, Floats]]:
        """Makes CR2 scores and degrees of freedom; see `clsimpact.estimators._group_time_cr2`."""
        from clsimpact.estimators._group_time_cr2 import corrected

        return lambda weights, constants: corrected(self, weights, constants)

    def meat(self, weights: Floats, shifts: Floats, unit_weight: Floats) -> Floats | None:
        """Sum of squares (q, q) of the influences of columns, from moments of the classes.

        Parameters
        ----------
        weights
            Weight of each cell in each column (m, q).
        shifts, unit_weight
            Constants of each class (c, q) that are added, times the weight of the unit (N).

        Returns
        -------
        array or None
            None where units do not all have every period and one weight, or clusters hold several units.
        """
        if not self.flat or self.n_clusters != self.clusters.size:
            return None
        layout = self.layout
        _, middle, net = self._classes
        known = np.flatnonzero(self.identified)
        used, total = weights[known], np.zeros((weights.shape[1],) * 2)
        _, _, own, other = self._nodes
        scale = layout.controls[known].T / -self.node_weight[other[known]]
        scale[layout.group[known], np.arange(known.size)] = 1 / self.node_weight[own[known]]
        steps = np.zeros((middle.shape[1], known.size))
        steps[layout.when[known], np.arange(known.size)] = 1.0
        steps[layout.base[known], np.arange(known.size)] -= 1.0
        for c, y in enumerate(net):
            w = unit_weight[layout.unit_class == c]
            side = np.where(layout.group[known] == c, own[known], other[known])
            off = scale[c] * (middle[c] @ steps - self.node_mean[side])
            loads = np.vstack([(steps * scale[c]) @ used, off @ used + shifts[c]])
            basis = np.column_stack([y * w[:, None], w])
            total += loads.T @ (basis.T @ basis) @ loads
        return total
