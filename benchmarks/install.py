"""Compare what is installed, beside pyfixest: the wheel, the packages that come with it, the time to import.

Builds the wheel, installs it and the pinned pyfixest each into an empty environment, and imports them in
turn, each in a process of its own. Needs an index of packages.
Run: python benchmarks/install.py
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
BARE = "pass"
IMPORTS = {
    "clsimpact": ("import clsimpact", "from clsimpact import Design, event_study"),
    "pyfixest": ("import pyfixest", "from pyfixest import feols"),
}
"""A package to what is timed: its import, and what has to be imported before a first estimate."""


class Installed(NamedTuple):
    """One package in an environment of its own."""

    python: Path
    wheel: int
    packages: int
    megabytes: float


def pinned(name: str) -> str:
    """Return the pin of an oracle package."""
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]
    return next(words for words in groups["oracles"] if words.startswith(f"{name}=="))


def run(*words: str | Path) -> str:
    return subprocess.run([str(it) for it in words], check=True, capture_output=True, text=True).stdout


def install(name: str, folder: Path) -> Installed:
    wheels, home = folder / "wheels", folder / name
    if name == "clsimpact":
        run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", wheels, ROOT)
    else:
        run(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", wheels, pinned(name))
    (wheel,) = wheels.glob(f"{name}-*.whl")
    run(sys.executable, "-m", "venv", home)
    python = home / "bin" / "python"
    before = listed(python)
    run(python, "-m", "pip", "install", "--quiet", wheel)
    size = sum(path.stat().st_size for path in (home / "lib").rglob("*") if path.is_file())
    return Installed(python, wheel.stat().st_size, len(listed(python)) - len(before), size / 1e6)


def listed(python: Path) -> list[object]:
    words = run(python, "-m", "pip", "list", "--format", "json", "--disable-pip-version-check")
    found: list[object] = json.loads(words)
    return found


def seconds(python: Path, code: str) -> float:
    start = time.perf_counter()
    run(python, "-c", code)
    return time.perf_counter() - start


def import_times(found: dict[str, Installed], rounds: int) -> dict[tuple[str, str], float]:
    """Return median seconds beyond the start of the interpreter, all timed in turn."""
    tasks = [(name, code) for name in found for code in (BARE, *IMPORTS[name])]
    for name, code in tasks:
        seconds(found[name].python, code)
    taken: dict[tuple[str, str], list[float]] = {task: [] for task in tasks}
    for _ in range(rounds):
        for name, code in tasks:
            taken[name, code].append(seconds(found[name].python, code))
    middle = {task: statistics.median(times) for task, times in taken.items()}
    return {task: middle[task] - middle[task[0], BARE] for task in tasks if task[1] != BARE}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=21)
    rounds = parser.parse_args(arguments).rounds
    with tempfile.TemporaryDirectory() as scratch:
        found = {name: install(name, Path(scratch)) for name in IMPORTS}
        times = import_times(found, rounds)
    print("| | clsimpact | " + pinned("pyfixest").replace("==", " ") + " | ratio |\n|---|--:|--:|--:|")
    ours, theirs = found["clsimpact"], found["pyfixest"]
    rows = [
        ("wheel, MB", ours.wheel / 1e6, theirs.wheel / 1e6, 2),
        ("packages installed with it (itself included)", ours.packages, theirs.packages, 0),
        ("environment, MB", ours.megabytes, theirs.megabytes, 0),
    ]
    kinds = ("import, ms", "import of what a first estimate needs, ms")
    for kind, mine, other in zip(kinds, IMPORTS["clsimpact"], IMPORTS["pyfixest"], strict=True):
        rows.append((kind, 1e3 * times["clsimpact", mine], 1e3 * times["pyfixest", other], 0))
    for words, mine, other, digits in rows:
        print(f"| {words} | {mine:.{digits}f} | {other:.{digits}f} | {mine / other:.2f} |")


if __name__ == "__main__":
    main()
