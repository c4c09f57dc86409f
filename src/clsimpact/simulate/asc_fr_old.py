"""Made-up ASC-FR (PSS-EX1) returns in the older styles: 2014-15 wide, 2015-16 in words, 2016-17 in keys.

**What a book is asked**, in the words of :mod:`clsimpact.simulate.asc_fr_csv` (cells, measures):

*2014-15* (councils; expenditure only: the activity and unit cost files of that year are not written)
    - by finance category, for the long and short term cells with their totals, other care (each reason;
      carers by ``carer_support_type``), long and short term care together (``care_type="Total"`` with an
      age band and a reason) and all care: ``total_expenditure`` (Own provision, Provision by others, Grants
      to voluntary organisations, Total), ``total_income`` (Client contributions, Joint arrangements, Income
      from NHS, Other income, Total), ``capital_charges`` (Own provision, Provision by others),
      ``net_total_expenditure``, ``net_current_expenditure``, ``gross_total_expenditure``,
      ``gross_current_expenditure``, ``gross_ssmss``; nursing has no own provision;
    - ``support_setting="Fairer charging income"`` (long term care; by age band and reason with Total):
      ``total_income`` (Client contributions, Total), ``net_total_expenditure``,
      ``net_current_expenditure``, ``gross_ssmss``;
    - ``specific_grants_income``, once for a council.
*2015-16* (councils)
    - ``care_weeks`` as in the long file;
    - ``total_expenditure`` and ``total_income`` by finance description, the cells of long and short term
      care by the two age bands and the five reasons, other care by reason; ``gross_current_expenditure`` of
      the same cells.
*2016-17* (councils but the Isles of Scilly, regions, England)
    - ``care_weeks`` as in 2015-16;
    - ``total_expenditure``, ``total_income``, ``net_total_expenditure``, ``gross_total_expenditure``,
      ``net_current_expenditure``, ``gross_current_expenditure``: the cells and sub-bands of long and short
      term care without totals, other care by reason (carers by ``carer_support_type``).

A withheld figure must be ``not_submitted`` (``:``; a blank in the activity file of 2015-16). In 2015-16 a
figure may be ``estimated``, which the column Notes says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from clsimpact.simulate._asc_fr_wide import WIDE_SPELT, councils_of, write_asc_fr_2014_15, write_rows
from clsimpact.simulate._finance import (
    AGES,
    DESCRIPTIONS,
    REASONS,
    SUB_BANDS,
    Answers,
    Item,
    activity,
    ask,
    cells,
    other_cells,
    texts,
)
from clsimpact.simulate.publication import Book, Written

__all__ = ["write_asc_fr_2014_15", "write_asc_fr_2015_16", "write_asc_fr_2016_17"]

_TOTAL: Final = "Total"
_BLANK: Final = {"published": "", "estimated": "", "not_submitted": ""}
_COLON: Final = {"published": "", "not_submitted": ":"}
_SCILLY: Final = "906"
"""The 2016-17 files leave the Isles of Scilly out."""
_ENGLAND_LAST: Final = {"council": 0, "region": 1, "england": 2}

# --- 2015-16: rows in words

_WORDS_SPELT: Final = WIDE_SPELT | {
    "65 to 74": "Age 65 to 74",
    "75 to 84": "Age 75 to 84",
    "85 and over": "Age 85 and over",
    "Social support: support to carer": "Social Support: Support to Carer",
    "Commissioning and service delivery": "Commissioning and service delivery",
}
_ACTIVITY_2015: Final = {
    "UUID": "",
    "Council Code": "",
    "Council Name": "",
    "Care Type": "care_type",
    "Activity Provision": "provision",
    "Age Bands": "age_band",
    "Primary support reason": "primary_support_reason",
    "Long Term Support Setting": "support_setting",
    "Short Term Purpose": "purpose",
    "Data Type": "data_type",
    "Value": "",
    "Notes": "",
}
_EXPENDITURE_2015: Final = {
    "UUID": "",
    "Council Name": "",
    "Care Type": "care_type",
    "Finance Type": "",
    "Finance Description": "finance_description",
    "Age Band": "age_band",
    "Primary support reason": "primary_support_reason",
    "Long Term Support Setting": "support_setting",
    "Short Term Purpose": "purpose",
    "Carer Support Type": "carer_support_type",
    "Data Type": "data_type",
    "Value": "",
    "Notes": "",
}
_FINANCE_TYPES: Final = {
    "total_expenditure": "Expenditure",
    "total_income": "Income",
    "gross_current_expenditure": "Gross Current Expenditure",
}


def write_asc_fr_2015_16(book: Book, folder: Path) -> list[Written]:
    """Write the activity and expenditure files of 2015-16: one row a council and item, in words.

    The expenditure file of that year is known in part only: the columns after the documented ones, and where
    gross current expenditure stands, are ours.

    Parameters
    ----------
    book
        The figures of 2015-16. What it is asked is listed at the head of this module.
    folder
        Where to write, under the official names with ``SIMULATED`` before them.

    Returns
    -------
    list of Written
        The files, the ids of their made-up sources, and the figures that a loader must find in them.

    Raises
    ------
    LayoutError
        If the book answers with a status that the layout has no mark for.
    """
    areas = councils_of(book)
    made = []
    for name, source_id, items, columns, marks in (
        ("act", "activity", activity(data_type=True), _ACTIVITY_2015, _BLANK),
        ("exp", "expenditure", _expenditure_items(), _EXPENDITURE_2015, _COLON | {"estimated": ""}),
    ):
        path = folder / f"SIMULATED pss-exp-eng-15-16-fin-{name}.csv"
        answers = ask(book, list(items), areas)
        write_rows(path, _worded_rows(answers, columns, marks, path.name), encoding="utf-8")
        figures = answers.tidy(year=book.year, table=path.stem)
        made.append(Written(path, f"simulated_asc_fr_{source_id}_2015_16", figures))
    return made


def _expenditure_items() -> Iterator[Item]:
    plain = [{**says, "data_type": "Mandatory"} for says in (*cells(AGES), *other_cells())]
    for measure in ("total_expenditure", "total_income"):
        for description, says in product((*DESCRIPTIONS[measure], _TOTAL), plain):
            yield Item(measure, {**says, "finance_description": description})
    for says in plain:
        yield Item("gross_current_expenditure", says)


def _worded_rows(
    answers: Answers, columns: Mapping[str, str], marks: Mapping[str, str], file: str
) -> list[list[str]]:
    printed = texts(answers, marks, file=file).reshape(answers.value.shape)
    names = list(columns)
    areas = list(zip(answers.areas["cassr_code"], answers.areas["name"], strict=True))
    rows = [names]
    for number, item in enumerate(answers.items):
        words = {name: _worded(item.word(to)) for name, to in columns.items() if to}
        words |= {"UUID": f"SIM{number + 1:07d}", "Finance Type": _FINANCE_TYPES.get(item.measure, "")}
        for (code, name), value, status in zip(areas, printed[number], answers.status[number], strict=True):
            words["Council Code"], words["Council Name"], words["Value"] = code, name, value
            words["Notes"] = "Estimate" if status == "estimated" else ""
            rows.append([words[heading] for heading in names])
    return rows


def _worded(word: str) -> str:
    return _WORDS_SPELT.get(word, word) or "-"


# --- 2016-17: rows in numeric keys

_KEYS: Final[Mapping[str, Mapping[str, int]]] = {
    "age_band": {"18 to 64": 1, "65 and over": 2, "65 to 74": 3, "75 to 84": 4, "85 and over": 5},
    "data_type": {"Mandatory": 1, "Voluntary": 2},
    "care_type": {"Long term": 2, "Other": 3, "Short term": 4},
    "primary_support_reason": {
        "Assistive equipment and technology": 1,
        "Commissioning and service delivery": 2,
        "Information and early intervention": 3,
        "Learning disability": 4,
        "Mental health": 5,
        "Physical support": 6,
        "Sensory support": 7,
        "Social care activities": 8,
        "Social support: asylum seeker": 9,
        "Social support: substance misuse": 10,
        "Social support: social isolation and other": 11,
        "Social support: support to carer": 12,
        "Memory and cognition": 13,
    },
    "support_setting": {
        "Community: direct payments": 1,
        "Community: home care": 2,
        "Community: other long term care": 3,
        "Community: supported living": 4,
        "Key 5 (meaning not published; always 0)": 5,
        "Nursing": 6,
        "Residential": 7,
        "Supported accommodation": 9,
    },
    "purpose": {"Other short term": 1, "To maximise independence": 2},
    "carer_support_type": {"Community: direct payments": 1, "Community: other": 2},
    "provision": {"External": 2, "In house": 3},
}
_ZERO_KEY: Final = "Key 5 (meaning not published; always 0)"
_HEAD_2016: Final = ("FY_Ending", "CASSR_CODE", "GEOGRAPHY_CODE", "REGION_GO_CODE")
_ACTIVITY_2016: Final = {
    "DataType_KEY": "data_type",
    "AgeBand_KEY": "age_band",
    "PrimarySupportReason_KEY": "primary_support_reason",
    "CareType_KEY": "care_type",
    "SupportSetting_KEY": "support_setting",
    "Purpose_KEY": "purpose",
    "ActivityProvision_KEY": "provision",
}
_TOTALS_2016: Final = {
    "CareType_KEY": "care_type",
    "AgeBand_KEY": "age_band",
    "PrimarySupportReason_KEY": "primary_support_reason",
    "SupportSetting_KEY": "support_setting",
    "Purpose_KEY": "purpose",
    "CarerSupportType_KEY": "carer_support_type",
    "DataType_KEY": "data_type",
}
_MEASURES_2016: Final = (
    "total_expenditure",
    "total_income",
    "net_total_expenditure",
    "gross_total_expenditure",
    "net_current_expenditure",
    "gross_current_expenditure",
)


def write_asc_fr_2016_17(book: Book, folder: Path) -> list[Written]:
    """Write the activity and totals files of 2016-17: one row an area and item, in numeric keys.

    Regions and England stand below the councils without a social-care code. The Isles of Scilly are left out,
    as in the publication.

    Parameters
    ----------
    book
        The figures of 2016-17. What it is asked is listed at the head of this module.
    folder
        Where to write, under the official names with ``SIMULATED`` before them.

    Returns
    -------
    list of Written
        The files, the ids of their made-up sources, and the figures that a loader must find in them.

    Raises
    ------
    LayoutError
        If the book answers with a status that the layout has no mark for.
    """
    areas = book.areas()
    areas = areas[areas["level"].isin(list(_ENGLAND_LAST)) & areas["cassr_code"].ne(_SCILLY)]
    order = areas.assign(last=areas["level"].map(_ENGLAND_LAST)).sort_values(["last", "cassr_code"])
    areas = areas.loc[order.index]
    return [_activity_2016(book, areas, folder), _totals_2016(book, areas, folder)]


def _activity_2016(book: Book, areas: pd.DataFrame, folder: Path) -> Written:
    path = folder / "SIMULATED CSV ASCFR Activity.csv"
    answers = ask(book, list(activity(data_type=True)), areas)
    printed = texts(answers, _COLON, file=path.name).reshape(answers.value.shape)
    rows = [["UUID", *_HEAD_2016, *_ACTIVITY_2016, "ItemValue"]]
    for number, item in enumerate(answers.items):
        keys = [_key(to, item.word(to)) for to in _ACTIVITY_2016.values()]
        for head, value in zip(_heads_2016(areas, book.year), printed[number], strict=True):
            rows.append([f"SIM{number + 1:07d}", *head, *keys, value])
    write_rows(path, rows, encoding="utf-8")
    return Written(path, "simulated_asc_fr_activity_2016_17", answers.tidy(year=book.year, table=path.stem))


def _totals_2016(book: Book, areas: pd.DataFrame, folder: Path) -> Written:
    path = folder / "SIMULATED CSV ASCFR Totals.csv"
    says = list(_cells_2016())
    answers = _with_zero_key(
        book, [Item(measure, cell) for measure in _MEASURES_2016 for cell in says], areas
    )
    printed = texts(answers, _COLON, file=path.name).reshape(len(_MEASURES_2016), len(says), len(areas))
    rows = [[*_HEAD_2016, *_TOTALS_2016, *(name.replace("_", "").upper() for name in _MEASURES_2016)]]
    for number, cell in enumerate(says):
        keys = [_key(to, cell.get(to, "")) for to in _TOTALS_2016.values()]
        for head, values in zip(_heads_2016(areas, book.year), printed[:, number].T, strict=True):
            rows.append([*head, *keys, *values])
    write_rows(path, rows, encoding="utf-8")
    return Written(path, "simulated_asc_fr_totals_2016_17", answers.tidy(year=book.year, table=path.stem))


def _cells_2016() -> Iterator[dict[str, str]]:
    """Yield the 259 cells: those of long and short term care by every age band, and other care."""
    for says in cells((*AGES, *SUB_BANDS)):
        yield {**says, "data_type": "Voluntary" if says["age_band"] in SUB_BANDS else "Mandatory"}
    for age, reason in product((*AGES, *SUB_BANDS), REASONS):
        says = {"care_type": "Long term", "age_band": age, "primary_support_reason": reason}
        kind = "Voluntary" if age in SUB_BANDS else "Mandatory"
        yield {**says, "support_setting": _ZERO_KEY, "data_type": kind}
    for says in other_cells():
        yield {**says, "data_type": "Mandatory"}


def _with_zero_key(book: Book, items: list[Item], areas: pd.DataFrame) -> Answers:
    """Ask a book everything but the key that is always 0."""
    zero = np.array([item.word("support_setting") == _ZERO_KEY for item in items])
    asked = ask(book, [item for item, known in zip(items, zero, strict=True) if not known], areas)
    value = np.zeros((len(items), len(areas)))
    status = np.full(value.shape, "published", dtype="object")
    value[~zero], status[~zero] = asked.value, asked.status
    return Answers(items, asked.areas, value, status)


def _heads_2016(areas: pd.DataFrame, year: int) -> Iterator[list[str]]:
    for area in areas.itertuples():
        if area.level == "council":
            yield [str(year + 1), str(area.cassr_code), str(area.ons_code), str(area.region_code)]
        else:
            yield [str(year + 1), "", "", str(area.ons_code)]


def _key(dimension: str, word: str) -> str:
    return str(_KEYS[dimension][word]) if word else ""
