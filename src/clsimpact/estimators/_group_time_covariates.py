"""Group-time effects with covariates: one doubly robust (or simpler) comparison for each cell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from clsimpact.estimators._grid import Grid
from clsimpact.estimators._group_time_layout import Layout
from clsimpact.estimators._group_time_nuisance import Effect, Logit, effect_of, logit_of, standardised

__all__ = ["Adjusted"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Adjusted:
    """Effects of all cells of a layout, with covariates read in the earlier period of each pair.

    Attributes
    ----------
    grid : Grid
    layout : Layout
    clusters : integer array (N)
    n_clusters : int
    method : str
    """

    grid: Grid
    layout: Layout
    clusters: Ints
    n_clusters: int
    method: str

    def sample(self, k: int) -> tuple[Bools, Bools]:
        """Treated and control units of a cell (N), seen in both of its periods."""
        layout = self.layout
        both = self.grid.seen[:, layout.when[k]] & self.grid.seen[:, layout.base[k]]
        return both & (layout.unit_class == layout.group[k]), both & layout.controls[k][layout.unit_class]

    @cached_property
    def counts(self) -> tuple[Ints, Ints]:
        """Treated and control units of each cell (m); zero without a base period."""
        found = np.zeros((2, self.layout.when.size), dtype=np.int64)
        for k in np.flatnonzero(self.layout.base >= 0):
            found[:, k] = [side.sum() for side in self.sample(int(k))]
        found[1, self.layout.reference] = 0
        return found[0], found[1]

    @cached_property
    def _cells(self) -> list[Effect | None]:
        return self._fit(np.ones(self.clusters.size, dtype=bool), np.arange(self.layout.when.size))

    @cached_property
    def identified(self) -> Bools:
        """Cells with an effect (m)."""
        return np.array([found is not None and not found.trouble for found in self._cells], dtype=bool)

    @property
    def trouble(self) -> list[str]:
        """Why the covariates of a cell cannot be used (m)."""
        return ["" if found is None else found.trouble for found in self._cells]

    @cached_property
    def effects(self) -> Floats:
        """Effect of each cell (m); zero where it is not identified."""
        return np.array([0.0 if f is None or f.trouble else f.value for f in self._cells])

    @cached_property
    def psi(self) -> Floats:
        """Influence of each unit on each cell (N, m); zero where it is not identified."""
        out = np.zeros((self.clusters.size, self.layout.when.size))
        for k in np.flatnonzero(self.identified):
            treated, control = self.sample(int(k))
            out[treated | control, k] = self._cells[k].psi  # type: ignore[union-attr]
        return out

    @cached_property
    def left_out(self) -> Floats:
        """Effects without each cluster in turn (G, m), each estimated again; NaN where one does not exist."""
        out = np.tile(np.where(self.identified, self.effects, np.nan), (self.n_clusters, 1))
        known = np.flatnonzero(self.identified)
        part = np.array([np.logical_or(*self.sample(int(k))) for k in known]).reshape(-1, self.clusters.size)
        for h in range(self.n_clusters):
            keep = self.clusters != h
            touched = known[part[:, ~keep].any(axis=1)]
            for k, found in zip(touched, self._fit(keep, touched), strict=True):
                out[h, k] = np.nan if found is None or found.trouble else found.value
        return out

    def meat(self, weights: Floats, shifts: Floats, unit_weight: Floats) -> None:
        """There is no short way."""

    @property
    def corrected(self) -> Callable[[Floats, Callable[[int], Floats]], tuple[Floats, Floats]] | None:
        """CR2 is not defined: the estimator is not linear."""
        return None

    def _fit(self, keep: Bools, cells: NDArray[np.intp]) -> list[Effect | None]:
        """Estimate cells on some of the units; cells with one sample and one period share a propensity."""
        grid, layout = self.grid, self.layout
        logits: dict[tuple[bytes, bytes, bytes], tuple[Floats, Logit | None]] = {}
        out: list[Effect | None] = []
        for k in cells:
            if not layout.usable[k]:
                out.append(None)
                continue
            treated, control = (side & keep for side in self.sample(int(k)))
            use = treated | control
            if not treated.any() or not control.any():
                out.append(None)
                continue
            w = grid.mass[use, layout.earlier[k]]
            raw = grid.x[:, use, layout.earlier[k]].T
            key = (use.tobytes() + treated.tobytes(), raw.tobytes(), w.tobytes())
            if key not in logits:
                x = standardised(raw, w)
                logits[key] = x, None if self.method == "reg" else logit_of(treated[use], x, w)
            x, logit = logits[key]
            change = grid.y[use, layout.when[k]] - grid.y[use, layout.base[k]]
            out.append(effect_of(change, treated[use], x, w, method=self.method, logit=logit))
        return out
