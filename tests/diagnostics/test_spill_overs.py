"""Spill-overs: neighbours by hand, effects by designs made by hand, the dose by a regression with dummies."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest

import clsimpact as ci
from clsimpact.diagnostics import registry
from clsimpact.diagnostics._near_adopters import adjacency, exposure, net, slope_of
from clsimpact.diagnostics._reassigned import board_of
from clsimpact.diagnostics.setting import Setting
from clsimpact.diagnostics.spill_overs import FEWEST, run
from clsimpact.errors import DesignError
from tests.diagnostics.check_helpers import design, panel, setting, sound
from tests.estimation_helpers import EXACT


@pytest.fixture(autouse=True)
def _own_checks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Run these checks only, whatever the others do."""
    names = ("overlap", "matching", "regional_shocks", "spill_overs")
    monkeypatch.setattr(registry, "_MODULES", names)
    registry.all_checks.cache_clear()
    yield
    registry.all_checks.cache_clear()


def pairs(units: int = 100, adopters: int = 20, each: int = 1) -> pd.DataFrame:
    """Adopter i adjoins units 20 + each * i and the next ones."""
    rows = [(i, adopters + each * i + k) for i in range(adopters) for k in range(each)]
    return pd.DataFrame([(f"E{a:08d}", f"E{b:08d}") for a, b in rows if b < units], columns=["one", "other"])


def spilling(size: float, *, seed: int = 0) -> pd.DataFrame:
    """A panel of 100 units and 20 adopters, whose neighbours (`pairs`) respond from the adoption on."""
    data = panel(seed=seed, units=100, adopters=20)
    dates = data.drop_duplicates("ons_code").set_index("ons_code")["adoption_year"]
    near = pairs().assign(date=lambda d: d["one"].map(dates)).set_index("other")["date"]
    after = data["year"] >= data["ons_code"].map(near)
    return data.assign(cost=data["cost"] + size * after)


def sharing(size: float, *, seed: int = 0) -> pd.DataFrame:
    """Units that do not adopt respond to the share of their region that has; regions differ in adopters."""
    data = panel(seed=seed, units=100, adopters=20)
    i = np.arange(100)
    region = np.where(i < 12, 0, np.where(i < 18, 1, np.where(i < 20, 2, i % 5)))
    data["region"] = np.array([f"R{r}" for r in region]).repeat(10)
    share = (data["year"] >= data["adoption_year"]).groupby([data["region"], data["year"]]).transform("mean")
    return data.assign(cost=data["cost"] + size * share * data["adoption_year"].isna())


def test_neighbours_are_neighbours_in_both_directions() -> None:
    made = design(panel(units=20, adopters=4))
    given = pd.DataFrame(
        {"a": ["E00000000", "E00000005", "nowhere"], "b": ["E00000003", "E00000005", "E00000001"]}
    )
    found = adjacency(made, given)
    assert found.sum() == 2
    assert found[0, 3]
    assert found[3, 0]
    numbers = panel(units=20, adopters=4).assign(ons_code=lambda d: d["ons_code"].str[1:].astype(int))
    assert adjacency(design(numbers), pd.DataFrame({"a": [1], "b": [2]})).sum() == 2


def test_exposure_is_the_share_of_the_region() -> None:
    treated = np.array([[0, 1, 1], [0, 0, 1], [0, 0, 0], [1, 1, 1]], dtype=bool)
    found = exposure(np.array([0, 0, 0, -1]), treated)
    np.testing.assert_allclose(found[:3], [[0, 1 / 3, 2 / 3]] * 3)
    assert not found[3].any()


def test_net_is_a_regression_on_dummies() -> None:
    rng = np.random.default_rng(0)
    rows = rng.uniform(size=(12, 5)) < 0.7
    values = rng.normal(size=(12, 5))
    unit, period = np.nonzero(rows)
    dummies = np.hstack([unit[:, None] == np.arange(12), period[:, None] == np.arange(5)]).astype(float)
    y = values[rows]
    wanted = y - dummies @ np.linalg.lstsq(dummies, y, rcond=None)[0]
    found = net(values, rows)
    np.testing.assert_allclose(found[rows], wanted, atol=1e-12)
    assert not found[~rows].any()


def test_the_dose_is_that_of_dummies_on_those_who_never_adopt() -> None:
    data = sharing(-3.0)
    found = run(setting(data))
    share = (data["year"] >= data["adoption_year"]).groupby([data["region"], data["year"]]).transform("mean")
    never = data.assign(share=share)[data["adoption_year"].isna()]
    dummies = pd.get_dummies(never[["ons_code", "year"]].astype(str), dtype=float).to_numpy()
    x = np.column_stack([never["share"].to_numpy(dtype=float), dummies])
    b = np.linalg.lstsq(x, never["cost"].to_numpy(), rcond=None)[0][0]
    typical = never.loc[never["share"] > 0, "share"].mean()
    assert found.numbers["typical_exposure"] == pytest.approx(typical)
    assert found.numbers["spill_over"] == pytest.approx(b * typical, rel=1e-8)


def test_p_value_and_interval_of_the_dose_follow_from_the_draws() -> None:
    from clsimpact.inference.blocks import blocks_of

    data = sharing(-1.0)
    given = setting(data, "twfe")
    board = board_of(given.estimate)
    regions = data.drop_duplicates("ons_code")["region"].str[1:].astype(int).to_numpy()
    starts = np.append(np.inf, sorted(given.design.cohort_sizes))
    on = np.array(given.design.periods)[None] >= starts[:, None]
    y = given.design.y.reshape(100, 10)
    found = slope_of(board, y, regions, on, draws=59, seed=2, level=0.9)
    scores = []
    for paths in [board.paths, *board.assignments.draw(blocks_of(59, seed=2)[0])]:
        never = np.asarray(paths) == 0
        rows = np.repeat(never[:, None], 10, axis=1)
        dose = np.array([[np.mean(on[paths[regions == r], t]) for t in range(10)] for r in regions])
        x = net(dose, rows)[rows]
        outcome = (y if not scores else board.errors)[rows]
        scores.append(abs(x @ outcome) / np.sqrt(x @ x))
        if len(scores) == 1:
            first, width = x @ outcome / (x @ x), np.sqrt(x @ x)
    assert found.estimate == pytest.approx(first)
    assert found.p_value == (1 + np.sum(np.array(scores[1:]) >= scores[0])) / 60
    assert found.high - found.estimate == pytest.approx(np.sort(scores[1:])[53] / width)


@pytest.mark.parametrize("estimator", ["twfe", "group_time"])
def test_effect_on_neighbours_is_that_of_a_design_made_by_hand(estimator: str) -> None:
    data = spilling(-1.0)
    given = setting(data, estimator, neighbours=pairs())
    found = run(given)
    dates = data.drop_duplicates("ons_code").set_index("ons_code")["adoption_year"]
    near = pairs().assign(date=lambda d: d["one"].map(dates)).set_index("other")["date"]
    rest = data[data["adoption_year"].isna()]
    rest = rest.assign(adoption_year=rest["ons_code"].map(near))
    wanted = getattr(ci, estimator)(design(rest)).with_inference("auto", draws=999, seed=0).overall.iloc[0]
    assert found.numbers["spill_over"] == pytest.approx(wanted["estimate"])
    assert found.numbers["p_value"] == pytest.approx(wanted["p_value"])
    assert found.numbers["comparison_units_near"] == 20
    away = data[~data["ons_code"].isin(near.index)]
    plain = getattr(ci, estimator)(design(away)).overall["estimate"].iloc[0]
    assert found.numbers["estimate_without_near"] == pytest.approx(plain)


def test_a_neighbour_of_two_adopters_has_the_earlier_date() -> None:
    data = panel(units=60, adopters=8)
    both = pd.DataFrame(
        {"a": ["E00000003"] * 10 + ["E00000000"] * 10, "b": [f"E{i:08d}" for i in range(10, 20)] * 2}
    )
    given = setting(data, "twfe", neighbours=both)
    found = run(given)
    rest = data[data["adoption_year"].isna()]
    near = rest["ons_code"].isin(both["b"])
    rest = rest.assign(adoption_year=np.where(near, 2016.0, np.nan))
    assert found.numbers["spill_over"] == pytest.approx(float(ci.twfe(design(rest)).estimates[0]))


def test_the_pull_is_what_a_spill_over_adds_to_the_estimate() -> None:
    plain, moved = spilling(0.0), spilling(-2.0)
    found = run(setting(plain, neighbours=pairs()))
    gap = setting(moved).effect.estimate - setting(plain).effect.estimate
    assert found.numbers["pull_of_one"] == pytest.approx(gap / -2.0, rel=1e-8)
    low, high = (abs(float(found.numbers[f"spill_over_{end}"])) for end in ("low", "high"))  # type: ignore[arg-type]
    assert found.numbers["largest_change"] == pytest.approx(abs(gap / -2.0) * max(low, high), rel=1e-8)


def test_pull_of_the_dose_is_what_it_adds() -> None:
    found = run(setting(sharing(0.0)))
    gap = setting(sharing(-4.0)).effect.estimate - setting(sharing(0.0)).effect.estimate
    typical = float(found.numbers["typical_exposure"])  # type: ignore[arg-type]
    assert found.numbers["pull_of_one"] == pytest.approx(gap / (-4.0 * typical), rel=1e-8)


def test_neighbours_that_respond_are_found_and_others_are_not() -> None:
    given = setting(spilling(-2.0), neighbours=pairs())
    found = run(given)
    assert found.verdict == "does not hold"
    assert found.finding.startswith("20 of 80 comparison councils adjoin an adopter.")
    sound(found, given)
    clean = setting(spilling(0.0), neighbours=pairs())
    calm = run(clean)
    assert calm.verdict == "holds"
    assert not calm.advice
    sound(calm, clean)


def test_regions_that_respond_are_found_and_others_are_not() -> None:
    given = setting(sharing(-6.0))
    found = run(given)
    assert found.verdict == "does not hold"
    assert "a shock to these regions would look the same" in found.finding
    sound(found, given)
    clean = setting(sharing(0.0), margin=5.0)
    assert run(clean).verdict == "holds"


def test_false_alarms_are_rare() -> None:
    by_region = sum(
        run(setting(sharing(0.0, seed=seed), "twfe", draws=99)).verdict == "does not hold"
        for seed in range(20)
    )
    by_pair = sum(
        run(setting(spilling(0.0, seed=seed), "twfe", draws=99, neighbours=pairs())).verdict
        == "does not hold"
        for seed in range(20)
    )
    assert by_region <= 4  # 1 expected; 5 or more have a probability of less than 1%
    assert by_pair <= 4


def test_where_nearly_all_are_neighbours_nothing_can_be_told() -> None:
    near = pairs(each=4)
    assert len(near) == 80
    given = setting(panel(units=100, adopters=20), neighbours=near.iloc[: 80 - FEWEST + 1])
    found = run(given)
    assert found.verdict == "cannot tell"
    assert "4 comparison councils away from adopters no effect on neighbours can be judged" in found.finding
    assert found.numbers["comparison_units_away"] == FEWEST - 1
    sound(found, given)


def test_a_tight_margin_is_not_met() -> None:
    given = setting(spilling(0.0), neighbours=pairs(), margin=1e-6)
    found = run(given)
    assert found.verdict == "cannot tell"
    assert "more than the margin" in found.finding


def test_what_cannot_be_checked_says_so() -> None:
    data = panel().drop(columns="region")
    bare = setting(data)
    nothing = run(Setting(bare.design, bare.fit))
    assert nothing.verdict == "cannot tell"
    sound(nothing, Setting(bare.design, bare.fit))
    for wrong, words in (
        (pd.DataFrame({"a": ["E00000001"]}), "no table of pairs"),
        (pd.DataFrame({"a": ["x"], "b": ["y"]}), "No pair of neighbours"),
        (pd.DataFrame({"a": ["E00000050"], "b": ["E00000051"]}), "adjoins an adopter"),
    ):
        with pytest.raises(DesignError, match=words):
            run(setting(panel(), neighbours=wrong))
    alike = panel(units=100, adopters=20)
    alike["region"] = "R"
    with pytest.raises(DesignError, match="the same for all units that do not adopt"):
        run(setting(alike))


def test_table_and_figure_show_the_three_effects() -> None:
    found = run(setting(spilling(-2.0), neighbours=pairs()))
    assert found.table is not None
    assert found.table["units"].tolist() == [100, 80, 80]
    assert found.table["estimate"].iloc[2] == pytest.approx(found.numbers["spill_over"], rel=EXACT)
    figure = found.draw()  # type: ignore[misc]
    assert figure.title == "Councils near adopters changed too"
    assert "on other councils near adopters: " in figure.alt_text


def test_regions_that_nobody_has_or_that_adopt_whole() -> None:
    data = panel(units=100, adopters=20)
    with pytest.raises(DesignError, match="names no region of any council"):
        run(setting(data.assign(region=None)))
    whole = data.assign(region=np.where(data["adoption_year"].notna(), "A", "B"))
    with pytest.raises(DesignError, match="shares a region with an adopter: nobody is exposed"):
        run(setting(whole))


def test_certain_spill_overs_within_the_margin_hold() -> None:
    given = setting(spilling(-2.0), neighbours=pairs(), margin=10.0)
    found = run(given)
    assert float(found.numbers["p_value"] or 1) < 0.05
    assert found.verdict == "holds"
    assert "within the margin of 10, too small to matter" in found.finding
    sound(found, given)


def test_advice_keeps_the_estimator() -> None:
    given = setting(spilling(-2.0), "group_time", neighbours=pairs())
    assert run(given).advice[1].code.startswith("fit.again(design.restrict(")
