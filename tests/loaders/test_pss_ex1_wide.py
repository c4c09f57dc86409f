from __future__ import annotations

import csv
import re
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

from clsimpact.errors import LayoutError, SourceError
from clsimpact.loaders import pss_ex1_wide
from clsimpact.loaders.manifest import load_manifest
from clsimpact.loaders.sheets import column_letters
from tests.loaders.workbooks import record, write_csv

SOURCES = {name: source for name, source in load_manifest().items() if source.adapter == "pss_ex1_wide"}
MONEY = "pss_ex1_expenditure_2014_15"
WEEKS = "pss_ex1_activity_2014_15"
COSTS = "pss_ex1_unit_costs_2014_15"
LABELS = {MONEY: 5, WEEKS: 5, COSTS: 6}
MONEY_ROWS: list[list[object]] = [
    ["", "", "", "", "", "NW", "NE", "", ""],
    [
        *("Support type", "Age category", "Summary", "Delivery mechanism", "Accounting category"),
        *("102 - Cumbria", "104 - Northumberland", "East", "England"),
    ],
    [
        *("Long Term Support", "Age 18-64", "Physical Support", "Nursing", "Gross current expenditure"),
        *(1.5, "$0.00", 3, 4),
    ],
    ["Long Term Support", "Age 65 and over", "Physical Support", "Residential", "Income: total", -2, 0, 3, 4],
    [
        "Short Term Support",
        "Age 18-64",
        "Sensory Support",
        "To maximise independence",
        "Net total expenditure",
        1,
        2,
        3,
        4,
    ],
    ["Notes", "", "", "", "", "", "", "", ""],
]
WEEKS_ROWS: list[list[object]] = [
    [
        *(
            "Support type",
            "Age category",
            "Primary support reason",
            "Service delivery mechanism",
            "Provision",
        ),
        *("102 - Cumbria", "104 - Northumberland", "Yorkshire and Humber", "England"),
    ],
    ["Long Term Support", "Age 18-64", "Physical Support", "Nursing", "In house", 10, ":", 30, 40],
    ["Long Term Support", "", "", "Internal home care provision", "Hourly rate", 12.5, 13, 14, 15],
    ["Long Term Support", "", "", "Capital charges", "In house", "Yes", "no", "", ""],
]


def read(tmp_path: Path, source_id: str, rows: list[list[object]]) -> pd.DataFrame:
    path = write_csv(tmp_path / "made-up.csv", rows)
    # A few made-up rows are no whole file: what is missing is tested in test_complete.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pss_ex1_wide, "_incomplete", lambda *_: ())
        return pss_ex1_wide.read(path, record(source_id, path))


def changed(rows: list[list[object]], row: int, column: int, cell: object) -> list[list[object]]:
    copy = [list(line) for line in rows]
    copy[row][column] = cell
    return copy


@pytest.fixture(scope="module")
def tables(official: Path) -> dict[str, pd.DataFrame]:
    return {name: pss_ex1_wide.read(official / source.path, source) for name, source in SOURCES.items()}


@pytest.fixture(scope="module")
def lines(official: Path) -> dict[str, list[list[str]]]:
    """Every line of the files, without the code under test."""
    found = {}
    for name, source in SOURCES.items():
        with (official / source.path).open(encoding="cp1252", newline="") as stream:
            found[name] = list(csv.reader(stream))
    return found


# --- by hand


def test_expenditure_by_hand(tmp_path: Path) -> None:
    found = read(tmp_path, MONEY, MONEY_ROWS)
    first = found[found["cell"].str.endswith("3")]
    wanted = ["level", "ons_code", "cassr_code", "name", "value", "marker", "cell"]
    assert first[wanted].astype("object").where(first[wanted].notna(), None).to_numpy().tolist() == [
        ["council", "E10000006", "102", "Cumbria", 1.5, None, "F3"],
        ["council", "E06000057", "104", "Northumberland", 0.0, "$0.00", "G3"],
        ["region", "E12000006", None, "East of England", 3.0, None, "H3"],
        ["england", "E92000001", None, "England", 4.0, None, "I3"],
    ]
    cumbria = found[found["cassr_code"] == "102"].set_index("cell")
    wanted = [
        "measure",
        "care_type",
        "age_band",
        "support_setting",
        "purpose",
        "finance_description",
        "value",
    ]
    assert cumbria[wanted].astype("object").where(cumbria[wanted].notna(), None).to_numpy().tolist() == [
        ["gross_current_expenditure", "Long term", "18 to 64", "Nursing", None, None, 1.5],
        ["total_income", "Long term", "65 and over", "Residential", None, "Total", -2.0],
        ["net_total_expenditure", "Short term", "18 to 64", None, "To maximise independence", None, 1.0],
    ]
    assert set(found["year"]) == {2014}


def test_activity_by_hand(tmp_path: Path) -> None:
    found = read(tmp_path, WEEKS, WEEKS_ROWS).set_index("cell")
    assert found.loc["G2", ["status", "marker"]].tolist() == ["not_submitted", ":"]
    assert found.loc["F3", ["measure", "provision", "value"]].tolist() == [
        "home_care_hourly_rate",
        "In house",
        12.5,
    ]
    assert found.loc[["F4", "G4"], "status"].tolist() == ["text_answer", "text_answer"]
    assert found.loc[["F4", "G4"], "marker"].tolist() == ["Yes", "no"]
    assert found["value"].isna().sum() == 3
    assert "H4" not in found.index


# --- bad input


@pytest.mark.parametrize(
    ("source_id", "rows", "problem"),
    [
        (
            MONEY,
            changed(MONEY_ROWS, 2, 5, "lots"),
            r"F3: 'lots' is neither a number nor known shorthand \(:\)",
        ),
        (MONEY, changed(MONEY_ROWS, 2, 5, ""), r"F3: blank, and a blank has no meaning in this file"),
        (
            MONEY,
            changed(MONEY_ROWS, 1, 5, "999 - Nowhere"),
            r"column F: '999 - Nowhere': no council had this code in 2014-15",
        ),
        (MONEY, changed(MONEY_ROWS, 1, 7, "Eest"), r"column H: unknown area 'Eest' \(did you mean .*'East'"),
        (
            MONEY,
            changed(MONEY_ROWS, 1, 6, "102 - Cumbria"),
            r"columns F and G: Cumbria \(E10000006\) stands in several",
        ),
        (
            MONEY,
            changed(MONEY_ROWS, 1, 6, "102 - Cumbrria"),
            r"column G: '102 - Cumbrria': the code 102 is that of Cumbria",
        ),
        (
            MONEY,
            changed(MONEY_ROWS, 2, 1, "Age 18-46"),
            r"column age band, row 3: 'Age 18-46' is no known age band .*18-64",
        ),
        (
            MONEY,
            changed(MONEY_ROWS, 3, 4, "Incme: total"),
            r"accounting category, row 4: 'Incme: total' is not known \(did you mean 'Income: total'",
        ),
        (
            WEEKS,
            changed(WEEKS_ROWS, 1, 4, "In hous"),
            r"column provision, row 2: 'In hous' is no known provision .*'in house'",
        ),
        (
            WEEKS,
            changed(WEEKS_ROWS, 2, 3, "Internl home care"),
            r"column provision, row 3: 'Internl home care' is no known",
        ),
    ],
)
def test_what_is_not_understood_is_refused_with_its_place(
    tmp_path: Path, source_id: str, rows: list[list[object]], problem: str
) -> None:
    with pytest.raises(LayoutError, match=r"^made-up\.csv: some cells are not understood") as caught:
        read(tmp_path, source_id, rows)
    assert re.match(problem, caught.value.problems[0]), caught.value.problems
    assert len(caught.value.problems) == 1


def test_heading_that_is_not_the_declared_one(tmp_path: Path) -> None:
    with pytest.raises(
        LayoutError, match=r"made-up\.csv, row 2: .*\n  - column D is headed 'Delivery', not 'Delivery mech"
    ):
        read(tmp_path, MONEY, changed(MONEY_ROWS, 1, 3, "Delivery"))
    with pytest.raises(LayoutError, match=r"made-up\.csv: no row begins with 'Support type'"):
        read(tmp_path, MONEY, changed(MONEY_ROWS, 1, 0, "Type of support"))
    with pytest.raises(LayoutError, match="no column of a council"):
        read(tmp_path, MONEY, [row[:5] for row in MONEY_ROWS])


@pytest.mark.parametrize("name", list(SOURCES))
def test_file_cut_within_a_line(official: Path, tmp_path: Path, name: str) -> None:
    source = SOURCES[name]
    content = (official / source.path).read_bytes()
    path = tmp_path / source.file
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(
        SourceError, match=re.escape(source.file) + r"(: not every row has| cannot be read as a CSV)"
    ):
        pss_ex1_wide.read(path, source)


# --- the official files


@pytest.mark.parametrize("name", list(SOURCES))
def test_every_cell_is_read_once_with_its_value(
    tables: dict[str, pd.DataFrame], lines: dict[str, list[list[str]]], name: str
) -> None:
    printed: dict[str, str] = {}
    start = next(number for number, line in enumerate(lines[name]) if line[0] == "Support type")
    for number, line in enumerate(lines[name]):
        for column, cell in enumerate(line):
            if number > start and column >= LABELS[name] and cell.strip():
                printed[f"{column_letters(column)}{number + 1}"] = cell.strip()
    found = tables[name].set_index("cell")
    assert not found.index.duplicated().any()
    assert set(found.index) == set(printed)
    for address, value in found["value"].items():
        text = printed[str(address)].replace(",", "").replace("$", "")
        if text in (":", ".", "Yes", "No", "no"):
            assert pd.isna(value)
        else:
            assert value == float(text)


@pytest.mark.parametrize(
    ("name", "rows", "marked"),
    [
        (MONEY, 406_448, {"$0.00": 1}),
        (WEEKS, 13_598, {":": 47, "Yes, No or no": 152}),
        (COSTS, 34_992, {".": 2_458}),
    ],
)
def test_markers(tables: dict[str, pd.DataFrame], name: str, rows: int, marked: dict[str, int]) -> None:
    marker = tables[name]["marker"].dropna().astype("object")
    words = marker.where(~marker.isin(["Yes", "No", "no"]), "Yes, No or no")
    assert len(tables[name]) == rows
    assert Counter(words) == marked


def test_councils_sum_to_the_independent_count(tables: dict[str, pd.DataFrame]) -> None:
    rows = tables[MONEY].query("measure == 'gross_current_expenditure' and primary_support_reason == 'Total'")
    rows = rows[(rows["care_type"] == "Total") & rows["detail"].isna()]
    assert len(rows) == 152
    assert set(rows["level"]) == {"council"}
    assert rows["value"].sum() == pytest.approx(17_043_296, abs=5)


def test_column_of_a_council_keeps_its_code(
    tables: dict[str, pd.DataFrame], lines: dict[str, list[list[str]]]
) -> None:
    for name, found in tables.items():
        header = next(line for line in lines[name] if line[0] == "Support type")
        codes = {
            column_letters(at): cell[:3] for at, cell in enumerate(header) if re.match(r"\d{3} - ", cell)
        }
        councils = found[found["level"] == "council"]
        column = councils["cell"].str.extract(r"^([A-Z]+)", expand=False)
        assert (column.map(codes) == councils["cassr_code"]).all()
        assert len(codes) == 152


def test_regions_are_there_only_where_printed(tables: dict[str, pd.DataFrame]) -> None:
    assert set(tables[MONEY]["level"]) == {"council"}
    for name in (WEEKS, COSTS):
        regions = tables[name][tables[name]["level"] == "region"]
        assert set(regions["ons_code"]) == {f"E1200000{number}" for number in range(1, 10)}
        assert set(tables[name][tables[name]["level"] == "england"]["ons_code"]) == {"E92000001"}
