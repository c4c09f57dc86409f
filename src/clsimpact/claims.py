"""The claims of the study as rules on estimates: what is consistent with a claim, and when one cannot say.

The publications print no coefficient and one magnitude (ten percentage points), so a claim is read as a sign,
a window and a comparison. Every rule works on intervals; none reads "not significant" as "no effect". A wider
interval never leads to *consistent* where a narrower one inside it did not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from clsimpact._check import number

__all__ = ["CLAIMS", "Claim", "Finding", "Judgement", "Verdict", "signed"]

Verdict = Literal["consistent", "not consistent", "inconclusive", "not estimable"]


class Finding(NamedTuple):
    """An estimate that a claim is judged by: the average over its window, with two intervals.

    ``low`` and ``high`` bound the 95% interval, ``low_90`` and ``high_90`` the 90% interval, whose ends are
    one-sided 95% bounds. ``treated`` is the smallest number of treated councils behind any event time of the
    window.
    """

    estimate: float
    low: float
    high: float
    low_90: float
    high_90: float
    treated: int


class Judgement(NamedTuple):
    """A verdict and the rule that led to it, in one sentence."""

    verdict: Verdict
    rule: str


@dataclass(frozen=True)
class Claim:
    """One claim of the study.

    Attributes
    ----------
    id, statement
        Its name, and what is claimed, in our words.
    source
        Where the publications say so.
    outcomes
        Outcome columns of the panel that speak to it.
    window
        First and last event time of the average that it is judged by; ``None`` is open.
    judge
        From a finding and a margin (in the outcome's unit) to a judgement.

    Examples
    --------
    >>> CLAIMS["C3"].judge(Finding(-0.1, -0.15, -0.05, -0.14, -0.06, 5), 0.01)
    Judgement(verdict='consistent', rule='the 95% interval lies below zero')
    """

    id: str
    statement: str
    source: str
    outcomes: tuple[str, ...]
    window: tuple[int | None, int | None]
    judge: Callable[[Finding, float], Judgement]


def signed(value: float) -> str:
    """Write a number with its sign and three figures, whatever its size.

    Examples
    --------
    >>> signed(17.84), signed(-0.01234), signed(0.0)
    ('+17.8', '-0.0123', '0')
    """
    return f"{'+' if value > 0 else ''}{number(value + 0.0)}"


def _increase(finding: Finding, _margin: float) -> Judgement:
    if finding.low > 0:
        return Judgement("consistent", "the 95% interval lies above zero")
    if finding.high < 0:
        return Judgement("not consistent", "the 95% interval lies below zero, where an increase is claimed")
    return Judgement("inconclusive", "the 95% interval includes zero: both directions remain possible")


def _decrease(finding: Finding, _margin: float) -> Judgement:
    if finding.high < 0:
        return Judgement("consistent", "the 95% interval lies below zero")
    if finding.low > 0:
        return Judgement("not consistent", "the 95% interval lies above zero, where a decrease is claimed")
    return Judgement("inconclusive", "the 95% interval includes zero: both directions remain possible")


def _no_increase(finding: Finding, margin: float) -> Judgement:
    """Non-inferiority: an increase of the margin or more must be ruled out."""
    bound = f"the one-sided 95% bound {signed(finding.high_90)}"
    if finding.high_90 < margin:
        return Judgement("consistent", f"{bound} is below the margin {signed(margin)}")
    if finding.low > 0:
        return Judgement("not consistent", "the 95% interval lies above zero, where no increase is claimed")
    return Judgement(
        "inconclusive", f"{bound} is not below the margin {signed(margin)}: such an increase is not ruled out"
    )


def _flat_before(finding: Finding, margin: float) -> Judgement:
    """Equivalence before adoption: both one-sided bounds within the margin; one council cannot show it."""
    if finding.treated < 2:
        return Judgement(
            "inconclusive",
            "some event times before adoption rest on one council, "
            "whose own variation cannot be told from a trend",
        )
    if -margin < finding.low_90 and finding.high_90 < margin:
        return Judgement(
            "consistent", f"the average before adoption is within {number(margin)} of zero at one-sided 95%"
        )
    if finding.low > 0 or finding.high < 0:
        return Judgement("not consistent", "the 95% interval of the average before adoption excludes zero")
    return Judgement("inconclusive", f"a difference of {number(margin)} before adoption is not ruled out")


_REPORT: Final = "report, main findings"
_FUNDED: Final = ("funded_broad", "funded_mid", "funded_narrow", "funded_author")
_REVIEWS: Final = ("planned_share", "planned_unplanned_ratio")

CLAIMS: Final[Mapping[str, Claim]] = {
    claim.id: claim
    for claim in (
        Claim(
            id="C1",
            statement="More requests end in signposting to other resources in the first two years "
            "(that the effect fades later is not tested)",
            source=f"{_REPORT}; the paper calls the evidence mixed",
            outcomes=("signposted",),
            window=(0, 1),
            judge=_increase,
        ),
        Claim(
            id="C2",
            statement="A greater proportion of reviews is planned, from the second year after adoption",
            source=f"{_REPORT}; paper",
            outcomes=_REVIEWS,
            window=(2, None),
            judge=_increase,
        ),
        Claim(
            id="C3",
            statement="Fewer new clients receive funded care, on average over the years after adoption "
            "(the direction is tested, not the paper's ten percentage points)",
            source=f"{_REPORT}; paper",
            outcomes=_FUNDED,
            window=(0, None),
            judge=_decrease,
        ),
        Claim(
            id="C4",
            statement="No increase in expenditure",
            source=f"{_REPORT}; paper",
            outcomes=("gce_per_adult",),
            window=(0, None),
            judge=_no_increase,
        ),
        Claim(
            id="C5",
            statement="No difference from other councils before adoption",
            source="report, Appendix A",
            outcomes=("gce_per_adult", "signposted", *_REVIEWS, *_FUNDED),
            window=(None, -1),
            judge=_flat_before,
        ),
    )
}
"""The five claims, by id."""
