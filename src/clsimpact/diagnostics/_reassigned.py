r"""Another estimate beside the one that is checked, and whether re-assigned adoption tells them apart.

An estimate that is linear in the outcomes is :math:`\hat\theta = \sum_{it} v_{it} y_{it}`, with weights
that depend on adoption (see `clsimpact.inference.linear`). Another way to compare has other coefficients
:math:`c_{it}`: comparison units that are weighted, or each region by itself. With the residuals e of the
working regression, which are net of unit effects, period effects and effects of adoption,

.. math:: D = \sum_{it} (c_{it} - v_{it}) e_{it}, \qquad \hat\theta' = \hat\theta + D,

is what the other way changes. On a balanced panel with :math:`c_{it} = m_i v_{it}` this is the weighted
regression itself. Both are divided by errors that add the scores of units up,
:math:`s_D^2 = \sum_i (\sum_t (c_{it} - v_{it}) e_{it})^2`, and the whole is done again, weights
included, with adoption re-assigned among units that are observed in the same periods. Errors may be taken
from a part of e that units do not share (e net of what a region has in common). The null is that adoption
is as good as random: the other way then changes the estimate by chance alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clsimpact._check import number
from clsimpact._forms import forms_of
from clsimpact.diagnostics._matter import matter_of
from clsimpact.diagnostics.setting import effect_of
from clsimpact.errors import DesignError
from clsimpact.inference.assignments import Assignments
from clsimpact.inference.blocks import blocks_of

if TYPE_CHECKING:
    from clsimpact.diagnostics.setting import Setting
    from clsimpact.results import Estimate

__all__ = [
    "Board",
    "Coefficients",
    "Moved",
    "Noise",
    "allowance",
    "allowance_words",
    "board_of",
    "moved",
    "quantile",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Coefficients = Callable[[Ints, Floats], Floats]
"""From the adoption path of each unit (N; 0: none) and the weights v (N, T) to the coefficients c (N, T)."""

Noise = Callable[[Ints, Floats], Floats]
"""From the paths and the residuals (N, T) to the part of them that units do not share."""

ENOUGH = 400
"""Re-assignments that an interval at 95% needs: as for the default inference."""

CLOSE = 1e-6
"""Weights rebuild the overall effect to this share of the outcomes' spread: solvers agree to far better.

That is 1e-10; weights that depend on the outcomes rebuild another number, in its first digits."""

LEAST_MOVABLE = 3
"""Adopters that re-assignment must be able to move: as few as the default inference takes."""


@dataclass(frozen=True, eq=False)
class Board:
    """Arrays of an estimate that re-assignment needs.

    Attributes
    ----------
    estimate : float
        The overall effect.
    weights, adjusted : float arrays (K, T)
        Weights v of the overall effect by type, and after the CR2 adjustment.
    basis : float array (K, T, q)
        Orthonormal basis of the working regression by type.
    errors : float array (N, T)
        Residuals of the working regression, zero where a unit is not observed.
    seen : boolean array (N, T)
    lookup : integer array (paths, patterns)
        Type of each adoption path and set of observed periods.
    patterns : integer array (N)
    assignments : Assignments
    """

    estimate: float
    weights: Floats
    adjusted: Floats
    basis: Floats
    errors: Floats
    seen: NDArray[np.bool_]
    lookup: Ints
    patterns: Ints
    assignments: Assignments

    @property
    def paths(self) -> Ints:
        """Adoption path of each unit (N), 0 for none."""
        return self.assignments.paths

    def scores(
        self, paths: Ints, coefficients: Coefficients, noise: Noise, *, again: bool
    ) -> tuple[float, Floats, Floats]:
        """Return the difference, and the noise of each unit in the estimate and in the difference (N each).

        ``paths`` say who adopts; ``again`` takes the working regression out anew, as re-assignment needs.
        """
        kinds = self.lookup[paths, self.patterns]
        errors = self.errors
        if again:
            basis = self.basis[kinds]
            errors = errors - basis @ np.einsum("ntq,nt->q", basis, errors)
        v = self.weights[kinds]
        change, plain = coefficients(paths, v) - v, noise(paths, errors)
        own = (self.adjusted[kinds] * plain).sum(axis=1)
        return float((change * errors).sum()), own, (change * plain).sum(axis=1)

    def effect(self, paths: Ints) -> float:
        """Return the estimate of the residuals, adoption as in ``paths``."""
        return float((self.weights[self.lookup[paths, self.patterns]] * self.errors).sum())


class Moved(NamedTuple):
    """The other estimate and its difference from the one that is checked, with intervals."""

    estimate: float
    low: float
    high: float
    difference: float
    difference_low: float
    difference_high: float
    p_value: float
    draws: int

    @property
    def largest(self) -> float:
        """The largest change that the interval of the difference does not rule out."""
        return max(abs(self.difference_low), abs(self.difference_high))


def board_of(fit: Estimate) -> Board:
    """Return the board of a result.

    Raises
    ------
    DesignError
        Numbers that are not linear in the outcomes by type, or too few re-assignments.
    """
    forms = forms_of(fit)
    repair = "Use a design without weights and covariates, clustered by unit."
    if forms.obstacle:
        raise DesignError(f"Adoption cannot be re-assigned without refits: {forms.obstacle}.", repair=repair)
    assignments = Assignments(forms.paths, forms.patterns)
    if assignments.movable < LEAST_MOVABLE or assignments.count < ENOUGH:
        raise DesignError(
            f"Only {assignments.movable} adopters can be re-assigned, in {assignments.count} ways "
            f"({LEAST_MOVABLE} and {ENOUGH} are needed).",
            repair="Use a panel with more units that are observed in the same periods as the adopters.",
        )
    form = forms.by_type
    last = form.combine(_overall(fit))
    keys = np.column_stack([forms.paths, forms.patterns])
    lookup = np.full((forms.paths.max() + 1, forms.patterns.max() + 1), -1, dtype=np.int64)
    lookup[keys[:, 0], keys[:, 1]] = forms.types
    board = Board(
        effect_of(fit).estimate,
        last.weights[:, :, 0],
        last.adjusted[:, :, 0],
        form.basis,
        form.residuals(forms.outcomes, forms.types),
        forms.seen,
        lookup,
        forms.patterns,
        assignments,
    )
    _check_same(board, forms.outcomes)
    return board


def allowance(setting: Setting) -> float | None:
    """Return the change that would matter (`clsimpact.diagnostics._matter`), or None if nothing says it."""
    size = matter_of(setting).size
    return size if np.isfinite(size) else None


def allowance_words(setting: Setting, largest: float, *, by: str = "A") -> str:
    """Say what changes of up to ``largest`` are held against."""
    size = allowance(setting)
    if size is None:
        return "As the estimate has no interval and no margin was given, no change can be called small."
    within = "within" if largest <= size else "more than"
    return (
        f"{by} change of the estimate by up to {number(largest)} is not ruled out: {within} "
        f"{matter_of(setting).words}."
    )


def moved(
    board: Board,
    coefficients: Coefficients,
    *,
    draws: int,
    seed: int,
    level: float,
    noise: Noise | None = None,
) -> Moved:
    """Compare the estimate with another one, by re-assignment of adoption.

    ``noise`` gives the residuals from which errors are taken; by default they are taken as they are.
    """
    noise = _as_they_are if noise is None else noise
    difference, own, extra = board.scores(board.paths, coefficients, noise, again=False)
    spread, error = _error(extra), _error(own + extra)
    other = board.estimate + difference
    tops = _statistics(board, coefficients, noise, draws, seed)
    reach = [quantile(column, level) for column in tops.T]
    p = 1.0 if spread == 0 else float((1 + (tops[:, 0] >= abs(difference) / spread).sum()) / (len(tops) + 1))
    return Moved(
        other,
        other - reach[1] * error,
        other + reach[1] * error,
        difference,
        difference - reach[0] * spread,
        difference + reach[0] * spread,
        p,
        len(tops),
    )


def _as_they_are(paths: Ints, errors: Floats) -> Floats:  # noqa: ARG001
    return errors


def _statistics(board: Board, coefficients: Coefficients, noise: Noise, draws: int, seed: int) -> Floats:
    """Absolute t statistics of the difference and of the other estimate (B, 2) under re-assignment."""
    out = []
    for block in blocks_of(draws, seed=seed):
        for row in board.assignments.draw(block):
            paths = row.astype(np.int64)
            move, own, extra = board.scores(paths, coefficients, noise, again=True)
            pairs = ((move, _error(extra)), (board.effect(paths) + move, _error(own + extra)))
            out.append([abs(top) / bottom if bottom > 0 else 0.0 for top, bottom in pairs])
    return np.array(out)


def _error(scores: Floats) -> float:
    return float(np.sqrt((scores**2).sum()))


def quantile(values: Floats, level: float) -> float:
    """Return the value that is exceeded with probability 1 - level, the observed one counted."""
    rank = min(ceil((values.size + 1) * level), values.size)
    return float(np.sort(values)[rank - 1])


def _overall(fit: Estimate) -> Floats:
    """Return the weights that make the overall effect of the columns of a form (p, 1)."""
    width = len(fit.terms) + (fit.total is not None)
    out = np.zeros((width, 1))
    after = [
        i
        for i, (term, known) in enumerate(zip(fit.terms, fit.identified, strict=True))
        if term.event_time is not None and term.event_time >= 0 and known
    ]
    if fit.total is not None:
        out[-1] = 1.0
    elif after:
        out[after] = 1.0 / len(after)
    else:
        out[0] = 1.0
    return out


def _check_same(board: Board, outcomes: Floats) -> None:
    """Refuse weights that do not rebuild the overall effect."""
    kinds = board.lookup[board.paths, board.patterns]
    rebuilt = float((board.weights[kinds] * outcomes).sum())
    if not abs(rebuilt - board.estimate) <= CLOSE * max(abs(board.estimate), float(np.abs(outcomes).max())):
        raise DesignError(
            "The overall effect is no fixed sum of outcomes, so adoption cannot be re-assigned.",
            repair="Use ci.group_time(design) or ci.imputation(design), whose effect is one.",
        )
