"""What two-way fixed effects compares: how much of it uses adopters as controls, and negative weights."""

from __future__ import annotations

from clsimpact._check import plural
from clsimpact.decomposition.bacon import bacon
from clsimpact.decomposition.twfe_weights import TwfeWeights, twfe_weights
from clsimpact.diagnostics.registry import Check
from clsimpact.diagnostics.result import Advice, Found
from clsimpact.diagnostics.setting import Setting
from clsimpact.errors import DesignError
from clsimpact.plots.decomposition import weights_figure

__all__ = ["CHECK"]

FORBIDDEN = 0.10
"""Share of comparisons with units that adopted before, from which the coefficient is not to be read alone."""

NEGATIVE = 0.05
"""Sum of negative weights from which it is not: effects that differ by 20 times their mean, or less, can turn
its sign."""

TWO_WAY = ("twfe", "event_study")


def run(setting: Setting) -> Found:
    """Weigh the comparisons of two-way fixed effects; no outcome enters the verdict."""
    found = twfe_weights(setting.design)
    share, why = _forbidden(setting)
    numbers = {
        "share_forbidden": share,
        "negative_rows": found.n_negative,
        "treated_rows": found.n_treated_rows,
        "negative_sum": found.negative_sum,
    }
    mixed = -found.negative_sum > NEGATIVE or (share or 0.0) > FORBIDDEN
    other = setting.fit is not None and setting.fit.estimator not in TWO_WAY
    text = _words(found, share, why)
    if other:
        text += f" {setting.estimate.estimator} makes no such comparison, so its numbers are not touched."
    return Found(
        "does not hold" if mixed and not other else "holds",
        text,
        numbers,
        found.tidy(),
        ADVICE if mixed and not other else (),
        lambda: weights_figure(found),
    )


def _forbidden(setting: Setting) -> tuple[float | None, str]:
    """Share of the weight on comparisons with units that adopted before, or why there is none."""
    try:
        return bacon(setting.design, unbalanced="complete").forbidden, ""
    except DesignError as error:
        return None, error.summary


def _words(found: TwfeWeights, share: float | None, why: str) -> str:
    """Say both measures."""
    weights = (
        f"{found.n_negative} of {plural(found.n_treated_rows, 'treated row')} have negative weights, which "
        f"sum to {found.negative_sum:.3f}"
    )
    if share is None:
        return f"In two-way fixed effects {weights}. No share of comparisons: {why}"
    return (
        f"{share:.1%} of the two-way fixed effects coefficient compares adopters with units that had adopted "
        f"before them; {weights}."
    )


ADVICE = (
    Advice(
        "Estimate effects by cohort and period, each against units not yet treated.",
        "ci.group_time(design, control='not_yet').aggregate('dynamic').summary()",
    ),
    Advice("See which comparisons carry the weight.", "ci.twfe_weights(design).tidy()"),
)


CHECK = Check(
    name="comparison_weights",
    title="Forbidden comparisons",
    question="How much of two-way fixed effects compares adopters with earlier adopters?",
    threat="Where effects grow or differ by cohort, such comparisons can turn the sign of the estimate.",
    stage="design",
    source="Goodman-Bacon 2021, doi 10.1016/j.jeconom.2021.03.014; "
    "de Chaisemartin and D'Haultfœuille 2020, doi 10.1257/aer.20181169",
    run=run,
)
