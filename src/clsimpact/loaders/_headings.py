"""What the headings of a data table say: its title, the columns left of the figures, and those of figures.

A label may stand over one column or, merged or not, over several; it may be merged with the blank rows below
it and with empty columns beside it. Which columns hold figures is found from the figures themselves.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from clsimpact.errors import ClsimpactError, LayoutError, did_you_mean
from clsimpact.loaders.labels import fold, known_labels, read_toml, translate
from clsimpact.loaders.sheets import Sheet, clean
from clsimpact.years import parse_year

__all__ = [
    "Header",
    "Specification",
    "Title",
    "find_header",
    "read_columns",
    "read_year",
    "specifications",
    "stub_words",
    "title_of",
]

Specification = Mapping[str, Any]

_YEAR: Final = r"\d{4}[-/]\d{2}(?:\d{2})?"
_TITLE: Final = re.compile(
    r"^table [\w.]+\s*[-.,]*\s*(?P<title>.*?)"
    rf"(?:[ ,]+(?:{_YEAR}(?:, | and |, and | to )?)*(?P<year>{_YEAR}))?$"
)
_AREAS: Final = ("ons_code", "cassr_code", "name", "region_code", "region_name")
_CHANGE: Final = re.compile(r"^(percentage change) from .*$")


class Title(NamedTuple):
    """The title of a table.

    Attributes
    ----------
    words
        What it says, folded, without number and years.
    year
        The last year that it names, as printed.
    place
        Row and column, counted from 0.
    others
        Whether the sheet holds the titles of other tables too.
    """

    words: str
    year: str | None
    place: tuple[int, int]
    others: bool = False


class Header(NamedTuple):
    """Where the headings of a table stand.

    Attributes
    ----------
    levels
        The rows of headings, from the outermost to the innermost.
    stubs
        What the columns left of the figures hold, to their indices.
    """

    levels: tuple[int, ...]
    stubs: Mapping[str, range]

    def stub_columns(self) -> frozenset[int]:
        """Return the indices of all columns left of the figures."""
        return frozenset(column for span in self.stubs.values() for column in span)


class _Span(NamedTuple):
    """The cells of a merged range."""

    top: int
    left: int
    bottom: int
    right: int


class _Place(NamedTuple):
    """A label over a column, and the column in which it begins."""

    label: str
    begins: int


@functools.cache
def specifications() -> Mapping[str, Specification]:
    """Return every declared table by its folded title."""
    return {fold(table["title"]): table for table in read_toml("tables.toml")["table"]}


@functools.cache
def stub_words() -> Mapping[str, str]:
    """Return what a column left of the figures holds, by its folded label."""
    return {fold(label): word for label, word in read_toml("tables.toml")["stub"].items()}


@functools.cache
def _column_words() -> Mapping[str, Mapping[str, Any]]:
    return {fold(label): says for label, says in read_toml("tables.toml")["column"].items()}


def title_of(sheet: Sheet) -> Title | None:
    """Return the title of the table of a sheet: of several cells that look like one, the first declared."""
    found: list[Title] = []
    for number, line in enumerate(sheet.rows):
        for index, cell in enumerate(line):
            match = _TITLE.match(fold(cell)) if isinstance(cell, str) and len(cell) > len("Table 1") else None
            if match:
                found.append(Title(match["title"], match["year"], (number, index)))
    declared = [title for title in found if title.words in specifications()]
    others = len({title.words for title in declared}) > 1
    return next((title._replace(others=others) for title in [*declared, *found]), None)


def find_header(sheet: Sheet, below: int, specification: Specification) -> Header:
    """Find the rows of headings below the title, by their words.

    Raises
    ------
    LayoutError
        If there are none, or a column left of the figures is absent or headed twice.
    """
    wanted = specification.get("rows", ["name"])
    spans = _spans(sheet)
    for number in range(below + 1, len(sheet.rows)):
        words = _words_of_row(sheet, number, spans)
        if set(wanted) <= {word for word, _ in words}:
            break
    else:
        labels = [label for label, word in read_toml("tables.toml")["stub"].items() if word in wanted]
        raise LayoutError(
            f"{sheet.name}: no header row ({', '.join(map(repr, labels))}) below the title.",
            repair="Use the publisher's file as it is.",
        )
    stubs = dict(words)
    missing = [word for word in _AREAS[:4] if "name" in stubs and word not in stubs]
    problems = []
    if missing:
        problems.append(f"{sheet.name} row {number + 1}: no column for {', '.join(missing)}")
    if len(stubs) < len(words):
        problems.append(f"{sheet.name} row {number + 1}: a column left of the figures is headed twice")
    problems += [
        f"{sheet.name} {sheet.address(number, span.start)}: this table has no column for {word}"
        for word, span in stubs.items()
        if word not in (*_AREAS, *specification.get("rows", ()))
    ]
    levels = _levels(sheet, number, len(specification["levels"]))
    if len(levels) < len(specification["levels"]):
        lacking = specification["levels"][len(levels)].replace("|", " or ").replace("_", " ")
        problems.append(f"{sheet.name} row {levels[-1] + 2}: no row of headings for {lacking}")
    if problems:
        raise LayoutError(
            f"{sheet.name}: the headings are not the declared ones.",
            problems,
            repair="Use the publisher's file as it is; a new layout needs a new adapter.",
        )
    return Header(levels, stubs)


def _words_of_row(
    sheet: Sheet, number: int, spans: Mapping[tuple[int, int], _Span]
) -> list[tuple[str, range]]:
    """Return what the stub labels of a row stand for, with the columns that each spans."""
    found: list[tuple[str, range]] = []
    line = sheet.rows[number]
    index = 0
    while index < len(line):
        span = spans.get((number, index), _Span(number, index, number, index))
        word = stub_words().get(fold(sheet.cell(span.top, span.left)))
        if word is not None:
            found.append((word, range(span.left, span.right + 1)))
        index = span.right + 1
    return found


def _levels(sheet: Sheet, header: int, depth: int) -> tuple[int, ...]:
    """Return the header row and the next rows with text and without numbers."""
    levels = [header]
    for number in range(header + 1, len(sheet.rows)):
        line = sheet.rows[number]
        if len(levels) == depth or any(isinstance(cell, int | float) for cell in line):
            break
        if any(map(clean, line)):
            levels.append(number)
    return tuple(levels)


def _spans(sheet: Sheet) -> dict[tuple[int, int], _Span]:
    """Return every cell that is merged: to the top, left, bottom and right of its range."""
    return {
        (row, column): _Span(top, left, bottom, right)
        for (top, left), (bottom, right) in sheet.merged
        for row in range(top, min(bottom, len(sheet.rows) - 1) + 1)
        for column in range(left, right + 1)
    }


def read_columns(
    sheet: Sheet,
    header: Header,
    specification: Specification,
    figures: Mapping[int, int],
    problems: list[str],
) -> dict[int, dict[str, Any]]:
    """Return what the headings over every column of figures say, by the index of the column.

    Parameters
    ----------
    sheet, header, specification
        The table.
    figures
        Columns that hold figures, and the row of the first.
    problems
        What is not understood is added here, with its cell.
    """
    paths = _paths(sheet, header, figures)
    said: dict[int, dict[str, Any]] = {}
    seen: set[tuple[int, int]] = set()
    before, second = -1, False
    for column, path in paths.items():
        deepest = max((depth for depth, place in enumerate(path) if place.label), default=-1)
        labelled = deepest >= 0 and (deepest, path[deepest].begins) not in seen
        if labelled:
            says, unknown = _says(path, deepest, specification, siblings=paths.values())
            problems += [
                f"{sheet.name} {sheet.address(header.levels[at], path[at].begins)}: {text}"
                for at, text in unknown
            ]
        if column not in figures:
            continue
        if labelled:
            said[column] = says
        elif before in said and "second" in specification and not second:
            said[column] = {**said[before], **specification["second"]}
        else:
            problems.append(
                f"{sheet.name} {sheet.address(figures[column], column)}: a figure without a heading"
            )
        seen |= {(depth, place.begins) for depth, place in enumerate(path) if place.label}
        before, second = column, not labelled
    problems += _alike(sheet, header, said) if not problems else []
    return said


def _alike(sheet: Sheet, header: Header, said: Mapping[int, Mapping[str, Any]]) -> Iterator[str]:
    first: dict[frozenset[tuple[str, Any]], int] = {}
    for column, says in said.items():
        other = first.setdefault(frozenset(says.items()), column)
        if other != column:
            pair = " and ".join(sheet.address(header.levels[0], at) for at in (other, column))
            yield f"{sheet.name} {pair}: two columns have the same headings"


def _paths(sheet: Sheet, header: Header, figures: Mapping[int, int]) -> dict[int, list[_Place]]:
    """Return the labels over every column that has any or holds figures, from the outermost inwards."""
    spans = _spans(sheet)
    stubs = header.stub_columns()
    paths: dict[int, list[_Place]] = {}
    before: list[_Place] = []
    for column in range(max(map(len, sheet.rows))):
        path = [_place(sheet, header.levels, depth, column, spans) for depth in range(len(header.levels))]
        own = [depth for depth, place in enumerate(path) if place and place.label]
        if column in stubs or not (column in figures or any(path[depth].begins == column for depth in own)):  # type: ignore[union-attr]
            continue
        resolved: list[_Place] = []
        for depth, place in enumerate(path):
            same_group = bool(before) and all(
                a.begins == b.begins for a, b in zip(resolved, before, strict=False)
            )
            inherits = place is None and same_group and any(deeper > depth for deeper in own)
            resolved.append(before[depth] if inherits else place or _Place("", column))
        paths[column] = before = resolved
    return paths


def _place(
    sheet: Sheet, levels: Sequence[int], depth: int, column: int, spans: Mapping[tuple[int, int], _Span]
) -> _Place | None:
    """Return the label over a column at one level; ``None`` where the cell is blank and not merged."""
    row = levels[depth]
    span = spans.get((row, column))
    if span is not None:
        here = depth == 0 or levels[depth - 1] < span.top
        return _Place(clean(sheet.cell(span.top, span.left)) if here else "", span.left)
    label = clean(sheet.cell(row, column))
    return _Place(label, column) if label else None


def _says(
    path: Sequence[_Place],
    deepest: int,
    specification: Specification,
    *,
    siblings: Iterable[Sequence[_Place]],
) -> tuple[dict[str, Any], list[tuple[int, str]]]:
    """Return what the labels over one column say, and what is wrong with them with its level."""
    says: dict[str, Any] = {}
    wrong: list[tuple[int, str]] = []
    levels = specification["levels"]
    for depth, (level, place) in enumerate(zip(levels, path, strict=True)):
        try:
            says.update(_words(level, place.label) if place.label else {})
        except KeyError as error:
            wrong.append((depth, str(error.args[0])))
    if says.get("measure") == "clients":
        says["measure"] = specification["clients"]
    for depth, level in enumerate(levels):
        kinds = set(level.split("|"))
        if path[depth].label or kinds & set(says):
            continue
        if fold(path[0].label) == "total" and not kinds & {"column", "year"}:
            says[level.split("|")[0]] = "Total"
        elif not wrong and not kinds & set(specification.get("optional", ())):
            wrong.append((depth, f"no heading for {level.replace('|', ' or ').replace('_', ' ')}"))
    end = path[deepest]
    if (
        any(
            len(other) > deepest + 1 and other[deepest].begins == end.begins and other[deepest + 1].label
            for other in siblings
            if other is not path
        )
        and not wrong
    ):
        wrong.append((deepest + 1, f"no heading under {end.label!r}"))
    if "measure" not in {**specification.get("fixed", {}), **says} and not wrong:
        wrong.append((0, "no heading says what is counted"))
    return says, wrong


def _words(level: str, label: str) -> dict[str, Any]:
    """Return what one label says, at a level that may hold one of several kinds of label."""
    kinds = level.split("|")
    folded = fold(label)
    change = _CHANGE.match(folded)
    for kind in kinds:
        if kind == "column":
            says = _column_words().get(change[1] if change else folded)
            if says is not None:
                return dict(says)
        elif kind == "year":
            if re.fullmatch(_YEAR, folded):
                return {"year": read_year(label)}
        elif folded in known_labels(kind):
            return {kind: translate(kind, label)}
    every = [word for kind in kinds if kind not in ("year", "column") for word in known_labels(kind)]
    every += list(_column_words()) if "column" in kinds else []
    raise KeyError(f"unknown heading {label!r}{did_you_mean(folded, every)}")


def read_year(label: str) -> int:
    """Return the start year that a label names.

    Raises
    ------
    KeyError
        If it names none; the caller adds the place.
    """
    try:
        return parse_year(fold(label))
    except ClsimpactError as error:
        raise KeyError(error.summary) from error
