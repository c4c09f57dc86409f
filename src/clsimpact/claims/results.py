"""Claims with their verdicts: what :func:`clsimpact.claims.evaluate_claims` returns."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import pandas as pd

from clsimpact._display import card, folded, grid
from clsimpact.claims.declared import Claim, ClaimTest
from clsimpact.claims.rules import Finding, Judgement, Verdict, signed

__all__ = ["ClaimReport", "ClaimResult", "JudgedTest"]

_NUMBERS: Final = ("estimate", "conf_low", "conf_high", "low_90", "high_90", "treated", "p_value")
_COLUMNS: Final = (
    "claim", "outcome", "main", "test", "rule", "window", "estimate", "conf_low", "conf_high", "low_90",
    "high_90", "treated", "p_value", "p_adjusted", "margin", "verdict", "why", "claim_verdict",
)  # fmt: skip


@dataclass(frozen=True)
class JudgedTest:
    """One test of a claim on one outcome.

    Attributes
    ----------
    test
        What was tested.
    finding
        Estimate and intervals; ``None`` where nothing could be estimated.
    judgement
        Verdict and rule, after the correction for several tests where the test belongs to that family.
    window
        The event times that were there, in words.
    margin
        What is too small to matter, in the unit of the outcome.
    p_adjusted
        By Holm over the main tests of all claims; NaN for the others.
    """

    test: ClaimTest
    finding: Finding | None
    judgement: Judgement
    window: str
    margin: float
    p_adjusted: float = math.nan


@dataclass(frozen=True)
class ClaimResult:
    """A claim judged by one outcome.

    Attributes
    ----------
    claim, outcome
        What was claimed, and the column that was looked at.
    main
        Whether the outcome is the main one of the claim.
    tests
        One result per test.
    verdict, rule
        Of the tests together; the rule says which of them decided.
    estimator, inference
        What was estimated how.
    """

    claim: Claim
    outcome: str
    main: bool
    tests: tuple[JudgedTest, ...]
    verdict: Verdict
    rule: str
    estimator: str = ""
    inference: str = ""


@dataclass(frozen=True, repr=False)
class ClaimReport:
    """Claims with their verdicts: prints, renders in Jupyter, and gives a tidy frame.

    Attributes
    ----------
    results
        One per claim and outcome.
    """

    results: tuple[ClaimResult, ...]

    def __iter__(self) -> Iterator[ClaimResult]:
        return iter(self.results)

    def __len__(self) -> int:
        return len(self.results)

    def tidy(self) -> pd.DataFrame:
        """Return a row per claim, outcome and test.

        Returns
        -------
        pandas.DataFrame
            ``claim, outcome, main, test, rule, window, estimate, conf_low, conf_high, low_90, high_90,
            treated, p_value, p_adjusted, margin, verdict, why, claim_verdict``; numbers are in the unit of
            the outcome and missing where nothing could be estimated.

        Examples
        --------
        >>> ClaimReport(()).tidy().shape
        (0, 18)
        """
        rows = [
            {
                "claim": result.claim.id,
                "outcome": result.outcome,
                "main": result.main,
                "test": number,
                "rule": it.test.rule,
                "window": it.window,
                **_numbers(it.finding),
                "p_adjusted": it.p_adjusted,
                "margin": it.margin,
                "verdict": it.judgement.verdict,
                "why": it.judgement.rule,
                "claim_verdict": result.verdict,
            }
            for result in self.results
            for number, it in enumerate(result.tests, start=1)
        ]
        return pd.DataFrame(rows, columns=list(_COLUMNS))

    def __str__(self) -> str:
        return "\n".join(line for result in self.results for line in _lines(result))

    def __repr__(self) -> str:
        return f"<{len(self.results)} judgements of claims>\n{self}"

    def _repr_html_(self) -> str:
        heads = ("Claim", "Outcome", "Verdict", "Why")
        rows = [(f"{r.claim.id}: {r.claim.statement}", r.outcome, r.verdict, r.rule) for r in self.results]
        found = [(r, it) for r in self.results for it in r.tests if it.finding is not None]
        numbers = [
            (r.claim.id, r.outcome, it.window, _interval(it), it.judgement.verdict, r.estimator, r.inference)
            for r, it in found
        ]
        head = ("Claim", "Outcome", "Window", "Estimate", "Verdict of the test", "Estimator", "Inference")
        table = grid("Tests with an estimate", head, numbers, align="lllrlll") if numbers else ""
        return card(
            grid(f"Claims: {_tally(self)}", heads, rows, align="llll"),
            folded("Estimates behind the verdicts", table),
        )


def _tally(report: ClaimReport) -> str:
    counts = Counter(result.verdict for result in report)
    return ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items())) or "none judged"


def _interval(it: JudgedTest) -> str:
    """Return an estimate with its 95% interval."""
    if it.finding is None:
        return ""
    low, high = signed(it.finding.low), signed(it.finding.high)
    return f"{signed(it.finding.estimate)} (95% interval {low} to {high})"


def _numbers(finding: Finding | None) -> dict[str, float]:
    values = [math.nan] * len(_NUMBERS) if finding is None else [float(value) for value in finding]
    return dict(zip(_NUMBERS, values, strict=True))


def _lines(result: ClaimResult) -> Iterator[str]:
    yield f"{result.claim.id}  {result.claim.statement}"
    yield f"    {result.outcome}: {result.verdict}; {result.rule}"
    for it in result.tests:
        if it.finding is not None:
            yield f"        {it.window}: {_interval(it)}"
