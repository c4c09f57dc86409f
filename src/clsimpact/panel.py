"""From figures to a panel: one row per council area and financial year, every outcome with its status.

The panel knows councils and years and nothing of treatment.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Final, TypeAlias, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clsimpact._display_data import shown_as_panel
from clsimpact._parts import ASCOF_MEASURES, FIRST_YEAR, LAST_YEAR, PART_NAMES, check_columns, part_figures
from clsimpact._provenance import denominators, is_simulated, provenance
from clsimpact._status import HAS_VALUE, STATUS_ORDER, total
from clsimpact.dictionary import ASCOF_OUTCOMES
from clsimpact.errors import PanelError, did_you_mean
from clsimpact.geography import Area, Boundaries, constant_areas, councils
from clsimpact.outcomes import OUTCOMES, VARIANTS, Parts
from clsimpact.store import read_parquet
from clsimpact.years import year_label

__all__ = ["PANEL_YEARS", "build_panel", "load_panel"]

PRICE_YEAR: Final = 2021
"""Constant prices are those of 2021-22."""

_PANELS: Final = ("official", "simulated")
PANEL_YEARS: Final = (FIRST_YEAR, LAST_YEAR)
"""The window of the official panel."""
_LAST_SALT_YEAR: Final = 2023
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

Price: TypeAlias = tuple[float, str]
"""A deflator and its status."""
_Figures: TypeAlias = dict[tuple[str, int], tuple[float, str]]
"""Value and status by code and year."""


_HEAD: Final = (*_LABELS, *_POPULATION, "population_18_plus", "population_status")


def load_panel(name: str = "official", *, boundaries: Boundaries = "constant") -> pd.DataFrame:
    """Load the panel of English councils.

    Parameters
    ----------
    name
        ``"official"``: built from the publishers' files. ``"simulated"``: made up with seed 1, about no real
        council's care, complete and with a known truth; see
        :func:`clsimpact.simulate.memory.simulated_panel` for other seeds and truths.
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
        ``panel.attrs`` holds sources, licence, attribution and labels, and says whether the panel is
        ``simulated``. Sources and labels cannot be changed in place, since copies of the panel share them:
        ``panel.attrs["columns"] = {**panel.attrs["columns"], "mine": {"label": "Mine", "unit": "£"}}`` and
        ``panel.attrs["sources"] = [*panel.attrs["sources"], {...}]`` give it others.

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
    if name not in _PANELS:
        raise PanelError(
            f"There is no panel named {name!r}{did_you_mean(name, _PANELS)}.",
            repair="Use 'official' or 'simulated'.",
        )
    _check_boundaries(boundaries)
    if name == "simulated":
        from clsimpact.simulate.memory import simulated_panel

        return simulated_panel(boundaries=boundaries)
    table = (
        _with_columns_not_held(read_parquet("panel"))
        if boundaries == "constant"
        else build_panel(read_parquet("returns"), boundaries=boundaries)
    )
    return _typed(table, provenance(boundaries, PANEL_YEARS))


def build_panel(
    returns: pd.DataFrame, *, boundaries: Boundaries = "constant", years: tuple[int, int] | None = None
) -> pd.DataFrame:
    """Build the panel from a returns table.

    Parameters
    ----------
    returns
        The returns table, for example ``clsimpact.load_returns()``. It is not changed.
    boundaries
        As in :func:`load_panel`, over the years of the panel.
    years
        Start years of the first and last financial year; the official window, 2014 to 2022, if omitted. The
        last that SALT covers is 2023.

    Returns
    -------
    pandas.DataFrame
        As :func:`load_panel`. What the returns hold no source for has the status ``not_held``. Made-up
        returns give a panel whose ``attrs["simulated"]`` is true and whose column ``simulated`` says so in
        every row, whatever becomes of the attributes; its populations, prices and deprivation are
        real, from the committed returns where the table has none.

    Raises
    ------
    PanelError
        If ``boundaries`` or ``years`` are unknown, the table is no returns table, holds no figures of the
        panel, mixes simulated and official returns, or one source says two things of one council, year and
        part.

    Examples
    --------
    >>> import clsimpact as ci
    >>> panel = build_panel(ci.load_returns(), boundaries="as_reported")
    >>> panel[panel["name"].isin(["Bournemouth", "Poole"])]["year"].agg(["min", "max"]).tolist()
    [2014, 2018]
    """
    _check_boundaries(boundaries)
    window = _check_years(years)
    check_columns(returns)
    simulated = is_simulated(returns)
    context = denominators(returns, simulated=simulated)
    figures = part_figures(returns, years=window, populations=context)
    areas = constant_areas(*window)
    frame = _frame(areas, boundaries, window)
    parts = _assemble(figures, frame, area_codes(areas, window), _deflator(context))
    columns = _population_columns(parts) | _outcome_columns(parts)
    columns["imd_2019"] = _deprivation(context, frame, areas)
    if simulated:
        columns["simulated"] = True
    labels = frame.drop(columns=["members", "area", "whole"])
    table = pd.concat([labels, pd.DataFrame(columns, index=frame.index)], axis=1)
    used = figures["source_id"].unique()
    return _typed(table, provenance(boundaries, window, used, simulated=simulated))


def _population_columns(parts: Parts) -> dict[str, Any]:
    columns: dict[str, Any] = {name: parts[name].value for name in _POPULATION}
    columns["population_18_plus"] = columns["population_18_64"] + columns["population_65_plus"]
    columns["population_status"] = total(*(parts[name] for name in _POPULATION)).status
    return columns


def _outcome_columns(parts: Parts) -> dict[str, Any]:
    """Return value and status of every outcome: those of the study first, then ASCOF, then variants."""
    columns: dict[str, Any] = {}
    for outcome in (*OUTCOMES.values(), *ASCOF_OUTCOMES.values(), *VARIANTS.values()):
        known = outcome.derive(parts) if outcome.derive else parts[outcome.name]
        columns[outcome.name], columns[f"{outcome.name}_status"] = known
    return columns


def _check_boundaries(boundaries: str) -> None:
    if boundaries not in get_args(Boundaries):
        raise PanelError(
            f"boundaries={boundaries!r} is unknown{did_you_mean(str(boundaries), get_args(Boundaries))}.",
            repair="Use 'constant', 'as_reported' or 'drop'.",
        )


def _check_years(years: tuple[int, int] | None) -> tuple[int, int]:
    """Return the window, if it is one."""
    first, last = PANEL_YEARS if years is None else years
    if not FIRST_YEAR <= first <= last <= _LAST_SALT_YEAR:
        raise PanelError(
            f"years={years!r} is no window of years from {FIRST_YEAR} to {_LAST_SALT_YEAR}.",
            repair="Give start years, the first one first: years=(2014, 2022).",
        )
    return first, last


def _frame(areas: Mapping[str, Area], boundaries: str, window: tuple[int, int]) -> pd.DataFrame:
    """Return the rows of the panel: codes, names and region of an area and year.

    ``members`` are the councils of that year in it, ``area`` is the code of the constant area, and ``whole``
    says whether the row covers all of it.
    """
    years = range(window[0], window[1] + 1)
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
    figures: pd.DataFrame, frame: pd.DataFrame, code_of_area: Mapping[str, str], deflator: Mapping[int, Price]
) -> Parts:
    """Sum the figures of member councils; a missing member makes the sum missing, with its status."""
    prices = [deflator.get(year, (np.nan, "not_held")) for year in frame["year"]]
    values: dict[str, Sequence[float]] = {"deflator": [price for price, _ in prices]}
    statuses: dict[str, Sequence[str]] = {"deflator": [status for _, status in prices]}
    by_part = dict(iter(figures.groupby("part", sort=False)))
    nothing = [np.nan] * len(frame), ["not_held"] * len(frame)
    years = frame["year"].tolist()
    councils_of = [
        [(code, year) for code in codes] for codes, year in zip(frame["members"], years, strict=True)
    ]
    shown: dict[str, Sequence[float]] = {}
    withheld: dict[str, Sequence[float]] = {}
    for part in PART_NAMES:
        if part not in by_part:
            values[part], statuses[part] = nothing
            continue
        rows = by_part[part]
        found = _lookup(rows["ons_code"], rows)
        if part in _POPULATION:
            whole = _lookup_whole(rows.assign(area=rows["ons_code"].map(code_of_area)))
            joined = _populations(frame, found, whole)
        else:
            joined = [_join(part, keys, found) for keys in councils_of]
            shown[part], withheld[part] = zip(*(_in_part(keys, found) for keys in councils_of), strict=True)
        held = set(rows["year"])
        known = [it if year in held else (np.nan, "not_held") for it, year in zip(joined, years, strict=True)]
        values[part], statuses[part] = zip(*known, strict=True)
    numbers, words = pd.DataFrame(values, index=frame.index), pd.DataFrame(statuses, index=frame.index)
    return Parts(numbers, words, shown=shown, withheld=withheld)


def _in_part(councils_and_year: Sequence[tuple[str, int]], found: _Figures) -> tuple[float, float]:
    """Return the sum over the councils of a row that show a figure, and how many have theirs suppressed."""
    figures = [found.get(key, (np.nan, "not_listed")) for key in councils_and_year]
    statuses = [status for _, status in figures]
    return sum(value for value, status in figures if status in HAS_VALUE), statuses.count("suppressed")


def _lookup(codes: pd.Series, rows: pd.DataFrame) -> _Figures:
    """Return value and status of every code and year."""
    figures = zip(rows["value"].tolist(), rows["status"].tolist(), strict=True)
    return dict(zip(zip(codes.tolist(), rows["year"].tolist(), strict=True), figures, strict=True))


def area_codes(areas: Mapping[str, Area], window: tuple[int, int]) -> dict[str, str]:
    """Return the panel's area of every code, also of codes of later years (population estimates use them)."""
    later = constant_areas(window[0], max(window[1], int(councils()["first_year"].max())))
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


def _join(part: str, councils_and_year: Sequence[tuple[str, int]], found: _Figures) -> tuple[float, str]:
    """Return value and status of one part for the councils of one row."""
    figures = [found.get(key, (np.nan, "not_listed")) for key in councils_and_year]
    if len(figures) == 1:
        return figures[0]
    if part in _RATES:
        return np.nan, "not_comparable"
    status = max((status for _, status in figures), key=STATUS_ORDER.index)
    return (sum(value for value, _ in figures), status) if status in HAS_VALUE else (np.nan, status)


def _deflator(returns: pd.DataFrame) -> dict[int, Price]:
    """Return the GDP deflator of each year as a proportion of that of the price year.

    After the last year of the index it is carried on by the forecast change, which makes it an estimate.
    """
    held = {
        measure: dict(zip(rows["year"].tolist(), rows["value"].tolist(), strict=True))
        for measure, rows in returns[returns["value"].notna()].groupby("measure", observed=True)
        if measure in ("gdp_deflator", "gdp_deflator_change")
    }
    index, change = held.get("gdp_deflator", {}), held.get("gdp_deflator_change", {})
    if PRICE_YEAR not in index:
        return {}
    base = index[PRICE_YEAR]
    prices: dict[int, Price] = {year: (value / base, "published") for year, value in index.items()}
    for year in range(max(index) + 1, max(change, default=0) + 1):
        if year not in change:
            break
        prices[year] = (prices[year - 1][0] * (1 + change[year] / 100), "estimated")
    return prices


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


def drop_columns_not_held(panel: pd.DataFrame) -> pd.DataFrame:
    """Return a panel without the outcomes that no file at hand holds for any year: what is committed.

    Parameters
    ----------
    panel
        A panel with every column.

    Returns
    -------
    pandas.DataFrame
        The same rows. :func:`load_panel` puts the columns back, each with the status ``not_held``.
    """
    every = (*OUTCOMES, *ASCOF_OUTCOMES, *VARIANTS)
    lacking = [name for name in every if panel[f"{name}_status"].eq("not_held").all()]
    return panel.drop(columns=[*lacking, *(f"{name}_status" for name in lacking)])


def _with_columns_not_held(table: pd.DataFrame) -> pd.DataFrame:
    """Return the committed columns in the order of a panel just built, and those with nothing held."""
    last = "imd_2019"
    columns: dict[str, Any] = {name: table[name] for name in _HEAD}
    for name in (*OUTCOMES, *ASCOF_OUTCOMES, *VARIANTS):
        columns[name] = table.get(name, np.nan)
        columns[f"{name}_status"] = table.get(f"{name}_status", "not_held")
    return pd.DataFrame({**columns, last: table[last]}, index=table.index)


def _typed(table: pd.DataFrame, attrs: dict[Hashable | None, Any]) -> pd.DataFrame:
    """Give columns their types, in one piece of memory, and the panel its provenance."""
    columns: dict[Hashable, Any] = {}
    for name, column in table.items():
        if pd.api.types.is_bool_dtype(column):
            columns[name] = column.astype("bool")
        elif pd.api.types.is_integer_dtype(column):
            columns[name] = column.astype("int64")
        elif pd.api.types.is_float_dtype(column):
            columns[name] = column.astype("float64")
        else:
            columns[name] = column.astype("string")
    panel = pd.DataFrame(columns)
    panel.attrs = attrs
    return shown_as_panel(panel)
