"""What a specification curve is asked: the data, the choices, and every combination of them.

Several frames become one: the rows of all of them, with a cohort and a presence for each definition of dates.
Filters become masks, so that a worker in another process needs no function of the user's but the estimators.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

import clsimpact.estimators
from clsimpact._outcome import column_words, is_made_up
from clsimpact.diagnostics._specification_union import Union, united
from clsimpact.errors import DesignError, did_you_mean, list_some
from clsimpact.inference.methods import NAMED, Method
from clsimpact.results import Estimate

__all__ = ["CHOICES", "NAMES", "Controls", "Estimator", "Request", "RowFilter", "combinations", "requested"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
RowFilter = Callable[[pd.DataFrame], Any]
"""Takes the rows and returns True for those that stay."""

Controls = str | RowFilter | None
Estimator = Callable[..., Estimate]

CHOICES = ("outcome", "sample", "controls", "dates", "estimator", "covariates", "inference")
"""The choices that make up a specification, in the order of the columns."""

NAMES: tuple[str, ...] = tuple(clsimpact.estimators.__all__)
RULES = ("all", "never", "not_yet")


@dataclass(frozen=True, eq=False)
class Request:
    """Data as arrays, and the options of every choice by label.

    Attributes
    ----------
    union : Union
        Rows of all frames, with the cohorts and the presence of each definition of dates.
    outcomes, covariates, estimators, inference : dict
        Column, columns, function and method by label.
    samples : dict
        Rows that stay (n).
    controls : dict
        A rule (`RULES`), or rows that stay where their unit does not adopt (n).
    scales, units : dict
        What estimates are divided by, and the unit they are then in, by outcome.
    """

    union: Union
    outcomes: dict[str, str]
    samples: dict[str, Bools]
    controls: dict[str, str | Bools]
    estimators: dict[str, Estimator]
    covariates: dict[str, tuple[str, ...]]
    inference: dict[str, str | Method]
    weights: str | None
    cluster: str | None
    anticipation: int
    level: float
    draws: int
    seed: int
    scales: dict[str, float]
    unit_text: str
    standardised: bool
    source: str
    simulated: bool
    labels: dict[str, str]

    def options(self) -> dict[str, tuple[str, ...]]:
        """Labels of every choice, in the order of `CHOICES`."""
        parts: tuple[Mapping[str, object], ...] = (
            self.outcomes, self.samples, self.controls, self.union.cohorts, self.estimators,
            self.covariates, self.inference,
        )  # fmt: skip
        return {name: tuple(part) for name, part in zip(CHOICES, parts, strict=True)}


def combinations(request: Request) -> list[tuple[str, ...]]:
    """Every specification: one label per choice."""
    return list(itertools.product(*request.options().values()))


def requested(
    data: pd.DataFrame | Mapping[str, pd.DataFrame],
    *,
    unit: str,
    time: str,
    cohort: str | Mapping[str, str],
    names: str | None,
    outcomes: Sequence[str] | Mapping[str, str],
    samples: Mapping[str, RowFilter | None] | None,
    controls: Mapping[str, Controls] | None,
    estimators: Sequence[str] | Mapping[str, str | Estimator],
    covariates: Mapping[str, Sequence[str]] | None,
    inference: Sequence[str] | Mapping[str, str | Method],
    weights: str | None,
    cluster: str | None,
    anticipation: int,
    standardise: bool,
    outcome_units: Mapping[str, str] | None,
    source: str | None,
    level: float,
    draws: int,
    seed: int,
) -> Request:
    """Check everything at once and return it as arrays."""
    problems: list[str] = []
    columns = _labelled("outcomes", outcomes, problems)
    makers = _estimators(_labelled("estimators", estimators, problems), problems)
    adjust = _covariates(covariates, problems)
    methods = _methods(_labelled("inference", inference, problems), problems)
    used = [*columns.values(), *(name for group in adjust.values() for name in group)]
    more = [name for name in (weights, cluster, names) if name]
    union, whole = united(data, unit, time, cohort, [*used, *more], problems)
    masks = _masks("samples", samples, whole, problems)
    rules = _rules(controls, whole, problems)
    if problems:
        raise DesignError("The specifications cannot be laid out.", problems, repair="Correct the above.")
    found = {
        name: str(column_words(whole.attrs, column).get("unit") or "") for name, column in columns.items()
    }
    units = found | {str(key): str(value) for key, value in (outcome_units or {}).items()}
    scales = _scales(union, columns, standardise=standardise)
    labels = {
        name: str(column_words(whole.attrs, column).get("label", column)) for name, column in columns.items()
    }
    return Request(
        union, columns, masks, rules, makers, adjust, methods, weights, cluster, anticipation, level, draws,
        seed, scales, _one_unit(units, columns, standardise=standardise), standardise,
        source or str(whole.attrs.get("source_line", "")), is_made_up(whole), labels,
    )  # fmt: skip


def _labelled(name: str, given: Any, problems: list[str]) -> dict[str, Any]:
    """Return options by label; those of a list are their own labels."""
    if isinstance(given, str):
        given = [given]
    if not isinstance(given, Mapping):
        twice = sorted({str(item) for item in given if list(given).count(item) > 1})
        problems += [f"{name}: {word!r} stands twice" for word in twice]
        given = {str(item): item for item in given}
    if not given:
        problems.append(f"{name}: nothing is given; at least one is needed")
    return {str(label): value for label, value in given.items()}


def _estimators(given: Mapping[str, Any], problems: list[str]) -> dict[str, Estimator]:
    out: dict[str, Estimator] = {}
    for label, value in given.items():
        if callable(value):
            out[label] = value
        elif value in NAMES:
            out[label] = getattr(clsimpact.estimators, value)
        else:
            problems.append(
                f"estimators: {value!r} is not known{did_you_mean(str(value), NAMES)}; known: "
                f"{list_some(NAMES, 20)}, or a function of a design"
            )
    return out


def _covariates(given: Mapping[str, Sequence[str]] | None, problems: list[str]) -> dict[str, tuple[str, ...]]:
    if given is None:
        return {"none": ()}
    if not isinstance(given, Mapping) or not given:
        problems.append("covariates: a mapping of labels to columns is needed, such as {'none': ()}")
        return {"none": ()}
    return {
        str(label): (str(names),) if isinstance(names, str) else tuple(map(str, names or ()))
        for label, names in given.items()
    }


def _methods(given: Mapping[str, Any], problems: list[str]) -> dict[str, str | Method]:
    known = ("quick", "auto", "path", *NAMED)
    for label, value in given.items():
        if not isinstance(value, str | Method):
            problems.append(
                f"inference {label!r}: {value!r} is no method; use {list_some(known)} or a covariance"
            )
    return dict(given)


def _masks(name: str, given: Any, whole: pd.DataFrame, problems: list[str]) -> dict[str, Bools]:
    """Return the rows that each filter keeps."""
    everything = np.ones(len(whole), dtype=bool)
    if given is None:
        return {"all rows": everything}
    if not isinstance(given, Mapping) or not given:
        problems.append(f"{name}: a mapping of labels to filters is needed, such as {{'all rows': None}}")
        return {"all rows": everything}
    return {
        str(label): everything if keep is None else _mask(name, str(label), keep, whole, problems)
        for label, keep in given.items()
    }


def _mask(name: str, label: str, keep: Any, whole: pd.DataFrame, problems: list[str]) -> Bools:
    """Ask one filter; what it raises is told with its label."""
    nothing = np.zeros(len(whole), dtype=bool)
    if not callable(keep):
        problems.append(f"{name} {label!r}: {keep!r} is no function of the rows (nor None)")
        return nothing
    try:
        found = keep(whole.copy())
    except (KeyError, AttributeError, TypeError, ValueError) as error:
        problems.append(f"{name} {label!r}: the filter failed ({type(error).__name__}: {error})")
        return nothing
    mask = pd.array(found, dtype="boolean") if np.shape(found) == (len(whole),) else None
    if mask is None:
        problems.append(f"{name} {label!r}: the filter returned no True or False for each row")
        return nothing
    return np.asarray(mask.to_numpy(dtype=bool, na_value=False))


def _rules(
    given: Mapping[str, Controls] | None, whole: pd.DataFrame, problems: list[str]
) -> dict[str, str | Bools]:
    """Return rules and masks of controls."""
    if given is None:
        return {"all": "all"}
    if not isinstance(given, Mapping) or not given:
        problems.append("controls: a mapping of labels to rules is needed, such as {'all': None}")
        return {"all": "all"}
    out: dict[str, str | Bools] = {}
    for label, value in given.items():
        if value is None or isinstance(value, str):
            rule = value or "all"
            if rule not in RULES:
                text = f"controls {label!r}: {rule!r} is no rule{did_you_mean(rule, RULES)}"
                problems.append(f"{text}; known: {list_some(RULES)}, or a function of the rows")
            out[str(label)] = rule
        else:
            out[str(label)] = _mask("controls", str(label), value, whole, problems)
    return out


def _scales(union: Union, columns: Mapping[str, str], *, standardise: bool) -> dict[str, float]:
    """Return what estimates of each outcome are divided by."""
    if not standardise:
        return dict.fromkeys(columns, 1.0)
    never = union.never_rows()
    found = {name: float(union.frame.loc[never, column].std()) for name, column in columns.items()}
    bad = [f"{name}: {value}" for name, value in found.items() if not (np.isfinite(value) and value > 0)]
    if bad:
        raise DesignError(
            "The outcomes cannot be standardised: no standard deviation among never-treated rows.",
            bad,
            repair="Leave these outcomes out, or standardise=False.",
        )
    return found


def _one_unit(units: Mapping[str, str], columns: Mapping[str, str], *, standardise: bool) -> str:
    """Return the unit that all estimates are in, or refuse to put them on one axis."""
    if standardise:
        return "standard deviations of the outcome among never-treated rows"
    held = {name: units[name] for name in columns}
    if len(held) == 1 or (len(set(held.values())) == 1 and all(held.values())):
        return next(iter(held.values()))
    raise DesignError(
        "Estimates in different units do not belong on one axis.",
        [f"{name}: {value or 'unit not stated'}" for name, value in held.items()],
        repair="Use standardise=True (effects over the standard deviation of the outcome among never-treated "
        "rows), a curve per unit, or state the units: outcome_units={'outcome': 'unit', ...}.",
    )
