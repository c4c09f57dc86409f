r"""Whether the estimate rests on some periods: the pandemic years of councils, or any single period.

With :math:`\hat\theta` of the whole panel and :math:`\hat\theta_{-S}` of the rows outside the periods S,
both by the estimator of the result, the change :math:`\hat\theta - \hat\theta_{-S}` is itself linear in the
outcomes. It is judged as one number by re-assigned adoption (`clsimpact.diagnostics._judged`): the two
estimates share most of their rows, so that comparing their intervals would not do. A change is a bias of
these periods, an effect that differs there, or, as leaving years out takes event times away, one that
differs by event time.
"""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clsimpact._again import asked_again
from clsimpact._check import number, plural
from clsimpact.design import Design
from clsimpact.diagnostics import _placebo
from clsimpact.diagnostics._judged import ALPHA, Judged, judge, placed, row_weights
from clsimpact.diagnostics.registry import Check
from clsimpact.diagnostics.result import Advice, Found, Number, Verdict
from clsimpact.diagnostics.setting import Effect, Setting, effect_of
from clsimpact.errors import ClsimpactWarning, DesignError, list_some
from clsimpact.plots._figure import EventStudyFigure
from clsimpact.plots.forest import forest_figure

__all__ = ["CHECK", "PANDEMIC", "run"]

PANDEMIC = ((2020,), (2020, 2021))
"""Financial years in which councils' activity and money were moved by the pandemic: 2020-21, and 2021-22."""

QUESTIONS = 300
"""Questions that an estimator without weights of its own is asked at most: a second or two."""


class Part(NamedTuple):
    """The panel without some periods."""

    periods: tuple[int, ...]
    design: Design
    estimate: float


def run(setting: Setting) -> Found:
    """Leave periods out and judge the change."""
    chosen = _chosen(setting)
    parts = [part for periods in chosen if (part := _part(setting, periods)) is not None]
    others = _others(setting, chosen)
    if not parts:
        return _nothing(setting, chosen, others)
    if not _affordable(setting, len(parts)):
        raise DesignError(
            f"{setting.estimate.estimator} would have to be asked too often about so many periods.",
            repair="Check an event study of the same design.",
        )
    whole = row_weights(setting.estimate)
    again = asked_again(setting.estimate)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ClsimpactWarning)
        fits = [again(part.design) for part in parts]
    weights = [whole - placed(setting.design, fit.design, row_weights(fit)) for fit in fits]
    how = {"draws": setting.draws, "seed": setting.seed}
    judged = judge(setting.design, np.column_stack(weights), level=setting.estimate.level, **how)
    lost = [p for p in chosen if p not in {part.periods for part in parts}]
    return _found(setting, parts, _placebo.varying(judged), others, lost)


def _chosen(setting: Setting) -> list[tuple[int, ...]]:
    """Return what is left out: the pandemic years of councils that are there, else each period."""
    design = setting.design
    if design.unit == "ons_code":
        here = [tuple(year for year in years if year in design.periods) for years in PANDEMIC]
        if any(here):
            return list(dict.fromkeys(years for years in here if years))
    return [(period,) for period in design.periods]


def _others(setting: Setting, chosen: list[tuple[int, ...]]) -> list[Part]:
    """Estimate without each other period."""
    found = [_part(setting, (p,)) for p in setting.design.periods if (p,) not in chosen]
    return [part for part in found if part is not None]


def _part(setting: Setting, periods: tuple[int, ...]) -> Part | None:
    """Leave periods out, where something can be estimated then."""
    design = setting.design
    keep = ~np.isin(design.times, periods)
    try:
        part = design.restrict(keep, reason=f"left out: {_named(design, periods)}")
        estimate = setting.point(part)
    except DesignError:
        return None
    if not np.isfinite(estimate) or _placebo.adopters_in(part) < _placebo.LEAST:
        return None
    return Part(periods, part, estimate)


def _named(design: Design, periods: tuple[int, ...]) -> str:
    return " and ".join(_placebo.when(design, period) for period in periods)


def _affordable(setting: Setting, parts: int) -> bool:
    """Whether weights of so many parts are known soon: a regression knows them."""
    if setting.estimate.regression is not None and setting.estimate.total is None:
        return True
    design = setting.design
    kinds = np.unique(np.column_stack([np.nan_to_num(design.unit_cohorts), *_presence(design).T]), axis=0)
    return len(kinds) * (len(design.periods) - 1) * (parts + 1) <= QUESTIONS or parts <= len(PANDEMIC)


def _presence(design: Design) -> NDArray[np.float64]:
    out = np.zeros((len(design.units), len(design.periods)))
    out[design.unit_codes, design.time_codes] = 1.0
    return out


def _found(
    setting: Setting, parts: list[Part], judged: Judged, others: list[Part], lost: list[tuple[int, ...]]
) -> Found:
    matter = _placebo.matter_of(setting)
    verdict = _placebo.verdict_of(judged.adjusted, judged.low, judged.high, matter)
    shown = {*range(len(parts[: len(PANDEMIC)])), *_spoken(parts, judged)}
    own = {j: effect_of(setting.again(parts[j].design)) for j in sorted(shown)}
    if verdict == "holds" and _turned(setting, own):
        verdict = "cannot tell"
    table = _table(setting, parts, judged, others, own)
    numbers: dict[str, Number] = {f"{key}_{name}": value for name, key, value in _numbers(parts, judged)}
    numbers |= {"estimate": setting.effect.estimate, "matters": matter.size, "inference": judged.method}
    words = _words(setting, parts, judged, lost)
    words += _outlook(setting, parts, judged, verdict, own)
    advice = _advice(setting, parts, judged, verdict)
    return Found(verdict, words, numbers, table, advice, lambda: _draw(setting, table, verdict))


def _numbers(parts: list[Part], judged: Judged) -> list[tuple[str, str, float]]:
    out = []
    for j, part in enumerate(parts):
        name = "_".join(map(str, part.periods))
        out += [(name, "without", part.estimate), (name, "change", float(judged.estimates[j]))]
        out += [(name, "change_low", float(judged.low[j])), (name, "change_high", float(judged.high[j]))]
        out += [(name, "p_adjusted", float(judged.adjusted[j]))]
        out += [(name, "detectable", float(judged.detectable[j]))]
    return out


def _table(
    setting: Setting, parts: list[Part], judged: Judged, others: list[Part], own: dict[int, Effect]
) -> pd.DataFrame:
    """One row per estimate: all periods, what is tested, then each other period."""
    design, whole = setting.design, setting.effect
    rows: list[dict[str, object]] = [
        {
            "label": "all periods",
            "estimate": whole.estimate,
            "conf_low": whole.low,
            "conf_high": whole.high,
            "marked": False,
        }
    ]
    for j, part in enumerate(parts):
        low, high = (own[j].low, own[j].high) if j in own else (np.nan, np.nan)
        row = {"label": f"without {_named(design, part.periods)}", "estimate": part.estimate}
        row |= {"conf_low": low, "conf_high": high, "change": judged.estimates[j]}
        row |= {"change_low": judged.low[j], "change_high": judged.high[j]}
        row |= {"p_adjusted": judged.adjusted[j], "marked": bool(judged.adjusted[j] < ALPHA)}
        rows.append(row)
    for part in others:
        row = {"label": f"without {_named(design, part.periods)}", "estimate": part.estimate}
        rows.append(row | {"change": whole.estimate - part.estimate, "marked": False})
    columns = ["label", "estimate", "conf_low", "conf_high", "change", "change_low", "change_high"]
    return pd.DataFrame(rows, columns=[*columns, "p_adjusted", "marked"])


def _words(setting: Setting, parts: list[Part], judged: Judged, lost: list[tuple[int, ...]]) -> str:
    """Say what the estimate is without the periods: all of the pandemic, or the most moving one."""
    design = setting.design
    said = [
        f"{number(parts[j].estimate)} without {_named(design, parts[j].periods)} (change "
        f"{number(-judged.estimates[j])}, interval {_placebo.ends(-judged.high[j], -judged.low[j])}, "
        f"adjusted p {_placebo.p_words(judged.adjusted[j])}{_shorter(design, parts[j].design)})"
        for j in _spoken(parts, judged)
    ]
    most, clear = "", int((judged.adjusted < ALPHA).sum())
    if len(parts) > len(PANDEMIC):
        most = " (of all periods the one that moves it most clearly)"
    if len(parts) > len(PANDEMIC) and clear > 1:
        most = f" (the largest of {clear} changes that are clear)"
    text = (
        f"The overall effect is {number(setting.effect.estimate)} with all periods and {' and '.join(said)}"
        f"{most}{_placebo.unit_note(setting)}."
    )
    text += "".join(_one_sided(design, part) for part in parts)
    if lost:
        text += f" It cannot be estimated without {'; nor without '.join(_named(design, p) for p in lost)}."
    return text


def _spoken(parts: list[Part], judged: Judged) -> list[int]:
    """Return what the words speak of: both of the pandemic; else the largest clear change."""
    if len(parts) <= len(PANDEMIC):
        return list(range(len(parts)))
    clear = judged.adjusted < ALPHA
    if clear.any():
        return [int(np.argmax(np.where(clear, np.abs(judged.estimates), 0.0)))]
    return [int(np.nanargmin(judged.p_values))]


def _shorter(design: Design, part: Design) -> str:
    """Say where the average no longer reaches as far after adoption."""
    far, now = (int(np.nanmax(d.event_time[d.treated])) for d in (design, part))
    word = _placebo.period_word(design)
    return "" if now == far else f"; then up to {plural(now, word)} after adoption, not {far}"


def _one_sided(design: Design, part: Part) -> str:
    """Name cohorts that are then not seen on both sides of adoption."""
    both = []
    for one in (design, part.design):
        seen = [
            np.bincount(one.unit_codes[rows], minlength=len(one.units))
            for rows in (one.treated, ~one.treated)
        ]
        both.append({one.units[i] for i in np.flatnonzero((seen[0] > 0) & (seen[1] > 0))})
    gone = [i for i, unit in enumerate(design.units) if unit in both[0] - both[1]]
    if not gone:
        return ""
    cohorts = sorted({int(design.unit_cohorts[i]) for i in gone})
    named = list_some([_placebo.when(design, cohort) for cohort in cohorts], 6)
    return (
        f" Without {_named(design, part.periods)}, {plural(len(gone), 'adopter')} (of cohort {named}) "
        f"{'is' if len(gone) == 1 else 'are'} not seen both before and after adoption."
    )


def _turned(setting: Setting, own: dict[int, Effect]) -> list[int]:
    """Return the parts without which the interval says something else of zero."""
    side = _side(setting.effect)
    return [j for j, effect in own.items() if effect.known and _side(effect) != side]


def _side(effect: Effect) -> int:
    return int(np.sign(effect.estimate)) if effect.clear else 0


def _outlook(
    setting: Setting, parts: list[Part], judged: Judged, verdict: Verdict, own: dict[int, Effect]
) -> str:
    """Say what is left open, or whether the conclusion on zero changes too."""
    matter, clear = _placebo.matter_of(setting), judged.adjusted < ALPHA
    if verdict == "does not hold":
        return _depends(setting, parts, [j for j in own if clear[j]], own)
    seen = f" {_placebo.found_words(judged.detectable, 'a change')}"
    if clear.any():
        seen = f" A change was found, but all of its interval lies within {matter.words}"
    if verdict == "holds":
        return f"{seen}, and none as large as {matter.words} is left open." if not clear.any() else f"{seen}."
    also = ""
    if turned := _turned(setting, own):
        named, now = _named(setting.design, parts[turned[0]].periods), _zero(own[turned[0]])
        also = f"; but without {named} the interval {now} zero"
    if also and matter.holds(judged.low, judged.high):
        return f"{seen}{also}."
    if not np.isfinite(matter.size):
        return f"{seen}; the effect has no interval and no margin is given to compare that with."
    widest = int(np.argmax(np.nan_to_num(np.maximum(-judged.low, judged.high), nan=np.inf)))
    ends = _placebo.ends(-judged.high[widest], -judged.low[widest])
    return (
        f"{seen}; one as large as {matter.words} is not ruled out, least of all without "
        f"{_named(setting.design, parts[widest].periods)} (interval {ends}){also}."
    )


def _depends(setting: Setting, parts: list[Part], clear: list[int], own: dict[int, Effect]) -> str:
    """Say what depends on the periods: the conclusion on zero, or the size only."""
    known = {j: own[j] for j in clear if own[j].known}
    if turned := _turned(setting, known):
        named = _named(setting.design, parts[turned[0]].periods)
        return (
            " The conclusion depends on whether those periods are counted: without "
            f"{named} the interval ({_placebo.ends(own[turned[0]].low, own[turned[0]].high)}) "
            f"{_zero(own[turned[0]])} zero{_other_side(setting, own[turned[0]])}."
        )
    if known and setting.effect.known:
        either = f", though the interval {_zero(setting.effect)} zero either way"
        return f" The size of the estimate depends on whether those periods are counted{either}."
    return " The estimate depends on whether those periods are counted."


def _zero(effect: Effect) -> str:
    return "excludes" if effect.clear else "includes"


def _other_side(setting: Setting, effect: Effect) -> str:
    return " on the other side" if effect.clear and setting.effect.clear else ""


def _advice(setting: Setting, parts: list[Part], judged: Judged, verdict: Verdict) -> tuple[Advice, ...]:
    if verdict == "holds":
        return ()
    clear = [j for j in _spoken(parts, judged) if judged.adjusted[j] < ALPHA]
    periods = list(parts[(clear or _spoken(parts, judged))[-1]].periods)
    named = _named(setting.design, tuple(periods))
    without = Advice(
        f"Report the estimate without {named} beside the other.",
        f"fit.again(design.restrict(~np.isin(design.times, {periods}), reason='without {named}')).summary()",
    )
    return (without,) if verdict == "does not hold" else (without, _placebo.margin_advice(setting, NAME))


def _nothing(setting: Setting, chosen: list[tuple[int, ...]], others: list[Part]) -> Found:
    design = setting.design
    named = "; nor without ".join(_named(design, periods) for periods in chosen)
    words = (
        f"Without {named} nothing can be estimated, or fewer than {_placebo.LEAST} adopters are observed "
        "both before and after: whether the result rests on those periods cannot be told."
    )
    table = pd.DataFrame({"label": [f"without {_named(design, p.periods)}" for p in others]})
    table["estimate"] = [part.estimate for part in others]
    advice = Advice("See which periods each adopter has before and after adoption.", "print(design.check())")
    return Found("cannot tell", words, {}, table if len(table) else None, (advice,))


def _draw(setting: Setting, table: pd.DataFrame, verdict: Verdict) -> EventStudyFigure:
    title = {
        "does not hold": "The effect depends on the periods that are counted",
        "holds": "No change that matters when periods are left out",
        "cannot tell": "Whether the effect depends on single periods is open",
    }[verdict]
    level = f"{100 * setting.estimate.level:.4g}%"
    return forest_figure(
        table,
        design=setting.design,
        title=title,
        subtitle=f"Overall effect with periods left out; {level} intervals where they were taken; dashed: "
        "all periods",
        reference=setting.effect.estimate,
    )


NAME = "dropped_years"

CHECK = Check(
    name=NAME,
    title="Years left out",
    question="Does the effect change when the pandemic years, or any other period, are left out?",
    threat="Figures of a disturbed year are not comparable with others, and may carry the whole effect.",
    stage="fit",
    source="Hausman 1978, doi 10.2307/1913827 (a test on the change of an estimate); Young 2019, doi "
    "10.1093/qje/qjy029 (by re-assigned adoption)",
    run=run,
)
