"""What a rule finds: one row a finding, always the same columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

if TYPE_CHECKING:
    from clsimpact.quality._material import Material

__all__ = ["FINDING_COLUMNS", "SEVERITIES", "Found", "Rule", "as_findings", "each", "number", "spoken"]

SEVERITIES: Final[tuple[str, ...]] = ("note", "look", "warn")
"""From least to most: good to know; look before use; do not use without a decision."""

FINDING_COLUMNS: Final[tuple[str, ...]] = (
    "rule",
    "ons_code",
    "name",
    "region",
    "year",
    "return_",
    "measure",
    "severity",
    "value",
    "reference",
    "words",
    "source_id",
    "table",
    "cell",
)
_NUMBERS: Final = ("value", "reference")


@dataclass(frozen=True)
class Found:
    """What one rule found, and how much it looked at: nothing found in nothing is no comfort."""

    findings: pd.DataFrame
    looked_at: int


@dataclass(frozen=True)
class Rule:
    """One rule of the report: what it looks at, when it speaks, what it cannot see.

    Attributes
    ----------
    name, title
        Its short name in ``findings["rule"]``, and what a reader calls it.
    looks_at
        What is compared with what.
    threshold
        When it speaks, with the number, and why that number.
    false_alarms
        How often it speaks where nothing is wrong, under which assumption; empty for rules that count.
    cannot_see
        What it misses.
    source
        Where the reason comes from.
    unit
        What ``looked_at`` counts.
    find
        The rule itself: reads the prepared table, changes nothing.
    """

    name: str
    title: str
    looks_at: str
    threshold: str
    false_alarms: str
    cannot_see: str
    source: str
    unit: str
    find: Callable[[Material], Found]


def as_findings(rows: pd.DataFrame | Sequence[dict[str, object]]) -> pd.DataFrame:
    """Put a rule's rows into the columns of the findings; columns that a rule does not fill are missing.

    Parameters
    ----------
    rows
        With any of :data:`FINDING_COLUMNS`; ``rule``, ``name`` and ``region`` are written by the report.

    Returns
    -------
    pandas.DataFrame
        :data:`FINDING_COLUMNS`: text as ``string``, ``year`` as ``Int64``, numbers as ``float64``.

    Examples
    --------
    >>> as_findings([{"ons_code": "E08000005", "year": 2020, "severity": "warn"}])["severity"].tolist()
    ['warn']
    """
    frame = pd.DataFrame(rows).reindex(columns=list(FINDING_COLUMNS)).reset_index(drop=True)
    kinds = dict.fromkeys(FINDING_COLUMNS, "string") | dict.fromkeys(_NUMBERS, "float64") | {"year": "Int64"}
    return frame.astype(kinds)


def each(rows: pd.DataFrame) -> Iterator[Any]:
    """Yield the rows of a table, whose columns are attributes."""
    return iter(rows.itertuples())


def spoken(measure: str) -> str:
    """Return the name of a measure for a sentence."""
    return measure.replace("_", " ")


def number(value: float) -> str:
    """Write a number for a sentence: thousands apart, and as few decimals as say something.

    Examples
    --------
    >>> number(12345.6), number(12.34), number(0.04567), number(-3.0)
    ('12,346', '12.3', '0.046', '-3')
    """
    size = abs(value)
    if size >= 100 or value == round(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if size >= 1 else f"{value:.2g}"
