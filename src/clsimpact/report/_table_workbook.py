"""Tables as an accessible workbook, as the Government Analysis Function asks for: cover, contents, notes."""

from __future__ import annotations

import datetime as dt
import io
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pandas as pd

from clsimpact._paths import file_to_write
from clsimpact._version import __version__
from clsimpact.errors import ClsimpactError
from clsimpact.report._table import MADE_UP, MARK, SHORTHAND, Table, extra_library, marked
from clsimpact.store import write_bytes

__all__ = ["to_workbook"]

_CREATED: Final = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)  # fixed, so that the same tables give the same bytes
_SHEET_NAME: Final = 31  # letters, by Excel
_OWN: Final = ("cover", "contents", "notes", "history")  # Excel keeps the last for itself
_WIDEST: Final = 60  # letters of a column; longer text is wrapped
_ONE_TABLE: Final = "This worksheet contains one table."


def to_workbook(
    tables: Sequence[Table],
    path: str | Path,
    *,
    title: str,
    description: Sequence[str] = (),
    contact: Sequence[str] = (),
) -> Path:
    """Write tables into one workbook with a cover, contents, notes and one table a sheet, by gptables.

    Numbers stay numbers at full precision and are shown with the decimals of the table. Notes are numbered
    over the workbook and stand on one sheet; the title of a table refers to them.

    Parameters
    ----------
    tables
        Each becomes a sheet with the id as its name.
    path
        File to write; its folder is made if it does not exist.
    title
        Title of the cover. SIMULATED stands before it where any table is made up.
    description
        Paragraphs of the cover.
    contact
        Lines of the cover that say whom to ask.

    Returns
    -------
    pathlib.Path
        The file. A second run writes the same bytes: the date is fixed.

    Raises
    ------
    ClsimpactError
        gptables is not installed, no table, a table without rows, ids that are the same, too long for a sheet
        (31 letters), or kept for the sheets around the tables.

    Examples
    --------
    >>> import tempfile
    >>> table = Table("costs", "Costs", pd.DataFrame({"x": [1.5]}), {"x": "Costs (£)"})
    >>> path = to_workbook([table], Path(tempfile.mkdtemp()) / "tables.xlsx", title="Costs of care")
    >>> pd.read_excel(path, sheet_name=None, engine="calamine", header=None).keys()
    dict_keys(['Cover', 'Contents', 'costs'])
    """
    place = file_to_write(path, "a workbook", ".xlsx")
    _check(tables)
    simulated = any(table.simulated for table in tables)
    title = marked(title, simulated=simulated)
    with _without_gptables_warnings():
        gptables = extra_library("gptables", "gptables", "An accessible workbook")
        # What looks like a formula or an address is text here.
        options = {"strings_to_formulas": False, "strings_to_urls": False, "in_memory": True}
        held = io.BytesIO()
        book = gptables.GPWorkbook(held, options=options)
        book.set_properties(_properties(title, simulated))
        cover = gptables.Cover(_plain(title), **_cover_text(description, contact, simulated))
        book.add_worksheet("Cover").write_cover(cover)
        for name, sheet in _sheets(gptables, book, tables).items():
            page = book.add_worksheet(name)
            page.write_gptable(sheet, auto_width=True)
            for i in _wide_columns(sheet.table):
                page.set_column(i, i, _WIDEST)
        book.close()
    write_bytes(place, held.getvalue())
    return place


@contextmanager
def _without_gptables_warnings() -> Iterator[None]:
    """Silence what gptables does that newer pandas or Python advise against: users cannot mend it."""
    with warnings.catch_warnings():
        for kind in (DeprecationWarning, FutureWarning, ResourceWarning):
            warnings.simplefilter("ignore", kind)
        yield


def _sheets(gptables: Any, book: Any, tables: Sequence[Table]) -> dict[str, Any]:
    """Return every sheet after the cover, by name."""
    notes = list(dict.fromkeys(note for table in tables for note in table.notes))
    sheets = {table.id: _gptable(gptables, table, notes) for table in tables}
    around = {"Contents": book.make_table_of_contents(sheets)}
    if notes:
        around["Notes"] = _notes_sheet(gptables, notes)
    return around | sheets


def _check(tables: Sequence[Table]) -> None:
    names = [table.id.casefold() for table in tables]
    found = [] if tables else ["no table"]
    for table, name in zip(tables, names, strict=True):
        if not table.rows:
            found.append(f"{table.id}: a table without rows")
        if len(name) > _SHEET_NAME:
            found.append(f"{table.id}: {len(name)} letters, a sheet may have {_SHEET_NAME}")
        if name in _OWN:
            found.append(f"{table.id}: the name of another sheet")
    found += [f"{name}: more than one table" for name in sorted(set(names)) if names.count(name) > 1]
    if found:
        raise ClsimpactError(
            "The workbook cannot be written.", found, repair="Give each table rows and a short id of its own."
        )


def _gptable(gptables: Any, table: Table, notes: Sequence[str]) -> Any:
    """Make the sheet of a table: title, what the reader must know, and the cells."""
    references = "".join(f" [note {notes.index(note) + 1}]" for note in dict.fromkeys(table.notes))
    explained = " Some cells hold shorthand, explained below." if table.marks else ""
    noted = " Notes are on the notes worksheet." if table.notes else ""
    return gptables.GPTable(
        table=_values(table),
        table_name=f"table_{table.id.replace('-', '_')}",
        title=_plain(table.caption) + references,
        subtitles=[MADE_UP] if table.simulated else [],
        instructions=f"{_ONE_TABLE}{explained}{noted}",
        legend=[f"{mark} = {SHORTHAND[mark]}" for mark in table.marks],
        source=f"Source: {_plain(table.source)}" if table.source else None,
        index_columns={2: 0},
        additional_formatting=_formats(table),
    )


def _values(table: Table) -> pd.DataFrame:
    """Return numbers as numbers, all else as the text that is shown."""
    headings = [_plain(heading) for heading in table.headings]
    rows = [
        [_plain(c.text) if c.number is None or "unbounded" in c.text else c.number for c in row]
        for row in table.rows
    ]
    return pd.DataFrame(rows, columns=headings, dtype=object)


def _formats(table: Table) -> list[dict[str, Any]]:
    found = []
    for i, (numeric, places) in enumerate(zip(table.numeric, table.places, strict=True)):
        if numeric:
            shown = "General" if places is None else "#,##0" + ("." + "0" * places if places else "")
            style = {"num_format": shown, "align": "right"}
            found.append({"column": {"columns": [i], "format": style, "include_names": True}})
    return found


def _wide_columns(frame: pd.DataFrame) -> list[int]:
    """Return the positions of columns that gptables would make wider than a screen."""
    texts = [[str(value) for value in frame.iloc[:, i]] for i in range(frame.shape[1])]
    return [i for i, column in enumerate(texts) if max(map(len, column)) > _WIDEST]


def _notes_sheet(gptables: Any, notes: Sequence[str]) -> Any:
    frame = pd.DataFrame(
        {
            "Note number": [f"note {i}" for i in range(1, len(notes) + 1)],
            "Note text": [_plain(note) for note in notes],
        }
    )
    return gptables.GPTable(
        table=frame,
        table_name="notes_table",
        title="Notes",
        subtitles=[],
        instructions=_ONE_TABLE,
        legend=[],
        index_columns={2: 0},
        additional_formatting=[],
    )


def _cover_text(
    description: Iterable[str], contact: Iterable[str], simulated: bool
) -> dict[str, list[str] | None]:
    lines = [description] if isinstance(description, str) else list(description)
    people = [contact] if isinstance(contact, str) else list(contact)
    intro = [f"{MADE_UP} (worksheets that say so)."] if simulated else []
    intro += [_plain(line) for line in lines]
    return {
        "intro": intro or None,
        "about": [f"Made by clsimpact {__version__}."],
        "contact": [_plain(line) for line in people] or None,
    }


def _properties(title: str, simulated: bool) -> dict[str, Any]:
    return {
        "title": title,
        "author": f"clsimpact {__version__}",
        "keywords": f"{MARK}, made up" if simulated else "",
        "comments": MADE_UP if simulated else "",
        "created": _CREATED,
    }


def _plain(text: str) -> str:
    """Keep gptables from reading references and links into a text."""
    return " ".join(text.split()).replace("$$", "$ $").replace("](", "] (")
