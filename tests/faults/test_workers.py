"""Processes of a pool: they end with the run, and when one is killed the run says so."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest

from clsimpact.errors import ClsimpactError
from clsimpact.report import steps
from clsimpact.report.steps import Step

LONG = 30.0
"""Seconds that no process lives on."""

PROGRAM = """
import multiprocessing, time
from pathlib import Path
from clsimpact._orphans import end_with_parent

def work(place):
    end_with_parent()
    for number in range(2000):
        Path(place).write_text(str(number))
        time.sleep(0.05)

if __name__ == "__main__":
    import sys
    multiprocessing.get_context("spawn").Process(target=work, args=(sys.argv[1],)).start()
    time.sleep(100)
"""


def test_a_process_ends_with_the_run_that_started_it(tmp_path: Path) -> None:
    program, place = tmp_path / "program.py", tmp_path / "count.txt"
    program.write_text(PROGRAM, encoding="utf-8")
    run = subprocess.Popen([sys.executable, str(program), str(place)])
    until = time.monotonic() + LONG
    while not place.exists() and time.monotonic() < until:
        time.sleep(0.02)
    assert place.exists()
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    time.sleep(0.5)
    written = place.read_text(encoding="ascii")
    time.sleep(0.5)
    assert place.read_text(encoding="ascii") == written


def test_a_worker_that_is_killed_is_told_in_words() -> None:
    task: Future[float] = Future()
    task.set_exception(BrokenProcessPool("A process in the process pool was terminated abruptly."))
    with pytest.raises(ClsimpactError, match=r"'curve' or one beside it.*\nRepair: Run it again with fewer"):
        steps._result(task, Step("curve", "draw", "curve"))
