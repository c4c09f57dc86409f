"""Adopters without a usable date: as controls, left out, or treated.

A list of adopters has some without a year, and some whose year leaves no period before adoption. A design
must put them somewhere. Left out, they bias nothing but narrow the sample; as controls they are
contaminated ones and pull the estimate towards zero; treated from the latest possible year they count as
untreated for too long. The check estimates every combination of these three roles by kind of adopter, by
the inference of the result, and reports the bounds of the estimates and the union of the intervals (Imbens
and Manski 2004).

*Holds*: every interval says what the one estimated says. *Does not hold*: the estimate is told from zero,
and with other roles it is not, or has the other sign. *Cannot tell*: it is not told from zero but is with
other roles, or the panel that was handed over does not hold these adopters.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from clsimpact._check import number, plural
from clsimpact.diagnostics._adoption_list import is_council
from clsimpact.diagnostics._conclusion import judged, range_of, said
from clsimpact.diagnostics._undated import Open, Variant, datable, open_adopters, same, variants, whole
from clsimpact.diagnostics.registry import Check
from clsimpact.diagnostics.result import Advice, Found, Verdict
from clsimpact.diagnostics.setting import Effect, Setting, effect_of
from clsimpact.errors import DesignError, list_some
from clsimpact.plots._figure import EventStudyFigure
from clsimpact.plots.forest import forest_figure

__all__ = ["CHECK"]


def run(setting: Setting) -> Found:
    """Estimate with adopters that the design does not date as controls, left out, or treated late."""
    if setting.adoption is None or setting.data is None:
        raise DesignError("No list or no panel was given.", repair="Use fit.check(..., data=, adoption=).")
    adopters = open_adopters(setting, setting.adoption)
    absent = [row for row in adopters if row.now == "absent"]
    if not adopters:
        words = "Every adopter on the list is dated in the design, so there is nobody to place."
        return Found("holds", words, {"undated": 0})
    base, there = whole(setting, [row for row in adopters if row.now != "absent"])
    if not there:
        return _nowhere(setting, adopters)
    tried = [(variant, _effect(setting, variant)) for variant in variants(base, there)]
    effects = [effect for variant, effect in tried if not same(variant.design, setting.design)]
    verdict = judged(setting.effect, effects, setting.margin)
    if absent and verdict == "holds":
        verdict = "cannot tell"
    table = _table(tried)
    words = _words(setting, there, absent, tried, effects)
    advice = () if verdict == "holds" else _advice(setting, there, absent)
    numbers = _numbers(setting, there, absent, [effect for _, effect in tried])
    return Found(verdict, words, numbers, table, advice, lambda: _draw(setting, table, verdict, there))


def _effect(setting: Setting, variant: Variant) -> Effect:
    if same(variant.design, setting.design):
        return setting.effect
    try:
        return effect_of(setting.again(variant.design))
    except DesignError:
        return Effect(np.nan, np.nan, np.nan, np.nan)


def _table(tried: Sequence[tuple[Variant, Effect]]) -> pd.DataFrame:
    """Return one row per way to place these adopters."""
    rows = [
        {
            "adopters": variant.label,
            "estimate": effect.estimate,
            "conf_low": effect.low,
            "conf_high": effect.high,
            "p_value": effect.p_value,
            "treated": variant.treated,
            "controls": variant.controls,
            "left_out": variant.out,
        }
        for variant, effect in tried
    ]
    return pd.DataFrame(rows)


def _words(
    setting: Setting,
    there: Sequence[Open],
    absent: Sequence[Open],
    tried: Sequence[tuple[Variant, Effect]],
    others: Sequence[Effect],
) -> str:
    """Say who they are, the bounds, and what it does to the conclusion."""
    spread = range_of([effect for _, effect in tried])
    text = (
        f"{_who(there)}. Left out, as controls, or treated from the latest possible year "
        f"({plural(len(tried), 'design')}), they move the estimate between "
        f"{setting.value(spread.lowest)} and {setting.value(spread.highest)} "
        f"({setting.value(setting.effect.estimate)} as estimated)"
    )
    if spread.intervals:
        text += f"; intervals together reach from {number(spread.low)} to {number(spread.high)}"
    text += f". {said(setting.effect, others, 'way to place them', setting.margin)}"
    undatable = [row.name for row in there if not datable(setting.design, row)]
    if undatable:
        text += f" With no latest year after the panel begins, {list_some(undatable)} cannot be treated."
    if absent:
        names = list_some(row.name for row in absent)
        text += f" Not looked at, as the panel handed over does not hold them: {names}."
    return text


def _who(adopters: Sequence[Open]) -> str:
    """Name adopters by why they are not dated: ``A and B have no usable year``."""
    parts = []
    for kind, verb in PHRASES.items():
        names = [row.name for row in adopters if row.kind == kind]
        if names:
            parts.append(f"{list_some(names)} {verb[len(names) > 1]}")
    return "; ".join(parts)


PHRASES = {
    "no year": ("has no year on the list", "have no year on the list"),
    "too early": (
        "has a year on the list that leaves no period before adoption",
        "have years on the list that leave no period before adoption",
    ),
    "dated": ("has a year on the list but is a control here", "have years on the list but are controls here"),
}
"""What is said of one adopter, and of several."""


def _numbers(
    setting: Setting, there: Sequence[Open], absent: Sequence[Open], effects: Sequence[Effect]
) -> dict[str, float | int | str | None]:
    spread = range_of(effects)
    return {
        "undated": len(there),
        "not_in_panel": len(absent),
        "designs": len(effects),
        "estimate": setting.effect.estimate,
        "lowest": spread.lowest,
        "highest": spread.highest,
        "union_low": spread.low,
        "union_high": spread.high,
        "intervals": spread.intervals,
        "intervals_clear": spread.clear,
        "p_smallest": spread.p_smallest,
        "p_largest": spread.p_largest,
    }


def _nowhere(setting: Setting, adopters: Sequence[Open]) -> Found:
    """Say that the panel handed over has none of them."""
    n, word = len(adopters), setting.word
    words = (
        f"{plural(n, word)} on the list ({list_some(row.name for row in adopters)}) "
        f"{'is' if n == 1 else 'are'} not dated in the design, and the panel that was handed over has no "
        "figures "
        "of them: they cannot be placed."
    )
    numbers = {"undated": 0, "not_in_panel": n, "designs": 0}
    return Found("cannot tell", words, numbers, None, (_untagged(setting),))


def _untagged(setting: Setting) -> Advice:
    """Say which panel to hand over."""
    if not is_council(setting.design):
        labels = f"~data[{setting.design.unit!r}].isin(design.units)"
        code = f"data.loc[{labels}, {setting.design.unit!r}].unique()"
        return Advice("Hand over a panel with these units as data=; see whom it has beside the design.", code)
    which = "'simulated'" if setting.design.simulated else ""
    code = f"fit.check('undated_adopters', data=ci.load_panel({which}), adoption=adoption)"
    return Advice("Hand over the panel as it was before tag_adoption left adopters out.", code)


def _advice(setting: Setting, there: Sequence[Open], absent: Sequence[Open]) -> tuple[Advice, ...]:
    """Say whose year to find, and which panel to hand over."""
    design = setting.design
    out = [_untagged(setting)] if absent else []
    labels = [str(row.unit) if is_council(design) else row.unit for row in there]
    code = f"adoption[adoption[{design.unit!r}].isin({labels!r})].T"
    if not is_council(design):
        code = f"adoption[adoption[{design.unit!r}].isin({labels!r})]"
    names = list_some(dict.fromkeys(row.name for row in there))
    out.append(Advice(f"Find out whether and when they adopted: {names}.", code))
    return tuple(out)


def _draw(setting: Setting, table: pd.DataFrame, verdict: Verdict, there: Sequence[Open]) -> EventStudyFigure:
    base = setting.effect
    title = {
        "holds": "Adopters without a usable date do not change the conclusion",
        "does not hold": "The conclusion depends on where undated adopters are put",
        "cannot tell": "What undated adopters do to the conclusion cannot be told",
    }[verdict]
    first = {
        "adopters": "as estimated",
        "estimate": base.estimate,
        "conf_low": base.low,
        "conf_high": base.high,
    }
    lines = pd.concat([pd.DataFrame([first]), table], ignore_index=True).rename(columns={"adopters": "label"})
    n = plural(len(there), "adopter")
    return forest_figure(
        lines[["label", "estimate", "conf_low", "conf_high"]],
        design=setting.design,
        title=title,
        subtitle=f"Overall effect with {n} that the design does not date, in other roles "
        f"(late: from the latest possible year); {100 * setting.estimate.level:.4g}% intervals; dashed: as "
        "estimated",
        reference=base.estimate,
    )


CHECK = Check(
    name="undated_adopters",
    title="Undated adopters",
    question="Does it matter whether adopters without a usable date are controls, left out, or treated?",
    threat="As controls they carry the effect that they are compared for; left out, they are forgotten.",
    stage="fit",
    source="Imbens and Manski 2004, doi 10.1111/j.1468-0262.2004.00555.x (intervals of what is known to lie "
    "within bounds); Denteh and Kédagni 2022, arXiv 2207.11890 (misclassified treatment)",
    run=run,
    needs=("data", "adoption"),
)
