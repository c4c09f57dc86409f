"""The figures that are followed through time: counts per head, shares, spending, with what rounding can move.

Each is chosen by what it says, not by the file it comes from, so that one list serves every publication.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clsimpact._parts import ASCOF_MEASURES
from clsimpact.geography import successors
from clsimpact.loaders.returns import DIMENSIONS, as_text
from clsimpact.outcomes import SEQUELS
from clsimpact.quality._findings import number
from clsimpact.store import read_parquet

if TYPE_CHECKING:
    from clsimpact.quality._material import Material

__all__ = ["LABELS", "SERIES", "Series", "council_parts", "council_series", "shown"]

AGES: Final[Mapping[str, str]] = {"18_64": "18 to 64", "65_plus": "65 and over"}
_HALF: Final = 2.5
"""SALT counts are rounded to the nearest 5."""
_SUPPRESSED: Final = 2.0
"""A suppressed count is 0 to 4: two, give or take two."""
_COUNTS: Final = ("requests", "people", "episodes")
_ASCOF: Final[Mapping[str, str]] = {
    "sequel_to_short_term_support": "short term support that ended without long term support (%)",
    "care_home_admissions_18_64": "care home admissions per 100,000 people aged 18 to 64",
    "care_home_admissions_65_plus": "care home admissions per 100,000 people aged 65 and over",
    "reablement_still_home_91_days": "people still at home 91 days after discharge to reablement (%)",
    "offered_reablement": "people offered reablement after discharge (%)",
    "self_directed_support": "people with self-directed support (%)",
    "direct_payments": "people with direct payments (%)",
    "carers_self_directed_support": "carers with self-directed support (%)",
    "carers_direct_payments": "carers with direct payments (%)",
    "learning_disability_employment": "people with a learning disability in paid employment (%)",
    "learning_disability_settled_home": "people with a learning disability in a settled home (%)",
}


@dataclass(frozen=True)
class Part:
    """One figure of a council and year: a measure, and what it is broken down by (elsewhere: totals)."""

    name: str
    measure: str
    where: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Series:
    """Something followed through time: sums of parts over each other, on a log or logit scale."""

    name: str
    label: str
    scale: str
    top: tuple[str, ...]
    bottom: tuple[str, ...] = ()
    times: float = 1.0


def _parts() -> tuple[Part, ...]:
    found = []
    for short, age in AGES.items():
        where = {"age_band": age}
        found += [Part(f"requests_{short}", "requests", where)]
        found += [Part(f"long_term_{short}", "long_term_clients", where)]
        found += [
            Part(f"sequel_{name}_{short}", "requests", {**where, "sequel": sequel})
            for name, sequel in SEQUELS.items()
        ]
    reviews = ("clients_planned_reviews", "clients_unplanned_reviews", "clients_reviewed")
    found += [Part(name, name) for name in (*reviews, "long_term_clients_over_12_months", "carers_supported")]
    found += [Part("gce", "gross_current_expenditure")]
    found += [Part(name, name, {"statistic": "Outcome", **_ascof_age(name)}) for name in ASCOF_MEASURES]
    return tuple(found)


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def _ascof_age(name: str) -> dict[str, str]:
    if name.startswith("learning_disability") or name.endswith("18_64"):
        return {"age_band": AGES["18_64"]}
    return {"age_band": AGES["65_plus"]} if "reablement" in name or name.endswith("65_plus") else {}


def _ascof(name: str) -> Series:
    admissions = name.startswith("care_home_admissions")
    return Series(name, _ASCOF[name], "log" if admissions else "logit", (name,))


_PARTS: Final = _parts()
_FUNDED: Final = ("st_max", "nursing", "residential", "community")
_REQUESTS: Final = tuple(f"requests_{age}" for age in AGES)
_ADULTS: Final = tuple(f"population_{age}" for age in AGES)


def _of_requests(name: str, label: str, sequels: Sequence[str]) -> Series:
    return Series(
        name, label, "logit", tuple(f"sequel_{it}_{age}" for it in sequels for age in AGES), _REQUESTS
    )


SERIES: Final[tuple[Series, ...]] = (
    *(
        Series(
            f"requests_{s}",
            f"requests per 1,000 people aged {a}",
            "log",
            (f"requests_{s}",),
            (f"population_{s}",),
            1e3,
        )
        for s, a in AGES.items()
    ),
    _of_requests("signposted", "share of requests that ended in signposting", ("signposted",)),
    _of_requests("funded_mid", "share of requests that led to long term care or reablement", _FUNDED),
    *(
        Series(
            f"long_term_{s}",
            f"people with long term support per 1,000 aged {a}",
            "log",
            (f"long_term_{s}",),
            (f"population_{s}",),
            1e3,
        )
        for s, a in AGES.items()
    ),
    Series(
        "reviewed_share",
        "share of people with long term support who were reviewed",
        "logit",
        ("clients_reviewed",),
        ("long_term_clients_over_12_months",),
    ),
    Series(
        "planned_share",
        "share of people reviewed who had a planned review",
        "logit",
        ("clients_planned_reviews",),
        ("clients_reviewed",),
    ),
    Series(
        "carers_supported", "carers supported per 1,000 adults", "log", ("carers_supported",), _ADULTS, 1e3
    ),
    Series("gce", "gross current expenditure per adult (£, cash)", "log", ("gce",), _ADULTS, 1e3),
    *(_ascof(name) for name in ASCOF_MEASURES),
)
"""What the rules on outliers, jumps, breaks and rounding follow."""

LABELS: Final[Mapping[str, str]] = {series.name: _capital(series.label) for series in SERIES}
"""What each series is called at the head of a sentence."""

_SHARES: Final = frozenset(series.name for series in SERIES if series.scale == "logit" and series.bottom)


def shown(name: str, value: float) -> str:
    """Write a value of a series for a sentence: shares as percentages.

    Examples
    --------
    >>> shown("planned_share", 0.4567), shown("direct_payments", 25.9)
    ('45.7%', '25.9')
    """
    return f"{value:.1%}" if name in _SHARES else number(value)


def council_parts(material: Material) -> pd.DataFrame:
    """Return the figures of the parts, each with its status and place.

    Of several publications the latest counts. ``half`` is what rounding, or withholding, can move.
    """
    rows = material.council_rows
    rows = rows[rows["measure"].isin({part.measure for part in _PARTS})]
    held = set(rows["measure"].unique())
    broken = {name: (rows[name].notna() & ~rows[name].isin(["Total"])).to_numpy() for name in DIMENSIONS}
    # In ASCOF the detail is the number of the measure, which changed.
    broken["detail"] = broken["detail"] & ~rows["return_"].isin(["ASCOF"]).to_numpy()
    broken["data_type"] = rows["data_type"].isin(["Voluntary"]).to_numpy()
    wanted = [part for part in _PARTS if part.measure in held] or list(_PARTS[:1])
    found = [as_text(rows[_says(rows, broken, part)]).assign(part=part.name) for part in wanted]
    chosen = pd.concat(found, ignore_index=True)
    printed = set(chosen.loc[chosen["part"] == "gce", "year"])
    summed = _summed_money(rows, printed).reindex(columns=chosen.columns).astype(chosen.dtypes)
    chosen = pd.concat([chosen, summed], ignore_index=True)
    order = {source: rank for rank, source in enumerate(latest_last(material))}
    chosen["order"] = chosen["source_id"].astype("object").map(order)
    given = chosen["status"].isin(["published", "estimated", "suppressed"])
    chosen = chosen.assign(given=given).sort_values(["given", "order"], ascending=False, kind="stable")
    chosen = chosen.drop_duplicates(["part", "code", "year"])
    counted = chosen["return_"].eq("SALT") & chosen["unit"].isin(_COUNTS)
    small = chosen["status"].eq("suppressed")
    chosen["half"] = np.select([small, counted], [_SUPPRESSED, _HALF], 0.0)
    chosen["value"] = chosen["value"].where(~small, _SUPPRESSED)
    columns = ["part", "code", "year", "value", "half", "status", "return_", "source_id", "table", "cell"]
    return chosen.sort_values(["part", "year", "code"])[columns].reset_index(drop=True)


def latest_last(material: Material) -> list[str]:
    """Return the sources in the order of the last year that they speak of."""
    return sorted(material.publication_order, key=lambda source: material.publication_order[source])


def _says(rows: pd.DataFrame, broken: Mapping[str, NDArray[np.bool_]], part: Part) -> NDArray[np.bool_]:
    chosen = rows["measure"].isin([part.measure]).to_numpy()
    for name in DIMENSIONS:
        if name in part.where:
            chosen = chosen & rows[name].isin([part.where[name]]).to_numpy()
        else:
            chosen = chosen & ~broken[name]
    return chosen


def _summed_money(rows: pd.DataFrame, printed: set[int]) -> pd.DataFrame:
    """Return spending of the years whose files print no total: the sum of a council's mandatory lines."""
    lines = rows[rows["measure"].isin(["gross_current_expenditure"]) & rows["statistic"].isna()]
    lines = lines[~lines["year"].isin(printed) & ~lines["data_type"].isin(["Voluntary"])]
    totals = pd.Series(False, index=lines.index)
    for name in DIMENSIONS:
        totals |= lines[name].isin(["Total"])
    lines = as_text(lines[~totals])
    keys = ["code", "year", "return_", "source_id", "table", "unit"]
    lines = lines.assign(known=lines["value"].notna())
    sums = lines.groupby(keys, as_index=False).agg({"value": "sum", "known": "all"})
    sums = sums[sums["known"]].drop(columns="known")
    return sums.assign(part="gce", status="published")


def _populations(material: Material) -> dict[str, dict[str, dict[int, float]]]:
    """Return the population of each age band by council code and year, as published.

    Returns that hold no population are divided by the committed estimates.
    """
    rows = _council_populations(material.returns)
    rows = rows if len(rows) else _committed_populations()
    found = {}
    for short, age in AGES.items():
        of_age = rows[rows["age_band"] == age].astype({"ons_code": "object", "source_id": "object"})
        printed = ~of_age["source_id"].str.contains("population_mid")
        first = of_age.assign(printed=printed).sort_values("printed", kind="stable")
        first = first.drop_duplicates(["ons_code", "year"])
        people: dict[str, dict[int, float]] = {}
        for code, year, value in first[["ons_code", "year", "value"]].itertuples(index=False):
            people.setdefault(code, {})[int(year)] = float(value)
        found[f"population_{short}"] = people
    return found


@functools.cache
def _committed_populations() -> pd.DataFrame:
    return _council_populations(read_parquet("returns"))


def _council_populations(table: pd.DataFrame) -> pd.DataFrame:
    return table[
        table["measure"].isin(["population"]) & table["level"].isin(["council"]) & table["value"].notna()
    ]


def _people(table: Mapping[str, Mapping[int, float]], code: str, year: int) -> float:
    """Return the population of a council: of the nearest year under its own code, else of its successors."""
    if code in table:
        return table[code][min(table[code], key=lambda of: (abs(of - year), of))]
    later = [new for new in successors(code) if new in table]
    return sum(_people(table, new, year) for new in later) if later else float("nan")


def council_series(material: Material) -> pd.DataFrame:
    """Return every series of every council and year that can be computed.

    Parameters
    ----------
    material
        The prepared returns.

    Returns
    -------
    pandas.DataFrame
        ``series, line, code, year, region, value, x, share, return_, source_id, table, cell``: ``line``
        follows a council that only changed its code, ``x`` is the value on the series' scale (missing
        where that is not defined), ``share`` is the part of the value that rounding and suppression can move.
    """
    parts = material.parts
    parts = parts[parts["value"].notna()]
    by_part = {str(name): rows.set_index(["code", "year"]) for name, rows in parts.groupby("part")}
    by_part |= _population_parts(material, parts)
    found = [_one(series, by_part) for series in SERIES if set(series.top + series.bottom) <= set(by_part)]
    table = pd.concat(found or [_nothing()], ignore_index=True)
    table = table.merge(material.listed[["code", "year", "region"]], on=["code", "year"])
    table["line"] = table["code"].map(material.lines)
    return table.sort_values(["series", "line", "year"], ignore_index=True)


def _nothing() -> pd.DataFrame:
    """Return series without a row, with the types of those that have some."""
    text = dict.fromkeys(("series", "code", "return_", "source_id", "table", "cell"), "string")
    kinds = text | {"year": "int64"} | dict.fromkeys(("value", "x", "share"), "float64")
    return pd.DataFrame(columns=list(kinds)).astype(kinds)


def _population_parts(material: Material, parts: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the population of every council and year for which there is another figure."""
    pairs = parts[["code", "year"]].drop_duplicates()
    found = {}
    for name, table in _populations(material).items():
        keys = zip(pairs["code"], pairs["year"].astype("int64"), strict=True)
        people = pairs.assign(value=[_people(table, code, year) for code, year in keys], half=0.0)
        people = people[people["value"] > 0]
        if len(people):
            found[name] = people.set_index(["code", "year"])
    return found


def _one(series: Series, parts: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return one series: councils and years that have every part."""
    top, half_top = _added(series.top, parts)
    if series.bottom:
        bottom, half_bottom = _added(series.bottom, parts)
    else:
        bottom, half_bottom = top * 0 + 1, top * 0
    table = pd.DataFrame({"top": top, "bottom": bottom, "ht": half_top, "hb": half_bottom}).dropna()
    table = table[table["bottom"] > 0]
    value = series.times * table["top"] / table["bottom"]
    with np.errstate(divide="ignore", invalid="ignore"):
        share = table["ht"] / table["top"].abs() + table["hb"] / table["bottom"]
        x = _on_scale(value.to_numpy("float64"), series)
    places = parts[series.top[0]][["return_", "source_id", "table", "cell"]].reindex(table.index)
    places = places.astype("string")
    if len(series.top) > 1:
        places["cell"] = places["cell"].mask(places["cell"].notna())
    return places.assign(series=series.name, value=value, x=x, share=share).reset_index()


def _added(names: Sequence[str], parts: Mapping[str, pd.DataFrame]) -> tuple[pd.Series[Any], pd.Series[Any]]:
    values = pd.concat([parts[name]["value"] for name in names], axis=1)
    halves = pd.concat([parts[name]["half"] for name in names], axis=1)
    return values.sum(axis=1, skipna=False), halves.sum(axis=1, skipna=False)


def _on_scale(value: NDArray[np.float64], series: Series) -> NDArray[np.float64]:
    if series.scale == "log":
        x = np.log(value)
    else:
        share = value if series.bottom else value / 100
        x = np.log(share) - np.log1p(-share)
    return np.where(np.isfinite(x), x, np.nan)
