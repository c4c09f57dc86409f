r"""What unknown adopters among the controls do to an estimate that is linear in the outcomes.

With :math:`\hat\tau=\sum_{it}w_{it}y_{it}` and a control :math:`i` that adopted in :math:`g` with effect
:math:`\delta`, the estimate moves by :math:`-\delta k_{ig}`, :math:`k_{ig}=-\sum_{t\ge g}w_{it}`. Of
:math:`N` controls :math:`m` adopted, drawn at random without replacement, at dates drawn from :math:`p_g`
(those of the known adopters). With :math:`\bar k=N^{-1}\sum_i\sum_g p_gk_{ig}` and :math:`\kappa=N\bar k`,

.. math:: E[\hat\tau]=\tau-\delta\,m\,\bar k=\tau-\delta\,\kappa\,m/N,

which for :math:`\delta=\tau` is :math:`\tau(1-\kappa m/N)`: two groups and two periods have
:math:`\kappa=1`. Around it the draw of the :math:`m` and of their dates has variance
:math:`\delta^2[m\,\overline{\mathrm{Var}_g(k_{ig})} + m\frac{N-m}{N-1}\mathrm{Var}_i(\sum_gp_gk_{ig})]`. No
weight is read off: the estimator is asked about outcomes that are one where a control would be exposed, so
that the formula holds for whatever it does with them.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from clsimpact.errors import ClsimpactWarning, DesignError

if TYPE_CHECKING:
    from clsimpact.design import Design

__all__ = ["Exposure", "exposure_of"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MOST_ASKED = 250
"""Outcomes that an estimator is asked about for single controls: half a second to a second."""

CLOSE = 1e-6
"""Share of the size of an effect by which the formula and the estimator may differ, or it is not linear.

Solvers leave 1e-10; an estimator that chooses weights by the outcomes moves in the first digits."""


@dataclass(frozen=True, eq=False)
class Exposure:
    """How much one unit of effect in a control lowers the estimate.

    Attributes
    ----------
    dates : tuple of int
        Cohorts of the known adopters (G).
    shares : float array (G)
        Share of known adopters by cohort: dates of unknown ones are drawn from it.
    n : int
        Number of controls (N).
    total : float array (G)
        Sum over controls of k by cohort.
    each : float array (N, G) or None
        k of every control, where the estimator could be asked about it.
    """

    dates: tuple[int, ...]
    shares: Floats
    n: int
    total: Floats
    each: Floats | None

    @property
    def kappa(self) -> float:
        """How much one unit of effect in all controls lowers the estimate."""
        return float(self.total @ self.shares)

    @property
    def mean(self) -> float:
        """How much one unit of effect in one control drawn at random lowers it."""
        return self.kappa / self.n

    def spread(self, m: int) -> float:
        """Return the standard deviation of what ``m`` drawn controls do, per unit; NaN if unknown."""
        if self.each is None:
            return np.nan
        by_unit = self.each @ self.shares
        within = float(((self.each - by_unit[:, None]) ** 2 @ self.shares).mean())
        between = float(by_unit.var()) * (self.n - m) / max(self.n - 1, 1)
        return float(np.sqrt(m * (within + between)))

    def worst(self, m: int) -> float:
        """Return the most that ``m`` controls lower it per unit, whoever and when; NaN if unknown."""
        if self.each is None:
            return np.nan
        most = np.sort(self.each.max(axis=1))[::-1]
        return float(most[:m].sum())

    def needed(self, shift: float) -> float:
        """Return how many controls drawn at random lower the estimate by this much, per unit of effect."""
        return shift / self.mean if self.mean > 0 else np.inf

    def needed_at_worst(self, shift: float) -> float:
        """Return the fewest controls that can do so: infinite where not even all can, NaN if unknown."""
        if self.each is None:
            return np.nan
        reached = np.cumsum(np.sort(self.each.max(axis=1))[::-1])
        enough = np.flatnonzero(reached >= shift * (1 - CLOSE))
        return float(enough[0] + 1) if enough.size else np.inf


def exposure_of(design: Design, ask: Callable[[Design], float]) -> Exposure:
    """Ask an estimator (a function from a design to its overall effect) what exposed controls would do.

    Raises
    ------
    DesignError
        No controls, or an estimator that is not linear in the outcomes.
    """
    controls = np.flatnonzero(~design.in_window)
    if controls.size == 0:
        raise DesignError(
            "Every unit adopts within the panel: nobody is taken as never treated.",
            repair="Nothing to do: unknown adopters cannot be among the comparison units.",
        )
    sizes = design.cohort_sizes
    dates = tuple(sizes)
    shares = np.array([sizes[date] for date in dates], dtype=float) / sum(sizes.values())

    def asked(units: Ints, date: int) -> float:
        rows = np.isin(design.unit_codes, units) & (design.times >= date - design.anticipation)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ClsimpactWarning)
            return -ask(design.with_outcome(rows.astype(float)))

    total = np.array([asked(controls, date) for date in dates])
    _require_linear(design, ask, controls, dates[0], total[0])
    return Exposure(dates, shares, int(controls.size), total, _each(design, asked, controls, dates))


def _require_linear(
    design: Design, ask: Callable[[Design], float], controls: Ints, date: int, known: float
) -> None:
    """Refuse an estimator that the formula does not describe: try it on the outcomes themselves."""
    size = float(design.y.std()) or 1.0
    rows = np.isin(design.unit_codes, controls) & (design.times >= date - design.anticipation)
    moved = ask(design.with_outcome(design.y + size * rows)) - ask(design)
    if not np.isfinite(moved) or abs(moved + size * known) > CLOSE * size * max(1.0, abs(known)):
        raise DesignError(
            "The estimator is not linear in the outcomes, so what unknown adopters do to it has no formula.",
            repair="Ask a regression or an estimator of effects by cohort: ci.event_study(design).",
        )


def _each(
    design: Design, asked: Callable[[Ints, int], float], controls: Ints, dates: tuple[int, ...]
) -> Floats | None:
    """Return k of every control (N, G), one question for all that enter alike; None if too many."""
    groups = _alike(design)[controls]
    kinds, first = np.unique(groups, return_index=True)
    if kinds.size * len(dates) > MOST_ASKED:
        return None
    found = np.array([[asked(controls[[i]], date) for date in dates] for i in first])
    return np.asarray(found[np.searchsorted(kinds, groups)])


def _alike(design: Design) -> Ints:
    """Return a number for each unit (N), the same for those that enter every estimate with the same weights.

    They have the same cohort and are observed in the same periods; with row weights, covariates or effects of
    groups every unit is on its own.
    """
    n = len(design.units)
    if design.weights is not None or design.covariates or design.effects != "unit":
        return np.arange(n, dtype=np.int64)
    seen = np.zeros((n, len(design.periods) + 1))
    seen[design.unit_codes, design.time_codes] = 1
    seen[:, -1] = np.nan_to_num(design.unit_cohorts, nan=-1.0)
    return np.unique(seen, axis=0, return_inverse=True)[1].ravel().astype(np.int64)
