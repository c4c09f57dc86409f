"""What draws say: p-values, critical values and intervals by hand, and that they agree with each other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clsimpact.errors import DesignError
from clsimpact.inference import Drawn, Line, multiply
from clsimpact.inference.draws import critical, p_value, rank_of, settled
from tests.estimation_helpers import EXACT

STEP = 1e-6
"""A little beside a critical value or an end: they are found to 1e-9."""

EXAMPLES = 60
"""Sets of draws that a property is tried on."""


def test_p_values_by_hand() -> None:
    """Of 1, -2 and 3 two are as large as 2: with the observed one three of four, enumerated two of three."""
    draws = np.array([[1.0, 5.0], [-2.0, 0.0], [3.0, 0.0]])
    assert p_value(draws, np.array([2.0, 6.0])).tolist() == [3 / 4, 1 / 4]
    assert p_value(draws, np.array([-2.0, 6.0]), enumerated=True).tolist() == [2 / 3, 0.0]
    assert np.isnan(p_value(draws, np.array([np.nan, 1.0]))[0])


def test_equal_statistics_that_rounding_tells_apart_are_equal() -> None:
    draws = np.array([0.3, 0.1 + 0.2, -(0.1 + 0.2), 0.299])
    assert p_value(draws, np.array(0.3), enumerated=True) == 3 / 4
    assert p_value(draws, np.array(0.1 + 0.2), enumerated=True) == 3 / 4


def test_ranks_by_hand() -> None:
    """(1 + 4) / 100 is 5%, so that four draws may be as large; of 100 enumerated ones five may."""
    assert rank_of(99, 0.95) == 5
    assert rank_of(19, 0.95) == 1
    assert rank_of(18, 0.95) == 0
    assert rank_of(100, 0.95, enumerated=True) == 6
    assert rank_of(10, 0.9, enumerated=True) == 2  # 1 - 0.9 is below 0.1 in the last place


def test_critical_values_by_hand() -> None:
    draws = np.column_stack([np.arange(1.0, 20.0), -np.arange(19.0, 0.0, -1.0)])
    assert critical(draws, 0.95).tolist() == [19.0, 19.0]
    assert critical(draws, 0.9).tolist() == [18.0, 18.0]
    assert critical(draws[:18], 0.95).tolist() == [np.inf, np.inf]
    assert critical(draws, 0.95, enumerated=True).tolist() == [19.0, 19.0]
    draws[3, 0] = np.nan  # a re-assignment without a statistic counts as large
    assert critical(draws, 0.9).tolist() == [19.0, 18.0]
    assert critical(draws, 0.95).tolist() == [np.inf, 19.0]


@given(
    st.lists(st.integers(-30, 30), min_size=1, max_size=60),
    st.sampled_from([0.5, 0.8, 0.9, 0.95]),
    st.booleans(),
)
@settings(max_examples=EXAMPLES, deadline=None)
def test_critical_values_part_what_is_rejected(values: list[int], level: float, enumerated: bool) -> None:
    """A little above the critical value the p-value is at most 1 - level, and at it above."""
    draws, alpha = np.array(values, dtype=float), (1 - level) * (1 + EXACT)
    edge = critical(draws, level, enumerated=enumerated)
    if np.isfinite(edge):
        assert p_value(draws, edge + STEP, enumerated=enumerated) <= alpha
        assert p_value(draws, edge, enumerated=enumerated) > alpha or edge == 0
    else:
        assert p_value(draws, np.array(1e9), enumerated=enumerated) > alpha


def line(seed: int, n: int, *, slope: float = 0.3, enumerated: bool = False) -> Line:
    """Statistics that depend on the hypothesis, the first of them that of what was observed."""
    rng = np.random.default_rng(seed)
    n0, n1, v2 = rng.normal(size=n), slope * rng.normal(size=n), 0.1 * rng.uniform(size=n)
    v0, v1 = rng.uniform(0.5, 1.5, size=n), np.zeros(n)
    n0[0], n1[0], v0[0], v2[0] = 0.0, 1.0, 1.0, 0.0
    return Line(n0, n1, v0, v1, v2, enumerated)


def test_statistics_along_a_line_by_hand() -> None:
    """At 2: (1 + 2 x 3) / sqrt(4 + 2 x 2 x 0.5 + 4 x 0.75) = 7 / 3."""
    one = Line(*(np.array([x]) for x in (1.0, 3.0, 4.0, 0.5, 0.75)))
    assert one.at(2.0).tolist() == [7 / 3]
    assert one.p_value(2.0) == 1.0
    assert one.p_value(2.5) == 1.0
    lost = Line(*(np.array([x, 0.0]) for x in (1.0, 3.0, 4.0, 0.5, 0.75)))
    assert lost.p_value(100.0) == 2 / 3  # without a variance it counts as large
    moved = Line(
        *(np.array([x, y]) for x, y in zip((1.0, 3.0, 4.0, 0.5, 0.75), (1.0, 0, 0, 0, 0), strict=True))
    )
    assert moved.at(2.0).tolist() == [7 / 3, np.inf]


@pytest.mark.parametrize("enumerated", [False, True])
@pytest.mark.parametrize("level", [0.8, 0.95])
@pytest.mark.parametrize("seed", range(4))
def test_intervals_hold_what_is_not_rejected(seed: int, level: float, enumerated: bool) -> None:
    one, alpha = line(seed, 99, enumerated=enumerated), (1 - level) * (1 + EXACT)
    low, high = one.interval(level)
    assert low < 0 < high
    for end, side in ((-low, 1), (-high, -1)):  # an effect below the estimate is a positive distance
        assert one.p_value(end - side * STEP) > alpha
        assert one.p_value(end + side * STEP) <= alpha


def test_an_open_end_is_infinite() -> None:
    """Nineteen of a hundred draws grow as the observed one does: nothing is ruled out at any distance."""
    same = line(1, 100)
    n0, n1, v0, v2 = same.n0.copy(), same.n1.copy(), same.v0.copy(), same.v2.copy()
    n0[:19], n1[:19], v0[:19], v2[:19] = 0.0, 1.0, 1.0, 0.0
    assert Line(n0, n1, v0, same.v1, v2).interval(0.95) == (-np.inf, np.inf)


def test_shifts_that_leave_what_was_observed_have_no_variance() -> None:
    v1, v2 = settled(np.array([1e-17, 0.2, -0.1]), np.array([1e-16, 1.0, 0.5]))
    assert v1.tolist() == [0.0, 0.2, -0.1]
    assert v2.tolist() == [0.0, 1.0, 0.5]
    small = settled(np.array([1e-37, 2e-21, -1e-21]), np.array([1e-36, 1e-20, 5e-21]))
    assert [part.tolist() for part in small] == [[0.0, 2e-21, -1e-21], [0.0, 1e-20, 5e-21]]
    nothing = settled(np.zeros(3), np.zeros(3))
    assert [part.tolist() for part in nothing] == [[0.0] * 3] * 2
    assert settled(np.array([0.1, 0.1]), np.array([np.nan, 2.0]))[1].tolist() == [0.0, 2.0]


def test_drawn_without_the_null() -> None:
    """Twenty draws about zero: at 90% the second largest, 19, times the error of 0.5 on either side."""
    statistics = np.column_stack([np.arange(1.0, 21.0), np.full(20, np.nan)])
    one = Drawn(np.array([10.0, 1.0]), np.array([0.5, np.nan]), statistics, (), True, 10**6)
    assert (one.exact, one.observed[0]) == (False, 20.0)
    assert one.p_values()[0] == 2 / 21
    low, high = one.intervals(0.9)
    assert (low[0], high[0]) == (10 - 9.5, 10 + 9.5)
    assert np.isnan([one.p_values()[1], low[1], high[1]]).all()


def test_drawn_with_the_null() -> None:
    lines = (line(3, 99, enumerated=True), line(3, 99, enumerated=True))
    one = Drawn(np.array([2.0, 1.0]), np.array([0.5, np.nan]), np.zeros((99, 2)), lines, True, 99)
    assert one.exact
    assert one.p_values()[0] == lines[0].p_value(4.0)
    low, high = one.intervals(0.9)
    ends = lines[0].interval(0.9)
    assert (low[0], high[0]) == (2 + ends[0] / 2, 2 + ends[1] / 2)
    assert np.isnan([one.p_values()[1], low[1], high[1]]).all()


def test_multiplied_scores() -> None:
    """Numbers without influence have no error; intervals are symmetric; unknown weights are refused."""
    scores = np.column_stack([np.random.default_rng(1).normal(size=40), np.zeros(40)])
    found = multiply(np.array([3.0, 1.0]), scores, draws=199, seed=2, weights="webb")
    assert found.errors[0] == pytest.approx((scores[:, 0] ** 2).sum() ** 0.5, rel=EXACT)
    assert np.isnan([found.errors[1], found.p_values()[1]]).all()
    low, high = found.intervals(0.9)
    assert low[0] + high[0] == pytest.approx(6.0, rel=EXACT)
    assert (found.count, found.enumerated) == (6**40, False)
    with pytest.raises(DesignError, match="weights 'normal' are not known"):
        multiply(np.array([3.0, 1.0]), scores, draws=199, seed=2, weights="normal")
