"""How often each method rejected a true null: the table of measured sizes that ships with the library.

`clsimpact/inference/sizes.csv` says how often nominal 5% tests rejected a true null on made-up panels of 150
units, by estimator, number of adopters and kind of error. It is made by ``make size`` and shown in
``docs/size.md``; no sentence of the library states a rate that is not in it.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np

__all__ = ["HOLDS", "MEASURED_UNITS", "Rate", "nearest", "rates"]

HOLDS = 6.5
"""A rate in per cent up to which a nominal 5% test is said to hold, as does one down to 3.5."""

MEASURED_UNITS = 150
"""Units of the panels of the table."""


@dataclass(frozen=True)
class Rate:
    """How often a nominal 5% test of a true null rejected, in per cent, over the kinds of error measured."""

    treated: int
    least: float
    most: float
    mean: float

    def __str__(self) -> str:
        one, two = f"{self.least:.1f}", f"{self.most:.1f}"
        return f"{one}%" if one == two else f"{one}-{two}%"


@cache
def _table() -> tuple[dict[str, str], ...]:
    text = (resources.files("clsimpact") / "inference" / "sizes.csv").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return tuple(csv.DictReader(lines))


@cache
def rates(estimator: str, quantity: str = "overall") -> dict[int, dict[str, Rate]]:
    """Return what was measured for an estimator: by number of adopters and method.

    Examples
    --------
    >>> sorted(rates("twfe"))
    [3, 5, 10, 25]
    """
    out: dict[int, dict[str, Rate]] = {}
    for row in _table():
        if row["estimator"] == estimator and row["quantity"] == quantity:
            treated = int(row["treated"])
            rate = Rate(treated, *(float(row[key]) for key in ("least", "most", "mean")))
            out.setdefault(treated, {})[row["method"]] = rate
    return out


def nearest(estimator: str, treated: int) -> dict[str, Rate]:
    """Return the rates of the number of adopters that is nearest to ``treated`` (as a ratio)."""
    known = rates(estimator)
    if not known:
        return {}
    return known[min(known, key=lambda size: (abs(np.log(size / max(treated, 1))), size))]
