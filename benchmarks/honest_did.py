"""Time HonestDiD: the whole call on the Medicaid example with four bounds, and on a path of ten years.

One process, warm. The paths are that of R HonestDiD's README (Medicaid; beside the repository, in the folder
that CLSIMPACT_SHARED names) and a made-up one; without the former only the latter is timed. Each call
computes the intervals and the breakdown value. Tables hold the least and the median of the rounds, by the
wall clock, and the median of the processor, in milliseconds.
Run: python benchmarks/honest_did.py --rounds 50
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from clsimpact.diagnostics.honest_did import honest_did

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("CLSIMPACT_SHARED", ROOT.parent / "shared"))

BOUNDS = {"relative_magnitudes": [0.5, 1.0, 1.5, 2.0], "smoothness": [0.0, 0.01, 0.02, 0.03]}


def medicaid() -> dict[str, Any] | None:
    folder = SHARED / "reference" / "data"
    if not (folder / "ehec_sigma.csv").is_file():
        return None
    beta = pd.read_csv(folder / "ehec_betahat.csv")["beta"].to_numpy()
    sigma = pd.read_csv(folder / "ehec_sigma.csv").to_numpy()
    return {"beta": beta, "sigma": sigma, "n_pre": 5, "n_post": 2}


def ten_years() -> dict[str, Any]:
    rng = np.random.default_rng(1)
    root = rng.normal(size=(10, 30))
    return {"beta": 0.01 * rng.normal(size=10), "sigma": 1e-5 * root @ root.T, "n_pre": 5, "n_post": 5}


def timed(path: dict[str, Any], method: Any, rounds: int) -> tuple[list[float], list[float]]:
    """Return milliseconds of each round by the wall clock and the processor, after two that do not count."""
    wall, processor = [], []
    for _ in range(rounds + 2):
        start, began = time.perf_counter(), time.process_time()
        honest_did(**path, method=method, grid=BOUNDS[method])
        wall.append(1000 * (time.perf_counter() - start))
        processor.append(1000 * (time.process_time() - began))
    return wall[2:], processor[2:]


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=50)
    rounds = parser.parse_args().rounds
    paths = {"Medicaid (5 + 2)": medicaid(), "made up (5 + 5)": ten_years()}
    print("| path | method | least, ms | median, ms | of the processor, ms |\n|---|---|---|---|---|")
    for name, path in paths.items():
        for method in BOUNDS:
            if path is not None:
                wall, processor = timed(path, method, rounds)
                middle = (f"{statistics.median(took):.0f}" for took in (wall, processor))
                print(f"| {name} | {method} | {min(wall):.0f} | {' | '.join(middle)} |")


if __name__ == "__main__":
    main()
