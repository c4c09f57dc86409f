"""Time the long ASC-FR files at their real size: written, then read by the ordinary loader.

Writes a made-up file of about 500,000 rows as CSV (2018-19) and as .xlsb (2017-18) to a temporary folder, and
reads it. Each step is a process of its own: prints its seconds (wall and processor) and its peak memory.
Run: python benchmarks/asc_fr.py --years 2018
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import tempfile
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from clsimpact._status import Known
from clsimpact.geography import councils, regions
from clsimpact.loaders import asc_fr_long
from clsimpact.loaders.manifest import all_sources
from clsimpact.simulate.asc_fr_csv import write_asc_fr_long

SOURCES = {2017: "asc_fr_2017_18", 2018: "csv_pack_2018_19"}
MEGABYTE = 1024  # ru_maxrss is in kilobytes


class FastBook:
    """Pseudo-figures that cost almost nothing: what is timed is the file, not the simulation."""

    def __init__(self, year: int) -> None:
        self.year = year

    def areas(self, first_year: int | None = None, *, council_types: bool = False) -> pd.DataFrame:  # noqa: ARG002
        head = [{"level": "england", "ons_code": "E92000001", "name": "England"}]
        head += [{"level": "region", "ons_code": code, "name": name} for code, name in regions().items()]
        return pd.concat([pd.DataFrame(head), councils(self.year).assign(level="council")], ignore_index=True)

    def figures(
        self,
        measure: str,
        says: Mapping[str, str],
        areas: pd.DataFrame,
        *,
        year: int | None = None,  # noqa: ARG002 - as a book is asked
    ) -> Known:
        rng = np.random.default_rng(zlib.crc32(f"{measure}{sorted(says.items())}".encode()))
        status = np.where(rng.random(len(areas)) < 0.01, "not_submitted", "published").astype("object")
        value = np.round(1e4 * rng.random(len(areas)) - 500, 5)
        return Known(np.where(status == "published", value, np.nan), status)


def place(folder: Path, year: int) -> Path:
    return folder / f"SIMULATED ASC-FR {year}{'.xlsb' if year == 2017 else '.csv'}"


def write(folder: Path, year: int) -> int:
    return len(write_asc_fr_long(FastBook(year), place(folder, year)).figures)


def read(folder: Path, year: int) -> int:
    official = all_sources()[SOURCES[year]]
    return len(asc_fr_long.read(place(folder, year), replace(official, simulated=True)))


def measured(step: Callable[[Path, int], int], folder: Path, year: int) -> tuple[int, float, float, float]:
    """Return rows, seconds by the wall and by the processor, and peak megabytes."""
    wall, processor = time.perf_counter(), time.process_time()
    rows = step(folder, year)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MEGABYTE
    return rows, time.perf_counter() - wall, time.process_time() - processor, peak


def main() -> None:
    """Write and read both files, each step in a new process, and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--years", type=int, nargs="*", default=sorted(SOURCES), choices=sorted(SOURCES))
    years = parser.parse_args().years
    new = multiprocessing.get_context("spawn")
    print("| step | file | rows | seconds | of processor | peak MB |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        for year in years:
            for step in (write, read):
                with new.Pool(1) as process:
                    rows, wall, processor, peak = process.apply(measured, (step, Path(scratch), year))
                file = place(Path(scratch), year)
                kind = f"{file.suffix} {file.stat().st_size / 1e6:.0f} MB"
                print(f"| {step.__name__} | {kind} | {rows:,} | {wall:.1f} | {processor:.1f} | {peak:.0f} |")


if __name__ == "__main__":
    main()
