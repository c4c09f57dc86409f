"""Effects that a panel could show, by outcome and number of adopters, before results are looked at."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from clsimpact._asked import is_number, kind_of, level_problem
from clsimpact._check import unit_text
from clsimpact.design import Design
from clsimpact.diagnostics._planned import LEVEL, Planner
from clsimpact.diagnostics.precision import ADOPTERS, POWERS
from clsimpact.errors import DesignError

__all__ = ["minimum_detectable_effects"]


def minimum_detectable_effects(
    data: pd.DataFrame,
    *,
    outcomes: Sequence[str],
    unit: str,
    time: str,
    cohort: str,
    adopters: int | Sequence[int] = ADOPTERS,
    power: float | Sequence[float] = POWERS,
    level: float = LEVEL,
    anticipation: int = 0,
) -> pd.DataFrame:
    """Say which effects a panel could show, by outcome and number of adopters, before results are looked at.

    The overall effect of two-way fixed effects; only outcomes of comparison units are used. Other numbers of
    adopters have the dates of the present ones, in the same proportions, among the same units.

    Parameters
    ----------
    data
        One row per unit and period.
    outcomes
        Columns; rows where one is missing are left out for it alone.
    unit, time, cohort, anticipation
        As for `Design`.
    adopters
        A number of adopters, or several; the present one is always among the rows.
    power
        Probability of finding the effect, or several.
    level
        One minus the level of the two-sided test.

    Returns
    -------
    pandas.DataFrame
        ``outcome, label, unit, adopters, present, power, effect, relative, df, units, periods, reason``: the
        smallest effect in the outcome's unit and over the mean of comparison units; missing, with a reason,
        where the panel cannot tell.

    Raises
    ------
    DesignError
        A power or level outside (0, 1), or a power below the level of the test; a number of adopters that is
        no whole number; no outcome.

    Examples
    --------
    >>> from clsimpact.datasets import load_mpdta
    >>> found = minimum_detectable_effects(
    ...     load_mpdta(), outcomes=["lemp"], unit="county", time="year", cohort="first_treat",
    ...     adopters=[5, 25], power=[0.8])
    >>> found[["adopters", "present", "effect"]].round(3)
       adopters  present  effect
    0         5    False   0.318
    1        25    False   0.110
    2       191     True   0.044
    """
    names = [outcomes] if isinstance(outcomes, str) else list(outcomes)
    counts, power = _several(adopters), _several(power)
    _check_asked(names, counts, power, level)
    rows: list[dict[str, Any]] = []
    for name in names:
        try:
            design = Design(
                data, outcome=name, unit=unit, time=time, cohort=cohort, anticipation=anticipation
            )
            planner = Planner(design)
            for count in sorted({*map(int, counts), design.n_treated}):
                rows += _plans(planner, count, power, level)
        except DesignError as error:
            reason = " ".join([error.summary, *error.problems[:1]])
            rows.append({"outcome": name, "reason": reason})
    return pd.DataFrame(rows, columns=_COLUMNS)


_COLUMNS = [
    "outcome", "label", "unit", "adopters", "present", "power", "effect", "relative", "df", "units",
    "periods", "reason",
]  # fmt: skip


def _plans(planner: Planner, adopters: int, power: Sequence[float], level: float) -> list[dict[str, Any]]:
    design = planner.design
    facts: dict[str, Any] = {"outcome": design.outcome, "label": design.outcome_label}
    facts |= {"unit": unit_text(design), "adopters": adopters, "present": adopters == design.n_treated}
    facts |= {"units": len(design.units), "periods": len(design.periods)}
    try:
        plan = planner.with_adopters(adopters)
    except DesignError as error:
        return [facts | {"power": share, "reason": error.summary} for share in power]
    rows = []
    for share in power:
        effect = plan.effect(share, level)
        relative = effect / abs(planner.mean) if planner.mean else np.nan
        rows.append(
            facts | {"power": share, "effect": effect, "relative": relative, "df": plan.df, "reason": ""}
        )
    return rows


def _several(given: Any) -> list[Any]:
    """Return one number, or several, as a list."""
    return list(given) if isinstance(given, Iterable) and not isinstance(given, str) else [given]


def _check_asked(names: Sequence[str], adopters: Sequence[Any], power: Sequence[Any], level: Any) -> None:
    problems = [] if names else ["no outcome was named"]
    problems += [
        f"adopters is {kind_of(n)}; a whole number of 1 or more is needed"
        for n in adopters
        if not is_number(n) or n != int(n) or n < 1
    ]
    wrong = level_problem(level)
    problems += [wrong] if wrong else [_power_problem(p, level) for p in power]
    if problems := [text for text in problems if text]:
        raise DesignError("Detectable effects cannot be asked for.", problems, repair="Correct these.")


def _power_problem(power: Any, level: float) -> str:
    """Say what is wrong with a power, or nothing."""
    if is_number(power) and 1 - level < power < 1:
        return ""
    near = f" (did you mean {power / 100:g}?)" if is_number(power) and 1 < power < 100 else ""
    return f"power is {kind_of(power)}; it lies between 1 - level and 1{near}"
