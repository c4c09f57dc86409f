"""Tests of the difference between two estimates of one effect, under the same re-assignments of adoption.

Two estimates that are linear in the outcomes differ by a number that is linear in the outcomes too, so that
its distribution under re-assigned adoption costs no more than that of one estimate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from clsimpact._forms import Forms
from clsimpact.diagnostics._reassigned import quantile
from clsimpact.inference.assignments import Assignments
from clsimpact.inference.linear import LinearForm
from clsimpact.inference.multiplicity import max_t
from clsimpact.inference.randomisation import permute
from clsimpact.results import Estimate

__all__ = ["Differences", "differences", "is_path", "overall_form", "same_question"]

Floats = NDArray[np.float64]


SAME = 1e-9
"""Weights that differ by less than this share of the largest are the same: rounding leaves 1e-13.

A specification with other rows has weights that differ by the share of a row, 1e-6 of a million."""


@dataclass(frozen=True)
class Differences:
    """Differences of some estimates from one (m), their errors, and p-values adjusted for looking at all.

    ``reach``: how far the simultaneous interval of each reaches to a side; zero for the same number.
    """

    estimates: Floats
    errors: Floats
    p_values: Floats
    reach: Floats

    @property
    def largest(self) -> float:
        """The largest difference that the intervals do not rule out."""
        return float((np.abs(self.estimates) + self.reach).max())


def is_path(fit: Estimate) -> bool:
    """Whether the overall effect is a mean over event times, not over treated rows."""
    return fit.estimator != "twfe" and (fit.total is None or fit.total.terms[0].name != "ATT")


def same_question(fit: Estimate, other: Estimate) -> Estimate:
    """Return ``other`` averaged as ``fit`` is: over event times, or over treated rows."""
    if other.aggregator is None or is_path(fit) == is_path(other):
        return other
    return other.aggregate("dynamic" if is_path(fit) else "simple")


def known_forms(fit: Estimate) -> Forms:
    """Return the forms that a result already asked for, or new ones."""
    held = fit.forms
    if held is not None and held.fit.terms == fit.terms and (held.fit.total is None) == (fit.total is None):
        return held
    return Forms(fit)


def overall_form(fit: Estimate) -> LinearForm:
    """Return the overall effect of a result as a form with one column.

    Raises
    ------
    DesignError
        If the result has no form by type.
    """
    form = known_forms(fit).by_type
    if fit.total is not None:
        return replace(form, weights=form.weights[:, :, -1:])
    after = [i for i, term in enumerate(fit.terms) if fit.identified[i] and (term.event_time or 0) >= 0]
    path = any(term.event_time is not None for term in fit.terms)
    return replace(form, weights=form.weights[:, :, after if path else [0]].mean(axis=2, keepdims=True))


def differences(fit: Estimate, others: Sequence[Estimate], *, draws: int, seed: int) -> Differences:
    """Compare the overall effects of other results with that of ``fit``, which has the same sample.

    Errors are those around one path of effects by event time.
    """
    forms = known_forms(next((each for each in (fit, *others) if each.estimator != "twfe"), fit))
    base = overall_form(fit).weights
    gaps = np.concatenate([overall_form(other).weights - base for other in others], axis=2)
    form = replace(forms.by_type, weights=gaps)
    ways = Assignments(forms.paths, forms.patterns)
    drawn = permute(form, forms.outcomes, ways, forms.patterns, draws=draws, seed=seed)
    estimates = np.asarray(drawn.observed * drawn.errors)
    varies = np.isfinite(drawn.observed) & (np.abs(gaps).max(axis=(0, 1)) > SAME * np.abs(base).max())
    p, reach = np.ones(len(others)), np.zeros(len(others))
    if varies.any():
        statistics = np.nan_to_num(drawn.statistics[:, varies], nan=np.inf)
        p[varies] = max_t(drawn.observed[varies], statistics)
        most = np.abs(statistics).max(axis=1)
        reach[varies] = quantile(most, fit.level) * np.asarray(drawn.errors)[varies]
    return Differences(np.where(varies, estimates, 0.0), np.asarray(drawn.errors), p, reach)
