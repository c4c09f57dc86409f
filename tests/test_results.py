"""Views on a result: the tidy frame, words, combinations, other covariances, the second opinion."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import clsimpact._verify
from clsimpact._tidy import FLAT, Term, tidy_frame
from clsimpact.datasets import example_design, load_mpdta
from clsimpact.design import Design
from clsimpact.errors import DesignError
from clsimpact.estimators import event_study, local_projection, twfe
from clsimpact.inference import satterthwaite
from clsimpact.inference.influence import Adjusted
from clsimpact.results import TIDY_COLUMNS, embedded
from tests.estimation_helpers import EXACT, ORACLE, SOLVER, council_design, made_up, mpdta
from tests.stub_fits import cell_fit, influence, path_fit

pytestmark = pytest.mark.usefixtures("usual_errors")

TIDY = [
    "term", "event_time", "cohort", "estimate", "std_error", "statistic", "p_value", "conf_low", "conf_high",
    "n_units", "n_obs", "identified", "reason",
]  # fmt: skip


def test_tidy_columns_and_types() -> None:
    assert list(TIDY_COLUMNS) == TIDY
    for fit in (twfe(mpdta()), event_study(mpdta())):
        tidy = fit.tidy()
        assert list(tidy.columns) == TIDY
        assert tidy.dtypes[["event_time", "cohort", "n_units", "n_obs"]].astype(str).tolist() == ["Int64"] * 4
        assert tidy["identified"].dtype == bool


def test_intervals_by_hand() -> None:
    row = twfe(mpdta(), level=0.9).tidy().iloc[0]
    margin = stats.t.ppf(0.95, 499) * row["std_error"]
    assert row["conf_high"] - row["estimate"] == pytest.approx(margin, rel=ORACLE)
    assert row["estimate"] - row["conf_low"] == pytest.approx(margin, rel=ORACLE)
    assert row["p_value"] == pytest.approx(
        2 * stats.t.sf(abs(row["estimate"] / row["std_error"]), 499), rel=ORACLE
    )
    assert (row["n_units"], row["n_obs"]) == (191, 291)


def test_result_is_frozen_and_views_are_fresh() -> None:
    fit = twfe(mpdta())
    with pytest.raises(dataclasses.FrozenInstanceError):
        fit.level = 0.5
    tidy = fit.tidy()
    tidy["estimate"] = 0.0
    fit.provenance["roles"].clear()
    assert fit.tidy()["estimate"].iloc[0] != 0
    assert fit.provenance["roles"]["outcome"] == "lemp"
    assert not fit.vcov.matrix.flags.writeable


def test_with_covariance_equals_a_fit_with_it() -> None:
    one, two = twfe(mpdta()).with_covariance("CR2"), twfe(mpdta(), inference="CR2")
    pd.testing.assert_frame_equal(one.tidy(), two.tidy(), check_exact=True)
    assert one.with_covariance("CR1", level=0.9).level == 0.9


def test_linear_combination_by_hand() -> None:
    fit = event_study(mpdta())
    v = fit.covariance.loc[["e=0", "e=1"], ["e=0", "e=1"]].to_numpy()
    row = fit.linear_combination({"e=0": 0.25, "e=1": 0.75}, label="mix").iloc[0]
    assert row["std_error"] == pytest.approx(
        np.sqrt(v[0, 0] / 16 + 9 * v[1, 1] / 16 + 6 * v[0, 1] / 16), rel=EXACT
    )
    tidy = fit.tidy().set_index("term")["estimate"]
    assert row["estimate"] == pytest.approx(0.25 * tidy["e=0"] + 0.75 * tidy["e=1"], rel=EXACT)
    assert (row["term"], row["n_units"], row["n_obs"]) == ("mix", 191, 251)


def test_average_is_the_coefficient_of_a_rotated_regression() -> None:
    """CR2 and its df of the mean of two lags, from a regression where that mean is itself one coefficient."""
    design = council_design(made_up(share=0.9))
    fit = event_study(design, leads=1, lags=1, inference="CR2")
    row = fit.average().iloc[0]
    reg = fit.fitted()
    from clsimpact.estimators._within import regress

    assert fit.tidy()["term"].tolist() == ["e<=-1", "e=0", "e>=1"]
    early, zero, late = reg.columns.T
    rotated = regress(design, np.column_stack([zero + late, (zero - late) / 2, early]))
    assert row["estimate"] == pytest.approx(rotated.coefficients[0], rel=SOLVER)
    df = satterthwaite(rotated.influence[:, 0], rotated.basis, design.cluster_codes, kind="CR2")
    t = stats.t.ppf(0.975, df)
    assert (row["conf_high"] - row["estimate"]) / row["std_error"] == pytest.approx(t, rel=SOLVER)


def test_average_sides_weights_and_overall() -> None:
    fit = event_study(mpdta())
    tidy = fit.tidy().set_index("event_time")["estimate"]
    after = fit.average().iloc[0]
    assert after["estimate"] == pytest.approx(tidy[[0, 1, 2, 3]].mean(), rel=EXACT)
    assert fit.average(post=False)["estimate"].iloc[0] == pytest.approx(tidy[[-4, -3, -2]].mean(), rel=EXACT)
    weighted = fit.average(weights={0: 3, 1: 1})["estimate"].iloc[0]
    assert weighted == pytest.approx(0.75 * tidy[0] + 0.25 * tidy[1], rel=EXACT)
    pd.testing.assert_frame_equal(fit.overall, fit.average())
    assert twfe(mpdta()).overall["term"].tolist() == ["treated"]


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ({"e=9": 1.0}, "'e=9' is not a term"),
        ({"e=-1": 1.0}, "e=-1 is not identified"),
        ({}, "cannot be estimated"),
    ],
)
def test_bad_combinations(weights: dict[str, float], words: str) -> None:
    with pytest.raises(DesignError, match=words):
        event_study(mpdta()).linear_combination(weights)


def test_bad_averages() -> None:
    fit = event_study(mpdta())
    with pytest.raises(DesignError, match="event time -1 is not an identified term"):
        fit.average(weights={-1: 1.0})
    with pytest.raises(DesignError, match="nothing to average"):
        fit.average(weights={0: 1.0, 1: -1.0})
    with pytest.raises(DesignError, match="nothing to average"):
        twfe(mpdta()).average()


def test_covariance_is_labelled_and_symmetric() -> None:
    v = event_study(mpdta()).covariance
    assert list(v.index) == list(v.columns) == ["e=-4", "e=-3", "e=-2", "e=0", "e=1", "e=2", "e=3"]
    np.testing.assert_allclose(v, v.T, rtol=EXACT)
    assert np.linalg.eigvalsh(v).min() > 0


def test_verify_agrees_and_says_how() -> None:
    check = event_study(mpdta()).verify()
    assert bool(check["agrees"].all())
    assert check.attrs["tolerance"] == clsimpact._verify.AGREEMENT
    assert check.attrs["variance_factors"]["statsmodels"] == pytest.approx(500 / 499 * 2499 / 2488, rel=EXACT)


def test_verify_can_disagree() -> None:
    """A wrong estimate, or a wrong standard error, must not pass."""
    fit = twfe(mpdta())
    wrong = dataclasses.replace(fit, estimates=fit.estimates * (1 + 1e-6))
    assert not wrong.verify()["agrees"].any()
    counts = dataclasses.replace(fit.vcov.counts, k_nested=7)
    wrong = dataclasses.replace(fit, vcov=dataclasses.replace(fit.vcov, counts=counts))
    assert not wrong.verify()["agrees"].any()


def test_verify_of_cr2_is_on_cr1() -> None:
    assert twfe(mpdta(), inference="CR2").verify()["covariance"].tolist() == ["CR1"]


def test_model_is_the_library_result() -> None:
    fit = twfe(mpdta())
    assert type(fit.model).__module__.startswith("linearmodels")
    assert float(fit.model.params["treated"]) == pytest.approx(fit.estimates[0], rel=SOLVER)
    regions = twfe(council_design(made_up(), effects="region"))
    assert type(regions.model).__module__.startswith("statsmodels")
    assert float(regions.model.params["treated"]) == pytest.approx(regions.estimates[0], rel=SOLVER)


def test_the_example_design_is_that_of_the_textbook() -> None:
    pd.testing.assert_frame_equal(example_design().data, mpdta().data)


def test_tidy_is_the_frame_that_pandas_would_infer() -> None:
    """The constructor takes a shorter way; types and values are those of the plain one."""
    tidy = event_study(mpdta()).tidy()
    plain = pd.DataFrame({name: tidy[name].tolist() for name in TIDY}, columns=TIDY)
    whole = ["event_time", "cohort", "n_units", "n_obs"]
    pd.testing.assert_frame_equal(tidy, plain.astype(dict.fromkeys(whole, "Int64")), check_exact=True)
    assert tidy["cohort"].isna().all()


def test_tidy_shares_no_memory_with_the_result() -> None:
    fit = event_study(mpdta())
    tidy = fit.tidy()
    for name, own in (("estimate", fit.estimates), ("identified", fit.identified)):
        assert not np.shares_memory(tidy[name].to_numpy(), own)


def test_overall_of_cells_is_their_total() -> None:
    fit = cell_fit(mpdta())
    assert fit.overall["term"].tolist() == ["ATT"]
    cells = fit.tidy().query("identified and event_time >= 0")
    want = np.average(cells["estimate"], weights=cells["n_units"])
    assert fit.overall["estimate"].iloc[0] == pytest.approx(want, rel=EXACT)


def test_average_of_cells_goes_by_event_time() -> None:
    fit = cell_fit(mpdta())
    dynamic = fit.aggregate("dynamic")
    assert fit.average()["estimate"].iloc[0] == pytest.approx(dynamic.overall["estimate"].iloc[0], rel=EXACT)
    assert fit.average()["std_error"].iloc[0] == pytest.approx(
        dynamic.overall["std_error"].iloc[0], rel=EXACT
    )
    first = fit.average(weights={0: 1.0})["estimate"].iloc[0]
    assert first == pytest.approx(dynamic.tidy().set_index("term").loc["e=0", "estimate"], rel=EXACT)


def test_averages_keep_covariance_and_level() -> None:
    fit = cell_fit(mpdta()).with_inference("CR1", level=0.9)
    made = fit.aggregate("group")
    assert (made.vcov.kind, made.level, made.total.vcov.kind) == ("CR1", 0.9, "CR1")


def test_bad_aggregations() -> None:
    with pytest.raises(DesignError, match=r"'dynamc' is not known \(did you mean 'dynamic'"):
        cell_fit(mpdta()).aggregate("dynamc")
    with pytest.raises(DesignError, match="twfe has no effects by cohort and period"):
        twfe(mpdta()).aggregate("group")
    with pytest.raises(DesignError, match="not coefficients of one regression"):
        cell_fit(mpdta()).fitted()


def test_cr2_of_a_combination_where_the_last_number_has_no_term() -> None:
    """The overall effect stands behind the last number; degrees of freedom must still match."""
    design = mpdta()
    held = influence(design, [1.0, 2.0, 1.5], [0.1, 0.2, 0.1])
    seen: list[tuple[int, ...]] = []

    def adjusted() -> Adjusted:
        def df(weights: np.ndarray) -> np.ndarray:
            seen.append(weights.shape)
            return np.full(weights.shape[1], 7.0) + (np.eye(3) @ weights).sum() * 0

        return Adjusted(held.psi, df)

    held = dataclasses.replace(held, adjusted=adjusted)
    good = np.array([True, True])
    path = path_fit(design, {0: 1.0, 1: 2.0}, reference=None)
    vcov = embedded(held, (0, 1), good, "CR2")
    fit = dataclasses.replace(path, uncertainty=held, slots=(0, 1), vcov=vcov)
    row = fit.linear_combination({"e=0": 0.5, "e=1": 0.5})
    assert row["estimate"].iloc[0] == pytest.approx(1.5, rel=EXACT)
    assert seen[-1] == (3, 1)


def test_options_are_in_the_provenance() -> None:
    fit = path_fit(mpdta(), {0: 1.0}, options={"control": "never"})
    assert fit.provenance["estimate"]["options"] == {"control": "never"}


def test_an_error_of_zero_is_not_told_as_certainty() -> None:
    panel = load_mpdta().query("first_treat in (0, 2006) and year in (2005, 2006)")
    pair = panel[panel["county"].isin(panel.drop_duplicates("first_treat")["county"])]
    design = Design(pair, outcome="lemp", unit="county", time="year", cohort="first_treat")
    row = local_projection(design, inference="CR0").tidy().iloc[0]
    assert np.isfinite(row["estimate"])
    assert np.isnan(row["std_error"])
    assert row["reason"]
    one = np.ones(1)
    flat = tidy_frame((Term("a", None, None, 5, 9),), one, 0 * one, one, one == 1, 0.9)
    assert flat["reason"].tolist() == [FLAT]
