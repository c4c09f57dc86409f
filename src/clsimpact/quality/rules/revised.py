"""Figures that a later publication prints differently."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pandas as pd

from clsimpact.loaders.returns import as_text
from clsimpact.quality._findings import Found, Rule, as_findings, each, number
from clsimpact.quality._material import Material

__all__ = ["RULE"]

MONEY: Final = 0.5
"""£000: less is the publisher's own rounding of one figure to whole thousands."""
DECIMAL: Final = 0.051
"""Rates and shares are printed to one decimal: half of it, against a file in full, is no revision."""
COUNT: Final = 0.5
"""Counts are whole numbers."""
LARGE: Final = 0.05
"""A revision by a twentieth is as large as the usual change from one year to the next."""
REPRICED: Final = ("gross_current_expenditure_real",)
"""Printed in each publication at the prices of its own last year: another number, not a revision."""
_COUNTS: Final = ("requests", "people", "episodes", "agreements", "weeks", "jobs", "providers")


def _find(material: Material) -> Found:
    pairs = _pairs(material)
    tolerance = np.select([pairs["unit"].eq("£000"), pairs["unit"].isin(_COUNTS)], [MONEY, COUNT], DECIMAL)
    changed = pairs[(pairs["value"] - pairs["reference"]).abs() > tolerance]
    size = (changed["value"] / changed["reference"] - 1).abs()
    changed = changed.assign(size=size.fillna(np.inf))
    keys = ["ons_code", "year", "return_", "measure", "source_id", "earlier"]
    changed["many"] = changed.groupby(keys)["size"].transform("size")
    changed = changed.sort_values([*keys, "size"], ascending=[True] * len(keys) + [False])
    largest = changed.drop_duplicates(keys)
    severity = largest["size"].ge(LARGE).map({True: "look", False: "note"})
    words = [_words(row) for row in each(largest)]
    return Found(as_findings(largest.assign(severity=severity, words=words)), len(pairs))


def _pairs(material: Material) -> pd.DataFrame:
    """Return every figure that two publications print: the later one with the earlier as reference."""
    rows = material.submitted
    rows = rows[rows["value"].notna() & rows["ons_code"].notna() & ~rows["measure"].isin(REPRICED)]
    sources = rows.groupby(["measure", "year"], observed=True)["source_id"].transform("nunique")
    rows = rows[sources > 1]
    rows = rows.assign(key=material.identity.loc[rows.index])
    rows = rows.drop_duplicates(["key", "year", "ons_code", "source_id"])
    rows = rows[rows.duplicated(["key", "year", "ons_code"], keep=False)]
    order = material.publication_order
    rank = {source: place for place, source in enumerate(sorted(order, key=lambda name: order[name]))}
    rows = as_text(rows)
    rows["rank"] = rows["source_id"].map(rank).astype("int64")
    rows = rows.sort_values(["key", "year", "ons_code", "rank"])
    earlier = rows.groupby(["key", "year", "ons_code"])[["value", "source_id"]].shift()
    rows = rows.assign(reference=earlier["value"], earlier=earlier["source_id"])
    rows = rows[rows["reference"].notna()]
    last = pd.Series({source: place[0] for source, place in order.items()})
    same = rows["source_id"].map(last).eq(rows["earlier"].map(last))
    return rows.assign(same=same)


def _words(row: Any) -> str:
    share = "" if not np.isfinite(row.size) else f" ({row.value / row.reference - 1:+.1%})"
    many = "One figure differs" if row.many == 1 else f"{row.many:,} figures differ, most"
    when = "another publication of the same year" if row.same else "the earlier publication"
    return f"{many}: {number(row.value)} against {number(row.reference)} in {when}, {row.earlier}{share}."


RULE: Final = Rule(
    name="revised",
    title="Revised",
    looks_at="Every figure that two publications print (the same measure, breakdown, area and year): the "
    "later against the one before.",
    threshold="Any difference beyond the decimals that are printed: one of a count, £500, half of the first "
    "decimal of a rate twice over. From a twentieth on: look.",
    false_alarms="",
    cannot_see="Revisions of a publication that is at hand in one version only; figures whose wording "
    "changed, so that they no longer count as the same; figures in real terms, whose prices move with the "
    "publication.",
    source="Publishers' notes on re-issued files (2020-21 v2, 2022-23 v2.1, the 2016-17 correction of 2024).",
    unit="figures printed twice",
    find=_find,
)
"""Figures that differ between publications."""
