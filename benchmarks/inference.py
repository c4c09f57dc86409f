"""Time inference by draws: 9,999 wild bootstrap draws, 10,000 re-assignments of adoption, and the default.

Panels are those of `peers.panel`, 150 units by 8 periods. Everything is warm and in one process; calls take
turns, ours first; tables hold medians over the rounds. A fit of ours is made anew in each round, before the
clock starts, so that nothing is kept from the round before. Seconds are those of the wall clock, processor
seconds those of all threads. Other jobs disturb the latter least: ratios are of processor seconds.

No other package permutes adoption for these estimators: 10,000 refits are not run but extrapolated, 10,000
times the median of 20 refits (each with adoption re-assigned) by the fastest package of `make bench-peers`.

Run in the environment of the other packages: make bench-inference (see tests/oracles/README.md).
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import importlib.metadata
import os
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from peers import (
    diff_diff,
    event_dummies,
    panel,
    statspai_events,
    statspai_imputation,
    versions,
)

import clsimpact as ci
from clsimpact._forms import Forms
from clsimpact.inference import Wild
from clsimpact.inference.assignments import Assignments
from clsimpact.inference.randomisation import permute
from clsimpact.inference.wild import wild

SIZE = (150, 8, 25, 4)
"""Units, periods, adopters and cohorts."""

FEW = (150, 8, 5, 4)
WILD_DRAWS, DRAWS, REFITS = 9_999, 10_000, 20
ESTIMATORS = ("event_study", "group_time", "imputation")
TESTED = 0
"""Event time whose coefficient the other packages bootstrap."""

Prepare = Callable[[], Callable[[], object]]
"""Makes a call that is to be timed, and does what comes before the clock starts."""


def design_of(data: pd.DataFrame) -> ci.Design:
    return ci.Design(data, outcome="y", unit="unit", time="year", cohort="first")


def fitted(name: str, data: pd.DataFrame) -> Any:
    """Return a fresh result, without draws."""
    usual = {"event_study": "CR1", "group_time": "CR0", "imputation": "CR0"}
    return getattr(ci, name)(design_of(data), inference=usual[name])


class Took(NamedTuple):
    """Seconds by the wall clock, and of the processor."""

    wall: float
    processor: float


def timed(call: Callable[[], object]) -> Took:
    gc.collect()
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
        wall, processor = time.perf_counter(), time.process_time()
        call()
        return Took(time.perf_counter() - wall, time.process_time() - processor)


def median(times: list[Took]) -> Took:
    return Took(*(statistics.median(part) for part in zip(*times, strict=True)))


def in_turns(calls: Mapping[str, Prepare], rounds: int, *, slow: tuple[str, ...] = ()) -> dict[str, Took]:
    """Return the medians of each call, after one warm-up each; slow ones join every third round."""
    times: dict[str, list[Took]] = {who: [] for who in calls}
    for number in range(-1, rounds):
        for who, prepare in calls.items():
            if who in slow and number > 0 and number % 3:
                continue
            took = timed(prepare())
            if number >= 0:
                times[who].append(took)
    return {who: median(found) for who, found in times.items()}


# --- wild bootstrap -----------------------------------------------------------------------------------


def ours_wild(data: pd.DataFrame, method: str | Wild) -> Prepare:
    def prepare() -> Callable[[], object]:
        fit = fitted("event_study", data)
        return lambda: fit.with_inference(method, draws=WILD_DRAWS).tidy()

    return prepare


def engine_wild(data: pd.DataFrame) -> Prepare:
    def prepare() -> Callable[[], object]:
        form = Forms(fitted("event_study", data)).by_row
        return lambda: wild(form, draws=WILD_DRAWS, seed=0).p_values()

    return prepare


def pyfixest_wild(data: pd.DataFrame) -> Prepare:
    """Its own way: a fit with dummies of event time, which then makes dummies of units and years too."""
    import pyfixest as pf

    dummies = event_dummies(data)
    names = {name: name.replace("-", "m") for name in dummies}
    data = pd.concat([data, dummies.rename(columns=names)], axis=1)
    formula = f"y ~ {' + '.join(names.values())} | unit + year"
    param = names[f"e{TESTED}"]

    def prepare() -> Callable[[], object]:
        fit = pf.feols(formula, data, vcov={"CRV1": "unit"})
        return lambda: fit.wildboottest(param=param, reps=WILD_DRAWS, seed=1)

    return prepare


def wildboottest_wild(data: pd.DataFrame) -> Prepare:
    """The program that pyfixest calls, at its best: unit means are taken out by hand, before the clock."""
    import statsmodels.api as sm
    from wildboottest.wildboottest import wildboottest

    years = pd.get_dummies(data["year"], prefix="year", dtype=float).iloc[:, 1:]
    both = pd.concat([data["y"], event_dummies(data), years], axis=1)
    both -= both.groupby(data["unit"]).transform("mean")
    model, clusters = sm.OLS(both["y"], both.drop(columns="y")), data["unit"].to_numpy()
    asked = {"param": f"e{TESTED}", "cluster": clusters, "B": WILD_DRAWS, "seed": 1, "show": False}
    return lambda: lambda: wildboottest(model, **asked)


def print_wild(rounds: int) -> None:
    """Print 9,999 draws of all coefficients beside those of one."""
    data = panel(*SIZE)
    many = int(fitted("event_study", data).identified.sum())
    calls = {
        "clsimpact, p-values and intervals": (ours_wild(data, "wild"), many),
        "clsimpact, null not imposed": (ours_wild(data, Wild(impose_null=False)), many),
        "clsimpact, the array engine alone, p-values": (engine_wild(data), many),
        "pyfixest, p-value": (pyfixest_wild(data), 1),
        "wildboottest on columns without unit means, p-value": (wildboottest_wild(data), 1),
    }
    slow = ("pyfixest, p-value", "wildboottest on columns without unit means, p-value")
    found = in_turns({who: call for who, (call, _) in calls.items()}, rounds, slow=slow)
    counts = {who: count for who, (_, count) in calls.items()}
    each = {who: took.processor / counts[who] for who, took in found.items()}
    base, engine = (each[who] for who in list(calls)[:3:2])
    print(f"\n{WILD_DRAWS:,} wild draws, event study, null imposed unless said otherwise.\n")
    print("| who | coefficients | s | processor s | processor ms each | times ours | times the engine |")
    print("|---|---|---|---|---|---|---|")
    for who, took in found.items():
        ratios = f"{1000 * each[who]:.1f} | {each[who] / base:.1f} | {each[who] / engine:.1f}"
        print(f"| {who} | {counts[who]} | {took.wall:.3f} | {took.processor:.3f} | {ratios} |", flush=True)


# --- permutation --------------------------------------------------------------------------------------


def ours_permuted(name: str, data: pd.DataFrame) -> Prepare:
    """All terms, and the overall effect where it is a number of its own, of the same draws."""

    def prepare() -> Callable[[], object]:
        fit = fitted(name, data)

        def call() -> object:
            drawn = fit.with_inference("permutation", draws=DRAWS)
            return drawn.tidy(), drawn.overall if drawn.total is not None else None

        return call

    return prepare


def engine_permuted(name: str, data: pd.DataFrame) -> Prepare:
    def prepare() -> Callable[[], object]:
        forms = Forms(fitted(name, data))
        form, outcomes, ways = forms.by_type, forms.outcomes, Assignments(forms.paths, forms.patterns)

        def call() -> object:
            drawn = permute(form, outcomes, ways, forms.patterns, draws=DRAWS, seed=0)
            return drawn.p_values(), drawn.intervals(0.95)

        return call

    return prepare


def finding(name: str, data: pd.DataFrame) -> Prepare:
    """Find the linear form: the part that asks the estimator."""

    def prepare() -> Callable[[], object]:
        forms = Forms(fitted(name, data))
        return lambda: forms.by_type

    return prepare


def diff_diff_cs(data: pd.DataFrame) -> object:
    """Cells and their average, no event times."""
    import diff_diff as dd

    return dd.CallawaySantAnna().fit(data, outcome="y", unit="unit", time="year", first_treat="first")


REFITTED: dict[str, dict[str, Callable[[pd.DataFrame], object]]] = {
    "event_study": {"StatsPAI": statspai_events},
    "group_time": {"diff-diff": diff_diff_cs},
    "imputation": {"StatsPAI": statspai_imputation, "diff-diff": diff_diff("ImputationDiD")},
}
"""Fastest packages; StatsPAI's imputation gives the overall effect only."""


def reassigned(data: pd.DataFrame, count: int) -> list[pd.DataFrame]:
    """Return the panel with adoption permuted among units."""
    units, rng = data["unit"].nunique(), np.random.default_rng(1)
    first = data["first"].to_numpy().reshape(units, -1)[:, 0]
    return [data.assign(first=np.repeat(rng.permutation(first), len(data) // units)) for _ in range(count)]


def print_permutation(rounds: int) -> None:
    """Print 10,000 re-assignments beside what 10,000 refits would take."""
    data = panel(*SIZE)
    print(f"\n{DRAWS:,} permutations of adoption, studentised; p-values and intervals of all terms.\n")
    print("In processor seconds, but for the first column.\n")
    print("| estimator | s by the clock | s | finding the form | the array engine alone |", end="")
    print(" fastest peer | one refit ms | 10,000 refits s (extrapolated) | times ours |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name in ESTIMATORS:
        calls = {
            "whole": ours_permuted(name, data),
            "form": finding(name, data),
            "engine": engine_permuted(name, data),
        }
        panels = reassigned(data, REFITS)
        found = in_turns(calls, rounds)
        one, who = min((refit_median(call, panels), who) for who, call in REFITTED[name].items())
        whole = found["whole"]
        ours = " | ".join(f"{took.processor:.2f}" for took in found.values())
        theirs = f"{who} | {1000 * one:.1f} | {DRAWS * one:.0f} | {DRAWS * one / whole.processor:.0f}"
        print(f"| {name} | {whole.wall:.2f} | {ours} | {theirs} |", flush=True)


def refit_median(call: Callable[[pd.DataFrame], object], panels: list[pd.DataFrame]) -> float:
    """Return the median processor seconds of a refit, after a warm-up."""
    call(panels[0])
    return median([timed(lambda frame=frame: call(frame)) for frame in panels]).processor


# --- the default --------------------------------------------------------------------------------------


def print_default(rounds: int) -> None:
    """Print what the default takes from a DataFrame to a table."""
    data = panel(*FEW)
    print(f'\nThe default, inference="auto", with {FEW[2]} adopters: from a DataFrame to tidy().\n')
    print("| estimator | method | s | processor s |\n|---|---|---|---|")
    for name in ESTIMATORS:
        estimator = getattr(ci, name)

        def call(estimator: Any = estimator) -> object:
            return estimator(design_of(data)).tidy()

        took = in_turns({name: lambda call=call: call}, rounds)[name]
        method = estimator(design_of(data)).method
        print(f"| {name} | {method} | {took.wall:.2f} | {took.processor:.2f} |", flush=True)


TABLES = {"wild": print_wild, "permutation": print_permutation, "default": print_default}


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--table", choices=list(TABLES), action="append")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    found = f"{versions()}, wildboottest {importlib.metadata.version('wildboottest')}"
    print(f"{found}; Python {sys.version.split()[0]}, {os.cpu_count()} cores")
    for table in options.table or list(TABLES):
        TABLES[table](options.rounds)
        print(f"\n<!-- load of the last minute: {os.getloadavg()[0]:.1f} -->", flush=True)


if __name__ == "__main__":
    main()
