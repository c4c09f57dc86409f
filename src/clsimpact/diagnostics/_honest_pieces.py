r"""Relative magnitudes, piece by piece: what bounds the estimand, as linear forms of two numbers.

Write :math:`\delta` for the difference in trends that remains, with :math:`\delta_{ref} = 0`. Relative
magnitudes say that no step of it after the reference exceeds :math:`\bar M` times the largest step before.
The set is a union over the step s that is largest and over its sign; one piece asks for
:math:`|\delta_t - \delta_{t-1}| \le \bar M d`, t after the reference, where d is plus or minus step s.

Let :math:`u_j` be the steps of the coefficients after the reference, l the weights of the estimand
:math:`\theta = l'\tau`, :math:`c_j = \sum_{k \ge j} l_k`, so that :math:`l'\beta_{post} = c'u =: p`. In the
moment inequalities :math:`\pm(u_j - x_j) - \bar M d \le 0`, :math:`c'x = \theta`, the steps x of the effects
are nuisance parameters. The Andrews-Roth-Pakes statistic is the smallest :math:`\eta` at which all hold after
:math:`\eta` standard deviations are added to each. Its dual has the vertices

.. math::
    \frac{p - \theta - \bar M |c|_1 d}{N_-}, \qquad \frac{\theta - p - \bar M |c|_1 d}{N_+}, \qquad
    \frac{-2 \bar M d}{s_{j+} + s_{j-}},

with :math:`s_{j\pm}` the standard deviation of :math:`\pm u_j - \bar M d`,
:math:`N_- = \sum_j |c_j| s_{j, sgn(c_j)}` and :math:`N_+ = \sum_j |c_j| s_{j, -sgn(c_j)}`: a multiplier that
cancels x puts a multiple of c on one side, and the same weight on both sides of any j. So nothing has to be
solved, and all is known from p and d. Of the last kind only the largest and the smallest factor can bind.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Pieces", "steps"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Pieces:
    """The pieces (P) at every value of the grid (G): each step before the reference, then minus each.

    Attributes
    ----------
    p : float
        The estimate of the estimand.
    d : float array (P)
        The step whose size bounds the others.
    moments : float array (P, 3)
        Variance of p, covariance of p and d, variance of d.
    slope : float array (G)
        Factor of d in the bounds: the grid value times the sum of absolute ``c``.
    low, high : float array (G, P)
        Divisors of the two bounds on the estimand.
    pairs : float array (G, P, 2)
        Largest and smallest factor of -d in the vertices that do not hold the estimand.
    """

    p: float
    d: Floats
    moments: Floats
    slope: Floats
    low: Floats
    high: Floats
    pairs: Floats

    def mirrored(self) -> Pieces:
        """Turn the sign of the estimand: the upper bound of the result is minus the lower one here."""
        return Pieces(
            -self.p,
            self.d,
            self.moments * np.array([1.0, -1.0, 1.0]),
            self.slope,
            self.high,
            self.low,
            self.pairs,
        )

    def rows(self) -> Floats:
        """Factors of p and d in the four vertices (G, P, 4, 2): upper bound, lower bound, the two others."""
        shape = self.low.shape
        k = np.broadcast_to(self.slope[:, None], shape)
        found = np.zeros((*shape, 4, 2))
        found[..., 0, 0], found[..., 0, 1] = -1 / self.high, -k / self.high
        found[..., 1, 0], found[..., 1, 1] = 1 / self.low, -k / self.low
        found[..., 2:, 1] = -self.pairs
        return found


def steps(beta: Floats, sigma: Floats, n_pre: int, weights: Floats, grid: Floats) -> Pieces:
    """Return the pieces.

    Parameters
    ----------
    beta, sigma
        Coefficients (n) and covariance (n, n), the reference left out after the first ``n_pre``.
    n_pre
        Number of coefficients before the reference.
    weights
        Weights of the estimand (n - n_pre).
    grid
        Values of the relative magnitude (G), 0 or more.

    Examples
    --------
    One coefficient either side: 3 after adoption, a step of 0 - 1 before it.

    >>> found = steps(np.array([1.0, 3.0]), np.eye(2), 1, np.ones(1), np.array([1.0]))
    >>> found.p, found.d.tolist(), found.high.round(4).tolist()
    (3.0, [-1.0, 1.0], [[1.4142, 1.4142]])
    """
    n = len(beta)
    before = np.zeros((n_pre, n))
    before[np.arange(n_pre), np.arange(n_pre)] = -1
    before[np.arange(n_pre - 1), np.arange(1, n_pre)] = 1
    d = np.concatenate([before, -before])
    after = np.zeros((n - n_pre, n))
    after[:, n_pre:] = np.eye(n - n_pre) - np.eye(n - n_pre, k=-1)
    c = np.cumsum(weights[::-1])[::-1]
    p = c @ after
    var_u, var_d = np.einsum("jn,nm,jm->j", after, sigma, after), np.einsum("jn,nm,jm->j", d, sigma, d)
    cov_u, cov_p = after @ sigma @ d.T, d @ sigma @ p
    m = grid[:, None, None]
    common = var_u[:, None] + m**2 * var_d
    plus = np.sqrt(np.maximum(common - 2 * m * cov_u, 0))
    minus = np.sqrt(np.maximum(common + 2 * m * cov_u, 0))
    size, up = np.abs(c)[:, None], (c > 0)[:, None]
    both = 2 * m / (plus + minus)
    return Pieces(
        p=float(p @ beta),
        d=d @ beta,
        moments=np.column_stack([np.full(len(d), p @ sigma @ p), cov_p, var_d]),
        slope=grid * np.abs(c).sum(),
        low=(size * np.where(up, plus, minus)).sum(axis=1),
        high=(size * np.where(up, minus, plus)).sum(axis=1),
        pairs=np.stack([both.max(axis=1), both.min(axis=1)], axis=-1),
    )
