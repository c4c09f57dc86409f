r"""Whether a conclusion survives other designs that are as good as the one estimated.

Where one of the designs is the true one but it is not known which, the union of their intervals holds the
truth at least as often as each interval does (Imbens and Manski 2004, doi
10.1111/j.1468-0262.2004.00555.x). So an effect is told from zero only where every interval excludes zero on
one side. The other way round, one interval of many that excludes zero is no finding: looked at together,
some do by chance.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from clsimpact._check import number
from clsimpact.diagnostics.result import Verdict
from clsimpact.diagnostics.setting import Effect

__all__ = ["Range", "judged", "range_of", "said", "within"]


class Range(NamedTuple):
    """What several effects span: NaN where none is known."""

    lowest: float
    highest: float
    low: float
    high: float
    p_smallest: float
    p_largest: float
    intervals: int
    above: int
    below: int

    @property
    def clear(self) -> int:
        """Intervals that exclude zero."""
        return self.above + self.below


def range_of(effects: Sequence[Effect]) -> Range:
    """Return the bounds of estimates, of intervals and of p-values."""
    points = [effect.estimate for effect in effects if np.isfinite(effect.estimate)]
    known = [effect for effect in effects if effect.known]
    p_values = [effect.p_value for effect in known]
    return Range(
        min(points, default=np.nan),
        max(points, default=np.nan),
        min((effect.low for effect in known), default=np.nan),
        max((effect.high for effect in known), default=np.nan),
        min(p_values, default=np.nan),
        max(p_values, default=np.nan),
        len(known),
        sum(effect.low > 0 for effect in known),
        sum(effect.high < 0 for effect in known),
    )


def within(effect: Effect, margin: float | None) -> bool:
    """Whether an interval lies within the margin: an effect too small to matter."""
    return margin is not None and effect.known and max(abs(effect.low), abs(effect.high)) <= margin


def judged(base: Effect, others: Sequence[Effect], margin: float | None = None) -> Verdict:
    """Return whether the conclusion of the estimate is that of all the others.

    An effect told from zero that is not so in some of them, or has the other sign, does not hold, nor does
    one that is too small to matter and may matter in some. One that is not told from zero, but is in some of
    them, cannot be told: see the module. So with no effect alarms are as rare as intervals that exclude zero.
    """
    spread = range_of(others)
    if not base.known or spread.intervals == 0:
        return "cannot tell"
    if within(base, margin) and _leave(others, margin):
        return "does not hold"
    if base.clear:
        same = spread.above if base.low > 0 else spread.below
        if same < spread.intervals:
            return "does not hold"
    elif spread.clear:
        return "cannot tell"
    return "holds" if spread.intervals == len(others) else "cannot tell"


def _leave(others: Sequence[Effect], margin: float | None) -> int:
    """Count the intervals that are not within the margin."""
    return sum(effect.known and not within(effect, margin) for effect in others)


def said(base: Effect, others: Sequence[Effect], what: str, margin: float | None = None) -> str:
    """Say how many intervals exclude zero, and what follows; ``what`` names one of the others."""
    text = _about_zero(base, others, what)
    n, leave = range_of(others).intervals, _leave(others, margin)
    if within(base, margin) and n:
        end = f"{leave} of {n} others do not" if leave else f"so do all {n} others"
        text += f" The interval as estimated lies within the margin of {number(margin or 0.0)}; {end}."
    return text


def _about_zero(base: Effect, others: Sequence[Effect], what: str) -> str:
    spread = range_of(others)
    n, clear = spread.intervals, spread.clear
    if not base.known:
        return "The estimate itself has no interval, so no conclusion can be compared."
    if n == 0:
        return f"No other {what} has an interval, so no conclusion can be compared."
    missing = len(others) - n
    tail = f" For {missing} more no interval can be had." if missing else ""
    if spread.above and spread.below:
        sides = f"{spread.above} lie above zero and {spread.below} below"
        return f"Of {n} intervals {sides}: the sign depends on it.{tail}"
    if base.clear:
        same = spread.above if base.low > 0 else spread.below
        if same == n:
            return f"{_every(n, 'exclude')} zero on the side of the estimate.{tail}"
        return (
            f"The interval as estimated excludes zero; {n - same} of {n} others do not, so the effect is "
            "told "
            f"from zero only under some of them.{tail}"
        )
    if clear == 0:
        sign = " The sign of the estimate differs among them." if spread.lowest < 0 < spread.highest else ""
        return f"{_every(n, 'include')} zero, as the one estimated does.{sign}{tail}"
    return (
        f"The interval as estimated includes zero, and so do the intervals taken together; {clear} of "
        f"{n} alone "
        f"{'excludes' if clear == 1 else 'exclude'} it, which among many is no finding but leaves the "
        "question "
        f"open.{tail}"
    )


def _every(n: int, verb: str) -> str:
    """Say that all the others do something."""
    if n == 1:
        return f"The other interval {verb}s"
    return f"{'Both other' if n == 2 else f'All {n}'} intervals {verb}"
