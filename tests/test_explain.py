"""The words of a result: summary, table and explanation follow from the numbers."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from clsimpact._explain import _clear_words, size
from clsimpact._sizes import HOLDS, nearest
from clsimpact.design import Design
from clsimpact.estimators import event_study, twfe
from clsimpact.results import Estimate
from tests.estimation_helpers import council_design, made_up, mpdta
from tests.stub_fits import cell_fit, one_fit

pytestmark = pytest.mark.usefixtures("usual_errors")


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
        "use inference='auto'",
    ):
        assert words in text
    assert text == twfe(council_design(panel)).summary()


def test_html_is_escaped() -> None:
    panel = made_up().rename(columns={"need": "<need>"})
    page = twfe(council_design(panel, covariates=["<need>"]))._repr_html_()
    assert "<need>" not in page
    assert "&lt;need&gt;" in page
    assert "<caption" in page


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
    rate = nearest("twfe", 6)["CR1"]
    assert rate.treated == 5
    assert rate.least > HOLDS
    text = "only 6 treated clusters: with 5 treated, a nominal 5% test of a true null rejected"
    assert f"{text} {rate} of the time with CR1" in fit.explain()
    assert "use inference='auto'" not in fit.with_covariance("CR2").explain()


@pytest.mark.filterwarnings("ignore::clsimpact.errors.RangeWarning")
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
    fit = event_study(council_design(panel, **words), inference="CR2")
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
    fit = estimator(_adopters([2016]), inference=kind)
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


def test_fewer_treated_than_were_measured() -> None:
    text = twfe(_adopters([2016] * 2), inference="CR2").explain()
    assert "only 2 treated clusters: with 3 treated, a nominal 5% test" in text
    assert "overall effect by two-way fixed effects, on made-up panels of 150 units" in text
    assert "fewer was not measured, and is worse" in text
    assert "fewer was not" not in twfe(_adopters([2016] * 3)).explain()


def test_counts_of_intervals_agree_and_leave_out_single_councils() -> None:
    """Both event times before adoption rest on one council; those after on two or three."""
    fit = event_study(_adopters([2015, 2015, 2017]), inference="CR2")
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


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("cells", "on average over treated units and periods, if trends"),
        ("dynamic", "on average over the event times, if trends"),
        ("group", "on average over the cohorts, by their size, if trends"),
        ("calendar", "on average over the periods, if trends"),
        ("simple", "on average over treated units and periods, if trends"),
    ],
)
def test_explain_says_what_the_overall_effect_averages_over(kind: str, words: str) -> None:
    fit = cell_fit(mpdta())
    fit = fit if kind == "cells" else fit.aggregate(kind)
    value = fit.overall["estimate"].iloc[0]
    first = fit.explain().splitlines()[0]
    assert f": {size(value, fit.design)} {words} were parallel." in first


def test_explain_of_cohorts_and_periods() -> None:
    fit = cell_fit(mpdta())
    tidy = fit.aggregate("group").tidy()
    low, high = (size(v, fit.design) for v in (tidy["estimate"].min(), tidy["estimate"].max()))
    assert f"By cohort the 3 effects range from {low} to {high}; " in fit.aggregate("group").explain()
    assert "By period the 4 effects range from" in fit.aggregate("calendar").explain()


def test_a_cohort_that_is_not_identified_is_told_and_not_mistaken_for_the_effect() -> None:
    design = mpdta()
    fit = cell_fit(design)
    group = fit.aggregate("group")
    first = dataclasses.replace(group.terms[0], reason="no control")
    gone = np.array([False, True, True])
    group = dataclasses.replace(
        group,
        terms=(first, *group.terms[1:]),
        identified=gone,
        estimates=np.where(gone, group.estimates, np.nan),
    )
    text = group.explain()
    assert text.startswith("Estimated effect of adoption")
    assert "By cohort the 2 effects range" in text
    assert "Not identified: g=2004." in text


def test_summary_of_influence_functions() -> None:
    fit = cell_fit(mpdta(), lost=(2004, 2007))
    text = fit.summary()
    for words in (
        "Comparison: units never treated",
        "Covariance: CR0 = 1 (no finite-sample factor); clusters: county (500, of which 191 treated); t with",
        "Overall (ATT): ",
        "g=2004,t=2003, g=2006,t=2005, g=2007,t=2006: reference period: zero by construction.",
        "g=2004,t=2007: no control.",
    ):
        assert words in text
    assert "already treated" not in text
    assert "two-way" not in text
    assert (
        "Comparison: units never or not yet treated, and units already treated"
        in event_study(mpdta()).summary()
    )
    assert "leaves out one cluster" in twfe(mpdta(), inference="CR3").summary()


def test_repr_of_effects_gives_the_overall_one() -> None:
    assert repr(cell_fit(mpdta())).startswith("group_time of lemp: ATT -0.04 (95% interval -0.06")
    assert repr(cell_fit(mpdta())).endswith(", CR0); 15 terms")
    assert repr(one_fit(mpdta(), "ATT", -0.04)).startswith("synthetic_did of lemp: ATT -0.04 (95% interval")


def test_html_of_effects() -> None:
    page = cell_fit(mpdta())._repr_html_()
    assert ">Comparison: units never treated<" in page
    assert page.count("reference period: zero by construction") == 1
