"""Views on a result: the tidy frame, words, combinations, other covariances, the second opinion."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import clsimpact._verify
from clsimpact._explain import _clear_words, size
from clsimpact.design import Design
from clsimpact.errors import DesignError
from clsimpact.estimators import event_study, twfe
from clsimpact.inference import satterthwaite
from clsimpact.results import TIDY_COLUMNS, Estimate
from tests.estimation_helpers import EXACT, ORACLE, SOLVER, council_design, made_up, mpdta

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
    one, two = twfe(mpdta()).with_covariance("CR2"), twfe(mpdta(), covariance="CR2")
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
    fit = event_study(design, leads=1, lags=1, covariance="CR2")
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
    assert twfe(mpdta(), covariance="CR2").verify()["covariance"].tolist() == ["CR1"]


def test_model_is_the_library_result() -> None:
    fit = twfe(mpdta())
    assert type(fit.model).__module__.startswith("linearmodels")
    assert float(fit.model.params["treated"]) == pytest.approx(fit.estimates[0], rel=SOLVER)
    regions = twfe(council_design(made_up(), effects="region"))
    assert type(regions.model).__module__.startswith("statsmodels")
    assert float(regions.model.params["treated"]) == pytest.approx(regions.estimates[0], rel=SOLVER)


def test_summary_states_sample_covariance_and_drops() -> None:
    panel = made_up()
    panel.loc[4, "cost"] = np.nan
    text = twfe(council_design(panel)).summary()
    for words in (
        "40 councils (15 treated, 25 never treated), 5 periods 2014, 2016, 2017, 2020, 2021, 199 rows",
        "Treated by cohort: 2016: 5, 2017: 5, 2018: 5",
        "Dropped: 1 row: missing cost",
        "cost[i,t] = unit[i] + year[t] + τ·1[t ≥ cohort[i]] + error[i,t]",
        "CR1 = 40/39 · 198/193 = 1.0522",
        "only 15 treated clusters",
        "use covariance='CR2'",
    ):
        assert words in text
    assert text == twfe(council_design(panel)).summary()


def test_html_is_escaped() -> None:
    panel = made_up().rename(columns={"need": "<need>"})
    page = twfe(council_design(panel, covariates=["<need>"]))._repr_html_()
    assert "<need>" not in page
    assert "&lt;need&gt;" in page
    assert "<caption>" in page


def _made(effect: float, noise: float, seed: int = 0) -> Estimate:
    rng = np.random.default_rng(seed)
    rows = []
    for u in range(60):
        cohort = 3 if u < 30 else np.nan
        rows += [(u, t, cohort, u + effect * (t >= cohort) + noise * rng.normal()) for t in (1, 2, 3, 4)]
    panel = pd.DataFrame(rows, columns=["u", "t", "c", "y"])
    words = {"outcome_label": "Requests per adult", "outcome_unit": "requests"}
    return twfe(Design(panel, outcome="y", unit="u", time="t", cohort="c", **words))


@pytest.mark.parametrize(("effect", "side"), [(5.0, "higher"), (-5.0, "lower")])
def test_explain_follows_sign_and_interval(effect: float, side: str) -> None:
    text = _made(effect, 1.0).explain()
    head = "Estimated effect of adoption on requests per adult (requests): "
    assert text.startswith(head)
    assert text.splitlines()[0].endswith(f" requests {side}, if trends were parallel.")
    assert "it excludes zero. Effects outside the interval are hard to reconcile with these data" in text


def test_explain_does_not_claim_absence() -> None:
    fit = _made(0.0, 3.0, seed=4)
    row = fit.tidy().iloc[0]
    assert row["conf_low"] < 0 < row["conf_high"]
    text = fit.explain()
    assert "includes zero, which is not evidence of no effect" in text
    assert "effects inside are not ruled out" in text
    assert "had no effect" not in text
    assert "rules out" not in text


def test_explain_warns_of_few_treated() -> None:
    fit = twfe(council_design(made_up(n_units=16)))
    assert (
        "only 6 treated clusters: with 5 treated, a 5% test of a true null rejected 14.1-14.4%"
        in fit.explain()
    )
    assert "use covariance='CR2'" not in fit.with_covariance("CR2").explain()


@pytest.mark.parametrize(
    ("unit", "value", "words"),
    [
        ("£ per adult, 2021-22 prices", 12.6, "£12.6 higher"),
        ("£000, 2021-22 prices", 1002.0, "£1,002 thousand higher"),
        ("£000, cash", -3.5, "£3.5 thousand lower"),
        ("£m", 1.25, "£1.25 million higher"),
        ("%", 8.3, "8.3 percentage points higher"),
        ("proportion of requests", -0.106, "10.6 percentage points lower"),
        ("ratio", -0.023, "0.023 lower"),
        ("log points", -0.0365, "0.0365 log points lower"),
        ("None", 2.0, "2 higher"),
        ("", 2.0, "2 higher"),
    ],
)
def test_a_difference_in_the_words_of_its_unit(unit: str, value: float, words: str) -> None:
    design = council_design(made_up(n_units=16), outcome_unit=unit)
    assert size(value, design) == words


def test_a_missing_unit_is_not_printed() -> None:
    panel = made_up()
    panel.attrs["columns"] = {"cost": {"label": "Cost", "unit": None}}
    fit = event_study(council_design(panel))
    assert fit.explain().startswith("Estimated effect of adoption on cost: ")
    assert "None" not in fit.explain() + fit.summary()


def test_explain_in_the_unit_of_a_proportion() -> None:
    panel = made_up()
    panel["cost"] /= 1000
    words = {"outcome_label": "Requests that ended in signposting", "outcome_unit": "proportion of requests"}
    fit = event_study(council_design(panel, **words), covariance="CR2")
    row = fit.overall.iloc[0]
    text = fit.explain().splitlines()
    assert text[0] == (
        "Estimated effect of adoption on requests that ended in signposting (proportion of requests): "
        f"{-100 * row['estimate']:.3g} percentage points lower on average over the event times, if trends "
        "were parallel."
    )
    before = fit.tidy().query("event_time < 0 and identified")["estimate"]
    low, high = (f"{abs(100 * v):.3g} percentage points" for v in (before.min(), before.max()))
    assert f"range from {low} lower to {high} " in text[2]


def _adopters(cohorts: list[int], **options: object) -> Design:
    """Adopters in the years given, among 20 councils; an effect far beyond the noise."""
    panel = made_up(n_units=20, years=(2014, 2015, 2016, 2017, 2018, 2019))
    first = {f"E{i:03d}": year for i, year in enumerate(cohorts)}
    panel["adoption_year"] = panel["ons_code"].map(first)
    panel["cost"] += 50.0 * (panel["year"] >= panel["adoption_year"])
    return council_design(panel, **options)


@pytest.mark.parametrize("estimator", [twfe, event_study])
@pytest.mark.parametrize("kind", ["CR1", "CR2"])
def test_one_treated_council_has_no_interval_in_words(estimator: Callable[..., Estimate], kind: str) -> None:
    fit = estimator(_adopters([2016]), covariance=kind)
    text = fit.explain()
    reason = (
        "only 1 treated council: no interval can be trusted, because its own variation cannot be estimated"
    )
    assert "the estimate rests on one treated council, whose own variation cannot be estimated" in text
    assert reason in text
    assert reason in fit.summary()
    for words in ("zero.", "zero,", "rejected", "interval runs", "use covariance", "too narrow"):
        assert words not in text.replace("near zero before", "")
    assert fit.tidy()["conf_low"].notna().any()
    assert "interval" not in repr(twfe(_adopters([2016]))).replace("no interval can be trusted", "")


def test_one_treated_region_is_named() -> None:
    text = twfe(_adopters([2016, 2016], cluster="region")).explain()
    assert "the estimate rests on one treated cluster (region)" in text
    assert "only 1 treated cluster (region): no interval can be trusted" in text


@pytest.mark.parametrize("count", [2, 4])
def test_fewer_treated_than_were_measured(count: int) -> None:
    text = twfe(_adopters([2016] * count), covariance="CR2").explain()
    assert (
        f"only {count} treated clusters: error rates were measured for 5 or more treated only, and fewer is "
        "worse; with 5 treated, "
    ) in text
    assert "measured for the static effect on balanced made-up panels of 150 units and 8 periods" in text
    assert "not measured for event times or averages over them" in text
    assert "5 or more" not in twfe(_adopters([2016] * 5)).explain()


def test_counts_of_intervals_agree_and_leave_out_single_councils() -> None:
    """Both event times before adoption rest on one council; those after on two or three."""
    fit = event_study(_adopters([2015, 2015, 2017]), covariance="CR2")
    tidy = fit.tidy()
    after = tidy[(tidy["event_time"] >= 0) & tidy["identified"]]
    assert after["n_units"].tolist() == [3, 3, 3, 2, 2]
    before = tidy[(tidy["event_time"] < 0) & tidy["identified"]]
    assert before["n_units"].tolist() == [1, 1]
    text = fit.explain()
    assert "all 2 rest on one treated council each, so their intervals cannot be trusted." in text
    assert "Before adoption the 2 coefficients range from" in text
    clear = int(((after["conf_low"] > 0) | (after["conf_high"] < 0)).sum())
    assert _clear_words(clear, 5) in text


def test_an_interval_of_one_council_does_not_count() -> None:
    """All five intervals after adoption exclude zero; two of them rest on one council."""
    fit = event_study(_adopters([2015, 2017, 2017]))
    after = fit.tidy().query("event_time >= 0")
    assert after["n_units"].tolist() == [3, 3, 3, 1, 1]
    assert (after["conf_low"] > 0).all()
    words = "all 3 intervals exclude zero; 2 rest on one treated council each, so their intervals cannot be "
    assert f"; {words}trusted." in fit.explain()


@pytest.mark.parametrize(
    ("clear", "total", "words"),
    [
        (1, 2, "1 of the 2 intervals excludes zero"),
        (2, 5, "2 of the 5 intervals exclude zero"),
        (0, 5, "none of the 5 intervals excludes zero"),
        (3, 3, "all 3 intervals exclude zero"),
        (1, 1, "the one interval counted excludes zero"),
        (0, 1, "the one interval counted includes zero"),
    ],
)
def test_grammar_of_counts(clear: int, total: int, words: str) -> None:
    assert _clear_words(clear, total) == words


def test_repr_is_deterministic() -> None:
    assert repr(event_study(mpdta())) == "event_study of lemp: 8 terms (CR1)"
