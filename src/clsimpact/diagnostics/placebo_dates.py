r"""Whether there is an effect at dates at which nothing happened.

Adoption is pretended k = 2 and 3 periods earlier, on the rows before true adoption and all rows of units
that do not adopt, and estimated as the result was. The overall effect of a pretended adoption should be
zero. It differs from a test of pre-trends in using the very estimator and average that the result rests on.
p-values of all dates are adjusted together (see `clsimpact.diagnostics._judged`).
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd

from clsimpact._again import asked_again
from clsimpact.design import Design
from clsimpact.diagnostics import _placebo
from clsimpact.diagnostics._judged import Judged, judge, placed, row_weights
from clsimpact.diagnostics.registry import Check
from clsimpact.diagnostics.result import Advice, Found, Verdict
from clsimpact.diagnostics.setting import Setting, effect_of
from clsimpact.errors import ClsimpactWarning, DesignError
from clsimpact.inference.multiplicity import holm
from clsimpact.plots._figure import EventStudyFigure
from clsimpact.plots.forest import forest_figure
from clsimpact.results import Estimate

__all__ = ["CHECK", "run"]

EARLIER = (2, 3)
"""Periods by which adoption is pretended earlier: one only would be a test of anticipation."""


def run(setting: Setting) -> Found:
    """Pretend adoption some years earlier, on the rows before it."""
    design, kept, adopters = setting.design, [], []
    parts = []
    refused: list[DesignError] = []
    for k in EARLIER:
        try:
            part = _placebo.pretended(design, k + design.anticipation)
        except DesignError:
            continue
        if (behind := _placebo.adopters_in(part)) < _placebo.LEAST:
            continue
        try:
            setting.point(part)
        except DesignError as error:
            refused.append(error)
            continue
        kept.append(k)
        parts.append(part)
        adopters.append(behind)
    if not kept and refused:
        raise refused[0]
    if not kept:
        return _nothing(setting)
    return _found(setting, _judged(setting, parts), kept, adopters)


def _judged(setting: Setting, parts: list[Design]) -> Judged:
    """Judge by re-assignment, or where weights depend on outcomes by the estimator's own inference."""
    design, again = setting.design, asked_again(setting.estimate)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ClsimpactWarning)
            fits = [again(part) for part in parts]
        weights = [placed(design, fit.design, row_weights(fit)) for fit in fits]
    except DesignError:
        return _own(setting, [again(part) for part in parts])
    how = {"draws": setting.draws, "seed": setting.seed}
    return _placebo.varying(
        judge(design, np.column_stack(weights), level=setting.estimate.level, **how)
    )  # fmt: skip


def _own(setting: Setting, fits: list[Estimate]) -> Judged:
    """Judge each by the inference that its own design calls for, and adjust by Holm."""
    how: Any = {"level": setting.estimate.level, "draws": setting.draws, "seed": setting.seed}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ClsimpactWarning)
        found = np.array([effect_of(fit.with_inference("auto", **how)) for fit in fits])
    estimate, low, high, p_values = found.T
    if not np.isfinite(p_values).all():
        raise DesignError(
            f"{setting.estimate.estimator} has no interval for pretended dates.",
            repair="Use ci.group_time(design), whose inference is by re-assignment of adoption.",
        )
    return Judged(estimate, low, high, p_values, holm(p_values), (high - low) / 2 * POWER_FACTOR, "own")


POWER_FACTOR = (1.96 + 0.84) / 1.96
"""From half an interval to what is found four times in five, for normal errors."""


def _found(setting: Setting, judged: Judged, kept: list[int], adopters: list[int]) -> Found:
    matter, word = _placebo.matter_of(setting), _placebo.period_word(setting.design)
    verdict = _placebo.verdict_of(judged.adjusted, judged.low, judged.high, matter)
    table = _placebo.rows_of(judged, [f"adoption pretended {k} {word}s earlier" for k in kept], adopters)
    numbers = _placebo.numbers_of(table, kept) | {"matters": matter.size, "inference": judged.method}
    level = setting.estimate.level
    parts = [
        f"{k} {word}s earlier {_placebo.moved(row, level)}"
        for k, row in zip(kept, table.itertuples(), strict=True)
    ]
    words = (
        f"On rows before true adoption, the outcome after pretended adoption is {' and '.join(parts)}"
        f"{_placebo.unit_note(setting)}."
    )
    if verdict == "does not hold":
        words += f" {setting.estimate.estimator} finds an effect where there was no programme."
    else:
        words += f" {_placebo.seen_words(table, verdict, matter, 'a placebo effect')}"
    advice = _advice(setting, verdict)
    return Found(verdict, words, numbers, table, advice, lambda: _draw(setting, table, verdict))


def _advice(setting: Setting, verdict: Verdict) -> tuple[Advice, ...]:
    if verdict == "holds":
        return ()
    if verdict == "cannot tell":
        return (_placebo.margin_advice(setting, "placebo_dates"),)
    return (
        Advice(
            "See how far the conclusion bears trends that differ: ask for robust intervals.",
            'fit.check("sensitivity", data=data)',
        ),
        Advice(
            "Ask whether the outcome moved just before adoption only: then dates are late.",
            'fit.check("anticipation", data=data)',
        ),
    )


def _nothing(setting: Setting) -> Found:
    word = _placebo.period_word(setting.design)
    words = (
        f"Fewer than {_placebo.LEAST} adopters are observed up to {EARLIER[-1]} {word}s before adoption "
        f"and still earlier: no earlier date can be pretended (periods: {_placebo.periods(setting.design)})."
    )
    advice = Advice("See which years before adoption each adopter has.", "print(design.check())")
    return Found("cannot tell", words, advice=(advice,))


def _draw(setting: Setting, table: pd.DataFrame, verdict: Verdict) -> EventStudyFigure:
    title = {
        "does not hold": "There is an effect at dates at which nothing happened",
        "holds": "There is no effect that matters at dates at which nothing happened",
        "cannot tell": "An effect at dates at which nothing happened is not ruled out",
    }[verdict]
    level = f"{100 * setting.estimate.level:.4g}%"
    return forest_figure(
        table,
        design=setting.design,
        title=title,
        subtitle=f"Overall effect of pretended adoption, {level} intervals, rows before true adoption; "
        "dashed: the estimated effect",
        reference=setting.effect.estimate,
    )


CHECK = Check(
    name="placebo_dates",
    title="Placebo dates",
    question="Is there an effect if adoption is pretended to be earlier?",
    threat="An effect before there was a programme is a trend of its own, and goes on after adoption.",
    stage="fit",
    source="Bertrand, Duflo and Mullainathan 2004, doi 10.1162/003355304772839588; Westfall and Young 1993 "
    "(adjusted p-values)",
    run=run,
)
