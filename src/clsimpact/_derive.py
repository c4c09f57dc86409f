"""How outcomes are computed from their parts: pure functions of figures with statuses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clsimpact._status import HAS_VALUE, Known, known, ratio, total

__all__ = [
    "EVERYONE",
    "Cut",
    "Parts",
    "adults",
    "gce_by_age",
    "in_real_terms",
    "log_ratio",
    "long_term_clients",
    "requests_of",
    "reviewed",
    "sequel_count",
    "sequel_share",
]

_SUPPRESSED_MEAN: Final = 2.0
"""A suppressed count lies between 0 and 4: its middle."""
_SUPPRESSED_REACH: Final = 2.0
_SHARE_TOLERANCE: Final = 0.005
"""A share with suppressed parts is given (as *estimated*) if they cannot move it by more than this: half a
percentage point, a twentieth of the effect that the study reports."""


class Parts:
    """What outcomes are made of: values and statuses, one row an area and year, one column a part.

    Parameters
    ----------
    numbers
        Figures in the units of their publications (people, requests, £000; ``deflator`` is 1 in 2021-22); NaN
        where missing.
    statuses
        The status of each, one of :data:`~clsimpact._status.STATUS_ORDER`.
    shown, withheld
        Of areas with several councils, by part: the sum of the figures that are shown, and how many are
        suppressed. Where a part is not named, a suppressed figure is one figure of which nothing is shown.
    """

    def __init__(
        self,
        numbers: pd.DataFrame,
        statuses: pd.DataFrame,
        *,
        shown: Mapping[str, Sequence[float]] | None = None,
        withheld: Mapping[str, Sequence[float]] | None = None,
    ) -> None:
        self.numbers = numbers
        self.statuses = statuses
        self._shown, self._withheld = shown or {}, withheld or {}
        self._read: dict[str, Known] = {}

    def __getitem__(self, name: str) -> Known:
        if name not in self._read:
            value, status = self.numbers[name].to_numpy("float64"), self.statuses[name].to_numpy("object")
            self._read[name] = Known(value, status)
        return self._read[name]

    def withheld(self, name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return what is shown of figures that are not shown whole, and how many are suppressed."""
        if name in self._withheld:
            return np.asarray(self._shown[name], "float64"), np.asarray(self._withheld[name], "float64")
        suppressed = (self[name].status == "suppressed").astype("float64")
        return np.zeros(len(suppressed)), suppressed


class Cut(NamedTuple):
    """Whom and what an outcome is about: age bands and routes, and how its column name and label say so.

    Attributes
    ----------
    suffix
        End of the column name, such as ``_18_64_hospital``; empty for everyone.
    words
        End of the label.
    ages
        Short names of age bands, added up.
    routes
        Short names of routes of access, added up; ``""`` is any route.
    """

    suffix: str = ""
    words: str = ""
    ages: tuple[str, ...] = ("18_64", "65_plus")
    routes: tuple[str, ...] = ("",)

    def parts(self) -> list[str]:
        """Return what the names of the parts end in."""
        return [f"_{age}{route and '_'}{route}" for age in self.ages for route in self.routes]


EVERYONE: Final = Cut()
"""Both age bands, every route."""


def adults(parts: Parts, cut: Cut = EVERYONE) -> Known:
    """Return the residents of the age bands."""
    return total(*(parts[f"population_{age}"] for age in cut.ages))


def requests_of(parts: Parts, cut: Cut = EVERYONE) -> Known:
    """Return the requests whose sequel became known: what shares of sequels are taken of."""
    return total(*(parts[f"requests{end}"] for end in cut.parts()))


def long_term_clients(parts: Parts, cut: Cut = EVERYONE) -> Known:
    """Return the people with long term support at any time in the year."""
    return total(*(parts[f"long_term_{age}"] for age in cut.ages))


def gce_by_age(parts: Parts, cut: Cut) -> Known:
    """Return GCE on long and short term care of the age bands, in £000; other care has no age."""
    return total(*(parts[f"gce_{care}_{age}"] for age in cut.ages for care in ("long", "short")))


def in_real_terms(parts: Parts, cash: Known) -> Known:
    """Return cash times the GDP deflator of the price year over that of the year."""
    return ratio(cash, parts["deflator"])


def reviewed(parts: Parts, kind: str, cut: Cut = EVERYONE) -> Known:
    """Return people with a review of a kind; all ages are a figure of their own, not a sum of age bands."""
    return parts[f"clients_{kind}{cut.suffix}"]


def sequel_share(parts: Parts, sequels: Sequence[str], cut: Cut = EVERYONE) -> Known:
    """Return the share of requests with a known sequel that ended in one of some sequels.

    Suppressed counts (0 to 4) enter at 2 if together they cannot move the share by more than half a
    percentage point, and the status says *estimated*; else the share is missing. An estimate is kept within
    0 and 1. Where a council has no figure for prisons its published total is the sum of the other sequels,
    so that part is nothing.

    Parameters
    ----------
    parts
        With ``requests_<age>`` and ``sequel_<name>_<age>`` for the sequels, in requests; with ``_<route>`` at
        their end where the cut is of a route.
    sequels
        Keys of :data:`clsimpact.outcomes.SEQUELS`.
    cut
        Age bands and routes.

    Returns
    -------
    Known
        A proportion, from 0 to 1.
    """
    requests = requests_of(parts, cut)
    count, hidden = _count_sequels(parts, sequels, cut)
    share = ratio(count, requests)
    inexact = (hidden > 0) & np.isfinite(share.value)
    too_wide = inexact & (_reach(hidden, requests) > _SHARE_TOLERANCE)
    value = np.where(inexact, np.clip(share.value, 0.0, 1.0), share.value)
    status = np.where(too_wide, "suppressed", np.where(inexact, "estimated", share.status))
    return Known(np.where(too_wide, np.nan, value), status.astype("object"))


def sequel_count(parts: Parts, sequels: Sequence[str], cut: Cut = EVERYONE) -> Known:
    """Return how many requests ended in one of some sequels: the numerator of :func:`sequel_share`.

    A count with suppressed parts is given, as *estimated*, where the share is. Parameters are those of
    :func:`sequel_share`.
    """
    requests = requests_of(parts, cut)
    count, hidden = _count_sequels(parts, sequels, cut)
    inexact = (hidden > 0) & np.isin(count.status, HAS_VALUE)
    reach = _reach(hidden, requests)
    near = inexact & np.isin(requests.status, HAS_VALUE) & (reach <= _SHARE_TOLERANCE)
    value = np.where(near, np.minimum(count.value, requests.value), np.where(inexact, np.nan, count.value))
    status = np.where(near, "estimated", np.where(inexact, "suppressed", count.status))
    return Known(value, status.astype("object"))


def _reach(hidden: NDArray[np.float64], requests: Known) -> NDArray[np.float64]:
    """Return how far suppressed counts can move a share, at most."""
    with np.errstate(divide="ignore", invalid="ignore"):
        reach: NDArray[np.float64] = hidden * _SUPPRESSED_REACH / requests.value
    return reach


def _count_sequels(parts: Parts, sequels: Sequence[str], cut: Cut) -> tuple[Known, NDArray[np.float64]]:
    """Return the sum of some sequels, with suppressed figures at their middle, and how many those were."""
    found = [
        _count_sequel(parts, f"sequel_{sequel}{end}", may_lack=sequel == "prison")
        for end in cut.parts()
        for sequel in sequels
    ]
    hidden = np.sum([suppressed for _, suppressed in found], axis=0, dtype="float64")
    return total(*(count for count, _ in found)), hidden


def _count_sequel(parts: Parts, name: str, *, may_lack: bool) -> tuple[Known, NDArray[np.float64]]:
    """Return a count with suppressed figures at their middle, and how many were suppressed."""
    part, (shown, withheld) = parts[name], parts.withheld(name)
    in_part = (part.status == "suppressed") | ((part.status == "not_submitted") & may_lack)
    value = np.where(in_part, shown + _SUPPRESSED_MEAN * withheld, part.value)
    return Known(value, np.where(in_part, "published", part.status)), np.where(in_part, withheld, 0.0)


def log_ratio(top: Known, bottom: Known) -> Known:
    """Return the natural logarithm of ``top / bottom``; ``not_applicable`` where either is zero."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return known(np.log(top.value / bottom.value), top, bottom)
