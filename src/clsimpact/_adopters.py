"""Which rows of a panel an adoption list is about, and whether the list fits the panel."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

import pandas as pd

from clsimpact._parts import FIRST_YEAR
from clsimpact.errors import AdoptionError, did_you_mean, list_some
from clsimpact.geography import constant_areas, councils, successors

__all__ = ["YEARS", "Adopter", "check_fit", "find_adopters"]

YEARS: Final = ("adoption_year", "earliest_year", "latest_year")
_COLUMN_OF: Final = {"adoption_year": "adoption_year", "earliest": "earliest_year", "latest": "latest_year"}
_REACH: Final = 10
"""Years before the panel that are still believed; an earlier year is taken for a typing error."""


class Adopter(NamedTuple):
    """One English row of an adoption list, and the codes of the panel that it is about."""

    name: str
    code: str
    given: tuple[int | None, ...]
    date: int | None
    latest: int | None
    areas: tuple[str, ...]


def find_adopters(panel: pd.DataFrame, listed: pd.DataFrame, date: str) -> list[Adopter]:
    """Return the English rows of the list, with the codes of the panel that each is about."""
    chosen = _COLUMN_OF[date]
    english = listed[listed["nation"].fillna("England") == "England"]
    present = dict.fromkeys(sorted(panel["ons_code"].astype(str)))
    codes = set(english["ons_code"])
    found = []
    for row in english.astype("object").where(english.notna(), None).to_dict("records"):
        given = tuple(None if row[name] is None else int(row[name]) for name in YEARS)
        year = dict(zip(YEARS, given, strict=True))
        areas = _areas(row["ons_code"], present, codes)
        name = row["la_name"] or "unnamed"
        found.append(Adopter(name, row["ons_code"], given, year[chosen], year["latest_year"], areas))
    return found


def _areas(code: str, present: Iterable[str], listed: set[str]) -> tuple[str, ...]:
    """Return the panel's codes for a council: its own and its successors', or the area it was merged into."""
    heirs = (heir for heir in successors(code) if heir not in listed)
    own = tuple(area for area in (code, *heirs) if area in present)
    if own:
        return own
    areas = constant_areas(FIRST_YEAR, int(councils()["first_year"].max()))
    members = set(areas[code].members) if code in areas else set()
    merged = tuple(area for area in present if members.issuperset(area.split("+")))
    return merged if len(merged) == 1 else ()


def check_fit(panel: pd.DataFrame, adopters: list[Adopter], date: str, undated: str) -> None:
    """Raise if the list does not fit the panel, with everything that is wrong."""
    first, last = int(panel["year"].min()), int(panel["year"].max())
    table = councils()
    problems = []
    for row in adopters:
        who = f"{row.name} ({row.code})"
        if not row.areas:
            problems.append(f"{who}: {_why_absent(row, table, panel)}")
        year, what = row.date, date
        if year is None and undated == "treated_from_latest":
            year, what = row.latest, "latest"
        if year is not None and not first - _REACH <= year <= last:
            problems.append(f"{who}: {_COLUMN_OF[what]} {year} is outside the panel, {first} to {last}")
        adopted, earliest, latest = row.given
        bounds = [year for year in (earliest, adopted, latest) if year is not None]
        if bounds != sorted(bounds):
            words = ", ".join(map(str, bounds))
            problems.append(f"{who}: earliest, adoption and latest year are not in order ({words})")
    problems += _repeated(adopters)
    if problems:
        raise AdoptionError(
            "The adoption list does not fit the panel.",
            problems,
            repair="Correct the list, or leave out those rows: adoption[~adoption['ons_code'].isin([...])].",
        )


def _why_absent(row: Adopter, table: pd.DataFrame, panel: pd.DataFrame) -> str:
    known = dict(zip(table["ons_code"], table["name"], strict=True))
    if row.code in known:
        return "not in the panel"
    if row.code[:1] in ("W", "S", "N"):
        return "not in England: give its nation in the column 'nation', and it is left out"
    namesakes = [code for code, name in known.items() if name.casefold() == row.name.casefold()]
    if namesakes:
        return f"no council has this code; {row.name} is {' or '.join(namesakes)}"
    return (
        f"no council has this code{did_you_mean(row.code, sorted({*known, *panel['ons_code'].astype(str)}))}"
    )


def _repeated(adopters: list[Adopter]) -> list[str]:
    """Return what is listed more than once: a council, or the area that councils were merged into."""
    rows: dict[str, list[str]] = {}
    sharing: dict[str, dict[str, str]] = {}
    for row in adopters:
        rows.setdefault(row.code, []).append(row.name)
        for area in row.areas:
            sharing.setdefault(area, {})[row.code] = row.name
    problems = [
        f"{names[0]} ({code}): listed {len(names)} times" for code, names in rows.items() if len(names) > 1
    ]
    for area, members in sharing.items():
        if len(members) > 1:
            words = list_some(f"{name} ({code})" for code, name in members.items())
            problems.append(f"{words}: share the merged area {area}; keep one row for it")
    return problems
