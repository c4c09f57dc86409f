"""Breaks in recording: which, when, and what the estimate is without them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import clsimpact as ci
from clsimpact.diagnostics._breaks import coincidence, shifts, tail_df
from clsimpact.diagnostics._mean_shift import mean_shifts
from clsimpact.diagnostics._recorded import Series, look
from clsimpact.diagnostics.recording import CHECK, run
from clsimpact.diagnostics.registry import _run as run_check
from clsimpact.diagnostics.setting import Setting
from tests.diagnostics.measurement_helpers import (
    check_words,
    contacts_counted,
    plain_panel,
    request_panel,
    setting_of,
)


def series_of_noise(seed: int, kind: str, units: int = 100, periods: int = 8) -> np.ndarray:  # type: ignore[type-arg]
    rng = np.random.default_rng(seed)
    if kind == "normal":
        return rng.normal(size=(units, periods))
    if kind == "walk":
        return rng.normal(size=(units, periods)).cumsum(axis=1)
    if kind == "t5":
        return rng.standard_t(5, size=(units, periods))
    return rng.normal(size=(units, periods)) * np.exp(rng.normal(0, 0.6, (units, 1)))


@pytest.mark.parametrize("kind", ["normal", "walk", "t5", "uneven"])
def test_breaks_are_rarely_named_where_there_are_none(kind: str) -> None:
    """At 5% over all units and years: 6 or fewer of 30 panels (binomial: 1 in 300 that more are)."""
    named = 0
    for seed in range(30):
        one = look([Series("x", series_of_noise(seed, kind), log=True)], tuple(range(8)))
        named += bool(one.breaks["named"].any())
    assert named <= 6


def test_shift_by_hand() -> None:
    values = series_of_noise(1, "normal", units=30, periods=6)
    found = shifts(values)
    raw = values[:, 2:4].mean(axis=1) - values[:, :2].mean(axis=1)
    assert np.allclose(found.size[:, 2], raw - np.median(raw))
    first = values[:, 1:3].mean(axis=1) - values[:, 0]
    assert np.allclose(found.size[:, 1], first - np.median(first))
    last = values[:, 5] - values[:, 3:5].mean(axis=1)
    assert np.allclose(found.size[:, 5], last - np.median(last))
    assert np.isnan(found.z[:, 0]).all()


def test_scale_by_brute_force() -> None:
    values = series_of_noise(2, "uneven", units=30, periods=6)
    found = shifts(values)
    change = np.diff(values, axis=1) - np.median(np.diff(values, axis=1), axis=0)
    change /= 1.4826 * np.median(np.abs(change), axis=0)
    i, s = 7, 3
    others = np.delete(np.abs(change[i]), s - 1)
    factor = np.sqrt((4 + 4 * (1.4826 * np.median(others)) ** 2) / (4 + 4))
    spread = 1.4826 * np.median(np.abs(found.size[:, s]))
    assert found.z[i, s] == pytest.approx(found.size[i, s] / (spread * factor))


def test_what_moves_for_all_is_no_shift() -> None:
    values = series_of_noise(1, "normal")
    moved = values + np.arange(8) ** 2.0
    assert np.allclose(shifts(values).z, shifts(moved).z, equal_nan=True)


def test_missing_figures_and_few_units() -> None:
    values = series_of_noise(1, "normal")
    values[4, 3] = np.nan
    found = shifts(values)
    assert np.isnan(found.z[4, 3])
    assert np.isnan(found.z[4, 4])
    assert np.isfinite(found.z[4, 5])
    assert np.isnan(shifts(values[:15]).z).all()


def test_tails_follow_the_data() -> None:
    heavy, _ = tail_df(np.random.default_rng(1).standard_t(3, 5000))
    light, _ = tail_df(np.random.default_rng(1).normal(size=5000))
    assert heavy < 5 < 25 < light


def test_coincidence_against_every_assignment() -> None:
    """One date: the p-value is hypergeometric."""
    from scipy.stats import hypergeom

    jumps = np.zeros((40, 5), dtype=bool)
    jumps[[0, 1, 2, 20, 21], 3] = True
    cohorts = np.where(np.arange(40) < 8, 2.0, np.nan)
    found = coincidence(jumps, np.arange(5.0), cohorts, window=3, draws=19_999, seed=1)
    assert found.jumping.tolist() == [0, 1, 2]
    assert found.p_value == pytest.approx(hypergeom.sf(2, 40, 5, 8), abs=0.004)
    assert found.expected == pytest.approx(1.0, abs=0.02)
    assert hypergeom.sf(found.needed - 1, 40, 5, 8) < 0.05 <= hypergeom.sf(found.needed - 2, 40, 5, 8)


def test_jumps_before_adoption_or_late_do_not_count() -> None:
    jumps = np.zeros((40, 8), dtype=bool)
    jumps[:8, 1] = jumps[:8, 7] = True
    cohorts = np.where(np.arange(40) < 8, 3.0, np.nan)
    found = coincidence(jumps, np.arange(8.0), cohorts, window=3, draws=99, seed=1)
    assert found.jumping.size == 0
    assert found.p_value == 1.0


def half(panel: pd.DataFrame) -> pd.Series[bool]:
    number = panel["ons_code"].str[1:].astype(int)
    return (panel["year"] >= panel["adoption_year"]) & (number < 10)


def test_adopters_that_start_to_count_contacts_are_named() -> None:
    panel = request_panel()
    setting = setting_of(contacts_counted(panel, half(panel)), "funded_mid")
    found = run(setting)
    assert found.verdict == "does not hold"
    assert float(found.numbers["p_value"] or 1) < 0.01
    assert int(found.numbers["adopters_jumping"] or 0) >= 8
    assert "Council 0 (E000)" in found.finding
    check_words(found, setting)


def test_quiet_where_nothing_changes() -> None:
    alarms = 0
    for seed in range(8):
        found = run(setting_of(request_panel(seed=seed, units=60), "funded_mid"))
        alarms += found.verdict == "does not hold"
    assert alarms <= 2


def test_one_council_that_breaks_and_carries_the_estimate() -> None:
    """An adopter whose requests fall to a tenth: named with its year, and the estimate depends on it."""
    panel = request_panel(adopters=4)
    rows = (panel["ons_code"] == "E002") & (panel["year"] >= 2015)
    panel.loc[rows, ["signposted_count", "no_service_count", "other_count"]] *= 0.1
    from tests.diagnostics.measurement_helpers import counted

    setting = setting_of(counted(panel), "funded_mid")
    found = run(setting)
    assert "Council 2 (E002) 2015: requests" in found.finding
    without = setting_of(counted(panel[panel["ons_code"] != "E002"]), "funded_mid")
    assert found.numbers["estimate_without"] == pytest.approx(without.effect.estimate)
    assert found.numbers["moved"] == pytest.approx(without.effect.estimate - setting.effect.estimate)
    check_words(found, setting)


def test_reviews_are_looked_at_by_allocation() -> None:
    panel = request_panel()
    rng = np.random.default_rng(1)
    panel["reviewed_clients"] = 1000 * np.exp(rng.normal(0, 0.03, len(panel)))
    panel["planned_clients"] = panel["reviewed_clients"] * (0.8 + rng.normal(0, 0.01, len(panel)))
    panel["unplanned_clients"] = panel["reviewed_clients"] * (0.3 + rng.normal(0, 0.01, len(panel)))
    rows = (panel["ons_code"] == "E050") & (panel["year"] >= 2014)
    panel.loc[rows, "unplanned_clients"] += 0.4 * panel.loc[rows, "reviewed_clients"]
    panel["planned_share"] = panel["planned_clients"] / panel["reviewed_clients"]
    setting = setting_of(panel, "planned_share")
    found = run(setting)
    assert "Council 50 (E050) 2014: share of people reviewed with an unplanned review" in found.finding
    assert "points" in found.finding
    check_words(found, setting)
    lost = run(setting_of(panel.drop(columns="unplanned_clients"), "planned_share"))
    assert "Not looked at: unplanned_clients (no such column)" in lost.finding


def test_a_panel_of_anything() -> None:
    from clsimpact.datasets import example_design, load_mpdta

    fit = ci.group_time(example_design())
    setting = Setting(fit.design, fit, load_mpdta(), draws=199)
    found = run(setting)
    assert "council" not in found.finding
    check_words(found, setting)
    assert found.table is not None
    assert len(found.table) == 500


def test_what_cannot_be_told() -> None:
    short = plain_panel(years=4)
    two = short[short["year"].isin([2012, 2013])]
    told = run_check(
        CHECK,
        setting_of(two.assign(adoption_year=two["adoption_year"].where(two["adoption_year"].isna(), 2013))),
    )
    assert told.verdict == "cannot tell"
    assert "three periods" in told.finding
    few = run_check(CHECK, setting_of(plain_panel(units=15, adopters=5)))
    assert few.verdict == "cannot tell"
    assert few.advice
    panel = request_panel()
    for name in ("requests", "signposted_count", "no_service_count"):
        panel[name] = np.nan
        panel[f"{name}_status"] = "not_held"
    setting = setting_of(panel, "funded_mid")
    nothing = run(setting)
    assert nothing.verdict == "cannot tell"
    assert "not_held" in nothing.finding
    check_words(nothing, setting)


def test_outcomes_of_money_say_what_is_not_looked_at() -> None:
    found = run(setting_of(plain_panel()))
    assert "not held for these years" in found.finding


def spread_out(size: float, seed: int = 1) -> pd.DataFrame:
    """A rise in every second adopter from adoption on, less than a jump of any of them."""
    panel = plain_panel(units=120, adopters=40, seed=seed)
    number = panel["ons_code"].str[1:].astype(int)
    rows = (panel["year"] >= panel["adoption_year"]) & (number % 2 == 0)
    return panel.assign(cost=panel["cost"] + size * rows)


@pytest.mark.parametrize("size", [1.0, 1.5, 2.0])
def test_steps_spread_over_adopters_are_no_all_clear(size: float) -> None:
    """Half of the adopters rise by less than a jump: their mean shows it, single units do not."""
    setting = setting_of(spread_out(size), margin=0.4)
    found = run(setting)
    assert float(found.numbers["p_value"] or 0) > 0.05
    assert found.verdict == "cannot tell"
    assert found.numbers["mean_shift"] == pytest.approx(size / 2, abs=0.35)
    assert float(found.numbers["mean_shift_p"] or 1) < 0.05
    assert "adopters changed together" in found.finding
    check_words(found, setting)


def test_a_mean_that_leaves_no_room_for_what_matters_holds() -> None:
    setting = setting_of(spread_out(0.0), margin=1.5)
    found = run(setting)
    assert found.verdict == "holds"
    assert "Less than what matters (the margin of 1.5)" in found.finding
    low, high = (float(found.numbers[f"mean_shift_{end}"] or 9) for end in ("low", "high"))
    assert -1.5 < low < 0 < high < 1.5
    check_words(found, setting)
    assert run(setting_of(spread_out(0.0), margin=0.05)).verdict == "cannot tell"


def test_textbook_panel_with_a_third_more_in_half_of_the_adopters() -> None:
    """mpdta: every second adopter by 0.3 log points; 'holds' was said, with an all-clear above 1.4%."""
    from clsimpact.datasets import load_mpdta

    panel = load_mpdta()
    chosen = panel.loc[panel["first_treat"] > 0, "county"].unique()[::2]
    moved = panel["county"].isin(chosen) & (panel["year"] >= panel["first_treat"])
    panel["lemp"] += 0.3 * moved
    design = ci.Design(panel, outcome="lemp", unit="county", time="year", cohort="first_treat")
    found = run(Setting(design, ci.event_study(design), panel, draws=199))
    assert found.verdict == "cannot tell"
    assert float(found.numbers["mean_shift_low"] or 0) > float(found.numbers["matters"] or 1)


def test_mean_shift_by_hand_and_its_size() -> None:
    """The mean is a difference of differences; without a shift its p-value is below 5% about as often."""
    rng = np.random.default_rng(1)
    cohorts = np.where(np.arange(40) < 10, np.where(np.arange(40) < 4, 2.0, 3.0), np.nan)
    x = rng.normal(size=(40, 6))
    found = mean_shifts([x], np.arange(6.0), cohorts, window=3, draws=19, seed=1)[0]
    each = {
        2.0: x[:, 2:5].mean(axis=1) - x[:, :2].mean(axis=1),
        3.0: x[:, 3:6].mean(axis=1) - x[:, 1:3].mean(axis=1),
    }
    by_hand = 0.4 * (each[2.0][:4].mean() - each[2.0][10:].mean())
    by_hand += 0.6 * (each[3.0][4:10].mean() - each[3.0][10:].mean())
    assert found.estimate == pytest.approx(by_hand)
    small = 0
    for seed in range(60):
        noise = np.random.default_rng(seed).normal(size=(40, 6))
        small += (
            mean_shifts([noise], np.arange(6.0), cohorts, window=3, draws=99, seed=seed)[0].p_value <= 0.05
        )
    assert small <= 8  # 3 expected; 9 or more have a probability of less than 1%
    few = mean_shifts(
        [x], np.arange(6.0), np.where(np.arange(40) < 2, 2.0, np.nan), window=3, draws=9, seed=1
    )
    assert np.isnan(few[0].largest)


def test_shifts_have_the_unit_of_the_outcome() -> None:
    """Numbers below zero are no shares: 'points' were hundred times too large."""
    panel = plain_panel(level=0.0)
    panel.loc[(panel["ons_code"] == "E040") & (panel["year"] >= 2014), "cost"] -= 60.0
    found = run(setting_of(panel))
    assert "Council 40 (E040) 2014: cost -6" in found.finding
    assert "points" not in found.finding
    assert "%" not in found.finding.split("Level shifts beyond")[1].split(":")[2].split(".")[0]


def test_numbers_without_a_unit_are_not_told_in_per_cent() -> None:
    """They may be logs; with a unit that is none, per cents of the mean mean something."""
    bare = run(setting_of(plain_panel()))
    assert "counts as a jump from +2" in bare.finding or "counts as a jump from +3" in bare.finding
    design = ci.Design(
        plain_panel(), outcome="cost", unit="ons_code", time="year", cohort="adoption_year", outcome_unit="£"
    )
    declared = run(Setting(design, ci.event_study(design), plain_panel(), draws=99))
    assert "% (" in declared.finding


def test_too_few_units_are_counted() -> None:
    told = run_check(CHECK, setting_of(plain_panel(units=19, adopters=5)))
    assert "20 units on" in told.found.finding
    assert "here at most 19 do" in told.found.finding


def test_advice_keeps_the_options_of_the_result() -> None:
    """group_time(control='not_yet') without units that never adopt: another call cannot estimate it."""
    panel = plain_panel(units=60, adopters=60)
    panel.loc[(panel["ons_code"] == "E001") & (panel["year"] >= panel["adoption_year"]), "cost"] *= 3
    setting = setting_of(panel, estimator=lambda design: ci.group_time(design, control="not_yet"))
    found = run(setting)
    assert any("fit.again(" in item.code for item in found.advice)
    check_words(found, setting)
