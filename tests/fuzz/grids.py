"""Rows of cells, and how they are written as a file of each kind that the publishers use."""

from __future__ import annotations

import csv
import datetime
import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

import xlsxwriter

Cell = object
Rows = list[list[Cell]]

_SPACES = " ".join(
    f'xmlns:{short}="urn:oasis:names:tc:opendocument:xmlns:{long}:1.0"'
    for short, long in (("office", "office"), ("table", "table"), ("text", "text"))
)
_ODS = "application/vnd.oasis.opendocument.spreadsheet"
_TYPE = "office:value-type"
_FORBIDDEN = dict.fromkeys([*range(9), 11, 12, *range(14, 32)])
"""Control characters, which XML cannot hold."""


@dataclass(frozen=True)
class Formula:
    """A formula, and the value that the program which saved the file left beside it (nothing: none)."""

    text: str
    cached: object = ""


@dataclass(frozen=True)
class Grid:
    """A file as rows of cells: one sheet for a CSV, several for a workbook."""

    kind: str
    sheets: Mapping[str, Rows]
    encoding: str = "utf-8"
    newline: str = "\n"

    def copy(self) -> Grid:
        """Return the same cells in lists of their own."""
        sheets = {name: [list(row) for row in rows] for name, rows in self.sheets.items()}
        return Grid(self.kind, sheets, self.encoding, self.newline)

    def render(self) -> bytes:
        """Return the bytes of the file."""
        return {"csv": _csv, "xlsx": _xlsx, "ods": _ods}[self.kind](self)


@dataclass(frozen=True)
class Place:
    """A cell of a grid, counted from 0."""

    sheet: str
    row: int
    column: int
    extra: tuple[object, ...] = field(default=(), compare=False)


def _csv(grid: Grid) -> bytes:
    (rows,) = grid.sheets.values()
    stream = io.StringIO(newline="")
    csv.writer(stream, lineterminator=grid.newline).writerows([_text(cell) for cell in row] for row in rows)
    return stream.getvalue().encode(grid.encoding, errors="replace")


def _text(cell: Cell) -> str:
    if isinstance(cell, Formula):
        return f"={cell.text}"
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell)


def _xlsx(grid: Grid) -> bytes:
    stream = io.BytesIO()
    options = {"in_memory": True, "strings_to_numbers": False, "strings_to_formulas": False}
    book = xlsxwriter.Workbook(stream, {**options, "strings_to_urls": False, "nan_inf_to_errors": True})
    dates = book.add_format({"num_format": "dd/mm/yyyy"})
    for name, rows in grid.sheets.items():
        sheet = book.add_worksheet(name[:31])
        for number, row in enumerate(rows):
            for column, cell in enumerate(row):
                _put(sheet, number, column, cell, dates)
    book.close()
    return stream.getvalue()


def _put(sheet: object, row: int, column: int, cell: Cell, dates: object) -> None:
    write = sheet  # the writer's methods are not typed
    if isinstance(cell, Formula):
        write.write_formula(row, column, f"={cell.text}", None, cell.cached)  # type: ignore[attr-defined]
    elif isinstance(cell, bool):
        write.write_boolean(row, column, cell)  # type: ignore[attr-defined]
    elif isinstance(cell, int | float):
        write.write_number(row, column, cell)  # type: ignore[attr-defined]
    elif isinstance(cell, datetime.date):
        write.write_datetime(row, column, cell, dates)  # type: ignore[attr-defined]
    elif cell not in ("", None):
        write.write_string(row, column, str(cell)[:32000])  # type: ignore[attr-defined]


def _ods(grid: Grid) -> bytes:
    body = "".join(
        f'<table:table table:name="{escape(name)}">{"".join(map(_ods_row, rows))}</table:table>'
        for name, rows in grid.sheets.items()
    )
    return ods_archive(ods_content(body))


def ods_content(body: str, before: str = "") -> str:
    """Return the document of an OpenDocument spreadsheet with some tables."""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>{before}'
        f'<office:document-content {_SPACES} office:version="1.2">'
        f"<office:body><office:spreadsheet>{body}</office:spreadsheet></office:body></office:document-content>"
    )


def ods_archive(content: str) -> bytes:
    """Pack the document of an OpenDocument spreadsheet."""
    manifest = (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0">'
        f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{_ODS}"/></manifest:manifest>'
    )
    return packed({"mimetype": _ODS, "content.xml": content, "META-INF/manifest.xml": manifest})


def packed(members: Mapping[str, str | bytes]) -> bytes:
    """Return a zip archive, always with the same date."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return stream.getvalue()


def unpacked(content: bytes) -> dict[str, bytes]:
    """Return the members of a zip archive."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _ods_row(cells: Sequence[Cell]) -> str:
    return f"<table:table-row>{''.join(map(_ods_cell, cells))}</table:table-row>"


def _ods_cell(cell: Cell) -> str:
    if cell is None or cell == "":
        return "<table:table-cell/>"
    if isinstance(cell, Formula):
        value = f' {_TYPE}="float" office:value="{cell.cached}"' if cell.cached != "" else ""
        return f'<table:table-cell table:formula="of:={escape(cell.text)}"{value}/>'
    if isinstance(cell, bool):
        return f'<table:table-cell {_TYPE}="boolean" office:boolean-value="{str(cell).lower()}"/>'
    if isinstance(cell, int | float):
        return f'<table:table-cell {_TYPE}="float" office:value="{cell}"/>'
    if isinstance(cell, datetime.date):
        return f'<table:table-cell {_TYPE}="date" office:date-value="{cell.isoformat()}"/>'
    text = escape(str(cell).translate(_FORBIDDEN))
    return f'<table:table-cell {_TYPE}="string"><text:p>{text}</text:p></table:table-cell>'
