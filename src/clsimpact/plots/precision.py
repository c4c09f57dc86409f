"""The effect that a design can detect, against the number of adopters."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from clsimpact._check import number, plural, unit_text
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

__all__ = ["precision_figure"]

WIDTH, BODY = 10.0, 5.2
"""Inches: the page, and the room for axes and labels."""

LINES = (("detectable_80", "found in 80% of studies", DARK_BLUE, "o", "-"),
         ("detectable_50", "in 50%", PALETTE[1], "s", "--"))  # fmt: skip

ORANGE = PALETTE[3]


def precision_figure(
    table: pd.DataFrame, *, design: Design, title: str, target: float, target_words: str, estimator: str
) -> EventStudyFigure:
    """Draw detectable effects by number of adopters, with the present number and the target marked.

    Parameters
    ----------
    table
        ``adopters, present, detectable_80, detectable_50``, one row per number of adopters.
    design
        Gives unit, source, and whether data are made up.
    title
        The finding.
    target, target_words
        What should be seen.
    estimator
        Whose overall effect it is.

    Examples
    --------
    >>> from clsimpact.datasets import example_design
    >>> rows = pd.DataFrame({"adopters": [5, 10], "present": [True, False],
    ...                      "detectable_80": [4.0, 2.0], "detectable_50": [3.0, 1.5]})
    >>> made = precision_figure(rows, design=example_design(), title="With 5", target=1.0,
    ...                         target_words="the margin of 1", estimator="twfe")
    >>> made.alt_text
    'With 5. Smallest effect ... 5 adopters (present): 4 and 3; 10 adopters: 2 and 1.5.'
    """
    data = table.sort_values("adopters").reset_index(drop=True)
    subtitle = (
        f"Smallest effect (overall effect by {estimator}) that a two-sided test at 5% finds, by number of "
        f"adopters with dates spread as they are; both scales are logarithmic. Dotted: {target_words}"
    )
    with style():
        sheet = page(Figure, WIDTH, BODY, title, subtitle, design.source)
        ax = sheet.axes(1.0, sheet.bottom + 0.75, WIDTH - 3.4, BODY - 1.25)
        _draw(ax, data, target)
        unit = unit_text(design)
        ax.set_title(f"Effect ({unit})" if unit else "Effect", loc="left", fontsize=TEXT_SIZE, x=-0.09, pad=8)
        ax.set_xlabel("Adopters", fontsize=TEXT_SIZE)
        if design.simulated:
            mark_simulated(ax)
    words = f"{title}. {subtitle}. {_read(data)}."
    return EventStudyFigure(sheet.figure, ax, title, subtitle, design.source, words, data)


def _draw(ax: Axes, data: pd.DataFrame, target: float) -> None:
    clean_axes(ax)
    ax.set_xscale("log")
    ax.set_yscale("log")
    x = data["adopters"].to_numpy(dtype=float)
    present = data["present"].to_numpy(dtype=bool)
    for column, words, colour, marker, line in LINES:
        y = data[column].to_numpy(dtype=float)
        ax.plot(x, y, color=colour, linestyle=line, marker=marker, markersize=6, linewidth=2.2, zorder=3)
        _beside(ax, y[-1], words, colour)
        ax.plot(
            x[present], y[present], marker, markersize=13, markeredgewidth=2.4, markerfacecolor="none",
            color=ORANGE, zorder=4,
        )  # fmt: skip
    ax.axhline(target, color=DARK_GREY, linestyle=":", linewidth=1.8, zorder=2)
    _ticks(ax, data, target)
    if present.any():
        ax.annotate(
            "present", (x[present][0], data["detectable_50"].to_numpy()[present][0]), (0, -22),
            textcoords="offset points", ha="center", va="center", fontsize=TEXT_SIZE, fontweight="bold",
        )  # fmt: skip


def _beside(ax: Axes, y: float, words: str, colour: str) -> None:
    ax.annotate(
        wrap(words, 2.2, TEXT_SIZE), (1, y), (8, 0), xycoords=("axes fraction", "data"),
        textcoords="offset points", va="center", color=colour, fontsize=TEXT_SIZE,
    )  # fmt: skip


def _ticks(ax: Axes, data: pd.DataFrame, target: float) -> None:
    """Name the numbers of adopters, and round effects."""
    x = data["adopters"].to_numpy()
    named = [
        n
        for i, n in enumerate(x)
        if data["present"].iloc[i] or _apart(n, data.loc[data["present"], "adopters"])
    ]
    ax.set_xticks(named, [str(int(n)) for n in named])
    ax.minorticks_off()
    values = np.append(data[["detectable_80", "detectable_50"]].to_numpy(dtype=float).ravel(), target)
    low, high = float(np.nanmin(values)) * 0.72, float(np.nanmax(values)) * 1.25
    steps = [m * 10.0**e for e in range(-12, 13) for m in (1, 2, 3, 5, 7)]
    ticks = [step for step in steps if low <= step <= high]
    ax.set_ylim(low, high)
    ax.set_yticks(ticks, [number(tick) for tick in ticks])
    ax.minorticks_off()
    ax.grid(visible=True, axis="y", color=GRID, linewidth=0.8)


def _apart(n: float, present: pd.Series[Any]) -> bool:
    """Whether a number's name does not run into that of the present number."""
    return bool(all(abs(np.log(n / p)) > 0.3 for p in present))


def _read(data: pd.DataFrame) -> str:
    return "; ".join(
        f"{plural(int(row['adopters']), 'adopter')}{' (present)' if row['present'] else ''}: "
        f"{number(float(row['detectable_80']))} and {number(float(row['detectable_50']))}"
        for row in data.to_dict("records")
    )
