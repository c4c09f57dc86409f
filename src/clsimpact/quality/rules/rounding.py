"""How much of a rate's value rounding to 5 and withheld counts can move."""

from __future__ import annotations

from typing import Final

import numpy as np

from clsimpact.quality._findings import Found, Rule, as_findings, each
from clsimpact.quality._material import Material
from clsimpact.quality._series import LABELS, shown
from clsimpact.quality.rules._robust import ROUNDED

__all__ = ["RULE"]

LARGE: Final = 0.2
"""A fifth: an effect of the size that the study claims could be nothing but rounding."""


def _find(material: Material) -> Found:
    table = material.series
    table = table[(table["share"] > 0) & np.isfinite(table["share"])]
    moved = table[table["share"] >= ROUNDED]
    words = [
        f"{LABELS[row.series]}: {shown(row.series, row.value)}, which rounding and withheld counts can "
        f"move by {shown(row.series, row.value * row.share)} ({row.share:.0%} of it)."
        for row in each(moved)
    ]
    severity = moved["share"].ge(LARGE).map({True: "warn", False: "look"})
    moved = moved.assign(reference=moved["value"] * moved["share"], severity=severity, words=words)
    columns = {"code": "ons_code", "series": "measure"}
    return Found(as_findings(moved.rename(columns=columns)), len(table))


RULE: Final = Rule(
    name="rounding",
    title="Moved by rounding",
    looks_at="Rates and shares of SALT counts: the half-width of what rounding to 5 (2.5 a count) and "
    "withheld counts (2, give or take 2) can move, over the value. Half-widths of the parts are added: it "
    "is the worst case.",
    threshold=f"{ROUNDED:.0%} of the value (look): as much as the usual change from one year to the next; "
    f"{LARGE:.0%} (warn). Such figures are left out of outliers, jumps and breaks.",
    false_alarms="",
    cannot_see="Rounding in figures that are published as rates; whether errors of several parts cancel.",
    source="Notes of the 2021-22 data tables: counts are rounded to the nearest 5, and 0 to 4 are withheld.",
    unit="rates and shares",
    find=_find,
)
"""Share of a value that rounding can move."""
