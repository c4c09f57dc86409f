"""How time and memory grow with a size: exponents fitted to measurements, and what lies beyond them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

GROWN = 3.0
"""Sizes that cost less than this many times the smallest are ruled by the constant and are not fitted."""

FEWEST = 3
"""Sizes that a fit needs."""

FLOOR_MB = 2.0
"""Memory below this is not told from what the allocator keeps."""


class Growth(NamedTuple):
    """Cost = constant x size to the power of ``exponent``, from the size ``start`` on."""

    exponent: float
    error: float
    start: float
    points: int


def upper(values: ArrayLike, floor: float = 0.0) -> NDArray[np.bool_]:
    """Tell for each cost, in order of size, whether it is well above the constant: so are all after it."""
    costs = np.asarray(values, dtype=float)
    grown = costs >= GROWN * max(costs[0], floor)
    return np.logical_and.accumulate(grown[::-1])[::-1]


def growth(sizes: ArrayLike, values: ArrayLike, floor: float = 0.0) -> Growth | None:
    """Fit the slope of log cost on log size over the upper sizes; None where too few are above the constant.

    The standard error is that of least squares, so of few points: it tells how straight the line is.
    """
    used = upper(values, floor)
    if used.sum() < FEWEST:
        return None
    x, y = (np.log(np.asarray(part, dtype=float)[used]) for part in (sizes, values))
    moved = x - x.mean()
    slope = float(moved @ y / (moved @ moved))
    rest = y - y.mean() - slope * moved
    error = float(np.sqrt(rest @ rest / (len(x) - 2) / (moved @ moved)))
    return Growth(slope, error, float(np.asarray(sizes)[used][0]), int(used.sum()))


def beyond(sizes: ArrayLike, values: ArrayLike, found: Growth, size: float) -> float:
    """Return the cost at a size, carried on from the largest that was measured."""
    last, cost = (float(np.asarray(part)[-1]) for part in (sizes, values))
    return float(cost * (size / last) ** found.exponent)


def reach(sizes: ArrayLike, values: ArrayLike, found: Growth, limit: float) -> float:
    """Return the size at which the cost meets a limit, carried on from the largest that was measured."""
    last, cost = (float(np.asarray(part)[-1]) for part in (sizes, values))
    return float(last * (limit / cost) ** (1 / found.exponent))


def quicker_from(sizes: ArrayLike, ours: ArrayLike, other: ArrayLike) -> float | None:
    """Return the size from which on ``ours`` is below ``other`` at every size measured; None if at none."""
    below = np.asarray(ours, dtype=float) < np.asarray(other, dtype=float)
    always = np.logical_and.accumulate(below[::-1])[::-1]
    return float(np.asarray(sizes)[always][0]) if always.any() else None
