r"""Trends before adoption: the joint test, what it could have seen, and whether a trend matters.

A test that does not reject says little (Roth 2022). So with the joint test stand

- the slope of a linear trend of adopters that it sees with 50% and 80% power, by the very draws of the test,
  and the bias that such a trend means for the overall effect: the trend is put through the estimator;
- an equivalence test: the slope :math:`\hat s = \sum_e h_e \hat\beta_e / \sum_e h_e^2` of the line through
  the terms (with :math:`h_e` the trend in term e) times the bias :math:`b` of a unit slope, with its interval
  of level 90%. Where that lies within the margin, no linear trend leads to a bias that matters (two one-sided
  5% tests). Without a margin the estimate itself is taken, where its interval excludes zero.

*Holds* needs the equivalence test; *does not hold* the joint test.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from clsimpact._check import plural
from clsimpact._joint import LEAST_TOGETHER
from clsimpact.diagnostics._before import Before, before_of, path_of, seen_before
from clsimpact.diagnostics.registry import Check
from clsimpact.diagnostics.result import Advice, Found, Verdict
from clsimpact.diagnostics.setting import Setting
from clsimpact.plots.event_study import event_study_figure
from clsimpact.results import Estimate

__all__ = ["CHECK"]

LEVEL = 0.05


@dataclass(frozen=True)
class _Bias:
    """Bias of the overall effect by the trend before adoption, its 90% interval, and what is too small."""

    estimate: float
    low: float
    high: float
    margin: float | None

    @property
    def within(self) -> bool:
        return self.margin is not None and -self.margin < self.low and self.high < self.margin


def run(setting: Setting) -> Found:
    """Test the terms before adoption together, and say what the test could have seen."""
    fit = setting.estimate
    seen = seen_before(fit.design)
    if len(seen) < LEAST_TOGETHER:
        return _too_few(setting, seen)
    path = setting.inferred(path_of(fit))
    before = before_of(path)
    bias = _bias(setting, setting.inferred(path, level=0.90), before)
    verdict: Verdict = "cannot tell"
    if before.p_value < LEVEL:
        verdict = "does not hold"
    elif bias.within:
        verdict = "holds"
    return Found(
        verdict,
        _words(setting, before, bias),
        _numbers(before, bias),
        _table(before),
        () if verdict == "holds" else _advice(fit.estimator, verdict),
        lambda: event_study_figure(path),
    )


def _too_few(setting: Setting, seen: list[int]) -> Found:
    """Say that trends of so few adopters cannot be tested, and whose they are."""
    who = f": {setting.names(seen)}" if seen else ""
    return Found(
        "cannot tell",
        f"Only {plural(len(seen), 'adopter')} can be seen in two periods or more before adoption{who}. "
        f"A test of trends needs {LEAST_TOGETHER}.",
        {"adopters_seen_before": len(seen)},
        advice=(Advice("See which periods stand behind each term.", "fit.sample()"),),
    )


def _numbers(before: Before, bias: _Bias) -> dict[str, float | int | str | None]:
    half, most = before.detectable(0.5), before.detectable(0.8)
    return {
        "p_value": before.p_value,
        "terms": len(before.names),
        "slope_seen_with_50": half,
        "slope_seen_with_80": most,
        "bias_of_slope_seen_with_80": most * before.bias,
        "bias_by_trend": bias.estimate,
        "bias_low_90": bias.low,
        "bias_high_90": bias.high,
        "margin": bias.margin,
    }


def _bias(setting: Setting, path: Estimate, before: Before) -> _Bias:
    """Extrapolate the line through the terms before adoption to the overall effect."""
    row = path.linear_combination(before.slope_weights(), label="slope").iloc[0]
    low, high = sorted(float(row[name]) * before.bias for name in ("conf_low", "conf_high"))
    margin = setting.margin
    if margin is None and setting.effect.clear:
        margin = abs(setting.effect.estimate)
    return _Bias(float(row["estimate"]) * before.bias, low, high, margin)


def _words(setting: Setting, before: Before, bias: _Bias) -> str:
    most, amount = before.detectable(0.8), setting.amount
    seen = (
        f"The joint test of {plural(len(before.names), 'term')} before adoption has p = "
        f"{before.p_value:.3f}. With 80% power it sees a trend among adopters of {amount(most)} a period, "
        f"which moves the overall effect by {amount(most * before.bias)}."
    )
    line = (
        " The line through those terms, carried on, makes the overall effect "
        f"{setting.change(bias.estimate)} (90% interval {setting.between(bias.low, bias.high)})"
    )
    if bias.margin is None:
        rest = "; no margin was given, so no trend can be called too small to matter."
    else:
        out = "" if bias.within else "not "
        rest = f": a trend that moves it by {amount(bias.margin)} is {out}ruled out (at 5%)."
    left = f" Not tested: {before.left_out}." if before.left_out else ""
    return seen + line + rest + left


def _table(before: Before) -> pd.DataFrame:
    return pd.DataFrame({
        "term": before.names,
        "estimate": before.estimates,
        "std_error": before.errors,
        "critical": before.critical,
        "trend": before.trend,
    })  # fmt: skip


def _advice(estimator: str, verdict: Verdict) -> tuple[Advice, ...]:
    path = "ci.event_study(design)" if estimator == "twfe" else "fit"
    bound = Advice(
        "Say how large a departure from parallel trends the conclusion survives.",
        f"ci.honest_did({path}).summary()",
    )
    if verdict == "does not hold":
        return (bound, Advice("Look at the terms one by one, with their intervals.", f"{path}.tidy()"))
    margin = "fit.check('pre_trends', margin=0.05 * abs(design.y).mean())"
    return (bound, Advice("State a margin in the unit of the outcome and test against it.", margin))


CHECK = Check(
    name="pre_trends",
    title="Trends before adoption",
    question="Did adopters and their comparison move alike before adoption, as far as could be seen?",
    threat="A trend that was there before goes on after adoption and is taken for an effect.",
    stage="fit",
    source="Roth 2022, doi 10.1257/aeri.20210236; Dette and Schumann 2024, "
    "doi 10.1080/07350015.2024.2308121; joint test by re-assigned adoption, docs/size.md",
    run=run,
)
