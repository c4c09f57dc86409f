"""The adoption timeline: when each adopter began, as far as is known, and what was done with it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from clsimpact._input import is_made_up, marked
from clsimpact.plots._adoption import caution, require, source_of
from clsimpact.plots._adoption_rows import adopter_rows, cohort_rows, years_with_figures
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
from clsimpact.years import year_label

__all__ = ["adoption_timeline_figure"]

WIDTH, NAME, FATE, ROW = 10.0, 2.4, 3.3, 0.36
"""Inches: the page, the names, what was done, and a row."""

SMALL, LABEL = TEXT_SIZE - 1, 0.95
"""Points of the words beside rows; least inches between two labels of years."""

MARKS = {"used": "o", "treated throughout": "s", "compared": "^", "left out": "o", "outside England": "D"}
"""Filled where the date is used; open where it is not."""

BAR = "#9FB4C7"

Label = Callable[[int], str]


def adoption_timeline_figure(
    tagged: pd.DataFrame,
    adoption: pd.DataFrame | None = None,
    *,
    outcome: str | None = None,
    units: str = "councils",
    unit: str = "ons_code",
    time: str = "year",
    cohort: str = "adoption_year",
) -> EventStudyFigure:
    """Draw when each adopter began: the years that the evidence allows, the date used, and what was done.

    Parameters
    ----------
    tagged
        A panel from :func:`clsimpact.tag_adoption`; without an adoption list, any panel.
    adoption
        The list that the panel was tagged with: one row per adopter. If omitted, one row per cohort with the
        number of units.
    outcome
        A column: the years in which it has figures are marked above the rows.
    units
        What units are called, in the plural, such as ``"counties"``.
    unit, time, cohort
        Columns of the unit, the period and the first treated period (missing, infinite or zero: never); used
        without an adoption list.

    Returns
    -------
    EventStudyFigure
        Its ``data``: ``name, earliest, latest, date, group, fate, units``, in the order drawn.

    Raises
    ------
    PanelError
        If the panel lacks a column or has no rows, or a unit has several cohorts.
    AdoptionError
        If the list lacks a column or has no rows.

    Examples
    --------
    >>> import clsimpact as ci
    >>> adoption = ci.load_adoption()
    >>> made = adoption_timeline_figure(ci.tag_adoption(ci.load_panel(), adoption), adoption)
    >>> made.title
    '5 of 15 listed adopters are used (2016-17 to 2018-19)'
    >>> counties = {"units": "counties", "unit": "county", "cohort": "first_treat"}
    >>> adoption_timeline_figure(ci.load_mpdta(), **counties).title
    '191 of 500 counties adopted (2004 to 2007)'
    """
    columns = (unit, time, cohort) if adoption is None else ("ons_code", "year", "adoption_year")
    require(tagged, (*columns, *([outcome] if outcome else [])), "adoption timeline")
    time = time if adoption is None else "year"
    made_up = is_made_up(tagged)
    label: Label = year_label if adoption is not None or unit == "ons_code" else str
    if adoption is None:
        rows = cohort_rows(tagged, unit, time, cohort)
        rows["name"] = [_cohort_name(date, label) for date in rows["date"]]
    else:
        rows = adopter_rows(tagged, adoption)
    rows = rows.reset_index(drop=True)
    title = _title(rows, units, label, listed=adoption is not None)
    title = f"SIMULATED: {title}" if made_up else title
    periods = [int(tagged[time].min()), int(tagged[time].max())]
    subtitle = _subtitle(units, periods, label, listed=adoption is not None, english=label is not str)
    marks = list(years_with_figures(tagged, outcome, time)) if outcome else None
    name = _outcome_name(tagged, outcome, made_up=made_up)
    notes = [_notes(rows, periods, name, listed=adoption is not None)]
    if adoption is not None:
        notes.append(caution(tagged, made_up=made_up))
    source = "\n".join(filter(None, [" ".join(filter(None, notes)), source_of(tagged, made_up=made_up)]))
    with style():
        made, ax = _layout(rows, title, subtitle, source, strip=marks is not None)
        _draw(ax, rows, marks, periods, label, units if adoption is None else "")
        if made_up:
            mark_simulated(ax)
    words = _alt(rows, title, label, units if adoption is None else "", marks, name)
    return EventStudyFigure(made, ax, title, subtitle, source, words, rows)


def _cohort_name(date: float, label: Label) -> str:
    return "Never treated" if np.isnan(date) else f"Cohort {label(int(date))}"


def _outcome_name(tagged: pd.DataFrame, outcome: str | None, *, made_up: bool) -> str:
    if outcome is None:
        return ""
    known = str(tagged.attrs.get("columns", {}).get(outcome, {}).get("label", "the outcome"))
    return marked(known, made_up=made_up)


def _span(dates: pd.Series, label: Label) -> str:
    ends = dict.fromkeys((label(int(dates.min())), label(int(dates.max()))))
    return " to ".join(ends)


def _title(rows: pd.DataFrame, units: str, label: Label, *, listed: bool) -> str:
    used = rows[rows["group"].isin(["used", "treated throughout"])]
    dates = used.loc[used["group"].eq("used"), "date"]
    when = f" ({_span(dates, label)})" if len(dates) else ""
    if not listed:
        return f"{int(used['units'].sum())} of {int(rows['units'].sum())} {units} adopted{when}"
    return f"{len(used)} of {len(rows)} listed adopters are used{when}"


def _subtitle(units: str, periods: list[int], label: Label, *, listed: bool, english: bool) -> str:
    place = "English " if english else ""
    panel = f"panel of {place}{units}, {label(periods[0])} to {label(periods[1])}"
    if not listed:
        return f"First treated year by cohort, and the years after it: {panel}."
    what = "Year of adoption and the years that the evidence allows, by adopter; on the right what was done"
    return f"{what}: {panel}."


def _notes(rows: pd.DataFrame, periods: list[int], name: str, *, listed: bool) -> str:
    groups, ends = set(rows["group"]), rows[["earliest", "latest"]]
    parts = (
        ["Bar: years that the evidence allows.", "Filled circle: date used."]
        if listed
        else ["Bar: treated years.", "Filled circle: first treated year."]
    )
    parts += ["Square: treated from the panel's first year on."] if _throughout(rows).any() else []
    if groups & {"left out", "outside England", "compared"}:
        parts += ["Open: not used."]
    parts += (
        ["Arrow: no known end."] if (ends.isna().sum(axis=1).eq(1) & rows["group"].ne("used")).any() else []
    )
    parts += ["Question mark: no date."] if _undated(rows).any() else []
    parts += ["Dashed line: the panel begins."] if ends.min().min() < periods[0] else []
    parts += [f"Crosses: years with figures of {name[:1].lower()}{name[1:]}."] if name else []
    return " ".join(parts)


def _throughout(rows: pd.DataFrame) -> pd.Series:
    return rows["group"].eq("treated throughout") | rows["fate"].str.endswith("first year on")


def _undated(rows: pd.DataFrame) -> pd.Series:
    return rows["date"].isna() & rows[["earliest", "latest"]].notna().any(axis=1)


def _layout(
    rows: pd.DataFrame, title: str, subtitle: str, source: str, *, strip: bool
) -> tuple[Figure, Axes]:
    heights = [ROW * (1 + 0.62 * _name(text).count("\n")) for text in rows["name"]]
    tall = sum(heights) + ROW * (1 + strip)
    sheet = page(Figure, WIDTH, tall + 0.75, title, subtitle, source)
    ax = sheet.axes(0.3 + NAME, sheet.bottom + 0.5, WIDTH - 0.6 - NAME - FATE, tall)
    ax.set_ylim(tall, 0)
    return sheet.figure, ax


def _name(text: str) -> str:
    return wrap(text, NAME - 0.1, SMALL)


def _draw(
    ax: Axes, rows: pd.DataFrame, marks: list[int] | None, periods: list[int], label: Label, units: str
) -> None:
    clean_axes(ax)
    ax.grid(visible=False, axis="y")
    known = [*rows[["earliest", "latest", "date"]].to_numpy().ravel(), *periods]
    low, high = float(np.nanmin(known)), float(np.nanmax(known))
    ax.set_xlim(low - 0.9, high + 0.9)
    y = ROW * (0.5 + (marks is not None))
    heads = ("Cohort", units.capitalize()) if units else ("Adopter", "What was done")
    _beside(ax, heads, y, bold=True)
    if marks is not None:
        _beside(ax, ("Years with figures", ""), ROW * 0.5, bold=False)
        ax.plot(marks, [ROW * 0.5] * len(marks), "P", color=DARK_GREY, markersize=8, linestyle="none")
    y += ROW * 0.5
    for row in rows.to_dict("records"):
        text = _name(str(row["name"]))
        high_of = ROW * (1 + 0.62 * text.count("\n"))
        y += high_of / 2
        _row(ax, {str(key): value for key, value in row.items()}, y, (low - 0.7, high + 0.7))
        _beside(ax, (text, f"{row['units']:,}" if units else str(row["fate"])), y, bold=False)
        y += high_of / 2
    if low < periods[0]:
        ax.axvline(periods[0] - 0.5, color=DARK_GREY, linewidth=1.2, linestyle=(0, (4, 3)), zorder=1)
    step = max(1, int(np.ceil(LABEL * (high - low + 1.8) / (WIDTH - 0.6 - NAME - FATE))))
    ticks = np.arange(int(low), int(high) + 1, step)
    ax.set_xticks(ticks, [label(int(year)) for year in ticks], fontsize=SMALL)
    ax.set_yticks([])


def _beside(ax: Axes, words: tuple[str, str], y: float, *, bold: bool) -> None:
    """Write a name left of a row and what was done right of it."""
    weight = "bold" if bold else "normal"
    wide = ax.get_figure(root=True).get_size_inches()[0] * ax.get_position().width  # type: ignore[union-attr]
    for x, text in ((-NAME / wide, words[0]), (1 + 0.12 / wide, words[1])):
        if text:
            ax.text(
                x,
                y,
                text,
                transform=ax.get_yaxis_transform(),
                va="center",
                fontsize=SMALL,
                fontweight=weight,
                linespacing=1.15,
            )


def _row(ax: Axes, row: dict[str, object], y: float, reach: tuple[float, float]) -> None:
    early, late, date = (float(str(row[key])) for key in ("earliest", "latest", "date"))
    ax.axhline(y, color=GRID, linewidth=0.8, zorder=0.6)
    if row["group"] == "never treated":
        return
    _evidence(ax, early, late, y, reach)
    if np.isnan(date):
        known = [year for year in (early, late) if np.isfinite(year)]
        ends = known if len(known) == 2 else [*known, reach[0] if np.isnan(early) else reach[1]]
        middle = sum(ends) / 2 if known else sum(reach) / 2
        text = ax.text(middle, y, "?" if known else "no year known", ha="center", va="center", zorder=4)
        text.set_fontsize(SMALL)
        text.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 1.5})
        return
    group = str(row["group"])
    used = group in ("used", "treated throughout")
    colour = DARK_BLUE if used else PALETTE[3]
    ax.plot(
        [date],
        [y],
        "s" if str(row["fate"]).endswith("first year on") else MARKS.get(group, "o"),
        color=colour,
        markerfacecolor=colour if used else "white",
        markersize=10,
        markeredgewidth=2.2,
        zorder=4,
    )


def _evidence(ax: Axes, early: float, late: float, y: float, reach: tuple[float, float]) -> None:
    """Draw the years that the evidence allows: a bar, or an arrow where one end is not known."""
    if np.isfinite(early) and np.isfinite(late):
        ax.plot([early - 0.3, late + 0.3], [y, y], color=BAR, linewidth=9, solid_capstyle="butt", zorder=2)
    elif np.isfinite(early) or np.isfinite(late):
        start, end = (early, reach[1]) if np.isfinite(early) else (late, reach[0])
        arrow = {"arrowstyle": "-|>", "color": DARK_GREY, "linewidth": 1.6, "linestyle": (0, (3, 2))}
        ax.annotate("", (end, y), (start, y), arrowprops=arrow | {"shrinkA": 0, "shrinkB": 0}, zorder=2)
        ax.plot([start], [y], "|", color=DARK_GREY, markersize=12, markeredgewidth=2, zorder=3)


def _alt(rows: pd.DataFrame, title: str, label: Label, units: str, marks: list[int] | None, name: str) -> str:
    parts = []
    for row in rows.to_dict("records"):
        ends = [label(int(row[key])) if np.isfinite(row[key]) else "" for key in ("earliest", "latest")]
        allowed = {
            (True, True): "from {} to {}" if ends[0] != ends[1] else "in {}",
            (True, False): "not before {}",
            (False, True): "not after {1}",
            (False, False): "no year known",
        }[bool(ends[0]), bool(ends[1])].format(*ends)
        what = f"{row['units']} {units}" if units else str(row["fate"])
        parts.append(f"{row['name']}: {what}" + ("" if units else f" (evidence: {allowed})"))
    held = f" Figures of {name} in {', '.join(map(label, marks))}." if marks else ""
    kind = "cohort" if units else "adopter"
    return f"Timeline of adoption, one row per {kind}. {title}. {'; '.join(parts)}.{held}"
