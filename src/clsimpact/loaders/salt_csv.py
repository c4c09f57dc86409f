"""The SALT CSV of each year: every figure of the short and long term return, by council, region and England.

Written from what is documented of the layout: no such file was seen. The columns are those that public code
reads from the 2018-19 file (``salt_csv.toml``); they may come in any order and case, with or without
``_Key``. ``SHEET`` and ``TABLE`` say what is counted. ``99`` in any dimension is the total over it, a blank
says that it does not apply.

- A word of a dimension that the returns table has is translated; every other word is kept in ``detail`` as
  ``Column: word``, so that no two rows fall together. A total over such a column is no breakdown and is left
  out.
- Numeric keys are decoded by the publication's reference data, a file ``<name of the CSV> reference
  data.csv`` beside it with the columns ``Field, Key, Description`` (our assumption about its form). Without
  it only ``99`` and the keys that are known from the ASC-FR files are understood; any other key is an error.
- Totals are printed rows of their own. So are parts that overlap: age sub-bands (``65 to 74`` is a part of
  ``65 and over``), the route ``of which: self-funder with 12-week disregard or deferred payment`` (a part of
  ``Self-funder with depleted funds``), and ``Support to the cared-for person``. Never add rows: take the row
  whose word is ``Total``. Nothing here adds rows up.
- Every council of the year must be there, and every area of a level must have every item once, as in the
  ASC-FR files.

``table`` is the name of the file with sheet and table (``SALT 2018-19: STS001 1a``), ``cell`` the address in
the CSV.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Final

import pandas as pd

from clsimpact.errors import LayoutError, SourceError
from clsimpact.loaders._keyed_csv import read_keyed
from clsimpact.loaders._keyed_layout import fold_heading, load_layout
from clsimpact.loaders.manifest import Source
from clsimpact.loaders.sheets import clean

__all__ = ["REFERENCE_HEADINGS", "read", "read_reference_data", "reference_data_path"]

REFERENCE_HEADINGS: Final = ("Field", "Key", "Description")
"""The columns of a reference data file: column of the CSV, key, and what it stands for."""


def read(path: Path, source: Source) -> pd.DataFrame:
    """Read a SALT CSV.

    Parameters
    ----------
    path
        The CSV. A reference data file beside it, if there is one, decodes its keys.
    source
        Its manifest record, which says its year, its encoding and what its markers stand for.

    Returns
    -------
    pandas.DataFrame
        A returns table with the rows of the file, in its order.

    Raises
    ------
    SourceError
        If the file is truncated, empty or in another encoding.
    LayoutError
        If a column, sheet, table, label, key, area or value is not known: all are listed with their rows and
        the nearest known words. If councils or rows are missing or stand twice, or the file is of another
        year.

    Examples
    --------
    >>> from clsimpact.loaders.manifest import all_sources
    >>> read(Path("SALT 2018-19.csv"), all_sources()["salt_2017_18"])
    Traceback (most recent call last):
    clsimpact.errors.SourceError: SALT 2018-19.csv cannot be read as a CSV in utf-8-sig: ...
    """
    reference = reference_data_path(path)
    keys = read_reference_data(reference, source) if reference.is_file() else {}
    return read_keyed(path, source, load_layout("salt_csv.toml"), keys)


def reference_data_path(path: Path) -> Path:
    """Return where the reference data of a CSV lie.

    Examples
    --------
    >>> reference_data_path(Path("SALT 2014-15.csv")).name
    'SALT 2014-15 reference data.csv'
    """
    return path.with_name(f"{path.stem} reference data.csv")


def read_reference_data(path: Path, source: Source) -> dict[str, dict[str, str]]:
    """Read what the numeric keys of a publication stand for.

    Parameters
    ----------
    path
        A CSV with the columns :data:`REFERENCE_HEADINGS`.
    source
        The record of the publication, which says its encoding.

    Returns
    -------
    dict
        Folded column name to key to label.

    Raises
    ------
    SourceError
        If the file cannot be read as a CSV.
    LayoutError
        If it has other columns, or a key has two meanings.
    """
    try:
        with path.open(encoding=source.encoding, newline="") as stream:
            rows = list(csv.reader(stream, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SourceError(
            f"{path.name} cannot be read as a CSV in {source.encoding}.",
            [str(error)],
            repair="Download it again.",
        ) from error
    wanted = [fold_heading(name) for name in REFERENCE_HEADINGS]
    if not rows or [fold_heading(name) for name in rows[0]] != wanted:
        found = ", ".join(rows[0]) if rows else "nothing"
        raise LayoutError(
            f"{path.name}: its columns are {found}, not {', '.join(REFERENCE_HEADINGS)}.",
            repair="Write the publication's reference data in these three columns.",
        )
    keys: dict[str, dict[str, str]] = {}
    problems = []
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(wanted):
            problems.append(f"row {number}: {len(row)} cells, not {len(wanted)}")
            continue
        column, key, label = fold_heading(row[0]), row[1].strip(), clean(row[2])
        before = keys.setdefault(column, {}).setdefault(key, label)
        if before != label:
            problems.append(f"row {number}: key {key!r} of {row[0]} is {label!r}, and {before!r} further up")
    if problems:
        raise LayoutError(f"{path.name}: its keys are not clear.", problems, repair="Correct the file.")
    return keys
