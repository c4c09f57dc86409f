"""Reading a keyed CSV: each different cell, area and item once, then rows by their codes.

A file has some 300,000 rows, but only a few thousand different *items* (sheet, table and the words of every
dimension) and some 160 areas. So columns are read as categories, rows are numbered by item and by area, and
words are translated once for each item: no loop runs over rows.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv
from numpy.typing import NDArray

from clsimpact.errors import LayoutError, SourceError, list_some
from clsimpact.geography import regions
from clsimpact.loaders._complete import council_names, item_problems, lacking_areas, raise_incomplete
from clsimpact.loaders._keyed_areas import ENGLAND, find_areas
from clsimpact.loaders._keyed_items import find_items
from clsimpact.loaders._keyed_layout import Column, Layout, fold_heading, match_headings
from clsimpact.loaders.labels import measures
from clsimpact.loaders.manifest import Source, sha256_of
from clsimpact.loaders.returns import DIMENSIONS, as_returns
from clsimpact.loaders.sheets import clean, column_letters
from clsimpact.loaders.values import read_figure
from clsimpact.years import year_label

__all__ = ["read_headings", "read_keyed"]

_TOTAL_KEY: Final = "99"
_MOST_PROBLEMS: Final = 40
_DOWNLOAD_AGAIN: Final = "Download the file again and compare its SHA-256 with the manifest."
_AREA: Final = ("level", "cassr_code", "ons_code", "council_name", "region_code", "region_name")

Keys = Mapping[str, Mapping[str, str]]


def read_headings(path: Path, source: Source) -> list[str]:
    """Return the first row of a CSV.

    Raises
    ------
    SourceError
        If the file is empty or not in the declared encoding.
    """
    try:
        with path.open(encoding=source.encoding, newline="") as stream:
            headings = next(csv.reader(stream, strict=True), [])
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise _unreadable(path, source, error) from error
    if not headings:
        raise SourceError(f"{path.name} is empty.", repair=_DOWNLOAD_AGAIN)
    return headings


def read_keyed(path: Path, source: Source, layout: Layout, keys: Keys) -> pd.DataFrame:
    """Read a keyed CSV.

    Parameters
    ----------
    path
        The CSV.
    source
        Its manifest record.
    layout
        What it may hold.
    keys
        Folded heading to numeric key to label, from the publication's reference data; these come before the
        keys of the layout.

    Returns
    -------
    pandas.DataFrame
        A returns table in the order of the file; ``table`` is the file's name, sheet and table.

    Raises
    ------
    SourceError
        If the file is empty, truncated or in another encoding.
    LayoutError
        If a column, sheet, table, label, key, area or value is not known (all are listed, with rows and the
        nearest known words), or if councils or rows are missing or stand twice.
    """
    headings = read_headings(path, source)
    places = match_headings(headings, path, layout)
    raw = _read_columns(path, source, headings, places)
    year = _year(raw, path, source)
    _refuse_made_up(raw, path, source)
    columns, problems = _decode(raw, layout, keys)
    area_ids, areas, found = find_areas({name: columns[name] for name in _AREA if name in columns}, year)
    problems += found
    item_ids, items, found = find_items(columns, layout, path.stem)
    problems += found
    values, found = _values(raw["value"], source, column_letters(places["value"]))
    problems += found
    if problems:
        raise LayoutError(
            f"{path.name}: some cells are not understood.",
            [*problems[:_MOST_PROBLEMS], *_rest(problems)],
            repair="Use the publisher's file unchanged, beside it its reference data if it has numeric keys.",
        )
    raise_incomplete(path.name, _incomplete(area_ids, areas, item_ids, year, complete=layout.complete))
    registry = measures()
    items = items.assign(
        **{name: [registry[key][name] for key in items["measure"]] for name in ("unit", "return_")}
    )
    items = items.reindex(columns=[*items.columns, *(name for name in DIMENSIONS if name not in items)])
    frame = pd.DataFrame({**_spread(areas, area_ids), **_spread(items, item_ids), **values})
    letters = column_letters(places["value"])
    cells = pd.array([f"{letters}{row}" for row in range(2, len(frame) + 2)], dtype="string")
    return as_returns(frame.assign(year=year, cell=cells), source)


def _rest(problems: Sequence[str]) -> list[str]:
    left = len(problems) - _MOST_PROBLEMS
    return [f"and {left} more"] if left > 0 else []


def _unreadable(path: Path, source: Source, error: Exception) -> SourceError:
    return SourceError(
        f"{path.name} cannot be read as a CSV in {source.encoding}: it is truncated or of another kind.",
        [str(error)],
        repair=_DOWNLOAD_AGAIN,
    )


def _read_columns(
    path: Path, source: Source, headings: Sequence[str], places: Mapping[str, int]
) -> dict[str, Column]:
    """Read every column as categories of text; nothing is interpreted."""
    numbers = [str(position) for position in range(len(headings))]
    words = pa.dictionary(pa.int32(), pa.string())
    encoding = "utf8" if source.encoding.lower() in ("utf-8-sig", "utf-8", "utf8") else source.encoding
    try:
        table = pa_csv.read_csv(
            path,
            read_options=pa_csv.ReadOptions(column_names=numbers, skip_rows_after_names=1, encoding=encoding),
            parse_options=pa_csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
            convert_options=pa_csv.ConvertOptions(
                column_types=dict.fromkeys(numbers, words), strings_can_be_null=False
            ),
        )
    except (OSError, ValueError) as error:  # what pyarrow raises for a broken file is a ValueError
        raise _unreadable(path, source, error) from error
    if not table.num_rows:
        raise SourceError(
            f"{path.name} holds no rows below its header: it is truncated.", repair=_DOWNLOAD_AGAIN
        )
    if not _ends(path) and sha256_of(path) != source.sha256:
        raise SourceError(
            f"{path.name}: the last line does not end: it is truncated.", repair=_DOWNLOAD_AGAIN
        )
    table = table.unify_dictionaries().combine_chunks()
    return {name: _column(headings[position], table.column(position)) for name, position in places.items()}


def _column(heading: str, cells: pa.ChunkedArray) -> Column:
    """Return a column, its cells without the blanks around them."""
    dictionary = cells.chunk(0)
    cleaned = [clean(word) for word in dictionary.dictionary.to_pylist()]
    codes, words = pd.factorize(np.array(cleaned, dtype="object"))
    indices = dictionary.indices.to_numpy(zero_copy_only=False)
    return Column(clean(heading), tuple(words), codes[indices].astype("int64"))


def _ends(path: Path) -> bool:
    with path.open("rb") as stream:
        stream.seek(-1, 2)
        return stream.read(1) in (b"\n", b"\r")


def _year(raw: Mapping[str, Column], path: Path, source: Source) -> int:
    """Return the start year of the file's one financial year; the file says in which year it ends."""
    column = raw["ending"]
    endings = [word for word in column.words if word.isascii() and word.isdigit() and len(word) == 4]
    if len(column.words) != 1 or len(endings) != 1:
        raise LayoutError(
            f"{path.name}: column {column.heading} does not hold one year.",
            [f"{word!r} in row {column.rows_of(code)}" for code, word in enumerate(column.words)][
                :_MOST_PROBLEMS
            ],
            repair="Read the files of different years one at a time.",
        )
    year = int(endings[0]) - 1
    if source.year is not None and source.year != year:
        raise LayoutError(
            f"{path.name}: column {column.heading} says {endings[0]}, the financial year {year_label(year)}; "
            f"the manifest says {year_label(source.year)}.",
            repair="Read the file under the record of its own year.",
        )
    return year


def _refuse_made_up(raw: Mapping[str, Column], path: Path, source: Source) -> None:
    """Refuse made-up figures under the record of an official file."""
    made_up = [word for word in raw["uuid"].words if word.startswith("SIM")] if "uuid" in raw else []
    if made_up and not source.simulated:
        raise LayoutError(
            f"{path.name} says that it is made up ({raw['uuid'].heading} {made_up[0]!r}), "
            f"but {source.id!r} is an official publication.",
            repair="Read simulated files with the manifest that lies in their own folder.",
        )


def _decode(raw: Mapping[str, Column], layout: Layout, keys: Keys) -> tuple[dict[str, Column], list[str]]:
    """Put labels in place of numeric keys, and say which keys have no known meaning."""
    columns = dict(raw)
    problems: list[str] = []
    for name in raw.keys() - layout.identifiers.keys():
        column = raw[name]
        known = {**layout.keys.get(name, {}), **keys.get(fold_heading(name), {})}
        labels = []
        for code, word in enumerate(column.words):
            label = "Total" if word == _TOTAL_KEY else clean(known.get(word, word))
            labels.append(label)
            if label.isdigit():
                place = f"column {column.heading}, row {column.rows_of(code)}"
                meanings = list_some([f"{key} = {text}" for key, text in known.items()], 6) or "none"
                problems.append(f"{place}: the key {word!r} has no known meaning (known: {meanings})")
        codes, words = pd.factorize(np.array(labels, dtype="object"))
        columns[name] = Column(column.heading, tuple(words), codes[column.codes].astype("int64"))
    return {name: columns[name] for name in raw}, sorted(problems)


def _values(column: Column, source: Source, letters: str) -> tuple[dict[str, Any], list[str]]:
    """Read value, status and marker of every row, each different cell once."""
    figures: list[tuple[float | None, str | None, str | None]] = []
    problems = []
    for code, cell in enumerate(column.words):
        problem = "blank, and a blank has no meaning in this file"
        figure = None
        try:
            figure = read_figure(cell, source.markers)
        except ValueError as error:
            problem = str(error)
        figures.append(figure or (None, None, None))
        if figure is None:
            rows = np.flatnonzero(column.codes == code) + 2
            problems.append(f"{list_some([f'{letters}{row}' for row in rows[:5]], 4)}: {problem}")
    value = np.array([np.nan if entry[0] is None else entry[0] for entry in figures], dtype="float64")
    words = pd.DataFrame(
        {"status": [entry[1] for entry in figures], "marker": [entry[2] for entry in figures]}
    )
    return {"value": value[column.codes], **_spread(words, column.codes)}, problems


def _spread(words: pd.DataFrame, codes: NDArray[np.int64]) -> dict[str, Any]:
    """Return columns of words, said once for each code, as categories for every row."""
    spread = {}
    for name in words:
        once = pd.Categorical(words[name].astype("string"))
        spread[str(name)] = pd.Categorical.from_codes(once.codes[codes], dtype=once.dtype)
    return spread


def _incomplete(
    area_ids: NDArray[np.int64],
    areas: pd.DataFrame,
    item_ids: NDArray[np.int64],
    year: int,
    *,
    complete: bool,
) -> Iterator[str]:
    """Yield councils and regions that are missing, items that stand twice, and items that an area lacks."""
    names = council_names(year)
    yield from lacking_areas(areas.loc[areas["level"] == "council", "cassr_code"].unique(), names)
    others = areas.loc[areas["level"] == "region", "ons_code"]
    if len(others):
        yield from lacking_areas(others.unique(), regions(), "regions")
    key = areas["cassr_code"].fillna(areas["ons_code"])
    area, code_of = pd.factorize(key.to_numpy(dtype="object"))[0], list(pd.unique(key))
    level = pd.factorize(areas["level"].to_numpy(dtype="object"))[0][area_ids]
    names |= {**regions(), ENGLAND: "England"}
    for kind in np.unique(level):
        rows = np.flatnonzero(level == kind)
        yield from _item_problems(
            area[area_ids[rows]], item_ids[rows], rows, code_of, names, complete=complete
        )


def _item_problems(
    area: NDArray[np.int64],
    item: NDArray[np.int64],
    rows: NDArray[np.int64],
    code_of: Sequence[str],
    names: Mapping[str, str],
    *,
    complete: bool,
) -> Iterable[str]:
    """Yield what is twice or missing among areas of one kind; the slow way is taken only if something is."""
    pairs = pd.Series(area * (item.max() + 1) + item)
    wanted = len(np.unique(area)) * len(np.unique(item))
    twice = pairs.duplicated(keep=False).to_numpy()
    if complete and (twice.any() or len(pairs) != wanted):
        code = pd.Series(code_of, dtype="object").to_numpy()[area]
        yield from item_problems(
            pd.Series(code, index=rows), pd.DataFrame({"item": item}, index=rows), names, 1
        )
    elif twice.any():
        again = rows[pairs.duplicated().to_numpy()] + 2
        yield f"{len(again)} rows stand twice (row {list_some(again, 4)})"
