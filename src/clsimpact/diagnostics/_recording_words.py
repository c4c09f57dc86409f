"""What the recording check has seen, and its words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clsimpact._check import number, plural, unit_text
from clsimpact.diagnostics._breaks import LEVEL, Coincidence
from clsimpact.diagnostics._matter import matter_of
from clsimpact.diagnostics._mean_shift import MeanShift
from clsimpact.diagnostics._outcome_parts import numbers_of, parts_of
from clsimpact.diagnostics._recorded import Look, Series
from clsimpact.diagnostics.result import Verdict
from clsimpact.diagnostics.setting import Effect, Setting
from clsimpact.errors import list_some

__all__ = ["MATTERS", "WINDOW", "Seen", "break_label", "excluded", "matters", "moved_by", "words"]

WINDOW = 3
"""Periods from adoption on in which a new way to record would start: hubs open in a year or two."""

MATTERS = 0.5
"""Share of the interval's half-width by which an estimate moves too much."""

ACTIVITY = ("requests", "signposted_count", "planned_clients", "reviewed_clients")
"""Counts that councils record in different ways."""

HELD = 0.5
"""Share of rows with figures below which a column is not held for these years."""


@dataclass(frozen=True)
class Seen:
    """What was found."""

    look: Look
    together: Coincidence
    shifts: tuple[MeanShift, ...]
    breaking: NDArray[np.int64]
    without: Effect | None
    lost: tuple[str, ...]


def moved_by(setting: Setting, seen: Seen) -> tuple[float, float]:
    """Return by how much the estimate moves without the units that break, and the half-width."""
    base = setting.effect
    half = (base.high - base.low) / 2 if base.known else float("nan")
    return (0.0 if seen.without is None else seen.without.estimate - base.estimate), half


def matters(setting: Setting, seen: Seen) -> float:
    """Return the mean move of adopters that matters, in the unit of the main series; NaN where not known.

    Relative to the mean outcome where the main series is a log and the outcome is none.
    """
    size = matter_of(setting).size
    if not seen.look.series[0].log or "log" in unit_text(setting.design).lower():
        return float(size)
    mean = abs(float(setting.design.y.mean()))
    return float(np.log1p(size / mean)) if mean else float("nan")


def excluded(setting: Setting, seen: Seen) -> bool:
    """Whether no mean move of adopters that matters can be there: in the main series by its interval.

    The other series have no size that matters: there any move that is told from chance is one too many.
    """
    main, *others = seen.shifts
    return main.largest <= matters(setting, seen) and not any(one.p_value < LEVEL for one in others)


def words(setting: Setting, seen: Seen, verdict: Verdict) -> str:
    parts = [_break_words(setting, seen), _coincidence_words(setting, seen)]
    if seen.without is not None:
        parts.append(_without_words(setting, seen))
    if verdict != "does not hold":
        parts.append(_able_words(setting, seen))
    parts.append(_activity_words(setting))
    if seen.lost:
        parts.append(f"Not looked at: {'; '.join(seen.lost)}.")
    return " ".join(part for part in parts if part)


def _break_words(setting: Setting, seen: Seen) -> str:
    listed = list_some([one.words for one in seen.look.series])
    named = seen.look.breaks[seen.look.breaks["named"]]
    if named.empty:
        return f"No level shift beyond usual variation (5% over all {setting.word}s and years) in {listed}."
    rows = [break_label(setting, seen, row) for row in named.to_dict("records")]
    return (
        f"Level shifts beyond usual variation (5% over all {setting.word}s and years; {listed}): "
        f"{list_some(rows, 6)}."
    )


def break_label(setting: Setting, seen: Seen, row: dict[Any, Any]) -> str:
    series = seen.look.series[int(str(row["series"]))]
    name = setting.design.unit_names[int(str(row["unit"]))]
    return f"{name} {row['period']}: {series.words} {series.size_words(float(str(row['size'])))}"


def _coincidence_words(setting: Setting, seen: Seen) -> str:
    it = seen.together
    if not it.observed:
        return f"No adopter is observed in the {WINDOW} years from adoption on."
    text = (
        f"Of {plural(it.observed, 'adopter')} {it.jumping.size} jump (largest 1% of shifts) in the {WINDOW} "
        f"years from adoption on; with dates re-assigned at random {number(it.expected)} would"
    )
    chance = f"as many or more in {number(100 * it.p_value)}% of cases"
    if it.p_value >= LEVEL:
        return f"{text} ({chance})."
    who = list_some([_jump_label(setting, seen, int(unit)) for unit in it.jumping], 6)
    return (
        f"{text}, {chance}: {who}. Either adoption changed what is recorded, or the programme itself changed "
        "it at once; the figures alone do not tell which."
    )


def _jump_label(setting: Setting, seen: Seen, unit: int) -> str:
    """Name an adopter with its largest jump soon after adoption."""
    design = setting.design
    periods = np.array(design.periods, dtype=float)
    since = periods - design.unit_cohorts[unit]
    inside = (since >= 0) & (since < WINDOW)
    best = (0.0, 0, 0)
    for k, found in enumerate(seen.look.shifts):
        over = np.where(inside, np.abs(np.nan_to_num(found.z[unit])) / seen.look.jump[k], 0.0)
        if over.max() > best[0]:
            best = (float(over.max()), k, int(over.argmax()))
    _, k, s = best
    size = float(seen.look.shifts[k].size[unit, s])
    return break_label(setting, seen, {"unit": unit, "period": design.periods[s], "series": k, "size": size})


def _without_words(setting: Setting, seen: Seen) -> str:
    if seen.without is None or not np.isfinite(seen.without.estimate):
        return f"Without the {setting.word}s that break nothing is left to estimate from."
    moved, half = moved_by(setting, seen)
    limit = f"more than {MATTERS:.0%}" if abs(moved) > MATTERS * half else f"not more than {MATTERS:.0%}"
    size = f", {limit} of the half-width of its interval" if np.isfinite(half) else ""
    n = int(seen.breaking.size)
    gone = f"this {setting.word}" if n == 1 else f"these {n} {setting.word}s"
    return (
        f"Without {gone} the estimate is "
        f"{setting.value(seen.without.estimate)} instead of {setting.value(setting.effect.estimate)}{size}."
    )


def _able_words(setting: Setting, seen: Seen) -> str:
    """Say how far adopters moved on average, and whether a move that matters is excluded."""
    main, mean, size = seen.look.series[0], seen.shifts[0], matters(setting, seen)
    jump = main.size_words(seen.look.typical(0)[0])
    text = f"In a typical {setting.word} a shift of {main.words} counts as a jump from {jump}"
    if not np.isfinite(mean.largest):
        return f"{text}; too few adopters or others have figures around adoption for a mean of smaller ones."
    text += (
        f"; smaller ones show in the mean of all adopters in the first {WINDOW} years, against "
        f"{setting.word}s that do not adopt: {_mean_words(main, mean)}."
    )
    if not np.isfinite(size):
        return f"{text} What would matter is not known."
    what = f"{main.size_words(size)}, " if main.log else ""
    what += matter_of(setting).words
    if mean.largest <= size:
        return f"{text} Less than what matters ({what}).{_other_words(seen)}"
    return f"{text} That does not rule out what matters ({what}){_alike(mean)}.{_other_words(seen)}"


def _mean_words(series: Series, mean: MeanShift) -> str:
    size, low, high = map(series.size_words, (mean.estimate, mean.low, mean.high))
    return f"{size} ({low} to {high})"


def _alike(mean: MeanShift) -> str:
    """Say what a mean that differs from zero can be."""
    if mean.low <= 0 <= mean.high:
        return ", so changes that adopters share may be there unseen"
    return ": adopters changed together, be it in what they do or in how they record it"


def _other_words(seen: Seen) -> str:
    """Name further series whose mean differs from zero."""
    pairs = zip(seen.look.series[1:], seen.shifts[1:], strict=True)
    moved = [f"{one.words} {_mean_words(one, mean)}" for one, mean in pairs if mean.p_value < LEVEL]
    return f" Adopters moved together in {list_some(moved, 3)}." if moved else ""


def _activity_words(setting: Setting) -> str:
    """Say that counts of requests and reviews are no part of this outcome, and whether they are held."""
    parts = parts_of(setting)
    if setting.word != "council" or (parts is not None and (parts.share_of_requests or parts.reviews)):
        return ""
    absent = [
        name
        for name in ACTIVITY
        if not setting.has(name) or np.isfinite(numbers_of(setting, name)).mean() < HELD
    ]
    text = (
        "Counts of requests and reviews, which councils record in different ways, are no part of this outcome"
    )
    if not absent:
        return f"{text}; ask for this check on an outcome that is made of them."
    return f"{text}, and most are not held for these years (status not_held): nothing is said of them."
