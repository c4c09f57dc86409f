r"""Two-stage difference in differences: effects removed on untreated rows, then a regression."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from clsimpact import _explain
from clsimpact._check import unit_word
from clsimpact._procedures import base_kind, finished, quick_kind
from clsimpact.design import Design
from clsimpact.estimators._cells import Effects, Plan, plan_of
from clsimpact.estimators._left_out import averages_without, cells_without
from clsimpact.estimators._options import require_design
from clsimpact.estimators._untreated import (
    Parts,
    checked_window,
    first_stage,
    parts_of,
    sample_rows,
    with_reasons,
)
from clsimpact.estimators._working import adjusted_effects
from clsimpact.inference.influence import Influence
from clsimpact.inference.methods import Method
from clsimpact.results import Estimate

__all__ = ["two_stage"]

Floats = NDArray[np.float64]


def two_stage(
    design: Design,
    *,
    leads: int | None = None,
    lags: int | None = None,
    inference: str | Method = "auto",
    level: float = 0.95,
) -> Estimate:
    r"""Estimate effects of adoption in two stages.

    Effects of units and periods (and slopes of covariates) are fitted on untreated rows; what they leave of
    the outcome, of treated and untreated rows alike, is regressed on indicators of event time:

    .. math:: y_{it} - \hat\alpha_i - \hat\lambda_t - x_{it}'\hat b
              = \sum_{e \ne -1} \theta_e 1[t - \text{cohort}_i = e] + u_{it}.

    So :math:`\hat\theta_e` is the mean of these residuals at event time e, and ``overall`` their mean over
    treated rows from adoption on. From adoption on the estimates are those of `imputation`, under the same
    assumptions: parallel trends of the untreated outcome (given covariates) and no effect before
    ``cohort - anticipation``.

    **Leads** are means of residuals of a regression that was fitted to those very rows: shrunk, and not
    comparable with the effects after adoption or with leads of other estimators. On the county panel of the
    example they are a third (at -2) and seven times (at -4) those of `imputation`, with errors less than half
    as large. Use `imputation` to look at trends. Event time ``-1 - anticipation`` is left out of the
    regression.

    **Variance.** ``"CR0"``: the two stages are one moment estimator, with

    .. math:: \psi_i = (X_2'X_2)^{-1}\Big(\sum_t x_{2,it}\hat u_{it}
              - \Gamma'(X_{10}'X_{10})^{-1}\sum_t x_{10,it}\hat\varepsilon_{it}\Big), \qquad
              \Gamma = X_1'X_2,

    summed by cluster, without a finite-sample factor, as R did2s. :math:`X_1` are the regressors of the first
    stage, :math:`X_{10}` the same with treated rows zero, :math:`X_2` those of the second. Averages by cohort
    or calendar period are coefficients of the second stage on those cells, likewise.

    Parameters
    ----------
    design
        Who is compared with whom.
    leads, lags
        Event times shown, from ``-leads`` to ``lags``; None for all.
    inference
        ``"auto"``, a method, or the name of one: see `Estimate.with_inference`. Covariances:
        ``"CR0"`` (usual; above), ``"CR1"`` (times G/(G-1)), ``"CR2"`` with Satterthwaite degrees of freedom
        (as for `imputation`: the estimates have the same weights), ``"CR3"`` or ``"jackknife"`` (every
        cluster left out of both stages in turn, in closed form).
    level
        Confidence level of the intervals.

    Returns
    -------
    Estimate
        Terms ``"e=-2"``, ``"e=0"`` and so on in units of the outcome, the reference at zero, then a term per
        covariate (its slope among untreated rows). Rows that untreated rows do not determine are left out, as
        in `imputation`, and the reason names them.

    Raises
    ------
    DesignError
        Effects other than those of units, an unknown covariance, or a window that is not whole numbers.

    References
    ----------
    Gardner (2022), arXiv 2207.05943, doi 10.48550/arXiv.2207.05943.

    Examples
    --------
    >>> from clsimpact.datasets import load_mpdta
    >>> design = Design(load_mpdta(), outcome="lemp", unit="county", time="year", cohort="first_treat")
    >>> fit = two_stage(design)
    >>> fit.tidy()[["term", "estimate", "std_error"]].round(4)
       term  estimate  std_error
    0  e=-4   -0.0098     0.0090
    1  e=-3    0.0095     0.0064
    2  e=-2    0.0076     0.0060
    3  e=-1    0.0000        NaN
    4   e=0   -0.0311     0.0137
    5   e=1   -0.0522     0.0192
    6   e=2   -0.1361     0.0360
    7   e=3   -0.1047     0.0344
    >>> fit.overall[["term", "estimate", "std_error"]].round(6)
      term  estimate  std_error
    0  ATT  -0.04771   0.013355
    """
    require_design(design, "two_stage")
    kind = base_kind(inference, "CR0")
    checked_window(leads, lags)
    stage = first_stage(design, "two_stage")
    events = stage.grid.periods[None, :] - stage.cohorts[:, None]
    parts = parts_of(stage, stage.grid.seen & design.in_window[:, None], events == -1 - design.anticipation)
    effects = Effects(
        estimator="two_stage",
        design=design,
        cells=parts.cells,
        estimates=np.concatenate([parts.means, stage.slopes]),
        averaged=_SecondStage(parts),
        covariance=kind,
        level=level,
        equation=_explain.equation(design, "Σ_{e ∉ R} θ[e]·1[t − cohort[i] = e]"),
        notes=_notes(design),
        covariates=design.covariates,
        sampler=lambda plan: sample_rows(parts, plan),
        behind=parts.behind,
    )

    def aggregate(
        kind: str, *, balance: int | None = None, leads: int | None = None, lags: int | None = None
    ) -> Estimate:
        plan = plan_of(parts.cells, kind, balance=balance, leads=leads, lags=lags)
        return replace(effects.estimate(with_reasons(parts, plan)), aggregator=aggregate)

    made = replace(aggregate("dynamic", leads=leads, lags=lags), total=aggregate("simple"))
    again = partial(two_stage, leads=leads, lags=lags, level=level, inference=quick_kind(kind))
    return finished(made, again, inference)


def _notes(design: Design) -> tuple[str, str]:
    word = unit_word(design)
    return (
        f"Comparison: {word}s never or not yet treated; effects of {word}s and periods from untreated rows "
        "only (first stage), residuals regressed on event time (second stage)",
        f"Leads: means of first-stage residuals, reference event time {-1 - design.anticipation}; shrunk "
        "towards zero, not comparable with effects after adoption or with leads of other estimators",
    )


@dataclass(frozen=True)
class _SecondStage:
    """Uncertainty of averages of cells: called by `Effects` with a plan and its weights."""

    parts: Parts

    def __call__(self, plan: Plan, weights: Floats) -> Influence:
        stage, parts = self.parts.stage, self.parts
        m, p = len(parts.means), len(plan.terms)
        numbers = np.nan_to_num(np.concatenate([parts.means, stage.slopes])) @ weights
        shares = parts.shares(weights[:m, :p])
        second = parts.spread(self.weighted, shares) - parts.spread(parts.own, shares) * numbers[:p]
        slopes = stage.slope_psi @ weights[m:, p + 1 :] if stage.slopes.size else np.zeros((len(second), 0))
        psi = np.column_stack([second, second @ plan.total, np.zeros_like(slopes)])
        psi += parts.first_psi(weights[:m])
        psi[:, p + 1 :] += slopes

        def left_out() -> Floats:
            means, mass, slopes = self.without
            return np.hstack([averages_without(plan, parts.cells.identified, means, mass), slopes])

        return Influence(
            estimates=numbers,
            psi=psi,
            clusters=stage.design.unit_clusters,
            counts=stage.counts,
            adjusted=lambda: adjusted_effects(parts, weights[:m], weights[m:]),
            left_out=left_out,
        )

    @cached_property
    def weighted(self) -> Floats:
        """Weighted residuals of the rows that count (N, T)."""
        return np.asarray(self.parts.own * self.parts.stage.net)

    @cached_property
    def without(self) -> tuple[Floats, Floats, Floats]:
        return cells_without(self.parts)
