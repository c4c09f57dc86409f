"""The steps one by one: what they count, say and draw."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import clsimpact as ci
from clsimpact.report.pieces import adoption, checks, choices, curve, estimators, quality, records, services
from clsimpact.report.pieces._common import bare, estimable, held_years, main_outcome, why_not
from clsimpact.report.pieces.claims import path_title
from clsimpact.report.study import default_study, load_study
from clsimpact.report.study_data import StudyData, load_study_data, made_up_data
from tests.report.conftest import Run, read_exactly


@pytest.fixture(scope="module")
def official() -> StudyData:
    return load_study_data(default_study())


@pytest.fixture(scope="module")
def small(small_study: Path) -> StudyData:
    return load_study_data(load_study(small_study))


class TestWhatCanBeEstimated:
    def test_reasons_tell_what_is_lacking(self, official: StudyData) -> None:
        assert why_not(official, "gce_per_adult") == ""
        assert "one year only (2021-22)" in why_not(official, "signposted")
        assert why_not(official, "nothing") == "the panel has no such column"
        assert held_years(official, "nothing") == []
        empty = replace(official, tagged=official.tagged.assign(gce_per_adult=np.nan))
        assert why_not(empty, "gce_per_adult") == "no figures are held"
        kept = official.tagged["gce_per_adult"].where(official.tagged["year"] >= 2020)
        late = replace(official, tagged=official.tagged.assign(gce_per_adult=kept))
        assert "both before and after" in why_not(late, "gce_per_adult")

    def test_the_main_outcome_is_one_that_can_be_estimated(self, official: StudyData) -> None:
        other = replace(official, study=replace(official.study, main="signposted"))
        assert main_outcome(other) == "gce_per_adult"
        nothing = replace(official, tagged=official.tagged.assign(gce_per_adult=np.nan))
        assert main_outcome(nothing) is None
        assert all(estimable(nothing).values())
        assert checks.make(nothing).rows == []
        assert curve.make(nothing).rows == []

    def test_the_panel_without_attributes_is_the_panel(self, official: StudyData) -> None:
        pd.testing.assert_frame_equal(bare(official), official.tagged, check_flags=False)
        assert bare(official).attrs == {}
        assert official.tagged.attrs


class TestAdoption:
    def test_units_have_their_role_and_evidence(self, official: StudyData, run: Run) -> None:
        units = read_exactly(run.folder / adoption.UNITS)
        listed = ci.load_adoption().set_index("ons_code")
        adopters = units[units["role"].eq("adopter")].set_index("ons_code")
        tagged = official.tagged.drop_duplicates("ons_code").set_index("ons_code")["adoption_year"].dropna()
        assert adopters["adoption_year"].astype(int).to_dict() == tagged.astype(int).to_dict()
        for code, row in adopters.iterrows():
            assert row["evidence_source_url"] == listed.loc[str(code), "source_url"]
        assert units.loc[units["role"].eq("comparison"), "adoption_year"].isna().all()

    def test_a_panel_of_its_own_counts_its_cohorts(self, small: StudyData) -> None:
        product = adoption.make(small)
        table = next(it for it in product.tables if it.id == "adoption")
        assert table.frame.to_numpy().tolist() == [["2014", 6], ["2016", 6]]
        assert [row.text for row in product.rows if row.kind == "number"] == ["12", "28", "40"]


class TestPaths:
    def test_bands_stand_only_where_they_can_be_trusted(self, run: Run) -> None:
        path = read_exactly(run.folder / "figures" / "path-gce_per_adult.csv")
        known = path["band_low"].notna()
        assert path.loc[known, "n_units"].ge(3).all()
        assert known.sum() == 4
        assert (path.loc[known, "band_low"] < path.loc[known, "conf_low"]).all()
        assert (path.loc[known, "band_high"] > path.loc[known, "conf_high"]).all()
        assert "Thin lines" in run.ledger["figure-path-gce_per_adult"].text

    def test_the_row_of_a_path_has_its_average(self, run: Run) -> None:
        row, claim = run.ledger["figure-path-gce_per_adult"], run.ledger["C4.gce_per_adult"]
        assert (row.estimate, row.conf_low, row.conf_high) == (
            claim.estimate,
            claim.conf_low,
            claim.conf_high,
        )
        assert (row.estimator, row.trace) == ("event_study", "trace/gce_per_adult.csv")


class TestRecords:
    def test_cells_are_counted_by_table(self, run: Run) -> None:
        cells = read_exactly(run.folder / "trace" / "gce_per_adult.csv")
        table = read_exactly(run.folder / "tables" / "cells-gce_per_adult.csv")
        assert table["cells"].sum() == len(cells)
        assert run.ledger["trace-gce_per_adult"].numbers == {f"{len(cells):,}": float(len(cells))}
        for row in table.itertuples():
            same = cells["source_id"].eq(row.source_id) & cells["part"].str.replace("_", " ").eq(row.part)
            assert row.cells == (same & cells["table"].eq(row.table)).sum()
            assert row.example in set(cells.loc[same, "cell"])

    def test_only_units_of_the_comparison_are_traced(self, run: Run, official: StudyData) -> None:
        cells = read_exactly(run.folder / "trace" / "gce_per_adult.csv")
        held = official.tagged[official.tagged["gce_per_adult"].notna()]
        assert set(cells["ons_code"]) == set(held["ons_code"])

    def test_a_panel_of_its_own_has_no_returns(self, small: StudyData) -> None:
        made = records.make(small)
        assert [it.id for it in made.tables] == ["coverage"]
        assert made.files == {}
        assert quality.make(small).tables == []
        assert services.make(small).figures == []
        assert choices.make(small).tables == []

    def test_quality_is_that_of_the_library(self, run: Run) -> None:
        table = read_exactly(run.folder / "tables" / "quality.csv")
        rules = ci.quality_report().rules
        assert table["found"].tolist() == rules["found"].tolist()


class TestChoices:
    def test_numbers_of_the_table_are_those_of_the_choices(self, run: Run) -> None:
        from clsimpact.report.sensitivity import sensitivity_table

        table = read_exactly(run.folder / "tables" / "choices.csv")
        expected = sensitivity_table()
        assert table["label"].tolist() == expected["choice"].tolist()
        np.testing.assert_array_equal(table["estimate"], expected["estimate"])
        title = run.ledger["figure-choices"].label
        assert (
            title
            == "Spending per adult under 11 choices: from +£3.28 to +£20.3; 0 of 11 intervals exclude zero"
        )

    def test_secondary_outcomes_have_no_verdict(self, run: Run) -> None:
        table = read_exactly(run.folder / "tables" / "secondary.csv")
        claimed = {run.ledger["C4.gce_per_adult"].label, run.ledger["C1.signposted"].label}
        assert len(table) > 8
        assert not claimed & set(table["label"])
        assert "verdict" not in table


class TestCurve:
    def test_readings_that_say_the_same_count_once(self, run: Run) -> None:
        """Made-up adopters have certain dates: the earliest possible is the best guess."""
        made = made_up_data(default_study(), 1)
        assert list(curve._asked(made, "gce_per_adult")["data"]) == ["best guess", "first full year"]

    def test_the_official_evidence_has_six_readings(self, run: Run, official: StudyData) -> None:
        assert len(curve._asked(official, "gce_per_adult")["data"]) == 6
        table = read_exactly(run.folder / "figures" / "curve.csv")
        assert len(table) == 3 * 4 * 3 * 6 * 7
        assert "1512 specifications" in run.ledger["number-curve"].text
        assert f"p = {run.ledger['number-curve'].numbers['p']:.3g}" in run.ledger["number-curve"].text


class TestEstimators:
    def test_each_of_the_study_has_a_line(self, run: Run, official: StudyData) -> None:
        table = read_exactly(run.folder / "tables" / "estimators.csv")
        assert len(table) == 1 + len(official.study.beside)
        fit = ci.imputation(official.design("gce_per_adult"))
        found = table.loc[table["estimator"].str.startswith("imputation"), "estimate"].item()
        np.testing.assert_allclose(found, fit.aggregate("dynamic").average()["estimate"].iloc[0], rtol=1e-12)

    def test_figures_that_are_not_asked_for_are_not_drawn(self, small: StudyData) -> None:
        few = replace(small, study=replace(small.study, figures=()))
        assert estimators.make(few).figures == []
        assert adoption.make(few).figures == []


class TestChecks:
    def test_each_has_a_row_and_its_numbers(self, run: Run) -> None:
        rows = {row.id: row for row in run.ledger.of_kind("check")}
        names = ci.checks()["name"].tolist()
        assert {f"check-{name}" for name in names} <= set(rows)
        told = read_exactly(run.folder / "tables" / "checks.csv").set_index("name")
        for name in names:
            assert rows[f"check-{name}"].verdict == told.loc[name, "verdict"]
            assert rows[f"check-{name}"].text in run.page.replace("&#x27;", "'").replace(
                "&#39;", "'"
            ).replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&").replace("&quot;", '"').replace(
                "&#34;", '"'
            )

    def test_the_margin_of_the_study_is_used(self, run: Run) -> None:
        values = run.ledger["C4.gce_per_adult"]
        assert values.margin is not None
        assert f"{values.margin:.3g}" in run.ledger["check-precision"].text


@pytest.mark.parametrize(
    ("numbers", "title"),
    [
        ((17.8, -22.4, 58.1), "Spending per adult after adoption: average effect between −£22.4 and +£58.1"),
        (
            (30.2, 19.4, 41.0),
            "Spending per adult £30.2 higher on average after adoption (95% interval +£19.4 to +£41)",
        ),
        (
            (-30.2, -41.0, -19.4),
            "Spending per adult £30.2 lower on average after adoption (95% interval −£41 to −£19.4)",
        ),
        ((0.0, 0.0, 2.2), "Spending per adult after adoption: average effect between £0 and +£2.2"),
        ((5.0, np.nan, np.nan), "Spending per adult after adoption: +£5 on average, without an interval"),
    ],
)
def test_titles_of_paths_follow_the_interval(numbers: tuple[float, float, float], title: str) -> None:
    assert path_title("spending per adult", "£ per adult, 2021-22 prices", *numbers) == title


def test_titles_of_shares_are_in_percentage_points() -> None:
    title = path_title("the share", "proportion of requests", -0.1, -0.12, -0.08)
    assert title == (
        "The share 10 percentage points lower on average after adoption (95% interval −12 to −8)"
    )
