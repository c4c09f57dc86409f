"""Sun and Abraham (2021) and Wooldridge's extended TWFE: pyfixest, diff-diff, StatsPAI, etwfe, moderndid.

Not asked: regressions by pyfixest (so etwfe and moderndid) on ``gaps`` with never-treated controls, where the
year before adoption is absent for two cohorts and a column is dropped by collinearity, whichever comes last.

Standard errors: clusters are units, the factor G/(G-1) (N-1)/(N-K) with unit effects not counted (fixest).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from tests.oracles.panels import PANELS
from tests.oracles.record import Answer, Recorder, described, zero_coded


def cells_by_pyfixest(
    data: pd.DataFrame, *, x: str | None, weights: str | None, post_only: bool = False
) -> Answer:
    """The regression by feols on cohort-by-event-time dummies; cell shares by (weighted) number of rows.

    All event times but -1 are Sun and Abraham's regression and extended TWFE with never-treated controls;
    ``post_only`` is extended TWFE with not-yet-treated controls.
    """
    import pyfixest as pf

    data = data.assign(event=(data["time"] - data["cohort"]).where(data["cohort"] > 0))
    cells = sorted(
        {
            (int(g), int(e))
            for g, e in zip(data["cohort"], data["event"], strict=True)
            if e == e and (e >= 0 or (e < -1 and not post_only))
        }
    )
    names = [f"c{g}_{e}".replace("-", "m") for g, e in cells]
    dummies = {
        name: ((data["cohort"] == g) & (data["event"] == e)).astype(float)
        for name, (g, e) in zip(names, cells, strict=True)
    }
    data = pd.concat([data, pd.DataFrame(dummies)], axis=1)
    right = " + ".join(names + ([x] if x else []))
    fit = pf.feols(
        f"y ~ {right} | unit + time", data, vcov={"CRV1": "unit"}, weights=weights, fixef_tol=1e-12
    )
    at = {name: i for i, name in enumerate(fit._coefnames)}
    share = {n: (data[n] * (data[weights] if weights else 1.0)).sum() for n in names if n in at}
    events = {n: e for n, (_, e) in zip(names, cells, strict=True)}
    wanted = {"att": [n for n in share if events[n] >= 0]}
    wanted |= {f"event:{e}": [n for n in share if events[n] == e] for e in sorted(set(events.values()))}
    return [_combined(fit, at, share, term, members) for term, members in wanted.items() if members]


def cells_by_hand(
    data: pd.DataFrame, *, x: str | None, weights: str | None, post_only: bool = False
) -> Answer:
    """The same regression with every dummy, by least squares in numpy."""
    event = (data["time"] - data["cohort"]).where(data["cohort"] > 0)
    kept = (event >= 0) | ((event < -1) & (not post_only))
    label = pd.Series(list(zip(data["cohort"], event, strict=True)), index=data.index)
    dummies = pd.get_dummies(label[kept]).reindex(data.index, fill_value=False)
    slopes = np.column_stack([dummies.to_numpy(float)] + ([data[[x]].to_numpy(float)] if x else []))
    years = pd.get_dummies(data["time"]).to_numpy(float)[:, 1:]
    design = np.column_stack([slopes, years, pd.get_dummies(data["unit"]).to_numpy(float)])
    w = data[weights].to_numpy(float) if weights else np.ones(len(data))
    bread = np.linalg.inv(design.T @ (w[:, None] * design))
    beta = bread @ (design.T @ (w * data["y"].to_numpy(float)))
    residual = w * (data["y"].to_numpy(float) - design @ beta)
    share = dummies.to_numpy(float).T @ w
    events = np.array([e for _, e in dummies.columns])
    n, k, g = len(data), slopes.shape[1] + years.shape[1] + 1, data["unit"].nunique()
    factor = np.sqrt(g / (g - 1) * (n - 1) / (n - k))
    rows = []
    for term, members in [("att", events >= 0)] + [
        (f"event:{int(e)}", events == e) for e in sorted(set(events))
    ]:
        c = np.zeros(design.shape[1])
        c[: len(events)] = np.where(members, share, 0.0) / share[members].sum()
        score = pd.Series(design @ (bread @ c) * residual).groupby(data["unit"].to_numpy()).sum()
        rows.append((term, c @ beta, factor * np.sqrt((score**2).sum())))
    return rows


def _combined(fit: Any, at: dict[str, int], share: dict[str, float], term: str, members: list[str]) -> Any:
    c = np.zeros(len(at))
    for name in members:
        c[at[name]] = share[name]
    c /= c.sum()
    return term, c @ fit._beta_hat, np.sqrt(c @ fit._vcov @ c)


def _diff_diff_events(effects: dict[Any, dict[str, float]]) -> Answer:
    return [
        (f"event:{int(e)}", row["effect" if "effect" in row else "att"], row["se"])
        for e, row in sorted(effects.items())
    ]


def sun_abraham_diff_diff(
    data: pd.DataFrame, *, control: str, x: str | None, weights: str | None, anticipation: int = 0
) -> Answer:
    import diff_diff as dd

    survey = dd.SurveyDesign(weights=weights, psu="unit") if weights else None
    fit = dd.SunAbraham(control_group=control, anticipation=anticipation).fit(
        data, "y", "unit", "time", "cohort", covariates=[x] if x else None, survey_design=survey
    )
    return [("att", fit.overall_att, fit.overall_se), *_diff_diff_events(fit.event_study_effects)]


def sun_abraham_statspai(data: pd.DataFrame, *, control: str, x: str | None, weights: str | None) -> Answer:
    import statspai as sp

    fit = sp.sun_abraham(
        data,
        "y",
        "cohort",
        "time",
        "unit",
        covariates=[x] if x else None,
        weights=weights,
        control_group=control,
        aggregation="fixest_att",
        share_variance=False,
    )
    table = fit.detail
    events = zip(table["relative_time"], table["att"], table["se"], strict=True)
    return [("att", fit.estimate, fit.se), *((f"event:{int(e)}", a, s) for e, a, s in events)]


def extended_diff_diff(data: pd.DataFrame, *, control: str, x: str | None, weights: str | None) -> Answer:
    import diff_diff as dd

    survey = dd.SurveyDesign(weights=weights, psu="unit") if weights else None
    fit = dd.WooldridgeDiD(control_group=control).fit(
        data,
        "y",
        "unit",
        "time",
        "cohort",
        survey_design=survey,
        exovar=[x] if x == "x2" else None,
        xtvar=[x] if x == "x1" else None,
    )
    rows = [("att", fit.overall_att, fit.overall_se)]
    for kind, wanted, store in (
        ("event", "event_study", "event_study_effects"),
        ("group", "group", "group_effects"),
        ("calendar", "calendar", "calendar_effects"),
    ):
        fit.aggregate(wanted)
        for key, row in sorted((getattr(fit, store) or {}).items()):
            rows.append((f"{kind}:{int(key)}", row["att" if "att" in row else "effect"], row["se"]))
    return rows


def extended_moderndid(data: pd.DataFrame, *, control: str, x: str | None, weights: str | None) -> Answer:
    import moderndid as m

    fit = m.etwfe(
        data,
        "y",
        "time",
        "cohort",
        "unit",
        cgroup=control,
        xformla=f"~ {x}" if x else None,
        weightsname=weights,
        vcov={"CRV1": "unit"},
    )
    simple = m.emfx(fit, type="simple")
    rows = [("att", simple.overall_att, simple.overall_se)]
    for kind in ("event", "group", "calendar"):
        out = m.emfx(fit, type=kind, post_only=control == "notyet")
        rows += [
            (f"{kind}:{int(e)}", a, s)
            for e, a, s in zip(out.event_times, out.att_by_event, out.se_by_event, strict=True)
        ]
    return rows


def extended_etwfe(data: pd.DataFrame, *, control: str) -> Answer:
    from etwfe import etwfe

    fit = etwfe(
        "y ~ 0", tvar="time", gvar="cohort", data=data, ivar="unit", cgroup=control, vcov={"CRV1": "unit"}
    )
    rows = []
    for kind in ("simple", "event", "group", "calendar"):
        table = fit.emfx(type=kind, post_only=control == "notyet")
        table = table.to_pandas() if hasattr(table, "to_pandas") else table
        for _, row in table.iterrows():
            key = next((row[c] for c in ("event", "cohort", "group", "calendar", "time") if c in row), None)
            term = "att" if kind == "simple" else f"{kind}:{int(key)}"
            rows.append((term, row["estimate"], row["std.error" if "std.error" in row else "std_error"]))
    return rows


def extended_statspai(data: pd.DataFrame, *, control: str, x: str | None, weights: str | None) -> Answer:
    import statspai as sp

    if x == "x1":
        raise NotImplementedError("a constant covariate enters StatsPAI's etwfe as a moderator only")
    fit = sp.etwfe(
        data,
        "y",
        "unit",
        "time",
        "cohort",
        cgroup=control,
        weights=weights,
        controls=[x] if x == "x2" else None,
    )
    rows = [("att", fit.estimate, fit.se)]
    out = sp.etwfe_emfx(fit, "event", include_leads=control == "nevertreated").detail
    return rows + [
        (f"event:{int(e)}", a, s)
        for e, a, s in zip(out["event_time"], out["estimate"], out["se"], strict=True)
    ]


def last_cohort_as_control(data: pd.DataFrame) -> pd.DataFrame:
    """Years before the last adoption, with the last cohort as never treated (Sun and Abraham's control)."""
    last = data["cohort"].max()
    before = data[data["time"] < last]
    return before.assign(cohort=before["cohort"].where(before["cohort"] < last, 0))


def late_as_never(data: pd.DataFrame) -> pd.DataFrame:
    """Who adopts after the panel counts as never treated (fixest's rule)."""
    return data.assign(cohort=data["cohort"].where(data["cohort"] <= data["time"].max(), 0))


PREPARED = {"last": last_cohort_as_control, "late=never": late_as_never, "late=cohort": lambda d: d}


def ask_sun_abraham(
    r: Recorder, panel: str, prepared: str | None = None, *, x: str | None = None, w: str | None = None
) -> None:
    data, name = zero_coded(PANELS[panel]()), "sun_abraham"
    if prepared:
        data = PREPARED[prepared](data)
    options = described(control="last" if prepared == "last" else "never", x=x, weights=w)
    options += f";{prepared}" if prepared and "=" in prepared else ""
    if panel != "gaps":
        r.run("pyfixest", panel, name, options, lambda: cells_by_pyfixest(data, x=x, weights=w))
    if panel != "gaps" and prepared != "late=cohort":
        r.run("numpy", panel, name, options, lambda: cells_by_hand(data, x=x, weights=w))
    never, sp = "never_treated", "nevertreated"
    r.run(
        "diff-diff", panel, name, options, lambda: sun_abraham_diff_diff(data, control=never, x=x, weights=w)
    )
    r.run("StatsPAI", panel, name, options, lambda: sun_abraham_statspai(data, control=sp, x=x, weights=w))


def ask_extended(
    r: Recorder, panel: str, control: str, *, x: str | None = None, w: str | None = None
) -> None:
    data, name = zero_coded(PANELS[panel]()), "extended_twfe"
    options = described(control=control, x=x, weights=w)
    dd, m, sp = {
        "never": ("never_treated", "never", "nevertreated"),
        "not_yet": ("not_yet_treated", "notyet", "notyet"),
    }[control]
    sound = panel != "no_never" and (panel, control) != ("gaps", "never")
    if x != "x1" and sound:
        how = {"x": x, "weights": w, "post_only": control == "not_yet"}
        r.run("pyfixest", panel, name, options, lambda: cells_by_pyfixest(data, **how))
        if (panel, control) != ("late", "never"):
            r.run("numpy", panel, name, options, lambda: cells_by_hand(data, **how))
    r.run("diff-diff", panel, name, options, lambda: extended_diff_diff(data, control=dd, x=x, weights=w))
    if (panel, control) != ("gaps", "never"):
        r.run("moderndid", panel, name, options, lambda: extended_moderndid(data, control=m, x=x, weights=w))
    r.run("StatsPAI", panel, name, options, lambda: extended_statspai(data, control=sp, x=x, weights=w))
    if not (x or w) and (panel, control) != ("gaps", "never"):
        r.run("etwfe", panel, name, options, lambda: extended_etwfe(data, control=m))


def main() -> None:
    r = Recorder("interaction")
    for panel in ("balanced", "missing", "gaps", "mpdta"):
        ask_sun_abraham(r, panel)
    for panel in ("balanced", "missing"):
        ask_sun_abraham(r, panel, x="x2")
        ask_sun_abraham(r, panel, w="w")
    ask_sun_abraham(r, "balanced", w="w", x="x2")
    ask_sun_abraham(r, "late", "late=never")
    ask_sun_abraham(r, "late", "late=cohort")
    ask_sun_abraham(r, "no_never", "last")
    for control in ("never", "not_yet"):
        for panel in ("balanced", "missing", "gaps", "late", "mpdta"):
            ask_extended(r, panel, control)
        ask_extended(r, "balanced", control, x="x1")
        ask_extended(r, "balanced", control, x="x2")
        ask_extended(r, "balanced", control, w="w")
    ask_extended(r, "no_never", "not_yet")
    r.save()


if __name__ == "__main__":
    main()
