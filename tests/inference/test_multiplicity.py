"""Adjusted p-values against statsmodels, against loops that follow definitions, and on simulated panels."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from statsmodels.stats.multitest import multipletests

from clsimpact.errors import DesignError
from clsimpact.inference.multiplicity import critical_values, draws_beyond, holm, max_t, min_p, romano_wolf

Floats = NDArray[np.float64]

ROUNDING = 1e-15
"""One product and one maximum of numbers up to 1, in double precision on both sides."""

LEVEL = 0.95

PANELS = 400
"""Simulated panels: a rate of 5% has a standard error of 1.1 points, and the test takes under a second."""

MONTE_CARLO = 3 * np.sqrt(LEVEL * (1 - LEVEL) / PANELS)
"""Three standard errors of a rejection rate of 5%: a right procedure fails at one seed in 370."""

ADJUSTMENTS: dict[str, Callable[[Floats, Floats], Floats]] = {
    "max_t": max_t,
    "romano_wolf": romano_wolf,
    "min_p": lambda statistics, draws: min_p(statistics, draws)[1],
}


def own_p(statistics: Floats, draws: Floats) -> Floats:
    """The unadjusted p-value of each term."""
    return np.asarray((1 + (np.abs(draws) >= np.abs(statistics)).sum(axis=0)) / (len(draws) + 1))


def brute_romano_wolf(statistics: Floats, draws: Floats) -> list[float]:
    """Romano and Wolf (2016), equations as written: one hypothesis, one draw at a time."""
    t, n = [abs(x) for x in statistics], len(draws)
    order = sorted(range(len(t)), key=lambda k: -t[k])
    out = [0.0] * len(t)
    least = 0.0
    for step, term in enumerate(order):
        count = 0
        for row in draws:
            if max(abs(row[k]) for k in order[step:]) >= t[term]:
                count += 1
        least = max(least, (count + 1) / (n + 1))
        out[term] = least
    return out


def brute_min_p(statistics: Floats, draws: Floats) -> list[float]:
    """Westfall and Young's single step in exact fractions: rank p-values of all rows, observed first."""
    rows = [[abs(x) for x in statistics], *([abs(x) for x in row] for row in draws)]
    n = len(rows)
    p = [[Fraction(sum(a[k] >= b[k] for a in rows), n) for k in range(len(b))] for b in rows]
    return [float(Fraction(sum(min(b) <= own for b in p), n)) for own in p[0]]


def example(seed: int, *, terms: int, n_draws: int, whole: bool) -> tuple[Floats, Floats]:
    """Correlated statistics with unlike tails; whole numbers make ties."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n_draws + 1, terms)) + rng.normal(size=(n_draws + 1, 1))
    x *= 1 + np.arange(terms)
    x[0] *= 2
    x = np.round(x) if whole else x
    return x[0], x[1:]


examples = st.builds(
    example,
    st.integers(0, 2**32 - 1),
    terms=st.integers(1, 6),
    n_draws=st.integers(1, 60),
    whole=st.booleans(),
)


def test_holm_by_hand() -> None:
    assert holm(np.array([0.01, 0.02, 0.5])) == pytest.approx([0.03, 0.04, 0.5], abs=ROUNDING)
    assert holm(np.array([0.3, 0.2, 0.9])) == pytest.approx([0.6, 0.6, 0.9], abs=ROUNDING)
    assert holm(np.array([0.5, 0.6])).tolist() == [1.0, 1.0]
    assert holm(np.array([])).tolist() == []


def test_holm_is_that_of_statsmodels() -> None:
    """Few calls: each one collects garbage, which takes a tenth of a second."""
    rng = np.random.default_rng(3)
    for p in (rng.uniform(size=9), rng.uniform(size=40) ** 4, np.round(rng.uniform(size=15), 1)):
        assert holm(p) == pytest.approx(multipletests(p, method="holm")[1], abs=ROUNDING)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_properties_of_holm(p_values: list[float]) -> None:
    p = np.array(p_values)
    adjusted = holm(p)
    assert (adjusted >= p).all()
    assert (adjusted <= np.minimum(len(p) * p, 1)).all()
    assert (np.diff(adjusted[np.argsort(p, kind="stable")]) >= 0).all()
    assert holm(p[::-1]).tolist() == adjusted[::-1].tolist()


def test_holm_does_not_count_missing_terms() -> None:
    with_gap = holm(np.array([0.01, np.nan, 0.03]))
    assert with_gap[[0, 2]].tolist() == holm(np.array([0.01, 0.03])).tolist()
    assert np.isnan(with_gap[1])
    assert np.isnan(holm(np.full(2, np.nan))).all()


def test_three_terms_by_hand() -> None:
    """Maxima of the draws 3, 2, 5, 1; of the last two terms 2, 2, 1, 1; of the last 0, 2, 0, 1."""
    draws = np.array([[3.0, 2.0, 0.0], [0.0, 1.0, -2.0], [-5.0, 1.0, 0.0], [0.0, -1.0, 1.0]])
    statistics = np.array([-4.0, 2.5, 1.5])
    assert max_t(statistics, draws).tolist() == [2 / 5, 3 / 5, 4 / 5]
    assert romano_wolf(statistics, draws).tolist() == [2 / 5, 2 / 5, 2 / 5]
    # Ranks of the columns, observed row first: 2 3 4 1 4, then 1 2 5 5 5, then 2 5 1 5 3; least 1 2 1 1 3.
    joint, adjusted = min_p(statistics, draws)
    assert adjusted.tolist() == [4 / 5, 3 / 5, 4 / 5]
    assert joint == 3 / 5


@settings(max_examples=80, deadline=None)
@given(examples)
def test_draws_against_brute_force(both: tuple[Floats, Floats]) -> None:
    statistics, draws = both
    assert romano_wolf(statistics, draws).tolist() == brute_romano_wolf(statistics, draws)
    joint, adjusted = min_p(statistics, draws)
    assert adjusted.tolist() == brute_min_p(statistics, draws)
    assert joint == adjusted.min()


@settings(max_examples=80, deadline=None)
@given(both=examples, seed=st.integers(0, 2**32 - 1))
@pytest.mark.parametrize("name", ADJUSTMENTS)
def test_properties_of_adjusted_p_values(name: str, both: tuple[Floats, Floats], seed: int) -> None:
    statistics, draws = both
    adjust = ADJUSTMENTS[name]
    adjusted, own = adjust(statistics, draws), own_p(statistics, draws)
    assert (adjusted >= own).all()
    assert (adjusted <= 1).all()
    ranking = np.argsort(own if name == "min_p" else -np.abs(statistics), kind="stable")
    assert (np.diff(adjusted[ranking]) >= 0).all()
    moved = np.random.default_rng(seed).permutation(len(statistics))
    assert adjust(statistics[moved], draws[:, moved]).tolist() == adjusted[moved].tolist()
    assert adjust(-statistics, draws).tolist() == adjusted.tolist()
    if len(statistics) == 1:
        assert adjusted.tolist() == own.tolist()


@settings(max_examples=60, deadline=None)
@given(examples)
def test_stepping_down_never_loses_and_min_p_knows_no_scale(both: tuple[Floats, Floats]) -> None:
    statistics, draws = both
    assert (romano_wolf(statistics, draws) <= max_t(statistics, draws)).all()
    assert romano_wolf(statistics, draws).min() == max_t(statistics, draws).min()
    scale = 2.0 ** np.arange(0, 20 * len(statistics), 20)
    stretched = min_p(statistics * scale, draws * scale)
    assert stretched[0] == min_p(statistics, draws)[0]
    assert stretched[1].tolist() == min_p(statistics, draws)[1].tolist()


def test_a_heavy_tailed_term_hides_others_from_max_t_but_not_from_min_p() -> None:
    rng = np.random.default_rng(20240607)
    draws = np.column_stack([rng.standard_t(1, 999), rng.normal(size=999)])
    statistics = np.array([0.5, 6.0])
    assert max_t(statistics, draws)[1] > 0.05
    assert min_p(statistics, draws)[1][1] <= 3 / 1000
    wide, narrow = critical_values(draws, LEVEL, balanced=False), critical_values(draws, LEVEL, balanced=True)
    assert narrow[1] < 3 < 6 < wide[1] < narrow[0]


@pytest.mark.parametrize("name", ADJUSTMENTS)
def test_missing_terms_are_left_out(name: str) -> None:
    statistics, draws = example(1, terms=5, n_draws=40, whole=False)
    adjust = ADJUSTMENTS[name]
    gap = statistics.copy()
    gap[1] = np.nan
    holes = draws.copy()
    holes[:, 3] = np.nan
    holes[:5, 1] = np.nan
    kept = [0, 2, 4]
    adjusted = adjust(gap, holes)
    assert adjusted[kept].tolist() == adjust(statistics[kept], draws[:, kept]).tolist()
    assert np.isnan(adjusted[[1, 3]]).all()
    assert np.isnan(adjust(np.full(5, np.nan), draws)).all()
    assert np.isnan(min_p(np.full(5, np.nan), draws)[0])
    assert adjust(np.empty(0), np.empty((3, 0))).shape == (0,)


@pytest.mark.parametrize("name", ADJUSTMENTS)
def test_ties_count_and_inputs_stay(name: str) -> None:
    """A permutation that gives the observed statistic in another order of summation is as large as it."""
    statistics = np.array([0.1 + 0.2, 1.0])
    draws = np.array([[0.3, 0.0], [-0.3, 0.0], [0.3, np.inf]])
    before = statistics.copy(), draws.copy()
    assert statistics[0] > 0.3
    assert ADJUSTMENTS[name](statistics, draws)[0] == 1.0
    assert (statistics == before[0]).all()
    assert (draws == before[1]).all()


@pytest.mark.parametrize(
    ("n_draws", "level", "allowed"),
    [(999, 0.95, 49), (999, 0.9, 99), (19, 0.95, 0), (99, 0.99, 0), (100, 0.99, 0), (1, 0.5, 0)],
)
def test_draws_beyond_is_the_largest_count_still_rejected(n_draws: int, level: float, allowed: int) -> None:
    assert draws_beyond(n_draws, level) == allowed
    exact = 1 - Fraction(str(level))
    assert Fraction(1 + allowed, n_draws + 1) <= exact < Fraction(2 + allowed, n_draws + 1)


@settings(max_examples=80, deadline=None)
@given(both=examples, level=st.sampled_from([0.5, 0.8, 0.9]), balanced=st.booleans())
def test_the_band_is_the_twin_of_the_p_values(
    both: tuple[Floats, Floats], level: float, balanced: bool
) -> None:
    statistics, draws = both
    alpha = float(1 - Fraction(str(level)))
    try:
        critical = critical_values(draws, level, balanced=balanced)
    except DesignError:
        assert alpha * (len(draws) + 1) < 1 + (len(statistics) if balanced and len(statistics) > 1 else 0)
        return
    left = (np.abs(draws) > critical).any(axis=1)
    assert left.mean() <= alpha
    outside = np.abs(statistics) > critical
    if not balanced or draws.shape[1] == 1:
        assert (outside == (max_t(statistics, draws) <= alpha)).all()
    else:
        assert min_p(statistics, draws)[0] <= alpha or not outside.any()


def test_balanced_values_share_one_tail_as_large_as_may_be() -> None:
    _, draws = example(7, terms=4, n_draws=999, whole=False)
    critical = critical_values(draws, LEVEL, balanced=True)
    beyond = (np.abs(draws) > critical).sum(axis=0)
    assert len(set(beyond)) == 1
    ranked = -np.sort(-np.abs(draws), axis=0)
    assert critical.tolist() == ranked[beyond[0]].tolist()
    # One rank is the observed row's place: among draws alone one more fits, two more do not.
    one, two = ((np.abs(draws) > ranked[beyond[0] + more]).any(axis=1).sum() for more in (1, 2))
    assert one <= draws_beyond(999, LEVEL) < two


def test_critical_values_by_hand() -> None:
    draws = np.array([[1.0, -40.0], [-2.0, 10.0], [3.0, 20.0], [-4.0, 30.0]])
    assert critical_values(draws, 0.8, balanced=False).tolist() == [40.0, 40.0]
    assert critical_values(draws, 0.6, balanced=False).tolist() == [30.0, 30.0]
    # Least ranks 1, 3, 2, 1: with three draws allowed outside, tails of two draws hold three of the four.
    assert critical_values(draws, 0.2, balanced=True).tolist() == [3.0, 30.0]
    holes = np.column_stack([draws[:, 0], np.full(4, np.nan)])
    for balanced in (False, True):
        lone = critical_values(holes, 0.6, balanced=balanced)
        assert lone[0] == 3.0
        assert np.isnan(lone[1])
        assert np.isnan(critical_values(np.full((4, 2), np.nan), 0.6, balanced=balanced)).all()


def test_family_wise_error_under_the_global_null() -> None:
    """Sign flips of 20 councils, 5 correlated outcomes, one of them with heavy tails: exact at any size."""
    rng = np.random.default_rng(11)
    n_units, n_terms, n_draws = 20, 5, 199
    wrong = dict.fromkeys([*ADJUSTMENTS, "joint", "band", "balanced", "none"], 0)
    for _ in range(PANELS):
        y = rng.normal(size=(n_units, n_terms)) + rng.normal(size=(n_units, 1))
        y[:, 0] = rng.standard_t(1.5, n_units)
        signs = np.vstack([np.ones(n_units), rng.choice([-1.0, 1.0], (n_draws, n_units))])
        mean = signs @ y / n_units
        t = mean / np.sqrt(((y**2).mean(axis=0) - mean**2) / (n_units - 1))
        statistics, draws = t[0], t[1:]
        for name, adjust in ADJUSTMENTS.items():
            wrong[name] += bool((adjust(statistics, draws) <= 1 - LEVEL).any())
        wrong["joint"] += min_p(statistics, draws)[0] <= 1 - LEVEL
        wrong["band"] += bool((np.abs(statistics) > critical_values(draws, LEVEL, balanced=False)).any())
        wrong["balanced"] += bool((np.abs(statistics) > critical_values(draws, LEVEL, balanced=True)).any())
        wrong["none"] += bool((own_p(statistics, draws) <= 1 - LEVEL).any())
    rates = {name: count / PANELS for name, count in wrong.items()}
    unadjusted = rates.pop("none")
    assert unadjusted > 0.10
    assert max(rates.values()) <= 1 - LEVEL + MONTE_CARLO
    assert rates["max_t"] == rates["romano_wolf"] == rates["band"]
    assert rates["max_t"] >= 1 - LEVEL - MONTE_CARLO
    assert rates["balanced"] <= rates["joint"] == rates["min_p"]
    assert rates["balanced"] >= 1 - LEVEL - MONTE_CARLO - n_terms / (n_draws + 1)


TWO = np.array([1.0, 2.0])
DRAWS = np.ones((99, 2))
HOLES = np.vstack([[np.nan, 1.0], DRAWS])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: holm(np.array([0.2, 1.5])), r"position 1: 1\.5"),
        (lambda: holm(np.array([-0.1])), "not statistics or per cents"),
        (lambda: holm(np.array([[0.1]])), r"shape \(1, 1\); one row"),
        (lambda: max_t(TWO, np.ones(2)), r"shape \(2,\); one row per draw"),
        (lambda: romano_wolf(TWO, np.ones((0, 2))), "B of 1 or more"),
        (lambda: min_p(np.ones(3), DRAWS), "one statistic for each column"),
        (lambda: max_t(np.ones((1, 2)), DRAWS), "one statistic for each column"),
        (lambda: romano_wolf(TWO, HOLES), r"column 0 \(the first is 0\): 1 of 100 draws"),
        (lambda: critical_values(HOLES, 0.9, balanced=False), "Leave those draws out for every term"),
        (lambda: critical_values(DRAWS, 95, balanced=False), "between 0 and 1"),
        (lambda: critical_values(np.ones((0, 2)), 0.9, balanced=True), "B of 1 or more"),
        (lambda: critical_values(DRAWS, 0.999, balanced=False), "Use 999 draws or more"),
        (lambda: draws_beyond(18, 0.95), "Use 19 draws or more"),
        (lambda: draws_beyond(999, 1.5), "The confidence level is 1.5, not between 0 and 1"),
        (lambda: critical_values(np.eye(40)[:, :4], 0.9, balanced=True), "Use 49 draws or more"),
    ],
)
def test_bad_inputs(call: Callable[[], object], words: str) -> None:
    with pytest.raises(DesignError, match=words):
        call()
