"""Figures that cannot be: a negative count, a share above the whole, an odd count, a rank out of line."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = ["find_impossible"]

_COUNTS: Final = (
    *("people", "requests", "episodes", "agreements", "weeks", "concerns", "applications", "jobs"),
    *("enquiries", "providers"),
)
_ROUNDED: Final = ("people", "requests", "episodes")
"""Counts of SALT, which the publisher rounds to the nearest 5."""
_BASE: Final = 5.0
_CLOSE: Final = 1e-6
"""Counts and ranks this close to a whole number are one: texts are read exactly, sums round to 1e-10."""


def find_impossible(rows: pd.DataFrame) -> pd.DataFrame:
    """Find figures that no council can have.

    Parameters
    ----------
    rows
        Figures with ``unit``, ``return_``, ``measure``, ``statistic`` and ``value``.

    Returns
    -------
    pandas.DataFrame
        Those figures, with ``rule``, ``finding`` and, where it is known, what was ``expected``.
    """
    value = rows["value"].to_numpy("float64")
    unit = rows["unit"]
    percent = (
        unit.isin(["%", "percent"]).to_numpy("bool") & rows["return_"].isin(["ASCOF", "SALT"]).to_numpy()
    )
    share = unit.eq("proportion").to_numpy("bool") & rows["return_"].eq("IoD").to_numpy("bool")
    counts = unit.isin(_COUNTS).to_numpy("bool")
    salt = rows["return_"].eq("SALT").to_numpy("bool") & unit.isin(_ROUNDED).to_numpy("bool")
    salt &= rows["statistic"].isna().to_numpy("bool")
    people = rows["return_"].eq("MYE").to_numpy("bool")
    off = np.abs(value - _BASE * np.round(value / _BASE)) > _CLOSE
    kinds = (
        ((counts | percent | share) & (value < 0), "is negative"),
        (percent & (value > 100.0), "is more than 100%"),
        (share & (value > 1.0), "is more than the whole"),
        (salt & off, "is no multiple of 5, and the publisher rounds to 5"),
        (people & (np.abs(value - np.round(value)) > _CLOSE), "is no whole number of people"),
    )
    found = [_told(rows, wrong, words) for wrong, words in kinds]
    return pd.concat([*found, _ranks(rows)]).assign(rule="impossible value")


def _told(rows: pd.DataFrame, wrong: NDArray[np.bool_], words: str) -> pd.DataFrame:
    found: pd.DataFrame = rows[wrong]
    return found.assign(finding=[f"{value:,.10g} {words}" for value in found["value"]])


def _ranks(rows: pd.DataFrame) -> pd.DataFrame:
    """Find ranks that do not follow from the others: one less than it says lie before each."""
    ranks = rows[rows["unit"].eq("rank").to_numpy("bool") & rows["shown"].to_numpy("bool")]
    expected = ranks.groupby(["source_id", "table", "measure", "year"], observed=True)["value"].rank("min")
    wrong = (ranks["value"] - expected).abs() > _CLOSE
    found = _told(ranks, wrong.to_numpy("bool"), "is not its place among the ranks of the other councils")
    return found.assign(expected=expected[wrong])
