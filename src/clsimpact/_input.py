"""Reading the columns of a design: what can be wrong with a panel is found and reported here, at once."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clsimpact.errors import DesignError, PanelError, SampleWarning, did_you_mean, list_some

__all__ = ["Rows", "codes_of", "column_words", "drop_always_treated", "named", "read"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Problem = tuple[str, str]
Dropped = list[tuple[Any, int, str]]


@dataclass(frozen=True)
class Rows:
    """The rows of the sample, one array per role, sorted by unit and time."""

    label: NDArray[np.object_]
    name: NDArray[np.object_]
    time: Ints
    cohort: Floats
    y: Floats
    X: Floats
    w: Floats | None
    cluster: NDArray[np.object_]
    effect: NDArray[np.object_]

    def take(self, keep: NDArray[Any]) -> Rows:
        parts: dict[str, Any] = {key: None if p is None else p[keep] for key, p in vars(self).items()}
        return replace(self, **parts)


def column_words(attrs: Mapping[Any, Any], outcome: str) -> Mapping[str, Any]:
    columns = attrs.get("columns")
    found = columns.get(outcome) if isinstance(columns, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def is_made_up(data: pd.DataFrame) -> bool:
    """Whether a panel is made up, by its attributes or its column ``simulated``.

    Raises
    ------
    DesignError
        If only some of its rows are.
    """
    if "simulated" not in data:
        return bool(data.attrs.get("simulated"))
    rows = data["simulated"].map(lambda value: str(value).casefold() == "true")
    if rows.any() and not rows.all():
        raise DesignError(
            f"{int(rows.sum())} of {len(rows)} rows are made up and the others are not (column 'simulated').",
            repair="Estimate from the official panel or from a simulated one, never from both.",
        )
    return bool(rows.any())


def marked(label: str, *, made_up: bool) -> str:
    """Say in the name of an outcome that its data are made up, where they are."""
    return f"{label} (SIMULATED)" if made_up and "simulated" not in label.casefold() else label


def codes_of(labels: NDArray[np.object_]) -> tuple[tuple[Any, ...], Ints]:
    codes, found = pd.factorize(labels)
    values = [value.item() if isinstance(value, np.generic) else value for value in found]
    try:
        order = sorted(range(len(values)), key=lambda i: values[i])
    except TypeError:
        order = sorted(range(len(values)), key=lambda i: (type(values[i]).__name__, str(values[i])))
    rank = np.empty(len(values), dtype=np.int64)
    rank[order] = np.arange(len(values))
    return tuple(values[i] for i in order), rank[codes]


def named(name: object, label: object) -> str:
    return str(label) if name is label or str(name) == str(label) or pd.isna(name) else f"{name} ({label})"  # type: ignore[call-overload]


def read(data: pd.DataFrame, roles: Mapping[str, str], covariates: tuple[str, ...]) -> tuple[Rows, Dropped]:
    _require_columns(data, roles, covariates)
    problems: list[Problem] = []
    label = data[roles["unit"]].to_numpy(dtype=object)
    name = data[roles["names"]].to_numpy(dtype=object)
    when = data[roles["time"]].astype(object)

    def place(i: int) -> str:
        return f"{named(name[i], label[i])}, {when.iloc[i]}"

    def number(role: str, column: str) -> Floats:
        return _numbers(data[column], role, place, problems)

    time = _time(number("time", roles["time"]), roles["time"], place, problems)
    cohort = _cohort(number("cohort", roles["cohort"]), time, place, problems)
    y = number("outcome", roles["outcome"])
    X = np.column_stack([np.empty((len(data), 0)), *(number("covariate", c) for c in covariates)])
    w = number("weights", roles["weights"]) if roles["weights"] else None
    for column, values in ((roles["outcome"], y), *zip(covariates, X.T, strict=True)):
        _report(np.isinf(values), f"column {column!r} is infinite at", place, problems)
    if w is not None:
        _report(w <= 0, f"weights {roles['weights']!r} are not positive at", place, problems)
        _report(np.isinf(w), f"weights {roles['weights']!r} are infinite at", place, problems)
    rows = Rows(label, name, time, cohort, y, X, w, label, label)
    for key in ("cluster", "effects"):
        if roles[key] != roles["unit"]:
            rows = replace(rows, **{key.removesuffix("s"): data[roles[key]].to_numpy(dtype=object)})
    _check_rows(rows, data[roles["unit"]].isna().to_numpy(), roles, place, problems)
    _raise(problems)
    return _complete(rows, roles, covariates)


def _require_columns(data: pd.DataFrame, roles: Mapping[str, str], covariates: tuple[str, ...]) -> None:
    known = [str(column) for column in data.columns]
    asked = [(role, column) for role, column in roles.items() if column]
    asked += [("covariates", column) for column in covariates]
    absent: dict[str, str] = {}
    for role, column in asked:
        if column not in data.columns:
            absent.setdefault(str(column), role)
    problems = [f"{role} {c!r} is not a column{did_you_mean(c, known)}" for c, role in absent.items()]
    twice = sorted({c for _, c in asked if c in data.columns and known.count(c) > 1})
    problems += [f"column {c!r} occurs {known.count(c)} times" for c in twice]
    if problems:
        raise PanelError(
            "The design names columns that cannot be used.",
            problems,
            repair=f"The data have: {list_some(known, 30)}.",
        )
    if len(data) == 0:
        raise PanelError("The panel has no rows.")


def _report(
    bad: NDArray[Any], text: str, place: Callable[[int], str], problems: list[Problem], kind: str = "panel"
) -> None:
    found = np.flatnonzero(bad)
    if found.size:
        problems.append((kind, f"{text} {list_some(place(int(i)) for i in found)}"))


def _numbers(
    series: pd.Series[Any], role: str, place: Callable[[int], str], problems: list[Problem]
) -> Floats:
    kinds = pd.api.types
    if kinds.is_numeric_dtype(series.dtype) and not kinds.is_complex_dtype(series.dtype):
        return np.array(series.to_numpy(dtype=np.float64, na_value=np.nan))
    if kinds.is_datetime64_any_dtype(series.dtype) or isinstance(series.dtype, pd.PeriodDtype):
        problems.append(
            ("panel", f"{role} {series.name!r} holds dates; whole numbers are needed (a year, say)")
        )
        return np.full(len(series), np.nan)
    values = series.astype(object)
    text = np.array([isinstance(value, str) for value in values], dtype=bool)
    numbers = pd.to_numeric(values.where(~text), errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    readable = pd.to_numeric(values.where(text), errors="coerce").notna().to_numpy()
    bad = (text & ~readable) if (text & ~readable).any() else text
    bad = bad | (np.isnan(numbers) & ~text & values.notna().to_numpy())

    def shown(i: int) -> str:
        return f"{place(i)}: {values.iloc[i]!r}"

    _report(bad, f"{role} {series.name!r} holds text, not numbers, at", shown, problems)
    return np.array(numbers)


def _time(values: Floats, column: str, place: Callable[[int], str], problems: list[Problem]) -> Ints:
    if not any(column in text for _, text in problems):
        _report(~np.isfinite(values), f"time {column!r} is missing or infinite at", place, problems)
    finite = np.where(np.isfinite(values), values, 0.0)
    _report(finite != np.floor(finite), f"time {column!r} is not a whole number at", place, problems)
    return np.floor(finite).astype(np.int64)


def _cohort(values: Floats, time: Ints, place: Callable[[int], str], problems: list[Problem]) -> Floats:
    zero = values == 0
    if time.min() <= 0 <= time.max() and not problems:
        text = "cohort 0 could mean never treated or period 0 (code never treated as missing) at"
        _report(zero, text, place, problems, "design")
    cohort = np.where(zero | np.isinf(values), np.nan, values)
    _report(np.isneginf(values), "cohort is minus infinity at", place, problems)
    broken = ~np.isnan(cohort) & (cohort != np.floor(cohort))
    _report(broken, "cohort is not a whole number at", place, problems)
    return np.asarray(cohort)


def _check_rows(
    rows: Rows,
    no_unit: NDArray[Any],
    roles: Mapping[str, str],
    place: Callable[[int], str],
    problems: list[Problem],
) -> None:
    _report(no_unit, f"unit {roles['unit']!r} is missing at", place, problems)
    if not any(roles["time"] in text for _, text in problems):
        keys = pd.DataFrame({"unit": rows.label, "time": rows.time})
        again = (keys.duplicated() & ~no_unit).to_numpy()
        _report(again, "more than one row for", place, problems)
    cohort = pd.Series(np.where(np.isnan(rows.cohort), np.inf, rows.cohort))
    checks = [("cohort", cohort, "{} varies within")]
    for role, values in (("cluster", rows.cluster), ("effects", rows.effect)):
        if roles[role] != roles["unit"]:
            column = pd.Series(values, dtype=object)
            _report(column.isna().to_numpy(), f"{role} {roles[role]!r} is missing at", place, problems)
            checks.append((role, column, "{} does not hold whole units: it varies within"))
    for role, column, text in checks:
        many = column.groupby(pd.Series(rows.label, dtype=object)).nunique().gt(1)
        units = set(many[many].index)
        if units:
            first = {rows.label[i]: i for i in range(len(rows.label) - 1, -1, -1) if rows.label[i] in units}
            who = sorted(named(rows.name[i], rows.label[i]) for i in first.values())
            what = text.format(f"{role} {roles[role]!r}")
            problems.append(("design", f"{what} {list_some(who)}"))


def _raise(problems: list[Problem]) -> None:
    if not problems:
        return
    design = any(kind == "design" for kind, _ in problems)
    error = DesignError if design else PanelError
    raise error(
        "The design cannot be built on these data.",
        [text for _, text in problems],
        repair=(
            "Correct the data (one row per unit and period, numbers as numbers, one cohort "
            "per unit) and try again."
        ),
    )


def _complete(rows: Rows, roles: Mapping[str, str], covariates: tuple[str, ...]) -> tuple[Rows, Dropped]:
    columns = [(f"missing {roles['outcome']}", rows.y)]
    columns += [(f"missing {c}", rows.X[:, j]) for j, c in enumerate(covariates)]
    columns += [] if rows.w is None else [(f"missing {roles['weights']}", rows.w)]
    reason = np.full(rows.y.size, "", dtype=object)
    for text, values in columns:
        reason[(reason == "") & np.isnan(values)] = text
    codes = codes_of(rows.label)[1]
    order = np.lexsort((rows.time, codes))
    rows, reason = rows.take(order), reason[order]
    gone = np.flatnonzero(reason != "")
    dropped = [(rows.label[i], int(rows.time[i]), str(reason[i])) for i in gone]
    if gone.size == rows.y.size:
        raise DesignError(
            "No row has an outcome, covariates and weights.", repair="See which columns are empty."
        )
    return rows.take(reason == ""), dropped


def drop_always_treated(rows: Rows, dropped: Dropped, anticipation: int, rule: str) -> tuple[Rows, Dropped]:
    codes = codes_of(rows.label)[1]
    treated = rows.time >= rows.cohort - anticipation
    always = np.bincount(codes, weights=~treated) == 0
    if rule == "keep" or not always.any():
        return rows, dropped
    gone = always[codes]
    first = [i for i in np.unique(codes, return_index=True)[1] if gone[i]]
    who = list_some(named(rows.name[i], rows.label[i]) for i in first)
    message = (
        f"{len(first)} always-treated units leave the sample, as they have no period before adoption: "
        f"{who}. Keep them with always_treated='keep'."
    )
    warnings.warn(message, SampleWarning, stacklevel=3)
    more = [(rows.label[i], int(rows.time[i]), "always treated") for i in np.flatnonzero(gone)]
    if gone.all():
        raise DesignError("Every unit is treated in every observed period: there is no before.")
    return rows.take(~gone), [*dropped, *more]
