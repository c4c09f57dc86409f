"""Hand-made returns: the twelve councils of the North East, steady but for what a test changes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from clsimpact.geography import councils
from clsimpact.loaders.manifest import Source
from clsimpact.loaders.returns import as_returns, concat_returns

Changes = Mapping[tuple[str, int], float]

REGION = "E12000001"
CODES = tuple(sorted(councils(2016).query("region_code == @REGION")["ons_code"]))
ODD = CODES[3]
PEOPLE = 100_000
AGES = {"18 to 64": 1000, "65 and over": 3000}


def source(name: str) -> Source:
    words = dict.fromkeys(
        ("publication", "publisher", "years", "adapter", "sha256", "licence", "attribution"), ""
    )
    return Source(id=name, file=name, path=name, **words)


def figure(code: str, year: int, measure: str, value: float | None, **says: Any) -> dict[str, Any]:
    """A row of the returns, a published SALT count unless it says otherwise."""
    row = {
        "ons_code": code,
        "year": year,
        "measure": measure,
        "value": value,
        "return_": "SALT",
        "unit": "requests",
        "level": "council",
        "status": "published" if value is not None else "not_submitted",
        "source_id": "salt_made",
        "table": "T1",
    }
    return row | says


def as_table(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    frame = pd.DataFrame([dict(row) for row in rows])
    frame["value"] = frame["value"].astype("float64")
    frame["cell"] = [f"A{place}" for place in range(1, len(frame) + 1)]
    parts = [
        as_returns(rows.reset_index(drop=True), source(str(name)))
        for name, rows in frame.groupby("source_id", sort=False)
    ]
    return concat_returns(parts)


def wiggle(code: str, year: int, age: str) -> float:
    """A few percent up and down, as a bell curve has it, the same every time."""
    seed = (CODES.index(code), year, list(AGES).index(age), 4)
    return 1 + 0.03 * float(np.clip(np.random.default_rng(seed).normal(), -1.5, 1.5))


def requests(years: Iterable[int], change: Changes | None = None) -> list[dict[str, Any]]:
    """Requests of both age bands, rounded to 5; ``change`` multiplies a council and year (18 to 64)."""
    rows = []
    for year in years:
        for code in CODES:
            for age, level in AGES.items():
                count = level * (1 + 0.04 * CODES.index(code)) * wiggle(code, year, age)
                count *= (change or {}).get((code, year), 1.0) if age == "18 to 64" else 1.0
                rows.append(figure(code, year, "requests", 5.0 * round(count / 5), age_band=age))
    return rows


def populations(year: int = 2016) -> list[dict[str, Any]]:
    says = {"return_": "MYE", "unit": "people", "source_id": "population_mid_2016"}
    return [figure(code, year, "population", PEOPLE, age_band=age, **says) for code in CODES for age in AGES]


def reviews(years: Iterable[int], shares: Changes | None = None) -> list[dict[str, Any]]:
    """A thousand people reviewed in each council, eight in ten with a planned review."""
    rows = []
    for year in years:
        for code in CODES:
            share = (shares or {}).get((code, year), 0.80)
            rows.append(figure(code, year, "clients_planned_reviews", 1000 * share, unit="people"))
            rows.append(figure(code, year, "clients_reviewed", 1000.0, unit="people"))
    return rows
