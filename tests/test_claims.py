"""The rules that turn an interval into a verdict, at their boundaries."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clsimpact.claims import CLAIMS, Finding, Judgement, Verdict, signed
from clsimpact.outcomes import OUTCOMES

MARGIN = 10.0
NUMBERS = st.floats(-100, 100, allow_nan=False, allow_subnormal=False)
SIZES = st.floats(0, 100, allow_nan=False, allow_subnormal=False)


def finding(low: float, high: float, *, inner: float = 0.8, treated: int = 5) -> Finding:
    """An interval, with the 90% interval about the same middle."""
    middle, half = (low + high) / 2, inner * (high - low) / 2
    return Finding(middle, low, high, max(low, middle - half), min(high, middle + half), treated)


def verdict(claim: str, found: Finding, margin: float = MARGIN) -> Verdict:
    return CLAIMS[claim].judge(found, margin).verdict


@st.composite
def findings(draw: st.DrawFn, treated: int = 5) -> Finding:
    middle, half, inner = draw(NUMBERS), draw(SIZES), draw(st.floats(0.1, 1))
    return finding(middle - half, middle + half, inner=inner, treated=treated)


class TestIncrease:
    """C1 and C2."""

    @pytest.mark.parametrize(
        ("low", "high", "expected"),
        [
            (0.01, 1, "consistent"),
            (0, 1, "inconclusive"),
            (-1, 1, "inconclusive"),
            (-1, 0, "inconclusive"),
            (-1, -0.01, "not consistent"),
        ],
    )
    @pytest.mark.parametrize("claim", ["C1", "C2"])
    def test_boundaries(self, claim: str, low: float, high: float, expected: str) -> None:
        assert verdict(claim, finding(low, high)) == expected

    def test_the_margin_plays_no_part(self) -> None:
        assert verdict("C1", finding(0.01, 1), 1e6) == "consistent"


class TestDecrease:
    """C3."""

    @pytest.mark.parametrize(
        ("low", "high", "expected"),
        [
            (-1, -0.01, "consistent"),
            (-1, 0, "inconclusive"),
            (0, 1, "inconclusive"),
            (0.01, 1, "not consistent"),
        ],
    )
    def test_boundaries(self, low: float, high: float, expected: str) -> None:
        assert verdict("C3", finding(low, high)) == expected

    @given(findings())
    def test_it_is_the_increase_in_the_mirror(self, found: Finding) -> None:
        mirrored = finding(-found.high, -found.low)
        assert verdict("C3", found) == verdict("C1", mirrored)
        assert verdict("C1", found) == verdict("C3", mirrored)


class TestNoIncrease:
    """C4: a rise of the margin or more must be ruled out."""

    def test_a_bound_below_the_margin_is_consistent(self) -> None:
        assert verdict("C4", Finding(0, -12, 12, -9.9, 9.9, 5)) == "consistent"

    def test_a_bound_at_the_margin_is_not(self) -> None:
        assert verdict("C4", Finding(0, -12, 12, -10, 10, 5)) == "inconclusive"

    def test_a_small_rise_that_is_surely_below_the_margin_is_consistent(self) -> None:
        assert verdict("C4", Finding(5, 1, 9, 2, 8, 5)) == "consistent"

    def test_a_rise_that_may_exceed_the_margin_is_not_consistent(self) -> None:
        assert verdict("C4", Finding(11, 1, 21, 3, 19, 5)) == "not consistent"

    def test_no_significance_is_not_no_effect(self) -> None:
        judged = CLAIMS["C4"].judge(Finding(17.8, -22.5, 58.1, -13, 48.6, 5), 23.5)
        assert judged == Judgement(
            "inconclusive",
            "the one-sided 95% bound +48.6 is not below the margin +23.5: such an increase is not ruled out",
        )

    def test_a_fall_is_consistent(self) -> None:
        assert verdict("C4", finding(-50, -20)) == "consistent"

    def test_small_units_keep_their_figures(self) -> None:
        assert "+0.0123" in CLAIMS["C4"].judge(Finding(0, -0.02, 0.02, -0.0123, 0.0123, 5), 0.01).rule


class TestFlatBefore:
    """C5: equivalence."""

    def test_within_the_margin(self) -> None:
        assert verdict("C5", Finding(0, -12, 12, -9.9, 9.9, 5)) == "consistent"

    @pytest.mark.parametrize(("low", "high"), [(-10, 9), (-9, 10)])
    def test_a_bound_at_the_margin_is_inconclusive(self, low: float, high: float) -> None:
        assert verdict("C5", Finding(0, -12, 12, low, high, 5)) == "inconclusive"

    @pytest.mark.parametrize("sign", [1, -1])
    def test_a_large_difference_is_not_consistent(self, sign: int) -> None:
        low, high = sorted((sign * 11.0, sign * 20.0))
        assert verdict("C5", finding(low, high)) == "not consistent"

    def test_a_sure_but_negligible_difference_is_consistent(self) -> None:
        assert verdict("C5", finding(1, 3)) == "consistent"

    def test_one_council_cannot_show_it(self) -> None:
        assert verdict("C5", finding(-1, 1, treated=1)) == "inconclusive"
        assert verdict("C5", finding(-1, 1, treated=2)) == "consistent"


@pytest.mark.parametrize("claim", list(CLAIMS))
class TestEveryRule:
    @given(found=findings(), wider=st.floats(1, 50))
    def test_a_wider_interval_never_turns_into_consistent(
        self, claim: str, found: Finding, wider: float
    ) -> None:
        middle, *ends, treated = found
        broad = Finding(middle, *(middle + wider * (end - middle) for end in ends), treated)
        if verdict(claim, found) != "consistent":
            assert verdict(claim, broad) != "consistent"
        if verdict(claim, found) == "inconclusive":
            assert verdict(claim, broad) == "inconclusive"

    @given(found=findings(), scale=st.sampled_from([0.25, 0.5, 2.0, 1024.0]))
    def test_the_unit_does_not_matter(self, claim: str, found: Finding, scale: float) -> None:
        *numbers, treated = found
        scaled = Finding(*(scale * value for value in numbers), treated)
        assert verdict(claim, scaled, scale * MARGIN) == verdict(claim, found)

    @given(found=findings())
    def test_a_reason_goes_with_every_verdict(self, claim: str, found: Finding) -> None:
        judged = CLAIMS[claim].judge(found, MARGIN)
        assert judged.verdict in ("consistent", "not consistent", "inconclusive")
        assert len(judged.rule) > 20


def test_the_claims_are_those_of_the_study() -> None:
    assert list(CLAIMS) == ["C1", "C2", "C3", "C4", "C5"]
    windows = {name: claim.window for name, claim in CLAIMS.items()}
    assert windows == {"C1": (0, 1), "C2": (2, None), "C3": (0, None), "C4": (0, None), "C5": (None, -1)}
    assert all(set(claim.outcomes) <= set(OUTCOMES) for claim in CLAIMS.values())
    assert all(claim.source and claim.statement for claim in CLAIMS.values())


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
