r"""The interaction-weighted event study of Sun and Abraham."""

from __future__ import annotations

from functools import partial

import numpy as np

from clsimpact import _explain
from clsimpact._check import unit_word
from clsimpact._procedures import base_kind, finished, quick_kind
from clsimpact.design import Design
from clsimpact.errors import DesignError
from clsimpact.estimators._compress import layout_of
from clsimpact.estimators._options import require_design
from clsimpact.estimators._within_effects import Interaction, base_cells, numbered, with_a_before
from clsimpact.estimators._within_grid import regress_cells
from clsimpact.inference.methods import Method
from clsimpact.results import Estimate

__all__ = ["sun_abraham"]


def sun_abraham(design: Design, *, inference: str | Method = "auto", level: float = 0.95) -> Estimate:
    r"""Estimate the path around adoption, free of contamination between cohorts.

    .. math:: y_{it} = \alpha_i + \lambda_t + \sum_g \sum_{e \ne -1} \delta_{ge} 1[\text{cohort}_i = g]
              1[t - g = e] + x_{it}'b + \varepsilon_{it}, \qquad
              \theta_e = \sum_g \frac{m_{ge}}{\sum_h m_{he}} \delta_{ge},

    with controls that never adopt (or adopt after the panel) and :math:`m_{ge}` the rows (weights) of cohort
    g at event time e. Each :math:`\delta_{ge}` is the mean effect on cohort g at event time e under parallel
    trends with the controls and no anticipation; unlike in `event_study`, effects of other cohorts and event
    times do not enter :math:`\theta_e`.

    The reference of a cohort is ``-1 - anticipation``, or its last observed earlier period where it is not
    observed then. Without units that never adopt the last cohort is the comparison, and the periods from its
    treatment on leave the sample. Cohorts without a row before adoption leave the sample. Covariates are
    plain regressors, as in the paper; a constant one is absorbed by the unit effects (`extended_twfe` and
    `group_time` take those).

    Parameters
    ----------
    design
        Who is compared with whom.
    inference
        ``"auto"``, a method, or the name of one: see `Estimate.with_inference`. Covariances:
        ``"CR1"`` (usual; reproduces fixest ``sunab``) or another kind of `twfe`. The shares
        :math:`m_{ge}` count as fixed.
    level
        Confidence level of the intervals.

    Returns
    -------
    Estimate
        Terms ``"e=-2"``, ``"e=0"`` and so on in units of the outcome, the reference at zero, then a term per
        covariate. ``overall`` is the mean over treated rows from adoption on (fixest: ``agg="att"``);
        ``aggregate`` gives other averages, all from the one regression.

    Raises
    ------
    DesignError
        Effects of another column than the unit, nobody to compare with, or no cohort seen before adoption.

    References
    ----------
    Sun and Abraham (2021), Journal of Econometrics 225, doi 10.1016/j.jeconom.2020.09.006.

    Examples
    --------
    >>> from clsimpact.datasets import load_mpdta
    >>> design = Design(load_mpdta(), outcome="lemp", unit="county", time="year", cohort="first_treat")
    >>> fit = sun_abraham(design)
    >>> fit.tidy()[["term", "estimate", "std_error", "n_units"]].round(4)
       term  estimate  std_error  n_units
    0  e=-4    0.0033     0.0245      131
    1  e=-3    0.0250     0.0182      171
    2  e=-2    0.0245     0.0143      171
    3  e=-1    0.0000        NaN      191
    4   e=0   -0.0199     0.0119      191
    5   e=1   -0.0510     0.0171       60
    6   e=2   -0.1373     0.0371       20
    7   e=3   -0.1008     0.0350       20
    >>> fit.overall[["estimate", "std_error"]].round(6)
       estimate  std_error
    0 -0.039951   0.011845
    """
    require_design(design, "sun_abraham")
    kind = base_kind(inference, "CR1")
    if design.effects != "unit":
        raise DesignError(
            f"sun_abraham needs unit effects; the design has effects of {design.effects!r}.",
            repair="Leave out effects=, or use twfe or event_study, which take them.",
        )
    design, note = _compared(design)
    design, gone = with_a_before(design)
    layout = layout_of(design)
    base, reference = base_cells(layout)
    there = layout.rows > 0
    there[0] = False
    table = numbered(there & ~base)
    width = int(table.max()) + 1
    fit = Interaction(
        estimator="sun_abraham",
        equation=_explain.equation(design, "Σ_{g, e ≠ reference} δ[g,e]·1[cohort[i] = g]·1[t − g = e]"),
        layout=layout,
        table=table,
        base=base,
        regression=regress_cells(layout, table),
        gone=gone,
        covariates=tuple((name, width + j) for j, name in enumerate(design.covariates)),
        not_yet=False,
        notes=(note, reference),
    )
    made = fit.result(kind, level, "dynamic")
    again = partial(sun_abraham, level=level, inference=quick_kind(kind))
    return finished(made, again, inference)


def _compared(design: Design) -> tuple[Design, str]:
    """Return the design with a comparison group, and the sentence that names it."""
    word = unit_word(design)
    if not design.in_window.all():
        return design, f"Comparison: {word}s that never adopt, or adopt after {design.periods[-1]}"
    cohorts = list(design.cohort_sizes)
    last = cohorts[-1] - design.anticipation
    if len(cohorts) == 1:
        raise DesignError(
            f"Every {word} adopts in {cohorts[0]}: there is nobody to compare with.",
            repair=f"Add {word}s that never adopt or adopt later.",
        )
    keep = np.asarray(design.times < last)
    if not (design.treated & keep).any():
        raise DesignError(
            f"Before {last}, when the last cohort adopts, no {word} is observed under treatment.",
            repair=f"Add {word}s that never adopt, or periods between {cohorts[0]} and {last}.",
        )
    design = design.restrict(keep, reason=f"from {last} on every {word} is treated")
    return design, f"Comparison: the last cohort, {cohorts[-1]}, before {last}"
