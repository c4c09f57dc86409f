"""CSV files as text with the addresses that a spreadsheet would show.

A column of a large file holds few different texts. So a column may come as categories
(``_csv_categories.py``), every text is looked at once, and what is made of it stays categories. Plain text
columns are served by the same functions and stay plain.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from clsimpact.errors import LayoutError, SourceError, did_you_mean, list_some
from clsimpact.geography import councils
from clsimpact.loaders.labels import translate
from clsimpact.loaders.manifest import Source
from clsimpact.loaders.sheets import column_letters
from clsimpact.loaders.values import read_figure
from clsimpact.years import year_label

__all__ = [
    "addresses",
    "figures",
    "find_columns",
    "fold_heading",
    "ons_codes",
    "read_text_cells",
    "read_text_table",
    "replace_texts",
    "translate_column",
]

_PLAIN: Final = r"^-?[0-9]+(\.[0-9]+)?$"
"""A number without shorthand, which a large file holds by the hundred thousand: they are read together."""
_DOWNLOAD_AGAIN: Final = "Download the file again and compare its SHA-256 with data/raw/manifest.toml."


def read_text_cells(path: Path, source: Source) -> pd.DataFrame:
    """Read a CSV as text cells, blank cells as empty strings; nothing is interpreted.

    Parameters
    ----------
    path
        The CSV.
    source
        Its manifest record, which names the encoding.

    Returns
    -------
    pandas.DataFrame
        Rows and columns counted from 0, the header among them.

    Raises
    ------
    SourceError
        If the file is empty, is not in the declared encoding, or its lines do not have the same number of
        cells.
    """
    try:
        with path.open(encoding=source.encoding, newline="") as stream:
            lines = list(csv.reader(stream, strict=True))
    except (csv.Error, UnicodeDecodeError) as error:
        raise SourceError(
            f"{path.name} cannot be read as a CSV in {source.encoding}: it is truncated or of another kind.",
            [str(error)],
            repair=_DOWNLOAD_AGAIN,
        ) from error
    while lines and not lines[-1]:
        lines.pop()
    if not lines:
        raise SourceError(f"{path.name} is empty.", repair=_DOWNLOAD_AGAIN)
    width = len(lines[0])
    uneven = [
        f"row {row}: {len(line)} cells" for row, line in enumerate(lines, start=1) if len(line) != width
    ]
    if uneven:
        raise SourceError(
            f"{path.name}: not every row has {width} cells like the first: it is truncated.",
            [list_some(uneven, 4)],
            repair=_DOWNLOAD_AGAIN,
        )
    return pd.DataFrame(lines, dtype="object")


def read_text_table(path: Path, source: Source) -> pd.DataFrame:
    """Read a CSV whose first row is its header as text; nothing is interpreted.

    Parameters
    ----------
    path
        The CSV.
    source
        Its manifest record, which names the encoding.

    Returns
    -------
    pandas.DataFrame
        The rows below the header, counted from 0.

    Raises
    ------
    SourceError
        If the file cannot be read as a CSV or holds no rows below its header.
    """
    cells = read_text_cells(path, source)
    if len(cells) == 1:
        raise SourceError(
            f"{path.name} holds no rows below its header: it is truncated.", repair=_DOWNLOAD_AGAIN
        )
    table = cells.iloc[1:].reset_index(drop=True)
    table.columns = pd.Index(cells.iloc[0].to_list(), dtype="object")
    return table


def find_columns(table: pd.DataFrame, path: Path, wanted: Mapping[str, str]) -> dict[str, tuple[str, int]]:
    """Match columns by name, whatever their case and whether or not they end in ``_Key``.

    Parameters
    ----------
    table
        The file.
    path
        Where it came from, for the message.
    wanted
        Folded column name in the file to the name that the caller uses.

    Returns
    -------
    dict
        The caller's name to the file's own heading and the position of the column.

    Raises
    ------
    LayoutError
        If a wanted column is absent or stands twice, or the file has one that is not known.
    """
    have: dict[str, list[int]] = {}
    for position, column in enumerate(table.columns):
        have.setdefault(fold_heading(column), []).append(position)
    lacking = [name for name in wanted if name not in have]
    extra = [name for name in have if name not in wanted]
    problems = [f"no column {name!r}{did_you_mean(name, extra)}" for name in lacking]
    problems += [
        f"column {_letters(have[name])}: unknown heading {table.columns[have[name][0]]!r}" for name in extra
    ]
    problems += [
        f"columns {_letters(places)} are both headed {table.columns[places[0]]!r}"
        for name, places in have.items()
        if len(places) > 1 and name in wanted
    ]
    if problems:
        raise LayoutError(
            f"{path.name}: the columns are not the ones its layout declares.",
            problems,
            repair="Use the publisher's file unchanged; a new layout needs an adapter.",
        )
    return {name: (str(table.columns[have[folded][0]]), have[folded][0]) for folded, name in wanted.items()}


def fold_heading(column: object) -> str:
    """Fold the case of a heading, its blanks and its suffix.

    Examples
    --------
    >>> fold_heading("AgeBand_KEY"), fold_heading("Council Code")
    ('ageband', 'council_code')
    """
    text = str(column).strip().lower().replace(" ", "_")
    return text.removesuffix("_key")


def _letters(positions: Iterable[int]) -> str:
    return " and ".join(column_letters(position) for position in positions)


def translate_column(
    labels: pd.Series[Any],
    dimension: str,
    *,
    blank: Iterable[str] = ("", "-"),
    also: Mapping[str, str] | None = None,
    first_row: int = 2,
) -> tuple[pd.Series[Any], list[str]]:
    """Translate a column of labels, and say which labels are not known and in which rows.

    Parameters
    ----------
    labels
        The labels as printed; their name is the heading that a message shows.
    dimension
        Which vocabulary of ``labels.toml`` they belong to.
    blank
        What stands for "not broken down by this".
    also
        Spellings that hold for this file only (numeric keys, say); they come first.
    first_row
        The row of the file where index 0 stands.

    Returns
    -------
    pandas.Series
        The words of the returns table.
    list of str
        The problems.
    """
    words: dict[str, str | None] = {}
    problems = []
    for label in _unique(labels):
        text = str(label).strip()
        words[label] = None
        if text in blank:
            continue
        if also and text in also:
            words[label] = also[text]
            continue
        try:
            words[label] = translate(dimension, text)
        except KeyError as error:
            rows = labels.index[labels == label] + first_row
            problems.append(f"column {labels.name}, row {list_some(rows, 4)}: {error.args[0]}")
    return replace_texts(labels, words), problems


def _unique(column: pd.Series[Any]) -> list[Any]:
    """Return every text of a column once, in order of its first row."""
    return list(column.unique())


def replace_texts(column: pd.Series[Any], words: Mapping[str, str | None]) -> pd.Series[Any]:
    """Replace every text of a column by a word, or by nothing; categories stay categories.

    Parameters
    ----------
    column
        Texts, plain or as categories.
    words
        Every text that the column holds, and its word.

    Returns
    -------
    pandas.Series
        The words as ``string``, or as sorted categories of ``string``.

    Examples
    --------
    >>> replace_texts(pd.Series(["a", "b"]), {"a": "one", "b": None}).fillna("-").tolist()
    ['one', '-']
    """
    if not isinstance(column.dtype, pd.CategoricalDtype):
        return column.map(words).astype("string")
    known = sorted({word for text in column.cat.categories if (word := words.get(text))})
    place = {word: number for number, word in enumerate(known)}
    new = np.array([place.get(words.get(text) or "", -1) for text in column.cat.categories] or [-1])
    codes = np.where(column.cat.codes < 0, -1, new[column.cat.codes])
    kinds = pd.Index(pd.array(known, dtype="string"))
    made = pd.Categorical.from_codes(codes, categories=kinds)
    return pd.Series(made, index=column.index, name=column.name)


def ons_codes(codes: pd.Series[Any], year: int) -> tuple[pd.Series[Any], list[str]]:
    """Translate a column of social-care codes, and say which were not in use that year and in which rows.

    Parameters
    ----------
    codes
        Social-care codes as printed; their name is the heading that a message shows.
    year
        Start year of the financial year.

    Returns
    -------
    pandas.Series
        ONS codes.
    list of str
        The problems.
    """
    table = councils(year)
    known = dict(zip(table["cassr_code"], table["ons_code"], strict=True))
    problems = []
    for code in _unique(codes):
        if code not in known:
            rows = codes.index[codes == code] + 2
            near = did_you_mean(code, list(known))
            problems.append(
                f"column {codes.name}, row {list_some(rows, 4)}: "
                f"{code!r} was no council's social-care code in {year_label(year)}{near}"
            )
    return replace_texts(codes, {code: known.get(code) for code in _unique(codes)}), problems


def figures(
    cells: pd.Series[Any],
    source: Source,
    address: Callable[[Any], str],
    *,
    blank_is_layout: bool = False,
    limit: int = 20,
) -> tuple[pd.DataFrame, list[str]]:
    """Read a column of printed cells: value, status and marker of each.

    Parameters
    ----------
    cells
        The cells as printed.
    source
        The manifest record, which holds the file's shorthand.
    address
        From an index of ``cells`` to the address that a message shows.
    blank_is_layout
        A blank cell to which the file gives no meaning is layout (its status comes back missing), not a
        problem.
    limit
        At most so many problems are listed.

    Returns
    -------
    pandas.DataFrame
        ``value, status, marker`` with the index of ``cells``.
    list of str
        The cells that are neither a number nor known shorthand.
    """
    codes, texts = _codes(cells)
    values, plain = _plain_numbers(texts, source)
    words: dict[str, list[str | None]] = {
        "status": ["published" if number else None for number in plain],
        "marker": [None] * len(texts),
    }
    problems: list[str] = []
    for number in np.flatnonzero(~plain):
        cell, problem = texts[number], ""
        try:
            figure = read_figure(cell, source.markers)
            if figure is not None:
                values[number] = np.nan if figure.value is None else figure.value
                words["status"][number], words["marker"][number] = figure.status, figure.marker
            elif not blank_is_layout:
                problem = "blank, and a blank has no meaning in this file"
        except ValueError as error:
            problem = str(error)
        if problem and len(problems) < limit:
            places = [address(place) for place in cells.index[codes == number]]
            problems.append(f"{list_some(places, 4)}: {problem}")
    frame = pd.DataFrame({"value": values[codes]}, index=cells.index)
    as_categories = isinstance(cells.dtype, pd.CategoricalDtype)
    for name, of_text in words.items():
        kinds = sorted({word for word in of_text if word})
        number_of = {word: number for number, word in enumerate(kinds)}
        of_texts = np.array([number_of.get(word or "", -1) for word in of_text], dtype=np.int64)
        column = pd.Categorical.from_codes(of_texts[codes], pd.Index(pd.array(kinds, dtype="string")))
        frame[name] = column if as_categories else column.astype("object")
    return frame, problems


def _plain_numbers(texts: list[Any], source: Source) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the values of texts of digits, with at most a sign and a point, and which texts these are."""
    values = np.full(len(texts), np.nan)
    if not all(isinstance(text, str) for text in texts) or any(map(str.isdecimal, source.markers)):
        return values, np.zeros(len(texts), dtype=np.bool_)
    printed = pa.array(texts, type=pa.string())
    plain = pc.match_substring_regex(printed, _PLAIN).to_numpy(zero_copy_only=False)
    values[plain] = printed.filter(pa.array(plain)).cast(pa.float64()).to_numpy(zero_copy_only=False)
    return values, plain


def _codes(cells: pd.Series[Any]) -> tuple[NDArray[np.int64], list[Any]]:
    """Return for each cell the number of its text, and the texts, in order of their first row."""
    if not isinstance(cells.dtype, pd.CategoricalDtype):
        codes, texts = pd.factorize(cells, use_na_sentinel=False)
        return codes, list(texts)
    codes, used = pd.factorize(cells.cat.codes)
    return codes, list(cells.cat.categories[used])


def addresses(rows: Iterable[int], column: int) -> list[str]:
    """Return spreadsheet addresses of one column of a CSV whose first data row is row 2.

    Examples
    --------
    >>> addresses([0, 1], 2)
    ['C2', 'C3']
    """
    letters = column_letters(column)
    return [f"{letters}{row + 2}" for row in rows]
