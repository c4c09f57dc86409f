"""Headings twice, lost, renamed, or thousands of them."""

from __future__ import annotations

from random import Random

from tests.fuzz.grids import Grid, Rows
from tests.fuzz.mutations.rows import _done, _sheet, is_placed
from tests.fuzz.oracle import Mutated
from tests.fuzz.seeds import Seed


def _head(grid: Grid, rows: Rows) -> int:
    """Return the row of headings: the first in a CSV, else the fullest of the first rows."""
    if grid.kind == "csv":
        return 0
    texts = [sum(isinstance(cell, str) and cell != "" for cell in row) for row in rows[:14]]
    return texts.index(max(texts))


def column_twice(random: Random, seed: Seed) -> Mutated | None:
    """Write a column a second time, at the end or beside itself."""
    found = _sheet(random, seed)
    if not found:
        return None
    grid, name, rows = found
    column = random.randrange(max(1, len(rows[_head(grid, rows)])))
    at_end = random.random() < 0.5
    for row in rows:
        if column < len(row):
            row.insert(len(row) if at_end else column, row[column])
    return _done(grid, name, "column_twice", column, "any" if is_placed(seed) else "subset")


def heading_twice(random: Random, seed: Seed) -> Mutated | None:
    """Give a column the heading of another."""
    found = _sheet(random, seed)
    if not found:
        return None
    grid, name, rows = found
    head = rows[_head(grid, rows)]
    if len(head) < 2:
        return None
    first, second = random.sample(range(len(head)), 2)
    head[first] = head[second]
    return _done(grid, name, "heading_twice", (first, second), "place")


def column_lost(random: Random, seed: Seed) -> Mutated | None:
    """Take a column out."""
    found = _sheet(random, seed)
    if not found:
        return None
    grid, name, rows = found
    column = random.randrange(max(1, len(rows[_head(grid, rows)])))
    for row in rows:
        if column < len(row):
            row.pop(column)
    # Without a dimension the rows of a whole keyed file stand twice, which is refused; those of a cut-down
    # one may not.
    keyed = seed.source is not None and seed.source.adapter in ("salt_csv", "cld_csv", "asc_fr_long")
    loose = keyed or is_placed(seed)
    return _done(grid, name, "column_lost", column, "any" if loose else "subset")


def heading_lost(random: Random, seed: Seed) -> Mutated | None:
    """Take the row of headings out, or write it a second time."""
    found = _sheet(random, seed)
    if not found:
        return None
    grid, name, rows = found
    head = _head(grid, rows)
    if random.random() < 0.5:
        rows.pop(head)
        return _done(grid, name, "heading_lost", "lost")
    rows.insert(head, list(rows[head]))
    return _done(grid, name, "heading_lost", "twice")


def many_headings(random: Random, seed: Seed) -> Mutated | None:
    """Add thousands of columns."""
    found = _sheet(random, seed)
    if not found or random.random() < 0.8:
        return None
    grid, name, rows = found
    more = random.choice((300, 3000))
    for number, row in enumerate(rows[:60]):
        row.extend([f"c{at}" if number == 0 else "" for at in range(more)])
    del rows[60:]
    return _done(grid, name, "many_headings", more, "any" if is_placed(seed) else "subset")


MUTATIONS = (column_twice, heading_twice, column_lost, heading_lost, many_headings)
