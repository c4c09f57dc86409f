r"""Least squares with unit and period effects on the grid of units by periods.

The regressors are disjoint indicators of cohort and period (cells, D) and, where there are any, columns X
that differ by row. Cells are netted of effects at the level of types (see
`clsimpact.estimators._compress`):

.. math:: \tilde D_{it} = D_{it} - \bar D_i - (\Lambda_t - \bar\Lambda_i), \qquad \Lambda = S^+ M,

with S and its pseudo-inverse from `clsimpact.estimators._grid`, and orthogonalised by a QR that passes over
blocks of types and then over cohorts. Columns X and the outcome are netted row by row of effects and cells,
and X is orthogonalised there. The rest happens in a space as wide as there are regressors. The residuals sum
to zero within units, so that the score of a unit is :math:`\sum_t w_{it} e_{it} (D_{it} - \Lambda_t) A`:
one matrix product per cohort.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from clsimpact._room import require_room
from clsimpact.estimators._compress import Layout
from clsimpact.estimators._grid import TwoWay
from clsimpact.estimators._within_errors import clustered, row_wise
from clsimpact.estimators._within_solve import Regression, Solved, at_level, solve
from clsimpact.inference.sandwich import Counts, Covariance

__all__ = ["CellColumns", "GridSource", "regress_cells"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

BLOCK = 1 << 21
"""Numbers held at once where rows are built block by block: 16 MB."""

ROUNDS = 2
"""Passes that remove effects and cells from a variable: the second removes the rounding of the first."""


@dataclass(frozen=True)
class CellColumns:
    """Indicators of cells on the types of a layout.

    Attributes
    ----------
    two : TwoWay
        Effects, with the masses of the types.
    at : integer array (K, T)
        Column of each cell, ``width`` where none.
    ends : integer array (C + 2)
        Types of cohort code c are ``ends[c]`` to ``ends[c + 1]``.
    ones : float array (C + 1, T, p)
        Value of each column at each cohort code and period.
    """

    two: TwoWay
    at: Ints
    ends: Ints
    ones: Floats

    @property
    def width(self) -> int:
        """Number of columns p."""
        return int(self.ones.shape[2])

    @cached_property
    def periods(self) -> Floats:
        """Period effects of each column (T, p)."""
        moved = np.zeros(self.ones.shape[1:])
        for ones, first, last in zip(self.ones, self.ends[:-1], self.ends[1:], strict=True):
            mass, shares = self.two.mass[first:last], self.two.shares[first:last]
            moved += mass.sum(axis=0)[:, None] * ones - mass.T @ (shares @ ones)
        roots, vectors = self.two.spectrum
        return np.asarray((vectors / roots) @ (vectors.T @ moved))

    def triangle(self) -> Floats:
        """R of a QR of all rows of the columns net of effects (weighted): as wide as there are columns.

        The rows of a type are ``(1 - shares) (ones - periods)``, of which only the first factor differs
        within a cohort: it is reduced to a triangle before the columns come in.
        """
        t = self.at.shape[1]
        step, parts = max(1, BLOCK // t**2), []
        for ones, start, end in zip(self.ones, self.ends[:-1], self.ends[1:], strict=True):
            top: Floats = np.empty((0, t))
            for first in range(start, end, step):
                block = slice(first, min(first + step, end))
                inner = np.eye(t) - self.two.shares[block, None, :]
                top = np.vstack([top, (np.sqrt(self.two.mass[block, :, None]) * inner).reshape(-1, t)])
                top = np.asarray(np.linalg.qr(top, mode="r")) if len(top) > t else top
            parts.append(top @ (ones - self.periods))
        rows = np.concatenate(parts)
        return np.asarray(np.linalg.qr(rows, mode="r")) if len(rows) > self.width > 0 else rows

    def sums(self, values: Floats) -> Floats:
        """Sum ``values`` (v, K, T), which sum to zero in each type, against the columns net of effects."""
        p = self.width
        found = [np.bincount(self.at.ravel(), weights=v.ravel(), minlength=p + 1)[:p] for v in values]
        return np.asarray(np.array(found).reshape(len(values), p) - values.sum(axis=1) @ self.periods)

    def fitted(self, gamma: Floats, period: Floats) -> Floats:
        """Return cells times ``gamma`` (v, p) plus ``period`` (v, T), net of type means (v, K, T)."""
        padded = np.concatenate([gamma, np.zeros((len(gamma), 1))], axis=1)
        out = padded[:, self.at] + (period - gamma @ self.periods.T)[:, None, :]
        return np.asarray(out - (out * self.two.shares).sum(axis=2)[:, :, None])

    def spread(self, layout: Layout) -> Floats:
        """Weighted norm of each column around its unweighted mean (p)."""
        p, flat = self.width, self.at.ravel()
        mass = np.bincount(flat, weights=self.two.mass.ravel(), minlength=p + 1)[:p]
        rows = (layout.seen * layout.sizes[:, None]).ravel()
        mean = np.bincount(flat, weights=rows, minlength=p + 1)[:p] / rows.sum()
        return np.asarray(np.sqrt(mass * (1 - mean) ** 2 + (self.two.mass.sum() - mass) * mean**2))


@dataclass(frozen=True)
class GridSource:
    """Rows of a regression on the grid.

    Attributes
    ----------
    layout : Layout
    table : integer array (C + 1, T)
        Column of each cohort code and period, -1 for none.
    width : int
        Columns of the table.
    raw : float array (k, N, T)
        Columns X as they went in.
    loading : float array (C + 1, T, q)
        Basis at each cohort code and period, up to the mean of each unit and up to X.
    extra : float array (k, N, T)
        X orthogonalised, divided by the root of the mass; ``extra_loading`` (k, q) adds it to the basis.
    error : float array (N, T)
        Residuals (rows as they are), 0 where there is no row.
    """

    layout: Layout
    table: Ints
    width: int
    raw: Floats
    loading: Floats
    extra: Floats
    extra_loading: Floats
    error: Floats

    def columns(self) -> Floats:
        """Regressors (n, p + k)."""
        at = self.layout.row_values(self.table)
        cells: Floats = (at[:, None] == np.arange(self.width)).astype(np.float64)
        return np.column_stack([cells, *(self.layout.taken(x) for x in self.raw)])

    def residuals(self) -> Floats:
        """Residuals times the root of the weight (n)."""
        return self.layout.taken(self.error * np.sqrt(self.layout.mass))

    def basis(self) -> Floats:
        """Orthonormal basis (n, q)."""
        return self.layout.taken(self.rows(self.loading, self.extra_loading, slice(None)))

    def rows(self, loading: Floats, extra_loading: Floats, units: slice | Ints) -> Floats:
        """Rows of some units for a table of loadings, times the root of the mass (B, T, m)."""
        mass = self.layout.mass[units]
        out = loading[self.layout.codes[self.layout.order[units]]]
        share = mass / mass.sum(axis=1, keepdims=True)
        out = out - np.einsum("nt,ntq->nq", share, out)[:, None, :]
        if len(self.extra):
            out = out + np.einsum("knt,kq->ntq", self.extra[:, units], extra_loading)
        return np.asarray(out * np.sqrt(mass)[:, :, None])

    def step(self, width: int) -> int:
        """Return the number of units whose rows times ``width`` fit into a block."""
        return max(1, BLOCK // max(1, int(self.error.shape[1]) * width))

    def scores(self, loadings: Floats) -> Floats:
        """Sum of influence times residual of each unit (N, m), units in the order of the layout."""
        weighted = self.error * self.layout.mass
        table, starts = self.loading @ loadings, self.layout.code_starts
        out = np.empty((len(weighted), loadings.shape[1]))
        for code, moves in enumerate(table):
            mine = slice(starts[code], starts[code + 1])
            np.matmul(weighted[mine], moves, out=out[mine])
        if len(self.extra):
            out += np.einsum("nt,knt->nk", weighted, self.extra) @ (self.extra_loading @ loadings)
        return out

    def covariance(self, loadings: Floats, kind: str, clusters: Ints, counts: Counts) -> Covariance:
        """Covariance of the numbers whose influence is ``basis @ loadings``."""
        if kind in ("HC1", "iid"):
            return row_wise(self, loadings, kind, counts)
        return clustered(self, loadings, kind, clusters[self.layout.design.unit_rows[:-1]], counts)


def regress_cells(layout: Layout, table: Ints, *, extra: Floats | None = None) -> Regression:
    """Regress the outcome on indicators of cells and on columns, with unit and period effects.

    Parameters
    ----------
    layout
        The panel.
    table
        Column of each cohort code and period (C + 1, T), 0 to p - 1, or -1 for none.
    extra
        Further columns (k, N, T) in the order of the layout; by default the covariates of the design.

    Examples
    --------
    >>> from clsimpact.datasets import load_mpdta
    >>> from clsimpact.design import Design
    >>> from clsimpact.estimators._compress import layout_of
    >>> design = Design(load_mpdta(), outcome="lemp", unit="county", time="year", cohort="first_treat")
    >>> layout = layout_of(design)
    >>> treated = np.vstack([np.full(5, -1), np.where(layout.event >= 0, 0, -1)])
    >>> regress_cells(layout, treated).coefficients.round(6).tolist()
    [-0.036549]
    """
    if extra is None:
        extra = np.array([layout.laid(x) for x in layout.design.X.T]).reshape(-1, *layout.mass.shape)
    width = int(table.max()) + 1
    require_room(len(table) - 1, table.shape[1], max(table.size, width), width + table.shape[1])
    at = np.where(table < 0, width, table)[layout.type_codes]
    ends = np.searchsorted(layout.type_codes, np.arange(len(table) + 1))
    cells = CellColumns(TwoWay(layout.type_mass), at, ends, np.eye(width + 1)[table, :width])
    small, spread = cells.triangle(), cells.spread(layout)
    inner = solve(small, spread)
    outcome = layout.laid(layout.design.y)[None]
    net, along = _netted(layout, cells, inner.inverse.T, np.concatenate([outcome, extra]))
    if len(extra):
        spread = np.concatenate([spread, _spread(layout, extra)])
        fit = _joined(layout, inner, small, spread, net, along)
    else:
        fit = _Fit(inner, inner.inverse.T, along[0], net[0], extra, np.empty((0, len(inner.inverse))))
    return _assembled(layout, cells, table, extra, fit)


@dataclass(frozen=True)
class _Fit:
    """The small problem solved, and where it came from.

    ``own`` (p, r) and ``extra_own`` (k, r) make the basis from cells net of effects and from ``extra``;
    ``target`` (r) is the outcome along the basis, ``error`` (N, T) what is left of it.
    """

    solved: Solved
    own: Floats
    target: Floats
    error: Floats
    extra: Floats
    extra_own: Floats


def _netted(layout: Layout, cells: CellColumns, own: Floats, values: Floats) -> tuple[Floats, Floats]:
    """Remove effects and cells from ``values`` (v, N, T); return the rest and what lay along the cells."""
    along = np.zeros((len(values), own.shape[1]))
    mass, two = layout.mass, cells.two
    whole = mass.sum(axis=1)
    filled = np.where(two.mass > 0, two.mass, 1.0)
    for _ in range(ROUNDS):
        values = values - ((values * mass).sum(axis=2) / whole)[:, :, None]
        sums = layout.sums(values * mass)
        period = two.period_effects(sums / filled)
        part = cells.sums(sums) @ own
        level = cells.fitted(part @ own.T, period)
        values = values - level[:, layout.types]
        along += part
    return values if layout.full else values * (mass > 0), along


def _joined(layout: Layout, inner: Solved, small: Floats, spread: Floats, net: Floats, along: Floats) -> _Fit:
    """Solve for cells and columns together."""
    root = np.sqrt(layout.mass)
    turned, corner = np.linalg.qr((net[1:] * root).reshape(len(net) - 1, -1).T)
    rank, padded = len(inner.inverse), np.zeros((len(inner.left), small.shape[1]))
    padded[: len(small)] = small
    joint = np.zeros((rank + len(corner), spread.size))
    joint[:rank, : small.shape[1]] = inner.left.T @ padded
    joint[:rank, small.shape[1] :] = along[1:].T
    joint[rank:, small.shape[1] :] = corner
    solved = solve(joint, spread)
    first, last = solved.left[:rank], solved.left[rank : len(joint)]
    part = turned.T @ (root * net[0]).ravel()
    extra = turned.T.reshape(-1, *root.shape) / np.where(root > 0, root, 1.0)
    error = net[0] - np.tensordot(last @ (last.T @ part), extra, axes=1)
    target = first.T @ along[0] + last.T @ part
    return _Fit(solved, inner.inverse.T @ first, target, error, extra, last)


def _assembled(layout: Layout, cells: CellColumns, table: Ints, extra: Floats, fit: _Fit) -> Regression:
    """Put the regression together; the basis has the time effects first."""
    roots, vectors = cells.two.spectrum
    free, (codes, periods), rank = roots.size, table.shape, fit.own.shape[1]
    loading = np.empty((codes, periods, free + rank))
    loading[:, :, :free] = vectors / np.sqrt(roots)
    padded = np.vstack([fit.own, np.zeros((1, rank))])
    loading[:, :, free:] = padded[table] - cells.periods @ fit.own
    extra_loading = np.concatenate([np.zeros((len(fit.extra_own), free)), fit.extra_own], axis=1)
    solved, p = fit.solved, table.max() + 1 + len(extra)
    loadings = np.concatenate([np.zeros((free, p)), solved.loadings])
    design = layout.design
    k = free + rank + 1
    return Regression(
        coefficients=np.where(solved.identified, solved.inverse.T @ fit.target, np.nan),
        identified=solved.identified,
        partners=solved.partners,
        kept=solved.kept,
        counts=Counts(design.n_obs, design.n_clusters, k, k - 1 + len(design.units)),
        loadings=loadings,
        source=GridSource(layout, table, cells.width, extra, loading, fit.extra, extra_loading, fit.error),
    )


def _spread(layout: Layout, extra: Floats) -> Floats:
    """Weighted norm of columns (k, N, T) around their unweighted means (k), see `at_level`."""
    seen = layout.mass > 0
    mean = (extra * seen).sum(axis=(1, 2)) / seen.sum()
    around, size = (
        np.sqrt((layout.mass * values**2).sum(axis=(1, 2))) for values in (extra - mean[:, None, None], extra)
    )
    return at_level(around, size)
