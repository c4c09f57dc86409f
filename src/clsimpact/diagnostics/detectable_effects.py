"""Effects that a panel could show, by outcome and number of adopters, before results are looked at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

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
    adopters: Sequence[int] = ADOPTERS,
    power: Sequence[float] = POWERS,
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
        Numbers of adopters; the present one is always among the rows.
    power
        Probabilities of finding the effect.
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
        A power or level outside (0, 1), or a power below the level of the test; no outcome.

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
    _check_power(names, power, level)
    rows: list[dict[str, Any]] = []
    for name in names:
        try:
            design = Design(
                data, outcome=name, unit=unit, time=time, cohort=cohort, anticipation=anticipation
            )
            planner = Planner(design)
            for count in sorted({*(int(n) for n in adopters), design.n_treated}):
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


def _check_power(names: Sequence[str], power: Sequence[float], level: float) -> None:
    problems = [] if names else ["no outcome was named"]
    if not 0 < level < 1:
        problems.append(f"level is {level}; a number between 0 and 1 is needed")
    problems += [f"power is {p}; it lies between 1 - level and 1" for p in power if not 1 - level < p < 1]
    if problems:
        raise DesignError("Detectable effects cannot be asked for.", problems, repair="Correct these.")
