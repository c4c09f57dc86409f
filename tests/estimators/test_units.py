"""Units of covariates and the scale of weights change no estimate and no error."""

from __future__ import annotations

from typing import Any

import pytest

from clsimpact import estimators
from tests.estimation_helpers import council_design, made_up

YEARS = (2012, 2014, 2015, 2016, 2017, 2018, 2019, 2020)
SAME = 1e-9
"""Digits that remain when numbers are multiplied by 1e13."""


@pytest.mark.parametrize("level", [0.0, 7.3e6, 1e12])
@pytest.mark.parametrize(
    "name", ["twfe", "event_study", "sun_abraham", "imputation", "two_stage", "synthetic_did"]
)
def test_what_effects_leave_of_a_covariate_without_movement_is_rounding(name: str, level: float) -> None:
    """A price that is the same everywhere, plus a level of each unit and one that all share."""
    data = made_up(n_units=40, years=YEARS, seed=22)
    own = data.groupby("ons_code")["size"].transform("first")
    prices = data.assign(need=level + 1.037 ** (data["year"] - 2012) + own)
    plain = getattr(estimators, name)(council_design(data)).overall["estimate"].item()
    fit = getattr(estimators, name)(council_design(prices, covariates=["need"]))
    assert fit.overall["estimate"].item() == pytest.approx(plain, rel=SAME)


def overall(name: str, **columns: Any) -> list[float]:
    data = made_up(n_units=40, years=YEARS, seed=22)
    need, size = columns.get("need", 0.0), columns.get("size", 0.0)
    more = data.assign(
        need=data["need"] * need, size=data.groupby("ons_code")["size"].transform("first") * size
    )
    roles = {"covariates": ["need"]} if need else {"weights": "size"}
    row = getattr(estimators, name)(council_design(more, **roles)).overall
    return [row["estimate"].item(), row["std_error"].item()]


@pytest.mark.parametrize("unit", [1e-13, 1e13])
@pytest.mark.parametrize("name", estimators.__all__)
def test_the_unit_of_a_covariate_changes_nothing(name: str, unit: float) -> None:
    assert overall(name, need=unit) == pytest.approx(overall(name, need=1.0), rel=SAME)


@pytest.mark.parametrize("scale", [1e-13, 1e9])
@pytest.mark.parametrize("name", [each for each in estimators.__all__ if each != "synthetic_did"])
def test_the_scale_of_weights_changes_nothing(name: str, scale: float) -> None:
    assert overall(name, size=scale) == pytest.approx(overall(name, size=1.0), rel=SAME)
