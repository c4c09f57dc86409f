"""The sources' own words of attribution, said once each."""

from __future__ import annotations

import re
from collections.abc import Iterable

from clsimpact.years import runs

__all__ = ["condense"]

_ENDS_IN_YEAR = re.compile(r"(?P<words>.*\D)(?P<year>\d{4})\.?", re.DOTALL)


def condense(statements: Iterable[str]) -> str:
    """Join attributions into one text; those that differ in their last year only become one.

    Parameters
    ----------
    statements
        One per source; repeats are dropped, the order of first mention is kept.

    Returns
    -------
    str
        Sentences with runs of years: no year is named that no statement names.

    Examples
    --------
    >>> condense(["© Crown 2016.", "A publisher.", "© Crown 2017.", "© Crown 2018.", "© Crown 2020."])
    '© Crown 2016 to 2018 and 2020. A publisher.'
    """
    years: dict[str, list[int]] = {}
    for statement in statements:
        found = _ENDS_IN_YEAR.fullmatch(statement.strip())
        words = found["words"] if found else statement.strip()
        held = years.setdefault(words, [])
        if found and int(found["year"]) not in held:
            held.append(int(found["year"]))
    return " ".join(f"{words}{_written(sorted(held))}." if held else words for words, held in years.items())


def _written(years: list[int]) -> str:
    texts = [" to ".join(map(str, dict.fromkeys(run))) for run in runs(years)]
    return " and ".join([", ".join(texts[:-1]), texts[-1]] if len(texts) > 1 else texts)
