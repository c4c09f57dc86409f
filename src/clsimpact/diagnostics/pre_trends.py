r"""Trends before adoption: the joint test, what it could have seen, and whether a trend matters.

A test that does not reject says little (Roth 2022). So with the joint test stand

- the slope of a linear trend of adopters that it sees with 50% and 80% power, by the very draws of the test,
  and the bias that such a trend means for the overall effect: the trend is put through the estimator;
- an equivalence test: the slope :math:`\hat s = \sum_e h_e \hat\beta_e / \sum_e h_e^2` of the line through
  the terms (with :math:`h_e` the trend in term e) times the bias :math:`b` of a unit slope, with its interval
  of level 90%. Where that lies within the margin, no linear trend leads to a bias that matters (two one-sided
  5% tests). Without a margin the rule of all checks is taken (`clsimpact.diagnostics._matter`): what would
  bring a clear interval to zero, at most a quarter of its width.

*Holds* needs the equivalence test; *does not hold* the joint test. Where the joint test rejects, the check
still holds if a margin was given and nothing found is as large: the bias lies within it, and so does each
term before adoption with its joint interval.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from clsimpact._check import plural
from clsimpact._joint import LEAST_TOGETHER
from clsimpact.diagnostics._before import Before, before_of, path_of, seen_before
from clsimpact.diagnostics._matter import Matter, matter_of
from clsimpact.diagnostics._placebo import margin_advice
from clsimpact.diagnostics.registry import Check
from clsimpact.diagnostics.result import Advice, Found, Verdict
from clsimpact.diagnostics.setting import Setting
from clsimpact.plots.event_study import event_study_figure
from clsimpact.results import Estimate

__all__ = ["CHECK"]

LEVEL = 0.05


@dataclass(frozen=True)
class _Bias:
    """Bias of the overall effect by the trend before adoption, its 90% interval, and what would matter."""

    estimate: float
    low: float
    high: float
    matter: Matter

    @property
    def within(self) -> bool:
        return self.matter.holds(self.low, self.high)


def run(setting: Setting) -> Found:
    """Test the terms before adoption together, and say what the test could have seen."""
    fit = setting.estimate
    seen = seen_before(fit.design)
    if len(seen) < LEAST_TOGETHER:
        return _too_few(setting, seen)
    path = setting.inferred(path_of(fit))
    before = before_of(path)
    bias = _bias(setting, setting.inferred(path, level=0.90), before)
    verdict = _verdict(before, bias)
    return Found(
        verdict,
        _words(setting, before, bias),
        _numbers(before, bias),
        _table(before),
        () if verdict == "holds" else _advice(setting, verdict),
        lambda: event_study_figure(path),
    )


def _verdict(before: Before, bias: _Bias) -> Verdict:
    if before.p_value < LEVEL and not _trifling(before, bias):
        return "does not hold"
    return "holds" if bias.within else "cannot tell"


def _trifling(before: Before, bias: _Bias) -> bool:
    """Whether a margin was given, and bias and every term (joint intervals) lie within it."""
    if not bias.matter.given:
        return False
    reach = np.where(np.isfinite(before.critical), before.critical, np.inf) * before.errors
    return bias.within and bias.matter.holds(before.estimates - reach, before.estimates + reach)


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
        "margin": bias.matter.size,
    }


def _bias(setting: Setting, path: Estimate, before: Before) -> _Bias:
    """Extrapolate the line through the terms before adoption to the overall effect."""
    row = path.linear_combination(before.slope_weights(), label="slope").iloc[0]
    low, high = sorted(float(row[name]) * before.bias for name in ("conf_low", "conf_high"))
    return _Bias(float(row["estimate"]) * before.bias, low, high, matter_of(setting))


def _words(setting: Setting, before: Before, bias: _Bias) -> str:
    seen = (
        f"The joint test of {plural(len(before.names), 'term')} before adoption has p = "
        f"{before.p_value:.3f}.{_power_words(setting, before)}"
    )
    line = (
        " The line through those terms, carried on, makes the overall effect "
        f"{setting.change(bias.estimate)} (90% interval {setting.between(bias.low, bias.high)})"
    )
    if not np.isfinite(bias.matter.size):
        rest = "; it has no interval and no margin was given, so no trend can be called too small to matter."
    else:
        out = "" if bias.within else "not "
        rest = f": a trend that moves it by {bias.matter.words} is {out}ruled out (at 5%)."
    if before.p_value < LEVEL and _trifling(before, bias):
        rest += " So is any single term as large as that: adopters moved otherwise, by too little to matter."
    left = f" Not tested: {before.left_out}." if before.left_out else ""
    return seen + line + rest + left


def _power_words(setting: Setting, before: Before) -> str:
    """Say what trend the joint test sees."""
    most = before.detectable(0.8)
    if not np.isfinite(most):
        return " No linear trend among adopters would be seen with 80% power."
    return (
        f" With 80% power it sees a trend among adopters of {setting.amount(most)} a period, "
        f"which moves the overall effect by {setting.amount(most * before.bias)}."
    )


def _table(before: Before) -> pd.DataFrame:
    return pd.DataFrame({
        "term": before.names,
        "estimate": before.estimates,
        "std_error": before.errors,
        "critical": before.critical,
        "trend": before.trend,
    })  # fmt: skip


def _advice(setting: Setting, verdict: Verdict) -> tuple[Advice, ...]:
    bound = Advice(
        "Say how large a departure from parallel trends the conclusion survives.",
        'fit.check("sensitivity", data=data)',
    )
    if verdict == "cannot tell":
        return (bound, margin_advice(setting, "pre_trends"))
    path = "ci.event_study(design)" if setting.estimate.estimator == "twfe" else "fit"
    return (bound, Advice("Look at the terms one by one, with their intervals.", f"{path}.tidy()"))


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
