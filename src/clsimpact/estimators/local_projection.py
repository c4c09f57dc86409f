r"""Local projections difference in differences (Dube, Girardi, Jordà and Taylor)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from clsimpact._procedures import base_kind, finished, quick_kind
from clsimpact.design import Design
from clsimpact.errors import DesignError
from clsimpact.estimators._cells import Cells, Effects, plan_of
from clsimpact.estimators._differences import (
    Contrasts,
    Pair,
    base_positions,
    behind,
    compare,
    effect_cells,
    positions,
    sample_frame,
)
from clsimpact.estimators._events import EventRegressions, Slopes, members_of, path_of, row_mass, slopes_of
from clsimpact.estimators._grid import Grid, grid_of
from clsimpact.estimators._options import require_choice, require_design, require_unit_effects, require_whole
from clsimpact.inference.methods import Method
from clsimpact.results import Estimate

__all__ = ["local_projection"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def local_projection(
    design: Design,
    *,
    control: Literal["not_yet", "never"] = "not_yet",
    weighting: Literal["regression", "equal"] = "regression",
    base: Literal["last", "mean"] = "last",
    leads: int | None = None,
    lags: int | None = None,
    inference: str | Method = "auto",
    level: float = 0.95,
) -> Estimate:
    r"""Estimate the path of effects by one regression of long differences for each event time.

    For each event time e, over units that adopt in s and clean controls, pooled over s,

    .. math:: y_{i,s+e} - y_{i,b(s)} = \delta^e_s + \beta_e\, 1[g_i = s] + x_{i,b(s)}'\gamma^e + u^e_{is},

    where b(s) is the last period before s (before anticipation) and a clean control is untreated through
    ``s + e`` (for leads: through s). So nobody already treated is ever a control. Under parallel trends and
    no anticipation :math:`\beta_e`, e >= 0, is a weighted mean with positive weights of the effects on the
    cohorts after e periods; leads are placebos.

    **Weighting.** ``"regression"``: least squares, :math:`\beta_e = \sum_g \kappa_g \Delta_{g,g+e} / \sum_g
    \kappa_g` with :math:`\kappa_g = a b / (a + b)` for a adopters and b clean controls; :math:`\Delta` is the
    difference of mean changes. ``"equal"``: each adopter counts the same, :math:`\kappa_g = a`; without
    covariates by the paper's reweighted regression, with covariates by regression adjustment (slopes from
    all clean controls). On a balanced panel without covariates that is the effect by event time of
    Callaway and Sant'Anna with not-yet-treated controls.

    **Base.** ``"last"``: the last period before adoption. ``"mean"``: the mean of all periods of the unit up
    to it (premean differencing); then every lead is an estimate and none is a reference.

    **Covariates** count with their value in the base period. With ``weighting="regression"`` they enter the
    regression as they are, which assumes that effects do not vary with them.

    **Variance.** Scores of all regressions are joined by cluster. CR1 (default) has the factor
    :math:`\frac{G_e}{G_e-1}\frac{N_e-1}{N_e-K_e}` of each regression, where N counts all clean rows, those
    of periods without adopters too (with ``"equal"`` only periods with both), and K their period effects,
    the effect and the slopes; t with G_e - 1 degrees of freedom, for means the least. CR2 (Satterthwaite)
    adjusts each regression. CR3 and jackknife leave out one cluster at a time, exactly and in closed form,
    with ``"equal"`` weights computed anew. With covariates and ``"equal"``: CR0 and CR1 only.

    Parameters
    ----------
    design
        Who is compared with whom. Weights of a row count in the base period.
    control
        ``"not_yet"``: units still untreated; ``"never"``: units that do not adopt by the end of the panel.
    weighting, base
        See above.
    leads, lags
        Event times from -leads to lags; None for all.
    inference
        ``"auto"``, a method, or the name of one: see `Estimate.with_inference`. Covariances:
        ``"CR0"``, ``"CR1"``, ``"CR2"``, ``"CR3"`` or ``"jackknife"``.
    level
        Confidence level.

    Returns
    -------
    Estimate
        Terms ``"e=-2"``, ``"e=0"`` and so on in units of the outcome; ``overall`` is the mean of e >= 0.

    Raises
    ------
    DesignError
        Effects other than of the unit, unusable options, or no cell to compare.

    Notes
    -----
    Dube, Girardi, Jordà and Taylor (2025), Journal of Applied Econometrics; NBER working paper 31184, doi
    10.3386/w31184. See ``docs/methodology/local_projection.md``.

    Examples
    --------
    >>> from clsimpact.datasets import load_mpdta
    >>> design = Design(load_mpdta(), outcome="lemp", unit="county", time="year", cohort="first_treat")
    >>> fit = local_projection(design)
    >>> fit.tidy()[["term", "estimate", "std_error"]].tail(4).round(6)
      term  estimate  std_error
    4  e=0 -0.017570   0.011390
    5  e=1 -0.054265   0.017131
    6  e=2 -0.136274   0.036067
    7  e=3 -0.100811   0.035028
    """
    require_design(design, "local_projection")
    kind = base_kind(inference, "CR1")
    require_unit_effects(design, "local_projection")
    require_choice("control", control, ("not_yet", "never"))
    require_choice("weighting", weighting, ("regression", "equal"))
    require_choice("base", base, ("last", "mean"))
    require_whole("leads", leads, least=1)
    require_whole("lags", lags, least=0)
    grid = grid_of(design)
    bases = base_positions(design, grid)
    pairs = _pairs(design, grid, bases, leads, lags, base)
    found = compare(design, grid, pairs, never=control == "never", mean_base=base == "mean")
    kappa = row_mass(found, weighting)[2]
    starts, bases = bases, {} if base == "mean" else bases
    cells = effect_cells(design, grid, found, kappa, bases)
    _require_known(found, cells)
    plan = plan_of(cells, "dynamic")
    members = members_of(plan, cells, found)
    events = {int(t.event_time or 0): m for t, m in zip(plan.terms, members, strict=True) if m.size}
    clean = _clean(design, grid, starts, never=control == "never", mean_base=base == "mean")
    found, slopes = _covariates(design, grid, found, events, weighting, clean)
    sizes = {e: _size(design, found, mine, clean, weighting) for e, mine in events.items()}
    held = EventRegressions(design, found, cells, plan, weighting, sizes, slopes)
    made = Effects(
        estimator="local_projection",
        design=design,
        cells=cells,
        estimates=np.where(cells.identified, found.gap[positions(cells, found)], np.nan),
        averaged=held.averaged,
        covariance=kind,
        level=level,
        equation=_equation(design, base),
        notes=(_note(design, control, weighting, base),),
        sampler=lambda plan: sample_frame(design, grid, found, cells, plan, mean_base=base == "mean"),
        behind=behind(cells, found),
        options={"control": control, "weighting": weighting, "base": base},
    )
    path = path_of(made)
    again = partial(
        local_projection,
        control=control,
        weighting=weighting,
        base=base,
        leads=leads,
        lags=lags,
        level=level,
        inference=quick_kind(kind),
    )
    return finished(path, again, inference)


def _require_known(found: Contrasts, cells: Cells) -> None:
    if not found.known.any():
        reasons = list(dict.fromkeys(reason for reason in cells.reasons if reason))
        raise DesignError(
            "No event time can be estimated.",
            reasons[:12],
            repair="Adopters need a period before adoption, and clean controls beside them.",
        )


def _pairs(
    design: Design, grid: Grid, bases: dict[int, int], leads: int | None, lags: int | None, base: str
) -> list[Pair]:
    """List cells: controls untreated through the period of the outcome; for leads, through adoption."""
    out = []
    for g, k in bases.items():
        start = g - design.anticipation
        for t in (int(t) for t in grid.periods):
            before = k >= 0 and t <= int(grid.periods[k]) - (base == "last")
            inside = (leads is None or t - g >= -leads) and (lags is None or t - g <= lags)
            if inside and (t >= start or before):
                out.append(Pair(g, t, k, float(max(t, start))))
    if not out:
        raise DesignError("No event time is left to estimate.", repair="Widen leads and lags.")
    return out


def _covariates(
    design: Design, grid: Grid, found: Contrasts, events: dict[int, Ints], scheme: str, clean: _Clean
) -> tuple[Contrasts, dict[int, Slopes]]:
    """Return cells with changes net of covariates, and the slopes by event time."""
    if not design.covariates:
        return found, {}
    change, out = found.change.copy(), {}
    for e, mine in events.items():
        lone = [
            p for p, ok in zip(found.pairs, found.known, strict=True) if p.period - p.cohort == e and not ok
        ]
        rest = [pair for pair in (*lone, *clean.pairs(e)) if pair.base >= 0]
        more = compare(design, grid, rest, never=clean.never, mean_base=clean.mean_base)
        x = grid.x[:, :, [pair.base for pair in (*(found.pairs[c] for c in mine), *rest)]]
        out[e] = slopes_of(found, mine, more, x, scheme, design.covariates)
        change[:, mine] -= np.tensordot(out[e].gamma, x[:, :, : mine.size], axes=1)
    return replace(found, change=change), out


def _size(
    design: Design, found: Contrasts, mine: Ints, clean: _Clean, weighting: str
) -> tuple[int, int, int]:
    """Rows, parameters and clusters of the regression of one event time with the cells ``mine``."""
    if weighting == "equal" and not design.covariates:
        hit = (found.treated[:, mine] > 0) | (found.control[:, mine] > 0)
        rows, periods, there = int(hit.sum()), mine.size, np.asarray(hit.any(axis=1))
    else:
        rows, periods, there = clean.count(found.pairs[mine[0]].period - found.pairs[mine[0]].cohort)
    if design.n_clusters == len(design.units):
        clusters = int(there.sum())
    else:
        clusters = np.unique(design.unit_clusters[there]).size
    return rows, periods + 1 + len(design.covariates), clusters


@dataclass(frozen=True)
class _Clean:
    """Clean rows over all dates of adoption, whether anybody adopts or not.

    Attributes
    ----------
    dates, before : integer arrays (s)
        Dates of adoption, and the position of the base period of each.
    levels : tuple of (float, integer array)
        Start of treatment and the units that have it.
    """

    design: Design
    grid: Grid
    dates: Ints
    before: Ints
    levels: tuple[tuple[float, Ints], ...]
    never: bool
    mean_base: bool

    def count(self, event: int) -> tuple[int, int, NDArray[np.bool_]]:
        """Count rows and periods with rows, and mark units with rows, at one event time."""
        grid, wait = self.grid, self.design.anticipation
        dates, before, after = self._at(event)
        until = np.maximum(dates + event, dates - wait)
        least = 1 + (self.mean_base & (after <= before))
        rows, there = np.zeros(dates.size, dtype=np.int64), np.zeros(len(grid.seen), dtype=bool)
        for start, units in self.levels:
            clean = start > grid.periods[-1] if self.never else start > until
            pick = np.flatnonzero(clean | (dates - wait == start))
            if pick.size == 0:
                continue
            seen = grid.seen[units]
            if seen.all():
                hit = np.broadcast_to(self._enough(before, least)[pick], (units.size, pick.size))
            else:
                known = np.cumsum(seen, axis=1) if self.mean_base else seen
                hit = (known[:, before[pick]] >= least[pick]) & seen[:, after[pick]]
                if self.design.covariates:
                    hit &= seen[:, before[pick]]
            rows[pick] += hit.sum(axis=0)
            there[units] |= hit.any(axis=1)
        return int(rows.sum()), int((rows > 0).sum()), there

    def pairs(self, event: int) -> list[Pair]:
        """List the cells of one event time at dates at which nobody adopts."""
        out = []
        for s, k, _ in zip(*self._at(event), strict=True):
            if s not in self.design.cohort_sizes:
                until = float(max(s + event, s - self.design.anticipation))
                out.append(Pair(int(s), int(s + event), int(k), until))
        return out

    def _at(self, event: int) -> tuple[Ints, Ints, Ints]:
        """Return dates with a row at this event time, positions of their base and of the outcome.

        After a gap the outcome of a lead can be the base itself: its change is zero by construction.
        """
        start = self.dates - self.design.anticipation
        after = np.searchsorted(self.grid.periods, self.dates + event)
        beside = (self.dates + event >= start) | (after < self.before + self.mean_base)
        ok = np.isin(self.dates + event, self.grid.periods) & beside
        return self.dates[ok], self.before[ok], after[ok]

    def _enough(self, before: Ints, least: Ints) -> NDArray[np.bool_]:
        return np.asarray(before + 1 >= least) if self.mean_base else np.ones(before.size, dtype=bool)


def _clean(design: Design, grid: Grid, bases: dict[int, int], *, never: bool, mean_base: bool) -> _Clean:
    dates = np.union1d(grid.periods, np.array(list(bases), dtype=np.int64))
    before = np.searchsorted(grid.periods, dates - design.anticipation) - 1
    for g, k in bases.items():
        before[dates == g] = k
    start = np.where(np.isnan(grid.cohorts), np.inf, grid.cohorts - design.anticipation)
    values, at = np.unique(start, return_inverse=True)
    levels = tuple((float(value), np.flatnonzero(at == j)) for j, value in enumerate(values))
    ok = before >= 0
    return _Clean(design, grid, dates[ok], before[ok], levels, never, mean_base)


def _equation(design: Design, base: str) -> str:
    start = "b(s)" if base == "last" else "mean up to b(s)"
    covariates = "".join(f" + γ[e]·{name}[i,b(s)]" for name in design.covariates)
    return (
        f"{design.outcome}[i,s+e] − {design.outcome}[i,{start}] = {design.time}[s,e] + "
        f"β[e]·1[cohort[i] = s]{covariates} + error[i,s,e]"
    )


def _note(design: Design, control: str, weighting: str, base: str) -> str:
    clean = "never treated in the panel" if control == "never" else "untreated through the event time"
    how = "by the variance of treatment" if weighting == "regression" else "by adopters"
    start = f"event time {-1 - design.anticipation}" if base == "last" else "mean of earlier periods"
    return f"Comparison: units {clean}; base: {start}; cohorts weighted {how}"
