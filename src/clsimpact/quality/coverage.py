"""Who submitted what: figures by council, year and return, by status."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pandas as pd

from clsimpact.loaders.returns import STATUSES

if TYPE_CHECKING:
    from clsimpact.quality._material import Material

__all__ = ["COVERAGE_COLUMNS", "coverage"]

COVERAGE_COLUMNS: Final[tuple[str, ...]] = (
    "ons_code",
    "name",
    "region",
    "year",
    "return_",
    *STATUSES,
    "figures",
    "given",
)


def coverage(material: Material) -> pd.DataFrame:
    """Count the figures of every council, year and return by status.

    Parameters
    ----------
    material
        The prepared returns.

    Returns
    -------
    pandas.DataFrame
        :data:`COVERAGE_COLUMNS`: one row for every council of every year for which a return lists most
        councils, also where it does not list this one (``figures`` is then 0); of a return that lists few
        councils, a row for those. ``given`` counts figures that the council submitted: with a value, an
        answer, or withheld because small. A figure that is printed in several tables counts each time.
    """
    rows = material.council_rows[["code", "year", "return_", "status"]]
    rows = rows.astype({"status": "object"})
    wide = pd.crosstab([rows["code"], rows["year"], rows["return_"]], rows["status"])
    wide = wide.reindex(columns=list(STATUSES), fill_value=0).reset_index()
    wide.columns = pd.Index([str(column) for column in wide.columns])
    wide = wide.astype({"code": "string", "return_": "string", "year": "int64"})
    listed = material.listed.astype({"code": "string", "year": "int64"})
    many = wide.groupby(["year", "return_"]).size().rename("listing").reset_index()
    every = listed.merge(many, on="year")
    most = every["listing"] > every.groupby(["year", "return_"])["code"].transform("size") / 2
    table = every.merge(wide, on=["code", "year", "return_"], how="left")
    table = table[most | table["published"].notna()]
    table[list(STATUSES)] = table[list(STATUSES)].fillna(0).astype("int64")
    table["figures"] = table[list(STATUSES)].sum(axis=1)
    table["given"] = table["figures"] - table["not_submitted"] - table["not_applicable"]
    table = table.rename(columns={"code": "ons_code"})[list(COVERAGE_COLUMNS)]
    text = ["ons_code", "name", "region", "return_"]
    table = table.astype(dict.fromkeys(text, "string"))
    return table.sort_values(["return_", "year", "ons_code"], ignore_index=True)
