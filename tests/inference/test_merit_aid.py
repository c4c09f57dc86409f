"""Conley-Taber and Ferman-Pinto against printed results on the merit-aid data of Conley and Taber (2011).

Printed (L. Alvarez, "Inference in Differences-in-Differences with few treated units", 22 November 2020, in R,
on shares in college by state and year): coefficient 0.054337, clustered error 0.010698, p-values of Conley
and Taber 0.0116 (absolute value) and 0.0094 (equal tails) from 10,000 draws of R's generator after
set.seed(1234). There the first person of the file (state 11, 1993, not in college) was read as a header and
is not counted. The same draws are taken here, so that the p-values must agree exactly.

The Ferman-Pinto p-values printed there (0.027 equal tails, 0.0308 absolute value) are of another
procedure: all states are drawn under the null, residuals are multiplied by the ratio of standard
deviations the other way round than in the paper, and a variance may have a negative constant. With the
variances by size that the library fits that procedure gives the printed p-values, so that the fit is
checked; the test itself is compared with StatsPAI's on Georgia alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from clsimpact.design import Design
from clsimpact.estimators import twfe
from clsimpact.inference.few_treated import conley_taber, ferman_pinto
from tests.oracles.few_treated import GEORGIA, georgia_alone

REFERENCE = Path(__file__).parents[1] / "reference"

PRINTED = 5e-7
"""The coefficient and its error are printed with six decimals."""

EXACT = 1e-12
"""Shares of 10,000 draws."""

SOLVER = 1e-9
"""Least squares by two routes, relative."""


def states() -> pd.DataFrame:
    """Shares by state and year, as printed: without the first person of the file."""
    panel = pd.read_csv(REFERENCE / "merit_aid.csv", comment="#")
    first = (panel["state"] == 11) & (panel["year"] == 1993)
    panel["people"] -= first.astype(int)
    return panel.assign(share=panel["college"] / panel["people"])


def fit_of(panel: pd.DataFrame) -> Any:
    cohort = panel["first_year"].replace(0, np.nan)
    design = Design(panel.assign(cohort=cohort), outcome="share", unit="state", time="year", cohort="cohort")
    return twfe(design, inference="CR1")


def pieces(panel: pd.DataFrame) -> tuple[float, Any, Any, Any]:
    """Coefficient, residuals of the controls, weights of adopters (net of their own means only), adopters."""
    fit = fit_of(panel)
    shape = (panel["state"].nunique(), -1)
    adopted = (
        ((panel["first_year"] > 0) & (panel["year"] >= panel["first_year"])).to_numpy(float).reshape(shape)
    )
    residuals = fit.fitted().residuals.reshape(shape)
    treated = adopted.any(axis=1)
    weights = (adopted - adopted.mean(axis=1, keepdims=True))[treated]
    return float(fit.estimates[0]), residuals[~treated], weights / (weights**2).sum(), treated


def uniform_of_r(seed: int, count: int) -> Iterator[float]:
    """R's uniform numbers after set.seed: the Mersenne Twister, filled by a linear congruential generator."""
    state = seed
    for _ in range(50):
        state = (69069 * state + 1) % 2**32
    key = []
    for _ in range(625):
        state = (69069 * state + 1) % 2**32
        key.append(state)
    twister = np.random.MT19937()
    twister.state = {"bit_generator": "MT19937", "state": {"key": np.array(key[1:], np.uint32), "pos": 624}}
    return iter(twister.random_raw(count) * 2.3283064365386963e-10)


def sample_of_r(numbers: Iterator[float], n: int) -> int:
    """One draw of R's sample(n, replace = TRUE): as many bits as are needed, again if they say too much."""
    bits = int(np.ceil(np.log2(n)))
    while True:
        value = 0
        for _ in range(0, bits + 1, 16):
            value = 65536 * value + int(next(numbers) * 65536)
        value &= (1 << bits) - 1
        if value < n:
            return value


def test_the_generator_is_that_of_r() -> None:
    """set.seed(1234); runif(3) prints 0.1137034 0.6222994 0.6092747."""
    numbers = uniform_of_r(1234, 3)
    assert [round(next(numbers), 7) for _ in range(3)] == [0.1137034, 0.6222994, 0.6092747]


def test_conley_taber_is_the_printed_one() -> None:
    fit = fit_of(states())
    assert fit.estimates[0] == pytest.approx(0.054337, abs=PRINTED)
    assert fit.tidy()["std_error"].item() == pytest.approx(0.010698, abs=PRINTED)
    estimate, residuals, weights, _ = pieces(states())
    placebo = residuals @ weights.T
    numbers = uniform_of_r(1234, 400_000)
    drawn = np.array([[sample_of_r(numbers, len(residuals)) for _ in weights] for _ in range(10_000)])
    sums = placebo[drawn, np.arange(len(weights))].sum(axis=1)
    assert (np.abs(sums) >= abs(estimate)).mean() == 0.0116
    assert 2 * (sums >= estimate).mean() == 0.0094
    # the library's own draws: the same distribution, known to 0.0011 from 10,000 printed draws
    found = conley_taber(estimate, residuals, weights)
    tail = (found.reference >= estimate).mean()
    assert abs(2 * tail - 0.0094) < 3 * 2 * (0.0047 / 10_000) ** 0.5
    assert abs(found.p_value - 0.0116) < 3 * (0.0116 / 10_000) ** 0.5


def test_variances_by_size_give_the_printed_ferman_pinto() -> None:
    panel = states()
    people = panel.groupby("state")["people"].mean().to_numpy()
    shares = panel["share"].to_numpy().reshape(people.size, -1)
    null = shares - shares.mean(axis=0) - shares.mean(axis=1, keepdims=True) + shares.mean()
    first = panel["first_year"].to_numpy().reshape(shares.shape)[:, 0]
    after = np.where(first > 0, 2001 - first, 0)
    lengths = list(dict.fromkeys(after[after > 0]))
    assert lengths == [1, 3, 8, 4, 2, 5, 10]  # as printed, with the weights below
    pattern = np.array([np.where(np.arange(12) >= 12 - s, 1 / s, -1 / (12 - s)) for s in lengths])
    estimate = float(fit_of(panel).estimates[0])
    found = ferman_pinto(estimate, null, pattern, people, np.full(7, 60.0)).variance
    assert found is not None
    # one of the seven has a negative constant by least squares, which the library does not allow
    assert found.left_out == ("constant", "", "", "", "", "", "")
    x = np.column_stack([np.ones(people.size), 1 / people])
    effects = null @ pattern.T
    free = np.linalg.lstsq(x, effects**2, rcond=None)[0]
    fitted = found.at(people)
    np.testing.assert_allclose(fitted[:, 1:], (x @ free)[:, 1:], rtol=SOLVER)
    fitted[:, 0] = (x @ free)[:, 0]
    spread = np.sqrt(fitted)
    weights = np.array([(after == s).sum() * (12 - s) * s for s in lengths], dtype=float)
    weights /= weights.sum()
    assert weights.round(8).tolist() == [
        0.08906883, 0.21862348, 0.12955466, 0.25910931, 0.08097166, 0.14170040, 0.08097166,
    ]  # fmt: skip
    numbers = uniform_of_r(1234, 3_000_000)
    for _ in range(100_000):  # the draws of Conley and Taber came before
        sample_of_r(numbers, 41)
    drawn = np.array([[sample_of_r(numbers, 51) for _ in range(51)] for _ in range(10_000)])
    scaled = effects[drawn] * spread[drawn] / spread
    gaps = [
        scaled[:, after == s, k].mean(axis=1) - scaled[:, after == 0, k].mean(axis=1)
        for k, s in enumerate(lengths)
    ]
    sums = weights @ np.array(gaps)
    assert 2 * (sums >= estimate).mean() == pytest.approx(0.027, abs=EXACT)
    assert (np.abs(sums) >= abs(estimate)).mean() == pytest.approx(0.0308, abs=EXACT)


def test_through_the_door() -> None:
    """with_inference takes weights net of years as well; with 41 controls it hardly matters."""
    row = fit_of(states()).with_inference("conley_taber", draws=99_999).tidy().iloc[0]
    assert 0.008 < row["p_value"] < 0.0125
    assert row["conf_low"] == pytest.approx(0.0138, abs=5e-4)
    assert row["conf_high"] == pytest.approx(0.0962, abs=5e-4)


@pytest.fixture(scope="module")
def answers() -> pd.Series:
    return pd.read_csv(REFERENCE / "merit_aid_statspai.csv").set_index(["method", "term"])["value"]


def test_georgia_alone_is_that_of_statspai(answers: pd.Series) -> None:
    """StatsPAI takes residuals under the null of no effect; the library, those under the estimated effect."""
    panel = georgia_alone()
    fit = fit_of(panel)
    people = panel.groupby("state")["people"].mean().to_numpy()
    own = np.sort(panel["state"].unique()) == GEORGIA
    grid = (own.size, -1)
    reg = fit.fitted()
    weights = reg.influence[:, 0].reshape(grid)
    estimate = float(fit.estimates[0])
    null = reg.residuals.reshape(grid) + estimate * weights / (weights**2).sum()
    given = (estimate, null[~own], weights[own])
    assert estimate == pytest.approx(answers["conley_taber", "estimate"], rel=SOLVER)
    assert conley_taber(*given).p_value == pytest.approx(answers["conley_taber", "p_value"], rel=SOLVER)
    found = ferman_pinto(*given, people[~own], people[own])
    assert found.p_value == pytest.approx(answers["ferman_pinto", "p_value"], rel=SOLVER)
    variance = found.variance
    assert variance is not None
    assert variance.constant[0] == pytest.approx(answers["ferman_pinto", "constant"], rel=SOLVER)
    assert variance.slope[0] == pytest.approx(answers["ferman_pinto", "slope"], rel=SOLVER)
    at_georgia = variance.at(people[own]).item()
    assert at_georgia == pytest.approx(answers["ferman_pinto", "var_treated"], rel=SOLVER)
