"""Blocks: numbers of the text come from the ledger, and from nowhere else."""

from __future__ import annotations

import pytest

from clsimpact.errors import ClsimpactError
from clsimpact.report.document import Code, Folded, Heading, Items, every_block, paragraph
from clsimpact.report.ledger import Ledger, Row

LEDGER = Ledger(
    "t", False, (Row("n", "number", "units", "143", "f"), Row("s", "number", "share", "12.5%", "f")),
    {}, {}, {}, (), "",
)  # fmt: skip


def test_references_become_runs_that_know_their_row() -> None:
    made = paragraph("Of {{n}} councils {{s}} adopted.", LEDGER, "lead")
    assert [(run.text, run.row) for run in made.runs] == [
        ("Of ", ""), ("143", "n"), (" councils ", ""), ("12.5%", "s"), (" adopted.", ""),
    ]  # fmt: skip
    assert made.style == "lead"


@pytest.mark.parametrize("text", ["There are 143.", "It fell by £3", "{{n}} of 150", "a share of 0.5", "−7"])
def test_own_numbers_are_refused(text: str) -> None:
    with pytest.raises(ClsimpactError, match="not in the ledger"):
        paragraph(text, LEDGER)


@pytest.mark.parametrize("text", ["In 2016-17, C1 and CR2 of STS001", "From 2014 on", "no number"])
def test_years_and_names_are_no_numbers(text: str) -> None:
    assert paragraph(text, LEDGER).runs[0].text == text


def test_a_row_that_is_not_there_is_named() -> None:
    with pytest.raises(ClsimpactError, match="'m', which is no row"):
        paragraph("{{m}}", LEDGER)


def test_blocks_inside_others_are_found() -> None:
    blocks = [Heading("A", "a"), Folded("B", (Items(()), Folded("C", (Code("x"),))))]
    assert [block.kind for block in every_block(blocks)] == ["heading", "folded", "items", "folded", "code"]
