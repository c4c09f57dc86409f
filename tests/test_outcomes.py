from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clsimpact.outcomes import (
    EVERY_OUTCOME,
    HAS_VALUE,
    OUTCOMES,
    SEQUELS,
    STATUS_ORDER,
    VARIANTS,
    Known,
    Outcome,
    Parts,
    known,
    sequel_share,
)

Cell = float | str
"""A number is a published figure; a word is the status of a missing one."""

AGES = ("18_64", "65_plus")
SHARES = (
    "signposted",
    "no_service",
    "not_funded",
    "funded_narrow",
    "funded_mid",
    "funded_broad",
    "funded_author",
)
COUNTS = {
    "18_64": {
        "st_max": 20, "nursing": 5, "residential": 10, "community": 65, "prison": 0, "nhs": 5,
        "end_of_life": 15, "low_level": 80, "other_short": 40, "signposted": 300, "deceased": 10,
        "no_service": 150,
    },
    "65_plus": {
        "st_max": 180, "nursing": 45, "residential": 90, "community": 135, "prison": 5, "nhs": 25,
        "end_of_life": 35, "low_level": 220, "other_short": 60, "signposted": 300, "deceased": 90,
        "no_service": 115,
    },
}  # fmt: skip
"""Sums by hand: 700 + 1,300 = 2,000 requests."""
BY_HAND = {
    "signposted": 600 / 2000,
    "no_service": (10 + 150 + 90 + 115) / 2000,
    "not_funded": (600 + 365) / 2000,
    "funded_narrow": (5 + 10 + 65 + 0 + 45 + 90 + 135 + 5) / 2000,
    "funded_mid": (355 + 20 + 180) / 2000,
    "funded_broad": (555 + 80 + 220 + 40 + 60 + 15 + 35) / 2000,
    "funded_author": (1005 + 5 + 25) / 2000,
}


def parts(**cells: Cell | Sequence[Cell]) -> Parts:
    columns = {name: list(cell) if isinstance(cell, list) else [cell] for name, cell in cells.items()}
    values = {name: [np.nan if isinstance(x, str) else x for x in column] for name, column in columns.items()}
    statuses = {
        name: [x if isinstance(x, str) else "published" for x in column] for name, column in columns.items()
    }
    return Parts(pd.DataFrame(values, dtype="float64"), pd.DataFrame(statuses))


def requests(changes: Mapping[str, Cell] | None = None, *, scale: int = 1) -> Parts:
    cells: dict[str, Cell] = {
        f"{sequel}_{age}": scale * count for age in AGES for sequel, count in COUNTS[age].items()
    }
    cells |= {f"total_{age}": scale * sum(COUNTS[age].values()) for age in AGES}
    return parts(**{part_name(name): cell for name, cell in {**cells, **(changes or {})}.items()})


def part_name(short: str) -> str:
    """Return the name of a sequel's part, or of all requests."""
    return f"requests{short.removeprefix('total')}" if short.startswith("total") else f"sequel_{short}"


def value(name: str, given_parts: Parts) -> tuple[float, str]:
    outcome = EVERY_OUTCOME[name]
    assert outcome.derive is not None
    found = outcome.derive(given_parts)
    assert len(found.value) == 1
    return float(found.value[0]), str(found.status[0])


ROUTES = ("discharge", "diversion", "community")
MONEY = {"gce": 50_000.0, "deflator": 0.8, "population_18_64": 90_000.0, "population_65_plus": 35_000.0}


# --- money and rates by hand --------------------------------------------------------------------------


def test_gce_by_hand() -> None:
    assert value("gce_real", parts(**MONEY)) == (62_500.0, "published")
    assert value("gce_per_adult", parts(**MONEY)) == (500.0, "published")


@given(st.floats(0, 1e7), st.integers(1, 10**6), st.integers(1, 10**6))
def test_constant_prices_are_cash_in_the_price_year(gce: float, young: int, old: int) -> None:
    given_parts = parts(gce=gce, deflator=1.0, population_18_64=young, population_65_plus=old)
    assert value("gce_real", given_parts)[0] == gce
    assert value("gce_per_adult", given_parts)[0] == pytest.approx(1000 * gce / (young + old), rel=1e-12)


def test_requests_per_100k_by_hand() -> None:
    given_parts = parts(
        requests_18_64=900.0, requests_65_plus=1600.0, population_18_64=90_000.0, population_65_plus=35_000.0
    )
    assert value("requests_per_100k", given_parts) == (2000.0, "published")


def test_reviews_by_hand() -> None:
    given_parts = parts(clients_planned_reviews=150, clients_unplanned_reviews=60, clients_reviewed=200)
    assert value("planned_share", given_parts) == (0.75, "published")
    assert value("planned_unplanned_ratio", given_parts) == (2.5, "published")


@pytest.mark.parametrize(
    ("name", "change", "status"),
    [
        ("gce_real", {"gce": "not_submitted"}, "not_submitted"),
        ("gce_real", {"deflator": "not_held"}, "not_held"),
        ("gce_per_adult", {"population_18_64": "not_listed"}, "not_listed"),
        ("gce_per_adult", {"population_18_64": "not_listed", "gce": "suppressed"}, "not_listed"),
        ("gce_per_adult", {"population_65_plus": "suppressed", "gce": "not_held"}, "not_held"),
        ("gce_per_adult", {"population_18_64": 0.0, "population_65_plus": 0.0}, "not_applicable"),
    ],
)
def test_a_missing_part_makes_the_result_missing(name: str, change: dict[str, Cell], status: str) -> None:
    found, why = value(name, parts(**{**MONEY, **change}))
    assert np.isnan(found)
    assert why == status


def test_zero_denominators_are_not_applicable() -> None:
    none = parts(clients_planned_reviews=0, clients_unplanned_reviews=0, clients_reviewed=0)
    some = parts(clients_planned_reviews=20, clients_unplanned_reviews=0, clients_reviewed=20)
    assert np.isnan(value("planned_share", none)[0])
    assert value("planned_share", none)[1] == "not_applicable"
    assert np.isnan(value("planned_unplanned_ratio", some)[0])
    assert value("planned_unplanned_ratio", some)[1] == "not_applicable"
    assert value("planned_share", some) == (1.0, "published")
    nobody = requests(scale=0)
    assert value("signposted", nobody)[1] == "not_applicable"


def test_zero_is_a_figure() -> None:
    zero = requests({"signposted_18_64": 0, "signposted_65_plus": 0})
    assert value("signposted", zero) == (0.0, "published")
    assert value("gce_real", parts(**{**MONEY, "gce": 0.0})) == (0.0, "published")


# --- by age and route, by hand ------------------------------------------------------------------------


def test_money_by_age_by_hand() -> None:
    by_age = {
        "gce_long_18_64": 21_000,
        "gce_short_18_64": -1_000,
        "gce_long_65_plus": 18_000,
        "gce_short_65_plus": 3_000,
    }
    people = {"long_term_18_64": 500, "long_term_65_plus": 1_000}
    given_parts = parts(**MONEY, **by_age, **people)
    assert value("gce_18_64", given_parts) == (20_000.0, "published")
    assert value("gce_real_65_plus", given_parts) == (26_250.0, "published")
    assert value("gce_per_adult_18_64", given_parts)[0] == pytest.approx(25_000_000 / 90_000, rel=1e-15)
    assert value("gce_per_adult_65_plus", given_parts) == (750.0, "published")
    # 62.5 million over 1,500 people; 25 million over 500.
    assert value("gce_per_long_term_client", given_parts)[0] == pytest.approx(62_500_000 / 1_500, rel=1e-15)
    assert value("gce_per_long_term_client_18_64", given_parts) == (50_000.0, "published")
    assert value("long_term", given_parts) == (1_500.0, "published")


def test_rates_of_requests_by_age_and_route_by_hand() -> None:
    by_route = {f"requests_18_64_{route}": count for route, count in zip(ROUTES, (60, 30, 700), strict=True)}
    by_route |= {
        f"requests_65_plus_{route}": count for route, count in zip(ROUTES, (400, 200, 900), strict=True)
    }
    given_parts = parts(requests_18_64=900, requests_65_plus=1_600, **by_route, **MONEY)
    assert value("requests", given_parts) == (2_500.0, "published")
    assert value("requests_hospital", given_parts) == (690.0, "published")
    assert value("requests_18_64_community", given_parts) == (700.0, "published")
    assert value("requests_per_100k_18_64", given_parts)[0] == pytest.approx(1_000.0, rel=1e-15)
    assert value("requests_per_100k_65_plus_hospital", given_parts)[0] == pytest.approx(
        6e7 / 35_000, rel=1e-15
    )


def test_shares_and_counts_by_age_by_hand() -> None:
    given_parts = requests()
    assert value("signposted_18_64", given_parts)[0] == pytest.approx(300 / 700, abs=1e-15)
    assert value("funded_mid_65_plus", given_parts)[0] == pytest.approx(
        (180 + 45 + 90 + 135 + 5) / 1300, abs=1e-15
    )
    assert value("funded_mid_count_65_plus", given_parts) == (455.0, "published")
    assert value("signposted_count", given_parts) == (600.0, "published")


def test_shares_by_route_by_hand() -> None:
    cells: dict[str, Cell] = {
        f"sequel_{sequel}_{age}_{route}": 10 for sequel in SEQUELS for age in AGES for route in ROUTES
    }
    cells |= {f"requests_{age}_{route}": 120 for age in AGES for route in ROUTES}
    cells |= {"sequel_signposted_18_64_diversion": 30, "requests_18_64_diversion": 140}
    given_parts = parts(**cells)
    assert value("signposted_hospital", given_parts)[0] == pytest.approx(60 / 500, abs=1e-15)
    assert value("signposted_18_64_hospital", given_parts)[0] == pytest.approx(40 / 260, abs=1e-15)
    assert value("signposted_community", given_parts)[0] == pytest.approx(20 / 240, abs=1e-15)
    assert value("signposted_count_hospital", given_parts) == (60.0, "published")


def test_reviews_by_age_by_hand() -> None:
    given_parts = parts(
        clients_planned_reviews=150,
        clients_planned_reviews_65_plus=80,
        clients_unplanned_reviews=60,
        clients_unplanned_reviews_65_plus=0,
        clients_reviewed=200,
        clients_reviewed_65_plus=100,
    )
    assert value("planned_share_65_plus", given_parts) == (0.8, "published")
    assert value("planned_clients_65_plus", given_parts) == (80.0, "published")
    assert value("unplanned_clients_65_plus", given_parts) == (0.0, "published")
    assert value("reviewed_clients", given_parts) == (200.0, "published")
    assert value("planned_unplanned_log_ratio", given_parts)[0] == pytest.approx(0.916290731874155, abs=1e-15)
    assert value("planned_unplanned_log_ratio_65_plus", given_parts)[1] == "not_applicable"


@pytest.mark.parametrize(
    ("changes", "count", "status"),
    [
        ({}, 365.0, "published"),
        ({"deceased_18_64": "suppressed"}, 357.0, "estimated"),
        ({"deceased_18_64": "suppressed", "total_18_64": "not_submitted"}, None, "suppressed"),
        ({"deceased_18_64": "suppressed", "no_service_65_plus": "not_submitted"}, None, "not_submitted"),
        ({"total_18_64": "not_submitted"}, 365.0, "published"),
        ({"no_service_65_plus": "not_held"}, None, "not_held"),
    ],
)
def test_a_numerator_has_a_status_of_its_own(
    changes: dict[str, Cell], count: float | None, status: str
) -> None:
    found, why = value("no_service_count", requests(changes))
    assert why == status
    assert np.isnan(found) if count is None else found == count


def test_a_numerator_is_suppressed_where_its_share_is() -> None:
    few: dict[str, Cell] = dict.fromkeys(
        [f"{name}_{age}" for name in ("nursing", "residential") for age in AGES], "suppressed"
    )
    small = requests({**few, "total_18_64": 350, "total_65_plus": 400})
    assert value("funded_narrow", small)[1] == value("funded_narrow_count", small)[1] == "suppressed"
    assert (
        value("funded_narrow", requests(few))[1]
        == value("funded_narrow_count", requests(few))[1]
        == "estimated"
    )


# --- statuses -----------------------------------------------------------------------------------------


@given(st.lists(st.sampled_from(STATUS_ORDER), min_size=1, max_size=4))
def test_worst_status_wins(statuses: list[str]) -> None:
    inputs = [Known(np.array([1.0]), np.array([status], dtype="object")) for status in statuses]
    found = known(np.array([7.0]), *inputs)
    worst = max(statuses, key=STATUS_ORDER.index)
    assert found.status[0] == worst
    assert np.isnan(found.value[0]) == (worst not in HAS_VALUE)


def test_estimated_is_kept_and_infinite_is_undefined() -> None:
    one = Known(np.array([1.0, 1.0]), np.array(["estimated", "published"], dtype="object"))
    found = known(np.array([3.0, np.inf]), one)
    assert found.status.tolist() == ["estimated", "not_applicable"]
    assert found.value[0] == 3.0
    assert np.isnan(found.value[1])


# --- shares of requests -------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "share"), BY_HAND.items())
def test_shares_by_hand(name: str, share: float) -> None:
    found, status = value(name, requests())
    assert found == pytest.approx(share, abs=1e-15)
    assert status == "published"


def test_every_sequel_is_in_exactly_one_group() -> None:
    assert set(COUNTS["18_64"]) == set(COUNTS["65_plus"]) == set(SEQUELS)
    everything = value("funded_author", requests())[0] + value("not_funded", requests())[0]
    assert everything == pytest.approx(1.0, abs=1e-15)


def test_suppressed_counts_that_matter_little_enter_at_two() -> None:
    # One part of 0 to 4 in 2,000 requests moves the share by 0.1 of a point at most: 2 / 2,000.
    found, status = value("no_service", requests({"deceased_18_64": "suppressed"}))
    assert found == pytest.approx((2 + 150 + 90 + 115) / 2000, abs=1e-15)
    assert status == "estimated"


def test_five_suppressed_parts_of_two_thousand_are_just_allowed() -> None:
    few = ["nursing_18_64", "residential_18_64", "prison_18_64", "prison_65_plus", "community_18_64"]
    found, status = value("funded_narrow", requests(dict.fromkeys(few, "suppressed")))
    assert found == pytest.approx((5 * 2 + 45 + 90 + 135) / 2000, abs=1e-15)
    assert status == "estimated"


def test_suppressed_counts_that_matter_make_the_share_suppressed() -> None:
    few = [
        "nursing_18_64",
        "residential_18_64",
        "prison_18_64",
        "prison_65_plus",
        "community_18_64",
        "nursing_65_plus",
    ]
    found, status = value("funded_narrow", requests(dict.fromkeys(few, "suppressed")))
    assert np.isnan(found)
    assert status == "suppressed"
    assert value("funded_narrow", requests(dict.fromkeys(few, "suppressed"), scale=2))[1] == "estimated"


def test_other_shares_do_not_care() -> None:
    assert value("signposted", requests({"nursing_18_64": "suppressed"})) == (0.3, "published")


def test_prisons_without_a_figure_count_nothing() -> None:
    without = requests({"prison_18_64": "not_submitted", "prison_65_plus": "not_submitted"})
    found, status = value("funded_narrow", without)
    assert found == pytest.approx((5 + 10 + 65 + 45 + 90 + 135) / 2000, abs=1e-15)
    assert status == "published"


@pytest.mark.parametrize("sequel", [name for name in SEQUELS if name != "prison"])
def test_nothing_else_counts_nothing(sequel: str) -> None:
    names = [
        name for name in SHARES if np.isnan(value(name, requests({f"{sequel}_65_plus": "not_submitted"}))[0])
    ]
    broad = {"funded_broad", "funded_author"}
    expected = {
        "signposted": {"signposted", "not_funded"},
        "deceased": {"no_service", "not_funded"},
        "no_service": {"no_service", "not_funded"},
        "nhs": {"funded_author"},
        "st_max": {"funded_mid", *broad},
        **{name: {"funded_narrow", "funded_mid", *broad} for name in ("nursing", "residential", "community")},
        "low_level": broad,
        "other_short": broad,
        "end_of_life": broad,
    }
    assert set(names) == expected[sequel]


@pytest.mark.parametrize("status", ["not_submitted", "suppressed", "not_held"])
def test_without_a_total_there_is_no_share(status: str) -> None:
    everything: dict[str, Cell] = {
        f"{sequel}_{age}": status for sequel in (*SEQUELS, "total") for age in AGES
    }
    for name in SHARES:
        assert value(name, requests(everything))[1] == status
        found, why = value(name, requests({"total_65_plus": status}))
        assert np.isnan(found)
        assert why == status


counts = st.integers(0, 3000)
every_count = st.fixed_dictionaries({f"{sequel}_{age}": counts for sequel in SEQUELS for age in AGES})


def of_counts(truth: dict[str, int], *, hide_few: bool) -> Parts:
    """Return the parts of a council: totals exact, counts below 5 suppressed if asked."""
    cells: dict[str, Cell] = {
        f"sequel_{name}": "suppressed" if hide_few and count < 5 else count for name, count in truth.items()
    }
    for age in AGES:
        cells[f"requests_{age}"] = sum(count for name, count in truth.items() if name.endswith(age))
    return parts(**cells)


@given(every_count)
def test_shares_of_published_counts(truth: dict[str, int]) -> None:
    whole = of_counts(truth, hide_few=False)
    found = {name: value(name, whole) for name in SHARES}
    if not sum(truth.values()):
        assert {status for _, status in found.values()} == {"not_applicable"}
        return
    share = {name: number for name, (number, _) in found.items()}
    assert {status for _, status in found.values()} == {"published"}
    assert all(0.0 <= number <= 1.0 for number in share.values())
    assert share["signposted"] + share["no_service"] == pytest.approx(share["not_funded"], abs=1e-12)
    assert share["funded_author"] >= share["funded_broad"] >= share["funded_mid"] >= share["funded_narrow"]
    assert share["not_funded"] + share["funded_author"] == pytest.approx(1.0, abs=1e-12)


@given(every_count, st.sampled_from(("", "_18_64", "_65_plus")))
def test_share_times_requests_is_the_numerator(truth: dict[str, int], age: str) -> None:
    hidden = of_counts(truth, hide_few=True)
    requests_made = value(f"requests{age}", hidden)[0]
    for name in SHARES:
        (share, why), (count, same) = (value(f"{part}{age}", hidden) for part in (name, f"{name}_count"))
        if why in HAS_VALUE:
            assert same == why
            assert count == pytest.approx(share * requests_made, rel=1e-12, abs=1e-9)


few_or_many = st.one_of(st.integers(0, 4), st.integers(5, 4000))
uneven = st.fixed_dictionaries({f"{sequel}_{age}": few_or_many for sequel in SEQUELS for age in AGES})


@given(uneven)
def test_estimates_are_near_the_truth_and_within_bounds(truth: dict[str, int]) -> None:
    hidden, whole = of_counts(truth, hide_few=True), of_counts(truth, hide_few=False)
    for name in SHARES:
        number, status = value(name, hidden)
        assert np.isnan(number) == (status not in HAS_VALUE)
        if status in HAS_VALUE:
            assert 0.0 <= number <= 1.0
            assert abs(number - value(name, whole)[0]) <= 0.005 + 1e-12


def test_an_estimate_is_no_more_than_everything() -> None:
    # 4,000 signposted and six suppressed: with each at two the sum is more than all requests.
    cells: dict[str, Cell] = {f"sequel_{sequel}_{age}": "suppressed" for sequel in SEQUELS for age in AGES}
    cells |= {"sequel_signposted_18_64": 4000, "requests_18_64": 4000, "requests_65_plus": 0}
    assert value("not_funded", parts(**cells)) == (1.0, "estimated")
    assert value("not_funded_count", parts(**cells)) == (4000.0, "estimated")


def test_inputs_stay_as_they_are() -> None:
    given_parts = requests({"deceased_18_64": "suppressed", "prison_18_64": "not_submitted"})
    before = copy.deepcopy(given_parts)
    for name in SHARES:
        value(name, given_parts)
    pd.testing.assert_frame_equal(given_parts.numbers, before.numbers)
    pd.testing.assert_frame_equal(given_parts.statuses, before.statuses)


def test_several_rows_are_independent() -> None:
    rows = [
        requests(),
        requests({"deceased_18_64": "suppressed"}),
        requests({"total_18_64": "not_submitted"}),
    ]
    numbers, statuses = zip(*((row.numbers, row.statuses) for row in rows), strict=True)
    stacked = Parts(pd.concat(numbers, ignore_index=True), pd.concat(statuses, ignore_index=True))
    found = sequel_share(stacked, ("deceased", "no_service"))
    assert found.status.tolist() == ["published", "estimated", "not_submitted"]
    for row, number in zip(rows, found.value, strict=True):
        assert number == pytest.approx(value("no_service", row)[0], nan_ok=True, abs=0)


# --- what is said of them -----------------------------------------------------------------------------


@pytest.mark.parametrize("outcome", EVERY_OUTCOME.values(), ids=lambda outcome: outcome.name)
def test_every_outcome_is_described(outcome: Outcome) -> None:
    assert all([outcome.label, outcome.unit, outcome.definition, outcome.source, outcome.publication])
    assert EVERY_OUTCOME[outcome.name] is outcome


def test_labels_and_definitions_tell_outcomes_apart() -> None:
    for said in ("label", "definition"):
        texts = [getattr(outcome, said) for outcome in EVERY_OUTCOME.values()]
        assert len(set(texts)) == len(texts), said


def test_outcomes_and_variants_are_all_there_is() -> None:
    assert {**OUTCOMES, **VARIANTS} == EVERY_OUTCOME
    assert not set(OUTCOMES) & set(VARIANTS)
    for name in SHARES:
        ages = [name, f"{name}_18_64", f"{name}_65_plus"]
        crossed = [f"{cut}_{route}" for cut in ages for route in ("hospital", "community")]
        numerators = [f"{name}_count{end}" for end in ("", "_18_64", "_65_plus", "_hospital", "_community")]
        assert {*ages, *crossed, *numerators} <= set(EVERY_OUTCOME)


def test_claims_have_outcomes() -> None:
    claims = {outcome.claim for outcome in EVERY_OUTCOME.values()}
    assert claims == {"", "C1", "C2", "C3", "C4"}
    assert {name for name, outcome in OUTCOMES.items() if outcome.claim == "C3"} == {
        "funded_narrow",
        "funded_mid",
        "funded_broad",
        "funded_author",
    }


def test_shares_say_what_2014_15_did_not_ask_for_and_only_where_it_matters() -> None:
    words = "in 2014-15 prison and NHS funded care were not asked for and count as nothing"
    for name in ("funded_narrow", "funded_author"):
        assert EVERY_OUTCOME[name].definition.endswith(f"with a known sequel; {words}")
        assert EVERY_OUTCOME[f"{name}_count"].definition.endswith(f"; {words}")
    assert EVERY_OUTCOME["signposted"].definition.endswith(
        "over all requests from new clients with a known sequel"
    )
