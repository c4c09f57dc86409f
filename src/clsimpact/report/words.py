"""Sentences for readers, each made from numbers, their interval and the verdict; and the numbers in them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from clsimpact._check import number
from clsimpact.claims._problems import CHANGES
from clsimpact.claims.results import ClaimResult, JudgedTest
from clsimpact.claims.rules import Finding
from clsimpact.report.study import StudyOutcome

__all__ = [
    "Said",
    "Scale",
    "Writer",
    "change_sentence",
    "claim_sentences",
    "effect_sentence",
    "number_tokens",
    "scale_of",
    "shown_unit",
    "value_of",
    "verdict_sentence",
]

_NUMBER: Final = re.compile(r"(?<![\w.,:/#-])[-+\u2212]?£?\d(?:[\d,]*\d)?(?:\.\d+)?%?(?![\w/]|[.,-]\d)")
MINUS: Final = "\u2212"
"""The minus sign: a line does not break after it."""
_YEAR: Final = re.compile(r"(?<![\w.,£%])(?:19|20)\d\d(?:[-\u2013](?:\d\d){1,2})?(?![\d%]|[.,]\d)")
_POINTS: Final = " percentage points"


class Scale(NamedTuple):
    """How an outcome is shown: what its numbers are multiplied by, what stands before and after them."""

    factor: float = 1.0
    before: str = ""
    after: str = ""


class Said(NamedTuple):
    """A sentence, and each number in it by what is printed."""

    text: str
    numbers: Mapping[str, float]


def number_tokens(text: str) -> Iterator[str]:
    """Yield the numbers of a text; years and the numbers of names (C1, CR2, STS001) are none.

    Examples
    --------
    >>> list(number_tokens("C1: +17.8 (95% interval -£22 to £58) in 2016-17, CR2, 1,234 rows."))
    ['+17.8', '95%', '-£22', '£58', '1,234']
    >>> list(number_tokens("Years 0, 2 and 5 of 2014-2018."))
    ['0', '2', '5']
    """
    for found in _NUMBER.finditer(_YEAR.sub(" ", text)):
        yield found.group()


def value_of(token: str) -> float:
    """Return the value of a number as it is printed; of a percentage, in per cent.

    Examples
    --------
    >>> value_of("\u2212£1,234.5"), value_of("+95%")
    (-1234.5, 95.0)
    """
    return float(token.replace(MINUS, "-").translate({ord(mark): None for mark in "£%,"}))


def scale_of(unit: str) -> Scale:
    """Return how differences in a unit are shown: shares in percentage points, money with its sign.

    Examples
    --------
    >>> scale_of("proportion of requests"), scale_of("£ per adult, 2021-22 prices")
    (Scale(factor=100.0, before='', after=' percentage points'), Scale(factor=1.0, before='£', after=''))
    >>> scale_of("%"), scale_of("£000, cash"), scale_of("requests")
    (Scale(factor=1.0, before='', after=' percentage points'),
     Scale(factor=1.0, before='£', after=' thousand'), Scale(factor=1.0, before='', after=' requests'))
    """
    if unit.startswith("proportion"):
        return Scale(100.0, "", _POINTS)
    if unit.strip() == "%":
        return Scale(1.0, "", _POINTS)
    if unit.startswith("£000"):
        return Scale(1.0, "£", " thousand")
    if unit.startswith("£"):
        return Scale(1.0, "£", "")
    return Scale(1.0, "", f" {unit}" if unit and unit != "ratio" else "")


def shown_unit(unit: str) -> str:
    """Return the unit that differences are shown in, in words.

    Examples
    --------
    >>> shown_unit("proportion of requests"), shown_unit("%"), shown_unit(""), shown_unit("ratio")
    ('percentage points', 'percentage points', 'as given', 'ratio')
    """
    if unit.startswith("proportion") or unit.strip() == "%":
        return _POINTS.strip()
    return unit or "as given"


class Writer:
    """Write numbers of one outcome, and remember what was printed for which.

    Attributes
    ----------
    scale
        How numbers are shown.
    numbers
        What was printed to its value, in the unit that is shown.

    Examples
    --------
    >>> pen = Writer(scale_of("proportion of requests"))
    >>> pen.signed(-0.0234), dict(pen.numbers)
    ('\u22122.34 percentage points', {'\u22122.34': -2.34})
    """

    def __init__(self, scale: Scale) -> None:
        self.scale, self.numbers = scale, dict[str, float]()
        self.given(scale.after)

    def given(self, text: str) -> str:
        """Return a text that is printed as it is, and remember the numbers in it."""
        self.numbers |= {token: value_of(token) for token in number_tokens(text)}
        return text

    def bare(self, value: float, *, sign: bool = False) -> str:
        """Write a number without its unit."""
        shown = value * self.scale.factor
        mark = MINUS if shown < 0 else "+" if sign and shown > 0 else ""
        text = f"{mark}{self.scale.before}{number(abs(shown))}"
        self.numbers[text] = shown
        return text

    def size(self, value: float) -> str:
        """Write how large a number is, with its unit."""
        return f"{self.bare(abs(value))}{self.scale.after}"

    def signed(self, value: float) -> str:
        """Write a number with sign and unit."""
        return f"{self.bare(value, sign=True)}{self.scale.after}"

    def percent(self, value: float) -> str:
        """Write a share as a percentage."""
        text = f"{100 * value:.4g}%"
        self.numbers[text] = 100 * value
        return text

    def interval(self, finding: Finding) -> str:
        """Write the 95% interval, in brackets."""
        low, high = self.bare(finding.low, sign=True), self.bare(finding.high, sign=True)
        return f"({self.percent(0.95)} interval {low} to {high}{self.scale.after})"

    def times(self, words: str) -> str:
        """Write a window of event times as years, and remember its ends."""
        words = words.replace("event times", "years").replace("event time", "year")
        return self.given(words.replace(" -", f" {MINUS}"))


def effect_sentence(finding: Finding, words: str, unit: str, window: str, units: str = "units") -> Said:
    """Say what an interval says of an average effect.

    Where the interval excludes zero the sentence gives direction and size; where it includes zero it says
    that neither a rise nor a fall is excluded. It never says that there is no effect.

    Parameters
    ----------
    finding
        In the unit of the outcome.
    words
        What the outcome is called inside a sentence.
    unit
        Its unit: see :func:`scale_of`.
    window
        Event times, in words, as :func:`clsimpact.claims.find_effect` returns them.
    units
        Plural of the units.

    Returns
    -------
    Said

    Examples
    --------
    >>> found = Finding(17.8, -22.4, 58.1, -15, 51, 5)
    >>> print(effect_sentence(found, "spending per adult", "£ a", "event times 0 to 5").text)
    In years 0 to 5, counted from adoption, the estimated average difference in spending per adult is +£17.8
    (95% interval \u2212£22.4 to +£58.1): the data allow a rise as well as a fall.
    """
    pen = Writer(scale_of(unit))
    words, units = pen.given(words), pen.given(units)
    span, when = pen.interval(finding), f"In {pen.times(window)}, counted from adoption,"
    if finding.low > 0 or finding.high < 0:
        way = "higher" if finding.low > 0 else "lower"
        text = (
            f"{when} {words} was on average {pen.size(finding.estimate)} {way} in adopting {units} than the "
            f"change among the others implies {span}."
        )
    else:
        text = (
            f"{when} the estimated average difference in {words} is {pen.signed(finding.estimate)} {span}: "
            "the data allow a rise as well as a fall."
        )
    return Said(text, pen.numbers)


def change_sentence(finding: Finding, words: str, unit: str, window: str) -> Said:
    """Say how far an effect in a later window differs from that in an earlier one.

    Parameters
    ----------
    finding, words, unit
        As in :func:`effect_sentence`.
    window
        Both windows, as :func:`clsimpact.claims.find_effect` returns them.

    Returns
    -------
    Said

    Examples
    --------
    >>> found = Finding(-1.5, -2.5, -0.5, -2.3, -0.7, 5)
    >>> print(change_sentence(found, "spending", "£ a", "event times 2 to 5 against event times 0 to 1").text)
    The effect on spending in years 2 to 5 differs from that in years 0 to 1 by \u2212£1.5 (95% interval
    \u2212£2.5 to \u2212£0.5).
    """
    pen = Writer(scale_of(unit))
    late, _, early = window.partition(" against ")
    text = (
        f"The effect on {pen.given(words)} in {pen.times(late)} differs from that in {pen.times(early)} by "
        f"{pen.signed(finding.estimate)} {pen.interval(finding)}."
    )
    return Said(text, pen.numbers)


def verdict_sentence(result: JudgedTest, words: str, unit: str) -> Said:
    """Say what a test means for what is claimed; *no increase* only where such an increase is ruled out.

    Parameters
    ----------
    result
        A test that was judged.
    words, unit
        As in :func:`effect_sentence`.

    Returns
    -------
    Said

    Examples
    --------
    >>> from clsimpact.claims import ClaimTest, Judgement
    >>> finding = Finding(18.0, -23.0, 59.0, -15.0, 51.0, 5)
    >>> judged = JudgedTest(ClaimTest("no_increase"), finding, Judgement("inconclusive", ""), "", 23.4)
    >>> print(verdict_sentence(judged, "spending per adult", "£ per adult").text)
    An increase of £23.4 or more is not ruled out, so it cannot be said that spending per adult did not
    increase.
    """
    pen = Writer(scale_of(unit))
    rule, verdict, finding = result.test.rule, result.judgement.verdict, result.finding
    if finding is None or verdict == "not estimable":
        text = f"This cannot be estimated: {pen.given(result.judgement.rule)}."
    elif rule in ("no_increase", "no_decrease"):
        text = _non_inferiority(pen, result, finding, pen.given(words))
    elif rule == "no_difference":
        text = _no_difference(pen, result)
    elif rule == "equals":
        text = _equals(pen, result)
    else:
        text = _direction(rule, verdict)
    return Said(text, pen.numbers)


def _non_inferiority(pen: Writer, result: JudgedTest, finding: Finding, words: str) -> str:
    rule, verdict = result.test.rule, result.judgement.verdict
    way, past = ("increase", "rose") if rule == "no_increase" else ("decrease", "fell")
    size = pen.size(result.margin)
    head = f"{'An' if way == 'increase' else 'A'} {way} of {size} or more is"
    beyond = finding.low > 0 if rule == "no_increase" else finding.high < 0
    if verdict == "consistent" and beyond:
        return f"Relative to the others {words} {past}, but by less than the margin of {size}."
    if verdict == "consistent":
        return f"{head} ruled out: in that sense there was no {way}."
    if verdict == "not consistent":
        return f"Relative to the others {words} {past}, and {size} or more is not ruled out."
    how = "ruled out by this test alone but not together with the others" if _taken_back(result) else ""
    return f"{head} {how or 'not ruled out'}, so it cannot be said that {words} did not {way}."


def _taken_back(result: JudgedTest) -> bool:
    """Whether a verdict did not survive the correction for the number of claims."""
    return not math.isnan(result.p_adjusted) and "adjusted" in result.judgement.rule


def _no_difference(pen: Writer, result: JudgedTest) -> str:
    size, last = pen.size(result.margin), result.test.last
    when = " before adoption" if last is not None and last < 0 else ""
    doubt = ": the comparison is in doubt" if when else ""
    return {
        "consistent": f"A difference of {size} or more{when} is ruled out.",
        "not consistent": f"Adopters differed from the others{when}{doubt}.",
    }.get(result.judgement.verdict, f"A difference of {size} or more{when} is not ruled out.")


def _equals(pen: Writer, result: JudgedTest) -> str:
    claimed, around = pen.signed(result.test.value), pen.size(result.margin)
    when = f" in {pen.times(result.window)}" if result.window else ""
    head = f"The size claimed, {claimed} give or take {around}, is"
    return {
        "consistent": f"{head} met{when}.",
        "not consistent": f"{head} ruled out{when}.",
    }.get(result.judgement.verdict, f"{head} neither met nor ruled out{when}.")


def _direction(rule: str, verdict: str) -> str:
    claimed = {
        "increase": "an increase",
        "decrease": "a decrease",
        "fades": "an effect that fades",
        "grows": "an effect that grows",
    }[rule]
    return {
        "consistent": f"That is what one would see with {claimed}.",
        "not consistent": f"That contradicts the claim of {claimed}.",
    }.get(verdict, f"The claim of {claimed} is neither confirmed nor refuted.")


def claim_sentences(result: ClaimResult, outcome: StudyOutcome, unit: str, units: str) -> Said:
    """Say what was found for a claim and an outcome: for each test, what its number is and what it means.

    The effect over a window is said once, however many tests look at it.

    Parameters
    ----------
    result
        A claim that was judged.
    outcome
        Of the study.
    unit
        Of the outcome: see :func:`scale_of`.
    units
        Plural of the units.

    Returns
    -------
    Said

    Examples
    --------
    >>> from clsimpact.claims import Claim, ClaimTest, evaluate_claims
    >>> from clsimpact.datasets import example_design
    >>> from clsimpact.estimators import event_study
    >>> claim = Claim("W", "It falls", "", ("lemp",), (ClaimTest("decrease", 0, 1),))
    >>> (result,) = evaluate_claims({"lemp": event_study(example_design())}, [claim])
    >>> said = claim_sentences(result, StudyOutcome("lemp", "log employment"), "log points", "counties")
    >>> print(said.text)
    In years 0 to 1, counted from adoption, log employment was on average 0.0308 log points lower in adopting
    counties than the change among the others implies (95% interval −0.055 to −0.0066 log points).
    That is what one would see with a decrease.
    """
    said: dict[str, Said] = {}
    for it in result.tests:
        if it.finding is not None and it.test.rule in CHANGES:
            found = change_sentence(it.finding, outcome.words, unit, it.window)
            said[found.text] = found
        elif it.finding is not None:
            found = effect_sentence(it.finding, outcome.words, unit, it.window, units)
            said[found.text] = found
        judged = verdict_sentence(it, outcome.words, unit)
        where = "" if it.finding is None else it.window
        said |= {f"{where}: {judged.text}": judged, **{remark.text: remark for remark in _remarks(it)}}
    numbers = {token: value for it in said.values() for token, value in it.numbers.items()}
    return Said(" ".join(it.text for it in said.values()), numbers)


def _remarks(result: JudgedTest) -> Iterator[Said]:
    """Say what else decided: the number of claims, or that there is one adopter."""
    pen, rule = Writer(Scale()), result.judgement.rule
    if _taken_back(result):
        words = rule.partition(", but ")[2]
    elif result.finding is not None and "one adopter" in rule:
        words = rule
    else:
        return
    yield Said(pen.given(f"{words[0].upper()}{words[1:]}."), pen.numbers)
