"""Degrees of freedom of the CR2 error with a random effect per cluster (Imbens and Kolesar)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from clsimpact.inference.few_treated import refuse, wrong
from clsimpact.inference.sandwich import adjust, cluster_sums

__all__ = ["imbens_kolesar"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Labels = NDArray[np.generic]


def imbens_kolesar(influence: Floats, basis: Floats, clusters: Ints, *, residuals: Floats) -> float:
    r"""Degrees of freedom of the CR2 error with a random effect per cluster (Imbens and Kolesar 2016).

    Satterthwaite's approximation, as in `clsimpact.inference.sandwich.satterthwaite`, but for errors with
    covariance :math:`\Omega_g = \sigma^2 I + \rho\,\iota\iota'` in each cluster:

    .. math:: \nu = \frac{\mathrm{tr}(G'\Omega G)^2}{\mathrm{tr}((G'\Omega G)^2)}, \qquad
              G_g = (I-H)_g' A_g p_g, \qquad A_g = (I-H_{gg})^{-1/2},

    .. math:: \rho = \max\Big(0, \frac{\sum_g \sum_{r \ne s} e_{gr} e_{gs}}{\sum_g n_g (n_g - 1)}\Big), \qquad
              \sigma^2 = \max\Big(0, \frac{e'e}{n} - \rho\Big).

    A negative :math:`\rho` is set to zero, as in the authors' first code (R dfadjust: ``rho0=TRUE``); a
    negative one need not give a covariance. With effects absorbed that are nested in the clusters (unit
    effects, clusters of units or above), :math:`I-H` annihilates the random effect and :math:`\nu` is
    Satterthwaite's.

    Parameters
    ----------
    influence
        p (n): how each outcome moves the contrast.
    basis
        Q (n, q): orthonormal basis of all regressors, net of effects nested in the clusters.
    clusters
        Cluster of each row (n).
    residuals
        e (n), in units of the outcome.

    Returns
    -------
    float
        Between 1 and the number of clusters; NaN where the contrast has no variance.

    Raises
    ------
    DesignError
        Shapes that do not fit, numbers missing, fewer than two clusters, or residuals that are all zero.

    Notes
    -----
    For regressions without weights: the random effect is the same for all rows of a cluster.

    References
    ----------
    Imbens and Kolesar (2016), doi 10.1162/REST_a_00552; the working covariance is that of Moulton (1986), doi
    10.1016/0304-4076(86)90021-7.

    Examples
    --------
    The mean of six numbers in clusters of 4, 1 and 1, which differ a lot and little within:

    >>> p, q, groups = np.full(6, 1 / 6), np.full((6, 1), 6**-0.5), np.array([0, 0, 0, 0, 1, 2])
    >>> apart = np.array([2.0, 2, 2, 2, -3, -5])
    >>> within = np.array([3.0, -3, 3, -3, 1, -1])
    >>> [round(imbens_kolesar(p, q, groups, residuals=e), 3) for e in (apart, within)]
    [1.328, 1.471]
    """
    influence, basis = np.asarray(influence, dtype=float), np.asarray(basis, dtype=float)
    residuals, clusters = np.asarray(residuals, dtype=float), np.asarray(clusters)
    refuse(_bad_rows(influence, basis, clusters, residuals))
    _, codes = np.unique(clusters, return_inverse=True)
    g, q = int(codes.max()) + 1, basis.shape[1]
    sigma2, rho = _moulton(residuals, codes, g)
    a = _cr2(influence, basis, codes)[:, None]
    sums = cluster_sums(np.hstack([a**2, a, a * basis, basis]), codes, g)
    total, b, f = sums[:, 1], sums[:, 2 : 2 + q], sums[:, 2 + q :]
    # G'VG = diag(own) + U C U', with U of 2q columns: no matrix of clusters by clusters is made.
    own = sigma2 * sums[:, 0] + rho * total**2
    u = np.hstack([b, total[:, None] * f])
    one = np.eye(q)
    c = np.block([[rho * f.T @ f - sigma2 * one, -rho * one], [-rho * one, 0 * one]])
    small = c @ (u.T @ u)
    top = float(own.sum() + np.trace(small))
    bottom = float(own @ own + 2 * own @ ((u @ c) * u).sum(axis=1) + (small * small.T).sum())
    return top**2 / bottom if bottom > 0 else float("nan")


def _moulton(residuals: Floats, codes: Ints, g: int) -> tuple[float, float]:
    """Variances within and between clusters, relative to the mean square."""
    e = residuals / np.abs(residuals).max()
    square = float(e @ e)
    pairs = float((np.bincount(codes).astype(float) ** 2).sum()) - e.size
    between = float((cluster_sums(e[:, None], codes, g) ** 2).sum()) - square
    rho = max(0.0, between / pairs) if pairs else 0.0
    return max(0.0, square / e.size - rho), rho


def _cr2(influence: Floats, basis: Floats, codes: Ints) -> Floats:
    """Multiply the influence (n) of each cluster by its A."""
    out = np.empty_like(influence)
    order = np.argsort(codes, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(codes[order])) + 1):
        out[rows] = adjust(basis[rows], influence[rows, None], "CR2")[:, 0]
    return out


def _bad_rows(influence: Floats, basis: Floats, clusters: Labels, residuals: Floats) -> list[str]:
    """Say what is wrong with the arrays of a regression."""
    n = influence.size
    out = wrong("influence", influence, (-1,), "row")
    out += wrong("basis", basis, (n, -1), "row") + wrong("residuals", residuals, (n,), "row")
    if clusters.shape != (n,):
        out.append(f"clusters has shape {clusters.shape}; ({n}) is needed, one per row")
    if np.unique(clusters).size < 2:
        out.append("clusters has fewer than two values; two or more are needed: cluster by unit, say")
    if not residuals.any():
        out.append("residuals are all 0: they show no variance; residuals in units of the outcome are needed")
    return out
