"""Run mutants that no test noticed again, each in a copy of the library, with whole files of tests.

The first run uses a few sets of parameters of the quicker tests. Here every test of the files that reach the
changed statement is run, until one fails. A file of tests that fails without a change is not used.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from mutation_mutants import Mutant

SECONDS, TIMES = 120, 10
"""The most that a file of tests may take: this, and this many times what it took without a change."""

FAILED = re.compile(r"^FAILED (\S+)|^ERROR (\S+)", re.MULTILINE)


def run_whole(
    root: Path, mutants: Iterable[tuple[Mutant, str, list[str]]], *, processes: int
) -> Iterator[dict[str, Any]]:
    """Yield what became of each mutant, given with its text and the tests that reach it."""
    given = list(mutants)
    files = sorted({file for mutant, _, tests in given for file in _files(mutant, tests)})
    with ThreadPoolExecutor(processes) as pool:
        usual = dict(zip(files, pool.map(partial(_usual, root), files), strict=True))
        yield from pool.map(partial(_one, root, usual), given)


def _usual(root: Path, file: str) -> float | None:
    """Return what a file of tests takes without a change; None where it fails."""
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="clsimpact-mutant-") as name:
        outcome, _ = _tried(_copied(root, Path(name)), file, None)
    return time.monotonic() - start if outcome == "survived" else None


def _one(root: Path, usual: dict[str, float | None], given: tuple[Mutant, str, list[str]]) -> dict[str, Any]:
    mutant, text, tests = given
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="clsimpact-mutant-") as name:
        copy = _copied(root, Path(name))
        (copy / "src" / "clsimpact" / mutant.module).write_text(text, encoding="utf-8")
        outcome, by = ("survived", "") if tests else ("not covered", "")
        for file in _files(mutant, tests):
            taken = usual[file]
            if outcome == "survived" and taken is not None:
                outcome, by = _tried(copy, file, SECONDS + TIMES * taken)
    found = {"outcome": outcome, "by": by, "tests": len(tests), "whole": True}
    return {"name": mutant.name, **found, "seconds": time.monotonic() - start}


def _copied(root: Path, place: Path) -> Path:
    """Copy the library; everything else is a link."""
    for each in root.iterdir():
        if each.name == "src":
            shutil.copytree(each, place / "src", ignore=shutil.ignore_patterns("__pycache__"))
        elif not each.name.startswith(".") or each.name == ".git":
            (place / each.name).symlink_to(each)
    return place


def _files(mutant: Mutant, tests: list[str]) -> list[str]:
    """Files of tests: that of the module's own name first, then those with most tests that reach it."""
    count: dict[str, int] = defaultdict(int)
    for test in tests:
        count[test.split("::")[0]] += 1
    own = Path(mutant.module).stem.strip("_")
    return sorted(count, key=lambda file: (own not in file, -count[file], file))


def _tried(copy: Path, file: str, limit: float | None) -> tuple[str, str]:
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", file]
    environment = os.environ | {"PYTHONPATH": str(copy / "src"), "OMP_NUM_THREADS": "1"}
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    with subprocess.Popen(command, cwd=copy, env=environment, start_new_session=True, **pipes) as process:
        try:
            said, _ = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return "timed out", file
    if process.returncode == 0:
        return "survived", ""
    failed = FAILED.search(said)
    return "killed", next((each for each in failed.groups() if each), file) if failed else file
