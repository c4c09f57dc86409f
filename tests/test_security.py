"""Nothing that comes from a stranger runs, computes, or leaves its folder."""

from __future__ import annotations

import ast
import csv
import io
import json
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import clsimpact as ci
from clsimpact._printable import printable
from clsimpact._spreadsheet import harmless, harmless_text
from clsimpact.errors import ClsimpactError, SourceError
from clsimpact.loaders import folder_sources
from clsimpact.loaders.manifest import load_manifest
from clsimpact.plots import event_study_figure
from clsimpact.report.document import Document, Paragraph, Run
from clsimpact.report.html import to_page
from clsimpact.report.ledger import Ledger
from clsimpact.report.pdf import to_pdf, to_typst
from clsimpact.report.product import Product, read_product, write_product
from clsimpact.report.study import load_study
from clsimpact.report.tables import Table, to_docx, to_workbook

SOURCE = Path(ci.__file__).parent
HOSTILE = "<script>alert('x')</script>"
FORMULA = '=HYPERLINK("http://example.org","x")'

RUNS = {"eval", "exec", "compile", "__import__"}
MODULES = {"pickle", "marshal", "shelve", "dill", "joblib", "subprocess", "ctypes", "code", "pty"}
CALLS = {("os", "system"), ("os", "popen"), ("pd", "read_pickle"), ("pd", "eval"), ("yaml", "load")}


def dangers(tree: ast.AST) -> list[str]:
    """Return what in a module runs code, opens a shell, or unpickles."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [it.name for it in node.names if it.name.split(".")[0] in MODULES]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in MODULES:
            found.append(str(node.module))
        elif isinstance(node, ast.Call):
            called = node.func
            if isinstance(called, ast.Name) and called.id in RUNS:
                found.append(called.id)
            elif isinstance(called, ast.Attribute):
                owner = called.value.id if isinstance(called.value, ast.Name) else ""
                if (owner, called.attr) in CALLS or called.attr in ("to_pickle", "eval", "query"):
                    found.append(f"{owner}.{called.attr}")
            found += [
                it.arg
                for it in node.keywords
                if it.arg in ("shell", "allow_pickle") and getattr(it.value, "value", None) is True
            ]
    return found


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda it: str(it.relative_to(SOURCE)))
def test_no_module_runs_what_it_is_given(path: Path) -> None:
    assert dangers(ast.parse(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "code",
    ["eval(x)", "import pickle", "from subprocess import run", "pd.read_pickle(x)", "frame.query(x)",
     "np.load(x, allow_pickle=True)", "os.system(x)", "run(x, shell=True)"],
)  # fmt: skip
def test_dangers_are_seen(code: str) -> None:
    assert dangers(ast.parse(code))


class TestSpreadsheets:
    @pytest.mark.parametrize(
        "text",
        [
            *(FORMULA, "+1+1", "-2+3", "@SUM(A1)", "\t=1", " =1", "\r=1", "=", "-x"),
            *("\ufeff=1+1", "\u200b=1+1", "\uff1d1+1", "\uff20SUM(A1)", "\x01=1+1"),
        ],
    )
    def test_a_formula_becomes_text(self, text: str) -> None:
        if len(text.strip()) > 1:
            assert harmless_text(text) == f"'{text}"

    @pytest.mark.parametrize("text", ["-1.5", "+3", "-", "-1,234", "-5%", "-1e-5", "Leeds", "", "a=b", "−3"])
    def test_other_text_stays(self, text: str) -> None:
        assert harmless_text(text) == text

    @given(st.text(max_size=12))
    def test_no_text_begins_like_a_formula(self, text: str) -> None:
        made = harmless_text(text)
        assert made.endswith(text)
        head = made.lstrip()
        if head[:1] in ("=", "@") and len(head) > 1:
            pytest.fail(made)

    def test_a_table_without_formulas_is_the_same_object(self) -> None:
        table = ci.load_mpdta()
        assert harmless(table) is table

    def test_categories_and_missing_values(self) -> None:
        table = pd.DataFrame({"a": pd.Categorical(["=1+1", None, "b"]), "n": [-1.0, None, 2.0]})
        made = harmless(table)
        assert made["a"].tolist()[0] == "'=1+1"
        assert pd.isna(made["a"].iloc[1])
        assert made["n"].equals(table["n"])


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of which every word that can be chosen is hostile."""
    folder = tmp_path_factory.mktemp("hostile")
    panel = ci.load_mpdta().rename(columns={"lemp": "=y"})
    panel["name"] = [f"{FORMULA}{HOSTILE}{county}" for county in panel["county"]]
    panel.to_csv(folder / "panel.csv", index=False)
    words = f"{FORMULA}{HOSTILE}".replace('"', '\\"')
    (folder / "study.toml").write_text(
        f"""
[study]
title = "{words}"
question = "{words}"
programme = "{words}"
units = "counties"
[data]
panel = "panel.csv"
unit = "county"
time = "year"
cohort = "first_treat"
names = "name"
source = "{words}"
licence = "{words}"
[estimation]
estimator = "event_study"
beside = ["group_time"]
[[outcomes]]
name = "=y"
label = "{words}"
unit = "{words}"
words = "{words}"
[[claims]]
id = "W1"
statement = "{words}"
source = "{words}"
outcomes = ["=y"]
[[claims.tests]]
rule = "decrease"
first = 0
[report]
figures = ["event_studies", "trends", "estimators"]
checks = ["precision"]
""",
        encoding="utf-8",
    )
    return ci.replicate(folder / "out", study=folder / "study.toml").folder


class TestReport:
    def test_the_page_escapes_every_word(self, report: Path) -> None:
        pages = list(report.rglob("*.html"))
        assert len(pages) > 1
        for page in pages:
            text = page.read_text(encoding="utf-8")
            assert "alert" in text or page.name != "report.html"
            assert HOSTILE not in text, page.name
            assert "<script>alert" not in text.casefold(), page.name

    def test_no_page_of_markdown_holds_html(self, report: Path) -> None:
        pages = list(report.rglob("*.md"))
        assert len(pages) > 2
        for page in pages:
            assert "<script" not in page.read_text(encoding="utf-8").casefold(), page.name

    def test_figures_hold_no_script(self, report: Path) -> None:
        figures = list(report.rglob("*.svg"))
        assert figures
        for figure in figures:
            assert "<script" not in figure.read_text(encoding="utf-8").casefold()

    def test_no_cell_of_a_csv_is_a_formula(self, report: Path) -> None:
        tables = list(report.rglob("*.csv"))
        assert len(tables) > 3
        for table in tables:
            for row in csv.reader(io.StringIO(table.read_text(encoding="utf-8"))):
                assert [cell for cell in row if harmless_text(cell) != cell] == [], table.name

    def test_no_cell_of_the_workbook_is_a_formula(self, report: Path) -> None:
        with zipfile.ZipFile(report / "tables" / "tables.xlsx") as book:
            sheets = [name for name in book.namelist() if name.startswith("xl/worksheets/sheet")]
            assert sheets
            for name in sheets:
                assert b"<f>" not in book.read(name), name


STUDY = """
[study]
title = {words}
question = "What?"
programme = "P"
units = "counties"
[data]
panel = "panel.csv"
unit = "county"
time = "year"
cohort = "first_treat"
[[outcomes]]
name = {name}
[[claims]]
id = "W1"
statement = "s"
source = "s"
outcomes = [{name}]
[[claims.tests]]
rule = "decrease"
first = 0
"""


def study_of(tmp_path: Path, *, name: str = "y", words: str = "A study") -> Path:
    where = tmp_path / "study.toml"
    where.write_text(STUDY.format(name=json.dumps(name), words=json.dumps(words)), encoding="utf-8")
    return where


class TestStudyFiles:
    def test_the_plain_one_is_read(self, tmp_path: Path) -> None:
        assert load_study(study_of(tmp_path, name="=y £ %")).outcomes[0].name == "=y £ %"

    @pytest.mark.parametrize("name", ["x/../../../up", "/up", "a/b", "..\\x", "x\0y", "C:x", "a?", "y" * 300])
    def test_an_outcome_whose_files_would_lie_elsewhere_is_refused(self, name: str, tmp_path: Path) -> None:
        with pytest.raises(ClsimpactError) as caught:
            load_study(study_of(tmp_path, name=name))
        assert any("cannot stand in the name of a file" in it for it in caught.value.problems)

    @pytest.mark.parametrize("words", ["a\x01b", "{{number-adopters}}", "{{7*7}}", "\u202e12", "a\x7fb"])
    def test_words_that_a_report_would_not_show_as_they_are_are_refused(
        self, words: str, tmp_path: Path
    ) -> None:
        with pytest.raises(ClsimpactError) as caught:
            load_study(study_of(tmp_path, words=words))
        assert any(it.startswith("study.title:") for it in caught.value.problems)


@pytest.mark.parametrize("name", ["../up.csv", "figures/path-x/../../../up.svg", "/up.csv", "C:up.csv"])
def test_what_a_step_made_stays_in_its_folder(name: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="outside"):
        write_product(Product(files={name: b"x"}), tmp_path / "step")
    assert [it for it in tmp_path.rglob("*") if it.is_file()] == []


def test_a_list_of_a_step_that_names_other_files_is_not_believed(tmp_path: Path) -> None:
    (tmp_path / "up.csv").write_bytes(b"x")
    write_product(Product(files={"a.csv": b"x"}), tmp_path / "step")
    assert read_product(tmp_path / "step") is not None
    (held,) = (it for it in (tmp_path / "step").glob("*.json"))
    held.write_text(held.read_text(encoding="utf-8").replace("a.csv", "../../up.csv"), encoding="utf-8")
    assert read_product(tmp_path / "step") is None


UNSEEN = "a\x01b\x0c\ud800 \u202e12 ]]> " + HOSTILE


def test_characters_that_cannot_be_shown_break_no_file(tmp_path: Path) -> None:
    design = ci.Design(
        ci.load_mpdta(), outcome="lemp", unit="county", time="year", cohort="first_treat",
        outcome_label=UNSEEN, outcome_unit=UNSEEN, source=UNSEEN,
    )  # fmt: skip
    fit = ci.event_study(design)
    ElementTree.parse(event_study_figure(fit).save(tmp_path / "a.svg"))
    fit.to_docx(tmp_path / "a.docx")
    for text in (fit.to_html(), fit.to_latex(), fit.to_markdown(), fit._repr_html_(), str(fit)):
        assert printable(text) == text
        text.encode("utf-8")


def test_names_of_units_that_cannot_be_shown_break_no_table(tmp_path: Path) -> None:
    text = UNSEEN.replace("\ud800", "")  # pandas holds none of these itself
    table = Table("names", "Names", pd.DataFrame({"name": [text]}), {"name": "Name"})
    to_docx([table], tmp_path / "a.docx")
    to_workbook([table], tmp_path / "a.xlsx", title="Names")
    assert printable(table.rows[0][0].text) == table.rows[0][0].text


@pytest.mark.parametrize(
    "words", ['"]) #read("/etc/passwd") #panic("x")', '\\ $ $ `x` // #eval("x")', "a\x01\x08\x7f\ud800"]
)
def test_a_pdf_shows_words_and_runs_none(words: str) -> None:
    ledger = Ledger(words, False, (), {}, {}, {}, (), "")
    document = Document(words, words, False, (Paragraph((Run(words, link="javascript:alert(1)"),)),), ledger)
    assert to_pdf(document, {}).startswith(b"%PDF")
    assert "javascript" not in to_typst(document)
    assert "javascript" not in to_page(document, {})


def test_notebook_pages_escape_labels() -> None:
    panel = ci.load_mpdta()
    design = ci.Design(
        panel, outcome="lemp", unit="county", time="year", cohort="first_treat",
        outcome_label=HOSTILE, outcome_unit=HOSTILE, source=HOSTILE,
    )  # fmt: skip
    fit = ci.twfe(design)
    for shown in (design, fit, ci.compare([fit, ci.imputation(design)]), fit.check("precision")):
        assert "<script" not in shown._repr_html_()
    assert "<script" not in fit.to_html()
    assert event_study_figure(ci.event_study(design)).alt_text


@pytest.mark.parametrize(
    "name",
    ["../../secret.csv", "/etc/passwd", "..\\\\secret.csv", "C:\\\\x.csv", "a/../../b.csv", "x\\u0000.csv"],
)
@pytest.mark.parametrize("field", ["file", "path"])
def test_a_manifest_stays_in_its_folder(name: str, field: str, tmp_path: Path) -> None:
    record = {"file": "a.csv", "path": "a.csv"} | {field: name}
    lines = "\n".join(f'{key} = "{value}"' for key, value in record.items())
    rest = "\n".join(
        f'{key} = "x"' for key in
        ("publication", "publisher", "years", "adapter", "sha256", "licence", "attribution")
    )  # fmt: skip
    where = tmp_path / "manifest.toml"
    where.write_text(f'[[source]]\nid = "simulated_salt_2014_15"\nsimulated = true\n{lines}\n{rest}\n')
    with pytest.raises(SourceError, match="outside its folder"):
        load_manifest(where)
    with pytest.raises(ClsimpactError):
        folder_sources(tmp_path)


def test_a_manifest_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "manifest.toml").write_text("[[source", encoding="utf-8")
    with pytest.raises(SourceError, match="no manifest"):
        load_manifest(tmp_path / "manifest.toml")
