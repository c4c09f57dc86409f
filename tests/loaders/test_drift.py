"""Editions move headings, spell labels anew and add notes: the same figures must come out, or an error."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clsimpact.errors import LayoutError
from clsimpact.loaders.data_tables import read_sheets
from clsimpact.loaders.labels import fold, unmarked
from clsimpact.loaders.manifest import load_manifest
from clsimpact.loaders.sheets import Sheet, clean, open_workbook
from tests.loaders.workbooks import record, write_ods

SOURCE = load_manifest()["asc_fr_salt_2021_22"]
AREA = ["Geography code", "LA code", "LA name", "Region code ", "Region name"]
FIGURE = re.compile(r"-?[\d.,]+%?|\[[cx]\]")
REQUESTS = "Number of requests for support received from new clients"
Drift = Callable[[Sheet], Sheet]

T8 = Sheet(
    "tables.xlsx",
    "T8",
    [
        ["Return to contents"],
        [""],
        [f"Table 8: {REQUESTS}, by age band and route of access, 2021-22"],
        [""],
        ["", "", "", "", "", "", "", "", "Numbers"],
        [*AREA, "18 to 64", "", "65 and over", "", "Total"],
        ["", "", "", "", "", "Discharge from Hospital", "Total", "Discharge from Hospital", "Total", ""],
        [" ", ""],
        [" ", "", "", "E92000001", "England", 10.0, 20.0, 30.0, 45.0, 65.0],
        [" ", "", "", "E12000007", "London", 5.0, "[c]", 30.0, 40.0, "[c]"],
        ["E09000012", "704", "Hackney", "E12000007", "London", "[x]", "[x]", "[x]", "[x]", "[x]"],
        ["E09000002", "716", "Barking and Dagenham", "E12000007", "London", 5.0, "[c]", 30.0, 40.0, 45.0],
        [""],
        ["Source: SALT Collection 2021-22, STS001, NHS Digital"],
        ["Some data may not sum due to rounding."],
    ],
    [((5, 5), (5, 6)), ((5, 7), (5, 8))],
)
T9 = Sheet(
    "tables.xlsx",
    "T9",
    [
        [""],
        [f"Table 9: {REQUESTS}, by route of access, age band and what happened next, 2021-22"],
        [""],
        ["Age band", "Sequel to request for support", "", "Prison", "", "Total"],
        [" "],
        ["All ages", "Total", "", 20.0, "10%", 200.0],
        ["18-64", "Total", "", 20.0, "20%", 100.0],
        [" ", "End of Life", "", "[x]", "[x]", 40.0],
        ["", "Long Term Care: Prison", "", 20.0, "33%", 60.0],
        [""],
        ["Source: SALT Collection 2021-22, STS001, NHS Digital"],
    ],
    [((3, 1), (3, 2)), ((3, 3), (3, 4)), ((5, 1), (5, 2)), ((8, 1), (8, 2))],
)


def figures(sheets: Sequence[Sheet]) -> pd.DataFrame:
    """What the reader makes of some sheets, but for the addresses of the cells."""
    return read_sheets(sheets, SOURCE, partial=True).drop(columns="cell").astype("object")


# --- ways to drift


def moved(rows: int) -> Drift:
    """Move the whole sheet down, or up as far as there are rows without a title above it."""

    def drift(sheet: Sheet) -> Sheet:
        above = next(
            at for at, line in enumerate(sheet.rows) if any(fold(cell)[:6] == "table " for cell in line)
        )
        by = max(rows, -above)
        body = [[""]] * by + list(sheet.rows) if by >= 0 else sheet.rows[-by:]
        merged = [((a + by, b), (c + by, d)) for (a, b), (c, d) in sheet.merged if a + by >= 0]
        return replace(sheet, rows=body, merged=merged)

    return drift


def column_inserted(at: int) -> Drift:
    """Insert an empty column as a spreadsheet does: ranges right of it move, ranges over it widen."""

    def drift(sheet: Sheet) -> Sheet:
        rows = [[*line[:at], "", *line[at:]] if len(line) >= at else line for line in sheet.rows]
        merged = [((a, b + (b >= at)), (c, d + (d >= at))) for (a, b), (c, d) in sheet.merged]
        return replace(sheet, rows=rows, merged=merged)

    return drift


def respelt(spell: Callable[[str], str]) -> Drift:
    """Spell every label anew: title, headings, row labels and names; figures and codes stay."""

    def drift(sheet: Sheet) -> Sheet:
        def cell(content: object) -> object:
            label = isinstance(content, str) and clean(content) and not FIGURE.fullmatch(clean(content))
            return spell(str(content)) if label else content

        return replace(sheet, rows=[[cell(content) for content in line] for line in sheet.rows])

    return drift


def footnoted(mark: str) -> Drift:
    return respelt(lambda label: f"{label.rstrip()}{mark}")


def noted(sheet: Sheet) -> Sheet:
    """Add notes below the table, with and without the line of its source."""
    source = next(
        at for at, line in enumerate(sheet.rows) if any(fold(cell)[:6] == "source" for cell in line)
    )
    before = [["1. Hackney: 5,430 requests of 2019-20 stand in the total"], ["", "", "See Table 12, 3 of 4"]]
    after: list[list[object]] = [["Notes:"], ["Note 7", "45", 12.0], ["", "", "", "", "", "", 999.0]]
    return replace(sheet, rows=[*sheet.rows[:source], *before, *sheet.rows[source:], *after])


def header_of(sheet: Sheet) -> int:
    return next(
        at
        for at, line in enumerate(sheet.rows)
        if {"la name", "age band", "year", "carer age band", "gender"} & set(map(fold, line))
    )


def merged_down(sheet: Sheet) -> Sheet:
    """Merge every heading that is not merged with the blank cell below it."""
    top = header_of(sheet)
    taken = {
        (row, column)
        for (a, b), (c, d) in sheet.merged
        for row in range(a, c + 1)
        for column in range(b, d + 1)
    }
    more = [
        ((top, column), (top + 1, column))
        for column, label in enumerate(sheet.rows[top])
        if clean(label)
        and not clean(sheet.cell(top + 1, column))
        and not {(top, column), (top + 1, column)} & taken
    ]
    return replace(sheet, merged=[*sheet.merged, *more])


def merged_nowhere(sheet: Sheet) -> Sheet:
    """Forget the merged ranges, as xlsb and OpenDocument files do."""
    return replace(sheet, merged=[])


DRIFTS: dict[str, Drift] = {
    **{f"rows moved by {by}": moved(by) for by in (-2, 1, 5)},
    **{f"column inserted at {at}": column_inserted(at) for at in (0, 2, 3, 5, 6, 9)},
    "capitals": respelt(str.upper),
    "small letters": respelt(str.lower),
    "dashes": respelt(lambda label: label.replace("-", "\u2013")),
    "long dashes": respelt(lambda label: label.replace("-", "\u2014")),
    "hyphens that do not break": respelt(lambda label: label.replace("-", "\u2011")),
    "slashes in years": respelt(lambda label: re.sub(r"(?<=\d{4})-(?=\d\d)", "/", label)),
    "line breaks": respelt(lambda label: label.replace(" ", " \n")),
    "blanks around": respelt(lambda label: f"  {label} "),
    "blanks that do not break": respelt(lambda label: label.replace(" ", "\u00a0")),
    "blanks without width": respelt(lambda label: f"\u200b{label[:3]}\u200b{label[3:]}\ufeff"),
    **{
        f"footnote mark {mark!r}": footnoted(mark)
        for mark in (" [note 3]", "\u00b9", "\u00b9\u2074", "*", " \u2020", " (1)", "(12)", "\n[Note 2] *")
    },
    "trailing notes": noted,
    "headings merged down": merged_down,
    "nothing merged": merged_nowhere,
}


@pytest.mark.parametrize("name", DRIFTS)
def test_the_same_figures_from_two_small_tables(name: str) -> None:
    pd.testing.assert_frame_equal(figures([DRIFTS[name](T8), DRIFTS[name](T9)]), figures([T8, T9]))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(list(DRIFTS)), min_size=2, max_size=5, unique=True))
def test_drifts_together(names: list[str]) -> None:
    sheets = [T8, T9]
    for name in names:
        sheets = [DRIFTS[name](sheet) for sheet in sheets]
    pd.testing.assert_frame_equal(figures(sheets), figures([T8, T9]))


@given(st.integers(0, 12), st.integers(0, 12), st.integers(-5, 5))
@settings(max_examples=20, deadline=None)
def test_columns_and_rows_inserted_anywhere(first: int, second: int, rows: int) -> None:
    for sheet in (T8, T9):
        drifted = column_inserted(second)(column_inserted(first)(moved(rows)(sheet)))
        pd.testing.assert_frame_equal(figures([drifted]), figures([sheet]))


def test_small_tables_by_hand() -> None:
    found = figures([T8, T9])
    hospital = found[found["route_of_access"] == "Discharge from hospital"]
    assert hospital["value"].dropna().tolist() == [10, 30, 5, 30, 5, 30]
    assert found[found["unit"] == "percent"]["value"].dropna().tolist() == [10, 20, 33]
    assert len(found) == 20 + 12


# --- the official workbook


@pytest.fixture(scope="module")
def official_sheets(official: Path) -> list[Sheet]:
    wanted = {"T1", "T2", "T4", "T7", "T9", "T12", "T17", "T21", "T29", "T47", "T48"}
    return list(open_workbook(official / SOURCE.path, wanted.__contains__))


@pytest.fixture(scope="module")
def official_figures(official_sheets: list[Sheet]) -> pd.DataFrame:
    return figures(official_sheets)


@pytest.mark.parametrize(
    "names",
    [
        ["rows moved by -2", "column inserted at 0", "capitals", "nothing merged"],
        ["rows moved by 5", "column inserted at 6", "dashes", "trailing notes"],
        [
            "column inserted at 3",
            "blanks that do not break",
            "footnote mark '\u00b9'",
            "headings merged down",
        ],
        ["column inserted at 9", "small letters", "line breaks", "footnote mark ' [note 3]'"],
    ],
    ids=" + ".join,
)
def test_the_same_figures_from_official_sheets(
    official_sheets: list[Sheet], official_figures: pd.DataFrame, names: list[str]
) -> None:
    sheets = official_sheets
    for name in names:
        sheets = [DRIFTS[name](sheet) for sheet in sheets]
    pd.testing.assert_frame_equal(figures(sheets), official_figures)


# --- what is not drift


def problems_of(sheets: Sequence[Sheet], *, partial: bool = True) -> tuple[str, ...]:
    with pytest.raises(
        LayoutError, match=r"^ASCFR and SALT Data Tables 2021-22\.xlsx: the tables are not laid"
    ) as caught:
        read_sheets(sheets, SOURCE, partial=partial)
    return caught.value.problems


def changed(sheet: Sheet, row: int, column: int, content: object) -> Sheet:
    rows = [list(line) for line in sheet.rows]
    rows[row][column] = content
    return replace(sheet, rows=rows)


@pytest.mark.parametrize(
    ("sheet", "row", "column", "content", "problem"),
    [
        (T8, 2, 0, "Table 8: Requests, 2021-22", r"T8 A3: unknown table 'requests'"),
        (T8, 2, 0, str(T8.rows[2][0]).replace("2021-22", "2020-21"), r"T8 A3: the title ends in 2020-21"),
        (T8, 5, 2, "Council", r"T8: no header row \('LA name'\) below the title"),
        (T8, 5, 0, "LA code", r"T8 row 6: no column for ons_code"),
        (T8, 5, 4, "Age band", r"T8 E6: this table has no column for age_band"),
        (T8, 5, 7, "65 to 99", r"T8 H6: unknown heading '65 to 99' \(did you mean"),
        (T8, 5, 7, "", r"T8 H6: no heading for age band"),
        (T8, 5, 7, "18 to 64", r"T8 F6 and H6: two columns have the same headings"),
        (T8, 6, 5, "", r"T8 F7: no heading for route of access"),
        (T8, 6, 6, "", r"T8 G9: a figure without a heading"),
        (T8, 11, 0, "E09000012", r"T8 row 12: no council has the geography code"),
        (T9, 3, 0, "Age", r"T9: no header row \('Age band'.*\) below the title"),
        (T9, 6, 0, "All ages", r"T9 rows 6 and 7: two rows have the same labels"),
        (T9, 6, 0, "18 to 46", r"T9 A7: '18 to 46' is no known age band \(did you mean"),
        (T9, 8, 1, "Long Term Care: Prisn", r"T9 B9: 'Long Term Care: Prisn' is no known sequel \(did you"),
        (T9, 3, 5, "", r"T9 F6: a figure without a heading"),
        (T9, 8, 5, "many", r"T9 F9: 'many' is neither a number nor known shorthand"),
    ],
)  # fmt: skip
def test_a_change_of_meaning_is_refused_with_its_place(
    sheet: Sheet, row: int, column: int, content: object, problem: str
) -> None:
    problems = problems_of([changed(sheet, row, column, content)])
    assert any(re.match(problem, found) for found in problems), problems


def test_a_row_of_headings_that_is_gone() -> None:
    short = replace(T8, rows=[*T8.rows[:6], *T8.rows[7:]])
    assert problems_of([short]) == ("T8 row 7: no row of headings for route of access",)


def test_a_missing_heading_below_a_group_where_some_columns_need_none(official_sheets: list[Sheet]) -> None:
    (income,) = (sheet for sheet in official_sheets if sheet.name == "T7")
    assert "T7 F9: no heading under 'Long Term Care'" in problems_of([changed(income, 8, 5, "")])


def test_two_tables_with_one_title() -> None:
    again = replace(T8, name="T10")
    (problem,) = problems_of([T8, again])
    assert problem.startswith("T10 A3: the same title as in T8 A3: 'number of requests for support")


def test_problems_of_several_sheets_come_together() -> None:
    problems = problems_of([changed(T8, 5, 7, "65 to 99"), changed(T9, 8, 1, "Prisn")])
    assert {problem[:2] for problem in problems} == {"T8", "T9"}


def test_a_list_of_contents_is_no_table_and_a_table_needs_no_number() -> None:
    contents = Sheet("tables.xlsx", "Contents", [[T8.rows[2][0]], [T9.rows[1][0]]])
    renamed = replace(T8, name="Requests by route")
    found = read_sheets([contents, renamed], SOURCE, partial=True)
    assert set(found["table"]) == {"Requests by route"}


def test_a_missing_table_is_an_error_by_edition() -> None:
    problems = problems_of([T8], partial=False)
    # 54 tables of the 2021-22 edition are absent, and councils of one: 40 are told, then how many more.
    assert len(problems) == 41
    assert problems[-1] == "and 15 more"
    assert (
        problems[1]
        == "no sheet holds the table 'Summary figures regarding Adult Social Care activity and finance'"
    )
    earlier = replace(SOURCE, year=2018)
    old = [
        replace(
            T8,
            rows=[
                [str(cell).replace("2021-22", "2018-19") if isinstance(cell, str) else cell for cell in line]
                for line in T8.rows
            ],
        )
    ]
    with pytest.raises(LayoutError) as caught:
        read_sheets(old, earlier)
    assert len(caught.value.problems) == 6
    assert "T8: 150 of 152 councils have no row" in caught.value.problems[0]
    assert len(read_sheets(old, earlier, partial=True)) == 20


def test_no_ranges_are_known_of_an_opendocument_file(tmp_path: Path) -> None:
    path = write_ods(tmp_path / "tables.ods", {"T8": T8.rows, "T9": T9.rows})
    found = read_sheets(open_workbook(path), record(SOURCE.id, path), partial=True)
    pd.testing.assert_frame_equal(found.drop(columns="cell").astype("object"), figures([T8, T9]))


# --- folding


@pytest.mark.parametrize(
    ("label", "folded"),
    [
        ("Aged 18\u201364 [note 3]", "aged 18-64"),
        ("18 \u2014 64", "18-64"),
        ("2021\u201122\u00b2", "2021-22"),
        ("65 and over", "65 and over"),
        ("65 and over (1)*", "65 and over"),
        ("Population2", "population"),
        ("12 week disregard \u2020", "12 week disregard"),
        ("at the end of the year (31 March)", "at the end of the year (31 march)"),
        ("J (IL)", "j (il)"),
        ("E09000012", "e09000012"),
        ("100% NHS", "100% nhs"),
    ],
)
def test_what_belongs_to_a_label_stays(label: str, folded: str) -> None:
    assert fold(label) == folded


@given(st.text(alphabet="aB1 -\u2013\u00b9*()[note]3\u200b\n\u00a0", max_size=20))
def test_marks_are_taken_off_once_and_for_all(label: str) -> None:
    assert unmarked(unmarked(label)) == unmarked(label)
    assert fold(fold(label)) == fold(label)
