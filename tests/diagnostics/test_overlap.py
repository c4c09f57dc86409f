"""Balance and overlap: differences, scores and the p-value by other means; what the verdict follows from."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize

import clsimpact as ci
from clsimpact.design import Design
from clsimpact.diagnostics import registry
from clsimpact.diagnostics._profile import profile
from clsimpact.diagnostics._unit_balance import differences, outside, scores
from clsimpact.diagnostics.overlap import LEVEL, MATTERS, run
from clsimpact.diagnostics.setting import Setting
from clsimpact.errors import DesignError
from tests.diagnostics.check_helpers import design, panel, setting, sound
from tests.estimation_helpers import EXACT, mpdta


@pytest.fixture(autouse=True)
def _own_checks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Run these checks only, whatever the others do."""
    names = ("overlap", "matching", "regional_shocks", "spill_overs")
    monkeypatch.setattr(registry, "_MODULES", names)
    registry.all_checks.cache_clear()
    yield
    registry.all_checks.cache_clear()


def many(seed: int = 0, shift: float = 0.0, **given: Any) -> pd.DataFrame:
    """A panel with enough adopters for the check to hold; adopters' level is shifted."""
    data = panel(seed=seed, **({"units": 120, "adopters": 50} | given))
    return data.assign(cost=data["cost"] + shift * data["adoption_year"].notna())


def alone(data: pd.DataFrame, **given: Any) -> Setting:
    return Setting(design(data), data=data, **given)


def test_differences_by_hand() -> None:
    """Means 3 and 1, sums of squares 2 and 4 over 2 + 3 - 2 degrees of freedom."""
    x = np.array([[2.0], [4.0], [-1.0], [1.0], [3.0]])
    found = differences(x, np.array([[True, True, False, False, False]]))
    assert found.item() == pytest.approx((3 - 1) / np.sqrt((2 + 8) / 3), rel=EXACT)


def test_differences_of_each_draw_are_those_of_the_draw_alone() -> None:
    rng = np.random.default_rng(3)
    x, sets = rng.normal(size=(30, 4)), np.array([rng.permutation(30) < 7 for _ in range(5)])
    for row, chosen in zip(differences(x, sets), sets, strict=True):
        a, b = x[chosen], x[~chosen]
        pooled = np.sqrt((a.var(axis=0) * len(a) + b.var(axis=0) * len(b)) / (len(x) - 2))
        assert np.isfinite(row).all()
        np.testing.assert_allclose(row, (a.mean(axis=0) - b.mean(axis=0)) / pooled, rtol=1e-10)


def penalised(x: np.ndarray, y: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
    """Maximise the penalised likelihood with another optimiser."""

    def loss(b: np.ndarray) -> float:  # type: ignore[type-arg]
        line = x @ b
        return float(np.logaddexp(0, line).sum() - y @ line + 0.5 * b[1:] @ b[1:])

    return np.asarray(minimize(loss, np.zeros(x.shape[1]), method="BFGS", options={"gtol": 1e-9}).x)


def test_scores_are_those_of_another_optimiser_that_leaves_each_unit_out() -> None:
    rng = np.random.default_rng(5)
    values, adopts = rng.normal(size=(60, 3)), rng.permutation(60) < 9
    x = np.column_stack([np.ones(60), (values - values.mean(axis=0)) / values.std(axis=0)])
    y = adopts.astype(float)
    whole = x @ penalised(x, y)
    left = np.array([x[i] @ penalised(np.delete(x, i, 0), np.delete(y, i)) for i in range(60)])
    found = scores(values, adopts[None])[0]
    assert (
        np.abs(found - left).max() < 0.15 * np.abs(whole - left).max()
    )  # one Newton step goes most of the way
    far = np.abs(whole - left) > 0.3
    assert far.any()
    assert (np.abs(found - left)[far] < np.abs(whole - left)[far]).all()


def test_scores_of_sets_do_not_depend_on_each_other() -> None:
    rng = np.random.default_rng(6)
    values, sets = rng.normal(size=(40, 2)), np.array([rng.permutation(40) < 5 for _ in range(130)])
    together = scores(values, sets)
    np.testing.assert_allclose(together[[0, 129]], np.vstack([scores(values, sets[[i]]) for i in (0, 129)]))


def test_an_adopter_that_nobody_is_like_is_outside() -> None:
    found = outside(np.array([[5.0, 0.0, 4.0, -9.0]]), np.array([[True, False, False, True]]))
    assert found.tolist() == [[True, False, False, False]]


def test_p_value_is_that_of_all_sets_of_adopters() -> None:
    data = panel(units=12, adopters=3, seed=4)
    given = Setting(design(data), data=data, draws=4999)
    values = profile(given).figures
    worst = []
    for chosen in combinations(range(12), 3):
        mask = np.isin(np.arange(12), chosen)
        gap = values[mask].mean(axis=0) - values[~mask].mean(axis=0)
        within = [((part - part.mean(axis=0)) ** 2).sum(axis=0) for part in (values[mask], values[~mask])]
        worst.append(np.abs(gap / np.sqrt(sum(within) / 10)).max())
    exact = np.mean(np.array(worst) >= worst[0] - 1e-9)
    assert run(given).numbers["p_balance"] == pytest.approx(exact, abs=0.025)  # 3.5 Monte Carlo errors


def test_unlike_adopters_are_found_and_like_ones_are_not() -> None:
    apart = run(alone(many(shift=3.0)))
    assert apart.verdict == "does not hold"
    assert "differ most in outcome before" in apart.finding
    assert apart.table is not None
    assert apart.table.loc[apart.table["marked"], "label"].tolist() == ["outcome before"]
    like = run(alone(many()))
    assert like.verdict == "holds"
    assert not like.advice
    sound(apart, setting(many(shift=3.0)))
    sound(like, setting(many()))


def test_few_adopters_cannot_tell_and_the_words_say_what_could_be_seen() -> None:
    found = run(alone(panel(adopters=5)))
    assert found.verdict == "cannot tell"
    assert float(found.numbers["detectable_difference"]) > MATTERS  # type: ignore[arg-type]
    assert "would have been found four times in five" in found.finding


def test_false_alarms_are_near_their_level() -> None:
    alarms = 0
    for seed in range(50):
        data = panel(units=40, adopters=12, seed=seed, years=tuple(range(2012, 2020)))
        alarms += run(Setting(design(data), data=data, draws=199)).verdict == "does not hold"
    assert alarms <= 6  # 2.5 expected; 7 or more have a probability of 1%
    assert LEVEL == 0.05


def test_adopters_without_a_like_are_named_and_stop_the_check_from_holding() -> None:
    data = many()
    ours = [f"E{i:08d}" for i in range(6)]
    data = data.assign(cost=data["cost"] + 25 * data["ons_code"].isin(ours))
    found = run(alone(data))
    assert found.numbers["adopters_off_support"] == 6
    assert "Council 5 (E00000005) have higher odds of adoption than any other" in found.finding
    assert found.verdict == "does not hold"
    code = next(item.code for item in found.advice if "restrict" in item.code)
    assert "'E00000005'" in code
    sound(found, setting(data))


def test_one_odd_adopter_is_named_by_its_distance() -> None:
    data = many()
    data = data.assign(cost=data["cost"] + 30 * (data["ons_code"] == "E00000003"))
    found = run(alone(data))
    assert found.numbers["adopters_off_support"] == 0
    assert found.numbers["adopters_alone"] == 1
    assert "Council 3 (E00000003) lies far from every other" in found.finding
    assert found.verdict == "cannot tell"
    odd = data.assign(cost=data["cost"] + 30 * (data["ons_code"] == "E00000100"))  # a control of that kind
    assert run(alone(odd)).numbers["adopters_alone"] == 0


def test_weighted_units_count_as_the_odds_say() -> None:
    data = many()
    given = alone(data)
    found, p = run(given), profile(given)
    odds = np.exp(scores(p.figures, p.adopts[None])[0][~p.adopts])
    wanted = odds.sum() ** 2 / (odds**2).sum()
    assert found.numbers["effective_comparison_units"] == pytest.approx(wanted)


def test_level_and_trend_are_those_before_the_first_adoption() -> None:
    data = many()
    p = profile(alone(data))
    early = data[data["year"] < 2016]
    level = early.groupby("ons_code")["cost"].mean().to_numpy()
    slope = [np.polyfit(part["year"], part["cost"], 1)[0] for _, part in early.groupby("ons_code")]
    assert p.labels[:2] == ("outcome before", "its trend before")
    np.testing.assert_allclose(p.numbers[:, 0], level)
    np.testing.assert_allclose(p.numbers[:, 1], slope, atol=1e-9)
    assert p.years == (2012, 2013, 2014, 2015)


def test_one_period_before_has_no_trend() -> None:
    data = many().query("year >= 2015")
    assert profile(alone(data)).labels[0] == "outcome before"
    assert "its trend before" not in profile(alone(data)).labels


def test_councils_are_compared_by_what_is_known_of_councils() -> None:
    rng = np.random.default_rng(1)
    data = many()
    size = np.exp(rng.normal(11, 1, 120)).repeat(10)
    data = data.assign(population_18_plus=size, population_65_plus=0.2 * size, imd_2019=rng.normal(size=1200))
    data["council_type"] = np.where(data["ons_code"] < "E00000050", "county", "unitary")
    p = profile(alone(data))
    assert p.labels[2:4] == ("population aged 18+ (log)", "deprivation (IMD 2019)")  # the share does not vary
    assert p.labels[-1] == "council type: county"
    assert sum(label.startswith("region: ") for label in p.labels) == 5
    np.testing.assert_allclose(p.numbers[:, 2], np.log(size[::10]))


def test_other_panels_are_compared_by_columns_that_do_not_change_or_are_named() -> None:
    rng = np.random.default_rng(2)
    data = many().rename(columns={"ons_code": "site"}).drop(columns=["name", "region"])
    data["beds"] = rng.normal(size=120).repeat(10)
    data["ever"] = data["adoption_year"].notna().astype(int)
    data["noise"] = rng.normal(size=len(data))
    roles = {"outcome": "cost", "unit": "site", "time": "year", "cohort": "adoption_year"}
    made = Design(data, **roles)
    assert profile(Setting(made, data=data)).labels[2:] == ("beds",)  # "ever" is adoption itself
    data.attrs["balance"] = ["noise"]
    p = profile(Setting(made, data=data))
    assert p.labels[2:] == ("noise",)
    early = data[data["year"] < 2016].groupby("site")["noise"].mean()
    np.testing.assert_allclose(p.numbers[:, 2], early)


def test_missing_figures_stand_at_the_mean_and_are_counted() -> None:
    data = many()
    data["imd_2019"] = np.where(
        data["ons_code"] == "E00000007", np.nan, data["ons_code"].str[-3:].astype(float)
    )
    found, p = run(alone(data)), profile(alone(data))
    assert found.numbers["figures_filled"] == 1
    column = p.numbers[:, p.labels.index("deprivation (IMD 2019)")]
    assert column[7] == pytest.approx(np.delete(column, 7).mean())
    mostly = data.assign(imd_2019=data["imd_2019"].where(data["ons_code"] < "E00000050"))
    assert "deprivation (IMD 2019)" not in profile(alone(mostly)).labels


def test_mpdta_counties_differ_in_population() -> None:
    from clsimpact.datasets import load_mpdta

    found = run(Setting(mpdta(), data=load_mpdta()))
    assert found.verdict == "does not hold"
    assert "Population" in found.finding
    assert found.numbers["columns"] == 2


def test_what_cannot_be_checked_says_so() -> None:
    data = panel()
    clustered = Setting(design(data, cluster="region"), data=data)
    with pytest.raises(DesignError, match="clusters by region"):
        run(clustered)
    result = design(data).check("overlap")["overlap"]
    assert result.verdict == "cannot tell"
    assert "data=data" in result.advice[0].code
    late = data[data["year"] >= 2016]
    kept = design(late, always_treated="keep")
    with pytest.raises(DesignError, match="No period lies before"):
        run(Setting(kept, data=late))


def test_the_figure_shows_the_largest_difference_first() -> None:
    figure = run(alone(many(shift=3.0))).draw()  # type: ignore[misc]
    assert figure.title == "Before adoption adopters differ from other councils in outcome before"
    labels = [text.get_text() for text in figure.axes.get_yticklabels()]
    assert labels[0] == "outcome before"
    assert "outcome before: " in figure.alt_text
    assert "Scores of adopters from" in figure.alt_text


def test_without_comparison_units_there_is_no_overlap() -> None:
    data = panel(units=24, adopters=24)
    with pytest.raises(DesignError, match="Every council adopts in the panel"):
        run(alone(data))
    result = design(data).check("overlap", data=data)["overlap"]
    assert result.verdict == "cannot tell"
    exec(result.advice[0].code, {"design": design(data)})


def test_advice_leaves_out_all_adopters_that_nobody_is_like_by_the_estimator_of_the_result() -> None:
    data = many()
    odd = [f"E{i:08d}" for i in range(16)]
    data = data.assign(cost=data["cost"] + 25 * data["ons_code"].isin(odd))
    given = setting(data, "imputation")
    found = run(given)
    n = int(found.numbers["adopters_off_support"] or 0)
    assert n > 12
    item = next(item for item in found.advice if "restrict" in item.code)
    assert item.code.startswith("fit.again(")
    assert f"{n} adopters" in item.text
    names = {"ci": ci, "np": np, "design": given.design, "fit": given.estimate, "data": data}
    kept = eval(item.code.removesuffix(".summary()"), names)
    assert kept.estimator == "imputation"
    assert kept.design.n_treated == 50 - n
    assert "ci.event_study(" in next(i.code for i in run(alone(data)).advice if "restrict" in i.code)
