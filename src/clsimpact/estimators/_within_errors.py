r"""Covariances of a regression on the grid, in the space of its basis.

With Q an orthonormal basis of the regressors net of unit effects, a number with influence :math:`P = QC`
needs of cluster g only

.. math:: r_g = Q_g'e_g, \qquad \Gamma_g = Q_g'Q_g = V \Lambda V',

because :math:`Q_g'(I - H_{gg})^{-a} = V (I - \Lambda)^{-a} V' Q_g'`. The score of the cluster is
:math:`C' V (I - \Lambda)^{-a} V' r_g` with a = 0 (CR0, CR1), 1/2 (CR2) or 1 (CR3), and the Satterthwaite
degrees of freedom follow from :math:`\Gamma_g` in the same way. Units of one type differ in
:math:`\Lambda` by their weight only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from clsimpact.inference.sandwich import Counts, Covariance, cluster_sums, factor_of, gains

if TYPE_CHECKING:
    from clsimpact.estimators._within_grid import GridSource

__all__ = ["clustered", "row_wise"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def row_wise(source: GridSource, loadings: Floats, kind: str, counts: Counts) -> Covariance:
    """HC1 and iid."""
    factor, text = factor_of(kind, counts)
    free = counts.n_obs - counts.k_all
    df = np.full(loadings.shape[1], float(free))
    if kind == "iid":
        total = float((source.layout.mass * source.error**2).sum())
        return Covariance(kind, total / free * (loadings.T @ loadings), df, factor, text, counts)
    table, extra = source.loading @ loadings, source.extra_loading @ loadings
    matrix = np.zeros((df.size, df.size))
    step = source.step(df.size)
    for first in range(0, len(source.error), step):
        units = slice(first, first + step)
        error = source.error[units] * np.sqrt(source.layout.mass[units])
        scores = (source.rows(table, extra, units) * error[:, :, None]).reshape(-1, df.size)
        matrix += scores.T @ scores
    return Covariance(kind, factor * matrix, df, factor, text, counts)


def clustered(source: GridSource, loadings: Floats, kind: str, clusters: Ints, counts: Counts) -> Covariance:
    """CR0 to CR3; ``clusters`` has the cluster of each unit, in the order of the design."""
    factor, text = factor_of(kind, counts)
    df = np.full(loadings.shape[1], counts.n_clusters - 1.0)
    own = counts.n_clusters == clusters.size
    if kind in ("CR0", "CR1"):
        scores = source.scores(loadings)
        if not own:
            scores = cluster_sums(scores, clusters[source.layout.order], counts.n_clusters)
        return Covariance(kind, factor * scores.T @ scores, df, factor, text, counts)
    basis = source.scores(np.eye(len(loadings)))
    if not own:
        basis = cluster_sums(basis, clusters[source.layout.order], counts.n_clusters)
    pieces = _by_type(source) if own else _by_cluster(source, clusters)
    matrix, df_of = np.zeros((df.size, df.size)), _Satterthwaite(loadings)
    for piece in pieces:
        values = piece.sizes[:, None] * piece.values
        gain = gains(1 - values, kind)
        turned = basis[piece.first : piece.first + len(values)]
        scores = (turned + ((gain - 1) * (turned @ piece.vectors.T)) @ piece.vectors) @ loadings
        matrix += scores.T @ scores
        if kind == "CR2":
            df_of.add(piece)
    return Covariance(kind, matrix, df_of.result() if kind == "CR2" else df, factor, text, counts)


@dataclass(frozen=True)
class _Piece:
    """Clusters whose Gamma differs by a factor: ``sizes[i] * vectors.T @ diag(values) @ vectors``.

    They stand at ``first``, ``first + 1`` and so on among the scores.
    """

    first: int
    sizes: Floats
    values: Floats
    vectors: Floats


def _by_type(source: GridSource) -> Iterator[_Piece]:
    """Units as clusters: one decomposition for each type, or for each unit where columns differ by row."""
    layout = source.layout
    alone = len(source.extra) > 0
    starts = np.arange(layout.order.size) if alone else layout.starts
    sizes = np.ones(layout.order.size) if alone else layout.relative
    ends = np.append(starts[1:], layout.order.size)
    step = source.step(source.loading.shape[2])
    for block in range(0, starts.size, step):
        here = starts[block : block + step]
        rows = source.rows(source.loading, source.extra_loading, here)
        _, s, vectors = np.linalg.svd(rows, full_matrices=False)
        values = s**2 / sizes[here, None]
        for j, first in enumerate(here):
            yield _Piece(int(first), sizes[first : ends[block + j]], values[j], vectors[j])


def _by_cluster(source: GridSource, clusters: Ints) -> Iterator[_Piece]:
    """Clusters of several units, one at a time."""
    mine = clusters[source.layout.order]
    q = source.loading.shape[2]
    step = source.step(q)
    for g, units in enumerate(np.split(np.argsort(mine, kind="stable"), np.cumsum(np.bincount(mine))[:-1])):
        gamma = np.zeros((q, q))
        for first in range(0, units.size, step):
            part = units[first : first + step]
            rows = source.rows(source.loading, source.extra_loading, part).reshape(-1, q)
            gamma += rows.T @ rows
        values, vectors = np.linalg.eigh(gamma)
        yield _Piece(g, np.ones(1), values, np.ascontiguousarray(vectors.T))


class _Satterthwaite:
    """Sums over clusters of what the degrees of freedom need; see `clsimpact.inference.sandwich`."""

    def __init__(self, loadings: Floats) -> None:
        q, m = loadings.shape
        self.loadings = loadings
        self.top, self.own, self.cross = np.zeros(m), np.zeros(m), np.zeros((m, q, q))

    def add(self, piece: _Piece) -> None:
        """Add clusters; those of equal size count together."""
        along = piece.vectors @ self.loadings
        for size, count in zip(*np.unique(piece.sizes, return_counts=True), strict=True):
            values = size * piece.values
            gain = gains(1 - values, "CR2")
            part = (values * gain)[:, None] * along
            own, overlap = (values * gain**2) @ along**2, (part**2).sum(axis=0)
            self.top += count * (own - overlap)
            self.own += count * (own**2 - 2 * own * overlap)
            turned = (part.T @ piece.vectors)[:, :, None]
            self.cross += count * turned * turned.transpose(0, 2, 1)

    def result(self) -> Floats:
        """Return degrees of freedom of each number."""
        bottom = self.own + (self.cross**2).sum(axis=(1, 2))
        good = bottom > 0
        return np.where(good, self.top**2 / np.where(good, bottom, 1.0), np.nan)
