"""The Goodman-Bacon decomposition and the weights of two-way fixed effects."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from clsimpact.decomposition.bacon import FORBIDDEN, TYPES, BaconDecomposition, bacon
from clsimpact.decomposition.twfe_weights import TwfeWeights, twfe_weights
from clsimpact.design import Design
from clsimpact.errors import DesignError
from clsimpact.estimators import twfe
from tests.estimation_helpers import EXACT, castle, council_design, ehec, made_up, mpdta, stagg
from tests.oracles.panels import PANELS

pytestmark = pytest.mark.usefixtures("usual_errors")

REFERENCE = 1e-10
"""R's values have 15 digits; two orders of summation meet."""

YEARS = (2014, 2016, 2017, 2020, 2021)


def coefficient(design: Design) -> float:
    return float(twfe(design).tidy()["estimate"].iloc[0])


def total(found: BaconDecomposition) -> tuple[float, float]:
    weights = np.array([c.weight for c in found.comparisons])
    estimates = np.array([c.estimate for c in found.comparisons])
    return float(weights.sum()), float(weights @ estimates)


def small(rows: dict[str, list[float]], cohorts: dict[str, float], **options: object) -> Design:
    first = len(next(iter(rows.values())))
    data = pd.DataFrame(
        [(u, 2000 + t, y, cohorts[u]) for u, path in rows.items() for t, y in enumerate(path)],
        columns=["unit", "year", "y", "g"],
    )
    assert len(data) == first * len(rows)
    roles = {"outcome": "y", "unit": "unit", "time": "year", "cohort": "g"}
    return Design(data, **(roles | options))  # type: ignore[arg-type]


# --- bacon: values --------------------------------------------------------------------------------------


def against_r(found: BaconDecomposition, table: pd.DataFrame) -> None:
    ours = {(c.treated, c.comparison): c for c in found.comparisons}
    assert len(table) == len(ours)
    for row in table.itertuples():
        other = "never treated" if row.untreated == "Inf" else row.untreated
        mine = ours[row.treated, other]
        assert mine.estimate == pytest.approx(row.estimate, abs=REFERENCE)
        assert mine.weight == pytest.approx(row.weight, abs=REFERENCE)
        kind = {
            "Treated vs Untreated": TYPES[0],
            "Earlier vs Later Treated": TYPES[1],
            "Later vs Earlier Treated": TYPES[2],
        }[row.type]
        assert mine.kind == kind


def test_every_comparison_of_castle_doctrine_is_that_of_bacondecomp(reference: Path) -> None:
    table = pd.read_csv(reference / "castle_2x2.csv", dtype={"treated": str})
    table["untreated"] = table["untreated"].map(lambda v: "Inf" if np.isinf(v) else str(int(v)))
    found = bacon(castle(reference))
    against_r(found, table)
    types = found.by_type().set_index("type")
    assert types.loc[TYPES[0], "weight"] == pytest.approx(0.90833857, abs=1e-8)
    assert types.loc[TYPES[2], "estimate"] == pytest.approx(0.07032063, abs=1e-8)
    assert found.coefficient == pytest.approx(0.0818116169306475, abs=REFERENCE)


R_2X2 = """2006 2007  0.0184803808075374 0.0520054519710463 Earlier
2004 2007 -0.0910554016004895 0.0260027259855232 Earlier
2007 2006  0.0105754538741577 0.0173351506570154 Later
2004 2006 -0.0456079052110276 0.00529317577313449 Earlier
2007 Inf  -0.0431060328086982 0.535656155301777 Treated
2006 Inf  -0.022570047608475 0.245338697084783 Treated
2004 Inf  -0.0797491265747286 0.0817795656949278 Treated
2007 2004 -0.0196048059267946 0.0260027259855232 Later
2006 2004  0.0542869002005495 0.010586351546269 Later"""
"""R bacondecomp 0.1.3 on mpdta: treated, untreated, estimate, weight, type."""

LONG = {
    "Earlier": "Earlier vs Later Treated",
    "Later": "Later vs Earlier Treated",
    "Treated": "Treated vs Untreated",
}


def test_every_comparison_of_mpdta_is_that_of_bacondecomp() -> None:
    rows = [line.split() for line in R_2X2.splitlines()]
    table = pd.DataFrame(rows, columns=["treated", "untreated", "estimate", "weight", "type"])
    table = table.astype({"estimate": float, "weight": float}).assign(type=table["type"].map(LONG))
    found = bacon(mpdta())
    against_r(found, table)
    assert found.by_type()["weight"].tolist() == pytest.approx([0.86277442, 0.08330135, 0.05392423], abs=1e-8)
    assert found.by_type()["estimate"].tolist() == pytest.approx(
        [-0.04073970, -0.01978382, 0.00460366], abs=1e-8
    )
    assert found.forbidden == pytest.approx(0.05392423, abs=1e-8)


def test_two_groups_are_one_comparison_by_hand() -> None:
    found = bacon(small({"a": [1, 2, 7, 8], "b": [1, 1, 2, 3]}, {"a": 2002, "b": np.nan}))
    (only,) = found.comparisons
    assert only.estimate == pytest.approx((7.5 - 1.5) - (2.5 - 1), abs=EXACT)
    assert (only.weight, only.first, only.switch, only.last) == (1.0, 2000, 2002, 2003)
    assert "No comparison uses a group that is already treated." in found.explain()


def test_three_groups_by_hand() -> None:
    """Cohorts 2001 and 2002 and one never treated, one unit each, three periods: D shares 2/3 and 1/3."""
    rows = {"a": [0.0, 4, 5], "b": [1.0, 2, 8], "c": [2.0, 2, 3]}
    found = bacon(small(rows, {"a": 2001, "b": 2002, "c": np.nan}))
    raw = {
        ("2001", "never treated"): (2 / 3 * 1 / 3, 4.5 - 0.5),
        ("2002", "never treated"): (1 / 3 * 2 / 3, 6.5 - 1),
        ("2001", "2002"): (1 / 3 * 1 / 3, 4 - 1),
        ("2002", "2001"): (1 / 3 * 1 / 3, 6 - 1),
    }
    scale = sum(weight for weight, _ in raw.values())
    for comparison in found.comparisons:
        weight, estimate = raw[comparison.treated, comparison.comparison]
        assert comparison.weight == pytest.approx(weight / scale, abs=EXACT)
        assert comparison.estimate == pytest.approx(estimate, abs=EXACT)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 10**6), st.lists(st.integers(-1, 6), min_size=2, max_size=12), st.booleans(), st.booleans()
)
def test_the_comparisons_rebuild_the_coefficient(
    seed: int, starts: list[int], never: bool, weighted: bool
) -> None:
    rng = np.random.default_rng(seed)
    starts = [*starts, *([9] if never else [1, 3])]
    assume(min(starts) < 6)
    rows = {
        f"u{i:02d}": (rng.normal(size=6).cumsum() + rng.normal() * 5).tolist() for i in range(len(starts))
    }
    cohorts = {f"u{i:02d}": 2000.0 + s if s < 9 else np.nan for i, s in enumerate(starts)}
    data = pd.DataFrame(
        [(u, 2000 + t, y, cohorts[u]) for u, path in rows.items() for t, y in enumerate(path)],
        columns=["unit", "year", "y", "g"],
    )
    data["w"] = data["unit"].map({u: rng.uniform(0.1, 4) for u in rows})
    options = {"weights": "w"} if weighted else {}
    roles = {"outcome": "y", "unit": "unit", "time": "year", "cohort": "g", "always_treated": "keep"}
    design = Design(data, **roles, **options)  # type: ignore[arg-type]
    paths = {min(max(s, 0), 6) for s in starts}
    if len(paths) < 2 or paths == {0, 6}:
        for refused in (bacon, twfe_weights):
            with pytest.raises(DesignError, match="nothing to"):
                refused(design)
        return
    found = bacon(design)
    weights, rebuilt = total(found)
    assert weights == pytest.approx(1, abs=EXACT)
    assert rebuilt == pytest.approx(coefficient(design), abs=1e-11)
    assert all(c.weight > 0 for c in found.comparisons)
    assert found.by_type()["weight"].sum() == pytest.approx(1, abs=EXACT)


SHORT = {TYPES[0]: "never", TYPES[1]: "earlier", TYPES[2]: "later"}
ROLES = {"outcome": "y", "unit": "unit", "time": "time", "cohort": "cohort"}


def frozen_rows(frozen: Path, panel: str, estimator: str) -> pd.DataFrame:
    table = pd.read_csv(frozen / "decompositions.csv")
    return table[(table["panel"] == panel) & (table["estimator"] == estimator)]


@pytest.mark.parametrize("panel", ["balanced", "no_never", "late", "mpdta"])
def test_comparisons_of_three_programs(frozen: Path, panel: str) -> None:
    """diff-diff, pybacondecomp and StatsPAI; diff-diff alone splits the untreated of ``late`` by cohort."""
    found = bacon(Design(PANELS[panel](), **ROLES))
    ours = {"twfe": (found.coefficient, 1.0)}
    for c in found.comparisons:
        other = "" if c.kind == TYPES[0] else f":{c.comparison}"
        ours[f"{SHORT[c.kind]}:{c.treated}{other}"] = (c.estimate, c.weight)
    for row in found.by_type().to_dict("records"):
        ours[SHORT[row["type"]]] = (row["estimate"], row["weight"])
    table = frozen_rows(frozen, panel, "bacon")
    table = table[(table["package"] != "diff-diff") | (panel != "late")]
    assert set(table["term"]) == set(ours)
    for row in table.itertuples():
        assert ours[row.term] == pytest.approx((row.estimate, row.std_error), abs=1e-12)


@pytest.mark.parametrize("panel", ["balanced", "missing", "no_never", "late", "mpdta"])
def test_weights_of_two_programs(frozen: Path, panel: str) -> None:
    """twowayfeweights and diff-diff, whose first measure has the divisor n."""
    found = twfe_weights(Design(PANELS[panel](), **ROLES))
    n = found.n_treated_rows
    ours = dict(zip(NAMES, [*measures(found), n], strict=True))
    cells = found.tidy()
    ours |= {
        f"weight:{g}:{t}": w
        for g, t, w in zip(cells["cohort"], cells["period"], cells["weight"], strict=True)
    }
    for row in frozen_rows(frozen, panel, "twfe_weights").itertuples():
        larger = row.term == "sigma:zero_average" and row.package == "diff-diff"
        factor = np.sqrt(n / (n - 1)) if larger else 1.0
        assert ours[row.term] * factor == pytest.approx(row.estimate, abs=1e-11), row.term


NAMES = ("beta", "negative:cells", "negative:sum", "sigma:zero_average", "sigma:all_opposite", "cells")


# --- bacon: samples -------------------------------------------------------------------------------------


def test_always_treated_are_a_forbidden_comparison() -> None:
    rows = {"a": [1.0, 5, 6], "b": [1.0, 2, 8], "c": [2.0, 2, 3]}
    cohorts = {"a": 1999.0, "b": 2002.0, "c": np.nan}
    found = bacon(small(rows, cohorts, always_treated="keep"))
    assert {c.kind for c in found.comparisons} == {TYPES[0], TYPES[3]}
    assert found.forbidden == pytest.approx(0.5, abs=EXACT)
    assert TYPES[2:] == FORBIDDEN


def test_no_never_treated_group_leaves_timing_comparisons_only() -> None:
    rows = {"a": [0.0, 4, 5], "b": [1.0, 2, 8]}
    found = bacon(small(rows, {"a": 2001.0, "b": 2002.0}))
    assert [c.kind for c in found.comparisons] == [TYPES[1], TYPES[2]]
    assert found.forbidden == pytest.approx(0.5, abs=EXACT)
    only = bacon(small(rows, {"a": 1990.0, "b": 2002.0}, always_treated="keep"))
    assert only.forbidden == pytest.approx(1.0, abs=EXACT)
    assert "There is no other comparison." in only.explain()


def test_cohorts_that_start_in_one_observed_year_are_one_group_and_anticipation_counts() -> None:
    data = made_up()
    found = bacon(council_design(data.assign(adoption_year=data["adoption_year"].replace(2016, 2015))))
    assert {c.treated for c in found.comparisons} == {"2015", "2017", "2018"}
    merged = bacon(council_design(data.assign(adoption_year=data["adoption_year"].replace(2017, 2019))))
    assert "2018, 2019" in {c.treated for c in merged.comparisons}
    early = bacon(council_design(data, anticipation=1))
    switch = {c.treated: c.switch for c in early.comparisons if c.comparison == "never treated"}
    assert switch == {"2016, 2017": 2016, "2018": 2017}
    assert total(early)[1] == pytest.approx(coefficient(council_design(data, anticipation=1)), abs=1e-11)


def test_missing_rows_are_named_or_left_out() -> None:
    data = made_up()
    gone = data[~((data["ons_code"] == "E007") & (data["year"] == 2017))]
    with pytest.raises(DesignError, match=r"Council 7 \(E007\) in 2017") as caught:
        bacon(council_design(gone))
    assert 'unbalanced="complete" keeps the 39 councils' in str(caught.value)
    found = bacon(council_design(gone), unbalanced="complete")
    assert len(found.design.units) == 39
    assert found.coefficient == pytest.approx(coefficient(found.design), abs=EXACT)
    scattered = data.drop(data.groupby("ons_code").nth(1).index)
    assert bacon(council_design(scattered)).design.n_obs == 160
    later = np.array(YEARS[1:])[data["ons_code"].str[1:].astype(int) % 4]
    with pytest.raises(DesignError, match="No council has every period"):
        bacon(council_design(data[data["year"] != later]), unbalanced="complete")


def test_what_it_cannot_decompose() -> None:
    with pytest.raises(DesignError, match="covariates need") as caught:
        bacon(council_design(made_up(), covariates=["need"], effects="region"))
    assert len(caught.value.problems) == 2
    with pytest.raises(DesignError, match="constant within council"):
        bacon(council_design(made_up(), weights="size"))
    with pytest.raises(DesignError, match="did you mean 'complete'"):
        bacon(mpdta(), unbalanced="complet")  # type: ignore[arg-type]


def test_words_are_computed_from_the_numbers(reference: Path) -> None:
    text = bacon(castle(reference)).explain()
    assert "0.0818, is a weighted mean of 25 two-by-two comparisons" in text
    assert "3.2% of the weight is on comparisons with a cohort that is already treated" in text
    tidy = bacon(castle(reference)).tidy()
    assert tidy["weight"].is_monotonic_decreasing
    assert tidy.loc[0, "n_treated"] == 13


# --- weights: values ------------------------------------------------------------------------------------


def measures(found: TwfeWeights) -> list[float]:
    return [found.coefficient, found.n_negative, found.negative_sum, found.sigma_zero, found.sigma_opposite]


def test_mpdta_against_twowayfeweights() -> None:
    found = twfe_weights(mpdta())
    assert measures(found) == pytest.approx(
        [-0.03654893667406632, 20, -0.010851010334925776, 0.08266356202196633, 0.8521405332510676], abs=1e-12
    )
    assert found.n_treated_rows == 291


def test_other_panels_against_twowayfeweights(reference: Path) -> None:
    """Version 0.1.0; weights and no negative weight."""
    found = twfe_weights(ehec(reference, weights="W", always_treated="keep"))
    assert found.coefficient == pytest.approx(0.07403250992436972, abs=1e-11)
    assert found.sigma_zero == pytest.approx(0.28130605719644836, abs=1e-10)
    assert np.isnan(found.sigma_opposite)
    assert found.n_negative == 0
    assert twfe_weights(castle(reference)).sigma_zero == pytest.approx(0.3849294259790982, abs=1e-11)


def test_weighted_rows_and_missing_rows_against_twowayfeweights() -> None:
    data = mpdta().data.merge(
        mpdta(covariates=["lpop"]).data[["county", "year", "lpop"]], on=["county", "year"]
    )
    roles = {"outcome": "lemp", "unit": "county", "time": "year", "cohort": "first_treat"}
    found = twfe_weights(Design(data, **roles, weights="lpop"))
    assert measures(found) == pytest.approx(
        [-0.03552669919959771, 20, -0.013556810732300095, 0.07937490661569888, 0.6570296607600405], abs=1e-11
    )


def test_weights_by_hand() -> None:
    """Two units, three periods: a from 2001, b from 2002; D net of effects is +-1/6 in a checkerboard.

    Means of D: units 2/3 and 1/3, periods 0, 1/2 and 1, all 1/2. Treated rows: a 2001: 1 - 2/3 - 1/2 + 1/2 =
    1/3; a 2002: 1 - 2/3 - 1 + 1/2 = -1/6; b 2002: 1 - 1/3 - 1 + 1/2 = 1/6. They sum to 1/3.
    """
    found = twfe_weights(small({"a": [0.0, 4, 5], "b": [1.0, 2, 8]}, {"a": 2001.0, "b": 2002.0}))
    rows = found.rows().set_index(["unit", "period"])["weight"]
    assert rows["a", 2001] == pytest.approx(1, abs=EXACT)
    assert rows["a", 2002] == pytest.approx(-0.5, abs=EXACT)
    assert rows["b", 2002] == pytest.approx(0.5, abs=EXACT)
    assert (found.n_negative, found.n_treated_rows) == (1, 3)
    spread = np.std([3, -1.5, 1.5], ddof=1)
    assert found.sigma_zero == pytest.approx(abs(found.coefficient) / spread, rel=EXACT)
    # S and T over the one weight of -1.5: P = 1/3, S = -1/2, T = 3/4; -1.5 < 0.5 / (2/3) fails only at it
    # the condition w < -S / (1 - P) holds first at the second weight 1.5? -S = -(1.5 - 1.5)/3 = 0: no
    expected = abs(found.coefficient) / np.sqrt(0.75 + 0.25 / (2 / 3))
    assert found.sigma_opposite == pytest.approx(expected, rel=EXACT)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.booleans(), st.booleans(), st.booleans(), st.booleans())
def test_weights_times_effects_are_the_coefficient(
    seed: int, gaps: bool, weighted: bool, covariate: bool, regions: bool
) -> None:
    """Outcomes made of effects and fixed effects alone give the weighted sum of the effects."""
    rng = np.random.default_rng(seed)
    data = made_up(seed=seed % 97, share=0.8 if gaps else 1.0)
    treated = data["adoption_year"] <= data["year"]
    effect = np.where(treated, rng.normal(size=len(data)) * 3, 0.0)
    place = data["region"] if regions else data["ons_code"]
    levels = place.map({u: rng.normal() for u in place.unique()}) + data["year"].map(
        {t: rng.normal() for t in YEARS}
    )
    data["cost"] = effect + levels + 1.7 * data["need"] * covariate
    data["effect"] = effect
    options: dict[str, object] = {"weights": "size"} if weighted else {}
    options |= {"covariates": ["need"]} if covariate else {}
    options |= {"effects": "region"} if regions else {}
    design = council_design(data, **options)
    true = council_design(data, outcome="effect", **options).y
    found = twfe_weights(design)
    assert found.weights.sum() == pytest.approx(1, abs=1e-10)
    assert found.weights @ true == pytest.approx(coefficient(design), abs=1e-9)
    assert found.coefficient == pytest.approx(coefficient(design), abs=1e-10)
    assert not found.weights[~design.treated].any()
    assert found.tidy()["weight"].sum() == pytest.approx(1, abs=1e-10)
    assert found.tidy()["share"].sum() == pytest.approx(1, abs=1e-10)
    assert found.tidy()["n_units"].sum() == found.n_treated_rows == len(found.rows())


def test_one_cohort_weighs_every_effect_alike() -> None:
    found = twfe_weights(small({"a": [1, 2, 7, 8], "b": [1, 1, 2, 3]}, {"a": 2002.0, "b": np.nan}))
    assert found.rows()["weight"].tolist() == pytest.approx([0.5, 0.5])
    assert np.isnan(found.sigma_zero)
    assert np.isnan(found.sigma_opposite)
    assert found.n_negative == 0
    assert "No effect has a negative weight." in found.explain()
    alone = twfe_weights(small({"a": [1, 2], "b": [1, 1]}, {"a": 2001.0, "b": np.nan}))
    assert np.isnan(alone.sigma_zero)


def test_a_coefficient_that_is_not_identified_is_refused() -> None:
    data = made_up().assign(need=lambda d: (d["adoption_year"] <= d["year"]).astype(float))
    with pytest.raises(DesignError, match="cannot be told apart from the effects, need"):
        twfe_weights(council_design(data, covariates=["need"]))


def test_scaling_and_order_change_no_weight() -> None:
    data = made_up(share=0.85)
    found = twfe_weights(council_design(data))
    other = data.sample(frac=1, random_state=2).assign(cost=lambda d: 3 * d["cost"] + 5)
    again = twfe_weights(council_design(other))
    np.testing.assert_array_equal(again.weights, found.weights)
    assert again.sigma_zero == pytest.approx(3 * found.sigma_zero, rel=1e-9)


def test_bacon_and_weights_say_that_data_are_made_up(reference: Path) -> None:
    data = made_up().assign(simulated=True)
    assert repr(bacon(council_design(data))).startswith("SIMULATED: bacon of cost: ")
    assert repr(twfe_weights(council_design(data))).startswith("SIMULATED: twfe_weights of cost: ")
    assert "SIMULATED" in twfe_weights(council_design(data)).explain()
    assert twfe_weights(stagg(reference)).n_negative == 20
