"""Effects by cohort and period: one small chart per cohort."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from clsimpact import _check
from clsimpact._explain import size, span
from clsimpact.errors import DesignError
from clsimpact.plots._figure import EventStudyFigure
from clsimpact.plots._page import page
from clsimpact.plots.event_study import PLACEBO, before_words
from clsimpact.plots.style import DARK_BLUE, DARK_GREY, TEXT_SIZE, clean_axes, mark_simulated, style

if TYPE_CHECKING:
    from clsimpact.results import Estimate

__all__ = ["cells_figure"]

WIDTH, PANEL, SINGLE = 10.0, 2.55, 3.6
"""Inches: the page, and the height of a row of charts with its words, among others and alone."""

MOST = 24
"""More cohorts than this do not fit on a page."""


def cells_figure(
    fit: Estimate, *, title: str | None = None, subtitle: str | None = None, source: str | None = None
) -> EventStudyFigure:
    """Draw effects by cohort and period: one chart per cohort, all on the same scale.

    A dashed line stands before the first treated period; open points are zero by construction; a cross marks
    what the data cannot identify; a diamond without a bar rests on one treated unit.

    Parameters
    ----------
    fit
        An estimate with effects by cohort and period (or one that was averaged from them).
    title, subtitle, source
        By default computed: the range of the effects, measure, sample and intervals; notes and source.

    Returns
    -------
    EventStudyFigure
        Its ``axes`` are those of the first cohort.

    Raises
    ------
    DesignError
        If there are no effects by cohort and period, or more cohorts than fit.

    Examples
    --------
    >>> from clsimpact.datasets import example_design
    >>> from clsimpact.estimators.group_time import group_time
    >>> made = cells_figure(group_time(example_design()))
    >>> len(made.figure.axes)
    3
    """
    data = _cells(fit)
    cohorts = sorted(int(g) for g in data["cohort"].unique())
    if len(cohorts) > MOST:
        raise DesignError(
            f"{len(cohorts)} cohorts do not fit on a page.", repair="Use aggregate('group') or 'dynamic'."
        )
    title, subtitle = title or _title(fit, data), subtitle or _subtitle(fit)
    source = f"{_notes(fit, data)} {fit.design.source if source is None else source}".strip()
    across = min(3, len(cohorts))
    down = -(-len(cohorts) // across)
    high = PANEL if down > 1 else SINGLE
    with style():
        made = page(Figure, WIDTH, high * down + 0.2, title, subtitle, source)
        wide = (WIDTH - 1.0) / across
        charts: list[Axes] = []
        for i, cohort in enumerate(cohorts):
            row, column = divmod(i, across)
            low = made.top - high * (row + 1) + 0.3
            ax = made.axes(0.85 + wide * column, low, wide - 0.4, high - 0.85)
            if charts:
                ax.sharey(charts[0])
            charts.append(ax)
            _draw(ax, fit, data[data["cohort"] == cohort], cohort, named=column == 0)
    return EventStudyFigure(made.figure, charts[0], title, subtitle, source, _alt(fit, data, title), data)


def _cells(fit: Estimate) -> pd.DataFrame:
    """Return the rows by cohort and period."""
    tidy = fit.tidy()
    if not (tidy["cohort"].notna() & tidy["event_time"].notna()).any():
        if fit.aggregator is None:
            raise DesignError(
                f"{fit.estimator} has no effects by cohort and period to draw.", repair="Use plot()."
            )
        made = fit.aggregator("cells", balance=None, leads=None, lags=None)
        tidy = made.with_inference(fit.asked or fit.vcov.kind, level=fit.level).tidy()
    return tidy[tidy["cohort"].notna() & tidy["event_time"].notna()].reset_index(drop=True)


def _alone(fit: Estimate, data: pd.DataFrame) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    if fit.vcov.kind == "placebo":
        return np.zeros(len(data), dtype=bool)
    return np.asarray(_check.cannot_be_read(fit.design, data) & data["identified"].to_numpy(dtype=bool))


def _draw(ax: Axes, fit: Estimate, rows: pd.DataFrame, cohort: int, *, named: bool) -> None:
    clean_axes(ax)
    if fit.design.simulated:
        mark_simulated(ax)
        ax.texts[-1].set_fontsize(24)
    ax.axhline(0, color=DARK_GREY, linewidth=1.2, zorder=1)
    x = (rows["event_time"] + rows["cohort"]).to_numpy(dtype=float)
    y, low, high = (rows[name].to_numpy(dtype=float) for name in ("estimate", "conf_low", "conf_high"))
    good, alone = rows["identified"].to_numpy(dtype=bool), _alone(fit, rows)
    zero = rows["reason"].str.startswith("reference").to_numpy(dtype=bool)
    bars, lost = good & ~alone & np.isfinite(low), ~good & ~zero
    ax.vlines(x[bars], low[bars], high[bars], color=DARK_BLUE, linewidth=2, zorder=2)
    ax.plot(x[good & ~alone], y[good & ~alone], "o", color=DARK_BLUE, markersize=6, zorder=3)
    ax.plot(x[alone], y[alone], "D", color=DARK_GREY, markerfacecolor="white", markersize=6, zorder=3)
    ax.plot(x[zero], 0 * x[zero], "o", color=DARK_BLUE, markerfacecolor="white", markersize=6, zorder=3)
    ax.plot(x[lost], 0 * x[lost], "x", color=DARK_GREY, markersize=7, markeredgewidth=1.8, zorder=3)
    ax.axvline(cohort - fit.design.anticipation - 0.5, color=DARK_GREY, linewidth=1.2, linestyle=(0, (4, 3)))
    periods = fit.design.periods
    ax.set_xlim(periods[0] - 0.5, periods[-1] + 0.5)
    step = -(-len(periods) // 3)
    ax.set_xticks(periods[::-step][::-1], [str(t) for t in periods[::-step][::-1]])
    ax.tick_params(axis="y", labelleft=named)
    ax.locator_params(axis="y", nbins=5)
    size_of = fit.design.cohort_sizes.get(cohort)
    count = "" if size_of is None else f" ({_check.plural(size_of, _check.unit_word(fit.design))})"
    ax.set_title(f"Cohort {cohort}{count}", fontsize=TEXT_SIZE, fontweight="bold", loc="left")


def _after(data: pd.DataFrame) -> pd.DataFrame:
    return data[data["identified"] & (data["event_time"] >= 0)]


def _title(fit: Estimate, data: pd.DataFrame) -> str:
    after, label = _after(data), fit.design.outcome_label
    if after.empty:
        return f"{label}: no effect after adoption is identified"
    if len(after) == 1:
        return f"{label} {size(after['estimate'].iloc[0], fit.design)} after adoption"
    reach = span(after["estimate"].min(), after["estimate"].max(), fit.design)
    down = int((after["estimate"] < 0).sum())
    share = f"{down} of {len(after)} effects are negative"
    if down in (0, len(after)):
        share = f"{'both' if down == 2 else f'all {down}'} effects are negative" if down else ""
    return f"{label} {reach} by cohort and {_period(fit)}{f'; {share}' if share else ''}"


def _period(fit: Estimate) -> str:
    return "year" if "year" in fit.design.time.lower() else "period"


def _subtitle(fit: Estimate) -> str:
    design = fit.design
    unit = f", {_check.unit_text(design)}" if _check.unit_text(design) else ""
    place = "England, " if design.unit == "ons_code" else ""
    sample = f"{place}{len(design.units)} {_check.unit_word(design)}s ({design.n_treated} treated)"
    bars = f"Bars: {100 * fit.level:.4g}% intervals ({_check.kind_label(fit.method)})."
    by = f"effect by first treated {_period(fit)} and {_period(fit)}"
    return f"{design.outcome_label}{unit}: {by}. {bars} {sample}."


def _notes(fit: Estimate, data: pd.DataFrame) -> str:
    zero = data["reason"].str.startswith("reference")
    parts = ["Dashed: adoption."]
    parts += ["Open point: reference, zero by construction."] if zero.any() else []
    if not zero.any() and (data["event_time"] < 0).any():
        parts.append(f"Points before adoption: {before_words(fit)}.")
    parts += ["Cross: not identified by this design."] if (~data["identified"] & ~zero).any() else []
    if _alone(fit, data).any():
        one = _check.lone_words(fit.design).removeprefix("one treated ")
        parts.append(f"Diamond: one {one}, whose own variation cannot be estimated.")
    n = fit.design.n_treated_clusters
    if n > 1 and _check.too_narrow(fit.design, fit.method):
        kind = _check.kind_label(fit.method)
        parts.append(f"With {n} treated clusters these intervals ({kind}) are too narrow.")
    parts += [PLACEBO] if fit.vcov.kind == "placebo" else []
    return " ".join(parts)


def _alt(fit: Estimate, data: pd.DataFrame, title: str) -> str:
    """Write the text alternative: the finding, then every number."""
    unit = f" ({_check.unit_text(fit.design)})" if _check.unit_text(fit.design) else ""
    rows = []
    for lone, row in zip(_alone(fit, data), data.to_dict("records"), strict=True):
        at = f"cohort {row['cohort']} in {row['cohort'] + row['event_time']}"
        if row["reason"].startswith("reference"):
            rows.append(f"{at}: reference, zero")
        elif not row["identified"]:
            rows.append(f"{at}: not identified")
        else:
            low, high = _check.number(row["conf_low"]), _check.number(row["conf_high"])
            span = "no interval" if lone else f"interval {low} to {high}"
            rows.append(f"{at}: {_check.number(row['estimate'])}, {span}")
    head = f"Points and intervals of {fit.design.outcome_label}{unit}, one chart per cohort. {title}."
    return f"{head} {'; '.join(rows)}."
