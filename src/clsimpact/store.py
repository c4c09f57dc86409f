"""Where the committed data lie, and how a table is written so that the same table gives the same bytes."""

from __future__ import annotations

import contextlib
import io
import json
import lzma
import secrets
from collections.abc import Mapping
from importlib import resources
from inspect import signature
from pathlib import Path
from typing import Any, Final

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from clsimpact._disk import cannot_write
from clsimpact._spreadsheet import harmless
from clsimpact.errors import SourceError

__all__ = [
    "csv_bytes",
    "is_partial",
    "processed_folder",
    "read_parquet",
    "sweep",
    "write_bytes",
    "write_csv",
    "write_metadata",
    "write_parquet",
]


_PARTIAL: Final = ".clsimpact-"
_HALF: Final = ".partial"

WHOLE: Final = ".build-whole"
"""Folder below that of the tables, while a build moves new ones into their places."""

_XZ: Final = [{"id": lzma.FILTER_LZMA2, "preset": 6, "lc": 4, "lp": 0, "pb": 0, "nice_len": 273, "depth": 8}]
"""Long repeats and text: a sixth smaller than the default where rows repeat most of their words."""


_LONG_PAGES: Final = (
    {"max_rows_per_page": 2**30} if "max_rows_per_page" in signature(pq.ParquetWriter).parameters else {}
)
"""Newer versions of pyarrow end a page after 20,000 rows, whatever its size, if not told otherwise."""


def processed_folder() -> Path:
    """Return the folder of committed data, in a checkout or in an installed package.

    Returns
    -------
    pathlib.Path
        ``data/processed`` of the checkout, or its copy in the package.
    """
    checkout = Path(__file__).resolve().parents[2] / "data" / "processed"
    packaged = Path(str(resources.files("clsimpact"))) / "data" / "processed"
    return checkout if checkout.is_dir() else packaged


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole or not at all: a reader never sees half of it.

    Parameters
    ----------
    path
        The file; its folder is made if it does not exist.
    content
        What it shall hold.

    Raises
    ------
    ClsimpactError
        If it cannot be written: no such place, no right, no room. What was there before stays.
    """
    # A name of its own, so that two runs never write to one file, and short, so that any name may be given.
    partial = path.with_name(f"{_PARTIAL}{secrets.token_hex(6)}{_HALF}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(content)
        partial.replace(path)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def sweep(folder: Path) -> None:
    """Remove what :func:`write_bytes` left half written in a folder when its process was killed.

    Parameters
    ----------
    folder
        Nobody else may be writing to it: see :func:`clsimpact._alone.alone_in`.

    Examples
    --------
    >>> sweep(Path("no-such-folder"))
    """
    with contextlib.suppress(OSError):
        for path in list(folder.iterdir()):
            if is_partial(path.name):
                path.unlink()


def is_partial(name: str) -> bool:
    """Return whether a file is one that :func:`write_bytes` left half written.

    Examples
    --------
    >>> is_partial(".clsimpact-0123456789ab.partial"), is_partial("report.html")
    (True, False)
    """
    return name.startswith(_PARTIAL) and name.endswith(_HALF)


def write_parquet(table: pd.DataFrame, path: Path) -> None:
    """Write a Parquet file (zstd); long unique text such as cell addresses is stored as differences.

    Pages are as long as the table: figures that one publication prints again far below are found again.

    Parameters
    ----------
    table
        The table; the same one gives the same bytes, whatever the version of pandas.
    path
        The file.
    """
    plain = pd.DataFrame(table)
    plain.attrs = {}
    columns = {name: _arrow(plain[name]) for name in plain.columns}
    arrow = pa.table(columns)
    delta = [name for name in arrow.column_names if name == "cell"]
    figures = [name for name in arrow.column_names if pa.types.is_floating(arrow.schema.field(name).type)]
    stream = io.BytesIO()
    pq.write_table(
        arrow,
        stream,
        compression="zstd",
        compression_level=19,
        row_group_size=4_000_000,
        use_dictionary=[name for name in arrow.column_names if name not in (*delta, *figures)],
        column_encoding=dict.fromkeys(delta, "DELTA_BYTE_ARRAY"),
        data_page_size=2**30,
        **_LONG_PAGES,
    )
    write_bytes(path, stream.getvalue())


def _arrow(column: pd.Series[Any]) -> pa.Array:
    """Return a column with a type that does not depend on the pandas version."""
    if pd.api.types.is_bool_dtype(column):
        return pa.array(column.to_numpy(dtype=object), pa.bool_(), from_pandas=True)
    if pd.api.types.is_integer_dtype(column):
        return pa.array(column.to_numpy(dtype=object), pa.int64(), from_pandas=True)
    if pd.api.types.is_float_dtype(column):
        return pa.array(column.to_numpy("float64", na_value=float("nan")), pa.float64(), from_pandas=True)
    if pd.api.types.is_object_dtype(column):
        return pa.array([None if pd.isna(x) else str(x) for x in column.tolist()], pa.string())
    return pa.array(column.to_numpy(dtype=object), pa.string(), from_pandas=True)


def csv_bytes(table: pd.DataFrame) -> bytes:
    r"""Return a table as CSV (RFC 4180, UTF-8): missing is an empty cell, numbers are exact and short.

    Text that a spreadsheet would compute gets an apostrophe before it.

    Parameters
    ----------
    table
        The table; its index is left out.

    Returns
    -------
    bytes
        The content of the file.

    Examples
    --------
    >>> csv_bytes(pd.DataFrame({"a": [0.1, None], "b": ["x", "y"]}))
    b'a,b\r\n0.1,x\r\n,y\r\n'
    """
    return harmless(table).to_csv(index=False, lineterminator="\r\n").encode("utf-8")


def write_csv(table: pd.DataFrame, path: Path) -> None:
    """Write a CSV, compressed where its name ends in ``.xz``.

    Parameters
    ----------
    table
        The table.
    path
        The file.
    """
    content = csv_bytes(table)
    write_bytes(path, lzma.compress(content, filters=_XZ) if path.suffix == ".xz" else content)


def write_metadata(path: Path, metadata: Mapping[str, Any]) -> None:
    """Write CSV on the Web metadata (https://www.w3.org/TR/tabular-metadata/).

    Parameters
    ----------
    path
        The file.
    metadata
        What it says, in this order.
    """
    text = json.dumps(metadata, indent=2, ensure_ascii=False, sort_keys=False)
    write_bytes(path, f"{text}\n".encode())


def read_parquet(name: str) -> pd.DataFrame:
    """Read one of the committed tables.

    Parameters
    ----------
    name
        ``returns``, ``panel`` or ``adoption``.

    Returns
    -------
    pandas.DataFrame
        The table; text columns have the pandas type ``string``, those of the returns ``category``.

    Raises
    ------
    SourceError
        If it is absent: the package is damaged or has not been built. If a build was stopped while it
        replaced the tables, so that some are old and others new.
    """
    path = processed_folder() / f"{name}.parquet"
    if (path.parent / WHOLE).is_dir():
        raise SourceError(
            f"The tables in {path.parent} are being replaced, or a build was stopped while it did that.",
            repair="If no build is running, run one, which moves what is left: 'clsimpact build'.",
        )
    if not path.is_file():
        raise SourceError(
            f"The committed table {path.name} is absent from {path.parent}.",
            repair="Install the package again, or rebuild the data: 'clsimpact build --raw DIR'.",
        )
    return read_table(path, categories=name == "returns")


def read_table(path: Path, *, categories: bool = False) -> pd.DataFrame:
    """Read a table that :func:`write_parquet` wrote.

    Parameters
    ----------
    path
        The file.
    categories
        Read text as categories, except for cell addresses: a long table then fits into memory.

    Returns
    -------
    pandas.DataFrame
        Text columns have the pandas type ``string``, or ``category`` over it.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_parquet(pd.DataFrame({"a": [1, 2], "b": ["x", None]}), Path(folder) / "t.parquet")
    ...     read_table(Path(folder) / "t.parquet").dtypes.astype(str).tolist()
    ['int64', 'string']
    """
    words = [column for column in _words_of(path) if column != "cell"] if categories else []
    table: pd.DataFrame = pq.read_table(path, read_dictionary=words).to_pandas()
    return _with_text(table)


def _words_of(path: Path) -> list[str]:
    return [field.name for field in pq.read_schema(path) if pa.types.is_string(field.type)]


def as_words(column: pd.Series[Any]) -> pd.Series[Any]:
    """Give categories the type ``string``, so that tables can be joined without looking at their rows."""
    codes, words = column.cat.codes, column.cat.categories.astype("string")
    return pd.Series(pd.Categorical.from_codes(codes, pd.Index(words)), index=column.index, name=column.name)


def _with_text(table: pd.DataFrame) -> pd.DataFrame:
    for column in table.columns:
        if isinstance(table[column].dtype, pd.CategoricalDtype):
            table[column] = as_words(table[column])
        elif pd.api.types.is_object_dtype(table[column]) or pd.api.types.is_string_dtype(table[column]):
            table[column] = table[column].astype("string")
    return table
