r"""Two-way fixed effects with leads and lags of adoption."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from clsimpact._procedures import base_kind, finished, quick_kind
from clsimpact._room import require_room
from clsimpact.design import Design
from clsimpact.errors import DesignError, list_some
from clsimpact.estimators._compress import Layout, layout_of
from clsimpact.estimators._options import require_design, require_whole
from clsimpact.estimators._within import build, regress_table
from clsimpact.inference.methods import Method
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
    inference: str | Method = "auto",
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
    inference, level
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
    0  e=-4    0.0035     0.0228      131
    1  e=-3    0.0246     0.0177      171
    2  e=-2    0.0234     0.0134      171
    3  e=-1    0.0000        NaN      191
    4   e=0   -0.0181     0.0110      191
    5   e=1   -0.0435     0.0176       60
    6   e=2   -0.1318     0.0293       20
    7   e=3   -0.0922     0.0328       20
    """
    require_design(design, "event_study")
    kind = base_kind(inference, "CR1")
    require_whole("leads", leads, least=1)
    require_whole("lags", lags, least=0)
    window = (leads, lags)
    if not bin_ends and window != (None, None):
        design = _inside(design, window)
    cells = _cells(layout_of(design), window)
    left_out, note = _reference(design, cells, reference)
    times = np.unique(cells.time[cells.there])
    require_room(len(design.cohort_sizes), len(design.periods), cells.there.size, times.size)
    here = cells.there & (cells.time == times[:, None, None])
    kept = here & ~left_out
    estimated = kept.any(axis=(1, 2))
    if not estimated.any():
        raise DesignError(
            "No event time is left to estimate.", repair="Widen leads and lags, or change the reference."
        )
    slots = np.where(estimated, np.cumsum(estimated) - 1, -1)
    position = np.where(kept.any(axis=0), kept.argmax(axis=0), -1)
    names = [_name(int(e), window, bin_ends, cells) for e in times]
    fit = build(
        estimator="event_study",
        design=design,
        regression=regress_table(cells.layout, np.where(position < 0, -1, slots[position])),
        terms=_terms(cells, left_out, names, times, here, kept),
        slots=tuple(int(slot) if slot >= 0 else None for slot in slots),
        middle="Σ_{e ∉ R} β[e]·1[t − cohort[i] = e]",
        covariance=kind,
        level=level,
        notes=(note,),
        row_terms=cells.layout.row_values(position),
    )
    made = _with_overall(fit)
    again = partial(
        event_study,
        reference=reference,
        leads=leads,
        lags=lags,
        bin_ends=bin_ends,
        level=level,
        inference=quick_kind(kind),
    )
    return finished(made, again, inference)


def _terms(
    cells: _Cells, left_out: Bools, names: list[str], times: Ints, here: Bools, kept: Bools
) -> list[Term]:
    """Return a term for each event time; ``here`` and ``kept`` are its cells with and without references."""
    estimated: Bools = np.asarray(kept.any(axis=(1, 2)))
    shown = np.where(estimated[:, None, None], kept, here)
    units, rows = cells.layout.units_of(shown), (shown * cells.layout.rows).sum(axis=(1, 2))
    reasons = [
        "" if own else f"{REFERENCE}{_elsewhere(cells, left_out, int(e))}"
        for e, own in zip(times, estimated, strict=True)
    ]
    found = zip(names, times.tolist(), units.tolist(), rows.tolist(), reasons, strict=True)
    return [Term(name, e, None, u, n, why) for name, e, u, n, why in found]


def _with_overall(fit: Estimate) -> Estimate:
    """Say in the overall effect where no effect after adoption is identified."""
    found = zip(fit.terms, fit.identified, strict=True)
    if any(ok and term.event_time is not None and term.event_time >= 0 for term, ok in found):
        return fit
    nan = np.full((1, 1), np.nan)
    term = Term(
        "average after adoption", None, None, None, None, "no event time after adoption is identified"
    )
    total = replace(
        fit,
        terms=(term,),
        estimates=nan[0],
        identified=np.array([False]),
        vcov=replace(fit.vcov, matrix=nan, df=nan[0]),
        slots=(None,),
        row_terms=None,
    )
    return replace(fit, total=total)


@dataclass(frozen=True)
class _Cells:
    """Event time of each cohort code and period (C + 1, T), before and after binning.

    ``there`` is true where the sample has rows of a cohort that adopts by the last period.
    """

    layout: Layout
    there: Bools
    raw: Ints
    time: Ints

    def cohorts(self, rows: Bools) -> list[int]:
        """Return the cohorts with a cell among ``rows``."""
        return [int(c) for c in self.layout.levels[rows[1:].any(axis=1)]]


def _inside(design: Design, window: tuple[int | None, int | None]) -> Design:
    event = design.event_time
    early = np.zeros(design.n_obs, bool) if window[0] is None else event < -window[0]
    late = np.zeros(design.n_obs, bool) if window[1] is None else event > window[1]
    out = design.in_window[design.unit_codes] & (early | late)
    return design.restrict(~out, reason="outside the event window") if out.any() else design


def _cells(layout: Layout, window: tuple[int | None, int | None]) -> _Cells:
    there = layout.rows > 0
    there[0] = False
    raw = np.vstack([np.zeros((1, there.shape[1]), dtype=np.int64), layout.event])
    low = int(raw[there].min()) if window[0] is None else -window[0]
    high = int(raw[there].max()) if window[1] is None else window[1]
    return _Cells(layout, there, raw, np.clip(raw, low, high))


def _reference(design: Design, cells: _Cells, reference: Reference) -> tuple[Bools, str]:
    """Return the cells left out, and the sentence that says so."""
    usual = -1 - design.anticipation
    before = cells.there & (cells.raw <= usual)
    if reference is None:
        cohorts, there = cells.cohorts(before), cells.cohorts(before & (cells.raw == usual))
        if cohorts == there and cohorts:
            reference = usual
        else:
            rows, words = _last_observed(cells, before)
            missing = _cohorts([c for c in cohorts if c not in there])
            return rows, f"{words} (event time {usual} is not observed for {missing})"
    if reference == "last_observed":
        return _last_observed(cells, before)
    wanted = reference if isinstance(reference, tuple) else (reference,)
    observed = [int(e) for e in np.unique(cells.time[cells.there])]
    absent = [e for e in wanted if e not in observed]
    if absent or not wanted:
        raise DesignError(
            "The reference is not an observed event time.",
            [f"reference {e!r}" for e in absent],
            repair=f"Observed: {list_some(observed, 30)}. Or use reference='last_observed'.",
        )
    rows = cells.there & np.isin(cells.time, np.array(wanted, dtype=np.int64))
    return rows, f"Reference: event time {' and '.join(str(e) for e in wanted)}"


def _last_observed(cells: _Cells, before: Bools) -> tuple[Bools, str]:
    has: Bools = np.asarray(before.any(axis=1))
    if not has.any():
        raise DesignError(
            "No cohort is observed before adoption.", repair="An event study needs a period before it."
        )
    last = np.where(before, cells.raw, cells.raw.min()).max(axis=1)
    rows = before & (cells.raw == last[:, None])
    words = [f"{int(c)}: {int(e)}" for c, e in zip(cells.layout.levels[has[1:]], last[has], strict=True)]
    return (
        rows,
        (
            "Reference: each cohort's last observed period before adoption (event time by "
            f"cohort {', '.join(words)})"
        ),
    )


def _elsewhere(cells: _Cells, left_out: Bools, e: int) -> str:
    """Say which cohorts have another reference, for the row of a reference period."""
    mine = cells.cohorts(left_out & (cells.time == e))
    apart = [c for c in cells.cohorts(left_out & (cells.time != e)) if c not in mine]
    return f" (another event time for {_cohorts(apart)})" if apart else ""


def _name(e: int, window: tuple[int | None, int | None], binned: bool, cells: _Cells) -> str:
    event = cells.raw[cells.there]
    if binned and window[0] is not None and e == -window[0] and (event < e).any():
        return f"e<={e}"
    if binned and window[1] is not None and e == window[1] and (event > e).any():
        return f"e>={e}"
    return f"e={e}"


def _cohorts(found: list[int]) -> str:
    return f"{'cohort' if len(found) == 1 else 'cohorts'} {list_some(found)}"
