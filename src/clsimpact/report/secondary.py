"""Outcomes of which the study claims nothing: what the figures at hand say of them, without a verdict."""

from __future__ import annotations

import warnings
from collections.abc import Collection
from typing import Any

import numpy as np
import pandas as pd

from clsimpact._check import plural
from clsimpact.claims import CLAIMS
from clsimpact.design import Design
from clsimpact.dictionary import ASCOF_OUTCOMES
from clsimpact.errors import SampleWarning
from clsimpact.estimators.twfe import twfe
from clsimpact.outcomes import OUTCOMES, Outcome
from clsimpact.years import spans, year_label

__all__ = ["held_years", "not_estimable", "secondary_table"]


def held_years(tagged: pd.DataFrame, outcome: str) -> list[int]:
    """Return the years with a value of the outcome for at least one area."""
    return sorted(int(year) for year in tagged.loc[tagged[outcome].notna(), "year"].unique())


def not_estimable(tagged: pd.DataFrame, outcome: str) -> str:
    """Say why no comparison of before and after can be made, or return an empty text."""
    years = held_years(tagged, outcome)
    if not years:
        return "no figures are held"
    if len(years) == 1:
        return f"figures are held for one year only ({year_label(years[0])}): there is no before and after"
    adopters = tagged[tagged[outcome].notna() & tagged["adoption_year"].notna()]
    if not (adopters.groupby("ons_code")["treated"].nunique() == 2).any():
        return f"no adopter has figures both before and after adoption ({spans(years)} held)"
    return ""


def secondary_table(tagged: pd.DataFrame, *, claimed: Collection[str] | None = None) -> pd.DataFrame:
    """Estimate the static effect on every outcome that no claim speaks of.

    Parameters
    ----------
    tagged
        A panel from :func:`clsimpact.tag_adoption`.
    claimed
        Outcomes that claims speak of, which are left out; by default those of the study.

    Returns
    -------
    pandas.DataFrame
        ``outcome, label, unit, estimate, conf_low, conf_high, treated, years_held, remark``: two-way fixed
        effects, in the outcome's unit. With one adopter there is no interval, because one council's own
        variation cannot be estimated; ``remark`` says so, or why nothing can be estimated.

    Examples
    --------
    >>> import clsimpact as ci
    >>> table = secondary_table(ci.tag_adoption(ci.load_panel(), ci.load_adoption()))
    >>> table.loc[table["outcome"] == "requests_per_100k", "remark"].item()
    'no adopter has figures both before and after adoption (2019-20 to 2021-22 held)'
    """
    spoken = (
        {name for claim in CLAIMS.values() for name in claim.outcomes} if claimed is None else set(claimed)
    )
    spoken |= {"gce", "gce_real"}
    outcomes = [
        outcome for outcome in (*OUTCOMES.values(), *ASCOF_OUTCOMES.values()) if outcome.name not in spoken
    ]
    return pd.DataFrame([_row(tagged, outcome) for outcome in outcomes])


def _row(tagged: pd.DataFrame, outcome: Outcome) -> dict[str, Any]:
    row: dict[str, Any] = {
        "outcome": outcome.name,
        "label": outcome.label,
        "unit": outcome.unit,
        "estimate": None,
        "conf_low": None,
        "conf_high": None,
        "treated": 0,
        "years_held": spans(held_years(tagged, outcome.name)) or "none",
        "remark": not_estimable(tagged, outcome.name),
    }
    if row["remark"]:
        return row
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SampleWarning)
        fit = twfe(Design(tagged, outcome=outcome.name, unit="ons_code", time="year", cohort="adoption_year"))
    found = fit.overall.iloc[0]
    names = ", ".join(sorted(tagged.loc[tagged["ons_code"].isin(_adopters(fit.design)), "name"].unique()))
    row.update(estimate=float(found["estimate"]), treated=fit.design.n_treated)
    if not np.isnan(found["conf_low"]):
        row.update(conf_low=float(found["conf_low"]), conf_high=float(found["conf_high"]), remark=names)
    else:
        few = plural(fit.design.n_treated, "adopter")
        row.update(remark=f"{few} with figures before and after ({names}): no interval can be trusted")
    return row


def _adopters(design: Design) -> list[Any]:
    return [
        unit for unit, cohort in zip(design.units, design.unit_cohorts, strict=True) if not np.isnan(cohort)
    ]
