"""The front door: what happened next to requests for support, before and after adoption."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path
from numpy.typing import NDArray

from clsimpact._check import number, plural
from clsimpact._input import is_made_up
from clsimpact.plots._adoption import period, require, source_of
from clsimpact.plots._figure import EventStudyFigure
from clsimpact.plots._page import page
from clsimpact.plots._shares import ADOPTERS, COMPARISON, COUNTS, NEXT, front_door_shares
from clsimpact.plots.style import DARK_GREY, PALETTE, TEXT_SIZE, mark_simulated, style, wrap

__all__ = ["front_door_figure"]

WIDTH, HIGH = 10.0, 4.8
"""Inches: the page, and a column of 100 requests."""

BAR, ALONE, RIBBON, NUMBER, NAME = 0.5, 1.2, 1.3, 0.5, 2.65
"""Inches: a column, a column that stands alone, ribbons, a number beside a column, and the names."""

GAP = 0.24 / HIGH * 100
"""Least distance between two numbers, in requests of 100."""

NAME_LINE = 0.205 / HIGH * 100
"""Height of a line of a name, in requests of 100."""

NOT_ASKED = 2014
"""Start year of the return that did not ask for NHS funded care."""

Floats = NDArray[np.float64]


def front_door_figure(tagged: pd.DataFrame) -> EventStudyFigure:
    """Draw what happened next to 100 requests for support: adopters beside comparison councils.

    Two columns, before and from the year of adoption on, are joined by ribbons. The requests differ: ribbons
    compare shares and follow nobody. Of every adopter the means of its years before and after enter with the
    same weight; the comparison is the mean of comparison councils over the same years. Where no adopter has
    figures on both sides of its adoption, one column is drawn and the title says so.

    Parameters
    ----------
    tagged
        A panel from :func:`clsimpact.tag_adoption` with the numbers of requests by what happened next.

    Returns
    -------
    EventStudyFigure
        Its ``data``: ``group, period, next, per_100, adopters, comparisons, first_year, last_year``. Numbers
        are rounded by their publisher, so that a column may miss 100 by some tenths.

    Raises
    ------
    PanelError
        If the panel was not tagged, lacks a column, or holds no year with figures of an adopter and a
        comparison council.

    Examples
    --------
    >>> import clsimpact as ci
    >>> made = front_door_figure(ci.tag_adoption(ci.load_panel(), ci.load_adoption()))
    >>> made.data["period"].unique().tolist()
    ['all years']
    """
    require(tagged, ("ons_code", "year", "adoption_year", *COUNTS), "front door")
    made_up, data = is_made_up(tagged), front_door_shares(tagged)
    title, subtitle = _title(data), _subtitle(data)
    if made_up:
        title = f"SIMULATED: {title}"
    source = "\n".join(filter(None, [_note(tagged, data), source_of(tagged, made_up=made_up)]))
    with style():
        sheet = page(Figure, WIDTH, HIGH + 0.85, title, subtitle, source)
        ax = sheet.axes(0.3, sheet.bottom + 0.1, WIDTH - 0.6, HIGH + 0.7)
        _draw(ax, data)
        if made_up:
            mark_simulated(ax)
            ax.texts[-1].set_zorder(5)
    return EventStudyFigure(sheet.figure, ax, title, subtitle, source, _alt(data, title), data)


def _share(data: pd.DataFrame, group: str, when: str, name: str) -> float:
    chosen = data["group"].eq(group) & data["period"].eq(when) & data["next"].eq(name)
    return float(data.loc[chosen, "per_100"].iloc[0])


def _title(data: pd.DataFrame) -> str:
    name = next(iter(NEXT))
    periods = list(data["period"].unique())
    found = {
        group: [f"{_share(data, group, when, name):.0f}" for when in periods]
        for group in (ADOPTERS, COMPARISON)
    }
    if len(periods) == 1:
        here, there = found[ADOPTERS][0], found[COMPARISON][0]
        return (
            f"Adopters signposted {here} of 100 requests, comparison councils {there}; before and after "
            "adoption cannot be compared"
        )
    (before, after), (first, last) = found[ADOPTERS], found[COMPARISON]
    return (
        f"Adopters signposted {after} of 100 requests after adoption, {before} before; comparison councils "
        f"{last} and {first}"
    )


def _subtitle(data: pd.DataFrame) -> str:
    row = data.iloc[0]
    years = period((row["first_year"], row["last_year"]))
    who = f"England, {plural(int(row['adopters']), 'adopter')} and {row['comparisons']} comparison councils"
    what = "What happened next to 100 requests for support from new clients, mean of councils."
    if _two(data):
        return (
            f"{what} {who} over the same years, {years}. Ribbons compare shares of different requests; "
            "nobody is followed."
        )
    one = row["first_year"] == row["last_year"]
    reason = "figures of one year are held" if one else "no adopter has figures both before and after"
    return f"{what} {who}, {years}. Before and after cannot be compared: {reason}."


def _note(tagged: pd.DataFrame, data: pd.DataFrame) -> str:
    adopters = int(tagged.loc[tagged["adoption_year"].notna(), "ons_code"].nunique())
    lacking = adopters - int(data["adopters"].iloc[0])
    side = "both before and after" if _two(data) else "of any year"
    words = f"{plural(lacking, 'adopter')} without figures {side} not drawn." if lacking else ""
    late = "NHS funded care was not asked for in 2014-15 and counts as nothing then." if _first(data) else ""
    rounded = "Rounded by the publisher: a column may miss 100 by some tenths."
    return " ".join(filter(None, [words, late, rounded]))


def _two(data: pd.DataFrame) -> bool:
    """Say whether there are figures before and after adoption."""
    return bool(data["period"].eq("before").any())


def _first(data: pd.DataFrame) -> bool:
    return bool(data["first_year"].iloc[0] <= NOT_ASKED)


def _draw(ax: Axes, data: pd.DataFrame) -> None:
    ax.set_axis_off()
    periods = list(data["period"].unique())
    wide = WIDTH - 0.6
    inner = (wide - NAME) / 2 - NUMBER
    span = 2 * BAR + RIBBON if len(periods) > 1 else ALONE
    ends: list[Floats] = []
    for group, start in ((ADOPTERS, inner - span), (COMPARISON, wide - inner)):
        shares = [np.array([_share(data, group, when, name) for name in NEXT]) for when in periods]
        _group(ax, group, start, shares, periods)
        ends.append(shares[-1] if group == ADOPTERS else shares[0])
    _names(ax, wide / 2, ends)
    ax.set_xlim(0, wide)
    ax.set_ylim(101, -0.7 / HIGH * 100)


def _group(ax: Axes, group: str, start: float, shares: list[Floats], periods: list[str]) -> None:
    """Draw the column of a group, or its two columns joined by ribbons."""
    two = len(periods) > 1
    bar = BAR if two else ALONE
    lefts = [start + i * (bar + RIBBON) for i in range(len(periods))]
    for i, (left, values) in enumerate(zip(lefts, shares, strict=True)):
        _column(ax, left, bar, values)
        to_right = i == 1 if two else group == ADOPTERS
        _numbers(ax, left + bar if to_right else left, values, to_right=to_right)
        if two:
            ax.text(left + bar / 2, -2.5, periods[i].capitalize(), ha="center", fontsize=TEXT_SIZE)
    if two:
        _ribbons(ax, lefts[0] + bar, lefts[1], shares[0], shares[1])
    middle = (lefts[0] + lefts[-1] + bar) / 2
    ax.text(middle, -9 if two else -3, group, ha="center", fontsize=TEXT_SIZE, fontweight="bold")


def _middles(shares: Floats) -> Floats:
    return np.asarray(np.cumsum(shares) - shares / 2)


def _apart(at: Floats, heights: Sequence[float], low: float, high: float) -> Floats:
    """Move places apart downwards, then upwards from the end, so that heights do not overlap."""
    place, half = at.copy(), np.asarray(heights) / 2
    edge = low
    for i in range(len(place)):
        place[i] = max(place[i], edge + half[i])
        edge = place[i] + half[i]
    edge = high
    for i in reversed(range(len(place))):
        place[i] = min(place[i], edge - half[i])
        edge = place[i] - half[i]
    return place


def _column(ax: Axes, left: float, wide: float, shares: Floats) -> None:
    tops = np.cumsum(shares) - shares
    for top, share, colour in zip(tops, shares, PALETTE, strict=True):
        ax.add_patch(
            Rectangle((left, top), wide, share, facecolor=colour, edgecolor="white", linewidth=1.2, zorder=3)
        )


def _numbers(ax: Axes, edge: float, shares: Floats, *, to_right: bool) -> None:
    """Write the shares beside a column, with a line where one had to move from its segment."""
    middles = _middles(shares)
    places = _apart(middles, [GAP] * len(shares), 0.0, 100.0)
    sign, ha = (1, "left") if to_right else (-1, "right")
    for middle, place, share in zip(middles, places, shares, strict=True):
        ax.text(edge + sign * 0.12, place, _said(share), ha=ha, va="center", fontsize=TEXT_SIZE)
        ax.plot([edge, edge + sign * 0.09], [middle, place], color=DARK_GREY, linewidth=0.8, zorder=2)


def _said(share: float) -> str:
    return f"{share:.0f}" if share >= 1 or share == 0 else f"{share:.1f}"


def _ribbons(ax: Axes, left: float, right: float, before: Floats, after: Floats) -> None:
    tops = (np.cumsum(before) - before, np.cumsum(after) - after)
    middle = (left + right) / 2
    for i, colour in enumerate(PALETTE[: len(before)]):
        a, b = float(tops[0][i]), float(tops[1][i])
        c, d = b + float(after[i]), a + float(before[i])
        points = [
            (left, a),
            (middle, a),
            (middle, b),
            (right, b),
            (right, c),
            (middle, c),
            (middle, d),
            (left, d),
            (left, a),
        ]
        curve = [Path.CURVE4] * 3
        codes = [Path.MOVETO, *curve, Path.LINETO, *curve, Path.CLOSEPOLY]
        outline = PathPatch(Path(points, codes), facecolor=colour, alpha=0.4, edgecolor="white", zorder=1)
        ax.add_patch(outline)


def _names(ax: Axes, middle: float, ends: list[Floats]) -> None:
    """Write what happened next between the groups, with lines to the numbers on both sides."""
    lines = [wrap(name, NAME - 0.55, TEXT_SIZE * 0.92) for name in NEXT]
    heights = [NAME_LINE * (1.35 + text.count("\n")) for text in lines]
    numbers = [_apart(_middles(shares), [GAP] * len(shares), 0.0, 100.0) for shares in ends]
    places = _apart(np.mean(numbers, axis=0), heights, 0.0, 100.0)
    for i, (text, place) in enumerate(zip(lines, places, strict=True)):
        ax.text(middle, place, text, ha="center", va="center", fontsize=TEXT_SIZE - 1, linespacing=1.1)
        for sign, found in zip((-1, 1), numbers, strict=True):
            ends_at = [middle + sign * (NAME / 2 + 0.02), middle + sign * (NAME / 2 - 0.16)]
            ax.plot(ends_at, [found[i], place], color=DARK_GREY, linewidth=0.8, zorder=1)


def _alt(data: pd.DataFrame, title: str) -> str:
    parts = []
    for (group, when), rows in data.groupby(["group", "period"], sort=False):
        words = [f"{name} {number(value)}" for name, value in zip(rows["next"], rows["per_100"], strict=True)]
        parts.append(f"{group}{'' if when == 'all years' else f', {when} adoption'}: {'; '.join(words)}")
    kind = "Stacked columns joined by ribbons" if _two(data) else "Stacked columns"
    return f"{kind} of 100 requests by what happened next. {title}. {'. '.join(parts)}."
