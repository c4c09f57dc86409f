from __future__ import annotations

import csv
import time
from pathlib import Path

import pandas as pd
import pytest

from clsimpact.errors import LayoutError
from clsimpact.loaders import lookup
from clsimpact.loaders.manifest import load_manifest
from tests.loaders.workbooks import record, write_csv

MANIFEST = load_manifest()
TIERS = [source.id for source in MANIFEST.values() if source.id.startswith("lookup_")]
SMALL: list[list[object]] = [
    ["FID", "LTLA20CD", "LTLA20NM", "UTLA20CD", "UTLA20NM"],
    [1, "E06000001", "Hartlepool", "E06000001", "Hartlepool"],
    [2, "E07000026", "Allerdale", "E10000006", "Cumbria"],
]


def held(official: Path, source_id: str) -> pd.DataFrame:
    return lookup.read(official / MANIFEST[source_id].path, MANIFEST[source_id])


def small(
    tmp_path: Path, rows: list[list[object]], source_id: str = "lookup_lower_upper_2020"
) -> pd.DataFrame:
    path = write_csv(tmp_path / "lookup.csv", rows)
    return lookup.read(path, record(source_id, path))


def test_tiers_by_hand(tmp_path: Path) -> None:
    assert [tuple(row) for row in small(tmp_path, SMALL).itertuples(index=False)] == [
        ("E06000001", "Hartlepool", "E06000001", "Hartlepool", "E06000001", 2020),
        ("E07000026", "Allerdale", "E10000006", "Cumbria", "E10000006", 2020),
    ]


def test_groups_of_2016_are_no_councils(tmp_path: Path) -> None:
    header: list[object] = ["LTLA16CD", "LTLA16NM", "UTLA16CD", "UTLA16NM", "OBJECTID"]
    table = small(tmp_path, [header, ["E08000001", "Bolton", "E11000001", "Greater Manchester", 1]])
    assert table["upper_code"].item() == "E11000001"
    assert table["council_code"].item() == "E08000001"


@pytest.mark.parametrize(
    ("row", "column", "cell", "message"),
    [
        (0, 3, "UTLA", r"0 columns are headed 'upper code"),
        (0, 0, "Region", "cell A1: unknown header 'Region'"),
        (1, 1, "Hartlepool", "row 2: 'Hartlepool' is no ONS code"),
        (1, 3, "", "row 2: .* is no ONS code"),
        (2, 1, "E06000001", "row 2: the lower-tier code 'E06000001' is missing or listed twice"),
    ],
)
def test_tiers_refuse_what_is_not_in_the_layout(
    tmp_path: Path, row: int, column: int, cell: object, message: str
) -> None:
    rows = [list(cells) for cells in SMALL]
    rows[row][column] = cell
    with pytest.raises(LayoutError, match=message):
        small(tmp_path, rows)


def test_code_list_by_hand(tmp_path: Path) -> None:
    rows: list[list[object]] = [
        ["Geography", "Council type", "Council region", "LA Code ", "ONS Area Code"],
        ["North East", "", "North East", "NE", "E12000001"],
        ["York", "Unitary Authority", "Yorkshire and The Humber", 816, "E06000014"],
    ]
    table = small(tmp_path, rows, "ascof_codes")
    assert table["cassr_code"].fillna("").tolist() == ["", "816"]
    assert table["area_code"].tolist() == ["NE", "816"]
    assert table["level"].tolist() == ["region", "council"]
    with pytest.raises(LayoutError, match="row 3: 'York' has no CASSR code"):
        small(tmp_path, [*rows[:2], [*rows[2][:3], "", rows[2][4]]], "ascof_codes")
    with pytest.raises(LayoutError, match="row 3: 'W06000001' is no council"):
        small(tmp_path, [*rows[:2], [*rows[2][:4], "W06000001"]], "ascof_codes")


def test_mysociety_by_hand(tmp_path: Path) -> None:
    rows: list[list[object]] = [
        ["local-authority-code", "gss-code", "start-date", "end-date", "replaced-by"],
        ["BUC", "E10000002", "", "2020-03-31", "BKM"],
        ["BKM", "E06000060", "2020-04-01", "", ""],
    ]
    table = small(tmp_path, rows, "local_authorities_mysociety")
    assert table["replaced_by"].fillna("").tolist() == ["BKM", ""]
    with pytest.raises(LayoutError, match="row 2: 'April 2020' is no date"):
        small(
            tmp_path, [rows[0], ["BUC", "E10000002", "", "April 2020", "BKM"]], "local_authorities_mysociety"
        )
    with pytest.raises(LayoutError, match="headed 'replaced-by'"):
        small(tmp_path, [[*rows[0][:4], "successor"], rows[1]], "local_authorities_mysociety")


def test_headings_that_stand_twice_are_no_row(tmp_path: Path) -> None:
    header: list[object] = ["Measure Group Description", "Direction"]
    with pytest.raises(LayoutError, match="row 3: the headings again"):
        small(tmp_path, [header, ["Quality of life", "Higher"], header], "ascof_direction")


def test_thousands_of_unknown_headings_are_told_soon(tmp_path: Path) -> None:
    start = time.process_time()
    rows: list[list[object]] = [[*SMALL[0], *(f"c{n}" for n in range(3_000))], [*SMALL[1], *[""] * 3_000]]
    with pytest.raises(LayoutError, match="and 2960 more"):
        small(tmp_path, rows)
    assert time.process_time() - start < 20


def test_unknown_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LayoutError, match=r"lookup\.csv, sheet 'lookup': it is no known look-up"):
        small(tmp_path, [["a", "b"], ["1", "2"]])


@pytest.mark.parametrize("source_id", TIERS)
def test_every_row_of_the_held_lookups_is_read(official: Path, source_id: str) -> None:
    source = MANIFEST[source_id]
    with (official / source.path).open(encoding=source.encoding) as stream:
        rows = list(csv.DictReader(stream))
    code = next(name for name in rows[0] if name.startswith("UTLA") and name.endswith("CD"))
    table = held(official, source_id)
    assert table.columns.tolist() == [
        "lower_code",
        "lower_name",
        "upper_code",
        "upper_name",
        "council_code",
        "valid_for",
    ]
    assert table["upper_code"].tolist() == [row[code] for row in rows]
    assert table["valid_for"].unique().tolist() == [source.year]


def test_councils_by_year(official: Path) -> None:
    upper = {
        year: held(official, f"lookup_lower_upper_{year}")["council_code"]
        for year in (2016, 2019, 2020, 2022, 2023)
    }
    councils = {year: codes[codes.str.startswith("E")].nunique() for year, codes in upper.items()}
    assert councils == {2016: 152, 2019: 151, 2020: 151, 2022: 152, 2023: 153}


def test_cumbria_in_2012_2019(official: Path) -> None:
    table = held(official, "lookup_lower_upper_2012_2019")
    districts = table.loc[table["upper_code"] == "E10000006", "lower_name"]
    assert sorted(districts) == [
        "Allerdale",
        "Barrow-in-Furness",
        "Carlisle",
        "Copeland",
        "Eden",
        "South Lakeland",
    ]


def test_code_list_of_2023_24(official: Path) -> None:
    table = held(official, "ascof_codes").set_index("ons_code")
    assert (table["level"] == "council").sum() == 153
    assert table.loc["E06000057", "cassr_code"] == "104"
    assert table.loc["E06000063", "cassr_code"] == "H6X4G"


def test_directions_are_as_printed(official: Path) -> None:
    table = held(official, "ascof_direction")
    assert set(table["direction"]) == {"Higher is better", "Lower is better"}
    assert len(table) == 22


def test_mysociety_knows_the_successors_of_2021(official: Path) -> None:
    table = held(official, "local_authorities_mysociety").set_index("gss_code")
    assert table.loc["E10000021", "end_date"] is not pd.NA
    assert str(table.loc["E06000061", "start_date"]).startswith("2021")
    assert len(table) == 470
