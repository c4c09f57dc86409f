"""Few treated units: by hand, by enumeration, by dense matrices, and the size of the tests."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import numpy as np
import pytest
from scipy.optimize import nnls

from clsimpact.errors import DesignError
from clsimpact.estimators import twfe
from clsimpact.inference import satterthwaite
from clsimpact.inference.few_treated import FewTreated, conley_taber, ferman_pinto
from clsimpact.inference.random_effects import imbens_kolesar
from tests.estimation_helpers import EXACT, council_design, made_up

DENSE = 1e-10
"""Products of dense matrices of 60 rows against sums over clusters, relative."""

STEP = 1e-6
"""A little beside an end of an interval: far below the gaps between placebo estimates here."""

REPLICATIONS = 300
"""Simulated panels: a share of 5% has a standard error of 1.3 points."""

NOISE = 4 * (0.05 * 0.95 / REPLICATIONS) ** 0.5
"""Four of those standard errors."""

YEARS = np.array([-1.0, -1, -1, 1, 1, 1]) / 3
"""Weights of a treated unit: the last three of six years against the first three."""


def numbers(*, controls: int = 5, treated: int = 3, periods: int = 4, seed: int = 1) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(controls, periods)), rng.normal(size=(treated, periods))


def same(one: FewTreated, two: FewTreated) -> bool:
    plain = ("p_value", "conf_low", "conf_high", "exhaustive")
    return all(getattr(one, name) == getattr(two, name) for name in plain) and bool(
        np.array_equal(one.reference, two.reference)
    )


def test_one_treated_unit_by_hand() -> None:
    """Placebo effects (last minus first) -2, 1, 4; one is 3 away from 0 or more: p = (1 + 1) / (1 + 3)."""
    residuals = np.array([[1.0, -1.0], [0.0, 1.0], [-2.0, 2.0]])
    found = conley_taber(3.0, residuals, np.array([[-1.0, 1.0]]), level=0.5)
    assert found.reference.tolist() == [-2.0, 1.0, 4.0]
    assert (found.p_value, found.conf_low, found.conf_high) == (0.5, 3.0 - 4.0, 3.0 + 2.0)
    assert (found.n_controls, found.n_treated, found.exhaustive) == (3, 1, True)
    assert conley_taber(4.5, residuals, np.array([[-1.0, 1.0]])).p_value == 0.25


def test_two_treated_units_by_hand() -> None:
    """Weights 1 and 2 on one number per unit, controls 1 and -3: 1+2, 1-6, -3+2, -3-6."""
    found = conley_taber(5.0, np.array([[1.0], [-3.0]]), np.array([[1.0], [2.0]]), level=0.6)
    assert found.reference.tolist() == [-9.0, -5.0, -1.0, 3.0]
    assert found.p_value == 3 / 5
    assert (found.conf_low, found.conf_high) == (5.0 - 3.0, 5.0 + 9.0)


@pytest.mark.parametrize("level", [0.5, 0.8, 0.95, 0.999])
def test_enumeration(level: float) -> None:
    residuals, weights = numbers()
    found = conley_taber(0.7, residuals, weights, level=level)
    sums = [
        sum(float(weights[j] @ residuals[c]) for j, c in enumerate(chosen))
        for chosen in itertools.product(range(5), repeat=3)
    ]
    np.testing.assert_allclose(found.reference, np.sort(sums), atol=EXACT)
    assert found.p_value == (1 + sum(abs(w) >= 0.7 for w in sums)) / (1 + 5**3)


@pytest.mark.parametrize("level", [0.5, 0.8, 0.9, 0.95])
def test_the_interval_holds_the_effects_that_are_not_rejected(level: float) -> None:
    """Equal tails: rejected where at most (1 - level) / 2 of 1 + S lie as far out, counting the estimate."""
    residuals, weights = numbers()
    found = conley_taber(0.7, residuals, weights, level=level)

    def kept(effect: float) -> bool:
        above = 1 + int((found.reference >= 0.7 - effect).sum())
        below = 1 + int((found.reference <= 0.7 - effect).sum())
        return min(above, below) / (1 + found.reference.size) > (1 - level) / 2 + EXACT

    assert kept(found.conf_low + STEP)
    assert kept(found.conf_high - STEP)
    assert not kept(found.conf_low - STEP)
    assert not kept(found.conf_high + STEP)


@pytest.mark.parametrize(("controls", "level", "rank"), [(39, 0.95, 1), (79, 0.95, 2), (39, 0.9, 2)])
def test_ranks_at_which_the_level_is_exact(controls: int, level: float, rank: int) -> None:
    """With 1 + S = 40 and 80, the share beyond is a whole number of assignments (1 - 0.9 is below 0.1)."""
    residuals = np.arange(float(controls))[:, None]
    found = conley_taber(0.0, residuals, np.ones((1, 1)), level=level)
    assert (-found.conf_high, -found.conf_low) == (rank - 1, controls - rank)


def test_a_reference_too_small_for_the_level_gives_its_range() -> None:
    residuals, weights = numbers(controls=10, treated=1)
    found = conley_taber(1.0, residuals, weights)
    assert (found.conf_low, found.conf_high) == (1 - found.reference[-1], 1 - found.reference[0])


def test_ties_by_rounding_are_ties() -> None:
    """0.1 + 0.2 is above 0.3 in the last place."""
    residuals = np.array([[0.3], [0.0], [-0.3]])
    assert conley_taber(0.3, residuals, np.ones((1, 1))).p_value == 3 / 4
    assert conley_taber(0.1 + 0.2, residuals, np.ones((1, 1))).p_value == 3 / 4


def test_whole_numbers_are_numbers() -> None:
    residuals = [[3, 1], [0, 2], [-3, 5]]
    found = conley_taber(2, residuals, [[-1, 1]])  # type: ignore[arg-type]
    assert found.reference.tolist() == [-2.0, 2.0, 8.0]
    assert same(found, conley_taber(2.0, np.array(residuals, dtype=float), np.array([[-1.0, 1.0]])))


def test_random_assignments() -> None:
    residuals, weights = numbers(controls=30, treated=3)
    every = conley_taber(2.0, residuals, weights)
    some = conley_taber(2.0, residuals, weights, draws=20_000, seed=3)
    assert (every.exhaustive, every.reference.size) == (True, 27_000)
    assert (some.exhaustive, some.reference.size) == (False, 20_000)
    error = (every.p_value * (1 - every.p_value) / 20_000) ** 0.5
    assert abs(some.p_value - every.p_value) < 4 * error
    assert np.isin(some.reference.round(9), every.reference.round(9)).all()
    assert same(some, conley_taber(2.0, residuals, weights, draws=20_000, seed=3))
    assert not same(some, conley_taber(2.0, residuals, weights, draws=20_000, seed=4))


def test_all_assignments_are_made_when_just_as_many_are_allowed() -> None:
    residuals, weights = numbers(controls=6, treated=2)
    assert conley_taber(1.0, residuals, weights, draws=36).exhaustive
    assert not conley_taber(1.0, residuals, weights, draws=35).exhaustive


def test_order_of_units_scale_and_sign() -> None:
    residuals, weights = numbers()
    found = conley_taber(0.7, residuals, weights)
    turned = conley_taber(0.7, residuals[::-1], weights[::-1])
    np.testing.assert_allclose(turned.reference, found.reference, atol=EXACT)
    assert turned.p_value == found.p_value
    scaled = conley_taber(-7.0, residuals * -10, weights)
    assert scaled.p_value == found.p_value
    ends = (-10 * found.conf_high, -10 * found.conf_low)
    assert (scaled.conf_low, scaled.conf_high) == pytest.approx(ends, abs=EXACT)


def test_inputs_are_not_changed_and_whole_numbers_are_taken() -> None:
    residuals, weights = np.array([[1, -1], [2, -2], [0, 0]]), np.array([[-1, 1], [-1, 1]])
    before = residuals.copy(), weights.copy()
    found = ferman_pinto(1, residuals, weights, np.array([1, 2, 3]), np.array([2, 2]))
    assert np.isfinite([found.p_value, found.conf_low, found.conf_high]).all()
    assert np.array_equal(residuals, before[0])
    assert np.array_equal(weights, before[1])
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.p_value = 0.0  # type: ignore[misc]


def test_equal_populations_are_conley_and_taber() -> None:
    residuals, weights = numbers()
    for draws in (1000, 50):
        plain = conley_taber(0.7, residuals, weights, draws=draws)
        sized = ferman_pinto(0.7, residuals, weights, np.full(5, 3.0), np.array([1, 3, 9.0]), draws=draws)
        assert same(plain, sized)
        assert sized.variance is not None
        assert sized.variance.left_out == ("slope",) * 3
        assert not sized.variance.slope.any()


def test_variance_by_size_by_hand() -> None:
    """Squares 2 + 6 / M at M = 1, 2, 4; a treated unit with M = 3 has variance 4: +-2 for every control."""
    effects = np.sqrt([[8.0], [5.0], [3.5]]) * [[1], [-1], [1]]
    found = ferman_pinto(1.0, effects, np.ones((1, 1)), np.array([1.0, 2, 4]), np.array([3.0]))
    assert found.variance is not None
    assert found.variance.constant[0] == pytest.approx(2, abs=EXACT)
    assert found.variance.slope[0] == pytest.approx(6, abs=EXACT)
    assert found.variance.left_out == ("",)
    assert found.reference == pytest.approx([-2, 2, 2], abs=EXACT)


def test_each_treated_unit_is_brought_to_its_own_size() -> None:
    """As above with treated units of 3 and 1.5 (variance 6), the second with half the weight."""
    effects = np.sqrt([[8.0], [5.0], [3.5]])
    sizes = np.array([3.0, 1.5])
    found = ferman_pinto(1.0, effects, np.array([[1.0], [0.5]]), np.array([1.0, 2, 4]), sizes)
    assert found.variance is not None
    assert found.variance.slope == pytest.approx([6, 6 / 4], abs=EXACT)
    assert found.reference == pytest.approx(np.full(9, 2 + 6**0.5 / 2), abs=EXACT)


def test_variance_by_size_is_the_constrained_least_squares_fit() -> None:
    rng = np.random.default_rng(8)
    seen = set()
    for _ in range(60):
        effects, sizes = rng.normal(size=(7, 2)), rng.uniform(0.5, 20, size=7)
        effects *= sizes[:, None] ** rng.choice([-1.0, -0.3, 0.5])
        found = ferman_pinto(1.0, effects, np.eye(2), sizes, np.ones(2)).variance
        assert found is not None
        for j in range(2):
            fit, _ = nnls(np.column_stack([np.ones(7), 1 / sizes]), effects[:, j] ** 2)
            assert [found.constant[j], found.slope[j]] == pytest.approx(fit, rel=DENSE, abs=EXACT)
            word = "constant" if fit[0] == 0 else "slope" if fit[1] == 0 else ""
            assert found.left_out[j] == word
            seen.add(word)
    assert seen == {"", "constant", "slope"}


def test_unit_of_the_populations_does_not_matter() -> None:
    residuals, weights = numbers(controls=8)
    sizes, own = np.arange(1.0, 9), np.array([1.0, 2, 30])
    one = ferman_pinto(0.7, residuals, weights, sizes, own)
    many = ferman_pinto(0.7, residuals, weights, sizes * 1000, own * 1000)
    np.testing.assert_allclose(many.reference, one.reference, rtol=DENSE)
    assert one.variance is not None
    assert many.variance is not None
    np.testing.assert_allclose(many.variance.slope, one.variance.slope * 1000, rtol=DENSE)


def rejections(*, controls: int, treated: int, by_size: bool, own: float = 1.0) -> tuple[float, float, float]:
    """Shares of true nulls rejected at 5%: Conley-Taber, its interval, Ferman-Pinto."""
    rng, count = np.random.default_rng(12), np.zeros(3)
    weights = np.tile(YEARS / treated, (treated, 1))
    for _ in range(REPLICATIONS):
        sizes = np.r_[np.full(treated, own), np.exp(rng.normal(size=controls))]
        errors = rng.normal(size=(controls + treated, 6)).cumsum(axis=1)
        errors *= np.sqrt(0.2 + 1 / sizes)[:, None] if by_size else 1.0
        adopters, others = errors[:treated], errors[treated:]
        estimate = float((adopters @ YEARS).mean() - (others @ YEARS).mean())
        residuals = others - others.mean(axis=1, keepdims=True)
        residuals -= residuals.mean(axis=0)
        plain = conley_taber(estimate, residuals, weights, draws=1999)
        sized = ferman_pinto(estimate, residuals, weights, sizes[treated:], sizes[:treated], draws=1999)
        outside = not plain.conf_low <= 0 <= plain.conf_high
        count += [plain.p_value <= 0.05, outside, sized.p_value <= 0.05]
    return tuple(count / REPLICATIONS)  # type: ignore[return-value]


@pytest.mark.parametrize("treated", [1, 3])
def test_size_with_errors_alike(treated: int) -> None:
    for share in rejections(controls=99, treated=treated, by_size=False):
        assert abs(share - 0.05) < NOISE


def test_size_with_small_and_large_treated_units() -> None:
    """Small ones are rejected too often and large ones never, unless effects are brought to their size."""
    small = rejections(controls=99, treated=1, by_size=True, own=0.2)
    large = rejections(controls=99, treated=1, by_size=True, own=5.0)
    assert small[0] > 0.15
    assert large[0] < 0.02
    # the fitted variance of a small unit is itself uncertain: 8.7% in 2,000 panels of this kind
    assert abs(small[2] - 0.05) < NOISE + 0.04
    assert abs(large[2] - 0.05) < NOISE


def regression(*, seed: int, share: float) -> tuple[Any, ...]:
    """Influence, basis, clusters and residuals of a regression with unequal clusters, rows not sorted."""
    rng = np.random.default_rng(seed)
    codes = np.repeat(np.arange(9), [1, 2, 3, 4, 5, 6, 8, 11, 20])
    rng.shuffle(codes)
    x = np.column_stack([np.ones(60), codes < 3, rng.normal(size=60), rng.normal(size=9)[codes]])
    y = rng.normal(size=60) + share * rng.normal(size=9)[codes]
    q, r = np.linalg.qr(x)
    return q @ np.linalg.inv(r)[1], q, codes, y - q @ (q.T @ y)


def dense(p: Any, q: Any, codes: Any, e: Any) -> float:
    """The definition, with n x n matrices."""
    maker, groups = np.eye(p.size) - q @ q.T, range(int(codes.max()) + 1)
    together = codes[:, None] == codes
    off = together & ~np.eye(p.size, dtype=bool)
    rho = max(0.0, float(np.outer(e, e)[off].mean()))
    v = max(0.0, float((e**2).mean()) - rho) * np.eye(p.size) + rho * together
    columns = []
    for g in groups:
        mine = codes == g
        value, vector = np.linalg.eigh(maker[np.ix_(mine, mine)])
        columns.append(maker[:, mine] @ (vector * value**-0.5) @ vector.T @ p[mine])
    gvg = np.array(columns) @ v @ np.array(columns).T
    return float(np.trace(gvg) ** 2 / np.trace(gvg @ gvg))


@pytest.mark.parametrize("share", [0.0, 0.3, 2.0])
@pytest.mark.parametrize("seed", range(4))
def test_random_effect_by_full_matrices(seed: int, share: float) -> None:
    p, q, codes, e = regression(seed=seed, share=share)
    found = imbens_kolesar(p, q, codes, residuals=e)
    assert found == pytest.approx(dense(p, q, codes, e), rel=DENSE)
    if share == 2.0:
        assert abs(found - satterthwaite(p, q, codes, kind="CR2")) > 0.1


def test_random_effect_by_hand() -> None:
    """A mean over clusters of 2, 1 and 1 with residuals 1, 1, -1, -1: rho = 1, sigma2 = 0.

    G'VG has 3/16, 7/96, 7/96 on the diagonal, off it squares 3/512 (twice) and 1/9216:
    (1/3)^2 / (5/72) = 8/5.
    """
    p, q, codes = np.full(4, 0.25), np.full((4, 1), 0.5), np.array([0, 0, 1, 2])
    e = np.array([1.0, 1, -1, -1])
    for given in (e, e.astype(int), e.astype(object), e.tolist()):
        assert imbens_kolesar(p, q, codes, residuals=given) == pytest.approx(1.6, abs=EXACT)


@pytest.mark.parametrize("rows", [1, 4])
def test_two_samples(rows: int) -> None:
    """Two means of N clusters of equal size: the closed form of Bell-McCaffrey in Imbens and Kolesar (2016).

    With 3 treated of 30 it is 2.5 (46800 / 18972), whatever the random effect.
    """
    codes = np.repeat(np.arange(30), rows)
    treated = codes < 3
    q = np.column_stack([treated, ~treated]) / np.sqrt([3 * rows, 27 * rows])
    p = treated / (3 * rows) - ~treated / (27 * rows)
    e = np.random.default_rng(2).normal(size=30)[codes]
    e -= q @ (q.T @ e)
    assert imbens_kolesar(p, q, codes, residuals=e) == pytest.approx(46800 / 18972, rel=DENSE)


@pytest.mark.parametrize("cluster", [None, "region"])
def test_absorbed_unit_effects_leave_no_random_effect(cluster: str | None) -> None:
    """With unit effects, the random effect of units or of groups of units is absorbed."""
    design = council_design(made_up(share=0.8, n_units=48), cluster=cluster)
    reg = twfe(design).fitted()
    p, q, codes = reg.influence[:, 0], reg.basis, design.cluster_codes
    found = imbens_kolesar(p, q, codes, residuals=reg.residuals)
    assert found == pytest.approx(satterthwaite(p, q, codes, kind="CR2"), rel=DENSE)
    # residuals that claim a random effect change nothing: I - H takes it away
    apart = reg.residuals + np.random.default_rng(0).normal(size=codes.max() + 1)[codes]
    assert imbens_kolesar(p, q, codes, residuals=apart) == pytest.approx(found, rel=DENSE)


def test_random_effect_through_the_door() -> None:
    """With region effects units keep a random effect; with unit effects nothing of it is left."""
    design = council_design(made_up(n_units=48, share=0.9), effects="region", covariates=["need"])
    fit = twfe(design, inference="CR2_IK")
    reg = fit.fitted()
    for j in range(2):
        expected = dense(reg.influence[:, j], reg.basis, design.cluster_codes, reg.residuals)
        assert fit.vcov.df[j] == pytest.approx(expected, rel=DENSE)
    usual = fit.with_inference("CR2")
    assert np.array_equal(usual.vcov.matrix, fit.vcov.matrix)
    assert abs(usual.vcov.df[0] - fit.vcov.df[0]) > 0.1
    assert fit.linear_combination({"treated": 1.0})["p_value"].item() == pytest.approx(
        fit.tidy()["p_value"].iloc[0], rel=DENSE
    )
    assert "Imbens-Kolesár" in fit.summary()
    within = twfe(council_design(made_up(n_units=48)), inference="CR2_IK")
    assert np.array_equal(within.vcov.df, within.with_inference("CR2").vcov.df)
    weighted = council_design(made_up(n_units=48), effects="region", weights="size")
    with pytest.raises(DesignError, match="CR2_IK is not defined with weights"):
        twfe(weighted, inference="CR2_IK")


def test_rows_of_their_own_are_satterthwaite() -> None:
    p, q, _, e = regression(seed=1, share=1.0)
    rows = np.arange(60)
    expected = satterthwaite(p, q, rows, kind="CR2")
    assert imbens_kolesar(p, q, rows, residuals=e) == pytest.approx(expected, rel=DENSE)


def test_names_of_clusters_order_of_rows_and_scale() -> None:
    p, q, codes, e = regression(seed=3, share=1.0)
    found = imbens_kolesar(p, q, codes, residuals=e)
    turn = np.random.default_rng(0).permutation(60)
    again = imbens_kolesar(p[turn] * 50, q[turn], 7 - 3 * codes[turn], residuals=e[turn] * 1e-6)
    assert again == pytest.approx(found, rel=DENSE)


def test_whole_numbers_and_single_precision_are_numbers() -> None:
    p, q, codes, e = regression(seed=3, share=1.0)
    whole = np.round(10 * p)
    expected = imbens_kolesar(whole, q, codes, residuals=e)
    for kind in (np.int64, np.float32):
        assert imbens_kolesar(whole.astype(kind), q, codes, residuals=e) == expected
    residuals = np.round(10 * e)
    found = imbens_kolesar(p, q, codes, residuals=residuals.astype(np.int64))
    assert found == imbens_kolesar(p, q, codes, residuals=residuals)


def test_figures_of_any_kind_are_numbers() -> None:
    sizes = np.array([1.0, 2, 4])
    given = {"estimate": 1.0, "residuals": GOOD["residuals"], "weights": GOOD["weights"], "draws": 99}
    plain = ferman_pinto(**given, populations=sizes, treated_populations=np.array([3.0]))
    other = ferman_pinto(**given, populations=sizes.astype(object), treated_populations=[3])  # type: ignore[arg-type]
    assert plain.p_value == other.p_value
    assert np.array_equal(plain.reference, other.reference)


GOOD: dict[str, Any] = {
    "estimate": 1.0,
    "residuals": np.arange(6.0).reshape(3, 2),
    "weights": np.array([[-1.0, 1.0]]),
    "populations": np.ones(3),
    "treated_populations": np.ones(1),
}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"estimate": np.nan}, "estimate is nan"),
        ({"residuals": np.array([[0.0, 1], [np.nan, 2], [3, 4]])}, "residuals is missing.*for control 1"),
        (
            {"residuals": np.ones(3)},
            r"residuals has shape \(3,\); \(any, any\) is needed, one row per control",
        ),
        ({"residuals": np.float64(3)}, r"residuals has shape \(\)"),
        ({"residuals": np.array([[1.0, 2]])}, "one control; two or more"),
        ({"residuals": np.empty((0, 2))}, r"residuals has shape \(0, 2\)"),
        ({"residuals": np.ones((3, 2))}, "placebo effects of treated unit 0 are all 0"),
        ({"weights": np.ones((1, 3))}, r"weights has shape \(1, 3\); \(any, 2\)"),
        ({"weights": np.array([-1.0, 1.0])}, r"weights has shape \(2,\)"),
        ({"weights": np.empty((0, 2))}, r"weights has shape \(0, 2\)"),
        ({"weights": np.array([[np.inf, 1.0]])}, "weights is missing or infinite for treated unit 0"),
        ({"weights": np.array([[-1.0, 1], [0, 0]])}, "treated unit 1 has no weight.*leave its row out"),
        ({"level": 1.0}, "level is 1.0"),
        ({"level": 95}, "level is 95; a number between 0 and 1"),
        ({"level": "0.95"}, "level is '0.95'"),
        ({"draws": 5}, "draws is 5; a whole number of at least 19"),
        ({"draws": 99.5}, "draws is 99.5"),
        ({"seed": -1}, "seed is -1"),
        ({"populations": np.array([1.0, 0, -2])}, "populations is missing.*not above 0 for control 1, 2"),
        ({"populations": np.array([1.0, 2, np.nan])}, "populations is missing.*for control 2"),
        ({"populations": np.ones(2)}, r"populations has shape \(2,\); \(3\) is needed"),
        ({"treated_populations": np.zeros(1)}, "treated_populations.*for treated unit 0"),
        ({"treated_populations": np.ones(2)}, r"treated_populations has shape \(2,\)"),
    ],
)
def test_bad_input(change: dict[str, Any], words: str) -> None:
    with pytest.raises(DesignError, match=words) as caught:
        ferman_pinto(**(GOOD | change))
    assert "Repair: " in str(caught.value)
    both = {k: v for k, v in (GOOD | change).items() if "populations" not in k}
    if "population" not in words:
        with pytest.raises(DesignError, match=words):
            conley_taber(**both)


def test_a_result_names_its_method() -> None:
    plain = {name: value for name, value in GOOD.items() if "populations" not in name}
    assert (conley_taber(**plain).method, ferman_pinto(**GOOD).method) == ("Conley-Taber", "Ferman-Pinto")


def test_problems_are_told_together() -> None:
    with pytest.raises(DesignError) as caught:
        conley_taber(np.inf, np.ones((1, 2)), np.array([[0.0, 0.0]]), level=2, draws=0, seed=True)
    assert len(caught.value.problems) == 6


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"influence": np.ones((4, 1))}, r"influence has shape \(4, 1\)"),
        ({"influence": np.array([1, np.nan, 1, 1])}, "influence is missing or infinite for row 1"),
        ({"basis": np.ones((3, 1))}, r"basis has shape \(3, 1\); \(4, any\)"),
        ({"basis": np.ones(4)}, r"basis has shape \(4,\)"),
        ({"clusters": np.array([0, 1])}, r"clusters has shape \(2,\)"),
        ({"clusters": np.zeros(4, dtype=int)}, "two or more are needed: cluster by unit"),
        ({"residuals": np.ones(5)}, r"residuals has shape \(5,\); \(4\) is needed"),
        ({"residuals": np.array([1, -1, np.inf, 0])}, "residuals is missing or infinite for row 2"),
        ({"residuals": np.zeros(4)}, "residuals are all 0"),
    ],
)
def test_bad_regression(change: dict[str, Any], words: str) -> None:
    good: dict[str, Any] = {
        "influence": np.full(4, 0.25),
        "basis": np.full((4, 1), 0.5),
        "clusters": np.array([0, 0, 1, 2]),
        "residuals": np.array([1.0, 0, -1, 0]),
    }
    with pytest.raises(DesignError, match=words):
        imbens_kolesar(**(good | change))


def test_a_contrast_that_is_fitted_exactly_has_no_degrees_of_freedom() -> None:
    """Each cluster has a direction of the basis to itself, so that nothing is left to vary."""
    df = imbens_kolesar(np.array([1.0, -1.0]), np.eye(2), np.array([0, 1]), residuals=np.array([1.0, -1]))
    assert np.isnan(df)
