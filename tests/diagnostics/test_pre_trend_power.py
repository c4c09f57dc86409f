"""Power of pre-tests: published values of R and Stata, draws, closed forms, and refusals."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import least_squares

from clsimpact.diagnostics._normal_box import box_probability, box_pull
from clsimpact.diagnostics.pre_trend_power import pre_trend_power
from clsimpact.errors import DesignError
from clsimpact.estimators import event_study, group_time
from tests.diagnostics.honest_helpers import Floats, arrays
from tests.estimation_helpers import mpdta

R_LEVEL = 2 * stats.norm.cdf(1.96) - 1
"""R pretrends' critical value is 1.96, not 1.959964."""

R_BOX = 3e-4
"""R's mvtnorm::pmvnorm stops at an error of 1e-3; seen here: 2.4e-4."""

R_SLOPE = 1e-4
"""R's uniroot stops at 1.2e-4 (.Machine$double.eps^0.25), whatever the scale of the slope."""

EXACT = 1e-8
"""Gauss-Legendre's rule in up to three dimensions."""

LATTICE = 2e-5
"""The lattice of 2**15 points beyond."""

DRAWS = 400_000


def covariance(seed: int, n: int) -> Floats:
    root = np.random.default_rng(seed).normal(size=(n, n + 2))
    return root @ root.T / n


def test_slopes_of_r_on_mpdta(reference: Path) -> None:
    """R pretrends 0.1.0 on R 4.2.2: slope_for_power and pretrends at its slope of 50%."""
    given = arrays(reference, "TWFE")
    found = pre_trend_power(**given, level=R_LEVEL)
    assert (found.slope_50, found.slope_80) == pytest.approx((0.01311573, 0.01972724), abs=R_SLOPE)
    at = pre_trend_power(**given, level=R_LEVEL, slope=0.0131157341360233)
    assert at.power == pytest.approx(0.499817039453378, abs=R_BOX)
    assert at.bayes_factor == pytest.approx(0.562941508437485, abs=2 * R_BOX)
    assert at.likelihood_ratio == pytest.approx(0.104722509373361, rel=2e-3)


STATA = {
    "beta": np.array([0.0667032, -0.0077018, -0.0307691]),
    "std_error": np.array([0.0897108, 0.0732436, 0.0523996]),
    "line": np.array([-0.1484796, -0.0989864, -0.0494932]),
    "line_after": np.array([-0.087755, -0.052812, -0.0265324]),
    "quadratic": 0.024 * np.array([9.0, 4.0, 1.0]),
    "quadratic_after": np.array([0.1157555, 0.0391983, 0.003749]),
}
"""Stata pretrends 0.4.2 (06Oct2023), README: He and Wang (2017), printed digits."""

R_README = {
    "beta": np.array([-0.08942866, -0.08939153, -0.06860359]),
    "std_error": np.array([0.12228981, 0.10185069, 0.07761490]),
    "line": np.array([-0.20974582, -0.13983055, -0.06991527]),
    "line_after": np.array([-0.12249504, -0.07515163, -0.03060731]),
}
"""R pretrends, README: another of their event studies."""


def correlated(free: Floats, std_error: Floats) -> Floats:
    root = np.array([[1.0, 0, 0], [free[0], 1, 0], [free[1], free[2], 1]])
    root /= np.linalg.norm(root, axis=1, keepdims=True)
    return root @ root.T * np.outer(std_error, std_error)


def covariance_behind(printed: dict[str, Floats], critical: float) -> Floats:
    """The READMEs print no covariance: the one under which the printed means after passing come out.

    Two covariances give these three means; the start leads to the one with the printed power.
    """
    error = printed["std_error"]

    def gap(free: Floats) -> Floats:
        sigma = correlated(free, error)
        pull = box_pull(printed["line"], sigma, -critical * error, critical * error)
        return (printed["line"] + sigma @ pull - printed["line_after"]) / error

    found = least_squares(gap, np.array([0.8, 0.4, 0.7]), xtol=1e-14, ftol=1e-14)
    assert found.cost < 1e-12
    return correlated(found.x, error)


def probed(printed: dict[str, Floats], critical: float, path: Floats) -> Any:
    sigma = np.zeros((4, 4))
    sigma[:3, :3], sigma[3, 3] = covariance_behind(printed, critical), 1.0
    return pre_trend_power(
        beta=np.append(printed["beta"], 0), sigma=sigma, n_pre=3, n_post=1, path=np.append(path, 0),
        level=2 * stats.norm.cdf(critical) - 1,
    )  # fmt: skip


def test_the_printed_example_of_stata() -> None:
    """Three means determine three correlations; nine other printed numbers must follow."""
    line = probed(STATA, stats.norm.ppf(0.975), STATA["line"])
    assert line.power == pytest.approx(0.5, abs=1e-4)
    assert line.slope_50 == pytest.approx(0.0494932, abs=2e-5)
    assert line.bayes_factor == pytest.approx(0.5690177, abs=2e-4)
    assert line.likelihood_ratio == pytest.approx(0.1016997, rel=2e-3)
    quadratic = probed(STATA, stats.norm.ppf(0.975), STATA["quadratic"])
    assert quadratic.after_passing[:3] == pytest.approx(STATA["quadratic_after"], abs=5e-5)
    assert quadratic.power == pytest.approx(0.7026124, abs=2e-4)
    assert quadratic.bayes_factor == pytest.approx(0.3384376, abs=2e-4)
    assert quadratic.likelihood_ratio == pytest.approx(0.3962795, rel=2e-3)


def test_the_printed_example_of_r() -> None:
    line = probed(R_README, 1.96, R_README["line"])
    assert line.power == pytest.approx(0.4997363, abs=R_BOX)
    assert line.bayes_factor == pytest.approx(0.5671215, abs=3 * R_BOX)
    assert line.likelihood_ratio == pytest.approx(0.8589346, rel=2e-3)
    assert line.slope_50 == pytest.approx(0.06991527, abs=R_SLOPE)


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_boxes_are_those_of_scipy(n: int) -> None:
    sigma, mean = covariance(n, n), np.linspace(-0.3, 0.5, n)
    low, high = -np.linspace(0.5, 1.5, n), np.linspace(1.0, 2.0, n)
    exact = stats.multivariate_normal(mean, sigma, maxpts=4_000_000, abseps=1e-9, releps=1e-9, seed=1)
    assert box_probability(mean, sigma, low, high) == pytest.approx(
        exact.cdf(high, lower_limit=low), abs=1e-6
    )


@pytest.mark.parametrize("n", [2, 4, 6, 9])
def test_independent_boxes_are_products(n: int) -> None:
    edge = np.linspace(0.4, 2.0, n)
    assert box_probability(np.zeros(n), np.eye(n), -edge, edge) == pytest.approx(
        np.prod(2 * stats.norm.cdf(edge) - 1), abs=EXACT
    )


@pytest.mark.parametrize("n", [5, 8])
def test_equal_correlations_in_many_dimensions(n: int) -> None:
    """P(all |X_i| < 2) = E prod P(|a Z + b e_i| < 2): one integral."""
    z, w = np.polynomial.hermite_e.hermegauss(80)
    rho = 0.6
    inside = stats.norm.cdf((2 - np.sqrt(rho) * z) / np.sqrt(1 - rho))
    inside -= stats.norm.cdf((-2 - np.sqrt(rho) * z) / np.sqrt(1 - rho))
    exact = float((w * inside**n).sum() / np.sqrt(2 * np.pi))
    sigma = (1 - rho) * np.eye(n) + rho
    assert box_probability(np.zeros(n), sigma, np.full(n, -2.0), np.full(n, 2.0)) == pytest.approx(
        exact, abs=LATTICE
    )


@pytest.mark.parametrize("test", ["individual", "joint"])
@pytest.mark.parametrize("n_pre", [1, 3, 5])
def test_power_and_means_are_those_of_draws(test: Any, n_pre: int) -> None:
    n = n_pre + 2
    sigma = covariance(n, n)
    delta = np.random.default_rng(n).normal(0, 0.8, size=n)
    found = pre_trend_power(beta=np.zeros(n), sigma=sigma, n_pre=n_pre, n_post=2, path=delta, test=test)
    draws = np.random.default_rng(9).multivariate_normal(delta, sigma, size=DRAWS)
    before = draws[:, :n_pre]
    if test == "individual":
        passed = (np.abs(before) <= 1.959964 * np.sqrt(np.diag(sigma)[:n_pre])).all(axis=1)
    else:
        wald = (before @ np.linalg.inv(sigma[:n_pre, :n_pre]) * before).sum(axis=1)
        passed = wald <= stats.chi2.ppf(0.95, n_pre)
    error = np.sqrt(found.power * (1 - found.power) / DRAWS)
    assert abs(1 - passed.mean() - found.power) < 4 * error
    kept = draws[passed]
    errors = kept.std(axis=0) / np.sqrt(len(kept))
    assert (np.abs(kept.mean(axis=0) - found.after_passing) < 4.5 * errors).all()


def test_one_coefficient_by_hand() -> None:
    """Power 1 - {Phi(1.96 - d) - Phi(-1.96 - d)}; the mean after passing is that of a truncated normal."""
    sigma = np.array([[1.0, 0.5], [0.5, 2.0]])
    found = pre_trend_power(beta=[0.3, 1.0], sigma=sigma, n_pre=1, n_post=1, path=[1.2, 0.0])
    z = stats.norm.ppf(0.975)
    passed = stats.norm.cdf(z - 1.2) - stats.norm.cdf(-z - 1.2)
    mean = stats.truncnorm(-z - 1.2, z - 1.2, loc=1.2).mean()
    assert found.power == pytest.approx(1 - passed, abs=EXACT)
    assert found.size == pytest.approx(0.05, abs=EXACT)
    assert found.after_passing == pytest.approx([mean, 0.5 * (mean - 1.2)], abs=EXACT)
    assert found.bayes_factor == pytest.approx(passed / 0.95, abs=EXACT)
    ratio = stats.norm.pdf(0.3 - 1.2) / stats.norm.pdf(0.3)
    assert found.likelihood_ratio == pytest.approx(ratio, abs=EXACT)


@pytest.mark.parametrize("test", ["individual", "joint"])
def test_slopes_have_the_power_they_are_said_to_have(test: Any) -> None:
    given = {"beta": np.zeros(5), "sigma": covariance(2, 5), "n_pre": 3, "n_post": 2, "test": test}
    found = pre_trend_power(**given)
    for slope, power in ((found.slope_50, 0.5), (found.slope_80, 0.8)):
        assert pre_trend_power(**given, slope=slope).power == pytest.approx(power, abs=1e-9)
        assert pre_trend_power(**given, slope=-slope).power == pytest.approx(power, abs=1e-9)
    assert found.power == pytest.approx(0.5, abs=1e-9)
    assert found.hypothesised == pytest.approx(found.slope_50 * np.array([-3, -2, -1, 1, 2]))


def test_a_change_of_unit_changes_slopes_alone() -> None:
    sigma = covariance(4, 4)
    one = pre_trend_power(beta=np.zeros(4), sigma=sigma, n_pre=3, n_post=1)
    other = pre_trend_power(beta=np.zeros(4), sigma=1e10 * sigma, n_pre=3, n_post=1)
    assert other.slope_80 / 1e5 == pytest.approx(one.slope_80, rel=1e-9)
    assert other.size == pytest.approx(one.size, abs=1e-12)


def test_many_tests_reject_parallel_trends_too_often_to_have_such_a_slope() -> None:
    n = 15
    found = pre_trend_power(beta=np.zeros(n + 1), sigma=np.eye(n + 1), n_pre=n, n_post=1)
    assert found.size == pytest.approx(1 - 0.95**n, abs=LATTICE)
    assert math.isnan(found.slope_50)
    assert found.slope_80 > 0
    assert found.hypothesised[-1] == pytest.approx(found.slope_80)
    assert "no slope is found with 50% power only" in found.summary()


def test_a_result_with_its_words() -> None:
    fit = event_study(mpdta(), inference="CR1")
    found = pre_trend_power(fit)
    assert found.slope_50 == pytest.approx(0.01318, abs=2e-4)
    assert found.tidy().columns.tolist() == [
        "event_time", "estimate", "std_error", "hypothesised", "after_passing",
    ]  # fmt: skip
    assert found.tidy()["event_time"].tolist() == [-4, -3, -2, 0, 1, 2, 3]
    words = found.summary()
    assert "with 50% power at 0.0132 log points a period, with 80% at 0.0198" in words
    assert "among analyses that pass the test" in words
    assert "pre-trend" in found._repr_html_()
    assert pre_trend_power(group_time(mpdta())).path.times == (-4, -3, -2, 0, 1, 2, 3)
    assert pre_trend_power(fit, df=4).slope_50 > found.slope_50
    assert pre_trend_power(fit).tidy().equals(found.tidy())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"test": "wald"}, "Use one of individual, joint"),
        ({"slope": 1.0, "path": [0, 0, 0]}, "A slope and a path"),
        ({"path": [0, 0]}, "3 finite numbers needed"),
        ({"path": [0, np.nan, 0]}, "3 finite numbers needed"),
        ({"path": "words"}, "path is not an array of numbers"),
        ({"slope": math.nan}, "a finite number is needed"),
        ({"df": 0}, "df is 0"),
        ({"sigma": np.ones((3, 3))}, "not positive definite"),
        ({"level": 0}, "level is 0"),
        ({"n_pre": None}, "Arguments are missing: n_pre"),
    ],
)
def test_bad_input_is_refused_in_words(change: dict[str, Any], words: str) -> None:
    good: dict[str, Any] = {"beta": [0.1, 0.0, 1.0], "sigma": np.eye(3), "n_pre": 2, "n_post": 1}
    with pytest.raises(DesignError) as error:
        pre_trend_power(**(good | change))
    assert words in str(error.value)
