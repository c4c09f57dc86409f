"""Placebo dates: the estimates are those of the design with other dates, faults are found, others are not."""

from __future__ import annotations

import numpy as np
import pytest

import clsimpact as ci
from clsimpact.diagnostics import _placebo
from clsimpact.diagnostics.placebo_dates import run
from clsimpact.diagnostics.setting import Setting
from clsimpact.errors import DesignError
from tests.diagnostics.check_helpers import design, panel, setting, sound
from tests.diagnostics.placebo_helpers import own_checks, shifted
from tests.estimation_helpers import SOLVER

__all__ = ["own_checks"]
pytestmark = pytest.mark.usefixtures("own_checks")


@pytest.mark.parametrize("estimator", ["event_study", "group_time", "imputation", "twfe"])
def test_estimates_are_those_of_the_panel_with_other_dates(estimator: str) -> None:
    data = panel(units=40, adopters=12, seed=3)
    found = run(setting(data, estimator))
    for k in (2, 3):
        early = data[~(data["year"] >= data["adoption_year"])]
        early = early.assign(adoption_year=early["adoption_year"] - k)
        made = getattr(ci, estimator)(design(early))
        assert found.numbers[f"estimate_{k}"] == pytest.approx(
            float(made.overall["estimate"].iloc[0]), rel=SOLVER
        )


def test_an_effect_two_years_before_the_dates_is_found() -> None:
    given = setting(shifted(panel(seed=2), 2.5, start=-2))
    found = run(given)
    assert found.verdict == "does not hold"
    assert "2 years earlier" in found.finding
    assert found.numbers["p_adjusted_2"] < 0.05
    sound(found, given)


def test_an_effect_from_adoption_on_is_no_placebo_effect() -> None:
    given = setting(panel(seed=2, effect=6.0), margin=3.0)
    found = run(given)
    assert found.verdict == "holds"
    assert found.numbers["estimate_2"] == pytest.approx(
        float(run(setting(panel(seed=2))).numbers["estimate_2"])
    )
    sound(found, given)


def test_where_outcomes_have_no_weights_of_their_own_each_date_is_judged_by_itself() -> None:
    data = panel(seed=5, units=40, adopters=12)
    data["size"] = np.random.default_rng(0).uniform(0.5, 2, len(data))
    made = design(data, weights="size")
    given = Setting(made, ci.imputation(made), data)
    found = run(given)
    assert found.numbers["inference"] == "own"
    early = data[~(data["year"] >= data["adoption_year"])]
    early = early.assign(adoption_year=early["adoption_year"] - 2)
    row = ci.imputation(design(early, weights="size")).overall.iloc[0]
    names = ("estimate", "conf_low", "conf_high", "p_value")
    np.testing.assert_allclose([found.numbers[f"{n}_2"] for n in names], row[list(names)].astype(float))
    assert found.numbers["p_adjusted_2"] >= found.numbers["p_value_2"]


def test_estimators_that_refuse_such_a_sample_say_so() -> None:
    data = panel(seed=5, units=24, adopters=6)
    made = design(data)
    with pytest.raises(DesignError, match="balanced"):
        run(Setting(made, ci.synthetic_did(made), data))


def test_dates_that_no_row_allows_are_left_out_and_said() -> None:
    data = panel(seed=1).query("year >= 2014")
    found = run(setting(data))
    assert "estimate_2" in found.numbers
    short = panel(years=tuple(range(2012, 2020))).query("year >= 2015 and not adoption_year >= 2018")
    given = setting(short)
    lost = run(given)
    assert lost.verdict == "cannot tell"
    assert "no earlier date can be pretended" in lost.finding
    sound(lost, given)


def test_the_rest_of_the_panel_does_not_enter() -> None:
    """Rows after adoption do not move a placebo, whatever they hold."""
    data = panel(seed=2)
    wild = shifted(data, 500.0, start=0)
    one, other = run(setting(data)), run(setting(wild))
    names = [f"estimate_{k}" for k in (2, 3)]
    np.testing.assert_allclose([one.numbers[n] for n in names], [other.numbers[n] for n in names], atol=1e-8)


def test_a_placebo_effect_that_is_certain_and_too_small_to_matter_holds_with_a_margin() -> None:
    data = shifted(panel(seed=2), 2.5, start=-2)
    found = run(setting(data, margin=10.0))
    assert float(found.numbers["p_adjusted_2"] or 1) < 0.05
    assert found.verdict == "holds"
    assert "all of its interval lies within the margin of 10" in found.finding


def test_estimators_that_leave_out_rows_are_judged() -> None:
    """With a gap some rows have no comparison: `sun_abraham` drops them, and weights must follow."""
    made = ci.load_mpdta().query("year != 2005")
    fit = ci.sun_abraham(ci.Design(made, outcome="lemp", unit="county", time="year", cohort="first_treat"))
    found = run(Setting(fit.design, fit, made, draws=99))
    part = _placebo.pretended(fit.design, 2)
    assert fit.again is not None
    other = fit.again(part)
    assert other.design.n_obs < part.n_obs
    assert found.numbers["estimate_2"] == pytest.approx(float(other.overall["estimate"].iloc[0]), rel=SOLVER)
