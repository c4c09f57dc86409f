"""Published totals of regions and of England against the sums of their councils."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from clsimpact.loaders.returns import as_text

if TYPE_CHECKING:
    from clsimpact.quality._material import Material

__all__ = ["ADDITIVE", "ENGLAND", "compare_totals"]

ENGLAND: Final = "E92000001"
HALF: Final = 2.5
"""SALT counts are rounded to 5: each cell is within 2.5 of its count."""
SMALL: Final = 4.0
"""A withheld count is at most 4."""
POUNDS: Final = 0.5
"""£000: what rounding to whole thousands moves one line; unrounded files agree to less."""
ADDITIVE: Final = ("£000", "people", "requests", "episodes")


def compare_totals(material: Material) -> pd.DataFrame:
    """Compare every published total of a region, and of England, with the sum of its councils.

    Parameters
    ----------
    material
        The prepared returns.

    Returns
    -------
    pandas.DataFrame
        A row a total: ``area, year, return_, measure, source_id, table, cell, value, total, low, high,
        absent, who``: ``total`` is the sum of the councils, the value less the sum lies between ``low``
        and ``high`` where rounding and withheld counts explain it, ``absent`` counts councils that are
        missing, ``who`` names them.
    """
    rows = material.submitted
    plain = rows["unit"].isin(ADDITIVE) & rows["statistic"].isna()
    upper = rows[plain & rows["level"].isin(["region", "england"]) & rows["value"].notna()]
    upper = upper.assign(key=material.identity.loc[upper.index], area=upper["ons_code"].astype("object"))
    upper.loc[upper["level"] == "england", "area"] = ENGLAND
    upper = upper.drop_duplicates(["source_id", "key", "year", "area"]).dropna(subset=["area"])
    councils = material.council_rows
    councils = councils[plain.loc[councils.index]]
    councils = councils.assign(key=material.identity.loc[councils.index])
    councils = councils[councils["key"].isin(upper["key"])]
    councils = councils.drop_duplicates(["source_id", "key", "year", "code"])
    regions = material.listed.set_index(["code", "year"])["region_code"]
    pairs = pd.MultiIndex.from_frame(councils[["code", "year"]])
    councils["area"] = regions.reindex(pairs).to_numpy()
    lower = pd.concat([_sums(councils), _sums(councils.assign(area=ENGLAND))])
    both = as_text(upper).merge(lower, on=["source_id", "key", "year", "area"])
    return _with_bounds(both, material)


def _sums(councils: pd.DataFrame) -> pd.DataFrame:
    keys = ["source_id", "key", "year", "area"]
    parts = councils.assign(
        total=councils["value"],
        shown=councils["value"].notna(),
        small=councils["status"] == "suppressed",
    )
    sums = parts.groupby(keys, observed=True)[["total", "shown", "small"]].sum().reset_index()
    return sums.astype({"source_id": "string", "area": "object"})


def _with_bounds(both: pd.DataFrame, material: Material) -> pd.DataFrame:
    """Add what rounding and withheld counts explain, and how many councils are missing."""
    size = material.listed.groupby(["region_code", "year"]).size()
    england = material.listed.groupby("year").size()
    england.index = pd.MultiIndex.from_product([[ENGLAND], england.index])
    every = pd.concat([size, england]).reindex(pd.MultiIndex.from_frame(both[["area", "year"]])).to_numpy()
    salt = both["return_"].eq("SALT").to_numpy("bool")
    slack = np.where(salt, HALF, POUNDS) * (both["shown"] + both["small"] + 1)
    high = slack + np.where(salt, SMALL, 0.0) * both["small"]
    absent = every - both["shown"] - both["small"]
    columns = ["area", "year", "return_", "measure", "source_id", "table", "cell", "value", "total", "key"]
    return both[columns].assign(low=-slack, high=high, absent=absent, gap=both["value"] - both["total"])
