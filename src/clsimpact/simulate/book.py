"""The book of one made-up year: what the publisher prints of it, rounded, and withheld where small."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clsimpact._status import Known
from clsimpact.geography import council_codes
from clsimpact.loaders.labels import measures
from clsimpact.simulate import _answers
from clsimpact.simulate._areas import area_rows, totals
from clsimpact.simulate._money_world import MoneyWorld
from clsimpact.simulate._salt_world import SaltWorld
from clsimpact.simulate.calibration import YEARS, calibration
from clsimpact.years import parse_year

__all__ = ["WorldBook"]

Floats = NDArray[np.float64]
_STATISTICS: Final = ("Share of row total", "Percentage change")
_LATEST_CHANGE: Final = re.compile(r"from (\d{4}-\d{2}).* to (\d{4}-\d{2})")


class WorldBook:
    """Every figure of one financial year of a made-up world.

    Parameters
    ----------
    year
        Start year.
    salt, money
        The world's counts and money.
    missing
        Return to the areas that did not submit it: years by smallest areas.
    book_of
        The book of another year, for tables that compare years.
    """

    def __init__(
        self,
        year: int,
        salt: SaltWorld,
        money: MoneyWorld,
        missing: Mapping[str, NDArray[np.bool_]],
        book_of: Callable[[int], WorldBook],
    ) -> None:
        self._year = year
        self._book_of = book_of
        self._answers = _answers.Answers(year, salt, money, missing)
        self._places = _places(year)
        self._asked: tuple[pd.DataFrame | None, NDArray[np.int64]] = None, np.empty(0, dtype="int64")

    @property
    def year(self) -> int:
        """Start year of the financial year."""
        return self._year

    def areas(self, first_year: int | None = None, *, council_types: bool = False) -> pd.DataFrame:
        """Return the rows of a table; see :class:`~clsimpact.simulate.publication.Book`."""
        first = self._year if first_year is None else max(first_year, YEARS[0])
        return area_rows(first, self._year, council_types=council_types).copy()

    def figures(
        self, measure: str, says: Mapping[str, str], areas: pd.DataFrame, *, year: int | None = None
    ) -> Known:
        """Return one figure for every area; see :class:`~clsimpact.simulate.publication.Book`.

        Parameters
        ----------
        measure
            A measure of ``loaders/measures.toml``.
        says
            Dimension to word. ``unit`` may be ``percent`` (shares as whole numbers from 0 to 100).
        areas
            Rows as :meth:`areas` returns them.
        year
            Start year; that of the book if omitted. GCE of England goes back to 2005-06.

        Returns
        -------
        Known
            Value and status of each area.

        Raises
        ------
        KeyError
            If the measure, a dimension or a word is not known, or their combination is not published.
        """
        if measure not in measures():
            raise KeyError(measure)
        words = {name: word for name, word in says.items() if word is not None and not pd.isna(word)}
        of_year = self._year if year is None else year
        if measure == "gross_current_expenditure_real":
            return self._real(words, areas, of_year)
        if "statistic" in words and words["statistic"] not in _STATISTICS:
            raise KeyError(f"statistic={words['statistic']!r}")
        if words.get("statistic") == "Percentage change":
            return self._change(measure, words, areas, of_year)
        if of_year < YEARS[0]:
            return _history(measure, words, areas, of_year)
        return self._book_of(of_year).own(measure, words, areas)

    def own(self, measure: str, words: Mapping[str, str], areas: pd.DataFrame) -> Known:
        """Return a figure of this book's year."""
        known = self._answers.known(measure, words)
        places = self._places_of(areas)
        absent = places < 0
        value = np.where(absent, np.nan, known.value[places])
        status = np.where(absent, "not_submitted", known.status[places]).astype("object")
        return Known(value, status)

    def _places_of(self, areas: pd.DataFrame) -> NDArray[np.int64]:
        """Return the row of each area, -1 for none; a table asks for the same areas in every column."""
        if areas is not self._asked[0]:
            keys = np.where(areas["level"] == "council_type", areas["cassr_code"], areas["ons_code"])
            self._asked = areas, np.array([self._places.get(key, -1) for key in keys], dtype="int64")
        return self._asked[1]

    def _change(self, measure: str, words: Mapping[str, str], areas: pd.DataFrame, of_year: int) -> Known:
        """Return the change between two years, as a proportion of the first."""
        first, last = of_year - 1, of_year
        told = _LATEST_CHANGE.search(words.get("detail", ""))
        if told:
            first, last = parse_year(told[1]), parse_year(told[2])
        rest = {name: word for name, word in words.items() if name not in ("statistic", "unit", "detail")}
        if words.get("detail", "") and not told:
            rest["detail"] = words["detail"]
        before = self.figures(measure, rest, areas, year=first)
        after = self.figures(measure, rest, areas, year=last)
        return _answers.ratio_of(Known(after.value - before.value, after.status), before)

    def _real(self, words: Mapping[str, str], areas: pd.DataFrame, of_year: int) -> Known:
        """Return GCE at the prices of the book's year."""
        if words.get("statistic") == "Percentage change":
            return self._change("gross_current_expenditure_real", words, areas, of_year)
        cash = self.figures("gross_current_expenditure", words, areas, year=of_year)
        prices = calibration().history("deflator")
        return Known(np.round(cash.value * prices[self._year] / prices[of_year], 5), cash.status)


@functools.cache
def _places(year: int) -> dict[str, int]:
    """Return the row of every area: those above councils, then the councils of the year."""
    return {code: row for row, code in enumerate((*totals(year)[0], *council_codes(year)))}


def _history(measure: str, words: Mapping[str, str], areas: pd.DataFrame, year: int) -> Known:
    """Return England's published figure of a year before the made-up ones."""
    known = calibration().history("gce")
    if measure != "gross_current_expenditure" or year not in known:
        raise KeyError(f"{measure} in {year}")
    if any(word != "Total" for word in words.values()):
        raise KeyError(str(dict(words)))
    england = areas["level"].eq("england").to_numpy(dtype=bool)
    value = np.where(england, round(known[year], 5), np.nan)
    return Known(value, np.where(england, "published", "not_submitted").astype("object"))
