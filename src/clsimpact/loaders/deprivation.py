"""English Indices of Deprivation 2015 and 2019, File 11: upper-tier local authority summaries.

Files: one workbook per release. The sheet ``Notes`` is a picture; every other sheet is one index or domain,
with a header row, one row per upper-tier authority, and columns such as ``IMD - Average score`` and ``IMD -
Rank of average score``. Units: ranks (1 is the most deprived), scores (higher is more deprived),
proportions of neighbourhoods (LSOAs), and numbers of people for the scales. Source publication: Ministry of
Housing, Communities and Local Government (2015: Department for Communities and Local Government).

``measure`` is the index or domain and the summary, for example ``imd_average_score``; ``year`` is the year
of release. Scores of the two releases are not comparable in level, ranks only among the authorities of
their own release. Codes are those of 2013 and of 2019.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pandas as pd

from clsimpact.errors import LayoutError, did_you_mean
from clsimpact.loaders._area import level_of
from clsimpact.loaders._grid import block, check_single, raise_problems, read_cells
from clsimpact.loaders.manifest import Source
from clsimpact.loaders.returns import as_returns
from clsimpact.loaders.sheets import Sheet, clean, open_workbook

__all__ = ["read"]

_SHEETS: Final = {
    "IMD": ("IMD",),
    "Income": ("Income",),
    "Employment": ("Employment",),
    "Education": ("Education, Skills and Training",),
    "Health": ("Health Deprivation and Disability",),
    "Crime": ("Crime",),
    "Barriers": ("Barriers to Housing and Services",),
    "Living": ("Living Environment",),
    "IDACI": ("IDACI", "Income Deprivation Affecting Children Index (IDACI)"),
    "IDAOPI": ("IDAOPI", "Income Deprivation Affecting Older People (IDAOPI)"),
}
"""What each sheet prints before its summaries."""

_SUMMARIES: Final = {
    "average rank": ("average_rank", "average rank"),
    "rank of average rank": ("rank_of_average_rank", "rank"),
    "average score": ("average_score", "score"),
    "rank of average score": ("rank_of_average_score", "rank"),
    "proportion of lsoas in most deprived 10% nationally": (
        "proportion_in_most_deprived_tenth",
        "proportion",
    ),
    "rank of proportion of lsoas in most deprived 10% nationally": (
        "rank_of_proportion_in_most_deprived_tenth",
        "rank",
    ),
}
_EXTENTS: Final = {
    "extent": ("extent", "proportion"),
    "rank of extent": ("rank_of_extent", "rank"),
    "local concentration": ("local_concentration", "average rank"),
    "rank of local concentration": ("rank_of_local_concentration", "rank"),
}
_SCALES: Final = {"scale": ("scale", "people"), "rank of scale": ("rank_of_scale", "rank")}
_EXTRA: Final = {"IMD": _EXTENTS, "Income": _SCALES, "Employment": _SCALES}
_AREA: Final = re.compile(r"^Upper Tier Local Authority District (code|name) \(\d{4}\)$")


def read(path: Path, source: Source) -> pd.DataFrame:
    """Read every index and domain of one release.

    Parameters
    ----------
    path
        The workbook.
    source
        Its manifest record, whose ``year`` is the year of release.

    Returns
    -------
    pandas.DataFrame
        The returns table, sheet by sheet, row by row; ``level`` is ``council`` throughout.

    Raises
    ------
    SourceError
        If the file is truncated or no workbook.
    LayoutError
        If a sheet, header, code or figure is not one of the layout.
    """
    tables = [_read_sheet(sheet, source) for sheet in open_workbook(path, lambda name: name != "Notes")]
    found = {frame["table"].iloc[0] for frame in tables}
    if found != set(_SHEETS):
        raise LayoutError(
            f"{path.name}: its sheets are not those of its layout.",
            [f"{name}: {'unknown' if name in found else 'lacking'}" for name in sorted(found ^ set(_SHEETS))],
            repair="Use the publisher's file as it is.",
        )
    return as_returns(
        pd.concat(tables, ignore_index=True).assign(year=source.year, return_=source.return_), source
    )


def _read_sheet(sheet: Sheet, source: Source) -> pd.DataFrame:
    """Read one index or domain."""
    if sheet.name not in _SHEETS:
        raise_problems(sheet, [f"unknown sheet{did_you_mean(sheet.name, list(_SHEETS))}"])
    columns, code, name = _columns_of(sheet)
    areas: dict[int, tuple[str, str, str]] = {}
    problems: list[str] = []
    for row in range(1, len(sheet.rows)):
        ons, named = clean(sheet.rows[row][code]), clean(sheet.rows[row][name])
        if level_of(ons) != "council":
            problems.append(
                f"cell {sheet.address(row, code)}: {ons!r} ({named!r}) is no code of an upper-tier authority"
            )
        areas[row] = (ons, named, "council")
    nothing = [] if areas else ["there is no area in it"]
    raise_problems(sheet, problems or nothing, "its areas are not those of its layout")
    figures = read_cells(sheet, block(sheet, areas, list(columns)), source)
    measures = pd.DataFrame.from_dict(columns, orient="index", columns=["measure", "unit"])
    places = pd.DataFrame.from_dict(areas, orient="index", columns=["ons_code", "name", "level"])
    table = figures.join(measures, on="column").join(places, on="row")
    check_single(sheet, table, ["ons_code", "measure"])
    return table.drop(columns=["row", "column", "position"])


def _columns_of(sheet: Sheet) -> tuple[dict[int, tuple[str, str]], int, int]:
    """Return measure and unit of each column of figures, and the columns of code and name."""
    known = {**_SUMMARIES, **_EXTRA.get(sheet.name, {})}
    areas: dict[str, int] = {}
    columns: dict[int, tuple[str, str]] = {}
    problems: list[str] = []
    for column, label in enumerate(sheet.labels(0)):
        area = _AREA.match(label)
        summary = _summary(label, _SHEETS[sheet.name])
        if area:
            areas[area[1]] = column
        elif summary in known:
            measure, unit = known[summary]
            columns[column] = (f"{sheet.name.casefold()}_{measure}", unit)
        else:
            nearest = did_you_mean(summary, list(known))
            problems.append(f"cell {sheet.address(0, column)}: unknown header {label!r}{nearest}")
    problems += [
        f"row 1: no header for the {part} of the area" for part in ("code", "name") if part not in areas
    ]
    found = [measure for measure, _ in columns.values()]
    for summary, (measure, _) in known.items():
        if found.count(f"{sheet.name.casefold()}_{measure}") != 1:
            problems.append(
                f"row 1: {found.count(f'{sheet.name.casefold()}_{measure}')} columns are headed {summary!r}"
            )
    raise_problems(sheet, problems, "its headers are not those of its layout")
    return columns, areas["code"], areas["name"]


def _summary(label: str, prefixes: tuple[str, ...]) -> str:
    """Return what a header says after the name of its index, whatever the release's spelling."""
    for prefix in prefixes:
        text = re.sub(rf"^{re.escape(prefix)}(?: \d{{4}})? - ", "", label, flags=re.IGNORECASE)
        text = re.sub(rf"^{re.escape(prefix)} scale$", "scale", text, flags=re.IGNORECASE)
        text = re.sub(rf"^rank of {re.escape(prefix)} scale$", "rank of scale", text, flags=re.IGNORECASE)
        if text != label:
            return text.casefold()
    return label.casefold()
