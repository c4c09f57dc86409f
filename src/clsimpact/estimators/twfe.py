r"""Two-way fixed effects with one average effect of adoption."""

from __future__ import annotations

from functools import partial

import numpy as np

from clsimpact._procedures import base_kind, finished, quick_kind
from clsimpact.design import Design
from clsimpact.estimators._compress import layout_of
from clsimpact.estimators._options import require_design
from clsimpact.estimators._within import build, regress_table
from clsimpact.inference.methods import Method
from clsimpact.results import Estimate, Term

__all__ = ["twfe"]


def twfe(design: Design, *, inference: str | Method = "auto", level: float = 0.95) -> Estimate:
    r"""Estimate one average effect of adoption by two-way fixed effects.

    .. math:: y_{it} = \alpha_i + \lambda_t + \tau D_{it} + x_{it}'b + \varepsilon_{it},
              \qquad D_{it} = 1[t \ge \text{cohort}_i - \text{anticipation}].

    With ``Design(effects="region")`` (or any column constant within unit) the equation is

    .. math:: y_{it} = \rho_{r(i)} + \kappa_{c(i)} + \lambda_t + \tau D_{it} + x_{it}'b + \varepsilon_{it},

    with an effect of each region and an indicator :math:`\kappa_c` of each adopter cohort (never treated =
    0), so that the comparison stays a difference in differences and not one of levels.

    Under parallel trends and no anticipation :math:`\tau` is a weighted mean of the effects by cohort and
    period. The weights can be negative when adoption is staggered and effects differ (Goodman-Bacon 2021,
    doi 10.1016/j.jeconom.2021.03.014): compare a staggered-robust estimator before quoting it.

    Parameters
    ----------
    design
        Who is compared with whom.
    inference
        ``"auto"``, a method, or the name of one: see `Estimate.with_inference`. Covariances:
        ``"CR1"`` (usual; clustered, the convention of fixest and reghdfe), ``"CR0"``, ``"CR2"``
        (Satterthwaite degrees of freedom: prefer it below about 25 treated clusters), ``"CR3"``, ``"HC1"``
        or ``"iid"``; see `clsimpact.inference.sandwich`.
    level
        Confidence level of the intervals.

    Returns
    -------
    Estimate
        Term ``"treated"`` in units of the outcome, then a term per covariate.

    Raises
    ------
    DesignError
        Unknown covariance, one cluster only, level outside (0, 1), or too few rows.

    Examples
    --------
    >>> from clsimpact.datasets import load_mpdta
    >>> design = Design(load_mpdta(), outcome="lemp", unit="county", time="year", cohort="first_treat")
    >>> fit = twfe(design)
    >>> fit.tidy()[["term", "estimate", "std_error"]].round(6)
          term  estimate  std_error
    0  treated -0.036549    0.01327
    """
    require_design(design, "twfe")
    kind = base_kind(inference, "CR1")
    layout = layout_of(design)
    treated = layout.event >= -design.anticipation
    table = np.vstack([np.full((1, treated.shape[1]), -1), np.where(treated, 0, -1)])
    units = int(layout.units_of(table[None] == 0)[0])
    terms = [Term("treated", None, None, units, int(layout.rows[table == 0].sum()))]
    before = f"cohort[i] − {design.anticipation}" if design.anticipation else "cohort[i]"
    made = build(
        estimator="twfe",
        design=design,
        regression=regress_table(layout, table),
        terms=terms,
        slots=(0,),
        middle=f"τ·1[t ≥ {before}]",
        covariance=kind,
        level=level,
        row_terms=np.where(design.treated, 0, -1),
    )
    again = partial(twfe, level=level, inference=quick_kind(kind))
    return finished(made, again, inference)
