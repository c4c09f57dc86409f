"""Faults of dates, of other outcomes, of inference, and of single units, cohorts and years."""

from __future__ import annotations

import numpy as np
import pandas as pd
from detection import Fault

EARLY = 35.0
"""£ per adult by which spending is moved before adoption: 7% of the mean."""

GRANTS = 40.0
"""£ per adult of pandemic grants that adopters alone count as spending."""

ONE_COHORT = 100.0
"""£ per adult by which recording changed in one cohort: a fifth of spending."""

AGEING = 0.01
"""Extra yearly growth of the population aged 65 or over in adopters, from adoption on."""

FEW = 4
"""Adopters left of 24, for errors that were made for many."""


def _adopters(panel: pd.DataFrame) -> np.ndarray:  # type: ignore[type-arg]
    """Adopters by code, in order."""
    return np.sort(panel.loc[panel["adoption_year"].notna(), "ons_code"].unique())


def _since(panel: pd.DataFrame) -> pd.Series:  # type: ignore[type-arg]
    """Years since adoption; missing where there is none."""
    return panel["year"] - panel["adoption_year"].astype(float)


def moved_a_year_before(panel: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Let spending of adopters move in the year before adoption, and stay there."""
    early = (_since(panel) >= -1).fillna(False)
    panel["gce_per_adult"] += EARLY * early
    return panel


def dated_two_years_late(panel: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Let spending of adopters move two years before the recorded adoption."""
    early = (_since(panel) >= -2).fillna(False)
    panel["gce_per_adult"] += EARLY * early
    return panel


def older_population(panel: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Let the population aged 65 or over of adopters grow faster from adoption on."""
    years = (_since(panel) + 1).clip(lower=0).fillna(0.0)
    more = panel["population_65_plus"] * ((1 + AGEING) ** years - 1)
    for column in ("population_65_plus", "population_18_plus"):
        panel[column] = panel[column] + more
    return panel


def few_adopters(panel: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Leave out all adopters but a few."""
    gone = rng.choice(_adopters(panel), _adopters(panel).size - FEW, replace=False)
    return panel[~panel["ons_code"].isin(gone)]


def ten_times(panel: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Record spending of one adopter ten times too large from adoption on."""
    one = panel["ons_code"] == rng.choice(_adopters(panel))
    wrong = one & (_since(panel) >= 0).fillna(False)
    panel["gce_per_adult"] *= np.where(wrong, 10.0, 1.0)
    return panel


def one_cohort(panel: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Let recording of spending change at adoption in one cohort only."""
    chosen = rng.choice(np.sort(panel["adoption_year"].dropna().astype(int).unique())[:4])
    wrong = (panel["adoption_year"] == chosen).fillna(False) & (_since(panel) >= 0).fillna(False)
    panel["gce_per_adult"] += ONE_COHORT * wrong
    return panel


def grants(panel: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Let adopters count pandemic grants as spending in 2020-21 and 2021-22."""
    wrong = panel["adoption_year"].notna() & panel["year"].isin([2020, 2021])
    panel["gce_per_adult"] += GRANTS * wrong
    return panel


FAULTS = [
    Fault(
        "anticipation",
        "spending moves by £35 per adult (7%) a year before adoption",
        moved_a_year_before,
        margin=EARLY,
    ),
    Fault(
        "placebo_dates",
        "adoption is dated two years late, effect £35 per adult (7%)",
        dated_two_years_late,
        margin=EARLY,
    ),
    Fault(
        "placebo_outcomes",
        "older population of adopters grows by 1% a year more, from adoption on",
        older_population,
        margin=EARLY,
    ),
    Fault(
        "placebo_adopters",
        "4 adopters only, with clustered errors (CR1) asked for; without it 24 with CR1",
        few_adopters,
        inference="CR1",
    ),
    Fault("leave_one_out", "spending of one adopter ten times too large from adoption on", ten_times),
    Fault("leave_one_cohort", "recording adds £100 per adult (a fifth) in one cohort", one_cohort),
    Fault("dropped_years", "adopters count £40 per adult of pandemic grants in 2020-21 and 2021-22", grants),
]
