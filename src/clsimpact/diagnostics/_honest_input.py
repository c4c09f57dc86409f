"""What HonestDiD is given: a path of coefficients around its reference, from a result or from arrays."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri, stdtrit

from clsimpact._asked import require_result
from clsimpact._check import FEW_TREATED, kind_label, number, plural
from clsimpact._tidy import REFERENCE, checked_level
from clsimpact.errors import DesignError, did_you_mean, list_some

if TYPE_CHECKING:
    from clsimpact.results import Estimate
    from clsimpact.saved import SavedEstimate

__all__ = ["Path", "from_arrays", "from_fit", "level_of", "warned", "weighted", "widened"]

Floats = NDArray[np.float64]

NAMED = ("average", "first")
"""Estimands that have a name."""

SYMMETRY = 1e-8
"""Relative difference of mirrored entries that printing and reading a covariance can make.

Eight digits are the fewest that programs print; a wrong entry differs in the first."""

SINGULAR = 1e-10
"""Least eigenvalue of a correlation matrix that is taken for one above zero.

Rounding leaves 1e-16 to 1e-14 where it is zero, and not the same on every processor; the least of event
studies that have a full covariance is 1e-3 and more."""


@dataclass(frozen=True)
class Path:
    """Coefficients by event time, the reference left out.

    Attributes
    ----------
    beta, sigma : float arrays (n), (n, n)
    times : tuple of int
        Event time of each coefficient.
    reference : int
    notes : tuple of str
    fit : Estimate or None
        The result by event time that they are from.
    """

    beta: Floats
    sigma: Floats
    times: tuple[int, ...]
    reference: int
    notes: tuple[str, ...] = ()
    fit: Estimate | None = None

    @property
    def n_pre(self) -> int:
        """Number of coefficients before the reference."""
        return sum(time < self.reference for time in self.times)


def from_arrays(
    beta: ArrayLike | None, sigma: ArrayLike | None, n_pre: int | None, n_post: int | None
) -> Path:
    """Check arrays and return them as a path with reference -1 (copies).

    Examples
    --------
    >>> from_arrays([0.1, 0.5], [[1, 0], [0, 1]], 1, 1).times
    (-2, 0)
    """
    if beta is None or sigma is None or n_pre is None or n_post is None:
        given = {"beta": beta, "sigma": sigma, "n_pre": n_pre, "n_post": n_post}
        absent = list_some([name for name, value in given.items() if value is None])
        raise DesignError(
            f"Arguments are missing: {absent}.",
            repair="Give a result, or all of beta, sigma, n_pre and n_post.",
        )
    b, s = _numbers(beta, "beta"), _numbers(sigma, "sigma")
    problems = [
        f"{name} is {count!r}: a whole number of 1 or more is needed"
        for name, count in (("n_pre", n_pre), ("n_post", n_post))
        if isinstance(count, bool) or not isinstance(count, (int, np.integer)) or count < 1
    ]
    if b.ndim != 1:
        problems.append(f"beta has shape {b.shape}: one row of coefficients is needed")
    elif not problems and len(b) != n_pre + n_post:
        problems.append(
            f"beta has {plural(len(b), 'coefficient')}, but n_pre + n_post = {n_pre} + {n_post}; the "
            "reference must be left out"
        )
    if b.ndim == 1 and s.shape != (len(b), len(b)):
        problems.append(f"sigma has shape {s.shape}: {len(b)} rows and columns are needed")
    for name, values in (("beta", b), ("sigma", s)):
        if not np.isfinite(values).all():
            problems.append(f"{name} has missing or infinite numbers")
    if problems:
        raise DesignError("The path cannot be read.", problems, repair="Mend the arrays.")
    return Path(b, definite(s), (*range(-1 - int(n_pre), -1), *range(int(n_post))), -1)


def _numbers(value: Any, name: str) -> Floats:
    try:
        return np.array(value, dtype=float)
    except (TypeError, ValueError):
        raise DesignError(f"{name} is not an array of numbers.", repair="Pass numbers only.") from None


def definite(sigma: Floats) -> Floats:
    """Return a covariance made exactly symmetric, or raise where it is none."""
    size = float(np.abs(sigma).max())
    if np.abs(sigma - sigma.T).max() > SYMMETRY * size:
        raise DesignError(
            "sigma is not symmetric.", repair="Pass the covariance of the coefficients, rows as columns."
        )
    sigma = 0.5 * (sigma + sigma.T)
    scale = np.sqrt(np.maximum(np.diag(sigma), 0))
    least = 0.0
    if scale.min() > 0:
        least = float(np.linalg.eigvalsh(sigma / np.outer(scale, scale))[0])
    if least <= SINGULAR:
        raise DesignError(
            "sigma is not positive definite: some combination of coefficients would be known without error.",
            repair="Leave out coefficients that follow from others, or use a covariance of full rank.",
        )
    return sigma


def _covariance_of(fit: Estimate, at: Sequence[int]) -> Floats:
    """Return the covariance of some terms, or raise where so few clusters do not give it."""
    try:
        return definite(fit.vcov.matrix[np.ix_(at, at)])
    except DesignError:
        raise DesignError(
            f"The errors of {plural(fit.design.n_treated_clusters, 'treated cluster')} give "
            f"{plural(len(at), 'coefficient')} by event time no covariance of full rank: some combination of "
            "them would be known without error.",
            repair="Pool event times that few adopters have: ci.event_study(design, leads=3, lags=4), say.",
        ) from None


def level_of(fit: Estimate | SavedEstimate | None, level: float | None, function: str) -> float:
    """Return the level that is asked for, or that of a result; raise for what is no result."""
    if fit is not None:
        require_result(fit, function)
    return checked_level(level if level is not None else 0.95 if fit is None else fit.level)


def from_fit(fit: Estimate | SavedEstimate) -> Path:
    """Take the longest run of consecutive event times around the reference from a result."""
    shown, notes = _by_event_time(fit)  # type: ignore[arg-type]
    if shown.refused:
        raise DesignError(
            f"There is no interval to start from: {shown.refused}.",
            repair='Name a covariance if you must: fit.with_inference("CR2").',
        )
    known = {
        term.event_time: i
        for i, term in enumerate(shown.terms)
        if shown.identified[i] and term.event_time is not None and not _binned(term.name)
    }
    reference = _reference(shown, known)
    times = [*_run(known, reference, -1)[::-1], *_run(known, reference, 1)]
    _both_sides(shown, known, reference, times)
    at = [known[time] for time in times]
    notes += _left_out(shown, times)
    notes.append(_covariance_words(shown))
    sigma = _covariance_of(shown, at)
    for note in shown.notes:
        if note.startswith("Leads: means of first-stage residuals"):
            notes.append(f"{note}: relative magnitudes of them say too little")
        if note.startswith("Reference: each"):
            notes.append(f"{note}: steps around it are of different lengths")
    return Path(shown.estimates[at].copy(), sigma, tuple(times), reference, tuple(notes), shown)


def _by_event_time(fit: Estimate) -> tuple[Estimate, list[str]]:
    """Average effects by cohort and period, against one base period for every lead."""
    events = [term.event_time for term in fit.terms if term.event_time is not None]
    cells = bool(fit.aggregator) and (not events or len(set(events)) < len(events))
    varying = fit.options.get("base_period") == "varying"
    if not cells:
        return fit, []
    if not varying:
        return fit.aggregate("dynamic"), ["Effects by cohort and period averaged by event time"]
    if _is_saved(fit):
        raise DesignError(
            f"The saved {fit.estimator} measures each lead from a base period of its own, and its file does "
            "not hold the data to estimate it again.",
            repair='Estimate again from the data: ci.group_time(design, base_period="universal").',
        )
    from clsimpact.estimators.group_time import group_time

    options: dict[str, Any] = {**fit.options, "base_period": "universal"}
    again = group_time(fit.design, **options, inference=fit.asked or fit.vcov.kind, level=fit.level)
    words = "Effects by cohort and period estimated again with one base period, averaged by event time"
    return again.aggregate("dynamic"), [words]


def _is_saved(fit: Estimate) -> bool:
    from clsimpact.saved import SavedEstimate

    return isinstance(fit, SavedEstimate)


def _binned(name: str) -> bool:
    return "<=" in name or ">=" in name


def _reference(fit: Estimate, known: Mapping[int, int]) -> int:
    """Return the event time that the others are measured against."""
    found = [
        term.event_time
        for term in fit.terms
        if term.event_time is not None and term.reason.startswith(REFERENCE)
    ]
    if not known:
        raise DesignError(
            f"{fit.estimator} has no identified effects by event time.",
            repair="Use ci.event_study(design), ci.imputation(design) or ci.group_time(design).",
        )
    if not found and min(known) >= 0:
        raise DesignError(
            f"{fit.estimator} has no event times before adoption: {list_some(sorted(known))} are identified.",
            repair="Use ci.event_study(design), ci.imputation(design) or ci.group_time(design).",
        )
    if len(found) != 1:
        what = "no reference period" if not found else f"{len(found)} reference periods"
        raise DesignError(
            f"The path of {fit.estimator} has {what}, so its points before adoption are no differences from "
            "one period.",
            repair='Use one base period for all: ci.group_time(design, base_period="universal").',
        )
    return int(found[0])


def _run(known: Mapping[int, int], reference: int, side: int) -> list[int]:
    """Return consecutive event times on one side, the nearest first."""
    found, time = [], reference + side
    while time in known:
        found.append(time)
        time += side
    return found


def _both_sides(fit: Estimate, known: Mapping[int, int], reference: int, times: Sequence[int]) -> None:
    """Refuse a path without a step before the reference, or without an effect."""
    problems = []
    if not any(time < reference for time in times):
        problems.append(
            f"event time {reference - 1} (before the reference {reference}) {_why(fit, reference - 1)}"
        )
    if not any(time >= 0 for time in times):
        first = min(set(range(reference + 1, 1)) - set(known), default=0)
        problems.append(f"event time {first} (after the reference {reference}) {_why(fit, first)}")
    if problems:
        raise DesignError(
            "Consecutive event times on both sides of the reference are needed.",
            problems,
            repair="Use a design with two or more years before adoption and one after, or another estimator. "
            f"Identified: {list_some(sorted(known))}.",
        )


def _why(fit: Estimate, time: int) -> str:
    reasons = [term.reason for term in fit.terms if term.event_time == time and term.reason]
    return f"is not identified ({reasons[0]})" if reasons else "is not there"


def _left_out(fit: Estimate, times: Sequence[int]) -> list[str]:
    """Name terms outside the run."""
    lost = [
        term.name
        for term in fit.terms
        if term.event_time is not None
        and not term.reason.startswith(REFERENCE)
        and (term.event_time not in times or _binned(term.name))
    ]
    if not lost:
        return []
    return [
        f"Left out: {list_some(lost)} (not identified, binned, or beyond a gap: consecutive event times are "
        "needed)"
    ]


def _covariance_words(fit: Estimate) -> str:
    """Say where the covariance is from, which intervals by draws do not have."""
    own = kind_label(fit.vcov.kind)
    if fit.method == fit.vcov.kind:
        return f"Covariance of the path: {own}"
    return (
        f"Covariance of the path: {own}; intervals of the result itself come from {kind_label(fit.method)}, "
        "which gives no covariance"
    )


def weighted(
    path: Path, estimand: str | Sequence[float] | Mapping[int, float] | NDArray[np.float64] | None
) -> Floats:
    """Return the weights of the estimand on the coefficients after the reference.

    Examples
    --------
    >>> path = from_arrays([0.1, 0.5, 0.7], np.eye(3), 1, 2)
    >>> weighted(path, None).tolist(), weighted(path, "average").tolist()
    ([1.0, 0.0], [0.5, 0.5])
    """
    times = [time for time in path.times if time > path.reference]
    effects = [time for time in times if time >= 0]
    if estimand is None:
        estimand = "first" if path.fit is None else "average"
    if isinstance(estimand, str):
        if estimand not in NAMED:
            raise DesignError(
                f"estimand is {estimand!r}{did_you_mean(estimand, NAMED)}.",
                repair="Use 'average', 'first', or weights of the event times after the reference.",
            )
        share = dict.fromkeys(effects if estimand == "average" else effects[:1], 1.0)
        share = {time: weight / len(share) for time, weight in share.items()}
    elif isinstance(estimand, Mapping):
        share = {int(time): float(weight) for time, weight in estimand.items()}
        unknown = sorted(set(share) - set(times))
        if unknown:
            raise DesignError(
                f"estimand weighs event times {list_some(unknown)}, which are not in the path.",
                repair=f"Event times after the reference: {list_some(times)}.",
            )
    else:
        values = _numbers(estimand, "estimand").ravel()
        if len(values) != len(times):
            raise DesignError(
                f"estimand has {plural(len(values), 'weight')} for {plural(len(times), 'event time')} after "
                f"the reference ({list_some(times)}).",
                repair="Give one weight for each, in that order.",
            )
        share = dict(zip(times, values.tolist(), strict=True))
    weights = np.array([share.get(time, 0.0) for time in times])
    if not np.isfinite(weights).all() or not weights.any():
        raise DesignError("Weights of the estimand must be finite and not all zero.", repair="Use 'average'.")
    return weights


def widened(path: Path, weights: Floats, df: float | None, level: float) -> tuple[Path, float]:
    """Return the path with its covariance scaled to the quantile of a t distribution, and its df."""
    source = "of the estimand"
    if df is None:
        df = math.inf if path.fit is None else _own_df(path, weights)
        if path.fit is not None and _is_saved(path.fit):
            source = "that are the least of its event times, as the file holds none of the estimand"
    if isinstance(df, str) or not df > 0:
        raise DesignError(f"df is {df!r}: a number above 0 is needed.", repair="math.inf is the normal.")
    if math.isinf(df):
        return path, math.inf
    ratio = float(stdtrit(df, 0.5 + level / 2) / ndtri(0.5 + level / 2))
    words = (
        f"Critical values are the normal's times {number(ratio)}, as with t and the {number(df)} degrees of "
        f"freedom {source}"
    )
    return replace(path, sigma=path.sigma * ratio**2, notes=(*path.notes, words)), float(df)


def warned(path: Path, method: str) -> Path:
    """Return the path with a note where smoothness is known to be too sure of itself."""
    if method != "smoothness" or path.fit is None:
        return path
    count = path.fit.design.n_treated_clusters
    if count > FEW_TREATED:
        return path
    words = (
        f"With {plural(count, 'treated cluster')} smoothness intervals are too narrow: their weights follow "
        "the estimated covariance. On made-up panels that at M = 0 missed the truth 7% of the time with 25 "
        "adopters, 9% with 10 and 19% with 5; relative magnitudes missed it 3% to 6%"
    )
    return replace(path, notes=(*path.notes, words))


def _own_df(path: Path, weights: Floats) -> float:
    """Degrees of freedom that the covariance of the result gives the estimand."""
    from clsimpact._combine import contrast_df

    fit = path.fit
    if fit is None:
        return math.inf
    share = dict(zip([t for t in path.times if t > path.reference], weights, strict=True))
    contrast = np.array([share.get(term.event_time, 0.0) if term.event_time is not None else 0.0
                         for term in fit.terms])  # fmt: skip
    found = float(np.nanmin(fit.vcov.df[contrast != 0])) if _is_saved(fit) else contrast_df(fit, contrast)
    return found if np.isfinite(found) and found > 0 else math.inf
