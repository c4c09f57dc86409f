"""The book of a made-up year: every figure of the workbook, rounded and withheld as the publisher does."""

from __future__ import annotations

import functools
from collections.abc import Mapping

import numpy as np
import pandas as pd
import pytest

import clsimpact as ci
from clsimpact._status import Known
from clsimpact.errors import ClsimpactError
from clsimpact.geography import councils
from clsimpact.loaders.returns import DIMENSIONS, as_text
from clsimpact.simulate.book import WorldBook
from clsimpact.simulate.publication import Book
from clsimpact.simulate.world import World, simulate_world

EXACT = 1e-6
"""£000: sums of money kept to 0.00001, as doubles."""
PRINTED = 2e-5
"""£000: two figures of five decimals."""


@functools.cache
def world() -> World:
    return simulate_world(7)


def book(year: int = 2021) -> WorldBook:
    return world().book(year)


def ask(measure: str, year: int = 2021, *, level: str | None = None, **says: str) -> Known:
    of_year = book(year)
    areas = of_year.areas(council_types=True)
    if level is not None:
        areas = areas[areas["level"] == level]
    return of_year.figures(measure, says, areas)


def england(measure: str, year: int = 2021, **says: str) -> float:
    return float(ask(measure, year, level="england", **says).value[0])


def test_it_is_a_book() -> None:
    found: Book = book()
    assert found.year == 2021


def test_every_figure_of_the_official_workbook_is_answered() -> None:
    returns = ci.load_returns()
    official = as_text(returns[returns["source_id"] == "asc_fr_salt_2021_22"])
    keys = ["measure", *DIMENSIONS, "unit"]
    asked = official[keys].drop_duplicates().astype("object")
    assert len(asked) > 1500
    areas = book().areas(council_types=True)
    for row in asked.where(asked.notna(), None).to_dict("records"):
        says = {name: word for name, word in row.items() if word is not None and name != "measure"}
        known = book().figures(row["measure"], says, areas)
        assert len(known.value) == len(known.status) == len(areas)
        has_value = np.isin(known.status, ["published", "estimated"])
        assert np.array_equal(has_value, np.isfinite(known.value)), row
        assert has_value[0] or known.status[0] == "suppressed", row


@pytest.mark.parametrize(
    ("measure", "says"),
    [
        ("nothing", {}),
        ("requests", {"age_band": "75 to 84"}),
        ("requests", {"sequel": "Signposted"}),
        ("requests", {"provision": "In house"}),
        ("requests", {"statistic": "Median"}),
        ("st_max_clients", {"statistic": "Share of row total"}),
        ("long_term_clients_year_end", {"ethnicity": "White", "primary_support_reason": "Mental health"}),
        ("gross_current_expenditure", {"care_type": "Long term", "purpose": "To maximise independence"}),
        ("gross_current_expenditure", {"detail": "something"}),
        ("gross_current_expenditure", {"data_type": "Compulsory"}),
        ("total_income", {"finance_description": "Own provision"}),
        ("population", {"age_band": "Under 18"}),
        ("home_care_hourly_rate", {"provision": "Elsewhere"}),
        ("home_care_hourly_rate", {"provision": "External", "age_band": "18 to 64"}),
        ("deferred_payments", {}),
    ],
)
def test_what_is_not_known_is_never_a_silent_nothing(measure: str, says: Mapping[str, str]) -> None:
    with pytest.raises(KeyError):
        book().figures(measure, says, book().areas())


def test_a_year_that_is_not_made_up_is_refused() -> None:
    with pytest.raises(ClsimpactError, match="no year 2030"):
        world().book(2030)


def test_areas_are_those_of_the_year() -> None:
    for year in (2014, 2019, 2020, 2021, 2023):
        areas = book(year).areas()
        found = areas[areas["level"] == "council"]
        assert sorted(found["ons_code"]) == sorted(councils(year)["ons_code"])
    both = book(2020).areas(first_year=2019)
    assert {"E10000002", "E06000060"} <= set(both["ons_code"])
    assert book(2020).areas(council_types=True)["level"].tolist()[:8] == [
        "england",
        *["council_type"] * 6,
        "region",
    ]


def test_areas_may_be_any_rows_in_any_order() -> None:
    areas = book().areas()
    whole = book().figures("requests", {"age_band": "18 to 64"}, areas)
    order = np.random.default_rng(1).permutation(len(areas))[:40]
    some = book().figures("requests", {"age_band": "18 to 64"}, areas.iloc[order])
    np.testing.assert_array_equal(some.value, whole.value[order])
    assert some.status.tolist() == whole.status[order].tolist()


def test_successors_take_over_their_area() -> None:
    """Residents of 2018-19 and 2019-20 are of one area, which three councils and then two divide."""
    before, after = (book(year).areas() for year in (2018, 2019))
    old = before[before["ons_code"].isin(["E06000028", "E06000029", "E10000009"])]
    new = after[after["ons_code"].isin(["E06000058", "E06000059"])]
    sums = [
        book(year).figures("population", {}, areas).value.sum() for year, areas in ((2018, old), (2019, new))
    ]
    assert len(old) == 3
    assert len(new) == 2
    assert sums[1] == pytest.approx(sums[0], rel=0.01)
    gone = book(2019).figures("requests", {}, old)
    assert gone.status.tolist() == ["not_submitted"] * 3
    assert np.isnan(gone.value).all()


def test_counts_are_rounded_to_5_and_small_ones_withheld() -> None:
    known = ask("requests", age_band="18 to 64", sequel="Long term: prison")
    held = known.status == "published"
    assert (known.value[held] % 5 == 0).all()
    assert (known.value[held] >= 5).all()
    assert (known.status == "suppressed").any()
    scilly = ask("long_term_clients", age_band="18 to 64", support_setting="Nursing", level="council")
    place = book().areas().query("level == 'council'")["ons_code"].tolist().index("E06000053")
    assert scilly.status[place] == "suppressed"


def test_totals_of_areas_add_up_but_for_rounding() -> None:
    areas = book().areas(council_types=True)
    for says in ({"age_band": "18 to 64"}, {"route_of_access": "Prison"}, {}):
        found = pd.Series(book().figures("requests", says, areas).value).groupby(areas["level"]).sum()
        assert found["region"] == pytest.approx(found["england"], abs=5 * 9 / 2)
        assert found["council_type"] == pytest.approx(found["england"], abs=5 * 6 / 2)


def test_parts_add_up_to_totals_but_for_rounding() -> None:
    ages = [england("requests", age_band=age) for age in ("18 to 64", "65 and over")]
    assert sum(ages) == pytest.approx(england("requests"), abs=5)
    routes = (
        "Planned entry (transition)",
        "Discharge from hospital",
        "Diversion from hospital services",
        "Self-funder with depleted funds",
        "Community or other route",
        "Prison",
    )
    parts = [england("requests", route_of_access=route, age_band="18 to 64") for route in routes]
    assert sum(parts) == pytest.approx(ages[0], abs=5 * len(parts) / 2)
    whole, part = (
        england("requests", route_of_access=route)
        for route in (routes[3], "of which: self-funder with 12-week disregard or deferred payment")
    )
    assert 0 < part < whole


def test_support_to_the_cared_for_person_is_not_counted_again() -> None:
    kinds = (
        "Direct payment",
        "Part direct payment",
        "Managed personal budget",
        "Commissioned support only",
        "Information, advice and signposting",
        "No direct support",
    )
    parts = [england("carers_supported", carer_support_type=kind) for kind in kinds]
    assert sum(parts) == pytest.approx(england("carers_supported"), abs=5 * len(parts) / 2)
    assert england("carers_supported", carer_support_type="Support to the cared-for person") > 1000


def test_reason_groups_are_the_sums_of_their_reasons() -> None:
    group = england("long_term_clients", primary_support_reason="Physical support")
    parts = [
        england("long_term_clients", primary_support_reason=f"Physical support: {name}")
        for name in ("access and mobility only", "personal care")
    ]
    assert group == pytest.approx(sum(parts), abs=5)


def test_rates_are_of_unrounded_numbers_rounded_to_5() -> None:
    rate = ask("requests_per_100k", age_band="65 and over")
    count, people = ask("requests", age_band="65 and over"), ask("population", age_band="65 and over")
    held = rate.status == "published"
    assert (rate.value[held] % 5 == 0).all()
    np.testing.assert_allclose(
        rate.value[held], 1e5 * count.value[held] / people.value[held], rtol=0, atol=2.5 + 2.6e5 / 1e3
    )
    assert rate.value[0] == pytest.approx(1e5 * count.value[0] / people.value[0], abs=2.6)


def test_withheld_parts_withhold_what_is_derived() -> None:
    full = ask("full_cost_clients", age_band="18 to 64")
    share = ask("full_cost_share", age_band="18 to 64")
    assert (full.status == "suppressed").any()
    assert (share.status[full.status == "suppressed"] == "suppressed").all()
    assert 0 < share.value[0] < 0.1


def test_the_reviewed_share_has_two_decimals() -> None:
    assert england("reviewed_share") == 0.55
    assert england("reviewed_share", 2019) == 0.61
    assert england("reviewed_share", 2020) == 0.58


def test_population_is_rounded_by_age_band_and_whole_in_all() -> None:
    by_age = [ask("population", level="council", age_band=age).value for age in ("18 to 64", "65 and over")]
    assert (np.concatenate(by_age) % 5 == 0).all()
    whole = ask("population", level="council").value
    assert (whole % 5 != 0).any()
    np.testing.assert_allclose(by_age[0] + by_age[1], whole, rtol=0, atol=5)
    assert england("population") == 44456850  # mid-2020, as the publisher has it for 2021-22


@pytest.mark.parametrize("year", [2014, 2021])
@pytest.mark.parametrize(
    "cell",
    [
        {},
        {"care_type": "Long term", "age_band": "65 and over", "support_setting": "Residential"},
        {"care_type": "Short term", "age_band": "18 to 64", "primary_support_reason": "Mental health"},
        {"care_type": "Other"},
        {"care_type": "Long term", "age_band": "75 to 84", "data_type": "Voluntary"},
    ],
)
def test_the_accounts_balance(year: int, cell: Mapping[str, str]) -> None:
    def money(measure: str, **more: str) -> np.ndarray:
        return ask(measure, year, level="council", **cell, **more).value

    kinds = ("Client contributions", "Joint arrangements", "Income from NHS", "Other income")
    income = {kind: money("total_income", finance_description=kind) for kind in kinds}
    spent, capital = money("total_expenditure"), money("capital_charges")
    balance = {"rtol": 0, "atol": 8 * PRINTED, "equal_nan": True}
    np.testing.assert_allclose(money("total_income"), sum(income.values()), **balance)
    np.testing.assert_allclose(money("net_total_expenditure"), spent - sum(income.values()), **balance)
    gross = spent - sum(income[kind] for kind in kinds[1:])
    np.testing.assert_allclose(money("gross_total_expenditure"), gross, **balance)
    np.testing.assert_allclose(money("gross_current_expenditure"), gross - capital, **balance)
    np.testing.assert_allclose(
        money("net_current_expenditure"), money("net_total_expenditure") - capital, **balance
    )
    own, others = (
        money("total_expenditure", finance_description=kind)
        for kind in ("Own provision", "Provision by others")
    )
    grants = money("total_expenditure", finance_description="Grants to voluntary organisations")
    np.testing.assert_allclose(spent, own + others + grants, **balance)
    assert np.nanmin(own) >= 0
    assert np.nanmin(others) >= 0


def test_care_types_and_sub_bands_add_up() -> None:
    whole = england("gross_current_expenditure")
    parts = [england("gross_current_expenditure", care_type=c) for c in ("Long term", "Short term", "Other")]
    assert sum(parts) == pytest.approx(whole, abs=3 * PRINTED)
    assert england("gross_current_expenditure", detail="long and short term care") == pytest.approx(
        parts[0] + parts[1], abs=3 * PRINTED
    )
    older = england("gross_current_expenditure", age_band="65 and over")
    bands = [
        england("gross_current_expenditure", age_band=band, data_type="Voluntary")
        for band in ("65 to 74", "75 to 84", "85 and over")
    ]
    assert sum(bands) == pytest.approx(older, abs=3 * PRINTED)
    share = england("gross_current_expenditure", care_type="Long term", statistic="Share of row total")
    assert share == pytest.approx(parts[0] / whole, abs=EXACT)


def test_some_cells_of_spending_are_negative() -> None:
    cells = world().money.money[3][..., -1]
    assert 100 <= (cells < 0).sum() <= 400
    assert cells.sum(axis=1).min() > 0


def test_unit_costs_are_money_over_weeks() -> None:
    says = {"care_type": "Long term", "support_setting": "Residential", "age_band": "65 and over"}
    cost, weeks = england("unit_cost", **says), england("care_weeks", **says)
    assert cost == pytest.approx(1000 * england("unit_cost_numerator", **says) / weeks, rel=EXACT)
    assert 500 < cost < 1100
    inside, outside = (england("unit_cost", provision=side, **says) for side in ("In house", "External"))
    assert inside > cost > outside
    nursing = ask("care_weeks", care_type="Long term", support_setting="Nursing", provision="In house")
    assert set(nursing.value[np.isfinite(nursing.value)]) == {0.0}


def test_hourly_rates_lie_within_those_of_their_councils() -> None:
    for provision in ("In house", "External"):
        of_councils = ask("home_care_hourly_rate", level="council", provision=provision).value
        paid = of_councils[of_councils > 0]
        assert paid.min() < england("home_care_hourly_rate", provision=provision) < paid.max()


def test_changes_compare_two_years() -> None:
    change = ask("net_total_expenditure", statistic="Percentage change", unit="proportion")
    now, before = ask("net_total_expenditure"), ask("net_total_expenditure", 2020)
    areas = [book(year).areas(council_types=True)["ons_code"].tolist() for year in (2021, 2020)]
    place = [where.index("E06000015") for where in areas]
    assert change.value[0] == pytest.approx(now.value[0] / before.value[0] - 1, abs=EXACT)
    assert change.value[place[0]] == pytest.approx(
        now.value[place[0]] / before.value[place[1]] - 1, abs=EXACT
    )
    new = areas[0].index("E06000061")
    assert change.status[new] == "not_submitted"


def test_england_goes_back_to_2005_06_in_cash_and_real_terms() -> None:
    areas = book().areas().head(1)
    cash = book().figures("gross_current_expenditure", {}, areas, year=2005).value[0]
    real = book().figures("gross_current_expenditure_real", {}, areas, year=2005).value[0]
    assert cash == pytest.approx(14356579.13, abs=0.01)
    assert real == pytest.approx(cash * 93.629 / 68.071, abs=0.01)
    says = {"statistic": "Percentage change", "detail": "Percentage change from 2005-06 to 2021-22"}
    change = book().figures("gross_current_expenditure", says, areas).value[0]
    assert change == pytest.approx(england("gross_current_expenditure") / cash - 1, abs=EXACT)
    with pytest.raises(KeyError):
        book().figures("requests", {}, areas, year=2005)


def test_shares_of_a_row_are_whole_percentages() -> None:
    shares = [
        england(
            "requests", age_band="Total", route_of_access=r, statistic="Share of row total", unit="percent"
        )
        for r in ("Discharge from hospital", "Community or other route", "Total")
    ]
    assert shares[2] == 100
    exact = 100 * england("requests", route_of_access="Discharge from hospital") / england("requests")
    assert shares[0] == np.floor(exact + 0.5)


def test_earlier_years_are_those_of_their_own_book() -> None:
    areas = book().areas(first_year=2019)
    now = book().figures("long_term_clients", {"age_band": "18 to 64"}, areas, year=2019)
    then = book(2019).figures("long_term_clients", {"age_band": "18 to 64"}, areas)
    np.testing.assert_array_equal(now.value, then.value)
    assert now.status.tolist() == then.status.tolist()
