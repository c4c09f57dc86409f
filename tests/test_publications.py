"""What is missing is named by the publication that holds it in that year."""

from __future__ import annotations

import pytest

from clsimpact.outcomes import OUTCOMES
from clsimpact.publications import name_missing


def test_every_outcome_has_a_publication_for_every_year_of_the_panel() -> None:
    for outcome in OUTCOMES.values():
        for year in range(2014, 2023):
            assert name_missing(outcome.publication, [year]), (outcome.name, year)


@pytest.mark.parametrize(
    ("year", "words"),
    [
        (2014, "Social Services Activity"),
        (2015, "Social Services Activity"),
        (2016, "combined reference tables"),
        (2018, "T48"),
        (2020, "T48 or T50"),
        (2022, "T50"),
    ],
)
def test_reviews_moved_between_publications_and_tables(year: int, words: str) -> None:
    assert words in name_missing("reviews", [year])


def test_money_before_the_joint_report() -> None:
    text = name_missing("money", [2015, 2018, 2019, 2022])
    assert "fin-sum-tot.csv), 2015-16;" in text
    assert text.endswith("reference table T14, 2018-19 to 2019-20, 2022-23")


def test_nothing_missing_is_nothing() -> None:
    assert name_missing("sequels", []) == ""
