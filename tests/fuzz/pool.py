"""The parent of the reading process: sends files, waits so long and no longer, starts anew what has died."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from tests.fuzz.oracle import Mutated
from tests.fuzz.seeds import Seed
from tests.fuzz.worker import Verdict, serve

_START = 120.0
"""Seconds that a process has to start."""
_REST = 4_000
"""Files after which a process is replaced, so that what it keeps does not add up."""


class Reader:
    """One reading process, replaced when it dies."""

    def __init__(self, seeds: Sequence[Seed], *, seconds: float) -> None:
        self._seeds = seeds
        self._seconds = seconds
        self._folder = Path(tempfile.mkdtemp(prefix="clsimpact-fuzz-"))
        self._context = multiprocessing.get_context("spawn")
        self._read = 0
        self._start()

    def __enter__(self) -> Reader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _start(self) -> None:
        self._scratch = Path(tempfile.mkdtemp(dir=self._folder))
        self._pipe, other = self._context.Pipe()
        os.environ["ARROW_DEFAULT_MEMORY_POOL"] = "system"  # its own pool reserves a GiB that it never uses
        arguments = (other, self._seeds, str(self._scratch))
        self._process = self._context.Process(target=serve, args=arguments, daemon=True)
        self._process.start()
        other.close()
        if not self._pipe.poll(_START) or self._pipe.recv() != "ready":
            raise TimeoutError("The reading process does not start.")

    def _stop(self) -> None:
        self._pipe.close()
        self._process.kill()
        self._process.join()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def _again(self) -> None:
        self._stop()
        self._start()

    def verdict(self, seed: Seed, mutated: Mutated) -> Verdict:
        """Have a broken file read."""
        self._read += 1
        if self._read % _REST == 0:
            self._again()
        self._pipe.send((seed.name, mutated))
        with contextlib.suppress(EOFError, ConnectionError):
            if not self._pipe.poll(self._seconds):
                self._again()
                return Verdict("hung", f"more than {self._seconds:.0f} s", self._seconds)
            found: Verdict = self._pipe.recv()
            if found.outcome == "wrote":
                self._again()
            return found
        self._process.join(10)
        code = self._process.exitcode
        self._again()
        return Verdict("crashed", f"the process ended with {code}")
