"""A panel compressed to types: units that share their regressors.

Regressors that depend on cohort and period alone are the same for all units of one cohort that are seen in
the same periods with the same relative weights. Sums over such a type replace its units wherever only
regressors count; the outcome stays at the level of the unit. A unit whose weight varies over time is a type
of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from clsimpact.design import Design

__all__ = ["Layout", "layout_of", "mean_one"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

PATTERN_BITS = 48
"""Up to this many periods the pattern of rows is one number that a double holds exactly."""


@dataclass(frozen=True)
class Layout:
    """A design as arrays of N units by T periods, units sorted by type, zero where there is no row.

    Attributes
    ----------
    design : Design
    levels : integer array (C)
        Cohorts that adopt by the last period.
    codes : integer array (N)
        1 + position of each unit's cohort in ``levels``, 0 for controls; in the order of the design.
    order : integer array (N)
        Unit of the design at each position.
    full : bool
        Every unit is seen in every period.
    mass : float array (N, T)
        Weights of mean one (1 without weights), 0 where there is no row.
    starts : integer array (K)
        First position of each type.
    relative : float array (N)
        Weight of each unit in terms of its type's: rows of unit i weigh ``relative[i] * shape[type]``.

    Examples
    --------
    >>> from clsimpact.datasets import load_mpdta
    >>> design = Design(load_mpdta(), outcome="lemp", unit="county", time="year", cohort="first_treat")
    >>> layout_of(design).sizes.tolist()
    [309, 20, 40, 131]
    """

    design: Design
    levels: Ints
    codes: Ints
    order: Ints
    full: bool
    mass: Floats
    starts: Ints
    relative: Floats

    @cached_property
    def sizes(self) -> Ints:
        """Units of each type (K)."""
        return np.diff(self.starts, append=self.order.size)

    @cached_property
    def types(self) -> Ints:
        """Type of the unit at each position (N)."""
        return np.repeat(np.arange(self.starts.size), self.sizes)

    @cached_property
    def type_codes(self) -> Ints:
        """Cohort code of each type (K)."""
        return self.codes[self.order[self.starts]]

    @cached_property
    def type_mass(self) -> Floats:
        """Sum of the masses of each type (K, T)."""
        return self.sums(self.mass)

    @cached_property
    def code_starts(self) -> Ints:
        """Offsets of each cohort code 0 to C: its units are at ``code_starts[c]:code_starts[c + 1]``."""
        return np.concatenate([[0], np.cumsum(np.bincount(self.codes, minlength=self.levels.size + 1))])

    @cached_property
    def event(self) -> Ints:
        """Period minus cohort (C, T)."""
        return np.asarray(np.array(self.design.periods)[None, :] - self.levels[:, None])

    @cached_property
    def seen(self) -> Bools:
        """True (K, T) where the type has rows."""
        return np.asarray(self.mass[self.starts] > 0)

    @cached_property
    def rows(self) -> Ints:
        """Rows of each cohort code and period (C + 1, T)."""
        out = np.zeros((self.levels.size + 1, self.seen.shape[1]), dtype=np.int64)
        np.add.at(out, self.type_codes, self.seen * self.sizes[:, None])
        return out

    def units_of(self, member: Bools) -> Ints:
        """Count the units with a row in each set of cells (m, C + 1, T)."""
        touched = (member[:, self.type_codes] & self.seen).any(axis=2)
        return np.asarray(touched @ self.sizes)

    def row_values(self, table: NDArray[np.int64]) -> Ints:
        """Value of each row of the design in a table by cohort code and period (C + 1, T)."""
        return np.asarray(table[self.codes[self.design.unit_codes], self.design.time_codes])

    def sums(self, values: Floats) -> Floats:
        """Sum ``values`` (..., N, T) over the units of each type (..., K, T)."""
        if self.starts.size == self.order.size:
            return values
        return np.asarray(np.add.reduceat(values, self.starts, axis=-2))

    def laid(self, rows: Floats) -> Floats:
        """Lay a value of each row of the design out as (N, T), in the order of this layout."""
        design, shape = self.design, self.mass.shape
        if self.full:
            out = rows.reshape(shape)
        else:
            out = np.zeros(shape)
            out[design.unit_codes, design.time_codes] = rows
        return out[self.order]

    def taken(self, grid: Floats) -> Floats:
        """Return the rows of the design from a grid (N, T, ...)."""
        place = np.empty(self.order.size, dtype=np.int64)
        place[self.order] = np.arange(self.order.size)
        return np.asarray(grid[place[self.design.unit_codes], self.design.time_codes])


def layout_of(design: Design) -> Layout:
    """Compress a design to types."""
    levels, codes = cohort_codes(design)
    shape = (len(design.units), len(design.periods))
    full = design.balanced
    if full and design.w is None:
        order = np.argsort(codes, kind="stable")
        starts = np.concatenate([[0], np.flatnonzero(np.diff(codes[order])) + 1])
        mass, relative = np.ones(shape), np.ones(shape[0])
        return Layout(design, levels, codes, order, full, mass, starts, relative)
    mass = np.zeros(shape)
    mass[design.unit_codes, design.time_codes] = 1.0 if design.w is None else mean_one(design.w)
    relative = mass.max(axis=1)
    steady = (mass == np.where(mass > 0, relative[:, None], 0.0)).all(axis=1)
    pattern = _patterns(mass > 0)
    pattern[~steady] = pattern.max() + 1 + np.arange(int((~steady).sum()))
    order = np.lexsort((pattern, codes))
    moved = np.diff(codes[order]) | np.diff(pattern[order])
    starts = np.concatenate([[0], np.flatnonzero(moved) + 1])
    relative = np.where(steady, relative, 1.0)[order]
    return Layout(design, levels, codes, order, full, mass[order], starts, relative)


def cohort_codes(design: Design) -> tuple[Ints, Ints]:
    """Return the cohorts in the window, sorted, and 1 + position of each unit's, 0 outside the window."""
    inside = design.in_window
    first = np.where(inside, design.unit_cohorts, 0).astype(np.int64)
    levels = np.unique(first[inside])
    return levels, np.where(inside, np.searchsorted(levels, first) + 1, 0)


def mean_one(w: Floats) -> Floats:
    """Scale weights in two steps, so that neither the sum nor a quotient overflows.

    Examples
    --------
    >>> mean_one(np.array([1e300, 3e300])).tolist()
    [0.5, 1.5]
    """
    share = w / w.max()
    return np.asarray(share / share.mean())


def _patterns(seen: Bools) -> Ints:
    """Return a number for each pattern of rows."""
    periods = seen.shape[1]
    if periods <= PATTERN_BITS:
        return (seen @ 2.0 ** np.arange(periods)).astype(np.int64)
    return np.unique(np.packbits(seen, axis=1), axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)
