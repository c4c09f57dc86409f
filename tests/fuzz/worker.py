"""The process that reads broken files: limited memory, one file after the other, one verdict a file."""

from __future__ import annotations

import contextlib
import gc
import os
import resource
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import pandas as pd

from clsimpact.errors import ClsimpactError
from tests.fuzz.mutations.archives import ESCAPED
from tests.fuzz.oracle import Mutated, broken_promises
from tests.fuzz.readers import Readers
from tests.fuzz.seeds import Seed

GIB = 1024**3
GOOD = ("loaded", "refused")
"""What may become of a file."""


@dataclass(frozen=True)
class Verdict:
    """What became of a broken file.

    Attributes
    ----------
    outcome
        ``loaded``, ``refused`` (one of the library's errors), or what must not be: ``silent`` (figures
        changed without a word), ``raised`` (another exception), ``crashed``, ``hung``, ``wrote`` (outside the
        scratch folder), ``memory`` (more than 1 GiB).
    detail
        The error, or what is wrong.
    seconds, peak
        How long it took, and the largest resident memory of the process in bytes.
    """

    outcome: str
    detail: str = ""
    seconds: float = 0.0
    peak: int = 0


def serve(connection: Connection, seeds: Sequence[Seed], scratch: str) -> None:
    """Read what is sent until the pipe closes."""
    readers, by_name = Readers(), {seed.name: seed for seed in seeds}
    before: dict[str, pd.DataFrame] = {}
    home = Path(scratch)
    os.environ["TMPDIR"] = str(home)
    os.chdir(home)
    _limit_memory()
    connection.send("ready")
    with contextlib.suppress(EOFError):
        while True:
            name, mutated = connection.recv()
            connection.send(_verdict(readers, by_name[name], before, mutated, home))


def _limit_memory() -> None:
    """Allow 1 GiB of data beside what the interpreter and the libraries hold already."""
    held = int(next(line for line in _status() if line.startswith("VmData")).split()[1]) * 1024
    resource.setrlimit(resource.RLIMIT_DATA, (held + GIB, held + GIB))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _status() -> list[str]:
    return Path("/proc/self/status").read_text(encoding="ascii").splitlines()


def _peak() -> int:
    return int(next(line for line in _status() if line.startswith("VmHWM")).split()[1]) * 1024


def place_files(seed: Seed, folder: Path, content: bytes) -> Path:
    """Write a file, and what lies beside it, into an empty folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, beside in seed.beside.items():
        (folder / name).write_bytes(beside)
    path = folder / seed.file
    path.write_bytes(content)
    return path


def _verdict(
    readers: Readers, seed: Seed, before: dict[str, pd.DataFrame], mutated: Mutated, home: Path
) -> Verdict:
    folder = home / "case"
    if seed.name not in before:
        before[seed.name] = readers.learn(seed, place_files(seed, folder, seed.content))
    path = place_files(seed, folder, mutated.content)
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    start = time.monotonic()
    outcome, detail, table = "loaded", "", None
    try:
        table = readers.read(seed, path)
    except ClsimpactError as error:
        outcome, detail = "refused", f"{type(error).__name__}: {error.summary}"
    except BaseException as error:
        outcome, detail = "raised", f"{type(error).__name__}: {error} @ {_where(error)}"
    seconds, peak = time.monotonic() - start, _peak()
    if table is not None:
        wrong = broken_promises(before[seed.name], table, mutated)
        outcome, detail = ("silent", "; ".join(wrong)) if wrong else (outcome, detail)
    left = _left_behind(home)
    if left and outcome in GOOD:
        outcome, detail = "wrote", ", ".join(left)
    if peak > GIB and outcome in GOOD:
        outcome, detail = "memory", f"{peak / GIB:.2f} GiB; {detail}"
    del table
    gc.collect(0)
    return Verdict(outcome, detail[:1500], seconds, peak)


def _left_behind(home: Path) -> list[str]:
    """Return what was written beside the folder of the file, or where a member of an archive led to."""
    beside = [it.name for it in home.iterdir() if it.name != "case"]
    above = [str(it) for it in home.parent.iterdir() if it != home]
    escaped = Path("/tmp") / ESCAPED
    return sorted([*beside, *above, *([str(escaped)] if escaped.exists() else [])])


def _where(error: BaseException) -> str:
    """Return the last place in the library that an exception came through."""
    place, trace = "", error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if "clsimpact" in file:
            place = f"{Path(file).name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place
