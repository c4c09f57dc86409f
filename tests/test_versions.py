"""Every estimate is the one that was kept, to 1e-10, whatever the versions of pandas and numpy are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tools.versions import AGREES, LARGE, Tables, differences
from tools.versions_program import made

KEPT: Tables = json.loads((Path(__file__).parent / "reference" / "versions.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def now() -> Tables:
    return made(large=False)


@pytest.mark.parametrize("name", KEPT)
def test_the_numbers_are_those_that_were_kept(name: str, now: Tables) -> None:
    worst, place = max(differences({name: KEPT[name]}, {name: now[name]}))
    assert worst < AGREES, place


def test_nothing_is_left_out(now: Tables) -> None:
    assert now.keys() == KEPT.keys()
    assert not KEPT.keys() & set(LARGE)
    assert len(KEPT) > 50


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"a": {"x": [1.0, 2.0 + 1e-9]}}, "a: x, row 1"),
        ({"a": {"x": [1.0, None]}}, "a: x, row 1"),
        ({"a": {"x": [1.0]}}, "2 and 1 rows"),
        ({"a": {"y": [1.0, 2.0]}}, "columns ['x', 'y']"),
        ({}, "tables ['a']"),
    ],
)
def test_a_difference_would_be_seen(other: Tables, words: str) -> None:
    worst, place = max(differences({"a": {"x": [1.0, 2.0]}}, other))
    assert worst > AGREES
    assert words in place
