"""The data dictionary: what every column of the panel means, its unit, its source and its years."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Final, NamedTuple

import pandas as pd

from clsimpact._asked import kind_of
from clsimpact._parts import ASCOF_MEASURES
from clsimpact.errors import PanelError, did_you_mean
from clsimpact.loaders.labels import read_toml
from clsimpact.outcomes import OUTCOMES, VARIANTS, Outcome
from clsimpact.store import read_parquet
from clsimpact.years import spans

__all__ = ["ASCOF_OUTCOMES", "ColumnFact", "column_facts", "describe"]

_ASCOF_LABELS: Final[Mapping[str, str]] = {
    "sequel_to_short_term_support": "Short-term support that ended with no further or lower-level support",
    "care_home_admissions_18_64": "Care-home admissions per 100,000, aged 18 to 64",
    "care_home_admissions_65_plus": "Care-home admissions per 100,000, aged 65 and over",
    "reablement_still_home_91_days": "Older people still at home 91 days after reablement",
    "offered_reablement": "Older people offered reablement on discharge from hospital",
    "self_directed_support": "People with self-directed support",
    "direct_payments": "People with direct payments",
    "carers_self_directed_support": "Carers with self-directed support",
    "carers_direct_payments": "Carers with direct payments",
    "learning_disability_employment": "Adults with a learning disability in paid employment",
    "learning_disability_settled_home": "Adults with a learning disability in their own home or with family",
}


class ColumnFact(NamedTuple):
    """What the data dictionary says of one column."""

    name: str
    label: str
    unit: str
    definition: str
    source: str


def _ascof() -> dict[str, Outcome]:
    facts = read_toml("ascof_measures.toml")
    return {
        name: Outcome(
            name=name,
            label=_ASCOF_LABELS[name],
            unit=facts[name]["unit"],
            definition=facts[name]["definition"],
            source=f"ASCOF, from {facts[name]['source']}",
            publication="ascof",
        )
        for name in ASCOF_MEASURES
    }


ASCOF_OUTCOMES: Final[Mapping[str, Outcome]] = _ascof()
"""Secondary outcomes: the ASCOF measures that come from SALT, under one name whatever their code was."""

_POPULATIONS: Final = "ONS mid-year population estimates"
_BASE: Final = (
    ColumnFact(
        "ons_code",
        "Area code",
        "",
        "ONS code of the council, or of the councils of a merged area joined by +",
        "ONS",
    ),
    ColumnFact(
        "cassr_code",
        "Social-care code",
        "",
        "code of the council with adult social services responsibilities",
        "NHS Digital",
    ),
    ColumnFact("name", "Area", "", "name of the council or merged area", "NHS Digital"),
    ColumnFact("region", "Region", "", "region of England", "ONS"),
    ColumnFact("region_code", "Region code", "", "ONS code of the region", "ONS"),
    ColumnFact(
        "council_type",
        "Council type",
        "",
        "county, unitary, metropolitan district, inner or outer London borough",
        "NHS Digital",
    ),
    ColumnFact(
        "year",
        "Financial year (start)",
        "year",
        "calendar year in which the financial year starts: 2016 is 2016-17",
        "",
    ),
    ColumnFact("year_label", "Financial year", "", "the financial year as official statistics write it", ""),
    ColumnFact(
        "population_18_64",
        "Residents aged 18 to 64",
        "people",
        "mid-year estimate of the year in which the financial year starts; 2021-22 uses mid-2020 as the "
        "publisher does; 2014-15 uses mid-2015 and 2023-24 mid-2022 (both estimated)",
        _POPULATIONS,
    ),
    ColumnFact(
        "population_65_plus", "Residents aged 65 and over", "people", "as population_18_64", _POPULATIONS
    ),
    ColumnFact(
        "population_18_plus",
        "Residents aged 18 and over",
        "people",
        "population_18_64 + population_65_plus (of the same mid-year)",
        _POPULATIONS,
    ),
    ColumnFact(
        "population_status",
        "Status of the population",
        "",
        "estimated where another year's estimate stands in; not_listed where the estimates are on another "
        "geography",
        "",
    ),
    ColumnFact(
        "imd_2019",
        "Deprivation",
        "score",
        "index of multiple deprivation 2019, average score of the upper-tier authority (higher is more "
        "deprived); population-weighted in merged areas",
        "English Indices of Deprivation 2019, File 11",
    ),
)


@functools.cache
def column_facts() -> Mapping[str, ColumnFact]:
    """Return what is known of every column of the panel, status columns included.

    Returns
    -------
    mapping
        Name of the column to its label, unit, definition and source.

    Examples
    --------
    >>> column_facts()["population_18_plus"].unit
    'people'
    """
    facts = {fact.name: fact for fact in _BASE}
    for outcome in (*OUTCOMES.values(), *ASCOF_OUTCOMES.values(), *VARIANTS.values()):
        facts[outcome.name] = ColumnFact(
            outcome.name, outcome.label, outcome.unit, outcome.definition, outcome.source
        )
        status = f"{outcome.name}_status"
        reason = f"published, estimated, or why {outcome.name} is missing"
        facts[status] = ColumnFact(status, f"Status of {outcome.name}", "", reason, "")
    return facts


def describe(column: str | None = None) -> pd.DataFrame:
    """Return the data dictionary of the panel.

    Parameters
    ----------
    column
        One column; all of them if omitted.

    Returns
    -------
    pandas.DataFrame
        ``column, label, unit, definition, source, years``, where ``years`` are those with a value for at
        least one area.

    Raises
    ------
    PanelError
        If the panel has no such column, or it is not one name.

    Examples
    --------
    >>> describe("gce_per_adult")["unit"].item()
    '£ per adult, 2021-22 prices'
    """
    facts = column_facts()
    if column is not None and not isinstance(column, str):
        raise PanelError(
            f"describe takes the name of one column, not {kind_of(column)}.",
            repair="Ask for one at a time, describe('gce_per_adult'), or for all of them, describe().",
        )
    if column is not None and column not in facts:
        raise PanelError(
            f"The panel has no column {column!r}{did_you_mean(str(column), list(facts))}.",
            repair="See clsimpact.describe().",
        )
    panel = read_parquet("panel")
    rows = []
    for fact in facts.values() if column is None else [facts[column]]:
        held = sorted(panel.loc[panel[fact.name].notna(), "year"].unique()) if fact.name in panel else []
        rows.append({"column": fact.name, **fact._asdict(), "years": spans([int(year) for year in held])})
    return pd.DataFrame(rows).drop(columns="name")
