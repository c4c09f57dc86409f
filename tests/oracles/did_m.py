"""DID_M (de Chaisemartin and D'Haultfoeuille 2020) and its dynamic effects (2024).

diff-diff, StatsPAI, moderndid, py-did-multiplegt-dyn. ``did_m``: the effect in the year of adoption, with
placebos; ``did_m_dynamic``: effects 1 to L and placebos.
"""

from __future__ import annotations

import pandas as pd

from tests.oracles.panels import PANELS
from tests.oracles.record import Answer, Recorder, described, treated


def did_m_diff_diff(data: pd.DataFrame) -> Answer:
    import diff_diff as dd

    fit = dd.ChaisemartinDHaultfoeuille().fit(data, "y", unit="unit", time="time", treatment="d")
    return [
        ("att", fit.overall_att, fit.overall_se),
        ("placebo:1", fit.placebo_effect, fit.placebo_se),
    ]


def did_m_statspai(data: pd.DataFrame) -> Answer:
    import statspai as sp

    fit = sp.did_multiplegt(data, "y", "unit", "time", "d", placebo=1, n_boot=2, seed=1)
    placebo = fit.model_info["placebo"]
    value = placebo[0]
    return [("att", fit.estimate, float("nan")), ("placebo:1", value["estimate"], float("nan"))]


def dynamic_diff_diff(data: pd.DataFrame, *, effects: int, placebos: int) -> Answer:
    import diff_diff as dd

    fit = dd.ChaisemartinDHaultfoeuille().fit(
        data, "y", unit="unit", time="time", treatment="d", L_max=effects
    )
    rows = [(f"effect:{k}", v["effect"], v["se"]) for k, v in sorted(fit.event_study_effects.items())]
    before = {k: v for k, v in fit.placebo_event_study.items() if -k <= placebos}
    return rows + [(f"placebo:{-k}", v["effect"], v["se"]) for k, v in sorted(before.items())]


def dynamic_moderndid(data: pd.DataFrame, *, effects: int, placebos: int, weights: str | None) -> Answer:
    import moderndid as m

    fit = m.did_multiplegt(
        data, "y", "time", "unit", "d", effects=effects, placebo=placebos, weightsname=weights
    )
    rows = [("average", fit.ate.estimate, fit.ate.std_error)]
    for name, part in (("effect", fit.effects), ("placebo", fit.placebos)):
        rows += [
            (f"{name}:{abs(int(h))}", a, s)
            for h, a, s in zip(part.horizons, part.estimates, part.std_errors, strict=True)
        ]
    return rows


def dynamic_multiplegt(data: pd.DataFrame, *, effects: int, placebos: int, weights: str | None) -> Answer:
    import polars as pl
    from did_multiplegt_dyn import DidMultiplegtDyn

    model = DidMultiplegtDyn(
        pl.from_pandas(data), "y", "unit", "time", "d", effects=effects, placebo=placebos, weight=weights
    )
    model.fit()
    table = model.summary()
    table = table.to_pandas() if hasattr(table, "to_pandas") else pd.DataFrame(table)
    rows = []
    for _, row in table.iterrows():
        kind, _, number = str(row.iloc[0]).partition("_")
        term = f"{kind.lower()}:{number}" if kind in ("Effect", "Placebo") else "average"
        rows.append((term, row["Estimate"], row["SE"]))
    return rows


def dynamic_statspai(data: pd.DataFrame, *, effects: int, placebos: int, weights: str | None) -> Answer:
    import statspai as sp

    fit = sp.did_multiplegt_dyn(
        data,
        "y",
        group="unit",
        time="time",
        treatment="d",
        placebo=placebos,
        dynamic=effects - 1,
        weights=weights,
        se_method="analytic",
    )
    table = fit.detail
    rows = []
    for h, a, s in zip(table["horizon"], table["delta_l"], table["se"], strict=True):
        rows.append((f"effect:{int(h) + 1}" if h >= 0 else f"placebo:{-int(h)}", a, s))
    return rows


def main() -> None:
    r = Recorder("did_m")
    for panel, effects, placebos in (
        ("balanced", 5, 3),
        ("missing", 5, 3),
        ("late", 5, 3),
        ("no_never", 4, 2),
        ("gaps", 3, 2),
        ("mpdta", 4, 2),
    ):
        data = treated(PANELS[panel]())
        r.run("diff-diff", panel, "did_m", "", lambda d=data: did_m_diff_diff(d))
        r.run("StatsPAI", panel, "did_m", "", lambda d=data: did_m_statspai(d))
        for w in (None, "w") if panel == "balanced" else (None,):
            options = described(effects=effects, placebos=placebos, weights=w)
            how = {"effects": effects, "placebos": placebos}
            name = "did_m_dynamic"
            if not w:
                r.run("diff-diff", panel, name, options, lambda d=data, how=how: dynamic_diff_diff(d, **how))
            for package, ask in (
                ("moderndid", dynamic_moderndid),
                ("py_did_multiplegt_dyn", dynamic_multiplegt),
                ("StatsPAI", dynamic_statspai),
            ):
                r.run(
                    package,
                    panel,
                    name,
                    options,
                    lambda d=data, how=how, w=w, ask=ask: ask(d, weights=w, **how),
                )
    r.save()


if __name__ == "__main__":
    main()
