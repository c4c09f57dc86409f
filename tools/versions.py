"""Compare every number of the library across versions of the libraries that it stands on (make versions).

Each interpreter given runs `tools/versions_program.py`; the first is what the others are compared with. A
difference is relative to the largest number of its column. Writes docs/reference/versions.md, and the numbers
of the estimates to tests/reference/versions.json, with which tests/test_versions.py compares every run.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
AGREES = 1e-10
"""Relative to the largest number of a column."""

Tables = dict[str, dict[str, list[float | None]]]

LARGE = ("panel", "returns", "panel built")
"""What is compared, but not kept: it can be made from the committed data."""

PAGE = """# The same numbers with other versions

The library is run with the newest libraries, with pandas 2.2, and with the oldest version of every
library that it allows. {count:,} numbers are compared: returns, panel, a panel built anew, eleven
estimators on two panels with the inference that each chooses, five other kinds of inference, Bacon
decomposition, HonestDiD and the power of pre-tests. Missing must be missing. A difference is relative
to the largest number of its column; more than {agrees:g} is a failure.

Written by `tools/versions.py` (`make versions`) on {date}, clsimpact {version}.
`tests/test_versions.py` compares the estimates with those kept here in every run of `make test`, which
has the newest libraries and pandas 2.2.

| environment | {heads} | largest difference | equal to the last bit |
|---|{rule}---:|---:|
{rows}
"""


def ask(python: str) -> dict[str, Any]:
    """Run the program with an interpreter and return what it prints."""
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg"}
    command = [python, str(ROOT / "tools" / "versions_program.py")]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=env)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def differences(one: Tables, two: Tables) -> Iterator[tuple[float, str]]:
    """Return the relative difference of each pair of numbers and its place; infinite where one is missing."""
    if one.keys() != two.keys():
        yield float("inf"), f"tables {sorted(one.keys() ^ two.keys())}"
    for name in one.keys() & two.keys():
        if one[name].keys() != two[name].keys():
            yield float("inf"), f"{name}: columns {sorted(one[name].keys() ^ two[name].keys())}"
        for column in one[name].keys() & two[name].keys():
            yield from _of_column(one[name][column], two[name][column], f"{name}: {column}")


def _of_column(one: list[float | None], two: list[float | None], place: str) -> Iterator[tuple[float, str]]:
    if len(one) != len(two):
        yield float("inf"), f"{place}: {len(one)} and {len(two)} rows"
    size = max((abs(value) for value in one if value is not None), default=0.0) or 1.0
    for row, (a, b) in enumerate(zip(one, two, strict=False)):
        if a is None or b is None:
            yield (0.0 if a is b else float("inf")), f"{place}, row {row}"
        else:
            yield abs(a - b) / size, f"{place}, row {row}: {a!r} and {b!r}"


def main() -> int:
    """Run all, write page and reference, and return 1 where numbers differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("environments", nargs="+", metavar="NAME=PYTHON", help="the first is compared with")
    names, pythons = zip(*(each.split("=", 1) for each in parser.parse_args().environments), strict=True)
    runs = [ask(python) for python in pythons]
    first = runs[0]["numbers"]
    libraries = list(runs[0]["versions"])
    rows, failed = [], False
    for name, run in zip(names, runs, strict=True):
        found = list(differences(first, run["numbers"]))
        worst, place = max(found)
        same = sum(difference == 0 for difference, _ in found) / len(found)
        failed |= worst > AGREES
        sys.stdout.write(f"{name}: {len(found):,} numbers, largest difference {worst:.1e} ({place})\n")
        shown = " | ".join(run["versions"][library] for library in libraries)
        rows.append(f"| {name} | {shown} | {worst:.1e} | {same:.3%} |")
    if not failed:
        _write(first, rows, libraries, len(list(differences(first, first))))
    return int(failed)


def _write(first: Tables, rows: list[str], libraries: list[str], count: int) -> None:
    from clsimpact import __version__

    page = PAGE.format(
        count=count, agrees=AGREES, date=datetime.datetime.now(tz=datetime.UTC).date(), version=__version__,
        heads=" | ".join(libraries), rule="---|" * len(libraries), rows="\n".join(rows),
    )  # fmt: skip
    (ROOT / "docs" / "reference" / "versions.md").write_text(page, encoding="utf-8")
    kept = {name: table for name, table in first.items() if name not in LARGE}
    text = json.dumps(kept, indent=None, sort_keys=True, separators=(",", ":")).replace('},"', '},\n"')
    (ROOT / "tests" / "reference" / "versions.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    raise SystemExit(main())
