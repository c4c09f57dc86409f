"""What a study works on: read, checked, kept for other processes and read again."""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

import clsimpact as ci
from clsimpact.datasets import load_mpdta
from clsimpact.errors import AdoptionError, PanelError
from clsimpact.report import study_data
from clsimpact.report.study import Study, StudyOutcome, default_study, load_study
from clsimpact.report.study_data import StudyData, digest, keep, load_study_data, made_up_data

OWN = """
[study]
title = "Minimum wages"
question = "What?"
programme = "A minimum wage"
units = "counties"
[data]
panel = "{panel}"
unit = "county"
time = "year"
cohort = "first_treat"
source = "somebody"
licence = "free"
[[outcomes]]
name = "lemp"
words = "log employment"
unit = "log points"
[[claims]]
id = "W1"
statement = "It falls"
outcomes = ["lemp"]
[[claims.tests]]
rule = "decrease"
"""


def own(folder: Path, panel: pd.DataFrame | None = None, *, name: str = "mine.csv", more: str = "") -> Study:
    """Write a study with its panel beside it."""
    table = load_mpdta() if panel is None else panel
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    if name.endswith(".csv"):
        table.to_csv(folder / name, index=False)
    else:
        bare = table.copy()
        bare.attrs = {}
        bare.to_parquet(folder / name)
    (folder / "study.toml").write_text(OWN.format(panel=name).replace("[[out", f"{more}\n[[out", 1))
    return load_study(folder / "study.toml")


def problems_of(study: Study) -> list[str]:
    with pytest.raises(PanelError) as caught:
        load_study_data(study)
    return list(caught.value.problems)


@functools.cache
def official() -> StudyData:
    return load_study_data(default_study())


@functools.cache
def made_up() -> StudyData:
    return made_up_data(default_study(), 2)


class TestOfficial:
    def test_it_is_the_committed_panel_tagged(self) -> None:
        data = official()
        assert_frame_equal(data.panel, ci.load_panel())
        assert_frame_equal(data.tagged, ci.tag_adoption(ci.load_panel(), ci.load_adoption()))
        assert not data.simulated
        assert data.effects is None

    def test_what_was_read_is_fingerprinted(self) -> None:
        folder = Path(ci.__file__).parents[2] / "data" / "processed"
        names = ["panel.parquet", "adoption.parquet", "returns.parquet"]
        assert official().inputs == {name: digest(folder / name) for name in names}

    def test_its_returns_are_the_committed_ones(self) -> None:
        returns = official().returns
        assert returns is not None
        assert len(returns) == len(ci.load_returns())

    def test_outcomes_of_claims_come_after_those_of_the_study(self) -> None:
        names = [it.name for it in official().outcomes()]
        assert names[:4] == ["signposted", "planned_share", "funded_mid", "gce_per_adult"]
        assert set(names[4:]) == {"planned_unplanned_ratio", "funded_broad", "funded_narrow", "funded_author"}

    def test_words_label_and_unit(self) -> None:
        data = official()
        assert data.label_of("gce_per_adult") == "Gross current expenditure per adult"
        assert data.unit_of("gce_per_adult") == "£ per adult, 2021-22 prices"
        broad = data.outcome("funded_broad")
        assert broad == StudyOutcome(
            "funded_broad",
            "the share of requests that led to any council support",
            "Requests that led to any council support",
            "proportion of requests",
        )
        assert data.outcome("nothing") == StudyOutcome("nothing", "nothing", "nothing", "")
        assert data.unit_of("nothing") == ""

    def test_the_design_has_the_roles_of_the_study(self) -> None:
        design = official().design("gce_per_adult")
        assert (design.unit, design.time, design.cohort) == ("ons_code", "year", "adoption_year")
        assert design.outcome_label == "Gross current expenditure per adult"
        assert "Leeds (E08000035)" in design.unit_names

    def test_a_window_of_years(self) -> None:
        study = default_study()
        data = load_study_data(replace(study, data={**study.data, "years": [2016, 2020]}))
        assert sorted(data.panel["year"].unique()) == [2016, 2017, 2018, 2019, 2020]
        assert sorted(data.tagged["year"].unique()) == [2016, 2017, 2018, 2019, 2020]
        assert data.panel.attrs == official().panel.attrs

    def test_a_window_without_rows(self) -> None:
        study = default_study()
        with pytest.raises(PanelError, match="no rows from 1990 to 1999"):
            load_study_data(replace(study, data={**study.data, "years": [1990, 1999]}))

    def test_the_choices_of_adoption_are_those_of_the_study(self) -> None:
        study = default_study()
        latest = load_study_data(replace(study, adoption={**study.adoption, "date": "latest"}))
        assert latest.tagged.attrs["adoption"]["choices"]["date"] == "latest"

    def test_a_made_up_list_does_not_go_with_it(self) -> None:
        study = default_study()
        with pytest.raises(PanelError, match="goes with the made-up panel"):
            load_study_data(replace(study, data={**study.data, "adoption": "simulated"}))

    def test_without_a_list_the_panel_must_bring_its_cohorts(self) -> None:
        data = {key: value for key, value in default_study().data.items() if key != "adoption"}
        assert problems_of(replace(default_study(), data=data)) == [
            "[data] cohort: no column 'adoption_year'"
        ]


class TestMadeUp:
    def test_it_is_marked_and_has_its_truth(self) -> None:
        data = made_up()
        assert data.simulated
        assert data.study.data["panel"] == data.study.data["adoption"] == "simulated"
        assert data.panel.attrs["title"].startswith("SIMULATED")
        assert data.panel.attrs["simulation"]["seed"] == 2
        assert data.effects is not None
        assert len(data.effects)
        assert data.returns is None
        assert data.design("gce_per_adult").simulated

    def test_the_file_of_a_study_can_ask_for_it(self) -> None:
        study = default_study()
        both = {**study.data, "panel": "simulated", "adoption": "simulated"}
        data = load_study_data(replace(study, data=both))
        assert data.simulated
        assert data.panel.attrs["simulation"]["seed"] == 1
        assert data.effects is not None

    def test_a_window_of_years_is_kept(self, monkeypatch: pytest.MonkeyPatch) -> None:
        whole = made_up()
        monkeypatch.setattr(study_data, "_made_up", lambda *_: (whole.panel, whole.adoption, whole.effects))
        study = default_study()
        data = made_up_data(replace(study, data={**study.data, "years": [2015, 2019]}), 2)
        assert data.panel["year"].agg(["min", "max"]).tolist() == [2015, 2019]
        assert data.tagged["year"].agg(["min", "max"]).tolist() == [2015, 2019]
        later = data.tagged["adoption_year"].gt(2019)
        assert later.any(), "who adopts after the window is not yet treated in it"
        assert data.tagged.loc[later, "treated"].eq(0).all()


class TestKept:
    def test_an_official_study_comes_back(self, tmp_path: Path) -> None:
        data = official()
        returns = ci.load_returns().head(500)
        folder = keep(tmp_path / "a" / "b", data.panel, data.adoption, returns)
        again = load_study_data(data.study, folder)
        assert_frame_equal(again.panel, data.panel)
        assert again.panel.attrs == data.panel.attrs
        assert_frame_equal(again.tagged, data.tagged)
        assert again.tagged.attrs == data.tagged.attrs
        assert again.returns is not None
        assert_frame_equal(again.returns.astype(object), returns.astype(object))
        assert again.returns["source_id"].dtype == "category", "a million rows would not fit as text"
        assert again.inputs == {
            name: digest(folder / name)
            for name in ("panel.parquet", "attributes.json", "adoption.csv", "returns.parquet")
        }
        assert not again.simulated

    def test_a_made_up_study_comes_back_marked_with_its_truth(self, tmp_path: Path) -> None:
        data = made_up()
        folder = keep(tmp_path, data.panel, data.adoption, None, data.effects)
        again = load_study_data(data.study, folder)
        assert again.simulated
        assert_frame_equal(again.panel, data.panel)
        assert again.panel.attrs == data.panel.attrs
        assert_frame_equal(again.tagged, data.tagged)
        assert again.effects is not None
        assert data.effects is not None
        assert_frame_equal(again.effects, data.effects, check_dtype=False, rtol=1e-12)
        assert again.returns is None

    def test_the_panel_that_is_kept_is_not_changed(self, tmp_path: Path) -> None:
        panel = load_mpdta()
        attrs = dict(panel.attrs)
        keep(tmp_path, panel, None, None)
        assert panel.attrs == attrs

    def test_the_same_data_give_the_same_bytes(self, tmp_path: Path) -> None:
        for name in ("one", "two"):
            keep(tmp_path / name, load_mpdta(), None, None)
        first, second = (sorted((tmp_path / name).iterdir()) for name in ("one", "two"))
        assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]

    def test_what_an_earlier_run_kept_is_gone(self, tmp_path: Path) -> None:
        data = official()
        keep(tmp_path, data.panel, data.adoption, ci.load_returns().head(5))
        keep(tmp_path, load_mpdta(), None, None)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["attributes.json", "panel.parquet"]

    def test_an_empty_folder(self, tmp_path: Path) -> None:
        with pytest.raises(PanelError, match="There is no panel in"):
            load_study_data(default_study(), tmp_path)


class TestOwnPanel:
    @pytest.mark.parametrize("name", ["mine.csv", "mine.parquet", "data/mine.csv"])
    def test_values_come_back(self, tmp_path: Path, name: str) -> None:
        data = load_study_data(own(tmp_path, name=name))
        assert_frame_equal(data.panel, load_mpdta(), check_dtype=False, rtol=1e-12)
        assert data.inputs == {Path(name).name: digest(tmp_path / name)}
        assert data.adoption is None
        assert data.returns is None
        assert not data.simulated

    def test_paths_are_relative_to_the_file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        study = own(tmp_path)
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
        assert len(load_study_data(study).panel) == 2500

    def test_what_the_study_says_of_it(self, tmp_path: Path) -> None:
        data = load_study_data(own(tmp_path))
        assert data.panel.attrs["title"] == "Minimum wages"
        assert data.panel.attrs["attribution"] == ["somebody", "free"]
        assert data.label_of("lemp") == "log employment"
        assert data.unit_of("lemp") == "log points"
        assert data.design("lemp").source == "somebody"

    def test_zero_is_never_in_the_tagged_panel(self, tmp_path: Path) -> None:
        data = load_study_data(own(tmp_path))
        assert data.panel["first_treat"].eq(0).any()
        assert data.tagged.groupby("county")["first_treat"].first().notna().sum() == 191
        assert not data.tagged["first_treat"].eq(0).any()
        assert data.design("lemp").cohort_sizes == {2004: 20, 2006: 40, 2007: 131}

    def test_infinity_is_never_too(self, tmp_path: Path) -> None:
        panel = load_mpdta().assign(first_treat=lambda rows: rows["first_treat"].replace(0, np.inf))
        assert load_study_data(own(tmp_path, panel)).design("lemp").n_never == 309

    def test_a_window(self, tmp_path: Path) -> None:
        data = load_study_data(own(tmp_path, more="years = [2004, 2006]"))
        assert sorted(data.tagged["year"].unique()) == [2004, 2005, 2006]

    def test_kept_and_read_again(self, tmp_path: Path) -> None:
        data = load_study_data(own(tmp_path))
        again = load_study_data(data.study, keep(tmp_path / "kept", data.panel, data.adoption, data.returns))
        assert_frame_equal(again.tagged, data.tagged)
        assert again.panel.attrs == data.panel.attrs

    def test_a_column_that_says_simulated_marks_it(self, tmp_path: Path) -> None:
        data = load_study_data(own(tmp_path, load_mpdta().assign(simulated=True)))
        assert data.simulated
        assert data.design("lemp").simulated

    def test_columns_that_are_not_there(self, tmp_path: Path) -> None:
        panel = load_mpdta().rename(columns={"lemp": "lemps", "year": "years", "first_treat": "treat"})
        assert problems_of(own(tmp_path, panel)) == [
            "[data] time: no column 'year' (did you mean 'years'?)",
            "[data] cohort: no column 'first_treat' (did you mean 'treat'?)",
            "[[outcomes]]: no column 'lemp' (did you mean 'lemps'?)",
        ]

    def test_a_window_of_a_column_that_is_not_there(self, tmp_path: Path) -> None:
        panel = load_mpdta().rename(columns={"year": "years"})
        assert problems_of(own(tmp_path, panel, more="years = [2004, 2006]")) == [
            "[data] time: no column 'year' (did you mean 'years'?)"
        ]

    @pytest.mark.parametrize("more", ["", "years = [2004, 2006]"])
    def test_years_that_are_text(self, tmp_path: Path, more: str) -> None:
        panel = load_mpdta().assign(year=lambda rows: rows["year"].astype(str) + "-04")
        assert problems_of(own(tmp_path, panel, more=more)) == [
            "column 'year' holds text, not numbers: '2003-04', '2004-04', '2005-04', '2006-04' and 1 more"
        ]

    def test_everything_wrong_with_the_rows_at_once(self, tmp_path: Path) -> None:
        panel = load_mpdta().head(40).astype({"lemp": object, "year": float, "county": object})
        panel.loc[3, "lemp"] = "n/k"
        panel.loc[5, "year"] = 2003.5
        panel.loc[7, "county"] = None
        panel = pd.concat([panel, panel.iloc[10:11].assign(lemp=1.0)])
        county, year = panel.iloc[10]["county"], panel.iloc[10]["year"]
        assert problems_of(own(tmp_path, panel)) == [
            "column 'lemp' holds text, not numbers: 'n/k'",
            "column 'county' is missing in 1 rows",
            "column 'year' holds no whole numbers: 2003.5",
            f"more than one row for {float(county)} in {year}",
        ]

    def test_cohorts_that_are_words(self, tmp_path: Path) -> None:
        panel = load_mpdta().assign(
            first_treat=lambda rows: rows["first_treat"].astype(str).replace("0", "never")
        )
        assert problems_of(own(tmp_path, panel)) == ["column 'first_treat' holds text, not numbers: 'never'"]

    def test_a_file_that_is_not_there(self, tmp_path: Path) -> None:
        study = own(tmp_path)
        (tmp_path / "mine.csv").unlink()
        with pytest.raises(PanelError, match=r"There is no file mine\.csv beside the study"):
            load_study_data(study)

    @pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00\x01"])
    def test_a_file_that_cannot_be_read(self, tmp_path: Path, content: bytes) -> None:
        study = own(tmp_path)
        (tmp_path / "mine.csv").write_bytes(content)
        with pytest.raises(PanelError, match=r"mine\.csv cannot be read"):
            load_study_data(study)

    def test_a_parquet_file_that_is_none(self, tmp_path: Path) -> None:
        study = own(tmp_path, name="mine.parquet")
        (tmp_path / "mine.parquet").write_bytes(b"county,year")
        with pytest.raises(PanelError, match=r"mine\.parquet cannot be read"):
            load_study_data(study)


class TestOwnList:
    def study(self, folder: Path, text: str) -> Study:
        (folder / "panel.parquet").write_bytes(b"")
        (folder / "mine.csv").write_text(text)
        study = default_study()
        return replace(study, data={**study.data, "adoption": "mine.csv"}, folder=folder)

    def test_it_is_read_and_fingerprinted(self, tmp_path: Path) -> None:
        study = self.study(tmp_path, "ons_code,adoption_year\nE08000035,2017\n")
        data = load_study_data(study)
        assert data.inputs["mine.csv"] == digest(tmp_path / "mine.csv")
        assert data.tagged.loc[data.tagged["adoption_year"].notna(), "name"].unique().tolist() == ["Leeds"]

    def test_it_must_be_there_and_name_councils(self, tmp_path: Path) -> None:
        study = self.study(tmp_path, "ons_code,adoption_year\nE99999999,2017\n")
        with pytest.raises(AdoptionError, match="E99999999"):
            load_study_data(study)
        (tmp_path / "mine.csv").unlink()
        with pytest.raises(AdoptionError, match="There is no file"):
            load_study_data(study)
