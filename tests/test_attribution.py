"""Attributions are said once, and name no year that no source names."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from clsimpact.attribution import condense
from clsimpact.loaders.manifest import load_manifest


def test_a_run_of_years_becomes_one_sentence() -> None:
    assert condense([f"© Crown {year}." for year in (2016, 2017, 2018)]) == "© Crown 2016 to 2018."


def test_a_gap_stays_a_gap() -> None:
    assert condense(["© Crown 2016.", "© Crown 2018.", "© Crown 2021."]) == "© Crown 2016, 2018 and 2021."


def test_others_are_left_as_they_are_and_said_once() -> None:
    words = "Contains information licensed under the Open Government Licence v3.0."
    assert condense([words, "© Crown 2016.", words]) == f"{words} © Crown 2016."


def test_nothing_gives_nothing() -> None:
    assert condense([]) == ""


def test_every_source_of_the_manifest_is_still_named() -> None:
    statements = [source.attribution for source in load_manifest().values()]
    text = condense(statements)
    assert text.count("National Statistics data") == 1
    for statement in statements:
        assert re.split(r"\d{4}\.$", statement)[0] in text


@given(st.lists(st.integers(1990, 2030), min_size=1))
def test_the_years_are_exactly_those_given(years: list[int]) -> None:
    text = condense(f"© Crown {year}." for year in years)
    named: set[int] = set()
    for first, last in re.findall(r"(\d{4})(?: to (\d{4}))?", text):
        named |= set(range(int(first), int(last or first) + 1))
    assert named == set(years)
