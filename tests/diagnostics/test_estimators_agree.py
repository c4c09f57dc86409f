"""Other estimators: differences, their permutation by refits, and the split by weights."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import clsimpact as ci
from clsimpact._forms import Forms
from clsimpact.diagnostics._paired import differences, is_path, overall_form, same_question
from clsimpact.diagnostics.estimators_agree import run
from clsimpact.diagnostics.setting import Setting, effect_of
from clsimpact.inference import Counts, sandwich
from clsimpact.inference.assignments import Assignments
from clsimpact.inference.blocks import blocks_of
from tests.diagnostics.check_helpers import design, panel, setting, sound
from tests.estimation_helpers import mpdta

CLOSE = 1e-9
"""Absolute, numbers of about one: sums over types against the estimators' own arithmetic (1e-13 seen)."""


def growing(seed: int = 1) -> pd.DataFrame:
    """Effects that grow by one each year in early cohorts and are none in late ones."""
    data = panel(seed=seed, units=40, adopters=32)
    years = (data["year"] - data["adoption_year"] + 1).clip(lower=0).fillna(0)
    early = data["adoption_year"] <= 2017
    data["cost"] += np.where(early, 1.0, 0.0) * years
    return data


@pytest.mark.parametrize("name", ["event_study", "twfe", "group_time", "imputation", "stacked"])
def test_differences_are_those_of_the_estimators(name: str) -> None:
    given = setting(panel(seed=3), name, draws=99)
    found = run(given)
    table = found.table
    assert table is not None
    assert table["estimate"].iloc[0] == effect_of(given.estimate).estimate
    for row in table.iloc[1:].itertuples():
        other = same_question(given.estimate, getattr(ci, row.estimator)(given.design))
        assert row.estimate == pytest.approx(effect_of(other).estimate, abs=CLOSE)
        assert row.difference == pytest.approx(row.estimate - table["estimate"].iloc[0], abs=CLOSE)
    sound(found, given)


def test_averages_over_event_times_are_compared_with_their_like() -> None:
    one = ci.event_study(mpdta())
    assert is_path(one)
    assert not is_path(ci.twfe(mpdta()))
    assert not is_path(ci.imputation(mpdta()))
    assert effect_of(same_question(one, ci.group_time(mpdta()))).estimate == pytest.approx(
        -0.07723982, abs=5e-9
    )


def test_forms_of_overall_effects_rebuild_them() -> None:
    made = design(panel(seed=5))
    for name in ("twfe", "event_study", "group_time", "imputation", "stacked"):
        fit = getattr(ci, name)(made, inference="path")
        weights = overall_form(fit).weights[Forms(fit).types]
        found = float(np.einsum("ntp,nt->p", weights, Forms(fit).outcomes)[0])
        assert found == pytest.approx(effect_of(fit).estimate, abs=CLOSE)


def test_differences_of_re_assigned_panels_are_those_of_refits() -> None:
    """The p-value of one difference, from the estimators themselves on the same re-assignments."""
    made = design(panel(seed=6, units=24, adopters=8))
    fit, other = ci.twfe(made, inference="path"), ci.group_time(made, inference="path")
    found = differences(fit, [other], draws=39, seed=4)
    forms = Forms(fit)
    path = ci.event_study(made, inference="CR0")
    effects = np.append(np.where(path.identified, path.estimates, 0.0), 0.0)
    assert path.row_terms is not None
    clean = made.with_outcome(made.y - effects[path.row_terms])
    cohorts = np.append(np.nan, np.unique(made.unit_cohorts[made.in_window]))
    ways = Assignments(forms.paths, forms.patterns)
    drawn = np.vstack([ways.draw(block) for block in blocks_of(39, seed=4)])

    def t(base: ci.Design) -> float:
        """The difference over its CR2 error around one path, from two estimators."""
        pair = [Forms(getattr(ci, name)(base, inference="CR0")) for name in ("group_time", "twfe")]
        rows = pair[0].by_row
        gap = rows.weights[:, [-1]] - pair[1].by_row.weights[:, [0]]
        counts = Counts(base.n_obs, base.n_clusters, 1, 1)
        vcov = sandwich(gap, rows.residuals, rows.basis, rows.clusters, kind="CR2", counts=counts)
        return (effect_of(pair[0].fit).estimate - effect_of(pair[1].fit).estimate) / vcov.matrix[0, 0] ** 0.5

    draws = np.array([t(clean.with_cohorts(cohorts[own])) for own in drawn])
    own = t(made)
    assert found.estimates[0] / found.errors[0] == pytest.approx(own, rel=1e-6)
    assert found.p_values[0] == pytest.approx((1 + (np.abs(draws) >= abs(own)).sum()) / 40, abs=1e-12)


def test_growing_effects_of_early_cohorts_are_found_and_explained() -> None:
    given = setting(growing(), "twfe", draws=499)
    found = run(given)
    assert found.verdict == "does not hold"
    whole, part = found.numbers["twfe_less_average"], found.numbers["of_which_weights"]
    assert isinstance(whole, float)
    assert isinstance(part, float)
    # By hand: the weighted mean of effects less the plain one.
    fit = ci.group_time(given.design, inference="CR0")
    cells = ci.twfe_weights(given.design).tidy()
    effect = {(row.cohort, row.cohort + row.event_time): row.estimate for row in fit.tidy().itertuples()}
    each = np.array([effect[row.cohort, row.period] for row in cells.itertuples()])
    assert part == pytest.approx(float(((cells["weight"] - cells["share"]) * each).sum()), abs=CLOSE)
    assert whole == pytest.approx(
        effect_of(ci.twfe(given.design)).estimate - effect_of(fit).estimate, abs=CLOSE
    )
    assert abs(whole - part) < abs(part)
    sound(found, given)


@pytest.mark.once
def test_alike_effects_raise_no_alarm_more_often_than_one_in_twenty() -> None:
    verdicts = [run(setting(panel(seed=100 + s, effect=1.0), "twfe", draws=99)).verdict for s in range(20)]
    assert verdicts.count("does not hold") <= 4


def test_estimators_that_are_the_same_number_do_not_differ_by_rounding() -> None:
    found = differences(ci.group_time(mpdta()), [ci.sun_abraham(mpdta())], draws=99, seed=0)
    assert found.p_values.tolist() == [1.0]


def test_designs_that_no_other_estimator_takes_are_not_judged() -> None:
    data = panel(seed=2).assign(size=lambda frame: np.arange(len(frame)) + 1.0)
    made = design(data, weights="size")
    given = Setting(made, ci.event_study(made, inference="CR2"), data)
    with pytest.raises(ci.errors.DesignError):
        run(given)


def test_few_adopters_and_no_margin_tell_nothing() -> None:
    """A difference that is not significant is no agreement."""
    given = setting(panel(seed=4, units=24, adopters=3, effect=4.0), draws=199)
    found = run(given)
    assert float(found.numbers["p_value"] or 0) > 0.05
    assert found.verdict == "cannot tell"
    assert "is not ruled out: more than" in found.finding
    assert float(found.numbers["largest_difference"] or 0) > float(found.numbers["allowed_difference"] or 9)
    sound(found, given)


def test_differences_within_the_margin_hold_even_if_they_are_certain() -> None:
    data = growing()
    wide = setting(data, "twfe", draws=199, margin=50.0)
    found = run(wide)
    assert float(found.numbers["p_value"] or 1) < 0.05
    assert found.verdict == "holds"
    assert "They differ, but by no more than £" in found.finding
    assert "within the margin of 50, too small to matter" in found.finding
    sound(found, wide)
    assert run(setting(data, "twfe", draws=199, margin=0.01)).verdict == "does not hold"


def test_intervals_of_differences_are_simultaneous() -> None:
    given = setting(panel(seed=3), "twfe", draws=99)
    found = run(given)
    assert found.table is not None
    rest = found.table.iloc[1:]
    half = (rest["difference_high"] - rest["difference_low"]) / 2
    assert (half > 0).all()
    excludes = (rest["difference_low"] > 0) | (rest["difference_high"] < 0)
    assert excludes.tolist() == (rest["p_value"] <= 0.05).tolist()
    ends = rest[["difference_low", "difference_high"]].abs().to_numpy()
    assert found.numbers["largest_difference"] == pytest.approx(ends.max())


def test_the_two_parts_of_the_difference_add_up_in_words() -> None:
    found = run(setting(growing(), "twfe", draws=99))
    whole, part, rest = (
        float(found.numbers[key] or 0) for key in ("twfe_less_average", "of_which_weights", "of_which_rest")
    )
    assert part + rest == pytest.approx(whole, abs=CLOSE)
    assert "from its weights and" in found.finding
    assert "from other periods and units" in found.finding
