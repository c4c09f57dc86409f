r"""Whether the estimate stands when adopters are compared within their own region.

Method
------
From the outcomes of each unit the mean of the comparison units of its region in the same period is taken
away, which removes whatever moved a whole region: region-by-year effects, fixed by units that do not adopt.
With weights v of the estimate, residuals e, and :math:`n_{rt}` comparison units of region r in period t,

.. math:: \hat\theta' = \hat\theta - \sum_{it} v_{it} \bar e_{r(i)t}, \qquad
          \bar e_{rt} = \frac{1}{n_{rt}} \sum_{j \in r, \text{not adopting}} e_{jt} .

The change is tested at 5% by exchanging the regions of comparison units (`clsimpact.diagnostics._regional`):
adopters stay where they are, as it is where they are that may be special. The interval of the changed
estimate is that of re-assigned adoption (`clsimpact.diagnostics._reassigned`). Adopters in regions with fewer
than two comparison units are left out on both sides. The check holds only if the change with its interval is
within the margin or, without one, within what `_matter` allows. A change that is told from zero is no fault
where its whole interval lies within a margin that was given.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clsimpact._check import number, plural
from clsimpact.diagnostics._matter import Matter, matter_of
from clsimpact.diagnostics._profile import region_column, region_names
from clsimpact.diagnostics._reassigned import Moved, allowance, allowance_words, board_of, moved
from clsimpact.diagnostics._regional import Change, net_of_region, relabelled, within_regions
from clsimpact.diagnostics.registry import Check
from clsimpact.diagnostics.result import Advice, Found, Number, Verdict
from clsimpact.diagnostics.setting import Effect, Setting, effect_of
from clsimpact.errors import DesignError, list_some
from clsimpact.plots.forest import forest_figure

if TYPE_CHECKING:
    from clsimpact.design import Design

__all__ = ["CHECK", "region_years", "run"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LEVEL = 0.05
"""False alarms of the test."""

FEWEST = 2
"""Comparison units that a region needs: with one, that unit's own ups and downs stand for the region."""

MOST_DRAWS = 999
"""Re-assignments: a quarter of a second for 150 units."""


@dataclass(frozen=True, eq=False)
class _Seen:
    kept: Effect
    moved: Moved
    change: Change
    counts: pd.DataFrame
    left_out: Ints


def run(setting: Setting) -> Found:
    """Compare adopters within regions, and test what that changes."""
    if not setting.has(region_column(setting)):
        return _no_regions(setting)
    regions = region_names(setting)
    counts = _counts(setting, regions)
    seen = _look(setting, regions, counts)
    verdict = _verdict(seen, matter_of(setting))
    table = _table(seen)
    return Found(
        verdict,
        " ".join(_words(setting, seen)),
        _numbers(setting, seen),
        counts,
        () if verdict == "holds" else _advice(setting, seen),
        lambda: forest_figure(
            table,
            design=setting.design,
            title=_title(seen, verdict),
            subtitle=f"Overall effect with {setting.estimate.level:.0%} intervals, against all comparison "
            f"{setting.word}s and against those of the adopter's own region",
            reference=setting.effect.estimate,
        ),
    )


def _no_regions(setting: Setting) -> Found:
    advice = Advice('Find the column of regions and name it in data.attrs["region"].', "list(data.columns)")
    return Found("cannot tell", f"The panel has no column {region_column(setting)!r}.", advice=(advice,))


def _counts(setting: Setting, regions: pd.Series[str]) -> pd.DataFrame:
    """Adopters and comparison units of each region."""
    adopts = setting.design.in_window
    found = pd.DataFrame({"region": regions.to_numpy(), "adopters": adopts, "comparison": ~adopts})
    found = found[found["region"] != ""]
    if found["region"].nunique() < 2:
        what = "has one region only" if len(found) else f"names no region of any {setting.word}"
        raise DesignError(
            f"Column {region_column(setting)!r} {what}.",
            repair='Name the column of regions in data.attrs["region"].',
        )
    return found.groupby("region", sort=True).sum().astype(int).reset_index()


def _look(setting: Setting, regions: pd.Series[str], counts: pd.DataFrame) -> _Seen:
    design = setting.design
    usable = sorted(counts.loc[counts["comparison"] >= FEWEST, "region"])
    inside = regions.isin(usable).to_numpy()
    out = np.flatnonzero(design.in_window & ~inside)
    fit = setting.estimate
    if out.size == design.in_window.sum():
        raise DesignError(_alone(setting, counts), repair=REPAIR)
    if out.size:
        design = setting.without(out, reason="no comparison in the region")
        fit = setting.again(design)
    place = {region: i for i, region in enumerate(usable)}
    kept = np.delete(regions.to_numpy(dtype=object), out)
    codes = np.array([place.get(region, -1) for region in kept], dtype=np.int64)
    board = board_of(fit)
    found = moved(
        board,
        partial(within_regions, board.seen, codes),
        draws=min(setting.draws, MOST_DRAWS),
        seed=setting.seed,
        level=fit.level,
        noise=partial(net_of_region, board.seen, codes),
    )
    draws = min(setting.draws, MOST_DRAWS)
    change = relabelled(board, codes, draws=draws, seed=setting.seed, level=fit.level)
    return _Seen(effect_of(fit), found, change, counts, out)


REPAIR = 'Name a column of larger regions in data.attrs["region"].'


def _alone(setting: Setting, counts: pd.DataFrame) -> str:
    """Say that no adopter has others in its region."""
    usable = int((counts["comparison"] >= FEWEST).sum())
    return (
        f"No adopter has {FEWEST} comparison {setting.word}s in its own region: adopters are in "
        f"{plural(int((counts['adopters'] > 0).sum()), 'region')} of {len(counts)}, and the {usable} with "
        f"{FEWEST} comparison {setting.word}s or more are others."
    )


def _verdict(seen: _Seen, matter: Matter) -> Verdict:
    small = bool(np.isfinite(matter.size)) and seen.change.largest <= matter.size
    if seen.change.p_value < LEVEL and not (small and matter.given):
        return "does not hold"
    return "holds" if small and not seen.left_out.size else "cannot tell"


def _table(seen: _Seen) -> pd.DataFrame:
    m, kept = seen.moved, seen.kept
    first = "as estimated" + (" (adopters with a comparison in their region)" if seen.left_out.size else "")
    rows = [
        [first, kept.estimate, kept.low, kept.high, False],
        ["within regions", m.estimate, m.low, m.high, seen.change.p_value < LEVEL],
    ]
    return pd.DataFrame(rows, columns=["label", "estimate", "conf_low", "conf_high", "marked"])


def _numbers(setting: Setting, seen: _Seen) -> dict[str, Number]:
    m, change = seen.moved, seen.change
    return {
        "estimate": seen.kept.estimate,
        "within_regions": m.estimate,
        "within_regions_low": m.low,
        "within_regions_high": m.high,
        "change": change.estimate,
        "change_low": change.low,
        "change_high": change.high,
        "p_value": change.p_value,
        "allowed_change": allowance(setting),
        "regions": len(seen.counts),
        "regions_with_adopters": int((seen.counts["adopters"] > 0).sum()),
        "adopters_left_out": int(seen.left_out.size),
    }


def _words(setting: Setting, seen: _Seen) -> list[str]:
    m, change = seen.moved, seen.change
    unit = f" ({setting.unit.strip()})" if setting.unit else ""
    words = [
        _where(seen.counts),
        f"The effect{unit} is {number(seen.kept.estimate)} against all comparison {setting.word}s and "
        f"{number(m.estimate)} against those of the same region: a change of {number(change.estimate)} "
        f"({number(change.low)} to {number(change.high)}, p {number(change.p_value)}).",
    ]
    if seen.left_out.size:
        words.insert(
            1, f"Left out, as their region has too few to compare with: {setting.names(seen.left_out)}."
        )
    told, size = change.p_value < LEVEL, matter_of(setting)
    if told and size.given and change.largest <= size.size:
        words.append(
            f"The change is told from zero, but all of its interval lies within {size.words}: too small to "
            "matter."
        )
    elif told:
        words.append("Regions of adopters moved differently from the others, and the estimate takes that in.")
    else:
        words.append(allowance_words(setting, change.largest))
    return words


def _where(counts: pd.DataFrame) -> str:
    """Say where adopters are."""
    some = counts[counts["adopters"] > 0].sort_values(["adopters", "region"], ascending=[False, True])
    totals = some["adopters"] + some["comparison"]
    parts = [
        f"{region} {adopters} of {total}"
        for region, adopters, total in zip(some["region"], some["adopters"], totals, strict=True)
    ]
    return f"Adopters are in {plural(len(some), 'region')} of {len(counts)}: {list_some(parts)}."


def _title(seen: _Seen, verdict: Verdict) -> str:
    if seen.change.p_value < LEVEL and verdict != "does not hold":
        return "Comparing within regions moves the estimate by less than what matters"
    if verdict == "does not hold":
        return "The estimate moves when adopters are compared within their region"
    return "Comparing within regions moves the estimate no more than chance does"


def _advice(setting: Setting, seen: _Seen) -> tuple[Advice, ...]:
    column = region_column(setting)
    largest = seen.counts.sort_values(["adopters", "region"], ascending=[False, True])["region"].iloc[0]
    found = (
        f"Estimate without {largest}, where most adopters are.",
        "fit.again(design.restrict(~np.isin(np.array(design.units, dtype=object)[design.unit_codes], "
        f"data.loc[data[{column!r}] == {largest!r}, design.unit].unique()), reason='left out')).summary()",
    )
    dummies = (
        "Add region-by-year effects to the regression.",
        "ci.twfe(ci.diagnostics.regional_shocks.region_years(design, data)).summary()",
    )
    elsewhere = (seen.counts["adopters"] > 0).sum() > 1
    return (Advice(*found), Advice(*dummies)) if elsewhere else (Advice(*dummies),)


def region_years(design: Design, data: pd.DataFrame) -> Design:
    """Return a design with an effect of each region in each period as covariates, the first of both left out.

    Examples
    --------
    >>> from clsimpact.datasets import load_mpdta
    >>> from clsimpact.design import Design
    >>> panel = load_mpdta().assign(region=lambda d: "R" + (d["county"] % 3).astype(str))
    >>> design = Design(panel, outcome="lemp", unit="county", time="year", cohort="first_treat")
    >>> region_years(design, panel).covariates[:2]
    ('R1 2004', 'R1 2005')
    """
    table = design.data
    regions = region_names(Setting(design, data=data)).to_numpy()[design.unit_codes]
    names = []
    for region in sorted(set(regions) - {""})[1:]:
        for period in design.periods[1:]:
            names.append(f"{region} {period}")
            table[names[-1]] = ((regions == region) & (design.times == period)).astype(float)
    return type(design)(
        table,
        outcome=design.outcome,
        unit=design.unit,
        time=design.time,
        cohort=design.cohort,
        weights=design.weights,
        covariates=(*design.covariates, *names),
        cluster=design.cluster,
        effects=design.effects,
        anticipation=design.anticipation,
        outcome_label=design.outcome_label,
        outcome_unit=design.outcome_unit,
        source=design.source,
    )


CHECK = Check(
    name="regional_shocks",
    title="Regional shocks",
    question="Does the estimate stand when adopters are compared within their own region?",
    threat="If adopters are where something else happened, the estimate takes that for an effect.",
    stage="fit",
    source="region-by-period effects by comparison units; permutation of labels with studentised statistics "
    "as in Janssen 1997, doi 10.1016/S0167-7152(97)00043-6",
    run=run,
    needs=("data",),
)
"""Regional shocks."""
