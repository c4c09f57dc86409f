"""The words of a specification curve, computed from its numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clsimpact._check import kind_label, number, plural
from clsimpact._display import card, folded, grid, paragraphs
from clsimpact.errors import list_some

if TYPE_CHECKING:
    from clsimpact.diagnostics.specification_curve import SpecificationCurve

__all__ = ["amount", "headline", "html_table", "kinds", "short", "shown_unit", "summary"]

NAMES = {
    "outcome": "Outcome", "sample": "Sample", "controls": "Controls", "dates": "Adoption dates",
    "estimator": "Estimator", "covariates": "Covariates", "inference": "Inference",
}  # fmt: skip
"""What readers call each choice."""


def shown_unit(curve: SpecificationCurve) -> tuple[float, str]:
    """Return what numbers are multiplied by on the page, and the unit they are then in."""
    if curve.unit.startswith("proportion"):
        return 100.0, curve.unit.replace("proportion", "percentage points", 1)
    return 1.0, curve.unit


def amount(curve: SpecificationCurve, value: float) -> str:
    """Write one number in the unit of the page."""
    return number(shown_unit(curve)[0] * value)


def kinds(curve: SpecificationCurve) -> str:
    """Say what intervals come from."""
    used = [name for name in curve.table["method"].unique() if name not in ("", "none")]
    return ", ".join(kind_label(str(name)) for name in used) or "none"


def _unit(curve: SpecificationCurve) -> str:
    text = shown_unit(curve)[1]
    return f" {text}" if text else ""


def short(curve: SpecificationCurve) -> str:
    """Return the curve in one line."""
    made_up = "SIMULATED: " if curve.simulated else ""
    head = f"{made_up}Specification curve of {plural(len(curve.table), 'specification')}"
    if not curve.table["identified"].any():
        return f"{head}: none has an estimate"
    low, high = curve.span
    return (
        f"{head}: median {amount(curve, curve.median)}{_unit(curve)}, from {amount(curve, low)} to "
        f"{amount(curve, high)}"
    )


def headline(curve: SpecificationCurve) -> str:
    """Say the signs of the estimates and how many intervals exclude zero: the title of the figure."""
    rows, share = curve.estimated, curve.shares()
    if rows.empty:
        return f"None of {plural(len(curve.table), 'specification')} can be estimated"
    up, down = share["estimates"].tolist()
    sign, count = ("positive", up) if up >= down else ("negative", down)
    bars = int(rows["conf_low"].notna().sum())
    many = f"All {len(rows):,}" if count == len(rows) else f"{count:,} of {len(rows):,}"
    text = f"{many} estimates are {sign}"
    if len(rows) == 1:
        text = f"The one estimate is {sign}"
    if not bars:
        return f"{text}; none has an interval"
    sure = share["significant"].tolist()
    other = {"positive": "negative", "negative": "positive"}[sign]
    own, against = sure if sign == "positive" else sure[::-1]
    if not own and not against:
        return f"{text}; no interval excludes zero"
    both = f" ({against:,} as {other})" if against else ""
    of = "all intervals exclude" if own == bars else f"{own:,} of {bars:,} intervals exclude"
    return f"{text}; {of} zero on that side{both}"


def summary(curve: SpecificationCurve) -> str:
    """Return `SpecificationCurve.summary`."""
    rows = curve.estimated
    made_up = "SIMULATED: " if curve.simulated else ""
    total, n = len(curve.table), len(rows)
    told = "all have an estimate" if n == total else f"{n:,} have an estimate, {total - n:,} have none"
    head = f"{made_up}{plural(total, 'specification')}: {told}."
    if not n:
        return "\n".join([head, *_failures(curve)])
    low, high = curve.span
    lines = [
        f"{head} Median {amount(curve, curve.median)}{_unit(curve)}, from {amount(curve, low)} to "
        f"{amount(curve, high)}.",
        f"{headline(curve)}.",
        _main(curve),
        *_matters(curve),
        f"Intervals: {100 * curve.level:.4g}%, {kinds(curve)}.{_withheld(rows)}",
        _treated(rows),
        *_failures(curve),
        "Specifications share their data, so that their agreement is not that of independent studies; "
        "permutation_test() says how unusual the whole curve is.",
    ]
    return "\n".join(line for line in lines if line)


def _main(curve: SpecificationCurve) -> str:
    row = curve.main
    what = ", ".join(f"{NAMES[name].lower()} {row[name]}" for name in curve.varied)
    where = f" ({what})" if what else ""
    if not row["identified"]:
        return f"Main specification{where}: no estimate, {row['reason']}."
    span = "no interval"
    if np.isfinite(row["conf_low"]):
        span = f"{amount(curve, row['conf_low'])} to {amount(curve, row['conf_high'])}"
    place = float((curve.estimated["estimate"] < row["estimate"]).mean())
    return (
        f"Main specification{where}: {amount(curve, row['estimate'])} ({span}); {place:.0%} of estimates lie "
        "below it."
    )


def _matters(curve: SpecificationCurve) -> list[str]:
    """Say which choice moves the estimates most."""
    found = curve.importance().dropna(subset=["eta_squared"])
    if found.empty:
        return []
    first: Any = found.iloc[0]
    lines = [
        f"The choice that matters most is {NAMES[first['choice']].lower()}: by itself it explains "
        f"{first['eta_squared']:.0%} of the variance of the estimates, with means from "
        f"{amount(curve, first['lowest_mean'])} ({first['lowest']}) to "
        f"{amount(curve, first['highest_mean'])} ({first['highest']})."
    ]
    rest = list(zip(found["choice"].astype(str), found["eta_squared"], strict=True))[1:]
    others = [f"{NAMES[choice].lower()} {share:.0%}" for choice, share in rest]
    return [*lines, f"Others: {', '.join(others)}."] if others else lines


def _withheld(rows: pd.DataFrame) -> str:
    gone = rows[rows["conf_low"].isna() | rows["conf_high"].isna()]
    if gone.empty:
        return ""
    counts = gone["reason"].replace("", "not given").value_counts()
    said = "; ".join(f"{count} ({reason})" for reason, count in counts.items())
    return f" {len(gone):,} estimates have no interval: {said}."


def _treated(rows: pd.DataFrame) -> str:
    least, most = int(rows["n_treated"].min()), int(rows["n_treated"].max())
    return f"Treated units: {least}." if least == most else f"Treated units: {least} to {most}."


def _failures(curve: SpecificationCurve) -> list[str]:
    found = curve.failures.sort_values("count", ascending=False, kind="stable")
    if found.empty:
        return []
    said = [f"{row.count} ({row.reason})" for row in found.itertuples(index=False)]
    return [f"Without an estimate: {list_some(said, 5)}."]


def html_table(curve: SpecificationCurve) -> str:
    """Return the summary as HTML, with a table of each option."""
    rows, told = curve.estimated, []
    for choice in curve.varied:
        for option in curve.options[choice]:
            own = rows[rows[choice] == option]
            median = amount(curve, float(own["estimate"].median())) if len(own) else ""
            told.append((f"{NAMES[choice]}: {option}", median, f"{len(own):,}"))
    median = f"Median{f' ({_unit(curve).strip()})' if _unit(curve) else ''}"
    first, *others = summary(curve).splitlines()
    return card(
        grid(short(curve), ("Option", median, "Estimates"), told, align="lrr"),
        paragraphs([first, *others[:2]]),
        folded("More about the curve", paragraphs(others[2:])),
        simulated=curve.simulated,
        source=curve.source,
    )
