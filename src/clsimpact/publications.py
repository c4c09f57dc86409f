"""Which publication and table holds an outcome in which year, for years that are not among the files read.

Publications and table numbers changed: the activity and finance returns were reported apart until 2015-16,
the combined report numbered its 2016-17 tables in its own way, and tables from T41 on moved by two between
2018-19 and 2021-22.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from clsimpact.loaders.manifest import all_sources
from clsimpact.years import spans, year_label

__all__ = ["fetch_command", "name_missing"]

_ACTIVITY: Final = "Community Care Statistics, Social Services Activity (SALT), council-level data"
_FINANCE: Final = "Personal Social Services: Expenditure and Unit Costs"
_REPORT: Final = "Adult Social Care Activity and Finance Report"
_COMBINED: Final = f"{_REPORT}, combined reference tables (numbered in their own way)"
_ASCOF: Final = "Measures from the Adult Social Care Outcomes Framework"


class _Holding(NamedTuple):
    """A publication with the table that holds the figures, and its first and last year."""

    first: int
    last: int
    words: str


def _activity(sheet: str, tables: dict[tuple[int, int], str]) -> tuple[_Holding, ...]:
    later = tuple(_Holding(*years, f"{_REPORT}, {table} ({sheet})") for years, table in tables.items())
    return (
        _Holding(2014, 2015, f"{_ACTIVITY} ({sheet})"),
        _Holding(2016, 2016, f"{_COMBINED} ({sheet})"),
        *later,
    )


def _csv_only(sheet: str) -> tuple[_Holding, ...]:
    return (
        _Holding(2014, 2015, f"{_ACTIVITY} ({sheet}, CSV only)"),
        _Holding(2016, 2023, f"{_REPORT}, SALT CSV ({sheet}; in no reference table)"),
    )


_HOLDINGS: Final = {
    "requests_by_route": _activity("STS001", {(2017, 2023): "reference table T8"}),
    "sequels_by_route": _csv_only("STS001"),
    "reviews_by_age": _csv_only("LTS002b"),
    "money_by_age": (
        _Holding(2014, 2014, f"{_FINANCE}, expenditure by council (fin-coun-lev-exp-data.csv)"),
        _Holding(2015, 2015, f"{_FINANCE}, expenditure by council (pss-exp-eng-15-16-fin-exp.csv)"),
        _Holding(2016, 2016, f"{_REPORT}, CSV of totals (CSV ASCFR Totals.csv)"),
        _Holding(2017, 2023, f"{_REPORT}, reference table T17"),
    ),
    "requests": _activity("STS001", {(2017, 2023): "reference table T12"}),
    "sequels": _activity("STS001", {(2017, 2023): "reference tables T10 and T11"}),
    "clients": _activity("LTS001a", {(2017, 2023): "reference table T33"}),
    "reviews": _activity(
        "LTS002b",
        {
            (2017, 2018): "reference table T48",
            (2019, 2020): "reference table of planned and unplanned reviews (T48 or T50: numbers moved)",
            (2021, 2023): "reference table T50",
        },
    ),
    "money": (
        _Holding(2014, 2014, f"{_FINANCE}, expenditure by council (fin-coun-lev-exp-data.csv)"),
        _Holding(2015, 2015, f"{_FINANCE}, totals by council (fin-sum-tot.csv)"),
        _Holding(2016, 2016, f"{_REPORT}, CSV of totals (CSV ASCFR Totals.csv)"),
        _Holding(2017, 2023, f"{_REPORT}, reference table T14"),
    ),
    "ascof": (_Holding(2014, 2023, f"{_ASCOF}, council outcomes"),),
}


def name_missing(kind: str, years: Iterable[int]) -> str:
    """Name the publications and tables that hold the figures of some years.

    Parameters
    ----------
    kind
        ``requests``, ``sequels``, ``clients``, ``reviews``, ``money`` or ``ascof``; where figures by age or
        route are published elsewhere, ``requests_by_route``, ``sequels_by_route``, ``reviews_by_age`` or
        ``money_by_age``.
    years
        Start years of financial years, in ascending order.

    Returns
    -------
    str
        Publication, table and years, separated by semicolons.

    Examples
    --------
    >>> name_missing("money", [2015, 2018, 2019])
    'Personal Social Services: Expenditure and Unit Costs, totals by council (fin-sum-tot.csv), 2015-16;
    Adult Social Care Activity and Finance Report, reference table T14, 2018-19 to 2019-20'
    """
    wanted = list(years)
    found = []
    for holding in _HOLDINGS[kind]:
        held = [year for year in wanted if holding.first <= year <= holding.last]
        if held:
            found.append(f"{holding.words}, {spans(held)}")
    return "; ".join(found)


_FETCHED_FROM: Final = {
    "ascof": "ascof_official_csv",
    **dict.fromkeys(
        ("requests", "requests_by_route", "sequels", "clients", "reviews", "money", "money_by_age"),
        "data_tables",
    ),
}
"""The adapter of the files that hold a kind of figure and have a known address (SALT CSVs have none)."""


def fetch_command(kind: str, years: Iterable[int]) -> str:
    """Return the command that downloads the figures of some years, as far as their addresses are known.

    Parameters
    ----------
    kind
        As in :func:`name_missing`.
    years
        Start years of financial years.

    Returns
    -------
    str
        The command; empty where no address is known.

    Examples
    --------
    >>> fetch_command("sequels", [2015, 2018, 2019])
    'clsimpact fetch --year 2018-19 2019-20'
    >>> fetch_command("sequels_by_route", [2018])
    ''
    """
    adapter = _FETCHED_FROM.get(kind, "")
    known = {
        source.year
        for source in all_sources().values()
        if source.adapter == adapter and source.address and not source.superseded_by
    }
    labels = [year_label(year) for year in sorted(set(years)) if year in known]
    return f"clsimpact fetch --year {' '.join(labels)}" if labels else ""
