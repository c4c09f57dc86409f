"""The report as one HTML page that needs nothing else; and the check that its numbers are in the ledger."""

from __future__ import annotations

import base64
import html as markup
from collections.abc import Mapping
from dataclasses import replace
from html.parser import HTMLParser
from importlib import resources
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from clsimpact.errors import ClsimpactError
from clsimpact.report._table import Table
from clsimpact.report.document import Document, Equation, Heading, Paragraph, every_block
from clsimpact.report.ledger import Ledger
from clsimpact.report.tables import to_html
from clsimpact.report.words import number_tokens

__all__ = ["check_numbers", "to_page"]

_SKIPPED: Final = ("script", "style", "math", "code", "pre")
_VOID: Final = (
    "img",
    "br",
    "meta",
    "link",
    "hr",
    "input",
    "col",
    "wbr",
    "source",
    "area",
    "base",
    "embed",
    "track",
)
LEDGER: Final = "ledger"
"""What the rows of the ledger itself are marked with: they are what numbers are looked up in."""


def to_page(document: Document, files: Mapping[str, bytes]) -> str:
    """Write a report as a page: styles, figures and script inside, no request to anywhere.

    Parameters
    ----------
    document
        The report.
    files
        Its drawings by name (``figures/<id>.svg``).

    Returns
    -------
    str
        HTML. It works without the script; with it tables sort and figures show values.

    Raises
    ------
    ClsimpactError
        If a number of the page is not in the ledger.
    """
    environment = Environment(
        loader=PackageLoader("clsimpact.report", "templates"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["runs"] = _runs
    environment.filters["table"] = _table
    environment.filters["mathml"] = _mathml
    environment.filters["drawing"] = lambda figure: _drawing(figure.id, files)
    environment.filters["file"] = lambda name: markup.escape(name.replace(" ", "%20"))
    page = environment.get_template("report.html.j2").render(
        document=document,
        ledger=document.ledger,
        style=Markup(_asset("report.css")),
        script=Markup(_asset("report.js")),
        contents=[it for it in document.blocks if isinstance(it, Heading) and it.level == 2],
    )
    check_numbers(page, document.ledger, _printed(document))
    return page


def _table(table: Table) -> Markup:
    """Write a table; its anchor is told apart from those of headings."""
    return Markup(to_html(replace(table, id=f"table-{table.id}")))


def _asset(name: str) -> str:
    return (resources.files("clsimpact.report") / "templates" / name).read_text(encoding="utf-8")


def _runs(paragraph: Paragraph) -> Markup:
    """Write the runs of a paragraph; those from the ledger are marked with, and lead to, their row."""
    made = []
    for run in paragraph.runs:
        text, row = markup.escape(run.text), markup.escape(run.row)
        if _is_web(run.link):
            text = f'<a href="{markup.escape(run.link)}">{text}</a>'
        if run.row.startswith(("setting-", "statement-")) or (run.row and run.link):
            text = f'<span data-ledger="{row}">{text}</span>'
        elif run.row and len(run.text) <= 24:
            text = f'<a class="n" href="#row-{row}" data-ledger="{row}">{text}</a>'
        elif run.row:
            where = f'href="#row-{row}" data-ledger="{row}" aria-label="ledger row {row}"'
            text = f'<span data-ledger="{row}">{text}</span><a class="ref" {where}>\u2192</a>'
        made.append(f"<strong>{text}</strong>" if run.strong else text)
    return Markup("".join(made))


def _is_web(link: str) -> bool:
    """Whether a link leads to a page: one such as ``javascript:`` would run in the reader's page."""
    return link.lower().startswith(("https://", "http://", "#"))


def _mathml(equation: Equation) -> Markup:
    """Write an equation as MathML, with its words for those who do not see it."""
    try:
        from latex2mathml.converter import convert
    except ImportError:
        return Markup(f'<p class="equation"><code>{markup.escape(equation.latex)}</code></p>')
    made = convert(equation.latex, display="block").replace(
        "<math ", f'<math aria-label="{markup.escape(equation.words)}" ', 1
    )
    return Markup(f'<div class="equation" tabindex="0">{made}</div>')


def _drawing(name: str, files: Mapping[str, bytes]) -> str:
    return base64.b64encode(files[f"figures/{name}.svg"]).decode("ascii")


def _printed(document: Document) -> dict[str, str]:
    """Return what each row of the ledger may print: its text, and for tables every cell."""
    texts = {
        row.id: f"{row.id} {row.label} {row.text} {row.rule} {row.missing}" for row in document.ledger.rows
    }
    for block in every_block(document.blocks):
        if block.kind == "table":
            table: Table = block.table  # type: ignore[union-attr]
            cells = " ".join(cell.text for row in table.rows for cell in row)
            heads = " ".join([table.caption, *table.headings, *table.notes, table.source])
            texts[f"table-{table.id}"] = f"{heads} {cells}"
    return texts


class _Numbers(HTMLParser):
    """Collect the numbers of a page with the row of the ledger that they are marked with."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[tuple[str, str]] = []
        self.found: list[tuple[str, str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        for name in ("alt", "title", "aria-label", "data-value"):
            self._collect(given.get(name) or "", given.get("data-ledger") or self._row())
        if tag not in _VOID:
            self.open.append((tag, given.get("data-ledger") or ""))

    def handle_endtag(self, tag: str) -> None:
        if tag in {name for name, _ in self.open}:
            while self.open.pop()[0] != tag:
                pass

    def handle_data(self, data: str) -> None:
        if not any(tag in _SKIPPED for tag, _ in self.open):
            self._collect(data, self._row())

    def _row(self) -> str:
        return next((row for _, row in reversed(self.open) if row), "")

    def _collect(self, text: str, row: str) -> None:
        self.found += [(token, row, " ".join(text.split())[:100]) for token in number_tokens(text)]


def check_numbers(page: str, ledger: Ledger, printed: Mapping[str, str] | None = None) -> None:
    """Raise if a page holds a number that does not come from the ledger.

    Parameters
    ----------
    page
        HTML in which what comes from the ledger is marked ``data-ledger="<row>"``.
    ledger
        The rows.
    printed
        Row to what it may print; by default its text.

    Raises
    ------
    ClsimpactError
        With each number, the row it claims to come from, and the text around it.

    Examples
    --------
    >>> from clsimpact.report.ledger import Row
    >>> ledger = Ledger("t", False, (Row("n", "number", "units", "143", "f"),), {}, {}, {}, (), "")
    >>> check_numbers('<p>In 2016-17, <a data-ledger="n">143</a> councils</p>', ledger)
    >>> check_numbers('<p>It fell by 7%</p>', ledger)
    Traceback (most recent call last):
    clsimpact.errors.ClsimpactError: The report holds numbers that are not in the ledger.
      - 7% (no row) in: It fell by 7%
    Repair: Make a row of the ledger and refer to it.
    """
    texts = printed or {row.id: row.text for row in ledger.rows}
    known = {name: set(number_tokens(text)) for name, text in texts.items()}
    reader = _Numbers()
    reader.feed(page)
    wrong = [
        f"{token} ({row or 'no row'}) in: {text}"
        for token, row, text in reader.found
        if row != LEDGER and token not in known.get(row, ())
    ]
    if wrong:
        raise ClsimpactError(
            "The report holds numbers that are not in the ledger.",
            list(dict.fromkeys(wrong))[:40],
            repair="Make a row of the ledger and refer to it.",
        )
