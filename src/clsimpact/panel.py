"""From figures to a panel: one row per council area and financial year, every outcome with its status.

The panel knows councils and years and nothing of treatment.
"""

from __future__ import annotations

import functools
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Final, TypeAlias, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clsimpact._parts import ASCOF_MEASURES, FIRST_YEAR, LAST_YEAR, PART_NAMES, part_figures
from clsimpact._status import HAS_VALUE, STATUS_ORDER, total
from clsimpact._version import __version__
from clsimpact.dictionary import ASCOF_OUTCOMES, column_facts
from clsimpact.errors import PanelError, did_you_mean
from clsimpact.geography import Area, Boundaries, constant_areas, councils
from clsimpact.loaders.manifest import load_manifest
from clsimpact.outcomes import OUTCOMES, Parts
from clsimpact.store import read_parquet
from clsimpact.years import year_label

__all__ = ["build_panel", "load_panel"]

_LICENCE: Final = "https://www.nationalarchives.gov.uk/doc/open-government-licence/version/3/"
_SOURCE_LINE: Final = (
    "Source: NHS England (formerly NHS Digital), ONS and HM Treasury, Open Government Licence v3.0"
)
PRICE_YEAR: Final = 2021
"""Constant prices are those of 2021-22."""

_RATES: Final = frozenset(ASCOF_MEASURES)
_POPULATION: Final = ("population_18_64", "population_65_plus")
_LABELS: Final = (
    "ons_code",
    "cassr_code",
    "name",
    "region",
    "region_code",
    "council_type",
    "year",
    "year_label",
)

_Figures: TypeAlias = dict[tuple[str, int], tuple[float, str]]
"""Value and status by code and year."""


def load_panel(name: str = "official", *, boundaries: Boundaries = "constant") -> pd.DataFrame:
    """Load the panel of English councils.

    Parameters
    ----------
    name
        ``"official"``: built from the publishers' files.
    boundaries
        What to do with councils that changed between 2014-15 and 2022-23: ``"constant"`` puts together the
        smallest areas whose boundaries did not change (sums of counts and money; rates of merged areas are
        missing); ``"as_reported"`` keeps the councils of each year; ``"drop"`` leaves the changed ones out,
        keeping areas that only changed their code.

    Returns
    -------
    pandas.DataFrame
        One row per area and financial year (``year`` is its start), 2014 to 2022. Each outcome has a column
        ``<outcome>_status`` that says why it is missing. :func:`clsimpact.describe` defines every column;
        ``panel.attrs`` holds sources, licence, attribution and labels.

    Raises
    ------
    PanelError
        If ``name`` or ``boundaries`` is not one of those above.

    Examples
    --------
    >>> panel = load_panel()
    >>> panel.loc[(panel["name"] == "Leeds") & (panel["year"] == 2016), "gce"].round().item()
    245947.0
    """
    if name != "official":
        raise PanelError(
            f"There is no panel named {name!r}{did_you_mean(name, ['official'])}.", repair="Use 'official'."
        )
    _check_boundaries(boundaries)
    table = (
        read_parquet("panel")
        if boundaries == "constant"
        else build_panel(read_parquet("returns"), boundaries=boundaries)
    )
    return _typed(table, boundaries)


def build_panel(returns: pd.DataFrame, *, boundaries: Boundaries = "constant") -> pd.DataFrame:
    """Build the panel from a returns table.

    Parameters
    ----------
    returns
        The returns table, for example ``clsimpact.load_returns()``. It is not changed.
    boundaries
        As in :func:`load_panel`.

    Returns
    -------
    pandas.DataFrame
        As :func:`load_panel`. What the returns hold no source for has the status ``not_held``.

    Raises
    ------
    PanelError
        If ``boundaries`` is unknown, the table is no returns table, holds no figures of the panel, or holds
        several for one council, year and part.

    Examples
    --------
    >>> import clsimpact as ci
    >>> panel = build_panel(ci.load_returns(), boundaries="as_reported")
    >>> panel[panel["name"].isin(["Bournemouth", "Poole"])]["year"].agg(["min", "max"]).tolist()
    [2014, 2018]
    """
    _check_boundaries(boundaries)
    figures = part_figures(returns)
    areas = constant_areas(FIRST_YEAR, LAST_YEAR)
    frame = _frame(areas, boundaries)
    parts = _assemble(figures, frame, areas, _deflator(returns))
    columns: dict[str, Any] = {name: parts[name].value for name in _POPULATION}
    columns["population_18_plus"] = columns["population_18_64"] + columns["population_65_plus"]
    columns["population_status"] = total(*(parts[name] for name in _POPULATION)).status
    for outcome in (*OUTCOMES.values(), *ASCOF_OUTCOMES.values()):
        known = outcome.derive(parts) if outcome.derive else parts[outcome.name]
        columns[outcome.name], columns[f"{outcome.name}_status"] = known
    columns["imd_2019"] = _deprivation(returns, frame, areas)
    labels = frame.drop(columns=["members", "area", "whole"])
    return _typed(pd.concat([labels, pd.DataFrame(columns, index=frame.index)], axis=1), boundaries)


def _check_boundaries(boundaries: str) -> None:
    if boundaries not in get_args(Boundaries):
        raise PanelError(
            f"boundaries={boundaries!r} is unknown{did_you_mean(str(boundaries), get_args(Boundaries))}.",
            repair="Use 'constant', 'as_reported' or 'drop'.",
        )


def _frame(areas: Mapping[str, Area], boundaries: str) -> pd.DataFrame:
    """Return the rows of the panel: codes, names and region of an area and year.

    ``members`` are the councils of that year in it, ``area`` is the code of the constant area, and ``whole``
    says whether the row covers all of it.
    """
    years = range(FIRST_YEAR, LAST_YEAR + 1)
    rows = pd.concat([councils(year).assign(year=year) for year in years], ignore_index=True)
    rows["area"] = rows["ons_code"].map({code: area.code for code, area in areas.items()})
    rows["members"] = rows["ons_code"]
    alone = rows.groupby(["area", "year"])["ons_code"].transform("size").eq(1)
    rows["whole"] = alone | (boundaries != "as_reported")
    if boundaries == "drop":
        rows = rows[alone.groupby(rows["area"]).transform("all")]
    if boundaries != "as_reported":
        rows["ons_code"] = rows["area"]
        rows["name"] = rows["area"].map({area.code: area.name for area in areas.values()})
    first = ("name", "region", "region_code", "council_type", "area", "whole")
    joined: dict[Hashable, Any] = {"cassr_code": "+".join, "members": tuple, **dict.fromkeys(first, "first")}
    frame = rows.groupby(["ons_code", "year"], sort=True).agg(joined).reset_index()
    frame["year_label"] = frame["year"].map(year_label)
    if boundaries != "as_reported":
        newest = frame.groupby("ons_code")[["cassr_code", "council_type"]].transform("last")
        frame[["cassr_code", "council_type"]] = newest
    return frame[[*_LABELS, "members", "area", "whole"]]


def _assemble(
    figures: pd.DataFrame, frame: pd.DataFrame, areas: Mapping[str, Area], deflator: Mapping[int, float]
) -> Parts:
    """Sum the figures of member councils; a missing member makes the sum missing, with its status."""
    prices = frame["year"].map(deflator).astype("float64")
    values: dict[str, Sequence[float]] = {"deflator": prices.tolist()}
    statuses: dict[str, Sequence[str]] = {
        "deflator": ["published" if known else "not_held" for known in prices.notna()]
    }
    by_part = dict(iter(figures.groupby("part", sort=False)))
    code_of_area = _area_codes(areas)
    for part in PART_NAMES:
        rows = by_part.get(part, figures.iloc[:0])
        found = _lookup(rows["ons_code"], rows)
        if part in _POPULATION:
            whole = _lookup_whole(rows.assign(area=rows["ons_code"].map(code_of_area)))
            joined = _populations(frame, found, whole)
        else:
            pairs = zip(frame["members"], frame["year"], strict=True)
            joined = [_join(part, members, year, found) for members, year in pairs]
        covered = frame["year"].isin(rows["year"].tolist()).tolist()
        held = [it if is_held else (np.nan, "not_held") for it, is_held in zip(joined, covered, strict=True)]
        values[part], statuses[part] = zip(*held, strict=True)
    return Parts(pd.DataFrame(values, index=frame.index), pd.DataFrame(statuses, index=frame.index))


def _lookup(codes: pd.Series, rows: pd.DataFrame) -> _Figures:
    """Return value and status of every code and year."""
    figures = zip(rows["value"].tolist(), rows["status"].tolist(), strict=True)
    return dict(zip(zip(codes.tolist(), rows["year"].tolist(), strict=True), figures, strict=True))


def _area_codes(areas: Mapping[str, Area]) -> dict[str, str]:
    """Return the panel's area of every code, also of codes of later years (population estimates use them)."""
    later = constant_areas(FIRST_YEAR, int(councils()["first_year"].max()))
    codes = {code: area.code for code, area in areas.items()}
    for code, area in later.items():
        codes.setdefault(code, next(areas[member].code for member in area.members if member in areas))
    return codes


def _lookup_whole(rows: pd.DataFrame) -> _Figures:
    """Return the population of whole areas, whichever councils the geography of the estimate has."""
    held = rows[rows["status"].isin(HAS_VALUE) & rows["area"].notna()]
    sums = held.groupby(["area", "year"], as_index=False).agg({"value": "sum", "status": "first"})
    return _lookup(sums["area"], sums)


def _populations(frame: pd.DataFrame, found: _Figures, whole: _Figures) -> list[tuple[float, str]]:
    """Return the population of every row: of its whole area, or of its council where that is a part of it."""
    absent = (np.nan, "not_listed")
    keys = zip(frame["area"], frame["ons_code"], frame["year"], frame["whole"], strict=True)
    return [
        whole.get((area, year), absent) if is_whole else found.get((code, year), absent)
        for area, code, year, is_whole in keys
    ]


def _join(part: str, members: tuple[str, ...], year: int, found: _Figures) -> tuple[float, str]:
    """Return value and status of one part for the councils of one row."""
    figures = [found.get((code, year), (np.nan, "not_listed")) for code in members]
    if len(figures) == 1:
        return figures[0]
    if part in _RATES:
        return np.nan, "not_comparable"
    status = max((status for _, status in figures), key=STATUS_ORDER.index)
    return (sum(value for value, _ in figures), status) if status in HAS_VALUE else (np.nan, status)


def _deflator(returns: pd.DataFrame) -> dict[int, float]:
    """Return the GDP deflator of each year as a proportion of that of the price year."""
    rows = returns.loc[(returns["measure"] == "gdp_deflator") & returns["value"].notna(), ["year", "value"]]
    index = dict(zip(rows["year"].tolist(), rows["value"].tolist(), strict=True))
    return {year: value / index[PRICE_YEAR] for year, value in index.items() if PRICE_YEAR in index}


def _deprivation(
    returns: pd.DataFrame, frame: pd.DataFrame, areas: Mapping[str, Area]
) -> NDArray[np.float64]:
    """Return the 2019 index of multiple deprivation: average score, of merged areas by population."""
    chosen = (returns["source_id"] == "deprivation_2019") & (returns["measure"] == "imd_average_score")
    scores = returns.loc[chosen, ["ons_code", "value"]]
    score = dict(zip(scores["ons_code"], scores["value"], strict=True))
    chosen = (returns["source_id"] == "population_mid_2019") & (returns["measure"] == "population")
    people = returns.loc[
        chosen & returns["age_band"].isin(["18 to 64", "65 and over"]), ["ons_code", "value"]
    ]
    weight = people.groupby("ons_code")["value"].sum().to_dict()
    of_area: dict[str, float] = {}
    for area in areas.values():
        held = [code for code in area.members if code in score]
        if len(held) == 1:
            of_area[area.code] = score[held[0]]
        elif held and all(code in weight for code in held):
            weights = [weight[code] for code in held]
            of_area[area.code] = float(np.average([score[code] for code in held], weights=weights))
    own = frame["members"].map(lambda codes: score.get(codes[0], np.nan) if len(codes) == 1 else np.nan)
    whole = frame["area"].map(of_area).astype("float64").where(frame["whole"])
    return own.where(own.notna(), whole).to_numpy("float64")


def _typed(table: pd.DataFrame, boundaries: str) -> pd.DataFrame:
    """Give columns their types and the panel its provenance."""
    panel = table.copy()
    for column in panel.columns:
        if pd.api.types.is_float_dtype(panel[column]):
            panel[column] = panel[column].astype("float64")
        elif not pd.api.types.is_integer_dtype(panel[column]):
            panel[column] = panel[column].astype("string")
    panel["year"] = panel["year"].astype("int64")
    panel.attrs = _provenance(boundaries)
    return panel


@functools.cache
def _sources() -> tuple[dict[str, str], ...]:
    used = [*(s for s in load_manifest().values() if s.adapter != "lookup")]
    keys = ("id", "publication", "publisher", "years", "file", "sha256", "licence", "attribution", "status")
    return tuple({key: str(getattr(source, key)) for key in keys} for source in used)


def _provenance(boundaries: str) -> dict[Hashable | None, Any]:
    sources = [dict(source) for source in _sources()]
    return {
        "title": "Adult social care in English councils, 2014-15 to 2022-23",
        "boundaries": boundaries,
        "prices": year_label(PRICE_YEAR),
        "made_by": f"clsimpact {__version__}",
        "licence": f"Open Government Licence v3.0 ({_LICENCE})",
        "attribution": list(dict.fromkeys(source["attribution"] for source in sources)),
        "source_line": _SOURCE_LINE,
        "sources": sources,
        "columns": {name: {"label": fact.label, "unit": fact.unit} for name, fact in column_facts().items()},
    }
