"""Building a design: what it reads, what it refuses, what it says."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from clsimpact._sizes import nearest
from clsimpact.datasets import load_mpdta
from clsimpact.design import Design
from clsimpact.errors import ClsimpactError, DesignError, PanelError, SampleWarning
from tests.estimation_helpers import council_design, made_up, mpdta


def test_roles_and_counts() -> None:
    design = council_design(made_up())
    assert repr(design) == (
        "Design of cost: 40 councils (15 treated, 25 never treated), "
        "5 periods 2014, 2016, 2017, 2020, 2021, 200 rows"
    )
    assert design.cohort_sizes == {2016: 5, 2017: 5, 2018: 5}
    assert design.n_treated_clusters == 15
    assert design.unit_names[0] == "Council 0 (E000)"


def test_arrays_are_sorted_and_read_only() -> None:
    design = council_design(made_up().sample(frac=1, random_state=1))
    keys = list(zip(design.unit_codes, design.times, strict=True))
    assert keys == sorted(keys)
    for name in (
        "y",
        "X",
        "unit_codes",
        "time_codes",
        "times",
        "cohorts",
        "event_time",
        "treated",
        "unit_cohorts",
    ):
        assert not getattr(design, name).flags.writeable
    with pytest.raises(dataclasses.FrozenInstanceError):
        design.outcome = "other"


def test_event_time_and_treatment_by_hand() -> None:
    panel = pd.DataFrame(
        {"u": ["a"] * 3 + ["b"] * 3, "t": [1, 3, 4] * 2, "c": [3] * 3 + [0] * 3, "y": range(6)}
    )
    design = Design(panel, outcome="y", unit="u", time="t", cohort="c")
    np.testing.assert_array_equal(design.event_time, [-2, 0, 1, np.nan, np.nan, np.nan])
    np.testing.assert_array_equal(design.treated, [False, True, True, False, False, False])
    assert design.periods == (1, 3, 4)


@pytest.mark.parametrize("never", [np.nan, 0, np.inf])
def test_three_ways_to_write_never_treated(never: float) -> None:
    panel = load_mpdta()
    panel["first_treat"] = panel["first_treat"].astype(float).replace(0.0, never)
    assert Design(panel, outcome="lemp", unit="county", time="year", cohort="first_treat").n_never == 309


def test_nullable_and_object_columns() -> None:
    panel = made_up()
    panel["adoption_year"] = panel["adoption_year"].astype("Int64")
    panel["cost"] = panel["cost"].astype("Float64")
    panel["need"] = panel["need"].astype(object)
    design = council_design(panel, covariates=["need"])
    np.testing.assert_array_equal(design.y, council_design(made_up()).y)
    assert design.X.dtype == np.float64


def test_input_is_not_changed() -> None:
    panel = made_up().sample(frac=1, random_state=2)
    before = panel.copy(deep=True)
    design = council_design(panel, covariates=["need"], weights="size", effects="region")
    design.check()
    copy = design.data
    copy["cost"] = 0.0
    pd.testing.assert_frame_equal(panel, before)
    assert design.data["cost"].to_numpy().any()


def _broken(**changes: object) -> pd.DataFrame:
    panel = made_up()
    for column, value in changes.items():
        panel[column] = panel[column].astype(object)
        panel.loc[3, column] = value
    return panel


@pytest.mark.parametrize(
    ("panel", "options", "kind", "words"),
    [
        (
            made_up(),
            {"outcome": "csot"},
            PanelError,
            r"outcome 'csot' is not a column \(did you mean 'cost'\?\)",
        ),
        (
            _broken(cost="[c]"),
            {},
            PanelError,
            r"'cost' holds text, not numbers, at Council 0 \(E000\) in 2020: '\[c\]'",
        ),
        (_broken(cost=np.inf), {}, PanelError, r"'cost' is infinite at Council 0 \(E000\) in 2020"),
        (_broken(year="2020-21"), {}, PanelError, "time 'year' holds text, not numbers"),
        (_broken(year=2020.5), {}, PanelError, "time 'year' is not a whole number at Council 0"),
        (_broken(year=np.nan), {}, PanelError, "time 'year' is missing"),
        (_broken(ons_code=None), {}, PanelError, "unit 'ons_code' is missing"),
        (
            _broken(adoption_year=2019),
            {},
            DesignError,
            r"cohort 'adoption_year' varies within Council 0 \(E000\)",
        ),
        (_broken(adoption_year=2016.5), {}, DesignError, "cohort 'adoption_year' is not a whole number"),
        (_broken(size=0), {"weights": "size"}, PanelError, "not positive at Council 0"),
        (
            _broken(region="R9"),
            {"cluster": "region"},
            DesignError,
            r"does not hold whole units: it varies within Council 0",
        ),
        (
            _broken(region="R9"),
            {"effects": "region"},
            DesignError,
            r"effects .region. does not hold whole units",
        ),
        (_broken(region=None), {"cluster": "region"}, PanelError, "cluster 'region' is missing"),
        (made_up(), {"anticipation": -1}, DesignError, "anticipation is -1"),
        (made_up(), {"always_treated": "yes"}, DesignError, "always_treated is 'yes'"),
        (made_up().iloc[:0], {}, PanelError, "no rows"),
        (made_up().assign(adoption_year=np.nan), {}, DesignError, "no treated observation"),
        (
            made_up().assign(adoption_year=2014),
            {"always_treated": "keep"},
            DesignError,
            "no untreated observation",
        ),
        (made_up().assign(cost=np.nan), {}, DesignError, "No row has an outcome"),
        (made_up().assign(year=pd.Timestamp("2020-01-01")), {}, PanelError, "holds dates"),
        (made_up().assign(cost=1j), {}, PanelError, "outcome 'cost' holds complex numbers"),
        (_broken(year=1e300), {}, PanelError, "time 'year' is beyond what can be told apart at Council 0"),
        (made_up().assign(ons_code=[[1]] * 200), {}, PanelError, "unit 'ons_code' holds lists or records"),
        (
            made_up().assign(region=[{"a": 1}] * 200),
            {"cluster": "region"},
            PanelError,
            "cluster 'region' holds lists",
        ),
        (pd.concat({"a": made_up()}, axis=1), {"outcome": "a"}, PanelError, "columns have several levels"),
    ],
)
def test_one_clear_error(
    panel: pd.DataFrame, options: dict[str, object], kind: type[ClsimpactError], words: str
) -> None:
    with pytest.raises(kind, match=words):
        council_design(panel, **options)


def test_duplicates_are_listed() -> None:
    panel = made_up()
    with pytest.raises(
        PanelError, match=r"more than one row for Council 0 \(E000\) in 2014, Council 1 \(E001\) in 2014"
    ):
        council_design(pd.concat([panel, panel.iloc[[0, 5]]]))


def test_a_row_that_repeats_in_rows_already_in_order() -> None:
    panel = made_up()
    with pytest.raises(PanelError, match=r"more than one row for Council 0 \(E000\) in 2016"):
        council_design(panel.iloc[[0, 1, *range(1, len(panel))]])


def test_a_missing_cohort_with_a_sign_is_still_missing() -> None:
    panel = made_up()
    expected = council_design(panel).cohorts
    signed = panel["adoption_year"].isna() & (panel["year"] == 2017)
    panel["adoption_year"] = np.where(signed, np.copysign(np.nan, -1.0), panel["adoption_year"])
    assert np.signbit(panel["adoption_year"]).any()
    np.testing.assert_array_equal(council_design(panel).cohorts, expected)


def test_all_problems_at_once() -> None:
    panel = _broken(cost="n/a", size=-1.0, adoption_year=2021.0)
    with pytest.raises(DesignError) as caught:
        council_design(pd.concat([panel, panel.iloc[[9]]]), weights="size")
    assert len(caught.value.problems) == 4


def test_numbers_stored_as_text_are_refused() -> None:
    with pytest.raises(PanelError, match="holds text, not numbers"):
        council_design(made_up().astype({"cost": str}))


def test_cohort_zero_is_ambiguous_where_zero_is_a_period() -> None:
    panel = made_up()
    panel["year"] -= 2017
    panel["adoption_year"] = (panel["adoption_year"] - 2017).fillna(0)
    with pytest.raises(DesignError, match="cohort 'adoption_year' is 0, which could mean never treated"):
        council_design(panel)


def test_missing_values_are_dropped_and_counted() -> None:
    panel = made_up()
    panel.loc[[4, 7], "cost"] = np.nan
    panel.loc[11, "need"] = np.nan
    design = council_design(panel, covariates=["need"])
    assert design.n_obs == 197
    expected = [
        ("E000", 2021, "missing cost"),
        ("E001", 2017, "missing cost"),
        ("E002", 2016, "missing need"),
    ]
    assert list(design.dropped.itertuples(index=False, name=None)) == expected
    words = str(design.check())
    assert "2 rows dropped (missing cost): " in words
    names = dict(zip(design.units, design.unit_names, strict=True))
    assert f"{names['E000']} 2021, {names['E001']} 2017." in words


def test_a_period_without_figures_is_told_from_rows_that_single_units_lack() -> None:
    panel = made_up()
    panel.loc[panel["year"] == 2017, "cost"] = np.nan
    panel.loc[4, "cost"] = np.nan
    words = str(council_design(panel).check())
    assert "40 rows dropped (missing cost) in periods without any figures: 2017." in words
    assert "1 row dropped (missing cost): " in words


def test_always_treated_leave_with_a_warning_or_stay() -> None:
    panel = made_up()
    panel.loc[panel["ons_code"] == "E003", "adoption_year"] = 2014
    with pytest.warns(SampleWarning, match=r"1 always-treated units .* Council 3 \(E003\)\. Keep them"):
        design = council_design(panel)
    assert len(design.units) == 39
    assert design.dropped["reason"].tolist() == ["always treated"] * 5
    kept = council_design(panel, always_treated="keep")
    assert len(kept.units) == 40
    assert "Cohort 2014 is not observed before adoption" in str(kept.check())


def test_check_names_what_a_reader_must_know() -> None:
    panel = made_up(n_units=32)
    panel.loc[panel["ons_code"] == "E007", "adoption_year"] = 2023
    gone = (panel["ons_code"] == "E006") & (panel["year"] < 2017)
    hole = (panel["ons_code"] == "E005") & (panel["year"] == 2017)
    once = (panel["ons_code"] == "E004") & (panel["year"] != 2017)
    text = "\n".join(
        text for _, text in council_design(panel[~gone & ~hole & ~once]).check("precision").items
    )
    for words in (
        "not balanced",
        "No data for 2015, 2018, 2019",
        "Only 12 treated clusters: with 10 treated, a nominal 5% test of a true null rejected "
        f"{nearest('twfe', 12)['CR1']} of the time with CR1",
        "1 adopt after 2023".replace("2023", "2021"),
        "Council 7 (E007)",
        "Council 6 (E006) 2017-2021",
        "Council 5 (E005) (no 2017)",
        "1 observed once",
        "Cohort 2016 has 4 councils: Council 0 (E000)",
    ):
        assert words in text


def test_check_is_quiet_about_few_treated_when_there_are_many() -> None:
    check = mpdta().check()
    assert {level for level, _ in check.items} == {"info"}


def test_no_never_treated_is_said() -> None:
    panel = made_up()
    panel = panel[panel["adoption_year"].notna()]
    assert "No unit is never treated" in str(council_design(panel).check())


def test_few_clusters_are_said() -> None:
    assert "Only 5 clusters (region)" in str(council_design(made_up(), cluster="region").check())


def test_html_is_escaped_and_deterministic() -> None:
    panel = made_up(n_units=16)
    panel["name"] = panel["name"].str.replace("Council", "<b>Council</b>")
    design = council_design(panel)
    page = design._repr_html_()
    assert "<b>" not in page
    assert "&lt;b&gt;Council&lt;/b&gt; 0" in page
    assert page == council_design(panel.iloc[::-1])._repr_html_()
    assert "0x" not in page


def test_words_from_attributes_and_options() -> None:
    panel = made_up()
    panel.attrs = {
        "columns": {"cost": {"label": "Cost per adult", "unit": "£"}},
        "source_line": "Source: made up.",
    }
    design = council_design(panel)
    assert (design.outcome_label, design.outcome_unit, design.source) == (
        "Cost per adult",
        "£",
        "Source: made up.",
    )
    assert council_design(panel, outcome_label="Other").outcome_label == "Other"
    provenance = design.provenance
    assert provenance["data"]["source_line"] == "Source: made up."
    assert provenance["sample"]["cohorts"] == {2016: 5, 2017: 5, 2018: 5}
    provenance["data"].clear()
    assert design.provenance["data"]


def test_restrict_counts_what_leaves() -> None:
    design = council_design(made_up())
    less = design.restrict(design.times != 2020, reason="pandemic")
    assert less.periods == (2014, 2016, 2017, 2021)
    assert (less.dropped["reason"] == "pandemic").sum() == 40
    assert design.n_obs == 200
    with pytest.raises(DesignError, match="no treated observation"):
        design.restrict(design.times < 2016, reason="none left")


def test_made_up_rows_are_marked_and_never_mixed() -> None:
    panel = pd.DataFrame(
        {
            "unit": [f"u{i}" for i in range(8) for _ in range(4)],
            "year": [2001, 2002, 2003, 2004] * 8,
            "y": [float((7 * i) % 5) for i in range(32)],
        }
    ).assign(cohort=lambda table: table["unit"].isin(["u0", "u1", "u2"]) * 2003)
    roles = {"outcome": "y", "unit": "unit", "time": "year", "cohort": "cohort"}
    made_up = Design(panel.assign(simulated=True), **roles)
    assert made_up.simulated
    assert made_up.outcome_label == "y (SIMULATED)"
    assert "SIMULATED" in repr(made_up)
    assert not Design(panel, **roles).simulated
    assert not Design(panel.assign(simulated=False), **roles).simulated
    half = panel.assign(simulated=panel["year"] > 2002)
    with pytest.raises(DesignError, match="16 of 32 rows are made up"):
        Design(half, **roles)


@pytest.mark.parametrize(
    ("written", "made_up_data"), [(1, True), ("yes", True), (1.0, True), (0, False), ("no", False)]
)
def test_made_up_however_written(written: object, made_up_data: bool) -> None:
    """R, Stata and Excel have other words for true; one that nobody knows is no false."""
    panel = made_up()
    assert council_design(panel.assign(simulated=written)).simulated is made_up_data
    half = panel.assign(simulated=[written] + [None] * (len(panel) - 1))
    if made_up_data:
        with pytest.raises(DesignError, match=r"1 of \d+ rows are made up"):
            council_design(half)
    with pytest.raises(DesignError, match="column 'simulated' holds 'perhaps'"):
        council_design(panel.assign(simulated="perhaps"))


@pytest.mark.parametrize("never", [np.nan, np.inf, 0, None, pd.NA])
@pytest.mark.parametrize("shuffled", [False, True])
def test_never_treated_however_written(never: object, shuffled: bool) -> None:
    panel = made_up()
    expected = council_design(panel)
    cohort = panel["adoption_year"].astype(object)
    panel["adoption_year"] = cohort.where(cohort.notna(), never).astype(object)
    design = council_design(panel.sample(frac=1, random_state=7) if shuffled else panel)
    assert design.n_never == 25
    np.testing.assert_array_equal(design.cohorts, expected.cohorts)


def test_cohorts_as_whole_numbers_floats_or_nullable_are_one_and_text_is_refused() -> None:
    panel = made_up()
    expected = council_design(panel).cohorts
    for kind in ("Int64", "Float32", "Float64"):
        np.testing.assert_array_equal(
            council_design(panel.astype({"adoption_year": kind})).cohorts, expected, strict=True
        )
    whole = panel.assign(adoption_year=panel["adoption_year"].fillna(0).astype(int))
    np.testing.assert_array_equal(council_design(whole).cohorts, expected, strict=True)
    text = panel.assign(adoption_year=whole["adoption_year"].astype(str))
    with pytest.raises(PanelError, match="cohort 'adoption_year' holds text, not numbers"):
        council_design(text)


def test_a_yes_or_no_outcome_counts_as_one_or_zero() -> None:
    panel = made_up()
    panel["cost"] = panel["cost"] > 100
    design = council_design(panel)
    assert design.y.dtype == np.float64
    assert design.y.sum() == panel["cost"].sum()


def test_rows_clusters_and_balance_by_hand() -> None:
    panel = pd.DataFrame(
        {
            "u": ["b", "a", "a", "b", "c", "c", "a"],
            "t": [1, 1, 2, 2, 2, 1, 3],
            "c": [0, 2, 2, 0, 0, 0, 2],
            "g": ["y", "x", "x", "y", "x", "x", "x"],
            "y": [5.0, 1, 2, 6, 8, 7, 3],
        }
    )
    roles = {"outcome": "y", "unit": "u", "time": "t", "cohort": "c"}
    design = Design(panel, cluster="g", **roles)
    assert design.unit_rows.tolist() == [0, 3, 5, 7]
    assert design.unit_clusters.tolist() == [0, 1, 0]
    assert design.y.tolist() == [1, 2, 3, 5, 6, 7, 8]
    assert not design.balanced
    even = design.restrict(design.times < 3, reason="not for all")
    assert even.balanced
    assert even.unit_rows.tolist() == [0, 2, 4, 6]
    assert even.unit_clusters.tolist() == [0, 1, 0]
    assert Design(panel, **roles).unit_clusters.tolist() == [0, 1, 2]
    assert not any(array.flags.writeable for array in (design.unit_rows, design.unit_clusters))


def test_levels_without_rows_are_left_out() -> None:
    panel = made_up()
    panel.loc[panel["ons_code"].isin(["E000", "E039"]) | (panel["year"] == 2021), "cost"] = np.nan
    panel = panel[panel["region"] != "R1"]
    design = council_design(panel, cluster="region")
    assert design.periods == (2014, 2016, 2017, 2020)
    assert len(design.units) == design.unit_codes.max() + 1 == len(design.unit_names)
    assert design.units[0] == "E001"
    assert design.n_clusters == 4
    less = design.restrict(design.cluster_codes > 0, reason="first region")
    assert (less.n_clusters, less.unit_clusters.min(), less.units[0]) == (3, 0, "E016")
    assert less.balanced


def test_the_design_keeps_nothing_of_the_data_that_could_change() -> None:
    panel = made_up()
    panel.attrs = {"columns": {"cost": {"label": "Cost"}}, "sources": [{"id": 1}]}
    design = council_design(panel, weights="size", covariates=["need"])
    before = (design.y.copy(), design.data, design.provenance)
    panel.attrs["sources"][0]["id"] = 2
    panel.loc[:, ["cost", "size", "need"]] = -1.0
    panel.loc[:, "name"] = "somebody else"
    panel.loc[:, ["year", "adoption_year"]] = 1
    np.testing.assert_array_equal(design.y, before[0])
    pd.testing.assert_frame_equal(design.data, before[1])
    assert design.provenance == before[2]
    assert design.provenance["data"]["sources"] == [{"id": 1}]
    assert design.unit_names[0] == "Council 0 (E000)"


def test_attributes_that_cannot_be_pickled_are_copied() -> None:
    panel = made_up()
    panel.attrs = {"note": ["a"], "how": lambda: 1}
    design = council_design(panel)
    panel.attrs["note"].append("b")
    assert design.provenance["data"]["note"] == ["a"]


def test_the_name_of_a_council_is_that_of_its_first_row_in_the_sample() -> None:
    panel = made_up()
    panel.loc[panel["year"] > 2014, "name"] = "Renamed"
    design = council_design(panel.iloc[::-1])
    assert design.unit_names[0] == "Council 0 (E000)"
    assert design.restrict(design.times > 2014, reason="later").unit_names[0] == "Renamed (E000)"


@pytest.mark.parametrize(
    ("keep", "words"),
    [
        (np.ones(3, dtype=bool), r"keep has shape \(3,\) and type bool; 200 rows need True or False"),
        (np.ones(200, dtype=int), "type int64; 200 rows need True or False"),
        (np.zeros(200, dtype=bool), r"No row is left \(why\)"),
    ],
)
def test_rows_to_keep_that_cannot_be_used(keep: np.ndarray, words: str) -> None:
    with pytest.raises(DesignError, match=words):
        council_design(made_up()).restrict(keep, reason="why")


def test_a_sparse_panel_is_sorted_and_checked_like_a_full_one() -> None:
    rng = np.random.default_rng(0)
    units, years = (
        np.repeat(np.arange(300) * 10**9, 2),
        np.tile([1, 2], 300) + np.repeat(rng.integers(1, 10**6, 300), 2),
    )
    panel = pd.DataFrame({"u": units, "t": years, "y": rng.normal(size=600), "c": 0})
    panel.loc[panel["u"] == 0, "c"] = years[1]
    roles = {"outcome": "y", "unit": "u", "time": "t", "cohort": "c"}
    expected = panel.sort_values(["u", "t"])
    design = Design(panel.sample(frac=1, random_state=0), **roles)
    np.testing.assert_array_equal(design.y, expected["y"])
    np.testing.assert_array_equal(design.times, expected["t"])
    assert design.units == tuple(range(0, 300 * 10**9, 10**9))
    with pytest.raises(PanelError, match="more than one row for 0 in "):
        Design(pd.concat([panel, panel.iloc[[0]]]), **roles)


def test_a_cohort_of_minus_one_is_a_date() -> None:
    panel = made_up().assign(adoption_year=lambda d: d["adoption_year"].fillna(-1))
    with pytest.warns(SampleWarning, match="code never treated as missing"):
        council_design(panel)
