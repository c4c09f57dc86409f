"""Effects before adoption: by hand on four units, by a dummy regression, found where planted, else quiet."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import clsimpact as ci
from clsimpact.diagnostics import _placebo
from clsimpact.diagnostics.anticipation import run
from clsimpact.diagnostics.setting import Setting
from clsimpact.errors import DesignError
from tests.diagnostics.check_helpers import design, panel, setting, sound
from tests.diagnostics.placebo_helpers import own_checks, shifted
from tests.estimation_helpers import SOLVER, dummies

__all__ = ["own_checks"]
pytestmark = pytest.mark.usefixtures("own_checks")


def test_by_hand() -> None:
    """Adopters rise by 5 in the year before adoption, others by 1: the move is 4 by double difference."""
    rows = []
    for i in range(12):
        cohort = 5.0 if i < 4 else np.nan
        for t in (1, 2, 3, 4, 5):
            y = {1: 0, 2: 0, 3: 0, 4: 5, 5: 50}[t] if i < 4 else {1: 0, 2: 0, 3: 0, 4: 1, 5: 1}[t]
            rows.append((f"u{i:02d}", t, cohort, y + 0.01 * ((7 * i + 3 * t) % 5)))
    data = pd.DataFrame(rows, columns=["unit", "time", "cohort", "y"])
    made = ci.Design(data, outcome="y", unit="unit", time="time", cohort="cohort")
    found = run(Setting(made, ci.twfe(made), data))
    assert found.numbers["estimate_1"] == pytest.approx(4, abs=0.05)
    assert found.numbers["estimate_2"] == pytest.approx(2, abs=0.05)
    assert found.verdict == "does not hold"
    assert "last period before adoption" in found.finding


def test_estimates_are_those_of_a_regression_on_dummies() -> None:
    data = panel(units=30, adopters=9, seed=2)
    given = setting(data)
    found = run(given)
    since = data["year"] - data["adoption_year"]
    before = data[~(since >= 0)]
    for k in (1, 2):
        near = before.assign(near=(since[before.index] >= -k).astype(float))
        other = dummies(near, "cost ~ near + C(ons_code) + C(year)")
        assert found.numbers[f"estimate_{k}"] == pytest.approx(other.params["near"], rel=SOLVER)


@pytest.mark.parametrize("estimator", ["event_study", "group_time", "twfe", "imputation"])
def test_a_move_in_the_year_before_is_found_and_a_lag_advised(estimator: str) -> None:
    given = setting(shifted(panel(seed=1), 2.5, start=-1), estimator)
    found = run(given)
    assert found.verdict == "does not hold"
    assert "anticipation=" in found.advice[0].code
    assert found.table is not None
    assert found.table["marked"].any()
    sound(found, given)


def test_an_effect_after_adoption_is_no_anticipation() -> None:
    given = setting(panel(seed=1, effect=5.0), margin=3.0)
    found = run(given)
    assert found.verdict == "holds"
    assert not found.advice
    assert "no room for the margin of 3" in found.finding
    without = run(setting(panel(seed=1)))
    assert found.numbers["estimate_1"] == pytest.approx(without.numbers["estimate_1"], abs=1e-9)
    sound(found, given)


def test_without_a_margin_an_unclear_effect_leaves_it_open() -> None:
    given = setting(panel(seed=1, units=40, adopters=8))
    found = run(given)
    assert found.verdict == "cannot tell"
    assert "a quarter of the width" in found.finding
    sound(found, given)
    assert run(setting(panel(seed=1, units=40, adopters=8), margin=3.0)).verdict == "holds"


def test_periods_before_anticipation_are_tested_where_the_design_has_one() -> None:
    data = shifted(panel(seed=1), 2.5, start=-1)
    made = design(data, anticipation=1)
    found = run(Setting(made, ci.event_study(made), data, margin=2.0))
    assert found.verdict != "does not hold"
    part = _placebo.pretended(made, 1)
    assert part.event_time[part.treated].max() <= 1
    worse = shifted(panel(seed=1), 2.5, start=-2)
    made = design(worse, anticipation=1)
    again = run(Setting(made, ci.event_study(made), worse))
    assert again.verdict == "does not hold"
    assert "anticipation=2" in again.advice[0].code


def test_too_few_early_years_are_said() -> None:
    data = panel(years=tuple(range(2012, 2020))).query("year >= 2015 and not adoption_year >= 2017")
    given = setting(data)
    found = run(given)
    assert found.verdict == "cannot tell"
    assert "2015-16 to 2019-20" in found.finding
    sound(found, given)


def test_false_alarms_are_about_five_per_cent() -> None:
    made = (setting(panel(seed=s, units=40, adopters=8), "twfe", draws=199) for s in range(100, 130))
    assert [run(given).verdict for given in made].count("does not hold") <= 5


def test_a_large_effect_is_no_leave_for_a_move_that_undoes_the_conclusion() -> None:
    given = setting(panel(seed=1, effect=5.0))
    found = run(given)
    assert given.effect.clear
    assert float(found.numbers["conf_high_1"] or 0) < given.effect.estimate
    assert found.verdict == "cannot tell"
    assert found.numbers["matters"] == (given.effect.high - given.effect.low) / 4
    assert "margin=None" in found.advice[0].code


def test_a_move_that_is_certain_and_too_small_to_matter_holds_with_a_margin() -> None:
    data = shifted(panel(seed=1), 2.5, start=-1)
    assert run(setting(data, margin=1.0)).verdict == "does not hold"
    given = setting(data, margin=10.0)
    found = run(given)
    assert float(found.numbers["p_adjusted_1"] or 1) < 0.05
    assert found.verdict == "holds"
    assert "too small to matter" in found.finding
    sound(found, given)


def test_the_period_that_is_left_open_is_named() -> None:
    found = run(setting(panel(seed=1, units=40, adopters=8)))
    assert found.table is not None
    widest = found.table[["conf_low", "conf_high"]].abs().max(axis=1).idxmax()
    assert f"is not ruled out ({found.table.loc[widest, 'label']})." in found.finding


def test_an_outcome_that_never_varies_is_refused() -> None:
    with pytest.raises(DesignError, match="does not vary"):
        run(setting(panel(units=30, adopters=8).assign(cost=7.0)))
