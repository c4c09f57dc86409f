"""Which comparison stands behind each effect by cohort and period of `clsimpact.group_time`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from clsimpact._check import plural, unit_word
from clsimpact._room import require_room
from clsimpact.design import Design
from clsimpact.errors import list_some
from clsimpact.estimators._grid import Grid

__all__ = ["Layout", "layout_of", "left_out_words", "what_to_mind", "why_not"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

NAMED = 3
"""Units that a reason names; `Estimate.sample` has all of them."""


@dataclass(frozen=True)
class Layout:
    """Cells by cohort and period, each with its base period and its controls.

    Attributes
    ----------
    classes : float array (c)
        Cohorts that adopt within the panel, sorted; the last class, NaN, holds the units that adopt never
        or after it.
    unit_class : integer array (N)
    present : boolean array (c, T)
        Some unit of the class is seen in the period.
    group, when, base : integer arrays (m)
        Class of the treated, position of the period and of the base period (-1: there is none).
    usual : integer array (m)
        The base period if the cohort were seen in every period.
    controls : boolean array (m, c)
        Classes compared with.
    reference : boolean array (m)
        Period and base period are the same: zero by construction.
    """

    classes: Floats
    unit_class: Ints
    present: Bools
    group: Ints
    when: Ints
    base: Ints
    usual: Ints
    controls: Bools
    reference: Bools

    @cached_property
    def member(self) -> Floats:
        """One where a unit belongs to a class (c, N)."""
        same: Bools = np.arange(self.classes.size)[:, None] == self.unit_class
        return same.astype(np.float64)

    @property
    def usable(self) -> Bools:
        """Cells with a base period other than their own."""
        return (self.base >= 0) & ~self.reference

    @property
    def earlier(self) -> Ints:
        """Position of the earlier of the two periods: covariates and weights are read there."""
        return np.minimum(self.when, self.base)


def layout_of(grid: Grid, design: Design, *, control: str, base_period: str) -> Layout:
    """Lay out the cells of a design, sorted by cohort and period."""
    inside = design.in_window
    cohorts = np.unique(design.unit_cohorts[inside])
    classes = np.append(cohorts, np.nan)
    require_room(cohorts.size, grid.periods.size, cohorts.size * grid.periods.size, classes.size)
    unit_class = np.where(inside, np.searchsorted(cohorts, design.unit_cohorts), cohorts.size)
    if grid.seen.all():
        present = np.ones((classes.size, grid.periods.size), dtype=bool)
    else:
        present = np.array([grid.seen[unit_class == c].any(axis=0) for c in range(classes.size)])
    found: list[tuple[int, int, int, int]] = []
    for c, cohort in enumerate(cohorts):
        pairs = _pairs(grid.periods, present[c], cohort, design.anticipation, base_period == "universal")
        found += [(c, *pair) for pair in pairs]
    group, at, base, usual = np.array(found, dtype=np.int64).reshape(-1, 4).T
    controls = np.zeros((group.size, classes.size), dtype=bool)
    controls[:, -1] = True
    if control == "not_yet":
        last = grid.periods[np.maximum(at, base)] + design.anticipation
        controls[:, :-1] = (cohorts > last[:, None]) & (np.arange(cohorts.size) != group[:, None])
    return Layout(classes, unit_class, present, group, at, base, usual, controls, at == base)


def _pairs(
    periods: Ints, seen: Bools, cohort: float, anticipation: int, universal: bool
) -> list[tuple[int, int, int]]:
    """Period, base period (-1: none) and usual base period of the cells of one cohort, as positions."""
    here = np.flatnonzero(seen)
    before = here[periods[here] + anticipation < cohort]
    last = int(before[-1]) if before.size else -1
    usual = int(np.searchsorted(periods, cohort - anticipation)) - 1
    out = []
    for at, period in enumerate(periods):
        if period >= cohort or (universal and last >= 0):
            out.append((at, last, usual))
        elif last >= 0 and (earlier := here[here < at]).size:
            out.append((at, int(earlier[-1]), at - 1))
    return out


def why_not(layout: Layout, design: Design, k: int, *, treated: bool) -> str:
    """Say why a cell cannot be estimated; ``treated``: some treated unit is seen in both periods."""
    cohort = int(layout.classes[layout.group[k]])
    mine = np.flatnonzero(layout.unit_class == layout.group[k])
    who = f"cohort {cohort} ({list_some([design.unit_names[i] for i in mine], NAMED)})"
    before = cohort - design.anticipation
    if layout.base[k] < 0:
        return f"{who} is not observed before {before}, so it has no base period"
    period, base = design.periods[layout.when[k]], design.periods[layout.base[k]]
    if not layout.present[layout.group[k], layout.when[k]]:
        return f"{who} is not observed in {period}"
    if not treated:
        return f"no {unit_word(design)} of {who} is observed in both {base} and {period}"
    if not layout.controls[k][layout.unit_class].any():
        until = max(period, base) + design.anticipation
        return f"no {unit_word(design)} is still untreated in {until}: nothing to compare {who} with"
    return f"no control is observed in both {base} and {period}: nothing to compare {who} with"


def what_to_mind(layout: Layout, design: Design, k: int, *, treated: int, controls: int) -> str:
    """Say what to mind where a cell is estimated."""
    found = []
    one = unit_word(design)
    if treated == 1:
        found.append(f"one treated {one}: its own variation cannot be estimated, the interval is too narrow")
    if controls == 1:
        found.append(f"one control {one}: its own variation cannot be estimated, the interval is too narrow")
    if layout.usual[k] != layout.base[k]:
        gone = design.periods[layout.usual[k]]
        found.append(f"base period {design.periods[layout.base[k]]}: the cohort is not observed in {gone}")
    return "; ".join(found)


def left_out_words(design: Design, units: Ints, periods: list[int]) -> str:
    """Name units that are not observed in all of the periods."""
    if units.size == 0:
        return ""
    names = list_some([design.unit_names[i] for i in units])
    many = len(periods) > 2
    years = "the periods compared" if many else f"both {' and '.join(str(t) for t in periods)}"
    return f"{names} ({plural(units.size, unit_word(design))}): not observed in {years}"
