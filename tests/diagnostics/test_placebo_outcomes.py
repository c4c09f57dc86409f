"""Placebo outcomes: estimates are those of designs with them, moves are found, the user chooses."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import clsimpact as ci
from clsimpact.diagnostics.placebo_outcomes import _sigma, run
from clsimpact.diagnostics.setting import Setting
from tests.diagnostics.check_helpers import design, panel, setting, sound
from tests.diagnostics.placebo_helpers import own_checks
from tests.estimation_helpers import SOLVER, dummies

__all__ = ["own_checks"]
pytestmark = pytest.mark.usefixtures("own_checks")


def councils(move: float = 0.0, seed: int = 0, effect: float = 0.0) -> pd.DataFrame:
    """A panel with populations; that of older people in adopters moves by ``move`` spreads at adoption."""
    data = panel(seed=seed, effect=effect)
    rng = np.random.default_rng([seed, 1])
    share = 0.2 + 0.01 * rng.standard_normal(len(data))
    share = share + 0.01 * move * (data["year"] >= data["adoption_year"])
    adults = 1e5 * np.exp(0.05 * rng.standard_normal(len(data)))
    return data.assign(population_65_plus=share * adults, population_18_plus=adults)


def test_estimates_are_those_of_the_placebo_outcome_in_its_residual_spread() -> None:
    data = councils()
    given = setting(data, draws=199)
    found = run(given)
    share = data.assign(share=data["population_65_plus"] / data["population_18_plus"])
    made = ci.Design(share, outcome="share", unit="ons_code", time="year", cohort="adoption_year")
    fit = ci.event_study(made).with_inference("permutation", draws=199, seed=0)
    row = fit.overall.iloc[0]
    residual = dummies(share, "share ~ C(ons_code) + C(year)").resid
    sigma = float(np.sqrt(np.mean(residual**2)))
    assert _sigma(made) == pytest.approx(sigma, rel=SOLVER)
    key = "share of adults aged 65 or over"
    assert found.numbers[f"estimate: {key}"] == pytest.approx(float(row["estimate"]) / sigma, rel=1e-7)
    assert found.numbers[f"conf_low: {key}"] == pytest.approx(float(row["conf_low"]) / sigma, rel=1e-7)


def test_an_outcome_that_moves_with_adoption_is_found() -> None:
    given = setting(councils(move=1.5))
    found = run(given)
    assert found.verdict == "does not hold"
    assert "share of adults aged 65 or over" in found.finding
    assert "number of adults" not in found.finding
    sound(found, given)


def test_quiet_outcomes_hold_where_enough_could_be_seen() -> None:
    given = setting(councils(effect=4.0), margin=2.0)
    found = run(given)
    assert found.verdict == "holds"
    assert found.numbers["matters"] == pytest.approx(2.0 / _sigma(given.design))
    sound(found, given)
    unclear = setting(councils())
    assert run(unclear).verdict == "cannot tell"
    sound(run(unclear), unclear)


def test_the_users_columns_are_followed_with_their_labels() -> None:
    rng = np.random.default_rng(0)
    data = councils().assign(weather=rng.normal(size=600), constant=1.0)
    data.attrs["placebo_outcomes"] = ["weather", "constant", "cost"]
    data.attrs["columns"] = {"weather": {"label": "days of rain"}}
    found = run(setting(data))
    assert found.numbers["outcomes"] == 1
    assert "days of rain" in found.finding
    assert "constant (it does not move over time)" in found.finding


def test_rows_without_the_outcome_are_left_out() -> None:
    data = councils(seed=3)
    gone = data["year"] == 2012
    data.loc[gone, "population_65_plus"] = np.nan
    found = run(setting(data, draws=199))
    less = data[~gone].assign(share=lambda d: d["population_65_plus"] / d["population_18_plus"])
    made = ci.Design(less, outcome="share", unit="ons_code", time="year", cohort="adoption_year")
    expected = float(ci.event_study(made).overall["estimate"].iloc[0]) / _sigma(made)
    assert found.numbers["estimate: share of adults aged 65 or over"] == pytest.approx(expected, rel=1e-7)


def test_several_outcomes_are_adjusted_by_holm() -> None:
    rng = np.random.default_rng(2)
    data = panel()
    names = [f"placebo_{k}" for k in range(4)]
    data = data.assign(**{name: rng.normal(size=len(data)) for name in names})
    data.attrs["placebo_outcomes"] = names
    found = run(setting(data))
    assert found.table is not None
    p = np.sort(found.table["p_value"])
    assert found.table["p_adjusted"].min() == pytest.approx(min(1.0, 4 * p[0]))


def test_panels_that_name_none_cannot_tell() -> None:
    plain = setting(panel())
    found = run(plain)
    assert found.verdict == "cannot tell"
    assert "No placebo outcome is known" in found.finding
    sound(found, plain)
    data = panel().assign(still=1.0)
    data.attrs["placebo_outcomes"] = ["still"]
    still = setting(data)
    assert "could be estimated" in run(still).finding
    sound(run(still), still)


def test_the_advice_leaves_the_panel_as_it_was() -> None:
    data = councils()
    given = setting(data)
    sound(run(given), given)
    assert "placebo_outcomes" not in data.attrs


def test_the_design_is_that_of_the_setting() -> None:
    data = councils()
    made = design(data)
    found = run(Setting(made, ci.twfe(made), data))
    assert found.table is not None
    assert set(found.table["adopters"]) == {16}


def test_what_adoption_itself_moves_is_not_suggested() -> None:
    rng = np.random.default_rng(0)
    data = panel(units=40, adopters=10)
    on = (data["year"] >= data["adoption_year"]).astype(int)
    data = data.assign(
        post=on,
        treatment_effect_true=2.0 * on,
        since=(data["year"] - data["adoption_year"]).fillna(0),
        trend=data["year"] - 2012,
        log_cost=np.log(data["cost"]),
        area=data.groupby("ons_code").ngroup(),
        rain=rng.normal(size=len(data)),
    )
    found = run(setting(data))
    assert found.advice[-1].code.endswith("= ['rain']")
    everybody = data[data["adoption_year"].notna()]
    assert run(setting(everybody, "twfe")).advice[-1].code.endswith("= ['rain']")


def test_a_panel_without_a_candidate_is_told_so() -> None:
    given = setting(panel(units=40, adopters=10))
    found = run(given)
    assert "has no column that might be one" in found.advice[-1].text
    assert "[]" not in found.advice[-1].code
    sound(found, given)


def test_a_move_that_is_certain_and_too_small_to_matter_holds_with_a_margin() -> None:
    given = setting(councils(move=1.5), margin=10.0)
    found = run(given)
    assert found.table is not None
    assert found.table["marked"].any()
    assert found.verdict == "holds"
    assert "too small to matter" in found.finding
    sound(found, given)


def test_estimators_that_leave_out_rows_are_judged() -> None:
    data = ci.load_mpdta().query("year != 2005")
    data = data.assign(noise=np.random.default_rng(1).normal(size=len(data)))
    data.loc[data.index[::17], "noise"] = np.nan
    data.attrs["placebo_outcomes"] = ["noise"]
    fit = ci.sun_abraham(ci.Design(data, outcome="lemp", unit="county", time="year", cohort="first_treat"))
    found = run(Setting(fit.design, fit, data, draws=99))
    assert found.numbers["outcomes"] == 1
