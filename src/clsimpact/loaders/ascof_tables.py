"""ASCOF time series 2015-16 to 2024-25, as published in 2025: one sheet per measure.

File: ``ascof_2024_25.ods``. Every sheet ``Table_*`` has its title in A1, notes below, then a header row
``Local authority code, Local authority, ONS area code`` and columns such as ``2015 to 2016 - outcome``;
England, council types, regions and councils below. Units: outcomes in per cent, scores or per 100,000
people; numerators and denominators from client-level data are rounded to 5 for England, regions and types.
Source publication: Department of Health and Social Care, *Measures from the Adult Social Care Outcomes
Framework, England*, 2024-25.

What to know. In 2016-17 carer measures (Survey of Adult Carers) print two figures in a cell, ``51,230
(35,415)``: since that year carers who had no assessment or review are eligible too; the figure in brackets
is the same statistic for the earlier, narrower population, the figure before it is the official one. Both
are read; the bracketed one has ``statistic`` ``... (earlier eligible population)`` and the same cell.
Measures that come from client-level data since 2024-25 cannot be compared with their forerunners and
therefore have names of their own. The list of contents prints the 2022-23 code of 3D(2a) as 1C(1b); its own
log of comparability has the right one, 1C(2A).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, NamedTuple

import pandas as pd

from clsimpact.errors import ClsimpactError, LayoutError
from clsimpact.loaders._area import level_of, ons_code_of
from clsimpact.loaders._ascof import Measure, bare_code, find_measure, measures, unit_of
from clsimpact.loaders._grid import check_single, raise_problems, read_cells
from clsimpact.loaders.manifest import Source
from clsimpact.loaders.returns import as_returns
from clsimpact.loaders.sheets import Sheet, clean, open_workbook
from clsimpact.years import parse_year

__all__ = ["read"]

_EDITION: Final = 2024
_BEFORE: Final = 2022
_AREA_HEADERS: Final = ("Local authority code", "Local authority", "ONS area code")
_TITLE: Final = re.compile(r"^Table (\S+): (.+)$")
_HEADER: Final = re.compile(r"^(\d{4} to \d{4}) - (.+)$")
_TWO_FIGURES: Final = re.compile(r"^([\d.,]+) \(([\d.,]+|:)\)$")
_TWO_FIGURES_IN: Final = 2016
_EARLIER: Final = " (earlier eligible population)"
_STATISTICS: Final = ("margin of error", "number of respondents", "numerator", "denominator", "outcome")
_RATINGS: Final = ("outstanding", "good", "other", "not yet rated")
_JOINT_AREAS: Final = ("Cornwall and Isles of Scilly",)


class _Column(NamedTuple):
    """What a column of figures holds."""

    column: int
    year: int
    statistic: str
    detail: str


def read(path: Path, source: Source) -> pd.DataFrame:
    """Read every table of the ASCOF time series.

    Parameters
    ----------
    path
        The ods workbook.
    source
        Its manifest record.

    Returns
    -------
    pandas.DataFrame
        The returns table: ``measure`` is the lasting name of the measure, ``detail`` the code of 2024-25,
        ``statistic`` is ``Outcome``, ``Numerator``, ``Denominator``, ``Number of respondents`` or ``Margin
        of error``. Rows as in the file, sheet by sheet.

    Raises
    ------
    SourceError
        If the file is truncated or no workbook.
    LayoutError
        If a sheet's title, headers, areas or cells are not those of the layout, or the list of contents
        disagrees with the code table.
    """
    tables: list[pd.DataFrame] = []
    listed: set[str] = set()
    for sheet in open_workbook(path, lambda name: name == "Contents" or name.startswith("Table_")):
        if sheet.name == "Contents":
            listed = _check_contents(sheet)
        else:
            tables.append(_read_table(sheet, source, listed))
    found = {bare_code(frame["detail"].iloc[0].split(":")[0]) for frame in tables}
    if found != listed or not found:
        raise LayoutError(
            f"{path.name}: the tables are not those of the list of contents.",
            [f"{code}: {'not listed' if code in found else 'no table'}" for code in sorted(found ^ listed)]
            or ["there is no table"],
            repair="Use the publisher's file as it is.",
        )
    return as_returns(pd.concat(tables, ignore_index=True), source)


def _check_contents(sheet: Sheet) -> set[str]:
    """Compare metric, description and 2022-23 code with the code table; return the metrics listed."""
    header = sheet.header_row("Metric", "Description", "2022 to 2023 Code")
    metric, description, before = (
        sheet.column(header, label) for label in ("Metric", "Description", "2022 to 2023 Code")
    )
    problems: list[str] = []
    listed: set[str] = set()
    for number in range(header + 1, len(sheet.rows)):
        row = sheet.rows[number]
        if not clean(row[metric]):
            continue
        listed.add(bare_code(row[metric]))
        try:
            measure = find_measure(row[metric], _EDITION, row[description])
        except KeyError as error:
            problems.append(f"row {number + 1}: {error.args[0]}")
            continue
        forerunner = measures()[measure.continues] if measure.continues else measure
        expected = measure.contents_code or forerunner.code_in(_BEFORE) or "NOTAPPLICABLE"
        if bare_code(row[before]) != expected:
            place = f"cell {sheet.address(number, before)}"
            problems.append(f"{place}: {row[before]!r} where {measure.name} was {expected} in 2022-23")
    raise_problems(sheet, problems, "the list of contents disagrees with the code table")
    return listed


def _read_table(sheet: Sheet, source: Source, listed: set[str]) -> pd.DataFrame:
    """Read one table."""
    measure, code = _measure_of(sheet, listed)
    header = sheet.header_row(*_AREA_HEADERS)
    places = [sheet.column(header, label) for label in _AREA_HEADERS]
    columns = _columns_of(sheet, header, code)
    areas = _areas_of(sheet, header, places)
    cells: list[tuple[int, int, object]] = []
    kinds: list[tuple[int, str, str]] = []
    for row in areas.index:
        for column in columns:
            content = sheet.rows[row][column.column]
            pair = _TWO_FIGURES.match(content) if isinstance(content, str) else None
            if pair and measure.brackets and column.year == _TWO_FIGURES_IN:
                cells += [(row, column.column, pair[1]), (row, column.column, pair[2])]
                kinds += [(column.year, column.statistic + extra, column.detail) for extra in ("", _EARLIER)]
            else:
                cells.append((row, column.column, content))
                kinds.append((column.year, column.statistic, column.detail))
    figures = read_cells(sheet, cells, source)
    table = figures.join(pd.DataFrame(kinds, columns=["year", "statistic", "detail"]), on="position").join(
        areas, on="row"
    )
    table["measure"] = measure.name
    check_single(sheet, table, ["ons_code", "name", "year", "statistic", "detail"])
    units = {statistic: unit_of(measure, statistic) for statistic in table["statistic"].unique()}
    people = {"age_band": measure.age_band, "gender": "Total"} if measure.age_band else {}
    fixed = {"return_": source.return_, **people}
    return table.drop(columns=["row", "column", "position"]).assign(
        unit=table["statistic"].map(units), **fixed
    )


def _measure_of(sheet: Sheet, listed: set[str]) -> tuple[Measure, str]:
    """Return the measure of a sheet by its title, and its code as published."""
    title = clean(sheet.rows[0][0]) if sheet.rows else ""
    match = _TITLE.match(title)
    problems: list[str] = []
    if (
        match
        and bare_code(match[1]) in listed
        and bare_code(match[1]) == bare_code(sheet.name.removeprefix("Table_"))
    ):
        try:
            return find_measure(match[1], _EDITION, match[2]), match[1].upper()
        except KeyError as error:
            problems.append(f"cell A1: {error.args[0]}")
    raise_problems(
        sheet,
        problems or [f"cell A1: {title!r} is not the title of this table"],
        "its title is not that of a known measure",
    )
    raise AssertionError  # pragma: no cover - raise_problems has raised


def _columns_of(sheet: Sheet, header: int, code: str) -> list[_Column]:
    """Return year, statistic and code of every column of figures."""
    columns: list[_Column] = []
    problems: list[str] = []
    for column, label in enumerate(sheet.labels(header)):
        if label in _AREA_HEADERS or not label:
            continue
        match = _HEADER.match(label)
        words = match[2].casefold().removeprefix(f"{code.casefold()} ") if match else ""
        rating = next((rating for rating in _RATINGS if words.startswith(f"{rating} ")), "")
        statistic = words.removeprefix(f"{rating} ")
        try:
            year = parse_year(match[1]) if match and statistic in _STATISTICS else None
        except ClsimpactError:
            year = None
        if year is None:
            problems.append(f"cell {sheet.address(header, column)}: unknown header {label!r}")
        else:
            columns.append(
                _Column(column, year, statistic.capitalize(), f"{code}: {rating}" if rating else code)
            )
    raise_problems(sheet, problems, "its headers are not those of its layout")
    return columns


def _areas_of(sheet: Sheet, header: int, places: list[int]) -> pd.DataFrame:
    """Return the areas, indexed by their row."""
    records: dict[int, dict[str, object]] = {}
    problems: list[str] = []
    for row in range(header + 1, len(sheet.rows)):
        local, name, ons = (sheet.rows[row][column] for column in places)
        cassr = str(int(local)) if isinstance(local, float) else clean(local)
        code, named = ons_code_of(ons), clean(name)
        level = level_of(code, named)
        if level == "other" and named not in _JOINT_AREAS:
            problems.append(
                f"cell {sheet.address(row, places[1])}: unknown area {named!r}, codes {cassr!r} and {ons!r}"
            )
        records[row] = {
            "cassr_code": cassr if level == "council" else None,
            "name": named,
            "ons_code": code,
            "level": level,
        }
    nothing = [] if records else ["there is no area in it"]
    raise_problems(sheet, problems or nothing, "areas are not those of the layout")
    return pd.DataFrame.from_dict(records, orient="index")
