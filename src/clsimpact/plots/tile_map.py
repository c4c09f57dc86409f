"""A tile grid map of English councils: who adopted, who is left out, and who is compared with them."""

from __future__ import annotations

import functools
from importlib import resources
from typing import Final, NamedTuple

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Polygon, Rectangle

from clsimpact._check import plural
from clsimpact._input import is_made_up
from clsimpact.errors import PanelError, list_some
from clsimpact.plots._adoption import WHY, caution, code_of_name, left_out, period, require, source_of
from clsimpact.plots._figure import EventStudyFigure
from clsimpact.plots._page import page
from clsimpact.plots.style import (
    DARK_BLUE,
    DARK_GREY,
    GRID,
    PALETTE,
    TEXT_SIZE,
    mark_simulated,
    style,
    wrap,
)
from clsimpact.years import year_label

__all__ = ["tile_layout", "tile_map_figure"]

WIDTH, TILE, LIST = 10.0, 0.45, 2.65
"""Inches: the page, a tile, the column of names."""

LINE, SMALL = 0.225, TEXT_SIZE - 1
"""Inches of a line of the list; points of its text and of the labels of tiles."""

USED, OUT, COMPARED = "adopter used", "listed, left out", "comparison"


class _Look(NamedTuple):
    """How a tile looks: lightness, edge and corner tell the groups apart without colour."""

    face: str
    text: str
    edge: str
    width: float


_LOOKS: Final = {
    USED: _Look(DARK_BLUE, "white", "white", 1.0),
    OUT: _Look(PALETTE[3], "black", "black", 2.0),
    COMPARED: _Look(GRID, "black", "white", 1.0),
}


@functools.cache
def _layout() -> pd.DataFrame:
    with (resources.files("clsimpact") / "data" / "tile_layout.csv").open("rb") as stream:
        return pd.read_csv(stream)


def tile_layout() -> pd.DataFrame:
    """Return the place of every English council's tile.

    Returns
    -------
    pandas.DataFrame
        ``ons_code, name, label, column, row``; row 0 is at the top. Codes that are never in one panel year,
        such as those of a council before and after it changed its code, share a tile. It is made by
        ``tools/tile_layout.py`` from approximate positions.

    Examples
    --------
    >>> tile_layout().set_index("ons_code").loc["E08000035", "label"]
    'LDS'
    """
    return _layout().copy()


def tile_map_figure(tagged: pd.DataFrame) -> EventStudyFigure:
    """Draw a tile grid map of English councils: adopters used, listed councils left out, and the comparison.

    Used adopters are dark with white letters; those left out have a black edge and a notched corner;
    comparison councils are pale. All of both are named beside the map.

    Parameters
    ----------
    tagged
        A panel of English councils from :func:`clsimpact.tag_adoption`, which records whom it left out.

    Returns
    -------
    EventStudyFigure
        Its ``data`` have a row per area: ``ons_code, name, label, column, row, group, reason,
        adoption_year``.

    Raises
    ------
    PanelError
        If the panel was not tagged, or has areas that have no tile.

    Examples
    --------
    >>> import clsimpact as ci
    >>> made = tile_map_figure(ci.tag_adoption(ci.load_panel(), ci.load_adoption()))
    >>> made.title
    '5 adopters are compared with 138 councils; 7 others are left out'
    """
    require(tagged, ("ons_code", "year", "adoption_year", "adoption_status"), "tile map")
    data, made_up = _data(tagged), is_made_up(tagged)
    title, subtitle, source = _title(data), _subtitle(tagged, data), source_of(tagged, made_up=made_up)
    source = "\n".join(filter(None, [caution(tagged, made_up=made_up), source]))
    if made_up:
        title = f"SIMULATED: {title}"
    with style():
        lines = _lines(data)
        grid = _layout()
        high = TILE * (int(grid["row"].max()) + 1)
        body = max(high, LINE * len(lines)) + 0.3
        sheet = page(Figure, WIDTH, body, title, subtitle, source)
        ax = sheet.axes(0.3, sheet.top - 0.15 - high, TILE * (int(grid["column"].max()) + 1), high)
        _draw(ax, data)
        _write_list(
            sheet.axes(WIDTH - 0.2 - LIST, sheet.bottom, LIST, sheet.top - sheet.bottom - 0.15), lines
        )
        if made_up:
            mark_simulated(ax)
            ax.texts[-1].set_zorder(5)
    return EventStudyFigure(sheet.figure, ax, title, subtitle, source, _alt(data, title), data)


def _data(tagged: pd.DataFrame) -> pd.DataFrame:
    """Return one row per area, adopters left out included; of areas that share a tile, the newest."""
    rows = tagged.sort_values(["year", "ons_code"]).drop_duplicates("ons_code", keep="last")
    status = rows["adoption_status"].astype("object")
    used = rows["adoption_year"].notna().to_numpy(dtype=bool)
    kept = pd.DataFrame(
        {
            "ons_code": rows["ons_code"].astype("object").to_numpy(),
            "group": [USED if it else COMPARED for it in used],
            "reason": [WHY.get(str(word), "") for word in status],
            "adoption_year": rows["adoption_year"].to_numpy("float64", na_value=float("nan")),
            "last": rows["year"].to_numpy("int64"),
        }
    )
    gone = [(code_of_name(name) or name, OUT, WHY.get(kind, kind)) for name, kind in left_out(tagged).items()]
    lost = pd.DataFrame(gone, columns=["ons_code", "group", "reason"]).assign(last=int(rows["year"].max()))
    every = pd.concat([kept, lost.reindex(columns=kept.columns)], ignore_index=True) if gone else kept
    placed = _layout().merge(every, on="ons_code", how="right")
    homeless = placed.loc[placed["label"].isna(), "ons_code"]
    if len(homeless):
        raise PanelError(
            f"{plural(len(homeless), 'area')} of the panel have no tile: {list_some(homeless)}.",
            repair="The map is of English councils; their codes are in clsimpact.plots.tile_layout().",
        )
    placed = placed.sort_values(["last", "ons_code"]).drop_duplicates(["column", "row"], keep="last")
    typed = placed.astype({"column": "int64", "row": "int64", "adoption_year": "Int64"})
    return typed.sort_values("ons_code").drop(columns="last").reset_index(drop=True)


def _counts(data: pd.DataFrame) -> dict[str, int]:
    return {group: int(data["group"].eq(group).sum()) for group in _LOOKS}


def _title(data: pd.DataFrame) -> str:
    n = _counts(data)
    who = f"{plural(n[USED], 'adopter')} {'is' if n[USED] == 1 else 'are'} compared with"
    rest = f"{plural(n[OUT], 'other')} {'is' if n[OUT] == 1 else 'are'} left out" if n[OUT] else ""
    return f"{who} {plural(n[COMPARED], 'council')}" + (f"; {rest}" if rest else "")


def _subtitle(tagged: pd.DataFrame, data: pd.DataFrame) -> str:
    return (
        f"Adoption among {len(data)} areas with adult social care responsibilities (merged councils count "
        f"once), England, {period(tagged['year'])}. Tiles are of equal size and their positions approximate."
    )


def _lines(data: pd.DataFrame) -> list[tuple[str, bool]]:
    """Return the lines beside the map, and whether each is a heading."""
    lines: list[tuple[str, bool]] = []
    used = data[data["group"].eq(USED)].sort_values(["adoption_year", "name"])
    for year, rows in used.groupby("adoption_year", sort=True):
        lines += _block(f"Adopted in {year_label(int(str(year)))}", rows)
    out = data[data["group"].eq(OUT)].sort_values(["reason", "name"])
    for reason, rows in out.groupby("reason", sort=True):
        lines += _block(f"Left out: {reason}", rows)
    doubtful = data[data["group"].eq(COMPARED) & data["reason"].ne("")].sort_values(["reason", "name"])
    for reason, rows in doubtful.groupby("reason", sort=True):
        lines += _block(f"Compared, though {reason}", rows)
    return lines


def _block(heading: str, rows: pd.DataFrame) -> list[tuple[str, bool]]:
    lines = [(line, True) for line in wrap(heading, LIST, SMALL * 1.05).split("\n")]
    for label, name in zip(rows["label"], rows["name"], strict=True):
        first, *more = wrap(f"{label} {name}", LIST, SMALL).split("\n")
        lines += [(first, False), *((f"    {line}", False) for line in more)]
    return [*lines, ("", False)]


def _draw(ax: Axes, data: pd.DataFrame) -> None:
    for row in data.to_dict("records"):
        _tile(ax, float(row["column"]), float(row["row"]), str(row["label"]), str(row["group"]))
    grid = _layout()
    ax.set_xlim(-0.03, int(grid["column"].max()) + 1)
    ax.set_ylim(int(grid["row"].max()) + 1, -0.03)
    ax.set_axis_off()
    counts = _counts(data)
    for place, group in enumerate(group for group, count in counts.items() if count):
        _tile(ax, 0.0, 0.1 + 1.25 * place, "", group)
        words = f"{group[0].upper()}{group[1:]}\n({counts[group]})"
        ax.text(1.2, 0.6 + 1.25 * place, words, va="center", fontsize=SMALL, linespacing=1.1)


def _tile(ax: Axes, x: float, y: float, label: str, group: str) -> None:
    look = _LOOKS[group]
    inner = 0.06 if group == OUT else 0.03
    ax.add_patch(
        Rectangle(
            (x + inner, y + inner),
            1 - 2 * inner,
            1 - 2 * inner,
            facecolor=look.face,
            edgecolor=look.edge,
            linewidth=look.width,
            zorder=3 if group == OUT else 2,
        )
    )
    if group == OUT:
        corner = [(x + 0.94, y + 0.06), (x + 0.94, y + 0.28), (x + 0.72, y + 0.06)]
        ax.add_patch(Polygon(corner, closed=True, facecolor=DARK_GREY, linewidth=0, zorder=4))
    if label:
        ax.text(
            x + 0.5,
            y + 0.55,
            label,
            ha="center",
            va="center",
            fontsize=SMALL,
            color=look.text,
            zorder=6,
        )


def _write_list(ax: Axes, lines: list[tuple[str, bool]]) -> None:
    ax.set_axis_off()
    high = float(ax.get_position().height * ax.figure.get_figure(root=True).get_size_inches()[1])
    for place, (text, heading) in enumerate(lines):
        if text:
            weight = "bold" if heading else "normal"
            y = 1 - LINE * place / high
            ax.text(0, y, text, transform=ax.transAxes, va="top", fontsize=SMALL, fontweight=weight)


def _alt(data: pd.DataFrame, title: str) -> str:
    used = data[data["group"].eq(USED)].sort_values(["adoption_year", "name"])
    years = [year_label(int(year)) for year in used["adoption_year"]]
    out = data[data["group"].eq(OUT)].sort_values(["reason", "name"])
    parts = [
        ", ".join(f"{name} ({year})" for name, year in zip(used["name"], years, strict=True)),
        ", ".join(f"{name} ({why})" for name, why in zip(out["name"], out["reason"], strict=True)),
    ]
    words = [f"{head}: {part}." for head, part in zip(("Used", "Left out"), parts, strict=True) if part]
    return f"Tile grid map of English councils, one tile an area. {title}. {' '.join(words)}"
