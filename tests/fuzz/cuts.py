"""Small files from large ones: a few areas and a few rows of each, so that thousands can be read."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

from clsimpact.loaders.manifest import Source
from clsimpact.loaders.sheets import clean, open_workbook
from tests.fuzz.grids import Grid, Rows

AREAS = frozenset(
    {
        *("102", "108", "204", "E06000022", "E08000016", "E08000022", "E09000003"),
        *("Barnsley", "Barnet", "North Tyneside", "E12000001", "E92000001"),
    }
)
"""Three or four councils, two regions and England, by any of their codes and names."""
_ITEMS = 6


def cut_csv(path: Path, source: Source) -> Grid:
    """Return a long CSV with a few areas, and a few rows of each area, spread over the file."""
    with path.open(encoding=source.encoding, newline="") as stream:
        rows: Rows = list(csv.reader(stream))
    return Grid("csv", {path.stem: thinned(rows)}, source.encoding)


def thinned(rows: Rows, *, head: int = 1, items: int = _ITEMS) -> Rows:
    """Keep the rows above the data, and every so-many-th row of each chosen area."""
    by_area: dict[object, list[int]] = {}
    for number, row in enumerate(rows[head:], start=head):
        area = next((cell for cell in row[:12] if cell in AREAS), None)
        if area is not None:
            by_area.setdefault(area, []).append(number)
    kept = sorted(
        number for places in by_area.values() for number in places[:: max(1, len(places) // items)][:items]
    )
    return [*rows[:head], *(rows[number] for number in kept)]


def cut_small(path: Path, source: Source) -> Grid:
    """Return a small CSV whole."""
    rows: Rows = list(csv.reader(io.StringIO(path.read_text(encoding=source.encoding), newline="")))
    return Grid("csv", {path.stem: rows[:40]}, source.encoding)


def cut_whole_csv(path: Path, source: Source) -> Grid:
    """Return every row of a CSV."""
    rows: Rows = list(csv.reader(io.StringIO(path.read_text(encoding=source.encoding), newline="")))
    return Grid("csv", {path.stem: rows}, source.encoding)


def cut_wide(path: Path, source: Source) -> Grid:
    """Return a file with a column for every council: its labels, a few councils, a few rows, its notes."""
    rows: Rows = list(csv.reader(io.StringIO(path.read_text(encoding=source.encoding), newline="")))
    labels = next(place for place, cell in enumerate(rows[1]) if str(cell)[:3].isdecimal())
    columns = [*range(labels), *range(labels, labels + 4), *range(len(rows[1]) - 3, len(rows[1]))]
    body = [row for row in rows[2:] if any(row[labels:])]
    rest = [row for row in rows[2:] if not any(row[labels:])]
    total = [row for row in body if row[2:5] == ["Adult Social Care", "Total", "Gross current expenditure"]]
    kept = [*body[:: max(1, len(body) // _ITEMS)], *total]
    return Grid(
        "csv",
        {path.stem: [[row[column] for column in columns] for row in [*rows[:2], *kept, *rest[:4]]]},
        source.encoding,
    )


def cut_book(
    path: Path, *, wanted: Callable[[str], bool] = lambda _: True, kind: str = "xlsx", sheets: int = 8
) -> Grid:
    """Return a workbook with some of its sheets, and of the rows below 12 only those of a few areas."""
    found: dict[str, Rows] = {}
    for sheet in open_workbook(path, wanted):
        if len(found) < sheets:
            rows = [list(row) for row in sheet.rows]
            found[sheet.name] = [*rows[:12], *(row for row in rows[12:] if _of_areas(row))]
    return Grid(kind, found)


def _of_areas(row: list[object]) -> bool:
    return any(clean(cell).removesuffix(".0") in AREAS for cell in row[:8])


def cut_tables(path: Path, *, kind: str = "xlsx", tables: tuple[str, ...] = ()) -> Grid:
    """Return some data tables of a report: headings, a few areas, source and notes."""
    found: dict[str, Rows] = {}
    for sheet in open_workbook(path, lambda name: name in tables):
        rows = [list(row) for row in sheet.rows]
        last = max(number for number, row in enumerate(rows) if any(clean(cell) for cell in row))
        kept = [row for number, row in enumerate(rows) if number < 14 or _of_areas(row) or number > last - 3]
        found[sheet.name] = kept
    return Grid(kind, found)


def cut_ascof(path: Path, *, kind: str = "ods") -> Grid:
    """Return the list of contents and two tables of the outcomes framework."""
    grid = cut_book(path, wanted=lambda name: name in ("Contents", "Table_1a", "Table_2a"), kind=kind)
    contents = [list(row) for row in open_contents(path)]
    start = next(number for number, row in enumerate(contents) if "Metric" in map(clean, row))
    listed = [row for row in contents[start + 1 :] if clean(row[0]).upper() in ("1A", "2A")]
    sheets = {**grid.sheets, "Contents": [*contents[: start + 1], *listed]}
    return Grid(kind, {"Contents": sheets.pop("Contents"), **sheets})


def open_contents(path: Path) -> Rows:
    """Return the rows of the list of contents."""
    (sheet,) = open_workbook(path, lambda name: name == "Contents")
    return [list(row) for row in sheet.rows]
