r"""Whether adoption changed what happens next door, where comparison units are.

Method
------
*With pairs of neighbours* (``neighbours=``): comparison units that adjoin an adopter are given the first
adoption among their neighbours as their own date, and the effect on them is estimated against comparison
units that adjoin none, adopters left out, as the result itself was. The result is also estimated
without them.

*With regions only* (``data=``): nearly every unit shares a region with some adopter, so that the outcomes of
units that do not adopt are regressed on the share of their region that has adopted, with unit and period
effects, and adoption is re-assigned (`clsimpact.diagnostics._near_adopters`). Regions are a coarse stand-in
for neighbours, and a shock to the regions of adopters looks the same: see the check ``regional_shocks``.

Spill-overs are found at 5%. How far they would move the result follows by estimating it with them as the
outcome: :math:`\hat\theta(y + s d) = \hat\theta(y) + s\,\hat\theta(d)`. The check holds only if what the
interval of s allows moves it by no more than the margin or, without one, than `_matter` allows. Spill-overs
that are told from zero are no fault where all of that lies within a margin that was given.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clsimpact._check import number, plural
from clsimpact.diagnostics._matter import Matter, matter_of
from clsimpact.diagnostics._near_adopters import adjacency, exposure, slope_of
from clsimpact.diagnostics._profile import region_column, region_names
from clsimpact.diagnostics._reassigned import allowance, allowance_words, board_of
from clsimpact.diagnostics.registry import Check
from clsimpact.diagnostics.result import Advice, Found, Number, Verdict
from clsimpact.diagnostics.setting import Effect, Setting, effect_of
from clsimpact.errors import DesignError
from clsimpact.plots.forest import forest_figure

__all__ = ["CHECK", "run"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

LEVEL = 0.05
"""False alarms of the test."""

FEWEST = 5
"""Comparison units away from adopters that a comparison needs: as few as the default inference takes."""

MOST_DRAWS = 999
"""Re-assignments: a fifth of a second for 150 units."""

MOST_NAMED = 60
"""Units that a line of code names one by one."""

UNKNOWN = Effect(np.nan, np.nan, np.nan, np.nan)


@dataclass(frozen=True, eq=False)
class _Seen:
    """``near`` and ``far``: comparison units (N). ``spill``: effect on those near, at ``typical`` exposure.

    ``without``: the result without those near. ``pull``: how far a spill-over of one moves the result.
    """

    near: Bools
    far: Bools
    spill: Effect
    without: Effect
    pull: float
    where: str
    typical: float

    @property
    def largest(self) -> float:
        """Largest change of the result that the interval of the spill-over allows."""
        return abs(self.pull) * max(abs(self.spill.low), abs(self.spill.high))


def run(setting: Setting) -> Found:
    """Look for effects on units near adopters."""
    if setting.neighbours is None and not setting.has(region_column(setting)):
        return _nothing(setting)
    seen = _pairs(setting) if setting.neighbours is not None else _regions(setting)
    verdict = _verdict(seen, matter_of(setting))
    table = _table(setting, seen)
    return Found(
        verdict,
        " ".join(_words(setting, seen)),
        _numbers(setting, seen),
        table,
        () if verdict == "holds" else _advice(setting, seen),
        lambda: forest_figure(
            table.dropna(subset="estimate"),
            design=setting.design,
            title=_title(setting, seen),
            subtitle=f"Overall effects with {setting.estimate.level:.0%} intervals",
            reference=setting.effect.estimate,
        ),
    )


def _nothing(setting: Setting) -> Found:
    advice = Advice(
        "Hand over pairs of neighbouring units as neighbours=, or a panel with regions.",
        'fit.check("spill_overs", data=data)',
    )
    words = f"Not run: neither pairs of neighbours nor a column {region_column(setting)!r} was given."
    return Found("cannot tell", words, advice=(advice,))


def _pairs(setting: Setting) -> _Seen:
    """Estimate the effect on neighbours of adopters, as the result was estimated."""
    design, adopts = setting.design, setting.design.in_window
    touching = adjacency(design, setting.neighbours)  # type: ignore[arg-type]
    dates = np.where(touching & adopts, design.unit_cohorts, np.inf).min(axis=1)
    near = ~adopts & np.isfinite(dates)
    far = ~adopts & ~near
    if not near.any():
        raise DesignError(f"No comparison {setting.word} adjoins an adopter.", repair="Check the pairs.")
    own = np.where(near, dates, np.nan)
    dose = (near[design.unit_codes] & (design.times >= own[design.unit_codes] - design.anticipation)).astype(
        float
    )
    spill = UNKNOWN
    if far.sum() >= FEWEST:
        given = design.with_cohorts(own)
        spill = effect_of(
            setting.again(given.restrict(~adopts[design.unit_codes], reason="adopters left out"))
        )
    where = f"adjoin{'s' if near.sum() == 1 else ''} an adopter"
    return _Seen(near, far, spill, _without(setting, near, far), _pull(setting, dose), where, 1.0)


def _regions(setting: Setting) -> _Seen:
    """Regress the outcomes of units that do not adopt on the share of their region that has adopted."""
    design, adopts = setting.design, setting.design.in_window
    codes = _region_codes(setting)
    board = board_of(setting.estimate)
    shape = board.seen.shape
    outcomes, treated = np.zeros(shape), np.zeros(shape, dtype=bool)
    outcomes[design.unit_codes, design.time_codes] = design.y
    starts = np.append(np.inf, list(design.cohort_sizes)) - design.anticipation
    periods = np.array(design.periods)
    on = periods[None] >= starts[:, None]
    treated = on[board.paths]
    dose = exposure(codes, treated) * ~adopts[:, None]
    slope = slope_of(
        board,
        outcomes,
        codes,
        on,
        draws=min(setting.draws, MOST_DRAWS),
        seed=setting.seed,
        level=setting.estimate.level,
    )
    typical = float(dose[board.seen & (dose > 0)].mean())
    spill = Effect(slope.estimate * typical, slope.low * typical, slope.high * typical, slope.p_value)
    near = ~adopts & (dose > 0).any(axis=1)
    far = ~adopts & ~near
    pull = _pull(setting, dose[design.unit_codes, design.time_codes] / typical)
    where = "share" + ("s" if near.sum() == 1 else "") + " a region with an adopter"
    return _Seen(near, far, spill, _without(setting, near, far), pull, where, typical)


def _region_codes(setting: Setting) -> Ints:
    """Return the region of each unit (N), -1 where it is not known.

    Raises
    ------
    DesignError
        No unit has a region.
    """
    names = region_names(setting).to_numpy()
    levels = sorted(set(names) - {""})
    if not levels:
        raise DesignError(
            f"Column {region_column(setting)!r} names no region of any {setting.word}.",
            repair='Name the column of regions in data.attrs["region"].',
        )
    place = {name: i for i, name in enumerate(levels)}
    return np.array([place.get(name, -1) for name in names], dtype=np.int64)


def _without(setting: Setting, near: Bools, far: Bools) -> Effect:
    """Return the result without the units near adopters, where enough others are left."""
    if far.sum() < FEWEST:
        return UNKNOWN
    return effect_of(setting.again(setting.without(np.flatnonzero(near), reason="near an adopter")))


def _pull(setting: Setting, dose: Floats) -> float:
    """Return how far an effect of one on exposed units moves the result."""
    return setting.point(setting.design.with_outcome(dose))


def _verdict(seen: _Seen, matter: Matter) -> Verdict:
    if not seen.spill.known:
        return "cannot tell"
    small = bool(np.isfinite(matter.size)) and seen.largest <= matter.size
    if seen.spill.p_value < LEVEL and not (small and matter.given):
        return "does not hold"
    return "holds" if small else "cannot tell"


def _table(setting: Setting, seen: _Seen) -> pd.DataFrame:
    effect, word = setting.effect, setting.word
    found = bool(seen.spill.known and seen.spill.p_value < LEVEL)
    rows = [
        ("as estimated", effect, False, len(seen.near)),
        (f"against {word}s away from adopters", seen.without, False, int((~seen.near).sum())),
        (f"on other {word}s near adopters", seen.spill, found, int(seen.near.sum() + seen.far.sum())),
    ]
    return pd.DataFrame(
        [(label, *value, marked, units) for label, value, marked, units in rows],
        columns=["label", "estimate", "conf_low", "conf_high", "p_value", "marked", "units"],
    )


def _numbers(setting: Setting, seen: _Seen) -> dict[str, Number]:
    return {
        "by": "pairs of neighbours" if setting.neighbours is not None else "share of the region",
        "comparison_units_near": int(seen.near.sum()),
        "comparison_units_away": int(seen.far.sum()),
        "typical_exposure": seen.typical,
        "spill_over": seen.spill.estimate,
        "spill_over_low": seen.spill.low,
        "spill_over_high": seen.spill.high,
        "p_value": seen.spill.p_value,
        "estimate_without_near": seen.without.estimate,
        "pull_of_one": seen.pull,
        "largest_change": seen.largest,
        "allowed_change": allowance(setting),
    }


def _words(setting: Setting, seen: _Seen) -> list[str]:
    near, word = int(seen.near.sum()), setting.word
    total = near + int(seen.far.sum())
    words = [f"{near} of {plural(total, f'comparison {word}')} {seen.where}."]
    if not seen.spill.known:
        few = plural(int(seen.far.sum()), f"comparison {word}")
        return [*words, f"With {few} away from adopters no effect on neighbours can be judged."]
    unit = f" ({setting.unit.strip()})" if setting.unit else ""
    words.append(
        f"Their outcome{unit} changed by {number(seen.spill.estimate)} ({number(seen.spill.low)} to "
        f"{number(seen.spill.high)}, p {number(seen.spill.p_value)}) {_against(setting, seen)}."
    )
    told, size = seen.spill.p_value < LEVEL, matter_of(setting)
    if told and size.given and seen.largest <= size.size:
        return [
            *words,
            f"That is told from zero, but moves the estimate by no more than {number(seen.largest)}: within "
            f"{size.words}, too small to matter.",
        ]
    if told:
        shift = seen.pull * seen.spill.estimate
        words.append(
            f"Taken as a spill-over, it moves the estimate of {number(setting.effect.estimate)} by "
            f"{number(shift)}{_caution(setting)}."
        )
        return words
    return [*words, allowance_words(setting, seen.largest)]


def _against(setting: Setting, seen: _Seen) -> str:
    if setting.neighbours is not None:
        return f"after that, against {setting.word}s that adjoin none"
    return (
        f"where on average {seen.typical:.0%} of the region had adopted, against {setting.word}s of other "
        "regions (neighbours across a regional border are not seen)"
    )


def _caution(setting: Setting) -> str:
    return "" if setting.neighbours is not None else "; a shock to these regions would look the same"


def _title(setting: Setting, seen: _Seen) -> str:
    if seen.spill.known and seen.spill.p_value < LEVEL:
        return f"{setting.word.capitalize()}s near adopters changed too"
    return f"No clear change in {setting.word}s near adopters"


def _advice(setting: Setting, seen: _Seen) -> tuple[Advice, ...]:
    found = [
        Advice("See whether a regional shock explains it.", 'fit.check("regional_shocks", data=data)'),
    ]
    if seen.far.sum() >= FEWEST and seen.near.sum() <= MOST_NAMED:
        units = [setting.design.units[int(i)] for i in np.flatnonzero(seen.near)]
        found.append(
            Advice(
                f"Estimate without the comparison {setting.word}s near adopters.",
                f"fit.again(design.restrict(~np.isin(np.array(design.units, dtype=object)"
                f"[design.unit_codes], {units!r}), reason='near an adopter')).summary()",
            )
        )
    return tuple(found)


CHECK = Check(
    name="spill_overs",
    title="Spill-overs",
    question="Did adoption change what happens in units nearby, which are compared with?",
    threat="Where neighbours respond, comparison units are partly treated and estimates miss that part.",
    stage="fit",
    source="Clarke 2017, Estimating difference-in-differences in the presence of spillovers, MPRA 81604; "
    "Butts 2021, doi 10.48550/arXiv.2105.03737; re-assignment as in `inference.randomisation`",
    run=run,
)
"""Spill-overs to neighbours."""
