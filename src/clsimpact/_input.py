"""Reading the columns of a design: what can be wrong with a panel is found and reported here, at once."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clsimpact._codes import Factor, factor_of, row_order, starts, whole_levels
from clsimpact._doubtful import warn_of_doubtful
from clsimpact._frames import Table
from clsimpact._input_repairs import repair_of
from clsimpact._outcome import is_made_up, marked
from clsimpact._own_files import reading_words
from clsimpact.errors import DesignError, PanelError, SampleWarning, did_you_mean, list_some

__all__ = ["Gone", "Rows", "drop_always_treated", "gone", "is_made_up", "marked", "named", "read"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Problem = tuple[str, str]

_NINES: Final = (99, 999, 9999, 99999)
_FAR: Final = 20
"""Some write such a number for units that are never treated; so late after the data, it is no period."""

LARGEST_PERIOD = 2.0**53
"""Beyond this, double precision does not hold every whole number."""


@dataclass(frozen=True)
class Rows:
    """The rows of the sample, one array per role, sorted by unit and time.

    ``cluster`` and ``effect`` are None where they are the unit. ``names`` is the column of names as it was
    read, and ``at`` the position of each row in it; both are None where units are named by their label.
    """

    unit: Factor
    time: Factor
    cohort: Floats
    y: Floats
    X: Floats
    w: Floats | None
    cluster: Factor | None
    effect: Factor | None
    names: pd.Series[Any] | None
    at: Ints | None

    def take(self, keep: NDArray[Any]) -> Rows:
        """Return some rows (True or position), levels unchanged."""

        def some(part: Any) -> Any:
            return None if part is None else part.take(keep) if isinstance(part, Factor) else part[keep]

        parts: dict[str, Any] = {key: some(part) for key, part in vars(self).items() if key != "names"}
        return replace(self, **parts)

    def compact(self) -> Rows:
        """Return the same rows, without levels that have none."""
        parts: dict[str, Any] = {key: p.compact() for key, p in vars(self).items() if isinstance(p, Factor)}
        return replace(self, **parts)

    def names_of(self, rows: Ints) -> tuple[str, ...]:
        """Return the name of the unit of each of these rows."""
        labels = [self.unit.levels[code] for code in self.unit.codes[rows].tolist()]
        if self.names is None or self.at is None:
            return tuple(str(label) for label in labels)
        found = self.names.iloc[self.at[rows]].to_numpy(dtype=object)
        return tuple(named(name, label) for name, label in zip(found, labels, strict=True))


@dataclass(frozen=True)
class Gone:
    """Rows that left the sample, and why: one reason for all, or the position of each in ``reasons``."""

    unit: Factor
    time: Ints
    reasons: tuple[str, ...]
    reason: Ints | None = None

    def tuples(self) -> list[tuple[Any, int, str]]:
        """Return unit, time and reason of each row."""
        which = [0] * len(self) if self.reason is None else self.reason.tolist()
        rows = zip(self.unit.codes.tolist(), self.time.tolist(), which, strict=True)
        return [(self.unit.levels[u], t, self.reasons[r]) for u, t, r in rows]

    def __len__(self) -> int:
        return int(self.time.size)


def gone(rows: Rows, out: Bools, reason: str) -> Gone:
    """Return the record of rows that leave for one reason."""
    at = np.flatnonzero(out)
    return Gone(rows.unit.take(at), _periods(rows.time)[rows.time.codes[at]], (reason,))


def _periods(time: Factor) -> Ints:
    return np.array(time.levels, dtype=np.int64)


class _Place:
    """Unit and period of a row in words; nothing is converted before something is wrong."""

    def __init__(self, frame: pd.DataFrame, roles: Mapping[str, str]) -> None:
        self._frame, self._roles = frame, roles

    @cached_property
    def label(self) -> NDArray[np.object_]:
        return self._frame[self._roles["unit"]].to_numpy(dtype=object)

    @cached_property
    def name(self) -> NDArray[np.object_]:
        if self._roles["names"] == self._roles["unit"]:
            return self.label
        return self._frame[self._roles["names"]].to_numpy(dtype=object)

    @cached_property
    def when(self) -> pd.Series[Any]:
        return self._frame[self._roles["time"]].astype(object)

    def who(self, i: int) -> str:
        return named(_whole(self.name[i]), _whole(self.label[i]))

    def __call__(self, i: int) -> str:
        when = self.when.iloc[i]
        who = f"row {i + 1}" if pd.isna(self.label[i]) and self.name is self.label else self.who(i)
        return f"{who} (row {i + 1})" if pd.isna(when) else f"{who} in {_whole(when)}"


def _whole(value: Any) -> Any:
    """Return a whole number without the decimal point that a gap in its column gave it."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def named(name: object, label: object) -> str:
    return str(label) if name is label or str(name) == str(label) or pd.isna(name) else f"{name} ({label})"  # type: ignore[call-overload]


def read(table: Table, roles: Mapping[str, str], covariates: tuple[str, ...]) -> tuple[Rows, list[Gone]]:
    """Read, check and sort the rows; those that lack a value leave.

    Raises
    ------
    PanelError, DesignError
        All problems of the panel together.
    """
    _require_columns(table, roles, covariates)
    data, problems = table.frame, list[Problem]()
    place = _Place(data, roles)

    def number(role: str, column: str) -> Floats:
        return _numbers(data[column], role, place, problems)

    unit = _labels(data, "unit", roles)
    time = _time(data[roles["time"]], roles["time"], place, problems)
    cohort = _cohort(number("cohort", roles["cohort"]), roles["cohort"], time, place, problems)
    y = number("outcome", roles["outcome"])
    X = np.column_stack([np.empty((len(data), 0)), *(number("covariate", c) for c in covariates)])
    w = number("weights", roles["weights"]) if roles["weights"] else None
    for column, values in ((roles["outcome"], y), *zip(covariates, X.T, strict=True)):
        _report(np.isinf(values), f"column {column!r} is infinite at", place, problems)
    if w is not None:
        _report(w <= 0, f"weights {roles['weights']!r} are not positive at", place, problems)
        _report(np.isinf(w), f"weights {roles['weights']!r} are infinite at", place, problems)
    cluster, effect = (
        None if roles[key] == roles["unit"] else _labels(data, key, roles) for key in ("cluster", "effects")
    )
    own = roles["names"] == roles["unit"]
    names, at = (None, None) if own else (data[roles["names"]].copy(), np.arange(len(data)))
    rows = Rows(unit, time, cohort, y, X, w, cluster, effect, names, at)
    order = _check_rows(rows, roles, place, problems)
    if not any(text.startswith("time ") for _, text in problems):
        warn_of_doubtful(unit.levels, time.levels, roles)
    _raise(problems)
    return _complete(_sorted(rows, order), roles, covariates)


def _labels(data: pd.DataFrame, role: str, roles: Mapping[str, str]) -> Factor:
    try:
        return factor_of(data[roles[role]])
    except TypeError:
        text = f"{role} {roles[role]!r} holds lists or records; a label has to be a text or a number"
        raise PanelError(
            "The design cannot be built on these data.",
            [text],
            repair="Make a label of each, such as its first part.",
        ) from None


def _sorted(rows: Rows, order: Ints | None) -> Rows:
    """Put rows in order; the result shares no memory with the data."""
    if order is not None:
        return rows.take(order)
    return replace(rows, y=rows.y.copy(), w=None if rows.w is None else rows.w.copy())


def _require_columns(table: Table, roles: Mapping[str, str], covariates: tuple[str, ...]) -> None:
    columns = table.known
    if isinstance(columns, pd.MultiIndex):
        raise PanelError("The columns have several levels.", repair="Give the columns one name each.")
    asked = [(role, column) for role, column in roles.items() if column]
    asked += [("covariates", column) for column in covariates]
    asked += [("simulated", "simulated")] if "simulated" in columns else []
    if not columns.is_unique or not all(column in columns for _, column in asked):
        _refuse_columns(table, asked)
    if len(table.frame) == 0:
        raise PanelError("The panel has no rows.", repair="Look at how it was read or selected.")


def _refuse_columns(table: Table, asked: list[tuple[str, str]]) -> None:
    columns, known = table.known, [str(column) for column in table.known]
    absent: dict[str, str] = {}
    for role, column in asked:
        if column not in columns:
            absent.setdefault(str(column), role)
    problems = [f"{role} {c!r} is not a column{did_you_mean(c, known)}" for c, role in absent.items()]
    twice = sorted({c for _, c in asked if c in columns and known.count(c) > 1})
    problems += [f"column {c!r} occurs {known.count(c)} times" for c in twice]
    if problems:
        raise PanelError(
            "The design names columns that cannot be used.",
            problems,
            repair=f"The data have: {list_some(map(_shown, known), 30)}.{_hint(table, absent, twice)}",
        )


def _hint(table: Table, absent: Mapping[str, str], twice: list[str]) -> str:
    """Say more about columns that are not there, or there twice, where the reason can be seen."""
    known = [str(column) for column in table.known]
    if indexed := list_some([column for column in absent if column in table.frame.index.names]):
        return f" The index has {indexed}: use data.reset_index()."
    if twice:
        return f" Keep or rename one of each: {list_some(twice)}."
    if "cohort" in absent.values() and "ons_code" in known and "adoption_status" not in known:
        return " tag_adoption(panel, load_adoption()) adds adoption_year, the cohort of each council."
    return reading_words(known)


def _shown(name: str) -> str:
    """Return a heading, in quotation marks if there are blanks around it."""
    return name if name == name.strip() else repr(name)


def _report(
    bad: NDArray[Any],
    text: str,
    place: Callable[[int], str],
    problems: list[Problem],
    kind: str = "panel",
    limit: int = 12,
) -> None:
    if bad.any():
        problems.append((kind, f"{text} {list_some((place(int(i)) for i in np.flatnonzero(bad)), limit)}"))


def _numbers(
    series: pd.Series[Any], role: str, place: Callable[[int], str], problems: list[Problem]
) -> Floats:
    """Return a column as numbers; the result may share memory with it."""
    kinds, dtype = pd.api.types, series.dtype
    if isinstance(dtype, np.dtype) and dtype.kind in "fiub":
        return series.to_numpy().astype(np.float64, copy=False)
    if kinds.is_numeric_dtype(dtype) and not kinds.is_complex_dtype(dtype):
        return series.to_numpy(dtype=np.float64, na_value=np.nan)
    if kinds.is_complex_dtype(dtype):
        problems.append(("panel", f"{role} {series.name!r} holds complex numbers; real numbers are needed"))
        return np.full(len(series), np.nan)
    if kinds.is_datetime64_any_dtype(dtype) or isinstance(dtype, pd.PeriodDtype):
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

    _report(bad, f"{role} {series.name!r} holds text, not numbers, at", shown, problems, limit=4)
    return np.array(numbers)


def _time(
    series: pd.Series[Any], column: str, place: Callable[[int], str], problems: list[Problem]
) -> Factor:
    dtype = series.dtype
    if isinstance(dtype, np.dtype) and dtype.kind == "i":
        whole = series.to_numpy().astype(np.int64, copy=False)
    else:
        values = _numbers(series, "time", place, problems)
        if not any(column in text for _, text in problems):
            _report(~np.isfinite(values), f"time {column!r} is missing or infinite at", place, problems)
        finite = np.where(np.isfinite(values), values, 0.0)
        beyond = np.abs(finite) > LARGEST_PERIOD
        _report(beyond, f"time {column!r} is beyond what can be told apart at", place, problems)
        finite[beyond] = 0.0
        _report(finite != np.floor(finite), f"time {column!r} is not a whole number at", place, problems)
        whole = np.floor(finite).astype(np.int64)
    levels, codes = whole_levels(whole)
    return Factor(tuple(levels.tolist()), codes)


def _cohort(
    values: Floats, column: str, time: Factor, place: Callable[[int], str], problems: list[Problem]
) -> Floats:
    zero = values == 0
    if time.levels[0] <= 0 <= time.levels[-1] and not problems:
        text = f"cohort {column!r} is 0, which could mean never treated or period 0, at"
        _report(zero, text, place, problems, "design")
    never = ~np.isfinite(values) | zero
    if time.levels[0] > 1 and not never.all() and (values[~never] == 1).all():
        text = f"cohort {column!r} holds marks (1), not the first treated period of a unit"
        problems.append(("design", text))
    nines = np.isin(values, _NINES) & (values > time.levels[-1] + _FAR)
    _report(nines, f"cohort {column!r} is a mark for never treated, not a period, at", place, problems)
    cohort = np.floor(values)
    _report(values == -np.inf, f"cohort {column!r} is minus infinity at", place, problems)
    broken = (cohort != values) & ~never
    _report(broken, f"cohort {column!r} is not a whole number at", place, problems)
    np.copyto(cohort, np.nan, where=never)
    if broken.any():
        np.copyto(cohort, values, where=broken)
    return cohort


def _check_rows(rows: Rows, roles: Mapping[str, str], place: _Place, problems: list[Problem]) -> Ints | None:
    """Report units without a label, repeated rows and what varies within units; return the order of rows."""
    no_unit = rows.unit.codes < 0
    _report(no_unit, f"unit {roles['unit']!r} is missing at", place, problems)
    order, distinct = (None, False) if no_unit.any() else row_order(rows.unit, rows.time)
    if not distinct and not any(roles["time"] in text for _, text in problems):
        key = pd.Series(rows.unit.codes * len(rows.time.levels) + rows.time.codes)
        _report(key.duplicated().to_numpy() & ~no_unit, "more than one row for", place, problems)
    # The same bits: all rows without a cohort hold one and the same NaN, and zero is not a cohort.
    cohort = rows.cohort.view(np.int64)
    checks = [("cohort", cohort, no_unit, "{} varies within")]
    for role, factor in (("cluster", rows.cluster), ("effects", rows.effect)):
        if factor is not None:
            unknown = factor.codes < 0
            _report(unknown, f"{role} {roles[role]!r} is missing at", place, problems)
            text = "{} does not hold whole units: it varies within"
            checks.append((role, factor.codes, unknown | no_unit, text))
    in_order = distinct and order is None
    for role, values, unknown, text in checks:
        found = _varying(rows.unit, values, unknown, in_order=in_order)
        if found.size:
            what = text.format(f"{role} {roles[role]!r}")
            who = sorted(place.who(int(i)) for i in found)
            problems.append(("design", f"{what} {list_some(who)}"))
    return order


def _varying(unit: Factor, values: Ints, unknown: Bools, *, in_order: bool) -> Ints:
    """Return the first row of each unit whose known values differ."""
    changes = in_order and (values[1:] != values[:-1]) & (unit.codes[1:] == unit.codes[:-1])
    if in_order and not np.any(changes):
        return np.empty(0, dtype=np.int64)
    rows = np.flatnonzero(~unknown)
    codes, some = unit.codes[rows], np.zeros(len(unit.levels), dtype=np.int64)
    some[codes] = rows
    differs = values[some[codes]] != values[rows]
    if not differs.any():
        return np.empty(0, dtype=np.int64)
    first = np.unique(unit.codes, return_index=True)
    return np.asarray(first[1][np.isin(first[0], codes[differs])])


def _raise(problems: list[Problem]) -> None:
    if not problems:
        return
    design = any(kind == "design" for kind, _ in problems)
    error = DesignError if design else PanelError
    raise error(
        "The design cannot be built on these data.",
        [text for _, text in problems],
        repair=repair_of(text for _, text in problems),
    )


def _complete(rows: Rows, roles: Mapping[str, str], covariates: tuple[str, ...]) -> tuple[Rows, list[Gone]]:
    columns = [(f"missing {roles['outcome']}", rows.y)]
    columns += [(f"missing {c}", rows.X[:, j]) for j, c in enumerate(covariates)]
    columns += [] if rows.w is None else [(f"missing {roles['weights']}", rows.w)]
    absent = [np.isnan(values) for _, values in columns]
    out = np.logical_or.reduce(absent)
    if not out.any():
        return rows, []
    if out.all():
        raise DesignError(
            "No row has an outcome, covariates and weights.",
            [
                f"{text.removeprefix('missing ')!r} is empty in {part.sum()} of {part.size} rows"
                for (text, _), part in zip(columns, absent, strict=True)
                if part.any()
            ],
            repair="Use an outcome that has values, or leave out the covariate or the weights.",
        )
    reason = np.argmax([part[out] for part in absent], axis=0)
    record = replace(gone(rows, out, ""), reasons=tuple(text for text, _ in columns), reason=reason)
    return rows.take(~out), [record]


def drop_always_treated(
    rows: Rows, dropped: list[Gone], anticipation: int, rule: str
) -> tuple[Rows, list[Gone]]:
    """Leave out units treated in their first observed period, and so in every later one."""
    if rule == "keep":
        return rows, dropped
    first = starts(rows.unit.codes)
    always = _periods(rows.time)[rows.time.codes[first]] >= rows.cohort[first] - anticipation
    if not always.any():
        return rows, dropped
    message = (
        f"{int(always.sum())} always-treated units leave the sample, as they have no period before adoption: "
        f"{list_some(rows.names_of(first[always]))}. Keep them with always_treated='keep'."
    )
    if (rows.cohort[first[always]] < 0).any():
        message += " A cohort below 0 is a date: code never treated as missing."
    warnings.warn(message, SampleWarning, stacklevel=3)
    if always.all():
        raise DesignError(
            "Every unit is treated in every observed period: there is no before.",
            [message],
            repair="Add periods before adoption, or units that adopt later or never.",
        )
    out = np.repeat(always, np.diff(np.append(first, rows.y.size)))
    return rows.take(~out), [*dropped, gone(rows, out, "always treated")]
