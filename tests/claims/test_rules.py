"""The rules that turn an interval into a verdict, at their boundaries."""

from __future__ import annotations

import math
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clsimpact.claims import RULES, Finding, Judgement, Verdict, judge, signed
from clsimpact.claims.rules import Rule
from clsimpact.errors import ClsimpactError

MARGIN = 10.0
NUMBERS = st.floats(-100, 100, allow_nan=False, allow_subnormal=False)
SIZES = st.floats(0, 100, allow_nan=False, allow_subnormal=False)
EVERY: list[tuple[Rule, float]] = [
    ("increase", 0.0),
    ("decrease", 0.0),
    ("no_increase", 0.0),
    ("no_decrease", 0.0),
    ("no_difference", 0.0),
    ("equals", -20.0),
    ("equals", 20.0),
    ("fades", 1.0),
    ("fades", -1.0),
    ("grows", 1.0),
    ("grows", -1.0),
]


def finding(low: float, high: float, *, inner: float = 0.8, treated: int = 5) -> Finding:
    """An interval, with the 90% interval about the same middle."""
    middle, half = (low + high) / 2, inner * (high - low) / 2
    return Finding(middle, low, high, max(low, middle - half), min(high, middle + half), treated)


def verdict(rule: Rule, found: Finding, margin: float = MARGIN, value: float = 0.0) -> Verdict:
    return judge(rule, found, margin=margin, value=value).verdict


@st.composite
def findings(draw: st.DrawFn, treated: int = 5) -> Finding:
    middle, half, inner = draw(NUMBERS), draw(SIZES), draw(st.floats(0.1, 1))
    return finding(middle - half, middle + half, inner=inner, treated=treated)


def mirrored(found: Finding) -> Finding:
    return Finding(-found.estimate, -found.high, -found.low, -found.high_90, -found.low_90, found.treated)


BOUNDARIES = [
    (0.01, 1, "consistent"),
    (0, 1, "inconclusive"),
    (-1, 1, "inconclusive"),
    (-1, 0, "inconclusive"),
    (-1, -0.01, "not consistent"),
]


class TestDirection:
    @pytest.mark.parametrize(("low", "high", "expected"), BOUNDARIES)
    def test_increase_at_its_boundaries(self, low: float, high: float, expected: str) -> None:
        assert verdict("increase", finding(low, high)) == expected

    @given(findings())
    def test_a_decrease_is_the_increase_in_the_mirror(self, found: Finding) -> None:
        assert verdict("decrease", found) == verdict("increase", mirrored(found))
        assert verdict("no_decrease", found) == verdict("no_increase", mirrored(found))

    def test_the_margin_plays_no_part(self) -> None:
        assert verdict("increase", finding(0.01, 1), 1e6) == "consistent"

    def test_the_words_name_the_side(self) -> None:
        assert judge("decrease", finding(1, 2)) == Judgement(
            "not consistent", "the 95% interval lies above zero, where a decrease is claimed"
        )


class TestNonInferiority:
    """A change of the margin or more must be ruled out."""

    def test_a_bound_below_the_margin_is_consistent(self) -> None:
        assert verdict("no_increase", Finding(0, -12, 12, -9.9, 9.9, 5)) == "consistent"

    def test_a_bound_at_the_margin_is_not(self) -> None:
        assert verdict("no_increase", Finding(0, -12, 12, -10, 10, 5)) == "inconclusive"
        assert verdict("no_decrease", Finding(0, -12, 12, -10, 10, 5)) == "inconclusive"

    def test_a_small_rise_that_is_surely_below_the_margin_is_consistent(self) -> None:
        assert verdict("no_increase", Finding(5, 1, 9, 2, 8, 5)) == "consistent"

    def test_a_rise_that_may_exceed_the_margin_is_not_consistent(self) -> None:
        assert verdict("no_increase", Finding(11, 1, 21, 3, 19, 5)) == "not consistent"

    def test_no_significance_is_not_no_effect(self) -> None:
        judged = judge("no_increase", Finding(17.8, -22.5, 58.1, -13, 48.6, 5), margin=23.5)
        assert judged == Judgement(
            "inconclusive",
            "the one-sided 95% bound +48.6 is not below the margin +23.5: such an increase is not ruled out",
        )

    def test_a_fall_is_no_increase(self) -> None:
        assert verdict("no_increase", finding(-50, -20)) == "consistent"
        assert verdict("no_decrease", finding(-50, -20)) == "not consistent"

    def test_small_units_keep_their_figures(self) -> None:
        judged = judge("no_increase", Finding(0, -0.02, 0.02, -0.0123, 0.0123, 5), margin=0.01)
        assert "+0.0123" in judged.rule


class TestEquivalence:
    def test_within_the_margin(self) -> None:
        assert verdict("no_difference", Finding(0, -12, 12, -9.9, 9.9, 5)) == "consistent"

    @pytest.mark.parametrize(("low", "high"), [(-10, 9), (-9, 10)])
    def test_a_bound_at_the_margin_is_inconclusive(self, low: float, high: float) -> None:
        assert verdict("no_difference", Finding(0, -12, 12, low, high, 5)) == "inconclusive"

    @pytest.mark.parametrize("sign", [1, -1])
    def test_a_large_difference_is_not_consistent(self, sign: int) -> None:
        low, high = sorted((sign * 11.0, sign * 20.0))
        assert verdict("no_difference", finding(low, high)) == "not consistent"

    def test_a_sure_but_negligible_difference_is_consistent(self) -> None:
        assert verdict("no_difference", finding(1, 3)) == "consistent"

    def test_one_adopter_cannot_show_it(self) -> None:
        assert verdict("no_difference", finding(-1, 1, treated=1)) == "inconclusive"
        assert verdict("no_difference", finding(-1, 1, treated=2)) == "consistent"
        assert "one adopter" in judge("no_difference", finding(-1, 1, treated=1), margin=5.0).rule


class TestEquals:
    """Ten points down, give or take five."""

    @pytest.mark.parametrize(
        ("found", "expected"),
        [
            (Finding(-10, -16, -4, -14.9, -5.1, 5), "consistent"),
            (Finding(-10, -16, -4, -15.0, -5.1, 5), "inconclusive"),
            (Finding(-10, -16, -4, -14.9, -5.0, 5), "inconclusive"),
            (Finding(-3, -4.9, -1, -4, -2, 5), "not consistent"),
            (Finding(-3, -5.0, -1, -4, -2, 5), "inconclusive"),
            (Finding(-18, -20, -15.1, -19, -16, 5), "not consistent"),
            (Finding(0, -20, 20, -17, 17, 5), "inconclusive"),
        ],
    )
    def test_boundaries(self, found: Finding, expected: str) -> None:
        assert verdict("equals", found, 5.0, -10.0) == expected

    def test_the_words_have_the_range(self) -> None:
        rule = judge("equals", Finding(-10, -16, -4, -14.9, -5.1, 5), margin=5.0, value=-10.0).rule
        assert rule == "the 90% interval lies within -15 to -5"


class TestChange:
    """An effect fades if it comes nearer to zero, from whichever side."""

    @pytest.mark.parametrize(
        ("rule", "direction", "expected"),
        [
            ("fades", 1, "not consistent"),
            ("fades", -1, "consistent"),
            ("grows", 1, "consistent"),
            ("grows", -1, "not consistent"),
        ],
    )
    def test_a_change_upwards(self, rule: Rule, direction: int, expected: str) -> None:
        assert verdict(rule, finding(1, 3), value=direction) == expected

    @given(findings(), st.sampled_from([1, -1]))
    def test_what_fades_does_not_grow(self, found: Finding, direction: int) -> None:
        opposite = {"consistent": "not consistent", "not consistent": "consistent"}
        fading, growing = (verdict(rule, found, value=direction) for rule in ("fades", "grows"))
        assert growing == opposite.get(fading, "inconclusive")

    @given(findings())
    def test_a_negative_effect_is_the_mirror(self, found: Finding) -> None:
        assert verdict("fades", found, value=-1) == verdict("fades", mirrored(found), value=1)


@pytest.mark.parametrize(("rule", "value"), EVERY)
class TestEveryRule:
    @given(found=findings(), wider=st.floats(1, 50))
    def test_a_wider_interval_never_turns_into_consistent(
        self, rule: Rule, value: float, found: Finding, wider: float
    ) -> None:
        middle, *ends, treated, _ = found
        broad = Finding(middle, *(middle + wider * (end - middle) for end in ends), treated)
        if verdict(rule, found, value=value) != "consistent":
            assert verdict(rule, broad, value=value) != "consistent"
        if verdict(rule, found, value=value) == "inconclusive":
            assert verdict(rule, broad, value=value) == "inconclusive"

    @given(found=findings(), scale=st.sampled_from([0.25, 0.5, 2.0, 1024.0]))
    def test_the_unit_does_not_matter(self, rule: Rule, value: float, found: Finding, scale: float) -> None:
        *numbers, treated, _ = found
        scaled = Finding(*(scale * number for number in numbers), treated)
        claimed = scale * value if rule == "equals" else value
        assert verdict(rule, scaled, scale * MARGIN, claimed) == verdict(rule, found, MARGIN, value)

    @given(found=findings())
    def test_a_reason_goes_with_every_verdict(self, rule: Rule, value: float, found: Finding) -> None:
        judged = judge(rule, found, margin=MARGIN, value=value)
        assert judged.verdict in ("consistent", "not consistent", "inconclusive")
        assert len(judged.rule) > 20

    def test_what_is_not_known_is_inconclusive(self, rule: Rule, value: float) -> None:
        nothing = Finding(1.0, *[math.nan] * 4, 5)
        assert verdict(rule, nothing, value=value) == "inconclusive"


def test_every_rule_that_can_be_named_is_there() -> None:
    assert set(RULES) == set(get_args(Rule)) == {rule for rule, _ in EVERY}


def test_an_unknown_rule_is_told_with_the_nearest() -> None:
    with pytest.raises(ClsimpactError, match=r"no rule 'increse'.*did you mean 'increase'"):
        judge("increse", finding(1, 2))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (17.84, "+17.8"),
        (-22.5, "-22.5"),
        (0.0, "0"),
        (-0.0, "0"),
        (0.01234, "+0.0123"),
        (-123456.0, "-123,456"),
    ],
)
def test_signed(value: float, words: str) -> None:
    assert signed(value) == words
