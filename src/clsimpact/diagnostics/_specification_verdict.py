"""What the permutation test of a specification curve returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from clsimpact._check import number, plural
from clsimpact._display import card, folded, grid, paragraphs

__all__ = ["CurveTest"]


@dataclass(frozen=True, eq=False, repr=False)
class CurveTest:
    """How unusual a specification curve is among those of re-assigned adoption.

    Attributes
    ----------
    table : pandas.DataFrame
        ``statistic, meaning, observed, p_value, null_median, null_95``: a row per statistic; the last two are
        of the sizes of the re-assigned statistics.
    draws : int
        Re-assignments made.
    count : int
        Re-assignments that the data allow.
    enumerated : bool
        Whether all of them were made.
    n_specifications, n_estimated : int
        Specifications in the test, and with an estimate.
    left_out : mapping
        Number of estimated specifications outside the test, by reason.
    movable, n_paths : int
        Units with an adoption path that can be moved, and all of them.
    level : float
        Level by which a specification counts as significant.
    simulated : bool

    Examples
    --------
    See `SpecificationCurve.permutation_test`.
    """

    table: pd.DataFrame
    draws: int
    count: int
    enumerated: bool
    n_specifications: int
    n_estimated: int
    left_out: Mapping[str, int]
    movable: int
    n_paths: int
    level: float
    simulated: bool

    @property
    def p_value(self) -> float:
        """p-value of the median t statistic: the one to quote."""
        return float(self.table["p_value"].iloc[0])

    def tidy(self) -> pd.DataFrame:
        """Return ``table`` (a fresh copy)."""
        return self.table.copy()

    def summary(self) -> str:
        """Say what was tested, on what, and what came out."""
        row = self.table.set_index("statistic")
        first: Any = row.loc["median_t"]
        sure: Any = row.loc["share_significant"]
        all_of = "all" if self.enumerated else f"{self.draws:,} of {_many(self.count)}"
        alpha = 1 - self.level
        verdict = (
            "Curves like this one are rare if nobody has any effect."
            if self.p_value < alpha
            else "Curves like this one are not rare if nobody has any effect."
        )
        lines = [
            f"{'SIMULATED: ' if self.simulated else ''}Permutation test of the curve "
            f"({plural(self.n_specifications, 'specification')}): p = {number(self.p_value)}. {verdict}",
            f"Median t statistic {number(first['observed'])}; its size under re-assignment is "
            f"{number(first['null_median'])} at the median and {number(first['null_95'])} at the 95th "
            "percentile.",
            f"Significant at {100 * alpha:.3g}% with the sign of most estimates: {sure['observed']:.0%} of "
            f"specifications (p = {number(float(sure['p_value']))}).",
            f"{all_of} re-assignments ({self.movable} of {self.n_paths} units with an adoption path can be "
            "moved), outcomes as they are: the sharp null of no effect.",
        ]
        if self.enumerated and self.count * alpha < 1:
            lines.append(
                f"With {self.count} re-assignments no p-value below {1 / self.count:.2g} is possible."
            )
        if self.left_out:
            said = "; ".join(f"{count} as {reason}" for reason, count in self.left_out.items())
            lines.append(f"Left out of {self.n_estimated} with an estimate: {said}.")
        return "\n".join(lines)

    def __repr__(self) -> str:
        made_up = "SIMULATED: " if self.simulated else ""
        return (
            f"{made_up}Permutation test of {plural(self.n_specifications, 'specification')}: "
            f"p = {number(self.p_value)} (median t {number(float(self.table['observed'].iloc[0]))}; "
            f"{self.draws:,} re-assignments)"
        )

    def _repr_html_(self) -> str:
        heads = ("Statistic", "Observed", "p-value", "Median if nobody has an effect", "95th percentile")
        columns = ("observed", "p_value", "null_median", "null_95")
        rows = [
            [str(row["meaning"]), *(number(float(row[name])) for name in columns)]
            for row in self.table.to_dict("records")
        ]
        first, *others = self.summary().splitlines()
        return card(
            grid(repr(self), heads, rows, align="lrrrr"),
            paragraphs([first]),
            folded("More about the test", paragraphs(others)),
            simulated=self.simulated,
        )


def _many(count: int) -> str:
    """Write a number that may have a hundred digits."""
    text = str(count)
    return f"{count:,}" if len(text) <= 9 else f"{text[0]}.{text[1]}e{len(text) - 1}"
