r"""Arrays of the precision check: variance of an estimate from untreated outcomes, and what it can detect.

An estimate that is linear in the outcomes is :math:`\hat\theta = \sum_i v_i'y_i`, with weights that sum to
zero over the periods of each unit. With the *variogram* of untreated outcomes,
:math:`D_{st} = \operatorname{Var}(y_{is} - y_{it})` over units,

.. math:: \operatorname{Var}(\hat\theta) = \sum_i v_i'Sv_i = -\tfrac12 \sum_i \sum_{s,t} v_{is}v_{it}D_{st},

which is the exact variance under random assignment of the adoption dates to the units that D is taken from
(the weights also sum to zero over units). D needs pairs of periods only, so that units that are observed in
some periods count where they are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq, nnls
from scipy.special import ndtr
from scipy.stats import chi2, t

__all__ = ["Spread", "detectable", "power_of", "smooth", "smoothed", "spread_of", "variance"]

Floats = NDArray[np.float64]

LARGEST = 200.0
"""Effects are looked for up to so many standard deviations: the t distribution with 1 degree of freedom needs
60 for 80% power."""

FOUND = 1e-6
"""Part of a standard error to which the effect or trend of a given power is found: three digits are shown."""

_MIDDLE = (np.arange(2000) + 0.5) / 2000
"""Where the distribution of a standard error is looked at; power is then known to four digits."""


@dataclass(frozen=True)
class Spread:
    """How untreated outcomes vary between two periods.

    Attributes
    ----------
    variogram : float array (T, T)
        Variance over units of the difference between two periods; NaN where too few units show both.
    pairs : integer array (T, T)
        Units behind each number.
    """

    variogram: Floats
    pairs: NDArray[np.int64]


def spread_of(outcomes: Floats, least: int) -> Spread:
    """Return the variogram of untreated outcomes (N, T), NaN where there is none.

    Examples
    --------
    >>> y = np.array([[0.0, 1.0], [0.0, 3.0], [5.0, 10.0], [1.0, np.nan]])
    >>> found = spread_of(y, 2)
    >>> found.variogram.tolist(), found.pairs[0, 1].item()
    ([[0.0, 4.0], [4.0, 0.0]], 3)
    """
    n_periods = outcomes.shape[1]
    variogram = np.zeros((n_periods, n_periods))
    pairs = np.zeros((n_periods, n_periods), dtype=np.int64)
    for s in range(n_periods):
        difference = outcomes - outcomes[:, [s]]
        pairs[s] = np.isfinite(difference).sum(axis=0)
        enough = pairs[s] >= least
        variogram[s, ~enough] = np.nan
        variogram[s, enough] = np.nanvar(difference[:, enough], axis=0, ddof=1)
    np.fill_diagonal(variogram, 0.0)
    return Spread(variogram, pairs)


def variance(weights: Floats, variogram: Floats) -> float:
    """Variance of an estimate with weights (N, T); NaN where it needs a pair of periods without a number.

    Examples
    --------
    >>> variance(np.array([[-1.0, 1.0]]), np.array([[0.0, 4.0], [4.0, 0.0]]))
    4.0
    """
    products = weights.T @ weights
    needed = np.abs(products) > 0
    if np.isnan(variogram[needed]).any():
        return float("nan")
    return float(max(-0.5 * (products * np.where(needed, variogram, 0.0)).sum(), 0.0))


def smooth(spread: Spread, periods: Floats) -> tuple[float, float]:
    """Fit the variogram by a + b·(years between): nugget and drift, neither negative.

    Examples
    --------
    >>> lags = np.abs(np.subtract.outer(np.arange(4.0), np.arange(4.0)))
    >>> made = np.where(lags > 0, 2 + 0.5 * lags, 0.0)
    >>> [round(part, 6) for part in smooth(Spread(made, np.full((4, 4), 9)), np.arange(4.0))]
    [2.0, 0.5]
    """
    first, second = np.triu_indices(periods.size, 1)
    known = np.isfinite(spread.variogram[first, second])
    lags = np.abs(periods[first] - periods[second])[known]
    root = np.sqrt(spread.pairs[first, second][known].astype(float))
    columns = np.column_stack([root, root * lags])
    found, _ = nnls(columns, root * spread.variogram[first, second][known])
    return float(found[0]), float(found[1])


def smoothed(parts: tuple[float, float], periods: Floats) -> Floats:
    """Return the variogram of a nugget and a drift for any periods (T, T)."""
    lags = np.abs(np.subtract.outer(periods, periods))
    return np.asarray(np.where(lags > 0, parts[0] + parts[1] * lags, 0.0))


def power_of(ratio: float, df: float, level: float) -> float:
    r"""Power of a two-sided t test where the effect is ``ratio`` standard deviations.

    Mean of :math:`\Phi(\delta - cs) + \Phi(-\delta - cs)` over the distribution of the standard error s, a
    noncentral t probability (scipy's own fails for large effects and few degrees of freedom).

    Examples
    --------
    >>> round(power_of(2.8016, 1e9, 0.95), 3), round(power_of(0.0, 5, 0.95), 3)
    (0.8, 0.05)
    """
    return _power(ratio, *_errors(df, level))


def _errors(df: float, level: float) -> tuple[Floats, float]:
    """Return standard errors over their expectation, evenly in probability, and the critical value."""
    return np.sqrt(chi2.ppf(_MIDDLE, df) / df), float(t.ppf((1 + level) / 2, df))


def _power(ratio: float, error: Floats, critical: float) -> float:
    return float((ndtr(ratio - critical * error) + ndtr(-ratio - critical * error)).mean())


def detectable(power: float, df: float, level: float) -> float:
    """Effect, in standard deviations of the estimate, that a t test finds with a given power.

    Examples
    --------
    With few adopters the factor of 2.8 that textbooks print is too small:

    >>> round(detectable(0.8, 1e9, 0.95), 2), round(detectable(0.8, 4, 0.95), 2)
    (2.8, 3.76)
    """
    if not np.isfinite(df) or df <= 0:
        return float("nan")
    error, critical = _errors(df, level)
    return float(brentq(lambda ratio: _power(ratio, error, critical) - power, 0.0, LARGEST, xtol=FOUND))
