r"""The conditional test of Andrews, Roth and Pakes on the pieces, its hybrid, and the intervals they give.

At a hypothesis :math:`\theta` the statistic :math:`\eta` is the largest of the vertices of `_honest_pieces`.
Given which vertex it is and what is independent of it, :math:`\eta` is a normal truncated to
:math:`[v_{lo}, v_{up}]`, the values at which that vertex stays the largest. The test rejects where
:math:`\eta > \max(0, q)`, q the quantile of the normal with mean zero so truncated.

The hybrid rejects at once where :math:`\eta` exceeds the least-favourable critical value
:math:`c_\kappa`, the :math:`1 - \kappa` quantile of the statistic with all means zero; else it tests at
level :math:`(\alpha - \kappa)/(1 - \kappa)` with :math:`v_{up}` cut at :math:`c_\kappa`.

The statistic is the largest of four linear forms of two normal numbers, so :math:`c_\kappa` needs no draws:
its tail is a sum of Owen's T functions over the sectors in which each form is the largest.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf, log_ndtr, ndtri, owens_t

from clsimpact.diagnostics._honest_pieces import Floats, Pieces

__all__ = ["accepted", "critical_values", "ends", "p_values", "reached"]

HYBRID_SHARE = 10
"""kappa is alpha divided by this, as the paper and R do."""

SCANNED, HALVINGS = 25, 44
"""Points of the scan outwards from where the test surely accepts, and halvings of the interval between the
last that is accepted and the next: 2 ** -44 of a few standard errors."""

NEWTON, ROUNDING = 12, 1e-13
"""Most Newton steps towards a critical value (four are usual), and the relative step that ends them.

Steps shrink quadratically: the one after a step of 1e-7 is rounding, about 1e-15 of the value."""

SAME = 1e-12
"""Slopes of two vertices nearer than this move together: neither overtakes the other.

They are one where equal; dot products of a dozen terms leave 1e-15, and real slopes differ by hundredths."""

FURTHEST = 2.0**60
"""Standard deviations at which the search for a hypothesis that is rejected gives up; a dozen are usual."""


def critical_values(pieces: Pieces, kappa: float) -> Floats:
    """Return the least-favourable critical value of each piece (G, P), exact to rounding.

    Examples
    --------
    With relative magnitude 0 the statistic is a two-sided t test:

    >>> from clsimpact.diagnostics._honest_pieces import steps
    >>> pieces = steps(np.array([1.0, 3.0]), np.eye(2), 1, np.ones(1), np.array([0.0]))
    >>> critical_values(pieces, 0.05).round(6).tolist()
    [[1.959964, 1.959964]]
    """
    half = len(pieces.d) // 2  # a step and its mirror image: the statistic has the same distribution
    forms = pieces.rows()[:, :half] @ _root(pieces.moments[:half])
    size, turn = np.hypot(forms[..., 0], forms[..., 1]), np.arctan2(forms[..., 1], forms[..., 0])
    sectors = _sectors(forms, size, turn)
    least, most = size.max(axis=-1) * ndtri(1 - kappa), size.max(axis=-1) * ndtri(1 - kappa / 4)
    q = 0.5 * (least + most)
    for _ in range(NEWTON):
        tail, slope = sectors.tail(q)
        with np.errstate(divide="ignore", invalid="ignore"):
            # Newton on the logarithm of the tail, which is nearly linear in the square of q
            step = tail * np.log(tail / kappa) / slope
        q, before = np.clip(q - np.nan_to_num(step), least, most), q
        if np.abs(q - before).max() < ROUNDING * q.max():
            break
    return np.concatenate([q, q], axis=1)


@dataclass(frozen=True)
class _Sectors:
    """Sectors of the plane (..., S) with the radius of the form that is largest there, and their edges."""

    radius: Floats
    start: Floats
    stop: Floats

    def tail(self, q: Floats) -> tuple[Floats, Floats]:
        """P(statistic > q), and its derivative."""
        with np.errstate(divide="ignore"):
            scaled = q[..., None] / self.radius
        part = owens_t(scaled, self.stop) - owens_t(scaled, self.start)
        density = np.exp(-0.5 * scaled**2) / np.sqrt(8 * np.pi)
        with np.errstate(invalid="ignore"):
            rates = [
                np.where(self.radius > 0, erf(scaled * edge / np.sqrt(2)), 0.0) * density
                for edge in (self.start, self.stop)
            ]
            slope = np.where(self.radius > 0, (rates[0] - rates[1]) / self.radius, 0.0)
        return part.sum(axis=-1), slope.sum(axis=-1)


def _root(moments: Floats) -> Floats:
    """Lower triangular roots (P, 2, 2) of the covariance of p and d."""
    root = np.zeros((len(moments), 2, 2))
    root[:, 0, 0] = np.sqrt(moments[:, 0])
    root[:, 1, 0] = moments[:, 1] / root[:, 0, 0]
    root[:, 1, 1] = np.sqrt(np.maximum(moments[:, 2] - root[:, 1, 0] ** 2, 0))
    return root


def _sectors(forms: Floats, size: Floats, turn: Floats) -> _Sectors:
    """Cut the circle where forms meet or change sign; sectors where none is above 0 have radius 0."""
    one, other = np.triu_indices(4, 1)
    gaps = forms[..., one, :] - forms[..., other, :]
    edges = np.concatenate([turn, np.arctan2(gaps[..., 1], gaps[..., 0])], axis=-1) + np.pi / 2
    edges = np.sort(np.concatenate([edges, edges + np.pi], axis=-1) % (2 * np.pi), axis=-1)
    edges = np.concatenate([edges, edges[..., :1] + 2 * np.pi], axis=-1)
    middle = 0.5 * (edges[..., 1:] + edges[..., :-1])
    heights = np.cos(middle)[..., None] * forms[..., None, :, 0]
    heights = heights + np.sin(middle)[..., None] * forms[..., None, :, 1]
    top = heights.argmax(axis=-1)
    own = np.take_along_axis(turn, top, axis=-1)
    radius = np.where(heights.max(axis=-1) > 0, np.take_along_axis(size, top, axis=-1), 0.0)
    turned = (middle - own + np.pi) % (2 * np.pi) - np.pi
    half = 0.5 * (edges[..., 1:] - edges[..., :-1])
    angles = (np.clip(turned + side * half, -np.pi / 2, np.pi / 2) for side in (-1.0, 1.0))
    start, stop = (np.where(radius > 0, np.tan(angle), 0.0) for angle in angles)
    return _Sectors(radius, start, stop)


def p_values(pieces: Pieces, theta: Floats, cut: Floats) -> Floats:
    """Return P(normal > statistic | truncation) at each hypothesis, 1 where the statistic is not above 0.

    Parameters
    ----------
    pieces
        What bounds the estimand.
    theta
        Hypotheses (H, G, P).
    cut
        The first-stage critical value (G, P), infinite without a first stage: above it the p-value is 0.

    Examples
    --------
    >>> from clsimpact.diagnostics._honest_pieces import steps
    >>> pieces = steps(np.array([1.0, 3.0]), np.eye(2), 1, np.ones(1), np.array([0.0]))
    >>> p_values(pieces, np.full((1, 1, 2), 1.0), np.full((1, 2), np.inf)).round(4).ravel().tolist()
    [0.0455, 0.0455]
    """
    rows = pieces.rows()
    value = rows[..., 0] * pieces.p + rows[..., 1] * pieces.d[:, None]
    shifts = np.zeros_like(value)
    shifts[..., 0], shifts[..., 1] = 1 / pieces.high, -1 / pieces.low
    value = value + shifts * theta[..., None]
    top = value.argmax(axis=-1)
    eta = value.max(axis=-1)
    products = _products(rows, pieces.moments)
    with np.errstate(divide="ignore", invalid="ignore"):
        own = np.take_along_axis(np.diagonal(products, axis1=-2, axis2=-1)[None], top[..., None], axis=-1)
        with_top = np.take_along_axis(products[None], top[..., None, None], axis=-1)[..., 0]
        rho = np.where(own > 0, with_top / own, 0.0)
        crossing = (value - rho * eta[..., None]) / (1 - rho)
    low = np.where(rho < 1 - SAME, crossing, -np.inf).max(axis=-1)
    high = np.minimum(np.where(rho > 1 + SAME, crossing, np.inf).min(axis=-1), cut)
    return _truncated(eta, np.minimum(low, eta), high, np.sqrt(own[..., 0]))


def _products(rows: Floats, moments: Floats) -> Floats:
    """Covariances of the vertices (G, P, 4, 4)."""
    full = np.stack([moments[:, [0, 1]], moments[:, [1, 2]]], axis=-2)
    return np.asarray(rows @ full @ np.swapaxes(rows, -1, -2))


def _truncated(eta: Floats, low: Floats, high: Floats, sd: Floats) -> Floats:
    """Upper tail of a normal truncated to low and high."""
    with np.errstate(divide="ignore", invalid="ignore"):
        at, below, above = (log_ndtr(-x / sd) for x in (eta, low, high))
        past = np.exp(above - below)
        tail = (np.exp(at - below) - past) / (1 - past)
    # without width there is nothing to test; R and the paper never reject there
    tail = np.where(np.isnan(tail), 1.0, tail)
    return np.where(eta <= 0, 1.0, np.where(eta > high, 0.0, tail))


def accepted(pieces: Pieces, theta: Floats, alpha: float, cut: Floats | None) -> NDArray[np.bool_]:
    """Return whether each piece does not reject each hypothesis (H, G, P).

    Examples
    --------
    >>> from clsimpact.diagnostics._honest_pieces import steps
    >>> pieces = steps(np.array([1.0, 3.0]), np.eye(2), 1, np.ones(1), np.array([0.0]))
    >>> accepted(pieces, np.array([[[1.0, 1.1]]]), 0.05, None).ravel().tolist()
    [False, True]
    """
    if cut is None:
        return p_values(pieces, theta, np.full(pieces.low.shape, np.inf)) > alpha
    kappa = alpha / HYBRID_SHARE
    return p_values(pieces, theta, cut) > (alpha - kappa) / (1 - kappa)


def ends(pieces: Pieces, alpha: float, cut: Floats | None) -> tuple[Floats, Floats]:
    """Return the interval (G) and (G): the outermost hypotheses that some piece does not reject.

    Parameters
    ----------
    pieces
        What bounds the estimand.
    alpha
        Level of the test.
    cut
        Least-favourable critical values of level alpha / 10 (G, P); None for the conditional test alone.

    Examples
    --------
    >>> from clsimpact.diagnostics._honest_pieces import steps
    >>> pieces = steps(np.array([1.0, 3.0]), np.eye(2), 1, np.ones(1), np.array([0.0]))
    >>> [end.round(4).item() for end in ends(pieces, 0.05, None)]
    [1.04, 4.96]
    """
    return -_upper(pieces.mirrored(), alpha, cut), _upper(pieces, alpha, cut)


def reached(pieces: Pieces, theta: float, alpha: float, cut: Floats | None) -> NDArray[np.bool_]:
    """Return whether the interval of `ends` holds one hypothesis (G), without looking for its ends.

    Examples
    --------
    >>> from clsimpact.diagnostics._honest_pieces import steps
    >>> pieces = steps(np.array([1.0, 3.0]), np.eye(2), 1, np.ones(1), np.array([0.0]))
    >>> reached(pieces, 1.0, 0.05, None).item(), reached(pieces, 2.0, 0.05, None).item()
    (False, True)
    """
    at = np.full((1, *pieces.low.shape), theta)
    kept = accepted(pieces, at, alpha, cut)[0]
    sides = []
    for side, value in ((pieces, theta), (pieces.mirrored(), -theta)):
        inner, least = _inner(side)
        holds = np.ones(inner.shape, dtype=bool) if cut is None else least <= cut
        sides.append((holds & (kept | (value <= inner))).any(axis=-1))
    return np.asarray(sides[0] & sides[1])


def _inner(pieces: Pieces) -> tuple[Floats, Floats]:
    """Return from where on the upper bound is the largest vertex, and the statistic there (G, P)."""
    at_one = pieces.p + pieces.slope[:, None] * pieces.d
    other = pieces.p - pieces.slope[:, None] * pieces.d
    pair = (-pieces.pairs * pieces.d[:, None]).max(axis=-1)
    meets_lower = (at_one * pieces.low + other * pieces.high) / (pieces.low + pieces.high)
    inner = np.maximum(meets_lower, at_one + pieces.high * pair)
    return inner, (inner - at_one) / pieces.high


def _upper(pieces: Pieces, alpha: float, cut: Floats | None) -> Floats:
    """Return the upper end (G).

    From some hypothesis on, the upper bound is the largest vertex. There the statistic is at the bottom of
    its truncation and the test accepts, unless the first stage rejects it; further out it only grows.
    """
    inner, least = _inner(pieces)
    gone = np.zeros(inner.shape, dtype=bool) if cut is None else least > cut
    if cut is None:
        outer = _far(pieces, inner, alpha)
    else:
        outer = np.maximum(inner + (cut - least) * pieces.high, inner)
    share = np.linspace(0, 1, SCANNED)[:, None, None]
    scanned = inner + share * (outer - inner)
    kept = accepted(pieces, scanned, alpha, cut)
    kept[0] = True
    last = SCANNED - 1 - kept[::-1].argmax(axis=0)
    after = np.minimum(last + 1, SCANNED - 1)
    good, bad = (np.take_along_axis(scanned, at[None], axis=0)[0] for at in (last, after))
    for _ in range(HALVINGS):
        middle = 0.5 * (good + bad)
        keep = accepted(pieces, middle[None], alpha, cut)[0]
        good, bad = np.where(keep, middle, good), np.where(keep, bad, middle)
    return np.asarray(np.where(gone, -np.inf, good).max(axis=-1))


def _far(pieces: Pieces, inner: Floats, alpha: float) -> Floats:
    """Return hypotheses that the conditional test rejects, further out than any that it accepts."""
    reach = 8.0
    while reach < FURTHEST:
        outer = inner + reach * pieces.high
        beyond = np.stack([outer, inner + 2 * reach * pieces.high])
        if not accepted(pieces, beyond, alpha, None).any():
            return outer
        reach *= 2
    return inner + reach * pieces.high
