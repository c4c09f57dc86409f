"""How far trends may differ after adoption before the conclusion falls (Rambachan and Roth).

The conclusion is that the interval of the average effect excludes zero; or, with a margin, that it lies
within the margin. It *holds* where it survives steps of the difference in trends after adoption as large as
the largest before it (relative magnitude 1), and *does not hold* where smaller ones overturn it. Where there
is no conclusion under parallel trends, there is none to lose: *cannot tell*.
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
    verdict = _verdict(found, small)
    at_one = found.tidy().iloc[GRID.index(ENOUGH)]
    numbers = {
        "estimate": found.estimate,
        "conf_low": found.original[0],
        "conf_high": found.original[1],
        "breakdown": None if math.isnan(found.breakdown) else found.breakdown,
        "conf_low_at_1": float(at_one["conf_low"]),
        "conf_high_at_1": float(at_one["conf_high"]),
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
    """Return the largest bound of the grid up to which the interval lies within the margin, or None."""
    if setting.margin is None:
        return None
    held = None
    for bound, low, high in zip(found.grid, found.conf_low, found.conf_high, strict=True):
        if not -setting.margin < low <= high < setting.margin:
            break
        held = float(bound)
    return held


def _verdict(found: HonestDiD, small: float | None) -> Verdict:
    if not math.isnan(found.breakdown):
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
    if not math.isnan(found.breakdown):
        far = (
            "any that were looked at"
            if math.isinf(found.breakdown)
            else f"{number(found.breakdown)} times that"
        )
        return f"The interval excludes zero, and goes on to do so for steps up to {far}.{after}"
    if small is not None and setting.margin is not None:
        within = setting.amount(setting.margin)
        return f"The interval lies within {within} for steps up to {number(small)} times that.{after}"
    reason = "includes zero" if setting.margin is None else "includes zero and does not lie within the margin"
    return f"The interval {reason} even if trends are parallel, so there is no conclusion to lose.{after}"


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
