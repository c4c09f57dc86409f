r"""Uncertainty of estimates: what lies behind the numbers, from which any covariance follows.

An estimator keeps, beside its numbers, how each unit moved them. Two forms exist: a regression
(`clsimpact.estimators._within.LeastSquares`) and influence functions (`Influence`). Both answer the same
three questions, which the protocol `Uncertainty` states; a result needs no more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from clsimpact.errors import DesignError, did_you_mean
from clsimpact.inference.sandwich import KINDS, Counts, Covariance, cluster_sums

__all__ = ["Adjusted", "Influence", "Uncertainty"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Uncertainty(Protocol):
    """What a result asks of the numbers behind it."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """Covariances on offer."""

    def covariance(self, kind: str) -> Covariance:
        """Covariance matrix of all numbers, with degrees of freedom."""

    def combine(self, weights: Floats) -> Uncertainty:
        """Return the same for linear combinations with fixed ``weights`` (p, m)."""


@dataclass(frozen=True)
class Adjusted:
    """Scores after the CR2 adjustment, and the Satterthwaite degrees of freedom.

    Attributes
    ----------
    scores : float array (G, p)
        Adjusted contribution of each cluster to each number.
    df : callable
        Takes weights (p, m) and returns degrees of freedom (m) of those combinations.
    """

    scores: Floats
    df: Callable[[Floats], Floats]


@dataclass(frozen=True)
class Influence:
    r"""Estimates with influence functions :math:`\hat\theta - \theta \approx \sum_i \psi_i`.

    ==========  =======================================================================  ============
    kind        covariance, with :math:`s_g = \sum_{i \in g} \psi_i`                      df
    ==========  =======================================================================  ============
    CR0         :math:`\sum_g s_g s_g'`                                                  G - 1
    CR1         :math:`\frac{G}{G-1} \sum_g s_g s_g'`                                    G - 1
    CR2         adjusted scores, where the estimator is linear and offers them           Satterthwaite
    CR3         :math:`\sum_g (\hat\theta_{(g)} - \hat\theta)(\cdot)'`                   G - 1
    jackknife   CR3 times (G-1)/G                                                        G - 1
    ==========  =======================================================================  ============

    :math:`\hat\theta_{(g)}` is the estimate without cluster g. Estimators may offer further named kinds.

    Attributes
    ----------
    estimates : float array (p)
    psi : float array (N, p)
        Influence of each unit (already divided by the number of units).
    clusters : integer array (N)
        Cluster of each unit, 0 to G-1.
    counts : Counts
    adjusted : callable or None
        Returns `Adjusted`, for CR2.
    left_out : callable or None
        Returns the estimates without each cluster in turn (G, p), NaN where one does not exist.
    other : mapping
        Further kinds: a name and a callable that returns unit-level scores (N, p).

    Examples
    --------
    The mean of four numbers, each its own cluster:

    >>> y = np.array([1.0, 3.0, 2.0, 6.0])
    >>> one = np.arange(4)
    >>> counts = Counts(n_obs=4, n_clusters=4, k_nested=1, k_all=1)
    >>> mean = Influence(np.array([3.0]), (y - 3)[:, None] / 4, one, counts)
    >>> bool(abs(mean.covariance("CR1").matrix.item() - y.var(ddof=1) / 4) < 1e-15)
    True
    """

    estimates: Floats
    psi: Floats
    clusters: Ints
    counts: Counts
    adjusted: Callable[[], Adjusted] | None = None
    left_out: Callable[[], Floats] | None = None
    other: Mapping[str, Callable[[], Floats]] = field(default_factory=dict)

    @property
    def kinds(self) -> tuple[str, ...]:
        """Covariances on offer."""
        more = ["CR2"] if self.adjusted is not None else []
        more += ["CR3", "jackknife"] if self.left_out is not None else []
        return ("CR0", "CR1", *more, *self.other)

    @property
    def scores(self) -> Floats:
        """Influence of each cluster (G, p)."""
        return cluster_sums(self.psi, self.clusters, self.counts.n_clusters)

    def covariance(self, kind: str) -> Covariance:
        """Covariance of all estimates (p, p).

        Raises
        ------
        DesignError
            A kind that this estimator does not offer, or fewer than two clusters.
        """
        g = self.counts.n_clusters
        if kind not in self.kinds:
            raise not_on_offer(kind, self.kinds)
        if g < 2:
            raise DesignError("Clustered errors need two clusters or more.", repair="Cluster by unit.")
        df = np.full(self.estimates.size, g - 1.0)
        factor, text = 1.0, f"{kind} = 1"
        if kind == "CR2" and self.adjusted is not None:
            found = self.adjusted()
            scores, df = found.scores, found.df(np.eye(self.estimates.size))
        elif kind in ("CR3", "jackknife") and self.left_out is not None:
            scores = self.left_out() - self.estimates
        elif kind in self.other:
            scores = cluster_sums(self.other[kind](), self.clusters, g)
        else:
            scores = self.scores
        if kind == "CR1":
            factor, text = g / (g - 1), f"CR1 = {g}/{g - 1} = {g / (g - 1):.4f}"
        if kind == "jackknife":
            factor, text = (g - 1) / g, f"jackknife = {g - 1}/{g} = {(g - 1) / g:.4f}"
        return Covariance(kind, factor * scores.T @ scores, df, factor, text, self.counts, lost(scores))

    def combine(self, weights: Floats) -> Influence:
        """Return linear combinations with fixed ``weights`` (p, m)."""
        used = np.flatnonzero(weights.any(axis=1))
        w = weights[used]

        def times(values: Callable[[], Floats]) -> Callable[[], Floats]:
            return lambda: values()[:, used] @ w

        adjusted, left_out = self.adjusted, self.left_out
        return replace(
            self,
            estimates=self.estimates[used] @ w,
            psi=self.psi[:, used] @ w,
            adjusted=None if adjusted is None else lambda: _mixed(adjusted(), used, weights),
            left_out=None if left_out is None else times(left_out),
            other={name: times(values) for name, values in self.other.items()},
        )


def _mixed(found: Adjusted, used: NDArray[np.intp], weights: Floats) -> Adjusted:
    return Adjusted(found.scores[:, used] @ weights[used], lambda more: found.df(weights @ more))


def not_on_offer(kind: object, kinds: Sequence[str]) -> DesignError:
    """Return the error for a covariance that an estimator does not have, or that nobody has."""
    known = str(kind) in (*KINDS, "jackknife")
    hint = " for this estimator" if known else did_you_mean(str(kind), kinds)
    return DesignError(
        f"covariance {kind!r} is not on offer{hint}.", repair=f"Use one of {', '.join(kinds)}."
    )


def lost(scores: Floats) -> tuple[tuple[int, ...], ...]:
    """Return, for each number, the clusters without which it does not exist."""
    gone: Sequence[NDArray[np.intp]] = [np.flatnonzero(column) for column in np.isnan(scores).T]
    return tuple(tuple(int(g) for g in found) for found in gone)
