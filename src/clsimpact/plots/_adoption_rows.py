"""The rows of the adoption timeline: what the evidence allows, which date is used, and what was done."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import numpy as np
import pandas as pd

from clsimpact._adopters import YEARS, find_adopters
from clsimpact.errors import AdoptionError, PanelError, did_you_mean
from clsimpact.geography import councils
from clsimpact.plots._adoption import WHY, left_out, merged_name
from clsimpact.years import year_label

__all__ = ["COLUMNS", "adopter_rows", "cohort_rows"]

COLUMNS: Final = ("name", "earliest", "latest", "date", "group", "fate", "units")
"""Years are floating point, missing where unknown; ``group`` is one of `GROUPS`."""

GROUPS: Final = ("used", "treated throughout", "compared", "left out", "outside England", "never treated")
_NEEDED: Final = ("la_name", "ons_code", "nation", "adoption_year", "earliest_year", "latest_year")
_CHOSEN: Final = {"adoption_year": "adoption_year", "earliest": "earliest_year", "latest": "latest_year"}
_NOT_THERE: Final = "not in this panel"


def adopter_rows(tagged: pd.DataFrame, adoption: pd.DataFrame) -> pd.DataFrame:
    """Return a row per listed adopter: those used by date, then the others.

    Returns
    -------
    pandas.DataFrame
        `COLUMNS`; ``units`` is the number of areas of the panel that the row is about.
    """
    listed = _listed(adoption)
    record = tagged.attrs.get("adoption", {})
    chosen = _CHOSEN[str(record.get("choices", {}).get("date", "adoption_year"))]
    tags = tagged.drop_duplicates("ons_code").set_index(tagged["ons_code"].drop_duplicates().astype(str))
    areas = {
        row.code: [area for area in row.areas if area in tags.index]
        for row in find_adopters(tagged, listed, str(record.get("choices", {}).get("date", "adoption_year")))
    }
    rows = []
    for row in listed.astype("object").where(listed.notna(), None).to_dict("records"):
        date = np.nan if row[chosen] is None else float(row[chosen])
        found = areas.get(row["ons_code"], [])
        if (row["nation"] or "England") != "England":
            group, fate, found = "outside England", f"not used: in {row['nation']}", []
        elif found:
            date, group, fate = _kept(tags.loc[[found[0]]].iloc[0], date)
        else:
            group, fate = "left out", _why(row, tagged)
        name, ends = row["la_name"] or row["ons_code"], (row["earliest_year"], row["latest_year"])
        early, late = (np.nan if end is None else float(end) for end in ends)
        rows.append((str(name), early, late, date, group, fate, len(found)))
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    order = table["group"].map(GROUPS.index)
    return table.assign(order=order).sort_values(["order", "date", "name"], kind="stable")[list(COLUMNS)]


def _listed(adoption: pd.DataFrame) -> pd.DataFrame:
    """Return the columns of an adoption list that are drawn."""
    names = [str(name) for name in adoption.columns]
    lacking = [name for name in ("ons_code", "adoption_year") if name not in names]
    if lacking or adoption.empty:
        problems = [f"the list has no column {name!r}{did_you_mean(name, names)}" for name in lacking]
        raise AdoptionError(
            "The adoption timeline cannot be drawn.",
            problems or ["the list has no rows"],
            repair="Use load_adoption(), or leave the list out for one row per cohort.",
        )
    held = adoption.reindex(columns=list(_NEEDED)).reset_index(drop=True)
    held = held.astype({name: "Int64" if name in YEARS else "string" for name in _NEEDED})
    table = councils().drop_duplicates("ons_code").set_index("ons_code")["name"]
    return held.assign(la_name=held["la_name"].fillna(held["ons_code"].map(table).astype("string")))


def _kept(tag: pd.Series[Any], date: float) -> tuple[float, str, str]:
    """Return date, group and words of an adopter that is in the tagged panel."""
    year, status = tag["adoption_year"], str(tag["adoption_status"])
    if pd.isna(year):
        return date, "compared", f"compared, though {WHY.get(status, status)}"
    label = year_label(int(year))
    if status == "always treated":
        return float(year), "treated throughout", "used, treated throughout"
    if np.isnan(date):
        return float(year), "used", f"used from latest year, {label}"
    return float(year), "used", f"used, {label}"


def _why(row: dict[Any, Any], tagged: pd.DataFrame) -> str:
    """Return why an English row of the list is not in the tagged panel."""
    code = str(row["ons_code"])
    table = councils()
    names = {row["la_name"], code, merged_name(code, tagged["year"])}
    names |= set(table.loc[table["ons_code"].eq(code), "name"])
    for part in code.split("+"):
        names |= {merged_name(part, tagged["year"])}
    kind = next((kind for name, kind in left_out(tagged).items() if name in names), None)
    return _NOT_THERE if kind is None else f"left out: {WHY.get(kind, kind)}"


def cohort_rows(tagged: pd.DataFrame, unit: str, time: str, cohort: str) -> pd.DataFrame:
    """Return a row per cohort with its number of units, and one for the never treated.

    ``earliest`` and ``latest`` are the first and last treated period of the panel. A cohort that is missing,
    infinite or zero is never treated.

    Returns
    -------
    pandas.DataFrame
        `COLUMNS`; names are left to the figure, which knows how years are written.
    """
    periods = tagged[time].to_numpy("float64")
    first, last = float(np.min(periods)), float(np.max(periods))
    whose = tagged[[unit]].assign(cohort=_cohorts(tagged[cohort], cohort)).drop_duplicates()
    if whose[unit].duplicated().any():
        raise PanelError(
            "The adoption timeline cannot be drawn.",
            [f"{int(whose[unit].duplicated().sum())} units change their cohort ({cohort!r})"],
            repair="Give every unit one year of adoption.",
        )
    rows: list[tuple[object, ...]] = []
    for year, n in whose["cohort"].value_counts().sort_index().items():
        at = float(np.asarray(year))
        if at <= first:
            rows.append(("", first, last, at, "treated throughout", "treated throughout", n))
        else:
            fate = "used" if at <= last else "not yet treated"
            rows.append(("", at, last if at <= last else np.nan, at, "used", fate, n))
    never = int(whose["cohort"].isna().sum())
    if never:
        rows.append(("", np.nan, np.nan, np.nan, "never treated", "never treated", never))
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype({"earliest": float, "latest": float})


def _cohorts(column: pd.Series[Any], name: str) -> pd.Series[Any]:
    values = pd.to_numeric(column, errors="coerce").astype("float64")
    if (values.isna() & column.notna()).any():
        raise PanelError(
            f"The cohorts in column {name!r} are no years.", repair="Use whole numbers, missing for never."
        )
    return values.where(np.isfinite(values) & values.ne(0))


def years_with_figures(tagged: pd.DataFrame, outcome: str, time: str) -> Iterable[int]:
    """Return the periods in which an outcome has figures."""
    held = tagged.loc[tagged[outcome].notna(), time]
    return sorted({int(year) for year in held})
