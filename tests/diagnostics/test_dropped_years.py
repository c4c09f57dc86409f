"""Years left out: changes are those of two fits, faults of some years are found, others are not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import clsimpact as ci
from clsimpact._check import number
from clsimpact.diagnostics.dropped_years import QUESTIONS, _affordable, run
from clsimpact.diagnostics.setting import Setting
from clsimpact.errors import DesignError
from tests.diagnostics.check_helpers import design, panel, setting, sound
from tests.diagnostics.placebo_helpers import own_checks
from tests.estimation_helpers import SOLVER, mpdta

__all__ = ["own_checks"]
pytestmark = pytest.mark.usefixtures("own_checks")

YEARS = tuple(range(2013, 2023))


def late(seed: int = 0, grants: float = 0.0) -> pd.DataFrame:
    """A panel to 2022 whose adopters count grants in 2020 and 2021."""
    data = panel(seed=seed, years=YEARS)
    wrong = data["adoption_year"].notna() & data["year"].isin([2020, 2021])
    return data.assign(cost=data["cost"] + grants * wrong)


@pytest.mark.parametrize("estimator", ["event_study", "group_time", "imputation"])
def test_changes_are_those_of_two_fits(estimator: str) -> None:
    data = late(seed=4)
    given = setting(data, estimator)
    found = run(given)
    for years, name in (([2020], "2020"), ([2020, 2021], "2020_2021")):
        less = getattr(ci, estimator)(design(data[~data["year"].isin(years)]))
        estimate = float(less.overall["estimate"].iloc[0])
        assert found.numbers[f"without_{name}"] == pytest.approx(estimate, rel=SOLVER)
        assert found.numbers[f"change_{name}"] == pytest.approx(given.effect.estimate - estimate, abs=1e-9)


def test_grants_of_two_years_are_found_and_the_years_named() -> None:
    given = setting(late(grants=1.5))
    found = run(given)
    assert found.verdict == "does not hold"
    assert "2020-21 and 2021-22" in found.finding
    assert "[2020, 2021]" in found.advice[0].code or "[2020]" in found.advice[0].code
    sound(found, given)


def test_a_steady_effect_holds_and_other_years_are_shown_without_a_test() -> None:
    given = setting(late(), margin=2.0)
    found = run(given)
    assert found.verdict == "holds"
    assert found.table is not None
    labels = list(found.table["label"])
    assert labels[:3] == ["all periods", "without 2020-21", "without 2020-21 and 2021-22"]
    assert "without 2015-16" in labels
    others = found.table.iloc[3:]
    assert others["p_adjusted"].isna().all()
    sound(found, given)


def test_other_panels_are_tested_period_by_period() -> None:
    made = mpdta()
    given = Setting(made, ci.event_study(made), None)
    found = run(given)
    assert {f"p_adjusted_{t}" for t in range(2003, 2008)} <= set(found.numbers)
    assert "of all periods the one that moves it most clearly" in found.finding
    assert "2003-04" not in found.finding


def test_a_wrong_single_period_of_another_panel_is_named() -> None:
    data = panel(seed=3, effect=1.0).rename(columns={"ons_code": "site"})
    wrong = data["adoption_year"].notna() & (data["year"] == 2019)
    data["cost"] += 6.0 * wrong
    made = ci.Design(data, outcome="cost", unit="site", time="year", cohort="adoption_year")
    given = Setting(made, ci.twfe(made), data)
    found = run(given)
    assert found.verdict == "does not hold"
    assert "without 2019 " in found.finding
    assert found.numbers["p_adjusted_2019"] < 0.05
    sound(found, given)


def test_how_far_the_average_still_reaches_is_said() -> None:
    data = panel(years=tuple(range(2012, 2022)), seed=2)
    found = run(setting(data))
    assert "then up to" in found.finding
    assert "not 5" in found.finding


def test_what_cannot_be_left_out_is_said() -> None:
    data = panel(units=30, adopters=8, years=tuple(range(2014, 2022)))
    data = data.assign(adoption_year=data["adoption_year"].where(data["adoption_year"].isna(), 2020.0))
    given = setting(data)
    found = run(given)
    assert "It cannot be estimated without 2020-21 and 2021-22" in found.finding
    only = data[data["year"] <= 2020]
    alone = run(setting(only))
    assert alone.verdict == "cannot tell"
    assert "Without 2020-21 nothing can be estimated" in alone.finding
    sound(alone, setting(only))


def test_estimators_that_would_be_asked_too_often_are_refused() -> None:
    data = panel(units=30, adopters=8).rename(columns={"ons_code": "site"})
    made = ci.Design(data, outcome="cost", unit="site", time="year", cohort="adoption_year")
    given = Setting(made, ci.group_time(made, inference="CR0"), data)
    assert QUESTIONS < 5 * 9 * 11
    assert not _affordable(given, 10)
    assert _affordable(Setting(made, ci.event_study(made), data), 10)
    with pytest.raises(DesignError, match="asked too often"):
        run(given)


def test_false_alarms_are_about_five_per_cent() -> None:
    found = [run(setting(late(seed=s), "twfe", draws=199)).verdict for s in range(200, 230)]
    assert found.count("does not hold") <= 5


def test_a_conclusion_that_changes_is_not_called_steady() -> None:
    """An effect that is clear with all years and not without two is at best open."""
    rng = np.random.default_rng(0)
    seen = set()
    for seed in range(6):
        data = late(seed=seed)
        after = data["year"] >= data["adoption_year"]
        data["cost"] += 0.45 * after + 0.1 * rng.standard_normal(len(data))
        given = setting(data, margin=3.0)
        found = run(given)
        if "; but without 20" in found.finding:
            assert "cludes zero." in found.finding
            assert found.verdict == "cannot tell"
            seen.add(found.verdict)
    assert seen == {"cannot tell"}


def test_only_a_conclusion_that_changes_is_said_to_depend_on_the_years() -> None:
    """Grants of one year move an effect of ten, which stays clear."""
    data = late(grants=1.5)
    strong = data.assign(cost=data["cost"] + 10.0 * (data["year"] >= data["adoption_year"]))
    found = run(setting(strong))
    assert found.verdict == "does not hold"
    assert "The size of the estimate depends" in found.finding
    assert "though the interval excludes zero either way" in found.finding
    turned = run(setting(data))
    assert turned.verdict == "does not hold"
    assert "The conclusion depends on whether those periods are counted: without" in turned.finding


def test_a_change_that_is_certain_and_too_small_to_matter_holds_with_a_margin() -> None:
    data = late(grants=1.5)
    strong = data.assign(cost=data["cost"] + 10.0 * (data["year"] >= data["adoption_year"]))
    found = run(setting(strong, margin=5.0))
    assert found.table is not None
    assert found.table["marked"].any()
    assert found.verdict == "holds"
    assert "all of its interval lies within the margin of 5" in found.finding


def base_stagg() -> tuple[pd.DataFrame, ci.Design]:
    """A panel of three cohorts, the first after a single period."""
    data = panel(seed=3, units=60, adopters=18).rename(columns={"ons_code": "site"})
    years = data["adoption_year"].map({2016.0: 2013.0, 2017.0: 2016.0, 2018.0: 2018.0, 2019.0: 2018.0})
    data = data.assign(adoption_year=years)
    return data, ci.Design(data, outcome="cost", unit="site", time="year", cohort="adoption_year")


def test_the_period_is_named_that_leaves_a_change_open() -> None:
    data, made = base_stagg()
    found = run(Setting(made, ci.twfe(made), data, margin=0.02))
    assert found.verdict == "cannot tell"
    assert found.table is not None
    tested = found.table.dropna(subset=["change_low"])
    widest = tested[["change_low", "change_high"]].abs().max(axis=1).idxmax()
    row = tested.loc[widest]
    ends = f"{number(-row['change_high'])} to {number(-row['change_low'])}"
    assert f"is not ruled out, least of all {row['label']} (interval {ends})" in found.finding


def test_cohorts_that_lose_their_past_or_future_are_named() -> None:
    data, made = base_stagg()
    found = run(Setting(made, ci.twfe(made), data))
    assert "Without 2012, 5 adopters (of cohort 2013) are not seen both before and after" in found.finding


def test_nothing_is_said_of_what_too_few_draws_would_find() -> None:
    data, made = base_stagg()
    found = run(Setting(made, ci.twfe(made), data, margin=50.0, draws=39))
    assert "not available" not in found.finding
    assert "cannot be said with so few draws" in found.finding


def test_estimators_that_leave_out_rows_are_judged() -> None:
    made = ci.load_mpdta().query("year != 2005")
    fit = ci.sun_abraham(ci.Design(made, outcome="lemp", unit="county", time="year", cohort="first_treat"))
    found = run(Setting(fit.design, fit, made, draws=99))
    less = made.query("year != 2007")
    other = ci.sun_abraham(ci.Design(less, outcome="lemp", unit="county", time="year", cohort="first_treat"))
    expected = float(other.overall["estimate"].iloc[0])
    assert found.numbers["without_2007"] == pytest.approx(expected, rel=SOLVER)
    gap = fit.overall["estimate"].iloc[0] - expected
    assert found.numbers["change_2007"] == pytest.approx(gap, rel=SOLVER)


def test_an_outcome_that_never_varies_is_refused() -> None:
    with pytest.raises(DesignError, match="does not vary"):
        run(setting(late().assign(cost=7.0)))
