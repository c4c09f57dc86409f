"""Measure how time and memory grow with units, years, cohorts, draws and specifications (docs/scale.md).

Each measurement is a process of its own, a fork of one that has imported the libraries and used them once:
the panel is made there, and then the work is timed, from a table to estimates with errors and intervals.
Seconds are processor time of the process (all its threads), the least of up to three calls: other jobs
disturb it less than the clock. Memory is the peak of resident memory during the first call above that before
the panel was made, so with the table itself. Then executors are timed, and a study of a hundred times the
size is run by Dask.

Needs Linux, which tells peak memory, and about 25 minutes of processor time. Writes docs/scale.csv and
docs/scale.md. Run: make scale, or python benchmarks/scale.py --part growth
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import gc
import importlib.metadata
import json
import multiprocessing
import os
import platform
import subprocess
import sys
import time
import warnings
from collections.abc import Collection, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import _scale_executors
import _scale_hundred
import pandas as pd
from _scale_page import page
from _scale_work import CURVES, DRAWN, ESTIMATORS, PER_DATES, Size, prepared

ROOT = Path(__file__).resolve().parents[1]
CSV, PAGE = ROOT / "docs" / "scale.csv", ROOT / "docs" / "scale.md"

UNITS = (150, 600, 2400, 9600, 38_400, 153_600, 614_400)
YEARS = (8, 32, 128, 256, 512, 1024)
COHORTS = (2, 4, 8, 16, 32, 64)
MANY_COHORTS = Size(years=72, adopters=128)
"""Cohorts need years to adopt in, and adopters."""

DRAWS = (1000, 4000, 16_000, 64_000, 256_000)
REFITS = (20, 40, 80, 160, 320, 640)
UNITS_DRAWN = UNITS[:5]
READINGS = (1, 4, 8, 16, 32)

CHECKED = 2_457_600
"""Units of the panels that the carried-on line is compared with: twenty million rows."""

ROUNDS, ENOUGH = 3, 1.0
"""Calls of one measurement, and seconds after which there is no other."""

LONGEST = 12.0
"""Seconds of a call after which larger sizes are not measured."""

Row = dict[str, Any]


def series() -> Iterator[tuple[str, str, list[Size]]]:
    """Yield what is measured, the dimension that grows, and the sizes."""
    for name in ESTIMATORS:
        yield name, "units", [Size(units=n) for n in UNITS]
        yield name, "years", [Size(years=n) for n in YEARS]
        yield name, "cohorts", [MANY_COHORTS._replace(cohorts=n) for n in COHORTS]
    for name in DRAWN:
        refits = name == "refits"
        yield name, "draws", [Size(draws=n) for n in (REFITS if refits else DRAWS)]
        yield name, "units", [Size(units=n, draws=20 if refits else 999) for n in UNITS_DRAWN]
    for name in CURVES:
        yield name, "specifications", [Size(specifications=PER_DATES * n) for n in READINGS]


# --- one measurement, in a process of its own ---------------------------------------------------------


def status(key: str) -> float:
    """Return a line of this process's memory in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith(key))) / 1024


def forget_peak() -> None:
    """Let the peak memory start anew; where that is not allowed it holds the making of the panel too."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def measured(what: str, size: Size) -> Row:
    """Return seconds and megabytes of one piece of work, in this process, which did it once when small."""
    prepared(what, Size(draws=20))()
    gc.collect()
    before = status("VmRSS")
    call = prepared(what, size)
    forget_peak()
    times: list[float] = []
    peak = 0.0
    while len(times) < ROUNDS and sum(times) < ENOUGH:
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
        peak = peak or status("VmHWM")
        if what in DRAWN:
            call = prepared(what, size)
    return {"processor_seconds": min(times), "megabytes": max(peak - before, 0.0)}


def in_process(what: str, size: Size) -> Row:
    """Measure in a process of its own, which ends with it."""
    with multiprocessing.get_context("fork").Pool(1) as process:
        return process.apply(measured, (what, size))


def warmed() -> None:
    """Do all work once on a small panel, so that nothing is imported while it is timed."""
    for what in (*ESTIMATORS, *DRAWN, *CURVES):
        prepared(what, Size(draws=20))()
    gc.collect()


# --- the parts of the page ----------------------------------------------------------------------------


def grown(what: str, dimension: str, sizes: list[Size]) -> Iterator[Row]:
    """Measure one series, until a call takes too long."""
    for size in sizes:
        found = in_process(what, size)
        row = {"part": "growth", "what": what, "dimension": dimension, "size": getattr(size, dimension)}
        yield {**row, **size._asdict(), **found}
        if found["processor_seconds"] > LONGEST:
            return


def all_growth(only: Collection[str] = ()) -> Iterator[Row]:
    warmed()
    for what, dimension, sizes in series():
        if not only or what in only:
            yield from grown(what, dimension, sizes)


def all_checks() -> Iterator[Row]:
    warmed()
    size = Size(units=CHECKED)
    for what in ESTIMATORS:
        row = {"part": "check", "what": what, "dimension": "units", "size": CHECKED}
        yield {**row, **size._asdict(), **in_process(what, size)}


def all_hundred() -> Iterator[Row]:
    for way in ("here", "dask"):
        command = [sys.executable, __file__, "--hundred", way]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        for row in json.loads(done.stdout.strip().splitlines()[-1]):
            yield {"part": "hundred", **row}


PARTS = {
    "growth": all_growth,
    "check": all_checks,
    "executors": _scale_executors.rows,
    "hundred": all_hundred,
}


def machine() -> Row:
    """Say when and on what this was measured: nothing that names the machine."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    names = ("clsimpact", "numpy", "pandas", "scipy", "dask", "distributed")
    found = [f"{name} {importlib.metadata.version(name)}" for name in names]
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "cores": os.cpu_count(),
        "memory_gib": round(memory),
        "load": round(os.getloadavg()[0], 1),
        "versions": ", ".join([f"Python {platform.python_version()}", *found]),
    }


def with_others(rows: list[Row], only: Collection[str] = ()) -> pd.DataFrame:
    """Put new rows beside those of the table that were not measured again: other parts, other methods."""
    kept = pd.read_csv(CSV).to_dict("records") if CSV.is_file() else []
    parts = {row["part"] for row in rows}
    return pd.DataFrame(
        [*(row for row in kept if row["part"] not in parts or (only and row["what"] not in only)), *rows]
    )


def main() -> None:
    """Measure the parts asked for, keep the others, and write table and page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--part", choices=PARTS, action="append", help="only this part; others are kept")
    parser.add_argument("--what", action="append", help="growth of this estimator or method only")
    parser.add_argument("--page", action="store_true", help="measure nothing, write the page again")
    parser.add_argument("--hundred", help=argparse.SUPPRESS)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    if options.hundred:
        print(json.dumps(_scale_hundred.steps(options.hundred, status=status, forget=forget_peak)))
        return
    parts = PARTS | {"growth": partial(all_growth, options.what or ())}
    for part in [] if options.page else options.part or list(PARTS):
        rows = []
        for row in parts[part]():
            rows.append({**row, **machine()})
            print({k: v for k, v in row.items() if v == v}, flush=True)
        only = (options.what or ()) if part == "growth" else ()
        with_others(rows, only).to_csv(CSV, index=False, float_format="%.6g")
    PAGE.write_text(page(pd.read_csv(CSV)), encoding="utf-8")


if __name__ == "__main__":
    main()
