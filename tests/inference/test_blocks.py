"""Draws in blocks: the same bits by any workers, in any order of rows and under any hash seed."""

from __future__ import annotations

import io
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clsimpact.errors import DesignError
from clsimpact.estimators import event_study
from clsimpact.estimators.group_time import group_time
from clsimpact.inference.blocks import SIZE, Block, blocks_of, checked_draws, joined, run_blocks, steady
from tests.estimation_helpers import EXACT, council_design
from tests.inference.draw_helpers import DRAWS, METHODS, NAMED, bits, killed, panel, said

HASH_SEEDS = {"0": "1", "1": "2", "4242": "3"}
"""Seeds of the hash, each with a number of threads for linear algebra."""

WAIT = 120
"""Seconds until a process of its own is given up: it takes two on an idle machine."""


@pytest.fixture(scope="module")
def here() -> dict[str, str]:
    """The bits without an executor."""
    return said(panel(), tuple(METHODS))


def test_methods_and_seeds_give_different_bits(here: dict[str, str]) -> None:
    """Otherwise the comparisons below would compare nothing."""
    assert len(set(here.values())) == len(METHODS)
    fit = event_study(council_design(panel())).with_inference("permutation", draws=DRAWS, seed=8)
    assert bits(fit) not in here.values()


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_processes(workers: int, here: dict[str, str]) -> None:
    names = tuple(METHODS) if workers == 2 else NAMED
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        found = said(panel(), names, pool)
    assert found == {name: here[name] for name in names}


@pytest.mark.parametrize("workers", [1, 3])
def test_threads(workers: int, here: dict[str, str]) -> None:
    with ThreadPoolExecutor(workers) as pool:
        assert said(panel(), tuple(METHODS), pool) == here


def test_hash_seeds_and_threads_of_linear_algebra(here: dict[str, str], root: Path) -> None:
    code = "from tests.inference.draw_helpers import *; print(*said(panel(), NAMED).values(), hash('units'))"
    hashes = set()
    for seed, threads in HASH_SEEDS.items():
        numbers = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), threads)
        run = subprocess.run(
            [sys.executable, "-c", code],
            cwd=root,
            env=os.environ | numbers | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
            timeout=WAIT,
        )
        *found, own = run.stdout.split()
        assert found == [here[name] for name in NAMED]
        hashes.add(own)
    assert len(hashes) == len(HASH_SEEDS)


@pytest.mark.parametrize("seed", [1, 2])
def test_order_of_rows(seed: int, here: dict[str, str]) -> None:
    shuffled = panel().sample(frac=1, random_state=seed)
    assert not shuffled["ons_code"].is_monotonic_increasing
    assert said(shuffled, tuple(METHODS)) == here


@pytest.mark.parametrize("name", ["permutation", "wild", "multiplier"])
def test_fewer_draws_are_the_first_of_many(name: str) -> None:
    fit = group_time(council_design(panel()))
    few, many = (fit.with_inference(name, draws=n, seed=3) for n in (SIZE, 2 * SIZE + 10))
    statistics = [each.procedure.run._drawn(np.eye(13)[:, 12:]).statistics for each in (few, many)]
    assert statistics[1].shape == (2 * SIZE + 10, 1)
    assert np.array_equal(statistics[0], statistics[1][:SIZE])
    assert not np.array_equal(statistics[0], statistics[1][SIZE : 2 * SIZE])


def test_blocks_by_hand() -> None:
    blocks = blocks_of(25, seed=9, size=10)
    assert [(block.start, block.stop, block.size) for block in blocks] == [
        (0, 10, 10),
        (10, 20, 10),
        (20, 25, 5),
    ]
    assert {block.seed for block in blocks} == {9}
    assert blocks_of(10, seed=9, size=10) == (Block(9, 0, 10),)
    assert sum(block.size for block in blocks_of(9999, seed=0)) == 9999


def test_a_generator_depends_on_seed_and_start_only() -> None:
    first = Block(1, 20, 30).generator().random(3).tolist()
    assert first == Block(1, 20, 99).generator().random(3).tolist()
    others = [Block(1, 21, 30), Block(2, 20, 30), Block(20, 1, 30)]
    assert all(block.generator().random(3).tolist() != first for block in others)


def test_numbers_of_draws_and_seeds_are_checked_together() -> None:
    assert checked_draws(np.int64(19), 0) == (19, 0)
    with pytest.raises(DesignError, match=r"draws is 18; (.|\n)*seed is -1; .*(.|\n)*draws=9999") as found:
        checked_draws(18, -1)
    assert len(found.value.problems) == 2


@pytest.mark.parametrize("bad", [99.0, "99", None, True, float("nan")])
def test_no_whole_number_of_draws(bad: object) -> None:
    with pytest.raises(DesignError, match="draws is"):
        checked_draws(bad, 0)
    with pytest.raises(DesignError, match="seed is"):
        checked_draws(99, bad)


def test_joined_by_hand() -> None:
    one, two = joined(
        [(np.array([1.0]), np.array([[2.0]])), (np.array([3.0, 4.0]), np.array([[5.0], [6.0]]))]
    )
    assert one.tolist() == [1.0, 3.0, 4.0]
    assert two.tolist() == [[2.0], [5.0], [6.0]]


@pytest.mark.parametrize(
    "shape", [(3, 2, 1), (40, 700, 35), (1, 1100, 1), (700, 20, 17), (5, 0, 2), (4, 3, 0)]
)
def test_a_product_in_tiles(shape: tuple[int, int, int]) -> None:
    rng = np.random.default_rng(4)
    left, right = rng.normal(size=shape[:2]), rng.normal(size=shape[1:])
    found = steady(left, right)
    assert found.shape == (shape[0], shape[2])
    np.testing.assert_allclose(found, left @ right, rtol=0, atol=EXACT * max(1, shape[1]))
    layouts = steady(np.asfortranarray(left), np.repeat(right, 2, axis=1)[:, ::2])
    assert np.array_equal(found, layouts)


def test_a_product_by_hand_and_of_wrong_shapes() -> None:
    left, right = np.array([[1.0, 2.0], [0.0, -1.0]]), np.array([[3.0, 1.0], [4.0, 0.5]])
    assert steady(left, right).tolist() == [[11.0, 2.0], [-4.0, -0.5]]
    with pytest.raises(ValueError, match="mismatch"):
        steady(left, np.ones((3, 1)))


def start_of(block: Block) -> int:
    return block.start


def refused(block: Block) -> int:
    if block.start:
        raise KeyError(block.start)
    return block.size


def test_a_dead_worker_is_told_in_words() -> None:
    with (
        ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool,
        pytest.raises(DesignError, match=r"worker of the executor died after \d of 3 blocks") as found,
    ):
        run_blocks(killed, blocks_of(30, seed=0, size=10), executor=pool)
    assert "Start a new executor" in found.value.repair
    assert "the same seed" in found.value.repair


def test_errors_of_a_job_stay_what_they_are() -> None:
    with ThreadPoolExecutor(1) as pool, pytest.raises(KeyError, match="10"):
        run_blocks(refused, blocks_of(30, seed=0, size=10), executor=pool)
    with pytest.raises(KeyError, match="10"):
        run_blocks(refused, blocks_of(30, seed=0, size=10))


class Backwards(Executor):
    """Answers the last block first; its futures may be those of a library of its own."""

    def __init__(self, kind: type) -> None:
        self.kind, self.waiting = kind, []

    def submit(self, job: Callable[..., Any], /, *args: Any, **more: Any) -> Any:
        future = self.kind()
        self.waiting.append(partial(self._answer, future, job, *args, **more))
        if len(self.waiting) == 3:
            for answer in reversed(self.waiting):
                answer()
        return future

    @staticmethod
    def _answer(future: Any, job: Callable[..., Any], *args: Any) -> None:
        try:
            future.set_result(job(*args))
        except Exception as error:
            future.set_exception(error)


class Own:
    """A future that is none of `concurrent.futures`."""

    def __init__(self) -> None:
        self.found, self.error, self.cancelled = None, None, False

    def set_result(self, found: Any) -> None:
        self.found = found

    def set_exception(self, error: BaseException) -> None:
        self.error = error

    def cancel(self) -> bool:
        self.cancelled = True
        return True

    def result(self) -> Any:
        if self.error is not None:
            raise self.error
        return self.found


@pytest.mark.parametrize("kind", [Future, Own])
def test_results_are_in_the_order_of_the_blocks(kind: type) -> None:
    blocks = blocks_of(30, seed=0, size=10)
    assert run_blocks(start_of, blocks, executor=Backwards(kind)) == [0, 10, 20]


class KilledWorker(Exception):  # noqa: N818 (the name that Dask gives it)
    pass


def lost(block: Block) -> int:
    raise KilledWorker("worker-2 died")


def test_a_worker_that_another_library_lost() -> None:
    with pytest.raises(DesignError, match="died after 0 of 3 blocks: worker-2 died"):
        run_blocks(lost, blocks_of(30, seed=0, size=10), executor=Backwards(Own))


def terminal_of(monkeypatch: pytest.MonkeyPatch) -> Callable[[], str]:
    """What a terminal has seen since it was last asked."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()

    def shown() -> str:
        text = terminal.getvalue()
        terminal.seek(0)
        terminal.truncate()
        return text

    monkeypatch.setattr(sys, "stderr", terminal)
    return shown


def test_progress_counts_draws_and_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    bar = terminal_of(monkeypatch)
    blocks = blocks_of(25, seed=0, size=10)
    with ThreadPoolExecutor(2) as pool:
        for where in ({"executor": None}, {"executor": pool}, {"threads": False}):
            found = run_blocks(start_of, blocks, **where, progress=True, label="refits")  # type: ignore[arg-type]
            assert found == [0, 10, 20]
            shown = bar()
            assert "refits: 100%" in shown
            assert "25/25" in shown
    assert run_blocks(start_of, blocks) == [0, 10, 20]
    assert bar() == ""
