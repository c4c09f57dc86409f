"""Trends before adoption: power by simulation, the trend through estimators, equivalence, and verdicts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import clsimpact as ci
from clsimpact.diagnostics._before import before_of, path_of, seen_before, trend_through
from clsimpact.diagnostics._matter import matter_of
from clsimpact.diagnostics.pre_trends import run
from clsimpact.diagnostics.setting import Setting, effect_of
from tests.diagnostics import check_helpers
from tests.diagnostics.check_helpers import design, setting, sound

UNITS = 90
"""With fewer than 80 units the default inference makes no joint test."""

CLOSE = 1e-9
"""Absolute, numbers of one to ten."""


def panel(seed: int = 0, units: int = UNITS, adopters: int = 16, effect: float = 0.0) -> pd.DataFrame:
    """Return a panel that is large enough."""
    return check_helpers.panel(seed=seed, units=units, adopters=adopters, effect=effect)


def trending(seed: int, slope: float, **options: int) -> pd.DataFrame:
    """Adopters move by ``slope`` a year more than others, before and after."""
    data = panel(seed=seed, **options)  # type: ignore[arg-type]
    adopts = data["adoption_year"].notna()
    return data.assign(cost=data["cost"] + slope * (data["year"] - 2012) * adopts)


@pytest.mark.parametrize("name", ["event_study", "imputation", "group_time", "sun_abraham"])
def test_a_trend_goes_through_every_estimator_as_it_does_through_the_data(name: str) -> None:
    """The difference between estimates with and without the trend is the trend, term by term."""
    data = panel(seed=4)
    fits = []
    for slope in (0.0, 0.25):
        made = design(trending(4, slope))
        fits.append(path_of(getattr(ci, name)(made, inference="path")))
    trend, bias = trend_through(fits[0])
    gap = fits[1].estimates - fits[0].estimates
    known = fits[0].identified
    np.testing.assert_allclose(gap[known], 0.25 * trend[known], atol=CLOSE)
    assert effect_of(fits[1]).estimate - effect_of(fits[0]).estimate == pytest.approx(0.25 * bias, abs=CLOSE)
    assert len(data)


def test_in_an_event_study_the_trend_is_event_time_less_the_reference() -> None:
    fit = ci.event_study(design(panel()), inference="path")
    trend, bias = trend_through(fit)
    event = np.array([term.event_time for term in fit.terms], dtype=float)
    np.testing.assert_allclose(trend, event + 1, atol=CLOSE)
    assert bias == pytest.approx((event[event >= 0] + 1).mean(), abs=CLOSE)


def test_twfe_is_checked_by_its_event_study() -> None:
    fit = ci.twfe(design(panel()))
    assert path_of(fit).estimator == "event_study"
    given = setting(panel(seed=1), "twfe", draws=199)
    found = run(given)
    assert "terms before adoption" in found.finding
    sound(found, given)


def test_power_is_the_share_of_samples_in_which_the_test_rejects() -> None:
    """The promised 80% against a joint test of freshly drawn panels with that very trend."""
    before = before_of(ci.event_study(design(panel(seed=10))).with_inference("auto", draws=999))
    slope = before.detectable(0.8)
    assert before.power(slope) == pytest.approx(0.8, abs=2 / 999)
    assert before.power(0.0) == pytest.approx(0.05, abs=0.01)
    assert before.detectable(0.5) < slope
    promised, rejected = [], []
    for seed in range(60):
        fit = ci.event_study(design(trending(1000 + seed, 0.33))).with_inference("auto", draws=199)
        promised.append(before_of(fit).power(0.33))
        rejected.append(fit.joint_test("before")["p_value"].iloc[0] < 0.05)
    # The standard error of the share is 5 points (240 panels: 0.83 promised, 0.79 seen).
    assert np.mean(promised) == pytest.approx(np.mean(rejected), abs=0.15)


def test_the_p_value_is_that_of_the_joint_test_and_the_slope_that_of_least_squares() -> None:
    given = setting(trending(3, 0.02), draws=299, margin=5.0)
    found = run(given)
    fit = given.estimate.with_inference("auto", draws=299)
    assert found.numbers["p_value"] == fit.joint_test("before")["p_value"].iloc[0]
    rows = fit.tidy().query("event_time < -1")
    steps = rows["event_time"].astype(float) + 1
    slope = float((steps * rows["estimate"]).sum() / (steps**2).sum())
    after = fit.tidy().query("event_time >= 0")["event_time"].astype(float) + 1
    assert found.numbers["bias_by_trend"] == pytest.approx(slope * after.mean(), abs=CLOSE)


def test_verdicts_follow_from_the_joint_test_and_the_margin() -> None:
    steep = setting(trending(5, 0.5), draws=199, margin=1.0)
    found = run(steep)
    assert found.verdict == "does not hold"
    assert "is not ruled out" in found.finding
    sound(found, steep)
    flat = setting(panel(seed=6, units=150, adopters=60), draws=199, margin=4.0)
    held = run(flat)
    assert held.verdict == "holds"
    assert max(abs(float(held.numbers[name] or 0)) for name in ("bias_low_90", "bias_high_90")) < 4.0
    sound(held, flat)
    unsure = run(setting(panel(seed=6, units=150, adopters=60), draws=199))
    assert unsure.verdict == "cannot tell"
    assert "a quarter of the width of the interval" in unsure.finding


def test_without_a_margin_the_rule_of_all_checks_is_taken() -> None:
    """A large effect is no leave for a large bias: a tenth of it can undo what the interval says."""
    given = setting(panel(seed=6, units=150, adopters=60, effect=6.0), draws=199)
    found = run(given)
    assert found.numbers["margin"] == matter_of(given).size < abs(given.effect.estimate) / 4
    assert found.verdict == "cannot tell"


def test_a_trend_that_is_certain_and_too_small_to_matter_holds_with_a_margin() -> None:
    data = trending(5, 0.5)
    strict, wide = (setting(data, draws=199, margin=margin) for margin in (1.0, 40.0))
    assert run(strict).verdict == "does not hold"
    found = run(wide)
    assert float(found.numbers["p_value"] or 1) < 0.05
    assert found.verdict == "holds"
    assert "by too little to matter" in found.finding
    jump = data.assign(cost=data["cost"] + 60.0 * (data["year"] - data["adoption_year"] == -3))
    assert run(setting(jump, draws=199, margin=40.0)).verdict == "does not hold"


def test_advice_hands_out_no_margin_and_asks_for_none_where_there_is_one() -> None:
    data = panel(seed=6, units=150, adopters=60)
    code = " ".join(item.code for item in run(setting(data, draws=199)).advice)
    assert "margin=None" in code
    assert ".std()" not in code
    assert "mean()" not in code
    tight = run(setting(data, draws=199, margin=1e-4))
    assert tight.verdict == "cannot tell"
    assert all("margin" not in item.code for item in tight.advice)


def test_advice_runs_where_the_path_has_gaps() -> None:
    data = panel(seed=1, units=120, adopters=40)
    given = setting(data[data["year"] != 2015], "group_time", draws=199)
    found = run(given)
    assert found.verdict != "holds"
    sound(found, given)


def test_two_adopters_with_a_past_are_too_few_and_are_named() -> None:
    data = panel(adopters=4)
    data.loc[data["adoption_year"].between(2016, 2017), "adoption_year"] = 2013
    given = Setting(design(data), ci.event_study(design(data)), data)
    assert [given.design.unit_names[i] for i in seen_before(given.design)] == [
        "Council 2 (E00000002)", "Council 3 (E00000003)",
    ]  # fmt: skip
    found = run(given)
    assert found.verdict == "cannot tell"
    assert "Council 2 (E00000002), Council 3 (E00000003)" in found.finding
    sound(found, given)


def test_alarms_without_a_trend_are_about_one_in_twenty() -> None:
    verdicts = [run(setting(panel(seed=s), draws=199, margin=1.0)).verdict for s in range(200, 240)]
    assert verdicts.count("does not hold") <= 6
