"""Stacked regressions: frozen values, the stack laid out and regressed by statsmodels, and hard panels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from clsimpact.design import Design
from clsimpact.errors import DesignError
from clsimpact.estimators.did_m import did_m
from clsimpact.estimators.stacked import stacked
from clsimpact.inference.sandwich import Counts, sandwich
from clsimpact.results import REFERENCE, Estimate
from tests.estimation_helpers import council_design, five_units, made_up, mpdta
from tests.oracles import panels

pytestmark = pytest.mark.usefixtures("usual_errors")

SAME = 1e-9
"""Two solutions of one least-squares problem in double precision."""

Floats = NDArray[np.float64]


def made(panel: pd.DataFrame, **options: Any) -> Design:
    return Design(panel, outcome="y", unit="unit", time="time", cohort="cohort", **options)


def rows(fit: Estimate) -> pd.DataFrame:
    return fit.tidy().set_index("term")


def stack(design: Design, leads: int, lags: int, *, never: bool = False) -> pd.DataFrame:
    """Stacked rows with corrective weights, cohort by cohort: complete windows, and both sides there."""
    data = design.data.rename(columns={design.unit: "unit", design.time: "time", design.outcome: "y"})
    data["w"] = 1.0 if design.weights is None else data[design.weights]
    first = dict(zip(design.units, design.unit_cohorts, strict=True))
    wait, last = design.anticipation, design.periods[-1]
    parts = []
    for a in design.cohort_sizes:
        if a - leads < design.periods[0] or a + lags > last:
            continue
        window = [t for t in design.periods if a - leads <= t <= a + lags]
        base = max(t for t in window if t < a - wait)
        inside = data[data["time"].isin(window)]
        full = inside.groupby("unit")["time"].size() == len(window)
        inside = inside[inside["unit"].map(full)].assign(a=a, e=lambda d, a=a: d["time"] - a)
        cohort = inside["unit"].map(first)
        clean = cohort.isna() | (cohort - wait > (last if never else a + lags))
        inside = inside.assign(d=(cohort == a).astype(float))[clean | (cohort == a)]
        at_base = inside[inside["time"] == base].set_index("unit")["w"]
        parts.append(inside.assign(w=inside["unit"].map(at_base), reference=inside["time"] == base))
    out = pd.concat(parts, ignore_index=True)
    out = out[out.groupby("a")["d"].transform("nunique") == 2].reset_index(drop=True)
    mass = out[out["reference"]].groupby(["d", "a"])["w"].sum()
    q = (mass[1.0] / mass[1.0].sum()) / (mass[0.0] / mass[0.0].sum())
    clusters = dict(zip(design.units, design.unit_clusters, strict=True))
    return out.assign(q=np.where(out["d"] == 1, 1.0, out["a"].map(q)), g=out["unit"].map(clusters))


def pooled(frame: pd.DataFrame) -> tuple[Floats, list[int]]:
    reference = int(frame.loc[frame["reference"], "e"].iloc[0])
    events = [int(e) for e in np.unique(frame["e"]) if e != reference]
    dummies = np.array([frame["e"] == e for e in events], dtype=float).T
    d = frame["d"].to_numpy()
    return np.column_stack([d[:, None] * dummies, np.ones(len(frame)), d, dummies]), events


WINDOWED: list[tuple[str, dict[str, Any], int, int, bool]] = [
    ("balanced", {}, 2, 2, False),
    ("balanced", {"cluster": "region"}, 1, 1, True),
    ("missing", {"weights": "wt"}, 2, 1, False),
    ("late", {"anticipation": 1}, 2, 1, True),
    ("no_never", {}, 1, 1, False),
]


@pytest.mark.parametrize(("panel", "options", "leads", "lags", "never"), WINDOWED)
def test_it_is_the_weighted_regression_on_the_stack(
    panel: str, options: dict[str, Any], leads: int, lags: int, never: bool
) -> None:
    held = made(getattr(panels, panel)(), **options)
    control: Any = "never" if never else "not_yet"
    fit = stacked(held, leads=leads, lags=lags, control=control, inference="regression")
    frame = stack(held, leads, lags, never=never)
    if panel == "no_never":
        assert held.cohort_sizes.keys() - set(frame["a"])
    x, events = pooled(frame)
    weights = (frame["w"] * frame["q"]).to_numpy()
    groups = pd.factorize(frame["g"])[0]
    fitted = sm.WLS(frame["y"], x, weights=weights).fit(cov_type="cluster", cov_kwds={"groups": groups})
    for j, e in enumerate(events):
        got = rows(fit).loc[f"e={e}"]
        assert got["estimate"] == pytest.approx(fitted.params.iloc[j], rel=1e-8)
        assert got["std_error"] == pytest.approx(fitted.bse.iloc[j], rel=1e-8)
    after = np.array([e >= 0 for e in events], dtype=float)
    pick = np.concatenate([after / after.sum(), np.zeros(x.shape[1] - len(events))])
    error = np.sqrt(pick @ np.asarray(fitted.cov_params()) @ pick)
    assert fit.overall["estimate"].iloc[0] == pytest.approx(pick @ fitted.params.to_numpy(), rel=1e-8)
    assert fit.overall["std_error"].iloc[0] == pytest.approx(error, rel=1e-8)
    n, k, g = len(frame), x.shape[1], groups.max() + 1
    assert fit.vcov.factor_text.startswith(f"regression = {g}/{g - 1} · {n - 1}/{n - k} = ")


@pytest.mark.parametrize(("panel", "options", "leads", "lags", "never"), WINDOWED)
def test_errors_are_those_of_the_regression_on_means_by_stack_group_and_event_time(
    panel: str, options: dict[str, Any], leads: int, lags: int, never: bool
) -> None:
    """CR0, CR1, CR2 and its degrees of freedom, from the saturated regression on all stacked rows."""
    held = made(getattr(panels, panel)(), **options)
    control: Any = "never" if never else "not_yet"
    fit = stacked(held, leads=leads, lags=lags, control=control, inference="CR1")
    frame = stack(held, leads, lags, never=never)
    table = frame.groupby(["a", "d", "e"]).ngroup().to_numpy()
    keys = frame.groupby(["a", "d", "e"])["reference"].first().reset_index()
    x = np.eye(len(keys))[table]
    size = frame[frame["reference"] & (frame["d"] == 1)].groupby("a")["w"].sum()
    share = keys["a"].map(size / size.sum()).to_numpy() * np.where(keys["d"] == 1, 1.0, -1.0)
    _, events = pooled(frame)
    turn = np.array([share * ((keys["e"] == e) * 1.0 - keys["reference"]) for e in events]).T
    after = np.array([e >= 0 for e in events], dtype=float)
    turn = np.column_stack([turn, turn @ (after / after.sum())])
    root = np.sqrt(frame["w"].to_numpy())
    q, r = np.linalg.qr(x * root[:, None])
    means = np.linalg.solve(r, q.T @ (frame["y"].to_numpy() * root))
    residual = (frame["y"].to_numpy() - x @ means) * root
    groups = pd.factorize(frame["g"])[0]
    counts = Counts(len(frame), groups.max() + 1, x.shape[1], x.shape[1])
    pull = q @ np.linalg.inv(r).T @ turn
    for kind in ("CR0", "CR1", "CR2"):
        expected = sandwich(pull, residual, q, groups, kind=kind, counts=counts)
        again = fit.with_inference(kind)
        got = pd.concat([rows(again).loc[[f"e={e}" for e in events]], again.overall])
        assert np.isfinite(got[["estimate", "std_error"]].to_numpy(dtype=float)).all()
        assert np.isfinite(expected.df).all()
        np.testing.assert_allclose(got["estimate"], means @ turn, rtol=1e-8)
        np.testing.assert_allclose(got["std_error"], np.sqrt(np.diag(expected.matrix)), rtol=1e-8)
        free = [again.vcov.df[again.tidy()["term"] == f"e={e}"].item() for e in events]
        total = again.total
        assert total is not None
        np.testing.assert_allclose([*free, total.vcov.df[0]], expected.df, rtol=1e-7)
    n, k, g = len(frame), x.shape[1], groups.max() + 1
    assert fit.vcov.factor_text.startswith(f"CR1 = {g}/{g - 1} · {n - 1}/{n - k} = ")


def test_without_weights_it_has_effects_of_unit_and_period_by_stack() -> None:
    held = made(panels.balanced())
    fit = stacked(held, leads=2, lags=1, weighting="none", inference="CR1")
    frame = stack(held, 2, 1)
    x, events = pooled(frame)
    effects = [pd.factorize(frame["a"] * 10_000 + frame[by])[0] for by in ("unit", "time")]
    dummies = [np.eye(codes.max() + 1)[codes] for codes in effects]
    q = np.linalg.qr(dummies[0])[0]
    full = np.column_stack([dummies[1], x[:, : len(events)]])
    net, y = (v - q @ (q.T @ v) for v in (full, frame["y"].to_numpy()))
    coefficients, _, rank, _ = np.linalg.lstsq(net, y, rcond=1e-10)
    residual = y - net @ coefficients
    pull = np.linalg.pinv(net, rcond=1e-10)[-len(events) :].T
    scores = pd.DataFrame(pull * residual[:, None]).groupby(frame["g"].to_numpy()).sum().to_numpy()
    n, g, k = len(frame), len(scores), rank + 1
    factor = g / (g - 1) * (n - 1) / (n - k)
    for j, e in enumerate(events):
        got = rows(fit).loc[f"e={e}"]
        assert got["estimate"] == pytest.approx(coefficients[j - len(events)], rel=1e-8)
        assert got["std_error"] == pytest.approx(np.sqrt(factor * (scores[:, j] ** 2).sum()), rel=1e-8)
    assert fit.vcov.factor_text.startswith(f"CR1 = {g}/{g - 1} · {n - 1}/{n - k}")


def test_the_frozen_values(frozen: Path) -> None:
    """Values of pyfixest on the stack and of diff-diff, on panels without missing rows."""
    table = pd.read_csv(frozen / "stacked.csv", keep_default_na=False)
    table = table[table["panel"] != "missing"]
    fits: dict[tuple[str, str], Estimate] = {}
    checked = 0
    for row in table.itertuples():
        option = dict(part.split("=") for part in row.options.split(";"))
        if row.panel == "late" and option["control"] == "never":
            continue  # the other programs leave out who adopts after the panel; here they are never treated
        key = (row.panel, row.options)
        if key not in fits:
            held = made(getattr(panels, row.panel)())
            window = {"leads": int(option["kappa_pre"]), "lags": int(option["kappa_post"])}
            control: Any = option["control"]
            fits[key] = stacked(held, **window, control=control).with_inference("regression")
        fit = fits[key]
        got = fit.overall.iloc[0] if row.term == "att" else rows(fit).loc[row.term.replace("event:", "e=")]
        assert got["estimate"] == pytest.approx(float(row.estimate), rel=SAME, abs=1e-12), row
        assert got["std_error"] == pytest.approx(float(row.std_error), rel=SAME), row
        checked += 1
    assert checked > 50


def test_arithmetic_by_hand() -> None:
    panel = five_units()
    fit = stacked(made(panel))
    # In 2: A +3 against B, C, D, E 0, 1, 0, 2. In 3: B, C +5, +2 against D, E +1, 0.
    assert rows(fit).loc["e=0", "estimate"] == pytest.approx((1 * (3 - 0.75) + 2 * (3.5 - 0.5)) / 3)
    assert rows(fit).loc["e=-1", "reason"] == REFERENCE
    bare = stacked(made(panel), weighting="none")
    assert rows(bare).loc["e=0", "estimate"] == pytest.approx((0.8 * 2.25 + 1 * 3.0) / 1.8)
    # Deviations, 2: B, C, D, E -0.75, 0.25, -0.75, 1.25 over 4; 3: B, C 1.5, -1.5 over 2, D, E 0.5, -0.5.
    # Weights 1/3 and 2/3; A is its own mean. N: 2 x (1 + 4) + 2 x (2 + 2); K: 2 stacks x 2 groups x 2 times.
    psi = [0.75 / 12 + 1.5 / 3, -0.25 / 12 - 1.5 / 3, 0.75 / 12 - 0.5 / 3, -1.25 / 12 + 0.5 / 3]
    bare_bones = np.sqrt(np.square(psi).sum())
    assert rows(fit.with_inference("CR0")).loc["e=0", "std_error"] == pytest.approx(bare_bones)
    spread = rows(fit.with_inference("CR1")).loc["e=0", "std_error"]
    assert spread == pytest.approx(bare_bones * np.sqrt(5 / 4 * 17 / 10))
    assert fit.vcov.kind == "CR3"
    assert fit.notes[-1].startswith("One cluster of adopters in the stack of 2: its own variation")
    never = stacked(made(panel), control="never")
    assert rows(never).loc["e=0", "estimate"] == pytest.approx((1 * (3 - 1) + 2 * 3.0) / 3)


def test_one_lag_is_did_m() -> None:
    held = made(panels.balanced())
    one = rows(stacked(held, leads=1, lags=0)).loc["e=0", "estimate"]
    assert one == pytest.approx(rows(did_m(held)).loc["e=0", "estimate"], rel=SAME)


@pytest.mark.parametrize("weighting", ["corrective", "none"])
@pytest.mark.parametrize("option", [{}, {"cluster": "region"}])
def test_leaving_out_clusters_is_refitting(weighting: Any, option: dict[str, str]) -> None:
    held = made(panels.missing(), **option)
    fit = stacked(held, leads=2, lags=1, weighting=weighting).with_inference("CR3")
    again = []
    for g in range(held.n_clusters):
        part = held.restrict(held.cluster_codes != g, reason="left out")
        found = stacked(part, leads=2, lags=1, weighting=weighting)
        again.append([*rows(found)["estimate"], found.overall["estimate"].iloc[0]])
    moved = np.array(again) - [*rows(fit)["estimate"], fit.overall["estimate"].iloc[0]]
    error = np.sqrt((moved**2).sum(axis=0))
    known = rows(fit)["identified"].to_numpy(dtype=bool)
    assert np.allclose(rows(fit)["std_error"][known], error[:-1][known], rtol=SAME)
    assert fit.overall["std_error"].iloc[0] == pytest.approx(error[-1], rel=SAME)


def test_the_default_window_keeps_every_cohort() -> None:
    fit = stacked(mpdta())
    assert fit.tidy()["term"].tolist() == ["e=-1", "e=0"]
    assert rows(fit).loc["e=0", "n_units"] == 191
    longer = stacked(mpdta(), leads=1, lags=3)
    assert rows(longer).loc["e=3", "n_units"] == 20
    assert "cohort 2006 (40 units)" in longer.notes[1]
    assert "cohort 2007 (131 units)" in longer.sample()["left_out"].iloc[1]


def test_aggregate_narrows_the_path() -> None:
    fit = stacked(made(panels.balanced()), leads=2, lags=2)
    part = fit.aggregate("dynamic", leads=2, lags=1)
    assert part.tidy()["term"].tolist() == ["e=-2", "e=-1", "e=0", "e=1"]
    assert rows(part).loc["e=1", "std_error"] == pytest.approx(rows(fit).loc["e=1", "std_error"])
    with pytest.raises(DesignError, match="'calendar'"):
        fit.aggregate("calendar")


def test_units_without_a_complete_window_are_named() -> None:
    panel = panels.balanced()
    gone = (panel["unit"].isin([2, 100])) & (panel["time"] == 2017)
    fit = stacked(made(panel[~gone]), leads=2, lags=1)
    left = fit.sample().set_index("term").loc["e=0", "left_out"]
    assert left.startswith("2 (not observed")
    assert rows(fit).loc["e=0", "n_units"] == 24


def test_gaps_say_which_cohorts_stand_behind_each_event_time() -> None:
    fit = stacked(council_design(made_up()), leads=2, lags=1)
    assert fit.notes[-1] == (
        "Event times rest on different cohorts (gaps in the periods): e=-2: 2018; e=0: 2016, 2017; e=1: 2016"
    )
    panel = made_up().set_index(["ons_code", "year"])["cost"].unstack()  # noqa: PD010
    cohort = made_up().groupby("ons_code")["adoption_year"].first()
    change = panel[2017] - panel[2014]
    clean = cohort.isna() | (cohort > 2017)
    assert rows(fit).loc["e=1", "estimate"] == pytest.approx(
        change[cohort == 2016].mean() - change[clean].mean()
    )


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), scale=st.floats(0.1, 50), bare=st.booleans())
def test_constants_shift_nothing_and_scale_scales(seed: int, scale: float, bare: bool) -> None:
    panel = made_up(seed=seed % 50, share=0.95)
    rng = np.random.default_rng(seed)
    units, years = panel["ons_code"].unique(), panel["year"].unique()
    own = panel["ons_code"].map(dict(zip(units, rng.normal(0, 20, len(units)), strict=True)))
    common = panel["year"].map(dict(zip(years, rng.normal(0, 20, len(years)), strict=True)))
    moved = panel.assign(cost=scale * panel["cost"] + own + common)
    weighting: Any = "none" if bare else "corrective"
    one = rows(stacked(council_design(panel), leads=2, lags=1, weighting=weighting))
    two = rows(
        stacked(council_design(moved.sample(frac=1, random_state=seed)), leads=2, lags=1, weighting=weighting)
    )
    for column in ("estimate", "std_error"):
        assert np.isfinite(one[column]).sum() >= 2
        assert np.allclose(scale * one[column], two[column], rtol=1e-6, atol=1e-9, equal_nan=True)


def test_a_common_shock_moves_only_the_errors_of_the_pooled_regression() -> None:
    panel = panels.balanced()
    moved = panel.assign(y=panel["y"] + 10.0 * (panel["time"] == 2018))
    one, two = (stacked(made(p), leads=2, lags=1) for p in (panel, moved))
    for kind in ("CR0", "CR1", "CR2", "CR3", "jackknife"):
        errors = [fit.with_inference(kind).overall["std_error"].iloc[0] for fit in (one, two)]
        assert errors[0] == pytest.approx(errors[1], rel=1e-8), kind
    errors = [fit.with_inference("regression").overall["std_error"].iloc[0] for fit in (one, two)]
    assert errors[1] > 3 * errors[0]


def test_the_errors_of_the_authors_are_a_kind_of_the_corrective_regression_only() -> None:
    fit = stacked(mpdta(), leads=1, lags=1)
    assert fit.with_inference("regression").vcov.kind == "regression"
    narrow = fit.with_inference("regression").aggregate("dynamic", leads=1, lags=0)
    assert rows(narrow).loc["e=0", "std_error"] == pytest.approx(0.0154763, abs=1e-7)
    with pytest.raises(DesignError, match="'regression' is not on offer"):
        stacked(mpdta(), leads=1, lags=1, weighting="none", inference="regression")


def test_a_stack_with_one_adopter_is_named() -> None:
    told = "One cluster of adopters in the stack of 2018"
    assert stacked(made(panels.balanced()), leads=2, lags=1).notes[-1].startswith(told)
    assert not any("One cluster" in note for note in stacked(mpdta(), leads=1, lags=1).notes)
    none = stacked(made(panels.balanced()), leads=2, lags=1, weighting="none")
    assert not any("One cluster" in note for note in none.notes)
    panel = panels.balanced()
    first = panel[panel["cohort"].isin([2016, 2017])].groupby("cohort")["unit"].first()
    alone = stacked(made(panel[panel["cohort"].isna() | panel["unit"].isin(first)]), leads=1, lags=1)
    words = "one treated unit or cluster in each cohort: CR0 to CR2 lack their variation"
    assert rows(alone).loc[["e=0", "e=1"], "reason"].tolist() == [words, words]
    assert alone.overall["reason"].iloc[0] == words
    assert alone.aggregate("dynamic", lags=0).overall["reason"].iloc[0] == words


def test_groups_of_one_leave_no_error() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame([(u, t, g) for u, g in enumerate([3, 4, np.nan]) for t in range(1, 6)])
    panel = frame.set_axis(["unit", "time", "cohort"], axis=1).assign(y=rng.normal(size=15))
    for kind in ("CR0", "CR1", "CR2"):
        fit = stacked(made(panel), leads=1, lags=1, inference=kind)
        for row in (rows(fit).loc["e=0"], fit.overall.iloc[0]):
            assert np.isfinite(row["estimate"])
            assert np.isnan(row["std_error"])
            assert "no variation is left to take an error from" in row["reason"]
    pooled_errors = stacked(made(panel), leads=1, lags=1, inference="regression").overall.iloc[0]
    assert pooled_errors["std_error"] > 0
    assert pooled_errors["reason"].endswith("CR0 to CR2 lack their variation")


def test_unusable_options_are_refused() -> None:
    with pytest.raises(DesignError, match="No cohort fits the window") as caught:
        stacked(mpdta(), leads=4, lags=3)
    assert "cohort 2004 (20 units)" in str(caught.value)
    with pytest.raises(DesignError, match="leads is 1, and the reference is event time -2"):
        stacked(made(panels.balanced(), anticipation=1), leads=1)
    with pytest.raises(DesignError, match="weighting is 'aggregate'"):
        stacked(mpdta(), weighting="aggregate")  # type: ignore[arg-type]
    with pytest.raises(DesignError, match="control is 'nevr'"):
        stacked(mpdta(), control="nevr")  # type: ignore[arg-type]
    with pytest.raises(DesignError, match="lags is -1"):
        stacked(mpdta(), lags=-1)
    with pytest.raises(DesignError, match="Leave effects out"):
        stacked(council_design(made_up(), effects="region"))


def test_a_window_without_clean_controls_is_said() -> None:
    panel = panels.no_never()
    panel = panel[panel["cohort"] >= 2019]
    with pytest.raises(DesignError, match="both adopters and clean controls"):
        stacked(made(panel), leads=1, lags=0, control="never")
    fit = stacked(made(panel), leads=1, lags=0)
    assert "g=2021,t=2021" in rows(fit).loc["e=0", "reason"]
    assert "nobody still untreated in 2021" in rows(fit).loc["e=0", "reason"]


@pytest.mark.parametrize("weighting", ["corrective", "none"])
def test_covariates_by_regressions_of_changes(weighting: str) -> None:
    panel = panels.balanced()
    fit = stacked(made(panel, covariates=["x1"]), leads=2, lags=1, weighting=weighting)  # type: ignore[arg-type]
    wide = panel.pivot_table(index="unit", columns="time", values="y")
    unit = panel.groupby("unit")[["cohort", "x1"]].first()
    for e in (-2, 0, 1):
        parts = []
        for g in (g for g in sorted(unit["cohort"].dropna().unique()) if 2016 <= g <= 2020):
            stack = unit[unit["cohort"].isna() | (unit["cohort"] > g + 1) | (unit["cohort"] == g)]
            change = (wide[g + e] - wide[g - 1]).loc[stack.index]
            parts.append(
                pd.DataFrame({"stack": g, "on": stack["cohort"] == g, "x": stack["x1"], "d": change})
            )
        table = pd.concat(parts)
        if weighting == "none":
            hand = smf.ols("d ~ C(stack) + on + x", table.astype({"on": float})).fit().params["on"]
        else:
            slope = smf.ols("d ~ C(stack) + x", table[~table["on"]]).fit().params["x"]
            net = table.assign(d=table["d"] - slope * table["x"])
            mean = net.pivot_table(index="stack", columns="on", values="d")
            share = table[table["on"]].groupby("stack").size()
            hand = ((mean[True] - mean[False]) * share).sum() / share.sum()
        assert rows(fit).loc[f"e={e}", "estimate"] == pytest.approx(hand, abs=1e-9)


@pytest.mark.parametrize("weighting", ["corrective", "none"])
def test_a_covariate_is_a_parameter_of_each_event_time(weighting: Any) -> None:
    plain, more = (
        stacked(
            made(panels.balanced(), covariates=names), leads=2, lags=1, weighting=weighting, inference="CR1"
        )
        for names in ([], ["x1", "x2"])
    )
    assert more.vcov.counts.k_all - plain.vcov.counts.k_all == 2 * 3


def test_the_comparison_is_said() -> None:
    held = made(panels.balanced())
    for control, words in (
        ("never", "never treated in the panel"),
        ("not_yet", "untreated through the wind"),
    ):
        note = stacked(held, leads=2, lags=1, control=control).notes[0]  # type: ignore[arg-type]
        assert note.startswith(f"Comparison: units {words}")


def test_errors_with_covariates_are_derivatives() -> None:
    """With one cohort the score of a unit is what its weight does to the estimate."""
    panel = panels.balanced()
    panel = panel[panel["cohort"].isna() | (panel["cohort"] == 2017)]
    panel = panel[panel["unit"].isin(panel["unit"].unique()[::4]) | panel["cohort"].notna()]
    options = {"leads": 2, "lags": 1}

    def value(weight: pd.Series[float]) -> float:
        held = made(panel.assign(w=panel["unit"].map(weight)), covariates=["x1"], weights="w")
        return float(rows(stacked(held, **options)).loc["e=1", "estimate"])  # type: ignore[arg-type]

    one = pd.Series(1.0, index=panel["unit"].unique())
    step = 1e-4
    psi = [
        (value(one + step * (one.index == u)) - value(one - step * (one.index == u))) / (2 * step)
        for u in one.index
    ]
    fit = stacked(made(panel, covariates=["x1"]), inference="CR0", **options)  # type: ignore[arg-type]
    assert rows(fit).loc["e=1", "std_error"] == pytest.approx(np.sqrt(np.square(psi).sum()), rel=1e-6)
    assert fit.uncertainty is not None
    assert fit.uncertainty.kinds == ("CR0", "CR1")


def test_a_cohort_of_one_unit_that_does_not_fit_is_named_in_the_singular() -> None:
    panel = made_up(n_units=40, years=(2012, 2014, 2015, 2016, 2017, 2018, 2019, 2020))
    of_2018 = panel["adoption_year"].eq(2018)
    panel = panel[~of_2018 | panel["ons_code"].eq(panel.loc[of_2018, "ons_code"].min())]
    with pytest.raises(DesignError) as told:
        stacked(council_design(panel), leads=2, lags=9)
    said = "\n".join(told.value.problems)
    assert "cohort 2018 (1 unit): its window" in said
    assert "cohort 2017 (5 units): its window" in said
