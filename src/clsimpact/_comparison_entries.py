"""One estimate in a comparison: what it compares with whom, and how what it averages weighs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clsimpact._explain import TWO_WAY
from clsimpact._tidy import REFERENCE
from clsimpact.errors import DesignError

if TYPE_CHECKING:
    from clsimpact.results import Estimate

__all__ = ["CONTROLS", "Difference", "Entry", "differ", "joined", "times"]

CONTROLS = {
    "never": "units never treated",
    "not_yet": "units never or not yet treated",
    "already": "units never or not yet treated and units already treated",
    "last": "the last cohort",
    "weighted": "a weighted mean of units never treated",
}

FIXED = {"imputation": "not_yet", "two_stage": "not_yet", "did_m": "not_yet", "synthetic_did": "weighted"}
FIXED |= dict.fromkeys(TWO_WAY, "already")
"""Comparison group of the estimators that have only one."""

SAID = (
    ("last cohort", "last"),
    ("not yet", "not_yet"),
    ("untreated through", "not_yet"),
    ("never", "never"),
)
"""What notes say of the comparison group, the most particular first."""

AVERAGES = {
    "ATT": "each treated unit and period counts once",
    "average after adoption": "each event time counts once",
    "mean over cohorts": "each cohort counts by its size",
    "mean over periods": "each period counts once",
    "treated": "weights of least squares, which can be negative",
}
"""How an overall effect weighs, by its name."""


@dataclass(frozen=True)
class Difference:
    """Where estimates differ: its kind, a few words for a figure, the whole sentence, who is what."""

    kind: str
    short: str
    text: str
    groups: str = ""


@dataclass(frozen=True, eq=False)
class Entry:
    """One estimate in a comparison, saved or not: its label, its path by event time (None without one)."""

    label: str
    fit: Estimate
    path: Estimate | None

    @cached_property
    def rows(self) -> pd.DataFrame:
        """Tidy rows of the path, or of the overall effect without one."""
        if self.path is None:
            return self.overall
        tidy = self.path.tidy()
        return tidy[tidy["event_time"].notna()].reset_index(drop=True)

    @cached_property
    def overall(self) -> pd.DataFrame:
        """The overall effect as one tidy row; not identified rather than an error."""
        try:
            found = self.fit.overall.reset_index(drop=True)
            why = "the file holds no overall effect"
        except DesignError as error:
            found, why = pd.DataFrame(), error.summary
        if found.empty:
            tidy = self.fit.tidy().iloc[[0]].reset_index(drop=True)
            gone = ["estimate", "std_error", "statistic", "p_value", "conf_low", "conf_high"]
            tidy[gone] = np.nan
            nothing = pd.array([None], dtype="Int64")
            tidy = tidy.assign(event_time=nothing, cohort=nothing, n_units=nothing, n_obs=nothing)
            return tidy.assign(term="average after adoption", identified=False, reason=why)
        return found

    @property
    def identified(self) -> list[int]:
        """Event times with an estimate."""
        return [] if self.path is None else [int(e) for e in self.rows["event_time"][self.rows["identified"]]]

    @property
    def references(self) -> list[int]:
        """Event times that are zero by construction."""
        if self.path is None:
            return []
        zero = self.rows["reason"].str.startswith(REFERENCE) | self.rows["estimate"].eq(0)
        return [int(e) for e in self.rows["event_time"][zero & ~self.rows["identified"]]]

    @property
    def lost(self) -> list[int]:
        """Event times in the path that the data cannot identify."""
        if self.path is None:
            return []
        every = (int(e) for e in self.rows["event_time"])
        return [e for e in every if e not in self.identified and e not in self.references]

    @property
    def control(self) -> str:
        """Who is compared with, as a key of `CONTROLS`; empty where the estimate does not say."""
        said = self.fit.options.get("control")
        if said in CONTROLS:
            return str(said)
        if self.fit.estimator in FIXED:
            return FIXED[self.fit.estimator]
        notes = " ".join(note for note in self.fit.notes if note.startswith("Comparison")).lower()
        return next((key for words, key in SAID if words in notes), "")

    @property
    def leads(self) -> str:
        """What the coefficients before adoption are; empty without any."""
        first = -self.fit.design.anticipation
        if not any(e < first for e in self.identified):
            return ""
        if self.fit.estimator == "two_stage":
            return "means of first-stage residuals, which are drawn towards zero"
        if self.fit.estimator == "imputation":
            return "leads fitted to untreated rows alone"
        if self.fit.estimator == "synthetic_did":
            return "gaps that the weights were made to close"
        if self.fit.options.get("base") == "mean":
            return "differences from the mean of earlier periods"
        if not self.references:
            return "changes from one period to the next"
        return "differences from the reference period"

    @property
    def weighing(self) -> str:
        """How the overall effect weighs."""
        term = str(self.overall["term"].iloc[0])
        return AVERAGES.get(term, term)

    @property
    def pooling(self) -> str:
        """How cohorts weigh within one event time; empty without a path."""
        if self.path is None:
            return ""
        if self.fit.estimator == "event_study":
            return "by least squares, which can be negative and mix in other event times"
        if self.fit.options.get("weighting") in ("regression", "none"):
            return "by the sizes of adopters and of their controls"
        return "by adopters"


def joined(groups: Mapping[str, Sequence[str]], *, whole: bool = True) -> str:
    """Write values with the labels that have them.

    Where the groups hold the ``whole``, the largest one of three or more is "the others".

    Examples
    --------
    >>> joined({"never treated": ["A", "B"], "not yet treated": ["C"]})
    'never treated (A, B); not yet treated (C)'
    >>> joined({"CR0": ["A", "B", "D"], "CR1": ["C"]})
    'CR1 (C); CR0 (the others)'
    """
    most = max(groups, key=lambda value: len(groups[value]))
    if not whole or len(groups) == 1 or len(groups[most]) < 3:
        return "; ".join(f"{value} ({', '.join(labels)})" for value, labels in groups.items())
    rest = {value: labels for value, labels in groups.items() if value != most}
    said = [f"{value} ({', '.join(labels)})" for value, labels in rest.items()]
    return "; ".join([*said, f"{most} (the others)"])


def _groups(entries: Sequence[Entry], values: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for entry, value in zip(entries, values, strict=True):
        if value:
            found.setdefault(value, []).append(entry.label)
    return found


def times(events: Sequence[int]) -> str:
    """Write event times, as a range where there is no gap.

    Examples
    --------
    >>> times([-2, 0, 1]), times([0, 1, 2]), times([])
    ('-2, 0, 1', '0 to 2', 'none')
    """
    if not events:
        return "none"
    whole = len(events) > 2 and events[-1] - events[0] + 1 == len(events)
    return f"{events[0]} to {events[-1]}" if whole else ", ".join(str(e) for e in events)


def differ(
    entries: Sequence[Entry], values: Sequence[str], kind: str, short: str, head: str, then: str = ""
) -> Difference | None:
    """Return a difference where the values are not all the same."""
    groups = _groups(entries, values)
    if len(groups) < 2:
        return None
    said = joined(groups, whole=all(values))
    return Difference(kind, short, f"{head}: {said}.{f' {then}' if then else ''}", said)
