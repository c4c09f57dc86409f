"""Every column of the panel: its definition, unit, source, and the function that derives it.

A derived value has the worst status of what it is made of: if one part is missing, so is the result, and its
status says why. Definitions of "funded care" are ours, offered side by side because the publications that the
library rebuilds do not print theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clsimpact._status import HAS_VALUE, STATUS_ORDER, Known, known, ratio, total

__all__ = [
    "HAS_VALUE",
    "OUTCOMES",
    "SEQUELS",
    "STATUS_ORDER",
    "Known",
    "Outcome",
    "Parts",
    "known",
]

SEQUELS: Final[Mapping[str, str]] = {
    "st_max": "Short term: to maximise independence",
    "nursing": "Long term: nursing",
    "residential": "Long term: residential",
    "community": "Long term: community",
    "prison": "Long term: prison",
    "nhs": "100% NHS funded care",
    "end_of_life": "End of life",
    "low_level": "Ongoing low level support",
    "other_short": "Short term: other",
    "signposted": "Universal services or signposted",
    "deceased": "No services: deceased",
    "no_service": "No services: other reason",
}
"""What can happen next to a request for support (SALT STS001): our short name to the label."""

_LONG: Final = ("nursing", "residential", "community", "prison")
_MID: Final = (*_LONG, "st_max")
_BROAD: Final = (*_MID, "low_level", "other_short", "end_of_life")
_AGES: Final = ("18_64", "65_plus")
_SUPPRESSED_MEAN: Final = 2.0
"""A suppressed count lies between 0 and 4: its middle."""
_SUPPRESSED_REACH: Final = 2.0
_SHARE_TOLERANCE: Final = 0.005
"""A share with suppressed parts is given (as *estimated*) if they cannot move it by more than this: half a
percentage point, a twentieth of the effect that the study reports."""


class Parts:
    """What outcomes are made of: values and statuses, one row an area and year, one column a part.

    Parameters
    ----------
    numbers
        Figures in the units of their publications (people, requests, £000; ``deflator`` is 1 in 2021-22); NaN
        where missing.
    statuses
        The status of each, one of :data:`STATUS_ORDER`.
    """

    def __init__(self, numbers: pd.DataFrame, statuses: pd.DataFrame) -> None:
        self.numbers = numbers
        self.statuses = statuses

    def __getitem__(self, name: str) -> Known:
        return Known(self.numbers[name].to_numpy("float64"), self.statuses[name].to_numpy("object"))


def requests_per_100k(parts: Parts) -> Known:
    """Return requests of both age bands per 100,000 residents aged 18 and over."""
    return ratio(
        total(parts["requests_18_64"], parts["requests_65_plus"]),
        total(parts["population_18_64"], parts["population_65_plus"]),
        1e5,
    )


def gce_real(parts: Parts) -> Known:
    """Return GCE at 2021-22 prices in £000: cash times the GDP deflator of 2021-22 over that of the year."""
    return ratio(parts["gce"], parts["deflator"])


def gce_per_adult(parts: Parts) -> Known:
    """Return GCE at 2021-22 prices in pounds per resident aged 18 and over."""
    return ratio(gce_real(parts), total(parts["population_18_64"], parts["population_65_plus"]), 1000.0)


def sequel_share(parts: Parts, sequels: Sequence[str]) -> Known:
    """Return the share of requests with a known sequel that ended in one of some sequels, both age bands.

    Suppressed counts (0 to 4) enter at 2 if together they cannot move the share by more than half a
    percentage point, and the status says *estimated*; else the share is missing. An estimate is kept within
    0 and 1. Where a council has no figure for prisons its published total is the sum of the other sequels,
    so that part is nothing.

    Parameters
    ----------
    parts
        With ``sequel_<name>_<age>`` for the sequels and ``total``, in requests.
    sequels
        Keys of :data:`SEQUELS`.

    Returns
    -------
    Known
        A proportion, from 0 to 1.
    """
    requests = total(parts["sequel_total_18_64"], parts["sequel_total_65_plus"])
    found = [
        _count_sequel(parts[f"sequel_{sequel}_{age}"], may_lack=sequel == "prison")
        for age in _AGES
        for sequel in sequels
    ]
    counts = [count for count, _ in found]
    hidden = np.sum([suppressed for _, suppressed in found], axis=0)
    share = ratio(total(*counts), requests)
    with np.errstate(divide="ignore", invalid="ignore"):
        reach = hidden * _SUPPRESSED_REACH / requests.value
    inexact = (hidden > 0) & np.isfinite(share.value)
    too_wide = inexact & (reach > _SHARE_TOLERANCE)
    value = np.where(inexact, np.clip(share.value, 0.0, 1.0), share.value)
    status = np.where(too_wide, "suppressed", np.where(inexact, "estimated", share.status))
    return Known(np.where(too_wide, np.nan, value), status.astype("object"))


def _count_sequel(part: Known, *, may_lack: bool) -> tuple[Known, NDArray[np.bool_]]:
    """Return a count with suppressed figures at their middle, and which ones were suppressed."""
    suppressed = part.status == "suppressed"
    nothing = (part.status == "not_submitted") & may_lack
    value = np.where(suppressed, _SUPPRESSED_MEAN, np.where(nothing, 0.0, part.value))
    return Known(value, np.where(suppressed | nothing, "published", part.status)), suppressed


def planned_share(parts: Parts) -> Known:
    """Return people with a planned review over people with any review."""
    return ratio(parts["clients_planned_reviews"], parts["clients_reviewed"])


def planned_unplanned_ratio(parts: Parts) -> Known:
    """Return people with a planned review over people with an unplanned review."""
    return ratio(parts["clients_planned_reviews"], parts["clients_unplanned_reviews"])


@dataclass(frozen=True)
class Outcome:
    """One outcome column of the panel.

    Attributes
    ----------
    name, label, unit, definition, source
        What the data dictionary says of it.
    publication
        Kind of figure it is made of, by which :mod:`clsimpact.publications` names what holds a missing year.
    derive
        The function that computes it from the parts; ``None`` when it is a part itself.
    claim
        Which claim of the study it speaks to; empty for secondary outcomes.
    """

    name: str
    label: str
    unit: str
    definition: str
    source: str
    publication: str
    derive: Callable[[Parts], Known] | None = None
    claim: str = ""


_REQUESTS, _SEQUELS, _REVIEWS, _CLIENTS, _MONEY = "requests", "sequels", "reviews", "clients", "money"


def _sequel_outcome(name: str, label: str, sequels: Sequence[str], words: str, claim: str) -> Outcome:
    return Outcome(
        name,
        label,
        "proportion of requests",
        f"{words}, over all requests from new clients with a known sequel, both age bands",
        "SALT STS001 (T10, T11)",
        _SEQUELS,
        lambda parts: sequel_share(parts, sequels),
        claim,
    )


def _by_age(name: str, label: str, definition: str, publication: str, unit: str) -> tuple[Outcome, ...]:
    ages = {"18_64": "aged 18 to 64", "65_plus": "aged 65 and over"}
    return tuple(
        Outcome(f"{name}_{short}", f"{label}, {age}", unit, definition.format(age=age), "SALT", publication)
        for short, age in ages.items()
    )


OUTCOMES: Final[Mapping[str, Outcome]] = {
    outcome.name: outcome
    for outcome in (
        Outcome(
            "gce",
            "Gross current expenditure",
            "£000, cash",
            "spending on adult social care less all income but client contributions, less capital charges",
            "PSS-EX1 2014-15; ASC-FR 2016-17, 2017-18; data tables 2021-22 (T15)",
            _MONEY,
        ),
        Outcome(
            "gce_real",
            "Gross current expenditure, constant prices",
            "£000, 2021-22 prices",
            "gce times the GDP deflator of 2021-22 over that of the year",
            "as gce; GDP deflator (HM Treasury)",
            _MONEY,
            gce_real,
        ),
        Outcome(
            "gce_per_adult",
            "Gross current expenditure per adult",
            "£ per adult, 2021-22 prices",
            "gce_real per resident aged 18 and over (2021-22: of mid-2020, as the publisher does)",
            "as gce_real; mid-year population estimates (ONS)",
            _MONEY,
            gce_per_adult,
            "C4",
        ),
        *_by_age(
            "requests",
            "Requests for support",
            "requests for support from new clients {age} whose sequel became known in the year",
            _REQUESTS,
            "requests",
        ),
        Outcome(
            "requests_per_100k",
            "Requests for support per 100,000 adults",
            "requests per 100,000 adults",
            "requests of both age bands per 100,000 residents aged 18 and over (2021-22: of mid-2020)",
            "SALT STS001 (T2); mid-year population estimates (ONS)",
            _REQUESTS,
            requests_per_100k,
        ),
        *_by_age(
            "long_term",
            "People with long term support",
            "people {age} with long term support at any time in the year",
            _CLIENTS,
            "people",
        ),
        _sequel_outcome(
            "signposted",
            "Requests that ended in signposting",
            ("signposted",),
            "universal services or signposted to other services",
            "C1",
        ),
        _sequel_outcome(
            "no_service",
            "Requests that ended in no service",
            ("deceased", "no_service"),
            "no services provided (deceased or another reason)",
            "",
        ),
        _sequel_outcome(
            "not_funded",
            "Requests that ended in no funded care",
            ("signposted", "deceased", "no_service"),
            "signposted or no services provided",
            "",
        ),
        _sequel_outcome(
            "funded_narrow",
            "Requests that led to long term care",
            _LONG,
            "long term support (nursing, residential, community, prison)",
            "C3",
        ),
        _sequel_outcome(
            "funded_mid",
            "Requests that led to long term care or reablement",
            _MID,
            "long term support or short term support to maximise independence",
            "C3",
        ),
        _sequel_outcome(
            "funded_broad",
            "Requests that led to any council support",
            _BROAD,
            "long term, short term, end of life or ongoing low level support (without 100% NHS funded care)",
            "C3",
        ),
        _sequel_outcome(
            "funded_author",
            "Requests that led to care (with NHS funded care)",
            (*_BROAD, "nhs"),
            "the grouping of a map by the study's first author: any council support or 100% NHS funded care",
            "C3",
        ),
        Outcome(
            "planned_share",
            "People reviewed who had a planned review",
            "proportion of people reviewed",
            "people with a planned review over people with any review, "
            "of those with more than 12 months of support",
            "SALT LTS002b (T50)",
            _REVIEWS,
            planned_share,
            "C2",
        ),
        Outcome(
            "planned_unplanned_ratio",
            "Planned reviews per unplanned review",
            "ratio",
            "people with a planned review over people with an unplanned review",
            "SALT LTS002b (T50)",
            _REVIEWS,
            planned_unplanned_ratio,
            "C2",
        ),
    )
}
"""The outcomes of the study, by name. Secondary outcomes from ASCOF are added by the panel."""
