"""Unpacking a zip archive that somebody else made, with limits and never outside one folder."""

from __future__ import annotations

import contextlib
import lzma
import re
import stat
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from clsimpact._printable import printable
from clsimpact.errors import SourceError

__all__ = ["MAX_BYTES", "MAX_FILES", "MAX_RATIO", "unpack"]

MAX_BYTES: Final = 2 * 1024**3
"""All members together, unpacked: four times what the largest publication holds."""
MAX_FILES: Final = 200
"""A publication has a handful of files."""
MAX_RATIO: Final = 200.0
"""Unpacked over packed size. CSVs of returns pack to a twentieth or a fiftieth; deflate cannot do better than
1,032."""

_BROKEN: Final = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    UnicodeDecodeError,  # names that are not in the encoding that the archive declares
    NotImplementedError,  # a way of packing that this Python does not have
)
"""What Python raises for an archive that is broken or of another kind."""

_RATIO_FREE: Final = 1024**2
"""Members up to this size may have any ratio: they can do no harm."""
_CHUNK: Final = 1024**2
_ENCRYPTED: Final = 0x1
_DEVICE: Final = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)\s*(\..*)?", re.IGNORECASE)
_REPAIR: Final = "Download the archive again from its publisher, or unpack it by hand if you trust it."


def unpack(
    archive: Path,
    folder: Path,
    *,
    max_bytes: int = MAX_BYTES,
    max_files: int = MAX_FILES,
    max_ratio: float = MAX_RATIO,
) -> list[Path]:
    """Unpack a zip archive into a folder, or refuse it and leave the folder as it was.

    Parameters
    ----------
    archive
        The archive.
    folder
        Where to write; it is made if it does not exist. Nothing is ever written outside it, and no file that
        is there is overwritten.
    max_bytes
        How much all members may hold together, as really unpacked, whatever the archive declares.
    max_files
        How many members there may be.
    max_ratio
        How many times larger than packed a member of more than 1 MiB may become.

    Returns
    -------
    list of pathlib.Path
        The files written, in the order of the archive.

    Raises
    ------
    SourceError
        If the file is no zip archive or a broken one; if a member has an absolute path, ``..``, a drive
        letter, a backslash or a control character in its name, is a link or device, encrypted, or stands
        twice (case and accents do not tell names apart); if there are too many members, too much data or an
        absurd ratio; or if a file of that name is there already. All that its directory shows is listed.

    Examples
    --------
    >>> unpack(Path("absent.zip"), Path("."))
    Traceback (most recent call last):
    clsimpact.errors.SourceError: absent.zip cannot be unpacked into ....
    ...
    """
    try:
        return _extract(archive, folder, max_bytes, max_files, max_ratio)
    except _BROKEN as error:
        raise SourceError(
            f"{archive.name} is no zip archive, or a broken one.", [str(error)], repair=_REPAIR
        ) from error
    except OSError as error:
        raise SourceError(
            f"{archive.name} cannot be unpacked into {folder}.",
            [str(error)],
            repair="Check that the archive is there, the folder can be written, and the disk has room.",
        ) from error


def _extract(archive: Path, folder: Path, max_bytes: int, max_files: int, max_ratio: float) -> list[Path]:
    """Write every member, or take back what was written and raise."""
    written: list[Path] = []
    made: list[Path] = []
    try:
        with zipfile.ZipFile(archive) as opened:
            members = opened.infolist()
            _refuse(archive, [*_too_large(members, max_bytes, max_files), *_bad_members(members)])
            _make(folder, made)
            left = max_bytes
            for member in members:
                target = folder / member.filename
                _refuse(archive, _escapes(member, target, folder))
                _make(target if _is_folder(member) else target.parent, made)
                if not _is_folder(member):
                    left -= _write(opened, member, target, written, archive, left=left, max_ratio=max_ratio)
    except BaseException:
        _remove(written, made)
        raise
    return written


def _refuse(archive: Path, problems: Iterator[str] | Sequence[str]) -> None:
    found = list(problems)
    if found:
        raise SourceError(f"{archive.name} is not unpacked.", found[:20], repair=_REPAIR)


def _too_large(members: Sequence[zipfile.ZipInfo], max_bytes: int, max_files: int) -> Iterator[str]:
    if len(members) > max_files:
        yield f"it has {len(members)} members; the limit is {max_files}"
    declared = sum(member.file_size for member in members)
    if declared > max_bytes:
        yield f"its members hold {declared:,} bytes; the limit is {max_bytes:,}"


def _bad_members(members: Sequence[zipfile.ZipInfo]) -> Iterator[str]:
    """Yield what the directory of the archive shows to be wrong, member by member."""
    seen: dict[str, str] = {}
    files = {_fold(member.filename) for member in members if not _is_folder(member)}
    for member in members:
        name = member.orig_filename
        yield from (f"{name!r} {problem}" for problem in _bad_name(name))
        kind = stat.S_IFMT(member.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            yield f"{name!r} is {'a symbolic link' if kind == stat.S_IFLNK else 'no file'}"
        if member.flag_bits & _ENCRYPTED:
            yield f"{name!r} is encrypted"
        folded = _fold(name)
        if folded in seen:
            yield f"{name!r} stands twice" + (f" (also as {seen[folded]!r})" if seen[folded] != name else "")
        seen.setdefault(folded, name)
        parents = [str(parent) for parent in Path(folded).parents]
        if files.intersection(parents):
            yield f"{name!r} lies below a file"


def _is_folder(member: zipfile.ZipInfo) -> bool:
    return member.filename.endswith("/")  # zipfile's own test fails for a name that is empty


def _bad_name(name: str) -> Iterator[str]:
    if name.startswith("/"):
        yield "has an absolute path"
    if ".." in re.split(r"[/\\]", name):
        yield "leads out of the folder"
    if re.match(r"[A-Za-z]:", name):
        yield "has a drive letter"
    elif ":" in name:
        yield "has a colon in its name"  # another stream of a file, on Windows
    if "\\" in name:
        yield "has a backslash in its name"
    if any(_DEVICE.fullmatch(part) for part in name.split("/")):
        yield "has the name of a device of Windows"
    if not name.strip("/. ") or printable(name) != name or re.search(r"[\t\r\n]", name):
        yield "has no proper name"


def _fold(name: str) -> str:
    """Fold what some file systems do not tell apart: case and the ways to write an accent."""
    return unicodedata.normalize("NFC", name).casefold().rstrip("/")


def _escapes(member: zipfile.ZipInfo, target: Path, folder: Path) -> Iterator[str]:
    """Yield a problem if a link inside the folder would lead a member out of it."""
    if not target.resolve().is_relative_to(folder.resolve()):
        yield f"{member.filename!r} leads out of the folder"
    elif target.is_file() or (target.exists() and not _is_folder(member)):
        yield f"{member.filename!r} is there already"


def _make(folder: Path, made: list[Path]) -> None:
    """Make a folder and those above it, and remember which are new."""
    for part in [*reversed(folder.parents), folder]:
        if not part.exists():
            part.mkdir()
            made.append(part)


def _write(
    opened: zipfile.ZipFile,
    member: zipfile.ZipInfo,
    target: Path,
    written: list[Path],
    archive: Path,
    *,
    left: int,
    max_ratio: float,
) -> int:
    """Write one member and return its size; what counts is what comes out, not what is declared."""
    size = 0
    with opened.open(member) as packed, target.open("xb") as plain:
        written.append(target)
        while chunk := packed.read(_CHUNK):
            size += len(chunk)
            if size > left:
                _refuse(archive, [f"{member.filename!r} makes it larger than the limit"])
            if size > _RATIO_FREE and size > max_ratio * max(member.compress_size, 1):
                _refuse(
                    archive, [f"{member.filename!r} becomes more than {max_ratio:g} times its packed size"]
                )
            plain.write(chunk)
    return size


def _remove(written: Sequence[Path], made: Sequence[Path]) -> None:
    """Take back what was written."""
    for path in written:
        path.unlink(missing_ok=True)
    for path in reversed(made):
        with contextlib.suppress(OSError):  # somebody else has put a file there meanwhile
            path.rmdir()
