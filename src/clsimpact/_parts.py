"""Which published figures the panel is made of, by what they say and not by where they stand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

import numpy as np
import pandas as pd

from clsimpact._content import find_figures
from clsimpact.errors import PanelError
from clsimpact.geography import council_codes
from clsimpact.outcomes import ROUTES, SEQUELS

__all__ = [
    "ASCOF_MEASURES",
    "FIRST_YEAR",
    "LAST_YEAR",
    "PARTS",
    "PART_NAMES",
    "WORKBOOK",
    "Part",
    "check_columns",
    "mid_year",
    "part_figures",
]

FIRST_YEAR: Final = 2014
LAST_YEAR: Final = 2022
"""The window of the official panel; SALT itself ended with 2023-24."""
WORKBOOK: Final = "asc_fr_salt_2021_22"

_AGES: Final = {"18_64": "18 to 64", "65_plus": "65 and over"}
_ASCOF_AGES: Final[Mapping[str, str]] = {
    "sequel_to_short_term_support": "Total",
    "care_home_admissions_18_64": "18 to 64",
    "care_home_admissions_65_plus": "65 and over",
    "reablement_still_home_91_days": "65 and over",
    "offered_reablement": "65 and over",
    "self_directed_support": "Total",
    "direct_payments": "Total",
    "carers_self_directed_support": "Total",
    "carers_direct_payments": "Total",
    "learning_disability_employment": "18 to 64",
    "learning_disability_settled_home": "18 to 64",
}

ASCOF_MEASURES: Final = tuple(_ASCOF_AGES)
"""The ASCOF measures that come from SALT: secondary outcomes of the panel."""


class Part(NamedTuple):
    """A figure that outcomes are made of, in the words of the returns table.

    Attributes
    ----------
    name
        Ours.
    measure
        What is counted.
    words
        What it is broken down by: dimension to word. It is the total over every other dimension.
    first_year
        Start year of the first return that asked for it; before, it is nothing.
    """

    name: str
    measure: str
    words: Mapping[str, str]
    first_year: int = FIRST_YEAR


_FIRST_ASKED: Final = {"prison": 2015, "nhs": 2015}
"""The sequels that the return of 2014-15 did not have."""


def _requests() -> Iterator[Part]:
    """Yield requests by age, route and what happened next."""
    routes: dict[str, dict[str, str]] = {"": {}}
    routes |= {f"_{short}": {"route_of_access": word} for short, word in ROUTES.items()}
    for age, band in _AGES.items():
        for route, says in routes.items():
            words = {"age_band": band, **says}
            yield Part(f"requests_{age}{route}", "requests", words)
            for sequel, label in SEQUELS.items():
                first = _FIRST_ASKED.get(sequel, FIRST_YEAR)
                name = f"sequel_{sequel}_{age}{route}"
                yield Part(name, "requests", {**words, "sequel": label}, first)


def _parts() -> Iterator[Part]:
    yield from _requests()
    for age, band in _AGES.items():
        yield Part(f"long_term_{age}", "long_term_clients", {"age_band": band})
        for short, care in (("long", "Long term"), ("short", "Short term")):
            words = {"care_type": care, "age_band": band}
            yield Part(f"gce_{short}_{age}", "gross_current_expenditure", words)
    yield Part("gce", "gross_current_expenditure", {"care_type": "Total"})
    for measure in ("clients_planned_reviews", "clients_unplanned_reviews", "clients_reviewed"):
        yield Part(measure, measure, {})
        yield from (Part(f"{measure}_{age}", measure, {"age_band": band}) for age, band in _AGES.items())
    for measure, band in _ASCOF_AGES.items():
        yield Part(measure, measure, {"statistic": "Outcome", "age_band": band})


PARTS: Final = tuple(_parts())
"""Every figure of the returns that the panel is made of; for populations see :func:`mid_year`."""
_POPULATIONS: Final = tuple(f"population_{age}" for age in _AGES)
PART_NAMES: Final = tuple(sorted([*_POPULATIONS, *(part.name for part in PARTS)]))
"""Every part, whether or not a returns table holds figures for it."""
_POPULATION_SOURCE: Final = "population_mid_"
_NEEDED: Final = (
    "level",
    "source_id",
    "measure",
    "year",
    "ons_code",
    "value",
    "status",
    "table",
    "cell",
    "return_",
)


def mid_year(year: int) -> tuple[int, str]:
    """Return which mid-year estimate a financial year is divided by, and the status of such a denominator.

    The publisher divides by the mid-year that the year starts before, but 2021-22 by mid-2020 again. Mid-2014
    and mid-2023 are not held: their neighbours stand in.

    Parameters
    ----------
    year
        Start year of a financial year.

    Returns
    -------
    tuple
        The mid-year; ``published``, or ``estimated`` where another year's estimate stands in.

    Examples
    --------
    >>> mid_year(2019), mid_year(2021), mid_year(2023)
    ((2019, 'published'), (2020, 'published'), (2022, 'estimated'))
    """
    stand_in = {2014: (2015, "estimated"), 2021: (2020, "published"), 2023: (2022, "estimated")}
    return stand_in.get(year, (year, "published"))


def part_figures(
    returns: pd.DataFrame,
    *,
    years: tuple[int, int] = (FIRST_YEAR, LAST_YEAR),
    populations: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Collect the council figures behind the panel, whichever publications the returns hold.

    Of several publications that say the same, one is taken for a part and year: the year's own before one
    that prints it again; reference tables before CSV files; a superseded issue only if there is no other.
    Money of a file without totals is the sum of its cells.

    Parameters
    ----------
    returns
        The returns table.
    years
        Start years of the first and last financial year.
    populations
        Returns table with the mid-year population estimates; ``returns`` itself if omitted.

    Returns
    -------
    pandas.DataFrame
        Columns ``ons_code, value, status, part, year, source_id``: one row for every part, year with a
        source, and council of that year. A council that the source does not list has the status
        ``not_listed``. What the return of a year did not ask for is zero. Populations come with the codes of
        their source as well, since an estimate may be on the geography of a later year. Units are those of
        the published figures: people, requests, £000.

    Raises
    ------
    PanelError
        If a column is lacking, no row belongs to the panel, or a source says two things of one council, year
        and part.
    """
    check_columns(returns)
    window = range(years[0], years[1] + 1)
    found = find_figures(returns, {part.name: (part.measure, part.words) for part in PARTS}, window)
    parts = [_populations(returns if populations is None else populations, window), _every_council(found)]
    if not any(map(len, parts)):
        raise PanelError(
            "The returns hold no council figures that the panel is made of.",
            repair="Build it from the whole returns table: clsimpact.load_returns().",
        )
    return pd.concat(parts, ignore_index=True)


def check_columns(returns: pd.DataFrame) -> None:
    """Raise unless a table has the columns of a returns table that the panel looks at."""
    words = [column for part in PARTS for column in part.words]
    lacking = [f"no column {name!r}" for name in dict.fromkeys([*_NEEDED, *words]) if name not in returns]
    if lacking:
        raise PanelError("This is no returns table.", lacking, repair="Use clsimpact.load_returns().")


def _every_council(found: pd.DataFrame) -> pd.DataFrame:
    """Return one row for every council of a year: ``not_listed`` where the source has none."""
    sources = found.drop_duplicates(["part", "year"])[["part", "year", "source_id"]]
    sources = pd.concat([sources.assign(nothing=False), _not_asked(sources)], ignore_index=True)
    codes = [(year, code) for year in sources["year"].unique() for code in council_codes(int(year))]
    grid = sources.merge(pd.DataFrame(codes, columns=["year", "ons_code"]), on="year")
    rows = grid.merge(
        found[["part", "year", "ons_code", "value", "status"]], how="left", on=["part", "year", "ons_code"]
    )
    nothing = rows["nothing"].to_numpy(dtype=bool)
    rows["status"] = rows["status"].fillna("not_listed").mask(nothing, "published")
    rows["value"] = rows["value"].astype("float64").mask(nothing, 0.0)
    return rows[["ons_code", "value", "status", "part", "year", "source_id"]]


def _not_asked(sources: pd.DataFrame) -> pd.DataFrame:
    """Return the parts that the return of a year did not ask for, where it is held."""
    held = {(row.part, row.year): row.source_id for row in sources.itertuples()}
    rows = []
    for part in PARTS:
        sequel = next((name for name in _FIRST_ASKED if part.name.startswith(f"sequel_{name}_")), "")
        sibling = part.name.replace(f"sequel_{sequel}_", "sequel_nursing_")
        rows += [
            (part.name, year, held[sibling, year], True)
            for year in range(FIRST_YEAR, part.first_year)
            if (sibling, year) in held and (part.name, year) not in held
        ]
    return pd.DataFrame(rows, columns=["part", "year", "source_id", "nothing"])


def _populations(returns: pd.DataFrame, window: range) -> pd.DataFrame:
    """Return the residents of every council and year, also under the codes of the estimate itself."""
    chosen = returns["level"].eq("council") & returns["measure"].eq("population")
    chosen &= returns["ons_code"].notna() & returns["age_band"].isin(list(_AGES.values()))
    ids = [name for name in returns["source_id"].dropna().unique() if name.startswith(_POPULATION_SOURCE)]
    rows = returns.loc[
        chosen & returns["source_id"].isin(ids), ["source_id", "age_band", "ons_code", "value"]
    ]
    rows = rows.astype({name: "object" for name in rows if name != "value"})
    tables = [_residents(rows, year, age) for year in window for age in _AGES]
    held = [table for table in tables if len(table)]
    return pd.concat(held, ignore_index=True) if held else pd.DataFrame()


def _residents(rows: pd.DataFrame, year: int, age: str) -> pd.DataFrame:
    """Return the residents of one age band in one year; no rows where the estimate is not held."""
    middle, status = mid_year(year)
    source = f"{_POPULATION_SOURCE}{middle}"
    held = rows[rows["source_id"].eq(source) & rows["age_band"].eq(_AGES[age])]
    if held.empty:
        return pd.DataFrame()
    codes = pd.Index(sorted({*council_codes(year), *held["ons_code"]}), name="ons_code")
    people = held.set_index("ons_code")["value"].reindex(codes).reset_index()
    known = np.where(people["value"].notna(), status, "not_listed")
    return people.assign(status=known, part=f"population_{age}", year=year, source_id=source)
