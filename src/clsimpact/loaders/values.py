"""From a printed cell to a value and a status: shorthand is never a number, and a blank is never zero."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

__all__ = ["Figure", "read_figure"]

_NUMBER = re.compile(
    r"^(?P<bracket>\()?(?(bracket)|[-−]?)[£$]?\s*(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d*)?(?:[eE][-+]?\d+)?%?(?(bracket)\))$"
    r"|^[-−]?\.\d+$"
)


class Figure(NamedTuple):
    """A printed cell: its value, if any; its status; and the marker or odd spelling that was printed."""

    value: float | None
    status: str
    marker: str | None


def read_figure(cell: object, markers: Mapping[str, str]) -> Figure | None:
    """Read one printed cell.

    Parameters
    ----------
    cell
        What the file holds: a number, or text.
    markers
        The file's shorthand, for example ``{"[c]": "suppressed"}``; the key ``""`` says
        what a blank stands for.

    Returns
    -------
    Figure or None
        ``None`` when the cell is blank and blanks are layout; otherwise the figure.

    Raises
    ------
    ValueError
        If the text is neither a number nor known shorthand; the caller adds the place.

    Examples
    --------
    >>> read_figure("[c]", {"[c]": "suppressed"})
    Figure(value=None, status='suppressed', marker='[c]')
    >>> read_figure(" 1,284.73", {})
    Figure(value=1284.73, status='published', marker=None)
    """
    if isinstance(cell, bool):
        raise ValueError(f"{cell!r} is neither a number nor known shorthand")  # noqa: TRY004 - one kind for callers
    if isinstance(cell, int | float):
        return Figure(float(cell), "published", None)
    text = str(cell).strip() if cell is not None else ""
    if text in markers:
        return Figure(None, markers[text], text or "(blank)")
    if not text:
        return None
    if not _NUMBER.match(text):
        raise ValueError(f"{text!r} is neither a number nor known shorthand ({', '.join(markers) or 'none'})")
    plain = text.replace(",", "").replace("−", "-").strip("£$%() ").replace("$", "").replace("£", "")
    value = float(plain)
    odd = text if text[0] in "(£$" or text[-1] == "%" else None
    return Figure(-value if text.startswith("(") else value, "published", odd)
