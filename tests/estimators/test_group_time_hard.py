"""Group-time effects on hard panels: an answer, or ``identified=False`` and why, by name and year."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import clsimpact as ci
from clsimpact.design import Design
from clsimpact.errors import DesignError, SampleWarning
from clsimpact.estimators.group_time import group_time
from clsimpact.results import REFERENCE, Estimate
from tests.estimators.test_group_time_properties import KINDS, SAME, design, panel_of

pytestmark = pytest.mark.usefixtures("usual_errors")


def rows(fit: Estimate) -> pd.DataFrame:
    return fit.tidy().set_index("term")


def honest(fit: Estimate) -> None:
    """No silent zero, no unexplained hole; every average too, with every covariance."""
    for made in (fit, *(fit.aggregate(kind) for kind in KINDS)):
        for kind in made.uncertainty.kinds:  # type: ignore[union-attr]
            other = made.with_inference(kind)
            for frame in (other.tidy(), other.overall):
                known = frame["identified"].to_numpy(dtype=bool)
                assert np.isfinite(frame.loc[known, "estimate"]).all()
                zero = frame["reason"].str.startswith(REFERENCE) & ~known
                assert (frame.loc[zero, "estimate"] == 0).all()
                assert frame.loc[~known & ~zero, "estimate"].isna().all()
                unsure = frame[~(frame["std_error"] > 0)]
                assert (unsure["reason"].str.len() > 10).all(), unsure
        assert len(made.sample()) == len(made.terms)
        assert made.summary()
        assert made.explain()


def test_the_ordinary_panel() -> None:
    panel = panel_of(2)
    panel = panel[~panel["cohort"].eq(2011)]
    honest(group_time(design(panel)))
    honest(group_time(design(panel), control="not_yet", base_period="universal"))


def test_missing_rows_have_a_stated_sample() -> None:
    panel = panel_of(2)
    panel = panel[~((panel["unit"] == 5) & (panel["year"] == 2014))]
    fit = group_time(design(panel))
    honest(fit)
    sample = fit.sample().set_index("term")
    assert sample.loc["g=2014,t=2014", "treated_units"] == 4
    assert sample.loc["g=2014,t=2014", "left_out"] == (
        "Council 5 (5) (1 unit): not observed in both 2012 and 2014"
    )
    assert sample.loc["g=2014,t=2015", "left_out"] == ""
    assert rows(fit).loc["g=2014,t=2014", ["n_units", "n_obs"]].tolist() == [4, 4]
    assert any("seen in both of its periods" in note for note in fit.notes)
    complete = group_time(design(panel), unbalanced="complete")
    assert complete.design.n_obs == len(panel) - 4
    assert any("Council 5" in note for note in complete.notes)
    without = group_time(design(panel[panel["unit"] != 5]))
    assert complete.estimates == pytest.approx(without.estimates, abs=SAME)


def test_nobody_complete_is_an_error() -> None:
    panel = panel_of(2)
    panel = panel[(panel["unit"] % 2 == 0) | (panel["year"] != 2010)]
    panel = panel[(panel["unit"] % 2 == 1) | (panel["year"] != 2015)]
    with pytest.raises(DesignError, match="Council 0") as caught:
        group_time(design(panel), unbalanced="complete")
    assert "pairs" in str(caught.value)


def test_a_cohort_of_one() -> None:
    panel = panel_of(2)
    panel = panel[panel["cohort"].isna() | panel["cohort"].eq(2014)]
    panel.loc[panel["unit"] == 4, "cohort"] = 2012
    fit = group_time(design(panel))
    honest(fit)
    cell = rows(fit).loc["g=2012,t=2014"]
    assert cell["identified"]
    assert "one treated unit" in cell["reason"]
    jack = rows(fit.with_inference("jackknife")).loc["g=2012,t=2014"]
    assert np.isnan(jack["std_error"])
    assert "no estimate without Council 4" in jack["reason"]
    simple = fit.aggregate("simple").with_inference("jackknife").overall
    assert simple["std_error"].iloc[0] > 0
    assert "one treated unit" in rows(fit.aggregate("group")).loc["g=2012", "reason"]


def test_a_cohort_without_a_before() -> None:
    panel = panel_of(2)
    panel = panel[~panel["cohort"].eq(2014) | (panel["year"] >= 2014)]
    fit = group_time(design(panel))
    honest(fit)
    cell = rows(fit).loc["g=2014,t=2015"]
    assert not cell["identified"]
    assert "cohort 2014 (Council 4 (4)" in cell["reason"]
    assert "not observed before 2014" in cell["reason"]
    assert "without g=2014,t=2014, g=2014,t=2015" in fit.overall["reason"].iloc[0]
    assert "g=2014,t=2012" not in rows(fit).index


def test_always_treated_units_kept_are_named() -> None:
    panel = panel_of(2)
    panel.loc[panel["unit"] == 0, "cohort"] = 2010
    fit = group_time(design(panel))
    honest(fit)
    assert "Council 0" in rows(fit).loc["g=2010,t=2012", "reason"]
    with pytest.warns(SampleWarning, match="Council 0"):
        dropped = group_time(design(panel, always_treated="drop"))
    good = rows(fit)[rows(fit)["identified"]]
    assert good["estimate"].to_numpy() == pytest.approx(rows(dropped).loc[good.index, "estimate"], abs=SAME)
    yet = group_time(design(panel), control="not_yet")
    assert yet.overall["estimate"].iloc[0] != fit.overall["estimate"].iloc[0]


def test_a_cohort_seen_late_has_an_earlier_base_and_says_so() -> None:
    panel = panel_of(2)
    panel = panel[~(panel["cohort"].eq(2014) & (panel["year"] == 2012))]
    fit = group_time(design(panel))
    honest(fit)
    frame = rows(fit)
    assert "base period 2011: the cohort is not observed in 2012" in frame.loc["g=2014,t=2014", "reason"]
    assert fit.sample().set_index("term").loc["g=2014,t=2014", "periods"] == "2014 against 2011"
    assert not frame.loc["g=2014,t=2012", "identified"]
    assert "is not observed in 2012" in frame.loc["g=2014,t=2012", "reason"]


def test_a_cohort_whose_units_never_meet() -> None:
    panel = panel_of(2)
    panel = panel[~((panel["unit"] == 1) & (panel["year"] < 2012))]
    panel = panel[~(panel["unit"].isin([2, 3]) & (panel["year"] >= 2012))]
    fit = group_time(design(panel))
    honest(fit)
    reason = rows(fit).loc["g=2012,t=2012", "reason"]
    assert "no unit of cohort 2012" in reason
    assert "both 2011 and 2012" in reason


def test_no_never_treated_with_not_yet() -> None:
    panel = panel_of(2)
    panel = panel[panel["cohort"].notna()]
    fit = group_time(design(panel), control="not_yet")
    honest(fit)
    frame = rows(fit)
    assert frame.loc["g=2012,t=2012", "identified"]
    assert not frame.loc["g=2012,t=2014", "identified"]
    assert "still untreated in 2014" in frame.loc["g=2012,t=2014", "reason"]
    assert "without g=" in fit.overall["reason"].iloc[0]
    balanced = fit.aggregate("dynamic", balance=0)
    assert balanced.overall["estimate"].iloc[0] == pytest.approx(
        rows(balanced).loc["e=0", "estimate"], abs=SAME
    )


def test_everyone_at_once_without_controls_is_told() -> None:
    panel = panel_of(2)
    panel = panel.assign(cohort=2014.0)
    fit = group_time(design(panel), control="not_yet")
    honest(fit)
    after = rows(fit).loc["g=2014,t=2014"]
    assert np.isnan(after["estimate"])
    assert fit.overall["identified"].tolist() == [False]
    assert "still untreated in 2014" in fit.overall["reason"].iloc[0]


def test_units_first_treated_after_the_panel_are_controls() -> None:
    panel = panel_of(2)
    late = panel.assign(cohort=panel["cohort"].where(~panel["unit"].isin([20, 21]), 2019.0))
    for control in ("never", "not_yet"):
        one, two = (group_time(design(p), control=control) for p in (panel, late))  # type: ignore[arg-type]
        assert one.estimates == pytest.approx(two.estimates, abs=SAME, nan_ok=True)


def test_anticipation_moves_the_base_and_the_controls() -> None:
    fit = group_time(design(panel_of(2), anticipation=1), base_period="universal")
    sample = fit.sample().set_index("term")
    assert sample.loc["g=2014,t=2015", "periods"] == "2015 against 2012"
    assert sample.loc["g=2012,t=2012", "periods"] == "2012 against 2010"
    path = rows(fit.aggregate("dynamic"))
    assert path.loc["e=-1", "identified"]
    after = path[(path["event_time"] >= 0) & path["identified"]]
    overall = fit.aggregate("dynamic").overall["estimate"].iloc[0]
    assert overall == pytest.approx(after["estimate"].mean(), abs=SAME)


def test_a_council_seen_once_changes_nothing() -> None:
    panel = panel_of(2)
    lone = panel[~panel["unit"].isin([20, 21]) | (panel["year"] == 2012)]
    without = panel[~panel["unit"].isin([20, 21])]
    one, two = group_time(design(lone)), group_time(design(without))
    assert one.estimates == pytest.approx(two.estimates, abs=SAME, nan_ok=True)
    assert one.overall["std_error"].iloc[0] == pytest.approx(two.overall["std_error"].iloc[0], abs=SAME)


def test_covariates_that_cannot_be_used_are_named() -> None:
    panel = panel_of(2)
    apart = panel.assign(x=panel["cohort"].eq(2014) * 10.0 + panel["unit"] % 5)
    fit = group_time(design(apart, covariates=["x"]))
    honest(fit)
    assert "x in 2012: no overlap" in rows(fit).loc["g=2014,t=2015", "reason"]
    assert "cohort 2014" in rows(fit).loc["g=2014,t=2015", "reason"]
    assert rows(fit).loc["g=2012,t=2014", "identified"]
    regression = group_time(design(apart, covariates=["x"]), method="reg")
    assert rows(regression).loc["g=2014,t=2015", "identified"]
    flat = group_time(design(panel.assign(x=1.0), covariates=["x"]), method="reg")
    assert not flat.identified.any()
    assert "constant" in rows(flat).loc["g=2014,t=2015", "reason"]


def test_effects_of_a_column_are_refused() -> None:
    panel = panel_of(2).assign(region=lambda d: d["unit"] % 3)
    with pytest.raises(DesignError, match="twfe or event_study"):
        group_time(design(panel, effects="region"))


def test_clusters_that_hold_a_whole_cohort() -> None:
    panel = panel_of(2).assign(block=lambda d: np.where(d["cohort"].eq(2014), 99, d["block"]))
    fit = group_time(design(panel, cluster="block"))
    honest(fit)
    jack = rows(fit.with_inference("CR3"))
    assert np.isnan(jack.loc["g=2014,t=2015", "std_error"])
    assert "Council 8" in jack.loc["g=2014,t=2015", "reason"]


def test_one_cluster_is_an_error() -> None:
    panel = panel_of(2).assign(block=1)
    with pytest.raises(DesignError, match="two clusters"):
        group_time(design(panel, cluster="block"))


def test_inputs_are_not_changed_and_the_answer_is_the_same_twice() -> None:
    panel = panel_of(2, share=0.9)
    before = panel.copy()
    held = design(panel)
    one, two = group_time(held), group_time(held)
    assert one.estimates.tobytes() == two.estimates.tobytes()
    assert one.vcov.matrix.tobytes() == two.vcov.matrix.tobytes()
    pd.testing.assert_frame_equal(panel, before)


@pytest.mark.parametrize("control", ["never", "not_yet"])
def test_the_spending_panel(control: str) -> None:
    """Few adopters, years and councils missing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SampleWarning)
        tagged = ci.tag_adoption(ci.load_panel(), ci.load_adoption())
        held = Design(tagged, outcome="gce_per_adult", unit="ons_code", time="year", cohort="adoption_year")
    fit = group_time(held, control=control)  # type: ignore[arg-type]
    honest(fit)
    assert fit.overall["identified"].all()


@pytest.mark.parametrize("control", ["never", "not_yet"])
@pytest.mark.parametrize("base", ["varying", "universal"])
def test_nothing_identified_at_all_is_an_answer(control: str, base: str) -> None:
    data = pd.DataFrame([(u, t) for u in range(6) for t in (2001, 2002)], columns=["unit", "time"])
    data["cohort"] = np.where(data["unit"] < 2, 2001, 0)
    data["y"] = np.random.default_rng(0).normal(size=len(data))
    kept = Design(data, outcome="y", unit="unit", time="time", cohort="cohort", always_treated="keep")
    fit = group_time(kept, control=control, base_period=base)  # type: ignore[arg-type]
    assert not fit.identified.any()
    assert "not observed before 2001" in fit.overall["reason"].iloc[0]
    assert fit.uncertainty.psi.shape == (6, 3)  # type: ignore[union-attr]
    honest(fit)


def test_a_cohort_of_one_unit_has_no_leave_one_out_error_with_covariates() -> None:
    panel = panel_of(2, share=1.0)
    panel["x"] = np.random.default_rng(1).normal(size=24)[panel["unit"]]
    others = panel["cohort"].eq(2014) & (panel["unit"] != panel.loc[panel["cohort"].eq(2014), "unit"].min())
    fit = group_time(design(panel[~others], covariates=["x"]), method="reg", inference="CR3")
    found = rows(fit)
    lone = found.index.str.startswith("g=2014")
    assert found.loc[lone & found["identified"], "std_error"].isna().all()
    assert found.loc[found.index.str.startswith("g=2012"), "std_error"].notna().all()
