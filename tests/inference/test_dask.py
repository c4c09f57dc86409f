"""Draws on a local Dask cluster of separate worker processes, one of which is killed in the middle."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from typing import Any

import pytest
from distributed import Client, LocalCluster

from clsimpact.estimators import event_study
from clsimpact.inference import Permutation
from clsimpact.inference.blocks import SIZE
from tests.estimation_helpers import council_design
from tests.inference.draw_helpers import NAMED, bits, panel, said

BLOCKS = 16
"""Blocks of some 50 ms: when the first is done most are pending, on the fastest machine too."""

PATIENCE = 300
"""Seconds until something is given up that takes a few on an idle machine."""


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with (
        LocalCluster(
            processes=True,
            n_workers=2,
            threads_per_worker=1,
            dashboard_address=None,
            silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster, timeout=PATIENCE) as client,
    ):
        client.wait_for_workers(2, timeout=PATIENCE)
        yield client


class KillsOne(Executor):
    """Hands blocks to a cluster; when the first is done it kills one of the two workers."""

    def __init__(self, inside: Executor, victim: int) -> None:
        self.inside, self.victim = inside, victim
        self.futures: list[Future[Any]] = []
        self.pending_at_death = -1
        self._once = threading.Lock()

    def submit(self, job: Callable[..., Any], /, *args: Any, **more: Any) -> Future[Any]:
        future = self.inside.submit(job, *args, **more)
        self.futures.append(future)
        future.add_done_callback(self._kill)
        return future

    def _kill(self, _: Future[Any]) -> None:
        if self._once.acquire(blocking=False):
            os.kill(self.victim, signal.SIGKILL)
            self.pending_at_death = sum(not future.done() for future in self.futures)


def test_workers_are_processes_of_their_own(client: Client) -> None:
    pids = set(client.run(os.getpid).values())
    assert len(pids) == 2
    assert os.getpid() not in pids


def test_every_method(client: Client) -> None:
    executor = client.get_executor()
    assert said(panel(), NAMED, executor) == said(panel(), NAMED)


def test_a_worker_killed_in_the_middle_changes_nothing(client: Client) -> None:
    fit = event_study(council_design(panel()))
    asked = {"draws": BLOCKS * SIZE, "seed": 11}
    here = fit.with_inference(Permutation(impose_null=True), **asked)
    client.wait_for_workers(2, timeout=PATIENCE)
    victim = min(client.run(os.getpid).values())
    executor = KillsOne(client.get_executor(), victim)
    there = fit.with_inference(Permutation(impose_null=True), executor=executor, **asked)
    assert len(executor.futures) == BLOCKS
    assert executor.pending_at_death > 0
    assert bits(there) == bits(here)
    started_again = time.monotonic() + PATIENCE
    while victim in (nanny.pid for nanny in client.cluster.workers.values()):
        assert time.monotonic() < started_again
        time.sleep(0.05)
