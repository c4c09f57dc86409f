"""The list of adopters beside a design: whom each row is about, and the years that its evidence allows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clsimpact._adopters import YEARS, find_adopters
from clsimpact.errors import AdoptionError, DesignError, did_you_mean
from clsimpact.treatment import _typed

if TYPE_CHECKING:
    from clsimpact.design import Design

__all__ = ["Listed", "dated", "is_council", "listed", "options", "shift_of"]

Floats = NDArray[np.float64]

_NO_YEAR = 1e5
"""No number as large as this is a year; text-book panels write 0, 10000 or infinity for never."""


class Listed(NamedTuple):
    """One row of a list of adopters.

    Attributes
    ----------
    name : str
        What messages call it.
    label : object
        Its unit, as the list writes it.
    units : tuple
        Units of the panel that it is about: several where others took over, none where it is absent.
    year, earliest, latest : int or None
    """

    name: str
    label: Any
    units: tuple[Any, ...]
    year: int | None
    earliest: int | None
    latest: int | None

    @property
    def years(self) -> tuple[int, ...]:
        """Every year that the evidence allows; none where no year is known."""
        known = [year for year in (self.earliest, self.year, self.latest) if year is not None]
        return tuple(range(min(known), max(known) + 1)) if known else ()


def is_council(design: Design) -> bool:
    """Whether units are councils by ONS code."""
    return design.unit == "ons_code"


def listed(design: Design, adoption: pd.DataFrame, units: Iterable[Any]) -> list[Listed]:
    """Return the rows of a list, matched to the units of a panel (councils as `tag_adoption` does it).

    Raises
    ------
    DesignError
        The list lacks the column of units or of years, or cannot be read.
    """
    names = [str(column) for column in adoption.columns]
    year = YEARS[0] if YEARS[0] in names else design.cohort
    lost = [f"{need!r}{did_you_mean(need, names)}" for need in (design.unit, year) if need not in names]
    if lost:
        raise DesignError(
            "The list of adopters lacks columns.",
            lost,
            repair=f"Give {design.unit}, adoption_year, earliest_year and latest_year.",
        )
    if is_council(design):
        return _councils(adoption, units)
    present = set(units)
    rows = []
    for row in adoption.rename(columns={year: YEARS[0]}).to_dict("records"):
        label = row[design.unit]
        dates = [_year(row.get(column)) for column in YEARS]
        name = str(row.get("la_name") or row.get("name") or label)
        rows.append(Listed(name, label, (label,) if label in present else (), *dates))
    return rows


def _councils(adoption: pd.DataFrame, units: Iterable[Any]) -> list[Listed]:
    try:
        table = _typed(adoption, "The adoption list", first_row=0)
    except AdoptionError as error:
        raise DesignError(error.summary, error.problems, repair=error.repair) from error
    found = find_adopters(pd.DataFrame({"ons_code": list(units)}), table, YEARS[0])
    return [Listed(row.name, row.code, row.areas, *row.given) for row in found]


def _year(value: object) -> int | None:
    number = pd.to_numeric(pd.Series([value]), errors="coerce").iloc[0]
    return int(number) if pd.notna(number) and 0 < float(number) < _NO_YEAR else None


def shift_of(design: Design) -> int:
    """Return the years from a listed year to the cohort: 1 where `tag_adoption` takes full years only."""
    tagged = design.provenance["data"].get("adoption")
    choices = tagged.get("choices", {}) if isinstance(tagged, dict) else {}
    return int(choices.get("part_year") == "first_full")


def options(design: Design, years: Iterable[int]) -> tuple[int, ...]:
    """Return the cohorts that differ in this panel.

    All that leave no period before adoption are one, and so are all after the last period.
    """
    first = design.periods[0] + design.anticipation
    last = design.periods[-1] + design.anticipation + 1
    return tuple(sorted({min(max(year, first), last) for year in years}))


def dated(design: Design, cohorts: Floats) -> Design:
    """Return the design with other dates, without units that would then be treated throughout.

    `Design` drops those, unless it was told to keep them.
    """
    new = design.with_cohorts(cohorts)
    if design.always_treated == "keep":
        return new
    before = np.bincount(new.unit_codes, weights=~new.treated, minlength=len(new.units))
    if (before > 0).all():
        return new
    return new.restrict(before[new.unit_codes] > 0, reason="treated in every period with these dates")
