r"""Whether the outcome moved just before adoption.

On the rows before adoption, and all rows of units that do not adopt, the last k periods before adoption are
compared with all earlier ones:

.. math:: y_{it} = \alpha_i + \lambda_t + \delta_k\, 1[-k \le t - \text{cohort}_i \le -1] + \varepsilon_{it},
          \qquad t < \text{cohort}_i,\ k = 1, 2 .

No row after adoption enters, so that effects of the programme cannot leak into the test (Borusyak, Jaravel
and Spiess 2024, doi 10.1093/restud/rdae007, section 4.4). With ``Design(anticipation=a)`` the last periods
are those before :math:`\text{cohort}_i - a`. p-values of both k are adjusted together.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from clsimpact._check import plural
from clsimpact.diagnostics import _placebo
from clsimpact.diagnostics._judged import ALPHA, Judged, judge, placed, row_weights
from clsimpact.diagnostics.registry import Check
from clsimpact.diagnostics.result import Advice, Found, Verdict
from clsimpact.diagnostics.setting import Setting
from clsimpact.errors import DesignError
from clsimpact.estimators.twfe import twfe
from clsimpact.plots._figure import EventStudyFigure
from clsimpact.plots.forest import forest_figure

__all__ = ["CHECK", "run"]

PERIODS = (1, 2)
"""Last periods before adoption that are compared with earlier ones."""


def run(setting: Setting) -> Found:
    """Compare the last one and two periods before adoption with earlier ones."""
    design, kept, adopters, weights = setting.design, [], [], []
    for k in PERIODS:
        try:
            part = _placebo.pretended(design, k)
            fit = twfe(part, inference="CR0")
            own = placed(design, fit.design, row_weights(fit))
        except DesignError:
            continue
        behind = _placebo.adopters_in(part)
        if behind >= _placebo.LEAST:
            kept.append(k)
            adopters.append(behind)
            weights.append(own)
    if not kept:
        return _nothing(setting)
    how = {"draws": setting.draws, "seed": setting.seed}
    judged = judge(design, np.column_stack(weights), level=setting.estimate.level, **how)
    _placebo.varying(judged)
    return _found(setting, judged, kept, adopters)


def _found(setting: Setting, judged: Judged, kept: list[int], adopters: list[int]) -> Found:
    matter = _placebo.matter_of(setting)
    verdict = _placebo.verdict_of(judged.adjusted, judged.low, judged.high, matter)
    table = _placebo.rows_of(judged, [_span(k, setting) for k in kept], adopters)
    numbers = _placebo.numbers_of(table, kept) | {"matters": matter.size, "inference": judged.method}
    words = _words(setting, table, verdict, matter)
    advice = _advice(setting, table, kept, verdict)
    return Found(verdict, words, numbers, table, advice, lambda: _draw(setting, table, verdict))


def _span(k: int, setting: Setting) -> str:
    word = _placebo.period_word(setting.design)
    last = f"last {word}" if k == 1 else f"last {k} {word}s"
    early = setting.design.anticipation
    return f"{last} before adoption" + (f" less {plural(early, word)}" if early else "")


def _words(setting: Setting, table: pd.DataFrame, verdict: Verdict, matter: _placebo.Matter) -> str:
    word, level = _placebo.period_word(setting.design), setting.estimate.level
    parts = [f"in the {row.label} {_placebo.moved(row, level)}" for row in table.itertuples()]
    said = (
        f"Against earlier {word}s and the comparison, the outcome of adopters stood {' and '.join(parts)}"
        f"{_placebo.unit_note(setting)}."
    )
    if verdict == "does not hold":
        return (
            f"{said} It had moved before adoption: either the dates are late or adopters were on their way."
        )
    return f"{said} {_placebo.seen_words(table, verdict, matter, 'a move')}"


def _advice(setting: Setting, table: pd.DataFrame, kept: list[int], verdict: Verdict) -> tuple[Advice, ...]:
    if verdict == "holds":
        return ()
    strength = (table["estimate"] / (table["conf_high"] - table["conf_low"])).abs()
    clear = strength.where(table["p_adjusted"] < ALPHA, 0.0).to_numpy()
    periods = setting.design.anticipation + (kept[int(np.argmax(clear))] if clear.any() else 1)
    again = Advice(
        "Count effects from before adoption: leave those periods out of the reference.",
        _placebo.remade(setting, f"anticipation={periods}"),
    )
    if verdict == "does not hold":
        dates = Advice(
            "Ask whether adoption is dated late: pretend other dates.",
            'fit.check("placebo_dates", data=data)',
        )
        return again, dates
    return _placebo.margin_advice(setting, "anticipation"), again


def _nothing(setting: Setting) -> Found:
    word = _placebo.period_word(setting.design)
    words = (
        f"Fewer than {_placebo.LEAST} adopters are observed both in the last two {word}s before adoption and "
        f"earlier (the panel holds {_placebo.periods(setting.design)}): whether the outcome moved just "
        "before adoption cannot be tested."
    )
    advice = Advice("See which years before adoption each adopter has.", "print(design.check())")
    return Found("cannot tell", words, advice=(advice,))


def _draw(setting: Setting, table: pd.DataFrame, verdict: Verdict) -> EventStudyFigure:
    title = {
        "does not hold": "The outcome had moved before adoption",
        "holds": "The outcome had not moved before adoption by as much as matters",
        "cannot tell": "A move before adoption is not ruled out",
    }[verdict]
    level = f"{100 * setting.estimate.level:.4g}%"
    return forest_figure(
        table,
        design=setting.design,
        title=title,
        subtitle=f"Last periods before adoption against all earlier ones, with {level} intervals; dashed: "
        "the overall effect",
        reference=setting.effect.estimate,
    )


CHECK = Check(
    name="anticipation",
    title="Effects before adoption",
    question="Had the outcome of adopters moved just before adoption?",
    threat="A move before adoption enters the reference, and the effect is measured from a moved start.",
    stage="fit",
    source="Borusyak, Jaravel and Spiess 2024, doi 10.1093/restud/rdae007; Westfall and Young 1993 "
    "(adjusted p-values)",
    run=run,
)
