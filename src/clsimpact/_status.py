"""Values with a status: why a figure is missing, and how the statuses of several figures are joined."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["HAS_VALUE", "STATUS_ORDER", "Known", "known", "ratio", "total"]

STATUS_ORDER: Final = (
    "published",
    "estimated",
    "suppressed",
    "not_applicable",
    "not_submitted",
    "not_listed",
    "not_comparable",
    "not_held",
)
"""From best to worst. Only the first two come with a value.

``not_listed``: the source has no row for the council. ``not_comparable``: published for parts of the area
only, and rates cannot be added. ``not_held``: the publication that holds the year is not among the files
read.
"""

HAS_VALUE: Final = STATUS_ORDER[:2]
"""The statuses that come with a value."""

_RANK: Final = {status: rank for rank, status in enumerate(STATUS_ORDER)}


class Known(NamedTuple):
    """An array of values (NaN where missing) and the status of each."""

    value: NDArray[np.float64]
    status: NDArray[np.object_]


def known(value: NDArray[np.float64], *inputs: Known) -> Known:
    """Join a computed value with the worst status of its inputs.

    Parameters
    ----------
    value
        What was computed; not finite where it is undefined, such as a ratio over zero.
    inputs
        What it was computed from.

    Returns
    -------
    Known
        Missing where an input is missing. ``not_applicable`` where every input is known and the value is not
        finite.

    Examples
    --------
    >>> half = Known(np.array([0.5, 0.5]), np.array(["published", "suppressed"], dtype="object"))
    >>> known(2 * half.value, half).value.tolist()
    [1.0, nan]
    """
    ranks = np.max([[_RANK[status] for status in item.status] for item in inputs], axis=0)
    status = np.array(STATUS_ORDER, dtype="object")[ranks]
    held = ranks < len(HAS_VALUE)
    status[held & ~np.isfinite(value)] = "not_applicable"
    return Known(np.where(held & np.isfinite(value), value, np.nan), status)


def ratio(top: Known, bottom: Known, scale: float = 1.0) -> Known:
    """Return ``scale * top / bottom``; ``not_applicable`` where the bottom is zero."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return known(scale * top.value / bottom.value, top, bottom)


def total(*items: Known) -> Known:
    """Return the sum; missing where one of the items is."""
    return known(np.sum([item.value for item in items], axis=0), *items)
