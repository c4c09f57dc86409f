"""What a keyed CSV may hold, as data: its columns, what its sheets and tables count, the meaning of its keys.

A *keyed CSV* has a column for every dimension that any of its tables is broken down by; ``99`` is the total
over a dimension and a blank says that it does not apply. The SALT CSV and the CSVs from client level data are
of this kind.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from clsimpact.errors import LayoutError, did_you_mean, list_some
from clsimpact.loaders.labels import fold, read_toml
from clsimpact.loaders.sheets import column_letters

__all__ = [
    "Column",
    "Dimension",
    "Layout",
    "Rule",
    "fold_heading",
    "load_layout",
    "match_headings",
    "sheet_code",
    "table_code",
]

_SHEET: Final = re.compile(r"[sl]ts ?\d{3} ?[abc]?\b")


@dataclass(frozen=True)
class Column:
    """A column of a file: its heading, its different cells, and which of them each row holds."""

    heading: str
    words: tuple[str, ...]
    codes: NDArray[np.int64]

    def rows_of(self, code: int) -> str:
        """Return the rows of the file that hold a cell, for a message."""
        return list_some(np.flatnonzero(self.codes == code) + 2, 4)


@dataclass(frozen=True)
class Dimension:
    """The columns behind one dimension of the returns table."""

    columns: tuple[str, ...]
    finer: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rule:
    """What some tables of a sheet count.

    Attributes
    ----------
    sheet, tables
        Sheet, and which of its tables; all of them if there are none.
    where
        Columns that must hold one of these (folded) words.
    ages
        The age band that a table is about.
    measure, documented
        What is counted, and how far that is documented.
    """

    sheet: str
    measure: str
    documented: str
    tables: tuple[str, ...] = ()
    where: Mapping[str, frozenset[str]] = field(default_factory=dict)
    ages: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Layout:
    """The layout of one kind of keyed CSV, as its TOML file declares it."""

    identifiers: Mapping[str, str]
    optional: frozenset[str]
    dimensions: Mapping[str, Dimension]
    counted: tuple[str, ...]
    detail: tuple[str, ...]
    keys: Mapping[str, Mapping[str, str]]
    rules: tuple[Rule, ...]
    table_in_detail: bool
    complete: bool

    @property
    def columns(self) -> tuple[str, ...]:
        """Every declared column that is no identifier."""
        parts = (column for entry in self.dimensions.values() for column in (*entry.columns, *entry.finer))
        return (*parts, *self.counted, *self.detail)


def fold_heading(heading: object) -> str:
    """Fold a heading: no case, blanks, underscores or final ``_Key``.

    Examples
    --------
    >>> fold_heading("AgeBand_KEY"), fold_heading("FY_Ending"), fold_heading("FYEnding")
    ('ageband', 'fyending', 'fyending')
    """
    text = re.sub(r"[\s_]+key$", "", str(heading).strip().casefold())
    return re.sub(r"[^a-z0-9]", "", text)


def sheet_code(printed: str) -> str:
    """Return the code in what is printed for a sheet, or what is printed.

    Examples
    --------
    >>> sheet_code("STS002a"), sheet_code("ST-Max STS002"), sheet_code("Carers")
    ('STS002A', 'STS002', 'Carers')
    """
    match = _SHEET.search(printed.casefold())
    return match[0].replace(" ", "").upper() if match else printed


def table_code(printed: str) -> str:
    """Return the number in what is printed for a table.

    Examples
    --------
    >>> table_code("Table 1A (i)"), table_code("2b")
    ('1a(i)', '2b')
    """
    return re.sub(r"\s", "", printed.casefold()).removeprefix("table")


@functools.cache
def load_layout(name: str) -> Layout:
    """Read a layout from its TOML file beside the loaders."""
    document = read_toml(name)
    rules = []
    for entry in document["tables"]:
        where = {
            column: frozenset(fold(word) for word in words)
            for column, words in entry.get("where", {}).items()
        }
        rules.append(Rule(**{**entry, "tables": tuple(entry.get("tables", ())), "where": where}))
    dimensions = {
        dimension: Dimension(tuple(entry["columns"]), tuple(entry.get("finer", ())))
        for dimension, entry in document["dimensions"].items()
    }
    other = document["other"]
    return Layout(
        identifiers=document["identifiers"],
        optional=frozenset(document["optional"]),
        dimensions=dimensions,
        counted=tuple(other["counted"]),
        detail=tuple(other["detail"]),
        keys=document["keys"],
        rules=tuple(rules),
        table_in_detail=document["table_in_detail"],
        complete=document["complete"],
    )


def match_headings(headings: Sequence[str], path: Path, layout: Layout) -> dict[str, int]:
    """Say which column each heading is.

    Parameters
    ----------
    headings
        The first row of the file.
    path
        The file, for the message.
    layout
        What the file may hold.

    Returns
    -------
    dict
        Role of each identifier and name of each dimension column to its position.

    Raises
    ------
    LayoutError
        If a heading is unknown, a column that is needed is absent, or one stands twice.
    """
    names = {fold_heading(heading): role for role, heading in layout.identifiers.items()}
    names |= {fold_heading(column): column for column in layout.columns if not column.endswith("*")}
    begins = tuple(fold_heading(column) for column in layout.columns if column.endswith("*"))
    found: dict[str, int] = {}
    problems = []
    for position, heading in enumerate(headings):
        folded = fold_heading(heading)
        name = names.get(folded) or (heading.strip() if begins and folded.startswith(begins) else None)
        place = f"column {column_letters(position)}"
        if name is None:
            every = [*layout.identifiers.values(), *layout.columns]
            problems.append(f"{place}: unknown heading {heading!r}{did_you_mean(heading, every)}")
        elif name in found:
            problems.append(f"{place}: {heading!r} is the same as column {column_letters(found[name])}")
        else:
            found[name] = position
    lacking = [role for role in layout.identifiers if role not in found and role not in layout.optional]
    problems += [f"no column {layout.identifiers[role]!r}" for role in lacking]
    if problems:
        raise LayoutError(
            f"{path.name}: the columns are not the ones its layout declares.",
            problems,
            repair="Use the publisher's file unchanged; a new layout needs an adapter.",
        )
    return found
