"""Where executors take over: the same draws in this process, by a pool of processes, and by Dask workers."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import ExitStack
from typing import Any, NamedTuple

from _scale_work import PER_DATES, Size, prepared

WORKERS, ROUNDS = 2, 2
WAYS = ("here", "pool", "dask")

SERIES = {
    "permutation": ("draws", (1000, 4000, 16_000, 64_000)),
    "wild": ("draws", (1000, 4000, 16_000, 64_000)),
    "refits": ("draws", (20, 80, 320, 1280)),
    "curve": ("specifications", tuple(PER_DATES * n for n in (1, 4, 16, 64))),
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


FIRST = Size(draws=40)
"""Refits that new workers do first: two blocks."""


class Took(NamedTuple):
    """Seconds by the clock, of this process's processor time, and of its workers'."""

    seconds: float
    processor_seconds: float
    workers_seconds: float


def busy() -> float:
    """Return processor seconds so far of all processes that this one started and that still run."""
    import psutil  # comes with Dask's workers

    times = [worker.cpu_times() for worker in psutil.Process().children(recursive=True)]
    return float(sum(part.user + part.system for part in times))


def clock(what: str, size: Size, executor: Executor | None) -> Took:
    """Time one call; the result is made before."""
    call = prepared(what, size, executor)
    workers, own, start = busy(), time.process_time(), time.perf_counter()
    call()
    return Took(time.perf_counter() - start, time.process_time() - own, busy() - workers)


def least(times: list[Took]) -> Took:
    """Return the round that took the fewest processor seconds."""
    return min(times, key=lambda took: took.processor_seconds + took.workers_seconds)


def rows() -> Iterator[dict[str, Any]]:
    """Time one way after the other, so that no idle workers are counted with those of another."""
    for way in WAYS:
        with ExitStack() as stack:
            workers, own, start = busy(), time.process_time(), time.perf_counter()
            executor = started(way, stack)
            clock("refits", FIRST, executor)
            first = Took(time.perf_counter() - start, time.process_time() - own, busy() - workers)
            later = least([clock("refits", FIRST, executor) for _ in range(ROUNDS)])
            more = {key: max(getattr(first, key) - getattr(later, key), 0.0) for key in Took._fields}
            yield {"part": "start", "what": "start", "executor": way, **more}
            for what, dimension, n in work():
                size = Size()._replace(**{dimension: n})
                took = least([clock(what, size, executor) for _ in range(ROUNDS)])
                row = {"part": "executor", "what": what, "dimension": dimension, "size": n}
                yield {**row, **size._asdict(), "executor": way, **took._asdict()}


def work() -> Iterator[tuple[str, str, int]]:
    """Yield what is computed, what grows, and its size."""
    for what, (dimension, sizes) in SERIES.items():
        for n in sizes:
            yield what, dimension, n
