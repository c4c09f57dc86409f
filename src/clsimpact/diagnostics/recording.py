r"""Breaks in how units record: level shifts that their own variation does not explain, and when they come.

Series that show how the outcome is recorded are looked at: requests and the sequels in which mere contacts
can be counted (signposted, no service); people reviewed, and how reviews are allocated to planned, unplanned
and both; for other outcomes numerator and denominator, or the outcome itself. Level shifts are found and
standardised as in `_breaks`; *breaks* are named at 5% over all units, years and series together. *Jumps* (the
largest 1% of shifts) of adopters in the ``WINDOW`` periods from adoption on are counted and compared with the
count when adoption dates are re-assigned to random units. Changes that many adopters share, each smaller than
a jump, are looked for in their mean (`_mean_shift`).

The verdict: *does not hold* where jumps come with adoption more often than by chance (5%), or where the
estimate without the units that break differs by more than half of its interval's half-width. *Holds* where
neither is so and the interval of the mean change of adopters at adoption excludes what matters (the margin,
or what would take the conclusion away), over the mean outcome where logs are taken; else *cannot tell*. A
jump or a mean change at adoption can also be the effect itself: the check says that series move, and only
the units can say why. A mean change alone is therefore no fault, and no all-clear.

Shifts: Smyth 2004 (moderated variances), doi 10.2202/1544-6115.1027; Bai and Perron 1998 (breaks in means),
doi 10.2307/2998540; re-assignment: Fisher 1935.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clsimpact._check import number, period_words, plural
from clsimpact.diagnostics._breaks import LEVEL, Coincidence, coincidence
from clsimpact.diagnostics._mean_shift import MeanShift, mean_shifts
from clsimpact.diagnostics._recorded import Look, look, series_of
from clsimpact.diagnostics._recording_words import (
    MATTERS,
    WINDOW,
    Seen,
    break_label,
    excluded,
    matters,
    moved_by,
    words,
)
from clsimpact.diagnostics.registry import Check
from clsimpact.diagnostics.result import Advice, Found, Number, Verdict
from clsimpact.diagnostics.setting import Effect, Setting, effect_of
from clsimpact.errors import DesignError
from clsimpact.plots._figure import EventStudyFigure
from clsimpact.plots.forest import forest_figure

__all__ = ["CHECK", "run"]

Ints = NDArray[np.int64]

MOST_DRAWS = 999
"""Re-assignments of the mean change: half a second for 500 units."""

MOST_NAMED = 20
"""Units that advice names."""

SHOWN = 12
"""Shifts that the figure shows."""


def run(setting: Setting) -> Found:
    """Look for breaks, when they come, and what the estimate is without them."""
    series, lost = series_of(setting)
    if not series:
        return _nothing(setting, lost)
    if len(setting.design.periods) < 3:
        raise DesignError(
            "Breaks cannot be told from other changes in fewer than three periods.",
            repair="Add periods to the panel.",
        )
    found = look(series, setting.design.periods)
    seen = Seen(found, *_when(setting, found), tuple(lost))
    verdict = _verdict(setting, seen)
    return Found(
        verdict,
        words(setting, seen, verdict),
        _numbers(setting, seen),
        _table(setting, seen),
        () if verdict == "holds" else _advice(setting, seen),
        lambda: _figure(setting, seen),
    )


def _nothing(setting: Setting, lost: list[str]) -> Found:
    """Say that nothing shows how the outcome is recorded."""
    text = (
        f"How {setting.design.outcome} is recorded cannot be looked at in "
        f"{period_words(setting.design)}: {'; '.join(lost)}."
    )
    advice = Advice("Look at which columns the panel has.", "sorted(data.columns)")
    return Found("cannot tell", text, advice=(advice,))


def _when(setting: Setting, found: Look) -> tuple[Coincidence, tuple[MeanShift, ...], Ints, Effect | None]:
    """Compare jumps and mean changes with adoption, and estimate without the units that break."""
    design = setting.design
    cohorts = np.where(design.in_window, design.unit_cohorts, np.nan)
    periods = np.array(design.periods, dtype=float)
    together = coincidence(
        found.jumps, periods, cohorts, window=WINDOW, draws=max(setting.draws, 999), seed=setting.seed
    )
    named = found.breaks.loc[found.breaks["named"], "unit"].to_numpy()
    breaking: Ints = np.unique(named).astype(np.int64)
    means = mean_shifts(
        [one.values for one in found.series],  # noqa: PD011
        periods,
        cohorts,
        window=WINDOW,
        draws=min(setting.draws, MOST_DRAWS),
        seed=setting.seed,
    )
    return together, means, breaking, _without(setting, breaking)


def _without(setting: Setting, units: Ints) -> Effect | None:
    """Estimate without some units; None where there are none, or nothing is left to compare."""
    if units.size == 0:
        return None
    try:
        return effect_of(setting.again(setting.without(units, reason="a break in recording")))
    except DesignError:
        return Effect(np.nan, np.nan, np.nan, np.nan)


def _verdict(setting: Setting, seen: Seen) -> Verdict:
    moved, half = moved_by(setting, seen)
    if seen.together.p_value < LEVEL and seen.together.observed:
        return "does not hold"
    if np.isfinite(half) and abs(moved) > MATTERS * half:
        return "does not hold"
    return "holds" if excluded(setting, seen) and np.isfinite(moved) else "cannot tell"


def _numbers(setting: Setting, seen: Seen) -> dict[str, Number]:
    moved, half = moved_by(setting, seen)
    it = seen.together
    out: dict[str, Number] = {
        "breaks_named": int(seen.look.breaks["named"].sum()),
        "units_breaking": int(seen.breaking.size),
        "adopters_jumping": int(it.jumping.size),
        "adopters_observed": it.observed,
        "adopters_expected": it.expected,
        "p_value": it.p_value,
        "adopters_needed": it.needed,
        "estimate": setting.effect.estimate,
        "estimate_without": None if seen.without is None else seen.without.estimate,
        "moved": moved,
        "mean_shift": seen.shifts[0].estimate,
        "mean_shift_low": seen.shifts[0].low,
        "mean_shift_high": seen.shifts[0].high,
        "mean_shift_p": seen.shifts[0].p_value,
        "matters": matters(setting, seen),
        "half_width": half,
    }
    for k, one in enumerate(seen.look.series):
        jump, named = seen.look.typical(k)
        out |= {f"jump: {one.words}": jump, f"named: {one.words}": named}
    return out


def _table(setting: Setting, seen: Seen) -> pd.DataFrame:
    """Return the strongest shift of every unit and series."""
    design, table = setting.design, seen.look.breaks
    units = table["unit"].to_numpy()
    out = pd.DataFrame(
        {
            design.unit: [design.units[i] for i in units],
            "name": [design.unit_names[i] for i in units],
            "period": table["period"],
            "series": [seen.look.series[k].words for k in table["series"]],
            "shift": table["size"],
            "z": table["z"],
            "p_adjusted": table["p_adjusted"],
            "named": table["named"],
            "adoption": design.unit_cohorts[units],
        }
    )
    return out.reset_index(drop=True)


def _advice(setting: Setting, seen: Seen) -> tuple[Advice, ...]:
    chosen = sorted({*seen.breaking.tolist(), *seen.together.jumping.tolist()})[:MOST_NAMED]
    out = []
    if chosen:
        out.append(
            Advice(
                f"Ask these {setting.word}s what changed in their recording, and estimate without them: "
                f"{setting.names(chosen, MOST_NAMED)}.",
                f"fit.again(design.restrict(~np.isin(design.unit_codes, {chosen}), "
                'reason="a break in recording")).summary()',
            )
        )
    out.append(
        Advice(
            "Look at the largest shifts, and at what the publications' notes say of them.",
            'fit.check("recording", data=data)["recording"].table',
        )
    )
    return tuple(out)


def _figure(setting: Setting, seen: Seen) -> EventStudyFigure:
    """Draw the strongest shifts, in multiples of usual ones, with bounds at 5% over all."""
    soon = set(seen.together.jumping.tolist())
    rows = []
    for row in seen.look.breaks.head(SHOWN).to_dict("records"):
        half = seen.look.critical[int(row["series"])]
        z = float(row["z"])
        label = break_label(setting, seen, row)
        rows.append((label, z, z - half, z + half, bool(row["named"]) or int(row["unit"]) in soon))
    named = int(seen.look.breaks["named"].sum())
    title = (
        f"{plural(named, 'level shift')} beyond usual variation"
        if named
        else "No level shift goes beyond usual variation"
    )
    it = seen.together
    return forest_figure(
        pd.DataFrame(rows, columns=["label", "estimate", "conf_low", "conf_high", "marked"]),
        design=setting.design,
        title=f"{title}; {it.jumping.size} of {it.observed} adopters jump soon after adoption, "
        f"{number(it.expected)} expected",
        subtitle=f"The {len(rows)} strongest shifts, in multiples of the usual shift of the same "
        f"{setting.word}; bounds hold for all {setting.word}s and years together (95%); orange: "
        "named, or of an adopter that jumps soon after adoption",
        axis="Shift (standard deviations of usual shifts)",
    )


CHECK = Check(
    name="recording",
    title="Recording",
    question="Did units change how they record, and did they do so when they adopted?",
    threat="A new way to count looks like an effect where it comes with adoption, and blurs one elsewhere.",
    stage="fit",
    source="moderated level shifts: Smyth 2004, doi 10.2202/1544-6115.1027; Bai and Perron 1998, "
    "doi 10.2307/2998540; re-assigned dates",
    run=run,
    needs=("data",),
)
