"""Local projection difference in differences (Dube, Girardi, Jorda and Taylor 2025).

At horizon h: y(t+h) - y(t-1) on adoption at t and effects of t, on units that adopt at t and on clean
controls (not treated until t+h, or never). ``reweighted=yes`` weights cohorts by their number of units.
Clusters: units.
"""

from __future__ import annotations

from functools import partial

import pandas as pd

from tests.oracles.panels import PANELS
from tests.oracles.record import Answer, Recorder, described, treated, zero_coded

WINDOW = {"mpdta": (3, 3)}
"""Years before and after adoption (4 and 5 unless named here): diff-diff refuses horizons without data."""


def by_diff_diff(
    data: pd.DataFrame, *, control: str, window: tuple[int, int], reweight: bool, x: str | None
) -> Answer:
    import diff_diff as dd

    fit = dd.LPDiD(
        pre_window=window[0],
        post_window=window[1],
        reweight=reweight,
        control_group={"never": "never_treated", "not_yet": "clean"}[control],
    ).fit(data, "y", "unit", "time", "d", covariates=[x] if x else None)
    table = fit.event_study[fit.event_study["horizon"] != -1]
    rows = [
        (f"event:{int(h)}", b, s)
        for h, b, s in zip(table["horizon"], table["coefficient"], table["se"], strict=True)
    ]
    pooled = fit.pooled.set_index("window")
    return rows + [(f"pooled:{k}", pooled.loc[k, "coefficient"], pooled.loc[k, "se"]) for k in pooled.index]


def by_statspai(data: pd.DataFrame, *, control: str, window: tuple[int, int], x: str | None) -> Answer:
    import statspai as sp

    fit = sp.lp_did(
        data,
        "y",
        "unit",
        "time",
        "d",
        horizons=(-window[0], window[1]),
        controls=[x] if x else None,
        clean_controls={"never": "never_treated", "not_yet": "not_yet_treated"}[control],
    )
    table = fit.model_info["event_study"]
    table = table[table["relative_time"] != -1]
    return [
        (f"event:{int(h)}", b, s)
        for h, b, s in zip(table["relative_time"], table["att"], table["se"], strict=True)
    ]


def by_pyfixest(data: pd.DataFrame, *, window: tuple[int, int]) -> Answer:
    import pyfixest as pf

    table = pf.lpdid(
        data,
        "y",
        "unit",
        "time",
        "cohort",
        vcov={"CRV1": "unit"},
        pre_window=-window[0],
        post_window=window[1],
        never_treated=0,
        att=False,
    )
    table = table if isinstance(table, pd.DataFrame) else table.tidy()
    return [
        (f"event:{name.split('::')[1]}", row["Estimate"], row["Std. Error"]) for name, row in table.iterrows()
    ]


def long_differences(data: pd.DataFrame, h: int, *, control: str, ends_only: bool = False) -> pd.DataFrame:
    """Rows (unit, t) with the long difference, adoption at t, and clean controls only.

    The row of year t must be there, unless ``ends_only``: then the two years of the difference suffice.
    """
    y = data.pivot_table(index="unit", columns="time", values="y")
    cohort = data.groupby("unit")["cohort"].first()
    pieces = []
    for t in y.columns:
        if t - 1 not in y.columns or t + h not in y.columns:
            continue
        adopts = cohort == t
        clean = (cohort == 0) | (cohort > y.columns.max())
        if control == "not_yet":
            clean |= cohort > max(t, t + h)
        piece = pd.DataFrame({"dy": y[t + h] - y[t - 1], "adopts": adopts.astype(float), "t": t})
        there = piece["dy"].notna() & (ends_only | y[t].notna())
        pieces.append(piece[(adopts | clean) & there].reset_index())
    return pd.concat(pieces, ignore_index=True) if pieces else pd.DataFrame({"adopts": [], "t": []})


def by_regression(
    data: pd.DataFrame, *, control: str, window: tuple[int, int], reweight: bool, ends_only: bool = False
) -> Answer:
    """pyfixest's feols on long differences made here.

    A weight of 1 / (1 - share of adopters) in every row of a year undoes the variance weighting.
    """
    import pyfixest as pf

    rows = []
    for h in [*range(-window[0], -1), *range(window[1] + 1)]:
        sample = long_differences(data, h, control=control, ends_only=ends_only)
        by_year = sample.groupby("t")["adopts"]
        if not (by_year.nunique() == 2).any():
            continue
        sample = sample[by_year.transform("nunique") == 2].copy() if reweight else sample
        share = sample.groupby("t")["adopts"].transform("mean")
        sample["wt"] = 1 / (1 - share)
        fit = pf.feols(
            "dy ~ adopts | t",
            sample,
            vcov={"CRV1": "unit"},
            weights="wt" if reweight else None,
            fixef_tol=1e-12,
        )
        rows.append((f"event:{h}", fit.coef()["adopts"], fit.se()["adopts"]))
    return rows


def main() -> None:
    r = Recorder("local_projection")
    for panel in ("balanced", "missing", "late", "no_never", "mpdta"):
        plain = zero_coded(PANELS[panel]())
        data = treated(PANELS[panel]())
        for control in ("never", "not_yet") if panel != "no_never" else ("not_yet",):
            for x in (None, "x2") if panel == "balanced" else (None,):
                _ask(r, panel, plain, data, control, x)
    r.save()


def _ask(
    r: Recorder, panel: str, plain: pd.DataFrame, data: pd.DataFrame, control: str, x: str | None
) -> None:
    name = "local_projection"
    options = described(control=control, reweighted="no", x=x)
    how = {"control": control, "window": WINDOW.get(panel, (4, 5))}
    r.run("diff-diff", panel, name, options, lambda: by_diff_diff(data, reweight=False, x=x, **how))
    r.run("StatsPAI", panel, name, options, lambda: by_statspai(data, x=x, **how))
    if x:
        return
    if panel == "balanced" and control == "not_yet":
        r.run("pyfixest", panel, name, options, lambda: by_pyfixest(plain, window=how["window"]))
    else:
        r.run("pyfixest", panel, name, options, lambda: by_regression(plain, reweight=False, **how))
    if panel == "missing":
        ask = partial(by_regression, plain, reweight=False, ends_only=True, **how)
        r.run("pyfixest", panel, name, f"{options};rows=ends", ask)
    options = described(control=control, reweighted="yes")
    r.run("diff-diff", panel, name, options, lambda: by_diff_diff(data, reweight=True, x=x, **how))
    r.run("pyfixest", panel, name, options, lambda: by_regression(plain, reweight=True, **how))


if __name__ == "__main__":
    main()
