r"""Whether adopters and comparison units were alike before anybody adopted.

Method
------
Before the first adoption each unit has a level of the outcome, a trend, and further figures (councils:
population, share aged 65 and over, deprivation, region, type; other panels: the design's covariates, and the
columns named in ``data.attrs["balance"]`` or, without it, numeric ones that do not change within units).

1. Standardised differences of means, pooled standard deviation. The largest of all is held against its
   distribution when as many adopters are drawn from all units.
2. Scores: ridge logistic regression of adoption on the same columns, each unit scored as if left out.
   Adopters whose score lies above that of every comparison unit are counted, and so they are when adopters
   are drawn anew.
3. Distances (Mahalanobis, numbers only): an adopter is *alone* if the comparison unit closest to it is more
   than 1.5 times as far as any comparison unit is from its own closest one. Scores do not see an adopter that
   is odd in a way of its own. Such an adopter keeps the check from holding.

The smaller of the two p-values is doubled, the other stands (Holm), at 5%. Comparison units weighted by the
odds of their score are as good as :math:`(\sum w)^2 / \sum w^2` equal ones. What could have been seen: a
difference found four times in five, the 97.5% point of the largest difference plus 0.84 standard deviations
of one. Balance of levels is not needed for parallel trends; it is where a reader looks first for why trends
might differ (Imbens and Rubin 2015, chapter 14, doi 10.1017/CBO9781139025751).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clsimpact._check import number, plural
from clsimpact.diagnostics._profile import Profile, profile
from clsimpact.diagnostics._unit_balance import differences, outside, redrawn, scores
from clsimpact.diagnostics._unit_weights import distances, effective_size
from clsimpact.diagnostics.registry import Check
from clsimpact.diagnostics.result import Advice, Found, Number, Verdict, plain
from clsimpact.diagnostics.setting import Setting
from clsimpact.errors import DesignError, list_some
from clsimpact.plots.balance import balance_figure

__all__ = ["CHECK", "adopters_like_nobody", "run"]

Floats = NDArray[np.float64]

LEVEL = 0.05
"""False alarms of the two tests together."""

MATTERS = 1.0
"""Difference in standard deviations that the check has to be able to see before it can hold. Differences of a
quarter already make regressions lean on their form; few adopters cannot show those, and the words say what
could have been seen."""

EIGHTY = 0.8416
"""Standard deviations between what is found half of the time and four times in five."""

FAR = 1.5
"""Times a comparison unit's largest distance from its closest one: adopters rarely go so far by chance."""

TIE = 1e-9
"""Differences this close to the critical value are that value: rounding leaves 1e-15.

The critical value is one of these differences; of 499, the nearest that is not it lies about 1e-3 away."""

NAMED = 12
"""Adopters that words and a line of code name one by one."""

LEAST_LEFT = 3
"""Adopters that an estimate without the odd ones needs: as few as the default inference takes."""

MOST_SCORES = 499
"""Sets of adopters for which scores are estimated again: a third of a second for 150 units."""


@dataclass(frozen=True, eq=False)
class _Seen:
    profile: Profile
    gaps: Floats
    critical: float
    detectable: float
    p_balance: float
    score: Floats
    beyond: NDArray[np.int64]
    alone: NDArray[np.int64]
    p_support: float
    effective: float
    names: tuple[str, ...]

    @property
    def odd(self) -> NDArray[np.int64]:
        """Adopters that nobody is like, by score or by distance."""
        return np.union1d(self.beyond, self.alone).astype(np.int64)

    @property
    def marked(self) -> NDArray[np.bool_]:
        """Differences beyond what the others reach by chance: ties with the critical value do not count."""
        return np.asarray(np.abs(self.gaps) > self.critical * (1 + TIE))

    @property
    def p(self) -> float:
        """Holm's p-value of the two tests."""
        return min(1.0, 2 * min(self.p_balance, self.p_support))


def run(setting: Setting) -> Found:
    """Compare adopters with the others before the first adoption."""
    found = profile(setting)
    if found.figures.shape[1] == 0:
        raise DesignError("The panel has no column to compare units by.", repair="Hand over a fuller panel.")
    if setting.design.n_clusters < len(setting.design.units):
        raise DesignError(
            f"Adoption is drawn unit by unit, but the design clusters by {setting.design.cluster}.",
            repair="Cluster by unit.",
        )
    seen = _look(found, setting)
    verdict = _verdict(seen)
    table = _table(seen)
    return Found(
        verdict,
        " ".join(_words(seen, setting)),
        _numbers(seen),
        table,
        () if verdict == "holds" else _advice(seen, setting),
        lambda: balance_figure(
            table,
            seen.score,
            found.adopts,
            seen.odd,
            design=setting.design,
            critical=seen.critical,
            title=_title(seen, setting),
        ),
    )


def _look(found: Profile, setting: Setting) -> _Seen:
    values, adopts = found.figures, found.adopts
    sets = np.vstack([adopts[None], redrawn(adopts, setting.draws, setting.seed)])
    gaps = differences(values, sets)
    largest = np.abs(gaps).max(axis=1)
    critical = float(np.quantile(largest, 1 - LEVEL / 2, method="higher"))
    few = sets[: min(MOST_SCORES, setting.draws) + 1]
    score = scores(values, few)
    off = outside(score, few)
    count = off.sum(axis=1)
    return _Seen(
        found,
        gaps[0],
        critical,
        critical + EIGHTY * float(np.median(np.std(gaps[1:], axis=0))),
        float((largest >= largest[0]).mean()),
        score[0],
        np.flatnonzero(off[0]),
        _alone(found),
        float((count >= count[0]).mean()),
        effective_size(np.exp(score[0][~adopts])),
        setting.design.unit_names,
    )


def _alone(found: Profile) -> NDArray[np.int64]:
    """Return the adopters that are far from every comparison unit."""
    others = np.flatnonzero(~found.adopts)
    if found.numbers.shape[1] == 0 or others.size < 2:
        return np.array([], dtype=np.int64)
    gaps = distances(found.scaled)
    np.fill_diagonal(gaps, np.inf)
    nearest = gaps[:, others].min(axis=1)
    return np.flatnonzero(found.adopts & (nearest > FAR * nearest[others].max()))


def adopters_like_nobody(setting: Setting) -> list[object]:
    """Return the units of the adopters that no other is like, by score or by distance."""
    seen = _look(profile(setting), setting)
    return [setting.design.units[int(i)] for i in seen.odd]


def _verdict(seen: _Seen) -> Verdict:
    if seen.p < LEVEL:
        return "does not hold"
    return "cannot tell" if seen.odd.size or seen.detectable > MATTERS else "holds"


def _table(seen: _Seen) -> pd.DataFrame:
    values, adopts = seen.profile.figures, seen.profile.adopts
    rows = {
        "label": list(seen.profile.labels),
        "adopters": values[adopts].mean(axis=0),
        "others": values[~adopts].mean(axis=0),
        "difference": seen.gaps,
        "marked": seen.marked,
    }
    order = np.argsort(-np.abs(seen.gaps), kind="stable")
    return pd.DataFrame(rows).iloc[order].reset_index(drop=True)


def _numbers(seen: _Seen) -> dict[str, Number]:
    return {
        "columns": len(seen.profile.labels),
        "largest_difference": float(np.abs(seen.gaps).max()),
        "largest_by_chance": seen.critical,
        "detectable_difference": seen.detectable,
        "p_balance": seen.p_balance,
        "adopters_off_support": int(seen.beyond.size),
        "share_off_support": float(seen.beyond.size / seen.profile.adopts.sum()),
        "p_support": seen.p_support,
        "adopters_alone": int(seen.alone.size),
        "p_both": seen.p,
        "effective_comparison_units": seen.effective,
        "comparison_units": int((~seen.profile.adopts).sum()),
        "figures_filled": seen.profile.filled,
    }


def _words(seen: _Seen, setting: Setting) -> list[str]:
    adopts = seen.profile.adopts
    years = seen.profile.years
    when = f"in {years[0]}" if len(years) == 1 else f"in {years[0]} to {years[-1]}"
    first = (
        f"Before anybody adopted ({when}) {plural(int(adopts.sum()), 'adopter')} and "
        f"{int((~adopts).sum())} other {setting.word}s differ most in {_most(seen)}; adopters drawn at "
        f"random differ as much in one of {len(seen.gaps)} respects {_often(seen.p_balance)} of the time"
        f"{', which of two tests is not enough' if seen.p_balance < LEVEL <= seen.p else ''}."
    )
    could = (
        f"A difference of {number(seen.detectable)} standard deviations or more would have been found four "
        "times in five, smaller ones less often."
    )
    return [first, _support_words(seen), could]


def _most(seen: _Seen) -> str:
    """Say in what adopters differ most, and by how much."""
    k = int(np.abs(seen.gaps).argmax())
    adopts, values = seen.profile.adopts, seen.profile.figures[:, k]
    mine, other = float(values[adopts].mean()), float(values[~adopts].mean())
    group = k >= seen.profile.numbers.shape[1]
    size = f"{mine:.0%} and {other:.0%} of them" if group else f"mean {number(mine)} and {number(other)}"
    return f"{seen.profile.labels[k]} ({size}: {number(abs(float(seen.gaps[k])))} standard deviations)"


def _often(share: float) -> str:
    return "less than 1%" if share < 0.01 else f"{share:.0%}"


def _support_words(seen: _Seen) -> str:
    others = int((~seen.profile.adopts).sum())
    equal = f"weighted by their odds of adoption the {others} others count as {seen.effective:.0f} equal ones"
    if seen.alone.size:
        names = list_some([seen.names[int(i)] for i in seen.alone], NAMED)
        lie = "lies" if seen.alone.size == 1 else "lie"
        equal = f"{names} {lie} far from every other by these figures; {equal}"
    if not seen.beyond.size:
        return f"Every adopter has others with higher odds of adoption than its own; {equal}."
    names = list_some([seen.names[int(i)] for i in seen.beyond], NAMED)
    has = "has" if seen.beyond.size == 1 else "have"
    return (
        f"{names} {has} higher odds of adoption than any other (so many or more do in "
        f"{_often(seen.p_support)} of random draws); {equal}."
    )


def _title(seen: _Seen, setting: Setting) -> str:
    marked = [label for label, far in zip(seen.profile.labels, seen.marked, strict=True) if far]
    if marked:
        return f"Before adoption adopters differ from other {setting.word}s in {list_some(marked, 3)}"
    return f"Before adoption adopters differ from other {setting.word}s no more than chance allows"


def _advice(seen: _Seen, setting: Setting) -> tuple[Advice, ...]:
    fitted = "fit" if setting.fit is not None else "ci.event_study(design)"
    found = [
        Advice(
            "See whether the estimate moves when comparison units are weighted to be like adopters.",
            f'{fitted}.check("matching", data=data)',
        )
    ]
    left = int(seen.profile.adopts.sum()) - seen.odd.size
    if seen.odd.size and left >= LEAST_LEFT:
        units = repr([plain(setting.design.units[int(i)]) for i in seen.odd])
        if seen.odd.size > NAMED:
            given = "ci.diagnostics.setting.Setting(design, data=data)"
            units = f"ci.diagnostics.overlap.adopters_like_nobody({given})"
        again = "fit.again" if setting.fit is not None else "ci.event_study"
        found.append(
            Advice(
                f"Estimate without the {plural(seen.odd.size, 'adopter')} that no other {setting.word} is "
                f"like: {left} are left.",
                f"{again}(design.restrict(~np.isin(np.array(design.units, dtype=object)"
                f"[design.unit_codes], {units}), reason='beyond the comparison')).summary()",
            )
        )
    return tuple(found)


CHECK = Check(
    name="overlap",
    title="Balance and overlap",
    question="Were adopters like the units they are compared with, before anybody adopted?",
    threat="Units that differ before adoption may also have moved differently without it.",
    stage="design",
    source="Imbens and Rubin 2015, doi 10.1017/CBO9781139025751; largest difference by permutation as in "
    "Westfall and Young 1993; scores by ridge logistic regression",
    run=run,
    needs=("data",),
)
"""Balance and overlap."""
