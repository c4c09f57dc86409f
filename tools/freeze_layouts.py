"""Freeze the layout of the publisher's data tables: printed labels, their places, and what each column means.

    python tools/freeze_layouts.py "data/raw/nhs-digital/2021-22/ASCFR and SALT Data Tables 2021-22.xlsx"

Writes `tables.toml`, `columns.csv` and `rows.csv` into `src/clsimpact/simulate/layouts` (or `--into DIR`).
No figure of the workbook is kept. Years become offsets from that of the publication: `{0}`, `{-1}`, `{-2}`.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from clsimpact.loaders.data_tables import read
from clsimpact.loaders.labels import measures
from clsimpact.loaders.manifest import load_manifest
from clsimpact.loaders.returns import DIMENSIONS, as_text
from clsimpact.loaders.sheets import Sheet, clean, open_workbook
from clsimpact.years import parse_year

ROOT = Path(__file__).resolve().parents[1]
INTO = ROOT / "src" / "clsimpact" / "simulate" / "layouts"
SOURCE_ID = "asc_fr_salt_2021_22"
HEAD = """\
# The data tables of the Adult Social Care Activity and Finance Report, England 2021-22: how each is laid out,
# without its figures. columns.csv says what each column of figures means, rows.csv what each row of a table
# that lists no councils. Years are offsets from that of the publication. Written by tools/freeze_layouts.py
# from the publisher's workbook.
# header: for each header row, [label, column] or [label, column, columns wide, rows deep], counted from 0.
# Contains information from NHS England (formerly NHS Digital), licensed under the
# Open Government Licence v3.0.
"""
_FIRST_STUBS = ("Geography code", "Age band", "Carer age band", "Gender", "Year")
_TITLE = re.compile(r"^Table (\d+): (.*?),? (\d{4}-\d{2}.*)$")
_YEAR = re.compile(r"\b(\d{4}-\d{2})\b")
_LETTERS = re.compile(r"^[A-Z]+")
_NOT_FROZEN = (
    "[",
    "Copyright",
    "Notes:",
    "Source",
    "http",
    "Some data may not sum",
    "This data is sourced from",
)


def with_offsets(text: str, year: int) -> str:
    """Write the financial years of a text as offsets: `2020-21` of the publication 2021-22 becomes `{-1}`."""
    return _YEAR.sub(lambda match: f"{{{parse_year(match[1]) - year}}}", text)


def column_number(cell: str) -> int:
    """Return the column of an address, counted from 0."""
    number = 0
    for letter in _LETTERS.match(cell)[0]:  # type: ignore[index]
        number = 26 * number + ord(letter) - 64
    return number - 1


def is_blank(line: Sequence[object]) -> bool:
    """Tell whether a row holds nothing but layout."""
    return not any(clean(cell) for cell in line)


class Table:
    """One sheet with the figures that were read from it."""

    def __init__(self, sheet: Sheet, figures: pd.DataFrame, year: int) -> None:
        self.sheet, self.figures, self.year = sheet, figures, year
        first = [clean(line[0]) for line in sheet.rows]
        self.top = next(at for at, word in enumerate(first) if word in _FIRST_STUBS)
        self.deep = next(n for n in range(1, 9) if is_blank(sheet.rows[self.top + n]))
        at = figures["cell"].str.replace(_LETTERS, "", regex=True).astype(int) - 1
        self.figures = figures.assign(row=at, column=figures["cell"].map(column_number))
        self.by_area = clean(sheet.rows[self.top][0]) == "Geography code"
        self.by_year = clean(sheet.rows[self.top][0]) == "Year"

    def words(self, row: pd.Series[Any]) -> dict[str, str]:
        """Return what a figure says: its words, and its unit where it is not that of its measure."""
        says = {name: str(row[name]) for name in DIMENSIONS if pd.notna(row[name])}
        return (
            says if row["unit"] == measures()[row["measure"]]["unit"] else {**says, "unit": str(row["unit"])}
        )

    def row_dimensions(self) -> list[str]:
        """Return the dimensions that change from row to row."""
        if self.by_area:
            return []
        by_column = self.figures.groupby("column")
        return [name for name in DIMENSIONS if by_column[name].nunique(dropna=False).max() > 1]

    def describe(self) -> Iterator[str]:
        """Yield the lines of `tables.toml`."""
        title = next(
            clean(cell) for line in self.sheet.rows for cell in line if clean(cell).startswith("Table ")
        )
        number, words, years = _TITLE.match(title).groups()  # type: ignore[union-attr]
        unit_line = self.sheet.rows[self.top - 1]
        units = [(at, clean(cell)) for at, cell in enumerate(unit_line) if clean(cell)]
        yield f"\n[[table]]\nnumber = {number}\ntitle = {quote(words)}"
        yield f"years = {quote(with_offsets(years, self.year))}"
        yield f"rows = {quote('areas' if self.by_area else 'years' if self.by_year else 'listed')}"
        if "council_type" in set(self.figures["level"]):
            yield "council_types = true"
        if units:
            yield f"unit = {quote(units[0][1])}\nunit_at = {units[0][0]}"
        yield "header = [\n" + "".join(f"  {line},\n" for line in self.header()) + "]"
        for at, cell in enumerate(self.sheet.rows[int(self.figures["row"].max())]):
            if clean(cell) == "and also":
                yield f"and_also_at = {at}"
        for name, lines in self.footer().items():
            if lines:
                yield f"{name} = [\n" + "".join(f"  {quote(line)},\n" for line in lines) + "]"

    def header(self) -> Iterator[str]:
        """Yield each row of the header: its labels, where they stand and how far they are merged."""
        merged = dict(self.sheet.merged)
        for row in range(self.top, self.top + self.deep):
            cells = []
            for at, cell in enumerate(self.sheet.rows[row]):
                bottom, right = merged.get((row, at), (row, at))
                size = [right - at + 1, bottom - row + 1]
                if clean(cell) or size != [1, 1]:
                    label = with_offsets(str(cell), self.year)
                    cells.append([label, at] if size == [1, 1] else [label, at, *size])
            yield json.dumps(cells, ensure_ascii=False)

    def footer(self) -> dict[str, list[str]]:
        """Return what stands below the figures and holds for any figures: the return, and the definitions."""
        lines = [clean(line[0]) for line in self.sheet.rows[int(self.figures["row"].max()) + 1 :]]
        sources = [
            with_offsets(line, self.year) for line in lines if "Collection" in line and _YEAR.search(line)
        ]
        notes = [
            line for line in lines if line and not line.startswith(_NOT_FROZEN) and not _YEAR.search(line)
        ]
        return {"sources": sources, "notes": notes}

    def columns(self) -> Iterator[list[Any]]:
        """Yield what each column of figures means: `table, column, measure, year, words`."""
        rows = self.row_dimensions()
        for at, part in self.figures.groupby("column"):
            row = part.iloc[0]
            says = {name: word for name, word in self.words(row).items() if name not in rows}
            if self.by_year:
                says.pop("unit", None)
            offset = "" if self.by_year else int(row["year"]) - self.year
            yield [self.sheet.name[1:], at, row["measure"], offset, spell(says)]

    def stubs(self) -> Iterator[list[Any]]:
        """Yield the rows of a table without councils, below its header: `table, row, labels, area, words`."""
        if self.by_area or self.by_year:
            return
        names, stop = self.row_dimensions(), int(self.figures["column"].min())
        for at, part in self.figures.groupby("row"):
            row = part.iloc[0]
            labels = " | ".join(clean(cell) for cell in self.sheet.rows[int(at)][:stop])
            says = {name: str(row[name]) for name in names}
            yield [self.sheet.name[1:], int(at) - self.top - self.deep, labels, row["ons_code"], spell(says)]


def spell(says: Mapping[str, str]) -> str:
    """Write words as `dimension=word; dimension=word`."""
    return "; ".join(f"{name}={word}" for name, word in says.items())


def quote(text: str) -> str:
    """Write a TOML string."""
    return json.dumps(text, ensure_ascii=False)


def freeze(workbook: Path) -> dict[str, str]:
    """Return the layout files of a workbook: name to text."""
    source = load_manifest()[SOURCE_ID]
    year = int(source.year or 0)
    figures = as_text(read(workbook, source))
    sheets = open_workbook(workbook, lambda name: bool(re.fullmatch(r"T\d+", name)))
    tables = [Table(sheet, figures[figures["table"] == sheet.name], year) for sheet in sheets]
    layout = HEAD + "\n".join(line for table in tables for line in table.describe()) + "\n"
    return {
        "tables.toml": layout,
        "columns.csv": as_csv("table,column,measure,year,words", tables, Table.columns),
        "rows.csv": as_csv("table,row,labels,area,words", tables, Table.stubs),
    }


def as_csv(heading: str, tables: Sequence[Table], rows: Callable[[Table], Iterator[list[Any]]]) -> str:
    """Return the rows of every table as a CSV file."""
    out = io.StringIO()
    out.write(heading + "\n")
    csv.writer(out, lineterminator="\n").writerows(row for table in tables for row in rows(table))
    return out.getvalue()


def main() -> None:
    """Write the layout files."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("workbook", type=Path)
    parser.add_argument("--into", type=Path, default=INTO)
    options = parser.parse_args()
    for name, text in freeze(options.workbook).items():
        (options.into / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
