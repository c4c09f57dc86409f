"""Which published figures the parts of the panel are: one filter of the returns table per part."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

import numpy as np
import pandas as pd

from clsimpact._status import HAS_VALUE, STATUS_ORDER
from clsimpact.errors import PanelError
from clsimpact.geography import council_codes
from clsimpact.outcomes import SEQUELS
from clsimpact.years import year_label

__all__ = ["ASCOF_MEASURES", "FIRST_YEAR", "LAST_YEAR", "PART_NAMES", "WORKBOOK", "part_figures"]

FIRST_YEAR: Final = 2014
LAST_YEAR: Final = 2022
WORKBOOK: Final = "asc_fr_salt_2021_22"

ASCOF_MEASURES: Final = (
    "sequel_to_short_term_support",
    "care_home_admissions_18_64",
    "care_home_admissions_65_plus",
    "reablement_still_home_91_days",
    "offered_reablement",
    "self_directed_support",
    "direct_payments",
    "carers_self_directed_support",
    "carers_direct_payments",
    "learning_disability_employment",
    "learning_disability_settled_home",
)
"""The ASCOF measures that come from SALT: secondary outcomes of the panel."""


class _Filter(NamedTuple):
    part: str
    source: str
    measure: str
    where: Mapping[str, str | None]
    years: tuple[int, ...]
    total: bool = False


class _Figure(NamedTuple):
    ons_code: str
    value: float
    status: str
    part: str
    year: int
    source_id: str


_AGES: Final = {"18_64": "18 to 64", "65_plus": "65 and over"}
_T2_YEARS: Final = (2019, 2020, 2021)
_NEEDED: Final = ("level", "source_id", "measure", "year", "ons_code", "value", "status", "table", "cell")


def _filters() -> Iterator[_Filter]:
    """Yield one filter per part and source. ``None`` in a filter means: not broken down by that dimension."""
    yield from _money()
    for short, age in _AGES.items():
        yield from _by_age(short, age)
    for part in ("clients_planned_reviews", "clients_unplanned_reviews", "clients_reviewed"):
        yield _Filter(part, WORKBOOK, part, {"table": "T50"}, (2021,))
    for measure in ASCOF_MEASURES:
        where = {"statistic": "Outcome", "gender": "Total"}
        yield _Filter(measure, "ascof_joined_2017_24", measure, where, tuple(range(2017, LAST_YEAR + 1)))


def _money() -> Iterator[_Filter]:
    measure = "gross_current_expenditure"
    whole = {"care_type": "Total", "primary_support_reason": "Total", "detail": None}
    yield _Filter("gce", "pss_ex1_expenditure_2014_15", measure, whole, (2014,))
    yield _Filter("gce", "asc_fr_totals_2016_17", measure, {"data_type": "Mandatory"}, (2016,), total=True)
    yield _Filter("gce", "asc_fr_gce_2017_18", measure, {}, (2017,), total=True)
    printed = {"table": "T15", "care_type": "Total", "statistic": None}
    yield _Filter("gce", WORKBOOK, measure, printed, (2020, 2021))


def _by_age(short: str, age: str) -> Iterator[_Filter]:
    for mid_year in range(2015, 2023):
        # 2021-22 is divided by mid-2020 estimates, as the publisher does; 2014-15 by the earliest at hand.
        years = {2015: (2014, 2015), 2020: (2020, 2021), 2021: ()}.get(mid_year, (mid_year,))
        if years:
            source = f"population_mid_{mid_year}"
            yield _Filter(f"population_{short}", source, "population", {"age_band": age}, years)
    for part, measure in (("requests", "requests"), ("long_term", "long_term_clients")):
        where = {"table": "T2", "age_band": age}
        yield _Filter(f"{part}_{short}", WORKBOOK, measure, where, _T2_YEARS)
    table = {"18_64": "T10", "65_plus": "T11"}[short]
    for sequel, label in {**SEQUELS, "total": "Total"}.items():
        where = {"table": table, "sequel": label}
        yield _Filter(f"sequel_{sequel}_{short}", WORKBOOK, "requests", where, (2021,))


PART_NAMES: Final = tuple(sorted({item.part for item in _filters()}))
"""Every part, whether or not a returns table holds figures for it."""


def part_figures(returns: pd.DataFrame) -> pd.DataFrame:
    """Collect the council figures behind the panel.

    Parameters
    ----------
    returns
        The returns table.

    Returns
    -------
    pandas.DataFrame
        Columns ``ons_code, value, status, part, year, source_id``: one row for every part, year with a
        source, and council of that year. A council that the source does not list has the status
        ``not_listed``. Populations come with the codes of their source as well, since an estimate may be on
        the geography of a later year. Units are those of the published figures: people, requests, £000.

    Raises
    ------
    PanelError
        If a column is lacking, no row belongs to the panel, or a council has several figures for one part.
    """
    filters = tuple(_filters())
    rows = _needed_rows(returns, filters)
    groups = dict(iter(rows.groupby(["source_id", "measure"], sort=False)))
    found = [
        figure
        for item in filters
        if (item.source, item.measure) in groups
        for figure in _collect(groups[item.source, item.measure], item)
    ]
    return pd.DataFrame(found, columns=list(_Figure._fields))


def _needed_rows(returns: pd.DataFrame, filters: tuple[_Filter, ...]) -> pd.DataFrame:
    """Return the council rows that some filter may choose, with the columns that filters look at."""
    columns = list(dict.fromkeys([*_NEEDED, *(column for item in filters for column in item.where)]))
    lacking = [f"no column {name!r}" for name in columns if name not in returns]
    if lacking:
        raise PanelError("This is no returns table.", lacking, repair="Use clsimpact.load_returns().")
    keep = returns["level"].eq("council") & returns["ons_code"].notna()
    keep &= returns["measure"].isin({item.measure for item in filters})
    keep &= returns["source_id"].isin({item.source for item in filters})
    rows = returns.loc[keep.fillna(False).astype(bool), columns]
    rows = rows.astype({name: "object" for name in columns if name not in ("year", "value")})
    if rows.empty:
        raise PanelError(
            "The returns hold no council figures that the panel is made of.",
            repair="Build it from the whole returns table: clsimpact.load_returns().",
        )
    return rows


def _collect(rows: pd.DataFrame, item: _Filter) -> Iterator[_Figure]:
    """Yield the figures of one part: one a council and year."""
    keep = pd.Series(True, index=rows.index)
    for column, wanted in item.where.items():
        keep &= rows[column].isna() if wanted is None else rows[column].eq(wanted)
    chosen = rows[keep]
    population = item.part.startswith("population")
    for year in item.years:
        of_year = chosen if population else chosen[chosen["year"].eq(year)]
        figures = _add_up(of_year) if item.total else _single(of_year, item, year)
        codes = sorted({*council_codes(year), *figures}) if population else council_codes(year)
        for code in codes:
            value, status = figures.get(code, (np.nan, "not_listed"))
            if population and year == 2014 and status == "published":
                status = "estimated"
            yield _Figure(code, value, status, item.part, year, item.source)


def _add_up(rows: pd.DataFrame) -> dict[str, tuple[float, str]]:
    """Return the sum of each council's figures; missing, with the worst status, unless all are numbers."""
    worst = rows["status"].map(STATUS_ORDER.index).groupby(rows["ons_code"]).max()
    sums = rows.groupby("ons_code")["value"].sum(min_count=1)
    return {
        code: (value if STATUS_ORDER[rank] in HAS_VALUE else np.nan, STATUS_ORDER[rank])
        for code, value, rank in zip(sums.index, sums, worst.reindex(sums.index), strict=True)
    }


def _single(rows: pd.DataFrame, item: _Filter, year: int) -> dict[str, tuple[float, str]]:
    """Return the one figure of each council."""
    twice = rows[rows["ons_code"].duplicated(keep=False)]
    if len(twice):
        places = "{0.ons_code}: table {0.table}, {0.cell}"
        raise PanelError(
            f"{item.source} has several figures per council for {item.part} in {year_label(year)}.",
            [places.format(row) for row in twice.head(12).itertuples()],
            repair="Keep one row per council; a table may have been read twice.",
        )
    figures = zip(rows["value"].tolist(), rows["status"].tolist(), strict=True)
    return dict(zip(rows["ons_code"].tolist(), figures, strict=True))
