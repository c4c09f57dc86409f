"""Rewrite the generated pages of docs/, and the figure of the README."""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path

import pandas as pd
import tolerances

import clsimpact as ci
import mistakes
from clsimpact import cli
from clsimpact.loaders.manifest import all_sources
from clsimpact.plots import event_study_figure
from clsimpact.report.pieces import claims
from clsimpact.report.study import default_study
from clsimpact.report.study_data import load_study_data
from clsimpact.sources import sources_markdown

DOCS = Path(__file__).resolve().parents[1] / "docs"


def main() -> None:
    """Write every generated page; the same data give the same bytes."""
    (DOCS / "data-dictionary.md").write_text(dictionary(), encoding="utf-8")
    (DOCS / "sources.md").write_text(sources(), encoding="utf-8")
    (DOCS / "reconciliation.md").write_text(reconciliation(), encoding="utf-8")
    (DOCS / "reference" / "command-line.md").write_text(command_line(), encoding="utf-8")
    (DOCS / "reference" / "verification.md").write_text(verification(), encoding="utf-8")
    (DOCS / "reference" / "tolerances.md").write_text(tolerances.page(), encoding="utf-8")
    (DOCS / "mistakes.md").write_text(mistakes.page(), encoding="utf-8")
    spending_figure(DOCS / "images" / "spending_event_study.png")
    falls_figure(DOCS / "images" / "falls.png")


def spending_figure(where: Path) -> None:
    """Write the event study of spending per adult, as `clsimpact replicate` draws it."""
    data = load_study_data(default_study())
    study = replace(data.study, figures=("event_studies",))
    where.parent.mkdir(exist_ok=True)
    where.write_bytes(claims.make(replace(data, study=study)).files["figures/path-gce_per_adult.png"])


def falls_figure(where: Path) -> None:
    """Write the figure of the tutorial, from its made-up file."""
    design = ci.Design(
        pd.read_csv(DOCS / "tutorials" / "falls.csv"),
        outcome="falls_per_1000",
        unit="area",
        time="year",
        cohort="started",
        outcome_label="Falls",
        outcome_unit="per 1,000 people of 65 and over",
    )
    event_study_figure(ci.group_time(design).aggregate("dynamic")).save(where)


def dictionary() -> str:
    """Return the data dictionary of the panel as a page."""
    lines = [
        "# Data dictionary of the panel",
        "",
        "One row per council area and financial year (`year` is its start). Every outcome has a column",
        "`<outcome>_status`: `published` and `estimated` come with a value; the others say why there is none",
        "(`suppressed`, `not_submitted`, `not_applicable`, `not_listed`, `not_comparable`, `not_held`; see",
        "`architecture.md`). Years are those with a value for at least one area. Made by `make docs`.",
        "",
        "| column | meaning | unit | source | years |",
        "|---|---|---|---|---|",
    ]
    table = ci.describe()
    table = table[~table["column"].str.endswith("_status") | (table["column"] == "population_status")]
    lines += [
        f"| `{row.column}` | {row.label}: {row.definition} | {row.unit} | {row.source} | {row.years} |"
        for row in table.itertuples()
    ]
    return "\n".join(lines) + "\n"


def sources() -> str:
    """Return every source with what its adapter was checked against, as a page."""
    lines = [
        "# Sources",
        "",
        "Every publication the library knows, which adapter reads it, and what that adapter was checked",
        "against. The files are not part of the project; the figures of those held are. `clsimpact sources`",
        "prints the same table. Made by `make docs`.",
        "",
        sources_markdown(),
        "",
        "## Attribution",
        "",
    ]
    statements = dict.fromkeys(source.attribution for source in all_sources().values())
    lines += [f"- {text}" for text in statements]
    return "\n".join(lines) + "\n"


def reconciliation() -> str:
    """Return what ``clsimpact check`` finds on the committed figures, as a page."""
    lines = [
        "# Reconciliation",
        "",
        "What `clsimpact check` finds on the committed figures. *Explained* differences are known and",
        "stated; with the publishers' files, `clsimpact check --raw DIR` adds fingerprints, an independent",
        "count of every table's cells, and the ONS look-ups. Made by `make docs`.",
        "",
        "| check | compared | agree | explained | differ | note |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row.check} | {row.compared:,} | {row.agree:,} | {row.explained:,} | {row.differ:,} |"
        f" {row.note} |"
        for row in ci.check().itertuples()
    ]
    return "\n".join(lines) + "\n"


def command_line() -> str:
    """Return the help of every command, and what exit statuses and variables mean, as a page."""
    parser = cli._parser()
    (commands,) = (it for it in parser._actions if isinstance(it, argparse._SubParsersAction))
    lines = [
        "# Command line",
        "",
        "`python -m clsimpact` is the same. Results go to standard output, errors to standard error.",
        "Progress is a bar in a terminal and a line a step elsewhere. Colour is used in terminals only, and",
        "never where `NO_COLOR` is set. Made by `make docs` from the program's own help.",
        "",
        "| exit status | meaning |",
        "|---|---|",
        "| 0 | the command did what it says |",
        "| 1 | it found something wrong, and said what and how to repair it |",
        "| 2 | it was called wrongly |",
        "| 130 | it was stopped |",
        "",
        "| variable | meaning |",
        "|---|---|",
        "| `CLSIMPACT_RAW` | folder of the publishers' files, if none is named |",
        "| `NO_COLOR` | no colour anywhere |",
        "| `OMP_NUM_THREADS` | threads of linear algebra; 1 is best with several workers |",
        "",
        "```text",
        *_help(parser),
        "```",
    ]
    for name, command in commands.choices.items():
        lines += ["", f"## {name}", "", "```text", *_help(command), "```"]
    return "\n".join(lines) + "\n"


def _help(parser: argparse.ArgumentParser) -> list[str]:
    """Return the help of a parser as it stands in a terminal of 100 columns, whatever this one is."""
    columns = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = "100"
    try:
        return parser.format_help().rstrip().splitlines()
    finally:
        os.environ.pop("COLUMNS")
        if columns is not None:
            os.environ["COLUMNS"] = columns


def verification() -> str:
    """Return the comparisons with other programs of every page of the methodology, in one table."""
    lines = [
        "# Verification",
        "",
        "What was compared with which program, from the pages of the",
        "[methodology](../methodology/README.md); the answers of the other programs are frozen in",
        "`tests/reference` with the script that asked for them, and compared in every run of the tests.",
        "Figures of the publishers: see [reconciliation](../reconciliation.md). Made by `make docs`.",
        "",
        "| of | quantity | ours | reference | program and version | date | largest difference |",
        "|---|---|---|---|---|---|---|",
    ]
    for page in sorted((DOCS / "methodology").glob("*.md")):
        _, _, oracles = page.read_text(encoding="utf-8").partition("## Oracles\n")
        rows = [line for line in oracles.partition("\n## ")[0].splitlines() if line.startswith("|")]
        lines += [f"| [`{page.stem}`](../methodology/{page.name}) {row}" for row in rows[2:]]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
