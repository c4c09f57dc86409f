"""Estimates as sums over types of units: by hand, by dense matrices, and by asking estimators again."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from clsimpact import _forms
from clsimpact._forms import Forms, forms_of
from clsimpact._procedures import path_covariance
from clsimpact.datasets import example_design
from clsimpact.design import Design
from clsimpact.errors import DesignError
from clsimpact.estimators import event_study, twfe
from clsimpact.estimators.did_m import did_m
from clsimpact.estimators.extended_twfe import extended_twfe
from clsimpact.estimators.group_time import group_time
from clsimpact.estimators.imputation import imputation
from clsimpact.estimators.local_projection import local_projection
from clsimpact.estimators.stacked import stacked
from clsimpact.estimators.sun_abraham import sun_abraham
from clsimpact.estimators.synthetic_did import synthetic_did
from clsimpact.estimators.two_stage import two_stage
from clsimpact.inference import Counts, LinearForm, moments_of, sandwich
from clsimpact.inference.linear import products
from tests.estimation_helpers import EXACT, council_design, made_up

ESTIMATORS: dict[str, Callable[..., Any]] = {
    "twfe": twfe,
    "event_study": event_study,
    "group_time": group_time,
    "sun_abraham": sun_abraham,
    "imputation": imputation,
    "two_stage": two_stage,
    "extended_twfe": extended_twfe,
    "stacked": stacked,
    "did_m": did_m,
    "local_projection": local_projection,
}

DENSE = 1e-9
"""Relative: an inverse root of a 5 x 5 matrix by eigenvalues, sums over 200 rows, and the same by types."""

REBUILT = 1e-10
"""Absolute, outcomes of about 100: sums of 200 products against a least-squares solution (1e-13 seen)."""

CANCELLED = 1e-7
"""Relative: errors from sums of squares, of which nine in ten digits cancel at worst (1e-10 seen)."""


def unbalanced(n_units: int = 48) -> pd.DataFrame:
    """Two kinds of missing years, each with several units of every cohort that it meets."""
    panel = made_up(n_units=n_units)
    unit = panel["ons_code"].str[1:].astype(int)
    late = (unit % 8 >= 3) & (unit % 5 == 1) & (panel["year"] == 2014)
    gap = (unit % 8 == 1) & (unit % 3 == 0) & (panel["year"] == 2020)
    return panel[~(late | gap)].reset_index(drop=True)


PANELS = {"balanced": made_up, "unbalanced": unbalanced}


@pytest.fixture(scope="module")
def designs() -> dict[str, Design]:
    return {name: council_design(make(n_units=48)) for name, make in PANELS.items()}


def two_by_two() -> tuple[LinearForm, np.ndarray, np.ndarray]:
    """Three controls whose outcomes change by 1, 2 and 3, and two adopters with 6 and 4."""
    v = np.array([[[1 / 3], [-1 / 3]], [[-1 / 2], [1 / 2]]])
    q = np.array([[[1.0, -2.0], [-1.0, 2.0]], [[1.0, 3.0], [-1.0, -3.0]]]) / np.sqrt([10, 60])
    y = np.array([[0.0, 1.0], [0, 2], [0, 3], [0, 6], [0, 4]])
    return LinearForm(v, q, np.array([3, 2])), y - y.mean(axis=1, keepdims=True), np.array([0, 0, 0, 1, 1])


def numbers(fit: Any) -> np.ndarray:
    """Terms and overall effect, zero where there is none."""
    return np.nan_to_num(_forms._numbers(fit))


def test_two_by_two_by_hand() -> None:
    """Unequal variances: 1/3 + 2/2 = 4/3; Bell and McCaffrey: (1/3 + 1/2)^2 / (1/(9 2) + 1/(4 1)) = 25/11."""
    form, y, types = two_by_two()
    estimate, error = form.statistics(moments_of(y, types[None], 2))
    assert estimate.item() == pytest.approx(5 - 2, abs=EXACT)
    assert error.item() == pytest.approx((4 / 3) ** 0.5, abs=EXACT)
    assert form.df == pytest.approx([25 / 11], abs=EXACT)
    estimate, matrix = form.covariances(moments_of(y, types[None], 2))
    assert estimate.item() == pytest.approx(3, abs=EXACT)
    assert matrix.item() == pytest.approx(4 / 3, abs=EXACT)


def test_residuals_and_direction_by_hand() -> None:
    """Halves of the changes about the mean of the group; one more for adopters, 3/5 of it taken from both."""
    form, y, types = two_by_two()
    changes = np.diff(form.residuals(y, types)).ravel()
    assert changes == pytest.approx([-1, 0, 1, 1, -1], abs=EXACT)
    shift = form.directions()[types][:, :, 0]
    assert np.diff(shift).ravel() == pytest.approx([-0.4, -0.4, -0.4, 0.6, 0.6], abs=EXACT)


def test_products_and_moments_by_hand() -> None:
    y = np.array([[1.0, 2.0], [3.0, -1.0], [0.5, 4.0]])
    assert products(y)[0].tolist() == [1, 2, 1, 2, 4]
    found = moments_of(y, np.array([[0, 1, 1], [0, 0, 0]]), 2)
    assert found.sums.tolist() == [[[1, 2], [3.5, 3]], [[4.5, 5], [0, 0]]]
    assert found.squares[0].tolist() == [[1, 2, 4], [9.25, -1, 17]]
    assert y.tolist() == [[1, 2], [3, -1], [0.5, 4]]


@pytest.mark.parametrize("panel", PANELS)
@pytest.mark.parametrize("name", ESTIMATORS)
def test_weights_rebuild_the_numbers_of_any_outcome(
    name: str, panel: str, designs: dict[str, Design]
) -> None:
    """The form is found with one outcome; another one, drawn at random, is estimated by the estimator."""
    design = designs[panel]
    fit = ESTIMATORS[name](design, inference="CR0")
    forms = forms_of(fit)
    assert forms.obstacle == ""
    assert (forms.types.max() + 1 > 4) == (panel == "unbalanced")
    other = np.random.default_rng(6).normal(100, 10, size=design.n_obs)
    for y in (design.y, other):
        asked = fit.again(design.with_outcome(y))
        net = forms._net(forms._laid(y))
        rebuilt = forms.by_type.estimates(moments_of(net, forms.types[None], forms.by_type.sizes.size))[0]
        assert np.isfinite(asked.estimates[asked.identified]).all()
        assert asked.identified.sum() >= 1
        np.testing.assert_allclose(rebuilt, numbers(asked), rtol=0, atol=REBUILT)
    assert np.abs(numbers(fit.again(design.with_outcome(other))) - numbers(fit)).max() > 1


@pytest.mark.parametrize("panel", PANELS)
@pytest.mark.parametrize("name", ["twfe", "event_study", "group_time", "imputation", "stacked"])
def test_errors_and_df_are_cr2_by_row(name: str, panel: str, designs: dict[str, Design]) -> None:
    """`sandwich` on the rows: weights as the influence, the basis and residuals of the working regression."""
    forms = forms_of(ESTIMATORS[name](designs[panel], inference="CR0"))
    rows, design = forms.by_row, forms.design
    q = rows.basis.shape[1]
    counts = Counts(design.n_obs, design.n_clusters, q, q)
    found = sandwich(rows.weights, rows.residuals, rows.basis, rows.clusters, kind="CR2", counts=counts)
    ours = path_covariance(forms)
    used = np.abs(rows.weights).max(axis=0) > 0
    assert used.sum() >= 1
    np.testing.assert_allclose(
        ours.matrix[np.ix_(used, used)], found.matrix[np.ix_(used, used)], rtol=CANCELLED
    )
    np.testing.assert_allclose(ours.df[used], found.df[used], rtol=DENSE)
    assert np.isfinite(ours.df[used]).all()


def dense(forms: Forms, column: int) -> tuple[float, float]:
    """Variance and degrees of freedom of one number with n x n matrices, dummies for all effects."""
    design = forms.design
    before = {g: max(t for t in design.periods if t < g) for g in design.cohort_sizes}
    reference = design.times == pd.Series(design.cohorts).map(before)
    path = pd.get_dummies(pd.Series(design.event_time).mask(reference)).to_numpy(float)
    units = np.eye(len(design.units))[design.unit_codes]
    years = np.eye(len(design.periods))[design.time_codes]
    inner = np.hstack([path, years])
    inner = inner - units @ np.linalg.lstsq(units, inner, rcond=None)[0]
    hat = inner @ np.linalg.pinv(inner, rcond=1e-10)
    full = np.hstack([path, years, units])
    maker = np.eye(design.n_obs) - full @ np.linalg.pinv(full, rcond=1e-10)
    v = forms.by_type.weights[forms.types][design.unit_codes, design.time_codes, column]
    scores, vectors = [], []
    for code in range(len(design.units)):
        rows = np.flatnonzero(design.unit_codes == code)
        value, vector = np.linalg.eigh(np.eye(rows.size) - hat[np.ix_(rows, rows)])
        own = (vector * value**-0.5) @ vector.T @ v[rows]
        scores.append(own @ (maker @ design.y)[rows])
        vectors.append(maker[:, rows] @ own)
    each = np.array(vectors)
    df = float((each**2).sum()) ** 2 / float(((each @ each.T) ** 2).sum())
    return float(np.square(scores).sum()), df


@pytest.mark.parametrize("name", ["group_time", "imputation", "local_projection"])
def test_errors_and_df_by_dense_matrices(name: str) -> None:
    forms = forms_of(ESTIMATORS[name](council_design(unbalanced(32)), inference="CR0"))
    ours = path_covariance(forms)
    for column in (1, -1):
        variance, df = dense(forms, column)
        assert ours.matrix[column, column] == pytest.approx(variance, rel=CANCELLED)
        assert ours.df[column] == pytest.approx(df, rel=CANCELLED)


@pytest.mark.parametrize("estimator", [twfe, event_study])
def test_on_regressions_it_is_their_own_cr2(estimator: Callable[..., Any]) -> None:
    for design in (example_design(), council_design(unbalanced())):
        own = estimator(design, inference="CR2")
        path = own.with_inference("path")
        there = own.identified
        np.testing.assert_allclose(path.vcov.df[there], own.vcov.df[there], rtol=DENSE)
        both = np.ix_(there, there)
        np.testing.assert_allclose(
            path.vcov.matrix[both], own.vcov.matrix[both], rtol=CANCELLED, atol=CANCELLED * 1e-4
        )
        shown = path.tidy()[there]
        np.testing.assert_allclose(shown["std_error"], own.tidy()[there]["std_error"], rtol=CANCELLED)
        np.testing.assert_allclose(shown["p_value"], own.tidy()[there]["p_value"], rtol=CANCELLED)


@pytest.mark.parametrize("name", ["group_time", "imputation", "stacked"])
def test_executors_ask_estimators_and_the_form_is_the_same(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The form of an unbalanced panel can take seconds; it is found by the executor that is given."""
    monkeypatch.setattr(_forms, "QUESTIONS", 5)

    class Counting(ThreadPoolExecutor):
        handed = 0

        def submit(self, *args: Any, **kwargs: Any) -> Future[Any]:
            self.handed += 1
            return super().submit(*args, **kwargs)

    design = council_design(unbalanced())
    fit = ESTIMATORS[name](design, inference="CR0")
    plain = forms_of(fit)
    with Counting(1) as pool:
        handed = Forms(fit, pool)
        np.testing.assert_array_equal(handed.by_type.weights, plain.by_type.weights)
        asked = pool.handed
        fit.with_inference("permutation", draws=19, executor=pool).tidy()
    assert asked == -(-plain._asked // 5) > 1
    assert pool.handed > 2 * asked


def test_combinations_have_the_covariance_and_df_of_the_rows(designs: dict[str, Design]) -> None:
    forms = forms_of(group_time(designs["unbalanced"], inference="CR0"))
    weights = np.random.default_rng(3).normal(size=(forms.by_type.weights.shape[2], 2))
    moments = moments_of(forms.outcomes, forms.types[None], forms.by_type.sizes.size)
    mixed = forms.by_type.combine(weights)
    estimates, matrix = forms.by_type.covariances(moments)
    got, errors = mixed.statistics(moments)
    np.testing.assert_allclose(got, estimates @ weights, rtol=DENSE)
    np.testing.assert_allclose(errors[0] ** 2, np.diag(weights.T @ matrix[0] @ weights), rtol=CANCELLED)
    rows = forms.by_row
    counts = Counts(forms.design.n_obs, forms.design.n_clusters, 1, 1)
    found = sandwich(
        rows.weights @ weights, rows.residuals, rows.basis, rows.clusters, kind="CR2", counts=counts
    )
    np.testing.assert_allclose(mixed.df, found.df, rtol=DENSE)


def test_residuals_lie_outside_the_basis_and_directions_inside(designs: dict[str, Design]) -> None:
    forms = forms_of(imputation(designs["unbalanced"], inference="CR0"))
    form, types = forms.by_type, forms.types
    residuals = form.residuals(forms.outcomes, types)
    rows = form.basis[types]
    size = np.abs(forms.outcomes).max() * len(types)
    np.testing.assert_allclose(np.einsum("ntq,nt->q", rows, residuals), 0, atol=EXACT * size)
    for j in np.flatnonzero(np.abs(form.weights).max(axis=(0, 1)) > 0):
        shift = form.directions()[types][:, :, j]
        moved = form.estimates(moments_of(residuals + shift, types[None], form.sizes.size))[0, j]
        still = form.estimates(moments_of(residuals, types[None], form.sizes.size))[0, j]
        assert moved - still == pytest.approx(1, abs=DENSE)
        np.testing.assert_allclose(form.residuals(shift, types), 0, atol=DENSE)


def test_outcomes_that_the_working_regression_fits_have_no_error() -> None:
    form, _, types = two_by_two()
    flat = np.outer([0, 0, 0, 1, 1], [-0.5, 0.5])
    estimate, error = form.statistics(moments_of(flat, types[None], 2))
    assert estimate.item() == pytest.approx(1, abs=EXACT)
    assert np.isnan(error.item())


def test_synthetic_weights_rebuild_its_numbers(designs: dict[str, Design]) -> None:
    fit = synthetic_did(designs["balanced"])
    forms = forms_of(fit)
    np.testing.assert_allclose(
        np.einsum("nt,ntp->p", forms.outcomes, fit.rows()), numbers(fit), rtol=0, atol=REBUILT
    )
    assert fit.rows().shape == (48, 5, len(fit.terms) + 1)
    assert (np.abs(fit.rows()).max(axis=(0, 1)) > 0).all()
    np.testing.assert_allclose(forms.by_row.estimates, numbers(fit), rtol=0, atol=REBUILT)
    assert "depend on the outcomes" in forms.obstacle


OBSTACLES = {
    "weights": ({"weights": "size"}, "rows are weighted by size"),
    "covariates": ({"covariates": ["need"]}, r"covariates \(need\) move the estimate"),
    "clusters": ({"cluster": "region"}, "clustered by region, above the unit"),
    "effects": ({"effects": "region"}, "effects are those of region, not of units"),
}


@pytest.mark.parametrize("case", OBSTACLES)
def test_obstacles_in_words(case: str) -> None:
    options, words = OBSTACLES[case]
    fit = twfe(council_design(made_up(n_units=64), **options), inference="CR1")
    forms = forms_of(fit)
    with pytest.raises(DesignError, match=f"twfe have no form by type: .*{words}"):
        _ = forms.by_type
    with pytest.raises(DesignError, match=words):
        fit.with_inference("permutation")
    assert forms.plain_obstacle == forms.obstacle


def test_obstacles_of_the_estimator(monkeypatch: pytest.MonkeyPatch, designs: dict[str, Design]) -> None:
    fit = imputation(designs["balanced"], inference="CR0")
    moved = replace(fit, estimates=fit.estimates + 0.01)
    assert forms_of(moved).plain_obstacle == ""
    assert forms_of(moved).obstacle == "imputation is not linear in the outcomes"
    assert "cannot be asked again" in forms_of(replace(fit, again=None)).obstacle
    monkeypatch.setattr(_forms, "ASKED", 3)
    assert re.search(r"takes [\d,]+ fits of [\d,]+ rows \(4 types of units", forms_of(fit).obstacle)


def test_a_regression_is_not_asked_and_permuted_in_panels_of_any_size(
    monkeypatch: pytest.MonkeyPatch, designs: dict[str, Design]
) -> None:
    fit = event_study(designs["balanced"], inference="CR1")
    small = fit.with_inference("permutation", draws=99)
    monkeypatch.setattr(_forms, "ASKED", 3)
    large = event_study(designs["balanced"], inference="CR1")
    assert forms_of(large).obstacle == ""
    assert "4 types of units" in forms_of(large).long
    pd.testing.assert_frame_equal(large.with_inference("permutation", draws=99).tidy(), small.tidy())
