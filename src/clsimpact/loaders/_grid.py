"""Reading figures off a sheet: each printed cell once, all that is wrong reported together."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from clsimpact.errors import LayoutError, SourceError, did_you_mean
from clsimpact.loaders.manifest import Source, sha256_of
from clsimpact.loaders.sheets import Sheet
from clsimpact.loaders.values import read_figure

__all__ = ["block", "check_headers", "check_single", "open_csv", "raise_problems", "read_cells"]

_MOST_PROBLEMS = 40
_UNCHANGED = "Use the publisher's file unchanged; if the layout is new, it needs an adapter."


def raise_problems(sheet: Sheet, problems: Sequence[str], what: str = "the sheet was not read") -> None:
    """Raise one LayoutError that lists every problem of a sheet, if there is any.

    Raises
    ------
    LayoutError
        If ``problems`` is not empty; after the first forty only their number is given.
    """
    if problems:
        shown = list(problems[:_MOST_PROBLEMS])
        if len(problems) > _MOST_PROBLEMS:
            shown.append(f"and {len(problems) - _MOST_PROBLEMS} more")
        raise LayoutError(f"{sheet.file}, sheet {sheet.name!r}: {what}.", shown, repair=_UNCHANGED)


def open_csv(path: Path, source: Source) -> Sheet:
    """Read a CSV file as a sheet, so that its cells have the addresses that a spreadsheet would show.

    Parameters
    ----------
    path
        The file; the sheet is named after its stem.
    source
        Its manifest record, which says how it is encoded.

    Raises
    ------
    SourceError
        If the file cannot be read in that encoding, is empty, or ends inside a quoted cell.
    LayoutError
        If its rows do not all have the same number of cells or its last line does not end, as in a
        truncated file.
    """
    try:
        text = path.read_text(encoding=source.encoding)
        rows = list(csv.reader(io.StringIO(text), strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SourceError(
            f"{path.name} cannot be read as a CSV file in {source.encoding}.",
            [str(error)],
            repair="Download the file again and compare its SHA-256 with data/raw/manifest.toml.",
        ) from error
    if rows and not text.endswith("\n") and sha256_of(path) != source.sha256:
        cut = Sheet(path.name, path.stem, rows)
        raise_problems(cut, [f"row {len(rows)}: the last line does not end"], "the file is truncated")
    if not rows:
        raise SourceError(f"{path.name} is empty.", repair="Download the file again.")
    sheet = Sheet(path.name, path.stem, rows)
    width = len(rows[0])
    ragged = [f"row {n}: {len(row)} cells, not {width}" for n, row in enumerate(rows, 1) if len(row) != width]
    raise_problems(sheet, ragged, "the file is truncated or has been edited")
    return sheet


def check_headers(sheet: Sheet, row: int, known: Sequence[str]) -> list[int]:
    """Return the column of each known header, after checking that there are exactly these columns.

    Parameters
    ----------
    sheet, row
        The sheet, and its header row counted from 0.
    known
        Every header that the layout has; case and white space do not matter.

    Raises
    ------
    LayoutError
        If a header is unknown, lacking or printed twice.
    """
    labels = sheet.labels(row)
    printed = [label.casefold() for label in labels]
    names = {label.casefold(): label for label in known}
    problems = [
        f"cell {sheet.address(row, column)}: unknown header {labels[column]!r}"
        + did_you_mean(labels[column], list(known))
        for column, label in enumerate(printed)
        if label and label not in names
    ]
    for folded, label in names.items():
        if printed.count(folded) != 1:
            problems.append(f"row {row + 1}: {printed.count(folded)} columns are headed {label!r}")
    raise_problems(sheet, problems, "its headers are not those of its layout")
    return [printed.index(label.casefold()) for label in known]


def block(sheet: Sheet, rows: Iterable[int], columns: Sequence[int]) -> list[tuple[int, int, object]]:
    """Return the cells where the rows and columns meet, row by row."""
    return [(row, column, sheet.rows[row][column]) for row in rows for column in columns]


def read_cells(
    sheet: Sheet, cells: Iterable[tuple[int, int, object]], source: Source, *, blanks: bool = False
) -> pd.DataFrame:
    """Read printed cells.

    Parameters
    ----------
    sheet
        Where they stand.
    cells
        Row, column (both counted from 0) and content. A cell that prints two figures may be given twice.
    source
        The manifest record, whose ``markers`` say what the shorthand stands for.
    blanks
        Whether blank cells are layout, to be passed over; otherwise they are errors.

    Returns
    -------
    pandas.DataFrame
        One row per figure: ``row``, ``column``, ``position`` (in ``cells``), ``table``, ``cell``,
        ``value``, ``status``, ``marker``.

    Raises
    ------
    LayoutError
        If a cell holds neither a number nor known shorthand; every such cell is listed.
    """
    found: list[tuple[int, int, int, str, float | None, str, str | None]] = []
    problems: list[str] = []
    for position, (row, column, content) in enumerate(cells):
        try:
            figure = read_figure(content, source.markers)
        except ValueError as error:
            problems.append(f"cell {sheet.address(row, column)}: {error}")
            continue
        if figure is not None:
            found.append((row, column, position, sheet.address(row, column), *figure))
        elif not blanks:
            problems.append(f"cell {sheet.address(row, column)}: blank where a figure is expected")
    raise_problems(sheet, problems, f"{len(problems)} cells cannot be read")
    frame = pd.DataFrame(found, columns=["row", "column", "position", "cell", "value", "status", "marker"])
    return frame.assign(table=sheet.name, value=frame["value"].astype("float64"))


def check_single(sheet: Sheet, table: pd.DataFrame, keys: Sequence[str]) -> None:
    """Refuse a sheet that lists a figure twice: there would be no telling which is right.

    Parameters
    ----------
    sheet
        Where the figures stand.
    table
        The figures, with ``cell``, ``measure`` and ``name``.
    keys
        The columns that together say what a figure is.

    Raises
    ------
    LayoutError
        If two figures agree in all of them; all such cells are listed.
    """
    twice = table[table.duplicated(list(keys), keep=False)]
    problems = [
        f"cell {row.cell}: {row.measure} of {row.name}{_when(row)} is listed twice"
        for row in twice.itertuples(index=False)
    ]
    raise_problems(sheet, problems, "figures are listed twice")


def _when(row: Any) -> str:
    return f" in {row.year}" if hasattr(row, "year") else ""
