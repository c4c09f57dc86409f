"""The tile map: every council has a tile of its own, and every group is told apart without colour."""

from __future__ import annotations

from pathlib import Path

import matplotlib.colors
import numpy as np
import pandas as pd
import pytest
from matplotlib.patches import Rectangle

import clsimpact as ci
from clsimpact.errors import PanelError
from clsimpact.geography import constant_areas, council_codes
from clsimpact.plots.tile_map import COMPARED, OUT, USED, tile_layout, tile_map_figure
from clsimpact.simulate.world import simulate_world
from tests.page_helpers import assert_page_legible, watermarks

pytestmark = pytest.mark.usefixtures("usual_errors")

YEARS = range(2014, 2024)
DISTANT = 4.0
"""Tiles: neighbours on the ground are not further apart than this."""


@pytest.fixture(scope="module")
def tagged() -> pd.DataFrame:
    return ci.tag_adoption(ci.load_panel(), ci.load_adoption())


def cells() -> dict[str, tuple[int, int]]:
    table = tile_layout()
    return dict(zip(table["ons_code"], zip(table["column"], table["row"], strict=True), strict=True))


class TestLayout:
    @pytest.mark.parametrize("first", YEARS)
    def test_every_area_of_every_window_has_a_tile_of_its_own(self, first: int) -> None:
        at = cells()
        for last in range(first, 2024):
            codes = sorted({area.code for area in constant_areas(first, last).values()})
            assert set(codes) <= set(at), (first, last)
            assert len({at[code] for code in codes}) == len(codes), (first, last)

    @pytest.mark.parametrize("year", YEARS)
    def test_every_council_of_a_year_has_a_tile_of_its_own(self, year: int) -> None:
        at = cells()
        codes = council_codes(year)
        assert len({at[code] for code in codes}) == len(codes)

    def test_labels_are_three_letters_and_name_one_tile(self) -> None:
        table = tile_layout()
        assert table["label"].str.fullmatch("[A-Z]{3}").all()
        assert table.groupby("label")[["column", "row"]].nunique().max(axis=None) == 1
        assert table.groupby(["column", "row"])["label"].nunique().max() <= 2

    def test_the_outline_is_that_of_england(self) -> None:
        table = tile_layout().set_index("name")
        column, row = table["column"], table["row"]
        assert row["Northumberland"] == row.min()
        assert column["Isles of Scilly"] == column.min()
        assert row["Cornwall"] == row.max()
        assert column["Kent"] == column.max()
        assert column["Norfolk"] > column["Birmingham"] > column["Shropshire"]
        assert row["Leeds"] < row["Derby"] < row["Oxfordshire"] < row["Hampshire"]

    @pytest.mark.parametrize(
        ("one", "other"),
        [("Leeds", "Bradford"), ("Manchester", "Salford"), ("Kent", "Medway"), ("Norfolk", "Suffolk")],
    )
    def test_neighbours_stay_near(self, one: str, other: str) -> None:
        table = tile_layout().set_index("name")[["column", "row"]]
        assert np.hypot(*(table.loc[one] - table.loc[other])) <= DISTANT

    def test_london_is_one_block(self) -> None:
        table = tile_layout()
        block = table[table["ons_code"].str.startswith("E09")]
        assert len(block) == 33
        assert (block["column"].max() - block["column"].min(), block["row"].max() - block["row"].min()) == (
            6,
            4,
        )
        inside = table["column"].between(block["column"].min(), block["column"].max())
        inside &= table["row"].between(block["row"].min(), block["row"].max())
        assert set(table.loc[inside, "ons_code"]) == set(block["ons_code"])

    def test_nobody_can_change_the_layout(self) -> None:
        mine = tile_layout()
        mine["column"] = 0
        assert tile_layout()["column"].max() > 0


class TestFigure:
    def test_groups_are_those_of_the_panel(self, tagged: pd.DataFrame) -> None:
        data = tile_map_figure(tagged).data.set_index("name")
        assert data["group"].value_counts().to_dict() == {COMPARED: 138, OUT: 7, USED: 5}
        assert data.loc["Leeds", ["group", "adoption_year"]].tolist() == [USED, 2016]
        assert data.loc["Somerset", ["group", "reason"]].tolist() == [OUT, "treated from the first year on"]
        assert data.loc["Croydon", "reason"] == "no date"
        assert data.loc["Telford and Wrekin", "reason"] == "adoption in doubt"
        assert data.loc["Bournemouth, Christchurch and Poole + Dorset", "group"] == COMPARED

    def test_words(self, tagged: pd.DataFrame) -> None:
        made = tile_map_figure(tagged)
        assert made.title == "5 adopters are compared with 138 councils; 7 others are left out"
        assert "150 areas" in made.subtitle
        assert "England, 2014-15 to 2022-23" in made.subtitle
        assert "equal size and their positions approximate" in made.subtitle
        assert made.source.startswith("The list of adopters is known to be incomplete.\nSource: NHS England")
        assert "Leeds (2016-17)" in made.alt_text
        assert "Hartlepool (no date)" in made.alt_text

    def test_each_tile_stands_in_its_cell_and_groups_differ_in_lightness(self, tagged: pd.DataFrame) -> None:
        made = tile_map_figure(tagged)
        lightness: dict[str, float] = {}
        tiles = {
            (int(tile.get_x()), int(tile.get_y())): tile
            for tile in made.axes.patches
            if isinstance(tile, Rectangle)
        }
        for row in made.data.to_dict("records"):
            tile = tiles[row["column"], row["row"]]
            r, g, b, _ = matplotlib.colors.to_rgba(tile.get_facecolor())
            lightness[row["group"]] = 0.299 * r + 0.587 * g + 0.114 * b
        assert lightness[USED] < 0.3 < lightness[OUT] < 0.65 < lightness[COMPARED]

    def test_only_adopters_left_out_have_a_notched_corner(self, tagged: pd.DataFrame) -> None:
        notches = [
            patch for patch in tile_map_figure(tagged).axes.patches if not isinstance(patch, Rectangle)
        ]
        assert len(notches) == 7 + 1  # and the key

    def test_nothing_overlaps(self, tagged: pd.DataFrame) -> None:
        assert_page_legible(tile_map_figure(tagged).figure, least=150)

    def test_adopters_kept_as_comparison_are_named(self) -> None:
        tagged = ci.tag_adoption(
            ci.load_panel(), ci.load_adoption(), undated="control", always_treated="keep"
        )
        made = tile_map_figure(tagged)
        assert made.title == "9 adopters are compared with 141 councils"
        words = [text.get_text() for text in made.figure.axes[1].texts]
        assert words[words.index("Compared, though no date") + 1] == "CRY Croydon"

    def test_made_up_data_say_so(self) -> None:
        world = simulate_world(1)
        made = tile_map_figure(ci.tag_adoption(ci.load_panel("simulated"), world.adoption()))
        assert made.title.startswith("SIMULATED: 24 adopters are compared with 126 councils")
        assert "SIMULATED" in made.source
        assert watermarks(made.figure) == 1
        assert_page_legible(made.figure, least=150)

    def test_councils_as_reported_have_one_tile_each(self) -> None:
        panel = ci.load_panel(boundaries="as_reported")
        made = tile_map_figure(ci.tag_adoption(panel, ci.load_adoption()))
        assert not made.data.duplicated(["column", "row"]).any()

    @pytest.mark.parametrize("suffix", ["svg", "png"])
    def test_same_bytes_twice(self, tagged: pd.DataFrame, tmp_path: Path, suffix: str) -> None:
        paths = [tile_map_figure(tagged).save(tmp_path / f"{number}.{suffix}") for number in range(2)]
        assert paths[0].read_bytes() == paths[1].read_bytes()

    def test_the_input_is_left_alone(self, tagged: pd.DataFrame) -> None:
        before = tagged.copy()
        tile_map_figure(tagged)
        pd.testing.assert_frame_equal(tagged, before)

    def test_an_area_elsewhere_has_no_tile(self, tagged: pd.DataFrame) -> None:
        wrong = tagged.assign(ons_code=tagged["ons_code"].replace("E08000035", "W06000004"))
        with pytest.raises(PanelError, match=r"no tile: W06000004(.|\n)*English councils"):
            tile_map_figure(wrong)

    def test_an_untagged_panel(self) -> None:
        with pytest.raises(PanelError, match=r"no column 'adoption_year'(.|\n)*tag_adoption"):
            tile_map_figure(ci.load_panel())
