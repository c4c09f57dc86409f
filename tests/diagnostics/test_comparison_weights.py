"""Forbidden comparisons: the shares are those of the decompositions, and the verdict follows from them."""

from __future__ import annotations

import numpy as np
import pytest

import clsimpact as ci
from clsimpact.diagnostics.comparison_weights import FORBIDDEN, NEGATIVE, run
from clsimpact.diagnostics.setting import Setting
from tests.diagnostics.check_helpers import design, panel, setting, sound
from tests.estimation_helpers import castle, mpdta


def test_shares_by_hand() -> None:
    """Two cohorts and no other unit: with equal groups the decomposition has weights 1/2 and 1/2."""
    data = panel(units=8, adopters=8, years=(1, 2, 3, 4, 5, 6, 7, 8)).query("year <= 4")
    data = data.assign(adoption_year=np.where(data["ons_code"] < "E00000004", 2.0, 3.0))
    found = run(Setting(design(data)))
    # Earlier v later weighs (D_e - D_l)(1 - D_e), later v earlier D_l (D_e - D_l), with D the share treated.
    early, late = 3 / 4, 2 / 4
    first, second = (early - late) * (1 - early), late * (early - late)
    assert found.numbers["share_forbidden"] == pytest.approx(second / (first + second), rel=1e-12)
    assert found.verdict == "does not hold"
    sound(found, Setting(design(data)))


def test_mpdta_has_the_published_weights() -> None:
    found = run(Setting(mpdta()))
    assert found.numbers["share_forbidden"] == pytest.approx(0.05392423, abs=5e-9)
    assert found.numbers["negative_sum"] == pytest.approx(-0.010851, abs=5e-7)
    assert found.numbers["negative_rows"] == 20
    assert found.verdict == "holds"
    assert not found.advice


def test_castle_has_the_published_share(reference) -> None:  # type: ignore[no-untyped-def]
    found = run(Setting(castle(reference)))
    assert found.numbers["share_forbidden"] == pytest.approx(0.03189818, abs=5e-9)


def test_the_verdict_follows_from_the_two_limits() -> None:
    few = panel(units=20, adopters=16)
    found = run(Setting(design(few)))
    shares = found.numbers["share_forbidden"], found.numbers["negative_sum"]
    assert shares[0] > FORBIDDEN or -shares[1] > NEGATIVE
    assert found.verdict == "does not hold"
    assert run(Setting(design(panel(units=200, adopters=8)))).verdict == "holds"


def test_estimators_without_such_comparisons_are_not_blamed() -> None:
    few = setting(panel(units=20, adopters=16), "group_time")
    found = run(few)
    assert found.verdict == "holds"
    assert "group_time makes no such comparison" in found.finding


def test_unbalanced_panels_keep_the_weights_and_say_what_is_missing() -> None:
    data = panel(units=20, adopters=4)
    gone = data[~((data["ons_code"] == "E00000000") & (data["year"] == 2015))]
    found = run(Setting(design(gone)))
    assert found.numbers["share_forbidden"] is not None
    weighted = data.assign(size=np.arange(len(data)) + 1.0)
    lost = run(Setting(design(weighted, weights="size")))
    assert lost.numbers["share_forbidden"] is None
    assert "No share of comparisons" in lost.finding


def test_the_figure_is_that_of_the_weights() -> None:
    found = run(Setting(mpdta()))
    assert found.draw is not None
    assert found.draw().title == ci.plots.decomposition.weights_figure(ci.twfe_weights(mpdta())).title
