"""The data tables of the Adult Social Care Activity and Finance Report: one workbook, one table a sheet.

A table is recognised by its title, its header by its words, its columns by their labels (`tables.toml`,
`labels.toml`): numbers of tables, rows and columns move from year to year and are never relied on.
Money is in £000, counts are people, requests or episodes; SALT counts are rounded to 5 by the publisher.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import pandas as pd

from clsimpact.errors import LayoutError, did_you_mean, list_some
from clsimpact.geography import councils, regions
from clsimpact.loaders._columns import Block, Cells, to_frame
from clsimpact.loaders._complete import fold_name
from clsimpact.loaders._headings import (
    Header,
    Specification,
    Title,
    find_header,
    read_columns,
    read_year,
    specifications,
    title_of,
)
from clsimpact.loaders.labels import fold, read_toml, translate, unmarked
from clsimpact.loaders.manifest import Source
from clsimpact.loaders.returns import as_returns
from clsimpact.loaders.sheets import Sheet, clean, open_workbook
from clsimpact.loaders.values import Figure, read_figure
from clsimpact.years import parse_year, year_label

__all__ = ["read", "read_sheets"]

_TABLE_SHEET: Final = re.compile(r"^t(?:able)?\s*\d+[a-z]?$", re.IGNORECASE)
_END: Final = re.compile(r"^(source|notes?|copyright|©)\b|^©")
_CONNECTORS: Final = ("and also",)
_ENGLAND: Final = {"level": "england", "ons_code": "E92000001", "name": "England"}
_COUNCIL_TYPES: Final = {
    "A": "County",
    "D": "District",
    "E": "Metropolitan District",
    "H": "Unitary Authority",
    "J (IL)": "London Borough (Inner London)",
    "J (OL)": "London Borough (Outer London)",
}
_MADE_UP: Final = "SIMULATED"
_MOST_PROBLEMS: Final = 40


class _Table(NamedTuple):
    """A sheet whose title was understood."""

    sheet: Sheet
    title_row: int
    specification: Specification


def read(path: Path, source: Source, *, partial: bool = False) -> pd.DataFrame:
    """Read every table of the workbook.

    Parameters
    ----------
    path
        The workbook (xlsx, xlsb or ods).
    source
        Its manifest record; ``source.year`` is the year of a figure whose table or heading names none.
    partial
        Whether a workbook without the tables that its edition must have will do.

    Returns
    -------
    pandas.DataFrame
        A returns table: every numeric and marked cell of every table, each once.

    Raises
    ------
    LayoutError
        If a table is absent or there twice, or a heading, label or cell is not understood; all of it is
        listed with sheet and cell.
    SourceError
        If the file cannot be opened.
    """
    return read_sheets(open_workbook(path), source, partial=partial, file=path.name)


def read_sheets(
    sheets: Iterable[Sheet], source: Source, *, partial: bool = False, file: str = ""
) -> pd.DataFrame:
    """Read every table of some worksheets, whether they come from a file or not.

    Parameters
    ----------
    sheets
        The worksheets; those that hold no table (title, contents, notes) are passed over.
    source, partial
        As in :func:`read`.
    file
        Name of the workbook for messages; the manifest's if omitted.

    Returns
    -------
    pandas.DataFrame
        A returns table.

    Raises
    ------
    LayoutError
        As in :func:`read`.

    Examples
    --------
    >>> from clsimpact.loaders.manifest import load_manifest
    >>> title = "Table 4: Gross Current Expenditure in cash and real terms, 2005-06 to 2021-22"
    >>> rows = [[title], ["Year", "Cash terms", "Real terms"], ["2021-22", 100.5, 110.0], ["Source: ASC-FR"]]
    >>> source = load_manifest()["asc_fr_salt_2021_22"]
    >>> found = read_sheets([Sheet("tables.xlsx", "T4", rows)], source, partial=True)
    >>> found[["measure", "table", "cell"]].iloc[1].tolist(), float(found["value"].iloc[1])
    (['gross_current_expenditure_real', 'T4', 'C3'], 110.0)
    """
    problems: list[str] = []
    tables = list(_tables(_official(sheets, source), source, problems))
    blocks = [_read_table(table, source, problems) for table in tables]
    if not problems:  # else a row may have no figure because its cells were not understood
        empty = [block.sheet.name for block in blocks if block and not block.rows]
        problems += [f"{name}: no figure stands below its headings" for name in empty]
    if not partial:
        problems += [text for block in blocks if block for text in _absent_councils(block, source)]
    if not tables and not problems:
        problems.append("no sheet is named T1, T2, ...")
    elif not partial:
        problems += _absent([table.specification["title"] for table in tables], source)
    if problems:
        problems = list(dict.fromkeys(problems))
        left_out = len(problems) - _MOST_PROBLEMS
        raise LayoutError(
            f"{file or source.file}: the tables are not laid out as declared.",
            [*problems[:_MOST_PROBLEMS], *([f"and {left_out} more"] if left_out > 0 else [])],
            repair=(
                "Use the publisher's file unchanged; a new layout needs its labels in loaders/tables.toml "
                "or labels.toml."
            ),
        )
    return as_returns(to_frame([block for block in blocks if block is not None]), source)


def _official(sheets: Iterable[Sheet], source: Source) -> Iterator[Sheet]:
    """Pass the sheets on; refuse a workbook that says it is made up under the name of an official one."""
    for sheet in sheets:
        said = any(clean(cell).startswith(_MADE_UP) for line in sheet.rows[:6] for cell in line[:4])
        if said and not source.simulated:
            raise LayoutError(
                f"{sheet.file}: the workbook says that its figures are made up.",
                [f"{sheet.name}: marked {_MADE_UP}"],
                repair="Take the publisher's file; made-up publications are read in their own folder.",
            )
        yield sheet


def _tables(sheets: Iterable[Sheet], source: Source, problems: list[str]) -> Iterator[_Table]:
    """Yield the sheets that hold a table; add those whose title is not known, or there twice."""
    found: dict[str, str] = {}
    known = specifications()
    for sheet in sheets:
        named = bool(_TABLE_SHEET.match(clean(sheet.name)))
        title = title_of(sheet)
        if title is None:
            problems += (
                [f"{sheet.name}: no title of the form 'Table 1: ...' in the first rows"] if named else []
            )
            continue
        place = f"{sheet.name} {sheet.address(*title.place)}"
        if title.words in found and named:
            problems.append(f"{place}: the same title as in {found[title.words]}: {title.words!r}")
        elif title.words in known and (named or not title.others):
            found[title.words] = place
            problems += _other_year(title, place, source)
            yield _Table(sheet, title.place[0], known[title.words])
        elif named:
            near = did_you_mean(title.words, list(known))
            problems.append(f"{place}: unknown table {title.words!r}{near}")


def _other_year(title: Title, place: str, source: Source) -> Iterator[str]:
    if title.year is not None and source.year is not None and parse_year(title.year) != source.year:
        edition = year_label(source.year)
        yield f"{place}: the title ends in {title.year}, but {source.id} is the edition of {edition}"


def _absent(titles: Sequence[str], source: Source) -> list[str]:
    """Return the tables that this edition must have and has not."""
    expected = read_toml("tables.toml")["expected"]
    every = [table["title"] for table in specifications().values()]
    wanted = every if source.year in expected["all"] else expected["every"]
    return [f"no sheet holds the table {title!r}" for title in wanted if title not in titles]


def _read_table(table: _Table, source: Source, problems: list[str]) -> Block | None:
    """Read one table, or add what is wrong with it."""
    sheet, specification = table.sheet, table.specification
    try:
        header = find_header(sheet, table.title_row, specification)
    except LayoutError as error:
        problems += error.problems or (error.summary,)
        return None
    stubs = header.stub_columns()
    cells, rows, above = Cells(), list[dict[str, Any]](), dict[str, str]()
    for number in _body(sheet, header):
        figures = _row_figures(sheet, number, stubs, source.markers, problems)
        for column, figure in figures:
            cells.figures.append(figure)
            cells.rows.append(len(rows))
            cells.columns.append(column)
            cells.numbers.append(number)
        if figures:
            rows.append(_row_words(sheet, number, header, specification, above, problems))
    problems += _alike(sheet, rows, cells)
    columns = read_columns(sheet, header, specification, cells.first_rows(), problems)
    return Block(sheet, {"year": source.year, **specification.get("fixed", {})}, rows, columns, cells)


def _absent_councils(block: Block, source: Source) -> Iterator[str]:
    """Yield the councils of the year that a table of councils leaves out; it has a row for each."""
    found = {row.get("ons_code") for row in block.rows if row.get("level") == "council"}
    if found and source.year is not None:
        table = councils(source.year)
        names = zip(table["ons_code"], table["name"], strict=True)
        absent = [f"{name} ({code})" for code, name in names if code not in found]
        count = f"{block.sheet.name}: {len(absent)} of {len(table)} councils have no row"
        yield from [f"{count}: {list_some(absent, 6)}"] if absent else []


def _body(sheet: Sheet, header: Header) -> Iterator[int]:
    """Yield the rows below the headings that hold anything, up to the source or the notes."""
    for number in range(header.levels[-1] + 1, len(sheet.rows)):
        first = next((cell for cell in sheet.rows[number] if cell != "" and clean(cell)), None)
        if isinstance(first, str) and _END.match(fold(first)):
            return
        if first is not None:
            yield number


def _row_figures(
    sheet: Sheet, number: int, stubs: frozenset[int], markers: Mapping[str, str], problems: list[str]
) -> list[tuple[int, Figure]]:
    """Return the figures of a row with their columns."""
    figures: list[tuple[int, Figure]] = []
    unread: list[str] = []
    line = sheet.rows[number]
    for index, cell in enumerate(line):
        if cell == "" or index in stubs:
            continue
        try:
            figure = read_figure(cell if isinstance(cell, int | float) else clean(cell), markers)
        except ValueError as error:
            if fold(cell) not in _CONNECTORS:
                unread.append(f"{sheet.name} {sheet.address(number, index)}: {error}")
            continue
        if figure is not None:
            figures.append((index, figure))
    note = len(unread) == 1 and not figures and not any(clean(sheet.cell(number, stub)) for stub in stubs)
    problems += [] if note else unread
    return figures


def _row_words(
    sheet: Sheet,
    number: int,
    header: Header,
    specification: Specification,
    above: dict[str, str],
    problems: list[str],
) -> dict[str, Any]:
    """Return what the cells left of the figures say: the area, or the dimensions of an England-only table."""
    cells = {
        stub: next((text for at in span if (text := unmarked(sheet.cell(number, at)))), "")
        for stub, span in header.stubs.items()
    }
    says: dict[str, Any] = {}
    try:
        says = _area(cells)
    except KeyError as error:
        problems.append(f"{sheet.name} row {number + 1}: {error.args[0]}")
    wanted = specification.get("rows", ())
    for stub in wanted:
        label = cells[stub] or (above.get(stub, "Total") if stub == wanted[0] else "")
        above[stub] = label
        try:
            says.update(_stub_word(stub, label))
        except KeyError as error:
            at = sheet.address(number, header.stubs[stub].start)
            problems.append(f"{sheet.name} {at}: {error.args[0]}")
    return says


def _stub_word(stub: str, label: str) -> dict[str, Any]:
    if stub != "year":
        return {stub: translate(stub, label)}
    folded = fold(label)
    if folded.startswith("percentage change from "):
        return {"detail": folded.capitalize(), "statistic": "Percentage change", "unit": "proportion"}
    if re.fullmatch(r"\d{4}[-/]\d{2,4}", folded):
        return {"year": read_year(label)}
    raise KeyError(f"{label!r} is no financial year")


def _area(cells: Mapping[str, str]) -> dict[str, Any]:
    """Return the area of a row: England where the table has no columns for areas, else what its codes say."""
    if "name" not in cells and "region_code" not in cells:
        return dict(_ENGLAND)
    name, codes = (
        cells.get("name", ""),
        (cells.get("ons_code", "").upper(), cells.get("cassr_code", "").upper()),
    )
    if name or any(codes):
        if not name or codes not in _council_names():
            raise KeyError(
                f"no council has the geography code {codes[0]!r} and the LA code {codes[1]!r} ({name!r})"
            )
        name = _as_known(name, _council_names()[codes])
        return {"level": "council", "ons_code": codes[0], "cassr_code": codes[1], "name": name}
    code, name = cells.get("region_code", "").upper(), cells.get("region_name", "")
    if code == _ENGLAND["ons_code"]:
        return dict(_ENGLAND)
    if code in _region_names():
        return {"level": "region", "ons_code": code, "name": _as_known(name, _region_names()[code])}
    if code in _COUNCIL_TYPES:
        known = _COUNCIL_TYPES[code]
        name = known if fold(name) == fold(known) else name
        return {"level": "council_type", "cassr_code": code, "name": name}
    raise KeyError(
        f"{code!r} is no region or council type" + did_you_mean(code, [*_region_names(), *_COUNCIL_TYPES])
    )


@functools.cache
def _council_names() -> Mapping[tuple[str, str], str]:
    table = councils()
    codes = zip(table["ons_code"], table["cassr_code"], strict=True)
    return dict(zip(codes, table["name"], strict=True))


@functools.cache
def _region_names() -> Mapping[str, str]:
    return regions()


def _as_known(printed: str, known: str) -> str:
    """Return a name as printed, or as known where the two differ in case or dashes alone."""
    if fold(printed) == fold(known):
        return known
    if fold_name(printed) != fold_name(known):
        raise KeyError(f"the codes are those of {known}, not of {printed!r}")
    return printed


def _alike(sheet: Sheet, rows: Sequence[Mapping[str, Any]], cells: Cells) -> Iterator[str]:
    """Yield the rows that say the same as a row above: one of their labels must be wrong."""
    first: dict[frozenset[tuple[str, Any]], int] = {}
    numbers = list(dict.fromkeys(cells.numbers))
    for number, says in zip(numbers, rows, strict=True):
        above = first.setdefault(frozenset(says.items()), number)
        if says and above != number:
            yield f"{sheet.name} rows {above + 1} and {number + 1}: two rows have the same labels"
