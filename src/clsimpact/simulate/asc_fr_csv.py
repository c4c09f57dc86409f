"""Made-up ASC-FR returns as one long file: 2017-18 (.xlsb) and 2018-19 to 2023-24 (.csv).

**What a book is asked.** Every question is about one measure and one combination of words, for all areas of
the book's year (``book.areas()``: England, regions, councils). Money is in £000 and may be negative. A
withheld figure must be ``suppressed`` or ``not_submitted``: the long file has no mark for anything else. In
the words of the returns table:

*Cells*
    - long term care: ``care_type="Long term"``, ``age_band`` (18 to 64, 65 and over, Total),
      ``primary_support_reason`` (Physical support, Sensory support, Memory and cognition, Learning
      disability, Mental health, Total) and ``support_setting`` (Nursing, Residential, Supported
      accommodation, Community: direct payments, Community: home care, Community: supported living,
      Community: other long term care, Total);
    - short term care: ``care_type="Short term"``, ``age_band`` and ``primary_support_reason`` as above,
      ``purpose`` (To maximise independence, Other short term, Total);
    - other care: ``care_type="Other"``, ``primary_support_reason`` (Social support: substance misuse,
      Social support: asylum seeker, Social support: social isolation and other, Social support: support to
      carer, Assistive equipment and technology, Social care activities, Information and early intervention,
      Commissioning and service delivery, Total); support to carers also by ``carer_support_type``
      (Community: direct payments, Community: other, Total);
    - all care: ``care_type``, ``age_band``, ``primary_support_reason`` and ``support_setting`` all Total.
*Sub-bands* (voluntary)
    - long and short term cells without totals, with ``age_band`` 65 to 74, 75 to 84, 85 and over.
*Measures*
    - ``gross_current_expenditure``, ``gross_total_expenditure``, ``net_current_expenditure``,
      ``net_total_expenditure``: all cells and sub-bands;
    - ``total_expenditure`` with ``finance_description`` Own provision, Provision by others, Grants to
      voluntary organisations, Total; ``total_income`` with Client contributions, Joint arrangements, Income
      from NHS, Other income, Total; ``capital_charges`` with Own provision, Provision by others, Total: the
      cells without totals, each care type by age band with the rest Total, other care in total, and all
      care (of the sub-bands only ``finance_description="Total"`` of the first two);
    - ``care_weeks``: ``care_type="Long term"`` with ``support_setting`` Nursing (``provision`` External) or
      Residential (In house, External), and ``care_type="Short term"`` with ``purpose`` To maximise
      independence (In house, External), by age band (with sub-bands, without Total) and the five reasons;
    - ``unit_cost``: ``care_type="Long term"``, ``support_setting`` Nursing, Residential, Residential and
      nursing, by the two age bands and Total and the five reasons and Total, ``provision="Total"``; and
      Residential by ``provision`` In house and External, by age band, reason Total;
    - ``home_care_hourly_rate``: ``support_setting="Community: home care"``, ``provision`` In house,
      External.

``data_type`` is in the file and never asked. With ``rows="study"`` only ``gross_current_expenditure`` is
asked, for all cells and no sub-bands. The years before are in :mod:`clsimpact.simulate.asc_fr_old`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import pandas as pd

from clsimpact.simulate._finance import (
    AGES,
    CURRENT_AND_TOTAL,
    DESCRIPTIONS,
    REASONS,
    SUB_BANDS,
    Answers,
    Item,
    activity,
    ask,
    cells,
    other_cells,
    quoted,
    texts,
)
from clsimpact.simulate.publication import Book, Written
from clsimpact.simulate.xlsb import write_xlsb
from clsimpact.years import year_label

__all__ = ["write_asc_fr_long"]

_FIRST_YEAR: Final = 2017
_LAST_KEY_YEAR: Final = 2018
"""The last year in which the columns end in ``_Key``."""
_PACK_YEARS: Final = (2018, 2019, 2020)
"""The years in which the file lies in an archive with the SALT file."""
_TOTAL: Final = "Total"
_MARKS: Final = {"published": "", "not_submitted": ":", "suppressed": "*"}
_LEVELS: Final = {"england": "National", "region": "Regional", "council": "Local Authority"}
# DATA_LEVEL, DimensionGroup, FinanceType and ValueType of each measure.
_QUANTITIES: Final[Mapping[str, tuple[str, str, str, str]]] = {
    "gross_current_expenditure": ("Gross Current Expenditure", "Expenditure", "", ""),
    "gross_total_expenditure": ("Gross Total Expenditure", "Expenditure", "", ""),
    "net_current_expenditure": ("Net Current Expenditure", "Expenditure", "", ""),
    "net_total_expenditure": ("Net Total Expenditure", "Expenditure", "", ""),
    "total_expenditure": ("Total Expenditure", "Expenditure", "Expenditure", ""),
    "total_income": ("Total Income", "Expenditure", "Income", ""),
    "capital_charges": ("Capital Charges", "Expenditure", "Capital Charges", ""),
    "care_weeks": ("Activity", "Activity", "", ""),
    "unit_cost": ("Unit Cost", "Unit Cost", "", ""),
    "home_care_hourly_rate": ("Unit Cost", "Unit Cost", "", "Hourly Rate"),
}
_COLUMNS: Final = {
    "CareType": "care_type",
    "FinanceType": "",
    "FinanceDescription": "finance_description",
    "AgeBand": "age_band",
    "PrimarySupportReason": "primary_support_reason",
    "SupportSetting": "support_setting",
    "Purpose": "purpose",
    "CarerSupportType": "carer_support_type",
    "DataType": "data_type",
    "ActivityProvision": "provision",
    "ComparativeTotals": "",
    "DataSource": "",
    "ValueType": "",
}
"""The columns of a row's words in the order of the file, and the dimension that each holds."""
_SPELT: Final = {
    "Total": "99",
    "Long term": "Long Term Care",
    "Short term": "Short Term Care",
    "65 and over": "65 and Over",
    "85 and over": "85 and Over",
    "Physical support": "Physical Support",
    "Sensory support": "Sensory Support",
    "Memory and cognition": "Support with Memory and Cognition",
    "Learning disability": "Learning Disability Support",
    "Mental health": "Mental Health Support",
    "Residential and nursing": "Residential and Nursing",
    "Supported accommodation": "Supported Accommodation",
    "Community: direct payments": "Community: Direct Payments",
    "Community: home care": "Community: Home Care",
    "Community: supported living": "Community: Supported Living",
    "Community: other long term care": "Community: Other Long Term Care",
    "Community: other": "Community: Other",
    "To maximise independence": "To Maximise Independence",
    "Other short term": "Other Short Term",
    "Social support: substance misuse": "Social Support: Substance Misuse Support",
    "Social support: asylum seeker": "Social Support: Asylum Seeker Support",
    "Social support: social isolation and other": "Social Support: Support for Social Isolation/Other",
    "Social support: support to carer": "Social Support: Support to Carer",
    "Assistive equipment and technology": "Assistive Equipment and Technology",
    "Social care activities": "Social Care Activities",
    "Information and early intervention": "Information and Early Intervention",
    "Commissioning and service delivery": "Commissioning and Service Delivery",
    "Own provision": "Own Provision",
    "Provision by others": "Provision by Others",
    "Grants to voluntary organisations": "Grants to Voluntary Organisations",
    "Client contributions": "Client Contributions",
    "Joint arrangements": "Joint Arrangements",
    "Other income": "Other Income",
    "In house": "In House",
}
"""Words of the returns table that the file spells otherwise, like the 2017-18 extract and later tables."""


def write_asc_fr_long(book: Book, path: Path, *, rows: Literal["study", "all"] = "all") -> Written:
    """Write the long finance file of one year: a workbook for 2017-18, a CSV from 2018-19 on.

    Parameters
    ----------
    book
        The figures of the year. What it is asked is listed at the head of this module.
    path
        Where to write.
    rows
        ``"all"``: a file of its real size, about 500,000 rows. ``"study"``: gross current expenditure only.

    Returns
    -------
    Written
        The file, the id of its made-up source, and the figures that a loader must find in it.

    Raises
    ------
    LayoutError
        If the book answers with a status that the layout has no mark for.
    ValueError
        If the finance return of the year has another layout.
    """
    if book.year < _FIRST_YEAR:
        raise ValueError(f"The finance return of {year_label(book.year)} is no long file.")
    items = list(_study() if rows == "study" else _every())
    areas = book.areas()
    answers = ask(book, items, areas[areas["level"].isin(list(_LEVELS))])
    table = _table(answers, book.year, path.name)
    if book.year == _FIRST_YEAR:
        label = year_label(book.year)
        table["ITEMVALUE"] = _numbers(table["ITEMVALUE"])
        write_xlsb(table, path, sheet="SIMULATED", title=f"SIMULATED: ASC-FR {label}, made up by clsimpact")
    else:
        _write_csv(table, path)
    tag = year_label(book.year).replace("-", "_")
    source_id = f"csv_pack_{tag}" if book.year in _PACK_YEARS else f"asc_fr_{tag}"
    return Written(path, f"simulated_{source_id}", answers.tidy(year=book.year, table=path.stem))


def _study() -> Iterator[Item]:
    every = dict.fromkeys(("care_type", "age_band", "primary_support_reason", "support_setting"), _TOTAL)
    with_totals = cells((*AGES, _TOTAL), reasons=(*REASONS, _TOTAL), totals=True)
    for says in (*with_totals, *other_cells(totals=True), every):
        yield Item("gross_current_expenditure", says)


def _every() -> Iterator[Item]:
    """Yield every item of the file."""
    with_totals = [item.says for item in _study()]
    for measure, says in product(CURRENT_AND_TOTAL, with_totals):
        yield Item(measure, says)
    plain = (*cells(AGES), *other_cells(), *(says for says in with_totals if _is_summary(says)))
    for measure, descriptions in DESCRIPTIONS.items():
        for description, says in product((*descriptions, _TOTAL), plain):
            yield Item(measure, {**says, "finance_description": description})
    voluntary = [{**says, "data_type": "Voluntary"} for says in cells(SUB_BANDS)]
    for measure, says in product(CURRENT_AND_TOTAL, voluntary):
        yield Item(measure, says)
    for measure, says in product(("total_expenditure", "total_income"), voluntary):
        yield Item(measure, {**says, "finance_description": _TOTAL})
    yield from activity(data_type=False)
    yield from _unit_costs()


def _is_summary(says: Mapping[str, str]) -> bool:
    """Say whether a cell is one care type, perhaps by age band, with everything else in total."""
    return all(says.get(name, _TOTAL) == _TOTAL for name in says if name not in ("care_type", "age_band"))


def _unit_costs() -> Iterator[Item]:
    long = {"care_type": "Long term"}
    ages, reasons = (*AGES, _TOTAL), (*REASONS, _TOTAL)
    for setting, age, reason in product(("Nursing", "Residential", "Residential and nursing"), ages, reasons):
        says = {**long, "support_setting": setting, "age_band": age, "primary_support_reason": reason}
        yield Item("unit_cost", {**says, "provision": _TOTAL})
    for provision, age in product(("In house", "External"), ages):
        says = {**long, "support_setting": "Residential", "age_band": age, "primary_support_reason": _TOTAL}
        yield Item("unit_cost", {**says, "provision": provision})
    for provision in ("In house", "External"):
        yield Item(
            "home_care_hourly_rate", {"support_setting": "Community: home care", "provision": provision}
        )


def _table(answers: Answers, year: int, file: str) -> pd.DataFrame:
    """Return the file as texts, column by column: the same item of all areas, then the next item."""
    areas, items = answers.areas, answers.items
    council = areas["level"].eq("council")
    region = areas["region_code"].where(council, areas["ons_code"])
    of_area = {
        "GEOGRAPHY_LEVEL": areas["level"].map(_LEVELS),
        "CASSR": areas["cassr_code"].fillna(""),
        "GEOGRAPHY_CODE": areas["ons_code"],
        "DH_GEOGRAPHY_NAME": areas["name"],
        "REGION_GO_CODE": region,
        "GEOGRAPHY_NAME": areas["region"].where(council, areas["name"]),
    }
    levels, groups, kinds, types = zip(*(_QUANTITIES[item.measure] for item in items), strict=True)
    of_item: dict[str, Sequence[str]] = {
        "DATA_LEVEL": levels,
        "UUID": [f"SIM{number:07d}" for number in range(1, len(items) + 1)],
        "DimensionGroup": groups,
        **{name: [_spelt(item.word(to)) for item in items] for name, to in _COLUMNS.items()},
    }
    of_item |= {"FinanceType": kinds, "ValueType": types}
    columns: dict[str, Any] = {}
    for name, words in of_area.items():
        coded = pd.Categorical(words.astype("object"))
        columns[name] = pd.Categorical.from_codes(
            np.tile(coded.codes, len(items)), categories=coded.categories
        )
    for name, spelt in of_item.items():
        columns[name] = pd.Categorical(list(spelt)).repeat(len(areas))
    rows = len(items) * len(areas)
    columns["FY_ENDING"] = pd.Categorical([str(year + 1)]).repeat(rows)
    columns["ITEMVALUE"] = pd.Categorical(texts(answers, _MARKS, file=file))
    table = pd.DataFrame(columns)[list(_order())]
    if year <= _LAST_KEY_YEAR:
        table = table.rename(columns={name: f"{name}_Key" for name in _COLUMNS})
    return table


def _order() -> Iterator[str]:
    yield from ("GEOGRAPHY_LEVEL", "DATA_LEVEL", "FY_ENDING", "UUID", "CASSR", "GEOGRAPHY_CODE")
    yield from ("DH_GEOGRAPHY_NAME", "REGION_GO_CODE", "GEOGRAPHY_NAME", "DimensionGroup")
    yield from _COLUMNS
    yield "ITEMVALUE"


def _spelt(word: str) -> str:
    return _SPELT.get(word, word)


def _numbers(texts_of_values: pd.Series) -> pd.Categorical:
    """Return the cells of a workbook: numbers as numbers, marks as text."""
    marks = set(_MARKS.values())
    values = pd.Categorical(texts_of_values)
    cells_of = [word if word in marks else float(word) for word in values.categories]
    return pd.Categorical.from_codes(values.codes, categories=pd.Index(cells_of, dtype="object"))


def _write_csv(table: pd.DataFrame, path: Path) -> None:
    """Write categories of text as a CSV: each text is put in quotation marks once, if it must be."""
    columns = []
    for name in table:
        words = np.array([quoted(str(word)) for word in table[name].cat.categories], dtype="object")
        columns.append(words[table[name].cat.codes].tolist())
    with path.open("w", encoding="utf-8", newline="") as stream:
        stream.write(",".join(map(quoted, table.columns)) + "\n")
        stream.writelines(f"{line}\n" for line in map(",".join, zip(*columns, strict=True)))
