"""The measures of the adult social care outcomes framework (ASCOF): one lasting name for each."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from clsimpact.errors import did_you_mean
from clsimpact.loaders.labels import fold, read_toml

__all__ = ["AGE_BANDS", "Edition", "Measure", "bare_code", "find_measure", "measures", "unit_of", "wording"]

AGE_BANDS: Final[dict[str, str]] = {
    "18-64": "18 to 64",
    "65 and over": "65 and over",
    "64 and under": "64 and under",
    "65-74": "65 to 74",
    "65-84": "65 to 84",
    "75-84": "75 to 84",
    "85 and over": "85 and over",
}
"""Age bands as the framework prints them, and as the returns table writes them."""


@dataclass(frozen=True)
class Edition:
    """A code that a measure had in some years, with the descriptions printed beside it."""

    code: str
    first: int
    last: int
    descriptions: tuple[str, ...]


@dataclass(frozen=True)
class Measure:
    """One measure of the framework.

    Attributes
    ----------
    name
        The name in the returns table, the same in all years.
    definition, unit, counts, source, age_band
        What it says, the unit of its outcome, what numerator and denominator count, where they come from,
        and whom it is about.
    continues
        The measure whose place it took with client-level data; the two cannot be compared. Empty otherwise.
    brackets
        Whether a second figure is printed in brackets for 2016-17.
    contents_code
        The 2022-23 code in the contents of the 2024-25 tables where that is misprinted; empty otherwise.
    editions
        Its codes by year.
    """

    name: str
    definition: str
    unit: str
    counts: str
    source: str
    age_band: str
    editions: tuple[Edition, ...]
    continues: str = ""
    brackets: bool = False
    contents_code: str = ""

    def code_in(self, year: int) -> str:
        """Return the code in a financial year, or an empty string."""
        return next((edition.code for edition in self.editions if edition.first <= year <= edition.last), "")


def bare_code(code: object) -> str:
    """Return a measure code without brackets, blanks and case.

    Examples
    --------
    >>> bare_code("3D(1a) ")
    '3D1A'
    """
    return re.sub(r"[()\s]", "", str(code)).upper()


def wording(description: object) -> str:
    r"""Fold a description, so that the spellings of one wording compare equal.

    Examples
    --------
    >>> wording("The outcome of short\u2013term services: sequel [note 9]")
    'outcome of short-term services sequel'
    """
    return fold(str(description).replace("–", "-").replace("\x96", "-")).removeprefix("the ")


@functools.cache
def measures() -> Mapping[str, Measure]:
    """Return every measure by its name."""
    table: dict[str, Measure] = {}
    for name, record in read_toml("ascof_measures.toml").items():
        fields = dict(record)
        codes = fields.pop("codes")
        editions = tuple(Edition(**{**code, "descriptions": tuple(code["descriptions"])}) for code in codes)
        table[name] = Measure(name=name, editions=editions, **fields)
    return table


def find_measure(code: object, year: int, description: object) -> Measure:
    """Return the measure that a code stood for in a year.

    Parameters
    ----------
    code
        As published, with or without brackets.
    year
        Start year of the financial year.
    description
        What is printed beside the code. It must be one that belongs to the code in that year: the same
        codes name different measures before and after 2023-24.

    Raises
    ------
    KeyError
        If there is no such code in that year or it has another description; the caller adds the place.

    Examples
    --------
    >>> find_measure("2D", 2020, "The outcome of short-term services: sequel to service").name
    'sequel_to_short_term_support'
    """
    wanted, words = bare_code(code), wording(description)
    hits = [
        (measure, edition)
        for measure in measures().values()
        for edition in measure.editions
        if edition.code == wanted and edition.first <= year <= edition.last
    ]
    if not hits:
        known = sorted(measure.code_in(year) for measure in measures().values() if measure.code_in(year))
        raise KeyError(f"no measure has the code {code!r} in {year}{did_you_mean(wanted, known)}")
    for measure, edition in hits:
        if words in edition.descriptions:
            return measure
    known = [text for _, edition in hits for text in edition.descriptions]
    raise KeyError(
        f"the code {code!r} of {year} is not described as {words!r}{did_you_mean(words, known, how_many=1)}"
    )


def unit_of(measure: Measure, statistic: str) -> str:
    """Return the unit of one statistic of a measure.

    Examples
    --------
    >>> unit_of(measures()["feel_safe"], "Outcome"), unit_of(measures()["feel_safe"], "Base")
    ('%', 'people')
    """
    kind = statistic.split(" (")[0].casefold()
    if kind == "outcome":
        return measure.unit
    if kind == "margin of error":
        return "percentage points" if measure.unit == "%" else measure.unit
    return "score points" if kind == "numerator" and measure.unit.startswith("score") else measure.counts
