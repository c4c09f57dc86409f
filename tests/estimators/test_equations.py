"""The equation that stands below a table is that of the estimator, its covariates and its fixed effects."""

from __future__ import annotations

from typing import Any

import pytest

from clsimpact import estimators
from tests.estimation_helpers import council_design, made_up

YEARS = (2012, 2014, 2015, 2016, 2017, 2018, 2019, 2020)
EFFECTS = "cost[i,t] = unit[i] + year[t] + "
STACK = (
    "cost[i,a,e] = α0 + α1·treated[i,a] + Σ_{h ≠ r} λ[h]·1[e = h] + "
    "Σ_{h ≠ r} δ[h]·treated[i,a]·1[e = h] + error[i,a,e]"
)
EQUATIONS = {
    "twfe": EFFECTS + "τ·1[t ≥ cohort[i]]{} + error[i,t]",
    "event_study": EFFECTS + "Σ_{{e ∉ R}} β[e]·1[t − cohort[i] = e]{} + error[i,t]",
    "imputation": EFFECTS + "τ[i,t]·1[t ≥ cohort[i]]{} + error[i,t]",
    "two_stage": EFFECTS + "Σ_{{e ∉ R}} θ[e]·1[t − cohort[i] = e]{} + error[i,t]",
    "sun_abraham": EFFECTS + "Σ_{{g, e ≠ reference}} δ[g,e]·1[cohort[i] = g]·1[t − g = e]{} + error[i,t]",
    "extended_twfe": (
        "cost[i,t] = ons_code[i] + year[t] + Σ_(g,s) τ[g,s]·1[cohort[i] = g, t = s]{} + error[i,t]"
    ),
}


def fitted(name: str, **options: Any) -> str:
    design = council_design(made_up(n_units=40, years=YEARS, seed=22), **options)
    return str(getattr(estimators, name)(design).equation)


@pytest.mark.parametrize("name", EQUATIONS)
def test_a_covariate_stands_before_the_error(name: str) -> None:
    assert fitted(name) == EQUATIONS[name].format("")
    assert fitted(name, covariates=["need"]) == EQUATIONS[name].format(" + b·need[i,t]")


def test_a_constant_covariate_moves_the_effects_of_extended_twfe() -> None:
    data = made_up(n_units=40, years=YEARS, seed=22)
    data["size"] = data.groupby("ons_code")["size"].transform("first")
    design = council_design(data, covariates=["size", "need"])
    assert estimators.extended_twfe(design).equation == (
        "cost[i,t] = ons_code[i] + year[t] + Σ_(g,s) (τ[g,s] + ρ[g,s]·(size[i] − mean[g]))·"
        "1[cohort[i] = g, t = s] + π[t]·size[i] + b·need[i,t] + error[i,t]"
    )


def test_a_local_projection_takes_covariates_of_the_base_period() -> None:
    plain = "cost[i,s+e] − cost[i,b(s)] = year[s,e] + β[e]·1[cohort[i] = s]{} + error[i,s,e]"
    assert fitted("local_projection") == plain.format("")
    assert fitted("local_projection", covariates=["need"]) == plain.format(" + γ[e]·need[i,b(s)]")


def test_a_stack_has_groups_and_event_times() -> None:
    assert fitted("stacked") == STACK


def test_synthetic_weights_are_for_outcomes_net_of_covariates() -> None:
    plain = "per cohort: weighted least squares of {} on ons_code[i] + year[t] + τ·treated, weights"
    assert fitted("synthetic_did").startswith(plain.format("cost[i,t]"))
    both = fitted("synthetic_did", covariates=["need"])
    assert both.startswith(plain.format("(cost[i,t] − b·need[i,t])"))


def test_changes_are_named_by_cohort_and_period() -> None:
    assert fitted("group_time") == (
        "ATT[g,t] = mean(cost[t] − cost[b] | cohort g) − mean(cost[t] − cost[b] | controls)"
    )
    assert fitted("did_m").startswith("DID[e] = Σ_g A[g]·Δ[g, g+e] / Σ_g A[g], Δ[g,t] = change of cost from")
    assert "change of (cost − θ'x) from" in fitted("did_m", covariates=["need"])


def test_the_comparison_of_extended_twfe_is_said() -> None:
    design = council_design(made_up(n_units=40, years=YEARS, seed=22))
    for control, words in (
        ("not_yet", "councils not yet treated, and those that"),
        ("never", "councils that"),
    ):
        notes = estimators.extended_twfe(design, control=control).notes  # type: ignore[arg-type]
        assert notes[0].startswith(f"Comparison: {words} never adopt, or adopt after 2020")


@pytest.mark.parametrize("name", estimators.__all__)
def test_a_result_names_its_estimator(name: str) -> None:
    result = getattr(estimators, name)(council_design(made_up(n_units=40, years=YEARS, seed=22)))
    assert result.estimator == name


def test_anticipation_moves_the_adoption_of_twfe() -> None:
    assert fitted("twfe", anticipation=1) == EFFECTS + "τ·1[t ≥ cohort[i] − 1] + error[i,t]"
