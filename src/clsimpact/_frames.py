"""Any kind of data frame at the door: the columns that a design names, as pandas columns."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from clsimpact.errors import PanelError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["ACCEPTED", "Table", "open_table"]

ACCEPTED = "a pandas or polars DataFrame, a polars LazyFrame, a pyarrow Table or a duckdb relation"


@dataclass(frozen=True)
class Table:
    """The columns to read, the names of all columns there are, and the attributes (pandas only)."""

    frame: pd.DataFrame
    known: pd.Index[Any]
    attrs: Mapping[Any, Any]


_PLAIN = {
    "NoneType": "None, which is nothing,",
    "Series": "One column (a Series)",
    "ndarray": "An array, which has no headings,",
    "function": "A function",
}
"""What some kinds are called in a message."""


def _no_table(data: Any) -> PanelError:
    """Return the error for what is no table, with the way to make one of it."""
    if isinstance(data, str | os.PathLike):
        name = Path(data).name
        reader = "read_excel" if name.lower().endswith((".xls", ".xlsx", ".ods")) else "read_csv"
        return PanelError(
            f"{name!r} is the name of a file, not a table that a design can read.",
            repair=f"Read the file first: pandas.{reader}({name!r}).",
        )
    made = " pandas.DataFrame(...) makes one of it." if isinstance(data, list | dict) else ""
    plain = _PLAIN.get(type(data).__name__, f"A {type(data).__name__}")
    return PanelError(f"{plain} is not a table that a design can read.", repair=f"Give {ACCEPTED}.{made}")


def open_table(data: Any, wanted: Iterable[Hashable]) -> Table:
    """Open a data frame of any accepted kind; only the columns in ``wanted`` are read.

    Raises
    ------
    PanelError
        If ``data`` is something else.

    Examples
    --------
    >>> import pyarrow as pa
    >>> table = open_table(pa.table({"year": [2016, None], "note": ["a", "b"]}), ["year", "absent"])
    >>> list(table.frame), list(table.known)
    (['year'], ['year', 'note'])
    >>> open_table([2016], ["year"])
    Traceback (most recent call last):
    clsimpact.errors.PanelError: A list is not a table that a design can read.
    Repair: Give a pandas or polars DataFrame, ... duckdb relation. pandas.DataFrame(...) makes one of it.
    """
    if isinstance(data, pd.DataFrame):
        # pandas copies attributes to every column it hands out; a bare frame has none to copy.
        return Table(pd.DataFrame(data, copy=False) if data.attrs else data, data.columns, data.attrs)
    import narwhals as nw

    try:
        opened = nw.from_native(_once(data))
    except TypeError:
        raise _no_table(data) from None
    known = list(getattr(data, "column_names", None) or opened.collect_schema().names())
    chosen = opened.select([name for name in dict.fromkeys(wanted) if known.count(name) == 1])
    held = chosen.collect() if isinstance(chosen, nw.LazyFrame) else chosen
    try:
        arrow = held.to_arrow()
    except (ValueError, NotImplementedError) as error:  # what Arrow's own errors are made from
        raise PanelError(
            f"A column has a type that Arrow cannot hold: {error}.",
            repair="Convert it to numbers or text first.",
        ) from error
    columns = {name: _as_pandas(arrow[name]) for name in arrow.column_names}
    frame = pd.DataFrame(columns, index=range(len(arrow)), copy=False)
    return Table(frame, pd.Index(known, dtype=object), {})


def _once(data: Any) -> Any:
    """Leave out columns of an Arrow table whose names repeat: no other kind of table can hold them."""
    names = getattr(data, "column_names", [])
    if len(set(names)) == len(names):
        return data
    return data.select([i for i, name in enumerate(names) if names.count(name) == 1])


def _as_pandas(column: pa.ChunkedArray[Any]) -> pd.Series[Any]:
    """Return an Arrow column as pandas would hold it; whole numbers stay whole and dates are dates."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_date(kind):
        column = column.cast(pa.timestamp("us"))
    if pa.types.is_decimal(kind) and kind.scale == 0:
        with contextlib.suppress(pa.ArrowInvalid):  # beyond 64 bits: stays decimal
            column = column.cast(pa.int64())
    kinds: dict[Any, Any] = {}
    if column.null_count:
        kinds = {pa.bool_(): pd.BooleanDtype()}
        kinds |= {column.type: pd.Int64Dtype()} if pa.types.is_integer(column.type) else {}
    # With a mapper, even an empty one, text goes the slow way through Python objects.
    found: pd.Series[Any] = column.to_pandas(types_mapper=kinds.get if kinds else None)
    return found
