"""Panels and second opinions that several test files use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from clsimpact.datasets import load_mpdta
from clsimpact.design import Design

ORACLE = 1e-8
"""Reference values have 8 to 16 digits; two solvers in double precision differ by less than 1e-10 here."""

SOLVER = 1e-8
"""Relative difference allowed between our solution and a dummy-variable regression on the same rows."""

EXACT = 1e-12
"""Differences of a few units in the last place, where two orders of summation meet."""


def mpdta(**options: Any) -> Design:
    return Design(load_mpdta(), outcome="lemp", unit="county", time="year", cohort="first_treat", **options)


def castle(folder: Path) -> Design:
    panel = pd.read_csv(folder / "bacon_castle.csv")
    first = panel[panel["post"] == 1].groupby("state")["year"].min()
    panel["first"] = panel["state"].map(first)
    return Design(panel, outcome="l_homicide", unit="state", time="year", cohort="first")


def stagg(folder: Path, **options: Any) -> Design:
    panel = pd.read_csv(folder / "fixest_base_stagg.csv")
    panel["first"] = panel["year_treated"].where(panel["year_treated"] < 10000)
    return Design(panel, outcome="y", unit="id", time="year", cohort="first", **options)


def ehec(folder: Path, **options: Any) -> Design:
    panel = pd.read_csv(folder / "ehec.csv")
    return Design(panel, outcome="dins", unit="stfips", time="year", cohort="yexp2", **options)


def textbook(folder: Path) -> dict[str, Design]:
    return {
        "castle": castle(folder),
        "stagg": stagg(folder),
        "stagg with a covariate": stagg(folder, covariates=["x1"]),
        "ehec": ehec(folder),
        "ehec weighted": ehec(folder, weights="W"),
    }


def five_units() -> pd.DataFrame:
    """Three periods, adopters in 2 (A) and 3 (B, C), two never treated: small enough for hand arithmetic."""
    outcomes = {
        "A": (2, [1, 4, 6]),
        "B": (3, [2, 2, 7]),
        "C": (3, [0, 1, 3]),
        "D": (np.nan, [5, 5, 6]),
        "E": (np.nan, [4, 6, 6]),
    }
    rows = [(u, t + 1, g, float(y)) for u, (g, ys) in outcomes.items() for t, y in enumerate(ys)]
    return pd.DataFrame(rows, columns=["unit", "time", "cohort", "y"])


def made_up(
    *,
    n_units: int = 40,
    years: tuple[int, ...] = (2014, 2016, 2017, 2020, 2021),
    seed: int = 5,
    share: float = 1.0,
) -> pd.DataFrame:
    """Councils in regions with gaps in the years; ``share`` of the rows after the first year are there."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(n_units):
        cohort = {0: 2016, 1: 2017, 2: 2018}.get(i % 8, np.nan)
        level = rng.normal(100, 10)
        for t in years:
            effect = -3.0 - 0.5 * (t - cohort) if t >= cohort else 0.0
            y = level + 0.7 * (t - 2014) + effect + rng.normal(0, 2)
            rows.append(
                (f"E{i:03d}", f"Council {i}", f"R{i // 8}", t, cohort, y, rng.uniform(0.5, 2), rng.normal())
            )
    columns = ["ons_code", "name", "region", "year", "adoption_year", "cost", "size", "need"]
    panel = pd.DataFrame(rows, columns=columns)
    there = (rng.uniform(size=len(panel)) <= share) | (panel["year"] == years[0])
    return panel[there].reset_index(drop=True)


def council_design(panel: pd.DataFrame, **options: Any) -> Design:
    roles = {"outcome": "cost", "unit": "ons_code", "time": "year", "cohort": "adoption_year"}
    return Design(panel, **(roles | options))


def with_holes(design: Design, *, lost_years: tuple[int, ...], seed: int = 11) -> Design:
    """Remove whole years and then 15% of the remaining rows at random."""
    rng = np.random.default_rng(seed)
    keep = ~np.isin(design.times, lost_years) & (rng.uniform(size=design.n_obs) > 0.15)
    return design.restrict(keep, reason="removed for a test")


def dummies(data: pd.DataFrame, formula: str, *, weights: str | None = None) -> Any:
    """statsmodels with the formula written out, as a reader would."""
    import statsmodels.formula.api as smf

    if weights is None:
        return smf.ols(formula, data).fit()
    return smf.wls(formula, data, weights=data[weights]).fit()


def clustered(data: pd.DataFrame, formula: str, cluster: str, *, weights: str | None = None) -> Any:
    """The same with the raw cluster sandwich (no finite-sample factor)."""
    import statsmodels.formula.api as smf

    model = smf.ols(formula, data) if weights is None else smf.wls(formula, data, weights=data[weights])
    groups = pd.factorize(data[cluster])[0]
    return model.fit(cov_type="cluster", cov_kwds={"groups": groups, "use_correction": False})
