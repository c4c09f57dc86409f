"""Re-assignments of adoption: counted by hand, enumerated, drawn."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clsimpact.inference import Assignments
from clsimpact.inference.blocks import Block, blocks_of

DRAWS = 6000
"""Random re-assignments: the share of one of twelve has a standard error of 0.36 points."""

NOISE = 4 * (1 / 12 * 11 / 12 / DRAWS) ** 0.5
"""Four of those standard errors."""

FEW = 40
"""Enumerations that a property test walks through by brute force."""


def assignments(
    paths: list[int], strata: list[int] | None = None, *, dates_only: bool = False
) -> Assignments:
    return Assignments(np.array(paths), np.array(strata or [0] * len(paths)), dates_only)


def brute(ways: Assignments) -> set[tuple[int, ...]]:
    """All orders of the paths that keep each unit's stratum (and, with dates only, who adopts)."""
    found = set()
    for order in itertools.permutations(range(ways.paths.size)):
        paths = ways.paths[list(order)]
        kept = (ways.strata[list(order)] == ways.strata).all()
        if kept and (not ways.dates_only or ((paths > 0) == (ways.paths > 0)).all()):
            found.add(tuple(int(path) for path in paths))
    return found


def rows(every: np.ndarray) -> list[tuple[int, ...]]:
    return [tuple(int(path) for path in row) for row in every]


def test_counts_by_hand() -> None:
    """Of five, one adopts early and two late: 5! / (1! 2! 2!) = 30; among the adopters 3! / (1! 2!) = 3."""
    assert assignments([1, 2, 2, 0, 0]).count == 30
    assert assignments([1, 2, 2, 0, 0], dates_only=True).count == 3
    assert assignments([1, 2, 2, 0, 0], [0, 0, 1, 0, 1]).count == 6 * 2
    assert assignments([1, 2, 2, 0, 0], [0, 0, 1, 0, 1], dates_only=True).count == 2


def test_a_count_that_no_float_holds() -> None:
    ways = Assignments(np.repeat([1, 0], [191, 309]), np.zeros(500, dtype=np.int64))
    assert ways.count == math.comb(500, 191)


def test_enumeration_by_hand() -> None:
    every = assignments([0, 2, 1], dates_only=True).every()
    assert every.tolist() == [[0, 2, 1], [0, 1, 2]]


@pytest.mark.parametrize("strata", [None, [0, 1, 0, 1, 0, 1], [0, 0, 0, 0, 1, 2]])
@pytest.mark.parametrize("dates_only", [False, True])
def test_enumeration_is_complete_and_without_repeats(strata: list[int] | None, dates_only: bool) -> None:
    ways = assignments([1, 2, 0, 0, 2, 3], strata, dates_only=dates_only)
    found = rows(ways.every())
    assert len(found) == len(set(found)) == ways.count
    assert set(found) == brute(ways)
    assert tuple(int(path) for path in ways.paths) in found


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 1)), min_size=1, max_size=5),
    st.booleans(),
)
@settings(max_examples=FEW, deadline=None)
def test_any_small_assignment_is_enumerated(units: list[tuple[int, int]], dates_only: bool) -> None:
    ways = assignments([path for path, _ in units], [stratum for _, stratum in units], dates_only=dates_only)
    found = rows(ways.every())
    assert sorted(found) == sorted(brute(ways))
    assert ways.count == len(found)


def test_draws_are_among_the_enumerated_and_equally_likely() -> None:
    ways = assignments([1, 0, 0, 2])
    drawn = Counter(rows(ways.draw(Block(3, 0, DRAWS))))
    assert set(drawn) == set(rows(ways.every()))
    assert all(abs(count / DRAWS - 1 / 12) < NOISE for count in drawn.values())


def test_draws_keep_the_size_of_cohorts_in_every_stratum() -> None:
    rng = np.random.default_rng(2)
    ways = Assignments(rng.integers(0, 4, size=60), rng.integers(0, 3, size=60))
    drawn = ways.draw(Block(1, 0, 50))
    assert (drawn != ways.paths).any(axis=1).all()
    for stratum in range(3):
        inside = ways.strata == stratum
        for path in range(4):
            assert ((drawn[:, inside] == path).sum(axis=1) == (ways.paths[inside] == path).sum()).all()


def test_dates_only_keeps_who_adopts() -> None:
    ways = assignments([1, 0, 2, 2, 0, 3, 1], dates_only=True)
    drawn = ways.draw(Block(1, 0, 50))
    assert ((drawn > 0) == (ways.paths > 0)).all()
    assert (np.sort(drawn, axis=1) == np.sort(ways.paths)).all()
    assert np.unique(drawn, axis=0).shape[0] > 1


def test_one_block_always_draws_the_same_and_another_something_else() -> None:
    ways = assignments([1, 2, 0, 0, 0, 2, 0, 0, 0, 0])
    first, second = blocks_of(40, seed=5, size=20)
    assert np.array_equal(ways.draw(first), ways.draw(first))
    assert not np.array_equal(ways.draw(first), ways.draw(second))
    assert not np.array_equal(ways.draw(first), ways.draw(Block(6, 0, 20)))


def test_order_of_units_names_nothing() -> None:
    """Turning units round turns what is enumerated round."""
    ways = assignments([1, 2, 0, 0, 2], [0, 0, 1, 0, 1])
    turned = Assignments(ways.paths[::-1], ways.strata[::-1])
    assert set(rows(turned.every()[:, ::-1])) == set(rows(ways.every()))


def test_who_cannot_be_moved() -> None:
    """Nobody of the third stratum adopts later or never: its adopters stay, and are not counted as moved."""
    ways = assignments([1, 0, 2, 0, 1, 1], [0, 0, 1, 1, 2, 2])
    assert (ways.movable, ways.count) == (2, 4)
    assert (ways.every()[:, 4:] == 1).all()


@pytest.mark.parametrize(
    ("paths", "strata", "dates_only"),
    [([1, 1], [0, 0], False), ([0, 0], [0, 0], False), ([1, 0], [0, 1], False), ([1, 0, 1], [0, 0, 0], True)],
)
def test_nothing_to_exchange(paths: list[int], strata: list[int], dates_only: bool) -> None:
    """The identity is left, one re-assignment: callers refuse it."""
    ways = assignments(paths, strata, dates_only=dates_only)
    assert (ways.count, ways.movable, ways.groups) == (1, 0, ())
    assert ways.every().tolist() == [paths]
    assert (ways.draw(Block(0, 0, 3)) == paths).all()


def test_inputs_are_not_changed() -> None:
    paths, strata = np.array([1, 0, 2, 0]), np.zeros(4, dtype=np.int64)
    ways = Assignments(paths, strata)
    ways.draw(Block(0, 0, 9))
    ways.every()
    assert paths.tolist() == [1, 0, 2, 0]
    assert strata.tolist() == [0, 0, 0, 0]
