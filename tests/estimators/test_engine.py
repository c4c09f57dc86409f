"""The engine on the grid against dummies written out row by row, and what compression must not change."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clsimpact.design import Design
from clsimpact.errors import DesignError
from clsimpact.estimators import event_study, twfe
from clsimpact.estimators._compress import layout_of, mean_one
from clsimpact.estimators._grid import TwoWay
from clsimpact.estimators._within import LeastSquares, least_squares, regress
from clsimpact.estimators._within_grid import regress_cells
from clsimpact.estimators._within_solve import Regression, solve
from tests.estimation_helpers import EXACT, SOLVER, council_design, made_up, mpdta

pytestmark = pytest.mark.usefixtures("usual_errors")

SAME = 1e-9
"""Two exact solvers of one problem of moderate condition, relative to the spread of the result."""

KINDS = ("CR0", "CR1", "CR2", "CR3", "jackknife", "HC1", "iid")


def rows_by_rows(design: Design, columns: np.ndarray) -> Regression:
    """The same regression with dummies for every period and no types."""
    years = np.eye(len(design.periods))[design.time_codes][:, 1:]
    return least_squares(
        design.y,
        np.column_stack([columns, design.X]),
        absorb=design.unit_codes,
        nuisance=years,
        w=design.w,
        n_clusters=design.n_clusters,
    )


def random_table(design: Design, width: int, seed: int) -> np.ndarray:
    """Cells of adopters numbered at random, about a third of them left out."""
    layout = layout_of(design)
    rng = np.random.default_rng(seed)
    table = rng.integers(-1, width, size=(layout.levels.size + 1, len(design.periods)))
    table[rng.uniform(size=table.shape) < 0.2] = -1
    table[0] = -1
    used = np.unique(table[(table >= 0) & (layout.rows > 0)])
    table[layout.rows == 0] = -1
    return np.where(table >= 0, np.searchsorted(used, table), -1)


FREE = 1e-7
"""Relative, for degrees of freedom: a ratio of sums of fourth powers, which lose twice the digits of `SAME`.
Another convention moves them by whole per cents."""


def same(one: Regression, two: Regression, design: Design) -> None:
    assert one.counts == two.counts
    assert one.identified.tolist() == two.identified.tolist()
    assert one.partners == two.partners
    assert one.kept.tolist() == two.kept.tolist()
    scale = np.abs(two.coefficients[two.identified]).max(initial=1.0)
    np.testing.assert_allclose(one.coefficients, two.coefficients, rtol=0, atol=SAME * scale)
    np.testing.assert_allclose(one.columns, two.columns, atol=0)
    np.testing.assert_allclose(one.influence, two.influence, atol=SAME)
    np.testing.assert_allclose(one.residuals, two.residuals, atol=SAME * np.abs(design.y).max())
    np.testing.assert_allclose(one.basis @ one.basis.T, two.basis @ two.basis.T, atol=SAME)
    np.testing.assert_allclose(one.basis.T @ one.basis, np.eye(one.basis.shape[1]), atol=EXACT * 10)
    for kind in KINDS:
        found, asked = (LeastSquares(r, design.cluster_codes).covariance(kind) for r in (one, two))
        size = np.abs(asked.matrix).max()
        np.testing.assert_allclose(found.matrix, asked.matrix, rtol=0, atol=SAME * size)
        np.testing.assert_allclose(found.df, asked.df, rtol=FREE)
        assert not np.isnan(found.df[one.identified]).any()
        assert found.factor_text == asked.factor_text


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**16),
    share=st.sampled_from([1.0, 0.9, 0.6]),
    width=st.integers(1, 9),
    weights=st.sampled_from([None, "row", "unit"]),
    covariates=st.sampled_from([(), ("need",)]),
    cluster=st.sampled_from([None, "region"]),
)
def test_the_grid_equals_rows_by_rows(
    seed: int,
    share: float,
    width: int,
    weights: str | None,
    covariates: tuple[str, ...],
    cluster: str | None,
) -> None:
    """Any disjoint cells, identified or not, with holes, weights, a covariate and clusters above the unit."""
    panel = made_up(n_units=32, share=share, seed=seed)
    panel["unit"] = panel.groupby("ons_code")["size"].transform("first")
    column = {None: None, "row": "size", "unit": "unit"}[weights]
    design = council_design(panel, weights=column, covariates=covariates, cluster=cluster)
    table = random_table(design, width, seed)
    if (table < 0).all():
        return
    layout = layout_of(design)
    cells = np.eye(table.max() + 2)[layout.row_values(table)][:, :-1]
    same(regress_cells(layout, table), rows_by_rows(design, cells), design)


def test_columns_that_are_not_cells_equal_rows_by_rows() -> None:
    design = council_design(made_up(share=0.8), weights="size", covariates=["need"])
    rng = np.random.default_rng(4)
    columns = np.column_stack([rng.normal(size=design.n_obs), design.treated, design.y**2])
    same(regress(design, columns), rows_by_rows(design, columns), design)


def test_a_covariate_that_is_a_cell_is_told() -> None:
    panel = made_up(share=0.85)
    panel["on"] = (panel["year"] >= panel["adoption_year"]).astype(float)
    design = council_design(panel, covariates=["need", "on"])
    found = twfe(design).fitted()
    same(found, rows_by_rows(design, design.treated[:, None].astype(float)), design)
    assert found.identified.tolist() == [False, True, False]
    assert found.partners[0] == (0, 2)


def test_large_levels_and_badly_scaled_covariates_keep_their_digits() -> None:
    panel = made_up(share=0.85)
    plain = twfe(council_design(panel, covariates=["need"])).tidy()
    moved = panel.assign(cost=panel["cost"] + 1e7, need=panel["need"] * 1e-9 + 5)
    far = twfe(council_design(moved, covariates=["need"])).tidy()
    assert far["estimate"][0] == pytest.approx(plain["estimate"][0], rel=1e-8)
    assert far["std_error"][0] == pytest.approx(plain["std_error"][0], rel=1e-8)


def test_types_of_a_balanced_panel_are_its_cohorts() -> None:
    layout = layout_of(mpdta())
    assert layout.sizes.tolist() == [309, 20, 40, 131]
    assert layout.type_codes.tolist() == [0, 1, 2, 3]
    assert layout.levels.tolist() == [2004, 2006, 2007]


def test_types_by_hand() -> None:
    """Units 1 and 2 share a pattern and differ by a constant weight, 3 misses a year, 4 varies its weight."""
    rows = [
        (u, t, 2 if u == 5 else np.nan, float(u), {4: t}.get(u, 2.0 if u == 2 else 1.0))
        for u in range(1, 6)
        for t in (1, 2, 3)
    ]
    panel = pd.DataFrame(rows, columns=["u", "t", "c", "y", "w"])
    panel = panel[(panel["u"] != 3) | (panel["t"] != 2)]
    layout = layout_of(Design(panel, outcome="y", unit="u", time="t", cohort="c", weights="w"))
    assert sorted(layout.sizes.tolist()) == [1, 1, 1, 2]
    assert layout.order.tolist()[-1] == 4
    pair = int(np.flatnonzero(layout.sizes == 2)[0])
    assert layout.order[layout.starts[pair] : layout.starts[pair] + 2].tolist() == [0, 1]
    mean = panel["w"].mean()
    np.testing.assert_allclose(layout.type_mass[pair], np.full(3, 3 / mean), rtol=EXACT)


def test_more_periods_than_bits_in_a_number() -> None:
    years = tuple(range(1950, 2020))
    rng = np.random.default_rng(2)
    rows = [(u, t, 1990 if u < 4 else np.nan, rng.normal()) for u in range(12) for t in years]
    panel = pd.DataFrame(rows, columns=["u", "t", "c", "y"]).sample(frac=0.9, random_state=1)
    design = Design(panel, outcome="y", unit="u", time="t", cohort="c")
    table = np.vstack([np.full((1, 70), -1), np.where(layout_of(design).event >= 0, 0, -1)])
    cells = design.treated[:, None].astype(float)
    same(regress_cells(layout_of(design), table), rows_by_rows(design, cells), design)


def test_pairs_that_no_row_connects() -> None:
    """Half the units are seen before 2017 and half after: one more null direction, and the same answer."""
    panel = made_up(n_units=48)
    even = panel["ons_code"].str[1:].astype(int) // 8 % 2 == 0
    panel = panel[(even & (panel["year"] <= 2017)) | (~even & (panel["year"] > 2017))]
    design = council_design(panel, always_treated="keep")
    same(twfe(design).fitted(), rows_by_rows(design, design.treated[:, None].astype(float)), design)


def test_arrays_of_every_row_are_made_only_on_request() -> None:
    fitted = event_study(mpdta()).fitted()
    assert not {"columns", "influence", "basis", "residuals"} & set(vars(fitted))
    assert fitted.influence.shape == (2500, 7)
    assert fitted.basis.shape == (2500, 11)


def test_the_covariance_is_kept_for_the_next_call() -> None:
    fit = event_study(mpdta())
    assert fit.uncertainty.covariance("CR2") is fit.uncertainty.covariance("CR2")
    with pytest.raises(DesignError, match="did you mean 'CR"):
        fit.uncertainty.covariance("CR9")


def test_combinations_equal_the_delta_method() -> None:
    design = council_design(made_up(share=0.85), weights="size", cluster="region")
    found = event_study(design).uncertainty
    weights = np.random.default_rng(1).normal(size=(found.regression.coefficients.size, 2))
    for kind in KINDS:
        whole, part = found.covariance(kind).matrix, found.combine(weights).covariance(kind).matrix
        np.testing.assert_allclose(part, weights.T @ whole @ weights, rtol=SOLVER)


def test_weights_of_mean_one_by_hand() -> None:
    assert mean_one(np.array([1.0, 3.0])).tolist() == [0.5, 1.5]
    assert mean_one(np.array([1e-300, 3e-300])).tolist() == [0.5, 1.5]


def test_the_small_problem_by_hand() -> None:
    """Columns (2, 0), (2, 0) and (0, 3): the first two cannot be told apart, the last is 6/3."""
    found = solve(np.array([[2.0, 2.0, 0.0], [0.0, 0.0, 3.0]]), np.ones(3))
    assert found.identified.tolist() == [False, False, True]
    assert found.kept.tolist() == [True, False, True]
    assert found.partners == ((0, 1), (0, 1), ())
    padded = np.array([4.0, 6.0, 0.0])
    coefficients = found.inverse.T @ (found.left.T @ padded)
    np.testing.assert_allclose(coefficients, [1.0, 1.0, 2.0], atol=EXACT)


def test_effects_of_a_unit_that_is_seen_once_count() -> None:
    """Two units and two periods, connected, of which one unit has one row: three free effects."""
    assert TwoWay(np.array([[1.0, 0.0], [1.0, 1.0]])).rank == 3
    assert TwoWay(np.array([[1.0, 0.0], [0.0, 1.0]])).rank == 2
