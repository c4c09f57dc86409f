"""A minimal writer of .xlsb workbooks, for made-up files only: one sheet of texts and numbers, no formats.

One finance return is published as .xlsb, and no maintained library writes that. The records are those of
Microsoft's [MS-XLSB] (BIFF12): each is a number, a length, and its data; texts stand once, in a shared table.
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

__all__ = ["write_xlsb"]

_ROW, _REAL, _SHARED, _TEXT_ITEM = 0, 5, 7, 19
_BEGIN_SHEET, _END_SHEET, _BEGIN_BOOK, _END_BOOK = 129, 130, 131, 132
_BEGIN_SHEETS, _END_SHEETS, _BEGIN_DATA, _END_DATA = 143, 144, 145, 146
_SIZE, _SHEET, _BEGIN_TEXTS, _END_TEXTS = 148, 156, 159, 160
_CHUNK: Final = 20_000
"""Rows that are put together at a time."""
_DATE: Final = (1980, 1, 1, 0, 0, 0)
"""The archive's date, always the same: the same table gives the same bytes."""
_LONGEST: Final = 1 << 20
"""Rows of a sheet at most."""
_XML: Final = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_KIND: Final = "application/vnd.ms-excel."
_RELATED: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/"
_PARTS: Final = {
    "[Content_Types].xml": (
        f'{_XML}<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Default Extension="bin" ContentType="{_KIND}sheet.binary.macroEnabled.main"/>'
        f'<Override PartName="/xl/worksheets/sheet1.bin" ContentType="{_KIND}worksheet"/>'
        f'<Override PartName="/xl/sharedStrings.bin" ContentType="{_KIND}sharedStrings"/></Types>'
    ),
    "_rels/.rels": (
        f'{_XML}<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        f'<Relationship Id="rId1" Type="{_RELATED}officeDocument" Target="xl/workbook.bin"/></Relationships>'
    ),
    "xl/_rels/workbook.bin.rels": (
        f'{_XML}<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        f'<Relationship Id="rId1" Type="{_RELATED}worksheet" Target="worksheets/sheet1.bin"/>'
        f'<Relationship Id="rId2" Type="{_RELATED}sharedStrings" Target="sharedStrings.bin"/></Relationships>'
    ),
}


def write_xlsb(table: pd.DataFrame, path: Path, *, sheet: str, title: str) -> None:
    """Write a table as the only sheet of a workbook: a title in row 1, headings in row 2, then the rows.

    Parameters
    ----------
    table
        Columns of texts and numbers, plain or as categories. Blank texts and missing values become empty
        cells.
    path
        Where to write.
    sheet
        Name of the sheet.
    title
        What the first cell says.

    Raises
    ------
    ValueError
        If there are more rows than a sheet can hold.

    Examples
    --------
    >>> import tempfile
    >>> place = Path(tempfile.mkdtemp()) / "SIMULATED.xlsb"
    >>> write_xlsb(pd.DataFrame({"A": ["x", ""], "B": [1.5, 2.0]}), place, sheet="SIMULATED", title="Made up")
    >>> import python_calamine
    >>> python_calamine.load_workbook(place).get_sheet_by_index(0).to_python()
    [['Made up', ''], ['A', 'B'], ['x', 1.5], ['', 2.0]]
    """
    if len(table) + 2 > _LONGEST:
        raise ValueError(f"{len(table):,} rows are more than a sheet can hold ({_LONGEST - 2:,}).")
    texts: dict[str, int] = {}
    head = [[title], [str(name) for name in table.columns]]
    top = b"".join(_row(number, _cells(words, texts)) for number, words in enumerate(head))
    columns = [_column(table.iloc[:, place], place, texts) for place in range(table.shape[1])]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in _PARTS.items():
            archive.writestr(_part(name), content)
        archive.writestr(_part("xl/workbook.bin"), _book(sheet))
        with archive.open(_part("xl/worksheets/sheet1.bin"), "w", force_zip64=True) as stream:
            size = struct.pack("<4I", 0, len(table) + 1, 0, max(table.shape[1] - 1, 0))
            stream.write(_record(_BEGIN_SHEET) + _record(_SIZE, size) + _record(_BEGIN_DATA) + top)
            for start in range(0, len(table), _CHUNK):
                stream.write(_rows(columns, start, min(start + _CHUNK, len(table))))
            stream.write(_record(_END_DATA) + _record(_END_SHEET))
        archive.writestr(_part("xl/sharedStrings.bin"), b"".join(_shared(texts)))


def _part(name: str) -> zipfile.ZipInfo:
    part = zipfile.ZipInfo(name, date_time=_DATE)
    part.compress_type = zipfile.ZIP_DEFLATED
    return part


def _record(number: int, data: bytes = b"") -> bytes:
    """Return a record: its number in one or two bytes, its length in seven bits a byte, its data."""
    head = [number] if number < 128 else [number & 0x7F | 0x80, number >> 7]
    length = len(data)
    while length >= 128:
        head.append(length & 0x7F | 0x80)
        length >>= 7
    return bytes([*head, length]) + data


def _wide(text: str) -> bytes:
    coded = text.encode("utf-16-le")
    return struct.pack("<I", len(coded) // 2) + coded


def _book(sheet: str) -> bytes:
    entry = struct.pack("<2I", 0, 1) + _wide("rId1") + _wide(sheet)
    return (
        _record(_BEGIN_BOOK)
        + _record(_BEGIN_SHEETS)
        + _record(_SHEET, entry)
        + _record(_END_SHEETS)
        + _record(_END_BOOK)
    )


def _shared(texts: dict[str, int]) -> Iterator[bytes]:
    yield _record(_BEGIN_TEXTS, struct.pack("<2I", len(texts), len(texts)))
    for text in texts:
        yield _record(_TEXT_ITEM, b"\x00" + _wide(text))
    yield _record(_END_TEXTS)


def _cell(value: object, place: int, texts: dict[str, int]) -> bytes:
    """Return one cell: a reference to a shared text, a number, or nothing."""
    if isinstance(value, str):
        if not value:
            return b""
        return _record(_SHARED, struct.pack("<3I", place, 0, texts.setdefault(value, len(texts))))
    number = float(value)  # type: ignore[arg-type]  # a number, or missing
    return b"" if np.isnan(number) else _record(_REAL, struct.pack("<2Id", place, 0, number))


def _cells(words: Sequence[str], texts: dict[str, int]) -> bytes:
    return b"".join(_cell(word, place, texts) for place, word in enumerate(words))


def _column(column: pd.Series[Any], place: int, texts: dict[str, int]) -> list[bytes]:
    """Return the cells of a column; each different one is put together once."""
    codes, different = pd.factorize(column)
    cells = np.empty(len(different) + 1, dtype="object")
    cells[:] = [*(_cell(value, place, texts) for value in different), b""]
    found: list[bytes] = cells[codes].tolist()
    return found


def _row(number: int, cells: bytes) -> bytes:
    return _record(_ROW, struct.pack("<2IH3xI", number, 0, 0, 0)) + cells


def _rows(columns: Sequence[list[bytes]], start: int, stop: int) -> bytes:
    cells = zip(*(column[start:stop] for column in columns), strict=True)
    return b"".join(_row(number, b"".join(row)) for number, row in enumerate(cells, start=start + 2))
