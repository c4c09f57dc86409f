"""ASCOF outcomes 2017-18 to 2023-24: the yearly open-data files joined by a third party.

File: ``trend_data.csv``. One row per year, area and measure, outcomes only (no numerators); columns ``Year,
Geographical Description, ONS Code, Measure Group, Measure Group Description, Measure_Value, Geographical
Level, Disaggregation Level, Measure Type``. Units: those of the outcome (per cent, score, or per 100,000
people). Source publication: NHS Digital / NHS England, *Measures from the Adult Social Care Outcomes
Framework, England*, yearly.

What to know. Suppressed and missing outcomes were left out when the files were joined, so an absent row
does not say why it is absent. Codes were reshuffled in 2023-24: measures are identified by code, year *and*
description (``ascof_measures.toml``). The rows of 2023-24 have no ``Disaggregation Level`` and ``Measure
Type``; their measures, values and numbers show that they are outcomes over all ages and genders as in the
other years. Council types carry a blank or ``-`` instead of an ONS code, and their names change over the
years.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pandas as pd

from clsimpact.errors import ClsimpactError
from clsimpact.loaders._area import level_of, ons_code_of
from clsimpact.loaders._ascof import find_measure
from clsimpact.loaders._grid import block, check_headers, check_single, open_csv, raise_problems, read_cells
from clsimpact.loaders.manifest import Source
from clsimpact.loaders.returns import as_returns
from clsimpact.loaders.sheets import Sheet, clean
from clsimpact.years import parse_year

__all__ = ["read"]

_HEADERS: Final = (
    "Year",
    "Geographical Description",
    "ONS Code",
    "Measure Group",
    "Measure Group Description",
    "Geographical Level",
    "Disaggregation Level",
    "Measure Type",
    "Measure_Value",
)
_LEVELS: Final = {
    "council": "council",
    "region": "region",
    "england": "england",
    "council type": "council_type",
}
_BLANK_KINDS_IN: Final = 2023  # the year whose rows have no disaggregation level and measure type


def read(path: Path, source: Source) -> pd.DataFrame:
    """Read the joined ASCOF outcomes.

    Parameters
    ----------
    path
        ``trend_data.csv``.
    source
        Its manifest record.

    Returns
    -------
    pandas.DataFrame
        The returns table: ``measure`` is the lasting name of the measure and ``detail`` the code published
        in that year, ``statistic`` is ``Outcome``, ``return_`` is ``ASCOF``. Rows as in the file.

    Raises
    ------
    SourceError
        If the file cannot be read as CSV.
    LayoutError
        If headers, codes, descriptions, levels or values are not those of the layout, or an outcome is
        listed twice.
    """
    sheet = open_csv(path, source)
    *label_columns, value_column = check_headers(sheet, 0, _HEADERS)
    figures = read_cells(sheet, block(sheet, range(1, len(sheet.rows)), [value_column]), source)
    labels = pd.DataFrame(
        [[clean(row[column]) for column in label_columns] for row in sheet.rows[1:]],
        columns=["label_year", "name", "code", "group", "description", "area", "breakdown", "type"],
    )
    kinds = _measures_of(sheet, labels)
    areas = _areas_of(sheet, labels)
    table = pd.concat([figures, labels[["name"]], kinds, areas], axis=1).assign(
        gender="Total", statistic="Outcome", return_=source.return_
    )
    check_single(sheet, table, ["year", "ons_code", "name", "level", "measure"])
    wanted = ["row", "column", "position"]
    return as_returns(table.drop(columns=wanted), source)


def _measures_of(sheet: Sheet, labels: pd.DataFrame) -> pd.DataFrame:
    """Return year, measure, detail, unit and age band of each row."""
    keys = ["label_year", "group", "description", "breakdown", "type"]
    problems: list[str] = []
    known: list[dict[str, object]] = []
    combinations = labels.drop_duplicates(keys)
    for row, year_text, group, description, breakdown, kind in combinations[keys].itertuples():
        record: dict[str, object] = dict(
            zip(keys, (year_text, group, description, breakdown, kind), strict=True)
        )
        try:
            year = parse_year(year_text)
            measure = find_measure(group, year, description)
        except (ClsimpactError, KeyError) as error:
            problems.append(f"row {row + 2}: {_text(error)}")
            continue
        if (breakdown, kind) != (("", "") if year == _BLANK_KINDS_IN else ("Total", "Outcome")):
            problems.append(f"row {row + 2}: {breakdown!r}, {kind!r} where only total outcomes are expected")
        record |= {
            "year": year,
            "measure": measure.name,
            "detail": group,
            "unit": measure.unit,
            "age_band": measure.age_band,
        }
        known.append(record)
    raise_problems(sheet, problems, "measures are not those of the layout")
    return labels[keys].merge(pd.DataFrame(known), on=keys, how="left")[
        ["year", "measure", "detail", "unit", "age_band"]
    ]


def _areas_of(sheet: Sheet, labels: pd.DataFrame) -> pd.DataFrame:
    """Return ONS code and level of each row, after checking the level against the code."""
    problems: list[str] = []
    known: list[dict[str, object]] = []
    keys = ["code", "name", "area"]
    for row, code, name, area in labels.drop_duplicates(keys)[keys].itertuples():
        level = level_of(ons_code_of(code), name)
        if _LEVELS.get(area.casefold()) != level:
            problems.append(f"row {row + 2}: {name!r} with the code {code!r} is printed as level {area!r}")
        known.append(
            {"code": code, "name": name, "area": area, "ons_code": ons_code_of(code), "level": level}
        )
    raise_problems(sheet, problems, "areas are not those of the layout")
    return labels[keys].merge(pd.DataFrame(known), on=keys, how="left")[["ons_code", "level"]]


def _text(error: Exception) -> str:
    """Return the message of an error without the quotes that KeyError adds."""
    return error.summary if isinstance(error, ClsimpactError) else str(error.args[0])
