"""Time our estimators beside other Python packages: the same panel, in turns, in one process.

Each call starts from a DataFrame and ends with a table of estimates, standard errors and intervals, by the
errors that all of these packages have (clustered; influence functions). Panels of 150 units by 8 periods and
10,000 by 20 (4,000 treated in six cohorts). A second table times one call in a process of its own, with the
imports, and its peak memory. Machines are noisy: read the ratios.

Run in the environment of the other packages: make bench-peers (see tests/oracles/README.md).
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import importlib.metadata
import json
import os
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

SIZES = {"150 x 8": (150, 8, 25, 4), "10,000 x 20": (10_000, 20, 4_000, 6)}
"""Units, periods, treated units and cohorts."""

BUDGET = 20.0
"""Seconds that one call may take in the first round; slower peers leave the large panel."""

Calls = dict[str, Callable[[pd.DataFrame], object]]


def panel(units: int, periods: int, treated: int, cohorts: int, seed: int = 1) -> pd.DataFrame:
    """Make a staggered panel up, with errors that follow an AR(1)."""
    rng = np.random.default_rng(seed)
    first = np.zeros(units, dtype=np.int64)
    first[:treated] = 2000 + periods // 2 - 1 + np.arange(treated) % cohorts
    noise = rng.normal(size=(units, periods))
    for t in range(1, periods):
        noise[:, t] += 0.5 * noise[:, t - 1]
    year = 2000 + np.arange(periods)
    on = (first[:, None] > 0) & (year[None, :] >= first[:, None])
    y = rng.normal(size=units)[:, None] + 0.1 * np.arange(periods) + noise + 0.5 * on
    return pd.DataFrame(
        {
            "unit": np.repeat(np.arange(units), periods),
            "year": np.tile(year, units),
            "first": np.repeat(first, periods),
            "y": y.ravel(),
        }
    )


def ours(name: str) -> Callable[[pd.DataFrame], object]:
    def run(data: pd.DataFrame) -> object:
        import clsimpact as ci

        design = ci.Design(data, outcome="y", unit="unit", time="year", cohort="first")
        kind = "CR1" if name in ("event_study", "sun_abraham") else "CR0"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ci.errors.FewTreatedWarning)
            fit = getattr(ci, name)(design, inference=kind)
        return fit.aggregate("dynamic").tidy() if name == "group_time" else fit.tidy()

    return run


def event_dummies(data: pd.DataFrame) -> pd.DataFrame:
    event = (data["year"] - data["first"]).where(data["first"] > 0)
    return pd.DataFrame(
        {f"e{int(e)}": (event == e).astype(float) for e in sorted(event.dropna().unique()) if e != -1}
    )


def linearmodels_events(data: pd.DataFrame) -> object:
    from linearmodels.panel import PanelOLS

    columns = event_dummies(data)
    frame = pd.concat([data[["unit", "year", "y"]], columns], axis=1).set_index(["unit", "year"])
    model = PanelOLS(frame["y"], frame[list(columns)], entity_effects=True, time_effects=True)
    found = model.fit(cov_type="clustered", cluster_entity=True)
    return found.params, found.std_errors, found.conf_int()


def statsmodels_events(data: pd.DataFrame) -> object:
    import statsmodels.api as sm

    dummies = pd.get_dummies(data[["unit", "year"]].astype(str), drop_first=True, dtype=float)
    x = sm.add_constant(pd.concat([event_dummies(data), dummies], axis=1))
    found = sm.OLS(data["y"], x).fit(cov_type="cluster", cov_kwds={"groups": data["unit"]})
    return found.params, found.bse, found.conf_int()


def event_column(data: pd.DataFrame) -> pd.DataFrame:
    first = data["first"].to_numpy()
    return data.assign(event=np.where(first > 0, data["year"] - first, -1))


def statspai_events(data: pd.DataFrame) -> object:
    import statspai as sp

    return sp.feols("y ~ i(event, ref=-1) | unit + year", event_column(data), vcov={"CRV1": "unit"}).tidy()


def pyfixest_events(data: pd.DataFrame) -> object:
    import pyfixest as pf

    return pf.feols("y ~ i(event, ref=-1) | unit + year", event_column(data), vcov={"CRV1": "unit"}).tidy()


def pyfixest_sunab(data: pd.DataFrame) -> object:
    import pyfixest as pf

    fit = pf.event_study(data, yname="y", idname="unit", tname="year", gname="first", estimator="saturated")
    return fit.aggregate()


def diff_diff(name: str) -> Callable[[pd.DataFrame], object]:
    def run(data: pd.DataFrame) -> object:
        import diff_diff as dd

        estimator = getattr(dd, name)(cluster="unit") if name == "SunAbraham" else getattr(dd, name)()
        roles = {"outcome": "y", "unit": "unit", "time": "year", "first_treat": "first"}
        if name == "SunAbraham":
            return estimator.fit(data, **roles)
        return estimator.fit(data, **roles, aggregate="event_study")

    return run


def statspai_cs(data: pd.DataFrame) -> object:
    import statspai as sp

    found = sp.callaway_santanna(
        data, y="y", g="first", t="year", i="unit", control_group="nevertreated", base_period="varying"
    )
    return sp.aggte(found, type="dynamic")


def csdid_cs(data: pd.DataFrame) -> object:
    from csdid.att_gt import ATTgt

    found = ATTgt(yname="y", tname="year", idname="unit", gname="first", data=data).fit(bstrap=False)
    return found.aggte("dynamic", bstrap=False, cband=False)


def differences_cs(data: pd.DataFrame) -> object:
    from differences import ATTgt

    first = data["first"].where(data["first"] > 0).astype(float)
    frame = data.assign(first=first).set_index(["unit", "year"])
    found = ATTgt(data=frame, cohort_column="first")
    found.fit("y", progress_bar=False)
    return found.aggregate("event")


def statspai_imputation(data: pd.DataFrame) -> object:
    import statspai as sp

    return sp.did_imputation(data, y="y", group="unit", time="year", first_treat="first")


def py2sdid_imputation(data: pd.DataFrame) -> object:
    import polars as pl
    import py2sdid

    frame = pl.from_pandas(data.astype({"first": float}))
    return py2sdid.bjs_did(frame, yname="y", idname="unit", tname="year", gname="first", verbose=False)


TASKS: dict[str, Calls] = {
    "event study": {
        "clsimpact": ours("event_study"),
        "StatsPAI": statspai_events,
        "pyfixest": pyfixest_events,
        "linearmodels": linearmodels_events,
        "statsmodels": statsmodels_events,
    },
    "Callaway-Sant'Anna": {
        "clsimpact": ours("group_time"),
        "diff-diff": diff_diff("CallawaySantAnna"),
        "StatsPAI": statspai_cs,
        "csdid": csdid_cs,
        "differences": differences_cs,
    },
    "Sun-Abraham": {
        "clsimpact": ours("sun_abraham"),
        "diff-diff": diff_diff("SunAbraham"),
        "pyfixest": pyfixest_sunab,
    },
    "imputation": {
        "clsimpact": ours("imputation"),
        "StatsPAI": statspai_imputation,
        "diff-diff": diff_diff("ImputationDiD"),
        "py2sdid": py2sdid_imputation,
    },
}

LARGE_TOO_SLOW = {"statsmodels": "dummies do not fit", "py2sdid": "19 s a call"}
"""Peers that are not asked for the large panel, and why."""


def timed(call: Callable[[pd.DataFrame], object], data: pd.DataFrame) -> float:
    """Return the seconds of one call."""
    gc.collect()
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
        start = time.perf_counter()
        call(data)
        return time.perf_counter() - start


def warm(task: str, size: str, rounds: int) -> Iterator[tuple[str, float, float]]:
    """Yield package, median and fastest milliseconds, in turns after one warm-up each."""
    data = panel(*SIZES[size])
    calls = {who: call for who, call in TASKS[task].items() if "10," not in size or who not in LARGE_TOO_SLOW}
    times: dict[str, list[float]] = {}
    for who, call in calls.items():
        try:
            if timed(call, data) < BUDGET:
                times[who] = []
        except Exception as error:
            print(f"<!-- {task}, {size}, {who}: {type(error).__name__}: {str(error)[:120]} -->")
    for _ in range(rounds):
        for who in times:
            times[who].append(timed(calls[who], data))
    for who, found in times.items():
        yield who, 1000 * statistics.median(found), 1000 * min(found)


def fresh(task: str, size: str, who: str) -> dict[str, float]:
    """Return seconds of a whole process with one call, of the call, and the peak memory in MB."""
    command = [sys.executable, __file__, "--child", task, size, who]
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wall = time.perf_counter() - start
    try:
        return {"process": wall, **json.loads(done.stdout.strip().splitlines()[-1])}
    except (IndexError, json.JSONDecodeError):
        return {"process": float("nan"), "call": float("nan"), "mb": float("nan")}


def child(task: str, size: str, who: str) -> None:
    """Make one call in this process and print what it took."""
    data = panel(*SIZES[size])
    took = timed(TASKS[task][who], data)
    print(json.dumps({"call": took, "mb": peak_memory()}))


def peak_memory() -> float:
    """Return the peak memory of this process in MB (ru_maxrss would start at that of its parent)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith("VmHWM"))) / 1024


def versions() -> str:
    """Name the versions compared."""
    names = ["clsimpact", "diff-diff", "StatsPAI", "pyfixest", "csdid", "differences", "py2sdid"]
    names += ["linearmodels", "statsmodels", "numpy", "pandas"]
    found = []
    for name in names:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            found.append(f"{name} (not installed)")
    return ", ".join(found)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--task", choices=list(TASKS), action="append")
    parser.add_argument("--size", choices=list(SIZES), action="append")
    parser.add_argument("--no-fresh", action="store_true", help="leave the table of single processes out")
    parser.add_argument("--no-warm", action="store_true", help="leave the table of repeated calls out")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    if options.child:
        child(*options.child)
        return
    print(versions() + "\n")
    sizes, tasks = options.size or list(SIZES), options.task or list(TASKS)
    if not options.no_warm:
        print_warm(sizes, tasks, options.rounds)
    if not options.no_fresh:
        print_fresh(sizes, tasks)


def print_warm(sizes: list[str], tasks: list[str], rounds: int) -> None:
    """Print repeated calls in this process."""
    print("| task | panel | who | warm median ms | fastest ms | times ours |\n|---|---|---|---|---|---|")
    for size in sizes:
        for task in tasks:
            found = list(warm(task, size, rounds if "10," not in size else max(3, rounds // 2)))
            base = next((middle for who, middle, _ in found if who == "clsimpact"), float("nan"))
            for who, middle, least in found:
                row = (task, size, who, f"{middle:.1f}", f"{least:.1f}", f"{middle / base:.1f}")
                print(f"| {' | '.join(row)} |", flush=True)


def print_fresh(sizes: list[str], tasks: list[str]) -> None:
    """Print single calls in processes of their own."""
    print("\n| task | panel | who | whole process s | first call ms | peak MB |\n|---|---|---|---|---|---|")
    for size in sizes:
        for task in tasks:
            for who in TASKS[task]:
                if "10," in size and who in LARGE_TOO_SLOW:
                    continue
                runs = [fresh(task, size, who) for _ in range(3)]
                middle = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
                text = f"{middle['process']:.2f} | {1000 * middle['call']:.0f} | {middle['mb']:.0f}"
                print(f"| {task} | {size} | {who} | {text} |", flush=True)


if __name__ == "__main__":
    main()
