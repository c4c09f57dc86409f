r"""Whether the denominator of a share or a rate moves with adoption.

The log of a ratio is a difference, and the estimators are linear, so that on the same rows

.. math:: \hat\tau(\log N/D) = \hat\tau(\log N) - \hat\tau(\log D)

splits the effect on the share exactly into what comes through the numerator and through the denominator.
Each part is estimated as the result was, with its inference. For shares of requests the requests per head are
shown too: population is recorded by nobody whom adoption moves.

The verdict: *does not hold* where the effect on log D differs from zero at 5%, unless its whole interval is
too small to matter; *holds* where its interval is within what matters; else *cannot tell*. What matters is
the margin over the mean outcome, or the margin itself where the outcome is the log of the ratio (declared, or
seen from its parts); without a margin half of the larger of the effect on the log share and
half the width of its interval (a denominator that moved so could make half of the effect), and a tenth of it
counts as too small to matter.

Kronmal 1993, doi 10.2307/2983064; Bartlett and Partnoy 2020, doi 10.2139/ssrn.3605606 (ratios as outcomes).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from clsimpact._check import number, plural, unit_text
from clsimpact.design import Design
from clsimpact.diagnostics._outcome_parts import (
    OutcomeParts,
    column_words,
    numbers_of,
    parts_of,
    require,
)
from clsimpact.diagnostics.registry import Check
from clsimpact.diagnostics.result import Advice, Found, Number, Verdict
from clsimpact.diagnostics.setting import Effect, Floats, Setting, effect_of
from clsimpact.errors import DesignError
from clsimpact.plots._figure import EventStudyFigure
from clsimpact.plots.forest import forest_figure
from clsimpact.results import Estimate

__all__ = ["CHECK", "effect_on_log", "run"]

LEVEL = 0.05

HALF = 0.5
"""A denominator matters that can make half of the effect, or half of the half-width of its interval."""

TRIFLE = 0.1
"""One that makes less than a tenth of that does not, however surely it moved."""

SAME = 1e-6
"""Spread, as a share of that of the log ratio, by which an outcome may differ from it and be it.

Logarithms in print keep seven digits; another outcome differs by hundredths."""


@dataclass(frozen=True)
class Split:
    """Effects on the logs of numerator, denominator, share, and denominator per head."""

    numerator: Effect
    denominator: Effect
    share: Effect
    per_head: Effect | None
    rows: int
    left_out: int
    logs: bool


def run(setting: Setting) -> Found:
    """Estimate the effect on numerator and denominator apart."""
    parts = parts_of(setting)
    if parts is None:
        return _unknown(setting)
    split = _split(setting, parts)
    if not split.denominator.known:
        raise DesignError(
            f"No interval can be had for the effect on {parts.denominator}.",
            repair="fit.summary() says why no interval is shown.",
        )
    matters, trifle = _sizes(setting, split)
    verdict = _verdict(split.denominator, matters, trifle)
    return Found(
        verdict,
        _words(setting, parts, split, verdict, matters),
        _numbers(split, matters, trifle),
        _table(setting, parts, split),
        () if verdict == "holds" else _advice(setting, parts),
        lambda: _figure(setting, parts, split, verdict),
    )


def _unknown(setting: Setting) -> Found:
    """Say that the outcome is not known to be a ratio."""
    name = setting.design.outcome
    advice = Advice(
        "If the outcome is a ratio, say of which columns (numerator, denominator) and check again.",
        f'data.attrs["parts"] = {{{name!r}: ("numerator_column", "denominator_column")}}',
    )
    text = f"{name} is not known to be a share or a rate: it has no denominator that could be looked at."
    return Found("cannot tell", text, advice=(advice,))


def _split(setting: Setting, parts: OutcomeParts) -> Split:
    """Estimate all parts on the same rows."""
    design = setting.design
    derive = parts.derived and not setting.has(parts.numerator)
    require(setting, [parts.denominator, *([] if derive else [parts.numerator])])
    bottom = numbers_of(setting, parts.denominator)
    top = design.y * bottom if derive else numbers_of(setting, parts.numerator)
    there = np.isfinite(top) & np.isfinite(bottom)
    there &= (np.where(there, top, 0) > 0) & (np.where(there, bottom, 0) > 0)
    log_top, log_bottom = (np.log(np.where(there, part, np.nan)) for part in (top, bottom))
    head = None
    if parts.head and setting.has(parts.head) and parts.denominator != parts.head:
        people = numbers_of(setting, parts.head)
        if np.isfinite(people[there]).all() and (people[there] > 0).all():
            head = log_bottom - np.log(np.where(there, people, np.nan))
    return Split(
        numerator=_effect(setting, log_top),
        denominator=_effect(setting, log_bottom),
        share=_effect(setting, log_top - log_bottom),
        per_head=None if head is None else _effect(setting, head),
        rows=int(there.sum()),
        left_out=int((~there).sum()),
        logs=_is_log(design, log_top - log_bottom),
    )


def _is_log(design: Design, log_share: Floats) -> bool:
    """Whether the outcome is the log of the ratio, up to a constant, or its unit says that it is a log."""
    if "log" in unit_text(design).lower():
        return True
    there = np.isfinite(log_share)
    spread = float(log_share[there].std()) if there.any() else 0.0
    return spread > 0 and float((design.y - log_share)[there].std()) <= SAME * spread


def _effect(setting: Setting, values: Floats) -> Effect:
    reason = "numerator or denominator not known or not above 0"
    return effect_of(setting.again(setting.with_values(values, reason=reason)))


def effect_on_log(fit: Estimate, data: pd.DataFrame, column: str) -> Estimate:
    """Estimate the effect on the log of a column as a result was: same design, options and inference.

    Parameters
    ----------
    fit
        The result.
    data
        The panel behind it.
    column
        Column of the panel; rows where it is not above 0 are left out.

    Examples
    --------
    >>> from clsimpact.datasets import example_design, load_mpdta
    >>> from clsimpact.estimators import twfe
    >>> panel = load_mpdta().assign(jobs=lambda d: np.exp(d["lemp"]))
    >>> found = effect_on_log(twfe(example_design()), panel, "jobs").overall["estimate"].iloc[0]
    >>> round(float(found), 4)
    -0.0365
    """
    setting = Setting(fit.design, fit, data)
    values = numbers_of(setting, column)
    logs = np.log(np.where(values > 0, values, np.nan))
    return setting.again(setting.with_values(logs, reason=f"{column} not known or not above 0"))


def _sizes(setting: Setting, split: Split) -> tuple[float, float]:
    """Return which change of the log denominator matters, and which is too small to."""
    if setting.margin is not None:
        if split.logs:
            return abs(setting.margin), abs(setting.margin)
        level = abs(float(setting.design.y.mean()))
        if level == 0:
            raise DesignError(
                f"The outcome {setting.design.outcome} has mean 0: a margin cannot be set against it.",
                repair="Leave margin out.",
            )
        size = float(np.log1p(abs(setting.margin) / level))
        return size, size
    width = (split.share.high - split.share.low) / 2
    largest = float(np.nanmax([abs(split.share.estimate), width]))
    return HALF * largest, TRIFLE * largest


def _verdict(moved: Effect, matters: float, trifle: float) -> Verdict:
    largest = max(abs(moved.low), abs(moved.high))
    if largest <= trifle:
        return "holds"
    if moved.p_value < LEVEL:
        return "does not hold"
    return "holds" if largest <= matters else "cannot tell"


def _percent(value: float) -> str:
    """Write a change of a log in per cent."""
    return f"{number(100 * float(np.expm1(value)))}%"


def _said(effect: Effect) -> str:
    if not effect.known:
        return _percent(effect.estimate)
    return f"{_percent(effect.estimate)} ({_percent(effect.low)} to {_percent(effect.high)})"


def _words(setting: Setting, parts: OutcomeParts, split: Split, verdict: Verdict, matters: float) -> str:
    bottom, top = (column_words(setting, name) for name in (parts.denominator, parts.numerator))
    moved = split.denominator
    text = (
        f"Denominator, {bottom}: with adoption {_said(moved)}, {_p(moved)}. Numerator, {top}: "
        f"{_said(split.numerator)}."
    )
    if split.per_head is not None:
        text += f" Per head, the denominator: {_said(split.per_head)}."
    share = split.share.estimate
    through = -moved.estimate
    text += (
        f" On the log scale the outcome changes by {number(share)}: {number(through)} through the "
        f"denominator and {number(split.numerator.estimate)} through the numerator."
    )
    text += f" {_conclusion(split, verdict, matters, margin=setting.margin is not None)}"
    if split.left_out:
        text += f" {plural(split.left_out, 'row')} without both parts are left out."
    return text


def _p(effect: Effect) -> str:
    return "p < 0.001" if effect.p_value < 0.001 else f"p = {number(effect.p_value)}"


def _conclusion(split: Split, verdict: Verdict, matters: float, *, margin: bool) -> str:
    if verdict == "does not hold":
        if split.numerator.clear:
            return "Both parts move with adoption, so the outcome alone does not show which people are meant."
        return "The denominator moves with adoption, and the numerator is not seen to."
    size = f"{np.expm1(-matters):.1%} or {np.expm1(matters):+.1%}"
    if not margin:
        size += ", which would make half of the effect or half of its interval's half-width"
    if verdict == "holds":
        return f"A move of the denominator that matters ({size}) is excluded."
    return (
        f"The denominator's interval includes moves that matter ({size}): it may or may not stand behind "
        "the outcome."
    )


def _numbers(split: Split, matters: float, trifle: float) -> dict[str, Number]:
    out: dict[str, Number] = {"matters": matters, "too_small": trifle, "rows": split.rows}
    for name in ("numerator", "denominator", "share", "per_head"):
        effect = getattr(split, name)
        if effect is not None:
            keys = ("estimate", "low", "high", "p_value")
            out |= {f"{name}_{key}": float(getattr(effect, key)) for key in keys}
    whole = split.share.estimate
    out["part_of_denominator"] = -split.denominator.estimate / whole if whole else None
    return out


def _table(setting: Setting, parts: OutcomeParts, split: Split) -> pd.DataFrame:
    rows = [
        ("numerator", column_words(setting, parts.numerator), split.numerator),
        ("denominator", column_words(setting, parts.denominator), split.denominator),
    ]
    if split.per_head is not None:
        words = f"{column_words(setting, parts.denominator)} per head of {column_words(setting, parts.head)}"
        rows.append(("per head", words, split.per_head))
    rows.append(("outcome", f"outcome ({setting.design.outcome})", split.share))
    return pd.DataFrame(
        [
            {
                "part": part,
                "label": f"log {words}",
                "estimate": effect.estimate,
                "conf_low": effect.low,
                "conf_high": effect.high,
                "p_value": effect.p_value,
                "marked": part == "denominator",
            }
            for part, words, effect in rows
        ]
    )


def _advice(setting: Setting, parts: OutcomeParts) -> tuple[Advice, ...]:
    d = setting.design
    column = parts.numerator if setting.has(parts.numerator) else parts.denominator
    out = [
        Advice(
            "Estimate the effect on the log of the count itself, whose base adoption cannot move.",
            f"ci.diagnostics.denominator.effect_on_log(fit, data, {column!r}).summary()",
        )
    ]
    if parts.head and setting.has(parts.head) and setting.has(parts.denominator):
        per = (
            f"data.assign(per_head=pd.to_numeric(data[{parts.denominator!r}]).astype(float) / "
            f"data[{parts.head!r}].astype(float))"
        )
        out.append(
            Advice(
                "Look at the denominator per head, adopter by adopter, and ask those where it moves how "
                "they record.",
                f"{per}.dropna(subset=[{d.cohort!r}]).pivot_table(index={d.unit!r}, columns={d.time!r}, "
                "values='per_head')",
            )
        )
    return tuple(out)


def _figure(setting: Setting, parts: OutcomeParts, split: Split, verdict: Verdict) -> EventStudyFigure:
    bottom = column_words(setting, parts.denominator)
    title = {
        "holds": f"The denominator ({bottom}) does not move with adoption by what matters",
        "does not hold": f"The denominator ({bottom}) moves with adoption",
        "cannot tell": f"Whether the denominator ({bottom}) moves with adoption cannot be told",
    }[verdict]
    return forest_figure(
        _table(setting, parts, split),
        design=setting.design,
        title=title,
        subtitle="Overall effect on the logs of numerator, denominator and outcome, same rows: "
        "numerator less denominator is outcome",
        axis="Effect (log points)",
    )


CHECK = Check(
    name="denominator",
    title="Denominator",
    question="Does the denominator of the outcome move with adoption?",
    threat="A share falls when its base grows: a change in whom the base counts looks like an effect.",
    stage="fit",
    source="split of the log ratio; Kronmal 1993, doi 10.2307/2983064",
    run=run,
    needs=("data",),
)
