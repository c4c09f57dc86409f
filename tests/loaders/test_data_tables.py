from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import python_calamine
from hypothesis import given
from hypothesis import strategies as st

from clsimpact.errors import LayoutError, SourceError
from clsimpact.geography import councils
from clsimpact.loaders import data_tables
from clsimpact.loaders.data_tables import read_sheets
from clsimpact.loaders.manifest import load_manifest
from clsimpact.loaders.returns import as_text
from clsimpact.loaders.sheets import Sheet, open_workbook
from clsimpact.loaders.values import read_figure
from tests.loaders.workbooks import edit_strings, record, write_ods

SOURCE = load_manifest()["asc_fr_salt_2021_22"]
MARKERS = ("[c]", "[x]")
TITLE = (
    "Table 10: Number of requests for support received from new clients aged 18 to 64, by what happened next"
)
AREA = ["Geography code", "LA code", "LA name", "Region code", "Region name"]
T10: list[list[object]] = [
    [f"{TITLE}, 2021-22"],
    [""],
    [*AREA, "100% NHS Funded Care", "End of Life", "Total"],
    ["", "", "", "E92000001", "England", 10, "[c]", 30],
    ["", "", "", "E12000007", "London", 5, " ", 15],
    ["E09000012", "704", "Hackney", "E12000007", "London", "[x]", "[x]", "[x]"],
    ["E09000002", "716", "Barking and Dagenham", "E12000007", "London", 5, "[c]", 5],
    ["Source: SALT"],
    ["", "", "", "", "", 999],
]
T4: list[list[object]] = [
    ["Table 4: Gross Current Expenditure in cash and real terms, 2005-06 to 2021-22"],
    ["Year", "Cash terms", "Real terms"],
    ["2020-21", 100.5, 110],
    ["2021-22", 120, 120],
    ["Percentage change from 2020-21 to 2021-22", 0.194, 0.09],
    ["Source: ASC-FR"],
]


@pytest.fixture(scope="module")
def workbook(official: Path) -> Path:
    return official / SOURCE.path


@pytest.fixture(scope="module")
def table(workbook: Path) -> pd.DataFrame:
    return as_text(data_tables.read(workbook, SOURCE))


@pytest.fixture(scope="module")
def printed(workbook: Path) -> dict[tuple[str, str], object]:
    """Every cell of the tables by its address, without the code under test."""
    cells: dict[tuple[str, str], object] = {}
    book = python_calamine.CalamineWorkbook.from_path(workbook)
    for name in book.sheet_names:
        if re.fullmatch(r"T[0-9]+", name):
            rows = book.get_sheet_by_name(name).to_python(skip_empty_area=False)
            for number, line in enumerate(rows, start=1):
                cells.update({(name, f"{letters(at)}{number}"): cell for at, cell in enumerate(line)})
    return cells


def letters(at: int) -> str:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    return alphabet[at] if at < 26 else alphabet[at // 26 - 1] + alphabet[at % 26]


def kind(cell: object) -> str | None:
    """What a cell is, told by its look alone."""
    if isinstance(cell, int | float):
        return "number"
    text = str(cell).strip()
    if text in MARKERS:
        return text
    return "percent" if re.fullmatch(r"-?[0-9]+(\.[0-9]+)?%", text) else None


def read(tmp_path: Path, **sheets: list[list[object]]) -> pd.DataFrame:
    path = write_ods(tmp_path / "tables.ods", sheets)
    return as_text(data_tables.read(path, record(SOURCE.id, path), partial=True))


def problems_of(tmp_path: Path, **sheets: list[list[object]]) -> tuple[str, ...]:
    with pytest.raises(LayoutError, match=r"^tables\.ods: the tables are not laid out as declared") as caught:
        read(tmp_path, **sheets)
    return caught.value.problems


def changed(rows: list[list[object]], row: int, column: int, cell: object) -> list[list[object]]:
    copy = [list(line) for line in rows]
    copy[row][column] = cell
    return copy


# --- by hand


def test_councils_regions_and_england_by_hand(tmp_path: Path) -> None:
    found = read(tmp_path, T10=T10)
    wanted = ["level", "ons_code", "cassr_code", "name", "sequel", "value", "status", "cell"]
    rows = found[wanted].astype("object").where(found[wanted].notna(), None).to_numpy().tolist()
    assert rows == [
        ["england", "E92000001", None, "England", "100% NHS funded care", 10.0, "published", "F4"],
        ["england", "E92000001", None, "England", "End of life", None, "suppressed", "G4"],
        ["england", "E92000001", None, "England", "Total", 30.0, "published", "H4"],
        ["region", "E12000007", None, "London", "100% NHS funded care", 5.0, "published", "F5"],
        ["region", "E12000007", None, "London", "Total", 15.0, "published", "H5"],
        ["council", "E09000012", "704", "Hackney", "100% NHS funded care", None, "not_submitted", "F6"],
        ["council", "E09000012", "704", "Hackney", "End of life", None, "not_submitted", "G6"],
        ["council", "E09000012", "704", "Hackney", "Total", None, "not_submitted", "H6"],
        [
            "council",
            "E09000002",
            "716",
            "Barking and Dagenham",
            "100% NHS funded care",
            5.0,
            "published",
            "F7",
        ],
        ["council", "E09000002", "716", "Barking and Dagenham", "End of life", None, "suppressed", "G7"],
        ["council", "E09000002", "716", "Barking and Dagenham", "Total", 5.0, "published", "H7"],
    ]
    assert set(found["year"]) == {2021}
    assert set(found["unit"]) == {"requests"}
    assert set(found["return_"]) == {"SALT"}
    assert set(found["age_band"]) == {"18 to 64"}


def test_years_and_percentage_changes_by_hand(tmp_path: Path) -> None:
    found = read(tmp_path, T4=T4)
    assert found["year"].tolist() == [2020, 2020, 2021, 2021, 2021, 2021]
    assert found["value"].tolist() == [100.5, 110, 120, 120, 0.194, 0.09]
    assert found["statistic"].fillna("").tolist() == [
        "",
        "",
        "",
        "",
        "Percentage change",
        "Percentage change",
    ]
    assert found["unit"].iloc[-1] == "proportion"


def test_only_sheets_called_t_and_a_number_are_read(tmp_path: Path) -> None:
    assert set(read(tmp_path, Contents=[["x", 1]], Notes=[["Table 1: no"]], T4=T4)["table"]) == {"T4"}
    assert problems_of(tmp_path, Contents=[["x"]]) == ("no sheet is named T1, T2, ...",)


# --- bad input


@pytest.mark.parametrize(
    ("row", "column", "cell", "problem"),
    [
        (0, 0, "Something else", "T10: no title of the form 'Table 1: ...' in the first rows"),
        (
            0,
            0,
            TITLE.replace("aged", "agd"),
            "T10 A1: unknown table .* agd 18 to 64, .*did you mean 'number of requests",
        ),
        (2, 2, "Council label", "T10: no header row"),
        (2, 1, "Council code", "T10 row 3: no column for cassr_code$"),
        (
            2,
            5,
            "100% NHS Fundd Care",
            "T10 F3: unknown heading '100% NHS Fundd Care' .*did you mean '100% nhs funded",
        ),
        (2, 6, "100% NHS Funded Care", "T10 F3 and G3: two columns have the same headings"),
        (2, 7, "", "T10 H[4567]: a figure without a heading"),
        (5, 0, "E09000099", "T10 row 6: no council has the geography code 'E09000099' and the LA code '704'"),
        (5, 1, "102", "T10 row 6: no council has the geography code 'E09000012' and the LA code '102'"),
        (5, 2, "", "T10 row 6: no council has the geography code 'E09000012'"),
        (3, 3, "", "T10 row 4: '' is no region or council type"),
        (4, 3, "E12000070", "T10 row 5: 'E12000070' is no region or council type .*did you mean 'E1200000"),
        (6, 5, "five", "T10 F7: 'five' is neither a number nor known shorthand"),
        (6, 5, "5..0", "T10 F7: '5..0' is neither a number nor known shorthand"),
        (6, 5, "12,5", "T10 F7: '12,5' is neither a number nor known shorthand"),
        (6, 5, "[z]", r"T10 F7: '\[z\]' is neither a number nor known shorthand \(\[c\], \[x\]\)"),
    ],
)
def test_what_is_not_understood_is_refused_with_its_place(
    tmp_path: Path, row: int, column: int, cell: object, problem: str
) -> None:
    problems = problems_of(tmp_path, T10=changed(T10, row, column, cell))
    assert any(re.match(problem, found) for found in problems), problems


def test_a_table_without_a_figure_is_named() -> None:
    sheets = [Sheet("t.xlsx", name, rows) for name, rows in (("T4", T4), ("T10", [*T10[:3], *T10[7:]]))]
    with pytest.raises(LayoutError, match="T10: no figure stands below its headings"):
        read_sheets(sheets, SOURCE, partial=True)


def test_row_label_that_is_not_known(tmp_path: Path) -> None:
    assert problems_of(tmp_path, T4=changed(T4, 2, 0, "2020")) == ("T4 A3: '2020' is no financial year",)


def test_problems_of_all_sheets_come_together_and_the_list_ends(tmp_path: Path) -> None:
    bad = changed(T10, 6, 5, "five")
    many = [*T10[:3], *([*T10[6][:5], "five", "six", "seven"] for _ in range(20))]
    assert len(problems_of(tmp_path, T10=bad, T4=changed(T4, 2, 1, "x"))) == 2
    problems = problems_of(tmp_path, T10=many)
    assert (len(problems), problems[-1]) == (41, "and 20 more")


def test_truncated_workbook(workbook: Path, tmp_path: Path) -> None:
    half = tmp_path / workbook.name
    half.write_bytes(workbook.read_bytes()[: workbook.stat().st_size // 2])
    with pytest.raises(
        SourceError, match=re.escape(workbook.name) + " cannot be opened as a workbook: it is truncated"
    ):
        data_tables.read(half, SOURCE)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("LA name", "Council label", r"T2: no header row"),
        (
            "Discharge from Hospital",
            "Discharge from Hospitl",
            r"T8 \w+: unknown heading 'Discharge from Hospitl' .*did you",
        ),
        ("2020-21", "2020-22", r"T2 \w+: '2020-22' is not a financial year"),
        ("Barking and Dagenham", "", r"T\d+ row \d+: no council has the geography code"),
        ("E09000002", "E09000099", r"T\d+ row \d+: no council has the geography code 'E09000099'"),
    ],
)
def test_official_workbook_with_a_changed_text(
    workbook: Path, tmp_path: Path, old: str, new: str, problem: str
) -> None:
    path = edit_strings(workbook, tmp_path / workbook.name, old, new)
    with pytest.raises(LayoutError, match="^" + re.escape(workbook.name)) as caught:
        data_tables.read(path, SOURCE)
    assert any(re.match(problem, found) for found in caught.value.problems), caught.value.problems[:5]
    assert len(caught.value.problems) <= 41


# --- the official workbook


def test_every_figure_of_every_table_is_read_once(
    table: pd.DataFrame, printed: dict[tuple[str, str], object]
) -> None:
    counted = Counter((name, kind(cell)) for (name, _), cell in printed.items() if kind(cell))
    marker = table["marker"].fillna("")
    what = np.select(
        [marker.isin(MARKERS), marker.str.endswith("%").astype(bool)],
        [marker.astype(object), "percent"],
        "number",
    )
    assert Counter(zip(table["table"], what, strict=True)) == counted
    assert len({name for name, _ in counted}) == 55
    totals = Counter(what)
    assert totals == {"[c]": 7_865, "[x]": 1_579, "number": 75_323, "percent": 557}
    assert not table.duplicated(["table", "cell"]).any()


def test_a_sample_of_cells_holds_what_is_printed_at_its_address(
    table: pd.DataFrame, printed: dict[tuple[str, str], object]
) -> None:
    chosen = table.iloc[np.random.default_rng(20_212_022).choice(len(table), size=500, replace=False)]
    assert chosen["table"].nunique() > 40
    for row in chosen.itertuples():
        cell = printed[str(row.table), str(row.cell)]
        if isinstance(cell, int | float):
            assert (row.value, row.status) == (cell, "published")
        elif str(cell).strip() in MARKERS:
            assert pd.isna(float(str(row.value)))
            assert row.marker == str(cell).strip()
            assert row.status == {"[c]": "suppressed", "[x]": "not_submitted"}[str(cell).strip()]
        else:
            assert row.value == float(str(cell).strip().removesuffix("%"))
            assert row.unit == "percent"


def test_area_of_a_row_is_the_one_printed_left_of_it(
    table: pd.DataFrame, printed: dict[tuple[str, str], object]
) -> None:
    areas = table[table["level"] == "council"].assign(
        row=lambda rows: rows["cell"].str.extract(r"(\d+)$", expand=False)
    )
    for row in areas.drop_duplicates(["table", "row"]).itertuples():
        beside = [str(printed[str(row.table), f"{column}{row.row}"]).strip() for column in "ABC"]
        assert (
            beside == [row.ons_code, row.cassr_code, " ".join(str(row.name).split())]
            or str(row.name) in beside[2]
        )


def only(table: pd.DataFrame, name: str, query: str) -> float:
    rows = table[(table["table"] == name) & table["statistic"].isna()].query(query)
    assert len(rows) == 1, rows
    return float(rows["value"].iloc[0])


@pytest.mark.parametrize(
    ("name", "query", "value"),
    [
        (
            "T2",
            "level == 'england' and measure == 'requests' and age_band == '18 to 64' and year == 2020",
            577_765,
        ),
        ("T4", "measure == 'gross_current_expenditure' and year == 2016", 17_398_458),
        (
            "T9",
            "age_band == '65 and over' and sequel == 'Total' "
            "and route_of_access == 'Discharge from hospital'",
            325_520,
        ),
        (
            "T16",
            "ons_code == 'E06000060' and year == 2020 and measure == 'gross_current_expenditure'",
            185_636.10,
        ),
        ("T16", "ons_code == 'E06000060' and year == 2020 and measure == 'population'", 420_256),
        ("T50", "level == 'england' and measure == 'clients_planned_reviews'", 203_490),
        ("T50", "level == 'england' and measure == 'clients_reviewed'", 253_325),
        ("T12", "level == 'england' and measure == 'population' and age_band == '18 to 64'", 33_992_830),
        (
            "T12",
            "level == 'council_type' and cassr_code == 'D' "
            "and measure == 'requests' and age_band == '18 to 64'",
            1_745,
        ),
    ],
)
def test_figures_that_the_report_quotes(table: pd.DataFrame, name: str, query: str, value: float) -> None:
    if name == "T12" and "council_type" in query:
        pair = table.query("table == 'T12' and measure == 'requests' and age_band == '18 to 64'")
        value = float(pair.loc[pair["ons_code"].isin(["E06000061", "E06000062"]), "value"].sum())
    assert only(table, name, query) == pytest.approx(value, abs=0.5 if name == "T4" else 0.005)


def test_hackney_did_not_submit(table: pd.DataFrame) -> None:
    hackney = table[(table["table"] == "T10") & (table["ons_code"] == "E09000012")]
    assert len(hackney) == 13
    assert set(hackney["status"]) == {"not_submitted"}
    assert hackney["value"].isna().all()


def test_other_income_of_t7_has_its_care_types(
    table: pd.DataFrame, printed: dict[tuple[str, str], object]
) -> None:
    england = table[(table["table"] == "T7") & (table["level"] == "england")].set_index("cell")
    other = england[england["finance_description"] == "Other income"]
    labels = other[["care_type", "age_band"]].fillna("").to_numpy().tolist()
    assert other.index.tolist() == ["X11", "Y11", "Z11", "AA11", "AB11", "AC11"]
    assert labels == [
        ["Long term", "18 to 64"],
        ["Long term", "65 and over"],
        ["Short term", "18 to 64"],
        ["Short term", "65 and over"],
        ["Other", ""],
        ["Total", ""],
    ]
    assert printed["T7", "X7"] == "Other Income"
    assert other["value"].iloc[:5].sum() == pytest.approx(other["value"].iloc[5], abs=0.5)


def test_council_rows_sum_to_the_published_requests(table: pd.DataFrame) -> None:
    rows = table[(table["table"] == "T1") & (table["measure"] == "requests") & (table["level"] == "council")]
    assert rows[rows["age_band"] == "18 to 64"]["value"].sum() == 607_625
    assert rows["ons_code"].nunique() == 152


def test_levels_are_never_mixed(table: pd.DataFrame) -> None:
    codes = {level: set(rows["ons_code"].dropna()) for level, rows in table.groupby("level")}
    assert codes["england"] == {"E92000001"}
    assert codes["region"] == {f"E1200000{number}" for number in range(1, 10)}
    assert codes["council"] <= set(councils()["ons_code"])
    assert codes["council_type"] == set()
    names = table[table["level"] != "council"]["cassr_code"].dropna()
    assert set(names) == {"A", "D", "E", "H", "J (IL)", "J (OL)"}


@given(st.one_of(st.integers(-(10**9), 10**9), st.floats(-1e9, 1e9)), st.sampled_from(["{}", " {} "]))
def test_number_typed_as_text_reads_as_the_number(number: float, form: str) -> None:
    figure = read_figure(form.format(number), SOURCE.markers)
    assert figure is not None
    assert figure.value == number


@pytest.mark.parametrize("cell", ["12,5", "1,2,3", "1,23", "(5", "5)", "(-5)", "1,2345"])
def test_careless_spelling_is_not_read_as_another_number(cell: str) -> None:
    with pytest.raises(ValueError, match="neither a number"):
        read_figure(cell, SOURCE.markers)


def test_a_council_without_a_row_is_named(official: Path) -> None:
    sheets = list(open_workbook(official / SOURCE.path))
    sheet = next(one for one in sheets if one.name == "T47")
    leeds = next(i for i, line in enumerate(sheet.rows) if "E08000035" in line)
    cut = replace(sheet, rows=[line for i, line in enumerate(sheet.rows) if i != leeds])
    with pytest.raises(LayoutError, match=r"T47: 1 of 152 councils have no row: Leeds \(E08000035\)"):
        read_sheets([cut if one.name == "T47" else one for one in sheets], SOURCE)


def test_a_name_that_is_not_the_one_of_its_code_is_refused(official: Path) -> None:
    sheets = [one for one in open_workbook(official / SOURCE.path) if one.name == "T47"]
    lines = [["Bradford" if cell == "Leeds" else cell for cell in line] for line in sheets[0].rows]
    with pytest.raises(LayoutError, match="the codes are those of Leeds, not of 'Bradford'"):
        read_sheets([replace(sheets[0], rows=lines)], SOURCE, partial=True)
