"""The report as a PDF, set by Typst from the same blocks as the page."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Final

from clsimpact._paths import inside
from clsimpact._printable import printable
from clsimpact.report._table import Table, extra_library
from clsimpact.report.document import Block, Document, FigureBlock, Paragraph

__all__ = ["to_pdf", "to_typst"]

_PAGE_WIDTH: Final = 17.0
_PAGE_HEIGHT: Final = 23.5
"""Room for a figure on a page, in centimetres."""
_NARROWEST: Final = 7
_WIDEST: Final = 34
"""Letters that a column is given room for, at least and at most."""


def to_pdf(document: Document, files: Mapping[str, bytes]) -> bytes:
    """Set a report as a PDF: the same blocks as the page, with page numbers, contents and text alternatives.

    Parameters
    ----------
    document
        The report.
    files
        Its drawings by name (``figures/<id>.svg``).

    Returns
    -------
    bytes
        The same document gives the same bytes.

    Raises
    ------
    ClsimpactError
        If typst is not installed.
    """
    typst = extra_library("typst", "typst", "a PDF")
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        (place / "figures").mkdir()
        for name, content in files.items():
            if name.startswith("figures/") and name.endswith(".svg"):
                inside(place, name).write_bytes(content)
        (place / "report.typ").write_text(to_typst(document), encoding="utf-8")
        made: bytes = typst.compile(str(place / "report.typ"), root=scratch, font_paths=[_fonts()])
    return made


def _fonts() -> str:
    """Return the folder of the fonts that matplotlib brings."""
    import matplotlib as mpl

    return str(Path(mpl.get_data_path()) / "fonts" / "ttf")


def to_typst(document: Document) -> str:
    """Return the source of the PDF.

    Examples
    --------
    >>> from clsimpact.report.ledger import Ledger
    >>> document = Document("A study", "What?", False, (), Ledger("A study", False, (), {}, {}, {}, (), ""))
    >>> print(to_typst(document).splitlines()[-1])
    #table(columns: 3, [*Row*], [*As printed*], [*Verdict and rule*])
    """
    head = (resources.files("clsimpact.report") / "templates" / "report.typ").read_text(encoding="utf-8")
    mark = "true" if document.simulated else "false"
    lines = [
        head,
        f"#show: report.with(title: {_text(document.title)}, question: {_text(document.question)}, "
        f"simulated: {mark})",
    ]
    for block in document.blocks:
        lines += _block(block)
    return "\n".join([*lines, *_ledger(document)])


def _text(words: str) -> str:
    """Write a text as a string of Typst: nothing in it is read as markup."""
    return json.dumps(printable(words), ensure_ascii=False)


def _block(block: Block) -> Iterator[str]:
    if block.kind == "heading":
        yield f"#heading(level: {block.level - 1}, {_text(block.text)})"  # type: ignore[union-attr]
    elif block.kind == "paragraph":
        yield _paragraph(block)  # type: ignore[arg-type]
    elif block.kind == "items":
        yield f"#list({', '.join(f'[{_runs(item)}]' for item in block.items)})"  # type: ignore[union-attr]
    elif block.kind == "figure":
        yield _figure(block)  # type: ignore[arg-type]
    elif block.kind == "table":
        yield from _table(block.table)  # type: ignore[union-attr]
    elif block.kind == "equation":
        yield f"#math.equation(block: true, alt: {_text(block.words)}, $ {block.typst} $)"  # type: ignore[union-attr]
    elif block.kind == "code":
        yield f"#raw(block: true, {_text(block.text)})"  # type: ignore[union-attr]
    elif block.kind == "folded":
        yield f"#heading(level: 3, outlined: false, {_text(block.title)})"  # type: ignore[union-attr]
        for inner in block.blocks:  # type: ignore[union-attr]
            yield from _block(inner)


def _paragraph(paragraph: Paragraph) -> str:
    words = _runs(paragraph)
    made = {"lead": f"#text(size: 1.1em)[{words}]", "note": f"#text(fill: soft)[{words}]"}
    return (
        f"#callout[{words}]\n" if paragraph.style == "warning" else f"\n{made.get(paragraph.style, words)}\n"
    )


def _runs(paragraph: Paragraph) -> str:
    made = []
    for run in paragraph.runs:
        text = f"#text({_text(run.text)})"
        if run.link.lower().startswith(("https://", "http://")):
            text = f"#link({_text(run.link)})[{text}]"
        made.append(f"#strong[{text}]" if run.strong else text)
    return "".join(made)


def _figure(block: FigureBlock) -> str:
    figure = block.figure
    width = min(_PAGE_WIDTH, _PAGE_HEIGHT * figure.width / figure.height)
    return (
        f"#figure(alt: {_text(figure.alt_text)}, image({_text(f'figures/{figure.id}.svg')}, width: "
        f"{width:.2f}cm), caption: [Data: #text({_text(f'figures/{figure.id}.csv')})])"
    )


def _table(table: Table) -> Iterator[str]:
    aligned = ", ".join("right" if numeric else "left" for numeric in table.numeric)
    heads = ", ".join(f"[*#text({_text(heading)})*]" for heading in table.headings)
    rows = ",\n".join(", ".join(f"[#text({_text(cell.text)})]" for cell in row) for row in table.rows)
    yield f"#block(above: 1.2em, sticky: true)[*#text({_text(table.caption)})*]"
    widths = ", ".join(f"{_letters(table, column)}fr" for column in range(len(table.headings)))
    yield f"#table(columns: ({widths},), align: ({aligned},), table.header({heads}),\n{rows})"
    notes: Sequence[str] = [*table.notes, *([f"Source: {table.source}"] if table.source else [])]
    for note in notes:
        yield f"#text(size: 0.8em, fill: soft, {_text(note)})\n"


def _letters(table: Table, column: int) -> int:
    """Return how many letters a column needs: its longest cell, and the longest word of its heading."""
    cells = max((len(row[column].text) for row in table.rows), default=0)
    words = max(len(word) for word in table.headings[column].split())
    return min(max(cells, words, _NARROWEST), _WIDEST)


def _ledger(document: Document) -> Iterator[str]:
    """Set the claims of the ledger; the whole of it is beside the report."""
    yield '#heading(level: 1, "The ledger of claims")'
    words = "Figures, tables, checks and numbers are in ledger.json, ledger.csv and on the page report.html."
    yield f"#text({_text(words)})\n"
    rows = "".join(
        f", [#text({_text(row.id)})], [#text({_text(row.text)})], [*#text({_text(row.verdict)})*: "
        f"#text({_text(row.rule)})]"
        for row in document.ledger.of_kind("claim")
    )
    yield f"#table(columns: 3, [*Row*], [*As printed*], [*Verdict and rule*]{rows})"
