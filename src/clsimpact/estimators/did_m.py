r"""Effects of switching, against units that have not switched yet (de Chaisemartin and D'Haultfoeuille)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache, partial

import numpy as np
from numpy.typing import NDArray

from clsimpact._procedures import base_kind, finished, quick_kind
from clsimpact.design import Design
from clsimpact.errors import DesignError
from clsimpact.estimators._cells import Cells, Effects, Plan, plan_of
from clsimpact.estimators._differences import (
    Contrasts,
    Pair,
    base_positions,
    behind,
    compare,
    effect_cells,
    left_out_of,
    positions,
    sample_frame,
    without_each,
)
from clsimpact.estimators._events import RANK_TOLERANCE, lone_told
from clsimpact.estimators._grid import Grid, grid_of
from clsimpact.estimators._options import require_design, require_unit_effects, require_whole
from clsimpact.estimators._untreated import spread_of
from clsimpact.estimators._within_solve import EMPTY_TOLERANCE
from clsimpact.inference.influence import Influence
from clsimpact.inference.methods import Method
from clsimpact.inference.sandwich import Counts
from clsimpact.results import Estimate

__all__ = ["did_m"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def did_m(
    design: Design,
    *,
    effects: int | None = None,
    placebos: int | None = None,
    inference: str | Method = "auto",
    level: float = 0.95,
) -> Estimate:
    r"""Estimate effects of adoption by event time from units not treated yet (DID_M and its dynamic form).

    With :math:`F_g = g - \text{anticipation}`, base period :math:`b` (the last before :math:`F_g` in which
    the cohort is observed) and controls that are untreated through t,

    .. math:: \Delta_{gt} = \bar y_{g,t} - \bar y_{g,b} - (\bar y_{C,t} - \bar y_{C,b}), \quad
              C = \{i : F_i > t\}, \qquad
              DID_e = \sum_g \frac{A_{g,g+e}}{\sum_h A_{h,h+e}}\, \Delta_{g,g+e},

    where A is the number (or weight) of switchers. ``e=0`` is **DID_M** of the 2020 paper, the effect in the
    period of adoption; ``e=1`` and later are the dynamic effects of the 2024 paper (its
    :math:`DID_{\ell}` with :math:`\ell = e + 1`). Earlier event times are long-difference placebos: the
    change from the base back to ``t < b``, for the same switchers and controls as the effect at the mirrored
    distance, :math:`C = \{i: F_i > b + (b - t)\}`, all observed there too. A placebo whose mirror image
    lies after the panel is not estimated.

    Under parallel trends of the untreated outcome and no anticipation, :math:`DID_e` is the mean effect after
    e periods on those who can be compared, whatever the effects of others.

    ``overall`` is the average total effect per treated unit and period, :math:`\sum A_{gt}\Delta_{gt} / \sum
    A_{gt}` over :math:`t \ge g`. Weights of a row count in the period t of the outcome (mirrored period for
    placebos).

    **Covariates** enter as in the paper: :math:`\theta` from a regression of first differences of the outcome
    on those of the covariates and period effects among rows not yet treated; then the changes above are those
    of :math:`y - x'\theta`. A covariate that does not change over time is refused.

    **Variance.** ``"cohort"`` is the paper's: with weights in :math:`DID_e` held fixed, the deviation of a
    switcher's change from the mean of its cohort, and of a control's from the mean of the controls of the
    cell, each times :math:`\sqrt{n/(n-1)}` for the n units (clusters) of that group; a group of one takes
    mean and n of switchers and controls together. Sums by unit (cluster) are squared. With covariates the
    influence of :math:`\theta` is added. ``"CR0"`` has no such factor, ``"CR1"`` G/(G-1) for all. ``"CR3"``
    and ``"jackknife"`` leave out one cluster at a time, with all means and weights computed anew in closed
    form (not with covariates).

    Parameters
    ----------
    design
        Who is compared with whom.
    effects, placebos
        How many event times after adoption (0 to effects - 1, plus anticipated ones) and before the
        reference; None for all.
    inference
        ``"auto"``, a method, or the name of one: see `Estimate.with_inference`. Covariances:
        ``"cohort"`` (usual), ``"CR0"``, ``"CR1"``, ``"CR3"`` or ``"jackknife"``; t with G - 1 degrees of
        freedom.
    level
        Confidence level.

    Returns
    -------
    Estimate
        Terms ``"e=-2"``, ``"e=0"`` and so on in units of the outcome, the reference at zero. ``aggregate``
        gives the other averages.

    Raises
    ------
    DesignError
        Effects other than of the unit, unusable options, constant covariates, or no cell to compare.

    Notes
    -----
    de Chaisemartin and D'Haultfoeuille (2020), doi 10.1257/aer.20181169, and (2024), doi
    10.1162/rest_a_01414. See ``docs/methodology/did_m.md``.

    Examples
    --------
    >>> from clsimpact.datasets import load_mpdta
    >>> design = Design(load_mpdta(), outcome="lemp", unit="county", time="year", cohort="first_treat")
    >>> fit = did_m(design)
    >>> fit.tidy()[["term", "estimate", "std_error", "n_units"]].tail(4).round(6)
      term  estimate  std_error  n_units
    4  e=0 -0.018922   0.012057      191
    5  e=1 -0.053589   0.017065       60
    6  e=2 -0.136274   0.036067       20
    7  e=3 -0.100811   0.035028       20
    >>> fit.overall[["estimate", "std_error"]].round(6).iloc[0].tolist()
    [-0.039764, 0.011793]
    """
    require_design(design, "did_m")
    kind = base_kind(inference, "cohort")
    require_unit_effects(design, "did_m")
    require_whole("effects", effects, least=1)
    require_whole("placebos", placebos, least=0)
    grid = grid_of(design)
    bases = base_positions(design, grid)
    pairs = _pairs(design, grid, bases, effects, placebos)
    found = compare(design, grid, pairs, never=False) if pairs else None
    if found is None or not found.known.any():
        raise _nothing(design, grid, pairs)
    slopes = _slopes(design, grid) if design.covariates else None
    at_x = None if slopes is None else _changes_of_x(grid, found)
    if slopes is not None and at_x is not None:
        found = replace(found, change=found.change - np.tensordot(slopes.theta, at_x, axes=1))
    cells = effect_cells(design, grid, found, found.a, bases)
    held = _Held(design, found, cells, positions(cells, found), slopes, at_x)
    made = Effects(
        estimator="did_m",
        design=design,
        cells=cells,
        estimates=np.where(cells.identified, found.gap[held.at], np.nan),
        averaged=held.uncertainty,
        covariance=kind,
        level=level,
        equation=_equation(design),
        notes=(_note(design, grid, bases),),
        sampler=lambda plan: sample_frame(design, grid, found, cells, plan),
        behind=behind(cells, found),
    )
    path = _dynamic(made)
    again = partial(did_m, effects=effects, placebos=placebos, level=level, inference=quick_kind(kind))
    return finished(path, again, inference)


@dataclass(frozen=True)
class _Slopes:
    """Slopes of the covariates (k), and how each unit moved them (N, k)."""

    theta: Floats
    psi: Floats


@dataclass(frozen=True)
class _Held:
    """What the uncertainty of averages of cells needs."""

    design: Design
    found: Contrasts
    cells: Cells
    at: Ints
    slopes: _Slopes | None
    x: Floats | None

    def uncertainty(self, plan: Plan, weights: Floats) -> Influence:
        """Influence of each unit on averages of cells, and what other covariances need; for `Effects`."""
        design, found = self.design, self.found
        spread = self._spread(weights)
        theta = self._theta(spread)
        gap = np.where(self.cells.identified, found.gap[self.at], 0.0)

        @cache
        def cohort() -> Floats:
            return self._cohort(spread) + theta

        return Influence(
            estimates=gap @ weights,
            psi=_deviations(found, found.treated_mean, found.control_mean, spread, None) + theta,
            clusters=design.unit_clusters,
            counts=Counts(design.n_obs, design.n_clusters, 0, 0),
            left_out=None if self.slopes is not None else lambda: self._left_out(plan),
            other={"cohort": cohort},
        )

    def _spread(self, weights: Floats) -> Floats:
        """Weights by column of the contrasts instead of by cell."""
        out = np.zeros((len(self.found.pairs), weights.shape[1]))
        real = self.at >= 0
        out[self.at[real]] = weights[real]
        return out

    def _theta(self, spread: Floats) -> Floats:
        if self.slopes is None or self.x is None:
            return np.zeros((len(self.found.change), spread.shape[1]))
        moved = np.array([self.found.means_of(x) for x in self.x])
        return -self.slopes.psi @ (moved @ spread)

    def _cohort(self, spread: Floats) -> Floats:
        """Scores with the deviations and factors of the paper."""
        found, design = self.found, self.design
        n_up, n_down = (
            _groups(m, design.unit_clusters, design.n_clusters) for m in (found.treated, found.control)
        )
        lone = np.flatnonzero((n_up == 1) | (n_down == 1))
        n_all = np.zeros_like(n_up)
        both = found.treated[:, lone] + found.control[:, lone]
        n_all[lone] = _groups(both, design.unit_clusters, design.n_clusters)
        mass = np.where(found.a + found.b > 0, found.a + found.b, 1.0)
        mean = (found.a * found.treated_mean + found.b * found.control_mean) / mass
        up = np.where(n_up > 1, found.treated_mean, mean)
        down = np.where(n_down > 1, found.control_mean, mean)
        sizes = np.where(n_up > 1, n_up, n_all), np.where(n_down > 1, n_down, n_all)
        return _deviations(found, up, down, spread, sizes)

    def _left_out(self, plan: Plan) -> Floats:
        a, b, gap = without_each(self.found, self.design.unit_clusters, self.design.n_clusters)
        real = self.at >= 0
        mass, gaps = np.zeros((len(a), self.at.size)), np.full((len(a), self.at.size), np.nan)
        mass[:, real], gaps[:, real] = (a * (b > 0))[:, self.at[real]], gap[:, self.at[real]]
        return left_out_of(plan, mass, gaps)


def _deviations(
    found: Contrasts, up: Floats, down: Floats, spread: Floats, sizes: tuple[Ints, Ints] | None
) -> Floats:
    """Influence of each unit (N, q) on averages of gaps, from the deviations from given means."""
    a, b = np.where(found.known, found.a, np.inf), np.where(found.known, found.b, np.inf)
    if sizes is not None:
        factor = [np.sqrt(n / np.maximum(n - 1.0, 1.0)) for n in sizes]
        a, b = a / factor[0], b / factor[1]
    return found.pulled(spread / a[:, None], spread / b[:, None], up, down)


def _groups(mass: Floats, clusters: Ints, n_clusters: int) -> Ints:
    """Count the clusters with mass in each cell (C)."""
    there = mass > 0
    if len(clusters) == n_clusters:
        return np.asarray(there.sum(axis=0))
    hit = np.zeros((n_clusters, mass.shape[1]), dtype=bool)
    np.logical_or.at(hit, clusters, there)
    return np.asarray(hit.sum(axis=0))


def _pairs(
    design: Design, grid: Grid, bases: dict[int, int], effects: int | None, placebos: int | None
) -> list[Pair]:
    """List cells: t from adoption (anticipated or not) on, and placebos before the base."""
    out = []
    last = int(grid.periods[-1])
    for g, base in bases.items():
        start = g - design.anticipation
        for k, t in enumerate(int(t) for t in grid.periods):
            if t >= start and (effects is None or t - g < effects):
                out.append(Pair(g, t, base, float(t), weighed=k))
            elif 0 <= k < base and (placebos is None or start - 1 - t <= placebos):
                mirror = 2 * int(grid.periods[base]) - t
                why = (
                    f"no placebo for {t}: its mirror image, {mirror}, lies after the panel"
                    if mirror > last
                    else ""
                )
                seen = np.flatnonzero(grid.periods == mirror)
                needed = (int(seen[0]),) if seen.size else ()
                out.append(Pair(g, t, base, float(mirror), needed, needed[0] if needed else k, why))
    return out


def _nothing(design: Design, grid: Grid, pairs: list[Pair]) -> DesignError:
    if not pairs:
        return DesignError("No cohort and period can be compared.", repair="Ask for more effects.")
    cells = effect_cells(design, grid, compare(design, grid, pairs, never=False), np.zeros(len(pairs)), {})
    reasons = list(dict.fromkeys(reason for reason in cells.reasons if reason))
    return DesignError(
        "No cohort and period can be compared.",
        reasons[:12],
        repair="Adopters need a period before adoption, and units not treated yet beside them.",
    )


def _slopes(design: Design, grid: Grid) -> _Slopes:
    """Regress first differences on those of the covariates and period effects, rows not yet treated."""
    keep = grid.seen[:, 1:] & grid.seen[:, :-1] & ~grid.treated[:, 1:]
    mass = grid.mass[:, 1:] * keep
    whole = np.where(mass.sum(axis=0) > 0, mass.sum(axis=0), 1.0)

    def centred(values: Floats) -> Floats:
        step = np.where(keep, np.diff(values, axis=-1), 0.0)
        return np.asarray((step - (mass * step).sum(axis=-2)[..., None, :] / whole) * keep)

    x, y = centred(grid.x), centred(grid.y)
    scale = np.sqrt((mass * x**2).sum(axis=(1, 2)))
    moves = scale > EMPTY_TOLERANCE * spread_of(mass, grid.x[:, :, 1:])
    unmoved = [name for name, ok in zip(design.covariates, moves, strict=True) if not ok]
    x = x / np.where(moves, scale, 1.0)[:, None, None]
    system = np.einsum("knt,nt,lnt->kl", x, mass, x, optimize=True)
    if unmoved or np.linalg.eigvalsh(system)[0] < RANK_TOLERANCE:
        names = unmoved or list(design.covariates)
        raise DesignError(
            "did_m uses changes of covariates over time, and these do not move by themselves.",
            [f"covariate {name!r}" for name in names],
            repair="Leave it out, or use group_time or local_projection: they use its level before adoption.",
        )
    theta = np.linalg.solve(system, np.einsum("knt,nt,nt->k", x, mass, y, optimize=True))
    error = y - np.tensordot(theta, x, axes=1)
    psi = np.linalg.solve(system, (x * (mass * error)).sum(axis=2)).T
    return _Slopes(theta / scale, psi / scale)


def _changes_of_x(grid: Grid, found: Contrasts) -> Floats:
    """Change of each covariate (k, N, C) in each cell."""
    at = np.searchsorted(grid.periods, [pair.period for pair in found.pairs])
    base = np.array([max(pair.base, 0) for pair in found.pairs])
    return np.asarray(grid.x[:, :, at] - grid.x[:, :, base])


def _equation(design: Design) -> str:
    y = f"({design.outcome} − θ'x)" if design.covariates else design.outcome
    return (
        f"DID[e] = Σ_g A[g]·Δ[g, g+e] / Σ_g A[g], Δ[g,t] = change of {y} from the base period to t in "
        "cohort g, less the same among units not treated by t"
    )


def _note(design: Design, grid: Grid, bases: dict[int, int]) -> str:
    usual = -1 - design.anticipation
    odd = [
        f"{g}: {int(grid.periods[k])}" for g, k in bases.items() if k >= 0 and grid.periods[k] - g != usual
    ]
    text = f"Comparison: units not yet treated; base: event time {usual}"
    return (
        f"{text}, or the last observed period before it (cohort and period {', '.join(odd)})" if odd else text
    )


def _dynamic(made: Effects) -> Estimate:
    """Return the path, with the average per treated unit and period as overall effect."""
    path = made.estimate(plan_of(made.cells, "dynamic"))
    if (made.cells.events >= 0).any():
        path = replace(path, total=made.aggregate("simple"))
    return lone_told(path)
