"""Text that a spreadsheet would take for a formula, made harmless before it is written as CSV."""

from __future__ import annotations

import re
from typing import Any, Final

import pandas as pd

__all__ = ["harmless", "harmless_text"]

_FORMULA: Final = re.compile(r"^[\s\x00-\x1f\ufeff\u200b-\u200f\u2060]*[=+\-@\uff1d\uff0b\uff0d\uff20\t\r]")
"""How text begins that spreadsheets compute (OWASP, CSV injection), wide marks and unseen characters too."""
_NUMBER: Final = re.compile(r"[-+]?(?:\d[\d,]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?%?")
_MARK: Final = re.compile(r"[-+@=.]")


def harmless_text(text: str) -> str:
    """Return text with an apostrophe before it if a spreadsheet would compute it, and other text as it is.

    Numbers and single marks stay.

    Examples
    --------
    >>> print(harmless_text("=1+1"), harmless_text("-1.5"), harmless_text("-"), harmless_text("Leeds"))
    '=1+1 -1.5 - Leeds
    """
    if not _FORMULA.match(text) or _NUMBER.fullmatch(text.strip()) or _MARK.fullmatch(text.strip()):
        return text
    return f"'{text}"


def harmless(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table of which no text, and no heading, is a formula to a spreadsheet.

    Examples
    --------
    >>> harmless(pd.DataFrame({"=a": ["@b", "c"], "n": [-1, 1]})).to_csv(index=False).splitlines()
    ["'=a,n", "'@b,-1", 'c,1']
    """
    changed: dict[str, pd.Series[Any]] = {}
    for name in table.columns:
        column = table[name]
        if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_datetime64_any_dtype(column):
            continue
        words = (
            column.cat.categories
            if isinstance(column.dtype, pd.CategoricalDtype)
            else column.dropna().unique()
        )
        mended = {word: harmless_text(word) for word in words if isinstance(word, str)}
        mended = {word: text for word, text in mended.items() if text != word}
        if mended:
            changed[name] = column.astype("object").map(lambda it, known=mended: known.get(it, it))
    names = {name: harmless_text(name) for name in table.columns if isinstance(name, str)}
    return (
        table.assign(**changed).rename(columns=names)
        if changed or any(a != b for a, b in names.items())
        else table
    )
