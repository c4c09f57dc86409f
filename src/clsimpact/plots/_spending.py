"""Gross current expenditure by type of care, per adult at constant prices, from the returns."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from clsimpact._content import find_figures
from clsimpact._input import is_made_up
from clsimpact._parts import PARTS, check_columns
from clsimpact._provenance import is_simulated
from clsimpact.errors import PanelError
from clsimpact.geography import constant_areas, council_codes
from clsimpact.years import spans

__all__ = ["TYPES", "spending_by_type"]

TYPES: Final = ("Long term support", "Short term support", "Other care and commissioning")
"""Long and short term as published by age; the rest is what the total has beyond these."""
_AGREE: Final = 1e-6
"""Relative: sums of one publication's figures in another order.

They leave 1e-15, and files with seven digits 1e-7; a revised figure differs by thousandths."""
_PENNIES: Final = 0.01
"""£000, where spending is zero or nearly: ten pounds are no other figure."""
_CARE: Final = {"Long term support": "long", "Short term support": "short"}


def spending_by_type(returns: pd.DataFrame, tagged: pd.DataFrame) -> tuple[pd.DataFrame, list[int]]:
    """Return spending of every area, year and type, and the years whose types are not held.

    Returns
    -------
    pandas.DataFrame
        ``ons_code, year, adoption_year`` and a column for each of `TYPES`: £ per adult at the prices of the
        panel. Only areas with every type in every year that is drawn.
    list of int
        Years in which the panel has the total and the returns have no types.

    Raises
    ------
    PanelError
        If the returns are not those of the panel, or hold no types of spending in any of its years.
    """
    check_columns(returns)
    if is_simulated(returns) != is_made_up(tagged):
        raise PanelError(
            "Official and made-up figures cannot be drawn together: one of returns and panel is simulated.",
            repair="Use the returns that the panel was built from.",
        )
    cash = _cash(returns, tagged)
    columns = ["ons_code", "year", "adoption_year", "gce", "gce_real", "population_18_plus"]
    rows = tagged[columns].merge(cash, on=["ons_code", "year"], how="left", suffixes=("", "_found"))
    _check_same(rows)
    price = (rows["gce_real"] / rows["gce"]).groupby(rows["year"]).transform("median")
    factor = 1e3 * price / rows["population_18_plus"]
    found = rows[["ons_code", "year", "adoption_year"]].copy()
    for name in TYPES:
        found[name] = rows[name] * factor
    complete = found[list(TYPES)].notna().all(axis=1)
    years = complete.groupby(found["year"]).mean()
    drawn = [int(year) for year in years.index[years.ge(0.5)]]
    if not drawn:
        raise PanelError(
            f"The returns have no spending by type in {spans(sorted(map(int, years.index)))}.",
            repair="Use load_returns(), or the folder that the panel was built from.",
        )
    held = rows.loc[rows["gce"].notna(), "year"].unique()
    kept = found[found["year"].isin(drawn) & complete]
    every = kept.groupby("ons_code")["year"].transform("size").eq(len(drawn))
    return kept[every].reset_index(drop=True), sorted({int(year) for year in held} - set(drawn))


def _cash(returns: pd.DataFrame, tagged: pd.DataFrame) -> pd.DataFrame:
    """Return £000 of every area of the panel; missing where a council of the area is."""
    questions = {part.name: (part.measure, part.words) for part in PARTS if part.name.startswith("gce")}
    years = sorted({int(year) for year in tagged["year"]})
    found = find_figures(returns, questions, years)
    areas = constant_areas(years[0], years[-1])
    codes = set(tagged["ons_code"].astype(str))
    home = {code: code if code in codes else area.code for code, area in areas.items()}
    councils = pd.DataFrame(
        [(year, code, home[code]) for year in years for code in council_codes(year)],
        columns=["year", "council", "area"],
    )
    wide = found.pivot_table(index=["ons_code", "year"], columns="part", values="value", aggfunc="first")
    wide = wide.reindex(columns=list(questions))
    parts = councils.merge(
        wide.reset_index(), left_on=["council", "year"], right_on=["ons_code", "year"], how="left"
    )
    of_area = parts.groupby(["area", "year"])[list(questions)]
    # A sum over the councils of an area is missing where one of them is.
    sums = of_area.sum().where(of_area.count().eq(of_area.size(), axis=0))
    result = sums.reset_index().rename(columns={"area": "ons_code"})
    for name, care in _CARE.items():
        result[name] = result[f"gce_{care}_18_64"] + result[f"gce_{care}_65_plus"]
    result[TYPES[2]] = result["gce"] - result[TYPES[0]] - result[TYPES[1]]
    return result[["ons_code", "year", "gce", *TYPES]]


def _check_same(rows: pd.DataFrame) -> None:
    """Raise if total spending of panel and returns differ."""
    both = rows[rows["gce"].notna() & rows["gce_found"].notna()]
    apart = ~np.isclose(both["gce"], both["gce_found"], rtol=_AGREE, atol=_PENNIES)
    if apart.any():
        first = both[apart].iloc[0]
        raise PanelError(
            "The returns are not those that the panel was built from.",
            [f"{first['ons_code']} in {first['year']}: {first['gce']:,.0f} and {first['gce_found']:,.0f}"],
            repair="Build the panel from these returns: build_panel(returns).",
        )
