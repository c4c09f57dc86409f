"""The PDF: the same blocks as the page, the same bytes twice."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from clsimpact.report import collect, pdf
from clsimpact.report.document import (
    Document,
    Equation,
    FigureBlock,
    Folded,
    Heading,
    TableBlock,
    every_block,
)
from clsimpact.report.ledger import Ledger
from clsimpact.report.pdf import to_pdf, to_typst
from clsimpact.report.replicate import replicate
from tests.report.conftest import Run

pytestmark = pytest.mark.once


def drawings(run: Run) -> dict[str, bytes]:
    places = (run.folder / "figures").glob("*.svg")
    return {f"figures/{path.name}": path.read_bytes() for path in places}


def text_of(path: Path) -> str:
    if shutil.which("pdftotext") is None:
        pytest.skip("pdftotext is not installed")
    done = subprocess.run(["pdftotext", "-layout", str(path), "-"], capture_output=True, check=True)
    return done.stdout.decode()


def test_it_is_a_pdf_and_the_same_bytes_twice(run: Run) -> None:
    written = (run.folder / "report.pdf").read_bytes()
    assert written.startswith(b"%PDF")
    assert to_pdf(run.report.document, drawings(run)) == written


def test_headings_claims_and_tables_can_be_read(run: Run) -> None:
    text = " ".join(text_of(run.folder / "report.pdf").split())
    for block in every_block(run.report.document.blocks):
        if isinstance(block, Heading | Folded):
            title = block.text if isinstance(block, Heading) else block.title
            assert title in text, title
    assert "+£17.8" in text
    assert "Claims and tests" in text
    assert "SIMULATED" not in text


def test_every_figure_and_equation_has_words_for_those_who_do_not_see_it(run: Run) -> None:
    source = to_typst(run.report.document)
    blocks = list(every_block(run.report.document.blocks))
    figures = [block for block in blocks if isinstance(block, FigureBlock)]
    assert len(figures) > 20
    for block in figures:
        assert pdf._text(block.figure.alt_text) in source
    for block in blocks:
        if isinstance(block, Equation):
            assert pdf._text(block.words) in source
        if isinstance(block, TableBlock):
            assert pdf._text(block.table.caption) in source


def test_words_are_never_read_as_markup() -> None:
    title = '*a* #b _c_ $d$ "e" \\f <g> @h'
    empty = Ledger(title, False, (), {}, {}, {}, (), "")
    document = Document(title, "Why?", False, (Heading(title, "x"),), empty)
    assert to_pdf(document, {}).startswith(b"%PDF")


def test_without_the_extra_libraries_the_rest_is_written(
    small_study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collect, "find_spec", lambda name: None if name == "typst" else name)
    report = replicate(tmp_path / "out", study=small_study)
    assert not (report.folder / "report.pdf").exists()
    assert "report.pdf" not in report.ledger.files
    assert not list(report.folder.rglob("*.docx"))
    assert (report.folder / "report.html").is_file()
    assert "need typst: pip install clsimpact[report]" in (report.folder / "run.json").read_text(
        encoding="utf-8"
    )
    monkeypatch.undo()
    again = replicate(tmp_path / "out", study=small_study)
    assert (again.folder / "report.pdf").is_file()
    last = replicate(tmp_path / "out", study=small_study, pdf=False)
    assert not (last.folder / "report.pdf").exists(), "of an earlier run"
