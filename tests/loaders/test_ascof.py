from __future__ import annotations

import csv
import re
from collections import Counter
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest
import python_calamine

from clsimpact.errors import LayoutError, SourceError
from clsimpact.loaders import ascof_csv, ascof_open_data, ascof_tables
from clsimpact.loaders._ascof import measures
from clsimpact.loaders.manifest import Source, load_manifest
from clsimpact.loaders.returns import DIMENSIONS, as_text
from tests.loaders.workbooks import record, write_csv, write_ods

MANIFEST = load_manifest()
JOINED, OPEN, TABLES = (
    MANIFEST[f"ascof_{name}"] for name in ("joined_2017_24", "open_data_2020_21", "tables_2024_25")
)
HEADERS = [
    "Year,Geographical Description,ONS Code,Measure Group,Measure Group Description,Measure_Value",
    "Geographical Level,Disaggregation Level,Measure Type",
]
TREND = [
    ",".join(HEADERS).split(","),
    [
        "2020-21",
        "York",
        "E06000014",
        "2D",
        "Outcome of short-term services: sequel to service",
        80.5,
        "Council",
        "Total",
        "Outcome",
    ],
    [
        "2023-24",
        "York",
        "E06000014",
        "2A",
        "Outcome of short-term services: sequel to service",
        81,
        "Council",
        "",
        "",
    ],
    [
        "2023-24",
        "Inner London",
        "-",
        "3A",
        "Proportion of people who use services who have control over their daily life",
        7,
        "Council Type",
        "",
        "",
    ],
]
OPEN_HEADER = [*ascof_open_data._HEADERS[:7], "Measure Value", *ascof_open_data._HEADERS[7:9]]
FEEL_SAFE = "Proportion of people who use services who feel safe"
OPEN_ROWS = [
    OPEN_HEADER,
    [816, "York", "Council", "E06000014", "4AF", "Female", "Numerator", 812, "4A", FEEL_SAFE],
    [816, "York", "Council", "E06000014", "4A1864", "18-64", "Margin Of Error", "[c]", "4A", FEEL_SAFE],
    ["NE", "North East", "Region", "E12000001", "4A", "Total", "Outcome", "[x]", "4A", FEEL_SAFE],
]
CONTACT = "The proportion of carers who reported that they had as much social contact as they would like"
CONTENTS = [
    ["Contents table"],
    ["Metric", "Description", "Source", "Start year", "2022 to 2023 Code"],
    ["5A(2)", CONTACT, "SACE", "2012 to 2013", "1I(2)"],
]
TABLE = [
    [f"Table 5a(2): {CONTACT} [note 1]"],
    [
        "Local authority code",
        "Local authority",
        "ONS area code",
        "2016 to 2017 - number of respondents",
        "2018 to 2019 - outcome",
    ],
    ["England", "England", "E92000001", "51,230 (35,415)", 32.5],
    ["S", "Shire Counties", "[z]", "13,440 (:)", "[c]"],
    [816, "York", "E06000014", "[x]", 30],
]


@pytest.fixture(scope="module")
def joined(official: Path) -> pd.DataFrame:
    return ascof_csv.read(official / JOINED.path, JOINED)


@pytest.fixture(scope="module")
def open_data(official: Path) -> pd.DataFrame:
    return ascof_open_data.read(official / OPEN.path, OPEN)


@pytest.fixture(scope="module")
def tables(official: Path) -> pd.DataFrame:
    return ascof_tables.read(official / TABLES.path, TABLES)


def changed(rows: list[list[object]], row: int, column: int, cell: object) -> list[list[object]]:
    copy = [list(cells) for cells in rows]
    copy[row][column] = cell
    return copy


# Joined outcomes


def test_joined_by_hand(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "made_up.csv", TREND)
    table = ascof_csv.read(path, record(JOINED.id, path))
    wanted = ["year", "measure", "detail", "value", "unit", "level", "ons_code", "table", "cell"]
    assert [tuple(row) for row in as_text(table[wanted]).fillna("").itertuples(index=False)] == [
        (2020, "sequel_to_short_term_support", "2D", 80.5, "%", "council", "E06000014", "made_up", "F2"),
        (2023, "sequel_to_short_term_support", "2A", 81.0, "%", "council", "E06000014", "made_up", "F3"),
        (2023, "control_over_daily_life", "3A", 7.0, "%", "council_type", "", "made_up", "F4"),
    ]


@pytest.mark.parametrize(
    ("row", "column", "cell", "message"),
    [
        (0, 5, "Value", "cell F1: unknown header 'Value'"),
        (1, 0, "2020", "row 2: '2020' is not a financial year"),
        (1, 3, "2A", "row 2: no measure has the code '2A' in 2020"),
        (1, 4, "Something else", "row 2: the code '2D' of 2020 is not described as 'something else'"),
        (1, 5, "[c]", r"cell F2: '\[c\]' is neither a number nor known shorthand"),
        (1, 5, "", "cell F2: blank where a figure is expected"),
        (1, 6, "Region", "row 2: 'York' with the code 'E06000014' is printed as level 'Region'"),
        (1, 7, "Female", "row 2: 'Female', 'Outcome' where only total outcomes are expected"),
        (3, 1, "Outer Space", "row 4: 'Outer Space' with the code '-' is printed as level 'Council Type'"),
    ],
)
def test_joined_refuses_what_is_not_in_the_layout(
    tmp_path: Path, row: int, column: int, cell: object, message: str
) -> None:
    path = write_csv(tmp_path / "made_up.csv", changed(TREND, row, column, cell))
    with pytest.raises(LayoutError, match=message) as caught:
        ascof_csv.read(path, record(JOINED.id, path))
    assert "made_up.csv" in str(caught.value)


def test_joined_refuses_an_outcome_listed_twice(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "made_up.csv", [*TREND, TREND[1]])
    with pytest.raises(
        LayoutError, match="cell F5: sequel_to_short_term_support of York in 2020 is listed twice"
    ):
        ascof_csv.read(path, record(JOINED.id, path))


def test_open_data_and_tables_refuse_a_row_listed_twice(tmp_path: Path) -> None:
    path = write_ods(tmp_path / "open.ods", {"in": [*OPEN_ROWS, OPEN_ROWS[-1]]})
    with pytest.raises(LayoutError, match="is listed twice"):
        ascof_open_data.read(path, record(OPEN.id, path))
    path = write_ods(tmp_path / "tables.ods", {"Contents": CONTENTS, "Table_5a(2)": [*TABLE, TABLE[-1]]})
    with pytest.raises(LayoutError, match="is listed twice"):
        ascof_tables.read(path, record(TABLES.id, path))


def test_workbooks_without_tables_or_areas_are_refused(tmp_path: Path) -> None:
    for number, sheets in enumerate(({"Cover": [["a"]]}, {"Contents": CONTENTS, "Table_5a(2)": TABLE[:2]})):
        path = write_ods(tmp_path / f"{number}.ods", sheets)
        with pytest.raises(LayoutError, match=r"there is no (table|area)"):
            ascof_tables.read(path, record(TABLES.id, path))
    path = write_ods(tmp_path / "none.ods", {})
    with pytest.raises(LayoutError, match="it has no sheet"):
        ascof_open_data.read(path, record(OPEN.id, path))


def test_joined_agrees_with_a_straight_reading(official: Path, joined: pd.DataFrame) -> None:
    with (official / JOINED.path).open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert len(joined) == len(rows) == 26_498
    assert joined["value"].tolist() == [float(row["Measure_Value"]) for row in rows]
    assert joined["name"].tolist() == [row["Geographical Description"] for row in rows]
    assert set(joined["status"]) == {"published"}
    levels = Counter(row["Geographical Level"].casefold().replace(" ", "_") for row in rows)
    assert Counter(joined["level"]) == levels


# Open data


def test_open_data_by_hand(tmp_path: Path) -> None:
    path = write_ods(tmp_path / "made_up.ods", {"in": OPEN_ROWS})
    table = ascof_open_data.read(path, record(OPEN.id, path))
    wanted = ["cassr_code", "statistic", "age_band", "gender", "detail", "status", "unit", "cell"]
    assert [tuple(row) for row in as_text(table[wanted]).fillna("").itertuples(index=False)] == [
        ("816", "Numerator", "Total", "Female", "4AF", "published", "people", "H2"),
        ("816", "Margin of error", "18 to 64", "Total", "4A1864", "suppressed", "percentage points", "H3"),
        ("", "Outcome", "Total", "Total", "4A", "not_submitted", "%", "H4"),
    ]
    assert table["value"].iloc[0] == 812


@pytest.mark.parametrize(
    ("row", "column", "cell", "message"),
    [
        (0, 7, "Value", "no column is headed 'Measure Value'"),
        (0, 6, "Statistic", "cell G1: unknown header 'Statistic'"),
        (1, 6, "Numerators", "row 2: unknown measure type 'Numerators'"),
        (1, 5, "Women", "row 2: unknown disaggregation level 'Women'"),
        (1, 4, "4AM", "row 2: the code '4AM' is not that of '4A' for 'Female'"),
        (1, 8, "9Z", "row 2: no measure has the code '9Z' in 2020"),
        (2, 7, "[d]", r"made_up.ods, sheet 'in': 1 cells cannot be read.\n  - cell H3: '\[d\]' is neither"),
        (3, 2, "Council", "row 4: 'North East' with the code 'E12000001' is printed as level 'Council'"),
    ],
)
def test_open_data_refuses_what_is_not_in_the_layout(
    tmp_path: Path, row: int, column: int, cell: object, message: str
) -> None:
    path = write_ods(tmp_path / "made_up.ods", {"in": changed(OPEN_ROWS, row, column, cell)})
    with pytest.raises(LayoutError, match=message):
        ascof_open_data.read(path, record(OPEN.id, path))


def test_open_data_agrees_with_a_straight_reading(official: Path, open_data: pd.DataFrame) -> None:
    header, *rows = (
        python_calamine.CalamineWorkbook.from_path(official / OPEN.path).get_sheet_by_index(0).to_python()
    )
    printed = [row[header.index("Measure Value")] for row in rows]
    assert len(open_data) == len(rows) == 48_970
    assert (open_data["status"] == "not_submitted").sum() == printed.count("[x]") == 26_520
    assert (open_data["status"] == "suppressed").sum() == printed.count("[c]") == 43
    assert open_data["value"].dropna().tolist() == [value for value in printed if isinstance(value, float)]


def test_northumberland(open_data: pd.DataFrame) -> None:
    here = (open_data["ons_code"] == "E06000057") & (open_data["detail"] == "2D")
    rows = open_data[here].set_index("statistic")
    assert rows["value"].to_dict() == {"Numerator": 5853, "Denominator": 6113, "Outcome": 95.7}
    assert set(rows["cassr_code"]) == {"104"}
    assert set(rows["measure"]) == {"sequel_to_short_term_support"}


def test_outcomes_follow_from_unrounded_counts(open_data: pd.DataFrame) -> None:
    one_decimal = 0.0501  # half a unit of the last printed digit, and the float error of halves
    share = open_data[
        (open_data["measure"] == "sequel_to_short_term_support") & (open_data["status"] == "published")
    ]
    wide = share.pivot_table(index=["level", "name", "detail"], columns="statistic", values="value").dropna()
    assert len(wide) > 400
    assert (wide["Outcome"] - 100 * wide["Numerator"] / wide["Denominator"]).abs().max() <= one_decimal


def test_joined_file_repeats_the_open_data(joined: pd.DataFrame, open_data: pd.DataFrame) -> None:
    outcomes = open_data[(open_data["statistic"] == "Outcome") & (open_data["status"] == "published")]
    outcomes = outcomes[outcomes["detail"].isin({measure.code_in(2020) for measure in measures().values()})]
    keys = ["measure", "level", "name"]
    both = outcomes.merge(joined[joined["year"] == 2020], on=keys, how="outer", indicator=True)
    assert (both["_merge"] == "both").all()
    assert (both["value_x"] == both["value_y"]).all()


# Time series of 2024-25


def test_tables_by_hand(tmp_path: Path) -> None:
    path = write_ods(tmp_path / "made_up.ods", {"Contents": CONTENTS, "Table_5a(2)": TABLE})
    table = ascof_tables.read(path, record(TABLES.id, path))
    wanted = ["name", "year", "statistic", "value", "status", "cell"]
    rows = [tuple(row) for row in table[wanted].fillna({"value": -1.0}).itertuples(index=False)]
    earlier = "Number of respondents (earlier eligible population)"
    assert rows == [
        ("England", 2016, "Number of respondents", 51_230, "published", "D3"),
        ("England", 2016, earlier, 35_415, "published", "D3"),
        ("England", 2018, "Outcome", 32.5, "published", "E3"),
        ("Shire Counties", 2016, "Number of respondents", 13_440, "published", "D4"),
        ("Shire Counties", 2016, earlier, -1, "not_applicable", "D4"),
        ("Shire Counties", 2018, "Outcome", -1, "suppressed", "E4"),
        ("York", 2016, "Number of respondents", -1, "not_submitted", "D5"),
        ("York", 2018, "Outcome", 30, "published", "E5"),
    ]
    assert table["cassr_code"].dropna().unique().tolist() == ["816"]
    assert set(table["measure"]) == {"carers_social_contact"}


@pytest.mark.parametrize(
    ("row", "column", "cell", "message"),
    [
        (0, 0, "Table 5a(2): something else", "cell A1: the code '5a\\(2\\)' of 2024 is not described as"),
        (0, 0, "Social contact", "cell A1: 'Social contact' is not the title of this table"),
        (1, 0, "Code", "no column is headed 'Local authority code'"),
        (1, 3, "2016 to 2018 - outcome", "cell D2: unknown header '2016 to 2018 - outcome'"),
        (1, 3, "2016 to 2017 - outcomes", "cell D2: unknown header '2016 to 2017 - outcomes'"),
        (2, 4, "32.5 (31)", r"cell E3: '32.5 \(31\)' is neither a number nor known shorthand"),
        (3, 4, "[q]", r"made_up.ods, sheet 'Table_5a\(2\)': 1 cells cannot be read.\n  - cell E4: '\[q\]'"),
        (3, 1, "Shires", "cell B4: unknown area 'Shires'"),
        (4, 4, "", "cell E5: blank where a figure is expected"),
    ],
)
def test_tables_refuse_what_is_not_in_the_layout(
    tmp_path: Path, row: int, column: int, cell: object, message: str
) -> None:
    path = write_ods(
        tmp_path / "made_up.ods", {"Contents": CONTENTS, "Table_5a(2)": changed(TABLE, row, column, cell)}
    )
    with pytest.raises(LayoutError, match=message):
        ascof_tables.read(path, record(TABLES.id, path))


def test_tables_check_the_list_of_contents(tmp_path: Path) -> None:
    source = record(TABLES.id, tmp_path / "made_up.ods")
    path = write_ods(
        tmp_path / "made_up.ods", {"Contents": changed(CONTENTS, 2, 4, "1I(1)"), "Table_5a(2)": TABLE}
    )
    with pytest.raises(
        LayoutError, match=r"cell E3: '1I\(1\)' where carers_social_contact was 1I2 in 2022-23"
    ):
        ascof_tables.read(path, source)
    extra = [
        *CONTENTS,
        ["4A", "The proportion of people who use services who feel safe", "ASCS", "2010", "4A"],
    ]
    path = write_ods(tmp_path / "made_up.ods", {"Contents": extra, "Table_5a(2)": TABLE})
    with pytest.raises(LayoutError, match="4A: no table"):
        ascof_tables.read(path, source)


def test_tables_agree_with_a_straight_reading(official: Path, tables: pd.DataFrame) -> None:
    counts: Counter[str] = Counter()
    workbook = python_calamine.CalamineWorkbook.from_path(official / TABLES.path)
    for name in workbook.sheet_names:
        if name.startswith("Table_"):
            rows = workbook.get_sheet_by_name(name).to_python(skip_empty_area=False)
            header = next(number for number, row in enumerate(rows) if row[0] == "Local authority code")
            for row in rows[header + 1 :]:
                for cell in row[3:]:
                    pair = isinstance(cell, str) and " (" in cell
                    counts["published"] += isinstance(cell, float) or pair
                    counts["earlier"] += pair and ":" not in str(cell)
                    counts["colon"] += pair and ":" in str(cell)
                    counts[str(cell)] += str(cell).startswith("[")
    assert Counter(tables["status"]) == {
        "published": counts["published"] + counts["earlier"],
        "suppressed": counts["[c]"],
        "not_submitted": counts["[x]"],
        "not_applicable": counts["[z]"] + counts["colon"],
    }
    assert tables["statistic"].str.contains("earlier").sum() == counts["earlier"] + counts["colon"]


def test_england_2024_25(tables: pd.DataFrame) -> None:
    rows = tables[(tables["measure"] == "sequel_to_short_term_support_cld") & (tables["level"] == "england")]
    assert rows.set_index("statistic")["value"].to_dict() == {
        "Numerator": 142_525,
        "Denominator": 184_745,
        "Outcome": 77.1,
    }
    assert set(rows["detail"]) == {"2A"}
    assert set(rows["year"]) == {2024}


def test_two_publications_agree_on_survey_outcomes(joined: pd.DataFrame, tables: pd.DataFrame) -> None:
    outcomes = tables[
        (tables["statistic"] == "Outcome")
        & (tables["status"] == "published")
        & (tables["level"] == "council")
    ]
    both = joined.merge(outcomes, on=["year", "measure", "ons_code"])
    assert len(both) > 8_000
    assert both["measure"].nunique() >= 12
    assert set(both["year"]) >= {2017, 2018, 2019, 2021, 2022, 2023}
    assert (both["value_x"] - both["value_y"]).abs().max() < 0.0501  # half a unit of the last printed digit


@pytest.mark.parametrize("fixture", ["joined", "open_data", "tables"])
def test_no_figure_stands_for_two_things(request: pytest.FixtureRequest, fixture: str) -> None:
    table: pd.DataFrame = request.getfixturevalue(fixture)
    keys = ["year", "ons_code", "name", "level", "measure", *DIMENSIONS]
    assert not table.duplicated(keys).any()
    assert all(re.fullmatch(r"[A-Z]+\d+", cell) for cell in table["cell"].unique())


@pytest.mark.parametrize(
    ("source", "adapter"),
    [(JOINED, ascof_csv), (OPEN, ascof_open_data), (TABLES, ascof_tables)],
    ids=["csv", "xlsx", "ods"],
)
def test_truncated_files_are_refused(
    official: Path, tmp_path: Path, source: Source, adapter: ModuleType
) -> None:
    path = tmp_path / source.file
    path.write_bytes((official / source.path).read_bytes()[:-2_001])
    with pytest.raises((SourceError, LayoutError), match="truncated"):
        adapter.read(path, source)
