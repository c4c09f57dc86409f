r"""Wild cluster bootstrap of numbers that are linear in the outcomes.

With weights v of the rows, an orthonormal basis Q of the regressors net of effects nested in the clusters and
residuals e, a draw multiplies the (restricted) residuals of cluster g by a random :math:`\eta_g`. Everything
that it needs are sums over clusters, computed once:

.. math:: a_g = v_g'e_g, \quad r_g = Q_g'e_g, \quad b_g = Q_g'v_g; \qquad
          \hat\theta^* - \theta_0 = \sum_g \eta_g a_g, \quad
          s^*_g = \eta_g a_g - b_g'\rho, \quad \rho = \sum_g \eta_g r_g, \quad
          \hat V^* = c \sum_g s_g^{*2} .

For coefficients of a regression v lies in the span of Q, and with c the CR1 factor this is the bootstrap of
Cameron, Gelbach and Miller (2008), doi 10.1162/rest.90.3.414, computed as in Roodman and others (2019), doi
10.1177/1536867X19830877. For other linear estimators Q is the working regression of
`clsimpact.inference.linear`. With the null imposed (*WCR*) residuals are those of the regression with the
number restricted to :math:`\theta_0 = \hat\theta - \delta`:

.. math:: \tilde e = \hat e + \delta\, Q w / w'w, \qquad w = \sum_g b_g .

In the sub-cluster bootstrap (MacKinnon and Webb 2018, doi 10.1111/ectj.12107) :math:`\eta` is drawn for
parts of clusters, and scores are still summed by cluster.
"""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from clsimpact.errors import DesignError, did_you_mean
from clsimpact.inference.alike import Alike, kinds_of
from clsimpact.inference.blocks import SIZE, Block, blocks_of, joined, run_blocks, steady
from clsimpact.inference.draws import Drawn, Line, settled
from clsimpact.inference.sandwich import cluster_sums
from clsimpact.inference.wald import SINGULAR, walds

__all__ = ["WEIGHTS", "RowForm", "joint_wild", "signs", "wild"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

WEIGHTS = ("rademacher", "webb", "mammen")
"""Distributions of the multipliers: two points, six points (Webb 2023), two points with skewness one."""


@dataclass(frozen=True)
class RowForm:
    """Numbers by row: weights (n, p), basis (n, q), residuals (n) and clusters (n), 0 to G-1.

    ``factor`` is the finite-sample factor c of the variance. Rows are multiplied by the root of their weight.

    Examples
    --------
    The mean of four numbers, each its own cluster:

    >>> y = np.array([1.0, 3.0, 2.0, 6.0])
    >>> quarter, half, one = np.full((4, 1), 0.25), np.full((4, 1), 0.5), np.arange(4)
    >>> mean = RowForm(quarter, half, y - 3, one, np.array([3.0]), 4 / 3)
    >>> bool(abs(mean.errors[0] - y.std(ddof=1) / 2) < 1e-15)
    True
    """

    weights: Floats
    basis: Floats
    residuals: Floats
    clusters: Ints
    estimates: Floats
    factor: float

    @property
    def n_clusters(self) -> int:
        """Number of clusters G."""
        return int(self.clusters.max()) + 1

    @property
    def errors(self) -> Floats:
        """Standard errors without adjustment for leverage, with the factor (p); NaN where zero."""
        scores = cluster_sums(self.weights * self.residuals[:, None], self.clusters, self.n_clusters)
        size = np.abs(self.weights).T @ np.abs(self.residuals)
        error = np.sqrt(self.factor * (scores**2).sum(axis=0))
        return np.where(error > FLAT * size, error, np.nan)

    def restriction(self, hypotheses: Floats) -> Floats:
        """Rows (n, m) that residuals gain where combinations (p, m) are restricted together."""
        w = self.basis.T @ self.weights @ hypotheses
        return np.asarray(self.basis @ np.linalg.pinv(w, rcond=SINGULAR).T)


@dataclass(frozen=True)
class _Sums:
    """Sums over (sub-)clusters of two panels of residuals, for p numbers.

    ``own`` (2, S, p) are a; ``through`` (2, S, q, p) or, where all numbers share them, (2, S, q, 1), are r;
    ``pull`` (G, q, p) are b; ``parent`` (S) is the cluster of each part.
    """

    own: Floats
    through: Floats
    pull: Floats
    parent: Ints
    factor: float
    kind: str
    every: bool
    alike: Alike | None


def signs(block: Block, n: int, kind: str) -> Floats:
    """Draw multipliers (block.size, n) with mean zero and variance one.

    Examples
    --------
    >>> from clsimpact.inference.blocks import blocks_of
    >>> draws = signs(blocks_of(1000, seed=0)[0], 50, "webb")
    >>> np.unique(np.round(draws**2, 6)).tolist()
    [0.5, 1.0, 1.5]
    """
    rng = block.generator()
    if kind == "rademacher":
        bits = np.unpackbits(np.frombuffer(rng.bytes(block.size * (-(-n // 8))), dtype=np.uint8))
        return np.asarray(2.0 * bits.reshape(block.size, -1)[:, :n] - 1.0, dtype=np.float64)
    if kind == "webb":
        points = np.sqrt(np.array([1.5, 1.0, 0.5]))
        return np.asarray(np.concatenate([-points, points])[rng.integers(0, 6, (block.size, n))])
    golden = (1 + np.sqrt(5)) / 2
    high = rng.random((block.size, n)) < (golden - 1) / np.sqrt(5)
    return np.asarray(np.where(high, golden, 1 - golden), dtype=np.float64)


def wild(
    form: RowForm,
    *,
    draws: int,
    seed: int,
    weights: str = "rademacher",
    impose_null: bool = True,
    parts: Ints | None = None,
    executor: Executor | None = None,
    progress: bool = False,
) -> Drawn:
    """Bootstrap every number by itself.

    Parameters
    ----------
    form
    draws, seed
        Random multipliers; with two-point weights of equal size, every combination of signs where there are
        no more than ``draws``.
    weights
        One of `WEIGHTS`.
    impose_null
        Restrict the residuals to the hypothesis (WCR) or not (WCU).
    parts
        Sub-cluster of each row (n), each within one cluster; by default the clusters.
    executor, progress
        See `clsimpact.inference.blocks.run_blocks`.

    Returns
    -------
    Drawn

    Raises
    ------
    DesignError
        Unknown weights, or parts that lie in several clusters.

    Examples
    --------
    >>> y = np.array([1.0, 3.0, 2.0, 6.0])
    >>> quarter, half, one = np.full((4, 1), 0.25), np.full((4, 1), 0.5), np.arange(4)
    >>> mean = RowForm(quarter, half, y - 3, one, np.array([3.0]), 4 / 3)
    >>> found = wild(mean, draws=99, seed=0)
    >>> found.enumerated, found.lines[0].p_value(mean.estimates[0] / mean.errors[0])
    (True, 0.125)
    """
    checked_weights(weights)
    errors = form.errors
    shifts = np.nan_to_num(form_directions(form) * errors)
    panels = np.stack([np.repeat(form.residuals[:, None], errors.size, axis=1), shifts])
    job, every = _sums(form, panels, parts, weights, draws, shared=not impose_null)
    n = job.own.shape[1]
    blocks = blocks_of(2**n if every else draws, seed=seed, size=max(1, min(SIZE, _CELLS // n)))
    run = partial(_lines, job, impose_null)
    found = joined(run_blocks(run, blocks, executor=executor, progress=progress))
    count = 2**n if weights == "rademacher" else (2 if weights == "mammen" else 6) ** n
    if not impose_null:
        return Drawn(form.estimates, errors, _ratio(found[0], found[1]), (), every, count)
    columns = zip(*(np.ascontiguousarray(part.T) for part in found), strict=True)
    lines = tuple(Line(n0, n1, v0, *settled(v1, v2), every) for n0, n1, v0, v1, v2 in columns)
    where = zip(lines, form.estimates / errors, strict=True)
    statistics = np.column_stack([line.at(x) for line, x in where])
    return Drawn(form.estimates, errors, statistics, lines, every, count)


def _ratio(top: Floats, variance: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(top / np.sqrt(variance))


def checked_weights(weights: str) -> None:
    """Refuse unknown multipliers."""
    if weights not in WEIGHTS:
        raise DesignError(
            f"weights {weights!r} are not known{did_you_mean(str(weights), WEIGHTS)}.",
            repair=f"Use one of {', '.join(WEIGHTS)}.",
        )


def form_directions(form: RowForm) -> Floats:
    """Rows that residuals gain where each number by itself is restricted by one (n, p)."""
    w = form.basis.T @ form.weights
    size = (w**2).sum(axis=0)
    return np.asarray(form.basis @ (w / np.where(size > 0, size, np.nan)))


def _sums(
    form: RowForm, panels: Floats, parts: Ints | None, kind: str, draws: int, *, shared: bool
) -> tuple[_Sums, bool]:
    """Sum over clusters; panels are (2, n, p): residuals and shifts."""
    g = form.n_clusters
    part = form.clusters if parts is None else np.unique(parts, return_inverse=True)[1].ravel()
    s = int(part.max()) + 1
    parent = np.zeros(s, dtype=np.int64)
    parent[part] = form.clusters
    if (parent[part] != form.clusters).any():
        raise DesignError("A sub-cluster lies in several clusters.", repair="Name parts of one cluster each.")
    q, p = form.basis.shape[1], form.weights.shape[1]
    own = np.stack([cluster_sums(form.weights * panel, part, s) for panel in panels])
    pull = np.stack([cluster_sums(form.basis * v[:, None], form.clusters, g) for v in form.weights.T], axis=2)
    first = cluster_sums(form.basis * panels[0, :, :1], part, s)[:, :, None]
    through = np.zeros((1, s, q, 1)) if shared else np.zeros((2, s, q, p))
    through[0] = first
    if not shared:
        for j in range(p):
            through[1, :, :, j] = cluster_sums(form.basis * panels[1, :, [j]].T, part, s)
    every = kind == "rademacher" and s < 60 and 2**s <= draws
    kinds = kinds_of(np.hstack([part.reshape(s, -1) for part in (own[1], *through[1:], pull[parent])]))
    few = s == g and kinds.max() < q
    alike = Alike.of(own, through, pull, kinds) if few else None
    return _Sums(own, through, pull, parent, form.factor, kind, every, alike), every


def _multipliers(job: _Sums, block: Block) -> Floats:
    n = job.own.shape[1]
    return _every(block, n) if job.every else signs(block, n, job.kind)


def _every(block: Block, n: int) -> Floats:
    """Return the vectors of signs whose numbers the block has."""
    numbers = np.arange(block.start, block.stop)[:, None]
    return np.asarray(2.0 * ((numbers >> np.arange(n)) & 1) - 1.0, dtype=np.float64)


def _lines(job: _Sums, impose_null: bool, block: Block) -> tuple[Floats, ...]:
    """Return the coefficients of numerators and variances of one block, (b, p) each."""
    eta = _multipliers(job, block)
    panels = (0, 1) if impose_null else (0,)
    pairs = ((0, 0), (0, 1), (1, 1)) if impose_null else ((0, 0),)
    if job.alike is not None:
        return _of_kinds(job, job.alike, eta, impose_null=impose_null)
    by_cluster = job.parent.size == len(job.pull)
    top, rho, cross = _drawn(job, eta, panels, by_cluster=by_cluster)
    square = None if job.kind == "rademacher" else eta**2
    pulls = np.einsum("gqp,grp->pqr", job.pull, job.pull, optimize=True)
    out = np.empty((len(pairs), len(eta), job.own.shape[2]))
    for j in range(out.shape[2]):
        for k, (m, n) in enumerate(pairs):
            if not by_cluster:
                out[k, :, j] = _by_parts(job, eta, rho[m][j], rho[n][j], m, n, j)
                continue
            pair = job.own[m, :, j] * job.own[n, :, j]
            through = steady(rho[n][j], pulls[j]) - cross[n][j]
            total = np.einsum("bq,bq->b", rho[m][j], through) - np.einsum("bq,bq->b", rho[n][j], cross[m][j])
            out[k, :, j] = total + (pair.sum() if square is None else steady(square, pair[:, None])[:, 0])
    return (*top, *(job.factor * out))


def _of_kinds(job: _Sums, alike: Alike, eta: Floats, *, impose_null: bool) -> tuple[Floats, ...]:
    """Return what `_lines` does, where clusters are of a few kinds."""
    pairs = np.stack([job.own[0] ** 2, job.own[0] * job.own[1], job.own[1] ** 2])
    if job.kind == "rademacher":
        squares = pairs.sum(axis=1, keepdims=True)
    else:
        squares = np.stack([steady(eta**2, pair) for pair in pairs])
    found = alike.lines(eta, squares, impose_null=impose_null)
    n = 2 if impose_null else 1
    return (*found[:n], *(job.factor * part for part in found[n:]))


Parts = list[list[Floats]]


def _drawn(
    job: _Sums, eta: Floats, panels: tuple[int, ...], *, by_cluster: bool
) -> tuple[list[Floats], Parts, Parts]:
    """Return, by panel, numerators (b, p), rho and sums of pull times own (p times b, q): one product."""
    p, q = job.own.shape[2], job.pull.shape[1]
    columns = [job.own[m] for m in panels]
    columns += [job.through[m, :, :, j] for m in panels for j in range(p if m else 1)]
    if by_cluster:
        columns += [job.pull[:, :, j] * job.own[m, :, [j]].T for m in panels for j in range(p)]
    whole = steady(eta, np.hstack(columns))
    top = [whole[:, m * p : (m + 1) * p] for m in panels]
    at, rho, cross = len(panels) * p, [], []
    for m in panels:
        size = p if m else 1
        found = [whole[:, at + j * q : at + (j + 1) * q] for j in range(size)]
        rho.append(found if m else found * p)
        at += size * q
    for _ in panels if by_cluster else ():
        cross.append([whole[:, at + j * q : at + (j + 1) * q] for j in range(p)])
        at += p * q
    return top, rho, cross


def _by_parts(job: _Sums, eta: Floats, left: Floats, right: Floats, m: int, n: int, j: int) -> Floats:
    """Sum products of the scores of two panels over clusters, each made of several parts (b)."""
    g = len(job.pull)
    first = cluster_sums((eta * job.own[m, :, j]).T, job.parent, g) - steady(job.pull[:, :, j], left.T)
    if m == n:
        return np.asarray((first**2).sum(axis=0))
    second = cluster_sums((eta * job.own[n, :, j]).T, job.parent, g) - steady(job.pull[:, :, j], right.T)
    return np.asarray((first * second).sum(axis=0))


def joint_wild(
    form: RowForm,
    hypotheses: Floats,
    *,
    draws: int,
    seed: int,
    weights: str = "rademacher",
    impose_null: bool = True,
    executor: Executor | None = None,
    progress: bool = False,
) -> tuple[float, Floats, bool]:
    r"""Bootstrap the Wald statistic that combinations ``hypotheses`` (p, m) of the numbers are all zero.

    Returns
    -------
    tuple
        The statistic, those of the draws (B), and whether all signs were enumerated. The covariance is that
        of `RowForm.errors`, taken anew in each draw.

    Examples
    --------
    >>> y = np.array([1.0, 3.0, 2.0, 6.0])
    >>> quarter, half, one = np.full((4, 1), 0.25), np.full((4, 1), 0.5), np.arange(4)
    >>> mean = RowForm(quarter, half, y - 3, one, np.array([3.0]), 4 / 3)
    >>> statistic, drawn, _ = joint_wild(mean, np.eye(1), draws=99, seed=0)
    >>> round(statistic, 6), float((drawn >= statistic - 1e-9).mean())
    (7.714286, 0.125)
    """
    checked_weights(weights)
    estimates = form.estimates @ hypotheses
    residuals = form.residuals
    if impose_null:
        residuals = residuals + form.restriction(hypotheses) @ estimates
    g, v = form.n_clusters, form.weights @ hypotheses
    pull = np.stack([cluster_sums(form.basis * column[:, None], form.clusters, g) for column in v.T], axis=2)
    job = _Joint(
        cluster_sums(v * residuals[:, None], form.clusters, g),
        cluster_sums(form.basis * residuals[:, None], form.clusters, g),
        pull,
        form.factor,
        weights,
        weights == "rademacher" and g < 60 and 2**g <= draws,
    )
    actual = cluster_sums(v * form.residuals[:, None], form.clusters, g)
    statistic = float(walds(estimates[None], form.factor * (actual.T @ actual)[None]).item())
    blocks = blocks_of(2**g if job.every else draws, seed=seed, size=_JOINT)
    found = joined(run_blocks(partial(_walds, job), blocks, executor=executor, progress=progress))
    return statistic, found[0], job.every


FLAT = 1e-10
"""An error below this share of what it is the sum of is rounding error: scores that cancel leave 1e-15.

One residual in ten thousand rows that does not cancel leaves 1e-4."""

_CELLS = 4_000_000
"""Multipliers that one block holds: 32 MB; few draws at a time where every row has a multiplier."""

_JOINT = 250
"""Draws of a block in a joint test, whose scores are held for every cluster."""


@dataclass(frozen=True)
class _Joint:
    own: Floats
    through: Floats
    pull: Floats
    factor: float
    kind: str
    every: bool


def _walds(job: _Joint, block: Block) -> tuple[Floats]:
    n = len(job.own)
    eta = _every(block, n) if job.every else signs(block, n, job.kind)
    top, rho = steady(eta, job.own), steady(eta, job.through)
    pulled = steady(rho, job.pull.swapaxes(0, 1).reshape(rho.shape[1], -1))
    scores = eta[:, :, None] * job.own - pulled.reshape(len(eta), *job.own.shape)
    return (walds(top, job.factor * scores.swapaxes(1, 2) @ scores),)
