"""Which series show how an outcome is recorded, and where they break."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import t

from clsimpact._check import number, unit_text
from clsimpact.diagnostics._breaks import FEWEST_UNITS, LEVEL, Shifts, shifts, tail_df
from clsimpact.diagnostics._outcome_parts import (
    OutcomeParts,
    column_words,
    numbers_of,
    parts_of,
    why_empty,
)
from clsimpact.diagnostics.setting import Setting
from clsimpact.errors import DesignError

__all__ = ["Look", "Series", "look", "series_of"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

POINTWISE = 0.01
"""Share of unit-years that count as jumps by chance: rare, and not so rare that a real one is missed."""


@dataclass(frozen=True)
class Series:
    """One series, as units by periods.

    Attributes
    ----------
    words : str
        What it is called.
    values : float array (N, T)
        Logs, or shares as they are.
    log : bool
    amount : callable or None
        Writes the size of a shift where no logs are taken, without its sign.
    """

    words: str
    values: Floats
    log: bool
    amount: Callable[[float], str] | None = None

    def size_words(self, size: float) -> str:
        """Write a shift: in per cent where logs are taken, else in the unit of the series."""
        if self.log:
            change = 100 * float(np.expm1(size))
            return f"{'+' if change > 0 else ''}{number(change)}%"
        words = number(abs(size)) if self.amount is None else self.amount(size)
        return f"{'+' if size > 0 else '-' if size < 0 else ''}{words}"


@dataclass(frozen=True)
class Look:
    """Shifts of every series, with what is large.

    Attributes
    ----------
    series : tuple of Series
    shifts : tuple of Shifts
    critical : tuple of float
        Standardised shift from which a break is named (5% over all units, years and series).
    jump : tuple of float
        Standardised shift from which a unit-year counts as a jump (1% of them by chance).
    breaks : pandas.DataFrame
        The strongest shift of each unit and series: ``unit`` (position), ``period``, ``series`` (position),
        ``size, z, p_value, p_adjusted, named``, the largest first.
    """

    series: tuple[Series, ...]
    shifts: tuple[Shifts, ...]
    critical: tuple[float, ...]
    jump: tuple[float, ...]
    breaks: pd.DataFrame

    @property
    def jumps(self) -> NDArray[np.bool_]:
        """Unit-years in which any series jumps (N, T)."""
        with np.errstate(invalid="ignore"):
            found = [np.abs(s.z) > cut for s, cut in zip(self.shifts, self.jump, strict=True)]
        return np.asarray(np.any(found, axis=0))

    def typical(self, k: int) -> tuple[float, float]:
        """Shift of a typical unit in series k that would count as a jump, and that would be named."""
        scale = float(np.nanmedian(self.shifts[k].scale))
        return self.jump[k] * scale, self.critical[k] * scale


def series_of(setting: Setting) -> tuple[list[Series], list[str]]:
    """Return the series that show how the outcome is recorded, and words for those without figures."""
    parts = parts_of(setting)
    if parts is None:
        return [_outcome(setting)], []
    if parts.share_of_requests:
        return _logs(setting, _request_columns(parts))
    if parts.reviews:
        return _reviews(setting, parts)
    return _logs(setting, [parts.numerator, parts.denominator])


def _outcome(setting: Setting) -> Series:
    """Return the outcome itself: logs only where its unit is declared, no log, and nothing is below zero.

    Whether numbers without a unit are logs already cannot be known: they stay as they are.
    """
    design = setting.design
    words, unit = design.outcome_label or design.outcome, unit_text(design).lower()
    if unit and "log" not in unit:
        return _series(setting, words, design.y, amount=setting.amount)
    return Series(words, _laid(setting, design.y), log="log" in unit, amount=setting.amount)


def _points(size: float) -> str:
    return f"{number(100 * abs(size))} percentage points"


def _request_columns(parts: OutcomeParts) -> list[str]:
    """Return requests first, then the sequels in which contacts can be counted as requests."""
    whole = parts.denominator if parts.denominator.startswith("requests") else parts.numerator
    end = whole.removeprefix("requests")
    return list(dict.fromkeys([whole, f"signposted_count{end}", f"no_service_count{end}"]))


def _reviews(setting: Setting, parts: OutcomeParts) -> tuple[list[Series], list[str]]:
    """Return people reviewed, the share with an unplanned review, and the share with both."""
    end = parts.numerator.removeprefix("planned_clients")
    names = [f"{kind}_clients{end}" for kind in ("reviewed", "planned", "unplanned")]
    found, lost = _logs(setting, names[:1])
    empty = [name for name in names if not _known(setting, name)]
    if empty:
        return found, list(dict.fromkeys([*lost, *(_lost(setting, name) for name in empty)]))
    reviewed, planned, unplanned = (numbers_of(setting, name) for name in names)
    base = np.where(reviewed > 0, reviewed, np.nan)
    shares = {
        "share of people reviewed with an unplanned review": unplanned / base,
        "share with both a planned and an unplanned review": (planned + unplanned) / base - 1,
    }
    made = [Series(words, _laid(setting, share), False, _points) for words, share in shares.items()]
    return [*found, *made], lost


def _logs(setting: Setting, columns: list[str]) -> tuple[list[Series], list[str]]:
    """Return logs of the columns that have figures, and words for the others."""
    known = [name for name in columns if _known(setting, name)]
    found = [_series(setting, column_words(setting, name), numbers_of(setting, name)) for name in known]
    return found, [_lost(setting, name) for name in columns if name not in known]


def _known(setting: Setting, column: str) -> bool:
    return setting.has(column) and bool(np.isfinite(numbers_of(setting, column)).any())


def _lost(setting: Setting, column: str) -> str:
    if not setting.has(column):
        return f"{column} (no such column)"
    return f"{column}{why_empty(setting, column) or ' (no figures)'}"


def _series(
    setting: Setting, words: str, values: Floats, amount: Callable[[float], str] | None = None
) -> Series:
    """Return logs where all figures are above zero, else the figures."""
    known = values[np.isfinite(values)]
    if (known >= 0).all() and (known > 0).mean() > 0.5:
        logs = np.log(np.where(values > 0, values, np.nan))
        return Series(words, _laid(setting, logs), log=True)
    return Series(words, _laid(setting, values), log=False, amount=amount)


def _laid(setting: Setting, values: Floats) -> Floats:
    design = setting.design
    out = np.full((len(design.units), len(design.periods)), np.nan)
    out[design.unit_codes, design.time_codes] = values
    return out


def _why_no_shifts(series: list[Series]) -> str:
    """Say why no series has usual shifts: too few units, or units that do not change."""
    there = [np.isfinite(one.values) for one in series]
    pairs = [seen[:, 1:] & seen[:, :-1] for seen in there]
    most = max(int(both.sum(axis=0).max()) for both in pairs)
    if most < FEWEST_UNITS:
        return (
            f"Usual changes are known from {FEWEST_UNITS} units on that show a figure in two periods in a "
            f"row; here at most {most} do."
        )
    return "Most units do not change from period to period: there is no usual change to hold shifts against."


def look(series: list[Series], periods: tuple[int, ...]) -> Look:
    """Find shifts in every series, and what is large among them; series without usual shifts are left out."""
    pairs = [(one, shifts(one.values)) for one in series]
    pairs = [(one, seen) for one, seen in pairs if np.isfinite(seen.z).any()]
    if not pairs:
        raise DesignError(
            _why_no_shifts(series), repair="Use a longer panel, or an outcome that moves from year to year."
        )
    series, found = [one for one, _ in pairs], [seen for _, seen in pairs]
    tails = [tail_df(one.z) for one in found]
    tests = sum(int(np.isfinite(one.z).sum()) for one in found)
    critical = tuple(float(t.isf(LEVEL / 2 / tests, df) * scale) for df, scale in tails)
    jump = tuple(float(t.isf(POINTWISE / 2, df) * scale) for df, scale in tails)
    rows = []
    for k, (one, (df, scale)) in enumerate(zip(found, tails, strict=True)):
        size = np.abs(np.nan_to_num(one.z))
        for unit in np.flatnonzero(np.isfinite(one.z).any(axis=1)):
            s = int(size[unit].argmax())
            p = float(2 * t.sf(size[unit, s] / scale, df))
            adjusted = min(1.0, p * tests)
            rows.append((int(unit), periods[s], k, one.size[unit, s], one.z[unit, s], p, adjusted))
    table = pd.DataFrame(rows, columns=["unit", "period", "series", "size", "z", "p_value", "p_adjusted"])
    table["named"] = table["p_adjusted"] < LEVEL
    table = table.sort_values(["p_value", "unit", "series"])
    return Look(tuple(series), tuple(found), critical, jump, table.reset_index(drop=True))
