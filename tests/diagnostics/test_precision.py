"""The smallest effect that a design can see."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import nct, norm
from scipy.stats import t as student

import clsimpact as ci
from clsimpact._estimator_names import in_sentence
from clsimpact.datasets import load_mpdta
from clsimpact.diagnostics._planned import Planner, spread_share, weights_of
from clsimpact.diagnostics._precision import detectable, power_of, spread_of, variance
from clsimpact.diagnostics.detectable_effects import minimum_detectable_effects
from clsimpact.diagnostics.precision import run
from clsimpact.diagnostics.setting import Setting
from clsimpact.errors import DesignError
from tests.diagnostics.measurement_helpers import ROLES, check_words, design_of, plain_panel, setting_of

EXACT = 1e-10
"""Relative: two ways of summing the same products."""

TABLE = 2e-3
"""Power by 2,000 midpoints against scipy's noncentral t."""


def test_two_periods_by_hand() -> None:
    data = plain_panel(units=30, adopters=6, years=2)
    data["adoption_year"] = data["adoption_year"].where(data["adoption_year"].isna(), 2011)
    steps = data[data["adoption_year"].isna()].pivot_table(index="ons_code", columns="year", values="cost")
    by_hand = math.sqrt(np.var(steps[2011] - steps[2010], ddof=1) * (1 / 6 + 1 / 24))
    plan = Planner(design_of(data)).present
    assert plan.deviation == pytest.approx(by_hand, rel=EXACT)
    assert plan.effect(0.8) == pytest.approx(detectable(0.8, plan.df, 0.95) * by_hand, rel=EXACT)


def test_variance_is_that_of_every_assignment() -> None:
    """All ways to give two dates to two of seven units: their estimates vary by exactly the formula."""
    rng = np.random.default_rng(4)
    y = rng.normal(size=(7, 4)).cumsum(axis=1)
    rows = pd.DataFrame(
        {
            "ons_code": np.repeat(np.arange(7), 4),
            "year": np.tile(np.arange(4), 7),
            "cost": y.ravel(),
        }
    )
    estimates = []
    for first, second in itertools.permutations(range(7), 2):
        cohort = np.full(7, np.nan)
        cohort[first], cohort[second] = 1, 3
        design = design_of(rows.assign(adoption_year=np.repeat(cohort, 4)))
        estimates.append(ci.twfe(design, inference="CR1").estimates[0])
    weights, _ = weights_of(design)
    assert variance(weights, spread_of(y, 2).variogram) == pytest.approx(np.var(estimates), rel=EXACT)


@pytest.mark.parametrize("df", [4.0, 9.5, 60.0])
@pytest.mark.parametrize("ratio", [0.5, 2.0, 3.5])
def test_power_is_that_of_noncentral_t(df: float, ratio: float) -> None:
    critical = student.ppf(0.975, df)
    other = nct.sf(critical, df, ratio) + nct.cdf(-critical, df, ratio)
    assert power_of(ratio, df, 0.95) == pytest.approx(other, abs=TABLE)


def test_with_many_degrees_of_freedom_it_is_the_textbook_factor() -> None:
    assert detectable(0.8, 1e7, 0.95) == pytest.approx(norm.ppf(0.975) + norm.ppf(0.8), abs=2e-3)
    assert math.isnan(detectable(0.8, float("nan"), 0.95))


def test_an_effect_of_that_size_is_found_in_four_of_five_studies() -> None:
    """Five adopters of 60, the library's own inference, with the variance that the panels really have."""
    design = design_of(plain_panel(adopters=5))
    weights, df = weights_of(design)
    theory = 2.0 * (1 - np.eye(8))
    effect = detectable(0.8, df, 0.95) * math.sqrt(variance(weights, theory))
    hits, draws = 0, 120
    for seed in range(draws):
        made = design_of(plain_panel(adopters=5, seed=100 + seed))
        fit = ci.twfe(made.with_outcome(made.y + effect * made.treated), inference="CR2")
        p = fit.with_inference("auto", draws=99, seed=seed).overall["p_value"].iloc[0]
        hits += p < 0.05
    assert 0.70 < hits / draws < 0.90, hits / draws


def test_the_words_planned_from_one_panel_are_near_the_truth() -> None:
    found = [Planner(design_of(plain_panel(seed=seed))).present.deviation for seed in range(30)]
    weights, _ = weights_of(design_of(plain_panel()))
    truth = math.sqrt(variance(weights, 2.0 * (1 - np.eye(8))))
    assert np.mean(found) == pytest.approx(truth, rel=0.05)


def test_outcomes_of_adopters_after_adoption_do_not_matter() -> None:
    design = design_of(plain_panel())
    other = design.with_outcome(np.where(design.treated, 1e4, design.y))
    one, two = (run(Setting(d)) for d in (design, other))
    assert one.finding == two.finding
    assert dict(one.numbers) == dict(two.numbers)


def test_verdict_follows_the_margin() -> None:
    design = design_of(plain_panel(), outcome_unit="£")
    size = Planner(design).present.effect(0.8)
    wide, narrow = (run(Setting(design, margin=size * by)) for by in (1.01, 0.9))
    assert (wide.verdict, narrow.verdict) == ("holds", "does not hold")
    assert "That is enough" in wide.finding
    assert "too coarse for the margin" in narrow.finding
    for found in (wide, narrow):
        check_words(found, Setting(design, data=design.data))


def test_without_a_margin_the_words_say_so() -> None:
    found = run(Setting(design_of(plain_panel(), outcome_unit="£")))
    assert "5% of the mean of comparison councils; no margin was given" in found.finding
    comparison = plain_panel().query("adoption_year.isna()")["cost"].mean()
    assert found.numbers["target"] == pytest.approx(0.05 * comparison, rel=EXACT)
    logs = design_of(plain_panel(), outcome_unit="log points")
    assert run(Setting(logs)).numbers["target"] == 0.05


def test_number_of_adopters_that_would_do() -> None:
    design = design_of(plain_panel(units=120))
    planner = Planner(design)
    found = run(Setting(design, margin=planner.present.effect(0.8) * 0.8))
    needed = found.numbers["adopters_needed"]
    assert isinstance(needed, int)
    target = float(found.numbers["target"] or 0)
    assert planner.with_adopters(needed).effect(0.8) <= target < planner.with_adopters(needed - 1).effect(0.8)
    assert f"about {needed} adopters" in found.finding


def test_further_years_help_where_years_are_independent_and_not_in_a_random_walk() -> None:
    for carry, helps in ((0.0, True), (1.0, False)):
        planner = Planner(design_of(plain_panel(units=150, adopters=15, carry=carry)))
        assert (planner.with_years(5).deviation < planner.present.deviation) is helps
    table = run(Setting(planner.design)).table
    assert table is not None
    assert table["further_years"].tolist()[-5:] == [1, 2, 3, 5, 10]


def test_few_adopters() -> None:
    design = design_of(plain_panel(adopters=2))
    found = run(Setting(design, margin=1e6))
    assert found.verdict == "does not hold"
    assert "fewer than 3 adopters" in found.finding
    check_words(found, Setting(design, data=design.data))


@pytest.mark.parametrize("estimator", [ci.event_study, ci.group_time])
def test_a_result_is_planned_by_its_own_weights(estimator) -> None:  # type: ignore[no-untyped-def]
    """Its overall effect, asked about outcomes of comparison units put at random in the adopters' place."""
    setting = setting_of(plain_panel(units=40, adopters=6), estimator=estimator)
    planner = Planner(setting.design, setting.fit)
    never = ~setting.design.in_window
    y = setting.design.y.reshape(40, 8)[never]
    rng = np.random.default_rng(3)
    found = []
    for _ in range(80):
        drawn = y[rng.integers(0, len(y), 40)].ravel()
        found.append(setting.point(setting.design.with_outcome(drawn)))
    # A standard deviation of 80 draws is known to 8%: three of its errors.
    assert planner.present.deviation == pytest.approx(np.std(found), rel=0.25)
    assert planner.estimator == estimator.__name__
    assert f"by {in_sentence(estimator.__name__)} must" in run(setting).finding


def test_dates_keep_their_shares() -> None:
    design = design_of(plain_panel(units=60, adopters=12))
    for adopters in (3, 5, 12, 30):
        cohorts = spread_share(design, adopters)
        sizes = [int((cohorts == year).sum()) for year in (2013, 2014, 2015)]
        assert sum(sizes) == adopters
        assert max(sizes) - min(sizes) <= 1
    assert np.array_equal(spread_share(design, 12), design.unit_cohorts, equal_nan=True)
    for bad in (0, 51):
        with pytest.raises(DesignError, match="cannot be planned"):
            spread_share(design, bad)


def test_gaps_and_missing_rows() -> None:
    data = plain_panel()
    kept = np.random.default_rng(1).uniform(size=len(data)) > 0.1
    found = run(Setting(design_of(data[kept])))
    whole = run(Setting(design_of(data)))
    assert found.numbers["detectable_80"] == pytest.approx(whole.numbers["detectable_80"], rel=0.3)


def test_adopters_that_vary_more_are_mentioned() -> None:
    design = design_of(plain_panel(units=100, adopters=30))
    noisy = design.with_outcome(design.y + 3 * (design.y - design.y.mean()) * np.isfinite(design.cohorts))
    assert "varied more" not in run(Setting(design)).finding
    found = run(Setting(noisy))
    assert "varied more than other councils" in found.finding
    before = Planner(design).noisier
    assert float(found.numbers["adopters_variance_ratio"] or 0) == pytest.approx(16 * before, rel=0.1)


def test_what_cannot_be_planned() -> None:
    data = plain_panel().assign(region=lambda d: d["ons_code"].str[-1])
    with pytest.raises(DesignError, match="vary independently"):
        run(Setting(design_of(data, cluster="region")))
    with pytest.raises(DesignError, match="above 0 is needed"):
        run(Setting(design_of(data), margin=-1.0))
    flat = design_of(data)
    with pytest.raises(DesignError, match="does not vary"):
        run(Setting(flat.with_outcome(np.ones(flat.n_obs))))


def test_weights_and_covariates_are_planned_without_further_years() -> None:
    data = plain_panel().assign(size=1.0, need=lambda d: np.sin(np.arange(len(d))))
    found = run(Setting(design_of(data, weights="size")))
    plain = run(Setting(design_of(data)))
    assert found.numbers["standard_deviation"] == pytest.approx(plain.numbers["standard_deviation"], rel=1e-6)
    assert found.numbers["further_years_needed"] in (None, 0)
    assert np.isfinite(
        float(run(Setting(design_of(data, covariates=["need"]))).numbers["detectable_80"] or 0)
    )


def test_tidy_frame_by_outcome_and_adopters() -> None:
    data = plain_panel().assign(other=lambda d: 2 * d["cost"], empty=np.nan)
    found = minimum_detectable_effects(
        data, outcomes=["cost", "other", "empty"], adopters=[5, 500], power=[0.8], **ROLES
    )
    assert found["outcome"].tolist() == ["cost"] * 3 + ["other"] * 3 + ["empty"]
    assert found.loc[found["present"].eq(True), "adopters"].tolist() == [12, 12]
    effects = found.pivot_table(index="adopters", columns="outcome", values="effect")
    assert effects["other"].tolist() == pytest.approx((2 * effects["cost"]).tolist())
    assert found["reason"].str.contains("cannot be planned").sum() == 2
    assert found.iloc[-1]["reason"]
    assert found.columns.tolist()[0] == "outcome"


def test_bad_questions_about_power() -> None:
    with pytest.raises(DesignError) as error:
        minimum_detectable_effects(load_mpdta(), outcomes=[], power=[0.01], level=2, **ROLES)
    assert len(error.value.problems) >= 2


def test_figure_marks_the_present_number() -> None:
    made = run(Setting(design_of(plain_panel()))).draw
    assert made is not None
    figure = made()
    assert figure.title.startswith("With 12 adopters")
    assert "12 adopters (present)" in figure.alt_text
    assert figure.data["present"].sum() == 1
    shown = [text.get_text() for text in figure.axes.texts]
    assert "present" in shown


@pytest.mark.parametrize(("units", "adopters"), [(17, 1), (17, 2), (19, 3), (14, 8), (12, 5)])
def test_small_designs_are_planned(units: int, adopters: int) -> None:
    """Half of the units as adopters may leave too few to compare with: as many as fit are looked at."""
    data = plain_panel(units=units, adopters=adopters)
    found = run(Setting(design_of(data), margin=0.5))
    assert found.verdict in ("holds", "does not hold")
    assert found.table is not None
    assert found.table["adopters"].max() <= max(adopters, units - 10)


def test_nothing_stands_in_for_a_margin_where_the_unit_is_not_declared() -> None:
    """An undeclared log has a mean too; five per cent of it mean nothing."""
    design = design_of(plain_panel())
    found = run(Setting(design))
    assert found.verdict == "cannot tell"
    assert "%" not in found.finding.replace("80% of such", "").replace("test at 5%", "")
    assert found.numbers["adopters_needed"] is None
    assert "no margin was given" in found.finding
    assert not any(character.isdigit() for character in found.advice[0].code)
    check_words(found, Setting(design, data=design.data))


def test_advice_hands_out_a_margin_only_where_one_was_given() -> None:
    design = design_of(plain_panel(), outcome_unit="£")
    size = Planner(design).present.effect(0.8)
    noisy = design.with_outcome((design.y - 100) * 20 + 100)
    without, given = run(Setting(noisy)), run(Setting(noisy, margin=size))
    assert without.verdict == given.verdict == "does not hold"
    assert "equivalence" not in "".join(item.code for item in without.advice)
    assert "equivalence" in given.advice[1].code
