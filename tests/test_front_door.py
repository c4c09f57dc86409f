"""The front door: shares computed by hand, in words and in the drawing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.patches import PathPatch, Rectangle

import clsimpact as ci
from clsimpact.errors import PanelError
from clsimpact.plots._shares import ADOPTERS, COMPARISON, NEXT
from clsimpact.plots.front_door import BAR, front_door_figure
from clsimpact.simulate.world import simulate_world
from tests.page_helpers import assert_page_legible, watermarks

pytestmark = pytest.mark.usefixtures("usual_errors")

ROUNDING = 1e-9
"""Sums of a hundred shares in another order."""

SIGNPOSTED, NOTHING, LOW, SHORT, LONG, NHS = NEXT


def row(
    code: str, year: int, adopted: object, shares: tuple[int, ...], requests: int = 100
) -> dict[str, object]:
    """A council and year; ``shares``: signposted, nothing, low level and other, short, long, NHS."""
    signposted, nothing, low, short, long, nhs = (requests * share / 100 for share in shares)
    return {
        "ons_code": code,
        "year": year,
        "adoption_year": adopted,
        "requests": float(requests),
        "signposted_count": signposted,
        "no_service_count": nothing,
        "funded_narrow_count": long,
        "funded_mid_count": long + short,
        "funded_broad_count": long + short + low,
        "funded_author_count": long + short + low + nhs,
    }


def small() -> pd.DataFrame:
    """Adopters of 2015 and 2016, three years, two comparison councils, of quite different sizes."""
    same = (20, 30, 20, 15, 14, 1)
    rows = [
        row("A", 2014, 2015, (20, 30, 20, 15, 14, 1)),
        row("A", 2015, 2015, (30, 30, 20, 10, 9, 1)),
        row("A", 2016, 2015, (40, 30, 20, 5, 4, 1)),
        row("B", 2014, 2016, (10, 40, 20, 15, 14, 1), 900),
        row("B", 2015, 2016, (20, 40, 20, 10, 9, 1), 900),
        row("B", 2016, 2016, (50, 20, 20, 5, 4, 1), 900),
        *(row("C", year, pd.NA, same) for year in (2014, 2015, 2016)),
        row("D", 2014, pd.NA, (10, 40, 20, 15, 14, 1), 500),
        row("D", 2015, pd.NA, (20, 30, 20, 15, 14, 1), 500),
        row("D", 2016, pd.NA, (60, 10, 10, 10, 9, 1), 500),
    ]
    table = pd.DataFrame(rows).astype({"adoption_year": "Int64"})
    table.attrs["source_line"] = "Source: made for a test"
    return table


def share(data: pd.DataFrame, group: str, when: str, name: str) -> float:
    chosen = data["group"].eq(group) & data["period"].eq(when) & data["next"].eq(name)
    return float(data.loc[chosen, "per_100"].item())


@pytest.fixture(scope="module")
def official() -> pd.DataFrame:
    return ci.tag_adoption(ci.load_panel(), ci.load_adoption())


@pytest.fixture(scope="module")
def simulated() -> pd.DataFrame:
    return ci.tag_adoption(ci.load_panel("simulated"), simulate_world(1).adoption())


class TestShares:
    def test_adopters_count_once_each(self) -> None:
        data = front_door_figure(small()).data
        # A: 20 before, (30 + 40) / 2 after; B: (10 + 20) / 2 before, 50 after.
        assert share(data, ADOPTERS, "before", SIGNPOSTED) == pytest.approx((20 + 15) / 2)
        assert share(data, ADOPTERS, "after", SIGNPOSTED) == pytest.approx((35 + 50) / 2)
        assert share(data, ADOPTERS, "before", SHORT) == pytest.approx((15 + 12.5) / 2)
        assert share(data, ADOPTERS, "after", LONG) == pytest.approx((6.5 + 4) / 2)
        assert share(data, ADOPTERS, "after", LOW) == pytest.approx(20)
        assert share(data, ADOPTERS, "after", NHS) == pytest.approx(1)

    def test_the_comparison_is_of_the_same_years(self) -> None:
        data = front_door_figure(small()).data
        # Means of C and D by year: 15, 20, 40.
        assert share(data, COMPARISON, "before", SIGNPOSTED) == pytest.approx((15 + (15 + 20) / 2) / 2)
        assert share(data, COMPARISON, "after", SIGNPOSTED) == pytest.approx(((20 + 40) / 2 + 40) / 2)

    def test_groups_cover_every_request_once(self, simulated: pd.DataFrame) -> None:
        assert front_door_figure(small()).data.groupby(["group", "period"])["per_100"].sum().to_list() == (
            pytest.approx([100.0] * 4)
        )
        sums = front_door_figure(simulated).data.groupby(["group", "period"])["per_100"].sum()
        assert len(sums) == 4
        assert (sums - 100).abs().max() < 0.5

    def test_an_adopter_without_a_year_before_is_not_drawn(self) -> None:
        table = small()
        table = table[~(table["ons_code"].eq("A") & table["year"].eq(2014))]
        made = front_door_figure(table)
        assert share(made.data, ADOPTERS, "after", SIGNPOSTED) == pytest.approx(50)
        assert made.source.startswith("1 adopter without figures both before and after not drawn.")

    def test_a_year_with_one_missing_share_is_left_out_on_both_sides(self) -> None:
        table = small()
        table.loc[table["ons_code"].eq("B") & table["year"].eq(2015), "funded_author_count"] = np.nan
        data = front_door_figure(table).data
        assert share(data, ADOPTERS, "before", SIGNPOSTED) == pytest.approx((20 + 10) / 2)
        assert share(data, COMPARISON, "before", SIGNPOSTED) == pytest.approx(15)

    def test_the_official_year_is_the_mean_of_the_panel(self, official: pd.DataFrame) -> None:
        data = front_door_figure(official).data
        rows = official[official["year"].eq(2021) & official["funded_author_count"].notna()]
        whole = rows[
            rows[["no_service_count", "signposted_count", "funded_narrow_count"]].notna().all(axis=1)
        ]
        for group, adopters in ((ADOPTERS, True), (COMPARISON, False)):
            chosen = whole[whole["adoption_year"].notna() == adopters]
            mean = (100 * chosen["signposted_count"] / chosen["requests"]).mean()
            assert share(data, group, "all years", SIGNPOSTED) == pytest.approx(mean, abs=0.2)


class TestWords:
    def test_before_and_after(self) -> None:
        made = front_door_figure(small())
        assert made.title == (
            "Adopters signposted 42 of 100 requests after adoption, 18 before; comparison councils 35 and 16"
        )
        assert "England, 2 adopters and 2 comparison councils over the same years, 2014-15 to 2016-17" in (
            made.subtitle
        )
        assert "nobody is followed" in made.subtitle
        assert "NHS funded care was not asked for in 2014-15" in made.source
        assert made.source.endswith("Source: made for a test")

    def test_one_year_cannot_be_compared(self, official: pd.DataFrame) -> None:
        made = front_door_figure(official)
        assert made.title.endswith("before and after adoption cannot be compared")
        assert made.subtitle.endswith("Before and after cannot be compared: figures of one year are held.")
        assert "2021-22" in made.subtitle
        assert "not asked for" not in made.source
        assert made.data["period"].unique().tolist() == ["all years"]

    def test_several_years_on_one_side(self) -> None:
        table = small()
        made = front_door_figure(table[table["year"].eq(2014) | table["adoption_year"].isna()])
        assert made.subtitle.endswith("figures of one year are held.")
        later = table.assign(adoption_year=table["adoption_year"].where(table["adoption_year"].isna(), 2020))
        assert front_door_figure(later).subtitle.endswith("no adopter has figures both before and after.")

    @pytest.mark.parametrize("panel", ["official", "simulated"])
    def test_a_fall_in_care_is_not_called_good(self, panel: str, request: pytest.FixtureRequest) -> None:
        made = front_door_figure(request.getfixturevalue(panel))
        words = f"{made.title} {made.subtitle} {made.source} {made.alt_text}".casefold()
        assert not any(word in words for word in ("benefit", "better", "improve", "success", "saving"))

    def test_the_text_alternative_has_every_number(self) -> None:
        made = front_door_figure(small())
        assert "Adopters, before adoption: Universal services or signposted 17.5" in made.alt_text
        assert made.alt_text.count("NHS funded care 1") == 4

    def test_made_up_data_say_so(self, simulated: pd.DataFrame) -> None:
        made = front_door_figure(simulated)
        assert made.title.startswith("SIMULATED: ")
        assert "SIMULATED" in made.source
        assert watermarks(made.figure) == 1


class TestDrawing:
    def test_columns_are_the_shares(self) -> None:
        made = front_door_figure(small())
        bars = [bar for bar in made.axes.patches if isinstance(bar, Rectangle)]
        np.testing.assert_allclose([bar.get_height() for bar in bars], made.data["per_100"], rtol=ROUNDING)
        assert len({bar.get_x() for bar in bars}) == 4

    def test_ribbons_join_the_columns_where_the_shares_are(self) -> None:
        made = front_door_figure(small())
        ribbons = [patch for patch in made.axes.patches if isinstance(patch, PathPatch)]
        assert len(ribbons) == 2 * len(NEXT)
        bars = [bar for bar in made.axes.patches if isinstance(bar, Rectangle)]
        points = np.asarray(ribbons[1].get_path().vertices)
        before, after = bars[1], bars[len(NEXT) + 1]
        left, right = before.get_x() + BAR, after.get_x()
        at_left = sorted({round(float(y), 6) for x, y in points if abs(x - left) < 1e-9})
        at_right = sorted({round(float(y), 6) for x, y in points if abs(x - right) < 1e-9})
        assert at_left == pytest.approx([before.get_y(), before.get_y() + before.get_height()], abs=1e-5)
        assert at_right == pytest.approx([after.get_y(), after.get_y() + after.get_height()], abs=1e-5)

    def test_one_year_has_no_ribbons(self, official: pd.DataFrame) -> None:
        assert not [p for p in front_door_figure(official).axes.patches if isinstance(p, PathPatch)]

    def test_every_number_and_name_is_written(self, simulated: pd.DataFrame) -> None:
        words = [text.get_text().replace("\n", " ") for text in front_door_figure(simulated).axes.texts]
        assert set(NEXT) <= set(words)
        assert sum(word.replace(".", "").isdigit() for word in words) == 4 * len(NEXT)

    @pytest.mark.parametrize("panel", ["official", "simulated"])
    def test_nothing_overlaps(self, panel: str, request: pytest.FixtureRequest) -> None:
        assert_page_legible(front_door_figure(request.getfixturevalue(panel)).figure)

    def test_thin_groups_do_not_overlap(self) -> None:
        table = small()
        rest = [row(f"X{i}", y, pd.NA, (96, 1, 1, 1, 1, 0)) for i in range(9) for y in (2014, 2015, 2016)]
        rest += [row("Y", year, 2015, (0, 1, 1, 1, 1, 96)) for year in (2014, 2015, 2016)]
        wide = pd.concat([table[table["ons_code"].eq("Z")], pd.DataFrame(rest)], ignore_index=True)
        wide = wide.astype({"adoption_year": "Int64"})
        assert_page_legible(front_door_figure(wide).figure)

    @pytest.mark.parametrize("suffix", ["svg", "png"])
    def test_same_bytes_twice(self, tmp_path: Path, suffix: str) -> None:
        paths = [front_door_figure(small()).save(tmp_path / f"{number}.{suffix}") for number in range(2)]
        assert paths[0].read_bytes() == paths[1].read_bytes()

    def test_the_order_of_rows_does_not_matter(self) -> None:
        table = small()
        turned = table.iloc[::-1]
        pd.testing.assert_frame_equal(
            front_door_figure(table).data, front_door_figure(turned).data, rtol=ROUNDING
        )

    def test_the_input_is_left_alone(self) -> None:
        table = small()
        before = table.copy()
        front_door_figure(table)
        pd.testing.assert_frame_equal(table, before)


class TestWrongInput:
    def test_an_untagged_panel(self) -> None:
        with pytest.raises(PanelError, match=r"no column 'adoption_year'(.|\n)*tag_adoption"):
            front_door_figure(ci.load_panel())

    def test_no_year_with_both_sides(self) -> None:
        table = small()
        with pytest.raises(PanelError, match=r"no adopter and comparison council(.|\n)*describe"):
            front_door_figure(table[table["adoption_year"].notna()])

    def test_no_rows(self) -> None:
        with pytest.raises(PanelError, match="no rows"):
            front_door_figure(small().iloc[:0])
