"""The CSVs of the adult social care activity report 2024-25, counted from client level data (CLD).

Written from what is documented of the layout: no such file was seen. Five files have the same identifying
columns and some of the same dimensions (``cld_csv.toml``). ``Measure`` is what SALT called SHEET and ``View``
what it called TABLE; views are kept in ``detail``. ``99`` is the total over a dimension, a blank says that it
does not apply, ``[c]`` is a withheld figure.

**Not comparable with SALT**: councils' records are counted by the publisher, with other rules, so that every
measure has a name of its own that begins with ``cld_``. Sequels, settings and delivery mechanisms are grouped
in another way and stay in ``detail`` as printed.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from clsimpact.loaders._keyed_csv import read_keyed
from clsimpact.loaders._keyed_layout import load_layout
from clsimpact.loaders.manifest import Source

__all__ = ["read"]


def read(path: Path, source: Source) -> pd.DataFrame:
    """Read one of the CSVs from client level data.

    Parameters
    ----------
    path
        The CSV.
    source
        Its manifest record.

    Returns
    -------
    pandas.DataFrame
        A returns table with the rows of the file, in its order; ``return_`` is ``CLD``.

    Raises
    ------
    SourceError
        If the file is truncated, empty or in another encoding.
    LayoutError
        If a column, measure, label, key, area or value is not known (all are listed with their rows), a
        council is missing, or a row stands twice.

    Examples
    --------
    >>> from clsimpact.loaders.manifest import all_sources
    >>> read(Path("requests.csv"), all_sources()["cld_requests_2024_25"])
    Traceback (most recent call last):
    clsimpact.errors.SourceError: requests.csv cannot be read as a CSV in utf-8-sig: ...
    """
    return read_keyed(path, source, load_layout("cld_csv.toml"), {})
