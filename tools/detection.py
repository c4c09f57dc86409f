"""Count how often each check finds the fault it is for, and how often it cries wolf (make detection).

Made-up studies without effects, one per seed, from the simulator of returns; a fault is planted in the
panel, and the check is run with and without it. `tools/faults/` has a module per group of checks.
"""

from __future__ import annotations

import argparse
import importlib
import os
import pkgutil
import platform
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd

import clsimpact as ci
from clsimpact.diagnostics.registry import all_checks

ROOT = Path(__file__).resolve().parents[1]
COLUMNS = (
    "ons_code", "cassr_code", "name", "region", "council_type", "year", "year_label",
    "population_18_64", "population_65_plus", "population_18_plus",
    "gce", "gce_real", "gce_per_adult", "gce_per_adult_18_64", "gce_per_adult_65_plus",
    "gce_per_long_term_client",
    "requests", "requests_per_100k", "signposted", "signposted_count", "no_service", "no_service_count",
    "not_funded", "not_funded_count", "funded_narrow", "funded_mid", "funded_mid_count", "funded_broad",
    "funded_broad_count", "planned_share", "planned_clients", "unplanned_clients", "reviewed_clients",
    "planned_unplanned_ratio", "long_term", "imd_2019", "simulated",
)  # fmt: skip
"""Columns of a panel that checks and faults use."""

Panel = pd.DataFrame


@dataclass(frozen=True)
class Fault:
    """A fault, and the check that should see it.

    ``plant`` gets a tagged panel (``adoption_year``) and a generator, and returns a panel with the fault.
    ``clean`` prepares the panel that is compared with, where it is not the panel as made. ``given`` makes
    what is handed over to ``check`` beside ``data``: from the panel and the list of adopters.
    ``inference`` is what the result is asked for, where the fault lies there.
    """

    check: str
    words: str
    plant: Callable[[Panel, np.random.Generator], Panel]
    outcome: str = "gce_per_adult"
    estimator: str = "event_study"
    inference: str = "auto"
    margin: float | None = None
    clean: Callable[[Panel, np.random.Generator], Panel] | None = None
    given: Callable[[Panel, pd.DataFrame], dict[str, Any]] | None = None
    options: dict[str, Any] = field(default_factory=dict)


def study(seed: int, folder: Path) -> tuple[Panel, pd.DataFrame]:
    """Return the panel of a made-up world without effects and its list of adopters; both stay in a folder."""
    from clsimpact.simulate.world import simulate_world

    paths = [folder / f"{seed}_{name}.parquet" for name in ("panel", "adoption")]
    if not all(path.is_file() for path in paths):
        truth = ci.Truth(effects={})
        panel = ci.simulated_panel(seed, truth=truth)
        slim = panel[list(COLUMNS)].copy()
        kept = ("title", "simulated", "boundaries", "source_line", "columns")
        slim.attrs = {key: panel.attrs[key] for key in kept}
        folder.mkdir(parents=True, exist_ok=True)
        for path, table in zip(paths, (slim, simulate_world(seed, truth).adoption()), strict=True):
            part = path.with_suffix(f".{os.getpid()}")
            table.to_parquet(part, index=False)
            part.rename(path)
    return pd.read_parquet(paths[0]), pd.read_parquet(paths[1])


def faults() -> list[Fault]:
    """Return the faults of every group."""
    import faults as package

    found: list[Fault] = []
    for module in sorted(pkgutil.iter_modules(package.__path__), key=lambda module: module.name):
        found += importlib.import_module(f"faults.{module.name}").FAULTS
    order = list(all_checks())
    return sorted(found, key=lambda fault: order.index(fault.check))


def verdict(fault: Fault, panel: Panel, adoption: pd.DataFrame) -> str:
    """Run the check of a fault on a panel."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        design = ci.Design(
            panel,
            outcome=fault.outcome,
            unit="ons_code",
            time="year",
            cohort="adoption_year",
            **fault.options,
        )
        stage = all_checks()[fault.check].stage
        given = {} if fault.given is None else fault.given(panel, adoption)
        if stage == "design":
            return design.check(fault.check, data=panel, margin=fault.margin, **given)[fault.check].verdict
        fit = getattr(ci, fault.estimator)(design, inference=fault.inference)
        return fit.check(fault.check, data=panel, margin=fault.margin, **given)[fault.check].verdict


def one(seed: int, folder: Path, names: tuple[str, ...]) -> list[dict[str, Any]]:
    """Run every check of one seed with and without its fault."""
    made, adoption = study(seed, folder)
    panel = ci.tag_adoption(made, adoption)
    rows = []
    for number, fault in enumerate(faults()):
        if names and fault.check not in names:
            continue
        rng = np.random.default_rng([seed, number])
        started = time.perf_counter()
        clean = panel if fault.clean is None else fault.clean(panel.copy(), rng)
        planted = fault.plant(clean.copy(), rng)
        for present, data in ((False, clean), (True, planted)):
            found = verdict(fault, data, adoption)
            row = {"check": fault.check, "fault": fault.words, "seed": seed, "present": present}
            rows.append(row | {"verdict": found, "seconds": round(time.perf_counter() - started, 2)})
    return rows


def run(seeds: int, workers: int, folder: Path, names: tuple[str, ...]) -> Iterator[list[dict[str, Any]]]:
    """Run every seed."""
    numbers = range(1, seeds + 1)
    if workers == 1:
        yield from (one(seed, folder, names) for seed in numbers)
        return
    with ProcessPoolExecutor(workers) as pool:
        yield from pool.map(one, numbers, [folder] * seeds, [names] * seeds)


def page(found: pd.DataFrame) -> str:
    """Write the table."""
    seeds = found["seed"].nunique()
    lines = [
        "# Do the checks find what they are for?",
        "",
        f"Each check on {seeds} made-up studies (SIMULATED returns of 2014-15 to 2023-24, 24 adopters of",
        "about 150 councils, no effects), as made and with the fault it is for planted in the panel.",
        "*Alarm*: the verdict *does not hold*. A check that tests at 5% should raise a false alarm in about",
        "5% of studies "
        f"(Monte Carlo error {100 * np.sqrt(0.05 * 0.95 / seeds):.1f} points). Made by `make detection` "
        f"(clsimpact {ci.__version__}, Python {platform.python_version()}); faults: `tools/faults`.",
        "",
        "| check | fault | alarm without it | cannot tell without it | alarm with it | cannot tell with it |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for (check, words), rows in found.groupby(["check", "fault"], sort=False):
        cells = []
        for present in (False, True):
            mine = rows.loc[rows["present"] == present, "verdict"]
            cells += [f"{(mine == word).mean():.1%}" for word in ("does not hold", "cannot tell")]
        lines.append(f"| `{check}` | {words} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--checks", nargs="*", default=[], help="only these")
    parser.add_argument(
        "--panels", type=Path, default=ROOT / "outputs" / "detection", help="folder of made-up panels"
    )
    parser.add_argument("--page-only", action="store_true", help="write the page from the table again")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "detection.md")
    given = parser.parse_args()
    table = given.out.with_suffix(".csv")
    if not given.page_only:
        rows: list[dict[str, Any]] = []
        every = run(given.seeds, given.workers, given.panels, tuple(given.checks))
        for number, part in enumerate(every, start=1):
            rows += part
            pd.DataFrame(rows).to_csv(table, index=False, lineterminator="\n")
            print(f"{number}/{given.seeds}", flush=True)
    given.out.write_text(page(pd.read_csv(table)), encoding="utf-8")


if __name__ == "__main__":
    main()
