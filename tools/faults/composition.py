"""Faults of composition: adopters unlike others, trends that follow it, regional shocks, spill-overs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from detection import Fault

TILT = 1.0
"""Log odds of adoption per standard deviation: adopters are about one standard deviation apart."""

DRIFT = 8.0
"""Pounds per adult and year that spending grows faster per standard deviation of deprivation (1.6%)."""

SHOCK, FROM = -10.0, 2016
"""Pounds per adult and year by which every council of some regions falls behind: about 2% a year.
A single step would be gone from councils that adopt after it."""

REGIONS, INSIDE = ("North East", "West Midlands", "Yorkshire and The Humber"), 0.6
"""Regions in which adopters are concentrated, and their share there: three of five, as on the real list."""

NEXT_DOOR = -30.0
"""Pounds per adult by which councils next to an adopter spend less from its adoption on: about 6%."""

WHOLE_REGION = -150.0
"""Pounds per adult by which councils would spend less if their whole region adopted; 13% typically have."""

YEAR = "adoption_year"


def _standard(panel: pd.DataFrame, column: str) -> pd.Series[Any]:
    """Return the mean of a column in the first two years by council, in standard deviations."""
    early = panel[panel["year"] < 2016].groupby("ons_code")[column].mean()
    return (early.fillna(early.mean()) - early.mean()) / early.std()


def _ones(mask: pd.Series[Any]) -> pd.Series[Any]:
    """Return one where true, else zero."""
    return pd.Series(mask.to_numpy(dtype=float), index=mask.index)


def _redrawn(panel: pd.DataFrame, rng: np.random.Generator, column: str) -> pd.DataFrame:
    """Draw the adopters again, with odds that rise with a column; cohorts keep their sizes."""
    dates = panel.drop_duplicates("ons_code").set_index("ons_code")[YEAR].dropna()
    score = _standard(panel, column).sort_index()
    odds = np.exp(TILT * score.to_numpy(dtype=float))
    chosen = rng.choice(score.index.to_numpy(), len(dates), replace=False, p=odds / odds.sum())
    return _dated(panel, chosen, dates)


def _dated(panel: pd.DataFrame, chosen: Any, dates: pd.Series[Any]) -> pd.DataFrame:
    """Give the dates of adoption to the chosen councils, in order."""
    given = dict(zip(chosen, dates.to_numpy(dtype=float), strict=True))
    return panel.assign(adoption_year=panel["ons_code"].map(given).astype(float))


def spending_apart(panel: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Let councils that spend more be likelier to adopt."""
    return _redrawn(panel, rng, "gce_per_adult")


def drift(panel: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Let spending grow faster where deprivation is higher; adopters are drawn at random."""
    slope = panel["ons_code"].map(_standard(panel, "imd_2019")) * DRIFT
    return panel.assign(gce_per_adult=panel["gce_per_adult"] + slope * (panel["year"] - 2014))


def drift_of_adopters(panel: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Let deprived councils be likelier to adopt, in a panel whose spending grows with deprivation."""
    return _redrawn(panel, rng, "imd_2019")


def concentrated(panel: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Draw the adopters again, most of them in three regions; cohorts keep their sizes."""
    regions = panel.drop_duplicates("ons_code").set_index("ons_code")["region"].sort_index()
    dates = panel.drop_duplicates("ons_code").set_index("ons_code")[YEAR].dropna()
    inside = regions.isin(REGIONS).to_numpy(dtype=bool)
    count = round(INSIDE * len(dates))
    codes = regions.index.to_numpy()
    chosen = [
        *rng.choice(codes[inside], count, replace=False),
        *rng.choice(codes[~inside], len(dates) - count, replace=False),
    ]
    return _dated(panel, rng.permutation(chosen), dates)


def regional_shock(panel: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Let spending of every council fall behind in the regions where adopters are concentrated."""
    hit = panel["region"].isin(REGIONS) & (panel["year"] >= FROM)
    years = panel["year"] - FROM + 1
    return panel.assign(gce_per_adult=panel["gce_per_adult"] + SHOCK * years * _ones(hit))


def ring(panel: pd.DataFrame) -> pd.DataFrame:
    """Return pairs of neighbours: councils of a region in a circle, by code."""
    pairs = []
    for _, units in panel.drop_duplicates("ons_code").sort_values("ons_code").groupby("region"):
        codes = units["ons_code"].tolist()
        pairs += list(zip(codes, [*codes[1:], codes[0]], strict=True))
    return pd.DataFrame(pairs, columns=["one", "other"])


def next_door(panel: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Cut spending of councils that do not adopt from the first adoption next door on."""
    dates = panel.drop_duplicates("ons_code").set_index("ons_code")[YEAR].astype(float)
    pairs = ring(panel)
    both = pd.concat([pairs, pairs.rename(columns={"one": "other", "other": "one"})])
    first = both.assign(date=both["other"].map(dates)).groupby("one")["date"].min()
    after = panel["year"] >= panel["ons_code"].map(first).fillna(np.inf)
    return panel.assign(gce_per_adult=panel["gce_per_adult"] + NEXT_DOOR * _ones(after & panel[YEAR].isna()))


def whole_region(panel: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Cut spending of councils that do not adopt by the share of their region that has adopted."""
    adopted = panel["year"] >= panel[YEAR].astype(float).fillna(np.inf)
    share = adopted.groupby([panel["region"], panel["year"]]).transform("mean")
    return panel.assign(
        gce_per_adult=panel["gce_per_adult"] + WHOLE_REGION * share * _ones(panel[YEAR].isna())
    )


def neighbours(panel: pd.DataFrame, adoption: pd.DataFrame) -> dict[str, Any]:
    """Hand over who adjoins whom."""
    return {"neighbours": ring(panel)}


FAULTS = [
    Fault("overlap", "councils that spend more are likelier to adopt (a standard deviation)", spending_apart),
    Fault(
        "matching",
        "spending grows with deprivation (1.6% a year per standard deviation); deprived councils are "
        "likelier to adopt (without the fault: adoption is random)",
        drift_of_adopters,
        clean=drift,
    ),
    Fault(
        "regional_shocks",
        "spending falls behind by £10 (2%) a year in three regions with three in five adopters "
        "(without the fault: adopters are concentrated, without a shock)",
        regional_shock,
        clean=concentrated,
    ),
    Fault(
        "spill_overs",
        "councils next to an adopter spend £30 (6%) less from its adoption on; pairs of neighbours given",
        next_door,
        given=neighbours,
    ),
    Fault(
        "spill_overs",
        "councils spend less by the share of their region that has adopted (£20 at the typical 13%)",
        whole_region,
    ),
]
