r"""Imputation: what would have been is predicted from untreated rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clsimpact import _explain
from clsimpact._check import period_words, unit_word
from clsimpact._procedures import base_kind, finished, quick_kind
from clsimpact.design import Design
from clsimpact.estimators._cells import Effects, Plan, plan_of
from clsimpact.estimators._imputed import Averaged
from clsimpact.estimators._leads import Leads, leads_of
from clsimpact.estimators._options import require_design
from clsimpact.estimators._untreated import (
    Parts,
    Untreated,
    checked_window,
    first_stage,
    parts_of,
    sample_rows,
    with_reasons,
)
from clsimpact.inference.influence import Uncertainty
from clsimpact.inference.methods import Method
from clsimpact.results import Estimate, Term, checked_level, embedded

__all__ = ["imputation"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


def imputation(
    design: Design,
    *,
    leads: int | None = None,
    lags: int | None = None,
    inference: str | Method = "auto",
    level: float = 0.95,
) -> Estimate:
    r"""Estimate effects of adoption by imputing what would have been without it.

    Effects of units and periods (and slopes of covariates) are fitted on untreated rows only, and

    .. math:: \hat\tau_{it} = y_{it} - \hat\alpha_i - \hat\lambda_t - x_{it}'\hat b

    is averaged over treated rows, each counting by its weight: by event time in ``tidy()``, over all rows
    from adoption on in ``overall``, and otherwise by `Estimate.aggregate`. A row is untreated before
    ``cohort - anticipation``; units that adopt after the panel are untreated throughout.

    Under parallel trends of the untreated outcome (given covariates) and no effect before
    ``cohort - anticipation``, each :math:`\hat\tau_{it}` is unbiased for the effect on that row, however
    effects differ. Covariates must not respond to adoption.

    **Leads.** Terms with event time below ``-anticipation`` are coefficients of a regression on untreated
    rows alone, against event time ``-1 - anticipation`` (where no cohort is observed then, against each
    cohort's last observed period before adoption; the summary says which). They test trends and do not depend
    on what happens after adoption. Without never-treated units they cannot be told from a linear trend and
    come back with ``identified=False``.

    **What is not identified.** A treated row is imputed only if untreated rows determine both its effects: a
    unit without an untreated row, or a period in which nobody is untreated, has none. Cells without an
    imputed row are left out of averages, and the reason names units and years.

    **Variance.** ``"CR0"``, with :math:`v_{it}` the weight of each row in the estimate,

    .. math:: \hat V = \sum_g \Big(\sum_{i \in g}\sum_t v_{it}\tilde\varepsilon_{it}\Big)^2, \qquad
              \tilde\varepsilon_{it} = \hat\tau_{it} - \bar\tau_{g(i)t}, \qquad
              \bar\tau_{gt} = \frac{\sum_{i} v_{it}^2\hat\tau_{it}}{\sum_i v_{it}^2}

    over treated rows of cohort and period, and :math:`\tilde\varepsilon` the residual on untreated rows
    (equations 7 and 8 of the paper): conservative where effects differ within cohort and period. Leads carry
    the factor of their regression, as CR1 of `twfe`, so that both are what R didimputation prints. A cohort
    of one unit adds nothing to it: the terms concerned say so.

    Parameters
    ----------
    design
        Who is compared with whom.
    leads, lags
        Event times shown, from ``-leads`` to ``lags``; None for all. Numbers do not depend on it: every lead
        is estimated, and ``overall`` is over all treated rows.
    inference
        ``"auto"``, a method, or the name of one: see `Estimate.with_inference`. Covariances:
        ``"CR0"`` (usual; above), ``"CR1"`` (times G/(G-1); leads as they are), ``"leave_one_out"`` (the
        mean of a row's cohort and period leaves out its own cluster), ``"CR2"`` with Satterthwaite degrees of
        freedom (prefer it with few treated clusters; residuals and adjustment from the working regression on
        unit and period effects, covariates and an indicator per treated cohort and period, see
        `clsimpact.estimators._working`), ``"CR3"`` or ``"jackknife"`` (every cluster left out of both stages
        in turn, in closed form).
    level
        Confidence level of the intervals.

    Returns
    -------
    Estimate
        Terms ``"e=-2"``, ``"e=0"`` and so on in units of the outcome, the reference at zero, then a term per
        covariate (its slope among untreated rows).

    Raises
    ------
    DesignError
        Effects other than those of units, an unknown covariance, or a window that is not whole numbers.

    References
    ----------
    Borusyak, Jaravel and Spiess (2024), doi 10.1093/restud/rdae007.

    Examples
    --------
    >>> from clsimpact.datasets import load_mpdta
    >>> design = Design(load_mpdta(), outcome="lemp", unit="county", time="year", cohort="first_treat")
    >>> fit = imputation(design)
    >>> fit.tidy()[["term", "estimate", "std_error", "n_units"]].round(4)
       term  estimate  std_error  n_units
    0  e=-4   -0.0014     0.0232      131
    1  e=-3    0.0238     0.0181      171
    2  e=-2    0.0217     0.0137      171
    3  e=-1    0.0000        NaN      191
    4   e=0   -0.0311     0.0137      191
    5   e=1   -0.0522     0.0192       60
    6   e=2   -0.1361     0.0360       20
    7   e=3   -0.1047     0.0344       20
    >>> fit.overall[["term", "estimate", "std_error"]].round(6)
      term  estimate  std_error
    0  ATT  -0.04771   0.013355
    """
    require_design(design, "imputation")
    kind = base_kind(inference, "CR0")
    checked_window(leads, lags)
    stage = first_stage(design, "imputation")
    parts = parts_of(stage, stage.grid.seen & stage.grid.treated)
    middle = "τ[i,t]·1[t ≥ cohort[i]]".replace(
        "cohort[i]", f"cohort[i] − {design.anticipation}" if design.anticipation else "cohort[i]"
    )
    uncertainty = Averaged(parts)
    effects = Effects(
        estimator="imputation",
        design=design,
        cells=parts.cells,
        estimates=np.concatenate([parts.means, stage.slopes]),
        averaged=uncertainty,
        covariance=kind,
        level=level,
        equation=_explain.equation(design, middle),
        notes=(_comparison(design),),
        covariates=design.covariates,
        sampler=lambda plan: sample_rows(parts, plan),
        behind=parts.behind,
    )
    made = _Made(stage, parts, effects, uncertainty).path(leads, lags)
    again = partial(imputation, leads=leads, lags=lags, level=level, inference=quick_kind(kind))
    return finished(made, again, inference)


def _comparison(design: Design) -> str:
    word = unit_word(design)
    since = f" (from {design.anticipation} before adoption)" if design.anticipation else ""
    return (
        f"Comparison: {word}s never or not yet treated; effects of {word}s and periods from untreated rows "
        f"only, treated rows{since} compared with what they predict"
    )


@dataclass(frozen=True)
class _Made:
    """What results are made of."""

    stage: Untreated
    parts: Parts
    effects: Effects
    uncertainty: Averaged

    def aggregate(
        self, kind: str, *, balance: int | None = None, leads: int | None = None, lags: int | None = None
    ) -> Estimate:
        """Return the averages of one kind; with leads where all cohorts are in."""
        plan = plan_of(self.parts.cells, kind, balance=balance, leads=leads, lags=lags)
        found = self.effects.estimate(with_reasons(self.parts, plan, lone=True))
        if kind == "dynamic" and balance is None:
            checked_window(leads, lags)
            return replace(self.path(leads, lags), total=found.total)
        return replace(found, aggregator=self.aggregate)

    @cached_property
    def every_lead(self) -> Leads:
        return leads_of(self.stage)

    def path(self, leads: int | None, lags: int | None) -> Estimate:
        """Leads, then effects by event time; the overall effect is over all treated rows."""
        cells, estimates = self.parts.cells, self.effects.estimates
        plan = with_reasons(self.parts, plan_of(cells, "dynamic", leads=leads, lags=lags), lone=True)
        overall = with_reasons(self.parts, plan_of(cells, "simple"), lone=True)
        before = self.every_lead if leads is None else leads_of(self.stage, leads)
        m, p, k = len(cells.mass), len(plan.terms), len(self.effects.covariates)
        weights = np.zeros((m + k, p + 1 + k))
        weights[:m, : p + 1] = np.column_stack([plan.weights, overall.weights])
        weights[m:, p + 1 :] = np.eye(k)
        known = np.concatenate([cells.identified, np.isfinite(estimates[m:])])
        weights[~known] = 0.0
        uncertainty = self.uncertainty(plan, weights, overall).joined(before)
        after: Bools = np.asarray(weights.any(axis=0))
        numbers = np.where(after, uncertainty.estimates[: p + 1 + k], np.nan)
        shown = [*range(p), *range(p + 1, p + 1 + k)]
        used = before.column >= 0
        early = np.where(used, np.append(before.coefficients, 0.0)[before.column], 0.0)
        sure = used & np.append(before.identified, False)[before.column]
        slots = tuple(p + 1 + k + int(j) if j >= 0 else None for j in before.column)
        whys = ["" if ok else _explain.NO_VARIATION for ok in known[m:]]
        names = zip(self.effects.covariates, whys, strict=True)
        lone = tuple(Term(name, None, None, None, None, why) for name, why in names)
        made = self._made(
            (*before.terms(), *plan.terms, *lone),
            np.concatenate([early, numbers[shown]]),
            np.concatenate([sure, after[shown]]),
            uncertainty,
            (*slots, *shown),
            (*self.effects.notes, *_lead_words(before)),
        )
        alone = uncertainty.combine(np.eye(len(uncertainty.estimates))[:, [p]])
        return replace(
            made,
            row_terms=self._rows(before, plan),
            total=self._made(overall.terms, numbers[[p]], after[[p]], alone, (0,), self.effects.notes),
            aggregator=self.aggregate,
            sampler=lambda: _sample(self.parts, plan, before),
        )

    def _made(
        self,
        terms: tuple[Term, ...],
        estimates: Floats,
        identified: Bools,
        uncertainty: Uncertainty,
        slots: tuple[int | None, ...],
        notes: tuple[str, ...],
    ) -> Estimate:
        held = tuple(s if ok else None for s, ok in zip(slots, identified, strict=True))
        return Estimate(
            estimator=self.effects.estimator,
            design=self.effects.design,
            terms=terms,
            estimates=estimates,
            identified=identified,
            vcov=embedded(uncertainty, held, identified, self.effects.covariance),
            level=checked_level(self.effects.level),
            equation=self.effects.equation,
            notes=notes,
            uncertainty=uncertainty,
            slots=held,
        )

    def _rows(self, before: Leads, plan: Plan) -> Ints:
        """Position of the term of each row: leads come first."""
        design, parts = self.effects.design, self.parts
        cohort = np.full(len(design.units), len(self.stage.cohorts), dtype=np.int64)
        for h, rows in enumerate(self.stage.members):
            cohort[rows] = h
        table = np.full((len(self.stage.cohorts) + 1, len(design.periods)), -1, dtype=np.int64)
        shown = (before.at >= 0) & ~(before.left_out & (np.append(before.column, -1)[before.at] >= 0))
        table[:-1] = np.where(shown, before.at, -1)
        for j in range(len(plan.members)):
            used = plan.used(j)
            table[parts.cohort_at[used], parts.period_at[used]] = before.events.size + j
        at = cohort * len(design.periods)
        rows = table.ravel()[at[design.unit_codes] + design.time_codes]
        lost = (rows >= before.events.size) & (parts.own[design.unit_codes, design.time_codes] == 0)
        return np.where(lost, -1, rows)


def _lead_words(before: Leads) -> tuple[str, ...]:
    if before.events.size == 0:
        return ()
    return (
        f"Leads: least squares on untreated rows, {before.note}; errors with the factor "
        f"{before.factor:.4f} of that regression (CR1)",
    )


def _sample(parts: Parts, plan: Plan, before: Leads) -> pd.DataFrame:
    """Return `Estimate.sample` of a path."""
    stage, after = parts.stage, sample_rows(parts, plan)
    rows = []
    for q, term in enumerate(before.terms()):
        here = (before.at == q) & ~before.left_out if before.column[q] >= 0 else before.at == q
        used = np.flatnonzero(here.any(axis=0) | before.left_out.any(axis=0))
        there: Bools = np.asarray((stage.effects.mass[:, used] > 0).any(axis=1))
        for members, own in zip(stage.members, here, strict=True):
            there[members] &= not own.any()
        text = f"untreated rows of {period_words(stage.design)}"
        rows.append((term.name, term.n_units, int(there.sum()), text, ""))
    first = pd.DataFrame(rows, columns=after.columns).astype(after.dtypes.to_dict())
    return pd.concat([first, after], ignore_index=True) if rows else after
