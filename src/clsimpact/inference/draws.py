r"""What draws say: p-values, critical values, and intervals by test inversion.

Draw b gives a statistic :math:`t^*_b(\delta)` of the hypothesis that the effect lies :math:`\delta` below the
estimate. Where the null is not imposed it does not depend on :math:`\delta`. Where it is imposed the outcomes
of the draw move with :math:`\delta` along one line, so that

.. math:: t^*_b(\delta) = \frac{N_{0b} + \delta N_{1b}}{\sqrt{V_{0b} + 2\delta V_{1b} + \delta^2 V_{2b}}},
          \qquad t(\delta) = \delta / \mathrm{se},

and the interval holds every effect whose p-value is above 1 - level. The p-value counts draws at least as
large as what was observed, and what was observed itself: :math:`(1 + \#) / (1 + B)`. Where all outcomes of
the randomisation were enumerated, what was observed is one of them: :math:`\# / B`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Drawn", "Line", "critical", "p_value", "rank_of", "settled"]

Floats = NDArray[np.float64]

TIES = 1e-9
"""Statistics that differ by less than this share are one value: equal ones differ by about 1e-14.

Of a million draws the nearest to a statistic that is not it lies about 1e-6 away."""

FAR = 1e6
"""An interval that reaches this many standard errors is open: nothing so far away was ruled out."""

CLOSE = 1e-9
"""The ends of intervals are found to this share of a standard error.

Rounding leaves 1e-14; ends are compared with those of refits to 1e-7, and shown to three digits."""

FLAT = 1e-12
"""A shift whose variance is below this share of the largest has none: the difference is rounding error.

Rounding leaves 1e-16; a draw that exchanges one adopter among a million leaves 1e-6."""


def p_value(draws: Floats, observed: Floats, *, enumerated: bool = False) -> Floats:
    """Share of draws (B, ...) at least as large in absolute value as ``observed`` (...).

    Examples
    --------
    >>> float(p_value(np.array([0.5, -2.0, 1.0]), np.array(1.5)))
    0.5
    >>> float(p_value(np.array([0.5, -2.0, 1.0, 1.5]), np.array(1.5), enumerated=True))
    0.5
    """
    count = (np.abs(draws) >= np.abs(observed) * (1 - TIES)).sum(axis=0)
    extra = 0 if enumerated else 1
    found = (count + extra) / (len(draws) + extra)
    return np.where(np.isfinite(observed), found, np.nan)


def rank_of(n: int, level: float, *, enumerated: bool = False) -> int:
    """Return k: an absolute value is ruled out where fewer than k of n draws are as large; 0 if none can be.

    Examples
    --------
    >>> rank_of(999, 0.95), rank_of(10, 0.95)
    (50, 0)
    """
    extra = 0 if enumerated else 1
    return int(np.floor((1 - level) * (n + extra) * (1 + TIES))) + (1 - extra)


def critical(draws: Floats, level: float, *, enumerated: bool = False) -> Floats:
    """Critical value of absolute statistics (B, ...): infinite where there are too few draws.

    Examples
    --------
    >>> float(critical(np.arange(1.0, 20.0), 0.95))
    19.0
    """
    k = rank_of(len(draws), level, enumerated=enumerated)
    if k == 0 or k > len(draws):
        return np.full(draws.shape[1:], np.inf)
    at = len(draws) - k
    whole = np.where(np.isnan(draws), np.inf, np.abs(draws))
    return np.asarray(np.partition(whole, at, axis=0)[at])


def settled(v1: Floats, v2: Floats) -> tuple[Floats, Floats]:
    """Return the coefficients of the variance with zeros where a draw leaves the shift as it is.

    That is the draw of what was observed (and its mirror image): far from the estimate rounding errors in its
    variance, times the square of the distance, would tell it from the observed statistic.

    Examples
    --------
    >>> [part.tolist() for part in settled(np.array([1e-17, 0.1]), np.array([1e-16, 2.0]))]
    [[0.0, 0.1], [0.0, 2.0]]
    """
    flat = ~(v2 > FLAT * np.nan_to_num(v2).max(initial=0.0))
    return np.where(flat, 0.0, v1), np.where(flat, 0.0, v2)


@dataclass(frozen=True)
class Line:
    r"""Statistics of draws along :math:`\delta`, for one number (all arrays (B)).

    ``n0, n1`` are the numerators without and per unit of :math:`\delta`; ``v0, v1, v2`` the coefficients of
    the variance. Units: :math:`\delta` is in standard errors, so that the observed statistic is
    :math:`\delta` itself.

    Examples
    --------
    >>> draws = np.linspace(-3, 3, 99)
    >>> one = np.ones(99)
    >>> line = Line(draws, 0 * one, one, 0 * one, 0 * one)
    >>> tuple(round(end, 3) for end in line.interval(0.9))
    (-2.755, 2.755)
    """

    n0: Floats
    n1: Floats
    v0: Floats
    v1: Floats
    v2: Floats
    enumerated: bool = False

    def at(self, delta: float) -> Floats:
        """Statistics of the draws at one hypothesis (B)."""
        variance = self.v0 + delta * (2 * self.v1 + delta * self.v2)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray((self.n0 + delta * self.n1) / np.sqrt(variance))

    def p_value(self, delta: float) -> float:
        """p-value of the hypothesis ``delta`` standard errors below the estimate."""
        found = np.nan_to_num(self.at(delta), nan=np.inf)
        return float(p_value(found, np.array(delta), enumerated=self.enumerated))

    def interval(self, level: float) -> tuple[float, float]:
        """Return the two ends, in standard errors from the estimate (the lower is negative)."""
        return -self._end(level, 1.0), self._end(level, -1.0)

    def one_sided(self, delta: float, side: float) -> float:
        """p-value of the hypothesis ``delta`` below the estimate against larger (1) or smaller (-1) effects.

        Examples
        --------
        >>> draws, one = np.linspace(-3, 3, 99), np.ones(99)
        >>> line = Line(draws, 0 * one, one, 0 * one, 0 * one)
        >>> line.one_sided(2.0, 1.0), line.one_sided(2.0, -1.0)
        (0.18, 0.83)
        """
        found = np.nan_to_num(side * self.at(delta), nan=np.inf)
        count = int((found >= side * delta - TIES * abs(delta)).sum())
        extra = 0 if self.enumerated else 1
        return (count + extra) / (len(found) + extra)

    def reach(self, level: float, side: float) -> float:
        """Return how far below the estimate (1), or above it (-1), one-sided hypotheses are not rejected."""
        return self._end(level, side, one_sided=True)

    def _end(self, level: float, side: float, *, one_sided: bool = False) -> float:
        """Return how far hypotheses on one side of the estimate go on not being rejected."""
        from scipy.optimize import brentq

        def excess(far: float) -> float:
            values = self.at(side * far)
            if one_sided:
                values = np.maximum(side * values, 0.0)
            edge = float(critical(values, level, enumerated=self.enumerated))
            return min(edge, 10 * FAR) - far * (1 - TIES)

        high = 4.0
        while excess(high) > 0:
            high *= 4.0
            if high > FAR:
                return np.inf
        return float(brentq(excess, 0.0, high, xtol=CLOSE, rtol=CLOSE))


@dataclass(frozen=True)
class Drawn:
    """What draws gave for p numbers.

    Attributes
    ----------
    estimates, errors : float arrays (p)
        What was observed; errors are one where statistics are not studentised.
    statistics : float array (B, p)
        Statistics of the draws: about zero where the null is not imposed, else those of no effect.
    lines : tuple of Line
        One per number where the null is imposed: statistics at every hypothesis.
    enumerated : bool
        The draws are everything that could have been drawn, once each.
    count : int
        How many different draws there are.

    Examples
    --------
    >>> one = Drawn(np.array([4.0]), np.array([2.0]), np.arange(1.0, 20.0)[:, None] / 8, (), False, 10**6)
    >>> one.p_values().tolist(), one.intervals(0.9)[0].tolist()
    ([0.25], [-0.5])
    """

    estimates: Floats
    errors: Floats
    statistics: Floats
    lines: tuple[Line, ...]
    enumerated: bool
    count: int

    @property
    def observed(self) -> Floats:
        """Statistics of no effect, as observed (p)."""
        return np.asarray(self.estimates / self.errors)

    @property
    def exact(self) -> bool:
        """What was observed is among the draws: all of them are there, with the null imposed."""
        return self.enumerated and bool(self.lines)

    def p_values(self) -> Floats:
        """p-values of no effect (p)."""
        if self.lines:
            found = zip(self.lines, self.observed, strict=True)
            return np.array([line.p_value(t) if np.isfinite(t) else np.nan for line, t in found])
        return p_value(np.nan_to_num(self.statistics, nan=np.inf), self.observed)

    def intervals(self, level: float) -> tuple[Floats, Floats]:
        """Lower and upper ends (p): every effect that is not rejected."""
        if self.lines:
            ends = np.array(
                [
                    line.interval(level) if np.isfinite(t) else (np.nan, np.nan)
                    for line, t in zip(self.lines, self.observed, strict=True)
                ]
            )
            return self.estimates + ends[:, 0] * self.errors, self.estimates + ends[:, 1] * self.errors
        margin = critical(self.statistics, level) * self.errors
        return self.estimates - margin, self.estimates + margin
