"""Sets of adoption dates: all of them where they are few, else corners, single moves and a sample."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from math import prod

import numpy as np
from numpy.typing import NDArray

__all__ = ["Dates", "count", "ends", "look", "single_moves"]

Floats = NDArray[np.float64]
Dates = tuple[int, ...]
"""One date for each adopter whose date is in doubt."""

Options = Sequence[Dates]
Looked = dict[Dates, tuple[float, float]]
"""Estimate and usual error by set of dates."""

NO_ERROR = 1e-300
"""Divisor in place of an error of zero: the ratio then lies beyond every other, or is zero."""


def count(options: Options) -> int:
    """Count the sets."""
    return prod(len(dates) for dates in options)


def single_moves(options: Options, own: Dates) -> list[tuple[int, Dates]]:
    """Return every set in which one adopter has another date, the others their own: adopter and set."""
    return [
        (j, (*own[:j], date, *own[j + 1 :]))
        for j, dates in enumerate(options)
        for date in dates
        if date != own[j]
    ]


def look(
    options: Options,
    own: Dates,
    ask: Callable[[Dates], tuple[float, float]],
    *,
    most: int,
    rng: np.random.Generator,
) -> tuple[Looked, bool]:
    """Ask about sets of dates, at most about ``most``; say whether about all.

    Where they are more: the set of the design, all earliest, all latest, every single move (a third of
    ``most`` at the most), for both ends the set made of the moves that lead there, and a sample.
    """
    found: Looked = {own: ask(own)}
    moves = single_moves(options, own)
    if count(options) + len(moves) <= most:
        for dates in itertools.chain((dates for _, dates in moves), itertools.product(*options)):
            if dates not in found:
                found[dates] = ask(dates)
        return found, True
    corners = [tuple(dates[0] for dates in options), tuple(dates[-1] for dates in options)]
    kept = moves if len(moves) <= most // 3 else [moves[i] for i in _some(len(moves), most // 3, rng)]
    for dates in (*corners, *(dates for _, dates in kept)):
        if dates not in found:
            found[dates] = ask(dates)
    for sign in (1.0, -1.0):
        dates = _towards(options, own, found, sign)
        if dates not in found:
            found[dates] = ask(dates)
    for _ in range(most - len(found)):
        dates = tuple(int(rng.choice(dates)) for dates in options)
        if dates not in found:
            found[dates] = ask(dates)
    return found, False


def _some(n: int, k: int, rng: np.random.Generator) -> list[int]:
    return sorted(int(i) for i in rng.choice(n, k, replace=False))


def _towards(options: Options, own: Dates, found: Looked, sign: float) -> Dates:
    """Return the set made of each adopter's best single move: the end itself where moves add up."""
    best = []
    for j, dates in enumerate(options):
        known = {date: found.get((*own[:j], date, *own[j + 1 :]), (np.nan, np.nan))[0] for date in dates}
        scored = {date: sign * value for date, value in known.items() if np.isfinite(value)}
        best.append(max(scored, key=lambda date: scored[date]) if scored else dates[0])
    return tuple(best)


def ends(found: Looked, allowed: Sequence[Dates], options: Options, most: int) -> list[Dates]:
    """Return the sets that get an interval: all if they are few, else those at the ends.

    First the lowest and highest estimate, the smallest and largest ratio to the usual error, all earliest,
    all latest; then further ones from both ends of that ratio, in turn.
    """
    known = [dates for dates in allowed if np.isfinite(found[dates][0])]
    if len(known) <= most:
        return known
    by_point = sorted(known, key=lambda dates: found[dates][0])
    by_ratio = sorted(known, key=lambda dates: abs(found[dates][0]) / max(found[dates][1], NO_ERROR))
    corners = [tuple(dates[0] for dates in options), tuple(dates[-1] for dates in options)]
    chosen = [by_point[0], by_point[-1], by_ratio[0], by_ratio[-1], *(c for c in corners if c in found)]
    chosen += [dates for pair in zip(by_ratio[1:], by_ratio[-2::-1], strict=False) for dates in pair]
    return [dates for dates in dict.fromkeys(chosen) if dates in set(known)][:most]
