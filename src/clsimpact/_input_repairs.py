"""What to do about the data that a design cannot be built on: a sentence for each kind of problem."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

__all__ = ["repair_of"]

_REPAIRS: Final = (
    (
        r"^(time|cohort) .* holds text",
        'Write years as numbers: column.map(clsimpact.parse_year, na_action="ignore") gives 2019 for '
        "'2019-20' and leaves empty cells empty, column.astype(float) is for '2019.0'.",
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


_DECIMAL_COMMA: Final = re.compile(
    r"holds text.*'\s*[-+−£€]?\s*(\d+,(\d{1,2}|\d{4,})|0+,\d+|\d{1,3}(\.\d{3})+,\d+)\s*[%€]?\s*'"
)
"""Text such as ``'32,9'`` or ``'1.234,5'``; ``'1,200'`` has a comma of thousands."""

_DECIMAL_WORDS: Final = (
    "Commas stand where decimal points do in Python: read the file with pandas.read_csv(path, "
    'decimal=","), with sep=";" where cells are separated by semicolons, and with thousands="." only where '
    "every point is one of thousands. To take the commas out would give other numbers."
)


def repair_of(problems: Iterable[str]) -> str:
    """Say what to do about each kind of problem that there is.

    Examples
    --------
    >>> repair_of(["more than one row for Leeds in 2019"])
    'Keep one row per unit and period.'
    >>> repair_of(["outcome 'cost' holds text, not numbers, at Leeds in 2019: '32,9'"])[:52]
    'Commas stand where decimal points do in Python: read'
    """
    texts = list(problems)
    commas = [text for text in texts if _DECIMAL_COMMA.search(text)]
    texts = [text for text in texts if text not in commas]
    found = [words for pattern, words in _REPAIRS if any(re.search(pattern, text) for text in texts)]
    found = [_DECIMAL_WORDS, *found] if commas else found
    return " ".join(found) or "Give one row per unit and period, numbers as numbers, and one cohort per unit."
