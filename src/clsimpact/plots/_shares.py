"""What happened next to requests for support, of 100 requests: before and after adoption, and beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
import pandas as pd

from clsimpact.errors import PanelError

__all__ = ["ADOPTERS", "COMPARISON", "COUNTS", "NEXT", "front_door_shares"]

Columns = pd.DataFrame

NEXT: Final[Mapping[str, Callable[[Columns], pd.Series]]] = {
    "Universal services or signposted": lambda t: t["signposted_count"],
    "No services provided, or died": lambda t: t["no_service_count"],
    "Low level, other short term or end of life support": lambda t: (
        t["funded_broad_count"] - t["funded_mid_count"]
    ),
    "Short term support to maximise independence": lambda t: t["funded_mid_count"] - t["funded_narrow_count"],
    "Long term support": lambda t: t["funded_narrow_count"],
    "NHS funded care": lambda t: t["funded_author_count"] - t["funded_broad_count"],
}
"""Groups that cover every sequel once, each an exact difference of nested groups of the panel."""

COUNTS: Final = (
    "requests",
    "signposted_count",
    "no_service_count",
    "funded_narrow_count",
    "funded_mid_count",
    "funded_broad_count",
    "funded_author_count",
)
ADOPTERS, COMPARISON = "Adopters", "Comparison councils"


def front_door_shares(tagged: pd.DataFrame) -> pd.DataFrame:
    """Return the shares of 100 requests by group and period: means of councils.

    An adopter counts once, with the mean of its years before and the mean of its years from adoption on; the
    comparison is, for each adopter, the mean over the same years of the mean of all comparison councils. So
    neither side changes its make-up between before and after. Adopters without figures on both sides are
    left out. If there are only such, the period is ``all years``.

    Returns
    -------
    pandas.DataFrame
        ``group, period, next, per_100, adopters, comparisons, first_year, last_year``: adopters drawn, the
        most comparison councils in a year, and the years that entered.
    """
    rows = _complete(tagged)
    names = list(NEXT)
    control = rows[rows["adoption_year"].isna()]
    yearly = control.groupby("year")[names].mean()
    own = rows[rows["adoption_year"].notna() & rows["year"].isin(yearly.index)]
    if own.empty:
        raise PanelError(
            "The front door cannot be drawn.",
            ["no adopter and comparison council have all figures of what happened next in one year"],
            repair="clsimpact.describe() says which years each outcome has; see funded_author_count.",
        )
    own = own.assign(period=np.where(own["year"] < own["adoption_year"].astype("float64"), "before", "after"))
    both = own.groupby("ons_code")["period"].transform("nunique").eq(2)
    own = own[both] if both.any() else own.assign(period="all years")
    beside = yearly.reindex(own["year"]).set_axis(own.index, axis=0)
    most = int(control[control["year"].isin(own["year"])].groupby("year").size().max())
    parts = [
        _means(own, table, group, most) for group, table in ((ADOPTERS, own[names]), (COMPARISON, beside))
    ]
    return pd.concat(parts, ignore_index=True)


def _complete(tagged: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that have every share; what is missing or contradicts itself is not drawn."""
    shares = pd.DataFrame({name: 100 * make(tagged) / tagged["requests"] for name, make in NEXT.items()})
    good = shares.notna().all(axis=1) & shares.ge(0).all(axis=1) & shares.le(100).all(axis=1)
    return pd.concat([tagged[["ons_code", "year", "adoption_year"]], shares], axis=1)[good].reset_index(
        drop=True
    )


def _means(own: pd.DataFrame, shares: pd.DataFrame, group: str, most: int) -> pd.DataFrame:
    """Return the mean over adopters of the means of their years, by period."""
    of_unit = shares.groupby([own["period"], own["ons_code"]]).mean()
    means = of_unit.groupby(level="period", sort=False).mean()
    order = [name for name in ("before", "after", "all years") if name in means.index]
    rows = [(group, when, name, float(means[name].loc[when])) for when in order for name in NEXT]
    return pd.DataFrame(rows, columns=["group", "period", "next", "per_100"]).assign(
        adopters=int(own["ons_code"].nunique()),
        comparisons=most,
        first_year=int(own["year"].min()),
        last_year=int(own["year"].max()),
    )
