"""Draws in blocks: the same numbers whatever the number of workers, in bounded memory.

Draw b belongs to block ``b // size``, and a block has a generator of its own, made from the seed and its
number. So the blocks can be computed by anybody in any order, and memory is that of a block and its results.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from concurrent.futures import as_completed as _as_completed
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from clsimpact._progress import bar as progress_bar
from clsimpact.errors import DesignError

__all__ = [
    "SIZE",
    "Block",
    "blocks_of",
    "checked_draws",
    "checked_executor",
    "joined",
    "run_blocks",
    "steady",
]

Floats = NDArray[np.float64]
T = TypeVar("T")

MOST_THREADS = 4
"""Threads that compute blocks where no executor is given: each holds one block."""

SIZE = 1000
"""Draws of a block: a few megabytes for a panel of 150 units."""


@dataclass(frozen=True)
class Block:
    """Draws ``start`` to ``stop``, with a generator of their own.

    Examples
    --------
    >>> block = blocks_of(2500, seed=1)[2]
    >>> block.start, block.stop
    (2000, 2500)
    >>> bool(block.generator().random() == block.generator().random())
    True
    """

    seed: int
    start: int
    stop: int

    @property
    def size(self) -> int:
        """Number of draws."""
        return self.stop - self.start

    def generator(self) -> np.random.Generator:
        """Return the generator of this block: always from its beginning."""
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(self.start,)))


def checked_draws(draws: object, seed: object) -> tuple[int, int]:
    """Return the number of draws and the seed, or raise `DesignError`.

    Examples
    --------
    >>> checked_draws(99, 0)
    (99, 0)
    """
    problems = []
    for name, value, least in (("draws", draws, 19), ("seed", seed, 0)):
        whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
        if not whole or int(value) < least:  # type: ignore[call-overload]
            problems.append(f"{name} is {value!r}; a whole number of at least {least} is needed")
    if problems:
        raise DesignError("The draws cannot be made.", problems, repair="Use draws=9999, seed=0, say.")
    return int(draws), int(seed)  # type: ignore[call-overload]


def blocks_of(draws: int, *, seed: int, size: int = SIZE) -> tuple[Block, ...]:
    """Cut draws into blocks.

    Examples
    --------
    >>> [block.size for block in blocks_of(2500, seed=0)]
    [1000, 1000, 500]
    """
    starts = range(0, draws, size)
    return tuple(Block(seed, start, min(start + size, draws)) for start in starts)


def run_blocks(
    job: Callable[[Block], T],
    blocks: Sequence[Block],
    *,
    executor: Executor | None = None,
    progress: bool = False,
    label: str = "draws",
    threads: bool = True,
) -> list[T]:
    """Compute every block, here or by an executor, and return the results in the order of the blocks.

    Parameters
    ----------
    job
        Takes a block; must be picklable where the executor works in other processes.
    blocks
    executor
        Any `concurrent.futures.Executor` (processes, threads, Dask's ``client.get_executor()``, Ray's ...);
        None, or one that was shut down, computes here, in a thread per core (at most four).
    progress
        Show a bar of the draws that are done.
    label
        What the bar counts.
    threads
        False: the job is not safe in threads; without an executor blocks follow each other.

    Raises
    ------
    DesignError
        If a worker of the executor died and the executor does not start another in its place.

    Examples
    --------
    >>> run_blocks(lambda block: block.size, blocks_of(1500, seed=0))
    [1000, 500]
    """
    futures = _submitted(job, blocks, executor)
    if futures is None:
        cores = min(os.cpu_count() or 1, MOST_THREADS, len(blocks)) if threads else 1
        if cores == 1:
            return [job(block) for block in _counted(blocks, blocks, progress, label)]
        with ThreadPoolExecutor(cores) as pool:
            return list(_counted(pool.map(job, blocks), blocks, progress, label))
    done: dict[int, T] = {}
    try:
        for future in _counted(_completed(futures), blocks, progress, label):
            done[futures[future].start] = future.result()
    except Exception as error:
        for future in futures:
            future.cancel()
        if _is_broken(error):
            raise DesignError(
                f"A worker of the executor died after {len(done)} of {len(blocks)} blocks: {error}.",
                repair="Start a new executor and call again with the same seed: the numbers will be the "
                "same. Give workers more memory if they were killed for it.",
            ) from error
        raise
    return [done[block.start] for block in blocks]


def _submitted(
    job: Callable[[Block], T], blocks: Sequence[Block], executor: Executor | None
) -> dict[Future[T], Block] | None:
    """Hand every block to the executor; None where there is none, or it takes no more work."""
    if executor is None:
        return None
    try:
        return {executor.submit(job, block): block for block in blocks}
    except RuntimeError as error:
        if _is_broken(error):
            raise DesignError(
                f"The executor is broken: {error}.", repair="Start a new executor and call again."
            ) from error
        return None


def checked_executor(executor: object) -> None:
    """Refuse what takes no work.

    Examples
    --------
    >>> checked_executor(None)
    """
    if executor is not None and (isinstance(executor, type) or not hasattr(executor, "submit")):
        raise DesignError(
            f"executor is {executor!r}; an executor is needed.",
            repair="Use concurrent.futures.ProcessPoolExecutor(), say, or leave it out.",
        )


def joined(results: Iterable[tuple[Floats, ...]]) -> tuple[Floats, ...]:
    """Put arrays of blocks together along the draws.

    Examples
    --------
    >>> [array.tolist() for array in joined([(np.ones(1),), (np.zeros(2),)])]
    [[1.0, 0.0, 0.0]]
    """
    return tuple(np.concatenate(parts) for parts in zip(*results, strict=True))


def steady(left: Floats, right: Floats) -> Floats:
    """Multiply matrices (m, k) and (k, n) with the same bits for any number of threads.

    A library of linear algebra cuts a large product into parts, one per thread, and the last digit of a
    number can depend on the part it is in. Workers often have one thread and this process several. So the
    product is made of tiles that are too small to be shared out (OpenBLAS: up to 2^18 multiplications, and
    about 9,000 for a vector), in a fixed order: about as fast as one thread is.

    Examples
    --------
    >>> steady(np.array([[1.0, 2.0]]), np.array([[3.0], [4.0]])).tolist()
    [[11.0]]
    """
    left, right = np.ascontiguousarray(left), np.ascontiguousarray(right)
    out = np.zeros((len(left), right.shape[1]))
    for k in range(0, left.shape[1], DEEP):
        for j in range(0, right.shape[1], WIDE):
            part = right[k : k + DEEP, j : j + WIDE]
            rows = (TILE if part.shape[1] > 1 else THIN) // part.size
            for i in range(0, len(left), rows):
                out[i : i + rows, j : j + WIDE] += left[i : i + rows, k : k + DEEP] @ part
    return out


TILE, THIN, DEEP, WIDE = 2**18, 9000, 512, 16
"""Multiplications of a tile of `steady` and, where it has one column; and its depth and width."""


def _completed(futures: dict[Future[T], Block]) -> Iterable[Future[T]]:
    """Return futures as they complete; those of other libraries in the order that they were handed in."""
    plain = all(isinstance(future, Future) for future in futures)
    return _as_completed(futures) if plain else list(futures)


def _counted(items: Iterable[Any], blocks: Sequence[Block], progress: bool, label: str) -> Iterable[Any]:
    """Show a bar, where one is asked for."""
    if not progress:
        yield from items
        return
    with progress_bar(total=sum(block.size for block in blocks), unit=" draws", desc=label) as bar:
        sizes = iter(blocks)
        for item in items:
            yield item
            bar.update(next(sizes).size)


def _is_broken(error: BaseException) -> bool:
    """Return whether an error says that workers died, whichever library it is from."""
    return isinstance(error, BrokenExecutor) or "KilledWorker" in type(error).__name__
