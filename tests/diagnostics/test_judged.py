"""Numbers of other samples: their weights rebuild them, and they are judged as the library judges its own."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import clsimpact as ci
from clsimpact.diagnostics import _placebo
from clsimpact.diagnostics._judged import judge, overall_contrast, placed, row_weights
from clsimpact.diagnostics._reassigned import allowance
from clsimpact.diagnostics.setting import Effect
from clsimpact.errors import DesignError
from clsimpact.inference.multiplicity import holm
from tests.diagnostics.check_helpers import design, panel, setting
from tests.estimation_helpers import SOLVER

ESTIMATORS = ("event_study", "twfe", "group_time", "imputation", "sun_abraham")


def rough() -> pd.DataFrame:
    """A panel with missing rows, weights and a covariate."""
    rng = np.random.default_rng(3)
    data = panel(units=40, adopters=12)
    data["size"] = rng.uniform(0.5, 2, len(data))
    data["need"] = rng.normal(size=len(data))
    return data[rng.uniform(size=len(data)) < 0.9]


@pytest.mark.parametrize("name", ESTIMATORS)
def test_weights_of_outcomes_rebuild_the_overall_effect(name: str) -> None:
    made = design(panel(units=30, adopters=9, years=tuple(range(2012, 2020))))
    fit = getattr(ci, name)(made)
    found = float(row_weights(fit) @ made.y)
    assert found == pytest.approx(float(fit.overall["estimate"].iloc[0]), rel=SOLVER)


@pytest.mark.parametrize("options", [{}, {"weights": "size"}, {"covariates": ["need"]}])
@pytest.mark.parametrize("name", ["event_study", "twfe"])
def test_weights_hold_on_parts_with_weights_and_covariates(name: str, options: dict[str, object]) -> None:
    made = design(rough(), **options)
    part = made.restrict(made.times != 2015, reason="a test")
    fit = getattr(ci, name)(part)
    weights = placed(made, part, row_weights(fit))
    assert not weights[made.times == 2015].any()
    assert float(weights @ made.y) == pytest.approx(float(fit.overall["estimate"].iloc[0]), rel=1e-7)


def test_weights_that_depend_on_outcomes_are_refused() -> None:
    made = design(panel(units=30, adopters=1))
    with pytest.raises(DesignError, match="depend on the outcomes"):
        row_weights(ci.synthetic_did(made))


def test_the_overall_effect_is_judged_as_its_own_permutation_does() -> None:
    made = design(panel(units=60, adopters=12, seed=4))
    fit = ci.event_study(made).with_inference("permutation", draws=999, seed=5)
    row = fit.overall.iloc[0]
    found = judge(made, row_weights(fit)[:, None], level=0.95, draws=999, seed=5)
    assert found.method == "permutation"
    ours = [found.estimates[0], found.low[0], found.high[0], found.p_values[0], found.adjusted[0]]
    theirs = row[["estimate", "conf_low", "conf_high", "p_value", "p_value"]].astype(float)
    np.testing.assert_allclose(ours, theirs, rtol=SOLVER)
    assert found.detectable[0] > (found.high[0] - found.low[0]) / 2


def test_where_adoption_cannot_be_permuted_errors_are_cr2() -> None:
    made = design(rough(), covariates=["need"])
    fit = ci.event_study(made, inference="CR2")
    early, late = ({f"e={e}": 1.0} for e in (-3, 1))
    columns = [
        row_weights(fit, np.array([t.name == name for t in fit.terms], float)) for name in ("e=-3", "e=1")
    ]
    found = judge(made, np.column_stack(columns), level=0.9, draws=99, seed=0)
    rows = pd.concat([fit.linear_combination(early), fit.linear_combination(late)])
    assert found.method == "path"
    assert np.isfinite(found.estimates).all()
    assert np.isfinite(found.p_values).all()
    np.testing.assert_allclose(found.estimates, rows["estimate"], rtol=1e-7)
    np.testing.assert_allclose(found.p_values, rows["p_value"], rtol=1e-6)
    np.testing.assert_allclose(found.adjusted, holm(found.p_values))


def test_weights_by_type_follow_adopters_who_exchange_dates() -> None:
    """What a re-assignment computes from weights by type is what the re-assigned panel gives refitted."""
    made = design(panel(units=30, adopters=8, years=tuple(range(2012, 2020))))
    rng = np.random.default_rng(1)

    def change(d: ci.Design) -> tuple[float, np.ndarray]:
        part = d.restrict(d.times != 2017, reason="a test")
        whole, left = ci.group_time(d), ci.group_time(part)
        number = float(whole.overall["estimate"].iloc[0]) - float(left.overall["estimate"].iloc[0])
        return number, row_weights(whole) - placed(d, part, row_weights(left))

    grid = change(made)[1].reshape(30, 8)
    for _ in range(3):
        order = rng.permutation(30)
        other = made.with_cohorts(made.unit_cohorts[order])
        assert float((grid[order].ravel()) @ made.y) == pytest.approx(change(other)[0], rel=1e-7, abs=1e-10)


def test_too_few_adopters_are_not_judged() -> None:
    made = design(panel(units=30, adopters=2))
    weights = row_weights(ci.twfe(made, inference="CR0"))[:, None]
    with pytest.raises(DesignError, match="no interval holds"):
        judge(made, weights, level=0.95, draws=99, seed=0)


def test_the_overall_contrast_is_the_mean_after_adoption() -> None:
    fit = ci.event_study(design(panel(units=30, adopters=8)))
    chosen = overall_contrast(fit)
    after = [t.event_time is not None and t.event_time >= 0 for t in fit.terms]
    assert chosen[np.array(after)].sum() == pytest.approx(1)
    assert float(chosen @ np.nan_to_num(fit.estimates)) == pytest.approx(
        float(fit.overall["estimate"].iloc[0])
    )


def test_what_matters_is_the_margin_then_the_interval() -> None:
    data = panel(effect=3.0)
    given = setting(data, margin=-2.0)
    assert _placebo.matter_of(given).size == 2.0
    clear = setting(data)
    assert clear.effect.clear
    quarter = (clear.effect.high - clear.effect.low) / 4
    assert _placebo.matter_of(clear).size == pytest.approx(quarter)
    near = setting(data)
    object.__setattr__(near, "effect", Effect(7.54, 0.217, 14.9, 0.04))
    assert _placebo.matter_of(near).size == 0.217
    assert "bring the interval of the effect to zero" in _placebo.matter_of(near).words
    object.__setattr__(near, "effect", Effect(-7.54, -14.9, -0.217, 0.04))
    assert _placebo.matter_of(near).size == 0.217
    assert allowance(near) == 0.217
    unclear = setting(panel(effect=0.0))
    assert not unclear.effect.clear
    width = unclear.effect.high - unclear.effect.low
    assert _placebo.matter_of(unclear).size == pytest.approx(width / 4)
    lone = setting(panel(adopters=1))
    assert isinstance(lone.effect, Effect)
    assert np.isnan(_placebo.matter_of(lone).size)


def test_verdicts_need_a_rejection_or_intervals_within_what_matters() -> None:
    matter = _placebo.Matter(1.0, "one")
    low, high, p = np.array([-0.9]), np.array([0.8]), np.array([0.5])
    assert _placebo.verdict_of(p, low, high, matter) == "holds"
    assert _placebo.verdict_of(p, low, high + 1, matter) == "cannot tell"
    assert _placebo.verdict_of(p, low, high, _placebo.Matter(np.nan, "")) == "cannot tell"
    assert _placebo.verdict_of(p / 100, low, high, matter) == "does not hold"


def test_a_fault_within_a_margin_that_was_given_is_none() -> None:
    low, high, p = np.array([0.1, -0.5]), np.array([0.8, 0.4]), np.array([0.001, 0.6])
    given, rule = _placebo.Matter(1.0, "one", given=True), _placebo.Matter(1.0, "one")
    assert _placebo.verdict_of(p, low, high, given) == "holds"
    assert _placebo.verdict_of(p, low, high, rule) == "does not hold"
    assert _placebo.verdict_of(p, low, high + np.array([0.5, 0]), given) == "does not hold"
    assert _placebo.verdict_of(p, low, high + np.array([0, 1]), given) == "cannot tell"


def test_what_would_be_found_is_said_where_it_is_known() -> None:
    assert (
        _placebo.found_words(np.array([1.0, 3.0]), "a move")
        == "A move of 3 would be found four times in five"
    )
    assert "cannot be said" in _placebo.found_words(np.array([1.0, np.inf]), "a move")
    assert _placebo.p_words(np.nan) == "not available"
