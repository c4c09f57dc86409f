r"""Effects by cohort and period, and the averages that are taken of them.

For cells :math:`(g, t)` with mass :math:`m_{gt}` (treated units of the cohort, or treated rows: the estimator
says which) and :math:`e = t - g`:

=========  ==============================================  ===============================================
kind       terms                                           overall
=========  ==============================================  ===============================================
simple     :math:`\sum m_{gt}\tau_{gt} / \sum m_{gt}`, e>=0  the same
group      :math:`\theta_g`: mean over periods, e>=0       by mean mass of the cohort
calendar   :math:`\theta_t`: by mass over cohorts, e>=0    plain mean over periods
dynamic    :math:`\theta_e`: by mass over cohorts          plain mean over e>=0
=========  ==============================================  ===============================================

These are the averages of Callaway and Sant'Anna (2021), doi 10.1016/j.jeconom.2020.12.001, section 3.1.
A cell that is not identified is left out of its averages, and the reason of the average says so. Reference
cells, zero by construction, make a term of their own where no other cohort has an estimate at their event
time, and are left out of averages where one has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clsimpact._explain import NO_VARIATION
from clsimpact._room import require_room
from clsimpact.design import Design
from clsimpact.errors import DesignError, list_some
from clsimpact.inference.influence import Uncertainty
from clsimpact.results import REFERENCE, Estimate, Term, checked_level, embedded

__all__ = ["Cells", "Effects", "Plan", "by_cell", "cell_name", "plan_of"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Cells:
    """Cohort-period cells, sorted by cohort and period.

    Attributes
    ----------
    cohorts, periods : integer arrays (m)
    mass : float array (m)
        Weight of each cell in averages.
    units, rows : integer arrays (m)
        Treated units and rows behind each cell.
    identified : boolean array (m)
    reference : boolean array (m)
        Cells that are zero by construction.
    reasons : tuple of str
        Why a cell is not identified, or what to mind.

    Examples
    --------
    >>> one = np.array([1])
    >>> cells = Cells(2004 * one, 2005 * one, 1.0 * one, 20 * one, 20 * one, one == 1, one == 0, ("",))
    >>> cells.events.tolist()
    [1]
    """

    cohorts: Ints
    periods: Ints
    mass: Floats
    units: Ints
    rows: Ints
    identified: Bools
    reference: Bools
    reasons: tuple[str, ...]

    @property
    def events(self) -> Ints:
        """Event time of each cell."""
        return self.periods - self.cohorts

    def terms(self) -> tuple[Term, ...]:
        """One term per cell."""
        found = zip(self.cohorts, self.periods, self.units, self.rows, self.reasons, strict=True)
        return tuple(
            Term(cell_name(int(g), int(t)), int(t - g), int(g), int(u), int(r), why)
            for g, t, u, r, why in found
        )

    def row_terms(self, design: Design) -> Ints:
        """Position of the cell that each row of the design belongs to, -1 for none."""
        levels = np.unique(self.cohorts)
        table = np.full((levels.size + 1, len(design.periods)), -1, dtype=np.int64)
        at = np.searchsorted(np.array(design.periods), self.periods)
        table[np.searchsorted(levels, self.cohorts), at] = np.arange(self.cohorts.size)
        place = np.minimum(np.searchsorted(levels, design.unit_cohorts), levels.size - 1)
        rows = table[np.where(levels[place] == design.unit_cohorts, place, levels.size)]
        if rows.size == design.n_obs:
            return rows.ravel()
        return np.asarray(rows[design.unit_codes, design.time_codes])


@dataclass(frozen=True)
class Plan:
    """Averages of cells.

    Attributes
    ----------
    kind : str
    terms : tuple of Term
    weights : float array (m, p)
        Weight of each cell in each average; columns sum to one.
    total : float array (p)
        Weight of each average in the overall effect; sums to one, or is zero where there is none.
    members : tuple of integer arrays
        Cells of each average.
    """

    kind: str
    terms: tuple[Term, ...]
    weights: Floats
    total: Floats
    members: tuple[Ints, ...]

    def row_terms(self, cell_of_row: Ints) -> Ints:
        """Position of the average that each row belongs to, -1 for none."""
        used = [self.used(j) for j in range(len(self.members))]
        table = np.full(len(self.weights) + 1, -1, dtype=np.int64)
        table[np.concatenate(used)] = np.repeat(np.arange(len(used)), [cells.size for cells in used])
        return table[cell_of_row]

    def used(self, j: int) -> Ints:
        """Return the cells with a weight in an average; where there are none, all of it."""
        mine = self.members[j]
        good = mine[self.weights[mine, j] != 0]
        return good if good.size else mine


def cell_name(cohort: int, period: int) -> str:
    """Name a cell.

    Examples
    --------
    >>> cell_name(2004, 2006)
    'g=2004,t=2006'
    """
    return f"g={cohort},t={period}"


def plan_of(
    cells: Cells,
    kind: str,
    *,
    balance: int | None = None,
    leads: int | None = None,
    lags: int | None = None,
) -> Plan:
    """Say which cells each average of `Estimate.aggregate` takes, with which weights.

    Parameters
    ----------
    cells
    kind
        ``"simple"``, ``"group"``, ``"calendar"`` or ``"dynamic"``.
    balance, leads, lags
        As in `Estimate.aggregate`.

    Raises
    ------
    DesignError
        Options that do not go with the kind, or nothing to average.
    """
    if kind != "dynamic" and (balance, leads, lags) != (None, None, None):
        raise DesignError(
            "balance, leads and lags go with aggregate('dynamic') only.",
            repair="Leave them out, or use aggregate('dynamic').",
        )
    if kind == "cells":
        return by_cell(cells)
    inside = cells.events >= 0 if kind != "dynamic" else _window(cells, balance, leads, lags)
    keys = {
        "simple": np.zeros(inside.size, dtype=np.int64),
        "group": cells.cohorts,
        "calendar": cells.periods,
        "dynamic": cells.events,
    }[kind]
    levels = np.unique(keys[inside])
    if levels.size == 0:
        raise DesignError("There is no cohort and period to average.", repair="Widen balance, leads or lags.")
    require_room(len(np.unique(cells.cohorts)), len(np.unique(cells.periods)), inside.size, levels.size)
    terms, members = [], []
    weights = np.zeros((inside.size, levels.size))
    for j, level in enumerate(levels):
        mine = np.flatnonzero(inside & (keys == level))
        good = mine[cells.identified[mine]]
        good = good if good.size else mine[cells.reference[mine]]
        share = np.ones(good.size) if kind == "group" else cells.mass[good]
        if good.size:
            weights[good, j] = share / share.sum()
        terms.append(_term(cells, kind, int(level), mine, good))
        members.append(mine)
    return Plan(kind, tuple(terms), weights, _total(cells, kind, levels, weights), tuple(members))


def by_cell(cells: Cells) -> Plan:
    """Each cell by itself; the overall effect is the simple average."""
    identity = np.eye(cells.cohorts.size)
    after = np.where((cells.events >= 0) & cells.identified, cells.mass, 0.0)
    total = after / after.sum() if after.any() else after
    alone = tuple(np.array([i]) for i in range(cells.cohorts.size))
    return Plan("cells", cells.terms(), identity, total, alone)


def _window(cells: Cells, balance: int | None, leads: int | None, lags: int | None) -> Bools:
    events = cells.events
    inside = np.ones(events.size, dtype=bool)
    if balance is not None:
        end = cells.periods[cells.identified].max(initial=cells.periods.min())
        span = end - cells.periods.min()
        inside &= (end - cells.cohorts >= balance) & (events <= balance) & (events >= balance - span)
    if leads is not None:
        inside &= events >= -leads
    if lags is not None:
        inside &= events <= lags
    return inside


def _term(cells: Cells, kind: str, level: int, mine: Ints, good: Ints) -> Term:
    shown = good if good.size else mine
    gone = mine[~cells.identified[mine] & ~cells.reference[mine]]
    reason = _left_out(cells, gone) if good.size else cells.reasons[mine[0]]
    same = len({cells.reasons[i] for i in good}) == 1
    units = _units(cells, shown)
    if good.size and not reason and same:
        whole = good.size == 1 or units == 1 or bool(cells.reference[good[0]])
        shared = cells.reasons[good[0]]
        reason = shared if whole or not shared else f"each cohort: {shared}"
    name = {"simple": "ATT", "group": f"g={level}", "calendar": f"t={level}", "dynamic": f"e={level}"}[kind]
    cohort = level if kind == "group" else None
    event = level if kind == "dynamic" else None
    return Term(name, event, cohort, units, int(cells.rows[shown].sum()), reason)


def _left_out(cells: Cells, gone: Ints) -> str:
    """Name cells that an average goes without, and why the first of them is not identified."""
    if gone.size == 0:
        return ""
    names = [cell_name(int(cells.cohorts[i]), int(cells.periods[i])) for i in gone]
    return f"without {list_some(names)}: {cells.reasons[gone[0]]}"


def _units(cells: Cells, members: Ints) -> int:
    """Count the treated units behind several cells."""
    most: dict[int, int] = {}
    for cohort, units in zip(cells.cohorts[members].tolist(), cells.units[members].tolist(), strict=True):
        most[cohort] = max(units, most.get(cohort, 0))
    return sum(most.values())


def _total(cells: Cells, kind: str, levels: Ints, weights: Floats) -> Floats:
    """Weights of the averages in the overall effect."""
    there: Bools = np.asarray(weights.any(axis=0))
    if kind == "dynamic":
        there &= levels >= 0
    share = there.astype(np.float64)
    if kind == "group":
        share[there] = [cells.mass[weights[:, j] > 0].mean() for j in np.flatnonzero(there)]
    return np.asarray(share / share.sum() if there.any() else share)


def _nothing(cells: Cells, gone: Ints) -> str:
    why = f": {cells.reasons[gone[0]]}" if gone.size else ""
    return f"no cohort and period after adoption is identified{why}"


@dataclass(frozen=True)
class Effects:
    """Effects by cohort and period, ready to be averaged into results.

    Attributes
    ----------
    estimator : str
    design : Design
    cells : Cells
    estimates : float array (m + k)
        Effects of the cells, NaN where not identified, then k coefficients of covariates.
    averaged : callable
        Takes a plan and the weights (m + k, q) of its averages, the overall effect and the covariates, and
        returns their `Uncertainty`. With fixed weights that is ``lambda plan, w: uncertainty.combine(w)``.
    covariance, level, equation, notes
        As in `Estimate`.
    covariates : tuple of str
        Names of the last k estimates.
    sampler : callable or None
        See `Estimate.sample`; takes the plan.
    options : mapping
        See `Estimate.options`.
    rows : callable or None
        Takes the weights of cells (m, q) and returns those of outcomes (N, T, q): see `Estimate.rows`.
    behind : callable or None
        Says of units and cells (r, r) which unit stands behind its cell; None: all that are observed in it.
    """

    estimator: str
    design: Design
    cells: Cells
    estimates: Floats
    averaged: Callable[[Plan, Floats], Uncertainty]
    covariance: str
    level: float
    equation: str
    notes: tuple[str, ...] = ()
    covariates: tuple[str, ...] = ()
    sampler: Callable[[Plan], pd.DataFrame] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    rows: Callable[[Floats], Floats] | None = None
    behind: Callable[[Ints, Ints], Bools] | None = None

    def aggregate(
        self, kind: str, *, balance: int | None = None, leads: int | None = None, lags: int | None = None
    ) -> Estimate:
        """Return the averages of one kind (``"cells"``: none) as a result."""
        return self.estimate(plan_of(self.cells, kind, balance=balance, leads=leads, lags=lags))

    def estimate(self, plan: Plan) -> Estimate:
        """Return the averages of a plan as a result, with its overall effect."""
        m, p, k = self.cells.cohorts.size, len(plan.terms), len(self.covariates)
        weights = np.zeros((m + k, p + 1 + k))
        weights[:m, :p] = plan.weights
        weights[:m, p] = plan.weights @ plan.total
        weights[m:, p + 1 :] = np.eye(k)
        known = np.concatenate([self.cells.identified, np.isfinite(self.estimates[m:])])
        weights[~known] = 0.0
        numbers = np.where(known, self.estimates, 0.0) @ weights
        identified: Bools = np.asarray(weights.any(axis=0))
        zero = np.array([term.reason == REFERENCE for term in plan.terms] + [False] * (1 + k))
        numbers = np.where(identified, numbers, np.where(zero, 0.0, np.nan))
        vcov_of = self.averaged(plan, weights)
        whys = ["" if ok else NO_VARIATION for ok in known[m:]]
        lone = [Term(n, None, None, None, None, w) for n, w in zip(self.covariates, whys, strict=True)]
        positions = [*range(p), *range(p + 1, p + 1 + k)]
        made = self._made((*plan.terms, *lone), positions, numbers, identified, vcov_of)
        return replace(
            made,
            row_terms=plan.row_terms(self._cell_of_row()),
            total=self._overall(plan, p, numbers, identified, vcov_of),
            aggregator=self.aggregate,
            sampler=None if self.sampler is None else lambda: self.sampler(plan),  # type: ignore[misc]
            rows=None if self.rows is None or k else lambda: self.rows(weights),  # type: ignore[misc]
        )

    def _cell_of_row(self) -> Ints:
        """Position of the cell whose effect each row shows, -1 for none."""
        cell = self.cells.row_terms(self.design)
        if self.behind is not None:
            rows = np.flatnonzero(cell >= 0)
            cell[rows[~self.behind(self.design.unit_codes[rows], cell[rows])]] = -1
        return cell

    def _overall(
        self, plan: Plan, at: int, numbers: Floats, identified: Bools, uncertainty: Uncertainty
    ) -> Estimate | None:
        """Return the overall effect as a result of one term; None where the one term is it."""
        if plan.kind == "simple":
            return None
        cells = self.cells
        after = np.zeros(cells.events.size, dtype=bool)
        after[np.concatenate(plan.members)] = True
        after &= cells.events >= 0
        behind = np.flatnonzero(after & (plan.weights @ plan.total > 0))
        gone = np.flatnonzero(after & ~cells.identified & ~cells.reference)
        reason = _left_out(cells, gone) if identified[at] else _nothing(cells, gone)
        rows = int(cells.rows[behind].sum())
        term = Term(OVERALL[plan.kind], None, None, _units(cells, behind), rows, reason)
        return self._made((term,), [at], numbers, identified, uncertainty)

    def _made(
        self,
        terms: tuple[Term, ...],
        positions: list[int],
        numbers: Floats,
        identified: Bools,
        uncertainty: Uncertainty,
    ) -> Estimate:
        good = identified[positions]
        slots = tuple(at if ok else None for at, ok in zip(positions, good, strict=True))
        return Estimate(
            estimator=self.estimator,
            design=self.design,
            terms=terms,
            estimates=numbers[positions],
            identified=good,
            vcov=embedded(uncertainty, slots, good, self.covariance),
            level=checked_level(self.level),
            equation=self.equation,
            notes=self.notes,
            uncertainty=uncertainty,
            slots=slots,
            options=self.options,
        )


OVERALL = {
    "cells": "ATT",
    "group": "mean over cohorts",
    "calendar": "mean over periods",
    "dynamic": "average after adoption",
}
"""What the overall effect of each kind is called."""
