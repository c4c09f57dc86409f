"""Time our estimators beside linearmodels and statsmodels: the same model and data, in turns, in one process.

Prints the median of each and its ratio to ours; machines are noisy, so ratios are what to read.
Run: make bench ARGS="--rounds 15"
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import pandas as pd
import statsmodels.api as sm
from linearmodels.panel import PanelOLS

import clsimpact as ci
from clsimpact.design import Design


def panel(units: int, years: int, seed: int = 1) -> pd.DataFrame:
    """Make a staggered panel up: a sixth of the units adopt in four cohorts, errors are independent."""
    rng = np.random.default_rng(seed)
    cohort = np.where(np.arange(units) < units // 6, rng.integers(3, years - 1, units), 0)
    data = pd.DataFrame(
        {"unit": np.repeat(np.arange(units), years), "time": np.tile(np.arange(1, years + 1), units)}
    )
    data["cohort"] = cohort[data["unit"]]
    data["d"] = ((data["cohort"] > 0) & (data["time"] >= data["cohort"])).astype(float)
    data["y"] = rng.normal(size=len(data)) + 0.5 * data["d"] + 0.1 * data["unit"] / units
    return data


def event_dummies(data: pd.DataFrame) -> pd.DataFrame:
    """Return one indicator per event time but -1."""
    event = (data["time"] - data["cohort"]).where(data["cohort"] > 0)
    return pd.DataFrame(
        {f"e{int(e)}": (event == e).astype(float) for e in sorted(event.dropna().unique()) if e != -1}
    )


def linearmodels_fit(data: pd.DataFrame, columns: pd.DataFrame) -> object:
    """Fit the same model with linearmodels."""
    frame = pd.concat([data[["unit", "time", "y"]], columns], axis=1).set_index(["unit", "time"])
    model = PanelOLS(frame["y"], frame[list(columns)], entity_effects=True, time_effects=True)
    return model.fit(cov_type="clustered", cluster_entity=True)


def statsmodels_fit(data: pd.DataFrame, columns: pd.DataFrame) -> object:
    """Fit the same model with statsmodels and dummies."""
    dummies = pd.get_dummies(data[["unit", "time"]].astype(str), drop_first=True, dtype=float)
    design = sm.add_constant(pd.concat([columns, dummies], axis=1))
    return sm.OLS(data["y"], design).fit(cov_type="cluster", cov_kwds={"groups": data["unit"]})


def median_ms(calls: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Return the median milliseconds of each call, taken in turns after one warm-up."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds + 1):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            times[name].append(1000 * (time.perf_counter() - start))
    return {name: statistics.median(found[1:]) for name, found in times.items()}


def main() -> None:
    """Time static and event-study models on two sizes and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    print("| model | panel | who | median ms | times ours |\n|---|---|---|---|---|")
    for units, years in ((150, 8), (1500, 12)):
        data = panel(units, years)
        roles = {"outcome": "y", "unit": "unit", "time": "time", "cohort": "cohort"}
        for model, columns, ours in (
            ("static TWFE", data[["d"]], ci.twfe),
            ("event study", event_dummies(data), ci.event_study),
        ):
            calls: dict[str, Callable[[], object]] = {
                "clsimpact": lambda fit=ours, frame=data, names=roles: fit(Design(frame, **names)).tidy(),  # type: ignore[misc]
                "linearmodels": lambda frame=data, x=columns: linearmodels_fit(frame, x),  # type: ignore[misc]
            }
            if units <= 150:
                calls["statsmodels with dummies"] = lambda frame=data, x=columns: statsmodels_fit(frame, x)  # type: ignore[misc]
            found = median_ms(calls, rounds)
            for who, ms in found.items():
                print(f"| {model} | {units} x {years} | {who} | {ms:.1f} | {ms / found['clsimpact']:.1f} |")


if __name__ == "__main__":
    main()
