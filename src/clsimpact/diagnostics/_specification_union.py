"""One panel out of several frames that date adoption differently, or leave out different units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clsimpact.errors import DesignError, PanelError, did_you_mean, list_some

__all__ = ["Union", "united"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Union:
    """Rows of all frames, sorted by unit and time.

    Attributes
    ----------
    frame : pandas.DataFrame
        Columns that are used, one row per unit and time.
    unit, time : str
    cohorts : dict
        First treated period of the unit of each row (n), by definition of dates; NaN where it never adopts.
    present : dict
        Whether the frame of that definition has the row (n).
    columns : dict
        Name of the cohort column of each definition.
    """

    frame: pd.DataFrame
    unit: str
    time: str
    cohorts: dict[str, Floats]
    present: dict[str, Bools]
    columns: dict[str, str]

    @cached_property
    def units(self) -> tuple[Any, ...]:
        """Labels of the units (N), sorted."""
        return tuple(self.frame[self.unit].iloc[np.unique(self.unit_codes, return_index=True)[1]].tolist())

    @cached_property
    def unit_codes(self) -> Ints:
        """Unit of each row (n)."""
        return pd.factorize(self.frame[self.unit])[0].astype(np.int64)

    @cached_property
    def periods(self) -> tuple[int, ...]:
        """Periods of the panel (T), sorted."""
        return tuple(int(t) for t in np.unique(self.times))

    @cached_property
    def times(self) -> Ints:
        """Period of each row (n)."""
        return self.frame[self.time].to_numpy(dtype=np.int64)

    @cached_property
    def time_codes(self) -> Ints:
        """Position of the period of each row (n)."""
        return np.searchsorted(self.periods, self.times).astype(np.int64)

    def laid(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Lay values of rows (n) out as units by periods (N, T), zero where there is no row."""
        out = np.zeros((len(self.units), len(self.periods)), dtype=rows.dtype)
        out[self.unit_codes, self.time_codes] = rows
        return out

    def never_rows(self) -> Bools:
        """Rows of units that adopt under no definition of dates (n)."""
        dated = [np.isfinite(values) & self.present[name] for name, values in self.cohorts.items()]
        adopts = np.zeros(len(self.units), dtype=bool)
        adopts[self.unit_codes[np.any(dated, axis=0)]] = True
        return ~adopts[self.unit_codes]

    def profiles(self) -> Ints:
        """Adoption path of each unit (N): 0 where it never adopts and no frame leaves it out, else 1 and up.

        A path is what every definition of dates says of a unit: its cohort, that it never adopts, or that it
        is left out.
        """
        first = np.searchsorted(self.unit_codes, np.arange(len(self.units)))
        keys = np.zeros((len(self.units), len(self.cohorts)))
        for j, (name, values) in enumerate(self.cohorts.items()):
            at = np.zeros(len(self.units), dtype=bool)
            at[self.unit_codes[self.present[name]]] = True
            never = ~np.isfinite(values[first])
            keys[:, j] = np.where(at, np.where(never, 0.0, values[first]), -np.inf)
        plain = (keys == 0).all(axis=1)
        out = np.zeros(len(self.units), dtype=np.int64)
        if not plain.all():
            out[~plain] = np.unique(keys[~plain], axis=0, return_inverse=True)[1].ravel() + 1
        return out

    def open_rows(self, name: str) -> Bools:
        """Rows that units have, or would have if the frame did not leave them out for their adoption (n)."""
        there = self.present[name]
        seen = np.zeros(len(self.units), dtype=bool)
        seen[self.unit_codes[there]] = True
        in_frame = np.zeros(len(self.periods), dtype=bool)
        in_frame[self.time_codes[there]] = True
        return np.asarray(np.where(seen[self.unit_codes], there, in_frame[self.time_codes]))


def united(
    data: pd.DataFrame | Mapping[str, pd.DataFrame],
    unit: str,
    time: str,
    cohort: str | Mapping[str, str],
    used: Sequence[str],
    problems: list[str],
) -> tuple[Union, pd.DataFrame]:
    """Return the rows of all frames as one panel, and the same with every column for filters to look at.

    Raises
    ------
    PanelError
        Frames that cannot be read, that lack columns, or that contradict each other.
    """
    frames, columns = _named(data, cohort)
    needed = list(dict.fromkeys([unit, time, *used]))
    wrong = [
        text for name, frame in frames.items() for text in _frame_problems(name, frame, needed, columns[name])
    ]
    _refuse(wrong, problems)
    sorts = {id(frame): _sorted(frame, unit, time) for frame in frames.values()}
    plain = {name: sorts[id(frame)] for name, frame in frames.items()}
    repeated = [text for name, frame in plain.items() for text in _row_problems(name, frame, unit, time)]
    _refuse(repeated, problems)
    whole = _stacked(list(plain.values()), unit, time)
    keys = pd.MultiIndex.from_frame(whole[[unit, time]])
    cohorts, present = {}, {}
    for name, frame in plain.items():
        at = keys.get_indexer(pd.MultiIndex.from_frame(frame[[unit, time]]))
        wrong += _conflicts(name, frame, whole.iloc[at], [c for c in needed if c not in (unit, time)])
        values, there = np.full(len(whole), np.nan), np.zeros(len(whole), dtype=bool)
        values[at], there[at] = _numbers(frame[columns[name]]), True
        cohorts[name], present[name] = values, there
        wrong += _cohort_problems(name, frame[unit], frame[columns[name]], values[at])
    _refuse(wrong, problems)
    extra = [name for name in ("name", "simulated") if name in whole and name not in needed]
    small = whole[[*needed, *extra]].copy()
    whole = pd.DataFrame(whole, copy=False)
    whole.attrs = next(iter(frames.values())).attrs
    held = whole.attrs.get("columns")
    small.attrs = {key: whole.attrs[key] for key in ("source_line", "simulated") if key in whole.attrs}
    if isinstance(held, Mapping):
        small.attrs["columns"] = {key: held[key] for key in needed if key in held}
    made = Union(small, unit, time, cohorts, present, columns)
    for name, values in cohorts.items():  # each unit has one cohort, also in rows that a frame lacks
        cohorts[name] = _spread(values, present[name], made.unit_codes)
    return made, whole


def _refuse(wrong: Sequence[str], others: Sequence[str]) -> None:
    """Refuse data that cannot be read, and tell what else is wrong."""
    if wrong:
        problems = [*others, *wrong]
        raise PanelError("The specifications cannot be laid out.", problems, repair="Correct the above.")


def _named(data: Any, cohort: Any) -> tuple[dict[str, pd.DataFrame], dict[str, str]]:
    """Return frame and cohort column of each definition of dates."""
    if isinstance(data, pd.DataFrame):
        columns = {cohort: cohort} if isinstance(cohort, str) else {str(k): str(v) for k, v in cohort.items()}
        return dict.fromkeys(columns, data), columns
    frames = {str(name): frame for name, frame in data.items()} if isinstance(data, Mapping) else {}
    if not frames or not all(isinstance(frame, pd.DataFrame) for frame in frames.values()):
        raise PanelError(
            "The data are no pandas DataFrame, nor a mapping of labels to DataFrames.",
            repair="Give a DataFrame, or a mapping of labels to DataFrames.",
        )
    if not isinstance(cohort, str):
        raise DesignError(
            "Dates are given twice: several frames, and several cohort columns.",
            repair="Give one frame with cohort={'label': 'column', ...}, or several frames with one column.",
        )
    made_up = {bool(frame.attrs.get("simulated")) for frame in frames.values()}
    if len(made_up) > 1:
        raise PanelError("Some frames are made up and others are not.", repair="Use one kind.")
    return frames, dict.fromkeys(frames, cohort)


def _frame_problems(name: str, frame: pd.DataFrame, needed: Sequence[str], cohort: str) -> list[str]:
    known = [str(column) for column in frame.columns]
    return [
        f"{name}: no column {column!r}{did_you_mean(column, known)}"
        for column in dict.fromkeys([*needed, cohort])
        if column not in known
    ]


def _sorted(frame: pd.DataFrame, unit: str, time: str) -> pd.DataFrame:
    bare = pd.DataFrame(
        frame, copy=False
    )  # pandas copies attributes with every column: a bare frame has none
    bare.attrs = {}
    return bare.sort_values([unit, time], kind="stable").reset_index(drop=True)


def _row_problems(name: str, frame: pd.DataFrame, unit: str, time: str) -> list[str]:
    if frame[[unit, time]].isna().any(axis=None):
        return [f"{name}: rows without {unit} or {time}"]
    twice = frame.loc[frame.duplicated([unit, time]), [unit, time]]
    if twice.empty:
        return []
    where = list_some(f"{u} in {t}" for u, t in twice.itertuples(index=False))
    return [f"{name}: more than one row for {where}"]


def _stacked(frames: Sequence[pd.DataFrame], unit: str, time: str) -> pd.DataFrame:
    """Return every row of any frame once, as the first frame that has it."""
    distinct = list({id(frame): frame for frame in frames}.values())
    if len(distinct) == 1:
        return distinct[0]
    whole = pd.concat(distinct, ignore_index=True).drop_duplicates([unit, time])
    return _sorted(whole, unit, time)


def _conflicts(name: str, frame: pd.DataFrame, same: pd.DataFrame, columns: Sequence[str]) -> list[str]:
    """Say where a frame contradicts an earlier one: dates may differ, figures may not."""
    out = []
    for column in columns:
        one, two = frame[column].reset_index(drop=True), same[column].reset_index(drop=True)
        differ = (one.ne(two) & ~(one.isna() & two.isna())).fillna(True)
        if bool(differ.any()):
            out.append(f"{name}: {int(differ.sum())} values of {column!r} differ from those of another frame")
    return out


def _numbers(column: pd.Series[Any]) -> Floats:
    found = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    return np.where(np.isinf(found) | (found == 0), np.nan, found)


def _cohort_problems(name: str, units: pd.Series[Any], column: pd.Series[Any], values: Floats) -> list[str]:
    given = pd.to_numeric(column, errors="coerce")
    text = column[given.isna() & column.notna()]
    out = [f"{name}: cohort {column.name!r} is no number: {list_some(text.unique(), 5)}"] if len(text) else []
    filled = pd.Series(np.nan_to_num(values, nan=0.0)).groupby(units.to_numpy()).nunique()
    several = filled.index[filled > 1].tolist()
    return out + ([f"{name}: cohort {column.name!r} varies within {list_some(several)}"] if several else [])


def _spread(values: Floats, present: Bools, codes: Ints) -> Floats:
    """Give every row of a unit the cohort of the rows that a frame has."""
    own = np.full(codes.max(initial=-1) + 1, np.nan)
    own[codes[present]] = values[present]
    return own[codes]
