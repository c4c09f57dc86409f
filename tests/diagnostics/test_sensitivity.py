"""Departures from parallel trends: the verdict follows from the breakdown value and the margin."""

from __future__ import annotations

import numpy as np
import pytest

import clsimpact as ci
from clsimpact.diagnostics.sensitivity import GRID, run
from clsimpact.diagnostics.setting import Setting
from tests.diagnostics.check_helpers import design, panel, setting, sound


def test_numbers_are_those_of_honest_did_on_the_path() -> None:
    given = setting(panel(seed=2, effect=2.0), draws=199)
    found = run(given)
    path = ci.event_study(design(panel(seed=2, effect=2.0))).with_inference("auto", draws=199)
    own = ci.honest_did(path, grid=list(GRID))
    assert found.numbers["breakdown"] == pytest.approx(own.breakdown)
    assert found.numbers["conf_low"] == pytest.approx(own.original[0])
    table = found.table
    assert table is not None
    assert table["grid"].tolist() == list(GRID)
    assert table["conf_low"].to_numpy() == pytest.approx(own.conf_low)
    assert (np.diff(table["conf_low"]) <= 1e-9).all()
    sound(found, given)


def test_a_large_effect_survives_and_a_small_clear_one_does_not() -> None:
    large = setting(panel(seed=3, units=120, adopters=40, effect=8.0), draws=199)
    found = run(large)
    assert found.verdict == "holds"
    assert float(found.numbers["breakdown"] or 0) >= 1
    assert "excludes zero if trends are parallel, and for steps between the trends" in found.finding
    sound(found, large)
    small = setting(panel(seed=3, units=120, adopters=40, effect=0.5), draws=199)
    lost = run(small)
    assert small.effect.clear
    assert lost.verdict == "does not hold"
    assert float(lost.numbers["breakdown"] or 0) < 1
    sound(lost, small)


def test_without_a_conclusion_there_is_none_to_lose() -> None:
    given = setting(panel(seed=4), draws=199)
    assert not given.effect.clear
    found = run(given)
    assert found.verdict == "cannot tell"
    assert found.numbers["breakdown"] is None
    assert "no conclusion to lose" in found.finding
    sound(found, given)


@pytest.mark.parametrize(
    ("margin", "verdict"), [(50.0, "holds"), (0.9, "does not hold"), (0.01, "cannot tell")]
)
def test_smallness_is_a_conclusion_too(margin: float, verdict: str) -> None:
    given = setting(panel(seed=4, units=120, adopters=40), draws=199, margin=margin)
    found = run(given)
    assert found.verdict == verdict
    sound(found, given)


def test_twfe_is_checked_by_its_event_study() -> None:
    found = run(setting(panel(seed=2, effect=2.0), "twfe", draws=199))
    own = run(setting(panel(seed=2, effect=2.0), "event_study", draws=199))
    assert found.numbers["breakdown"] == own.numbers["breakdown"]


@pytest.mark.parametrize("estimator", ["event_study", "sun_abraham"])
def test_a_conclusion_that_the_result_does_not_have_is_not_judged(estimator: str) -> None:
    """The bounds start from an interval of their own; that it leaves zero out says nothing of the result."""
    base = setting(panel(seed=3, units=120, adopters=40, effect=0.5), estimator, draws=199)
    assert run(base).verdict == "does not hold"
    given = Setting(base.design, base.fit, base.data, draws=199)
    object.__setattr__(given, "effect", base.effect._replace(low=-0.03, high=1.03))
    found = run(given)
    assert found.verdict == "cannot tell"
    assert "The interval of the result (from £0.03 lower to £1.03 higher) includes zero" in found.finding
    assert "the one that these bounds start from" in found.finding
    assert "excludes zero: no conclusion to lose" in found.finding
    sound(found, given)


def test_a_result_without_which_the_bounds_have_no_conclusion_is_not_called_overturned() -> None:
    base = setting(panel(seed=4), draws=199)
    given = Setting(base.design, base.fit, base.data, draws=199)
    object.__setattr__(given, "effect", base.effect._replace(low=0.01, high=1.0))
    found = run(given)
    assert found.verdict == "cannot tell"
    assert "(£0.01 to £1 higher) excludes zero; the one" in found.finding
    bare = Setting(base.design, base.fit, base.data, draws=199)
    object.__setattr__(bare, "effect", base.effect._replace(low=np.nan, high=np.nan))
    assert "no interval" in run(bare).finding


def test_smallness_that_the_result_does_not_have_is_not_judged() -> None:
    base = setting(panel(seed=4, units=120, adopters=40), draws=199, margin=0.9)
    given = Setting(base.design, base.fit, base.data, draws=199, margin=0.9)
    object.__setattr__(given, "effect", base.effect._replace(low=-1.0, high=0.5))
    found = run(given)
    assert found.verdict == "cannot tell"
    assert "does not lie within the margin; the one" in found.finding
