"""Rates and unit costs that are printed beside their numerator and denominator, and whether they follow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import pandas as pd

from clsimpact.loaders.returns import DIMENSIONS

__all__ = ["find_wrong_quotients"]

_SCALES: Final[Mapping[str, float]] = {"%": 100.0, "per 100,000 people": 100_000.0, "score (0 to 24)": 1.0}
"""Unit of an outcome to what the quotient is multiplied by."""
_DECIMAL: Final = 0.051
"""Outcomes are printed to one decimal."""
_HALF: Final = 2.5
"""Counts that are rounded to the nearest 5 are within 2.5."""
_PENNY: Final = 0.0051
"""Unit costs, weeks and £000 are printed to two decimals."""
_PARTS: Final = ("unit_cost_numerator", "unit_cost_denominator")


def find_wrong_quotients(rows: pd.DataFrame) -> pd.DataFrame:
    """Find outcomes and unit costs that are not the quotient of the two figures beside them.

    Parameters
    ----------
    rows
        Figures, with a number for every word of a dimension (``detail_``, ...) and for every area.

    Returns
    -------
    pandas.DataFrame
        The quotients that do not fit, with ``rule``, ``finding``, ``expected`` and ``tolerance``.
    """
    return pd.concat([_outcomes(rows), _unit_costs(rows)]).assign(rule="quotient")


def _outcomes(rows: pd.DataFrame) -> pd.DataFrame:
    ascof = rows[rows["return_"].eq("ASCOF").to_numpy("bool") & rows["shown"].to_numpy("bool")]
    scale = ascof["unit"].astype("object").map(_SCALES)
    whole = ascof.assign(scale=scale)[ascof["statistic"].eq("Outcome").to_numpy("bool") & scale.notna()]
    keys = ["source_id", "table", "measure", "year", "level", "area", *_but("statistic")]
    top, bottom = (
        ascof[ascof["statistic"].eq(name).to_numpy("bool")] for name in ("Numerator", "Denominator")
    )
    both = _joined(whole, top, bottom, keys)
    quotient = both["top"] / both["bottom"]
    rounded = both["top"].mod(5).eq(0) & both["bottom"].mod(5).eq(0)
    half = np.where(
        rounded, _HALF, 0.5
    )  # else whole people, of which some are weighted or held to fewer digits
    tolerance = _DECIMAL + both["scale"] * half * (1 + quotient) / both["bottom"]
    return _told(both, both["scale"] * quotient, tolerance)


def _unit_costs(rows: pd.DataFrame) -> pd.DataFrame:
    shown = rows[rows["shown"].to_numpy("bool")]
    keys = ["source_id", "table", "year", "level", "area", *_but()]
    whole, top, bottom = (
        shown[shown["measure"].eq(name).to_numpy("bool")] for name in ("unit_cost", *_PARTS)
    )
    both = _joined(whole, top, bottom, keys)
    quotient = both["top"] / both["bottom"]
    tolerance = _PENNY + (1000.0 + 1000.0 * quotient) * _PENNY / both["bottom"]
    return _told(both, 1000.0 * quotient, tolerance)


def _but(*left_out: str) -> list[str]:
    return [f"{name}_" for name in DIMENSIONS if name not in left_out]


def _joined(whole: pd.DataFrame, top: pd.DataFrame, bottom: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Return the wholes that have one numerator and one denominator above zero."""
    parts = []
    for name, part in (("top", top), ("bottom", bottom)):
        single = part[~part.duplicated(keys, keep=False)]
        parts.append(single[[*keys, "value"]].rename(columns={"value": name}))
    both = whole.merge(parts[0], on=keys).merge(parts[1], on=keys)
    return both[both["bottom"] > 0]


def _told(both: pd.DataFrame, expected: pd.Series[float], tolerance: pd.Series[float]) -> pd.DataFrame:
    wrong = (both["value"] - expected).abs() > tolerance
    found = both[wrong].assign(expected=expected[wrong], tolerance=tolerance[wrong])
    texts = [
        f"{value:,.10g} is not {top:,.10g} over {bottom:,.10g}, which is {whole:,.6g}"
        for value, top, bottom, whole in zip(
            found["value"], found["top"], found["bottom"], found["expected"], strict=True
        )
    ]
    return found.assign(finding=texts)
