"""The figure of raw paths: its numbers are the panel's, its words are computed from them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import clsimpact as ci
from clsimpact.errors import PanelError
from clsimpact.plots.trends import CONTROLS, trends_figure
from tests.figure_helpers import assert_legible

pytestmark = pytest.mark.usefixtures("usual_errors")

ROUNDING = 1e-12
"""Two orders of summation of 138 numbers."""


@pytest.fixture(scope="module")
def tagged() -> pd.DataFrame:
    return ci.tag_adoption(ci.load_panel(), ci.load_adoption())


def made_up(controls: tuple[float, float], *adopters: tuple[float, float]) -> pd.DataFrame:
    """Two comparison councils and some adopters (in 2016), in 2014 and 2020."""
    paths = [("Control A", controls, pd.NA), ("Control B", controls, pd.NA)]
    paths += [(f"Adopter {i}", path, 2016) for i, path in enumerate(adopters)]
    rows = [
        (f"E{i}", name, year, value, cohort, int(year >= 2016 and cohort is not pd.NA))
        for i, (name, path, cohort) in enumerate(paths)
        for year, value in zip((2014, 2020), path, strict=True)
    ]
    columns = ["ons_code", "name", "year", "cost", "adoption_year", "treated"]
    table = pd.DataFrame(rows, columns=columns).astype({"adoption_year": "Int64"})
    table.attrs = {"columns": {"cost": {"label": "Cost", "unit": "£"}}, "source_line": "Source: made up"}
    return table


def test_the_data_are_the_panel(tagged: pd.DataFrame) -> None:
    data = trends_figure(tagged, "gce_per_adult").data
    held = tagged[tagged["gce_per_adult"].notna()]
    adopters = held[held["adoption_year"].notna()]
    own = data[data["series"] != CONTROLS].merge(
        adopters, left_on=["series", "year"], right_on=["name", "year"]
    )
    assert len(own) == len(adopters)
    np.testing.assert_array_equal(own["value"], own["gce_per_adult"])
    np.testing.assert_array_equal(own["treated_x"], own["treated_y"])
    controls = held[held["adoption_year"].isna()].groupby("year")["gce_per_adult"]
    mean = data[data["series"] == CONTROLS].set_index("year")
    np.testing.assert_allclose(mean["value"], controls.mean(), rtol=ROUNDING)
    np.testing.assert_array_equal(mean["councils"], controls.size())


def test_what_is_drawn_is_the_data(tagged: pd.DataFrame) -> None:
    made = trends_figure(tagged, "gce_per_adult")
    lines = [line for line in made.axes.lines if line.get_linestyle() != "None"]
    for line, (_, rows) in zip(lines, made.data.groupby("series", sort=False), strict=True):
        np.testing.assert_array_equal(line.get_xdata(), rows["year"])
        np.testing.assert_array_equal(line.get_ydata(), rows["value"])
    hollow = [line for line in made.axes.lines if line.get_markerfacecolor() == "white"]
    untreated = made.data[(made.data["series"] != CONTROLS) & (made.data["treated"] == 0)]
    assert sum(len(line.get_xdata()) for line in hollow) == len(untreated)


def test_nothing_overlaps(tagged: pd.DataFrame) -> None:
    assert_legible(trends_figure(tagged, "gce_per_adult").figure)


def test_the_title_of_the_official_panel_is_counted_from_it(tagged: pd.DataFrame) -> None:
    made = trends_figure(tagged, "gce_per_adult")
    ends = made.data[made.data["year"].isin([2014, 2021])]
    wide = ends.pivot_table(index="series", columns="year", values="value")
    change = wide[2021] / wide[2014] - 1
    more = int((change.drop(CONTROLS) > change[CONTROLS]).sum())
    assert change[CONTROLS] > 0
    assert made.title == (
        f"Gross current expenditure per adult rose by {change[CONTROLS]:.0%} in comparison councils "
        f"from 2014-15 to 2021-22; it rose by more in {more} of 5 adopters"
    )
    assert "mean of 138 comparison councils" in made.subtitle


@pytest.mark.parametrize(
    ("controls", "adopters", "words"),
    [
        (
            (100, 110),
            [(50, 56), (50, 54), (50, 40)],
            "rose by 10% {span}; it rose by more in 1 of 3 adopters",
        ),
        ((100, 80), [(50, 35), (50, 45), (50, 60)], "fell by 20% {span}; it fell by more in 1 of 3 adopters"),
        ((100, 90), [(50, 50)], "fell by 10% {span}; it fell by more in none of 1 adopter"),
        (
            (1000, 1002),
            [(50, 60), (50, 40), (50, 50)],
            "changed by less than 1% {span}; it rose in 1 of 3 adopters",
        ),
    ],
)
def test_the_title_follows_the_numbers(
    controls: tuple[float, float], adopters: list[tuple[float, float]], words: str
) -> None:
    span = "in comparison councils from 2014-15 to 2020-21"
    assert trends_figure(made_up(controls, *adopters), "cost").title == f"Cost {words.format(span=span)}"


def test_adopters_without_both_years_are_not_counted() -> None:
    panel = made_up((100, 110), (50, 60), (50, 60))
    panel.loc[(panel["name"] == "Adopter 1") & (panel["year"] == 2020), "cost"] = np.nan
    made = trends_figure(panel, "cost")
    assert made.title.endswith("1 of 1 adopter")
    assert set(made.data["series"]) == {CONTROLS, "Adopter 0", "Adopter 1"}


def test_labels_stand_beside_the_last_point_of_their_own_series() -> None:
    panel = made_up((100, 110), (50, 60), (50, 60))
    panel.loc[(panel["name"] == "Adopter 1") & (panel["year"] == 2020), "cost"] = np.nan
    places = {text.get_text(): text.xy for text in trends_figure(panel, "cost").axes.texts}
    assert places["Adopter 1 (2016-17)"] == (2014, 50)
    assert places["Adopter 0 (2016-17)"] == (2020, 60)


def test_the_text_alternative_names_every_series_and_its_ends(tagged: pd.DataFrame) -> None:
    made = trends_figure(tagged, "gce_per_adult")
    assert made.title in made.alt_text
    for name, rows in made.data.groupby("series"):
        assert str(name) in made.alt_text
        assert f"{rows.sort_values('year')['value'].iloc[-1]:.0f} in 2021-22" in made.alt_text


def test_shares_keep_their_figures() -> None:
    text = trends_figure(made_up((0.31, 0.28), (0.4, 0.35)), "cost").alt_text
    assert "0.31 in 2014-15, 0.28 in 2020-21" in text


def test_the_input_is_left_alone(tagged: pd.DataFrame) -> None:
    before = tagged.copy()
    trends_figure(tagged, "gce_per_adult")
    pd.testing.assert_frame_equal(tagged, before)


@pytest.mark.parametrize("suffix", ["svg", "png"])
def test_same_bytes_twice(tagged: pd.DataFrame, tmp_path: Path, suffix: str) -> None:
    paths = [
        trends_figure(tagged, "gce_per_adult").save(tmp_path / f"{number}.{suffix}") for number in range(2)
    ]
    assert paths[0].read_bytes() == paths[1].read_bytes()


class TestWrongInput:
    def test_a_misspelt_column_is_named_with_the_nearest(self, tagged: pd.DataFrame) -> None:
        with pytest.raises(PanelError, match=r"no column 'gce_per_adlut'.*did you mean 'gce_per_adult'"):
            trends_figure(tagged, "gce_per_adlut")

    def test_a_panel_without_adoption(self) -> None:
        with pytest.raises(PanelError, match=r"no column 'adoption_year'(.|\n)*tag_adoption"):
            trends_figure(ci.load_panel(), "gce_per_adult")

    def test_one_year_shows_no_trend(self, tagged: pd.DataFrame) -> None:
        with pytest.raises(PanelError, match="comparison councils have figures for 2021-22 only"):
            trends_figure(tagged, "signposted")

    def test_no_adopter(self, tagged: pd.DataFrame) -> None:
        with pytest.raises(PanelError, match="no adopter has figures"):
            trends_figure(tagged[tagged["adoption_year"].isna()], "gce_per_adult")
