"""Time a specification curve of 1,008 specifications of the official panel, and its permutation test.

Two outcomes by four samples by three groups of controls by six readings of the dates by seven estimators. The
curve is made in this process and by two worker processes (already started, library not yet imported there);
both must give the same numbers to the last bit. Seconds are those of the wall clock and, of this process, of
the processor: other jobs disturb the latter least. Every process has one thread.
Run: make bench, or python benchmarks/specification_curve.py --workers 2
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import resource
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

import clsimpact as ci
from clsimpact.diagnostics.specification_curve import (
    SpecificationCurve,
    StudySpecifications,
    specification_curve,
    study_specifications,
)
from clsimpact.plots.specification_curve import specification_figure

OUTCOMES = ("gce_per_adult", "gce_per_adult_18_64")
BUDGET = 60.0
"""Seconds that a thousand specifications may take on two cores."""

T = TypeVar("T")


def timed(label: str, call: Callable[[], T]) -> tuple[T, float]:
    start, processor = time.perf_counter(), time.process_time()
    found = call()
    took, own = time.perf_counter() - start, time.process_time() - processor
    print(f"{label:<55} {took:7.1f} s {own:7.1f} s of this process")
    return found, took


def study() -> StudySpecifications:
    return study_specifications(ci.load_panel(), ci.load_adoption(), outcomes=OUTCOMES)


def with_workers(asked: StudySpecifications, workers: int, draws: int) -> tuple[SpecificationCurve, float]:
    with ProcessPoolExecutor(workers) as pool:
        list(pool.map(abs, range(workers * 2)))
        made = timed(f"curve, {workers} processes", lambda: specification_curve(**asked, executor=pool))
        timed(
            f"permutation test, {draws:,} re-assignments, {workers} processes",
            lambda: made[0].permutation_test(draws=draws, executor=pool),
        )
    return made


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--draws", type=int, default=999)
    options = parser.parse_args()
    asked, _ = timed("lay out the study (load, tag six times)", study)
    two, took = with_workers(asked, options.workers, options.draws)
    one, _ = timed("curve, in this process", lambda: specification_curve(**asked))
    timed(
        f"permutation test, {options.draws:,} re-assignments, two threads at most",
        lambda: one.permutation_test(draws=options.draws),
    )
    timed("figure", lambda: specification_figure(one))
    same = one.tidy().equals(two.tidy())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{len(one.table):,} specifications, {int(one.table['identified'].sum()):,} with an estimate")
    print(f"the same to the last bit: {'yes' if same else 'NO'}; peak memory of this process {peak:,.0f} MB")
    workers = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = workers.ru_utime + workers.ru_stime
    print(f"the workers' processors were busy for {spent:.1f} s")
    print(f"under {BUDGET:.0f} s by the wall clock with {options.workers} processes: {took < BUDGET}")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
