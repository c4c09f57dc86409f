r"""HonestDiD: how far trends may differ after adoption before a conclusion falls.

Parallel trends are not tested here but relaxed. With :math:`\hat\beta` the path of an event study around its
reference, :math:`\beta = \tau + \delta`: effects :math:`\tau` (zero before adoption) and a difference in
trends :math:`\delta`. Two ways to bound :math:`\delta` by what was seen before adoption:

- *relative magnitudes*: no step of :math:`\delta` after the reference exceeds :math:`\bar M` times the
  largest step before it;
- *smoothness*: the slope of :math:`\delta` changes by at most M from one period to the next, so that M = 0
  carries the straight line before adoption on.

Each value of the bound has an interval for :math:`\theta = l'\tau_{post}`, valid whatever :math:`\delta`
within the bound. The breakdown value is how far the bound can go before the interval holds zero.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from clsimpact.diagnostics import _honest_words
from clsimpact.diagnostics._honest_conditional import HYBRID_SHARE, critical_values, ends, reached
from clsimpact.diagnostics._honest_flci import fixed_length, frontier
from clsimpact.diagnostics._honest_input import (
    Path,
    from_arrays,
    from_fit,
    level_of,
    warned,
    weighted,
    widened,
)
from clsimpact.diagnostics._honest_pieces import Pieces, steps
from clsimpact.errors import DesignError, did_you_mean

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from clsimpact.design import Design
    from clsimpact.results import Estimate
    from clsimpact.saved import SavedEstimate

__all__ = ["METHODS", "HonestDiD", "honest_did"]

Floats = NDArray[np.float64]

Intervals = Callable[[Floats], tuple[Floats, Floats]]
Holds = Callable[[Floats], NDArray[np.bool_]]

METHODS = ("relative_magnitudes", "smoothness")

MAGNITUDES = (0.5, 1.0, 1.5, 2.0)
"""Relative magnitudes that are looked at by default."""

ROUNDS, PER_ROUND = 11, 9
"""The root search keeps one of 8 parts in each round: 8 ** -11 of the first bracket."""

FURTHEST = 2.0**20
"""Bounds beyond this many units are not looked at."""


@dataclass(frozen=True, eq=False, repr=False)
class HonestDiD:
    """Intervals that hold under bounded violations of parallel trends.

    Attributes
    ----------
    method : str
        ``"relative_magnitudes"`` or ``"smoothness"``.
    kind : str
        ``"C-LF"`` (conditional, least-favourable hybrid), ``"conditional"``, or ``"FLCI"``.
    estimand : dict
        Weight of each event time after the reference.
    estimate : float
        The estimand under parallel trends.
    original : tuple of float
        Its interval under parallel trends.
    grid, conf_low, conf_high : float arrays (G)
        Bounds, and the interval at each.
    breakdown : float
        The largest bound up to which every interval excludes zero. NaN: the interval at bound 0 holds zero
        already. Infinite: no bound up to about a million units brings zero in.
    level : float
    df : float
        Degrees of freedom behind the critical values; infinite is the normal, as in the paper.
    path : Path
        Coefficients, covariance, event times, the result they are from, and notes on all of these.

    Examples
    --------
    See `honest_did`.
    """

    method: str
    kind: str
    estimand: dict[int, float]
    estimate: float
    original: tuple[float, float]
    grid: Floats
    conf_low: Floats
    conf_high: Floats
    breakdown: float
    level: float
    df: float
    path: Path

    @property
    def design(self) -> Design | None:
        """The design behind the path; None for bare arrays."""
        return None if self.path.fit is None else self.path.fit.design

    @property
    def notes(self) -> tuple[str, ...]:
        """Choices that the reader must know."""
        return self.path.notes

    def tidy(self) -> pd.DataFrame:
        """One row per bound: ``grid, conf_low, conf_high``.

        Examples
        --------
        >>> found = honest_did(beta=[0.0, 3.0], sigma=np.eye(2) / 4, n_pre=1, n_post=1, grid=[0.5])
        >>> found.tidy().columns.tolist()
        ['grid', 'conf_low', 'conf_high']
        """
        columns = {"grid": self.grid, "conf_low": self.conf_low, "conf_high": self.conf_high}
        return pd.DataFrame({name: values.copy() for name, values in columns.items()})

    def summary(self) -> str:
        """Bound, intervals and what follows from them, as text (deterministic).

        Examples
        --------
        >>> found = honest_did(beta=[0.0, 3.0], sigma=np.eye(2) / 4, n_pre=1, n_post=1, grid=[0.5])
        >>> print(found.summary().splitlines()[-1])
        The original interval excludes zero; it stays out until Mbar = 3.47.
        """
        return _honest_words.summary(self)

    def plot(self, *, ax: Axes | None = None) -> Axes:
        """Draw the intervals and return the axes (see `clsimpact.plots.honest_did.honest_did_figure`).

        Examples
        --------
        >>> from matplotlib.figure import Figure
        >>> found = honest_did(beta=[0.0, 3.0], sigma=np.eye(2) / 4, n_pre=1, n_post=1)
        >>> found.plot(ax=Figure().add_subplot()).get_ylabel()
        ''
        """
        from clsimpact.plots.honest_did import plot_axes

        return plot_axes(self, ax=ax)

    def __repr__(self) -> str:
        return _honest_words.short(self)

    def _repr_html_(self) -> str:
        return _honest_words.html_table(self)


def honest_did(
    fit: Estimate | SavedEstimate | None = None,
    *,
    beta: ArrayLike | None = None,
    sigma: ArrayLike | None = None,
    n_pre: int | None = None,
    n_post: int | None = None,
    method: Literal["relative_magnitudes", "smoothness"] = "relative_magnitudes",
    grid: Sequence[float] | NDArray[np.float64] | None = None,
    estimand: str | Sequence[float] | Mapping[int, float] | NDArray[np.float64] | None = None,
    level: float | None = None,
    hybrid: bool = True,
    df: float | None = None,
) -> HonestDiD:
    r"""Bound what a difference in trends could do to an effect, and find where the conclusion falls.

    With :math:`\delta` the difference in trends, zero at the reference, and t counting event time,

    .. math::
        \Delta^{RM}(\bar M) &= \{\delta : |\delta_{t+1} - \delta_t| \le \bar M \max_{s < ref}
        |\delta_{s+1} - \delta_s|,\ t \ge ref\} \\
        \Delta^{SD}(M) &= \{\delta : |(\delta_{t+1} - \delta_t) - (\delta_t - \delta_{t-1})| \le M\}.

    *Relative magnitudes*: for each step before the reference that may be the largest, and each sign, the
    moment inequalities are tested by Andrews, Roth and Pakes' conditional test (hybrid with the
    least-favourable critical value at :math:`\kappa = \alpha/10`). The interval runs between the outermost
    effects that some piece does not reject; its ends are found by bisection, so that no grid cuts it. Only
    inequalities on steps after the reference enter. *Smoothness*: the shortest fixed-length interval around a
    linear estimator, over its exact frontier of bias and variance. No draws are made.

    Parameters
    ----------
    fit
        A result with effects by event time, also one of `clsimpact.load_estimate`. Effects by cohort and
        period are averaged by event time first, against one base period. Coefficients are those of the
        longest run of consecutive event times around the reference; the rest is named in ``notes``. The
        covariance is the result's own: where intervals come from draws, as by default with few adopters, it
        is the one that studentises them (``"path"``, CR2 around one path).
    beta, sigma
        Instead of a result: coefficients (n) and covariance (n, n), event times in order, without reference.
    n_pre, n_post
        With arrays: how many of them come before and after the reference.
    method
        ``"relative_magnitudes"`` or ``"smoothness"``.
    grid
        Bounds to look at, 0 or more. By default 0.5, 1, 1.5 and 2 for relative magnitudes; for smoothness
        five from 0 to the largest change of slope among the coefficients before adoption (with one of them,
        its size).
    estimand
        ``"average"`` over event times from 0 (the default with a result), ``"first"`` (event time 0, the
        default with arrays, as in R), or weights of the event times after the reference: in order, or as
        ``{event time: weight}``.
    level
        Confidence level; by default that of the result, or 0.95.
    hybrid
        False: the conditional test alone. Relative magnitudes only.
    df
        Degrees of freedom. The paper's critical values are the normal's; with few adopters they are too
        small. The covariance is scaled so that the original interval is that of t with these degrees of
        freedom: an approximation that is not in the paper. By default those of the estimand in the result
        (of a saved one the least of its event times), infinite for arrays; ``df=math.inf`` gives the paper's
        intervals. Smoothness needs more than that: with 25 treated clusters or fewer a note says how often
        its intervals missed a known truth.

    Returns
    -------
    HonestDiD

    Raises
    ------
    DesignError
        Both or neither of a result and arrays; arrays of other sizes, with missing numbers, or a covariance
        that is not positive definite; no consecutive event times on both sides of the reference (those that
        are missing are named); a method, bound, estimand or level that cannot be used.

    References
    ----------
    Rambachan and Roth (2023), doi 10.1093/restud/rdad018; Andrews, Roth and Pakes (2023), doi
    10.1093/restud/rdad004; fixed-length intervals: Armstrong and Kolesár (2018), doi 10.3982/ECTA14434.

    Examples
    --------
    >>> from clsimpact.datasets import example_design
    >>> from clsimpact.estimators import event_study
    >>> found = honest_did(event_study(example_design()), grid=[0, 0.5, 1])
    >>> found
    HonestDiD of lemp (relative magnitudes, C-LF): zero excluded up to Mbar = 0.483
    >>> found.tidy().round(3)
       grid  conf_low  conf_high
    0   0.0    -0.108     -0.035
    1   0.5    -0.146      0.002
    2   1.0    -0.198      0.055
    """
    if method not in METHODS:
        raise DesignError(
            f"method is {method!r}{did_you_mean(str(method), METHODS)}.",
            repair=f"Use one of {', '.join(METHODS)}.",
        )
    arrays = [value is not None for value in (beta, sigma, n_pre, n_post)]
    if (fit is not None) == any(arrays):
        raise DesignError(
            "A result or arrays are needed, and not both.",
            repair="ci.honest_did(fit), or ci.honest_did(beta=, sigma=, n_pre=, n_post=).",
        )
    level = level_of(fit, level, "honest_did")
    given = from_arrays(beta, sigma, n_pre, n_post) if fit is None else from_fit(fit)
    weights = weighted(given, estimand)
    path, df = widened(warned(given, method), weights, df, level)
    return _found(path, weights, method, _bounds(grid, path, method), level, hybrid, df)


def _found(
    path: Path, weights: Floats, method: str, grid: Floats, level: float, hybrid: bool, df: float
) -> HonestDiD:
    """Scale to the standard error of the estimand, and compute."""
    n_pre = path.n_pre
    post = path.sigma[n_pre:, n_pre:]
    error = math.sqrt(weights @ post @ weights)
    unit = 1.0 if method == "relative_magnitudes" else error
    beta, sigma = path.beta / error, path.sigma / error**2
    if method == "smoothness":
        intervals, holds_zero = _smooth(beta, sigma, n_pre, weights, level)
    else:
        intervals, holds_zero = _relative(beta, sigma, n_pre, weights, level, hybrid)
    low, high = intervals(grid / unit)
    kind = "FLCI" if method == "smoothness" else "C-LF" if hybrid else "conditional"
    estimate, reach = float(weights @ path.beta[n_pre:]), float(ndtri(0.5 + level / 2)) * error
    times = [time for time in path.times if time > path.reference]
    return HonestDiD(
        method=method,
        kind=kind,
        estimand=dict(zip(times, weights.tolist(), strict=True)),
        estimate=estimate,
        original=(estimate - reach, estimate + reach),
        grid=grid,
        conf_low=low * error,
        conf_high=high * error,
        breakdown=_breakdown(holds_zero) * unit,
        level=level,
        df=df,
        path=path,
    )


def _relative(
    beta: Floats, sigma: Floats, n_pre: int, weights: Floats, level: float, hybrid: bool
) -> tuple[Intervals, Holds]:
    """Return functions of the bounds: the intervals, and whether they hold zero."""
    alpha = 1 - level

    def made(grid: Floats) -> tuple[Pieces, Floats | None]:
        pieces = steps(beta, sigma, n_pre, weights, grid)
        return pieces, critical_values(pieces, alpha / HYBRID_SHARE) if hybrid else None

    def intervals(grid: Floats) -> tuple[Floats, Floats]:
        pieces, cut = made(grid)
        return ends(pieces, alpha, cut)

    def holds_zero(grid: Floats) -> NDArray[np.bool_]:
        pieces, cut = made(grid)
        return reached(pieces, 0.0, alpha, cut)

    return intervals, holds_zero


def _smooth(
    beta: Floats, sigma: Floats, n_pre: int, weights: Floats, level: float
) -> tuple[Intervals, Holds]:
    """Return the same functions for smoothness."""
    trade = frontier(sigma, n_pre, weights)

    def intervals(grid: Floats) -> tuple[Floats, Floats]:
        low, high, _ = fixed_length(trade, beta, grid, level)
        return low, high

    def holds_zero(grid: Floats) -> NDArray[np.bool_]:
        low, high = intervals(grid)
        return np.asarray((low <= 0) & (high >= 0))

    return intervals, holds_zero


def _breakdown(holds_zero: Holds) -> float:
    """Return the bound at which the interval first holds zero, NaN where it does from the start."""
    looked = np.concatenate([[0.0], 2.0 ** np.arange(-5, 4)])
    holds = holds_zero(looked)
    while not holds.any() and looked[-1] < FURTHEST:
        looked = looked[-1] * 2.0 ** np.arange(9)
        holds = holds_zero(looked)
    if not holds.any():
        return math.inf
    first = int(holds.argmax())
    if looked[first] == 0:
        return math.nan
    low, high = float(looked[first - 1]), float(looked[first])
    for _ in range(ROUNDS):
        parts = np.linspace(low, high, PER_ROUND)
        holds = holds_zero(parts[1:-1])
        first = int(holds.argmax()) if holds.any() else PER_ROUND - 2
        low, high = float(parts[first]), float(parts[first + 1])
    return low


def _bounds(grid: Sequence[float] | NDArray[np.float64] | None, path: Path, method: str) -> Floats:
    """Return the bounds to look at."""
    if grid is None:
        if method == "relative_magnitudes":
            return np.array(MAGNITUDES)
        before = np.append(path.beta[: path.n_pre], 0.0)
        changes = np.diff(before, n=2) if path.n_pre > 1 else before[:1]
        top = float(np.abs(changes).max())
        return np.linspace(0, float(f"{top:.2g}"), 5)
    try:
        values = np.atleast_1d(np.array(grid, dtype=float))
    except (TypeError, ValueError):
        raise DesignError(f"grid is {grid!r}: numbers are needed.", repair="Use grid=[0.5, 1, 2].") from None
    if values.ndim != 1 or not len(values) or not np.isfinite(values).all() or (values < 0).any():
        raise DesignError(
            f"grid is {np.array2string(values, threshold=8)}: finite bounds of 0 or more are needed.",
            repair="Use grid=[0.5, 1, 2].",
        )
    return values
