r"""Whether the inference of the result holds on these very data: adoption is given to units without it.

Adopters are taken out. Their dates are given to random units among the others, every cohort keeping its size
(units observed in the same periods where there are any), many times, and each placebo is judged as the result
was. At a true null an interval of 95% should exclude zero in 5% of placebos.

- *Does not hold*: more do, by a binomial test at 1% (the lower limit of the rate lies above 5%). Adoption is
  then given away as often again, and the fresh placebos alone decide: a verdict on an inference should not
  itself come of chance.
- *Holds*: the upper limit of the rate (95%, Clopper and Pearson) lies below twice what it should be, 10%.
- *Cannot tell*: neither. Placebos that leave it open are taken together with as many again; the finding says
  how many it takes.

It sees what the outcomes of comparison units show: heavy tails, dependence over time, too few adopters for
the errors that were asked for. It cannot see adopters that are noisier than others. Where the inference is
itself a permutation of adoption, the placebos are drawn as its own draws are, and the rate is right by
construction.
"""

from __future__ import annotations

import warnings
from functools import cache

import numpy as np
import pandas as pd

from clsimpact._check import kind_label, plural
from clsimpact.diagnostics._placebo_draws import DRAWS, Placebos, placebos
from clsimpact.diagnostics.registry import Check
from clsimpact.diagnostics.result import Advice, Found, Number, Verdict
from clsimpact.diagnostics.setting import Setting, effect_of
from clsimpact.errors import ClsimpactWarning, DesignError
from clsimpact.plots._figure import EventStudyFigure
from clsimpact.plots.placebos import placebo_figure
from clsimpact.results import Estimate

__all__ = ["CHECK", "needed", "placebo_rate", "run"]

LEVEL = 0.01
"""Level of the binomial test of the rate."""

COUNTED = 60
"""Placebos that the rate needs: a test that rejects three times too often is then found nine times in ten."""

TWICE = 2.0
"""Times what it should be that a rate may reach at most for the check to hold: an interval of 95% that misses
in one of ten samples is one of 90%."""

POWER = 0.80
"""Chance with which the placebos that are asked for suffice, where the rate is what it should be."""

DIGITS = 9
"""Digits of a level: ``1 - 0.95`` is 0.05 with an error of 1e-17, which must not ask for one placebo more."""

OTHERS = 5
"""Units without a date that are left over in each placebo."""


def run(setting: Setting) -> Found:
    """Give the dates of adopters to others, and count how often an interval excludes zero."""
    design = setting.design
    others = int((~design.in_window).sum())
    if others < design.n_treated + OTHERS:
        return _few(setting, others)
    if not setting.effect.known:
        return _no_interval()
    found, nominal = _given_away(setting), 1 - setting.estimate.level
    if found.counted < COUNTED:
        return _no_interval(found.counted)
    low, high = _limits(found)
    verdict = _verdict(found, nominal)
    beyond = _beyond(found, setting.effect.estimate)
    numbers: dict[str, Number] = {"rate": found.rate, "rate_low": low, "rate_high": high}
    numbers |= {"nominal": nominal, "p_value": _too_often(found, nominal), "placebos": found.counted}
    numbers |= {"rate_that_holds": TWICE * nominal, "share_as_large": beyond}
    numbers |= {"spread": float(np.nanstd(found.estimates)), "inference": setting.estimate.method}
    words = _words(setting, numbers, verdict)
    table = pd.DataFrame({"estimate": found.estimates, "excludes_zero": found.rejected})
    advice = _advice(setting, verdict, nominal)
    return Found(verdict, words, numbers, table, advice, lambda: _draw(setting, found, numbers, verdict))


def _given_away(setting: Setting) -> Placebos:
    """Give adoption away; again where that alarms (the fresh ones decide) or leaves it open (all count)."""
    fit, seed, nominal = setting.estimate, setting.seed, 1 - setting.estimate.level
    found = placebos(fit, seed=seed)
    if found.counted < COUNTED:
        return found
    if _verdict(found, nominal) == "does not hold":
        seed += 1
        found = placebos(fit, seed=seed)
    if found.counted >= COUNTED and _verdict(found, nominal) == "cannot tell":
        found = found.joined(placebos(fit, seed=seed + 1))
    return found


def _verdict(found: Placebos, nominal: float) -> Verdict:
    if _too_often(found, nominal) < LEVEL:
        return "does not hold"
    return "holds" if _limits(found)[1] < TWICE * nominal else "cannot tell"


def _limits(found: Placebos) -> tuple[float, float]:
    """Interval of the rate (95%)."""
    from scipy.stats import binomtest

    both = binomtest(found.rejections, found.counted).proportion_ci(0.95)
    return float(both.low), float(both.high)


@cache
def needed(nominal: float) -> int:
    """Return how many placebos suffice four times in five to hold, where the rate is what it should be.

    Examples
    --------
    >>> needed(0.05)
    260
    """
    from scipy.stats import beta, binom

    n = COUNTED
    while True:
        counts = np.arange(n)
        upper = np.asarray(beta.ppf(0.975, counts + 1, n - counts))
        low_enough = int(np.count_nonzero(upper < TWICE * nominal))
        if binom.cdf(low_enough - 1, n, nominal) >= POWER:
            return n
        n += 20


def placebo_rate(fit: Estimate, times: int, *, seed: int = 0) -> pd.Series[float]:
    """Return how often intervals exclude zero when adoption is given away so many times, with limits.

    Examples
    --------
    >>> from clsimpact.datasets import example_design
    >>> from clsimpact.estimators import twfe
    >>> placebo_rate(twfe(example_design(), inference="path"), 400).index.tolist()
    ['rate', 'low', 'high', 'placebos']
    """
    found = placebos(fit, seed=seed, times=times)
    if not found.counted:
        raise DesignError("No placebo has an interval.", repair="Ask for another: fit.summary().")
    values = [found.rate, *_limits(found), float(found.counted)]
    return pd.Series(values, index=["rate", "low", "high", "placebos"], name=fit.method)


def _too_often(found: Placebos, nominal: float) -> float:
    """p-value of no more rejections than there should be."""
    from scipy.stats import binomtest

    return float(binomtest(found.rejections, found.counted, nominal, alternative="greater").pvalue)


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
    nominal = float(numbers["nominal"] or 0)
    if verdict == "does not hold":
        text += " Intervals and p-values of this result claim more than they should."
    elif verdict == "cannot tell":
        text += (
            f" A rate of {TWICE * nominal:.0%} is not ruled out; it takes about "
            f"{needed(round(nominal, DIGITS))} placebos to tell that from {nominal:.0%}."
        )
    elif high < nominal:
        text += " The inference is rather too cautious on these data."
    if setting.estimate.method == "permutation" and verdict != "does not hold":
        text += (
            f" As this inference permutes adoption just as the placebos do, a rate near {nominal:.0%} is "
            "true by construction: it confirms the calculation, not that adopters vary as others do."
        )
    share = float(numbers["share_as_large"] or 0)
    return (
        f"{text} The estimate, {setting.value(setting.effect.estimate)}, is matched or passed in size "
        f"by {share:.0%} of the placebo estimates."
    )


def _advice(setting: Setting, verdict: Verdict, nominal: float) -> tuple[Advice, ...]:
    if verdict == "holds":
        return ()
    if verdict == "cannot tell":
        times = needed(round(nominal, DIGITS))
        return (
            Advice(
                "Give adoption away more often.",
                f"ci.diagnostics.placebo_adopters.placebo_rate(fit, {times})",
            ),
        )
    beside = Advice(
        "Report beside the interval how often a placebo estimate is as large as this one.",
        'fit.check("placebo_adopters", data=data)["placebo_adopters"].numbers["share_as_large"]',
    )
    return (*_other_ways(setting), beside)


WAYS = {
    "permutation": "Permute who adopts when among all units instead: that leans on no formula for errors.",
    "path": "Take errors around one path per unit instead (CR2 with Satterthwaite's degrees of freedom).",
    "CR2": "Take errors by cluster with few-cluster corrections instead (CR2).",
}
"""Ways to get an interval, and what to say of each."""


def _other_ways(setting: Setting) -> tuple[Advice, ...]:
    """Return the first way to get an interval that is not the one in use, where this result has one."""
    fit = setting.estimate
    used = {fit.method, fit.vcov.kind if fit.procedure is None else ""}
    for way, text in WAYS.items():
        if way in used:
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ClsimpactWarning)
                known = effect_of(fit.with_inference(way, draws=DRAWS)).known
        except DesignError:
            continue
        if known:
            return (Advice(text, f"fit.with_inference({way!r}, draws=999).summary()"),)
    return ()


def _few(setting: Setting, others: int) -> Found:
    words = (
        f"{plural(others, setting.word)} without adoption, for the dates of "
        f"{plural(setting.design.n_treated, 'adopter')}: too few to give adoption to others many times."
    )
    shown = Advice("See what the interval rests on.", "print(fit.summary())")
    ways = () if setting.estimate.method == "permutation" else _other_ways(setting)
    return Found("cannot tell", words, advice=ways or (shown,))


def _no_interval(counted: int | None = None) -> Found:
    words = "The result has no interval whose coverage could be counted."
    if counted is not None:
        words = f"Only {plural(counted, 'placebo')} had an interval ({COUNTED} are needed)."
    advice = Advice("See why there is no interval, or ask for another.", "print(fit.summary())")
    return Found("cannot tell", words, advice=(advice,))


def _draw(
    setting: Setting, found: Placebos, numbers: dict[str, Number], verdict: Verdict
) -> EventStudyFigure:
    title = {
        "does not hold": "Intervals find effects of placebo adoption too often",
        "holds": "Intervals exclude zero for placebo adopters about as often as they should",
        "cannot tell": "Whether intervals exclude zero for placebo adopters too often is open",
    }[verdict]
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
