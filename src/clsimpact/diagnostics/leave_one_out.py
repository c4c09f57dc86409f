r"""Whether the result rests on one unit: every unit is left out once.

The overall effect is estimated again without each unit, :math:`\hat\theta_{-i}`. That some unit moves it
most is no news, and with a p-value near 5% leaving out any of several changes what is called significant.
So a unit is *at fault* only where two things hold:

1. it changed as no other unit did, by a bound that holds for all units together at 5%
   (`clsimpact.diagnostics._odd_units`; of others the moves of the estimate are compared), and
2. leaving it out moves the estimate by more than half the half-width h of the interval that the result has
   without all such units: :math:`|\hat\theta - \hat\theta_{-i}| > h / 2`. The interval *with* a gross error
   is wide because of it, and would hide it.

Otherwise the interval is taken without the unit whose loss brings its verdict on zero closest to changing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clsimpact._check import number, plural
from clsimpact.design import Design
from clsimpact.diagnostics import _placebo
from clsimpact.diagnostics._judged import ALPHA
from clsimpact.diagnostics._odd_units import far_moves, odd_adopters
from clsimpact.diagnostics.registry import Check
from clsimpact.diagnostics.result import Advice, Found, Number, Verdict
from clsimpact.diagnostics.setting import Effect, Setting, effect_of
from clsimpact.errors import DesignError
from clsimpact.estimators._grid import grid_of
from clsimpact.plots._figure import EventStudyFigure
from clsimpact.plots.forest import forest_figure

__all__ = ["CHECK", "run"]

Floats = NDArray[np.float64]

NAME = "leave_one_out"

LEAST = 4
"""Adopters that are needed: three are left without one, the fewest that an interval was measured for."""

MOVES = 0.5
"""Share of the half-width of the interval that a unit at fault moves the estimate by."""

MOST = 300
"""Units that are left out one by one; of more, adopters and then those that changed most."""

DRAWN = 12
"""Units in the figure: those that move the estimate most."""


@dataclass(frozen=True)
class Looked:
    """What was seen of each unit (all arrays N).

    ``without`` is the estimate without the unit (NaN where it was not asked or does not exist), ``move`` what
    the unit adds to the estimate, ``beyond`` the change of an adopter beyond what it should be, ``at_fault``
    both conditions of this module. ``clean`` is the effect without all units that changed as no other.
    """

    without: Floats
    move: Floats
    beyond: Floats
    at_fault: NDArray[np.bool_]
    clean: Effect | None


def run(setting: Setting) -> Found:
    """Leave every unit out once; name those that changed as no other did and carry the estimate."""
    design = setting.design
    if _placebo.adopters_in(design) < LEAST or not setting.effect.known:
        return _few(setting)
    looked = _look(setting)
    if looked.at_fault.any():
        return _faulty(setting, looked)
    return _steady(setting, looked)


def _look(setting: Setting) -> Looked:
    design = setting.design
    grid = grid_of(design)
    beyond, _, odd = odd_adopters(grid.y, grid.seen, grid.treated, design.in_window, ALPHA / 2)
    without = np.full(len(design.units), np.nan)
    for i in _asked(design):
        try:
            without[i] = setting.point(setting.without([i], reason="left out"))
        except DesignError:
            continue
    move = setting.effect.estimate - without
    controls = ~design.in_window
    odd[controls] = far_moves(move[controls], ALPHA / 2)
    if not odd.any():
        return Looked(without, move, beyond, odd, None)
    clean = effect_of(setting.again(setting.without(np.flatnonzero(odd), reason="changed as no other did")))
    half = (clean.high - clean.low) / 2 if clean.known else (setting.effect.high - setting.effect.low) / 2
    with np.errstate(invalid="ignore"):
        fault = odd & (np.abs(move) > MOVES * half)
    return Looked(without, move, beyond, fault, clean)


def _asked(design: Design) -> NDArray[np.intp]:
    """Return the units that are left out: all, or adopters and others whose outcome varies most."""
    n = len(design.units)
    if n <= MOST:
        return np.arange(n)
    means = np.bincount(design.unit_codes, weights=design.y) / np.bincount(design.unit_codes)
    varies = np.bincount(design.unit_codes, weights=(design.y - means[design.unit_codes]) ** 2)
    rank = np.where(design.in_window, np.inf, varies)
    return np.sort(np.argsort(-rank, kind="stable")[:MOST])


def _faulty(setting: Setting, looked: Looked) -> Found:
    design, clean = setting.design, looked.clean
    order = np.argsort(-np.abs(np.where(looked.at_fault, looked.move, 0.0)), kind="stable")
    bad = [int(i) for i in order[: int(looked.at_fault.sum())]]
    said = [_one(setting, looked, i) for i in bad[:3]]
    more = [f"{len(bad) - 3} more"] if len(bad) > 3 else []
    text = f"The overall effect is {number(setting.effect.estimate)}; {'; '.join([*said, *more])}"
    if clean is not None and clean.known:
        gone = "it" if len(bad) == 1 else "them"
        text += f"; without {gone} the interval is {_placebo.ends(clean.low, clean.high)}"
    text += f"{_placebo.unit_note(setting)}. Look at the figures of {setting.names(bad, 6)} first."
    table = _table(setting, looked)
    numbers = _numbers(setting, looked) | {"at_fault": len(bad)}
    units = [design.units[i] for i in bad]
    return Found(
        "does not hold", text, numbers, table, _advice(units, bad), lambda: _draw(setting, table, FAULT)
    )


def _one(setting: Setting, looked: Looked, i: int) -> str:
    text = f"without {setting.design.unit_names[i]} it is {number(looked.without[i])}"
    if np.isfinite(looked.beyond[i]):
        way = "more" if looked.beyond[i] > 0 else "less"
        text += f" (after adoption it rose by {number(abs(looked.beyond[i]))} {way} than adopters do)"
    return text


def _advice(units: list[object], positions: list[int]) -> tuple[Advice, ...]:
    return (
        Advice(
            "Look at the rows of these units, and compare them with the publication.",
            f"design.data[np.isin(design.unit_codes, {positions})]",
        ),
        Advice(
            "If the figures are right, report the effect with and without them.",
            f"fit.again(design.restrict(~np.isin(design.unit_codes, {positions}), "
            f"reason={'left out: ' + ', '.join(map(str, units))!r})).summary()",
        ),
    )


def _steady(setting: Setting, looked: Looked) -> Found:
    """Say how far single units move the estimate, and whether the interval then says the same of zero."""
    effect, names = setting.effect, setting.design.unit_names
    low, high = int(np.nanargmin(looked.without)), int(np.nanargmax(looked.without))
    inward = effect.clear == (effect.estimate > 0)
    at = low if inward else high
    tight = effect_of(setting.again(setting.without([at], reason="left out")))
    same = tight.known and tight.clear == effect.clear
    asked = int(np.isfinite(looked.without).sum())
    text = (
        f"The overall effect is {number(effect.estimate)} (interval "
        f"{_placebo.ends(effect.low, effect.high)}); leaving out one {_of(setting, asked)} it runs from "
        f"{number(looked.without[low])} (without {names[low]}) to {number(looked.without[high])} (without "
        f"{names[high]}){_placebo.unit_note(setting)}."
    )
    text += _zero_words(setting, tight, at, same)
    lost = np.flatnonzero(setting.design.in_window & np.isnan(looked.without))
    if lost.size:
        text += f" Without {setting.names(lost, 4)} there is no estimate."
    half = (effect.high - effect.low) / 2
    text += (
        f" No {setting.word} both changed as no other did and moves the estimate by more than "
        f"{number(MOVES * half)}, half the reach of the interval to a side."
    )
    verdict: Verdict = "holds" if same and not lost.size else "cannot tell"
    numbers = _numbers(setting, looked) | {"conf_low_tightest": tight.low, "conf_high_tightest": tight.high}
    table = _table(setting, looked, {at: tight})
    advice = () if verdict == "holds" else (_without(setting, at), _placebo.precision_advice())
    return Found(verdict, text, numbers, table, advice, lambda: _draw(setting, table, STEADY[verdict]))


def _of(setting: Setting, asked: int) -> str:
    """Say of how many units each was left out: ``council of 60``, ``of 300 units out of 500 (...)``."""
    n = len(setting.design.units)
    if n <= MOST:
        return f"{setting.word} of {asked}"
    return f"of {asked} {setting.word}s out of {n} (adopters, and others whose outcome varies most)"


def _zero_words(setting: Setting, tight: Effect, at: int, same: bool) -> str:
    name = setting.design.unit_names[at]
    zero = "excludes" if setting.effect.clear else "includes"
    if same:
        return (
            f" The interval {zero} zero also without the {setting.word} that matters most to that, {name} "
            f"({_placebo.ends(tight.low, tight.high)})."
        )
    if not tight.known:
        return f" Without {name} there is no interval."
    now = "includes" if setting.effect.clear else "excludes"
    return (
        f" With all the interval {zero} zero; without {name} it {now} it "
        f"({_placebo.ends(tight.low, tight.high)}): the conclusion rests on one {setting.word}."
    )


def _without(setting: Setting, at: int) -> Advice:
    return Advice(
        f"Report the effect without {setting.design.unit_names[at]} beside the other.",
        f"fit.again(design.restrict(design.unit_codes != {at}, "
        f"reason={f'without {setting.design.units[at]}'!r})).summary()",
    )


def _few(setting: Setting) -> Found:
    who = np.flatnonzero(setting.design.in_window)
    words = (
        f"{plural(_placebo.adopters_in(setting.design), 'adopter')} with figures before and after adoption "
        f"({setting.names(who, 6)}): without one of them no interval holds (from 3 on), so whether the "
        "result rests on one cannot be told."
    )
    if not setting.effect.known:
        words = "The overall effect has no interval that moves by single units could be compared with."
    advice = Advice("See how many adopters a precise answer needs.", 'design.check("precision", data=data)')
    return Found("cannot tell", words, advice=(advice,))


def _numbers(setting: Setting, looked: Looked) -> dict[str, Number]:
    design, size = setting.design, np.abs(np.nan_to_num(looked.move))
    at = int(np.argmax(size))
    numbers: dict[str, Number] = {"estimate": setting.effect.estimate, "units": len(design.units)}
    numbers |= {"left_out": int(np.isfinite(looked.without).sum())}
    numbers |= {"lowest": float(np.nanmin(looked.without)), "highest": float(np.nanmax(looked.without))}
    return numbers | {"most_influential": design.unit_names[at], "largest_move": float(looked.move[at])}


def _table(setting: Setting, looked: Looked, intervals: dict[int, Effect] | None = None) -> pd.DataFrame:
    """One row per unit, those that move the estimate most first."""
    design, known = setting.design, intervals or {}
    n = len(design.units)
    ends = np.full((n, 2), np.nan)
    for i, effect in known.items():
        ends[i] = effect.low, effect.high
    table = pd.DataFrame(
        {
            "label": [f"without {name}" for name in design.unit_names],
            "unit": list(design.units),
            "adopts": design.in_window,
            "estimate": looked.without,
            "conf_low": ends[:, 0],
            "conf_high": ends[:, 1],
            "move": looked.move,
            "change_beyond": looked.beyond,
            "marked": looked.at_fault,
        }
    )
    table = table[np.isfinite(table["estimate"])]
    order = np.argsort(-np.abs(table["move"].to_numpy()), kind="stable")
    return pd.DataFrame(table.iloc[order].reset_index(drop=True))


FAULT = "One unit carries the estimate"
STEADY = {"holds": "No single unit carries the conclusion", "cannot tell": "The conclusion rests on one unit"}


def _draw(setting: Setting, table: pd.DataFrame, title: str) -> EventStudyFigure:
    effect = setting.effect
    first = {"label": f"all {setting.word}s", "estimate": effect.estimate, "conf_low": effect.low}
    rows = pd.concat(
        [pd.DataFrame([first | {"conf_high": effect.high, "marked": False}]), table.head(DRAWN)],
        ignore_index=True,
    )
    return forest_figure(
        rows[["label", "estimate", "conf_low", "conf_high", "marked"]],
        design=setting.design,
        title=title.replace("unit", setting.word),
        subtitle=f"Overall effect without the {len(rows) - 1} {setting.word}s that move it most; interval of "
        "all, and where it was taken; dashed: all",
        reference=effect.estimate,
    )


CHECK = Check(
    name=NAME,
    title="Units left out",
    question="Does the result rest on one unit?",
    threat="One wrong or exceptional figure can make an effect, or hide one.",
    stage="fit",
    source="Hampel 1974, doi 10.1080/01621459.1974.10482962; Cook 1977, doi 10.1080/00401706.1977.10489493",
    run=run,
)
