"""The library's own study as a set of specifications."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final, TypedDict

import pandas as pd

from clsimpact.diagnostics._specification_inputs import Controls, Estimator, RowFilter
from clsimpact.errors import PanelError, did_you_mean
from clsimpact.estimators import group_time
from clsimpact.treatment import tag_adoption

__all__ = ["StudySpecifications", "study_specifications"]

OUTCOMES: Final[Mapping[str, str]] = {
    "per adult": "gce_per_adult",
    "per adult aged 18 to 64": "gce_per_adult_18_64",
    "per adult aged 65 and over": "gce_per_adult_65_plus",
}

DATES: Final[Mapping[str, Mapping[str, Any]]] = {
    "best guess": {},
    "earliest possible": {"date": "earliest"},
    "latest possible": {"date": "latest"},
    "first full year": {"part_year": "first_full"},
    "undated as controls": {"undated": "control"},
    "undated from latest year": {"undated": "treated_from_latest"},
}
TINY: Final = ("E09000001", "E06000053")
"""City of London and Isles of Scilly."""


class StudySpecifications(TypedDict):
    """Arguments of `specification_curve`, to change before use."""

    data: dict[str, pd.DataFrame]
    outcomes: dict[str, str]
    unit: str
    time: str
    cohort: str
    names: str
    samples: dict[str, RowFilter | None]
    controls: dict[str, Controls]
    estimators: dict[str, str | Estimator]


def study_specifications(
    panel: pd.DataFrame, adoption: pd.DataFrame, *, outcomes: Sequence[str] | Mapping[str, str] = OUTCOMES
) -> StudySpecifications:
    """Lay out the usual specifications of the official panel.

    The defaults are the study's choices of `clsimpact.report.sensitivity.sensitivity_table`, all combined:
    spending per adult in all and by age band; all years, without the pandemic years, without the two smallest
    councils; all controls, or those outside London or without counties; six readings of the evidence on
    dates; seven estimators. 3 x 4 x 3 x 6 x 7 = 1,512 specifications.

    Parameters
    ----------
    panel
        Such as `clsimpact.load_panel` gives.
    adoption
        Such as `clsimpact.load_adoption` gives.
    outcomes
        Columns of the panel, or columns by label, the main one first.

    Returns
    -------
    StudySpecifications
        A dictionary of arguments: ``specification_curve(**study_specifications(panel, adoption))``.

    Raises
    ------
    PanelError
        If the panel lacks a column.
    AdoptionError
        As `clsimpact.tag_adoption`.

    Examples
    --------
    >>> import clsimpact as ci
    >>> study = study_specifications(ci.load_panel(), ci.load_adoption(), outcomes=["gce_per_adult"])
    >>> list(study["data"])[:2], len(study["estimators"])
    (['best guess', 'earliest possible'], 7)
    """
    columns = {str(n): str(n) for n in outcomes}
    if isinstance(outcomes, Mapping):
        columns = {str(n): str(column) for n, column in outcomes.items()}
    known = [str(name) for name in panel.columns]
    needed = ["ons_code", "year", "name", "region", "council_type", *columns.values()]
    lacking = [f"no column {name!r}{did_you_mean(name, known)}" for name in needed if name not in known]
    if lacking:
        raise PanelError("The panel lacks what the study needs.", lacking, repair="Use load_panel().")
    extra = ["simulated"] if "simulated" in known else []
    slim = panel[[*needed, *extra]]
    return {
        "data": {name: tag_adoption(slim, adoption, **how) for name, how in DATES.items()},
        "outcomes": columns,
        "unit": "ons_code",
        "time": "year",
        "cohort": "adoption_year",
        "names": "name",
        "samples": {
            "all years": None,
            "without 2020-21": _not_in("year", (2020,)),
            "before 2020-21": _not_in("year", tuple(range(2020, 2100))),
            "without City, Scilly": _not_in("ons_code", TINY),
        },
        "controls": {
            "all": None,
            "outside London": _not_in("region", ("London",)),
            "no counties": _not_in("council_type", ("county",)),
        },
        "estimators": {
            "two-way": "twfe",
            "event study": "event_study",
            "group-time": "group_time",
            "group-time, not yet": partial(group_time, control="not_yet"),
            "imputation": "imputation",
            "Sun-Abraham": "sun_abraham",
            "stacked": "stacked",
        },
    }


def _not_in(column: str, values: tuple[Any, ...]) -> Callable[[pd.DataFrame], Any]:
    return partial(_outside, column=column, values=values)


def _outside(rows: pd.DataFrame, *, column: str, values: tuple[Any, ...]) -> Any:
    return ~rows[column].isin(values)
