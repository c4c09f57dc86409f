"""Deferred payment agreements 2015-16 (and 2014-15 at the year end): a long CSV of councils.

It holds the councils that agreed to publish. Counts of agreements are rounded to 5 by the publisher;
small counts are withheld (``*``).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pandas as pd

from clsimpact.errors import ClsimpactError, LayoutError, list_some
from clsimpact.geography import councils
from clsimpact.loaders._complete import council_names, item_problems, name_problems, raise_incomplete
from clsimpact.loaders.csvs import (
    addresses,
    figures,
    find_columns,
    ons_codes,
    read_text_table,
    translate_column,
)
from clsimpact.loaders.manifest import Source
from clsimpact.loaders.returns import as_returns
from clsimpact.years import parse_year

__all__ = ["read"]

_COLUMNS: Final = {
    "uuid": "item",
    "label": "year",
    "cassr_code": "cassr_code",
    "cassr_name": "printed_name",
    "time_period_desc": "period",
    "indicator_desc": "indicator",
    "characteristic_parent": "parent",
    "characteristic_child": "child",
    "age_category": "age_band",
    "value": "value",
}
_CODES_OF: Final = 2015
"""Codes are those of the publication's year; none changed between 2014-15 and 2015-16."""
_AGREED: Final = 56
"""Councils that agreed to publish."""
_ITEMS: Final = 100
"""Rows of each of them."""


def read(path: Path, source: Source) -> pd.DataFrame:
    """Read the file of deferred payment agreements.

    Parameters
    ----------
    path
        The CSV.
    source
        Its manifest record.

    Returns
    -------
    pandas.DataFrame
        A returns table; ``detail`` holds indicator, characteristic and period.

    Raises
    ------
    LayoutError
        If a column, label, year or value is not known, or a council's name is not that of its code; all of
        them are listed with their places. If councils or rows are missing or stand twice.
    SourceError
        If the file cannot be read as a CSV.
    """
    table = read_text_table(path, source)
    places = find_columns(table, path, _COLUMNS)
    _, column = places["value"]
    printed = {name: heading for name, (heading, _) in places.items()}
    table = table.rename(columns={heading: name for name, heading in printed.items()})
    age, problems = translate_column(table["age_band"].rename(printed["age_band"]), "age_band")
    values, found = figures(table["value"], source, lambda row: addresses([row], column)[0])
    problems += found
    years, found = _years(table["year"].rename(printed["year"]))
    problems += found
    ons, found = ons_codes(table["cassr_code"].rename(printed["cassr_code"]), _CODES_OF)
    problems += [*found, *name_problems(table["cassr_code"], table["printed_name"], _CODES_OF)]
    if problems:
        raise LayoutError(
            f"{path.name}: some cells are not understood.",
            problems,
            repair="Use the publisher's file unchanged.",
        )
    raise_incomplete(path.name, _incomplete(table))
    rows = values.assign(
        year=years,
        ons_code=ons,
        cassr_code=table["cassr_code"],
        name=ons.map(councils(_CODES_OF).set_index("ons_code")["name"]),
        level="council",
        return_=source.return_,
        measure="deferred_payments",
        age_band=age,
        detail=table["indicator"] + "; " + table["parent"] + "; " + table["child"] + "; " + table["period"],
        unit="agreements",
        table=path.stem,
        cell=addresses(table.index, column),
    )
    return as_returns(rows, source)


def _incomplete(table: pd.DataFrame) -> Iterator[str]:
    """Yield the councils and rows that are missing, and the rows that stand twice."""
    found = table["cassr_code"].nunique()
    if found < _AGREED:
        yield f"{found} councils, where {_AGREED} agreed to publish"
    items = table.drop(columns=["cassr_code", "printed_name", "value"])
    yield from item_problems(table["cassr_code"], items, council_names(_CODES_OF), _ITEMS)


def _years(labels: pd.Series[Any]) -> tuple[pd.Series[Any], list[str]]:
    known, problems = {}, []
    for label in labels.unique():
        try:
            known[label] = parse_year(label)
        except ClsimpactError as error:
            rows = labels.index[labels == label] + 2
            problems.append(f"column {labels.name}, row {list_some(rows, 4)}: {error.summary}")
    return labels.map(known).astype("Int64"), problems
