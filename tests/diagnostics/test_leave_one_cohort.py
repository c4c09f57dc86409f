"""Cohorts left out: differences by dummy regressions, one deviating cohort is named, others are not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import clsimpact as ci
from clsimpact.diagnostics._cohort_paths import cohort_difference
from clsimpact.diagnostics.leave_one_cohort import run
from clsimpact.diagnostics.setting import Setting
from clsimpact.errors import DesignError
from tests.diagnostics.check_helpers import design, panel, setting, sound
from tests.diagnostics.placebo_helpers import own_checks
from tests.estimation_helpers import SOLVER, mpdta

__all__ = ["own_checks"]
pytestmark = pytest.mark.usefixtures("own_checks")


def odd_cohort(size: float, seed: int = 0, effect: float = 0.0) -> pd.DataFrame:
    """A panel of four cohorts whose second, 2017, has a larger effect."""
    data = panel(seed=seed, units=80, adopters=24, effect=effect)
    wrong = (data["adoption_year"] == 2017) & (data["year"] >= 2017)
    return data.assign(cost=data["cost"] + size * wrong)


def by_hand(data: pd.DataFrame, cohort: int) -> float:
    """Mean outcome of a cohort less never treated, after less before; less the same of the others.

    On a balanced panel an event study of one cohort is that difference of means. The others are one cohort
    here, so that theirs is too; both at the event times that they have in common.
    """
    never = data[data["adoption_year"].isna()].groupby("year")["cost"].mean()
    paths = {}
    for own, rows in data.dropna(subset=["adoption_year"]).groupby("adoption_year"):
        path = rows.groupby("year")["cost"].mean() - never
        path.index = path.index - int(own)
        paths[int(own)] = path
    mine, rest = paths.pop(cohort), next(iter(paths.values()))
    gap = (mine - rest).dropna()
    return float(gap[gap.index >= 0].mean() - gap[gap.index < 0].mean())


def test_the_difference_is_one_of_means_at_common_event_times() -> None:
    data = panel(seed=3, units=30, adopters=12)
    data = data[data["adoption_year"].isna() | data["adoption_year"].isin([2016, 2018])]
    made = design(data)
    found = float(cohort_difference(made, 2016) @ made.y)
    assert found == pytest.approx(by_hand(data, 2016), rel=1e-9)
    assert float(cohort_difference(made, 2018) @ made.y) == pytest.approx(-found, rel=1e-9)


@pytest.mark.parametrize("estimator", ["event_study", "group_time", "imputation"])
def test_estimates_without_a_cohort_are_those_of_the_smaller_panel(estimator: str) -> None:
    data = panel(seed=1, units=40, adopters=16)
    found = run(setting(data, estimator))
    for cohort in (2016, 2017, 2018, 2019):
        less = getattr(ci, estimator)(design(data[data["adoption_year"] != cohort]))
        expected = float(less.overall["estimate"].iloc[0])
        assert found.numbers[f"without_{cohort}"] == pytest.approx(expected, rel=SOLVER)


def test_one_cohort_with_another_effect_is_named() -> None:
    given = setting(odd_cohort(5.0))
    found = run(given)
    assert found.verdict == "does not hold"
    assert "cohort 2017-18" in found.finding
    assert "Council 1" in found.finding
    assert found.numbers["p_adjusted_2017"] < 0.05
    sound(found, given)


def test_effects_that_grow_with_time_are_no_difference_between_cohorts() -> None:
    data = panel(seed=6, units=80, adopters=24)
    grown = np.maximum(data["year"] - data["adoption_year"] + 1, 0).fillna(0)
    given = setting(data.assign(cost=data["cost"] + 2.0 * grown))
    found = run(given)
    assert found.verdict == "holds"
    plain = run(setting(data))
    assert found.numbers["difference_2016"] == pytest.approx(plain.numbers["difference_2016"], abs=1e-9)


def test_a_clear_effect_that_no_cohort_carries_holds() -> None:
    given = setting(odd_cohort(0.0, effect=4.0))
    found = run(given)
    assert found.verdict == "holds"
    assert "whichever cohort is left out the interval excludes zero" in found.finding
    sound(found, given)


def test_a_cohort_that_carries_the_conclusion_is_said() -> None:
    """Without 2004 the interval of the event study of the textbook panel includes zero."""
    made = mpdta()
    data = ci.datasets.load_mpdta()
    given = Setting(made, ci.event_study(made), data)
    found = run(given)
    assert found.verdict == "cannot tell"
    assert "without 2004 the interval includes zero" in found.finding
    sound(found, given)


def test_a_cohort_without_which_there_is_no_interval_is_not_spoken_for() -> None:
    data = panel(units=30, adopters=8)
    small = data["ons_code"].isin(["E00000001", "E00000005", "E00000002", "E00000006", "E00000003"])
    data = data[~small]  # 2016 has two adopters and 2019 has one
    found = run(setting(data))
    assert found.table is not None
    assert found.table["conf_low"].isna().any()
    assert "whichever" not in found.finding
    assert "without either" not in found.finding


def test_one_cohort_cannot_be_compared() -> None:
    data = panel(units=30, adopters=8)
    data = data.assign(adoption_year=data["adoption_year"].where(data["adoption_year"].isna(), 2016.0))
    given = setting(data)
    found = run(given)
    assert found.verdict == "cannot tell"
    assert "same year (2016-17)" in found.finding
    sound(found, given)


def test_small_cohorts_are_shown_and_not_tested() -> None:
    given = setting(panel(units=30, adopters=8))
    found = run(given)
    assert found.verdict == "cannot tell"
    assert "Whether cohorts differ cannot be tested" in found.finding
    assert found.table is not None
    assert len(found.table) == 5
    sound(found, given)
    with pytest.raises(DesignError, match="fewer than 3 adopters"):
        cohort_difference(given.design, 2016)
    mixed = panel(units=40, adopters=15)
    few = run(setting(mixed.query("ons_code not in ['E00000003', 'E00000007']")))
    assert "Not tested, with too few adopters: 2019-20" in few.finding
    assert few.verdict != "holds"
    assert "difference_2019" not in few.numbers


def test_false_alarms_are_about_five_per_cent() -> None:
    found = [
        run(setting(panel(seed=s, units=50, adopters=16), "twfe", draws=199)).verdict for s in range(300, 325)
    ]
    assert found.count("does not hold") <= 4


def test_an_outcome_that_never_varies_is_refused() -> None:
    with pytest.raises(DesignError, match="does not vary"):
        run(setting(panel(units=80, adopters=24).assign(cost=7.0)))


def test_there_is_no_figure_of_nothing() -> None:
    """Without a unit that never adopts an event study has no overall effect, with or without a cohort."""
    data = panel(units=24, adopters=24)
    result = ci.event_study(design(data)).check("leave_one_cohort", draws=99)["leave_one_cohort"]
    assert result.verdict == "cannot tell"
    with pytest.raises(DesignError, match="nothing to draw"):
        result.plot()


def test_a_difference_that_is_certain_and_too_small_to_matter_holds_with_a_margin() -> None:
    given = setting(odd_cohort(5.0), margin=20.0)
    found = run(given)
    assert found.numbers["p_adjusted_2017"] < 0.05
    assert found.verdict == "holds"
    assert "All of these intervals lie within the margin of 20: too small to matter." in found.finding
    sound(found, given)
