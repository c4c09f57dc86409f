"""Whether estimates side by side agree: distances between them, beside the width of their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clsimpact import _check
from clsimpact._comparison_words import Entry, times
from clsimpact._explain import in_sentence, size, span
from clsimpact._saved_parts import SavedDesign

if TYPE_CHECKING:
    from clsimpact.design import Design

__all__ = ["Spread", "explain", "headline", "spreads", "usable"]


@dataclass(frozen=True)
class Spread:
    """How far apart estimates of one thing are.

    Attributes
    ----------
    event : int or None
        Event time; None for the overall effect.
    gap : float
        Largest estimate minus the smallest, ``high`` and ``low`` their labels.
    width : float
        Width of the narrowest interval; NaN without any.
    outside : tuple of (str, str)
        Labels of an estimate and of an interval that does not hold it.
    apart : tuple of (str, str)
        Labels of intervals that do not overlap.
    """

    event: int | None
    gap: float
    low: str
    high: str
    width: float
    outside: tuple[tuple[str, str], ...]
    apart: tuple[tuple[str, str], ...]


def usable(rows: pd.DataFrame, design: Design) -> pd.Series[bool]:
    """Return the rows whose interval can be read: identified, finite, of more than one treated unit."""
    alone = _check.cannot_be_read(design, rows)
    there = np.isfinite(rows[["conf_low", "conf_high"]].to_numpy(dtype=float)).all(axis=1)
    return pd.Series(rows["identified"].to_numpy(dtype=bool) & ~alone & there, index=rows.index)


def spreads(entries: Sequence[Entry]) -> list[Spread]:
    """Return the spread of the overall effects and of each event time after adoption, where two exist."""
    parts: list[tuple[int | None, list[tuple[Entry, pd.Series[float]]]]]
    parts = [(None, [(entry, entry.overall.iloc[0]) for entry in entries])]
    for e in sorted({e for entry in entries for e in entry.identified if e >= 0}):
        here = [(entry, entry.rows[entry.rows["event_time"] == e]) for entry in entries if entry.path]
        parts.append((e, [(entry, rows.iloc[0]) for entry, rows in here if len(rows)]))
    found = [_spread(event, pairs) for event, pairs in parts]
    return [spread for spread in found if spread is not None]


def _spread(event: int | None, pairs: Sequence[tuple[Entry, pd.Series[float]]]) -> Spread | None:
    good = [(entry, row) for entry, row in pairs if row["identified"] and np.isfinite(row["estimate"])]
    if len(good) < 2:
        return None
    values = [float(row["estimate"]) for _, row in good]
    low, high = int(np.argmin(values)), int(np.argmax(values))
    barred = [
        (entry.label, row)
        for entry, row in good
        if np.isfinite(row["conf_low"]) and usable(row.to_frame().T, entry.fit.design).iloc[0]
    ]
    outside = [
        (entry.label, label)
        for entry, row in good
        for label, bar in barred
        if not bar["conf_low"] <= row["estimate"] <= bar["conf_high"]
    ]
    apart = [
        (one, two)
        for i, (one, a) in enumerate(barred)
        for two, b in barred[i + 1 :]
        if a["conf_high"] < b["conf_low"] or b["conf_high"] < a["conf_low"]
    ]
    widths = [float(row["conf_high"] - row["conf_low"]) for _, row in barred]
    labels = [entry.label for entry, _ in good]
    width = min(widths) if widths else np.nan
    return Spread(
        event, values[high] - values[low], labels[low], labels[high], width, tuple(outside), tuple(apart)
    )


def headline(entries: Sequence[Entry]) -> str:
    """State the range of the overall effects, and how many intervals exclude zero.

    Intervals known to be too narrow do not count as excluding it; where even they include it, that stands.
    """
    design = entries[0].fit.design
    label = design.outcome_label
    good = [entry for entry in entries if entry.overall["identified"].iloc[0]]
    if not good:
        return f"{label}: no estimator identifies an effect after adoption"
    rows = pd.concat([entry.overall for entry in good], ignore_index=True)
    if all(_check.rests_on_one(entry.fit.design, n) for entry, n in zip(good, rows["n_units"], strict=True)):
        return f"{label}: {_check.lone_words(design)}, so no interval can be trusted"
    many = f"{len(good)} estimators" if len(good) > 1 else "one estimator"
    reach = span(rows["estimate"].min(), rows["estimate"].max(), design)
    clear, narrow = _clear(good), _narrow(good)
    tail = narrow if narrow and "exclude" in clear else clear
    return f"{label} {reach} after adoption by {many}; {tail}"


TOO_FEW = 15
"""At this many treated clusters or fewer the nearest measured case rejects 8% or more at nominal 5% (CR1)."""


def _narrow(entries: Sequence[Entry]) -> str:
    """Say that intervals are too narrow to count, with few treated clusters."""
    n = entries[0].fit.design.n_treated_clusters
    kinds = [not _check.too_narrow(entry.fit.design, entry.fit.method) for entry in entries]
    if all(kinds) or n > TOO_FEW:
        return ""
    which = "some intervals" if any(kinds) else "intervals"
    return f"with {n} treated {_word(entries)} {which} are too narrow"


def _word(entries: Sequence[Entry]) -> str:
    design = entries[0].fit.design
    return f"{_check.unit_word(design)}s" if design.cluster == design.unit else "clusters"


def _clear(entries: Sequence[Entry]) -> str:
    """Count the overall intervals that exclude zero."""
    rows = pd.concat([entry.overall for entry in entries], ignore_index=True)
    keep = np.concatenate([usable(entry.overall, entry.fit.design) for entry in entries])
    part = rows[keep]
    if part.empty:
        return "no interval can be read"
    clear = int(((part["conf_low"] > 0) | (part["conf_high"] < 0)).sum())
    if len(part) == 1:
        return f"the interval {'excludes' if clear else 'includes'} zero"
    if clear == len(part):
        return "all intervals exclude zero" if clear > 2 else "both intervals exclude zero"
    if clear == 0:
        return "all intervals include zero" if len(part) > 2 else "both intervals include zero"
    return f"{clear} of {len(part)} intervals {'excludes' if clear == 1 else 'exclude'} zero"


def explain(entries: Sequence[Entry]) -> list[str]:
    """Say whether the estimates agree, sentence by sentence."""
    design = entries[0].fit.design
    unit = _check.unit_text(design)
    head = f"{_count(len(entries))} of the effect of adoption on {in_sentence(design.outcome_label)}"
    lines = [f"{head}{f' ({unit})' if unit else ''}, if trends were parallel."]
    found = spreads(entries)
    lines += [_overall(entries, spread) for spread in found if spread.event is None]
    after = [spread for spread in found if spread.event is not None]
    if after:
        lines += [_furthest(after, design), *_inside(after)]
    lines += _before(entries)
    seen = not any(isinstance(entry.fit.design, SavedDesign) for entry in entries)
    lines.append(
        f"{'All use the same data, so' if seen else 'If all use the same data,'} agreement between them "
        "confirms nothing that they share, parallel trends above all; and intervals that overlap are no test "
        "of a difference."
    )
    return lines


def _count(n: int) -> str:
    return f"{n} estimates"


def _overall(entries: Sequence[Entry], spread: Spread) -> str:
    design = entries[0].fit.design
    good = [entry for entry in entries if entry.overall["identified"].iloc[0]]
    values = [float(entry.overall["estimate"].iloc[0]) for entry in good]
    text = f"Overall effects: {span(min(values), max(values), design)}"
    if spread.gap > 0:
        text += f" ({spread.low} lowest, {spread.high} highest)"
    return f"{text}; {_clear(good)}{_relative(spread)}."


def _relative(spread: Spread) -> str:
    if not np.isfinite(spread.width) or spread.width <= 0:
        return ""
    return f"; the gap is {_check.number(spread.gap / spread.width)} times the narrowest interval"


def _furthest(after: Sequence[Spread], design: Design) -> str:
    far = max(after, key=lambda spread: spread.gap)
    if far.gap == 0:
        return "At every event time after adoption the estimates are the same."
    gap = size(far.gap, design).removesuffix(" higher")
    return (
        f"By event time they are furthest apart at {far.event}: {gap}, from {far.low} (lowest) to "
        f"{far.high} (highest){_relative(far)}."
    )


def _inside(after: Sequence[Spread]) -> list[str]:
    """Say where estimates lie within each other's intervals, where not, and where intervals do not meet."""
    read = [spread for spread in after if np.isfinite(spread.width)]
    if not read:
        return ["No interval after adoption can be read."]
    apart, outside = [s for s in read if s.apart], [s for s in read if s.outside]
    if not outside:
        return ["At every event time after adoption each estimate lies within the intervals of the others."]
    events = times([int(s.event) for s in outside if s.event is not None])
    lines = [f"At event time {events} an estimate lies outside the interval of another."]
    for spread in apart[:3]:
        pairs = ", ".join(f"{one} and {two}" for one, two in spread.apart[:3])
        lines.append(f"At event time {spread.event} intervals do not overlap: {pairs}.")
    if not apart:
        lines.append("All intervals overlap.")
    return lines


def _before(entries: Sequence[Entry]) -> list[str]:
    """Count, for each estimator, the intervals before adoption that exclude zero."""
    said = []
    for entry in entries:
        early = entry.rows[(entry.rows["event_time"] < 0).fillna(False)]
        part = early[usable(early, entry.fit.design)]
        if len(part):
            clear = int(((part["conf_low"] > 0) | (part["conf_high"] < 0)).sum())
            said.append(f"{clear} of {len(part)} ({entry.label})")
    if not said:
        return []
    return [
        f"Before adoption intervals exclude zero at {', '.join(said)} event times; this does not test trends."
    ]
