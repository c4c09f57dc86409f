"""Measure the usual errors where they are the default: large panels with many adopters (make size).

Writes docs/size/large.csv: how often nominal 5% tests of a true null rejected by the errors that ``"auto"``
chooses there (`clsimpact._auto.LARGE`, `MANY`), overall and over several terms at once.
"""

from __future__ import annotations

import argparse
import csv
import os
import time
import warnings
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from size import ROOT, design_of, usual
from size_panels import PERIODS, Cell

import clsimpact as ci
from clsimpact.errors import ClsimpactWarning

UNITS, ADOPTERS = 2010, 240
"""Just above the number of units up to which adoption is permuted; four cohorts of 60 adopters."""

ESTIMATORS = ("twfe", "event_study", "group_time", "imputation")
KINDS = ("ar_0.5", "noisy_adopters")


def rejected(design: ci.Design, name: str) -> dict[str, bool]:
    """Whether the overall effect, the terms before adoption, and all terms together are told from zero."""
    fit = getattr(ci, name)(design, inference=usual(name)[0])
    found = {"overall": bool(fit.overall["p_value"].iloc[0] <= 0.05)}
    if name == "twfe":
        return found
    path = fit if fit.aggregator is None else fit.aggregate("dynamic")
    for quantity, terms in (("before", "before"), ("band", "all")):
        p = path.joint_test(terms, statistic="balanced")["p_value"].iloc[0]
        found[quantity] = bool(p <= 0.05)
    return found


def measure(cell: Cell, panels: int) -> list[dict[str, object]]:
    """Return a row per estimator and quantity."""
    started = time.perf_counter()
    found: dict[tuple[str, str], list[bool]] = {}
    rng = cell.generator()
    for number in range(panels):
        design = design_of(cell.panel(rng), cell.cohorts)
        for name in ESTIMATORS:
            if number == 0 and getattr(ci, name)(design).method != usual(name)[0]:
                raise AssertionError(f"{name}: not the errors that auto chooses")
            for quantity, value in rejected(design, name).items():
                found.setdefault((name, quantity), []).append(value)
    spent = round(time.perf_counter() - started, 1)
    return [
        {
            "estimator": name, "method": usual(name)[0], "units": cell.units, "treated": cell.adopters,
            "periods": cell.periods, "errors": cell.errors, "effects": cell.effects, "quantity": quantity,
            "rejected": round(100 * float(np.mean(values)), 2), "panels": len(values), "seconds": spent,
        }
        for (name, quantity), values in found.items()
    ]  # fmt: skip


def main() -> None:
    """Measure every kind of error."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--panels", type=int, default=300)
    parser.add_argument("--errors", nargs="*", default=list(KINDS))
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "size" / "large.csv")
    given = parser.parse_args()
    warnings.simplefilter("ignore", ClsimpactWarning)
    rows = []
    for errors in given.errors:
        rows += measure(Cell(ADOPTERS, PERIODS[0], errors, "none", UNITS), given.panels)
        with given.out.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, rows[0], lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        print(rows[-1], flush=True)


if __name__ == "__main__":
    main()
