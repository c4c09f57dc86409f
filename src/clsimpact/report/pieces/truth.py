"""Of made-up data: the truth that was put in, beside what was found."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from clsimpact.claims.declared import ClaimTest
from clsimpact.claims.evaluate import ClaimReport, evaluate_claims, find_effect
from clsimpact.errors import DesignError
from clsimpact.plots.event_study import event_study_figure
from clsimpact.plots.style import PALETTE, TEXT_SIZE, style
from clsimpact.report._table import Table
from clsimpact.report.ledger import Row
from clsimpact.report.pieces._common import estimable, fit_of, trace_name
from clsimpact.report.product import Product, draw
from clsimpact.report.study_data import StudyData
from clsimpact.report.words import scale_of, shown_unit
from clsimpact.results import Estimate

__all__ = ["compare_with_truth", "make", "path_with_truth", "true_path"]

_DIGITS = 12
"""A truth is a mean of decimal fractions: beyond this there is only rounding of binary numbers."""
_FUNCTION = "clsimpact.report.pieces.truth"


def make(data: StudyData) -> Product:
    """Put the truth beside every outcome's path and beside the windows of the claims."""
    product = Product()
    if data.effects is None:
        return product
    known = estimable(data)
    fits = {it.name: fit_of(data, it.name) for it in data.study.outcomes if not known[it.name]}
    paths = {name: path_with_truth(name, fit, data.effects) for name, fit in fits.items()}
    for name, path in paths.items():
        _draw(product, fits[name], path, name, data)
    product.tables.append(_claims(fits, data))
    product.tables.append(_points(paths, data))
    judged = pd.concat(list(paths.values()))["inside"].dropna()
    inside, total = int(judged.sum()), len(judged)
    text = f"{inside} of {total} points of the paths lie inside their 95% intervals."
    product.rows.append(
        Row("number-inside", "number", "points whose interval holds the truth", text, _FUNCTION,
            tuple(data.inputs), numbers={str(inside): float(inside), str(total): float(total), "95%": 95.0},
            files=("tables/truth-path.csv",), trace="tables/truth-path.csv")
    )  # fmt: skip
    return product


def compare_with_truth(data: StudyData) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Estimate the study's outcomes on made-up data and put the truth beside them.

    Returns
    -------
    path : pandas.DataFrame
        ``outcome, event_time, truth, estimate, std_error, conf_low, conf_high, n_units, identified, inside``.
    claims : pandas.DataFrame
        A row per claim, outcome and test, as `ClaimReport.tidy`, with ``truth`` and ``inside``.
    """
    if data.effects is None:
        raise DesignError("No truth is known of these data.", repair="Use made_up_data().")
    known = estimable(data)
    fits = {it.name: fit_of(data, it.name) for it in data.study.outcomes if not known[it.name]}
    report = evaluate_claims(
        fits,
        data.study.claims,
        margins={name: it for name, it in data.study.margins.items() if name in fits},
        margin_share=data.study.margin_share,
    )
    judged = [it for it in report if it.outcome in fits]
    truths = [
        true_average(fits[it.outcome], part.test, it.outcome, data) if part.finding else math.nan
        for it in judged
        for part in it.tests
    ]
    claims = ClaimReport(tuple(judged)).tidy().assign(truth=truths)
    claims["inside"] = claims["conf_low"].le(claims["truth"]) & claims["conf_high"].ge(claims["truth"])
    paths = [path_with_truth(name, fit, data.effects) for name, fit in fits.items()]
    return pd.concat(paths, ignore_index=True), claims


def true_path(outcome: str, fit: Estimate, effects: pd.DataFrame) -> dict[int, float]:
    """Return the mean true effect at each event time over the adopters of the sample."""
    rows = effects[effects["outcome"].eq(outcome) & effects["ons_code"].isin(fit.design.units)]
    rows = rows[rows["year"].isin(fit.design.periods) & rows["kind"].eq("adopter")]
    means = rows.groupby("event_time")["effect"].mean()
    return dict(zip(means.index.astype("int64").tolist(), means.tolist(), strict=True))


def path_with_truth(outcome: str, fit: Estimate, effects: pd.DataFrame) -> pd.DataFrame:
    """Return the estimated path with the true one, both relative to the reference period."""
    tidy = fit.tidy()
    tidy = tidy[tidy["event_time"].notna()].reset_index(drop=True)
    true = true_path(outcome, fit, effects)
    reference = float(true.get(-1, 0.0))
    times = tidy["event_time"].astype("int64")
    truth = np.round([true.get(time, 0.0) - reference for time in times], _DIGITS)
    inside = tidy["conf_low"].le(truth) & tidy["conf_high"].ge(truth)
    columns = ["event_time", "estimate", "std_error", "conf_low", "conf_high", "n_units", "identified"]
    path = tidy[columns].assign(
        outcome=outcome, truth=truth, inside=inside.where(tidy["std_error"].gt(0)).astype("boolean")
    )
    return path[["outcome", "event_time", "truth", *columns[1:], "inside"]]


def _draw(product: Product, fit: Estimate, path: pd.DataFrame, name: str, data: StudyData) -> None:
    """Draw the path with the truth that was put in."""
    words = data.outcome(name).words
    held = path["inside"].dropna()
    counts = f"{int(held.sum())} of {len(held)} intervals"
    title = f"{words[0].upper()}{words[1:]}: {counts} hold the truth that was put in"
    figure = event_study_figure(fit, title=title, unit_word=data.study.units)
    with style():
        figure.axes.plot(
            path["event_time"].to_numpy("float64"), path["truth"].to_numpy("float64"), marker="_",
            markersize=22, markeredgewidth=3, linestyle="none", color=PALETTE[3], zorder=3.5,
            label="truth put in",
        )  # fmt: skip
        figure.axes.legend(loc="lower left", frameon=False, fontsize=TEXT_SIZE)
    draw(product, f"truth-{name}", figure, function=_FUNCTION, inputs=tuple(data.inputs), outcome=name,
         trace=trace_name(data, name))  # fmt: skip


def _claims(fits: dict[str, Estimate], data: StudyData) -> Table:
    rows = [
        {"claim": claim.id, "outcome": data.label_of(name), **_window(fits[name], test, name, data)}
        for claim in data.study.claims.values()
        for name in claim.outcomes
        for test in claim.tests
        if name in fits and (not test.outcomes or name in test.outcomes)
    ]
    heads = {
        "claim": "Claim", "outcome": "Outcome", "window": "Window (years since adoption)",
        "truth": "Truth put in", "estimate": "Estimate", "low": "95% interval, low",
        "high": "95% interval, high", "unit": "Unit", "inside": "Holds the truth",
    }  # fmt: skip
    return Table(
        "truth", "The truth put in, beside what was found", pd.DataFrame(rows), heads, simulated=True
    )


def _window(fit: Estimate, test: ClaimTest, name: str, data: StudyData) -> dict[str, object]:
    unit = data.unit_of(name)
    factor = scale_of(unit).factor
    try:
        found, words = find_effect(fit, test)
    except DesignError:
        unknown = dict.fromkeys(("truth", "estimate", "low", "high"), math.nan)
        return {"window": test.window, **unknown, "unit": shown_unit(unit), "inside": "no estimate"}
    truth = true_average(fit, test, name, data)
    return {
        "window": words,
        "truth": factor * truth,
        "estimate": factor * found.estimate,
        "low": factor * found.low,
        "high": factor * found.high,
        "unit": shown_unit(unit),
        "inside": "yes" if found.low <= truth <= found.high else "no",
    }


def true_average(fit: Estimate, test: ClaimTest, name: str, data: StudyData) -> float:
    """Return the true average over the event times of a test that are identified, or the true change."""
    if data.effects is None:
        return math.nan
    path = path_with_truth(name, fit, data.effects)
    known = path[path["identified"]].set_index("event_time")["truth"]

    def mean(first: int | None, last: int | None) -> float:
        low, high = (-math.inf if first is None else first), (math.inf if last is None else last)
        return float(known[(known.index >= low) & (known.index <= high)].mean())

    own = mean(test.first, test.last)
    change = test.rule in ("fades", "grows")
    return float(np.round(own - mean(test.earlier_first, test.earlier_last) if change else own, _DIGITS))


def _path_rows(name: str, held: pd.DataFrame, data: StudyData) -> pd.DataFrame:
    """Return the points of a path as readers are shown them."""
    factor = scale_of(data.unit_of(name)).factor
    return pd.DataFrame(
        {
            "outcome": data.label_of(name),
            "event_time": held["event_time"].astype("int64"),
            "truth": factor * held["truth"],
            "estimate": factor * held["estimate"],
            "low": factor * held["conf_low"],
            "high": factor * held["conf_high"],
            "unit": shown_unit(data.unit_of(name)),
            "inside": held["inside"].map({True: "yes", False: "no"}).astype(str),
        }
    )


def _points(paths: dict[str, pd.DataFrame], data: StudyData) -> Table:
    rows = [_path_rows(name, path[path["inside"].notna()], data) for name, path in paths.items()]
    heads = {
        "outcome": "Outcome", "event_time": "Years since adoption", "truth": "Truth put in",
        "estimate": "Estimate", "low": "95% interval, low", "high": "95% interval, high",
        "unit": "Unit", "inside": "Holds the truth",
    }  # fmt: skip
    frame = pd.concat(rows, ignore_index=True)
    return Table(
        "truth-path", "Every point of the paths", frame, heads, simulated=True, decimals={"event_time": None}
    )
