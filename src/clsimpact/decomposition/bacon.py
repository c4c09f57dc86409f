r"""The two-by-two comparisons that two-way fixed effects with staggered adoption averages over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clsimpact._check import number, plural, sample_words, unit_word
from clsimpact._display import card, folded, grid, paragraphs
from clsimpact.design import Design
from clsimpact.errors import DesignError, list_some
from clsimpact.estimators._grid import Grid, TwoWay, grid_of
from clsimpact.estimators._options import require_design
from clsimpact.estimators._synthetic_panel import whole_panel

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["FORBIDDEN", "TYPES", "BaconDecomposition", "Comparison", "bacon"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

TYPES = (
    "treated vs never treated",
    "earlier vs later treated",
    "later vs earlier treated",
    "treated vs always treated",
)
"""Kinds of comparison."""

FORBIDDEN = TYPES[2:]
"""Kinds whose comparison group is treated throughout: its effects, if they change, enter with a minus."""

REBUILT = 1e-9
"""Share of the largest comparison by which the sum may differ from the coefficient: rounding leaves 1e-13.

A comparison that is left out or weighed wrongly shows in the first digits."""


@dataclass(frozen=True)
class Comparison:
    """One two-by-two comparison.

    Attributes
    ----------
    treated, comparison : str
        Cohorts: ``"2006"``, ``"never treated"`` or ``"always treated"``. Cohorts with the same first treated
        period in the panel are one group, ``"2005, 2006"``.
    kind : str
        One of `TYPES`.
    estimate : float
        Difference in differences, in units of the outcome.
    weight : float
        Share in the coefficient.
    n_treated, n_comparison : int
        Units.
    first, switch, last : int
        First period compared, first treated one, and last one.
    """

    treated: str
    comparison: str
    kind: str
    estimate: float
    weight: float
    n_treated: int
    n_comparison: int
    first: int
    switch: int
    last: int


@dataclass(frozen=True, repr=False, eq=False)
class BaconDecomposition:
    """The comparisons behind a two-way fixed effects coefficient: what `bacon` returns.

    Attributes
    ----------
    design : Design
    comparisons : tuple of Comparison
    coefficient : float
        The coefficient of `clsimpact.twfe`, computed by itself; the comparisons add up to it.

    Examples
    --------
    >>> from clsimpact.datasets import load_mpdta
    >>> design = Design(load_mpdta(), outcome="lemp", unit="county", time="year", cohort="first_treat")
    >>> bacon(design)
    bacon of lemp: 9 comparisons, 5.4% of the weight on already treated comparison groups; sum -0.0365
    """

    design: Design
    comparisons: tuple[Comparison, ...]
    coefficient: float

    @property
    def forbidden(self) -> float:
        """Share of the weight on comparisons with groups that are already treated.

        Examples
        --------
        >>> from clsimpact.datasets import load_mpdta
        >>> design = Design(load_mpdta(), outcome="lemp", unit="county", time="year", cohort="first_treat")
        >>> round(bacon(design).forbidden, 6)
        0.053924
        """
        return float(sum(c.weight for c in self.comparisons if c.kind in FORBIDDEN))

    def tidy(self) -> pd.DataFrame:
        """One row per comparison, heaviest first.

        Columns ``treated, comparison, type, estimate, weight, n_treated, n_comparison, first, switch, last``.

        Examples
        --------
        >>> from clsimpact.datasets import load_mpdta
        >>> design = Design(load_mpdta(), outcome="lemp", unit="county", time="year", cohort="first_treat")
        >>> bacon(design).tidy()[["treated", "comparison", "estimate", "weight"]].head(2).round(4)
          treated     comparison  estimate  weight
        0    2007  never treated   -0.0431  0.5357
        1    2006  never treated   -0.0226  0.2453
        """
        rows = sorted(self.comparisons, key=lambda c: (-c.weight, c.treated, c.comparison))
        frame = pd.DataFrame([vars(c) for c in rows], columns=list(Comparison.__dataclass_fields__))
        return frame.rename(columns={"kind": "type"})

    def by_type(self) -> pd.DataFrame:
        """Weight and weighted mean by kind of comparison: ``type, estimate, weight, comparisons``.

        Examples
        --------
        >>> from clsimpact.datasets import load_mpdta
        >>> design = Design(load_mpdta(), outcome="lemp", unit="county", time="year", cohort="first_treat")
        >>> bacon(design).by_type().round(4)
                               type  estimate  weight  comparisons
        0  treated vs never treated   -0.0407  0.8628            3
        1  earlier vs later treated   -0.0198  0.0833            3
        2  later vs earlier treated    0.0046  0.0539            3
        """
        rows = []
        for kind in TYPES:
            mine = [c for c in self.comparisons if c.kind == kind]
            weight = sum(c.weight for c in mine)
            if mine:
                mean = sum(c.weight * c.estimate for c in mine) / weight
                rows.append((kind, mean, weight, len(mine)))
        return pd.DataFrame(rows, columns=["type", "estimate", "weight", "comparisons"])

    def explain(self) -> str:
        """Say in words what the coefficient averages over.

        Examples
        --------
        >>> from clsimpact.datasets import load_mpdta
        >>> design = Design(load_mpdta(), outcome="lemp", unit="county", time="year", cohort="first_treat")
        >>> print(bacon(design).explain().splitlines()[3])
        The heaviest comparison is 2007 against never treated: 53.6% of the weight, estimate -0.0431.
        """
        return "\n".join(_explained(self))

    def plot(self, *, ax: Axes | None = None) -> Axes:
        """Draw estimate against weight: see `clsimpact.plots.decomposition.bacon_figure`.

        Examples
        --------
        >>> from clsimpact.datasets import load_mpdta
        >>> design = Design(load_mpdta(), outcome="lemp", unit="county", time="year", cohort="first_treat")
        >>> bacon(design).plot().get_xlabel()
        'Weight in the two-way fixed effects coefficient'
        """
        from clsimpact.plots.decomposition import bacon_axes

        return bacon_axes(self, ax=ax)

    def __repr__(self) -> str:
        return self._line(f"bacon of {self.design.outcome}")

    def _line(self, name: str) -> str:
        """Return the result in one line, after the name that it is given."""
        made_up = "SIMULATED: " if self.design.simulated else ""
        return (
            f"{made_up}{name}: {plural(len(self.comparisons), 'comparison')}, "
            f"{self.forbidden:.1%} of the weight on already treated comparison groups; "
            f"sum {number(self.coefficient)}"
        )

    def _repr_html_(self) -> str:
        heads = ("Kind of comparison", "Weighted mean", "Weight", "Comparisons")
        rows = [
            (str(row["type"]), number(row["estimate"]), f"{row['weight']:.1%}", str(row["comparisons"]))
            for row in self.by_type().to_dict("records")
        ]
        caption = self._line(f"Goodman-Bacon decomposition of {self.design.outcome_label}")
        return card(
            grid(caption, heads, rows, align="lrrr"),
            folded("In words", paragraphs(_explained(self))),
            simulated=self.design.simulated,
            source=self.design.source,
        )


def bacon(design: Design, *, unbalanced: Literal["refuse", "complete"] = "refuse") -> BaconDecomposition:
    r"""Decompose the two-way fixed effects coefficient into two-by-two comparisons.

    Groups k of units with the same first treated period have mass share :math:`n_k` and treated share of
    periods :math:`\bar D_k`. The coefficient is :math:`\sum_{kl} s_{kl}\hat\beta_{kl}` over

    .. math::

        \text{k vs never treated (all periods):}\quad & s \propto n_k n_U \bar D_k (1 - \bar D_k) \\
        \text{earlier k vs later l (before l adopts):}\quad
            & s \propto n_k n_l (\bar D_k - \bar D_l)(1 - \bar D_k) \\
        \text{later l vs earlier k (after k adopts):}\quad & s \propto n_k n_l \bar D_l (\bar D_k - \bar D_l)

    where :math:`\hat\beta_{kl}` is the change of the mean of the one group less that of the other. A group
    treated in every period is an earlier group with :math:`\bar D_k = 1`. The weights sum to one, and the sum
    is compared with the coefficient when the result is made.

    Each comparison estimates an effect on its treated group under parallel trends; those with an earlier
    group also need that group's effect to be constant.

    Parameters
    ----------
    design
        Every unit in every period, unit effects, no covariates; weights, if any, constant within unit.
    unbalanced
        ``"complete"`` leaves out units that lack a period; ``"refuse"`` names them.

    Returns
    -------
    BaconDecomposition
        With ``tidy()``, ``by_type()``, ``plot()`` and ``explain()``.

    Raises
    ------
    DesignError
        Covariates, other effects, weights that vary within unit, missing rows, no two groups that can be
        compared, an unknown option.

    References
    ----------
    Goodman-Bacon (2021), doi 10.1016/j.jeconom.2021.03.014.

    Examples
    --------
    >>> from clsimpact.datasets import load_mpdta
    >>> design = Design(load_mpdta(), outcome="lemp", unit="county", time="year", cohort="first_treat")
    >>> found = bacon(design).tidy()
    >>> round(float((found["estimate"] * found["weight"]).sum()), 6)
    -0.036549
    """
    require_design(design, "bacon")
    _check_design(design)
    design = whole_panel(design, unbalanced=unbalanced, method="bacon")
    grid = grid_of(design)
    _check_weights(design, grid)
    comparisons = _comparisons(_groups(grid), design.periods)
    if not comparisons:
        raise DesignError(
            f"There is nothing to compare: no {unit_word(design)} becomes treated while another does not.",
            repair="Add units that adopt at another time or never, or periods before adoption.",
        )
    coefficient = _coefficient(grid)
    found = sum(c.weight * c.estimate for c in comparisons)
    largest = max(abs(c.estimate) for c in comparisons)
    if abs(found - coefficient) > REBUILT * max(largest, np.abs(grid.y - grid.y.mean()).max()):
        raise ArithmeticError(f"the comparisons add up to {found!r}, the coefficient is {coefficient!r}")
    return BaconDecomposition(design, comparisons, coefficient)


def _check_design(design: Design) -> None:
    problems = []
    if design.covariates:
        problems.append(f"covariates {list_some(design.covariates)}: the comparisons would not add up")
    if design.effects != "unit":
        problems.append(f"effects={design.effects!r}: the decomposition is for unit effects")
    if problems:
        raise DesignError(
            "bacon cannot decompose this regression.",
            problems,
            repair="twfe_weights takes covariates, other effects and gaps; or leave them out of the design.",
        )


def _check_weights(design: Design, grid: Grid) -> None:
    uneven = np.flatnonzero(np.ptp(grid.mass, axis=1) > 0)
    if uneven.size:
        names = list_some(design.unit_names[i] for i in uneven)
        raise DesignError(
            f"bacon needs weights that are constant within {unit_word(design)}.",
            [f"{design.weights!r} varies for {names}"],
            repair="Weigh by a fixed year, say, or use twfe_weights.",
        )


@dataclass(frozen=True)
class _Group:
    """Units with the same first treated period: its position in the panel (T for never)."""

    start: int
    name: str
    share: float
    units: int
    mean: Floats


def _groups(grid: Grid) -> tuple[_Group, ...]:
    width = grid.periods.size
    starts = width - grid.treated.sum(axis=1)
    mass, y = grid.mass[:, 0], grid.y - grid.y.mean()
    found = []
    for start in np.unique(starts):
        mine = starts == start
        cohorts = np.unique(grid.cohorts[mine])
        name = ", ".join(f"{int(g)}" for g in cohorts if not np.isnan(g))
        name = "never treated" if start == width else "always treated" if start == 0 else name
        mean = mass[mine] @ y[mine] / mass[mine].sum()
        found.append(_Group(int(start), name, float(mass[mine].sum() / mass.sum()), int(mine.sum()), mean))
    return tuple(found)


def _comparisons(groups: Sequence[_Group], periods: tuple[int, ...]) -> tuple[Comparison, ...]:
    width = len(periods)
    raw = []
    for at, early in enumerate(groups):
        for late in groups[at + 1 :]:
            d_early, d_late = 1 - early.start / width, 1 - late.start / width
            size = early.share * late.share * (d_early - d_late)
            if early.start > 0:
                kind = TYPES[0] if late.start == width else TYPES[1]
                raw.append((early, late, kind, size * (1 - d_early), 0, early.start, late.start))
            if late.start < width:
                kind = TYPES[3] if early.start == 0 else TYPES[2]
                raw.append((late, early, kind, size * d_late, early.start, late.start, width))
    total = sum(row[3] for row in raw)
    return tuple(
        Comparison(
            treated=own.name,
            comparison=other.name,
            kind=kind,
            estimate=_two_by_two(own.mean - other.mean, first, switch, stop),
            weight=weight / total,
            n_treated=own.units,
            n_comparison=other.units,
            first=periods[first],
            switch=periods[switch],
            last=periods[stop - 1],
        )
        for own, other, kind, weight, first, switch, stop in raw
    )


def _two_by_two(gap: Floats, first: int, switch: int, stop: int) -> float:
    return float(gap[switch:stop].mean() - gap[first:switch].mean())


def _coefficient(grid: Grid) -> float:
    """Coefficient of two-way fixed effects, from the treatment net of effects."""
    net = grid.mass * TwoWay(grid.mass).residuals(grid.treated.astype(np.float64))
    return float((net * (grid.y - grid.y.mean())).sum() / (net * grid.treated).sum())


def _explained(found: BaconDecomposition) -> list[str]:
    types = found.by_type().set_index("type")
    shares = "; ".join(
        f"{kind} {row.weight:.1%}, averaging {number(row.estimate)}" for kind, row in types.iterrows()
    )
    head = (
        f"The two-way fixed effects coefficient, {number(found.coefficient)}, is a weighted mean of "
        f"{plural(len(found.comparisons), 'two-by-two comparison')} ({sample_words(found.design)})."
    )
    lines = [head, _forbidden(found), f"By type: {shares}."]
    rows = found.tidy()
    top = rows.iloc[0]
    lines.append(
        f"The heaviest comparison is {top['treated']} against {top['comparison']}: {top['weight']:.1%} of "
        f"the weight, estimate {number(top['estimate'])}."
    )
    signs = rows.loc[np.sign(rows["estimate"]) == -np.sign(found.coefficient), "weight"].sum()
    lines.append(f"Comparisons of the opposite sign hold {signs:.1%} of the weight.")
    return lines


def _forbidden(found: BaconDecomposition) -> str:
    share = found.forbidden
    if share == 0:
        return "No comparison uses a group that is already treated."
    mean = sum(c.weight * c.estimate for c in found.comparisons if c.kind in FORBIDDEN) / share
    without = (found.coefficient - share * mean) / (1 - share) if share < 1 else np.nan
    rest = (
        f" Without them the other comparisons average {number(without)}."
        if share < 1
        else " There is no other comparison."
    )
    return (
        f"{share:.1%} of the weight is on comparisons with a cohort that is already treated, which average "
        f"{number(mean)}." + rest
    )
