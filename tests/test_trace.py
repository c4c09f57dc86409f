"""From a number of the panel to the cells behind it, and back by hand from these cells alone."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

import clsimpact as ci
from clsimpact._parts import mid_year
from clsimpact.errors import PanelError
from clsimpact.outcomes import EVERY_OUTCOME
from clsimpact.panel import build_panel
from clsimpact.simulate.memory import simulated_returns
from clsimpact.simulate.world import simulate_world
from clsimpact.trace import TRACE_COLUMNS, parts_of, trace
from tests.panel_helpers import returns

EXACT = 1e-12
"""Relative: the same figures are added and divided, perhaps in another order."""
OUTCOMES = ("gce_per_adult", "signposted", "planned_share", "funded_mid")
KEYS = ["ons_code", "year"]
LONG = ("nursing", "residential", "community", "prison")
SUPPRESSED = 2.0
"""A suppressed count is 0 to 4: it enters at its middle."""


@functools.cache
def official() -> pd.DataFrame:
    return ci.load_panel()


@functools.cache
def made_up() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Returns and panel of a made-up world, with the last year, whose price level is forecast."""
    table = simulated_returns(simulate_world(3), years=[2014, 2021, 2022, 2023])
    return table, build_panel(table, years=(2014, 2023))


@functools.cache
def cells(outcome: str) -> pd.DataFrame:
    return trace(official(), returns(), outcome)


def by_part(found: pd.DataFrame) -> pd.DataFrame:
    """Sum the cells of each area, year and part; a figure not given for prisons is nothing."""
    value = found["value"].mask(found["status"].eq("suppressed"), SUPPRESSED)
    value = value.mask(found["status"].eq("not_submitted") & found["part"].str.contains("prison"), 0.0)
    assert value.notna().all(), "every other cell has a number"
    return found.assign(value=value).pivot_table(
        index=KEYS, columns="part", values="value", aggfunc="sum", fill_value=0.0
    )


def price_level(found: pd.DataFrame) -> pd.Series:
    """Index over that of the price year, carried on by the forecast changes where there are any."""
    prices = found[found["part"].isin(["deflator", "deflator_base"])]
    table = prices.pivot_table(index=KEYS, columns="part", values="value", aggfunc="first")
    change = found[found["part"].eq("deflator_change")].assign(value=lambda rows: 1 + rows["value"] / 100)
    carried = change.groupby(KEYS)["value"].prod().reindex(table.index).fillna(1.0)
    return table["deflator"] / table["deflator_base"] * carried


def total(table: pd.DataFrame, names: Sequence[str]) -> pd.Series:
    """Sum parts over both age bands; a part that nobody has a cell of is nothing."""
    ages = ("18_64", "65_plus")
    return sum(table[f"{name}_{age}"] for name in names for age in ages if f"{name}_{age}" in table)  # type: ignore[return-value]


def by_hand(found: pd.DataFrame, outcome: str) -> pd.Series:
    """Compute an outcome from its definition and the traced cells, without the library."""
    if outcome == "gce_per_adult":
        table = by_part(found[~found["part"].str.startswith("deflator")])
        people = table["population_18_64"] + table["population_65_plus"]
        return 1000 * table["gce"] / price_level(found) / people
    table = by_part(found)
    if outcome == "planned_share":
        return table["clients_planned_reviews"] / table["clients_reviewed"]
    sequels = {"signposted": ["signposted"], "funded_mid": [*LONG, "st_max"]}[outcome]
    count = total(table, [f"sequel_{name}" for name in sequels])
    return (count / total(table, ["requests"])).clip(0, 1)


def agrees(panel: pd.DataFrame, found: pd.DataFrame, outcome: str) -> None:
    """Every value of the panel is the one by hand, and nothing else was traced."""
    expected = panel.loc[panel[outcome].notna(), [*KEYS, outcome]].astype({"ons_code": str})
    expected = expected.set_index(KEYS)[outcome].sort_index()
    computed = by_hand(found, outcome).sort_index()
    assert computed.index.tolist() == expected.index.tolist()
    assert len(expected) > 100
    np.testing.assert_allclose(computed.to_numpy(), expected.to_numpy(), rtol=EXACT)


class TestOfficial:
    @pytest.mark.parametrize("outcome", OUTCOMES)
    def test_the_panel_follows_from_the_cells_alone(self, outcome: str) -> None:
        agrees(official(), cells(outcome), outcome)

    @pytest.mark.parametrize("outcome", OUTCOMES)
    def test_every_cell_is_in_the_returns_with_its_value(self, outcome: str) -> None:
        found = cells(outcome)
        place = ["source_id", "table", "cell"]
        held = returns()[[*place, "value", "status", "ons_code"]]
        held = held[held["source_id"].isin(found["source_id"].unique())].astype(dict.fromkeys(place, str))
        joined = found.drop_duplicates([*place, "part"]).merge(
            held, on=place, how="left", suffixes=("", "_held"), indicator=True
        )
        assert joined["_merge"].eq("both").all()
        assert joined["status"].eq(joined["status_held"].astype(str)).all()
        assert np.array_equal(joined["value"], joined["value_held"].astype("float64"), equal_nan=True)
        own = joined["council_code"].ne("")
        assert joined.loc[own, "council_code"].eq(joined.loc[own, "ons_code_held"].astype(str)).all()

    def test_money_that_is_printed_in_parts_has_all_its_cells(self) -> None:
        """The file of 2017-18 has no total: its cells of a council add up to what the panel shows."""
        found = cells("gce_per_adult")
        money = found[found["part"].eq("gce") & found["name"].eq("Leeds")]
        counts = money.groupby("year")["cell"].nunique().to_dict()
        assert counts[2021] == counts[2020] == 1
        assert counts[2017] > 20
        leeds = official().query("name == 'Leeds'").set_index("year")["gce"]
        added = money.groupby("year")["value"].sum()
        assert added[2017] == pytest.approx(leeds[2017], rel=EXACT)
        assert added[2016] == pytest.approx(leeds[2016], rel=EXACT)

    def test_one_council_by_hand(self) -> None:
        """Leeds in 2021-22: gross current expenditure in £000, adults of mid-2020, prices of that year."""
        found = cells("gce_per_adult")
        leeds = found[found["name"].eq("Leeds") & found["year"].eq(2021)].set_index("part")
        assert leeds.loc["gce", ["value", "table", "cell"]].tolist() == [301796.0, "T15", "M64"]
        assert leeds.loc["deflator", "value"] == leeds.loc["deflator_base", "value"]
        people = leeds.loc["population_18_64", "value"] + leeds.loc["population_65_plus", "value"]
        assert leeds.loc["population_18_64", "source_id"] == "population_mid_2020"
        value = official().query("name == 'Leeds' and year == 2021")["gce_per_adult"].item()
        assert value == pytest.approx(1000 * 301796.0 / people, rel=EXACT)

    def test_columns_and_order(self) -> None:
        found = cells("signposted")
        assert tuple(found.columns) == TRACE_COLUMNS
        assert found[["ons_code", "year", "part", "council_code"]].equals(
            found[["ons_code", "year", "part", "council_code"]].sort_values(
                ["ons_code", "year", "part", "council_code"], ignore_index=True
            )
        )
        assert not found.duplicated(["ons_code", "year", "part", "council_code", "cell"]).any()

    def test_merged_areas_name_each_council(self) -> None:
        found = cells("gce_per_adult")
        merged = found[found["name"].str.contains("Dorset|Bournemouth") & found["part"].eq("gce")]
        assert merged.groupby("year")["council_code"].nunique().to_dict()[2014] == 3
        assert merged.groupby("year")["council_code"].nunique().to_dict()[2021] == 2

    def test_populations_are_those_that_the_panel_divides_by(self) -> None:
        found = cells("gce_per_adult")
        people = found[found["part"].eq("population_65_plus")]
        for year, rows in people.groupby("year"):
            assert set(rows["source_id"]) == {f"population_mid_{mid_year(int(year))[0]}"}


class TestRows:
    @pytest.mark.parametrize("years", [(2016, 2021), (2014, 2017), (2021, 2021)])
    def test_a_window_of_the_panel_has_the_cells_of_the_whole(self, years: tuple[int, int]) -> None:
        """Areas are those of the panel, though fewer councils changed in the window."""
        window = official()[official()["year"].between(*years)]
        whole = cells("gce_per_adult")
        expected = whole[whole["year"].between(*years)].reset_index(drop=True)
        pd.testing.assert_frame_equal(trace(window, returns(), "gce_per_adult"), expected)

    def test_one_area(self) -> None:
        leeds = official()[official()["name"].eq("Leeds")]
        expected = cells("planned_share").query("name == 'Leeds'").reset_index(drop=True)
        pd.testing.assert_frame_equal(trace(leeds, returns(), "planned_share"), expected)

    def test_councils_as_reported(self) -> None:
        panel = ci.load_panel(boundaries="as_reported")
        agrees(panel, trace(panel, returns(), "gce_per_adult"), "gce_per_adult")

    def test_without_the_councils_that_changed(self) -> None:
        panel = ci.load_panel(boundaries="drop")
        agrees(panel, trace(panel, returns(), "gce_per_adult"), "gce_per_adult")

    def test_nothing_to_trace(self) -> None:
        empty = official().assign(signposted=np.nan)
        found = trace(empty, returns(), "signposted")
        assert found.empty
        assert tuple(found.columns) == TRACE_COLUMNS

    def test_the_panel_is_not_changed(self) -> None:
        panel = official().copy()
        trace(panel, returns(), "signposted")
        pd.testing.assert_frame_equal(panel, official())


class TestMadeUp:
    @pytest.mark.parametrize("outcome", OUTCOMES)
    def test_the_panel_follows_from_the_cells_alone(self, outcome: str) -> None:
        table, panel = made_up()
        agrees(panel, trace(panel, table, outcome), outcome)

    def test_prices_after_the_last_year_of_the_index(self) -> None:
        table, panel = made_up()
        found = trace(panel[panel["name"].eq("Leeds")], table, "gce_per_adult")
        prices = found[found["part"].str.startswith("deflator")]
        parts = {int(year): sorted(rows["part"]) for year, rows in prices.groupby("year")}
        both = ["deflator", "deflator_base"]
        assert parts == {2014: both, 2021: both, 2022: both, 2023: ["deflator", "deflator_base",
                                                                    "deflator_change"]}  # fmt: skip

    def test_figures_are_made_up_and_denominators_are_not(self) -> None:
        table, panel = made_up()
        found = trace(panel, table, "gce_per_adult")
        simulated = found["source_id"].str.startswith("simulated_")
        assert found.loc[simulated, "part"].unique().tolist() == ["gce"]
        assert not simulated[found["part"].ne("gce")].any()

    def test_a_year_that_was_not_asked_has_no_cell(self) -> None:
        table, panel = made_up()
        found = trace(panel, table, "funded_mid")
        prison = found[found["part"].eq("sequel_prison_65_plus")]
        assert 2014 not in set(prison["year"])
        assert 2021 in set(prison["year"])


class TestParts:
    def test_of_the_four_outcomes(self) -> None:
        ages = ("18_64", "65_plus")
        assert parts_of("gce_per_adult") == ("gce", "deflator", "population_18_64", "population_65_plus")
        assert parts_of("planned_share") == ("clients_planned_reviews", "clients_reviewed")
        assert set(parts_of("signposted")) == {
            f"{name}_{age}" for name in ("requests", "sequel_signposted") for age in ages
        }
        assert set(parts_of("funded_mid")) == {
            f"{name}_{age}" for name in ("requests", *(f"sequel_{it}" for it in (*LONG, "st_max")))
            for age in ages
        }  # fmt: skip

    def test_of_every_outcome(self) -> None:
        assert all(parts_of(outcome) for outcome in EVERY_OUTCOME)

    def test_a_measure_that_is_published_is_its_own_part(self) -> None:
        assert parts_of("direct_payments") == ("direct_payments",)

    @pytest.mark.parametrize(
        ("wrong", "right"), [("gce_per_adlut", "gce_per_adult"), ("direct_payment", "direct_payments")]
    )
    def test_an_outcome_that_is_none(self, wrong: str, right: str) -> None:
        with pytest.raises(PanelError, match=f"No outcome '{wrong}'.*'{right}'"):
            parts_of(wrong)
        with pytest.raises(PanelError, match=f"No outcome '{wrong}'"):
            trace(official(), returns(), wrong)

    def test_a_panel_that_does_not_have_it(self) -> None:
        with pytest.raises(PanelError, match="no column 'signposted'"):
            trace(official().drop(columns="signposted"), returns(), "signposted")
        with pytest.raises(PanelError, match="no column name, year"):
            trace(official()[["ons_code", "signposted"]], returns(), "signposted")

    def test_areas_that_are_none(self) -> None:
        odd = official().head(3).assign(ons_code="X1", gce_per_adult=1.0)
        with pytest.raises(PanelError, match="areas of the panel are none"):
            trace(odd, returns(), "gce_per_adult")
