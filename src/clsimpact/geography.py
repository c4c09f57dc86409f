"""Councils over time: their codes, regions and successors, from a dated table with sources.

Join on codes, never on names: two councils were called Buckinghamshire, and files spell the same council
differently. The table is `data/councils.csv` of the package: one row per council and the financial years in
which its code was valid.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources
from typing import Final, Literal, NamedTuple

import pandas as pd

from clsimpact.errors import ClsimpactError, did_you_mean, list_some
from clsimpact.years import year_label

__all__ = [
    "LAST_YEAR",
    "Area",
    "Boundaries",
    "constant_areas",
    "council_codes",
    "council_of_cassr",
    "councils",
    "regions",
    "successors",
]

LAST_YEAR: Final = 9999
"""Stands for "still valid" in ``councils()['last_year']``."""

Boundaries = Literal["constant", "as_reported", "drop"]


@dataclass(frozen=True)
class Area:
    """An area that kept its boundaries over a window of years.

    Attributes
    ----------
    code
        ONS code of the area; codes joined by ``+`` where no single council ever covered it.
    name
        Its name, joined in the same way.
    members
        ONS codes of the councils that make it up, in any year of the window.
    """

    code: str
    name: str
    members: tuple[str, ...]


class _Council(NamedTuple):
    """A row of the table: the council, the years of its code, and the codes that it took over."""

    code: str
    name: str
    first_year: int
    last_year: int
    predecessors: tuple[str, ...]


@functools.cache
def _table() -> pd.DataFrame:
    with (resources.files("clsimpact") / "data" / "councils.csv").open("rb") as stream:
        table = pd.read_csv(stream, dtype=str, keep_default_na=False)
    table["first_year"] = table["first_year"].astype("int64")
    table["last_year"] = table["last_year"].replace("", str(LAST_YEAR)).astype("int64")
    return table


@functools.cache
def _rows() -> tuple[_Council, ...]:
    table = _table()
    old = [tuple(filter(None, codes.split(";"))) for codes in table["predecessors"]]
    columns = (table[name].tolist() for name in ("ons_code", "name", "first_year", "last_year"))
    return tuple(_Council(*row) for row in zip(*columns, old, strict=True))


def councils(year: int | None = None) -> pd.DataFrame:
    """Return the councils with adult social services responsibilities.

    Parameters
    ----------
    year
        Start year of a financial year; all years if omitted.

    Returns
    -------
    pandas.DataFrame
        Columns ``ons_code, cassr_code, name, region_code, region, council_type, first_year, last_year,
        predecessors, source, note``; years are start years of financial years. The first that the library
        covers is 2014: there are no rows for earlier years.

    Examples
    --------
    >>> len(councils(2016)), len(councils(2019)), len(councils(2021))
    (152, 151, 152)
    """
    table = _table()
    if year is not None:
        table = table[(table["first_year"] <= year) & (table["last_year"] >= year)]
    return table.reset_index(drop=True).copy()


@functools.cache
def council_codes(year: int) -> tuple[str, ...]:
    """Return the ONS codes of the councils of a year, in the order of :func:`councils`.

    Parameters
    ----------
    year
        Start year of a financial year.

    Returns
    -------
    tuple of str
        One code a council.

    Examples
    --------
    >>> "E10000002" in council_codes(2019), "E10000002" in council_codes(2020)
    (True, False)
    """
    return tuple(row.code for row in _rows() if row.first_year <= year <= row.last_year)


def successors(code: str) -> tuple[str, ...]:
    """Return the councils that took over a council's area or a part of it, in order of time.

    Parameters
    ----------
    code
        ONS code of a council.

    Returns
    -------
    tuple of str
        ONS codes; empty where the council still exists or the code is none of a council.

    Examples
    --------
    >>> successors("E10000009")
    ('E06000058', 'E06000059')
    """
    found: dict[str, None] = {}
    for row in sorted(_rows(), key=lambda council: (council.first_year, council.code)):
        if any(old == code or old in found for old in row.predecessors):
            found[row.code] = None
    return tuple(found)


def regions() -> dict[str, str]:
    """Return the name of every region of England.

    Returns
    -------
    dict
        ONS code of the region to its name.

    Examples
    --------
    >>> regions()["E12000009"]
    'South West'
    """
    table = _table()
    return dict(sorted(zip(table["region_code"], table["region"], strict=True)))


def council_of_cassr(cassr_codes: Iterable[str], year: int) -> dict[str, str]:
    """Return the ONS code behind each social-care code in a year.

    Parameters
    ----------
    cassr_codes
        Codes of councils with adult social services responsibilities, as text: ``"809"``, ``"Z9D4Z"``.
    year
        Start year of a financial year.

    Returns
    -------
    dict
        Each code once, in the order given, to the ONS code of the council.

    Raises
    ------
    ClsimpactError
        If a code was not in use that year; all such codes are listed.

    Examples
    --------
    >>> council_of_cassr(["809"], 2018), council_of_cassr(["809"], 2019)
    ({'809': 'E10000009'}, {'809': 'E06000059'})
    """
    table = councils(year)
    known = dict(zip(table["cassr_code"], table["ons_code"], strict=True))
    wanted = list(dict.fromkeys(str(code) for code in cassr_codes))
    unknown = [f"{code}{did_you_mean(code, list(known), how_many=1)}" for code in wanted if code not in known]
    if unknown:
        raise ClsimpactError(
            f"{len(unknown)} social-care codes were not in use in {year_label(year)}: {list_some(unknown)}.",
            repair="Correct the code, or the year; the codes by year are in clsimpact.geography.councils().",
        )
    return {code: known[code] for code in wanted}


def constant_areas(first_year: int, last_year: int) -> dict[str, Area]:
    """Return the smallest areas whose boundaries did not change over a window.

    Councils that were merged, split or traded districts between ``first_year`` and ``last_year`` are put
    together; the others are areas of their own. A council that only changed its code keeps one area, under
    its newest code.

    Parameters
    ----------
    first_year, last_year
        Start years of the first and last financial year.

    Returns
    -------
    dict
        ONS code of every council of the window to its :class:`Area`.

    Raises
    ------
    ClsimpactError
        If the window ends before it begins.

    Examples
    --------
    >>> constant_areas(2014, 2021)["E06000028"].name
    'Bournemouth, Christchurch and Poole + Dorset'
    >>> constant_areas(2014, 2018)["E06000028"].name
    'Bournemouth'
    """
    if first_year > last_year:
        raise ClsimpactError(
            f"The window ends in {year_label(last_year)}, before it begins in {year_label(first_year)}.",
            repair="Give the first year first.",
        )
    inside = [row for row in _rows() if row.first_year <= last_year and row.last_year >= first_year]
    group = {row.code: {row.code} for row in inside}
    for row in inside:
        for old in row.predecessors if row.first_year > first_year else ():
            joined = group[row.code] | group[old]
            group.update(dict.fromkeys(joined, joined))
    by_code = {row.code: row for row in inside}
    return {
        code: _area([by_code[member] for member in sorted(members)], first_year, last_year)
        for code, members in group.items()
    }


def _area(members: list[_Council], first_year: int, last_year: int) -> Area:
    """Name an area after its one council at the end, else its one at the start, else all at the end."""
    at_end = [row for row in members if row.last_year >= last_year]
    at_start = [row for row in members if row.first_year <= first_year]
    named = at_end if len(at_end) == 1 or len(at_start) != 1 else at_start
    return Area(
        code="+".join(row.code for row in named),
        name=" + ".join(row.name for row in named),
        members=tuple(row.code for row in members),
    )
