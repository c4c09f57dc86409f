"""GDP deflators and money GDP of HM Treasury: the December 2023 edition.

File: ``GDP_Deflators_Qtrly_National_Accounts_December_2023_update.csv``, a CSV save of the workbook. Two
blocks stand side by side: financial years on the left, calendar years on the right; both are read. Units:
index (``2022-23 = 100``, ``2022 = 100``), per cent, £ million. Source publication: HM Treasury, *GDP
deflators at market prices, and money GDP*, December 2023 (Quarterly National Accounts).

Measures of financial years: ``gdp_deflator``, ``gdp_deflator_change``, ``money_gdp`` and
``money_gdp_seasonally_adjusted``, with ``year`` the start year. Those of calendar years end in
``_calendar``, with ``year`` the calendar year. Years with footnotes are forecasts: they carry ``data_type``
``Forecast`` and print ``-`` for the index, which is given for the outturn only.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pandas as pd

from clsimpact.errors import ClsimpactError
from clsimpact.loaders._grid import block, check_single, open_csv, raise_problems, read_cells
from clsimpact.loaders.manifest import Source
from clsimpact.loaders.returns import as_returns
from clsimpact.loaders.sheets import Sheet, clean
from clsimpact.years import parse_year

__all__ = ["read"]

_BASE: Final = re.compile(r"^\d{4}(?:-\d{2})? = 100$")
_YEAR: Final = re.compile(r"^(\d{4}(?:-\d{2})?)((?:,? \(\d\))*)$")
_HEADERS: Final = {
    "per cent change on previous year": ("gdp_deflator_change", "%"),
    "cash £ million non-season-ally adjusted": ("money_gdp", "£ million"),
    "cash £ million non-seasonally adjusted": ("money_gdp", "£ million"),
    "cash £ million seasonally adjusted": ("money_gdp_seasonally_adjusted", "£ million"),
}
_END: Final = "Sources and footnotes:"
_BLOCKS: Final = (("Financial year", ""), ("Calendar year", "_calendar"))


def read(path: Path, source: Source) -> pd.DataFrame:
    """Read the deflators.

    Parameters
    ----------
    path
        The CSV file.
    source
        Its manifest record.

    Returns
    -------
    pandas.DataFrame
        The returns table: the United Kingdom by year, financial years first.

    Raises
    ------
    SourceError
        If the file cannot be read as CSV.
    LayoutError
        If headers, years or figures are not those of the layout.
    """
    sheet = open_csv(path, source)
    header = sheet.header_row(*(label for label, _ in _BLOCKS), "per cent change on previous year")
    starts = [sheet.column(header, label) for label, _ in _BLOCKS]
    ends = [*starts[1:], len(sheet.rows[header])]
    last = _last_row(sheet, header, starts[0])
    rows = range(header + 1, last)
    tables: list[pd.DataFrame] = []
    for start, end, (_, suffix) in zip(starts, ends, _BLOCKS, strict=True):
        columns = _columns_of(sheet, header, start, end, suffix)
        years = _years_of(sheet, rows, start)
        figures = read_cells(sheet, block(sheet, rows, list(columns)), source, blanks=True)
        measures = pd.DataFrame.from_dict(columns, orient="index", columns=["measure", "unit"])
        tables.append(figures.join(measures, on="column").join(years, on="row"))
    table = pd.concat(tables, ignore_index=True).drop(columns=["row", "column", "position"])
    area = {"ons_code": "K02000001", "name": "United Kingdom", "level": "other", "return_": source.return_}
    table = table.assign(**area)
    check_single(sheet, table, ["year", "measure", "unit"])
    return as_returns(table, source)


def _last_row(sheet: Sheet, header: int, column: int) -> int:
    """Return the row after the last year: that of the sources and footnotes."""
    found = [row for row in range(header + 1, len(sheet.rows)) if clean(sheet.rows[row][column]) == _END]
    raise_problems(sheet, [] if found else [f"no row says {_END!r}: the file is truncated"])
    return found[0]


def _columns_of(sheet: Sheet, header: int, start: int, end: int, suffix: str) -> dict[int, tuple[str, str]]:
    """Return measure and unit of each column of one block."""
    columns: dict[int, tuple[str, str]] = {}
    problems: list[str] = []
    for column in range(start + 1, end):
        label = clean(sheet.rows[header][column])
        if _BASE.match(label):
            columns[column] = (f"gdp_deflator{suffix}", label)
        elif label.casefold() in _HEADERS:
            measure, unit = _HEADERS[label.casefold()]
            columns[column] = (measure + suffix, unit)
        elif label:
            problems.append(f"cell {sheet.address(header, column)}: unknown header {label!r}")
        elif any(clean(row[column]) for row in sheet.rows[header + 1 :]):
            problems.append(f"cell {sheet.address(header, column)}: no header above cells that are not blank")
    if f"gdp_deflator{suffix}" not in {measure for measure, _ in columns.values()}:
        problems.append(
            f"row {header + 1}: no index under {clean(sheet.rows[header][start])!r} (like '2022-23 = 100')"
        )
    raise_problems(sheet, problems, "its headers are not those of its layout")
    return columns


def _years_of(sheet: Sheet, rows: range, column: int) -> pd.DataFrame:
    """Return year and data type of each row; a footnote beside the year marks a forecast."""
    records: dict[int, tuple[int, str]] = {}
    problems: list[str] = []
    for row in rows:
        label = clean(sheet.rows[row][column])
        match = _YEAR.match(label)
        try:
            text, notes = match.groups() if match else (label, "")
            year = int(text) if match and "-" not in text else parse_year(text)
            records[row] = (year, "Forecast" if notes else "Outturn")
        except ClsimpactError as error:
            problems.append(f"cell {sheet.address(row, column)}: {error.summary}")
    raise_problems(sheet, problems, "its years are not those of its layout")
    return pd.DataFrame.from_dict(records, orient="index", columns=["year", "data_type"])
