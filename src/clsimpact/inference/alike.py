r"""Scores of the wild bootstrap where clusters are of a few kinds k, with the same weights and regressors.

With :math:`b_k = Q_k'v_k` the same within a kind, a draw needs sums of multipliers and of multiplied scores
over kinds, not over regressors:

.. math:: N_k = \sum_{g \in k} \eta_g, \quad A_k = \sum_{g \in k} \eta_g a_g, \quad E_k = b_k'\rho, \qquad
          \sum_g s_g^{*2} = \sum_g \eta_g^2 a_g^2 - 2 \sum_k A_k E_k + \sum_k n_k E_k^2 .

The shift that a null adds is the same within a kind, so that its own sums follow from :math:`N_k`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clsimpact.inference.blocks import steady

__all__ = ["Alike", "kinds_of"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SAME = 12
"""Digits, relative to the largest of a column, to which the rows of one kind are the same."""


def kinds_of(rows: Floats) -> Ints:
    """Return the kind of each row: rows of one kind differ by rounding errors alone.

    Examples
    --------
    >>> kinds_of(np.array([[3.0], [1.0], [3.0 + 1e-15]])).tolist()
    [1, 0, 1]
    """
    size = np.abs(rows).max(axis=0)
    whole = np.round(rows / np.where(size > 0, size, 1.0), SAME) + 0.0
    return np.unique(whole, axis=0, return_inverse=True)[1].ravel().astype(np.int64)


@dataclass(frozen=True)
class Alike:
    """Sums of p numbers over clusters of K kinds, for residuals and the shift.

    Attributes
    ----------
    columns : float array (G, K + 2 K p)
        What multipliers are multiplied with: N, A and E.
    shift : float array (K, p)
        a of the shift.
    pulled : float array (K, K p)
        E of the shift, by N.
    sizes : float array (K, 1)
        Clusters of each kind.
    """

    columns: Floats
    shift: Floats
    pulled: Floats
    sizes: Floats

    @classmethod
    def of(cls, own: Floats, through: Floats, pull: Floats, kinds: Ints) -> Alike:
        """Sum up; ``own`` (2, G, p), ``through`` (2, G, q, p or 1), ``pull`` (G, q, p)."""
        first = np.unique(kinds, return_index=True)[1]
        k, p, b = first.size, own.shape[2], pull[first]
        each = np.equal.outer(kinds, np.arange(k)).astype(np.float64)
        scores = each[:, :, None] * own[0][:, None, :]
        drawn = np.einsum("gqp,kqp->gkp", np.broadcast_to(through[0], (len(own[0]), *b.shape[1:])), b)
        columns = np.hstack([each, scores.reshape(-1, k * p), drawn.reshape(-1, k * p)])
        pulled = np.zeros((k, k * p))
        if len(through) > 1:
            pulled = np.einsum("lqp,kqp->lkp", through[1][first], b).reshape(k, k * p)
        return cls(columns, own[1][first], pulled, each.sum(axis=0)[:, None])

    def lines(self, eta: Floats, squares: Floats, *, impose_null: bool) -> tuple[Floats, ...]:
        """Return numerators and variances (b, p) as `clsimpact.inference.wild` needs them.

        ``squares`` (3, 1 or b, p) are sums of squares and products of multiplied own scores.
        """
        k, p = self.shift.shape
        whole = steady(eta, self.columns)
        count, a, e = whole[:, :k], *(whole[:, k + i * k * p :][:, : k * p].reshape(-1, k, p) for i in (0, 1))
        ne = self.sizes * e
        v0 = squares[0] + (e * (ne - 2 * a)).sum(axis=1)
        if not impose_null:
            return a.sum(axis=1), v0
        f = steady(count, self.pulled).reshape(-1, k, p)
        moved = count[:, :, None] * self.shift
        v1 = squares[1] + (f * (ne - a) - moved * e).sum(axis=1)
        v2 = squares[2] + (f * (self.sizes * f - 2 * moved)).sum(axis=1)
        return a.sum(axis=1), moved.sum(axis=1), v0, v1, v2
