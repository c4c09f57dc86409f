r"""Units that changed as no other did: bounds that hold for all units together.

The change of adopter i over its own rows, after adoption against before, is set against the changes of the
units that do not adopt over the same periods, and then against those of the other adopters:

.. math:: D_i = \bar y_i^{after} - \bar y_i^{before}, \qquad
          z_i = \frac{(D_i - \mathrm{med}_j D_j^{(i)}) - m_{-i}}{s_i \sqrt{1 + \pi / 2(n - 1)}}, \qquad
          T_i = \frac{z_i}{\max(1, r_{-i})},

with :math:`D_j^{(i)}` the change of unit j over the periods of i, :math:`s_i` their spread, :math:`m_{-i}`
the median of what is left of the other n - 1 adopters, and :math:`r_{-i}` the spread of their z (adopters
that are noisier than others are judged by their own noise). Medians, and spreads without far values, so
that one gross error neither hides itself nor accuses others (Hampel 1974, doi
10.1080/01621459.1974.10482962). :math:`T_i` is compared with Student's t of n - 2 degrees of freedom at a
level divided by n (Bonferroni), and has to lie half as far out again as the change of any unit that does
not adopt: far values are common in some panels.
"""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

__all__ = ["FAR", "bound", "changes", "far_moves", "odd_adopters", "spread"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

FAR = 5.0
"""Spreads from the median beyond which a value does not count towards the spread of the others."""

BEYOND = 1.5
"""How far out a change has to lie, in units of the largest change of units that do not adopt."""

NORMAL = 1.349
"""Distance between the quartiles of a standard normal."""


def spread(values: Floats) -> float:
    """Root mean square distance from the median, without far values; the quartiles say what is far.

    Examples
    --------
    >>> round(spread(np.array([-1.0, 1.0, -1.0, 1.0, 0.0, 1000.0])), 3)
    1.025
    """
    centred = values - np.median(values)
    rough = float(np.subtract(*np.percentile(centred, [75, 25]))) / NORMAL
    near = centred[np.abs(centred) <= FAR * rough] if rough > 0 else centred
    return float(np.sqrt(np.mean(near**2)))


def changes(y: Floats, seen: Bools, after: Bools, before: Bools) -> Floats:
    """Mean of ``y`` (N, T) over periods ``after`` (T) less that over ``before``; NaN where one is not seen.

    Examples
    --------
    >>> y, seen = np.array([[1.0, 2.0, 6.0], [0.0, 0.0, 0.0]]), np.array([[True] * 3, [True, True, False]])
    >>> changes(y, seen, np.array([False, False, True]), np.array([True, True, False])).tolist()
    [4.5, nan]
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        held = np.where(seen, y, np.nan)
        return np.asarray(np.nanmean(held[:, after], axis=1) - np.nanmean(held[:, before], axis=1))


def odd_adopters(
    y: Floats, seen: Bools, treated: Bools, adopters: Bools, level: float
) -> tuple[Floats, Floats, Bools]:
    """Return the change of each adopter beyond what it should be, its T, and whether it is odd (all N).

    Parameters
    ----------
    y, seen, treated
        Outcome, whether there is a row, and whether it is treated (N, T).
    adopters
        Units that adopt (N).
    level
        Chance that any of them is called odd where errors are normal.
    """
    n = int(adopters.sum())
    extra, scale, reach = (np.full(len(y), np.nan) for _ in range(3))
    for i in np.flatnonzero(adopters):
        after, before = seen[i] & treated[i], seen[i] & ~treated[i]
        if not after.any() or not before.any():
            continue
        others = changes(y[~adopters], seen[~adopters], after, before)
        others = others[np.isfinite(others)]
        if others.size < 3:
            continue
        middle = float(np.median(others))
        scale[i] = spread(others)
        extra[i] = float(changes(y[[i]], seen[[i]], after, before)[0]) - middle
        near = np.abs(others - middle)
        near = near[near <= 2 * FAR * scale[i]]
        reach[i] = near.max(initial=0.0)
    known = np.flatnonzero(np.isfinite(extra) & (scale > 0))
    beyond, t = np.full(len(y), np.nan), np.full(len(y), np.nan)
    if known.size < 3:
        return beyond, t, np.zeros(len(y), dtype=bool)
    rest = [known[known != i] for i in known]
    beyond[known] = [extra[i] - np.median(extra[j]) for i, j in zip(known, rest, strict=True)]
    widen = np.sqrt(1 + np.pi / 2 / (known.size - 1))
    z = beyond / (scale * widen)
    t[known] = [z[i] / max(1.0, spread(z[j])) for i, j in zip(known, rest, strict=True)]
    with np.errstate(invalid="ignore"):
        odd = (np.abs(t) > bound(n, level)) & (np.abs(beyond) > BEYOND * reach)
    return beyond, t, odd


def far_moves(moves: Floats, level: float) -> Bools:
    """Return which moves of the estimate (n) are far out among themselves.

    Examples
    --------
    >>> far_moves(np.append(np.linspace(-1, 1, 50), 40.0), 0.05).nonzero()[0].tolist()
    [50]
    """
    known = np.isfinite(moves)
    out = np.zeros(len(moves), dtype=bool)
    if known.sum() < 4 or not (size := spread(moves[known])) > 0:
        return out
    out[known] = np.abs(moves[known] - np.median(moves[known])) > size * bound(int(known.sum()), level)
    return out


def bound(n: int, level: float) -> float:
    """Bound of n Student's t of n - 2 degrees of freedom together.

    Examples
    --------
    >>> round(bound(5, 0.05), 2), round(bound(150, 0.05), 2)
    (5.84, 3.67)
    """
    from scipy.stats import t

    return float(t.ppf(1 - level / 2 / n, max(n - 2, 1)))
