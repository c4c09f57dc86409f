"""ASC-FR in long CSV files: 2015-16 (labels), 2016-17 (numeric keys) and 2017-18 (official column names).

Money is in £000 (the 2017-18 file at hand is a conversion in £ and is divided by 1,000). Sub-bands of age 65
and over are voluntary and overlap the mandatory band; rows of regions and England stand beside the councils'.
The meaning of the 2016-17 keys was decoded by joining the same item numbers of 2015-16, or by matching totals
of England with 2017-18.

Every area has every item exactly once, and every council of the year is there; the one known exception is the
Isles of Scilly, which are in none of the 2016-17 files. A file of which this does not hold is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pandas as pd

from clsimpact.errors import LayoutError, did_you_mean, list_some
from clsimpact.geography import councils, regions
from clsimpact.loaders._complete import (
    council_names,
    item_problems,
    lacking_areas,
    name_problems,
    raise_incomplete,
)
from clsimpact.loaders.csvs import (
    addresses,
    figures,
    find_columns,
    ons_codes,
    read_text_table,
    translate_column,
)
from clsimpact.loaders.labels import fold, measures
from clsimpact.loaders.manifest import Source
from clsimpact.loaders.returns import as_returns

__all__ = ["read"]

# Folded column name of each file to the returns column (or to a word in capitals that the code handles).
_LAYOUTS: Final[dict[str, dict[str, str]]] = {
    "asc_fr_activity_2015_16": {
        "uuid": "ITEM",
        "council_code": "cassr_code",
        "council_name": "name",
        "care_type": "care_type",
        "activity_provision": "provision",
        "age_bands": "age_band",
        "primary_support_reason": "primary_support_reason",
        "long_term_support_setting": "support_setting",
        "short_term_purpose": "purpose",
        "data_type": "data_type",
        "value": "care_weeks",
        "notes": "NOTES",
    },
    "asc_fr_additional_2015_16": {
        "uuid": "ITEM",
        "council_code": "cassr_code",
        "council_name": "name",
        "data_type": "data_type",
        "data_source": "DATA_SOURCE",
        "age_band": "age_band",
        "finance_type": "FINANCE_TYPE",
        "comparative_totals": "COMPARATIVE",
        "value": "additional_item",
    },
    "asc_fr_totals_2016_17": {
        "fy_ending": "FY_ENDING",
        "cassr_code": "cassr_code",
        "geography_code": "ons_code",
        "region_go_code": "REGION",
        "caretype": "care_type",
        "ageband": "age_band",
        "primarysupportreason": "primary_support_reason",
        "supportsetting": "support_setting",
        "purpose": "purpose",
        "carersupporttype": "carer_support_type",
        "datatype": "data_type",
        "totalexpenditure": "total_expenditure",
        "totalincome": "total_income",
        "nettotalexpenditure": "net_total_expenditure",
        "grosstotalexpenditure": "gross_total_expenditure",
        "netcurrentexpenditure": "net_current_expenditure",
        "grosscurrentexpenditure": "gross_current_expenditure",
    },
    "asc_fr_activity_2016_17": {
        "uuid": "ITEM",
        "fy_ending": "FY_ENDING",
        "cassr_code": "cassr_code",
        "geography_code": "ons_code",
        "region_go_code": "REGION",
        "datatype": "data_type",
        "ageband": "age_band",
        "primarysupportreason": "primary_support_reason",
        "caretype": "care_type",
        "supportsetting": "support_setting",
        "purpose": "purpose",
        "activityprovision": "provision",
        "itemvalue": "care_weeks",
    },
    "asc_fr_additional_2016_17": {
        "uuid": "ITEM",
        "fy_ending": "FY_ENDING",
        "cassr_code": "cassr_code",
        "geography_code": "ons_code",
        "region_go_code": "REGION",
        "datasource": "DATA_SOURCE",
        "datatype": "data_type",
        "ageband": "age_band",
        "financetype": "FINANCE_TYPE",
        "primarysupportreason": "primary_support_reason",
        "comparativetotals": "COMPARATIVE",
        "itemvalue": "additional_item",
    },
    "asc_fr_gce_2017_18": {
        "geography_level": "LEVEL",
        "data_level": "MEASURE",
        "fy_ending": "FY_ENDING",
        "uuid": "ITEM",
        "cassr": "cassr_code",
        "geography_code": "ons_code",
        "dh_geography_name": "name",
        "region_go_code": "REGION",
        "geography_name": "REGION_NAME",
        "dimensiongroup": "GROUP",
        "caretype": "care_type",
        "financetype": "FINANCE_TYPE",
        "financedescription": "finance_description",
        "ageband": "age_band",
        "primarysupportreason": "primary_support_reason",
        "supportsetting": "support_setting",
        "purpose": "purpose",
        "carersupporttype": "carer_support_type",
        "datatype": "data_type",
        "activityprovision": "provision",
        "comparativetotals": "COMPARATIVE",
        "datasource": "DATA_SOURCE",
        "valuetype": "VALUE_TYPE",
        "itemvalue": "gross_current_expenditure",
        "supportorcaretype": "ADDED",
    },
}

_KEYS_2016: Final[Mapping[str, Mapping[str, str]]] = {
    "age_band": {"1": "18 to 64", "2": "65 and over", "3": "65 to 74", "4": "75 to 84", "5": "85 and over"},
    "data_type": {"1": "Mandatory", "2": "Voluntary"},
    "care_type": {"2": "Long term", "3": "Other", "4": "Short term"},
    "primary_support_reason": {
        "1": "Assistive equipment and technology",
        "2": "Commissioning and service delivery",
        "3": "Information and early intervention",
        "4": "Learning disability",
        "5": "Mental health",
        "6": "Physical support",
        "7": "Sensory support",
        "8": "Social care activities",
        "9": "Social support: asylum seeker",
        "10": "Social support: substance misuse",
        "11": "Social support: social isolation and other",
        "12": "Social support: support to carer",
        "13": "Memory and cognition",
    },
    "support_setting": {
        "1": "Community: direct payments",
        "2": "Community: home care",
        "3": "Community: other long term care",
        "4": "Community: supported living",
        "5": "Key 5 (meaning not published; always 0)",
        "6": "Nursing",
        "7": "Residential",
        "9": "Supported accommodation",
    },
    "purpose": {"1": "Other short term", "2": "To maximise independence"},
    "carer_support_type": {"1": "Community: direct payments", "2": "Community: other"},
    "provision": {"2": "External", "3": "In house"},
}
_KEYS_DETAIL: Final[Mapping[str, Mapping[str, str]]] = {
    "DATA_SOURCE": {"1": "Additional data", "2": "Bridging year"},
    "FINANCE_TYPE": {"3": "Expenditure", "5": "Income"},
    "COMPARATIVE": {
        "1": "Assessment and care management",
        "2": "Community-based services",
        "3": "Direct payments",
        "4": "Fairer charging income",
        "5": "Home care services",
        "6": "Income from Better Care Fund",
        "7": "Income from specific and special grants",
        "8": "Other expenditure",
        "9": "Other non personal social services expenditure",
        "10": "Residential and nursing care",
        "12": "Income from specific and special grants (key 12)",
    },
}
_DIMENSIONS: Final = (*_KEYS_2016, "finance_description")
_DETAILS: Final = ("DATA_SOURCE", "FINANCE_TYPE", "COMPARATIVE")
# Words of the 2015-16 file that are not among those of the 2016-17 keys.
_DETAIL_WORDS: Final = ("", "-", "Number of SALT Clients")
# What a column must hold throughout, or the figures are not what the adapter takes them for.
_CONSTANTS: Final[Mapping[str, str]] = {
    "LEVEL": "Local Authority",
    "MEASURE": "Gross Current Expenditure",
    "GROUP": "Expenditure",
}
_ENGLAND: Final = "E92000001"
_ITEMS: Final[Mapping[str, int]] = {
    "asc_fr_activity_2015_16": 125,
    "asc_fr_additional_2015_16": 33,
    "asc_fr_totals_2016_17": 259,
    "asc_fr_activity_2016_17": 125,
    "asc_fr_additional_2016_17": 32,
    "asc_fr_gce_2017_18": 99,
}
"""How many rows each area has, so that a file cut between two items is not taken for a whole one."""
_ABSENT: Final[Mapping[int, tuple[str, ...]]] = {2016: ("906",)}
"""Social-care codes of councils that the files of a year leave out: the Isles of Scilly in 2016-17."""
_NO_ITEM: Final = frozenset(
    {"cassr_code", "name", "ons_code", "REGION", "REGION_NAME", "NOTES", "FY_ENDING", "LEVEL", "MEASURE"}
)
"""Columns that say which area, file or remark a row is about, not which item."""


def read(path: Path, source: Source) -> pd.DataFrame:
    """Read one long ASC-FR file.

    Parameters
    ----------
    path
        The CSV.
    source
        Its manifest record, which names the layout.

    Returns
    -------
    pandas.DataFrame
        A returns table: every printed value once, with the row and column where it stands.

    Raises
    ------
    LayoutError
        If a column, label, key or value is not known, or a council's name is not that of its code; all of
        them are listed with their places. If councils, regions or rows are missing or stand twice.
    SourceError
        If the file cannot be read as a CSV.
    """
    table = read_text_table(path, source)
    places = find_columns(table, path, _LAYOUTS[source.id])
    printed = {name: heading for name, (heading, _) in places.items()}
    table = table.rename(columns={heading: name for name, heading in printed.items()})
    year = _year(table, printed, path, source)
    labels, problems = _labels(table, printed)
    problems += _other_than_declared(table, printed)
    area, found = _areas(table, printed, year)
    problems += found
    parts = []
    for measure in (name for name in places if name in measures()):
        _, column = places[measure]
        values, found = figures(table[measure], source, _address_in(column))
        problems += found
        part = pd.concat([area, labels, values, table.filter(["NOTES"])], axis=1)
        parts.append(part.assign(measure=measure, cell=addresses(table.index, column)))
    if problems:
        raise LayoutError(
            f"{path.name}: some cells are not understood.",
            problems,
            repair="Use the publisher's file unchanged.",
        )
    raise_incomplete(path.name, _incomplete(table, year, source))
    rows = pd.concat(parts, ignore_index=True)
    return as_returns(_with_measures(rows, source).assign(year=year, table=path.stem), source)


def _incomplete(table: pd.DataFrame, year: int, source: Source) -> Iterator[str]:
    """Yield the areas and rows that are missing, and the rows that stand twice."""
    names = {code: name for code, name in council_names(year).items() if code not in _ABSENT.get(year, ())}
    areas = table["cassr_code"]
    yield from lacking_areas(areas.unique(), names)
    if _is_mixed(table):
        areas = areas.where(areas != "", table["REGION"])
        other = {**regions(), _ENGLAND: "England"}
        yield from lacking_areas(areas.unique(), other, "regions and England")
        names |= other
    items = table[[name for name in table if name not in _NO_ITEM and name not in measures()]]
    yield from item_problems(areas, items, names, _ITEMS[source.id])


def _is_mixed(table: pd.DataFrame) -> bool:
    """Only the 2016-17 files hold regions and England, as rows without a social-care code."""
    return "REGION" in table and "LEVEL" not in table


def _address_in(column: int) -> Callable[[int], str]:
    return lambda row: addresses([row], column)[0]


def _year(table: pd.DataFrame, printed: Mapping[str, str], path: Path, source: Source) -> int:
    """Return the start year: what the file says in FY_ENDING (the year it ends in), or else the manifest."""
    if "FY_ENDING" not in table:
        if source.year is None:
            raise LayoutError(f"{path.name}: neither the file nor the manifest says which year it is.")
        return source.year
    counts = table["FY_ENDING"].value_counts()
    ending = str(counts.index[0])
    if len(counts) == 1 and ending.isascii() and ending.isdigit() and len(ending) == 4:
        return int(ending) - 1
    column = table["FY_ENDING"]
    places = [
        f"{year!r} in row {list_some(column.index[column == year] + 2, 4)}" for year in sorted(counts.index)
    ]
    raise LayoutError(
        f"{path.name}: column {printed['FY_ENDING']} does not hold one year.",
        [list_some(places)],
        repair="Read the files of different years one at a time.",
    )


def _labels(table: pd.DataFrame, printed: Mapping[str, str]) -> tuple[pd.DataFrame, list[str]]:
    labels, problems = {}, []
    for dimension in _DIMENSIONS:
        if dimension in table:
            column = table[dimension].rename(printed[dimension])
            labels[dimension], found = translate_column(column, dimension, also=_KEYS_2016.get(dimension))
            problems += found
    details = []
    for name in _DETAILS:
        if name in table:
            words, found = _detail(table[name].rename(printed[name]), _KEYS_DETAIL[name])
            details.append(words)
            problems += found
    frame = pd.DataFrame(labels, index=table.index)
    if details:
        frame["detail"] = ["; ".join(filter(None, parts)) for parts in zip(*details, strict=True)]
    return frame, problems


def _detail(column: pd.Series[Any], keys: Mapping[str, str]) -> tuple[pd.Series[Any], list[str]]:
    """Return what an item of the additional data is called: what its key means, or the words as printed."""
    known = {fold(word) for word in (*keys.values(), *_DETAIL_WORDS)}
    problems = []
    words = {}
    for printed in column.unique():
        text = str(printed).strip()
        words[printed] = "" if text == "-" else keys.get(text, text)
        if text not in keys and fold(text) not in known:
            rows = list_some(column.index[column == printed] + 2, 4)
            near = did_you_mean(fold(text), sorted(known))
            problems.append(f"column {column.name}, row {rows}: {text!r} is no known item{near}")
    return column.map(words), problems


def _other_than_declared(table: pd.DataFrame, printed: Mapping[str, str]) -> Iterator[str]:
    """Yield the rows that are about something else than the adapter takes them for."""
    for name, declared in _CONSTANTS.items():
        if name in table:
            other = table.loc[table[name].map(fold) != fold(declared), name]
            for word in other.unique():
                rows = list_some(other.index[other == word] + 2, 4)
                yield f"column {printed[name]}, row {rows}: {word!r} where {declared!r} was expected"


def _areas(table: pd.DataFrame, printed: Mapping[str, str], year: int) -> tuple[pd.DataFrame, list[str]]:
    """Return level, codes and names of the area of each row."""
    is_council = table["cassr_code"] != "" if _is_mixed(table) else pd.Series(True, index=table.index)
    codes = table.loc[is_council, "cassr_code"]
    ons, problems = ons_codes(codes.rename(printed["cassr_code"]), year)
    frame = pd.DataFrame(
        {"level": "council", "ons_code": ons, "cassr_code": codes}, index=table.index
    ).astype("object")
    frame["name"] = ons.map(councils(year).set_index("ons_code")["name"])
    if "name" in table:
        problems += name_problems(codes, table["name"], year)
    if "ons_code" in table:
        wrong = table.index[frame["ons_code"].notna() & (table["ons_code"] != frame["ons_code"])]
        problems += [
            f"row {row + 2}: {printed['cassr_code']} {table.loc[row, 'cassr_code']!r} stands with "
            f"{printed['ons_code']} {table.loc[row, 'ons_code']!r}"
            for row in wrong[:5]
        ]
    if not is_council.all():
        problems += _regions(frame, table.loc[~is_council, "REGION"].rename(printed["REGION"]))
    return frame, problems


def _regions(frame: pd.DataFrame, codes: pd.Series[Any]) -> Iterator[str]:
    """Write the area of the rows that are no councils into the frame; yield the codes that are no region."""
    names = {**regions(), _ENGLAND: "England"}
    frame.loc[codes.index, "ons_code"] = codes
    frame.loc[codes.index, "name"] = codes.map(names)
    frame.loc[codes.index, "level"] = codes.eq(_ENGLAND).map({True: "england", False: "region"})
    for code in codes.unique():
        if code not in names:
            rows = list_some(codes.index[codes == code] + 2, 4)
            yield f"column {codes.name}, row {rows}: {code!r} is no region{did_you_mean(code, list(names))}"


def _with_measures(rows: pd.DataFrame, source: Source) -> pd.DataFrame:
    """Add unit and return of the measure; tell the kinds of additional items apart; convert £ to £000."""
    registry = measures()
    if "additional_item" in set(rows["measure"]):
        clients = rows["detail"].str.contains("Number of SALT Clients", regex=False)
        bridging = rows["detail"].str.contains("Bridging year", case=False, regex=False)
        rows.loc[bridging, "measure"] = "bridging_total"
        rows.loc[clients, "measure"] = "salt_clients_also_long_term"
    if source.id == "asc_fr_gce_2017_18":
        rows["value"] = rows["value"] / 1000
    if "NOTES" in rows:
        rows.loc[rows["status"].eq("published") & rows["NOTES"].eq("Estimate"), "status"] = "estimated"
    unit = {name: entry["unit"] for name, entry in registry.items()}
    rows = rows.assign(unit=rows["measure"].map(unit), return_=source.return_)
    return rows.drop(columns=[column for column in rows.columns if column.isupper()])
