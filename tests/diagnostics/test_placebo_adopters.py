"""Placebo adopters: designs, estimates and rates against plain loops; errors that are too small are found."""

from __future__ import annotations

import numpy as np
import pytest

import clsimpact as ci
from clsimpact.diagnostics import _placebo_draws
from clsimpact.diagnostics._placebo_draws import Placebos, first_placebo, placebos
from clsimpact.diagnostics.placebo_adopters import _beyond, _too_often, needed, placebo_rate, run
from clsimpact.diagnostics.setting import Setting
from clsimpact.inference.methods import Permutation
from tests.diagnostics.check_helpers import design, panel, setting, sound
from tests.diagnostics.placebo_helpers import own_checks
from tests.estimation_helpers import SOLVER

__all__ = ["own_checks"]
pytestmark = pytest.mark.usefixtures("own_checks")


def test_dates_go_to_units_that_do_not_adopt_and_cohorts_keep_their_size() -> None:
    made = design(panel(units=30, adopters=8))
    placebo = first_placebo(made, np.random.default_rng(0))
    assert placebo.cohort_sizes == made.cohort_sizes
    true = {made.units[i] for i in np.flatnonzero(made.in_window)}
    assert not true & set(placebo.units)
    assert len(placebo.units) == 22


def test_dates_go_to_units_observed_in_the_same_periods_where_there_are_any() -> None:
    data = panel(units=30, adopters=4)
    short = data["ons_code"].isin(["E00000000", "E00000020"]) & (data["year"] == 2013)
    made = design(data[~short])
    for seed in range(5):
        placebo = first_placebo(made, np.random.default_rng(seed))
        at = placebo.units.index("E00000020")
        assert placebo.unit_cohorts[at] == 2016


@pytest.mark.parametrize("method", ["path", "CR2", "CR1"])
def test_estimates_and_rejections_are_those_of_a_loop(method: str) -> None:
    """One linear form for all placebos, or refits: what a loop over re-dated designs gives."""
    made = design(panel(units=40, adopters=6, seed=2))
    fit = ci.event_study(made, inference=method)
    found = placebos(fit, seed=3)
    rng = np.random.default_rng(3)
    first = first_placebo(made, rng)
    if method == "path":
        from clsimpact.inference.assignments import Assignments
        from clsimpact.inference.blocks import Block

        dates = np.unique(first.unit_cohorts[first.in_window])
        paths = np.where(first.in_window, np.searchsorted(dates, first.unit_cohorts) + 1, 0)
        ways = Assignments(paths, np.zeros_like(paths)).draw(Block(3, 0, 10))
        others = [first.with_cohorts(np.append(np.nan, dates)[own]) for own in ways]
    else:
        others = [first_placebo(made, rng) for _ in range(10)]
    for b, other in enumerate(others):
        row = ci.event_study(other, inference=method).overall.iloc[0]
        assert found.estimates[b] == pytest.approx(float(row["estimate"]), rel=SOLVER)
        assert found.rejected[b] == float(row["p_value"] <= 0.05)


def test_permutation_rejects_as_the_permutation_of_each_placebo_does() -> None:
    made = design(panel(units=40, adopters=6, seed=2))
    fit = ci.twfe(made, inference="permutation")
    assert fit.procedure is not None
    found = placebos(fit, seed=0)
    assert found.counted == _placebo_draws.PLACEBOS
    from clsimpact.inference.assignments import Assignments
    from clsimpact.inference.blocks import Block

    first = first_placebo(made, np.random.default_rng(0))
    dates = np.unique(first.unit_cohorts[first.in_window])
    paths = np.where(first.in_window, np.searchsorted(dates, first.unit_cohorts) + 1, 0)
    for b, own in enumerate(Assignments(paths, np.zeros_like(paths)).draw(Block(0, 0, 4))):
        other = first.with_cohorts(np.append(np.nan, dates)[own])
        row = ci.twfe(other).with_inference(Permutation(), draws=99, seed=b + 1).overall.iloc[0]
        assert found.estimates[b] == pytest.approx(float(row["estimate"]), rel=SOLVER)
        assert found.rejected[b] == float(row["p_value"] <= 0.05)


def test_few_adopters_with_clustered_errors_are_found() -> None:
    data = panel(units=100, adopters=4, seed=1)
    made = design(data)
    given = Setting(made, ci.event_study(made, inference="CR1"), data)
    found = run(given)
    assert found.verdict == "does not hold"
    assert found.numbers["rate"] > 0.1
    assert "more than they should" in found.finding
    sound(found, given)


@pytest.mark.parametrize("estimator", ["event_study", "group_time"])
def test_what_the_library_chooses_holds(estimator: str) -> None:
    given = setting(panel(units=100, adopters=4, seed=1), estimator)
    found = run(given)
    assert found.verdict == "holds"
    assert found.numbers["rate_low"] < 0.05 < found.numbers["rate_high"] < 0.1
    assert "true by construction" in found.finding
    sound(found, given)


def test_where_the_estimate_stands_by_hand() -> None:
    found = Placebos(np.array([-3.0, 1.0, 2.0, np.nan]), np.array([1.0, 0.0, 0.0, np.nan]))
    assert _beyond(found, 2.5) == 2 / 4
    assert found.rate == pytest.approx(1 / 3)
    assert found.counted == 3
    assert _too_often(Placebos(np.zeros(2), np.ones(2)), 0.05) == pytest.approx(0.05**2)


def test_a_first_alarm_is_decided_by_fresh_placebos(monkeypatch: pytest.MonkeyPatch) -> None:
    from clsimpact.diagnostics import placebo_adopters

    asked = []

    def made_up(fit: object, *, seed: int) -> Placebos:
        asked.append(seed)
        often = 0.2 if len(asked) == 1 else 0.05
        return Placebos(np.linspace(-1, 1, 100), (np.arange(100) < 100 * often).astype(float))

    monkeypatch.setattr(placebo_adopters, "placebos", made_up)
    found = run(setting(panel(units=40, adopters=6)))
    assert asked == [0, 1, 2]
    assert found.verdict == "holds"
    assert found.numbers["rate"] == 0.05
    assert found.numbers["placebos"] == 200


def test_too_few_others_or_no_interval_cannot_tell() -> None:
    few = setting(panel(units=20, adopters=9))
    found = run(few)
    assert found.verdict == "cannot tell"
    assert "11 councils without adoption" in found.finding
    sound(found, few)
    lone = setting(panel(units=30, adopters=1))
    bare = run(lone)
    assert bare.verdict == "cannot tell"
    assert "no interval" in bare.finding
    sound(bare, lone)


def test_the_figure_says_where_the_estimate_stands() -> None:
    found = run(setting(panel(units=40, adopters=6)))
    assert found.draw is not None
    figure = found.draw()
    assert "true:" in figure.alt_text
    assert len(figure.data) == found.numbers["placebos"]


def rates(monkeypatch: pytest.MonkeyPatch, count: int, of: int) -> list[int]:
    """Let every set of placebos have this many rejections; return the list of sets that are asked for."""
    from clsimpact.diagnostics import placebo_adopters

    asked: list[int] = []

    def made_up(fit: object, *, seed: int) -> Placebos:
        asked.append(seed)
        return Placebos(np.linspace(-1, 1, of), (np.arange(of) < count).astype(float))

    monkeypatch.setattr(placebo_adopters, "placebos", made_up)
    return asked


DECIDED = {
    "7 of 60, twice: between 6.5% and 18.8%": (7, 60, "does not hold"),
    "4 of 60, twice: up to 12.6%": (4, 60, "cannot tell"),
    "11 of 200: below 10%": (11, 200, "holds"),
    "14 of 200, twice: 7% of 400 is below 10%": (14, 200, "holds"),
    "16 of 200, twice: lower limit above 5%": (16, 200, "does not hold"),
    "15 of 200, twice: up to 10.5%": (15, 200, "cannot tell"),
}


@pytest.mark.parametrize(("count", "of", "verdict"), DECIDED.values(), ids=DECIDED)
def test_the_verdict_follows_from_both_limits_of_the_rate(
    monkeypatch: pytest.MonkeyPatch, count: int, of: int, verdict: str
) -> None:
    rates(monkeypatch, count, of)
    given = setting(panel(units=40, adopters=6), "twfe")
    found = run(given)
    assert found.verdict == verdict
    assert (float(found.numbers["rate_high"] or 1) < 0.1) == (verdict == "holds")
    if verdict == "cannot tell":
        assert (
            "A rate of 10% is not ruled out; it takes about 260 placebos to tell that from 5%"
            in found.finding
        )
        assert "placebo_rate(fit, 260)" in found.advice[0].code


def test_how_many_placebos_it_takes() -> None:
    """By simulation: with so many, the upper limit of a rate of 5% lies below 10% four times in five."""
    from scipy.stats import binomtest

    n = needed(0.05)
    counts = np.random.default_rng(0).binomial(n, 0.05, 2000)
    low = {k: binomtest(int(k), n).proportion_ci(0.95).high < 0.1 for k in np.unique(counts)}
    assert 0.78 < np.mean([low[k] for k in counts]) < 0.92


def test_more_placebos_can_be_asked_for() -> None:
    fit = ci.event_study(design(panel(units=40, adopters=6)), inference="path")
    rate = placebo_rate(fit, 500, seed=1)
    assert rate["placebos"] == 500
    assert rate["low"] < rate["rate"] < rate["high"]
    assert placebos(fit, seed=1, times=500).rate == rate["rate"]


@pytest.mark.parametrize("method", ["CR1", "path", "permutation"])
def test_advice_is_another_inference_than_the_one_that_failed(
    monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    rates(monkeypatch, 40, 200)
    data = panel(units=40, adopters=6)
    given = Setting(design(data), ci.event_study(design(data), inference=method), data)
    found = run(given)
    assert found.verdict == "does not hold"
    code = " ".join(item.code for item in found.advice)
    assert f"'{method}'" not in code
    assert "'auto'" not in code
    assert "with_inference" in found.advice[0].code
    sound(found, given)
