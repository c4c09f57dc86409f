"""What to do about the data that a design cannot be built on: a sentence for each kind of problem."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

__all__ = ["repair_of"]

_REPAIRS: Final = (
    (
        r"^(time|cohort) .* holds text",
        "Write years as numbers: clsimpact.parse_year gives 2019 for '2019-20', column.astype(float) for "
        "'2019.0'.",
    ),
    (r"^cohort .* holds text", "Leave the cohort of units that are never treated empty."),
    (r"^covariate .* holds text", "A covariate is a number: make a column of 0 and 1 of each group."),
    (
        r"^(outcome|weights) .* holds text",
        "Say how missing figures are marked when you read the file (na_values=['*', '[c]']), and take out "
        "signs such as £ and commas.",
    ),
    (r"holds dates", "Take the year of the date: column.dt.year."),
    (r"^more than one row", "Keep one row per unit and period."),
    (
        r"^cohort .* (varies within|holds marks)",
        "Give each unit its first treated period in all its rows, not a mark of 0 and 1.",
    ),
    (r"does not hold whole units", "Put each unit into one group for all its rows."),
    (r"is missing( or infinite)? at", "Fill these in, or leave the rows out."),
    (
        r"is not a whole number|is beyond what",
        "Use whole numbers, such as the start year of a financial year.",
    ),
    (r"(is|are) infinite at", "Look at how these were computed; leave a cell empty if it is not known."),
    (r"are not positive", "Weights are inverse variances, such as populations: give numbers above 0."),
    (
        r"could mean never treated|is a mark for never treated",
        "Leave the cohort of units that are never treated empty.",
    ),
)
"""What a problem says (a pattern), and what to do about it."""


def repair_of(problems: Iterable[str]) -> str:
    """Say what to do about each kind of problem that there is.

    Examples
    --------
    >>> repair_of(["more than one row for Leeds in 2019"])
    'Keep one row per unit and period.'
    """
    texts = list(problems)
    found = [words for pattern, words in _REPAIRS if any(re.search(pattern, text) for text in texts)]
    return " ".join(found) or "Give one row per unit and period, numbers as numbers, and one cohort per unit."
