"""What a design can be built on, and is likely to be a slip: units written two ways, marks among years."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Final

from clsimpact.errors import SampleWarning, list_some

__all__ = ["warn_of_doubtful"]

_BLANKS: Final = str.maketrans("", "", " \t\u00a0")
_YEARS: Final = (1800, 2200)
_APART: Final = 500
"""A period so far from every year is no year."""


def warn_of_doubtful(units: Sequence[Any], periods: Sequence[int], roles: Mapping[str, str]) -> None:
    """Warn of units that differ only by blanks or capitals, and of marks for a missing year.

    Parameters
    ----------
    units, periods
        Sorted labels, each once.
    roles
        Columns by role.
    """
    alike = [" and ".join(map(repr, group)) for group in _alike(units)]
    if alike:
        name = roles["unit"]
        warnings.warn(
            f"Column {name!r} has units that differ only by blanks or capitals, and each counts as a unit of "
            f"its own: {list_some(alike, 6)}. If they are one: data[{name!r}] = data[{name!r}].str.strip(), "
            "and .str.casefold() for capitals.",
            SampleWarning,
            stacklevel=4,
        )
    marks = _marks(periods)
    if marks:
        name, years = roles["time"], [year for year in periods if year not in marks]
        warnings.warn(
            f"Column {name!r} holds {list_some(marks)}, far from the years {years[0]} to {years[-1]}, which "
            "counts as a period. If it marks a year that is not known, leave these rows out: "
            f"data[data[{name!r}].between({years[0]}, {years[-1]})].",
            SampleWarning,
            stacklevel=4,
        )


def _alike(labels: Sequence[Any]) -> list[list[Any]]:
    """Return the groups of labels that are the same text but for blanks and capitals."""
    if not any(isinstance(end, str) for end in (*labels[:1], *labels[-1:])):
        return []
    plain = [str(label).translate(_BLANKS).casefold() for label in labels]
    if len(set(plain)) == len(plain):
        return []
    groups: dict[str, list[Any]] = {}
    for text, label in zip(plain, labels, strict=True):
        groups.setdefault(text, []).append(label)
    return [group for group in groups.values() if len(group) > 1]


def _marks(periods: Sequence[int]) -> list[int]:
    """Return the periods that are no years, where most are."""
    first, last = _YEARS
    years = [period for period in periods if first <= period <= last]
    others = [period for period in periods if not first <= period <= last]
    if len(others) >= len(years):
        return []
    return [it for it in others if it < years[0] - _APART or it > years[-1] + _APART]
