"""Stacked difference in differences (Wing, Freedman and Hollingsworth 2024): diff-diff, and pyfixest's
weighted regression on a stack built here from the paper's definitions.

A cohort a enters when the years a - kappa_pre to a + kappa_post lie in the panel; controls of a cohort adopt
after a + kappa_post (``not_yet``) or never; a control row's weight is the ratio of the cohort's share among
treated rows to its share among control rows; ``att`` is the mean of the coefficients at event times >= 0.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd

from tests.oracles.panels import PANELS
from tests.oracles.record import Answer, Recorder, described, zero_coded

WINDOWS = ((1, 1), (2, 2), (3, 1))


def stack(data: pd.DataFrame, *, pre: int, post: int, control: str) -> pd.DataFrame:
    first, last = data["time"].min(), data["time"].max()
    pieces = []
    for a in sorted(set(data.loc[data["cohort"] > 0, "cohort"])):
        if a - pre < first or a + post > last:
            continue
        never = data["cohort"] == 0
        clean = never if control == "never" else never | (data["cohort"] > a + post)
        piece = data[((data["cohort"] == a) | clean) & data["time"].between(a - pre, a + post)]
        if not piece["cohort"].ne(a).any():
            continue
        pieces.append(
            piece.assign(sub=a, treat=(piece["cohort"] == a).astype(float), event=piece["time"] - a)
        )
    return pd.concat(pieces, ignore_index=True)


def with_shares(stacked: pd.DataFrame, *, per_event: bool) -> pd.DataFrame:
    """Weights from numbers of units in a sub-experiment, or of rows at each event time (the authors' way)."""
    by = ["event"] if per_event else []
    count = stacked.groupby(["sub", "treat", *by])["unit"].nunique().rename("n").reset_index()
    count["share"] = count["n"] / count.groupby(["treat", *by])["n"].transform("sum")
    wide = count.pivot_table(index=["sub", *by], columns="treat", values="share").reset_index()
    merged = stacked.merge(wide, on=["sub", *by], how="left")
    return merged.assign(q=np.where(merged["treat"] == 1, 1.0, merged[1.0] / merged[0.0]))


def by_pyfixest(data: pd.DataFrame, *, pre: int, post: int, control: str, per_event: bool = True) -> Answer:
    import pyfixest as pf

    stacked = with_shares(stack(data, pre=pre, post=post, control=control), per_event=per_event)
    events = [e for e in range(-pre, post + 1) if e != -1]
    names = [f"t{e}".replace("-", "m") for e in events]
    for e, name in zip(events, names, strict=True):
        stacked[name] = stacked["treat"] * (stacked["event"] == e)
    fit = pf.feols(
        f"y ~ {' + '.join(names)} | treat + event",
        stacked,
        weights="q",
        vcov={"CRV1": "unit"},
        fixef_tol=1e-12,
    )
    at = {name: i for i, name in enumerate(fit._coefnames)}
    c = np.array([float(e >= 0) for e in events])[np.argsort([at[n] for n in names])]
    c /= c.sum()
    rows = [("att", c @ fit._beta_hat, np.sqrt(c @ fit._vcov @ c))]
    coef, se = fit.coef(), fit.se()
    return rows + [(f"event:{e}", coef[n], se[n]) for e, n in zip(events, names, strict=True)]


def by_diff_diff(data: pd.DataFrame, *, pre: int, post: int, control: str) -> Answer:
    import diff_diff as dd

    fit = dd.StackedDiD(
        kappa_pre=pre,
        kappa_post=post,
        weighting="aggregate",
        control_group={"never": "never_treated", "not_yet": "not_yet_treated"}[control],
    ).fit(data, "y", "unit", "time", "cohort")
    table = fit.aggregate("event_study").to_dataframe()
    table = table[~table["is_reference"]]
    rows = [("att", fit.overall_att, fit.overall_se)]
    return rows + [
        (f"event:{int(e)}", a, s)
        for e, a, s in zip(table["event_time"], table["att"], table["se"], strict=True)
    ]


def main() -> None:
    r = Recorder("stacked")
    for panel in ("balanced", "missing", "late", "no_never", "mpdta"):
        data = zero_coded(PANELS[panel]())
        for control in ("never", "not_yet") if panel != "no_never" else ("not_yet",):
            for pre, post in WINDOWS:
                how = {"pre": pre, "post": post, "control": control}
                options = described(control=control, kappa_pre=pre, kappa_post=post)
                r.run("diff-diff", panel, "stacked", options, partial(by_diff_diff, data, **how))
                r.run("pyfixest", panel, "stacked", options, partial(by_pyfixest, data, **how))
                if panel == "missing":
                    units = partial(by_pyfixest, data, per_event=False, **how)
                    r.run("pyfixest", panel, "stacked", f"{options};shares=units", units)
    r.save()


if __name__ == "__main__":
    main()
