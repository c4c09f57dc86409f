"""Claims as tests on the path of effects: declared, judged by intervals, corrected for their number."""

from clsimpact.claims.declared import CLAIMS, Claim, ClaimTest
from clsimpact.claims.effects import find_effect
from clsimpact.claims.evaluate import evaluate_claims
from clsimpact.claims.reading import load_claims
from clsimpact.claims.results import ClaimReport, ClaimResult, JudgedTest
from clsimpact.claims.rules import RULES, Finding, Judgement, Verdict, judge, signed

__all__ = [
    "CLAIMS",
    "RULES",
    "Claim",
    "ClaimReport",
    "ClaimResult",
    "ClaimTest",
    "Finding",
    "JudgedTest",
    "Judgement",
    "Verdict",
    "evaluate_claims",
    "find_effect",
    "judge",
    "load_claims",
    "signed",
]
