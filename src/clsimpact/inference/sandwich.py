r"""Covariances of least squares: one audited function of arrays.

Let :math:`\hat\beta = P'y` with :math:`P = \tilde X(\tilde X'\tilde X)^{-1}`, where :math:`\tilde X` holds
the regressors of interest net of effects and of all other regressors, :math:`e` the residuals and :math:`Q`
an orthonormal basis of *all* regressors net of the effects nested in the clusters. With weights, rows are
multiplied by the square root of their weight beforehand. Cluster :math:`g` has rows :math:`P_g, e_g, Q_g`,
and

.. math:: V = c \sum_g P_g' A_g e_g e_g' A_g' P_g, \qquad H_{gg} = Q_g Q_g'.

======  ==========================================  =================================  ====================
kind    :math:`A_g`                                 :math:`c`                          degrees of freedom
======  ==========================================  =================================  ====================
CR0     I                                           1                                  G - 1
CR1     I                                           G/(G-1) . (N-1)/(N-K)              G - 1
CR2     :math:`(I-H_{gg})^{-1/2}`                   1                                  Satterthwaite
CR3     :math:`(I-H_{gg})^{-1}`                     1                                  G - 1
HC1     I, every row its own cluster                N/(N-K)                            N - K
iid     :math:`s^2 P'P`, :math:`s^2 = e'e/(N-K)`    1                                  N - K
======  ==========================================  =================================  ====================

For CR1, K counts slopes and time effects but not effects nested in the clusters (the convention of R fixest
and Stata reghdfe); for HC1 and iid it counts every effect. CR2 and its degrees of freedom are those of R
clubSandwich: Bell and McCaffrey (2002); Pustejovsky and Tipton (2018), doi 10.1080/07350015.2016.1247004.
CR2 with weights takes them as inverse variances.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clsimpact.errors import DesignError, did_you_mean

__all__ = ["KINDS", "Counts", "Covariance", "cluster_sums", "sandwich", "satterthwaite"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

KINDS = ("CR0", "CR1", "CR2", "CR3", "HC1", "iid")
"""Names that `sandwich` understands."""

LEVERAGE_TOLERANCE = 1e-10
"""A cluster direction with 1 - leverage below this is fitted exactly: it has no residual to correct.

Rounding leaves 1e-15; a cluster that holds all but a millionth of the weight of a column leaves 1e-6."""


@dataclass(frozen=True)
class Counts:
    """Sizes that the finite-sample factors use.

    Attributes
    ----------
    n_obs : int
        Rows N.
    n_clusters : int
        Clusters G.
    k_nested : int
        Parameters K without the effects nested in the clusters.
    k_all : int
        Parameters K with every effect.

    Examples
    --------
    >>> Counts(n_obs=2500, n_clusters=500, k_nested=6, k_all=505).n_clusters
    500
    """

    n_obs: int
    n_clusters: int
    k_nested: int
    k_all: int


@dataclass(frozen=True)
class Covariance:
    """A covariance matrix with its convention.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    matrix : float array (p, p)
    df : float array (p)
        Degrees of freedom of the t distribution of each coefficient.
    factor : float
        The finite-sample factor, and ``factor_text`` the same with its numbers.
    counts : Counts
    lost : tuple of tuples
        For each number, the clusters without which it does not exist (leave-one-cluster-out only).

    Examples
    --------
    >>> counts = Counts(n_obs=4, n_clusters=2, k_nested=1, k_all=1)
    >>> Covariance("CR0", np.eye(1), np.array([1.0]), 1.0, "CR0 = 1", counts).factor_text
    'CR0 = 1'
    """

    kind: str
    matrix: Floats
    df: Floats
    factor: float
    factor_text: str
    counts: Counts
    lost: tuple[tuple[int, ...], ...] = ()


def cluster_sums(values: Floats, clusters: Ints, n_clusters: int) -> Floats:
    """Sum the rows (n, p) of each cluster (G, p).

    Examples
    --------
    >>> cluster_sums(np.array([[1.0], [2.0], [4.0]]), np.array([1, 0, 1]), 2).ravel().tolist()
    [2.0, 5.0]
    """
    if len(clusters) == n_clusters and (np.diff(clusters) == 1).all():
        return values
    out = np.empty((n_clusters, values.shape[1]))
    for j, column in enumerate(values.T):
        out[:, j] = np.bincount(clusters, weights=column, minlength=n_clusters)
    return out


def sandwich(
    influence: Floats, residuals: Floats, basis: Floats, clusters: Ints, *, kind: str, counts: Counts
) -> Covariance:
    """Estimate the covariance of least-squares coefficients.

    Parameters
    ----------
    influence
        P (n, p): how each (weighted) outcome moves each coefficient.
    residuals
        e (n).
    basis
        Q (n, q): orthonormal basis of all regressors net of effects nested in the clusters.
    clusters
        Cluster of each row (n), 0 to G-1.
    kind
        ``"CR0"``, ``"CR1"``, ``"CR2"``, ``"CR3"``, ``"HC1"`` or ``"iid"``; see the table of this module.
    counts
        N, G and K.

    Returns
    -------
    Covariance

    Raises
    ------
    DesignError
        Unknown kind, fewer than two clusters, or no degrees of freedom.

    Examples
    --------
    The mean of four numbers in two clusters:

    >>> y = np.array([1.0, 3.0, 2.0, 6.0])
    >>> p = np.full((4, 1), 0.25)
    >>> q = np.full((4, 1), 0.5)
    >>> counts = Counts(n_obs=4, n_clusters=2, k_nested=1, k_all=1)
    >>> v = sandwich(p, y - 3, q, np.array([0, 0, 1, 1]), kind="CR1", counts=counts)
    >>> v.matrix.item(), v.factor_text
    (1.0, 'CR1 = 2/1 · 3/3 = 2.0000')
    """
    factor, text = factor_of(kind, counts)
    free = counts.n_obs - counts.k_all if kind in ("HC1", "iid") else counts.n_clusters - 1
    df = np.full(influence.shape[1], float(free))
    if kind == "iid":
        matrix = float(residuals @ residuals) * (influence.T @ influence) / free
    elif kind == "HC1":
        scores = influence * residuals[:, None]
        matrix = factor * scores.T @ scores
    else:
        adjusted = _adjusted(influence, basis, clusters, kind)
        scores = _sums(adjusted * residuals[:, None], clusters)
        matrix = factor * scores.T @ scores
        if kind == "CR2":
            df = _satterthwaite(adjusted, basis, clusters)
    return Covariance(kind, matrix, df, factor, text, counts)


def satterthwaite(influence: Floats, basis: Floats, clusters: Ints, *, kind: str) -> float:
    r"""Degrees of freedom of a cluster-robust variance under independent, equal-variance errors.

    The variance estimate is a quadratic form in the errors; matching its first two moments to a scaled
    chi-squared gives

    .. math:: \nu = \frac{(\sum_g v_g'v_g)^2}{\sum_{g,h} (v_g'v_h)^2}, \qquad v_g = (I-H)_g' A_g p_g .

    Parameters
    ----------
    influence
        p (n): how each outcome moves the contrast.
    basis
        Q (n, q), as in `sandwich`.
    clusters
        Cluster of each row (n).
    kind
        ``"CR0"``, ``"CR1"``, ``"CR2"`` or ``"CR3"``.

    Returns
    -------
    float
        Between 1 and G; far below G when few clusters carry the contrast.

    Examples
    --------
    >>> p, q = np.full(4, 0.25), np.full((4, 1), 0.5)
    >>> round(satterthwaite(p, q, np.array([0, 1, 2, 3]), kind="CR2"), 6)
    3.0
    """
    adjusted = _adjusted(influence[:, None], basis, clusters, kind)
    return float(_satterthwaite(adjusted, basis, clusters)[0])


def _satterthwaite(adjusted: Floats, basis: Floats, clusters: Ints) -> Floats:
    """Degrees of freedom for each column of the adjusted influence (n, p)."""
    size = _sums(adjusted**2, clusters)
    out = np.full(adjusted.shape[1], np.nan)
    for j, a in enumerate(adjusted.T):
        b = _sums(basis * a[:, None], clusters)
        overlap = (b**2).sum(axis=1)
        own = size[:, j]
        bottom = float(own @ own - 2 * own @ overlap + ((b.T @ b) ** 2).sum())
        if bottom > 0:
            out[j] = float((own - overlap).sum()) ** 2 / bottom
    return out


def adjust(basis: Floats, values: Floats, kind: str) -> Floats:
    """Multiply ``values`` (m, p) of one cluster by its A, through the small side of ``basis`` (m, q).

    Examples
    --------
    >>> adjust(np.array([[0.6], [0.0]]), np.array([[1.0], [1.0]]), "CR3").ravel().round(4).tolist()
    [1.5625, 1.0]
    """
    if kind in ("CR0", "CR1"):
        return values
    u, s, _ = np.linalg.svd(basis, full_matrices=False)
    gain = gains(1 - s**2, kind)
    return np.asarray(values + u @ ((gain - 1)[:, None] * (u.T @ values)))


def gains(left: Floats, kind: str) -> Floats:
    """Return what CR2 and CR3 multiply a direction with ``left`` = 1 - leverage by; 0 where none is left.

    Examples
    --------
    >>> gains(np.array([1.0, 0.25, 0.0]), "CR2").tolist()
    [1.0, 2.0, 0.0]
    """
    power = -0.5 if kind == "CR2" else -1.0
    return np.where(left > LEVERAGE_TOLERANCE, np.maximum(left, LEVERAGE_TOLERANCE) ** power, 0.0)


def factor_of(kind: str, counts: Counts) -> tuple[float, str]:
    """Return the finite-sample factor and the same with its numbers.

    Raises
    ------
    DesignError
        Unknown kind, fewer than two clusters, or no degrees of freedom.

    Examples
    --------
    >>> factor_of("CR0", Counts(n_obs=4, n_clusters=2, k_nested=1, k_all=1))
    (1.0, 'CR0 = 1')
    """
    if kind not in KINDS:
        raise DesignError(
            f"covariance {kind!r} is not known{did_you_mean(str(kind), KINDS)}.",
            repair=f"Use one of {', '.join(KINDS)}; of draws are made 'permutation' and 'wild'.",
        )
    n, g = counts.n_obs, counts.n_clusters
    k = counts.k_all if kind in ("HC1", "iid") else counts.k_nested
    if n <= k:
        raise DesignError(f"{n} rows cannot carry {k} parameters.", repair="Use fewer terms or more rows.")
    if kind == "iid":
        return 1.0, f"iid: s² = e'e/{n - k}"
    if kind == "HC1":
        return n / (n - k), f"HC1 = {n}/{n - k} = {n / (n - k):.4f}"
    if g < 2:
        raise DesignError("Clustered errors need two clusters or more.", repair="Cluster by unit.")
    if kind == "CR1":
        factor = g / (g - 1) * (n - 1) / (n - k)
        return factor, f"CR1 = {g}/{g - 1} · {n - 1}/{n - k} = {factor:.4f}"
    return 1.0, f"{kind} = 1"


def _adjusted(influence: Floats, basis: Floats, clusters: Ints, kind: str) -> Floats:
    """Multiply the influence of each cluster by its A."""
    if kind in ("CR0", "CR1"):
        return influence
    out = np.empty_like(influence)
    order = np.argsort(clusters, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(clusters[order])) + 1):
        out[rows] = adjust(basis[rows], influence[rows], kind)
    return out


def _sums(values: Floats, clusters: Ints) -> Floats:
    """Sum the rows of each cluster."""
    if (np.diff(clusters) < 0).any():
        order = np.argsort(clusters, kind="stable")
        values, clusters = values[order], clusters[order]
    starts = np.concatenate([[0], np.flatnonzero(np.diff(clusters)) + 1])
    return np.asarray(np.add.reduceat(values, starts, axis=0))
