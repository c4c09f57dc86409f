r"""Effects by cohort and period (Callaway and Sant'Anna 2021)."""

from __future__ import annotations

from functools import partial
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clsimpact._check import plural, unit_word
from clsimpact._procedures import base_kind, finished, quick_kind
from clsimpact.design import Design
from clsimpact.errors import DesignError, did_you_mean, list_some
from clsimpact.estimators._cells import Cells, Effects, Plan
from clsimpact.estimators._grid import Grid, grid_of
from clsimpact.estimators._group_time_average import Averages, averages
from clsimpact.estimators._group_time_covariates import Adjusted
from clsimpact.estimators._group_time_layout import (
    Layout,
    layout_of,
    left_out_words,
    what_to_mind,
    why_not,
)
from clsimpact.estimators._group_time_means import Means
from clsimpact.estimators._options import require_design
from clsimpact.inference.methods import Method
from clsimpact.inference.sandwich import Counts
from clsimpact.results import REFERENCE, Estimate

__all__ = ["group_time"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

CHOICES = {
    "control": ("never", "not_yet"),
    "base_period": ("varying", "universal"),
    "method": ("dr", "reg", "ipw"),
    "unbalanced": ("pairs", "complete"),
}


def group_time(
    design: Design,
    *,
    control: Literal["never", "not_yet"] = "never",
    base_period: Literal["varying", "universal"] = "varying",
    method: Literal["dr", "reg", "ipw"] = "dr",
    unbalanced: Literal["pairs", "complete"] = "pairs",
    inference: str | Method = "auto",
    level: float = 0.95,
) -> Estimate:
    r"""Estimate the effect on each cohort in each period, by its own difference in differences.

    For cohort g, period t and base period b,

    .. math:: \widehat{ATT}(g,t) = \frac{\sum_{i \in g} w_i (y_{it} - y_{ib})}{\sum_{i \in g} w_i}
              - \frac{\sum_{i \in C} w_i (y_{it} - y_{ib})}{\sum_{i \in C} w_i},

    where C holds the controls; only units seen in both t and b count. Under parallel trends of g and C (given
    the covariates) and no effect before ``g - anticipation`` this is the mean effect of adoption on cohort g
    in period t for :math:`t \ge g`; earlier cells should be zero.

    Parameters
    ----------
    design
        Who is compared with whom. Weights and covariates are read in the earlier of the two periods.
    control
        ``"never"``: units that adopt never, or after the panel. ``"not_yet"``: also cohorts that adopt
        (less anticipation) after both t and b.
    base_period
        From adoption on, b is the last period before ``g - anticipation`` in which the cohort is seen.
        Before, ``"varying"`` takes the period before t (so cells are changes from one period to the next) and
        ``"universal"`` the same b for all.
    method
        With covariates: ``"reg"`` (outcome regression among controls), ``"ipw"`` (normalised inverse
        probability weighting, logit) or ``"dr"`` (doubly robust: right if either model is). Without
        covariates all three are the formula above.
    unbalanced
        ``"pairs"``: each cell uses the units seen in both of its periods. ``"complete"``: only units seen in
        every period; the others leave the sample and are counted.
    inference
        ``"auto"``, a method, or the name of one: see `Estimate.with_inference`. Covariances:
        ``"CR0"`` (usual): influence functions, as in R did. ``"CR1"``: times G/(G-1). ``"CR2"``
        with Satterthwaite degrees of freedom: without covariates only. ``"CR3"`` and ``"jackknife"``: without
        one cluster in turn; exact and closed without covariates, by recomputation with them.
    level
        Confidence level of the intervals.

    Returns
    -------
    Estimate
        A term per cohort and period (``"g=2004,t=2006"``) in units of the outcome. ``overall`` is the mean
        over treated units and periods; ``aggregate`` gives the other means, their errors with the share of
        each cohort estimated. ``uncertainty.psi`` holds the influence functions (units, terms and, last, the
        overall effect), computed when first asked for.

    Raises
    ------
    DesignError
        Unknown options; no never-treated unit with ``control="never"``; effects other than the unit's.

    Notes
    -----
    Callaway and Sant'Anna (2021), doi 10.1016/j.jeconom.2020.12.001; covariates: Sant'Anna and Zhao (2020),
    doi 10.1016/j.jeconom.2020.06.003.

    Examples
    --------
    >>> from clsimpact.datasets import load_mpdta
    >>> design = Design(load_mpdta(), outcome="lemp", unit="county", time="year", cohort="first_treat")
    >>> fit = group_time(design)
    >>> fit.overall[["estimate", "std_error"]].round(6)
       estimate  std_error
    0 -0.039951   0.011845
    >>> fit.aggregate("dynamic").tidy()[["term", "estimate", "std_error"]].round(4)
       term  estimate  std_error
    0  e=-3    0.0305     0.0151
    1  e=-2   -0.0006     0.0133
    2  e=-1   -0.0245     0.0143
    3   e=0   -0.0199     0.0119
    4   e=1   -0.0510     0.0171
    5   e=2   -0.1373     0.0371
    6   e=3   -0.1008     0.0350
    """
    require_design(design, "group_time")
    kind = base_kind(inference, "CR0")
    _check({"control": control, "base_period": base_period, "method": method, "unbalanced": unbalanced})
    design, gone = _sample(design, unbalanced)
    _require_controls(design, control)
    grid = grid_of(design)
    layout = layout_of(grid, design, control=control, base_period=base_period)
    clusters, n = design.unit_clusters, design.n_clusters
    source: Means | Adjusted = Means(grid, layout, clusters, n)
    if design.covariates:
        source = Adjusted(grid, layout, clusters, n, method)
    unit_weight = _first_weight(design)
    mass = layout.member @ unit_weight
    cells = _cells(design, layout, source, mass)
    m = cells.cohorts.size
    counts = Counts(n_obs=design.n_obs, n_clusters=n, k_nested=m, k_all=m)

    def averaged(plan: Plan, _: Floats) -> Averages:
        return averages(
            plan, source, group=layout.group, unit_class=layout.unit_class, unit_weight=unit_weight,
            mass=mass, clusters=clusters, counts=counts,
        )  # fmt: skip

    effects = Effects(
        estimator="group_time",
        design=design,
        cells=cells,
        estimates=np.where(cells.identified, source.effects, np.nan),
        averaged=averaged,
        covariance=kind,
        level=level,
        equation=_equation(design, method),
        notes=(*_notes(design, control, base_period), *gone),
        sampler=lambda plan: _used(design, grid, layout, cells, plan),
        options={"control": control, "base_period": base_period, "method": method, "unbalanced": unbalanced},
        behind=lambda units, k: (layout.base[k] < 0) | grid.seen[units, layout.base[k]],
    )
    made = effects.aggregate("cells")
    again = partial(
        group_time,
        control=control,
        base_period=base_period,
        method=method,
        unbalanced=unbalanced,
        level=level,
        inference=quick_kind(kind),
    )
    return finished(made, again, inference)


def _check(given: dict[str, str]) -> None:
    problems = [
        f"{name} is {value!r}{did_you_mean(str(value), CHOICES[name])}; it can be "
        + " or ".join(repr(word) for word in CHOICES[name])
        for name, value in given.items()
        if value not in CHOICES[name]
    ]
    if problems:
        raise DesignError(
            "The options of group_time cannot be used.", problems, repair="Change them, or leave them out."
        )


def _sample(design: Design, unbalanced: str) -> tuple[Design, tuple[str, ...]]:
    """Return the design on the units that are asked for, and the sentence that says so."""
    if design.effects != "unit":
        raise DesignError(
            f"group_time compares changes within units; effects of {design.effects!r} do not go with it.",
            repair="Leave effects='unit', or use twfe or event_study.",
        )
    seen = np.diff(design.unit_rows)
    part = np.flatnonzero(seen < len(design.periods))
    if unbalanced == "pairs" or part.size == 0:
        text = f"Sample: each effect uses the {unit_word(design)}s seen in both of its periods"
        return design, (text,) if part.size else ()
    names = list_some([design.unit_names[i] for i in part])
    if part.size == seen.size:
        raise DesignError(
            "No unit is observed in every period.",
            [names],
            repair="Use unbalanced='pairs', or leave out the periods in which rows are missing.",
        )
    keep = (seen == len(design.periods))[design.unit_codes]
    kept = design.restrict(keep, reason="unit not observed in every period")
    return kept, (
        f"Sample: without {plural(part.size, unit_word(design))} not seen in every period: {names}",
    )


def _require_controls(design: Design, control: str) -> None:
    if control == "never" and bool(design.in_window.all()):
        last = design.periods[-1]
        raise DesignError(
            "There is no never-treated unit to compare with.",
            [f"every {unit_word(design)} adopts (or anticipates adoption) by {last}"],
            repair=_other_controls(design),
        )


def _other_controls(design: Design) -> str:
    if len(np.unique(design.unit_cohorts[np.isfinite(design.unit_cohorts)])) > 1:
        return "Use control='not_yet'."
    return "Add units that adopt later or never: with one cohort, nobody is left to compare with."


def _first_weight(design: Design) -> Floats:
    """Weight of each unit in the size of its cohort: that of its first row."""
    if design.w is None:
        return np.ones(len(design.units))
    return np.asarray(design.w[design.unit_rows[:-1]])


def _cells(design: Design, layout: Layout, source: Means | Adjusted, mass: Floats) -> Cells:
    treated, controls = source.counts
    sizes = np.bincount(layout.unit_class, minlength=layout.classes.size)
    reasons = tuple(
        _reason(design, layout, source, k, int(treated[k]), int(controls[k])) for k in range(treated.size)
    )
    units = np.where(treated > 0, treated, sizes[layout.group])
    periods = np.array(design.periods, dtype=np.int64)[layout.when]
    return Cells(
        cohorts=layout.classes[layout.group].astype(np.int64),
        periods=periods,
        mass=mass[layout.group],
        units=units,
        rows=treated,
        identified=source.identified,
        reference=layout.reference,
        reasons=reasons,
    )


def _reason(
    design: Design, layout: Layout, source: Means | Adjusted, k: int, treated: int, controls: int
) -> str:
    if layout.reference[k]:
        return REFERENCE
    if source.identified[k]:
        plain = treated > 1 and controls > 1 and layout.usual[k] == layout.base[k]
        return "" if plain else what_to_mind(layout, design, k, treated=treated, controls=controls)
    if treated and controls and isinstance(source, Adjusted):
        return _trouble(design, layout, source.trouble[k], k, treated, controls)
    return why_not(layout, design, k, treated=treated > 0)


def _trouble(design: Design, layout: Layout, trouble: str, k: int, treated: int, controls: int) -> str:
    """Say why covariates cannot be used in a cell."""
    names = list_some(design.covariates)
    cohort, year = int(layout.classes[layout.group[k]]), design.periods[layout.earlier[k]]
    sides = f"{plural(treated, f'{unit_word(design)}')} of cohort {cohort} and {controls} controls"
    if trouble == "collinear":
        return f"{names} in {year}: collinear, constant or too many for the {sides}"
    return f"{names} in {year}: no overlap, a combination of them tells the {sides} apart exactly"


def _equation(design: Design, method: str) -> str:
    y = design.outcome
    if not design.covariates:
        return f"ATT[g,t] = mean({y}[t] − {y}[b] | cohort g) − mean({y}[t] − {y}[b] | controls)"
    how = {
        "reg": "outcome regression among the controls",
        "ipw": "controls weighted by normalised odds of a logit",
        "dr": "doubly robust, by outcome regression among the controls and odds of a logit",
    }[method]
    names = ", ".join(design.covariates)
    change = f"{y}[t] − {y}[b]"
    return f"ATT[g,t] = mean({change} | cohort g) − that of controls with equal {names}: {how}"


def _notes(design: Design, control: str, base_period: str) -> tuple[str, ...]:
    last, one = design.periods[-1], unit_word(design)
    never = int((~design.in_window).sum())
    who = f"{plural(never, one)} that {'adopts' if never == 1 else 'adopt'} never or after {last}"
    early = f" (less {plural(design.anticipation, 'period')})" if design.anticipation else ""
    yet = f", and those that adopt{early} after both periods compared" if control == "not_yet" else ""
    before = f"last period before adoption{early}"
    base = before if base_period == "universal" else f"{before}; for earlier cells the period before"
    notes = [f"Comparison: {who}{yet}", f"Base period: {base}"]
    if design.covariates:
        notes.append("Covariates: values in the earlier of the two periods compared")
    return tuple(notes)


def _used(design: Design, grid: Grid, layout: Layout, cells: Cells, plan: Plan) -> pd.DataFrame:
    """Return `Estimate.sample`: the units and periods behind each term."""
    rows = [_behind(design, grid, layout, cells, members) for members in plan.members]
    frame = pd.DataFrame(rows, columns=["treated_units", "control_units", "periods", "left_out"])
    frame.insert(0, "term", [term.name for term in plan.terms])
    return frame.astype({"treated_units": "Int64", "control_units": "Int64"})


def _behind(
    design: Design, grid: Grid, layout: Layout, cells: Cells, members: Ints
) -> tuple[int, int, str, str]:
    treated, control, absent = (np.zeros(len(design.units), dtype=bool) for _ in range(3))
    years: set[int] = set()
    bases: set[int] = set()
    for k in members:
        if layout.base[k] < 0:
            continue
        at, base = int(layout.when[k]), int(layout.base[k])
        both = grid.seen[:, at] & grid.seen[:, base]
        own, other = layout.unit_class == layout.group[k], layout.controls[k][layout.unit_class]
        absent |= (own | other) & ~both
        if not cells.identified[k]:
            continue
        years.add(design.periods[at])
        bases.add(design.periods[base])
        treated |= own & both
        control |= other & both
    words = f"{_listed(years)} against {_listed(bases)}" if years else ""
    gone = np.flatnonzero(absent & ~treated & ~control)
    named = left_out_words(design, gone, sorted(years | bases))
    return int(treated.sum()), int(control.sum()), words, named


def _listed(years: set[int]) -> str:
    return ", ".join(str(year) for year in sorted(years))
