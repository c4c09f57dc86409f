"""ASCOF open data of one year as the publisher's CSV, with numerators and denominators: 2018-19 to 2023-24.

Written from what is documented of the layout: no such CSV was seen, but the 2020-21 release is held as a
workbook of the same columns (:mod:`clsimpact.loaders.ascof_open_data`), whose rules are used here:
``Geographical Code`` (CASSR code for councils), ``Geographical Description, Geographical Level, ONS Code``
(2018-19: ``ONS Area Code``), ``ASCOF Measure Code`` (measure and breakdown), ``Disaggregation Level, Measure
Type, Measure Value, Measure Group, Measure Group Description``. 2018-19 is in Windows-1252 and prints ``c``
for a withheld figure, which the manifest says.

Measures were renumbered in 2023-24, so that a code means nothing without its year: they are identified by
code, year *and* description (``ascof_measures.toml``). Units: outcomes in per cent, scores or per 100,000
people with one decimal; numerators, denominators and bases count people and are not rounded. Source
publication: NHS Digital / NHS England, *Measures from the Adult Social Care Outcomes Framework, England*,
yearly.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pandas as pd

from clsimpact.errors import LayoutError, did_you_mean, list_some
from clsimpact.geography import councils
from clsimpact.loaders._ascof import bare_code
from clsimpact.loaders._complete import council_names, lacking_areas, raise_incomplete
from clsimpact.loaders._grid import block, check_headers, open_csv, raise_problems, read_cells
from clsimpact.loaders.ascof_open_data import _areas_of, _kinds_of
from clsimpact.loaders.manifest import Source
from clsimpact.loaders.returns import as_returns
from clsimpact.loaders.sheets import Sheet, clean
from clsimpact.years import year_label

__all__ = ["read"]

_ONS_HEADINGS: Final = ("ONS Code", "ONS Area Code")
_LABELS: Final = {
    "Geographical Code": "area_code",
    "Geographical Description": "name",
    "Geographical Level": "area",
    "ONS Code": "code",
    "ASCOF Measure Code": "detail",
    "Disaggregation Level": "breakdown",
    "Measure Type": "type",
    "Measure Group": "group",
    "Measure Group Description": "description",
}
_VALUE: Final = "Measure Value"
_LEVELS: Final = {
    "council": "Council",
    "region": "Region",
    "england": "England",
    "council type": "Council Type",
}


def read(path: Path, source: Source) -> pd.DataFrame:
    """Read the ASCOF open data of one year.

    Parameters
    ----------
    path
        The CSV.
    source
        Its manifest record, which says which year it is about, its encoding and its markers.

    Returns
    -------
    pandas.DataFrame
        The returns table: ``measure`` is the lasting name of the measure, ``detail`` the published code with
        its breakdown, ``statistic`` is ``Outcome``, ``Numerator``, ``Denominator``, ``Base`` or ``Margin of
        error``. Rows as in the file.

    Raises
    ------
    SourceError
        If the file cannot be read as a CSV in its encoding.
    LayoutError
        If headers, codes, descriptions, levels, breakdowns or values are not those of the layout and year, or
        a council is missing or a row stands twice.

    Examples
    --------
    >>> from clsimpact.loaders.manifest import all_sources
    >>> read(Path("ascof.csv"), all_sources()["ascof_csv_2019_20"])
    Traceback (most recent call last):
    clsimpact.errors.SourceError: ascof.csv cannot be read as a CSV file in utf-8-sig. ...
    """
    if source.year is None:
        raise LayoutError(
            f"{path.name}: neither the file nor the manifest says which year it is about.",
            repair="Give the year in the manifest record of the file.",
        )
    sheet = open_csv(path, source)
    headings = {_ons_heading(sheet) if name == "ONS Code" else name: to for name, to in _LABELS.items()}
    *label_columns, value_column = check_headers(sheet, 0, [*headings, _VALUE])
    rows = range(1, len(sheet.rows))
    figures = read_cells(sheet, block(sheet, rows, [value_column]), source)
    cells = [[clean(sheet.rows[row][column]) for column in label_columns] for row in rows]
    labels = pd.DataFrame(cells, columns=list(headings.values()))
    labels["area"] = labels["area"].map(lambda word: _LEVELS.get(word.casefold(), word))
    bare = labels.assign(**{name: labels[name].map(bare_code) for name in ("detail", "group")})
    areas = _areas_of(sheet, labels, 0)
    raise_problems(sheet, list(_wrong_councils(areas, source.year)), "councils are not those of the year")
    kinds = _kinds_of(sheet, bare, 0, source)
    raise_incomplete(path.name, _incomplete(labels, areas, source.year))
    table = pd.concat([figures, labels[["name", "detail"]], areas, kinds], axis=1)
    table = table.drop(columns=["row", "column", "position"])
    return as_returns(table.assign(year=source.year, return_=source.return_), source)


def _ons_heading(sheet: Sheet) -> str:
    """Return how the file heads its ONS codes."""
    printed = {label.casefold() for label in sheet.labels(0)}
    return next((name for name in _ONS_HEADINGS if name.casefold() in printed), _ONS_HEADINGS[0])


def _wrong_councils(areas: pd.DataFrame, year: int) -> Iterator[str]:
    """Yield the councils whose social-care code is not in use that year or is that of another ONS code."""
    table = councils(year)
    known = dict(zip(table["cassr_code"], table["ons_code"], strict=True))
    printed = areas.loc[areas["level"] == "council", ["cassr_code", "ons_code"]].drop_duplicates()
    for row, cassr, ons in printed.itertuples():
        if cassr not in known:
            near = did_you_mean(str(cassr), list(known))
            yield f"row {row + 2}: {cassr!r} was no council's social-care code in {year_label(year)}{near}"
        elif known[cassr] != ons:
            yield f"row {row + 2}: the code {cassr} is that of {known[cassr]}, not of {ons!r}"


def _incomplete(labels: pd.DataFrame, areas: pd.DataFrame, year: int) -> Iterator[str]:
    """Yield the councils that are missing and the rows that stand twice."""
    yield from lacking_areas(areas["cassr_code"].dropna().unique(), council_names(year))
    twice = labels.duplicated(["area_code", "name", "area", "detail", "type"])
    if twice.any():
        yield f"{twice.sum()} rows stand twice (row {list_some(labels.index[twice] + 2, 4)})"
