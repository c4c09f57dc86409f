"""What the made-up world is drawn with: streams by topic, paths over years, whole numbers that add up."""

from __future__ import annotations

import zlib
from typing import Final

import numpy as np
from numpy.typing import NDArray

from clsimpact.simulate.calibration import Persistence

__all__ = ["allocate", "apportion", "expit", "lasting", "logit", "match_mean", "paths", "stream"]

Floats = NDArray[np.float64]
_STEPS: Final = 60
"""Halvings of an interval of logits: 2 ** -60 of it is less than their rounding."""
_WIDE: Final = 12.0
"""Logits beyond this do not occur."""


def stream(seed: int, topic: str) -> np.random.Generator:
    """Return the random numbers of one topic, whatever other topics need."""
    return np.random.default_rng([seed, zlib.crc32(topic.encode())])


def logit(share: Floats) -> Floats:
    """Return the logit of shares between 0 and 1."""
    return np.asarray(np.log(share / (1 - share)))


def expit(value: Floats) -> Floats:
    """Return the share of a logit."""
    return np.asarray(1 / (1 + np.exp(-value)))


def paths(rng: np.random.Generator, years: int, shape: tuple[int, ...], persistence: Persistence) -> Floats:
    """Return standard normal paths over years: a part that stays for good, and one that fades year by year.

    Returns
    -------
    ndarray of shape (years, *shape)
        Variance one in every year; covariance ``stays + (1 - stays) * carries ** lag`` between years.
    """
    return lasting(rng.standard_normal((years + 1, *shape)), persistence)


def lasting(drawn: Floats, persistence: Persistence) -> Floats:
    """Make paths of independent draws: the first stays for good, each other one is fresh in its year."""
    passing = np.empty((len(drawn) - 1, *drawn.shape[1:]))
    passing[0] = drawn[1]
    fresh = np.sqrt(1 - persistence.carries**2)
    for year in range(1, len(passing)):
        passing[year] = persistence.carries * passing[year - 1] + fresh * drawn[year + 1]
    return np.asarray(np.sqrt(persistence.stays) * drawn[0] + np.sqrt(1 - persistence.stays) * passing)


def apportion(totals: NDArray[np.int64], weights: Floats) -> NDArray[np.int64]:
    """Split whole numbers by weights along the last axis: largest remainders, so that parts add up exactly.

    Parameters
    ----------
    totals
        Whole numbers, of the shape of ``weights`` without its last axis.
    weights
        Not negative; where all of a row are zero its total must be zero.

    Examples
    --------
    >>> apportion(np.array([10]), np.array([[1.0, 1.0, 1.0]])).tolist()
    [[4, 3, 3]]
    """
    sums = weights.sum(axis=-1, keepdims=True)
    share = np.divide(weights, sums, out=np.zeros_like(weights), where=sums > 0)
    exact = share * totals[..., None]
    whole = np.floor(exact).astype("int64")
    left = totals - whole.sum(axis=-1)
    order = np.argsort(-(exact - whole), axis=-1, kind="stable")
    rank = np.empty_like(order)
    np.put_along_axis(rank, order, np.broadcast_to(np.arange(order.shape[-1]), order.shape).copy(), axis=-1)
    return np.asarray(whole + (rank < left[..., None]))


def allocate(
    total: int, weights: Floats, fixed: NDArray[np.bool_], before: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Split a national total by weights among areas, some of which keep the number that they had before."""
    numbers = before.copy()
    rest = total - int(before[fixed].sum())
    numbers[~fixed] = apportion(np.array(rest), weights[~fixed])
    return numbers


def match_mean(value: Floats, weights: Floats, target: float) -> Floats:
    """Shift logits by one number so that the weighted mean of their shares is a target."""
    low, high = -_WIDE, _WIDE
    for _ in range(_STEPS):
        middle = (low + high) / 2
        below = float((expit(value + middle) * weights).sum()) < target * float(weights.sum())
        low, high = (middle, high) if below else (low, middle)
    return np.asarray(value + (low + high) / 2)
