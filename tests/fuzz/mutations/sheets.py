"""Sheets that are huge, tiny, there twice, renamed or in another order."""

from __future__ import annotations

from random import Random

from tests.fuzz.grids import Grid
from tests.fuzz.oracle import Mutated
from tests.fuzz.seeds import Seed

_CORNERS = ((1_048_575, 16_383), (1_048_575, 0), (0, 16_383), (99_999, 999), (200_000, 3))


def _book(seed: Seed) -> Grid | None:
    return seed.grid.copy() if seed.grid is not None and seed.grid.kind != "csv" else None


def far_cell(random: Random, seed: Seed) -> Mutated | None:
    """Put a cell into a far corner, so that the sheet spans millions or billions of cells."""
    grid = _book(seed)
    if grid is None or grid.kind == "ods" or random.random() < 0.7:
        return None
    name = random.choice(list(grid.sheets))
    row, column = random.choice(_CORNERS)
    rows = grid.sheets[name]
    rows.extend([] for _ in range(row + 1 - len(rows)))
    rows[row].extend([""] * (column + 1 - len(rows[row])))
    rows[row][column] = "far"
    return Mutated(grid.render(), "far_cell", f"{name} {row},{column}", "subset")


def tiny_sheets(random: Random, seed: Seed) -> Mutated | None:
    """Leave one cell, one row, one column or nothing of a sheet, or of all."""
    grid = _book(seed)
    if grid is None:
        return None
    name = random.choice(list(grid.sheets))
    for one in grid.sheets if random.random() < 0.4 else [name]:
        rows = grid.sheets[one]
        tiny = random.choice(
            ([], [[]], [[""]], [row[:1] for row in rows], rows[:1], [rows[0][:1] if rows else []], [["x"]])
        )
        rows[:] = tiny
    return Mutated(grid.render(), "tiny_sheets", name, "subset")


def sheet_twice(random: Random, seed: Seed) -> Mutated | None:
    """Add a sheet that holds what another holds."""
    grid = _book(seed)
    if grid is None:
        return None
    name = random.choice(list(grid.sheets))
    sheets = {**grid.sheets, f"{name[:25]} (2)": grid.sheets[name]}
    return Mutated(Grid(grid.kind, sheets).render(), "sheet_twice", name, "any")


def sheets_renamed(random: Random, seed: Seed) -> Mutated | None:
    """Rename, drop or reorder sheets."""
    grid = _book(seed)
    if grid is None:
        return None
    names = list(grid.sheets)
    name = random.choice(names)
    what = random.choice(("rename", "drop", "shuffle", "swap"))
    sheets = dict(grid.sheets)
    if what == "rename":
        new = random.choice(("Sheet1", "T99", "x" * 31, "\u202eT1", "T1 ", "..", "a&b<c>"))
        sheets = {new if one == name else one: rows for one, rows in sheets.items()}
    elif what == "drop":
        sheets.pop(name)
    elif what == "swap":
        other = random.choice(names)
        sheets[name], sheets[other] = sheets[other], sheets[name]
    else:
        random.shuffle(names)
        sheets = {one: sheets[one] for one in names}
    sheets = sheets or {"empty": []}
    return Mutated(Grid(grid.kind, sheets).render(), "sheets_renamed", f"{what} {name}", "any")


MUTATIONS = (far_cell, tiny_sheets, sheet_twice, sheets_renamed)
