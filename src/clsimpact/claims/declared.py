"""What is claimed: each claim as tests on the path of effects, those of the study among them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Final

from clsimpact.claims._problems import CHANGES, fit_problems, rule_problems
from clsimpact.claims.rules import Rule
from clsimpact.errors import ClsimpactError

__all__ = ["CLAIMS", "Claim", "ClaimTest", "span_words"]

_MARGIN_RULES: Final = ("no_increase", "no_decrease", "no_difference")


def span_words(first: int | None, last: int | None) -> str:
    """Write a window of event times; ``None`` is an open end.

    Examples
    --------
    >>> span_words(0, 1), span_words(2, None), span_words(None, -1), span_words(3, 3)
    ('event times 0 to 1', 'event times 2 and later', 'event times -1 and before', 'event time 3')
    """
    if first is None or last is None:
        if first is None and last is None:
            return "all event times"
        return f"event times {last} and before" if first is None else f"event times {first} and later"
    return f"event times {first} to {last}" if first != last else f"event time {first}"


@dataclass(frozen=True)
class ClaimTest:
    """One thing that a claim says of the path of effects.

    Attributes
    ----------
    rule
        ``increase`` or ``decrease`` (the average over the window has that sign); ``no_increase`` or
        ``no_decrease`` (non-inferiority: such a change of the margin or more is ruled out);
        ``no_difference`` (equivalence: within the margin); ``equals`` (within ``tolerance`` of ``value``);
        ``fades`` or ``grows`` (the average over the window against that over an earlier one, for an effect
        whose sign is ``direction``).
    first, last
        Event times of the window, both included; ``None`` is open. Event time 0 is the year of adoption.
    earlier_first, earlier_last
        The earlier window of ``fades`` and ``grows``.
    direction
        Sign of the effect that ``fades`` or ``grows``: 1 or -1.
    value, tolerance, reason
        Of ``equals``: the size claimed, how far from it still counts (both in the unit of the outcome), and
        why so far.
    outcomes
        The outcomes of the claim that are tested so; empty for all.

    Raises
    ------
    ClsimpactError
        If the rule is unknown, lacks what it needs, or a window ends before it begins; all problems are
        listed.

    Examples
    --------
    >>> ClaimTest("increase", 0, 1).window
    'event times 0 to 1'
    >>> ClaimTest("fades", 2, None, earlier_first=0, earlier_last=1, direction=1).window
    'event times 2 and later against event times 0 to 1'
    """

    rule: Rule
    first: int | None = 0
    last: int | None = None
    earlier_first: int | None = None
    earlier_last: int | None = None
    direction: int = 0
    value: float = 0.0
    tolerance: float = 0.0
    reason: str = ""
    outcomes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        given = {name: value for name, value in asdict(self).items() if value is not None}
        if problems := list(rule_problems(given)):
            raise ClsimpactError(
                f"The test {self.rule!r} cannot be made.",
                problems,
                repair="Correct the claims file; docs/report.md has the rules.",
            )

    @property
    def window(self) -> str:
        """The event times, in words."""
        own = span_words(self.first, self.last)
        if self.rule not in CHANGES:
            return own
        return f"{own} against {span_words(self.earlier_first, self.earlier_last)}"

    @property
    def needs_margin(self) -> bool:
        """Whether the rule asks for a margin that is too small to matter."""
        return self.rule in _MARGIN_RULES


@dataclass(frozen=True)
class Claim:
    """One claim.

    Attributes
    ----------
    id, statement
        Its name, and what is claimed, in our words.
    source
        Where it is claimed.
    outcomes
        Outcome columns that speak to it. The first is its main outcome, whose first test enters the family
        of tests that is corrected for multiplicity; the others are other definitions of it.
    tests
        What is tested, the main one first. All must hold for the claim to be *consistent*.
    published
        A size that was published, in words; empty where none was.

    Raises
    ------
    ClsimpactError
        If there is no outcome or no test, a test names an outcome that the claim does not, or an outcome has
        no test.

    Examples
    --------
    >>> CLAIMS["C3"].outcomes[0], [test.rule for test in CLAIMS["C3"].tests]
    ('funded_mid', ['decrease', 'decrease', 'equals'])
    """

    id: str
    statement: str
    source: str
    outcomes: tuple[str, ...]
    tests: tuple[ClaimTest, ...]
    published: str = ""

    def __post_init__(self) -> None:
        if problems := list(fit_problems(self.outcomes, [test.outcomes for test in self.tests])):
            raise ClsimpactError(
                f"The claim {self.id!r} cannot be tested.",
                problems,
                repair="Correct the claims file; docs/report.md has the rules.",
            )

    def tests_of(self, outcome: str) -> tuple[ClaimTest, ...]:
        """Return the tests that an outcome is put to, the main one first.

        Examples
        --------
        >>> [test.direction for test in CLAIMS["C5b"].tests_of("funded_mid")]
        [-1]
        """
        return tuple(test for test in self.tests if not test.outcomes or outcome in test.outcomes)


_REPORT: Final = "report, main findings"
_FUNDED: Final = ("funded_mid", "funded_broad", "funded_narrow", "funded_author")
_REVIEWS: Final = ("planned_share", "planned_unplanned_ratio")
TEN_POINTS: Final = (
    "the paper prints one number rounded to whole points and no definition of funded care; half of it on "
    "either side is ours"
)

CLAIMS: Final[Mapping[str, Claim]] = {
    claim.id: claim
    for claim in (
        Claim(
            id="C1",
            statement="More requests end in signposting to other resources in the first two years, and the "
            "effect then fades",
            source=f"{_REPORT}, and the body of the report; the paper calls the evidence mixed",
            outcomes=("signposted",),
            tests=(
                ClaimTest("increase", 0, 1),
                ClaimTest("fades", 2, None, earlier_first=0, earlier_last=1, direction=1),
            ),
        ),
        Claim(
            id="C2",
            statement="A greater proportion of reviews is planned, from the second year after adoption",
            source=f"{_REPORT}; paper",
            outcomes=_REVIEWS,
            tests=(ClaimTest("increase", 2, None),),
        ),
        Claim(
            id="C3",
            statement="Fewer new clients receive funded care, by ten percentage points, and the difference "
            "is maintained over time",
            source=f"{_REPORT}; the size is the paper's",
            outcomes=_FUNDED,
            tests=(
                ClaimTest("decrease", 0, None),
                ClaimTest("decrease", 2, None),
                ClaimTest("equals", 0, None, value=-0.10, tolerance=0.05, reason=TEN_POINTS),
            ),
            published="-10 percentage points",
        ),
        Claim(
            id="C4",
            statement="No increase in expenditure",
            source=f"{_REPORT}; paper",
            outcomes=("gce_per_adult",),
            tests=(ClaimTest("no_increase", 0, None),),
        ),
        Claim(
            id="C5",
            statement="No difference from other councils before adoption",
            source="report, Appendix A",
            outcomes=("gce_per_adult", "signposted", *_REVIEWS, *_FUNDED),
            tests=(ClaimTest("no_difference", None, -1),),
        ),
        Claim(
            id="C5b",
            statement="After adoption the effects are present and increasing",
            source="report, Appendix A (what its method expects; C1 and C3 say otherwise of two outcomes)",
            outcomes=("planned_share", "signposted", "funded_mid"),
            tests=(
                ClaimTest("grows", 2, None, 0, 1, 1, outcomes=("planned_share", "signposted")),
                ClaimTest("grows", 2, None, 0, 1, -1, outcomes=("funded_mid",)),
            ),
        ),
    )
}
"""The claims of the study of Community Led Support, by id; C5 in two parts, before and after adoption."""
