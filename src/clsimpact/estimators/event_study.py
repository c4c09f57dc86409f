r"""Two-way fixed effects with leads and lags of adoption."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clsimpact.design import Design
from clsimpact.errors import DesignError, list_some
from clsimpact.estimators._within import build, regress
from clsimpact.results import REFERENCE, Estimate, Term

__all__ = ["event_study"]

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

Reference = int | tuple[int, ...] | str | None


def event_study(
    design: Design,
    *,
    reference: Reference = None,
    leads: int | None = None,
    lags: int | None = None,
    bin_ends: bool = True,
    covariance: str = "CR1",
    level: float = 0.95,
) -> Estimate:
    r"""Estimate the path of the outcome around adoption by two-way fixed effects.

    .. math:: y_{it} = \alpha_i + \lambda_t + \sum_{e \notin R} \beta_e 1[t - \text{cohort}_i = e]
              + x_{it}'b + \varepsilon_{it},

    over the observed event times e of units that adopt by the last period; R is the reference. With
    ``Design(effects=<column>)`` the unit effect gives way to an effect of that column plus an indicator per
    cohort, as in `twfe`. Units that adopt after the panel ends are controls and have no leads.

    Under parallel trends and no anticipation, :math:`\beta_e` for :math:`e \ge 0` is a weighted mean of
    effects, and :math:`\beta_e = 0` before adoption. With effects that differ by cohort, each
    :math:`\beta_e` also mixes in effects of other event times (Sun and Abraham 2021, doi
    10.1016/j.jeconom.2020.09.006).

    **Reference.** An event time (or several) with coefficient zero. With gaps in the periods, event time -1
    may not exist for some cohorts. ``"last_observed"`` leaves out, for each cohort, the last period before
    adoption (before anticipation) in which the cohort is observed; other cohorts at that event time keep
    their coefficient. The default, None, is ``-1 - anticipation`` if every cohort with earlier periods is
    observed there, else ``"last_observed"``; the summary says which.

    **Window.** All observed event times by default. With ``leads=k`` and ``lags=m`` the coefficients run
    from -k to m. ``bin_ends=True`` counts earlier cells as -k and later ones as m (one effect for each end);
    ``bin_ends=False`` drops those rows from the sample and counts them.

    **Identification.** Without never-treated units a straight line in event time cannot be told from time
    effects: the terms concerned come back with ``identified=False`` and a reason; give two references, as
    ``(-1, -4)``.

    Parameters
    ----------
    design
        Who is compared with whom.
    reference
        See above: None, a whole number, a tuple of them, or ``"last_observed"``.
    leads, lags
        Number of periods before and after adoption with a coefficient of their own; None for all.
    bin_ends
        What happens beyond ``leads`` and ``lags``.
    covariance, level
        As in `twfe`.

    Returns
    -------
    Estimate
        Terms ``"e=-2"``, ``"e=0"`` and so on (``"e<=-3"``, ``"e>=2"`` for binned ends) in units of the
        outcome, the reference at zero, then a term per covariate.

    Raises
    ------
    DesignError
        A reference that no cohort reaches, or a window that leaves nothing to estimate.

    Examples
    --------
    >>> from clsimpact.datasets import load_mpdta
    >>> design = Design(load_mpdta(), outcome="lemp", unit="county", time="year", cohort="first_treat")
    >>> fit = event_study(design)
    >>> fit.tidy()[["term", "estimate", "std_error", "n_units"]].round(4)
        term  estimate  std_error  n_units
    0   e=-4    0.0035     0.0228      131
    1   e=-3    0.0246     0.0177      171
    2   e=-2    0.0234     0.0134      171
    3   e=-1    0.0000        NaN      191
    4    e=0   -0.0181     0.0110      191
    5    e=1   -0.0435     0.0176       60
    6    e=2   -0.1318     0.0288       20
    7    e=3   -0.0922     0.0323       20
    """
    window = _window(leads, lags)
    if not bin_ends and window != (None, None):
        design = _inside(design, window)
    cells = _cells(design, window)
    left_out, note = _reference(design, cells, reference)
    terms: list[Term] = []
    columns: list[NDArray[np.float64]] = []
    slots: list[int | None] = []
    for e in np.unique(cells.time[cells.inside]):
        here = cells.inside & (cells.time == e)
        estimated = here & ~left_out
        shown = estimated if estimated.any() else here
        units = int(np.unique(design.unit_codes[shown]).size)
        reason = "" if estimated.any() else f"{REFERENCE}{_elsewhere(design, cells, left_out, int(e))}"
        terms.append(
            Term(_name(int(e), window, bin_ends, design), int(e), None, units, int(shown.sum()), reason)
        )
        slots.append(len(columns) if estimated.any() else None)
        columns += [estimated.astype(np.float64)] if estimated.any() else []
    if not columns:
        raise DesignError(
            "No event time is left to estimate.", repair="Widen leads and lags, or change the reference."
        )
    return build(
        estimator="event_study",
        design=design,
        regression=regress(design, np.column_stack(columns)),
        terms=terms,
        slots=tuple(slots),
        middle="Σ_{e ∉ R} β[e]·1[t − cohort[i] = e]",
        covariance=covariance,
        level=level,
        notes=(note,),
    )


@dataclass(frozen=True)
class _Cells:
    """Event time of each row after binning, for rows of units that adopt by the last period."""

    inside: Bools
    raw: Ints
    time: Ints


def _window(leads: int | None, lags: int | None) -> tuple[int | None, int | None]:
    for name, value, least in (("leads", leads, 1), ("lags", lags, 0)):
        if value is not None and (int(value) != value or value < least):
            raise DesignError(
                f"{name} is {value!r}; a whole number of at least {least} is needed, or None for all."
            )
    return leads, lags


def _inside(design: Design, window: tuple[int | None, int | None]) -> Design:
    cells = _cells(design, (None, None))
    early = np.zeros(design.n_obs, bool) if window[0] is None else cells.raw < -window[0]
    late = np.zeros(design.n_obs, bool) if window[1] is None else cells.raw > window[1]
    out = cells.inside & (early | late)
    return design.restrict(~out, reason="outside the event window") if out.any() else design


def _cells(design: Design, window: tuple[int | None, int | None]) -> _Cells:
    inside = design.in_window[design.unit_codes]
    raw = np.where(inside, design.event_time, 0).astype(np.int64)
    low = int(raw.min()) if window[0] is None else -window[0]
    high = int(raw.max()) if window[1] is None else window[1]
    return _Cells(inside, raw, np.clip(raw, low, high))


def _reference(design: Design, cells: _Cells, reference: Reference) -> tuple[Bools, str]:
    """Return the rows left out, and the sentence that says so."""
    usual = -1 - design.anticipation
    before = cells.inside & (cells.raw <= usual)
    if reference is None:
        cohorts = np.unique(design.cohorts[before])
        there = np.unique(design.cohorts[before & (cells.raw == usual)])
        if cohorts.size == there.size and cohorts.size:
            reference = usual
        elif cohorts.size:
            missing = sorted({int(c) for c in cohorts} - {int(c) for c in there})
            rows, words = _last_observed(design, cells, before)
            return rows, f"{words} (event time {usual} is not observed for {_cohorts(missing)})"
        else:
            raise DesignError(
                "No cohort is observed before adoption.", repair="An event study needs a period before it."
            )
    if reference == "last_observed":
        return _last_observed(design, cells, before)
    wanted = reference if isinstance(reference, tuple) else (reference,)
    observed = [int(e) for e in np.unique(cells.time[cells.inside])]
    absent = [e for e in wanted if e not in observed]
    if absent or not wanted:
        raise DesignError(
            "The reference is not an observed event time.",
            [f"reference {e!r}" for e in absent],
            repair=f"Observed: {list_some(observed, 30)}. Or use reference='last_observed'.",
        )
    rows = cells.inside & np.isin(cells.time, np.array(wanted, dtype=np.int64))
    return rows, f"Reference: event time {' and '.join(str(e) for e in wanted)}"


def _last_observed(design: Design, cells: _Cells, before: Bools) -> tuple[Bools, str]:
    rows, words = np.zeros(design.n_obs, dtype=bool), []
    for cohort in np.unique(design.cohorts[before]):
        mine = before & (design.cohorts == cohort)
        last = int(cells.raw[mine].max())
        rows |= mine & (cells.raw == last)
        words.append(f"{int(cohort)}: {last}")
    if not words:
        raise DesignError(
            "No cohort is observed before adoption.", repair="An event study needs a period before it."
        )
    return (
        rows,
        (
            "Reference: each cohort's last observed period before adoption (event time by "
            f"cohort {', '.join(words)})"
        ),
    )


def _elsewhere(design: Design, cells: _Cells, left_out: Bools, e: int) -> str:
    """Say which cohorts have another reference, for the row of a reference period."""
    mine = np.unique(design.cohorts[left_out & (cells.time == e)])
    others = np.unique(design.cohorts[left_out & (cells.time != e)])
    apart = [int(c) for c in others if c not in mine]
    return f" (another event time for {_cohorts(apart)})" if apart else ""


def _name(e: int, window: tuple[int | None, int | None], binned: bool, design: Design) -> str:
    inside = design.in_window[design.unit_codes]
    event = design.event_time[inside]
    if binned and window[0] is not None and e == -window[0] and (event < e).any():
        return f"e<={e}"
    if binned and window[1] is not None and e == window[1] and (event > e).any():
        return f"e>={e}"
    return f"e={e}"


def _cohorts(found: list[int]) -> str:
    return f"{'cohort' if len(found) == 1 else 'cohorts'} {list_some(found)}"
