"""Financial years: an integer start year inside, every label derived from it.

A financial year runs from 1 April to 31 March. 2016 stands for 2016-17 throughout the library.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from clsimpact._asked import kind_of
from clsimpact.errors import ClsimpactError

__all__ = ["parse_year", "runs", "spans", "year_label"]

_EMPTY: Final = ("nan", "None", "<NA>", "NaT")
"""How an empty cell is written as text."""

_FORMS = re.compile(r"^\s*(\d{4})\s*(?:-|–|/|to|\s)?\s*(\d{2}|\d{4})\s*$")


def parse_year(text: str) -> int:
    """Read the start year of a financial year.

    Parameters
    ----------
    text
        ``2016-17``, ``2016/17``, ``2016/2017``, ``2016 to 2017`` or ``201617``.

    Returns
    -------
    int
        The calendar year in which the financial year starts.

    Raises
    ------
    ClsimpactError
        If the text is no pair of consecutive years. A bare ``2017`` is refused: publications use it both
        for 2016-17 and for 2017-18.

    Examples
    --------
    >>> parse_year("2016-17"), parse_year("2015/2016"), parse_year("1999-00")
    (2016, 2015, 1999)
    """
    match = _FORMS.match(str(text))
    if match:
        start, end = match.groups()
        if int(end) == (int(start) + 1) % 10 ** len(end):
            return int(start)
    raise _no_year(text, "parse_year", "Write it as '2016-17'; a bare '2017' could mean two years.")


def _no_year(value: object, function: str, repair: str) -> ClsimpactError:
    """Return the error for what is no year: a whole column and an empty cell get the call that takes both."""
    column = hasattr(value, "__len__") and not isinstance(value, str)
    if column or str(value) in _EMPTY:
        what = kind_of(value) if column else "An empty cell"
        repair = f'Of a column with empty cells: column.map(clsimpact.{function}, na_action="ignore").'
        return ClsimpactError(f"{what[0].upper()}{what[1:]} is not a financial year.", repair=repair)
    return ClsimpactError(f"{value!r} is not a financial year.", repair=repair)


def year_label(start: int) -> str:
    """Write a financial year the way official statistics do.

    Parameters
    ----------
    start
        The calendar year in which the financial year starts.

    Returns
    -------
    str
        For example ``2016-17``.

    Raises
    ------
    ClsimpactError
        If it is no year: an empty cell, a whole column, or words.

    Examples
    --------
    >>> year_label(2016), year_label(1999)
    ('2016-17', '1999-00')
    """
    try:
        first = int(start)
    except (TypeError, ValueError, OverflowError):
        raise _no_year(start, "year_label", "Give the year in which it starts, such as 2016.") from None
    return f"{first}-{(first + 1) % 100:02d}"


def runs(years: Iterable[int]) -> list[tuple[int, int]]:
    """Return the first and last year of each unbroken run.

    Parameters
    ----------
    years
        Years in ascending order.

    Returns
    -------
    list of pairs
        First and last year of each run.

    Examples
    --------
    >>> runs([2014, 2016, 2017])
    [(2014, 2014), (2016, 2017)]
    """
    found: list[tuple[int, int]] = []
    for year in years:
        if found and found[-1][1] == year - 1:
            found[-1] = (found[-1][0], year)
        else:
            found.append((year, year))
    return found


def spans(years: Iterable[int]) -> str:
    """Write financial years as runs.

    Parameters
    ----------
    years
        Start years of financial years, in ascending order.

    Returns
    -------
    str
        Single years and runs, separated by commas; empty without years.

    Examples
    --------
    >>> spans([2014, 2016, 2017])
    '2014-15, 2016-17 to 2017-18'
    """
    return ", ".join(" to ".join(map(year_label, dict.fromkeys(run))) for run in runs(years))
