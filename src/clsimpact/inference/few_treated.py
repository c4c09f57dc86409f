r"""Inference with few treated units: the distribution of an estimate from the residuals of its controls.

With a handful of treated units an estimate does not settle down however many controls there are: what is
left of it besides the effect is a fixed combination of the treated units' own errors,

.. math:: \hat\theta - \theta \approx \sum_{j=1}^{J} v_j'\eta_j ,

where :math:`v_j` (T) is the weight of treated unit j in the estimate. Many controls show how such a
combination is distributed: the *placebo effect* of control c in the place of treated unit j is
:math:`v_j'\hat\eta_c`.

==================  =========================================================================================
`conley_taber`      placebo effects as they are: errors of all units have the same distribution
`ferman_pinto`      placebo effects brought to the treated unit's size: variance a + b / population
==================  =========================================================================================

Both take the estimate, the controls' residuals and the treated units' weights; nothing is refitted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clsimpact._asked import level_problem
from clsimpact.errors import DesignError, list_some

__all__ = ["FewTreated", "SizeVariance", "conley_taber", "ferman_pinto"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

DRAWS = 99_999
"""Assignments held at most: every one of two treated units among 316 controls, or of three among 46."""

FEWEST_DRAWS = 19
"""With fewer, no p-value can be as small as 5%."""

TIE = 1e-12
"""Values that differ by less, relative to the largest, are equal: sums in another order differ so.

They leave 1e-16 to 1e-15; of 99,999 values the nearest to one that is not it lies about 1e-5 away."""

FLAT = 1e-12
"""Sizes 1 / population that differ by less, relative to the largest, cannot carry a slope.

Populations are whole numbers: two that differ do so by 1e-8 or more."""


@dataclass(frozen=True)
class SizeVariance:
    r"""Variance of a unit's placebo effect by the size of its population, :math:`a_j + b_j / M`.

    Attributes
    ----------
    constant : float array (J)
        a, in squared units of the estimate; one for each treated unit's weights.
    slope : float array (J)
        b, in squared units of the estimate times population.
    left_out : tuple of str
        For each treated unit ``""``, or the term that is zero because it would have been negative
        (``"constant"`` or ``"slope"``) or because all populations are alike (``"slope"``).

    Examples
    --------
    >>> SizeVariance(np.array([1.0]), np.array([6.0]), ("",)).at(np.array([2.0, 3.0])).ravel().tolist()
    [4.0, 3.0]
    """

    constant: Floats
    slope: Floats
    left_out: tuple[str, ...]

    def at(self, populations: Floats) -> Floats:
        """Variance at each of the ``populations`` (m), for each treated unit's weights (m, J)."""
        return np.asarray(self.constant + self.slope / populations[:, None])


@dataclass(frozen=True)
class FewTreated:
    """An estimate beside the distribution that it would have without an effect.

    Attributes
    ----------
    method : str
        ``"Conley-Taber"`` or ``"Ferman-Pinto"``.
    estimate : float
    p_value : float
        Two-sided, of no effect.
    conf_low, conf_high : float
    level : float
        Of the interval.
    reference : float array (S)
        Placebo estimates in ascending order, in the units of the estimate.
    exhaustive : bool
        Whether the reference holds every assignment of controls to treated units, or random ones.
    n_controls, n_treated : int
        Units C and J.
    variance : SizeVariance or None
        The fitted variance by size (Ferman and Pinto only).

    Examples
    --------
    >>> found = conley_taber(5.0, np.array([[1.0], [-2.0], [0.5], [0.5]]), np.ones((1, 1)))
    >>> found.reference.tolist(), found.exhaustive
    ([-2.0, 0.5, 0.5, 1.0], True)
    """

    method: str
    estimate: float
    p_value: float
    conf_low: float
    conf_high: float
    level: float
    reference: Floats
    exhaustive: bool
    n_controls: int
    n_treated: int
    variance: SizeVariance | None = None


def conley_taber(
    estimate: float,
    residuals: Floats,
    weights: Floats,
    *,
    level: float = 0.95,
    draws: int = DRAWS,
    seed: int = 0,
) -> FewTreated:
    r"""Test and interval from placebo effects of the controls (Conley and Taber 2011).

    Under the assumption that the errors of treated and control units are independent over units and have the
    same distribution (any dependence over time), :math:`\hat\theta - \theta` has the distribution of

    .. math:: W(c_1, \dots, c_J) = \sum_{j=1}^{J} v_j'\hat\eta_{c_j}

    over all :math:`C^J` assignments of controls to treated units, with replacement. All of them are computed
    if there are at most ``draws``, else as many at random. With the S values in ascending order,

    .. math:: p = \frac{1 + \#\{s : |W_s| \ge |\hat\theta|\}}{1 + S}, \qquad
              [\hat\theta - W_{(S+1-k)},\ \hat\theta - W_{(k)}], \quad
              k = \max(1, \lfloor (1 + S)(1 - level) / 2 \rfloor) .

    The estimate counts as one more assignment, so p is never zero (the paper has shares of S; the difference
    is at most 1 / S). The interval is the estimate minus the quantiles of the reference, as in the paper. It
    is equal-tailed and the test is by absolute value: with a skewed reference one may exclude zero and the
    other not. If S + 1 < 2 / (1 - level) the reference is too small for the level and the interval, its
    range, covers less: for one treated unit and exchangeable units (C - 1) / (C + 1), 90% with 20 controls.

    The distribution is exact as C grows with J fixed; the error of the controls' own average is left out.
    Nominal 5% tests of a true null rejected 4-6% of the time with 145 controls, 5-7% with 45 and 6-11% with
    20 (one, two and five treated units; 2,000 simulated panels each).

    Parameters
    ----------
    estimate
        The estimated effect.
    residuals
        (C, T): outcomes of the controls net of unit and period effects (and covariates), under the estimated
        effect; units of the outcome. 0 where a control has no row.
    weights
        v (J, T): how each outcome of each treated unit moves the estimate.
    level
        Confidence level.
    draws
        Assignments held at most.
    seed
        Of the random assignments; not used where all are computed.

    Returns
    -------
    FewTreated

    Raises
    ------
    DesignError
        Fewer than two controls, no treated unit, numbers missing, shapes that do not fit, a treated unit
        without weight or without any placebo effect, or an option out of range.

    References
    ----------
    Conley and Taber (2011), doi 10.1162/REST_a_00049: the estimator that uses residuals of controls only.

    Examples
    --------
    One treated unit, the last of two periods against the first, nine controls:

    >>> last = np.arange(-4.0, 5.0)
    >>> found = conley_taber(3.0, np.column_stack([-last, last]) / 2, np.array([[-1.0, 1.0]]), level=0.6)
    >>> found.p_value, found.conf_low, found.conf_high
    (0.5, 0.0, 6.0)
    """
    residuals, weights = np.asarray(residuals, dtype=float), np.asarray(weights, dtype=float)
    refuse(_problems(estimate, residuals, weights, level, draws, seed))
    placebo = _placebo(residuals, weights)
    return _compared("Conley-Taber", float(estimate), placebo, level=level, draws=draws, seed=seed)


def ferman_pinto(
    estimate: float,
    residuals: Floats,
    weights: Floats,
    populations: Floats,
    treated_populations: Floats,
    *,
    level: float = 0.95,
    draws: int = DRAWS,
    seed: int = 0,
) -> FewTreated:
    r"""Test and interval from placebo effects rescaled by population (Ferman and Pinto 2019).

    Averages of small populations vary more, so that controls of another size than the treated unit mislead.
    Under the assumption that errors have the same distribution up to a variance that depends on the
    population M, the variance of placebo effects is fitted over the controls by least squares,

    .. math:: (v_j'\hat\eta_c)^2 = a_j + b_j / M_c + \text{error}, \qquad a_j, b_j \ge 0,

    and the reference of `conley_taber` is made with

    .. math:: v_j'\hat\eta_c \sqrt{\frac{a_j + b_j / M_j}{a_j + b_j / M_c}} .

    A term that comes out negative is left out and the other fitted without it, which is the constrained
    minimum. Controls of equal populations cannot show a slope: b is zero and nothing is rescaled. The paper
    also draws residuals for the controls and takes treated units into the fit under the null hypothesis; here
    the reference is of the treated units' part and from controls only, as in `conley_taber`.

    Parameters
    ----------
    estimate, residuals, weights
        As in `conley_taber`.
    populations
        M (C): the size of each control, in any unit; one number for all periods.
    treated_populations
        M (J): the size of each treated unit, in the same unit.
    level, draws, seed
        As in `conley_taber`.

    Returns
    -------
    FewTreated
        With ``variance``: the fitted a and b.

    Raises
    ------
    DesignError
        As in `conley_taber`, and where a population is missing or not above zero.

    References
    ----------
    Ferman and Pinto (2019), doi 10.1162/rest_a_00759.

    Examples
    --------
    Controls with population 1 vary twice as much as those with 4, which is the treated unit's:

    >>> effect = np.array([[2.0], [-2.0], [1.0], [-1.0]])
    >>> found = ferman_pinto(1.5, effect, np.ones((1, 1)), np.array([1.0, 1, 4, 4]), np.array([4.0]))
    >>> found.variance.constant.tolist(), found.variance.slope.tolist()
    ([0.0], [4.0])
    >>> found.reference.tolist()
    [-1.0, -1.0, 1.0, 1.0]
    """
    residuals, weights = np.asarray(residuals, dtype=float), np.asarray(weights, dtype=float)
    populations = np.asarray(populations, dtype=float)
    treated_populations = np.asarray(treated_populations, dtype=float)
    problems = _problems(estimate, residuals, weights, level, draws, seed)
    problems += wrong("populations", populations, residuals.shape[:1], "control", positive=True)
    problems += wrong(
        "treated_populations", treated_populations, weights.shape[:1], "treated unit", positive=True
    )
    refuse(problems)
    placebo = _placebo(residuals, weights)
    variance = _by_size(placebo, populations)
    own = variance.constant + variance.slope / treated_populations
    scaled = placebo * np.sqrt(own / variance.at(populations))
    return _compared(
        "Ferman-Pinto", float(estimate), scaled, level=level, draws=draws, seed=seed, variance=variance
    )


def _placebo(residuals: Floats, weights: Floats) -> Floats:
    """Effect of each control in the place of each treated unit (C, J); equal weights are projected once."""
    rows, at = np.unique(weights, axis=0, return_inverse=True)
    effects = (residuals @ rows.T)[:, at.reshape(-1)]
    empty = np.flatnonzero(~effects.astype(bool).any(axis=0))
    if empty.size:
        refuse([f"placebo effects of treated unit {list_some(empty)} are all 0; others are needed"])
    return np.asarray(effects)


def _by_size(placebo: Floats, populations: Floats) -> SizeVariance:
    """Fit squared placebo effects (C, J) on a constant and 1 / population (C), neither negative."""
    x, squares = 1 / populations, placebo**2
    mean, centred = squares.mean(axis=0), x - x.mean()
    if np.ptp(x) <= FLAT * x.max():
        return SizeVariance(mean, np.zeros_like(mean), ("slope",) * mean.size)
    slope = centred @ squares / (centred @ centred)
    constant = mean - slope * x.mean()
    level, through = slope < 0, constant < 0
    slope = np.where(level, 0.0, np.where(through, x @ squares / (x @ x), slope))
    constant = np.where(through, 0.0, np.where(level, mean, constant))
    words = np.where(level, "slope", np.where(through, "constant", ""))
    return SizeVariance(constant, slope, tuple(str(word) for word in words))


def _compared(
    method: str,
    estimate: float,
    placebo: Floats,
    *,
    level: float,
    draws: int,
    seed: int,
    variance: SizeVariance | None = None,
) -> FewTreated:
    """Compare an estimate with sums of placebo effects (C, J)."""
    reference, exhaustive = _reference(placebo, draws, seed)
    size = reference.size
    slack = TIE * max(abs(estimate), float(np.abs(reference).max()))
    beyond = int((np.abs(reference) >= abs(estimate) - slack).sum())
    k = max(1, int((1 + size) * (1 - level) / 2 * (1 + TIE)))
    return FewTreated(
        method=method,
        estimate=estimate,
        p_value=(1 + beyond) / (1 + size),
        conf_low=estimate - float(reference[size - k]),
        conf_high=estimate - float(reference[k - 1]),
        level=float(level),
        reference=reference,
        exhaustive=exhaustive,
        n_controls=placebo.shape[0],
        n_treated=placebo.shape[1],
        variance=variance,
    )


def _reference(placebo: Floats, draws: int, seed: int) -> tuple[Floats, bool]:
    """Sum placebo effects (C, J) over assignments, all or random ones, in ascending order."""
    controls, treated = placebo.shape
    exhaustive = controls**treated <= draws
    generator = np.random.default_rng(seed)
    out = np.zeros(1 if exhaustive else draws)
    for column in placebo.T:
        if exhaustive:
            out = np.add.outer(out, column).ravel()
        else:
            out += column[generator.integers(controls, size=draws)]
    return np.sort(out), exhaustive


def refuse(problems: Sequence[str]) -> None:
    """Raise one error with all problems, if there are any."""
    if problems:
        raise DesignError(
            "Inference with few treated units cannot be made.",
            problems,
            repair="Hand in what is said to be needed; 0 for a period in which a unit has no row.",
        )


def wrong(
    name: str, values: Floats, shape: tuple[int, ...], one: str, *, positive: bool = False
) -> list[str]:
    """Say whether an array has another shape than asked for (-1: any length) or numbers of no use."""
    lengths = zip(values.shape, shape, strict=False)
    if values.ndim != len(shape) or values.size == 0 or any(want not in (-1, n) for n, want in lengths):
        wanted = ", ".join("any" if want == -1 else str(want) for want in shape)
        return [f"{name} has shape {values.shape}; ({wanted}) is needed, one row per {one}"]
    fine = np.isfinite(values) & (values > 0) if positive else np.isfinite(values)
    bad = np.flatnonzero(~fine.reshape(len(values), -1).all(axis=1))
    what = "missing, infinite or not above 0" if positive else "missing or infinite"
    return [f"{name} is {what} for {one} {list_some(bad)}; give figures or leave it out"] if bad.size else []


def _problems(
    estimate: float, residuals: Floats, weights: Floats, level: object, draws: object, seed: object
) -> list[str]:
    """Say what is wrong with the inputs that both tests have."""
    out = [] if np.isfinite(estimate) else [f"estimate is {estimate}; a finite number is needed"]
    out += wrong("residuals", residuals, (-1, -1), "control")
    out += wrong("weights", weights, (-1, *residuals.shape[1:2]), "treated unit")
    if residuals.shape[:1] == (1,):
        out.append("residuals has one control; two or more are needed")
    idle = np.flatnonzero(~weights.any(axis=1)) if weights.ndim == 2 else np.empty(0)
    if idle.size:
        out.append(f"treated unit {list_some(idle)} has no weight in the estimate; leave its row out")
    if problem := level_problem(level):
        out.append(f"{problem}, 0.95, say")
    for name, value, least in (("draws", draws, FEWEST_DRAWS), ("seed", seed, 0)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
            out.append(f"{name} is {value!r}; a whole number of at least {least} is needed")
    return out
