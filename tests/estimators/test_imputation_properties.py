"""Imputation on panels that nobody has looked at: what must not matter does not, and what must agree does."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clsimpact.design import Design
from clsimpact.estimators.extended_twfe import extended_twfe
from clsimpact.estimators.imputation import imputation
from clsimpact.estimators.two_stage import two_stage
from clsimpact.results import Estimate

pytestmark = pytest.mark.usefixtures("usual_errors")

SAME = 1e-9
"""Outcomes are of order one to a thousand; sums over some hundred rows in another order."""

seeds = st.integers(0, 10_000)


def panel(seed: int, *, share: float = 1.0, never: bool = True) -> pd.DataFrame:
    """Twenty units in six periods; at least two adopt in each of two periods, one alone."""
    rng = np.random.default_rng(seed)
    cohort = np.repeat([3.0, 4.0, 6.0, np.nan if never else 6.0], [3, 4, 1, 12])
    y = rng.normal(size=(20, 1)) * 3 + rng.normal(size=6) + rng.normal(size=(20, 6))
    frame = pd.DataFrame(
        {
            "unit": np.repeat(np.arange(20), 6),
            "time": np.tile(np.arange(1, 7), 20),
            "cohort": np.repeat(cohort, 6),
            "y": (y + rng.normal(1, 1, size=(20, 6)) * (np.arange(1, 7) >= cohort[:, None])).ravel(),
            "x": rng.normal(size=120),
            "w": np.repeat(rng.uniform(0.5, 2, size=20), 6),
            "big": np.repeat(np.arange(20) // 2, 6),
        }
    )
    return frame[(rng.uniform(size=120) <= share) | (frame["time"] == 1)].reset_index(drop=True)


def design(frame: pd.DataFrame, **options: object) -> Design:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Design(frame, outcome="y", unit="unit", time="time", cohort="cohort", **options)  # type: ignore[arg-type]


def same(a: Estimate, b: Estimate, *, scale: float = 1.0) -> None:
    for first, second in ((a.tidy(), b.tidy()), (a.overall, b.overall)):
        assert first["term"].tolist() == second["term"].tolist()
        assert first["identified"].tolist() == second["identified"].tolist()
        for column in ("estimate", "std_error"):
            left, right = first[column].to_numpy() * scale, second[column].to_numpy()
            assert left == pytest.approx(right, rel=SAME, abs=SAME * scale, nan_ok=True)


@settings(max_examples=15, deadline=None)
@given(seed=seeds, estimator=st.sampled_from([imputation, two_stage]))
def test_constants_of_units_and_periods(seed: int, estimator: object) -> None:
    frame = panel(seed, share=0.9)
    rng = np.random.default_rng(seed + 1)
    moved = frame["y"] + 50 * rng.normal(size=20)[frame["unit"]] + 20 * rng.normal(size=7)[frame["time"]]
    options = {"covariates": ["x"], "weights": "w"}
    same(estimator(design(frame, **options)), estimator(design(frame.assign(y=moved), **options)))  # type: ignore[operator]


@settings(max_examples=15, deadline=None)
@given(seed=seeds, kind=st.sampled_from(["CR0", "CR1", "CR2", "CR3", "jackknife", "leave_one_out"]))
def test_scaling_shuffling_relabelling(seed: int, kind: str) -> None:
    frame = panel(seed, share=0.9)
    fit = imputation(design(frame), inference=kind)
    same(fit, imputation(design(frame.assign(y=frame["y"] * 8.0)), inference=kind), scale=8.0)
    same(fit, imputation(design(frame.sample(frac=1, random_state=seed)), inference=kind))
    names = np.random.default_rng(seed).permutation(20)
    same(fit, imputation(design(frame.assign(unit=names[frame["unit"]])), inference=kind))
    same(fit, imputation(design(frame.assign(w=3.0), weights="w"), inference=kind))


@settings(max_examples=12, deadline=None)
@given(seed=seeds, share=st.sampled_from([1.0, 0.85]), weighted=st.booleans(), x=st.booleans())
def test_the_two_estimators_agree_after_adoption(seed: int, share: float, weighted: bool, x: bool) -> None:
    options: dict[str, object] = {"weights": "w"} if weighted else {}
    options |= {"covariates": ["x"]} if x else {}
    found = design(panel(seed, share=share), **options)
    one, two = imputation(found), two_stage(found)
    first, second = (fit.tidy().query("event_time >= 0") for fit in (one, two))
    assert first["estimate"].to_numpy() == pytest.approx(second["estimate"].to_numpy(), abs=SAME)
    assert one.overall["estimate"].item() == pytest.approx(two.overall["estimate"].item(), abs=SAME)
    for kind in ("CR2", "CR3"):
        a, b = (fit.with_inference(kind).overall["std_error"].item() for fit in (one, two))
        assert a == pytest.approx(b, rel=1e-7)


@settings(max_examples=10, deadline=None)
@given(seed=seeds, never=st.booleans())
def test_the_saturated_regression_agrees_on_balanced_panels(seed: int, never: bool) -> None:
    frame = panel(seed, never=never)
    if not never:
        frame = frame[frame["time"] < 6]
    found = design(frame)
    ours = imputation(found).aggregate("group").tidy().set_index("term")["estimate"]
    theirs = extended_twfe(found).aggregate("group").tidy().set_index("term")["estimate"]
    assert ours.to_numpy() == pytest.approx(theirs[ours.index].to_numpy(), abs=SAME)


@settings(max_examples=8, deadline=None)
@given(seed=seeds)
def test_copies_of_the_panel(seed: int) -> None:
    """Every unit twice under another name: the same estimates, standard errors smaller by the root of two."""
    frame = panel(seed)
    twice = pd.concat([frame, frame.assign(unit=frame["unit"] + 100)])
    one, two = imputation(design(frame)), imputation(design(twice))
    assert two.overall["estimate"].item() == pytest.approx(one.overall["estimate"].item(), abs=SAME)
    ratio = one.overall["std_error"].item() / two.overall["std_error"].item()
    assert ratio == pytest.approx(np.sqrt(2), rel=1e-9)
    paired = imputation(design(twice.assign(pair=twice["unit"] % 100), cluster="pair"))
    assert paired.overall["std_error"].item() == pytest.approx(one.overall["std_error"].item(), rel=1e-9)


@settings(max_examples=10, deadline=None)
@given(seed=seeds)
def test_effects_that_are_there_are_found(seed: int) -> None:
    """Without noise the effect of every cohort and event time comes back, whatever it is."""
    frame = panel(seed, share=0.9)
    rng = np.random.default_rng(seed)
    event = (frame["time"] - frame["cohort"]).fillna(-1)
    truth = np.where(event >= 0, 2 + event * frame["cohort"].fillna(0), 0.0)
    y = rng.normal(size=20)[frame["unit"]] + rng.normal(size=7)[frame["time"]] + truth
    fit = imputation(design(frame.assign(y=y))).aggregate("group")
    for term in fit.terms:
        mine = (frame["cohort"] == term.cohort) & (event >= 0)
        by_cell = pd.Series(truth[mine]).groupby(frame.loc[mine, "time"].to_numpy()).mean()
        at = [t.name for t in fit.terms].index(term.name)
        assert fit.estimates[at] == pytest.approx(by_cell.mean(), abs=SAME)
