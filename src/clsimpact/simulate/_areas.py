"""The areas of the made-up world: smallest areas that never changed, and councils by year as their sums."""

from __future__ import annotations

import functools
from typing import Final, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clsimpact.geography import council_codes, councils, regions
from clsimpact.simulate.calibration import YEARS, population_figures

__all__ = [
    "COUNCIL_TYPES",
    "ENGLAND",
    "area_rows",
    "atoms",
    "kept_councils",
    "membership",
    "residents",
    "totals",
]

ENGLAND: Final = "E92000001"
COUNCIL_TYPES: Final = {
    "A": "County",
    "D": "District",
    "E": "Metropolitan District",
    "H": "Unitary Authority",
    "J (IL)": "London Borough (Inner London)",
    "J (OL)": "London Borough (Outer London)",
}
"""Council types as the publisher prints them; type D holds the councils of Northamptonshire from 2021-22."""
_TYPE_D: Final = ("E06000061", "E06000062")
_CHRISTCHURCH: Final = "E07000048"
_CHRISTCHURCH_COUNCILS: Final = ("E10000009", "E06000058")
_MID_YEARS: Final = {2014: 2015, 2021: 2020, 2023: 2022}
"""Mid-year estimate by financial year where it is not its own: the earliest at hand, the publisher's choice
(mid-2020 for 2021-22), the latest at hand."""
_COLUMNS: Final = ["level", "ons_code", "cassr_code", "name", "region_code", "region"]


@functools.cache
def atoms() -> tuple[str, ...]:
    """Return the codes of the smallest areas."""
    return tuple(sorted(set(population_figures()["ons_code"])))


@functools.cache
def residents() -> NDArray[np.float64]:
    """Return residents by year, smallest area and age band (18 to 64, 65 and over)."""
    table = population_figures().set_index(["mid_year", "ons_code"]).sort_index()
    columns = ["aged_18_64", "aged_65_plus"]
    years = [table.loc[_MID_YEARS.get(year, year)].loc[list(atoms()), columns] for year in YEARS]
    return np.stack([year.to_numpy("float64") for year in years])


class _Council(NamedTuple):
    code: str
    predecessors: tuple[str, ...]


@functools.cache
def _chain() -> tuple[_Council, ...]:
    table = councils()
    old = [tuple(filter(None, text.split(";"))) for text in table["predecessors"]]
    return tuple(_Council(*row) for row in zip(table["ons_code"].tolist(), old, strict=True))


@functools.cache
def membership(year: int) -> NDArray[np.float64]:
    """Return which smallest area belongs to which council: councils of the year by smallest areas."""
    codes = council_codes(year)
    place = {code: row for row, code in enumerate(codes)}
    found = np.zeros((len(codes), len(atoms())))
    for column, atom in enumerate(atoms()):
        found[place[next(code for code in _related(atom) if code in place)], column] = 1.0
    return found


def _related(atom: str) -> tuple[str, ...]:
    """Return the councils that a smallest area ever belonged to."""
    if atom == _CHRISTCHURCH:
        return _CHRISTCHURCH_COUNCILS
    later = tuple(row.code for row in _chain() if atom in row.predecessors)
    earlier = tuple(old for row in _chain() if row.code == atom for old in row.predecessors)
    return (atom, *later, *earlier)


@functools.cache
def kept_councils() -> frozenset[str]:
    """Return the councils that are one smallest area in all years under one code."""
    every = [set(council_codes(year)) for year in YEARS]
    return frozenset(set.intersection(*every) & set(atoms()))


def _type_of(row: pd.Series) -> str:
    if row["ons_code"] in _TYPE_D:
        return "D"
    kinds = {"county": "A", "unitary": "H", "metropolitan": "E"}
    inner = {"inner": "J (IL)", "outer": "J (OL)"}
    kind = str(row["council_type"])
    return next((code for word, code in {**kinds, **inner}.items() if word in kind), "J (OL)")


@functools.cache
def totals(year: int) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """Return the areas above councils, and which councils of the year each is the sum of.

    Areas are known by their ONS code, council types by their letter.
    """
    table = councils(year)
    types = table.apply(_type_of, axis=1)
    names = [ENGLAND, *COUNCIL_TYPES, *regions()]
    inside = [np.ones(len(table), dtype=bool)]
    inside += [types.eq(letter).to_numpy(dtype=bool) for letter in COUNCIL_TYPES]
    inside += [table["region_code"].eq(code).to_numpy(dtype=bool) for code in regions()]
    return tuple(names), np.array(inside, dtype="float64")


@functools.lru_cache(maxsize=64)
def area_rows(first_year: int, year: int, *, council_types: bool) -> pd.DataFrame:
    """Return the rows of a table: England, council types, regions, councils of any of the years."""
    every = pd.concat([councils(each) for each in range(first_year, year + 1)]).drop_duplicates("ons_code")
    every = every.sort_values(["region_code", "cassr_code", "ons_code"]).assign(level="council")
    head = [{"level": "england", "ons_code": ENGLAND, "name": "England"}]
    if council_types:
        kinds = COUNCIL_TYPES.items()
        head += [{"level": "council_type", "cassr_code": code, "name": name} for code, name in kinds]
    head += [{"level": "region", "ons_code": code, "name": name} for code, name in regions().items()]
    rows = pd.concat([pd.DataFrame(head), every], ignore_index=True).reindex(columns=_COLUMNS)
    return rows.astype("object").where(rows.notna(), None)
