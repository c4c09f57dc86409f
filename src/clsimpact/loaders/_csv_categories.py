"""Large CSV files as categories of text, many times faster than cell by cell and with the same strictness."""

from __future__ import annotations

import codecs
import csv
import io
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import csv as arrow_csv

from clsimpact.loaders.csvs import read_text_table
from clsimpact.loaders.manifest import Source

__all__ = ["read_categories"]

_BLOCK: Final = 1 << 24
"""Bytes that are read at a time: fewer and larger blocks have fewer dictionaries to join."""
_BLANK_LINES: Final = (b"\n\n", b"\n\r", b"\r\r")


def read_categories(path: Path, source: Source) -> pd.DataFrame:
    """Read a large CSV whose first row is its header as text categories; nothing is interpreted.

    Gives the texts of :func:`read_text_table`, and refuses what that refuses, in a fraction of the time.

    Parameters
    ----------
    path
        The CSV.
    source
        Its manifest record, which names the encoding.

    Returns
    -------
    pandas.DataFrame
        The rows below the header, counted from 0; every column is categories of text.

    Raises
    ------
    SourceError
        If the file cannot be read as a CSV or holds no rows below its header.
    """
    content = path.read_bytes()
    if content.endswith(_BLANK_LINES):  # the last lines may be blank
        content = content.rstrip(b"\r\n") + b"\n"
    table = _read_regular(content, source.encoding) if _is_regular(content) else None
    if table is None:
        return read_text_table(path, source).astype("category")
    return table


def _is_regular(content: bytes) -> bool:
    """Say whether no line is blank and every quotation mark opens or closes a cell."""
    if content.startswith((b"\n", b"\r")) or any(line in content for line in _BLANK_LINES):
        return False
    text = np.frombuffer(content, dtype=np.uint8)
    marks = np.flatnonzero(text == ord('"'))
    if len(marks) % 2 or len(text) == 0:
        return False
    edge = np.isin(np.arange(256), np.frombuffer(b",\r\n", dtype=np.uint8))
    before, after = marks[::2] - 1, marks[1::2] + 1
    opened = (before < 0) | edge[text[np.maximum(before, 0)]]
    closed = (after >= len(text)) | edge[text[np.minimum(after, len(text) - 1)]]
    return bool(opened.all() and closed.all())


def _read_regular(content: bytes, encoding: str) -> pd.DataFrame | None:
    """Read a CSV without irregular quotation marks, or return nothing if anything is wrong with it."""
    try:
        decoder = codecs.getincrementaldecoder(encoding)()  # strict, but for a letter that the block cuts
        start = io.StringIO(decoder.decode(content[:_BLOCK]), newline="")
        reader = csv.reader(start, strict=True)
        header = next(reader, [])
        places = [str(place) for place in range(len(header))]
        read = arrow_csv.read_csv(
            pa.BufferReader(content),
            read_options=arrow_csv.ReadOptions(
                column_names=places,
                skip_rows=reader.line_num,
                block_size=_BLOCK,
                encoding=encoding.removesuffix("-sig"),
            ),
            parse_options=arrow_csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(places, pa.dictionary(pa.int32(), pa.string())),
                strings_can_be_null=False,
            ),
        )
    except (csv.Error, pa.ArrowException, UnicodeDecodeError):
        return None
    if len(header) < 2 or not read.num_rows:  # a blank line is no row of a table with one column
        return None
    table = pd.DataFrame({place: _categories(read[place]) for place in places})
    table.columns = pd.Index(header, dtype="object")
    return table


def _categories(column: pa.ChunkedArray) -> pd.Categorical:
    """Return a dictionary-encoded column as categories of plain text, in order of their first row."""
    whole = column.unify_dictionaries().combine_chunks()
    texts = pd.Index(whole.dictionary.to_pylist(), dtype="object")
    return pd.Categorical.from_codes(whole.indices.to_numpy(zero_copy_only=False), categories=texts)
