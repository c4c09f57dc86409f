"""Adoption pretended earlier, on rows before it took place; and the words and verdicts that checks share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clsimpact._check import number, period_words, plural
from clsimpact.diagnostics._judged import ALPHA, Judged
from clsimpact.diagnostics._matter import Matter, matter_of
from clsimpact.diagnostics.result import Advice, Number, Verdict
from clsimpact.errors import DesignError
from clsimpact.years import spans, year_label

if TYPE_CHECKING:
    from clsimpact.design import Design
    from clsimpact.diagnostics.setting import Setting

__all__ = [
    "LEAST",
    "Matter",
    "adopters_in",
    "ends",
    "found_words",
    "margin_advice",
    "matter_of",
    "moved",
    "numbers_of",
    "p_words",
    "period_word",
    "periods",
    "pretended",
    "remade",
    "rows_of",
    "seen_words",
    "unit_note",
    "varying",
    "verdict_of",
    "when",
]

Floats = NDArray[np.float64]

LEAST = 3
"""Adopters behind a number that is tested: fewer do not show how adopters vary (docs/size.md)."""


def verdict_of(adjusted: Floats, low: Floats, high: Floats, matter: Matter) -> Verdict:
    """Say whether a fault was found, ruled out, or neither.

    A fault that was found is no fault where its whole interval lies within a margin that was given.
    """
    found = adjusted < ALPHA
    if matter.given:
        found = found & ~matter.within(low, high)
    if found.any():
        return "does not hold"
    return "holds" if matter.holds(low, high) else "cannot tell"


def varying(judged: Judged) -> Judged:
    """Return what was judged.

    Raises
    ------
    DesignError
        If nothing can be judged: an outcome that is the same throughout varies in no sample.
    """
    if not np.isfinite(judged.p_values).any():
        raise DesignError(
            "Nothing can be tested: the outcome does not vary beyond effects of units and periods.",
            repair="Look at the outcome: fit.summary().",
        )
    return judged


def pretended(design: Design, years: int) -> Design:
    """Return the rows before adoption, with adoption ``years`` periods of the calendar earlier.

    Raises
    ------
    DesignError
        If no such row is left.
    """
    earlier = np.where(design.in_window, design.unit_cohorts - years, design.unit_cohorts)
    return design.with_cohorts(earlier).restrict(~design.treated, reason="adopted: left out of a placebo")


def adopters_in(design: Design) -> int:
    """Count the adopters with rows both before and after (pretended) adoption."""
    treated = np.bincount(design.unit_codes[design.treated], minlength=len(design.units)) > 0
    before = np.bincount(design.unit_codes[~design.treated], minlength=len(design.units)) > 0
    return int((treated & before).sum())


def when(design: Design, period: int) -> str:
    """Name a period: councils have financial years."""
    return year_label(period) if design.unit == "ons_code" else str(period)


def ends(low: float, high: float) -> str:
    """Write an interval."""
    return f"{number(low)} to {number(high)}"


def rows_of(judged: Judged, labels: list[str], adopters: list[int]) -> pd.DataFrame:
    """One row per number, as `forest_figure` draws them."""
    return pd.DataFrame(
        {
            "label": labels,
            "estimate": judged.estimates,
            "conf_low": judged.low,
            "conf_high": judged.high,
            "p_value": judged.p_values,
            "p_adjusted": judged.adjusted,
            "detectable": judged.detectable,
            "adopters": adopters,
            "marked": judged.adjusted < ALPHA,
        }
    )


def margin_advice(setting: Setting, name: str) -> Advice:
    """Advise to say what is too small to matter; the number is the user's to find, not ours to hand out."""
    if setting.margin is not None:
        return Advice(
            "See how many adopters or years would be enough to rule that out.",
            'design.check("precision", data=data)',
        )
    unit = f", in {setting.unit.strip()}" if setting.unit else ", in the unit of the outcome"
    return Advice(
        f"Say what is too small to matter{unit}, from outside these data: what the programme costs or what "
        "others found worth having; put that number in place of None.",
        f'fit.check("{name}", data=data, margin=None)',
    )


def precision_advice() -> Advice:
    """Advise to look at precision: more adopters make a result that does not hang on one."""
    return Advice("See how many adopters a steadier answer needs.", 'design.check("precision", data=data)')


def numbers_of(table: pd.DataFrame, keys: Sequence[object]) -> dict[str, Number]:
    """Return the numbers of each row, by name and key."""
    columns = ("estimate", "conf_low", "conf_high", "p_value", "p_adjusted", "detectable", "adopters")
    rows = zip(keys, table.to_dict("records"), strict=True)
    return {f"{name}_{key}": row[name] for key, row in rows for name in columns}


def moved(row: Any, level: float) -> str:
    """Say one number with its interval: ``3 higher (24 adopters; 95% interval 1 to 5, adjusted p 0.012)``."""
    way = "higher" if row.estimate >= 0 else "lower"
    return (
        f"{number(abs(row.estimate))} {way} ({plural(int(row.adopters), 'adopter')}; {100 * level:.4g}% "
        f"interval {ends(row.conf_low, row.conf_high)}, adjusted p {p_words(row.p_adjusted)})"
    )


def p_words(p: float) -> str:
    """Write a p-value."""
    if not np.isfinite(p):
        return "not available"
    return f"{p:.3f}" if p >= 0.001 else "below 0.001"


def unit_note(setting: Setting) -> str:
    """Name the unit of the outcome once, in brackets."""
    return f" [{setting.unit.strip()}]" if setting.unit else ""


def found_words(detectable: Floats, what: str) -> str:
    """Say what would be found: ``A change of 3 would be found four times in five``.

    Where that is not known for every number, as with too few draws for their count, nothing is said of it.
    """
    most = float(np.max(detectable))
    if not np.isfinite(most):
        return f"What size {what} would be found at cannot be said with so few draws"
    return f"{what[0].upper()}{what[1:]} of {number(most)} would be found four times in five"


def seen_words(table: pd.DataFrame, verdict: Verdict, matter: Matter, what: str) -> str:
    """Say what would have been seen, and what that leaves open."""
    if verdict == "holds" and table["marked"].any():
        return (
            f"{what[0].upper()}{what[1:]} was found, but all of its interval lies within {matter.words}: too "
            "small to matter."
        )
    seen = found_words(table["detectable"].to_numpy(dtype=float), what)
    if verdict == "holds":
        return f"{seen}, and the intervals leave no room for {matter.words}."
    if not np.isfinite(matter.size):
        return f"{seen}; the effect itself has no interval and no margin is given to compare that with."
    reach = np.abs(table[["conf_low", "conf_high"]].to_numpy(dtype=float)).max(axis=1)
    widest = table["label"].iloc[int(np.argmax(reach))]
    where = f" ({widest})" if len(table) > 1 else ""
    return f"{seen}; {what} as large as {matter.words} is not ruled out{where}."


def remade(setting: Setting, option: str) -> str:
    """Return the code that makes the design again with an option, and estimates it as the result was."""
    design = setting.design
    roles: dict[str, object] = {"outcome": design.outcome, "unit": design.unit, "time": design.time}
    more: dict[str, object] = {"cohort": design.cohort}
    more |= {"cluster": design.cluster if design.cluster != design.unit else None, "weights": design.weights}
    more |= {"effects": design.effects if design.effects != "unit" else None}
    more |= {"covariates": design.covariates or None}
    named = ", ".join(f"{key}={value!r}" for key, value in (roles | more).items() if value is not None)
    return f"fit.again(ci.Design(data, {named}, {option})).summary()"


def period_word(design: Design) -> str:
    """Return what a period is called."""
    return "year" if design.unit == "ons_code" else "period"


def periods(design: Design) -> str:
    """Name the observed periods, as runs."""
    if design.unit == "ons_code":
        return spans(design.periods)
    return period_words(design)
