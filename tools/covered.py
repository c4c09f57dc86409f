"""Say which lines and branches the tests reach: docs/coverage.md and coverage.csv (make coverage)."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pandas as pd

from clsimpact import __version__

COUNTS: Final = {
    "num_statements": "statements",
    "covered_lines": "statements_run",
    "num_branches": "branches",
    "covered_branches": "branches_taken",
}
CORE: Final = ("estimators", "inference", "outcomes.py", "treatment.py", "panel.py")

HEAD: Final = """# Lines and branches that the tests reach

The tests of `make test` with the newest libraries run **{lines:.1%}** of the {statements:,} statements of
the library and take **{taken:.1%}** of its {branches:,} branches; of what estimates (estimators, inference,
outcomes, treatment, panel) {core_lines:.1%} and {core_taken:.1%}. A branch is a way from a condition to one
of the lines that may follow.

That a line is run does not mean that a test would notice if it were wrong. Not counted are what other
processes do (the command line as a program, workers, notebooks, killed runs) and what runs while the tests
are being collected (imports), so a line that only they run stands below as missing.

Made by `make coverage` ({made_by}).
The counts of every file, and its lines that are not run, stand in [coverage.csv](coverage.csv).

| part | files | statements | run | branches | taken |
|---|---:|---:|---:|---:|---:|"""


def main(report: Path, page: Path) -> None:
    """Turn the JSON report of coverage.py into a table and a page."""
    data = json.loads(report.read_text(encoding="utf-8"))
    table = pd.DataFrame([_row(name, held) for name, held in data["files"].items()])
    table = table.sort_values("file", ignore_index=True)
    table.to_csv(page.with_suffix(".csv"), index=False, lineterminator="\n")
    versions = f"clsimpact {__version__}, Python {platform.python_version()}"
    made_by = f"{datetime.now(UTC):%Y-%m-%d}, {versions}, coverage.py {data['meta']['version']}"
    page.write_text("\n".join(_lines(table, made_by)) + "\n", encoding="utf-8")


def _row(name: str, held: dict[str, Any]) -> dict[str, object]:
    inside = Path(name).as_posix().split("clsimpact/", 1)[1]
    counts = {new: held["summary"][old] for old, new in COUNTS.items()}
    return {"file": inside, **counts, "missing_lines": _spans(held["missing_lines"])}


def _spans(lines: list[int]) -> str:
    """Return line numbers as spans: 3-5 9."""
    spans: list[list[int]] = []
    for line in sorted(lines):
        if spans and line == spans[-1][1] + 1:
            spans[-1][1] = line
        else:
            spans.append([line, line])
    return " ".join(f"{first}-{last}" if last > first else str(first) for first, last in spans)


def _lines(table: pd.DataFrame, made_by: str) -> Iterator[str]:
    part = table["file"].map(lambda name: name.split("/")[0] if "/" in name else "top level")
    core = table[[name.startswith(CORE) for name in table["file"]]]
    every, heart = table.sum(numeric_only=True), core.sum(numeric_only=True)
    yield HEAD.format(
        lines=every["statements_run"] / every["statements"],
        taken=every["branches_taken"] / every["branches"],
        core_lines=heart["statements_run"] / heart["statements"],
        core_taken=heart["branches_taken"] / heart["branches"],
        statements=int(every["statements"]),
        branches=int(every["branches"]),
        made_by=made_by,
    )
    for name, rows in table.groupby(part):
        yield f"| {name} | {len(rows)} | {_shares(rows)} |"
    yield f"| all | {len(table)} | {_shares(table)} |"
    share = table["statements_run"] / table["statements"].where(table["statements"] > 0)
    least = table.assign(share=share)[share < 0.95].sort_values("share")
    yield f"\n{len(least)} files have fewer than 95% of their statements run:\n"
    yield "| file | statements | run | lines not run |"
    yield "|---|---:|---:|---|"
    for row in least.itertuples():
        yield f"| `{row.file}` | {row.statements} | {row.share:.0%} | {row.missing_lines} |"


def _shares(rows: pd.DataFrame) -> str:
    total = rows.sum(numeric_only=True)
    taken = f"{total['branches_taken'] / total['branches']:.1%}" if total["branches"] else "–"
    run = f"{total['statements_run'] / total['statements']:.1%}" if total["statements"] else "–"
    return f"{int(total['statements']):,} | {run} | {int(total['branches']):,} | {taken}"


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
