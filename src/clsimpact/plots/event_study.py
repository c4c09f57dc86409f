"""The event-study figure: effects by event time, with what is behind each point."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from clsimpact import _check, _explain
from clsimpact._asked import require_result
from clsimpact.errors import DesignError
from clsimpact.plots._figure import EventStudyFigure
from clsimpact.plots._page import figure_of, write_zero
from clsimpact.plots.style import (
    DARK_BLUE,
    DARK_GREY,
    GRID,
    TEXT_SIZE,
    TITLE_SIZE,
    clean_axes,
    mark_simulated,
    style,
    wrap,
)

if TYPE_CHECKING:
    from clsimpact.results import Estimate

__all__ = ["EventStudyFigure", "alt_text", "event_study_figure", "plot_axes"]

SIZE = (10.0, 6.6)
"""Width and height in inches."""

MANY = 12
"""With more event times than this, the counts under the axis drop their ``n =``."""


LONE: dict[str, Any] = {
    "markerfacecolor": GRID, "markeredgecolor": DARK_GREY, "markeredgewidth": 1.5, "markersize": 9,
}  # fmt: skip
"""A grey diamond for a point without an interval: told from the others by its shape alone."""


def event_study_figure(
    fit: Estimate,
    *,
    title: str | None = None,
    subtitle: str | None = None,
    source: str | None = None,
    unit_word: str | None = None,
    bands: bool = False,
    ax: Axes | None = None,
) -> EventStudyFigure:
    """Draw estimates by event time; averages by cohort or by period; or a single effect.

    Effects by cohort and period are averaged by event time first (see `cells_figure` for the effects
    themselves); the title keeps to the overall effect of the estimate given. Intervals are bars with caps;
    the reference period is an open point at zero; periods that are not identified are marked with a cross;
    the number of treated units behind each point stands under the axis.

    Parameters
    ----------
    fit
        Any estimate.
    title
        By default a sentence that states the finding, computed from the numbers.
    subtitle
        By default measure, unit, comparison, interval, sample and period.
    source
        By default the source of the data, after the notes on the reference.
    unit_word
        Plural of the unit; by default "councils" for council codes, else "units".
    bands
        Draw simultaneous bands too, as thin lines beyond the bars; where none can be trusted a note says why.
    ax
        Axes to draw on; without it a new figure. Title, subtitle and source are written on a new figure only.

    Returns
    -------
    EventStudyFigure

    Raises
    ------
    DesignError
        If it is no estimate, or has nothing to draw, or ``ax`` is no axes.

    Examples
    --------
    >>> from clsimpact.datasets import example_design
    >>> from clsimpact.estimators import event_study
    >>> fit = event_study(example_design())
    >>> event_study_figure(fit).title
    'Teen employment 0.0714 log points lower on average after adoption'
    """
    require_result(fit, "event_study_figure")
    figure = Figure(figsize=SIZE) if ax is None else figure_of(ax)
    words = unit_word or f"{_check.unit_word(fit.design)}s"
    title, fit = title or _title(fit), _shown(fit)
    subtitle = subtitle or _subtitle(fit, words)
    data, note = _data(fit), ""
    if bands:
        data, note = _with_bands(fit, data)
    source = f"{_notes(fit)} {note}{fit.design.source if source is None else source}".strip()
    with style():
        axes = _layout(figure, title, subtitle, source) if ax is None else ax
        _draw(axes, data, words, fit)
    words = alt_text(fit, title=title, unit_word=unit_word)
    return EventStudyFigure(figure, axes, title, subtitle, source, words, data)


def plot_axes(fit: Estimate, *, ax: Axes | None = None) -> Axes:
    """Draw on the given axes, or on a new pyplot figure that a notebook shows.

    Examples
    --------
    >>> from clsimpact.datasets import example_design
    >>> from clsimpact.estimators import twfe
    >>> fit = twfe(example_design())
    >>> plot_axes(fit, ax=Figure().add_subplot()).get_xlabel()
    'Number under the axis: treated units'
    """
    if ax is None:
        import matplotlib.pyplot as plt

        figure = plt.figure(figsize=SIZE)
        with style():
            shown = _shown(fit)
            source = f"{_notes(shown)} {fit.design.source}".strip()
            ax = _layout(figure, _title(fit), _subtitle(shown, ""), source)
    return event_study_figure(fit, ax=ax).axes


def alt_text(fit: Estimate, *, title: str | None = None, unit_word: str | None = None) -> str:
    """Write the text alternative of the figure from its numbers.

    ``title`` is the finding as the figure states it; by default the figure's own default title.

    Examples
    --------
    >>> from clsimpact.datasets import example_design
    >>> from clsimpact.estimators import event_study
    >>> fit = event_study(example_design())
    >>> alt_text(fit)[:75]
    'Point-and-interval chart of Teen employment (log points) at 8 event times. '
    """
    title = title or _title(fit)
    data, fit = _data(fit), _shown(fit)
    words = unit_word or f"{_check.unit_word(fit.design)}s"
    unit = f" ({_check.unit_text(fit.design)})" if _check.unit_text(fit.design) else ""
    several = data["event_time"].notna().all()
    head = f"Point-and-interval chart of {fit.design.outcome_label}{unit}" + (
        f" at {len(data)} event times." if several else "." if len(data) == 1 else f" by {_kind(data)}."
    )
    rows, alone = [], _alone(fit, data)
    for lone, row in zip(alone, data.to_dict("records"), strict=True):
        at = f"Event time {row['event_time']}" if several else _name(data, row)
        if row["reason"].startswith("reference"):
            rows.append(f"{at}: reference, zero.")
        elif not row["identified"]:
            rows.append(f"{at}: not identified.")
        else:
            low, high = _check.number(row["conf_low"]), _check.number(row["conf_high"])
            span = "no interval" if lone else f"interval {low} to {high}"
            rows.append(
                f"{at}: {_check.number(row['estimate'])}, {span}, "
                f"{row['n_units']} treated {words if row['n_units'] != 1 else words.removesuffix('s')}."
            )
    return " ".join([head, f"{title}.", *rows])


def _with_bands(fit: Estimate, data: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Add simultaneous bands to the rows drawn, and say what they are or why there are none."""
    try:
        found = fit.bands()
    except DesignError as error:
        return data, f"{error.summary} "
    at = found.set_index("term")[["band_low", "band_high"]]
    data = data.join(at, on="term")
    words = str(found.attrs.get("bands", ""))
    if data["band_low"].isna().all():
        return data, f"{words[0].upper()}{words[1:]}. " if words else ""
    return data, f"Thin lines: bands that hold for all points together ({words}). "


def _shown(fit: Estimate) -> Estimate:
    """Return effects by cohort and period averaged by event time, anything else as it is."""
    events = [term.event_time for term in fit.terms if term.event_time is not None]
    repeated = len(set(events)) < len(events)
    return fit.aggregate("dynamic") if repeated and fit.aggregator is not None else fit


def _kind(data: pd.DataFrame) -> str:
    return "cohort" if data["cohort"].notna().any() else "period"


def _name(data: pd.DataFrame, row: Mapping[Any, Any]) -> str:
    """Return what a row is the effect of, where there is no event time."""
    if len(data) == 1:
        return "Effect of adoption"
    return f"{_kind(data).capitalize()} {str(row['term']).partition('=')[2] or row['term']}"


def _data(fit: Estimate) -> pd.DataFrame:
    fit = _shown(fit)
    tidy = fit.tidy()
    covariates = [term.n_units is None and term.event_time is None for term in fit.terms]
    rows = (
        tidy[tidy["event_time"].notna()] if tidy["event_time"].notna().any() else tidy[~np.array(covariates)]
    )
    if rows.empty:
        raise DesignError("The estimate has no effect to draw.", repair="See the reasons in tidy().")
    columns = ["event_time", "cohort", "term", "estimate", "conf_low", "conf_high"]
    return rows[[*columns, "n_units", "identified", "reason"]].reset_index(drop=True)


def _alone(fit: Estimate, data: pd.DataFrame) -> NDArray[np.bool_]:
    """Return the rows that have an estimate but rest on one treated unit or cluster.

    Placebo intervals are taken from the controls, so that one treated unit has one too.
    """
    if fit.vcov.kind == "placebo":
        return np.zeros(len(data), dtype=bool)
    found: NDArray[np.bool_] = _check.cannot_be_read(fit.design, data) & data["identified"].to_numpy(
        dtype=bool
    )
    return found


def _title(fit: Estimate) -> str:
    label, design = fit.design.outcome_label, fit.design
    try:
        row = fit.overall.iloc[0]
    except DesignError:
        return f"{label}: no effect after adoption is identified"
    if np.isnan(row["estimate"]):
        what = "no effect after adoption is" if len(_data(fit)) > 1 else "the effect of adoption is not"
        return f"{label}: {what} identified"
    if _check.rests_on_one(design, row["n_units"]):
        return f"{label}: {_check.lone_words(design)}, so no interval can be trusted"
    mean = "on average after adoption" if len(_data(fit)) > 1 else "after adoption"
    low, high = row["conf_low"], row["conf_high"]
    if fit.refused:
        return f"{label}: {_check.plural(design.n_treated_clusters, 'adopter')}, so no interval is shown"
    if low > 0 or high < 0:
        return f"{label} {_explain.size(row['estimate'], design)} {mean}"
    return (
        f"{label} after adoption: anywhere from {_explain.size(low, design)} to {_explain.size(high, design)}"
    )


def _subtitle(fit: Estimate, words: str) -> str:
    design = fit.design
    words = words or f"{_check.unit_word(design)}s"
    unit = f", {_check.unit_text(design)}" if _check.unit_text(design) else ""
    data = _data(fit)
    barred = data["identified"].to_numpy(dtype=bool) & ~_alone(fit, data)
    bars = (
        f" Bars: {100 * fit.level:.4g}% intervals ({_check.kind_label(fit.method)})." if barred.any() else ""
    )
    against = (
        "difference from the reference period, net of comparison"
        if data["reason"].str.startswith("reference").any()
        else "effect, net of comparison"
    )
    place = "England, " if design.unit == "ons_code" else ""
    sample = f"{place}{len(design.units)} {words} ({design.n_treated} treated), {_check.period_words(design)}"
    return f"{design.outcome_label}{unit}: {against} {words}.{bars} {sample}."


def _notes(fit: Estimate) -> str:
    parts, data = [], _data(fit)
    if data["reason"].str.startswith("reference").any():
        own = [note for note in fit.notes if note.startswith("Reference: each")]
        parts.append("Open point: reference, zero by construction.")
        parts += [f"{note}." for note in own]
    elif (data["event_time"] < 0).any():
        parts.append(f"Points before adoption: {before_words(fit)}.")
    if any(
        not ok and not t.reason.startswith("reference")
        for ok, t in zip(fit.identified, fit.terms, strict=True)
    ):
        parts.append("Cross: not identified by this design.")
    alone = _alone(fit, data)
    if alone.any():
        one = _check.lone_words(fit.design).removeprefix("one treated ")
        which = "n = 1: no" if (data.loc[alone, "n_units"] == 1).all() else "no"
        parts.append(f"Diamond, {which} interval, because one {one}'s own variation cannot be estimated.")
    drawn = data["identified"].to_numpy(dtype=bool) & ~alone
    if _check.too_narrow(fit.design, fit.method) and drawn.any():
        parts.append(
            f"With {fit.design.n_treated_clusters} treated clusters these intervals "
            f"({_check.kind_label(fit.method)}) are too narrow."
        )
    parts += [PLACEBO] if fit.vcov.kind == "placebo" and drawn.any() else []
    return " ".join(parts)


PLACEBO = "Placebo intervals take treated units to be as noisy as controls."
"""What placebo intervals rest on."""


def before_words(fit: Estimate) -> str:
    """Say what the points before adoption are, in a result without reference periods."""
    return {
        "synthetic_did": "gaps that the weights were made to close, not a test",
        "two_stage": "means of first-stage residuals, which are drawn towards zero",
        "imputation": "leads fitted to untreated rows alone",
    }.get(fit.estimator, "changes from one period to the next")


def _layout(figure: Figure, title: str, subtitle: str, source: str) -> Axes:
    """Write the words and return axes that leave room for them."""
    width, height = figure.get_size_inches()
    room = 0.94 * width
    blocks = [
        (wrap(title, room * 0.94, TITLE_SIZE), TITLE_SIZE, "bold"),
        (wrap(subtitle, room, TEXT_SIZE), TEXT_SIZE, "normal"),
    ]
    y = 1 - 0.2 / height
    for text, size, weight in blocks:
        figure.text(0.03, y, text, fontsize=size, fontweight=weight, va="top", ha="left", linespacing=1.3)
        y -= (text.count("\n") + 1) * size * 1.45 / 72 / height + 0.06 / height
    foot = wrap(source, room, TEXT_SIZE - 1)
    figure.text(
        0.03,
        0.12 / height,
        foot,
        fontsize=TEXT_SIZE - 1,
        color=DARK_GREY,
        va="bottom",
        ha="left",
        linespacing=1.3,
    )
    below = (foot.count("\n") + 1) * (TEXT_SIZE - 1) * 1.45 / 72 if foot else 0.0
    bottom = (below + 1.05) / height
    return figure.add_axes((0.085, bottom, 0.79, y - 0.1 / height - bottom))


def _draw(ax: Axes, data: pd.DataFrame, words: str, fit: Estimate) -> None:
    times = data["event_time"]
    several = bool(times.notna().all())
    x = times.to_numpy(dtype=float) if several else np.arange(len(data), dtype=float)
    y = data["estimate"].to_numpy(dtype=float)
    reference = data["reason"].str.startswith("reference").to_numpy(dtype=bool)
    good = data["identified"].to_numpy(dtype=bool)
    clean_axes(ax)
    if fit.design.simulated:
        mark_simulated(ax)
    write_zero(ax)
    alone = _alone(fit, data)
    solid = good & ~alone
    _intervals(ax, data, x, solid)
    ax.plot(x[solid], y[solid], "o", color=DARK_BLUE, markersize=8, zorder=3, clip_on=False)
    ax.plot(x[alone], y[alone], "D", **LONE, zorder=3, clip_on=False)
    ax.plot(
        x[reference],
        np.zeros(reference.sum()),
        "o",
        markerfacecolor="white",
        markeredgecolor=DARK_BLUE,
        markeredgewidth=2,
        markersize=9,
        zorder=4,
    )
    lost = ~good & ~reference
    ax.plot(x[lost], np.zeros(lost.sum()), "x", color=DARK_GREY, markersize=10, markeredgewidth=2, zorder=4)
    ax.set_xlim(x.min() - 0.6, x.max() + 0.6)
    ax.margins(y=0.08)
    _ticks(ax, data, x, words, several, fit)
    if several and x.min() < 0 <= x.max():
        _adoption(ax)


def _intervals(ax: Axes, data: pd.DataFrame, x: NDArray[np.float64], good: NDArray[np.bool_]) -> None:
    y = data["estimate"].to_numpy(dtype=float)
    low, high = data["conf_low"].to_numpy(dtype=float), data["conf_high"].to_numpy(dtype=float)
    drawn = good & np.isfinite(low) & np.isfinite(high)
    if "band_low" in data:
        ends = data.loc[good, ["band_low", "band_high"]].to_numpy(dtype=float)
        ax.vlines(x[good], ends[:, 0], ends[:, 1], color=DARK_BLUE, linewidth=0.9, zorder=1.9)
    error = np.vstack([(y - low)[drawn], (high - y)[drawn]])
    ax.errorbar(
        x[drawn],
        y[drawn],
        yerr=error,
        fmt="none",
        ecolor=DARK_BLUE,
        elinewidth=2,
        capsize=6,
        capthick=2,
        zorder=2,
    )


def _ticks(
    ax: Axes, data: pd.DataFrame, x: NDArray[np.float64], words: str, several: bool, fit: Estimate
) -> None:
    lead = "" if len(data) > MANY else "n = "
    counts = ["" if pd.isna(n) else f"{lead}{n}" for n in data["n_units"]]
    records = data.to_dict("records")
    names = [_tick(str(r["term"])) if several else _axis_name(data, r) for r in records]
    ax.set_xticks(x, [f"{name}\n{count}" for name, count in zip(names, counts, strict=True)])
    period = "Years" if "year" in fit.design.time.lower() else "Periods"
    under = f"{'n' if lead else 'number under the axis'}: treated {words}"
    label = f"{period} since adoption ({under} behind each point)"
    if not several and len(data) > 1:
        single = period.removesuffix("s")
        axis = f"First treated {single.lower()}" if _kind(data) == "cohort" else single
        label = f"{axis} ({under} behind each point)"
    elif not several:
        label = f"Number under the axis: treated {words}"
    ax.set_xlabel(label, fontsize=TEXT_SIZE, labelpad=8)


def _axis_name(data: pd.DataFrame, row: Mapping[Any, Any]) -> str:
    name = _name(data, row)
    return name if len(data) == 1 else name.split(" ", 1)[1]


def _tick(term: str) -> str:
    text = term.removeprefix("e").removeprefix("=").replace("-", "\u2212")
    return text.replace("<=", "\u2264").replace(">=", "\u2265")


def _adoption(ax: Axes) -> None:
    low, high = ax.get_ylim()
    ax.set_ylim(low, high + 0.12 * (high - low))
    ax.axvline(-0.5, color=DARK_GREY, linewidth=1.2, linestyle=(0, (4, 3)), zorder=1)
    ax.annotate(
        "adoption",
        (-0.5, 1),
        (6, -2),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        va="top",
        fontsize=TEXT_SIZE - 1,
    )
