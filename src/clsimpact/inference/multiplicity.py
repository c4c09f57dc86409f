r"""Several hypotheses at once: adjusted p-values and simultaneous critical values.

Each function takes what one test per term would use and returns the same, made safe for the whole family: at
a true null everywhere, the chance that *any* adjusted p-value is at most :math:`\alpha` is at most
:math:`\alpha`. *Statistics* are t statistics of the m terms, *draws* (B, m) the same statistics under the
null (permutations of adoption, wild bootstrap with the null imposed). All tests are two-sided. With
observed :math:`t_k` and draws :math:`t^*_{bk}`:

================  ===========================================================  ==============================
function          compares                                                     when
================  ===========================================================  ==============================
`holm`            :math:`(m - j + 1)\,p_{(j)}`                                 p-values only, no draws
`max_t`           :math:`|t_k|` with :math:`\max_l |t^*_{bl}|`                 the twin of a simultaneous band
`romano_wolf`     the same, over the terms not yet rejected                    which terms; never weaker
`min_p`           each column's own rank p-value, with its least over terms    some columns heavy-tailed
================  ===========================================================  ==============================

A p-value of draws counts the observed row among them, :math:`(1 + \#\{b : \ldots\})/(B + 1)`: it is never
zero, and where the observed row and the draws are exchangeable the test is exact at any B (Phipson and Smyth
2010, doi 10.2202/1544-6115.1585). A draw as large as the observed one counts against it. Terms that are NaN
are no hypotheses: they stay NaN and do not count.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from clsimpact._check import plural
from clsimpact.errors import DesignError, list_some

__all__ = ["critical_values", "draws_beyond", "holm", "max_t", "min_p", "romano_wolf"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

TIE_TOLERANCE = 1e-10
"""Relative gap below which two statistics are one number summed in another order: a tie, which counts.

Sums leave 1e-14; of a million draws the nearest to a statistic that is not it lies about 1e-6 away."""

LEVEL_ROUNDING = 1e-12
"""``1 - 0.9`` is just below a tenth in floating point; a p-value this close to 1 - level is at it.

Sums of a few such numbers are off by 1e-16 each; the least step of a share of draws is 1e-6, of a million."""


def holm(p_values: Floats) -> Floats:
    r"""Adjust p-values by Holm's step-down method, which holds under any dependence.

    With the p-values in rising order, :math:`p_{(1)} \le \dots \le p_{(m)}`,

    .. math:: \tilde p_{(j)} = \min\{1,\ \max_{i \le j}\ (m - i + 1)\, p_{(i)}\}.

    The only assumption is that each p-value is valid on its own. It ignores that terms move together, so that
    `romano_wolf` rejects more where there are draws.

    Parameters
    ----------
    p_values
        Unadjusted p-values (m), between 0 and 1; NaN stays NaN and does not count towards m.

    Returns
    -------
    float array (m)
        Adjusted p-values, in the order given.

    Raises
    ------
    DesignError
        Not one row of p-values, or one outside 0 to 1.

    References
    ----------
    Holm (1979), "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics
    6, 65-70, jstor.org/stable/4615733.

    Examples
    --------
    >>> holm(np.array([0.04, 0.01, np.nan, 0.03])).tolist()
    [0.06, 0.03, nan, 0.06]
    """
    p = np.asarray(p_values, dtype=float)
    if p.ndim != 1:
        raise DesignError(f"p-values have shape {p.shape}; one row is needed.", repair="Pass an array (m).")
    outside = np.flatnonzero((p < 0) | (p > 1))
    if outside.size:
        raise DesignError(
            "p-values lie between 0 and 1.",
            [f"position {i}: {float(p[i])!r}" for i in outside],
            repair="Pass p-values, not statistics or per cents.",
        )
    used = ~np.isnan(p)
    family = p[used]
    order = np.argsort(family, kind="stable")
    steps = family[order] * np.arange(len(family), 0, -1)
    adjusted = np.empty_like(family)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return _whole(adjusted, used)


def max_t(statistics: Floats, draws: Floats) -> Floats:
    r"""Adjust for several tests by the largest statistic of each draw, in a single step.

    .. math:: \tilde p_k = \frac{1 + \#\{b : \max_l |t^*_{bl}| \ge |t_k|\}}{B + 1}

    It assumes that the draws have the joint distribution of the statistics when every null is true. The
    smallest :math:`\tilde p_k` is the p-value of the joint null. :math:`\tilde p_k \le 1 - \text{level}`
    exactly where :math:`|t_k|` exceeds the critical value of `critical_values`, so that table and band never
    disagree.

    Parameters
    ----------
    statistics
        t statistics (m).
    draws
        The same under the null (B, m). A column that is NaN, or whose statistic is NaN, is left out.

    Returns
    -------
    float array (m)
        Adjusted p-values; NaN for the terms left out.

    Raises
    ------
    DesignError
        Shapes that do not fit, no draws, or a column with some draws missing.

    References
    ----------
    Westfall and Young (1993), "Resampling-based multiple testing", Wiley, algorithm 2.5.

    Examples
    --------
    >>> draws = np.array([[0.5, -2.5], [1.0, 0.0], [-3.5, 1.0]])
    >>> max_t(np.array([3.0, -1.0]), draws).tolist()
    [0.5, 1.0]
    """
    observed, absolute, used = _family(statistics, draws)
    largest = absolute.max(axis=1, initial=0.0)
    count = (largest[:, None] >= _threshold(observed)).sum(axis=0)
    return _whole((1 + count) / (len(absolute) + 1), used)


def romano_wolf(statistics: Floats, draws: Floats) -> Floats:
    r"""Adjust for several tests step by step: each term faces only the terms not yet rejected.

    With the terms in falling order, :math:`|t_{(1)}| \ge \dots \ge |t_{(m)}|`,

    .. math::
        \tilde p_{(j)} = \max_{i \le j} \frac{1 + \#\{b : \max_{l \ge i} |t^*_{b(l)}| \ge |t_{(i)}|\}}{B + 1}.

    It assumes that, for each set of true nulls, the draws of those terms have their joint distribution
    whatever the other terms do (subset pivotality), and uses the dependence between terms that `holm`
    ignores. No adjusted p-value is above the one of `max_t`, nor below the term's own.

    Parameters
    ----------
    statistics
        t statistics (m).
    draws
        The same under the null (B, m). A column that is NaN, or whose statistic is NaN, is left out.

    Returns
    -------
    float array (m)
        Adjusted p-values; NaN for the terms left out.

    Raises
    ------
    DesignError
        Shapes that do not fit, no draws, or a column with some draws missing.

    References
    ----------
    Romano and Wolf (2005), doi 10.1198/016214504000000539; the p-values: Romano and Wolf (2016), doi
    10.1016/j.spl.2016.02.012.

    Examples
    --------
    The first term faces both columns, the second its own only; the first of `max_t` is the same:

    >>> draws = np.array([[0.5, -2.5], [1.0, 0.0], [-3.5, 0.5]])
    >>> romano_wolf(np.array([4.0, -2.0]), draws).tolist()
    [0.25, 0.5]
    >>> max_t(np.array([4.0, -2.0]), draws).tolist()
    [0.25, 0.75]
    """
    observed, absolute, used = _family(statistics, draws)
    order = np.argsort(-observed, kind="stable")
    rest = np.maximum.accumulate(absolute[:, order[::-1]], axis=1)[:, ::-1]
    count = (rest >= _threshold(observed[order])).sum(axis=0)
    adjusted = np.empty_like(observed)
    adjusted[order] = np.maximum.accumulate((1 + count) / (len(absolute) + 1))
    return _whole(adjusted, used)


def min_p(statistics: Floats, draws: Floats) -> tuple[float, Floats]:
    r"""Test several nulls at once so that each term counts alike, whatever the tails of its statistic.

    The observed row is row 0 of B + 1. Each entry becomes the rank p-value of its own column, and each row
    keeps the least of its terms:

    .. math::
        p_{bk} = \frac{\#\{a : |t_{ak}| \ge |t_{bk}|\}}{B + 1}, \qquad
        \tilde p_k = \frac{\#\{b : \min_l p_{bl} \le p_{0k}\}}{B + 1}, \qquad
        p_\text{joint} = \min_k \tilde p_k .

    In `max_t` a term whose t statistic has heavy tails (few treated units behind it) supplies most maxima and
    hides the others; here ranks replace sizes, and only the draws' joint distribution under all nulls is
    assumed. Ranks are coarse: up to m draws hold the record of a column, so that no p-value may be below
    about m / (B + 1). Draw far more often than there are terms.

    Parameters
    ----------
    statistics
        t statistics (m).
    draws
        The same under the null (B, m). A column that is NaN, or whose statistic is NaN, is left out.

    Returns
    -------
    p_joint : float
        p-value of the joint null (an omnibus test, such as no pre-trend at any lead); NaN without a term.
    adjusted : float array (m)
        Single-step adjusted p-values; NaN for the terms left out.

    Raises
    ------
    DesignError
        Shapes that do not fit, no draws, or a column with some draws missing.

    References
    ----------
    Westfall and Young (1993), "Resampling-based multiple testing", Wiley, section 2.3.

    Examples
    --------
    The first column has heavy tails; the second term is as far out in its own column as can be:

    >>> draws = np.array([[90.0, 0.1], [-80.0, 0.3], [1.0, -0.2], [2.0, 0.4]])
    >>> joint, adjusted = min_p(np.array([3.0, 5.0]), draws)
    >>> joint, adjusted.tolist(), max_t(np.array([3.0, 5.0]), draws).tolist()
    (0.4, [0.8, 0.4], [0.6, 0.6])
    """
    observed, absolute, used = _family(statistics, draws)
    if not used.any():
        return math.nan, _whole(observed, used)
    ranks = _ranks(np.vstack([observed, absolute]))
    count = (ranks.min(axis=1)[:, None] <= ranks[0]).sum(axis=0)
    adjusted = count / (len(absolute) + 1)
    return float(adjusted.min()), _whole(adjusted, used)


def critical_values(draws: Floats, level: float, *, balanced: bool) -> Floats:
    r"""Return critical values of a simultaneous band: estimate -/+ critical value times standard error.

    Not balanced: one value for all terms, the draw of :math:`\max_l |t^*_{bl}|` that `max_t` would just not
    reject. Balanced: for each column its own quantile at a tail share s common to all,

    .. math:: c_k = \min\{c : \#\{b : |t^*_{bk}| > c\} < sB\},

    with s as large as it may be while at most :math:`(1 - \text{level})(B + 1) - 1` draws are among the sB
    largest of any column. So each term is as likely to leave the band as any other, and a term with a
    heavy-tailed statistic does not widen the band of the rest. Either way at most a share 1 - level of the
    draws leaves the band somewhere. The observed row counts among the draws, which makes the coverage at
    least the level where they are exchangeable: :math:`|t_k| > c_k` exactly where `max_t` gives at most
    1 - level, and, if balanced, only where `min_p` does. With one column both are the same.
    With more, balancing makes the band wider than exact by one rank: up to m / (B + 1) of coverage.

    Parameters
    ----------
    draws
        t statistics centred at zero (B, m): (draw - centre) / standard error of the draw. A column of NaN is
        left out.
    level
        Simultaneous coverage, between 0 and 1.
    balanced
        Whether each column has its own value, at a common tail share.

    Returns
    -------
    float array (m)
        Critical values; NaN for the columns left out.

    Raises
    ------
    DesignError
        Level not between 0 and 1, no draws, a column with some draws missing, or too few draws.

    References
    ----------
    Montiel Olea and Plagborg-Møller (2019), doi 10.1002/jae.2656; Romano and Wolf (2005), doi
    10.1198/016214504000000539.

    Examples
    --------
    >>> draws = np.column_stack([np.arange(1.0, 40.0), 10 * np.arange(39.0, 0.0, -1.0)])
    >>> critical_values(draws, 0.9, balanced=False).tolist()
    [360.0, 360.0]
    >>> critical_values(draws, 0.8, balanced=True).tolist()
    [37.0, 370.0]
    """
    observed, absolute, used = _family(None, draws)
    if balanced and len(observed) > 1:
        return _whole(_common_share(absolute, level), used)
    largest = np.sort(absolute.max(axis=1, initial=0.0))
    reached = largest[-1 - draws_beyond(len(largest), level)]
    return _whole(np.full_like(observed, reached), used)


def draws_beyond(n_draws: int, level: float) -> int:
    r"""Return how many draws may lie beyond an observed value that is still rejected.

    .. math:: \lfloor (1 - \text{level})(B + 1) \rfloor - 1

    Parameters
    ----------
    n_draws
        B.
    level
        Confidence level, between 0 and 1.

    Returns
    -------
    int
        Between 0 and B - 1.

    Raises
    ------
    DesignError
        Level not between 0 and 1, or so few draws that none of their p-values is at most 1 - level.

    Examples
    --------
    >>> draws_beyond(999, 0.95), draws_beyond(19, 0.95)
    (49, 0)
    """
    if not 0 < level < 1:
        raise DesignError(f"The confidence level is {level!r}, not between 0 and 1.", repair="Use 0.95, say.")
    share = 1 - level + LEVEL_ROUNDING
    allowed = math.floor(share * (n_draws + 1)) - 1
    if allowed < 0:
        raise DesignError(
            f"{plural(n_draws, 'draw')} cannot give a {100 * level:.4g}% level: no p-value of theirs "
            f"is below 1/{n_draws + 1}.",
            repair=f"Use {math.ceil(1 / share) - 1} draws or more, or a lower level.",
        )
    return allowed


def _family(statistics: Floats | None, draws: Floats) -> tuple[Floats, Floats, Bools]:
    """Return absolute statistics (k) and draws (B, k) of the terms that count, and which those are (m)."""
    absolute = np.abs(np.asarray(draws, dtype=float))
    if absolute.ndim != 2 or not len(absolute):
        raise DesignError(
            f"draws have shape {absolute.shape}; one row per draw and one column per term is needed.",
            repair="Pass an array (B, m) with B of 1 or more.",
        )
    given = np.zeros(absolute.shape[1]) if statistics is None else np.asarray(statistics, dtype=float)
    if given.shape != absolute.shape[1:]:
        raise DesignError(
            f"statistics have shape {given.shape}, draws {absolute.shape}: these are not the same terms.",
            repair="Pass one statistic for each column of the draws.",
        )
    missing = np.isnan(absolute).sum(axis=0)
    used = ~np.isnan(given) & (missing < len(absolute))
    holes = np.flatnonzero(used & (missing > 0))
    if holes.size:
        raise DesignError(
            "Some draws of a term are missing, and the rest would not have its distribution.",
            [f"column {k} (the first is 0): {missing[k]} of {len(absolute)} draws" for k in holes],
            repair="Leave those draws out for every term, or set the whole column to NaN: "
            f"{list_some(holes.tolist())}.",
        )
    if used.all():
        return np.abs(given), absolute, used
    return np.abs(given[used]), absolute[:, used], used


def _whole(values: Floats, used: Bools) -> Floats:
    """Put values of the terms that count (k) back among all (m), NaN elsewhere."""
    out = np.full(len(used), np.nan)
    out[used] = values
    return out


def _threshold(observed: Floats) -> Floats:
    """Return what a draw must reach to count as no smaller."""
    return np.asarray(observed * (1 - TIE_TOLERANCE))


def _ranks(absolute: Floats) -> Ints:
    """Return how many entries of the column are no smaller than each entry (n, k), itself among them."""
    ordered, at_least = np.sort(absolute, axis=0), _threshold(absolute)
    below = [np.searchsorted(ordered[:, k], at_least[:, k]) for k in range(absolute.shape[1])]
    return np.asarray(len(absolute) - np.column_stack(below), dtype=np.int64)


def _common_share(absolute: Floats, level: float) -> Floats:
    """Return the value of each column that the same number of its draws exceeds.

    A draw lies in a tail of ``tail`` draws where its least rank is at most ``tail``. The observed row takes
    one place of the tail, so that ``tail - 1`` draws of each column lie beyond its critical value.
    """
    n, k = absolute.shape
    allowed = draws_beyond(n, level)
    tail = int(np.sort(_ranks(absolute).min(axis=1))[allowed]) - 1
    if tail < 1:
        raise DesignError(
            f"{n} draws are too few to balance {k} terms: only {plural(allowed, 'draw')} may leave the band, "
            "and more than that hold the record of a column.",
            repair=f"Use {math.ceil((k + 1) / (1 - level + LEVEL_ROUNDING)) - 1} draws or more, or "
            "statistic='sup_t' (balanced=False in the array functions).",
        )
    return np.asarray(np.sort(absolute, axis=0)[n - tail])
