"""Unknown adopters among the controls: the bias formula, tipping points, and verdicts."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pandas as pd
import pytest

import clsimpact as ci
from clsimpact.design import Design
from clsimpact.diagnostics import unknown_adopters as module
from clsimpact.diagnostics._contaminated import PLAUSIBLE, Contaminated
from clsimpact.diagnostics._exposure import Exposure, exposure_of
from clsimpact.diagnostics.setting import Setting, effect_of
from clsimpact.errors import DesignError
from tests.diagnostics.adoption_helpers import only_these
from tests.diagnostics.check_helpers import design, panel, setting, sound
from tests.estimation_helpers import with_holes

EXACT = 1e-9
"""Sums in another order differ by rounding."""

DRAWS = 3000
"""Contaminations that a simulated mean rests on."""


@pytest.fixture(autouse=True)
def _registry():
    with only_these():
        yield


def asked(made: Design, estimator: str = "twfe"):
    """Return a function from a design to the overall effect, without inference that takes time."""
    again = getattr(ci, estimator)(made).again
    return lambda other: effect_of(again(other)).estimate


def contaminated(made: Design, units: list[int], dates: list[int], size: float) -> Design:
    """Add an effect to some units from some date on."""
    y = made.y.copy()
    for unit, date in zip(units, dates, strict=True):
        y[(made.unit_codes == unit) & (made.times >= date)] += size
    return made.with_outcome(y)


def two_by_two() -> Design:
    """Two adopters and four controls, before and after."""
    rows = [
        {
            "unit": i,
            "time": t,
            "cohort": 1.0 if i < 2 else np.nan,
            "y": float(i + (t == 1) * (3 * (i < 2) + i % 2)),
        }
        for i in range(6)
        for t in (0, 1)
    ]
    return Design(pd.DataFrame(rows), outcome="y", unit="unit", time="time", cohort="cohort")


class TestFormula:
    def test_two_groups_and_two_periods_by_hand(self):
        """Each of four controls with an effect of one lowers the difference by a quarter."""
        made = two_by_two()
        found = exposure_of(made, asked(made))
        assert found.dates == (1,)
        assert found.kappa == pytest.approx(1.0, abs=EXACT)
        assert np.allclose(found.each, 0.25, atol=EXACT)
        assert found.spread(2) == pytest.approx(0.0, abs=1e-7)
        assert found.worst(3) == pytest.approx(0.75, abs=EXACT)
        assert found.needed(0.5) == pytest.approx(2.0, abs=EXACT)
        assert found.needed_at_worst(0.5) == 2
        assert found.needed_at_worst(0.51) == 3
        assert found.needed_at_worst(1.1) == np.inf

    @pytest.mark.parametrize("estimator", ["twfe", "event_study", "group_time", "imputation"])
    def test_k_is_what_contamination_does(self, estimator):
        """Single controls and dates, on an unbalanced panel, against the estimator itself."""
        made = with_holes(design(panel(seed=2, units=30, adopters=8)), lost_years=(2015,))
        ask = asked(made, estimator)
        found = exposure_of(made, ask)
        controls = np.flatnonzero(~made.in_window)
        plain = ask(made)
        assert found.n == controls.size == 22
        assert found.each is None or found.each.shape == (22, 4)
        for g, date in enumerate(found.dates):
            moved = ask(contaminated(made, controls.tolist(), [date] * controls.size, 2.0)) - plain
            assert moved == pytest.approx(-2.0 * found.total[g], abs=1e-8)
        if found.each is not None:
            for place in (0, 7, 21):
                moved = ask(contaminated(made, [int(controls[place])], [found.dates[1]], 2.0)) - plain
                assert moved == pytest.approx(-2.0 * found.each[place, 1], abs=1e-8)
            assert np.allclose(found.each.sum(axis=0), found.total, atol=1e-8)

    def test_mean_and_spread_by_simulation(self):
        """Random controls and dates: the simulated mean and deviation are those of the formula."""
        made = with_holes(design(panel(seed=2, units=30, adopters=8)), lost_years=())
        fit = ci.twfe(made, inference="CR0")
        found = exposure_of(made, asked(made))
        weights = fit.fitted().influence[:, 0]
        rng, m, size = np.random.default_rng(0), 6, 3.0
        controls = np.flatnonzero(~made.in_window)
        known = made.unit_cohorts[made.in_window]
        moved = np.empty(DRAWS)
        for d in range(DRAWS):
            units = rng.choice(controls, m, replace=False)
            dates = np.full(len(made.units), np.inf)
            dates[units] = rng.choice(known, m)
            moved[d] = size * weights[made.times >= dates[made.unit_codes]].sum()
        error = moved.std() / np.sqrt(DRAWS)
        assert abs(moved.mean() + size * m * found.mean) < 4 * error
        assert moved.std() == pytest.approx(size * found.spread(m), rel=0.06)  # 4 errors of a deviation
        assert found.spread(m) > 0

    def test_the_correction_gives_the_truth_back(self):
        """A known effect, no noise, the same effect in a fifth of the controls: what was put in."""
        made = design(panel(seed=3, units=36, adopters=16))
        quiet = made.with_outcome(5.0 * made.treated + made.times - 2000.0)
        ask = asked(made)
        found = exposure_of(quiet, ask)
        rng, known, m = np.random.default_rng(1), made.unit_cohorts[made.in_window], 4
        controls = np.flatnonzero(~made.in_window)
        seen = [
            ask(
                contaminated(
                    quiet, rng.choice(controls, m, replace=False).tolist(), list(rng.choice(known, m)), 5.0
                )
            )
            for _ in range(150)
        ]
        corrected = np.array(seen) / (1 - found.kappa * m / found.n)
        assert ask(quiet) == pytest.approx(5.0, abs=EXACT)
        assert np.mean(seen) < 4.8
        assert abs(corrected.mean() - 5.0) < 4 * corrected.std() / np.sqrt(150)

    def test_the_worst_case_by_brute_force(self):
        made = with_holes(design(panel(seed=5, units=12, adopters=4)), lost_years=())
        ask = asked(made)
        found = exposure_of(made, ask)
        plain, controls = ask(made), np.flatnonzero(~made.in_window)
        worst = 0.0
        single = {
            (unit, date): plain - ask(contaminated(made, [int(unit)], [date], 1.0))
            for unit in controls
            for date in found.dates
        }
        for units in itertools.combinations(controls, 2):
            for dates in itertools.product(found.dates, repeat=2):
                worst = max(worst, sum(single[pair] for pair in zip(units, dates, strict=True)))
        assert found.worst(2) == pytest.approx(worst, abs=1e-8)
        assert found.needed_at_worst(worst) == 2

    def test_weights_make_every_control_its_own(self):
        data = panel(seed=5, units=14, adopters=4).assign(
            size=lambda d: d["ons_code"].str[-2:].astype(int) + 1.0
        )
        made = design(data, weights="size")
        found = exposure_of(made, asked(made))
        assert np.ptp(found.each[:, 0]) > 0.05
        heavy, light = found.each[-1, 0], found.each[0, 0]
        assert heavy / light == pytest.approx(14 / 5, rel=1e-6)

    def test_too_many_controls_to_ask_one_by_one(self, monkeypatch):
        from clsimpact.diagnostics import _exposure

        monkeypatch.setattr(_exposure, "MOST_ASKED", 3)
        given = setting(panel(seed=1, effect=4.0), draws=99)
        found = module.run(given)
        assert found.numbers["needed_at_worst"] != found.numbers["needed_at_worst"]
        assert "at worst" not in found.finding
        sound(found, given)

    def test_an_estimator_that_is_not_linear(self):
        made = two_by_two()
        plain = asked(made)
        with pytest.raises(DesignError, match="not linear"):
            exposure_of(made, lambda other: plain(other) ** 2)

    def test_nobody_is_left_to_be_unknown(self):
        data = panel(seed=1)
        made = design(data[data["adoption_year"].notna()])
        with pytest.raises(DesignError, match="nobody is taken as never treated"):
            exposure_of(made, asked(made))


def contaminated_words(effect: float, seed: int = 1, **options: float) -> tuple[Setting, Contaminated]:
    given = setting(panel(seed=seed, effect=effect), draws=199, **options)
    return given, Contaminated(given, exposure_of(given.design, given.point))


def scaled(ratio: float) -> Setting:
    """Return a setting whose estimate is so many of its standard errors from zero."""
    data = panel(seed=1)
    row = ci.event_study(design(data)).overall.iloc[0]
    size = ratio * row["std_error"] - row["estimate"]
    data["cost"] += size * (data["year"] >= data["adoption_year"])
    return setting(data)


class TestVerdicts:
    def test_a_strong_effect(self):
        given = scaled(8.0)
        found = module.run(given)
        assert found.verdict == "holds"
        assert found.numbers["needed_share"] > PLAUSIBLE
        assert "cannot have made this one" in found.finding
        assert "Three Conversations" in found.finding
        sound(found, given)

    def test_an_effect_on_the_edge(self):
        given = scaled(2.25)
        found = module.run(given)
        assert given.effect.clear
        assert found.verdict == "does not hold"
        assert found.numbers["needed_share"] < PLAUSIBLE
        sound(found, given)

    def test_the_tipping_number_brings_the_end_to_zero(self):
        """Take that many opposite effects back out: the near end of the interval is at zero."""
        given, known = contaminated_words(1.0)
        random, worst = known.tipping
        delta, end = known.against
        assert delta == -given.effect.estimate
        assert end == given.effect.low > 0
        assert end + delta * known.exposure.mean * random == pytest.approx(0, abs=EXACT)
        assert worst <= np.ceil(random)
        assert abs(delta) * known.exposure.worst(int(worst)) >= end - 1e-6
        assert abs(delta) * known.exposure.worst(int(worst) - 1) < end

    def test_opposite_effects_that_were_there_are_taken_out_again(self):
        """Contaminate every control alike: the table gives back the estimate without them."""
        data = panel(seed=1, effect=3.0)
        made = design(data)
        before = effect_of(ci.twfe(made)).estimate
        controls = np.flatnonzero(~made.in_window)
        share = made.unit_cohorts[made.in_window]
        dates = np.resize(share, controls.size)
        dirty = contaminated(made, controls.tolist(), list(dates), -2.0)
        exposure = exposure_of(dirty, asked(dirty))
        after = asked(dirty)(dirty)
        assert after - 2.0 * exposure.mean * controls.size == pytest.approx(before, abs=0.02)

    def test_nothing_found_and_no_margin(self):
        given, known = contaminated_words(0.0, seed=14)
        assert not given.effect.clear
        assert known.verdict == "cannot tell"
        found = module.run(given)
        assert "cannot be said without a margin" in found.finding
        assert "margin=" in found.advice[0].code
        sound(found, given)

    @pytest.mark.parametrize(
        ("times", "verdict"), [(2.0, "holds"), (1.02, "does not hold"), (0.9, "cannot tell")]
    )
    def test_nothing_found_and_a_margin(self, times, verdict):
        plain, _ = contaminated_words(0.0, seed=14)
        far = max(abs(plain.effect.low), abs(plain.effect.high))
        given, known = contaminated_words(0.0, seed=14, margin=times * far)
        assert known.verdict == verdict
        found = module.run(given)
        words = {
            "holds": "stays within",
            "does not hold": "leaves",
            "cannot tell": "even if no control is one",
        }
        assert words[verdict] in found.finding
        sound(found, given)

    def test_correction_of_the_interval(self):
        given, known = contaminated_words(2.0)
        found = module.run(given)
        kept = 1 - known.exposure.kappa * 9 / 44  # a fifth of 44 controls
        row = found.table[
            found.table["unknown_effect"].eq("the same") & found.table["contaminated"].eq(9)
        ].iloc[0]
        assert row["estimate"] == pytest.approx(given.effect.estimate / kept)
        assert row["conf_low"] == pytest.approx(given.effect.low / kept)
        assert found.numbers["shown_at_20%"] == pytest.approx(kept)
        ends = (given.effect.estimate, given.effect.low, given.effect.high)
        assert known.corrected(PLAUSIBLE) == pytest.approx(tuple(end / kept for end in ends))
        other = found.table[found.table["unknown_effect"].eq("-1 times the estimate")].iloc[-1]
        shift = -given.effect.estimate * known.exposure.mean * other["contaminated"]
        assert other["conf_high"] == pytest.approx(given.effect.high + shift)

    def test_words_for_other_units(self):
        data = panel(seed=1, effect=4.0).rename(columns={"ons_code": "county"})
        made = ci.Design(data, outcome="cost", unit="county", time="year", cohort="adoption_year")
        found = module.run(Setting(made, ci.twfe(made), draws=99))
        assert "44 units taken as untreated" in found.finding
        assert "Three Conversations" not in found.finding

    def test_one_adopter_has_no_interval(self):
        data = panel(seed=1, adopters=1)
        made = design(data)
        report = ci.event_study(made).check("unknown_adopters")
        assert report["unknown_adopters"].verdict == "cannot tell"
        assert "no interval" in report["unknown_adopters"].finding


def test_exposure_by_hand():
    found = Exposure(
        (1, 2), np.array([0.5, 0.5]), 2, np.array([0.6, 0.2]), np.array([[0.4, 0.2], [0.2, 0.0]])
    )
    assert found.kappa == pytest.approx(0.4)
    assert found.mean == pytest.approx(0.2)
    # one of two at random, then a date: 0.4, 0.2, 0.2 or 0.0 with equal chance
    assert found.spread(1) == pytest.approx(np.std([0.4, 0.2, 0.2, 0.0]))
    # both: only dates are left to chance, 0.1 each way and independent
    assert found.spread(2) == pytest.approx(np.sqrt(0.02))
    assert found.worst(1) == pytest.approx(0.4)
    assert found.worst(2) == pytest.approx(0.6)


def test_real_spending_panel():
    data = ci.tag_adoption(ci.load_panel(), ci.load_adoption())
    made = ci.Design(data, outcome="gce_per_adult", unit="ons_code", time="year", cohort="adoption_year")
    result = ci.event_study(made).check("unknown_adopters", draws=199)["unknown_adopters"]
    assert result.verdict == "cannot tell"
    assert "28 of the 138 councils taken as untreated (20%)" in result.finding
    assert "18% of the controls" in result.finding
    assert result.plot().title == "Unknown adopters would hide part of an effect"
    assert 0.5 < float(result.numbers["kappa"] or 0) < 0.8
    assert len(result.to_dict()["table"]) == 13


@pytest.mark.parametrize("ratio", [2.1, 2.25, 2.6, 3.2])
def test_counts_and_shares_are_of_the_same_number(ratio):
    """'1 of 16 (3%)' was printed: the share was that of the number before rounding."""
    words = module.run(scaled(ratio)).finding
    count, n, share = map(int, re.search(r"it takes (\d+) of (\d+) \((\d+)%\)", words).groups())
    assert share == round(100 * count / n)


def test_advice_hands_out_no_margin_and_names_the_units():
    given, _ = contaminated_words(0.0, seed=14)
    codes = [item.code for item in module.run(given).advice]
    assert not any(re.search(r"margin=\s*[\d.]", code) or "design.y" in code for code in codes)
    data = panel(seed=1)
    data = data[data["adoption_year"].isna() | (data["adoption_year"] == 2016)]
    row = ci.event_study(design(data)).overall.iloc[0]
    data["cost"] += (3.0 * row["std_error"] - row["estimate"]) * (data["year"] >= data["adoption_year"])
    one = setting(data)
    found = module.run(one)
    assert found.verdict == "does not hold"
    assert len(found.advice) == 1
    names = eval(found.advice[0].code, {"np": np, "design": one.design})
    assert len(names) == 44
    assert names[0] == "Council 16 (E00000016)"
