"""Estimate the specifications of one cell: a sample, its controls, dates and covariates.

A cell has one design per outcome and one fit per estimator. Outcomes that are observed in the same rows enter
an estimator with the same weights (`clsimpact._forms`), so that these are looked for once: errors and the
re-assignments of the permutation test follow for every outcome by products of arrays.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from clsimpact import _auto
from clsimpact._forms import Forms
from clsimpact._procedures import ONE_ADOPTER
from clsimpact.design import Design
from clsimpact.diagnostics._specification_inputs import Estimator, Request
from clsimpact.errors import ClsimpactError, ClsimpactWarning
from clsimpact.inference.blocks import Block
from clsimpact.inference.linear import LinearForm, moments_of
from clsimpact.results import Estimate

__all__ = ["Cell", "Fitted", "Piece", "cells", "fit_block"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Cell = tuple[str, str, str, str]
"""Labels of sample, controls, dates and covariates."""

NATIVE = {
    "twfe": "all", "event_study": "all", "imputation": "not_yet", "two_stage": "not_yet", "did_m": "not_yet",
    "sun_abraham": "never", "synthetic_did": "never",
}  # fmt: skip
"""What estimators without an option for it compare with."""

USUAL = {"group_time": "CR0", "imputation": "CR0", "two_stage": "CR0", "did_m": "cohort", "stacked": "CR3"}
"""Usual errors of estimators that are no plain regression (others: CR1)."""

WORDS = {
    "all": "with everybody, units that adopted before included",
    "never": "with units that do not adopt",
    "not_yet": "with units not yet treated",
}


@dataclass(frozen=True, eq=False)
class Piece:
    """How outcomes enter one overall effect, on the units and periods of the whole request.

    Attributes
    ----------
    form : LinearForm
        Weights (K, T, 1) and basis of the working regression (K, T, q), by type.
    types : integer array (N)
        Type of each unit, -1 for units that the specification does not use.
    """

    form: LinearForm
    types: Ints


@dataclass(frozen=True, eq=False)
class Fitted:
    """One specification: its labels and numbers, and its piece (-1: ``obstacle`` says why there is none)."""

    labels: tuple[str, ...]
    numbers: dict[str, Any]
    piece: int = -1
    obstacle: str = ""


@dataclass(frozen=True, eq=False)
class Found:
    """What came out of one cell."""

    rows: list[Fitted] = field(default_factory=list)
    pieces: list[Piece] = field(default_factory=list)


def cells(request: Request) -> list[Cell]:
    """Cells of all specifications, in order."""
    own = request.options()
    return [
        (s, c, d, x)
        for s in own["sample"] for c in own["controls"] for d in own["dates"] for x in own["covariates"]
    ]  # fmt: skip


def fit_block(request: Request, block: Block) -> list[Found]:
    """Estimate a block of cells."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ClsimpactWarning)
        return [_fit_cell(request, cell) for cell in cells(request)[block.start : block.stop]]


def rows_of(request: Request, cell: Cell) -> NDArray[np.bool_]:
    """Rows of a cell (n): of its frame and sample, without the controls that its rule leaves out."""
    sample, rule, dates, _ = cell
    union = request.union
    keep = union.present[dates] & request.samples[sample]
    cohorts, kept = union.cohorts[dates], request.controls[rule]
    last = union.times[keep].max(initial=0)
    adopts = np.isfinite(cohorts) & (cohorts - request.anticipation <= last)
    if isinstance(kept, str):
        return np.asarray(keep & (adopts | ~np.isfinite(cohorts))) if kept == "never" else keep
    return np.asarray(keep & (adopts | kept))


def _fit_cell(request: Request, cell: Cell) -> Found:
    found = Found()
    groups: dict[tuple[bytes, ...], dict[str, Design]] = {}
    for outcome in request.outcomes:
        try:
            design = _design(request, cell, outcome)
        except ClsimpactError as error:
            found.rows.extend(_lost(request, cell, outcome, error, None))
            continue
        labels = np.array(design.units, dtype=object)[design.unit_codes]
        key = (repr(labels.tolist()).encode(), design.times.tobytes(), design.cohorts.tobytes())
        groups.setdefault(key, {})[outcome] = design
    for designs in groups.values():
        for estimator in request.estimators:
            _fit_group(request, cell, designs, estimator, found)
    return found


def _design(request: Request, cell: Cell, outcome: str) -> Design:
    union, column = request.union, request.union.columns[cell[2]]
    keep = rows_of(request, cell)
    data = union.frame[keep].assign(**{column: union.cohorts[cell[2]][keep]})
    data.attrs = union.frame.attrs
    return Design(
        data,
        outcome=request.outcomes[outcome],
        unit=union.unit,
        time=union.time,
        cohort=column,
        weights=request.weights,
        covariates=request.covariates[cell[3]],
        cluster=request.cluster,
        anticipation=request.anticipation,
    )


def _fit_group(
    request: Request, cell: Cell, designs: Mapping[str, Design], estimator: str, found: Found
) -> None:
    """Estimate the outcomes that are observed in the same rows by one estimator."""
    first: _Overall | None = None
    for outcome, design in designs.items():
        try:
            if first is None:
                fit = _fitted(request.estimators[estimator], design, request.controls[cell[1]])
                first = own = _Overall(fit)
            else:
                own = _Overall(_asked(first.fit, design, request, cell, estimator), first)
            own.require()
        except ClsimpactError as error:
            found.rows.extend(_lost(request, cell, outcome, error, design, (estimator,)))
            continue
        piece = -1
        if not own.obstacle:
            piece = len(found.pieces)
            found.pieces.append(_piece(request, own))
        for kind in request.inference:
            labels = _labels(outcome, cell, estimator, kind)
            numbers = _counts(own.fit.design) | _numbers(request, own, kind)
            found.rows.append(Fitted(labels, numbers, piece, own.obstacle))


def _labels(outcome: str, cell: Cell, estimator: str, kind: str) -> tuple[str, ...]:
    sample, controls, dates, covariates = cell
    return outcome, sample, controls, dates, estimator, covariates, kind


def _lost(
    request: Request,
    cell: Cell,
    outcome: str,
    error: ClsimpactError,
    design: Design | None,
    estimators: tuple[str, ...] | None = None,
) -> Iterator[Fitted]:
    """Keep specifications that cannot be estimated, with the reason."""
    reason = " ".join([error.summary, "; ".join(error.problems[:3])]).strip()
    numbers = {"identified": False, "reason": reason} | ({} if design is None else _counts(design))
    for estimator in request.estimators if estimators is None else estimators:
        for kind in request.inference:
            yield Fitted(_labels(outcome, cell, estimator, kind), dict(numbers), obstacle="no estimate")


def _fitted(maker: Estimator, design: Design, rule: object) -> Estimate:
    """Call an estimator for its numbers, with the controls that the rule names."""
    name = getattr(getattr(maker, "func", maker), "__name__", "")
    more: dict[str, Any] = {}
    if isinstance(rule, str) and rule != "all":
        if "control" in inspect.signature(maker).parameters:
            more["control"] = rule
        elif (own := NATIVE.get(name, "")) != rule:
            says = f"compares {WORDS[own]}" if own else "has no option 'control'"
            raise ClsimpactError(
                f"{name or 'the estimator'} {says}: controls={rule!r} is no choice of it.",
                repair="Use a comparison that the estimator has, or leave it out.",
            )
    kind = "path" if name == "synthetic_did" else "CR0"
    return maker(design, inference=kind, **more)


def _asked(fit: Estimate, design: Design, request: Request, cell: Cell, estimator: str) -> Estimate:
    if fit.again is not None:
        return fit.again(design)
    return _fitted(request.estimators[estimator], design, request.controls[cell[1]])


def _counts(design: Design) -> dict[str, int]:
    return {"n_treated": design.n_treated, "n_units": len(design.units), "n_obs": design.n_obs}


@dataclass(frozen=True, eq=False)
class _Overall:
    """The overall effect of a fit; what is alike for outcomes in the same rows is that of the first."""

    fit: Estimate
    first: _Overall | None = None

    @cached_property
    def row(self) -> Any:
        return self.fit.overall.iloc[0]

    def require(self) -> None:
        """Raise where there is no overall effect."""
        if not bool(self.row["identified"]):
            raise ClsimpactError(
                f"not identified: {self.row['reason'] or 'no number'}.",
                repair="Leave this combination out, or read its row as not identified.",
            )

    @cached_property
    def forms(self) -> Forms:
        return Forms(self.fit) if self.first is None else self.first.forms

    @cached_property
    def obstacle(self) -> str:
        return self.forms.obstacle

    @cached_property
    def form(self) -> LinearForm:
        """Form of the overall effect alone."""
        if self.first is not None:
            return self.first.form
        return self.forms.by_type.combine(_contrast(self.fit)[:, None])

    @cached_property
    def choice(self) -> tuple[str, str]:
        """What ``inference="auto"`` would choose, and why."""
        return _auto.choose(self.fit, self.forms) if self.first is None else self.first.choice

    @cached_property
    def error(self) -> float:
        """Standard error around one path of effects."""
        laid = Forms(self.fit).outcomes
        moments = moments_of(laid, self.forms.types[None], self.form.sizes.size)
        return float(self.form.statistics(moments)[1][0, 0])


def _contrast(fit: Estimate) -> Floats:
    """Weights of the terms, and of the total where there is one, in the overall effect."""
    if fit.total is not None:
        return np.append(np.zeros(len(fit.terms)), 1.0)
    after = np.array([t.event_time is not None and t.event_time >= 0 for t in fit.terms]) & fit.identified
    if any(term.event_time is not None for term in fit.terms):
        return np.asarray(after / after.sum())
    return np.asarray(np.eye(len(fit.terms))[0])


def _piece(request: Request, own: _Overall) -> Piece:
    """Put a form onto all units and periods of the request."""
    union, design, form = request.union, own.fit.design, own.form
    at = np.searchsorted(union.periods, design.periods)
    weights = np.zeros((form.sizes.size, len(union.periods), 1))
    basis = np.zeros((form.sizes.size, len(union.periods), form.basis.shape[2]))
    weights[:, at], basis[:, at] = form.weights, form.basis
    place = {label: i for i, label in enumerate(union.units)}
    types = np.full(len(union.units), -1, dtype=np.int64)
    types[[place[label] for label in design.units]] = own.forms.types
    return Piece(LinearForm(weights, basis, form.sizes), types)


def _numbers(request: Request, own: _Overall, kind: str) -> dict[str, Any]:
    """Estimate, interval and p-value of one specification."""
    method = request.inference[kind]
    try:
        if method == "quick":
            return _quick(request, own)
        if method == "path" and not own.obstacle:
            return _path(request, own)
        how: dict[str, Any] = {"level": request.level, "draws": request.draws, "seed": request.seed}
        return _told(own.fit.with_inference(method, **how), own)
    except ClsimpactError as error:
        reason = " ".join([error.summary, "; ".join(error.problems[:3])]).strip()
        return {"identified": False, "reason": reason}


def _quick(request: Request, own: _Overall) -> dict[str, Any]:
    """Follow ``inference="auto"``, with path errors where it would draw."""
    method, why = own.choice
    if method == "none":
        return _bare(own, f"no interval: {why}")
    if method not in ("permutation", "wild", "path"):
        kind = method or _usual(own.fit)
        return _told(own.fit.with_inference(kind, level=request.level), own)
    if own.obstacle:
        return _told(own.fit.with_inference("path", level=request.level), own)
    return _path(request, own)


def _usual(fit: Estimate) -> str:
    """Return the covariance that an estimator has in large panels with many adopters."""
    kind = USUAL.get(fit.estimator, "CR1")
    return kind if fit.uncertainty is not None and kind in fit.uncertainty.kinds else fit.vcov.kind


def _bare(own: _Overall, reason: str) -> dict[str, Any]:
    return {"estimate": float(own.row["estimate"]), "identified": True, "reason": reason, "method": "none"}


def _told(fit: Estimate, own: _Overall) -> dict[str, Any]:
    """Take the numbers from a result."""
    row = fit.overall.iloc[0]
    keys = ("estimate", "std_error", "conf_low", "conf_high", "p_value")
    out: dict[str, Any] = {key: float(row[key]) for key in keys}
    out |= {"identified": bool(row["identified"]), "reason": str(row["reason"]), "method": fit.method}
    return out | {"estimate": float(own.row["estimate"])}


def _path(request: Request, own: _Overall) -> dict[str, Any]:
    """Errors around one path, with the t distribution and Satterthwaite degrees of freedom."""
    if str(own.row["n_units"]) == "1":
        return _bare(own, ONE_ADOPTER)
    estimate, error, df = float(own.row["estimate"]), own.error, float(own.form.df[0])
    if not error > 0:
        return _bare(own, "no interval: the outcome does not vary")
    margin = float(stdtrit(df, 0.5 + request.level / 2)) * error
    return {
        "estimate": estimate,
        "std_error": error,
        "conf_low": estimate - margin,
        "conf_high": estimate + margin,
        "p_value": float(2 * stdtr(df, -abs(estimate / error))),
        "identified": True,
        "reason": "",
        "method": "path",
    }
