"""Raw trends: the mean outcome of each cohort of adopters by period, beside that of never-adopters."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from clsimpact._check import number, unit_text
from clsimpact.design import Design
from clsimpact.errors import DesignError
from clsimpact.plots._figure import EventStudyFigure
from clsimpact.plots._page import page
from clsimpact.plots.style import DARK_GREY, PALETTE, TEXT_SIZE, clean_axes, mark_simulated, style

__all__ = ["cohort_trends_figure"]

_WIDTH, _BODY = 10.0, 4.6
_MARKERS = ("o", "s", "D", "^", "v", "P", "X", "p")
_LEFT, _RIGHT = 0.8, 2.3
_MOST_TICKS = 12
_ROUNDS = 200
"""Times that labels are moved apart: twenty lines that end in one place need as many."""


def cohort_trends_figure(
    design: Design, *, units: str = "units", scale: float = 1.0, unit: str | None = None, words: str = ""
) -> EventStudyFigure:
    """Draw the mean outcome by period: a line per cohort, and the mean of units that never adopt.

    Filled markers are treated periods. Means are of the units with a value in the period; nothing is filled
    in.

    Parameters
    ----------
    design
        Outcome, cohorts and periods.
    units
        Plural of the unit.
    scale, unit
        What values are multiplied by, and the unit after that.
    words
        What the outcome is called inside a sentence.

    Returns
    -------
    EventStudyFigure
        ``data``: ``series, period, mean, n_units, treated``.

    Raises
    ------
    DesignError
        If there is one period only.

    Examples
    --------
    >>> from clsimpact.datasets import example_design
    >>> cohort_trends_figure(example_design(), units="counties").data["series"].unique().tolist()
    ['2004 (20)', '2006 (40)', '2007 (131)', 'never (309)']
    """
    if len(design.periods) < 2:
        raise DesignError("There is one period: no trend can be drawn.", repair="Add periods to the panel.")
    data = _means(design, scale)
    words = words or design.outcome_label
    title = _title(data, words)
    shown = unit or unit_text(design)
    subtitle = (
        f"Mean of {design.outcome_label}{f' ({shown})' if shown else ''} by year, per cohort of adopting "
        f"{units} (number in brackets) and of {units} not known to have adopted. Filled markers: after "
        "adoption."
    )
    with style():
        made = page(Figure, _WIDTH, _BODY, title, subtitle, design.source)
        ax = made.axes(_LEFT, made.bottom + 0.55, _WIDTH - _LEFT - _RIGHT, made.top - made.bottom - 0.75)
        _draw(ax, data, design)
    return EventStudyFigure(made.figure, ax, title, subtitle, design.source, _alt(data, title), data)


def _means(design: Design, scale: float) -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "cohort": design.cohorts,
            "period": design.times,
            "value": scale * design.y,
            "unit": design.unit_codes,
        }
    )
    sizes = frame.groupby("cohort", dropna=False)["unit"].nunique()
    rows = frame.groupby(["cohort", "period"], dropna=False)["value"].agg(["mean", "size"]).reset_index()
    names = [f"{'never' if np.isnan(c) else int(c)} ({sizes[c]})" for c in rows["cohort"]]
    treated = rows["period"].ge(rows["cohort"] - design.anticipation) & rows["cohort"].notna()
    return pd.DataFrame(
        {"series": names, "period": rows["period"].astype(int), "mean": rows["mean"], "n_units": rows["size"],
         "treated": treated.to_numpy(bool)}
    )  # fmt: skip


def _title(data: pd.DataFrame, words: str) -> str:
    """Say how the comparison moved from the first period to the last: the finding that needs no model."""
    never = data[data["series"].str.startswith("never")].sort_values("period")
    line = never if len(never) > 1 else data.sort_values("period")
    first, last = line.iloc[0], line.iloc[-1]
    who = "where nobody is known to have adopted" if len(never) > 1 else "over the panel"
    return (
        f"{words[0].upper()}{words[1:]}: from {number(first['mean'])} in {first['period']} to "
        f"{number(last['mean'])} in {last['period']} {who}"
    )


def _draw(ax: Axes, data: pd.DataFrame, design: Design) -> None:
    clean_axes(ax)
    if design.simulated:
        mark_simulated(ax)
    ends = []
    for at, name in enumerate(dict.fromkeys(data["series"])):
        rows = data[data["series"] == name].sort_values("period")
        ends.append(_draw_line(ax, rows, str(name), at))
    ax.set_xticks(list(design.periods)[:: math.ceil(len(design.periods) / _MOST_TICKS)])
    ax.margins(y=0.12)
    _label(ax, ends)


def _draw_line(ax: Axes, rows: pd.DataFrame, name: str, at: int) -> tuple[float, float, str]:
    """Draw the means of one cohort; return where its line ends, and what it is called there."""
    never = name.startswith("never")
    colour = DARK_GREY if never else PALETTE[[0, 1, 2, 3, 5][at % 5]]
    ax.plot(
        rows["period"], rows["mean"], color=colour, linewidth=3 if never else 2,
        linestyle="--" if never else "-",
    )  # fmt: skip
    for filled, part in rows.groupby("treated"):
        ax.plot(
            part["period"], part["mean"], linestyle="none", marker=_MARKERS[at % len(_MARKERS)], markersize=8,
            markerfacecolor=colour if filled else "white", markeredgecolor=colour, markeredgewidth=2,
        )  # fmt: skip
    last = rows.iloc[-1]
    label = f"not adopted{name.removeprefix('never')}" if never else f"adopted {name}"
    return float(last["mean"]), float(last["period"]), label


def _label(ax: Axes, ends: list[tuple[float, float, str]]) -> None:
    """Name the lines at their right ends, moved apart where they would touch."""
    low, high = ax.get_ylim()
    bounds = ax.get_position()
    height = ax.figure.get_size_inches()[1] * bounds.height  # type: ignore[union-attr]
    step = (high - low) * (TEXT_SIZE * 1.25 / 72) / height
    right = ax.get_xlim()[1]
    ordered = sorted(ends)
    places = [value for value, *_ in ordered]
    for _ in range(_ROUNDS):
        for i in range(1, len(places)):
            gap = places[i] - places[i - 1]
            if gap < step:
                places[i - 1] -= (step - gap) / 2
                places[i] += (step - gap) / 2
    for place, (value, period, label) in zip(places, ordered, strict=True):
        ax.annotate(
            label, (period, value), (right, place), textcoords="data", va="center", fontsize=TEXT_SIZE - 1,
            annotation_clip=False, arrowprops={"arrowstyle": "-", "color": DARK_GREY, "linewidth": 0.6},
        )  # fmt: skip
    ax.set_ylim(low, high)


def _alt(data: pd.DataFrame, title: str) -> str:
    lines = []
    for name, rows in data.groupby("series", sort=False):
        rows = rows.sort_values("period")
        first, last = rows.iloc[0], rows.iloc[-1]
        who = str(name).replace("never", "not adopted")
        who = who if who.startswith("not") else f"adopted {who}"
        ends = (f"{number(row['mean'])} in {row['period']}" for row in (first, last))
        lines.append(f"{who}: {', '.join(ends)}.")
    return f"Line chart of means by period. {title}. {' '.join(lines)}"
