from __future__ import annotations

from collections import Counter

import pytest

from clsimpact.loaders._ascof import bare_code, find_measure, measures, unit_of, wording


def test_every_code_of_a_year_names_one_measure() -> None:
    for year in range(2017, 2025):
        codes = Counter(measure.code_in(year) for measure in measures().values() if measure.code_in(year))
        assert max(codes.values()) == 1, year


def test_every_year_of_a_measure_has_one_code() -> None:
    for measure in measures().values():
        for year in range(2017, 2025):
            assert sum(edition.first <= year <= edition.last for edition in measure.editions) <= 1, (
                measure.name,
                year,
            )
        assert all(edition.first <= edition.last for edition in measure.editions)
        assert measure.continues == "" or measure.continues in measures()


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("sequel_to_short_term_support", "2D", "2A"),
        ("care_home_admissions_18_64", "2A1", "2B"),
        ("care_home_admissions_65_plus", "2A2", "2C"),
        ("reablement_still_home_91_days", "2B1", "2D1"),
        ("offered_reablement", "2B2", "2D2"),
        ("self_directed_support", "1C1A", "3D1A"),
        ("carers_self_directed_support", "1C1B", "3D1B"),
        ("direct_payments", "1C2A", "3D2A"),
        ("carers_direct_payments", "1C2B", "3D2B"),
        ("learning_disability_employment", "1E", ""),
        ("learning_disability_settled_home", "1G", "2E"),
        ("feel_safe", "4A", "4A"),
    ],
)
def test_renumbering_of_2023(name: str, before: str, after: str) -> None:
    assert (measures()[name].code_in(2022), measures()[name].code_in(2023)) == (before, after)


def test_client_level_measures_have_names_of_their_own() -> None:
    for measure in measures().values():
        assert ("client-level" in measure.source) == measure.name.endswith("_cld")
        assert not measure.name.endswith("_cld") or {edition.first for edition in measure.editions} == {2024}


def test_code_alone_is_not_enough() -> None:
    words = "The outcome of short–term services: sequel to service [note 9]"
    assert find_measure("2D", 2018, words).name == "sequel_to_short_term_support"
    assert (
        find_measure("2A", 2023, "Outcome of short-term services: sequel to service").name
        == "sequel_to_short_term_support"
    )
    with pytest.raises(KeyError, match=r"the code '2D' of 2018 is not described as 'sequel to servic'"):
        find_measure("2D", 2018, "sequel to servic")
    with pytest.raises(KeyError, match="no measure has the code '2D' in 2023"):
        find_measure("2D", 2023, words)
    assert (bare_code(" 3D(1a)"), wording("The  Word")) == ("3D1A", "word")


def test_units_by_statistic() -> None:
    safe, score = measures()["feel_safe"], measures()["social_care_quality_of_life"]
    assert [unit_of(safe, kind) for kind in ("Outcome", "Margin Of Error", "Denominator")] == [
        "%",
        "percentage points",
        "people",
    ]
    assert [unit_of(score, kind) for kind in ("Outcome", "Numerator", "Base")] == [
        "score (0 to 24)",
        "score points",
        "people",
    ]
    assert unit_of(safe, "Outcome (earlier eligible population)") == "%"
