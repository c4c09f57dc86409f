"""Rules that turn an estimate with its intervals into a verdict on what is claimed of it.

Every rule works on intervals; none reads "not significant" as "no effect". A wider interval never leads to
*consistent* where a narrower one inside it did not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

from clsimpact._check import number
from clsimpact.errors import ClsimpactError, did_you_mean

__all__ = ["RULES", "Finding", "Judgement", "Rule", "Verdict", "judge", "signed"]

Verdict = Literal["consistent", "not consistent", "inconclusive", "not estimable"]
Rule = Literal[
    "increase", "decrease", "no_increase", "no_decrease", "no_difference", "equals", "fades", "grows"
]


class Finding(NamedTuple):
    """An estimate that a claim is judged by: an average over a window, or a change between two windows.

    All but ``treated`` and ``p_value`` are in the unit of the outcome. ``low`` and ``high`` bound the 95%
    interval, ``low_90`` and ``high_90`` the 90% interval, whose ends are one-sided 95% bounds. ``treated`` is
    the smallest number of adopters behind any event time that enters. ``p_value`` belongs to the rule:
    two-sided for a direction, one-sided against a margin.

    Examples
    --------
    >>> Finding(-0.1, -0.15, -0.05, -0.14, -0.06, treated=5).high
    -0.05
    """

    estimate: float
    low: float
    high: float
    low_90: float
    high_90: float
    treated: int
    p_value: float = float("nan")


class Judgement(NamedTuple):
    """A verdict and the rule that led to it, in one sentence.

    Examples
    --------
    >>> Judgement("inconclusive", "the 95% interval includes zero").verdict
    'inconclusive'
    """

    verdict: Verdict
    rule: str


def signed(value: float) -> str:
    """Write a number with its sign and three figures, whatever its size.

    Examples
    --------
    >>> signed(17.84), signed(-0.01234), signed(0.0)
    ('+17.8', '-0.0123', '0')
    """
    return f"{'+' if value > 0 else ''}{number(value + 0.0)}"


def _direction(finding: Finding, claimed: str, *, up: bool) -> Judgement:
    sides = {True: ("above", finding.low > 0), False: ("below", finding.high < 0)}
    side, holds = sides[up]
    other, fails = sides[not up]
    if holds:
        return Judgement("consistent", f"the 95% interval lies {side} zero")
    if fails:
        return Judgement("not consistent", f"the 95% interval lies {other} zero, where {claimed} is claimed")
    return Judgement("inconclusive", "the 95% interval includes zero: both directions remain possible")


def _increase(finding: Finding, _margin: float, _value: float) -> Judgement:
    return _direction(finding, "an increase", up=True)


def _decrease(finding: Finding, _margin: float, _value: float) -> Judgement:
    return _direction(finding, "a decrease", up=False)


def _no_increase(finding: Finding, margin: float, _value: float) -> Judgement:
    """Non-inferiority: an increase of the margin or more must be ruled out."""
    bound = f"the one-sided 95% bound {signed(finding.high_90)}"
    if finding.high_90 < margin:
        return Judgement("consistent", f"{bound} is below the margin {signed(margin)}")
    if finding.low > 0:
        return Judgement("not consistent", "the 95% interval lies above zero, where no increase is claimed")
    return Judgement(
        "inconclusive", f"{bound} is not below the margin {signed(margin)}: such an increase is not ruled out"
    )


def _no_decrease(finding: Finding, margin: float, _value: float) -> Judgement:
    bound = f"the one-sided 95% bound {signed(finding.low_90)}"
    if finding.low_90 > -margin:
        return Judgement("consistent", f"{bound} is above the margin {signed(-margin)}")
    if finding.high < 0:
        return Judgement("not consistent", "the 95% interval lies below zero, where no decrease is claimed")
    return Judgement(
        "inconclusive",
        f"{bound} is not above the margin {signed(-margin)}: such a decrease is not ruled out",
    )


def _no_difference(finding: Finding, margin: float, _value: float) -> Judgement:
    """Equivalence to zero: both one-sided bounds within the margin; one adopter cannot show it."""
    if finding.treated < 2:
        return Judgement(
            "inconclusive",
            "some event times rest on one adopter, whose own variation cannot be told from a trend",
        )
    if -margin < finding.low_90 and finding.high_90 < margin:
        return Judgement(
            "consistent", f"the average is within {number(margin)} of zero at one-sided 95%, on both sides"
        )
    if finding.low > 0 or finding.high < 0:
        return Judgement("not consistent", "the 95% interval excludes zero, where no difference is claimed")
    return Judgement("inconclusive", f"a difference of {number(margin)} is not ruled out")


def _equals(finding: Finding, margin: float, value: float) -> Judgement:
    """Equivalence to a stated size."""
    range_words = f"{signed(value - margin)} to {signed(value + margin)}"
    if value - margin < finding.low_90 and finding.high_90 < value + margin:
        return Judgement("consistent", f"the 90% interval lies within {range_words}")
    if finding.high < value - margin or finding.low > value + margin:
        return Judgement("not consistent", f"the 95% interval has no number in common with {range_words}")
    return Judgement(
        "inconclusive", f"the interval holds numbers within {range_words} and numbers outside it"
    )


def _change(finding: Finding, claimed: str, *, up: bool) -> Judgement:
    """Judge the change from an earlier window to a later one."""
    side, other = ("above", "below") if up else ("below", "above")
    holds, fails = (finding.low > 0, finding.high < 0) if up else (finding.high < 0, finding.low > 0)
    if holds:
        return Judgement("consistent", f"the 95% interval of the change between the windows lies {side} zero")
    if fails:
        return Judgement(
            "not consistent",
            f"the 95% interval of the change between the windows lies {other} zero, "
            f"where an effect that {claimed} is claimed",
        )
    return Judgement(
        "inconclusive",
        "the 95% interval of the change between the windows includes zero: "
        "whether the effect fades, stays or grows remains open",
    )


def _fades(finding: Finding, _margin: float, direction: float) -> Judgement:
    return _change(finding, "fades", up=direction < 0)


def _grows(finding: Finding, _margin: float, direction: float) -> Judgement:
    return _change(finding, "grows", up=direction > 0)


RULES: Final[Mapping[str, Callable[[Finding, float, float], Judgement]]] = MappingProxyType(
    {
        "increase": _increase,
        "decrease": _decrease,
        "no_increase": _no_increase,
        "no_decrease": _no_decrease,
        "no_difference": _no_difference,
        "equals": _equals,
        "fades": _fades,
        "grows": _grows,
    }
)
"""Rule to the function of finding, margin and value that applies it.

The value is what ``equals`` compares with, and for ``fades`` and ``grows`` the sign of the effect.
"""


def judge(rule: Rule, finding: Finding, *, margin: float = 0.0, value: float = 0.0) -> Judgement:
    """Judge a finding by a rule.

    Parameters
    ----------
    rule
        A key of :data:`RULES`.
    finding
        Estimate and intervals.
    margin
        What is too small to matter, in the unit of the outcome: of ``no_increase``, ``no_decrease``,
        ``no_difference``, and how far from ``value`` still ``equals`` it.
    value
        The size claimed by ``equals``; for ``fades`` and ``grows`` the sign (1 or -1) of the effect.

    Returns
    -------
    Judgement
        Verdict, and the rule that led there in one sentence.

    Raises
    ------
    ClsimpactError
        If there is no such rule.

    Examples
    --------
    >>> judge("decrease", Finding(-0.1, -0.15, -0.05, -0.14, -0.06, 5))
    Judgement(verdict='consistent', rule='the 95% interval lies below zero')
    >>> judge("no_increase", Finding(18, -23, 59, -15, 51, 5), margin=23.4).verdict
    'inconclusive'
    """
    if rule not in RULES:
        raise ClsimpactError(
            f"There is no rule {rule!r}{did_you_mean(str(rule), list(RULES))}.",
            repair=f"Use {', '.join(RULES)}.",
        )
    return RULES[rule](finding, margin, value)
