r"""Whether the estimate stands when comparison units are made like adopters: matching and entropy balancing.

Method
------
Figures of each unit before the first adoption (those of the check ``overlap`` that are numbers: level and
trend of the outcome, sizes, shares) give each comparison unit a multiplier :math:`m_j` with mean one:

- *matched*: how often it is among the three units closest to an adopter (Mahalanobis distance, covariance
  shrunk to its diagonal, with replacement);
- *balanced*: entropy balancing (Hainmueller 2012, doi 10.1093/pan/mpr025) to the adopters' means.

The estimate is taken again with the outcomes of comparison units counted :math:`m_j` times; on a balanced
panel two-way fixed effects and event studies are then the weighted regressions. What that changes is tested
by re-assignment of adoption, the matching and balancing done anew each time
(`clsimpact.diagnostics._reassigned`), at 5% over both ways (Holm). The check holds only if neither change
would be found by itself and the change with balanced weights, the more precise one, is with its interval
within what matters (`clsimpact.diagnostics._matter`). A change that is found, but lies with its interval
within a margin that was given, is too small to matter and counts as none.

Units that are chosen for an outcome that was high by chance fall back afterwards (Daw and Hatfield 2018,
doi 10.1111/1475-6773.12993): a changed estimate says that the comparison matters, not which one is right.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clsimpact._check import number
from clsimpact.diagnostics._matter import Matter, matter_of
from clsimpact.diagnostics._profile import profile
from clsimpact.diagnostics._reassigned import (
    Board,
    Moved,
    allowance_words,
    board_of,
    moved,
)
from clsimpact.diagnostics._unit_balance import differences
from clsimpact.diagnostics._unit_weights import (
    closeness,
    effective_size,
    entropy_weights,
    neighbour_weights,
)
from clsimpact.diagnostics.registry import Check
from clsimpact.diagnostics.result import Advice, Found, Number, Verdict
from clsimpact.diagnostics.setting import Setting
from clsimpact.errors import DesignError
from clsimpact.inference.multiplicity import holm
from clsimpact.plots.forest import forest_figure

__all__ = ["CHECK", "comparison_weights", "run"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

LEVEL = 0.05
"""False alarms of the two comparisons together."""

NEAREST = 3
"""Comparison units per adopter: one is noisy, many are far away."""

MOST_DRAWS = 499
"""Re-assignments, each with weights of its own: half a second for 150 units."""

BALANCED = 0.1
"""Difference of means in standard deviations up to which weighted units count as balanced."""

WAYS = ("matched", "balanced")


@dataclass(frozen=True, eq=False)
class _Way:
    name: str
    moved: Moved
    effective: float
    gap: float


def run(setting: Setting) -> Found:
    """Estimate with comparison units made like adopters, and test what that changes."""
    found = profile(setting)
    if found.numbers.shape[1] == 0:
        raise DesignError("The panel has no number to match units by.", repair="Hand over a fuller panel.")
    board = board_of(setting.estimate)
    order = closeness(found.numbers)
    ways = [_way(setting, board, found.scaled, order, name) for name in WAYS]
    before = float(np.abs(differences(found.scaled, found.adopts[None])).max())
    p = holm(np.array([way.moved.p_value for way in ways]))
    matter = matter_of(setting)
    verdict = _verdict(ways, p, matter)
    table = _table(setting, ways, p)
    return Found(
        verdict,
        " ".join(_words(setting, ways, p, before, found.labels[: found.numbers.shape[1]])),
        _numbers(ways, p, before, matter.size),
        table,
        () if verdict == "holds" else _advice(setting),
        lambda: forest_figure(
            table,
            design=setting.design,
            title=_title(setting, ways, p),
            subtitle=f"Overall effect with {setting.estimate.level:.0%} intervals, as estimated and with "
            f"comparison {setting.word}s made like adopters",
            reference=setting.effect.estimate,
        ),
    )


def multipliers(name: str, scaled: Floats, order: Ints, adopts: Bools) -> Floats:
    """Return how often the outcomes of each unit count (N): mean one among the others, one for adopters."""
    out = np.ones(adopts.size)
    others = ~adopts
    if name == "matched":
        weights = neighbour_weights(order, adopts, NEAREST)[others]
    else:
        weights = entropy_weights(scaled[others], scaled[adopts].mean(axis=0))
    out[others] = weights * others.sum()
    return out


def _coefficients(name: str, scaled: Floats, order: Ints, paths: Ints, v: Floats) -> Floats:
    return np.asarray(v * multipliers(name, scaled, order, paths > 0)[:, None])


def _way(setting: Setting, board: Board, scaled: Floats, order: Ints, name: str) -> _Way:
    adopts = board.paths > 0
    found = moved(
        board,
        partial(_coefficients, name, scaled, order),
        draws=min(setting.draws, MOST_DRAWS),
        seed=setting.seed,
        level=setting.estimate.level,
    )
    own = multipliers(name, scaled, order, adopts)[~adopts]
    apart = np.abs(scaled[adopts].mean(axis=0) - own @ scaled[~adopts] / own.sum())
    return _Way(name, found, effective_size(own), float(apart.max()))


def comparison_weights(setting: Setting, way: str = "balanced") -> pd.Series[float]:
    """Return how often each comparison unit counts, by label, the largest first: mean one."""
    found = profile(setting)
    given = multipliers(way, found.scaled, closeness(found.numbers), found.adopts)
    units = np.array(setting.design.units, dtype=object)[~found.adopts]
    return pd.Series(given[~found.adopts], index=units, name=way).sort_values(ascending=False)


def _small(way: _Way, matter: Matter) -> bool:
    """Whether the interval of the change lies within what matters."""
    return bool(matter.within(way.moved.difference_low, way.moved.difference_high))


def _found(ways: list[_Way], p: Floats, matter: Matter) -> list[_Way]:
    """Return the ways whose change is found, and not too small to matter for a margin that was given."""
    return [
        way
        for way, adjusted in zip(ways, p, strict=True)
        if adjusted < LEVEL and not (matter.given and _small(way, matter))
    ]


def _verdict(ways: list[_Way], p: Floats, matter: Matter) -> Verdict:
    if _found(ways, p, matter):
        return "does not hold"
    alone = _found(ways, np.array([way.moved.p_value for way in ways]), matter)
    held = not alone and _small(ways[1], matter) and ways[1].gap <= BALANCED
    return "holds" if held else "cannot tell"


def _table(setting: Setting, ways: list[_Way], p: Floats) -> pd.DataFrame:
    effect, nothing = setting.effect, [np.nan] * 5
    rows = [["as estimated", effect.estimate, effect.low, effect.high, *nothing, False]]
    for way, adjusted in zip(ways, p, strict=True):
        m = way.moved
        rows.append(
            [
                f"{way.name} comparison {setting.word}s",
                *(m.estimate, m.low, m.high, m.difference, m.p_value, adjusted),
                *(way.effective, way.gap, bool(adjusted < LEVEL)),
            ]
        )
    names = ["label", "estimate", "conf_low", "conf_high", "difference", "p_value", "p_adjusted"]
    return pd.DataFrame(rows, columns=[*names, "effective_units", "largest_gap", "marked"])


def _numbers(ways: list[_Way], p: Floats, before: float, allowed: float) -> dict[str, Number]:
    found: dict[str, Number] = {"largest_gap_before": before, "allowed_change": allowed}
    for way, adjusted in zip(ways, p, strict=True):
        found |= {
            f"{way.name}_estimate": way.moved.estimate,
            f"{way.name}_change": way.moved.difference,
            f"{way.name}_change_low": way.moved.difference_low,
            f"{way.name}_change_high": way.moved.difference_high,
            f"{way.name}_p_adjusted": float(adjusted),
            f"{way.name}_effective_units": way.effective,
            f"{way.name}_largest_gap": way.gap,
        }
    return found


def _words(
    setting: Setting, ways: list[_Way], p: Floats, before: float, labels: tuple[str, ...]
) -> list[str]:
    unit = f" ({setting.unit.strip()})" if setting.unit else ""
    parts = [
        f"{number(way.moved.estimate)} with {way.name} comparison {setting.word}s (as good as "
        f"{way.effective:.0f} equal ones; change {number(way.moved.difference)}, "
        f"{number(way.moved.difference_low)} to {number(way.moved.difference_high)}, adjusted p "
        f"{number(adjusted)})"
        for way, adjusted in zip(ways, p, strict=True)
    ]
    first = f"The effect{unit} is {number(setting.effect.estimate)} as estimated, {' and '.join(parts)}."
    made = (
        f"They are made like adopters in {', '.join(labels)}: means up to {number(before)} standard "
        f"deviations apart come to within {number(ways[1].gap)} with balanced weights."
    )
    return [first, made, _last(setting, ways, p)]


def _last(setting: Setting, ways: list[_Way], p: Floats) -> str:
    matter = matter_of(setting)
    if found := _found(ways, p, matter):
        names = " and the ".join(way.name for way in found)
        return (
            f"The {names} comparison moves the estimate by more than chance does: it matters who is compared."
        )
    if ways[1].gap > BALANCED:
        return f"No weights make comparison {setting.word}s like adopters, so the estimate cannot be cleared."
    if _found(ways, np.array([way.moved.p_value for way in ways]), matter):
        return "One change would be too large for chance if it were the only one looked at; of two it is not."
    if p.min() < LEVEL and _small(ways[1], matter):
        return f"That is more than chance does, but all of its interval lies within {matter.words}."
    return allowance_words(setting, ways[1].moved.largest, by="With balanced weights a")


def _title(setting: Setting, ways: list[_Way], p: Floats) -> str:
    if _found(ways, p, matter_of(setting)):
        return f"The estimate moves when comparison {setting.word}s are made like adopters"
    if p.min() < LEVEL:
        return f"Making comparison {setting.word}s like adopters moves the estimate too little to matter"
    return f"Making comparison {setting.word}s like adopters moves the estimate no more than chance does"


def _advice(setting: Setting) -> tuple[Advice, ...]:
    word = setting.word
    return (
        Advice(
            f"See which comparison {word}s carry the balanced comparison.",
            "ci.diagnostics.matching.comparison_weights("
            "ci.diagnostics.setting.Setting(design, data=data)).head(10)",
        ),
        Advice(
            f"Weigh comparison {word}s so that they follow adopters in every period before adoption.",
            "ci.synthetic_did(design, unbalanced='complete').summary()",
        ),
    )


CHECK = Check(
    name="matching",
    title="Matched and balanced comparison",
    question="Does the estimate stand when comparison units are made like adopters?",
    threat="If what sets adopters apart also moves the outcome, the estimate takes it for an effect.",
    stage="fit",
    source="Hainmueller 2012, doi 10.1093/pan/mpr025; Rubin 1973, doi 10.2307/2529684 (matching); Daw and "
    "Hatfield 2018, doi 10.1111/1475-6773.12993",
    run=run,
    needs=("data",),
)
"""Matched and balanced comparison."""
