"""Figures of one council in the 2021-22 workbook against each other, within and across its tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import pandas as pd

from clsimpact._parts import WORKBOOK
from clsimpact.loaders._comparison import Comparison
from clsimpact.loaders.returns import as_text

__all__ = ["council_rows"]

_HALF: Final = 2.5
"""Counts are rounded to the nearest 5."""
_SMALL: Final = 4
"""A suppressed count is at most 4."""
_YEAR: Final = 2021


def council_rows(returns: pd.DataFrame) -> Iterator[Comparison]:
    """Compare requests by sequel with their total and with T2, and clients reviewed with their parts.

    Parameters
    ----------
    returns
        The returns table.

    Yields
    ------
    Comparison
        Three kinds of check; each fits when rounding and suppressed counts explain the gap.
    """
    rows = returns[(returns["source_id"] == WORKBOOK) & (returns["level"] == "council")]
    rows = as_text(rows[(rows["year"] == _YEAR) & rows["table"].isin(["T2", "T10", "T11", "T50"])])
    keys = ["ons_code", "age_band"]
    sequels = rows[rows["table"].isin(["T10", "T11"])]
    whole = sequels["sequel"] == "Total"
    total = sequels[whole].set_index(keys)["value"]
    parts = sequels[~whole].assign(few=sequels["status"].eq("suppressed"), shown=sequels["value"].notna())
    summed = parts.groupby(keys)[["value", "few", "shown"]].sum()
    summed = summed.reindex(total.index)
    yield _compare("requests by sequel against their total (T10, T11)", total, summed)
    t2 = rows[(rows["table"] == "T2") & (rows["measure"] == "requests")].set_index(keys)[["value"]]
    t2 = t2.reindex(total.index).assign(few=0, shown=0)
    yield _compare("requests in T10 and T11 against T2", total, t2)
    t50 = rows[rows["table"] == "T50"]
    wide = t50.pivot_table(index=keys, columns="measure", values="value", aggfunc="first")
    value = wide["clients_planned_reviews"] + wide["clients_unplanned_reviews"] - wide["clients_both_reviews"]
    reviews = pd.DataFrame({"value": value, "few": 0, "shown": 3})
    yield _compare("clients reviewed against planned and unplanned (T50)", wide["clients_reviewed"], reviews)


def _compare(name: str, total: pd.Series[float], parts: pd.DataFrame) -> Comparison:
    gap = (total - parts["value"]).to_numpy("float64")
    few, shown = (parts[column].to_numpy("float64") for column in ("few", "shown"))
    known = ~np.isnan(gap)
    slack = _HALF * (shown + 1)
    fits = (gap >= -slack) & (gap <= slack + _SMALL * few)
    bad = np.flatnonzero(known & ~fits)
    note = "rounding to 5 and counts below 5"
    if len(bad):
        place = ", ".join(str(part) for part in total.index[bad[0]])
        note = f"first: {place}: {total.iloc[bad[0]]:,.0f} against {parts['value'].iloc[bad[0]]:,.0f}"
    return Comparison(name, int(known.sum()), int((known & fits).sum()), 0, len(bad), note)
