"""The finance return as questions to a book: what it holds, and how the answers become tidy figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clsimpact.errors import LayoutError
from clsimpact.loaders.labels import measures
from clsimpact.loaders.returns import DIMENSIONS
from clsimpact.simulate.publication import TIDY_COLUMNS, Book

__all__ = [
    "AGES",
    "CARERS",
    "CARER_SUPPORT",
    "CURRENT_AND_TOTAL",
    "DESCRIPTIONS",
    "OTHER",
    "PURPOSES",
    "REASONS",
    "SETTINGS",
    "SUB_BANDS",
    "Answers",
    "Item",
    "activity",
    "ask",
    "cells",
    "other_cells",
    "quoted",
    "texts",
]

TOTAL: Final = "Total"
AGES: Final = ("18 to 64", "65 and over")
SUB_BANDS: Final = ("65 to 74", "75 to 84", "85 and over")
REASONS: Final = (
    "Physical support",
    "Sensory support",
    "Memory and cognition",
    "Learning disability",
    "Mental health",
)
SETTINGS: Final = (
    "Nursing",
    "Residential",
    "Supported accommodation",
    "Community: direct payments",
    "Community: home care",
    "Community: supported living",
    "Community: other long term care",
)
PURPOSES: Final = ("To maximise independence", "Other short term")
OTHER: Final = (
    "Social support: substance misuse",
    "Social support: asylum seeker",
    "Social support: social isolation and other",
    "Assistive equipment and technology",
    "Social care activities",
    "Information and early intervention",
    "Commissioning and service delivery",
)
CARERS: Final = "Social support: support to carer"
CARER_SUPPORT: Final = ("Community: direct payments", "Community: other")
CURRENT_AND_TOTAL: Final = (
    "gross_current_expenditure",
    "gross_total_expenditure",
    "net_current_expenditure",
    "net_total_expenditure",
)
DESCRIPTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "total_expenditure": ("Own provision", "Provision by others", "Grants to voluntary organisations"),
    "total_income": ("Client contributions", "Joint arrangements", "Income from NHS", "Other income"),
    "capital_charges": ("Own provision", "Provision by others"),
}
Says = dict[str, str]


@dataclass(frozen=True)
class Item:
    """One figure of every area, in the words of the returns table.

    Attributes
    ----------
    measure
        A measure of ``loaders/measures.toml``.
    says
        What the figure is broken down by, as the file says it.
    asked
        What the book is asked where that is something else.
    """

    measure: str
    says: Mapping[str, str]
    asked: Mapping[str, str] | None = None

    @property
    def question(self) -> dict[str, str]:
        """What the book is asked: whether councils must give a figure is no breakdown of it."""
        says = self.says if self.asked is None else self.asked
        return {name: word for name, word in says.items() if name != "data_type"}

    def word(self, dimension: str) -> str:
        """Return the word of a dimension, or nothing if the figure is not broken down by it."""
        return self.says.get(dimension, "")


@dataclass(frozen=True)
class Answers:
    """What a book answered: one row an item, one column an area.

    Attributes
    ----------
    items, areas
        What was asked, and for which areas.
    value, status
        Value (NaN where withheld) and status.
    """

    items: Sequence[Item]
    areas: pd.DataFrame
    value: NDArray[np.float64]
    status: NDArray[np.object_]

    def tidy(self, *, year: int, table: str) -> pd.DataFrame:
        """Return the figures in the columns of the returns table, item after item.

        Parameters
        ----------
        year
            Start year.
        table
            Name of the file without its ending.

        Returns
        -------
        pandas.DataFrame
            The columns that every writer returns; text as categories.
        """
        registry = measures()
        of_item: dict[str, list[Any]] = {
            "measure": [item.measure for item in self.items],
            "return_": [registry[item.measure]["return_"] for item in self.items],
            "unit": [registry[item.measure]["unit"] for item in self.items],
            **{name: [item.says.get(name) for item in self.items] for name in DIMENSIONS},
        }
        columns: dict[str, Any] = {"year": year, "table": table, "value": self.value.reshape(-1)}
        columns["status"] = pd.Categorical(self.status.reshape(-1))
        for name, words in of_item.items():
            columns[name] = pd.Categorical(words).repeat(len(self.areas))
        for name in ("ons_code", "cassr_code", "name", "level"):
            kinds = pd.Categorical(self.areas[name].astype("object"))
            codes = np.tile(kinds.codes, len(self.items))
            columns[name] = pd.Categorical.from_codes(codes, categories=kinds.categories)
        return pd.DataFrame(columns).reindex(columns=list(TIDY_COLUMNS))


def ask(book: Book, items: Sequence[Item], areas: pd.DataFrame) -> Answers:
    """Ask a book every item once, for all areas.

    Parameters
    ----------
    book
        The figures of one year.
    items
        What to ask.
    areas
        For which areas.

    Returns
    -------
    Answers
        The figures.
    """
    areas = areas.reset_index(drop=True)
    value = np.full((len(items), len(areas)), np.nan)
    status = np.full(value.shape, None, dtype="object")
    for place, item in enumerate(items):
        known = book.figures(item.measure, item.question, areas)
        value[place], status[place] = known.value, known.status
    return Answers(items, areas, value, status)


def texts(answers: Answers, marks: Mapping[str, str], *, file: str) -> NDArray[np.object_]:
    """Return what is printed for every figure.

    Parameters
    ----------
    answers
        The figures.
    marks
        Status to what stands for it; a status of a number has the mark ``""``.
    file
        The file, for the message.

    Returns
    -------
    numpy.ndarray
        Numbers in the fewest digits that give the same number back, and marks; one after the other.

    Raises
    ------
    LayoutError
        If the layout has no mark for a status.
    """
    status, value = answers.status.reshape(-1), answers.value.reshape(-1)
    unknown = sorted({str(word) for word in set(status.tolist()) - set(marks)})
    if unknown:
        asked = [
            item.measure
            for item, of in zip(answers.items, answers.status, strict=True)
            if set(of.tolist()) & set(unknown)
        ]
        raise LayoutError(
            f"{file}: this layout has no mark for {', '.join(unknown)}.",
            [f"answered for {name}" for name in dict.fromkeys(asked)],
            repair=f"A book may answer {', '.join(marks)} here.",
        )
    numbers = {number: repr(number).removesuffix(".0") for number in set(value[~np.isnan(value)].tolist())}
    return np.array(
        [numbers.get(number) or marks[word] for number, word in zip(value.tolist(), status, strict=True)],
        dtype="object",
    )


def cells(ages: Sequence[str], *, reasons: Sequence[str] = REASONS, totals: bool = False) -> Iterator[Says]:
    """Yield the cells of long and short term care.

    Parameters
    ----------
    ages
        Age bands.
    reasons
        Primary support reasons.
    totals
        Whether settings and purposes come with their total.

    Yields
    ------
    dict
        Dimension to word.
    """
    more = (TOTAL,) if totals else ()
    for age, reason, setting in product(ages, reasons, (*SETTINGS, *more)):
        yield {
            "care_type": "Long term",
            "age_band": age,
            "primary_support_reason": reason,
            "support_setting": setting,
        }
    for age, reason, purpose in product(ages, reasons, (*PURPOSES, *more)):
        yield {
            "care_type": "Short term",
            "age_band": age,
            "primary_support_reason": reason,
            "purpose": purpose,
        }


def other_cells(*, totals: bool = False) -> Iterator[Says]:
    """Yield the cells of other care; support to carers is broken down by what they get."""
    for reason in OTHER:
        yield {"care_type": "Other", "primary_support_reason": reason}
    for support in (*CARER_SUPPORT, TOTAL) if totals else CARER_SUPPORT:
        yield {"care_type": "Other", "primary_support_reason": CARERS, "carer_support_type": support}
    if totals:
        yield {"care_type": "Other", "primary_support_reason": TOTAL}


def activity(*, data_type: bool) -> Iterator[Item]:
    """Yield the weeks of care by age band (sub-bands too), reason, place and provision.

    Parameters
    ----------
    data_type
        Whether the file says of every item that it is mandatory or voluntary, or of voluntary items only.

    Yields
    ------
    Item
        125 items.
    """
    places = (
        ({"care_type": "Long term", "support_setting": "Nursing"}, ("External",)),
        ({"care_type": "Long term", "support_setting": "Residential"}, ("In house", "External")),
        ({"care_type": "Short term", "purpose": "To maximise independence"}, ("In house", "External")),
    )
    for age, reason, (place, provisions) in product((*AGES, *SUB_BANDS), REASONS, places):
        kind = _data_type(age, always=data_type)
        for provision in provisions:
            says = {**place, "age_band": age, "primary_support_reason": reason, "provision": provision}
            yield Item("care_weeks", says | kind)


def _data_type(age: str, *, always: bool) -> Says:
    if age in SUB_BANDS:
        return {"data_type": "Voluntary"}
    return {"data_type": "Mandatory"} if always else {}


def quoted(text: str) -> str:
    """Return a cell of a CSV: in quotation marks if it must be.

    Examples
    --------
    >>> quoted("Bristol, City of"), quoted("Leeds")
    ('"Bristol, City of"', 'Leeds')
    """
    return '"' + text.replace('"', '""') + '"' if any(mark in text for mark in ',"\r\n') else text
