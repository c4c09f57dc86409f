"""Estimates under stress: sizes, scales and covariates that ordinary data do not have."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import clsimpact as ci
from clsimpact._room import LARGEST, require_room
from clsimpact.errors import DesignError
from tests.estimation_helpers import council_design, made_up

ESTIMATORS: dict[str, Callable[..., Any]] = {
    "twfe": ci.twfe, "event_study": ci.event_study, "group_time": ci.group_time, "imputation": ci.imputation,
    "two_stage": ci.two_stage, "sun_abraham": ci.sun_abraham, "extended_twfe": ci.extended_twfe,
    "stacked": ci.stacked, "local_projection": ci.local_projection, "did_m": ci.did_m,
}  # fmt: skip

SCALED = 1e-9
"""Relative: rounding of sums of a few hundred products, whatever their unit."""

pytestmark = [pytest.mark.once, pytest.mark.filterwarnings("ignore::clsimpact.errors.ClsimpactWarning")]


def balanced() -> pd.DataFrame:
    """Forty units in eight periods, three cohorts and never treated ones, every figure there."""
    rng = np.random.default_rng(5)
    units, years = np.arange(40), np.arange(2010, 2018)
    first = np.where(units < 18, 2013 + units % 3, np.nan)
    on = years[None, :] >= np.nan_to_num(first, nan=9999)[:, None]
    y = 50 + rng.normal(size=40)[:, None] + 0.3 * (years - 2010) + rng.normal(size=(40, 8)) + 2.0 * on
    return pd.DataFrame(
        {
            "ons_code": np.repeat([f"U{u:02d}" for u in units], 8),
            "year": np.tile(years, 40),
            "adoption_year": np.repeat(first, 8),
            "cost": y.ravel(),
        }
    )


@pytest.mark.parametrize("factor", [1e12, 1e-12, -1e12])
@pytest.mark.parametrize("name", ESTIMATORS)
def test_numbers_of_any_size_scale_the_estimates_and_nothing_else(name: str, factor: float) -> None:
    panel, options = balanced(), {} if name == "did_m" else {"inference": "CR1"}
    if name in ("group_time", "imputation", "two_stage", "stacked"):
        options = {}
    plain = ESTIMATORS[name](council_design(panel), **options)
    scaled = ESTIMATORS[name](council_design(panel.assign(cost=factor * panel["cost"])), **options)
    assert list(scaled.identified) == list(plain.identified)
    # Of the largest estimate: a reference of exactly zero has no size of its own.
    room = SCALED * np.nanmax(np.abs(plain.estimates))
    np.testing.assert_allclose(scaled.estimates / factor, plain.estimates, rtol=SCALED, atol=room)
    errors = plain.tidy()["std_error"]
    np.testing.assert_allclose(scaled.tidy()["std_error"] / abs(factor), errors, rtol=1e-7)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_a_level_far_above_the_changes_costs_only_the_digits_that_it_takes(name: str) -> None:
    """Numbers near 1e9 are held to 1e-7, and so are the estimates."""
    panel = balanced()
    plain = ESTIMATORS[name](council_design(panel))
    high = ESTIMATORS[name](council_design(panel.assign(cost=panel["cost"] + 1e9)))
    np.testing.assert_allclose(high.estimates, plain.estimates, rtol=0, atol=2e-6)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_an_outcome_that_never_changes_has_no_effect_and_no_certainty(name: str) -> None:
    """Zero as estimate, and no standard error of zero, which would pass for certainty."""
    fit = ESTIMATORS[name](council_design(balanced().assign(cost=7.0)))
    row = fit.tidy()
    assert row.loc[row["identified"], "estimate"].abs().max() < 1e-12
    assert not (row["std_error"] == 0).any()
    assert not (row["p_value"] < 0.05).any()


@pytest.mark.parametrize("near", [0.0, 1e-13])
def test_covariates_that_say_the_same_are_told_not_divided_among(near: float) -> None:
    panel = made_up()
    rng = np.random.default_rng(0)
    panel["again"] = panel["need"] * (1 + near * rng.normal(size=len(panel)))
    fit = ci.twfe(council_design(panel, covariates=["need", "again"]), inference="CR1")
    alone = ci.twfe(council_design(panel, covariates=["need"]), inference="CR1")
    row = fit.tidy().set_index("term")
    assert row.loc["treated", "estimate"] == pytest.approx(alone.tidy().loc[0, "estimate"], rel=1e-8)
    assert not row.loc["again", "identified"] or not row.loc["need", "identified"]
    assert "collinear" in " ".join(row["reason"])


def test_covariates_that_nearly_say_the_same_give_what_least_squares_gives() -> None:
    """A part of 1e-4 of its own is enough: beside numpy on the dummies written out."""
    panel = made_up().dropna(subset=["cost", "need"])
    panel["again"] = panel["need"] + 1e-4 * np.random.default_rng(0).normal(size=len(panel))
    design = council_design(panel, covariates=["need", "again"])
    data = design.data
    dummies = pd.get_dummies(data[["ons_code", "year"]].astype(str), drop_first=True)
    columns = np.column_stack(
        [data["treated"], data["need"], data["again"], np.ones(len(data)), dummies.to_numpy(float)]
    ).astype(float)
    found = np.linalg.lstsq(columns, data["cost"].to_numpy(), rcond=None)[0]
    fit = ci.twfe(design, inference="CR1")
    np.testing.assert_allclose(fit.estimates, found[:3], rtol=1e-6)


def large(units: int, periods: int, cohorts: int) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    first = np.full(units, np.nan)
    treated = units * 9 // 10
    first[:treated] = 2 + np.arange(treated) % cohorts
    years = np.arange(1, periods + 1)
    on = years[None, :] >= np.nan_to_num(first, nan=1e9)[:, None]
    y = rng.normal(size=units)[:, None] + 0.01 * years + 0.1 * rng.normal(size=(units, periods)) + 0.5 * on
    return pd.DataFrame(
        {
            "ons_code": np.repeat(np.arange(units), periods),
            "year": np.tile(years, units),
            "adoption_year": np.repeat(first, periods),
            "cost": y.ravel(),
        }
    )


MANY = ("event_study", "sun_abraham", "extended_twfe", "group_time", "local_projection", "did_m")


@pytest.mark.parametrize("name", MANY)
def test_a_thousand_cohorts_are_refused_with_the_size_that_they_need(
    name: str, thousand_cohorts: ci.Design
) -> None:
    with pytest.raises(DesignError, match=r"1,000 cohorts in 1,002 periods need a table of [\d,]+ GB"):
        ESTIMATORS[name](thousand_cohorts)


def test_synthetic_did_is_refused_before_it_weighs_a_thousand_cohorts(thousand_cohorts: ci.Design) -> None:
    with pytest.raises(DesignError, match="1,000 cohorts in 1,002 periods need a table of 16 GB"):
        ci.synthetic_did(thousand_cohorts)


@pytest.fixture(scope="module")
def thousand_cohorts() -> ci.Design:
    """Two units a cohort: the tables of cohorts and periods are the same, and the panel is small."""
    return council_design(large(2000, 1002, 1000))


def test_what_just_fits_is_let_through() -> None:
    require_room(2, 2, LARGEST // 8)
    with pytest.raises(DesignError, match="need a table of 2 GB"):
        require_room(2, 2, LARGEST // 8 + 1)


PROGRAM = """
import re, sys
from pathlib import Path
import numpy as np, pandas as pd
import clsimpact as ci
units, years = 50_000, np.arange(2000, 2020)
rng = np.random.default_rng(0)
first = np.where(np.arange(units) < 20_000, 2008 + np.arange(units) % 6, np.nan)
on = years[None, :] >= np.nan_to_num(first, nan=9999)[:, None]
y = rng.normal(size=units)[:, None] + 0.1 * rng.normal(size=(units, 20)) + 0.5 * on
data = pd.DataFrame({"u": np.repeat(np.arange(units), 20), "t": np.tile(years, units), "y": y.ravel(),
                     "g": np.repeat(first, 20)})
design = ci.Design(data, outcome="y", unit="u", time="t", cohort="g")
row = getattr(ci, sys.argv[1])(design).overall.iloc[0]
peak = int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024
print(row["estimate"], row["std_error"], peak)
"""


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="peak memory is read as Linux tells it")
@pytest.mark.parametrize("name", ["twfe", "event_study", "group_time", "imputation", "sun_abraham"])
def test_a_million_rows_take_little_memory_and_give_the_effect_put_in(name: str) -> None:
    """The panel itself has 32 MB; the whole process stays below 1 GB."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(PROGRAM), name],
        capture_output=True, text=True, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    estimate, error, peak = map(float, done.stdout.split())
    assert abs(estimate - 0.5) < 5 * error < 0.02
    assert peak < 1000
