"""Does a broken file still say what the unbroken one says? What is allowed, for each kind of mutation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from clsimpact.loaders.sheets import column_letters
from tests.fuzz.grids import Place

_NOT_IDENTITY = ("value", "status", "marker", "cell", "name", "position")
_SHOWN = 3


@dataclass(frozen=True)
class Mutated:
    """A broken file, and what may be read from it.

    Attributes
    ----------
    content
        The bytes.
    mutation, note
        What was done, and with what.
    promise
        ``any``: whatever loads is accepted (a digit may have become another). ``same``: all figures.
        ``subset``: no figure that was not there before. ``place``: every address has the value it had, or
        none. ``cell``: the same, and all figures but the one in the touched cell are there; that one is
        missing, or ``times`` what it was.
    touched
        The cell.
    times
        What the new spelling of a figure makes of it; nothing if it can no longer be read.
    """

    content: bytes
    mutation: str
    note: str = ""
    promise: str = "any"
    touched: Place | None = None
    times: float | None = None


def broken_promises(before: pd.DataFrame, after: pd.DataFrame, mutated: Mutated) -> list[str]:
    """Return what was changed without a word: an empty list if nothing was."""
    if mutated.promise == "any":
        return []
    if mutated.promise in ("same", "subset"):
        return list(_multiset(before, after, whole=mutated.promise == "same"))
    return list(_places(before, after, mutated))


def _facts(table: pd.DataFrame) -> Counter[tuple[object, ...]]:
    columns = [name for name in table if name not in _NOT_IDENTITY]
    value = table["value"] if "value" in table else pd.Series(0.0, index=table.index)
    words = table[columns].astype("object").where(table[columns].notna(), None)
    return Counter(zip(*(words[name] for name in columns), map(_plain, value), strict=True))


def _plain(value: Any) -> float | None:
    return None if pd.isna(value) else float(value)


def _multiset(before: pd.DataFrame, after: pd.DataFrame, *, whole: bool) -> Iterator[str]:
    was, now = _facts(before), _facts(after)
    for fact in list(now - was)[:_SHOWN]:
        yield f"new: {_words(fact)}"
    if whole:
        for fact in list(was - now)[:_SHOWN]:
            yield f"lost: {_words(fact)}"


def _words(fact: tuple[object, ...]) -> str:
    return " ".join(str(part) for part in fact if part is not None)


def _addressed(table: pd.DataFrame) -> dict[tuple[object, ...], tuple[object, ...]]:
    """Return what stands at every address; a figure that is printed twice in a cell is numbered."""
    parts = ["table", "cell", "year", "measure", "statistic", "level", "age_band"]
    keys = table.reindex(columns=["table", "cell"]).astype("object")
    keys["table"] = keys["table"].map(lambda name: str(name).split(":")[0])  # the rest are labels
    number = keys.groupby(["table", "cell"], observed=True, dropna=False).cumcount()
    words = table.reindex(columns=parts).astype("object")
    words = words.where(words.notna(), None)
    value = map(_plain, table["value"])
    rows = zip(keys["table"], keys["cell"], number, *(words[name] for name in parts), value, strict=True)
    return {row[:3]: row[3:] for row in rows}


def _places(before: pd.DataFrame, after: pd.DataFrame, mutated: Mutated) -> Iterator[str]:
    if "cell" not in before:
        return
    was, now = _addressed(before), _addressed(after)
    touched = {
        place for place in was if mutated.touched and covers(str(place[0]), str(place[1]), mutated.touched)
    }
    shown = 0
    for place, found in now.items():
        expected = was.get(place)
        if place in touched and mutated.promise == "cell":
            wrong = found[-1] is not None and not _is_times(found[-1], was[place][-1], mutated.times)
        elif expected is None:
            wrong = found[-1] is not None
        else:
            wrong = found[-1] is not None and found[-1] != expected[-1]
        if wrong and shown < _SHOWN:
            shown += 1
            yield f"{place[0]} {place[1]}: {found[-1]} where {expected[-1] if expected else 'nothing'} was"
    if mutated.promise == "cell":
        lost = [place for place in was if place not in now and place not in touched]
        yield from (f"{place[0]} {place[1]}: lost" for place in lost[:_SHOWN])


def _is_times(found: object, was: object, times: float | None) -> bool:
    if times is None or not isinstance(found, float) or not isinstance(was, float):
        return False
    return abs(found - was * times) <= 1e-9 * abs(was)


def covers(table: str, cell: str, place: Place) -> bool:
    """Return whether an address, or a range of one row, holds a cell."""
    if ":" not in cell:
        return cell == f"{column_letters(place.column)}{place.row + 1}" and _is_sheet(table, place.sheet)
    first, last = (_column_row(part) for part in cell.split(":"))
    inside = first[1] - 1 <= place.row <= last[1] - 1 and first[0] <= place.column <= last[0]
    return inside and _is_sheet(table, place.sheet)


def _is_sheet(table: str, sheet: str) -> bool:
    return table == sheet or table.startswith(f"{sheet}:")


def _column_row(address: str) -> tuple[int, int]:
    letters = address.rstrip("0123456789")
    column = 0
    for letter in letters:
        column = column * 26 + ord(letter) - 64
    return column - 1, int(address[len(letters) :])
