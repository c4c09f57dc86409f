"""Panels and settings that tests of checks share."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd

import clsimpact as ci
from clsimpact.design import Design
from clsimpact.diagnostics.result import VERDICTS, Found, plain
from clsimpact.diagnostics.setting import Setting

YEARS = tuple(range(2012, 2022))


def panel(
    *,
    seed: int = 0,
    units: int = 60,
    adopters: int = 16,
    years: tuple[int, ...] = YEARS,
    effect: float = 0.0,
) -> pd.DataFrame:
    """Councils with AR(1) errors of standard deviation one, and four cohorts from the fifth year on."""
    rng = np.random.default_rng(seed)
    errors = np.zeros((units, len(years)))
    errors[:, 0] = rng.standard_normal(units)
    for t in range(1, len(years)):
        errors[:, t] = 0.5 * errors[:, t - 1] + np.sqrt(0.75) * rng.standard_normal(units)
    cohorts = np.full(units, np.nan)
    cohorts[:adopters] = np.array(years)[4 + np.arange(adopters) % 4]
    made = pd.DataFrame({
        "ons_code": np.repeat([f"E{i:08d}" for i in range(units)], len(years)),
        "name": np.repeat([f"Council {i}" for i in range(units)], len(years)),
        "region": np.repeat([f"Region {i % 5}" for i in range(units)], len(years)),
        "year": np.tile(years, units),
        "adoption_year": np.repeat(cohorts, len(years)),
        "cost": (100 + rng.normal(0, 3, units)[:, None] + errors).ravel(),
    })  # fmt: skip
    made["cost"] += effect * (made["year"] >= made["adoption_year"])
    return made


def design(data: pd.DataFrame, **options: Any) -> Design:
    """Return the design of such a panel."""
    return Design(
        data,
        outcome="cost",
        unit="ons_code",
        time="year",
        cohort="adoption_year",
        outcome_unit="£",
        **options,
    )


def setting(data: pd.DataFrame, estimator: str = "event_study", **given: Any) -> Setting:
    """Return the setting of a fit of such a panel."""
    made = design(data)
    return Setting(made, getattr(ci, estimator)(made), data, **given)


def sound(found: Found, given: Setting) -> None:
    """Require what every answer of a check has: words, plain numbers, advice that runs, a figure."""
    assert found.verdict in VERDICTS
    assert found.finding.endswith(".")
    assert "nan" not in found.finding.split()
    json.dumps({name: plain(value) for name, value in found.numbers.items()}, allow_nan=False)
    if found.verdict != "holds":
        assert found.advice
    names = {"ci": ci, "np": np, "pd": pd, "design": given.design, "fit": given.fit, "data": given.data}
    names |= {"adoption": given.adoption, "neighbours": given.neighbours}
    for item in found.advice:
        assert item.text.endswith(".")
        exec(item.code, dict(names))
    if found.draw is not None:
        figure = found.draw()
        assert figure.title
        assert len(figure.alt_text) > 40
        assert len(figure.data)
