"""The items of a keyed CSV: what each different row counts and what it is broken down by."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clsimpact.errors import did_you_mean, list_some
from clsimpact.loaders._keyed_areas import number_rows
from clsimpact.loaders._keyed_layout import Column, Dimension, Layout, Rule, sheet_code, table_code
from clsimpact.loaders.labels import fold, known_labels, translate

__all__ = ["find_items"]

_AGES: Final[Mapping[str, frozenset[str]]] = {
    "18 to 64": frozenset({"18 to 64", "18 to 25", "26 to 64"}),
    "65 and over": frozenset({"65 and over", "65 to 74", "75 to 84", "65 to 84", "85 and over"}),
}
"""The age bands that a table about an age may hold."""

_Labels = Mapping[str, str]


def find_items(
    columns: Mapping[str, Column], layout: Layout, stem: str
) -> tuple[NDArray[np.int64], pd.DataFrame, list[str]]:
    """Find out what each row counts.

    Parameters
    ----------
    columns
        Every column of the file, with labels in place of keys.
    layout
        What the file may hold.
    stem
        Name of the file, which begins the ``table`` of every item.

    Returns
    -------
    ids
        For every row, which row of the second says what it counts.
    items
        ``measure``, ``table``, the dimensions of the layout and ``detail``; words of the returns table.
    problems
        Sheets, tables and labels that are not known, with their rows.
    """
    by = {name: columns[name] for name in ("sheet", "table")}
    # A constant that is no dimension tells no rows apart.
    by |= {
        name: columns[name]
        for name in ("additional", "data_level")
        if name in columns and len(columns[name].words) > 1
    }
    by |= {name: column for name, column in columns.items() if name not in layout.identifiers}
    by = {name: column for name, column in by.items() if column.words != ("",) or name == "sheet"}
    ids, first = number_rows(by)
    headings = {name: column.heading for name, column in by.items()}
    rows, wrong = [], dict[str, list[int]]()
    for number, row in enumerate(first):
        words = {name: column.words[column.codes[row]] for name, column in by.items()}
        labels = {name: word for name, word in words.items() if word}
        item, found = _item(labels, layout, headings)
        item["table"] = f"{stem}: {labels.get('sheet', '')} {labels.get('table', '')}".rstrip()
        rows.append(item)
        for problem in found:
            wrong.setdefault(problem, []).append(number)
    problems = []
    for problem, numbers in wrong.items():
        places = np.flatnonzero(np.isin(ids, numbers)) + 2
        problems.append(f"row {list_some(places, 4)}: {problem}")
    names = ["measure", "table", *layout.dimensions, "detail"]
    return ids, pd.DataFrame(rows).reindex(columns=names), problems


def _item(
    labels: _Labels, layout: Layout, headings: Mapping[str, str]
) -> tuple[dict[str, str | None], list[str]]:
    """Return the words of one item and what is wrong with it."""
    problems: list[str] = []
    item: dict[str, str | None] = {}
    rest: dict[str, str] = {}
    rule, found = _rule(labels, layout)
    problems += found
    item["measure"] = rule.measure if rule else None
    for name, dimension in layout.dimensions.items():
        chosen, left = _chosen(labels, dimension)
        rest |= left
        item[name], problem = _word(name, tuple(labels[column] for column in chosen))
        if problem:
            where = " and ".join(headings[column] for column in chosen)
            problems.append(f"column {where}: {problem}")
    if rule:
        problems += _settle_age(item, rule, labels)
    item["detail"] = _detail(labels, layout, rest, rule)
    return item, problems


def _rule(labels: _Labels, layout: Layout) -> tuple[Rule | None, list[str]]:
    """Return what the sheet and table of an item count, or say why that is not known."""
    sheet, table = sheet_code(labels.get("sheet", "")), table_code(labels.get("table", ""))
    of_sheet = [rule for rule in layout.rules if rule.sheet == sheet]
    if not of_sheet:
        near = did_you_mean(sheet, sorted({rule.sheet for rule in layout.rules}))
        return None, [f"{labels.get('sheet', '')!r} is no known sheet{near}"]
    of_table = [rule for rule in of_sheet if not rule.tables or table in rule.tables]
    numbers = sorted({number for rule in of_sheet for number in rule.tables})
    if numbers and table not in numbers:
        return None, [
            f"{labels.get('table', '')!r} is no known table of {sheet}{did_you_mean(table, numbers)} "
            f"(known: {', '.join(numbers)})"
        ]
    said = {column: fold(labels[column]) for column in layout.counted if column in labels}
    said = {column: word for column, word in said.items() if word != "total"}
    for rule in of_table:
        if rule.where.keys() == said.keys() and all(said[column] in rule.where[column] for column in said):
            return rule, []
    known = sorted({word for rule in of_table for words in rule.where.values() for word in words})
    word = next(iter(said.values()), "")
    return None, [
        f"{word!r} is nothing that {sheet} table {table!r} is known to count{did_you_mean(word, known)}"
    ]


def _chosen(labels: _Labels, dimension: Dimension) -> tuple[list[str], dict[str, str]]:
    """Return the columns that say the word of a dimension, and what the others say beside it."""
    present = [column for column in dimension.columns if column in labels]
    specific = [column for column in present if not _is_total(labels[column])]
    leading = (specific or present)[:1]
    finer = [column for column in dimension.finer if column in labels]
    telling = [column for column in finer if not _is_total(labels[column])]
    left = {column: labels[column] for column in [*specific[1:], *telling[1:]]}
    return [*leading, *(telling or finer)[:1]], left


@functools.lru_cache(maxsize=4096)
def _is_total(label: str) -> bool:
    return fold(label) == "total"


@functools.lru_cache(maxsize=4096)
def _word(dimension: str, labels: tuple[str, ...]) -> tuple[str | None, str]:
    """Return the word for a label and the label that divides it further, or what is not known."""
    if not labels:
        return None, ""
    specific = [label for label in labels if not _is_total(label)]
    if not specific:
        return "Total", ""
    known = known_labels(dimension)
    tries = [" ".join(specific), " - ".join(specific)]
    if fold(specific[-1]).startswith(fold(specific[0])):
        tries.append(specific[-1])  # the finer column repeats the coarser word
    if len(specific) < len(labels) and labels[0] == specific[0]:
        tries.insert(0, f"{specific[0]} - Total")
    for label in tries:
        if fold(label) in known:
            return known[fold(label)], ""
    try:
        return translate(dimension, " ".join(specific)), ""
    except KeyError as error:
        return None, str(error.args[0])


def _settle_age(item: dict[str, str | None], rule: Rule, labels: _Labels) -> Iterator[str]:
    """Take the age band from the table where its column is blank; yield a contradiction of the two."""
    table = table_code(labels.get("table", ""))
    if table not in rule.ages:
        return
    age = item.get("age_band")
    if age is None:
        item["age_band"] = rule.ages[table]
    elif age not in _AGES[rule.ages[table]]:
        yield f"table {labels['table']!r} of {rule.sheet} is about {rule.ages[table]}, its row about {age!r}"


def _detail(labels: _Labels, layout: Layout, rest: Mapping[str, str], rule: Rule | None) -> str | None:
    """Return every word of an item that no dimension of the returns table holds."""
    own = {column for entry in layout.dimensions.values() for column in (*entry.columns, *entry.finer)}
    skipped = own | set(rule.where if rule else layout.counted) | {"sheet"}
    if not layout.table_in_detail:
        skipped.add("table")
    words = {column: word for column, word in labels.items() if column not in skipped} | dict(rest)
    parts = {layout.identifiers.get(column, column): word for column, word in words.items()}
    return "; ".join(f"{name}: {parts[name]}" for name in sorted(parts) if not _is_total(parts[name])) or None
