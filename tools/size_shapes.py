"""Panels of other shapes: their part of docs/size.md, and the table that the library reads (make size)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from size_panels import UNITS

from clsimpact._auto import FEWEST_TOGETHER, LARGE, MANY

LOW, HIGH = 3.5, 6.5
TOGETHER = ["before", "after", "band"]
KIND_NAMES = {
    "ar_0.5": "alike",
    "noisy_adopters": "adopters twice as noisy",
    "noisy_controls": "others twice as noisy",
}
"""Kinds of error of panels of other shapes, in a word."""


def span(values: pd.Series) -> str:
    """Least and greatest rate of some cells, the greatest distance from 5 in bold where out of 3.5 to 6.5."""
    if values.empty:
        return ""
    low, high = values.min(), values.max()
    text = f"{low:.1f}" if f"{low:.1f}" == f"{high:.1f}" else f"{low:.1f}–{high:.1f}"
    return f"**{text}**" if low < LOW or high > HIGH else text


def shapes(path: Path) -> list[str]:
    """Rates on panels with other numbers of units and adopters, over estimators."""
    if not path.is_file():
        return ["Not measured in this run.", ""]
    rows = pd.read_csv(path)
    rows = rows[rows["method"] == "permutation"]
    kinds = list(rows["errors"].drop_duplicates())
    count = f"{rows['panels'].min():,}"
    lines = [
        f"8 years, no effects, AR(1) 0.5, {count} panels per cell (Monte Carlo error "
        f"{100 * np.sqrt(0.05 * 0.95 / rows['panels'].min()):.1f}): mean over estimators, in brackets least to greatest.",
        f"Every cell is in [shapes.csv](size/{path.name}). `auto` shows no interval with fewer than 5 units to compare",
        f"with, and no bands or joint tests with fewer than {FEWEST_TOGETHER} units: the fewest measured with which joint tests and bands",
        "together reject at most 7% of the time on average over estimators, whatever the number of adopters and the errors.",
        "",
        "| units | adopters | "
        + " | ".join(f"{what}, {KIND_NAMES[k]}" for what in ("overall", "bands") for k in kinds)
        + " |",
        "|---:|---:|" + "---:|" * (2 * len(kinds)),
    ]
    for (units, treated), mine in rows.groupby(["units", "treated"]):
        cells = []
        for quantity in ("overall", "band"):
            for kind in kinds:
                values = mine.loc[(mine["quantity"] == quantity) & (mine["errors"] == kind), "rejected"]
                cells.append(f"{values.mean():.1f} ({span(values)})" if len(values) else "–")
        lines.append(f"| {units} | {treated} | " + " | ".join(cells) + " |")
    return [*lines, ""]


def small_table(path: Path) -> pd.DataFrame:
    """Rates on panels of fewer units than the main table's, over kinds of error: what the library quotes."""
    rows = pd.read_csv(path)
    rows = rows[(rows["units"] < UNITS) & rows["quantity"].isin(["overall", *TOGETHER])]
    keys = ["estimator", "method", "units", "treated", "quantity"]
    return (
        rows.groupby(keys, sort=True)["rejected"]
        .agg(least="min", most="max", mean="mean", cells="size")
        .reset_index()
    )


def large(path: Path) -> list[str]:
    """Rates of the usual errors on large panels, where they are the default."""
    if not path.is_file():
        return ["Not measured in this run.", ""]
    rows = pd.read_csv(path)
    first, count = rows.iloc[0], int(rows["panels"].min())
    what = {"overall": "overall", "before": "terms before adoption", "band": "all terms"}
    kinds = list(rows["errors"].drop_duplicates())
    columns = [(quantity, kind) for quantity in what for kind in kinds]
    lines = [
        f"{first['units']:,} units, {first['treated']} adopters in four cohorts, 8 years, no effects, {count} panels per cell "
        f"(Monte Carlo error {100 * np.sqrt(0.05 * 0.95 / count):.1f}):",
        f"just beyond {LARGE:,} units with more than {MANY} adopters behind every number `auto` has these errors and, for several",
        "terms at once, the largest t. Every cell is in [large.csv](size/large.csv), made by `tools/size_large.py`.",
        "",
        "| estimator | errors | " + " | ".join(f"{what[q]}, {KIND_NAMES[k]}" for q, k in columns) + " |",
        "|---|---|" + "---:|" * len(columns),
    ]
    for (name, method), mine in rows.groupby(["estimator", "method"], sort=False):
        found = mine.set_index(["quantity", "errors"])["rejected"]
        cells = [f"{found[key]:.1f}" if key in found.index else "–" for key in columns]
        lines.append(f"| `{name}` | {method} | " + " | ".join(cells) + " |")
    return [*lines, ""]
