"""Estimators side by side: their paths by event time, and below them their overall effects as the key."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from numpy.typing import NDArray

from clsimpact import _agreement, _check
from clsimpact._comparison_words import Entry
from clsimpact.plots._comparison_text import (
    all_numbers,
    alt,
    count_span,
    factor,
    foot,
    minus,
    shown_unit,
    subtitle_of,
)
from clsimpact.plots._figure import EventStudyFigure
from clsimpact.plots._page import MARGIN, Page, figure_of, page, write_zero
from clsimpact.plots.style import DARK_GREY, PALETTE, TEXT_SIZE, clean_axes, mark_simulated, style

if TYPE_CHECKING:
    from clsimpact.comparison import Comparison

__all__ = ["comparison_figure", "plot_axes"]

WIDTH, PATH, ROW = 10.0, 4.0, 0.34
"""Inches: the page, the height of the paths, and of one row of the key."""

GLYPH = 0.56 * TEXT_SIZE / 72
"""Mean width of a letter in inches."""

LABEL = 28
"""Letters of a label on one line of the key."""

MOST_TICKS = 16
"""With more event times than this, not every one is named."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*")
BAND = "#F3F3F3"
"""Ground behind every second event time, so that points beside each other read as one group."""

ROOM = 0.74
"""Part of the distance between event times that the points of one of them take up."""


@dataclass(frozen=True)
class Look:
    """Colour and marker of one estimate; markers differ, so that a grey print can tell them."""

    colour: str
    marker: str
    filled: bool

    def marks(self, size: float) -> dict[str, Any]:
        """Arguments of its points."""
        inside = self.colour if self.filled else "white"
        more = {"markersize": size * (1.25 if self.marker in "*PX" else 1.0), "markeredgewidth": 1.4}
        return {"marker": self.marker, "color": self.colour, "markerfacecolor": inside, **more}


def looks(count: int) -> list[Look]:
    """Return a look for each estimate; from the seventh on colours return, with open markers."""
    return [Look(PALETTE[i % 6], MARKERS[i], i < 6) for i in range(count)]


def comparison_figure(
    comparison: Comparison,
    *,
    title: str | None = None,
    subtitle: str | None = None,
    source: str | None = None,
    ax: Axes | None = None,
) -> EventStudyFigure:
    """Draw estimates of one effect side by side.

    Above, effects by event time, estimates beside each other in the order of the key; below, a row per
    estimate with its overall effect, which is the key to colours and markers. Intervals of one treated unit
    are not drawn; what is not identified is left as a gap and said below.

    Parameters
    ----------
    comparison
        From `clsimpact.compare`.
    title, subtitle, source
        By default computed from the numbers: the range of the overall effects and how many intervals exclude
        zero; the measure, sample and intervals; the differences that matter, and the source of the data.
    ax
        Axes for the paths alone, with a legend; without it a new figure.

    Returns
    -------
    EventStudyFigure

    Examples
    --------
    >>> from clsimpact.comparison import compare
    >>> from clsimpact.datasets import example_design
    >>> from clsimpact.estimators import event_study, twfe
    >>> both = compare([twfe(example_design()), event_study(example_design())])
    >>> comparison_figure(both).title
    'Teen employment 0.0365 to 0.0714 log points lower after adoption by 2 estimators; both intervals
    exclude zero'
    """
    entries = _sorted(comparison)
    title = title or _agreement.headline(entries)
    subtitle = subtitle or subtitle_of(entries)
    said = entries[0].fit.design.source if source is None else source
    source = f"{foot(comparison)}\n{said}".strip()
    words = alt(comparison, title)
    if ax is not None:
        whole = figure_of(ax)
        with style():
            _paths(ax, entries)
            ax.legend(frameon=False, fontsize=TEXT_SIZE - 1)
        return EventStudyFigure(whole, ax, title, subtitle, source, words, comparison.tidy())
    several = any(entry.path is not None for entry in entries)
    with style():
        made = _page(Figure, entries, title, subtitle, source)
        axes = _fill(made, entries, several)
    return EventStudyFigure(made.figure, axes, title, subtitle, source, words, comparison.tidy())


def plot_axes(comparison: Comparison, *, ax: Axes | None = None) -> Axes:
    """Draw on the given axes, or on a new pyplot figure that a notebook shows.

    Examples
    --------
    >>> from clsimpact.comparison import compare
    >>> from clsimpact.datasets import example_design
    >>> from clsimpact.estimators import event_study, twfe
    >>> both = compare([twfe(example_design()), event_study(example_design())])
    >>> plot_axes(both, ax=Figure().add_subplot()).get_xlabel()
    'Years since adoption (below: number of treated units behind the estimates)'
    """
    if ax is not None:
        return comparison_figure(comparison, ax=ax).axes
    import matplotlib.pyplot as plt

    entries = _sorted(comparison)
    source = f"{foot(comparison)}\n{entries[0].fit.design.source}".strip()
    with style():
        made = _page(plt.figure, entries, _agreement.headline(entries), subtitle_of(entries), source)
        return _fill(made, entries, any(entry.path is not None for entry in entries))


def _sorted(comparison: Comparison) -> tuple[Entry, ...]:
    """Return the entries with those together whose overall effects weigh alike."""
    order = list(dict.fromkeys(entry.weighing for entry in comparison.entries))
    return tuple(sorted(comparison.entries, key=lambda entry: order.index(entry.weighing)))


def _lines(entries: tuple[Entry, ...]) -> list[float]:
    """Return the place of each row of the key: half a row of room stands above each group's heading."""
    place, out, last = -1.0, [], entries[0].weighing
    several = len({entry.weighing for entry in entries}) > 1
    for i, entry in enumerate(entries):
        new = several and (i == 0 or entry.weighing != last)
        place += 1.0 + (1.15 if new and i else 1.0 if new else 0.0)
        last = entry.weighing
        out.append(place)
    return out


def _broken(label: str) -> list[str]:
    return textwrap.wrap(label, LABEL) or [""]


def _pitch(entries: tuple[Entry, ...]) -> float:
    """Return the height of a row in inches: more where a label takes several lines."""
    return ROW + 0.24 * (max(len(_broken(entry.label)) for entry in entries) - 1)


def _page(maker: Any, entries: tuple[Entry, ...], title: str, subtitle: str, source: str) -> Page:
    several = any(entry.path is not None for entry in entries)
    body = (PATH + 1.15 if several else 0.0) + _pitch(entries) * (_lines(entries)[-1] + 1) + 0.95
    return page(maker, WIDTH, body, title, subtitle, source)


def _fill(made: Page, entries: tuple[Entry, ...], several: bool) -> Axes:
    """Draw paths and key into the room between the words."""
    rows = _pitch(entries) * (_lines(entries)[-1] + 1) + 0.1
    low = made.bottom + 0.5
    left = 0.75 + GLYPH * max(len(line) for entry in entries for line in _broken(entry.label))
    right = 0.4 + GLYPH * max(len(text) for text in all_numbers(entries))
    key = made.axes(left, low, WIDTH - left - right, rows)
    _key(key, entries)
    if not several:
        if entries[0].fit.design.simulated:
            mark_simulated(key)
        return key
    ax = made.axes(0.85, low + rows + 1.2, WIDTH - 2.1, made.top - low - rows - 1.3)
    _paths(ax, entries)
    return ax


def _key(ax: Axes, entries: tuple[Entry, ...]) -> None:
    """Draw the overall effects, one row each, with name and numbers."""
    clean_axes(ax)
    ax.grid(visible=False)
    lines = _lines(entries)
    ax.set_ylim(lines[-1] + 0.6, -0.6)
    ax.vlines(0, lines[-1] + 0.6, lines[0] - 0.6, color=DARK_GREY, linewidth=1.2, zorder=1)
    ax.set_yticks([])
    _headings(ax, entries, lines)
    for i, entry, look, text in zip(lines, entries, looks(len(entries)), all_numbers(entries), strict=True):
        row = entry.overall.iloc[0]
        usable = bool(_agreement.usable(entry.overall, entry.fit.design).iloc[0])
        ax.plot([-0.035], [i], transform=ax.get_yaxis_transform(), clip_on=False, **look.marks(8))
        _beside(ax, i, "\n".join(_broken(entry.label)), -0.065, "right")
        _beside(ax, i, text, 1.03, "left")
        if row["identified"]:
            if usable:
                ax.plot([row["conf_low"], row["conf_high"]], [i, i], color=look.colour, linewidth=2)
            ax.plot([row["estimate"]], [i], **look.marks(8), zorder=3)
    unit = shown_unit(entries[0].fit.design)
    _in_points(ax.xaxis, entries)
    ax.set_xlabel(f"Overall effect of adoption{f', {unit}' if unit else ''}", fontsize=TEXT_SIZE, labelpad=4)
    ax.locator_params(axis="x", nbins=5)


def _in_points(axis: Axis, entries: tuple[Entry, ...]) -> None:
    """Label the axis of proportions in percentage points, as the title and the numbers of the key are."""
    scale = factor(entries[0].fit.design)
    if scale != 1:
        axis.set_major_formatter(lambda value, _: minus(f"{round(scale * value, 6) + 0.0:g}"))


def _headings(ax: Axes, entries: tuple[Entry, ...], lines: list[float]) -> None:
    """Write above each group how its overall effects weigh."""
    if len({entry.weighing for entry in entries}) < 2:
        return
    left = ax.get_position().x0 * WIDTH
    inch = 1 / (ax.get_position().width * WIDTH)
    last = ""
    for entry, line in zip(entries, lines, strict=True):
        if entry.weighing != last:
            words = f"{entry.weighing[0].upper()}{entry.weighing[1:]}:"
            at = (MARGIN - left) * inch
            ground = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
            _beside(ax, line - 1, words, at, "left", color=DARK_GREY, bbox=ground)
        last = entry.weighing


def _beside(ax: Axes, row: float, text: str, at: float, side: str, **more: Any) -> None:
    where = ax.get_yaxis_transform()
    ax.text(at, row, text, transform=where, ha=side, va="center", fontsize=TEXT_SIZE, **more)


def _paths(ax: Axes, entries: tuple[Entry, ...]) -> None:
    design = entries[0].fit.design
    clean_axes(ax)
    if design.simulated:
        mark_simulated(ax)
    write_zero(ax)
    held = [(entry, look) for entry, look in zip(entries, looks(len(entries)), strict=True) if entry.path]
    events = np.array(sorted({int(e) for entry, _ in held for e in entry.rows["event_time"]}))
    for e in events[::2]:
        ax.axvspan(e - 0.5, e + 0.5, color=BAND, linewidth=0, zorder=0)
    step = ROOM / max(len(held), 1)
    size = float(np.clip(72 * (WIDTH - 2.1) / (events[-1] - events[0] + 1) * step * 0.8, 3.5, 8))
    for j, (entry, look) in enumerate(held):
        _one(ax, entry, look, (j - (len(held) - 1) / 2) * step, size)
    _in_points(ax.yaxis, entries)
    ax.set_xlim(events[0] - 0.5, events[-1] + 0.5)
    ax.margins(y=0.08)
    _ticks(ax, [entry for entry, _ in held], events)
    if events[0] < 0 <= events[-1]:
        _adoption(ax)


def _one(ax: Axes, entry: Entry, look: Look, shift: float, size: float) -> None:
    rows = entry.rows
    x = rows["event_time"].to_numpy(dtype=float) + shift
    y, low, high = (rows[name].to_numpy(dtype=float) for name in ("estimate", "conf_low", "conf_high"))
    good: NDArray[np.bool_] = rows["identified"].to_numpy(dtype=bool)
    bars = _agreement.usable(rows, entry.fit.design).to_numpy(dtype=bool)
    zero = np.isin(rows["event_time"].to_numpy(dtype=float), entry.references)
    ax.vlines(x[bars], low[bars], high[bars], color=look.colour, linewidth=2 if size > 5 else 1.4, zorder=2)
    ax.plot(x[good], y[good], linestyle="none", label=entry.label, zorder=3, **look.marks(size))
    ax.plot(x[zero], np.zeros(zero.sum()), ".", color=DARK_GREY, markersize=4, zorder=3)


def _ticks(ax: Axes, held: list[Entry], events: NDArray[np.int64]) -> None:
    """Name the event times, with the treated units behind them: a range where estimates differ."""
    inches = (WIDTH - 2.1) / (events[-1] - events[0] + 1)
    shown = events[:: -(-len(events) // MOST_TICKS)]
    spans = [count_span(_counts(held, int(e))) for e in shown]
    narrow = max(map(len, spans)) * GLYPH > 0.8 * inches
    broken = [text.replace("–", "–\n") if narrow else text for text in spans]
    ax.set_xticks(shown, [f"{minus(str(e))}\n{text}" for e, text in zip(shown, broken, strict=True)])
    design = held[0].fit.design
    period = "Years" if "year" in design.time.lower() else "Periods"
    under = f"below: number of treated {_check.unit_word(design)}s behind the estimates"
    ax.set_xlabel(f"{period} since adoption ({under})", fontsize=TEXT_SIZE, labelpad=6)


def _counts(held: list[Entry], event: int) -> list[int]:
    found: list[int] = []
    for entry in held:
        rows = entry.rows[(entry.rows["event_time"] == event) & entry.rows["n_units"].notna()]
        found += [int(n) for n in rows.loc[rows["identified"] | rows["estimate"].eq(0), "n_units"]]
    return found


def _adoption(ax: Axes) -> None:
    low, high = ax.get_ylim()
    ax.set_ylim(low, high + 0.1 * (high - low))
    ax.axvline(-0.5, color=DARK_GREY, linewidth=1.2, linestyle=(0, (4, 3)), zorder=1)
    ax.annotate(
        "adoption", (-0.5, 1), (6, -2), xycoords=("data", "axes fraction"), textcoords="offset points",
        va="top", fontsize=TEXT_SIZE - 1,
    )  # fmt: skip
