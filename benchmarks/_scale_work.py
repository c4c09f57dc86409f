"""What `benchmarks/scale.py` measures: a made-up panel of any size, and the work on it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from functools import partial
from typing import Any, NamedTuple

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd

import clsimpact as ci
from clsimpact.diagnostics.specification_curve import SpecificationCurve, specification_curve
from clsimpact.inference import Permutation

ESTIMATORS = {
    "twfe": "CR1", "event_study": "CR1", "group_time": "CR0", "imputation": "CR0", "sun_abraham": "CR1",
    "stacked": "CR3", "two_stage": "CR0", "did_m": "cohort", "extended_twfe": "CR1",
    "local_projection": "CR1", "synthetic_did": "jackknife",
}  # fmt: skip
"""Estimators with their usual errors: what inference by draws adds is measured by itself."""

DRAWN: Mapping[str, tuple[str, Any]] = {
    "permutation": ("event_study", "permutation"),
    "wild": ("event_study", "wild"),
    "multiplier": ("group_time", "multiplier"),
    "refits": ("group_time", Permutation(refit=True)),
}
"""Inference by draws, and the estimator that it is of."""

CURVES = ("curve", "curve_test")

PER_DATES = 8
"""Specifications for each reading of the dates: two outcomes, two samples, two estimators."""

LATER = 0.2
"""Share of adopters that another reading of the dates has a year later."""


class Size(NamedTuple):
    """Of a panel and of the work on it; by default about the study's."""

    units: int = 150
    years: int = 8
    cohorts: int = 3
    adopters: int = 0
    draws: int = 999
    specifications: int = PER_DATES


def panel(size: Size) -> pd.DataFrame:
    """Make a balanced staggered panel up, with errors that follow an AR(1); a sixth of the units adopt.

    Built column by column, so that nothing large is held beside the table.
    """
    units, years = size.units, size.years
    rng = np.random.default_rng(1)
    adopters = size.adopters or units // 6
    first = np.full(units, np.nan)
    first[:adopters] = max(years // 2 - size.cohorts // 2, 2) + np.arange(adopters) % size.cohorts
    y = rng.normal(size=(units, years))
    for t in range(1, years):
        y[:, t] += 0.5 * y[:, t - 1]
    y += rng.normal(size=units)[:, None]
    for t in range(years):
        y[:, t] += 0.5 * (first <= t)
    return pd.DataFrame(
        {
            "unit": np.repeat(np.arange(units), years),
            "year": np.tile(np.arange(years), units),
            "first": np.repeat(first, years),
            "y": y.ravel(),
        }
    )


def design_of(data: pd.DataFrame) -> ci.Design:
    return ci.Design(data, outcome="y", unit="unit", time="year", cohort="first")


def estimated(name: str, data: pd.DataFrame) -> object:
    """Go from a table to estimates with errors and intervals, and to the overall effect."""
    fit = getattr(ci, name)(design_of(data), inference=ESTIMATORS[name])
    return fit.tidy(), fit.overall


def fitted(name: str, data: pd.DataFrame) -> Any:
    return getattr(ci, name)(design_of(data), inference=ESTIMATORS[name])


def drawn(fit: Any, method: Any, draws: int, executor: Executor | None = None) -> pd.DataFrame:
    table: pd.DataFrame = fit.with_inference(method, draws=draws, seed=1, executor=executor).tidy()
    return table


# --- specification curves -----------------------------------------------------------------------------


def with_readings(size: Size) -> pd.DataFrame:
    """Return the panel with a second outcome and as many readings of the dates as the curve needs."""
    data, rng = panel(size), np.random.default_rng(2)
    data["z"] = data["y"] + rng.normal(size=len(data))
    for d in range(size.specifications // PER_DATES):
        later = rng.random(size.units) < (LATER if d else 0.0)
        data[f"first_{d}"] = data["first"] + later[data["unit"]]
    return data


def curve_of(data: pd.DataFrame, executor: Executor | None = None) -> SpecificationCurve:
    """Estimate every combination of outcome, sample, reading of the dates and estimator."""
    readings = [name for name in data if name.startswith("first_")]
    return specification_curve(
        data,
        outcomes=["y", "z"],
        unit="unit",
        time="year",
        cohort={name: name for name in readings},
        samples={
            "all": None,
            "without the first year": lambda rows: rows["year"] > 0,
        },
        estimators=["event_study", "imputation"],
        outcome_units={"y": "points", "z": "points"},
        executor=executor,
    )


# --- what is timed ------------------------------------------------------------------------------------


def prepared(what: str, size: Size, executor: Executor | None = None) -> Callable[[], object]:
    """Do what comes before the clock starts, and return the call that is timed."""
    if what in ESTIMATORS:
        return partial(estimated, what, panel(size))
    if what in DRAWN:
        estimator, method = DRAWN[what]
        return partial(drawn, fitted(estimator, panel(size)), method, size.draws, executor)
    data = with_readings(size)
    if what == "curve":
        return partial(curve_of, data, executor)
    return partial(curve_of(data).permutation_test, draws=size.draws, executor=executor)
