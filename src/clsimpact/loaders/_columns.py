"""Figures of tables with rows and columns of headings, put together as columns of categories.

What a row of a table says holds for all its figures, and so does what a column says. Both are written down
once and handed out by index, which is many times faster than a record for every figure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from clsimpact.loaders.labels import measures
from clsimpact.loaders.returns import COLUMNS
from clsimpact.loaders.sheets import Sheet, column_letters
from clsimpact.loaders.values import Figure

__all__ = ["Block", "Cells", "to_frame"]

_ABSENT: Final = -1
_FROM_LABELS: Final = tuple(
    name for name in COLUMNS if name not in ("value", "status", "marker", "source_id", "table", "cell")
)
Codes = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Cells:
    """The figures of one table in the order of reading, and where they stand.

    Attributes
    ----------
    figures
        Value, status and marker of each.
    rows, columns
        Its row, counted among the rows with figures, and its column in the sheet.
    numbers
        Its row in the sheet, counted from 0.
    """

    figures: list[Figure] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    columns: list[int] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)

    def first_rows(self) -> dict[int, int]:
        """Return every column that holds figures, with the row of the first, in the order of the sheet."""
        last_to_first = zip(reversed(self.columns), reversed(self.numbers), strict=True)
        return dict(sorted(dict(last_to_first).items()))

    def addresses(self) -> list[str]:
        """Return the address of every figure."""
        letters = {column: column_letters(column) for column in set(self.columns)}
        return [f"{letters[at]}{number + 1}" for at, number in zip(self.columns, self.numbers, strict=True)]


class Block(NamedTuple):
    """One table that was read.

    Attributes
    ----------
    sheet
        Where it was read.
    fixed
        What holds for the whole table.
    rows
        What each row with figures says.
    columns
        What each column of figures says, by its index in the sheet.
    cells
        The figures.
    """

    sheet: Sheet
    fixed: Mapping[str, Any]
    rows: Sequence[Mapping[str, Any]]
    columns: Mapping[int, Mapping[str, Any]]
    cells: Cells


def to_frame(blocks: Sequence[Block]) -> pd.DataFrame:
    """Put the figures of some tables under each other.

    What a column says goes before what its row says, and both before what the table says. Unit and return are
    those of the measure unless something else is said.

    Parameters
    ----------
    blocks
        The tables.

    Returns
    -------
    pandas.DataFrame
        One row a figure with the columns of a returns table, text as categories; no ``source_id``.
    """
    figures = [figure for block in blocks for figure in block.cells.figures]
    places = [_places(block) for block in blocks]
    frame: dict[str, Any] = {}
    for name in _FROM_LABELS:
        words: dict[Any, int] = {}
        codes = [_codes(block, name, words, *place) for block, place in zip(blocks, places, strict=True)]
        frame[name] = _column(
            name, np.concatenate(codes) if codes else np.array([], dtype="int64"), list(words)
        )
    frame["value"] = np.array([figure.value for figure in figures], dtype="float64")
    frame["status"] = _of_words(figure.status for figure in figures)
    frame["marker"] = _of_words(figure.marker for figure in figures)
    frame["table"] = _of_words(block.sheet.name for block in blocks for _ in block.cells.figures)
    addresses = [address for block in blocks for address in block.cells.addresses()]
    frame["cell"] = pd.array(addresses, dtype="string")
    return pd.DataFrame(frame)


def _places(block: Block) -> tuple[Codes, Codes]:
    """Return the row and the column of every figure, counted among those with headings."""
    order = {column: at for at, column in enumerate(block.columns)}
    at_column = [order[column] for column in block.cells.columns]
    return np.array(block.cells.rows, dtype="int64"), np.array(at_column, dtype="int64")


def _codes(block: Block, name: str, words: dict[Any, int], at_row: Codes, at_column: Codes) -> Codes:
    """Return the code of one column for every figure of a table; new words are added."""

    def code(said: Mapping[str, Any]) -> int:
        word = said.get(name)
        return _ABSENT if word is None else words.setdefault(word, len(words))

    by_column = np.array([code(said) for said in block.columns.values()], dtype="int64")
    by_row = np.array([code(said) for said in block.rows], dtype="int64")
    whole = np.array([code({**_of_measure(block, said), **block.fixed}) for said in block.columns.values()])
    found = np.where(by_row[at_row] == _ABSENT, whole[at_column], by_row[at_row])
    codes: Codes = np.where(by_column[at_column] == _ABSENT, found, by_column[at_column])
    return codes


def _of_measure(block: Block, said: Mapping[str, Any]) -> Mapping[str, str]:
    return measures().get(said.get("measure", block.fixed.get("measure", "")), {})


def _column(name: str, codes: Codes, words: Sequence[Any]) -> Any:
    """Return codes as years, or as categories in alphabetical order."""
    if name == "year":
        years = np.array([*words, 0], dtype="int64")[codes]
        return pd.arrays.IntegerArray(years, codes == _ABSENT)
    order = sorted(range(len(words)), key=lambda at: str(words[at]))
    rank = np.array([*np.argsort(order), _ABSENT], dtype="int64")
    categories = pd.Index([words[at] for at in order], dtype="string")
    return pd.Categorical.from_codes(rank[codes], categories=categories)


def _of_words(printed: Iterable[str | None]) -> pd.Categorical:
    words: dict[Any, int] = {}
    codes = [_ABSENT if word is None else words.setdefault(word, len(words)) for word in printed]
    column: pd.Categorical = _column("", np.array(codes, dtype="int64"), list(words))
    return column
