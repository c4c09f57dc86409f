"""Workbooks as rows of cells with their addresses, through python-calamine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import python_calamine

from clsimpact.errors import LayoutError, SourceError
from clsimpact.loaders._book_limits import check_book

__all__ = ["Sheet", "clean", "column_letters", "open_workbook"]


_INVISIBLE: Final = dict.fromkeys(map(ord, "\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"))


def clean(cell: object) -> str:
    r"""Return a label with its white space folded and its line breaks and invisible characters removed.

    Examples
    --------
    >>> clean(" Long\u200b Term\n Support ")
    'Long Term Support'
    """
    return " ".join(str(cell).translate(_INVISIBLE).split()) if cell is not None else ""


def column_letters(index: int) -> str:
    """Return the letters of a column counted from 0.

    Examples
    --------
    >>> column_letters(0), column_letters(25), column_letters(26)
    ('A', 'Z', 'AA')
    """
    letters = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


@dataclass(frozen=True)
class Sheet:
    """One worksheet: rows of cells that start at A1."""

    file: str
    name: str
    rows: Sequence[Sequence[object]]
    merged: Sequence[tuple[tuple[int, int], tuple[int, int]]] = ()

    def address(self, row: int, column: int) -> str:
        """Return the address of a cell counted from 0, for example ``C5``."""
        return f"{column_letters(column)}{row + 1}"

    def cell(self, row: int, column: int) -> object:
        """Return what a cell counted from 0 holds; rows may be of different lengths."""
        line = self.rows[row]
        return line[column] if column < len(line) else ""

    def labels(self, row: int) -> list[str]:
        """Return a row as folded labels; none where the sheet has no such row."""
        return [clean(cell) for cell in self.rows[row]] if row < len(self.rows) else []

    def header_row(self, *wanted: str, among: int = 40) -> int:
        """Find the header by its text: the first row that holds every wanted label, whatever its case.

        Raises
        ------
        LayoutError
            If no row holds them; the message names the file, the sheet and what is lacking.
        """
        need = [label.casefold() for label in wanted]
        nearest: set[str] = set()
        for number in range(min(among, len(self.rows))):
            have = {label.casefold() for label in self.labels(number)}
            found = {label for label in need if label in have}
            if len(found) == len(need):
                return number
            nearest = max(nearest, found, key=len)
        lacking = [label for label in wanted if label.casefold() not in nearest]
        raise LayoutError(
            f"{self.file}, sheet {self.name!r}: no header row was found.",
            [f"no column is headed {label!r}" for label in lacking],
            repair="Use the publisher's file unchanged; if the layout is new, it needs an adapter.",
        )

    def column(self, header_row: int, *wanted: str) -> int:
        """Return the column whose header is one of the wanted labels, whatever its case.

        Raises
        ------
        LayoutError
            If none or several columns carry it.
        """
        names = {label.casefold() for label in wanted}
        hits = [index for index, label in enumerate(self.labels(header_row)) if label.casefold() in names]
        if len(hits) != 1:
            raise LayoutError(
                f"{self.file}, sheet {self.name!r}, row {header_row + 1}: "
                f"{len(hits)} columns are headed {wanted[0]!r}.",
                repair="Use the publisher's file unchanged.",
            )
        return hits[0]


def open_workbook(path: Path, wanted: Callable[[str], bool] = lambda _: True) -> Iterator[Sheet]:
    """Yield the worksheets of an xls, xlsx, xlsb or ods file.

    Parameters
    ----------
    path
        The workbook.
    wanted
        Which sheets to read, by name.

    Yields
    ------
    Sheet
        Each wanted sheet, in the order of the workbook.

    Raises
    ------
    SourceError
        If the file is truncated, is no workbook, or would take too much memory to open.
    """
    check_book(path)
    try:
        workbook = python_calamine.CalamineWorkbook.from_path(path)
        for name in workbook.sheet_names:
            if wanted(name):
                sheet = workbook.get_sheet_by_name(name)
                rows = sheet.to_python(skip_empty_area=False)
                yield Sheet(path.name, name, rows, sheet.merged_cell_ranges or ())
    except BaseException as error:
        # A few truncated xls files make the reader's Rust code panic, which is no Exception.
        panic = type(error).__name__ == "PanicException"
        ours = isinstance(error, SourceError | LayoutError)
        if ours or not (panic or isinstance(error, python_calamine.CalamineError | OSError | ValueError)):
            raise
        raise SourceError(
            f"{path.name} cannot be opened as a workbook: it is truncated or of another kind.",
            [str(error)],
            repair="Download the file again and compare its SHA-256 with data/raw/manifest.toml.",
        ) from error
