r"""Estimates that are linear in the outcomes, with effects alike within types of units.

Units of one *type* (a cohort, and the periods in which the unit is observed) enter an estimate with the same
weights :math:`v_k`, whatever the estimator:

.. math:: \hat\theta = \sum_i v_{k(i)}'y_i .

Errors are taken from a *working regression* of the outcome on unit effects, period effects and one path of
effects by event time, with orthonormal basis :math:`Q_k` net of unit effects. With residuals
:math:`e_i = y_i - Q_{k(i)} r`, :math:`r = \sum_i Q_{k(i)}'y_i`, the variance and its degrees of freedom are
those of CR2 (see `clsimpact.inference.sandwich`) with v as the influence:

.. math:: \hat V = \sum_i (\tilde v_{k(i)}'e_i)^2, \qquad
          \tilde v_k = (I - Q_kQ_k')^{-1/2} v_k ,

and follow from sums and sums of products of the outcomes over types,

.. math:: \hat V = \sum_k \tilde v_k'\Big(\sum_{i \in k} y_iy_i'\Big)\tilde v_k
          - 2 (\tilde v_k'S_k)(\tilde v_k'm_k) + n_k (\tilde v_k'm_k)^2, \qquad m_k = Q_k r .

Re-assigning adoption changes which units belong to a type, never v, Q or n: a draw costs a few products.
For two-way fixed effects and event studies v lies in the span of Q and this is their own CR2. For estimators
with effects by cohort the adopters of one-unit cohorts keep a residual, which their own errors do not have.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from clsimpact.inference.blocks import steady
from clsimpact.inference.sandwich import gains

__all__ = ["LinearForm", "Moments", "moments_of", "products"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FLAT = 1e-12
"""A variance below this share of the terms that it is the difference of is rounding error, not a variance.

Rounding leaves 1e-16 times the number of terms, so that at this limit a variance has two digits.
Outcomes whose common path is a million times as large as what varies reach it: take the path out first."""


@dataclass(frozen=True)
class Moments:
    """Sums over the units of each type, for B outcomes or assignments.

    Attributes
    ----------
    sums : float array (B, K, T)
    squares : float array (B, K, T (T + 1) / 2)
        Sums of products of two periods, the upper triangle by rows.
    """

    sums: Floats
    squares: Floats


@dataclass(frozen=True)
class LinearForm:
    """Weights of p estimates and the basis of the working regression, by type.

    Attributes
    ----------
    weights : float array (K, T, p)
        v: zero in periods that the type is not observed in, summing to zero over periods.
    basis : float array (K, T, q)
        Q: net of unit effects.
    sizes : integer array (K)
        Units of each type.

    Examples
    --------
    A 2x2 table with two treated and three control units; the outcomes of the last period are shifted:

    >>> v = np.array([[[1 / 3], [-1 / 3]], [[-1 / 2], [1 / 2]]])
    >>> q = np.array([[[1.0, -2.0], [-1.0, 2.0]], [[1.0, 3.0], [-1.0, -3.0]]]) / np.sqrt([10, 60])
    >>> form = LinearForm(v, q, np.array([3, 2]))
    >>> y = np.array([[0.0, 1.0], [0, 2], [0, 3], [0, 6], [0, 4]])
    >>> estimate, error = form.statistics(moments_of(y, np.array([[0, 0, 0, 1, 1]]), 2))
    >>> float(estimate.item()), round(float(error.item()), 6)
    (3.0, 1.154701)
    """

    weights: Floats
    basis: Floats
    sizes: Ints

    @cached_property
    def adjusted(self) -> Floats:
        """Weights after the CR2 adjustment (K, T, p)."""
        out = np.empty_like(self.weights)
        for k, (basis, weights) in enumerate(zip(self.basis, self.weights, strict=True)):
            u, s, _ = np.linalg.svd(basis, full_matrices=False)
            gain = gains(1 - s**2, "CR2")
            out[k] = weights + u @ ((gain - 1)[:, None] * (u.T @ weights))
        return out

    @cached_property
    def df(self) -> Floats:
        """Satterthwaite degrees of freedom of each estimate (p)."""
        n = self.sizes[:, None]
        own = (self.adjusted**2).sum(axis=1)
        across = np.einsum("ktq,ktp->pkq", self.basis, self.adjusted)
        overlap = (across**2).sum(axis=2).T
        gram = np.einsum("pkq,k,pkr->pqr", across, self.sizes, across)
        bottom = (n * own**2).sum(axis=0) - 2 * (n * own * overlap).sum(axis=0) + (gram**2).sum(axis=(1, 2))
        good = bottom > 0
        top = (n * (own - overlap)).sum(axis=0) ** 2
        return np.where(good, top / np.where(good, bottom, 1.0), np.nan)

    @cached_property
    def _inner(self) -> Floats:
        """What the working regression takes from each score (q, K p)."""
        q = self.basis.shape[2]
        return np.asarray(np.einsum("ktq,ktp->qkp", self.basis, self.adjusted).reshape(q, -1))

    @cached_property
    def _outer(self) -> Floats:
        """Products of adjusted weights, as coefficients of `Moments.squares` (K T(T+1)/2, p)."""
        a = self.adjusted
        upper, lower = np.triu_indices(a.shape[1])
        twice = np.where(upper == lower, 1.0, 2.0)[:, None]
        return np.asarray((a[:, upper] * a[:, lower] * twice).reshape(-1, a.shape[2]))

    def combine(self, weights: Floats) -> LinearForm:
        """Return fixed combinations ``weights`` (p, m) of the estimates."""
        return replace(self, weights=self.weights @ weights)

    def estimates(self, moments: Moments) -> Floats:
        """Estimates (B, p)."""
        flat = moments.sums.reshape(len(moments.sums), -1)
        return steady(flat, self.weights.reshape(flat.shape[1], -1))

    def statistics(self, moments: Moments) -> tuple[Floats, Floats]:
        """Estimates and standard errors (B, p); an error is NaN where nothing varies."""
        b, k, t = moments.sums.shape
        p = self.weights.shape[2]
        flat = moments.sums.reshape(b, k * t)
        fitted = steady(steady(flat, self.basis.reshape(k * t, -1)), self._inner)
        scores = np.empty((b, k, p))
        for i in range(k):
            scores[:, i] = steady(moments.sums[:, i], self.adjusted[i])
        middle = fitted.reshape(b, k, p)
        whole = steady(moments.squares.reshape(b, -1), self._outer)
        variance = whole + (middle * (self.sizes[:, None] * middle - 2 * scores)).sum(axis=1)
        flat_out = variance <= FLAT * np.abs(whole)
        error = np.sqrt(np.where(flat_out, np.nan, variance))
        return steady(flat, self.weights.reshape(k * t, -1)), error

    def covariances(self, moments: Moments) -> tuple[Floats, Floats]:
        """Estimates (B, p) and their covariance matrices (B, p, p): for joint tests of a few terms."""
        b, k, t = moments.sums.shape
        p = self.weights.shape[2]
        upper, lower = np.triu_indices(t)
        a = self.adjusted
        outer = a[:, upper, :, None] * a[:, lower, None, :]
        outer = (outer + outer.swapaxes(2, 3)) * np.where(upper == lower, 0.5, 1.0)[:, None, None]
        whole = steady(moments.squares.reshape(b, -1), outer.reshape(-1, p * p))
        flat = moments.sums.reshape(b, k * t)
        middle = steady(steady(flat, self.basis.reshape(k * t, -1)), self._inner).reshape(b, k, p)
        scores = np.einsum("bkt,ktp->bkp", moments.sums, a)
        cross = np.einsum("bkp,bkr->bpr", middle, self.sizes[:, None] * middle / 2 - scores)
        return self.estimates(moments), whole.reshape(b, p, p) + cross + cross.swapaxes(1, 2)

    def residuals(self, outcomes: Floats, types: Ints) -> Floats:
        """Residuals (N, T) of the working regression of ``outcomes`` (N, T), net of unit means."""
        rows = self.basis[types]
        return np.asarray(outcomes - rows @ np.einsum("ntq,nt->q", rows, outcomes))

    def directions(self) -> Floats:
        r"""Least shift of the outcomes of each type within the working regression that adds one (K, T, p).

        :math:`Q_kw / w'w` with :math:`w = \sum_i Q_{k(i)}'v_{k(i)}`: the direction in which an estimate is
        restricted where a null is imposed on it.
        """
        w = np.einsum("ktq,k,ktp->qp", self.basis, self.sizes, self.weights)
        size = (w**2).sum(axis=0)
        return np.asarray(self.basis @ (w / np.where(size > 0, size, np.nan)))


def products(outcomes: Floats) -> Floats:
    """Return outcomes (N, T) beside the products of their periods (N, T + T (T + 1) / 2).

    Examples
    --------
    >>> products(np.array([[2.0, 3.0]])).tolist()
    [[2.0, 3.0, 4.0, 6.0, 9.0]]
    """
    upper, lower = np.triu_indices(outcomes.shape[1])
    return np.hstack([outcomes, outcomes[:, upper] * outcomes[:, lower]])


def moments_of(outcomes: Floats, types: NDArray[np.integer], n_types: int) -> Moments:
    """Sum outcomes (N, T) and their products over types (B, N): the plain way, one assignment at a time.

    Examples
    --------
    >>> moments_of(np.array([[2.0], [3.0], [4.0]]), np.array([[0, 1, 1]]), 2).sums.tolist()
    [[[2.0], [7.0]]]
    """
    t = outcomes.shape[1]
    z = products(outcomes)
    out = np.zeros((len(types), n_types, z.shape[1]))
    for row, own in zip(out, types, strict=True):
        np.add.at(row, own, z)
    return Moments(out[:, :, :t], out[:, :, t:])
