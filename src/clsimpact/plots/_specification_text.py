"""The words of the figure of a specification curve."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clsimpact._explain import in_sentence
from clsimpact.diagnostics import _specification_words as words

if TYPE_CHECKING:
    from clsimpact.diagnostics.specification_curve import SpecificationCurve

__all__ = ["FEW", "alt_of", "foot_of", "minus", "subtitle_of"]

FEW = 60
"""Specifications up to which each is drawn with a marker of its own."""


def minus(text: str) -> str:
    """Write a minus as one."""
    return text.replace("-", "\u2212")


def subtitle_of(curve: SpecificationCurve) -> str:
    """Say what is measured and what is drawn."""
    unit = words.shown_unit(curve)[1]
    labels = list(curve.outcome_labels.values())
    more = len(labels) - 1
    what = labels[0] + (f" and {more} other outcome{'s' if more > 1 else ''}" if more else "")
    made_up = " (SIMULATED)" if curve.simulated and "simulated" not in what.casefold() else ""
    fixed = [f"{words.NAMES[n].lower()}: {o[0]}" for n, o in curve.options.items() if len(o) == 1]
    fixed = [
        text for text in fixed if not text.startswith(("outcome", "covariates: none", "inference: quick"))
    ]
    n = len(curve.estimated)
    each = "point with a bar" if n <= FEW else "dot with a bar"
    text = (
        f"{what}{made_up}{f', {unit}' if unit else ''}: effect of adoption by specification, sorted. Each "
        f"{each} is one of {n:,}, with its {100 * curve.level:.4g}% interval ({words.kinds(curve)})."
    )
    return f"{text} The same throughout: {'; '.join(fixed)}." if fixed and curve.varied else text


def foot_of(curve: SpecificationCurve) -> str:
    """Return the key, and what is not drawn."""
    rows = curve.estimated
    low, high = rows["conf_low"], rows["conf_high"]
    bars = low.notna() & high.notna()
    parts = []
    if (low > 0).any():
        parts.append("orange: interval above zero")
    if (high < 0).any():
        parts.append("dark blue: interval below zero")
    if (bars & ~(low > 0) & ~(high < 0)).any():
        parts.append(f"grey{' and open' if len(rows) <= FEW else ''}: interval holds zero")
    if not bars.all():
        parts.append(f"cross: no interval ({int((~bars).sum()):,})")
    if 0 in rows.index:
        parts.append("diamond on the dotted line: main specification (the first option of each choice)")
    key = "; ".join(parts)
    lost = len(curve.table) - len(rows)
    text = f"{key[:1].upper()}{key[1:]}." if key else ""
    cut = _cut(curve)
    text += f" Not drawn: {lost:,} specifications without an estimate." if lost else ""
    text += f" {cut:,} intervals reach beyond the axis." if cut else ""
    return text + (" Right: median of the estimates of each option." if curve.varied else "")


def _cut(curve: SpecificationCurve) -> int:
    """Count intervals that the limits of the axis cut."""
    rows = curve.estimated.dropna(subset=["conf_low", "conf_high"])
    if rows.empty:
        return 0
    y = curve.estimated["estimate"]
    least = min(float(y.min()), float(rows["conf_low"].quantile(0.01)), 0.0)
    most = max(float(y.max()), float(rows["conf_high"].quantile(0.99)), 0.0)
    room = 0.06 * (most - least or 1.0)
    return int(((rows["conf_low"] < least - room) | (rows["conf_high"] > most + room)).sum())


def alt_of(curve: SpecificationCurve, title: str) -> str:
    """Write the text alternative: the finding, then the numbers that the figure shows."""
    labels = ", ".join(in_sentence(label) for label in curve.outcome_labels.values())
    unit = words.shown_unit(curve)[1]
    head = (
        f"Specification curve of the effect of adoption on {labels}{f' ({unit})' if unit else ''}: "
        f"{len(curve.estimated):,} estimates sorted by size with intervals, above a panel of the choices "
        f"that each is made of. {title}."
    )
    if curve.estimated.empty:
        return head
    low, high = curve.span
    parts = [
        head,
        f"Median {words.amount(curve, curve.median)}, from {words.amount(curve, low)} to "
        f"{words.amount(curve, high)}.",
    ]
    for choice in curve.varied:
        medians = curve.estimated.groupby(choice, sort=False)["estimate"].median()
        told = "; ".join(f"{option} {words.amount(curve, float(m))}" for option, m in medians.items())
        parts.append(f"Medians by {words.NAMES[choice].lower()}: {told}.")
    return " ".join(parts)
