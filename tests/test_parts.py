"""The panel's columns recomputed straight from the returns, and returns that are incomplete or wrong.

Which of several publications supplies a part is in test_part_sources.py.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clsimpact._parts import part_figures
from clsimpact.dictionary import column_facts
from clsimpact.errors import PanelError
from clsimpact.panel import build_panel
from tests.panel_helpers import EXACT, GCE, GCE_TOLERANCE, ROWS, built, figures, only, returns

# --- the same columns straight from the returns ------------------------------------------------------


@pytest.mark.parametrize("age", [("18_64", "18 to 64"), ("65_plus", "65 and over")])
@pytest.mark.parametrize("measure", [("requests", "requests"), ("long_term", "long_term_clients")])
@pytest.mark.parametrize("year", [2019, 2020, 2021])
def test_counts_are_the_printed_ones(age: tuple[str, str], measure: tuple[str, str], year: int) -> None:
    printed = figures("asc_fr_salt_2021_22", measure[1], table="T2", age_band=age[1], year=year)
    panel = built("as_reported").query(f"year == {year}").set_index("ons_code")[f"{measure[0]}_{age[0]}"]
    expected = printed.reindex(panel.index)
    np.testing.assert_array_equal(panel.to_numpy(), expected.to_numpy("float64"))
    assert panel.notna().sum() >= 149


def test_every_share_is_the_printed_one_where_nothing_is_suppressed() -> None:
    groups = {
        "signposted": ["Universal services or signposted"],
        "no_service": ["No services: deceased", "No services: other reason"],
        "funded_narrow": [
            "Long term: nursing",
            "Long term: residential",
            "Long term: community",
            "Long term: prison",
        ],
    }
    rows = returns().query("source_id == 'asc_fr_salt_2021_22' and level == 'council' and year == 2021")
    rows = rows[rows["table"].isin(["T10", "T11"])]
    total = rows[rows["sequel"] == "Total"].groupby("ons_code")["value"].sum(min_count=2)
    panel = built("as_reported").query("year == 2021").set_index("ons_code")
    for name, labels in groups.items():
        counts = rows[rows["sequel"].isin(labels)].groupby("ons_code")["value"].sum()
        exact = panel.index[panel[f"{name}_status"] == "published"]
        near = panel.index[panel[f"{name}_status"] == "estimated"]
        share = counts / total
        np.testing.assert_allclose(panel.loc[exact, name], share[exact], rtol=EXACT)
        assert ((panel.loc[near, name] - share[near]) > 0).all()
        assert ((panel.loc[near, name] - share[near]) <= 0.005).all()
    assert len(panel.index[panel["signposted_status"] == "published"]) > 140


def test_reviews_are_the_printed_ones() -> None:
    found = {
        measure: figures("asc_fr_salt_2021_22", measure, table="T50", year=2021)
        for measure in ("clients_planned_reviews", "clients_unplanned_reviews", "clients_reviewed")
    }
    panel = built("as_reported").query("year == 2021").set_index("ons_code")
    planned = found["clients_planned_reviews"].reindex(panel.index).astype("float64")
    for column, bottom in (
        ("planned_share", "clients_reviewed"),
        ("planned_unplanned_ratio", "clients_unplanned_reviews"),
    ):
        below = found[bottom].reindex(panel.index).astype("float64")
        np.testing.assert_allclose(panel[column], (planned / below).where(below > 0), rtol=EXACT)
        assert panel[column].notna().sum() >= 140


@pytest.mark.parametrize("name", ["direct_payments", "care_home_admissions_65_plus"])
@pytest.mark.parametrize("year", [2017, 2020, 2022])
def test_secondary_outcomes_are_the_printed_ones(name: str, year: int) -> None:
    printed = figures("ascof_joined_2017_24", name, statistic="Outcome", gender="Total", year=year)
    panel = built("as_reported").query(f"year == {year}").set_index("ons_code")[name]
    np.testing.assert_array_equal(panel.to_numpy(), printed.reindex(panel.index).to_numpy("float64"))
    assert panel.notna().sum() > 145


@pytest.mark.parametrize(
    ("year", "mid_year"), [(2014, 2015), (2016, 2016), (2019, 2019), (2021, 2020), (2022, 2022)]
)
def test_everyone_lives_in_an_area(year: int, mid_year: int) -> None:
    everyone = figures(f"population_mid_{mid_year}", "population", age_band="65 and over").sum()
    panel = built().query(f"year == {year}")
    assert panel["population_65_plus"].sum() == everyone
    assert panel["population_status"].eq("estimated" if year == 2014 else "published").all()


def test_deprivation_of_merged_areas_is_weighted() -> None:
    scores = returns().query("source_id == 'deprivation_2019' and measure == 'imd_average_score'")
    score = scores.set_index("ons_code")["value"]
    young = figures("population_mid_2019", "population", age_band="18 to 64")
    people = young + figures("population_mid_2019", "population", age_band="65 and over")
    codes = ["E06000058", "E06000059"]
    by_hand = (score[codes] * people[codes]).sum() / people[codes].sum()
    merged = built().query("ons_code == 'E06000058+E06000059'")["imd_2019"]
    np.testing.assert_allclose(merged, by_hand, rtol=EXACT)
    as_reported = built("as_reported")
    assert as_reported.query("name == 'Bournemouth'")["imd_2019"].isna().all()
    assert built().query("ons_code == 'E06000060'")["imd_2019"].eq(score["E10000002"]).all()
    leeds = as_reported.query("name == 'Leeds'")["imd_2019"]
    assert leeds.eq(score["E08000035"]).all()


# --- bad and partial returns --------------------------------------------------------------------------


def some(sources: list[str]) -> pd.DataFrame:
    return returns().loc[lambda rows: rows["source_id"].isin(sources)]


def test_what_has_no_source_is_not_held() -> None:
    panel = build_panel(some(["asc_fr_gce_2017_18", "population_mid_2017", "gdp_deflator_2023_12"]))
    assert len(panel) == ROWS["constant"]
    assert set(panel.columns) == set(column_facts())
    assert panel.query("year == 2017")["gce"].sum() == pytest.approx(GCE[2017], abs=GCE_TOLERANCE)
    assert panel["signposted_status"].eq("not_held").all()
    assert panel.query("year != 2017")["gce_status"].eq("not_held").all()


def test_without_a_deflator_there_are_no_constant_prices() -> None:
    panel = build_panel(some(["asc_fr_gce_2017_18", "population_mid_2017"]), years=(2017, 2018))
    assert panel["gce_real_status"].eq("not_held").all()
    assert panel["imd_2019"].isna().all()


def test_returns_without_figures_of_the_panel() -> None:
    with pytest.raises(PanelError, match="hold no council figures that the panel is made of"):
        build_panel(some(["deferred_payments_2015_16"]))
    with pytest.raises(PanelError, match="hold no council figures"):
        build_panel(returns().iloc[:0])


def test_a_table_of_another_kind() -> None:
    with pytest.raises(PanelError, match="no returns table") as error:
        build_panel(pd.DataFrame({"ons_code": ["E08000035"], "year": [2016]}))
    assert "no column 'measure'" in str(error.value)
    assert "no column 'value'" in str(error.value)


def test_a_figure_read_twice_is_named() -> None:
    table = some(["asc_fr_salt_2021_22", "population_mid_2020"])
    twice = table[table["ons_code"].eq("E08000035") & table["table"].eq("T2") & table["year"].eq(2020)]
    with pytest.raises(PanelError, match=r"several figures per council for .*in 2020-21") as error:
        part_figures(pd.concat([table, twice]))
    assert "E08000035: table T2, G65 says 8,980; table T2, G65 says 8,980" in error.value.problems


def test_an_incomplete_sum_is_missing() -> None:
    table = some(["asc_fr_gce_2017_18", "population_mid_2017"])
    row = table.index[table["ons_code"].eq("E08000035") & table["measure"].eq("gross_current_expenditure")][0]
    table = table.assign(
        value=table["value"].where(table.index != row),
        status=table["status"].where(table.index != row, "not_submitted"),
    )
    panel = build_panel(table, years=(2017, 2017))
    leeds = only(panel, "Leeds", 2017)
    assert leeds["gce_status"] == "not_submitted"
    assert np.isnan(leeds["gce"])
    assert only(panel, "York", 2017)["gce_status"] == "published"


def test_nothing_depends_on_the_order_of_rows_or_on_text_types() -> None:
    table = some(["asc_fr_salt_2021_22", "population_mid_2020", "deprivation_2019", "gdp_deflator_2023_12"])
    expected = build_panel(table, years=(2020, 2021))
    text = [name for name in table.columns if name not in ("year", "value")]
    plain = table.sample(frac=1, random_state=1).astype(dict.fromkeys(text, "object"))
    again = build_panel(plain, years=(2020, 2021))
    pd.testing.assert_frame_equal(again, expected, check_exact=True)


def test_the_returns_stay_as_they_are() -> None:
    table = some(["asc_fr_salt_2021_22", "population_mid_2020"])
    before = table.copy()
    build_panel(table, years=(2020, 2020))
    pd.testing.assert_frame_equal(table, before, check_exact=True)


def test_parts_are_of_their_age_band() -> None:
    parts = (
        part_figures(returns())
        .query("status == 'published'")
        .set_index(["part", "year", "ons_code"])["value"]
    )
    for age, table in (("18_64", "T10"), ("65_plus", "T11")):
        printed = figures(
            "asc_fr_salt_2021_22",
            "requests",
            table=table,
            sequel="Universal services or signposted",
            year=2021,
        ).dropna()
        assert parts[f"sequel_signposted_{age}"][2021].to_dict() == printed.to_dict()
        assert len(printed) > 145
    assert parts["population_65_plus"][2016]["E08000035"] == 120_527.0
