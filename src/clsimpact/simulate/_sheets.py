"""Sums over cells for the areas of a year: councils, and what lies above them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from clsimpact.simulate._areas import membership, totals
from clsimpact.simulate._cubes import Cells

__all__ = ["Sheet", "aggregated"]

Floats = NDArray[np.float64]


def aggregated(values: Floats, year: int) -> Floats:
    """Return figures of the areas above councils, then of the councils of a year, from smallest areas."""
    wide = values.reshape(len(values), -1)
    by_council = membership(year) @ wide
    above = totals(year)[1] @ by_council
    return np.vstack([above, by_council]).reshape(-1, *values.shape[1:])


@dataclass(frozen=True)
class Sheet:
    """One breakdown in one year: figures by row (areas above councils, councils) and cell.

    The figures of several parts (money) lie side by side, part after part.
    """

    cells: Cells
    rows: Floats
    parts: tuple[str, ...] = ("count",)
    _sums: dict[tuple[object, ...], Floats] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, cells: Cells, values: Floats, year: int, parts: Sequence[str] = ("count",)) -> Sheet:
        """Make the sheet of a year from figures by smallest area and cell (and part)."""
        return cls(cells, aggregated(values, year).reshape(-1, len(cells), len(parts)), tuple(parts))

    def sum(self, says: Mapping[str, str], weights: Mapping[str, float] | None = None) -> Floats:
        """Return the sum over the chosen cells, weighted by part: one number a row.

        Raises
        ------
        KeyError
            If a dimension, a word or their combination is not there.
        """
        weights = {"count": 1.0} if weights is None else weights
        key = (tuple(sorted(says.items())), tuple(sorted(weights.items())))
        if key not in self._sums:
            chosen = np.flatnonzero(self.cells.chosen(says))
            columns = [self.parts.index(name) for name in weights]
            picked = self.rows[:, chosen][:, :, columns].sum(axis=1)
            self._sums[key] = picked @ np.array(list(weights.values()))
        return self._sums[key]
