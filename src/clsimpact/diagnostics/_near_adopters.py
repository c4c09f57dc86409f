r"""Who is exposed to adopters nearby: pairs of neighbours, or the share of a region that has adopted.

With regions only, the outcomes of units that do not adopt are regressed on unit effects, period effects and
the *exposure* :math:`d_{it}`, the share of the units of i's region that have adopted by t. With
:math:`\tilde d` net of unit and period effects on these rows,

.. math:: \hat b = \frac{\sum \tilde d_{it} y_{it}}{\sum \tilde d_{it}^2}, \qquad
          S = \hat b \Big(\sum \tilde d_{it}^2\Big)^{1/2} .

S is compared with its values when adoption is re-assigned, exposure and units taken anew each time. Outcomes
stay where they are, so that whatever units of a region have in common is in the distribution of S.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clsimpact.diagnostics._reassigned import Board, quantile
from clsimpact.errors import DesignError, list_some
from clsimpact.inference.blocks import blocks_of

if TYPE_CHECKING:
    from clsimpact.design import Design

__all__ = ["Slope", "adjacency", "exposure", "net", "slope_of"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

FLAT = 1e-12
"""Sum of squares of exposure, in shares, below which it does not vary.

Rounding of shares leaves 1e-30; one unit whose region of ten thousand has one adopter leaves 1e-8."""


SINGULAR = 1e-10
"""Share of the largest eigenvalue below which one is zero: period effects are known up to a constant each.

Rounding leaves 1e-15; a period with one unit among ten thousand has 1e-4."""


class Slope(NamedTuple):
    """What full exposure does to units that do not adopt, with its interval and p-value."""

    estimate: float
    low: float
    high: float
    p_value: float


def adjacency(design: Design, pairs: pd.DataFrame) -> Bools:
    """Return which units are neighbours (N, N): the first two columns of ``pairs``, in both directions.

    Raises
    ------
    DesignError
        Fewer than two columns, or no pair of units of the design.
    """
    if not isinstance(pairs, pd.DataFrame) or pairs.shape[1] < 2:
        raise DesignError(
            "The neighbours are no table of pairs.", repair="Give a frame whose first two columns are units."
        )
    place = {str(unit): i for i, unit in enumerate(design.units)}
    ends = [pairs.iloc[:, j].astype(str).map(place).to_numpy(dtype=float) for j in (0, 1)]
    known = np.isfinite(ends[0]) & np.isfinite(ends[1])
    first, second = (end[known].astype(np.int64) for end in ends)
    out = np.zeros((len(design.units), len(design.units)), dtype=bool)
    out[first, second] = True
    out |= out.T
    np.fill_diagonal(out, False)
    if not out.any():
        raise DesignError(
            "No pair of neighbours is a pair of units of the design.",
            [f"given: {list_some(pairs.iloc[:, 0].astype(str).unique(), 3)}"],
            repair=f"Units are called {list_some(map(str, design.units), 3)}.",
        )
    return out


def exposure(regions: Ints, treated: Bools) -> Floats:
    """Return the share of the units of the region that have adopted (N, T); zero without a region (-1).

    Examples
    --------
    >>> treated = np.array([[False, True], [False, False], [False, False]])
    >>> exposure(np.array([0, 0, 1]), treated).tolist()
    [[0.0, 0.5], [0.0, 0.5], [0.0, 0.0]]
    """
    known = regions >= 0
    member = np.zeros((regions.max(initial=-1) + 1, regions.size))
    member[regions[known], np.flatnonzero(known)] = 1.0
    share = member @ treated / np.maximum(member.sum(axis=1, keepdims=True), 1.0)
    return np.asarray(np.where(known[:, None], share[regions], 0.0))


def net(values: Floats, rows: Bools) -> Floats:
    """Return values (N, T) net of unit and period effects on the rows that are true; zero elsewhere.

    Examples
    --------
    >>> net(np.array([[1.0, 2.0], [3.0, 6.0]]), np.ones((2, 2), dtype=bool)).round(6).tolist()
    [[0.5, -0.5], [-0.5, 0.5]]
    """
    mass = rows.astype(float)
    each = np.maximum(mass.sum(axis=1, keepdims=True), 1.0)
    inner = mass * (values - (mass * values).sum(axis=1, keepdims=True) / each)
    system = np.diag(mass.sum(axis=0)) - mass.T @ (mass / each)
    shift = np.linalg.pinv(system, rcond=SINGULAR, hermitian=True) @ inner.sum(axis=0)
    return np.asarray(inner - mass * (shift - (mass * shift).sum(axis=1, keepdims=True) / each))


def _why_flat(doses: Floats) -> str:
    """Say why exposure of those that do not adopt does not vary."""
    if doses.size == 0:
        return "No unit that does not adopt has a region, so nobody's exposure is known."
    if not doses.any():
        return (
            "No unit that does not adopt shares a region with an adopter: nobody is exposed, and nothing can "
            "be compared."
        )
    return "Exposure to adopters is the same for all units that do not adopt, so nothing can be compared."


def slope_of(
    board: Board, outcomes: Floats, regions: Ints, starts: Bools, *, draws: int, seed: int, level: float
) -> Slope:
    """Regress the outcomes of units that do not adopt on their exposure, and re-assign adoption.

    Parameters
    ----------
    board
        Residuals without effects, and re-assignments.
    outcomes
        Outcomes as observed (N, T), anything where there is no row.
    regions
        Region of each unit (N), -1 for none.
    starts
        True in the periods in which a path is treated (paths + 1, T); the first row is no adoption.

    Raises
    ------
    DesignError
        If exposure does not vary, or nobody is exposed.
    """
    fixed = board.seen & (regions >= 0)[:, None]

    def parts(paths: Ints, y: Floats) -> tuple[float, float]:
        rows = fixed & (paths == 0)[:, None]
        dose = net(exposure(regions, starts[paths]), rows)
        return float((dose * np.where(rows, y, 0.0)).sum()), float((dose**2).sum())

    top, bottom = parts(board.paths, outcomes)
    if bottom <= FLAT:
        others = fixed & (board.paths == 0)[:, None]
        raise DesignError(
            _why_flat(exposure(regions, starts[board.paths])[others]),
            repair="Give regions, or neighbours, that tell comparison units apart.",
        )
    drawn = []
    for block in blocks_of(draws, seed=seed):
        for row in board.assignments.draw(block):
            t, b = parts(row.astype(np.int64), board.errors)
            drawn.append(abs(t) / np.sqrt(b) if b > FLAT else 0.0)
    found = np.array(drawn)
    score, reach = abs(top) / np.sqrt(bottom), quantile(found, level) / np.sqrt(bottom)
    p = float((1 + (found >= score).sum()) / (found.size + 1))
    return Slope(top / bottom, top / bottom - reach, top / bottom + reach, p)
