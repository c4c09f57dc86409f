"""``fetched.toml``: the fingerprint of every file that was fetched or found, checked ever after."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from clsimpact._toml import parse_toml
from clsimpact.errors import SourceError
from clsimpact.store import write_bytes

__all__ = ["LOCK", "Entry", "read_lock", "record"]

LOCK: Final = "fetched.toml"
"""Name of the lock file in the raw folder."""

_HEAD: Final = """\
# What was fetched into this folder, or found in it.
# `clsimpact fetch` wrote it, and refuses a file that differs from its record here: keep it beside the files.
"""
_FINGERPRINT: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Entry:
    """One file of the lock.

    Attributes
    ----------
    file
        Where it lies below the raw folder.
    sha256, bytes
        Its fingerprint and size.
    address
        Where it came from; empty if it was found in place.
    date
        When it was recorded (ISO 8601).
    origin
        ``fetched`` or ``found in place``.
    accepted
        Whether it was accepted although it differs from what was known before.
    """

    file: str
    sha256: str
    bytes: int
    address: str
    date: str
    origin: str
    accepted: bool = False


def read_lock(folder: Path) -> dict[str, Entry]:
    """Read the lock of a folder.

    Parameters
    ----------
    folder
        The raw folder.

    Returns
    -------
    dict
        Source id to its record; empty if the folder has no lock.

    Raises
    ------
    SourceError
        If the lock cannot be read: nothing is fetched on a guess.

    Examples
    --------
    >>> read_lock(Path("no such folder"))
    {}
    """
    path = folder / LOCK
    try:
        records = parse_toml(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _unreadable(path, [str(error)]) from error
    entries: dict[str, Entry] = {}
    problems: list[str] = []
    for name, values in records.items():
        try:
            entries[name] = Entry(**values)
        except TypeError as error:
            problems.append(f"[{name}]: {error}")
            continue
        if not _FINGERPRINT.fullmatch(str(entries[name].sha256)):
            problems.append(f"[{name}]: its sha256 is not 64 hexadecimal digits")
    if problems:
        raise _unreadable(path, problems)
    return entries


def _unreadable(path: Path, problems: list[str]) -> SourceError:
    return SourceError(
        f"{path} cannot be read.",
        problems,
        repair="Correct it, or move it away: then the files that are there are recorded anew.",
    )


def record(folder: Path, name: str, entry: Entry) -> None:
    """Put one record into the lock of a folder, whole or not at all.

    Parameters
    ----------
    folder
        The raw folder.
    name
        Id of the source.
    entry
        Its record; an earlier one is replaced.
    """
    entries = read_lock(folder) | {name: entry}
    blocks = [
        "\n".join(
            [f"[{_text(key)}]", *(f"{field} = {_text(value)}" for field, value in asdict(known).items())]
        )
        for key, known in sorted(entries.items())
    ]
    write_bytes(folder / LOCK, ("\n\n".join([_HEAD.rstrip(), *blocks]) + "\n").encode("utf-8"))


def _text(value: str | int) -> str:
    """Write a TOML value; JSON text is TOML text once DEL is escaped too."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
