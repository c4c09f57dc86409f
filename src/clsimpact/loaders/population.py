"""Mid-year population estimates by single year of age: mid-2015 to mid-2022.

Files: one workbook of the Office for National Statistics per year, in eight layouts; the sheet with all
persons is found by its title (``... Persons by single year of age ...``, in mid-2015 ``ALL PERSONS``), the
columns by their headers (code, name, all ages, 0, 1, ... 90). Units: people, not rounded. Source
publication: *Population estimates for the UK, England and Wales, Scotland and Northern Ireland*.

Single ages are added up to ``18 to 64`` and ``65 and over``, the age bands of social care; ``cell`` is then
a range. The all-ages total is read as printed, and the single ages of every area must add up to it.
``year`` is the calendar year of the estimate, so 2016 holds mid-2016, which the returns of 2016-17 divide
by. All areas are kept: districts, counties (E10), metropolitan counties and other nations (``other``).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from clsimpact.errors import LayoutError
from clsimpact.loaders._area import level_of
from clsimpact.loaders._grid import raise_problems
from clsimpact.loaders.manifest import Source
from clsimpact.loaders.returns import as_returns
from clsimpact.loaders.sheets import Sheet, clean, column_letters, open_workbook

__all__ = ["read"]

_TITLE: Final = re.compile(r"^MYE2: .*by single year of age\b.*\bmid-(\d{4})$", re.IGNORECASE)
_PERSONS: Final = re.compile(r"\bpersons by single year of age\b|^all persons$", re.IGNORECASE)
_CODE: Final = re.compile(r"^[A-Z]\d{8}$")
_TOP: Final = 8
_OLDEST: Final = 90
_ADULT, _OLDER = 18, 65


def read(path: Path, source: Source) -> pd.DataFrame:
    """Read the population of every area by age band.

    Parameters
    ----------
    path
        The workbook of one year.
    source
        Its manifest record, whose ``year`` must be the one in the title.

    Returns
    -------
    pandas.DataFrame
        The returns table, three rows per area: ``measure`` is ``population``, ``age_band`` is ``Total``,
        ``18 to 64`` and ``65 and over``.

    Raises
    ------
    SourceError
        If the file is truncated or no workbook.
    LayoutError
        If the sheet, a header, an area code or a figure is not as expected, the title has another year, or
        the single ages of an area do not add up to its printed total.
    """
    sheet, year = _find_sheet(path, source)
    header = sheet.header_row("Code", "Name", "All ages")
    code, name, total = (sheet.column(header, label) for label in ("Code", "Name", "All ages"))
    first = _first_age(sheet, header)
    rows = _area_rows(sheet, header, code)
    ages = _numbers(sheet, rows, list(range(first, first + _OLDEST + 1)))
    printed = _numbers(sheet, rows, [total])[:, 0]
    _check_totals(sheet, rows, printed, ages, name, total)
    areas = pd.DataFrame(
        {
            "ons_code": [clean(sheet.rows[row][code]) for row in rows],
            "name": [clean(sheet.rows[row][name]) for row in rows],
        }
    )
    areas["level"] = [level_of(ons) for ons in areas["ons_code"]]
    bands = (
        ("Total", printed, total, total),
        ("18 to 64", ages[:, _ADULT:_OLDER].sum(axis=1), first + _ADULT, first + _OLDER - 1),
        ("65 and over", ages[:, _OLDER:].sum(axis=1), first + _OLDER, first + _OLDEST),
    )
    tables = [
        areas.assign(age_band=band, value=values, cell=_cells(rows, left, right))
        for band, values, left, right in bands
    ]
    table = pd.concat(tables).sort_index(kind="stable")
    fixed = {"measure": "population", "unit": "people", "status": "published", "return_": source.return_}
    return as_returns(table.assign(year=year, table=sheet.name, **fixed), source)


def _find_sheet(path: Path, source: Source) -> tuple[Sheet, int]:
    """Return the sheet of all persons, and the year in its title."""
    titles: list[str] = []
    for sheet in open_workbook(path):
        top = [clean(row[0]) for row in sheet.rows[:_TOP] if row]
        match = next((found for found in map(_TITLE.match, top) if found), None)
        if match is None:
            continue
        titles += [f"sheet {sheet.name!r}: {match[0]}"]
        if any(_PERSONS.search(text) for text in top):
            year = int(match[1])
            if source.year is not None and source.year != year:
                raise_problems(sheet, [f"the title says mid-{year}, the manifest mid-{source.year}"])
            return sheet, year
    raise LayoutError(
        f"{path.name}: no sheet is titled as persons by single year of age.",
        titles,
        repair="Use the publisher's file unchanged.",
    )


def _first_age(sheet: Sheet, header: int) -> int:
    """Return the column of age 0, after checking that the ages 0 to 90 stand beside each other."""
    labels = [_age(cell) for cell in sheet.rows[header]]
    wanted = [str(age) for age in range(_OLDEST + 1)]
    first = labels.index("0") if "0" in labels else len(labels)
    problems = [
        f"cell {sheet.address(header, first + age)}: {found!r} where {expected} is expected"
        for age, found in enumerate(labels[first:])
        for expected in [f"the age {wanted[age]}" if age <= _OLDEST else "no further column"]
        if age > _OLDEST or found != wanted[age]
    ]
    if first + _OLDEST >= len(labels):
        problems.append(f"row {header + 1}: the ages 0 to {_OLDEST} are not all there")
    raise_problems(sheet, problems, "its headers are not those of its layout")
    return first


def _age(cell: object) -> str:
    """Return an age header as text; 90 and 90+ are the same."""
    text = str(int(cell)) if isinstance(cell, float) else clean(cell)
    return text.removesuffix("+") if text == f"{_OLDEST}+" else text


def _area_rows(sheet: Sheet, header: int, code: int) -> list[int]:
    """Return the rows of areas; a footnote alone in its row ends the table."""
    rows: list[int] = []
    problems: list[str] = []
    found: set[str] = set()
    for row in range(header + 1, len(sheet.rows)):
        cells = [clean(cell) for cell in sheet.rows[row]]
        if cells[code] in found:
            problems.append(f"cell {sheet.address(row, code)}: {cells[code]!r} is listed twice")
        if _CODE.match(cells[code]):
            rows.append(row)
            found.add(cells[code])
        elif any(cell for column, cell in enumerate(cells) if column != code):
            problems.append(f"cell {sheet.address(row, code)}: {cells[code]!r} is no area code")
    raise_problems(
        sheet,
        problems or ([] if rows else ["there is no area in it"]),
        "its areas are not those of its layout",
    )
    return rows


def _numbers(sheet: Sheet, rows: list[int], columns: list[int]) -> npt.NDArray[np.float64]:
    """Return the figures of a block, all of which must be whole numbers of people."""
    problems = [
        f"cell {sheet.address(row, column)}: {sheet.rows[row][column]!r} is no number of people"
        for row in rows
        for column in columns
        if not _is_count(sheet.rows[row][column])
    ]
    raise_problems(sheet, problems, f"{len(problems)} cells cannot be read")
    return np.array([[sheet.rows[row][column] for column in columns] for row in rows], dtype=np.float64)


def _is_count(cell: object) -> bool:
    """Tell whether a cell is a whole number that is not negative."""
    return (
        isinstance(cell, int | float)
        and not isinstance(cell, bool)
        and cell >= 0
        and float(cell).is_integer()
    )


def _check_totals(
    sheet: Sheet,
    rows: list[int],
    printed: npt.NDArray[np.float64],
    ages: npt.NDArray[np.float64],
    name: int,
    total: int,
) -> None:
    """Compare the sum of the single ages with the printed total of each area."""
    wrong = np.flatnonzero(ages.sum(axis=1) != printed)
    problems = [
        f"cell {sheet.address(rows[at], total)}: {clean(sheet.rows[rows[at]][name])} prints "
        f"{printed[at]:.0f}, its ages add up to {ages[at].sum():.0f}"
        for at in wrong
    ]
    raise_problems(sheet, problems, "single ages do not add up to the printed totals")


def _cells(rows: list[int], left: int, right: int) -> list[str]:
    """Return the range that holds a figure in each row."""
    if left == right:
        return [f"{column_letters(left)}{row + 1}" for row in rows]
    return [f"{column_letters(left)}{row + 1}:{column_letters(right)}{row + 1}" for row in rows]
