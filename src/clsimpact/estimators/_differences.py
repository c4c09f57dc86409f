r"""Long differences of cohorts and clean controls, cell by cell.

A cell (g, t) compares the units of cohort g with controls that are still untreated at the end of the
comparison, both by the change of the outcome from a base period b(g) to t:

.. math:: \Delta_{gt} = \frac{\sum_{i \in g} w_i (y_{it} - y_{ib})}{A_{gt}}
                      - \frac{\sum_{i \in C_{gt}} w_i (y_{it} - y_{ib})}{B_{gt}},

with masses A and B of treated units and controls. Only units observed in both periods enter. The base is the
last period before adoption (before anticipation) in which the cohort is observed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clsimpact._room import require_room
from clsimpact.design import Design
from clsimpact.errors import list_some
from clsimpact.estimators._cells import Cells, Plan, cell_name
from clsimpact.estimators._grid import Grid
from clsimpact.inference.sandwich import cluster_sums
from clsimpact.results import REFERENCE

__all__ = [
    "Contrasts",
    "Pair",
    "base_positions",
    "behind",
    "compare",
    "effect_cells",
    "left_out_of",
    "positions",
    "sample_frame",
    "without_each",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Pair:
    """One cell to compare.

    Attributes
    ----------
    cohort, period : int
        First treated period of the cohort, and the period of the outcome.
    base : int
        Position of the base period, -1 where the cohort has none.
    until : float
        Controls are untreated up to and including this period.
    needed : tuple of int
        Further positions in which a unit has to be observed.
    weighed : int
        Position of the period whose weights count.
    reason : str
        Why the cell cannot be compared at all.

    Examples
    --------
    >>> Pair(2004, 2005, 0, 2005.0).cohort
    2004
    """

    cohort: int
    period: int
    base: int
    until: float
    needed: tuple[int, ...] = ()
    weighed: int = -1
    reason: str = ""


@dataclass(frozen=True)
class Contrasts:
    """Changes of the outcome and masses for each unit (N) and cell (C).

    Attributes
    ----------
    pairs : tuple of Pair
    change : float array (N, C)
        Change from the base to the period; any number where the unit is in neither group.
    treated, control : float arrays (N, C)
        Mass of the unit in the two groups.
    usable : boolean array (N, C)
        Units observed in all that the cell needs.

    Examples
    --------
    >>> one = np.array([[1.0], [0.0]])
    >>> cell = Contrasts((Pair(2004, 2004, 0, 2004.0),), np.array([[3.0], [1.0]]), one, 1 - one, one >= 0)
    >>> cell.gap.tolist()
    [2.0]
    """

    pairs: tuple[Pair, ...]
    change: Floats
    treated: Floats
    control: Floats
    usable: Bools

    @cached_property
    def a(self) -> Floats:
        """Mass of the treated (C)."""
        return np.asarray(self.treated.sum(axis=0))

    @cached_property
    def b(self) -> Floats:
        """Mass of the controls (C)."""
        return np.asarray(self.control.sum(axis=0))

    @cached_property
    def treated_units(self) -> Ints:
        """Number of treated units (C)."""
        return np.asarray((self.treated > 0).sum(axis=0))

    @cached_property
    def control_units(self) -> Ints:
        """Number of controls (C)."""
        return np.asarray((self.control > 0).sum(axis=0))

    @cached_property
    def known(self) -> Bools:
        """Cells with units on both sides (C)."""
        return np.asarray((self.treated_units > 0) & (self.control_units > 0))

    @cached_property
    def treated_change(self) -> Floats:
        """Change times mass of the treated (N, C)."""
        return self.treated * self.change

    @cached_property
    def control_change(self) -> Floats:
        """Change times mass of the controls (N, C)."""
        return self.control * self.change

    @cached_property
    def treated_mean(self) -> Floats:
        """Mean change of the treated (C)."""
        return np.asarray(self.treated_change.sum(axis=0) / np.where(self.a > 0, self.a, 1.0))

    @cached_property
    def control_mean(self) -> Floats:
        """Mean change of the controls (C)."""
        return np.asarray(self.control_change.sum(axis=0) / np.where(self.b > 0, self.b, 1.0))

    @property
    def gap(self) -> Floats:
        """Difference of the two means (C), zero where there is none."""
        return np.where(self.known, self.treated_mean - self.control_mean, 0.0)

    def pulled(self, up: Floats, down: Floats, high: Floats, low: Floats) -> Floats:
        """Sum deviations of changes over cells (N, q).

        Weights ``up`` and ``down`` (C, q) on treated and controls, deviations from ``high`` and ``low`` (C).
        """
        treated = self.treated_change @ up - self.treated @ (high[:, None] * up)
        control = self.control_change @ down - self.control @ (low[:, None] * down)
        return np.asarray(treated - control)

    def means_of(self, values: Floats) -> Floats:
        """Return differences of means (C) of other ``values`` (N, C)."""
        up = (self.treated * values).sum(axis=0) / np.where(self.a > 0, self.a, 1.0)
        down = (self.control * values).sum(axis=0) / np.where(self.b > 0, self.b, 1.0)
        return np.where(self.known, up - down, 0.0)


def base_positions(design: Design, grid: Grid) -> dict[int, int]:
    """Return the position of each cohort's base period, -1 for none; cohorts that adopt by the end."""
    out = {}
    for cohort in design.cohort_sizes:
        seen = grid.seen[grid.cohorts == cohort].any(axis=0)
        before = np.flatnonzero(seen & (grid.periods < cohort - design.anticipation))
        out[cohort] = int(before[-1]) if before.size else -1
    return out


def compare(
    design: Design, grid: Grid, pairs: Sequence[Pair], *, never: bool, mean_base: bool = False
) -> Contrasts:
    """Lay out the cells: who is compared, and with which mass.

    Parameters
    ----------
    design
    grid
    pairs
        The cells.
    never
        Controls are units that do not adopt by the end of the panel; else all that are still untreated.
    mean_base
        Changes are from the mean of the unit's periods up to the base (for a lead, of two or more); else
        from the base itself.
    """
    require_room(len(design.cohort_sizes), len(grid.periods), len(grid.y), len(pairs))
    at = np.searchsorted(grid.periods, [pair.period for pair in pairs])
    base = np.array([max(pair.base, 0) for pair in pairs], dtype=np.int64)
    until = np.array([pair.until for pair in pairs], dtype=np.float64)
    weighed = np.array([pair.weighed for pair in pairs], dtype=np.int64)
    weighed = np.where(weighed >= 0, weighed, base)
    level = _mean_up_to(grid, grid.y) if mean_base else grid.y
    usable = _usable(design, grid, pairs, at, base, mean_base=mean_base)
    cohorts = np.array([pair.cohort for pair in pairs], dtype=np.float64)
    if grid.balanced:
        mass = usable.astype(np.float64)
    else:
        mass = (_mean_up_to(grid, grid.mass) if mean_base else grid.mass)[:, weighed] * usable
    start = np.where(np.isnan(grid.cohorts), np.inf, grid.cohorts - design.anticipation)
    clean = np.tile(~design.in_window[:, None], len(pairs)) if never else start[:, None] > until
    treated = mass * (grid.cohorts[:, None] == cohorts)
    control = mass * clean
    return Contrasts(tuple(pairs), grid.y[:, at] - level[:, base], treated, control, usable)


def _usable(
    design: Design, grid: Grid, pairs: Sequence[Pair], at: Ints, base: Ints, *, mean_base: bool
) -> Bools:
    """Mark the units (N, C) observed in all that each cell needs."""
    possible = np.array([pair.base >= 0 and not pair.reason for pair in pairs], dtype=bool)
    others = 1 + (mean_base & (base >= at))
    if grid.balanced:
        return np.tile(possible & (base + 1 >= others), (len(grid.y), 1))
    count: Ints = np.cumsum(grid.seen, axis=1, dtype=np.int64) if mean_base else grid.seen.astype(np.int64)
    usable = grid.seen[:, at] & (count[:, base] >= others) & possible
    if design.covariates:
        usable &= grid.seen[:, base]
    for j, pair in enumerate(pairs):
        if pair.needed:
            usable[:, j] &= grid.seen[:, list(pair.needed)].all(axis=1)
    return np.asarray(usable)


def _mean_up_to(grid: Grid, values: Floats) -> Floats:
    """Return, for each unit and period, the mean of what was seen by then."""
    count = np.cumsum(grid.seen, axis=1)
    return np.asarray(np.cumsum(np.where(grid.seen, values, 0.0), axis=1) / np.maximum(count, 1))


def effect_cells(design: Design, grid: Grid, found: Contrasts, mass: Floats, bases: dict[int, int]) -> Cells:
    """Return the cells as `Cells`, with the reference cells of event times that have no other."""
    keys = [(pair.cohort, pair.period, j) for j, pair in enumerate(found.pairs)]
    events = {t - g for g, t, j in keys if found.known[j]}
    for g, k in bases.items():
        if k >= 0 and int(grid.periods[k]) - g not in events:
            keys = [key for key in keys if key[1] - key[0] != int(grid.periods[k]) - g or key[2] < 0]
            keys.append((g, int(grid.periods[k]), -1))
    keys.sort()
    at = np.array([j for _, _, j in keys])
    real = at >= 0
    units = [
        found.treated_units[j] if j >= 0 else int((grid.seen[:, bases[g]] & (grid.cohorts == g)).sum())
        for g, _, j in keys
    ]
    known = np.where(real, found.known[at], False)
    return Cells(
        cohorts=np.array([g for g, _, _ in keys], dtype=np.int64),
        periods=np.array([t for _, t, _ in keys], dtype=np.int64),
        mass=np.where(known, mass[at], np.where(real, 0.0, 1.0)),
        units=np.array(units, dtype=np.int64),
        rows=np.array(units, dtype=np.int64),
        identified=known,
        reference=~real,
        reasons=tuple(_reason(design, grid, found, j) if j >= 0 else REFERENCE for _, _, j in keys),
    )


def positions(cells: Cells, found: Contrasts) -> Ints:
    """Return for each cell its column in ``found``, -1 for a reference cell."""
    at = {(pair.cohort, pair.period): j for j, pair in enumerate(found.pairs)}
    keys = zip(cells.cohorts, cells.periods, cells.reference, strict=True)
    return np.array([-1 if zero else at[int(g), int(t)] for g, t, zero in keys], dtype=np.int64)


def behind(cells: Cells, found: Contrasts) -> Callable[[Ints, Ints], Bools]:
    """Return what says of units and cells (r, r) whether the unit is among the treated of its cell."""
    at = positions(cells, found)
    return lambda units, mine: (at[mine] < 0) | (found.treated[units, at[mine]] > 0)


def _reason(design: Design, grid: Grid, found: Contrasts, j: int) -> str:
    """Why a cell is not identified, or what to mind; names councils and periods."""
    pair = found.pairs[j]
    if found.known[j]:
        return ""
    if pair.reason:
        return pair.reason
    mine = np.flatnonzero(grid.cohorts == pair.cohort)
    names = list_some([design.unit_names[i] for i in mine], 4)
    if pair.base < 0:
        return f"cohort {pair.cohort} is not observed before adoption ({names})"
    base = int(grid.periods[pair.base])
    if pair.period == base and found.treated_units[j] == 0:
        return f"cohort {pair.cohort} has no second period before adoption beside {base} ({names})"
    if found.treated_units[j] == 0:
        also = " and the rest of the window" if len(pair.needed) > 2 else ""
        return f"nobody of cohort {pair.cohort} is observed in both {base} and {pair.period}{also} ({names})"
    last = int(min(pair.until, grid.periods[-1]))
    return f"nobody still untreated in {last} is observed in both {base} and {pair.period}"


def without_each(found: Contrasts, clusters: Ints, n_clusters: int) -> tuple[Floats, Floats, Floats]:
    """Return masses of treated and controls and the gap (G, C) without each cluster in turn.

    A mass is exactly zero, and the gap NaN, where nobody is left.
    """
    out = []
    for mass in (found.treated, found.control):
        count = (mass > 0).astype(np.float64)
        left = count.sum(axis=0) - cluster_sums(count, clusters, n_clusters)
        weight = mass.sum(axis=0) - cluster_sums(mass, clusters, n_clusters)
        weight = np.where(left > 0, weight, 0.0)
        centre = found.treated_mean if mass is found.treated else found.control_mean
        moved = cluster_sums(mass * (found.change - centre), clusters, n_clusters)
        with np.errstate(invalid="ignore", divide="ignore"):
            out += [weight, np.where(left > 0, centre - moved / weight, np.nan)]
    return out[0], out[2], out[1] - out[3]


def left_out_of(plan: Plan, mass: Floats, gap: Floats) -> Floats:
    """Average cells by ``mass`` (G, m) as a plan does: terms and overall effect (G, p + 1).

    A term without cells is NaN, and so is an overall effect that needs it.
    """
    inside = (plan.weights > 0).astype(np.float64)
    share = np.where(np.isnan(gap), 0.0, np.ones_like(mass) if plan.kind == "group" else mass)
    with np.errstate(invalid="ignore", divide="ignore"):
        terms = (share * np.nan_to_num(gap)) @ inside / (share @ inside)
        total = np.tile(plan.total, (len(mass), 1))
        if plan.kind in ("group", "cells"):
            there = (~np.isnan(gap)) * mass
            total = (there @ inside) / np.maximum((there > 0) @ inside, 1.0) * (plan.total > 0)
            total = total / total.sum(axis=1, keepdims=True)
        overall = np.where(total > 0, total * terms, 0.0).sum(axis=1)
    return np.column_stack([terms, overall])


def sample_frame(
    design: Design,
    grid: Grid,
    found: Contrasts,
    cells: Cells,
    plan: Plan,
    *,
    trimmed: str = "",
    mean_base: bool = False,
) -> pd.DataFrame:
    """Say which units and periods stand behind each average of cells."""
    start = "mean up to " if mean_base else ""
    at = positions(cells, found)
    rows = []
    for term, members in zip(plan.terms, plan.members, strict=True):
        mine = [int(at[i]) for i in members if at[i] >= 0]
        good = [j for j in mine if found.known[j]]
        text = [start + _span(grid, found.pairs[j]) for j in good] or ["none: reference period"] * (not mine)
        rows.append(
            {
                "term": term.name,
                "treated_units": int((found.treated[:, good] > 0).any(axis=1).sum()) if mine else 0,
                "control_units": int((found.control[:, good] > 0).any(axis=1).sum()) if mine else 0,
                "periods": list_some(text),
                "left_out": "; ".join(word for word in (_absent(design, grid, found, mine), trimmed) if word),
            }
        )
    frame = pd.DataFrame(rows, columns=["term", "treated_units", "control_units", "periods", "left_out"])
    return frame.astype({"treated_units": "Int64", "control_units": "Int64"})


def _span(grid: Grid, pair: Pair) -> str:
    return f"{int(grid.periods[pair.base])} to {pair.period} (cohort {pair.cohort})"


def _absent(design: Design, grid: Grid, found: Contrasts, cells: Sequence[int]) -> str:
    """Name treated units and count controls that cells cannot use, and cells that are not identified."""
    words = []
    for j in cells:
        pair = found.pairs[j]
        if not found.known[j]:
            words.append(f"{cell_name(pair.cohort, pair.period)}: {_reason(design, grid, found, j)}")
            continue
        gone = np.flatnonzero((grid.cohorts == pair.cohort) & ~found.usable[:, j])
        if gone.size:
            names = list_some([design.unit_names[i] for i in gone], 4)
            words.append(f"{names} (not observed in what {cell_name(pair.cohort, pair.period)} compares)")
    cohorts = [found.pairs[j].cohort for j in cells]
    unseen = ~found.usable[:, list(cells)].any(axis=1) & ~np.isin(grid.cohorts, cohorts)
    if cells and unseen.any():
        names = list_some([design.unit_names[i] for i in np.flatnonzero(unseen)], 4)
        words.append(f"{names} (without the rows that any of its comparisons needs)")
    return "; ".join(words)
