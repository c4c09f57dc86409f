r"""The weight of each effect in the two-way fixed effects coefficient."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clsimpact._check import number, plural, sample_words
from clsimpact._display import card, folded, paragraphs
from clsimpact.design import Design
from clsimpact.errors import DesignError, list_some
from clsimpact.estimators._grid import TwoWay, grid_of
from clsimpact.estimators._options import require_design
from clsimpact.estimators._within import regress

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["TwfeWeights", "twfe_weights"]

Floats = NDArray[np.float64]

NEGATIVE = 1e-12
"""A weight counts as negative below minus this share of the mean absolute one: rounding leaves 1e-15.

What so small a weight could turn is as small a share of the mean effect."""

EVEN = 1e-12
"""Standard deviation of weights, whose mean is one, below which they are equal: rounding leaves 1e-15."""

EMPTY = 1e-10
"""Treatment that varies by less than this share of its sum, once effects are removed, does not vary.

Rounding leaves 1e-15; one treated row among ten thousand leaves nearly all of it."""


@dataclass(frozen=True, repr=False, eq=False)
class TwfeWeights:
    """Weights of the effects on treated rows: what `twfe_weights` returns.

    Attributes
    ----------
    design : Design
    coefficient : float
        The coefficient of `clsimpact.twfe`.
    weights : float array (n)
        Weight of the effect on each row of the design; zero on untreated rows; sums to one.
    shares : float array (n)
        Share of each treated row in the mass of treated rows (equal without weights); sums to one.

    Examples
    --------
    >>> from clsimpact.datasets import load_mpdta
    >>> design = Design(load_mpdta(), outcome="lemp", unit="county", time="year", cohort="first_treat")
    >>> twfe_weights(design)
    twfe_weights of lemp: 20 of 291 treated rows have negative weights, sum -0.0109
    """

    design: Design
    coefficient: float
    weights: Floats
    shares: Floats

    @property
    def negative(self) -> NDArray[np.bool_]:
        """Rows (n) whose effect has a negative weight."""
        return np.asarray(self.weights < -NEGATIVE * np.abs(self.weights).sum() / self.n_treated_rows)

    @property
    def n_treated_rows(self) -> int:
        """Number of treated rows."""
        return int(self.design.treated.sum())

    @property
    def n_negative(self) -> int:
        """Number of treated rows whose effect has a negative weight.

        Examples
        --------
        >>> from clsimpact.datasets import load_mpdta
        >>> design = Design(load_mpdta(), outcome="lemp", unit="county", time="year", cohort="first_treat")
        >>> twfe_weights(design).n_negative
        20
        """
        return int(self.negative.sum())

    @property
    def negative_sum(self) -> float:
        """Sum of the negative weights.

        Examples
        --------
        >>> from clsimpact.datasets import load_mpdta
        >>> design = Design(load_mpdta(), outcome="lemp", unit="county", time="year", cohort="first_treat")
        >>> round(twfe_weights(design).negative_sum, 6)
        -0.010851
        """
        return float(self.weights[self.negative].sum())

    @property
    def sigma_zero(self) -> float:
        r"""Least spread of effects with which their mean could be zero, in units of the outcome.

        :math:`|\hat\beta| / \sigma(w)`, the first measure of the paper's corollary 1, where
        :math:`\sigma(w)` is the standard deviation by mass of weights scaled to mean one. As in the authors'
        programs its divisor is n - 1 of n treated rows; with the paper's n it is larger by
        :math:`\sqrt{n/(n-1)}`. NaN where all weights are equal: no spread could do it.

        Examples
        --------
        >>> from clsimpact.datasets import load_mpdta
        >>> design = Design(load_mpdta(), outcome="lemp", unit="county", time="year", cohort="first_treat")
        >>> round(twfe_weights(design).sigma_zero, 8)
        0.08266356
        """
        share, scaled = self._scaled()
        if scaled.size < 2:
            return np.nan
        spread = float(np.sqrt(share @ (scaled - 1) ** 2 * scaled.size / (scaled.size - 1)))
        return abs(self.coefficient) / spread if spread > EVEN else np.nan

    @property
    def sigma_opposite(self) -> float:
        r"""Least spread of effects with which all could have the opposite sign, in units of the outcome.

        The second measure of the paper's corollary 1: :math:`|\hat\beta| / \sqrt{T_s + S_s^2 / (1 - P_s)}`,
        with P, S and T the sums of shares, of shares times weights and of shares times squared weights over
        the effects with the s-th largest weight or less, and s the first with
        :math:`w_{(s)} < -S_s / (1 - P_s)`. NaN where no weight is negative: it cannot happen.

        Examples
        --------
        >>> from clsimpact.datasets import load_mpdta
        >>> design = Design(load_mpdta(), outcome="lemp", unit="county", time="year", cohort="first_treat")
        >>> round(twfe_weights(design).sigma_opposite, 6)
        0.852141
        """
        if self.n_negative == 0:
            return np.nan
        share, scaled = self._scaled()
        order = np.argsort(-scaled, kind="stable")
        share, scaled = share[order], scaled[order]
        p, s, t = (np.cumsum(v[::-1])[::-1] for v in (share, share * scaled, share * scaled**2))
        rest = np.concatenate([[0.0], np.cumsum(share)[:-1]])
        first = int(np.argmax((scaled * rest < -s) & (rest > 0)))
        return abs(self.coefficient) / float(np.sqrt(t[first] + s[first] ** 2 / (1 - p[first])))

    def _scaled(self) -> tuple[Floats, Floats]:
        """Shares of treated rows, and their weights scaled to mean one."""
        rows = self.design.treated
        return self.shares[rows], self.weights[rows] / self.shares[rows]

    def tidy(self) -> pd.DataFrame:
        """One row per cohort and period: summed weights beside the share of treated rows.

        Columns ``cohort, period, event_time, weight, share, negative_weight, n_units, n_negative``:
        ``weight`` sums to one, as does ``share``; ``negative_weight`` is the part of ``weight`` on rows whose
        own weight is negative.

        Examples
        --------
        >>> from clsimpact.datasets import load_mpdta
        >>> design = Design(load_mpdta(), outcome="lemp", unit="county", time="year", cohort="first_treat")
        >>> twfe_weights(design).tidy()[["cohort", "period", "weight", "share"]].round(4).tail(4)
           cohort  period  weight   share
        3    2004    2007 -0.0109  0.0687
        4    2006    2006  0.1973  0.1375
        5    2006    2007  0.1106  0.1375
        6    2007    2007  0.5790  0.4502
        """
        rows = self.design.treated
        frame = pd.DataFrame(
            {
                "cohort": self.design.cohorts[rows].astype(np.int64),
                "period": self.design.times[rows],
                "weight": self.weights[rows],
                "share": self.shares[rows],
                "negative_weight": np.where(self.negative, self.weights, 0.0)[rows],
                "n_units": 1,
                "n_negative": self.negative[rows].astype(np.int64),
            }
        )
        cells = frame.groupby(["cohort", "period"], sort=True).sum().reset_index()
        cells.insert(2, "event_time", cells["period"] - cells["cohort"])
        return cells

    def rows(self) -> pd.DataFrame:
        """One row per treated row of the design: ``unit, name, period, cohort, event_time, weight, share``.

        Examples
        --------
        >>> from clsimpact.datasets import load_mpdta
        >>> design = Design(load_mpdta(), outcome="lemp", unit="county", time="year", cohort="first_treat")
        >>> len(twfe_weights(design).rows())
        291
        """
        at = np.flatnonzero(self.design.treated)
        design, codes = self.design, self.design.unit_codes[at]
        columns = {
            "unit": [design.units[i] for i in codes],
            "name": [design.unit_names[i] for i in codes],
            "period": design.times[at],
            "cohort": design.cohorts[at].astype(np.int64),
            "event_time": design.event_time[at].astype(np.int64),
            "weight": self.weights[at],
            "share": self.shares[at],
        }
        return pd.DataFrame(columns)

    def explain(self) -> str:
        """Say in words which effects the coefficient counts, and how far that can mislead.

        Examples
        --------
        >>> from clsimpact.datasets import load_mpdta
        >>> design = Design(load_mpdta(), outcome="lemp", unit="county", time="year", cohort="first_treat")
        >>> print(twfe_weights(design).explain().splitlines()[1])
        20 of 291 treated rows (6.9%) have negative weights, which sum to -0.0109: 2004 in 2007.
        """
        return "\n".join(_explained(self))

    def plot(self, *, ax: Axes | None = None) -> Axes:
        """Draw the weights (see `clsimpact.plots.decomposition.weights_figure`) and return the axes.

        Examples
        --------
        >>> from clsimpact.datasets import load_mpdta
        >>> design = Design(load_mpdta(), outcome="lemp", unit="county", time="year", cohort="first_treat")
        >>> twfe_weights(design).plot().get_ylabel()
        ''
        """
        from clsimpact.plots.decomposition import weights_axes

        return weights_axes(self, ax=ax)

    def __repr__(self) -> str:
        return self._line(f"twfe_weights of {self.design.outcome}")

    def _line(self, name: str) -> str:
        """Return the result in one line, after the name that it is given."""
        made_up = "SIMULATED: " if self.design.simulated else ""
        return (
            f"{made_up}{name}: {self.n_negative} of {self.n_treated_rows} "
            f"treated rows have negative weights, sum {number(self.negative_sum)}"
        )

    def _repr_html_(self) -> str:
        first, *others = _explained(self)
        name = f"Weights of two-way fixed effects, {self.design.outcome_label}"
        return card(
            f"<p><strong>{escape(self._line(name))}</strong></p>",
            paragraphs([first]),
            folded("In words", paragraphs(others)),
            simulated=self.design.simulated,
            source=self.design.source,
        )


def twfe_weights(design: Design) -> TwfeWeights:
    r"""Return the weight of the effect on each treated row in the two-way fixed effects coefficient.

    With :math:`\tilde D_{it}` the treatment net of unit and period effects (and of covariates) and
    :math:`m_{it}` the weight of a row, the coefficient under parallel trends has the expectation

    .. math:: E\hat\beta = \sum_{D_{it}=1} w_{it}\,\tau_{it}, \qquad
              w_{it} = \frac{m_{it}\tilde D_{it}}{\sum_{D_{js}=1} m_{js}\tilde D_{js}},

    exactly, whatever the effects :math:`\tau_{it}`: also with gaps, weights, covariates and other effects.
    The weights sum to one and can be negative, so that the coefficient can have a sign that no effect has.

    Parameters
    ----------
    design
        Any design that `clsimpact.twfe` takes.

    Returns
    -------
    TwfeWeights
        With ``tidy()`` (by cohort and period), ``rows()``, ``n_negative``, ``negative_sum``, the sensitivity
        measures ``sigma_zero`` and ``sigma_opposite``, ``plot()`` and ``explain()``.

    Raises
    ------
    DesignError
        If the coefficient is not identified.

    References
    ----------
    de Chaisemartin and D'Haultfœuille (2020), doi 10.1257/aer.20181169: theorem 1 and corollary 1.

    Examples
    --------
    >>> from clsimpact.datasets import load_mpdta
    >>> design = Design(load_mpdta(), outcome="lemp", unit="county", time="year", cohort="first_treat")
    >>> found = twfe_weights(design)
    >>> round(float(found.weights.sum()), 12)
    1.0
    """
    require_design(design, "twfe_weights")
    mass = np.ones(design.n_obs) if design.w is None else design.w / design.w.max()
    pull = _pull(design, mass)
    shares = np.where(design.treated, mass, 0.0)
    return TwfeWeights(
        design=design,
        coefficient=float(pull @ (design.y - design.y.mean())),
        weights=np.where(design.treated, pull, 0.0),
        shares=shares / shares.sum(),
    )


def _pull(design: Design, mass: Floats) -> Floats:
    """Return how each outcome moves the coefficient (n)."""
    treated = design.treated.astype(np.float64)
    if not design.covariates and design.effects == "unit":
        grid = grid_of(design)
        net = TwoWay(grid.mass).residuals(np.where(grid.seen & grid.treated, 1.0, 0.0))
        net = mass * net[design.unit_codes, design.time_codes]
        whole = float(net @ treated)
        if whole > EMPTY * float(mass @ treated):
            return np.asarray(net / whole)
        partners = []
    else:
        fit = regress(design, treated[:, None])
        if fit.identified[0]:
            return np.asarray(np.sqrt(mass / mass.mean()) * fit.influence[:, 0])
        partners = [name for j, name in enumerate(design.covariates, start=1) if j in fit.partners[0]]
    raise DesignError(
        "The coefficient of adoption is not identified, so that there is nothing to weigh.",
        [f"adoption cannot be told apart from {list_some(['the effects', *partners])}"],
        repair="Leave out the covariate, or add untreated rows.",
    )


def _explained(found: TwfeWeights) -> list[str]:
    design, cells = found.design, found.tidy()
    head = (
        f"The two-way fixed effects coefficient, {number(found.coefficient)}, weighs the effects on "
        f"{plural(found.n_treated_rows, 'treated row')} ({sample_words(design)})."
    )
    lines = [head, _negative(found, cells)]
    ratio = cells["weight"] / cells["share"]
    top, low = (cells.iloc[int(at)] for at in (ratio.argmax(), ratio.argmin()))
    if len(cells) > 1:
        lines.append(
            f"Relative to their number, rows of cohort {top['cohort']:.0f} in {top['period']:.0f} count "
            f"{number(ratio.max())} times, rows of cohort {low['cohort']:.0f} in {low['period']:.0f} "
            f"{number(ratio.min())} times."
        )
    zero, opposite = found.sigma_zero, found.sigma_opposite
    if not np.isnan(zero):
        lines.append(
            f"The mean effect could be zero if effects had a standard deviation of {number(zero)} or more."
        )
    if not np.isnan(opposite):
        lines.append(
            "Every effect could have the opposite sign if effects had a standard deviation of "
            f"{number(opposite)} or more."
        )
    elif found.n_negative == 0:
        lines.append("Effects of one sign cannot give a coefficient of the other.")
    return lines


def _negative(found: TwfeWeights, cells: pd.DataFrame) -> str:
    if found.n_negative == 0:
        return "No effect has a negative weight."
    where = cells[cells["n_negative"] > 0]
    names = [f"{g} in {t}" for g, t in zip(where["cohort"], where["period"], strict=True)]
    share = found.n_negative / found.n_treated_rows
    return (
        f"{found.n_negative} of {found.n_treated_rows} treated rows ({share:.1%}) have negative weights, "
        f"which sum to {number(found.negative_sum)}: {list_some(names)}."
    )
