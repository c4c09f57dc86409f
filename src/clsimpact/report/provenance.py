"""The section on where each number comes from: cells, publications, licence, hashes and versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from clsimpact.attribution import condense
from clsimpact.report._table import Table
from clsimpact.report.document import Block, Folded, Heading, Items, Paragraph, Run, TableBlock
from clsimpact.report.ledger import Ledger

__all__ = ["provenance_blocks", "trace_tables"]


def provenance_blocks(
    ledger: Ledger, sources: Sequence[Mapping[str, Any]], records: Mapping[str, Any]
) -> list[Block]:
    """Return the section: cells behind each outcome, publications, licence, inputs and versions."""
    words = (
        "Each number of this page leads to a row of the ledger at its end, and from there to the file "
        "with the cells of the publications that it was computed from: source, table and cell."
    )
    blocks: list[Block] = [
        Heading("Where each number comes from", "provenance"),
        Paragraph((Run(words),)),
        *(
            Folded(table.title, (TableBlock(table),), row=f"table-{table.id}")
            for table in trace_tables(records, simulated=ledger.simulated)
        ),
    ]
    if sources:
        blocks.append(Folded("Publications", (Items(tuple(_source(source) for source in sources)),)))
    licence = Run("Licence and attribution. ", strong=True)
    blocks.append(Paragraph((licence, Run(ledger.attribution, row="setting-attribution"))))
    inputs = _facts({name: f"SHA-256 {value}" for name, value in ledger.inputs.items()}, "setting-inputs")
    versions = _facts(ledger.versions, "setting-versions")
    lists = tuple(it for it in (inputs, versions) if it.items)
    return [
        *blocks,
        Folded("Inputs and versions", lists),
        Folded("Choices", (_facts(ledger.choices, "setting-choices"),)),
    ]


def _facts(values: Mapping[str, str], row: str) -> Items:
    return Items(tuple(Paragraph((Run(f"{name}: {value}", row=row),)) for name, value in values.items()))


def trace_tables(records: Mapping[str, Any], *, simulated: bool) -> list[Table]:
    """Return a table per outcome: which tables of which publications its figures stand in."""
    heads = {
        "source_id": "Source", "table": "Table", "part": "Figure", "first": "First year", "last": "Last year",
        "cells": "Cells", "example": "First cell",
    }  # fmt: skip
    made = []
    for outcome, rows in dict(records.get("traces", {})).items():
        frame = pd.DataFrame(rows)
        frame["part"] = frame["part"].str.replace("_", " ")
        title = f"Cells behind {outcome.replace('_', ' ')}"
        notes = (f"Every cell is in trace/{outcome}.csv.",)
        years = dict.fromkeys(("first", "last"))
        made.append(
            Table(f"cells-{outcome}", title, frame, heads, notes, simulated=simulated, decimals=years)
        )
    return made


def _source(source: Mapping[str, Any]) -> Paragraph:
    address = str(source.get("address") or "")
    who = f"{source.get('publisher', '')}, {source.get('years', '')}"
    words = f"{source.get('publication', '')} ({who}): file {source.get('file', '')}"
    row = "setting-sources"
    runs = [Run(f"{source.get('id', '')}: ", row=row, strong=True), Run(words, row=row, link=address)]
    digest = str(source.get("sha256") or "")
    if digest:
        runs.append(Run(f", SHA-256 {digest}", row=row))
    return Paragraph((*runs, Run(f". {source.get('licence', '')}", row=row)))


def attribution_of(statements: Sequence[str]) -> str:
    """Return the attribution in one paragraph."""
    return condense(statements) if statements else "No attribution is recorded."
