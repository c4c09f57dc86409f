r"""Stacked difference in differences with corrective weights (Wing, Freedman and Hollingsworth)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import numpy as np

from clsimpact._procedures import base_kind, finished, quick_kind
from clsimpact.design import Design
from clsimpact.errors import DesignError, list_some
from clsimpact.estimators._cells import Cells, Effects, plan_of
from clsimpact.estimators._differences import (
    Contrasts,
    Pair,
    base_positions,
    behind,
    compare,
    effect_cells,
    positions,
    sample_frame,
)
from clsimpact.estimators._events import EventRegressions, Slopes, path_of, row_mass, slopes_of
from clsimpact.estimators._grid import Grid, grid_of
from clsimpact.estimators._options import require_choice, require_design, require_unit_effects, require_whole
from clsimpact.inference.methods import Method
from clsimpact.results import Estimate

__all__ = ["stacked"]


def stacked(
    design: Design,
    *,
    control: Literal["not_yet", "never"] = "not_yet",
    weighting: Literal["corrective", "none"] = "corrective",
    leads: int | None = None,
    lags: int | None = None,
    inference: str | Method = "auto",
    level: float = 0.95,
) -> Estimate:
    r"""Estimate effects by event time from one stack of rows per cohort, with a common window.

    The sub-experiment of cohort a holds its units and clean controls (not treated by ``a + lags``) in the
    event times -leads to lags. Cohorts whose window does not lie within the panel are left out (trimmed) and
    named. With :math:`D_{sa} = 1` for treated units, the weighted regression on the stacked rows is

    .. math:: y_{sae} = \alpha_0 + \alpha_1 D_{sa} + \sum_{h \ne r} \lambda_h 1[e = h]
              + \sum_{h \ne r} \delta_h D_{sa} 1[e = h] + u_{sae}

    with reference r the last period before adoption (before anticipation) and the corrective weights Q = 1
    for treated rows and :math:`Q_a = \frac{N^D_a / N^D}{N^C_a / N^C}` for control rows. Then

    .. math:: \delta_e = \sum_a \frac{N^D_a}{N^D} \Delta_{ae}

    is the **trimmed aggregate ATT** of event time e, where :math:`\Delta_{ae}` is the difference of mean
    changes in sub-experiment a: the same cohorts with the same weights at each e. It rests on parallel trends
    within each sub-experiment and no anticipation. With weights in the design, N are sums of weights (of the
    reference period).

    ``weighting="none"`` is the stacked regression of Cengiz and others, with effects of unit by stack and
    period by stack and no weights: :math:`\delta_e = \sum_a \kappa_a\Delta_{ae} / \sum_a \kappa_a`,
    :math:`\kappa_a = N^D_a N^C_a / (N^D_a + N^C_a)`, weights that follow the size of the control groups.

    **Window.** By default the widest that no cohort with a period before adoption has to leave: the shortest
    run before and the shortest run after adoption. Give ``leads`` and ``lags`` to trade cohorts for length.

    **Gaps.** A unit enters a sub-experiment if it is observed in each panel period of the window in which its
    cohort is observed at all; the others are named by ``sample()``. A period of the window that the panel or
    the cohort lacks is missing from that sub-experiment, and event times say which cohorts they are without.

    **Variance.** With corrective weights the estimate is a sum of differences of means with fixed weights, so
    that errors rest on deviations from the mean of each group (treated or controls) of each stack at each
    event time, clustered (a unit serves in several stacks):

    .. math:: \psi_{ie} = \sum_a \frac{N^D_a}{N^D} w_i \Bigl[
              \frac{D_{ia}}{N^D_a} - \frac{1 - D_{ia}}{N^C_a}\Bigr]
              (\Delta y_{iae} - \overline{\Delta y}_{D_{ia}ae}).

    CR1 has the factor :math:`\frac{G}{G-1}\frac{N-1}{N-K}` with N stacked rows and K the means, two
    for each stack and event time, reference included. CR2 is that of the regression saturated by stack, group
    and event time, with Satterthwaite degrees of freedom (weights of the design read as inverse variances);
    CR3 and jackknife leave out one cluster at a time with weights computed anew, in closed form. With small
    cohorts CR0 and CR1 are too narrow: CR3 (default) is not. A group of one cluster has no deviation of
    its own, and a note names its stack: of these kinds only CR3 and jackknife hold its variation.

    **Covariates** enter by their value in the reference period, as a line per event time in the change, with
    a constant per stack: fitted to controls under ``"corrective"``, to all rows under ``"none"``. The first
    then has CR0 and CR1 (its default), which hold the variation of the slopes.

    ``"regression"`` gives the errors of the regression above, as the authors have them: CR1 of its own
    scores, K = two per event time. Its residuals hold differences between stacks, so that a common shock of
    one year moves these errors although the estimate does not move. For ``weighting="none"`` all kinds are of
    its regression; K does not count effects of unit by stack, which are nested in the clusters.

    Parameters
    ----------
    design
        Who is compared with whom.
    control
        ``"not_yet"``: units untreated through ``a + lags``; ``"never"``: units that do not adopt by the end.
    weighting
        ``"corrective"`` or ``"none"``.
    leads, lags
        Event times before and after adoption in the window; see above.
    inference
        ``"auto"``, a method, or the name of one: see `Estimate.with_inference`. Covariances:
        ``"CR0"``, ``"CR1"``, ``"CR2"``, ``"CR3"``, ``"jackknife"`` or (corrective only)
        ``"regression"``. Usual: CR3; CR1 with corrective weights and covariates.
    level
        Confidence level.

    Returns
    -------
    Estimate
        Terms ``"e=-2"``, ``"e=0"`` and so on in units of the outcome; ``overall`` is the mean of e >= 0.

    Raises
    ------
    DesignError
        Effects other than of the unit, unusable options, collinear covariates, or no cohort that fits the
        window.

    Notes
    -----
    Wing, Freedman and Hollingsworth (2024), NBER working paper 32054, doi 10.3386/w32054; Cengiz, Dube,
    Lindner and Zipperer (2019), doi 10.1093/qje/qjz014. See ``docs/methodology/stacked.md``.

    Examples
    --------
    >>> from clsimpact.datasets import load_mpdta
    >>> design = Design(load_mpdta(), outcome="lemp", unit="county", time="year", cohort="first_treat")
    >>> fit = stacked(design, leads=1, lags=1)
    >>> fit.tidy()[["term", "estimate", "std_error", "n_units"]].round(6)
       term  estimate  std_error  n_units
    0  e=-1  0.000000        NaN       60
    1   e=0 -0.009521   0.014173       60
    2   e=1 -0.053589   0.017065       60
    >>> fit.with_inference("regression").tidy()["std_error"].round(6).tolist()[1:]
    [0.015476, 0.018828]
    >>> fit.notes[1]
    'Left out: cohort 2007 (131 units): its window 2006 to 2008 does not lie within 2003 to 2007'
    """
    require_design(design, "stacked")
    _check(design, leads, lags, control, weighting)
    grid = grid_of(design)
    bases = base_positions(design, grid)
    window = _window(design, grid, bases, leads, lags)
    pairs, bases = _pairs(design, grid, bases, window)
    found = compare(design, grid, pairs, never=control == "never")
    scheme = "means" if weighting == "corrective" else "regression"
    found, slopes = _net_of_covariates(design, grid, found, scheme)
    cells = effect_cells(design, grid, found, row_mass(found, scheme)[2], bases)
    if not found.known.any():
        raise DesignError(
            "No sub-experiment has both adopters and clean controls.",
            list(dict.fromkeys(reason for reason in cells.reasons if reason))[:12],
            repair="Shorten lags, so that more units are untreated through the window.",
        )
    held = _regressions(design, found, cells, scheme, slopes)
    kind = base_kind(inference, "CR1" if slopes and scheme == "means" else "CR3")
    trimmed = list_some(window.trimmed)
    lone = _lone(design, found) if scheme == "means" else {}
    made = Effects(
        estimator="stacked",
        design=design,
        cells=cells,
        estimates=np.where(cells.identified, found.gap[positions(cells, found)], np.nan),
        averaged=held.averaged,
        covariance=kind,
        level=level,
        equation=_equation(design, weighting),
        notes=(*_notes(design, cells, window, control, weighting, trimmed), *_lone_notes(lone)),
        sampler=lambda plan: sample_frame(design, grid, found, cells, plan, trimmed=trimmed),
        behind=behind(cells, found),
        options={"control": control, "weighting": weighting},
    )
    several = cells.identified & ~np.isin(cells.cohorts, lone.get("adopters", []))
    alone = np.setdiff1d(cells.events[cells.identified], cells.events[several])
    options = {"leads": leads, "lags": lags, "control": control, "weighting": weighting, "level": level}
    again = partial(stacked, **options, inference=quick_kind(kind))  # type: ignore[arg-type]
    return finished(path_of(made, frozenset(int(e) for e in alone)), again, inference)


def _net_of_covariates(
    design: Design, grid: Grid, found: Contrasts, scheme: str
) -> tuple[Contrasts, dict[int, Slopes]]:
    """Return cells with changes net of covariates in the reference period, and the slopes by event time."""
    if not design.covariates:
        return found, {}
    event = np.array([pair.period - pair.cohort for pair in found.pairs])
    none = compare(design, grid, [], never=False)
    how = "equal" if scheme == "means" else scheme
    change, out = found.change.copy(), {}
    for e in np.unique(event[found.known]).tolist():
        mine = np.flatnonzero(found.known & (event == e))
        x = grid.x[:, :, [found.pairs[j].base for j in mine]]
        out[e] = slopes_of(found, mine, none, x, how, design.covariates)
        change[:, mine] -= np.tensordot(out[e].gamma, x, axes=1)
    return replace(found, change=change), out


def _regressions(
    design: Design, found: Contrasts, cells: Cells, scheme: str, slopes: dict[int, Slopes]
) -> EventRegressions:
    """Return the regressions that errors come from, and with means those of the authors as a further kind."""
    plan = plan_of(cells, "dynamic")
    events = sorted({int(e) for e in cells.events[cells.identified]})
    sizes = dict.fromkeys(events, _size(design, found, scheme))
    held = EventRegressions(design, found, cells, plan, scheme, sizes, slopes)
    if scheme != "means" or slopes:
        return held
    pooled = dict.fromkeys(events, _size(design, found, "pooled"))
    return replace(held, other={"regression": replace(held, scheme="pooled", sizes=pooled)})


def _check(design: Design, leads: int | None, lags: int | None, control: str, weighting: str) -> None:
    """Refuse options and designs that the estimator cannot use."""
    require_unit_effects(design, "stacked")
    require_choice("control", control, ("not_yet", "never"))
    require_choice("weighting", weighting, ("corrective", "none"))
    require_whole("leads", leads, least=1)
    require_whole("lags", lags, least=0)


@dataclass(frozen=True)
class _Window:
    """Length of the window, the cohorts that fit it, and words for those that do not."""

    leads: int
    lags: int
    cohorts: tuple[int, ...]
    trimmed: tuple[str, ...]


def _window(
    design: Design, grid: Grid, bases: dict[int, int], leads: int | None, lags: int | None
) -> _Window:
    first, last = int(grid.periods[0]), int(grid.periods[-1])
    able = [g for g, k in bases.items() if k >= 0 and g <= last]
    if not able:
        names = list_some([n for n, c in zip(design.unit_names, design.in_window, strict=True) if c], 4)
        raise DesignError(
            "No cohort is observed before adoption.", [names], repair="A stack needs a period before it."
        )
    sizes = design.cohort_sizes
    leads = min(g - first for g in able) if leads is None else int(leads)
    lags = min(last - g for g in able) if lags is None else int(lags)
    if leads < 1 + design.anticipation:
        raise DesignError(
            f"leads is {leads}, and the reference is event time {-1 - design.anticipation}.",
            repair=f"Use leads={1 + design.anticipation} or more.",
        )
    kept, trimmed = [], []
    for g, k in bases.items():
        units = f"cohort {g} ({sizes[g]} {'unit' if sizes[g] == 1 else 'units'})"
        if g - leads < first or g + lags > last:
            span = f"its window {g - leads} to {g + lags} does not lie within {first} to {last}"
            trimmed.append(f"{units}: {span}")
        elif k < 0 or int(grid.periods[k]) < g - leads:
            trimmed.append(f"{units}: it is not observed in the window before adoption")
        else:
            kept.append(g)
    if not kept:
        raise DesignError(
            f"No cohort fits the window of {leads} periods before and {lags} after adoption.",
            trimmed[:12],
            repair="Use a smaller leads or lags.",
        )
    return _Window(leads, lags, tuple(kept), tuple(trimmed))


def _pairs(
    design: Design, grid: Grid, bases: dict[int, int], window: _Window
) -> tuple[list[Pair], dict[int, int]]:
    """List the cells of each sub-experiment, and the reference periods of those that are kept."""
    out = []
    for g in window.cohorts:
        seen = grid.seen[grid.cohorts == g].any(axis=0)
        inside = (grid.periods >= g - window.leads) & (grid.periods <= g + window.lags)
        needed = tuple(int(k) for k in np.flatnonzero(inside & seen))
        for k in np.flatnonzero(inside):
            t, base = int(grid.periods[k]), bases[g]
            if (seen[k] or t >= g - design.anticipation) and k != base:
                why = "" if seen[k] else f"cohort {g} is not observed in {t}"
                out.append(Pair(g, t, base, float(g + window.lags), needed, base, why))
    if not out:
        raise DesignError(
            "No period of the window is observed but the reference.",
            [f"cohort {g}" for g in window.cohorts],
            repair="Use a larger leads or lags.",
        )
    return out, {g: bases[g] for g in window.cohorts}


def _size(design: Design, found: Contrasts, scheme: str) -> tuple[int, int, int]:
    """Stacked rows, parameters and clusters; the same for every event time."""
    stacks: dict[int, list[int]] = {}
    for j, pair in enumerate(found.pairs):
        if found.known[j]:
            stacks.setdefault(pair.cohort, []).append(j)
    there = (found.treated[:, found.known] > 0) | (found.control[:, found.known] > 0)
    rows = sum(
        (1 + len(mine)) * int(found.treated_units[mine[0]] + found.control_units[mine[0]])
        for mine in stacks.values()
    )
    events = len({found.pairs[j].period - found.pairs[j].cohort for j in np.flatnonzero(found.known)})
    if scheme == "pooled":
        parameters = 2 * (events + 1)
    elif scheme == "means":
        parameters = 2 * sum(1 + len(mine) for mine in stacks.values())
    else:
        parameters = events + sum(len(mine) for mine in stacks.values()) + 1
    parameters += events * len(design.covariates)
    clusters = np.unique(design.unit_clusters[there.any(axis=1)]).size
    return rows, parameters, clusters


def _lone(design: Design, found: Contrasts) -> dict[str, list[int]]:
    """Return, by side, the stacks with one cluster there: it is its own mean."""
    known = np.flatnonzero(found.known)
    first = {found.pairs[j].cohort: int(j) for j in known[::-1]}
    out: dict[str, list[int]] = {}
    for side, mass in (("adopters", found.treated), ("clean controls", found.control)):
        for cohort in sorted(first):
            mine = design.unit_clusters[mass[:, first[cohort]] > 0]
            if (mine == mine[0]).all():
                out.setdefault(side, []).append(cohort)
    return out


def _lone_notes(lone: dict[str, list[int]]) -> list[str]:
    return [
        f"One cluster of {side} in the {'stack' if len(cohorts) == 1 else 'stacks'} of {list_some(cohorts)}: "
        "its own variation cannot be estimated and is not in CR0 to CR2 (CR3 compares with the estimate "
        "without the stack)"
        for side, cohorts in lone.items()
    ]


def _equation(design: Design, weighting: str) -> str:
    if weighting == "corrective":
        first = "α0 + α1·treated[i,a] + Σ_{h ≠ r} λ[h]·1[e = h]"
    else:
        first = f"{design.unit}[i,a] + {design.time}[e,a]"
    return f"{design.outcome}[i,a,e] = {first} + Σ_{{h ≠ r}} δ[h]·treated[i,a]·1[e = h] + error[i,a,e]"


def _notes(
    design: Design, cells: Cells, window: _Window, control: str, weighting: str, trimmed: str
) -> tuple[str, ...]:
    clean = "never treated in the panel" if control == "never" else "untreated through the window"
    how = "corrective weights" if weighting == "corrective" else "no weights"
    out = [
        f"Comparison: units {clean}, in stacks of cohorts {list_some(window.cohorts)}, event times "
        f"{-window.leads} to {window.lags}, reference {-1 - design.anticipation}; {how}"
    ]
    if trimmed:
        out.append(f"Left out: {trimmed}")
    behind = {
        int(e): tuple(int(g) for g in cells.cohorts[cells.identified & (cells.events == e)])
        for e in np.unique(cells.events[cells.identified])
    }
    if len(set(behind.values())) > 1:
        words = "; ".join(f"e={e}: {list_some(cohorts)}" for e, cohorts in behind.items())
        out.append(f"Event times rest on different cohorts (gaps in the periods): {words}")
    return tuple(out)
