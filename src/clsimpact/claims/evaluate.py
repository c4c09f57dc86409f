"""Judge claims by results: verdicts, margins, and what several tests at once do to them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from clsimpact._asked import is_number, kind_of
from clsimpact._check import number
from clsimpact.claims.declared import CLAIMS, Claim, ClaimTest
from clsimpact.claims.effects import LEVEL, find_effect
from clsimpact.claims.results import ClaimReport, ClaimResult, JudgedTest
from clsimpact.claims.rules import Judgement, Verdict, judge
from clsimpact.errors import DesignError, did_you_mean
from clsimpact.inference.multiplicity import LEVEL_ROUNDING, holm

if TYPE_CHECKING:
    from clsimpact.results import Estimate

__all__ = [
    "ClaimReport",
    "ClaimResult",
    "JudgedTest",
    "combine",
    "comparison_mean",
    "evaluate_claims",
    "find_effect",
]

_ONE_ADOPTER: Final = Judgement(
    "inconclusive", "there is one adopter, whose own variation cannot be told from an effect"
)
_NO_MARGIN: Final = Judgement(
    "not estimable", "there is no margin: the mean among comparison units is zero, of which it is a share"
)


def evaluate_claims(
    fits: Mapping[str, Estimate],
    claims: Mapping[str, Claim] | Iterable[Claim] | None = None,
    *,
    margins: Mapping[str, float] | None = None,
    margin_share: float = 0.05,
    not_estimable: Mapping[str, str] | None = None,
) -> ClaimReport:
    """Judge claims by results.

    Parameters
    ----------
    fits
        Outcome to a result with effects by event time (of any estimator that has them); outcomes without one
        make a claim *not estimable*.
    claims
        By default those of the study of Community Led Support, :data:`clsimpact.claims.CLAIMS`; your own from
        :func:`clsimpact.claims.load_claims`.
    margins
        Outcome to what is too small to matter, in its unit.
    margin_share
        For other outcomes: that share of the absolute mean among units that never adopt.
    not_estimable
        Outcome to why there is no result for it.

    Returns
    -------
    ClaimReport
        One result per claim and outcome. A claim is *consistent* where all its tests are, *not consistent*
        where one is, *not estimable* where its first cannot be made, else *inconclusive*.

    Raises
    ------
    DesignError
        If a margin is of an outcome that neither results nor claims speak of, or is not above zero, or the
        share is not. All problems are listed.

    Notes
    -----
    The first test of the main outcome of each claim belongs to one family, whose p-values are adjusted by
    Holm (1979): *consistent* there also asks for an adjusted p-value of at most 0.05. ``no_difference``
    belongs to no family: that nothing differs before adoption is asked of every outcome at once. Other
    definitions of an outcome are judged on their own.

    Examples
    --------
    >>> from clsimpact.claims import Claim, ClaimTest
    >>> from clsimpact.datasets import example_design
    >>> from clsimpact.estimators import event_study
    >>> claim = Claim("W", "Employment of teenagers falls", "", ("lemp",), (ClaimTest("decrease"),))
    >>> found = evaluate_claims({"lemp": event_study(example_design())}, [claim])
    >>> [(r.verdict, r.rule) for r in found]
    [('consistent', 'the 95% interval lies below zero')]
    """
    _check_kinds(fits, claims)
    wanted = CLAIMS if claims is None else claims
    wanted = tuple(wanted.values() if isinstance(wanted, Mapping) else wanted)
    given, absent = dict(margins or {}), dict(not_estimable or {})
    spoken = [outcome for claim in wanted for outcome in claim.outcomes]
    _check_margins(given, margin_share, list(dict.fromkeys([*fits, *absent, *spoken])))
    results = []
    for claim in wanted:
        for outcome in claim.outcomes:
            fit = fits.get(outcome)
            if fit is None:
                none = f"there is no result for it{did_you_mean(outcome, list(fits))}"
                results.append(_without(claim, outcome, absent.get(outcome, none)))
                continue
            margin = given[outcome] if outcome in given else margin_share * comparison_mean(fit)
            results.append(_judged(claim, outcome, fit, float(margin)))
    return ClaimReport(tuple(_adjusted(results)))


def _check_kinds(fits: object, claims: object) -> None:
    """Refuse what are no results by outcome, or no claims."""
    given = fits if isinstance(fits, Mapping) else {}
    wrong = [] if isinstance(fits, Mapping) else [f"results are {kind_of(fits)}, not given by outcome"]
    wrong += [
        f"{key!r} has {kind_of(fit)}, no result" for key, fit in given.items() if not hasattr(fit, "terms")
    ]
    if claims is not None and not isinstance(claims, Mapping):
        several = isinstance(claims, Iterable) and not isinstance(claims, str)
        wrong += [] if several else [f"claims are {kind_of(claims)}, not a list of claims"]
    if wrong:
        raise DesignError(
            "Claims cannot be judged by these.",
            wrong,
            repair="evaluate_claims({'spending': fit}, load_claims('claims.toml')), say.",
        )


def _check_margins(margins: Mapping[str, float], share: float, known: list[str]) -> None:
    wrong = [
        f"margin of {name!r}: there is no such outcome{did_you_mean(str(name), known)}"
        for name in margins
        if name not in known
    ]
    wrong += [
        f"margin of {name!r}: {value!r} is no number above zero"
        for name, value in margins.items()
        if not is_number(value) or value <= 0
    ]
    if not is_number(share) or share <= 0:
        wrong.append(f"margin_share: {share!r} is no number above zero")
    if wrong:
        raise DesignError("The margins cannot be used.", wrong, repair="Correct the above.")


def comparison_mean(fit: Estimate) -> float:
    """Return the absolute mean of the outcome among units that never adopt.

    Where every unit adopts it is the mean over all rows.

    Returns
    -------
    float
        In the unit of the outcome.

    Examples
    --------
    >>> from clsimpact.datasets import example_design
    >>> from clsimpact.estimators import event_study
    >>> round(comparison_mean(event_study(example_design())), 3)
    5.63
    """
    design = fit.design
    never = np.isnan(np.asarray(design.cohorts, dtype=float))
    values = np.asarray(design.y, dtype=float)
    return abs(float(values[never].mean() if never.any() else values.mean()))


def _without(claim: Claim, outcome: str, why: str) -> ClaimResult:
    nothing = Judgement("not estimable", why)
    tests = tuple(JudgedTest(it, None, nothing, it.window, math.nan) for it in claim.tests_of(outcome))
    return ClaimResult(claim, outcome, outcome == claim.outcomes[0], tests, "not estimable", why)


def _judged(claim: Claim, outcome: str, fit: Estimate, margin: float) -> ClaimResult:
    tests = tuple(_tested(test, fit, margin) for test in claim.tests_of(outcome))
    verdict, rule = combine([it.judgement for it in tests])
    main = outcome == claim.outcomes[0]
    return ClaimResult(claim, outcome, main, tests, verdict, rule, fit.estimator, fit.why or fit.method)


def _tested(test: ClaimTest, fit: Estimate, margin: float) -> JudgedTest:
    margin = test.tolerance if test.rule == "equals" else margin
    if test.needs_margin and not margin > 0:
        return JudgedTest(test, None, _NO_MARGIN, test.window, math.nan)
    try:
        finding, window = find_effect(fit, test, margin=margin)
    except DesignError as error:
        why = "; ".join([error.summary.rstrip("."), *error.problems])
        return JudgedTest(test, None, Judgement("not estimable", why), test.window, margin)
    if fit.design.n_treated < 2:
        return JudgedTest(test, finding, _ONE_ADOPTER, window, margin)
    value = test.value if test.rule == "equals" else float(test.direction)
    return JudgedTest(test, finding, judge(test.rule, finding, margin=margin, value=value), window, margin)


def combine(judgements: Iterable[Judgement]) -> Judgement:
    """Judge a claim by the judgements of its tests, the main one first.

    Parameters
    ----------
    judgements
        At least one.

    Returns
    -------
    Judgement
        *Not estimable* where the first is, *consistent* where all are, *not consistent* where one is, else
        *inconclusive*. Its rule begins with the one that decided.

    Examples
    --------
    >>> combine([Judgement("consistent", "it rises"), Judgement("inconclusive", "it may fade")])
    Judgement(verdict='inconclusive', rule='it may fade (it rises)')
    """
    made = list(judgements)
    if made[0].verdict == "not estimable":
        return made[0]
    order: tuple[Verdict, ...] = ("not consistent", "not estimable", "inconclusive", "consistent")
    worst = min(made, key=lambda it: order.index(it.verdict))
    verdict = "inconclusive" if worst.verdict == "not estimable" else worst.verdict
    others = dict.fromkeys(it.rule for it in made if it.rule != worst.rule)
    return Judgement(verdict, f"{worst.rule} ({'; '.join(others)})" if others else worst.rule)


def _adjusted(results: list[ClaimResult]) -> list[ClaimResult]:
    """Adjust the main tests of all claims for their number, and take back what does not survive it."""
    at = [i for i, result in enumerate(results) if _in_family(result)]
    if not at:
        return results
    adjusted = holm(np.array([_p(results[i]) for i in at]))
    made = list(results)
    for i, p in zip(at, adjusted.tolist(), strict=True):
        first, *rest = made[i].tests
        judgement = first.judgement
        if judgement.verdict == "consistent" and p > 1 - LEVEL + LEVEL_ROUNDING:
            words = f"{judgement.rule}, but {len(at)} claims are tested: adjusted p-value {number(p)} (Holm)"
            judgement = Judgement("inconclusive", words)
        first = replace(first, judgement=judgement, p_adjusted=p)
        verdict, rule = combine([first.judgement, *(it.judgement for it in rest)])
        made[i] = replace(made[i], tests=(first, *rest), verdict=verdict, rule=rule)
    return made


def _in_family(result: ClaimResult) -> bool:
    first = result.tests[0]
    return result.main and first.test.rule != "no_difference" and not math.isnan(_p(result))


def _p(result: ClaimResult) -> float:
    finding = result.tests[0].finding
    return math.nan if finding is None else finding.p_value
