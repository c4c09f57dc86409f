"""From what the steps made to the ledger: their rows, those of tables, of settings and of counts."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from clsimpact._check import number
from clsimpact.report._table import Table
from clsimpact.report.ledger import Ledger, Row
from clsimpact.report.product import Product
from clsimpact.report.provenance import attribution_of, trace_tables
from clsimpact.report.steps import library_versions
from clsimpact.report.study import Study
from clsimpact.report.study_data import StudyData
from clsimpact.report.tables import to_docx, to_html, to_latex, to_markdown, to_workbook
from clsimpact.store import csv_bytes

__all__ = ["VERDICTS", "collect_ledger", "every_table", "write_tables"]

VERDICTS: Final = ("does not hold", "cannot tell", "holds")
"""Verdicts of checks, in the order in which a reader should see them."""
_OFFICE: Final = {
    "tabulate": "tabulate", "docx": "python-docx", "gptables": "gptables", "latex2mathml": "latex2mathml",
    "typst": "typst",
}  # fmt: skip
"""What Markdown, Word, workbook, equations and PDF need: import name to the name of its package."""


def every_table(products: Mapping[str, Product], *, simulated: bool) -> list[Table]:
    """Return the tables of all steps, and those of the cells behind each outcome."""
    traced = trace_tables(products["records"].facts, simulated=simulated)
    return [*(it for product in products.values() for it in product.tables), *traced]


def write_tables(tables: Sequence[Table], files: dict[str, bytes], study: Study, *, office: bool) -> str:
    """Write every table as CSV, page and LaTeX; and as Markdown, Word and workbook where that can be done.

    Parameters
    ----------
    tables
        What is written.
    files
        Where it is added: name to content.
    study
        Its title and question head Word and workbook.
    office
        Whether to write Markdown, Word and workbook.

    Returns
    -------
    str
        Which library is lacking for these; empty if none.
    """
    for table in tables:
        files[f"tables/{table.id}.csv"] = csv_bytes(table.frame[list(table.columns)])
        files[f"tables/{table.id}.html"] = to_html(table).encode()
        files[f"tables/{table.id}.tex"] = to_latex(table).encode()
    if not office:
        return ""
    lacking = _lacking()
    if lacking:
        return f"PDF, Word and workbook need {', '.join(lacking)}: pip install clsimpact[report]"
    for table in tables:
        files[f"tables/{table.id}.md"] = to_markdown(table).encode()
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        to_docx(tables, place / "t.docx", title=study.title)
        to_workbook(tables, place / "t.xlsx", title=study.title, description=study.question)
        files["tables/tables.docx"] = (place / "t.docx").read_bytes()
        files["tables/tables.xlsx"] = (place / "t.xlsx").read_bytes()
    return ""


def _lacking() -> list[str]:
    """Return the packages that are not installed, without importing any."""
    return [package for name, package in _OFFICE.items() if find_spec(name) is None]


def collect_ledger(
    data: StudyData,
    products: Mapping[str, Product],
    files: Mapping[str, bytes],
    tables: Sequence[Table],
    choices: Mapping[str, str],
    *,
    pdf: bool,
) -> Ledger:
    """Put the rows of all steps together with those of settings, counts and tables.

    Parameters
    ----------
    data
        What was worked on.
    products
        Step to what it made, in the order of the report.
    files
        What is written beside the ledger, but for the report itself.
    tables
        From :func:`every_table`.
    choices
        Words on what was decided before, beside those of the study.
    pdf
        Whether the report is written as PDF too.

    Returns
    -------
    Ledger

    Raises
    ------
    ClsimpactError
        If two rows have one name.
    """
    study = data.study
    attribution = attribution_of(products["records"].facts.get("attribution", []))
    decided = {**_choices(study, data), **choices}
    inputs = {name: value for name, value in data.inputs.items() if value}
    rows = [row for product in products.values() for row in product.rows]
    rows += _study_rows(study)
    rows += _text_rows(attribution, inputs, decided, products["records"].facts.get("sources", []))
    rows += _counts(products, tuple(inputs))
    rows += [_table_row(table, files, tuple(inputs)) for table in tables]
    written = sorted([*files, "report.html", "ledger.csv", *(["report.pdf"] if pdf else [])])
    return Ledger(
        study.title,
        data.simulated,
        tuple(rows),
        inputs,
        library_versions(),
        decided,
        tuple(written),
        attribution,
    )


def _study_rows(study: Study) -> list[Row]:
    """Return rows of what the study file says and the report prints."""
    share = f"{100 * study.margin_share:.4g}%"
    texts: dict[str, tuple[str, str, dict[str, float]]] = {
        "title": ("title", study.title, {}),
        "question": ("question", study.question, {}),
        "level": ("level of intervals", "95%", {"95%": 95.0}),
        "draws": ("re-assignments", "9,999", {"9,999": 9999.0}),
        "seed": ("seed of every draw", str(study.seed), {str(study.seed): float(study.seed)}),
        "margin-share": ("margin as a share of the mean", share, {share: 100 * study.margin_share}),
    }
    rows = [
        Row(f"setting-{name}", "setting", label, text, "study.toml", numbers=numbers)
        for name, (label, text, numbers) in texts.items()
    ]
    said = study.claims.values()
    return rows + [
        Row(
            f"statement-{it.id}",
            "setting",
            f"what {it.id} claims",
            it.statement,
            "study.toml",
            rule=it.source,
        )
        for it in said
    ]


def _text_rows(
    attribution: str,
    inputs: Mapping[str, str],
    decided: Mapping[str, str],
    sources: Sequence[Mapping[str, Any]],
) -> list[Row]:
    """Return rows of texts on where numbers come from, whose own numbers are names and fingerprints."""
    texts = {
        "attribution": ("licence and attribution", attribution),
        "inputs": ("fingerprints of inputs", _listed(inputs)),
        "versions": ("versions", _listed(library_versions())),
        "choices": ("choices", _listed(decided)),
        "sources": ("publications", " ".join(str(value) for it in sources for value in it.values())),
    }
    return [
        Row(f"setting-{name}", "setting", label, text, "study.toml") for name, (label, text) in texts.items()
    ]


def _listed(values: Mapping[str, str]) -> str:
    return "; ".join(f"{name}: {value}" for name, value in values.items())


def _counts(products: Mapping[str, Product], inputs: tuple[str, ...]) -> list[Row]:
    """Count checks by verdict; every check is a line of ``tables/checks.csv``."""
    found = products["checks"].facts.get("checks", []) if "checks" in products else []
    rows = []
    for verdict in VERDICTS:
        count = sum(it["verdict"] == verdict for it in found)
        name = f"number-checks-{verdict.replace(' ', '-')}"
        label = f"checks whose verdict is {verdict}"
        rows.append(
            Row(
                name, "number", label, str(count), "clsimpact.results.Estimate.check", inputs,
                estimate=float(count), unit="checks", numbers={str(count): float(count)}, step="checks",
                files=("tables/checks.csv",) if found else (), trace="tables/checks.csv" if found else "",
            )
        )  # fmt: skip
    return rows


def _table_row(table: Table, files: Mapping[str, bytes], inputs: tuple[str, ...]) -> Row:
    names = (f"tables/{table.id}.{suffix}" for suffix in ("csv", "html", "tex", "md"))
    text = " ".join([table.caption, *table.notes])
    return Row(
        f"table-{table.id}", "table", table.title, text, "clsimpact.report.tables", inputs,
        files=tuple(name for name in names if name in files),
    )  # fmt: skip


def _choices(study: Study, data: StudyData) -> dict[str, str]:
    """Say in words what was decided."""
    record: dict[str, Any] = dict(data.tagged.attrs.get("adoption", {}))
    margins = ", ".join(f"{name} {number(value)}" for name, value in study.margins.items()) or "none"
    share = f"{study.margin_share:.4g} of the mean among comparison units"
    made = {
        "estimator": f"{study.estimator}; beside it {', '.join(study.beside) or 'none'}",
        "inference": f"{study.inference}: chosen by the number of adopters from measured sizes where auto",
        "margins": f"{share}, except: {margins} (ours)",
        "main outcome": study.main,
    }
    if record:
        chosen, left = record.get("choices", {}), record.get("left_out", {})
        made["adoption"] = ", ".join(f"{name} = {choice}" for name, choice in chosen.items())
        made["left out"] = ", ".join(f"{name} ({why})" for name, why in left.items()) or "nobody"
        made["caution"] = str(record.get("caution", ""))
    if "boundaries" in data.tagged.attrs:
        made["boundaries"] = str(data.tagged.attrs["boundaries"])
    return made
