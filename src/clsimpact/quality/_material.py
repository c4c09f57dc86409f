"""A returns table prepared once for all rules: who existed when, and which figures say the same."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clsimpact.errors import PanelError
from clsimpact.geography import constant_areas, council_codes, councils, regions
from clsimpact.loaders.returns import COLUMNS, DIMENSIONS
from clsimpact.quality._series import council_parts, council_series
from clsimpact.quality._totals import ENGLAND, compare_totals
from clsimpact.quality.coverage import coverage

__all__ = ["NOT_SUBMITTED_BY_COUNCILS", "SIMULATED", "Material", "group_numbers"]

SIMULATED: Final = "simulated_"
"""How the ids of made-up sources begin."""
NOT_SUBMITTED_BY_COUNCILS: Final = ("MYE", "IoD", "GDP deflator", "Overview")
"""What stands in a returns table without being a return: populations, deprivation, prices, a summary page."""

_IDENTITY: Final = ("measure", "return_", "unit", *DIMENSIONS)


def _codes(column: pd.Series[Any], *, total_is_missing: bool) -> NDArray[np.int64]:
    """Return a number for every word of a column; -1 where missing, and for ``Total`` if asked."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        codes, words = column.cat.codes.to_numpy("int64"), pd.Index(column.cat.categories)
    else:
        codes, words = pd.factorize(column)
    if total_is_missing and "Total" in words:
        codes = np.where(codes == words.get_loc("Total"), -1, codes)
    return np.asarray(codes, dtype="int64")


def group_numbers(rows: pd.DataFrame, columns: Sequence[str]) -> NDArray[np.int64]:
    """Return a number for each row: the same for rows with the same words in some columns.

    ``Total`` and a missing word are the same in a dimension: a table that is not broken down prints the
    total.

    Parameters
    ----------
    rows
        Rows of a returns table.
    columns
        What must agree.

    Returns
    -------
    numpy.ndarray
        One number a row, from 0, in the order of first appearance.

    Examples
    --------
    >>> table = pd.DataFrame({"measure": ["a", "a", "b"], "sequel": [None, "Total", None]})
    >>> group_numbers(table, ["measure", "sequel"]).tolist()
    [0, 0, 1]
    """
    numbers = np.zeros(len(rows), dtype="int64")
    for column in columns:
        codes = _codes(rows[column], total_is_missing=column in DIMENSIONS)
        if len(codes) and codes.min() != codes.max():
            numbers = pd.factorize(numbers * (codes.max() + 2) + codes + 1)[0].astype("int64")
    return numbers


class Material:
    """What the rules look at. Nothing in it is ever changed.

    Parameters
    ----------
    returns
        A returns table.
    panel
        A panel, whose outcomes are named where suppression hits them.

    Raises
    ------
    PanelError
        If the table lacks columns, or holds no council figure of a return.
    """

    def __init__(self, returns: pd.DataFrame, panel: pd.DataFrame | None = None) -> None:
        lacking = [f"no column {name!r}" for name in COLUMNS if name not in returns]
        if lacking:
            raise PanelError("This is no returns table.", lacking, repair="Use clsimpact.load_returns().")
        self.returns = returns
        self.panel = panel
        chosen = ~returns["return_"].isin(NOT_SUBMITTED_BY_COUNCILS) & returns["return_"].notna()
        self.submitted = returns[chosen & returns["year"].notna()]
        if not (self.submitted["level"] == "council").any():
            raise PanelError(
                "The returns hold no council figure of a return.",
                repair="Use the whole returns table: clsimpact.load_returns().",
            )

    @functools.cached_property
    def identity(self) -> pd.Series[int]:
        """What each figure of :attr:`submitted` says, as a number: the same in every publication."""
        rows = self.submitted
        ascof = rows["return_"].isin(["ASCOF"])  # its detail is the number of the measure, which changed
        rows = rows[list(_IDENTITY)].assign(detail=rows["detail"].mask(ascof))
        return pd.Series(group_numbers(rows, _IDENTITY), index=rows.index)

    @functools.cached_property
    def years(self) -> range:
        """All years from the first to the last for which the returns hold figures of councils."""
        years = self.submitted.loc[self.submitted["level"] == "council", "year"]
        return range(int(years.min()), int(years.max()) + 1)

    @functools.cached_property
    def publication_order(self) -> dict[str, tuple[int, str]]:
        """For each source the last year it speaks of: a later publication speaks of a later year."""
        last = self.returns.groupby("source_id", observed=True)["year"].max()
        return {str(source): (int(year), str(source)) for source, year in last.dropna().items()}

    @functools.cached_property
    def held_codes(self) -> dict[tuple[str, int], str]:
        """The code in force that year for a code and a year, also under a newer or older code of the area."""
        return _held_codes(self.years)

    @functools.cached_property
    def lines(self) -> dict[str, str]:
        """Every council code to the code of its line through time: renamed councils are one line."""
        newest: dict[str, str] = {}
        for area in _renamed(self.years):
            newest.update(dict.fromkeys(area, area[-1]))
        return {code: newest.get(code, code) for code in councils()["ons_code"]}

    @functools.cached_property
    def council_rows(self) -> pd.DataFrame:
        """The council figures of :attr:`submitted` under the code in force, and no others; ``code`` is it."""
        rows = self.submitted[self.submitted["level"] == "council"]
        rows = rows.assign(code=self.in_force(rows)).dropna(subset=["code"])
        # A table that compares years lists old and new codes: one not in force is blank, and says nothing.
        blank = rows["status"].isin(["not_submitted", "not_applicable"])
        chosen: pd.DataFrame = rows[~blank | (rows["code"] == rows["ons_code"].astype("string"))]
        return chosen

    def in_force(self, rows: pd.DataFrame) -> pd.Series[Any]:
        """Return the code in force for each council row; missing where no council of that code existed."""
        pairs = rows[["ons_code", "year"]].drop_duplicates()
        keys = zip(pairs["ons_code"].astype("object"), pairs["year"].astype("int64"), strict=True)
        pairs = pairs.astype({"ons_code": "object"})
        pairs["code"] = [self.held_codes.get(key) for key in keys]
        pairs = pairs.astype({"code": "string"})
        codes = rows[["ons_code", "year"]].astype({"ons_code": "object"})
        return codes.merge(pairs, on=["ons_code", "year"], how="left")["code"].set_axis(rows.index)

    @functools.cached_property
    def listed(self) -> pd.DataFrame:
        """Every council of every year: ``code, year, name, region, region_code``."""
        parts = [councils(year).assign(year=year) for year in self.years]
        every = pd.concat(parts, ignore_index=True).rename(columns={"ons_code": "code"})
        return every[["code", "year", "name", "region", "region_code"]]

    @functools.cached_property
    def areas(self) -> pd.DataFrame:
        """Name and region of every code: councils, regions, England."""
        table = councils().drop_duplicates("ons_code", keep="last").set_index("ons_code")[["name", "region"]]
        names = pd.Series(regions() | {ENGLAND: "England"}, name="name")
        return pd.concat([table, pd.DataFrame({"name": names, "region": names})])

    @functools.cached_property
    def coverage(self) -> pd.DataFrame:
        """Figures by council, year, return and status."""
        return coverage(self)

    @functools.cached_property
    def totals(self) -> pd.DataFrame:
        """Totals of regions and England beside the sums of their councils."""
        return compare_totals(self)

    @functools.cached_property
    def parts(self) -> pd.DataFrame:
        """The council figures that the series, and the outcomes, are made of."""
        return council_parts(self)

    @functools.cached_property
    def series(self) -> pd.DataFrame:
        """The rates, shares and amounts that are followed through time."""
        return council_series(self)

    @property
    def simulated(self) -> bool:
        """Whether a figure comes from a made-up publication."""
        return any(str(source).startswith(SIMULATED) for source in self.returns["source_id"].unique())


@functools.cache
def _renamed(years: range) -> list[list[str]]:
    """Return the codes, in order of time, of areas that were one council throughout under several codes."""
    members = {area.code: area.members for area in constant_areas(years[0], years[-1]).values()}
    table = councils().set_index("ons_code")["first_year"]
    found = []
    for codes in members.values():
        alone = all(sum(code in council_codes(year) for code in codes) <= 1 for year in years)
        if len(codes) > 1 and alone:
            found.append(sorted(codes, key=lambda code: (int(table[code]), code)))
    return found


@functools.cache
def _held_codes(years: range) -> dict[tuple[str, int], str]:
    held = {(code, year): code for year in years for code in council_codes(year)}
    first, last = int(councils()["first_year"].min()), int(councils()["first_year"].max())
    for codes in _renamed(range(min(years[0], first), max(years[-1], last) + 1)):
        for year in years:
            current = next((code for code in codes if (code, year) in held), None)
            if current is not None:
                held |= {(code, year): current for code in codes if (code, year) not in held}
    return held
