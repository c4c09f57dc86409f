"""What the report says: a table that a reader can check, and the numbers in every sentence.

The outcome of the table is spending per adult, the margin £25, and the size claimed -£30 give or take £20.
"""

from __future__ import annotations

import itertools
import math
import re
from typing import NamedTuple, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clsimpact.claims import CLAIMS, Claim, ClaimTest, Finding, JudgedTest, Judgement, Verdict, judge
from clsimpact.claims.evaluate import combine
from clsimpact.claims.results import ClaimResult
from clsimpact.claims.rules import Rule
from clsimpact.dictionary import column_facts
from clsimpact.report.study import StudyOutcome
from clsimpact.report.words import (
    MINUS,
    Said,
    Scale,
    Writer,
    change_sentence,
    claim_sentences,
    effect_sentence,
    number_tokens,
    scale_of,
    shown_unit,
    value_of,
    verdict_sentence,
)

WORDS, UNIT = "spending per adult", "£ per adult, 2021-22 prices"
MARGIN = 25.0
SHOWN = 0.006
"""Relative; numbers are printed with three figures."""

FINDINGS = {
    "above zero": Finding(30, 10, 50, 13, 47, 5),
    "below zero": Finding(-30, -50, -10, -47, -13, 5),
    "includes zero": Finding(10, -20, 40, -15, 35, 5),
    "includes zero, inside the margin": Finding(2, -8, 12, -6, 10, 5),
    "above zero, inside the margin": Finding(10, 2, 18, 3, 17, 5),
    "below zero, inside the margin": Finding(-10, -18, -2, -17, -3, 5),
}
TESTS: dict[Rule, ClaimTest] = {
    "increase": ClaimTest("increase", 0, 5),
    "decrease": ClaimTest("decrease", 0, 5),
    "no_increase": ClaimTest("no_increase", 0, 5),
    "no_decrease": ClaimTest("no_decrease", 0, 5),
    "no_difference": ClaimTest("no_difference", None, -1),
    "equals": ClaimTest("equals", 0, 5, value=-30.0, tolerance=20.0),
    "fades": ClaimTest("fades", 2, 5, 0, 1, 1),
    "grows": ClaimTest("grows", 2, 5, 0, 1, 1),
}

# fmt: off
TABLE = """
rule          | position of the 95% interval     | verdict        | sentence
increase      | above zero                       | consistent     | That is what one would see with an increase.
increase      | below zero                       | not consistent | That contradicts the claim of an increase.
increase      | includes zero                    | inconclusive   | The claim of an increase is neither confirmed nor refuted.
increase      | includes zero, inside the margin | inconclusive   | The claim of an increase is neither confirmed nor refuted.
increase      | above zero, inside the margin    | consistent     | That is what one would see with an increase.
increase      | below zero, inside the margin    | not consistent | That contradicts the claim of an increase.
decrease      | above zero                       | not consistent | That contradicts the claim of a decrease.
decrease      | below zero                       | consistent     | That is what one would see with a decrease.
decrease      | includes zero                    | inconclusive   | The claim of a decrease is neither confirmed nor refuted.
decrease      | includes zero, inside the margin | inconclusive   | The claim of a decrease is neither confirmed nor refuted.
decrease      | above zero, inside the margin    | not consistent | That contradicts the claim of a decrease.
decrease      | below zero, inside the margin    | consistent     | That is what one would see with a decrease.
no_increase   | above zero                       | not consistent | Relative to the others spending per adult rose, and £25 or more is not ruled out.
no_increase   | below zero                       | consistent     | An increase of £25 or more is ruled out: in that sense there was no increase.
no_increase   | includes zero                    | inconclusive   | An increase of £25 or more is not ruled out, so it cannot be said that spending per adult did not increase.
no_increase   | includes zero, inside the margin | consistent     | An increase of £25 or more is ruled out: in that sense there was no increase.
no_increase   | above zero, inside the margin    | consistent     | Relative to the others spending per adult rose, but by less than the margin of £25.
no_increase   | below zero, inside the margin    | consistent     | An increase of £25 or more is ruled out: in that sense there was no increase.
no_decrease   | above zero                       | consistent     | A decrease of £25 or more is ruled out: in that sense there was no decrease.
no_decrease   | below zero                       | not consistent | Relative to the others spending per adult fell, and £25 or more is not ruled out.
no_decrease   | includes zero                    | consistent     | A decrease of £25 or more is ruled out: in that sense there was no decrease.
no_decrease   | includes zero, inside the margin | consistent     | A decrease of £25 or more is ruled out: in that sense there was no decrease.
no_decrease   | above zero, inside the margin    | consistent     | A decrease of £25 or more is ruled out: in that sense there was no decrease.
no_decrease   | below zero, inside the margin    | consistent     | Relative to the others spending per adult fell, but by less than the margin of £25.
no_difference | above zero                       | not consistent | Adopters differed from the others before adoption: the comparison is in doubt.
no_difference | below zero                       | not consistent | Adopters differed from the others before adoption: the comparison is in doubt.
no_difference | includes zero                    | inconclusive   | A difference of £25 or more before adoption is not ruled out.
no_difference | includes zero, inside the margin | consistent     | A difference of £25 or more before adoption is ruled out.
no_difference | above zero, inside the margin    | consistent     | A difference of £25 or more before adoption is ruled out.
no_difference | below zero, inside the margin    | consistent     | A difference of £25 or more before adoption is ruled out.
equals        | above zero                       | not consistent | The size claimed, −£30 give or take £20, is ruled out in years 0 to 5.
equals        | below zero                       | consistent     | The size claimed, −£30 give or take £20, is met in years 0 to 5.
equals        | includes zero                    | inconclusive   | The size claimed, −£30 give or take £20, is neither met nor ruled out in years 0 to 5.
equals        | includes zero, inside the margin | not consistent | The size claimed, −£30 give or take £20, is ruled out in years 0 to 5.
equals        | above zero, inside the margin    | not consistent | The size claimed, −£30 give or take £20, is ruled out in years 0 to 5.
equals        | below zero, inside the margin    | inconclusive   | The size claimed, −£30 give or take £20, is neither met nor ruled out in years 0 to 5.
fades         | above zero                       | not consistent | That contradicts the claim of an effect that fades.
fades         | below zero                       | consistent     | That is what one would see with an effect that fades.
fades         | includes zero                    | inconclusive   | The claim of an effect that fades is neither confirmed nor refuted.
fades         | includes zero, inside the margin | inconclusive   | The claim of an effect that fades is neither confirmed nor refuted.
fades         | above zero, inside the margin    | not consistent | That contradicts the claim of an effect that fades.
fades         | below zero, inside the margin    | consistent     | That is what one would see with an effect that fades.
grows         | above zero                       | consistent     | That is what one would see with an effect that grows.
grows         | below zero                       | not consistent | That contradicts the claim of an effect that grows.
grows         | includes zero                    | inconclusive   | The claim of an effect that grows is neither confirmed nor refuted.
grows         | includes zero, inside the margin | inconclusive   | The claim of an effect that grows is neither confirmed nor refuted.
grows         | above zero, inside the margin    | consistent     | That is what one would see with an effect that grows.
grows         | below zero, inside the margin    | not consistent | That contradicts the claim of an effect that grows.
"""  # noqa: E501

TAKEN_BACK = """
rule          | position of the 95% interval     | sentence where the verdict does not survive that several claims are tested
increase      | above zero                       | The claim of an increase is neither confirmed nor refuted.
decrease      | below zero                       | The claim of a decrease is neither confirmed nor refuted.
no_increase   | below zero                       | An increase of £25 or more is ruled out by this test alone but not together with the others, so it cannot be said that spending per adult did not increase.
no_increase   | includes zero, inside the margin | An increase of £25 or more is ruled out by this test alone but not together with the others, so it cannot be said that spending per adult did not increase.
no_increase   | above zero, inside the margin    | An increase of £25 or more is ruled out by this test alone but not together with the others, so it cannot be said that spending per adult did not increase.
no_decrease   | above zero                       | A decrease of £25 or more is ruled out by this test alone but not together with the others, so it cannot be said that spending per adult did not decrease.
equals        | below zero                       | The size claimed, −£30 give or take £20, is neither met nor ruled out in years 0 to 5.
fades         | below zero                       | The claim of an effect that fades is neither confirmed nor refuted.
grows         | above zero                       | The claim of an effect that grows is neither confirmed nor refuted.
"""  # noqa: E501

EFFECT_TABLE = """
position of the 95% interval     | sentence on the effect itself
above zero                       | In years 0 to 5, counted from adoption, spending per adult was on average £30 higher in adopting councils than the change among the others implies (95% interval +£10 to +£50).
below zero                       | In years 0 to 5, counted from adoption, spending per adult was on average £30 lower in adopting councils than the change among the others implies (95% interval −£50 to −£10).
includes zero                    | In years 0 to 5, counted from adoption, the estimated average difference in spending per adult is +£10 (95% interval −£20 to +£40): the data allow a rise as well as a fall.
includes zero, inside the margin | In years 0 to 5, counted from adoption, the estimated average difference in spending per adult is +£2 (95% interval −£8 to +£12): the data allow a rise as well as a fall.
above zero, inside the margin    | In years 0 to 5, counted from adoption, spending per adult was on average £10 higher in adopting councils than the change among the others implies (95% interval +£2 to +£18).
below zero, inside the margin    | In years 0 to 5, counted from adoption, spending per adult was on average £10 lower in adopting councils than the change among the others implies (95% interval −£18 to −£2).
"""  # noqa: E501
# fmt: on


class Line(NamedTuple):
    rule: Rule
    position: str
    verdict: Verdict
    sentence: str


def lines(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("|")] for line in table.strip().splitlines()[1:]]


ROWS = [Line(*row) for row in lines(TABLE)]  # type: ignore[arg-type]
EFFECTS = dict(lines(EFFECT_TABLE))


def judged(rule: Rule, finding: Finding, judgement: Judgement | None = None) -> JudgedTest:
    test = TESTS[rule]
    margin = test.tolerance if rule == "equals" else MARGIN
    value = test.value if rule == "equals" else float(test.direction)
    made = judge(rule, finding, margin=margin, value=value) if judgement is None else judgement
    return JudgedTest(test, finding, made, test.window, margin)


def taken_back(rule: Rule, finding: Finding) -> JudgedTest:
    """A test that holds alone, but not with five others."""
    alone = judged(rule, finding)
    words = f"{alone.judgement.rule}, but 5 claims are tested: adjusted p-value 0.0725 (Holm)"
    return JudgedTest(
        alone.test, finding, Judgement("inconclusive", words), alone.window, alone.margin, p_adjusted=0.0725
    )


def agree(said: Said) -> bool:
    """Whether every number of a sentence is in its numbers, with the value that is printed."""
    for token in number_tokens(said.text):
        value = said.numbers.get(token)
        if value is None or value_of(token) != pytest.approx(value, rel=SHOWN):
            return False
    return True


class TestTable:
    def test_it_holds_every_combination(self) -> None:
        assert {(row.rule, row.position) for row in ROWS} == set(itertools.product(get_args(Rule), FINDINGS))
        assert len(ROWS) == 8 * 6

    @pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.rule}, {row.position}")
    def test_verdict_and_sentence(self, row: Line) -> None:
        result = judged(row.rule, FINDINGS[row.position])
        assert result.judgement.verdict == row.verdict
        said = verdict_sentence(result, WORDS, UNIT)
        assert said.text == row.sentence
        assert agree(said)

    @pytest.mark.parametrize(("rule", "position", "sentence"), lines(TAKEN_BACK))
    def test_what_does_not_survive_several_claims(self, rule: Rule, position: str, sentence: str) -> None:
        result = taken_back(rule, FINDINGS[position])
        assert judged(rule, FINDINGS[position]).judgement.verdict == "consistent"
        said = verdict_sentence(result, WORDS, UNIT)
        assert said.text == sentence
        assert agree(said)

    @pytest.mark.parametrize("position", EFFECTS)
    def test_the_effect_itself(self, position: str) -> None:
        said = effect_sentence(FINDINGS[position], WORDS, UNIT, "event times 0 to 5", "councils")
        assert said.text == EFFECTS[position]
        assert agree(said)

    def test_the_change_itself(self) -> None:
        window = "event times 2 to 5 against event times 0 to 1"
        said = change_sentence(FINDINGS["below zero"], WORDS, UNIT, window)
        assert said.text == (
            "The effect on spending per adult in years 2 to 5 differs from that in years 0 to 1 by −£30 "
            "(95% interval −£50 to −£10)."
        )
        assert agree(said)


AFFIRMED = re.compile(r"there was no (increase|decrease)")
DENIED = re.compile(r"did not (increase|decrease)")
PRAISE = re.compile(
    r"\b(benefi\w*|improv\w*|better\w*|worse\w*|success\w*|sav(e|es|ed|ing|ings)|fail\w*|good|bad|gain\w*|"
    r"loss\w*|effective\w*)\b",
    re.IGNORECASE,
)
NOTHING = re.compile(r"\b(no|zero|without|any) (effect|impact|difference|change)\b", re.IGNORECASE)


def everything_said() -> list[str]:
    """Every sentence, for every rule, position and verdict, also of those that do not go together."""
    texts = [*EFFECTS.values()]
    for rule, finding in itertools.product(get_args(Rule), FINDINGS.values()):
        for verdict in get_args(Verdict):
            result = judged(rule, finding, Judgement(verdict, "the reason"))
            texts.append(verdict_sentence(result, WORDS, UNIT).text)
            outcome = StudyOutcome("funded_mid", "the share of requests that lead to funded care")
            texts.append(claim_sentences(claim_result(result), outcome, "proportion", "councils").text)
        texts.append(verdict_sentence(taken_back(rule, finding), WORDS, UNIT).text)
    return texts


def claim_result(*tests: JudgedTest) -> ClaimResult:
    claim = Claim("X", "something", "", ("y",), tuple(it.test for it in tests))
    verdict, rule = combine([it.judgement for it in tests])
    return ClaimResult(claim, "y", True, tests, verdict, rule)


class TestWords:
    def test_nothing_is_called_a_benefit(self) -> None:
        assert [text for text in everything_said() if PRAISE.search(text)] == []

    def test_nothing_is_called_no_effect(self) -> None:
        assert [text for text in everything_said() if NOTHING.search(text)] == []

    @pytest.mark.parametrize(("rule", "way"), [("no_increase", "increase"), ("no_decrease", "decrease")])
    def test_no_increase_is_affirmed_only_where_the_test_supports_it(self, rule: Rule, way: str) -> None:
        for finding in FINDINGS.values():
            for verdict in get_args(Verdict):
                text = verdict_sentence(judged(rule, finding, Judgement(verdict, "why")), WORDS, UNIT).text
                affirmed = AFFIRMED.search(text)
                if affirmed:
                    assert verdict == "consistent"
                    assert affirmed.group(1) == way
                for denied in DENIED.finditer(text):
                    assert text[: denied.start()].endswith("it cannot be said that spending per adult ")

    @given(st.floats(-100, 100), st.floats(0.1, 50), st.floats(0.1, 1), st.floats(0.5, 80))
    def test_no_increase_needs_the_one_sided_bound(
        self, middle: float, width: float, inner: float, margin: float
    ) -> None:
        finding = Finding(middle, middle - width, middle + width, middle - inner * width,
                          middle + inner * width, 5)  # fmt: skip
        made = judge("no_increase", finding, margin=margin)
        text = verdict_sentence(JudgedTest(TESTS["no_increase"], finding, made, "", margin), WORDS, UNIT).text
        if "there was no increase" in text:
            assert finding.high_90 < margin
            assert finding.low <= 0

    def test_no_other_rule_speaks_of_no_increase(self) -> None:
        for row in ROWS:
            if row.rule not in ("no_increase", "no_decrease"):
                assert not AFFIRMED.search(row.sentence)
                assert not DENIED.search(row.sentence)

    def test_an_interval_with_zero_is_never_given_a_direction(self) -> None:
        for position, text in EFFECTS.items():
            assert ("higher" in text or "lower" in text) == (not position.startswith("includes zero"))


class TestOtherCases:
    def test_what_cannot_be_estimated_gives_its_reason(self) -> None:
        reason = "no event time 2 and later is identified (identified: -3, -2, 0, 1)"
        result = JudgedTest(TESTS["increase"], None, Judgement("not estimable", reason), "", math.nan)
        said = verdict_sentence(result, WORDS, UNIT)
        assert said.text == f"This cannot be estimated: {reason}."
        assert agree(said)
        assert list(number_tokens(said.text)) == ["2", "-3", "-2", "0", "1"]

    @pytest.mark.parametrize(
        ("first", "last", "sentence"),
        [
            (None, -1, "A difference of £25 or more before adoption is not ruled out."),
            (0, None, "A difference of £25 or more is not ruled out."),
            (None, None, "A difference of £25 or more is not ruled out."),
            (-3, 2, "A difference of £25 or more is not ruled out."),
        ],
    )
    def test_before_adoption_is_said_of_windows_before_it_only(
        self, first: int | None, last: int | None, sentence: str
    ) -> None:
        test = ClaimTest("no_difference", first, last)
        finding = FINDINGS["includes zero"]
        result = JudgedTest(test, finding, judge("no_difference", finding, margin=25.0), "", 25.0)
        assert verdict_sentence(result, WORDS, UNIT).text == sentence

    def test_a_difference_after_adoption_does_not_put_the_comparison_in_doubt(self) -> None:
        finding = FINDINGS["above zero"]
        made = judge("no_difference", finding, margin=25.0)
        result = JudgedTest(ClaimTest("no_difference"), finding, made, "", 25.0)
        assert verdict_sentence(result, WORDS, UNIT).text == "Adopters differed from the others."

    def test_a_share_is_in_percentage_points(self) -> None:
        said = effect_sentence(
            Finding(-0.0234, -0.0412, -0.0056, -0.04, -0.01, 5), "the share", "proportion of requests",
            "event times -3 to -2", "councils",
        )  # fmt: skip
        assert said.text == (
            "In years −3 to −2, counted from adoption, the share was on average 2.34 percentage points lower "
            "in adopting councils than the change among the others implies (95% interval −4.12 to −0.56 "
            "percentage points)."
        )
        assert said.numbers == {
            "−3": -3.0, "−2": -2.0, "2.34": pytest.approx(2.34), "95%": 95.0,
            "−4.12": pytest.approx(-4.12), "−0.56": pytest.approx(-0.56),
        }  # fmt: skip

    def test_a_published_size_in_percentage_points(self) -> None:
        test = next(it for it in CLAIMS["C3"].tests if it.rule == "equals")
        finding = Finding(-0.1, -0.12, -0.08, -0.116, -0.084, 5)
        made = judge("equals", finding, margin=test.tolerance, value=test.value)
        result = JudgedTest(test, finding, made, "event times 0, 2 and 5", test.tolerance)
        said = verdict_sentence(result, "the share", "proportion of requests")
        assert said.text == (
            "The size claimed, −10 percentage points give or take 5 percentage points, is met in years 0, 2 "
            "and 5."
        )
        assert agree(said)

    @pytest.mark.parametrize(
        ("words", "unit", "units"),
        [
            ("requests of people aged 18 to 64", "requests per 100,000 adults", "councils"),
            ("people with 12 months of support", "£000, cash", "2 regions"),
            ("spending in 2016-17 prices", "£ per adult, 2021-22 prices", "councils"),
            ("still at home after 91 days", "%", "councils"),
            ("a ratio", "ratio", "councils"),
            ("an index", "", "units"),
        ],
    )
    def test_numbers_of_words_and_units_are_known_too(self, words: str, unit: str, units: str) -> None:
        for finding in FINDINGS.values():
            assert agree(effect_sentence(finding, words, unit, "event times 0 to 5", units))
            assert agree(change_sentence(finding, words, unit, "event time 3 against event time 0"))
            for rule in TESTS:
                assert agree(verdict_sentence(judged(rule, finding), words, unit))

    @given(
        st.lists(st.floats(-1e7, 1e7, allow_subnormal=False), min_size=3, max_size=3),
        st.sampled_from(["proportion of requests", "£ per adult", "%", "£000, cash", "people", ""]),
    )
    def test_every_number_is_known_whatever_its_size(self, values: list[float], unit: str) -> None:
        low, middle, high = sorted(values)
        finding = Finding(middle, low, high, low, high, 5)
        assert agree(effect_sentence(finding, WORDS, unit, "event times -7 to -2"))
        assert agree(change_sentence(finding, WORDS, unit, "event time 3 against event times 0 to 1"))

    def test_every_unit_of_the_panel_can_be_shown(self) -> None:
        for fact in column_facts().values():
            said = effect_sentence(FINDINGS["above zero"], fact.label, fact.unit, "event time 0")
            assert agree(said), said


class TestClaims:
    outcome = StudyOutcome("gce_per_adult", WORDS)

    def said(self, *tests: JudgedTest) -> Said:
        return claim_sentences(claim_result(*tests), self.outcome, UNIT, "councils")

    def test_an_effect_is_said_once_and_each_test_speaks(self) -> None:
        finding = FINDINGS["below zero"]
        said = self.said(judged("decrease", finding), judged("equals", finding), judged("fades", finding))
        assert said.text == " ".join(
            [
                EFFECTS["below zero"],
                "That is what one would see with a decrease.",
                "The size claimed, −£30 give or take £20, is met in years 0 to 5.",
                "The effect on spending per adult in years 2 to 5 differs from that in years 0 to 1 by −£30 "
                "(95% interval −£50 to −£10).",
                "That is what one would see with an effect that fades.",
            ]
        )
        assert agree(said)

    def test_the_same_words_of_another_window_are_said_again(self) -> None:
        later = ClaimTest("decrease", 2, 5)
        finding = Finding(-40, -60, -20, -57, -23, 5)
        made = judge("decrease", finding)
        said = self.said(
            judged("decrease", FINDINGS["below zero"]), JudgedTest(later, finding, made, later.window, MARGIN)
        )
        assert said.text.count("That is what one would see with a decrease.") == 2
        assert "In years 2 to 5" in said.text

    def test_that_several_claims_are_tested_is_said(self) -> None:
        said = self.said(taken_back("increase", FINDINGS["above zero"]))
        assert said.text == (
            f"{EFFECTS['above zero']} The claim of an increase is neither confirmed nor refuted. "
            "5 claims are tested: adjusted p-value 0.0725 (Holm)."
        )
        assert agree(said)
        assert said.numbers["0.0725"] == 0.0725

    def test_one_adopter_is_said(self) -> None:
        reason = "there is one adopter, whose own variation cannot be told from an effect"
        said = self.said(judged("increase", FINDINGS["above zero"], Judgement("inconclusive", reason)))
        assert said.text.endswith(f"neither confirmed nor refuted. T{reason[1:]}.")

    def test_a_reason_is_said_once(self) -> None:
        nothing = [
            JudgedTest(TESTS[rule], None, Judgement("not estimable", "no figures are held"), "", math.nan)
            for rule in ("increase", "fades")
        ]
        assert self.said(*nothing).text == "This cannot be estimated: no figures are held."


class TestNumbers:
    @pytest.mark.parametrize(
        ("text", "tokens"),
        [
            ("C1 and CR2 in STS001, T15", []),
            ("in 2016-17, 2014\u20132018 and 2021", []),
            ("2014-2018: 3 of 5", ["3", "5"]),
            ("12,345 rows, 0.5%", ["12,345", "0.5%"]),
            ("years 0, 2 and 5", ["0", "2", "5"]),
            (f"{MINUS}£22.4 to +£58.1.", [f"{MINUS}£22.4", "+£58.1"]),
            ("£2016 of 12016 and 0.2016, 2016%", ["£2016", "12016", "0.2016", "2016%"]),
            ("(95% interval -0.012 to 0.03)", ["95%", "-0.012", "0.03"]),
            ("version 3.0.1, doi 10.1016/j.x", []),
            ("p = 0.05; 1,000,000", ["0.05", "1,000,000"]),
        ],
    )
    def test_tokens(self, text: str, tokens: list[str]) -> None:
        assert list(number_tokens(text)) == tokens

    @pytest.mark.parametrize(
        ("token", "value"),
        [("−£1,234.5", -1234.5), ("+95%", 95.0), ("-0.02", -0.02), ("£0", 0.0), ("12,345", 12345.0)],
    )
    def test_values(self, token: str, value: float) -> None:
        assert value_of(token) == value

    @given(st.floats(-1e9, 1e9, allow_subnormal=False), st.sampled_from(["£ a", "proportion", "%", "people"]))
    def test_what_is_printed_is_one_number_of_that_value(self, value: float, unit: str) -> None:
        pen = Writer(scale_of(unit))
        text = pen.signed(value)
        (token,) = number_tokens(text)
        assert value_of(token) == pytest.approx(value * pen.scale.factor, rel=SHOWN)
        assert pen.numbers[token] == value * pen.scale.factor

    def test_signs(self) -> None:
        pen = Writer(scale_of("£ a"))
        shown = [pen.signed(1.5), pen.signed(-1.5), pen.signed(0.0), pen.signed(-0.0), pen.size(-1.5)]
        assert shown == ["+£1.5", "−£1.5", "£0", "£0", "£1.5"]
        assert pen.percent(0.95) == "95%"

    @pytest.mark.parametrize(
        ("unit", "scale", "shown"),
        [
            ("proportion of people reviewed", Scale(100.0, "", " percentage points"), "percentage points"),
            ("%", Scale(1.0, "", " percentage points"), "percentage points"),
            ("£ per adult", Scale(1.0, "£", ""), "£ per adult"),
            ("£000, cash", Scale(1.0, "£", " thousand"), "£000, cash"),
            ("ratio", Scale(1.0, "", ""), "ratio"),
            ("", Scale(), "as given"),
        ],
    )
    def test_scales(self, unit: str, scale: Scale, shown: str) -> None:
        assert scale_of(unit) == scale
        assert shown_unit(unit) == shown
