"""What an outcome is made of: numerator and denominator, by the names of the panel's columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clsimpact.diagnostics.setting import Setting
from clsimpact.errors import DesignError, list_some

__all__ = ["OutcomeParts", "column_words", "numbers_of", "parts_of", "require", "why_empty"]

Floats = NDArray[np.float64]

_SHARES = ("signposted", "no_service", "not_funded", "funded_narrow", "funded_mid", "funded_broad",
           "funded_author")  # fmt: skip
"""Shares of requests for support; their numerators are called ``<share>_count``."""

_AGES = {"": "population_18_plus", "_18_64": "population_18_64", "_65_plus": "population_65_plus"}
"""Age bands of outcomes, and who lives there."""

_ROUTES = ("", "_hospital", "_community")

MISSING_WORDS = {
    "not_held": "the publications that print them are not among the files held (status not_held)",
    "not_submitted": "councils did not submit them",
    "suppressed": "they are suppressed",
}


@dataclass(frozen=True)
class OutcomeParts:
    """Columns that an outcome is the ratio of.

    Attributes
    ----------
    numerator, denominator : str
    head : str
        Column of people that the denominator can be taken per head of; empty where it makes no sense.
    share_of_requests, reviews : bool
        Whether the parts are counts of requests for support, or of reviews.
    derived : bool
        Whether the numerator may be made from outcome and denominator where the panel has no such column.
    """

    numerator: str
    denominator: str
    head: str = ""
    share_of_requests: bool = False
    reviews: bool = False
    derived: bool = False


def parts_of(setting: Setting) -> OutcomeParts | None:
    """Return what the outcome is made of: as the data say in ``attrs["parts"]``, or by its name.

    Examples
    --------
    >>> from clsimpact.datasets import example_design
    >>> parts_of(Setting(example_design())) is None
    True
    """
    name = setting.design.outcome
    given = {} if setting.data is None else setting.data.attrs.get("parts", {})
    if name in given:
        numerator, denominator = given[name]
        return OutcomeParts(str(numerator), str(denominator))
    return named_parts(name)


def named_parts(name: str) -> OutcomeParts | None:
    """Return the parts of a council outcome by its name.

    Examples
    --------
    >>> found = named_parts("funded_mid_65_plus_hospital")
    >>> found.numerator, found.denominator, found.head
    ('funded_mid_count_65_plus_hospital', 'requests_65_plus_hospital', 'population_65_plus')
    >>> named_parts("gce_per_adult").denominator, named_parts("lemp") is None
    ('population_18_plus', True)
    """
    for age, people in _AGES.items():
        for route in _ROUTES:
            end = f"{age}{route}"
            base = name.removesuffix(end)
            if base + end != name:
                continue
            if base in _SHARES:
                return OutcomeParts(f"{base}_count{end}", f"requests{end}", people, True, derived=True)
            if base == "requests_per_100k":
                return OutcomeParts(f"requests{end}", people, share_of_requests=True)
            if not route and (found := _plain_parts(base, age, people)):
                return found
    return None


def _plain_parts(base: str, age: str, people: str) -> OutcomeParts | None:
    known = {
        "planned_share": OutcomeParts(
            f"planned_clients{age}", f"reviewed_clients{age}", people, reviews=True
        ),
        "planned_unplanned_ratio": OutcomeParts(
            f"planned_clients{age}", f"unplanned_clients{age}", people, reviews=True
        ),
        "gce_per_adult": OutcomeParts(f"gce_real{age}", people, derived=True),
        "gce_per_long_term_client": OutcomeParts(f"gce_real{age}", f"long_term{age}", people, derived=True),
    }
    return known.get(base)


def numbers_of(setting: Setting, column: str) -> Floats:
    """Return a column of the data as numbers, one per row of the design (n), NaN where there is none."""
    return pd.to_numeric(setting.column(column), errors="coerce").to_numpy(dtype=float, na_value=np.nan)


def column_words(setting: Setting, column: str) -> str:
    """Return what a column is called in a sentence."""
    known: dict[str, Any] = {} if setting.data is None else setting.data.attrs.get("columns", {})
    label = str(known.get(column, {}).get("label", "") or column.replace("_", " "))
    return label[0].lower() + label[1:] if label[1:2].islower() else label


def require(setting: Setting, columns: list[str]) -> None:
    """Raise `DesignError` where columns are absent, or without a number in the rows of the design."""
    lost = [column for column in columns if not setting.has(column)]
    empty = [
        column
        for column in columns
        if column not in lost and not np.isfinite(numbers_of(setting, column)).any()
    ]
    if not lost and not empty:
        return
    problems = [f"no column {column}" for column in lost]
    problems += [f"{column} has no figures here{why_empty(setting, column)}" for column in empty]
    raise DesignError(
        f"The parts of {setting.design.outcome} are not known: {list_some(lost + empty)}.",
        problems,
        repair="Hand over a panel that holds numerator and denominator.",
    )


def why_empty(setting: Setting, column: str) -> str:
    """Say why a column is empty, where its status does."""
    if not setting.has(f"{column}_status"):
        return ""
    words = setting.column(f"{column}_status").dropna().astype(str).unique()
    if len(words) != 1:
        return ""
    return f": {MISSING_WORDS.get(words[0], f'status {words[0]}')}"
