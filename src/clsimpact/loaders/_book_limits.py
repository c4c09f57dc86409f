"""What a workbook may hold before it is opened: a few kilobytes can ask for terabytes.

The reader (calamine) makes room for every cell between the first and the last of a sheet, and repeats cells
and texts as often as the file says. A lone cell in the last row and column of an .xlsx, or one repeated row
of an .ods, asks for more memory than there is, and then the process is killed without an error. So the
parts of the archive are looked through first: their size and checksums, document types, the extent of sheets,
repeats.
"""

from __future__ import annotations

import re
import xml.parsers.expat
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from clsimpact.errors import SourceError

__all__ = ["MAX_BYTES", "MAX_CELLS", "MAX_PARTS", "MAX_TEXT", "check_book"]

MAX_BYTES: Final = 256 * 1024**2
"""All parts together, unpacked: nine times what the largest publication holds."""
MAX_PARTS: Final = 2_000
"""Parts of the archive; the largest publication has 268."""
MAX_CELLS: Final = 8_000_000
"""Rows times columns of a sheet: a finance return with one row a figure has about 6.5 million."""
MAX_TEXT: Final = 128 * 1024**2
"""Bytes of text in the cells of a sheet, each counted as often as it stands there."""

_PLACE: Final = re.compile(rb'\br="([A-Z]{1,9})([0-9]{1,12})"')
_SHARED: Final = re.compile(rb'\bt="s"[^>]*>\s*<(?:\w+:)?v>([0-9]{1,9})<')
_ANNOUNCED: Final = re.compile(rb'\b(?:uniqueCount|count)="([0-9]+)"')
_BINARY_TEXTS: Final = b"\x9f\x01\x08"
"""How the shared texts of an .xlsb begin: record 159 with eight bytes, the number of uses and of texts."""
_ITEM: Final = re.compile(rb"</(?:\w+:)?si>")
_HEAD: Final = 4096
"""Bytes within which a part says what it is."""
_BROKEN: Final = (
    *(zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, UnicodeDecodeError),
    *(OSError, xml.parsers.expat.ExpatError, IndexError, ValueError, OverflowError),
)
"""What Python raises for an archive that is broken, locked or of another kind, or for a broken part of it."""


def check_book(path: Path) -> None:
    """Refuse a workbook that cannot be what it seems, or that would take too much memory to open.

    Parameters
    ----------
    path
        The workbook. Old Excel files (xls) are no archives, cannot hold more than 65,536 rows of 256 cells,
        and pass.

    Raises
    ------
    SourceError
        If the archive or the checksum of a part is broken, a part stands twice or declares a document type,
        or a limit is exceeded; all of it is listed.
    """
    try:
        with path.open("rb") as stream:
            if stream.read(2) != b"PK":
                return
        problems = list(_problems(path))
    except SourceError:
        raise
    except _BROKEN as error:
        raise SourceError(
            f"{path.name} cannot be opened as a workbook: it is truncated or of another kind.",
            [str(error) or type(error).__name__],
            repair="Download the file again and compare its SHA-256 with data/raw/manifest.toml.",
        ) from error
    if problems:
        raise SourceError(
            f"{path.name} is not opened: it is damaged, or made to take all memory.",
            problems,
            repair="Use the publisher's file unchanged; in one of your own, delete cells far from the table.",
        )


def _problems(path: Path) -> Iterator[str]:
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        if len(names) > MAX_PARTS:
            yield f"it has {len(names):,} parts; the limit is {MAX_PARTS:,}"
            return
        yield from (f"the part {name!r} stands twice" for name, n in Counter(names).items() if n > 1)
        parts = {}
        left = MAX_BYTES
        for name in names:
            with archive.open(name) as stream:
                parts[name] = stream.read(left + 1)  # to its end, where the checksum is compared
            left -= len(parts[name])
            if left < 0:
                yield f"its parts hold more than {MAX_BYTES:,} bytes"
                return
    texts = _text_lengths(parts)
    for name, part in parts.items():
        yield from (f"{name}: {problem}" for problem in _wrong(name, part, texts))


def _wrong(name: str, part: bytes, texts: NDArray[np.int64]) -> Iterator[str]:
    """Yield what is wrong with one part."""
    if name.endswith((".xml", ".rels")) and (b"<!DOCTYPE" in part or b"<!ENTITY" in part):
        yield "it declares a document type, which no publication does"
        return
    texts_announced = _announced(name, part)
    if texts_announced > MAX_CELLS:
        yield f"it announces {texts_announced:,} texts; the limit is {MAX_CELLS:,}"
    sheet = "/worksheets/" in name
    rows, columns, length = 0, 0, 0
    if sheet and name.endswith(".xml"):
        rows, columns = _extent(part)
        length = _text_of(part, texts)
    elif sheet and name.endswith(".bin"):
        rows, columns = _binary_extent(part)
    elif name == "content.xml":
        rows, columns = _Repeats().extent(part)
    if rows * columns > MAX_CELLS:
        yield f"its cells reach to row {rows:,} and column {columns:,}; the limit is {MAX_CELLS:,} cells"
    if length > MAX_TEXT:
        yield f"its cells repeat texts of {length:,} bytes; the limit is {MAX_TEXT:,}"


def _announced(name: str, part: bytes) -> int:
    """Return how many shared texts a part says it has: the reader makes room for them before it reads one."""
    if name.endswith("sharedStrings.xml"):
        return max(map(int, _ANNOUNCED.findall(part[:_HEAD])), default=0)
    if name.endswith("sharedStrings.bin") and part.startswith(_BINARY_TEXTS):
        return max(int.from_bytes(part[at : at + 4], "little") for at in (3, 7))
    return 0


def _extent(part: bytes) -> tuple[int, int]:
    """Return the last row and column of an .xlsx sheet."""
    places = set(_PLACE.findall(part))
    letters = {column for column, _ in places}
    return max((int(row) for _, row in places), default=0), max(map(_number, letters), default=0)


def _number(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number


def _text_lengths(parts: dict[str, bytes]) -> NDArray[np.int64]:
    """Return the length of every shared text of an .xlsx, with its markup."""
    shared = next((part for name, part in parts.items() if name.endswith("sharedStrings.xml")), b"")
    ends = [found.end() for found in _ITEM.finditer(shared)]
    starts = np.array([0, *ends], dtype=np.int64)
    lengths: NDArray[np.int64] = starts[1:] - starts[:-1]
    return lengths


def _text_of(part: bytes, texts: NDArray[np.int64]) -> int:
    """Return the length of all texts of a sheet; an unknown text is the reader's business."""
    used = np.array([int(number) for number in _SHARED.findall(part)], dtype=np.int64)
    return int(texts[used[used < len(texts)]].sum())


def _binary_extent(part: bytes) -> tuple[int, int]:
    """Return the last row and column of an .xlsb sheet: records of kind 0 are rows, of 1 to 11 cells."""
    place, rows, columns, end = 0, 0, 0, len(part)
    while place < end:
        kind = part[place]
        place += 1
        if kind & 0x80:
            kind = kind & 0x7F | (part[place] & 0x7F) << 7
            place += 1
        size = part[place]
        place += 1
        if size & 0x80:
            size, shift, more = size & 0x7F, 7, 0x80
            while more & 0x80 and shift < 28:
                more = part[place]
                size |= (more & 0x7F) << shift
                place, shift = place + 1, shift + 7
        if kind == 0:
            rows = max(rows, int.from_bytes(part[place : place + 4], "little") + 1)
        elif kind <= 11:
            columns = max(columns, int.from_bytes(part[place : place + 4], "little") + 1)
        place += size
    return rows, columns


class _Repeats:
    """The rows and columns of an .ods document, with repeats that hold something."""

    def __init__(self) -> None:
        self._most = (0, 0)
        self._rows = self._row_times = self._columns = self._filled = self._widest = 0

    def extent(self, part: bytes) -> tuple[int, int]:
        """Return rows and columns of the largest table."""
        parser = xml.parsers.expat.ParserCreate(namespace_separator=" ")
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.Parse(part, True)
        return self._most

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        name = tag.rpartition(" ")[2]
        if name == "table":
            self._rows = self._widest = 0
        elif name == "table-row":
            self._row_times, self._columns, self._filled = _times(attributes, "rows"), 0, 0
        elif name in ("table-cell", "covered-table-cell"):
            self._columns += _times(attributes, "columns")
            # A cell that says only how it looks is layout: programs repeat it to the last column.
            if any(not key.endswith((" style-name", "-repeated")) for key in attributes):
                self._filled = self._columns

    def _end(self, tag: str) -> None:
        name = tag.rpartition(" ")[2]
        if name == "table-row":
            self._rows += self._row_times if self._filled else min(self._row_times, 1)
            self._widest = max(self._widest, self._filled)
        elif name == "table":
            self._most = max(self._most, (self._rows, self._widest), key=lambda it: it[0] * it[1])


def _times(attributes: dict[str, str], what: str) -> int:
    ending = f" number-{what}-repeated"
    return max([int(value) for key, value in attributes.items() if key.endswith(ending)], default=1)
