"""The sensitivity figure: the interval under parallel trends beside those that let trends differ."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from clsimpact import _check
from clsimpact.diagnostics import _honest_words
from clsimpact.plots._figure import EventStudyFigure
from clsimpact.plots._page import figure_of, page, write_zero
from clsimpact.plots.style import (
    DARK_BLUE,
    DARK_GREY,
    PALETTE,
    TEXT_SIZE,
    clean_axes,
    mark_simulated,
    style,
)

if TYPE_CHECKING:
    from clsimpact.diagnostics.honest_did import HonestDiD

__all__ = ["honest_did_figure", "plot_axes"]

WIDTH, BODY = 10.0, 4.6
"""Inches: the page, and the room for axes and their labels."""

LEFT, RIGHT, BELOW = 0.95, 1.45, 0.95
"""Inches left, right and below of the axes."""

ORANGE = PALETTE[3]

NARROWEST = 0.1
"""Least room for a label of the axis, as a share of the span of the bounds."""


def honest_did_figure(
    found: HonestDiD,
    *,
    title: str | None = None,
    subtitle: str | None = None,
    source: str | None = None,
    ax: Axes | None = None,
) -> EventStudyFigure:
    """Draw the original interval and the robust ones against the bound, and the breakdown value.

    Intervals that exclude zero are solid, those that include it dashed. The original interval stands at the
    left, with its estimate; robust ones have no estimate of their own, and no point.

    Parameters
    ----------
    found
        What `clsimpact.honest_did` returned.
    title
        By default a sentence that states the finding, computed from the numbers.
    subtitle
        By default measure, estimand, intervals, sample and period.
    source
        By default the source of the data.
    ax
        Axes to draw on; without it a new figure. Words are written on a new figure only.

    Returns
    -------
    EventStudyFigure
        ``data``: ``found.tidy()`` after the original interval, whose bound is missing.

    Examples
    --------
    >>> from clsimpact.diagnostics.honest_did import honest_did
    >>> found = honest_did(beta=[0.0, 3.0], sigma=np.eye(2) / 4, n_pre=1, n_post=1)
    >>> honest_did_figure(found).title
    'Effect: the interval excludes zero until trends may differ by 3.47 times the most seen before adoption'
    """
    design = found.design
    title = title or _honest_words.finding(found)
    subtitle = subtitle or _subtitle(found)
    source = source if source is not None else "" if design is None else design.source
    first = pd.DataFrame(
        {"grid": [math.nan], "conf_low": [found.original[0]], "conf_high": [found.original[1]]}
    )
    data = pd.concat([first, found.tidy()], ignore_index=True)
    with style():
        if ax is None:
            made = page(Figure, WIDTH, BODY, title, subtitle, source)
            figure = made.figure
            ax = made.axes(
                LEFT, made.bottom + BELOW, WIDTH - LEFT - RIGHT, made.top - made.bottom - BELOW - 0.1
            )
        else:
            figure = figure_of(ax)
        _draw(ax, found)
    return EventStudyFigure(figure, ax, title, subtitle, source, _alt_text(found, title), data)


def plot_axes(found: HonestDiD, *, ax: Axes | None = None) -> Axes:
    """Draw on the given axes, or on a new pyplot figure that a notebook shows."""
    if ax is None:
        import matplotlib.pyplot as plt

        source = "" if found.design is None else found.design.source
        with style():
            words = _honest_words.finding(found), _subtitle(found), source
            made = page(plt.figure, WIDTH, BODY, *words)
            ax = made.axes(
                LEFT, made.bottom + BELOW, WIDTH - LEFT - RIGHT, made.top - made.bottom - BELOW - 0.1
            )
    return honest_did_figure(found, ax=ax).axes


def _subtitle(found: HonestDiD) -> str:
    design = found.design
    kind = {"C-LF": "conditional, hybrid", "conditional": "conditional", "FLCI": "fixed length"}[found.kind]
    bars = f"Bars: {100 * found.level:.4g}% intervals ({kind}), dashed where zero is inside"
    words = f"{_honest_words.estimand_words(found)}. {bars}"
    if design is None:
        return f"{words[0].upper()}{words[1:]}."
    unit = f", {_check.unit_text(design)}" if _check.unit_text(design) else ""
    place = "England, " if design.unit == "ons_code" else ""
    units = _check.plural(len(design.units), _check.unit_word(design))
    return (
        f"{design.outcome_label}{unit}: {words}. {place}{units} ({design.n_treated} treated), "
        f"{_check.period_words(design)}."
    )


def _draw(ax: Axes, found: HonestDiD) -> None:
    clean_axes(ax)
    if found.design is not None and found.design.simulated:
        mark_simulated(ax)
    order = np.argsort(found.grid, kind="stable")
    grid = found.grid[order]
    steps = np.diff(np.unique(grid))
    gap = float(steps.min()) if len(steps) else max(float(grid[0]), 1.0) / 2
    gap = max(gap, NARROWEST * float(grid[-1] - grid[0]))
    x = np.concatenate([[grid[0] - 1.5 * gap], grid])
    low = np.concatenate([[found.original[0]], found.conf_low[order]])
    high = np.concatenate([[found.original[1]], found.conf_high[order]])
    for i, at in enumerate(x):
        inside = low[i] <= 0 <= high[i]
        colour = DARK_GREY if i == 0 else DARK_BLUE
        dashes = (0, (4, 2)) if inside else "-"
        ax.plot([at, at], [low[i], high[i]], color=colour, linewidth=2.4, linestyle=dashes, zorder=2)
        ax.plot([at, at], [low[i], high[i]], "_", color=colour, markersize=14, markeredgewidth=2.4, zorder=2)
    ax.plot(x[0], found.estimate, "o", color=DARK_GREY, markersize=8, zorder=3)
    write_zero(ax)
    ax.margins(y=0.1)
    ax.set_xlim(x[0] - 0.8 * gap, x[-1] + 0.8 * gap)
    _ticks(ax, found, x, grid)
    _breakdown(ax, found, float(x[0] + 0.5 * gap), float(x[-1] + 0.7 * gap))


def _ticks(ax: Axes, found: HonestDiD, x: np.ndarray, grid: np.ndarray) -> None:
    """Name the original interval and the bounds, as many as there is room for."""
    shown: list[float] = []
    for bound in grid.tolist():
        if not shown or bound - shown[-1] >= 0.999 * NARROWEST * (grid[-1] - grid[0]):
            shown.append(bound)
    ax.set_xticks([float(x[0]), *shown], ["parallel\ntrends", *(_check.number(bound) for bound in shown)])
    design = found.design
    if found.method == "smoothness":
        unit = "" if design is None or not _check.unit_text(design) else f", {_check.unit_text(design)}"
        label = (
            f"Most that the slope of the difference in trends may change from one period to the next{unit}"
        )
    else:
        label = "Largest step of the difference in trends after adoption, in multiples of the largest before"
    ax.set_xlabel(label, fontsize=TEXT_SIZE, labelpad=8)


def _breakdown(ax: Axes, found: HonestDiD, left: float, right: float) -> None:
    """Mark where zero comes in, where that is within the axes."""
    at = found.breakdown
    if not math.isfinite(at) or not left < at < right:
        return
    low, high = ax.get_ylim()
    ax.set_ylim(low, high + 0.14 * (high - low))
    ax.axvline(at, color=ORANGE, linewidth=1.8, linestyle=(0, (1, 1.5)), zorder=1)
    late = at > 0.5 * (left + right)
    ax.annotate(
        f"zero comes in at {_check.number(at)}",
        (at, 1),
        (-6 if late else 6, -2),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        ha="right" if late else "left",
        va="top",
        fontsize=TEXT_SIZE - 1,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.0},
    )


def _alt_text(found: HonestDiD, title: str) -> str:
    made_up = "SIMULATED data. " if found.design is not None and found.design.simulated else ""
    name = "relative magnitude" if found.method == "relative_magnitudes" else "change of slope"
    spans = [f"parallel trends {_span(*found.original)}"]
    spans += [
        f"{name} {_check.number(float(m))}: {_span(float(low), float(high))}"
        for m, low, high in zip(found.grid, found.conf_low, found.conf_high, strict=True)
    ]
    return (
        f"{made_up}Intervals against the bound on differences in trends. {title}. {'; '.join(spans)}. "
        f"{_honest_words.conclusion(found)}"
    )


def _span(low: float, high: float) -> str:
    return f"{_check.number(low)} to {_check.number(high)}"
