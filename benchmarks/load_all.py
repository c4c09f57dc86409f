"""Time the loading of every made-up publication of ten years, finance files at their real size.

Writes the set once (SEED 1) into a temporary folder, or reads the one given by --folder, then loads it in a
process of its own. Prints seconds and the peak memory of that process.
Run: make bench, or python benchmarks/load_all.py --folder DIR
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LOAD = """
import json, resource, sys, time
start = time.perf_counter()
from clsimpact.rebuild import load_returns
steps = []
table = load_returns(sys.argv[1], progress=lambda name, *_: steps.append((time.perf_counter(), name)))
end = time.perf_counter()
ends = [at for at, _ in steps[1:]] + [end]
children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(json.dumps({
    "seconds": end - start,
    "peak_mb": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss + children) / 1024,
    "rows": len(table),
    "files": [[name, after - at] for (at, name), after in zip(steps, ends)],
}))
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", help="made-up publications that exist already")
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(options.folder or scratch)
        if not options.folder:
            write(folder)
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        print(f"{size / 1e6:,.0f} MB of made-up publications")
        return max(once(folder) for _ in range(options.rounds))


def write(folder: Path) -> None:
    """Write the publications and say how long it took."""
    from clsimpact.simulate.publish import simulate

    start = time.perf_counter()
    made = simulate(folder, seed=1, rows="all")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"write {len(made.sources)} files: {time.perf_counter() - start:.1f} s, peak {peak:,.0f} MB")


def once(folder: Path) -> int:
    """Load them in a new process; 1 if it took longer or more memory than it may."""
    done = subprocess.run(
        [sys.executable, "-c", LOAD, str(folder)], capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout)
    for name, seconds in found["files"]:
        print(f"  {seconds:6.2f} s  {name}")
    print(
        f"load {len(found['files'])} files, {found['rows']:,} figures: {found['seconds']:.1f} s, "
        f"peak {found['peak_mb']:,.0f} MB (may take 60 s and 2,048 MB)"
    )
    return int(found["seconds"] > 60 or found["peak_mb"] > 2048)


if __name__ == "__main__":
    raise SystemExit(main())
