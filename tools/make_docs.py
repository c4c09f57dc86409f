"""Rewrite the generated pages of docs/: data dictionary, sources, reconciliation; and the README's figure."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import clsimpact as ci
from clsimpact.loaders.manifest import all_sources
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
    spending_figure(DOCS / "images" / "spending_event_study.png")


def spending_figure(where: Path) -> None:
    """Write the event study of spending per adult, as `clsimpact replicate` draws it."""
    data = load_study_data(default_study())
    study = replace(data.study, figures=("event_studies",))
    where.parent.mkdir(exist_ok=True)
    where.write_bytes(claims.make(replace(data, study=study)).files["figures/path-gce_per_adult.png"])


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


if __name__ == "__main__":
    main()
