"""Write the page of the checks of the spending study, and the list of checks (make credibility)."""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import clsimpact as ci
from clsimpact.errors import ClsimpactWarning
from clsimpact.report.pieces.checks import PAGE, run_checks
from clsimpact.report.study import default_study
from clsimpact.report.study_data import load_study_data

ROOT = Path(__file__).resolve().parents[1]
BEGIN, END = "<!-- list of checks: begin -->", "<!-- list of checks: end -->"


def spending_page() -> str:
    """Return *How this analysis could be wrong* for the spending study, from its checks."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ClsimpactWarning)
        return run_checks(load_study_data(default_study()), "gce_per_adult").to_markdown()


def check_list() -> str:
    """Return the list of checks as a table."""
    lines = ["| check | asks | run by | needs | method |", "|---|---|---|---|---|"]
    for row in ci.checks().itertuples():
        call = "`design.check()`" if row.stage == "design" else "`fit.check()`"
        needs = row.needs or "–"
        lines.append(f"| `{row.name}` | {row.question} | {call} | {needs} | {row.source} |")
    return "\n".join(lines)


def with_list(page: str) -> str:
    """Put the list of checks between its marks."""
    head, _, rest = page.partition(BEGIN)
    return f"{head}{BEGIN}\n\n{check_list()}\n\n{END}{rest.partition(END)[2]}"


def main() -> None:
    """Write both."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "docs")
    given = parser.parse_args()
    page = given.out / "credibility.md"
    page.write_text(with_list(page.read_text(encoding="utf-8")), encoding="utf-8")
    (given.out / PAGE).write_text(spending_page(), encoding="utf-8")


if __name__ == "__main__":
    main()
