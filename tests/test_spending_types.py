"""Spending by type: sums of published figures, the same areas in every year, and words that follow."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import clsimpact as ci
from clsimpact.errors import PanelError
from clsimpact.plots._spending import TYPES, spending_by_type
from clsimpact.plots.spending_types import spending_types_figure
from clsimpact.simulate.memory import simulated_returns
from clsimpact.simulate.world import simulate_world
from tests.page_helpers import assert_page_legible, watermarks

pytestmark = pytest.mark.usefixtures("usual_errors")

ROUNDING = 1e-9
"""Sums of the same figures in another order."""
PRINTED = 1e-4
"""£000 per published figure: tables print money with more or fewer digits."""

YEARS = [2014, 2016, 2017, 2020, 2021]


@pytest.fixture(scope="module")
def tagged() -> pd.DataFrame:
    return ci.tag_adoption(ci.load_panel(), ci.load_adoption())


@pytest.fixture(scope="module")
def returns() -> pd.DataFrame:
    """The money of the committed returns, and one figure of each denominator."""
    table = ci.load_returns()
    return table[table["measure"].astype("object").eq("gross_current_expenditure")].reset_index(drop=True)


@pytest.fixture(scope="module")
def made_up() -> tuple[pd.DataFrame, pd.DataFrame]:
    world = simulate_world(1)
    return simulated_returns(world), ci.tag_adoption(ci.load_panel("simulated"), world.adoption())


class TestNumbers:
    def test_types_add_up_to_the_panel(self, returns: pd.DataFrame, tagged: pd.DataFrame) -> None:
        areas, lacking = spending_by_type(returns, tagged)
        assert lacking == []
        assert sorted(areas["year"].unique()) == YEARS
        joined = areas.merge(tagged[["ons_code", "year", "gce_per_adult"]], on=["ons_code", "year"])
        assert len(joined) == len(areas) > 600
        np.testing.assert_allclose(joined[list(TYPES)].sum(axis=1), joined["gce_per_adult"], rtol=ROUNDING)

    def test_long_and_short_add_up_to_the_panel_by_age(
        self, returns: pd.DataFrame, tagged: pd.DataFrame
    ) -> None:
        areas, _ = spending_by_type(returns, tagged)
        columns = ["ons_code", "year", "gce_real_18_64", "gce_real_65_plus", "population_18_plus"]
        joined = areas.merge(tagged[columns], on=["ons_code", "year"])
        by_age = (joined["gce_real_18_64"] + joined["gce_real_65_plus"]) * 1e3 / joined["population_18_plus"]
        np.testing.assert_allclose(joined[TYPES[0]] + joined[TYPES[1]], by_age, rtol=ROUNDING)

    @pytest.mark.parametrize("year", [2020, 2021])
    def test_types_are_those_that_are_printed(
        self, returns: pd.DataFrame, tagged: pd.DataFrame, year: int
    ) -> None:
        """Table 15 prints long term, short term and other: the remainder is what is printed."""
        areas, _ = spending_by_type(returns, tagged)
        text = returns.astype(dict.fromkeys(("table", "level", "care_type", "ons_code"), "object"))
        printed = text[text["table"].eq("T15") & text["level"].eq("council") & text["year"].eq(year)]
        wide = printed.pivot_table(index="ons_code", columns="care_type", values="value")
        rows = areas[areas["year"].eq(year)].merge(
            tagged[["ons_code", "year", "gce", "gce_real", "population_18_plus"]], on=["ons_code", "year"]
        )
        alone = rows[rows["ons_code"].isin(wide.index)].set_index("ons_code")
        assert len(alone) > 120
        factor = 1e3 * (alone["gce_real"] / alone["gce"]).median() / alone["population_18_plus"]
        for name, word in zip(TYPES, ("Long term", "Short term", "Other"), strict=True):
            expected = wide.loc[alone.index, word]
            np.testing.assert_allclose(alone[name] / factor, expected, rtol=1e-6, atol=PRINTED)

    def test_leeds_by_hand(self, returns: pd.DataFrame, tagged: pd.DataFrame) -> None:
        """2021-22 needs no deflator: £000 233,351 long term, 18,067 short term, 50,378 other (table 14)."""
        areas, _ = spending_by_type(returns, tagged)
        row = areas[areas["ons_code"].eq("E08000035") & areas["year"].eq(2021)].iloc[0]
        chosen = tagged["ons_code"].eq("E08000035") & tagged["year"].eq(2021)
        adults = float(tagged.loc[chosen, "population_18_plus"].item())
        for name, thousands in zip(TYPES, (233351, 18067, 50378), strict=True):
            assert row[name] == pytest.approx(thousands * 1e3 / adults, rel=1e-9)

    def test_merged_councils_are_summed(self, returns: pd.DataFrame, tagged: pd.DataFrame) -> None:
        areas, _ = spending_by_type(returns, tagged)
        merged = areas[areas["ons_code"].eq("E06000058+E06000059")]
        assert merged["year"].tolist() == YEARS

    def test_the_same_areas_in_every_year(self, returns: pd.DataFrame, tagged: pd.DataFrame) -> None:
        data = spending_types_figure(returns, tagged).data
        assert data.groupby("group")["areas"].nunique().max() == 1
        areas, _ = spending_by_type(returns, tagged)
        assert areas.groupby("ons_code").size().eq(len(YEARS)).all()

    def test_means_are_of_the_areas(self, returns: pd.DataFrame, tagged: pd.DataFrame) -> None:
        areas, _ = spending_by_type(returns, tagged)
        made = spending_types_figure(returns, tagged)
        mine = areas[areas["adoption_year"].notna() & areas["year"].eq(2017)]
        row = made.data[
            made.data["type"].eq(TYPES[1]) & made.data["group"].eq("Adopters") & made.data["year"].eq(2017)
        ]
        assert row["value"].item() == pytest.approx(float(mine[TYPES[1]].mean()))
        assert row["areas"].item() == len(mine) == 5

    def test_a_year_without_types_is_named_and_not_drawn(
        self, returns: pd.DataFrame, tagged: pd.DataFrame
    ) -> None:
        without = returns["year"].eq(2017) & returns["care_type"].astype("object").eq("Short term")
        hidden = returns.assign(status=returns["status"].astype("object").mask(without, "suppressed"))
        hidden["value"] = hidden["value"].mask(without)
        made = spending_types_figure(hidden, tagged)
        assert 2017 not in made.data["year"].to_numpy()
        assert made.source.startswith("Not drawn, as the types are not held: 2017-18.")


class TestWords:
    def test_the_title_is_computed(self, returns: pd.DataFrame, tagged: pd.DataFrame) -> None:
        made = spending_types_figure(returns, tagged)
        long = made.data[made.data["type"].eq(TYPES[0])].pivot_table(
            index="group", columns="year", values="value"
        )
        change = (long[2021] / long[2014] - 1).map("{:.0%}".format)
        assert made.title == (
            f"Long term spending per adult rose by {change['Adopters']} in adopters and "
            f"by {change['Comparison']} in comparison councils"
        )
        assert "£ per adult at 2021-22 prices" in made.subtitle
        assert "England, 5 adopters and 134 comparison councils" in made.subtitle
        assert "2014-15 to 2021-22" in made.subtitle
        assert made.source.endswith("Open Government Licence v3.0")
        assert "gce" not in f"{made.title}{made.subtitle}{made.source}{made.alt_text}"

    def test_the_text_alternative_has_every_type(self, returns: pd.DataFrame, tagged: pd.DataFrame) -> None:
        made = spending_types_figure(returns, tagged)
        for name in TYPES:
            assert f"{name}, adopters: £" in made.alt_text
        assert made.alt_text.count("2016-17") == 6

    def test_made_up_data_say_so(self, made_up: tuple[pd.DataFrame, pd.DataFrame]) -> None:
        made = spending_types_figure(*made_up)
        assert made.title.startswith("SIMULATED: Long term spending")
        assert "SIMULATED" in made.source
        assert watermarks(made.figure) == len(TYPES)
        assert made.data["year"].nunique() == 10
        assert_page_legible(made.figure)


class TestDrawing:
    def test_lines_are_the_data(self, returns: pd.DataFrame, tagged: pd.DataFrame) -> None:
        made = spending_types_figure(returns, tagged)
        for ax, name in zip(made.figure.axes, TYPES, strict=True):
            assert ax.get_ylim()[0] == 0
            lines = [line for line in ax.lines if line.get_marker() in ("o", "s")]
            for line, group in zip(lines, ("Adopters", "Comparison"), strict=True):
                rows = made.data[made.data["type"].eq(name) & made.data["group"].eq(group)]
                np.testing.assert_array_equal(line.get_xdata(), rows["year"])
                np.testing.assert_array_equal(line.get_ydata(), rows["value"])
            assert len({line.get_marker() for line in lines}) == 2

    def test_each_line_is_named_with_its_last_figure(
        self, returns: pd.DataFrame, tagged: pd.DataFrame
    ) -> None:
        made = spending_types_figure(returns, tagged)
        last = made.data[made.data["year"].eq(2021)]
        words = {text.get_text() for ax in made.figure.axes for text in ax.texts}
        assert words == {
            f"{group} £{value:,.0f}" for group, value in zip(last["group"], last["value"], strict=True)
        }

    def test_nothing_overlaps(self, returns: pd.DataFrame, tagged: pd.DataFrame) -> None:
        assert_page_legible(spending_types_figure(returns, tagged).figure, least=20)

    def test_same_bytes_twice(self, made_up: tuple[pd.DataFrame, pd.DataFrame], tmp_path: Path) -> None:
        for suffix in ("svg", "png"):
            paths = [spending_types_figure(*made_up).save(tmp_path / f"{n}.{suffix}") for n in range(2)]
            assert paths[0].read_bytes() == paths[1].read_bytes()

    def test_the_input_is_left_alone(self, returns: pd.DataFrame, tagged: pd.DataFrame) -> None:
        before, panel = returns.copy(), tagged.copy()
        spending_types_figure(returns, tagged)
        assert returns.equals(before)
        pd.testing.assert_frame_equal(tagged, panel)


class TestWrongInput:
    def test_official_and_made_up_are_not_mixed(
        self, returns: pd.DataFrame, made_up: tuple[pd.DataFrame, pd.DataFrame]
    ) -> None:
        with pytest.raises(PanelError, match=r"one of returns and panel is simulated(.|\n)*built from"):
            spending_types_figure(returns, made_up[1])

    def test_returns_of_another_panel(self, made_up: tuple[pd.DataFrame, pd.DataFrame]) -> None:
        other = simulated_returns(simulate_world(2))
        with pytest.raises(PanelError, match=r"not those that the panel was built from(.|\n)*build_panel"):
            spending_types_figure(other, made_up[1])

    def test_no_types(self, returns: pd.DataFrame, tagged: pd.DataFrame) -> None:
        total = returns[returns["care_type"].astype("object").eq("Total")]
        with pytest.raises(PanelError, match=r"no spending by type in 2014-15 to 2022-23(.|\n)*load_returns"):
            spending_types_figure(total, tagged)

    def test_one_side_only(self, returns: pd.DataFrame, tagged: pd.DataFrame) -> None:
        with pytest.raises(PanelError, match="for comparison only"):
            spending_types_figure(returns, tagged[tagged["adoption_year"].isna()])

    def test_an_untagged_panel(self, returns: pd.DataFrame) -> None:
        with pytest.raises(PanelError, match=r"no column 'adoption_year'(.|\n)*tag_adoption"):
            spending_types_figure(returns, ci.load_panel())
