r"""Uncertainty of several regressions on the same clusters, one for each number.

Number j comes from a regression of its own, with :math:`N_j` rows, :math:`K_j` parameters and :math:`G_j`
clusters. Its score :math:`s_{gj}` sums influence times residual over the rows of cluster g, so that numbers
are joined through their clusters:

.. math:: V_{jk} = \sqrt{c_j c_k} \sum_g s_{gj} s_{gk}, \qquad
          c_j = \frac{G_j}{G_j - 1} \frac{N_j - 1}{N_j - K_j} \ \text{(CR1)}.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from clsimpact.errors import DesignError
from clsimpact.inference.influence import lost, not_on_offer
from clsimpact.inference.sandwich import Counts, Covariance, cluster_sums, gains

__all__ = ["Rows", "Scores", "Sizes", "adjusted_scores", "free_of"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SAME_FACTOR = 1e-12
"""Factors that differ by less are told as one.

Factors are near one and rounded to 1e-16; one unit more among a million moves them by 1e-6."""


@dataclass(frozen=True)
class Sizes:
    """Rows, parameters and clusters of each regression (p).

    Examples
    --------
    >>> Sizes(np.array([101.0]), np.array([2.0]), np.array([10.0])).factor.round(4).tolist()
    [1.1223]
    """

    rows: Floats
    parameters: Floats
    clusters: Floats

    @property
    def factor(self) -> Floats:
        """Finite-sample factor of CR1; NaN where rows or clusters are too few."""
        n, k, g = self.rows, self.parameters, self.clusters
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where((n > k) & (g > 1), g / (g - 1) * (n - 1) / (n - k), np.nan)


@dataclass(frozen=True)
class Rows:
    """The rows of one regression, multiplied by the root of their weight.

    Attributes
    ----------
    influence, residuals : float arrays (n)
    basis : float array (n, q)
        Orthonormal basis of all regressors.
    clusters : integer array (n)
    """

    influence: Floats
    residuals: Floats
    basis: Floats
    clusters: Ints


@dataclass(frozen=True)
class Scores:
    """Numbers with scores by unit, or fixed combinations of them.

    Attributes
    ----------
    estimates : float array (p)
    psi : float array (N, p)
        Score of each unit.
    clusters : integer array (N)
    n_clusters : int
    sizes : Sizes
    adjusted : callable or None
        Returns CR2 scores by cluster (G, p) and degrees of freedom (p).
    left_out : callable or None
        Returns the numbers without each cluster in turn (G, p), NaN where one does not exist.
    mix : float array (p, m)
        The combinations.
    other : mapping
        Further kinds: a name and a callable that returns the same numbers with other scores, for their CR1.

    Examples
    --------
    >>> y, one = np.array([1.0, 3.0, 2.0, 6.0]), np.ones(1)
    >>> sizes = Sizes(4 * one, one, 4 * one)
    >>> mean = Scores(3 * one, (y - 3)[:, None] / 4, np.arange(4), 4, sizes, None, None)
    >>> round(mean.covariance("CR1").matrix.item(), 6)  # the variance 14/3 over 4
    1.166667
    """

    estimates: Floats
    psi: Floats
    clusters: Ints
    n_clusters: int
    sizes: Sizes
    adjusted: Callable[[], tuple[Floats, Floats]] | None
    left_out: Callable[[], Floats] | None
    mix: Floats | None = None
    other: Mapping[str, Callable[[], Scores]] = field(default_factory=dict)

    @property
    def kinds(self) -> tuple[str, ...]:
        """Covariances on offer."""
        more = ["CR2"] if self.adjusted is not None else []
        more += ["CR3", "jackknife"] if self.left_out is not None else []
        return ("CR0", "CR1", *more, *self.other)

    def combine(self, weights: Floats) -> Scores:
        """Return fixed combinations ``weights`` (m, q) of these numbers."""
        mix = np.eye(self.estimates.size) if self.mix is None else self.mix
        return replace(self, mix=mix[:, : len(weights)] @ weights)

    def covariance(self, kind: str) -> Covariance:
        """Covariance of all numbers.

        A combination has the least of the degrees of freedom of the numbers in it.

        Raises
        ------
        DesignError
            A kind that is not on offer, or fewer than two clusters.
        """
        if kind not in self.kinds:
            raise not_on_offer(kind, self.kinds)
        if self.n_clusters < 2:
            raise DesignError("Clustered errors need two clusters or more.", repair="Cluster by unit.")
        if kind in self.other:
            found = replace(self.other[kind](), mix=self.mix).covariance("CR1")
            return replace(found, kind=kind, factor_text=found.factor_text.replace("CR1", kind, 1))
        scores, df, factor, text = self._scores(kind)
        mix = np.eye(scores.shape[1]) if self.mix is None else self.mix
        used = mix != 0
        mixed = _times(scores, mix)
        matrix = mixed.T @ mixed
        free = np.where(used, df[:, None], np.inf).min(axis=0)
        n, k = (int(np.nanmax(size)) for size in (self.sizes.rows, self.sizes.parameters))
        counts = Counts(n, self.n_clusters, k, k)
        gone = lost(mixed) if kind in ("CR3", "jackknife") else ()
        return Covariance(kind, matrix, np.where(used.any(axis=0), free, np.nan), factor, text, counts, gone)

    def _scores(self, kind: str) -> tuple[Floats, Floats, float, str]:
        """Scores by cluster times the root of their factor, degrees of freedom, factor and its words."""
        df = np.maximum(self.sizes.clusters - 1.0, 1.0)
        if kind == "CR2" and self.adjusted is not None:
            scores, df = self.adjusted()
            return np.where(np.isnan(self.sizes.factor), np.nan, scores), df, 1.0, "CR2 = 1"
        if kind in ("CR3", "jackknife") and self.left_out is not None:
            g = self.n_clusters
            share = 1.0 if kind == "CR3" else (g - 1) / g
            text = "CR3 = 1" if kind == "CR3" else f"jackknife = {g - 1}/{g} = {share:.4f}"
            return np.sqrt(share) * (self.left_out() - self.estimates), df, share, text
        scores = cluster_sums(self.psi, self.clusters, self.n_clusters)
        factor = self.sizes.factor
        if kind == "CR0":
            return np.where(np.isnan(factor), np.nan, scores), df, 1.0, "CR0 = 1"
        largest = max((float(value) for value in factor if not np.isnan(value)), default=float("nan"))
        return scores * np.sqrt(factor), df, largest, self._words(factor)

    def _words(self, factor: Floats) -> str:
        known = factor[~np.isnan(factor)]
        if known.size == 0:
            return "CR1: no degrees of freedom"
        if np.ptp(known) <= SAME_FACTOR:
            j = int(np.flatnonzero(~np.isnan(factor))[0])
            n, k, g = (int(size[j]) for size in (self.sizes.rows, self.sizes.parameters, self.sizes.clusters))
            return f"CR1 = {g}/{g - 1} · {n - 1}/{n - k} = {known[0]:.4f}"
        return f"CR1 = G/(G-1) · (N-1)/(N-K) of each event time, {known.min():.4f} to {known.max():.4f}"


def _times(scores: Floats, mix: Floats) -> Floats:
    """Combine scores; what is NaN matters only where it has a weight."""
    if not np.isnan(scores).any():
        return scores @ mix
    out = np.nan_to_num(scores) @ mix
    return np.where(np.isnan(scores).astype(float) @ (mix != 0) > 0, np.nan, out)


def adjusted_scores(rows: Rows, kind: str, n_clusters: int) -> tuple[Floats, float]:
    """Return scores by cluster (G) after the CR2 or CR3 adjustment, and Satterthwaite's degrees of freedom.

    Clusters with the same number of rows are solved together.

    Examples
    --------
    >>> q = np.full((4, 1), 0.5)
    >>> e = np.array([-2.0, 0.0, -1.0, 3.0])
    >>> scores, df = adjusted_scores(Rows(np.full(4, 0.25), e, q, np.arange(4)), "CR2", 4)
    >>> round(float(scores @ scores), 6), round(df, 6)
    (1.166667, 3.0)
    """
    order = np.argsort(rows.clusters, kind="stable")
    counts = np.bincount(rows.clusters, minlength=n_clusters)
    starts = np.cumsum(counts) - counts
    scores, own = np.zeros(n_clusters), np.zeros(n_clusters)
    across = np.zeros((n_clusters, rows.basis.shape[1]))
    for size in np.unique(counts[counts > 0]):
        mine = np.flatnonzero(counts == size)
        at = order[starts[mine][:, None] + np.arange(size)]
        basis, pull = rows.basis[at], rows.influence[at]
        u, s, _ = np.linalg.svd(basis, full_matrices=False)
        gain = gains(1 - s**2, kind) - 1
        pull = pull + np.einsum("grk,gk,gsk,gs->gr", u, gain, u, pull, optimize=True)
        scores[mine] = (pull * rows.residuals[at]).sum(axis=1)
        own[mine] = (pull**2).sum(axis=1)
        across[mine] = np.einsum("grq,gr->gq", basis, pull)
    return scores, free_of(own, across)


def free_of(own: Floats, across: Floats) -> float:
    """Return Satterthwaite's degrees of freedom.

    Parameters
    ----------
    own
        Square of each cluster's adjusted influence (G).
    across
        Its product with the orthonormal basis of all regressors (G, q).

    Examples
    --------
    The mean of four numbers:

    >>> round(free_of(np.full(4, 1 / 12), np.full((4, 1), np.sqrt(1 / 48))), 6)
    3.0
    """
    overlap = (across**2).sum(axis=1)
    bottom = float(own @ own - 2 * own @ overlap + ((across.T @ across) ** 2).sum())
    return float((own - overlap).sum()) ** 2 / bottom if bottom > 0 else float("nan")
