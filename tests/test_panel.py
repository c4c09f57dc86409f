from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import clsimpact as ci
from clsimpact._parts import part_figures
from clsimpact._provenance import denominators
from clsimpact.dictionary import ASCOF_OUTCOMES, column_facts
from clsimpact.errors import PanelError
from clsimpact.geography import Boundaries, constant_areas, council_codes
from clsimpact.outcomes import EVERY_OUTCOME, HAS_VALUE, OUTCOMES, STATUS_ORDER
from clsimpact.panel import _deflator, build_panel, drop_columns_not_held, load_panel
from clsimpact.store import processed_folder, read_parquet, write_parquet
from tests.panel_helpers import (
    BOUNDARIES,
    EXACT,
    GCE,
    GCE_TOLERANCE,
    ROWS,
    YEARS,
    built,
    figures,
    only,
    returns,
)

COLUMNS = [
    "ons_code",
    "cassr_code",
    "name",
    "region",
    "region_code",
    "year",
    "year_label",
    "population_18_64",
    "population_65_plus",
    "population_18_plus",
    "gce",
    "gce_real",
    "gce_per_adult",
    "requests_18_64",
    "requests_65_plus",
    "requests_per_100k",
    "long_term_18_64",
    "long_term_65_plus",
    "signposted",
    "no_service",
    "not_funded",
    "funded_narrow",
    "funded_mid",
    "funded_broad",
    "funded_author",
    "planned_share",
    "planned_unplanned_ratio",
    "imd_2019",
]
SECONDARY = [
    "sequel_to_short_term_support",
    "care_home_admissions_18_64",
    "care_home_admissions_65_plus",
    "reablement_still_home_91_days",
    "offered_reablement",
    "self_directed_support",
    "direct_payments",
    "carers_self_directed_support",
    "carers_direct_payments",
    "learning_disability_employment",
    "learning_disability_settled_home",
]
MERGED = ("E06000058+E06000059", "E10000021")


# --- shape --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("boundaries", BOUNDARIES)
def test_rows(boundaries: Boundaries) -> None:
    panel = built(boundaries)
    assert len(panel) == ROWS[boundaries]
    assert not panel.duplicated(["ons_code", "year"]).any()
    assert sorted(panel["year"].unique()) == list(YEARS)
    assert panel[["ons_code", "year"]].equals(panel.sort_values(["ons_code", "year"])[["ons_code", "year"]])
    assert panel.index.tolist() == list(range(len(panel)))
    if boundaries == "as_reported":
        for year in YEARS:
            assert set(panel.loc[panel["year"] == year, "ons_code"]) == set(council_codes(year))
    else:
        assert panel.groupby("ons_code").size().eq(9).all()


def test_areas_of_each_kind() -> None:
    areas = {area.code for area in constant_areas(2014, 2022).values()}
    assert set(built("constant")["ons_code"]) == areas
    assert areas - set(built("drop")["ons_code"]) == set(MERGED)


@pytest.mark.parametrize("boundaries", BOUNDARIES)
def test_columns(boundaries: Boundaries) -> None:
    panel = built(boundaries)
    assert set(COLUMNS) | set(SECONDARY) <= set(panel.columns)
    assert set(panel.columns) == set(column_facts())
    assert set(ASCOF_OUTCOMES) == set(SECONDARY)
    for outcome in (*EVERY_OUTCOME, *SECONDARY):
        assert panel[outcome].dtype == "float64"
        assert pd.api.types.is_string_dtype(panel[f"{outcome}_status"])
    assert panel["year"].dtype == "int64"
    assert (
        panel[["ons_code", "cassr_code", "name", "region", "region_code", "year_label"]].notna().all().all()
    )


@pytest.mark.parametrize("boundaries", BOUNDARIES)
def test_a_value_is_there_exactly_if_the_status_says_so(boundaries: Boundaries) -> None:
    panel = built(boundaries)
    for outcome in (*EVERY_OUTCOME, *SECONDARY):
        status = panel[f"{outcome}_status"]
        assert set(status) <= set(STATUS_ORDER), outcome
        assert panel[outcome].notna().tolist() == status.isin(HAS_VALUE).tolist(), outcome


@pytest.mark.parametrize("boundaries", BOUNDARIES)
def test_values_are_possible(boundaries: Boundaries) -> None:
    panel = built(boundaries)
    shares = panel[[name for name, outcome in EVERY_OUTCOME.items() if "proportion" in outcome.unit]]
    assert len(shares.columns) == 7 * 9 + 3
    assert shares.min().min() >= 0
    assert shares.max().max() <= 1
    for column in ("gce", "population_18_64", "requests_65_plus", "long_term_65_plus", "imd_2019"):
        assert panel[column].dropna().gt(0).all(), column


# --- numbers ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("year", "total"), GCE.items())
def test_gce_adds_up_to_what_is_printed(year: int, total: int) -> None:
    panel = built("as_reported")
    assert abs(panel.loc[panel["year"] == year, "gce"].sum() - total) <= GCE_TOLERANCE


def test_leeds_2016_by_hand() -> None:
    gce = figures(
        "asc_fr_totals_2016_17", "gross_current_expenditure", data_type="Mandatory", ons_code="E08000035"
    )
    people = figures("population_mid_2016", "population", ons_code="E08000035", age_band="18 to 64")
    older = figures("population_mid_2016", "population", ons_code="E08000035", age_band="65 and over")
    deflator = returns().query("measure == 'gdp_deflator'").set_index("year")["value"]
    numbers = (gce.item(), people.item(), older.item(), deflator[2016], deflator[2021])
    assert numbers == (245_947.0, 496_410.0, 120_527.0, 84.335, 93.629)
    row = only(built(), "Leeds", 2016)
    assert row["gce"] == 245_947.0
    # £245.947m at the prices of 2021-22 is £273.051m, or £442.59 for each of 616,937 adults.
    assert row["gce_real"] == pytest.approx(245_947.0 * 93.629 / 84.335, rel=EXACT)
    assert row["gce_per_adult"] == pytest.approx(442.5917, abs=5e-5)
    assert row["population_18_plus"] == 616_937.0


@pytest.mark.parametrize(
    ("name", "year", "column", "status"),
    [
        ("Hackney", 2020, "gce", "not_submitted"),
        ("Hackney", 2021, "gce", "not_submitted"),
        ("Hackney", 2020, "requests_18_64", "not_submitted"),
        ("Hackney", 2021, "long_term_65_plus", "not_submitted"),
        ("Hackney", 2021, "signposted", "not_submitted"),
        ("Hackney", 2021, "planned_share", "not_submitted"),
        ("Hackney", 2020, "direct_payments", "not_listed"),
        ("Hackney", 2017, "gce", "published"),
        ("Rochdale", 2020, "gce", "not_submitted"),
        ("Rochdale", 2020, "requests_18_64", "published"),
        ("Rochdale", 2021, "gce", "published"),
        ("Swindon", 2021, "gce", "not_submitted"),
        ("Swindon", 2021, "gce_per_adult", "not_submitted"),
        ("Swindon", 2020, "gce", "published"),
        ("Isles of Scilly", 2016, "gce", "not_listed"),
        ("Isles of Scilly", 2016, "gce_per_adult", "not_listed"),
        ("Isles of Scilly", 2019, "requests_18_64", "suppressed"),
        ("Isles of Scilly", 2021, "planned_share", "suppressed"),
        ("Leeds", 2014, "gce_per_adult", "estimated"),
        ("Leeds", 2015, "gce", "not_held"),
        ("Leeds", 2018, "gce", "not_held"),
        ("Leeds", 2020, "signposted", "not_held"),
    ],
)
@pytest.mark.parametrize("boundaries", BOUNDARIES)
def test_status(boundaries: Boundaries, name: str, year: int, column: str, status: str) -> None:
    row = only(built(boundaries), name, year)
    assert row[f"{column}_status"] == status
    assert np.isnan(row[column]) == (status not in HAS_VALUE)


def test_status_of_merged_areas() -> None:
    panel = built().set_index(["ons_code", "year"])
    bcp = panel.loc["E06000058+E06000059"]
    assert bcp["name"].unique().tolist() == ["Bournemouth, Christchurch and Poole + Dorset"]
    assert (bcp.loc[2017:2022, "direct_payments_status"] == "not_comparable").all()
    assert (bcp.loc[[2014, 2016, 2017, 2020, 2021], "gce_status"].isin(HAS_VALUE)).all()
    northamptonshire = panel.loc["E10000021"]
    assert northamptonshire.loc[2020, "direct_payments_status"] == "published"
    assert northamptonshire.loc[2021, "direct_payments_status"] == "not_comparable"
    assert northamptonshire["cassr_code"].unique().tolist() == ["Z9D4Z+U6Q5Z"]
    buckinghamshire = panel.loc["E06000060"]
    assert buckinghamshire["cassr_code"].unique().tolist() == ["916"]
    assert buckinghamshire["direct_payments_status"].eq("published").sum() == 6


# --- by age and route, numerators and denominators --------------------------------------------------


def test_what_is_published_by_age_and_route_is_the_printed_one() -> None:
    panel = built("as_reported").query("year == 2021").set_index("ons_code")
    care = {"table": "T17", "year": 2021, "age_band": "65 and over"}
    long, short = (
        figures("asc_fr_salt_2021_22", "gross_current_expenditure", **care, care_type=kind).reindex(
            panel.index
        )
        for kind in ("Long term", "Short term")
    )
    np.testing.assert_allclose(panel["gce_65_plus"], long + short, rtol=EXACT)
    per_adult = panel["gce_65_plus"] / panel["population_65_plus"] * 1000  # 2021-22 is the price year
    np.testing.assert_allclose(panel["gce_per_adult_65_plus"], per_adult, rtol=EXACT)
    by_route = {"table": "T8", "year": 2021, "age_band": "18 to 64"}
    routes = [
        figures("asc_fr_salt_2021_22", "requests", **by_route, route_of_access=route).reindex(panel.index)
        for route in ("Discharge from hospital", "Diversion from hospital services")
    ]
    published = panel["requests_18_64_hospital_status"].eq("published")
    assert published.sum() > 80
    expected = (routes[0] + routes[1])[published]
    np.testing.assert_array_equal(panel.loc[published, "requests_18_64_hospital"], expected)


def test_shares_of_the_age_bands_add_up() -> None:
    panel = built().query("signposted_status == 'published' and year == 2021")
    parts = sum(panel[f"signposted_{age}"] * panel[f"requests_{age}"] for age in ("18_64", "65_plus"))
    np.testing.assert_allclose(parts / panel["requests"], panel["signposted"], rtol=EXACT)
    np.testing.assert_allclose(panel["signposted_count"] / panel["requests"], panel["signposted"], rtol=EXACT)
    assert len(panel) > 140


def test_england_by_age_as_printed() -> None:
    """Printed totals of England hold an imputed Hackney, which no council row has."""
    panel = built("as_reported").query("year == 2021")
    assert panel["requests_18_64"].sum() == 611_505 - 3_880
    assert panel["planned_clients"].sum() == pytest.approx(203_490, rel=0.01)


@pytest.mark.parametrize("outcome", ["signposted_hospital", "planned_share_18_64", "planned_clients_65_plus"])
def test_what_only_the_csv_publishes_is_not_held(outcome: str) -> None:
    assert built()[f"{outcome}_status"].eq("not_held").all()


# --- boundaries ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "column", ["gce", "requests_18_64", "requests_65_plus", "long_term_18_64", "long_term_65_plus"]
)
def test_sums_do_not_depend_on_boundaries(column: str) -> None:
    constant, reported = (built(kind).groupby("year")[column].sum() for kind in ("constant", "as_reported"))
    pd.testing.assert_series_equal(constant, reported, rtol=EXACT)
    changed = built().loc[lambda frame: frame["ons_code"].isin(MERGED)].groupby("year")[column].sum()
    dropped = built("drop").groupby("year")[column].sum()
    pd.testing.assert_series_equal(constant - changed, dropped, rtol=EXACT)


def test_unchanged_councils_are_the_same_in_all() -> None:
    kept = built("drop")
    kept = kept[~kept["ons_code"].eq("E06000060")]
    for kind in ("constant", "as_reported"):
        other = built(kind)
        other = other[other["ons_code"].isin(kept["ons_code"].unique())]
        pd.testing.assert_frame_equal(
            other.reset_index(drop=True), kept.reset_index(drop=True), check_exact=True
        )


def test_a_merged_area_is_missing_if_a_member_is() -> None:
    changed = returns()
    chosen = (
        changed["source_id"].eq("asc_fr_salt_2021_22")
        & changed["ons_code"].eq("E06000059")
        & changed["year"].eq(2021)
        & changed["measure"].eq("requests")
        & changed["age_band"].eq("18 to 64")
        & changed["route_of_access"].fillna("Total").eq("Total")
        & changed["sequel"].fillna("Total").eq("Total")
    )
    assert sorted(changed.loc[chosen, "table"]) == ["T1", "T10", "T12", "T13", "T2", "T8"]
    changed = changed.assign(
        value=changed["value"].where(~chosen), status=changed["status"].where(~chosen, "suppressed")
    )
    row = build_panel(changed).query("ons_code == 'E06000058+E06000059' and year == 2021").iloc[0]
    assert row["requests_18_64_status"] == "suppressed"
    assert np.isnan(row["requests_18_64"])
    assert row["requests_65_plus_status"] == "published"


def test_populations_on_another_geography_are_not_split() -> None:
    panel = built("as_reported")
    # The estimates for mid-2018 are on the councils of 2019-20.
    missing = panel[panel["population_status"] == "not_listed"]
    assert set(zip(missing["name"], missing["year"], strict=True)) == {
        ("Bournemouth", 2018),
        ("Poole", 2018),
        ("Dorset", 2018),
    }


@pytest.mark.parametrize("boundaries", ["constant", "as_reported"])
def test_a_council_without_a_row_of_population_has_none(boundaries: Boundaries) -> None:
    """Leeds is an area; Dorset is a part of one, and has a row only where councils are as reported."""
    table = returns()
    people = table["source_id"].str.startswith("population") & table["year"].eq(2017)
    panel = build_panel(
        table[~(people & table["ons_code"].isin(["E08000035", "E10000009"]))], boundaries=boundaries
    )
    missing = panel[panel["year"].eq(2017) & panel["population_status"].ne("published")]
    assert missing["population_18_plus"].isna().all()
    assert set(missing["population_status"]) == {"not_listed"}
    alone = ["Leeds"] if boundaries == "constant" else ["Dorset", "Leeds"]
    assert sorted(missing["name"]) == alone


def test_made_up_returns_take_the_real_populations_and_say_that_they_are_made_up() -> None:
    table = returns()
    care = table[table["return_"].isin(["SALT", "ASC-FR"])]
    panel = build_panel(care.assign(source_id="simulated_" + care["source_id"].astype(str)))
    assert panel["simulated"].dtype == bool
    assert panel["simulated"].all()
    real = built().set_index(["ons_code", "year"])["population_18_plus"]
    pd.testing.assert_series_equal(panel.set_index(["ons_code", "year"])["population_18_plus"], real)


# --- other years --------------------------------------------------------------------------------------


def test_boundaries_follow_the_years() -> None:
    panel = build_panel(returns(), years=(2019, 2021))
    assert sorted(panel["year"].unique()) == [2019, 2020, 2021]
    assert set(panel["ons_code"]) == {area.code for area in constant_areas(2019, 2021).values()}
    assert "E06000058" in set(
        panel["ons_code"]
    )  # Bournemouth, Christchurch and Poole did not change any more
    assert panel.attrs["title"].endswith("2019-20 to 2021-22")
    whole = built().query("ons_code == 'E08000035' and year in [2019, 2020, 2021]").reset_index(drop=True)
    leeds = panel.query("ons_code == 'E08000035'").reset_index(drop=True)
    pd.testing.assert_frame_equal(leeds, whole, check_exact=True)


def test_2023_24_has_estimated_denominators_and_prices() -> None:
    panel = build_panel(returns(), years=(2022, 2023))
    assert set(panel.query("year == 2023")["population_status"]) == {"estimated"}
    before, after = (
        panel.loc[panel["year"].eq(year), "population_18_plus"].tolist() for year in (2022, 2023)
    )
    assert before == after
    held = panel.query("year == 2023")["direct_payments_status"].eq("published")
    assert held.sum() > 140
    assert panel.query("year == 2022")["population_status"].eq("published").all()


def test_prices_are_carried_on_by_the_forecast() -> None:
    """The index ends in 2022-23: 100, against 93.629 in 2021-22. Then prices rise by 6.1% and by 1.68%."""
    prices = _deflator(denominators(returns(), simulated=False))
    assert prices[2022] == (pytest.approx(100 / 93.629, abs=EXACT), "published")
    assert prices[2023] == (pytest.approx(100 / 93.629 * 1.061, abs=EXACT), "estimated")
    assert prices[2024] == (pytest.approx(100 / 93.629 * 1.061 * 1.0168, abs=EXACT), "estimated")
    assert max(prices) == 2028


def test_prices_end_with_the_index_where_no_forecast_is_held() -> None:
    rows = denominators(returns(), simulated=False)
    prices = _deflator(rows[rows["measure"] != "gdp_deflator_change"])
    assert max(prices) == 2022
    assert prices[2022] == (pytest.approx(100 / 93.629, abs=EXACT), "published")


@pytest.mark.parametrize("years", [(2013, 2022), (2020, 2019), (2014, 2024)])
def test_windows_that_are_none(years: tuple[int, int]) -> None:
    with pytest.raises(PanelError, match="is no window of years from 2014 to 2023"):
        build_panel(returns(), years=years)


# --- loading ------------------------------------------------------------------------------------------


def test_the_committed_panel_is_the_built_one(tmp_path: Path) -> None:
    committed = load_panel()
    assert list(committed.columns) == list(built().columns)
    pd.testing.assert_frame_equal(committed, built(), check_exact=True)
    assert committed.attrs == built().attrs
    write_parquet(drop_columns_not_held(built()), tmp_path / "panel.parquet")
    pd.testing.assert_frame_equal(
        pd.read_parquet(tmp_path / "panel.parquet"),
        pd.read_parquet(processed_folder() / "panel.parquet"),
        check_exact=True,
    )


def test_every_column_that_was_ever_committed_keeps_its_values() -> None:
    """The columns of the first release; the panel may gain columns, but these never change."""
    committed = read_parquet("panel")
    first = [*COLUMNS, *SECONDARY]
    first += [f"{name}_status" for name in (*OUTCOMES, *SECONDARY)]
    for name in first:
        same = committed[name].eq(built()[name]) | (committed[name].isna() & built()[name].isna())
        assert same.fillna(False).all(), name


@pytest.mark.parametrize("boundaries", ["as_reported", "drop"])
def test_other_boundaries_are_built_from_the_committed_returns(boundaries: Boundaries) -> None:
    pd.testing.assert_frame_equal(load_panel(boundaries=boundaries), built(boundaries), check_exact=True)


def test_every_load_is_a_fresh_copy() -> None:
    first = load_panel()
    first["gce"] = 0.0
    first.loc[0, "name"] = "changed"
    first.attrs["licence"] = "changed"
    with pytest.raises(TypeError, match=r"Give it others, as table.attrs"):
        first.attrs["sources"][0]["id"] = "changed"
    second = load_panel()
    pd.testing.assert_frame_equal(second, built(), check_exact=True)
    assert second.attrs == built().attrs


def test_provenance() -> None:
    attrs = load_panel().attrs
    assert attrs["boundaries"] == "constant"
    assert built("drop").attrs["boundaries"] == "drop"
    assert attrs["prices"] == "2021-22"
    assert attrs["simulated"] is False
    assert attrs["title"] == "Adult social care in English councils, 2014-15 to 2022-23"
    assert attrs["licence"].startswith("Open Government Licence v3.0")
    assert any("NHS England" in line for line in attrs["attribution"])
    assert attrs["made_by"] == f"clsimpact {ci.__version__}"
    used = set(part_figures(returns())["source_id"]) | {"deprivation_2019"}
    assert used <= {source["id"] for source in attrs["sources"]}
    assert all(len(source["sha256"]) == 64 for source in attrs["sources"])
    assert set(attrs["columns"]) == set(column_facts())
    assert attrs["columns"]["gce_per_adult"]["unit"] == "£ per adult, 2021-22 prices"


@pytest.mark.parametrize("wrong", ["constat", "asreported", "", None, 3])
def test_unknown_boundaries(wrong: object) -> None:
    with pytest.raises(PanelError, match=r"boundaries=.* is unknown"):
        load_panel(boundaries=wrong)  # type: ignore[arg-type]
    with pytest.raises(PanelError, match=r"'constant', 'as_reported' or 'drop'"):
        build_panel(returns(), boundaries=wrong)  # type: ignore[arg-type]


def test_unknown_name() -> None:
    with pytest.raises(PanelError, match=r"no panel named 'oficial' \(did you mean 'official'\?\)"):
        load_panel("oficial")
    with pytest.raises(PanelError, match=r"did you mean 'simulated'"):
        load_panel("simulate")


def test_committed_tables_are_read_with_text_as_strings() -> None:
    panel = read_parquet("panel")
    assert panel["name"].dtype == "string"
