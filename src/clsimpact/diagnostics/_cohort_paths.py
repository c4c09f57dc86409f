"""The effect of one cohort less that of the other adopters, at the same event times: weights of outcomes."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from clsimpact.diagnostics import _placebo
from clsimpact.diagnostics._judged import placed, row_weights
from clsimpact.errors import ClsimpactWarning, DesignError
from clsimpact.estimators.event_study import event_study
from clsimpact.results import REFERENCE

if TYPE_CHECKING:
    from clsimpact.design import Design
    from clsimpact.results import Estimate

__all__ = ["cohort_difference"]

Floats = NDArray[np.float64]

_REPAIR = "Leave this cohort out of the comparison, or use a panel with more periods and adopters."


def cohort_difference(design: Design, cohort: int) -> Floats:
    """Weight of each outcome (n) in the effect of a cohort less that of the other adopters.

    Raises
    ------
    DesignError
        If fewer than three units are on a side, or the two have no event time in common.
    """
    mine = (design.unit_cohorts == cohort) & design.in_window
    rest = design.in_window & ~mine
    fits = []
    for gone in (rest, mine):
        part = design.restrict(~gone[design.unit_codes], reason="adopters of the other side")
        if _placebo.adopters_in(part) < _placebo.LEAST:
            raise DesignError(
                f"Cohort {cohort}: fewer than {_placebo.LEAST} adopters on one side.", repair=_REPAIR
            )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ClsimpactWarning)
            fits.append(event_study(part, inference="CR0"))
    after, before = _shared(fits, -design.anticipation)
    if not after or not before:
        raise DesignError(f"Cohort {cohort} and the others have no event times in common.", repair=_REPAIR)
    out = np.zeros(design.n_obs)
    for sign, fit in zip((1.0, -1.0), fits, strict=True):
        up = np.array([(t.event_time in after) / len(after) for t in fit.terms])
        down = np.array([(t.event_time in before) / len(before) for t in fit.terms])
        out += placed(design, fit.design, row_weights(fit, sign * (up - down) * fit.identified))
    return out


def _shared(fits: list[Estimate], start: int) -> tuple[set[int], set[int]]:
    """Event times after and before adoption at which all results have a number, or their reference."""
    sides = []
    for fit in fits:
        known = [
            t.event_time
            for t, ok in zip(fit.terms, fit.identified, strict=True)
            if t.event_time is not None and (ok or t.reason.startswith(REFERENCE))
        ]
        sides.append(set(known))
    common = set.intersection(*sides)
    return {e for e in common if e >= 0}, {e for e in common if e < start}
