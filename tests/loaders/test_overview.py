from __future__ import annotations

import datetime as dt
from pathlib import Path

import pandas as pd
import pytest
import python_calamine

from clsimpact.errors import LayoutError, SourceError
from clsimpact.loaders import overview
from clsimpact.loaders.labels import read_toml
from clsimpact.loaders.manifest import load_manifest
from clsimpact.loaders.returns import DIMENSIONS, as_text
from tests.loaders.workbooks import record, write_ods

SOURCE = load_manifest()["asc_overview_2022"]
SHARE = "Number of new requests for support: Age 18-64"
TABLE_1: list[list[object]] = [
    ["Table 1: made up", "", ""],
    ["Sources", "A report", ""],
    ["Measure", "2019-20", "2020-21"],
    [SHARE, 500, 600],
    ["Number of safeguarding concerns raised", "N/A", 12],
    ["", "", ""],
    ["Source: somewhere", "", ""],
]
TABLE_10B: list[list[object]] = [
    ["Table 10b: made up"],
    ["", "Year = 2022-21"],
    ["Local authority", "% of people who use services who feel safe", ""],
    ["", "Age 18-64", "Age 65 and over"],
    ["York", 77, 75.5],
    ["Torbay", "", "N/A"],
    ["Copyright"],
]


@pytest.fixture(scope="module")
def table(official: Path) -> pd.DataFrame:
    return overview.read(official / SOURCE.path, SOURCE)


def read(tmp_path: Path, sheets: dict[str, list[list[object]]]) -> pd.DataFrame:
    path = write_ods(tmp_path / "overview.ods", sheets)
    return overview.read(path, record(SOURCE.id, path))


def test_by_hand(tmp_path: Path) -> None:
    found = read(tmp_path, {"Contents": [["x"]], "Table 1": TABLE_1, "Table 10b": TABLE_10B})
    wanted = ["table", "name", "year", "measure", "age_band", "value", "unit", "cell"]
    filled = as_text(found[wanted]).fillna({"value": -1.0, "age_band": ""})
    rows = [tuple(row) for row in filled.itertuples(index=False)]
    assert rows == [
        ("Table 1", "England", 2019, "requests", "18 to 64", 500, "requests", "B4"),
        ("Table 1", "England", 2020, "requests", "18 to 64", 600, "requests", "C4"),
        ("Table 1", "England", 2019, "safeguarding_concerns", "", -1, "concerns", "B5"),
        ("Table 1", "England", 2020, "safeguarding_concerns", "", 12, "concerns", "C5"),
        ("Table 10b", "York", 2020, "feel_safe", "18 to 64", 77, "%", "B5"),
        ("Table 10b", "York", 2020, "feel_safe", "65 and over", 75.5, "%", "C5"),
        ("Table 10b", "Torbay", 2020, "feel_safe", "65 and over", -1, "%", "C6"),
    ]
    assert found["ons_code"].isna().tolist() == [False] * 4 + [True] * 3
    assert found["level"].tolist() == ["england"] * 4 + ["council"] * 3


@pytest.mark.parametrize(
    ("row", "column", "cell", "message"),
    [
        (2, 0, "Measures", "no column is headed 'Measure'"),
        (2, 1, "2019", "cell B3: '2019' is not a financial year"),
        (3, 0, SHARE + "1", rf"cell A4: unknown row label '{SHARE}1' \(did you mean '{SHARE}'"),
        (3, 1, "[c]", r"overview.ods, sheet 'Table 1': 1 cells cannot be read.\n  - cell B4: '\[c\]'"),
        (5, 1, 7, "cell A6: unknown row label ''"),
        (6, 2, 7, "cell C7: the figure 7.0 below the end of the table"),
    ],
)
def test_series_refuse_what_is_not_in_the_layout(
    tmp_path: Path, row: int, column: int, cell: object, message: str
) -> None:
    rows = [list(cells) for cells in TABLE_1]
    rows[row][column] = cell
    with pytest.raises(LayoutError, match=message):
        read(tmp_path, {"Table 1": rows})


@pytest.mark.parametrize(
    ("row", "column", "cell", "message"),
    [
        (1, 1, "Year = 2019-20", "0 of the lines Year = 2020-21"),
        (
            2,
            1,
            "% of people who feel safe",
            "cell B4: unknown header 'Age 18-64' under '% of people who feel safe'",
        ),
        (4, 0, "", "row 5: figures without a council"),
    ],
)
def test_councils_refuse_what_is_not_in_the_layout(
    tmp_path: Path, row: int, column: int, cell: object, message: str
) -> None:
    rows = [list(cells) for cells in TABLE_10B]
    rows[row][column] = cell
    with pytest.raises(LayoutError, match=message):
        read(tmp_path, {"Table 1": TABLE_1, "Table 10b": rows})


def test_a_workbook_without_tables_is_refused(tmp_path: Path) -> None:
    path = write_ods(tmp_path / "o.ods", {"Contents": [["Overview"]]})
    with pytest.raises(LayoutError, match="no sheet holds a table"):
        overview.read(path, record("asc_overview_2022", path))


def test_unknown_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LayoutError, match="sheet 'Table 11'"):
        read(tmp_path, {"Table 11": TABLE_1})


def test_every_row_label_has_a_measure_and_a_unit() -> None:
    for name, layout in read_toml("overview_rows.toml").items():
        rows = layout if name == "councils" else layout["rows"]
        assert all(
            {"measure", "unit"} <= set(row) <= {"measure", "unit", *DIMENSIONS} for row in rows.values()
        ), name


def test_agrees_with_a_straight_reading(official: Path, table: pd.DataFrame) -> None:
    workbook = python_calamine.CalamineWorkbook.from_path(official / SOURCE.path)
    cells = [
        cell
        for name in workbook.sheet_names
        if name.startswith("Table")
        for row in workbook.get_sheet_by_name(name).to_python()
        for cell in row
    ]
    numbers = [cell for cell in cells if isinstance(cell, float)]
    calendar_years, footnote = [2016.0, 2017.0, 2018.0, 2019.0, 2020.0, 2021.0], 1.0
    for extra in (*calendar_years, footnote):
        numbers.remove(extra)
    assert sorted(table["value"].dropna()) == sorted(numbers)
    assert (table["status"] == "not_applicable").sum() == cells.count("N/A") == 32
    assert sum(isinstance(cell, dt.date) for cell in cells) == 4


def test_known_series_of_england(table: pd.DataFrame) -> None:
    def series(measure: str, age_band: str, sheet: str) -> list[float]:
        here = (table["measure"] == measure) & (table["age_band"] == age_band) & (table["table"] == sheet)
        plain = table["support_setting"].isna() & table["primary_support_reason"].isna()
        return table[here & plain].sort_values("year")["value"].tolist()

    assert series("requests", "18 to 64", "Table 1") == [500_670, 508_620, 523_920, 550_435, 560_350, 577_765]
    assert series("requests", "65 and over", "Table 1")[0] == 1_310_060
    assert series("long_term_clients", "65 and over", "Table 3")[-1] == 551_550
    assert series("population", "18 to 64", "Table 3")[-1] == 33_992_831
    assert series("population", "18 to 64", "Table 1")[-1] == 33_992_830


def test_settings_add_up_to_clients(table: pd.DataFrame) -> None:
    clients = as_text(table[table["measure"] == "long_term_clients"])
    clients = clients[clients["primary_support_reason"].isna()]
    parts = clients.dropna(subset="support_setting").groupby(["year", "age_band"])["value"].sum()
    whole = clients[clients["support_setting"].isna()].set_index(["year", "age_band"])["value"]
    assert (parts - whole.loc[parts.index]).abs().max() <= 10  # two parts and a whole, each rounded to 5


def test_snapshots_keep_their_dates(table: pd.DataFrame) -> None:
    snapshots = table[(table["measure"] == "long_term_clients_snapshot") & (table["age_band"] == "18 to 64")]
    assert dict(zip(snapshots["detail"], snapshots["year"], strict=True)) == {
        "2019-03-31": 2018,
        "2020-03-31": 2019,
        "2020-06-30": 2020,
        "2020-09-30": 2020,
    }
    assert (table["table"] == "Table 10a").sum() == 0


def test_no_figure_stands_for_two_things(table: pd.DataFrame) -> None:
    assert not table.duplicated(["table", "year", "name", "measure", *DIMENSIONS]).any()


def test_truncated(official: Path, tmp_path: Path) -> None:
    path = tmp_path / SOURCE.file
    path.write_bytes((official / SOURCE.path).read_bytes()[:-500])
    with pytest.raises(SourceError, match="truncated"):
        overview.read(path, SOURCE)
