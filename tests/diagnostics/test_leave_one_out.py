"""Units left out: every estimate is that of the smaller panel, gross errors are named, others are not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import clsimpact as ci
from clsimpact.diagnostics._odd_units import bound, changes, far_moves, odd_adopters, spread
from clsimpact.diagnostics.leave_one_out import MOST, run
from tests.diagnostics.check_helpers import design, panel, setting, sound
from tests.diagnostics.placebo_helpers import own_checks
from tests.estimation_helpers import SOLVER

__all__ = ["own_checks"]
pytestmark = pytest.mark.usefixtures("own_checks")


def wrong(data: pd.DataFrame, unit: str, times: float = 10.0) -> pd.DataFrame:
    """Make the figures of one unit ten times too large from 2018 on."""
    at = (data["ons_code"] == unit) & (data["year"] >= 2018)
    return data.assign(cost=data["cost"] * np.where(at, times, 1.0))


@pytest.mark.parametrize("estimator", ["event_study", "group_time"])
def test_every_estimate_is_that_of_the_smaller_panel(estimator: str) -> None:
    data = panel(units=14, adopters=6, seed=2, years=tuple(range(2012, 2020)))
    found = run(setting(data, estimator))
    assert found.table is not None
    assert len(found.table) == 14
    for row in found.table.to_dict("records"):
        less = getattr(ci, estimator)(design(data[data["ons_code"] != row["unit"]]), inference="CR0")
        assert row["estimate"] == pytest.approx(float(less.overall["estimate"].iloc[0]), rel=SOLVER)
    assert found.numbers["lowest"] == found.table["estimate"].min()
    assert found.numbers["highest"] == found.table["estimate"].max()


@pytest.mark.parametrize("adopters", [6, 16])
@pytest.mark.parametrize("estimator", ["event_study", "imputation"])
def test_a_gross_error_in_an_adopter_is_named(adopters: int, estimator: str) -> None:
    given = setting(wrong(panel(seed=1, adopters=adopters), "E00000002"), estimator)
    found = run(given)
    assert found.verdict == "does not hold"
    assert "Council 2 (E00000002)" in found.finding
    assert found.numbers["at_fault"] == 1
    assert found.numbers["most_influential"] == "Council 2 (E00000002)"
    sound(found, given)


def test_a_gross_error_in_another_unit_and_two_in_adopters_are_named() -> None:
    given = setting(wrong(panel(seed=1), "E00000040", 30.0))
    found = run(given)
    assert found.verdict == "does not hold"
    assert "Council 40" in found.finding
    both = wrong(wrong(panel(seed=1), "E00000002"), "E00000005")
    two = run(setting(both))
    assert two.numbers["at_fault"] == 2
    assert "Council 2 " in two.finding
    assert "Council 5 " in two.finding


def test_a_clear_effect_that_nobody_carries_holds() -> None:
    given = setting(panel(seed=1, effect=4.0))
    found = run(given)
    assert found.verdict == "holds"
    assert "The interval excludes zero also without" in found.finding
    sound(found, given)


def test_the_words_give_the_interval_of_the_panel_without_the_unit() -> None:
    data = panel(seed=9, effect=3.0)
    given = setting(data)
    found = run(given)
    assert found.table is not None
    low = found.table.loc[found.table["estimate"].idxmin()]
    less = ci.event_study(design(data[data["ons_code"] != low["unit"]])).with_inference("auto", draws=999)
    row = less.overall.iloc[0]
    assert found.numbers["conf_low_tightest"] == pytest.approx(float(row["conf_low"]), rel=SOLVER)
    assert low["label"].removeprefix("without ") in found.finding


def test_a_conclusion_that_one_unit_decides_is_open_and_no_fault() -> None:
    """A p-value near 5% changes sides without one of several units: that is said, not called an error."""
    seen = []
    for seed in range(4):
        data = panel(seed=seed, adopters=8)
        gap = -setting(data).effect.estimate
        half = (setting(data).effect.high - setting(data).effect.low) / 2
        moved = setting(
            data.assign(cost=data["cost"] + (gap + 1.02 * half) * (data["year"] >= data["adoption_year"]))
        )
        found = run(moved)
        assert moved.effect.clear
        assert found.verdict != "does not hold"
        seen.append(found.verdict == "cannot tell")
        if seen[-1]:
            assert "the conclusion rests on one council" in found.finding
            sound(found, moved)
    assert any(seen)


def test_too_few_adopters_or_no_interval_cannot_tell() -> None:
    few = setting(panel(adopters=3))
    found = run(few)
    assert found.verdict == "cannot tell"
    assert "3 adopters" in found.finding
    sound(found, few)
    lone = run(setting(panel(adopters=1)))
    assert "no interval" in lone.finding


def test_large_panels_leave_out_adopters_and_the_most_variable() -> None:
    data = panel(units=MOST + 40, adopters=8, years=(2012, 2013, 2014, 2015, 2016, 2017, 2018, 2019))
    found = run(setting(wrong(data, f"E{MOST + 20:08d}", 40.0), "twfe"))
    assert found.numbers["left_out"] == MOST
    assert f"Council {MOST + 20} " in found.finding


def test_false_alarms_are_rare() -> None:
    found = [run(setting(panel(seed=s, units=40, adopters=8), "twfe", draws=99)).verdict for s in range(20)]
    assert found.count("does not hold") <= 2


def test_the_bound_holds_for_all_adopters_together_in_normal_data() -> None:
    """300 made-up panels of 6 adopters, twice as noisy as others in half of them."""
    alarms = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        y = rng.standard_normal((60, 8))
        adopters = np.arange(60) < 6
        y[adopters] *= 1 + seed % 2
        treated = adopters[:, None] & (np.arange(8) >= 4)
        alarms += bool(odd_adopters(y, np.ones_like(treated), treated, adopters, 0.05)[2].any())
    assert alarms <= 0.05 * 300 + 2 * np.sqrt(300 * 0.05 * 0.95)


def test_changes_and_spread_by_hand() -> None:
    y = np.array([[1.0, 3.0, 10.0, 20.0]])
    seen = np.array([[True, True, False, True]])
    after, before = np.array([False, False, True, True]), np.array([True, True, False, False])
    assert changes(y, seen, after, before).tolist() == [18.0]
    values = np.array([0.0, 1.0, -1.0, 2.0, -2.0, 500.0])
    assert spread(values) < 3
    assert np.isfinite(spread(np.zeros(4)))
    assert bound(10, 0.05) > bound(10, 0.2)
    assert not far_moves(np.array([1.0, 2.0, 3.0]), 0.05).any()
    assert not far_moves(np.zeros(10), 0.05).any()


def test_the_words_say_how_many_units_were_asked() -> None:
    """Of more than can be left out one by one, the finding says of how many."""
    data = panel(seed=1, units=MOST + 40, effect=4.0, years=tuple(range(2012, 2020)))
    found = run(setting(data, "twfe"))
    assert f"leaving out one of {MOST} councils out of {MOST + 40} (adopters, and" in found.finding
    assert found.numbers["left_out"] == MOST
