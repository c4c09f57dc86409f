"""Small lists of adopters, and what a tagged panel says."""

from __future__ import annotations

from typing import Any

import pandas as pd

from clsimpact.treatment import load_adoption, tag_adoption
from tests.panel_helpers import built

LEEDS, YORK, DERBY, BARNSLEY = "E08000035", "E06000014", "E06000015", "E08000016"


def adopters(*rows: tuple[str, int | None], **columns: list[Any]) -> pd.DataFrame:
    """Return a list of adopters as a user would type it: two columns."""
    table = pd.DataFrame(
        {"ons_code": [code for code, _ in rows], "adoption_year": [year for _, year in rows]}
    )
    return table.assign(**columns)


def dated(tagged: pd.DataFrame) -> dict[str, int]:
    rows = tagged.dropna(subset=["adoption_year"])
    assert rows.groupby("ons_code", observed=True)["adoption_year"].nunique().eq(1).all()
    return {str(name): int(year) for name, year in zip(rows["name"], rows["adoption_year"], strict=True)}


def names(tagged: pd.DataFrame, status: str) -> set[str]:
    return set(tagged.loc[tagged["adoption_status"] == status, "name"])


def committed(**choices: Any) -> pd.DataFrame:
    return tag_adoption(built(), load_adoption(), **choices)
