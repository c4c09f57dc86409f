r"""Is an effect small enough to be called none? Tests that must be passed, not merely not failed.

A p-value above 5% does not show that a programme did nothing: a wide interval is above 5% too. Equivalence
turns the burden round. A margin states, in the outcome's unit and before looking, what is too small to
matter; the null hypothesis is that the effect reaches it. With estimate :math:`\hat\theta`, standard error
s, margins :math:`L < U` and T the distribution of :math:`(\hat\theta - \theta)/s`,

.. math::
    p_L = P\{T \ge (\hat\theta - L)/s\}, \qquad p_U = P\{T \le (\hat\theta - U)/s\}, \qquad
    p = \max(p_L, p_U).

Both one-sided tests at :math:`\alpha = 1 - \text{level}` must reject, and no correction for two tests is due
(Schuirmann 1987, doi 10.1007/BF01068419). They reject just where the interval of level :math:`1 - 2\alpha`,
between the two one-sided bounds, lies inside the margins: a 90% interval at level 0.95. Non-inferiority is
one of the two sides.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from clsimpact._check import plural
from clsimpact.errors import DesignError, did_you_mean
from clsimpact.inference.draws import Line
from clsimpact.inference.multiplicity import LEVEL_ROUNDING, TIE_TOLERANCE, draws_beyond

__all__ = ["Equivalence", "non_inferiority", "two_one_sided", "two_one_sided_draws", "two_one_sided_lines"]

Floats = NDArray[np.float64]

HARMS = ("higher", "lower")
"""Directions of harm that `non_inferiority` understands."""


@dataclass(frozen=True)
class Equivalence:
    """What two one-sided tests, or one of them, say.

    Attributes
    ----------
    margin_low, margin_high : float
        The margins, in the outcome's unit; infinite on a side that is not tested.
    p_value : float
        The larger of the two; of non-inferiority, the only one.
    p_low, p_high : float
        p-values of "the effect is at or below ``margin_low``" and "at or above ``margin_high``"; NaN on a
        side that is not tested.
    conf_low, conf_high : float
        One-sided bounds at ``level`` each, together the interval of level 2 ``level`` - 1 (90% at 0.95);
        infinite on a side that is not tested.
    largest_not_ruled_out : float
        The largest absolute effect in the interval; of non-inferiority the largest harm in it, 0 where all
        harm is ruled out. A wider margin (for equivalence, -M to M) would have been met.
    equivalent : bool
        Whether ``p_value`` is at most 1 - ``level``. False shows nothing: it is no proof of an effect.
    level : float
        Confidence of each one-sided test.

    Examples
    --------
    >>> found = two_one_sided(0.1, 0.2, 30, margin=0.5)
    >>> found.margin_low, found.margin_high, found.equivalent
    (-0.5, 0.5, True)
    """

    margin_low: float
    margin_high: float
    p_value: float
    p_low: float
    p_high: float
    conf_low: float
    conf_high: float
    largest_not_ruled_out: float
    equivalent: bool
    level: float


def two_one_sided(
    estimate: float, std_error: float, df: float, *, margin: float | tuple[float, float], level: float = 0.95
) -> Equivalence:
    r"""Test that an effect lies within margins, by two one-sided t tests.

    It assumes that :math:`(\hat\theta - \theta)/s` has a t distribution with ``df`` degrees of freedom: use
    the degrees of freedom that belong to the standard error (Satterthwaite with CR2). The equations are at
    the top of this module.

    Parameters
    ----------
    estimate, std_error
        In the outcome's unit.
    df
        Degrees of freedom; ``math.inf`` is the normal distribution.
    margin
        In the outcome's unit: M for -M to M, or a pair. A pair that leaves out 0 asks whether the effect lies
        in that range.
    level
        Confidence of each one-sided test, above 0.5.

    Returns
    -------
    Equivalence

    Raises
    ------
    DesignError
        A number that is missing or not finite, a standard error or degrees of freedom not above 0, margins
        not in order, or a level not between 0.5 and 1.

    References
    ----------
    Schuirmann (1987), doi 10.1007/BF01068419.

    Examples
    --------
    £2 per adult is ruled out, £1.50 is not:

    >>> found = two_one_sided(0.6, 0.6, math.inf, margin=2.0)
    >>> found.equivalent, round(found.p_value, 4), round(found.largest_not_ruled_out, 4)
    (True, 0.0098, 1.5869)
    """
    effect = _checked(estimate, std_error, level)
    return _both(effect, _checked_df(df), margin, level)


def two_one_sided_draws(
    estimate: float,
    std_error: float,
    draws: Floats,
    *,
    margin: float | tuple[float, float],
    level: float = 0.95,
) -> Equivalence:
    r"""Test that an effect lies within margins, with tails of draws in place of the t distribution.

    .. math::
        p_L = \frac{1 + \#\{b : t^*_b \ge (\hat\theta - L)/s\}}{B + 1}, \qquad
        p_U = \frac{1 + \#\{b : t^*_b \le (\hat\theta - U)/s\}}{B + 1}

    It assumes that the draws have the distribution of :math:`(\hat\theta - \theta)/s` at any effect in
    question; they need not be symmetric. Draws made with no effect imposed serve where an effect only shifts
    the outcome. The interval is the set of margins that these tests do not reject.

    Parameters
    ----------
    estimate, std_error
        In the outcome's unit.
    draws
        t statistics centred at zero (B): (draw - centre) / standard error of the draw.
    margin
        In the outcome's unit: M for -M to M, or a pair.
    level
        Confidence of each one-sided test, above 0.5.

    Returns
    -------
    Equivalence

    Raises
    ------
    DesignError
        As `two_one_sided`; draws that are missing, or too few for the level.

    References
    ----------
    Schuirmann (1987), doi 10.1007/BF01068419; p-values of draws: Phipson and Smyth (2010), doi
    10.2202/1544-6115.1585.

    Examples
    --------
    >>> draws = np.linspace(-1.9, 1.9, 39)
    >>> found = two_one_sided_draws(0.0, 1.0, draws, margin=1.85)
    >>> found.p_low, found.equivalent, round(found.conf_low, 4), round(found.conf_high, 4)
    (0.05, True, -1.8, 1.8)
    """
    effect = _checked(estimate, std_error, level)
    return _both(effect, _checked_draws(draws), margin, level)


def two_one_sided_lines(
    estimate: float,
    std_error: float,
    line: Line,
    *,
    margin: float | tuple[float, float],
    level: float = 0.95,
) -> Equivalence:
    """Run both one-sided tests by draws under each margin, for methods that impose the hypothesis.

    Parameters
    ----------
    estimate, std_error
        In the outcome's unit.
    line
        Statistics of the draws at every hypothesis (`clsimpact.inference.draws`).
    margin, level
        As in `two_one_sided`.

    Returns
    -------
    Equivalence

    Raises
    ------
    DesignError
        As `two_one_sided`.

    Examples
    --------
    >>> draws, one = np.linspace(-3, 3, 99), np.ones(99)
    >>> line = Line(draws, 0 * one, one, 0 * one, 0 * one)
    >>> found = two_one_sided_lines(0.0, 1.0, line, margin=2.9)
    >>> found.p_value, round(found.conf_high, 2)
    (0.03, 2.76)
    """
    estimate, std_error = _checked(estimate, std_error, level)
    low, high = _margins(margin)
    p_low = line.one_sided((estimate - low) / std_error, 1.0)
    p_high = line.one_sided((estimate - high) / std_error, -1.0)
    down, up = (line.reach(level, side) * std_error for side in (1.0, -1.0))
    return _found((low, high), (p_low, p_high), (estimate - down, estimate + up), level)


def non_inferiority(
    estimate: float,
    std_error: float,
    df_or_draws: float | Floats,
    *,
    margin: float,
    harm: Literal["higher", "lower"] = "higher",
    level: float = 0.95,
) -> Equivalence:
    r"""Test that a programme does no more harm than a margin: one side of `two_one_sided`.

    With ``harm="higher"`` the null is :math:`\theta \ge M` and the p-value is :math:`p_U` at :math:`U = M`;
    with ``harm="lower"`` it is :math:`\theta \le -M` and :math:`p_L` at :math:`L = -M`. Assumptions are those
    of `two_one_sided`, or of `two_one_sided_draws` if draws are given.

    Parameters
    ----------
    estimate, std_error
        In the outcome's unit.
    df_or_draws
        Degrees of freedom of a t distribution, or t statistics centred at zero (B).
    margin
        M, in the outcome's unit: the harm that would just matter, 0 or more.
    harm
        Whether a ``"higher"`` or a ``"lower"`` outcome is harm.
    level
        Confidence of the test, above 0.5.

    Returns
    -------
    Equivalence
        With an infinite margin and bound, and no p-value, on the side that is not tested.

    Raises
    ------
    DesignError
        As `two_one_sided` and `two_one_sided_draws`; a margin below 0, or ``harm`` not known.

    References
    ----------
    Schuirmann (1987), doi 10.1007/BF01068419.

    Examples
    --------
    >>> found = non_inferiority(-1.0, 0.5, 40, margin=0.5)
    >>> found.equivalent, found.margin_low, found.largest_not_ruled_out
    (True, -inf, 0.0)
    """
    estimate, std_error = _checked(estimate, std_error, level)
    margin = _checked_harm(margin, harm)
    tail = _checked_df(df_or_draws) if np.ndim(df_or_draws) == 0 else _checked_draws(df_or_draws)
    if harm == "higher":
        p, reach = _side(margin - estimate, std_error, _mirrored(tail), level)
        sides = {"margin_low": -math.inf, "p_low": math.nan, "conf_low": -math.inf}
        sides |= {"margin_high": margin, "p_high": p, "conf_high": estimate + reach}
    else:
        p, reach = _side(estimate + margin, std_error, tail, level)
        sides = {"margin_low": 0.0 - margin, "p_low": p, "conf_low": estimate - reach}
        sides |= {"margin_high": math.inf, "p_high": math.nan, "conf_high": math.inf}
    harmful = sides["conf_high"] if harm == "higher" else -sides["conf_low"]
    return Equivalence(
        **sides,
        p_value=p,
        largest_not_ruled_out=max(0.0, harmful),
        equivalent=p <= 1 - level + LEVEL_ROUNDING,
        level=float(level),
    )


def _both(
    effect: tuple[float, float], tail: float | Floats, margin: float | tuple[float, float], level: float
) -> Equivalence:
    """Run both one-sided tests of an estimate with its standard error."""
    (estimate, std_error), (low, high) = effect, _margins(margin)
    p_low, down = _side(estimate - low, std_error, tail, level)
    p_high, up = _side(high - estimate, std_error, _mirrored(tail), level)
    return _found((low, high), (p_low, p_high), (estimate - down, estimate + up), level)


def _found(
    margins: tuple[float, float], p_values: tuple[float, float], ends: tuple[float, float], level: float
) -> Equivalence:
    """Return what both one-sided tests say."""
    (low, high), (p_low, p_high) = margins, p_values
    p = max(p_values)
    return Equivalence(
        margin_low=low,
        margin_high=high,
        p_value=p,
        p_low=p_low,
        p_high=p_high,
        conf_low=ends[0],
        conf_high=ends[1],
        largest_not_ruled_out=max(abs(ends[0]), abs(ends[1])),
        equivalent=p <= 1 - level + LEVEL_ROUNDING,
        level=float(level),
    )


def _side(gap: float, std_error: float, tail: float | Floats, level: float) -> tuple[float, float]:
    """Return P(T >= gap / s), and the largest gap that is not rejected (in the outcome's unit)."""
    t = float(gap / std_error)
    if isinstance(tail, float):
        return float(stdtr(tail, -t)), float(stdtrit(tail, level) * std_error)
    count = int((tail >= t - TIE_TOLERANCE * abs(t)).sum())
    critical = np.sort(tail)[-1 - draws_beyond(len(tail), level)]
    return (1 + count) / (len(tail) + 1), float(critical * std_error)


def _mirrored(tail: float | Floats) -> float | Floats:
    """Return the distribution of -T: the t distribution is its own mirror, draws change sign."""
    return tail if isinstance(tail, float) else -tail


def _checked(estimate: float, std_error: float, level: float) -> tuple[float, float]:
    """Return an estimate and its standard error; refuse what no test can be made of, all at once."""
    problems = []
    if not math.isfinite(estimate):
        problems.append(f"estimate is {float(estimate)!r}: a finite number is needed")
    if not 0 < std_error < math.inf:
        problems.append(f"std_error is {float(std_error)!r}: a finite number above 0 is needed")
    if not 0.5 < level < 1:
        near = f" (did you mean {1 - level:g}?)" if 0 < level < 0.5 else ""
        problems.append(f"level is {float(level)!r}: a number above 0.5 and below 1 is needed{near}")
    if problems:
        raise DesignError(
            "No one-sided test can be made.",
            problems,
            repair="Take a term that is identified, with its own standard error, and a level such as 0.95.",
        )
    return float(estimate), float(std_error)


def _checked_harm(margin: float, harm: str) -> float:
    """Return the margin of non-inferiority."""
    if harm not in HARMS:
        raise DesignError(
            f"harm is {harm!r}{did_you_mean(str(harm), HARMS)}.", repair=f"Use one of {', '.join(HARMS)}."
        )
    if np.ndim(margin) or not 0 <= margin < math.inf:
        raise DesignError(
            f"margin is {margin!r}: one finite number of 0 or more is needed.",
            repair="Give the harm that would just matter, and name its direction with harm.",
        )
    return float(margin)


def _checked_df(df: float | Floats) -> float:
    """Return degrees of freedom."""
    if np.ndim(df) != 0:
        raise DesignError(
            f"df has shape {np.shape(df)}: one number is needed.",
            repair="Give degrees of freedom here, and draws to two_one_sided_draws.",
        )
    if not df > 0:
        raise DesignError(
            f"df is {float(df)!r}: a number above 0 is needed.",
            repair="Use the degrees of freedom of the standard error, or math.inf for the normal.",
        )
    return float(df)


def _checked_draws(draws: float | Floats) -> Floats:
    """Return draws of one t statistic."""
    values = np.asarray(draws, dtype=float)
    if values.ndim != 1 or not len(values):
        raise DesignError(
            f"draws have shape {values.shape}; one row is needed.",
            repair="Pass the draws of one term (B), with B of 1 or more.",
        )
    missing = int(np.isnan(values).sum())
    if missing:
        raise DesignError(
            f"{missing} of {plural(len(values), 'draw')} are missing.",
            repair="Leave them out, if it is known why they are missing.",
        )
    return values


def _margins(margin: float | tuple[float, float]) -> tuple[float, float]:
    """Return both margins."""
    try:
        given = np.asarray(margin, dtype=float)
    except (TypeError, ValueError):
        raise DesignError(
            f"margin is {margin!r}: a number in the unit of the outcome, or a pair, is needed.",
            repair="Give what is too small to matter, such as 20, or (-10, 20).",
        ) from None
    if given.shape not in ((), (2,)):
        raise DesignError(
            f"margin has shape {given.shape}: one number or a pair is needed.",
            repair="Use margin=2.0 for -2 to 2, or margin=(-1.0, 2.0).",
        )
    low, high = (float(m) for m in (given if given.ndim else (-given, given)))
    if not -math.inf < low < high < math.inf:
        raise DesignError(
            f"margins {low!r} to {high!r} are no range.",
            repair="Use a finite number above 0, or a pair with the lower end first; one side only is "
            "non_inferiority.",
        )
    return low, high
