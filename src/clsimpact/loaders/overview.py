"""England's series in *Adult Social Care Statistics in England: An Overview* (data tables 2022).

File: ``ASC_OVERVIEW_DATA_TABLES_TEMPLATE_21-22.xlsx``. Tables 1 to 9 have a header row ``Measure`` and one
column per year; Tables 10a and 10b have one row per council. Units: as in ``overview_rows.toml``, which
lists every row label with its measure; shares are printed as fractions (0.016 is 1.6%) and read as printed.
Source publication: NHS Digital, 18 November 2022.

What to know. Counts are rounded to 5. Table 4 has dates instead of years: ``year`` is the financial year of
the date, ``detail`` the date. Table 6 has calendar years of a September survey: 2016 is read as 2016-17.
Table 10a lists councils but holds no figure. Table 10b has councils *by name only*: their ``ons_code`` is
missing, and must not be filled by name without a dated lookup; it prints its year as ``2022-21``.
Footnotes, sources and the copyright line end a table; the numbers that footnotes carry are not figures.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any, Final

import pandas as pd

from clsimpact.errors import ClsimpactError, LayoutError, did_you_mean
from clsimpact.loaders._grid import block, raise_problems, read_cells
from clsimpact.loaders.labels import read_toml
from clsimpact.loaders.manifest import Source
from clsimpact.loaders.returns import as_returns
from clsimpact.loaders.sheets import Sheet, clean, open_workbook
from clsimpact.years import parse_year

__all__ = ["read"]

_ENDS: Final = ("Footnotes", "Source", "Copyright")
_AGES: Final = {"Age 18-64": "18 to 64", "Age 65 and over": "65 and over"}
_COUNCIL_YEARS: Final = {
    "Year = 2020-21": 2020,
    "Year = 2022-21": 2020,
}  # the second is a misprint of the first
_APRIL: Final = 4
_Record = dict[str, Any]


def read(path: Path, source: Source) -> pd.DataFrame:
    """Read every table of the Overview.

    Parameters
    ----------
    path
        The workbook.
    source
        Its manifest record.

    Returns
    -------
    pandas.DataFrame
        The returns table, sheet by sheet, row by row: England (Tables 1 to 9) and councils by name (Table
        10b).

    Raises
    ------
    SourceError
        If the file is truncated or no workbook.
    LayoutError
        If a sheet, a header, a row label or a cell is not one of the layout; all of a sheet are listed.
    """
    rows = read_toml("overview_rows.toml")
    tables: list[pd.DataFrame] = []
    for sheet in open_workbook(path, lambda name: name.startswith("Table")):
        if sheet.name in ("Table 10a", "Table 10b"):
            tables.append(_read_councils(sheet, source, rows["councils"]))
        elif sheet.name in rows:
            tables.append(_read_series(sheet, source, rows[sheet.name]))
        else:
            raise_problems(sheet, [f"unknown sheet{did_you_mean(sheet.name, list(rows))}"])
    known = [frame for frame in tables if len(frame)]  # Table 10a holds no figure
    if not known:
        raise LayoutError(
            f"{path.name}: no sheet holds a table of the Overview.",
            repair="Use the publisher's file as it is.",
        )
    return as_returns(pd.concat(known, ignore_index=True).assign(return_=source.return_), source)


def _read_series(sheet: Sheet, source: Source, layout: _Record) -> pd.DataFrame:
    """Read a table with one row per measure and one column per year."""
    header = sheet.header_row("Measure")
    columns = _columns_of(sheet, header)
    last = _last_row(sheet, header)
    rows: dict[int, _Record] = {}
    problems: list[str] = []
    for row in range(header + 1, last):
        label = clean(sheet.rows[row][0])
        printed = any(clean(cell) for cell in sheet.rows[row][1:])
        if label in layout["rows"] and printed:
            rows[row] = layout["rows"][label]
        elif (label and label not in layout["headings"]) or (printed and not label):
            problems.append(
                f"cell A{row + 1}: unknown row label {label!r}{did_you_mean(label, list(layout['rows']))}"
            )
        elif printed:
            problems.append(f"row {row + 1}: figures beside the heading {label!r}")
    raise_problems(sheet, problems, "its rows are not those of its layout")
    figures = read_cells(sheet, block(sheet, rows, list(columns)), source, blanks=True)
    table = figures.join(pd.DataFrame.from_dict(rows, orient="index"), on="row")
    found = table.join(pd.DataFrame.from_dict(columns, orient="index"), on="column").rename(
        columns={"date": "detail"}
    )
    area = {"ons_code": "E92000001", "name": "England", "level": "england"}
    return found.drop(columns=["row", "column", "position"]).assign(**area)


def _columns_of(sheet: Sheet, header: int) -> dict[int, _Record]:
    """Return year, and date if it is one, of each column of figures."""
    columns: dict[int, _Record] = {}
    problems: list[str] = []
    for column, cell in enumerate(sheet.rows[header]):
        if column == 0 or not clean(cell):
            continue
        if isinstance(cell, dt.date):
            columns[column] = {
                "year": cell.year if cell.month >= _APRIL else cell.year - 1,
                "date": f"{cell:%Y-%m-%d}",
            }
        elif isinstance(cell, float) and cell.is_integer():
            columns[column] = {"year": int(cell)}
        else:
            try:
                columns[column] = {"year": parse_year(clean(cell))}
            except ClsimpactError as error:
                problems.append(f"cell {sheet.address(header, column)}: {error.summary}")
    raise_problems(sheet, problems, "its headers are not years")
    return columns


def _last_row(sheet: Sheet, header: int) -> int:
    """Return the row after the table, and make sure that no figure stands below it."""
    starts = (
        row for row in range(header + 1, len(sheet.rows)) if clean(sheet.rows[row][0]).startswith(_ENDS)
    )
    last = next(starts, len(sheet.rows))
    problems = [
        f"cell {sheet.address(row, column)}: the figure {cell!r} below the end of the table"
        for row in range(last, len(sheet.rows))
        for column, cell in enumerate(sheet.rows[row])
        if isinstance(cell, float) and not (row == last and column == 1)  # the number of the first footnote
    ]
    raise_problems(sheet, problems, "there are figures outside the table")
    return last


def _read_councils(sheet: Sheet, source: Source, groups: dict[str, _Record]) -> pd.DataFrame:
    """Read a table with one row per council and, for each measure, one column per age band."""
    header = sheet.header_row(*_AGES)
    years = [
        _COUNCIL_YEARS[clean(cell)]
        for row in sheet.rows[:header]
        for cell in row
        if clean(cell) in _COUNCIL_YEARS
    ]
    problems = (
        []
        if len(years) == 1
        else [f"{len(years)} of the lines {' or '.join(_COUNCIL_YEARS)} above the table"]
    )
    raise_problems(sheet, problems, "its year is not that of its layout")
    columns = _council_columns(sheet, header, groups)
    last = _last_row(sheet, header)
    names = {
        row: {"name": clean(sheet.rows[row][0])}
        for row in range(header + 1, last)
        if clean(sheet.rows[row][0])
    }
    nameless = [
        row
        for row in range(header + 1, last)
        if row not in names and any(clean(cell) for cell in sheet.rows[row])
    ]
    raise_problems(sheet, [f"row {row + 1}: figures without a council" for row in nameless])
    figures = read_cells(sheet, block(sheet, names, list(columns)), source, blanks=True)
    table = figures.join(pd.DataFrame.from_dict(names, orient="index"), on="row")
    table = table.join(pd.DataFrame.from_dict(columns, orient="index"), on="column")
    return table.drop(columns=["row", "column", "position"]).assign(year=years[0], level="council")


def _council_columns(sheet: Sheet, header: int, groups: dict[str, _Record]) -> dict[int, _Record]:
    """Return measure, unit and age band of each column; the measure stands once above its pair of columns."""
    columns: dict[int, _Record] = {}
    problems: list[str] = []
    group = ""
    for column, label in enumerate(sheet.labels(header)):
        group = clean(sheet.rows[header - 1][column]) or group
        if column == 0 or not label:
            continue
        if label in _AGES and group in groups:
            columns[column] = {**groups[group], "age_band": _AGES[label]}
        else:
            problems.append(f"cell {sheet.address(header, column)}: unknown header {label!r} under {group!r}")
    raise_problems(sheet, problems, "its headers are not those of its layout")
    return columns
