r"""Whether the inference of the result holds on these very data: adoption is given to units without it.

Adopters are taken out. Their dates are given to random units among the others, every cohort keeping its size
(units observed in the same periods where there are any), many times, and each placebo is judged as the result
was. At a true null an interval of 95% should exclude zero in 5% of placebos. The share is compared with that
by a binomial test at 1%; where it is rejected, adoption is given away as often again, and the fresh placebos
alone decide: a verdict on an inference should not itself come of chance.

It sees what the outcomes of comparison units show: heavy tails, dependence over time, too few adopters for
the errors that were asked for. It cannot see adopters that are noisier than others.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from clsimpact._check import kind_label, plural
from clsimpact.diagnostics._placebo_draws import Placebos, placebos
from clsimpact.diagnostics.registry import Check
from clsimpact.diagnostics.result import Advice, Found, Number, Verdict
from clsimpact.diagnostics.setting import Setting
from clsimpact.plots._figure import EventStudyFigure
from clsimpact.plots.placebos import placebo_figure

__all__ = ["CHECK", "run"]

LEVEL = 0.01
"""Level of the binomial test of the rate."""

COUNTED = 60
"""Placebos that the rate needs: a test that rejects three times too often is then found nine times in ten."""

OTHERS = 5
"""Units without a date that are left over in each placebo."""


def run(setting: Setting) -> Found:
    """Give the dates of adopters to others, and count how often an interval excludes zero."""
    from scipy.stats import binomtest

    design = setting.design
    others = int((~design.in_window).sum())
    if others < design.n_treated + OTHERS:
        return _few(setting, others)
    if not setting.effect.known:
        return _no_interval()
    found, nominal = placebos(setting.estimate, seed=setting.seed), 1 - setting.estimate.level
    if found.counted < COUNTED:
        return _no_interval(found.counted)
    if _too_often(found, nominal) < LEVEL:
        found = placebos(setting.estimate, seed=setting.seed + 1)
    counted, p_value = found.counted, _too_often(found, nominal)
    verdict: Verdict = "does not hold" if p_value < LEVEL else "holds"
    both = binomtest(round(found.rate * counted), counted, nominal).proportion_ci(0.95)
    beyond = _beyond(found, setting.effect.estimate)
    numbers: dict[str, Number] = {"rate": found.rate, "rate_low": both.low, "rate_high": both.high}
    numbers |= {"nominal": nominal, "p_value": p_value, "placebos": counted, "share_as_large": beyond}
    numbers |= {"spread": float(np.nanstd(found.estimates)), "inference": setting.estimate.method}
    words = _words(setting, numbers, verdict)
    table = pd.DataFrame({"estimate": found.estimates, "excludes_zero": found.rejected})
    advice = ADVICE if verdict == "does not hold" else ()
    return Found(verdict, words, numbers, table, advice, lambda: _draw(setting, found, numbers, verdict))


def _too_often(found: Placebos, nominal: float) -> float:
    """p-value of no more rejections than there should be."""
    from scipy.stats import binomtest

    return float(
        binomtest(round(found.rate * found.counted), found.counted, nominal, alternative="greater").pvalue
    )


def _beyond(found: Placebos, actual: float) -> float:
    """Share of placebos at least as large as the estimate, which counts as one of them."""
    known = found.estimates[np.isfinite(found.estimates)]
    return float((1 + (np.abs(known) >= abs(actual)).sum()) / (1 + known.size))


def _words(setting: Setting, numbers: dict[str, Number], verdict: Verdict) -> str:
    rate, low, high = (float(numbers[key] or 0) for key in ("rate", "rate_low", "rate_high"))
    level = f"{100 * setting.estimate.level:.4g}%"
    kind = kind_label(setting.estimate.method)
    text = (
        f"Adoption was given to {plural(setting.design.n_treated, setting.word)} that did not adopt, "
        f"{numbers['placebos']} times: {rate:.1%} of the {level} intervals (by {kind}) exclude zero, where "
        f"{float(numbers['nominal'] or 0):.0%} should (between {low:.1%} and {high:.1%}, as far as so many "
        "tell)."
    )
    if verdict == "does not hold":
        text += " Intervals and p-values of this result claim more than they should."
    elif high < float(numbers["nominal"] or 0):
        text += " The inference is rather too cautious on these data."
    share = float(numbers["share_as_large"] or 0)
    return (
        f"{text} The estimate, {setting.value(setting.effect.estimate)}, is matched or passed in size "
        f"by {share:.0%} of the placebo estimates."
    )


ADVICE = (
    Advice(
        "Use the inference that was measured to hold with so few adopters.",
        "fit.with_inference('auto', draws=999).summary()",
    ),
    Advice(
        "Compare the ways to get an interval.",
        "[fit.with_inference(way, draws=999).overall for way in ('permutation', 'path')]",
    ),
)


def _few(setting: Setting, others: int) -> Found:
    words = (
        f"{plural(others, setting.word)} without adoption, for the dates of "
        f"{plural(setting.design.n_treated, 'adopter')}: too few to give adoption to others many times."
    )
    advice = Advice(
        "Permute who adopts when among all units instead.",
        "fit.with_inference('permutation', draws=999).summary()",
    )
    return Found("cannot tell", words, advice=(advice,))


def _no_interval(counted: int | None = None) -> Found:
    words = "The result has no interval whose coverage could be counted."
    if counted is not None:
        words = f"Only {plural(counted, 'placebo')} had an interval ({COUNTED} are needed)."
    advice = Advice("See why there is no interval, or ask for another.", "print(fit.summary())")
    return Found("cannot tell", words, advice=(advice,))


def _draw(
    setting: Setting, found: Placebos, numbers: dict[str, Number], verdict: Verdict
) -> EventStudyFigure:
    title = "Intervals find effects of placebo adoption too often"
    if verdict == "holds":
        title = "Intervals exclude zero for placebo adopters about as often as they should"
    rate = float(numbers["rate"] or 0)
    return placebo_figure(
        found.estimates,
        setting.effect.estimate,
        design=setting.design,
        title=title,
        subtitle=f"Overall effect with adoption given to {setting.word}s that did not adopt, "
        f"{numbers['placebos']} times; {rate:.1%} of intervals exclude zero",
    )


CHECK = Check(
    name="placebo_adopters",
    title="Placebo adopters",
    question="How often does this inference find an effect of adoption that did not happen?",
    threat="Errors that are too small turn chance into effects.",
    stage="fit",
    source="Bertrand, Duflo and Mullainathan 2004, doi 10.1162/003355304772839588; Clopper and Pearson 1934, "
    "doi 10.1093/biomet/26.4.404",
    run=run,
)
