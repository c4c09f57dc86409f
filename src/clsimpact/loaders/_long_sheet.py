"""A long file that is published as a workbook: one sheet of half a million rows, read as text categories."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import python_calamine
from numpy.typing import NDArray

from clsimpact.errors import LayoutError, SourceError
from clsimpact.loaders.csvs import fold_heading
from clsimpact.loaders.manifest import Source

__all__ = ["read_long_sheet"]

_HEADING: Final = "itemvalue"
"""The folded heading by which the header row is found."""
_AMONG: Final = 20
"""The header is looked for in so many rows: marks and titles may stand above it."""
_CHUNK: Final = 20_000
_REPAIR: Final = "Download the file again and compare its SHA-256 with data/raw/manifest.toml."


def read_long_sheet(path: Path, source: Source) -> pd.DataFrame:  # noqa: ARG001 - one door with read_categories
    """Read the first sheet that has the heading of a value column.

    Parameters
    ----------
    path
        The workbook (xlsb, xlsx, ods).
    source
        Its manifest record.

    Returns
    -------
    pandas.DataFrame
        The rows below the header as text categories; a row with index ``i`` stands in row ``i + 2`` of the
        sheet, as in a CSV.

    Raises
    ------
    SourceError
        If the file is no workbook or is truncated.
    LayoutError
        If no sheet has the heading, or there is nothing below it.
    """
    try:
        workbook = python_calamine.CalamineWorkbook.from_path(path)
        for name in workbook.sheet_names:
            table = _read_sheet(workbook.get_sheet_by_name(name))
            if table is not None:
                return table
    except BaseException as error:
        panic = type(error).__name__ == "PanicException"  # of the reader's Rust code: no Exception
        if not (panic or isinstance(error, python_calamine.CalamineError | OSError | ValueError)):
            raise
        raise SourceError(
            f"{path.name} cannot be opened as a workbook: it is truncated or of another kind.",
            [str(error)],
            repair=_REPAIR,
        ) from error
    raise LayoutError(
        f"{path.name}: no sheet has a column ITEMVALUE with rows below it.",
        [f"sheets: {', '.join(workbook.sheet_names)}"],
        repair="Use the publisher's file unchanged.",
    )


def _read_sheet(sheet: python_calamine.CalamineSheet) -> pd.DataFrame | None:
    """Return the rows below the header, or nothing if the sheet has none."""
    rows = iter(sheet.iter_rows())
    for above, row in enumerate(islice(rows, _AMONG)):  # noqa: B007 - used below
        if _HEADING in {fold_heading(cell) for cell in row}:
            header = [_text(cell) for cell in row]
            break
    else:
        return None
    columns = [_Column() for _ in header]
    for chunk in _chunks(rows):
        for column, cells in zip(columns, zip(*chunk, strict=True), strict=True):
            column.add(cells)
    table = pd.DataFrame({place: column.finish() for place, column in enumerate(columns)})
    if table.empty:
        return None
    table.columns = pd.Index(header, dtype="object")
    return table.set_axis(pd.RangeIndex(above, above + len(table)), axis=0)


def _chunks(rows: Iterator[list[Any]]) -> Iterator[list[list[Any]]]:
    while chunk := list(islice(rows, _CHUNK)):
        yield chunk


def _text(cell: object) -> str:
    """Return a cell as the text that a CSV would hold."""
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() else repr(cell)
    return str(cell)


class _Column:
    """The cells of one column, as numbers of its different texts."""

    def __init__(self) -> None:
        self.places: dict[object, int] = {}
        self.codes: list[NDArray[np.int32]] = []

    def add(self, cells: Sequence[object]) -> None:
        places = self.places
        self.codes.append(
            np.fromiter((places.setdefault(cell, len(places)) for cell in cells), np.int32, len(cells))
        )

    def finish(self) -> pd.Categorical:
        """Return the column as categories; a number and its text are one."""
        texts, kept = np.unique(
            np.array([_text(cell) for cell in self.places], dtype="object"), return_inverse=True
        )
        codes = np.concatenate([np.empty(0, np.int32), *self.codes])
        return pd.Categorical.from_codes(kept[codes], categories=pd.Index(texts, dtype="object"))
