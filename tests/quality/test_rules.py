"""Each rule speaks once where one thing is odd, and is silent where nothing is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clsimpact.geography import councils
from clsimpact.quality import RULES, quality
from clsimpact.quality._material import Material
from clsimpact.quality.rules import breaks, jump, outlier
from tests.quality.tables import CODES, ODD, PEOPLE, REGION, as_table, figure, populations, requests, reviews

YEARS = range(2015, 2019)

TWELVE = [2016] * 12
CARERS = ["carers_supported"] * 12


def found(name: str, rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    rule = next(rule for rule in RULES if rule.name == name)
    return rule.find(Material(as_table(rows))).findings


def only(rule: str, rows: Iterable[Mapping[str, Any]]) -> pd.Series:
    findings = found(rule, rows)
    assert len(findings) == 1, findings["words"].tolist()
    return findings.iloc[0]


def test_steady_returns_have_no_finding():
    report = quality(as_table([*requests(YEARS), *reviews(YEARS), *populations()]))
    assert report.findings.empty
    assert (
        report.rules.set_index("rule").loc[["submitted", "outlier", "jump", "allocation"], "looked_at"] > 0
    ).all()


class TestSubmitted:
    def test_a_return_without_a_figure(self):
        rows = [
            row | {"value": None, "status": "not_submitted"}
            if (row["ons_code"], row["year"]) == (ODD, 2017)
            else row
            for row in requests(YEARS)
        ]
        finding = only("submitted", rows)
        assert finding[["ons_code", "year", "return_", "severity"]].tolist() == [ODD, 2017, "SALT", "warn"]
        assert finding["value"] == 0
        assert finding["reference"] == 2
        assert "2 marked not submitted" in finding["words"]

    def test_a_measure_without_a_figure(self):
        rows = requests([2016]) + [
            figure(code, 2016, "carers_supported", None if code == ODD else 500.0, unit="people")
            for code in CODES
        ]
        finding = only("submitted", rows)
        assert finding[["ons_code", "measure", "severity"]].tolist() == [ODD, "carers_supported", "look"]

    def test_what_few_councils_gave_is_not_expected(self):
        carers = [None if code in CODES[:4] else 500.0 for code in CODES]
        rows = requests([2016])
        rows += [figure(*it, unit="people") for it in zip(CODES, TWELVE, CARERS, carers, strict=True)]
        assert found("submitted", rows).empty

    def test_a_council_that_is_not_listed(self):
        rows = [
            figure(code, 2016, "requests", 1000.0, age_band="18 to 64") for code in councils(2016)["ons_code"]
        ]
        finding = only("submitted", [row for row in rows if row["ons_code"] != ODD])
        assert finding["ons_code"] == ODD
        assert "does not list" in finding["words"]


class TestSuppressed:
    @staticmethod
    def rows(small: int) -> list[dict[str, Any]]:
        """Four breakdowns by gender a council; of one council some are withheld."""
        rows = []
        for code in CODES:
            for place, gender in enumerate(("Female", "Male", "Other", "Not known")):
                hidden = code == ODD and place < small
                status = "suppressed" if hidden else "published"
                value = None if hidden else 100.0
                rows.append(
                    figure(code, 2016, "carers_supported", value, unit="people", gender=gender, status=status)
                )
        return rows

    def test_half_is_much(self):
        finding = only("suppressed", self.rows(2))
        assert finding[["ons_code", "severity", "value", "reference"]].tolist() == [ODD, "look", 0.5, 0.0]

    def test_less_is_not(self):
        assert found("suppressed", self.rows(1)).empty

    def test_a_figure_behind_an_outcome_is_named(self):
        hidden = {"value": None, "status": "suppressed", "sequel": "Universal services or signposted"}
        rows = requests([2016])
        rows += [rows[6] | hidden, *(row | {"sequel": "End of life"} for row in rows[6:8])]
        finding = only("suppressed", rows)
        assert finding["severity"] == "note"
        assert "sequel_signposted_18_64" in finding["words"]

    def test_an_outcome_of_the_panel_is_named(self):
        panel = pd.DataFrame({"ons_code": [ODD], "year": [2016], "signposted_status": ["suppressed"]})
        findings = quality(as_table(self.rows(1)), panel=panel).findings
        assert findings["words"].str.contains("outcome signposted").tolist() == [True]


def with_total(gap: float, *, absent: bool = False) -> list[dict[str, Any]]:
    """Twelve councils of 100 each (eleven, if one is absent), and their region's total, off by a gap."""
    rows = [figure(code, 2016, "requests", 100.0, age_band="18 to 64") for code in CODES]
    if absent:
        rows[3] |= {"value": None, "status": "not_submitted"}
        rows += [figure(ODD, 2016, "carers_supported", 50.0, unit="people", return_="SALT carers")]
    total = sum(row["value"] or 0 for row in rows[:12]) + gap
    return [*rows, figure(REGION, 2016, "requests", total, age_band="18 to 64", level="region", table="T<2>")]


class TestTotals:
    # Twelve cells and the total are within 2.5 each: 32.5.
    def test_rounding_explains(self):
        assert found("totals", with_total(30)).empty
        assert found("totals", with_total(-30)).empty

    @pytest.mark.parametrize("gap", [35, -35])
    def test_more_than_rounding(self, gap):
        finding = only("totals", with_total(gap))
        assert finding[["ons_code", "severity", "value", "reference"]].tolist() == [
            REGION,
            "warn",
            1200 + gap,
            1200,
        ]
        assert finding[["source_id", "table", "cell"]].tolist() == ["salt_made", "T<2>", "A13"]

    def test_withheld_counts_explain_four_each(self):
        rows = with_total(35)
        rows[0] |= {"value": None, "status": "suppressed"}
        rows[-1] |= {"value": 1100.0 + 36.5}
        assert found("totals", rows).empty
        rows[-1] |= {"value": 1100.0 + 37.0}
        assert len(found("totals", rows)) == 1


class TestImputed:
    def test_a_total_that_holds_an_absent_council(self):
        finding = only("imputed", with_total(100, absent=True))
        assert finding[["ons_code", "severity", "value", "reference"]].tolist() == [
            REGION,
            "note",
            1200,
            1100,
        ]
        assert "Stockton-on-Tees did not submit" in finding["words"]

    def test_a_total_without_it(self):
        rows = with_total(0, absent=True)
        assert found("imputed", rows).empty
        assert found("totals", rows).empty

    def test_money_that_is_held_over_may_be_negative(self):
        rows = [row | {"return_": "ASC-FR", "unit": "£000"} for row in with_total(-15, absent=True)]
        assert found("totals", rows).empty
        assert "less than the councils explain" in only("imputed", rows)["words"]

    def test_money_far_below_its_councils_does_not_add_up(self):
        rows = [row | {"return_": "ASC-FR", "unit": "£000"} for row in with_total(-100, absent=True)]
        assert len(found("totals", rows)) == 1
        assert found("imputed", rows).empty

    def test_a_count_that_is_held_over_may_not(self):
        assert len(found("totals", with_total(-100, absent=True))) == 1

    def test_a_figure_marked_as_an_estimate(self):
        rows = requests([2016])
        rows[6] |= {"status": "estimated"}
        finding = only("imputed", rows)
        assert finding[["ons_code", "cell", "severity"]].tolist() == [ODD, "A7", "note"]


class TestRevised:
    @staticmethod
    def rows(factor: float, shift: float = 0.0) -> list[dict[str, Any]]:
        """The figures of 2016-17 again in a publication that speaks of 2017-18."""
        later = [row | {"source_id": "salt_later"} for row in requests([2016, 2017])]
        later[6] |= {"value": later[6]["value"] * factor + shift}
        return [*requests([2016]), *later]

    def test_the_same_figures(self):
        assert found("revised", self.rows(1)).empty

    def test_a_small_difference(self):
        finding = only("revised", self.rows(1, 5))
        assert finding[["ons_code", "year", "severity", "source_id"]].tolist() == [
            ODD,
            2016,
            "note",
            "salt_later",
        ]
        assert finding["value"] - finding["reference"] == 5
        assert "the earlier publication, salt_made" in finding["words"]

    def test_a_large_difference(self):
        assert only("revised", self.rows(2))["severity"] == "look"

    def test_total_and_not_broken_down_are_the_same_figure(self):
        rows = [
            row | {"sequel": "Total"} if row["source_id"] == "salt_later" else row for row in self.rows(2)
        ]
        assert len(found("revised", rows)) == 1

    def test_money_is_compared_to_half_a_thousand(self):
        def money(shift):
            return [row | {"return_": "ASC-FR", "unit": "£000"} for row in self.rows(1, shift)]

        assert found("revised", money(0.4)).empty
        assert len(found("revised", money(0.6))) == 1

    def test_real_terms_move_with_the_prices_of_the_publication(self):
        real = [row | {"measure": "gross_current_expenditure_real"} for row in self.rows(2)]
        assert found("revised", real).empty


class TestOutlier:
    def test_five_times_as_many(self):
        change = dict.fromkeys([(ODD, year) for year in YEARS], 5.0)
        findings = found("outlier", [*requests([2017], change), *populations()])
        assert findings["ons_code"].tolist() == [ODD]
        assert findings["measure"].tolist() == ["requests_18_64"]
        assert findings["severity"].isin(["look", "warn"]).all()

    def test_a_figure_at_the_edge_is_not_far(self):
        assert found("outlier", [*requests([2017], {(ODD, 2017): 1.3}), *populations()]).empty

    def test_distance_by_hand(self):
        # Middle 0, distances 2 1 0 1 2 3: the spread is 1.4826 times the middle one, 1.5.
        table = pd.DataFrame({"x": [-2.0, -1, 0, 0, 1, 2, 30], "region": "A", "year": 2016, "series": "a"})
        z = outlier.distances(table)
        assert z.iloc[-1] == pytest.approx(30 / 1.4826)

    def test_a_close_region_makes_no_outlier(self):
        near = pd.DataFrame({"x": [0, 0.01, -0.01, 0.02, -0.02, 0.5], "region": "near"})
        wide = pd.DataFrame({"x": [-3.0, -2, -1, -0.5, 0, 0, 0.5, 1, 2, 3, -1, 1], "region": "wide"})
        table = pd.concat([near, wide], ignore_index=True).assign(series="a", year=2016)
        assert outlier.distances(near.assign(series="a", year=2016)).abs().max() > outlier.LOOK
        assert outlier.distances(table).abs().max() < outlier.LOOK

    @settings(max_examples=25, deadline=None)
    @given(st.lists(st.integers(-50, 50), min_size=6, max_size=20), st.integers(-5, 5), st.integers(1, 4))
    def test_level_and_unit_do_not_matter(self, numbers, level, unit):
        table = pd.DataFrame(
            {"x": np.array(numbers, dtype=float), "region": "A", "year": 2016, "series": "a"}
        )
        moved = table.assign(x=level + unit * table["x"])
        np.testing.assert_allclose(outlier.distances(moved), outlier.distances(table), atol=1e-9)


class TestJump:
    def test_a_change_in_the_last_year(self):
        finding = only("jump", [*requests(YEARS, {(ODD, 2018): 1.8}), *populations()])
        assert finding[["ons_code", "year", "measure"]].tolist() == [ODD, 2018, "requests_18_64"]

    def test_a_change_of_the_whole_region(self):
        change = {(code, 2018): 1.8 for code in CODES}
        assert found("jump", [*requests(YEARS, change), *populations()]).empty

    def test_a_council_that_always_swings(self):
        swings = {(ODD, year): 1.35 if year % 2 else 1.0 for year in range(2014, 2024)}
        steady = {(ODD, 2023): 1.35}
        years = range(2014, 2024)
        one = found("jump", [*requests(years, steady), *populations()])
        assert one["year"].tolist() == [2023]
        assert found("jump", [*requests(years, swings), *populations()]).empty

    def test_a_gap_is_one_change(self):
        table = pd.DataFrame({"year": [2016, 2019], "x": [1.0, 3.0], "value": [1.0, 3.0]})
        table = table.assign(series="a", line="E1", region="A")
        changed = jump.changes(table)
        assert changed[["since", "year", "change", "before"]].to_numpy().tolist() == [[2016, 2019, 2.0, 1.0]]


class TestLevel:
    def test_a_level_that_stays(self):
        years = range(2014, 2022)
        change = {(ODD, year): 2.0 for year in range(2018, 2022)}
        finding = only("requests_level", [*requests(years, change), *populations()])
        assert finding[["ons_code", "year", "measure"]].tolist() == [ODD, 2018, "requests_18_64"]
        assert "a level that stays" in finding["words"]

    def test_one_odd_year_is_no_level(self):
        rows = [*requests(range(2014, 2022), {(ODD, 2017): 2.0}), *populations()]
        assert found("requests_level", rows).empty

    def test_by_hand(self):
        assert breaks.find_split(np.array([0.0, 0.0, 1.0, 1.0]), 0.1) == (2, 1.0)
        assert breaks.find_split(np.array([0.0, 0.0, 1.0, 1.0]), 0.3) == (
            0,
            0.0,
        )  # 3.5 standard errors are 1.05
        assert (
            breaks.find_split(np.array([0.0, 0.3, 1.0, 1.3]), 0.01)[0] == 2
        )  # levels 0.15 and 1.15, within 0.15
        assert breaks.find_split(np.array([0.0, 0.8, 1.0, 1.8]), 0.01) == (
            0,
            0.0,
        )  # within 0.4 of levels 1 apart
        assert breaks.find_split(np.array([0.0, 0.0, 0.39, 0.39]), 0.01) == (0, 0.0)


class TestAllocation:
    def test_twenty_points(self):
        finding = only("allocation", reviews([2017, 2018], {(ODD, 2018): 0.60}))
        assert finding[["ons_code", "year", "severity"]].tolist() == [ODD, 2018, "look"]
        assert finding["value"] == pytest.approx(0.6)
        assert finding["reference"] == pytest.approx(0.8)

    def test_ten_points(self):
        assert found("allocation", reviews([2017, 2018], {(ODD, 2018): 0.70})).empty

    def test_all_planned_is_compared_too(self):
        assert len(found("allocation", reviews([2017, 2018], {(ODD, 2018): 1.0}))) == 1


class TestRounding:
    @pytest.mark.parametrize(("count", "severity"), [(60, None), (40, "look"), (10, "warn")])
    def test_half_widths(self, count, severity):
        rows = [*requests([2016]), *populations()]
        rows[6] |= {"value": float(count)}
        findings = found("rounding", rows)
        assert findings["severity"].tolist() == ([severity] if severity else [])
        if severity:
            assert findings["reference"].tolist() == pytest.approx([1000 * 2.5 / PEOPLE])

    def test_a_share_adds_both_ends(self):
        # 2.5 of 100 planned and 2.5 of 100 reviewed: 5%.
        rows = reviews([2017])
        rows[6] |= {"value": 100.0}
        rows[7] |= {"value": 100.0}
        finding = only("rounding", rows)
        assert finding["reference"] == pytest.approx(0.05)


class TestCodes:
    def test_a_renamed_council(self):
        finding = only("codes", [figure("E06000060", 2018, "requests", 100.0, age_band="18 to 64")])
        assert finding["severity"] == "note"
        assert "E10000002" in finding["words"]

    def test_a_council_that_did_not_exist(self):
        rows = [*requests([2016]), figure("E06000058", 2016, "requests", 100.0, age_band="18 to 64")]
        assert only("codes", rows)["severity"] == "look"

    def test_an_unknown_code(self):
        rows = [*requests([2016]), figure("E99999999", 2016, "requests", 100.0, age_band="18 to 64")]
        assert only("codes", rows)["severity"] == "warn"

    def test_reorganisations_between_the_years(self):
        findings = found("codes", requests([2018, 2019]))
        assert set(findings["ons_code"]) == {"E06000028", "E06000029", "E10000009", "E06000058", "E06000059"}
        assert set(findings["severity"]) == {"note"}


TIMES = 2.0
"""Rates of one in a thousand, counted in some 40,000 draws, vary by a sixth: twice is out of the question."""


class TestFalseAlarms:
    """The stated rates under the stated normal models, drawn anew."""

    @staticmethod
    def drawn(years: int, series: int) -> pd.DataFrame:
        places = councils(2018)[["ons_code", "region"]].rename(columns={"ons_code": "line"})
        keys = pd.MultiIndex.from_product([map(str, range(series)), range(years)], names=["series", "year"])
        table = keys.to_frame(index=False).merge(places, how="cross")
        table["x"] = np.random.default_rng(20).normal(size=len(table))
        return table.assign(value=1.0)

    def test_outlier(self):
        rate = (outlier.distances(self.drawn(1, 300)).abs() >= outlier.LOOK).mean()
        assert outlier.FALSE_ALARMS / TIMES < rate < outlier.FALSE_ALARMS * TIMES

    def test_jump(self):
        table = self.drawn(10, 25).sort_values(["series", "line", "year"])
        table["x"] = table.groupby(["series", "line"])["x"].cumsum()
        rate = (jump.sizes(jump.changes(table))["z"].abs() >= jump.LOOK).mean()
        assert jump.FALSE_ALARMS / TIMES < rate < jump.FALSE_ALARMS * TIMES

    def test_level(self):
        draws = np.random.default_rng(20).normal(0, 0.15, size=(10_000, 3))
        rate = np.mean([breaks.find_split(row, 0.15)[0] > 0 for row in draws])
        assert rate < breaks.FALSE_ALARMS * TIMES


def test_every_rule_says_what_it_is():
    for rule in RULES:
        assert all([rule.title, rule.looks_at, rule.threshold, rule.cannot_see, rule.source, rule.unit]), (
            rule.name
        )
    assert len({rule.name for rule in RULES}) == len(RULES)
