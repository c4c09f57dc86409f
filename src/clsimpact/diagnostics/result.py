"""What a check says: verdict, finding, numbers, advice."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from clsimpact._display import card
from clsimpact.errors import DesignError

if TYPE_CHECKING:
    from clsimpact.plots._figure import EventStudyFigure

__all__ = ["VERDICTS", "Advice", "CheckResult", "Found", "Number", "Verdict", "plain"]

Verdict = Literal["holds", "does not hold", "cannot tell"]
Number = float | int | str | None

VERDICTS: tuple[Verdict, ...] = ("does not hold", "cannot tell", "holds")
"""What a check can say, the worst first."""


@dataclass(frozen=True)
class Advice:
    """What to do, and the line of code that does it.

    Attributes
    ----------
    text : str
        One sentence.
    code : str
        Python that runs where ``ci``, ``design``, ``fit``, ``data`` and ``adoption`` are what was checked.

    Examples
    --------
    >>> print(Advice("Look at the terms before adoption.", "fit.bands('before')"))
    Look at the terms before adoption.
        fit.bands('before')
    """

    text: str
    code: str

    def __str__(self) -> str:
        return f"{self.text}\n    {self.code}"


@dataclass(frozen=True, eq=False)
class Found:
    """What the function of a check returns.

    Attributes
    ----------
    verdict : str
        ``"holds"`` only where the check could have seen a fault that matters; else ``"cannot tell"``.
    finding : str
        What was found, in words that follow from the numbers and name units and periods.
    numbers : mapping
        The numbers behind the words, by name.
    table : pandas.DataFrame or None
        One row per estimate, unit or period that was looked at.
    advice : tuple of Advice
    draw : callable or None
        Makes the figure.
    """

    verdict: Verdict
    finding: str
    numbers: Mapping[str, Number] = field(default_factory=dict)
    table: pd.DataFrame | None = None
    advice: tuple[Advice, ...] = ()
    draw: Callable[[], EventStudyFigure] | None = None


@dataclass(frozen=True, eq=False)
class CheckResult:
    """One check of one analysis.

    Attributes
    ----------
    name, title, question, threat, source : str
        As in :func:`clsimpact.checks`.
    found : Found
        Verdict, finding, numbers, table, advice.
    data_source : str
        Where the data come from.

    Examples
    --------
    >>> from clsimpact.datasets import example_design
    >>> result = example_design().check("precision")["precision"]
    >>> result.verdict in VERDICTS
    True
    """

    name: str
    title: str
    question: str
    threat: str
    source: str
    found: Found
    data_source: str = ""

    @property
    def verdict(self) -> Verdict:
        """``holds``, ``does not hold`` or ``cannot tell``."""
        return self.found.verdict

    @property
    def finding(self) -> str:
        """What was found, in words."""
        return self.found.finding

    @property
    def numbers(self) -> dict[str, Number]:
        """The numbers behind the words."""
        return {name: plain(value) for name, value in self.found.numbers.items()}

    @property
    def table(self) -> pd.DataFrame | None:
        """What was looked at, one row each (a copy), or None."""
        return None if self.found.table is None else self.found.table.copy()

    @property
    def advice(self) -> tuple[Advice, ...]:
        """What to do."""
        return self.found.advice

    def plot(self) -> EventStudyFigure:
        """Draw what was found.

        Raises
        ------
        DesignError
            If this result has nothing to draw.

        Examples
        --------
        >>> from clsimpact.datasets import example_design
        >>> example_design().check("precision")["precision"].plot().title[:8]
        'With 191'
        """
        if self.found.draw is None:
            raise DesignError(
                f"{self.name} has nothing to draw: {self.finding}",
                repair="Read its finding and its table instead.",
            )
        return self.found.draw()

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the figure as plain values that JSON can hold.

        Examples
        --------
        >>> from clsimpact.datasets import example_design
        >>> sorted(example_design().check("precision")["precision"].to_dict())[:4]
        ['advice', 'finding', 'name', 'numbers']
        """
        table = self.found.table
        rows = [] if table is None else table.to_dict("records")
        return {
            "name": self.name,
            "title": self.title,
            "question": self.question,
            "threat": self.threat,
            "verdict": self.verdict,
            "finding": self.finding,
            "numbers": self.numbers,
            "table": [{str(key): plain(value) for key, value in row.items()} for row in rows],
            "advice": [{"text": item.text, "code": item.code} for item in self.advice],
            "source": self.source,
        }

    def __str__(self) -> str:
        lines = [f"{self.verdict.upper()}: {self.title} ({self.name})", f"  {self.finding}"]
        lines += [f"  {line}" for item in self.advice for line in str(item).split("\n")]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        from clsimpact.diagnostics.report import result_html

        return card(result_html(self), source=self.data_source)


def plain(value: object) -> Number:
    """Return a value as JSON can hold it: Python numbers, text, None for what is missing.

    Examples
    --------
    >>> plain(np.float64(0.5)), plain(np.nan), plain(pd.NA), plain(np.int64(3)), plain(True)
    (0.5, None, None, 3, 1)
    """
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, bool | np.bool_ | int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return float(value) if np.isfinite(value) else None
    return str(value)
