"""Made-up panels that the oracle scripts and the tests share.

Pure functions of numpy and pandas: nothing is read but the county panel that ships with the library. Every
panel has the columns ``unit, time, cohort, y, x1, x2, w, wt, region``: ``cohort`` is the year of adoption
(NaN = never), ``x1`` a covariate that does not change over time and shifts trends, ``x2`` one that changes,
``w`` a weight of the unit, ``wt`` a weight of the row. Numbers are rounded to six decimals, so that two
versions of numpy give the same panel.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

YEARS = tuple(range(2014, 2022))
COHORT_SIZES = {2016: 6, 2017: 7, 2018: 1, 2019: 6, 2020: 5}
N_UNITS = 150
N_REGIONS = 30
COLUMNS = ("unit", "time", "cohort", "y", "x1", "x2", "w", "wt", "region")
DECIMALS = 6
MPDTA = Path(__file__).resolve().parents[2] / "src" / "clsimpact" / "data_examples" / "mpdta.parquet"


def balanced() -> pd.DataFrame:
    """150 units in 2014 to 2021; 25 adopt in 2016 to 2020, one of them alone in 2018."""
    return _panel(_adoption())


def missing() -> pd.DataFrame:
    """``balanced`` without 60 of its 1,200 rows (5%), chosen at random."""
    panel = balanced()
    gone = np.random.default_rng(404).choice(len(panel), size=60, replace=False)
    return panel.drop(index=gone).reset_index(drop=True)


def gaps() -> pd.DataFrame:
    """``balanced`` without 2017 and 2019 for anybody; twelve units enter in 2016, two of them adopters."""
    panel = balanced()
    late = np.r_[7, 20, np.arange(101, 111)]
    there = ~panel["time"].isin([2017, 2019]) & ~(panel["unit"].isin(late) & (panel["time"] < 2016))
    return panel[there].reset_index(drop=True)


def no_never() -> pd.DataFrame:
    """Everyone adopts by the end: those who never adopt in ``balanced`` do so in 2019, 2020 or 2021."""
    cohort = _adoption()
    never = np.flatnonzero(np.isnan(cohort))
    cohort[never] = np.array([2019.0, 2020.0, 2021.0, 2021.0, 2021.0])[np.arange(len(never)) % 5]
    return _panel(cohort)


def late() -> pd.DataFrame:
    """``balanced``, where fifteen of the untreated adopt after the panel ends (2023 or 2024)."""
    panel = balanced()
    for first, units in ((2023.0, range(121, 131)), (2024.0, range(141, 146))):
        panel.loc[panel["unit"].isin(units), "cohort"] = first
    return panel


def mpdta() -> pd.DataFrame:
    """County teen employment 2003-2007 under the same names: y = lemp, x1 = lpop; no other columns."""
    panel = pd.read_parquet(MPDTA).rename(
        columns={"county": "unit", "year": "time", "first_treat": "cohort", "lemp": "y", "lpop": "x1"}
    )
    panel["cohort"] = panel["cohort"].astype(float).where(panel["cohort"] > 0)
    return panel[["unit", "time", "cohort", "y", "x1"]].reset_index(drop=True)


def small() -> pd.DataFrame:
    """Ten units in 2014 to 2019; two adopt in 2016 and two in 2018; no other columns than the outcome."""
    return _ten_units((2016, 2016, 2018, 2018))


def alone() -> pd.DataFrame:
    """``small``, where three adopt in 2016 and one alone in 2018."""
    return _ten_units((2016, 2016, 2016, 2018))


PANELS = {
    "balanced": balanced,
    "missing": missing,
    "gaps": gaps,
    "no_never": no_never,
    "late": late,
    "mpdta": mpdta,
    "small": small,
    "alone": alone,
}


def _adoption() -> np.ndarray:
    """Year of adoption of each unit: the first 25 adopt, cohort after cohort."""
    cohort = np.full(N_UNITS, np.nan)
    first = np.repeat(list(COHORT_SIZES), list(COHORT_SIZES.values()))
    cohort[: len(first)] = first
    return cohort


def _panel(cohort: np.ndarray) -> pd.DataFrame:
    """Outcomes for given years of adoption; what is drawn does not depend on them."""
    rng = np.random.default_rng(20261123)
    years = np.array(YEARS)
    n_years = len(years)
    x1 = rng.normal(size=N_UNITS)
    x1[:25] += 0.4
    w = rng.uniform(0.5, 2.5, size=N_UNITS)
    level = rng.normal(50, 5, size=N_UNITS)
    own = rng.normal(0, 0.5, size=N_UNITS)
    x2 = rng.normal(size=(N_UNITS, 1)) + rng.normal(size=(N_UNITS, n_years))
    wt = w[:, None] * rng.uniform(0.7, 1.3, size=(N_UNITS, n_years))
    noise = _autoregressive(rng, n_years)
    since = years - cohort[:, None]
    treated = since >= 0
    effect = np.where(treated, -2.0 - 0.5 * since - 0.3 * (cohort[:, None] - 2016) + own[:, None], 0.0)
    trend = (0.6 + 0.25 * x1[:, None]) * (years - YEARS[0])
    y = level[:, None] + trend + 0.8 * x2 + effect + noise
    flat = {"y": y, "x2": x2, "wt": wt}
    panel = pd.DataFrame(
        {
            "unit": np.repeat(np.arange(1, N_UNITS + 1), n_years),
            "time": np.tile(years, N_UNITS),
            "cohort": np.repeat(cohort, n_years),
            "x1": np.repeat(np.round(x1, DECIMALS), n_years),
            "w": np.repeat(np.round(w, DECIMALS), n_years),
            "region": np.repeat(np.arange(N_UNITS) % N_REGIONS + 1, n_years),
            **{name: np.round(values, DECIMALS).ravel() for name, values in flat.items()},
        }
    )
    return panel[list(COLUMNS)]


def _ten_units(first: tuple[int, ...]) -> pd.DataFrame:
    """Few enough clusters for every vector of signs: 2^10 = 1,024."""
    rng = np.random.default_rng(1024)
    years = np.arange(2014, 2020)
    cohort = np.r_[np.array(first, dtype=float), np.full(10 - len(first), np.nan)]
    noise = rng.normal(size=(10, len(years)))
    y = rng.normal(20, 2, size=(10, 1)) + 0.3 * (years - years[0]) + noise
    y += np.where(years >= cohort[:, None], 0.8, 0.0)
    return pd.DataFrame(
        {
            "unit": np.repeat(np.arange(1, 11), len(years)),
            "time": np.tile(years, 10),
            "cohort": np.repeat(cohort, len(years)),
            "y": np.round(y, DECIMALS).ravel(),
        }
    )


def _autoregressive(rng: np.random.Generator, n_years: int) -> np.ndarray:
    """Errors with correlation one half from a year to the next and standard deviation one and a half."""
    noise = np.empty((N_UNITS, n_years))
    noise[:, 0] = rng.normal(0, 1.5, size=N_UNITS)
    for t in range(1, n_years):
        noise[:, t] = 0.5 * noise[:, t - 1] + rng.normal(0, 1.5 * np.sqrt(0.75), size=N_UNITS)
    return noise
