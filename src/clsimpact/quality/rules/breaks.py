"""Lasting shifts: requests per head to another level, and planned against unplanned reviews."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clsimpact.quality._findings import Found, Rule, as_findings, each
from clsimpact.quality._material import Material
from clsimpact.quality._series import LABELS
from clsimpact.quality.rules._robust import GAUSS, LOOK, ROUNDED, centred, usable
from clsimpact.quality.rules.jump import changes
from clsimpact.years import year_label

__all__ = ["ALLOCATION", "FALSE_ALARMS", "LEVEL", "find_split"]

SHIFT: Final = 0.4
"""On the log scale, about half as much again or a third less: demand does not do that in one region."""
STEADY: Final = 3.0
"""The shift is at least this many times the council's largest distance from its level before and after it."""
YEARS: Final = 3
"""Years: with fewer there is a change but no level."""
FALSE_ALARMS: Final = 0.0014
"""Share of councils flagged, over 20,000 drawn histories of three and of ten years."""
POINTS: Final = 0.15
"""Share of people reviewed: half as much again as the ten points that the study claims for any share."""


def _find_level(material: Material) -> Found:
    table = usable(material.series)
    table = table[table["series"].isin(["requests_18_64", "requests_65_plus"])].reset_index(drop=True)
    table["away"] = centred(table, "x", ["series", "year"])
    steps = table.sort_values("year").groupby(["series", "line"])["away"].diff().abs()
    noise = (GAUSS / np.sqrt(2) * steps.groupby(table["series"]).median()).to_dict()
    lines = [rows for _, rows in table.sort_values("year").groupby(["series", "line"]) if len(rows) >= YEARS]
    found = [_break(rows.reset_index(drop=True), noise[rows["series"].iloc[0]]) for rows in lines]
    return Found(as_findings([finding for finding in found if finding]), len(lines))


def find_split(away: NDArray[np.float64], noise: float) -> tuple[int, float]:
    """Return where two steady levels lie furthest apart, and their difference; ``(0, 0.0)`` without a break.

    Parameters
    ----------
    away
        A council's distance from its region, year by year.
    noise
        The usual variation of councils round their level, as a standard deviation.

    Returns
    -------
    tuple
        Number of years before the break, and the level after it less the level before.
    """
    place, best = 0, 0.0
    for split in range(1, len(away)):
        before, after = away[:split], away[split:]
        low, high = float(np.median(before)), float(np.median(after))
        rest = max(np.abs(before - low).max(), np.abs(after - high).max())
        error = noise * np.sqrt(1 / len(before) + 1 / len(after))
        if abs(high - low) >= max(SHIFT, STEADY * rest, LOOK * error, abs(best)):
            place, best = split, high - low
    return place, best


def _break(rows: pd.DataFrame, noise: float) -> dict[str, object] | None:
    """Return the finding for one council and age band, if its level broke."""
    away = rows["away"].to_numpy("float64")
    place, best = find_split(away, noise)
    if not place:
        return None
    at = rows.iloc[place]
    ratio = float(np.exp(best))
    known = (
        "a level that stays" if len(away) - place > 1 else "in the last year: whether it stays is not known"
    )
    before = " to ".join(dict.fromkeys(year_label(rows["year"].iloc[it]) for it in (0, place - 1)))
    words = (
        f"{LABELS[at['series']]}: {ratio:.2f} times the level of {before} beside the region, "
        f"from {year_label(at['year'])} on ({known})."
    )
    facts = {name: at[name] for name in ("year", "return_", "source_id", "table", "cell", "value")}
    level = float(rows["value"].iloc[:place].median())
    names = {"ons_code": at["code"], "measure": at["series"], "reference": level}
    return {**facts, **names, "severity": "warn" if abs(best) >= 2 * SHIFT else "look", "words": words}


def _find_allocation(material: Material) -> Found:
    table = material.series
    table = table[(table["series"] == "planned_share") & (table["share"] <= ROUNDED)].reset_index(drop=True)
    table["x"] = table["value"]
    table = changes(table)
    far = table[table["away"].abs() >= POINTS]
    words = [
        f"{LABELS[row.series]}: {row.before:.0%} in {year_label(row.since)}, {row.value:.0%} in "
        f"{year_label(row.year)}; {100 * row.away:+.0f} percentage points beside the change of {row.region}. "
        "Planned and unplanned may be recorded in another way."
        for row in each(far)
    ]
    severity = far["away"].abs().ge(2 * POINTS).map({True: "warn", False: "look"})
    columns = {"code": "ons_code", "series": "measure", "before": "reference"}
    rows = far.rename(columns=columns).assign(severity=severity, words=words)
    return Found(as_findings(rows), len(table))


LEVEL: Final = Rule(
    name="requests_level",
    title="Level break in requests per head",
    looks_at="Requests per head of each age band on a log scale, less the middle council of the region: "
    "the one split of the council's years that leaves two steady levels furthest apart.",
    threshold=f"A shift of {SHIFT} on the log scale (half as much again, or a third less), {STEADY:g} "
    f"times the largest distance of any year from its level, and {LOOK} standard errors by the usual "
    f"variation of councils; twice the first is a warning. At least {YEARS} years.",
    false_alarms=f"At most {FALSE_ALARMS:.1%} of councils if they vary normally round one level, by 10% to "
    "30% a year and all alike. Councils that wander are flagged more often.",
    cannot_see="A second break of the same council; a slow change; a break before the first or after the "
    "last year held. With one year on one side of it, a level cannot be told from one odd year.",
    source="Publication notes: requests are counted when the sequel is known, and what counts as one "
    "depends on how a council records contacts.",
    unit="councils by age band",
    find=_find_level,
)
"""Level breaks of requests per head."""

ALLOCATION: Final = Rule(
    name="allocation",
    title="Planned or unplanned: break in allocation",
    looks_at="The share of people reviewed who had a planned review: its change since the council's last "
    "figure, less the middle change of the region.",
    threshold=f"{100 * POINTS:.0f} percentage points (look), {200 * POINTS:.0f} (warn): more than the ten "
    "points that the study claims for a share.",
    false_alarms="",
    cannot_see="A council that always recorded reviews in its own way; whether reviews or their recording "
    "changed.",
    source="Publication notes: the publisher warns that planned and unplanned are poorly recorded.",
    unit="changes of the share of planned reviews",
    find=_find_allocation,
)
"""Breaks between planned and unplanned reviews."""
