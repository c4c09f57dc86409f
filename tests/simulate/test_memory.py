"""Made-up returns and panels without files: complete, marked, and never mixed with official ones."""

from __future__ import annotations

import functools
from collections.abc import Mapping

import pandas as pd
import pytest

import clsimpact as ci
from clsimpact._parts import PARTS, part_figures
from clsimpact._status import Known
from clsimpact.errors import PanelError
from clsimpact.geography import council_codes
from clsimpact.loaders.labels import measures
from clsimpact.loaders.manifest import all_sources
from clsimpact.loaders.returns import COLUMNS
from clsimpact.outcomes import EVERY_OUTCOME
from clsimpact.panel import build_panel
from clsimpact.simulate.memory import _by_source, simulated_panel, simulated_returns
from tests.panel_helpers import built, returns
from tests.simulate.stub_book import StubBook

LEEDS = "E08000035"
LINE = "SIMULATED: made up by clsimpact, not about any real council's care"


class Stubs:
    """A world of stub books that notes what it is asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, str, Mapping[str, str]]] = []

    def book(self, year: int) -> StubBook:
        asked = self.asked

        class Noting(StubBook):
            def figures(
                self, measure: str, says: Mapping[str, str], areas: pd.DataFrame, *, year: int | None = None
            ) -> Known:
                asked.append((self.year, measure, says))
                return super().figures(measure, says, areas, year=year)

        return Noting(year)


@functools.cache
def stub_returns() -> pd.DataFrame:
    return simulated_returns(Stubs(), years=[2014, 2018])


@functools.cache
def panel() -> pd.DataFrame:
    return ci.load_panel("simulated")


# --- returns ------------------------------------------------------------------------------------------


def test_the_returns_are_a_returns_table_of_every_area() -> None:
    table = stub_returns()
    assert list(table.columns) == list(COLUMNS)
    assert set(table["year"]) == {2014, 2018}
    one = table[table["measure"].eq("requests") & table["sequel"].isna() & table["route_of_access"].isna()]
    one = one[one["age_band"].eq("18 to 64") & one["year"].eq(2018)]
    assert one["level"].value_counts().to_dict() == {"council": 152, "region": 9, "england": 1}
    assert set(one.loc[one["level"] == "council", "ons_code"]) == set(council_codes(2018))


def test_every_part_of_salt_and_finance_is_asked_and_found_again() -> None:
    world = Stubs()
    table = simulated_returns(world, years=[2014])
    wanted = [part for part in PARTS if part.measure in measures()]
    assert len(world.asked) == len([part for part in wanted if part.first_year <= 2014])
    assert not any(
        says.get("sequel") in ("Long term: prison", "100% NHS funded care") for _, _, says in world.asked
    )
    found = part_figures(table, years=(2014, 2014))
    assert {part.name for part in wanted} == set(found["part"])
    value = found[found["part"].eq("gce_long_65_plus") & found["ons_code"].eq(LEEDS)].iloc[0]["value"]
    book, says = StubBook(2014), {"care_type": "Long term", "age_band": "65 and over"}
    areas = book.areas()
    answer = book.figures("gross_current_expenditure", says, areas[areas["ons_code"].eq(LEEDS)])
    assert value == answer.value[0]


def test_sources_are_made_up_ones_of_the_year() -> None:
    sources = stub_returns().groupby("year", observed=True)["source_id"].unique().map(set).to_dict()
    assert sources == {
        2014: {"simulated_salt_2014_15", "simulated_pss_ex1_expenditure_2014_15"},
        2018: {"simulated_csv_pack_2018_19"},
    }
    every = {name for year in range(2014, 2024) for name in _by_source(year)}
    assert every <= set(all_sources())
    assert {"asc_fr_totals_2016_17", "asc_fr_expenditure_2015_16", "salt_2023_24"} <= every


def test_the_same_seed_gives_the_same_panel() -> None:
    first, again = (simulated_panel(5, years=(2018, 2018)) for _ in range(2))
    other = panel().query("year == 2018").set_index("ons_code")["requests"].reindex(first["ons_code"])
    pd.testing.assert_frame_equal(first, again, check_exact=True)
    assert first.attrs == again.attrs
    assert (first["requests"].to_numpy() != other.to_numpy()).mean() > 0.9


# --- the panel ----------------------------------------------------------------------------------------


def test_the_simulated_panel_is_complete() -> None:
    areas = panel()["ons_code"].nunique()
    assert areas == built()["ons_code"].nunique()
    assert panel().shape == (10 * areas, built().shape[1] + 1)
    assert panel()["simulated"].all()
    assert sorted(panel()["year"].unique()) == list(range(2014, 2024))
    for name in (
        "signposted",
        "funded_mid",
        "planned_share",
        "gce_per_adult",
        "gce_65_plus",
        "requests_hospital",
    ):
        assert panel()[name].notna().mean() > 0.9, name
    held = [name for name in EVERY_OUTCOME if panel()[f"{name}_status"].ne("not_held").any()]
    assert held == list(EVERY_OUTCOME)
    assert panel()["direct_payments_status"].eq("not_held").all()


def test_denominators_are_real() -> None:
    for name in ("population_18_64", "population_65_plus", "population_status", "imd_2019"):
        made_up = panel().set_index(["ons_code", "year"])[name]
        shared = made_up.index.intersection(built().set_index(["ons_code", "year"]).index)
        assert len(shared) > 1300
        real = built().set_index(["ons_code", "year"])[name]
        pd.testing.assert_series_equal(made_up[shared], real[shared], check_exact=True)


def test_a_simulated_panel_says_so() -> None:
    attrs = panel().attrs
    assert attrs["simulated"] is True
    assert attrs["title"] == "SIMULATED adult social care in English councils, 2014-15 to 2023-24"
    assert attrs["source_line"] == LINE
    assert attrs["simulation"]["seed"] == 1
    assert "SIMULATED" in attrs["simulation"]["truth"]
    assert any("Office for National Statistics" in words for words in attrs["attribution"])
    assert not any("NHS" in words for words in attrs["attribution"])
    made_up = [source for source in attrs["sources"] if source["id"].startswith("simulated_")]
    assert len(made_up) == 17
    assert all(source["publication"].startswith("SIMULATED") for source in made_up)
    assert built().attrs["simulated"] is False


def test_adopters_have_the_effect() -> None:
    """A smoke test of the join from truth to panel; how exact it is, the tests of the world say."""
    tagged = ci.tag_adoption(panel(), world_adoption())
    fit = ci.twfe(
        ci.Design(tagged, outcome="funded_mid", unit="ons_code", time="year", cohort="adoption_year")
    )
    assert -0.13 < fit.overall.iloc[0]["estimate"] < -0.07


def world_adoption() -> pd.DataFrame:
    from clsimpact.simulate.world import simulate_world

    return simulate_world(1).adoption()


# --- never mixed --------------------------------------------------------------------------------------


def some_official() -> pd.DataFrame:
    table = returns()
    return table[table["source_id"].isin(["asc_fr_gce_2017_18", "population_mid_2018"])]


@pytest.mark.parametrize("order", [1, -1])
def test_simulated_and_official_returns_are_not_mixed(order: int) -> None:
    both = pd.concat([some_official(), stub_returns()][::order], ignore_index=True)
    with pytest.raises(PanelError, match="mix simulated and official") as error:
        build_panel(both)
    assert any("simulated_salt_2014_15" in problem for problem in error.value.problems)
    assert any("official: asc_fr_gce_2017_18" in problem for problem in error.value.problems)
    assert "Keep one kind" in str(error.value)


def test_real_denominators_beside_made_up_returns_are_no_mixture() -> None:
    table = returns()
    context = table[
        table["return_"].isin(["MYE", "GDP deflator", "IoD"]) & table["source_id"].ne("asc_fr_salt_2021_22")
    ]
    with_own = build_panel(pd.concat([stub_returns(), context], ignore_index=True), years=(2018, 2018))
    pd.testing.assert_frame_equal(with_own, build_panel(stub_returns(), years=(2018, 2018)), check_exact=True)
