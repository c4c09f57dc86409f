"""Re-assigned adoption against brute force: every re-assigned panel is estimated again, publicly."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest

from clsimpact._forms import forms_of
from clsimpact.datasets import example_design
from clsimpact.design import Design
from clsimpact.errors import DesignError
from clsimpact.estimators import event_study, twfe
from clsimpact.estimators.group_time import group_time
from clsimpact.estimators.imputation import imputation
from clsimpact.estimators.stacked import stacked
from clsimpact.inference import Assignments, Permutation, permute_wald
from clsimpact.inference.blocks import Block
from clsimpact.inference.linear import moments_of, products
from clsimpact.inference.randomisation import assigned_moments
from tests.estimation_helpers import EXACT, council_design, made_up
from tests.inference.test_linear import unbalanced

BRUTE = 24
"""Re-assigned panels that are estimated again."""

AGAIN = 1e-9
"""Relative: statistics of about one from a refit and from sums over types (1e-12 seen)."""

MANY = 9999
"""Draws against the reference values of 50,000 draws."""

ESTIMATORS: dict[str, tuple[Callable[..., Any], str]] = {
    "twfe": (twfe, "CR2"),
    "event_study": (event_study, "CR2"),
    "group_time": (group_time, "path"),
    "imputation": (imputation, "path"),
    "stacked": (stacked, "path"),
}
"""Estimators and the covariance of a refit that the re-assigned statistics have."""


@pytest.fixture(scope="module")
def designs() -> dict[str, Design]:
    return {"balanced": council_design(made_up(n_units=24)), "unbalanced": council_design(unbalanced(40))}


def monte_carlo(p: float) -> float:
    """Four standard errors of the difference of a share of our draws and of the 50,000 of the reference."""
    return float(4 * np.sqrt(p * (1 - p) * (1 / MANY + 1 / 50_000)))


def paths(fit: Any, ways: Assignments, seed: int = 5) -> np.ndarray:
    """Cohorts of the units (B, N) in the re-assignments that the library draws."""
    design = fit.design
    cohorts = np.append(np.nan, np.unique(design.unit_cohorts[design.in_window]))
    return cohorts[ways.draw(Block(seed, 0, BRUTE))]


def rows_of(fit: Any, laid: np.ndarray) -> np.ndarray:
    return laid[fit.design.unit_codes, fit.design.time_codes]


def residuals(fit: Any) -> np.ndarray:
    """Residuals of the working regression by row: outcomes without the path of effects."""
    forms = forms_of(fit)
    return rows_of(fit, forms.by_type.residuals(forms.outcomes, forms.types))


def refits(estimator: Callable[..., Any], kind: str, design: Design, cohorts: np.ndarray) -> np.ndarray:
    """Statistics of the terms and the overall effect in every re-assigned panel (B, p), one fit each."""
    out = []
    for given in cohorts:
        fit = estimator(design.with_cohorts(given), inference="CR0").with_inference(kind)
        parts = (fit,) if fit.total is None else (fit, fit.total)
        with np.errstate(invalid="ignore"):
            out.append(np.concatenate([p.estimates / np.sqrt(np.diag(p.vcov.matrix)) for p in parts]))
    return np.array(out)


def same_statistics(found: np.ndarray, brute: np.ndarray) -> None:
    used = np.isfinite(brute).all(axis=0)
    assert used.any()
    np.testing.assert_allclose(found[:, used], brute[:, used], rtol=AGAIN, atol=AGAIN)


def counted(observed: np.ndarray, draws: np.ndarray) -> list[float]:
    """(1 + how many are as large) / (1 + how many there are)."""
    return [
        (1 + int((np.abs(d) >= abs(t)).sum())) / (1 + len(d)) for t, d in zip(observed, draws.T, strict=True)
    ]


@pytest.mark.parametrize("panel", ["balanced", "unbalanced"])
@pytest.mark.parametrize("name", ESTIMATORS)
def test_brute_force(name: str, panel: str, designs: dict[str, Design]) -> None:
    estimator, kind = ESTIMATORS[name]
    fit = estimator(designs[panel], inference="CR0").with_inference("permutation", draws=BRUTE, seed=5)
    forms = forms_of(fit)
    ways = Assignments(forms.paths, forms.patterns)
    assert (forms.patterns.max() > 0) == (panel == "unbalanced")
    clean = fit.design.with_outcome(residuals(fit))
    brute = refits(estimator, kind, clean, paths(fit, ways))
    found = fit.procedure.run.numbers()
    assert (found.enumerated, found.lines, found.count) == (False, (), ways.count)
    same_statistics(found.statistics, brute)
    tidy = fit.tidy()
    shown = tidy["p_value"].notna().to_numpy()
    assert shown.any()
    statistic = tidy["statistic"].to_numpy(float)
    expected = counted(statistic[shown], brute[:, : len(tidy)][:, shown])
    assert tidy["p_value"][shown].tolist() == expected
    plain = estimator(fit.design, inference=kind if kind == "CR2" else "path").tidy()
    np.testing.assert_allclose(tidy["statistic"][shown], plain["statistic"][shown], rtol=AGAIN)


def test_the_interval_is_the_critical_value_times_the_error(designs: dict[str, Design]) -> None:
    """Of 39 draws at 95% the interval reaches as far as the second largest: 2/40 are not below 5%."""
    fit = twfe(designs["balanced"]).with_inference("permutation", draws=39, seed=2)
    row = fit.tidy().iloc[0]
    largest = np.sort(np.abs(fit.procedure.run.numbers().statistics[:, 0]))[::-1]
    margin = largest[1] * row["std_error"]
    assert row["conf_low"] == pytest.approx(row["estimate"] - margin, abs=EXACT)
    assert row["conf_high"] == pytest.approx(row["estimate"] + margin, abs=EXACT)


@pytest.mark.parametrize("panel", ["balanced", "unbalanced"])
@pytest.mark.parametrize("effect", [0.0, -2.5, -4.5])
def test_brute_force_with_each_hypothesis_imposed(
    panel: str, effect: float, designs: dict[str, Design]
) -> None:
    """Outcomes without an effect of the stated size are re-assigned as they are."""
    design = designs[panel]
    fit = twfe(design, inference="CR2").with_inference(Permutation(impose_null=True), draws=BRUTE, seed=5)
    forms = forms_of(fit)
    cohorts = paths(fit, Assignments(forms.paths, forms.patterns))
    brute = refits(twfe, "CR2", design.with_outcome(design.y - effect * design.treated), cohorts)
    drawn = fit.procedure.run.numbers()
    away = float((drawn.estimates[0] - effect) / drawn.errors[0])
    same_statistics(drawn.lines[0].at(away)[:, None], brute)
    assert drawn.lines[0].p_value(away) == counted(np.array([away]), brute)[0]
    if effect == 0:
        same_statistics(drawn.statistics, brute)
        assert fit.tidy()["p_value"].tolist() == [drawn.lines[0].p_value(away)]


@pytest.mark.parametrize("impose_null", [False, True])
def test_brute_force_of_the_coefficient(impose_null: bool, designs: dict[str, Design]) -> None:
    design = designs["unbalanced"]
    method = Permutation(statistic="coefficient", impose_null=impose_null)
    fit = twfe(design, inference="CR2").with_inference(method, draws=BRUTE, seed=5)
    forms = forms_of(fit)
    clean = design if impose_null else design.with_outcome(residuals(fit))
    cohorts = paths(fit, Assignments(forms.paths, forms.patterns))
    brute = np.array([twfe(clean.with_cohorts(given), inference="CR0").estimates for given in cohorts])
    same_statistics(fit.procedure.run.numbers().statistics, brute)
    assert fit.tidy()["p_value"].tolist() == counted(fit.estimates, brute)


@pytest.mark.parametrize("who", ["units", "dates"])
def test_brute_force_in_strata_and_of_dates(who: str, designs: dict[str, Design]) -> None:
    design = designs["balanced"]
    region = {unit: int(unit[1:]) % 3 for unit in design.units}
    method = Permutation(who=who, strata=region)
    fit = event_study(design, inference="CR2").with_inference(method, draws=BRUTE, seed=5)
    forms = forms_of(fit)
    strata = np.array([region[unit] for unit in design.units])
    ways = Assignments(forms.paths, strata, who == "dates")
    cohorts = paths(fit, ways)
    if who == "dates":
        assert (np.isnan(cohorts) == np.isnan(design.unit_cohorts)).all()
    brute = refits(event_study, "CR2", design.with_outcome(residuals(fit)), cohorts)
    same_statistics(fit.procedure.run.numbers().statistics, brute)
    assert fit.procedure.run.numbers().count == ways.count


def six_units(changes: list[float]) -> Design:
    """Two periods; the first two of six units adopt in the second."""
    rows = [
        (f"U{i}", t, 2.0 if i < 2 else np.nan, 10.0 * i + t * change)
        for i, change in enumerate(changes)
        for t in (1, 2)
    ]
    frame = pd.DataFrame(rows, columns=["unit", "time", "cohort", "y"])
    return Design(frame, outcome="y", unit="unit", time="time", cohort="cohort")


CHANGES = [7.0, 4.0, 1.0, 0.0, 5.0, 2.0]


def welch(changes: np.ndarray, adopters: tuple[int, ...]) -> tuple[float, float]:
    """Difference of means and its CR2 error: the variance of each mean by its own group."""
    inside = np.isin(np.arange(changes.size), adopters)
    a, b = changes[inside], changes[~inside]
    return a.mean() - b.mean(), float(np.sqrt(a.var(ddof=1) / a.size + b.var(ddof=1) / b.size))


def test_enumeration_of_the_coefficient_by_hand() -> None:
    """Of fifteen pairs {7, 4} has 5.5 - 2 = 3.5; {7, 5} has more (4.25) and {1, 0} is as far below (-4)."""
    fit = twfe(six_units(CHANGES), inference="CR1")
    found = fit.with_inference(Permutation(statistic="coefficient", impose_null=True), draws=99)
    drawn = found.procedure.run.numbers()
    assert (drawn.enumerated, drawn.count) == (True, 15)
    every = [welch(np.array(CHANGES), pair)[0] for pair in itertools.combinations(range(6), 2)]
    assert sorted(drawn.statistics[:, 0].round(9)) == sorted(np.round(every, 9))
    assert found.tidy()["p_value"].item() == 3 / 15


def test_enumeration_of_t_by_count() -> None:
    fit = twfe(six_units(CHANGES), inference="CR1")
    found = fit.with_inference(Permutation(impose_null=True), draws=99)
    pairs = [welch(np.array(CHANGES), pair) for pair in itertools.combinations(range(6), 2)]
    every = [difference / error for difference, error in pairs]
    assert sorted(found.procedure.run.numbers().statistics[:, 0].round(9)) == sorted(np.round(every, 9))
    observed = every[0]
    assert found.tidy()["statistic"].item() == pytest.approx(observed, rel=AGAIN)
    at_least = sum(abs(t) >= abs(observed) * (1 - AGAIN) for t in every)
    assert found.tidy()["p_value"].item() == at_least / 15
    more = fit.with_inference(Permutation(impose_null=True), draws=2500)
    assert len(more.procedure.run.numbers().statistics) == 15


@pytest.mark.parametrize("statistic", ["t", "coefficient"])
def test_fifteen_assignments_cannot_reject_at_five_per_cent(statistic: str) -> None:
    """The observed one is always among them: 1/15 is more than 5%, so that nothing is ruled out."""
    fit = twfe(six_units(CHANGES), inference="CR1")
    row = fit.with_inference(Permutation(statistic=statistic, impose_null=True), draws=99).tidy().iloc[0]
    assert (row["conf_low"], row["conf_high"]) == (-np.inf, np.inf)


@pytest.mark.parametrize("level", [0.8, 0.9, 0.95])
@pytest.mark.parametrize("draws", [99, 5000])
def test_the_interval_holds_the_hypotheses_that_are_not_rejected(level: float, draws: int) -> None:
    """With 286 assignments (three of thirteen adopt): all of them, and draws of them."""
    rng = np.random.default_rng(8)
    panel = made_up(n_units=16, years=(2015, 2016, 2018), seed=4)
    lone = panel["ons_code"].isin(["E000", "E001", "E008"]) | panel["adoption_year"].isna()
    panel = panel[lone].assign(
        adoption_year=lambda f: f["adoption_year"].where(f["adoption_year"].isna(), 2016)
    )
    panel["cost"] += rng.normal(size=len(panel))
    fit = twfe(council_design(panel), inference="CR2")
    found = fit.with_inference(Permutation(impose_null=True), draws=draws, level=level, seed=1)
    drawn = found.procedure.run.numbers()
    assert (drawn.count, drawn.enumerated) == (286, draws > 286)
    alpha = (1 - level) * (1 + EXACT)
    row = found.tidy().iloc[0]
    line = drawn.lines[0]
    ends = [(row["estimate"] - row[name]) / row["std_error"] for name in ("conf_high", "conf_low")]
    for end, side in zip(ends, (-1, 1), strict=True):
        assert np.isfinite(end)
        assert line.p_value(end - side * STEP) > alpha
        assert line.p_value(end + side * STEP) <= alpha
    inside = np.linspace(ends[0] + STEP, ends[1] - STEP, 41)
    assert min(line.p_value(away) for away in inside) > alpha


STEP = 1e-6
"""A little beside an end, in standard errors: ends are found to 1e-9."""


def test_reference_values_of_the_static_coefficient() -> None:
    """Two-way fixed effects of mpdta: numpy with 50,000 re-assignments (shared/reference/estimators.md)."""
    fit = twfe(example_design(), inference="CR2")
    for statistic, p in (("coefficient", 0.01490), ("t", 0.00656)):
        method = Permutation(statistic=statistic, impose_null=True)
        ours = fit.with_inference(method, draws=MANY, seed=1).tidy()["p_value"].item()
        assert abs(ours - p) < monte_carlo(p)


def test_reference_values_of_the_joint_test_of_three_leads() -> None:
    """Wald 4.895 with permutation p 0.185, sup-t 0.180, of the same source."""
    fit = event_study(example_design(), inference="CR2").with_inference("permutation", draws=MANY, seed=1)
    wald = fit.joint_test("before", statistic="wald").iloc[0]
    assert wald["n_terms"] == 3
    assert wald["statistic"] == pytest.approx(4.895, abs=0.0005)
    assert abs(wald["p_value"] - 0.185) < monte_carlo(0.185)
    assert abs(fit.joint_test("before", statistic="sup_t")["p_value"].item() - 0.180) < monte_carlo(0.180)


@pytest.mark.parametrize("impose_null", [False, True])
def test_brute_force_of_the_joint_statistic(impose_null: bool, designs: dict[str, Design]) -> None:
    design = designs["unbalanced"]
    fit = event_study(design, inference="CR2")
    leads = [i for i, t in enumerate(fit.terms) if t.event_time < -1 and fit.identified[i]]
    assert len(leads) == 3
    forms = forms_of(fit)
    ways = Assignments(forms.paths, forms.patterns)
    pick = np.eye(len(fit.terms))[:, leads]
    statistic, found, every = permute_wald(
        forms.by_type.combine(pick),
        forms.outcomes,
        ways,
        forms.patterns,
        draws=BRUTE,
        seed=5,
        impose_null=impose_null,
    )
    clean = design if impose_null else design.with_outcome(residuals(fit))
    brute = []
    for given in paths(fit, ways):
        again = event_study(clean.with_cohorts(given), inference="CR2")
        b, v = again.estimates[leads], again.vcov.matrix[np.ix_(leads, leads)]
        brute.append(float(b @ np.linalg.solve(v, b)))
    assert not every
    np.testing.assert_allclose(found, brute, rtol=JOINT)
    usual = permute_wald(
        forms.by_type.combine(pick), forms.outcomes, ways, forms.patterns, draws=BRUTE, seed=5
    )
    assert np.array_equal(usual[1], found) != impose_null  # effects are taken out unless asked
    b, v = fit.estimates[leads], fit.vcov.matrix[np.ix_(leads, leads)]
    assert statistic == pytest.approx(float(b @ np.linalg.solve(v, b)), rel=JOINT)


JOINT = 1e-7
"""Relative: a 3 x 3 covariance from sums of squares is inverted, against one from scores (1e-10 seen)."""


def test_moments_of_assignments_are_the_plain_sums(designs: dict[str, Design]) -> None:
    forms = forms_of(twfe(designs["unbalanced"], inference="CR0"))
    ways = Assignments(forms.paths, forms.patterns)
    drawn = ways.draw(Block(2, 0, BRUTE))
    keys = sorted({(int(p), int(k)) for p, k in zip(forms.paths, forms.patterns, strict=True)})
    lookup = np.full((forms.paths.max() + 1, forms.patterns.max() + 1), -1)
    for number, key in enumerate(keys):
        lookup[key] = number
    fast = assigned_moments(products(forms.outcomes), drawn, forms.patterns, lookup, len(keys))
    plain = moments_of(forms.outcomes, lookup[drawn, forms.patterns], len(keys))
    size = (np.abs(forms.outcomes) ** 2).sum()
    np.testing.assert_allclose(fast.sums, plain.sums, rtol=0, atol=EXACT * size)
    np.testing.assert_allclose(fast.squares, plain.squares, rtol=0, atol=EXACT * size)


def test_shuffled_labels_scale_and_unit_constants_change_no_p_value(designs: dict[str, Design]) -> None:
    design = designs["balanced"]
    ask = partial(_p_values, seed=9)
    before = ask(design)
    constants = np.random.default_rng(1).normal(0, 50, size=len(design.units))[design.unit_codes]
    years = np.random.default_rng(2).normal(0, 50, size=len(design.periods))[design.time_codes]
    assert ask(design.with_outcome(-7 * design.y + constants + years)) == before
    assert _p_values(design, seed=10) != before


def _p_values(design: Design, *, seed: int) -> list[float]:
    fit = imputation(design, inference="CR0").with_inference("permutation", draws=199, seed=seed)
    return fit.tidy()["p_value"].dropna().tolist()


@pytest.mark.parametrize(
    ("method", "words"),
    [
        (Permutation(strata={"E000": 1}), "Units have no stratum"),
        (Permutation(strata={f"E{i:03d}": i for i in range(24)}), "Re-assignment moves 0 adopters"),
        (Permutation(refit=True, impose_null=True), "refit=True takes effects out"),
    ],
)
def test_bad_input(method: Permutation, words: str, designs: dict[str, Design]) -> None:
    with pytest.raises(DesignError, match=words):
        twfe(designs["balanced"], inference="CR2").with_inference(method, draws=99)
