"""A share or a percentage outside its range: said at once, because an estimate would not show it."""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING, Final

import numpy as np

from clsimpact.errors import RangeWarning, list_some

if TYPE_CHECKING:
    from clsimpact.design import Design

__all__ = ["warn_of_range"]

_RANGES: Final = (
    (re.compile(r"\s*(%|per ?cent|percent(age)?s?)\b.*|\s*%.*", re.IGNORECASE), 100.0, "per cent"),
    (re.compile(r"\s*(share|proportion|fraction)s?\b.*", re.IGNORECASE), 1.0, "a proportion"),
)
_CHANGE: Final = re.compile(r"change|growth|points", re.IGNORECASE)


def warn_of_range(design: Design) -> None:
    """Warn where the unit of the outcome says what range it has, and values lie outside."""
    unit = design.outcome_unit
    if _CHANGE.search(f"{unit} {design.outcome_label}"):
        return
    for pattern, top, name in _RANGES:
        if not pattern.fullmatch(unit):
            continue
        out = np.flatnonzero((design.y < 0) | (design.y > top))
        if out.size:
            where = list_some((_place(design, int(i)) for i in out), 6)
            warnings.warn(
                f"Outcome {design.outcome!r} is {name} by its unit, and {out.size} of {design.n_obs} values "
                f"lie outside 0 to {top:g}: {where}. Look at how they were computed, or change outcome_unit.",
                RangeWarning,
                stacklevel=3,
            )


def _place(design: Design, row: int) -> str:
    name = design.unit_names[design.unit_codes[row]]
    return f"{name} in {design.times[row]}: {design.y[row]:g}"
