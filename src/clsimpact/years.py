"""Financial years: an integer start year inside, every label derived from it.

A financial year runs from 1 April to 31 March. 2016 stands for 2016-17 throughout the library.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from clsimpact.errors import ClsimpactError

__all__ = ["parse_year", "runs", "spans", "year_label"]

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
    raise ClsimpactError(
        f"{text!r} is not a financial year.",
        repair="Write it as '2016-17'; a bare '2017' could mean two years.",
    )


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

    Examples
    --------
    >>> year_label(2016), year_label(1999)
    ('2016-17', '1999-00')
    """
    return f"{int(start)}-{(int(start) + 1) % 100:02d}"


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
