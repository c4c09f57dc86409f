"""The words of a design: what `Design.check` says, and the phrases that summaries share with it."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from clsimpact.errors import list_some

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from clsimpact.design import Design

__all__ = [
    "TOO_NARROW",
    "DesignCheck",
    "cannot_be_read",
    "design_items",
    "dropped_words",
    "few_treated",
    "kind_label",
    "lone_words",
    "number",
    "period_words",
    "plural",
    "rests_on_one",
    "sample_words",
    "too_narrow",
    "unit_text",
    "unit_word",
]

FEW_TREATED = 25
"""At this many treated clusters or fewer the size of a test is shown next to it."""

SMALL_COHORT = 5
"""Cohorts below this size are named: their effect rests on very few units."""

MEASURED = {
    "static two-way fixed effects": {
        25: {"CR1": "5.5-5.9%", "CR2": "4.5-4.9%", "CR3": "4.8-4.9%"},
        10: {"CR1": "8.5-9.2%", "CR2": "4.8-5.2%", "CR3": "6.5-6.7%"},
        5: {"CR1": "14.1-14.4%", "CR2": "4.8-5.0%", "CR3": "8.2-8.6%"},
    },
    "group-time effects": {
        25: {"CR0": "6.7-6.8%", "CR2": "3.7%", "jackknife": "5.5-5.6%"},
        10: {"CR0": "10.2-10.8%", "CR2": "3.6%", "jackknife": "7.1-7.6%"},
        5: {"CR0": "17.4-18.7%", "CR2": "1.9%", "jackknife": "10.3-10.9%"},
    },
    "imputation": {
        25: {"CR0": "7.4-8.5%", "leave_one_out": "4.7-4.9%", "jackknife": "5.0-5.7%"},
        10: {"CR0": "16.5-16.7%", "leave_one_out": "5.2-5.5%", "jackknife": "6.7-7.1%"},
        5: {"CR0": "39.7-45.4%", "leave_one_out": "22.7-26.7%", "jackknife": "9.7-9.8%"},
    },
    "stacked effects": {
        25: {"CR1": "7.7%", "CR2": "5.1%", "CR3": "5.1%"},
        8: {"CR1": "22.1%", "CR2": "4.2%", "CR3": "7.6%"},
    },
    "synthetic difference in differences": {
        25: {"jackknife": "5.0-6.3%", "placebo": "4.5-28.8%"},
        10: {"jackknife": "6.0-8.3%", "placebo": "6.8-33.5%"},
        5: {"jackknife": "10.3-10.5%", "placebo": "3.5-31.8%"},
    },
    "local projections": {25: {"CR1": "7.9-8.0%"}, 10: {"CR1": "13.5-13.8%"}, 5: {"CR1": "22.0-23.1%"}},
    "switchers' effects": {
        25: {"cohort": "6.2-6.5%"},
        10: {"cohort": "9.4-10.1%"},
        5: {"cohort": "13.9-14.2%"},
    },
    "two-stage": {25: {"CR0": "6.1-6.8%"}, 10: {"CR0": "10.0-10.7%"}, 5: {"CR0": "15.4-16.5%"}},
}
"""How often a nominal 5% test of no effect rejected when there was none, by estimator, treated units and
covariance, on panels of 150 units and 8 periods with AR(1) errors (rho 0.5), simulated for this project.
Where two figures stand, the lower and upper are with equal errors and with treated units twice as noisy.
Panels per figure: 4,000; 1,000 for leave-one-out and jackknife of imputation, CR2 of group-time effects,
local projections and switchers' effects; 1,000 to 2,000 for stacked effects (in four cohorts); 400 for
synthetic difference in differences."""

MEASURED_FOR = {
    "group_time": "group-time effects",
    "imputation": "imputation",
    "did_m": "switchers' effects",
    "local_projection": "local projections",
    "stacked": "stacked effects",
    "synthetic_did": "synthetic difference in differences",
    "two_stage": "two-stage",
}
"""Rates of which estimator are told; those of two-way fixed effects for all others."""

NARROW = {
    "CR0": 25, "CR1": 25, "HC1": 25, "iid": 25, "cohort": 25, "leave_one_out": 7, "jackknife": 7, "CR3": 7,
}  # fmt: skip
"""The number of treated clusters up to which intervals of each kind are too narrow: the nearest measured
case rejected a true null clearly more often than 5% of the time."""

BETTER = ("CR2", "jackknife", "CR3")
"""What to use instead, the first that an estimator offers."""

OFFERED = ("CR1", *BETTER)
"""Covariances of a regression, of which a design is told before anything is estimated."""

SOURCE = (
    "on balanced made-up panels of 150 units and 8 periods, hundreds to thousands of panels per figure; not "
    "measured for event times or averages over them"
)


@dataclass(frozen=True)
class DesignCheck:
    """What `Design.check` found, in words.

    Attributes
    ----------
    items : tuple of (str, str)
        Level and text. Levels are ``"info"`` (a fact of the sample), ``"advice"`` (think about it) and
        ``"warning"`` (a number will mislead unless something is done).

    Examples
    --------
    >>> DesignCheck(items=(("info", "20 units"),))
    Design check
      info     20 units
    """

    items: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        return "\n".join(["Design check", *(f"  {level:<8} {text}" for level, text in self.items)])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        rows = "".join(f"<tr><td>{level}</td><td>{html.escape(text)}</td></tr>" for level, text in self.items)
        return f"<table><caption>Design check</caption><tbody>{rows}</tbody></table>"


def number(value: float) -> str:
    """Write a number with three figures, thousands with commas and a plain minus.

    Examples
    --------
    >>> number(-0.0365489), number(12345.6), number(0.0)
    ('-0.0365', '12,346', '0')
    """
    if not np.isfinite(value):
        return "not available"
    return (
        f"{value:,.0f}" if abs(value) >= 1000 else np.format_float_positional(float(f"{value:.3g}"), trim="-")
    )


def plural(count: int, word: str) -> str:
    """Write a count with its noun.

    Examples
    --------
    >>> plural(1, "row"), plural(2, "council")
    ('1 row', '2 councils')
    """
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def unit_word(design: Design) -> str:
    """Return what a unit is called."""
    return "council" if design.unit == "ons_code" else "unit"


def period_words(design: Design) -> str:
    """Return the periods, as a range where there is no gap."""
    p = design.periods
    whole = p[-1] - p[0] + 1 == len(p)
    return f"{p[0]}-{p[-1]}" if whole and len(p) > 1 else ", ".join(str(t) for t in p)


def sample_words(design: Design) -> str:
    """Return units and periods in one line."""
    later = len(design.units) - design.n_treated - design.n_never
    more = f", {later} adopt after {design.periods[-1]}" if later else ""
    who = (
        f"{plural(len(design.units), unit_word(design))} ({design.n_treated} treated, "
        f"{design.n_never} never treated{more})"
    )
    made_up = "SIMULATED: " if design.simulated else ""
    return f"{made_up}{who}, {plural(len(design.periods), 'period')} {period_words(design)}"


def unit_text(design: Design) -> str:
    """Return the unit of the outcome, empty where none is given."""
    text = str(design.outcome_unit or "").strip()
    return "" if text.lower() in ("none", "nan", "<na>") else text


def rests_on_one(design: Design, n_units: object = None) -> bool:
    """Return whether a number rests on one treated unit, or on one treated cluster."""
    return design.n_treated_clusters == 1 or str(n_units) == "1"


TOO_NARROW = "the interval is too narrow"
"""Words of a reason that say so of one term: each cohort behind it has one treated unit."""


def cannot_be_read(design: Design, rows: pd.DataFrame) -> NDArray[np.bool_]:
    """Return the tidy rows whose interval cannot be read: the own variation of a lone unit is not in it."""
    alone = [rests_on_one(design, n) for n in rows["n_units"]]
    narrow = rows["reason"].str.contains(TOO_NARROW, regex=False)
    return np.asarray(np.array(alone, dtype=bool) | narrow.to_numpy(dtype=bool))


def lone_words(design: Design) -> str:
    """Return what it is that there is only one of: ``one treated council``."""
    own = design.n_treated_clusters > 1 or design.cluster == design.unit or design.n_treated == 1
    return f"one treated {unit_word(design)}" if own else f"one treated cluster ({design.cluster})"


def few_treated(
    design: Design, kind: str | None = None, *, estimator: str = "twfe", offered: Sequence[str] = OFFERED
) -> str:
    """Return the measured error rates for this number of treated clusters, or an empty string."""
    n = design.n_treated_clusters
    if n > FEW_TREATED:
        return ""
    if n <= 1:
        one = lone_words(design).removeprefix("one treated ")
        return (
            f"only 1 treated {one}: no interval can be trusted, because its own variation cannot be estimated"
        )
    which = MEASURED_FOR.get(estimator, "static two-way fixed effects")
    rates = MEASURED[which]
    least, near = min(rates), min(rates, key=lambda size: (abs(np.log(size / n)), size))
    unmeasured = (
        f"error rates were measured for {least} or more treated only, and fewer is worse; "
        if n < least
        else ""
    )
    told = {name: rate for name, rate in rates[near].items() if name in (*offered, kind)} or rates[near]
    said = ", ".join(f"{rate} of the time with {_kind_words(name)}" for name, rate in told.items())
    text = (
        f"only {plural(n, 'treated cluster')}: {unmeasured}with {near} treated, a 5% test of a true null "
        f"rejected {said} (overall effect of {which}, {SOURCE})"
    )
    better = next((name for name in BETTER if name in offered and name != kind), None)
    if too_narrow(design, kind):
        return f"{text}. The interval shown ({kind}) is too narrow" + (
            f"; use covariance={better!r}" if better else ""
        )
    return text


def too_narrow(design: Design, kind: str | None) -> bool:
    """Return whether intervals of this kind are too narrow with so few treated clusters."""
    return design.n_treated_clusters <= NARROW.get(kind or "", 0)


def kind_label(kind: str) -> str:
    """Return what a kind of covariance is called on figures and in one line."""
    return {"cohort": "within-cohort errors", "regression": "pooled-regression errors"}.get(kind, kind)


def _kind_words(kind: str) -> str:
    return "CR2 and Satterthwaite degrees of freedom" if kind == "CR2" else kind_label(kind)


def dropped_words(design: Design) -> str:
    """Return how many rows were dropped, by reason."""
    gone = design.dropped
    if gone.empty:
        return "none"
    counts = gone["reason"].value_counts().sort_index()
    return "; ".join(f"{plural(int(count), 'row')}: {reason}" for reason, count in counts.items())


def design_items(design: Design) -> list[tuple[str, str]]:
    """Return the findings of `Design.check`."""
    word, sizes = unit_word(design), design.cohort_sizes
    head = (
        f"{plural(design.n_obs, 'row')}: {plural(len(design.units), word)}, "
        f"{plural(len(design.periods), 'period')} {period_words(design)}; "
        f"{'balanced' if design.balanced else 'not balanced'}."
    )
    cohorts = ", ".join(f"{c}: {n}" for c, n in sizes.items())
    items = [
        ("info", head),
        (
            "info",
            (
                f"{plural(design.n_treated, f'treated {word}')} (by cohort {cohorts}); "
                f"{design.n_never} never treated."
            ),
        ),
    ]
    if design.anticipation:
        items.append(
            ("info", f"Anticipation: treated from {plural(design.anticipation, 'period')} before the cohort.")
        )
    items += _sample_items(design)
    return items + _comparison_items(design)


def _sample_items(design: Design) -> list[tuple[str, str]]:
    items: list[tuple[str, str]] = []
    p = design.periods
    gaps = [t for t in range(p[0], p[-1]) if t not in p]
    if gaps:
        items.append(
            (
                "advice",
                (
                    f"No data for {list_some(gaps)}: event time counts calendar periods, so some "
                    "event times are never observed for some cohorts; see the reference in the "
                    "summary."
                ),
            )
        )
    return items + _dropped_items(design) + _presence_items(design)


def _dropped_items(design: Design) -> list[tuple[str, str]]:
    """Tell periods that nobody has figures for from rows that single units lack."""
    items: list[tuple[str, str]] = []
    names = dict(zip(design.units, design.unit_names, strict=True))
    for reason, rows in design.dropped.groupby("reason", sort=True):
        nobody = ~rows["time"].isin(design.periods)
        if nobody.any():
            empty = list_some(sorted(rows.loc[nobody, "time"].unique()))
            count = plural(int(nobody.sum()), "row")
            items.append(("info", f"{count} dropped ({reason}) in periods without any figures: {empty}."))
        single = rows[~nobody]
        where = (
            f"{names.get(unit, unit)} {time}"
            for unit, time in zip(single["unit"], single["time"], strict=True)
        )
        if len(single):
            items.append(("warning", f"{plural(len(single), 'row')} dropped ({reason}): {list_some(where)}."))
    return items


def _presence_items(design: Design) -> list[tuple[str, str]]:
    items: list[tuple[str, str]] = []
    p = design.periods
    seen = np.zeros((len(design.units), len(p)), dtype=bool)
    seen[design.unit_codes, design.time_codes] = True
    edge, holes, once = [], [], []
    for i in np.flatnonzero(~seen.all(axis=1)):
        at = np.flatnonzero(seen[i])
        name = design.unit_names[i]
        if at.size == 1:
            once.append(name)
        elif at.size == at[-1] - at[0] + 1:
            edge.append(f"{name} {p[at[0]]}-{p[at[-1]]}")
        else:
            holes.append(f"{name} (no {list_some(p[t] for t in range(at[0], at[-1]) if not seen[i, t])})")
    if edge:
        items.append(
            (
                "advice",
                f"{len(edge)} enter late or leave early (a merger or new boundaries?): {list_some(edge)}.",
            )
        )
    if holes:
        items.append(("advice", f"{len(holes)} lack periods in between: {list_some(holes)}."))
    if once:
        items.append(
            ("advice", f"{len(once)} observed once, which with unit effects adds nothing: {list_some(once)}.")
        )
    return items


def _comparison_items(design: Design) -> list[tuple[str, str]]:
    items: list[tuple[str, str]] = []
    names = np.array(design.unit_names, dtype=object)
    later = names[~np.isnan(design.unit_cohorts) & ~design.in_window]
    if later.size:
        items.append(
            (
                "info",
                (
                    f"{len(later)} adopt after {design.periods[-1]} and act as controls not yet "
                    f"treated (event time negative): {list_some(later)}."
                ),
            )
        )
    if design.n_never == 0:
        items.append(
            (
                "warning",
                (
                    "No unit is never treated: all comparisons are with units not yet treated, and "
                    "an event study needs two reference periods."
                ),
            )
        )
    if few := few_treated(design):
        items.append(("warning", f"{few[0].upper()}{few[1:]}."))
    if design.n_clusters <= FEW_TREATED:
        items.append(
            (
                "warning",
                f"Only {design.n_clusters} clusters ({design.cluster}): clustered errors are unreliable.",
            )
        )
    return items + _cohort_items(design, names)


def _cohort_items(design: Design, names: NDArray[np.object_]) -> list[tuple[str, str]]:
    items: list[tuple[str, str]] = []
    for cohort, size in design.cohort_sizes.items():
        mine = design.unit_cohorts == cohort
        rows = design.cohorts == cohort
        if size < SMALL_COHORT:
            items.append(
                (
                    "advice",
                    f"Cohort {cohort} has {plural(size, unit_word(design))}: {list_some(names[mine])}.",
                )
            )
        if not (rows & ~design.treated).any():
            items.append(
                ("warning", f"Cohort {cohort} is not observed before adoption: it cannot show a change.")
            )
        if not (rows & design.treated).any():
            items.append(("warning", f"Cohort {cohort} is not observed after adoption."))
    return items
