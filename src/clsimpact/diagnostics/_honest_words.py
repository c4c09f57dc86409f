"""The words of HonestDiD: what the bounds mean, the intervals, and what follows from them."""

from __future__ import annotations

import math
import textwrap
from typing import TYPE_CHECKING

from clsimpact._check import number, sample_words, unit_text
from clsimpact._display import card, folded, grid, paragraphs
from clsimpact.errors import list_some

if TYPE_CHECKING:
    from clsimpact.diagnostics.honest_did import HonestDiD

__all__ = ["bound", "conclusion", "estimand_words", "finding", "html_table", "meaning", "short", "summary"]

WIDTH = 108
"""Letters of a line."""

SAME = 1e-12
"""Weights of an estimand this close are equal, and their sum one: a dozen sevenths round to 1e-16 each.

Weights that somebody chose apart differ in the digits that they were typed with."""

NAMES = {"relative_magnitudes": "relative magnitudes", "smoothness": "smoothness"}

KINDS = {
    "C-LF": "conditional test, hybrid with the least-favourable one",
    "conditional": "conditional test",
    "FLCI": "fixed-length intervals",
}


def bound(found: HonestDiD) -> str:
    """Return the letter of the bound."""
    return "M" if found.method == "smoothness" else "Mbar"


def meaning(found: HonestDiD) -> str:
    """Say what a bound means."""
    if found.method == "smoothness":
        unit = "" if found.design is None or not unit_text(found.design) else f" {unit_text(found.design)}"
        return (
            f"M: the slope of the difference in trends changes by at most M{unit} from one period to the "
            "next; 0 carries the straight line before adoption on"
        )
    return (
        "Mbar: no step of the difference in trends after the reference exceeds Mbar times the largest step "
        "before it"
    )


def estimand_words(found: HonestDiD) -> str:
    """Say what is estimated."""
    used = {time: weight for time, weight in found.estimand.items() if weight != 0}
    times = list(used)
    same = max(used.values()) - min(used.values()) < SAME
    if len(times) == 1 and abs(used[times[0]] - 1) < SAME:
        return f"effect at event time {times[0]}"
    if same and abs(sum(used.values()) - 1) < SAME:
        span = f"{times[0]} to {times[-1]}" if times[-1] - times[0] + 1 == len(times) else list_some(times)
        return f"average effect over event times {span}"
    return "weighted effect: " + list_some([f"{number(w)} × event time {t}" for t, w in used.items()])


def _covers(low: float, high: float) -> bool:
    return low <= 0 <= high


def conclusion(found: HonestDiD) -> str:
    """Say how far the conclusion holds."""
    name, at = bound(found), found.breakdown
    starts = "includes" if _covers(*found.original) else "excludes"
    if math.isnan(at):
        same = "and so does" if starts == "includes" else "but not"
        return f"The original interval {starts} zero, {same} that at {name} = 0: there is no breakdown value."
    joined = "it stays out" if starts == "excludes" else f"that at {name} = 0 excludes it, and it stays out"
    if math.isinf(at):
        return f"The original interval {starts} zero; {joined} at every {name} that was looked at."
    return f"The original interval {starts} zero; {joined} until {name} = {number(at)}."


def finding(found: HonestDiD) -> str:
    """Say the same in a title, without letters."""
    label = found.design.outcome_label if found.design is not None else "Effect"
    at = found.breakdown
    if math.isnan(at):
        if _covers(*found.original):
            return f"{label}: the interval includes zero before trends are allowed to differ"
        bare = (
            "with a straight line carried on" if found.method == "smoothness" else "at relative magnitude 0"
        )
        return f"{label}: the robust interval includes zero {bare}"
    if math.isinf(at):
        return f"{label}: the interval excludes zero at every difference in trends looked at"
    if found.method == "smoothness":
        unit = "" if found.design is None or not unit_text(found.design) else f" {unit_text(found.design)}"
        return f"{label}: the interval excludes zero until slopes may change by {number(at)}{unit} a period"
    return (
        f"{label}: the interval excludes zero until trends may differ by {number(at)} times the most seen "
        "before adoption"
    )


def short(found: HonestDiD, outcome: str = "") -> str:
    """Return one line, with the column of the outcome or another name of it."""
    design, at, name = found.design, found.breakdown, bound(found)
    head = "" if design is None or not design.simulated else "SIMULATED: "
    what = "" if design is None else f" of {outcome or design.outcome}"
    if math.isnan(at):
        tail = f"zero included at {name} = 0"
    else:
        tail = f"zero excluded up to {name} = {'any' if math.isinf(at) else number(at)}"
    return f"{head}HonestDiD{what} ({NAMES[found.method]}, {found.kind}): {tail}"


def _rows(found: HonestDiD) -> list[tuple[str, str, str]]:
    """Return the lines of the table: bound, ends, whether zero is inside."""
    lines = [("original", *found.original)]
    lines += [
        (f"{bound(found)} = {number(float(m))}", float(low), float(high))
        for m, low, high in zip(found.grid, found.conf_low, found.conf_high, strict=True)
    ]
    return [
        (name, f"{number(low)} to {number(high)}", "includes zero" if _covers(low, high) else "excludes zero")
        for name, low, high in lines
    ]


def summary(found: HonestDiD) -> str:
    """Return `HonestDiD.summary`."""
    design = found.design
    lines = [f"HonestDiD, {NAMES[found.method]} ({KINDS[found.kind]}), {100 * found.level:.4g}% intervals"]
    if design is not None and found.path.fit is not None:
        unit = f", {unit_text(design)}" if unit_text(design) else ""
        lines.append(f"Outcome: {design.outcome_label}{unit}; {found.path.fit.estimator}")
        lines.append(f"Sample: {sample_words(design)}")
    lines.append(f"Estimand: {estimand_words(found)}; estimate {number(found.estimate)}")
    lines.append(f"Path: event times {list_some(found.path.times, 20)}; reference {found.path.reference}")
    lines.append(meaning(found))
    lines += found.notes
    lines = [part for line in lines for part in textwrap.wrap(line, WIDTH)]
    rows = _rows(found)
    wide = [max(len(row[i]) for row in rows) for i in range(2)]
    lines += [f"  {name:<{wide[0]}}  {span:<{wide[1]}}  {says}" for name, span, says in rows]
    lines.append(conclusion(found))
    return "\n".join(lines)


def html_table(found: HonestDiD) -> str:
    """Return the intervals as a table with the conclusion, and what a bound means folded."""
    heads = [f"Bound ({bound(found)})", f"{100 * found.level:.4g}% interval", "Zero"]
    design = found.design
    sample = [] if design is None else [f"Sample: {sample_words(design)}; {design.outcome_label}."]
    return card(
        grid(short(found, "" if design is None else design.outcome_label), heads, _rows(found), align="lrl"),
        paragraphs([conclusion(found), *sample]),
        folded("What the bound means, and choices made", paragraphs([meaning(found), *found.notes])),
        simulated=design is not None and design.simulated,
        source="" if design is None else design.source,
    )
