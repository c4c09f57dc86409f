"""Which publication supplies a part: found by content, the preferred one taken, contradictions named."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clsimpact._parts import PARTS, part_figures
from clsimpact.errors import PanelError
from clsimpact.geography import council_codes
from clsimpact.loaders.returns import COLUMNS
from tests.panel_helpers import returns

LEEDS, YORK = "E08000035", "E06000014"
REQUESTS = {"measure": "requests", "return_": "SALT", "age_band": "18 to 64"}
MONEY = {"measure": "gross_current_expenditure", "return_": "ASC-FR"}


def row(source: str, value: float | str, year: int, **says: Any) -> dict[str, Any]:
    """Return one figure of Leeds; a word in place of a number is its status."""
    known = not isinstance(value, str)
    plain = {"level": "council", "ons_code": LEEDS, "table": "T2", "cell": "G7"}
    figure = {"value": value if known else None, "status": "published" if known else value}
    return {**plain, **figure, "source_id": source, "year": year, **says}


def table(*rows: Mapping[str, Any]) -> pd.DataFrame:
    """Return a returns table, each row in a cell of its own."""
    numbered = [{**it, "cell": f"{it['cell']}{number}"} for number, it in enumerate(rows)]
    return pd.DataFrame(numbered).reindex(columns=list(COLUMNS))


def found(*rows: Mapping[str, Any], part: str = "requests_18_64", year: int | None = None) -> list[Any]:
    """Return value, status and source of Leeds."""
    parts = part_figures(table(*rows), years=(2014, 2023))
    chosen = parts[parts["part"].eq(part) & parts["ons_code"].eq(LEEDS)]
    chosen = chosen if year is None else chosen[chosen["year"].eq(year)]
    assert len(chosen) == 1
    return chosen[["value", "status", "source_id"]].iloc[0].tolist()


# --- the order of preference --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("better", "worse", "year"),
    [
        pytest.param("tables_2019_20", "asc_fr_salt_2021_22", 2019, id="own year before a reprint"),
        pytest.param("csv_pack_2019_20", "asc_fr_salt_2021_22", 2019, id="own year's CSV before a reprint"),
        pytest.param("tables_2020_21", "asc_fr_salt_2021_22", 2019, id="the nearer reprint"),
        pytest.param("tables_2018_19", "csv_pack_2018_19", 2018, id="reference tables before CSV"),
        pytest.param("asc_fr_salt_2021_22", "salt_2021_22", 2021, id="reference tables before SALT CSV"),
        pytest.param("tables_2020_21", "tables_2020_21_first", 2020, id="not the superseded issue"),
        pytest.param("csv_pack_2020_21", "tables_2020_21_first", 2020, id="not the superseded tables"),
        pytest.param("salt_2014_15", "my_own_file", 2014, id="a publication before a file of one's own"),
    ],
)
def test_of_two_sources_one_is_taken(better: str, worse: str, year: int) -> None:
    rows = row(worse, 200.0, year, **REQUESTS), row(better, 100.0, year, **REQUESTS)
    assert found(*rows) == [100.0, "published", better]
    assert found(*reversed(rows)) == [100.0, "published", better]
    assert found(rows[0]) == [200.0, "published", worse]
    made_up = [{**it, "source_id": f"simulated_{it['source_id']}"} for it in rows]
    assert found(*made_up) == [100.0, "published", f"simulated_{better}"]


def test_a_printed_total_of_the_publisher_is_taken_before_a_conversion() -> None:
    converted = row("asc_fr_gce_2017_18", 10.0, 2017, **MONEY, primary_support_reason="Mental health")
    printed = row("asc_fr_2017_18", 12.0, 2017, **MONEY, care_type="Total", primary_support_reason="Total")
    assert found(converted, part="gce") == [10.0, "published", "asc_fr_gce_2017_18"]
    assert found(converted, printed, part="gce") == [12.0, "published", "asc_fr_2017_18"]


def test_the_joined_ascof_file_is_taken_before_the_open_data() -> None:
    says = {"measure": "direct_payments", "return_": "ASCOF", "statistic": "Outcome", "age_band": "Total"}
    joined = row("ascof_joined_2017_24", 25.0, 2020, **says, detail="1C2A")
    opened = row("ascof_open_data_2020_21", 25.04, 2020, **says, detail="1C2A")
    by_age = row("ascof_open_data_2020_21", 31.0, 2020, **{**says, "age_band": "18 to 64"}, detail="1C2A1864")
    assert found(opened, by_age, part="direct_payments")[2] == "ascof_open_data_2020_21"
    assert found(opened, by_age, joined, part="direct_payments") == [
        25.0,
        "published",
        "ascof_joined_2017_24",
    ]


def test_client_level_data_and_overviews_are_never_taken() -> None:
    for source in ("cld_requests_2024_25", "asc_overview_2022", "ascof_tables_2024_25"):
        with pytest.raises(PanelError, match="no council figures"):
            part_figures(table(row(source, 100.0, 2020, **REQUESTS)))


def test_councils_that_the_chosen_source_does_not_list() -> None:
    """The other source is not asked, so that one part and year is never a mixture."""
    own = row("tables_2019_20", 100.0, 2019, **REQUESTS)
    other = row("asc_fr_salt_2021_22", 50.0, 2019, **REQUESTS) | {"ons_code": YORK}
    parts = part_figures(table(own, other)).query("part == 'requests_18_64'").set_index("ons_code")
    assert parts.loc[YORK, "status"] == "not_listed"
    assert set(parts.index) == set(council_codes(2019))
    assert set(parts["source_id"]) == {"tables_2019_20"}


# --- by content, not by place -------------------------------------------------------------------------


def test_the_official_parts_do_not_hang_on_one_table() -> None:
    rows = returns().query("source_id == 'asc_fr_salt_2021_22' and year == 2021")
    expected = part_figures(rows, years=(2021, 2021)).set_index(["part", "ons_code"])["value"]
    for gone in (
        ["T2", "T33", "T15"],
        ["T1", "T10", "T34", "T14", "T17"],
        ["T12", "T36", "T16", "T43", "T31"],
    ):
        left = part_figures(rows[~rows["table"].isin(gone)], years=(2021, 2021))
        again = left.set_index(["part", "ons_code"])["value"]
        # Sums of money of two tables may differ in the last bit.
        pd.testing.assert_series_equal(again, expected.reindex(again.index), rtol=1e-12)
        assert {"requests_18_64", "long_term_65_plus", "gce"} <= set(left["part"])


@pytest.mark.parametrize(
    "says",
    [
        {"route_of_access": "Discharge from hospital"},
        {"sequel": "Long term: nursing"},
        {"route_of_access": "of which: self-funder with 12-week disregard or deferred payment"},
        {"primary_support_reason": "Mental health"},
        {"gender": "Female"},
        {"detail": "TableType: 2a"},
        {"statistic": "Percentage change"},
        {"data_type": "Voluntary"},
        {"age_band": "65 and over"},
        {"level": "region"},
        {"measure": "requests_per_100k"},
    ],
)
def test_a_figure_broken_down_further_is_not_the_total(says: dict[str, str]) -> None:
    whole = row("salt_2018_19", 100.0, 2018, **REQUESTS, route_of_access="Total", sequel="Total")
    other = {**row("salt_2018_19", 40.0, 2018, **REQUESTS), **says}
    assert found(whole, other) == [100.0, "published", "salt_2018_19"]


def test_parts_by_route_and_sequel() -> None:
    says = {"route_of_access": "Diversion from hospital services", "sequel": "End of life"}
    rows = [row("salt_2018_19", 15.0, 2018, **REQUESTS, **says), row("salt_2018_19", 100.0, 2018, **REQUESTS)]
    assert found(*rows, part="sequel_end_of_life_18_64_diversion") == [15.0, "published", "salt_2018_19"]
    assert "requests_18_64_diversion" not in set(part_figures(table(*rows))["part"])


def test_names_and_words_of_parts_are_unique() -> None:
    assert len({part.name for part in PARTS}) == len(PARTS)
    assert len({(part.measure, *sorted(part.words.items())) for part in PARTS}) == len(PARTS)


# --- what a source contradicts ------------------------------------------------------------------------


def test_two_tables_that_differ_are_both_named() -> None:
    rows = [row("tables_2018_19", 100.0, 2018, **REQUESTS), row("tables_2018_19", 105.0, 2018, **REQUESTS)]
    rows[1]["table"] = "T12"
    with pytest.raises(PanelError, match="tables_2018_19 has several figures") as error:
        part_figures(table(*rows))
    assert error.value.problems == (f"{LEEDS}: table T12, G71 says 105; table T2, G70 says 100",)


@pytest.mark.parametrize(
    ("second", "differs"), [(50_000.0004, False), (50_000.5, True), ("not_submitted", True)]
)
def test_money_may_be_printed_with_fewer_digits(second: float | str, differs: bool) -> None:
    rows = [
        row("tables_2018_19", 50_000.0, 2018, **MONEY, care_type="Total"),
        row("tables_2018_19", second, 2018, **MONEY, table="T16", age_band="Total"),
    ]
    if differs:
        with pytest.raises(PanelError, match="several figures per council for gce in 2018-19"):
            part_figures(table(*rows))
    else:
        assert found(*rows, part="gce") == [50_000.0, "published", "tables_2018_19"]


def test_what_another_source_says_is_no_contradiction() -> None:
    rows = [row("tables_2020_21", 100.0, 2020, **REQUESTS), row("salt_2020_21", 700.0, 2020, **REQUESTS)]
    assert found(*rows)[0] == 100.0


# --- sums of money ------------------------------------------------------------------------------------


def cells(source: str = "asc_fr_totals_2016_17", **change: Any) -> list[dict[str, Any]]:
    long = {"care_type": "Long term", "age_band": "18 to 64", "support_setting": "Nursing"}
    short = {"care_type": "Short term", "age_band": "18 to 64", "purpose": "Other short term"}
    other = {"care_type": "Other", "primary_support_reason": "Social care activities"}
    plain = {**MONEY, "primary_support_reason": "Mental health", "data_type": "Mandatory"}
    rows = [
        row(source, 30.0, 2016, **plain, **long),
        row(source, -2.0, 2016, **{**plain, "primary_support_reason": "Physical support"}, **long),
        row(source, 5.0, 2016, **plain, **short),
        row(source, 7.0, 2016, **{**plain, **other}),
        row(source, 900.0, 2016, **{**plain, **long, "age_band": "65 to 74", "data_type": "Voluntary"}),
    ]
    rows[0].update(change)
    return rows


def test_cells_are_added_where_no_total_is_printed() -> None:
    source = "asc_fr_totals_2016_17"
    assert found(*cells(), part="gce") == [40.0, "published", source]
    assert found(*cells(), part="gce_long_18_64") == [28.0, "published", source]
    assert found(*cells(), part="gce_short_18_64") == [5.0, "published", source]


def test_a_printed_total_is_taken_before_the_sum() -> None:
    total = row(
        "asc_fr_totals_2016_17", 41.0, 2016, **MONEY, care_type="Total", primary_support_reason="Total"
    )
    assert found(*cells(), total, part="gce")[0] == 41.0
    assert found(*cells(), total, part="gce_long_18_64")[0] == 28.0


def test_one_missing_cell_makes_the_sum_missing() -> None:
    value, status, _ = found(*cells(value=None, status="not_submitted"), part="gce")
    assert pd.isna(value)
    assert status == "not_submitted"
    assert found(*cells(value=None, status="not_submitted"), part="gce_short_18_64")[0] == 5.0


def test_care_by_age_in_the_words_of_two_tables() -> None:
    """T17 adds "long and short term care" where the care type says which; their sum is not all care."""
    says = {**MONEY, "age_band": "18 to 64"}
    rows = [
        row("tables_2018_19", 80.0, 2018, **says, care_type="Long term", detail="long and short term care"),
        row(
            "tables_2018_19", 80.0, 2018, **says, care_type="Long term", support_setting="Total", table="T43"
        ),
        row("tables_2018_19", 90.0, 2018, **says, care_type="Total", detail="long and short term care"),
    ]
    assert found(*rows, part="gce_long_18_64") == [80.0, "published", "tables_2018_19"]
    assert "gce" not in set(part_figures(table(*rows))["part"])


# --- what a return did not ask for --------------------------------------------------------------------


def test_prison_and_nhs_care_are_nothing_in_2014_15() -> None:
    nursing = {**REQUESTS, "sequel": "Long term: nursing"}
    early, late = row("salt_2014_15", 20.0, 2014, **nursing), row("salt_2015_16", 25.0, 2015, **nursing)
    for part in ("sequel_prison_18_64", "sequel_nhs_18_64"):
        assert found(early, late, part=part) == [0.0, "published", "salt_2014_15"]
    parts = part_figures(table(early, late)).query("part == 'sequel_prison_18_64'")
    assert set(parts["year"]) == {2014}
    assert "sequel_prison_65_plus" not in set(part_figures(table(early))["part"])


def test_prison_is_taken_where_2014_15_prints_it() -> None:
    rows = [
        row("salt_2014_15", count, 2014, **REQUESTS, sequel=label)
        for label, count in (("Long term: nursing", 20.0), ("Long term: prison", 5.0))
    ]
    assert found(*rows, part="sequel_prison_18_64") == [5.0, "published", "salt_2014_15"]


@settings(max_examples=8, deadline=None)
@given(st.permutations(["tables_2019_20", "csv_pack_2019_20", "asc_fr_salt_2021_22", "tables_2020_21_first"]))
def test_the_order_of_rows_does_not_matter(sources: list[str]) -> None:
    value = {"tables_2019_20": 1.0, "csv_pack_2019_20": 2.0, "asc_fr_salt_2021_22": 3.0}
    rows = [row(source, value.get(source, 4.0), 2019, **REQUESTS) for source in sources]
    assert found(*rows) == [1.0, "published", "tables_2019_20"]
