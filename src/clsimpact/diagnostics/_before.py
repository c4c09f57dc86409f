"""The terms before adoption together: their joint test, and what a trend of adopters would look like in them.

A linear trend of adopters, one unit of the outcome a period, is put through the estimator itself: what comes
out is the trend in each term (whatever the reference and the gaps) and, in the overall effect, the bias that
the trend would cause. The distribution of the statistics is that of the joint test: draws under no effect.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import chi2

from clsimpact import _auto, _joint
from clsimpact._again import asked_again
from clsimpact.design import Design
from clsimpact.diagnostics._precision import FOUND
from clsimpact.diagnostics.setting import effect_of
from clsimpact.errors import ClsimpactWarning, DesignError
from clsimpact.estimators.event_study import event_study
from clsimpact.inference.multiplicity import critical_values
from clsimpact.results import Estimate

__all__ = ["Before", "before_of", "path_of", "seen_before", "trend_through"]

Floats = NDArray[np.float64]

FURTHEST = 1e6
"""Slopes beyond this many standard errors of a term a period are not looked for."""


def path_of(fit: Estimate) -> Estimate:
    """Return the result by event time; an event study of the same design for an estimator of one effect.

    Raises
    ------
    DesignError
        If the design has no path.
    """
    if any(t.event_time is not None and t.cohort is None for t in fit.terms):
        return fit
    if fit.aggregator is None:
        return event_study(fit.design, inference="CR0")
    return fit.aggregate("dynamic")


def trend_through(fit: Estimate) -> tuple[Floats, float]:
    """Return what a trend of one unit a period among adopters adds to each term and to the overall effect."""
    design = fit.design
    again = asked_again(fit)
    steps = np.where(design.in_window[design.unit_codes], np.nan_to_num(design.event_time), 0.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ClsimpactWarning)
        found = again(design.with_outcome(steps))
    return np.where(found.identified, found.estimates, 0.0), effect_of(found).estimate


@dataclass(frozen=True, eq=False)
class Before:
    """Terms before adoption (m) with the draws of their joint test.

    Attributes
    ----------
    names : tuple of str
    estimates, errors, df, trend : float arrays (m)
        ``df``: degrees of freedom of the errors; ``trend``: what a trend of one unit a period adds to each.
    bias : float
        What it adds to the overall effect.
    draws : float array (B, m)
        Statistics under no effect.
    level : float
    p_value : float
        Of the joint test.
    left_out : str
        Terms that could not be tested, and why.
    """

    names: tuple[str, ...]
    estimates: Floats
    errors: Floats
    df: Floats
    trend: Floats
    bias: float
    draws: Floats
    level: float
    p_value: float
    left_out: str

    @cached_property
    def critical(self) -> Floats:
        """Critical value of each term (m): balanced, so that each is as likely as any other to be beyond."""
        return critical_values(self.draws, self.level, balanced=True)

    @cached_property
    def shifts(self) -> Floats:
        """What a trend of one unit a period adds to the statistics of each draw (B, m).

        Errors vary from sample to sample like the root of chi-squared over its degrees of freedom, those of
        all terms together.
        """
        places = np.random.default_rng(0).permutation((np.arange(len(self.draws)) + 0.5) / len(self.draws))
        spread = np.sqrt(chi2.ppf(places[:, None], self.df) / self.df)
        return np.asarray(self.trend / (self.errors * spread))

    def power(self, slope: float) -> float:
        """Share of samples in which the joint test rejects if adopters have a trend of ``slope`` a period."""
        moved = np.abs(self.draws + slope * self.shifts)
        return float((moved > self.critical).any(axis=1).mean())

    def detectable(self, power: float) -> float:
        """Return the least slope that is seen with this power; NaN where no trend can be seen."""
        scale = float(np.max(np.abs(self.trend) / self.errors))
        if scale <= 0:
            return np.nan
        high = 1.0
        while self.power(high / scale) < power:
            high *= 2
            if high > FURTHEST:
                return np.nan
        return float(brentq(lambda x: self.power(x / scale) - power, 0.0, high, xtol=FOUND)) / scale

    def slope_weights(self) -> dict[str, float]:
        """Weights of the terms in the slope of the line through them and the reference (least squares)."""
        total = float(self.trend @ self.trend)
        return {name: float(h / total) for name, h in zip(self.names, self.trend, strict=True)}


def before_of(fit: Estimate) -> Before:
    """Collect the terms before adoption of a path and the draws of their joint test.

    Raises
    ------
    DesignError
        If no joint test was seen to hold for this design, or no term is left to test.
    """
    if why := _auto.no_joint_words(fit, "before"):
        raise DesignError(f"No joint test of the terms before adoption: {why}.", repair="Look at fit.tidy().")
    chosen = _joint.choose(fit, "before")
    if fit.procedure is None:
        matrix = fit.vcov.matrix[np.ix_(chosen.at, chosen.at)]
        draws = _joint.simulated(matrix, float(np.nanmin(fit.vcov.df[chosen.at])))
        errors = np.sqrt(np.diag(matrix))
    else:
        _, draws, errors = _joint.statistics_of(fit, fit.procedure.run.about_zero, chosen.at)
    trend, bias = trend_through(fit)
    return Before(
        tuple(fit.terms[i].name for i in chosen.at),
        fit.estimates[chosen.at],
        errors,
        fit.vcov.df[chosen.at],
        trend[chosen.at],
        bias,
        np.nan_to_num(draws, nan=np.inf),
        fit.level,
        float(fit.joint_test("before", statistic="balanced")["p_value"].iloc[0]),
        chosen.left_out,
    )


def seen_before(design: Design) -> list[int]:
    """Return the adopters (positions) that are seen in two periods or more before they adopt."""
    rows = ~design.treated & design.in_window[design.unit_codes]
    counts = np.bincount(design.unit_codes[rows], minlength=len(design.units))
    return [int(i) for i in np.flatnonzero(counts >= 2)]
