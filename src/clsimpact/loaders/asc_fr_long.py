"""ASC-FR in long files: 2015-16 (labels), 2016-17 (numeric keys), 2017-18 to 2023-24 (one file for all).

A file is recognised by its columns; ``asc_fr_styles.toml`` describes every style and says what it was
checked against. Money is in £000 (the 2017-18 extract at hand is a conversion in £ and is divided by
1,000). Sub-bands of age 65 and over are voluntary and overlap the mandatory band; rows of regions and
England stand beside the councils'. ``99`` is a total over a dimension, a blank says that the dimension does
not apply.

Every area of a level has every item exactly once, and every council of the year is there; the one known
exception is the Isles of Scilly, which are in none of the 2016-17 files. A file of which this does not hold
is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

import pandas as pd

from clsimpact.errors import LayoutError, list_some
from clsimpact.geography import regions
from clsimpact.loaders._asc_fr import (
    ENGLAND,
    Style,
    find_areas,
    find_details,
    find_measures,
    find_style,
    key_words,
)
from clsimpact.loaders._complete import council_names, item_problems, lacking_areas, raise_incomplete
from clsimpact.loaders._csv_categories import read_categories
from clsimpact.loaders._long_sheet import read_long_sheet
from clsimpact.loaders.csvs import addresses, figures, replace_texts, translate_column
from clsimpact.loaders.labels import fold, measures
from clsimpact.loaders.manifest import Source
from clsimpact.loaders.returns import DIMENSIONS, as_returns, concat_returns

__all__ = ["read"]

_WORDED: Final = tuple(name for name in DIMENSIONS if name not in ("detail", "statistic"))
_TOTAL: Final = {"99": "Total"}
_IN_POUNDS: Final = ("asc_fr_gce_2017_18",)
"""The third party's conversion of the 2017-18 extract."""
_ABSENT: Final[Mapping[int, tuple[str, ...]]] = {2016: ("906",)}
"""Social-care codes of councils that the files of a year leave out: the Isles of Scilly in 2016-17."""
_MADE_UP: Final = "SIM"
_NO_ITEM: Final = frozenset(
    {"cassr_code", "name", "ons_code", "REGION", "REGION_NAME", "NOTES", "FY_ENDING", "LEVEL", "VALUE"}
)
"""Columns that say which area, file or remark a row is about, not which item."""


def read(path: Path, source: Source) -> pd.DataFrame:
    """Read one long ASC-FR file.

    Parameters
    ----------
    path
        The CSV, or a workbook whose first sheet with the headings is the file.
    source
        Its manifest record.

    Returns
    -------
    pandas.DataFrame
        A returns table: every printed value once, with the row and column where it stands.

    Raises
    ------
    LayoutError
        If a column, label, key or value is not known, or a council's name is not that of its code; all of
        them are listed with their places. If councils, regions or rows are missing or stand twice. If the
        file says that it is made up and its manifest record does not.
    SourceError
        If the file cannot be read as a CSV or workbook.
    """
    table = (read_categories if path.suffix.lower() == ".csv" else read_long_sheet)(path, source)
    style, places = find_style(table, path)
    source = replace(source, markers={**style.markers, **source.markers})
    printed = {name: heading for name, (heading, _) in places.items()}
    table = table.rename(columns={heading: name for name, heading in printed.items()})
    _refuse_made_up(table, path, source)
    year = _year(table, printed, path, source)
    labels, problems = _labels(table, printed, style)
    problems += _other_than_declared(table, printed, style)
    area, found = find_areas(table, printed, year)
    problems += found
    parts = []
    for value in (name for name in places if name in measures() or name == "VALUE"):
        column = places[value][1]
        read_values, found = figures(table[value], source, _address_in(column))
        problems += found
        part = pd.concat([area, labels, read_values], axis=1)
        part["cell"] = addresses(table.index, column)
        parts.append(part if value == "VALUE" else part.assign(measure=value))
    if problems:
        raise LayoutError(
            f"{path.name}: some cells are not understood.",
            problems,
            repair="Use the publisher's file unchanged.",
        )
    raise_incomplete(path.name, _incomplete(table, area, year, style))
    return concat_returns(
        as_returns(_finished(part.assign(year=year, table=path.stem), table, source), source)
        for part in parts
    )


def _address_in(column: int) -> Callable[[int], str]:
    return lambda row: addresses([row], column)[0]


def _refuse_made_up(table: pd.DataFrame, path: Path, source: Source) -> None:
    """Refuse a file whose item numbers say that it is made up, unless its record says so too."""
    if "ITEM" not in table or source.simulated:
        return
    made_up = [text for text in table["ITEM"].cat.categories if text.upper().startswith(_MADE_UP)]
    if made_up:
        raise LayoutError(
            f"{path.name}: the file says it is made up.",
            [f"column UUID: {list_some(made_up, 3)}"],
            repair="Read made-up files with the manifest of their folder, and never beside official ones.",
        )


def _year(table: pd.DataFrame, printed: Mapping[str, str], path: Path, source: Source) -> int:
    """Return the start year: what the file says in FY_ENDING (the year it ends in), or else the manifest."""
    if "FY_ENDING" not in table:
        if source.year is None:
            raise LayoutError(
                f"{path.name}: neither the file nor the manifest says which year it is.",
                repair="State its year in the manifest.",
            )
        return source.year
    column = table["FY_ENDING"]
    counts = column.value_counts()
    ending = str(counts.index[0])
    if len(counts) == 1 and ending.isascii() and ending.isdigit() and len(ending) == 4:
        return int(ending) - 1
    places = [
        f"{year!r} in row {list_some(column.index[column == year] + 2, 4)}" for year in sorted(counts.index)
    ]
    raise LayoutError(
        f"{path.name}: column {printed['FY_ENDING']} does not hold one year.",
        [list_some(places)],
        repair="Read the files of different years one at a time.",
    )


def _labels(table: pd.DataFrame, printed: Mapping[str, str], style: Style) -> tuple[pd.DataFrame, list[str]]:
    """Return what every row is broken down by, and what it measures where the style has it in words."""
    labels, problems = {}, []
    for dimension in _WORDED:
        if dimension in table:
            column = table[dimension].rename(printed[dimension])
            keys = key_words().get(dimension, {}) if style.keys else {}
            labels[dimension], found = translate_column(column, dimension, also={**_TOTAL, **keys})
            problems += found
    if style.is_long:
        labels["measure"], found = find_measures(table, printed)
        problems += found
        if "FINANCE_TYPE" in table:  # names an item only where it does not say what is measured
            additional = labels["measure"].eq("additional_item")
            words = table["FINANCE_TYPE"].astype("object").where(additional, "").astype("category")
            table = table.assign(FINANCE_TYPE=words)
    detail, found = find_details(table, printed)
    if detail is not None:
        labels["detail"] = detail
    return pd.DataFrame(labels, index=table.index), problems + found


def _other_than_declared(table: pd.DataFrame, printed: Mapping[str, str], style: Style) -> Iterator[str]:
    """Yield the rows that are about something else than the adapter takes them for."""
    for name, declared in style.constants.items():
        column = table[name]
        for word in column.unique():
            if fold(word) != fold(declared):
                rows = list_some(column.index[column == word] + 2, 4)
                yield f"column {printed[name]}, row {rows}: {word!r} where {declared!r} was expected"


def _incomplete(table: pd.DataFrame, area: pd.DataFrame, year: int, style: Style) -> Iterator[str]:
    """Yield the areas and rows that are missing, and the rows that stand twice."""
    names = {code: name for code, name in council_names(year).items() if code not in _ABSENT.get(year, ())}
    councils = area["level"].eq("council")
    yield from lacking_areas(area["cassr_code"].dropna().unique(), names)
    values = {name for name in table if name in measures()}
    items = table[[name for name in table if name not in _NO_ITEM and name not in values]]
    codes = area["cassr_code"].astype("object").where(councils, area["ons_code"].astype("object"))
    if not councils.all():
        others = {**regions(), ENGLAND: "England"}
        yield from lacking_areas(area["ons_code"].dropna().unique(), others, "regions and England")
        names |= others
    yield from item_problems(codes, items, names, style.items)


def _finished(part: pd.DataFrame, table: pd.DataFrame, source: Source) -> pd.DataFrame:
    """Add the unit of the measure; tell the kinds of additional items apart; convert £ to £000."""
    if "additional_item" in set(part["measure"].unique()):
        measure, detail = part["measure"].astype("object"), part["detail"].astype("object").fillna("")
        clients = detail.str.contains("Number of SALT Clients", regex=False)
        bridging = detail.str.contains("Bridging year", case=False, regex=False)
        items = measure.eq("additional_item")
        measure = measure.mask(items & bridging, "bridging_total")
        part["measure"] = measure.mask(items & clients, "salt_clients_also_long_term").astype("category")
    if source.id in _IN_POUNDS:
        part["value"] = part["value"] / 1000
    if "NOTES" in table:
        status = part["status"].astype("object")
        estimated = status.eq("published") & table["NOTES"].eq("Estimate")
        part["status"] = status.mask(estimated, "estimated").astype("category")
    unit = {name: entry["unit"] for name, entry in measures().items()}
    # Read from an archive with SALT in it, the source has more than one return.
    unit_of_row = replace_texts(part["measure"].astype("category"), unit)
    return part.assign(unit=unit_of_row, return_="ASC-FR")
