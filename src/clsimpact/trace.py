"""From a number of the panel back to the cells of the publications: which, in which file, table and place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd

from clsimpact._content import find_cells
from clsimpact._derive import Parts
from clsimpact._parts import FIRST_YEAR, PARTS, mid_year
from clsimpact._provenance import denominators, is_simulated
from clsimpact._status import Known
from clsimpact.dictionary import ASCOF_OUTCOMES
from clsimpact.errors import PanelError, did_you_mean
from clsimpact.geography import constant_areas, council_codes
from clsimpact.outcomes import EVERY_OUTCOME
from clsimpact.panel import PANEL_YEARS, PRICE_YEAR, area_codes

__all__ = ["TRACE_COLUMNS", "parts_of", "trace"]

TRACE_COLUMNS: Final = (
    "ons_code", "name", "year", "part", "council_code", "value", "status", "source_id", "table", "cell",
)  # fmt: skip
"""What a trace says of each cell."""
_LAST_YEAR: Final = 2023
"""The last year that a panel can have."""
_AGES: Final = {"population_18_64": "18 to 64", "population_65_plus": "65 and over"}


class _Reader(Parts):
    """Parts that remember which of them were read."""

    def __init__(self) -> None:
        super().__init__(pd.DataFrame(), pd.DataFrame())
        self.asked: dict[str, None] = {}

    def __getitem__(self, name: str) -> Known:
        self.asked[name] = None
        return Known(np.ones(1), np.array(["published"], dtype=object))

    def withheld(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        self.asked[name] = None
        return np.zeros(1), np.zeros(1)


def parts_of(outcome: str) -> tuple[str, ...]:
    """Return the names of the figures that an outcome is made of.

    Parameters
    ----------
    outcome
        Column of the panel.

    Returns
    -------
    tuple of str
        Parts of the returns, populations and ``deflator``.

    Raises
    ------
    PanelError
        If there is no such outcome.

    Examples
    --------
    >>> parts_of("gce_per_adult")
    ('gce', 'deflator', 'population_18_64', 'population_65_plus')
    """
    if outcome in ASCOF_OUTCOMES:
        return (outcome,)
    known = EVERY_OUTCOME.get(outcome)
    if known is None:
        raise PanelError(
            f"No outcome {outcome!r}{did_you_mean(outcome, [*EVERY_OUTCOME, *ASCOF_OUTCOMES])}.",
            repair="clsimpact.describe() lists the outcomes.",
        )
    if known.derive is None:
        return (outcome,)
    reader = _Reader()
    known.derive(reader)
    return tuple(reader.asked)


def trace(panel: pd.DataFrame, returns: pd.DataFrame, outcome: str) -> pd.DataFrame:
    """Say which cells of the publications the values of an outcome were computed from.

    Parameters
    ----------
    panel
        As :func:`clsimpact.load_panel` gives, or rows of it: ``ons_code, name, year`` and the outcome.
    returns
        The returns that the panel was built from.
    outcome
        Column of the panel.

    Returns
    -------
    pandas.DataFrame
        :data:`TRACE_COLUMNS`, a row per cell, for the panel's rows with a value; ``value`` is in the unit of
        the publication (people, requests, £000). ``year`` is the panel's; ``council_code`` is the council as
        published (several for merged areas; empty for prices). Populations and prices are named with their
        files. Prices are the parts ``deflator`` (the index) and ``deflator_base`` (that of 2021-22); after
        the last year of the index the last one stands with a ``deflator_change`` (per cent) for each year
        since. Money that a file prints only in parts has a row for each cell that was added up.

    Raises
    ------
    PanelError
        If there is no such outcome, the panel does not have it, or its areas are none that the library knows.

    Examples
    --------
    >>> import clsimpact as ci
    >>> panel = ci.load_panel()
    >>> cells = trace(panel[panel["name"].eq("Leeds")], ci.load_returns(), "gce_per_adult")
    >>> cells[cells["part"].eq("gce") & cells["year"].eq(2021)][["value", "table", "cell"]].to_dict("records")
    [{'value': 301796.0, 'table': 'T15', 'cell': 'M64'}]
    """
    wanted = parts_of(outcome)
    if outcome not in panel:
        raise PanelError(f"The panel has no column {outcome!r}.", repair="Use load_panel().")
    lacking = [name for name in ("ons_code", "name", "year") if name not in panel]
    if lacking:
        raise PanelError(f"The panel has no column {', '.join(lacking)}.", repair="Use load_panel().")
    keys = panel.loc[panel[outcome].notna(), ["ons_code", "name", "year"]]
    rows = keys.astype({"ons_code": str, "name": str, "year": "int64"})
    years = sorted({int(year) for year in rows["year"]})
    home = _home(panel, years)
    tables = [make(returns, wanted, years) for make in (_figures, _people, _prices)]
    held = [table for table in tables if len(table)]
    if not held:
        return pd.DataFrame(columns=list(TRACE_COLUMNS))
    return _of_areas(rows, pd.concat(held, ignore_index=True), home)


def _figures(returns: pd.DataFrame, wanted: Sequence[str], years: Sequence[int]) -> pd.DataFrame:
    """Return the cells of councils of their year; files also list councils that are no more, or not yet."""
    questions = {part.name: (part.measure, part.words) for part in PARTS if part.name in wanted}
    if not questions:
        return pd.DataFrame()
    whole = {part.name: (part.measure, part.words) for part in PARTS}
    money = any(measure == "gross_current_expenditure" for measure, _ in questions.values())
    asked = {
        name: it for name, it in whole.items() if name in questions or (money and name.startswith("gce"))
    }
    found = find_cells(returns, asked, years)
    found = found[found["part"].isin(questions)]
    councils = {year: set(council_codes(year)) for year in years}
    pairs = zip(found["ons_code"], found["year"], strict=True)
    of_its_year = [str(code) in councils[int(year)] for code, year in pairs]
    return found[of_its_year].rename(columns={"ons_code": "council_code"})


def _people(returns: pd.DataFrame, wanted: Sequence[str], years: Sequence[int]) -> pd.DataFrame:
    """Return the cells of residents, by the councils of the year of the estimate's file."""
    rows = denominators(returns, simulated=is_simulated(returns))
    tables = []
    for part in (name for name in wanted if name in _AGES):
        for year in years:
            source = f"population_mid_{mid_year(year)[0]}"
            chosen = (
                rows["source_id"].eq(source) & rows["measure"].eq("population") & rows["level"].eq("council")
            )
            chosen &= rows["age_band"].eq(_AGES[part]) & rows["ons_code"].notna()
            held = rows.loc[
                chosen.fillna(False).astype(bool),
                ["ons_code", "value", "status", "source_id", "table", "cell"],
            ]
            tables.append(held.rename(columns={"ons_code": "council_code"}).assign(part=part, year=year))
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def _prices(returns: pd.DataFrame, wanted: Sequence[str], years: Sequence[int]) -> pd.DataFrame:
    """Return the cells that the price level of each year is made of."""
    if "deflator" not in wanted:
        return pd.DataFrame()
    rows = denominators(returns, simulated=is_simulated(returns))
    rows = rows[rows["value"].notna()].drop_duplicates(["measure", "year"], keep="last")
    index, change = (
        rows[rows["measure"].eq(name)].set_index("year") for name in ("gdp_deflator", "gdp_deflator_change")
    )
    tables = [pd.DataFrame()]
    for year in years if PRICE_YEAR in index.index else ():
        last = min(year, int(index.index.max()))
        tables.append(_price(index, [last], "deflator", year))
        tables.append(_price(index, [PRICE_YEAR], "deflator_base", year))
        tables.append(_price(change, range(last + 1, year + 1), "deflator_change", year))
    return pd.concat([table for table in tables if len(table)], ignore_index=True)


def _price(rows: pd.DataFrame, of: Iterable[int], part: str, year: int) -> pd.DataFrame:
    held = rows.loc[list(of), ["value", "status", "source_id", "table", "cell"]]
    return held.reset_index(drop=True).assign(part=part, year=year, council_code="")


def _home(panel: pd.DataFrame, years: Sequence[int]) -> dict[int, dict[str, str]]:
    """Return, by year, the panel's area of every council; of a population's council also in later codes."""
    if panel.attrs.get("boundaries") == "as_reported":
        return _as_reported(years)
    codes = {str(code) for code in panel["ons_code"].unique()}
    own = (int(panel["year"].min()), int(panel["year"].max()))
    for window in (PANEL_YEARS, own, (FIRST_YEAR, _LAST_YEAR)):
        areas = constant_areas(*window)
        if codes <= {area.code for area in areas.values()}:
            return dict.fromkeys(years, area_codes(areas, window))
    raise PanelError(
        "The areas of the panel are none that the library knows.", repair="Use load_panel() or build_panel()."
    )


def _as_reported(years: Sequence[int]) -> dict[int, dict[str, str]]:
    """Return each council as itself; of an area that one council of the year covers, every code as that."""
    window = (FIRST_YEAR, _LAST_YEAR)
    area = area_codes(constant_areas(*window), window)
    found = {}
    for year in years:
        members: dict[str, list[str]] = {}
        for code in council_codes(year):
            members.setdefault(area[code], []).append(code)
        alone = {name: codes[0] for name, codes in members.items() if len(codes) == 1}
        found[year] = {code: alone.get(name, code) for code, name in area.items()}
    return found


def _of_areas(rows: pd.DataFrame, found: pd.DataFrame, home: Mapping[int, Mapping[str, str]]) -> pd.DataFrame:
    """Give each cell to the area of the panel that holds its council; prices to every area."""
    found = found.astype({"council_code": str, "year": "int64"})
    pairs = zip(found["council_code"], found["year"], strict=True)
    found["ons_code"] = [home[year].get(code, "") for code, year in pairs]
    of_all = found[found["council_code"].eq("")].drop(columns="ons_code")
    own = rows.merge(found[found["ons_code"].ne("")], on=["ons_code", "year"])
    made = pd.concat([own, rows.merge(of_all, on="year")], ignore_index=True)
    made = made.sort_values(["ons_code", "year", "part", "council_code"], kind="stable", ignore_index=True)
    for name in ("status", "source_id", "table", "cell"):
        made[name] = made[name].astype(str)
    made["value"] = pd.to_numeric(made["value"]).astype("float64")
    return made[list(TRACE_COLUMNS)]
