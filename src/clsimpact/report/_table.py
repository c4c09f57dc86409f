"""A publication table: what it holds, and how its cells read in every format."""

from __future__ import annotations

import importlib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from numbers import Real
from types import ModuleType
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd

from clsimpact._printable import printable
from clsimpact.errors import ClsimpactError, did_you_mean, list_some

__all__ = ["MADE_UP", "MARK", "SHORTHAND", "Cell", "Table", "extra_library", "format_number", "marked"]

MARK: Final = "SIMULATED"
"""The word that stands before everything made up."""

MADE_UP: Final = f"{MARK}: made-up figures, not official statistics"
"""What a file with made-up figures says of itself."""

NOT_AVAILABLE: Final = "[x]"
NOT_APPLICABLE: Final = "[z]"
SHORTHAND: Final = {NOT_AVAILABLE: "not available", NOT_APPLICABLE: "not applicable"}
"""Shorthand of the Government Analysis Function for cells without a figure, and what it means."""

_ID: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_READABLE: Final = re.compile("[A-Za-z0-9]")  # the rule of gptables
_FIGURES: Final = 3  # of the largest number of a column, where no decimals are given
_MOST_DECIMALS: Final = 6


class Cell(NamedTuple):
    """One cell: the text that every format shows, and the number behind it.

    Examples
    --------
    >>> Cell("-0.04", -0.0365), Cell("[x]").number is None
    (Cell(text='-0.04', number=-0.0365), True)
    """

    text: str
    number: float | None = None


def format_number(value: float, decimals: int | None) -> str:
    """Write a number as tables show it: the only place where numbers of tables become text.

    Parameters
    ----------
    value
        NaN is shown as ``[x]``, never as a number; an infinite end of an interval as *unbounded*.
    decimals
        Places after the point. None: a label such as a year, without commas.

    Returns
    -------
    str
        Thousands with commas, a plain minus, and no minus before a zero.

    Examples
    --------
    >>> format_number(-12345.678, 1), format_number(-0.0004, 2), format_number(2018, None)
    ('-12,345.7', '0.00', '2018')
    >>> format_number(float("nan"), 2), format_number(float("inf"), 2)
    ('[x]', 'unbounded')
    """
    if math.isnan(value):
        return NOT_AVAILABLE
    if math.isinf(value):
        return "unbounded"
    text = f"{value:.15g}" if decimals is None else f"{value:,.{decimals}f}"
    return text.removeprefix("-") if not text.strip("-0.") else text


@dataclass(frozen=True, eq=False)
class Table:
    """A table for a reader: figures with their caption, headings, notes and source.

    Cells are numbers, or text ready to be shown. A missing value is shown as ``[x]`` (not available) and an
    empty text as ``[z]`` (not applicable); a note says what they mean. The index of the frame is not shown:
    the first column names the rows.

    Parameters
    ----------
    id
        Letters, digits, ``-`` and ``_``, unique in a report: anchor of the page, label and name of the sheet.
    title
        The caption: measure, geography and period.
    frame
        Its columns are copied; the frame is not changed.
    columns
        Column to heading, with the unit, in the order in which they are shown.
    notes
        What a reader must know, a sentence each.
    source
        Where the figures come from.
    simulated
        True: the figures are made up, and every format says SIMULATED.
    decimals
        Places after the point of a column of numbers; None for labels such as years. By default whole numbers
        have none, and other columns as many as show three figures of their largest number. A column
        ``p_value`` says ``<0.001`` where all places would be zero: no p-value is.

    Raises
    ------
    ClsimpactError
        An unusable id, unknown columns, headings that are empty or the same, cells of symbols alone (which
        screen readers do not read), or decimals that are not whole numbers from 0. All are raised together.

    Examples
    --------
    >>> frame = pd.DataFrame({"area": ["Leeds", "York"], "change": [-0.25, None]})
    >>> table = Table("change", "Change in spending", frame, {"area": "Area", "change": "Change (£)"})
    >>> [[cell.text for cell in row] for row in table.rows]
    [['Leeds', '-0.250'], ['York', '[x]']]
    >>> table.remarks
    ('[x] = not available.',)
    """

    id: str
    title: str
    frame: pd.DataFrame
    columns: Mapping[str, str]
    notes: tuple[str, ...] = ()
    source: str = ""
    simulated: bool = False
    decimals: Mapping[str, int | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        faults = _faults(self)
        if not faults:
            heads = {name: _shown(heading) for name, heading in self.columns.items()}
            object.__setattr__(self, "columns", heads)
            object.__setattr__(self, "notes", tuple(map(_shown, self.notes)))
            object.__setattr__(self, "title", _shown(self.title))
            object.__setattr__(self, "source", _shown(self.source))
            object.__setattr__(self, "frame", self.frame[list(self.columns)].copy())
            faults = _unreadable(self)
        if faults:
            raise ClsimpactError(
                f"The table {self.id!r} cannot be written.",
                faults,
                repair="Correct what is named; leave a cell without a figure missing: it is shown as [x].",
            )

    @property
    def caption(self) -> str:
        """The title, with SIMULATED before it where the figures are made up.

        Examples
        --------
        >>> Table("a", "Costs", pd.DataFrame({"x": [1]}), {"x": "Costs (£)"}, simulated=True).caption
        'SIMULATED: Costs'
        """
        return marked(self.title, simulated=self.simulated)

    @property
    def headings(self) -> tuple[str, ...]:
        """Heading of each column.

        Examples
        --------
        >>> Table("a", "Costs", pd.DataFrame({"x": [1]}), {"x": "Costs (£)"}).headings
        ('Costs (£)',)
        """
        return tuple(self.columns.values())

    @cached_property
    def places(self) -> tuple[int | None, ...]:
        """Decimals of each column, as given or as the column calls for.

        Examples
        --------
        >>> frame = pd.DataFrame({"year": [2018, 2019], "share": [0.25, 12.5]})
        >>> headings = {"year": "Year", "share": "Share (%)"}
        >>> Table("a", "Shares", frame, headings, decimals={"year": None}).places
        (None, 1)
        """
        return tuple(
            self.decimals[name] if name in self.decimals else _places(self.frame[name])
            for name in self.columns
        )

    @cached_property
    def rows(self) -> tuple[tuple[Cell, ...], ...]:
        """Cells of each row, as every format shows them.

        Examples
        --------
        >>> Table("a", "Costs", pd.DataFrame({"x": [1.5, None]}), {"x": "Costs (£)"}).rows[1][0].text
        '[x]'
        """
        shown = [
            [_small(_cell(value, places), name, places) for value in self.frame[name].tolist()]
            for name, places in zip(self.columns, self.places, strict=True)
        ]
        return tuple(zip(*shown, strict=True))

    @cached_property
    def numeric(self) -> tuple[bool, ...]:
        """Whether each column holds numbers, which are aligned to the right.

        Examples
        --------
        >>> frame = pd.DataFrame({"area": ["Leeds"], "n": [3]})
        >>> Table("a", "Adopters", frame, {"area": "Area", "n": "Adopters (number)"}).numeric
        (False, True)
        """
        return tuple(_is_numeric(self.frame[name]) for name in self.columns)

    @cached_property
    def remarks(self) -> tuple[str, ...]:
        """The notes, and what each shorthand in the cells means.

        Examples
        --------
        >>> Table("a", "Costs", pd.DataFrame({"x": ["", "1"]}), {"x": "Costs"}, ("Gross.",)).remarks
        ('Gross.', '[z] = not applicable.')
        """
        return (*self.notes, *(f"{mark} = {SHORTHAND[mark]}." for mark in self.marks))

    @cached_property
    def marks(self) -> tuple[str, ...]:
        """The shorthand that stands in the cells.

        Examples
        --------
        >>> Table("a", "Costs", pd.DataFrame({"x": [1.5, None]}), {"x": "Costs (£)"}).marks
        ('[x]',)
        """
        used = {cell.text for row in self.rows for cell in row}
        return tuple(mark for mark in SHORTHAND if mark in used)


def marked(title: str, *, simulated: bool) -> str:
    """Write SIMULATED before a title where the figures are made up and it does not say so yet.

    Examples
    --------
    >>> marked("Costs", simulated=True), marked("SIMULATED costs", simulated=True)
    ('SIMULATED: Costs', 'SIMULATED costs')
    """
    return f"{MARK}: {title}" if simulated and MARK not in title else title


def extra_library(module: str, package: str, purpose: str) -> ModuleType:
    """Import a library of the extra ``report``, or say how to install it.

    Parameters
    ----------
    module, package
        Name to import and name to install.
    purpose
        What needs it.

    Raises
    ------
    ClsimpactError
        The library is not installed.

    Examples
    --------
    >>> extra_library("no_such_library", "no-such-library", "A table in Word")
    Traceback (most recent call last):
    clsimpact.errors.ClsimpactError: A table in Word needs no-such-library, which is not installed.
    Repair: Install it with `pip install clsimpact[report]`.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ClsimpactError(
            f"{purpose} needs {package}, which is not installed.",
            repair="Install it with `pip install clsimpact[report]`.",
        ) from error


def _cell(value: object, places: int | None) -> Cell:
    if value is None or value is pd.NA or value is pd.NaT:
        return Cell(NOT_AVAILABLE)
    if isinstance(value, bool | np.bool_):
        return Cell("yes" if value else "no")
    if isinstance(value, Real):
        number = float(value)
        return Cell(format_number(number, places), None if math.isnan(number) else number)
    return Cell(" ".join(printable(str(value)).split()) or NOT_APPLICABLE)


def _shown(text: Any) -> Any:
    return printable(text) if isinstance(text, str) else text


def _small(cell: Cell, column: str, places: int | None) -> Cell:
    """Say of a p-value below the last place that it is smaller, not that it is zero."""
    if column != "p_value" or cell.number is None or not places or cell.text.strip("0."):
        return cell
    return cell._replace(text=f"<{10.0**-places:.{places}f}")


def _places(column: pd.Series[Any]) -> int | None:
    """Decimals that show three figures of the largest number; none where all are whole."""
    numbers = [cell.number for cell in (_cell(value, None) for value in column.tolist())]
    finite = [abs(number) for number in numbers if number is not None and math.isfinite(number)]
    if all(number.is_integer() for number in finite):
        return 0
    leading = math.floor(math.log10(max(finite)))
    return min(max(_FIGURES - 1 - leading, 0), _MOST_DECIMALS)


def _is_numeric(column: pd.Series[Any]) -> bool:
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        return True
    cells = [_cell(value, None) for value in column.tolist()]
    there = [cell for cell in cells if cell.text not in SHORTHAND]
    return bool(there) and all(cell.number is not None for cell in there)


def _faults(table: Table) -> list[str]:
    """Say what is wrong with the parts of a table, before its cells are read."""
    found = []
    if not isinstance(table.id, str) or not _ID.fullmatch(table.id):
        found.append(f"id {table.id!r}: letters, digits, - and _ are allowed, a letter first")
    if not table.title.strip():
        found.append("title: empty")
    if isinstance(table.notes, str):
        found.append("notes: one text; a tuple of sentences is needed")
    if not table.columns:
        found.append("columns: none to show")
    known = list(table.frame.columns)
    words = [str(name) for name in known]
    for name in (*table.columns, *(name for name in table.decimals if name not in table.columns)):
        if (count := known.count(name)) != 1:
            near = did_you_mean(str(name), words)
            many = "is there more than once" if count else f"is not in the frame{near}"
            found.append(f"column {name!r} {many}")
    wrong = [f"{k}: {v!r}" for k, v in table.decimals.items() if not _is_places(v)]
    found += [f"decimals of {text}; whole numbers from 0, or None, are needed" for text in wrong]
    return found + _bad_headings(list(table.columns.values()))


def _is_places(value: object) -> bool:
    return value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 0)


def _bad_headings(headings: Sequence[str]) -> list[str]:
    empty = [f"heading of column {i}: empty" for i, text in enumerate(headings, 1) if not text.strip()]
    twice = sorted({text for text in headings if text.strip() and headings.count(text) > 1})
    return empty + [f"heading {text!r} stands over more than one column" for text in twice]


def _unreadable(table: Table) -> list[str]:
    """Name cells of symbols alone."""
    found = [
        f"row {i}, {heading}: {cell.text!r} has no letter or digit"
        for i, row in enumerate(table.rows, 1)
        for heading, cell in zip(table.headings, row, strict=True)
        if not _READABLE.search(cell.text)
    ]
    return [list_some(found, 6)] if found else []
