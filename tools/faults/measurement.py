"""Faults of what is measured: too few adopters to see anything, and counts that change with adoption."""

from __future__ import annotations

import numpy as np
import pandas as pd
from detection import Fault

FEW = 5
"""Adopters that are left of 24."""

FACTOR = 1.5
"""What requests that end in signposting or no service are multiplied by, as `Recording` does."""


def five_adopters(panel: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Leave five adopters and all councils that do not adopt."""
    adopters = np.sort(panel.loc[panel["adoption_year"].notna(), "ons_code"].unique())
    kept = rng.choice(adopters, FEW, replace=False)
    return panel[panel["adoption_year"].isna() | panel["ons_code"].isin(kept)]


def contacts_as_requests(panel: pd.DataFrame, rows: pd.Series[bool]) -> pd.DataFrame:
    """Count contacts as requests in some rows: shares and rates follow."""
    signposted, nothing = (panel[name].astype(float) for name in ("signposted_count", "no_service_count"))
    more = ((FACTOR - 1) * (signposted + nothing)).where(rows, 0.0)
    old = panel["requests"].astype(float)
    requests = old + more
    out = panel.assign(requests=requests)
    factor = pd.Series(np.where(rows, FACTOR, 1.0), index=panel.index)
    for name in ("signposted", "no_service", "not_funded"):
        out[f"{name}_count"] = panel[f"{name}_count"].astype(float) * factor
        out[name] = out[f"{name}_count"] / requests
    for name in ("funded_narrow", "funded_mid", "funded_broad"):
        out[name] = panel[name].astype(float) * old / requests
    out["requests_per_100k"] = panel["requests_per_100k"].astype(float) * requests / old
    return out


def half_count_contacts(panel: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Let half of the adopters count contacts as requests from adoption on."""
    return contacts_as_requests(panel, _half_from(panel, rng, 0))


def adopters_change_recording(panel: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Let half of the adopters count contacts as requests from the year after adoption on."""
    return contacts_as_requests(panel, _half_from(panel, rng, 1))


def _half_from(panel: pd.DataFrame, rng: np.random.Generator, later: int) -> pd.Series[bool]:
    adopters = np.sort(panel.loc[panel["adoption_year"].notna(), "ons_code"].unique())
    chosen = rng.choice(adopters, adopters.size // 2, replace=False)
    since = panel["year"] >= panel["adoption_year"].astype(float) + later
    return panel["ons_code"].isin(chosen) & since


FAULTS = [
    Fault(
        "precision",
        "5 adopters instead of 24, where a change of 10% (£47 per adult) matters",
        five_adopters,
        margin=47.0,
    ),
    Fault(
        "denominator",
        "half of the adopters count contacts as requests from adoption on (signposted and no service x 1.5)",
        half_count_contacts,
        outcome="funded_mid",
    ),
    Fault(
        "recording",
        "half of the adopters count contacts as requests from the year after adoption on (x 1.5)",
        adopters_change_recording,
        outcome="funded_mid",
    ),
]
