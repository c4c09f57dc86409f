"""Panels for the checks of precision, denominator and recording."""

from __future__ import annotations

import json
from typing import Any

import matplotlib
import numpy as np
import pandas as pd

import clsimpact as ci
from clsimpact.design import Design
from clsimpact.diagnostics.result import CheckResult, Found
from clsimpact.diagnostics.setting import Setting
from clsimpact.errors import ClsimpactWarning

matplotlib.use("Agg")

ROLES = {"unit": "ons_code", "time": "year", "cohort": "adoption_year"}


def plain_panel(
    *,
    units: int = 60,
    adopters: int = 12,
    years: int = 8,
    seed: int = 1,
    carry: float = 0.0,
    level: float = 100.0,
) -> pd.DataFrame:
    """Councils whose cost follows an autoregression (``carry`` 1: a random walk); no effects."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(units, years))
    error = noise.copy()
    for t in range(1, years):
        error[:, t] = carry * error[:, t - 1] + noise[:, t]
    cohort = np.full(units, np.nan)
    cohort[:adopters] = [2013 + i % 3 for i in range(adopters)]
    return pd.DataFrame(
        {
            "ons_code": np.repeat([f"E{i:03d}" for i in range(units)], years),
            "name": np.repeat([f"Council {i}" for i in range(units)], years),
            "year": np.tile(2010 + np.arange(years), units),
            "adoption_year": np.repeat(cohort, years),
            "cost": (level + rng.normal(0, 5, (units, 1)) + error).ravel(),
        }
    )


def request_panel(*, seed: int = 1, units: int = 80, adopters: int = 20, noise: float = 0.04) -> pd.DataFrame:
    """Councils with requests, their sequels, and a share; adoption changes nothing."""
    panel = plain_panel(units=units, adopters=adopters, seed=seed)
    rng = np.random.default_rng(seed + 1000)
    people = np.repeat(rng.uniform(1e5, 4e5, units), 8)
    base = people * np.repeat(rng.uniform(0.03, 0.05, units), 8)

    def wobble() -> np.ndarray:
        return np.exp(rng.normal(0, noise, len(panel)))

    panel["population_18_plus"] = people
    panel["signposted_count"] = base * 0.3 * wobble()
    panel["no_service_count"] = base * 0.3 * wobble()
    panel["funded_mid_count"] = base * 0.2 * wobble()
    panel["other_count"] = base * 0.2 * wobble()
    return counted(panel)


def counted(panel: pd.DataFrame) -> pd.DataFrame:
    """Make requests and shares from the counts."""
    parts = ["signposted_count", "no_service_count", "funded_mid_count", "other_count"]
    requests = panel[parts].sum(axis=1)
    return panel.assign(
        requests=requests,
        signposted=panel["signposted_count"] / requests,
        funded_mid=panel["funded_mid_count"] / requests,
    )


def contacts_counted(panel: pd.DataFrame, rows: pd.Series[bool], factor: float = 1.5) -> pd.DataFrame:
    """Multiply requests without care in some rows, as a council does that counts contacts as requests."""
    out = panel.copy()
    for name in ("signposted_count", "no_service_count"):
        out.loc[rows, name] *= factor
    return counted(out)


def design_of(data: pd.DataFrame, outcome: str = "cost", **options: Any) -> Design:
    return Design(data, outcome=outcome, **ROLES, **options)


def setting_of(data: pd.DataFrame, outcome: str = "cost", *, estimator: Any = None, **given: Any) -> Setting:
    """Return a setting with a result."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ClsimpactWarning)
        design = design_of(data, outcome)
        fit = (estimator or ci.event_study)(design)
    return Setting(fit.design, fit, data, draws=499, **given)


def check_words(found: Found, setting: Setting) -> None:
    """Everything a result must do: values that JSON can hold, a figure with words, advice that runs."""
    result = CheckResult("a", "b", "c", "d", "e", found)
    json.dumps(result.to_dict(), allow_nan=False)
    assert found.finding.endswith(".")
    assert "nan" not in found.finding.lower().split()
    if found.verdict != "holds":
        assert found.advice
    if found.draw is not None:
        figure = found.draw()
        assert figure.title
        assert len(figure.alt_text) > len(figure.title)
    space = {"ci": ci, "design": setting.design, "fit": setting.fit, "data": setting.data, "np": np, "pd": pd}
    for item in found.advice:
        if ".check(" not in item.code:
            exec(item.code, dict(space))
        else:
            compile(item.code, "advice", "exec")
