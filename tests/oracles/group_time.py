"""Group-time effects (Callaway and Sant'Anna 2021): csdid, diff-diff, differences, moderndid, StatsPAI."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from tests.oracles.panels import PANELS
from tests.oracles.record import Answer, Recorder, described, zero_coded

BALANCED_EVENT = 1

NO_TRIM = 1e-9
"""diff-diff clips propensities to [0.01, 0.99] unless told otherwise; the other packages do not."""

EVERY_SAMPLE = ("complete", "pairs", "cross_sections")
SAMPLES = {
    "csdid": ("complete", "cross_sections"),
    "moderndid": ("complete", "cross_sections"),
    "diff-diff": ("pairs", "cross_sections"),
    "differences": ("cross_sections",),
    "StatsPAI": ("pairs", "cross_sections"),
}
"""What a package does with an unbalanced panel: by default, and with its option for unbalanced panels."""


@dataclass(frozen=True)
class Ask:
    """One question; words are those of ``clsimpact.group_time``."""

    panel: str
    control: str = "never"
    base: str = "varying"
    method: str = "dr"
    x: str | None = None
    anticipation: int | None = None
    weights: str | None = None
    cluster: str | None = None
    sample: str | None = None
    """Of an unbalanced panel: units seen every year (``complete``), units seen in both years of a comparison
    (``pairs``), or every row, the means of the four cells compared (``cross_sections``)."""

    @property
    def options(self) -> str:
        return described(**{k: v for k, v in self.__dict__.items() if k != "panel"})

    @property
    def data(self) -> pd.DataFrame:
        return PANELS[self.panel]()


def _cells(groups: Any, times: Any, att: Any, se: Any) -> list[tuple[str, float, float]]:
    return [(f"gt:{int(g)}:{int(t)}", a, s) for g, t, a, s in zip(groups, times, att, se, strict=True)]


def _family(name: str, overall: float, overall_se: float, at: Any, att: Any, se: Any) -> Answer:
    rows = [(f"{name}:overall", overall, overall_se)]
    return rows + [(f"{name}:{int(e)}", a, s) for e, a, s in zip(at, att, se, strict=True)]


def csdid(q: Ask) -> Answer:
    from csdid.att_gt import ATTgt

    fit = ATTgt(
        "y",
        "time",
        "unit",
        "cohort",
        data=zero_coded(q.data),
        control_group={"never": "nevertreated", "not_yet": "notyettreated"}[q.control],
        xformla=f"y ~ {q.x}" if q.x else None,
        anticipation=q.anticipation or 0,
        weights_name=q.weights,
        clustervar=q.cluster,
        allow_unbalanced_panel=q.sample == "cross_sections",
    ).fit(est_method=q.method, base_period=q.base, bstrap=False)
    out = fit.results
    rows = _cells(out["group"], out["year"], out["att"], out["se"])
    for kind in ("simple", "group", "calendar", "dynamic", "balanced"):
        wanted = "dynamic" if kind == "balanced" else kind
        balance = BALANCED_EVENT if kind == "balanced" else None
        a = fit.aggte(typec=wanted, balance_e=balance, bstrap=False, cband=False, na_rm=True).atte
        if kind == "simple":
            rows.append(("simple", a["overall_att"], a["overall_se"]))
        else:
            rows += _family(kind, a["overall_att"], a["overall_se"], a["egt"], a["att_egt"], a["se_egt"])
    return rows


def moderndid(q: Ask) -> Answer:
    import moderndid as m

    fit = m.att_gt(
        zero_coded(q.data),
        "y",
        "time",
        "unit",
        "cohort",
        xformla=f"~ {q.x}" if q.x else None,
        weightsname=q.weights,
        clustervars=[q.cluster] if q.cluster else None,
        cband=False,
        boot=False,
        est_method=q.method,
        control_group={"never": "nevertreated", "not_yet": "notyettreated"}[q.control],
        anticipation=q.anticipation or 0,
        base_period=q.base,
        allow_unbalanced_panel=q.sample == "cross_sections",
    )
    rows = _cells(fit.groups, fit.times, fit.att_gt, fit.se_gt)
    for kind in ("simple", "group", "calendar", "dynamic", "balanced"):
        wanted = "dynamic" if kind == "balanced" else kind
        balance = BALANCED_EVENT if kind == "balanced" else None
        a = m.aggte(fit, type=wanted, balance_e=balance, na_rm=True, boot=False, cband=False)
        if kind == "simple":
            rows.append(("simple", a.overall_att, a.overall_se))
        else:
            rows += _family(kind, a.overall_att, a.overall_se, a.event_times, a.att_by_event, a.se_by_event)
    return rows


def diff_diff(q: Ask) -> Answer:
    import diff_diff as dd

    model = dd.CallawaySantAnna(
        control_group={"never": "never_treated", "not_yet": "not_yet_treated"}[q.control],
        anticipation=q.anticipation or 0,
        estimation_method=q.method,
        cluster=q.cluster,
        base_period=q.base,
        pscore_trim=NO_TRIM,
        allow_unbalanced_panel=q.sample == "cross_sections",
    )
    survey = dd.SurveyDesign(weights=q.weights) if q.weights else None
    fit = model.fit(
        zero_coded(q.data),
        "y",
        "unit",
        "time",
        "cohort",
        covariates=[q.x] if q.x else None,
        survey_design=survey,
    )
    cells = sorted(fit.group_time_effects.items())
    rows = _cells(
        [g for (g, _), _ in cells],
        [t for (_, t), _ in cells],
        [c["effect"] for _, c in cells],
        [c["se"] for _, c in cells],
    )
    rows.append(("simple", fit.overall_att, fit.overall_se))
    for kind, wanted in (("group", "group"), ("dynamic", "event_study")):
        rows += _diff_diff_rows(kind, fit.aggregate(wanted))
    rows += _diff_diff_rows("balanced", fit.aggregate("event_study", balance_e=BALANCED_EVENT))
    return rows


def _diff_diff_rows(kind: str, out: Any) -> Answer:
    table = out.to_dataframe()
    key = next(c for c in ("relative_period", "event_time", "group", "time", "period", "label") if c in table)
    att = next(c for c in ("effect", "att", "estimate") if c in table)
    se = next(c for c in ("se", "std_error") if c in table)
    keep = pd.to_numeric(table[key], errors="coerce").notna()
    return [
        (f"{kind}:{int(e)}", a, s)
        for e, a, s in zip(table.loc[keep, key], table.loc[keep, att], table.loc[keep, se], strict=True)
    ]


def differences(q: Ask) -> Answer:
    from differences import ATTgt

    model = ATTgt(
        q.data.set_index(["unit", "time"]), "cohort", base_period=q.base, anticipation=q.anticipation or 0
    )
    model.fit(
        f"y ~ {q.x or 1}",
        est_method={"dr": "dr", "reg": "reg", "ipw": "std_ipw-mle"}[q.method],
        control_group={"never": "never_treated", "not_yet": "not_yet_treated"}[q.control],
        weights_column=q.weights,
        cluster_var=q.cluster,
        progress_bar=False,
    )
    table = model.results()
    groups, times = (table.index.get_level_values(n) for n in ("cohort", "time"))
    att, se = _differences_columns(table)
    rows = _cells(groups, times, att, se)
    simple = _differences_columns(model.aggregate("simple"))
    rows.append(("simple", simple[0][0], simple[1][0]))
    for kind, wanted in (("group", "cohort"), ("calendar", "time"), ("dynamic", "event")):
        a, s = _differences_columns(model.aggregate(wanted, overall=True))
        rows.append((f"{kind}:overall", a[0], s[0]))
        table = model.aggregate(wanted)
        rows += [
            (f"{kind}:{int(e)}", a, s)
            for e, a, s in zip(table.index, *_differences_columns(table), strict=True)
        ]
    return rows


def _differences_columns(table: pd.DataFrame) -> tuple[Any, Any]:
    att = next(c for c in table.columns if c[-1] == "ATT")
    se = next(c for c in table.columns if c[-1] == "std_error")
    return table[att].to_numpy(float), table[se].to_numpy(float)


def statspai(q: Ask) -> Answer:
    import statspai as sp

    fit = sp.callaway_santanna(
        zero_coded(q.data),
        y="y",
        g="cohort",
        t="time",
        i="unit",
        x=[q.x] if q.x else None,
        weights=q.weights,
        estimator=q.method,
        control_group={"never": "nevertreated", "not_yet": "notyettreated"}[q.control],
        base_period=q.base,
        anticipation=q.anticipation or 0,
        clustervars=q.cluster,
        allow_unbalanced_panel=q.sample == "cross_sections",
    )
    table = fit.detail
    rows = _cells(table["group"], table["time"], table["att"], table["se"])
    for kind in ("simple", "group", "calendar", "dynamic", "balanced"):
        wanted = "dynamic" if kind == "balanced" else kind
        balance = BALANCED_EVENT if kind == "balanced" else None
        a = sp.aggte(fit, type=wanted, balance_e=balance, bstrap=False, cband=False)
        if kind == "simple":
            rows.append(("simple", a.estimate, a.se))
        else:
            at = next(c for c in ("relative_time", "event_time", "group", "time") if c in a.detail)
            rows += _family(kind, a.estimate, a.se, a.detail[at], a.detail["att"], a.detail["se"])
    return rows


PACKAGES = {
    "csdid": csdid,
    "moderndid": moderndid,
    "diff-diff": diff_diff,
    "differences": differences,
    "StatsPAI": statspai,
}


def questions() -> list[Ask]:
    plain = Ask("balanced")
    asks = [replace(plain, control=c, base=b) for c in ("never", "not_yet") for b in ("varying", "universal")]
    asks += [
        replace(plain, control=c, base=b, method=m, x="x1")
        for c, b, m in (
            ("never", "varying", "dr"),
            ("not_yet", "varying", "dr"),
            ("never", "universal", "dr"),
            ("never", "varying", "reg"),
            ("not_yet", "universal", "reg"),
            ("never", "varying", "ipw"),
            ("not_yet", "universal", "ipw"),
        )
    ]
    asks += [
        replace(plain, control=c, base=b, anticipation=1)
        for c, b in (("never", "varying"), ("not_yet", "varying"), ("never", "universal"))
    ]
    asks += [replace(plain, weights="w"), replace(plain, control="not_yet", weights="w")]
    asks += [replace(plain, weights="w", x="x1", method=m) for m in ("dr", "reg", "ipw")]
    asks += [replace(plain, cluster="region"), replace(plain, cluster="region", control="not_yet")]
    asks += [Ask("no_never", control="not_yet", base=b) for b in ("varying", "universal")]
    asks += [Ask("no_never", control="not_yet", x="x1")]
    asks += [Ask("late", control=c) for c in ("never", "not_yet")]
    for panel in ("missing", "gaps"):
        asks += [Ask(panel, control=c, sample=s) for c in ("never", "not_yet") for s in EVERY_SAMPLE]
        asks += [Ask(panel, x="x1", sample=s) for s in ("complete", "cross_sections")]
        asks += [Ask(panel, method=m, x="x1", sample="pairs") for m in ("reg", "ipw")]
    asks += [Ask("missing", base="universal", sample=s) for s in ("complete", "pairs")]
    asks += [Ask("mpdta", control=c) for c in ("never", "not_yet")]
    asks += [Ask("mpdta", base="universal"), Ask("mpdta", anticipation=1)]
    asks += [Ask("mpdta", x="x1", method=m) for m in ("dr", "reg", "ipw")]
    return asks


def main() -> None:
    recorder = Recorder("group_time")
    for q in questions():
        for package, ask in PACKAGES.items():
            if q.sample and q.sample not in SAMPLES[package]:
                continue
            recorder.run(package, q.panel, "group_time", q.options, lambda ask=ask, q=q: ask(q))
    recorder.save()


if __name__ == "__main__":
    main()
