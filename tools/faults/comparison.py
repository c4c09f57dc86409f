"""Faults of who is compared with whom, and of effects that are not alike."""

from __future__ import annotations

import numpy as np
import pandas as pd
from detection import Fault


def few_others(panel: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Leave only adopters and twelve others: most comparisons are with earlier adopters."""
    never = panel.loc[panel["adoption_year"].isna(), "ons_code"].unique()
    kept = rng.choice(np.sort(never), 12, replace=False)
    return panel[panel["adoption_year"].notna() | panel["ons_code"].isin(kept)]


def growing_effects(panel: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Give the first two cohorts effects that grow by £15 per adult each year, and the others none."""
    years = (panel["year"] - panel["adoption_year"] + 1).clip(lower=0).fillna(0).astype(float)
    early = (panel["adoption_year"] <= 2017).fillna(False).astype(float)
    return panel.assign(gce_per_adult=panel["gce_per_adult"] + 15.0 * years * early)


def trending_adopters(panel: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Let spending of adopters grow by £15 per adult a year more than that of others, throughout."""
    adopts = panel["adoption_year"].notna()
    return panel.assign(gce_per_adult=panel["gce_per_adult"] + 15.0 * (panel["year"] - 2014) * adopts)


def clear_effect(panel: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Let spending of adopters rise by £400 per adult at adoption."""
    after = (panel["year"] >= panel["adoption_year"]).fillna(False).astype(float)
    return panel.assign(gce_per_adult=panel["gce_per_adult"] + 400.0 * after)


def restless_adopters(panel: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Let spending of adopters swing by £150 per adult from year to year before adoption."""
    before = (panel["year"] < panel["adoption_year"]).fillna(False)
    since = (panel["adoption_year"] - panel["year"]).fillna(0).astype(int)
    swing = np.where(before & (since % 2 == 0), 150.0, 0.0)
    return panel.assign(gce_per_adult=panel["gce_per_adult"] + swing)


FAULTS = [
    Fault(
        "comparison_weights",
        "12 councils that never adopt, beside 24 adopters in five cohorts",
        few_others,
    ),
    Fault(
        "estimators_agree",
        "effects of the cohorts 2016 and 2017 that grow by £15 per adult a year, none of the others",
        growing_effects,
        estimator="twfe",
    ),
    Fault(
        "pre_trends",
        "spending of adopters grows by £15 per adult (3%) a year more than that of others",
        trending_adopters,
        margin=47.0,
    ),
    Fault(
        "sensitivity",
        "beside an effect of £400 per adult, spending of adopters swings by £150 from year to year before",
        restless_adopters,
        clean=clear_effect,
    ),
]
