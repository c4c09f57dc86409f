"""Adopters of a design whose date is in doubt, and what the effect is under other dates."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clsimpact._again import asked_again
from clsimpact.diagnostics import _adoption_list as lists
from clsimpact.diagnostics._date_sets import Dates
from clsimpact.diagnostics.setting import Effect, Setting, effect_of
from clsimpact.errors import ClsimpactWarning, DesignError, list_some

__all__ = ["NOTHING", "Doubt", "doubt_of"]

Floats = NDArray[np.float64]

NOTHING = Effect(np.nan, np.nan, np.nan, np.nan)


@dataclass(frozen=True, eq=False)
class Doubt:
    """Adopters of a design whose date is in doubt.

    Attributes
    ----------
    setting : Setting
    units : tuple of int
        Positions in the design, in the order of the sets of dates.
    options : tuple of Dates
        Cohorts that the evidence allows and that differ in this panel.
    outside : tuple of int
        Positions of adopters whose date in the design is none that the list allows.
    n_listed : int
        Adopters of the design that the list has with some year.
    n_ranged : int
        Those of them for which it has an earliest or latest year.
    lost : tuple of str
        Names of adopters on the list that are not adopters in the design.
    """

    setting: Setting
    units: tuple[int, ...]
    options: tuple[Dates, ...]
    outside: tuple[int, ...]
    n_listed: int
    n_ranged: int
    lost: tuple[str, ...]

    @cached_property
    def own(self) -> Dates:
        """Dates of the design."""
        return tuple(int(self.setting.design.unit_cohorts[i]) for i in self.units)

    def allowed(self, dates: Dates) -> bool:
        """Whether the evidence allows all of these dates."""
        return all(date in known for date, known in zip(dates, self.options, strict=True))

    def cohorts(self, dates: Dates) -> Floats:
        """Cohort of every unit under a set of dates."""
        cohorts = np.array(self.setting.design.unit_cohorts, dtype=float)
        cohorts[list(self.units)] = dates
        return cohorts

    def quick(self, dates: Dates) -> tuple[float, float]:
        """Estimate and usual error under a set of dates; NaN where there is none."""
        again = asked_again(self.setting.estimate)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ClsimpactWarning)
                row = again(lists.dated(self.setting.design, self.cohorts(dates))).overall.iloc[0]
        except DesignError:
            return np.nan, np.nan
        return float(row["estimate"]), float(row["std_error"])

    def effect(self, dates: Dates) -> Effect:
        """Effect with its interval under a set of dates."""
        if dates == self.own:
            return self.setting.effect
        try:
            return effect_of(self.setting.again(lists.dated(self.setting.design, self.cohorts(dates))))
        except DesignError:
            return NOTHING

    def words(self, dates: Dates, limit: int = 3) -> str:
        """Say which dates differ from those of the design."""
        moved = [
            f"{self.setting.design.unit_names[i]} {self.year_words(date)}"
            for i, date, own in zip(self.units, dates, self.own, strict=True)
            if date != own
        ]
        return list_some(moved, limit) if moved else "dates of the design"

    def year_words(self, date: int) -> str:
        """Write a cohort; the first and last of `options` stand for all before and all after."""
        design = self.setting.design
        if date <= design.periods[0] + design.anticipation:
            return f"{date} (then left out: no period before it)"
        return f"after {date - 1}" if date > design.periods[-1] + design.anticipation else str(date)


def doubt_of(setting: Setting, adoption: pd.DataFrame) -> Doubt:
    """Return the adopters of the design whose date is in doubt."""
    design = setting.design
    place = {unit: i for i, unit in enumerate(design.units)}
    shift, inside = lists.shift_of(design), design.in_window
    units, choices, outside, lost = [], [], [], []
    n_listed = n_ranged = 0
    for row in lists.listed(design, adoption, design.units):
        mine = [place[unit] for unit in row.units if inside[place[unit]]]
        if not mine:
            lost.append(row.name)
            continue
        if not row.years:
            continue
        n_listed += len(mine)
        n_ranged += len(mine) if row.earliest is not None or row.latest is not None else 0
        dates = lists.options(design, (year + shift for year in row.years))
        for i in mine:
            if int(design.unit_cohorts[i]) not in dates:
                outside.append(i)
            elif len(dates) == 1:
                continue
            units.append(i)
            choices.append(dates)
    order = sorted(range(len(units)), key=units.__getitem__)  # a sample of sets must not hang on rows' order
    return Doubt(
        setting,
        tuple(units[j] for j in order),
        tuple(choices[j] for j in order),
        tuple(sorted(outside)),
        n_listed,
        n_ranged,
        tuple(sorted(lost)),
    )
