"""Estimators side by side: tables, what differs, and whether they agree."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clsimpact._agreement import headline, spreads
from clsimpact._estimator_names import NAMES
from clsimpact.comparison import Comparison, compare
from clsimpact.datasets import load_mpdta
from clsimpact.design import Design
from clsimpact.errors import DesignError
from clsimpact.estimators import did_m, event_study, local_projection, twfe
from clsimpact.results import TIDY_COLUMNS, Estimate
from clsimpact.saved import SavedEstimate, load_estimate
from tests.estimation_helpers import EXACT, council_design, made_up, mpdta
from tests.stub_fits import cell_fit, one_fit, path_fit

pytestmark = pytest.mark.usefixtures("usual_errors")

PATH = {-3: 0.01, -2: -0.01, 0: -0.02, 1: -0.05}
DESIGN = mpdta()


def two(**options: object) -> Comparison:
    return compare([path_fit(DESIGN, PATH), path_fit(DESIGN, PATH, **options)], labels=["A", "B"])


def text(comparison: Comparison) -> str:
    return "\n".join(comparison.warnings())


def test_tidy_holds_the_rows_of_each_fit_as_they_are() -> None:
    fits = [event_study(DESIGN), twfe(DESIGN)]
    tidy = compare(fits, labels=["path", "one"]).tidy()
    assert list(tidy.columns) == ["estimator", *TIDY_COLUMNS]
    pd.testing.assert_frame_equal(
        tidy[tidy["estimator"] == "path"].drop(columns="estimator").reset_index(drop=True), fits[0].tidy()
    )
    assert tidy[tidy["estimator"] == "one"]["estimate"].tolist() == twfe(DESIGN).estimates.tolist()
    assert tidy.dtypes["event_time"] == "Int64"


def test_effects_by_cohort_and_period_are_averaged_by_event_time() -> None:
    fit = cell_fit(DESIGN)
    tidy = compare([fit, event_study(DESIGN)]).tidy()
    mine = tidy[tidy["estimator"] == NAMES["group_time"]]
    want = fit.aggregate("dynamic").tidy()
    np.testing.assert_allclose(mine["estimate"], want["estimate"], rtol=EXACT)
    np.testing.assert_allclose(mine["std_error"], want["std_error"], rtol=EXACT)


def test_overall_is_that_of_each_fit() -> None:
    fits = [cell_fit(DESIGN), twfe(DESIGN), path_fit(DESIGN, PATH)]
    overall = compare(fits).overall()
    assert overall["term"].tolist() == ["ATT", "treated", "average after adoption"]
    assert overall["estimate"].tolist() == pytest.approx(
        [float(fit.overall["estimate"].iloc[0]) for fit in fits], rel=EXACT
    )
    assert overall["estimate"].iloc[2] == pytest.approx(-0.035, rel=EXACT)


def test_covariates_are_left_out() -> None:
    design = council_design(made_up(), covariates=["need"])
    tidy = compare([event_study(design), twfe(design)]).tidy()
    assert "need" not in tidy["term"].tolist()


def test_table_by_hand() -> None:
    a = path_fit(DESIGN, {-2: 0.01, 0: -0.02, 1: None}, units={-2: 171, -1: 191, 0: 191, 1: 60})
    b = path_fit(DESIGN, {0: -0.03}, units=20, reference=None)
    table = compare([a, b, twfe(DESIGN)], labels=["A", "B", "C"]).table()
    assert list(table.columns) == ["treated units", "A", "B", "C"]
    assert list(table.index) == ["-2", "-1", "0", "1", "overall", "units", "rows"]
    assert table.loc["-1", "A"] == "0 (reference)"
    assert table.loc["1", "A"] == "not identified"
    assert table.loc["0", "treated units"] == "20 to 191"
    low, high = (-0.03 + s * 1.964729 * 0.01 for s in (-1, 1))
    assert table.loc["0", "B"] == f"-0.03 ({low:.3g} to {high:.3g})"
    assert table.loc["0", "C"] == ""
    assert table.loc["rows", "A"] == "2500"


def test_path_options() -> None:
    fits = [event_study(DESIGN), twfe(DESIGN)]
    assert all(entry.path is None for entry in compare(fits, path="overall").entries)
    assert len(compare(fits, path="overall").tidy()) == 2
    with pytest.raises(DesignError, match="Two-way fixed effects has none"):
        compare(fits, path="dynamic")
    with pytest.raises(DesignError, match=r"did you mean 'dynamic'"):
        compare(fits, path="dynamc")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"outcome": "size"}, r"the outcome differs: cost \(1: twfe\); size \(2: twfe\)"),
        ({"outcome_unit": "£m"}, "the unit of the outcome differs"),
    ],
)
def test_other_outcomes_are_refused(options: dict[str, str], words: str) -> None:
    panel = made_up()
    one = twfe(council_design(panel, **({"outcome_unit": "£"} if "outcome_unit" in options else {})))
    with pytest.raises(DesignError, match=words):
        compare([one, twfe(council_design(panel, **options))])


def test_made_up_beside_official_data_is_refused() -> None:
    panel = made_up()
    fake = panel.assign(simulated=True)
    with pytest.raises(DesignError, match="made-up data"):
        compare([twfe(council_design(panel)), twfe(council_design(fake))])


def test_bad_lists_and_labels() -> None:
    fit = twfe(DESIGN)
    with pytest.raises(DesignError, match="1 given; 2 to 10"):
        compare([fit])
    with pytest.raises(DesignError, match="11 given"):
        compare([fit] * 11)
    with pytest.raises(DesignError, match="item 2 is Design, not an estimate"):
        compare([fit, DESIGN])
    with pytest.raises(DesignError, match="1 labels for 2 estimates"):
        compare([fit, fit], labels=["A"])
    with pytest.raises(DesignError, match="'A' stands twice"):
        compare([fit, fit], labels=["A", "A"])


def test_names_tell_two_of_a_kind_apart() -> None:
    one = path_fit(DESIGN, PATH, estimator="group_time", options={"control": "never", "method": "dr"})
    other = path_fit(DESIGN, PATH, estimator="group_time", options={"control": "not_yet", "method": "dr"})
    assert compare([one, other]).labels == ("Callaway–Sant'Anna (never)", "Callaway–Sant'Anna (not yet)")
    fit = event_study(DESIGN)
    assert compare([fit, fit.with_inference("CR2")]).labels == (
        "Two-way event study (CR1)",
        "Two-way event study (CR2)",
    )
    assert compare([fit, fit, twfe(DESIGN)]).labels[:2] == (
        "Two-way event study (1)",
        "Two-way event study (2)",
    )


def test_the_same_fit_twice_differs_in_nothing() -> None:
    assert two().warnings() == ()
    words = two().explain()
    assert "At every event time after adoption the estimates are the same." in words
    assert "each estimate lies within the intervals of the others" in words
    assert "confirms nothing that they share" in words


def test_samples_are_compared_by_name() -> None:
    panel = made_up()
    whole = council_design(panel)
    part = whole.restrict((whole.times != 2014) & (whole.unit_codes != 3), reason="for a test")
    words = text(compare([twfe(whole), twfe(part)], labels=["A", "B"]))
    assert "The samples differ: 200 rows, 40 councils, 2014, 2016, 2017, 2020, 2021 (A); 156 rows" in words
    assert "B is without 1 council (Council 3 (E003)) and period 2014." in words


def test_samples_of_one_size_that_differ() -> None:
    panel = made_up()
    a = council_design(panel[panel["ons_code"] != "E005"])
    b = council_design(panel[panel["ons_code"] != "E006"])
    words = text(compare([twfe(a), twfe(b)], labels=["A", "B"]))
    assert "A is without 1 council (Council 5 (E005))." in words
    assert "B is without 1 council (Council 6 (E006))." in words


def test_values_of_the_outcome_are_compared() -> None:
    panel = made_up()
    other = panel.assign(cost=panel["cost"].where(panel["ons_code"] != "E001", 0.0))
    words = text(compare([twfe(council_design(panel)), twfe(council_design(other))], labels=["A", "B"]))
    assert "The outcome is not the same number in 5 rows of B and in A." in words
    assert "outcome" not in text(
        compare([twfe(council_design(panel)), twfe(council_design(panel.copy()))], labels=["A", "B"])
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"weights": "size"}, "The weights of the rows differ: unweighted (A); size (B)."),
        ({"covariates": ["need"]}, "The covariates differ: none (A); need (B)."),
        ({"anticipation": 1}, "Periods of anticipation differ: 0 (A); 1 (B)."),
        ({"cluster": "region"}, "The clusters differ: ons_code (A); region (B)."),
    ],
)
def test_designs_are_compared(options: dict[str, object], words: str) -> None:
    panel = made_up()
    fits = [twfe(council_design(panel)), twfe(council_design(panel, **options))]
    assert words in text(compare(fits, labels=["A", "B"]))


def test_comparison_groups() -> None:
    never = path_fit(DESIGN, PATH, options={"control": "never"})
    yet = path_fit(DESIGN, PATH, notes=("Comparison: units untreated through the window",))
    words = text(compare([event_study(DESIGN), never, yet], labels=["A", "B", "C"]))
    assert (
        "The comparison groups differ: units never or not yet treated and units already treated (A); units "
        "never treated (B); units never or not yet treated (C). Where effects differ, comparisons with units "
        "already treated bias A."
    ) in words
    silent = path_fit(DESIGN, PATH)
    assert "comparison groups" not in text(compare([never, silent], labels=["A", "B"]))


def test_weights_of_the_overall_effect() -> None:
    words = text(two(total=("ATT", -0.03)))
    assert "The overall effects weigh differently: each event time counts once (A)" in words
    assert "each treated unit and period counts once (B)" in words


def test_horizons_references_and_treated_units() -> None:
    short = {-3: 0.01, 0: -0.02}
    words = text(two())
    assert words == ""
    other = path_fit(DESIGN, short, reference=-2, units=15)
    words = text(compare([path_fit(DESIGN, PATH), other], labels=["A", "B"]))
    assert "The event times after adoption differ: 0, 1 (A); 0 (B)." in words
    assert "The event times before adoption differ: -3, -2 (A); -3 (B)." in words
    assert "The reference event times differ: -1 (A); -2 (B)." in words
    assert "Different numbers of treated units stand behind event time -3: 20 (A); 15 (B)." in words


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"reference": None}, "changes from one period to the next (B)"),
        ({"estimator": "two_stage"}, "means of first-stage residuals, which are drawn towards zero (B)"),
        ({"estimator": "imputation"}, "leads fitted to untreated rows alone (B)"),
    ],
)
def test_estimates_before_adoption_mean_different_things(options: dict[str, object], words: str) -> None:
    said = text(two(**options))
    assert (
        "Estimates before adoption are not the same quantity: differences from the reference period (A)"
        in said
    )
    assert words in said


def test_covariances_and_levels() -> None:
    fit = event_study(DESIGN)
    both = compare([fit, fit.with_inference("CR2", level=0.9)], labels=["A", "B"])
    assert "The covariances differ: CR1 (A); CR2 (B)." in text(both)
    assert "The levels of the intervals differ: 95% (A); 90% (B)." in text(both)


def test_the_others_are_said_only_of_the_whole() -> None:
    fits = [path_fit(DESIGN, PATH) for _ in range(3)]
    odd = path_fit(DESIGN, PATH, estimator="imputation")
    words = text(compare([*fits, odd], labels=["A", "B", "C", "D"]))
    assert (
        "leads fitted to untreated rows alone (D); differences from the reference period (the others)"
        in words
    )
    no_leads = path_fit(DESIGN, {0: -0.02, 1: -0.05})
    words = text(compare([*fits, odd, no_leads], labels=["A", "B", "C", "D", "E"]))
    assert "differences from the reference period (A, B, C)" in words


def test_what_is_not_identified_is_said() -> None:
    a = path_fit(DESIGN, {0: -0.02, 1: None})
    b = path_fit(DESIGN, {0: None, 1: None})
    both = compare([a, b], labels=["A", "B"])
    assert "Event times that the data cannot identify: A: 1; B: 0, 1" in both.notes
    assert "No overall effect is identified by B" in both.notes
    assert both.overall()["identified"].tolist() == [True, False]
    assert both.overall()["estimate"].isna().tolist() == [False, True]
    assert both.table().loc["overall", "B"] == "not identified"
    none = compare([b, b], labels=["A", "B"])
    assert headline(none.entries) == "Teen employment: no estimator identifies an effect after adoption"


def test_distances_by_hand() -> None:
    a = path_fit(DESIGN, {0: -0.02, 1: -0.05}, error=0.01)
    b = path_fit(DESIGN, {0: -0.03, 1: -0.12}, error=0.02)
    found = {spread.event: spread for spread in spreads(compare([a, b], labels=["A", "B"]).entries)}
    t = 1.964729
    assert found[1].gap == pytest.approx(0.07, rel=EXACT)
    assert (found[1].low, found[1].high) == ("B", "A")
    assert found[1].width == pytest.approx(2 * t * 0.01, rel=1e-6)
    assert (found[0].outside, found[0].apart) == ((), ())
    assert found[1].outside == (("A", "B"), ("B", "A"))
    assert found[1].apart == (("A", "B"),)
    words = compare([a, b], labels=["A", "B"]).explain()
    assert (
        "furthest apart at 1: 0.07 log points, from B (lowest) to A (highest); the gap is 1.78 times" in words
    )
    assert "At event time 1 an estimate lies outside the interval of another." in words
    assert "At event time 1 intervals do not overlap: A and B." in words


@pytest.mark.parametrize(
    ("values", "error", "words"),
    [
        (
            (-0.03, -0.05),
            0.01,
            "0.03 to 0.05 log points lower after adoption by 2 estimators; both intervals exclude",
        ),
        (
            (0.03, 0.05),
            0.02,
            "0.03 to 0.05 log points higher after adoption by 2 estimators; 1 of 2 intervals excl",
        ),
        (
            (-0.03, 0.05),
            0.1,
            "from 0.03 log points lower to 0.05 log points higher after adoption by 2 estimators; ",
        ),
        (
            (-0.03, -0.03),
            0.1,
            "0.03 log points lower after adoption by 2 estimators; both intervals include zero",
        ),
    ],
)
def test_headline_follows_the_numbers(values: tuple[float, float], error: float, words: str) -> None:
    fits = [one_fit(DESIGN, "ATT", value, error=error) for value in values]
    assert words in headline(compare(fits, labels=["A", "B"]).entries)


def test_few_treated_are_in_the_headline() -> None:
    design = council_design(made_up(n_units=16))
    fit = twfe(design)
    assert headline(compare([fit, fit], labels=["A", "B"]).entries).endswith(
        "with 6 treated councils intervals are too narrow"
    )
    better = fit.with_inference("CR2")
    assert "narrow" not in headline(compare([better, better], labels=["A", "B"]).entries)
    assert "some intervals are too narrow" in headline(compare([fit, better]).entries)
    wide = [one_fit(design, "ATT", value, error=9.0) for value in (1.0, 2.0)]
    assert headline(compare(wide, labels=["A", "B"]).entries).endswith("both intervals include zero")


def test_one_treated_council() -> None:
    panel = made_up(n_units=20)
    panel["adoption_year"] = panel["adoption_year"].where(panel["ons_code"] == "E001")
    design = council_design(panel)
    both = compare([twfe(design), event_study(design)])
    assert "no interval can be trusted" in headline(both.entries)
    assert (
        "No interval after adoption can be read." in both.explain()
        or "interval" not in both.table().iloc[0, 1]
    )
    assert "(no interval)" in both.table().loc["overall", "Two-way fixed effects"]


def test_html_is_escaped() -> None:
    page = compare([twfe(DESIGN), twfe(DESIGN)], labels=["<a>", "b"])._repr_html_()
    assert "<a>" not in page
    assert "&lt;a&gt;" in page
    assert ">Teen employment" in page.split("</caption>")[0]


def test_repr() -> None:
    assert repr(compare([twfe(DESIGN), event_study(DESIGN)])) == (
        "Comparison of 2 estimates of lemp: Two-way fixed effects, Two-way event study"
    )


def test_order_of_fits_changes_no_number_and_no_verdict() -> None:
    fits = {"A": cell_fit(DESIGN), "B": event_study(DESIGN), "C": path_fit(DESIGN, PATH)}
    one = compare(list(fits.values()), labels=list(fits))
    other = compare(list(fits.values())[::-1], labels=list(fits)[::-1])
    assert headline(one.entries) == headline(other.entries)
    keys = ["estimator", "term"]
    pd.testing.assert_frame_equal(
        one.tidy().sort_values(keys).reset_index(drop=True),
        other.tidy().sort_values(keys).reset_index(drop=True),
    )


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.floats(-1, 1).filter(lambda v: abs(v) > 1e-6), min_size=2, max_size=5),
    st.floats(0.01, 100),
)
def test_distances_scale_with_the_outcome(values: list[float], factor: float) -> None:
    labels = [str(i) for i in range(len(values))]
    plain = spreads(compare([one_fit(DESIGN, "ATT", v) for v in values], labels=labels).entries)[0]
    big = spreads(
        compare(
            [one_fit(DESIGN, "ATT", factor * v, error=0.01 * factor) for v in values], labels=labels
        ).entries
    )[0]
    assert big.gap == pytest.approx(factor * plain.gap, rel=1e-9, abs=1e-12)
    assert big.gap / big.width == pytest.approx(plain.gap / plain.width, rel=1e-9, abs=1e-12)
    assert plain.gap == max(values) - min(values)


def test_frozen() -> None:
    both = two()
    with pytest.raises(dataclasses.FrozenInstanceError):
        both.entries = ()
    tidy = both.tidy()
    tidy["estimate"] = 0.0
    assert (both.tidy()["estimate"] != 0).any()


def test_first_treated_periods_and_weights_are_compared_by_value() -> None:
    frame = load_mpdta().assign(w=1.0)
    roles = {"outcome": "lemp", "unit": "county", "time": "year", "cohort": "first_treat", "weights": "w"}
    later = frame["county"].eq(8019)
    moved = frame.assign(first_treat=frame["first_treat"].mask(later, 2006), w=frame["w"].mask(later, 2.0))
    assert frame.loc[later, "first_treat"].iloc[0] == 2007
    found = compare(
        [path_fit(Design(f, **roles), PATH) for f in (frame, moved)], labels=["A", "B"]
    ).warnings()  # fmt: skip
    assert "The first treated period is not the same in 1 unit of B (8019) and in A." in found
    assert "The weight is not the same number in 5 rows of B and in A." in found


def test_cohorts_within_an_event_time_weigh_differently() -> None:
    fits = [local_projection(DESIGN), local_projection(DESIGN, weighting="equal"), event_study(DESIGN)]
    (said,) = [d.text for d in compare(fits, labels=["A", "B", "C"]).differences if d.kind == "pooling"]
    assert said == (
        "Within an event time cohorts weigh differently: by the sizes of adopters and of their controls (A); "
        "by adopters (B); by least squares, which can be negative and mix in other event times (C)."
    )
    same = compare([local_projection(DESIGN, weighting="equal"), did_m(DESIGN)])
    assert "pooling" not in {d.kind for d in same.differences}


def test_leads_from_the_mean_of_earlier_periods_are_called_so() -> None:
    found = text(compare([local_projection(DESIGN, base="mean"), did_m(DESIGN)], labels=["A", "B"]))
    assert "differences from the mean of earlier periods (A)" in found
    assert "changes from one period" not in found


def test_a_table_without_units_can_stand_beside_one_with_them() -> None:
    bare = Design(
        pl.from_pandas(load_mpdta()), outcome="lemp", unit="county", time="year", cohort="first_treat"
    )
    assert not bare.outcome_unit
    assert compare([path_fit(DESIGN, PATH), path_fit(bare, PATH)], labels=["A", "B"]).warnings() == ()


def saved(folder: Path, fit: Estimate) -> SavedEstimate:
    return load_estimate(fit.save(folder / "fit.json"))


class TestSaved:
    """Estimates read from files: the same numbers and words, and what no file can show is said."""

    @pytest.mark.parametrize("make", [mpdta, lambda: council_design(made_up())], ids=["counties", "councils"])
    def test_all_is_as_with_the_fits_themselves_but_for_what_needs_the_data(
        self, make: object, tmp_path: Path
    ) -> None:
        design = make()  # type: ignore[operator]
        fits = [twfe(design), event_study(design), local_projection(design)]
        want, found = compare(fits), compare([saved(tmp_path, fit) for fit in fits])
        pd.testing.assert_frame_equal(found.tidy(), want.tidy())
        pd.testing.assert_frame_equal(found.overall(), want.overall())
        pd.testing.assert_frame_equal(found.table(), want.table())
        assert found.labels == want.labels
        first, *others = found.warnings()
        assert first.startswith("Saved estimates hold no data (")
        assert tuple(others) == want.warnings()
        assert "If all use the same data, agreement" in found.explain()
        assert "All use the same data, so agreement" in want.explain()
        assert "cannot be seen" in found._repr_html_()
        assert found.plot().get_title() == want.plot().get_title()
        assert "cannot be seen" in found.to_markdown()

    def test_saved_beside_fitted(self, tmp_path: Path) -> None:
        both = compare([twfe(DESIGN), saved(tmp_path, event_study(DESIGN))])
        assert "(Two-way event study): whether units, dates and values" in both.warnings()[0]

    def test_samples_that_differ_in_what_files_say_are_told(self, tmp_path: Path) -> None:
        fewer = load_mpdta().query("first_treat != 2007")
        other = Design(fewer, outcome="lemp", unit="county", time="year", cohort="first_treat")
        both = compare([saved(tmp_path, twfe(DESIGN)), saved(tmp_path, twfe(other))], labels=["A", "B"])
        said = text(both)
        assert "The samples differ: 2500 rows, 500 units" in said
        assert "The treated units by cohort differ: 2004: 20, 2006: 40, 2007: 131 (A)" in said

    def test_another_outcome_is_refused(self, tmp_path: Path) -> None:
        other = Design(
            load_mpdta().assign(more=lambda frame: 2 * frame["lemp"]),
            outcome="more", unit="county", time="year", cohort="first_treat",
        )  # fmt: skip
        with pytest.raises(DesignError, match="different things"):
            compare([saved(tmp_path, twfe(DESIGN)), saved(tmp_path, twfe(other))])

    def test_a_file_without_an_overall_effect_or_provenance(self, tmp_path: Path) -> None:
        where = event_study(DESIGN).save(tmp_path / "fit.json")
        record = json.loads(where.read_text(encoding="utf-8"))
        record["estimate"].update(overall=None, provenance="a word")
        where.write_text(json.dumps(record), encoding="utf-8")
        both = compare([load_estimate(where), twfe(DESIGN)])
        assert both.overall()["reason"].tolist()[0] == "the file holds no overall effect"
        assert "No overall effect is identified by Two-way event study" in both.notes
        assert "not identified" in both.table().loc["overall"].tolist()
        assert "<table" in both._repr_html_()
