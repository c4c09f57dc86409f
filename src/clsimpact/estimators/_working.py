r"""CR2 for numbers that are linear in the outcomes but are not coefficients of one regression.

An imputed effect is :math:`v'y` with weights v that remove every unit effect, period effect and slope. Under
a working model in which effects differ by cohort and period only and errors are independent with equal
variance (with weights: inversely proportional to them), the residuals e of the regression on unit effects,
period effects, covariates and an indicator per treated cohort and period have covariance proportional to
:math:`M = I - H`, and

.. math:: \hat V = \sum_g (v_g' A_g e_g)^2, \qquad A_g = M_{gg}^{-1/2}

is unbiased. On balanced panels without weights these v are the influence of that regression itself, and this
is its CR2 (see `clsimpact.inference.sandwich`); leads are coefficients of a regression on untreated rows and
keep that regression's. Satterthwaite degrees of freedom follow from the same moments.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from clsimpact.estimators._untreated import Parts, Untreated
from clsimpact.estimators._within import least_squares
from clsimpact.inference.influence import Adjusted
from clsimpact.inference.sandwich import adjust, cluster_sums, satterthwaite

__all__ = ["adjusted_effects", "adjusted_leads", "together"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


def adjusted_effects(parts: Parts, weights: Floats, slopes: Floats) -> Adjusted:
    """Adjust averages of cells with ``weights`` (m, p) and of covariates with ``slopes`` (k, p)."""
    stage = parts.stage
    rows = (stage.effects.mass > 0) | (stage.grid.treated & stage.known)
    cells = np.full((len(stage.cohorts), rows.shape[1]), -1)
    some = stage.by_cohort(rows & stage.grid.treated) > 0
    cells[some] = np.arange(int(some.sum()))
    v = _weights(parts, weights)
    if stage.slopes.size:
        v += np.einsum("nt,knt,kp->ntp", stage.effects.mass, stage.x, stage.bread @ slopes)
    return _adjusted(stage, rows, cells, v[rows])


def adjusted_leads(stage: Untreated, place: Ints, shown: Ints) -> Adjusted:
    """Adjust leads ``shown`` among those at ``place`` (c, T)."""
    return _adjusted(stage, stage.effects.mass > 0, place, shown)


def together(effects: Adjusted, leads: Adjusted) -> Adjusted:
    """Put leads after effects; a combination of both has the smaller of the two degrees of freedom."""
    p = effects.scores.shape[1]

    def df(weights: Floats) -> Floats:
        found = np.array([effects.df(weights[:p]), leads.df(weights[p:])])
        return np.asarray(np.fmin(found[0], found[1]))

    return Adjusted(np.hstack([effects.scores, leads.scores]), df)


def _weights(parts: Parts, weights: Floats) -> Floats:
    """Weight of the outcome of each row in each average (N, T, p)."""
    stage, shares = parts.stage, parts.shares(weights)
    mass = stage.effects.mass
    direct = np.zeros((*mass.shape, weights.shape[1]))
    for rows, share in zip(stage.members, shares, strict=True):
        direct[rows] = parts.own[rows][:, :, None] * share
    whole = np.where(stage.effects.unit_mass > 0, stage.effects.unit_mass, 1.0)
    level = direct.sum(axis=1) / whole[:, None]
    totals = direct.sum(axis=0) - np.einsum("nt,np->tp", mass, level)
    period = stage.periods_solved(totals)
    level = level - stage.effects.shares @ period
    fitted = level[:, None, :] + period
    if stage.slopes.size:
        moved = stage.bread @ parts.covariate_means(weights)
        fitted = fitted + np.einsum("knt,kp->ntp", stage.x, moved)
    return np.asarray(direct - mass[:, :, None] * fitted)


def _adjusted(stage: Untreated, rows: Bools, cells: Ints, v: Floats | Ints) -> Adjusted:
    """Regress on cells (c, T), and adjust the weights v (n, p), or those of some of the cells."""
    unit, period = np.nonzero(rows)
    at = np.full(rows.shape, -1)
    for members, place in zip(stage.members, cells, strict=True):
        at[members] = place
    same: Bools = at[rows][:, None] == np.arange(cells.max(initial=-1) + 1)
    terms = np.column_stack([same.astype(np.float64), stage.grid.x[:, rows].T])
    _, codes = np.unique(unit, return_inverse=True)
    years: Bools = period[:, None] == np.unique(period)[1:]
    mass = stage.mass[rows]
    design = stage.design
    clusters = design.unit_clusters[unit]
    fit = least_squares(
        stage.grid.y[rows],
        terms,
        absorb=codes,
        nuisance=years.astype(np.float64),
        w=None if design.w is None else mass,
        n_clusters=design.n_clusters,
    )
    basis, error = fit.source.basis(), fit.source.residuals()
    scaled = v / np.sqrt(mass / mass.mean())[:, None] if v.ndim == 2 else (basis @ fit.loadings)[:, v]
    out = np.empty_like(scaled)
    order = np.argsort(clusters, kind="stable")
    for mine in np.split(order, np.flatnonzero(np.diff(clusters[order])) + 1):
        out[mine] = adjust(basis[mine], scaled[mine], "CR2")

    def df(weights: Floats) -> Floats:
        return np.array([_df(out @ w, basis, clusters) for w in weights.T])

    return Adjusted(cluster_sums(out * error[:, None], clusters, design.n_clusters), df)


def _df(adjusted: Floats, basis: Floats, clusters: Ints) -> float:
    return satterthwaite(adjusted, basis, clusters, kind="CR0") if adjusted.any() else float("nan")
