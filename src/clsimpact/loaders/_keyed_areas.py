"""The areas of a keyed CSV: level, codes and names, checked against each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clsimpact.errors import did_you_mean, list_some
from clsimpact.geography import councils, regions
from clsimpact.loaders._complete import fold_name
from clsimpact.loaders._keyed_layout import Column
from clsimpact.loaders.labels import fold
from clsimpact.years import year_label

__all__ = ["ENGLAND", "LEVELS", "find_areas", "number_rows"]

ENGLAND: Final = "E92000001"
LEVELS: Final[Mapping[str, str]] = {
    "local authority": "council",
    "council": "council",
    "regional": "region",
    "region": "region",
    "national": "england",
    "england": "england",
}
"""The words for the level of an area. Only ``Local Authority`` was seen in a file; the others are
inferred."""


def number_rows(columns: Mapping[str, Column]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give equal numbers to rows that hold the same in some columns.

    Returns
    -------
    ids
        For every row, the number of its combination, in order of appearance.
    first
        For every combination, the first row (counted from 0) that holds it.
    """
    some = next(iter(columns.values()))
    ids = np.zeros(len(some.codes), dtype="int64")
    for column in columns.values():
        if len(column.words) > 1:
            ids = pd.factorize(ids * len(column.words) + column.codes)[0].astype("int64")
    first = np.flatnonzero(~pd.Series(ids).duplicated().to_numpy())
    return ids, first


def find_areas(columns: Mapping[str, Column], year: int) -> tuple[NDArray[np.int64], pd.DataFrame, list[str]]:
    """Find out which area each row is about.

    Parameters
    ----------
    columns
        ``level, cassr_code, ons_code, region_code`` and, where the file has them, ``council_name,
        region_name``.
    year
        Start year of the financial year.

    Returns
    -------
    ids
        For every row, which row of the second it is about.
    areas
        ``level, ons_code, cassr_code, name``.
    problems
        Areas whose level, codes and names are not known or do not belong together.
    """
    ids, first = number_rows(columns)
    table = councils(year)
    known = {
        str(row["cassr_code"]): {str(key): str(row[key]) for key in row} for row in table.to_dict("records")
    }
    rows, problems = [], []
    for number, row in enumerate(first):
        printed = {name: column.words[column.codes[row]] for name, column in columns.items()}
        level = LEVELS.get(fold(printed["level"]))
        area, found = _area(level, printed, known, year)
        rows.append((level, *area))
        if found:
            places = list_some(np.flatnonzero(ids == number) + 2, 4)
            problems += [f"row {places}: {problem}" for problem in found]
    return ids, pd.DataFrame(rows, columns=["level", "ons_code", "cassr_code", "name"]), problems


def _area(
    level: str | None, printed: Mapping[str, str], known: Mapping[str, Mapping[str, str]], year: int
) -> tuple[tuple[str | None, str | None, str | None], list[str]]:
    """Return codes and name of one area, and what is wrong with it."""
    if level is None:
        near = did_you_mean(fold(printed["level"]), list(LEVELS))
        return (None, None, None), [f"{printed['level']!r} is no known level of an area{near}"]
    if level == "council":
        code = printed["cassr_code"]
        if code not in known:
            near = did_you_mean(code, list(known))
            problem = f"{code!r} was no council's social-care code in {year_label(year)}{near}"
            return (None, None, None), [problem]
        council = known[code]
        return (council["ons_code"], code, council["name"]), list(_council_problems(printed, council))
    names = {ENGLAND: "England"} if level == "england" else regions()
    region = printed["region_code"] or printed["ons_code"]
    if region not in names:
        near = did_you_mean(region, list(names))
        what = "that of England" if level == "england" else "the code of a region"
        return (None, None, None), [f"{region!r} is not {what}{near}"]
    return (region, None, names[region]), list(_region_problems(printed, region, names[region]))


def _council_problems(printed: Mapping[str, str], council: Mapping[str, str]) -> Iterator[str]:
    """Yield the codes and names of a row that are not those of its social-care code."""
    code, name = council["cassr_code"], council["name"]
    for column in ("ons_code", "region_code"):
        if printed[column] and printed[column] != council[column]:
            yield f"the code {code} is that of {name} ({council[column]}), not of {printed[column]!r}"
    if printed.get("council_name") and fold_name(printed["council_name"]) != fold_name(name):
        yield f"the code {code} is that of {name}, not of {printed['council_name']!r}"
    if printed.get("region_name") and fold_name(printed["region_name"]) != fold_name(council["region"]):
        yield f"the code {code} is that of {name} in {council['region']}, not in {printed['region_name']!r}"


def _region_problems(printed: Mapping[str, str], code: str, name: str) -> Iterator[str]:
    """Yield what a row of a region or England says about a council or another region."""
    for column in ("cassr_code", "ons_code"):
        if printed[column] not in ("", code):
            yield f"a row of {name} has the code {printed[column]!r}"
    if printed.get("region_name") and fold_name(printed["region_name"]) != fold_name(name):
        yield f"the code {code} is that of {name}, not of {printed['region_name']!r}"
