"""Randomisation by estimating every re-assigned panel again: what is asked, lost, and shared."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from clsimpact._refit import SIZE
from clsimpact.design import Design
from clsimpact.errors import DesignError
from clsimpact.estimators import event_study, twfe
from clsimpact.estimators.did_m import did_m
from clsimpact.estimators.extended_twfe import extended_twfe
from clsimpact.estimators.group_time import group_time
from clsimpact.estimators.imputation import imputation
from clsimpact.estimators.local_projection import local_projection
from clsimpact.estimators.stacked import stacked
from clsimpact.estimators.sun_abraham import sun_abraham
from clsimpact.estimators.synthetic_did import synthetic_did
from clsimpact.estimators.two_stage import two_stage
from clsimpact.inference import Permutation
from clsimpact.inference.blocks import Block

EFFECT = 8.0
"""Effect of the made-up panels, in standard deviations of an error."""

DRAWS = 39
"""The fewest draws that can show an interval at 95%."""

ESTIMATORS = (
    twfe, event_study, group_time, sun_abraham, imputation, two_stage, extended_twfe, stacked, did_m,
    local_projection, synthetic_did,
)  # fmt: skip


SIX = (2018, 2018, 2018, 2019, 2019, 2019)


def adopters(n: int = 30, cohorts: tuple[int, ...] = SIX, **more: Any) -> Design:
    """Units of which the first adopt, with an effect."""
    rng = np.random.default_rng(3)
    years = np.arange(2015, 2022)
    first = np.zeros(n, dtype=np.int64)
    first[: len(cohorts)] = cohorts
    y = rng.normal(size=(n, years.size))
    y += EFFECT * ((first[:, None] > 0) & (years >= first[:, None]))
    columns = {
        "unit": np.repeat(np.arange(n), years.size), "year": np.tile(years, n),
        "first": np.repeat(first, years.size), "y": y.ravel(), "x": rng.normal(size=y.size),
    }  # fmt: skip
    return Design(pd.DataFrame(columns), outcome="y", unit="unit", time="year", cohort="first", **more)


@pytest.mark.parametrize("statistic", ["t", "coefficient"])
@pytest.mark.parametrize("more", [{}, {"covariates": ["x"]}])
def test_refits_of_synthetic_weights_see_an_effect(statistic: Any, more: dict[str, Any]) -> None:
    """No refit is lost, so that a large effect has the smallest p-value and an interval around it."""
    fit = synthetic_did(adopters(**more))
    fit = fit.with_inference(Permutation(statistic=statistic, refit=True), draws=DRAWS, seed=1)
    assert fit.procedure is not None
    assert fit.procedure.run.refitted.lost == 0
    row = fit.overall.iloc[0]
    assert row["p_value"] == pytest.approx(1 / (DRAWS + 1))
    assert 0 < row["conf_low"] < EFFECT < row["conf_high"] < 2 * EFFECT
    assert "could not be estimated" not in fit.summary()


def test_refits_of_synthetic_weights_by_brute_force() -> None:
    """Path errors of every re-assigned panel, effects taken out at their event times."""
    design = adopters()
    fit = synthetic_did(design).with_inference(Permutation(refit=True), draws=19, seed=3)
    path = event_study(design, inference="CR0")
    effects = np.append(np.nan_to_num(path.estimates), 0.0)[path.row_terms]
    clean = design.with_outcome(design.y - effects)
    assert fit.procedure is not None
    ways = fit.procedure.run.assignments.draw(Block(3, 0, 19))
    found = []
    for given in np.array([np.nan, 2018, 2019])[ways]:
        again = synthetic_did(clean.with_cohorts(given), inference="path")
        assert again.total is not None
        found.append(again.total.estimates[0] / np.sqrt(again.total.vcov.matrix[0, 0]))
    drawn: Any = fit.procedure.run.numbers()
    np.testing.assert_allclose(drawn.statistics[:, -1], found, rtol=1e-9)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_every_estimator_answers_again_whatever_its_errors(estimator: Any) -> None:
    design = adopters()
    fit = estimator(design)
    turned = design.with_cohorts(design.unit_cohorts[::-1])
    for kind in ("auto", *fit.uncertainty.kinds):
        again = estimator(design, inference=kind).again(turned)
        expected = estimator(turned).estimates
        np.testing.assert_allclose(again.estimates, expected, rtol=1e-9, err_msg=kind)


OPTIONS = [
    (event_study, {"reference": (-1, -2)}),
    (event_study, {"leads": 2, "lags": 1}),
    (event_study, {"leads": 2, "lags": 1, "bin_ends": False}),
    (imputation, {"leads": 2, "lags": 1}),
    (two_stage, {"leads": 2, "lags": 1}),
    (stacked, {"leads": 2, "lags": 1}),
    (stacked, {"control": "never", "weighting": "none", "lags": 0}),
    (local_projection, {"leads": 2, "lags": 1}),
    (local_projection, {"control": "never", "weighting": "equal", "base": "mean"}),
    (did_m, {"effects": 2, "placebos": 1}),
    (group_time, {"control": "not_yet", "base_period": "universal", "method": "reg"}),
    (group_time, {"unbalanced": "complete"}),
    (extended_twfe, {"control": "never"}),
    (synthetic_did, {"weights": "published"}),
    (synthetic_did, {"unbalanced": "complete"}),
]


@pytest.mark.parametrize(("estimator", "options"), OPTIONS)
def test_options_hold_when_it_is_asked_again(estimator: Any, options: dict[str, Any]) -> None:
    design = adopters(covariates=["x"])
    if "unbalanced" in options:
        design = design.restrict(np.arange(design.n_obs) != 200, reason="left out for a test")
    fit = estimator(design, **options, level=0.9)
    again = fit.again(design)
    assert [term.name for term in again.terms] == [term.name for term in fit.terms]
    assert again.level == fit.level == 0.9
    np.testing.assert_allclose(again.estimates, fit.estimates, rtol=1e-12)


def losing(fit: Any, every: int) -> Any:
    """Return a result that cannot be asked again each so many times."""
    count: list[int] = []
    again = fit.again

    def sometimes(design: Design) -> Any:
        count.append(1)
        if len(count) % every == 0:
            raise DesignError("This panel has no estimate.", repair="Use another.")
        return again(design)

    return replace(fit, again=sometimes)


def test_lost_refits_are_told() -> None:
    fit = losing(twfe(adopters()), 5).with_inference(Permutation(refit=True), draws=DRAWS, seed=1)
    assert fit.procedure.run.refitted.lost == DRAWS // 5
    words = f"({DRAWS // 5} could not be estimated and count against an effect)"
    assert words in fit.procedure.run.words
    assert words in fit.summary()
    assert fit.tidy()["p_value"].item() == pytest.approx((1 + DRAWS // 5) / (1 + DRAWS))


def test_a_result_without_any_refit_is_refused() -> None:
    fit = losing(twfe(adopters()), 1).with_inference(Permutation(refit=True), draws=DRAWS)
    words = (
        rf"None of {DRAWS} re-assigned panels can be estimated(.|\n)*the first: This panel has no estimate"
    )
    with pytest.raises(DesignError, match=words) as found:
        fit.tidy()
    assert "strata" in found.value.repair


class Counting(ThreadPoolExecutor):
    """Counts what is handed over."""

    count = 0

    def submit(self, *args: Any, **options: Any) -> Any:
        self.count += 1
        return super().submit(*args, **options)


def test_enumerated_refits_are_shared() -> None:
    """All 132 ways to re-assign two dates among twelve units, in blocks as random ones."""
    design = adopters(12, (2018, 2019))
    with Counting(1) as pool:
        fit = twfe(design).with_inference(Permutation(refit=True), draws=999, executor=pool)
        assert pool.count == -(-132 // SIZE) == 6
    here = twfe(design).with_inference(Permutation(refit=True), draws=999)
    assert "all 132 re-assignments" in here.procedure.run.words  # type: ignore[union-attr]
    pd.testing.assert_frame_equal(fit.tidy(), here.tidy())
    drawn: Any = here.procedure.run.numbers()  # type: ignore[union-attr]
    assert len(drawn.statistics) == 132
    assert np.isfinite(drawn.statistics).all()


def test_averages_keep_the_executor() -> None:
    fit = group_time(adopters())
    with Counting(1) as pool:
        found = fit.with_inference("permutation", draws=2000, seed=2, executor=pool)
        before = pool.count
        path = found.aggregate("dynamic")
        assert path.procedure is not None
        assert path.procedure.run.executor is pool
        assert pool.count > before
    plain = fit.with_inference("permutation", draws=2000, seed=2).aggregate("dynamic")
    pd.testing.assert_frame_equal(path.tidy(), plain.tidy())


def test_refits_without_an_error_are_lost_too() -> None:
    """Numbers without an error have no t; their coefficient is as good as any."""
    fit = twfe(adopters())
    again = fit.again
    assert again is not None

    def without_error(design: Design) -> Any:
        found = again(design)
        return replace(found, vcov=replace(found.vcov, kind="CR2", matrix=np.full((1, 1), np.nan)))

    bare = replace(fit, again=without_error)
    with pytest.raises(DesignError, match=r"None of 39(.|\n)*no number has an estimate and an error"):
        bare.with_inference(Permutation(refit=True), draws=DRAWS).tidy()
    row = bare.with_inference(Permutation(statistic="coefficient", refit=True), draws=DRAWS).tidy().iloc[0]
    assert row["p_value"] == pytest.approx(1 / (DRAWS + 1))


def test_what_is_neither_true_nor_false_is_refused_in_the_name_of_the_method() -> None:
    with pytest.raises(
        DesignError, match=r"^Permutation has no such option\.\n  - refit is 'yes'; known: True"
    ):
        Permutation(refit="yes")  # type: ignore[arg-type]
