"""Does a loader give back what a writer wrote? Every figure, with value, status, unit and table."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clsimpact.loaders.manifest import Source
from clsimpact.simulate.publication import TIDY_COLUMNS, Written
from clsimpact.simulate.publish import Rows, publications, record_of
from clsimpact.simulate.truth import Truth
from clsimpact.simulate.world import simulate_world

__all__ = ["differences", "read_back", "round_trip"]

_SHOWN = 6


def round_trip(
    folder: Path, *, seed: int = 1, truth: Truth | None = None, rows: Rows = "study"
) -> Iterator[dict[str, object]]:
    """Write every made-up publication, read it with its ordinary loader, and compare.

    Parameters
    ----------
    folder
        Where to write; each file is deleted once it is compared.
    seed, truth, rows
        As in :func:`clsimpact.simulate.publish.simulate`.

    Yields
    ------
    dict
        ``source_id, file, figures, differences`` (a list of texts, empty when every figure came back).
    """
    for written in publications(simulate_world(seed, truth), folder, rows=rows):
        source = record_of(written, folder)
        found = read_back(written, source)
        yield {
            "source_id": source.id,
            "file": source.file,
            "figures": len(written.figures),
            "differences": differences(written.figures, found),
        }
        written.path.unlink()


def read_back(written: Written, source: Source) -> pd.DataFrame:
    """Read a made-up file with the loader that its record names."""
    adapter = importlib.import_module(f"clsimpact.loaders.{source.adapter}")
    table: pd.DataFrame = adapter.read(written.path, source)
    return table


def differences(written: pd.DataFrame, read: pd.DataFrame) -> list[str]:
    """Say which figures are only on one side: none if the loader gave back what was written.

    Parameters
    ----------
    written
        Tidy figures, as a writer returns them.
    read
        The returns table that the loader made of the file.

    Returns
    -------
    list of str
        The first figures that are lacking or that nobody wrote, with all their words; then how many more.

    Examples
    --------
    >>> row = pd.DataFrame({"year": [2016], "value": [5.0], "status": ["published"], "table": ["T1"]})
    >>> differences(row, row), differences(row, row.assign(value=10.0))
    ([], ['not read: 2016, 5.0, published, T1', 'not written: 2016, 10.0, published, T1'])
    """
    ours, theirs = _plain(written), _plain(read)
    left, right = _keys(ours), _keys(theirs)
    found = []
    for words, frame, own, other in (("not read", ours, left, right), ("not written", theirs, right, left)):
        alone = _only(own, other)
        found += [f"{words}: {_words(frame.iloc[row])}" for row in alone[:_SHOWN]]
        found += [f"{words}: and {len(alone) - _SHOWN} more"] if len(alone) > _SHOWN else []
    return found


def _plain(table: pd.DataFrame) -> pd.DataFrame:
    """Return figures with one type a column, so that equal figures are equal."""
    plain: dict[str, Any] = {}
    for name in TIDY_COLUMNS:
        if name not in table:
            continue
        if name == "value":
            plain[name] = table[name].astype("float64").to_numpy()
        elif name == "year":
            plain[name] = table[name].astype("int64").to_numpy()
        else:
            plain[name] = table[name].astype("object").where(table[name].notna(), "").to_numpy()
    return pd.DataFrame(plain)


def _keys(table: pd.DataFrame) -> NDArray[np.uint64]:
    return pd.util.hash_pandas_object(table, index=False).to_numpy().astype(np.uint64)


def _only(own: NDArray[np.uint64], other: NDArray[np.uint64]) -> NDArray[np.intp]:
    """Return the rows that the other side has not, counting how often each stands."""
    count = pd.Series(own).groupby(own).cumcount().to_numpy()
    again = pd.Series(other).groupby(other).cumcount().to_numpy()
    known = pd.MultiIndex.from_arrays([other, again])
    return np.flatnonzero(~pd.MultiIndex.from_arrays([own, count]).isin(known))


def _words(row: pd.Series) -> str:
    return ", ".join(str(value) for value in row if value != "")
