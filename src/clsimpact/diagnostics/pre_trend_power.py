r"""What a test of pre-trends could have seen, and what passing it does to the effects.

A pre-trend that is not significant is not a pre-trend that is absent. With :math:`\hat\beta` the path of an
event study and :math:`\delta` a difference in trends without any effect of adoption,
:math:`\hat\beta \sim N(\delta, \Sigma)`. The pre-test passes where no coefficient before adoption is
significant, a box B around zero, or where their Wald statistic is not. Then

.. math::
    \text{power}(\delta) = 1 - P(\hat\beta_{pre} \in B), \qquad
    E(\hat\beta_{post} \mid \hat\beta_{pre} \in B) = \delta_{post} + \Sigma_{post,pre} \Sigma_{pre}^{-1}
    \{E(\hat\beta_{pre} \mid \hat\beta_{pre} \in B) - \delta_{pre}\}.

The second is the bias of effects that are reported because the test was passed; it can exceed the
unconditional bias :math:`\delta_{post}`.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.special import ndtri, stdtrit
from scipy.stats import chi2, ncx2

from clsimpact._check import number, plural, sample_words, unit_text
from clsimpact._display import card, grid, paragraphs
from clsimpact.diagnostics._honest_input import Path, from_arrays, from_fit, level_of
from clsimpact.diagnostics._normal_box import box_probability, box_pull
from clsimpact.errors import DesignError, did_you_mean, list_some

if TYPE_CHECKING:
    from clsimpact.design import Design
    from clsimpact.results import Estimate
    from clsimpact.saved import SavedEstimate

__all__ = ["TESTS", "PreTrendPower", "pre_trend_power"]

Floats = NDArray[np.float64]

TESTS = ("individual", "joint")

STEEPEST = 2.0**20
"""Slopes beyond this many standard errors are not looked at."""

FOUND = 1e-12
"""Share, of the slope and of a standard error, to which the slope is found.

It is shown to three digits; so near, the power that it is solved for is right to 1e-8 and better."""


@dataclass(frozen=True, eq=False, repr=False)
class PreTrendPower:
    """Power of a pre-test, and the bias of passing it.

    Attributes
    ----------
    test : str
        ``"individual"``: significant where any coefficient before adoption is; ``"joint"``: the Wald test.
    level : float
    slope_50, slope_80 : float
        Slopes of a linear difference in trends, per period, that the test finds with 50% and 80% power; NaN
        where the test rejects parallel trends more often than that.
    size : float
        How often the test rejects parallel trends. Several individual tests reject more often than one.
    power : float
        How often it rejects the hypothesised path.
    bayes_factor : float
        Probability of passing under the path over that under parallel trends: how little passing says.
    likelihood_ratio : float
        Density of the coefficients before adoption under the path over that under parallel trends.
    hypothesised, after_passing : float arrays (n)
        The path, and the mean of the coefficients given that the test is passed, by event time.
    path : Path
        Coefficients, covariance, event times, and the result they are from.

    Examples
    --------
    See `pre_trend_power`.
    """

    test: str
    level: float
    slope_50: float
    slope_80: float
    size: float
    power: float
    bayes_factor: float
    likelihood_ratio: float
    hypothesised: Floats
    after_passing: Floats
    path: Path

    @property
    def design(self) -> Design | None:
        """The design behind the path; None for bare arrays."""
        return None if self.path.fit is None else self.path.fit.design

    def tidy(self) -> pd.DataFrame:
        """One row per event time.

        Returns
        -------
        pandas.DataFrame
            ``event_time, estimate, std_error, hypothesised, after_passing``. After the reference, where the
            path has no effect of adoption, the last two are the bias: unconditional, and given that the
            pre-test is passed.

        Examples
        --------
        >>> found = pre_trend_power(beta=[0.1, 0.5], sigma=np.eye(2), n_pre=1, n_post=1)
        >>> found.tidy()["event_time"].tolist()
        [-2, 0]
        """
        return pd.DataFrame(
            {
                "event_time": pd.array(list(self.path.times), dtype="Int64"),
                "estimate": self.path.beta.copy(),
                "std_error": np.sqrt(np.diag(self.path.sigma)),
                "hypothesised": self.hypothesised.copy(),
                "after_passing": self.after_passing.copy(),
            }
        )

    def summary(self) -> str:
        """Say what the test could have seen (deterministic).

        Examples
        --------
        >>> found = pre_trend_power(beta=[0.1, 0.5], sigma=np.eye(2), n_pre=1, n_post=1)
        >>> print(found.summary().splitlines()[3])
        Parallel trends are rejected 5% of the time.
        """
        return "\n".join(_lines(self))

    def __repr__(self) -> str:
        return self._line("pre-trend power", "" if self.design is None else self.design.outcome)

    def _line(self, name: str, outcome: str) -> str:
        """Return the result in one line."""
        made_up = "SIMULATED: " if self.design is not None and self.design.simulated else ""
        what = f" of {outcome}" if outcome else ""
        slopes = f"{number(self.slope_50)} and {number(self.slope_80)}"
        return f"{made_up}{name}{what}: slopes found with 50% and 80% power {slopes}"

    def _repr_html_(self) -> str:
        heads = ("Event time", "Estimate", "Std. error", "Hypothesised path", "Mean after passing")
        rows = [
            [str(row[0]), *(number(float(value)) for value in row[1:])]
            for row in self.tidy().itertuples(index=False, name=None)
        ]
        design = self.design
        label = "" if design is None else design.outcome_label
        return card(
            grid(self._line("Power of the test before adoption", label), heads, rows, align="lrrrr"),
            paragraphs(_lines(self, width=10_000)),
            simulated=design is not None and design.simulated,
            source="" if design is None else design.source,
        )


def pre_trend_power(
    fit: Estimate | SavedEstimate | None = None,
    *,
    beta: ArrayLike | None = None,
    sigma: ArrayLike | None = None,
    n_pre: int | None = None,
    n_post: int | None = None,
    slope: float | None = None,
    path: Sequence[float] | NDArray[np.float64] | None = None,
    test: Literal["individual", "joint"] = "individual",
    level: float | None = None,
    df: float | None = None,
) -> PreTrendPower:
    r"""Compute the power of a pre-test, the slopes it could have found, and the bias of passing it.

    It assumes that coefficients are normal with known covariance. The individual test is passed where
    :math:`|\hat\beta_t| \le c\, s_t` for every t before the reference, c the two-sided critical value; the
    joint one where :math:`\hat\beta_{pre}'\Sigma_{pre}^{-1}\hat\beta_{pre}` is at most the quantile of
    :math:`\chi^2`. Probabilities of boxes are integrated, not drawn (to about 1e-8 with up to four
    coefficients before the reference, 1e-5 beyond).

    Parameters
    ----------
    fit, beta, sigma, n_pre, n_post
        A result with effects by event time, or arrays, as in `clsimpact.honest_did`.
    slope
        A linear difference in trends to look at, per period: :math:`\delta_t = slope \cdot (t - ref)`. By
        default the slope found with 50% power.
    path
        Instead: any difference in trends, one number for each event time in order, without reference.
    test
        ``"individual"`` (any coefficient significant) or ``"joint"`` (Wald).
    level
        1 less the level of each individual test, or of the joint one; by default that of the result, or 0.95.
    df
        Degrees of freedom of the individual tests' critical value; by default the least of the result's
        coefficients before adoption, infinite for arrays. With few adopters they widen the box.

    Returns
    -------
    PreTrendPower

    Raises
    ------
    DesignError
        As `clsimpact.honest_did`; a slope and a path, or a path of another length or with missing numbers;
        an unknown test.

    References
    ----------
    Roth (2022), doi 10.1257/aeri.20210236.

    Examples
    --------
    >>> from clsimpact.datasets import example_design
    >>> from clsimpact.estimators import event_study
    >>> pre_trend_power(event_study(example_design(), inference="CR1"))
    pre-trend power of lemp: slopes found with 50% and 80% power 0.0132 and 0.0198
    """
    if test not in TESTS:
        raise DesignError(
            f"test is {test!r}{did_you_mean(str(test), TESTS)}.", repair=f"Use one of {', '.join(TESTS)}."
        )
    arrays = [value is not None for value in (beta, sigma, n_pre, n_post)]
    if (fit is not None) == any(arrays):
        raise DesignError(
            "A result or arrays are needed, and not both.",
            repair="ci.pre_trend_power(fit), or ci.pre_trend_power(beta=, sigma=, n_pre=, n_post=).",
        )
    level = level_of(fit, level, "pre_trend_power")
    given = from_arrays(beta, sigma, n_pre, n_post) if fit is None else from_fit(fit)
    passes = _Test(given, test, level, _df(given, df))
    slopes = tuple(_slope(given, passes, target) for target in (0.5, 0.8))
    delta = _hypothesised(given, slope, path, slopes)
    return _found(given, passes, delta, slopes)


@dataclass(frozen=True)
class _Test:
    """A pre-test: how often it is passed, and what passing does to the mean."""

    path: Path
    name: str
    level: float
    df: float

    @property
    def _pre(self) -> Floats:
        n = self.path.n_pre
        return self.path.sigma[:n, :n]

    def _edge(self) -> Floats:
        half = 0.5 + self.level / 2
        critical = ndtri(half) if math.isinf(self.df) else stdtrit(self.df, half)
        return np.asarray(critical * np.sqrt(np.diag(self._pre)))

    def passed(self, before: Floats) -> float:
        """Return P(passed) where the coefficients before the reference have these means."""
        if self.name == "individual":
            edge = self._edge()
            return box_probability(before, self._pre, -edge, edge)
        distance = float(before @ np.linalg.solve(self._pre, before))
        return float(ncx2.cdf(chi2.ppf(self.level, len(before)), len(before), distance))

    def pull(self, before: Floats) -> Floats:
        """Return v: given that the test is passed, means move by cov(., before) v."""
        if self.name == "individual":
            edge = self._edge()
            return box_pull(before, self._pre, -edge, edge)
        solved = np.linalg.solve(self._pre, before)
        cut, n, distance = chi2.ppf(self.level, len(before)), len(before), float(before @ solved)
        share = ncx2.cdf(cut, n + 2, distance) / ncx2.cdf(cut, n, distance)
        return np.asarray((share - 1) * solved)


def _df(path: Path, df: float | None) -> float:
    if df is None:
        if path.fit is None:
            return math.inf
        events = {term.event_time: i for i, term in enumerate(path.fit.terms)}
        least = [path.fit.vcov.df[events[time]] for time in path.times[: path.n_pre]]
        found = float(np.nanmin(least))
        return found if found > 0 else math.inf
    if isinstance(df, str) or not df > 0:
        raise DesignError(f"df is {df!r}: a number above 0 is needed.", repair="math.inf is the normal.")
    return float(df)


def _line(path: Path) -> Floats:
    """Return periods since the reference."""
    return np.array(path.times, dtype=float) - path.reference


def _slope(path: Path, test: _Test, target: float) -> float:
    """Return the slope that is found with a given power."""
    line = _line(path)[: path.n_pre]
    unit = float((np.sqrt(np.diag(path.sigma))[: path.n_pre] / np.abs(line)).min())

    def gap(multiple: float) -> float:
        return 1 - test.passed(multiple * unit * line) - target

    if gap(0.0) >= 0:
        return math.nan
    top = 1.0
    while gap(top) < 0 and top < STEEPEST:
        top *= 2
    return float(brentq(gap, 0.0, top, xtol=FOUND, rtol=FOUND)) * unit


def _hypothesised(
    given: Path, slope: float | None, path: Sequence[float] | Floats | None, slopes: Sequence[float]
) -> Floats:
    if path is not None and slope is not None:
        raise DesignError("A slope and a path are given.", repair="Give one of them.")
    if path is not None:
        try:
            values = np.array(path, dtype=float)
        except (TypeError, ValueError):
            raise DesignError("path is not an array of numbers.", repair="Pass numbers only.") from None
        if values.shape != given.beta.shape or not np.isfinite(values).all():
            raise DesignError(
                f"path has shape {values.shape}: {plural(len(given.beta), 'finite number')} needed.",
                repair=f"Give one for each event time: {list_some(given.times, 30)}.",
            )
        return values
    if slope is not None and (isinstance(slope, str) or not math.isfinite(slope)):
        raise DesignError(f"slope is {slope!r}: a finite number is needed.", repair="Use slope=0.01, say.")
    chosen = slope if slope is not None else next((s for s in slopes if math.isfinite(s)), 0.0)
    return chosen * _line(given)


def _found(path: Path, test: _Test, delta: Floats, slopes: Sequence[float]) -> PreTrendPower:
    n = path.n_pre
    zero = np.zeros(n)
    passed, passed_zero = test.passed(delta[:n]), test.passed(zero)
    beta, solved = path.beta[:n], np.linalg.solve(path.sigma[:n, :n], delta[:n])
    moved = path.sigma[:, :n] @ test.pull(delta[:n]) if passed > 0 else np.full(len(delta), math.nan)
    return PreTrendPower(
        test=test.name,
        level=test.level,
        slope_50=slopes[0],
        slope_80=slopes[1],
        size=1 - passed_zero,
        power=1 - passed,
        bayes_factor=passed / passed_zero,
        likelihood_ratio=math.exp((beta - 0.5 * delta[:n]) @ solved),
        hypothesised=delta,
        after_passing=delta + moved,
        path=path,
    )


def _lines(found: PreTrendPower, *, width: int = 108) -> list[str]:
    """Return the words."""
    design, path = found.design, found.path
    per = "" if design is None or not unit_text(design) else f" {unit_text(design)}"
    what = (
        f"any of {plural(path.n_pre, 'coefficient')} before adoption significant"
        if found.test == "individual"
        else f"Wald test of {plural(path.n_pre, 'coefficient')} before adoption"
    )
    lines = [f"Power of a pre-trend test: {what}, at {100 * (1 - found.level):.3g}%"]
    if design is not None and path.fit is not None:
        lines.append(f"Sample: {sample_words(design)}; {path.fit.estimator}, {design.outcome_label}")
    lines.append(f"Path: event times {list_some(path.times, 20)}; reference {path.reference}")
    lines.append(_slopes_words(found, per))
    lines.append(f"Parallel trends are rejected {100 * found.size:.3g}% of the time.")
    lines.append(
        f"The hypothesised path is rejected {100 * found.power:.3g}% of the time; passing is "
        f"{number(found.bayes_factor)} times as likely under it as under parallel trends. The "
        f"coefficients seen are {number(found.likelihood_ratio)} times as likely."
    )
    post = [i for i, time in enumerate(path.times) if time >= 0]
    bias, given = found.hypothesised[post].mean(), found.after_passing[post].mean()
    lines.append(
        f"It biases the average effect by {number(float(bias))}{per}; among analyses that pass the test by "
        f"{number(float(given))}{per}."
    )
    lines += path.notes
    return [part for line in lines for part in textwrap.wrap(line, width)]


def _slopes_words(found: PreTrendPower, per: str) -> str:
    if math.isnan(found.slope_50):
        return (
            f"Parallel trends are rejected {100 * found.size:.3g}% of the time, so no slope is found with "
            "50% power only."
        )
    high = "no slope" if math.isnan(found.slope_80) else f"{number(found.slope_80)}{per} a period"
    low = f"{number(found.slope_50)}{per} a period"
    return f"A linear difference in trends is found with 50% power at {low}, with 80% at {high}."
