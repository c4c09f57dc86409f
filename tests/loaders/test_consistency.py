"""Figures that must agree: by hand, with seeded mistakes, and on the official workbook."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clsimpact.loaders._quotients import find_wrong_quotients
from clsimpact.loaders._ranges import find_impossible
from clsimpact.loaders.consistency import FINDINGS, _prepared, find_inconsistencies
from clsimpact.loaders.manifest import load_manifest
from clsimpact.loaders.returns import as_returns, as_text, empty_returns
from clsimpact.store import read_parquet

SOURCE = load_manifest()["asc_fr_salt_2021_22"]
LONDON = {
    "E09000001": "City of London",
    "E09000002": "Barking and Dagenham",
    "E09000012": "Hackney",
}


def figure(value: float | str, cell: str, **says: Any) -> dict[str, Any]:
    """One figure of England 2021-22; ``c`` is a suppressed one, ``x`` one that was not submitted."""
    status = {"c": "suppressed", "x": "not_submitted"}.get(str(value), "published")
    area = {"level": "england", "ons_code": "E92000001", "name": "England"}
    fixed = {"year": 2021, "return_": "SALT", "measure": "requests", "unit": "requests", "table": "T1"}
    number = None if isinstance(value, str) else float(value)
    return {**area, **fixed, "value": number, "status": status, "cell": cell, **says}


def found(*figures: dict[str, Any]) -> list[tuple[str, str, str]]:
    """The rule, table and cell of every finding."""
    findings = find_inconsistencies(as_returns(pd.DataFrame(figures), SOURCE))
    return list(zip(findings["rule"], findings["table"], findings["cell"], strict=True))


def sequels(total: float | str, *parts: float | str) -> list[dict[str, Any]]:
    words = ["End of life", "Long term: nursing", "Long term: prison", "Long term: residential"]
    rows = [
        figure(part, f"A{at}", sequel=word) for at, (part, word) in enumerate(zip(parts, words, strict=False))
    ]
    return [*rows, figure(total, "Z1", sequel="Total")]


# --- totals and parts, by hand


@pytest.mark.parametrize(
    ("total", "parts", "wrong"),
    [
        (30, [10, 20], False),
        (35, [10, 20], False),  # two parts and the total may each be 2.5 off: up to 7.5
        (40, [10, 20], True),
        (20, [10, 20], True),
        (40, [10, 20, "c"], False),  # and a suppressed part may be 4: up to 11.5
        (45, [10, 20, "c"], True),
        (20, [10, 20, "c"], True),  # a suppressed part cannot make the total smaller
        (900, [10, 20, "x"], False),  # a part not submitted may be anything,
        (20, [10, 20, "x"], True),  # but not less than nothing
        ("c", [10, 20], False),
    ],
)
def test_a_count_and_its_parts(total: float | str, parts: list[float | str], wrong: bool) -> None:
    assert found(*sequels(total, *parts)) == ([("total of parts", "T1", "Z1")] if wrong else [])


@pytest.mark.parametrize(("total", "wrong"), [(30.0, False), (30.4, False), (30.6, True), (29.4, True)])
def test_money_and_its_parts(total: float, wrong: bool) -> None:
    about = {"return_": "ASC-FR", "measure": "gross_current_expenditure", "unit": "£000"}
    rows = [
        figure(40.5, "A1", care_type="Long term", **about),
        figure(-20.5, "A2", care_type="Short term", **about),
        figure(10.0, "A3", care_type="Other", **about),
        figure(total, "Z1", care_type="Total", **about),
    ]
    assert bool(found(*rows)) is wrong


@pytest.mark.parametrize(
    ("dimension", "parts"),
    [
        ("age_band", {"18 to 64": 1000, "65 and over": 2000, "65 to 74": 1200, "85 and over": 200}),
        ("age_band", {"Under 18": 1000, "18 to 25": 500, "26 to 64": 500, "85 and over": 1000}),
        (
            "route_of_access",
            {
                "Self-funder with depleted funds": 1000,
                "of which: self-funder with 12-week disregard or deferred payment": 400,
                "Prison": 2000,
            },
        ),
        (
            "carer_support_type",
            {"Direct payment": 1000, "No direct support": 2000, "Support to the cared-for person": 700},
        ),
        ("support_setting", {"Residential": 1000, "Nursing": 2000, "Residential and nursing": 3000}),
        (
            "primary_support_reason",
            {
                "Physical support": 1000,
                "Physical support: personal care": 900,
                "Physical support: access and mobility only": 100,
                "Mental health": 2000,
            },
        ),
    ],
)  # fmt: skip
def test_parts_that_overlap_are_not_added(dimension: str, parts: dict[str, float]) -> None:
    rows = [figure(value, f"A{at}", **{dimension: word}) for at, (word, value) in enumerate(parts.items())]
    assert found(*rows, figure(3000, "Z1", **{dimension: "Total"})) == []
    assert found(*rows, figure(3100, "Z1", **{dimension: "Total"})) == [("total of parts", "T1", "Z1")]


def test_care_types_that_are_printed_by_age_alone() -> None:
    about = {"return_": "ASC-FR", "measure": "total_income", "unit": "£000"}
    parts = [
        ("Long term", "18 to 64"),
        ("Long term", "65 and over"),
        ("Short term", "65 and over"),
        ("Other", None),
    ]
    rows = [
        figure(100.0, f"A{at}", care_type=care, age_band=age, **about) for at, (care, age) in enumerate(parts)
    ]
    assert found(*rows, figure(400.0, "Z1", care_type="Total", **about)) == []
    assert found(*rows, figure(402.0, "Z1", care_type="Total", **about)) == [("total of parts", "T1", "Z1")]


def test_clients_with_both_kinds_of_review_are_counted_once() -> None:
    names = [
        "clients_planned_reviews",
        "clients_unplanned_reviews",
        "clients_both_reviews",
        "clients_reviewed",
    ]

    def reviews(*values: float) -> list[dict[str, Any]]:
        rows = zip("ABCD", values, names, strict=True)
        return [figure(value, cell, measure=name, unit="people", table="T50") for cell, value, name in rows]

    assert found(*reviews(200, 90, 40, 250)) == []
    assert found(*reviews(200, 90, 40, 290)) == [("reviews", "T50", "D")]


# --- the same figure in several tables, by hand


def test_the_table_that_stands_alone_is_the_one_told() -> None:
    rows = [
        figure(500, "B2", age_band="18 to 64"),
        figure(505, "C3", age_band="18 to 64", sequel="Total", table="T10"),
        figure(500, "D4", age_band="18 to 64", route_of_access="Total", table="T8"),
    ]
    findings = find_inconsistencies(as_returns(pd.DataFrame(rows), SOURCE))
    assert list(findings.columns) == list(FINDINGS)
    (only,) = findings.to_dict("records")
    assert (only["table"], only["cell"], only["name"], only["year"]) == ("T10", "C3", "England", 2021)
    assert (only["value"], only["expected"]) == (505, 500)
    assert only["finding"] == "the same figure is printed as 500 in T1 B2, T8 D4"


def test_figures_of_other_ages_years_units_or_sources_are_not_the_same() -> None:
    first = figure(500, "B2", age_band="18 to 64")
    for other in ({"age_band": "65 and over"}, {"year": 2020}, {"unit": "people"}, {"sequel": "Prison"}):
        assert found(first, {**first, "value": 900.0, "table": "T2", **other}) == []
    assert found(first, {**first, "value": 900.0, "table": "T2"}) == [("printed twice", "T2", "B2")]


# --- areas, by hand


def london(region: float, england: float, *councils: float | str, **says: Any) -> list[dict[str, Any]]:
    rows = [
        figure(england, "A1", **says),
        figure(region, "A2", level="region", ons_code="E12000007", name="London", **says),
    ]
    for (code, name), value in zip(LONDON.items(), councils, strict=True):
        rows.append(figure(value, code, level="council", ons_code=code, name=name, **says))
    return rows


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (london(60, 60, 10, 20, 30), []),
        (london(70, 70, 10, 20, 30), []),  # three councils and the region: up to 10
        (london(75, 75, 10, 20, 30), [("councils in region", "T1", "A2")]),
        (london(60, 75, 10, 20, 30), [("regions in England", "T1", "A1")]),
        (london(60, 60, 10, "c", 30), [("councils in region", "T1", "A2")]),
        (london(90, 90, 10, 20, "x"), [("imputed total", "T1", "A2")]),
        (london(20, 20, 10, 20, "x"), [("councils in region", "T1", "A2")]),
    ],
)
def test_councils_regions_and_england(
    rows: list[dict[str, Any]], expected: list[tuple[str, str, str]]
) -> None:
    assert found(*rows) == expected


def test_figures_held_over_are_told_once_a_region_and_year() -> None:
    rows = [
        *london(90, 90, 10, 20, "x"),
        *london(80, 80, 10, 20, "x", table="T2", age_band="18 to 64"),
        *london(80, 80, 10, 20, "x", table="T3", year=2020, sequel="Prison"),
    ]
    findings = find_inconsistencies(as_returns(pd.DataFrame(rows), SOURCE))
    assert findings["year"].tolist() == [2021, 2020]
    assert findings["finding"].iloc[0] == (
        "2 totals hold figures of councils that did not submit them (Hackney): T1, T2"
    )


def test_a_council_that_did_not_exist_yet_did_not_fail_to_submit() -> None:
    rows = london(90, 90, 10, 20, 30)
    new = {"level": "council", "ons_code": "E06000061", "name": "North Northamptonshire"}
    region = {"level": "region", "ons_code": "E12000004", "name": "East Midlands"}
    leicester = {"level": "council", "ons_code": "E06000016", "name": "Leicester"}
    rows = [
        figure(900, "B2", year=2020, **region),
        figure(100, "B3", year=2020, **leicester),
        figure("x", "B4", year=2020, **new),
    ]
    assert found(*rows) == [("councils in region", "T1", "B2")]
    assert found(*[{**row, "year": 2021} for row in rows]) == [("imputed total", "T1", "B2")]


def test_nothing_to_compare() -> None:
    assert find_inconsistencies(empty_returns()).empty
    assert found(figure(10, "A1")) == []


@settings(max_examples=5, deadline=None)
@given(st.lists(st.lists(st.integers(0, 10_000), min_size=2, max_size=4), min_size=30, max_size=60))
def test_rounding_and_suppression_alone_are_never_told(tables: list[list[int]]) -> None:
    rows: list[dict[str, Any]] = []
    for number, true in enumerate(tables):
        total, *parts = ("c" if count < 5 else 5.0 * round(count / 5) for count in [sum(true), *true])
        rows += [{**row, "table": "T1", "year": 1900 + number} for row in sequels(total, *parts)]
        rows = [
            {**row, "cell": f"{row['cell']}-{row['year']}"} if "-" not in row["cell"] else row for row in rows
        ]
    assert found(*rows) == []


# --- the official workbook


@pytest.fixture(scope="module")
def official() -> pd.DataFrame:
    returns = read_parquet("returns")
    return as_text(returns[returns["source_id"] == SOURCE.id]).reset_index(drop=True)


def test_the_official_workbook_has_the_findings_that_are_explained(official: pd.DataFrame) -> None:
    findings = find_inconsistencies(official)
    imputed = findings[findings["rule"] == "imputed total"]
    who = imputed["finding"].str.extract(r"\((.*)\)", expand=False)
    assert sorted(zip(imputed["year"], imputed["name"], who, strict=True)) == [
        (2020, "London", "Hackney"),
        (2020, "North West", "Rochdale"),
        (2021, "London", "Hackney"),
        (2021, "South West", "Swindon"),
    ]
    other = findings[findings["rule"] != "imputed total"]
    columns = ["table", "cell", "rule", "name", "value", "expected"]
    rows = other[columns].to_numpy().tolist()
    assert ["T17", "H164", "total of parts", "Swindon", 63_621, 63_622] in rows
    assert ["T24", "G122", "printed twice", "Tower Hamlets", 415, 400] in rows
    twice = other[other["rule"] == "printed twice"]
    assert twice["table"].astype("string").value_counts().sort_index().to_dict() == {
        "T24": 3,
        "T41": 9,
        "T42": 31,
    }


def swap_ages(returns: pd.DataFrame) -> pd.DataFrame:
    ages = {"18 to 64": "65 and over", "65 and over": "18 to 64"}
    return returns.assign(age_band=returns["age_band"].replace(ages))


def add_hundred(returns: pd.DataFrame) -> pd.DataFrame:
    at = (returns["name"] == "Leeds") & (returns["sequel"] == "Total")
    return returns.assign(value=returns["value"].mask(at, returns["value"] + 100))


def drop_leeds(returns: pd.DataFrame) -> pd.DataFrame:
    return returns[returns["name"] != "Leeds"]


@pytest.mark.parametrize(
    ("change", "rules"),
    [
        (swap_ages, {"printed twice"}),
        (add_hundred, {"printed twice", "total of parts", "councils in region"}),
        (drop_leeds, {"councils in region"}),
    ],
)
def test_a_mistake_in_one_official_table_is_found(
    official: pd.DataFrame, change: Callable[[pd.DataFrame], pd.DataFrame], rules: set[str]
) -> None:
    related = official[official["table"].isin(["T1", "T2", "T8", "T10", "T12", "T13"])]
    one = related["table"] == "T10"
    mistaken = pd.concat([related[~one], change(related[one])]).sort_index()
    findings = find_inconsistencies(mistaken)
    assert set(find_inconsistencies(related)["rule"]) == {"imputed total"}
    assert set(findings["rule"]) == {"imputed total", *rules}
    assert set(findings[findings["rule"] != "imputed total"]["table"]) == {"T10"}


# --- rates beside what they are made of, and figures that cannot be


def ascof(outcome: float, top: float = 5853.0, bottom: float = 6113.0, **says: Any) -> list[dict[str, Any]]:
    named = {"return_": "ASCOF", "measure": "sequel_to_short_term_support", **says}
    return [
        figure(outcome, "A1", unit="%", statistic="Outcome", **named),
        figure(top, "B1", unit="people", statistic="Numerator", **named),
        figure(bottom, "C1", unit="people", statistic="Denominator", **named),
    ]


@pytest.mark.parametrize(
    ("rows", "wrong"),
    [
        (ascof(95.7), []),  # 5853 / 6113 is 95.747%
        (ascof(95.8), []),  # half a person more: 95.755%
        (ascof(95.9), [("quotient", "T1", "A1")]),
        (ascof(59.7), [("quotient", "T1", "A1")]),
        (ascof(100.0, 10.0, 10.0), []),
        (ascof(90.0, 10.0, 10.0), []),  # counts rounded to 5: ten may be 7.5
        (ascof(7.0, 10.0, 0.0), []),  # nothing to divide by
    ],
)
def test_outcomes_against_numerator_and_denominator(
    rows: list[dict[str, Any]], wrong: list[tuple[str, str, str]]
) -> None:
    assert found(*rows) == wrong


def unit_cost(cost: float) -> list[dict[str, Any]]:
    named = {"return_": "PSS-EX1"}
    return [
        figure(cost, "A1", measure="unit_cost", unit="£ per week", **named),
        figure(83907.13, "A2", measure="unit_cost_numerator", unit="£000", **named),
        figure(138806.14, "A3", measure="unit_cost_denominator", unit="weeks", **named),
    ]


def test_unit_costs_against_numerator_and_denominator() -> None:
    assert found(*unit_cost(604.49)) == []
    assert found(*unit_cost(640.49)) == [("quotient", "T1", "A1")]


@pytest.mark.parametrize(
    ("value", "says", "said"),
    [
        (-5.0, {}, "-5 is negative"),
        (12.0, {}, "12 is no multiple of 5, and the publisher rounds to 5"),
        (101.0, {"return_": "ASCOF", "unit": "%"}, "101 is more than 100%"),
        (1.5, {"return_": "IoD", "unit": "proportion"}, "1.5 is more than the whole"),
        (7.5, {"return_": "MYE", "unit": "people"}, "7.5 is no whole number of people"),
    ],
)
def test_figures_that_cannot_be(value: float, says: dict[str, Any], said: str) -> None:
    findings = find_inconsistencies(as_returns(pd.DataFrame([figure(value, "A1", **says)]), SOURCE))
    assert findings["rule"].tolist() == ["impossible value"]
    assert findings["finding"].tolist() == [said]


@pytest.mark.parametrize(
    ("ranks", "wrong"),
    [([1, 2, 3, 4], []), ([1, 2, 2, 4], []), ([1, 2, 2, 3], ["A4"]), ([1, 3, 4], ["A2", "A3"])],
)
def test_ranks_follow_from_each_other(ranks: list[int], wrong: list[str]) -> None:
    rows = [
        figure(rank, f"A{at}", unit="rank", return_="IoD", name=f"council {at}")
        for at, rank in enumerate(ranks, start=1)
    ]
    assert [cell for _, _, cell in found(*rows)] == wrong


def test_no_official_figure_is_impossible_or_a_wrong_quotient() -> None:
    rows = _prepared(read_parquet("returns"))
    assert find_impossible(rows).empty
    assert find_wrong_quotients(rows).empty
