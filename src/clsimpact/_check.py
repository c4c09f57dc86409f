"""The words of a design: what `Design.check` says, and the phrases that summaries share with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from clsimpact.errors import list_some

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from clsimpact.design import Design

__all__ = [
    "design_items",
    "dropped_words",
    "few_treated",
    "lone_words",
    "number",
    "period_words",
    "plural",
    "rests_on_one",
    "sample_words",
    "unit_text",
    "unit_word",
]

FEW_TREATED = 25
"""At this many treated clusters or fewer the size of a test is shown next to it."""

SMALL_COHORT = 5
"""Cohorts below this size are named: their effect rests on very few units."""

MEASURED = {
    25: {"CR1": "5.5-5.9%", "CR2": "4.5-4.9%", "CR3": "4.8-4.9%"},
    10: {"CR1": "8.5-9.2%", "CR2": "4.8-5.2%", "CR3": "6.5-6.7%"},
    5: {"CR1": "14.1-14.4%", "CR2": "4.8-5.0%", "CR3": "8.2-8.6%"},
}
"""How often a nominal 5% test of no effect rejected when there was none: static two-way fixed effects, 4,000
panels per figure of 150 units and 8 periods with AR(1) errors (rho 0.5), simulated for this project.
The lower and upper figure are with equal errors and with treated units twice as noisy."""

SOURCE = (
    "measured for the static effect on balanced made-up panels of 150 units and 8 periods, 4,000 panels per "
    "figure; not measured for event times or averages over them"
)


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


def lone_words(design: Design) -> str:
    """Return what it is that there is only one of: ``one treated council``."""
    own = design.n_treated_clusters > 1 or design.cluster == design.unit or design.n_treated == 1
    return f"one treated {unit_word(design)}" if own else f"one treated cluster ({design.cluster})"


def few_treated(design: Design, kind: str | None = None) -> str:
    """Return the measured error rates for this number of treated clusters, or an empty string."""
    n, least = design.n_treated_clusters, min(MEASURED)
    if n > FEW_TREATED:
        return ""
    if n <= 1:
        one = lone_words(design).removeprefix("one treated ")
        return (
            f"only 1 treated {one}: no interval can be trusted, because its own variation cannot be estimated"
        )
    near = min(MEASURED, key=lambda size: (abs(np.log(size / n)), size))
    rates = MEASURED[near]
    unmeasured = (
        f"error rates were measured for {least} or more treated only, and fewer is worse; "
        if n < least
        else ""
    )
    text = (
        f"only {plural(n, 'treated cluster')}: {unmeasured}with {near} treated, a 5% test of a true "
        f"null rejected {rates['CR1']} of the time with CR1, {rates['CR3']} with CR3, "
        f"{rates['CR2']} with CR2 and Satterthwaite degrees of freedom ({SOURCE})"
    )
    if kind in ("CR0", "CR1", "HC1", "iid"):
        return f"{text}. The interval shown ({kind}) is too narrow; use covariance='CR2'"
    return text


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
    full = design.n_obs == len(design.units) * len(design.periods)
    head = (
        f"{plural(design.n_obs, 'row')}: {plural(len(design.units), word)}, "
        f"{plural(len(design.periods), 'period')} {period_words(design)}; "
        f"{'balanced' if full else 'not balanced'}."
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
