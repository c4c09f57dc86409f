"""Rows shuffled, taken out, put in twice, made longer or shorter."""

from __future__ import annotations

from random import Random

from tests.fuzz.grids import Grid, Rows
from tests.fuzz.oracle import Mutated
from tests.fuzz.seeds import Seed


def _sheet(random: Random, seed: Seed) -> tuple[Grid, str, Rows] | None:
    if seed.grid is None:
        return None
    grid = seed.grid.copy()
    name = random.choice([name for name, rows in grid.sheets.items() if len(rows) > 2])
    return grid, name, grid.sheets[name]


def is_list(seed: Seed) -> bool:
    """Return whether a file is a list of texts, in which a lost column is missing from every row."""
    return seed.reader == "adoption" or (seed.source is not None and seed.source.adapter == "lookup")


def is_placed(seed: Seed) -> bool:
    """Return whether a column says another thing elsewhere, as under the heading of a group."""
    grouped = seed.source is not None and seed.source.adapter == "deflator"
    return seed.kind != "csv" or is_list(seed) or grouped


def _done(grid: Grid, name: str, mutation: str, note: object = "", promise: str = "subset") -> Mutated:
    return Mutated(grid.render(), mutation, f"{name}: {note}", promise)


def rows_shuffled(random: Random, seed: Seed) -> Mutated | None:
    """Shuffle the rows below the first, or only the lower half."""
    found = _sheet(random, seed)
    if not found:
        return None
    grid, name, rows = found
    start = random.choice((1, len(rows) // 2))
    tail = rows[start:]
    random.shuffle(tail)
    rows[start:] = tail
    # Where a table gives a label once for several rows, or money stands in rows that share their labels,
    # another order is another table.
    sure = seed.grid is not None and seed.grid.kind == "csv" and start > 0
    return _done(grid, name, "rows_shuffled", start, "subset" if sure else "any")


def row_lost(random: Random, seed: Seed) -> Mutated | None:
    """Take a few rows out."""
    found = _sheet(random, seed)
    if not found:
        return None
    grid, name, rows = found
    for _ in range(random.choice((1, 1, 3, 10))):
        if len(rows) > 1:
            rows.pop(random.randrange(1, len(rows)))
    return _done(grid, name, "row_lost", "", "subset" if grid.kind == "csv" else "any")


def row_twice(random: Random, seed: Seed) -> Mutated | None:
    """Write a row a second time, below itself or at the end."""
    found = _sheet(random, seed)
    if not found:
        return None
    grid, name, rows = found
    row = random.randrange(1, len(rows))
    rows.insert(random.choice((row, len(rows))), list(rows[row]))
    # A list of adopters that names a council twice is refused when it meets a panel.
    return _done(grid, name, "row_twice", row, "any" if seed.reader == "adoption" else "subset")


def row_blank(random: Random, seed: Seed) -> Mutated | None:
    """Put in a row without anything, or with blanks."""
    found = _sheet(random, seed)
    if not found:
        return None
    grid, name, rows = found
    width = len(rows[0])
    rows.insert(random.randrange(len(rows) + 1), random.choice(([], [""] * width, [" "] * width)))
    return _done(grid, name, "row_blank")


def row_foreign(random: Random, seed: Seed) -> Mutated | None:
    """Put in a row that belongs to nothing: a note, a total, a heading, noise."""
    found = _sheet(random, seed)
    if not found:
        return None
    grid, name, rows = found
    width = max(1, len(rows[-1]))
    noise = ["".join(chr(random.randrange(32, 0x2FFF)) for _ in range(4)) for _ in range(width)]
    foreign = random.choice(
        (
            ["Source: nobody"],
            ["Total", *["9"] * (width - 1)],
            [*rows[0]],
            noise,
            ["9"] * width,
            ["x"] * (width + 3),
        )
    )
    rows.insert(random.randrange(1, len(rows) + 1), list(foreign))
    sure = foreign[-1:] != ["9"] and not is_list(seed)
    return _done(grid, name, "row_foreign", str(foreign)[:40], "subset" if sure else "any")


def row_longer(random: Random, seed: Seed) -> Mutated | None:
    """Add a cell to a row, or take one away, at its end or within it."""
    found = _sheet(random, seed)
    if not found:
        return None
    grid, name, rows = found
    row = rows[random.randrange(len(rows))]
    place = random.choice((len(row), random.randrange(len(row) + 1)))
    if row and random.random() < 0.5:
        row.pop(min(place, len(row) - 1))
    else:
        row.insert(place, random.choice(("", "x", "7")))
    return _done(grid, name, "row_longer", place, "subset" if grid.kind == "csv" else "any")


def columns_swapped(random: Random, seed: Seed) -> Mutated | None:
    """Let two whole columns change places, headings and all."""
    found = _sheet(random, seed)
    if not found:
        return None
    grid, name, rows = found
    width = min(len(row) for row in rows)
    if width < 2:
        return None
    first, second = random.sample(range(width), 2)
    for row in rows:
        row[first], row[second] = row[second], row[first]
    return _done(
        grid,
        name,
        "columns_swapped",
        (first, second),
        "any" if is_placed(seed) else "subset",
    )


def many_rows(random: Random, seed: Seed) -> Mutated | None:
    """Write the last row ten thousand times."""
    found = _sheet(random, seed)
    if not found or found[0].kind != "csv" or random.random() < 0.8:
        return None
    grid, name, rows = found
    rows.extend(list(rows[-1]) for _ in range(10_000))
    return _done(grid, name, "many_rows", "", "any" if seed.reader == "adoption" else "subset")


MUTATIONS = (
    *(rows_shuffled, row_lost, row_twice, row_blank, row_foreign, row_longer, columns_swapped, many_rows),
)
