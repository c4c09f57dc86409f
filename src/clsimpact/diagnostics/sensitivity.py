"""How far trends may differ after adoption before the conclusion falls (Rambachan and Roth).

The conclusion is that the interval of the average effect excludes zero; or, with a margin, that it lies
within the margin. It *holds* where it survives steps of the difference in trends after adoption as large as
the largest before it (relative magnitude 1), and *does not hold* where smaller ones overturn it. Where there
is no conclusion under parallel trends, there is none to lose: *cannot tell*. The conclusion is that of the
result, with the inference of the result: the bounds start from an interval of their own (CR2 and t, or the
draws), and where that alone excludes zero, what it does under departures says nothing of the result.
"""

from __future__ import annotations

import math

from clsimpact._check import number
from clsimpact.diagnostics._before import path_of
from clsimpact.diagnostics.honest_did import HonestDiD, honest_did
from clsimpact.diagnostics.registry import Check
from clsimpact.diagnostics.result import Advice, Found, Verdict
from clsimpact.diagnostics.setting import Setting
from clsimpact.plots.honest_did import honest_did_figure

__all__ = ["CHECK"]

GRID = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0)
"""Relative magnitudes that are looked at."""

ENOUGH = 1.0
"""Steps after adoption as large as the largest before: the benchmark of the paper."""


def run(setting: Setting) -> Found:
    """Bound departures from parallel trends by those before adoption, and see what remains."""
    path = setting.inferred(path_of(setting.estimate))
    found = honest_did(path, grid=list(GRID))
    small = _small(setting, found)
    verdict = _verdict(setting, found, small)
    at_one = found.tidy().iloc[GRID.index(ENOUGH)]
    numbers = {
        "estimate": found.estimate,
        "conf_low": found.original[0],
        "conf_high": found.original[1],
        "breakdown": None if math.isnan(found.breakdown) else found.breakdown,
        "conf_low_at_1": float(at_one["conf_low"]),
        "conf_high_at_1": float(at_one["conf_high"]),
        "conf_low_of_result": setting.effect.low,
        "conf_high_of_result": setting.effect.high,
        "margin": setting.margin,
    }
    return Found(
        verdict,
        _words(setting, found, small),
        numbers,
        found.tidy(),
        () if verdict == "holds" else _advice(setting.estimate.estimator),
        lambda: honest_did_figure(found),
    )


def _small(setting: Setting, found: HonestDiD) -> float | None:
    """Return the largest bound of the grid up to which the interval lies within the margin, or None.

    None as well where the interval of the result itself does not: then nothing was concluded.
    """
    effect = setting.effect
    if setting.margin is None or not -setting.margin < effect.low <= effect.high < setting.margin:
        return None
    held = None
    for bound, low, high in zip(found.grid, found.conf_low, found.conf_high, strict=True):
        if not -setting.margin < low <= high < setting.margin:
            break
        held = float(bound)
    return held


def _excludes(setting: Setting, found: HonestDiD) -> bool:
    """Whether the result excludes zero, and so do the bounds where trends are parallel."""
    return setting.effect.clear and not math.isnan(found.breakdown)


def _verdict(setting: Setting, found: HonestDiD, small: float | None) -> Verdict:
    if _excludes(setting, found):
        return "holds" if found.breakdown >= ENOUGH else "does not hold"
    if small is not None:
        return "holds" if small >= ENOUGH else "does not hold"
    return "cannot tell"


def _words(setting: Setting, found: HonestDiD, small: float | None) -> str:
    one = GRID.index(ENOUGH)
    wide = setting.between(float(found.conf_low[one]), float(found.conf_high[one]))
    after = (
        " If trends may part after adoption by steps as large as the largest before it, the "
        f"{found.level:.0%} interval of the average effect is {wide}."
    )
    steps = "for steps between the trends after adoption of up to"
    if _excludes(setting, found):
        far = f"{number(found.breakdown)} times the largest before it"
        if math.isinf(found.breakdown):
            far = "any size that was tried"
        if found.breakdown == 0:
            return f"The interval excludes zero if trends are parallel, and for no step between them.{after}"
        return f"The interval excludes zero if trends are parallel, and {steps} {far}.{after}"
    if small is not None and setting.margin is not None:
        within = setting.amount(setting.margin)
        return (
            f"The interval lies within {within} if trends are parallel, and {steps} {number(small)} times "
            f"the largest before it.{after}"
        )
    return f"{_nothing_words(setting, found)}{after}"


def _nothing_words(setting: Setting, found: HonestDiD) -> str:
    """Say why there is no conclusion to lose; where two intervals part, give both."""
    effect, start = setting.effect, (float(found.conf_low[0]), float(found.conf_high[0]))
    if not effect.known:
        return "The result has no interval, so there is no conclusion to lose."
    own, other = (_said(setting, *ends) for ends in ((effect.low, effect.high), start))
    if own == other:
        return f"The interval {own} even if trends are parallel, so there is no conclusion to lose."
    how = "by an event study" if setting.estimate.estimator == "twfe" else "by errors of their own"
    lost = (
        "the bounds do not tell what steps would overturn that" if effect.clear else "no conclusion to lose"
    )
    return (
        f"The interval of the result ({setting.between(effect.low, effect.high)}) {own}; the one that these "
        f"bounds start from, {how} ({setting.between(*start)}), {other}: {lost}."
    )


def _said(setting: Setting, low: float, high: float) -> str:
    """Say what an interval concludes."""
    zero = "excludes zero" if low > 0 or high < 0 else "includes zero"
    if setting.margin is None:
        return zero
    out = "lies" if -setting.margin < low <= high < setting.margin else "does not lie"
    return f"{zero} and {out} within the margin"


def _advice(estimator: str) -> tuple[Advice, ...]:
    path = "ci.event_study(design)" if estimator == "twfe" else "fit"
    return (
        Advice(
            "Report the interval at the departure that you find credible.", f"ci.honest_did({path}).tidy()"
        ),
        Advice(
            "Bound changes of slope instead, if adopters may be on a line of their own.",
            f"ci.honest_did({path}, method='smoothness').summary()",
        ),
    )


CHECK = Check(
    name="sensitivity",
    title="Departures from parallel trends",
    question="Does the conclusion survive a difference in trends as large as those before adoption?",
    threat="Parallel trends cannot be tested after adoption; a difference in trends is taken for an effect.",
    stage="fit",
    source="Rambachan and Roth 2023, doi 10.1093/restud/rdad018",
    run=run,
)
