"""Regressions with a coefficient for each cohort and period, and their averages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clsimpact._check import unit_word
from clsimpact._explain import NO_VARIATION
from clsimpact.design import Design
from clsimpact.errors import DesignError, list_some
from clsimpact.estimators._cells import Cells, Effects, Plan, cell_name, plan_of
from clsimpact.estimators._compress import Layout, layout_of
from clsimpact.estimators._within import LeastSquares
from clsimpact.estimators._within_solve import Regression
from clsimpact.results import REFERENCE, Estimate

__all__ = ["Gone", "Interaction", "base_cells", "numbered", "with_a_before"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Gone:
    """A cell of a cohort that left the sample: treated units, and why there is no effect."""

    cohort: int
    period: int
    units: int
    reason: str


def with_a_before(design: Design) -> tuple[Design, tuple[Gone, ...]]:
    """Leave out cohorts without a row before adoption, and keep their cells to report.

    Raises
    ------
    DesignError
        No cohort is observed before adoption.
    """
    layout = layout_of(design)
    there = layout.rows[1:] > 0
    lost = np.flatnonzero(~(there & (layout.event < -design.anticipation)).any(axis=1))
    if lost.size == 0:
        return design, ()
    found, words = [], []
    for c in lost:
        cohort = int(layout.levels[c])
        names = list_some([design.unit_names[i] for i in np.flatnonzero(layout.codes == c + 1)])
        words.append(f"cohort {cohort}: {names}")
        for t in np.flatnonzero(there[c]):
            period = design.periods[t]
            why = f"{names}: no row before adoption in {cohort}, so no change to {period} can be measured"
            found.append(Gone(cohort, period, int(layout.rows[c + 1, t]), why))
    if lost.size == layout.levels.size:
        raise DesignError(
            "No cohort is observed before adoption.", words, repair="Add earlier periods of the adopters."
        )
    keep = ~np.isin(design.cohorts, layout.levels[lost])
    return design.restrict(keep, reason=f"no row before adoption ({'; '.join(words)})"), tuple(found)


def base_cells(layout: Layout) -> tuple[Bools, str]:
    """Return the reference cell of each cohort (C + 1, T) and the sentence that says which.

    It is ``-1 - anticipation`` where the cohort is observed then, else its last observed earlier period.
    """
    usual = -1 - layout.design.anticipation
    before = (layout.event <= usual) & (layout.rows[1:] > 0)
    last = np.where(before, layout.event, layout.event.min()).max(axis=1)
    base = np.vstack([np.zeros((1, before.shape[1]), dtype=bool), before & (layout.event == last[:, None])])
    odd = [f"{int(c)}: {int(e)}" for c, e in zip(layout.levels, last, strict=True) if e != usual]
    words = f"Reference: event time {usual}"
    return base, f"{words}, or the last observed before it (by cohort {', '.join(odd)})" if odd else words


def numbered(cells: Bools) -> Ints:
    """Give the cells (C + 1, T) numbers by cohort and period, -1 elsewhere."""
    return np.where(cells, np.cumsum(cells).reshape(cells.shape) - 1, -1)


@dataclass(frozen=True)
class Interaction:
    """A fitted regression on cells.

    Attributes
    ----------
    estimator, equation : str
    layout : Layout
    table : integer array (C + 1, T)
        Coefficient of each cell.
    base : boolean array (C + 1, T)
        Reference cells, zero by construction.
    regression : Regression
    gone : tuple of Gone
    covariates : tuple of (str, int)
        Covariates with a coefficient of their own, and its position.
    not_yet : bool
        Units not yet treated serve as controls.
    notes : tuple of str
    """

    estimator: str
    equation: str
    layout: Layout
    table: Ints
    base: Bools
    regression: Regression
    gone: tuple[Gone, ...]
    covariates: tuple[tuple[str, int], ...]
    not_yet: bool
    notes: tuple[str, ...]

    def cells(self) -> tuple[Cells, Ints]:
        """Return the cells, and the coefficient of each (-1 for none)."""
        layout, gone = self.layout, self.gone
        code, period = np.nonzero((self.table >= 0) | self._zeros())
        mass = np.zeros(layout.rows.shape)
        np.add.at(mass, layout.type_codes, layout.type_mass)
        slots, rows = self.table[code, period], layout.rows[code, period]
        identified = (slots >= 0) & self.regression.identified[slots]
        reasons = self._reasons(code, period, identified)
        times = np.array(layout.design.periods)
        cohorts = np.append(layout.levels[code - 1], [g.cohort for g in gone]).astype(np.int64)
        periods = np.append(times[period], [g.period for g in gone]).astype(np.int64)
        units = np.append(rows, [g.units for g in gone]).astype(np.int64)
        order = np.lexsort((periods, cohorts))
        no = np.zeros(len(gone), dtype=bool)
        every = [*reasons, *(g.reason for g in gone)]
        cells = Cells(
            cohorts=cohorts[order],
            periods=periods[order],
            mass=np.append(mass[code, period], [float(g.units) for g in gone])[order],
            units=units[order],
            rows=units[order],
            identified=np.append(identified, no)[order],
            reference=np.append(self.base[code, period], no)[order],
            reasons=tuple(every[i] for i in order),
        )
        return cells, np.append(slots, np.full(len(gone), -1)).astype(np.int64)[order]

    def _zeros(self) -> Bools:
        """Return reference cells at event times where nothing is estimated: others are not averaged in."""
        event = np.vstack([np.zeros((1, self.base.shape[1]), dtype=np.int64), self.layout.event])
        return self.base & ~np.isin(event, event[self.table >= 0])

    def _reasons(self, code: Ints, period: Ints, identified: Bools) -> list[str]:
        layout, design = self.layout, self.layout.design
        word = unit_word(design)
        narrow = "its own variation cannot be estimated, the interval is too narrow"
        alone = f"one treated {word} per cohort: {narrow}"
        found = []
        for c, t, known in zip(code, period, identified, strict=True):
            if self.base[c, t]:
                found.append(REFERENCE)
            elif known:
                found.append(alone if layout.rows[c, t] == 1 else "")
            else:
                mine = layout.order[layout.code_starts[c] : layout.code_starts[c + 1]]
                names = list_some([design.unit_names[i] for i in np.sort(mine)])
                found.append(f"{names} in {design.periods[t]}: {self._nobody(int(t), word)}")
        return found

    def _nobody(self, t: int, word: str) -> str:
        if self._controls()[:, t].any():
            return "cannot be told apart from the effects and other terms (exact collinearity)"
        if self.not_yet:
            return f"no {word} observed then is untreated"
        return f"no {word} that never adopts is observed then"

    def _controls(self) -> Bools:
        """Cells (C + 1, T) of observed units that serve as controls."""
        layout = self.layout
        early = (layout.event < -layout.design.anticipation) & self.not_yet
        return np.vstack([np.ones((1, early.shape[1]), dtype=bool), early]) & (layout.rows > 0)

    def effects(self, covariance: str, level: float) -> Effects:
        """Return the effects, ready to be averaged."""
        cells, slots = self.cells()
        every = np.append(slots, [at for _, at in self.covariates]).astype(np.int64)
        numbers = np.where(every >= 0, self.regression.coefficients[every], np.nan)
        uncertainty = LeastSquares(self.regression, self.layout.design.cluster_codes)

        def averaged(_: Plan, weights: Floats) -> LeastSquares:
            spread = np.zeros((self.regression.coefficients.size, weights.shape[1]))
            spread[every[every >= 0]] = weights[every >= 0]
            return uncertainty.combine(spread)

        return Effects(
            estimator=self.estimator,
            design=self.layout.design,
            cells=cells,
            estimates=numbers,
            averaged=averaged,
            covariance=covariance,
            level=level,
            equation=self.equation,
            notes=self.notes,
            covariates=tuple(name for name, _ in self.covariates),
            sampler=lambda plan: self.sample(plan, cells),
            options={"control": "not_yet" if self.not_yet else "never"},
        )

    def result(self, covariance: str, level: float, kind: str) -> Estimate:
        """Return the averages of one kind; the overall effect is that over treated rows."""
        effects = self.effects(covariance, level)
        plan = plan_of(effects.cells, kind)
        after = np.where((effects.cells.events >= 0) & effects.cells.identified, effects.cells.mass, 0.0)
        total = np.array([after[members].sum() for members in plan.members])
        share = total / total.sum() if total.any() else total
        return self._told(effects, replace(plan, kind="cells", total=share))

    def _told(self, effects: Effects, plan: Plan) -> Estimate:
        """Return the averages of a plan, with what to mind about each, here and in later averages."""
        made, cells = effects.estimate(plan), effects.cells

        def again(
            kind: str, *, balance: int | None = None, leads: int | None = None, lags: int | None = None
        ) -> Estimate:
            return self._told(effects, plan_of(cells, kind, balance=balance, leads=leads, lags=lags))

        terms = [
            replace(term, reason=term.reason or _shared(cells, members))
            for term, members in zip(made.terms, plan.members, strict=False)
        ]
        for term, (_, at) in zip(made.terms[len(terms) :], self.covariates, strict=True):
            terms.append(term if self.regression.identified[at] else replace(term, reason=NO_VARIATION))
        total = made.total
        if total is not None:
            after = np.flatnonzero(plan.weights @ plan.total > 0)
            (one,) = total.terms
            total = replace(total, terms=(replace(one, reason=one.reason or _shared(cells, after)),))
        return replace(made, terms=tuple(terms), total=total, aggregator=again)

    def sample(self, plan: Plan, cells: Cells) -> pd.DataFrame:
        """Say which units and periods stand behind each average; see `Estimate.sample`."""
        known = cells.identified | cells.reference
        controls, where = self._controls(), {t: j for j, t in enumerate(self.layout.design.periods)}
        base = {int(self.layout.levels[c - 1]): t for c, t in zip(*np.nonzero(self.base), strict=True)}
        rows: list[tuple[str, int | None, int | None, str, str]] = []
        for term, members in zip(plan.terms, plan.members, strict=True):
            used = members[known[members]]
            compared = {where[int(t)] for t in cells.periods[used]} | {
                base[int(g)] for g in cells.cohorts[used] if int(g) in base
            }
            mask = controls.copy()
            mask[:, [j for j in range(mask.shape[1]) if j not in compared]] = False
            count = int(self.layout.units_of(mask[None])[0])
            lost = [f"{cell_name(int(cells.cohorts[i]), int(cells.periods[i]))}: {cells.reasons[i]}"
                    for i in members if not known[i]]  # fmt: skip
            treated = term.n_units if used.size else 0
            rows.append((term.name, treated, count, self._periods(cells, used, base), "; ".join(lost)))
        rows += [(name, None, None, _years(self.layout.design.periods), "") for name, _ in self.covariates]
        columns = ["term", "treated_units", "control_units", "periods", "left_out"]
        frame = pd.DataFrame(rows, columns=columns)
        return frame.astype({"treated_units": "Int64", "control_units": "Int64"})

    def _periods(self, cells: Cells, used: Ints, base: dict[int, int]) -> str:
        if used.size == 0:
            return ""
        shown = _years(np.unique(cells.periods[used]).tolist())
        if not base:
            return f"{shown}, against every period before adoption"
        times = self.layout.design.periods
        against = sorted({times[base[int(g)]] for g in cells.cohorts[used] if int(g) in base})
        return f"{shown}, against {_years(against)}"


def _shared(cells: Cells, members: Ints) -> str:
    """Return what to mind about an average whose every identified cell has it."""
    reasons = [cells.reasons[i] for i in members if cells.identified[i]]
    return reasons[0] if reasons and all(reasons) else ""


def _years(times: Sequence[int]) -> str:
    return ", ".join(str(t) for t in times)
