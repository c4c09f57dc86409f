"""The returns table: one row per published figure, whatever file it came from."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import numpy as np
import pandas as pd
from pandas.api.types import union_categoricals

from clsimpact.errors import LayoutError, list_some
from clsimpact.loaders.manifest import Source
from clsimpact.store import as_words

__all__ = [
    "COLUMNS",
    "DIMENSIONS",
    "LEVELS",
    "STATUSES",
    "as_returns",
    "as_text",
    "concat_returns",
    "empty_returns",
]

DIMENSIONS: Final[tuple[str, ...]] = (
    "age_band",
    "care_type",
    "support_setting",
    "primary_support_reason",
    "purpose",
    "carer_support_type",
    "provision",
    "finance_description",
    "route_of_access",
    "sequel",
    "gender",
    "ethnicity",
    "data_type",
    "statistic",
    "detail",
)
"""What a figure may be broken down by: ``Total`` is the total over it; missing, it is not broken down."""

COLUMNS: Final[tuple[str, ...]] = (
    "year",
    "ons_code",
    "cassr_code",
    "name",
    "level",
    "return_",
    "measure",
    *DIMENSIONS,
    "value",
    "unit",
    "status",
    "marker",
    "source_id",
    "table",
    "cell",
)
"""The columns of the returns table, in order."""

LEVELS: Final[tuple[str, ...]] = ("council", "district", "region", "council_type", "england", "other")
"""What kind of area a row is about. Councils are those with social-care duties, and nothing else."""

STATUSES: Final[dict[str, str]] = {
    "published": "a number as printed",
    "suppressed": "withheld by the publisher because the count is small",
    "not_submitted": "the council did not submit it",
    "not_applicable": "the question does not apply or the publisher could not calculate it",
    "estimated": "a number that the council or the publisher marked as an estimate",
    "text_answer": "an answer in words",
}
"""The status of a figure, and what it means. Only ``published`` and ``estimated`` rows carry a value."""

_TEXT: Final = tuple(column for column in COLUMNS if column not in ("year", "value"))


def _text(column: pd.Series[Any]) -> pd.Series[Any]:
    """Return a column as categories of text (addresses of cells as plain text), with nothing for a blank.

    A row per figure and some twenty columns of few words: categories make the table a tenth of the size.
    """
    if isinstance(column.dtype, pd.CategoricalDtype):
        known = column.cat.remove_categories([word for word in column.cat.categories if word == ""])
        return as_words(known)
    text = column.astype("string")
    text = text.mask(text == "")
    return text if column.name == "cell" else text.astype("category")


def as_text(rows: pd.DataFrame) -> pd.DataFrame:
    """Return a selection of a returns table with plain text in place of categories.

    Parameters
    ----------
    rows
        Some rows of a returns table.

    Returns
    -------
    pandas.DataFrame
        The same rows, whose text can be added to, filled and grouped like any other.
    """
    words = [name for name in rows if isinstance(rows[name].dtype, pd.CategoricalDtype)]
    return rows.astype(dict.fromkeys(words, "string"))


def concat_returns(tables: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Put returns tables under each other and keep their types.

    Parameters
    ----------
    tables
        Returns tables, as :func:`as_returns` gives them.

    Returns
    -------
    pandas.DataFrame
        All rows, numbered anew.
    """
    every = list(tables)
    if not every:
        return empty_returns()
    columns = {}
    for name in COLUMNS:
        parts = [table[name] for table in every]
        if all(isinstance(part.dtype, pd.CategoricalDtype) for part in parts):
            columns[name] = pd.Series(union_categoricals(parts))
        else:
            columns[name] = pd.concat(parts, ignore_index=True)
    return pd.DataFrame(columns)


def empty_returns() -> pd.DataFrame:
    """Return a returns table without rows."""
    return pd.DataFrame(columns=list(COLUMNS))


def as_returns(frame: pd.DataFrame, source: Source) -> pd.DataFrame:
    """Put an adapter's rows into the columns of the returns table, and check them.

    Parameters
    ----------
    frame
        Rows with any of :data:`COLUMNS`; absent columns become missing.
    source
        The manifest record of the file, whose ``id`` is written on every row.

    Returns
    -------
    pandas.DataFrame
        Columns :data:`COLUMNS`: ``year`` is Int64, ``value`` float64, ``cell`` text, everything else
        categories of text.

    Raises
    ------
    LayoutError
        If there are no rows, a column, level or status is unknown, a value stands beside a status that has
        none, or a cell is used twice.
    """
    problems = [
        f"column {column!r} is not one of the returns table"
        for column in frame.columns
        if column not in COLUMNS
    ]
    table = frame.reindex(columns=list(COLUMNS))
    table["source_id"] = source.id
    table["year"] = table["year"].astype("Int64")
    table["value"] = table["value"].astype("float64")
    for column in _TEXT:
        table[column] = _text(table[column])
    if table.empty:
        problems.append("no figure was found")
    for column, known in (("level", LEVELS), ("status", tuple(STATUSES))):
        wrong = sorted(set(table[column].dropna().unique()) - set(known)) + (
            ["(missing)"] if table[column].isna().any() else []
        )
        if wrong:
            problems.append(f"unknown {column}: {list_some(wrong)}")
    has_value = table["status"].isin(["published", "estimated"])
    astray = table[has_value == table["value"].isna()]
    problems += [
        f"{row.table} {row.cell}: status {row.status} with value {row.value}"
        for row in astray.head(5).itertuples()
    ]
    infinite = table[np.isinf(table["value"])]
    problems += [f"{row.table} {row.cell}: infinite value" for row in infinite.head(5).itertuples()]
    twice = table[table.duplicated(["table", "cell", "year", "measure", "statistic"], keep=False)]
    problems += [f"{row.table} {row.cell}: read twice" for row in twice.head(5).itertuples()]
    if problems:
        raise LayoutError(
            f"{source.file}: the figures read do not form a returns table.",
            problems,
            repair="Use the publisher's file as it is; if it is, its adapter is wrong.",
        )
    return table.reset_index(drop=True)
