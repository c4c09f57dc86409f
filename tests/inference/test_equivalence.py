"""Two one-sided tests against statsmodels, by hand, and as the twin of an interval."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.weightstats import DescrStatsW

from clsimpact.errors import DesignError
from clsimpact.inference.equivalence import (
    Equivalence,
    non_inferiority,
    two_one_sided,
    two_one_sided_draws,
)

ORACLE = 1e-12
"""Two codes of the t distribution and of a mean: a few units in the last place of numbers near 1."""

ROUNDING = 1e-14
"""One multiplication and one addition of numbers below 10."""

NUDGE = 1e-7
"""Above the gap at which a draw is a tie (1e-10 of statistics below 100), far below any gap that matters."""

PANELS = 2000
"""Simulated estimates at the edge of the margin: one vector of t statistics, no refits."""

MONTE_CARLO = 3 * math.sqrt(0.05 * 0.95 / PANELS)
"""Three standard errors of a rejection rate of 5%; the seed is fixed."""

GRID = np.linspace(-1.9, 1.9, 39)
"""39 draws, 0.1 apart and symmetric."""


@pytest.mark.parametrize("margin", [0.4, (-0.2, 0.9), (0.1, 0.8)])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_tost_is_that_of_statsmodels(seed: int, margin: Any) -> None:
    y = np.random.default_rng(seed).normal(0.2, 0.8, size=24)
    low, high = margin if isinstance(margin, tuple) else (-margin, margin)
    theirs = DescrStatsW(y)
    p, (_, p_low, _), (_, p_high, _) = theirs.ttost_mean(low, high)
    ours = two_one_sided(float(y.mean()), float(y.std(ddof=1) / math.sqrt(24)), 23, margin=margin)
    assert (ours.p_value, ours.p_low, ours.p_high) == pytest.approx((p, p_low, p_high), abs=ORACLE)
    assert (ours.conf_low, ours.conf_high) == pytest.approx(theirs.tconfint_mean(0.10), abs=ORACLE)
    assert (ours.margin_low, ours.margin_high, ours.level) == (low, high, 0.95)
    assert ours.equivalent == (p <= 0.05)


def test_infinite_degrees_of_freedom_are_the_normal() -> None:
    found = two_one_sided(0.5, 1.0, math.inf, margin=2.0, level=0.9)
    assert found.p_low == pytest.approx(stats.norm.sf(2.5), abs=ORACLE)
    assert found.p_high == pytest.approx(stats.norm.sf(1.5), abs=ORACLE)
    assert found.conf_high == pytest.approx(0.5 + stats.norm.ppf(0.9), abs=ORACLE)
    assert found.largest_not_ruled_out == found.conf_high
    assert found.equivalent


def test_draws_by_hand() -> None:
    """Of 39 draws 0.1 apart, one may lie beyond: 2 of 40 rows are 5%."""
    found = two_one_sided_draws(0.5, 2.0, GRID, margin=(-2.72, 4.22))
    assert (found.p_low, found.p_high) == (4 / 40, 2 / 40)
    assert found.p_value == 4 / 40
    assert (found.conf_low, found.conf_high) == pytest.approx((0.5 - 3.6, 0.5 + 3.6), abs=ROUNDING)
    assert found.largest_not_ruled_out == pytest.approx(4.1, abs=ROUNDING)
    assert not found.equivalent
    assert two_one_sided_draws(0.5, 2.0, GRID, margin=4.22).equivalent


def test_skewed_draws_count_on_the_side_they_lie_on() -> None:
    """Estimates that run high by chance make the lower bound reach far, not the upper."""
    draws = np.concatenate([np.linspace(-0.5, 0.0, 20), np.linspace(1.0, 8.0, 19)])
    found = two_one_sided_draws(0.0, 1.0, draws, margin=5.0)
    assert (found.conf_low, found.conf_high) == pytest.approx((-8 + 7 / 18, 0.5 - 0.5 / 19), abs=ROUNDING)
    assert (found.p_low, found.p_high) == (9 / 40, 1 / 40)


def test_ties_count_though_summed_in_another_order() -> None:
    assert 0.1 + 0.2 > 0.3
    draws = np.array([0.3, -0.3, *np.zeros(18)])
    found = two_one_sided_draws(0.0, 1.0, draws, margin=0.1 + 0.2)
    assert (found.p_low, found.p_high) == (2 / 21, 2 / 21)
    assert non_inferiority(1.0, 1.0, np.zeros(19), margin=1.0).p_value == 1.0


@pytest.mark.parametrize("tail", [12.5, GRID], ids=["df", "draws"])
def test_non_inferiority_is_one_side(tail: Any) -> None:
    run: Callable[..., Equivalence] = two_one_sided if np.ndim(tail) == 0 else two_one_sided_draws
    both = run(0.5, 2.0, tail, margin=(-4.2, 4.2), level=0.9)
    higher = non_inferiority(0.5, 2.0, tail, margin=4.2, harm="higher", level=0.9)
    lower = non_inferiority(0.5, 2.0, tail, margin=4.2, harm="lower", level=0.9)
    assert higher.p_value == higher.p_high == both.p_high
    assert lower.p_value == lower.p_low == both.p_low
    assert (higher.conf_low, higher.conf_high) == (-math.inf, both.conf_high)
    assert (lower.conf_low, lower.conf_high) == (both.conf_low, math.inf)
    assert (higher.margin_low, higher.margin_high) == (-math.inf, 4.2)
    assert (lower.margin_low, lower.margin_high) == (-4.2, math.inf)
    assert higher.largest_not_ruled_out == both.conf_high
    assert lower.largest_not_ruled_out == -both.conf_low
    assert math.isnan(higher.p_low)
    assert math.isnan(lower.p_high)


def test_no_harm_is_left_where_the_bound_is_a_benefit() -> None:
    assert non_inferiority(-3.0, 1.0, 40, margin=0.0).largest_not_ruled_out == 0.0
    assert non_inferiority(3.0, 1.0, 40, margin=0.0, harm="lower").largest_not_ruled_out == 0.0
    assert non_inferiority(-3.0, 1.0, 40, margin=0.0).equivalent
    assert not non_inferiority(3.0, 1.0, 40, margin=0.0).equivalent


def test_a_p_value_of_exactly_one_tenth_is_enough_at_90_per_cent() -> None:
    assert 1 - 0.9 < 0.1
    assert non_inferiority(0.0, 1.0, np.zeros(9), margin=1.0, level=0.9).equivalent
    assert two_one_sided_draws(0.0, 1.0, np.zeros(9), margin=1.0, level=0.9).equivalent


tails = st.one_of(
    st.floats(1, 200),
    st.integers(0, 2**32 - 1).map(lambda seed: np.random.default_rng(seed).standard_t(3, 99)),
)


@settings(max_examples=100, deadline=None)
@given(
    estimate=st.floats(-5, 5),
    std_error=st.floats(0.1, 3),
    tail=tails,
    level=st.sampled_from([0.9, 0.95]),
    low=st.floats(-8, 0),
    high=st.floats(0.01, 8),
)
def test_a_test_is_passed_just_where_the_interval_lies_inside(
    estimate: float, std_error: float, tail: Any, level: float, low: float, high: float
) -> None:
    run: Callable[..., Equivalence] = two_one_sided if np.ndim(tail) == 0 else two_one_sided_draws
    found = run(estimate, std_error, tail, margin=(low, high), level=level)
    edge = min(abs(found.conf_low - low), abs(found.conf_high - high))
    if edge > NUDGE:
        assert found.equivalent == (low < found.conf_low and found.conf_high < high)
    assert 0 <= max(found.p_low, found.p_high) == found.p_value <= 1
    wide = found.largest_not_ruled_out
    assert run(estimate, std_error, tail, margin=wide + NUDGE, level=level).equivalent
    assert not run(estimate, std_error, tail, margin=wide - NUDGE, level=level).equivalent
    mirror = run(
        -estimate, std_error, tail if np.ndim(tail) == 0 else -tail, margin=(-high, -low), level=level
    )
    assert (mirror.p_low, mirror.p_high) == (found.p_high, found.p_low)
    assert (mirror.conf_low, mirror.conf_high) == (-found.conf_high, -found.conf_low)


def test_an_effect_at_the_margin_is_called_none_once_in_twenty() -> None:
    rng = np.random.default_rng(5)
    y = rng.normal(1.0, 0.5, size=(PANELS, 12))
    means, errors = y.mean(axis=1), y.std(axis=1, ddof=1) / math.sqrt(12)
    draws = rng.standard_t(11, 1999)
    calls = [
        (
            two_one_sided(m, s, 11, margin=1.0).equivalent,
            two_one_sided_draws(m, s, draws, margin=1.0).equivalent,
        )
        for m, s in zip(means, errors, strict=True)
    ]
    for rate in np.mean(calls, axis=0):
        # The fixed draws have a Monte Carlo error of their own: 0.5 points, a third of the bound.
        assert abs(rate - 0.05) <= MONTE_CARLO


def test_numbers_are_plain() -> None:
    found = two_one_sided(np.float64(0.1), np.float64(0.2), np.float64(30.0), margin=np.float64(0.5))
    values = [getattr(found, name) for name in Equivalence.__dataclass_fields__]
    assert {type(value) for value in values} == {float, bool}


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: two_one_sided(math.nan, 1.0, 9, margin=1.0), "estimate is nan"),
        (lambda: two_one_sided(0.0, 0.0, 9, margin=1.0), "std_error is 0.0: a finite number above 0"),
        (lambda: two_one_sided(0.0, math.nan, 9, margin=1.0), "std_error is nan"),
        (lambda: two_one_sided(0.0, 1.0, 9, margin=1.0, level=95), "level is 95.0"),
        (lambda: two_one_sided(0.0, 1.0, 9, margin=1.0, level=0.5), "above 0.5 and below 1"),
        (lambda: two_one_sided(0.0, 1.0, 0, margin=1.0), "df is 0.0"),
        (lambda: two_one_sided(0.0, 1.0, math.nan, margin=1.0), "df is nan"),
        (lambda: two_one_sided(0.0, 1.0, GRID, margin=1.0), "draws to two_one_sided_draws"),  # type: ignore[arg-type]
        (lambda: two_one_sided(0.0, 1.0, 9, margin=0.0), "above 0, or a pair"),
        (lambda: two_one_sided(0.0, 1.0, 9, margin=-1.0), r"margins 1.0 to -1.0 are no range"),
        (lambda: two_one_sided(0.0, 1.0, 9, margin=(2.0, 1.0)), "lower end first"),
        (lambda: two_one_sided(0.0, 1.0, 9, margin=(-math.inf, 1.0)), "one side only is non_inferiority"),
        (lambda: two_one_sided(0.0, 1.0, 9, margin=(1.0, 2.0, 3.0)), r"shape \(3,\)(.|\n)*Use margin=2.0"),  # type: ignore[arg-type]
        (lambda: two_one_sided_draws(0.0, 1.0, np.ones((9, 2)), margin=1.0), r"shape \(9, 2\)"),
        (lambda: two_one_sided_draws(0.0, 1.0, np.empty(0), margin=1.0), "B of 1 or more"),
        (
            lambda: two_one_sided_draws(0.0, 1.0, np.array([1.0, np.nan]), margin=1.0),
            "1 of 2 draws are missing",
        ),
        (lambda: two_one_sided_draws(0.0, 1.0, np.ones(18), margin=1.0), "Use 19 draws or more"),
        (lambda: non_inferiority(0.0, 1.0, 9, margin=-1.0), "margin is -1.0"),
        (lambda: non_inferiority(0.0, 1.0, 9, margin=1.0, harm="hihger"), "did you mean 'higher'"),  # type: ignore[arg-type]
        (lambda: non_inferiority(0.0, 1.0, -1.0, margin=1.0), "df is -1.0"),
    ],
)
def test_bad_inputs(call: Callable[[], object], words: str) -> None:
    with pytest.raises(DesignError, match=words):
        call()


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(DesignError) as told:
        two_one_sided(math.inf, -1.0, 9, margin=1.0, level=0.2)
    assert len(told.value.problems) == 3
