"""The data tables of the Adult Social Care Activity and Finance Report: one workbook, one table a sheet.

A table is recognised by its title, its header by its words, its columns by their labels (`tables.toml`,
`labels.toml`): numbers of tables, rows and columns move from year to year and are never relied on.
Money is in £000, counts are people, requests or episodes; SALT counts are rounded to 5 by the publisher.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from clsimpact.errors import ClsimpactError, LayoutError, did_you_mean
from clsimpact.geography import councils, regions
from clsimpact.loaders.labels import fold, known_labels, measures, read_toml, translate
from clsimpact.loaders.manifest import Source
from clsimpact.loaders.returns import as_returns
from clsimpact.loaders.sheets import Sheet, clean, open_workbook
from clsimpact.loaders.values import Figure, read_figure
from clsimpact.years import parse_year

__all__ = ["read"]

_TABLE_SHEET = re.compile(r"^T\d+[a-z]?$")
_TITLE = re.compile(r"^Table \d+[a-z]?: (?P<title>.*?)(?:,? \d{4}-\d{2}(?:(?:, | and | to )\d{4}-\d{2})*)?$")
_CHANGE = re.compile(r"^(Percentage change) from .*$", re.IGNORECASE)
_AREA = {
    "geography code": "ons_code",
    "la code": "cassr_code",
    "la name": "name",
    "region code": "region_code",
    "region / type code": "region_code",
    "region name": "region_name",
    "region / type name": "region_name",
}
_STUBS = {
    "year": "year",
    "age band": "age_band",
    "carer age band": "age_band",
    "sequel to request for support": "sequel",
    "sequel to st-max": "sequel",
    "primary support reason": "primary_support_reason",
    "gender": "gender",
    "ethnicity": "ethnicity",
}
_CONNECTORS = {"and also"}
_ENGLAND = {"level": "england", "ons_code": "E92000001", "name": "England"}
_COUNCIL_TYPES = ("A", "D", "E", "H", "J (IL)", "J (OL)")
_MOST_PROBLEMS = 40


class _Column(NamedTuple):
    """One column of figures and what its headings say about them."""

    at: int
    says: Mapping[str, Any]


@functools.cache
def _council_codes() -> frozenset[tuple[str, str]]:
    table = councils()
    return frozenset(zip(table["ons_code"], table["cassr_code"], strict=True))


@functools.cache
def _specifications() -> Mapping[str, Mapping[str, Any]]:
    return {fold(table["title"]): table for table in read_toml("tables.toml")["table"]}


@functools.cache
def _column_words() -> Mapping[str, Mapping[str, Any]]:
    return {fold(label): says for label, says in read_toml("tables.toml")["column"].items()}


def read(path: Path, source: Source) -> pd.DataFrame:
    """Read every table of the workbook.

    Parameters
    ----------
    path
        The workbook (xlsx, xlsb or ods).
    source
        Its manifest record; ``source.year`` is the year of a figure whose table or heading names none.

    Returns
    -------
    pandas.DataFrame
        A returns table: every numeric and marked cell of every table, each once.

    Raises
    ------
    LayoutError
        If a table, heading or cell is not understood; all of them are listed with sheet and cell.
    SourceError
        If the file cannot be opened.
    """
    rows: list[dict[str, Any]] = []
    problems: list[str] = []
    for sheet in open_workbook(path, lambda name: bool(_TABLE_SHEET.match(name))):
        try:
            rows.extend(_read_table(sheet, source, problems))
        except LayoutError as error:
            problems += error.problems or (error.summary,)
    if not rows and not problems:
        problems.append("no sheet is named T1, T2, ...")
    if problems:
        left_out = len(problems) - _MOST_PROBLEMS
        raise LayoutError(
            f"{path.name}: the tables are not laid out as declared.",
            [*problems[:_MOST_PROBLEMS], *([f"and {left_out} more"] if left_out > 0 else [])],
            repair=(
                "Use the publisher's file unchanged; a new layout needs its labels in loaders/tables.toml "
                "or labels.toml."
            ),
        )
    return as_returns(pd.DataFrame(rows), source)


def _read_table(sheet: Sheet, source: Source, problems: list[str]) -> Iterator[dict[str, Any]]:
    specification = _specification(sheet)
    header = _find_header(sheet)
    stubs = _stub_columns(sheet, header)
    says_column = _read_columns(sheet, header, stubs, specification)
    registry = measures()
    fixed = {"year": source.year, **specification.get("fixed", {})}
    stub_words: dict[str, str] = {}
    for number in range(header + len(specification["levels"]), len(sheet.rows)):
        if clean(sheet.rows[number][0]).startswith("Source:"):
            break
        figures = list(_row_figures(sheet, number, stubs, source.markers, problems))
        if not figures:
            continue
        says = _row_words(sheet, number, stubs, specification, stub_words, problems)
        for index, figure in figures:
            cell = sheet.address(number, index)
            if index not in says_column:
                problems.append(f"{sheet.name} {cell}: a figure without a heading")
                continue
            row = {**fixed, **says, **says_column[index], **figure._asdict()}
            measure = registry.get(row.get("measure", ""), {})
            unit_and_return = {"unit": measure.get("unit"), "return_": measure.get("return_")}
            yield {**unit_and_return, **row, "table": sheet.name, "cell": cell}


def _row_figures(
    sheet: Sheet, number: int, stubs: Mapping[int, str], markers: Mapping[str, str], problems: list[str]
) -> Iterator[tuple[int, Figure]]:
    """Yield the figures of a row with their columns."""
    for index, cell in enumerate(sheet.rows[number]):
        if index in stubs or clean(cell).casefold() in _CONNECTORS:
            continue
        try:
            figure = read_figure(cell, markers)
        except ValueError as error:
            problems.append(f"{sheet.name} {sheet.address(number, index)}: {error}")
            continue
        if figure is not None:
            yield index, figure


def _specification(sheet: Sheet) -> Mapping[str, Any]:
    titles = [clean(cell) for line in sheet.rows[:8] for cell in line if clean(cell).startswith("Table ")]
    match = _TITLE.match(titles[0]) if titles else None
    if match is None:
        raise LayoutError(f"{sheet.name}: no title of the form 'Table 1: ...' in the first rows")
    title = fold(match["title"])
    known = _specifications()
    if title not in known:
        raise LayoutError(f"{sheet.name}: unknown table {match['title']!r}{did_you_mean(title, list(known))}")
    return known[title]


def _find_header(sheet: Sheet) -> int:
    for number, line in enumerate(sheet.rows[:20]):
        words = [fold(cell) for cell in line]
        if words and (words[0] in _STUBS or "la name" in words):
            return number
    raise LayoutError(
        f"{sheet.name}: no header row ('Geography code', 'Age band', 'Year', ...) in the first 20 rows"
    )


def _stub_columns(sheet: Sheet, header: int) -> dict[int, str]:
    """Return the columns left of the figures: index to what they hold."""
    stubs: dict[int, str] = {}
    for index, cell in enumerate(sheet.rows[header]):
        word = {**_AREA, **_STUBS}.get(fold(cell))
        if word is None:
            break
        stubs[index] = word
        for blank in range(index + 1, _merged_until(sheet, header, index) + 1):
            stubs[blank] = ""
    # A stub label may span two columns, which stops the loop above at its blank half.
    start = max(stubs, default=-1) + 1
    while start < len(sheet.rows[header]) and fold(sheet.rows[header][start]) in _STUBS:
        stubs[start] = _STUBS[fold(sheet.rows[header][start])]
        start += 1
    if "la name" in [fold(cell) for cell in sheet.rows[header]]:
        missing = {"ons_code", "cassr_code", "name"} - set(stubs.values())
        if missing:
            raise LayoutError(f"{sheet.name} row {header + 1}: no column for {', '.join(sorted(missing))}")
    return stubs


def _merged_until(sheet: Sheet, row: int, column: int) -> int:
    for (top, left), (bottom, right) in sheet.merged:
        if top <= row <= bottom and left == column:
            return right
    return column


def _heading(sheet: Sheet, row: int, column: int) -> tuple[str, int, bool]:
    """Return the label over a cell of the header, the column where it stands, and whether it is merged."""
    for (top, left), (bottom, right) in sheet.merged:
        if top <= row <= bottom and left <= column <= right:
            return (clean(sheet.rows[top][left]) if top == row else "", left, True)
    return (clean(sheet.rows[row][column]) if column < len(sheet.rows[row]) else "", column, False)


def _read_columns(
    sheet: Sheet, header: int, stubs: Mapping[int, str], specification: Mapping[str, Any]
) -> dict[int, Mapping[str, Any]]:
    """Return what the headings over every column of figures say, by the index of the column."""
    depths = len(specification["levels"])
    columns: list[_Column] = []
    problems: list[str] = []
    for index in range(max(stubs, default=-1) + 1, max(len(line) for line in sheet.rows)):
        path = [_heading(sheet, header + depth, index) for depth in range(depths)]
        labels = [label for label, _, _ in path]
        if not any(labels):
            continue
        deepest = max(depth for depth, label in enumerate(labels) if label)
        problems += [
            f"{sheet.name} {sheet.address(header + depth, index)}: no heading over {labels[deepest]!r}"
            for depth, (label, _, merged) in enumerate(path[:deepest])
            if not label and not merged
        ]
        second_of_pair = path[deepest][1] != index
        says, unknown = _says(labels, deepest, specification, second_of_pair=second_of_pair)
        problems += [
            f"{sheet.name} {sheet.address(header + depth, index)}: {text}" for depth, text in unknown
        ]
        columns.append(_Column(index, says))
    for column in [] if problems else columns:
        alike = next(other for other in columns if other.says == column.says)
        if alike is not column:
            pair = f"{sheet.address(header, alike.at)} and {sheet.address(header, column.at)}"
            problems.append(f"{sheet.name} {pair}: two columns have the same headings")
    if problems:
        raise LayoutError(f"{sheet.name}: the headings are not the declared ones.", problems)
    return {column.at: column.says for column in columns}


def _says(
    labels: Sequence[str], deepest: int, specification: Mapping[str, Any], *, second_of_pair: bool
) -> tuple[dict[str, Any], list[tuple[int, str]]]:
    """Return what the headings over one column say, and the headings that are not known with their depth."""
    says: dict[str, Any] = {}
    unknown = []
    for depth, (level, label) in enumerate(zip(specification["levels"], labels, strict=True)):
        stands_for = label
        if not label and second_of_pair and depth == deepest + 1 and "unlabelled" in specification:
            stands_for, second_of_pair = specification["unlabelled"], False
        try:
            says.update(_words(level, stands_for, first=labels[0]))
        except KeyError as error:
            unknown.append((depth, str(error.args[0])))
    if says.get("measure") == "clients":
        says["measure"] = specification["clients"]
    if second_of_pair:
        says.update(statistic="Share of row total", unit="percent")
    return says, unknown


def _words(level: str, label: str, *, first: str) -> dict[str, Any]:
    """Return what one heading says, at a level that may hold one of several kinds of label."""
    kinds = level.split("|")
    if not label:
        return {kinds[0]: "Total"} if fold(first) == "total" and kinds[0] not in ("column", "year") else {}
    change = _CHANGE.match(label)
    for kind in kinds:
        if kind == "column":
            says = _column_words().get(fold(change[1] if change else label))
            if says is not None:
                return dict(says)
        elif kind == "year":
            if re.fullmatch(r"\d{4}-\d{2}", label):
                return {"year": _start_year(label)}
        elif fold(label) in known_labels(kind):
            return {kind: translate(kind, label)}
    every = [word for kind in kinds if kind not in ("year", "column") for word in known_labels(kind)]
    every += list(_column_words()) if "column" in kinds else []
    raise KeyError(f"unknown heading {label!r}{did_you_mean(fold(label), every)}")


def _start_year(label: str) -> int:
    try:
        return parse_year(label)
    except ClsimpactError as error:
        raise KeyError(error.summary) from error


def _row_words(
    sheet: Sheet,
    number: int,
    stubs: Mapping[int, str],
    specification: Mapping[str, Any],
    above: dict[str, str],
    problems: list[str],
) -> dict[str, Any]:
    """Return what the cells left of the figures say: the area, or the dimensions of an England-only table."""
    line = sheet.rows[number]
    cells = {stub: clean(line[index]) for index, stub in stubs.items() if stub}
    says: dict[str, Any] = {}
    try:
        says = _area(cells)
        for stub in specification.get("rows", ()):
            label = cells[stub] or (above.get(stub, "Total") if stub == specification["rows"][0] else "")
            above[stub] = label
            says.update(_stub_word(stub, label))
    except KeyError as error:
        problems.append(f"{sheet.name} row {number + 1}: {error.args[0]}")
    return says


def _stub_word(stub: str, label: str) -> dict[str, Any]:
    if stub != "year":
        return {stub: translate(stub, label)}
    if re.fullmatch(r"\d{4}-\d{2}", label):
        return {"year": _start_year(label)}
    if _CHANGE.match(label):
        return {"detail": label, "statistic": "Percentage change", "unit": "proportion"}
    raise KeyError(f"{label!r} is no financial year")


def _area(cells: Mapping[str, str]) -> dict[str, Any]:
    """Return the area of a row: England where the table has no columns for areas, else what its codes say."""
    if "name" not in cells and "region_code" not in cells:
        return dict(_ENGLAND)
    name, codes = cells.get("name", ""), (cells.get("ons_code", ""), cells.get("cassr_code", ""))
    if name or any(codes):
        if not name or codes not in _council_codes():
            raise KeyError(
                f"no council has the geography code {codes[0]!r} and the LA code {codes[1]!r} ({name!r})"
            )
        return {"level": "council", "ons_code": codes[0], "cassr_code": codes[1], "name": name}
    code = cells.get("region_code", "")
    if code == _ENGLAND["ons_code"]:
        return dict(_ENGLAND)
    if code in regions():
        return {"level": "region", "ons_code": code, "name": cells["region_name"]}
    if code in _COUNCIL_TYPES:
        return {"level": "council_type", "cassr_code": code, "name": cells["region_name"]}
    raise KeyError(
        f"{code!r} is no region or council type{did_you_mean(code, [*regions(), *_COUNCIL_TYPES])}"
    )
