"""The committed tables and the panels made of them, read once for all tests. Copy before changing one."""

from __future__ import annotations

import functools

import pandas as pd

import clsimpact as ci
from clsimpact.geography import Boundaries
from clsimpact.panel import build_panel

BOUNDARIES: tuple[Boundaries, ...] = ("constant", "as_reported", "drop")
YEARS = range(2014, 2023)
ROWS = {"constant": 1350, "as_reported": 1366, "drop": 1332}
GCE = {2014: 17_043_296, 2016: 17_526_378, 2017: 17_928_198}
"""Sums of the council rows in £000, as printed."""
GCE_TOLERANCE = 5
"""Publishers add unrounded pounds; council rows are rounded to £1,000."""
EXACT = 1e-12
"""The panel and the test divide the same numbers, perhaps in another order."""


@functools.cache
def returns() -> pd.DataFrame:
    return ci.load_returns()


@functools.cache
def built(boundaries: Boundaries = "constant") -> pd.DataFrame:
    return build_panel(returns(), boundaries=boundaries)


def only(panel: pd.DataFrame, name: str, year: int) -> pd.Series:
    """Return the one row of an area and year."""
    rows = panel[(panel["name"] == name) & (panel["year"] == year)]
    assert len(rows) == 1, f"{name} {year}: {len(rows)} rows"
    return rows.iloc[0]


def figures(source: str, measure: str, **where: str | int) -> pd.Series:
    """Return council figures straight from the returns: value by ONS code."""
    rows = returns()
    rows = rows[(rows["source_id"] == source) & (rows["level"] == "council") & (rows["measure"] == measure)]
    for column, wanted in where.items():
        rows = rows[rows[column] == wanted]
    return rows.groupby("ons_code", observed=True)["value"].sum(min_count=1)
