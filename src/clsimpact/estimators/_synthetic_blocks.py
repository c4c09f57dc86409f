r"""Synthetic difference in differences on arrays: weights of a cohort's block, gaps, leave-outs, refits.

For one cohort with treated units I, controls C, periods before adoption P and after it Q:

.. math:: \hat\omega = \arg\min \sum_{s\in P}\Big(\omega_0 + \sum_{i\in C}\omega_i Y_{is}
          - \bar Y_{Is}\Big)^2 + \zeta^2 |P| \lVert\omega\rVert^2, \qquad
          \zeta = (|I|\,|Q|)^{1/4}\,\hat\sigma,

.. math:: \hat\lambda = \arg\min \sum_{i\in C}\Big(\lambda_0 + \sum_{s\in P}\lambda_s Y_{is}
          - \bar Y_{iQ}\Big)^2 + (10^{-6}\hat\sigma)^2 |C| \lVert\lambda\rVert^2,

both over the simplex, solved by `clsimpact.estimators._synthetic_solve`; :math:`\hat\sigma` is the standard
deviation of the first differences of the controls before adoption. The gap at t is

.. math:: \tau_t = \delta_t - \sum_{s\in P}\hat\lambda_s\delta_s, \qquad
          \delta_t = \bar Y_{It} - \sum_{i\in C}\hat\omega_i Y_{it}.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clsimpact.estimators._synthetic_solve import problem_of, solve
from clsimpact.inference.sandwich import cluster_sums

__all__ = ["Block", "Span", "block_of", "blocks_of", "bootstrap", "leave_out", "placebo"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

TIME_RIDGE = 1e-6
"""Ridge of the time weights in standard deviations of the noise (the paper's footnote to its equation 6):
large enough to make them unique, too small to move them."""

ALL_WEIGHT = 1 - 1e-12
"""A control unit (or cluster) that holds more weight than this leaves nothing to renormalise.

Weights sum to one up to 1e-15; less than 1e-12 left to others would be their rounding, blown up."""

TOGETHER = 2**22
"""Numbers in the problems that are solved at once: 32 MB, whatever the number of draws."""


@dataclass(frozen=True)
class Span:
    """The periods of one cohort.

    Attributes
    ----------
    cohort : int
    before, after : boolean arrays (T)
        Periods before adoption (and its anticipation), and from adoption on.
    """

    cohort: int
    before: Bools
    after: Bools


@dataclass(frozen=True)
class Block:
    """One cohort with its weights.

    Attributes
    ----------
    span : Span
    treated, controls : integer arrays
        Positions of the units.
    unit_weights : float array
        One per control; sums to one.
    time_weights : float array
        One per period before adoption; sums to one.
    zeta : float
        Ridge of the unit weights, in units of the outcome; NaN with one period before adoption.
    gaps : float array (T)
        Treated mean less weighted controls, net of the same before adoption.
    cut_short : tuple of str
        Which weights ("unit weights", "time weights") reached the limit of steps: published weights only.
    """

    span: Span
    treated: Ints
    controls: Ints
    unit_weights: Floats
    time_weights: Floats
    zeta: float
    gaps: Floats
    cut_short: tuple[str, ...] = ()


def block_of(y: Floats, span: Span, treated: Ints, controls: Ints, how: str = "exact") -> Block:
    """Weigh the controls and the periods of one cohort.

    With one period before adoption the intercept fits it exactly: the ridge makes the unit weights equal, and
    the result is the plain difference in differences with that period as its base.

    Parameters
    ----------
    y
        Outcome (N, T).
    span, treated, controls
        As in `Block`.
    how
        One of `clsimpact.estimators._synthetic_solve.WEIGHTS`.

    Examples
    --------
    >>> y = np.array([[1.0, 4.0], [0.0, 1.0], [2.0, 3.0]])
    >>> span = Span(2, np.array([True, False]), np.array([False, True]))
    >>> block_of(y, span, np.array([0]), np.array([1, 2])).gaps.tolist()
    [0.0, 2.0]
    """
    return blocks_of(y, span, [(treated, controls)], how)[0]


def blocks_of(y: Floats, span: Span, groups: Sequence[tuple[Ints, Ints]], how: str) -> list[Block]:
    """Weigh controls and periods for each pair of treated units and controls: `block_of` for many draws."""
    largest = max(controls.size for _, controls in groups) * int(span.before.sum())
    size = max(1, TOGETHER // largest)
    found: list[Block] = []
    for k in range(0, len(groups), size):
        found += _chunk(y, span, groups[k : k + size], how)
    return found


def _chunk(y: Floats, span: Span, groups: Sequence[tuple[Ints, Ints]], how: str) -> list[Block]:
    units, times, zetas = [], [], []
    for treated, controls in groups:
        own, pool = y[treated].mean(axis=0), y[controls]
        early = pool[:, span.before]
        steps = np.diff(early, axis=1)
        noise = float(steps.std(ddof=1)) if steps.size > 1 else np.nan
        zetas.append((len(treated) * int(span.after.sum())) ** 0.25 * noise)
        units.append(problem_of(early.T, own[span.before], zetas[-1], noise))
        times.append(problem_of(early, pool[:, span.after].mean(axis=1), TIME_RIDGE * noise, noise))
    solved = zip(groups, zetas, *solve(units, how), *solve(times, how), strict=True)
    found = []
    for (treated, controls), zeta, omega, omega_cut, lam, lam_cut in solved:
        delta = y[treated].mean(axis=0) - omega @ y[controls]
        gaps = delta - delta[span.before] @ lam
        cut = (("unit weights", omega_cut), ("time weights", lam_cut))
        short = tuple(name for name, reached in cut if reached)
        found.append(Block(span, treated, controls, omega, lam, zeta, gaps, short))
    return found


def _refit(y: Floats, spans: Sequence[Span], draws: Sequence[tuple[Ints, Ints]], how: str) -> Floats:
    """Return the gaps (draws, K, T) with all weights fitted anew.

    A draw is the positions of its units in ``y`` and the cohort of each, -1 for a control.
    """
    found = []
    for k, span in enumerate(spans):
        groups = [(at[role == k], at[role == -1]) for at, role in draws]
        found.append([block.gaps for block in blocks_of(y, span, groups, how)])
    return np.array(found).swapaxes(0, 1)


def leave_out(y: Floats, blocks: Sequence[Block], clusters: Ints, n_clusters: int) -> tuple[Floats, Floats]:
    """Return the gaps without each cluster (G, K, T), and how much of each cohort stays (G, K).

    Weights are kept and renormalised. Gaps are NaN where a cluster holds every treated unit of the cohort or
    all the weight of its controls.
    """
    values = np.empty((n_clusters, len(blocks), y.shape[1]))
    stays = np.empty((n_clusters, len(blocks)))
    for k, block in enumerate(blocks):
        mass = np.zeros((len(y), 2))
        mass[block.treated, 0] = 1 / block.treated.size
        mass[block.controls, 1] = block.unit_weights
        net = y - (y[:, block.span.before] @ block.time_weights)[:, None]
        left = 1 - cluster_sums(mass, clusters, n_clusters)
        left = np.where(left > 1 - ALL_WEIGHT, left, np.nan)
        parts = [
            (mass[:, j] @ net - cluster_sums(mass[:, [j]] * net, clusters, n_clusters)) / left[:, [j]]
            for j in (0, 1)
        ]
        values[:, k], stays[:, k] = parts[0] - parts[1], np.nan_to_num(left[:, 0])
    return values, stays


def placebo(
    y: Floats, spans: Sequence[Span], member: Ints, *, draws: int, seed: int, how: str = "exact"
) -> Floats:
    """Return the gaps (draws, K, T) of made-up adopters drawn from the controls (Algorithm 4).

    Each draw gives the cohorts' sizes and periods to controls taken without replacement; the other controls
    stay controls.
    """
    rng = np.random.default_rng(seed)
    pool = np.flatnonzero(member == -1)
    fake = np.concatenate([np.full((member == k).sum(), k) for k in range(len(spans))])
    roles = np.concatenate([fake, np.full(len(pool) - fake.size, -1)])
    return _refit(y, spans, [(pool, roles[rng.permutation(roles.size)]) for _ in range(draws)], how)


def bootstrap(
    y: Floats,
    spans: Sequence[Span],
    member: Ints,
    clusters: Ints,
    *,
    draws: int,
    seed: int,
    how: str = "exact",
) -> tuple[Floats, Floats]:
    """Return the gaps of resampled clusters (draws, K, T), and the relative size of cohorts (draws, K).

    This is Algorithm 2; the size of a cohort in the draw is relative to its size in the sample.
    A draw that lacks controls or a cohort is taken again.
    """
    rng = np.random.default_rng(seed)
    order = np.argsort(clusters, kind="stable")
    sizes = np.bincount(clusters)
    starts = np.concatenate([[0], np.cumsum(sizes)])
    own = np.bincount(member[member >= 0], minlength=len(spans))
    taken: list[tuple[Ints, Ints]] = []
    shares: list[Floats] = []
    while len(taken) < draws:
        drawn = rng.integers(0, sizes.size, sizes.size)
        at = np.concatenate([order[starts[c] : starts[c + 1]] for c in drawn])
        got = np.bincount(member[at][member[at] >= 0], minlength=len(spans))
        if (got == 0).any() or not (member[at] == -1).any():
            continue
        taken.append((at, member[at]))
        shares.append(got / own)
    return _refit(y, spans, taken, how), np.array(shares)
