from __future__ import annotations

import random
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clsimpact.errors import LayoutError, SourceError
from clsimpact.loaders import salt_csv
from clsimpact.loaders._keyed_layout import load_layout
from clsimpact.loaders.labels import known_labels, measures
from clsimpact.loaders.returns import COLUMNS
from tests.loaders.keyed_files import Rows, source_of, whole_file, write_rows

REQUESTS = {
    "UUID": "1",
    "SHEET": "STS001",
    "TABLE": "1a",
    "AgeBand_Key": "18 to 64",
    "RouteOfAccess_Key": "Discharge from Hospital",
    "SequelToSupportRequest_Key": "99",
}
TOTAL = {**REQUESTS, "UUID": "2", "RouteOfAccess_Key": "99"}
HARTLEPOOL, NORTH_EAST, ENGLAND = 0, 152, 161
"""Rows of a file of 2017-18 with one item an area: 152 councils, 9 regions, England."""


def rows_2017(*items: dict[str, str]) -> Rows:
    return whole_file(2017, items or (REQUESTS,))


def read(tmp_path: Path, rows: Rows, **changes: object) -> pd.DataFrame:
    path = write_rows(tmp_path / "SALT 2017-18.csv", rows)
    return salt_csv.read(path, source_of("salt_2017_18", **changes))


def says(table: pd.DataFrame, row: int) -> dict[str, str]:
    """The words of a row that are not missing."""
    words = table.iloc[row][["age_band", "route_of_access", "sequel", "support_setting", "gender", "detail"]]
    words = pd.concat([words, table.iloc[row][["primary_support_reason", "carer_support_type"]]])
    return dict(words.dropna())


def refused(tmp_path: Path, rows: Rows, **changes: object) -> list[str]:
    with pytest.raises(LayoutError) as caught:
        read(tmp_path, rows, **changes)
    assert "SALT 2017-18.csv" in caught.value.summary
    return [*caught.value.problems, caught.value.summary]


def test_every_printed_figure_is_a_row_with_its_words_and_place(tmp_path: Path) -> None:
    rows = rows_2017()
    rows[1]["ITEMVALUE"], rows[2]["ITEMVALUE"] = "*", ":"
    table = read(tmp_path, rows)
    assert list(table.columns) == list(COLUMNS)
    assert len(table) == len(rows)
    first = table.iloc[HARTLEPOOL]
    assert (first["name"], first["ons_code"], first["cassr_code"]) == ("Hartlepool", "E06000001", "111")
    assert (first["year"], first["level"], first["measure"]) == (2017, "council", "requests")
    assert (first["value"], first["unit"], first["return_"]) == (5.0, "requests", "SALT")
    assert (first["table"], first["cell"]) == ("SALT 2017-18: STS001 1a", "N2")
    assert says(table, 0) == {
        "age_band": "18 to 64",
        "route_of_access": "Discharge from hospital",
        "sequel": "Total",
    }
    assert table["status"].tolist()[:4] == ["published", "suppressed", "not_submitted", "published"]
    assert table["marker"].tolist()[1:3] == ["*", ":"]
    region, england = table.iloc[NORTH_EAST], table.iloc[ENGLAND]
    assert (region["level"], region["name"], region["ons_code"]) == ("region", "North East", "E12000001")
    assert (england["level"], england["name"]) == ("england", "England")
    assert pd.isna(region["cassr_code"])


def test_headings_may_lose_their_suffix_and_change_case(tmp_path: Path) -> None:
    rows = rows_2017(REQUESTS, TOTAL)
    other = [{name.removesuffix("_Key").lower(): cell for name, cell in row.items()} for row in rows]
    expected, table = read(tmp_path, rows), read(tmp_path, other)
    pd.testing.assert_frame_equal(table, expected)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32 - 1))
def test_the_order_of_rows_and_columns_does_not_matter(tmp_path: Path, seed: int) -> None:
    rows = rows_2017(REQUESTS, TOTAL)
    expected = read(tmp_path, rows)
    shuffled, columns = list(rows), list(rows[0])
    random.Random(seed).shuffle(shuffled)
    random.Random(seed + 1).shuffle(columns)
    path = write_rows(tmp_path / "SALT 2017-18.csv", shuffled, columns=columns)
    table = salt_csv.read(path, source_of("salt_2017_18"))
    keys = ["value", "ons_code", "route_of_access"]
    pd.testing.assert_frame_equal(*[part[keys].sort_values("value", ignore_index=True).astype({
        "ons_code": "str", "route_of_access": "str"}) for part in (table, expected)])  # fmt: skip


def test_columns_that_no_row_needs_may_be_absent(tmp_path: Path) -> None:
    rows = [
        {
            name: cell
            for name, cell in row.items()
            if name not in ("UUID", "DH_GEOGRAPHY_NAME", "GEOGRAPHY_NAME")
        }
        for row in rows_2017()
    ]
    assert len(read(tmp_path, rows)) == len(rows)


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (
            {"PrimarySupportReason": "Physical Support", "PrimarySupportReasonDesc": "Personal Care Support"},
            {"primary_support_reason": "Physical support: personal care"},
        ),
        (
            {"PrimarySupportReason": "Sensory Support", "PrimarySupportReasonDesc": "99"},
            {"primary_support_reason": "Sensory support"},
        ),
        (
            {"PrimarySupportReason": "99", "PrimarySupportReasonDesc": "99"},
            {"primary_support_reason": "Total"},
        ),
        (
            {"LongTermSupportSetting": "Community", "CommunitySupport": "Direct Payment Only"},
            {"support_setting": "Community: direct payment only"},
        ),
        (
            {"SequelToSupportRequest": "No Services Provided", "NoServicesProvided": "Deceased"},
            {"sequel": "No services: deceased"},
        ),
        (
            {"SequelToSupportRequest": "No Services Provided", "NoServicesProvided": "99"},
            {"sequel": "No services: all reasons"},
        ),
        (
            {
                "PrimarySupportReason": "Social Support",
                "PrimarySupportReasonDesc": "Social Support: Asylum Seeker",
            },
            {"primary_support_reason": "Social support: asylum seeker"},
        ),
        (
            {
                "SequelToReviewType": "Change in setting",
                "ChangeInSetting": "Move to Nursing Care (from community)",
            },
            {"sequel": "Move to nursing care"},
        ),
        ({"SequelToSupportRequest": "99", "SequelToSTMax": "End of Life"}, {"sequel": "End of life"}),
        (
            {"AgeBand": "65 to 74", "CarerAgeBand": "26-64"},
            {"age_band": "65 to 74", "detail": "CarerAgeBand: 26-64"},
        ),
        ({"AgeBand": "", "CarerAgeBand": "85 and over"}, {"age_band": "85 and over"}),
        (
            {"SignificantEvent": "Provider failure", "Gender": "Female", "ReviewType": "Unplanned"},
            {"gender": "Female", "detail": "ReviewType: Unplanned; SignificantEvent: Provider failure"},
        ),
        ({"SignificantEvent": "99"}, {}),
        (
            {
                "RouteOfAccess": "Self-funder with depleted funds of which previously provided with "
                "12 week disregard or DP"
            },
            {"route_of_access": "of which: self-funder with 12-week disregard or deferred payment"},
        ),
    ],
)
def test_words_of_dimensions(tmp_path: Path, item: dict[str, str], expected: dict[str, str]) -> None:
    table = read(tmp_path, rows_2017({"SHEET": "LTS003", "TABLE": "1a", **item}))
    assert says(table, 0) == expected


def test_words_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    reason = {
        "PrimarySupportReason": "Sensory Support",
        "PrimarySupportReasonDesc": "Learning Disability Support",
    }
    problems = refused(tmp_path, rows_2017({**REQUESTS, **reason}))
    assert (
        "column PrimarySupportReason and PrimarySupportReasonDesc: 'Sensory Support Learning" in problems[0]
    )


def test_rows_that_say_nothing_are_refused(tmp_path: Path) -> None:
    assert "row 2, 3, 4, 5 and 158 more: '' is no known sheet" in refused(
        tmp_path, rows_2017({"SHEET": "", "TABLE": ""})
    )


def test_no_two_rows_fall_together(tmp_path: Path) -> None:
    first = {**REQUESTS, "ADDITIONAL_CELLS": "x"}
    second = {**REQUESTS, "ADDITIONAL_CELLS": "y"}
    third = {**REQUESTS, "LivingStatusType_Key": "Settled"}
    table = read(tmp_path, rows_2017(first, second, third))
    assert table["detail"].astype("object").tolist()[:3] == [
        "ADDITIONAL_CELLS: x",
        "ADDITIONAL_CELLS: y",
        "LivingStatusType: Settled",
    ]


@pytest.mark.parametrize(
    ("sheet", "table", "count", "measure"),
    [
        ("STS001", "1b", "", "requests"),
        ("STS001", "Table 2a", "", "repeat_requests_after_st_max"),
        ("STS002a", "2", "", "st_max_episodes_new_clients"),
        ("STS002A", "2", "Clients", "st_max_clients"),
        ("STS002B", "5", "", "st_max_episodes_existing_clients"),
        ("LTS001A", "1a", "", "long_term_clients"),
        ("LTS001B", "3b", "", "long_term_clients_year_end"),
        ("LTS001C", "1b", "", "long_term_clients_over_12_months"),
        ("LTS002B", "1a(ii)", "", "unplanned_reviews_over_12_months"),
        ("LTS002B", "2a", "Clients with planned reviews", "clients_planned_reviews"),
        ("LTS002B", "1", "Clients with unplanned reviews", "clients_unplanned_reviews"),
        ("LTS003", "1a", "", "carers_supported"),
    ],
)
def test_sheet_and_table_say_what_is_counted(
    tmp_path: Path, sheet: str, table: str, count: str, measure: str
) -> None:
    item = {"SHEET": sheet, "TABLE": table, "ClientCount": count}
    assert set(read(tmp_path, rows_2017(item))["measure"]) == {measure}


def test_a_table_about_an_age_gives_and_guards_the_age(tmp_path: Path) -> None:
    blank = {"SHEET": "LTS001A", "TABLE": "1b"}
    assert says(read(tmp_path, rows_2017(blank)), 0) == {"age_band": "65 and over"}
    sub_band = {**blank, "AgeBand": "75 to 84"}
    assert says(read(tmp_path, rows_2017(sub_band)), 0) == {"age_band": "75 to 84"}
    problems = refused(tmp_path, rows_2017({**blank, "AgeBand": "18 to 64"}))
    assert "'1b' of LTS001A is about 65 and over, its row about '18 to 64'" in problems[0]


def test_numeric_keys_need_the_reference_data(tmp_path: Path) -> None:
    item = {**REQUESTS, "AgeBand_Key": "1", "RouteOfAccess_Key": "7"}
    rows = rows_2017(item)
    problems = refused(tmp_path, rows)
    assert problems[0].startswith("column RouteOfAccess_Key, row 2, 3, 4, 5 and 158 more: the key '7'")
    beside = tmp_path / "SALT 2017-18 reference data.csv"
    beside.write_text("Field,Key,Description\nRouteOfAccess_Key,7,Prison\nAgeBand,1,Age 18-64\n")
    assert says(read(tmp_path, rows), 0)["route_of_access"] == "Prison"
    beside.write_text("Field,Key,Description\nRouteOfAccess_Key,7,Prison\nRouteOfAccess,7,Community\n")
    with pytest.raises(LayoutError, match="row 3: key '7' of RouteOfAccess is 'Community', and 'Prison'"):
        read(tmp_path, rows)
    beside.write_text("Name,Key\n")
    with pytest.raises(LayoutError, match="its columns are Name, Key, not Field, Key, Description"):
        read(tmp_path, rows)


def test_a_key_that_the_publication_explains_means_what_it_says(tmp_path: Path) -> None:
    (tmp_path / "SALT 2017-18 reference data.csv").write_text("Field,Key,Description\nAgeBand,1,65 to 74\n")
    rows = rows_2017({"SHEET": "LTS003", "TABLE": "1a", "AgeBand_Key": "1"})
    assert says(read(tmp_path, rows), 0) == {"age_band": "65 to 74"}


def with_change(row: int, **cells: str) -> Rows:
    rows = rows_2017()
    rows[row].update(cells)
    return rows


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (with_change(3, RouteOfAccess_Key="Discharge from Hospitall"), "row 5: column RouteOfAccess_Key"),
        (
            with_change(3, RouteOfAccess_Key="Discharge from Hospitall"),
            "did you mean 'discharge from hospital",
        ),
        (with_change(3, SHEET="STS009"), "row 5: 'STS009' is no known sheet (did you mean"),
        (with_change(3, TABLE="7z"), "'7z' is no known table of STS001"),
        (
            with_change(3, GEOGRAPHY_LEVEL="Local Authorty"),
            "'Local Authorty' is no known level of an area (did you mean",
        ),
        (with_change(0, CASSR_CODE="999"), "row 2: '999' was no council's social-care code in 2017-18"),
        (
            with_change(0, GEOGRAPHY_CODE="E06000002"),
            "111 is that of Hartlepool (E06000001), not of 'E06000002'",
        ),
        (
            with_change(0, DH_GEOGRAPHY_NAME="Darlington"),
            "the code 111 is that of Hartlepool, not of 'Darlington'",
        ),
        (with_change(0, REGION_GO_CODE="E12000002"), "(E12000001), not of 'E12000002'"),
        (with_change(0, GEOGRAPHY_NAME="London"), "Hartlepool in North East, not in 'London'"),
        (with_change(NORTH_EAST, REGION_GO_CODE="E12000010"), "'E12000010' is not the code of a region"),
        (with_change(NORTH_EAST, CASSR_CODE="111"), "a row of North East has the code '111'"),
        (with_change(4, ITEMVALUE=""), "N6: blank, and a blank has no meaning in this file"),
        (with_change(4, ITEMVALUE="1O"), "N6: '1O' is neither a number nor known shorthand"),
        (with_change(4, ITEMVALUE="[z]"), "N6: '[z]' is neither a number nor known shorthand"),
        (with_change(4, FY_Ending="2017"), "'2017' in row 6"),
        (rows_2017()[1:], "1 of 152 councils are missing: Hartlepool (111)"),
        (rows_2017()[:-2] + rows_2017()[-1:], "1 of 9 regions are missing: South West (E12000009)"),
        ([*rows_2017(), rows_2017()[7]], "1 row stands twice (row 164)"),
        (rows_2017(REQUESTS, TOTAL)[1:], "Hartlepool (111): 1 of 2 row is missing"),
    ],
)
def test_what_is_not_understood_is_named_with_its_place(tmp_path: Path, rows: Rows, message: str) -> None:
    assert any(message in problem for problem in refused(tmp_path, rows))


def test_all_problems_are_listed_at_once(tmp_path: Path) -> None:
    rows = with_change(3, RouteOfAccess_Key="Nowhere")
    rows[5]["ITEMVALUE"], rows[6]["CASSR_CODE"] = "many", "1"
    assert len(refused(tmp_path, rows)) == 4  # three problems and the summary


def test_unknown_twin_and_lacking_columns(tmp_path: Path) -> None:
    rows = [{**row, "RouteOfAcces": "", "routeofaccess": ""} for row in rows_2017()]
    for row in rows:
        del row["SHEET"]
    problems = refused(tmp_path, rows)
    assert "column N: unknown heading 'RouteOfAcces' (did you mean 'RouteOfAccess'?)" in problems
    assert "column O: 'routeofaccess' is the same as column K" in problems
    assert "no column 'SHEET'" in problems


def test_a_count_of_something_else_is_not_taken_for_the_table(tmp_path: Path) -> None:
    item = {"SHEET": "STS002A", "TABLE": "2", "ClientCount": "Cliënts"}
    assert (
        "'cliënts' is nothing that STS002A table '2' is known to count"
        in refused(tmp_path, rows_2017(item))[0]
    )


def test_the_year_of_the_file_is_that_of_its_record(tmp_path: Path) -> None:
    message = refused(tmp_path, rows_2017(), year=2018)[-1]
    assert "says 2018, the financial year 2017-18; the manifest says 2018-19" in message


def test_made_up_figures_are_not_official(tmp_path: Path) -> None:
    rows = rows_2017({**REQUESTS, "UUID": "SIM0000001"})
    assert "says that it is made up (UUID 'SIM0000001')" in refused(tmp_path, rows)[-1]
    assert len(read(tmp_path, rows, simulated=True)) == len(rows)


@pytest.mark.parametrize("cut", [1, 3, 60])
def test_a_truncated_file_is_refused(tmp_path: Path, cut: int) -> None:
    whole = write_rows(tmp_path / "whole.csv", rows_2017()).read_bytes()
    path = tmp_path / "cut.csv"
    path.write_bytes(whole[:-cut])
    with pytest.raises(SourceError, match="truncated"):
        salt_csv.read(path, source_of("salt_2017_18"))


@pytest.mark.parametrize("content", [b"", b"SHEET,TABLE\n", b'"unclosed', "caf\xe9".encode("cp1252")])
def test_what_is_no_csv_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.csv"
    path.write_bytes(content)
    with pytest.raises((SourceError, LayoutError), match=r"other\.csv"):
        salt_csv.read(path, source_of("salt_2017_18"))


@pytest.mark.parametrize("end", ['"unclosed\n', "\xe9\n"])
def test_a_broken_end_is_refused(tmp_path: Path, end: str) -> None:
    path = write_rows(tmp_path / "broken.csv", rows_2017())
    whole = path.read_bytes()
    path.write_bytes(whole[: whole.rindex(b",") + 1] + end.encode("cp1252"))
    with pytest.raises((SourceError, LayoutError), match=r"broken\.csv"):
        salt_csv.read(path, source_of("salt_2017_18"))


def test_the_layout_declares_measures_and_words_that_exist() -> None:
    layout = load_layout("salt_csv.toml")
    assert {rule.measure for rule in layout.rules} <= set(measures())
    assert all(rule.documented for rule in layout.rules)
    assert len(layout.columns) == len(set(layout.columns)) == 43
    for column, keys in layout.keys.items():
        dimension = next(name for name, entry in layout.dimensions.items() if column in entry.columns)
        for label in keys.values():
            assert label.casefold() in known_labels(dimension)
