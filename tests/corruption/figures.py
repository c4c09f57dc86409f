"""Which figures are changed, and how."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random

import numpy as np
import pandas as pd

from clsimpact.loaders.returns import DIMENSIONS

_SAME = ("source_id", "table", "measure", "statistic", "unit")


@dataclass(frozen=True)
class Change:
    """One figure, by its row in the returns table, and what it was changed to."""

    row: int
    kind: str
    before: float
    after: float


def _digit(random: Random, value: float, _: Neighbours) -> float | None:
    text = _printed(value)
    places = [place for place, letter in enumerate(text) if letter.isdigit()]
    place = random.choice(places)
    other = random.choice([digit for digit in "0123456789" if digit != text[place]])
    return float(text[:place] + other + text[place + 1 :])


def _transposed(random: Random, value: float, _: Neighbours) -> float | None:
    text = _printed(value)
    pairs = [at for at in range(len(text) - 1) if text[at : at + 2].isdigit() and text[at] != text[at + 1]]
    if not pairs:
        return None
    at = random.choice(pairs)
    return float(text[:at] + text[at + 1] + text[at] + text[at + 2 :])


def _printed(value: float) -> str:
    return f"{value:.0f}" if value.is_integer() else f"{value:.12g}"


def _times_ten(_: Random, value: float, __: Neighbours) -> float | None:
    return value * 10


def _decimal_left(_: Random, value: float, __: Neighbours) -> float | None:
    return float(f"{value / 10:.12g}")


def _sign(_: Random, value: float, __: Neighbours) -> float | None:
    return -value


def _zero(_: Random, __: float, ___: Neighbours) -> float | None:
    return 0.0


def _other_council(random: Random, _: float, near: Neighbours) -> float | None:
    return random.choice(near.other_areas) if near.other_areas else None


def _other_year(random: Random, _: float, near: Neighbours) -> float | None:
    return random.choice(near.other_years) if near.other_years else None


@dataclass(frozen=True)
class Neighbours:
    """The figure of the council above or below, and those of the same council in other years."""

    other_areas: Sequence[float]
    other_years: Sequence[float]


KINDS: Mapping[str, tuple[Callable[[Random, float, Neighbours], float | None], str]] = {
    "digit": (_digit, "one digit is another"),
    "transposed": (_transposed, "two digits beside each other change places"),
    "times ten": (_times_ten, "a nought too many"),
    "decimal left": (_decimal_left, "the decimal point one place to the left"),
    "sign": (_sign, "the sign is turned"),
    "zero": (_zero, "nought in its place"),
    "row shifted": (_other_council, "the figure of the council in the row above or below"),
    "other year": (_other_year, "the figure of the same council in another year"),
}
"""What is done to a figure, and in words."""


def draw(returns: pd.DataFrame, *, figures: int, seed: int) -> list[Change]:
    """Draw figures over all tables and change each in one of the ways, which are drawn evenly.

    A table is drawn from in proportion to the root of how many figures it has: each some, large ones more.
    """
    random = Random(seed)
    shown = returns.index[returns["value"].notna()]
    groups = returns.loc[shown].groupby(["source_id", "table"], observed=True, sort=True).indices
    places = {key: shown[rows] for key, rows in groups.items()}
    keys = list(places)
    weights = [math.sqrt(len(places[key])) for key in keys]
    kinds = _dealt(random)
    near = _Near(returns)
    found: dict[int, Change] = {}
    while len(found) < figures:
        if len(found) < len(keys) and figures >= len(keys):
            key = keys[len(found)]  # every table once, before any is drawn again
        else:
            key = random.choices(keys, weights)[0]
        row = int(random.choice(places[key]))
        change = _changed(random, returns, row, kinds, near) if row not in found else None
        if change is not None:
            found[row] = change
    return list(found.values())


def _dealt(random: Random) -> Iterator[str]:
    while True:
        names = list(KINDS)
        random.shuffle(names)
        yield from names


def _changed(
    random: Random, returns: pd.DataFrame, row: int, kinds: Iterator[str], near: _Near
) -> Change | None:
    before = float(returns.loc[row, "value"])
    for _ in range(len(KINDS)):
        kind = next(kinds)
        after = KINDS[kind][0](random, before, near.of(row))
        if after is not None and np.isfinite(after) and after != before:
            return Change(row, kind, before, after)
    return None


class _Near:
    """Finds the figures beside a figure."""

    def __init__(self, returns: pd.DataFrame) -> None:
        self._returns = returns
        self._columns = [*_SAME, *DIMENSIONS]
        self._codes = {
            name: returns[name].cat.codes.to_numpy()
            if isinstance(returns[name].dtype, pd.CategoricalDtype)
            else pd.factorize(returns[name])[0]
            for name in {*self._columns, "level", "name"}
        }
        self._rows_of = returns.groupby("source_id", observed=True).indices
        self._year = returns["year"].to_numpy("float64", na_value=np.nan)
        self._value = returns["value"].to_numpy("float64")

    def of(self, row: int) -> Neighbours:
        """Return the neighbours of a figure."""
        rows = np.asarray(self._rows_of[self._returns.loc[row, "source_id"]])
        same = np.ones(len(rows), dtype=bool)
        for name in self._columns:
            if name != "source_id":
                codes = self._codes[name]
                same &= codes[rows] == codes[row]
        rows = rows[same & ~np.isnan(self._value[rows]) & (rows != row)]
        level, area = self._codes["level"], self._codes["name"]
        areas = rows[(self._year[rows] == self._year[row]) & (level[rows] == level[row])]
        areas = areas[np.argsort(np.abs(areas - row), kind="stable")][:2]
        years = rows[area[rows] == area[row]]
        years = years[self._year[years] != self._year[row]]
        return Neighbours(self._value[areas].tolist(), self._value[years].tolist())
