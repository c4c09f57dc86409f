"""The sources' own words of attribution, said once each."""

from __future__ import annotations

import re
from collections.abc import Iterable

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
    return " ".join(f"{words}{_runs(sorted(held))}." if held else words for words, held in years.items())


def _runs(years: list[int]) -> str:
    runs: list[list[int]] = []
    for year in years:
        if runs and runs[-1][-1] == year - 1:
            runs[-1].append(year)
        else:
            runs.append([year])
    texts = [str(run[0]) if len(run) == 1 else f"{run[0]} to {run[-1]}" for run in runs]
    return " and ".join([", ".join(texts[:-1]), texts[-1]] if len(texts) > 1 else texts)
