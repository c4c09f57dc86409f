r"""The first stage that `imputation` and `two_stage` share, and what follows from it.

On untreated rows, with weights :math:`w_{it}`,

.. math:: y_{it} = \alpha_i + \lambda_t + x_{it}'b + \varepsilon_{it}

is fitted by least squares, exactly. Its prediction for a treated row is what would have been, and the gap
:math:`\hat\tau_{it} = y_{it} - \hat\alpha_i - \hat\lambda_t - x_{it}'\hat b` the effect on that row.

A mean of gaps with weights :math:`q_{it}` is linear in the outcomes. Untreated rows enter it with weight
:math:`-w_{it}(a_i + l_t + \tilde x_{it}'d)`, where a, l and d solve the normal equations of the first stage
with the totals of q in place of those of the outcome. As the residuals of a unit sum to zero, what untreated
rows of unit i add to its influence is :math:`-\sum_t w_{it}\hat\varepsilon_{it}(l_t + \tilde x_{it}'d)`: a
product of the residuals with a table as long as there are periods.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clsimpact._check import lone_words, period_words, unit_word
from clsimpact.design import Design
from clsimpact.errors import DesignError, list_some
from clsimpact.estimators._cells import Cells, Plan, cell_name
from clsimpact.estimators._grid import Grid, TwoWay, grid_of
from clsimpact.estimators._within_solve import EMPTY_TOLERANCE, LOADING_TOLERANCE, RANK_TOLERANCE, at_level
from clsimpact.inference.sandwich import Counts
from clsimpact.results import REFERENCE

__all__ = ["Parts", "Untreated", "checked_window", "first_stage", "parts_of", "sample_rows", "with_reasons"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Untreated:
    """The first stage, and its prediction for every row.

    Attributes
    ----------
    design : Design
    grid : Grid
    mass : float array (N, T)
        Weight of each row, largest 1.
    effects : TwoWay
        Unit and period effects on the untreated rows.
    x : float array (k, N, T)
        Covariates net of these effects.
    spread : float array (k)
        Square of `spread_of` on untreated rows.
    flat, net : float arrays (N, T)
        Outcome net of effects, and net of covariates too: residual of an untreated row, gap of a treated one.
    slopes : float array (k)
        Coefficients of covariates, NaN where untreated rows do not determine them.
    bread : float array (k, k)
        Pseudo-inverse of the moments of ``x``.
    known : boolean array (N, T)
        Rows in the sample whose untreated outcome is determined.
    cohorts : integer array (c)
        Cohorts that adopt by the last period.
    members : tuple of integer arrays
        Units of each cohort.
    """

    design: Design
    grid: Grid
    mass: Floats
    effects: TwoWay
    x: Floats
    spread: Floats
    flat: Floats
    net: Floats
    slopes: Floats
    bread: Floats
    known: Bools
    cohorts: Ints
    members: tuple[NDArray[np.intp], ...]

    @cached_property
    def scores(self) -> Floats:
        """Weighted residuals of untreated rows, zero elsewhere (N, T)."""
        return np.asarray(self.effects.mass * self.net)

    @cached_property
    def slope_psi(self) -> Floats:
        """Influence of each unit on the coefficients of covariates (N, k)."""
        return np.asarray(np.einsum("nt,knt->nk", self.scores, self.x) @ self.bread)

    @property
    def counts(self) -> Counts:
        """Sizes: untreated rows, clusters, and the parameters of the first stage."""
        rank = int(np.isfinite(self.slopes).sum())
        units = int((self.effects.unit_mass > 0).sum())
        nested = self.effects.rank - units + 1 + rank
        rows = int((self.effects.mass > 0).sum())
        return Counts(rows, self.design.n_clusters, nested, self.effects.rank + rank)

    def by_cohort(self, values: NDArray[Any]) -> NDArray[Any]:
        """Sum (N, T) over the units of each cohort (c, T); True counts as 1."""
        return np.array([values[rows].sum(axis=0) for rows in self.members])

    def periods_solved(self, totals: Floats) -> Floats:
        """Solve the normal equations of the period effects for right-hand sides (T, p)."""
        roots, vectors = self.effects.spectrum
        return np.asarray(vectors @ ((vectors.T @ totals) / roots[:, None]))


def first_stage(design: Design, name: str) -> Untreated:
    """Fit effects and covariates on untreated rows.

    Raises
    ------
    DesignError
        If the design asks for effects other than those of units.
    """
    if design.effects != "unit":
        raise DesignError(
            f"{name} needs unit effects; the design asks for effects of {design.effects!r}.",
            repair="Use effects='unit', or twfe and event_study, which take other effects.",
        )
    grid = grid_of(design)
    mass = grid.mass if design.w is None else grid.mass / grid.mass.max()
    effects = TwoWay(np.where(grid.treated, 0.0, mass))
    flat = effects.residuals(grid.y)
    x = effects.residuals(grid.x) if len(grid.x) else grid.x
    known = grid.seen & _reach(effects)
    slopes, bread, net, spread = np.empty(0), np.empty((0, 0)), flat, np.empty(0)
    if len(x):
        spread = spread_of(effects.mass, grid.x)
        slopes, bread, loads = _covariates(effects.mass, x, flat, spread)
        net = flat - np.tensordot(np.nan_to_num(slopes), x, axes=1)
        known &= loads <= LOADING_TOLERANCE
    adopt = design.in_window
    cohorts = np.unique(design.unit_cohorts[adopt]).astype(np.int64)
    members = tuple(np.flatnonzero(design.unit_cohorts == g) for g in cohorts)
    return Untreated(
        design, grid, mass, effects, x, spread**2, flat, net, slopes, bread, known, cohorts, members
    )


def _reach(effects: TwoWay) -> Bools:
    """Return `TwoWay.reach`, the short way where one unit is untreated in every period."""
    there = effects.mass > 0
    if there.all(axis=1).any():
        return np.repeat((effects.unit_mass > 0)[:, None], there.shape[1], axis=1)
    return effects.reach


def spread_of(mass: Floats, raw: Floats) -> Floats:
    """Return the weighted norm of columns (k, N, T) around their means (k), see `at_level`; one for zero.

    Examples
    --------
    >>> spread_of(np.ones((1, 2)), np.array([[[1.0, 3.0]], [[5.0, 5.0]], [[0.0, 0.0]]])).round(6).tolist()
    [1.414214, 0.001414, 1.0]
    """
    rows = mass > 0
    weights, values = mass[rows], raw[:, rows]
    centre = values @ weights / (weights.sum() or 1.0)
    found = at_level(*(np.sqrt(each**2 @ weights) for each in (values - centre[:, None], values)))
    return np.where(found > 0, found, 1.0)


def _covariates(mass: Floats, x: Floats, flat: Floats, spread: Floats) -> tuple[Floats, Floats, Floats]:
    """Return slopes (k), pseudo-inverse of the moments (k, k) and the largest loading of each row (N, T).

    A direction of the covariates that untreated rows do not determine does no harm to rows that do not load
    on it: a covariate constant within units is one that no row loads on.
    """
    rows = mass > 0
    root = np.sqrt(mass[rows])
    inside = (x[:, rows] * root).T
    norm = np.linalg.norm(inside, axis=0)
    alive = norm > EMPTY_TOLERANCE * spread
    scale = np.where(alive, norm, spread)
    u, s, vt = np.linalg.svd(inside[:, alive] / scale[alive], full_matrices=False)
    rank = int((s > RANK_TOLERANCE).sum())
    back = np.zeros((len(x), rank))
    back[alive] = vt[:rank].T / s[:rank] / scale[alive][:, None]
    null = np.zeros((len(x) - rank, len(x)))
    null[: len(vt) - rank, alive] = vt[rank:]
    null[len(vt) - rank :, ~alive] = np.eye(int((~alive).sum()))
    slopes = back @ (u[:, :rank].T @ (flat[rows] * root))
    slopes[np.abs(null).max(axis=0, initial=0.0) > LOADING_TOLERANCE] = np.nan
    if not len(null):
        return slopes, back @ back.T, np.zeros(mass.shape)
    typical = np.sqrt(rows.sum())
    loads = np.abs(np.tensordot(null / scale, x, axes=1)).max(axis=0) * typical
    return slopes, back @ back.T, np.asarray(loads)


@dataclass(frozen=True)
class Parts:
    """Rows gathered into cells of cohort and period, and averages of their gaps.

    Attributes
    ----------
    stage : Untreated
    cells : Cells
    cohort_at, period_at : integer arrays (m)
        Position of the cohort and the period of each cell.
    own : float array (N, T)
        Weight of each row that counts in its cell, 0 elsewhere.
    means : float array (m)
        Mean gap of each cell; NaN where no row counts.
    """

    stage: Untreated
    cells: Cells
    cohort_at: Ints
    period_at: Ints
    own: Floats
    means: Floats

    def behind(self, units: Ints, cells: Ints) -> Bools:
        """Say of units and cells (r, r) whether the unit counts in its cell."""
        return np.asarray(self.own[units, self.period_at[cells]] > 0)

    def table(self, values: Floats) -> Floats:
        """Lay values of cells (m, p) out by cohort and period (c, T, p); zero elsewhere."""
        out = np.zeros((len(self.stage.cohorts), self.own.shape[1], values.shape[1]))
        out[self.cohort_at, self.period_at] = values
        return out

    def shares(self, weights: Floats) -> Floats:
        """Weight of a row of unit mass in each average (c, T, p), for weights of cells (m, p)."""
        mass = np.where(self.cells.mass > 0, self.cells.mass, 1.0)
        return self.table(weights / mass[:, None])

    def spread(self, values: Floats, shares: Floats) -> Floats:
        """Sum rows (N, T) into averages for each unit (N, p), with weights by cohort and period."""
        out = np.zeros((len(values), shares.shape[2]))
        for rows, share in zip(self.stage.members, shares, strict=True):
            out[rows] = values[rows] @ share
        return out

    def first_psi(self, weights: Floats) -> Floats:
        """Return what the first stage adds to the influence of each unit on averages (N, p)."""
        stage, shares = self.stage, self.shares(weights)
        totals = np.zeros((self.own.shape[1], weights.shape[1]))
        np.add.at(totals, self.period_at, weights * (self.cells.mass > 0)[:, None])
        for rows, share in zip(stage.members, shares, strict=True):
            totals -= stage.effects.shares[rows].T @ (self.own[rows] @ share)
        psi = -stage.scores @ stage.periods_solved(totals)
        if stage.slopes.size:
            psi -= stage.slope_psi @ self.covariate_means(weights)
        return np.asarray(psi)

    def covariate_means(self, weights: Floats) -> Floats:
        """Averages of the covariates, net of effects (k, p)."""
        shares = self.shares(weights)
        sums = [np.einsum("ct,ctp->p", self.stage.by_cohort(self.own * x), shares) for x in self.stage.x]
        return np.array(sums)


def parts_of(stage: Untreated, rows: Bools, reference: Bools | None = None) -> Parts:
    """Gather ``rows`` (N, T) into cells.

    Parameters
    ----------
    stage
    rows
        Rows that belong to a cell, if they can be predicted.
    reference
        Cells (c, T) that are zero by construction.
    """
    good = rows & stage.known
    own = np.where(good, stage.mass, 0.0)
    every = stage.by_cohort(rows)
    cohort_at, period_at = np.nonzero(every)
    used = stage.by_cohort(good)[cohort_at, period_at]
    mass = stage.by_cohort(own)[cohort_at, period_at]
    total = stage.by_cohort(own * stage.net)[cohort_at, period_at]
    with np.errstate(invalid="ignore"):
        means = total / np.where(mass > 0, mass, np.nan)
    every = every[cohort_at, period_at]
    zero = np.zeros(len(used), bool) if reference is None else reference[cohort_at, period_at]
    reasons = [""] * len(used)
    for c in np.flatnonzero(used < every):
        gone = stage.members[cohort_at[c]]
        gone = gone[(rows & ~good)[gone, period_at[c]]]
        reasons[c] = _reason(stage, gone, int(period_at[c]))
        if used[c]:
            reasons[c] = f"some rows left out ({reasons[c]})"
    reasons = [REFERENCE if ok else why for ok, why in zip(zero, reasons, strict=True)]
    counted = np.where(used > 0, used, every)
    cells = Cells(
        stage.cohorts[cohort_at], stage.grid.periods[period_at], mass, counted, counted,
        (used > 0) & ~zero, zero, tuple(reasons),
    )  # fmt: skip
    return Parts(stage, cells, cohort_at, period_at, own, means)


def _reason(stage: Untreated, units: NDArray[np.intp], period: int) -> str:
    """Say why rows of some units in a period cannot be predicted."""
    design, effects = stage.design, stage.effects
    word, year = unit_word(design), int(stage.grid.periods[period])
    if effects.time_mass[period] == 0:
        return f"no {word} is untreated in {year}, so its period effect is not known"
    names = [design.unit_names[i] for i in units]
    bare = [design.unit_names[i] for i in units if effects.unit_mass[i] == 0]
    if bare:
        return f"no untreated row of {list_some(bare)} to take a {word} effect from"
    if not effects.reach[units, period].all():
        return f"no untreated rows connect {list_some(names)} with {year}"
    return f"untreated rows do not determine what the covariates do to {list_some(names)} in {year}"


def checked_window(leads: int | None, lags: int | None) -> None:
    """Raise `DesignError` unless leads and lags are whole numbers or None."""
    for name, value, least in (("leads", leads, 1), ("lags", lags, 0)):
        if value is not None and (isinstance(value, bool) or int(value) != value or value < least):
            raise DesignError(
                f"{name} is {value!r}; a whole number of at least {least} is needed.",
                repair=f"Leave {name} out for all that there are.",
            )


def with_reasons(parts: Parts, plan: Plan, *, lone: bool = False) -> Plan:
    """Add to the terms of a plan what to mind: rows left out of cells, and cells that rest on one unit.

    Parameters
    ----------
    parts
    plan
    lone
        Name single units within larger averages too: they are their own mean, so the error leaves them out.
    """
    cells, alone = parts.cells, _alone(parts)
    if not alone.any() and not any(cells.reasons):
        return plan
    terms = []
    for term, members in zip(plan.terms, plan.members, strict=True):
        used = members[cells.identified[members]]
        partly = {why: [i for i in used if cells.reasons[i] == why] for why in _reasons(cells, used)}
        words = [term.reason] if term.reason and term.reason not in partly else []
        words += [f"in {list_some(np.unique(cells.periods[i]))} {why}" for why, i in partly.items()]
        single = used[alone[used]]
        cohorts = np.unique(cells.cohorts[single])
        if single.size and (single.size == used.size or np.unique(cells.cohorts[used]).size == 1):
            one = lone_words(parts.stage.design)
            one = one if cohorts.size == 1 else f"{one} in each of cohorts {list_some(cohorts)}"
            words.append(f"{one}: its own variation cannot be estimated, the interval is too narrow")
        elif single.size and lone:
            words.append(_lone_words(parts, cohorts))
        terms.append(replace(term, reason="; ".join(words)))
    return replace(plan, terms=tuple(terms))


def _reasons(cells: Cells, members: Ints) -> list[str]:
    return sorted({cells.reasons[i] for i in members if cells.reasons[i]})


def _lone_words(parts: Parts, cohorts: Ints) -> str:
    one = lone_words(parts.stage.design).replace("one treated", "one")
    where = f"cohort {cohorts[0]}" if cohorts.size == 1 else f"each of cohorts {list_some(cohorts)}"
    return f"{one} in {where}: errors other than CR3 and jackknife leave out its own variation"


def _alone(parts: Parts) -> Bools:
    """Say for each cell whether its rows belong to one cluster."""
    design, cells = parts.stage.design, parts.cells
    if design.n_clusters == len(design.units):
        return np.asarray(cells.identified & (cells.units == 1))
    out = np.zeros(len(cells.units), dtype=bool)
    for c in np.flatnonzero(cells.identified):
        rows = parts.stage.members[parts.cohort_at[c]]
        rows = rows[parts.own[rows, parts.period_at[c]] > 0]
        out[c] = np.unique(design.unit_clusters[rows]).size == 1
    return out


def sample_rows(parts: Parts, plan: Plan) -> pd.DataFrame:
    """Return `Estimate.sample`: who stands behind each average, and who is left out of it."""
    stage, cells = parts.stage, parts.cells
    fitted = f"untreated rows of {period_words(stage.design)}"
    rows = []
    for term, members in zip(plan.terms, plan.members, strict=True):
        used = members[cells.identified[members]]
        years = np.unique(parts.period_at[used])
        controls = int((stage.effects.mass[:, years] > 0).any(axis=1).sum())
        words = list_some(stage.grid.periods[years], 30)
        gone = [i for i in members if cells.reasons[i] and not cells.reference[i]]
        lost = "; ".join(
            f"{cell_name(int(cells.cohorts[i]), int(cells.periods[i]))}: {cells.reasons[i]}" for i in gone
        )
        text = f"{words} against {fitted}" if used.size else ""
        rows.append((term.name, term.n_units, controls, text, lost))
    frame = pd.DataFrame(rows, columns=["term", "treated_units", "control_units", "periods", "left_out"])
    return frame.astype({"treated_units": "Int64", "control_units": "Int64"})
