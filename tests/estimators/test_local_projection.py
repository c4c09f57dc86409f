"""Local projections: frozen values, the same regressions by statsmodels, and hard panels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from clsimpact.design import Design
from clsimpact.errors import DesignError
from clsimpact.estimators.local_projection import local_projection
from clsimpact.inference.sandwich import Counts, sandwich
from clsimpact.results import REFERENCE, Estimate
from tests.estimation_helpers import council_design, five_units, made_up, mpdta
from tests.oracles import panels

pytestmark = pytest.mark.usefixtures("usual_errors")

SAME = 1e-9
"""Two solutions of one least-squares problem in double precision."""


def made(panel: pd.DataFrame, **options: Any) -> Design:
    return Design(panel, outcome="y", unit="unit", time="time", cohort="cohort", **options)


def rows(fit: Estimate) -> pd.DataFrame:
    return fit.tidy().set_index("term")


def long_differences(design: Design, event: int, *, never: bool = False, mean: bool = False) -> pd.DataFrame:
    """Clean rows of one event time, adoption date by adoption date, found by looking rows up one by one."""
    data = design.data.rename(columns={design.unit: "unit", design.time: "time", design.outcome: "y"})
    data = data.assign(w=1.0) if design.weights is None else data.rename(columns={design.weights: "w"})
    keys = zip(data["unit"], data["time"], strict=True)
    by = dict(zip(keys, data.to_dict("records"), strict=True))
    first = dict(
        zip(design.units, np.where(np.isnan(design.unit_cohorts), np.inf, design.unit_cohorts), strict=True)
    )
    cluster = dict(zip(design.units, design.unit_clusters, strict=True))
    periods, wait = design.periods, design.anticipation
    out = []
    for s in sorted({*periods, *design.cohort_sizes}):
        before = [t for t in periods if t < s - wait]
        if s in design.cohort_sizes:
            before = [t for t in before if any((u, t) in by for u in design.units if first[u] == s)]
        if not before or s + event not in periods:
            continue
        if s + event < s - wait and s + event > before[-1] - (not mean):
            continue  # the base itself, or between it and adoption
        for u in design.units:
            clean = first[u] - wait > (periods[-1] if never else max(s + event, s - wait))
            if not (clean or first[u] == s) or (u, s + event) not in by:
                continue
            known = [by[u, t] for t in (before if mean else before[-1:]) if (u, t) in by]
            if len(known) < 1 + (mean and s + event in before):
                continue
            if design.covariates and (u, before[-1]) not in by:
                continue
            change = by[u, s + event]["y"] - np.mean([row["y"] for row in known])
            extra = {name: known[-1][name] for name in design.covariates}
            out.append(
                {
                    "s": s,
                    "unit": cluster[u],
                    "d": float(first[u] == s),
                    "y": change,
                    "w": np.mean([row["w"] for row in known]),
                    **extra,
                }
            )
    return pd.DataFrame(out)


def dummies(frame: pd.DataFrame, names: tuple[str, ...]) -> NDArray[np.float64]:
    effects = pd.get_dummies(frame["s"]).to_numpy(dtype=float)
    return np.column_stack([frame[["d", *names]].to_numpy(dtype=float), effects])


@pytest.mark.parametrize("never", [False, True])
@pytest.mark.parametrize("mean", [False, True])
@pytest.mark.parametrize(
    ("panel", "options"),
    [
        ("balanced", {"cluster": "region"}),
        ("missing", {"weights": "wt"}),
        ("missing", {"covariates": ["x1", "x2"], "weights": "w"}),
        ("late", {"anticipation": 1}),
        ("gaps", {"weights": "wt"}),
        ("gaps", {"covariates": ["x1", "x2"]}),
        ("no_never", {"covariates": ["x1", "x2"]}),
    ],
)
def test_each_event_time_is_a_regression(
    panel: str, options: dict[str, Any], never: bool, mean: bool
) -> None:
    held = made(getattr(panels, panel)(), **options)
    if never and panel == "no_never":
        pytest.skip("nobody to compare with")
    fit = local_projection(held, control="never" if never else "not_yet", base="mean" if mean else "last")
    got, kinds = rows(fit), {kind: rows(fit.with_inference(kind)) for kind in ("CR2", "CR3")}
    for event in (-3, -2, 0, 2):
        if got.loc[f"e={event}", "reason"] == REFERENCE:
            continue
        frame = long_differences(held, event, never=never, mean=mean)
        x = dummies(frame, held.covariates)
        model = sm.WLS(frame["y"], x, weights=frame["w"])
        fitted = model.fit(cov_type="cluster", cov_kwds={"groups": frame["unit"].to_numpy()})
        row = got.loc[f"e={event}"]
        assert row["estimate"] == pytest.approx(fitted.params.iloc[0], rel=SAME)
        assert row["std_error"] == pytest.approx(fitted.bse.iloc[0], rel=SAME)
        root = np.sqrt(frame["w"].to_numpy())
        q, r = np.linalg.qr(x * root[:, None])
        clusters = pd.factorize(frame["unit"])[0]
        counts = Counts(len(frame), clusters.max() + 1, x.shape[1], x.shape[1])
        pull = q @ np.linalg.inv(r).T[:, :1]
        for kind, table in kinds.items():
            v = sandwich(pull, fitted.resid.to_numpy() * root, q, clusters, kind=kind, counts=counts)
            assert table.loc[f"e={event}", "std_error"] == pytest.approx(np.sqrt(v.matrix.item()), rel=1e-7)


def test_the_frozen_values(frozen: Path) -> None:
    table = pd.read_csv(frozen / "local_projection.csv", keep_default_na=False)
    mine = table[~table["options"].str.contains("x=") & table["term"].str.startswith("event:")]
    mine = mine[(mine["panel"] != "missing") | mine["options"].str.contains("rows=ends")]
    fits: dict[tuple[str, str], pd.DataFrame] = {}
    checked = 0
    for row in mine.itertuples():
        option = dict(part.split("=") for part in row.options.split(";"))
        if row.package == "StatsPAI" or (row.panel, row.term, row.package) == (
            "no_never",
            "event:3",
            "pyfixest;diff-diff",
        ):
            continue
        if (row.panel, row.options) not in fits:
            weighting = "equal" if option["reweighted"] == "yes" else "regression"
            held = made(getattr(panels, row.panel)())
            fits[row.panel, row.options] = rows(
                local_projection(held, control=option["control"], weighting=weighting)  # type: ignore[arg-type]
            )
        got = fits[row.panel, row.options].loc[row.term.replace("event:", "e=")]
        assert got["estimate"] == pytest.approx(float(row.estimate), rel=SAME, abs=1e-12), row
        assert got["std_error"] == pytest.approx(float(row.std_error), rel=SAME), row
        checked += 1
    assert checked > 120


def test_premean_differences_of_another_program() -> None:
    """diff-diff 3.13.0 with ``pmd="max"`` on mpdta."""
    expected = {
        "e=-3": (0.0126558077, 0.0082873056),
        "e=-2": (0.0099764639, 0.0078096888),
        "e=0": (-0.0287116552, 0.0129824254),
        "e=1": (-0.0540448969, 0.0190559618),
        "e=3": (-0.1008113631, 0.0344641397),
    }
    got = rows(local_projection(mpdta(), base="mean"))
    for term, (estimate, error) in expected.items():
        assert got.loc[term, ["estimate", "std_error"]].tolist() == pytest.approx(
            [estimate, error], abs=6e-11
        )
    assert got.loc["e=-1", "identified"]
    assert not got["reason"].str.startswith(REFERENCE).any()


def test_covariates_count_in_the_base_period(frozen: Path) -> None:
    """The other programs take the value in the year of adoption: ours, with the covariate moved a year."""
    panel = panels.balanced().sort_values(["unit", "time"])
    ahead = panel.groupby("unit")["x2"].shift(-1)
    fit = rows(local_projection(made(panel.assign(x2=ahead.fillna(0.0)), covariates=["x2"])))
    table = pd.read_csv(frozen / "local_projection.csv", keep_default_na=False)
    table = table[
        (table["options"] == "control=not_yet;reweighted=no;x=x2") & table["term"].str.startswith("event")
    ]
    assert len(table) > 5
    for row in table.itertuples():
        got = fit.loc[row.term.replace("event:", "e=")]
        assert got["estimate"] == pytest.approx(float(row.estimate), rel=SAME)
        assert got["std_error"] == pytest.approx(float(row.std_error), rel=SAME)


@pytest.mark.parametrize("weights", [None, "w"])
def test_regression_adjustment_takes_slopes_from_controls(weights: str | None) -> None:
    held = made(panels.missing(), covariates=["x1", "x2"], weights=weights)
    got = rows(local_projection(held, weighting="equal"))
    for event in (-2, 0, 3):
        frame = long_differences(held, event)
        up = frame["d"] == 1
        x = dummies(frame.assign(d=0.0), ("x1", "x2"))[:, 1:]  # without the treated
        controls = sm.WLS(frame["y"][~up], x[~up], weights=frame["w"][~up]).fit()
        gap = frame["y"][up] - controls.predict(x[up])
        assert got.loc[f"e={event}", "estimate"] == pytest.approx(
            np.average(gap, weights=frame["w"][up]), rel=SAME
        )
    kinds = local_projection(held, weighting="equal").uncertainty
    assert kinds is not None
    assert kinds.kinds == ("CR0", "CR1")


def test_the_error_of_regression_adjustment_is_near_the_jackknife() -> None:
    held = made(panels.balanced(), covariates=["x1"])
    fit = local_projection(held, weighting="equal", leads=2, lags=2)
    parts = [
        local_projection(
            held.restrict(held.cluster_codes != g, reason="left out"), weighting="equal", leads=2, lags=2
        )
        .overall["estimate"]
        .iloc[0]
        for g in range(held.n_clusters)
    ]
    jackknife = np.sqrt(((np.array(parts) - fit.overall["estimate"].iloc[0]) ** 2).sum())
    assert fit.overall["std_error"].iloc[0] == pytest.approx(jackknife, rel=0.06)


@pytest.mark.parametrize("weighting", ["regression", "equal"])
@pytest.mark.parametrize("option", [{}, {"cluster": "region"}])
def test_leaving_out_clusters_is_refitting(weighting: Any, option: dict[str, str]) -> None:
    held = made(panels.missing(), **option)
    fit = local_projection(held, weighting=weighting).with_inference("CR3")
    again = []
    for g in range(held.n_clusters):
        part = local_projection(
            held.restrict(held.cluster_codes != g, reason="left out"), weighting=weighting
        )
        again.append([*rows(part).reindex(rows(fit).index)["estimate"], part.overall["estimate"].iloc[0]])
    moved = np.array(again) - [*rows(fit)["estimate"], fit.overall["estimate"].iloc[0]]
    error = np.sqrt((moved**2).sum(axis=0))
    known = rows(fit)["std_error"].notna().to_numpy()
    assert known.sum() > 5
    assert np.allclose(rows(fit)["std_error"][known], error[:-1][known], rtol=SAME)
    assert fit.overall["std_error"].iloc[0] == pytest.approx(error[-1], rel=SAME)


def test_arithmetic_by_hand() -> None:
    panel = five_units()
    # In 2: A +3; B, C, D, E 0, 1, 0, 2. In 3: B, C +5, +2; D, E +1, 0.
    first, second = 3 - 0.75, 3.5 - 0.5
    weights = np.array([1 * 4 / 5, 2 * 2 / 4])
    got = rows(local_projection(made(panel), inference="CR1"))
    assert got.loc["e=0", "estimate"] == pytest.approx(weights @ [first, second] / weights.sum())
    equal = rows(local_projection(made(panel), weighting="equal"))
    assert equal.loc["e=0", "estimate"] == pytest.approx((first + 2 * second) / 3)
    # e=1: A from 1 to 3 is 5; D, E 1 and 2.
    assert got.loc["e=1", "estimate"] == pytest.approx(5 - 1.5)
    assert "one treated unit" in got.loc["e=1", "reason"]
    overall = local_projection(made(panel)).overall["estimate"].iloc[0]
    assert overall == pytest.approx((got.loc["e=0", "estimate"] + 3.5) / 2)


def test_the_overall_error_joins_event_times() -> None:
    fit = local_projection(mpdta())
    matrix = fit.covariance.loc[["e=0", "e=1", "e=2", "e=3"], ["e=0", "e=1", "e=2", "e=3"]].to_numpy()
    assert fit.overall["std_error"].iloc[0] == pytest.approx(np.sqrt(matrix.sum()) / 4, rel=SAME)
    row = fit.average()
    assert row["std_error"].iloc[0] == pytest.approx(fit.overall["std_error"].iloc[0], rel=SAME)
    second = fit.with_inference("CR2")
    assert second.overall["std_error"].iloc[0] > fit.overall["std_error"].iloc[0]


def test_the_window_and_what_aggregate_knows() -> None:
    fit = local_projection(mpdta(), leads=2, lags=1)
    assert fit.tidy()["term"].tolist() == ["e=-2", "e=-1", "e=0", "e=1"]
    whole = local_projection(mpdta())
    part = whole.aggregate("dynamic", leads=2, lags=1)
    assert np.allclose(part.tidy()["std_error"], fit.tidy()["std_error"], rtol=SAME, equal_nan=True)
    with pytest.raises(DesignError, match="'group'"):
        whole.aggregate("group")
    with pytest.raises(DesignError, match="balance=1"):
        whole.aggregate("dynamic", balance=1)


def test_gaps_and_councils_without_a_second_period() -> None:
    held = council_design(made_up())
    fit = local_projection(held)
    got = rows(fit)
    frame = long_differences(held, 4)
    fitted = sm.OLS(frame["y"], dummies(frame, ())).fit(
        cov_type="cluster", cov_kwds={"groups": frame["unit"].to_numpy()}
    )
    assert got.loc["e=4", "estimate"] == pytest.approx(fitted.params.iloc[0], rel=SAME)
    assert got.loc["e=4", "std_error"] == pytest.approx(fitted.bse.iloc[0], rel=SAME)
    mean = rows(local_projection(held, base="mean"))
    assert "cohort 2016 has no second period before adoption" in mean.loc["e=-2", "reason"]
    sample = fit.sample().set_index("term")
    assert sample.loc["e=4", "periods"] == "2014 to 2020 (cohort 2016), 2016 to 2021 (cohort 2017)"


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), scale=st.floats(0.1, 50), equal=st.booleans(), mean=st.booleans())
def test_constants_shift_nothing_and_scale_scales(seed: int, scale: float, equal: bool, mean: bool) -> None:
    panel = made_up(seed=seed % 50, share=0.9)
    rng = np.random.default_rng(seed)
    units = panel["ons_code"].unique()
    own = panel["ons_code"].map(dict(zip(units, rng.normal(0, 20, len(units)), strict=True)))
    common = 0.0 if mean else panel["year"].map({t: rng.normal(0, 20) for t in panel["year"].unique()})
    moved = panel.assign(cost=scale * panel["cost"] + own + common).sample(frac=1, random_state=seed)
    options: dict[str, Any] = {
        "weighting": "equal" if equal else "regression",
        "base": "mean" if mean else "last",
    }
    one = rows(local_projection(council_design(panel), **options))
    two = rows(local_projection(council_design(moved), **options))
    for column in ("estimate", "std_error"):
        assert np.isfinite(one[column]).sum() >= 2
        assert np.allclose(scale * one[column], two[column], rtol=1e-6, atol=1e-9, equal_nan=True)


def test_nobody_to_compare_with_is_said() -> None:
    panel = panels.no_never()
    got = rows(local_projection(made(panel)))
    assert np.isnan(got.loc["e=5", "estimate"])
    assert "nobody still untreated in 2021" in got.loc["e=5", "reason"]
    with pytest.raises(DesignError, match="No event time can be estimated"):
        local_projection(made(panel), control="never")


def test_covariates_of_the_county_panel() -> None:
    """The cohorts leave few dates without adopters: 2005 only."""
    held = made(panels.mpdta(), covariates=["x1"])
    fit = local_projection(held)
    for event in (-2, 0, 3):
        frame = long_differences(held, event)
        fitted = sm.OLS(frame["y"], dummies(frame, ("x1",))).fit()
        assert rows(fit).loc[f"e={event}", "estimate"] == pytest.approx(fitted.params.iloc[0], rel=SAME)


def test_a_region_that_alone_was_seen_leaves_no_leave_one_out_error_and_no_warning() -> None:
    panel = made_up()
    alone = panel[(panel["year"] < 2021) | (panel["region"] == "R0")]
    fit = rows(local_projection(council_design(alone, cluster="region"), inference="CR3"))
    assert np.isnan(fit.loc["e=5", "std_error"])
    assert "there is no estimate without Council 0" in fit.loc["e=5", "reason"]
    assert np.isfinite(fit.loc["e=0", "std_error"])


def test_covariates_that_cannot_be_told_apart_are_named_with_the_event_time() -> None:
    panel = panels.balanced().assign(price=lambda d: 1.0 * d["time"])
    with pytest.raises(DesignError, match=r"\n  - price: event time -\d\n"):
        local_projection(made(panel, covariates=["price"]))


def test_unusable_options_are_refused() -> None:
    with pytest.raises(DesignError, match="did you mean 'not_yet'"):
        local_projection(mpdta(), control="notyet")  # type: ignore[arg-type]
    with pytest.raises(DesignError, match="weighting is 'equally'"):
        local_projection(mpdta(), weighting="equally")  # type: ignore[arg-type]
    with pytest.raises(DesignError, match="base is 'first'"):
        local_projection(mpdta(), base="first")  # type: ignore[arg-type]
    with pytest.raises(DesignError, match=r"leads is 1\.5"):
        local_projection(mpdta(), leads=1.5)  # type: ignore[arg-type]
    with pytest.raises(DesignError, match="Leave effects out"):
        local_projection(council_design(made_up(), effects="region"))
    with pytest.raises(DesignError, match="covariance 'HC1'"):
        local_projection(mpdta(), inference="HC1")
    twice = panels.balanced().assign(copy=lambda d: d["x1"])
    with pytest.raises(DesignError, match="x1, copy"):
        local_projection(made(twice, covariates=["x1", "copy"]))
