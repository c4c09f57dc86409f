r"""Whether estimators that answer the same question agree and, if not, which weights make the difference.

Under parallel trends and effects that are alike, the estimators below have one estimand. Their differences
are tested under the same re-assignments of adoption as the estimate itself, at 5% over all of them. The check
holds only if no difference that matters is left by their simultaneous intervals: larger than the margin or,
without one, than what `_matter` allows. A difference that is told from zero is no fault where its whole
interval lies within a margin that was given. The difference between two-way
fixed effects and the average of effects by cohort and period splits into weights and the rest:

.. math::
    \hat\beta - \sum_{g,t} s_{gt} \hat\tau_{gt} = \sum_{g,t} (w_{gt} - s_{gt})\, \hat\tau_{gt} + r,

with w the weights of two-way fixed effects on treated cells, s their shares of treated rows, and
:math:`\hat\tau` the effects by cohort and period of Callaway and Sant'Anna.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from clsimpact._check import plural
from clsimpact._estimator_names import NAMES
from clsimpact.decomposition.twfe_weights import twfe_weights
from clsimpact.design import Design
from clsimpact.diagnostics._matter import Matter, matter_of
from clsimpact.diagnostics._paired import Differences, differences, is_path, same_question
from clsimpact.diagnostics._placebo import margin_advice
from clsimpact.diagnostics._reassigned import allowance_words
from clsimpact.diagnostics.registry import Check
from clsimpact.diagnostics.result import Advice, Found, Verdict
from clsimpact.diagnostics.setting import Setting, effect_of
from clsimpact.errors import ClsimpactWarning, DesignError
from clsimpact.estimators.event_study import event_study
from clsimpact.estimators.group_time import group_time
from clsimpact.estimators.imputation import imputation
from clsimpact.estimators.sun_abraham import sun_abraham
from clsimpact.estimators.twfe import twfe
from clsimpact.plots.forest import forest_figure
from clsimpact.results import Estimate

__all__ = ["CHECK"]

LEVEL = 0.05

WHOLE = 1e-6
"""Weights of the cells with an estimate sum to one up to this, or part of them is missing.

Solvers leave 1e-10; the least weight of a cell that matters is a thousandth."""

_PATHS: Mapping[str, Callable[..., Estimate]] = {
    "event_study": event_study, "group_time": group_time, "sun_abraham": sun_abraham,
    "imputation": imputation,
}  # fmt: skip
_AVERAGES: Mapping[str, Callable[..., Estimate]] = {
    "twfe": twfe, "group_time": group_time, "sun_abraham": sun_abraham, "imputation": imputation,
}  # fmt: skip


def run(setting: Setting) -> Found:
    """Estimate the same average in other ways, and test the differences."""
    fit = setting.estimate
    path = is_path(fit)
    others = _others(fit, _PATHS if path else _AVERAGES)
    if not others:
        raise DesignError("No other estimator takes this design.", repair="Look at ci.checks().")
    found = differences(fit, list(others.values()), draws=setting.draws, seed=setting.seed)
    table = _table(setting, others, found)
    worst = int(np.argmin(found.p_values))
    name = list(others)[worst]
    verdict = _verdict(found, matter_of(setting))
    weights = _by_weights(setting.design) if not path else None
    words = _words(setting, table, name, float(found.p_values[worst]), weights)
    return Found(
        verdict,
        f"{words} {_conclusion(setting, found, verdict)}",
        _numbers(setting, table, found, weights),
        table,
        _advice(setting, name, verdict, path),
        lambda: forest_figure(
            table.assign(label=table["estimator"].map(lambda key: NAMES.get(key, key))),
            design=setting.design,
            title=TITLES[verdict],
            subtitle="Average effect after adoption by estimator, "
            + ("each event time counting once" if path else "each treated row counting once"),
            reference=setting.effect.estimate,
        ),
    )


TITLES: Mapping[Verdict, str] = {
    "holds": "Estimators that ask the same question agree, up to what is too small to matter",
    "does not hold": "Estimators that ask the same question differ",
    "cannot tell": "Whether estimators that ask the same question agree cannot be told",
}


def _verdict(found: Differences, matter: Matter) -> Verdict:
    small = bool(np.isfinite(matter.size)) and found.largest <= matter.size
    if small and matter.given:
        return "holds"
    if found.p_values.min() < LEVEL:
        return "does not hold"
    return "holds" if small else "cannot tell"


def _conclusion(setting: Setting, found: Differences, verdict: Verdict) -> str:
    """Say how large differences may be, and what that is held against."""
    told = bool(found.p_values.min() < LEVEL)
    if verdict == "holds" and told:
        return (
            f"They differ, but by no more than {setting.amount(found.largest)}: within "
            f"{matter_of(setting).words}, too small to matter."
        )
    if verdict == "does not hold":
        return "That is more than chance makes of one effect that all of them estimate."
    if not found.reach.any():
        return "On this design they are the same number."
    return allowance_words(setting, found.largest)


def _others(fit: Estimate, known: Mapping[str, Callable[..., Estimate]]) -> dict[str, Estimate]:
    """Return what other estimators say on the very same sample."""
    found = {}
    for name, estimator in known.items():
        if name == fit.estimator:
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ClsimpactWarning)
                other = same_question(fit, estimator(fit.design))
        except DesignError:
            continue
        if other.design.n_obs == fit.design.n_obs:
            found[name] = other
    return found


def _table(setting: Setting, others: Mapping[str, Estimate], found: Differences) -> pd.DataFrame:
    own = setting.effect
    rows = [(setting.estimate.estimator, own.estimate, own.low, own.high, 0.0, 0.0, 0.0, np.nan, True)]
    for i, (name, other) in enumerate(others.items()):
        seen = effect_of(other)
        gap, p = float(found.estimates[i]), float(found.p_values[i])
        reach = float(found.reach[i])
        rows.append((name, seen.estimate, seen.low, seen.high, gap, gap - reach, gap + reach, p, False))
    names = ["estimator", "estimate", "conf_low", "conf_high", "difference", "difference_low"]
    names += ["difference_high", "p_value", "marked"]
    return pd.DataFrame(rows, columns=names)


def _by_weights(design: Design) -> tuple[float, float] | None:
    """Return the part of two-way fixed effects less the average of effects that weights explain, and that."""
    try:
        fit = group_time(design, inference="CR0")
    except DesignError:
        return None
    cells, rows = twfe_weights(design).tidy(), fit.tidy()
    effects = rows.assign(period=(rows["cohort"] + rows["event_time"]).astype("int64"))
    both = cells.merge(effects[effects["identified"].astype(bool)], on=["cohort", "period"])
    if abs(both["weight"].sum() - 1) > WHOLE:
        return None
    mean = float((both["share"] * both["estimate"]).sum())
    part = float((both["weight"] * both["estimate"]).sum()) - mean
    return part, effect_of(twfe(design, inference="CR0")).estimate - mean


def _numbers(
    setting: Setting, table: pd.DataFrame, found: Differences, weights: tuple[float, float] | None
) -> dict[str, float | int | str | None]:
    out: dict[str, float | int | str | None] = {
        "estimate": setting.effect.estimate,
        "least": float(table["estimate"].min()),
        "most": float(table["estimate"].max()),
        "p_value": float(found.p_values.min()),
        "largest_difference": found.largest,
        "allowed_difference": matter_of(setting).size,
    }
    if weights is not None:
        part, whole = weights
        out |= {"twfe_less_average": whole, "of_which_weights": part, "of_which_rest": whole - part}
    return out


def _words(
    setting: Setting,
    table: pd.DataFrame,
    name: str,
    p: float,
    weights: tuple[float, float] | None,
) -> str:
    low, high = float(table["estimate"].min()), float(table["estimate"].max())
    text = (
        f"{plural(len(table), 'estimator')} of the same average give {setting.value(low)} to "
        f"{setting.value(high)}; the difference least likely by chance is that of {NAMES[name]} "
        f"(p = {p:.3f}, adjusted for looking at all)."
    )
    if weights is not None:
        part, whole = weights
        text += (
            " Two-way fixed effects less the average of effects by cohort and period is "
            f"{setting.value(whole)}: {setting.value(part)} from its weights and "
            f"{setting.value(whole - part)} from other periods and units that each effect is taken against."
        )
    return text


def _advice(setting: Setting, name: str, verdict: Verdict, path: bool) -> tuple[Advice, ...]:
    if verdict == "holds":
        return ()
    kind = "dynamic" if path else "simple"
    more = "" if name in ("twfe", "event_study") else f".aggregate({kind!r})"
    look = Advice(
        "Look at effects by cohort and period, where the estimators part.",
        f"ci.compare([fit, ci.{name}(design){more}]).explain()",
    )
    return (look,) if verdict == "does not hold" else (margin_advice(setting, "estimators_agree"), look)


CHECK = Check(
    name="estimators_agree",
    title="Other estimators",
    question="Do estimators that answer the same question agree?",
    threat="Where they do not, effects differ by cohort or trends are not parallel, and the weights of an "
    "estimator decide what it finds.",
    stage="fit",
    source="de Chaisemartin and D'Haultfœuille 2020, doi 10.1257/aer.20181169; Borusyak, Jaravel and Spiess "
    "2024, doi 10.1093/restud/rdae007; differences by permutation",
    run=run,
)
