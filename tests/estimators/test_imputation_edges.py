"""Imputation at the edges: windows, holes, lone cohorts, covariates, clusters, and what is refused."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest

from clsimpact.errors import DesignError
from clsimpact.estimators._cells import Plan
from clsimpact.estimators._left_out import averages_without
from clsimpact.estimators.imputation import imputation
from clsimpact.estimators.two_stage import two_stage
from clsimpact.results import REFERENCE, Term
from tests.estimation_helpers import EXACT, council_design, made_up, mpdta
from tests.estimators.test_imputation import asked, by_dummies, design_of, hand, numbers
from tests.oracles.panels import PANELS

pytestmark = pytest.mark.usefixtures("usual_errors")


def test_the_window_changes_what_is_shown_only() -> None:
    whole, part = imputation(mpdta()), imputation(mpdta(), leads=3, lags=1)
    assert [t.name for t in part.terms] == ["e=-3", "e=-2", "e=-1", "e=0", "e=1"]
    for term in ("ATT", "e=-3", "e=1"):
        assert numbers(part, term) == pytest.approx(numbers(whole, term), abs=EXACT)
    cr3 = part.with_inference("CR3")
    assert numbers(cr3, "e=-3")[1] == pytest.approx(
        numbers(whole.with_inference("CR3"), "e=-3")[1], abs=EXACT
    )


def test_anticipation_moves_the_reference() -> None:
    fit = imputation(design_of(PANELS["balanced"](), anticipation=1))
    frame = fit.tidy().set_index("term")
    assert frame.loc["e=-2", "reason"] == REFERENCE
    assert frame.loc["e=-1", "identified"]
    moved = PANELS["balanced"]().assign(cohort=lambda d: d["cohort"] - 1)
    other = imputation(design_of(moved)).tidy().set_index("term")
    for e in (-4, -1, 0, 3):
        assert frame.loc[f"e={e}", "estimate"] == pytest.approx(
            other.loc[f"e={e + 1}", "estimate"], abs=1e-12
        )
    data, gap = by_dummies(fit.design)
    assert numbers(fit, "ATT")[0] == pytest.approx(gap[data["event_time"] >= 0].mean(), abs=1e-10)


@pytest.mark.parametrize("estimator", [imputation, two_stage])
def test_fewer_leads_than_years_of_anticipation(estimator: Any) -> None:
    held = council_design(made_up(years=tuple(range(2012, 2022))), anticipation=2)
    whole, part = estimator(held).tidy().set_index("term"), estimator(held, leads=1).tidy()
    assert part["term"].tolist() == ["e=-1", *(f"e={e}" for e in range(6))]
    same = whole.loc[part["term"], "estimate"].to_numpy()
    assert part["estimate"].to_numpy() == pytest.approx(same, abs=EXACT)


def test_units_that_adopt_later_are_controls_without_leads() -> None:
    late = imputation(asked("late", ""))
    data = PANELS["late"]()
    data.loc[data["cohort"] > data["time"].max(), "cohort"] = np.nan
    never = imputation(design_of(data))
    assert late.tidy()["term"].tolist() == never.tidy()["term"].tolist()
    assert late.tidy()["estimate"].to_numpy() == pytest.approx(never.tidy()["estimate"].to_numpy(), abs=EXACT)


def test_no_never_treated() -> None:
    """Years when everybody is treated have no effect; trends before adoption have no reference."""
    fit = imputation(design_of(PANELS["no_never"]()))
    frame = fit.tidy().set_index("term")
    assert not frame.loc[["e=-4", "e=-2"], "identified"].any()
    assert "cannot be told apart" in frame.loc["e=-2", "reason"]
    assert "no unit is never treated" in frame.loc["e=-2", "reason"]
    calendar = fit.aggregate("calendar").tidy().set_index("term")
    assert np.isnan(calendar.loc["t=2021", "estimate"])
    assert (
        calendar.loc["t=2021", "reason"] == "no unit is untreated in 2021, so its period effect is not known"
    )
    short = imputation(design_of(PANELS["no_never"]().query("time < 2021")))
    assert numbers(fit, "ATT")[0] == pytest.approx(numbers(short, "ATT")[0], abs=1e-12)
    assert "t=2021" in fit.overall["reason"].item()
    assert fit.overall["n_obs"].item() == short.overall["n_obs"].item()


def test_everyone_treated_at_once() -> None:
    panel = hand().assign(cohort=3)
    fit = imputation(design_of(panel))
    frame = fit.tidy()
    assert not frame["identified"].any()
    assert frame.query("event_time >= 0")["estimate"].isna().all()
    assert np.isnan(fit.overall["estimate"].item())
    assert fit.overall["reason"].item().startswith("no unit is untreated in 3")
    assert "cannot be estimated" in fit.explain() or "No effect" in fit.explain()


def holes() -> pd.DataFrame:
    """A council treated from its first row, one seen once (treated), a cohort without its year before."""
    panel = made_up(n_units=24, years=(2014, 2015, 2016, 2017, 2018, 2019))
    gone = (panel["ons_code"] == "E001") & (panel["year"] < 2017)
    gone |= (panel["ons_code"] == "E000") & (panel["year"] != 2018)
    gone |= (panel["year"] == 2015) & (panel["adoption_year"] == 2016)
    return panel[~gone]


def test_rows_that_cannot_be_imputed_are_named() -> None:
    fit = imputation(council_design(holes(), always_treated="keep"))
    frame = fit.tidy().set_index("term")
    assert "Council 1 (E001)" in frame.loc["e=0", "reason"]
    assert "2017" in frame.loc["e=0", "reason"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dropped = imputation(council_design(holes()))
    assert numbers(fit, "ATT")[0] == pytest.approx(numbers(dropped, "ATT")[0], abs=1e-11)
    assert fit.overall["n_units"].item() == 7
    assert "Council 0 (E000)" in "".join(fit.sample()["left_out"])


def test_a_cohort_of_one_says_so() -> None:
    fit = imputation(asked("balanced", ""))
    group = fit.aggregate("group").tidy().set_index("term")
    words = "one treated unit: its own variation cannot be estimated, the interval is too narrow"
    assert group.loc["g=2018", "reason"] == words
    assert "one unit in cohort 2018: errors other than CR3" in fit.overall["reason"].item()
    both = PANELS["balanced"]().query("cohort != 2016 or unit == 1")
    frame = imputation(design_of(both)).aggregate("group").tidy().set_index("term")
    assert "too narrow" in frame.loc["g=2016", "reason"]


def test_a_cell_of_one_cluster_says_so() -> None:
    """A fourth adopter in another region is not seen in 2017."""
    panel = PANELS["balanced"]()
    regions = sorted(panel["region"].unique())[:2]
    inside = [panel.loc[panel["region"] == region, "unit"].unique() for region in regions]
    chosen = panel["cohort"].isna() | panel["unit"].isin([*inside[0][:3], inside[1][0]])
    panel = panel[chosen].assign(cohort=np.nan)
    panel.loc[panel["unit"].isin([*inside[0][:3], inside[1][0]]), "cohort"] = 2016
    seen = panel[(panel["unit"] != inside[1][0]) | (panel["time"] != 2017)]
    frame = imputation(design_of(seen, cluster="region")).aggregate("calendar").tidy().set_index("term")
    words = "one treated cluster (region): its own variation cannot be estimated, the interval is too narrow"
    assert frame.index[frame["reason"] == words].tolist() == ["t=2017"]


def test_leave_one_out_within_clusters() -> None:
    """A cluster's own rows leave the mean they are compared with."""
    fit = imputation(design_of(PANELS["balanced"](), cluster="region"), inference="leave_one_out")
    design, (data, gap) = fit.design, by_dummies(fit.design)
    first = imputation(asked("balanced", ""))
    assert numbers(first, "ATT")[0] == pytest.approx(numbers(fit, "ATT")[0], abs=EXACT)
    data = data.assign(gap=gap, region=PANELS["balanced"]()["region"].to_numpy())
    scores = np.zeros(design.n_clusters)
    treated = data[data["treated"]]
    for (_, _), cell in treated.groupby(["cohort", "t"]):
        for region, mine in cell.groupby("region"):
            rest = cell[cell["region"] != region]["gap"]
            if len(rest):
                scores[region - 1] += (mine["gap"] - rest.mean()).sum() / len(treated)
    z = pd.get_dummies(data["u"]).to_numpy(float)
    z = np.column_stack([z, pd.get_dummies(data["t"]).to_numpy(float)[:, 1:]])
    d = data["treated"].to_numpy()
    v = z[~d] @ np.linalg.pinv(z[~d].T @ z[~d]) @ z[d].mean(axis=0)
    np.add.at(scores, data["region"].to_numpy()[~d] - 1, -v * gap.to_numpy()[~d])
    assert numbers(fit, "ATT")[1] == pytest.approx(np.sqrt((scores**2).sum()), rel=1e-8)


def test_a_covariate_constant_within_units_drops_out() -> None:
    plain, fit = (
        imputation(asked("missing", "")),
        imputation(design_of(PANELS["missing"](), covariates=["x1"])),
    )
    assert numbers(fit, "ATT") == pytest.approx(numbers(plain, "ATT"), abs=1e-11)
    assert not fit.tidy().set_index("term").loc["x1", "identified"]


@pytest.mark.parametrize("estimator", [imputation, two_stage])
def test_a_constant_covariate_beside_one_that_varies_changes_nothing(estimator: Any) -> None:
    panel = made_up().assign(flat=1.0)
    one, both = (
        estimator(council_design(panel, covariates=names)).tidy().set_index("term")
        for names in (["need"], ["need", "flat"])
    )
    same = both.drop(index="flat")
    assert same["estimate"].to_numpy() == pytest.approx(one["estimate"].to_numpy(), abs=EXACT)
    assert np.isnan(both.loc["flat", "estimate"])


@pytest.mark.parametrize("estimator", [imputation, two_stage])
def test_with_many_units_cr2_is_near_cr0_in_every_entry(estimator: Any) -> None:
    """The factors of CR2 are near one; the covariance of a slope with an effect keeps its sign."""
    panel = made_up(n_units=120, years=tuple(range(2012, 2020)))
    panel["need"] += 3.0 * (panel["year"] >= panel["adoption_year"].fillna(9999))
    plain = estimator(council_design(panel, covariates=["need"]), inference="CR0")
    matrix, adjusted = plain.vcov.matrix, plain.with_inference("CR2").vcov.matrix
    size = np.sqrt(np.diag(matrix))
    ratio = (adjusted - matrix) / np.outer(size, size)
    assert np.nanmin(matrix[-1] / np.outer(size, size)[-1]) < -0.2
    assert np.nanmax(np.abs(ratio)) < 0.15


def test_a_covariate_that_moves_in_treated_rows_only() -> None:
    """Untreated rows do not say what it does, so rows in which it moves are not imputed."""
    panel = PANELS["balanced"]()
    inside = (panel["time"] == 2020) & (panel["cohort"] == 2016)
    fit = imputation(design_of(panel.assign(x=np.where(inside, panel["x2"], 0.0)), covariates=["x"]))
    group = fit.aggregate("group").tidy().set_index("term")
    assert "untreated rows do not determine what the covariates do" in group.loc["g=2016", "reason"]
    rest = imputation(design_of(panel[~inside]))
    assert numbers(fit, "ATT")[0] == pytest.approx(numbers(rest, "ATT")[0], abs=1e-11)


def test_a_covariate_that_one_unit_determines() -> None:
    """Without that unit there is no slope, so no estimate, so no jackknife error."""
    panel = PANELS["balanced"]()
    alone = np.where((panel["unit"] == 150) | (panel["cohort"] == 2016), panel["x2"], 0.0)
    panel = panel[~((panel["cohort"] == 2016) & (panel["time"] < 2016) & (panel["time"] > 2014))]
    fit = imputation(design_of(panel.assign(x=alone[panel.index]), covariates=["x"]), inference="jackknife")
    assert np.isfinite(fit.overall["estimate"].item())
    assert np.isnan(fit.overall["std_error"].item())
    assert "there is no estimate without 150" in fit.overall["reason"].item()


def test_rows_behind_a_combination() -> None:
    fit = imputation(mpdta())
    row = fit.linear_combination({"e=-2": 0.5, "e=-4": 0.5})
    assert (row["n_units"].item(), row["n_obs"].item()) == (171, 171 + 131)
    row = fit.linear_combination({"e=0": 0.5, "e=3": 0.5})
    assert (row["n_units"].item(), row["n_obs"].item()) == (191, 191 + 20)


def test_sample_counts_those_compared() -> None:
    """Leads at -4 belong to the cohort of 2007; the other 369 are compared with it in 2003 and before it."""
    sample = imputation(mpdta()).sample().set_index("term")
    assert sample.loc[["e=-4", "e=-2"], "control_units"].tolist() == [500 - 131, 500 - 171]
    assert sample.loc["e=3", "control_units"] == 309
    assert sample.loc["e=-2", "periods"] == "untreated rows of 2003-2007"
    assert sample.loc["e=3", "periods"] == "2007 against untreated rows of 2003-2007"


def test_a_term_without_a_row_is_compared_with_nothing() -> None:
    fit = imputation(design_of(PANELS["no_never"]())).aggregate("group")
    lost = ~fit.tidy()["identified"].to_numpy(dtype=bool)
    assert lost.any()
    assert (fit.sample()["periods"] == "").tolist() == lost.tolist()


def test_a_unit_without_the_rows_of_a_lead_is_not_among_those_compared() -> None:
    panel = PANELS["balanced"]()
    sample = imputation(design_of(panel)).sample().set_index("term")
    late = panel[(panel["unit"] != panel["unit"].max()) | (panel["time"] == panel["time"].max())]
    fewer = imputation(design_of(late)).sample().set_index("term")
    assert (sample["control_units"] - fewer["control_units"])[["e=-3", "e=-2"]].tolist() == [1, 1]


def test_rows_of_leads_by_hand() -> None:
    """Cohort 2018 is compared with itself three years before: that row is in no term, those of 2017 are."""
    panel = PANELS["balanced"]()
    panel = panel[panel["cohort"].isin([2017, 2018]) | panel["cohort"].isna()]
    fit = imputation(design_of(panel[~panel["time"].isin([2016, 2017])]))
    assert [term.name for term in fit.terms][:4] == ["e=-4", "e=-3", "e=-2", "e=0"]
    table = {(2017, 2014): 1, (2017, 2015): 2, (2018, 2014): 0, (2018, 2015): -1}
    data = fit.design.data.assign(term=fit.row_terms)
    before = data[data["time"] < data["cohort"]]
    assert before.groupby(["cohort", "time"])["term"].unique().map(list).to_dict() == {
        at: [term] for at, term in table.items()
    }
    assert (data.loc[data["cohort"].isna(), "term"] == -1).all()
    fewer = fit.design.restrict(
        (data["cohort"] != 2018).to_numpy() | (data["time"] > 2014).to_numpy(), reason="for a test"
    )
    first = imputation(fewer)
    assert [term.name for term in first.terms][:2] == ["e=-3", "e=-2"]
    own = ((fewer.data["cohort"] == 2018) & (fewer.data["time"] == 2015)).to_numpy()
    assert (first.row_terms[own] == -1).all()


def test_sizes_count_the_rows_of_the_first_stage() -> None:
    design = mpdta()
    counts = imputation(design, inference="CR0").vcov.counts
    assert (counts.n_obs, counts.n_clusters) == (int((~design.treated).sum()), 500)
    assert counts.k_all == 500 + 5 - 1


def test_leads_of_one_adopter_say_so() -> None:
    panel = PANELS["balanced"]()
    one = panel["unit"] == panel.loc[panel["cohort"] == 2018, "unit"].iloc[0]
    frame = imputation(design_of(panel[panel["cohort"].isna() | one])).tidy().set_index("term")
    leads = [f"e={e}" for e in (-4, -3, -2)]
    assert frame.loc[leads, "reason"].str.startswith("one treated unit: its own variation").all()


def test_gaps_without_the_usual_reference() -> None:
    """Where no cohort is observed the year before adoption, each cohort's last year before it is left out."""
    panel = PANELS["balanced"]()
    panel = panel[panel["cohort"].isin([2016, 2018]) | panel["cohort"].isna()]
    panel = panel[~panel["time"].isin([2015, 2017])]
    fit = imputation(design_of(panel))
    frame = fit.tidy().set_index("term")
    assert frame.loc["e=-2", "reason"] == REFERENCE
    assert "e=-1" not in frame.index
    assert frame.loc["e=-4", "identified"]
    assert any("last observed period before adoption" in note for note in fit.notes)


def test_one_cluster_carries_a_number() -> None:
    """Leaving out the only unit untreated in the last years: no jackknife error, and the reason says why."""
    panel = PANELS["balanced"]()
    panel = panel[(panel["unit"] <= 26)]
    fit = imputation(design_of(panel), inference="jackknife")
    frame = fit.tidy().set_index("term")
    assert np.isnan(frame.loc["e=5", "std_error"])
    assert "there is no estimate without 26" in frame.loc["e=5", "reason"]


def test_inputs_are_not_changed_and_rows_may_come_in_any_order() -> None:
    panel = PANELS["missing"]()
    before = panel.copy()
    fit = imputation(design_of(panel, covariates=["x2"]))
    pd.testing.assert_frame_equal(panel, before)
    other = imputation(design_of(panel.sample(frac=1, random_state=3), covariates=["x2"]))
    pd.testing.assert_frame_equal(fit.tidy(), other.tidy())


def test_combination_across_leads_and_effects() -> None:
    fit = imputation(mpdta())
    row = fit.linear_combination({"e=-2": -1.0, "e=0": 1.0})
    frame, v = fit.tidy().set_index("term"), fit.covariance
    assert row["estimate"].item() == pytest.approx(
        frame.loc["e=0", "estimate"] - frame.loc["e=-2", "estimate"]
    )
    error = np.sqrt(v.loc["e=0", "e=0"] + v.loc["e=-2", "e=-2"] - 2 * v.loc["e=0", "e=-2"])
    assert row["std_error"].item() == pytest.approx(error, rel=1e-12)
    two = fit.with_inference("CR2")
    part = two.linear_combination({"e=0": 0.5, "e=1": 0.5})
    assert np.isfinite(part["conf_low"].item())
    assert np.isfinite(two.linear_combination({"e=-2": -1.0, "e=0": 1.0})["conf_low"].item())


def test_cr1_grows_effects_and_leaves_leads() -> None:
    fit = imputation(mpdta())
    one = fit.with_inference("CR1")
    growth = np.sqrt(500 / 499)
    assert numbers(one, "ATT")[1] == pytest.approx(numbers(fit, "ATT")[1] * growth, rel=1e-12)
    assert numbers(one, "e=-3")[1] == pytest.approx(numbers(fit, "e=-3")[1], rel=1e-12)
    whole = one.linear_combination({"e=0": 0.5, "e=1": 0.5})["std_error"].item()
    plain = fit.linear_combination({"e=0": 0.5, "e=1": 0.5})["std_error"].item()
    assert whole == pytest.approx(plain * growth, rel=1e-12)


def test_balanced_event_window() -> None:
    frame = imputation(mpdta()).aggregate("dynamic", balance=1).tidy().set_index("term")
    assert frame.index.tolist() == ["e=0", "e=1"]
    data, gap = by_dummies(mpdta())
    early = data["first_treat"].isin([2004, 2006])
    assert frame.loc["e=0", "estimate"] == pytest.approx(
        gap[early & (data["event_time"] == 0)].mean(), abs=1e-10
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"inference": "CR9"}, "CR9"),
        ({"inference": "leave_one_ot"}, "leave_one_out"),
        ({"level": 1.5}, "level"),
        ({"leads": 0}, "leads is 0"),
        ({"lags": -1}, "lags is -1"),
        ({"leads": 1.5}, "leads is 1.5"),
    ],
)
def test_bad_options(options: dict[str, object], words: str) -> None:
    with pytest.raises(DesignError, match=words):
        imputation(mpdta(), **options)  # type: ignore[arg-type]


def test_other_effects_are_refused() -> None:
    with pytest.raises(DesignError, match="imputation needs unit effects"):
        imputation(design_of(PANELS["balanced"](), effects="region"))


def test_one_cluster_is_refused() -> None:
    panel = PANELS["balanced"]().assign(all=1)
    with pytest.raises(DesignError, match="two clusters"):
        imputation(design_of(panel, cluster="all"))


def test_no_row_before_adoption_leaves_no_leads_and_no_effect() -> None:
    data = pd.DataFrame([(u, t) for u in range(6) for t in (2001, 2002)], columns=["unit", "time"])
    data["cohort"] = np.where(data["unit"] < 2, 2001, np.nan)
    data["y"] = np.random.default_rng(0).normal(size=len(data))
    fit = imputation(design_of(data, always_treated="keep"))
    assert [t.name for t in fit.terms] == ["e=0", "e=1"]
    assert not fit.identified.any()
    assert np.isnan(numbers(fit, "ATT")[0])
    assert "no untreated row of 0, 1" in fit.overall["reason"].iloc[0]
    assert fit.row_terms is not None
    assert fit.row_terms.tolist() == [-1] * 12
    assert len(fit.sample()) == 2


@pytest.mark.parametrize("which", ["imputation", "two_stage"])
def test_a_constant_covariate_has_a_reason_and_a_row_in_the_sample(which: str) -> None:
    design = design_of(PANELS["balanced"](), covariates=["x1"])
    fit = imputation(design) if which == "imputation" else two_stage(design)
    last = fit.tidy().iloc[-1]
    assert last["term"] == "x1"
    assert not last["identified"]
    assert last["reason"].startswith("no variation left")
    assert fit.sample()["term"].tolist() == fit.tidy()["term"].tolist()


def test_clusters_without_untreated_rows_do_not_count_for_leads() -> None:
    panel = PANELS["balanced"]()
    first = panel.loc[panel["cohort"].isna(), "unit"].iloc[0]
    kept = panel.assign(cohort=panel["cohort"].mask(panel["unit"] == first, panel["time"].min()))
    told = [note for note in imputation(design_of(kept, always_treated="keep")).notes if "factor" in note]
    gone = [note for note in imputation(design_of(panel[panel["unit"] != first])).notes if "factor" in note]
    assert told == gone
    assert told


def test_a_cell_that_is_gone_leaves_its_average_whatever_stands_for_it() -> None:
    """Without the first cluster the second cell is gone; without the second, the cells weigh 2 and 6."""
    plan = Plan("dynamic", (Term("e=0", 0, None, 2, 2),), np.full((2, 1), 0.5), np.ones(1), (np.arange(2),))
    means, mass = np.array([[1.0, np.nan], [1.0, 5.0]]), np.array([[2.0, 0.0], [2.0, 6.0]])
    found = averages_without(plan, np.array([True, True]), means, mass)
    assert found.tolist() == [[1.0, 1.0], [4.0, 4.0]]
