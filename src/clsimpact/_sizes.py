"""How often each method rejected a true null: the table of measured sizes that ships with the library.

`clsimpact/inference/sizes.csv` says how often nominal 5% tests rejected a true null on made-up panels of 150
units, by estimator, number of adopters and kind of error; `sizes_small.csv` says it of smaller panels, for
permutation and path errors. Both are made by ``make size`` and shown in ``docs/size.md``; no sentence of the
library states a rate that is not in them.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np

__all__ = ["HOLDS", "MEASURED_UNITS", "Rate", "nearest", "rates", "sizes_measured"]

HOLDS = 6.5
"""A rate in per cent up to which a nominal 5% test is said to hold, as does one down to 3.5."""

MEASURED_UNITS = 150
"""Units of the panels of the main table."""


@dataclass(frozen=True)
class Rate:
    """How often a nominal 5% test of a true null rejected, in per cent, over the kinds of error measured."""

    treated: int
    least: float
    most: float
    mean: float
    units: int = MEASURED_UNITS

    def __str__(self) -> str:
        one, two = f"{self.least:.1f}", f"{self.most:.1f}"
        return f"{one}%" if one == two else f"{one}-{two}%"


@cache
def _table(name: str) -> tuple[dict[str, str], ...]:
    text = (resources.files("clsimpact") / "inference" / name).read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return tuple(csv.DictReader(lines))


@cache
def rates(
    estimator: str, quantity: str = "overall", *, units: int = MEASURED_UNITS
) -> dict[int, dict[str, Rate]]:
    """Return what was measured for an estimator on panels of so many units: by number of adopters and method.

    Examples
    --------
    >>> sorted(rates("twfe"))
    [3, 5, 10, 25]
    >>> sorted(rates("twfe", units=20))
    [5, 10]
    """
    out: dict[int, dict[str, Rate]] = {}
    for row in _table("sizes.csv" if units == MEASURED_UNITS else "sizes_small.csv"):
        same_shape = int(row.get("units", MEASURED_UNITS)) == units
        if same_shape and row["estimator"] == estimator and row["quantity"] == quantity:
            treated = int(row["treated"])
            least, most, mean = (float(row[key]) for key in ("least", "most", "mean"))
            rate = Rate(treated, least, most, mean, units)
            out.setdefault(treated, {})[row["method"]] = rate
    return out


@cache
def sizes_measured() -> tuple[int, ...]:
    """Return the numbers of units of panels that were measured.

    Examples
    --------
    >>> sizes_measured()[:3], sizes_measured()[-1]
    ((12, 20, 40), 150)
    """
    return (*sorted({int(row["units"]) for row in _table("sizes_small.csv")}), MEASURED_UNITS)


def nearest(estimator: str, treated: int, units: int = MEASURED_UNITS) -> dict[str, Rate]:
    """Return the rates of the number of adopters that is nearest to ``treated`` (as a ratio).

    With ``units``, methods that were measured on panels of the nearest number of units have those rates
    (`Rate.units` says which).

    Examples
    --------
    >>> found = nearest("twfe", 5, 22)
    >>> found["permutation"].units, found["CR1"].units
    (20, 150)
    """
    found = _nearest(rates(estimator), treated)
    shape = _closest(units, sizes_measured())
    return found if shape == MEASURED_UNITS else {**found, **_nearest(rates(estimator, units=shape), treated)}


def _nearest(known: dict[int, dict[str, Rate]], treated: int) -> dict[str, Rate]:
    return known[_closest(treated, known)] if known else {}


def _closest(wanted: int, known: Iterable[int]) -> int:
    return min(known, key=lambda size: (abs(np.log(size / max(wanted, 1))), size))
