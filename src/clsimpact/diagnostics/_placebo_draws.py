"""Adoption given to units that do not adopt, many times: estimates, and how often zero is excluded."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from clsimpact._again import asked_again
from clsimpact._forms import Forms
from clsimpact.diagnostics._judged import overall_contrast
from clsimpact.diagnostics.setting import effect_of
from clsimpact.errors import ClsimpactWarning, DesignError
from clsimpact.inference.assignments import Assignments
from clsimpact.inference.blocks import Block
from clsimpact.inference.linear import LinearForm, products
from clsimpact.inference.methods import Permutation
from clsimpact.inference.multiplicity import LEVEL_ROUNDING
from clsimpact.inference.randomisation import assigned_moments, permute

if TYPE_CHECKING:
    from clsimpact.design import Design
    from clsimpact.results import Estimate

__all__ = ["Placebos", "first_placebo", "placebos"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PLACEBOS = 200
"""Times that adoption is given away: a rate of 5% is known to 1.5 points."""

REFITS = 100
"""The same where each is estimated again."""

FEWER = 60
"""The same where each then needs draws of its own that cannot be shared."""

DRAWS = 99
"""Draws of each test: 5% of them and the observed one are five."""


@dataclass(frozen=True)
class Placebos:
    """Estimates of placebo adoption (B) and whether each interval excludes zero (NaN: no interval)."""

    estimates: Floats
    rejected: Floats

    @property
    def rate(self) -> float:
        """Share of intervals that exclude zero."""
        return float(np.nanmean(self.rejected)) if np.isfinite(self.rejected).any() else float("nan")

    @property
    def counted(self) -> int:
        """Number of placebos with an interval."""
        return int(np.isfinite(self.rejected).sum())

    @property
    def rejections(self) -> int:
        """Number of intervals that exclude zero."""
        return int(np.nansum(self.rejected))

    def joined(self, other: Placebos) -> Placebos:
        """Return these and others."""
        return Placebos(
            np.append(self.estimates, other.estimates), np.append(self.rejected, other.rejected)
        )  # fmt: skip


def first_placebo(design: Design, rng: np.random.Generator) -> Design:
    """Return the units that do not adopt, with every adopter's date given to one of them.

    The unit is drawn from those observed in the same periods, else from those whose periods differ least.

    Raises
    ------
    DesignError
        If there are not enough such units.
    """
    adopters, others = np.flatnonzero(design.in_window), np.flatnonzero(~design.in_window)
    if others.size <= adopters.size:
        raise DesignError(
            f"{others.size} units do not adopt, for {adopters.size} dates.",
            repair="Placebos need more units that do not adopt than units that do.",
        )
    seen = np.zeros((len(design.units), len(design.periods)), dtype=bool)
    seen[design.unit_codes, design.time_codes] = True
    cohorts = np.full(len(design.units), np.nan)
    order = rng.permutation(others)
    apart = (seen[adopters][:, None] != seen[order][None]).sum(axis=2).astype(float)
    for i, distance in zip(adopters, apart, strict=True):
        at = int(np.argmin(distance))
        cohorts[order[at]] = design.unit_cohorts[i]
        apart[:, at] = np.inf
    keep = ~design.in_window[design.unit_codes]
    return design.with_cohorts(cohorts).restrict(keep, reason="true adopters: left out of a placebo")


def placebos(fit: Estimate, *, seed: int, times: int | None = None) -> Placebos:
    """Give adoption away many times, and judge each by the inference of the result.

    ``times`` is by default what a few seconds allow: `PLACEBOS`, or fewer where each is estimated again.
    """
    again = asked_again(fit)
    rng = np.random.default_rng(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ClsimpactWarning)
        first = again(first_placebo(fit.design, rng))
        from clsimpact._procedures import _plain

        forms = Forms(_plain(first))
        plain = None if fit.procedure is None else fit.procedure.run.method
        by_draws = plain == Permutation()
        if (by_draws or fit.vcov.kind == "path") and not forms.obstacle:
            return _shared(forms, fit.level, by_draws=by_draws, seed=seed, times=times or PLACEBOS)
        return _refitted(fit, rng, seed, times or (REFITS if fit.procedure is None else FEWER))


def _shared(forms: Forms, level: float, *, by_draws: bool, seed: int, times: int) -> Placebos:
    """Judge all placebos by one linear form: by permutation, or by errors around one path."""
    from scipy.stats import t

    form = forms.by_type.combine(overall_contrast(forms.fit)[:, None])
    ways = Assignments(forms.paths, forms.patterns)
    paths = ways.draw(Block(seed, 0, times)).astype(np.int64)
    if not by_draws:
        estimates, errors = _statistics(forms, form, paths)
        p_values = 2 * t.sf(np.abs(estimates / errors), form.df[0])
        return Placebos(estimates, _reject(p_values, level))
    estimates, p_values = np.empty(times), np.empty(times)
    for b, own in enumerate(paths):
        drawn = permute(
            form, forms.outcomes, Assignments(own, forms.patterns), forms.patterns, draws=DRAWS, seed=b + 1
        )
        estimates[b], p_values[b] = drawn.estimates[0], drawn.p_values()[0]
    return Placebos(estimates, _reject(p_values, level))


def _statistics(forms: Forms, form: LinearForm, paths: Ints) -> tuple[Floats, Floats]:
    """Estimates and errors (B) of assignments of paths (B, N)."""
    patterns = forms.patterns
    lookup = np.full((forms.paths.max() + 1, patterns.max() + 1), -1)
    lookup[forms.paths, patterns] = forms.types
    moments = assigned_moments(products(forms.outcomes), paths, patterns, lookup, form.sizes.size)
    estimates, errors = form.statistics(moments)
    return estimates[:, 0], errors[:, 0]


def _refitted(fit: Estimate, rng: np.random.Generator, seed: int, times: int) -> Placebos:
    """Estimate each placebo again, with the inference that was asked for."""
    again = asked_again(fit)
    asked = fit.asked or fit.vcov.kind
    how: Any = {"level": fit.level, "draws": DRAWS, "seed": seed}
    estimates, p_values = np.full(times, np.nan), np.full(times, np.nan)
    for b in range(times):
        try:
            found = effect_of(again(first_placebo(fit.design, rng)).with_inference(asked, **how))
        except DesignError:
            continue
        estimates[b], p_values[b] = found.estimate, found.p_value
    return Placebos(estimates, _reject(p_values, fit.level))


def _reject(p_values: Floats, level: float) -> Floats:
    return np.where(np.isfinite(p_values), (p_values <= 1 - level + LEVEL_ROUNDING).astype(float), np.nan)
