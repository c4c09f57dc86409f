"""Why a file of the user's own cannot be read, in words that do not depend on the reader."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pandas as pd

from clsimpact._paths import path_of
from clsimpact.errors import ClsimpactError

__all__ = ["own_text", "reading_words", "why_unreadable"]

_WORKBOOKS: Final = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
"""How .xlsx and .ods, and .xls, begin."""


_TABLES: Final = (".csv", ".tsv", ".parquet", ".xls", ".xlsx", ".ods", ".sav", ".dta")


def why_unreadable(where: Path, error: Exception) -> str:
    r"""Say why a file is no CSV in UTF-8.

    Parameters
    ----------
    where
        The file.
    error
        What the reader raised.

    Returns
    -------
    str
        The reason, with the line where there is one.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "mine.csv"
    ...     _ = path.write_bytes(b"name\nCaf\xe9\n")
    ...     why_unreadable(path, ValueError())
    'line 2 holds letters that are not in UTF-8'
    """
    content = where.read_bytes()
    if content.startswith(_WORKBOOKS):
        return "it is a workbook (Excel or OpenDocument), not a CSV"
    if not content.strip():
        return "it is empty"
    if strange := _not_utf8(content):
        return strange
    found = re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", str(error))
    if isinstance(error, pd.errors.ParserError) and found:
        return f"line {found[2]} has {found[3]} cells; {found[1]} are expected, as above it"
    return "its rows and columns cannot be told apart"


def _not_utf8(content: bytes) -> str:
    """Say why bytes are no text in UTF-8, or nothing."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in content[:1000]:
        return "it is in UTF-16, which some programs call Unicode"
    try:
        content.decode("utf-8-sig")
    except UnicodeDecodeError as wrong:
        line = content.count(b"\n", 0, wrong.start) + 1
        return f"line {line} holds letters that are not in UTF-8"
    return ""


def own_text(given: object, what: str, repair: str) -> tuple[Path, str]:
    r"""Read a text file of the user's own, such as a study file.

    Parameters
    ----------
    given
        Its path, as the user gave it.
    what
        What the file should be, such as ``a study file``.
    repair
        What to do where there is no such file.

    Returns
    -------
    tuple
        The path, and the text.

    Raises
    ------
    ClsimpactError
        If there is no such file, or it is a table or in another encoding than UTF-8.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "mine.toml"
    ...     _ = path.write_bytes(b"[study]\ntitle = 'Caf\xe9'\n")
    ...     own_text(path, "a study file", "Give the path of a study file.")
    Traceback (most recent call last):
    clsimpact.errors.ClsimpactError: mine.toml is not written in UTF-8.
      - line 2 holds letters that are not in UTF-8
    Repair: Open it in an editor and save it with the encoding UTF-8.
    """
    where = path_of(given, what)
    if where.is_dir():
        raise ClsimpactError(f"{where} is a folder, not a file.", repair=repair)
    if not where.is_file():
        raise ClsimpactError(f"There is no file {where}.", repair=repair)
    content = where.read_bytes()
    if where.suffix.lower() in _TABLES or content.startswith(_WORKBOOKS):
        raise ClsimpactError(f"{where.name} is a table, not {what}.", repair=repair)
    if strange := _not_utf8(content):
        raise ClsimpactError(
            f"{where.name} is not written in UTF-8.",
            [strange],
            repair="Open it in an editor and save it with the encoding UTF-8.",
        )
    return where, content.decode("utf-8-sig")


def reading_words(known: Sequence[str]) -> str:
    """Say how to read a file whose headings stand in one, below others, or with blanks around them.

    Parameters
    ----------
    known
        The headings.

    Returns
    -------
    str
        A sentence with a blank before it, or nothing.

    Examples
    --------
    >>> reading_words(["area;year;cost"])
    " It was read as one column: read the file with sep=';'."
    """
    marks = [mark for mark in (";", "\t", "|") if len(known) == 1 and mark in known[0]]
    if marks:
        return f" It was read as one column: read the file with sep={marks[0]!r}."
    if sum(name.startswith("Unnamed:") for name in known) > 1:
        return (
            " There may be rows above the headings: read the file with skiprows=1, or as many as there are."
        )
    if any(name != name.strip() for name in known):
        return " To take out blanks: data.columns = data.columns.str.strip()."
    return ""
