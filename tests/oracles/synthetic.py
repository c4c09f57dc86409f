"""Synthetic difference in differences (Arkhangelsky et al. 2021): synthdid-py, StatsPAI, diff-diff.

``single``: one cohort against the never treated, with unit and time weights. ``staggered``: every cohort
against the never treated, cohort effects weighted by treated rows (Clarke et al. 2024, equation 7).
"""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd

from tests.oracles.panels import PANELS
from tests.oracles.record import Answer, Recorder, described, treated


def one_cohort(data: pd.DataFrame, first: int) -> pd.DataFrame:
    return data[(data["cohort"] == first) | (data["cohort"] == 0)].reset_index(drop=True)


def adopters(data: pd.DataFrame) -> list[int]:
    return sorted(data.loc[data["d"] == 1, "unit"].unique())


def single_synthdid(data: pd.DataFrame) -> Answer:
    import synthdid as sd

    panel = sd.panel_matrices(data, unit="unit", time="time", outcome="y", treatment="d")
    fit = sd.synthdid_estimate(panel.Y, panel.N0, panel.T0)
    many = len(adopters(data)) > 1
    se = sd.jackknife_se(fit) if many else float("nan")
    y = data.pivot_table(index="unit", columns="time", values="y")
    ever = data.groupby("unit")["d"].max()
    units, years = y.index[ever == 0], y.columns[: panel.T0]
    omega, lam = np.asarray(fit.weights.omega), np.asarray(fit.weights.lambda_)
    rows = [("att", float(fit), se)]
    rows += [(f"omega:{u}", v, float("nan")) for u, v in zip(units, omega, strict=True)]
    return rows + [(f"lambda:{t}", v, float("nan")) for t, v in zip(years, lam, strict=True)]


def single_statspai(data: pd.DataFrame) -> Answer:
    import statspai as sp

    chosen = adopters(data)
    fit = sp.sdid(
        data,
        "y",
        "unit",
        "time",
        chosen,
        int(data.loc[data["d"] == 1, "time"].min()),
        se_method="jackknife" if len(chosen) > 1 else "noinference",
    )
    units, years = fit.model_info["unit_weights"], fit.model_info["time_weights"]
    rows = [("att", fit.estimate, fit.se)]
    rows += [(f"omega:{u}", v, float("nan")) for u, v in zip(units["unit"], units["weight"], strict=True)]
    return rows + [(f"lambda:{t}", v, float("nan")) for t, v in years.items()]


def single_diff_diff(data: pd.DataFrame) -> Answer:
    import diff_diff as dd

    ever = data.groupby("unit")["d"].transform("max")
    post = sorted(data.loc[data["d"] == 1, "time"].unique())
    method = "jackknife" if len(adopters(data)) > 1 else "placebo"
    fit = dd.SyntheticDiD(variance_method=method, n_bootstrap=2, seed=1).fit(
        data.assign(ever=ever), "y", "ever", "unit", "time", post_periods=post
    )
    rows = [("att", fit.att, fit.se if method == "jackknife" else float("nan"))]
    rows += [(f"omega:{k}", v, float("nan")) for k, v in fit.unit_weights.items()]
    return rows + [(f"lambda:{k}", v, float("nan")) for k, v in fit.time_weights.items()]


def staggered_synthdid(data: pd.DataFrame, *, pool: str) -> Answer:
    import synthdid as sd

    fit = sd.staggered_synthdid_estimate(
        data, unit="unit", time="time", outcome="y", treatment="d", control_pool=pool
    )
    se = float("nan")
    if data[data["cohort"] > 0].groupby("cohort")["unit"].nunique().min() > 1:
        se = float(fit.se(method="jackknife"))
    rows = [("att", float(fit.att), se)]
    return rows + [(f"cohort:{int(g)}", float(v), float("nan")) for g, v in fit.estimates.items()]


def staggered_statspai(data: pd.DataFrame) -> Answer:
    import statspai as sp

    fit = sp.sdid(data, "y", "unit", "time", treat="d", se_method="noinference")
    by_cohort = fit.model_info["tau_by_cohort"]
    return [("att", fit.estimate, float("nan"))] + [
        (f"cohort:{int(g)}", tau, float("nan"))
        for g, tau in zip(by_cohort["adoption"], by_cohort["tau"], strict=True)
    ]


def without_unit_weights(answer: Answer) -> Answer:
    return [row for row in answer if not row[0].startswith("omega")]


def main() -> None:
    r = Recorder("synthetic_did")
    for panel, cohorts in (("balanced", (2016, 2017, 2018, 2020)), ("mpdta", (2006, 2007))):
        for first in cohorts:
            data = one_cohort(treated(PANELS[panel]()), first)
            options = described(cohort=first)
            for package, ask in (
                ("synthdid-py", single_synthdid),
                ("StatsPAI", single_statspai),
                ("diff-diff", single_diff_diff),
            ):
                kept = list if (panel, first) == ("balanced", 2017) else without_unit_weights
                r.run(
                    package,
                    panel,
                    "synthetic_did",
                    options,
                    lambda ask=ask, d=data, kept=kept: kept(ask(d)),
                )
    for panel in ("balanced", "late", "mpdta"):
        data = treated(PANELS[panel]())
        if panel == "late":
            data["cohort"] = data["cohort"].where(data["cohort"] <= data["time"].max(), 0)
        for pool in ("never_treated", "not_yet_treated"):
            options = described(cohort="all", control=pool.removesuffix("_treated"))
            r.run(
                "synthdid-py", panel, "synthetic_did", options, partial(staggered_synthdid, data, pool=pool)
            )
        options = described(cohort="all", control="never")
        r.run("StatsPAI", panel, "synthetic_did", options, lambda d=data: staggered_statspai(d))
    r.save()


if __name__ == "__main__":
    main()
