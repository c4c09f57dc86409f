"""Make up the file of the tutorial: docs/tutorials/falls.csv, with an effect that is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

WHERE = Path(__file__).resolve().parents[1] / "docs" / "tutorials" / "falls.csv"
AREAS, YEARS = 40, range(2016, 2024)
STARTS = {2019: 6, 2021: 6}
EFFECT = -2.5
"""Falls per 1,000 people of 65 and over, in each year from the start on."""


def falls() -> pd.DataFrame:
    """Return forty made-up areas in eight years; twelve started a programme."""
    draw = np.random.default_rng(2026)
    starts = [start for start, areas in STARTS.items() for _ in range(areas)]
    started = [*starts, *[None] * (AREAS - len(starts))]
    level, common = draw.normal(32, 4, AREAS), draw.normal(0, 1, len(YEARS)).cumsum()
    rows = []
    for area, start in enumerate(started):
        for number, year in enumerate(YEARS):
            effect = EFFECT if start is not None and year >= start else 0.0
            rate = level[area] + common[number] + effect + draw.normal(0, 1.5)
            rows.append((f"Area {area + 1:02d}", year, round(rate, 1), start, True))
    table = pd.DataFrame(rows, columns=["area", "year", "falls_per_1000", "started", "simulated"])
    return table.astype({"started": "Int64"})


if __name__ == "__main__":
    WHERE.parent.mkdir(exist_ok=True)
    falls().to_csv(WHERE, index=False, lineterminator="\n")
