"""A specification curve: sorted estimates with their intervals, and below them what each is made of."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from clsimpact._check import number
from clsimpact.diagnostics import _specification_words as words
from clsimpact.plots._figure import EventStudyFigure
from clsimpact.plots._page import MARGIN, Page, figure_of, page, write_zero
from clsimpact.plots._specification_text import FEW, alt_of, foot_of, minus, subtitle_of
from clsimpact.plots.style import (
    DARK_BLUE,
    DARK_GREY,
    GRID,
    PALETTE,
    TEXT_SIZE,
    clean_axes,
    mark_simulated,
    style,
)

if TYPE_CHECKING:
    from clsimpact.diagnostics.specification_curve import SpecificationCurve

__all__ = ["plot_axes", "specification_figure"]

WIDTH, CURVE, ROW = 10.0, 3.6, 0.27
"""Inches: the page, the height of the curve, and of one row of the panel of choices."""

LABEL = 30
"""Letters of an option on one line."""

GLYPH = 0.56 * TEXT_SIZE / 72
"""Mean width of a letter in inches."""

RIGHT = 1.5
"""Inches right of the axes: medians, and the words of the line of no difference."""

BELOW, ABOVE, OTHER = PALETTE[0], PALETTE[3], "#8C8C8C"
"""Colours of intervals below zero, above it, and across it."""

MAIN: dict[str, Any] = {"color": "black", "linewidth": 0.9, "linestyle": (0, (1, 2)), "zorder": 1}
"""Line through the main specification."""


@dataclass(frozen=True)
class _Layout:
    """Where rows of the panel stand: a heading per choice and a row per option, from 0 downwards."""

    curve: SpecificationCurve

    @cached_property
    def rows(self) -> pd.DataFrame:
        """Estimated specifications, smallest estimate first, in units of the page."""
        found = self.curve.estimated.sort_values("estimate", kind="stable", ignore_index=False)
        scale = words.shown_unit(self.curve)[0]
        names = ["estimate", "conf_low", "conf_high"]
        return found.assign(**{name: found[name] * scale for name in names})

    @cached_property
    def lines(self) -> list[tuple[float, str, str]]:
        """Place, choice and option of each row; an empty option is a heading."""
        out, at = [], 0.0
        for choice in self.curve.varied:
            out.append((at + 0.15, choice, ""))
            at += 1.15
            for option in self.curve.options[choice]:
                high = len(self.broken(option))
                out.append((at + (high - 1) * 0.4, choice, option))
                at += 1 + (high - 1) * 0.8
            at += 0.25
        return out

    @property
    def height(self) -> float:
        """Height of the panel in inches."""
        return ROW * (self.lines[-1][0] + 1.1) if self.lines else 0.0

    @property
    def left(self) -> float:
        """Inches left of the axes."""
        options = [len(line) for _, _, option in self.lines for line in self.broken(option)]
        return max(1.05, MARGIN + 0.2 + GLYPH * max(options, default=0))

    @staticmethod
    def broken(option: str) -> list[str]:
        """Break a label into lines."""
        return textwrap.wrap(option, LABEL) or [""]


def specification_figure(
    curve: SpecificationCurve,
    *,
    title: str | None = None,
    subtitle: str | None = None,
    source: str | None = None,
    ax: Axes | None = None,
) -> EventStudyFigure:
    """Draw a specification curve.

    Above, estimates sorted by size with their intervals, the median, and the main specification; below, a row
    per option with a tick under each specification that uses it, and the median of its estimates.
    Specifications without an estimate are counted below the figure.

    Parameters
    ----------
    curve
        From `clsimpact.diagnostics.specification_curve.specification_curve`.
    title, subtitle, source
        By default computed from the numbers: signs and how many intervals exclude zero; the measure and what
        is drawn; what is not, and the source of the data.
    ax
        Axes for the curve alone; without it a new figure.

    Returns
    -------
    EventStudyFigure
        ``data`` holds the rows drawn, in their order.

    Examples
    --------
    >>> from clsimpact.datasets import load_mpdta
    >>> from clsimpact.diagnostics.specification_curve import specification_curve
    >>> curve = specification_curve(load_mpdta(), outcomes=["lemp"], unit="county", time="year",
    ...     cohort="first_treat", estimators=["twfe", "group_time"])
    >>> specification_figure(curve).title
    'All 2 estimates are negative; all intervals exclude zero on that side'
    """
    title = title or words.headline(curve)
    subtitle = subtitle or subtitle_of(curve)
    source = f"{foot_of(curve)}\n{curve.source if source is None else source}".strip()
    layout = _Layout(curve)
    with style():
        if ax is None:
            made = _page(Figure, layout, title, subtitle, source)
            figure, axes = made.figure, _fill(made, layout)
        else:
            axes = ax
            figure = figure_of(ax)
            _curve(axes, layout)
    data = curve.table.loc[layout.rows.index].reset_index(drop=True)
    return EventStudyFigure(figure, axes, title, subtitle, source, alt_of(curve, title), data)


def plot_axes(curve: SpecificationCurve, *, ax: Axes | None = None) -> Axes:
    """Draw on the given axes, or on a new pyplot figure that a notebook shows.

    Examples
    --------
    >>> from clsimpact.datasets import load_mpdta
    >>> from clsimpact.diagnostics.specification_curve import specification_curve
    >>> curve = specification_curve(load_mpdta(), outcomes=["lemp"], unit="county", time="year",
    ...     cohort="first_treat", estimators=["twfe", "group_time"])
    >>> plot_axes(curve, ax=Figure().add_subplot()).get_ylabel()
    ''
    """
    if ax is not None:
        return specification_figure(curve, ax=ax).axes
    import matplotlib.pyplot as plt

    layout = _Layout(curve)
    source = f"{foot_of(curve)}\n{curve.source}".strip()
    with style():
        made = _page(plt.figure, layout, words.headline(curve), subtitle_of(curve), source)
        return _fill(made, layout)


def _page(maker: Any, layout: _Layout, title: str, subtitle: str, source: str) -> Page:
    return page(maker, WIDTH, CURVE + layout.height + 0.75, title, subtitle, source)


def _fill(made: Page, layout: _Layout) -> Axes:
    """Draw curve and panel into the room between the words."""
    width = WIDTH - layout.left - RIGHT
    low = made.bottom + 0.15
    if layout.lines:
        _panel(made.axes(layout.left, low, width, layout.height), layout)
    ax = made.axes(layout.left, low + layout.height + 0.25, width, made.top - low - layout.height - 0.45)
    _curve(ax, layout)
    return ax


def _curve(ax: Axes, layout: _Layout) -> None:
    """Draw sorted estimates with their intervals."""
    rows, curve = layout.rows, layout.curve
    clean_axes(ax)
    if curve.simulated:
        mark_simulated(ax)
    write_zero(ax)
    x = np.arange(1, len(rows) + 1)
    y, low, high = (rows[name].to_numpy(dtype=float) for name in ("estimate", "conf_low", "conf_high"))
    line = float(np.clip(72 * (WIDTH - layout.left - RIGHT) / max(len(rows), 1) * 0.55, 0.5, 2.0))
    bars = np.isfinite(low) & np.isfinite(high)
    for colour, chosen in _colours(low, high, bars):
        ax.vlines(x[chosen], low[chosen], high[chosen], color=colour, linewidth=line, alpha=0.75, zorder=2)
        _points(ax, x[chosen], y[chosen], colour, filled=colour != OTHER, few=len(rows) <= FEW)
    _points(ax, x[~bars], y[~bars], DARK_GREY, filled=False, few=len(rows) <= FEW, marker="x")
    ax.set_xlim(0.5, max(len(rows), 1) + 0.5)
    ax.set_xticks([])
    ax.margins(y=0.06)
    _limits(ax, y, low[bars], high[bars])
    ax.locator_params(axis="y", nbins=6)
    _marks(ax, layout, x, y)


def _limits(ax: Axes, y: NDArray[Any], low: NDArray[Any], high: NDArray[Any]) -> None:
    """Keep the estimates readable where some intervals are many times as wide as others."""
    if y.size == 0 or low.size == 0:
        return
    ends = np.array([y.min(), y.max(), np.quantile(low, 0.01), np.quantile(high, 0.99), 0.0])
    room = 0.06 * (ends.max() - ends.min() or 1.0)
    ax.set_ylim(ends.min() - room, ends.max() + room)


def _colours(
    low: NDArray[Any], high: NDArray[Any], bars: NDArray[np.bool_]
) -> list[tuple[str, NDArray[np.bool_]]]:
    with np.errstate(invalid="ignore"):
        up, down = bars & (low > 0), bars & (high < 0)
    return [(OTHER, bars & ~up & ~down), (ABOVE, up), (BELOW, down)]


def _points(
    ax: Axes,
    x: NDArray[Any],
    y: NDArray[Any],
    colour: str,
    *,
    filled: bool,
    few: bool,
    marker: str = "o",
) -> None:
    """Draw estimates: open where the interval holds zero, so that no meaning is by colour alone."""
    inside = colour if filled else "white"
    if few:
        look: dict[str, Any] = {"markersize": 7, "markeredgewidth": 1.4}
    else:
        look = {"markersize": 2.2, "markeredgewidth": 0.0 if marker == "o" else 0.7}
        inside, colour = ("black", "black") if marker == "o" else (inside, colour)
    ax.plot(x, y, marker, color=colour, markerfacecolor=inside, zorder=3, **look)


def _marks(ax: Axes, layout: _Layout, x: NDArray[Any], y: NDArray[Any]) -> None:
    """Mark the median and the main specification."""
    if not len(y):
        return
    median = float(np.median(y))
    ax.axhline(median, color=DARK_BLUE, linewidth=1.2, linestyle=(0, (5, 3)), zorder=1)
    _, top = ax.get_ylim()
    low, _ = ax.get_ylim()
    near = abs(median) < 0.075 * (top - low)
    shift = 0.0 if not near else (9.0 if median >= 0 else -9.0)
    ax.annotate(
        f"median {minus(number(median))}",
        (1, median),
        (6, shift),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        va="center",
        fontsize=TEXT_SIZE - 1,
        color=DARK_BLUE,
    )
    if near:
        words_of_zero = next(text for text in ax.texts if text.get_text() == "no difference")
        words_of_zero.set_y(-shift)
    at = np.flatnonzero(layout.rows.index.to_numpy() == 0)
    if at.size:
        i = int(at[0])
        ax.plot(x[i], y[i], "D", color="black", markersize=9, markerfacecolor="none", zorder=5)
        ax.axvline(x[i], **MAIN)


def _panel(ax: Axes, layout: _Layout) -> None:
    """Draw a tick under each specification in the rows of its options."""
    rows, lines = layout.rows, layout.lines
    clean_axes(ax)
    ax.grid(visible=False)
    ax.spines["bottom"].set_visible(False)
    ax.set_ylim(lines[-1][0] + 0.6, -0.5)
    ax.set_xlim(0.5, max(len(rows), 1) + 0.5)
    ax.set_xticks([])
    ax.set_yticks([])
    x = np.arange(1, len(rows) + 1)
    wide = float(np.clip(72 * (WIDTH - layout.left - RIGHT) / max(len(rows), 1) * 0.6, 0.45, 6.0))
    last, shade = "", False
    for at, choice, option in lines:
        if not option:
            shade, last = not shade, choice
            _write(ax, at, words.NAMES[choice], layout, bold=True)
            continue
        own = (rows[choice] == option).to_numpy(dtype=bool)
        ax.axhline(at, color=GRID, linewidth=0.6, zorder=0)
        colour = DARK_BLUE if shade else PALETTE[1]
        ax.vlines(x[own], at - 0.33, at + 0.33, color=colour, linewidth=wide, zorder=2)
        _write(ax, at, "\n".join(layout.broken(option)), layout)
        told = minus(number(float(rows.loc[own, "estimate"].median()))) if own.any() else "none"
        _beside(ax, at, told)
        if lines[0][1] == last and (at, choice, option) == lines[1]:
            _beside(ax, lines[0][0], "median")
    place = np.flatnonzero(rows.index.to_numpy() == 0)
    if place.size:
        ax.axvline(x[place[0]], **MAIN)


def _write(ax: Axes, at: float, text: str, layout: _Layout, *, bold: bool = False) -> None:
    inch = 1 / (WIDTH - layout.left - RIGHT)
    x = (MARGIN - layout.left + (0.0 if bold else 0.12)) * inch
    weight = "bold" if bold else "normal"
    ax.text(
        x, at, text, transform=ax.get_yaxis_transform(), ha="left", va="center", fontsize=TEXT_SIZE - 1,
        fontweight=weight, linespacing=1.0,
    )  # fmt: skip


def _beside(ax: Axes, at: float, text: str) -> None:
    ax.annotate(
        text,
        (1, at),
        (6, 0),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        va="center",
        fontsize=TEXT_SIZE - 1,
        annotation_clip=False,
    )
