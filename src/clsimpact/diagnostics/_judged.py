r"""Numbers of other samples and dates of one panel, judged together by the same re-assignments of adoption.

A check estimates on fewer rows or with other dates. Each such number is linear in the outcomes of the whole
panel, :math:`\hat\delta_j = \sum_{it} v_{jit}y_{it}` with weights zero in rows that it does not use, and so
is the difference of two of them. Placed on the panel, the weights are those of a `LinearForm`: adoption is
re-assigned there, where everybody is observed, and errors are taken anew from the residuals of the event
study of the panel (see `clsimpact.inference.linear`), so that few adopters are judged by a test whose size
was measured. Several numbers are adjusted by the joint distribution of their ranks (Westfall and Young
1993, section 2.3). Where adoption cannot be permuted, errors are CR2 around the path (Satterthwaite) and
the adjustment is Holm's.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from clsimpact import _auto
from clsimpact._forms import Forms
from clsimpact.errors import ClsimpactWarning, DesignError
from clsimpact.estimators._compress import mean_one
from clsimpact.estimators.event_study import event_study
from clsimpact.estimators.twfe import twfe
from clsimpact.inference.assignments import Assignments
from clsimpact.inference.draws import Drawn, critical
from clsimpact.inference.linear import LinearForm
from clsimpact.inference.multiplicity import holm, min_p
from clsimpact.inference.randomisation import permute
from clsimpact.inference.sandwich import Counts, sandwich

if TYPE_CHECKING:
    from clsimpact.design import Design
    from clsimpact.results import Estimate

__all__ = ["ALPHA", "Judged", "judge", "overall_contrast", "placed", "row_weights"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

ALPHA = 0.05
"""Level of the tests of a check, after adjustment."""

POWER = 0.80
"""Chance of being found that 'could have been seen' stands for."""

CLOSE = 1e-6
"""Weights by type rebuild the numbers to this share of their size; else they differ within a type.

Solvers leave 1e-10; weights of rows or covariates move them by hundredths."""


@dataclass(frozen=True)
class Judged:
    """Numbers with intervals, p-values and what would have been seen (all arrays m).

    Attributes
    ----------
    estimates, low, high : float arrays
        Intervals are for one number at a time, at the level asked for.
    p_values, adjusted : float arrays
        By itself, and adjusted for all of them.
    detectable : float array
        Size found with 80% chance by the adjusted test.
    method : str
        ``"permutation"`` or ``"path"``.
    """

    estimates: Floats
    low: Floats
    high: Floats
    p_values: Floats
    adjusted: Floats
    detectable: Floats
    method: str

    @property
    def words(self) -> str:
        """What p-values come from."""
        return "re-assigned adoption" if self.method == "permutation" else "errors around one path (CR2)"


def overall_contrast(fit: Estimate) -> Floats:
    """Weights of the terms, and of the overall effect where it is a number of its own, in that effect.

    Examples
    --------
    >>> from clsimpact.datasets import example_design
    >>> overall_contrast(event_study(example_design())).round(2).tolist()
    [0.0, 0.0, 0.0, 0.0, 0.25, 0.25, 0.25, 0.25]
    """
    n = len(fit.terms)
    out = np.zeros(n + (fit.total is not None))
    if fit.total is not None:
        out[-1] = 1.0
        return out
    events = [term.event_time for term in fit.terms]
    after = [i for i, e in enumerate(events) if e is not None and e >= 0 and fit.identified[i]]
    if any(e is not None for e in events) and not after:
        raise DesignError(
            f"No effect after adoption is identified by {fit.estimator}.",
            repair="See the reasons in fit.tidy(), and change the design or the estimator.",
        )
    out[after or [0]] = 1.0 / len(after or [0])
    return out


def row_weights(fit: Estimate, contrast: Floats | None = None) -> Floats:
    """Weight of each outcome (n) in a combination of the terms of a result; by default in the overall effect.

    Raises
    ------
    DesignError
        If outcomes do not enter with weights of their own, as where the weights depend on the outcomes.
    """
    from clsimpact._procedures import _plain

    chosen = overall_contrast(fit) if contrast is None else contrast
    if fit.rows is not None:
        raise DesignError(
            f"The weights of {fit.estimator} depend on the outcomes.",
            repair="Use ci.group_time(design) or ci.imputation(design), whose weights do not.",
        )
    return np.asarray(Forms(_plain(fit)).by_row.weights @ chosen) * _roots(fit.design)


def placed(design: Design, part: Design, weights: Floats) -> Floats:
    """Place weights of the rows of a part of a design on the whole of it (n), zero elsewhere."""
    where = np.full((len(design.units), len(design.periods)), -1)
    where[design.unit_codes, design.time_codes] = np.arange(design.n_obs)
    unit_at = {unit: i for i, unit in enumerate(design.units)}
    units = np.array([unit_at[unit] for unit in part.units])
    times = np.searchsorted(design.periods, part.periods)
    out = np.zeros(design.n_obs)
    out[where[units[part.unit_codes], times[part.time_codes]]] = weights
    return out


def judge(design: Design, weights: Floats, *, level: float, draws: int, seed: int) -> Judged:
    """Judge numbers with these weights of the rows (n, m) together.

    Raises
    ------
    DesignError
        If no interval holds with so few adopters or others.
    """
    forms = Forms(_working(design))
    method, why = _auto.choose(forms.fit, forms)
    if method == "none":
        raise DesignError(f"No test: {why}.", repair="Add adopters or comparison units.")
    if method == "permutation":
        form = _by_type(forms, weights)
        if form is not None:
            ways = Assignments(forms.paths, forms.patterns)
            drawn = permute(form, forms.outcomes, ways, forms.patterns, draws=draws, seed=seed)
            return _of_draws(drawn, level)
    return _of_path(forms, weights, level)


def _working(design: Design) -> Estimate:
    """Return the event study of the panel, or two-way fixed effects where there is none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ClsimpactWarning)
        try:
            return event_study(design, inference="CR0")
        except DesignError:
            return twfe(design, inference="CR0")


def _by_type(forms: Forms, weights: Floats) -> LinearForm | None:
    """Return the form of the numbers, or None where weights differ within a type."""
    base, types = forms.by_type, forms.types
    laid = np.zeros((*forms.seen.shape, weights.shape[1]))
    laid[forms.design.unit_codes, forms.design.time_codes] = weights
    first = np.unique(types, return_index=True)[1]
    own = laid[first]
    if np.abs(laid - own[types]).max() > CLOSE * np.abs(laid).max():
        return None
    return LinearForm(own, base.basis, base.sizes)


def _of_draws(drawn: Drawn, level: float) -> Judged:
    low, high = drawn.intervals(level)
    lost = ~np.isfinite(drawn.observed)
    draws = np.nan_to_num(drawn.statistics, nan=np.inf)
    draws[:, lost] = np.nan
    adjusted = min_p(drawn.observed, draws)[1]
    share = ALPHA / max(int((~lost).sum()), 1)
    reach = critical(drawn.statistics, 1 - share) + critical(drawn.statistics, 2 * POWER - 1)
    p_values = drawn.p_values()
    return Judged(
        drawn.estimates, low, high, p_values, adjusted, reach * drawn.errors, "permutation"
    )  # fmt: skip


def _of_path(forms: Forms, weights: Floats, level: float) -> Judged:
    from scipy.stats import t

    rows = forms.by_row
    q = rows.basis.shape[1]
    counts = Counts(forms.design.n_obs, rows.n_clusters, q, q)
    scaled = weights / _roots(forms.design)[:, None]
    found = sandwich(scaled, rows.residuals, rows.basis, rows.clusters, kind="CR2", counts=counts)
    estimates = weights.T @ forms.design.y
    error = np.sqrt(np.maximum(np.diag(found.matrix), 0.0))
    known = (error > 0) & np.isfinite(found.df)
    error = np.where(known, error, np.nan)
    p_values = np.asarray(2 * t.sf(np.abs(estimates / error), found.df))
    margin = t.ppf((1 + level) / 2, found.df) * error
    share = ALPHA / max(int(known.sum()), 1)
    reach = (t.ppf(1 - share / 2, found.df) + t.ppf(POWER, found.df)) * error
    low, high = estimates - margin, estimates + margin
    return Judged(estimates, low, high, p_values, holm(p_values), reach, "path")


def _roots(design: Design) -> Floats:
    """Root of the weight of each row (n): forms by row are of rows times it."""
    return np.ones(design.n_obs) if design.w is None else np.sqrt(mean_one(design.w))
