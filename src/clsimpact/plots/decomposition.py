"""Figures of what two-way fixed effects adds up: its comparisons, and the weights of its effects."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from clsimpact import _check
from clsimpact.decomposition.bacon import TYPES
from clsimpact.plots._page import figure_of
from clsimpact.plots.event_study import EventStudyFigure
from clsimpact.plots.style import (
    DARK_GREY,
    PALETTE,
    TEXT_SIZE,
    TITLE_SIZE,
    clean_axes,
    mark_simulated,
    style,
    wrap,
)

if TYPE_CHECKING:
    from clsimpact.decomposition.bacon import BaconDecomposition
    from clsimpact.decomposition.twfe_weights import TwfeWeights
    from clsimpact.design import Design

__all__ = ["bacon_axes", "bacon_figure", "page", "weights_axes", "weights_figure"]

SIZE = (10.0, 6.6)
"""Width and height in inches."""

BACON_EDGES, WEIGHTS_EDGES = (0.84, 0.68), (0.80, 0.15)
"""Right edge of the axes, as a share of the width, and inches between words and axes."""

MARKERS = ("o", "^", "X", "s", "D", "v", "P", "*")

COLOURS = {TYPES[0]: PALETTE[0], TYPES[1]: PALETTE[1], TYPES[2]: PALETTE[3], TYPES[3]: PALETTE[2]}
"""Colour of each kind of comparison; its marker differs too."""

ALMOST_ALL = 0.9995
"""A share that rounds to 100.0%."""

LABELS = {TYPES[2]: "later vs already treated"}
"""Kinds that the figure calls by another name."""

LABELLED = 4
"""Heaviest comparisons that are named in the figure."""

GLYPH = 0.0165
"""Width of a letter of a label in the axes, as a share of their width."""

ROOM = 0.055
"""Least distance between labels beside the axes, as a share of their height."""


def bacon_figure(
    found: BaconDecomposition, *, title: str | None = None, source: str | None = None, ax: Axes | None = None
) -> EventStudyFigure:
    """Draw each two-by-two comparison: its estimate against its weight, by kind, with the coefficient.

    Parameters
    ----------
    found
        What `clsimpact.bacon` returned.
    title
        By default the share of the weight on comparisons with groups already treated.
    source
        By default the source of the data.
    ax
        Axes to draw on; without it a new figure. Words are written on a new figure only.

    Returns
    -------
    EventStudyFigure
        ``data`` is ``found.tidy()``.

    Examples
    --------
    >>> from clsimpact.datasets import load_mpdta
    >>> from clsimpact.decomposition import bacon
    >>> from clsimpact.design import Design
    >>> design = Design(load_mpdta(), outcome="lemp", unit="county", time="year", cohort="first_treat")
    >>> bacon_figure(bacon(design)).title
    '5.4% of the two-way fixed effects weight is on comparisons with groups already treated'
    """
    design, data = found.design, found.tidy()
    title = title or _bacon_title(found)
    subtitle = _bacon_subtitle(design)
    source = design.source if source is None else source
    with style():
        axes, figure = page(ax, title, subtitle, source, right=BACON_EDGES[0], above=BACON_EDGES[1])
        _draw_bacon(axes, found, data)
        if design.simulated:
            mark_simulated(axes)
    return EventStudyFigure(figure, axes, title, subtitle, source, _bacon_words(found, title), data)


def weights_figure(
    found: TwfeWeights, *, title: str | None = None, source: str | None = None, ax: Axes | None = None
) -> EventStudyFigure:
    """Draw the weight of the effect on one treated unit in each period, by cohort, beside equal weights.

    Parameters
    ----------
    found
        What `clsimpact.twfe_weights` returned.
    title
        By default how many effects have negative weights.
    source, ax
        As in `bacon_figure`.

    Returns
    -------
    EventStudyFigure
        ``data`` is ``found.tidy()`` with ``relative``: weight over share, 1 if each treated row counted once.

    Examples
    --------
    >>> from clsimpact.datasets import load_mpdta
    >>> from clsimpact.decomposition import twfe_weights
    >>> from clsimpact.design import Design
    >>> design = Design(load_mpdta(), outcome="lemp", unit="county", time="year", cohort="first_treat")
    >>> weights_figure(twfe_weights(design)).title
    '20 of 291 treated rows enter the two-way fixed effects estimate with a negative weight'
    """
    design, data = found.design, found.tidy()
    data["relative"] = data["weight"] / data["share"]
    title = title or _weights_title(found)
    subtitle = _weights_subtitle(design)
    source = design.source if source is None else source
    with style():
        axes, figure = page(ax, title, subtitle, source, right=WEIGHTS_EDGES[0], above=WEIGHTS_EDGES[1])
        _draw_weights(axes, design, data)
        if design.simulated:
            mark_simulated(axes)
    return EventStudyFigure(figure, axes, title, subtitle, source, _weights_words(data, title), data)


def bacon_axes(found: BaconDecomposition, *, ax: Axes | None = None) -> Axes:
    """Draw on the given axes, or on a new pyplot figure that a notebook shows."""
    words = _bacon_title(found), _bacon_subtitle(found.design)
    return bacon_figure(found, ax=_shown(*words, found.design, BACON_EDGES) if ax is None else ax).axes


def weights_axes(found: TwfeWeights, *, ax: Axes | None = None) -> Axes:
    """Draw on the given axes, or on a new pyplot figure that a notebook shows."""
    words = _weights_title(found), _weights_subtitle(found.design)
    return weights_figure(found, ax=_shown(*words, found.design, WEIGHTS_EDGES) if ax is None else ax).axes


def _shown(title: str, subtitle: str, design: Design, edges: tuple[float, float]) -> Axes:
    import matplotlib.pyplot as plt

    right, above = edges
    with style():
        figure = plt.figure(figsize=SIZE)
        return page(None, title, subtitle, design.source, right=right, above=above, figure=figure)[0]


def _bacon_subtitle(design: Design) -> str:
    unit = f" ({_check.unit_text(design)})" if _check.unit_text(design) else ""
    return (
        f"{design.outcome_label}{unit}: difference in differences of each pair of cohorts, and its weight in "
        f"the coefficient. {_sample(design)}."
    )


def _weights_subtitle(design: Design) -> str:
    return (
        "Weight of the effect on a treated unit and period in the coefficient, by cohort; 1 if all counted "
        f"the same. {design.outcome_label}. {_sample(design)}."
    )


def page(
    ax: Axes | None,
    title: str,
    subtitle: str,
    source: str,
    *,
    right: float,
    above: float,
    figure: Figure | None = None,
) -> tuple[Axes, Figure]:
    """Write the words on a new figure and return axes that leave room for them.

    Parameters
    ----------
    ax
        Axes to use as they are.
    title, subtitle, source
        Words.
    right
        Right edge of the axes, as a share of the width: labels stand beyond it.
    above
        Inches between words and axes.
    figure
        An empty figure of this size; by default a new one.

    Examples
    --------
    >>> axes, figure = page(None, "Title", "Subtitle", "Source", right=0.8, above=0.2)
    >>> len(figure.texts)
    3
    """
    if ax is not None:
        return ax, figure_of(ax)
    figure = Figure(figsize=SIZE) if figure is None else figure
    width, height = SIZE
    y = 1 - 0.2 / height
    for text, size, weight in ((title, TITLE_SIZE, "bold"), (subtitle, TEXT_SIZE, "normal")):
        lines = wrap(text, 0.9 * width, size)
        figure.text(0.03, y, lines, fontsize=size, fontweight=weight, va="top", ha="left", linespacing=1.3)
        y -= (lines.count("\n") + 1) * size * 1.45 / 72 / height + 0.06 / height
    foot = wrap(source, 0.94 * width, TEXT_SIZE - 1)
    figure.text(
        0.03, 0.12 / height, foot, fontsize=TEXT_SIZE - 1, color=DARK_GREY, va="bottom", linespacing=1.3
    )
    below = (foot.count("\n") + 1) * (TEXT_SIZE - 1) * 1.45 / 72 if foot else 0.0
    bottom = (below + 0.85) / height
    return figure.add_axes((0.1, bottom, right - 0.1, y - above / height - bottom)), figure


def _sample(design: Design) -> str:
    place = "England, " if design.unit == "ons_code" else ""
    words = _check.plural(len(design.units), _check.unit_word(design))
    return f"{place}{words} ({design.n_treated} treated), {_check.period_words(design)}"


def _bacon_title(found: BaconDecomposition) -> str:
    label = "the two-way fixed effects weight is on comparisons with groups already treated"
    if found.forbidden == 0:
        return f"None of {label}"
    return f"{found.forbidden:.1%} of {label}" if found.forbidden < ALMOST_ALL else f"All of {label}"


def _weights_title(found: TwfeWeights) -> str:
    if found.n_negative == 0:
        return "No effect enters the two-way fixed effects estimate with a negative weight"
    verb = "enters" if found.n_treated_rows == 1 else "enter"
    return (
        f"{found.n_negative} of {found.n_treated_rows} treated rows {verb} the two-way fixed effects "
        "estimate with a negative weight"
    )


def _bacon_words(found: BaconDecomposition, title: str) -> str:
    parts = [
        f"{row['type']}: {_check.plural(row['comparisons'], 'comparison')}, weight {row['weight']:.1%}, mean "
        f"{_check.number(row['estimate'])}"
        for row in found.by_type().to_dict("records")
    ]
    return (
        f"Scatter chart of {_check.plural(len(found.comparisons), 'two-by-two comparison')}, estimate "
        f"against weight. {title}. {'; '.join(parts)}. Line at the coefficient, "
        f"{_check.number(found.coefficient)}."
    )


def _weights_words(data: pd.DataFrame, title: str) -> str:
    parts = []
    for cohort, rows in data.groupby("cohort", sort=True):
        each = (f"{_check.number(w)} in {t}" for w, t in zip(rows["relative"], rows["period"], strict=True))
        parts.append(f"Cohort {cohort}: {', '.join(each)}")
    return f"Line chart of relative weights by period and cohort. {title}. {'. '.join(parts)}."


def _draw_bacon(ax: Axes, found: BaconDecomposition, data: pd.DataFrame) -> None:
    clean_axes(ax)
    ax.axhline(0, color=DARK_GREY, linewidth=1.2, zorder=1)
    for marker, kind in zip(MARKERS, TYPES, strict=False):
        rows = data[data["type"] == kind]
        if rows.empty:
            continue
        ax.plot(
            rows["weight"],
            rows["estimate"],
            marker,
            color=COLOURS[kind],
            markersize=9,
            markeredgecolor="white",
            label=f"{LABELS.get(kind, kind)}: {rows['weight'].sum():.1%}",
            zorder=3,
            clip_on=False,
        )
    widest = float(data["weight"].max())
    ax.set_xlim(-0.02 * widest, 1.08 * widest)  # room for a marker of almost no weight
    ax.margins(y=0.16)
    ax.axhline(found.coefficient, color=DARK_GREY, linewidth=1.6, linestyle=(0, (5, 3)), zorder=2)
    ax.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.3g}%")
    ax.set_xlabel("Weight in the two-way fixed effects coefficient", fontsize=TEXT_SIZE, labelpad=8)
    ax.annotate(
        f"estimate\n{_check.number(found.coefficient)}".replace("-", "\u2212"),
        (1, found.coefficient),
        (6, 0),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        va="center",
        fontsize=TEXT_SIZE,
    )
    _name_heaviest(ax, data)
    ax.legend(
        loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=2, frameon=False, fontsize=TEXT_SIZE - 1,
        handletextpad=0.2, columnspacing=1.2, borderaxespad=0.1,
    )  # fmt: skip


def _name_heaviest(ax: Axes, data: pd.DataFrame) -> None:
    """Write the pair beside its point, on a side where it covers no other point or name."""
    (left, right), (low, high) = ax.get_xlim(), ax.get_ylim()
    x = (data["weight"].to_numpy(dtype=float) - left) / (right - left)
    y = (data["estimate"].to_numpy(dtype=float) - low) / (high - low)
    taken = list(zip(x, x, y, strict=True))
    for at, (own, other) in enumerate(zip(data["treated"], data["comparison"], strict=True)):
        text = f"{own} vs {other}"
        wide = GLYPH * len(text)
        for side, start in (("left", x[at] + GLYPH), ("right", x[at] - GLYPH - wide)):
            box = (start, start + wide, y[at])
            others = [held for held in taken if held != (x[at], x[at], y[at])]
            clear = all(b < box[0] or a > box[1] or abs(h - y[at]) > ROOM for a, b, h in others)
            if clear and start > 0 and start + wide < 1:
                taken.append(box)
                _name(ax, text, float(data["weight"].iloc[at]), float(data["estimate"].iloc[at]), side)
                break
        if at + 1 == LABELLED:
            return


def _name(ax: Axes, text: str, x: float, y: float, side: str) -> None:
    ax.annotate(
        text,
        (x, y),
        (12 if side == "left" else -12, 0),
        textcoords="offset points",
        ha=side,
        va="center",
        fontsize=TEXT_SIZE - 1,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6},
        zorder=2.5,
    )


def _draw_weights(ax: Axes, design: Design, data: pd.DataFrame) -> None:
    clean_axes(ax)
    for level in (0.0, 1.0):
        ax.axhline(
            level, color=DARK_GREY, linewidth=1.2, linestyle="-" if level == 0 else (0, (4, 3)), zorder=1
        )
    ends = [(0.0, "0: no weight", DARK_GREY), (1.0, "1: equal weight", DARK_GREY)]
    for at, (cohort, rows) in enumerate(data.groupby("cohort", sort=True)):
        colour, marker = PALETTE[at % len(PALETTE)], MARKERS[at % len(MARKERS)]
        ax.plot(rows["period"], rows["relative"], "-", color=colour, linewidth=1.8, zorder=2)
        below = rows["relative"].to_numpy() < 0
        for chosen, inside in ((~below, colour), (below, "white")):
            ax.plot(
                rows["period"].to_numpy()[chosen],
                rows["relative"].to_numpy()[chosen],
                marker,
                color=colour,
                markerfacecolor=inside,
                markeredgewidth=1.8,
                markersize=9,
                zorder=3,
                clip_on=False,
            )
        ends.append((float(rows["relative"].iloc[-1]), f"cohort {cohort}", colour))
    times = sorted(int(t) for t in data["period"].unique())
    shown = times[:: 1 + len(times) // 12]
    ax.set_xticks(shown, [str(t) for t in shown])
    ax.set_xlim(times[0] - 0.4, times[-1] + 0.4)
    ax.margins(y=0.1)
    word = "Year" if "year" in design.time.lower() else "Period"
    open_points = " (open points: negative weight)" if (data["relative"] < 0).any() else ""
    ax.set_xlabel(f"{word}{open_points}", fontsize=TEXT_SIZE, labelpad=8)
    _beside(ax, ends)


def _beside(ax: Axes, ends: list[tuple[float, str, str]]) -> None:
    """Write labels to the right of the axes, moved apart where they would touch."""
    low, high = ax.get_ylim()
    gap = ROOM * (high - low) * 1.35
    wanted = sorted(ends)
    places = np.array([end[0] for end in wanted])
    for i in range(1, places.size):
        places[i] = max(places[i], places[i - 1] + gap)
    over = max(places[-1] - high, 0.0)
    places = places - np.minimum(over, np.maximum(places - (low + gap * np.arange(places.size)), 0.0))
    for place, (value, name, colour) in zip(places, wanted, strict=True):
        ax.annotate(
            name,
            (1, value),
            (1.03, place),
            xycoords=("axes fraction", "data"),
            textcoords=("axes fraction", "data"),
            va="center",
            fontsize=TEXT_SIZE,
            color=colour if colour != DARK_GREY else "black",
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": DARK_GREY, "linewidth": 0.7, "shrinkA": 0, "shrinkB": 2},
        )
