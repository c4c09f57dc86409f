"""The words of a design: the facts that `Design.check` begins with, and phrases that summaries share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from clsimpact._display import attribution_of, card, folded, grid, pairs, paragraphs
from clsimpact._estimator_names import in_sentence
from clsimpact._sizes import MEASURED_UNITS, nearest, rates
from clsimpact.errors import list_some

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from clsimpact.design import Design

__all__ = [
    "TOO_NARROW",
    "cannot_be_read",
    "design_html",
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

NARROW = {
    "CR0": 25, "CR1": 25, "HC1": 25, "iid": 25, "cohort": 25, "leave_one_out": 7, "jackknife": 7, "CR3": 7,
}  # fmt: skip
"""The number of treated clusters up to which intervals of each kind are too narrow: the nearest measured
case rejected a true null clearly more often than 5% of the time."""

OFFERED = ("CR1", "CR2", "permutation")
"""Methods of a regression, of which a design is told before anything is estimated."""

SOURCE = "on made-up panels of 150 units and 7 or 8 periods with several kinds of error, docs/size.md"


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
    """Return what it is that there is only one of: ``one treated council``, or a cluster of several."""
    own = design.cluster == design.unit or design.n_treated == 1
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
    found = nearest(estimator, n, design.n_clusters)
    known = {name: rate for name, rate in found.items() if name in (*offered, kind, "permutation")}
    told = {name: rate for name, rate in known.items() if rate.units == MEASURED_UNITS}
    text = f"only {plural(n, 'treated cluster')}"
    if told:
        near = next(iter(told.values())).treated
        least = "; fewer was not measured, and is worse" if n < min(rates(estimator)) else ""
        said = ", ".join(f"{rate} of the time with {_kind_words(name)}" for name, rate in told.items())
        text += (
            f": with {near} treated, a nominal 5% test of a true null rejected {said} (overall effect by "
            f"{in_sentence(estimator)}, {SOURCE}{least})"
        )
    text += "".join(
        f"; {rate} with {_kind_words(name)} on such panels of {rate.units} units with {rate.treated} treated"
        for name, rate in known.items()
        if name not in told
    )
    if too_narrow(design, kind):
        return f"{text}. The interval shown ({kind}) is too narrow; use inference='auto'"
    return text


def too_narrow(design: Design, kind: str | None) -> bool:
    """Return whether intervals of this kind are too narrow with so few treated clusters."""
    return design.n_treated_clusters <= NARROW.get(kind or "", 0)


def kind_label(kind: str) -> str:
    """Return what a kind of covariance is called on figures and in one line."""
    names = {"cohort": "within-cohort errors", "regression": "pooled-regression errors"}
    names |= {"path": "errors around one path", "permutation": "permutation", "wild": "wild bootstrap"}
    names |= {"multiplier": "multiplier bootstrap", "wild_unrestricted": "wild bootstrap, null not imposed"}
    names |= {"conley_taber": "Conley-Taber", "ferman_pinto": "Ferman-Pinto"}
    names |= {"coefficient": "permutation of the coefficient"}
    return names.get(kind, kind)


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
    """Return the facts that `Design.check` begins with."""
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


def design_html(design: Design) -> str:
    """Return a design as HTML: its sample and what to mind, the columns behind it folded."""
    roles = design.provenance["roles"]
    shown = [(key.replace("_", " "), _role(value)) for key, value in roles.items()]
    return card(
        grid(
            f"Design of {design.outcome_label}: {sample_words(design)}", [], design_items(design), align="ll"
        ),
        folded("Columns and options", pairs([*shown, ("unit of the outcome", unit_text(design))])),
        folded("Attribution", paragraphs([attribution_of(design.provenance["data"])])),
        simulated=design.simulated,
        source=design.source,
    )


def _role(value: object) -> str:
    return (
        ", ".join(map(str, value)) if isinstance(value, tuple | list) else "" if value is None else str(value)
    )


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
