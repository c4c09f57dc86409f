"""Undated adopters as controls, left out, or treated from the latest possible year."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import clsimpact as ci
from clsimpact.diagnostics import undated_adopters as module
from clsimpact.diagnostics._undated import open_adopters, variants, whole
from clsimpact.diagnostics.setting import Setting
from clsimpact.errors import DesignError
from tests.diagnostics.adoption_helpers import adoption_of, only_these
from tests.diagnostics.check_helpers import design, panel, sound

EXACT = 1e-9
"""Two routes to one estimate differ by rounding."""

ROLES = {"outcome": "gce_per_adult", "unit": "ons_code", "time": "year", "cohort": "adoption_year"}


@pytest.fixture(autouse=True)
def _registry():
    with only_these():
        yield


@pytest.fixture(scope="module")
def real() -> tuple[pd.DataFrame, pd.DataFrame]:
    return ci.load_panel(), ci.load_adoption()


def real_setting(real: tuple[pd.DataFrame, pd.DataFrame], **tagging: str) -> Setting:
    data, adoption = real
    made = ci.Design(ci.tag_adoption(data, adoption, **tagging), **ROLES)
    return Setting(made, ci.twfe(made), data, adoption, draws=99)


def point(data: pd.DataFrame) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = ci.twfe(ci.Design(data, **ROLES), inference="CR0")
    return float(fit.overall["estimate"].iloc[0])


class TestAgainstTagAdoption:
    """Each design is the one that `tag_adoption` makes when it is told so."""

    @pytest.mark.parametrize(
        ("undated", "label"),
        [
            ("drop", "no year: left out; too early: left out"),
            ("control", "no year: controls; too early: left out"),
            ("treated_from_latest", "no year: treated late; too early: left out"),
        ],
    )
    def test_those_without_a_year(self, real, undated, label):
        table = module.run(real_setting(real)).table.set_index("adopters")
        expected = point(ci.tag_adoption(*real, undated=undated))
        assert table.loc[label, "estimate"] == pytest.approx(expected, abs=EXACT)

    def test_those_that_adopted_too_early_as_controls(self, real):
        data, adoption = real
        early = ["E06000051", "E10000027", "E08000033", "E08000036"]
        table = module.run(real_setting(real)).table.set_index("adopters")
        tagged = ci.tag_adoption(data, adoption[~adoption["ons_code"].isin(early)])
        found = table.loc["no year: left out; too early: controls", "estimate"]
        assert found == pytest.approx(point(tagged), abs=EXACT)

    def test_those_that_adopted_too_early_from_the_latest_year(self, real):
        data, adoption = real
        later = adoption.copy()
        for code, year in (("E10000027", 2016), ("E08000033", 2017)):
            later.loc[later["ons_code"] == code, "adoption_year"] = year
        table = module.run(real_setting(real)).table.set_index("adopters")
        found = table.loc["no year: left out; too early: treated late", "estimate"]
        assert found == pytest.approx(point(ci.tag_adoption(data, later)), abs=EXACT)

    def test_from_a_design_that_has_them_as_controls(self, real):
        """The same designs, wherever one begins."""
        one = module.run(real_setting(real)).table.set_index("adopters")["estimate"]
        two = module.run(real_setting(real, undated="control")).table.set_index("adopters")["estimate"]
        pd.testing.assert_series_equal(one.sort_index(), two.sort_index(), rtol=EXACT)


class TestRealPanel:
    def test_words(self, real):
        made = real_setting(real)
        found = module.run(made)
        sound(found, made)
        assert found.verdict == "holds"
        assert "Croydon, Hartlepool, Telford and Wrekin have no year on the list" in found.finding
        assert "Shropshire, Wakefield, Telford and Wrekin cannot be treated" in found.finding
        assert found.numbers["undated"] == 7
        assert found.numbers["designs"] == 9
        assert found.numbers["lowest"] == pytest.approx(found.table["estimate"].min())
        assert found.numbers["union_high"] == pytest.approx(found.table["conf_high"].max())

    def test_the_design_itself_is_not_estimated_again(self, real):
        made = real_setting(real)
        row = module.run(made).table.iloc[0]
        assert (row["conf_low"], row["conf_high"]) == (made.effect.low, made.effect.high)
        assert row["left_out"] == 7

    def test_a_tagged_panel_does_not_hold_them(self, real):
        made = real_setting(real)
        tagged = ci.tag_adoption(*real)
        asked = Setting(made.design, made.fit, tagged, real[1], draws=99)
        found = module.run(asked)
        assert found.verdict == "cannot tell"
        assert "Shropshire" in found.finding
        assert found.advice[0].code == (
            "fit.check('undated_adopters', data=ci.load_panel(), adoption=adoption)"
        )
        sound(found, asked)

    def test_a_panel_that_holds_some(self, real):
        data, adoption = real
        made = real_setting(real)
        fewer = data[data["ons_code"] != "E06000001"]
        asked = Setting(made.design, made.fit, fewer, adoption, draws=99)
        found = module.run(asked)
        assert found.verdict == "cannot tell"
        assert found.finding.endswith("does not hold them: Hartlepool.")
        sound(found, asked)

    def test_inputs_stay_as_they_are(self, real):
        data, adoption = real[0].copy(), real[1].copy()
        module.run(real_setting((data, adoption)))
        pd.testing.assert_frame_equal(data, real[0])
        pd.testing.assert_frame_equal(adoption, real[1])

    def test_as_a_dictionary(self, real):
        data, adoption = real
        made = real_setting(real)
        result = made.fit.check("undated_adopters", data=data, adoption=adoption, draws=99)[
            "undated_adopters"
        ]
        assert len(result.to_dict()["table"]) == 9
        assert result.plot().alt_text.startswith(
            "Adopters without a usable date do not change the conclusion."
        )


def hidden(data: pd.DataFrame, units: list[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Take the years of some adopters off a panel, and off its list but for the latest."""
    adoption = adoption_of(design(data))
    mine = adoption["ons_code"].isin(units)
    adoption["adoption_year"] = adoption["adoption_year"].where(~mine)
    adoption["earliest_year"] = adoption["earliest_year"].where(~mine)
    shown = data.assign(adoption_year=data["adoption_year"].where(~data["ons_code"].isin(units)))
    return shown, adoption


def made_setting(data: pd.DataFrame, adoption: pd.DataFrame, **options: object) -> Setting:
    made = design(data)
    return Setting(made, ci.event_study(made), data, adoption, draws=199, **options)  # type: ignore[arg-type]


class TestVerdicts:
    def test_an_effect_of_those_that_are_dated_only(self):
        """Eight adopters rise; the other eight fall, and have no year."""
        data = panel(seed=1)
        after = data["year"] >= data["adoption_year"]
        silent = [f"E{i:08d}" for i in range(8, 16)]
        data["cost"] += np.where(after, np.where(data["ons_code"].isin(silent), -2.0, 2.0), 0.0)
        made = made_setting(*hidden(data, silent))
        found = module.run(made)
        assert made.effect.low > 0
        assert found.verdict == "does not hold"
        assert "Find out whether and when they adopted" in found.advice[0].text
        sound(found, made)

    def test_an_effect_of_all(self):
        silent = [f"E{i:08d}" for i in range(12, 16)]
        made = made_setting(*hidden(panel(seed=1, effect=4.0), silent))
        found = module.run(made)
        assert found.verdict == "holds"
        assert set(found.table["treated"]) == {0, 4}
        assert set(found.table["controls"]) == {0, 4}
        assert "4 adopters" in found.draw().subtitle

    def test_everyone_is_dated(self):
        data = panel(seed=1)
        made = made_setting(data, adoption_of(design(data)))
        found = module.run(made)
        assert found.verdict == "holds"
        assert "nobody to place" in found.finding

    def test_a_control_with_a_year_on_the_list(self):
        data = panel(seed=1, effect=4.0)
        adoption = adoption_of(design(data))
        shown = data.assign(adoption_year=data["adoption_year"].where(data["ons_code"] != "E00000003"))
        made = made_setting(shown, adoption)
        found = module.run(made)
        assert "has a year on the list but is a control here" in found.finding
        treated = found.table.set_index("adopters").loc["treated late", "estimate"]
        full = ci.event_study(design(data), inference="CR0").overall["estimate"].iloc[0]
        assert treated == pytest.approx(full, abs=EXACT)


class TestOtherPanels:
    def test_units_of_another_name(self):
        data, adoption = hidden(panel(seed=1, effect=4.0), ["E00000014", "E00000015"])
        data, adoption = (table.rename(columns={"ons_code": "county"}) for table in (data, adoption))
        made = ci.Design(data, outcome="cost", unit="county", time="year", cohort="adoption_year")
        asked = Setting(made, ci.twfe(made), data, adoption, draws=99)
        found = module.run(asked)
        assert "E00000014, E00000015 have no year on the list" in found.finding
        expected = ci.twfe(made.restrict(~np.isin(made.unit_codes, [14, 15]), reason="test"), inference="CR0")
        left = found.table.set_index("adopters").loc["left out", "estimate"]
        assert left == pytest.approx(float(expected.overall["estimate"].iloc[0]), abs=EXACT)

    def test_left_out_of_the_design_and_in_the_panel(self):
        full = panel(seed=1, effect=4.0)
        silent = ["E00000014", "E00000015"]
        data, adoption = hidden(full, silent)
        made = design(data[~data["ons_code"].isin(silent)], cluster="ons_code")
        asked = Setting(made, ci.twfe(made), data, adoption, draws=99)
        base, there = whole(asked, open_adopters(asked, adoption))
        assert [row.unit for row in there] == silent
        assert base.units == design(full).units
        found = {variant.label: variant for variant in variants(base, there)}
        late = found["treated late"].design
        assert np.array_equal(late.unit_cohorts, design(full).unit_cohorts, equal_nan=True)
        assert np.array_equal(late.y, design(full).y)

    def test_another_outcome_under_the_same_name(self):
        silent = ["E00000014", "E00000015"]
        data, adoption = hidden(panel(seed=1), silent)
        made = design(data[~data["ons_code"].isin(silent)])
        other = data.assign(cost=np.log(data["cost"]))
        with pytest.raises(DesignError, match="other values of cost"):
            module.run(Setting(made, ci.twfe(made), other, adoption, draws=99))

    def test_no_panel(self):
        data, adoption = hidden(panel(seed=1), ["E00000015"])
        report = ci.twfe(design(data)).check("undated_adopters", adoption=adoption)
        assert report["undated_adopters"].verdict == "cannot tell"
