"""Rows of the tidy frame: the one shape in which every estimate leaves the library."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from clsimpact._asked import level_problem
from clsimpact.errors import DesignError

__all__ = ["REFERENCE", "TIDY_COLUMNS", "Term", "checked_level", "tidy_frame"]

Floats = NDArray[np.float64]

REFERENCE = "reference period: zero by construction"
"""Reason given on the row of a reference period."""

FLAT = "nothing varies behind this number, so that it has no standard error"
"""Reason given where the residuals behind a number are all zero: zero would pass for certainty."""

TIDY_COLUMNS = (
    "term", "event_time", "cohort", "estimate", "std_error", "statistic", "p_value", "conf_low", "conf_high",
    "n_units", "n_obs", "identified", "reason",
)  # fmt: skip
"""The columns of every tidy frame, in order."""


@dataclass(frozen=True)
class Term:
    """One row of a result, without its numbers.

    Attributes
    ----------
    name : str
        For example ``"treated"``, ``"e=-2"`` or the name of a covariate.
    event_time, cohort : int or None
    n_units, n_obs : int or None
        Treated units and treated rows behind the term; None for a covariate.
    reason : str
        Why the term is not identified, or what to mind where it is.

    Examples
    --------
    >>> Term("e=0", 0, None, 5, 5).name
    'e=0'
    """

    name: str
    event_time: int | None
    cohort: int | None
    n_units: int | None
    n_obs: int | None
    reason: str = ""


def checked_level(level: float) -> float:
    """Return a confidence level, or raise `DesignError`.

    Examples
    --------
    >>> checked_level(0.9)
    0.9
    """
    if problem := level_problem(level):
        raise DesignError(f"The confidence {problem}.", repair="Use 0.95, say.")
    return float(level)


def tidy_frame(
    terms: Sequence[Term],
    estimates: Floats,
    error: Floats,
    df: Floats,
    identified: NDArray[np.bool_],
    level: float,
) -> pd.DataFrame:
    """Build the frame with the columns of `TIDY_COLUMNS`, by the t distribution.

    Examples
    --------
    >>> term, one = Term("treated", None, None, 5, 20), np.array([1.0])
    >>> frame = tidy_frame((term,), 2 * one, one, 10 * one, np.array([True]), 0.95)
    >>> frame[["statistic", "conf_low"]].round(3).loc[0].tolist()
    [2.0, -0.228]
    """
    usable = np.where(error > 0, error, np.nan)
    statistic = estimates / usable
    margin = stdtrit(df, 0.5 + level / 2) * usable
    flat = identified & (error == 0)
    reasons = [t.reason or (FLAT if none else "") for t, none in zip(terms, flat, strict=True)]
    columns: dict[str, Any] = {
        "term": [t.name for t in terms],
        "event_time": _whole([t.event_time for t in terms]),
        "cohort": _whole([t.cohort for t in terms]),
        "estimate": estimates.copy(),
        "std_error": usable,
        "statistic": statistic,
        "p_value": 2 * stdtr(df, -np.abs(statistic)),
        "conf_low": estimates - margin,
        "conf_high": estimates + margin,
        "n_units": _whole([t.n_units for t in terms]),
        "n_obs": _whole([t.n_obs for t in terms]),
        "identified": identified.copy(),
        "reason": reasons,
    }
    # Every array is fresh, so none is copied again: half of the time of the constructor.
    return pd.DataFrame(columns, index=pd.RangeIndex(len(terms)), copy=False)


def _whole(values: Sequence[int | None]) -> pd.arrays.IntegerArray:
    """Nullable whole numbers, as ``pd.array(values, dtype="Int64")`` makes them at six times the cost."""
    gone = np.array([value is None for value in values], dtype=bool)
    return pd.arrays.IntegerArray(np.array([value or 0 for value in values], dtype=np.int64), gone)
