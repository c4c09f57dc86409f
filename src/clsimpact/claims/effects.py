"""The number that a test of a claim looks at: an average over a window of a path, or a change between two."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from clsimpact.claims._problems import CHANGES
from clsimpact.claims.declared import ClaimTest, span_words
from clsimpact.claims.rules import Finding
from clsimpact.errors import DesignError, list_some

if TYPE_CHECKING:
    import pandas as pd

    from clsimpact.results import Estimate, Term

__all__ = ["LEVEL", "find_effect"]

LEVEL: Final = 0.95
"""Every verdict is at this level, whatever that of the result."""
_SIDES: Final = {
    "no_increase": "p_high", "no_decrease": "p_low", "no_difference": "p_value", "equals": "p_value",
}  # fmt: skip


def find_effect(fit: Estimate, test: ClaimTest, *, margin: float = 0.0) -> tuple[Finding, str]:
    """Average a path over the window of a test, or take the change between its windows.

    Parameters
    ----------
    fit
        A result with effects by event time, or one that can be averaged to them. Its inference is used, at
        95% whatever its own level.
    test
        Whose windows they are. Reference periods, and event times that are not identified, do not count.
    margin
        For the p-value of a rule with a margin, in the unit of the outcome.

    Returns
    -------
    Finding
        What the test is judged by, in the unit of the outcome. Event times of a window count equally.
    str
        The event times that were there, in words.

    Raises
    ------
    DesignError
        If the result has no path, no event time of a window is identified, or there is no interval.

    Examples
    --------
    >>> from clsimpact.datasets import example_design
    >>> from clsimpact.estimators import event_study
    >>> found, words = find_effect(event_study(example_design()), ClaimTest("decrease", 0, 1))
    >>> round(found.estimate, 6), words
    (-0.030808, 'event times 0 to 1')
    """
    path = _path(fit)
    inside = _window(path, test.first, test.last)
    weights = {term.name: 1.0 / len(inside) for term in inside}
    words, used = _times(inside), inside
    if test.rule in CHANGES:
        before = _window(path, test.earlier_first, test.earlier_last)
        for term in before:
            weights[term.name] = weights.get(term.name, 0.0) - 1.0 / len(before)
        words, used = f"{words} against {_times(before)}", [*inside, *before]
    row = path.linear_combination(weights).iloc[0]
    low, high = float(row["conf_low"]), float(row["conf_high"])
    if not (math.isfinite(low) and math.isfinite(high)):
        raise DesignError(
            f"no interval over {words}: {row['reason'] or 'none can be trusted'}",
            repair="Choose another window or another method of inference.",
        )
    estimate = float(row["estimate"])
    bounds = path.equivalence((estimate - 1.0, estimate + 1.0), weights=weights, level=LEVEL)
    treated = [path.design.n_treated if term.n_units is None else term.n_units for term in used]
    p_value = _p_value(path, test, weights, row, margin)
    return Finding(estimate, low, high, bounds.conf_low, bounds.conf_high, int(min(treated)), p_value), words


def _p_value(
    path: Estimate, test: ClaimTest, weights: Mapping[str, float], row: pd.Series, margin: float
) -> float:
    """Return the two-sided p-value, or that of the one-sided tests against the margin."""
    if test.rule not in _SIDES:
        return float(row["p_value"])
    if not margin > 0:
        return math.nan
    value = test.value if test.rule == "equals" else 0.0
    found = path.equivalence((value - margin, value + margin), weights=weights, level=LEVEL)
    return float(getattr(found, _SIDES[test.rule]))


def _path(fit: Estimate) -> Estimate:
    """Return the effects by event time, with intervals at the level of verdicts."""
    events = [term.event_time for term in fit.terms if term.event_time is not None]
    if len(set(events)) < len(events) or (not events and fit.aggregator is not None):
        fit = fit.aggregate("dynamic")
        events = [term.event_time for term in fit.terms if term.event_time is not None]
    if not events:
        raise DesignError(
            f"{fit.estimator} has no effects by event time", repair="Use event_study or group_time, say."
        )
    return replace(fit, level=LEVEL)


def _window(path: Estimate, first: int | None, last: int | None) -> list[Term]:
    """Return the identified terms of a window, in the order of event time."""
    low, high = (-math.inf if first is None else first), (math.inf if last is None else last)
    held = _by_time(term for term, known in zip(path.terms, path.identified, strict=True) if known)
    inside = [term for time, term in held.items() if low <= time <= high]
    if not inside:
        window = span_words(first, last).removeprefix("event times ").removeprefix("event time ")
        raise DesignError(
            f"no event time {window} is identified (identified: {list_some(held, 20)})",
            repair="Choose a window that the design observes.",
        )
    return inside


def _by_time(terms: Iterable[Term]) -> dict[int, Term]:
    known = {int(term.event_time): term for term in terms if term.event_time is not None}
    return dict(sorted(known.items()))


def _times(terms: list[Term]) -> str:
    """Write event times as a span, or one by one where the span has gaps."""
    times = list(_by_time(terms))
    if len(times) == 1 or np.ptp(times) == len(times) - 1:
        return span_words(times[0], times[-1])
    return f"event times {', '.join(map(str, times[:-1]))} and {times[-1]}"
