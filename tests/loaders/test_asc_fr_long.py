from __future__ import annotations

import csv
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from clsimpact.errors import LayoutError, SourceError
from clsimpact.geography import councils
from clsimpact.loaders import _asc_fr, asc_fr_long
from clsimpact.loaders.labels import measures
from clsimpact.loaders.manifest import all_sources, load_manifest
from clsimpact.loaders.returns import LEVELS, as_text
from tests.loaders.workbooks import record, write_csv

SOURCES = {name: source for name, source in load_manifest().items() if source.adapter == "asc_fr_long"}
ACTIVITY = "asc_fr_activity_2015_16"
TOTALS = "asc_fr_totals_2016_17"
GCE = "asc_fr_gce_2017_18"
ACTIVITY_ROWS: list[list[object]] = [
    [
        *("UUID", "Council Code", "Council Name", "Care Type", "Activity Provision", "Age Bands"),
        *(
            "Primary support reason",
            "Long Term Support Setting",
            "Short Term Purpose",
            "Data Type",
            "Value",
            "Notes",
        ),
    ],
    [
        1,
        102,
        "Cumbria",
        "Long term",
        "In house",
        "Age 18 to 64",
        "Physical support",
        "Nursing",
        "-",
        "Mandatory",
        2.5,
        "",
    ],
    [
        2,
        102,
        "Cumbria",
        "Short term",
        "External",
        "Age 75 to 84",
        "-",
        "-",
        "To maximise independence",
        "Voluntary",
        "",
        "",
    ],
    [
        3,
        104,
        "Northumberland",
        "Long term",
        "In house",
        "Age 65 and over",
        "-",
        "Residential",
        "-",
        "Mandatory",
        0,
        "Estimate",
    ],
]
TOTALS_HEADER: list[object] = [
    *("FY_Ending", "CASSR_CODE", "GEOGRAPHY_CODE", "REGION_GO_CODE", "CareType_KEY", "AgeBand_KEY"),
    *(
        "PrimarySupportReason_KEY",
        "SupportSetting_KEY",
        "Purpose_KEY",
        "CarerSupportType_KEY",
        "DataType_KEY",
    ),
    *("TOTALEXPENDITURE", "TOTALINCOME", "NETTOTALEXPENDITURE", "GROSSTOTALEXPENDITURE"),
    *("NETCURRENTEXPENDITURE", "GROSSCURRENTEXPENDITURE"),
]
MONEY: list[object] = [10, 4, 6, 7, 5, -6.5]
TOTALS_ROWS: list[list[object]] = [
    TOTALS_HEADER,
    [2017, 102, "E10000006", "E12000002", 2, 1, 4, 6, "", "", 1, *MONEY],
    [2017, "", "", "E12000002", 3, "", 12, "", "", 2, 1, *MONEY],
    [2017, "", "", "E92000001", 4, 2, 13, "", 2, "", 2, *MONEY],
]
GCE_ROWS: list[list[object]] = [
    [
        *(
            "GEOGRAPHY_LEVEL",
            "DATA_LEVEL",
            "FY_ENDING",
            "UUID",
            "CASSR",
            "GEOGRAPHY_CODE",
            "DH_GEOGRAPHY_NAME",
        ),
        *("REGION_GO_CODE", "GEOGRAPHY_NAME", "DimensionGroup", "CareType_Key", "FinanceType_Key"),
        *(
            "FinanceDescription_Key",
            "AgeBand_Key",
            "PrimarySupportReason_Key",
            "SupportSetting_Key",
            "Purpose_Key",
        ),
        *("CarerSupportType_Key", "DataType_Key", "ActivityProvision_Key", "ComparativeTotals_Key"),
        *("DataSource_Key", "ValueType_Key", "ITEMVALUE", "supportOrCareType"),
    ],
    [
        *("Local Authority", "Gross Current Expenditure", 2018, 8114715, 104, "E06000057", "Northumberland"),
        *(
            "E12000001",
            "North East",
            "Expenditure",
            "Long Term Care",
            "",
            "",
            "18 to 64",
            "Mental Health Support",
        ),
        *("Nursing", "", "", "", "", "", "", "", 119200.0, "Nursing"),
    ],
]


def read(tmp_path: Path, source_id: str, rows: list[list[object]]) -> pd.DataFrame:
    path = write_csv(tmp_path / "made-up.csv", rows)
    # A few made-up rows are no whole file: what is missing is tested in test_complete.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asc_fr_long, "_incomplete", lambda *_: ())
        return asc_fr_long.read(path, record(source_id, path))


def changed(rows: list[list[object]], row: int, column: str, cell: object) -> list[list[object]]:
    copy = [list(line) for line in rows]
    copy[row][copy[0].index(column)] = cell
    return copy


@pytest.fixture(scope="module")
def tables(official: Path) -> dict[str, pd.DataFrame]:
    return {name: asc_fr_long.read(official / source.path, source) for name, source in SOURCES.items()}


@pytest.fixture(scope="module")
def lines(official: Path) -> dict[str, list[dict[str, str]]]:
    """Every line of the files, without the code under test."""
    found = {}
    for name, source in SOURCES.items():
        with (official / source.path).open(encoding=source.encoding, newline="") as stream:
            found[name] = list(csv.DictReader(stream))
    return found


# --- by hand


def test_labelled_file_by_hand(tmp_path: Path) -> None:
    found = read(tmp_path, ACTIVITY, ACTIVITY_ROWS)
    wanted = [
        "ons_code",
        "name",
        "care_type",
        "age_band",
        "support_setting",
        "purpose",
        "value",
        "status",
        "cell",
    ]
    rows = found[wanted].astype("object").where(found[wanted].notna(), None).to_numpy().tolist()
    independence = "To maximise independence"
    assert rows == [
        ["E10000006", "Cumbria", "Long term", "18 to 64", "Nursing", None, 2.5, "published", "K2"],
        ["E10000006", "Cumbria", "Short term", "75 to 84", None, independence, None, "not_submitted", "K3"],
        [
            "E06000057",
            "Northumberland",
            "Long term",
            "65 and over",
            "Residential",
            None,
            0.0,
            "estimated",
            "K4",
        ],
    ]
    assert set(found["year"]) == {2015}
    assert set(found["measure"]) == {"care_weeks"}


def test_keyed_file_by_hand(tmp_path: Path) -> None:
    found = as_text(read(tmp_path, TOTALS, TOTALS_ROWS))
    assert len(found) == 18
    current = found[found["measure"] == "gross_current_expenditure"]
    assert current["value"].tolist() == [-6.5, -6.5, -6.5]
    assert current["cell"].tolist() == ["Q2", "Q3", "Q4"]
    assert current["level"].tolist() == ["council", "region", "england"]
    assert current["name"].tolist() == ["Cumbria", "North West", "England"]
    assert current["care_type"].tolist() == ["Long term", "Other", "Short term"]
    assert current["primary_support_reason"].fillna("").tolist() == [
        "Learning disability",
        "Social support: support to carer",
        "Memory and cognition",
    ]
    assert current["age_band"].fillna("").tolist() == ["18 to 64", "", "65 and over"]
    assert set(found["year"]) == {2016}
    assert set(found["unit"]) == {"£000"}
    by_measure = found[found["level"] == "council"].set_index("measure")["value"]
    assert by_measure[["total_expenditure", "total_income", "net_current_expenditure"]].tolist() == [10, 4, 5]


def test_pounds_of_the_converted_file_become_thousands(tmp_path: Path) -> None:
    found = read(tmp_path, GCE, GCE_ROWS)
    assert found[["year", "value", "unit"]].to_numpy().tolist() == [[2017, 119.2, "£000"]]


def test_headings_may_differ_in_case_and_suffix(tmp_path: Path) -> None:
    other = [[str(name).upper().replace("_KEY", "") for name in TOTALS_HEADER], *TOTALS_ROWS[1:]]
    pd.testing.assert_frame_equal(read(tmp_path, TOTALS, other), read(tmp_path, TOTALS, TOTALS_ROWS))


# --- bad input


@pytest.mark.parametrize(
    ("source_id", "rows", "problem"),
    [
        (
            ACTIVITY,
            changed(ACTIVITY_ROWS, 1, "Value", "much"),
            r"K2: 'much' is neither a number nor known shorthand",
        ),
        (ACTIVITY, changed(ACTIVITY_ROWS, 1, "Value", "12;5"), r"K2: '12;5' is neither"),
        (ACTIVITY, changed(ACTIVITY_ROWS, 1, "Value", ":"), r"K2: ':' is neither a number"),
        (
            ACTIVITY,
            changed(ACTIVITY_ROWS, 3, "Council Code", 999),
            r"column Council Code, row 4: '999' was no council's social-care code in 2015-16",
        ),
        (
            ACTIVITY,
            changed(ACTIVITY_ROWS, 3, "Council Code", ""),
            r"column Council Code, row 4: '' was no council's",
        ),
        (
            ACTIVITY,
            changed(ACTIVITY_ROWS, 3, "Age Bands", "Age 65 and ovr"),
            r"column Age Bands, row 4: 'Age 65 and ovr' is no known age band \(did you mean 'age 65 and",
        ),
        (
            ACTIVITY,
            changed(ACTIVITY_ROWS, 2, "Short Term Purpose", "To maximize independence"),
            r"column Short Term Purpose, row 3: .*did you mean 'to maximise independence'",
        ),
        (
            TOTALS,
            changed(TOTALS_ROWS, 1, "TOTALINCOME", ""),
            r"M2: blank, and a blank has no meaning in this file",
        ),
        (
            TOTALS,
            changed(TOTALS_ROWS, 1, "SupportSetting_KEY", 8),
            r"column SupportSetting_KEY, row 2: '8' is no known",
        ),
        (
            TOTALS,
            changed(TOTALS_ROWS, 1, "CASSR_CODE", "738"),
            r"column CASSR_CODE, row 2: '738' was no .* in 2016-17",
        ),
        (
            TOTALS,
            changed(TOTALS_ROWS, 1, "GEOGRAPHY_CODE", "E06000057"),
            r"row 2: CASSR_CODE '102' stands with GEOGRAPHY_CODE 'E06000057'",
        ),
        (
            TOTALS,
            changed(TOTALS_ROWS, 2, "REGION_GO_CODE", "E12000022"),
            r"column REGION_GO_CODE, row 3: 'E12000022'",
        ),
        (
            GCE,
            changed(GCE_ROWS, 1, "DATA_LEVEL", "Net Current Expenditure"),
            r"column DATA_LEVEL, row 2: 'Net Current Expenditure' where 'Gross Current Expenditure' was exp",
        ),
        (
            GCE,
            changed(GCE_ROWS, 1, "CASSR", ""),
            r"column CASSR, row 2: '' was no council's social-care code",
        ),
        (
            GCE,
            changed(GCE_ROWS, 1, "ComparativeTotals_Key", "Direct paymnts"),
            r".*row 2: .*did you mean 'direct pay",
        ),
    ],
)
def test_what_is_not_understood_is_refused_with_its_place(
    tmp_path: Path, source_id: str, rows: list[list[object]], problem: str
) -> None:
    with pytest.raises(LayoutError, match=r"^made-up\.csv: some cells are not understood") as caught:
        read(tmp_path, source_id, rows)
    assert len(caught.value.problems) == 1
    assert re.match(problem, caught.value.problems[0]), caught.value.problems


@pytest.mark.parametrize(
    ("header", "problems"),
    [
        (
            [*TOTALS_HEADER[:-1], "GROSSCURENTEXPENDITURE"],
            (
                "no column 'grosscurrentexpenditure' (did you mean 'grosscurentexpenditure'?)",
                "column Q: unknown heading 'GROSSCURENTEXPENDITURE'",
            ),
        ),
        (
            [*TOTALS_HEADER[:-1], "TOTALINCOME"],
            ("no column 'grosscurrentexpenditure'", "columns M and Q are both headed 'TOTALINCOME'"),
        ),
        (
            [*TOTALS_HEADER[:-1], "totalincome_key"],
            ("no column 'grosscurrentexpenditure'", "columns M and Q are both headed 'TOTALINCOME'"),
        ),
    ],
)
def test_header_that_is_not_the_declared_one(
    tmp_path: Path, header: list[object], problems: tuple[str, ...]
) -> None:
    with pytest.raises(
        LayoutError, match=r"^made-up\.csv: the columns are not the ones its layout declares"
    ) as caught:
        read(tmp_path, TOTALS, [header, *TOTALS_ROWS[1:]])
    assert all(
        found.startswith(problem) for found, problem in zip(caught.value.problems, problems, strict=True)
    )


def test_missing_column(tmp_path: Path) -> None:
    with pytest.raises(LayoutError, match=r"no column 'notes'"):
        read(tmp_path, ACTIVITY, [row[:-1] for row in ACTIVITY_ROWS])


def test_column_printed_twice(tmp_path: Path) -> None:
    with pytest.raises(LayoutError, match=r"columns K and M are both headed 'Value'"):
        read(tmp_path, ACTIVITY, [[*row, row[10]] for row in ACTIVITY_ROWS])


@pytest.mark.parametrize("year", ["2018", "", "2016-17", "17"])
def test_years_that_are_mixed_or_none(tmp_path: Path, year: str) -> None:
    with pytest.raises(LayoutError, match=r"made-up\.csv: column FY_Ending does not hold one year") as caught:
        read(tmp_path, TOTALS, changed(TOTALS_ROWS, 3, "FY_Ending", year))
    assert f"{year!r} in row 4" in caught.value.problems[0]


@pytest.mark.parametrize("name", list(SOURCES))
def test_file_cut_within_a_line(official: Path, tmp_path: Path, name: str) -> None:
    source = SOURCES[name]
    content = (official / source.path).read_bytes()
    half = content[: len(content) // 2]
    path = tmp_path / source.file
    path.write_bytes(half[: half.rindex(b",")])
    with pytest.raises(
        SourceError, match=re.escape(source.file) + r": not every row has \d+ cells .* truncated"
    ):
        asc_fr_long.read(path, source)


# --- the official files

VALUES = {
    "asc_fr_activity_2015_16": ["Value"],
    "asc_fr_additional_2015_16": ["Value"],
    "asc_fr_totals_2016_17": TOTALS_HEADER[-6:],
    "asc_fr_activity_2016_17": ["ItemValue"],
    "asc_fr_additional_2016_17": ["ItemValue"],
    "asc_fr_gce_2017_18": ["ITEMVALUE"],
}


@pytest.mark.parametrize("name", list(SOURCES))
def test_every_value_is_read_once_in_order(
    tables: dict[str, pd.DataFrame], lines: dict[str, list[dict[str, str]]], name: str
) -> None:
    printed = [line[str(column)] for column in VALUES[name] for line in lines[name]]
    found = tables[name]
    numbers = [None if text in ("", ":") else float(text) / (1000 if name == GCE else 1) for text in printed]
    assert [None if pd.isna(value) else value for value in found["value"]] == numbers
    assert not found["cell"].duplicated().any()
    assert found["cell"].str.extract(r"(\d+)$", expand=False).astype(int).tolist() == [
        row for _ in VALUES[name] for row in range(2, len(lines[name]) + 2)
    ]


@pytest.mark.parametrize(
    ("name", "marker", "many"),
    [
        ("asc_fr_activity_2015_16", "(blank)", 8_170),
        ("asc_fr_activity_2016_17", ":", 8_453),
        ("asc_fr_additional_2016_17", ":", 34),
    ],
)
def test_marked_cells(
    tables: dict[str, pd.DataFrame], lines: dict[str, list[dict[str, str]]], name: str, marker: str, many: int
) -> None:
    marked = tables[name][tables[name]["marker"].notna()]
    assert len(marked) == many
    assert set(marked["marker"]) == {marker}
    assert set(marked["status"]) == {"not_submitted"}
    shown = "" if marker == "(blank)" else marker
    assert Counter(line[str(VALUES[name][0])] for line in lines[name])[shown] == many


@pytest.mark.parametrize(("name", "total"), [(TOTALS, 17_526_378), (GCE, 17_928_198)])
def test_councils_sum_to_the_independent_count(
    tables: dict[str, pd.DataFrame], name: str, total: float
) -> None:
    rows = tables[name].query("measure == 'gross_current_expenditure' and level == 'council'")
    rows = rows[rows["data_type"].ne("Voluntary")]
    assert rows["ons_code"].nunique() == (152 if name == GCE else 151)
    assert rows["value"].sum() == pytest.approx(total, abs=5)


@pytest.mark.parametrize(("name", "negative"), [(TOTALS, 121), (GCE, 173)])
def test_negative_spending_is_kept(tables: dict[str, pd.DataFrame], name: str, negative: int) -> None:
    rows = tables[name].query("measure == 'gross_current_expenditure' and level == 'council'")
    rows = rows[rows["data_type"].ne("Voluntary")]
    assert (rows["value"] < 0).sum() == negative
    assert set(rows.loc[rows["value"] < 0, "status"]) == {"published"}


def test_region_and_england_are_sums_of_the_councils(tables: dict[str, pd.DataFrame]) -> None:
    rows = tables[TOTALS].query("measure == 'gross_current_expenditure' and data_type == 'Mandatory'")
    sums = rows.groupby("level")["value"].sum()
    assert set(sums.index) == {"council", "region", "england"} <= set(LEVELS)
    assert sums["region"] == pytest.approx(sums["council"], abs=1)
    assert sums["england"] == pytest.approx(sums["council"], abs=1)


@pytest.mark.parametrize("name", list(SOURCES))
def test_codes_and_levels_fit(
    tables: dict[str, pd.DataFrame], lines: dict[str, list[dict[str, str]]], name: str
) -> None:
    found = tables[name]
    year = int(found["year"].iloc[0])
    assert set(found["year"]) == {int(str(SOURCES[name].years)[:4])}
    known = councils(year).set_index("ons_code")["cassr_code"]
    of_councils = found[found["level"] == "council"]
    assert (of_councils["ons_code"].map(known) == of_councils["cassr_code"]).all()
    assert found.loc[found["level"] != "council", "cassr_code"].isna().all()
    if "GEOGRAPHY_CODE" in lines[name][0]:
        printed = [line["GEOGRAPHY_CODE"] or line["REGION_GO_CODE"] for line in lines[name]]
        assert found["ons_code"].iloc[: len(printed)].tolist() == printed


def test_estimates_carry_their_status(
    tables: dict[str, pd.DataFrame], lines: dict[str, list[dict[str, str]]]
) -> None:
    estimated = [
        number for number, line in enumerate(lines[ACTIVITY]) if line["Notes"] == "Estimate" and line["Value"]
    ]
    assert len(estimated) == 6
    assert tables[ACTIVITY].index[tables[ACTIVITY]["status"] == "estimated"].tolist() == estimated


def test_bridging_items_are_told_apart_from_the_return(tables: dict[str, pd.DataFrame]) -> None:
    for name in ("asc_fr_additional_2015_16", "asc_fr_additional_2016_17"):
        bridging = (
            tables[name]["detail"].str.startswith(("Bridging Year", "Bridging year")).to_numpy(dtype=bool)
        )
        assert ((tables[name]["measure"] == "bridging_total").to_numpy(dtype=bool) == bridging).all()


def test_keys_mean_what_the_same_item_was_called_a_year_before(
    tables: dict[str, pd.DataFrame], lines: dict[str, list[dict[str, str]]]
) -> None:
    dimensions = [
        "age_band",
        "care_type",
        "primary_support_reason",
        "support_setting",
        "purpose",
        "provision",
        "data_type",
    ]
    worded, keyed = (
        tables[name]
        .assign(item=[line["UUID"] for line in lines[name]])[["item", *dimensions]]
        .drop_duplicates()
        for name in ("asc_fr_activity_2015_16", "asc_fr_activity_2016_17")
    )
    both = worded.merge(keyed, on="item", suffixes=("", "_by_key"))
    assert len(both) == both["item"].nunique() > 100
    for dimension in dimensions:
        words, keys = both[dimension].astype("string"), both[f"{dimension}_by_key"].astype("string")
        assert words.fillna("").tolist() == keys.fillna("").tolist(), dimension


# --- one long file by words

LONG_HEADER: list[object] = [
    *("GEOGRAPHY_LEVEL", "DATA_LEVEL", "FY_ENDING", "UUID", "CASSR", "GEOGRAPHY_CODE", "DH_GEOGRAPHY_NAME"),
    *("REGION_GO_CODE", "GEOGRAPHY_NAME", "DimensionGroup", "CareType", "FinanceType"),
    *("FinanceDescription", "AgeBand", "PrimarySupportReason", "SupportSetting", "Purpose"),
    *("CarerSupportType", "DataType", "ActivityProvision", "ComparativeTotals", "DataSource", "ValueType"),
    "ITEMVALUE",
]
COUNCIL = ("104", "E06000057", "Northumberland", "E12000001", "North East")
REGION = ("", "E12000001", "North East", "E12000001", "North East")
ENGLAND = ("", "E92000001", "England", "E92000001", "England")


def long_row(level: str, area: tuple[str, ...], **words: object) -> list[object]:
    row: dict[str, object] = dict.fromkeys(map(str, LONG_HEADER), "")
    row |= {"GEOGRAPHY_LEVEL": level, "FY_ENDING": 2020, "UUID": 81, "DimensionGroup": "Expenditure"}
    row |= dict(zip(("CASSR", "GEOGRAPHY_CODE", "DH_GEOGRAPHY_NAME"), area[:3], strict=True))
    row |= {"REGION_GO_CODE": area[3], "GEOGRAPHY_NAME": area[4], "ITEMVALUE": 1.5, **words}
    return [row[str(name)] for name in LONG_HEADER]


LONG_ROWS: list[list[object]] = [
    LONG_HEADER,
    long_row(
        "Local Authority",
        COUNCIL,
        DATA_LEVEL="Gross Current Expenditure",
        CareType="99",
        AgeBand="65 and Over",
        ITEMVALUE=-12.34567,
    ),
    long_row(
        "Regional", REGION, FinanceType="Income", FinanceDescription="Client Contributions", ITEMVALUE=":"
    ),
    long_row("National", ENGLAND, DimensionGroup="Activity", ActivityProvision="In House", ITEMVALUE="*"),
    long_row(
        "National",
        ENGLAND,
        DimensionGroup="Unit Cost",
        ValueType="Hourly Rate",
        SupportSetting="Community: Home Care",
        ITEMVALUE=17,
    ),
    long_row(
        "Local Authority",
        COUNCIL,
        DimensionGroup="Additional Data",
        DataSource="Additional data",
        FinanceType="Income",
        ComparativeTotals="Income from Better Care Fund",
        AgeBand="85 and Over",
        DataType="Voluntary",
    ),
]
LONG = "asc_fr_2021_22"


def read_long(tmp_path: Path, rows: list[list[object]], **changes: object) -> pd.DataFrame:
    path = write_csv(tmp_path / "made-up.csv", rows)
    source = replace(all_sources()[LONG], file=path.name, **changes)  # type: ignore[arg-type]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asc_fr_long, "_incomplete", lambda *_: ())
        return asc_fr_long.read(path, source)


def test_long_file_by_hand(tmp_path: Path) -> None:
    found = as_text(read_long(tmp_path, LONG_ROWS))
    shown = [
        "level",
        "name",
        "measure",
        "care_type",
        "age_band",
        "finance_description",
        "value",
        "status",
        "unit",
    ]
    rows = found[shown].astype("object").where(found[shown].notna(), None).to_numpy().tolist()
    gce, contributions = "gross_current_expenditure", "Client contributions"
    old, hour, county = "65 and over", "home_care_hourly_rate", "Northumberland"
    assert rows == [
        ["council", county, gce, "Total", old, None, -12.34567, "published", "£000"],
        ["region", "North East", "total_income", None, None, contributions, None, "not_submitted", "£000"],
        ["england", "England", "care_weeks", None, None, None, None, "suppressed", "weeks"],
        ["england", "England", hour, None, None, None, 17.0, "published", "£ per hour"],
        ["council", county, "additional_item", None, "85 and over", None, 1.5, "published", "£000"],
    ]
    assert found["detail"].tolist()[4] == "Additional data; Income; Income from Better Care Fund"
    assert found["detail"].isna().tolist() == [True, True, True, True, False]
    assert found["provision"].tolist()[2] == "In house"
    assert found["data_type"].tolist()[4] == "Voluntary"
    assert found["cell"].tolist() == ["X2", "X3", "X4", "X5", "X6"]
    assert set(found["year"]) == {2019}


def test_long_file_with_keys_in_its_headings_and_without_some_columns(tmp_path: Path) -> None:
    keyed = [[f"{name}_Key" if str(name)[0:4] in ("Care", "AgeB") else name for name in LONG_HEADER]]
    pd.testing.assert_frame_equal(
        read_long(tmp_path, [*keyed, *LONG_ROWS[1:]]), read_long(tmp_path, LONG_ROWS)
    )
    gone = {"CASSR", "UUID", "Purpose", "DataType", "ValueType", "REGION_GO_CODE"}
    keep = [place for place, name in enumerate(LONG_HEADER) if name not in gone]
    fewer = read_long(tmp_path, [[row[place] for place in keep] for row in LONG_ROWS[:3]])
    assert fewer["cassr_code"].tolist()[0] == "104"
    assert fewer["ons_code"].tolist() == ["E06000057", "E12000001"]


@pytest.mark.parametrize(
    ("row", "column", "cell", "problem"),
    [
        (
            1,
            "GEOGRAPHY_LEVEL",
            "Locl Authority",
            r"column GEOGRAPHY_LEVEL, row 2: 'Locl Authority' is no known l",
        ),
        (
            1,
            "DATA_LEVEL",
            "Gross Curent Expenditure",
            r"row 2: DATA_LEVEL 'Gross Curent .* 'gross current exp",
        ),
        (
            2,
            "FinanceType",
            "Incom",
            r"row 3: DimensionGroup 'Expenditure' and FinanceType 'Incom' .* 'income'",
        ),
        (
            3,
            "DimensionGroup",
            "Actvity",
            r"row 4: .*DimensionGroup 'Actvity' is no known quantity.* 'activity'",
        ),
        (3, "DATA_LEVEL", "Net Current Expenditure", r"row 4: DATA_LEVEL 'Net Current Expenditure' and Dim"),
        (1, "DH_GEOGRAPHY_NAME", "Kent", r"row 2: the code 104 is that of Northumberland, not of 'Kent'"),
        (1, "GEOGRAPHY_CODE", "E10000006", r"row 2: CASSR '104' stands with GEOGRAPHY_CODE 'E10000006'"),
        (2, "GEOGRAPHY_CODE", "E12000022", r"column GEOGRAPHY_CODE, row 3: 'E12000022' is no region"),
        (2, "GEOGRAPHY_LEVEL", "National", r"column GEOGRAPHY_CODE, row 3: 'E12000001' is no region"),
        (
            5,
            "ComparativeTotals",
            "Better Car Fund",
            r"column ComparativeTotals, row 6: 'Better Car Fund' is no",
        ),
        (1, "AgeBand", "98", r"column AgeBand, row 2: '98' is no known age band"),
    ],
)
def test_long_file_that_is_not_understood(
    tmp_path: Path, row: int, column: str, cell: str, problem: str
) -> None:
    with pytest.raises(LayoutError, match="some cells are not understood") as caught:
        read_long(tmp_path, changed(LONG_ROWS, row, column, cell))
    assert len(caught.value.problems) == 1
    assert re.match(problem, caught.value.problems[0]), caught.value.problems


def test_file_that_says_it_is_made_up_is_read_as_such_only(tmp_path: Path) -> None:
    rows = changed(LONG_ROWS, 3, "UUID", "SIM0000001")
    with pytest.raises(LayoutError, match=r"^made-up\.csv: the file says it is made up") as caught:
        read_long(tmp_path, rows)
    assert caught.value.problems == ("column UUID: SIM0000001",)
    assert len(read_long(tmp_path, rows, simulated=True)) == 5
    with pytest.raises(LayoutError, match="the file says it is made up"):
        read(tmp_path, ACTIVITY, changed(ACTIVITY_ROWS, 2, "UUID", "sim2"))


def test_every_area_of_a_long_file_must_have_every_item(tmp_path: Path) -> None:
    table = councils(2019)
    areas = zip(table["cassr_code"], table["ons_code"], table["name"].str.replace(",", ""), strict=True)
    rows = [
        long_row("Local Authority", (*area, "E12000001", "North East"), UUID=item, FinanceType="Income")
        for area in areas
        for item in (1, 2)
    ]
    path = write_csv(tmp_path / "made-up.csv", [LONG_HEADER, *rows])
    source = replace(all_sources()[LONG], file=path.name)
    assert len(asc_fr_long.read(path, source)) == 2 * len(table)
    write_csv(path, [LONG_HEADER, *rows[:-1]])
    with pytest.raises(LayoutError, match=r"1 of 2 row is missing"):
        asc_fr_long.read(path, source)
    write_csv(path, [LONG_HEADER, *rows[2:]])
    with pytest.raises(LayoutError, match=r"1 of 151 councils are missing"):
        asc_fr_long.read(path, source)


# --- expenditure of 2015-16, by council name

NAMED_ROWS: list[list[object]] = [
    [
        *("Council Name", "Finance Type", "Finance Description", "Age Band", "Primary support reason"),
        *("Long Term Support Setting", "Value"),
    ],
    ["Durham", "Expenditure", "Own Provision", "Age 18 to 64", "Physical support", "Nursing", 2.5],
    ["St Helens", "Gross Current Expenditure", "-", "Age 65 and over", "-", "-", "*"],
]


def read_named(tmp_path: Path, rows: list[list[object]]) -> pd.DataFrame:
    path = write_csv(tmp_path / "made-up.csv", rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asc_fr_long, "_incomplete", lambda *_: ())
        return asc_fr_long.read(path, replace(all_sources()["asc_fr_expenditure_2015_16"], file=path.name))


def test_councils_are_found_by_their_folded_names(tmp_path: Path) -> None:
    found = as_text(read_named(tmp_path, NAMED_ROWS))
    assert found["ons_code"].tolist() == ["E06000047", "E08000013"]
    assert found["measure"].tolist() == ["total_expenditure", "gross_current_expenditure"]
    assert found["finance_description"].fillna("").tolist() == ["Own provision", ""]
    assert found["status"].tolist() == ["published", "suppressed"]


def test_name_of_no_council(tmp_path: Path) -> None:
    with pytest.raises(LayoutError) as caught:
        read_named(tmp_path, changed(NAMED_ROWS, 2, "Council Name", "St Hellens"))
    assert caught.value.problems == (
        "column Council Name, row 3: 'St Hellens' was no council's name in 2015-16"
        " (did you mean 'st helens'?)",
    )


def test_name_of_two_councils(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    twins = councils(2015).assign(name=lambda table: table["name"].replace({"County Durham": "St. Helens"}))
    monkeypatch.setattr(_asc_fr, "councils", lambda _: twins)
    _asc_fr._councils.cache_clear()
    try:
        with pytest.raises(LayoutError, match="'St Helens' was no council's name"):
            read_named(tmp_path, [NAMED_ROWS[0], NAMED_ROWS[2]])
    finally:
        _asc_fr._councils.cache_clear()


def test_every_style_is_told_apart_from_the_others() -> None:
    for style in _asc_fr.styles():
        table = pd.DataFrame(columns=[*style.columns, *list(style.optional)[:1]])
        found, places = _asc_fr.find_style(table, Path("x.csv"))
        assert found == style
        assert len(places) == table.shape[1]


def test_every_measure_of_a_rule_is_known() -> None:
    assert {rule["measure"] for rule in _asc_fr._rules()} <= set(measures())
