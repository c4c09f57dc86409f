"""What follows from the terms of a result: sums and averages of them, their covariance, their sample."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clsimpact import _auto, _procedures
from clsimpact._asked import is_number, weights_of
from clsimpact._check import period_words
from clsimpact._tidy import REFERENCE, Term, checked_level, tidy_frame
from clsimpact.errors import DesignError, did_you_mean, list_some

if TYPE_CHECKING:
    from clsimpact.design import Design
    from clsimpact.inference.influence import Uncertainty
    from clsimpact.inference.methods import Method
    from clsimpact.inference.sandwich import Covariance
    from clsimpact.results import Estimate
    from clsimpact.saved import SavedEstimate

__all__ = [
    "aggregated",
    "average",
    "contrast_df",
    "embedded",
    "labelled_covariance",
    "linear_combination",
    "no_regression",
    "told",
    "whole_sample",
    "with_covariates",
    "with_inference",
]

Floats = NDArray[np.float64]

AGGREGATIONS = ("simple", "group", "calendar", "dynamic")
"""Ways to average effects by cohort and period: see `Estimate.aggregate`."""


def linear_combination(fit: Estimate, weights: Mapping[str, float], label: str) -> pd.DataFrame:
    """Return `Estimate.linear_combination`."""
    c = _contrast(fit, weights)
    used = np.flatnonzero(c)
    variance = float(c[used] @ fit.vcov.matrix[np.ix_(used, used)] @ c[used])
    estimate = float(c[used] @ fit.estimates[used])
    units, rows = _behind(fit, [i for i in used if fit.terms[i].n_units is not None])
    term = Term(label, None, None, units, rows)
    error, df = np.array([np.sqrt(variance)]), np.array([contrast_df(fit, c)])
    frame = tidy_frame((term,), np.array([estimate]), error, df, np.array([True]), fit.level)
    return with_draws(fit, frame, c[:, None])


def average(
    fit: Estimate, *, post: bool, weights: Mapping[int, float] | None, label: str | None
) -> pd.DataFrame:
    """Return `Estimate.average`."""
    times = {i: t.event_time for i, t in enumerate(fit.terms) if t.event_time is not None}
    if len(set(times.values())) < len(times):
        return average(fit.aggregate("dynamic"), post=post, weights=weights, label=label)
    side = {i: e for i, e in times.items() if (e >= 0) == post}
    good = {e: fit.terms[i].name for i, e in side.items() if fit.identified[i]}
    lost = [
        fit.terms[i].name
        for i in side
        if not fit.identified[i] and not fit.terms[i].reason.startswith(REFERENCE)
    ]
    share = dict.fromkeys(good, 1.0) if weights is None else _by_time(weights)
    unknown = [e for e in share if e not in good]
    if unknown or not share or sum(share.values()) == 0:
        bad = [f"event time {e} is not an identified term of that side" for e in unknown]
        raise DesignError(
            "There is nothing to average.", bad, repair=f"Identified: {list_some(sorted(good))}."
        )
    total = sum(share.values())
    name = label or ("average after adoption" if post else "average before adoption")
    row = linear_combination(fit, {good[e]: w / total for e, w in share.items()}, name)
    if lost and weights is None:
        return row.assign(reason=f"without {list_some(lost)} (not identified)")
    return row


def _by_time(weights: Any) -> dict[int, float]:
    """Return weights by event time, or raise."""
    given = weights_of(weights, "weights={0: 0.5, 1: 0.5}, event times before the colon")
    wrong = [time for time in given if not is_number(time) or time != int(time)]  # type: ignore[call-overload]
    if wrong:
        named = [(time, re.fullmatch(r"\s*e?\s*=?\s*(-?\d+)\s*", str(time))) for time in wrong]
        near = [f"{time!r} is no event time{f' (did you mean {it[1]}?)' if it else ''}" for time, it in named]
        raise DesignError(
            "The average cannot be weighted.", near, repair="Write weights={0: 0.5, 1: 0.5}, say."
        )
    return {int(time): weight for time, weight in given.items()}  # type: ignore[call-overload]


def aggregated(
    fit: Estimate, kind: str, *, balance: int | None, leads: int | None, lags: int | None
) -> Estimate:
    """Return `Estimate.aggregate`."""
    if kind not in AGGREGATIONS:
        raise DesignError(
            f"aggregation {kind!r} is not known{did_you_mean(str(kind), AGGREGATIONS)}.",
            repair=f"Use one of {', '.join(AGGREGATIONS)}.",
        )
    if fit.aggregator is None:
        raise DesignError(
            f"{fit.estimator} has no effects by cohort and period to average.",
            repair="Use group_time, sun_abraham, imputation or extended_twfe; or average().",
        )
    made = fit.aggregator(kind, balance=balance, leads=leads, lags=lags)
    again = None if fit.again is None else partial(_aggregated_again, fit.again, kind, balance, leads, lags)
    made = replace(made, again=again)
    if fit.procedure is not None:
        run = fit.procedure.run
        how: Any = {"draws": run.draws, "seed": run.seed, "executor": run.executor}
        return made.with_inference(fit.asked, level=fit.level, **how)
    if not fit.asked or (fit.asked == fit.vcov.kind and fit.asked != "path"):
        return with_kind(made, fit.vcov.kind, fit.level)
    return made.with_inference(fit.asked, level=fit.level)


def _aggregated_again(
    again: Callable[[Design], Estimate],
    kind: str,
    balance: int | None,
    leads: int | None,
    lags: int | None,
    design: Design,
) -> Estimate:
    return again(design).aggregate(kind, balance=balance, leads=leads, lags=lags)


def with_inference(
    fit: Estimate,
    method: str | Method,
    level: float | None,
    draws: int,
    seed: int,
    executor: Executor | None,
    progress: bool,
) -> Estimate:
    """Return `Estimate.with_inference`."""
    level = fit.level if level is None else checked_level(level)
    known = () if fit.uncertainty is None else fit.uncertainty.kinds
    if isinstance(method, str) and (method in known or fit.uncertainty is None):
        found = with_kind(fit, method, level)
        _procedures.warn_if_narrow(found, method)
        return found
    how = {"draws": draws, "seed": seed, "executor": executor, "progress": progress}
    return _procedures.with_method(fit, method, level=level, **how)  # type: ignore[arg-type]


def with_kind(fit: Estimate, kind: str, level: float) -> Estimate:
    """Return the estimates with one of the covariances that they offer."""
    total = None if fit.total is None else with_kind(fit.total, kind, level)
    plain = {"level": level, "total": total, "procedure": None, "asked": kind, "why": "", "refused": ""}
    if kind == fit.vcov.kind:
        return replace(fit, **plain)  # type: ignore[arg-type]
    if fit.uncertainty is None:
        raise DesignError(
            f"{fit.estimator} has no other covariance than {fit.vcov.kind}.",
            repair="Leave with_inference out, or use another estimator.",
        )
    vcov = embedded(fit.uncertainty, fit.slots, fit.identified, kind)
    return replace(fit, vcov=vcov, **plain)  # type: ignore[arg-type]


def with_draws(fit: Estimate, frame: pd.DataFrame, contrast: Floats | None = None) -> pd.DataFrame:
    """Put what the draws say into tidy rows, or take intervals out that are refused."""
    if fit.refused:
        gone = dict.fromkeys(("p_value", "conf_low", "conf_high"), np.nan)
        reasons = [
            why or fit.refused if ok else why
            for why, ok in zip(frame["reason"], frame["identified"], strict=True)
        ]
        return frame.assign(**gone, reason=reasons)
    if fit.procedure is not None:
        return fit.procedure.told(fit, frame, contrast)
    if fit.vcov.kind == "path":
        return _procedures.without_lone(fit, frame, contrast)
    return _procedures.without_narrow(fit, frame, contrast) if _auto.hides_lone(fit) else frame


def no_regression(fit: Estimate) -> DesignError:
    """Return the error of `Estimate.fitted`."""
    return DesignError(
        f"The terms of {fit.estimator} are not coefficients of one regression: there is no single "
        "model of another library to compare them with.",
        repair="See docs/methodology for the programs that each estimator was compared with.",
    )


def _contrast(fit: Estimate, weights: Mapping[Any, float]) -> Floats:
    names = [term.name for term in fit.terms]
    weights = weights_of(weights, "{'e=0': 0.5, 'e=1': 0.5}")
    problems = [f"{n!r} is not a term{did_you_mean(str(n), names)}" for n in weights if n not in names]
    for name in (n for n in weights if n in names):
        at = names.index(name)
        if not fit.identified[at]:
            problems.append(f"{name} is not identified ({fit.terms[at].reason})")
    if problems or not any(weights.values()):
        raise DesignError(
            "The combination cannot be estimated.", problems, repair=f"Terms: {list_some(names, 40)}."
        )
    return np.array([float(weights.get(name, 0.0)) for name in names])


def _behind(fit: Estimate, used: Sequence[Any]) -> tuple[int | None, int | None]:
    """Count the treated units and rows behind several terms."""
    if fit.row_terms is None or len(used) == 0:
        return None, None
    rows = np.isin(fit.row_terms, np.asarray(used))
    return int(np.unique(fit.design.unit_codes[rows]).size), int(rows.sum())


def labelled_covariance(fit: Estimate | SavedEstimate) -> pd.DataFrame:
    """Return `Estimate.covariance`."""
    keep = np.flatnonzero(fit.identified)
    names = [fit.terms[i].name for i in keep]
    return pd.DataFrame(fit.vcov.matrix[np.ix_(keep, keep)], index=names, columns=names)


def contrast_df(fit: Estimate, contrast: Floats) -> float:
    """Degrees of freedom of a combination of terms."""
    if fit.vcov.kind == "path" and fit.forms is not None:
        columns = range(contrast.size) if fit.total is not None or contrast.size > 1 else (-1,)
        return _procedures.path_df(fit.forms, columns, contrast)
    if fit.vcov.kind not in ("CR2", "CR2_IK") or fit.uncertainty is None:
        return float(np.nanmin(fit.vcov.df[np.flatnonzero(contrast)]))
    used = [(i, slot) for i, slot in enumerate(fit.slots) if slot is not None and contrast[i] != 0]
    size = len(fit.uncertainty.covariance(fit.vcov.kind).matrix)
    weights = np.zeros((size, 1))
    for i, slot in used:
        weights[slot] = contrast[i]
    return float(fit.uncertainty.combine(weights).covariance(fit.vcov.kind).df[0])


def embedded(
    uncertainty: Uncertainty, slots: Sequence[int | None], identified: NDArray[np.bool_], kind: str
) -> Covariance:
    """Covariance over all terms, NaN where a term has no number."""
    at = [i for i, slot in enumerate(slots) if slot is not None and identified[i]]
    columns = [slot for slot in (slots[i] for i in at) if slot is not None]
    found = uncertainty.covariance(kind)
    matrix, df = np.full((len(slots), len(slots)), np.nan), np.full(len(slots), np.nan)
    matrix[np.ix_(at, at)] = found.matrix[np.ix_(columns, columns)]
    df[at] = found.df[columns]
    gone: list[tuple[int, ...]] = [() for _ in slots]
    for i, column in zip(at, columns, strict=True):
        gone[i] = found.lost[column] if found.lost else ()
    for array in (matrix, df):
        array.setflags(write=False)
    return replace(found, matrix=matrix, df=df, lost=tuple(gone) if found.lost else ())


def told(fit: Estimate) -> tuple[Term, ...]:
    """Terms whose error does not exist, as it needs the estimate without a cluster that carries it."""
    out = []
    for term, gone in zip(fit.terms, fit.vcov.lost, strict=True):
        names = [fit.design.unit_names[i] for i in np.flatnonzero(np.isin(fit.design.unit_clusters, gone))]
        words = f"no {fit.vcov.kind} error: there is no estimate without {list_some(names)}" if names else ""
        out.append(replace(term, reason="; ".join(text for text in (term.reason, words) if text)))
    return tuple(out)


def with_covariates(fit: Estimate, frame: pd.DataFrame) -> pd.DataFrame:
    """Add a row per covariate to `Estimate.sample`, where an estimator tells of its averages only."""
    lone = [term.name for term in fit.terms[len(frame) :]]
    if not lone:
        return frame
    blank = pd.array([None] * len(lone), dtype="Int64")
    years = [period_words(fit.design)] * len(lone)
    more = {"term": lone, "treated_units": blank, "control_units": blank, "periods": years}
    more |= {"left_out": [""] * len(lone)}
    return pd.concat([frame, pd.DataFrame(more)], ignore_index=True)


def whole_sample(fit: Estimate) -> pd.DataFrame:
    """Return `Estimate.sample` for an estimator whose every term uses every row of the design."""
    design = fit.design
    controls = int((~design.in_window).sum())
    rows = {
        "term": [term.name for term in fit.terms],
        "treated_units": pd.array([term.n_units for term in fit.terms], dtype="Int64"),
        "control_units": pd.array([controls] * len(fit.terms), dtype="Int64"),
        "periods": [period_words(design)] * len(fit.terms),
        "left_out": [""] * len(fit.terms),
    }
    return pd.DataFrame(rows)
