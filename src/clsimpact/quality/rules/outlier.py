"""Figures far from those of the other councils of the region in the same year."""

from __future__ import annotations

from typing import Final

import pandas as pd

from clsimpact.quality._findings import Found, Rule, as_findings, each
from clsimpact.quality._material import Material
from clsimpact.quality._series import LABELS, shown
from clsimpact.quality.rules._robust import LOOK, WARN, centred, severity, spread, usable

__all__ = ["FALSE_ALARMS", "RULE", "distances"]

FALSE_ALARMS: Final = 0.0011
"""Share of figures flagged where every region's councils are drawn from one normal distribution, in
regions of the real sizes: measured over 2,000 drawn years. The middle and the spread are
estimated from the same few councils, so it is more than the 0.0005 of a known normal distribution."""


def distances(table: pd.DataFrame) -> pd.Series[float]:
    """Return how far each figure is from the middle of its region and year, in standard deviations.

    Parameters
    ----------
    table
        ``series, year, region, x``.

    Returns
    -------
    pandas.Series
        In the order of the table; missing where too few councils say what is usual.
    """
    keys = ["series", "year"]
    table = table.assign(away=centred(table, "x", keys))
    pooled, own = spread(table, "away", keys), spread(table, "away", [*keys, "region"])
    return table["away"] / pooled.where(~(own > pooled), own)


def _find(material: Material) -> Found:
    table = usable(material.series)
    table = table.assign(z=distances(table))
    table["middle"] = table.groupby(["series", "year", "region"])["value"].transform("median")
    far = table[table["z"].abs() >= LOOK]
    words = [
        f"{LABELS[row.series]}: {shown(row.series, row.value)}, against {shown(row.series, row.middle)} "
        f"for the middle council of {row.region} that year; {abs(row.z):.1f} standard deviations "
        f"{'above' if row.z > 0 else 'below'}."
        for row in each(far)
    ]
    columns = {"code": "ons_code", "series": "measure", "middle": "reference"}
    rows = far.rename(columns=columns).assign(severity=severity(far["z"].abs()), words=words)
    return Found(as_findings(rows), int(table["z"].notna().sum()))


RULE: Final = Rule(
    name="outlier",
    title="Far from its region",
    looks_at="Requests, clients, carers and spending per head (on a log scale), and shares (on a logit "
    "scale): each council less the middle council of its region and year, over the usual distance of "
    "councils from theirs. That distance is the region's own or that of all regions, whichever is larger: "
    "councils that happen to lie close together make no outlier of an ordinary one. Figures that rounding "
    "can move by more than a twentieth are left out.",
    threshold=f"{LOOK} standard deviations (look), {WARN:g} (warn), from the median absolute deviation.",
    false_alarms=f"About {FALSE_ALARMS:.1%} of figures if the councils of each region are normally "
    "distributed on that scale. Councils are not: expect real figures here, of places such as the City of "
    "London.",
    cannot_see="A council that is wrong in every year by no more than others differ; a figure that is "
    "wrong but ordinary.",
    source="Iglewicz and Hoaglin (1993), How to Detect and Handle Outliers: 3.5 for the modified z-score.",
    unit="figures",
    find=_find,
)
"""Figures far from their region's."""
