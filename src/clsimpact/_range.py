"""A share or a percentage outside its range: said at once, because an estimate would not show it."""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from clsimpact.errors import RangeWarning, list_some

if TYPE_CHECKING:
    from clsimpact.design import Design

__all__ = ["warn_of_range"]

_RANGES: Final = (
    (re.compile(r"\s*(%|per ?cent|percent(age)?s?)\b.*|\s*%.*", re.IGNORECASE), 100.0, "per cent"),
    (re.compile(r"\s*(share|proportion|fraction)s?\b.*", re.IGNORECASE), 1.0, "a proportion"),
)
_PER_CENT: Final = 5.0
"""What is in the middle in other periods, where per cent and proportions are mixed."""

_CHANGE: Final = re.compile(r"change|growth|points", re.IGNORECASE)


def warn_of_range(design: Design) -> None:
    """Warn where the unit of the outcome says what range it has, and values lie outside."""
    unit = design.outcome_unit
    if _CHANGE.search(f"{unit} {design.outcome_label}"):
        return
    for pattern, top, name in _RANGES:
        if not pattern.fullmatch(unit):
            continue
        if top > 1:
            _warn_of_proportions(design)
        out = np.flatnonzero((design.y < 0) | (design.y > top))
        if out.size:
            where = list_some((_place(design, int(i)) for i in out), 6)
            warnings.warn(
                f"Outcome {design.outcome!r} is {name} by its unit, and {out.size} of {design.n_obs} values "
                f"lie outside 0 to {top:g}: {where}. Look at how they were computed, or change outcome_unit.",
                RangeWarning,
                stacklevel=3,
            )


def _warn_of_proportions(design: Design) -> None:
    """Warn where whole periods hold numbers of 0 to 1 while the others hold per cent."""
    table = pd.Series(np.abs(design.y)).groupby(np.asarray(design.times))
    most, middle = table.max(), table.median()
    small = most.index[(most <= 1) & (most > 0)]
    rest = middle.drop(small)
    if len(small) and len(rest) and rest.min() > _PER_CENT:
        warnings.warn(
            f"Outcome {design.outcome!r} is per cent by its unit, but in {list_some(small)} all values lie "
            f"within 0 to 1, as proportions do; elsewhere the middle one is {rest.min():g} or more. Multiply "
            "those by 100 if they are proportions.",
            RangeWarning,
            stacklevel=4,
        )


def _place(design: Design, row: int) -> str:
    name = design.unit_names[design.unit_codes[row]]
    return f"{name} in {design.times[row]}: {design.y[row]:g}"
