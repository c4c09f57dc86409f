"""Spending by type of care: adopters beside comparison councils, by year."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from clsimpact._check import number, plural
from clsimpact._input import is_made_up
from clsimpact.errors import PanelError
from clsimpact.plots._adoption import period, require, source_of
from clsimpact.plots._figure import EventStudyFigure
from clsimpact.plots._page import page
from clsimpact.plots._spending import TYPES, spending_by_type
from clsimpact.plots.style import DARK_GREY, PALETTE, TEXT_SIZE, clean_axes, mark_simulated, style
from clsimpact.years import spans, year_label

__all__ = ["spending_types_figure"]

WIDTH, HIGH, TITLE, LEFT, BESIDE = 10.0, 1.45, 0.45, 0.75, 2.35
"""Inches: the page, a chart, the room of its title, of its scale, and of the labels beside it."""

LOOKS = {"Adopters": (PALETTE[0], "-", "o", True), "Comparison": (PALETTE[3], (0, (5, 1.5)), "s", False)}
"""Colour, line, marker, and whether it is filled."""

GAP, STILL = 0.17, 0.005
"""Least distance of two labels as a share of the scale; a change that rounds to nothing is none."""


def spending_types_figure(returns: pd.DataFrame, tagged: pd.DataFrame) -> EventStudyFigure:
    """Draw gross current expenditure per adult by type of care: adopters beside comparison councils.

    The same areas are drawn in every year; figures of councils that were merged are summed. Long and short
    term support are published by age in every year; *other* is the rest of the total (social support,
    equipment, information, commissioning), which has no age. A year with a total and without types is not
    drawn, and the figure says so.

    Parameters
    ----------
    returns
        The returns that the panel was built from, such as :func:`clsimpact.load_returns` gives.
    tagged
        A panel from :func:`clsimpact.tag_adoption`.

    Returns
    -------
    EventStudyFigure
        Its ``data``: ``type, group, year, value, areas`` (£ per adult at the prices of 2021-22, means of
        areas). Every chart begins at zero and has a scale of its own.

    Raises
    ------
    PanelError
        If the panel was not tagged or lacks a column, if the returns are not those of the panel, or if they
        hold no types of spending for an adopter and a comparison council.

    Examples
    --------
    >>> import clsimpact as ci
    >>> tagged = ci.tag_adoption(ci.load_panel(), ci.load_adoption())
    >>> made = spending_types_figure(ci.load_returns(), tagged)
    >>> made.data["year"].unique().tolist()
    [2014, 2016, 2017, 2020, 2021]
    """
    needed = ("ons_code", "year", "adoption_year", "gce", "gce_real", "population_18_plus")
    require(tagged, needed, "figure of spending by type")
    made_up = is_made_up(tagged)
    areas, lacking = spending_by_type(returns, tagged)
    data = _data(areas)
    title, subtitle = _title(data), _subtitle(data)
    title = f"SIMULATED: {title}" if made_up else title
    first = int(areas["adoption_year"].min())
    note = _note(lacking, first, data)
    source = "\n".join(filter(None, [note, source_of(tagged, made_up=made_up)]))
    with style():
        sheet = page(Figure, WIDTH, len(TYPES) * (HIGH + TITLE) + 0.45, title, subtitle, source)
        charts: list[Axes] = []
        for i, name in enumerate(TYPES):
            low = sheet.top - (i + 1) * (HIGH + TITLE) + 0.05
            ax = sheet.axes(LEFT, low, WIDTH - 0.3 - LEFT - BESIDE, HIGH)
            charts.append(ax)
            _draw(ax, data[data["type"].eq(name)], name, first, last=i == len(TYPES) - 1)
            if made_up:
                mark_simulated(ax)
                ax.texts[-1].set(fontsize=34, rotation=8)
    return EventStudyFigure(sheet.figure, charts[0], title, subtitle, source, _alt(data, title), data)


def _data(areas: pd.DataFrame) -> pd.DataFrame:
    group = np.where(areas["adoption_year"].notna(), *LOOKS)
    if set(group) != set(LOOKS):
        have = " and ".join(sorted(map(str, set(group)))).lower() or "nobody"
        raise PanelError(
            f"Spending by type is held in every year for {have} only.",
            repair="Use returns and panel of all councils.",
        )
    long = areas.assign(group=group).melt(
        id_vars=["group", "year"], value_vars=list(TYPES), var_name="type", value_name="value"
    )
    means = long.groupby(["type", "group", "year"])["value"].agg(["mean", "size"])
    index = [(name, who, year) for name in TYPES for who in LOOKS for year in sorted(areas["year"].unique())]
    data = means.reindex(index).reset_index().rename(columns={"mean": "value", "size": "areas"})
    return data.astype({"year": "int64", "areas": "int64"})


def _ends(data: pd.DataFrame, name: str, group: str) -> tuple[float, float]:
    values = data.loc[data["type"].eq(name) & data["group"].eq(group), "value"]
    return float(values.iloc[0]), float(values.iloc[-1])


def _title(data: pd.DataFrame) -> str:
    """State how spending on long term support changed in both groups."""
    if data["year"].min() == data["year"].max():
        mine, others = (_ends(data, TYPES[0], group)[0] for group in LOOKS)
        return (
            f"Adopters spent £{mine:,.0f} per adult on long term support, comparison councils £{others:,.0f}"
        )
    changes = [end / start - 1 for start, end in (_ends(data, TYPES[0], group) for group in LOOKS)]
    words = [
        f"{_moved(change)} in {who}"
        for change, who in zip(changes, ("adopters", "comparison councils"), strict=True)
    ]
    verb = _moved(changes[0]).split(" by ")[0]
    joined = " and ".join([words[0], words[1].removeprefix(f"{verb} ")])
    return f"Long term spending per adult {joined}"


def _moved(change: float) -> str:
    if abs(change) < STILL:
        return "changed by less than 1%"
    return f"{'rose' if change > 0 else 'fell'} by {abs(change):.0%}"


def _subtitle(data: pd.DataFrame) -> str:
    n = data.drop_duplicates("group").set_index("group")["areas"]
    return (
        "Gross current expenditure on adult social care by type, £ per adult at 2021-22 prices, mean of "
        f"areas. England, {plural(int(n['Adopters']), 'adopter')} and {n['Comparison']} comparison councils, "
        f"the same in every year with figures, {period(data['year'])}. Scales differ."
    )


def _note(lacking: list[int], first: int, data: pd.DataFrame) -> str:
    drawn = data["year"]
    parts = [f"Not drawn, as the types are not held: {spans(lacking)}."] if lacking else []
    if drawn.min() < first <= drawn.max():
        parts.append("Dashed line: the first adoption.")
    parts.append("Other: social support, equipment, information, commissioning; the total less the above.")
    return " ".join(parts)


def _draw(ax: Axes, data: pd.DataFrame, name: str, first: int, *, last: bool) -> None:
    clean_axes(ax)
    years = sorted(int(year) for year in data["year"].unique())
    ends = []
    for group, (colour, line, marker, filled) in LOOKS.items():
        rows = data[data["group"].eq(group)].sort_values("year")
        x, y = rows["year"].to_numpy(dtype=float), rows["value"].to_numpy(dtype=float)
        inside = colour if filled else "white"
        ax.plot(
            x,
            y,
            color=colour,
            linestyle=line,
            linewidth=2.2,
            marker=marker,
            markersize=7,
            markerfacecolor=inside,
            markeredgewidth=1.8,
            zorder=3,
        )
        ends.append((float(y[-1]), f"{group} £{y[-1]:,.0f}"))
    ax.set_ylim(min(0.0, 1.1 * float(data["value"].min())), 1.15 * float(data["value"].max()))
    ax.set_xlim(years[0] - 0.3, years[-1] + 0.3)
    ax.locator_params(axis="y", nbins=4)
    ax.yaxis.set_major_formatter(lambda value, _: f"£{value:,.0f}")
    ax.set_title(name, fontsize=TEXT_SIZE, fontweight="bold", loc="left")
    shown = years if len(years) <= 8 else years[::-2][::-1]
    ax.set_xticks(shown, [year_label(year) if last else "" for year in shown])
    ax.tick_params(axis="x", pad=8)
    if years[0] < first <= years[-1]:
        ax.axvline(first - 0.5, color=DARK_GREY, linewidth=1.2, linestyle=(0, (4, 3)), zorder=1)
    _labels(ax, ends, years[-1])


def _labels(ax: Axes, ends: list[tuple[float, str]], year: int) -> None:
    """Write each group and its last figure beside its last point, moved apart where they would touch."""
    low, high = ax.get_ylim()
    ordered = sorted(ends)
    places = [value for value, _ in ordered]
    near = GAP * (high - low) - (places[1] - places[0])
    if near > 0:
        places = [places[0] - near / 2, places[1] + near / 2]
    lift = max(0.0, low + GAP / 2 * (high - low) - places[0])
    for (value, text), place in zip(ordered, places, strict=True):
        ax.annotate(
            text,
            (year, value),
            xytext=(year + 0.55, place + lift),
            va="center",
            fontsize=TEXT_SIZE,
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": DARK_GREY, "linewidth": 0.7, "shrinkA": 0, "shrinkB": 5},
        )


def _alt(data: pd.DataFrame, title: str) -> str:
    parts = []
    for (name, group), rows in data.groupby(["type", "group"], sort=False):
        pairs = zip(rows["value"], rows["year"], strict=True)
        parts.append(
            f"{name}, {str(group).lower()}: "
            + ", ".join(f"£{number(v)} in {year_label(y)}" for v, y in pairs)
        )
    return f"Three line charts of spending per adult by type of care and year. {title}. {'; '.join(parts)}."
