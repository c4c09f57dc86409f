r"""One difference in differences with covariates, and how each unit moves it.

With D = 1 for the treated, weight w, change :math:`\Delta`, covariates x (with a constant), fitted change of
controls :math:`\mu(x) = x'\beta` (least squares) and propensity :math:`p(x)` (logit, maximum likelihood):

.. math:: \text{reg: } \frac{E[wD(\Delta - \mu)]}{E[wD]}, \qquad
          \text{ipw: } \frac{E[wD\Delta]}{E[wD]} - \frac{E[v\Delta]}{E[v]}, \qquad
          \text{dr: } \frac{E[wD(\Delta-\mu)]}{E[wD]} - \frac{E[v(\Delta-\mu)]}{E[v]}, \qquad
          v = \frac{w\,p\,(1-D)}{1-p}.

Influence functions include the estimation of :math:`\beta` and p: Sant'Anna and Zhao (2020), doi
10.1016/j.jeconom.2020.06.003, sections 2 and 3.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg
from numpy.typing import NDArray
from scipy.special import expit

__all__ = ["Effect", "Logit", "effect_of", "logit_of", "standardised"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

RANK_TOLERANCE = 1e-9
"""Columns (centred, norm one) with a pivot below this are collinear; rounding leaves about 1e-15.

A correlation of 0.99999 leaves 4e-3, and slopes lose the digits that the pivot lacks."""

STEPS = 60
"""Newton needs about six steps; without overlap it never arrives, so this is no tuning."""

OVERLAP = 1e-9
"""Information of the logit below this share of its largest possible (p = 1/2): some direction separates.

Newton drives it to zero by a factor of three a step where one does; a propensity of 1e-6 leaves 1e-6."""

NEAR = 1e-8
"""Below this (in spreads of the covariates) Newton's steps shrink quadratically, down to rounding: the first
that does not shrink is the last."""

SLACK = 1e-12
"""Share of the log likelihood that a Newton step may lose and still be taken whole.

Sums of thousands of terms are wrong by 1e-14. A step of 1e-6 gains no more than this, and from there steps
shrink quadratically."""

COLLINEAR = "collinear"
NO_OVERLAP = "no overlap"


@dataclass(frozen=True)
class Effect:
    """An effect with the influence of each unit, or why there is none.

    Attributes
    ----------
    value : float
    psi : float array (n)
        Already divided by the number of units.
    trouble : str
        ``"collinear"``, ``"no overlap"`` or empty.
    """

    value: float
    psi: Floats
    trouble: str = ""


@dataclass(frozen=True)
class Logit:
    """A fitted propensity.

    Attributes
    ----------
    odds : float array (n)
        p / (1 - p) of the controls, which it weighs, as a share of the largest; zero for the treated.
    p : float array (n)
    inverse : float array (k, k)
        Inverse of the information matrix.
    trouble : str
    """

    odds: Floats
    p: Floats
    inverse: Floats
    trouble: str = ""


def standardised(x: Floats, w: Floats) -> Floats:
    """Return a constant and the covariates (n, k) with mean zero and spread one: fits do not depend on it.

    Examples
    --------
    >>> standardised(np.array([[1.0], [3.0]]), np.ones(2)).tolist()
    [[1.0, -1.0], [1.0, 1.0]]
    """
    middle = w @ x / w.sum()
    net = x - middle
    spread = np.sqrt(w @ net**2 / w.sum())
    return np.column_stack([np.ones(len(x)), net / np.where(spread > 0, spread, 1.0)])


def collinear(x: Floats, w: Floats) -> bool:
    """Return whether columns (the first a constant) are linearly dependent on the rows with weight."""
    rows = x[w > 0]
    if len(rows) < x.shape[1]:
        return True
    net = rows[:, 1:] - rows[:, 1:].mean(axis=0)
    norm = np.linalg.norm(net, axis=0)
    whole = np.linalg.norm(rows[:, 1:], axis=0)
    if (norm <= RANK_TOLERANCE * np.where(whole > 0, whole, 1.0)).any():
        return True
    _, r, _ = scipy.linalg.qr(net / norm, mode="economic", pivoting=True)
    return bool((np.abs(np.diag(r)) < RANK_TOLERANCE).any())


def logit_of(treated: Bools, x: Floats, w: Floats) -> Logit:
    """Fit a logit by Newton's method, to the last digit.

    Parameters
    ----------
    treated, x, w
        Arrays (n), (n, k) from `standardised`, and (n).

    Examples
    --------
    With one group of four, of which one is treated, p is a quarter:

    >>> fit = logit_of(np.array([True, False, False, False]), np.ones((4, 1)), np.ones(4))
    >>> [round(float(p), 12) for p in fit.p]
    [0.25, 0.25, 0.25, 0.25]
    """
    none = np.zeros(0)
    if collinear(x, w):
        return Logit(none, none, none, COLLINEAR)
    d = treated.astype(np.float64)
    share = w @ d / w.sum()
    beta = np.zeros(x.shape[1])
    beta[0] = np.log(share / (1 - share))
    best, reached = np.inf, _likelihood(x @ beta, d, w)
    floor = OVERLAP * min(share, 1 - share) * w.mean()
    for _ in range(STEPS):
        p = expit(x @ beta)
        roots, vectors = scipy.linalg.eigh((x * (w * p * (1 - p))[:, None]).T @ x)
        if roots[0] < floor:
            return Logit(none, none, none, NO_OVERLAP)
        inverse = (vectors / roots) @ vectors.T
        step = inverse @ (x.T @ (w * (d - p)))
        size = float(np.abs(step).max())
        if size >= NEAR:
            step, reached = _uphill(beta, step, x, d, w, reached)
        beta = beta + step
        if size == 0 or best <= size < NEAR:
            break
        best = min(best, size)
    else:
        return Logit(none, none, none, NO_OVERLAP)
    index = x @ beta
    weighed = ~treated & (w > 0)
    odds = np.exp(np.where(weighed, index - index[weighed].max(), -np.inf))
    return Logit(odds, expit(index), inverse)


def _likelihood(index: Floats, d: Floats, w: Floats) -> float:
    return float(-w @ np.logaddexp(0.0, np.where(d > 0, -index, index)))


def _uphill(
    beta: Floats, step: Floats, x: Floats, d: Floats, w: Floats, reached: float
) -> tuple[Floats, float]:
    """Halve a step until it does not lower the likelihood, but for rounding."""
    for _ in range(STEPS):
        found = _likelihood(x @ (beta + step), d, w)
        if found >= reached - SLACK * abs(reached):
            return step, found
        step = step / 2
    return step, reached


def effect_of(
    change: Floats, treated: Bools, x: Floats, w: Floats, *, method: str, logit: Logit | None
) -> Effect:
    """Estimate one effect.

    Parameters
    ----------
    change, treated, x, w
        Of the treated and control units of the cell: (n), (n), (n, k) from `standardised`, (n).
    method
        ``"reg"``, ``"ipw"`` or ``"dr"``.
    logit
        From `logit_of`; not needed for ``"reg"``.

    Examples
    --------
    Without covariates: a difference of means.

    >>> d, one = np.array([True, False, False]), np.ones(3)
    >>> effect_of(np.array([5.0, 1.0, 2.0]), d, one[:, None], one, method="reg", logit=None).value
    3.5
    """
    none = np.zeros(change.size)
    if logit is not None and logit.trouble:
        return Effect(np.nan, none, logit.trouble)
    d = treated.astype(np.float64)
    own, rest = w * d, w * (1 - d)
    fitted, moved = np.zeros(change.size), np.zeros((change.size, x.shape[1]))
    if method != "ipw":
        if collinear(x, rest):
            return Effect(np.nan, none, COLLINEAR)
        inverse = np.linalg.inv((x * rest[:, None]).T @ x)
        fitted = x @ (inverse @ (x.T @ (rest * change)))
        moved = (x * (rest * (change - fitted))[:, None]) @ inverse
    net = change - fitted
    mean = own @ net / own.sum()
    psi = (own * (net - mean) - moved @ (own @ x)) / own.sum()
    if logit is None:
        return Effect(float(mean), psi)
    other = rest * logit.odds
    level = other @ net / other.sum()
    scores = (x * (w * (d - logit.p))[:, None]) @ logit.inverse
    tilt = scores @ ((other * (net - level)) @ x)
    against = (other * (net - level) + tilt - moved @ (other @ x)) / other.sum()
    return Effect(float(mean - level), psi - against)
