"""What a check is given: the design, the result, and whatever else the user handed over."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clsimpact._again import asked_again
from clsimpact._check import unit_text, unit_word
from clsimpact._explain import size, span
from clsimpact._frames import open_table
from clsimpact.errors import ClsimpactWarning, DesignError, did_you_mean, list_some

if TYPE_CHECKING:
    from clsimpact.design import Design
    from clsimpact.results import Estimate

__all__ = ["Effect", "Setting", "effect_of"]

Floats = NDArray[np.float64]


class Effect(NamedTuple):
    """An overall effect with its interval: NaN where there is none."""

    estimate: float
    low: float
    high: float
    p_value: float

    @property
    def known(self) -> bool:
        """Whether there is an interval."""
        return bool(np.isfinite(self.low) and np.isfinite(self.high))

    @property
    def clear(self) -> bool:
        """Whether the interval excludes zero."""
        return self.known and (self.low > 0 or self.high < 0)


def effect_of(fit: Estimate) -> Effect:
    """Return the overall effect of a result.

    Examples
    --------
    >>> from clsimpact.datasets import example_design
    >>> from clsimpact.estimators import twfe
    >>> round(effect_of(twfe(example_design())).estimate, 4)
    -0.0365
    """
    row = fit.overall.iloc[0]
    return Effect(*(float(row[name]) for name in ("estimate", "conf_low", "conf_high", "p_value")))


@dataclass(frozen=True, eq=False)
class Setting:
    """What a check is given.

    Attributes
    ----------
    design : Design
    fit : Estimate or None
        None where only the design is checked, before results are looked at.
    data : pandas.DataFrame or None
        The panel behind the design, with further columns: other outcomes, regions, populations. It, and the
        two tables below, may be given as any frame that `Design` reads; they are kept as pandas.
    adoption : pandas.DataFrame or None
        Who adopted when: the column of units, ``adoption_year``, ``earliest_year``, ``latest_year``.
    neighbours : pandas.DataFrame or None
        Pairs of neighbouring units: two columns of units.
    margin : float or None
        What is too small to matter, in the unit of the outcome.
    draws, seed, executor
        For inference by draws.
    """

    design: Design
    fit: Estimate | None = None
    data: pd.DataFrame | None = None
    adoption: pd.DataFrame | None = None
    neighbours: pd.DataFrame | None = None
    margin: float | None = None
    draws: int = 999
    seed: int = 0
    executor: Executor | None = None

    def __post_init__(self) -> None:
        for name in ("data", "adoption", "neighbours"):
            given = getattr(self, name)
            if given is not None and not isinstance(given, pd.DataFrame):
                object.__setattr__(self, name, open_table(given, open_table(given, ()).known).frame)

    @property
    def word(self) -> str:
        """What a unit is called."""
        return unit_word(self.design)

    @property
    def unit(self) -> str:
        """Unit of the outcome, with a blank before it; empty where none is given."""
        text = unit_text(self.design)
        return f" {text}" if text else ""

    def amount(self, value: float) -> str:
        """Write the size of a difference: ``£12``, ``0.036 log points``, ``2.5 percentage points``."""
        return size(value, self.design).rpartition(" ")[0]

    def value(self, value: float) -> str:
        """Write a difference with its sign: ``-£12``."""
        return f"{'-' if value < 0 else ''}{self.amount(value)}"

    def change(self, value: float) -> str:
        """Write a difference: ``£12 higher``."""
        return size(value, self.design)

    def between(self, low: float, high: float) -> str:
        """Write a range of differences: ``from £3 lower to £12 higher``, ``£3 to £12 higher``."""
        return span(low, high, self.design)

    @property
    def estimate(self) -> Estimate:
        """The result; `DesignError` where only a design is checked."""
        if self.fit is None:
            raise DesignError("This check needs a result.", repair="Use fit.check(...).")
        return self.fit

    @cached_property
    def effect(self) -> Effect:
        """The overall effect that is checked."""
        return effect_of(self.estimate)

    def names(self, chosen: Sequence[int] | NDArray[Any], limit: int = 12) -> str:
        """Name units by position, the first ``limit`` of them."""
        return list_some([self.design.unit_names[int(i)] for i in chosen], limit)

    def again(self, design: Design) -> Estimate:
        """Estimate another design as the result was, with the same kind of inference and these draws."""
        again = asked_again(self.estimate)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ClsimpactWarning)
            return self.inferred(again(design))

    def inferred(self, fit: Estimate, *, level: float | None = None) -> Estimate:
        """Return a result with the kind of inference that was asked of the one checked, and these draws."""
        own = self.estimate
        return fit.with_inference(
            own.asked or "auto",
            level=own.level if level is None else level,
            draws=self.draws,
            seed=self.seed,
            executor=self.executor,
        )

    def point(self, design: Design) -> float:
        """Estimate the overall effect in another design without an interval: quick."""
        again = asked_again(self.estimate)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ClsimpactWarning)
            return effect_of(again(design)).estimate

    def column(self, name: str) -> pd.Series[Any]:
        """Return a column of ``data`` for each row of the design, in the order of its arrays (n).

        Raises
        ------
        DesignError
            No data, no such column, or several rows for one unit and period.
        """
        return self._rows([name])[name]

    def has(self, *names: str) -> bool:
        """Whether ``data`` has all these columns."""
        return self.data is not None and all(name in self.data.columns for name in names)

    def constant(self, name: str) -> pd.Series[Any]:
        """Return a column of ``data`` for each unit: its first value that is not missing."""
        values = self.column(name)
        first = values.groupby(self.design.unit_codes, sort=True).first()
        return pd.Series(first.to_numpy(), index=list(self.design.units), name=name)

    def _rows(self, names: Sequence[str]) -> pd.DataFrame:
        design = self.design
        if self.data is None:
            raise DesignError("No panel was given.", repair="Use fit.check(..., data=panel).")
        known = list(map(str, self.data.columns))
        asked = (design.unit, design.time, *names)
        lost = [f"{name!r}{did_you_mean(name, known)}" for name in asked if name not in known]
        if lost:
            raise DesignError("The panel lacks columns.", lost, repair="Hand over a panel that has them.")
        keys = [design.unit, design.time]
        table = self.data[[*keys, *(name for name in names if name not in keys)]]
        table.attrs = {}  # pandas would copy them at every step
        twice = table.duplicated(keys)
        if twice.any():
            raise DesignError(
                f"The panel has several rows for one {design.unit} and {design.time}.",
                [f"{row[0]} {row[1]}" for row in table.loc[twice, keys].to_numpy()[:5]],
                repair="Keep one row per unit and period.",
            )
        units = [design.units[i] for i in design.unit_codes]
        wanted = pd.DataFrame({design.unit: units, design.time: design.times})
        foreign = [_kinds(key, wanted[key], table[key]) for key in keys if not _meet(wanted[key], table[key])]
        if foreign:
            raise DesignError(
                "Rows of the panel cannot be matched to those of the design.",
                foreign,
                repair="Hand over the panel behind the design, with units and periods written as there.",
            )
        return wanted.merge(table, on=keys, how="left", validate="one_to_one")

    def with_values(self, values: pd.Series[Any] | Floats, *, reason: str) -> Design:
        """Return the design with other outcomes (n), without the rows where they are missing."""
        numbers = pd.to_numeric(pd.Series(np.asarray(values)), errors="coerce").to_numpy(dtype=float)
        there = np.isfinite(numbers)
        design = self.design.with_outcome(np.where(there, numbers, 0.0))
        return design if there.all() else design.restrict(there, reason=reason)

    def without(self, units: Sequence[int] | NDArray[Any], *, reason: str) -> Design:
        """Return the design without some units, by position."""
        return self.design.restrict(~np.isin(self.design.unit_codes, np.asarray(units)), reason=reason)


def _meet(wanted: pd.Series[Any], there: pd.Series[Any]) -> bool:
    """Whether two columns can be matched, and have some value in common."""
    try:
        met = (
            wanted.drop_duplicates().to_frame("key").merge(there.drop_duplicates().to_frame("key"), on="key")
        )
    except ValueError:  # pandas does not match text and numbers
        return False
    return len(met) > 0


def _kinds(name: str, wanted: pd.Series[Any], there: pd.Series[Any]) -> str:
    """Say how the design and the panel write a column."""
    mine, other = (column.dropna().tolist()[:1] for column in (wanted, there))
    said = [f"{value!r} ({type(value).__name__})" for value in (*mine, *other)]
    return f"{name}: the design has {said[0]}, the panel {said[1] if len(said) > 1 else 'nothing'}"
