r"""Level shifts of single units: arrays in, arrays out.

For unit i and period s the shift is the mean of up to two periods from s on less that of up to two before it,
net of the median shift of all units in s. It is divided by the spread of shifts in s over units (median
absolute deviation) and by how much the unit varies from year to year compared with others,

.. math:: z_{is} = \frac{L_{is} - \operatorname{med}_j L_{js}}{\sigma_s f_{is}}, \qquad
          f_{is}^2 = \frac{d_0 + m_{is} r_{is}^2}{d_0 + m_{is}} ,

with :math:`r_{is}` the median size of the unit's other year-to-year changes (those into s left out), again
over its median for all units, and :math:`m_{is}` their number: a unit with few years borrows the variation of
the others (as moderated t statistics do, Smyth 2004). Tails are taken from the data: the t distribution whose
ratios of the 95% and 99% to the 50% quantile of :math:`|z|` are the observed ones, the heavier of the two. A
break is named where its p-value under that distribution, times the number of unit-periods looked at, is below
5% (Bonferroni). Jumps of adopters are counted (`coincidence`) and compared with re-assigned adoption.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import t

__all__ = ["FEWEST_UNITS", "LEVEL", "Coincidence", "Shifts", "coincidence", "shifts", "tail_df"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

NORMAL = 1.4826
"""Standard deviation of a normal over its median absolute deviation."""

PRIOR = 4.0
"""Years of a unit's own variation that the variation of all others counts for."""

FEWEST_UNITS = 20
"""Units that must show a shift in a period for the spread of shifts to be known."""

LEVEL = 0.05

TAILS = (0.95, 0.99)

SMALLEST_DF, LARGEST_DF = 2.0, 200.0


@dataclass(frozen=True)
class Shifts:
    """Shifts of one series.

    Attributes
    ----------
    size : float array (N, T)
        Shift net of the usual one, in the unit of the series; NaN where it cannot be seen.
    z : float array (N, T)
        Standardised.
    scale : float array (N, T)
        What it was divided by.
    """

    size: Floats
    z: Floats
    scale: Floats


def shifts(values: Floats) -> Shifts:
    """Return the shifts of a series (N, T), NaN where there is no figure.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> x = rng.normal(size=(100, 8)) / 10
    >>> x[3, 5:] += 2
    >>> found = shifts(x)
    >>> [int(i) for i in np.unravel_index(np.nanargmax(np.abs(found.z)), found.z.shape)]
    [3, 5]
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        raw = _raw(values)
        known = np.isfinite(raw)
        raw[:, known.sum(axis=0) < FEWEST_UNITS] = np.nan
        size = raw - np.nanmedian(raw, axis=0)
        spread = NORMAL * np.nanmedian(np.abs(size), axis=0)
        spread = np.where(spread > 0, spread, np.nan)
        scale = spread * _factors(values)
    scale = np.where(np.isfinite(size), scale, np.nan)
    return Shifts(size, size / scale, scale)


def _raw(values: Floats) -> Floats:
    """Mean of up to two figures from each period on, less that of up to two before it (N, T)."""
    out = np.full(values.shape, np.nan)
    last = values.shape[1]
    for s in range(1, last):
        before = np.nanmean(values[:, max(s - 2, 0) : s], axis=1)
        after = np.nanmean(values[:, s : min(s + 2, last)], axis=1)
        there = np.isfinite(values[:, s]) & np.isfinite(values[:, s - 1])
        out[there, s] = (after - before)[there]
    return out


def _factors(values: Floats) -> Floats:
    """Variation of each unit from year to year over that of others, the change into s left out (N, T)."""
    change = np.full(values.shape, np.nan)
    change[:, 1:] = np.diff(values, axis=1)
    change -= np.nanmedian(change, axis=0)
    change /= NORMAL * np.nanmedian(np.abs(change), axis=0)
    change[~np.isfinite(change)] = np.nan
    out = np.empty(values.shape)
    for s in range(values.shape[1]):
        others = np.delete(np.abs(change), s, axis=1)
        count = np.isfinite(others).sum(axis=1)
        own = NORMAL * np.where(count > 0, np.nanmedian(others, axis=1), 1.0)
        out[:, s] = np.sqrt((PRIOR + count * own**2) / (PRIOR + count))
    return out


def tail_df(z: Floats) -> tuple[float, float]:
    """Degrees of freedom and scale of the t distribution that ``|z|`` follows beyond its middle.

    The heavier tail of those that the 95% and the 99% quantile ask for: an estimate from one alone lets the
    far tail be too thin.

    Examples
    --------
    >>> z = t.ppf((np.arange(4000) + 0.5) / 4000, 5)
    >>> [round(part, 1) for part in tail_df(z)]
    [5.0, 1.0]
    """
    size = np.abs(z[np.isfinite(z)])
    middle, *far = np.quantile(size, (0.5, *TAILS))
    df = min(_df_of(float(high / middle), share) for high, share in zip(far, TAILS, strict=True))
    return df, float(max(high / t.ppf((1 + share) / 2, df) for high, share in zip(far, TAILS, strict=True)))


def _df_of(ratio: float, share: float) -> float:
    """Degrees of freedom at which a quantile of ``|t|`` is ``ratio`` times the median."""

    def gap(log_df: float) -> float:
        df = np.exp(log_df)
        return float(t.ppf((1 + share) / 2, df) / t.ppf(0.75, df) - ratio)

    low, top = np.log(SMALLEST_DF), np.log(LARGEST_DF)
    if gap(low) <= 0:
        return SMALLEST_DF
    return LARGEST_DF if gap(top) >= 0 else float(np.exp(brentq(gap, low, top)))


@dataclass(frozen=True)
class Coincidence:
    """Jumps soon after adoption, beside those under re-assigned dates.

    Attributes
    ----------
    jumping : integer array
        Adopters that jump then, by position.
    observed : int
        Adopters with a period then.
    expected : float
        How many jump with dates re-assigned to random units, on average.
    p_value : float
        How often as many or more do.
    needed : int
        Adopters that would have had to jump for a p-value below 5%.
    """

    jumping: NDArray[np.int64]
    observed: int
    expected: float
    p_value: float
    needed: int


def coincidence(
    jumps: Bools, periods: Floats, cohorts: Floats, *, window: int, draws: int, seed: int
) -> Coincidence:
    """Compare adopters that jump within ``window`` periods from adoption on with re-assigned dates.

    Examples
    --------
    >>> jumps = np.zeros((60, 5), dtype=bool)
    >>> jumps[:6, 2] = True
    >>> cohorts = np.where(np.arange(60) < 6, 2.0, np.nan)
    >>> found = coincidence(jumps, np.arange(5.0), cohorts, window=2, draws=199, seed=1)
    >>> found.jumping.size, found.observed, found.p_value
    (6, 6, 0.005)
    """
    adopts = np.isfinite(cohorts)
    dates, group = np.unique(cohorts[adopts], return_inverse=True)
    since = periods[None, :] - dates[:, None]
    inside: Bools = (since >= 0) & (since < window)
    hit: Bools = np.asarray((jumps[:, None, :] & inside[None]).any(axis=2))
    labels = np.full(len(jumps), -1)
    labels[adopts] = group
    moved = np.random.default_rng(seed).permuted(np.tile(labels, (draws, 1)), axis=1)
    units = np.arange(len(jumps))
    counts = np.where(moved >= 0, hit[units, np.maximum(moved, 0)], False).sum(axis=1)
    own = np.flatnonzero(adopts & hit[units, np.maximum(labels, 0)])
    observed = int(inside[group].any(axis=1).sum())
    rates = [(1 + int((counts >= k).sum())) / (1 + draws) for k in range(adopts.sum() + 2)]
    needed = next((k for k, rate in enumerate(rates) if rate < LEVEL), len(rates))
    return Coincidence(own.astype(np.int64), observed, float(counts.mean()), rates[own.size], needed)
