"""Verdicts of claims against hand arithmetic, the family of tests, margins, and what cannot be estimated."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from clsimpact import estimators
from clsimpact.claims import CLAIMS, Claim, ClaimTest, evaluate_claims, find_effect
from clsimpact.claims.evaluate import combine, comparison_mean
from clsimpact.claims.results import ClaimReport, ClaimResult
from clsimpact.claims.rules import Judgement
from clsimpact.design import Design
from clsimpact.errors import DesignError
from clsimpact.inference.influence import Influence
from clsimpact.inference.methods import ConleyTaber
from clsimpact.inference.sandwich import Counts
from clsimpact.results import REFERENCE, Estimate, Term, embedded
from tests.estimation_helpers import council_design, five_units, made_up, mpdta
from tests.stub_fits import cell_fit, one_fit, path_fit

EXACT = 1e-12
"""Relative; the same numbers are added in another order."""
SIZES = 1e-9
"""Relative; a quantile of the t distribution by two routes."""
COUNTS = {-3: 4, -2: 5, -1: 5, 0: 5, 1: 5, 2: 5, 3: 4}


@functools.cache
def design() -> Design:
    return council_design(made_up(years=tuple(range(2014, 2022))))


def path_of(
    path: Mapping[int, float | None], error: float = 1.0, *, at: Design | None = None, level: float = 0.95
) -> Estimate:
    """Independent effects by event time, each with one standard error: sums can be done by hand."""
    found = design() if at is None else at
    events = sorted({*path, -1})
    values = [path.get(event) for event in events]
    n = len(found.units)
    psi = np.zeros((n, len(events)))
    psi[np.arange(len(events)), np.arange(len(events))] = error
    counts = Counts(n_obs=found.n_obs, n_clusters=n, k_nested=1, k_all=1)
    numbers = np.array([value or 0.0 for value in values])
    held = Influence(numbers, psi, np.arange(n), counts)
    good = np.array([value is not None for value in values])
    reasons = ["" if ok else REFERENCE if event == -1 else "no control"
               for event, ok in zip(events, good, strict=True)]  # fmt: skip
    terms = tuple(
        Term(f"e={event}", event, None, COUNTS.get(event, 1), COUNTS.get(event, 1), reason)
        for event, reason in zip(events, reasons, strict=True)
    )
    slots = tuple(i if ok else None for i, ok in enumerate(good))
    shown = np.where(good, numbers, np.nan)
    vcov = embedded(held, slots, good, "CR0")
    return Estimate("stub", found, terms, shown, good, vcov, level, "", uncertainty=held, slots=slots)


def half(error: float, level: float = 0.95) -> float:
    """Half the width of an interval: clusters less one are the degrees of freedom."""
    return float(stats.t.ppf(0.5 + level / 2, len(design().units) - 1) * error)


def claim(*tests: ClaimTest, name: str = "X", outcomes: tuple[str, ...] = ("y",)) -> Claim:
    return Claim(name, "something", "", outcomes, tests)


def only(fit: Estimate, *tests: ClaimTest, **options: object) -> ClaimResult:
    (result,) = evaluate_claims({"y": fit}, [claim(*tests)], **options)  # type: ignore[arg-type]
    return result


class TestWindow:
    """Hand arithmetic on effects that are independent."""

    path = path_of({-3: 4.0, -2: -2.0, 0: 1.0, 1: 3.0, 2: 8.0, 3: 10.0})

    @pytest.mark.parametrize(
        ("first", "last", "mean", "words"),
        [
            (0, 1, 2.0, "event times 0 to 1"),
            (0, None, 5.5, "event times 0 to 3"),
            (2, None, 9.0, "event times 2 to 3"),
            (None, -1, 1.0, "event times -3 to -2"),
            (None, -2, 1.0, "event times -3 to -2"),
            (None, None, 4.0, "event times -3, -2, 0, 1, 2 and 3"),
            (3, 9, 10.0, "event time 3"),
        ],
    )
    def test_event_times_count_equally_and_the_reference_does_not(
        self, first: int | None, last: int | None, mean: float, words: str
    ) -> None:
        found, said = find_effect(self.path, ClaimTest("increase", first, last))
        assert found.estimate == pytest.approx(mean, rel=EXACT)
        assert said == words

    def test_interval_bounds_and_p_value(self) -> None:
        found, _ = find_effect(self.path, ClaimTest("increase", 0, 1))
        error = math.sqrt(2) / 2
        assert found.low == pytest.approx(2 - half(error), rel=SIZES)
        assert found.high == pytest.approx(2 + half(error), rel=SIZES)
        assert found.low_90 == pytest.approx(2 - half(error, 0.90), rel=SIZES)
        assert found.high_90 == pytest.approx(2 + half(error, 0.90), rel=SIZES)
        df = len(design().units) - 1
        assert found.p_value == pytest.approx(2 * stats.t.sf(2 / error, df), rel=SIZES)
        assert found.treated == 5

    def test_the_fewest_adopters_of_any_event_time(self) -> None:
        assert find_effect(self.path, ClaimTest("increase", 0, None))[0].treated == 4

    @pytest.mark.parametrize(
        ("test", "margin", "p"),
        [
            (ClaimTest("no_increase", 0, 1), 3.0, lambda t: t.cdf((2 - 3) / math.sqrt(0.5))),
            (ClaimTest("no_decrease", 0, 1), 3.0, lambda t: t.sf((2 + 3) / math.sqrt(0.5))),
            (ClaimTest("no_difference", 0, 1), 3.0, lambda t: t.cdf((2 - 3) / math.sqrt(0.5))),
            (
                ClaimTest("equals", 0, 1, value=1.0, tolerance=3.0),
                3.0,
                lambda t: max(t.cdf((2 - 4) / math.sqrt(0.5)), t.sf((2 + 2) / math.sqrt(0.5))),
            ),
        ],
    )
    def test_p_values_of_rules_with_a_margin(self, test: ClaimTest, margin: float, p: object) -> None:
        found, _ = find_effect(self.path, test, margin=margin)
        assert found.p_value == pytest.approx(p(stats.t(len(design().units) - 1)), rel=SIZES)  # type: ignore[operator]

    def test_an_event_time_that_is_not_identified_is_left_out(self) -> None:
        path = path_of({0: 1.0, 1: None, 2: 5.0})
        found, words = find_effect(path, ClaimTest("increase"))
        assert (found.estimate, words) == (3.0, "event times 0 and 2")

    def test_a_window_without_an_effect(self) -> None:
        with pytest.raises(DesignError, match=r"no event time 5 to 7 is identified \(identified: -3, -2, 0,"):
            find_effect(self.path, ClaimTest("increase", 5, 7))
        with pytest.raises(DesignError, match="no event time -1 is identified"):
            find_effect(self.path, ClaimTest("increase", -1, -1))

    @pytest.mark.parametrize("level", [0.5, 0.8, 0.99])
    def test_the_level_of_the_result_plays_no_part(self, level: float) -> None:
        path = replace(self.path, level=level)
        assert find_effect(path, ClaimTest("increase")) == find_effect(self.path, ClaimTest("increase"))
        assert path.level == level


class TestChange:
    @pytest.mark.parametrize("rule", ["fades", "grows"])
    def test_it_is_the_linear_combination_of_both_windows(self, rule: str) -> None:
        fit = estimators.event_study(mpdta(), inference="CR1")
        found, words = find_effect(fit, ClaimTest(rule, 2, None, 0, 1, 1))  # type: ignore[arg-type]
        row = fit.linear_combination({"e=2": 0.5, "e=3": 0.5, "e=0": -0.5, "e=1": -0.5}).iloc[0]
        assert found.estimate == pytest.approx(row["estimate"], rel=EXACT)
        assert (found.low, found.high) == pytest.approx((row["conf_low"], row["conf_high"]), rel=EXACT)
        assert found.p_value == pytest.approx(row["p_value"], rel=EXACT)
        assert words == "event times 2 to 3 against event times 0 to 1"

    def test_by_hand(self) -> None:
        path = path_of({0: 6.0, 1: 4.0, 2: 1.0, 3: 0.0, 4: 0.5})
        found, words = find_effect(path, ClaimTest("fades", 2, None, 0, 1, 1))
        assert found.estimate == pytest.approx(0.5 - 5.0, rel=EXACT)
        assert found.high - found.estimate == pytest.approx(half(math.sqrt(3 / 9 + 2 / 4)), rel=SIZES)
        assert words == "event times 2 to 4 against event times 0 to 1"
        assert only(path, ClaimTest("fades", 2, None, 0, 1, 1)).verdict == "consistent"
        assert only(path, ClaimTest("grows", 2, None, 0, 1, 1)).verdict == "not consistent"
        assert only(path, ClaimTest("grows", 2, None, 0, 1, -1)).verdict == "consistent"

    def test_windows_may_share_an_event_time(self) -> None:
        path = path_of({0: 6.0, 1: 4.0})
        found, _ = find_effect(path, ClaimTest("fades", 0, 1, 0, 0, 1))
        assert found.estimate == pytest.approx(-1.0, rel=EXACT)
        assert found.high - found.estimate == pytest.approx(half(math.sqrt(0.5)), rel=SIZES)

    def test_one_window_twice_is_no_change(self) -> None:
        result = only(path_of({0: 6.0, 1: 4.0}), ClaimTest("fades", 0, 1, 0, 1, 1))
        assert (result.verdict, result.rule) == ("not estimable", "The combination cannot be estimated")


class TestVerdict:
    """Effects of 5 with error 1 in one event time: the 95% interval is 3 to 7, nearly."""

    @pytest.mark.parametrize(
        ("effect", "error", "test", "expected"),
        [
            (5, 1, ClaimTest("increase"), "consistent"),
            (5, 1, ClaimTest("decrease"), "not consistent"),
            (-5, 1, ClaimTest("decrease"), "consistent"),
            (5, 3, ClaimTest("increase"), "inconclusive"),
            (1, 1, ClaimTest("no_increase"), "consistent"),
            (5, 3, ClaimTest("no_increase"), "inconclusive"),
            (5, 1, ClaimTest("no_increase"), "not consistent"),
            (-5, 1, ClaimTest("no_increase"), "consistent"),
            (-5, 1, ClaimTest("no_decrease"), "not consistent"),
            (0, 1, ClaimTest("no_difference"), "consistent"),
            (0, 3, ClaimTest("no_difference"), "inconclusive"),
            (9, 1, ClaimTest("no_difference"), "not consistent"),
            (5, 1, ClaimTest("equals", value=5.0, tolerance=2.0), "consistent"),
            (5, 3, ClaimTest("equals", value=5.0, tolerance=2.0), "inconclusive"),
            (5, 1, ClaimTest("equals", value=-5.0, tolerance=2.0), "not consistent"),
        ],
    )
    def test_by_hand(self, effect: float, error: float, test: ClaimTest, expected: str) -> None:
        result = only(path_of({0: float(effect)}, error), test, margins={"y": 4.0})
        assert result.verdict == expected

    def test_all_tests_must_hold(self) -> None:
        path = path_of({0: 5.0, 1: 5.0, 2: 1.0, 3: 1.0})
        up, later = ClaimTest("increase", 0, 1), ClaimTest("increase", 2, 3)
        result = only(path, up, later)
        assert [it.judgement.verdict for it in result.tests] == ["consistent", "inconclusive"]
        assert result.verdict == "inconclusive"
        assert result.rule.startswith("the 95% interval includes zero")
        assert only(path, up, ClaimTest("decrease", 0, 1)).verdict == "not consistent"

    @pytest.mark.parametrize(
        ("verdicts", "expected"),
        [
            (["consistent"], "consistent"),
            (["consistent", "consistent"], "consistent"),
            (["consistent", "inconclusive"], "inconclusive"),
            (["consistent", "not estimable"], "inconclusive"),
            (["inconclusive", "not consistent"], "not consistent"),
            (["not estimable", "not consistent"], "not estimable"),
            (["consistent", "not estimable", "not consistent"], "not consistent"),
        ],
    )
    def test_tests_together(self, verdicts: list[str], expected: str) -> None:
        made = [Judgement(verdict, f"rule {n}") for n, verdict in enumerate(verdicts)]  # type: ignore[arg-type]
        assert combine(made).verdict == expected

    @given(st.integers(1, 40), st.floats(-30, 30), st.floats(0.1, 10))
    @settings(deadline=None, max_examples=40)
    def test_verdict_and_p_value_agree(self, margin: int, effect: float, error: float) -> None:
        """Consistent and rejected at 5% are one thing, whatever the rule."""
        path = path_of({0: effect}, error)
        for rule in ("increase", "decrease", "no_increase", "no_decrease", "no_difference"):
            result = only(path, ClaimTest(rule), margins={"y": float(margin)})  # type: ignore[arg-type]
            (test,) = result.tests
            assert test.finding is not None
            if rule in ("increase", "decrease"):
                assert (test.finding.p_value < 0.05) == (test.judgement.verdict != "inconclusive")
            else:
                assert (test.finding.p_value < 0.05) == (test.judgement.verdict == "consistent")

    @given(st.floats(-20, 20), st.floats(0.1, 5), st.floats(1, 20))
    @settings(deadline=None, max_examples=40)
    def test_a_wider_interval_never_turns_into_consistent(
        self, effect: float, error: float, wider: float
    ) -> None:
        for test in (ClaimTest("increase"), ClaimTest("no_increase"), ClaimTest("no_difference")):
            narrow, wide = (
                only(path_of({0: effect}, size), test, margins={"y": 5.0}).verdict
                for size in (error, error * wider)
            )
            if narrow == "inconclusive":
                assert wide == "inconclusive"


class TestFamily:
    """Holm over the main first tests; no_difference belongs to no family."""

    claims = (
        claim(ClaimTest("increase"), ClaimTest("increase", 0, 1), name="A", outcomes=("a", "b")),
        claim(ClaimTest("no_increase"), name="B", outcomes=("b",)),
        claim(ClaimTest("no_difference", None, -1), name="C", outcomes=("a",)),
        claim(ClaimTest("decrease"), name="D", outcomes=("d",)),
        claim(ClaimTest("decrease"), name="E", outcomes=("absent",)),
    )

    def report(self, *, error: float = 1.0) -> ClaimReport:
        fits = {
            "a": path_of({-2: 0.0, 0: 2.1, 1: 2.1}, error * math.sqrt(2)),
            "b": path_of({0: 3.0, 1: 3.0}, math.sqrt(2)),
            "d": path_of({0: 0.1}, 1.0),
        }
        return evaluate_claims(fits, self.claims, margins={"b": 5.0, "a": 5.0})

    def test_who_belongs_to_it(self) -> None:
        rows = self.report().tidy()
        inside = rows[rows["p_adjusted"].notna()]
        assert list(zip(inside["claim"], inside["outcome"], inside["test"], strict=True)) == [
            ("A", "a", 1), ("B", "b", 1), ("D", "d", 1),
        ]  # fmt: skip

    def test_by_hand(self) -> None:
        """Three p-values: the smallest counts thrice, the next twice, and none falls below the one before."""
        t = stats.t(len(design().units) - 1)
        p_a, p_b, p_d = 2 * t.sf(2.1), t.cdf(3.0 - 5.0), 2 * t.sf(0.1)
        first, second = sorted((p_a, p_b))
        holm = {first: min(1, 3 * first), second: min(1, max(3 * first, 2 * second)), p_d: p_d}
        rows = self.report().tidy().dropna(subset=["p_adjusted"]).set_index("claim")
        for name, p in (("A", p_a), ("B", p_b), ("D", p_d)):
            assert rows.loc[name, "p_value"] == pytest.approx(p, rel=SIZES)
            assert rows.loc[name, "p_adjusted"] == pytest.approx(max(holm[p], holm[first]), rel=SIZES)

    def test_what_does_not_survive_it_is_inconclusive_and_says_so(self) -> None:
        alone = evaluate_claims({"a": path_of({0: 2.1, 1: 2.1}, math.sqrt(2))}, self.claims[:1])
        assert next(iter(alone)).verdict == "consistent"
        result = next(iter(self.report()))
        assert result.verdict == "inconclusive"
        assert result.tests[0].judgement.verdict == "inconclusive"
        assert "but 3 claims are tested: adjusted p-value 0.0" in result.rule
        assert result.tests[1].judgement.verdict == "consistent", "tests that are not the first stay"

    def test_other_definitions_are_judged_on_their_own(self) -> None:
        other = next(it for it in self.report() if (it.claim.id, it.outcome) == ("A", "b"))
        assert not other.main
        assert math.isnan(other.tests[0].p_adjusted)
        assert other.verdict == "consistent"

    def test_a_strong_result_survives(self) -> None:
        report = self.report(error=0.2)
        result = next(iter(report))
        assert result.verdict == "consistent"
        assert result.tests[0].p_adjusted < 0.05

    def test_a_contradiction_stays(self) -> None:
        fits = {"a": path_of({0: -2.1, 1: -2.1}, math.sqrt(2)), "d": path_of({0: 0.1}, 1.0)}
        assert next(iter(evaluate_claims(fits, self.claims))).verdict == "not consistent"


class TestMargins:
    path = path_of({0: 0.0}, 0.01)

    def test_a_share_of_the_mean_of_comparison_units(self) -> None:
        fit = estimators.event_study(Design(five_units(), outcome="y", unit="unit", time="time",
                                            cohort="cohort"), inference="CR0")  # fmt: skip
        mean = (5 + 5 + 6 + 4 + 6 + 6) / 6
        assert comparison_mean(fit) == pytest.approx(mean, rel=EXACT)
        result = only(fit, ClaimTest("no_increase"), margin_share=0.1)
        assert result.tests[0].margin == pytest.approx(0.1 * mean, rel=EXACT)

    def test_a_negative_mean_makes_a_margin_above_zero(self) -> None:
        data = five_units().assign(y=lambda rows: -rows["y"])
        fit = estimators.event_study(Design(data, outcome="y", unit="unit", time="time", cohort="cohort"),
                                     inference="CR0")  # fmt: skip
        assert comparison_mean(fit) == pytest.approx(32 / 6, rel=EXACT)

    def test_where_all_adopt_it_is_the_mean_of_all(self) -> None:
        data = five_units().assign(cohort=lambda rows: rows["cohort"].fillna(3))
        fit = path_of({0: 1.0}, at=Design(data, outcome="y", unit="unit", time="time", cohort="cohort"))
        assert comparison_mean(fit) == pytest.approx(five_units()["y"].mean(), rel=EXACT)

    def test_the_margin_given_is_taken(self) -> None:
        assert only(self.path, ClaimTest("no_increase"), margins={"y": 0.5}).tests[0].margin == 0.5

    def test_the_tolerance_is_the_margin_of_equals(self) -> None:
        result = only(self.path, ClaimTest("equals", value=0.0, tolerance=0.25), margins={"y": 9.0})
        assert result.tests[0].margin == 0.25

    def test_without_a_mean_there_is_no_margin(self) -> None:
        flat = council_design(made_up(years=tuple(range(2014, 2022))).assign(cost=0.0))
        fit = path_of({0: -5.0}, 0.1, at=flat)
        result = only(fit, ClaimTest("no_increase"))
        assert result.verdict == "not estimable"
        assert "there is no margin" in result.rule
        assert only(fit, ClaimTest("decrease")).verdict == "consistent"

    @pytest.mark.parametrize("value", [0, 0.0, -1.0, math.nan, math.inf, "0.1", None, True])
    def test_what_is_no_margin(self, value: object) -> None:
        with pytest.raises(DesignError, match=r"margin of 'y': .* is no number above zero"):
            only(self.path, ClaimTest("no_increase"), margins={"y": value})
        with pytest.raises(DesignError, match=r"margin_share: .* is no number above zero"):
            only(self.path, ClaimTest("no_increase"), margin_share=value)

    def test_all_problems_at_once_with_the_nearest_name(self) -> None:
        with pytest.raises(DesignError) as caught:
            evaluate_claims({"gce_per_adult": self.path}, margins={"gce_per_adlut": -1.0}, margin_share=0)
        assert list(caught.value.problems) == [
            "margin of 'gce_per_adlut': there is no such outcome (did you mean 'gce_per_adult'?)",
            "margin of 'gce_per_adlut': -1.0 is no number above zero",
            "margin_share: 0 is no number above zero",
        ]

    def test_an_outcome_without_a_result_may_have_one(self) -> None:
        found = evaluate_claims({}, margins={"signposted": 0.02}, not_estimable={"signposted": "one year"})
        assert {it.verdict for it in found} == {"not estimable"}


class TestNotEstimable:
    def test_without_a_result_the_reason_is_given(self) -> None:
        found = evaluate_claims({}, not_estimable={"signposted": "figures are held for one year"})
        assert len(found) == sum(len(it.outcomes) for it in CLAIMS.values())
        reasons = {it.outcome: it.rule for it in found}
        assert reasons["signposted"] == "figures are held for one year"
        assert reasons["planned_share"] == "there is no result for it"
        assert all(test.finding is None for it in found for test in it.tests)

    def test_a_result_without_a_path(self) -> None:
        result = only(one_fit(design(), "treated", 1.0), ClaimTest("increase"))
        assert (result.verdict, result.rule) == (
            "not estimable",
            "synthetic_did has no effects by event time",
        )

    def test_a_window_that_is_not_there(self) -> None:
        result = only(path_of({0: 1.0}), ClaimTest("increase", 4))
        assert result.rule == "no event time 4 and later is identified (identified: 0)"

    def test_no_interval(self) -> None:
        fit = estimators.event_study(design())
        refused = replace(fit, refused="two adopters: no interval holds", procedure=None)
        result = only(refused, ClaimTest("increase", 0, 1))
        assert result.verdict == "not estimable"
        assert result.rule == "no interval over event times 0 to 1: two adopters: no interval holds"

    def test_a_later_test_that_cannot_be_made_leaves_it_open(self) -> None:
        result = only(path_of({0: 5.0, 1: 5.0}), ClaimTest("increase", 0, 1), ClaimTest("increase", 6))
        assert [it.judgement.verdict for it in result.tests] == ["consistent", "not estimable"]
        assert result.verdict == "inconclusive"

    def test_one_adopter_is_inconclusive(self) -> None:
        data = made_up(years=tuple(range(2014, 2022)))
        adopters = data.loc[data["adoption_year"].notna(), "ons_code"].unique()
        one = council_design(data[~data["ons_code"].isin(adopters[1:])])
        result = only(path_of({0: 50.0}, 0.1, at=one), ClaimTest("increase"))
        assert result.verdict == "inconclusive"
        assert result.rule.startswith("there is one adopter")

    def test_a_method_without_a_distribution(self) -> None:
        fit = estimators.twfe(design()).with_inference(ConleyTaber())
        assert only(fit, ClaimTest("increase")).verdict == "not estimable"


class TestEstimators:
    claims = (claim(ClaimTest("decrease"), ClaimTest("no_difference", None, -1), outcomes=("lemp",)),)

    @pytest.mark.parametrize("name", ["event_study", "group_time", "sun_abraham", "imputation", "two_stage"])
    def test_any_estimator_with_a_path(self, name: str) -> None:
        """Those of effects by cohort and period are averaged to event times."""
        fit = getattr(estimators, name)(mpdta())
        (result,) = evaluate_claims({"lemp": fit}, self.claims, margins={"lemp": 0.05})
        assert result.verdict == "consistent"
        assert result.estimator == fit.estimator
        by_event = fit.aggregate("dynamic") if fit.aggregator is not None else fit
        row = by_event.average().iloc[0]
        found = result.tests[0].finding
        assert found is not None
        assert found.estimate == pytest.approx(row["estimate"], rel=EXACT)
        assert found.low == pytest.approx(row["conf_low"], rel=EXACT)
        assert found.high == pytest.approx(row["conf_high"], rel=EXACT)
        assert found.p_value == pytest.approx(row["p_value"], rel=EXACT)

    def test_cells_by_hand(self) -> None:
        fit = cell_fit(mpdta())
        found, _ = find_effect(fit, ClaimTest("increase", 0, 0))
        row = fit.aggregate("dynamic").tidy().query("event_time == 0").iloc[0]
        assert found.estimate == pytest.approx(row["estimate"], rel=EXACT)

    def test_draws_and_seed_of_the_result_are_kept_at_another_level(self) -> None:
        fit = estimators.event_study(mpdta(), inference="CR1")
        drawn = fit.with_inference("permutation", draws=199, seed=3)
        other = drawn.with_inference("permutation", draws=199, seed=3, level=0.8)
        test = ClaimTest("decrease", 0, 1)
        assert find_effect(other, test) == find_effect(drawn, test)
        row = drawn.linear_combination({"e=0": 0.5, "e=1": 0.5}).iloc[0]
        assert find_effect(drawn, test)[0].low == row["conf_low"]


class TestEquivalence:
    """`Estimate.equivalence(weights=...)`: the 90% interval of a linear combination."""

    weights: ClassVar = {"e=0": 0.5, "e=1": 0.5}

    @pytest.mark.parametrize("kind", ["CR0", "CR1", "CR2", "path"])
    def test_it_is_the_interval_of_the_combination(self, kind: str) -> None:
        fit = estimators.event_study(mpdta()).with_inference(kind)
        found = fit.equivalence(0.1, weights=self.weights)
        row = replace(fit, level=0.90).linear_combination(self.weights).iloc[0]
        assert (found.conf_low, found.conf_high) == pytest.approx(
            (row["conf_low"], row["conf_high"]), rel=SIZES
        )
        assert found.level == 0.95

    def test_one_term_is_the_row(self) -> None:
        fit = estimators.event_study(mpdta(), inference="CR1")
        assert fit.equivalence(0.05, weights={"e=1": 1.0}) == fit.equivalence(0.05, row="e=1")

    def test_the_average_after_adoption_is_the_default(self) -> None:
        fit = estimators.event_study(mpdta())
        own = fit.equivalence(0.1, weights={f"e={e}": 0.25 for e in range(4)})
        assert own == fit.equivalence(0.1)

    def test_draws_are_those_of_the_combination(self) -> None:
        fit = estimators.event_study(mpdta()).with_inference("permutation", draws=499, seed=1)
        found = fit.equivalence(0.05, weights=self.weights)
        row = fit.linear_combination(self.weights).iloc[0]
        assert row["conf_low"] < found.conf_low < row["estimate"] < found.conf_high < row["conf_high"]

    def test_what_it_refuses(self) -> None:
        fit = estimators.event_study(mpdta(), inference="CR1")
        with pytest.raises(DesignError, match="did you mean 'e=1'"):
            fit.equivalence(0.05, weights={"e=11": 1.0})
        with pytest.raises(DesignError, match="e=-1 is not identified"):
            fit.equivalence(0.05, weights={"e=-1": 1.0})
        with pytest.raises(DesignError, match="cannot be estimated"):
            fit.equivalence(0.05, weights={})
        with pytest.raises(DesignError, match="A row and weights were given"):
            fit.equivalence(0.05, row="e=1", weights=self.weights)
        with pytest.raises(DesignError, match="two adopters"):
            replace(fit, refused="two adopters").equivalence(0.05, weights=self.weights)


class TestReport:
    def report(self) -> ClaimReport:
        fits = {"y": path_of({0: 5.0, 1: 5.0})}
        odd = Claim("X<1>", "It rises & stays", "", ("y",), (ClaimTest("increase"), ClaimTest("increase", 9)))
        return evaluate_claims(fits, [odd, claim(ClaimTest("decrease"), name="Z", outcomes=("z",))])

    def test_a_row_per_test_with_fixed_columns(self) -> None:
        rows = self.report().tidy()
        assert list(rows.columns) == list(ClaimReport(()).tidy().columns)
        assert rows[["claim", "test", "rule", "verdict", "claim_verdict"]].to_numpy().tolist() == [
            ["X<1>", 1, "increase", "consistent", "inconclusive"],
            ["X<1>", 2, "increase", "not estimable", "inconclusive"],
            ["Z", 1, "decrease", "not estimable", "not estimable"],
        ]
        assert rows.loc[0, "estimate"] == pytest.approx(5.0, rel=EXACT)
        assert pd.isna(rows.loc[1:, ["estimate", "conf_low", "p_value"]]).all(axis=None)

    def test_text_and_page(self) -> None:
        report = self.report()
        assert len(report) == 2
        assert "    y: inconclusive; no event time 9 and later" in str(report)
        assert f"event times 0 to 1: +5 (95% interval +{5 - half(math.sqrt(0.5)):.3g} to" in str(report)
        assert repr(report).startswith("<2 judgements of claims>")
        page = report._repr_html_()
        assert "X&lt;1&gt;: It rises &amp; stays" in page
        assert ">not estimable</td>" in page

    def test_the_inference_is_told(self) -> None:
        result = only(path_of({0: 1.0}), ClaimTest("increase"))
        assert (result.estimator, result.inference) == ("stub", "CR0")


def test_a_stub_with_unknown_errors_is_no_certainty() -> None:
    """An error of zero would pass for certainty."""
    result = only(path_of({0: 5.0}, 0.0), ClaimTest("increase"))
    assert result.verdict == "not estimable"
    assert "no interval over event time 0" in result.rule


def test_the_stub_of_other_tests_can_be_judged() -> None:
    fit = path_fit(design(), {-2: 0.0, 0: 5.0, 1: 5.0}, error=0.01)
    assert only(fit, ClaimTest("increase")).verdict == "consistent"
