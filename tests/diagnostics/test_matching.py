"""Matching and entropy balancing: weights by other optimisers, estimates by weighted regressions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize

import clsimpact as ci
from clsimpact.design import Design
from clsimpact.diagnostics import registry
from clsimpact.diagnostics._profile import profile
from clsimpact.diagnostics._reassigned import Board, board_of, moved, quantile
from clsimpact.diagnostics._unit_weights import (
    SHRINK,
    closeness,
    effective_size,
    entropy_weights,
    neighbour_weights,
)
from clsimpact.diagnostics.matching import BALANCED, comparison_weights, multipliers, run
from clsimpact.diagnostics.setting import Setting
from clsimpact.errors import DesignError
from tests.diagnostics.check_helpers import design, panel, setting, sound


@pytest.fixture(autouse=True)
def _own_checks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Run these checks only, whatever the others do."""
    names = ("overlap", "matching", "regional_shocks", "spill_overs")
    monkeypatch.setattr(registry, "_MODULES", names)
    registry.all_checks.cache_clear()
    yield
    registry.all_checks.cache_clear()


def drifting(
    *, tilt: float, drift: float, seed: int = 0, adopters: int = 24, units: int = 100
) -> pd.DataFrame:
    """Need moves spending at ``drift`` a year; adopters have more of it by ``tilt`` standard deviations."""
    data = panel(seed=seed, units=units, adopters=adopters)
    rng = np.random.default_rng([seed, 1])
    need = rng.normal(size=units) + tilt * (np.arange(units) < adopters)
    data["imd_2019"] = need.repeat(data["year"].nunique())
    return data.assign(cost=data["cost"] + drift * data["imd_2019"] * (data["year"] - 2012))


def primal(others: np.ndarray, target: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
    """Minimise the entropy under the constraints, as Hainmueller states it, with another optimiser."""
    n = len(others)
    held = [
        {"type": "eq", "fun": lambda w: w.sum() - 1},
        {"type": "eq", "fun": lambda w: w @ others - target},
    ]
    found = minimize(
        lambda w: float((w * np.log(n * w)).sum()),
        np.full(n, 1 / n),
        jac=lambda w: np.log(n * w) + 1,
        bounds=[(1e-12, 1)] * n,
        constraints=held,
        method="SLSQP",
        options={"ftol": 1e-14, "maxiter": 500},
    )
    assert found.success
    return np.asarray(found.x)


@pytest.mark.parametrize("k", [1, 3, 5])
def test_entropy_weights_are_those_of_the_primal_problem(k: int) -> None:
    rng = np.random.default_rng(k)
    others, target = rng.normal(size=(40, k)), rng.normal(size=k) * 0.3
    found = entropy_weights(others, target, penalty=0.0)
    np.testing.assert_allclose(found, primal(others, target), atol=2e-6)
    np.testing.assert_allclose(found @ others, target, atol=1e-8)
    assert found.sum() == pytest.approx(1, abs=1e-12)


def test_the_penalty_leaves_thousandths_apart() -> None:
    rng = np.random.default_rng(8)
    others, target = rng.normal(size=(100, 5)), np.full(5, 0.3)
    apart = entropy_weights(others, target) @ others - target
    assert 0 < np.abs(apart).max() < 2e-3


def test_equal_means_have_equal_weights() -> None:
    others = np.array([[-1.0], [0.0], [1.0]])
    np.testing.assert_allclose(entropy_weights(others, np.zeros(1)), 1 / 3)


def test_out_of_reach_the_weights_go_to_the_closest() -> None:
    found = entropy_weights(np.array([[0.0], [1.0], [2.0]]), np.array([3.0]))
    assert found[2] > 0.999


def test_nearest_units_are_those_of_a_loop() -> None:
    rng = np.random.default_rng(4)
    values, adopts = rng.normal(size=(30, 3)) @ np.diag([1, 5, 0.1]), rng.permutation(30) < 6
    spread = np.cov(values.T)
    inverse = np.linalg.inv((1 - SHRINK) * spread + SHRINK * np.diag(np.diag(spread)))
    wanted = np.zeros(30)
    for i in np.flatnonzero(adopts):
        gaps = [(float((values[i] - values[j]) @ inverse @ (values[i] - values[j])), j) for j in range(30)]
        for _, j in sorted((gap, j) for gap, j in gaps if not adopts[j])[:3]:
            wanted[j] += 1
    found = neighbour_weights(closeness(values), adopts, 3)
    np.testing.assert_allclose(found, wanted / wanted.sum())
    assert effective_size(found) == pytest.approx(wanted.sum() ** 2 / (wanted**2).sum())


def as_they_are(paths: np.ndarray, errors: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
    return errors


def way_of(given: Setting, name: str) -> tuple[Board, Any, np.ndarray]:  # type: ignore[type-arg]
    found, board = profile(given), board_of(given.estimate)
    order = closeness(found.numbers)

    def coefficients(paths: np.ndarray, v: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
        return v * multipliers(name, found.scaled, order, paths > 0)[:, None]

    return board, coefficients, multipliers(name, found.scaled, order, found.adopts)


@pytest.mark.parametrize("estimator", ["twfe", "event_study", "group_time", "sun_abraham"])
@pytest.mark.parametrize("name", ["balanced", "matched"])
def test_on_a_balanced_panel_it_is_the_weighted_estimate(estimator: str, name: str) -> None:
    data = drifting(tilt=0.5, drift=0.2)
    given = setting(data, estimator)
    board, coefficients, given_weights = way_of(given, name)
    found = moved(board, coefficients, draws=19, seed=0, level=0.95)
    w = np.maximum(given_weights, 1e-9)  # a design takes positive weights only
    weighted = Design(
        data.assign(w=w.repeat(10)),
        outcome="cost", unit="ons_code", time="year", cohort="adoption_year", weights="w",
    )  # fmt: skip
    fit = getattr(ci, estimator)(weighted, inference="CR0" if estimator != "group_time" else "auto")
    assert found.estimate == pytest.approx(float(fit.overall["estimate"].iloc[0]), rel=1e-5)
    assert found.estimate != pytest.approx(board.estimate, rel=1e-3)


def test_a_re_assignment_is_estimated_as_a_panel_of_its_own() -> None:
    """Adoption permuted, residuals as outcomes: the estimator gives what the board gives."""
    given = setting(drifting(tilt=0.5, drift=0.2), "twfe")
    board, coefficients, _ = way_of(given, "balanced")
    paths = np.random.default_rng(0).permutation(board.paths)
    cohorts = np.append(np.nan, sorted(given.design.cohort_sizes))[paths]
    moved_to = given.design.with_outcome(board.errors.ravel()).with_cohorts(cohorts)
    assert board.effect(paths) == pytest.approx(given.point(moved_to), abs=1e-10)
    w = multipliers("balanced", profile(given).scaled, closeness(profile(given).numbers), paths > 0)
    data = moved_to.data.assign(w=w[moved_to.unit_codes])
    roles = {"outcome": "cost", "unit": "ons_code", "time": "year", "cohort": "adoption_year"}
    weighted = ci.twfe(Design(data, **roles, weights="w"), inference="CR0")
    change = board.scores(paths, coefficients, as_they_are, again=True)[0]
    assert board.effect(paths) + change == pytest.approx(float(weighted.estimates[0]), abs=1e-9)


def test_p_value_and_intervals_follow_from_the_draws() -> None:
    given = setting(drifting(tilt=1.0, drift=0.2), "twfe")
    board, coefficients, _ = way_of(given, "balanced")
    found = moved(board, coefficients, draws=99, seed=3, level=0.9)
    _, own, extra = board.scores(board.paths, coefficients, as_they_are, again=False)
    t, whole = [], []
    from clsimpact.inference.blocks import blocks_of

    for paths in board.assignments.draw(blocks_of(99, seed=3)[0]):
        _, a, b = board.scores(paths.astype(int), coefficients, as_they_are, again=True)
        t.append(abs(b.sum()) / np.sqrt((b**2).sum()))
        whole.append(abs(board.effect(paths.astype(int)) + b.sum()) / np.sqrt(((a + b) ** 2).sum()))
    spread = np.sqrt((extra**2).sum())
    assert found.p_value == (1 + np.sum(np.array(t) >= abs(extra.sum()) / spread)) / 100
    assert found.difference_high - found.difference == pytest.approx(np.sort(t)[89] * spread)
    assert found.high - found.estimate == pytest.approx(
        np.sort(whole)[89] * np.sqrt(((own + extra) ** 2).sum())
    )
    assert quantile(np.arange(99.0), 0.9) == 89


def test_a_trend_that_follows_need_is_found_only_where_adopters_differ_in_it() -> None:
    given = setting(drifting(tilt=1.2, drift=0.4))
    found = run(given)
    assert found.verdict == "does not hold"
    assert "it matters who is compared" in found.finding
    sound(found, given)
    clean = setting(drifting(tilt=0.0, drift=0.0))
    calm = run(clean)
    assert calm.verdict != "does not hold"
    sound(calm, clean)
    bias = abs(given.effect.estimate)  # there is no effect
    assert abs(float(found.numbers["balanced_estimate"])) < 0.5 * bias  # type: ignore[arg-type]


def test_false_alarms_are_rare_whether_adopters_or_trends_differ() -> None:
    for tilt, drift in ((0.0, 0.3), (1.0, 0.0)):
        alarms = 0
        for seed in range(15):
            made = drifting(tilt=tilt, drift=drift, seed=seed, units=60, adopters=16)
            alarms += run(setting(made, "twfe", draws=59)).verdict == "does not hold"
        assert alarms <= 3, (tilt, drift)  # 0.8 expected; 4 or more have a probability of 1%


def test_the_margin_decides_whether_it_holds() -> None:
    data = drifting(tilt=0.2, drift=0.0, units=100, adopters=30)
    wide, narrow = run(setting(data, margin=10.0)), run(setting(data, margin=1e-6))
    assert wide.verdict == "holds"
    assert "within the margin of 10" in wide.finding
    assert narrow.verdict == "cannot tell"
    assert "more than the margin" in narrow.finding


def test_adopters_out_of_reach_cannot_be_balanced() -> None:
    data = drifting(tilt=12.0, drift=0.0)
    found = run(setting(data))
    assert float(found.numbers["balanced_largest_gap"]) > BALANCED  # type: ignore[arg-type]
    assert found.verdict in ("cannot tell", "does not hold")
    if found.verdict == "cannot tell":
        assert "No weights make comparison councils like adopters" in found.finding


def test_table_and_words_say_the_same() -> None:
    found = run(setting(drifting(tilt=1.2, drift=0.4)))
    assert found.table is not None
    assert found.table["label"].tolist() == [
        "as estimated",
        "matched comparison councils",
        "balanced comparison councils",
    ]
    for row, name in zip(found.table.iloc[1:].itertuples(), ("matched", "balanced"), strict=True):
        assert row.estimate == found.numbers[f"{name}_estimate"]
        assert row.estimate - found.table["estimate"].iloc[0] == pytest.approx(row.difference)
        assert row.conf_low < row.estimate < row.conf_high
    figure = found.draw()  # type: ignore[misc]
    assert figure.title == "The estimate moves when comparison councils are made like adopters"


def test_comparison_weights_name_units() -> None:
    given = setting(drifting(tilt=0.5, drift=0.0))
    found = comparison_weights(given)
    assert found.mean() == pytest.approx(1)
    assert len(found) == 76
    assert found.index[0] in given.design.units
    assert found.is_monotonic_decreasing


def test_what_cannot_be_checked_says_so() -> None:
    data = drifting(tilt=0.0, drift=0.0).assign(w=1.5)
    heavy = ci.event_study(design(data, weights="w"))
    result = heavy.check("matching", data=data)["matching"]
    assert result.verdict == "cannot tell"
    assert "weighted by w" in result.finding
    assert result.advice
    two = setting(panel(units=30, adopters=2))
    with pytest.raises(DesignError, match="2 adopters can be re-assigned"):
        run(two)
    lone = ci.event_study(design(data)).check("matching")["matching"]
    assert "data=data" in lone.advice[0].code


def test_an_estimate_without_interval_cannot_be_cleared() -> None:
    given = setting(drifting(tilt=0.0, drift=0.0), "twfe")
    bare = Setting(given.design, given.estimate, given.data)
    object.__setattr__(bare, "effect", given.effect._replace(low=np.nan, high=np.nan))
    found = run(bare)
    assert found.verdict == "cannot tell"
    assert "no interval and no margin" in found.finding


def test_a_change_that_is_certain_and_too_small_to_matter_holds_with_a_margin() -> None:
    data = drifting(tilt=1.2, drift=0.4)
    assert run(setting(data)).verdict == "does not hold"
    found = run(setting(data, margin=20.0))
    assert min(found.numbers["balanced_p_adjusted"], found.numbers["matched_p_adjusted"]) < 0.05
    assert float(found.numbers["balanced_largest_gap"] or 1) <= BALANCED
    assert found.verdict == "holds"
    assert "all of its interval lies within the margin of 20" in found.finding


@pytest.mark.parametrize("estimator", ["twfe", "imputation", "group_time"])
def test_without_comparison_units_there_is_nothing_to_match(estimator: str) -> None:
    data = panel(units=24, adopters=24)
    how = {"control": "not_yet"} if estimator == "group_time" else {}
    fit = getattr(ci, estimator)(design(data), **how)
    with pytest.raises(DesignError, match="Every council adopts in the panel"):
        run(Setting(fit.design, fit, data))
    result = fit.check("matching", data=data)["matching"]
    assert "none to compare adopters with" in result.finding
    exec(result.advice[0].code, {"fit": fit, "design": fit.design})
