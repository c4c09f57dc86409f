"""Who adopted, and when: the list, the table, the timeline and the map."""

from __future__ import annotations

import pandas as pd

from clsimpact.plots.adoption_timeline import adoption_timeline_figure
from clsimpact.report._table import Table
from clsimpact.report.ledger import Row
from clsimpact.report.pieces._common import bare, main_outcome, source_line
from clsimpact.report.product import Product, draw
from clsimpact.report.study_data import StudyData
from clsimpact.store import csv_bytes
from clsimpact.treatment import adoption_table

__all__ = ["UNITS", "make"]

UNITS = "trace/units.csv"
"""The list of units: which of them are adopters, when, and what they are compared with."""
_EVIDENCE = ("adoption_year", "earliest_year", "latest_year", "adoption_date_basis", "source_url")


def make(data: StudyData) -> Product:
    """Count adopters and comparison units, and draw when and where they are."""
    product, inputs = Product(), tuple(data.inputs)
    roles, study = data.study.data, data.study
    _count(product, data)
    product.tables.append(_table(data))
    product.facts["caution"] = str(dict(data.tagged.attrs.get("adoption", {})).get("caution", ""))
    if "adoption" in study.figures:
        figure = adoption_timeline_figure(
            data.tagged, data.adoption, outcome=main_outcome(data), units=study.units,
            unit=roles["unit"], time=roles["time"], cohort=roles["cohort"],
        )  # fmt: skip
        draw(product, "adoption", figure, function="clsimpact.tag_adoption", inputs=inputs, trace=UNITS)
    if "map" in study.figures:
        from clsimpact.plots.tile_map import tile_map_figure

        figure = tile_map_figure(data.tagged)
        draw(product, "map", figure, function="clsimpact.tag_adoption", inputs=inputs, trace=UNITS)
    return product


def _count(product: Product, data: StudyData) -> None:
    """Count units by role, beside the list in which they can be counted again."""
    units, words = _units(data), data.study.units
    product.files[UNITS] = csv_bytes(units)
    adopters = int(units["role"].eq("adopter").sum())
    counts = {
        "adopters": (adopters, f"{words} that adopted, with a usable date"),
        "comparison": (len(units) - adopters, f"comparison {words}"),
        "units": (len(units), words),
    }
    for name, (count, label) in counts.items():
        product.rows.append(
            Row(f"number-{name}", "number", label, f"{count:,}", "clsimpact.tag_adoption", tuple(data.inputs),
                estimate=float(count), unit=words, numbers={f"{count:,}": float(count)}, files=(UNITS,),
                trace=UNITS)
        )  # fmt: skip


def _units(data: StudyData) -> pd.DataFrame:
    """Return a row per unit of the comparison, with its role and the evidence for its date."""
    roles = data.study.data
    names = [name for name in (roles["unit"], roles.get("names"), roles["cohort"]) if name in data.tagged]
    units = bare(data).drop_duplicates(roles["unit"])[names].reset_index(drop=True)
    adopted = units[roles["cohort"]].notna()
    units["role"] = adopted.map({True: "adopter", False: "comparison"})
    if data.adoption is not None:
        known = [name for name in _EVIDENCE if name in data.adoption]
        evidence = data.adoption.set_index("ons_code")[known].add_prefix("evidence_")
        evidence = evidence[~evidence.index.duplicated()].reset_index()
        evidence.attrs = {}
        units = units.merge(evidence, left_on=roles["unit"], right_on="ons_code", how="left")
    return units


def _table(data: StudyData) -> Table:
    """Return adopters by year of adoption, and the share of adults who live there where that is known."""
    roles, study = data.study.data, data.study
    if study.of_councils:
        found = adoption_table(data.tagged)
        found = found.assign(
            share=100 * found["share_of_population"], cumulative=100 * found["cumulative_share"]
        )
        heads = {
            "year_label": "Year of adoption", "n_councils": "Number", "councils": "Councils",
            "share": "Share of adults (%)", "cumulative": "Cumulative share (%)",
        }  # fmt: skip
    else:
        units = bare(data).drop_duplicates(roles["unit"])
        sizes = units.groupby(roles["cohort"])[roles["unit"]].nunique().reset_index()
        found = pd.DataFrame(
            {"year_label": [str(int(x)) for x in sizes.iloc[:, 0]], "n": sizes.iloc[:, 1].astype("int64")}
        )
        heads = {"year_label": "Year of adoption", "n": f"Number of {study.units}"}
    title = f"When {study.units} adopted: {study.programme}"
    source = source_line(data)
    return Table("adoption", title, found[list(heads)], heads, source=source, simulated=data.simulated)
