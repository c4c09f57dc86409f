"""Every defensible combination of choices at once: the specification curve of the main outcome."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from clsimpact.diagnostics._specification_study import study_specifications
from clsimpact.diagnostics.specification_curve import specification_curve
from clsimpact.errors import ClsimpactError
from clsimpact.plots.specification_curve import specification_figure
from clsimpact.report.ledger import Row
from clsimpact.report.pieces._common import main_outcome, trace_name
from clsimpact.report.product import Product, draw
from clsimpact.report.study_data import StudyData

__all__ = ["make"]

DRAWS = 999
"""Re-assignments of the permutation test of the curve."""


def make(data: StudyData) -> Product:
    """Estimate the curve and test it whole."""
    product = Product()
    name = main_outcome(data)
    if name is None or "curve" not in data.study.figures:
        return product
    curve = specification_curve(**_asked(data, name))
    draw(product, "curve", specification_figure(curve), function="clsimpact.specification_curve",
         inputs=tuple(data.inputs), outcome=name, trace=trace_name(data, name))  # fmt: skip
    try:
        test = curve.permutation_test(draws=DRAWS, seed=data.study.seed)
    except ClsimpactError as error:
        text, numbers = f"The curve cannot be tested as a whole: {error.summary}", {}
    else:
        text, numbers = str(test.summary()), {"p": float(test.p_value)}
    product.rows.append(
        Row("number-curve", "number", "test of the whole specification curve", text,
            "clsimpact.specification_curve", tuple(data.inputs), outcome=name, numbers=numbers)
    )  # fmt: skip
    return product


def distinct(readings: Mapping[str, pd.DataFrame], columns: list[str]) -> dict[str, pd.DataFrame]:
    """Leave out readings of the evidence that say the same of every row as one before: they count once.

    Examples
    --------
    >>> one, other = pd.DataFrame({"u": [1, 2]}), pd.DataFrame({"u": [1, 3]})
    >>> list(distinct({"best": one, "earliest": one.copy(), "latest": other}, ["u"]))
    ['best', 'latest']
    """
    found: dict[bytes, str] = {}
    for name, frame in readings.items():
        found.setdefault(pd.util.hash_pandas_object(frame[columns], index=False).to_numpy().tobytes(), name)
    return {name: readings[name] for name in found.values()}


def _asked(data: StudyData, name: str) -> dict[str, Any]:
    """Return the arguments of the curve: the study's of councils, else estimators and controls alone."""
    if data.study.of_councils and data.adoption is not None:
        variants = [f"{name}{end}" for end in ("", "_18_64", "_65_plus")]
        held = {data.label_of(it): it for it in variants if it in data.panel and data.panel[it].notna().any()}
        asked: dict[str, Any] = dict(study_specifications(data.panel, data.adoption, outcomes=held))
        return asked | {"data": distinct(asked["data"], [asked["unit"], asked["time"], asked["cohort"]])}
    roles = data.study.data
    return {
        "data": data.tagged,
        "outcomes": {data.label_of(name): name},
        "unit": roles["unit"],
        "time": roles["time"],
        "cohort": roles["cohort"],
        "estimators": {
            it.replace("_", " "): it for it in dict.fromkeys((data.study.estimator, *data.study.beside))
        },
    }
