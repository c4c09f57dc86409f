"""What must hold between estimators, and what must not change an estimate, on drawn panels."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import clsimpact as ci
from clsimpact.design import Design
from clsimpact.results import Estimate

pytestmark = pytest.mark.usefixtures("usual_errors")

ROUNDING = 1e-9
"""Two exact formulas on outcomes of size one to a hundred: rounding grows with the number of sums, to about
1e-12; a different formula differs by far more."""

FEW = settings(max_examples=12, deadline=None)

PATHS: dict[str, Callable[..., Estimate]] = {
    "twfe": ci.twfe,
    "event_study": ci.event_study,
    "group_time": ci.group_time,
    "sun_abraham": ci.sun_abraham,
    "imputation": ci.imputation,
    "two_stage": ci.two_stage,
    "extended_twfe": ci.extended_twfe,
    "stacked": ci.stacked,
    "did_m": ci.did_m,
    "synthetic_did": ci.synthetic_did,
    "local_projection": ci.local_projection,
}

LOOSE = {"synthetic_did": 1e-6}
"""Its weights solve a quadratic programme: another scale ends in another last digit of the weights."""

PERIODS_MATTER = ("synthetic_did",)
"""The penalty of its unit weights is the spread of first differences over units and periods, as published:
period constants enter that."""


def drawn(seed: int, *, units: int = 24, periods: int = 6, cohorts: int = 2) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    dates = [np.nan, np.nan, *(3 + k for k in range(cohorts))]
    first = np.array([dates[i % len(dates)] for i in range(units)])
    year = 1 + np.arange(periods)
    y = rng.normal(size=(units, 1)) + np.cumsum(rng.normal(size=periods)) + rng.normal(size=(units, periods))
    y += np.where(year >= first[:, None], 1 + rng.normal(size=(units, 1)), 0)
    return pd.DataFrame(
        {
            "unit": np.repeat(np.arange(units), periods),
            "time": np.tile(year, units),
            "cohort": np.repeat(first, periods),
            "y": y.ravel(),
        }
    )


def design(panel: pd.DataFrame, **options: object) -> Design:
    return Design(panel, outcome="y", unit="unit", time="time", cohort="cohort", **options)  # type: ignore[arg-type]


def numbers(fit: Estimate, scale: float = 1.0) -> np.ndarray:
    frame = pd.concat([fit.tidy(), fit.overall])
    return frame[["estimate", "std_error"]].to_numpy(dtype=float) / scale


def close(one: np.ndarray, two: np.ndarray, tolerance: float = ROUNDING) -> None:
    np.testing.assert_allclose(one, two, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("kind", ["simple", "group", "calendar", "dynamic"])
@FEW
@given(seed=st.integers(0, 10_000))
def test_imputation_equals_two_stage_and_the_saturated_regression(kind: str, seed: int) -> None:
    held = design(drawn(seed))
    found = [fit(held).aggregate(kind).tidy() for fit in (ci.imputation, ci.extended_twfe)]
    after = [f[f["event_time"].isna() | (f["event_time"] >= 0)].set_index("term")["estimate"] for f in found]
    close(after[0].to_numpy(), after[1].loc[after[0].index].to_numpy())
    stage = ci.two_stage(held)
    close(numbers(stage)[-1:, 0], ci.imputation(held).overall[["estimate"]].to_numpy()[0])


@FEW
@given(seed=st.integers(0, 10_000))
def test_group_time_with_one_cohort_and_two_periods_is_the_two_by_two(seed: int) -> None:
    panel = drawn(seed, periods=2, cohorts=1)
    panel["cohort"] = panel["cohort"].replace(3, 2)
    mean = panel.assign(on=panel["cohort"].notna()).groupby(["on", "time"])["y"].mean()
    by_hand = (mean[True, 2] - mean[True, 1]) - (mean[False, 2] - mean[False, 1])
    for method in ("dr", "reg", "ipw"):
        fit = ci.group_time(design(panel), method=method)  # type: ignore[arg-type]
        close(fit.tidy()["estimate"].to_numpy(), np.array([by_hand]))
    change = panel.pivot_table(index="unit", columns="time", values="y")
    change = (change[2] - change[1]).to_numpy()
    on = panel.groupby("unit")["cohort"].first().notna().to_numpy()
    variance = change[on].var() / on.sum() + change[~on].var() / (~on).sum()
    close(ci.group_time(design(panel)).tidy()["std_error"].to_numpy() ** 2, np.array([variance]))


@FEW
@given(seed=st.integers(0, 10_000))
def test_sun_abraham_equals_group_time_with_never_treated_controls(seed: int) -> None:
    held = design(drawn(seed))
    one = ci.sun_abraham(held).tidy().set_index("term")["estimate"]
    two = (
        ci.group_time(held, base_period="universal").aggregate("dynamic").tidy().set_index("term")["estimate"]
    )
    close(one.to_numpy(), two.loc[one.index].to_numpy())


@FEW
@given(seed=st.integers(0, 10_000), cohorts=st.integers(1, 4))
def test_bacon_weights_sum_to_one_and_rebuild_the_coefficient(seed: int, cohorts: int) -> None:
    held = design(drawn(seed, units=36, periods=7, cohorts=cohorts))
    parts = ci.bacon(held).tidy()
    assert (parts["weight"] > 0).all()
    close(parts["weight"].sum(), np.float64(1))
    close(parts["weight"] @ parts["estimate"], ci.twfe(held).estimates[0])


@FEW
@given(seed=st.integers(0, 10_000))
def test_the_weights_of_de_chaisemartin_and_d_haultfoeuille_rebuild_the_coefficient(seed: int) -> None:
    """With outcomes that are effects plus unit and period constants, TWFE is the weighted sum of effects."""
    panel = drawn(seed)
    rng = np.random.default_rng(seed)
    effect = {(g, t): rng.normal() for g in (3, 4) for t in range(1, 7)}
    on = panel["time"] >= panel["cohort"]
    true = [
        effect[g, t] if now else 0.0 for g, t, now in zip(panel["cohort"], panel["time"], on, strict=True)
    ]
    held = design(panel.assign(y=rng.normal(size=24)[panel["unit"]] + 0.3 * panel["time"] + true))
    cells = ci.twfe_weights(held).tidy()
    close(cells["weight"].sum(), np.float64(1))
    sums = sum(
        w * effect[int(g), int(t)]
        for g, t, w in zip(cells["cohort"], cells["period"], cells["weight"], strict=True)
    )
    close(np.float64(sums), ci.twfe(held).estimates[0])


@pytest.mark.parametrize("name", list(PATHS))
@FEW
@given(seed=st.integers(0, 10_000))
def test_constants_of_units_and_periods_change_nothing(name: str, seed: int) -> None:
    panel = drawn(seed)
    rng = np.random.default_rng(seed + 1)
    moved = panel["y"] + rng.normal(size=24)[panel["unit"]]
    if name not in PERIODS_MATTER:
        moved += rng.normal(size=7)[panel["time"]]
    fit = PATHS[name]
    close(numbers(fit(design(panel))), numbers(fit(design(panel.assign(y=moved)))), LOOSE.get(name, ROUNDING))


@pytest.mark.parametrize("name", list(PATHS))
@FEW
@given(seed=st.integers(0, 10_000), scale=st.sampled_from([-2.0, 1e-3, 1e4]))
def test_scaling_scales(name: str, seed: int, scale: float) -> None:
    panel = drawn(seed)
    one = numbers(PATHS[name](design(panel)))
    two = numbers(PATHS[name](design(panel.assign(y=scale * panel["y"]))), abs(scale))
    two[:, 0] *= np.sign(scale)
    close(one, two, LOOSE.get(name, ROUNDING))


@pytest.mark.parametrize("name", list(PATHS))
@FEW
@given(seed=st.integers(0, 10_000))
def test_order_and_names_change_nothing(name: str, seed: int) -> None:
    panel = drawn(seed)
    renamed = panel.assign(unit="council " + (99 - panel["unit"]).astype(str)).sample(
        frac=1, random_state=seed
    )
    close(
        numbers(PATHS[name](design(panel))), numbers(PATHS[name](design(renamed))), LOOSE.get(name, ROUNDING)
    )


@pytest.mark.parametrize("name", [n for n in PATHS if n != "synthetic_did"])
@FEW
@given(seed=st.integers(0, 10_000))
def test_every_unit_twice_halves_the_variance(name: str, seed: int) -> None:
    """Sums over clusters double and the effect of each halves: exactly half under CR0, which counts nothing.

    Leads of imputation are left out: they keep the factor of their own regression under every kind.
    """
    panel = drawn(seed)
    again = pd.concat([panel, panel.assign(unit=panel["unit"] + 1000)])
    one, two = (PATHS[name](design(p)).with_inference("CR0") for p in (panel, again))
    kept = one.tidy()["event_time"].fillna(0).to_numpy() >= (0 if name == "imputation" else -99)
    kept = np.append(kept, True)
    first, second = numbers(one)[kept], numbers(two)[kept]
    close(first[:, 0], second[:, 0])
    close(second[:, 1] ** 2, first[:, 1] ** 2 / 2)


AVERAGED = (
    "group_time", "sun_abraham", "imputation", "two_stage", "extended_twfe", "did_m", "synthetic_did",
)  # fmt: skip


@pytest.mark.parametrize("gaps", [False, True])
@pytest.mark.parametrize("sample", ["all", "adopters", "kept"])
@pytest.mark.parametrize("name", PATHS)
def test_the_rows_of_a_term_are_those_that_it_counts(name: str, sample: str, gaps: bool) -> None:
    """Cells that are not identified and rows of units without a base period are not among them.

    With adopters only the last cohort has no comparison; some are kept that are never seen before adoption.
    """
    if (name, sample) in NONE:
        pytest.skip("has no estimate of such a sample")
    panel = drawn(4, units=40, periods=9, cohorts=3)
    panel.loc[panel["unit"] % 10 == 2, "cohort"] = 1.0 if sample == "kept" else 3.0
    if sample == "adopters":
        panel = panel[panel["cohort"].notna()]
    if gaps and name != "synthetic_did":
        panel = panel[np.random.default_rng(1).uniform(size=len(panel)) > 0.15]
    keep = {"always_treated": "keep"} if sample == "kept" else {}
    held = Design(panel, outcome="y", unit="unit", time="time", cohort="cohort", **keep)  # type: ignore[arg-type]
    fit = PATHS[name](held, **(ADOPTERS.get(name, {}) if sample == "adopters" else {}))
    kinds = ("simple", "group", "calendar", "dynamic") if name in AVERAGED else ()
    for made in (fit, *(fit.aggregate(kind) for kind in kinds)):  # type: ignore[arg-type]
        assert made.row_terms is not None
        known = [i for i, term in enumerate(made.terms) if made.identified[i]]
        assert known
        for i in known:
            term, units = made.terms[i], made.design.unit_codes[made.row_terms == i]
            assert units.size == term.n_obs, term.name
            assert gaps or np.unique(units).size == term.n_units, term.name
            assert made.linear_combination({term.name: 2.0})["n_obs"].item() == term.n_obs
        both = made.linear_combination({made.terms[i].name: 1.0 for i in known[-2:]})
        units = made.design.unit_codes[np.isin(made.row_terms, known[-2:])]
        assert both[["n_obs", "n_units"]].iloc[0].tolist() == [units.size, np.unique(units).size]


ADOPTERS: dict[str, dict[str, object]] = {"group_time": {"control": "not_yet"}, "stacked": {"lags": 0}}
"""Options with which those not yet treated are a comparison."""

NONE = (("synthetic_did", "adopters"), ("synthetic_did", "kept"), ("event_study", "adopters"))
