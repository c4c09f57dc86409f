"""Whether a body is what its name says: a page, half a file or an archive without an end is refused."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Final

from clsimpact.fetch._policy import MEBIBYTE, RefusedError
from clsimpact.loaders._archive import MAX_BYTES, MAX_FILES, MAX_RATIO
from clsimpact.loaders.manifest import Source

__all__ = ["check_content"]

_MAX_PARTS: Final = 2000
"""Parts of a workbook, which has several a sheet; a pack of CSVs has the limit of its reader."""

_SMALL: Final = MEBIBYTE
_HEAD: Final = 4096
_ZIPS: Final[dict[str, str]] = {
    ".xlsx": "[Content_Types].xml",
    ".xlsb": "[Content_Types].xml",
    ".ods": "content.xml",
    ".zip": "",
}
"""Files that are archives, and what each must hold."""

_OLD_WORKBOOK: Final = b"\xd0\xcf\x11\xe0"
_WIDE: Final = "utf-16"


def check_content(path: Path, source: Source, *, bounded: bool = True) -> None:
    """Refuse a file that is not what its name says.

    Parameters
    ----------
    path
        The file, under whatever name.
    source
        What it should be.
    bounded
        Whether the server announced where the body ends. If not, half a CSV cannot be told from a whole one.

    Raises
    ------
    RefusedError
        If it is empty, a page, cut off, or an archive beyond the limits.
    """
    with path.open("rb") as stream:
        head = stream.read(_HEAD)
    if not head:
        raise RefusedError("The body is empty.")
    kind = Path(source.file).suffix.lower()
    text = head.replace(b"\x00", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")
    if text.startswith(b"<"):
        raise RefusedError(f"A web page came in place of the {kind} file.")
    if kind in _ZIPS:
        _check_archive(path, kind)
    elif kind == ".xls":
        if not head.startswith(_OLD_WORKBOOK):
            raise RefusedError("The body is no .xls workbook.")
    else:
        _check_text(path, head, text, source)
        if not bounded and not source.sha256:
            raise RefusedError(
                "The server did not say where the file ends, so that half of it could pass for the whole."
            )


def _check_text(path: Path, head: bytes, text: bytes, source: Source) -> None:
    kind = Path(source.file).suffix.lower()
    if head.startswith((b"PK\x03\x04", _OLD_WORKBOOK)):
        raise RefusedError(f"A workbook or an archive came in place of the {kind} file.")
    if text.startswith((b"{", b"[")) or not any(mark in text for mark in (b",", b";", b"\t")):
        raise RefusedError(f"The body is no {kind} file: it begins {text[:60].decode('utf-8', 'replace')!r}.")
    if source.encoding.lower().startswith(_WIDE):
        return
    with path.open("rb") as stream:
        while chunk := stream.read(MEBIBYTE):
            if b"\x00" in chunk:
                raise RefusedError("The body holds zero bytes, as a damaged file does.")


def _check_archive(path: Path, kind: str) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            _check_limits(archive, kind)
            damaged = archive.testzip()
    except (zipfile.BadZipFile, EOFError, zlib.error, NotImplementedError, RuntimeError) as error:
        raise RefusedError(
            f"The {kind} file is cut off or damaged: its list of contents or a part cannot be read."
        ) from error
    if damaged is not None:
        raise RefusedError(f"The {kind} file is damaged: the check sum of {damaged!r} is wrong.")


def _check_limits(archive: zipfile.ZipFile, kind: str) -> None:
    """Compare the sizes that the archive states; reading takes no more of an entry than it states."""
    parts = archive.infolist()
    unpacked = sum(part.file_size for part in parts)
    if not parts or (_ZIPS[kind] and _ZIPS[kind] not in archive.namelist()):
        raise RefusedError(f"The archive is no {kind} file: it lacks {_ZIPS[kind] or 'any content'}.")
    allowed = MAX_FILES if kind == ".zip" else _MAX_PARTS
    if len(parts) > allowed:
        raise RefusedError(f"The archive holds {len(parts):,} files; {allowed:,} are allowed.")
    if unpacked > MAX_BYTES:
        raise RefusedError(
            f"The archive would unpack to {unpacked:,} bytes; {MAX_BYTES // MEBIBYTE:,} MiB are allowed."
        )
    for part in parts:
        if part.file_size > max(_SMALL, MAX_RATIO * part.compress_size):
            raise RefusedError(
                f"{part.filename!r} would unpack to more than {MAX_RATIO:g} times its size, "
                "as no table of figures does."
            )
