"""Tables as a Word document: tables that Word knows as such, and the same bytes for the same tables."""

from __future__ import annotations

import datetime as dt
import io
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from clsimpact._paths import file_to_write
from clsimpact._version import __version__
from clsimpact.errors import ClsimpactError
from clsimpact.report._table import MADE_UP, MARK, Table, extra_library, marked
from clsimpact.store import write_bytes

__all__ = ["to_docx"]

_CREATED: Final = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)  # fixed, so that the same tables give the same bytes
_ZIP_DATE: Final = (1980, 1, 1, 0, 0, 0)
_ZIP_YEARS: Final = range(1980, 2108)  # of dates in a zip, which a Word document is
_PURPOSE: Final = "A table in Word"
_A4_MM: Final = (210, 297)
_WIDE: Final = 6  # columns above which the page lies on its side
_POINTS: Final = 9


def to_docx(tables: Sequence[Table], path: str | Path, *, title: str = "Tables") -> Path:
    """Write tables into one Word document.

    Each is a Word table with a numbered caption, its heading row repeated on every page, rows that do not
    break across pages, and notes and source below. The page is A4, on its side for wide tables.

    Parameters
    ----------
    tables
        In the order in which they are numbered.
    path
        File to write; its folder is made if it does not exist.
    title
        Heading and title of the document. SIMULATED stands before it where any table is made up.

    Returns
    -------
    pathlib.Path
        The file. A second run writes the same bytes: dates are fixed.

    Raises
    ------
    ClsimpactError
        python-docx is not installed, the name of the file ends otherwise than in ``.docx``, it is a
        folder, or the clock of the computer is set to a year before 1980 or after 2107.

    Examples
    --------
    >>> import tempfile
    >>> import pandas as pd
    >>> table = Table("costs", "Costs", pd.DataFrame({"x": [1.5]}), {"x": "Costs (£)"})
    >>> path = to_docx([table], Path(tempfile.mkdtemp()) / "tables.docx")
    >>> import docx
    >>> [cell.text for row in docx.Document(str(path)).tables[0].rows for cell in row.cells]
    ['Costs (£)', '1.50']
    """
    place = file_to_write(path, "a Word document", ".docx")
    _require_clock()
    document = extra_library("docx", "python-docx", _PURPOSE).Document()
    simulated = any(table.simulated for table in tables)
    _set_page(document, wide=any(len(table.columns) > _WIDE for table in tables))
    title = marked(title, simulated=simulated)
    _set_properties(document.core_properties, title, simulated)
    document.add_heading(title, level=1)
    if simulated:
        document.add_paragraph(f"{MADE_UP} (tables that say so).").runs[0].bold = True
    for number, table in enumerate(tables, 1):
        _add_table(document, table, number)
    held = io.BytesIO()
    document.save(held)
    write_bytes(place, _with_fixed_dates(held))
    return place


def _require_clock() -> None:
    """Refuse a clock that python-docx cannot write down, although the dates are replaced afterwards."""
    year = time.localtime().tm_year
    if year not in _ZIP_YEARS:
        raise ClsimpactError(
            f"A Word document cannot be written in {year}, which is what the clock of this computer says.",
            repair="Set the clock.",
        )


def _set_page(document: Any, *, wide: bool) -> None:
    shared = extra_library("docx.shared", "python-docx", _PURPOSE)
    section = document.sections[0]
    short, long = (shared.Mm(side) for side in _A4_MM)
    section.page_width, section.page_height = (long, short) if wide else (short, long)
    if wide:
        section.orientation = extra_library("docx.enum.section", "python-docx", _PURPOSE).WD_ORIENT.LANDSCAPE
    for side in ("left_margin", "right_margin", "top_margin", "bottom_margin"):
        setattr(section, side, shared.Mm(20))


def _set_properties(about: Any, title: str, simulated: bool) -> None:
    about.title = title
    about.author = about.last_modified_by = f"clsimpact {__version__}"
    about.comments = MADE_UP if simulated else ""
    about.keywords = f"{MARK}, made up" if simulated else ""
    about.language = "en-GB"
    about.created = about.modified = _CREATED
    about.revision = 1


def _add_table(document: Any, table: Table, number: int) -> None:
    _add_caption(document, table, number)
    grid = document.add_table(rows=1 + len(table.rows), cols=len(table.columns), style="Table Grid")
    _add_element(grid._tbl.tblPr, "w:tblCaption", table.caption)  # noqa: SLF001 - python-docx has no other way
    heads = grid.rows[0].cells
    _repeat(grid.rows[0])
    for cell, heading, numeric in zip(heads, table.headings, table.numeric, strict=True):
        _fill(cell, heading, right=numeric, bold=True)
    for line, row in zip(grid.rows[1:], table.rows, strict=True):
        _add_element(line._tr.get_or_add_trPr(), "w:cantSplit")  # noqa: SLF001
        for i, (cell, shown) in enumerate(zip(line.cells, row, strict=True)):
            _fill(cell, shown.text, right=table.numeric[i], bold=False)
    for text in (*table.remarks, *([f"Source: {table.source}"] if table.source else [])):
        _small(document.add_paragraph(text))
    document.add_paragraph()


def _add_caption(document: Any, table: Table, number: int) -> None:
    """Add ``Table 1. Title`` whose number Word keeps up to date and can list."""
    paragraph = document.add_paragraph("Table ", style="Caption")
    paragraph.paragraph_format.keep_with_next = True
    for kind in ("begin", "separate", "end"):
        _add_element(paragraph.add_run()._r, "w:fldChar", fldCharType=kind)  # noqa: SLF001
        if kind == "begin":
            _add_element(paragraph.add_run()._r, "w:instrText", " SEQ Table \\* ARABIC ")  # noqa: SLF001
        elif kind == "separate":
            paragraph.add_run(str(number))
    paragraph.add_run(f". {table.caption}")


def _repeat(row: Any) -> None:
    """Make a row the heading of the table on every page."""
    properties = row._tr.get_or_add_trPr()  # noqa: SLF001
    _add_element(properties, "w:cantSplit")
    _add_element(properties, "w:tblHeader")


def _add_element(parent: Any, name: str, text: str = "", **attributes: str) -> None:
    oxml = extra_library("docx.oxml", "python-docx", _PURPOSE)
    qualified = extra_library("docx.oxml.ns", "python-docx", _PURPOSE).qn
    element = oxml.OxmlElement(name)
    if name == "w:instrText":
        element.text = text
    elif text:
        element.set(qualified("w:val"), text)
    for key, value in attributes.items():
        element.set(qualified(f"w:{key}"), value)
    parent.append(element)


def _fill(cell: Any, text: str, *, right: bool, bold: bool) -> None:
    sides = extra_library("docx.enum.text", "python-docx", _PURPOSE).WD_ALIGN_PARAGRAPH
    paragraph = cell.paragraphs[0]
    paragraph.add_run(text).bold = bold
    paragraph.alignment = sides.RIGHT if right else sides.LEFT
    _small(paragraph)


def _small(paragraph: Any) -> None:
    points = extra_library("docx.shared", "python-docx", _PURPOSE).Pt
    paragraph.paragraph_format.space_after = points(2)
    for run in paragraph.runs:
        run.font.size = points(_POINTS)


def _with_fixed_dates(held: io.BytesIO) -> bytes:
    """Write the parts of a zip again, in their order, without the time of the day."""
    written = io.BytesIO()
    with zipfile.ZipFile(held) as source, zipfile.ZipFile(written, "w") as target:
        for name in source.namelist():
            part = zipfile.ZipInfo(name, date_time=_ZIP_DATE)
            part.compress_type = zipfile.ZIP_DEFLATED
            part.create_system = 3  # the same on Windows
            target.writestr(part, source.read(name))
    return written.getvalue()
