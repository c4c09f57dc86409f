"""How the estimate moves with choices that a reader would question; outcomes of which nothing is claimed."""

from __future__ import annotations

import pandas as pd

from clsimpact.plots.forest import forest_figure
from clsimpact.report._table import Table
from clsimpact.report.pieces._common import design_of, main_outcome, trace_name
from clsimpact.report.product import Product, draw
from clsimpact.report.secondary import secondary_table
from clsimpact.report.sensitivity import sensitivity_table
from clsimpact.report.study_data import StudyData
from clsimpact.report.words import Scale, Writer, scale_of, shown_unit

__all__ = ["make"]


def make(data: StudyData) -> Product:
    """Estimate one effect after adoption under other choices, and outcomes of which nothing is claimed."""
    product = Product()
    if not data.study.of_councils or data.adoption is None:
        return product
    name = main_outcome(data)
    if name is not None and "choices" in data.study.figures:
        rows = sensitivity_table(
            name,
            panel=None if _is_usual(data) else data.panel,
            adoption=data.adoption,
            base=data.study.adoption,
        )
        _draw(product, rows, name, data)
    claimed = {it for claim in data.study.claims.values() for it in claim.outcomes}
    rows = secondary_table(data.tagged, claimed=claimed)
    product.tables.append(_secondary(rows, data))
    return product


def _is_usual(data: StudyData) -> bool:
    """Say whether the panel is the official one as it comes, which can be had with other boundaries too."""
    own = data.study.data
    usual = own["panel"] == "official" and own.get("boundaries", "constant") == "constant"
    return usual and data.kept is None and own.get("years") is None


def _draw(product: Product, rows: pd.DataFrame, name: str, data: StudyData) -> None:
    """Draw the estimate under each choice, and put the numbers into a table."""
    scale, words = scale_of(data.unit_of(name)), data.outcome(name).words
    unit = "percentage points" if scale.factor == 100 else data.unit_of(name)
    lines = rows.rename(columns={"choice": "label"}).assign(marked=[True, *[False] * (len(rows) - 1)])
    for key in ("estimate", "conf_low", "conf_high"):
        lines[key] = scale.factor * lines[key]
    how = "One effect after adoption (two-way fixed effects)"
    figure = forest_figure(
        lines[["label", "estimate", "conf_low", "conf_high", "marked"]],
        design=design_of(data, name),
        title=_title(rows, words, scale),
        subtitle=f"{how}, {unit}, 95% intervals. First line: the study's choice.",
        reference=float(lines["estimate"].iloc[0]),
        axis=f"Effect after adoption, {unit}",
    )
    draw(product, "choices", figure, function="clsimpact.report.sensitivity.sensitivity_table",
         inputs=tuple(data.inputs), outcome=name, trace=trace_name(data, name))  # fmt: skip
    heads = {
        "label": "Choice", "estimate": f"Estimate ({unit})", "conf_low": "95% interval, low",
        "conf_high": "95% interval, high", "treated": "Adopters", "councils": "Councils",
    }  # fmt: skip
    title = f"How the estimate for {words} moves with choices"
    product.tables.append(Table("choices", title, lines[list(heads)], heads, simulated=data.simulated))


def _title(rows: pd.DataFrame, words: str, scale: Scale) -> str:
    """State how far the estimate moves, and how many intervals exclude zero."""
    pen = Writer(scale)
    low, high = pen.signed(float(rows["estimate"].min())), pen.signed(float(rows["estimate"].max()))
    clear, many = int((rows["conf_low"].gt(0) | rows["conf_high"].lt(0)).sum()), len(rows)
    head = f"{words[0].upper()}{words[1:]} under {many} choices: from {low} to {high}"
    return f"{head}; {clear} of {many} intervals exclude zero"


def _secondary(rows: pd.DataFrame, data: StudyData) -> Table:
    """Return the outcomes of which nothing is claimed, as a table."""
    percent = rows["unit"].str.startswith("proportion")
    factor = percent.map({True: 100.0, False: 1.0})
    shown = rows.assign(
        **{
            key: pd.to_numeric(rows[key]).astype("float64") * factor
            for key in ("estimate", "conf_low", "conf_high")
        },
        unit=rows["unit"].map(shown_unit),
        remark=rows["remark"].str.slice(0, 200),
    )
    heads = {
        "label": "Outcome", "estimate": "Estimate", "conf_low": "95% interval, low",
        "conf_high": "95% interval, high", "unit": "Unit", "treated": "Adopters",
        "years_held": "Years with figures", "remark": "Remark",
    }  # fmt: skip
    notes = (
        "One effect after adoption (two-way fixed effects); no claim speaks of these, so there is no "
        "verdict.",
    )
    title = "Outcomes of which the study claims nothing"
    decimals = dict.fromkeys(("estimate", "conf_low", "conf_high"), 1)
    return Table(
        "secondary", title, shown[list(heads)].reset_index(drop=True), heads, notes, simulated=data.simulated,
        decimals=decimals,
    )  # fmt: skip
