r"""Whether one cohort has another effect than the rest, and what is left without it.

For each cohort g the effect path of its own units and that of all other adopters are estimated by event
studies against the same units that do not adopt, and compared at the event times that both have, after
adoption (:math:`A_g`) against before it (:math:`B_g`, the reference at zero among them):

.. math:: D_g = \frac{1}{|A_g|} \sum_{e \in A_g} \big(\hat\beta_e^{\{g\}} - \hat\beta_e^{\{-g\}}\big)
          - \frac{1}{|B_g|} \sum_{e \in B_g} \big(\hat\beta_e^{\{g\}} - \hat\beta_e^{\{-g\}}\big) .

Equal event times: that effects grow with time is no difference between cohorts. All years before adoption:
one reference year alone would make the comparison noisy. All :math:`D_g` are judged
together by re-assigned adoption, every cohort keeping its size (`clsimpact.diagnostics._judged`). Cohorts of
fewer than three adopters, or with fewer than three others left, are shown and not tested: one or two units do
not show how units vary. Beside it, the overall effect is estimated without each cohort as the result was.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd

from clsimpact._check import number, plural
from clsimpact.design import Design
from clsimpact.diagnostics import _placebo
from clsimpact.diagnostics._cohort_paths import cohort_difference
from clsimpact.diagnostics._judged import ALPHA, Judged, judge
from clsimpact.diagnostics.registry import Check
from clsimpact.diagnostics.result import Advice, Found, Number, Verdict
from clsimpact.diagnostics.setting import Effect, Setting, effect_of
from clsimpact.errors import DesignError, list_some
from clsimpact.plots._figure import EventStudyFigure
from clsimpact.plots.forest import forest_figure

__all__ = ["CHECK", "run"]

NAME = "leave_one_cohort"

INTERVALS = 12
"""Cohorts up to which each estimate without one gets an interval: a second of draws for a regression."""


class Left(NamedTuple):
    """The overall effect without one cohort."""

    cohort: int
    size: int
    effect: Effect


def run(setting: Setting) -> Found:
    """Compare each cohort with the others, and estimate without each."""
    design = setting.design
    sizes = design.cohort_sizes
    if len(sizes) < 2:
        return _one(setting, sizes)
    left = _left(setting, sizes)
    tested, weights = [], []
    for cohort in sizes:
        try:
            weights.append(cohort_difference(design, cohort))
        except DesignError:
            continue
        tested.append(cohort)
    if not tested:
        return _thin(setting, left)
    how = {"draws": setting.draws, "seed": setting.seed}
    judged = judge(design, np.column_stack(weights), level=setting.estimate.level, **how)
    return _found(setting, left, tested, _placebo.varying(judged))


def _left(setting: Setting, sizes: dict[int, int]) -> list[Left]:
    """Estimate without each cohort; with intervals for all where that is quick, else for both extremes."""
    design = setting.design
    found: dict[int, tuple[Design | None, float]] = {}
    for cohort in sizes:
        gone = (design.unit_cohorts == cohort)[design.unit_codes]
        try:
            part = design.restrict(~gone, reason=f"cohort {cohort} left out")
            found[cohort] = part, setting.point(part)
        except DesignError:
            found[cohort] = None, np.nan
    known = sorted((c for c in sizes if np.isfinite(found[c][1])), key=lambda c: found[c][1])
    quick = setting.estimate.regression is not None and len(known) <= INTERVALS
    chosen = known if quick else [*known[:1], *known[1:][-1:]]
    out = []
    for cohort, size in sizes.items():
        sample, estimate = found[cohort]
        effect = Effect(estimate, np.nan, np.nan, np.nan)
        if cohort in chosen and sample is not None:
            effect = effect_of(setting.again(sample))
        out.append(Left(cohort, size, effect))
    return out


def _found(setting: Setting, left: list[Left], tested: list[int], judged: Judged) -> Found:
    matter = _placebo.matter_of(setting)
    verdict = _placebo.verdict_of(judged.adjusted, judged.low, judged.high, matter)
    if verdict == "cannot tell" and _steady(setting, left) and len(tested) == len(left):
        verdict = "holds"
    table = _table(setting, left, tested, judged)
    numbers: dict[str, Number] = {f"without_{one.cohort}": one.effect.estimate for one in left}
    for j, cohort in enumerate(tested):
        numbers |= {f"difference_{cohort}": judged.estimates[j], f"difference_low_{cohort}": judged.low[j]}
        numbers |= {f"difference_high_{cohort}": judged.high[j], f"p_adjusted_{cohort}": judged.adjusted[j]}
        numbers |= {f"detectable_{cohort}": judged.detectable[j]}
    numbers |= {"estimate": setting.effect.estimate, "matters": matter.size, "inference": judged.method}
    words = f"{_range_words(setting, left)} {_difference_words(setting, tested, judged, left)}"
    if verdict == "holds" and (judged.adjusted < ALPHA).any():
        words += f" All of these intervals lie within {matter.words}: too small to matter."
    advice = () if verdict == "holds" else _advice(setting, tested, judged, verdict)
    return Found(verdict, words, numbers, table, advice, _drawn(setting, table, verdict))


def _steady(setting: Setting, left: list[Left]) -> bool:
    """Whether the interval says the same of zero without any cohort: without both extremes at least."""
    if not setting.effect.known or any(np.isnan(one.effect.estimate) for one in left):
        return False
    order = sorted((one.effect for one in left), key=lambda effect: effect.estimate)
    side = _side(setting.effect)
    same = all(_side(effect) == side for effect in order if effect.known)
    return same and order[0].known and order[-1].known


def _side(effect: Effect) -> int:
    return int(np.sign(effect.estimate)) if effect.clear else 0


def _table(setting: Setting, left: list[Left], tested: list[int], judged: Judged) -> pd.DataFrame:
    """One row per cohort after the whole: the effect without it, and how it differs from the others."""
    whole, at = setting.effect, {cohort: j for j, cohort in enumerate(tested)}
    rows: list[dict[str, object]] = [
        {"label": "all cohorts", "estimate": whole.estimate, "conf_low": whole.low, "conf_high": whole.high}
    ]
    for one in left:
        word = plural(one.size, setting.word)
        row: dict[str, object] = {
            "label": f"without {_placebo.when(setting.design, one.cohort)} ({word})",
            "cohort": one.cohort,
            "adopters": one.size,
            "estimate": one.effect.estimate,
            "conf_low": one.effect.low,
            "conf_high": one.effect.high,
        }
        if (j := at.get(one.cohort)) is not None:
            row |= {"difference": judged.estimates[j], "difference_low": judged.low[j]}
            row |= {"difference_high": judged.high[j], "p_adjusted": judged.adjusted[j]}
        rows.append(row)
    columns = ["label", "cohort", "adopters", "estimate", "conf_low", "conf_high"]
    columns += ["difference", "difference_low", "difference_high", "p_adjusted"]
    table = pd.DataFrame(rows, columns=columns)
    return table.assign(marked=table["p_adjusted"].astype(float) < ALPHA)


def _range_words(setting: Setting, left: list[Left]) -> str:
    """Say how far the estimate moves, and whether the interval says the same of zero."""
    known = [one for one in left if np.isfinite(one.effect.estimate)]
    if not known:
        return "Without any one cohort nothing can be estimated."
    low, high = (f(known, key=lambda one: one.effect.estimate) for f in (min, max))
    text = (
        f"The overall effect is {number(setting.effect.estimate)}; without one cohort it runs from "
        f"{number(low.effect.estimate)} (without {_placebo.when(setting.design, low.cohort)}) to "
        f"{number(high.effect.estimate)} (without {_placebo.when(setting.design, high.cohort)})"
        f"{_placebo.unit_note(setting)}"
    )
    if _steady(setting, left):
        zero = "excludes" if setting.effect.clear else "includes"
        if all(one.effect.known for one in left):
            return f"{text}, and whichever cohort is left out the interval {zero} zero."
        return f"{text}, and without either of these the interval {zero} zero."
    other = [one for one in known if one.effect.known and _side(one.effect) != _side(setting.effect)]
    if setting.effect.known and other:
        named = list_some(_placebo.when(setting.design, one.cohort) for one in other)
        zero = "includes" if setting.effect.clear else "excludes"
        return f"{text}; without {named} the interval {zero} zero."
    return f"{text}."


def _difference_words(setting: Setting, tested: list[int], judged: Judged, left: list[Left]) -> str:
    """Name the cohorts that differ; else say what difference would have been seen."""
    differs = [j for j, p in enumerate(judged.adjusted) if p < ALPHA]
    design, word = setting.design, _placebo.period_word(setting.design)
    lone = [_placebo.when(design, one.cohort) for one in left if one.cohort not in tested]
    untested = f" Not tested, with too few adopters: {list_some(lone)}." if lone else ""
    if differs:
        said = [
            f"cohort {_placebo.when(design, tested[j])} ({_who(setting, tested[j])}) by "
            f"{number(judged.estimates[j])} (interval {_placebo.ends(judged.low[j], judged.high[j])}, "
            f"adjusted p {_placebo.p_words(judged.adjusted[j])})"
            for j in differs
        ]
        said_all = "; ".join(said)
        return f"At the same {word}s after adoption the effect differs from others' in {said_all}.{untested}"
    most = int(np.nanargmin(judged.p_values))
    seen = _placebo.found_words(judged.detectable, "a difference")
    text = (
        f"At the same {word}s after adoption no cohort clearly differs from the others: the most telling is "
        f"{_placebo.when(design, tested[most])}, by {number(judged.estimates[most])} (interval "
        f"{_placebo.ends(judged.low[most], judged.high[most])}, adjusted p "
        f"{_placebo.p_words(judged.adjusted[most])}). {seen}"
    )
    return f"{text} in any cohort tested.{untested}"


def _who(setting: Setting, cohort: int) -> str:
    return setting.names(np.flatnonzero(setting.design.unit_cohorts == cohort), 6)


def _advice(setting: Setting, tested: list[int], judged: Judged, verdict: Verdict) -> tuple[Advice, ...]:
    by_cohort = Advice(
        "Look at the effect of each cohort.", "ci.group_time(design).aggregate('group').summary()"
    )
    if verdict == "cannot tell":
        return _placebo.margin_advice(setting, NAME), by_cohort
    worst = tested[int(np.nanargmin(judged.adjusted))]
    without = Advice(
        f"Report the estimate without cohort {_placebo.when(setting.design, worst)} beside the other.",
        f"fit.again(design.restrict(design.cohorts != {worst}, reason='without cohort {worst}')).summary()",
    )
    return by_cohort, without


def _one(setting: Setting, sizes: dict[int, int]) -> Found:
    cohort = next(iter(sizes), None)
    when = "" if cohort is None else f" ({_placebo.when(setting.design, cohort)})"
    words = f"All adopters adopt in the same {_placebo.period_word(setting.design)}{when}: there is no other."
    advice = Advice(
        "Leave out one unit at a time instead.", 'fit.check("leave_one_out", data=data)'
    )  # fmt: skip
    return Found("cannot tell", words, advice=(advice,))


def _thin(setting: Setting, left: list[Left]) -> Found:
    """Say that every cohort is too small to be compared; the estimates without each are still shown."""
    nothing = np.empty(0)
    table = _table(setting, left, [], Judged(nothing, nothing, nothing, nothing, nothing, nothing, "none"))
    counts = ", ".join(f"{_placebo.when(setting.design, one.cohort)}: {one.size}" for one in left)
    words = (
        f"{_range_words(setting, left)} Whether cohorts differ cannot be tested: fewer than {_placebo.LEAST} "
        f"adopters on one side of every comparison, or no {_placebo.period_word(setting.design)} after "
        f"adoption that both sides have (adopters by cohort {counts})."
    )
    advice = Advice("Leave out one unit at a time instead.", 'fit.check("leave_one_out", data=data)')
    numbers: dict[str, Number] = {f"without_{one.cohort}": one.effect.estimate for one in left}
    return Found(
        "cannot tell", words, numbers, table, (advice,), _drawn(setting, table, "cannot tell")
    )  # fmt: skip


def _drawn(setting: Setting, table: pd.DataFrame, verdict: Verdict) -> Callable[[], EventStudyFigure] | None:
    """Return what makes the figure; None where nothing could be estimated."""
    known = np.isfinite(table["estimate"].astype(float)).any()
    return (lambda: _draw(setting, table, verdict)) if known else None


def _draw(setting: Setting, table: pd.DataFrame, verdict: Verdict) -> EventStudyFigure:
    title = {
        "does not hold": "Not all cohorts have the same effect",
        "holds": "The conclusion is the same without any one cohort",
        "cannot tell": "Whether cohorts differ is open",
    }[verdict]
    level = f"{100 * setting.estimate.level:.4g}%"
    shown = table[np.isfinite(table["estimate"].astype(float))]
    return forest_figure(
        shown,
        design=setting.design,
        title=title,
        subtitle=f"Overall effect without one cohort at a time, {level} intervals; dashed: all cohorts; "
        "orange squares: cohorts that differ from the others",
        reference=setting.effect.estimate,
    )


CHECK = Check(
    name=NAME,
    title="Cohorts left out",
    question="Does the effect rest on one cohort, or differ between cohorts?",
    threat="An average over cohorts that differ describes none of them, and hangs on who is in it.",
    stage="fit",
    source="Sun and Abraham 2021, doi 10.1016/j.jeconom.2020.09.006 (paths by cohort); Westfall and Young "
    "1993 (adjusted p-values of re-assigned adoption)",
    run=run,
)
