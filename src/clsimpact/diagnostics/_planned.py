"""Designs that could have been: with other numbers of adopters, or with further years."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clsimpact._check import plural, unit_word
from clsimpact._forms import Forms, forms_of
from clsimpact.design import Design
from clsimpact.diagnostics._precision import Spread, detectable, smooth, smoothed, spread_of, variance
from clsimpact.errors import DesignError
from clsimpact.estimators.twfe import twfe
from clsimpact.results import Estimate

__all__ = ["FEWEST_ADOPTERS", "LEVEL", "YEARS", "Plan", "Planner", "spread_share"]

Floats = NDArray[np.float64]

FEWEST_UNITS = 10
"""Comparison units from which their variation is known well enough to plan with: to a quarter of its size."""

FEWEST_PAIRS = 5
"""Units that must show two periods for the variation between these to count."""

FEWEST_ADOPTERS = 3
"""The library shows no interval with fewer."""

LEVEL = 0.95

YEARS = (1, 2, 3, 5, 10)
"""Further years that are looked at."""


@dataclass(frozen=True)
class Plan:
    """Standard deviation of the overall effect in one design, and degrees of freedom of its test."""

    adopters: int
    deviation: float
    df: float

    def effect(self, power: float, level: float = LEVEL) -> float:
        """Return the effect that a two-sided test at ``1 - level`` finds with a power."""
        return detectable(power, self.df, level) * self.deviation


@dataclass(frozen=True, eq=False)
class Planner:
    """Plans from one design: two-way fixed effects, untreated outcomes only.

    Attributes
    ----------
    design : Design
    fit : Estimate or None
        Where its weights are known, plans are brought to the size of its own overall effect.
    """

    design: Design
    fit: Estimate | None = None

    def __post_init__(self) -> None:
        design = self.design
        problems = []
        if design.effects != "unit":
            problems.append(f"effects are those of {design.effects}, not of units")
        if design.n_clusters < len(design.units):
            problems.append(f"errors are clustered by {design.cluster}, above the unit")
        if problems:
            raise DesignError(
                "Planning needs units that vary independently.",
                problems,
                repair="Plan with units as clusters and unit effects.",
            )

    @cached_property
    def rows(self) -> NDArray[np.bool_]:
        """Rows whose variation is used (n): of comparison units; where these are few, all untreated rows."""
        others = ~self.design.in_window
        if others.sum() >= FEWEST_UNITS:
            return np.asarray(others[self.design.unit_codes])
        return np.asarray(~self.design.treated)

    @cached_property
    def spread(self) -> Spread:
        """How these rows vary from period to period."""
        laid = np.where(self.rows, self.design.y, np.nan)
        found = spread_of(laid_out(self.design, laid), FEWEST_PAIRS)
        if not np.nanmax(found.variogram) > 0:
            raise DesignError(
                f"{self.design.outcome} does not vary without adoption, as far as is known.",
                repair="Choose an outcome that varies.",
            )
        return found

    @cached_property
    def mean(self) -> float:
        """Mean outcome of the rows that are used."""
        return float(self.design.y[self.rows].mean())

    @cached_property
    def plain(self) -> Plan:
        """The design as it is, with two-way fixed effects."""
        return self._plan(self.design)

    @cached_property
    def own(self) -> tuple[float, float] | None:
        """Standard deviation and degrees of freedom of the result's overall effect, where they are known."""
        if self.fit is None or self.fit.estimator == "twfe":
            return None
        forms: Forms = self.fit.forms or forms_of(self.fit)
        if forms.obstacle:
            return None
        form = forms.by_type.combine(overall_contrast(self.fit, forms.by_type.weights.shape[2]))
        found = variance(form.weights[forms.types][:, :, 0], self.spread.variogram)
        return (float(np.sqrt(found)), float(form.df[0])) if found > 0 else None

    @property
    def estimator(self) -> str:
        """What the plans are for."""
        return "twfe" if self.own is None or self.fit is None else self.fit.estimator

    @cached_property
    def present(self) -> Plan:
        """The design as it is."""
        return self._brought(self.plain)

    @property
    def most(self) -> int:
        """Adopters at most: half of the units, beyond which more take precision away, or as many as fit."""
        return min(max(len(self.design.units) // 2, self.design.n_treated), most_that_fit(self.design))

    def with_adopters(self, adopters: int) -> Plan:
        """Plan with another number of adopters whose dates are spread as those of the design."""
        if adopters == self.design.n_treated:
            return self.present
        return self._brought(self._plan(self.design.with_cohorts(spread_share(self.design, adopters))))

    def with_years(self, years: int) -> Plan:
        """Plan with further years, in which outcomes go on varying by time between as they did."""
        design = self.design
        if design.weights is not None or design.covariates:
            raise DesignError(
                "Further years are not planned with weights or covariates.",
                repair="Plan without weights and covariates, or for the years at hand.",
            )
        parts = smooth(self.spread, np.array(design.periods, dtype=float))
        longer = extended(design, years)
        now = variance(weights_of(design)[0], smoothed(parts, np.array(design.periods, dtype=float)))
        then_weights, df = weights_of(longer)
        then = variance(then_weights, smoothed(parts, np.array(longer.periods, dtype=float)))
        ratio = float(np.sqrt(then / now))
        df = self.present.df * df / self.plain.df
        return Plan(design.n_treated, self.present.deviation * ratio, df)

    def _plan(self, design: Design) -> Plan:
        weights, df = weights_of(design)
        found = variance(weights, self.spread.variogram)
        if not np.isfinite(found):
            raise DesignError(
                f"Too few {unit_word(design)}s without adoption show the same periods: "
                f"{plural(FEWEST_PAIRS, unit_word(design))} are needed for each two.",
                repair="Use a panel with more units that do not adopt.",
            )
        return Plan(design.n_treated, float(np.sqrt(found)), df)

    def _brought(self, plan: Plan) -> Plan:
        """Bring a plan of two-way fixed effects to the size of the result's own overall effect.

        Exact for the present number of adopters; for others the ratio of deviations is taken as it is now.
        """
        if self.own is None:
            return plan
        size = self.own[0] / self.plain.deviation
        more = max(plan.adopters / self.plain.adopters, 1.0)
        return Plan(plan.adopters, plan.deviation * size, min(plan.df, self.own[1] * more))

    @cached_property
    def noisier(self) -> float:
        """Variance of adopters between untreated periods over that of the others; NaN where not known."""
        design = self.design
        laid = laid_out(design, np.where(design.treated, np.nan, design.y))
        others = laid[~design.in_window]
        mine = laid[design.in_window]
        if len(others) < FEWEST_UNITS:
            return float("nan")
        steps = np.diff(mine, axis=1) - np.nanmean(np.diff(others, axis=1), axis=0)
        usual = np.diagonal(self.spread.variogram, 1)
        there = np.isfinite(steps) & np.isfinite(usual) & (usual > 0)
        if there.sum() < FEWEST_PAIRS:
            return float("nan")
        return float((steps**2 / np.where(usual > 0, usual, np.nan))[there].mean())


def laid_out(design: Design, values: Floats) -> Floats:
    """Return values of rows (n) as units by periods (N, T), NaN where there is no row."""
    out = np.full((len(design.units), len(design.periods)), np.nan)
    out[design.unit_codes, design.time_codes] = values
    return out


def weights_of(design: Design) -> tuple[Floats, float]:
    """Weights of outcomes (N, T) in two-way fixed effects, and Satterthwaite's degrees of freedom."""
    fit = twfe(design, inference="CR0")
    laid = np.nan_to_num(laid_out(design, fit.fitted().influence[:, 0]))
    forms = forms_of(fit)
    if forms.plain_obstacle:
        df = twfe(design, inference="CR2").vcov.df
        return laid, float(np.ravel(df)[0])
    return laid, float(forms.by_type.df[0])


def overall_contrast(fit: Estimate, width: int) -> Floats:
    """Weights (width, 1) of a result's numbers in its overall effect."""
    out = np.zeros((width, 1))
    if fit.total is not None:
        out[-1] = 1.0
        return out
    after = [
        i
        for i, (term, ok) in enumerate(zip(fit.terms, fit.identified, strict=True))
        if ok and term.event_time is not None and term.event_time >= 0
    ]
    out[after or [0]] = 1.0 / len(after or [0])
    return out


def most_that_fit(design: Design) -> int:
    """Return with how many adopters ten comparison units are left; the present number always fits."""
    pool = int((~design.in_window).sum())
    return design.n_treated + max(pool - FEWEST_UNITS, 0)


def spread_share(design: Design, adopters: int) -> Floats:
    """Return cohorts of units (N) for another number of adopters, spread over the same dates.

    Cohorts keep their shares (largest remainders). Fewer: adopters of each cohort that are evenly spaced in
    the order of units stay. More: comparison units that are observed most join.

    Raises
    ------
    DesignError
        Fewer than one, or more than now and so many that fewer than ten units are left to compare with.
    """
    sizes = design.cohort_sizes
    now, pool = design.n_treated, np.flatnonzero(~design.in_window)
    if not 1 <= adopters <= most_that_fit(design):
        raise DesignError(
            f"{adopters} adopters cannot be planned with {plural(len(design.units), unit_word(design))}: "
            f"1 to {most_that_fit(design)} can.",
            repair="Ask for a number of adopters that the panel can have.",
        )
    exact = {g: adopters * n / now for g, n in sizes.items()}
    wanted = {g: int(share) for g, share in exact.items()}
    rest = sorted(sizes, key=lambda g: (wanted[g] - exact[g], g))[: adopters - sum(wanted.values())]
    wanted = {g: n + (g in rest) for g, n in wanted.items()}
    counts = np.diff(design.unit_rows)
    order = pool[np.argsort(-counts[pool], kind="stable")]
    extra = {g: max(n - sizes[g], 0) for g, n in wanted.items()}
    joining = iter(order[: sum(extra.values())])
    out = np.array(design.unit_cohorts, dtype=float)
    for g, n in wanted.items():
        mine = np.flatnonzero(design.unit_cohorts == g)
        stays = mine[np.unique(np.linspace(0, mine.size - 1, min(n, mine.size)).round().astype(int))]
        out[np.setdiff1d(mine, stays)] = np.nan
        for _ in range(extra[g]):
            out[next(joining)] = g
    return out


def extended(design: Design, years: int) -> Design:
    """Return the design with further years (outcomes 0: only its weights are of use)."""
    unit, time, cohort, outcome = design.unit, design.time, design.cohort, design.outcome
    now = pd.DataFrame({unit: design.unit_codes, time: design.times, cohort: design.cohorts, outcome: 0.0})
    now.loc[~design.in_window[design.unit_codes], cohort] = np.nan
    last = now[now[time] == design.periods[-1]]
    more = [last.assign(**{time: design.periods[-1] + year}) for year in range(1, years + 1)]
    return Design(
        pd.concat([now, *more], ignore_index=True),
        outcome=outcome,
        unit=unit,
        time=time,
        cohort=cohort,
        anticipation=design.anticipation,
    )
