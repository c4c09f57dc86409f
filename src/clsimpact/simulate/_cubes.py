"""Cells of a breakdown, chosen by the words of the returns table."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clsimpact.simulate.calibration import national_figures

__all__ = ["GROUPS", "SUBSETS", "Cells", "national_weights"]

Floats = NDArray[np.float64]

_PHYSICAL: Final = ("Physical support: access and mobility only", "Physical support: personal care")
_SENSORY: Final = (
    "Sensory support: visual impairment",
    "Sensory support: hearing impairment",
    "Sensory support: dual impairment",
)
_SOCIAL: Final = (
    "Social support: substance misuse",
    "Social support: asylum seeker",
    "Social support: social isolation and other",
)
GROUPS: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "age_band": {"65 and over": ("65 to 74", "75 to 84", "85 and over")},
    "primary_support_reason": {
        "Physical support": _PHYSICAL,
        "Sensory support": _SENSORY,
        "Social support": _SOCIAL,
    },
    "support_setting": {"Residential and nursing": ("Nursing", "Residential")},
    "care_type": {"Long and short term": ("Long term", "Short term")},
}
"""Words that stand for several others, by dimension."""

SUBSETS: Final = (
    "of which: self-funder with 12-week disregard or deferred payment",
    "Support to the cared-for person",
    "Fairer charging income",
)
"""Words for a part of other cells, which no total counts again."""


@dataclass(frozen=True)
class Cells:
    """The cells of a breakdown.

    Attributes
    ----------
    words
        Dimension to the word of every cell, ``""`` where the dimension does not apply to it.
    """

    words: Mapping[str, NDArray[np.object_]]
    _masks: dict[tuple[str, str], NDArray[np.bool_]] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of_rows(cls, rows: pd.DataFrame) -> Cells:
        """Take one cell from each row; columns are dimensions."""
        return cls({str(name): rows[name].to_numpy("object") for name in rows})

    def __len__(self) -> int:
        return len(next(iter(self.words.values())))

    def chosen(self, says: Mapping[str, str]) -> NDArray[np.bool_]:
        """Return which cells are asked for.

        Raises
        ------
        KeyError
            If a dimension, a word or their combination is not there: never a silent nothing.
        """
        asked = {name: word for name, word in says.items() if word != "Total"}
        keep = np.ones(len(self), dtype=bool)
        for name, word in asked.items():
            keep &= self._mask(name, word)
        if not set(asked.values()) & set(SUBSETS):
            keep &= ~self.subset
        if not keep.any():
            raise KeyError(", ".join(f"{name}={word!r}" for name, word in asked.items()))
        return keep

    def _mask(self, name: str, word: str) -> NDArray[np.bool_]:
        if (name, word) not in self._masks:
            among = (*GROUPS.get(name, {}).get(word, ()), word)
            mask = np.isin(self.words[name], among) if name in self.words else np.zeros(len(self), dtype=bool)
            if not mask.any():
                raise KeyError(f"{name}={word!r}")
            self._masks[name, word] = mask
        return self._masks[name, word]

    @functools.cached_property
    def subset(self) -> NDArray[np.bool_]:
        """Which cells are a part of others."""
        found = np.zeros(len(self), dtype=bool)
        for column in self.words.values():
            found |= np.isin(column, SUBSETS)
        return found


def national_weights(
    table: str | Sequence[str], dimensions: Sequence[str], *, measure: str | None = None, **where: str
) -> tuple[pd.DataFrame, Floats]:
    """Return the cells of one of England's tables without totals, and their figures.

    Parameters
    ----------
    table
        Sheet or sheets of ``national.csv``.
    dimensions
        The dimensions that the cells are broken down by.
    measure
        Which measure, where a sheet has several.
    where
        Words that other dimensions must have.
    """
    rows = national_figures()
    keep = rows["table"].isin([table] if isinstance(table, str) else list(table))
    if measure is not None:
        keep &= rows["measure"] == measure
    for name, word in where.items():
        keep &= rows[name] == word
    for name in dimensions:
        keep &= rows[name] != "Total"
    found: Any = rows[keep].drop_duplicates(list(dimensions))
    return found[list(dimensions)].reset_index(drop=True), found["value"].to_numpy("float64")
