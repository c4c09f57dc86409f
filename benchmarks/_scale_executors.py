"""Where executors take over: the same draws in this process, by a pool of processes, and by Dask workers."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import ExitStack
from typing import Any

from _scale_work import PER_DATES, Size, prepared

WORKERS, ROUNDS = 2, 3
WAYS = ("here", "pool", "dask")

SERIES = {
    "permutation": ("draws", (1000, 4000, 16_000, 64_000, 256_000)),
    "wild": ("draws", (1000, 4000, 16_000, 64_000)),
    "refits": ("draws", (20, 40, 80, 160, 320)),
    "curve": ("specifications", tuple(PER_DATES * n for n in (1, 2, 4))),
}


def started(way: str, stack: ExitStack) -> Executor | None:
    """Start the workers of a way; those of Dask are separate processes of one thread on this machine."""
    if way == "here":
        return None
    if way == "pool":
        return stack.enter_context(ProcessPoolExecutor(WORKERS))
    from distributed import Client, LocalCluster

    cluster = LocalCluster(
        processes=True,
        n_workers=WORKERS,
        threads_per_worker=1,
        dashboard_address=None,
        silence_logs=logging.CRITICAL,
    )
    client = stack.enter_context(Client(stack.enter_context(cluster)))
    client.wait_for_workers(WORKERS)
    executor: Executor = client.get_executor()
    return executor


def clock(what: str, size: Size, executor: Executor | None) -> float:
    """Return seconds by the clock of one call; the result is made before."""
    call = prepared(what, size, executor)
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def rows() -> Iterator[dict[str, Any]]:
    """Time each way in turn; the first job of fresh workers, which import the library, is timed with them."""
    with ExitStack() as stack:
        executors: dict[str, Executor | None] = {}
        for way in WAYS:
            start = time.perf_counter()
            executors[way] = started(way, stack)
            clock("refits", Size(draws=100), executors[way])
            first = time.perf_counter() - start
            again = min(clock("refits", Size(draws=100), executors[way]) for _ in range(ROUNDS))
            yield {"part": "start", "what": "start", "executor": way, "seconds": first - again}
        for what, (dimension, sizes) in SERIES.items():
            for n in sizes:
                size = Size()._replace(**{dimension: n})
                times: dict[str, list[float]] = {way: [] for way in WAYS}
                for _ in range(ROUNDS):
                    for way in WAYS:
                        times[way].append(clock(what, size, executors[way]))
                for way in WAYS:
                    row = {"part": "executor", "what": what, "dimension": dimension, "size": n}
                    yield {**row, **size._asdict(), "executor": way, "seconds": min(times[way])}
