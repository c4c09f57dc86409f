"""Each adopter's path beside the mean of the comparison councils: the raw data behind an effect."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from clsimpact._check import number
from clsimpact._input import is_made_up, marked
from clsimpact.errors import PanelError, did_you_mean
from clsimpact.plots._figure import EventStudyFigure
from clsimpact.plots.style import DARK_GREY, PALETTE, TEXT_SIZE, clean_axes, mark_simulated, style, wrap
from clsimpact.years import year_label

__all__ = ["trends_figure"]

_SIZE = (10.0, 7.0)
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
_ORDER = (0, 2, 3, 1, 5)
_STILL = 0.005
"""A change that rounds to nothing is not called a rise or a fall."""

CONTROLS = "Comparison councils (mean)"
"""Name of their series in the data of the figure."""


def trends_figure(tagged: pd.DataFrame, outcome: str) -> EventStudyFigure:
    """Draw the outcome of every adopter and the mean of the comparison councils by year.

    Parameters
    ----------
    tagged
        A panel from :func:`clsimpact.tag_adoption`.
    outcome
        Which column.

    Returns
    -------
    EventStudyFigure
        The axis is true to time: years without figures keep their place. Filled markers are treated years.

    Raises
    ------
    PanelError
        If the panel has no such column or was not tagged, or holds too few figures to show a change.

    Examples
    --------
    >>> import clsimpact as ci
    >>> tagged = ci.tag_adoption(ci.load_panel(), ci.load_adoption())
    >>> trends_figure(tagged, "gce_per_adult").data["series"].nunique()
    6
    """
    _require(tagged, outcome)
    facts = dict(tagged.attrs.get("columns", {}).get(outcome, {"label": outcome, "unit": ""}))
    made_up = is_made_up(tagged)
    facts["label"] = marked(facts["label"], made_up=made_up)
    data = _data(tagged, outcome)
    title, subtitle = _title(data, facts), _subtitle(data, facts)
    source = str(tagged.attrs.get("source_line", ""))
    figure = Figure(figsize=_SIZE)
    with style():
        axes = _layout(figure, title, subtitle, source)
        _draw(axes, data)
        if made_up:
            mark_simulated(axes)
    return EventStudyFigure(figure, axes, title, subtitle, source, _alt_text(data, facts, title), data)


def _require(tagged: pd.DataFrame, outcome: str) -> None:
    lacking = [name for name in (outcome, "adoption_year", "treated", "name") if name not in tagged]
    if lacking:
        near = did_you_mean(lacking[0], [str(name) for name in tagged.columns])
        raise PanelError(
            f"The panel has no column {lacking[0]!r}{near}.", repair="Use tag_adoption(load_panel(), ...)."
        )
    held = tagged[tagged[outcome].notna()]
    adopter = held["adoption_year"].notna()
    problems = [] if adopter.any() else ["no adopter has figures"]
    if held.loc[~adopter, "year"].nunique() < 2:
        years = ", ".join(year_label(int(year)) for year in sorted(held.loc[~adopter, "year"].unique()))
        problems.append(f"comparison councils have figures for {years or 'no year'} only")
    if problems:
        raise PanelError(
            f"The trends of {outcome!r} cannot be drawn.",
            problems,
            repair="clsimpact.describe() says which years each outcome has.",
        )


def _data(tagged: pd.DataFrame, outcome: str) -> pd.DataFrame:
    held = tagged[tagged[outcome].notna()]
    control = held[held["adoption_year"].isna()].groupby("year")[outcome].agg(["mean", "count"]).reset_index()
    adopters = held[held["adoption_year"].notna()].sort_values(["adoption_year", "name", "year"])
    mean = {
        "series": [CONTROLS] * len(control),
        "year": control["year"].tolist(),
        "value": control["mean"].tolist(),
        "councils": control["count"].tolist(),
        "adoption_year": [pd.NA] * len(control),
        "treated": [0] * len(control),
    }
    own = {
        "series": adopters["name"].tolist(),
        "year": adopters["year"].tolist(),
        "value": adopters[outcome].tolist(),
        "councils": [1] * len(adopters),
        "adoption_year": adopters["adoption_year"].tolist(),
        "treated": adopters["treated"].tolist(),
    }
    data = pd.DataFrame({name: [*mean[name], *own[name]] for name in mean})
    types = {"series": "string", "year": "int64", "value": "float64", "councils": "int64", "treated": "int64"}
    return data.astype({**types, "adoption_year": "Int64"})


def _changes(data: pd.DataFrame) -> tuple[float, list[float]]:
    """Return the relative change of the comparison mean, and of each adopter with figures in both years."""
    control = data[data["adoption_year"].isna()].set_index("year")["value"]
    first, last = control.index.min(), control.index.max()
    adopters = data[data["adoption_year"].notna()].pivot_table(index="series", columns="year", values="value")
    both = adopters.reindex(columns=[first, last]).dropna()
    return float(control[last] / control[first] - 1), [
        float(row[last] / row[first] - 1) for _, row in both.iterrows()
    ]


def _title(data: pd.DataFrame, facts: Mapping[str, str]) -> str:
    """State the change among comparison councils, and how many adopters changed further the same way."""
    mean, own = _changes(data)
    years = data.loc[data["adoption_year"].isna(), "year"]
    span = f"in comparison councils from {year_label(int(years.min()))} to {year_label(int(years.max()))}"
    if abs(mean) < _STILL:
        moved, further = f"changed by less than 1% {span}", sum(change >= _STILL for change in own)
        return f"{facts['label']} {moved}; it rose in {_count(further, len(own))}"
    word = "rose" if mean > 0 else "fell"
    further = sum(change > mean if mean > 0 else change < mean for change in own)
    return (
        f"{facts['label']} {word} by {abs(mean):.0%} {span}; it {word} by more in {_count(further, len(own))}"
    )


def _count(some: int, of: int) -> str:
    return f"{some or 'none'} of {of} adopter{'' if of == 1 else 's'}"


def _subtitle(data: pd.DataFrame, facts: Mapping[str, str]) -> str:
    n = int(data.loc[data["adoption_year"].isna(), "councils"].max())
    unit = f"{facts['unit'][0].upper()}{facts['unit'][1:]}. " if facts["unit"] else ""
    return (
        f"{unit}England, mean of {n} comparison councils and each adopter, in years with figures. "
        "Filled: adoption year and after."
    )


def _alt_text(data: pd.DataFrame, facts: Mapping[str, str], title: str) -> str:
    parts = []
    for name, rows in data.groupby("series", sort=False):
        year = rows["adoption_year"].iloc[0]
        adopted = "" if pd.isna(year) else f", adopted {year_label(int(year))}"
        ends = rows.sort_values("year").iloc[[0, -1]]
        pairs = zip(ends["value"], ends["year"], strict=True)
        words = [f"{number(value)} in {year_label(year)}" for value, year in pairs]
        parts.append(f"{name}{adopted}: {', '.join(words)}")
    unit = f" ({facts['unit']})" if facts["unit"] else ""
    return f"Line chart of {facts['label']}{unit} by year. {title}. {'; '.join(parts)}."


def _layout(figure: Figure, title: str, subtitle: str, source: str) -> Axes:
    figure.text(0.03, 0.975, wrap(title, 9.0, 17), fontsize=17, fontweight="bold", va="top", linespacing=1.3)
    lines = wrap(title, 9.0, 17).count("\n") + 1
    figure.text(0.03, 0.965 - 0.052 * lines, wrap(subtitle, 9.4, 13), fontsize=13, va="top", linespacing=1.3)
    below = wrap(subtitle, 9.4, 13).count("\n") + 1
    figure.text(0.03, 0.015, wrap(source, 9.4, 12), fontsize=12, color=DARK_GREY, va="bottom")
    top = 0.945 - 0.052 * lines - 0.038 * below
    return figure.add_axes((0.07, 0.13, 0.68, top - 0.13))


def _draw(ax: Axes, data: pd.DataFrame) -> None:
    clean_axes(ax)
    ends: list[tuple[float, float, str]] = []
    for index, (name, rows) in enumerate(data.groupby("series", sort=False)):
        ordered = rows.sort_values("year")
        year, value = (float(ordered[key].iloc[-1]) for key in ("year", "value"))
        if name == CONTROLS:
            _line(ax, ordered, colour=DARK_GREY, marker="o", control=True)
            ends.append((year, value, "Comparison mean"))
        else:
            colour = PALETTE[_ORDER[(index - 1) % len(_ORDER)]]
            _line(ax, ordered, colour=colour, marker=_MARKERS[(index - 1) % len(_MARKERS)], control=False)
            ends.append((year, value, f"{name} ({year_label(int(ordered['adoption_year'].iloc[0]))})"))
    years = sorted(int(year) for year in data["year"].unique())
    _direct_labels(ax, ends, years[-1] + 0.42)
    ax.set_xticks(years, [year_label(year) for year in years])
    ax.set_xlim(years[0] - 0.3, years[-1] + 0.3)


def _line(ax: Axes, rows: pd.DataFrame, *, colour: str, marker: str, control: bool) -> None:
    """Draw one series: comparison councils as a heavy line, an adopter dashed with its own marker."""
    x, y = rows["year"].to_numpy(dtype=float), rows["value"].to_numpy(dtype=float)
    ax.plot(
        x,
        y,
        color=colour,
        linewidth=3.5 if control else 1.8,
        linestyle="-" if control else (0, (5, 1.5)),
        zorder=2,
    )
    filled = rows["treated"].eq(1).to_numpy(dtype=bool) | control
    for chosen, inside in ((filled, colour), (~filled, "white")):
        ax.plot(
            x[chosen],
            y[chosen],
            linestyle="none",
            marker=marker,
            markersize=6 if control else 8,
            color=colour,
            markerfacecolor=inside,
            markeredgewidth=1.6,
            zorder=3,
        )


def _direct_labels(ax: Axes, ends: list[tuple[float, float, str]], beside: float) -> None:
    """Write each series' name beside its last point, moved apart where they would touch."""
    low, high = ax.get_ylim()
    gap = 0.062 * (high - low)
    place = -np.inf
    for year, value, name in sorted(ends, key=lambda end: end[1]):
        place = max(value, place + gap)
        ax.annotate(
            name,
            (year, value),
            xytext=(beside, place),
            fontsize=TEXT_SIZE,
            va="center",
            annotation_clip=False,
            arrowprops={
                "arrowstyle": "-",
                "color": DARK_GREY,
                "linewidth": 0.7,
                "shrinkA": 0,
                "shrinkB": 4,
            },
        )
