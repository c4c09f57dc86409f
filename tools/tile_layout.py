"""Make the tile grid map of English councils (`tile_layout.csv`) from `tools/tile_places.csv`.

    python tools/tile_layout.py

`tile_places.csv` holds, for every code of an area in a panel, a label of three letters and the approximate
longitude and latitude of its main town (typed by hand, to about 0.05 degrees), or the code whose tile it
shares because the two are never in one panel year.

London is a block of its own. The others are pushed outwards from it as far as the block needs room, moved
apart until no two overlap, and assigned to free cells, the sum of squared moves as small as it can be. Areas
that exist only where others are split (a second half of Northamptonshire, say) take the nearest cell left.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

ROOT = Path(__file__).resolve().parents[1]
PLACES = ROOT / "tools" / "tile_places.csv"
LAYOUT = ROOT / "src" / "clsimpact" / "data" / "tile_layout.csv"

KM_OF_TILE = 42.0
"""Kilometres of a tile before tiles are moved apart: the least that leaves few gaps and keeps the outline."""
KM_OF_DEGREE, MIDDLE = 111.0, 52.8
LONDON, RADIUS = (7, 5), 20.0
"""Columns and rows of the block of London; its radius in kilometres."""
STEPS, STEP, PULL = 2000, 0.25, 0.02
LATE = ("E06000029", "E06000058", "E06000062", "E06000064")
"""Poole, Bournemouth (Christchurch and Poole), West Northamptonshire, Westmorland: parts of merged areas."""

Floats = NDArray[np.float64]


def assign(points: Floats, cells: Floats) -> NDArray[np.intp]:
    """Return the cell of every point, the sum of squared distances as small as it can be."""
    cost = ((points[:, None] - cells[None]) ** 2).sum(axis=2)
    return np.asarray(linear_sum_assignment(cost)[1])


def spread(start: Floats) -> Floats:
    """Move points apart until their unit squares hardly overlap each other and the block of London."""
    at, half = start.copy(), (np.array(LONDON) + 1) / 2
    for _ in range(STEPS):
        gap = at[:, None] - at[None]
        over = 1.0 - np.abs(gap).max(axis=2)
        np.fill_diagonal(over, 0.0)
        wider = np.abs(gap).argmax(axis=2)
        move = np.zeros_like(at)
        for axis in (0, 1):
            pushed = (over > 0) & (wider == axis)
            move[:, axis] = np.where(pushed, over * np.sign(gap[:, :, axis]) * STEP, 0.0).sum(axis=1)
        inside = half - np.abs(at)
        in_block = (inside > 0).all(axis=1)
        nearest = inside[:, 1] < inside[:, 0]
        for axis, leaves in ((0, in_block & ~nearest), (1, in_block & nearest)):
            move[:, axis] += np.where(leaves, inside[:, axis] * np.sign(at[:, axis]) * 2 * STEP, 0.0)
        at = at + move + PULL * (start - at)
    return at


def lay_out(places: pd.DataFrame) -> dict[str, tuple[int, int]]:
    """Return column and row (from the lower left of London) of every code with a tile of its own."""
    own = places[places["shares"].eq("")]
    base = own[~own["ons_code"].isin(LATE)]
    scale = np.array([math.cos(math.radians(MIDDLE)), 1.0]) * KM_OF_DEGREE / KM_OF_TILE
    points = base[["longitude", "latitude"]].to_numpy(float) * scale
    london = base["ons_code"].str.startswith("E09").to_numpy(bool)
    points = points - points[london].mean(axis=0)
    block = np.array([(c, r) for c in range(LONDON[0]) for r in range(LONDON[1])], dtype=float)
    middle = block.mean(axis=0)
    boroughs = points[london] / np.abs(points[london]).max(axis=0) * middle + middle
    # A disc of the block's area around London keeps every distance beyond it, in area.
    far = np.hypot(*points[~london].T)
    out = np.sqrt(far**2 + math.prod(LONDON) / math.pi - (RADIUS / KM_OF_TILE) ** 2) / far
    others = spread(points[~london] * out[:, None]) + middle
    free = free_cells(others, {tuple(cell) for cell in block.tolist()})
    codes = base["ons_code"].to_numpy()
    found = dict(zip(codes[london], block[assign(boroughs, block)].astype(int).tolist(), strict=True))
    found |= dict(zip(codes[~london], free[assign(others, free)].astype(int).tolist(), strict=True))
    cells = {code: (column, row) for code, (column, row) in found.items()}
    return cells | late(cells, own)


def free_cells(points: Floats, taken: set[tuple[Any, ...]]) -> Floats:
    """Return the cells around some points that are not taken."""
    low, high = np.floor(points.min(axis=0)) - 1, np.ceil(points.max(axis=0)) + 1
    columns, rows = (np.arange(a, b + 1) for a, b in zip(low, high, strict=True))
    return np.array([(c, r) for c in columns for r in rows if (float(c), float(r)) not in taken])


def late(cells: dict[str, tuple[int, int]], own: pd.DataFrame) -> dict[str, tuple[int, int]]:
    """Return the cells of areas that exist only where others are split: the nearest free one to a sibling."""
    siblings = dict(zip(LATE, ("E06000059", "E06000059", "E06000061", "E06000063"), strict=True))
    taken, found = set(cells.values()), {}
    for code in own.loc[own["ons_code"].isin(LATE), "ons_code"]:
        column, row = cells[siblings[code]]
        around = [(column + c, row + r) for c in range(-6, 7) for r in range(-6, 7)]
        near = [((c - column) ** 2 + (r - row) ** 2, c, r) for c, r in around if (c, r) not in taken]
        found[code] = min(near)[1:]
        taken.add(found[code])
    return found


def main() -> None:
    """Write the layout, row 0 at the top."""
    places = pd.read_csv(PLACES, keep_default_na=False)
    councils = pd.read_csv(ROOT / "src" / "clsimpact" / "data" / "councils.csv", keep_default_na=False)
    names = dict(zip(councils["ons_code"], councils["name"], strict=True))
    cells = lay_out(places)
    left, top = min(c for c, _ in cells.values()), max(r for _, r in cells.values())
    rows = []
    for place in places.to_dict("records"):
        code = str(place["ons_code"])
        column, row = cells[place["shares"] or code]
        name = " + ".join(names[part] for part in code.split("+"))
        rows.append((code, name, place["label"], column - left, top - row))
    table = pd.DataFrame(rows, columns=["ons_code", "name", "label", "column", "row"])
    table.sort_values("ons_code").to_csv(LAYOUT, index=False, lineterminator="\n")
    grid = {(row.column, row.row): row.label for row in table.itertuples()}
    for r in range(table["row"].max() + 1):
        print(" ".join(str(grid.get((c, r), " . ")) for c in range(table["column"].max() + 1)))


if __name__ == "__main__":
    main()
