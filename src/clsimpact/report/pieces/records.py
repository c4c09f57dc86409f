"""The data: what is held, where each number comes from, and whether figures agree."""

from __future__ import annotations

import pandas as pd

from clsimpact.report._table import Table
from clsimpact.report.ledger import Row
from clsimpact.report.pieces._common import bare, held_years, source_line, years_words
from clsimpact.report.product import Product
from clsimpact.report.study_data import StudyData
from clsimpact.store import csv_bytes

__all__ = ["make"]


def make(data: StudyData) -> Product:
    """Write coverage, the cells behind every outcome, and reconciliation."""
    product = Product()
    product.tables.append(_coverage(data))
    product.facts["sources"] = [dict(it) for it in data.panel.attrs.get("sources", [])]
    product.facts["attribution"] = [str(it) for it in data.panel.attrs.get("attribution", [])]
    if data.returns is None:
        return product
    returns = _behind(data.returns)
    for outcome in data.outcomes():
        if held_years(data, outcome.name):
            _trace(product, outcome.name, data, returns)
    _agreement(product, data)
    return product


def _coverage(data: StudyData) -> Table:
    """Count the units with a value of each outcome by period."""
    study = data.study
    rows = [_held(data, it.name) for it in data.outcomes() if it.name in data.tagged]
    heads = {
        "outcome": "Outcome", "years": "Years with figures", "rows": "Rows",
        "units": f"{study.units[0].upper()}{study.units[1:]}", "adopters": "Adopters among them",
    }  # fmt: skip
    source = source_line(data)
    return Table(
        "coverage",
        f"What is held: {study.title}",
        pd.DataFrame(rows),
        heads,
        source=source,
        simulated=data.simulated,
    )


def _held(data: StudyData, outcome: str) -> dict[str, object]:
    """Count the rows and units with a value of an outcome."""
    roles, frame = data.study.data, bare(data)
    rows = frame[frame[outcome].notna()]
    adopters = rows[rows[roles["cohort"]].notna()]
    return {
        "outcome": data.label_of(outcome),
        "years": years_words(data, outcome),
        "rows": len(rows),
        "units": int(rows[roles["unit"]].nunique()),
        "adopters": int(adopters[roles["unit"]].nunique()),
    }


def _behind(returns: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that a trace can lead to: a quarter of all, looked through for each outcome."""
    from clsimpact._parts import PARTS

    figures = returns["measure"].isin({part.measure for part in PARTS}) & returns["level"].eq("council")
    context = returns["measure"].isin(["population", "gdp_deflator", "gdp_deflator_change"])
    return returns[figures.fillna(False).astype(bool) | context]


def _trace(product: Product, outcome: str, data: StudyData, returns: pd.DataFrame) -> None:
    """Write the cells of the publications behind an outcome, and count them by table."""
    from clsimpact.trace import trace

    cells = trace(data.panel, returns, outcome)
    sample = cells["ons_code"].isin(set(bare(data)["ons_code"].astype(str)))
    estimated, name = cells[sample].reset_index(drop=True), f"trace/{outcome}.csv"
    product.files[name] = csv_bytes(estimated)
    count, words = f"{len(estimated):,}", data.outcome(outcome).words
    label = f"cells of the publications behind {words}"
    product.rows.append(
        Row(f"trace-{outcome}", "number", label, count, "clsimpact.trace.trace", tuple(data.inputs),
            outcome=outcome, numbers={count: float(len(estimated))}, files=(name,), trace=name)
    )  # fmt: skip
    groups = estimated.groupby(["source_id", "table", "part"], sort=True).agg(
        first=("year", "min"), last=("year", "max"), cells=("cell", "size"), example=("cell", "first")
    )
    facts = groups.reset_index().astype({"first": int, "last": int, "cells": int})
    product.facts.setdefault("traces", {})[outcome] = facts.to_dict("records")


def _agreement(product: Product, data: StudyData) -> None:
    """Compare the committed official figures with each other."""
    if data.study.data["panel"] != "official":
        return
    from clsimpact.loaders.reconcile import check

    found = check(strict=True)
    heads = {
        "check": "Check",
        "compared": "Compared",
        "agree": "Agree",
        "explained": "Explained",
        "differ": "Differ",
    }
    notes = ("Explained differences are known, and stated in docs/reconciliation.md of the project.",)
    product.tables.append(
        Table("agreement", "Do the figures agree with each other?", found[list(heads)], heads, notes)
    )
    total, wrong = int(found["compared"].sum()), int(found["differ"].sum())
    for name, value, words in (
        ("compared", total, "comparisons of figures with each other"),
        ("differ", wrong, "comparisons that differ without an explanation"),
    ):
        product.rows.append(
            Row(f"number-{name}", "number", words, f"{value:,}", "clsimpact.check", tuple(data.inputs),
                estimate=float(value), numbers={f"{value:,}": float(value)})
        )  # fmt: skip
