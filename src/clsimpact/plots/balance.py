"""The balance figure: how adopters differ before adoption, and who is like whom."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from clsimpact._check import number, plural, unit_word
from clsimpact.design import Design
from clsimpact.plots._figure import EventStudyFigure
from clsimpact.plots._page import page
from clsimpact.plots.style import (
    DARK_BLUE,
    DARK_GREY,
    GRID,
    PALETTE,
    TEXT_SIZE,
    clean_axes,
    mark_simulated,
    style,
    wrap,
)

__all__ = ["balance_figure"]

Floats = NDArray[np.float64]

WIDTH, LABEL, LINE = 10.0, 3.4, 0.34
"""Inches: the page, room for labels, one line of text."""

SCORES = 1.5
"""Inches of the strip of scores."""

MOST = 24
"""Rows that the figure holds, the largest differences first; the foot says how many are not drawn."""

ORANGE, PINK = PALETTE[3], PALETTE[2]


def balance_figure(
    rows: pd.DataFrame,
    scores: Floats,
    adopts: NDArray[np.bool_],
    beyond: NDArray[np.int64],
    *,
    design: Design,
    critical: float,
    title: str,
) -> EventStudyFigure:
    """Draw standardised differences, one line each (a Love plot), above the scores of all units.

    Parameters
    ----------
    rows
        ``label, difference, marked``, in the order in which they are drawn.
    scores
        Log odds of adoption of each unit (N).
    adopts
        True for adopters (N).
    beyond
        Positions of the adopters that nobody else is like.
    design
        Gives names, source, and whether data are made up.
    critical
        What the largest difference exceeds in one of 40 random draws of adopters: a grey band.
    title
        The finding.

    Examples
    --------
    >>> from clsimpact.datasets import example_design
    >>> rows = pd.DataFrame({"label": ["size"], "difference": [0.8], "marked": [True]})
    >>> units = np.arange(500)
    >>> made = balance_figure(rows, units / 100.0, units < 191, np.array([], dtype=np.int64),
    ...                       design=example_design(), critical=0.3, title="Adopters are larger")
    >>> made.alt_text[:69]
    'Adopters are larger. Mean of adopters minus mean of the others before'
    """
    shown = rows.head(MOST)
    subtitle = (
        "Mean of adopters minus mean of the others before the first adoption, in standard deviations. Grey: "
        "where all differences of randomly drawn adopters lie 97.5% of the time"
    )
    source = design.source
    if len(shown) < len(rows):
        source = f"{len(rows) - len(shown)} smaller differences are not drawn.\n{source}"
    with style():
        labels = [wrap(str(text), LABEL, TEXT_SIZE) for text in shown["label"]]
        heights = np.array([LINE * (1 + 0.62 * text.count("\n")) for text in labels])
        tall = float(heights.sum())
        sheet = page(Figure, WIDTH, tall + SCORES + 2.0, title, subtitle, source)
        left, wide = 0.3 + LABEL, WIDTH - 0.6 - LABEL
        low = sheet.axes(left, sheet.bottom + 0.75, wide, SCORES)
        top = sheet.axes(left, sheet.bottom + SCORES + 1.7, wide, tall)
        _draw_rows(top, shown, labels, heights, critical)
        _draw_scores(low, scores, adopts, beyond, unit_word(design))
        if design.simulated:
            mark_simulated(top)
    words = f"{title}. {subtitle}. {_read(rows, scores, adopts, beyond, critical, design)}"
    return EventStudyFigure(sheet.figure, top, title, subtitle, source, words, rows)


def _draw_rows(ax: Axes, rows: pd.DataFrame, labels: list[str], heights: Floats, critical: float) -> None:
    ends = np.cumsum(heights)
    middle = ends - heights / 2
    clean_axes(ax)
    ax.grid(visible=False, axis="y")
    ax.grid(visible=True, axis="x", color=GRID, linewidth=0.8)
    ax.axvspan(-critical, critical, color=GRID, alpha=0.45, linewidth=0)
    ax.axvline(0, color=DARK_GREY, linewidth=1.2, zorder=1)
    found, marked = rows["difference"].to_numpy(dtype=float), rows["marked"].to_numpy(dtype=bool)
    for y, gap, clear in zip(middle, found, marked, strict=True):
        colour, marker = (ORANGE, "s") if clear else (DARK_BLUE, "o")
        ax.plot([0.0, float(gap)], [y, y], color=colour, linewidth=1.4, zorder=2)
        ax.plot([float(gap)], [y], marker, color=colour, markersize=7, zorder=3)
    reach = 1.1 * max(critical, float(rows["difference"].abs().max()))
    ax.set_xlim(-reach, reach)
    ax.set_yticks(middle, labels, fontsize=TEXT_SIZE)
    ax.set_ylim(float(ends[-1]), 0)
    ax.set_xlabel("Difference (standard deviations)", fontsize=TEXT_SIZE)


def _draw_scores(
    ax: Axes, scores: Floats, adopts: NDArray[np.bool_], beyond: NDArray[np.int64], word: str
) -> None:
    clean_axes(ax)
    ax.grid(visible=False, axis="y")
    off = np.zeros(adopts.size, dtype=bool)
    off[beyond] = True
    for y, chosen, colour, marker in (
        (1.0, adopts & ~off, DARK_BLUE, "|"),
        (1.0, off, ORANGE, "s"),
        (0.0, ~adopts, DARK_GREY, "|"),
    ):
        x = scores[chosen]
        size = 22 if marker == "|" else 7
        ax.plot(x, np.full(x.size, y), marker, color=colour, markersize=size, alpha=0.75, linestyle="none")
    names = [f"{plural(int(adopts.sum()), 'adopter')}", f"{int((~adopts).sum())} other {word}s"]
    ax.set_yticks([1.0, 0.0], names, fontsize=TEXT_SIZE)
    ax.set_ylim(-0.6, 1.6)
    words = "Score: log odds of adoption"
    ax.set_xlabel(f"{words} (orange: like nobody else)" if beyond.size else words, fontsize=TEXT_SIZE)


def _read(
    rows: pd.DataFrame,
    scores: Floats,
    adopts: NDArray[np.bool_],
    beyond: NDArray[np.int64],
    critical: float,
    design: Design,
) -> str:
    found = rows["difference"].to_numpy(dtype=float)
    parts = [f"{label}: {number(float(gap))}" for label, gap in zip(rows["label"], found, strict=True)]
    mine, others = scores[adopts], scores[~adopts]
    off = [design.unit_names[int(i)] for i in beyond]
    tail = f" Nobody else is like {', '.join(off)}." if off else ""
    return (
        f"{'; '.join(parts)}; by chance up to {number(critical)}. Scores of adopters from "
        f"{number(float(mine.min()))} to {number(float(mine.max()))}, of others from "
        f"{number(float(others.min()))} to {number(float(others.max()))}.{tail}"
    )
