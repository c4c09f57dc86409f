"""What can be wrong with a claim: its windows, its rule, and which outcomes its tests are of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral
from typing import Any, Final, get_args

from clsimpact._asked import is_number
from clsimpact.claims.rules import Rule
from clsimpact.errors import did_you_mean, list_some

__all__ = ["CHANGES", "fit_problems", "rule_problems"]

CHANGES: Final = ("fades", "grows")
"""The rules that compare two windows."""


def rule_problems(row: Mapping[str, Any]) -> Iterable[str]:
    """Say what is wrong with a rule, its windows and its numbers."""
    rules = get_args(Rule)
    rule = row.get("rule")
    if rule not in rules:
        yield f"rule {rule!r} is not one of {', '.join(rules)}{did_you_mean(str(rule), rules)}"
    for key in ("first", "last", "earlier_first", "earlier_last"):
        if key in row and not _is_whole(row[key]):
            yield f"{key} must be a whole number of years since adoption"
    for low, high in (("first", "last"), ("earlier_first", "earlier_last")):
        start, end = row.get(low), row.get(high)
        if _is_whole(start) and _is_whole(end) and row[low] > row[high]:
            yield f"{low} = {start} is after {high} = {end}"
    if rule in CHANGES:
        if isinstance(row.get("direction"), bool) or row.get("direction") not in (1, -1):
            yield f"{rule} needs direction = 1 or -1, the sign of the effect"
        if "earlier_first" not in row and "earlier_last" not in row:
            yield f"{rule} needs an earlier window (earlier_first, earlier_last)"
    if rule == "equals":
        for key in ("value", "tolerance"):
            if not is_number(row.get(key)):
                yield f"equals needs {key}, a number in the unit of the outcome"
        if is_number(row.get("tolerance")) and row["tolerance"] <= 0:
            yield "tolerance must be above zero"


def fit_problems(outcomes: Sequence[str], tests: Sequence[Sequence[str]]) -> Iterable[str]:
    """Say which outcomes of a claim and of its tests do not go together."""
    if not outcomes:
        yield "there is no outcome"
    if not tests:
        yield "there is no test"
    for name in dict.fromkeys(name for chosen in tests for name in chosen):
        if name not in outcomes:
            yield f"a test is of {name!r}, which is no outcome of the claim{did_you_mean(name, outcomes)}"
    for name in dict.fromkeys(outcomes) if tests and all(tests) else ():
        if not any(name in chosen for chosen in tests):
            yield f"no test is of the outcome {name!r}"
    twice = [name for name in dict.fromkeys(outcomes) if list(outcomes).count(name) > 1]
    if twice:
        yield f"outcomes named twice: {list_some(twice)}"


def _is_whole(value: object) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)
