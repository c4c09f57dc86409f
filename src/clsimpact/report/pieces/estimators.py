"""Estimators side by side, and the raw trends that they work on."""

from __future__ import annotations

import pandas as pd

from clsimpact.comparison import compare
from clsimpact.errors import DesignError
from clsimpact.plots._figure import EventStudyFigure
from clsimpact.plots.cohort_trends import cohort_trends_figure
from clsimpact.plots.comparison import comparison_figure
from clsimpact.report._table import Table
from clsimpact.report.methods import ESTIMATOR_WORDS
from clsimpact.report.pieces._common import design_of, estimable, fit_of, trace_name
from clsimpact.report.product import Product, draw
from clsimpact.report.study_data import StudyData
from clsimpact.report.words import scale_of, shown_unit
from clsimpact.results import Estimate

__all__ = ["make"]


def make(data: StudyData) -> Product:
    """Draw trends of every outcome, and compare estimators on those that can be estimated."""
    product = Product()
    known = estimable(data)
    rows: list[dict[str, object]] = []
    for name in (it.name for it in data.study.outcomes if not known[it.name]):
        if "trends" in data.study.figures:
            _draw(product, f"trends-{name}", _trends(data, name), name, data)
        fits = _fits(data, name)
        rows += [_row(estimator, fit, name, data) for estimator, fit in fits.items()]
        if "estimators" in data.study.figures and len(fits) > 1:
            _draw(product, f"estimators-{name}", comparison_figure(compare(list(fits.values()))), name, data)
    if rows:
        product.tables.append(_table(rows, data))
    return product


def _trends(data: StudyData, outcome: str) -> EventStudyFigure:
    """Draw the means of an outcome by cohort; shares in per cent."""
    scale, unit = scale_of(data.unit_of(outcome)), data.unit_of(outcome)
    return cohort_trends_figure(
        design_of(data, outcome), units=data.study.units, scale=scale.factor,
        unit="per cent" if scale.factor == 100 else unit, words=data.outcome(outcome).words,
    )  # fmt: skip


def _draw(product: Product, name: str, figure: EventStudyFigure, outcome: str, data: StudyData) -> None:
    made_by = "clsimpact.plots.cohort_trends_figure" if name.startswith("trends") else "clsimpact.compare"
    draw(product, name, figure, function=made_by, inputs=tuple(data.inputs), outcome=outcome,
         trace=trace_name(data, outcome))  # fmt: skip


def _fits(data: StudyData, outcome: str) -> dict[str, Estimate]:
    fits = {}
    for name in dict.fromkeys((data.study.estimator, *data.study.beside)):
        try:
            fits[name] = fit_of(data, outcome, name)
        except DesignError:
            continue
    return fits


def _row(name: str, fit: Estimate, outcome: str, data: StudyData) -> dict[str, object]:
    found = fit.average().iloc[0]
    scale = scale_of(data.unit_of(outcome))
    numbers = {key: scale.factor * float(found[key]) for key in ("estimate", "conf_low", "conf_high")}
    unit = shown_unit(data.unit_of(outcome))
    return {"outcome": data.label_of(outcome), "estimator": ESTIMATOR_WORDS[name], **numbers, "unit": unit}


def _table(rows: list[dict[str, object]], data: StudyData) -> Table:
    heads = {
        "outcome": "Outcome", "estimator": "Estimator", "estimate": "Average over years after adoption",
        "conf_low": "95% interval, low", "conf_high": "95% interval, high", "unit": "Unit",
    }  # fmt: skip
    notes = ("Each estimator averages its own path over the event times after adoption, each counting once.",)
    return Table(
        "estimators", f"Estimators side by side: {data.study.title}", pd.DataFrame(rows), heads, notes,
        simulated=data.simulated,
    )  # fmt: skip
