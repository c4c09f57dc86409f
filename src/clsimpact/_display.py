"""What objects look like in a notebook: one form for all, a caption, a table, the source, folded detail.

Everything is escaped. The same object gives the same bytes: no style sheet, script, identifier or time.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

from clsimpact._printable import printable
from clsimpact.attribution import condense

__all__ = ["attribution_of", "card", "folded", "grid", "pairs", "paragraphs", "simulated_mark"]


def escape(text: str) -> str:
    """Return text that is no HTML, and that nothing stands in that cannot be shown."""
    return html.escape(printable(text))


_LEFT = ' style="text-align:left"'
_CAPTION = ' style="text-align:left;caption-side:top;font-weight:bold"'
_TABLE = ' style="text-align:right"'


def card(*parts: str, simulated: bool = False, source: str = "") -> str:
    """Put pieces of HTML under each other, what is made up marked before them and the source below.

    Parameters
    ----------
    parts
        HTML; empty pieces are left out.
    simulated
        Whether the data are made up.
    source
        Where they come from, as text.

    Examples
    --------
    >>> card(paragraphs(["a < b"]), source="Source: made by hand")
    '<div class="clsimpact"><p>a &lt; b</p><p><small>Source: made by hand</small></p></div>'
    """
    below = f"<p><small>{escape(source)}</small></p>" if source else ""
    return f'<div class="clsimpact">{simulated_mark(simulated)}{"".join(parts)}{below}</div>'


def simulated_mark(simulated: bool) -> str:
    """Return the line that stands above what is made up."""
    return "<p><strong>SIMULATED</strong>: made-up data, not official statistics</p>" if simulated else ""


def grid(caption: str, headings: Sequence[str], rows: Iterable[Sequence[str]], *, align: str) -> str:
    """Return a table in a box of its own that scrolls when it is wide.

    Parameters
    ----------
    caption
        What the table is; empty for none.
    headings
        One per column; none for a table without a heading row.
    rows
        Cells as text. The first cell of a row is its heading.
    align
        A letter per column: ``l`` for words, ``r`` for numbers.

    Examples
    --------
    >>> grid("", [], [["council", "12"]], align="lr").count("<th scope")
    1
    """
    sides = [_LEFT if letter == "l" else "" for letter in align]
    head = "".join(_heading(name, letter) for name, letter in zip(headings, align, strict=False))
    body = "".join(f"<tr>{_row(cells, sides)}</tr>" for cells in rows)
    top = f"<caption{_CAPTION}>{escape(caption)}</caption>" if caption else ""
    top += f"<thead><tr>{head}</tr></thead>" if head else ""
    return f'<div style="overflow-x:auto"><table{_TABLE}>{top}<tbody>{body}</tbody></table></div>'


def _heading(name: str, letter: str) -> str:
    """Return the heading of a column; a single word, such as a year, is not broken at its hyphen."""
    rules = ["text-align:left"] * (letter == "l") + ["white-space:nowrap"] * (" " not in name)
    style = f' style="{";".join(rules)}"' if rules else ""
    return f'<th scope="col"{style}>{escape(name)}</th>'


def _row(cells: Sequence[str], sides: Sequence[str]) -> str:
    first, *others = zip(cells, sides, strict=True)
    head = f'<th scope="row"{first[1]}>{escape(first[0])}</th>'
    return head + "".join(f"<td{side}>{escape(text)}</td>" for text, side in others)


def pairs(rows: Iterable[tuple[str, str]], *, caption: str = "") -> str:
    """Return names and what they mean as a table of two columns; rows without text are left out."""
    return grid(caption, [], [row for row in rows if row[1]], align="ll")


def paragraphs(lines: Iterable[str]) -> str:
    """Return a paragraph per line of text."""
    return "".join(f"<p>{escape(line)}</p>" for line in lines if line)


def folded(summary: str, content: str) -> str:
    """Return detail that opens on a click; nothing where there is none.

    Examples
    --------
    >>> folded("More", paragraphs(["text"]))
    '<details><summary>More</summary><p>text</p></details>'
    """
    return f"<details><summary>{escape(summary)}</summary>{content}</details>" if content else ""


def attribution_of(attrs: object) -> str:
    """Return the attribution that data carry in their attributes, as one text, or an empty one."""
    found = attrs.get("attribution", "") if isinstance(attrs, dict) else ""
    if isinstance(found, str):
        return found
    return condense(map(str, found)) if isinstance(found, list | tuple) else ""
