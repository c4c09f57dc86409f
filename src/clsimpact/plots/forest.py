"""The forest figure: estimates with intervals, one line each, beside the one that is checked."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from clsimpact._check import number, unit_text
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

__all__ = ["forest_figure"]

Floats = NDArray[np.float64]

WIDTH = 10.0
LINE = 0.34
"""Inches a line of text needs."""

LABEL = 3.1
"""Inches for labels."""

MOST = 30
"""Lines that a figure holds; of more, the middle ones are left out and the title says so."""

ORANGE = PALETTE[3]


def forest_figure(
    rows: pd.DataFrame,
    *,
    design: Design,
    title: str,
    subtitle: str,
    reference: float | None = None,
    axis: str = "",
) -> EventStudyFigure:
    """Draw estimates with intervals, one line each, from the top down.

    Parameters
    ----------
    rows
        ``label, estimate, conf_low, conf_high`` (the ends missing where there is no interval), and
        ``marked`` (true for the lines that the words speak of), in order.
    design
        Gives unit, source, and whether data are made up.
    title
        The finding.
    subtitle
        What was measured.
    reference
        The estimate that is checked: a dashed line.
    axis
        Words under the axis; by default the outcome and its unit.

    Examples
    --------
    >>> from clsimpact.datasets import example_design
    >>> rows = pd.DataFrame({"label": ["all", "without a"], "estimate": [1.0, 2.0],
    ...                      "conf_low": [0.5, np.nan], "conf_high": [1.5, np.nan]})
    >>> made = forest_figure(rows, design=example_design(), title="It moves", subtitle="Two estimates")
    >>> made.alt_text
    'It moves. Two estimates. all: 1 (0.5 to 1.5); without a: 2.'
    """
    data = rows.reset_index(drop=True)
    if "marked" not in data:
        data = data.assign(marked=False)
    shown = _fewer(data)
    source = design.source
    if len(shown) < len(data):
        source = f"{len(data) - len(shown)} of {len(data)} lines in the middle are not drawn.\n{source}"
    with style():
        labels = [wrap(str(text), LABEL, TEXT_SIZE) for text in shown["label"]]
        heights = np.array([LINE * (1 + 0.62 * text.count("\n")) for text in labels])
        body = float(heights.sum()) + 0.75
        sheet = page(Figure, WIDTH, body, title, subtitle, source)
        ax = sheet.axes(0.3 + LABEL, sheet.bottom + 0.7, WIDTH - 0.6 - LABEL, float(heights.sum()))
        _draw(ax, shown, labels, heights, reference)
        ax.set_xlabel(axis or _axis_words(design), fontsize=TEXT_SIZE)
        if design.simulated:
            mark_simulated(ax)
    words = f"{title}. {subtitle}. {_read(data)}."
    return EventStudyFigure(sheet.figure, ax, title, subtitle, source, words, data)


def _fewer(data: pd.DataFrame) -> pd.DataFrame:
    """Keep marked lines and those at both ends."""
    if len(data) <= MOST:
        return data
    kept = data["marked"].to_numpy(dtype=bool).copy()
    for i in range(len(data)):
        at = i // 2 if i % 2 == 0 else len(data) - 1 - i // 2
        if kept.sum() >= MOST:
            break
        kept[at] = True
    return data[kept].reset_index(drop=True)


def _draw(ax: Axes, data: pd.DataFrame, labels: list[str], heights: Floats, reference: float | None) -> None:
    ends = np.cumsum(heights)
    middle = ends - heights / 2
    clean_axes(ax)
    ax.grid(visible=False, axis="y")
    ax.grid(visible=True, axis="x", color=GRID, linewidth=0.8)
    ax.axvline(0, color=DARK_GREY, linewidth=1.2, zorder=1)
    if reference is not None:
        ax.axvline(reference, color=DARK_BLUE, linewidth=1.2, linestyle="--", zorder=1)
    numbers = data[["estimate", "conf_low", "conf_high"]].to_numpy(dtype=float)
    for y, (estimate, low, high), marked in zip(middle, numbers, data["marked"], strict=True):
        colour, marker = (ORANGE, "s") if marked else (DARK_BLUE, "o")
        if np.isfinite(low) and np.isfinite(high):
            ax.plot([low, high], [y, y], color=colour, linewidth=2.2, zorder=2)
        ax.plot([estimate], [y], marker, color=colour, markersize=7, zorder=3)
    ax.set_yticks(middle, labels, fontsize=TEXT_SIZE)
    ax.set_ylim(float(ends[-1]), 0)


def _axis_words(design: Design) -> str:
    unit = unit_text(design)
    return f"Effect ({unit})" if unit else "Effect"


def _read(data: pd.DataFrame) -> str:
    parts = []
    numbers = data[["estimate", "conf_low", "conf_high"]].to_numpy(dtype=float)
    for label, (estimate, low, high) in list(zip(data["label"], numbers, strict=True))[:MOST]:
        known = np.isfinite(low) and np.isfinite(high)
        parts.append(
            f"{label}: {number(estimate)}" + (f" ({number(low)} to {number(high)})" if known else "")
        )
    more = [f"{len(data) - MOST} more"] if len(data) > MOST else []
    return "; ".join([*parts, *more])
