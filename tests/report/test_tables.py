"""Publication tables: the same cells in every format, escaped, marked, and the same bytes twice."""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import docx
import numpy as np
import pandas as pd
import pytest
from python_calamine import CalamineWorkbook

from clsimpact.errors import ClsimpactError
from clsimpact.report.tables import (
    Table,
    format_number,
    to_docx,
    to_html,
    to_latex,
    to_markdown,
    to_workbook,
)

NAN = float("nan")
PAUSE = 2.1  # seconds: the clock of a zip file counts in twos
HEADINGS = {"area": "Area", "n": "Adopters (number)", "effect": "Effect (£ per adult)", "why": "Why"}


def small(**changes: object) -> Table:
    """Make a table with every kind of cell: text, whole and other numbers, missing, empty, infinite."""
    frame = pd.DataFrame(
        {
            "area": ["Leeds", "York", "Kent"],
            "n": pd.array([1234, None, 7], dtype="Int64"),
            "effect": [-0.0365, np.nan, np.inf],
            "why": ["wide", "", None],
            "unused": [1, 2, 3],
        },
        index=[7, 7, 9],
    )
    parts = {"id": "effects", "title": "Effects", "frame": frame, "columns": HEADINGS}
    parts |= {"notes": ("Gross.",), "source": "ASC-FR"}
    if "frame" not in changes:
        parts["decimals"] = {"effect": 2}
    return Table(**(parts | changes))  # type: ignore[arg-type]


CELLS = [
    ["Leeds", "1,234", "-0.04", "wide"],
    ["York", "[x]", "[x]", "[z]"],
    ["Kent", "7", "unbounded", "[x]"],
]
NASTY = '<b>Kent & "Co"</b> 5% of_all $x$ #1 {y} ~ ^ | * [z] \\'


def nasty() -> Table:
    frame = pd.DataFrame({"a": [NASTY], "b": [1.5]})
    return small(frame=frame, columns={"a": f"Where {NASTY}", "b": "£"}, title=NASTY, notes=(NASTY,))


class TestNumbers:
    @pytest.mark.parametrize(
        ("value", "decimals", "text"),
        [
            (1234567.891, 2, "1,234,567.89"),
            (-1234.5, 0, "-1,234"),
            (-0.004, 2, "0.00"),
            (-0.006, 2, "-0.01"),
            (0, 1, "0.0"),
            (2018, None, "2018"),
            (2018.5, None, "2018.5"),
            (NAN, 2, "[x]"),
            (NAN, None, "[x]"),
            (float("-inf"), 0, "unbounded"),
        ],
    )
    def test_a_number_has_one_form(self, value: float, decimals: int | None, text: str) -> None:
        assert format_number(value, decimals) == text

    @pytest.mark.parametrize(
        ("values", "places"),
        [
            ([1, 2], 0),
            ([1.0, NAN], 0),
            ([0.5, 12.25], 1),
            ([0.0365, -0.001], 4),
            ([1e-9], 6),
            ([4321.5], 0),
            ([NAN, NAN], 0),
        ],
    )
    def test_a_column_without_decimals_shows_three_figures_of_its_largest(
        self, values: list[float], places: int
    ) -> None:
        table = small(frame=pd.DataFrame({"x": values}), columns={"x": "X"})
        assert table.places == (places,)


class TestCells:
    def test_a_p_value_below_the_last_place_is_smaller_not_zero(self) -> None:
        frame = pd.DataFrame({"p_value": [0.0004, 0.0006, 0.0, None], "share": [0.0004, 0.5, 0.0, 1.0]})
        table = Table(
            "a", "Tests", frame, {"p_value": "p-value", "share": "Share"}, decimals={"p_value": 3, "share": 3}
        )
        assert [row[0].text for row in table.rows] == ["<0.001", "0.001", "<0.001", "[x]"]
        assert table.rows[0][1].text == "0.000"
        assert "&lt;0.001" in to_html(table)

    def test_every_kind_of_cell(self) -> None:
        assert [[cell.text for cell in row] for row in small().rows] == CELLS

    @pytest.mark.parametrize("nothing", [None, NAN, pd.NA, pd.NaT, np.float64("nan")])
    def test_a_missing_value_is_never_a_number(self, nothing: object) -> None:
        frame = pd.DataFrame({"x": pd.Series([nothing, 0.0], dtype=object)})
        table = small(frame=frame, columns={"x": "X"})
        assert [(row[0].text, row[0].number) for row in table.rows] == [("[x]", None), ("0", 0.0)]
        assert table.numeric == (True,)

    def test_shorthand_is_explained_only_where_it_stands(self) -> None:
        assert small().remarks == ("Gross.", "[x] = not available.", "[z] = not applicable.")
        assert small(columns={"area": "Area"}).remarks == ("Gross.",)

    def test_truth_values_are_words_and_not_numbers(self) -> None:
        table = small(frame=pd.DataFrame({"x": [True, False]}), columns={"x": "X"})
        assert [row[0].text for row in table.rows] == ["yes", "no"]
        assert table.numeric == (False,)

    def test_the_frame_is_neither_changed_nor_shared(self) -> None:
        frame = pd.DataFrame({"x": [1.5]})
        table = small(frame=frame, columns={"x": "X"})
        frame.loc[0, "x"] = 9.0
        assert table.rows[0][0].number == 1.5
        with pytest.raises(dataclasses.FrozenInstanceError):
            table.title = "Other"  # type: ignore[misc]

    def test_all_faults_are_named_at_once(self) -> None:
        with pytest.raises(ClsimpactError) as caught:
            small(id="1 a", title=" ", columns={"are": "A", "n": "A", "why": ""}, decimals={"n": -1})
        said = str(caught.value)
        for words in (
            "id '1 a'",
            "title: empty",
            "'are' is not in the frame (did you mean 'area'?)",
            "heading of column 3: empty",
            "heading 'A' stands over more than one column",
            "decimals of n: -1",
        ):
            assert words in said

    def test_symbols_alone_are_refused_with_their_place(self) -> None:
        with pytest.raises(ClsimpactError, match=r"row 2, Why: '–' has no letter or digit"):
            small(frame=pd.DataFrame({"why": ["a", "–"]}), columns={"why": "Why"})

    @pytest.mark.parametrize("simulated", [False, True])
    def test_made_up_figures_are_marked_in_every_text(self, simulated: bool) -> None:
        for write in (to_html, to_latex, to_markdown):
            assert ("SIMULATED: Effects" in write(small(simulated=simulated))) is simulated
        assert small(simulated=True, title="SIMULATED effects").caption == "SIMULATED effects"


class TestHtml:
    def test_the_whole_of_a_small_table(self) -> None:
        assert to_html(small(simulated=True)).splitlines() == [
            '<div class="table" id="effects">',
            '<div class="table-scroll" role="region" aria-labelledby="effects-caption" tabindex="0">',
            "<table>",
            '<caption id="effects-caption">SIMULATED: Effects</caption>',
            "<thead>",
            '<tr><th scope="col">Area</th><th scope="col" class="num">Adopters (number)</th>'
            '<th scope="col" class="num">Effect (£ per adult)</th><th scope="col">Why</th></tr>',
            "</thead>",
            "<tbody>",
            '<tr><th scope="row">Leeds</th><td class="num" data-sort="1234">1,234</td>'
            '<td class="num" data-sort="-0.0365">-0.04</td><td>wide</td></tr>',
            '<tr><th scope="row">York</th><td class="num">[x]</td><td class="num">[x]</td><td>[z]</td></tr>',
            '<tr><th scope="row">Kent</th><td class="num" data-sort="7">7</td>'
            '<td class="num" data-sort="Infinity">unbounded</td><td>[x]</td></tr>',
            "</tbody>",
            "</table>",
            "</div>",
            '<div class="table-notes">',
            "<p>Gross.</p>",
            "<p>[x] = not available.</p>",
            "<p>[z] = not applicable.</p>",
            "<p>Source: ASC-FR</p>",
            "</div>",
            "</div>",
        ]

    def test_everything_is_escaped(self) -> None:
        text = to_html(nasty())
        assert text.count("&lt;b&gt;Kent &amp; &quot;Co&quot;&lt;/b&gt;") == 4  # caption, heading, cell, note
        assert "<b>" not in text
        assert '& "' not in text

    def test_numbers_for_scripts_are_exact(self) -> None:
        frame = pd.DataFrame({"x": [0.1 + 0.2, 1e16, -np.inf]})
        text = to_html(small(frame=frame, columns={"x": "X"}))
        for raw in ("0.30000000000000004", "10000000000000000", "-Infinity"):
            assert f'data-sort="{raw}"' in text


class TestLatex:
    def test_rules_columns_and_label(self) -> None:
        lines = to_latex(small()).splitlines()
        assert r"\label{tab:effects}" in lines
        assert r"\begin{tabular}{lrrl}" in lines
        assert [line for line in lines if line.endswith("rule")] == [r"\toprule", r"\midrule", r"\bottomrule"]
        assert r"Leeds & 1,234 & $-$0.04 & wide \\" in lines
        # A row that begins with [ would be read as an option of the line break before it.
        assert r"York & {[}x{]} & {[}x{]} & {[}z{]} \\" in lines
        assert lines[-2:] == [r"\par\footnotesize Source: ASC-FR", r"\end{table}"]

    def test_special_characters_are_escaped_everywhere(self) -> None:
        escaped = (
            r"\textless{}b\textgreater{}Kent \& "
            '"Co"'
            r"\textless{}/b\textgreater{} 5\% of\_all \$x\$ \#1 \{y\} \textasciitilde{} \textasciicircum{} "
            r"| * {[}z{]} \textbackslash{}"
        )
        assert to_latex(nasty()).count(escaped) == 4

    def test_long_text_is_broken(self) -> None:
        table = small(frame=pd.DataFrame({"why": ["word " * 20]}), columns={"why": "Why"})
        assert r"\begin{tabular}{p{0.4\linewidth}}" in to_latex(table)


class TestMarkdown:
    def test_the_whole_of_a_small_table(self) -> None:
        assert to_markdown(small()).splitlines() == [
            "**Effects**",
            "",
            "| Area   |   Adopters (number) |   Effect (£ per adult) | Why   |",
            "|:-------|--------------------:|-----------------------:|:------|",
            "| Leeds  |               1,234 |                  -0.04 | wide  |",
            "| York   |                 [x] |                    [x] | [z]   |",
            "| Kent   |                   7 |              unbounded | [x]   |",
            "",
            "Gross.",
            "",
            "[x] = not available.",
            "",
            "[z] = not applicable.",
            "",
            "Source: ASC-FR",
        ]

    def test_marks_of_markdown_are_escaped(self) -> None:
        text = to_markdown(nasty())
        assert r"of\_all" in text
        assert r"\| \* [z] \\" in text
        assert "<" not in text
        assert r"[a]\(b)" in to_markdown(small(title="[a](b)"))

    def test_a_table_without_rows(self) -> None:
        text = to_markdown(small(frame=pd.DataFrame({"x": []}), columns={"x": "X"}, notes=()))
        assert text.splitlines()[2:4] == ["| X   |", "|-----|"]


class TestWord:
    @pytest.fixture
    def document(self, tmp_path: Path) -> docx.document.Document:
        tables = [small(), nasty(), small(id="made-up", simulated=True)]
        return docx.Document(str(to_docx(tables, tmp_path / "tables.docx", title="All tables")))

    def test_cells_are_those_of_the_table(self, document: docx.document.Document) -> None:
        found = [[[cell.text for cell in row.cells] for row in grid.rows] for grid in document.tables]
        assert found[0] == found[2] == [list(HEADINGS.values()), *CELLS]
        assert found[1] == [[f"Where {NASTY}", "£"], [NASTY, "1.50"]]

    def test_captions_are_numbered_and_made_up_ones_marked(self, document: docx.document.Document) -> None:
        captions = [p.text for p in document.paragraphs if p.style.name == "Caption"]
        assert captions == ["Table 1. Effects", f"Table 2. {NASTY}", "Table 3. SIMULATED: Effects"]

    def test_headings_are_repeated_and_rows_stay_whole(self, document: docx.document.Document) -> None:
        grid = document.tables[0]
        marks = [[mark.tag.rsplit("}")[-1] for mark in row._tr.trPr] for row in grid.rows]
        assert marks == [["cantSplit", "tblHeader"], *3 * [["cantSplit"]]]

    @pytest.mark.parametrize("year", [1970, 2112])
    def test_a_clock_of_another_time_is_told(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, year: int
    ) -> None:
        monkeypatch.setattr(time, "localtime", lambda: time.struct_time((year, 1, 3, 0, 0, 0, 5, 3, 0)))
        with pytest.raises(ClsimpactError, match=f"cannot be written in {year}.*clock"):
            to_docx([small()], tmp_path / "tables.docx")

    def test_numbers_stand_on_the_right(self, document: docx.document.Document) -> None:
        row = document.tables[0].rows[1]
        assert [str(cell.paragraphs[0].alignment).split()[0] for cell in row.cells] == [
            "LEFT", "RIGHT", "RIGHT", "LEFT",
        ]  # fmt: skip

    def test_notes_source_and_properties(self, document: docx.document.Document) -> None:
        texts = [p.text for p in document.paragraphs]
        assert texts[0] == "SIMULATED: All tables"
        assert texts[1].startswith("SIMULATED: made-up figures")
        assert texts.count("[x] = not available.") == 2
        assert texts.count("Source: ASC-FR") == 3
        about = document.core_properties
        assert (about.title, about.keywords) == ("SIMULATED: All tables", "SIMULATED, made up")
        assert about.created == dt.datetime(2024, 1, 1, tzinfo=about.created.tzinfo)

    def test_official_figures_are_not_marked(self, tmp_path: Path) -> None:
        path = to_docx([small()], tmp_path / "tables.docx")
        with zipfile.ZipFile(path) as parts:
            assert not any(b"SIMULATED" in parts.read(name) for name in parts.namelist())

    def test_the_page_is_turned_for_a_wide_table(self, tmp_path: Path) -> None:
        wide = pd.DataFrame({f"c{i}": [i] for i in range(7)})
        table = small(frame=wide, columns={name: name for name in wide})
        section = docx.Document(str(to_docx([table], tmp_path / "wide.docx"))).sections[0]
        assert section.page_width > section.page_height


class TestWorkbook:
    @pytest.fixture
    def sheets(self, tmp_path: Path) -> dict[str, list[list[object]]]:
        path = to_workbook(
            [small(), small(id="made-up", simulated=True, notes=("Net.", "Gross."))],
            tmp_path / "tables.xlsx",
            title="All tables",
            description=["What they hold."],
            contact=["ask@example.org"],
        )
        book = CalamineWorkbook.from_path(str(path))
        return {name: book.get_sheet_by_name(name).to_python() for name in book.sheet_names}

    def test_sheets(self, sheets: dict[str, list[list[object]]]) -> None:
        assert list(sheets) == ["Cover", "Contents", "Notes", "effects", "made-up"]
        cover = [row[0] for row in sheets["Cover"]]
        assert cover[0] == "SIMULATED: All tables"
        assert {"What they hold.", "ask@example.org"} <= set(cover)
        assert [row[0] for row in sheets["Contents"]][-2:] == ["effects", "made-up"]
        assert sheets["Notes"][-2:] == [["note 1", "Gross."], ["note 2", "Net."]]

    def test_cells_are_numbers_or_the_text_shown(self, sheets: dict[str, list[list[object]]]) -> None:
        assert sheets["effects"][-4:] == [
            list(HEADINGS.values()),
            ["Leeds", 1234.0, -0.0365, "wide"],
            ["York", "[x]", "[x]", "[z]"],
            ["Kent", 7.0, "unbounded", "[x]"],
        ]

    def test_lines_above_the_table(self, sheets: dict[str, list[list[object]]]) -> None:
        plain, made_up = ([row[0] for row in sheets[name]] for name in ("effects", "made-up"))
        assert plain[0] == "Effects [note 1]"
        assert plain[2:5] == ["[x] = not available", "[z] = not applicable", "Source: ASC-FR"]
        assert not any("SIMULATED" in str(cell) for row in sheets["effects"] for cell in row)
        assert made_up[0] == "SIMULATED: Effects [note 2] [note 1]"
        assert made_up[1] == "SIMULATED: made-up figures, not official statistics"

    def test_numbers_are_shown_with_their_decimals(self, tmp_path: Path) -> None:
        path = to_workbook([small()], tmp_path / "tables.xlsx", title="All")
        with zipfile.ZipFile(path) as parts:
            styles = parts.read("xl/styles.xml").decode()
        assert set(re.findall('formatCode="(.*?)"', styles)) == {"#,##0", "#,##0.00"}

    def test_long_text_is_wrapped_and_not_wider_than_a_screen(self, tmp_path: Path) -> None:
        table = small(frame=pd.DataFrame({"n": [1], "x": ["word " * 99]}), columns={"n": "N", "x": "X"})
        path = to_workbook([table], tmp_path / "tables.xlsx", title="All")
        with zipfile.ZipFile(path) as parts:
            widths = re.findall(r'width="([\d.]+)"', parts.read("xl/worksheets/sheet4.xml").decode())
        assert [float(width) > 60 for width in widths] == [False, True]
        assert float(widths[1]) < 62

    def test_text_is_neither_a_formula_nor_a_link(self, tmp_path: Path) -> None:
        texts = ["=1+1", "http://example.org", "[a](http://b)", "$$a$$ and $$b$$"]
        table = small(frame=pd.DataFrame({"x": texts}), columns={"x": "X"}, source="=SUM(A1)")
        path = to_workbook([table], tmp_path / "tables.xlsx", title="=1")
        rows = CalamineWorkbook.from_path(str(path)).get_sheet_by_name("effects").to_python()
        assert [row[0] for row in rows][-4:] == [
            "=1+1", "http://example.org", "[a] (http://b)", "$ $a$ $ and $ $b$ $",
        ]  # fmt: skip
        with zipfile.ZipFile(path) as parts:
            sheet = parts.read("xl/worksheets/sheet4.xml").decode()
        assert "<f>" not in sheet
        assert "hyperlink" not in sheet

    def test_special_characters_come_back(self, tmp_path: Path) -> None:
        path = to_workbook([nasty()], tmp_path / "tables.xlsx", title=NASTY)
        rows = CalamineWorkbook.from_path(str(path)).get_sheet_by_name("effects").to_python()
        assert rows[-2:] == [[f"Where {NASTY}", "£"], [NASTY, 1.5]]

    def test_without_notes_there_is_no_sheet_of_notes(self, tmp_path: Path) -> None:
        path = to_workbook([small(notes=())], tmp_path / "tables.xlsx", title="All")
        assert CalamineWorkbook.from_path(str(path)).sheet_names == ["Cover", "Contents", "effects"]

    def test_what_a_workbook_cannot_hold(self, tmp_path: Path) -> None:
        rowless = small(id="empty", frame=pd.DataFrame({"x": []}), columns={"x": "X"})
        tables = [small(), small(id="Effects"), small(id="notes"), small(id="a" * 32), rowless]
        with pytest.raises(ClsimpactError) as caught:
            to_workbook(tables, tmp_path / "tables.xlsx", title="All")
        assert len(caught.value.problems) == 4
        with pytest.raises(ClsimpactError, match="no table"):
            to_workbook([], tmp_path / "tables.xlsx", title="All")
        assert not list(tmp_path.iterdir())


def test_a_second_run_gives_the_same_bytes(tmp_path: Path) -> None:
    def write(name: str) -> list[bytes]:
        tables = [small(), nasty(), small(id="made-up", simulated=True)]
        word = to_docx(tables, tmp_path / f"{name}.docx")
        workbook = to_workbook(
            [small(), small(id="made-up", simulated=True)], tmp_path / f"{name}.xlsx", title="All"
        )
        return [word.read_bytes(), workbook.read_bytes()]

    first = write("a")
    time.sleep(PAUSE)
    assert write("b") == first


class TestWithoutTheExtra:
    def test_the_library_works_and_names_what_is_missing(self) -> None:
        code = (
            "import sys\n"
            "for name in ('docx', 'gptables', 'tabulate', 'typst', 'latex2mathml', 'maketables'):\n"
            "    sys.modules[name] = None\n"
            "import pandas as pd\n"
            "import clsimpact\n"
            "from clsimpact.report.tables import Table, to_html, to_latex\n"
            "from clsimpact.report.tables import to_docx, to_markdown, to_workbook\n"
            "table = Table('a', 'A', pd.DataFrame({'x': [1]}), {'x': 'X'})\n"
            "assert '<td' in to_html(table) or '<th' in to_html(table)\n"
            "assert 'toprule' in to_latex(table)\n"
            "for write in (lambda: to_markdown(table), lambda: to_docx([table], 'a.docx'),\n"
            "              lambda: to_workbook([table], 'a.xlsx', title='A')):\n"
            "    try:\n"
            "        write()\n"
            "    except clsimpact.errors.ClsimpactError as error:\n"
            "        print(error)\n"
        )
        ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        lines = ran.stdout.splitlines()
        assert [line.split(" needs ")[1] for line in lines[::2]] == [
            f"{name}, which is not installed." for name in ("tabulate", "python-docx", "gptables")
        ]
        assert set(lines[1::2]) == {"Repair: Install it with `pip install clsimpact[report]`."}
