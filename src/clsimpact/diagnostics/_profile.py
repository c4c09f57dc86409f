"""What units were like before anybody adopted: the numbers and groups that comparisons are judged by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clsimpact.errors import DesignError

if TYPE_CHECKING:
    from clsimpact.design import Design
    from clsimpact.diagnostics.setting import Setting

__all__ = ["Profile", "before", "groups", "profile", "region_column", "region_names"]

Floats = NDArray[np.float64]

SMALLEST_GROUP = 5
"""Units of a group that a row of the table needs: of fewer, chance alone makes shares differ widely."""

MOST_ABSENT = 0.1
"""Share of units without a figure up to which a column is used: their place is taken by the mean of all."""

SAME = 1e-9
"""Range, as a share of the largest figure, below which figures differ by rounding only.

Means of equal figures leave 1e-15; figures in print have six digits at the most."""

MOST_COLUMNS = 12
"""Columns taken unasked from a panel that names none, in its order: each one makes the rest harder to see."""

POPULATION, OLDER, DEPRIVATION = "population_18_plus", "population_65_plus", "imd_2019"


@dataclass(frozen=True, eq=False)
class Profile:
    """Figures of each unit before the first adoption.

    Attributes
    ----------
    numbers : float array (N, k)
        Levels, trends, sizes.
    groups : float array (N, g)
        One where a unit is of a group (a region, a type), else zero.
    labels : tuple of str
        What each column is, numbers first.
    filled : int
        Figures that were missing and stand at the mean.
    years : tuple of int
        Periods before the first adoption.
    adopts : boolean array (N)
        True for units that adopt in the panel.
    """

    numbers: Floats
    groups: Floats
    labels: tuple[str, ...]
    filled: int
    years: tuple[int, ...]
    adopts: NDArray[np.bool_]

    @property
    def figures(self) -> Floats:
        """Numbers and groups side by side (N, k + g)."""
        return np.hstack([self.numbers, self.groups])

    @property
    def scaled(self) -> Floats:
        """Numbers in standard deviations about the mean of all units (N, k)."""
        return np.asarray((self.numbers - self.numbers.mean(axis=0)) / self.numbers.std(axis=0))


def before(design: Design) -> NDArray[np.bool_]:
    """Return the rows before anybody adopts (n).

    Raises
    ------
    DesignError
        If the first adoption is in the first period.
    """
    first = min(design.cohort_sizes) - design.anticipation
    rows = np.asarray(design.times < first)
    if not rows.any():
        raise DesignError(
            f"No period lies before the first adoption ({first}).",
            repair="Add earlier periods to the panel, or leave out the first cohort.",
        )
    return rows


def profile(setting: Setting) -> Profile:
    """Return what units were like before the first adoption, by the columns that the panel has.

    Raises
    ------
    DesignError
        If all units adopt in the panel: there is none to compare them with.
    """
    design = setting.design
    if design.in_window.all():
        raise DesignError(
            f"Every {setting.word} adopts in the panel, so there is none to compare adopters with.",
            repair=f"Add {setting.word}s that do not adopt in these periods.",
        )
    found = [*_path(design), *_columns(setting)]
    numbers, labels, filled = [], [], 0
    for label, values in found:
        absent = np.isnan(values)
        whole = np.where(absent, np.nanmean(values) if not absent.all() else 0.0, values)
        if absent.mean() <= MOST_ABSENT and np.ptp(whole) > SAME * np.abs(whole).max():
            numbers.append(whole)
            labels.append(label)
            filled += int(absent.sum())
    indicators = [pair for name in _group_columns(setting) for pair in groups(setting, name)]
    return Profile(
        np.column_stack(numbers) if numbers else np.empty((len(design.units), 0)),
        np.column_stack([values for _, values in indicators])
        if indicators
        else np.empty((len(design.units), 0)),
        (*labels, *(label for label, _ in indicators)),
        filled,
        tuple(sorted({int(t) for t in design.times[before(design)]})),
        design.in_window,
    )


def _path(design: Design) -> Iterator[tuple[str, Floats]]:
    """Level of the outcome before the first adoption, and its trend where there are two periods."""
    rows = before(design)
    n = len(design.units)
    codes, y, t = design.unit_codes[rows], design.y[rows], design.times[rows].astype(float)
    count = np.bincount(codes, minlength=n).astype(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        level = np.bincount(codes, y, n) / count
        centred = t - (np.bincount(codes, t, n) / count)[codes]
        spread = np.bincount(codes, centred**2, n)
        slope = np.bincount(codes, centred * y, n) / np.where(spread > 0, spread, np.nan)
    yield "outcome before", level
    if len(set(t)) > 1:
        yield "its trend before", slope


def _columns(setting: Setting) -> Iterator[tuple[str, Floats]]:
    """Further numbers of each unit: those the panel names, those of councils, or all that do not change."""
    design, named = setting.design, _named(setting)
    for name in named:
        if name not in _group_columns(setting):
            yield _label(setting, name), _mean_before(setting, name)
    if named:
        return
    if design.unit == "ons_code":
        if setting.has(POPULATION):
            yield "population aged 18+ (log)", np.log(_mean_before(setting, POPULATION))
        if setting.has(POPULATION, OLDER):
            share = _mean_before(setting, OLDER) / _mean_before(setting, POPULATION)
            yield "share aged 65+", share
        if setting.has(DEPRIVATION):
            yield "deprivation (IMD 2019)", _mean_before(setting, DEPRIVATION)
    for name in (*design.covariates, *_unchanging(setting)):
        yield _label(setting, name), _mean_before(setting, name)


def _named(setting: Setting) -> list[str]:
    """Columns that the panel names for the balance table."""
    listed = setting.data.attrs.get("balance", ()) if setting.data is not None else ()
    return [listed] if isinstance(listed, str) else [str(name) for name in listed]


def _label(setting: Setting, name: str) -> str:
    attrs = {} if setting.data is None else setting.data.attrs.get("columns", {})
    return str(attrs.get(name, {}).get("label", name)) if isinstance(attrs, dict) else name


def _mean_before(setting: Setting, name: str) -> Floats:
    """Mean of a column over the rows before the first adoption, by unit (N)."""
    design = setting.design
    rows = before(design)
    values = pd.to_numeric(setting.column(name), errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    there = rows & np.isfinite(values)
    n = len(design.units)
    count = np.bincount(design.unit_codes[there], minlength=n)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.bincount(design.unit_codes[there], values[there], n) / count)


def _unchanging(setting: Setting) -> list[str]:
    """Numeric columns that do not change within units, of panels other than those of councils.

    Columns that are the same for all units of each cohort describe adoption itself and are left out.
    """
    design, data = setting.design, setting.data
    if data is None or design.unit == "ons_code":
        return []
    roles = {design.unit, design.time, design.cohort, design.cluster, design.outcome, design.weights}
    roles |= {*design.covariates, "simulated"}
    found = []
    for name in map(str, data.columns):
        if name in roles or not pd.api.types.is_numeric_dtype(data[name]):
            continue
        within = data.groupby(design.unit, observed=True)[name].nunique()
        by_cohort = data.fillna({design.cohort: 0}).groupby(design.cohort, observed=True)[name].nunique()
        if within.max() == 1 and by_cohort.max() > 1:
            found.append(name)
    return found[:MOST_COLUMNS]


def region_column(setting: Setting) -> str:
    """Return the column of regions: ``data.attrs["region"]``, else ``"region"``."""
    return str(setting.data.attrs.get("region", "region")) if setting.data is not None else "region"


def region_names(setting: Setting) -> pd.Series[str]:
    """Return the region of each unit, empty where it is not known.

    Raises
    ------
    DesignError
        No column of regions.
    """
    name = region_column(setting)
    if not setting.has(name):
        raise DesignError(
            f"The panel has no column {name!r} of regions.",
            repair='Name the column of regions in data.attrs["region"].',
        )
    values = setting.constant(name)
    return pd.Series([_text(value) for value in values], index=values.index, name=name)


def _group_columns(setting: Setting) -> list[str]:
    """Columns of groups that the panel has."""
    names = [region_column(setting)]
    names += ["council_type"] if setting.design.unit == "ons_code" else []
    return [name for name in names if setting.has(name)]


def groups(setting: Setting, name: str) -> list[tuple[str, Floats]]:
    """Return an indicator (N) for each group of a column that is neither small nor nearly everybody."""
    values = setting.constant(name)
    text = np.array([_text(value) for value in values], dtype=object)
    levels = sorted({value for value in text if value})
    sizes = {level: int((text == level).sum()) for level in levels}
    kept = [level for level in levels if SMALLEST_GROUP <= sizes[level] <= text.size - SMALLEST_GROUP]
    kept = kept[:1] if len(levels) == 2 else kept
    return [(f"{name.replace('_', ' ')}: {level}", (text == level).astype(float)) for level in kept]


def _text(value: Any) -> str:
    return "" if pd.isna(value) else str(value)
