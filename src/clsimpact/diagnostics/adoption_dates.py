r"""Dates that are known to within some years: the conclusion under every date that the evidence allows.

Each adopter :math:`i` adopted in one year :math:`g_i` of the set :math:`G_i` from its earliest to its
latest possible one. Every element of :math:`G = G_1\times\dots\times G_n` gives a design and an estimate
:math:`\hat\tau(g)`; the check reports :math:`\min_g\hat\tau(g)`, :math:`\max_g\hat\tau(g)` and the union of
the intervals, which holds the effect at least as often as the interval of the true dates does (Imbens and
Manski 2004). All sets are estimated where there are few (``MOST``), else corners, every date moved alone,
the two sets that these moves point to, and a sample. Intervals, by the inference of the result, are for all
sets where they are few, else for those at the ends: largest and smallest estimate, largest and smallest
ratio to the usual error.

*Holds*: every interval says what the one estimated says. *Does not hold*: the estimate is told from zero,
and under other allowed dates it is not, or has the other sign. *Cannot tell*: it is not told from zero, but
is under some of the dates (several intervals were looked at, so that alone is no finding).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from clsimpact._check import number, plural
from clsimpact.diagnostics._conclusion import judged, range_of, said
from clsimpact.diagnostics._date_sets import Dates, Looked, count, ends, look, single_moves
from clsimpact.diagnostics._dates_in_doubt import NOTHING, Doubt, doubt_of
from clsimpact.diagnostics._dates_words import certain, left, many, outside, widen, without_years
from clsimpact.diagnostics.registry import Check
from clsimpact.diagnostics.result import Advice, Found, Number, Verdict, plain
from clsimpact.diagnostics.setting import Effect, Setting
from clsimpact.errors import DesignError
from clsimpact.plots._figure import EventStudyFigure
from clsimpact.plots.forest import forest_figure

__all__ = ["CHECK"]

MOST = 500
"""Sets of dates that are estimated: a second and a half for a panel of councils."""

LARGEST = 200 * 1500
"""Rows that are estimated in all, a second or two: larger panels are asked about fewer sets."""

FEWEST = 60
"""Sets that are estimated of the largest panels."""

TWO_WAY = ("twfe", "event_study")
"""Estimators whose weights are those of a regression: an interval takes 15 to 50 milliseconds."""

INTERVALS = 32
"""Sets that get an interval under these estimators."""

INTERVAL_ROWS = 18_000
"""Rows of all of them, at the most, unless they are ``FEW_INTERVALS``."""

FEW_INTERVALS = 8
"""Sets that get one at the least, and under other estimators, whose weights must be asked for each time."""

NAMED = 8
"""Adopters whose date moved alone is drawn, those that move the estimate most."""


def run(setting: Setting) -> Found:
    """Estimate under every set of dates, or many of them, and compare conclusions."""
    adoption = setting.adoption
    if adoption is None:
        raise DesignError("No list of adopters was given.", repair="Use fit.check(..., adoption=adoption).")
    doubt = doubt_of(setting, adoption)
    if doubt.n_ranged == 0:
        return without_years(doubt)
    if not doubt.units:
        return certain(doubt)
    most = max(FEWEST, min(MOST, LARGEST // setting.design.n_obs))
    rng = np.random.default_rng(setting.seed)
    found, exact = look(doubt.options, doubt.own, doubt.quick, most=most, rng=rng)
    allowed = [dates for dates in found if doubt.allowed(dates)]
    intervals = _intervals(setting)
    effects = {dates: doubt.effect(dates) for dates in ends(found, allowed, doubt.options, intervals)}
    return _Looked(doubt, found, exact, allowed, effects).found()


def _intervals(setting: Setting) -> int:
    """Return how many sets get an interval: what a second or two allow."""
    if setting.estimate.estimator not in TWO_WAY:
        return FEW_INTERVALS
    return max(FEW_INTERVALS, min(INTERVALS, INTERVAL_ROWS // setting.design.n_obs))


@dataclass(frozen=True, eq=False)
class _Looked:
    """What was estimated, and what it says."""

    doubt: Doubt
    points: Looked
    exact: bool
    allowed: list[Dates]
    effects: dict[Dates, Effect]

    @property
    def setting(self) -> Setting:
        return self.doubt.setting

    @cached_property
    def others(self) -> list[Effect]:
        """Effects under the dates that the evidence allows and that are not those of the design."""
        return [effect for dates, effect in self.effects.items() if dates != self.doubt.own]

    @cached_property
    def spread(self) -> tuple[float, float]:
        """Lowest and highest estimate."""
        values = [self.points[dates][0] for dates in self.allowed]
        known = [value for value in values if np.isfinite(value)]
        return min(known, default=np.nan), max(known, default=np.nan)

    @cached_property
    def moves(self) -> list[tuple[int, float, float, Dates, Dates]]:
        """Lowest and highest estimate as the date of one adopter moves, with the sets; the widest first."""
        out = []
        for j in range(len(self.doubt.units)):
            sets = [dates for k, dates in single_moves(self.doubt.options, self.doubt.own) if k == j]
            known = [d for d in (self.doubt.own, *sets) if np.isfinite(self.points.get(d, (np.nan, 0))[0])]
            if len(known) > 1:
                by_point = sorted(known, key=lambda dates: self.points[dates][0])
                low, high = by_point[0], by_point[-1]
                out.append((j, self.points[low][0], self.points[high][0], low, high))
        return sorted(out, key=lambda move: move[1] - move[2])

    def found(self) -> Found:
        """Return the verdict with everything behind it."""
        base = self.setting.effect
        verdict = judged(base, self.others, self.setting.margin)
        return Found(
            verdict,
            self.words(),
            self.numbers(),
            self.table(),
            () if verdict == "holds" else self.advice(),
            lambda: self.draw(verdict),
        )

    def words(self) -> str:
        """Say the bounds, the conclusion and whose date moves the estimate."""
        setting, (low, high) = self.setting, self.spread
        spread = range_of([*self.effects.values()])
        n = count(self.doubt.options)
        who = plural(len(self.doubt.units), setting.word)
        how = "all of them" if self.exact else f"{len(self.allowed)} of them (a sample and the ends)"
        text = (
            f"The evidence leaves the date of {who} open, {many(n)} sets of dates. Under {how} the "
            "estimate lies "
            f"between {setting.value(low)} and {setting.value(high)} "
            f"({setting.value(setting.effect.estimate)} as estimated)"
        )
        if spread.intervals:
            text += f", and intervals together reach from {number(spread.low)} to {number(spread.high)}"
        text += f". {said(setting.effect, self.others, 'set of dates', setting.margin)}"
        if self.moves:
            j, least, most, at, to = self.moves[0]
            text += (
                f" The date of {self.name(j)} moves the estimate most: {number(least)} with "
                f"{self.doubt.year_words(at[j])}, {number(most)} with {self.doubt.year_words(to[j])}."
            )
        return text + outside(self.doubt) + left(self.doubt)

    def name(self, j: int) -> str:
        """Name an adopter by its place in the sets of dates."""
        return self.setting.design.unit_names[self.doubt.units[j]]

    def numbers(self) -> dict[str, Number]:
        """Return the numbers behind the words."""
        spread, (low, high) = range_of([*self.effects.values()]), self.spread
        moved = self.moves[0] if self.moves else None
        return {
            "adopters_in_doubt": len(self.doubt.units),
            "sets": float(count(self.doubt.options)),
            "sets_estimated": len(self.allowed),
            "all_sets": int(self.exact),
            "estimate": self.setting.effect.estimate,
            "lowest": low,
            "highest": high,
            "union_low": spread.low,
            "union_high": spread.high,
            "intervals": spread.intervals,
            "intervals_clear": spread.clear,
            "share_clear": spread.clear / spread.intervals if spread.intervals else None,
            "p_smallest": spread.p_smallest,
            "p_largest": spread.p_largest,
            "moves_most": self.name(moved[0]) if moved else None,
            "moves_from": moved[1] if moved else None,
            "moves_to": moved[2] if moved else None,
        }

    def table(self) -> pd.DataFrame:
        """Return one row per set of dates, the lowest estimate first."""
        rows = []
        for dates, (estimate, _) in self.points.items():
            effect = self.effects.get(dates, NOTHING)
            if dates == self.doubt.own:
                effect = self.setting.effect
            row = {"dates": self.doubt.words(dates, len(dates)), "estimate": estimate}
            row |= {"conf_low": effect.low, "conf_high": effect.high, "p_value": effect.p_value}
            rows.append(row | {"allowed": self.doubt.allowed(dates), "as_estimated": dates == self.doubt.own})
        return pd.DataFrame(rows).sort_values("estimate", kind="stable").reset_index(drop=True)

    def advice(self) -> tuple[Advice, ...]:
        """Say whose date to look up, and how to estimate with another."""
        design = self.setting.design
        base = self.setting.effect
        turned = [
            d for d, e in self.effects.items() if e.known and (e.clear != base.clear) and d != self.doubt.own
        ]
        out = []
        if self.moves:
            j = self.moves[0][0]
            label = plain(design.units[self.doubt.units[j]])
            code = f"adoption[adoption[{design.unit!r}].isin([{label!r}])].T"
            out.append(Advice(f"Find better evidence of the date of {self.name(j)} first.", code))
        if turned:
            dates = {
                plain(design.units[i]): date
                for i, date, own in zip(self.doubt.units, turned[0], self.doubt.own, strict=True)
                if date != own
            }
            code = (
                f"fit.again(design.with_cohorts([({dates!r}).get(unit, year) for unit, year in "
                "zip(design.units, design.unit_cohorts)])).summary()"
            )
            out.append(
                Advice("Show the estimate under dates that turn the conclusion beside your own.", code)
            )
        return tuple(out) or widen(self.setting)

    def draw(self, verdict: Verdict) -> EventStudyFigure:
        """Draw the ends, and each adopter's date moved alone."""
        title = {
            "holds": "The conclusion is the same for every date that the evidence allows",
            "does not hold": "The conclusion depends on which of the possible dates are true",
            "cannot tell": "Whether dates matter for the conclusion cannot be told",
        }[verdict]
        share = f"{many(len(self.allowed))} of {many(count(self.doubt.options))}"
        which = "all" if self.exact else share
        return forest_figure(
            pd.DataFrame(self.lines()),
            design=self.setting.design,
            title=title,
            subtitle=f"Overall effect under {which} sets of possible dates, "
            f"{100 * self.setting.estimate.level:.4g}% intervals where computed; below, one date moved "
            "alone; "
            "dashed: as estimated",
            reference=self.setting.effect.estimate,
        )

    def lines(self) -> list[dict[str, object]]:
        """Return the lines of the figure."""
        doubt, base = self.doubt, self.setting.effect
        known = [dates for dates in self.allowed if np.isfinite(self.points[dates][0])]
        by_point = sorted(known, key=lambda dates: self.points[dates][0])
        earliest = tuple(dates[0] for dates in doubt.options)
        latest = tuple(dates[-1] for dates in doubt.options)
        lines = [_line("as estimated", base.estimate, base)]
        for label, dates in (("all earliest", earliest), ("all latest", latest)):
            if dates in self.points:
                lines.append(_line(label, self.points[dates][0], self.effects.get(dates, NOTHING)))
        for label, some in (("lowest", by_point[:1]), ("highest", by_point[-1:])):
            for one in some:
                text = f"{label}: {doubt.words(one, 2)}"
                lines.append(_line(text, self.points[one][0], self.effects.get(one, NOTHING), marked=True))
        for j, *_, low, high in self.moves[:NAMED]:
            for dates in (low, high):
                if dates != doubt.own:
                    text = f"{self.name(j)} {doubt.year_words(dates[j])}"
                    lines.append(_line(text, self.points[dates][0], self.effects.get(dates, NOTHING)))
        return lines


def _line(label: str, estimate: float, effect: Effect, *, marked: bool = False) -> dict[str, object]:
    row: dict[str, object] = {"label": label, "estimate": estimate, "conf_low": effect.low}
    return row | {"conf_high": effect.high, "marked": marked}


CHECK = Check(
    name="adoption_dates",
    title="Uncertain adoption dates",
    question="Is the conclusion the same for every adoption date that the evidence allows?",
    threat="Sign-up, launch and roll-out lie years apart: with wrong dates, treated years count as "
    "untreated.",
    stage="fit",
    source="Imbens and Manski 2004, doi 10.1111/j.1468-0262.2004.00555.x (intervals of what is known to lie "
    "within bounds); Leamer 1985, American Economic Review 75(3) (estimates over all specifications allowed)",
    run=run,
    needs=("adoption",),
)
