"""HonestDiD: published values, intervals by hand, what must not change them, results, words and refusals."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import clsimpact as ci
from clsimpact.diagnostics._honest_conditional import critical_values, reached
from clsimpact.diagnostics._honest_pieces import steps
from clsimpact.diagnostics.honest_did import HonestDiD, honest_did
from clsimpact.errors import DesignError
from clsimpact.estimators import (
    event_study,
    extended_twfe,
    group_time,
    imputation,
    sun_abraham,
    synthetic_did,
    twfe,
)
from clsimpact.plots.honest_did import honest_did_figure
from tests.diagnostics.honest_helpers import CASES, Floats, arrays, values_of_r, weights_of
from tests.estimation_helpers import council_design, made_up, mpdta
from tests.figure_helpers import assert_legible

STEP = 40 / 999
"""R's grid has 1,000 points over 40 standard errors: its ends are that many standard errors apart.

R returns the outermost points that it does not reject, so its intervals lie inside exact ones by up to a step
on each side.
"""

NOISE = 0.9
"""Steps more on either side: R's least-favourable value is that of 1,000 draws, 2.66 to 3.05 where the exact
one is 2.81, which moves the ends of the hybrid by up to 0.8 steps here.
"""

SMOOTH = 3e-2
"""Standard errors: R's quantiles of |N(t, 1)| are those of a million draws, and its optimum is flat."""

EXACT = 1e-9
"""Root searches that stop at 1e-12 of a standard error, relative."""

PRINTED = {0.5: (0.0241, 0.0673), 1.0: (0.0171, 0.0720), 1.5: (0.00859, 0.0796), 2.0: (-0.00107, 0.0883)}
"""README of R HonestDiD (v0.2.8), Medicaid, first period after expansion."""


def spread(given_arrays: dict[str, Any], weights: Floats) -> float:
    post = given_arrays["sigma"][given_arrays["n_pre"] :, given_arrays["n_pre"] :]
    return float(np.sqrt(weights @ post @ weights))


@pytest.mark.parametrize(("name", "which"), CASES)
@pytest.mark.parametrize(("kind", "hybrid"), [("C-LF", True), ("Conditional", False)])
def test_relative_magnitudes_of_r_within_a_step(
    reference: Path, name: str, which: str, kind: str, hybrid: bool
) -> None:
    """(With R's own grid and draws they agree to 1e-12: test_honest_parts.)"""
    given_arrays, theirs = arrays(reference, name), values_of_r(reference, name, f"relmag_{kind}", which)
    if theirs.empty:
        pytest.skip("R has no such interval in the reference files")
    w = weights_of(which, given_arrays["n_post"])
    step = STEP * spread(given_arrays, w)
    found = honest_did(**given_arrays, grid=theirs["M"].to_numpy(), estimand=which, hybrid=hybrid)
    for row, ours in zip(theirs.itertuples(), found.tidy().itertuples(), strict=True):
        noise = NOISE * step if hybrid else 1e-9
        assert -noise < row.lb - ours.conf_low < step + noise
        if name == "BC" and row.M == 2.0:  # R's grid ends at 0.3795
            assert round(ours.conf_high, 3) == (0.424 if hybrid else 0.423)
        else:
            assert -noise < ours.conf_high - row.ub < step + noise


def test_printed_relative_magnitudes(reference: Path) -> None:
    given_arrays = arrays(reference, "ehec")
    found = honest_did(**given_arrays, grid=list(PRINTED))
    close = (1 + NOISE) * STEP * spread(given_arrays, weights_of("first", 2))
    for row in found.tidy().itertuples():
        assert (row.conf_low, row.conf_high) == pytest.approx(PRINTED[row.grid], abs=close)
    assert found.breakdown == pytest.approx(1.9457, abs=5e-5)


@pytest.mark.parametrize(("name", "which"), CASES[:1] + CASES[2:])
def test_smoothness_of_r(reference: Path, name: str, which: str) -> None:
    given_arrays, theirs = arrays(reference, name), values_of_r(reference, name, "smoothness_FLCI", which)
    w = weights_of(which, given_arrays["n_post"])
    found = honest_did(**given_arrays, method="smoothness", grid=theirs["M"].to_numpy(), estimand=which)
    close = SMOOTH * spread(given_arrays, w)
    assert found.conf_low == pytest.approx(theirs["lb"].to_numpy(), abs=close)
    assert found.conf_high == pytest.approx(theirs["ub"].to_numpy(), abs=close)


def test_one_coefficient_either_side_at_magnitude_zero_is_a_t_test() -> None:
    """At Mbar = 0 the conditional interval is estimate and 1.96 standard errors."""
    found = honest_did(beta=[1.0, 3.0], sigma=np.eye(2), n_pre=1, n_post=1, grid=[0], hybrid=False)
    z = stats.norm.ppf(0.975)
    assert (found.conf_low[0], found.conf_high[0]) == pytest.approx((3 - z, 3 + z), abs=EXACT)
    assert found.original == pytest.approx((3 - z, 3 + z), abs=EXACT)


def test_one_coefficient_either_side_by_hand() -> None:
    """beta = (0, 3), variances 1 and independent; Mbar = 1; upper end of the conditional interval.

    d = 0 and -0 in the two pieces, so both are alike: upper bound (theta - 3 - d)/sqrt(2), lower bound
    (3 - theta - d)/sqrt(2), covariance of the two (-1 + 1)/2 = 0. At theta > 3 the statistic is the upper,
    x = (theta - 3)/sqrt(2), and stays the largest down to -x: 1 - Phi(x) = 0.05 (1 - Phi(-x)).
    """
    from scipy.optimize import brentq

    x = brentq(lambda v: stats.norm.sf(v) - 0.05 * stats.norm.sf(-v), 0, 5, xtol=1e-14)
    found = honest_did(beta=[0.0, 3.0], sigma=np.eye(2), n_pre=1, n_post=1, grid=[1], hybrid=False)
    assert found.conf_high[0] == pytest.approx(3 + math.sqrt(2) * x, abs=EXACT)
    assert found.conf_low[0] == pytest.approx(3 - math.sqrt(2) * x, abs=EXACT)


def test_one_coefficient_either_side_smoothness_by_hand() -> None:
    """The slope -1 before is carried on: 3 - (-1)... the estimate 3 + 1 = 4 has variance 2 and bias M."""
    found = honest_did(beta=[1.0, 3.0], sigma=np.eye(2), n_pre=1, n_post=1, method="smoothness", grid=[0, 5])
    z = stats.norm.ppf(0.975) * math.sqrt(2)
    assert (found.conf_low[0], found.conf_high[0]) == pytest.approx((4 - z, 4 + z), abs=EXACT)
    half = math.sqrt(2) * math.sqrt(stats.ncx2.ppf(0.95, 1, 25 / 2))
    assert found.conf_high[1] == pytest.approx(4 + half, abs=1e-7)


@pytest.mark.parametrize("method", ["relative_magnitudes", "smoothness"])
def test_zero_comes_in_at_the_breakdown_value(reference: Path, method: Any) -> None:
    given_arrays = arrays(reference, "BC")
    at = honest_did(**given_arrays, method=method).breakdown
    near = honest_did(**given_arrays, method=method, grid=[at * (1 - 1e-6), at * (1 + 1e-6)])
    assert near.conf_low[0] > 0 > near.conf_low[1]
    assert near.breakdown == at


def test_no_breakdown_value_where_zero_is_inside_from_the_start() -> None:
    found = honest_did(beta=[0.2, 0.1], sigma=np.eye(2), n_pre=1, n_post=1)
    assert math.isnan(found.breakdown)
    assert "includes zero, and so does that at Mbar = 0" in found.summary()
    assert "zero included" in repr(found)


def test_an_interval_further_out_than_20_standard_errors_closes() -> None:
    """R's grid would stop at 20: here the first step is large and the effect far out."""
    found = honest_did(beta=[8.0, 0.0, 30.0], sigma=np.eye(3), n_pre=2, n_post=1, grid=[4])
    assert found.conf_high[0] > 60
    assert found.conf_low[0] < -1
    again = honest_did(beta=[8.0, 0.0, 30.0], sigma=np.eye(3), n_pre=2, n_post=1, grid=[4], hybrid=False)
    assert np.isfinite(again.tidy().to_numpy()).all()


@settings(deadline=None, max_examples=25)
@given(
    st.integers(0, 10_000),
    st.sampled_from([1e-6, 1e-2, 1e4, 1e8]),
    st.sampled_from(["relative_magnitudes", "smoothness"]),
)
def test_a_change_of_unit_changes_nothing_else(seed: int, factor: float, method: Any) -> None:
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(6, 8))
    beta, sigma = rng.normal(size=6), root @ root.T
    counts, bounds = {"n_pre": 3, "n_post": 3}, np.array([0.0, 0.4, 2.0])
    scale = factor if method == "smoothness" else 1.0
    one = honest_did(beta=beta, sigma=sigma, **counts, method=method, grid=bounds)
    other = honest_did(
        beta=factor * beta, sigma=factor**2 * sigma, **counts, method=method, grid=bounds * scale
    )
    size = np.abs(one.conf_high).max()
    assert other.conf_low / factor == pytest.approx(one.conf_low, rel=1e-7, abs=1e-7 * size)
    assert other.conf_high / factor == pytest.approx(one.conf_high, rel=1e-7, abs=1e-7 * size)
    assert other.breakdown / scale == pytest.approx(one.breakdown, rel=1e-6, abs=1e-9, nan_ok=True)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000), st.sampled_from(["relative_magnitudes", "smoothness"]))
def test_a_change_of_sign_mirrors_the_intervals(seed: int, method: Any) -> None:
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(5, 7))
    beta, sigma = rng.normal(size=5), root @ root.T
    one, other = (
        honest_did(beta=s * beta, sigma=sigma, n_pre=2, n_post=3, method=method, estimand=[0.5, -0.2, 1])
        for s in (1, -1)
    )
    size = np.abs(one.conf_high).max()
    assert other.conf_low[: len(one.grid)] == pytest.approx(-one.conf_high, rel=1e-6, abs=1e-7 * size)


def test_intervals_cover_the_effect_at_the_edge_of_the_bound() -> None:
    """2,000 draws where trends differ after adoption exactly as much as Mbar = 1 allows."""
    rng = np.random.default_rng(3)
    sigma = 0.04 * (np.eye(4) + 0.5)
    delta = np.array([-1.0, -0.5, 0.5, 1.0])  # steps of 0.5 all along
    w, one, held = np.array([0.5, 0.5]), np.ones(1), 0
    cut = critical_values(steps(delta, sigma, 2, w, one), 0.005)
    for draw in rng.multivariate_normal(delta, sigma, size=2000):
        held += reached(steps(draw, sigma, 2, w, one), 0.0, 0.05, cut)[0]
    assert held / 2000 > 0.95 - 3 * math.sqrt(0.05 * 0.95 / 2000)


def test_inputs_stay_as_they_are_and_numbers_are_the_same_twice() -> None:
    beta, sigma, bounds = np.array([0.1, 0.2, 1.0]), np.eye(3) / 9, np.array([2.0, 1.0])
    before = beta.copy(), sigma.copy(), bounds.copy()
    one, two = (honest_did(beta=beta, sigma=sigma, n_pre=2, n_post=1, grid=bounds) for _ in range(2))
    assert all((a == b).all() for a, b in zip(before, (beta, sigma, bounds), strict=True))
    assert one.tidy().equals(two.tidy())
    assert one.summary() == two.summary()
    table = one.tidy()
    table.loc[0, "conf_low"] = 9.0
    assert one.conf_low[0] != 9.0


def test_estimands_by_name_in_order_and_by_event_time() -> None:
    made = {"beta": [0.1, 1.0, 3.0], "sigma": np.eye(3) / 4, "n_pre": 1, "n_post": 2, "grid": [1]}
    first, second = honest_did(**made), honest_did(**made, estimand={1: 1.0})
    assert (first.estimate, second.estimate) == (1.0, 3.0)
    assert first.estimand == {0: 1.0, 1: 0.0}
    assert honest_did(**made, estimand="average").estimate == 2.0
    assert (
        honest_did(**made, estimand=[0.5, 0.5]).tidy().equals(honest_did(**made, estimand="average").tidy())
    )
    assert "event time 1" in second.summary()
    assert "average effect over event times 0 to 1" in honest_did(**made, estimand="average").summary()
    assert "weighted effect: 2 × event time 0" in honest_did(**made, estimand=[2, 0]).summary()


def test_errors_of_few_clusters_that_give_no_full_covariance_are_refused_whatever_rounding_leaves() -> None:
    """The spending study: five adopters, nine coefficients, and one combination of them without error."""
    panel = ci.tag_adoption(ci.load_panel(), ci.load_adoption())
    fit = event_study(council_design(panel, outcome="gce_per_adult"))
    kept = [i for i, term in enumerate(fit.terms) if fit.identified[i] and term.event_time is not None]
    shares = np.linalg.eigvalsh(fit.vcov.matrix[np.ix_(kept, kept)])
    assert len(kept) == 9
    assert abs(shares[0]) < 1e-12 * shares[-1]
    with pytest.raises(DesignError, match="The errors of 5 treated clusters give 9 coefficients"):
        honest_did(fit)
    pooled = honest_did(event_study(fit.design, leads=3, lags=4))
    assert pooled.path.times == (-2, 0, 1, 2, 3)


BAD: list[tuple[dict[str, Any], str]] = [
    ({"sigma": None}, "Arguments are missing: sigma"),
    ({"beta": [0.1, np.nan, 1.0]}, "beta has missing or infinite numbers"),
    ({"beta": "words"}, "beta is not an array of numbers"),
    ({"beta": np.eye(3)}, "beta has shape"),
    ({"n_post": 2}, "beta has 3 coefficients, but n_pre + n_post = 2 + 2"),
    ({"n_pre": 0, "n_post": 3}, "n_pre is 0: a whole number of 1 or more"),
    ({"n_pre": 2.0}, "n_pre is 2.0"),
    ({"sigma": np.eye(2)}, "sigma has shape (2, 2)"),
    ({"sigma": np.ones((3, 3))}, "not positive definite"),
    ({"sigma": -np.eye(3)}, "not positive definite"),
    ({"sigma": np.ones((3, 3)) + 1e-13 * np.eye(3)}, "not positive definite"),
    ({"sigma": np.eye(3) + np.eye(3, k=1)}, "not symmetric"),
    ({"sigma": np.diag([1, np.inf, 1])}, "sigma has missing or infinite numbers"),
    ({"grid": [-1]}, "finite bounds of 0 or more"),
    ({"grid": []}, "finite bounds of 0 or more"),
    ({"grid": [np.nan]}, "finite bounds of 0 or more"),
    ({"grid": "all"}, "numbers are needed"),
    ({"method": "smooth"}, "did you mean 'smoothness'"),
    ({"estimand": "averag"}, "did you mean 'average'"),
    ({"estimand": [1, 2]}, "2 weights for 1 event time"),
    ({"estimand": {4: 1}}, "event times 4, which are not in the path"),
    ({"estimand": [0]}, "not all zero"),
    ({"level": 1.2}, "level is 1.2"),
    ({"df": -1}, "df is -1"),
]


@pytest.mark.parametrize(("change", "words"), BAD)
def test_bad_arrays_are_refused_in_words(change: dict[str, Any], words: str) -> None:
    good: dict[str, Any] = {"beta": [0.1, 0.0, 1.0], "sigma": np.eye(3), "n_pre": 2, "n_post": 1}
    honest_did(**good)
    with pytest.raises(DesignError) as error:
        honest_did(**(good | change))
    assert words in str(error.value)


def test_a_result_and_arrays_are_not_taken_together() -> None:
    with pytest.raises(DesignError, match="and not both"):
        honest_did(event_study(mpdta()), n_pre=2)
    with pytest.raises(DesignError, match="A result or arrays"):
        honest_did()


def test_a_result_gives_its_path_and_covariance(reference: Path) -> None:
    """With CR1 and the normal, mpdta's event study is the path of the reference files."""
    given_arrays = arrays(reference, "TWFE")
    fit = event_study(mpdta(), inference="CR1")
    ours = honest_did(fit, df=math.inf, grid=[0.5, 1])
    theirs = honest_did(**given_arrays, estimand="average", grid=[0.5, 1])
    assert ours.path.times == (-4, -3, -2, 0, 1, 2, 3)
    assert ours.path.beta == pytest.approx(given_arrays["beta"], abs=1e-8)
    assert ours.path.sigma == pytest.approx(given_arrays["sigma"], abs=1e-8)
    assert ours.conf_low == pytest.approx(theirs.conf_low, abs=1e-7)
    assert ours.estimate == pytest.approx(fit.overall["estimate"].item(), abs=EXACT)


def test_degrees_of_freedom_give_the_original_interval_of_the_result() -> None:
    fit = event_study(mpdta(), inference="CR2")
    found, row = honest_did(fit), fit.overall.iloc[0]
    assert found.original == pytest.approx((row["conf_low"], row["conf_high"]), abs=EXACT)
    assert found.df < 200
    assert "degrees of freedom of the estimand" in found.summary()
    wide, narrow = honest_did(fit, df=4), honest_did(fit, df=math.inf)
    assert (wide.conf_low < narrow.conf_low).all()
    assert found.level == 0.95
    assert honest_did(fit.with_inference("CR2", level=0.9)).level == 0.9


def test_the_default_says_which_covariance_it_takes() -> None:
    found = honest_did(event_study(mpdta()))
    assert any(note.startswith("Covariance of the path: errors around one path") for note in found.notes)
    assert any("permutation, which gives no covariance" in note for note in found.notes)


@pytest.mark.parametrize("estimator", [group_time, sun_abraham, imputation])
def test_every_event_study_is_taken(estimator: Any) -> None:
    found = honest_did(estimator(mpdta()))
    assert found.path.times == (-4, -3, -2, 0, 1, 2, 3)
    assert np.isfinite(found.tidy().to_numpy()).all()


def test_group_time_effects_get_one_base_period(reference: Path) -> None:
    given_arrays = arrays(reference, "CS")
    plain, universal = (group_time(mpdta(), inference="CR0", base_period=b) for b in ("varying", "universal"))
    found = honest_did(plain, df=math.inf)
    assert found.path.beta == pytest.approx(given_arrays["beta"], abs=1e-8)
    assert "estimated again with one base period" in found.notes[0]
    assert honest_did(universal, df=math.inf).tidy().equals(found.tidy())
    with pytest.raises(DesignError, match="no reference period"):
        honest_did(plain.aggregate("dynamic"))


@pytest.mark.parametrize(
    ("fit", "words"),
    [
        (lambda: twfe(mpdta()), "no identified effects by event time"),
        (lambda: extended_twfe(mpdta()), "no event times before adoption"),
        (lambda: synthetic_did(mpdta()), "synthetic_did"),
        (lambda: event_study(mpdta(), leads=1), "event time -2 (before the reference -1) is not there"),
    ],
)
def test_results_without_a_path_are_refused(fit: Any, words: str) -> None:
    with pytest.raises(DesignError) as error:
        honest_did(fit())
    assert words in str(error.value)
    assert "Repair:" in str(error.value)


def test_binned_ends_and_what_is_beyond_a_gap_leave_the_path_in_words() -> None:
    binned = honest_did(event_study(mpdta(), leads=3, lags=2, inference="CR1"))
    assert binned.path.times == (-2, 0, 1)
    assert any(note.startswith("Left out: e<=-3, e>=2") for note in binned.notes)
    panel = made_up(n_units=60, years=(2012, 2013, 2015, 2016, 2017, 2018))
    panel = panel[~panel["adoption_year"].isin([2016, 2018])]
    gap = honest_did(event_study(council_design(panel), inference="CR2"))
    assert gap.path.times == (-2, 0, 1)
    assert any(note.startswith("Left out: e=-5, e=-4") for note in gap.notes)


def test_cohorts_with_references_of_their_own_are_told() -> None:
    panel = made_up(n_units=60, years=(2010, 2013, 2014, 2015, 2017, 2018))
    found = honest_did(event_study(council_design(panel), inference="CR2"))
    assert any(note.startswith("Reference: each") for note in found.notes)


def shown() -> list[HonestDiD]:
    made = {"beta": [0.1, 0.0, 1.0], "sigma": np.eye(3) / 16, "n_pre": 2, "n_post": 1}
    fit = group_time(mpdta())
    return [
        honest_did(fit),
        honest_did(fit, method="smoothness"),
        honest_did(**made, grid=[0.3]),
        honest_did(**made, method="smoothness", grid=np.linspace(0, 1, 30)),
        honest_did(**(made | {"beta": [0.1, 0.0, 0.1]})),
    ]


@pytest.mark.parametrize("at", range(5))
def test_the_figure_can_be_read(at: int) -> None:
    found = shown()[at]
    figure = honest_did_figure(found)
    assert_legible(figure.figure)
    assert len(figure.data) == len(found.grid) + 1
    assert figure.title in figure.alt_text
    assert figure.data["grid"].isna().tolist()[0]
    assert "<table" in found._repr_html_()


def test_smoothness_with_few_adopters_says_how_often_it_fails() -> None:
    panel = made_up(n_units=40, years=tuple(range(2013, 2020)))
    fit = event_study(council_design(panel), inference="CR2")
    words = "With 15 treated clusters smoothness intervals are too narrow"
    assert any(note.startswith(words) for note in honest_did(fit, method="smoothness").notes)
    assert not any("too narrow" in note for note in honest_did(fit).notes)
    assert not any(
        "too narrow" in note for note in honest_did(event_study(mpdta()), method="smoothness").notes
    )


def test_simulated_data_say_so() -> None:
    panel = made_up(n_units=60, years=tuple(range(2013, 2020))).assign(simulated=True)
    made = honest_did(event_study(council_design(panel), inference="CR2"))
    figure = honest_did_figure(made)
    assert any(text.get_text() == "SIMULATED" for text in figure.axes.texts)
    assert repr(made).startswith("SIMULATED")
    assert "SIMULATED" in made.summary()
    assert figure.alt_text.startswith("SIMULATED")
