"""The report as a list of blocks: what is said in which order, whatever it is written as.

Numbers stand in text as references to rows of the ledger, ``{{id}}``; text beside them holds none. Both
writers (:mod:`clsimpact.report.html`, :mod:`clsimpact.report.pdf`) show the same blocks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from clsimpact.errors import ClsimpactError
from clsimpact.report._table import Table
from clsimpact.report.ledger import Ledger
from clsimpact.report.product import Drawn
from clsimpact.report.words import number_tokens

__all__ = [
    "Block",
    "Code",
    "Document",
    "Equation",
    "FigureBlock",
    "Folded",
    "Heading",
    "Items",
    "Paragraph",
    "Run",
    "TableBlock",
    "every_block",
    "paragraph",
]

_REFERENCE = re.compile(r"\{\{([^{}]+)\}\}")


@dataclass(frozen=True)
class Run:
    """A piece of text; ``row`` is the row of the ledger that it comes from, ``link`` an address."""

    text: str
    row: str = ""
    link: str = ""
    strong: bool = False


@dataclass(frozen=True)
class Heading:
    """A heading, with the anchor that it is found by."""

    text: str
    anchor: str
    level: int = 2
    kind: str = "heading"


@dataclass(frozen=True)
class Paragraph:
    """A paragraph; ``style`` is ``plain``, ``lead``, ``warning`` or ``note``."""

    runs: tuple[Run, ...]
    style: str = "plain"
    kind: str = "paragraph"


@dataclass(frozen=True)
class Items:
    """A list of paragraphs."""

    items: tuple[Paragraph, ...]
    kind: str = "items"


@dataclass(frozen=True)
class FigureBlock:
    """A figure with its words."""

    figure: Drawn
    kind: str = "figure"


@dataclass(frozen=True)
class TableBlock:
    """A table."""

    table: Table
    kind: str = "table"


@dataclass(frozen=True)
class Equation:
    """An equation, in LaTeX and in Typst, with the words that a screen reader says."""

    latex: str
    typst: str
    words: str
    kind: str = "equation"


@dataclass(frozen=True)
class Code:
    """A line of code."""

    text: str
    kind: str = "code"


@dataclass(frozen=True)
class Folded:
    """Blocks that a reader can open; in PDF they stand open. ``row`` is behind the numbers of the title."""

    title: str
    blocks: tuple[Block, ...]
    row: str = ""
    kind: str = "folded"


Block = Heading | Paragraph | Items | FigureBlock | TableBlock | Equation | Code | Folded


@dataclass(frozen=True)
class Document:
    """A report.

    Attributes
    ----------
    title, question
        At its head.
    simulated
        Whether everything in it is made up.
    blocks
        In order.
    ledger
        Behind its numbers.
    """

    title: str
    question: str
    simulated: bool
    blocks: tuple[Block, ...]
    ledger: Ledger


def paragraph(text: str, ledger: Ledger, style: str = "plain") -> Paragraph:
    """Make a paragraph of text in which ``{{id}}`` stands for the text of a row of the ledger.

    Raises
    ------
    ClsimpactError
        If a row is not there, or the text holds a number of its own: every number comes from the ledger.

    Examples
    --------
    >>> from clsimpact.report.ledger import Row
    >>> ledger = Ledger("t", False, (Row("n", "number", "units", "143", "f"),), {}, {}, {}, (), "")
    >>> paragraph("There are {{n}} councils.", ledger).runs[1]
    Run(text='143', row='n', link='', strong=False)
    """
    runs: list[Run] = []
    end = 0
    for found in _REFERENCE.finditer(text):
        runs.append(Run(text[end : found.start()]))
        name = found.group(1)
        try:
            runs.append(Run(ledger[name].text, row=name))
        except KeyError:
            raise ClsimpactError(
                f"The report refers to {name!r}, which is no row of the ledger.",
                repair="Add the number to the ledger first.",
            ) from None
        end = found.end()
    runs.append(Run(text[end:]))
    plain = [token for run in runs if not run.row for token in number_tokens(run.text)]
    if plain:
        raise ClsimpactError(
            "The report holds numbers that are not in the ledger.",
            [f"{token} in: {text[:120]}" for token in plain],
            repair="Make a row of the ledger and refer to it.",
        )
    return Paragraph(tuple(run for run in runs if run.text), style)


def every_block(blocks: Sequence[Block]) -> Iterator[Block]:
    """Yield blocks, and those inside others.

    Examples
    --------
    >>> [block.kind for block in every_block([Folded("More", (Code("1 + 1"),))])]
    ['folded', 'code']
    """
    for block in blocks:
        yield block
        if isinstance(block, Folded):
            yield from every_block(block.blocks)
