"""One cell is spelled otherwise, made unreadable, or changes places with another."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import replace
from random import Random

from clsimpact.loaders.values import read_figure
from tests.fuzz.grids import Cell, Formula, Grid, Place
from tests.fuzz.oracle import Mutated
from tests.fuzz.seeds import Seed

_JUNK = (
    *(
        "n/a",
        "#N/A",
        "#REF!",
        "#DIV/0!",
        "null",
        "None",
        "nan",
        "NaN",
        "inf",
        "-inf",
        "Infinity",
        "-",
        "–",
        "?",
    ),
    *(
        "..",
        "1,23",
        "12,34,5",
        "1.234.567",
        "1 234",
        "1'234",
        "12-",
        "--5",
        "+-5",
        "0x1F",
        "1e",
        "1e999",
        "1_000",
    ),
    *(
        "1/2",
        "½",
        "²",
        "5²",
        "Ⅷ",
        "十",
        "٣,٤",
        "=1+1",
        "@SUM(A1)",
        "12;34",
        "12 (13)",
        "(12",
        "12)",
        "€12",
        "12 k",
    ),
    *(
        "\u202e123",
        "1\u00002",
        "\x00",
        "1\ufffd",
        "true",
        "TRUE",
        "01/04/2016",
        "2016-04-01",
        "Apr-16",
        "9" * 400,
    ),
    *(
        "x" * 40_000,
        "12.5.1",
        "１２.５.１",
        "1\n2",
        "1,2\r\n3",
        '"',
        '""5""',
        "\\N",
        "%",
        "%5",
        "5%%",
        "££5",
        "-£-5",
    ),
)
"""Texts that are no number, or not the one that was there."""
_ZEROES = ("٠", "०", "０", "𝟎", "๐")
_INVISIBLE = (
    "\u200b",
    "\u200e",
    "\u200f",
    "\ufeff",
    "\u00a0",
    "\u2009",
    "\u202f",
    "\u2060",
    "\u202a",
    "\t",
    " ",
)


def numbers_of(grid: Grid) -> list[Place]:
    """Return the cells that hold numbers which are likely figures: not codes or years."""
    return [
        Place(sheet, row, column)
        for sheet, rows in grid.sheets.items()
        for row, cells in enumerate(rows)
        for column, cell in enumerate(cells)
        if row > 0 and _is_number(cell)
    ]


def _is_number(cell: Cell) -> bool:
    if isinstance(cell, bool) or cell in ("", None):
        return False
    if isinstance(cell, int | float):
        return True
    text = str(cell)
    return text.replace(".", "", 1).removeprefix("-").isdigit() and text.isascii()


def put(grid: Grid, place: Place, cell: Cell) -> Grid:
    """Return the grid with another cell."""
    copied = grid.copy()
    copied.sheets[place.sheet][place.row][place.column] = cell
    return copied


def _figure(random: Random, seed: Seed) -> tuple[Grid, Place, Cell] | None:
    places = numbers_of(seed.grid) if seed.grid else []
    if seed.grid is None or not places:
        return None
    if seed.grid.kind == "csv":  # figures stand in the last columns; keys and codes before them
        last = max(place.column for place in places)
        places = [place for place in places if place.column > last - 4] or places
    place = random.choice(places)
    return seed.grid, place, seed.grid.sheets[place.sheet][place.row][place.column]


def _cell(seed: Seed, grid: Grid, place: Place, cell: Cell, name: str, times: float | None = None) -> Mutated:
    content = put(grid, place, cell).render()
    note = f"{place.sheet}!{place.row},{place.column}: {str(cell)[:30]!r}"
    return Mutated(content, name, note, "cell", place, times)


def unreadable(random: Random, seed: Seed) -> Mutated | None:
    """Put a text in the place of a number."""
    found = _figure(random, seed)
    # XML has no NUL: a writer of workbooks leaves it out, and what stands there then is another number.
    junk = [text for text in _JUNK if "\x00" not in text or seed.file.endswith(".csv")]
    return _cell(seed, found[0], found[1], random.choice(junk), "unreadable") if found else None


def blanked(random: Random, seed: Seed) -> Mutated | None:
    """Leave a number out."""
    found = _figure(random, seed)
    return (
        _cell(seed, found[0], found[1], random.choice(("", " ", "\u00a0", "\u200b")), "blanked")
        if found
        else None
    )


def other_digits(random: Random, seed: Seed) -> Mutated | None:
    """Write a number in the digits of another script."""
    found = _figure(random, seed)
    if not found:
        return None
    zero = ord(random.choice(_ZEROES))
    text = _digits(found[2]).translate({48 + digit: zero + digit for digit in range(10)})
    return _cell(seed, found[0], found[1], text, "other_digits", 1.0)


def _digits(cell: Cell) -> str:
    return f"{cell:.12g}" if isinstance(cell, float) else str(cell)


def invisible(random: Random, seed: Seed) -> Mutated | None:
    """Put an invisible character before, behind or into a number."""
    found = _figure(random, seed)
    if not found:
        return None
    text = _digits(found[2])
    place = random.choice((0, len(text), random.randrange(len(text) + 1)))
    text = text[:place] + random.choice(_INVISIBLE) + text[place:]
    return _cell(seed, found[0], found[1], text, "invisible", 1.0)


def respelled(random: Random, seed: Seed) -> Mutated | None:
    """Write a number with commas, signs, a currency, brackets, an exponent or blanks."""
    found = _figure(random, seed)
    if not found:
        return None
    value = float(str(found[2]))
    spellings = (
        (f"{value:,.6f}", 1.0),
        (f"+{value!r}", 1.0),
        (f"{value:.15e}", 1.0),
        (f"{value:.15E}", 1.0),
        (f" {value!r} ", 1.0),
        (f"£{value!r}", 1.0),
        (f"({abs(value)!r})", -1.0 if value >= 0 else 1.0),
        (f"\u2212{abs(value)!r}", -1.0 if value >= 0 else 1.0),
        (f"{value!r}%", 1.0),
        (f"{value!r}0000", 1.0),
        (f"000{abs(value)!r}", 1.0 if value >= 0 else -1.0),
        (f"{value!r}".replace(".", ","), None),
        (f"{value * 1e9:.0f}e-9", 1.0),
    )
    text, times = random.choice(spellings)
    mutated = _cell(seed, found[0], found[1], text, "respelled", times)
    # Rounded spellings differ in the last digits; figures of 0 are the same with any sign.
    return replace(mutated, promise="any") if "e-9" in text or ",.6f" in text else mutated


def other_type(random: Random, seed: Seed) -> Mutated | None:
    """Put a date, a truth value or an error in the place of a number."""
    found = _figure(random, seed)
    if not found:
        return None
    day = datetime.date(2016, 4, 1)
    cell = random.choice((day, True, False, Formula("1/0", "#DIV/0!"), datetime.date(1900, 1, 5)))
    return _cell(seed, found[0], found[1], cell, "other_type")


def formula(random: Random, seed: Seed) -> Mutated | None:
    """Put a formula in the place of a number: with the number as its last value, or without any."""
    found = _figure(random, seed)
    if not found:
        return None
    text = random.choice(
        ("A1+1", "SUM(A1:A9)", 'WEBSERVICE("http://127.0.0.1/")', "cmd|'/c calc'!A0", "NOW()")
    )
    cached = random.choice((found[2], ""))
    if not isinstance(cached, float):
        cached = ""
    return _cell(seed, found[0], found[1], Formula(text, cached), "formula", 1.0)


def swapped_figures(random: Random, seed: Seed) -> Mutated | None:
    """Let two numbers change places: nothing in the file tells, it must load or be refused."""
    first, second = _figure(random, seed), _figure(random, seed)
    if not first or not second:
        return None
    grid = put(put(first[0], first[1], second[2]), second[1], first[2])
    return Mutated(grid.render(), "swapped_figures", f"{first[1]} {second[1]}")


def swapped_with_label(random: Random, seed: Seed) -> Mutated | None:
    """Let a number and a text of its row change places."""
    found = _figure(random, seed)
    if not found:
        return None
    grid, place, cell = found
    row = grid.sheets[place.sheet][place.row]
    others = [at for at, other in enumerate(row) if other not in ("", None) and not _is_number(other)]
    if not others:
        return None
    other = random.choice(others)
    if seed.source is not None and _is_figure(row[other], seed.source.markers):
        return None  # shorthand, or a number with commas: two figures that change places tell nobody
    changed = put(put(grid, place, row[other]), replace(place, column=other), cell)
    return Mutated(changed.render(), "swapped_with_label", str(place), "place", place)


def _is_figure(cell: Cell, markers: Mapping[str, str]) -> bool:
    try:
        return read_figure(cell, markers) is not None
    except ValueError:
        return False


def label_broken(random: Random, seed: Seed) -> Mutated | None:
    """Break a label, a code or a heading."""
    if seed.grid is None:
        return None
    sheet = random.choice([name for name, rows in seed.grid.sheets.items() if any(rows)])
    rows = seed.grid.sheets[sheet]
    row = random.choice(
        [number for number, cells in enumerate(rows) if any(c not in ("", None) for c in cells)]
    )
    column = random.choice([at for at, cell in enumerate(rows[row]) if cell not in ("", None)])
    old = str(rows[row][column])
    cut = random.randrange(len(old) + 1)
    new = random.choice(
        (
            *(old[:cut], old[:cut] + old[cut + 1 :], old[::-1], old.upper(), old + " ", old + old),
            *(
                "\u202e" + old,
                old[:cut] + "\u200b" + old[cut:],
                old[:cut] + "\x00" + old[cut:],
                "",
                *_JUNK[:20],
            ),
            *(
                "Total",
                "99",
                "England",
                "E92000001",
                "E06000022",
                "102",
                "<script>",
                "../../x",
                "{0}",
                "%s%n",
            ),
        )
    )
    changed = put(seed.grid, Place(sheet, row, column), new)
    # A figure, or its shorthand, may have been hit: then it is another number, which nothing tells.
    promise = "any" if _is_number(new) else "place"
    return Mutated(changed.render(), "label_broken", f"{sheet}!{row},{column} {new[:30]!r}", promise)


MUTATIONS = (
    *(unreadable, blanked, other_digits, invisible, respelled, other_type, formula),
    *(swapped_figures, swapped_with_label, label_broken),
)
