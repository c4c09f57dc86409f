"""Time the reading of the official 2021-22 data tables and the search for figures that do not agree.

Prints the median and the fastest of some rounds, in seconds of this process; the first reading fills caches.
Run: python benchmarks/workbook.py --raw DIR (the folder with the publishers' files, or CLSIMPACT_RAW)
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import python_calamine

from clsimpact.loaders.consistency import find_inconsistencies
from clsimpact.loaders.data_tables import read, read_sheets
from clsimpact.loaders.manifest import load_manifest
from clsimpact.loaders.sheets import open_workbook

SOURCE = load_manifest()["asc_fr_salt_2021_22"]
LIMIT = 3.0
"""Seconds that reading, and searching, may take."""


def seconds(call: Callable[[], object], rounds: int) -> list[float]:
    """Return the seconds of processor time of each round."""
    times = []
    for _ in range(rounds):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return times


def unpack(path: Path) -> None:
    """Read the cells of every sheet and do nothing with them: what no reader can go below."""
    book = python_calamine.CalamineWorkbook.from_path(path)
    for name in book.sheet_names:
        book.get_sheet_by_name(name).to_python(skip_empty_area=False)


def main() -> None:
    """Time every step and print a table; the exit status is 1 when one takes too long."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--raw", default=os.environ.get("CLSIMPACT_RAW", "data/raw"))
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    path = Path(options.raw) / SOURCE.path
    if not path.is_file():
        print(f"{SOURCE.file} is not below {options.raw}: nothing is timed (give --raw DIR)")
        return
    sheets = list(open_workbook(path))
    returns = read(path, SOURCE)
    steps: dict[str, Callable[[], object]] = {
        "unpack the cells (python-calamine)": lambda: unpack(path),
        "read the tables from cells in memory": lambda: read_sheets(sheets, SOURCE),
        "load the workbook": lambda: read(path, SOURCE),
        "find inconsistencies": lambda: find_inconsistencies(returns),
    }
    print(f"{len(returns):,} figures of {returns['table'].nunique()} tables\n")
    print("| step | median s | fastest s |\n|---|---|---|")
    slow = False
    for name, call in steps.items():
        times = seconds(call, options.rounds)
        slow |= statistics.median(times) > LIMIT
        print(f"| {name} | {statistics.median(times):.2f} | {min(times):.2f} |")
    raise SystemExit(int(slow))


if __name__ == "__main__":
    main()
