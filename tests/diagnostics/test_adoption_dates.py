"""Uncertain adoption dates: bounds over every set of dates, and conclusions that survive them."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import pandas as pd
import pytest

import clsimpact as ci
from clsimpact.diagnostics import _adoption_list as lists
from clsimpact.diagnostics import adoption_dates as module
from clsimpact.diagnostics._conclusion import judged, range_of, said
from clsimpact.diagnostics._date_sets import count, ends, look, single_moves
from clsimpact.diagnostics.setting import Setting
from clsimpact.errors import DesignError
from tests.diagnostics.adoption_helpers import NOTHING, adoption_of, effect, only_these
from tests.diagnostics.check_helpers import design, panel, setting, sound

EXACT = 1e-9
"""Two routes to one estimate differ by rounding."""


@pytest.fixture(autouse=True)
def _registry():
    with only_these():
        yield


def given(
    data: pd.DataFrame, estimator: str = "event_study", *, reach: int = 1, only: int | None = 3
) -> Setting:
    made = setting(data, estimator, draws=199)
    return Setting(made.design, made.fit, data, adoption_of(made.design, reach=reach, only=only), draws=199)


def point(estimator: str, data: pd.DataFrame) -> float:
    """Overall effect in a design made anew, without the inference that takes time."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = getattr(ci, estimator)(design(data), inference="CR0" if estimator != "group_time" else "auto")
        return float(fit.overall["estimate"].iloc[0])


class TestSets:
    def test_all_are_asked_where_they_are_few(self):
        options, own = ((1, 2), (5, 6, 7)), (2, 5)
        found, exact = look(
            options, own, lambda dates: (float(sum(dates)), 1.0), most=10, rng=np.random.default_rng(0)
        )
        assert exact
        assert set(found) == set(itertools.product(*options))
        assert found[1, 7] == (8.0, 1.0)

    def test_own_dates_are_asked_where_the_evidence_excludes_them(self):
        found, _ = look(
            ((1, 2),), (9,), lambda dates: (float(sum(dates)), 1.0), most=10, rng=np.random.default_rng(0)
        )
        assert set(found) == {(1,), (2,), (9,)}

    def test_a_sample_holds_both_ends_of_a_sum(self):
        options, own = ((0, 1, 2),) * 9, (1,) * 9
        signs = np.array([1, -1, 1, -1, 1, -1, 1, -1, 1])
        ask = lambda dates: (float(signs @ dates), 1.0)  # noqa: E731
        found, exact = look(options, own, ask, most=80, rng=np.random.default_rng(0))
        again, _ = look(options, own, ask, most=80, rng=np.random.default_rng(0))
        assert not exact
        assert list(found) == list(again)
        assert 70 <= len(found) <= 80
        values = [value for value, _ in found.values()]
        assert (min(values), max(values)) == (-8.0, 10.0)
        assert {(0,) * 9, (2,) * 9} <= set(found)

    def test_moves_and_counts(self):
        assert count(((1, 2), (5, 6, 7))) == 6
        assert single_moves(((1, 2), (5, 6)), (1, 5)) == [(0, (2, 5)), (1, (1, 6))]

    def test_intervals_go_to_the_ends(self):
        found = {(i,): (float(i), 1.0) for i in range(-3, 8)}
        chosen = ends(found, list(found), (tuple(range(-3, 8)),), 4)
        assert chosen == [(-3,), (7,), (0,)] or set(chosen) >= {(-3,), (7,), (0,)}
        assert len(chosen) == 4
        assert ends(found, list(found), (tuple(range(-3, 8)),), 99) == list(found)


class TestConclusion:
    @pytest.mark.parametrize(
        ("base", "others", "verdict"),
        [
            (effect(1, 3), [effect(0.5, 2), effect(1, 4)], "holds"),
            (effect(1, 3), [effect(-0.5, 2), effect(1, 4)], "does not hold"),
            (effect(1, 3), [effect(-2, -1)], "does not hold"),
            (effect(1, 3), [effect(0.5, 2), NOTHING], "cannot tell"),
            (effect(-1, 3), [effect(-2, 2)], "holds"),
            (effect(-1, 3), [effect(-2, 2), effect(1, 2)], "cannot tell"),
            (effect(-1, 3), [effect(-2, -1), effect(1, 2)], "cannot tell"),
            (effect(-1, 3), [NOTHING], "cannot tell"),
            (NOTHING, [effect(1, 2)], "cannot tell"),
            (effect(1, 3), [], "cannot tell"),
        ],
    )
    def test_every_case(self, base, others, verdict):
        assert judged(base, others) == verdict
        assert said(base, others, "set of dates").endswith(".")

    def test_a_margin_that_other_dates_leave(self):
        assert judged(effect(-1, 1), [effect(-2, 2)], margin=3.0) == "holds"
        assert judged(effect(-1, 1), [effect(-2, 2)], margin=1.5) == "does not hold"
        assert judged(effect(-1, 1), [effect(-2, 2)], margin=0.5) == "holds"
        assert "1 of 1 others do not" in said(effect(-1, 1), [effect(-2, 2)], "set of dates", 1.5)

    def test_bounds(self):
        found = range_of([effect(-1, 2), effect(1, 5), NOTHING])
        assert (found.lowest, found.highest, found.low, found.high) == (0.5, 3.0, -1.0, 5.0)
        assert (found.intervals, found.above, found.below, found.clear) == (2, 1, 0, 1)


class TestNumbers:
    @pytest.mark.parametrize(("estimator", "moving"), [("event_study", 2), ("twfe", 2), ("group_time", 1)])
    def test_every_set_is_what_a_new_design_gives(self, estimator, moving):
        """Each row of the table against a design made from the panel with those dates written on it."""
        data = panel(seed=3, adopters=8)
        made = given(data, estimator, only=moving)
        found = module.run(made)
        units = [made.design.units[i] for i in np.flatnonzero(made.design.in_window)][:moving]
        own = {unit: int(data.loc[data["ons_code"] == unit, "adoption_year"].iloc[0]) for unit in units}
        expected = []
        for moves in itertools.product((-1, 0, 1), repeat=moving):
            other = data.copy()
            for unit, move in zip(units, moves, strict=True):
                other.loc[other["ons_code"] == unit, "adoption_year"] = own[unit] + move
            expected.append(point(estimator, other))
        assert found.numbers["sets"] == 3**moving
        assert found.numbers["all_sets"] == 1
        assert np.allclose(found.table["estimate"], np.sort(expected), atol=EXACT)
        assert found.numbers["lowest"] == pytest.approx(min(expected), abs=EXACT)
        assert found.numbers["highest"] == pytest.approx(max(expected), abs=EXACT)

    def test_dates_beyond_the_panel(self):
        """At or before the first year a council leaves, as always treated; after the last it is a control."""
        data = panel(seed=4, adopters=8)
        made = given(data, only=1)
        adoption = made.adoption.copy()
        unit = adoption["ons_code"].iloc[0]
        adoption.loc[0, "earliest_year"], adoption.loc[0, "latest_year"] = 2009, 2030
        found = module.run(Setting(made.design, made.fit, data, adoption, draws=199))
        assert found.numbers["sets"] == 11  # 2012 for all before, 2013 to 2021, one for all after
        expected = []
        for year in (2012, *range(2013, 2022), np.nan):
            other = data.copy()
            other.loc[other["ons_code"] == unit, "adoption_year"] = year
            expected.append(point("event_study", other))
        assert np.allclose(found.table["estimate"], np.sort(expected), atol=EXACT)

    def test_the_council_that_moves_it_most(self):
        data = panel(seed=5, adopters=6)
        mine = data["ons_code"] == "E00000002"
        data.loc[mine & (data["year"] >= data["adoption_year"] - 1), "cost"] += 40
        found = module.run(given(data, only=4))
        assert found.numbers["moves_most"] == "Council 2 (E00000002)"
        assert "Council 2 (E00000002) moves the estimate most" in found.finding
        rows = found.table[
            found.table["dates"].isin(["Council 2 (E00000002) 2017", "Council 2 (E00000002) 2019"])
        ]
        own = found.table.loc[found.table["as_estimated"], "estimate"]
        alone = np.concatenate([rows["estimate"], own])
        assert found.numbers["moves_from"] == pytest.approx(alone.min())
        assert found.numbers["moves_to"] == pytest.approx(alone.max())

    def test_intervals_are_those_of_the_result(self):
        made = given(panel(seed=6), only=2)
        found = module.run(made)
        cohorts = made.design.unit_cohorts.copy()
        cohorts[0] += 1
        row = (
            ci.event_study(made.design.with_cohorts(cohorts))
            .with_inference("auto", draws=199)
            .overall.iloc[0]
        )
        mine = found.table[found.table["dates"] == f"Council 0 (E00000000) {int(cohorts[0])}"].iloc[0]
        assert mine["conf_low"] == pytest.approx(row["conf_low"])
        assert mine["p_value"] == pytest.approx(row["p_value"])
        assert found.numbers["union_low"] == pytest.approx(found.table["conf_low"].min())


class TestVerdicts:
    def test_a_strong_effect_survives(self):
        made = given(panel(seed=1, effect=4.0))
        found = module.run(made)
        assert found.verdict == "holds"
        assert "All 26 intervals exclude zero on the side of the estimate" in found.finding
        sound(found, made)

    def test_a_conclusion_that_rests_on_dates(self, monkeypatch):
        """An effect of one standard deviation in five councils, whose dates may be wrong by three years."""
        monkeypatch.setattr(module, "LARGEST", 1)
        data = panel(seed=2, adopters=5)
        after = data["year"] >= data["adoption_year"]
        data.loc[after, "cost"] += 1.0
        made = given(data, reach=3, only=5)
        found = module.run(made)
        assert made.effect.clear
        assert found.verdict == "does not hold"
        assert found.numbers["all_sets"] == 0
        assert any("with_cohorts" in item.code for item in found.advice)
        sound(found, made)

    def test_nothing_stays_nothing(self):
        made = given(panel(seed=14), only=2)
        assert not made.effect.clear
        found = module.run(made)
        assert found.verdict == "holds"
        assert "include zero, as the one estimated does" in found.finding

    def test_many_adopters_are_sampled(self, monkeypatch):
        """With dates a year late the reference period is treated, and a lasting effect is gone."""
        monkeypatch.setattr(module, "LARGEST", 1)
        made = given(panel(seed=1, effect=4.0), only=None)
        found = module.run(made)
        assert found.numbers["all_sets"] == 0
        assert found.numbers["sets"] == 3.0**16
        assert found.numbers["sets_estimated"] <= module.FEWEST
        assert "about 10^7 sets" in found.finding
        assert found.verdict == "does not hold"
        latest = found.table.loc[found.table["dates"].str.count(",") == 15, "estimate"]
        assert latest.min() < 1.0 < made.effect.low

    def test_the_same_twice(self, monkeypatch):
        monkeypatch.setattr(module, "LARGEST", 1)
        data = panel(seed=1, effect=1.0)
        one, two = module.run(given(data, only=None)), module.run(given(data, only=None))
        assert one.finding == two.finding
        pd.testing.assert_frame_equal(one.table, two.table)


class TestLists:
    def test_a_list_without_a_range(self):
        made = given(panel(seed=1, adopters=4))
        bare = made.adoption[["ons_code", "adoption_year"]]
        asked = Setting(made.design, made.fit, made.data, bare, draws=99)
        found = module.run(asked)
        assert found.verdict == "cannot tell"
        assert "no earliest_year or latest_year" in found.finding
        sound(found, asked)

    def test_the_advice_to_widen_tries_other_dates(self):
        made = given(panel(seed=1, adopters=4))
        bare = made.adoption[["ons_code", "adoption_year"]]
        code = module.run(Setting(made.design, made.fit, made.data, bare, draws=99)).advice[0].code
        report = eval(code, {"fit": made.fit, "design": made.design, "pd": pd})
        assert report["adoption_dates"].numbers["sets"] == 3.0**4

    def test_certain_dates(self):
        made = given(panel(seed=1), reach=0)
        found = module.run(made)
        assert found.verdict == "holds"
        assert "as far as the list does" in found.finding

    def test_nobody_on_the_list(self):
        made = given(panel(seed=1))
        other = made.adoption.iloc[:0]
        found = module.run(Setting(made.design, made.fit, made.data, other, draws=99))
        assert found.verdict == "cannot tell"
        assert "No adopter of the design is on the list" in found.finding

    def test_a_list_without_units(self):
        made = given(panel(seed=1))
        with pytest.raises(DesignError, match="lacks columns"):
            module.run(Setting(made.design, made.fit, made.data, made.adoption.drop(columns="ons_code")))

    def test_no_list(self):
        made = given(panel(seed=1))
        report = made.fit.check("adoption_dates")
        assert report["adoption_dates"].verdict == "cannot tell"
        assert "adoption=adoption" in report["adoption_dates"].advice[0].code

    def test_dates_that_the_list_excludes_are_named(self):
        made = given(panel(seed=1))
        adoption = made.adoption.copy()
        adoption.loc[0, ["adoption_year", "earliest_year", "latest_year"]] = 2019
        found = module.run(Setting(made.design, made.fit, made.data, adoption, draws=99))
        assert "The design dates Council 0 (E00000000) otherwise than the list allows" in found.finding
        assert not found.table.loc[found.table["as_estimated"], "allowed"].any()

    def test_other_units_and_one_open_end(self):
        data = panel(seed=1, adopters=6).rename(columns={"ons_code": "county"})
        made = ci.Design(data, outcome="cost", unit="county", time="year", cohort="adoption_year")
        adoption = adoption_of(made, reach=1, only=2)
        adoption.loc[1, "latest_year"] = None
        asked = Setting(made, ci.twfe(made), data, adoption, draws=99)
        found = module.run(asked)
        assert found.numbers["sets"] == 3 * 2
        assert "2 units open" in found.finding
        sound(found, asked)

    def test_full_years_only_move_every_date(self):
        real, adoption = ci.load_panel(), ci.load_adoption()
        tagged = ci.tag_adoption(real, adoption, part_year="first_full")
        roles = {"outcome": "gce_per_adult", "unit": "ons_code", "time": "year", "cohort": "adoption_year"}
        made = ci.Design(tagged, **roles)
        assert lists.shift_of(made) == 1
        asked = Setting(made, ci.twfe(made), tagged, adoption, draws=99)
        assert module.doubt_of(asked, adoption).own == tuple(
            int(made.unit_cohorts[i]) for i in module.doubt_of(asked, adoption).units
        )
        assert not module.doubt_of(asked, adoption).outside

    def test_merged_councils_as_tag_adoption_has_them(self):
        """A list that names a council merged since: the same area as in the tagged panel."""
        real = ci.load_panel()
        areas = [code for code in real["ons_code"].unique() if "+" in str(code)]
        one = str(areas[0]).split("+")[0]
        adoption = ci.load_adoption().iloc[:1].assign(ons_code=one, adoption_year=2017, earliest_year=2016)
        tagged = ci.tag_adoption(real, adoption.assign(latest_year=2018))
        found = lists.listed(
            ci.Design(tagged, outcome="gce_per_adult", unit="ons_code", time="year", cohort="adoption_year"),
            adoption,
            real["ons_code"].unique(),
        )
        mine = tagged.loc[tagged["adoption_year"].notna(), "ons_code"].unique().tolist()
        assert list(found[0].units) == mine == [areas[0]]


def test_real_spending_panel():
    real, adoption = ci.load_panel(), ci.load_adoption()
    tagged = ci.tag_adoption(real, adoption)
    made = ci.Design(tagged, outcome="gce_per_adult", unit="ons_code", time="year", cohort="adoption_year")
    before = adoption.copy()
    report = ci.event_study(made).check("adoption_dates", adoption=adoption, draws=199)
    result = report["adoption_dates"]
    assert result.numbers["sets"] == 32
    assert result.verdict == "holds"
    assert "Derby (E06000015)" in result.finding
    assert "Somerset" in result.finding
    assert result.plot().title.startswith("The conclusion is the same")
    assert len(result.to_dict()["table"]) == 32
    pd.testing.assert_frame_equal(adoption, before)


def test_the_order_of_the_list_does_not_matter() -> None:
    """Where sets of dates are a sample, the sample is one of the units, not of the rows of the list."""
    one = given(panel(seed=2, units=40, adopters=12), reach=2, only=None)
    adoption = one.adoption
    assert adoption is not None
    other = Setting(one.design, one.fit, one.data, adoption.iloc[::-1], draws=199)
    first, second = (module.run(each) for each in (one, other))
    assert first.numbers["all_sets"] == 0
    assert first.finding == second.finding
    assert dict(first.numbers) == dict(second.numbers)
    pd.testing.assert_frame_equal(first.table, second.table)
