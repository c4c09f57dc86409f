from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clsimpact.errors import LayoutError, SourceError
from clsimpact.loaders._area import level_of, ons_code_of
from clsimpact.loaders._grid import block, check_headers, open_csv, read_cells
from clsimpact.loaders.manifest import load_manifest
from clsimpact.loaders.sheets import Sheet, clean, column_letters, open_workbook
from tests.loaders.workbooks import write_ods

SOURCE = replace(load_manifest()["ascof_tables_2024_25"], encoding="utf-8-sig", markers={"[c]": "suppressed"})
SHEET = Sheet(
    "made-up.ods",
    "Table 1",
    [["Title", ""], ["Code ", "All\nages"], ["A1", 5.0], ["B2", "[c]"], ["C3", "oops"]],
)


def number_of(letters: str) -> int:
    total = 0
    for letter in letters:
        total = 26 * total + ord(letter) - 64
    return total - 1


@given(st.integers(0, 20_000))
def test_column_letters_count_in_base_26(index: int) -> None:
    assert number_of(column_letters(index)) == index


def test_labels_are_folded() -> None:
    assert clean(" Long Term\n Support ") == "Long Term Support"
    assert clean(None) == ""


def test_header_is_found_by_text() -> None:
    assert SHEET.header_row("code", "ALL AGES") == 1
    assert SHEET.column(1, "All ages") == 1
    assert SHEET.address(1, 1) == "B2"


def test_renamed_header_names_file_sheet_and_label() -> None:
    with pytest.raises(LayoutError, match=r"made-up\.ods, sheet 'Table 1'") as caught:
        SHEET.header_row("Code", "Total")
    assert caught.value.problems == ("no column is headed 'Total'",)
    with pytest.raises(LayoutError, match="0 columns are headed 'Total'"):
        SHEET.column(1, "Total")


def test_header_printed_twice_is_refused() -> None:
    with pytest.raises(LayoutError, match="2 columns"):
        Sheet("f", "s", [["Code", "Code"]]).column(0, "Code")


def test_unknown_header_is_named_with_its_nearest() -> None:
    with pytest.raises(LayoutError, match=r"cell B2: unknown header 'All ages' \(did you mean 'All age'\?\)"):
        check_headers(SHEET, 1, ["Code", "All age"])


def test_workbook_round_trip(tmp_path: Path) -> None:
    path = write_ods(tmp_path / "small.ods", {"One": [["a", 1.5], ["", -2]], "Two": [["b"]]})
    one, two = open_workbook(path)
    assert (one.name, [list(row) for row in one.rows]) == ("One", [["a", 1.5], ["", -2.0]])
    assert (two.file, two.rows[0][0]) == ("small.ods", "b")
    assert [sheet.name for sheet in open_workbook(path, lambda name: name == "Two")] == ["Two"]


@pytest.mark.parametrize("keep", [0, 10, 300])
def test_truncated_workbook_is_one_clear_error(tmp_path: Path, keep: int) -> None:
    whole = write_ods(tmp_path / "small.ods", {"One": [["a", 1.5]]})
    cut = tmp_path / "cut.ods"
    cut.write_bytes(whole.read_bytes()[:keep])
    with pytest.raises(SourceError, match=r"cut\.ods cannot be opened as a workbook"):
        list(open_workbook(cut))


def test_cells_are_read_once_with_address_and_status() -> None:
    frame = read_cells(SHEET, block(SHEET, [2, 3], [1]), SOURCE)
    assert frame["cell"].tolist() == ["B3", "B4"]
    assert frame["status"].tolist() == ["published", "suppressed"]
    assert frame["value"].iloc[0] == 5
    assert frame["value"].isna().tolist() == [False, True]
    assert frame["table"].unique().tolist() == ["Table 1"]


def test_every_unreadable_cell_is_listed() -> None:
    with pytest.raises(LayoutError, match=r"made-up\.ods, sheet 'Table 1': 3 cells cannot be read") as caught:
        read_cells(SHEET, [(4, 1, "oops"), (0, 0, "Title"), (0, 1, "")], SOURCE)
    assert [problem.split(":")[0] for problem in caught.value.problems] == ["cell B5", "cell A1", "cell B1"]


def test_blank_cells_are_passed_over_only_on_request() -> None:
    assert read_cells(SHEET, [(0, 1, "")], SOURCE, blanks=True).empty
    with pytest.raises(LayoutError, match="blank where a figure is expected"):
        read_cells(SHEET, [(0, 1, "")], SOURCE)


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        (b"", SourceError, "is empty"),
        (b'a,b\n"1,2\n', SourceError, "cannot be read as a CSV file"),
        (b"a,b\n\xa3,2\n", SourceError, "cannot be read as a CSV file in utf-8-sig"),
        (b"a,b\n1,2\n1\n", LayoutError, "row 3: 1 cells, not 2"),
        (b"a,b\n1,2", LayoutError, "the last line does not end"),
    ],
)
def test_damaged_csv_is_refused(tmp_path: Path, content: bytes, error: type[Exception], message: str) -> None:
    path = tmp_path / "made-up.csv"
    path.write_bytes(content)
    with pytest.raises(error, match=message):
        open_csv(path, SOURCE)


def test_csv_has_spreadsheet_addresses(tmp_path: Path) -> None:
    path = tmp_path / "made-up.csv"
    path.write_bytes("\ufeffa,b\n£1,2\n".encode())
    sheet = open_csv(path, SOURCE)
    assert (sheet.name, sheet.labels(0), sheet.address(1, 1), sheet.rows[1][1]) == (
        "made-up",
        ["a", "b"],
        "B2",
        "2",
    )


def test_levels_follow_the_codes() -> None:
    codes = ["E06000001", "E08000037", "E09000001", "E10000003", "E07000008", "E12000001", "E92000001"]
    assert [level_of(code) for code in codes] == [*["council"] * 4, "district", "region", "england"]
    assert {level_of(code) for code in ("E11000001", "E13000001", "W06000001", "K02000001")} == {"other"}
    assert level_of(None, "Shire Counties") == "council_type"
    assert [ons_code_of(text) for text in ("", "-", "[z]", None, "E06000001")] == [*[None] * 4, "E06000001"]
