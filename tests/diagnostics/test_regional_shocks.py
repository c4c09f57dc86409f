"""Regional shocks: regional means by loops, the estimate by changed outcomes, and what is left out."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest

import clsimpact as ci
from clsimpact.diagnostics import registry
from clsimpact.diagnostics._reassigned import board_of
from clsimpact.diagnostics._regional import net_of_region, relabelled, within_regions
from clsimpact.diagnostics.regional_shocks import FEWEST, region_years, run
from clsimpact.errors import DesignError
from tests.diagnostics.check_helpers import design, panel, setting, sound


@pytest.fixture(autouse=True)
def _own_checks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Run these checks only, whatever the others do."""
    names = ("overlap", "matching", "regional_shocks", "spill_overs")
    monkeypatch.setattr(registry, "_MODULES", names)
    registry.all_checks.cache_clear()
    yield
    registry.all_checks.cache_clear()


def placed(*, shock: float = 0.0, seed: int = 0, units: int = 100, adopters: int = 24) -> pd.DataFrame:
    """Three of four adopters are in region R0, which a shock hits from 2016 on."""
    data = panel(seed=seed, units=units, adopters=adopters)
    i = np.arange(units)
    region = np.where(i < adopters * 3 // 4, 0, i % 5)
    data["region"] = np.array([f"R{r}" for r in region]).repeat(10)
    return data.assign(cost=data["cost"] + shock * ((data["region"] == "R0") & (data["year"] >= 2016)))


def test_coefficients_by_hand() -> None:
    """Two regions; in the second nobody else is there, so that its adopter keeps its outcomes."""
    v = np.array([[-1.0, 1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, -1.0]])
    seen = np.ones((4, 2), dtype=bool)
    found = within_regions(seen, np.array([0, 1, 0, 0]), np.array([1, 1, 0, 0]), v)
    np.testing.assert_allclose(found, [[-1, 1], [-1, 1], [0.5, -0.5], [0.5, -0.5]])


def test_coefficients_are_those_of_a_loop_where_rows_are_missing() -> None:
    rng = np.random.default_rng(1)
    seen, v = rng.uniform(size=(20, 4)) < 0.8, rng.normal(size=(20, 4))
    v = np.where(seen, v, 0.0)
    regions, paths = rng.integers(-1, 3, 20), (rng.uniform(size=20) < 0.3).astype(int)
    y = np.where(seen, rng.normal(size=(20, 4)), 0.0)
    wanted = 0.0
    for i in range(20):
        for t in range(4):
            same = [j for j in range(20) if regions[j] == regions[i] >= 0 and not paths[j] and seen[j, t]]
            mean = np.mean([y[j, t] for j in same]) if same else 0.0
            wanted += v[i, t] * (y[i, t] - mean)
    assert (within_regions(seen, regions, paths, v) * y).sum() == pytest.approx(wanted)


def test_errors_do_not_hold_what_a_region_shares() -> None:
    """A shock of every unit of a region leaves them, and with them the other estimate, as they are."""
    rng = np.random.default_rng(2)
    seen, errors = rng.uniform(size=(20, 4)) < 0.8, rng.normal(size=(20, 4))
    errors = np.where(seen, errors, 0.0)
    regions, paths = rng.integers(0, 3, 20), (rng.uniform(size=20) < 0.3).astype(int)
    shocked = np.where(seen, errors + rng.normal(size=(3, 4))[regions], 0.0)
    found = [net_of_region(seen, regions, paths, part) for part in (errors, shocked)]
    np.testing.assert_allclose(found[0], found[1], atol=1e-12)


def test_errors_of_comparison_units_have_the_variance_that_the_mean_takes_out() -> None:
    """Residuals of four units net of their mean have 3/4 of the variance, which is put back."""
    errors = np.random.default_rng(0).normal(size=(4, 20000))
    found = net_of_region(np.ones((4, 20000), bool), np.zeros(4, int), np.zeros(4, int), errors)
    assert found.var() == pytest.approx(1.0, abs=0.02)  # four Monte Carlo errors


def test_p_value_and_interval_follow_from_exchanged_regions() -> None:
    from clsimpact.inference.blocks import blocks_of

    data = placed(shock=0.5)
    given = setting(data, "twfe")
    board = board_of(given.estimate)
    regions = data.drop_duplicates("ons_code")["region"].str[1:].astype(int).to_numpy()
    found = relabelled(board, regions, draws=59, seed=4, level=0.9)
    never = np.flatnonzero(board.paths == 0)
    v = given.estimate.fitted().influence.reshape(100, 10)
    rng, t = blocks_of(59, seed=4)[0].generator(), []
    for k in range(60):
        labels = regions.copy()
        if k:
            labels[never] = rng.permutation(regions[never])
        move, parts = 0.0, np.zeros(100)
        for r in range(5):
            mine = never[labels[never] == r]
            mean, total, n = board.errors[mine].mean(axis=0), v[labels == r].sum(axis=0), len(mine)
            move -= total @ mean
            parts[mine] -= ((board.errors[mine] - mean) * np.sqrt(n / (n - 1))) @ total / n
        t.append(abs(move) / np.sqrt((parts**2).sum()))
        if not k:
            first, error = move, np.sqrt((parts**2).sum())
    assert found.estimate == pytest.approx(first)
    assert found.p_value == (1 + np.sum(np.array(t[1:]) >= t[0])) / 60
    assert found.high - found.estimate == pytest.approx(np.sort(t[1:])[53] * error)


@pytest.mark.parametrize("estimator", ["twfe", "event_study", "group_time", "imputation"])
def test_it_is_the_estimate_of_outcomes_net_of_regional_means(estimator: str) -> None:
    data = placed(shock=1.0)
    given = setting(data, estimator)
    found = run(given)
    others = data[data["adoption_year"].isna()]
    means = others.groupby(["region", "year"])["cost"].mean().rename("mean").reset_index()
    net = data.merge(means, on=["region", "year"]).sort_values(["ons_code", "year"])
    changed = given.design.with_outcome((net["cost"] - net["mean"]).to_numpy())
    assert found.numbers["within_regions"] == pytest.approx(given.point(changed), rel=1e-8)
    assert found.numbers["estimate"] == pytest.approx(given.effect.estimate)


def test_a_shock_where_adopters_are_is_found() -> None:
    given = setting(placed(shock=1.5))
    found = run(given)
    assert found.verdict == "does not hold"
    assert found.finding.startswith("Adopters are in 5 regions of 5: R0 ")
    assert "moved differently" in found.finding
    assert abs(float(found.numbers["within_regions"])) < 0.5 * abs(given.effect.estimate)  # type: ignore[arg-type]
    sound(found, given)


def test_without_a_shock_it_is_quiet() -> None:
    given = setting(placed(), margin=5.0)
    found = run(given)
    assert found.verdict == "holds"
    assert not found.advice
    sound(found, given)
    alarms = sum(
        run(setting(placed(seed=seed), "twfe", draws=99)).verdict == "does not hold" for seed in range(20)
    )
    assert alarms <= 4  # 1 expected; 5 or more have a probability of less than 1%


def test_a_shock_elsewhere_is_no_fault() -> None:
    """Adopters are spread evenly: what happens to a region happens to both sides."""
    data = panel(units=100, adopters=25)
    data = data.assign(cost=data["cost"] + 2.0 * ((data["region"] == "Region 1") & (data["year"] >= 2016)))
    assert run(setting(data)).verdict != "does not hold"


def test_adopters_without_comparison_in_their_region_are_left_out_and_named() -> None:
    data = placed()
    lonely = ["E00000000", "E00000001"]
    data["region"] = data["region"].where(~data["ons_code"].isin(lonely), "Island")
    given = setting(data)
    found = run(given)
    assert found.numbers["adopters_left_out"] == 2
    assert "too few to compare with: Council 0 (E00000000), Council 1 (E00000001)" in found.finding
    assert found.verdict != "holds"
    left = given.design.restrict(~np.isin(given.design.unit_codes, [0, 1]), reason="test")
    assert found.numbers["estimate"] == pytest.approx(given.point(left))
    assert FEWEST == 2
    sound(found, given)


def test_table_counts_each_region() -> None:
    data = placed()
    table = run(setting(data)).table
    assert table is not None
    units = data.drop_duplicates("ons_code")
    for row in table.itertuples():
        mine = units[units["region"] == row.region]
        assert row.adopters == mine["adoption_year"].notna().sum()
        assert row.comparison == mine["adoption_year"].isna().sum()


def test_region_by_year_covariates_hold_the_roles_of_the_design() -> None:
    data = placed(shock=1.5)
    made = design(data)
    wider = region_years(made, data)
    assert len(wider.covariates) == 4 * 9
    fit = ci.twfe(wider, inference="CR0")
    treated = (data["year"] >= data["adoption_year"]).to_numpy(dtype=float)
    dummies = pd.get_dummies(data["ons_code"], dtype=float).to_numpy()
    cells = pd.get_dummies(data["region"] + data["year"].astype(str), dtype=float).to_numpy()
    x = np.column_stack([treated, dummies, cells])
    wanted = np.linalg.lstsq(x, data["cost"].to_numpy(), rcond=None)[0][0]
    assert float(fit.estimates[0]) == pytest.approx(wanted, rel=1e-7)


def test_what_cannot_be_checked_says_so() -> None:
    data = placed().drop(columns="region")
    bare = run(setting(data))
    assert bare.verdict == "cannot tell"
    sound(bare, setting(data))
    named = placed().rename(columns={"region": "county"})
    named.attrs["region"] = "county"
    assert run(setting(named)).numbers["regions"] == 5
    with pytest.raises(DesignError, match="one region only"):
        run(setting(placed().assign(region="R")))
    heavy = placed().assign(w=1.0)
    fit = ci.twfe(design(heavy, weights="w"))
    result = fit.check("regional_shocks", data=heavy)["regional_shocks"]
    assert result.verdict == "cannot tell"
    assert result.advice


def test_missing_regions_keep_their_outcomes() -> None:
    data = placed()
    data["region"] = data["region"].where(data["ons_code"] != "E00000099")
    found = run(setting(data))
    assert found.table is not None
    assert found.table[["adopters", "comparison"]].to_numpy().sum() == 99


def test_the_figure_says_what_moves() -> None:
    figure = run(setting(placed(shock=1.5))).draw()  # type: ignore[misc]
    assert figure.title == "The estimate moves when adopters are compared within their region"
    assert "within regions: " in figure.alt_text


def test_a_certain_change_within_the_margin_holds() -> None:
    data = placed(shock=1.5)
    found = run(setting(data))
    assert found.verdict == "does not hold"
    wide = setting(data, margin=20.0)
    held = run(wide)
    assert float(held.numbers["p_value"] or 1) < 0.05
    assert held.verdict == "holds"
    assert "lies within the margin of 20: too small to matter" in held.finding
    assert "less than what matters" in held.draw().title  # type: ignore[misc]
    sound(held, wide)


def test_adopters_that_share_no_region_with_others() -> None:
    """Regions adopt whole, as states do."""
    data = placed()
    data["region"] = np.where(data["adoption_year"].notna(), "A", "B")
    with pytest.raises(DesignError, match="No adopter has 2 comparison councils in its own region"):
        run(setting(data))
    with pytest.raises(DesignError, match="names no region of any council"):
        run(setting(data.assign(region=None)))


def test_advice_keeps_the_estimator() -> None:
    given = setting(placed(shock=1.5), "group_time")
    assert run(given).advice[0].code.startswith("fit.again(design.restrict(")
