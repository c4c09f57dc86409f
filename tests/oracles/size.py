"""How often the default tests of other packages reject a true null, on panels of ``tools/size_panels.py``.

Writes ``docs/size/peers.csv``; our own procedures are measured by ``tools/size.py`` on the same panels.
Adoption has no effect on anybody, so that a nominal 5% test should reject on 5% of panels. Each package is
called with nothing but the roles of the columns (and clusters of units where it asks for a covariance), and
judged by the p-value that it gives. Quantities: ``overall`` the effect of adoption; ``before`` the joint test
that trends were parallel, where a package prints one or has a function for it.

- pyfixest: clusters are units (CRV1). ``event_study`` has no overall effect: the mean of the coefficients
  from adoption on, and the coefficients before, by its own ``wald_test`` (chi2, as for part of coefficients).
- diff-diff: Callaway-Sant'Anna, imputation (its ``pretrend_test`` of the leads), Sun-Abraham, two-stage and
  stacked (one year before and after adoption).
- StatsPAI: Callaway-Sant'Anna; its summary prints a test of the leads (Hotelling's F).
- csdid: Callaway-Sant'Anna with the multiplier bootstrap, and a normal interval, as by default in R did. The
  test is that of R did: every cell before adoption; there is none where their covariance is singular.

Panels on which a package gives no p-value are not counted: ``panels`` says how many are.

    OMP_NUM_THREADS=1 python -m tests.oracles.size
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import importlib.util
import io
import itertools
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[2]
COLUMNS = (
    "program", "version", "estimator", "treated", "periods", "errors", "effects", "quantity", "rejected",
    "panels", "date",
)  # fmt: skip
ADOPTERS, PERIODS, ERRORS, EFFECTS = (3, 5, 10, 25), 8, ("ar_0.5", "noisy_adopters"), "none"
NOMINAL = 0.05
ROLES = {"outcome": "y", "unit": "unit", "time": "year", "first_treat": "first"}

PValues = dict[str, float | None]


def by_path(path: Path) -> ModuleType:
    """A module that lies in no package."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(str(path))
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


PANELS = by_path(ROOT / "tools" / "size_panels.py")


def frame_of(y: np.ndarray, first: np.ndarray) -> pd.DataFrame:
    """One row per unit and year; ``first`` is 0 for units that do not adopt."""
    n, periods = y.shape
    return pd.DataFrame({
        "unit": np.repeat(np.arange(n), periods),
        "year": np.tile(np.arange(PANELS.FIRST, PANELS.FIRST + periods), n),
        "first": np.repeat(first, periods),
        "y": y.ravel(),
    })  # fmt: skip


def pyfixest_twfe(data: pd.DataFrame) -> PValues:
    import pyfixest as pf

    on = ((data["first"] > 0) & (data["year"] >= data["first"])).astype(int)
    fit = pf.feols("y ~ d | unit + year", data.assign(d=on), vcov={"CRV1": "unit"})
    return {"overall": fit.pvalue()["d"]}


def pyfixest_event_study(data: pd.DataFrame) -> PValues:
    import pyfixest as pf

    event = (data["year"] - data["first"]).where(data["first"] > 0)
    times = [int(e) for e in sorted(event.dropna().unique()) if e != -1]
    names = {e: f"event_{'m' if e < 0 else ''}{abs(e)}" for e in times}
    data = data.assign(**{name: (event == e).astype(int) for e, name in names.items()})
    fit = pf.feols(f"y ~ {' + '.join(names.values())} | unit + year", data, vcov={"CRV1": "unit"})
    own = [next(e for e, name in names.items() if name == found) for found in fit.coef().index]
    after = np.array([float(e >= 0) for e in own])
    before = np.eye(len(own))[[i for i, e in enumerate(own) if e < 0]]
    return {
        "overall": fit.wald_test(R=after / after.sum(), distribution="chi2")["pvalue"],
        "before": fit.wald_test(R=before, distribution="chi2")["pvalue"],
    }


def diff_diff(name: str) -> Callable[[pd.DataFrame], PValues]:
    def ask(data: pd.DataFrame) -> PValues:
        import diff_diff as dd

        fit = getattr(dd, name)().fit(data, **ROLES)
        found: PValues = {"overall": fit.overall_p_value}
        if name == "ImputationDiD":
            found["before"] = fit.pretrend_test()["p_value"]
        return found

    return ask


def statspai_cs(data: pd.DataFrame) -> PValues:
    import statspai as sp

    fit = sp.callaway_santanna(data, y="y", g="first", t="year", i="unit")
    return {"overall": fit.pvalue, "before": (fit.model_info["pretrend_test"] or {}).get("pvalue")}


def csdid_cs(data: pd.DataFrame) -> PValues:
    from csdid.att_gt import ATTgt
    from scipy.stats import norm

    fit = ATTgt(yname="y", tname="year", idname="unit", gname="first", data=data).fit()
    simple = fit.aggte("simple").atte
    z = simple["overall_att"] / float(np.squeeze(simple["overall_se"]))
    return {"overall": 2 * norm.sf(abs(z)), "before": fit.MP["Wpval"]}


ASK: dict[tuple[str, str], Callable[[pd.DataFrame], PValues]] = {
    ("pyfixest", "twfe"): pyfixest_twfe,
    ("pyfixest", "event_study"): pyfixest_event_study,
    ("diff-diff", "group_time"): diff_diff("CallawaySantAnna"),
    ("StatsPAI", "group_time"): statspai_cs,
    ("csdid", "group_time"): csdid_cs,
    ("diff-diff", "imputation"): diff_diff("ImputationDiD"),
    ("diff-diff", "sun_abraham"): diff_diff("SunAbraham"),
    ("diff-diff", "two_stage"): diff_diff("TwoStageDiD"),
    ("diff-diff", "stacked"): diff_diff("StackedDiD"),
}


def measured(cell: Any, panels: int, spent: dict[str, float]) -> Iterator[dict[str, object]]:
    """A row per package, estimator and quantity."""
    frames = [frame_of(y, cell.cohorts) for y in cell.panels(panels)]
    today = datetime.now(UTC).date().isoformat()
    for (program, estimator), ask in ASK.items():
        started = time.process_time()
        found = answers(ask, frames)
        label = f"{program} {estimator}"
        spent[label] = spent.get(label, 0.0) + time.process_time() - started
        for quantity, values in found.items():
            known = np.array([p for p in values if p is not None and np.isfinite(p)], dtype=float)
            rejected = round(100 * float((known < NOMINAL).mean()), 2) if known.size else ""
            yield {
                "program": program, "version": version(program), "estimator": estimator,
                "treated": cell.adopters, "periods": cell.periods, "errors": cell.errors,
                "effects": cell.effects, "quantity": quantity, "rejected": rejected, "panels": known.size,
                "date": today,
            }  # fmt: skip


def answers(
    ask: Callable[[pd.DataFrame], PValues], frames: Iterable[pd.DataFrame]
) -> dict[str, list[float | None]]:
    """The p-values of each quantity, panel by panel; what a package prints or warns is thrown away."""
    found: dict[str, list[float | None]] = {}
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        for number, data in enumerate(frames):
            np.random.seed(number)  # noqa: NPY002  (csdid draws from the global generator)
            for quantity, p in ask(data).items():
                found.setdefault(quantity, []).append(p)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the size of the default tests of other packages.")
    parser.add_argument("--panels", type=int, default=500)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "size" / "peers.csv")
    given = parser.parse_args()
    given.out.parent.mkdir(parents=True, exist_ok=True)
    spent: dict[str, float] = {}
    with given.out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        for errors, adopters in itertools.product(ERRORS, ADOPTERS):
            cell = PANELS.Cell(adopters, PERIODS, errors, EFFECTS)
            writer.writerows(measured(cell, given.panels, spent))
            file.flush()
            sys.stdout.write(f"{cell}: {sum(spent.values()):.0f} s of processor time\n")
            sys.stdout.flush()
    sys.stdout.writelines(f"{label}: {seconds:.0f} s\n" for label, seconds in spent.items())


if __name__ == "__main__":
    main()
