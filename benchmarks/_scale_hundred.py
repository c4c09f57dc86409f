"""A hundred times the study: its units, and its draws, in this process and by local Dask workers."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any

import pandas as pd
from _scale_executors import WORKERS, started
from _scale_work import Size, curve_of, drawn, fitted, panel, with_readings

from clsimpact.diagnostics.specification_curve import SpecificationCurve

UNITS, DRAWS, MANY = 15_000, 3_999, 99_900
"""Units and draws, and the draws on a panel of the study's size."""

SPECIFICATIONS = 64


def bits(found: object) -> str:
    """Return what tells two tables apart that differ in one bit."""
    table = found if isinstance(found, pd.DataFrame) else pd.DataFrame(found)
    return hashlib.sha256(table.to_csv().encode()).hexdigest()[:16]


def used(client: Any) -> tuple[float, float]:
    """Return processor seconds of all workers so far, and the peak memory of the largest in MB."""
    if client is None:
        return 0.0, 0.0
    found = client.run(_own).values()
    return sum(seconds for seconds, _ in found), max(megabytes for _, megabytes in found)


def _own() -> tuple[float, float]:
    import resource
    import time

    return time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def work(units: int, draws: int, executor: Any) -> Iterator[tuple[str, Callable[[], object]]]:
    """Yield the steps of a study: estimates, inference by draws, a specification curve and its test."""
    size = Size(units=units)
    data = panel(size)
    yield "table to event study, CR1", lambda: fitted("event_study", data).tidy()
    fit = fitted("event_study", data)
    yield f"{draws:,} permutations", partial(drawn, fit, "permutation", draws, executor)
    yield f"{draws:,} wild draws, null imposed", partial(drawn, fit, "wild", draws, executor)
    readings = with_readings(size._replace(specifications=SPECIFICATIONS))
    curves: list[SpecificationCurve] = []

    def curve() -> pd.DataFrame:
        curves.append(curve_of(readings, executor))
        return curves[-1].tidy()

    yield f"curve of {SPECIFICATIONS} specifications", curve
    yield (
        "test of the curve, 999 re-assignments",
        lambda: curves[-1].permutation_test(draws=999, seed=1, executor=executor).tidy(),
    )
    small = fitted("event_study", panel(Size()))
    yield f"{MANY:,} permutations of 150 units", partial(drawn, small, "permutation", MANY, executor)


def steps(
    way: str,
    *,
    status: Callable[[str], float],
    forget: Callable[[], None],
    units: int = UNITS,
    draws: int = DRAWS,
) -> list[dict[str, Any]]:
    """Run every step in one way and return time, memory and what tells the results apart."""
    rows = []
    with ExitStack() as stack:
        executor = started(way, stack)
        client = getattr(executor, "_client", None)
        for what, call in work(units, draws, executor):
            forget()
            before, (busy, _) = time.process_time(), used(client)
            start = time.perf_counter()
            found = call()
            seconds = time.perf_counter() - start
            own, (after, largest) = time.process_time() - before, used(client)
            row = {"what": what, "executor": way, "units": 150 if "150 units" in what else units}
            row |= {"seconds": seconds, "processor_seconds": own, "workers": WORKERS if client else 0}
            row |= {"workers_seconds": after - busy, "megabytes": status("VmHWM")}
            rows.append({**row, "workers_megabytes": largest, "bits": bits(found)})
    return rows
