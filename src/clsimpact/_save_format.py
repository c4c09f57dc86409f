"""How a result becomes JSON and is read back: numbers bit for bit, nothing that runs, every part checked.

Numbers are written with as many digits as tell them apart from their neighbours; what is not finite is
written as a word. A reader refuses members that are absent, unknown or of another kind, and says which.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

import numpy as np
import pandas as pd

from clsimpact.errors import SourceError, did_you_mean, list_some

__all__ = [
    "FORMAT", "MOST_BYTES", "VERSION", "checked", "count", "flag", "floats", "matrix", "number",
    "number_text", "open_value", "optional", "parse", "plain_value", "several", "table", "table_text",
    "text", "text_of",
]  # fmt: skip

FORMAT: Final = "clsimpact estimate"
VERSION: Final = 1
MOST_BYTES: Final = 50_000_000
"""A larger file is refused unread: a result of a thousand terms takes 20 MB."""
MOST_DEPTH: Final = 40

Shape: TypeAlias = Callable[[Any], Any]
"""Takes a JSON value and returns what it stands for, or raises `TypeError` or `ValueError` with words."""

_UNSEEN: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Marks that steer a terminal or turn the direction of writing, and halves of characters."""

_WORDS: Final = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def number_text(value: float) -> float | str:
    """Return a float as JSON holds it.

    Examples
    --------
    >>> number_text(0.1), number_text(float("-inf"))
    (0.1, '-Infinity')
    """
    if math.isfinite(value):
        return float(value)
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def number(value: Any) -> float:
    """Read a float."""
    if isinstance(value, str) and value in _WORDS:
        return _WORDS[value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{_short(value)} is no number")
    return float(value)


def text(value: Any) -> str:
    """Read a text; what changes how it is shown (control marks, turned directions) does not belong there."""
    if not isinstance(value, str):
        raise TypeError(f"{_short(value)} is no text")
    if found := _UNSEEN.search(value):
        raise ValueError(f"a text has the control mark U+{ord(found[0]):04X}")
    return value


def flag(value: Any) -> bool:
    """Read yes or no."""
    if not isinstance(value, bool):
        raise TypeError(f"{_short(value)} is neither true nor false")
    return value


def count(value: Any) -> int:
    """Read a whole number that a table can hold."""
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) >= 2**63:
        raise ValueError(f"{_short(value)} is no whole number")
    return value


def several(shape: Shape) -> Shape:
    """Return the shape of a list."""

    def read(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise TypeError(f"{_short(value)} is no list")
        return tuple(map(shape, value))

    return read


def optional(shape: Shape) -> Shape:
    """Return the shape of what may be missing."""
    return lambda value: None if value is None else shape(value)


def floats(value: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Read an array of floats, which nobody can change."""
    found = np.array(several(number)(value), dtype=np.float64)
    found.setflags(write=False)
    return found


def matrix(value: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Read a square matrix."""
    rows = several(several(number))(value)
    if any(len(row) != len(rows) for row in rows):
        raise ValueError("the matrix is not square")
    found = np.array(rows, dtype=np.float64).reshape(len(rows), len(rows))
    found.setflags(write=False)
    return found


_KINDS: Final[Mapping[str, tuple[Shape, Callable[[Sequence[Any]], Any]]]] = {
    "float": (number, lambda values: np.array(values, dtype=np.float64)),
    "whole": (optional(count), lambda values: pd.array(list(values), dtype="Int64")),
    "flag": (flag, lambda values: np.array(values, dtype=bool)),
    "text": (text, list),
}


def table_text(frame: pd.DataFrame) -> dict[str, Any]:
    """Return a frame as JSON holds it: a kind and a list of values per column, rows numbered from 0."""
    return {str(name): _column_text(frame[name]) for name in frame.columns}


def _column_text(column: pd.Series[Any]) -> dict[str, Any]:
    values = column.tolist()
    if pd.api.types.is_bool_dtype(column):
        return {"kind": "flag", "values": values}
    if pd.api.types.is_float_dtype(column):
        return {"kind": "float", "values": [number_text(value) for value in values]}
    if pd.api.types.is_integer_dtype(column):
        return {"kind": "whole", "values": [None if pd.isna(value) else int(value) for value in values]}
    return {"kind": "text", "values": [str(value) for value in values]}


def table(value: Any) -> pd.DataFrame:
    """Read a frame."""
    columns, lengths = {}, set()
    for name, column in _object(value).items():
        held = checked(column, {"kind": text, "values": several(lambda it: it)}, f"column {name!r}")
        if held["kind"] not in _KINDS:
            raise ValueError(f"column {name!r} is of the unknown kind {held['kind']!r}")
        shape, make = _KINDS[held["kind"]]
        try:
            columns[name] = make([shape(cell) for cell in held["values"]])
        except (ValueError, TypeError) as error:
            raise ValueError(f"column {name!r}: {error}") from None
        lengths.add(len(held["values"]))
    if len(lengths) > 1:
        raise ValueError("the columns are of different lengths")
    return pd.DataFrame(columns)


def plain_value(value: Any) -> Any:
    """Return what provenance holds as JSON holds it; what JSON has no kind for becomes text.

    Examples
    --------
    >>> open_value(plain_value({2004: 20, "a": (1, None)}))
    {2004: 20, 'a': (1, None)}
    """
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"$number": number_text(value)}
    if isinstance(value, Mapping):
        if all(isinstance(key, str) and not key.startswith("$") for key in value):
            return {key: plain_value(item) for key, item in value.items()}
        return {"$pairs": [[plain_value(key), plain_value(item)] for key, item in value.items()]}
    if isinstance(value, tuple):
        return {"$tuple": [plain_value(item) for item in value]}
    if isinstance(value, list):
        return [plain_value(item) for item in value]
    return str(value)


def open_value(value: Any, depth: int = 0) -> Any:
    """Read what `plain_value` wrote."""
    if depth > MOST_DEPTH:
        raise ValueError("it is nested too deeply")
    if isinstance(value, list):
        return [open_value(item, depth + 1) for item in value]
    if not isinstance(value, dict):
        return value
    marks = [key for key in value if key.startswith("$")]
    if not marks:
        return {key: open_value(item, depth + 1) for key, item in value.items()}
    held = value[marks[0]]
    if len(value) == 1 and marks == ["$number"]:
        return number(held)
    if len(value) == 1 and marks == ["$tuple"]:
        return tuple(open_value(item, depth + 1) for item in several(lambda it: it)(held))
    if len(value) == 1 and marks == ["$pairs"]:
        return dict(map(_pair, several(lambda it: open_value(it, depth + 1))(held)))
    raise ValueError(f"the mark {marks[0]!r} is not known")


def _pair(value: Any) -> tuple[Any, Any]:
    if not isinstance(value, list) or len(value) != 2 or isinstance(value[0], list | dict):
        raise ValueError(f"{_short(value)} is no pair of a key and a value")
    return value[0], value[1]


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"{_short(value)} is no object")
    return value


def checked(value: Any, shapes: Mapping[str, Shape], where: str = "the file") -> dict[str, Any]:
    """Read an object whose members are all known and all there.

    Raises
    ------
    ValueError
        With the members that are absent, unknown or of another kind.
    """
    held = _object(value)
    absent = [name for name in shapes if name not in held]
    unknown = [f"{name!r}{did_you_mean(name, list(shapes))}" for name in held if name not in shapes]
    problems = [f"{where} has no {list_some(absent)}"] if absent else []
    problems += [f"{where} has the unknown {list_some(unknown)}"] if unknown else []
    found = {}
    for name, shape in shapes.items():
        if name not in held:
            continue
        try:
            found[name] = shape(held[name])
        except (ValueError, TypeError, OverflowError) as error:
            problems.append(f"{name}: {error}")
    if problems:
        raise ValueError("; ".join(problems))
    return found


def text_of(record: Mapping[str, Any]) -> bytes:
    """Return a record as the bytes of a file: the same for the same record."""
    return (json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n").encode()


def parse(content: bytes, name: str) -> dict[str, Any]:
    """Read the bytes of a file as JSON and see that it is a saved estimate of a known version.

    Raises
    ------
    SourceError
        If it is not.
    """
    try:
        record = json.loads(content.decode("utf-8"), parse_constant=_refuse, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        binary = b"\0" in content[:4096] or isinstance(error, UnicodeDecodeError)
        why = "it is an archive or another binary file" if binary else str(error)[:200]
        raise SourceError(
            f"{name} cannot be read: it is no JSON, or not all of it is there.",
            [why or "it is nested too deeply"],
            repair="Ask for the file again, or save the estimate anew with fit.save(path).",
        ) from None
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise SourceError(
            f"{name} is JSON, but no estimate that clsimpact saved.",
            repair="Give a file that fit.save wrote.",
        )
    if record.get("version") != VERSION:
        raise SourceError(
            f"{name} is of version {_short(record.get('version'))}; this library reads version {VERSION}.",
            repair="Update clsimpact, or save the estimate anew with fit.save(path).",
        )
    return record


def _refuse(word: str) -> float:
    raise ValueError(f"the bare word {word}")


def _once(members: list[tuple[str, Any]]) -> dict[str, Any]:
    held: dict[str, Any] = {}
    for name, value in members:
        if name in held:
            raise ValueError(f"{_short(name)} stands twice")
        held[name] = value
    return held


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
