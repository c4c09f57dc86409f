"""Every outcome of the panel: its definition, unit, source, and the function that derives it.

A derived value has the worst status of what it is made of: if one part is missing, so is the result, and its
status says why. Definitions of "funded care" are ours, offered side by side because the publications that the
library rebuilds do not print theirs.

Outcomes are declared once, as families, and cut by age band and route of access: ``signposted``,
``signposted_18_64``, ``signposted_hospital``, ``signposted_18_64_hospital``. Numerators, such as
``signposted_count``, are cut by one or the other; by both they are the share times ``requests`` of the cut.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from clsimpact._derive import (
    Cut,
    Parts,
    adults,
    gce_by_age,
    in_real_terms,
    log_ratio,
    long_term_clients,
    requests_of,
    reviewed,
    sequel_count,
    sequel_share,
)
from clsimpact._families import Family, Kind, Outcome
from clsimpact._status import HAS_VALUE, STATUS_ORDER, Known, known, ratio

__all__ = [
    "EVERY_OUTCOME",
    "HAS_VALUE",
    "OUTCOMES",
    "ROUTES",
    "SEQUELS",
    "STATUS_ORDER",
    "VARIANTS",
    "Known",
    "Outcome",
    "Parts",
    "known",
    "sequel_share",
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

ROUTES: Final[Mapping[str, str]] = {
    "discharge": "Discharge from hospital",
    "diversion": "Diversion from hospital services",
    "community": "Community or other route",
}
"""The routes of access that outcomes are cut by. Transition, depleted funds and prison are in neither cut."""

_LONG: Final = ("nursing", "residential", "community", "prison")
_MID: Final = (*_LONG, "st_max")
_BROAD: Final = (*_MID, "low_level", "other_short", "end_of_life")
_NOT_IN_2014: Final = frozenset({"prison", "nhs"})


_REQUESTS: Final = Kind(
    ("requests", "SALT STS001"), ("requests", "SALT STS001"), ("requests_by_route", "SALT STS001 (T8)")
)
_SEQUELS: Final = Kind(
    ("sequels", "SALT STS001 (T10, T11)"),
    ("sequels", "SALT STS001 (T10, T11)"),
    ("sequels_by_route", "SALT STS001 (CSV only)"),
)
_CLIENTS: Final = Kind(("clients", "SALT LTS001a"), ("clients", "SALT LTS001a"))
_REVIEWS: Final = Kind(("reviews", "SALT LTS002b (T50)"), ("reviews_by_age", "SALT LTS002b (CSV only)"))
_MONEY: Final = Kind(
    ("money", "PSS-EX1 2014-15; ASC-FR (T14, T15)"), ("money_by_age", "PSS-EX1 2014-15; ASC-FR (T17)")
)


def _gce(parts: Parts, cut: Cut) -> Known:
    return gce_by_age(parts, cut) if cut.suffix else parts["gce"]


def _gce_real(parts: Parts, cut: Cut) -> Known:
    return in_real_terms(parts, _gce(parts, cut))


_PRICES: Final = "; GDP deflator (HM Treasury)"
_RESIDENTS: Final = "; mid-year population estimates (ONS)"
_MONEY_FAMILIES: Final = (
    Family(
        "gce",
        "Gross current expenditure",
        "£000, cash",
        "spending on adult social care less all income but client contributions, less capital charges "
        "(by age: on long and short term care, as other care has no age)",
        _MONEY,
        _gce,
    ),
    Family(
        "gce_real",
        "Gross current expenditure, constant prices",
        "£000, 2021-22 prices",
        "gce times the GDP deflator of 2021-22 over that of the year",
        _MONEY,
        _gce_real,
        more_sources=_PRICES,
    ),
    Family(
        "gce_per_adult",
        "Gross current expenditure per adult",
        "£ per adult, 2021-22 prices",
        "gce_real per resident aged 18 and over (2021-22: of mid-2020, as the publisher does), "
        "by age per resident of the band",
        _MONEY,
        lambda parts, cut: ratio(_gce_real(parts, cut), adults(parts, cut), 1e3),
        "C4",
        f"{_PRICES}{_RESIDENTS}",
    ),
    Family(
        "gce_per_long_term_client",
        "Gross current expenditure per person with long term support",
        "£ per person, 2021-22 prices",
        "gce_real per person with long term support at any time in the year",
        _MONEY,
        lambda parts, cut: ratio(_gce_real(parts, cut), long_term_clients(parts, cut), 1e3),
        more_sources=f"{_PRICES}; SALT LTS001a",
    ),
)
_REQUEST_FAMILIES: Final = (
    Family(
        "requests",
        "Requests for support",
        "requests",
        "requests for support from new clients whose sequel became known in the year: "
        "what every share of sequels is taken of",
        _REQUESTS,
        requests_of,
    ),
    Family(
        "requests_per_100k",
        "Requests for support per 100,000 adults",
        "requests per 100,000 adults",
        "requests per 100,000 residents of the same ages (2021-22: of mid-2020)",
        _REQUESTS,
        lambda parts, cut: ratio(requests_of(parts, cut), adults(parts, cut), 1e5),
        more_sources=_RESIDENTS,
    ),
)
_CLIENT_FAMILIES: Final = (
    Family(
        "long_term",
        "People with long term support",
        "people",
        "people with long term support at any time in the year",
        _CLIENTS,
        long_term_clients,
    ),
)


def _share(name: str, label: str, sequels: Sequence[str], words: str, claim: str) -> tuple[Family, ...]:
    """Return a share of requests and its numerator."""
    left_out = _NOT_IN_2014.intersection(sequels)
    note = (
        "; in 2014-15 prison and NHS funded care were not asked for and count as nothing" if left_out else ""
    )
    ending = label.removeprefix("Requests that ")
    return (
        Family(
            name,
            label,
            "proportion of requests",
            f"{words}, over all requests from new clients with a known sequel{note}",
            _SEQUELS,
            lambda parts, cut: sequel_share(parts, sequels, cut),
            claim,
        ),
        Family(
            f"{name}_count",
            f"Number of requests that {ending}",
            "requests",
            f"numerator of {name}: {words}{note}",
            _SEQUELS,
            lambda parts, cut: sequel_count(parts, sequels, cut),
            crossed=False,
        ),
    )


_SHARES: Final = (
    (
        "signposted",
        "Requests that ended in signposting",
        ("signposted",),
        "universal services or signposted to other services",
        "C1",
    ),
    (
        "no_service",
        "Requests that ended in no service",
        ("deceased", "no_service"),
        "no services provided (deceased or another reason)",
        "",
    ),
    (
        "not_funded",
        "Requests that ended in no funded care",
        ("signposted", "deceased", "no_service"),
        "signposted or no services provided",
        "",
    ),
    (
        "funded_narrow",
        "Requests that led to long term care",
        _LONG,
        "long term support (nursing, residential, community, prison)",
        "C3",
    ),
    (
        "funded_mid",
        "Requests that led to long term care or reablement",
        _MID,
        "long term support or short term support to maximise independence",
        "C3",
    ),
    (
        "funded_broad",
        "Requests that led to any council support",
        _BROAD,
        "long term, short term, end of life or ongoing low level support (without 100% NHS funded care)",
        "C3",
    ),
    (
        "funded_author",
        "Requests that led to care (with NHS funded care)",
        (*_BROAD, "nhs"),
        "the grouping of a map by the study's first author: any council support or 100% NHS funded care",
        "C3",
    ),
)


def _reviews(kind: str) -> Callable[[Parts, Cut], Known]:
    return lambda parts, cut: reviewed(parts, kind, cut)


def _ratio_of_reviews(top: str, bottom: str) -> Callable[[Parts, Cut], Known]:
    return lambda parts, cut: ratio(reviewed(parts, top, cut), reviewed(parts, bottom, cut))


_OVER_12: Final = "of those with more than 12 months of support"
_REVIEW_FAMILIES: Final = (
    Family(
        "planned_share",
        "People reviewed who had a planned review",
        "proportion of people reviewed",
        f"people with a planned review over people with any review, {_OVER_12}",
        _REVIEWS,
        _ratio_of_reviews("planned_reviews", "reviewed"),
        "C2",
    ),
    Family(
        "planned_unplanned_ratio",
        "Planned reviews per unplanned review",
        "ratio",
        f"people with a planned review over people with an unplanned review, {_OVER_12}",
        _REVIEWS,
        _ratio_of_reviews("planned_reviews", "unplanned_reviews"),
        "C2",
    ),
    Family(
        "planned_unplanned_log_ratio",
        "Planned reviews per unplanned review, logarithm",
        "natural logarithm of a ratio",
        "natural logarithm of planned_unplanned_ratio; not_applicable where either count is zero",
        _REVIEWS,
        lambda parts, cut: log_ratio(
            reviewed(parts, "planned_reviews", cut), reviewed(parts, "unplanned_reviews", cut)
        ),
        "C2",
    ),
    *(
        Family(
            f"{kind}_clients",
            f"People with {words} review",
            "people",
            f"people with {words} review, {_OVER_12}",
            _REVIEWS,
            _reviews(part),
        )
        for kind, words, part in (
            ("planned", "a planned", "planned_reviews"),
            ("unplanned", "an unplanned", "unplanned_reviews"),
            ("reviewed", "any", "reviewed"),
        )
    ),
)

_HEADLINES: Final = (
    "gce",
    "gce_real",
    "gce_per_adult",
    "requests_18_64",
    "requests_65_plus",
    "requests_per_100k",
    "long_term_18_64",
    "long_term_65_plus",
    *(name for name, *_ in _SHARES),
    "planned_share",
    "planned_unplanned_ratio",
)


def _every() -> Mapping[str, Outcome]:
    shares = [family for row in _SHARES for family in _share(*row)]
    families = (*_MONEY_FAMILIES, *_REQUEST_FAMILIES, *_CLIENT_FAMILIES, *shares, *_REVIEW_FAMILIES)
    found = {outcome.name: outcome for family in families for outcome in family.cuts()}
    return {name: found[name] for name in dict.fromkeys((*_HEADLINES, *found))}


EVERY_OUTCOME: Final = _every()
"""Every outcome, by name: those of the study, then their variants. The panel adds those from ASCOF."""
OUTCOMES: Final = {name: EVERY_OUTCOME[name] for name in _HEADLINES}
"""The outcomes of the study, by name."""
VARIANTS: Final = {name: it for name, it in EVERY_OUTCOME.items() if name not in OUTCOMES}
"""The same by age band and route, other measures of the same claims, numerators and denominators."""
