"""Residuals of controls in place of those of adopters, through the door: weights, gaps, too few controls."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from clsimpact.design import Design
from clsimpact.errors import DesignError
from clsimpact.estimators import event_study, twfe
from clsimpact.estimators.group_time import group_time
from clsimpact.estimators.imputation import imputation
from clsimpact.inference import FermanPinto, Wild, conley_taber, ferman_pinto

DRAWS = 999

SAME = 1e-9
"""Relative: our weights and residuals and those of a regression on dummies (1e-13 seen)."""

ADOPTERS, UNITS, YEARS = 3, 36, 7


def weighted(**more: Any) -> Design:
    """Three adopters; weights by unit and year that differ twentyfold."""
    rng = np.random.default_rng(4)
    first = np.zeros(UNITS, dtype=np.int64)
    first[:ADOPTERS] = 2018, 2019, 2019
    mass = np.exp(rng.normal(size=(UNITS, 1))) * np.linspace(1, 2, YEARS)
    mass[:ADOPTERS] *= 5
    columns = {
        "unit": np.repeat(np.arange(UNITS), YEARS), "year": np.tile(np.arange(2015, 2015 + YEARS), UNITS),
        "first": np.repeat(first, YEARS), "y": rng.normal(size=UNITS * YEARS), "mass": mass.ravel(),
    }  # fmt: skip
    given = {"weights": "mass"} | more
    return Design(pd.DataFrame(columns), outcome="y", unit="unit", time="year", cohort="first", **given)


def by_hand(design: Design) -> tuple[float, np.ndarray, np.ndarray]:
    """Estimate, residuals of controls and weights of adopters, all of outcomes, by weighted least squares."""
    own, years = np.eye(UNITS)[design.unit_codes], np.eye(YEARS)[design.time_codes]
    x = np.column_stack([design.treated, own, years[:, 1:]]).astype(float)
    w = design.w
    assert w is not None
    solve = np.linalg.inv(x.T @ (w[:, None] * x)) @ (x.T * w)
    left = (design.y - x @ (solve @ design.y)).reshape(UNITS, YEARS)
    enters = solve[0].reshape(UNITS, YEARS)
    return float(solve[0] @ design.y), left[ADOPTERS:], enters[:ADOPTERS]


def test_conley_taber_of_a_weighted_panel_is_in_units_of_the_outcome() -> None:
    design = weighted()
    expected = conley_taber(*by_hand(design), level=0.9, draws=DRAWS, seed=7)
    row = twfe(design).with_inference("conley_taber", level=0.9, draws=DRAWS, seed=7).tidy().iloc[0]
    assert row["p_value"] == expected.p_value
    ends = [expected.conf_low, expected.conf_high]
    assert [row["conf_low"], row["conf_high"]] == pytest.approx(ends, rel=SAME)


def test_ferman_pinto_of_a_weighted_panel_is_in_units_of_the_outcome() -> None:
    design = weighted()
    size = np.linspace(1, 20, UNITS)
    groups = size[ADOPTERS:], size[:ADOPTERS]
    expected = ferman_pinto(*by_hand(design), *groups, draws=DRAWS, seed=7)
    method = FermanPinto(size=dict(enumerate(size)))
    row = twfe(design).with_inference(method, draws=DRAWS, seed=7).tidy().iloc[0]
    assert row["p_value"] == expected.p_value
    ends = [expected.conf_low, expected.conf_high]
    assert [row["conf_low"], row["conf_high"]] == pytest.approx(ends, rel=SAME)


def test_weights_that_are_all_alike_change_nothing() -> None:
    design = weighted(weights=None)
    alike = Design(
        design.data.assign(two=2.0), outcome="y", unit="unit", time="year", cohort="first", weights="two"
    )
    one, two = (event_study(d).with_inference("conley_taber", draws=DRAWS).tidy() for d in (design, alike))
    pd.testing.assert_frame_equal(one, two, rtol=SAME)


def gaps(whole: int) -> Design:
    """Panel in which so many controls are seen in every year, and the others not in the first."""
    data = weighted().data
    late = (data["unit"] >= ADOPTERS + whole) & (data["year"] == 2015)
    return Design(data[~late], outcome="y", unit="unit", time="year", cohort="first")


def test_the_summary_says_whose_residuals_are_used() -> None:
    fit = event_study(gaps(22)).with_inference("conley_taber", draws=DRAWS)
    assert "residuals of the 22 of 33 controls that are seen in every period, in place" in fit.summary()
    fit = event_study(weighted()).with_inference("conley_taber", draws=DRAWS)
    assert "residuals of controls in place of adopters'" in fit.summary()


def test_what_placebos_need_is_asked_at_once() -> None:
    fit = event_study(gaps(1))
    with pytest.raises(DesignError, match="two controls or more that are seen in every period; there is 3"):
        fit.with_inference("conley_taber")
    with pytest.raises(DesignError, match="Units have no size"):
        event_study(weighted()).with_inference(FermanPinto(size={0: 1.0}))


@pytest.mark.parametrize("estimator", [imputation, group_time])
@pytest.mark.parametrize(
    ("method", "name"),
    [("wild", "wild"), (Wild(parts="rows"), "wild"), ("conley_taber", "conley_taber")],
)
def test_methods_that_need_rows_are_refused_at_once(estimator: Any, method: Any, name: str) -> None:
    """Weights leave these estimators without a form by row: `with_inference` says so, not `tidy`."""
    fit = estimator(weighted())
    words = f"{name} needs to know how each row enters .* of {fit.estimator}(.|\n)*rows are weighted by mass"
    with pytest.raises(DesignError, match=words) as found:
        fit.with_inference(method)
    assert "CR0" in found.value.repair
    assert "Permutation(refit=True)" in found.value.repair
