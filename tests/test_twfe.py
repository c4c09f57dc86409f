"""Static two-way fixed effects: R, linearmodels, statsmodels, by hand, and properties."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clsimpact.design import Design
from clsimpact.errors import DesignError
from clsimpact.estimators import twfe
from clsimpact.estimators._within import demean, least_squares
from tests.estimation_helpers import (
    EXACT,
    ORACLE,
    SOLVER,
    clustered,
    council_design,
    dummies,
    made_up,
    mpdta,
    stagg,
    textbook,
    with_holes,
)

pytestmark = pytest.mark.usefixtures("usual_errors")

LAST_PLACES = 1e-9
"""Moving the outcome by up to 1e3 of its spread costs three digits of the sixteen, and a margin."""


def test_equals_fixest(frozen: Path) -> None:
    table = pd.read_csv(frozen / "mpdta_r.csv").set_index("method")
    fit = twfe(mpdta())
    for method, kind in (
        ("twfe_static", "CR1"),
        ("twfe_static_iid", "iid"),
        ("twfe_static_hetero", "HC1"),
        ("twfe_static_noadj", "CR0"),
    ):
        row, ours = table.loc[method], fit.with_covariance(kind).tidy().iloc[0]
        assert ours["estimate"] == pytest.approx(row["estimate"], abs=ORACLE)
        assert ours["std_error"] == pytest.approx(row["se"], abs=ORACLE)
    plain = np.sqrt(fit.with_covariance("CR0").vcov.matrix[0, 0])
    for method, k in (("twfe_static_K.fixef=none", 1), ("twfe_static_K.fixef=full", 505)):
        factor = 500 / 499 * 2499 / (2500 - k)
        assert plain * np.sqrt(factor) == pytest.approx(table.loc[method, "se"], abs=ORACLE)


@pytest.mark.parametrize("name", ["plain", "gaps", "covariate", "weighted", "weighted, gaps and covariate"])
@pytest.mark.parametrize("kind", ["CR0", "CR1", "HC1", "iid"])
def test_made_up_panels_agree_with_both_libraries(
    lookalikes: dict[str, Design], name: str, kind: str
) -> None:
    """Holes, gaps, weights and covariates, so that a checkout without any other file is tested too."""
    design = lookalikes[name]
    assert design.n_obs < len(design.units) * len(design.periods)
    check = twfe(design, inference=kind).verify()
    assert set(check.attrs["variance_factors"]) == {"linearmodels", "statsmodels"}
    assert check["term"].tolist() == ["treated", *design.covariates]
    assert check["difference"].max() <= SOLVER


@pytest.mark.parametrize("weight", [1e-40, 1e40, 1e-300, 1e300])
@pytest.mark.parametrize("kind", ["CR1", "CR2", "iid"])
def test_the_scale_of_the_weights_changes_nothing(weight: float, kind: str) -> None:
    panel = made_up(share=0.85)
    one, other = (twfe(council_design(panel.assign(w=w), weights="w"), inference=kind) for w in (1.0, weight))
    plain = twfe(council_design(panel), inference=kind)
    for fit in (other, plain):
        for column in ("estimate", "std_error", "p_value"):
            assert fit.tidy()[column].item() == pytest.approx(one.tidy()[column].item(), rel=SOLVER)
        assert fit.vcov.counts == one.vcov.counts


@pytest.mark.parametrize("scale", [1e-40, 1e40])
def test_time_effects_stay_whatever_the_scale_of_their_columns(scale: float) -> None:
    """The basis of the nuisance columns is judged against the columns themselves."""
    design = council_design(made_up(share=0.85))
    d, years = design.treated[:, None].astype(float), np.eye(len(design.periods))[design.time_codes][:, 1:]
    parts = {"absorb": design.unit_codes, "n_clusters": design.n_clusters}
    one = least_squares(design.y, d, nuisance=years, **parts)
    two = least_squares(design.y, d, nuisance=years * scale, **parts)
    assert two.coefficients[0] == pytest.approx(one.coefficients[0], rel=SOLVER)
    assert two.basis.shape == one.basis.shape


@pytest.mark.parametrize("name", ["castle", "stagg", "stagg with a covariate", "ehec", "ehec weighted"])
@pytest.mark.parametrize("kind", ["CR0", "CR1", "HC1", "iid"])
def test_other_panels_agree_with_both_libraries(reference: Path, name: str, kind: str) -> None:
    check = twfe(textbook(reference)[name], inference=kind).verify()
    assert set(check.attrs["variance_factors"]) == {"linearmodels", "statsmodels"}
    assert check["difference"].max() <= SOLVER


@pytest.mark.parametrize("name", ["castle", "stagg", "stagg with a covariate", "ehec", "ehec weighted"])
def test_unbalanced_with_gaps(reference: Path, name: str) -> None:
    whole = textbook(reference)[name]
    design = with_holes(whole, lost_years=whole.periods[2:4])
    assert 0.4 < design.n_obs / whole.n_obs < 0.8
    fit = twfe(design)
    assert fit.verify()["difference"].max() <= SOLVER
    assert fit.estimates[0] != pytest.approx(twfe(whole).estimates[0], rel=1e-6)


def test_weighted_equals_wls_written_out(reference: Path) -> None:
    design = textbook(reference)["ehec weighted"]
    data = design.data.assign(d=design.treated.astype(float))
    other = clustered(data, "dins ~ d + C(stfips) + C(year)", "stfips", weights="W")
    fit = twfe(design, inference="CR0").tidy().iloc[0]
    assert fit["estimate"] == pytest.approx(other.params["d"], rel=SOLVER)
    assert fit["std_error"] == pytest.approx(other.bse["d"], rel=SOLVER)


@pytest.mark.parametrize("share", [1.0, 0.8])
def test_region_effects_equal_the_formula(share: float) -> None:
    design = council_design(made_up(share=share), effects="region", covariates=["need"])
    data = design.data
    data["d"] = design.treated.astype(float)
    data["adopters"] = data["adoption_year"].fillna(0).astype(int)
    other = clustered(data, "cost ~ d + need + C(region) + C(year) + C(adopters)", "ons_code")
    fit = twfe(design, inference="CR0")
    ours = fit.tidy().set_index("term")
    for term, name in (("treated", "d"), ("need", "need")):
        assert ours.loc[term, "estimate"] == pytest.approx(other.params[name], rel=SOLVER)
        assert ours.loc[term, "std_error"] == pytest.approx(other.bse[name], rel=SOLVER)
    regions, years, cohorts = 5, 5, 3
    assert fit.vcov.counts.k_nested == 2 + regions + (years - 1) + cohorts
    assert bool(fit.verify()["agrees"].all())
    assert "adopter cohort[i]" in fit.summary()


def test_two_by_two_by_hand() -> None:
    """(12 - 5) - (6 - 3) = 4; with two units and two periods nothing is left over."""
    panel = pd.DataFrame(
        {"u": [1, 1, 2, 2], "t": [0, 1, 0, 1], "c": [1, 1, np.inf, np.inf], "y": [5.0, 12, 3, 6]}
    )
    fit = twfe(Design(panel, outcome="y", unit="u", time="t", cohort="c"), inference="CR0")
    assert fit.estimates[0] == pytest.approx(4.0, abs=EXACT)
    four = pd.concat([panel, panel.assign(u=panel["u"] + 2, y=[5.0, 14, 3, 4])])
    fit = twfe(Design(four, outcome="y", unit="u", time="t", cohort="c"), inference="CR1")
    # changes: treated 7 and 9, untreated 3 and 1; tau = 8 - 2; CR0 variance = 4 · (1/2)² = 1; K = 3
    assert fit.estimates[0] == pytest.approx(6.0, abs=EXACT)
    assert fit.vcov.matrix[0, 0] == pytest.approx(1.0 * 4 / 3 * 7 / 5, abs=EXACT)


def test_anticipation_moves_the_treatment() -> None:
    data = mpdta().data
    data["d"] = (data["year"] >= data["first_treat"] - 1).astype(float)
    other = dummies(data[data["first_treat"] != 2004], "lemp ~ d + C(county) + C(year)")
    with pytest.warns(match="20 always-treated units leave the sample"):
        design = mpdta(anticipation=1)
    assert twfe(design).estimates[0] == pytest.approx(other.params["d"], rel=SOLVER)


def test_adopters_after_the_panel_are_controls() -> None:
    design = mpdta()
    panel = design.data.assign(first_treat=lambda f: f["first_treat"].fillna(2011))
    later = Design(panel, outcome="lemp", unit="county", time="year", cohort="first_treat")
    assert later.n_never == 0
    assert later.n_treated == 191
    assert twfe(later).estimates[0] == pytest.approx(twfe(design).estimates[0], rel=EXACT)


def test_unidentified_effect_is_missing_with_a_reason() -> None:
    """All adopt in one year: the effect cannot be told from the year effect."""
    panel = pd.DataFrame(
        [(u, t, 2, u + t * 0.1) for u in range(6) for t in range(1, 4)], columns=["u", "t", "c", "y"]
    )
    row = twfe(Design(panel, outcome="y", unit="u", time="t", cohort="c")).tidy().iloc[0]
    assert not row["identified"]
    assert np.isnan(row["estimate"])
    assert np.isnan(row["std_error"])
    assert "no variation left" in row["reason"]


def test_collinear_covariates_are_reported_and_leave_the_effect_alone(reference: Path) -> None:
    panel = stagg(reference, covariates=["x1"]).data
    panel["twice"], panel["fixed"] = 2 * panel["x1"] + 1, panel["id"] * 1.5
    roles = {"outcome": "y", "unit": "id", "time": "year", "cohort": "first"}
    one = twfe(Design(panel, **roles, covariates=["x1"])).tidy().set_index("term")
    fit = twfe(Design(panel, **roles, covariates=["x1", "twice", "fixed"]))
    rows = fit.tidy().set_index("term")
    assert rows["identified"].to_dict() == {"treated": True, "x1": False, "twice": False, "fixed": False}
    assert rows.loc["treated", "estimate"] == pytest.approx(one.loc["treated", "estimate"], rel=SOLVER)
    assert rows.loc["treated", "std_error"] == pytest.approx(one.loc["treated", "std_error"], rel=SOLVER)
    assert "cannot be told apart from twice" in rows.loc["x1", "reason"]
    assert "no variation left" in rows.loc["fixed", "reason"]
    assert bool(fit.verify()["agrees"].all())


@settings(max_examples=15, deadline=None)
@given(shift=st.floats(-1e3, 1e3), scale=st.floats(0.01, 100))
def test_shift_and_scale_of_the_outcome(shift: float, scale: float) -> None:
    panel = made_up(share=0.85)
    one = twfe(council_design(panel)).tidy().iloc[0]
    two = twfe(council_design(panel.assign(cost=panel["cost"] * scale + shift))).tidy().iloc[0]
    for column in ("estimate", "std_error"):
        assert two[column] == pytest.approx(scale * one[column], rel=LAST_PLACES * max(1, 1 / scale))


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_row_order_does_not_change_a_byte(seed: int) -> None:
    panel = made_up(share=0.85)
    order = np.random.default_rng(seed).permutation(len(panel))
    one = twfe(council_design(panel, covariates=["need"], weights="size"), inference="CR2")
    two = twfe(council_design(panel.iloc[order], covariates=["need"], weights="size"), inference="CR2")
    assert one.estimates.tobytes() == two.estimates.tobytes()
    assert one.vcov.matrix.tobytes() == two.vcov.matrix.tobytes()
    assert one.summary() == two.summary()


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_relabelled_units_give_the_same_numbers(seed: int) -> None:
    panel = made_up(share=0.85)
    codes = panel["ons_code"].unique()
    other = dict(zip(codes, np.random.default_rng(seed).permutation(len(codes)), strict=True))
    one = twfe(council_design(panel)).tidy().iloc[0]
    two = twfe(council_design(panel.assign(ons_code=panel["ons_code"].map(other)))).tidy().iloc[0]
    for column in ("estimate", "std_error", "p_value"):
        assert two[column] == pytest.approx(one[column], rel=LAST_PLACES)


def test_two_copies_of_the_panel() -> None:
    """Twice the clusters: the same estimate, half the raw sandwich."""
    panel = made_up(share=0.85)
    double = pd.concat([panel, panel.assign(ons_code="X" + panel["ons_code"])])
    one, two = (twfe(council_design(p), inference="CR0") for p in (panel, double))
    assert two.estimates[0] == pytest.approx(one.estimates[0], rel=SOLVER)
    assert two.vcov.matrix[0, 0] == pytest.approx(one.vcov.matrix[0, 0] / 2, rel=SOLVER)


@pytest.mark.parametrize(
    "environment", [{"PYTHONHASHSEED": "1"}, {"PYTHONHASHSEED": "2", "OPENBLAS_NUM_THREADS": "1"}]
)
def test_same_bytes_in_another_process(environment: dict[str, str]) -> None:
    code = (
        "from clsimpact.datasets import load_mpdta; from clsimpact.design import Design;"
        "from clsimpact.estimators import event_study, twfe; import sys;"
        "d = Design(load_mpdta(), outcome='lemp', unit='county', time='year', cohort='first_treat');"
        "f = [twfe(d), event_study(d, inference='CR2')];"
        "sys.stdout.write(''.join(x.estimates.tobytes().hex() + x.vcov.matrix.tobytes().hex() for x in f))"
    )
    first = _run(code, {"PYTHONHASHSEED": "0"})
    assert len(first) > 100
    assert _run(code, environment) == first


def _run(code: str, environment: dict[str, str]) -> str:
    where = {**os.environ, **environment}
    return subprocess.run(
        [sys.executable, "-c", code], env=where, capture_output=True, text=True, check=True
    ).stdout


def test_demeaning_by_hand() -> None:
    out = demean(np.array([[1.0], [3.0], [8.0]]), np.array([0, 0, 1]), w=np.array([1.0, 3.0, 2.0]))
    np.testing.assert_allclose(out.ravel(), [-1.5, 0.5, 0.0], atol=EXACT)


@pytest.mark.parametrize("covariates", [["treated"], ["need", "need"]])
def test_terms_need_names_of_their_own(covariates: list[str]) -> None:
    panel = made_up()
    panel["treated"] = panel["need"]
    with pytest.raises(DesignError, match=f"two terms would be called '{covariates[0]}'"):
        twfe(council_design(panel, covariates=covariates))
