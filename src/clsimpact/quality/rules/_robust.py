"""Middle and spread that a few wild figures do not move, by group."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd

__all__ = ["AT_LEAST", "GAUSS", "LOOK", "ROUNDED", "WARN", "centred", "severity", "spread", "usable"]

GAUSS: Final = 1.4826
"""The median absolute deviation times this is the standard deviation of a normal distribution."""
LOOK: Final = 3.5
"""Standard deviations (Iglewicz and Hoaglin 1993): one figure in 2,100 lies further out if it is normal."""
WARN: Final = 6.0
"""Standard deviations: no normal figure lies there; a misplaced digit or another definition does."""
AT_LEAST: Final = 5
"""Councils: of fewer, the middle is no middle."""
ROUNDED: Final = 0.05
"""The part of a value that rounding and suppression may move before it is no longer compared."""


def usable(series: pd.DataFrame) -> pd.DataFrame:
    """Return the figures that can be compared: defined on their scale, and not made by rounding."""
    return series[series["x"].notna() & (series["share"] <= ROUNDED)].reset_index(drop=True)


def centred(table: pd.DataFrame, column: str, keys: Sequence[str]) -> pd.Series[Any]:
    """Return a column less the middle of its region; of all councils where the region has too few.

    Parameters
    ----------
    table
        With ``region``, the keys and the column.
    column
        What is centred.
    keys
        What the groups share beside the region.

    Returns
    -------
    pandas.Series
        In the order of the table.
    """
    by_region = table.groupby([*keys, "region"])[column]
    alone = by_region.transform("size") < AT_LEAST
    middle = by_region.transform("median").mask(alone, table.groupby(list(keys))[column].transform("median"))
    return table[column] - middle


def spread(table: pd.DataFrame, column: str, keys: Sequence[str]) -> pd.Series[Any]:
    """Return the usual size of a centred column in its group; missing if the group has too few."""
    grouped = table[column].abs().groupby([table[key] for key in keys])
    size = GAUSS * grouped.transform("median")
    return size.where((grouped.transform("size") >= AT_LEAST) & (size > 0))


def severity(size: pd.Series[Any]) -> pd.Series[Any]:
    """Return how far out figures are, in words."""
    return pd.Series(np.where(size >= WARN, "warn", "look"), index=size.index)
