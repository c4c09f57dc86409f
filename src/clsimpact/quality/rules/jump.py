"""Changes out of line with the council's own history and with its region in the same year."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from clsimpact.quality._findings import Found, Rule, as_findings, each
from clsimpact.quality._material import Material
from clsimpact.quality._series import LABELS, shown
from clsimpact.quality.rules._robust import GAUSS, LOOK, WARN, centred, severity, spread, usable
from clsimpact.years import year_label

__all__ = ["FALSE_ALARMS", "RULE", "changes", "sizes"]

OWN_HISTORY: Final = 3
"""Other changes of the council that say what is usual for it."""
FALSE_ALARMS: Final = 0.0013
"""Share of changes flagged where councils' changes are independent normal draws with one spread, nine a
council in regions of the real sizes: measured over 400 drawn histories."""


def changes(table: pd.DataFrame) -> pd.DataFrame:
    """Return the change of each figure since the council's last one, less the middle change of its region.

    Parameters
    ----------
    table
        Series, as :func:`clsimpact.quality._series.council_series` returns them.

    Returns
    -------
    pandas.DataFrame
        The rows with a figure before them, and ``before`` (its value), ``since`` (its year) and ``away``: the
        change on the series' scale less that of the region. Only changes over the same years are compared.
    """
    table = table.sort_values(["series", "line", "year"]).reset_index(drop=True)
    last = table.groupby(["series", "line"])[["x", "year", "value"]].shift()
    table = table.assign(change=table["x"] - last["x"], since=last["year"], before=last["value"])
    table = table[table["change"].notna()].reset_index(drop=True)
    table["since"] = table["since"].astype("int64")
    return table.assign(away=centred(table, "change", ["series", "year", "since"]))


def _own_size(table: pd.DataFrame) -> pd.Series[float]:
    """Return the usual size of each council's other changes; missing if it has few."""
    sizes = pd.Series(np.nan, index=table.index)
    for _, rows in table["u"].abs().dropna().groupby([table["series"], table["line"]]):
        if len(rows) > OWN_HISTORY:
            values = rows.to_numpy()
            others = [np.median(np.delete(values, place)) for place in range(len(values))]
            sizes.loc[rows.index] = GAUSS * np.array(others)
    return sizes


def sizes(table: pd.DataFrame) -> pd.DataFrame:
    """Return each change with its size beside what is usual for councils that year and for the council.

    Parameters
    ----------
    table
        As :func:`changes` returns it.

    Returns
    -------
    pandas.DataFrame
        The rows with ``z``, the size in usual changes, and ``own``: whether its own were the larger.
    """
    table = table.assign(u=table["away"] / spread(table, "away", ["series", "year", "since"]))
    own = _own_size(table)
    return table.assign(z=table["u"] / own.clip(lower=1.0).fillna(1.0), own=own > 1)


def _find(material: Material) -> Found:
    table = sizes(changes(usable(material.series)))
    far = table[table["z"].abs() >= LOOK]
    words = [
        f"{LABELS[row.series]}: from {shown(row.series, row.before)} in {year_label(row.since)} to "
        f"{shown(row.series, row.value)}; beside the change of {row.region} that is {abs(row.z):.1f} times "
        f"the usual change of {'this council' if row.own else 'councils'}."
        for row in each(far)
    ]
    columns = {"code": "ons_code", "series": "measure", "before": "reference"}
    rows = far.rename(columns=columns).assign(severity=severity(far["z"].abs()), words=words)
    return Found(as_findings(rows), int(table["z"].notna().sum()))


RULE: Final = Rule(
    name="jump",
    title="Jumps",
    looks_at="The change of each series since the council's last figure, less the middle change of its "
    "region over the same years, over the usual size of such changes: that of all councils that year, or "
    f"the council's own if it has {OWN_HISTORY} other changes and these are larger. Councils that only "
    "changed their code are followed; merged and split ones begin anew.",
    threshold=f"{LOOK} usual changes (look), {WARN:g} (warn), on a log or logit scale.",
    false_alarms=f"About {FALSE_ALARMS:.1%} of changes if they are normally distributed with one spread. "
    "Real changes have longer tails; a jump may be a real event, a new system or a new way of counting.",
    cannot_see="Slow drift; a jump that the whole region makes; the first year; whether a jump is real.",
    source="As for outliers. Contact-handling practice differs and changes between councils: publication "
    "notes on requests for support.",
    unit="changes",
    find=_find,
)
"""Changes out of line."""
