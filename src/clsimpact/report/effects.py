"""From a tagged panel to what a claim is judged by: one event study per outcome, averaged over a window."""

from __future__ import annotations

import warnings
from typing import Final

import pandas as pd

from clsimpact.claims import Claim, Finding
from clsimpact.design import Design
from clsimpact.errors import DesignError, SampleWarning
from clsimpact.estimators.event_study import event_study
from clsimpact.results import Estimate

__all__ = ["find_effect", "fit_outcome"]

_FAR: Final = -(10**6)


def fit_outcome(tagged: pd.DataFrame, outcome: str) -> Estimate:
    """Fit the event study of one outcome on a tagged panel, with the inference that its adopters call for.

    Parameters
    ----------
    tagged
        A panel from :func:`clsimpact.tag_adoption`.
    outcome
        Column of the panel.

    Returns
    -------
    Estimate
        One term per event time.

    Raises
    ------
    DesignError
        If the panel cannot carry the design.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SampleWarning)
        design = Design(tagged, outcome=outcome, unit="ons_code", time="year", cohort="adoption_year")
        return event_study(design)


def find_effect(fit: Estimate, claim: Claim) -> tuple[Finding, str]:
    """Average the path over a claim's window, at 95% and at 90%.

    Parameters
    ----------
    fit
        An event study.
    claim
        Whose window it is.

    Returns
    -------
    Finding
        What the claim is judged by.
    str
        The event times, in words.

    Raises
    ------
    DesignError
        If no event time of the window is identified.
    """
    first, last = claim.window
    post = first is not None
    tidy = fit.tidy()
    known = tidy[tidy["event_time"].notna() & tidy["identified"]]
    inside = known[
        known["event_time"].between(_FAR if first is None else first, -_FAR if last is None else last)
    ]
    if inside.empty:
        raise DesignError(f"no event time {_span(first, last)} is identified")
    times = [int(time) for time in inside["event_time"]]
    weights = dict.fromkeys(times, 1.0)
    row = fit.average(post=post, weights=weights).iloc[0]
    wide = fit.with_inference("auto", level=0.90).average(post=post, weights=weights).iloc[0]
    found = Finding(
        estimate=float(row["estimate"]),
        low=float(row["conf_low"]),
        high=float(row["conf_high"]),
        low_90=float(wide["conf_low"]),
        high_90=float(wide["conf_high"]),
        treated=int(inside["n_units"].min()),
    )
    return found, f"average over event times {_span(min(times), max(times))}"


def _span(first: int | None, last: int | None) -> str:
    """Write a window of event times."""
    if first is None or last is None:
        return f"{last} and before" if first is None else f"{first} and later"
    return f"{first} to {last}" if first != last else str(first)
