"""Run mutants that no test noticed again, each in a copy of the library, with whole files of tests.

The first run uses a few sets of parameters of the quicker tests. Here every test of the files that reach the
changed statement is run, until one fails.
"""

from __future__ import annotations

import os
import re
import shutil
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

SECONDS = 600
"""The most that a file of tests may take; one that takes longer counts as timed out."""

FAILED = re.compile(r"^FAILED (\S+)|^ERROR (\S+)", re.MULTILINE)


def run_whole(
    root: Path, mutants: Iterable[tuple[Mutant, str, list[str]]], *, processes: int
) -> Iterator[dict[str, Any]]:
    """Yield what became of each mutant, given with its text and the tests that reach it."""
    with ThreadPoolExecutor(processes) as pool:
        yield from pool.map(partial(_one, root), mutants)


def _one(root: Path, given: tuple[Mutant, str, list[str]]) -> dict[str, Any]:
    mutant, text, tests = given
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="clsimpact-mutant-") as name:
        copy = _copied(root, Path(name))
        (copy / "src" / "clsimpact" / mutant.module).write_text(text, encoding="utf-8")
        found = {"outcome": "survived", "by": "", "tests": len(tests)}
        for number, file in enumerate(_files(mutant, tests), 1):
            outcome, by = _tried(copy, file)
            if outcome != "survived":
                found = {"outcome": outcome, "by": by, "tests": number}
                break
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


def _tried(copy: Path, file: str) -> tuple[str, str]:
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", file]
    environment = os.environ | {"PYTHONPATH": str(copy / "src"), "OMP_NUM_THREADS": "1"}
    try:
        ended = subprocess.run(
            command, cwd=copy, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return "timed out", file
    if ended.returncode in (0, 5):
        return "survived", ""
    failed = FAILED.search(ended.stdout)
    return "killed", next((each for each in failed.groups() if each), file) if failed else file
