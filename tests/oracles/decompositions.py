"""Goodman-Bacon (2021) decomposition and the weights of de Chaisemartin and D'Haultfoeuille (2020).

diff-diff, pybacondecomp, StatsPAI, twowayfeweights. In ``bacon`` the column ``std_error`` holds the weight.
Terms of ``bacon``: ``earlier:2016:2017`` is 2016 against 2017 before 2017 adopts, ``later:2017:2016`` is 2017
against 2016 after 2016 has adopted, ``never:2016`` is 2016 against never treated.
"""

from __future__ import annotations

import pandas as pd

from tests.oracles.panels import PANELS
from tests.oracles.record import Answer, Recorder, treated

KIND = {"Early vs Late": "earlier", "Late vs Early": "later", "Never vs timing": "never"}


def bacon_diff_diff(data: pd.DataFrame) -> Answer:
    import diff_diff as dd

    fit = dd.BaconDecomposition().fit(data, "y", "unit", "time", "cohort")
    rows = [("twfe", fit.twfe_estimate, 1.0)]
    for kind, short in (
        ("earlier_vs_later", "earlier"),
        ("later_vs_earlier", "later"),
        ("treated_vs_never", "never"),
    ):
        average = getattr(fit, f"weighted_avg_{kind}")
        weight = getattr(fit, f"total_weight_{kind}")
        if weight:
            rows.append((short, average, weight))
    for _, row in fit.to_dataframe().iterrows():
        kind = row["comparison_type"].split("_")[0]
        kind = "never" if kind == "treated" else kind
        other = "" if kind == "never" else f":{int(row['control_group'])}"
        rows.append((f"{kind}:{int(row['treated_group'])}{other}", row["estimate"], row["weight"]))
    return rows


def bacon_pybacondecomp(data: pd.DataFrame) -> Answer:
    from pybacondecomp import bacondecomp

    fit = bacondecomp(data, "y", "d", "unit", "time", ddetail=True, verbose=False)
    rows = [("twfe", fit.dd_estimate, 1.0)]
    rows += [(KIND[r["type"]], r["avg_estimate"], r["total_weight"]) for _, r in fit.summary.iterrows()]
    for _, r in fit.two_by_two.iterrows():
        kind = KIND[r["type"]]
        other = "" if kind == "never" else f":{int(r['control'])}"
        rows.append((f"{kind}:{int(r['treated'])}{other}", r["estimate"], r["weight"]))
    return rows


def bacon_statspai(data: pd.DataFrame) -> Answer:
    import statspai as sp

    fit = sp.bacon_decomposition(data, "y", "d", "time", "unit")
    names = {"Later vs Earlier": "later", "Earlier vs Later": "earlier", "Treated vs Untreated": "never"}
    rows = [("twfe", fit["beta_twfe"], 1.0)]
    rows += [
        (names[r["type"].removesuffix(" Treated")], r["estimate"], r["weight"])
        for _, r in fit["summary"].iterrows()
    ]
    for _, r in fit["decomposition"].iterrows():
        kind = names[r["type"].removesuffix(" Treated")]
        other = "" if kind == "never" else f":{int(r['control'])}"
        rows.append((f"{kind}:{int(r['treated'])}{other}", r["estimate"], r["weight"]))
    return rows


def weights_twowayfeweights(data: pd.DataFrame) -> Answer:
    from twowayfeweights import twowayfeweights

    fit = twowayfeweights(data, "y", "unit", "time", "d", summary_measures=True)
    nothing = float("nan")
    rows = [
        ("beta", fit.beta, nothing),
        ("negative:cells", fit.nr_minus, nothing),
        ("cells", fit.nr_weights, nothing),
        ("negative:sum", fit.sum_minus, nothing),
        ("sigma:zero_average", fit.lb_se_te, nothing),
    ]
    if fit.lb_se_te2 is not None:
        rows.append(("sigma:all_opposite", fit.lb_se_te2, nothing))
    weights = fit.weights.rename(columns={"Group_TWFE": "unit", "Time_TWFE": "time"})
    table = weights.merge(data[["unit", "time", "cohort", "d"]], on=["unit", "time"])
    return rows + _by_cell(table[table["d"] == 1], "weight")


def _by_cell(table: pd.DataFrame, column: str) -> Answer:
    """Sum of the weights of a cohort in a year."""
    sums = table.groupby(["cohort", "time"])[column].sum()
    return [(f"weight:{int(g)}:{int(t)}", w, float("nan")) for (g, t), w in sums.items()]


def weights_diff_diff(data: pd.DataFrame) -> Answer:
    import diff_diff as dd

    fit = dd.twowayfeweights(data, "y", "unit", "time", "d")
    table = fit.weights.merge(data[["unit", "time", "cohort", "d"]], on=["unit", "time"])
    on = table[table["d"] == 1]
    nothing = float("nan")
    rows = [
        ("beta", fit.beta_fe, nothing),
        ("negative:cells", int((on["weight"] < 0).sum()), nothing),
        ("cells", len(on), nothing),
        ("negative:sum", on.loc[on["weight"] < 0, "weight"].sum(), nothing),
        ("sigma:zero_average", fit.sigma_fe, nothing),
    ]
    return rows + _by_cell(on, "weight")


def main() -> None:
    r = Recorder("decompositions")
    for panel in ("balanced", "no_never", "late", "missing", "mpdta"):
        data = treated(PANELS[panel]())
        if panel != "missing":
            for package, ask in (
                ("diff-diff", bacon_diff_diff),
                ("pybacondecomp", bacon_pybacondecomp),
                ("StatsPAI", bacon_statspai),
            ):
                r.run(package, panel, "bacon", "", lambda ask=ask, d=data: ask(d))
        for package, ask in (("twowayfeweights", weights_twowayfeweights), ("diff-diff", weights_diff_diff)):
            r.run(package, panel, "twfe_weights", "", lambda ask=ask, d=data: ask(d))
    r.save()


if __name__ == "__main__":
    main()
