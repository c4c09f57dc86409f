"""Imputation (Borusyak, Jaravel and Spiess 2024) and two-stage (Gardner 2022).

diff-diff, py2sdid, StatsPAI, did-imputation, pyfixest; and the formulas of the paper written with dense
matrices in numpy (package ``numpy``), which nothing else uses. Terms ``lead:e`` are coefficients of a
regression on untreated rows with event time -1 left out; terms ``event:e`` with e < 0 of ``two_stage`` are
means of first-stage residuals.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from tests.oracles.panels import PANELS
from tests.oracles.record import Answer, Recorder, described, zero_coded

FINE = 1e-12
"""Demeaning tolerance asked of pyfixest, whose default is 1e-6."""


def by_hand(data: pd.DataFrame, *, x: str | None, weights: str | None, leave_one_out: bool) -> Answer:
    """Equations 6, 8 and 10 of the paper and its appendix on leaving one unit out, with dense matrices."""
    data = data.reset_index(drop=True)
    treated = (data["cohort"] > 0) & (data["time"] >= data["cohort"])
    z = np.column_stack(
        [pd.get_dummies(data["unit"]).to_numpy(float), pd.get_dummies(data["time"]).to_numpy(float)[:, 1:]]
        + ([data[[x]].to_numpy(float)] if x else [])
    )
    w = data[weights].to_numpy(float) if weights else np.ones(len(data))
    y, d = data["y"].to_numpy(float), treated.to_numpy()
    event = (data["time"] - data["cohort"]).to_numpy()
    z0 = z[~d]
    inverse = np.linalg.pinv(z0.T @ (w[~d, None] * z0))
    beta = inverse @ (z0.T @ (w[~d] * y[~d]))
    gap = y - z @ beta
    wanted = {"att": d} | {f"event:{e}": d & (event == e) for e in sorted(set(event[d]))}
    rows = []
    for term, cells in wanted.items():
        v = np.where(cells, w, 0.0)
        v /= v.sum()
        estimate = v @ gap
        v[~d] = -w[~d] * (z0 @ (inverse @ (z[d].T @ v[d])))
        rows.append((term, estimate, _conservative(data, d, v, gap, leave_one_out=leave_one_out)))
    return rows


def _conservative(
    data: pd.DataFrame, d: np.ndarray, v: np.ndarray, gap: np.ndarray, *, leave_one_out: bool
) -> float:
    """Deviations from the cohort-by-year average with weights v squared; untreated rows keep residuals."""
    residual = gap.copy()
    for rows in data[d].groupby(["cohort", "time"]).indices.values():
        at = np.flatnonzero(d)[rows]
        square = v[at] ** 2
        if square.sum() == 0:
            continue
        mean = (square @ gap[at]) / square.sum()
        residual[at] = gap[at] - mean
        if leave_one_out:
            share = square / square.sum()
            alone = len(at) == 1
            residual[at] = residual[at] if alone else residual[at] / (1 - share)
    score = pd.Series(v * residual).groupby(data["unit"].to_numpy()).sum()
    return float(np.sqrt((score**2).sum()))


def imputation_diff_diff(
    data: pd.DataFrame, *, x: str | None, weights: str | None, leave_one_out: bool = False
) -> Answer:
    import diff_diff as dd

    survey = dd.SurveyDesign(weights=weights) if weights else None
    model = dd.ImputationDiD(pretrends=not weights and not leave_one_out, leave_one_out=leave_one_out)
    fit = model.fit(data, "y", "unit", "time", "cohort", covariates=[x] if x else None, survey_design=survey)
    return [("att", fit.overall_att, fit.overall_se), *_events(fit, leads="lead")]


def _events(fit: Any, *, leads: str) -> Answer:
    table = fit.aggregate("event_study").to_dataframe()
    table = table[~table["is_reference"]]
    return [
        (f"{'event' if e >= 0 else leads}:{int(e)}", a, s)
        for e, a, s in zip(table["event_time"], table["att"], table["se"], strict=True)
    ]


def leads_pyfixest(data: pd.DataFrame, *, x: str | None, weights: str | None) -> Answer:
    import pyfixest as pf

    event = (data["time"] - data["cohort"]).where(data["cohort"] > 0)
    rows = data[~(event >= 0)].copy()
    leads = sorted(int(e) for e in event[event < -1].unique())
    names = [f"lead{-e}" for e in leads]
    for e, name in zip(leads, names, strict=True):
        rows[name] = (event.loc[rows.index] == e).astype(float)
    right = " + ".join(names + ([x] if x else []))
    fit = pf.feols(
        f"y ~ {right} | unit + time",
        rows,
        vcov={"CRV1": "unit"},
        weights=weights,
        fixef_rm="none",
        fixef_tol=FINE,
    )
    coef, se = fit.coef(), fit.se()
    return [(f"lead:{e}", coef[n], se[n]) for e, n in zip(leads, names, strict=True)]


def _py2sdid(kind: str, data: pd.DataFrame, *, x: str | None, weights: str | None) -> Answer:
    import polars as pl
    import py2sdid

    fit = getattr(py2sdid, kind)(
        pl.from_pandas(data),
        "y",
        "unit",
        "time",
        "cohort",
        xformla=[x] if x else None,
        wname=weights,
        drop_singletons=False,
        verbose=False,
    )
    table = fit.event_study.to_pandas()
    if kind == "bjs_did":
        table = table[table["rel_time"] >= 0]
    rows = [("att", fit.att_avg, fit.att_avg_se)]
    return rows + [
        (f"event:{int(e)}", a, s)
        for e, a, s in zip(table["rel_time"], table["estimate"], table["se"], strict=True)
    ]


def imputation_statspai(data: pd.DataFrame, *, x: str | None, weights: str | None) -> Answer:
    import statspai as sp

    common = {"controls": [x] if x else None, "weights": weights}
    fit = sp.did_imputation(data, "y", "unit", "time", "cohort", **common)
    horizon = sorted({int(e) for e in (data["time"] - data["cohort"])[data["cohort"] > 0] if e >= 0})
    path = sp.did_imputation(data, "y", "unit", "time", "cohort", horizon=horizon, **common).detail
    rows = [("att", fit.estimate, fit.se)]
    return rows + [
        (f"event:{int(e)}", a, s)
        for e, a, s in zip(path["relative_time"], path["att"], path["se"], strict=True)
    ]


def imputation_did_imputation(data: pd.DataFrame) -> Answer:
    from did_imputation import did_imputation

    entry = data.assign(first=data["cohort"].where(data["cohort"] > 0))
    fit = did_imputation(entry, "y", "unit", "time", "first", minn=0, cluster="unit")
    return [("att", next(iter(fit.estimates.values())), next(iter(fit.std_errors.values())))]


def two_stage_diff_diff(data: pd.DataFrame, *, x: str | None, weights: str | None) -> Answer:
    import diff_diff as dd

    survey = dd.SurveyDesign(weights=weights) if weights else None
    fit = dd.TwoStageDiD(pretrends=True).fit(
        data, "y", "unit", "time", "cohort", covariates=[x] if x else None, survey_design=survey
    )
    return [("att", fit.overall_att, fit.overall_se), *_events(fit, leads="event")]


def two_stage_statspai(data: pd.DataFrame, *, x: str | None, weights: str | None) -> Answer:
    import statspai as sp

    common = {"controls": [x] if x else None, "weights": weights}
    fit = sp.gardner_did(data, "y", "unit", "time", "cohort", **common)
    path = sp.gardner_did(data, "y", "unit", "time", "cohort", event_study=True, **common)
    path = path.model_info["event_study"]
    rows = [("att", fit.estimate, fit.se)]
    return rows + [(f"event:{int(n[3:])}", path["coef"][n], path["se"][n]) for n in path["horizon"]]


def two_stage_pyfixest(data: pd.DataFrame, *, x: str | None, weights: str | None) -> Answer:
    import pyfixest as pf

    data = data.assign(treat=((data["cohort"] > 0) & (data["time"] >= data["cohort"])).astype(int))
    fit = pf.did2s(
        data, "y", f"~ {x or 0} | unit + time", "~ treat", treatment="treat", cluster="unit", weights=weights
    )
    return [("att", fit.coef()["treat"], fit.se()["treat"])]


def identified(data: pd.DataFrame) -> pd.DataFrame:
    """Without the years when everybody has adopted: no year effect can be had there."""
    return data[data["time"] < data["cohort"].max()].reset_index(drop=True)


def ask(r: Recorder, panel: str, *, x: str | None = None, w: str | None = None) -> None:
    data, options = zero_coded(PANELS[panel]()), described(x=x, weights=w)
    if panel == "no_never":
        data, options = identified(data), "sample=identified"
    how = {"x": x, "weights": w}
    name = "imputation"
    r.run("diff-diff", panel, name, options, lambda: imputation_diff_diff(data, **how))
    r.run("pyfixest", panel, name, options, lambda: leads_pyfixest(data, **how))
    r.run("py2sdid", panel, name, options, lambda: _py2sdid("bjs_did", data, **how))
    r.run("StatsPAI", panel, name, options, lambda: imputation_statspai(data, **how))
    if not (x or w):
        r.run("did_imputation", panel, name, options, lambda: imputation_did_imputation(data))
    r.run("numpy", panel, name, options, lambda: by_hand(data, leave_one_out=False, **how))
    out = ";".join(filter(None, [options, "variance=leave_one_out"]))
    r.run("diff-diff", panel, name, out, lambda: imputation_diff_diff(data, leave_one_out=True, **how))
    r.run("numpy", panel, name, out, lambda: by_hand(data, leave_one_out=True, **how))
    name = "two_stage"
    r.run("diff-diff", panel, name, options, lambda: two_stage_diff_diff(data, **how))
    r.run("py2sdid", panel, name, options, lambda: _py2sdid("ts_did", data, **how))
    r.run("StatsPAI", panel, name, options, lambda: two_stage_statspai(data, **how))
    r.run("pyfixest", panel, name, options, lambda: two_stage_pyfixest(data, **how))


def main() -> None:
    r = Recorder("imputation")
    for panel in ("balanced", "missing", "gaps", "late", "no_never", "mpdta"):
        ask(r, panel)
    for panel in ("balanced", "missing"):
        ask(r, panel, x="x2")
        ask(r, panel, w="w")
        ask(r, panel, x="x2", w="w")
    r.save()


if __name__ == "__main__":
    main()
