"""The weight problems of synthetic difference in differences, and the two ways to solve them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clsimpact.estimators._synthetic_published import LEAST, published_weights
from clsimpact.estimators._synthetic_simplex import fewer_rows, simplex_ridge

__all__ = ["WEIGHTS", "Problem", "problem_of", "solve"]

Floats = NDArray[np.float64]

WEIGHTS = ("exact", "published")
"""Ways to solve: the minimum itself, or where the published programs stop."""


@dataclass(frozen=True)
class Problem:
    """Weights (n) of the columns of ``a`` (m, n) for ``b`` (m): a ridge regression on the simplex.

    Attributes
    ----------
    a, b : float arrays
        Net of their means over rows (a free intercept).
    eta, least : float
        Ridge, and the fall of the objective at which published steps end, in squared units of ``b``.
    """

    a: Floats
    b: Floats
    eta: float
    least: float

    @property
    def equal(self) -> bool:
        """Whether the weights are equal whatever the data: one column, or one row for the intercept."""
        return bool(min(self.a.shape) == 1)


def problem_of(a: Floats, b: Floats, zeta: float, noise: float) -> Problem:
    """Return the problem with a free intercept, ridge ``zeta`` and ``noise`` per row."""
    rows = len(a)
    eta, least = (0.0 if np.isnan(v) else v**2 * rows for v in (zeta, LEAST * noise))
    return Problem(a - a.mean(axis=0), b - b.mean(), eta, least)


def solve(problems: Sequence[Problem], how: str) -> tuple[list[Floats], list[bool]]:
    """Return the weights of each problem, and whether it reached the limit of steps (published only).

    Examples
    --------
    >>> problem = problem_of(np.array([[1.0, 5.0], [0.0, 0.0]]), np.array([2.0, 0.0]), 0.0, 1.0)
    >>> [solve([problem], how)[0][0].round(6).tolist() for how in WEIGHTS]
    [[0.75, 0.25], [0.75, 0.25]]
    """
    found = [np.full(p.a.shape[1], 1 / p.a.shape[1]) for p in problems]
    reached = [False] * len(problems)
    open_ones = [k for k, p in enumerate(problems) if not p.equal]
    if how == "exact":
        for k in open_ones:
            found[k] = simplex_ridge(problems[k].a, problems[k].b, problems[k].eta)
    elif open_ones:
        weights, limits = _together([problems[k] for k in open_ones])
        for k, w, limit in zip(open_ones, weights, limits, strict=True):
            found[k], reached[k] = w[: found[k].size], bool(limit)
    return found, reached


def _together(problems: Sequence[Problem]) -> tuple[Floats, NDArray[np.bool_]]:
    """Solve problems of different sizes at once: rows of zeros and columns that are barred fill them up."""
    small = [fewer_rows(p.a, p.b) for p in problems]
    rows, columns = (max(a.shape[axis] for a, _ in small) for axis in (0, 1))
    a, b = np.zeros((len(small), rows, columns)), np.zeros((len(small), rows))
    for k, (own, goal) in enumerate(small):
        a[k, : own.shape[0], : own.shape[1]], b[k, : goal.size] = own, goal
    eta, least = (np.array([getattr(p, name) for p in problems]) for name in ("eta", "least"))
    return published_weights(a, b, eta, least, np.array([own.shape[1] for own, _ in small]))
