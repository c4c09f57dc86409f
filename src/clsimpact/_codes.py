"""Labels as whole numbers: sorted levels, the position of each row among them, and the order of the rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import compress
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = ["Factor", "factor_of", "row_order", "starts", "whole_levels"]

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

TABLE_SHARE = 4
"""A look-up table may be this many times as long as the column: it is then faster than hashing or sorting,
and the memory stays proportional to the data."""

TABLE_LEAST = 4096
"""Tables up to this length are always used; they cost a few microseconds."""


@dataclass(frozen=True)
class Factor:
    """Sorted levels of a column, and the position of each row among them (-1 where it is missing)."""

    levels: tuple[Any, ...]
    codes: Ints

    def take(self, rows: NDArray[Any]) -> Factor:
        return Factor(self.levels, self.codes[rows])

    def compact(self) -> Factor:
        """Leave out levels without a row."""
        there = np.bincount(self.codes, minlength=len(self.levels)) > 0
        if there.all():
            return self
        return Factor(tuple(compress(self.levels, there)), (np.cumsum(there) - 1)[self.codes])

    def labels(self) -> NDArray[np.object_]:
        """Return the label of each row."""
        return as_objects(self.levels)[self.codes]


def as_objects(values: Iterable[Any]) -> NDArray[np.object_]:
    """Put values into an object array as they are (tuples stay whole)."""
    held = list(values)
    out = np.empty(len(held), dtype=object)
    for i, value in enumerate(held):
        out[i] = value
    return out


def short(length: int, rows: int) -> bool:
    """Whether a table of this length is cheap for this many rows."""
    return length <= max(TABLE_LEAST, TABLE_SHARE * rows)


def whole_levels(values: Ints) -> tuple[Ints, Ints]:
    """Return the sorted distinct values of a column of whole numbers, and the position of each row.

    Examples
    --------
    >>> levels, codes = whole_levels(np.array([2007, 2003, 2007]))
    >>> levels.tolist(), codes.tolist()
    ([2003, 2007], [1, 0, 1])
    """
    low, high = int(values.min()), int(values.max())
    if not short(high - low + 1, values.size):
        levels, codes = np.unique(values, return_inverse=True)
        return levels, codes.astype(np.int64, copy=False)
    offset = values - low
    seen = np.zeros(high - low + 1, dtype=bool)
    seen[offset] = True
    levels = np.flatnonzero(seen) + low
    return levels, offset if levels.size == seen.size else (np.cumsum(seen) - 1)[offset]


def factor_of(column: pd.Series[Any]) -> Factor:
    """Return the sorted levels of any column; levels that cannot be compared are sorted as text by type.

    Examples
    --------
    >>> found = factor_of(pd.Series(["b", "a", None, "b"]))
    >>> found.levels, found.codes.tolist()
    (('a', 'b'), [1, 0, -1, 1])
    """
    dtype = column.dtype
    if isinstance(dtype, np.dtype) and (dtype.kind == "i" or (dtype.kind == "u" and dtype.itemsize < 8)):
        whole, at = whole_levels(column.to_numpy().astype(np.int64, copy=False))
        return Factor(tuple(whole.tolist()), at)
    codes, found = pd.factorize(column.to_numpy() if dtype == np.object_ else column)
    values = [v.item() if isinstance(v, np.generic) else v for v in np.asarray(found, dtype=object)]
    try:
        order = sorted(range(len(values)), key=values.__getitem__)
    except TypeError:
        order = sorted(range(len(values)), key=lambda i: (type(values[i]).__name__, str(values[i])))
    rank = np.full(len(values) + 1, -1, dtype=np.int64)
    rank[order] = np.arange(len(values))
    return Factor(tuple(values[i] for i in order), rank[codes])


def row_order(units: Factor, times: Factor) -> tuple[Ints | None, bool]:
    """Return the order of the rows by unit and time (None where they are in it), and whether none repeats.

    Every code must be 0 or more. Rows that repeat a unit and time may be left out of the order.

    Examples
    --------
    >>> unit, time = Factor(("a", "b"), np.array([1, 0, 0])), Factor((1, 2), np.array([0, 1, 0]))
    >>> order, distinct = row_order(unit, time)
    >>> order.tolist(), distinct
    ([2, 1, 0], True)
    """
    n, cells = units.codes.size, len(units.levels) * len(times.levels)
    key = units.codes * len(times.levels) + times.codes
    if (key[1:] > key[:-1]).all():
        return None, True
    if short(cells, n):
        slot = np.full(cells, -1, dtype=np.int64)
        slot[key] = np.arange(n)
        order = slot if cells == n and slot.min() >= 0 else slot[slot >= 0]
        return order, order.size == n
    order = np.argsort(key, kind="stable")
    key = key[order]
    return order, bool((key[1:] > key[:-1]).all())


def starts(codes: Ints) -> Ints:
    """Return the first row of each group of sorted codes.

    Examples
    --------
    >>> starts(np.array([0, 0, 1, 3])).tolist()
    [0, 2, 3]
    """
    return np.concatenate([[0], np.flatnonzero(codes[1:] != codes[:-1]) + 1])
