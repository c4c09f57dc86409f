"""Runs with several processes: one of them killed, or the one that started them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.faults.client import ROOT, Ending, Runner
from tests.faults.kinds import Tally, Where
from tests.faults.trials import Trial

LONG = 120.0
"""Seconds after which a run has certainly begun its steps, and a process without parent has ended."""


def killed_processes(runner: Runner, trial: Trial, scratch: Path, *, times: int) -> Tally:
    """Kill a worker, or the run itself: the others must end, and say so or be silent."""
    tally = Tally("kill -9 of one of several processes", trial.name)
    for number in range(times):
        for whom in ("worker", "run"):
            folder = scratch / f"{whom}-{number}"
            ending, left = _kill(trial, folder, scratch / "said.txt", whom)
            found = [f"{left} processes went on"] if left else []
            if ending.killed == (whom == "worker"):
                found.append(f"the run ended with status {ending.status}")
            found += trial.problems(folder)
            tally.look_again(trial, runner, ending, Where(folder, folder), found, f"{whom} {number}")
    return tally


def _kill(trial: Trial, folder: Path, log: Path, whom: str) -> tuple[Ending, int]:
    words = [sys.executable, "-m", "clsimpact", *trial.call(folder)]
    words[words.index("--workers") + 1] = "2"
    began = time.monotonic()
    with log.open("wb") as said:
        run = subprocess.Popen(words, cwd=ROOT, stdout=said, stderr=said, start_new_session=True)
        _wait_for(lambda: any((folder / ".steps").glob("*/product.json")) and len(_workers(run.pid)) > 1)
        victim = _workers(run.pid)[0] if whom == "worker" else run.pid
        os.kill(victim, signal.SIGKILL)
        status = run.wait()
    _wait_for(lambda: not _session(run.pid), seconds=5.0)
    left = _session(run.pid)
    for process in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    return Ending(status, log.read_text(encoding="utf-8"), time.monotonic() - began), len(left)


def _wait_for(happened: Callable[[], bool], seconds: float = LONG) -> None:
    until = time.monotonic() + seconds
    while not happened() and time.monotonic() < until:
        time.sleep(0.02)


def _session(leader: int) -> list[int]:
    """Return the living processes of a session, its leader apart."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            fields = (place / "stat").read_text(encoding="ascii").rpartition(")")[2].split()
            if int(fields[3]) == leader and int(place.name) != leader and fields[0] != "Z":
                found.append(int(place.name))
    return found


def _workers(leader: int) -> list[int]:
    """Return the processes that make steps; the one that only tracks what they share is none of them."""
    found = []
    for process in _session(leader):
        with contextlib.suppress(OSError):
            if b"spawn_main" in Path(f"/proc/{process}/cmdline").read_bytes():
                found.append(process)
    return sorted(found)
