"""What tools/versions.py runs in each environment: prints every number that it makes, as JSON.

Returns, panel, all estimators on the textbook panel and on the spending study, with several kinds of
inference, HonestDiD, the power of pre-tests, and the deflated and per-head outcomes.
"""

from __future__ import annotations

import json
import math
import platform
import sys
import warnings
from importlib.metadata import version
from typing import Any

import pandas as pd

import clsimpact as ci
from clsimpact.errors import ClsimpactWarning, DesignError

Tables = dict[str, dict[str, list[float | None]]]

LIBRARIES = ("numpy", "pandas", "scipy", "pyarrow", "statsmodels", "linearmodels", "matplotlib", "narwhals")


def numbers(table: pd.DataFrame) -> dict[str, list[float | None]]:
    """Return the numeric columns; what is missing is None."""
    kept = table.select_dtypes("number")
    return {
        str(name): [None if pd.isna(value) or math.isinf(value) else float(value) for value in kept[name]]
        for name in kept.columns
    }


def made(*, large: bool = True) -> Tables:
    """Return every table of numbers by name; ``large``: with returns and panel."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ClsimpactWarning)
        panel = ci.load_panel()
        found: Tables = _data(panel) if large else {}
        tagged = ci.tag_adoption(panel, ci.load_adoption())
        roles: dict[str, Any] = {"unit": "ons_code", "time": "year", "cohort": "adoption_year"}
        spending = ci.Design(tagged, outcome="gce_per_adult", **roles)
        counties = ci.Design(
            ci.load_mpdta(), outcome="lemp", unit="county", time="year", cohort="first_treat"
        )
        for name, design in (("spending", spending), ("mpdta", counties)):
            found |= _estimates(name, design) | _inference(name, design)
        plain = ci.event_study(counties, inference="CR1")
        found["bacon"] = numbers(ci.bacon(counties).tidy())
        found["honest"] = numbers(ci.honest_did(plain).tidy())
        power = ci.pre_trend_power(plain)
        found["power"] = {"slopes": [power.slope_50, power.slope_80]}
        return found


def _data(panel: pd.DataFrame) -> Tables:
    returns = ci.load_returns()
    some = returns[returns["measure"].isin(["gross_current_expenditure", "population", "gdp_deflator"])]
    built = ci.build_panel(some, years=(2016, 2017))
    return {"panel": numbers(panel), "returns": numbers(returns), "panel built": numbers(built)}


ESTIMATORS = (
    ci.twfe, ci.event_study, ci.group_time, ci.sun_abraham, ci.extended_twfe, ci.imputation, ci.two_stage,
    ci.stacked, ci.local_projection, ci.did_m, ci.synthetic_did,
)  # fmt: skip


def _estimates(name: str, design: ci.Design) -> Tables:
    found: Tables = {}
    for estimate in ESTIMATORS:
        label = f"{name} {estimate.__name__}"
        try:
            fit = estimate(design)
        except DesignError:  # this panel has too many gaps for it
            found[label] = {"refused": [1.0]}
            continue
        found |= {label: numbers(fit.tidy()), f"{label} overall": numbers(fit.overall)}
    return found


def _inference(name: str, design: ci.Design) -> Tables:
    path = ci.event_study(design)
    fits = {kind: path.with_inference(kind) for kind in ("CR1", "CR2", "CR3")}
    fits |= {kind: path.with_inference(kind, draws=499) for kind in ("wild", "permutation")}
    return {f"{name} by {kind}": numbers(fit.tidy()) for kind, fit in fits.items()}


def main() -> None:
    """Print the numbers, and the versions that made them."""
    versions = {"python": platform.python_version()} | {name: version(name) for name in LIBRARIES}
    json.dump({"versions": versions, "numbers": made()}, sys.stdout)


if __name__ == "__main__":
    main()
