"""Break files, have the loaders read them, and write what became of them: docs/fuzzing.md (make fuzz)."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.fuzz.log import Line, read_log, write_line  # noqa: E402
from tests.fuzz.page import write_page  # noqa: E402
from tests.fuzz.plan import case  # noqa: E402
from tests.fuzz.pool import Reader  # noqa: E402
from tests.fuzz.seeds import Seed, every_seed  # noqa: E402
from tests.fuzz.worker import GOOD  # noqa: E402

from clsimpact.simulate import publish  # noqa: E402

_EVERY = 500


def main() -> int:
    """Run, write the page, and fail if a file was not loaded or refused as it should be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=20_000, help="broken files to read")
    parser.add_argument("--first", type=int, default=0, help="number of the first")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=60.0, help="limit for one file")
    parser.add_argument("--shared", default=os.environ.get("CLSIMPACT_SHARED", str(ROOT.parent / "shared")))
    parser.add_argument("--simulated", help="a made-up set that is there already (clsimpact simulate)")
    parser.add_argument("--log", help="keep a line a file here; numbers that it holds are not read again")
    parser.add_argument("--docs", default=str(ROOT / "docs"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        log = Path(options.log or Path(scratch) / "log")
        run(seeds_of(options, Path(scratch) / "made-up"), options, log)
        lines = read_log(log)
    write_page(lines, Path(options.docs), seed=options.seed)
    return 1 if any(line.outcome not in GOOD for line in lines) else 0


def seeds_of(options: argparse.Namespace, scratch: Path) -> list[Seed]:
    """Return the files to break: official where they are at hand, and a made-up set."""
    simulated = Path(options.simulated) if options.simulated else scratch
    if not options.simulated:
        print("writing a made-up set of publications")
        publish.simulate(simulated, seed=options.seed, rows="study")
    official = Path(options.shared) / "data" / "official"
    return every_seed(official if official.is_dir() else None, simulated)


def run(seeds: list[Seed], options: argparse.Namespace, log: Path) -> None:
    """Read every broken file and write a line of each."""
    start, done = time.monotonic(), {line.number for line in read_log(log)}
    with Reader(seeds, seconds=options.seconds) as reader:
        for number in range(options.first, options.first + options.files):
            if number in done:
                continue
            seed, mutated = case(seeds, number=number, seed=options.seed)
            verdict = reader.verdict(seed, mutated)
            line = Line.of(number, seed, mutated, verdict)
            write_line(log, line)
            if verdict.outcome not in GOOD or number % _EVERY == 0:
                print(f"{time.monotonic() - start:6.0f} s  {line.words()}", flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
