"""A made-up SALT CSV in the layout of each year, 2014-15 to 2023-24.

What is documented of the layout, and what is ours. The columns are those that public code reads from the
2018-19 file; their order is not known and ours puts the area first and the value last. Headings end in
``_Key`` up to 2018-19 and not after (inferred from the ASC-FR files). 2014-15 to 2016-17 have numeric keys
with a reference data file beside them (columns ``Field, Key, Description``), later years have labels: that
choice is ours, like the table numbers of age totals (``1`` beside ``1a`` and ``1b``) and the words of
``ClientCount``. Withheld figures are ``*`` and ``:`` up to 2020-21, ``[c]`` and ``[x]`` after. Labels are
worded as in the SALT proforma, not as in the reference tables. 2014-15 has no prison route, sequel and
settings and no sequel ``100% NHS funded care``.

What is asked of the book, in the words of the returns table. Ages are ``18 to 64``, ``65 and over``,
``Total``; routes, sequels and settings are those of the reference tables with ``Total``.

- STS001 ``requests``: age_band x route_of_access x sequel (``Planned entry (transition)`` not of
  ``65 and over``)
- STS002A ``st_max_episodes_new_clients``: age_band x sequel x the 11 support reasons; from 2018-19 also
  ``st_max_clients``: age_band
- STS002B ``st_max_episodes_existing_clients``: age_band x sequel x the 11 support reasons
- LTS001A ``long_term_clients``, LTS001B ``long_term_clients_year_end``, LTS001C
  ``long_term_clients_over_12_months``: age_band x support_setting x reason group
- LTS002B ``clients_planned_reviews``, ``clients_unplanned_reviews``, ``clients_both_reviews``,
  ``clients_reviewed``, ``long_term_clients_over_12_months``: age_band
- LTS003 ``carers_supported``: age_band (Under 18, 18 to 25, 26 to 64, 65 to 84, 85 and over, Total)
  x carer_support_type

The support reasons are the eleven of the reference tables (``Physical support: access and mobility only``,
...) and ``Total``. The reason groups are ``Physical support``, ``Sensory support``, ``Memory and cognition``,
``Learning disability``, ``Mental health``, ``Social support`` and ``Total``. The route ``of which:
self-funder with 12-week disregard or deferred payment`` is asked like any other and is a part of
``Self-funder with depleted funds``; the carer support type ``Support to the cared-for person`` overlaps the
others.

Not made up: requests repeated after ST-Max (STS001 tables 2a and 2b), STS004, LTS002A, reviews by event and
sequel, LTS004, and the breakdowns by gender, ethnicity, carer status and reported health condition.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clsimpact.loaders.labels import measures
from clsimpact.simulate._salt_words import (
    AGES,
    CARER_AGES,
    CARER_SUPPORT,
    EXISTING_CLIENT_SEQUELS,
    GROUPS,
    NEW_CLIENT_SEQUELS,
    PARTS,
    REASONS,
    REQUEST_SEQUELS,
    REVIEWS,
    ROUTES,
    SETTINGS,
    TOTAL_KEY,
)
from clsimpact.simulate.publication import TIDY_COLUMNS, Book, Written
from clsimpact.store import write_bytes
from clsimpact.years import year_label

__all__ = ["write_salt_csv"]

_AREA_COLUMNS: Final = (
    *("GEOGRAPHY_LEVEL", "FY_Ending", "CASSR_CODE", "GEOGRAPHY_CODE", "DH_GEOGRAPHY_NAME"),
    *("REGION_GO_CODE", "GEOGRAPHY_NAME"),
)
_ITEM_COLUMNS: Final = ("UUID", "SHEET", "TABLE", "ADDITIONAL_CELLS", "DATA_LEVEL")
_DIMENSION_COLUMNS: Final = (
    *("DataType", "ClientType", "TableType", "AgeBand", "RouteOfAccess", "SequelToSupportRequest"),
    *("SequelToSTMax", "NoServicesProvided", "LongTermSupportSetting", "LongTermPeriod", "ShortTermPurpose"),
    *(
        "ShortTermPeriod",
        "PrimarySupportReason",
        "PrimarySupportReasonDesc",
        "CommunitySupport",
        "PrisonSupport",
    ),
    *("Gender", "EthnicityGrouping", "EthnicityDesc", "DischargeStatus", "RouteOfTransitionType"),
    *("RouteOfTransitionDesc", "AgeAtAssessment", "AgeAtTransition", "ReviewType", "SequelToReviewType"),
    *(
        "SignificantEvent",
        "MethodOfAssessment",
        "ChangeInSetting",
        "NoChangeInSetting",
        "ClientCount",
        "CarerType",
    ),
    *("CarerAgeBand", "CarerSupport", "SupportToCarerType", "SupportToCarerDesc", "StatusOfCaredForPerson"),
    *("ReportedHealthCondGroup", "ReportedHealthCondDesc", "EmploymentStatusType", "EmploymentStatusDesc"),
    *("LivingStatusType", "LivingStatusDesc"),
)
_LEVELS: Final = {"council": "Local Authority", "region": "Regional", "england": "National"}

_NOT_IN_2014: Final = ("Prison", "Long term: prison", "100% NHS funded care")
_DOCUMENTED_KEYS: Final = {
    "Learning Disability Support": 4,
    "Mental Health Support": 5,
    "Physical Support": 6,
    "Sensory Support": 7,
    "Support with Memory and Cognition": 13,
}
"""Keys of support reasons in the ASC-FR files of 2016-17; all other keys are ours."""
_FIRST_OWN_KEY: Final = {"PrimarySupportReason": 20}


@dataclass(frozen=True)
class _Item:
    """One figure of every area: what is asked of the book, and what the columns of the file say."""

    measure: str
    says: Mapping[str, str]
    sheet: str
    table: str
    cells: Mapping[str, str] = field(default_factory=dict)


def write_salt_csv(book: Book, path: Path, *, numeric_keys: bool | None = None) -> Written:
    """Write a made-up SALT CSV in the layout of the book's year.

    Parameters
    ----------
    book
        The figures of one financial year, 2014-15 to 2023-24.
    path
        Where to write. With numeric keys, ``<name> reference data.csv`` is written beside it.
    numeric_keys
        Whether dimensions hold numbers in place of labels; default: up to 2016-17.

    Returns
    -------
    Written
        The file, the id of the record whose layout it has, and its tidy figures in the order of the file.

    Raises
    ------
    KeyError
        If the book does not know a figure of this layout; the module says which are asked.
    """
    year = book.year
    with_keys = year <= 2016 if numeric_keys is None else numeric_keys
    areas = book.areas().reset_index(drop=True)
    items = [item for item in _items() if _is_published(item, year)]
    figures = [book.figures(item.measure, item.says, areas) for item in items]
    value = np.concatenate([figure.value for figure in figures])
    status = np.concatenate([figure.status for figure in figures])
    keys = _keys(items) if with_keys else {}
    suffix = "_Key" if year <= 2018 else ""
    columns = (*_AREA_COLUMNS, *_ITEM_COLUMNS, *(name + suffix for name in _DIMENSION_COLUMNS), "ITEMVALUE")
    starts = _area_cells(areas, year)
    middles = _item_cells(items, keys)
    ends = _printed(value, status, year)
    lines = [
        f"{starts[number % len(starts)]},{middles[number // len(starts)]},{end}\n"
        for number, end in enumerate(ends)
    ]
    write_bytes(path, "".join([",".join(columns), "\n", *lines]).encode())
    if with_keys:
        write_bytes(path.with_name(f"{path.stem} reference data.csv"), _reference_data(keys))
    tidy = _tidy(areas, items, value, status, year=year, stem=path.stem)
    return Written(path, _source_id(year), tidy)


def _source_id(year: int) -> str:
    """From 2018-19 to 2020-21 the file is published in a pack with the finance return."""
    kind = "csv_pack" if 2018 <= year <= 2020 else "salt"
    return f"simulated_{kind}_{year_label(year).replace('-', '_')}"


def _is_published(item: _Item, year: int) -> bool:
    """Say whether a year asks it: prison and NHS care not in 2014-15, ST-Max clients from 2018-19."""
    if item.measure == "st_max_clients":
        return year >= 2018
    asked = item.says.values()
    return year > 2014 or not any(word in _NOT_IN_2014 or word.startswith("Prison:") for word in asked)


def _items() -> Iterator[_Item]:
    """Yield every figure of the file, sheet by sheet."""
    yield from _requests()
    yield from _episodes("STS002A", "st_max_episodes_new_clients", NEW_CLIENT_SEQUELS)
    for age, printed in AGES.items():
        cells = {"AgeBand": printed, "ClientCount": "Clients"}
        yield _Item("st_max_clients", {"age_band": age}, "STS002A", f"1{PARTS[age]}", cells)
    yield from _episodes("STS002B", "st_max_episodes_existing_clients", EXISTING_CLIENT_SEQUELS)
    yield from _long_term("LTS001A", "long_term_clients")
    yield from _long_term("LTS001B", "long_term_clients_year_end")
    yield from _long_term("LTS001C", "long_term_clients_over_12_months")
    for measure, (table, count) in REVIEWS.items():
        for age, printed in AGES.items():
            cells = {"AgeBand": printed, "ClientCount": count}
            yield _Item(measure, {"age_band": age}, "LTS002B", f"{table}{PARTS[age]}", cells)
    for (age, band), (support, printed) in product(CARER_AGES.items(), CARER_SUPPORT.items()):
        says = {"age_band": age, "carer_support_type": support}
        cells = {"CarerAgeBand": band, "SupportToCarerDesc": printed}
        yield _Item("carers_supported", says, "LTS003", "1a", cells)


def _requests() -> Iterator[_Item]:
    for (age, band), (route, access), (sequel, then) in product(
        AGES.items(), ROUTES.items(), REQUEST_SEQUELS.items()
    ):
        if (age, route) == ("65 and over", "Planned entry (transition)"):
            continue  # from children's services: the return asks it of ages 18 to 64 only
        says = {"age_band": age, "route_of_access": route, "sequel": sequel}
        cells = {"AgeBand": band, "RouteOfAccess": access, "SequelToSupportRequest": then}
        yield _Item("requests", says, "STS001", f"1{PARTS[age]}", cells)


def _episodes(sheet: str, measure: str, sequels: Mapping[str, str]) -> Iterator[_Item]:
    for (age, band), (sequel, then), (reason, (group, finer)) in product(
        AGES.items(), sequels.items(), REASONS.items()
    ):
        says = {"age_band": age, "sequel": sequel, "primary_support_reason": reason}
        cells = {"AgeBand": band, "SequelToSTMax": then}
        cells |= {"PrimarySupportReason": group, "PrimarySupportReasonDesc": finer}
        yield _Item(measure, says, sheet, f"2{PARTS[age]}", cells)


def _long_term(sheet: str, measure: str) -> Iterator[_Item]:
    for (age, band), (setting, where), (reason, (group, finer)) in product(
        AGES.items(), SETTINGS.items(), GROUPS.items()
    ):
        says = {"age_band": age, "support_setting": setting, "primary_support_reason": reason}
        cells = {"AgeBand": band, "LongTermSupportSetting": where}
        cells |= {"PrimarySupportReason": group, "PrimarySupportReasonDesc": finer}
        yield _Item(measure, says, sheet, f"1{PARTS[age]}", cells)


def _keys(items: Sequence[_Item]) -> dict[str, dict[str, str]]:
    """Return a number for every label of every column: documented ones, then in order of the alphabet."""
    keys: dict[str, dict[str, str]] = {}
    for column in _DIMENSION_COLUMNS:
        labels = sorted({item.cells.get(column, "") for item in items} - {"", TOTAL_KEY})
        documented = {label: _DOCUMENTED_KEYS[label] for label in labels if label in _DOCUMENTED_KEYS}
        own = [label for label in labels if label not in documented]
        numbered = dict(zip(own, range(_FIRST_OWN_KEY.get(column, 1), int(TOTAL_KEY)), strict=False))
        if labels:
            keys[column] = {label: str(number) for label, number in {**documented, **numbered}.items()}
    return keys


def _reference_data(keys: Mapping[str, Mapping[str, str]]) -> bytes:
    """Return the reference data file, which says of itself that it is made up."""
    rows = [["Field", "Key", "Description"], ["SIMULATED", "", "made up by clsimpact"]]
    rows += [[column, key, label] for column, labels in keys.items() for label, key in labels.items()]
    return "".join(f"{_csv_line(row)}\n" for row in rows).encode()


def _csv_line(cells: Sequence[object]) -> str:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="").writerow(cells)
    return stream.getvalue()


def _area_cells(areas: pd.DataFrame, year: int) -> list[str]:
    """Return the first columns of every area. Rows of regions and England carry the region's code only."""
    lines = []
    for area in areas.astype("object").itertuples(index=False):
        if area.level == "council":
            codes = [area.cassr_code, area.ons_code, area.name, area.region_code, area.region]
        else:
            codes = ["", "", "", area.ons_code, area.name]
        lines.append(_csv_line([_LEVELS[str(area.level)], year + 1, *codes]))
    return lines


def _item_cells(items: Sequence[_Item], keys: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Return the middle columns of every item."""
    lines = []
    for number, item in enumerate(items, start=1):
        cells = [f"SIM{number:07d}", item.sheet, item.table, "", ""]
        for column in _DIMENSION_COLUMNS:
            label = item.cells.get(column, "")
            cells.append(keys[column].get(label, label) if column in keys else label)
        lines.append(_csv_line(cells))
    return lines


def _printed(value: NDArray[np.float64], status: NDArray[np.object_], year: int) -> NDArray[np.object_]:
    """Return the printed cells: numbers, and the year's markers for what is withheld."""
    suppressed, absent = ("*", ":") if year <= 2020 else ("[c]", "[x]")
    codes, numbers = pd.factorize(value)
    texts = np.array([f"{number:.15g}" for number in numbers] + [absent], dtype="object")
    return np.where(status == "suppressed", suppressed, texts[codes])


def _tidy(
    areas: pd.DataFrame,
    items: Sequence[_Item],
    value: NDArray[np.float64],
    status: NDArray[np.object_],
    *,
    year: int,
    stem: str,
) -> pd.DataFrame:
    """Return what a loader must give back: an estimate is not marked in this file."""
    registry = measures()
    words = pd.DataFrame(
        [
            {**item.says, "measure": item.measure, "table": f"{stem}: {item.sheet} {item.table}"}
            | {name: registry[item.measure][name] for name in ("unit", "return_")}
            for item in items
        ]
    )
    held = np.where(np.isnan(value), "not_submitted", "published").astype("object")
    columns: dict[str, Any] = {"year": year, "value": value}
    columns["status"] = pd.Categorical(np.where(status == "suppressed", "suppressed", held))
    for name in words:
        columns[str(name)] = _categories(words[name], np.repeat(np.arange(len(items)), len(areas)))
    for name in ("ons_code", "cassr_code", "name", "level"):
        columns[name] = _categories(areas[name], np.tile(np.arange(len(areas)), len(items)))
    return pd.DataFrame(columns).reindex(columns=list(TIDY_COLUMNS))


def _categories(words: pd.Series[Any], codes: NDArray[np.int64]) -> Any:
    once = pd.Categorical(words.astype("object"))
    return pd.Categorical.from_codes(once.codes[codes], dtype=once.dtype)
