"""ASCOF open data of one year, with numerators and denominators: 2020-21, version 2.

File: ``meas-from-asc-of-eng-2021-open-data-csv_v2.xlsx``. One sheet; one row per area, measure, breakdown
and statistic; columns ``Geographical Code`` (CASSR code for councils, letters for groups), ``Geographical
Description, Geographical Level, ONS Code, ASCOF Measure Code`` (measure and breakdown), ``Disaggregation
Level, Measure Type, Measure Value, Measure Group, Measure Group Description``. Units: outcomes in per cent,
scores or per 100,000 people with one decimal; numerators, denominators and bases count people and are not
rounded by the file. Source publication: NHS Digital, *Measures from the Adult Social Care Outcomes
Framework, England 2020-21*.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pandas as pd

from clsimpact.errors import LayoutError, did_you_mean
from clsimpact.loaders._area import level_of, ons_code_of
from clsimpact.loaders._ascof import AGE_BANDS, Measure, find_measure, unit_of
from clsimpact.loaders._grid import block, check_headers, check_single, raise_problems, read_cells
from clsimpact.loaders.manifest import Source
from clsimpact.loaders.returns import as_returns
from clsimpact.loaders.sheets import Sheet, clean, open_workbook

__all__ = ["read"]

_HEADERS: Final = (
    "Geographical Code",
    "Geographical Description",
    "Geographical Level",
    "ONS Code",
    "ASCOF Measure Code",
    "Disaggregation Level",
    "Measure Type",
    "Measure Group",
    "Measure Group Description",
    "Measure Value",
)
_LEVELS: Final = {
    "Council": "council",
    "Region": "region",
    "England": "england",
    "Council Type": "council_type",
}
_STATISTICS: Final = ("Outcome", "Numerator", "Denominator", "Base", "Margin Of Error")
_SUFFIXES: Final = {
    "Total": "",
    "Female": "F",
    "Male": "M",
    "18-64": "1864",
    "65 and over": "65OV",
    "64 and under": "64U",
    "65-74": "6574",
    "65-84": "6584",
    "75-84": "7584",
    "85 and over": "85OV",
}
"""What the breakdown adds to the code of the measure."""


def read(path: Path, source: Source) -> pd.DataFrame:
    """Read the ASCOF open data of one year.

    Parameters
    ----------
    path
        The workbook.
    source
        Its manifest record, which says which year it is about.

    Returns
    -------
    pandas.DataFrame
        The returns table: ``measure`` is the lasting name of the measure, ``detail`` the published code
        with its breakdown, ``statistic`` is ``Outcome``, ``Numerator``, ``Denominator``, ``Base`` or
        ``Margin of error``. Rows as in the file.

    Raises
    ------
    SourceError
        If the file is truncated or no workbook.
    LayoutError
        If headers, codes, descriptions, levels, breakdowns or values are not those of the layout.
    """
    sheet = next(iter(open_workbook(path)), None)
    if sheet is None:
        raise LayoutError(f"{path.name}: it has no sheet.", repair="Use the publisher's file as it is.")
    header = sheet.header_row("Measure Value", "ASCOF Measure Code")
    *label_columns, value_column = check_headers(sheet, header, _HEADERS)
    rows = range(header + 1, len(sheet.rows))
    figures = read_cells(sheet, block(sheet, rows, [value_column]), source)
    names = ["area_code", "name", "area", "code", "detail", "breakdown", "type", "group", "description"]
    labels = pd.DataFrame(
        [[_plain(sheet.rows[row][column]) for column in label_columns] for row in rows], columns=names
    )
    table = pd.concat(
        [
            figures,
            labels[["name", "detail"]],
            _areas_of(sheet, labels, header),
            _kinds_of(sheet, labels, header, source),
        ],
        axis=1,
    )
    check_single(sheet, table, ["ons_code", "name", "level", "detail", "statistic"])
    table = table.drop(columns=["row", "column", "position"]).assign(year=source.year, return_=source.return_)
    return as_returns(table, source)


def _plain(cell: object) -> str:
    """Return a label as text; codes that the workbook stores as numbers lose their decimal point."""
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else clean(cell)


def _areas_of(sheet: Sheet, labels: pd.DataFrame, header: int) -> pd.DataFrame:
    """Return ONS code, CASSR code and level of each row, after checking the level against the code."""
    keys = ["area_code", "name", "area", "code"]
    problems: list[str] = []
    known: list[tuple[object, ...]] = []
    for row, area_code, name, area, code in labels.drop_duplicates(keys)[keys].itertuples():
        level = level_of(ons_code_of(code), name)
        if _LEVELS.get(area) != level:
            problems.append(
                f"row {row + header + 2}: {name!r} with the code {code!r} is printed as level {area!r}"
            )
        known.append(
            (area_code, name, area, code, ons_code_of(code), area_code if level == "council" else None, level)
        )
    raise_problems(sheet, problems, "areas are not those of the layout")
    found = pd.DataFrame(known, columns=[*keys, "ons_code", "cassr_code", "level"])
    return labels[keys].merge(found, on=keys, how="left")[["ons_code", "cassr_code", "level"]]


def _kinds_of(sheet: Sheet, labels: pd.DataFrame, header: int, source: Source) -> pd.DataFrame:
    """Return measure, statistic, unit and dimensions of each row."""
    keys = ["detail", "breakdown", "type", "group", "description"]
    problems: list[str] = []
    known: list[tuple[object, ...]] = []
    for row, detail, breakdown, kind, group, description in labels.drop_duplicates(keys)[keys].itertuples():
        place = f"row {row + header + 2}"
        try:
            measure = find_measure(group, int(source.year or 0), description)
        except KeyError as error:
            problems.append(f"{place}: {error.args[0]}")
            continue
        problems += [f"{place}: {problem}" for problem in _wrong_labels(kind, breakdown, detail, group)]
        statistic = kind.replace("Margin Of Error", "Margin of error")
        age_band, gender = _dimensions(measure, breakdown)
        known.append(
            (
                detail,
                breakdown,
                kind,
                group,
                description,
                measure.name,
                statistic,
                unit_of(measure, kind),
                age_band,
                gender,
            )
        )
    raise_problems(sheet, problems, "measures are not those of the layout")
    found = pd.DataFrame(known, columns=[*keys, "measure", "statistic", "unit", "age_band", "gender"])
    return labels[keys].merge(found, on=keys, how="left")[
        ["measure", "statistic", "unit", "age_band", "gender"]
    ]


def _wrong_labels(kind: str, breakdown: str, detail: str, group: str) -> list[str]:
    """Say what is wrong with the measure type, the disaggregation level and the code that must go with it."""
    problems = (
        [] if kind in _STATISTICS else [f"unknown measure type {kind!r}{did_you_mean(kind, _STATISTICS)}"]
    )
    if breakdown not in _SUFFIXES:
        nearest = did_you_mean(breakdown, list(_SUFFIXES))
        problems.append(f"unknown disaggregation level {breakdown!r}{nearest}")
    elif detail != group + _SUFFIXES[breakdown]:
        problems.append(f"the code {detail!r} is not that of {group!r} for {breakdown!r}")
    return problems


def _dimensions(measure: Measure, breakdown: str) -> tuple[str, str]:
    """Return age band and gender; a breakdown that says nothing of age leaves the measure's own age band."""
    gender = breakdown if breakdown in ("Female", "Male") else "Total"
    return AGE_BANDS.get(breakdown, measure.age_band), gender
