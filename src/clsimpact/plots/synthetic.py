"""The figure of synthetic difference in differences: a cohort beside its weighted controls."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from clsimpact import _check, _explain
from clsimpact.errors import DesignError, list_some
from clsimpact.plots.decomposition import page
from clsimpact.plots.event_study import EventStudyFigure
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
    from clsimpact.estimators._synthetic_blocks import Block
    from clsimpact.estimators.synthetic_did import SyntheticEstimate

__all__ = ["synthetic_figure"]

TREATED, CONTROLS = "Adopters", "Weighted controls"
"""Names of the two lines."""

BAR = 0.22
"""Height of a time weight of one, as a share of the axes."""

VISIBLE = 0.005
"""Smaller time weights would be a line of no height."""

APART = 0.07
"""Least distance between the labels of the two lines, as a share of the height of the axes."""


def synthetic_figure(
    fit: SyntheticEstimate,
    *,
    cohort: int | None = None,
    title: str | None = None,
    source: str | None = None,
    ax: Axes | None = None,
) -> EventStudyFigure:
    """Draw the mean of a cohort and of its weighted controls, moved to the same level before adoption.

    Parameters
    ----------
    fit
        What `clsimpact.synthetic_did` returned.
    cohort
        Which; by default the one with most treated units.
    title
        By default the effect on the cohort, or its interval where that includes zero.
    source
        By default the source of the data.
    ax
        Axes to draw on; without it a new figure. Words are written on a new figure only.

    Returns
    -------
    EventStudyFigure
        ``data``: ``period, adopters, weighted_controls, gap, time_weight``. Bars at the foot are the time
        weights.

    Raises
    ------
    DesignError
        A cohort that the estimate does not have.

    Examples
    --------
    >>> from clsimpact.datasets import load_mpdta
    >>> from clsimpact.design import Design
    >>> from clsimpact.estimators.synthetic_did import synthetic_did
    >>> design = Design(load_mpdta(), outcome="lemp", unit="county", time="year", cohort="first_treat")
    >>> synthetic_figure(synthetic_did(design), cohort=2007).title
    'Teen employment after adoption in 2007, against weighted controls: 0.0367 log points lower'
    """
    block = _chosen(fit, cohort)
    design, data = fit.design, _data(fit, block)
    title = title or _title(fit, block)
    unit = f" ({_check.unit_text(design)})" if _check.unit_text(design) else ""
    word = _check.unit_word(design)
    own = _check.plural(block.treated.size, f"adopting {word}")
    pool = _check.plural(int((block.unit_weights > 0).sum()), word)
    subtitle = (
        f"{design.outcome_label}{unit}: mean of {own} and of {pool} weighted to run parallel, moved to the "
        "same level. Bars: weights of the periods before adoption."
    )
    source = design.source if source is None else source
    with style():
        axes, figure = page(ax, title, subtitle, source, right=0.77, above=0.15)
        _draw(axes, data, block, design.time)
        if design.simulated:
            mark_simulated(axes)
    return EventStudyFigure(figure, axes, title, subtitle, source, _words(data, title), data)


def _title(fit: SyntheticEstimate, block: Block) -> str:
    """State the effect where its interval excludes zero, and the interval where it does not."""
    design, rows = fit.design, fit.tidy()
    row = rows[rows["cohort"] == block.span.cohort].iloc[0]
    low, high = float(row["conf_low"]), float(row["conf_high"])
    head = f"{design.outcome_label} after adoption in {block.span.cohort}, against weighted controls:"
    if low > 0 or high < 0:
        return f"{head} {_explain.size(float(row['estimate']), design)}"
    if np.isnan(low):
        return f"{head} {_explain.size(float(row['estimate']), design)}, without an interval"
    return f"{head} anywhere from {_explain.size(low, design)} to {_explain.size(high, design)}"


def _chosen(fit: SyntheticEstimate, cohort: int | None) -> Block:
    if cohort is None:
        return max(fit.blocks, key=lambda block: (block.treated.size, -block.span.cohort))
    for block in fit.blocks:
        if block.span.cohort == cohort:
            return block
    known = list_some(block.span.cohort for block in fit.blocks)
    raise DesignError(f"There is no estimate for cohort {cohort!r}.", repair=f"Cohorts: {known}.")


def _data(fit: SyntheticEstimate, block: Block) -> pd.DataFrame:
    shape = (len(fit.design.units), len(fit.design.periods))
    y = fit.design.y.reshape(shape)
    own = y[block.treated].mean(axis=0)
    weights = np.zeros(shape[1])
    weights[block.span.before] = block.time_weights
    columns = {
        "period": list(fit.design.periods),
        "adopters": own,
        "weighted_controls": own - block.gaps,
        "gap": block.gaps,
        "time_weight": weights,
    }
    return pd.DataFrame(columns)


def _draw(ax: Axes, data: pd.DataFrame, block: Block, time: str) -> None:
    clean_axes(ax)
    periods = data["period"].to_numpy()
    lines = (
        (CONTROLS, "weighted_controls", PALETTE[3], "s", (0, (5, 1.5))),
        (TREATED, "adopters", DARK_BLUE, "o", "-"),
    )
    for _, column, colour, marker, dash in lines:
        ax.plot(
            periods, data[column], marker=marker, color=colour, linestyle=dash, linewidth=2.2, markersize=7
        )
    low, high = ax.get_ylim()
    ax.set_ylim(low - 1.3 * BAR * (high - low), high + 0.1 * (high - low))
    weighed = data[data["time_weight"] > VISIBLE]
    ax.bar(
        weighed["period"],
        BAR * weighed["time_weight"],
        width=0.5,
        color=GRID,
        edgecolor=DARK_GREY,
        linewidth=0.8,
        transform=ax.get_xaxis_transform(),
        zorder=1.5,
    )
    after = periods[block.span.after]
    middle = (after[0] + periods[periods < after[0]][-1]) / 2
    ax.axvline(middle, color=DARK_GREY, linewidth=1.2, linestyle=(0, (4, 3)), zorder=1)
    ax.annotate(
        "adoption",
        (middle, 1),
        (6, -2),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        va="top",
        fontsize=TEXT_SIZE - 1,
    )
    shown = periods[:: 1 + periods.size // 12]
    ax.set_xticks(shown, [str(t) for t in shown])
    ax.set_xlabel("Year" if "year" in time.lower() else "Period", fontsize=TEXT_SIZE, labelpad=8)
    _labels(ax, data, lines)


def _labels(ax: Axes, data: pd.DataFrame, lines: tuple[tuple[str, str, str, str, object], ...]) -> None:
    """Write the names of the lines beside their ends, moved apart where they would touch."""
    low, high = ax.get_ylim()
    ends = sorted((float(data[column].iloc[-1]), name, colour) for name, column, colour, _, _ in lines)
    short = max(APART * (high - low) - (ends[1][0] - ends[0][0]), 0.0)
    for (value, name, colour), shift in zip(ends, (-short / 2, short / 2), strict=True):
        ax.annotate(
            name,
            (1, value + shift),
            (6, 0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            va="center",
            fontsize=TEXT_SIZE,
            color=colour,
        )


def _words(data: pd.DataFrame, title: str) -> str:
    rows = (
        f"{row['period']}: {_check.number(row['adopters'])} and {_check.number(row['weighted_controls'])}"
        for row in data.to_dict("records")
    )
    return f"Line chart of adopters and weighted controls by period. {title}. {'; '.join(rows)}."
