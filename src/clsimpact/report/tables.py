r"""Publication tables in the formats that people ask for: page, LaTeX, Markdown, Word and workbook.

Every format shows the same cells (`Table.rows`), says SIMULATED of what is made up, and carries notes and
source with the figures. Word, workbook and Markdown need ``pip install clsimpact[report]``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any, Final

import pandas as pd

from clsimpact.report._table import Cell, Table, extra_library, format_number
from clsimpact.report._table_docx import to_docx
from clsimpact.report._table_workbook import to_workbook

__all__ = [
    "Cell", "Table", "format_number", "to_docx", "to_html", "to_latex", "to_markdown", "to_workbook",
]  # fmt: skip

_LATEX: Final = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{",
    "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}",
    ">": r"\textgreater{}", "[": "{[}", "]": "{]}",
}  # fmt: skip
_MARKDOWN: Final = {**{mark: f"\\{mark}" for mark in "\\`*_|"}, "<": "&lt;", "&": "&amp;"}
_LONG: Final = 40  # letters of a cell from which LaTeX has to break its lines


def to_html(table: Table) -> str:
    """Return a table as HTML that a screen reader can read and a script can sort.

    Numbers have the class ``num`` and their exact value in ``data-sort``; the first cell of a row is its
    heading. Wide tables scroll in their own box. Everything is escaped.

    Parameters
    ----------
    table
        The table.

    Returns
    -------
    str
        A ``div`` with the id of the table; it brings no style.

    Examples
    --------
    >>> frame = pd.DataFrame({"area": ["Leeds"], "change": [-0.25]})
    >>> table = Table("change", "Change", frame, {"area": "Area", "change": "Change (£)"}, source="ASC-FR")
    >>> print(to_html(table))
    <div class="table" id="change">
    <div class="table-scroll" role="region" aria-labelledby="change-caption" tabindex="0">
    <table>
    <caption id="change-caption">Change</caption>
    <thead>
    <tr><th scope="col">Area</th><th scope="col" class="num">Change (£)</th></tr>
    </thead>
    <tbody>
    <tr><th scope="row">Leeds</th><td class="num" data-sort="-0.25">-0.250</td></tr>
    </tbody>
    </table>
    </div>
    <div class="table-notes">
    <p>Source: ASC-FR</p>
    </div>
    </div>
    """
    name = escape(table.id)
    heads = [
        f'<th scope="col"{_number_class(numeric)}>{escape(heading)}</th>'
        for heading, numeric in zip(table.headings, table.numeric, strict=True)
    ]
    lines = [
        f'<div class="table" id="{name}">',
        f'<div class="table-scroll" role="region" aria-labelledby="{name}-caption" tabindex="0">',
        "<table>",
        f'<caption id="{name}-caption">{escape(table.caption)}</caption>',
        "<thead>",
        f"<tr>{''.join(heads)}</tr>",
        "</thead>",
        "<tbody>",
        *(f"<tr>{_html_row(row, table.numeric)}</tr>" for row in table.rows),
        "</tbody>",
        "</table>",
        "</div>",
        *_html_notes(table),
        "</div>",
    ]
    return "\n".join(lines)


def to_latex(table: Table) -> str:
    r"""Return a table as LaTeX: ``table`` and ``tabular`` with the rules of booktabs, by pandas.

    The document needs ``\usepackage{booktabs}``; the label is ``tab:`` and the id.

    Parameters
    ----------
    table
        The table.

    Returns
    -------
    str
        Special characters are escaped in cells, headings, caption, notes and source.

    Examples
    --------
    >>> frame = pd.DataFrame({"area": ["Leeds & York"], "change": [-0.25]})
    >>> print(to_latex(Table("change", "Change", frame, {"area": "Area", "change": "Change (%)"})))
    \begin{table}
    \centering
    \caption{Change}
    \label{tab:change}
    \begin{tabular}{lr}
    \toprule
    Area & Change (\%) \\
    \midrule
    Leeds \& York & $-$0.250 \\
    \bottomrule
    \end{tabular}
    \end{table}
    """
    headings = [_latex(heading) for heading in table.headings]
    frame = pd.DataFrame([[_latex_cell(cell) for cell in row] for row in table.rows], columns=headings)
    text = frame.style.hide(axis="index").to_latex(
        hrules=True,
        caption=_latex(table.caption),
        label=f"tab:{table.id}",
        column_format="".join(_latex_column(table, i) for i in range(len(headings))),
        position_float="centering",
    )
    below = [rf"\par\footnotesize {_latex(line)}" for line in _below(table)]
    return text.replace("\\end{table}\n", "\n".join([*below, "\\end{table}"]))


def to_markdown(table: Table) -> str:
    """Return a table as Markdown (pipes), with its caption above and notes and source below, by tabulate.

    Parameters
    ----------
    table
        The table.

    Raises
    ------
    ClsimpactError
        tabulate is not installed.

    Examples
    --------
    >>> frame = pd.DataFrame({"area": ["Leeds"], "change": [None]})
    >>> print(to_markdown(Table("change", "Change", frame, {"area": "Area", "change": "Change (£)"})))
    **Change**
    <BLANKLINE>
    | Area   | Change (£)   |
    |:-------|:-------------|
    | Leeds  | [x]          |
    <BLANKLINE>
    [x] = not available.
    """
    tabulate = extra_library("tabulate", "tabulate", "A table in Markdown")
    grid = tabulate.tabulate(
        [[_markdown(cell.text) for cell in row] for row in table.rows],
        headers=[_markdown(heading) for heading in table.headings],
        tablefmt="pipe",
        disable_numparse=True,
        colalign=["right" if numeric else "left" for numeric in table.numeric] if table.rows else None,
    )
    blocks = [f"**{_markdown(table.caption)}**", grid, *(_markdown(line) for line in _below(table))]
    return "\n\n".join(blocks)


def _below(table: Table) -> list[str]:
    """Lines that stand below a table."""
    return [*table.remarks, *([f"Source: {table.source}"] if table.source else [])]


def _number_class(numeric: bool) -> str:
    return ' class="num"' if numeric else ""


def _html_row(row: Iterable[Cell], numeric: Iterable[bool]) -> str:
    cells = []
    for i, (cell, right) in enumerate(zip(row, numeric, strict=True)):
        sort = "" if cell.number is None else f' data-sort="{_raw(cell.number)}"'
        tag, scope = ("td", "") if i else ("th", ' scope="row"')
        cells.append(f"<{tag}{scope}{_number_class(right)}{sort}>{escape(cell.text)}</{tag}>")
    return "".join(cells)


def _raw(number: float) -> str:
    """Write a number so that scripts read it back exactly."""
    if number in (float("inf"), float("-inf")):
        return "Infinity" if number > 0 else "-Infinity"
    return f"{number:.0f}" if number.is_integer() else repr(number)


def _html_notes(table: Table) -> list[str]:
    lines = _below(table)
    return ['<div class="table-notes">', *(f"<p>{escape(t)}</p>" for t in lines), "</div>"] if lines else []


def _translated(text: str, escapes: Mapping[str, Any]) -> str:
    return " ".join(text.split()).translate(str.maketrans(dict(escapes)))


def _latex(text: str) -> str:
    return _translated(text, _LATEX)


def _latex_cell(cell: Cell) -> str:
    text = _latex(cell.text)
    return f"$-${text[1:]}" if cell.number is not None and text.startswith("-") else text


def _latex_column(table: Table, position: int) -> str:
    if table.numeric[position]:
        return "r"
    longest = max((len(row[position].text) for row in table.rows), default=0)
    return "l" if longest <= _LONG else r"p{0.4\linewidth}"


def _markdown(text: str) -> str:
    return _translated(text, _MARKDOWN).replace("](", "]\\(")
