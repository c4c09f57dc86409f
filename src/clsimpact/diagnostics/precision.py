r"""What the design could have seen: the smallest effect that it detects, before any result is looked at.

The overall effect is linear in the outcomes. Its variance follows from how comparison units vary between
periods (`_precision`), and equals that of placebo estimates in which the adopters' dates are given to random
comparison units. A two-sided t test at level :math:`\alpha` with Satterthwaite's degrees of freedom
:math:`\nu` (Bell and McCaffrey's CR2; about as many as adopters, where these are few) finds an effect
:math:`\delta\,\mathrm{sd}(\hat\theta)` with power

.. math:: \Pr(|T_\nu(\delta)| > t_{\nu,1-\alpha/2}), \qquad T_\nu(\delta)\ \text{noncentral t},

and the minimum detectable effect is the one for which that is 80% (or 50%). No outcome of an adopter after
adoption is used. Covariates are not partialled out of outcomes: with them the numbers are upper bounds.

Bloom 1995, doi 10.1177/0193841X9501900504; Burlig, Preonas and Woerman 2020 (serial correlation),
doi 10.1016/j.jdeveco.2020.102458.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from clsimpact._check import number, period_words, plural, unit_text, unit_word
from clsimpact._estimator_names import in_sentence
from clsimpact._explain import size as size_words
from clsimpact.design import Design
from clsimpact.diagnostics._planned import FEWEST_ADOPTERS, YEARS, Plan, Planner
from clsimpact.diagnostics.registry import Check
from clsimpact.diagnostics.result import Advice, Found, Verdict
from clsimpact.diagnostics.setting import Setting
from clsimpact.errors import DesignError

__all__ = ["ADOPTERS", "CHECK", "POWERS", "run"]

ADOPTERS = (5, 10, 25, 50)
"""Numbers of adopters that are shown beside the present one."""

POWERS = (0.8, 0.5)
"""Of finding the effect: the usual one first."""


SHARE = 0.05
"""Without a margin, this share of the comparison units' mean stands in, or so many log points; every sentence
says so. Where the unit is not declared nothing stands in: numbers may be logs, whose mean means nothing."""

NOISIER = 1.25
"""Adopters' variance before adoption, over that of others, from which the words mention it."""


@dataclass(frozen=True)
class Target:
    """What should be seen (NaN where nothing says it), and what it is called."""

    size: float
    words: str
    given: bool

    @property
    def known(self) -> bool:
        """Whether there is one."""
        return bool(np.isfinite(self.size))


def run(setting: Setting) -> Found:
    """Compare the smallest effect that the design can see with what matters."""
    design = setting.design
    planner = Planner(design, setting.fit)
    target = target_of(planner, setting.margin)
    table = curve(planner)
    most, least = (planner.present.effect(power) for power in POWERS)
    if not np.isfinite(most):
        raise DesignError(
            "The variance of the estimate is not known from comparison units.",
            repair="Use a panel in which more comparison units show the same periods.",
        )
    enough = adopters_needed(planner, target.size) if target.known else None
    years = years_needed(table, target.size) if not most <= target.size else 0
    verdict = _verdict(design, target, most)
    numbers = {
        "detectable_80": most,
        "detectable_50": least,
        "target": target.size if target.known else None,
        "target_given": int(target.given),
        "mean_of_comparison": planner.mean,
        "standard_deviation": planner.present.deviation,
        "df": planner.present.df,
        "adopters": design.n_treated,
        "adopters_needed": enough,
        "further_years_needed": years,
        "adopters_variance_ratio": planner.noisier,
    }
    return Found(
        verdict,
        _words(setting, planner, target, numbers, table),
        numbers,
        table,
        () if verdict == "holds" else _advice(setting, target, enough),
        lambda: _figure(planner, table, target, numbers),
    )


def _verdict(design: Design, target: Target, most: float) -> Verdict:
    if design.n_treated < FEWEST_ADOPTERS:
        return "does not hold"
    if not target.known:
        return "cannot tell"
    return "holds" if most <= target.size else "does not hold"


def target_of(planner: Planner, margin: float | None) -> Target:
    """Return the margin; without one a twentieth of the comparison units' mean where the unit is declared."""
    design = planner.design
    if margin is not None:
        if not np.isfinite(margin) or margin <= 0:
            raise DesignError(
                f"The margin is {margin}; a number above 0 is needed.",
                repair="Give what is too small to matter, in the unit of the outcome.",
            )
        return Target(float(margin), f"the margin of {_amount(margin, design)}", given=True)
    if not unit_text(design):
        return Target(float("nan"), "", given=False)
    if "log" in unit_text(design).lower():
        return Target(SHARE, f"{_amount(SHARE, design)} (about 5%; no margin was given)", given=False)
    size = SHARE * abs(planner.mean)
    if size == 0:
        raise DesignError("The outcome has mean 0 and no margin was given.", repair="Give margin=.")
    others = f"the mean of comparison {unit_word(design)}s"
    return Target(size, f"{_amount(size, design)} (5% of {others}; no margin was given)", given=False)


def _amount(value: float, design: Design) -> str:
    """Write a size in the unit of the outcome: ``£77``, ``0.02 log points``."""
    return size_words(value, design).rpartition(" ")[0]


def curve(planner: Planner) -> pd.DataFrame:
    """One row per number of adopters and per number of further years."""
    now = planner.design.n_treated
    rows = [_row(planner.present, years=0, present=True)]
    others = [adopters for adopters in {*ADOPTERS, planner.most} - {now} if adopters <= planner.most]
    rows += [_row(planner.with_adopters(adopters), years=0, present=False) for adopters in others]
    rows.sort(key=lambda row: row["adopters"])
    for years in YEARS:
        try:
            rows.append(_row(planner.with_years(years), years=years, present=False))
        except DesignError:
            break
    return pd.DataFrame(rows)


def _row(plan: Plan, *, years: int, present: bool) -> dict[str, Any]:
    out: dict[str, Any] = {"adopters": plan.adopters, "further_years": years, "present": present}
    out |= {f"detectable_{power * 100:.0f}": plan.effect(power) for power in POWERS}
    return out | {"standard_deviation": plan.deviation, "df": plan.df}


def adopters_needed(planner: Planner, size: float) -> int | None:
    """Return the fewest adopters with which an effect of a size is found in 80% of studies, or None."""
    low, high = FEWEST_ADOPTERS, planner.most
    if high < low or planner.with_adopters(high).effect(POWERS[0]) > size:
        return None
    while low < high:
        middle = (low + high) // 2
        if planner.with_adopters(middle).effect(POWERS[0]) <= size:
            high = middle
        else:
            low = middle + 1
    return low


def years_needed(table: pd.DataFrame, size: float) -> int | None:
    """Return the fewest further years looked at with which such an effect is found, or None."""
    fine = table[(table["further_years"] > 0) & (table["detectable_80"] <= size)]
    return int(fine["further_years"].min()) if len(fine) else None


def _words(
    setting: Setting, planner: Planner, target: Target, numbers: Mapping[str, Any], table: pd.DataFrame
) -> str:
    design, word = setting.design, setting.word
    most, least = numbers["detectable_80"], numbers["detectable_50"]
    levels = unit_text(design) and "log" not in unit_text(design).lower()
    share = most / abs(planner.mean) if levels and planner.mean else None
    of_mean = "" if share is None else f" ({share:.1%} of the comparison mean)"
    text = (
        f"With {plural(design.n_treated, 'adopter')} among {plural(len(design.units), word)} "
        f"({period_words(design)}), the overall effect by {in_sentence(planner.estimator)} must be "
        f"{setting.value(most)}{of_mean} to be found in 80% of such studies, and {setting.value(least)} "
        f"in half of them (two-sided test at 5%, {number(planner.present.df)} degrees of freedom; only "
        "untreated outcomes are used)."
    )
    if design.n_treated < FEWEST_ADOPTERS:
        text += f" With fewer than {FEWEST_ADOPTERS} adopters the library shows no interval at all."
    return f"{text} {_enough(planner, target, numbers, table)}{_noisier(setting, numbers)}"


def _enough(planner: Planner, target: Target, numbers: Mapping[str, Any], table: pd.DataFrame) -> str:
    """Say what it would take to see what matters."""
    needed, now = numbers["adopters_needed"], planner.design.n_treated
    about = target.words
    if not target.known:
        return (
            "Whether that is enough cannot be said: no margin was given, and as the unit of the outcome is "
            "not declared, a share of its mean may mean nothing."
        )
    if numbers["detectable_80"] <= target.size:
        fewer = f": {plural(needed, 'adopter')} would do" if needed is not None and needed < now else ""
        return f"That is enough to see {about}{fewer}."
    if needed is None:
        text = f"That is too coarse for {about}, with up to {plural(planner.most, 'adopter')} of these too"
    else:
        text = (
            f"That is too coarse for {about}: it takes about {plural(needed, 'adopter')} with dates spread "
            "as they are"
        )
    years = numbers["further_years_needed"]
    if years is not None:
        return f"{text}, or {plural(years, 'further year')} if outcomes go on varying as they did."
    longer = table.loc[table["further_years"] > 0, "detectable_80"]
    if longer.empty:
        return f"{text}."
    worse = longer.iloc[-1] > numbers["detectable_80"]
    why = f", as {unit_word(planner.design)}s drift apart over the years" if worse else ""
    return f"{text}; further years alone (up to {YEARS[-1]}) do not do it{why}."


def _noisier(setting: Setting, numbers: Mapping[str, Any]) -> str:
    ratio = numbers["adopters_variance_ratio"]
    if not ratio > NOISIER:
        return ""
    return (
        f" Before adoption the adopters varied more than other {setting.word}s (variance {ratio:.2f} times "
        f"theirs); if they go on so, these effects must be up to {np.sqrt(ratio):.2f} times as large."
    )


def _advice(setting: Setting, target: Target, enough: int | None) -> tuple[Advice, ...]:
    if not target.known:
        return (
            Advice(
                "Say which effect matters, in the unit of the outcome, from outside these data (put that "
                "number in place of None), or declare the unit: Design(..., outcome_unit=).",
                'design.check("precision", margin=None)["precision"].table',
            ),
        )
    size = float(f"{target.size:.6g}")
    more = "" if enough is None else f" ({enough} would do)"
    first = Advice(
        f"Look at other numbers of adopters{more} and further years, or widen the list of adopters.",
        f'design.check("precision", margin={size})["precision"].table',
    )
    if setting.design.n_treated < FEWEST_ADOPTERS:
        return (first,)
    text = "Read 'no effect was found' as 'none above the size that was detectable': report the interval"
    if not target.given:
        return first, Advice(f"{text}.", "ci.twfe(design).overall")
    return first, Advice(
        f"{text}, and test equivalence against the margin.", f"ci.twfe(design).equivalence({size})"
    )


def _figure(planner: Planner, table: pd.DataFrame, target: Target, numbers: Mapping[str, Any]) -> Any:
    from clsimpact.plots.precision import precision_figure

    design = planner.design
    title = (
        f"With {plural(design.n_treated, 'adopter')} an effect has to be "
        f"{_amount(float(numbers['detectable_80']), design)} to be found in 80% of studies"
    )
    return precision_figure(
        table[table["further_years"] == 0],
        design=design,
        title=title,
        target=target.size,
        target_words=target.words or "nothing, as no margin was given",
        estimator=in_sentence(planner.estimator),
    )


CHECK = Check(
    name="precision",
    title="Precision",
    question="Could the design have seen an effect that matters?",
    threat="Where it could not, 'no effect was found' says nothing, and what is found is too large.",
    stage="design",
    source="Bloom 1995, doi 10.1177/0193841X9501900504; Burlig, Preonas and Woerman 2020, "
    "doi 10.1016/j.jdeveco.2020.102458",
    run=run,
)
