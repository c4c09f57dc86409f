"""The made-up expenditure file of 2014-15: wide, one column a council, region letters above the headings."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Final, NamedTuple

import pandas as pd

from clsimpact.simulate._finance import (
    AGES,
    CARER_SUPPORT,
    CARERS,
    OTHER,
    PURPOSES,
    REASONS,
    SETTINGS,
    Item,
    ask,
    texts,
)
from clsimpact.simulate.publication import Book, Written

__all__ = ["WIDE_SPELT", "councils_of", "write_asc_fr_2014_15", "write_rows"]

_TOTAL: Final = "Total"
_MARKS: Final = {"published": "", "not_submitted": ":"}
_LETTERS: Final = dict(
    zip(
        (f"E1200000{number}" for number in range(1, 10)),
        ("NE", "NW", "YH", "EM", "WM", "E", "L", "SE", "SW"),
        strict=True,
    )
)
_NOTES: Final = (
    "Notes",
    "SIMULATED: made up by clsimpact, not about any real council's care.",
    "Data are presented in £000's",
    ":  represents mandatory data that are unavailable.",
)

WIDE_SPELT: Final = {
    "Long term": "Long term",
    "Short term": "Short term",
    "18 to 64": "Age 18 to 64",
    "65 and over": "Age 65 and over",
    "Memory and cognition": "Support with memory and cognition",
    "Learning disability": "Learning disability support",
    "Mental health": "Mental health support",
    "Community: direct payments": "Community: Direct Payments",
    "Fairer charging income": "Fairer Charging income",
    "Social support: substance misuse": "Social Support: Substance Misuse Support",
    "Social support: asylum seeker": "Social Support: Asylum Seeker Support",
    "Social support: support to carer": "Social Support: Support to Carer ",
    "Social support: social isolation and other": "Social Support: Support for Social Isolation / Other",
    "Commissioning and service delivery": "Commissioning and service delivery ",
}
# The accounting categories in the order of the file: what is printed, measure, finance description.
_CATEGORIES: Final = (
    ("Gross total cost: own provision", "total_expenditure", "Own provision"),
    ("Gross total cost: provision by others", "total_expenditure", "Provision by others"),
    ("Gross total cost: grants to voluntary org", "total_expenditure", "Grants to voluntary organisations"),
    ("Gross total cost: total expenditure", "total_expenditure", _TOTAL),
    ("Income: client contributions", "total_income", "Client contributions"),
    ("Income: joint arrangements", "total_income", "Joint arrangements"),
    ("Income: Income from NHS", "total_income", "Income from NHS"),
    ("Income: other income", "total_income", "Other income"),
    ("Income: total", "total_income", _TOTAL),
    ("Net total expenditure", "net_total_expenditure", ""),
    ("Gross total expenditure", "gross_total_expenditure", ""),
    ("Capital charges: own provision", "capital_charges", "Own provision"),
    ("Capital charges: provision by others", "capital_charges", "Provision by others"),
    ("Net current expenditure", "net_current_expenditure", ""),
    ("Gross current expenditure", "gross_current_expenditure", ""),
    ("Gross SSMSS", "gross_ssmss", ""),
)
_FAIRER: Final = (
    "Income: client contributions",
    "Income: total",
    "Net total expenditure",
    "Net current expenditure",
    "Gross SSMSS",
)
_WIDE_ORDER: Final = (*OTHER[:2], CARERS, *OTHER[2:])


class _Line(NamedTuple):
    """One row of the wide file: its labels and the figure it holds."""

    labels: tuple[str, ...]
    item: Item


def write_asc_fr_2014_15(book: Book, folder: Path) -> list[Written]:
    """Write the expenditure file of 2014-15: a row a figure, a column a council, region letters above.

    The activity and unit cost files of that year are not written.

    Parameters
    ----------
    book
        The figures of 2014-15. What it is asked is listed at the head of this module.
    folder
        Where to write, under the official name with ``SIMULATED`` before it.

    Returns
    -------
    list of Written
        The file, the id of its made-up source, and the figures that a loader must find in it.

    Raises
    ------
    LayoutError
        If the book answers with a status that the layout has no mark for.
    """
    lines = list(_expenditure_lines())
    areas = councils_of(book)
    answers = ask(book, [line.item for line in lines], areas)
    path = folder / "SIMULATED pss-exp-eng-14-15-fin-coun-lev-exp-data.csv"
    printed = texts(answers, _MARKS, file=path.name).reshape(answers.value.shape)
    width = 5 + len(areas)
    rows: list[list[str]] = [["", "", "", "", "", *areas["region_code"].map(_LETTERS)]]
    headings = ("Support type", "Age category", "Summary", "Delivery mechanism", "Accounting category")
    columns = areas["cassr_code"] + " - " + areas["name"]
    rows.append([*headings, *columns])
    rows += [[*line.labels, *figures] for line, figures in zip(lines, printed.tolist(), strict=True)]
    rows += [[note, *[""] * (width - 1)] for note in ("", *_NOTES)]
    write_rows(path, rows, encoding="cp1252")
    figures = answers.tidy(year=book.year, table=path.stem).assign(return_="PSS-EX1")
    return [Written(path, "simulated_pss_ex1_expenditure_2014_15", figures)]


def councils_of(book: Book) -> pd.DataFrame:
    """Return the councils of a book's year by social-care code."""
    areas = book.areas()
    return areas[areas["level"] == "council"].sort_values("cassr_code")


def _expenditure_lines() -> Iterator[_Line]:
    """Yield the 2,674 rows of the expenditure file in its order."""
    reasons = (*REASONS, _TOTAL)
    for age, reason, setting in product(AGES, reasons, (*SETTINGS, "Fairer charging income", _TOTAL)):
        says = {"care_type": "Long term", "age_band": age, "primary_support_reason": reason}
        yield from _block(says | {"support_setting": setting}, setting)
    for age, reason in product(AGES, reasons):
        says = {"care_type": "Short term", "age_band": age, "primary_support_reason": reason}
        for purpose in PURPOSES if reason != _TOTAL else ():
            yield from _block(says | {"purpose": purpose}, purpose)
        yield from _block(says | {"support_setting": _TOTAL}, _TOTAL)
    for reason in _WIDE_ORDER:
        yield from _other(reason, with_parts=True)
    for reason, age in product(REASONS, AGES):
        says = {"care_type": _TOTAL, "age_band": age, "primary_support_reason": reason}
        both = {"support_setting": _TOTAL, "detail": "long and short term care"}
        yield from _block(
            says | both, "Short and long term total", asked=says, care="Non Salt Totals", tail=" "
        )
    for reason in _WIDE_ORDER:
        yield from _other(reason, with_parts=False)
    yield from _all_care()


def _other(reason: str, *, with_parts: bool) -> Iterator[_Line]:
    says = {"care_type": "Other", "primary_support_reason": reason}
    carers = reason == CARERS
    if with_parts and carers:
        for support in CARER_SUPPORT:
            yield from _block(says | {"carer_support_type": support}, support)
    elif with_parts:
        yield from _block(says, "")
    total = "carer_support_type" if carers else "support_setting"
    yield from _block(says | {total: _TOTAL}, _TOTAL)


def _all_care() -> Iterator[_Line]:
    """Yield all care, the grants that belong to no care, and what is left to pay after both."""
    every = {"care_type": _TOTAL, "primary_support_reason": _TOTAL, "support_setting": _TOTAL}
    for printed, measure, description in _CATEGORIES:
        says = every | ({"finance_description": description} if description else {})
        yield _Line(("Non Salt Totals", "", "Adult Social Care", _TOTAL, printed), Item(measure, says))
    last = every | {"care_type": "Other"}
    for name, measure in (
        ("Income from Specific and Special Grants", "specific_grants_income"),
        ("Actual total net cost", "net_total_expenditure"),
    ):
        labels = ("Non Salt Totals", "", name, _TOTAL, "Net total expenditure")
        yield _Line(labels, Item(measure, last, asked=every))


def _block(
    says: Mapping[str, str],
    delivery: str,
    *,
    asked: Mapping[str, str] | None = None,
    care: str = "",
    tail: str = "",
) -> Iterator[_Line]:
    """Yield the accounting categories of one cell."""
    of_care = care or {"Other": "Non Salt Totals"}.get(says["care_type"], says["care_type"])
    age, reason = says.get("age_band", ""), says["primary_support_reason"]
    head = (of_care, _wide(age), _wide(reason) + tail, _wide(delivery))
    for printed, measure, description in _CATEGORIES:
        if delivery == "Nursing" and printed == _CATEGORIES[0][0]:
            continue
        if delivery == "Fairer charging income" and printed not in _FAIRER:
            continue
        more = {"finance_description": description} if description else {}
        question = None if asked is None else {**asked, **more}
        yield _Line((*head, printed), Item(measure, {**says, **more}, asked=question))


def _wide(word: str) -> str:
    return WIDE_SPELT.get(word, word)


def write_rows(path: Path, rows: Sequence[Sequence[str]], *, encoding: str) -> None:
    """Write rows of texts as a CSV with the line ends of the publisher's."""
    with path.open("w", encoding=encoding, newline="") as stream:
        csv.writer(stream, lineterminator="\r\n").writerows(rows)
