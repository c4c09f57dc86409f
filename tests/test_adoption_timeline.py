"""The adoption timeline: what is known, what is used, and what was done with the others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes

import clsimpact as ci
from clsimpact.errors import AdoptionError, PanelError
from clsimpact.plots.adoption_timeline import BAR, adoption_timeline_figure
from clsimpact.plots.style import DARK_BLUE
from clsimpact.simulate.world import simulate_world
from tests.page_helpers import assert_page_legible, watermarks

pytestmark = pytest.mark.usefixtures("usual_errors")

COUNTY = {"unit": "county", "cohort": "first_treat", "units": "counties"}


@pytest.fixture(scope="module")
def adoption() -> pd.DataFrame:
    return ci.load_adoption()


@pytest.fixture(scope="module")
def tagged(adoption: pd.DataFrame) -> pd.DataFrame:
    return ci.tag_adoption(ci.load_panel(), adoption)


def fates(tagged: pd.DataFrame, adoption: pd.DataFrame) -> dict[str, str]:
    data = adoption_timeline_figure(tagged, adoption).data
    return dict(zip(data["name"], data["fate"], strict=True))


def heights(ax: Axes) -> dict[str, float]:
    """Words to their place, from the top."""
    return {text.get_text(): float(text.get_position()[1]) for text in ax.texts}


def markers(ax: Axes, *, filled: bool) -> list[tuple[float, str]]:
    lines = [line for line in ax.lines if line.get_marker() in ("o", "s", "^", "D")]
    return [
        (float(line.get_xdata()[0]), str(line.get_marker()))
        for line in lines
        if (line.get_markerfacecolor() == DARK_BLUE) is filled
    ]


class TestListed:
    def test_what_was_done_with_every_adopter(self, tagged: pd.DataFrame, adoption: pd.DataFrame) -> None:
        found = fates(tagged, adoption)
        assert len(found) == len(adoption) == 15
        assert found["Leeds"] == "used, 2016-17"
        assert found["Thurrock"] == "used, 2018-19"
        assert found["Shropshire"] == "left out: treated from the first year on"
        assert found["Croydon"] == "left out: no date"
        assert found["Telford and Wrekin"] == "left out: adoption in doubt"
        assert found["Denbighshire"] == "not used: in Wales"

    def test_other_choices_are_told(self, adoption: pd.DataFrame) -> None:
        panel = ci.load_panel()
        found = fates(
            ci.tag_adoption(
                panel, adoption, undated="control", always_treated="keep", part_year="first_full"
            ),
            adoption,
        )
        assert found["Leeds"] == "used, 2017-18"
        assert found["Croydon"] == "compared, though no date"
        assert found["Telford and Wrekin"] == "compared, though adoption in doubt"
        kept = ci.tag_adoption(panel, adoption, always_treated="keep")
        assert fates(kept, adoption)["Shropshire"] == "used, treated throughout"
        latest = ci.tag_adoption(panel, adoption, undated="treated_from_latest")
        assert fates(latest, adoption)["Croydon"] == "used from latest year, 2020-21"
        early = ci.tag_adoption(panel, adoption, date="earliest")
        assert fates(early, adoption)["Leeds"] == "used, 2015-16"

    def test_an_adopter_of_another_panel(self, tagged: pd.DataFrame, adoption: pd.DataFrame) -> None:
        assert fates(tagged[tagged["name"].ne("Leeds")], adoption)["Leeds"] == "not in this panel"

    def test_bars_reach_as_far_as_the_evidence(self, tagged: pd.DataFrame, adoption: pd.DataFrame) -> None:
        ax = adoption_timeline_figure(tagged, adoption).axes
        bars = {
            round(float(line.get_ydata()[0]), 6): tuple(map(float, line.get_xdata()))
            for line in ax.lines
            if line.get_color() == BAR
        }
        at = heights(ax)
        assert bars[round(at["Leeds"], 6)] == pytest.approx((2014.7, 2016.3))
        assert bars[round(at["Shropshire"], 6)] == pytest.approx((2011.7, 2014.3))
        assert bars[round(at["Croydon"], 6)] == pytest.approx((2017.7, 2020.3))
        assert round(at["Hartlepool"], 6) not in bars

    def test_markers_stand_at_the_dates(self, tagged: pd.DataFrame, adoption: pd.DataFrame) -> None:
        ax = adoption_timeline_figure(tagged, adoption).axes
        assert markers(ax, filled=True) == [(2016, "o")] * 3 + [(2017, "o"), (2018, "o")]
        assert markers(ax, filled=False) == [(2014, "s")] * 4 + [(2014, "D")]

    def test_undated_adopters_have_a_question_mark_and_unknown_ones_words(
        self, tagged: pd.DataFrame, adoption: pd.DataFrame
    ) -> None:
        words = [text.get_text() for text in adoption_timeline_figure(tagged, adoption).axes.texts]
        assert words.count("?") == 2
        assert words.count("no year known") == 3

    def test_years_with_figures_are_those_of_the_panel(
        self, tagged: pd.DataFrame, adoption: pd.DataFrame
    ) -> None:
        made = adoption_timeline_figure(tagged, adoption, outcome="gce_per_adult")
        crosses = next(line for line in made.axes.lines if line.get_marker() == "P")
        assert list(crosses.get_xdata()) == [2014, 2016, 2017, 2020, 2021]
        assert "Crosses: years with figures of gross current expenditure per adult." in made.source
        assert "gce" not in f"{made.title}{made.subtitle}{made.source}{made.alt_text}"

    def test_words(self, tagged: pd.DataFrame, adoption: pd.DataFrame) -> None:
        made = adoption_timeline_figure(tagged, adoption)
        assert made.title == "5 of 15 listed adopters are used (2016-17 to 2018-19)"
        assert "English councils, 2014-15 to 2022-23" in made.subtitle
        assert "The list of adopters is known to be incomplete." in made.source
        assert "Leeds: used, 2016-17 (evidence: from 2015-16 to 2016-17)" in made.alt_text
        assert (
            "Wakefield: left out: treated from the first year on (evidence: not before 2014-15)"
            in made.alt_text
        )
        assert "Hartlepool: left out: no date (evidence: not after 2022-23)" in made.alt_text
        assert "Scottish Borders: not used: in Scotland (evidence: no year known)" in made.alt_text

    @pytest.mark.parametrize("outcome", [None, "gce_per_adult"])
    def test_nothing_overlaps(
        self, tagged: pd.DataFrame, adoption: pd.DataFrame, outcome: str | None
    ) -> None:
        assert_page_legible(adoption_timeline_figure(tagged, adoption, outcome=outcome).figure, least=30)

    def test_made_up_data_say_so(self) -> None:
        listed = simulate_world(1).adoption()
        made = adoption_timeline_figure(ci.tag_adoption(ci.load_panel("simulated"), listed), listed)
        assert made.title == "SIMULATED: 24 of 24 listed adopters are used (2016-17 to 2020-21)"
        assert "SIMULATED" in made.source
        assert watermarks(made.figure) == 1
        assert_page_legible(made.figure, least=48)

    def test_two_columns_are_a_list(self, tagged: pd.DataFrame, adoption: pd.DataFrame) -> None:
        short = adoption[["ons_code", "adoption_year"]].iloc[:5]
        data = adoption_timeline_figure(tagged, short).data
        assert data["name"].tolist() == ["Leeds", "Calderdale", "Shropshire", "Somerset", "Wakefield"]
        assert data["fate"].tolist() == ["used, 2016-17", *["left out: treated from the first year on"] * 4]

    @pytest.mark.parametrize("suffix", ["svg", "png"])
    def test_same_bytes_twice(
        self, tagged: pd.DataFrame, adoption: pd.DataFrame, tmp_path: Path, suffix: str
    ) -> None:
        paths = [
            adoption_timeline_figure(tagged, adoption).save(tmp_path / f"{number}.{suffix}")
            for number in range(2)
        ]
        assert paths[0].read_bytes() == paths[1].read_bytes()

    def test_the_input_is_left_alone(self, tagged: pd.DataFrame, adoption: pd.DataFrame) -> None:
        before, listed = tagged.copy(), adoption.copy()
        adoption_timeline_figure(tagged, adoption)
        pd.testing.assert_frame_equal(tagged, before)
        pd.testing.assert_frame_equal(adoption, listed)


class TestCohorts:
    def test_counties(self) -> None:
        made = adoption_timeline_figure(ci.load_mpdta(), **COUNTY)
        assert made.title == "191 of 500 counties adopted (2004 to 2007)"
        assert dict(zip(made.data["name"], made.data["units"], strict=True)) == {
            "Cohort 2004": 20,
            "Cohort 2006": 40,
            "Cohort 2007": 131,
            "Never treated": 309,
        }
        everything = f"{made.title} {made.subtitle} {made.source} {made.alt_text}"
        everything += " ".join(text.get_text() for text in made.axes.texts)
        assert "council" not in everything.casefold()
        assert "England" not in everything
        assert_page_legible(made.figure)

    def test_bars_are_the_treated_years(self) -> None:
        ax = adoption_timeline_figure(ci.load_mpdta(), **COUNTY).axes
        bars = [tuple(map(float, line.get_xdata())) for line in ax.lines if line.get_color() == BAR]
        assert bars == [pytest.approx((first - 0.3, 2007.3)) for first in (2004, 2006, 2007)]
        assert markers(ax, filled=True) == [(2004, "o"), (2006, "o"), (2007, "o")]

    def test_missing_and_infinite_mean_never(self) -> None:
        panel = ci.load_mpdta()
        for never in (np.nan, np.inf):
            other = panel.assign(first_treat=panel["first_treat"].astype(float).replace(0.0, never))
            made = adoption_timeline_figure(other, **COUNTY)
            assert made.data["units"].tolist() == [20, 40, 131, 309]

    def test_a_cohort_before_the_panel_is_treated_throughout(self) -> None:
        panel = ci.load_mpdta()
        made = adoption_timeline_figure(panel[panel["year"] >= 2004], **COUNTY)
        assert made.data["fate"].tolist()[0] == "treated throughout"
        assert made.title == "191 of 500 counties adopted (2006 to 2007)"

    def test_cohorts_of_councils_have_financial_years(self, tagged: pd.DataFrame) -> None:
        made = adoption_timeline_figure(tagged)
        assert made.title == "5 of 143 councils adopted (2016-17 to 2018-19)"
        assert made.data["name"].tolist() == [
            "Cohort 2016-17",
            "Cohort 2017-18",
            "Cohort 2018-19",
            "Never treated",
        ]
        assert_page_legible(made.figure)


class TestWrongInput:
    def test_a_list_without_codes(self, tagged: pd.DataFrame, adoption: pd.DataFrame) -> None:
        with pytest.raises(AdoptionError, match=r"no column 'ons_code'(.|\n)*load_adoption"):
            adoption_timeline_figure(tagged, adoption.drop(columns="ons_code"))
        with pytest.raises(AdoptionError, match="no rows"):
            adoption_timeline_figure(tagged, adoption.iloc[:0])

    def test_a_misspelt_outcome(self, tagged: pd.DataFrame, adoption: pd.DataFrame) -> None:
        with pytest.raises(PanelError, match=r"no column 'gce_per_adlut' \(did you mean 'gce_per_adult'"):
            adoption_timeline_figure(tagged, adoption, outcome="gce_per_adlut")

    def test_a_unit_with_two_cohorts(self) -> None:
        panel = ci.load_mpdta()
        panel.loc[panel.index[0], "first_treat"] = 2005
        with pytest.raises(PanelError, match=r"1 units change their cohort(.|\n)*one year of adoption"):
            adoption_timeline_figure(panel, **COUNTY)

    def test_cohorts_that_are_words(self) -> None:
        panel = ci.load_mpdta().assign(first_treat="early")
        with pytest.raises(PanelError, match="are no years"):
            adoption_timeline_figure(panel, **COUNTY)
