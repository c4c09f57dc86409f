"""Whether there is room: a table that no machine of an analyst holds is refused before it is asked for."""

from __future__ import annotations

import math
from typing import Final

from clsimpact.errors import DesignError

__all__ = ["LARGEST", "require_room", "require_room_for_draws"]

LARGEST: Final = 2**31
"""Bytes of one table of numbers; an estimator holds several of its size."""


def require_room(cohorts: int, periods: int, *shape: int) -> None:
    """Refuse an estimate whose largest table of floats has this shape and does not fit in memory.

    Parameters
    ----------
    cohorts, periods
        How many the design has, for the message.
    shape
        Of the table.

    Raises
    ------
    DesignError
        If it has more bytes than `LARGEST`.

    Examples
    --------
    >>> require_room(3, 5, 500, 20)
    >>> require_room(1000, 1002, 1_000_000, 1_000_000)
    Traceback (most recent call last):
    clsimpact.errors.DesignError: 1,000 cohorts in 1,002 periods need a table of 8,000 GB, ... limit.
    Repair: Pool cohorts and periods, ...
    """
    _refuse(
        f"{cohorts:,} cohorts in {periods:,} periods need",
        "Pool cohorts and periods, such as five years to one, or keep fewer event times (leads=, lags=) "
        "or units.",
        shape,
    )


def require_room_for_draws(numbers: int, rows: int) -> None:
    """Refuse inference that needs the weight of every row in every number, where that does not fit in memory.

    Raises
    ------
    DesignError
        If the weights have more bytes than `LARGEST`.

    Examples
    --------
    >>> require_room_for_draws(8, 2500)
    >>> require_room_for_draws(400, 1_000_000)
    Traceback (most recent call last):
    clsimpact.errors.DesignError: Inference by draws of 400 numbers from 1,000,000 rows needs ... 3 GB, ...
    Repair: With as many adopters as this, name errors by formula: inference="CR1". ...
    """
    _refuse(
        f"Inference by draws of {numbers:,} numbers from {rows:,} rows needs",
        'With as many adopters as this, name errors by formula: inference="CR1". Or keep fewer event times '
        "(leads=, lags=).",
        (numbers, rows),
    )


def _refuse(what: str, repair: str, shape: tuple[int, ...]) -> None:
    size = 8 * math.prod(map(int, shape))
    if size > LARGEST:
        raise DesignError(
            f"{what} a table of {size / 1e9:,.0f} GB, and {LARGEST / 1e9:.0f} GB is the limit.", repair=repair
        )
