r"""Leads of adoption on untreated rows: the test of trends that goes with imputation.

.. math:: y_{it} = \alpha_i + \lambda_t + \sum_{e \notin R} \beta_e 1[t - \text{cohort}_i = e] + x_{it}'b
          + \varepsilon_{it} \quad\text{over untreated rows},

by least squares. A lead is the same for all units of a cohort, so its moments net of effects follow from
sums by cohort and period; no column of a lead is ever laid out.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from clsimpact._check import lone_words
from clsimpact.errors import list_some
from clsimpact.estimators._left_out import pseudo_inverse, solve_without
from clsimpact.estimators._untreated import Untreated
from clsimpact.results import REFERENCE, Term

__all__ = ["Leads", "leads_of"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Leads:
    """Coefficients of leads.

    Attributes
    ----------
    stage : Untreated
    events : integer array (q)
        Event times of all rows before adoption, sorted; those of the reference too.
    column : integer array (q)
        Coefficient of each event time, -1 for a reference.
    at : integer array (c, T)
        Position in ``events`` of each cohort and period, -1 for none.
    left_out : boolean array (c, T)
        Cohorts and periods of the reference.
    counts : integer array (q)
        Rows (and units) behind each.
    coefficients, identified : arrays (K)
    psi : float array (N, K)
        Influence of each unit, times the square root of ``factor``.
    factor : float
        The finite-sample factor of a clustered regression (CR1).
    note : str
        What the reference is.
    place, shown : integer arrays
        Coefficient of each cohort and period (c, T) among all that were fitted, -1 for none; those kept (K).
    """

    stage: Untreated
    events: Ints
    column: Ints
    at: Ints
    left_out: Bools
    counts: Ints
    coefficients: Floats
    identified: Bools
    psi: Floats
    factor: float
    note: str
    place: Ints
    shown: Ints

    def terms(self) -> tuple[Term, ...]:
        """One term per event time before adoption."""
        out = []
        for e, k, n in zip(self.events, self.column, self.counts, strict=True):
            reason = REFERENCE if k < 0 else self._reason(int(k), int(n))
            out.append(Term(f"e={e}", int(e), None, int(n), int(n), reason))
        return tuple(out)

    def _reason(self, k: int, count: int) -> str:
        if self.identified[k]:
            if count > 1:
                return ""
            one = lone_words(self.stage.design)
            return f"{one}: its own variation cannot be estimated, the interval is too narrow"
        estimated = self.events[self.column >= 0]
        others = [f"e={e}" for e, ok in zip(estimated, self.identified, strict=True) if not ok]
        others.remove(f"e={estimated[k]}")
        if not others:
            return "no variation left once effects and the other leads are removed"
        hint = "; no unit is never treated" if self.stage.design.in_window.all() else ""
        return f"cannot be told apart from {list_some(others)} and the effects (exact collinearity){hint}"

    @cached_property
    def without(self) -> Floats:
        """Coefficients without each cluster (G, K), NaN where one does not exist."""
        stage = self.stage
        dummies = np.zeros((int(self.place.max(initial=-1)) + 1, *stage.net.shape))
        for rows, place in zip(stage.members, self.place, strict=True):
            for t in np.flatnonzero(place >= 0):
                dummies[place[t], rows, t] = 1.0
        z = np.concatenate([stage.flat[None], stage.x, dummies])
        design = stage.design
        spread = np.append(stage.spread, (stage.effects.mass * dummies).sum(axis=(1, 2)))
        found = solve_without(stage.effects, z, spread, design.unit_clusters, design.n_clusters)
        slopes = np.where(found.slopes_known, found.slopes, np.nan)
        return np.asarray(slopes[: design.n_clusters, len(stage.x) + self.shown])


def leads_of(stage: Untreated, leads: int | None = None) -> Leads:
    """Estimate all leads; keep those from ``-leads`` on."""
    seen = stage.effects.mass > 0
    rows = stage.by_cohort(seen)
    events, before = _events(stage), rows > 0
    left_out, note = _reference(stage, events, before)
    estimated = before & ~left_out
    every = np.unique(events[before])
    columns = np.unique(events[estimated])
    place = np.where(estimated, np.searchsorted(columns, events), -1)
    fitted = _fit(stage, place, len(columns))
    shown = columns if leads is None else columns[columns >= -leads]
    kept = np.searchsorted(columns, shown)
    every = every if leads is None else every[every >= -leads]
    column = np.array([np.searchsorted(shown, e) if e in shown else -1 for e in every], dtype=np.int64)
    counts = [
        rows[(estimated if k >= 0 else before) & (events == e)].sum()
        for e, k in zip(every, column, strict=True)
    ]
    at = np.where(before & np.isin(events, every), np.searchsorted(every, events), -1)
    coefficients, identified, psi, factor = fitted
    return Leads(
        stage, every, column, at, left_out, np.array(counts, dtype=np.int64),
        coefficients[kept], identified[kept], psi[:, kept], factor, note, place, kept,
    )  # fmt: skip


def _events(stage: Untreated) -> Ints:
    return np.asarray(stage.grid.periods[None, :] - stage.cohorts[:, None])


def _reference(stage: Untreated, events: Ints, before: Bools) -> tuple[Bools, str]:
    """Return the cohorts and periods left out, and the words that say so."""
    usual = -1 - stage.design.anticipation
    some: Bools = np.asarray(before.any(axis=1))
    if (before & (events == usual)).any() or not some.any():
        return before & (events == usual), f"reference event time {usual}"
    last = np.where(before, events, np.iinfo(np.int64).min).max(axis=1)
    words = ", ".join(f"{g}: {e}" for g, e, ok in zip(stage.cohorts, last, some, strict=True) if ok)
    text = f"reference: each cohort's last observed period before adoption (event time by cohort {words})"
    return before & (events == last[:, None]), f"{text}, as no cohort is observed at event time {usual}"


def _fit(stage: Untreated, place: Ints, k: int) -> tuple[Floats, Bools, Floats, float]:
    """Regress the outcome net of effects on ``k`` leads and the covariates."""
    mass, x = stage.effects.mass, stage.x
    right, inner, spread = _moments(stage, place, k)
    period = stage.periods_solved(right)
    gram = np.zeros((k + len(x), k + len(x)))
    gram[:k, :k] = inner - right.T @ period
    gram[k:, k:] = np.einsum("jnt,lnt->jl", mass * x, x, optimize=True)
    for j, values in enumerate(x):
        gram[:k, k + j] = gram[k + j, :k] = _picked(stage, mass * values, place, k)
    inverse, known, rank = (found[0] for found in pseudo_inverse(gram[None], np.append(spread, stage.spread)))
    slopes, left = np.zeros(k + len(x)), stage.flat
    for _ in range(2):
        weighted = mass * left
        rest = np.einsum("nt,jnt->j", weighted, x, optimize=True) if len(x) else np.empty(0)
        slopes = slopes + inverse @ np.concatenate([_picked(stage, weighted, place, k), rest])
        left = _net(stage, place, slopes, period)
    weighted = mass * left
    scores = np.column_stack([-weighted @ period, *(np.einsum("nt,nt->n", weighted, one) for one in x)])
    for rows, at in zip(stage.members, place, strict=True):
        scores[np.ix_(rows, at[at >= 0])] += weighted[rows][:, at >= 0]
    factor = _factor(stage, int(rank))
    psi = np.sqrt(factor) * scores @ inverse[:, :k]
    return np.where(known[:k], slopes[:k], np.nan), known[:k], np.where(known[:k], psi, 0.0), factor


def _net(stage: Untreated, place: Ints, slopes: Floats, period: Floats) -> Floats:
    """Return residuals (N, T): a lead net of effects is its column less period and unit effects."""
    k, later = period.shape[1], -period @ slopes[: period.shape[1]]
    fitted = np.repeat(later[None, :], len(stage.net), axis=0)
    for rows, at in zip(stage.members, place, strict=True):
        fitted[rows] += np.append(slopes[:k], 0.0)[at]
    fitted -= np.einsum("nt,nt->n", stage.effects.shares, fitted)[:, None]
    left = stage.flat - fitted
    return left - np.tensordot(slopes[k:], stage.x, axes=1) if len(stage.x) else left


def _moments(stage: Untreated, place: Ints, k: int) -> tuple[Floats, Floats, Floats]:
    """Return moments of the leads net of unit means: with periods (T, k), with each other; and their mass."""
    n_periods = place.shape[1]
    right, inner, spread = np.zeros((n_periods, k)), np.zeros((k, k)), np.zeros(k)
    for rows, at in zip(stage.members, place, strict=True):
        mass = stage.effects.mass[rows]
        within = np.diag(mass.sum(axis=0)) - mass.T @ stage.effects.shares[rows]
        used = np.flatnonzero(at >= 0)
        right[:, at[used]] += within[:, used]
        inner[np.ix_(at[used], at[used])] += within[np.ix_(used, used)]
        spread[at[used]] += mass.sum(axis=0)[used]
    return right, inner, spread


def _picked(stage: Untreated, values: Floats, place: Ints, k: int) -> Floats:
    """Sum rows (N, T) by lead (k)."""
    sums = stage.by_cohort(values)
    return np.bincount(place[place >= 0], weights=sums[place >= 0], minlength=k).astype(np.float64)


def _factor(stage: Untreated, rank: int) -> float:
    """Return G/(G-1) (N-1)/(N-K) of untreated rows, K without unit effects, which clusters hold."""
    effects = stage.effects
    g = np.unique(stage.design.unit_clusters[effects.unit_mass > 0]).size
    rows = int((effects.mass > 0).sum())
    k = rank + effects.rank - int((effects.unit_mass > 0).sum()) + 1
    return g / (g - 1) * (rows - 1) / (rows - k) if g > 1 and rows > k else float("nan")
