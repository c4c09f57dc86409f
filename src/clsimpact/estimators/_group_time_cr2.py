r"""CR2 for differences of means: adjusted scores and Satterthwaite degrees of freedom.

The score of cluster h for an average with node coefficients :math:`u_v` and cohort-share constants
:math:`R_{hk}` of the effects :math:`\hat\tau_k` is

.. math:: s_h = \sum_v \kappa_{hv} u_v r_{hv} + \sum_k R_{hk}\hat\tau_k, \qquad
          \kappa_{hv} = (1 - \lambda_{hv})^{-1/2}.

Under the working model (independent errors of the rows with variance 1/w, parallel trends, one effect for
the cells averaged) s is linear in the errors and has mean zero and covariance

.. math:: C = \mathrm{diag}(\delta) - JK' - KJ' + KNK',

where N is the covariance of the node means, :math:`J_{hv}` that of a cluster's own changes with them,
:math:`\delta_h` the variance of its own changes, and :math:`K_{hv} = \kappa_{hv} u_v \lambda_{hv} -
\sum_k R_{hk} \partial\hat\tau_k/\partial m_v`. The degrees of freedom are
:math:`(\mathrm{tr}\,C)^2 / \lVert C \rVert_F^2`; for one effect and clusters of one unit the errors
are those of Welch's t test. No matrix of clusters by clusters is formed.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from clsimpact.estimators._group_time_means import WHOLE, Means
from clsimpact.inference.sandwich import cluster_sums

__all__ = ["adjustment", "corrected", "satterthwaite"]

Floats = NDArray[np.float64]


def corrected(means: Means, weights: Floats, constants: Callable[[int], Floats]) -> tuple[Floats, Floats]:
    """Return the scores of the clusters (G, q), cohort shares apart, and degrees of freedom (q).

    Parameters
    ----------
    means
    weights
        Weight of each cell in each average (m, q).
    constants
        Returns R (G, m) of one average.
    """
    kappa = adjustment(means)
    moved = cluster_sums(means.node_psi, means.clusters, means.n_clusters)
    df = [satterthwaite(means, kappa, column, constants(j)) for j, column in enumerate(weights.T)]
    return np.asarray((kappa * moved) @ (means.signs @ weights)), np.array(df)


def adjustment(means: Means) -> Floats:
    """Return the factor of each cluster in each node (G, v), 0 for a cluster that is the whole node."""
    rest = 1.0 - means.share
    return np.where(rest > WHOLE, 1 / np.sqrt(np.where(rest > WHOLE, rest, 1.0)), 0.0)


def satterthwaite(means: Means, kappa: Floats, weights: Floats, constants: Floats) -> float:
    """Return the degrees of freedom of one average.

    Parameters
    ----------
    means
    kappa
        From `adjustment`.
    weights
        Weight of each cell (m).
    constants
        R (G, m).
    """
    cells = (weights != 0) | constants.any(axis=0)
    used = np.flatnonzero((means.signs[:, cells] != 0).any(axis=1))
    signs = means.signs[used]
    u, k = signs @ weights, kappa[:, used]
    spread, gram = means.spread(used)
    own = k[means.clusters] * u * spread
    through = own @ gram
    delta = cluster_sums((own * through).sum(axis=1)[:, None], means.clusters, means.n_clusters)[:, 0]
    j = cluster_sums(spread * through, means.clusters, means.n_clusters)
    n = gram * (spread.T @ spread)
    big = k * u * means.share[:, used] - constants @ signs.T
    p, q = np.hstack([j, big]), np.hstack([-big, big @ n - j])
    cross = (p * q).sum(axis=1)
    trace = delta.sum() + cross.sum()
    square = (delta**2).sum() + 2 * (delta * cross).sum() + ((p.T @ p) * (q.T @ q)).sum()
    return float(trace**2 / square) if square > 0 and trace > 0 else float("nan")
