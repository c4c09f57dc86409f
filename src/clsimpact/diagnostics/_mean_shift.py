r"""The mean change of adopters at adoption, net of units that do not adopt: arrays in, arrays out.

Jumps of single units (`_breaks`) miss a change that many adopters share, each by less than a jump. With
:math:`c_{ig}` the mean of up to ``window`` periods from g on less that of up to two before it, and
:math:`n_g` adopters of cohort g,

.. math:: M = \sum_g \frac{n_g}{\sum_h n_h} \big( \bar c_{g,\text{own}} - \bar c_{g,\text{others}} \big) .

It is divided by its standard error (variances of adopters and of others apart) and compared with its values
when dates are re-assigned to random units (studentised, as in Janssen 1997), over all series together.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clsimpact.inference.multiplicity import max_t

__all__ = ["MeanShift", "mean_shifts"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

BEFORE = 2
"""Periods before adoption that the level afterwards is held against, as for shifts of single units."""

FEWEST = 3
"""Adopters, and others, that a mean with an error needs."""

INTERVAL = 0.95


@dataclass(frozen=True)
class MeanShift:
    """Mean change of adopters in one series, its 95% interval, and a p-value adjusted for all series."""

    estimate: float
    low: float
    high: float
    p_value: float

    @property
    def largest(self) -> float:
        """The largest change that the interval does not rule out; NaN where there is none."""
        return max(abs(self.low), abs(self.high)) if np.isfinite(self.low) else float("nan")


def mean_shifts(
    series: Sequence[Floats], periods: Floats, cohorts: Floats, *, window: int, draws: int, seed: int
) -> tuple[MeanShift, ...]:
    """Return the mean change of adopters in each series (N, T), with re-assigned dates beside it.

    Examples
    --------
    >>> x = np.random.default_rng(1).normal(size=(60, 5)) / 10
    >>> x[:12, 2:] += 1
    >>> cohorts = np.where(np.arange(60) < 12, 2.0, np.nan)
    >>> found = mean_shifts([x], np.arange(5.0), cohorts, window=3, draws=199, seed=1)[0]
    >>> round(found.estimate, 1), found.p_value, found.low > 0.8
    (1.0, 0.005, True)
    """
    adopts = np.isfinite(cohorts)
    dates, group = np.unique(cohorts[adopts], return_inverse=True)
    labels = np.full(cohorts.size, -1)
    labels[adopts] = group
    moved = np.random.default_rng(seed).permuted(np.tile(labels, (draws, 1)), axis=1)
    changes = [_changes(values, periods, dates, window) for values in series]
    own = np.array([_mean(change, labels) for change in changes])
    drawn = np.array([[_t(*_mean(change, row)) for change in changes] for row in moved])
    drawn = np.nan_to_num(np.abs(drawn), nan=np.inf)
    observed = np.array([_t(*pair) for pair in own])
    adjusted = np.full(len(series), np.nan)
    known = np.isfinite(observed)
    if known.any():
        adjusted[known] = max_t(observed[known], drawn[:, known])
    return tuple(
        _shift(float(mean), float(error), drawn[:, k], float(adjusted[k]))
        for k, (mean, error) in enumerate(own)
    )


def _shift(estimate: float, error: float, statistics: Floats, p_value: float) -> MeanShift:
    reach = float(np.quantile(statistics, INTERVAL, method="higher")) * error if error > 0 else np.nan
    return MeanShift(estimate, estimate - reach, estimate + reach, p_value)


def _changes(values: Floats, periods: Floats, dates: Floats, window: int) -> Floats:
    """Change of every unit at every date (N, G), NaN where it has no figure on both sides."""
    out = np.full((len(values), dates.size), np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        for g, date in enumerate(dates):
            after = (periods >= date) & (periods < date + window)
            before = np.flatnonzero(periods < date)[-BEFORE:]
            if after.any() and before.size:
                out[:, g] = np.nanmean(values[:, after], axis=1) - np.nanmean(values[:, before], axis=1)
    return out


def _mean(changes: Floats, labels: Ints) -> tuple[float, float]:
    """Mean change of adopters net of the others, and its standard error; NaN where there are too few."""
    there = np.isfinite(changes)
    units = np.arange(labels.size)
    mine = (labels >= 0) & there[units, np.maximum(labels, 0)]
    others = (labels < 0)[:, None] & there
    usual = np.where(others, changes, 0.0).sum(axis=0) / np.maximum(others.sum(axis=0), 1)
    share = np.bincount(labels[mine], minlength=changes.shape[1]) / max(mine.sum(), 1)
    if mine.sum() < FEWEST or (others.sum(axis=0)[share > 0] < FEWEST).any():
        return float("nan"), float("nan")
    own = changes[units, np.maximum(labels, 0)][mine] - usual[labels[mine]]
    each = np.where(others, (changes - usual) * share / np.maximum(others.sum(axis=0), 1), 0.0).sum(axis=1)
    return float(own.mean()), float(np.sqrt(own.var(ddof=1) / own.size + (each**2).sum()))


def _t(estimate: float, error: float) -> float:
    return estimate / error if error > 0 else float("nan")
