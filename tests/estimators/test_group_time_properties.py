"""Group-time effects: identities, refits, and a second implementation in loops."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st

from clsimpact.design import Design
from clsimpact.errors import DesignError
from clsimpact.estimators import _group_time_nuisance
from clsimpact.estimators._group_time_nuisance import (
    _likelihood,
    _uphill,
    effect_of,
    logit_of,
    standardised,
)
from clsimpact.estimators.group_time import group_time
from clsimpact.results import Estimate

pytestmark = pytest.mark.usefixtures("usual_errors")

SAME = 1e-9
"""Relative to effects of size one: the same sums in another order."""

KINDS = ("simple", "group", "calendar", "dynamic")


def panel_of(
    seed: int,
    *,
    units: int = 24,
    share: float = 1.0,
    periods: tuple[int, ...] = (2010, 2011, 2012, 2014, 2015),
) -> pd.DataFrame:
    """Three cohorts of different size and never-treated units; rows missing at random."""
    rng = np.random.default_rng(seed)
    cohort = np.full(units, np.nan)
    cohort[:9] = [2011, 2012, 2012, 2012, 2014, 2014, 2014, 2014, 2014]
    frame = pd.DataFrame(
        {
            "unit": np.repeat(np.arange(units), len(periods)),
            "name": np.repeat([f"Council {i}" for i in range(units)], len(periods)),
            "year": np.tile(periods, units),
            "cohort": np.repeat(cohort, len(periods)),
            "size": np.repeat(rng.uniform(0.5, 2, units), len(periods)),
            "block": np.repeat(np.arange(units) // 2, len(periods)),
            "x": rng.normal(size=units * len(periods)),
        }
    )
    since = (frame["year"] - frame["cohort"]).fillna(-1)
    frame["y"] = rng.normal(size=len(frame)).cumsum() + np.where(since >= 0, 1 + 0.3 * since, 0)
    return frame[rng.uniform(size=len(frame)) < share].reset_index(drop=True)


def design(panel: pd.DataFrame, **options: object) -> Design:
    options = {"always_treated": "keep"} | options
    return Design(panel, outcome="y", unit="unit", time="year", cohort="cohort", **options)  # type: ignore[arg-type]


def numbers(fit: Estimate) -> np.ndarray:
    """Every estimate and error of a fit and its averages."""
    parts = [fit.tidy()]
    for kind in KINDS:
        made = fit.aggregate(kind)
        parts += [made.tidy(), made.overall]
    return pd.concat(parts)[["estimate", "std_error"]].to_numpy(dtype=float)


def by_loops(
    panel: pd.DataFrame, *, control: str, base_period: str, anticipation: int = 0
) -> dict[str, float]:
    """Effects by cohort and period as a reader would compute them."""
    wide = panel.set_index(["unit", "year"])["y"].unstack()  # noqa: PD010
    first = panel.drop_duplicates("unit").set_index("unit")["cohort"]
    years, last = sorted(panel["year"].unique()), panel["year"].max()
    late = first.isna() | (first - anticipation > last)
    out = {}
    for g in sorted(first[~late].unique()):
        mine = wide[first == g]
        seen = [t for t in years if mine[t].notna().any()]
        before = [t for t in seen if t + anticipation < g]
        for t in seen:
            earlier = [s for s in seen if s < t]
            if not before or (t < g and base_period == "varying" and not earlier):
                continue
            b = before[-1] if t >= g or base_period == "universal" else earlier[-1]
            others = (
                late | ((first > max(t, b) + anticipation) & (first != g)) if control == "not_yet" else late
            )
            treated = (mine[t] - mine[b]).dropna()
            untreated = (wide[others][t] - wide[others][b]).dropna()
            if b != t and len(treated) and len(untreated):
                out[f"g={int(g)},t={t}"] = treated.mean() - untreated.mean()
    return out


@pytest.mark.parametrize("control", ["never", "not_yet"])
@pytest.mark.parametrize("base_period", ["varying", "universal"])
@pytest.mark.parametrize("anticipation", [0, 1])
@settings(max_examples=6, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000), share=st.sampled_from([1.0, 0.8, 0.55]))
def test_effects_are_those_of_loops(
    control: str, base_period: str, anticipation: int, seed: int, share: float
) -> None:
    panel = panel_of(seed, share=share)
    fit = group_time(
        design(panel, anticipation=anticipation), control=control, base_period=base_period  # type: ignore[arg-type]
    )  # fmt: skip
    frame = fit.tidy()
    ours = frame[frame["identified"]].set_index("term")["estimate"].to_dict()
    expected = by_loops(panel, control=control, base_period=base_period, anticipation=anticipation)
    assert ours.keys() == expected.keys()
    assert [ours[k] for k in expected] == pytest.approx(list(expected.values()), abs=SAME)
    assert frame.loc[~frame["identified"], "reason"].str.len().gt(10).all()


@settings(max_examples=12, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 10_000),
    share=st.sampled_from([1.0, 0.8]),
    weights=st.sampled_from([None, "size"]),
    cluster=st.sampled_from([None, "block"]),
    control=st.sampled_from(["never", "not_yet"]),
)
def test_the_jackknife_is_a_refit_without_each_cluster(
    seed: int, share: float, weights: str | None, cluster: str | None, control: str
) -> None:
    panel = panel_of(seed, share=share)
    options = {"weights": weights, "cluster": cluster}
    fit = group_time(design(panel, **options), control=control)  # type: ignore[arg-type]
    assert_refits(fit, panel, control=control, options=options)


@pytest.mark.parametrize("method", ["reg", "dr"])
def test_with_covariates_too(method: str) -> None:
    panel = panel_of(5, units=40, share=0.95)
    panel = panel[~panel["cohort"].eq(2011)]
    fit = group_time(design(panel, covariates=["x"]), method=method)  # type: ignore[arg-type]
    assert fit.identified.all()
    assert_refits(fit, panel, control="never", options={"covariates": ["x"]}, method=method)


def assert_refits(
    fit: Estimate, panel: pd.DataFrame, *, control: str, options: dict[str, object], method: str = "dr"
) -> None:
    column = str(options.get("cluster") or "unit")
    clusters = sorted(panel[column].unique())
    for kind in ("cells", "simple", "dynamic"):
        made = fit if kind == "cells" else fit.aggregate(kind)
        left_out = made.uncertainty.left_out  # type: ignore[union-attr]
        for h, name in list(enumerate(clusters))[::3]:
            rest = panel[panel[column] != name]
            again = group_time(design(rest, **options), control=control, method=method)  # type: ignore[arg-type]
            again = again if kind == "cells" else again.aggregate(kind)
            frame = again.tidy().set_index("term")["estimate"]
            for j, term in enumerate(made.terms):
                if made.identified[j] and np.isfinite(left_out[h, j]):
                    assert left_out[h, j] == pytest.approx(frame[term.name], abs=1e-8), (
                        kind,
                        name,
                        term.name,
                    )
                elif made.identified[j]:
                    assert term.name not in frame.index or np.isnan(frame[term.name])


@settings(max_examples=10, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 10_000), control=st.sampled_from(["never", "not_yet"]),
    weights=st.sampled_from([None, "size"]),
)  # fmt: skip
def test_the_short_way_is_the_sum_of_squares_of_the_influences(
    seed: int, control: str, weights: str | None
) -> None:
    fit = group_time(design(panel_of(seed), weights=weights), control=control)  # type: ignore[arg-type]
    for made in (fit, *(fit.aggregate(kind) for kind in KINDS)):
        held = made.uncertainty
        assert held is not None
        p = len(made.terms)
        psi = held.psi[:, :p]  # type: ignore[attr-defined]
        assert held.estimates[:p] == pytest.approx(np.nan_to_num(made.estimates), abs=SAME)  # type: ignore[attr-defined]
        good = made.identified
        matrix = made.vcov.matrix[np.ix_(good, good)]
        assert matrix == pytest.approx((psi.T @ psi)[np.ix_(good, good)], abs=SAME)
        assert np.abs(psi.sum(axis=0)).max() < SAME


@settings(max_examples=6, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000), shift=st.floats(0, 50), scale=st.floats(0.1, 20))
def test_constants_scale_and_order(seed: int, shift: float, scale: float) -> None:
    panel = panel_of(seed, share=0.85)
    fit = group_time(design(panel))
    plain = numbers(fit)
    rng = np.random.default_rng(seed)
    own, when = rng.normal(0, shift, 24), pd.Series(rng.normal(size=6), index=range(2010, 2016))
    moved = panel.assign(y=panel["y"] + own[panel["unit"]] + panel["year"].map(when))
    assert numbers(group_time(design(moved))) == pytest.approx(plain, abs=1e-8, nan_ok=True)
    scaled = group_time(design(panel.assign(y=scale * panel["y"])))
    assert numbers(scaled) == pytest.approx(scale * plain, rel=1e-9, abs=1e-11, nan_ok=True)
    shuffled = panel.sample(frac=1, random_state=seed).assign(
        unit=lambda d: d["unit"].map(lambda i: f"u{(7 * i) % 24:02d}")
    )
    assert numbers(group_time(design(shuffled))) == pytest.approx(plain, abs=SAME, nan_ok=True)
    twice = pd.concat([panel, panel.assign(unit=panel["unit"] + 1000)])
    assert numbers(group_time(design(twice))) == pytest.approx(
        plain * [1, np.sqrt(0.5)], abs=SAME, nan_ok=True
    )


def test_a_whole_weight_is_so_many_units() -> None:
    panel = panel_of(3)
    count = panel["unit"] % 3 + 1
    heavy = group_time(design(panel.assign(size=count.astype(float)), weights="size"))
    many = pd.concat([panel[count > k].assign(unit=panel["unit"] + 100 * k) for k in range(3)])
    one = group_time(design(many))
    assert heavy.estimates == pytest.approx(one.estimates, abs=SAME, nan_ok=True)
    for kind in KINDS:
        assert heavy.aggregate(kind).estimates == pytest.approx(one.aggregate(kind).estimates, abs=SAME)


def test_with_one_cohort_the_control_groups_are_one() -> None:
    panel = panel_of(8)
    panel = panel[panel["cohort"].isna() | panel["cohort"].eq(2012)]
    one, two = (group_time(design(panel), control=c) for c in ("never", "not_yet"))  # type: ignore[arg-type]
    assert np.array_equal(numbers(one), numbers(two), equal_nan=True)


@settings(max_examples=8, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000))
def test_with_a_saturated_covariate_the_methods_are_one(seed: int) -> None:
    """Two groups: regression, weighting and both are the mean over groups of the plain comparison."""
    panel = panel_of(seed, units=40)
    panel = panel[~panel["cohort"].eq(2011)].assign(x=lambda d: (d["unit"] % 2).astype(float))
    fits = [group_time(design(panel, covariates=["x"]), method=m) for m in ("reg", "ipw", "dr")]  # type: ignore[arg-type]
    for fit in fits[1:]:
        assert numbers(fit) == pytest.approx(numbers(fits[0]), abs=1e-8)
    wide = panel.set_index(["unit", "year"])["y"].unstack()  # noqa: PD010
    facts = panel.drop_duplicates("unit").set_index("unit")
    change = wide[2015] - wide[2012]
    by = {}
    for x in (0.0, 1.0):
        here = facts["x"].eq(x)
        treated = change[here & facts["cohort"].eq(2014)]
        by[x] = (len(treated), treated.mean() - change[here & facts["cohort"].isna()].mean())
    mean = sum(n * effect for n, effect in by.values()) / sum(n for n, _ in by.values())
    assert fits[0].tidy().set_index("term").loc["g=2014,t=2015", "estimate"] == pytest.approx(mean, abs=SAME)


@settings(max_examples=3, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 10_000), share=st.sampled_from([1.0, 0.8]), cluster=st.sampled_from([None, "block"]),
    weights=st.sampled_from([None, "size"]),
)  # fmt: skip
def test_satterthwaite_by_the_whole_matrix(
    seed: int, share: float, cluster: str | None, weights: str | None
) -> None:
    """The scores are linear in the outcomes; their matrix, row by row of the panel, gives C outright."""
    panel = panel_of(seed, share=share, units=13)
    held = design(panel, cluster=cluster, weights=weights)
    fit = group_time(held, control="not_yet")
    units = np.flatnonzero(fit.identified)[:4]
    spread = np.ones(held.n_obs) if held.w is None else held.w
    for made in (fit, fit.aggregate("simple"), fit.aggregate("dynamic")):
        found = made.with_inference("CR2")
        columns = [*units[units < len(made.terms)], len(made.terms)] if made is fit else [0]
        matrices = scores_of_unit_outcomes(held, made)
        for j in columns:
            loads = matrices[:, :, j] / np.sqrt(spread)
            covariance = loads @ loads.T
            expected = np.trace(covariance) ** 2 / (covariance**2).sum()
            df = found.total.vcov.df[0] if j == len(made.terms) else found.vcov.df[j]  # type: ignore[union-attr]
            assert df == pytest.approx(expected, rel=1e-7)


def scores_of_unit_outcomes(held: Design, made: Estimate) -> np.ndarray:
    """CR2 scores (clusters, rows, terms) for an outcome of one in each row in turn and zero elsewhere."""
    kind = made.terms[0].name
    out = []
    for row in range(held.n_obs):
        outcome = np.zeros(held.n_obs)
        outcome[row] = 1.0
        panel = held.data.assign(y=outcome)
        plain = {"weights": held.weights, "cluster": None if held.cluster == "unit" else held.cluster}
        fit = group_time(design(panel, **plain), control="not_yet")
        if not kind.startswith("g="):
            fit = fit.aggregate("simple" if kind == "ATT" else "dynamic")
        average = fit.uncertainty
        scores, _ = average.source.corrected(average.weights, average._constants)  # type: ignore[union-attr]
        out.append(scores + average._cluster_mass @ average.shifts)  # type: ignore[union-attr]
    return np.array(out).transpose(1, 0, 2)


def test_the_logit_solves_its_equation() -> None:
    rng = np.random.default_rng(2)
    raw, w = rng.normal(size=(80, 2)) * [1, 1e6] + [0, 1e7], rng.uniform(0.5, 2, 80)
    treated = rng.uniform(size=80) < 1 / (1 + np.exp(1 - raw[:, 0]))
    x = standardised(raw, w)
    fit = logit_of(treated, x, w)
    assert np.abs(x.T @ (w * (treated - fit.p))).max() < 1e-12 * 80
    lone = np.zeros(80, dtype=bool)
    lone[np.argsort(raw[:, 0])[40]] = True
    assert np.abs(x.T @ (w * (lone - logit_of(lone, x, w).p))).max() < 1e-12 * 80


@settings(max_examples=25, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000), tail=st.sampled_from([1, 2, 5]))
def test_the_logit_arrives_where_groups_overlap(seed: int, tail: int) -> None:
    """Heavy tails make a bare Newton step too long; one covariate overlaps if neither side ends the other."""
    rng = np.random.default_rng(seed)
    raw = rng.standard_t(tail, size=(40, 1))
    treated = rng.uniform(size=40) < 0.3
    inner, outer = raw[treated, 0], raw[~treated, 0]
    x, w = standardised(raw, np.ones(40)), np.ones(40)
    fit = logit_of(treated, x, w)
    apart = inner.min() > outer.max() or outer.min() > inner.max()
    assert bool(fit.trouble) == apart
    if not apart:
        assert np.abs(x.T @ (treated - fit.p)).max() < 1e-11
        for scale in (1e-8, 1e8):
            assert logit_of(treated, x, scale * w).p == pytest.approx(fit.p, abs=1e-11)


def test_a_logit_that_does_not_arrive_is_no_overlap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_group_time_nuisance, "STEPS", 1)
    x, treated = np.column_stack([np.ones(40), np.arange(40) - 19.5]), np.arange(40) % 3 == 0
    assert logit_of(treated, x, np.ones(40)).trouble == "no overlap"


def test_a_step_that_rounding_alone_lowers_is_taken_whole() -> None:
    rng = np.random.default_rng(2)
    x, treated = np.column_stack([np.ones(2000), rng.normal(size=2000)]), rng.uniform(size=2000) < 0.3
    d, w = treated.astype(float), np.ones(2000)
    beta = np.array([-0.8, 0.1])
    step = 1e-9 * np.ones(2)
    reached = _likelihood(x @ (beta + step), d, w)
    assert _uphill(beta, step, x, d, w, reached * (1 - 1e-13))[0].tolist() == step.tolist()
    assert np.abs(_uphill(beta, step, x, d, w, reached * (1 - 1e-9))[0]).max() < 1e-15


def test_a_treated_unit_far_out_has_a_propensity_of_one() -> None:
    """Its odds, more than a number can hold, weigh nothing: it is no control."""
    rng = np.random.default_rng(1)
    raw, treated = rng.normal(size=(60, 1)), np.arange(60) < 20
    raw[treated] += 1.0
    raw[0] = 1e4
    change = rng.normal(size=60) + raw[:, 0] * (raw[:, 0] < 10)
    w = np.ones(60)
    x = (raw - raw.mean()) / raw[1:].std()
    x = np.column_stack([w, x])
    fit = logit_of(treated, x, w)
    assert fit.p[0] == 1
    found = effect_of(change, treated, x, w, method="ipw", logit=fit)
    assert np.isfinite(found.value)
    odds = np.exp(x[20:] @ sm.Logit(treated[1:], x[1:]).fit(disp=0).params)
    by_hand = change[:20].mean() - odds @ change[20:] / odds.sum()
    assert found.value == pytest.approx(by_hand, abs=1e-6)


def test_a_control_far_out_with_little_weight_is_the_one_that_is_weighed() -> None:
    """Its odds, e to the power of more than 709, are more than a number can hold; shares of them are not."""
    rng = np.random.default_rng(1)
    raw, treated, w = rng.normal(size=(60, 1)), np.arange(60) < 20, np.ones(60)
    raw[treated] += 1.0
    raw[-1], w[-1] = 1e3, 1e-4
    x, change = np.column_stack([np.ones(60), raw]), rng.normal(size=60)
    found = effect_of(change, treated, x, w, method="ipw", logit=logit_of(treated, x, w))
    assert found.value == pytest.approx(change[treated].mean() - change[-1], abs=1e-9)
    weightless = np.append(w[:-1], 0.0)
    fit = logit_of(treated, x, weightless)
    inner = logit_of(treated[:-1], x[:-1], w[:-1])
    assert effect_of(change, treated, x, weightless, method="ipw", logit=fit).value == pytest.approx(
        effect_of(change[:-1], treated[:-1], x[:-1], w[:-1], method="ipw", logit=inner).value, abs=1e-9
    )


def test_separation_and_collinearity_are_seen() -> None:
    x = np.column_stack([np.ones(10), np.arange(10.0) - 4.5])
    w = np.ones(10)
    assert logit_of(np.arange(10) >= 5, x, w).trouble == "no overlap"
    quasi = np.column_stack([np.ones(10), [0, 0, 0, 0, 0, 1, 1, 1, 1, 1]]).astype(float)
    assert logit_of(np.arange(10) >= 8, quasi, w).trouble == "no overlap"
    twice = np.column_stack([x, 2 * x[:, 1]])
    change = np.arange(10.0)
    found = effect_of(change, np.arange(10) % 3 == 0, twice, w, method="reg", logit=None)
    assert found.trouble == "collinear"
    assert np.isnan(found.value)


def test_the_influence_is_the_derivative() -> None:
    """Moving the weight of a unit a little moves the effect by its influence times the move."""
    rng = np.random.default_rng(4)
    n, step = 60, 1e-6
    raw, w, change = rng.normal(size=(n, 2)), rng.uniform(0.5, 2, n), rng.normal(size=n)
    treated = rng.uniform(size=n) < 1 / (1 + np.exp(-raw[:, 0]))
    x = standardised(raw, w)
    for method in ("reg", "ipw", "dr"):

        def value(weight: np.ndarray, method: str = method) -> float:
            logit = None if method == "reg" else logit_of(treated, x, weight)
            return effect_of(change, treated, x, weight, method=method, logit=logit).value

        logit = None if method == "reg" else logit_of(treated, x, w)
        psi = effect_of(change, treated, x, w, method=method, logit=logit).psi
        for i in range(0, n, 7):
            up, down = w.copy(), w.copy()
            up[i] += step * w[i]
            down[i] -= step * w[i]
            slope = (value(up) - value(down)) / (2 * step)
            assert psi[i] == pytest.approx(slope, abs=1e-7)


def test_unequal_weights_of_rows_are_read_in_the_earlier_period() -> None:
    panel = panel_of(6, periods=(2010, 2011))
    panel = panel[panel["cohort"].isna() | panel["cohort"].eq(2011)]
    rows = panel.assign(size=np.where(panel["year"] == 2010, panel["size"], 99.0))
    one, two = (group_time(design(p, weights="size")) for p in (panel, rows))
    assert one.estimates == pytest.approx(two.estimates, abs=SAME)


def test_no_never_treated_unit_is_an_error_with_a_repair() -> None:
    panel = panel_of(1)
    with pytest.raises(DesignError, match="not_yet"):
        group_time(design(panel[panel["cohort"].notna()]))
