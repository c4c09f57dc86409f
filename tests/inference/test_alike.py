"""Clusters of a few kinds: the short sums of the wild bootstrap are those of every cluster by itself."""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
import pytest

from clsimpact.estimators import event_study, twfe
from clsimpact.inference import Wild
from clsimpact.inference.alike import kinds_of
from clsimpact.results import Estimate
from tests.estimation_helpers import council_design, made_up

SAME = 1e-9
"""Sums over kinds and over clusters, in another order: about 1e-13 of a statistic."""


@pytest.mark.parametrize("estimator", [twfe, event_study])
@pytest.mark.parametrize("weights", ["rademacher", "webb", "mammen"])
@pytest.mark.parametrize("impose_null", [True, False])
def test_kinds_change_no_statistic(
    estimator: Callable[..., Estimate], weights: str, impose_null: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit = estimator(council_design(made_up(n_units=40)), inference="CR1")
    method = Wild(weights=weights, impose_null=impose_null)  # type: ignore[arg-type]
    short = fit.with_inference(method, draws=199, seed=3)
    short_draws = short.procedure.run.numbers()  # type: ignore[union-attr]
    short_ends = short_draws.intervals(0.9)
    asked: list[int] = []

    def each_by_itself(rows: np.ndarray) -> np.ndarray:
        asked.append(len(rows))
        return np.arange(len(rows))

    monkeypatch.setattr(sys.modules["clsimpact.inference.wild"], "kinds_of", each_by_itself)
    long = fit.with_inference(method, draws=199, seed=3).procedure.run.numbers()  # type: ignore[union-attr]
    assert asked == [40]
    np.testing.assert_allclose(short_draws.statistics, long.statistics, rtol=SAME, atol=SAME)
    np.testing.assert_allclose(short_ends, long.intervals(0.9), rtol=SAME, atol=SAME)


def test_kinds_are_told_apart_by_more_than_rounding() -> None:
    rows = np.array([[1.0, 2.0], [1.0, 2.0 + 1e-15], [1.0, 2.001], [0.0, 0.0]])
    kinds = kinds_of(rows)
    assert kinds[0] == kinds[1]
    assert len(set(kinds.tolist())) == 3


def test_few_kinds_are_found_on_a_panel() -> None:
    """Two-way fixed effects on a balanced panel: a kind per cohort, and those that never adopt."""
    design = council_design(made_up(n_units=40))
    found = kinds_of(twfe(design, inference="CR1").fitted().influence.reshape(40, -1))
    assert found.max() + 1 == len(design.cohort_sizes) + 1
