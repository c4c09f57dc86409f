"""Faults of who adopted, and when.

None of the three checks can see a fault in the outcomes themselves: they say how much the conclusion rests
on what the list of adopters leaves open. The faults are therefore conclusions that rest on it: dates picked
by what they give, adopters that are dated only where something seems to have happened, and an effect on the
edge.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
from detection import Fault

import clsimpact as ci

REACH = 1
"""Years that a listed date may be wrong by, earlier or later."""

UNDATED = 10
"""Adopters without a year."""

EDGE, STRONG = 2.25, 6.0
"""Estimated effect in standard errors: on the edge of being told from zero, and far from it."""

OUTCOME = "gce_per_adult"


def _design(panel: pd.DataFrame) -> ci.Design:
    roles = {"unit": "ons_code", "time": "year", "cohort": "adoption_year"}
    return ci.Design(panel, outcome=OUTCOME, **roles)


def ranged(panel: pd.DataFrame, adoption: pd.DataFrame) -> dict[str, Any]:
    """Give every adopter of the list a year before and after as possible dates."""
    year = adoption["adoption_year"]
    return {"adoption": adoption.assign(earliest_year=year - REACH, latest_year=year + REACH)}


def _ratio(design: ci.Design) -> float:
    """Return the estimate in standard errors."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        row = ci.event_study(design, inference="CR1").overall.iloc[0]
    return float(row["estimate"] / row["std_error"])


def _dated(panel: pd.DataFrame, design: ci.Design, cohorts: np.ndarray) -> pd.DataFrame:
    return panel.assign(adoption_year=panel["ons_code"].map(dict(zip(design.units, cohorts, strict=True))))


def picked_dates(panel: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Date each adopter, within a year of the true date, so that the estimate is furthest from zero."""
    design = _design(panel)
    cohorts, best = design.unit_cohorts.copy(), _ratio(design)
    sign, best = np.sign(best), abs(best)
    for i in rng.permutation(np.flatnonzero(design.in_window)):
        true = cohorts[i]
        for date in (true - REACH, true + REACH):
            trial = np.where(np.arange(cohorts.size) == i, date, cohorts)
            if (found := sign * _ratio(design.with_cohorts(trial))) > best:
                best, cohorts = found, trial
    return _dated(panel, design, cohorts)


def undated_at_random(panel: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Leave ten adopters undated, whoever they are: controls in the design."""
    design = _design(panel)
    gone = rng.choice(np.flatnonzero(design.in_window), UNDATED, replace=False)
    cohorts = np.where(np.isin(np.arange(len(design.units)), gone), np.nan, design.unit_cohorts)
    return _dated(panel.assign(true_year=panel["adoption_year"]), design, cohorts)


def dated_where_it_shows(panel: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Leave ten adopters undated, one by one those without which the estimate is furthest from zero."""
    design = _design(panel.assign(adoption_year=panel["true_year"]))
    cohorts, sign = design.unit_cohorts.copy(), np.sign(_ratio(design))
    for _ in range(UNDATED):
        trials = [
            np.where(np.arange(cohorts.size) == i, np.nan, cohorts) for i in np.flatnonzero(cohorts > 0)
        ]
        cohorts = max(trials, key=lambda trial: sign * _ratio(design.with_cohorts(trial)))
    return _dated(panel, design, cohorts)


def latest_only(panel: pd.DataFrame, adoption: pd.DataFrame) -> dict[str, Any]:
    """Give undated adopters no year but the latest: their true one."""
    dated = panel.loc[panel["adoption_year"].notna(), "ons_code"].unique()
    year = adoption["adoption_year"].where(adoption["ons_code"].isin(dated))
    return {"adoption": adoption.assign(adoption_year=year, earliest_year=pd.NA)}


def effect_of_size(panel: pd.DataFrame, ratio: float) -> pd.DataFrame:
    """Add a constant effect, so that the estimate is so many of its standard errors above zero."""
    row = ci.event_study(_design(panel)).overall.iloc[0]
    size = ratio * row["std_error"] - row["estimate"]
    after = (panel["year"] >= panel["adoption_year"]).fillna(value=False)
    return panel.assign(**{OUTCOME: panel[OUTCOME] + size * after.astype(float)})


def on_the_edge(panel: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Add an effect that is told from zero, but barely."""
    return effect_of_size(panel, EDGE)


def far_from_zero(panel: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Add an effect far from zero."""
    return effect_of_size(panel, STRONG)


FAULTS = [
    Fault(
        "adoption_dates",
        "no effect; dates of 24 adopters, known to a year either side, picked by what they give (without "
        "it: the true dates)",
        picked_dates,
        given=ranged,
    ),
    Fault(
        "undated_adopters",
        "no effect; 10 of 24 adopters undated, picked by what the others then give (without it: 10 at "
        "random)",
        dated_where_it_shows,
        clean=undated_at_random,
        given=latest_only,
    ),
    Fault(
        "unknown_adopters",
        "an effect estimated at 2.25 standard errors, which a fifth of the controls could undo (without it: "
        "at 6 standard errors)",
        on_the_edge,
        clean=far_from_zero,
    ),
]
