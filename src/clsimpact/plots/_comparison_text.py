"""The words and numbers of a figure of estimators side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clsimpact import _agreement, _check
from clsimpact._comparison_words import Entry, times
from clsimpact._explain import in_sentence

if TYPE_CHECKING:
    from clsimpact.comparison import Comparison
    from clsimpact.design import Design

__all__ = ["all_numbers", "alt", "count_span", "factor", "foot", "minus", "shown_unit", "subtitle_of"]


def factor(design: Design) -> float:
    """Return what numbers are multiplied by on the page: proportions are shown in percentage points."""
    return 100.0 if _check.unit_text(design).startswith("proportion") else 1.0


def shown_unit(design: Design) -> str:
    """Return the unit of an effect on the page."""
    unit = _check.unit_text(design)
    return unit if factor(design) == 1 else unit.replace("proportion", "percentage points", 1)


def all_numbers(entries: tuple[Entry, ...]) -> list[str]:
    """Return the overall effects with their intervals, all to the same decimals."""
    rows = pd.concat([entry.overall for entry in entries], ignore_index=True)
    rows[["estimate", "conf_low", "conf_high"]] *= factor(entries[0].fit.design)
    usable = [bool(_agreement.usable(entry.overall, entry.fit.design).iloc[0]) for entry in entries]
    widths = (rows["conf_high"] - rows["conf_low"])[usable]
    least = float(widths[widths > 0].min()) if (widths > 0).any() else 0.0
    places = max(0, 1 - int(np.floor(np.log10(least)))) if least > 0 else None
    return [_numbers(row, ok, places) for ok, (_, row) in zip(usable, rows.iterrows(), strict=True)]


def _numbers(row: pd.Series[float], usable: bool, places: int | None = None) -> str:
    """Return an estimate with its interval: to so many decimals, else to three figures."""
    if not row["identified"]:
        return "not identified"

    def told(name: str) -> str:
        value = float(row[name])
        text = _check.number(value) if places is None else f"{value:,.{places}f}"
        if value and float(text.replace(",", "")) == 0:
            text = _check.number(float(f"{value:.1g}"))
        return minus(text)

    span = f"{told('conf_low')} to {told('conf_high')}" if usable else "no interval"
    return f"{told('estimate')} ({span})"


def minus(text: str) -> str:
    return text.replace("-", "\u2212")


def subtitle_of(entries: tuple[Entry, ...]) -> str:
    design = entries[0].fit.design
    word, unit = _check.unit_word(design), shown_unit(design)
    sizes = [len(entry.fit.design.units) for entry in entries]
    treated = [entry.fit.design.n_treated for entry in entries]
    sample = f"{count_span(sizes)} {word}s ({count_span(treated)} treated), {_check.period_words(design)}"
    place = "England, " if design.unit == "ons_code" else ""
    kinds = list(dict.fromkeys(_check.kind_label(entry.fit.method) for entry in entries))
    levels = list(dict.fromkeys(f"{100 * entry.fit.level:.4g}%" for entry in entries))
    bars = f"Bars: {' and '.join(levels)} intervals ({', '.join(kinds)})."
    label = f"{design.outcome_label}{f', {unit}' if unit else ''}"
    return f"{label}: effect of adoption by estimator. {bars} {place}{sample}."


def count_span(counts: list[int]) -> str:
    if not counts:
        return ""
    return str(counts[0]) if min(counts) == max(counts) else f"{min(counts)}–{max(counts)}"


def foot(comparison: Comparison) -> str:
    """Return the notes that a reader of the figure alone needs."""
    entries, parts = comparison.entries, []
    if any(entry.references for entry in entries):
        parts.append("Grey dot: reference, zero by construction.")
    alone = [
        entry
        for entry in entries
        if (entry.rows["identified"] & ~_agreement.usable(entry.rows, entry.fit.design)).any()
    ]
    if alone:
        one = _check.lone_words(entries[0].fit.design).removeprefix("one treated ")
        many = any((entry.rows["reason"].str.contains("each|per cohort")).any() for entry in alone)
        one = f"{one} or one per cohort" if many else one
        parts.append(f"No bar: rests on one {one}, whose own variation cannot be estimated.")
    lost = [f"{entry.label} at {minus(times(entry.lost))}" for entry in entries if entry.lost]
    if lost:
        parts.append(f"Not identified: {'; '.join(lost)}.")
    narrow = [e.label for e in entries if _check.too_narrow(e.fit.design, e.fit.method)]
    n = entries[0].fit.design.n_treated_clusters
    if narrow and 1 < n <= _agreement.TOO_FEW:
        who = "these intervals" if len(narrow) == len(entries) else f"the intervals of {', '.join(narrow)}"
        parts.append(f"With {n} treated clusters {who} are too narrow.")
    kinds = {"control": "Compared with", "leads": "Before adoption"}
    told = [f"{kinds[d.kind]}: {d.groups}." for d in comparison.differences if d.kind in kinds]
    shorts = [d.short for d in comparison.differences if d.short and d.kind not in (*kinds, "overall")]
    if shorts:
        told.append(f"The estimates also differ in {_listed(shorts)}.")
    return "\n".join([*([" ".join(parts)] if parts else []), *told])


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def alt(comparison: Comparison, title: str) -> str:
    """Write the text alternative: the finding, then every number."""
    design = comparison.entries[0].fit.design
    unit = f" ({_check.unit_text(design)})" if _check.unit_text(design) else ""
    label = in_sentence(design.outcome_label)
    many = f"{len(comparison.entries)} estimators"
    head = f"Points and intervals of the effect of adoption on {label}{unit} by {many}."
    rows = []
    for entry in comparison.entries:
        usable = bool(_agreement.usable(entry.overall, entry.fit.design).iloc[0])
        parts = [f"overall {_numbers(entry.overall.iloc[0], usable)}"]
        if entry.path is not None:
            good = _agreement.usable(entry.rows, entry.fit.design)
            for ok, (_, row) in zip(good, entry.rows.iterrows(), strict=True):
                reference = str(row["reason"]).startswith("reference")
                said = "reference" if reference else _numbers(row, bool(ok))
                parts.append(f"event time {row['event_time']}: {said}")
        rows.append(f"{entry.label}: {'; '.join(parts)}.")
    return " ".join([head, f"{title}.", *rows]).replace("\u2212", "-")
