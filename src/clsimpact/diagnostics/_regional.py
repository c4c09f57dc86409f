r"""Adopters against comparison units of their own region: coefficients, errors, and a test by labels.

With weights v of an estimate and residuals e, taking regional means of comparison units away changes it by

.. math:: D = -\sum_{it} v_{it} \bar e_{r(i)t}, \qquad
          \bar e_{rt} = \frac{1}{n_{rt}} \sum_{j \in r, \text{not adopting}} e_{jt} .

If regions share nothing, it does not matter which comparison unit is in which region: the regions of
comparison units are exchanged among them, sizes kept, adopters where they are, and :math:`D / s` taken anew.
s adds up what single units contribute, by residuals net of regional means, times
:math:`\sqrt{n_r / (n_r - 1)}` for the mean that is taken out. Nothing is assumed of where adopters are.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clsimpact.diagnostics._reassigned import Board, quantile
from clsimpact.inference.blocks import blocks_of

__all__ = ["Change", "net_of_region", "relabelled", "within_regions"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Change(NamedTuple):
    """What comparing within regions changes, with its interval and p-value."""

    estimate: float
    low: float
    high: float
    p_value: float

    @property
    def largest(self) -> float:
        """The largest change that the interval does not rule out."""
        return max(abs(self.low), abs(self.high))


def relabelled(board: Board, regions: Ints, *, draws: int, seed: int, level: float) -> Change:
    """Compare the change with its values when regions are exchanged among comparison units.

    Parameters
    ----------
    board
        Weights and residuals.
    regions
        Region of each unit (N), 0 and up; -1 for none.
    draws, seed, level
        Exchanges, and the level of the interval.
    """
    v = board.weights[board.lookup[board.paths, board.patterns]]
    free = np.flatnonzero((board.paths == 0) & (regions >= 0))

    def change(labels: Ints) -> tuple[float, float]:
        extra = within_regions(board.seen, labels, board.paths, v) - v
        noise = net_of_region(board.seen, labels, board.paths, board.errors)
        scores = (extra * noise).sum(axis=1)[free]
        return float((extra * board.errors).sum()), float(np.sqrt((scores**2).sum()))

    move, error = change(regions)
    found = []
    for block in blocks_of(draws, seed=seed):
        rng = block.generator()
        for _ in range(block.size):
            labels = regions.copy()
            labels[free] = rng.permutation(regions[free])
            top, bottom = change(labels)
            found.append(abs(top) / bottom if bottom > 0 else 0.0)
    statistics = np.array(found)
    reach = quantile(statistics, level) * error
    beyond = (statistics >= abs(move) / error).sum() if error > 0 else draws
    return Change(move, move - reach, move + reach, float((1 + beyond) / (draws + 1)))


def net_of_region(seen: NDArray[np.bool_], regions: Ints, paths: Ints, errors: Floats) -> Floats:
    """Return residuals (N, T) net of the mean of the comparison units of the region; zero without a row.

    Those of comparison units are scaled up by what their own share in the mean takes out of their variance.

    Examples
    --------
    >>> errors = np.array([[1.0], [2.0], [4.0]])
    >>> net_of_region(errors > 0, np.zeros(3, dtype=int), np.array([1, 0, 0]), errors).ravel().tolist()
    [-2.0, -1.4142135623730951, 1.4142135623730951]
    """
    known = regions >= 0
    mass = (seen & ((paths == 0) & known)[:, None]).astype(float)
    member = np.zeros((regions.max() + 1, regions.size))
    member[regions[known], np.flatnonzero(known)] = 1.0
    count = member @ mass
    means = member @ (mass * errors) / np.maximum(count, 1.0)
    net = errors - np.where(seen & known[:, None], means[regions], 0.0)
    return np.asarray(net * np.where(mass > 0, np.sqrt(count / np.maximum(count - 1, 1.0))[regions], 1.0))


def within_regions(seen: NDArray[np.bool_], regions: Ints, paths: Ints, v: Floats) -> Floats:
    """Return the coefficients (N, T) of an estimate with weights ``v`` when regional means are taken away.

    Parameters
    ----------
    seen
        True where a unit is observed (N, T).
    regions
        Region of each unit (N), 0 and up; -1 for none, whose outcomes stay as they are.
    paths
        Adoption path of each unit, 0 for comparison units (N).
    v
        Weights (N, T).

    Examples
    --------
    An adopter, and two others of whom only one is in its region:

    >>> v = np.array([[-1.0, 1.0], [0.5, -0.5], [0.5, -0.5]])
    >>> seen = np.ones((3, 2), dtype=bool)
    >>> within_regions(seen, np.array([0, 0, 1]), np.array([1, 0, 0]), v).tolist()
    [[-1.0, 1.0], [1.0, -1.0], [0.0, 0.0]]
    """
    known = regions >= 0
    others = (paths == 0) & known
    member = np.zeros((regions.max() + 1, regions.size))
    member[regions[known], np.flatnonzero(known)] = 1.0
    total = member @ v
    count = member @ (seen & others[:, None])
    share = np.where(count > 0, total / np.maximum(count, 1.0), 0.0)
    return np.asarray(v - np.where(seen & others[:, None], share[regions], 0.0))
