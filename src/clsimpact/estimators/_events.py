r"""One regression of changes for each event time, over the cells of several cohorts.

The rows of event time e are the units of its cells, with mass m and change d. Four forms exist, all solved
through means by cell, with :math:`p = a/(a+b)` the treated share of a cell and
:math:`\beta_e = \sum \kappa\Delta / \sum \kappa`:

============  =========================================  ==================  ==========================
scheme        regression                                 row weights         :math:`\kappa` of a cell
============  =========================================  ==================  ==========================
regression    d on cell effects and treated              w                   :math:`ab/(a+b)`
equal         d on cell effects and treated              w (a+b)/b           a
pooled        d on a constant and treated                w; controls w Q     a
means         d on cell by treated (:math:`\beta` fixed)   w                   a
============  =========================================  ==================  ==========================

with :math:`Q = (a / \sum a) / (b / \sum b)`, sums over the cells of the event time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from clsimpact._check import unit_word
from clsimpact.design import Design
from clsimpact.errors import DesignError
from clsimpact.estimators._cells import Cells, Effects, Plan, plan_of
from clsimpact.estimators._differences import Contrasts, left_out_of, positions, without_each
from clsimpact.estimators._scores import Rows, Scores, Sizes, adjusted_scores, free_of
from clsimpact.inference.sandwich import cluster_sums, gains
from clsimpact.results import Estimate

__all__ = ["EventRegressions", "Slopes", "path_of", "row_mass", "slopes_of"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

RANK_TOLERANCE = 1e-10
"""Covariates (scaled to one) whose moment matrix has an eigenvalue below this are collinear.

Rounding leaves 1e-15 where they are; a correlation of 0.99999 leaves 1e-5."""


@dataclass(frozen=True)
class Slopes:
    """Slopes of the covariates in the regression of one event time, over c cells.

    Attributes
    ----------
    gamma : float array (k)
    psi : float array (N, k)
        Score of each unit.
    mass, side, error : float arrays (N, c)
        Row weights, the treated indicator net of cell effects, and residuals.
    columns : float array (k, N, c)
        Covariates net of the other regressors, orthonormal under the row weights.
    imbalance, projector : float arrays (k)
        Difference of the covariates between treated and controls, as it is and in terms of ``columns``.
    """

    gamma: Floats
    psi: Floats
    mass: Floats
    side: Floats
    error: Floats
    columns: Floats
    imbalance: Floats
    projector: Floats

    def rows(self, clusters: Ints) -> Rows:
        """Lay out the rows of the regression."""
        unit, cell = np.nonzero(self.mass > 0)
        root = np.sqrt(self.mass[unit, cell])
        treated = root * self.side[unit, cell]
        net = (self.columns[:, unit, cell] * root).T
        pull = treated / (treated @ treated) - net @ self.projector
        same = cell[:, None] == np.flatnonzero(self.mass.any(axis=0))
        basis = np.column_stack([root[:, None] * same, treated, net])
        residual = root * self.error[unit, cell]
        return Rows(pull, residual, basis / np.linalg.norm(basis, axis=0), clusters[unit])


def row_mass(found: Contrasts, scheme: str) -> tuple[Floats, Floats, Floats]:
    """Return the factors on the mass of treated and of controls, and kappa, of each cell (C)."""
    a, b = (np.where(found.known, mass, 0.0) for mass in (found.a, found.b))
    up, kappa = np.where(found.known, 1.0, 0.0), a
    safe = np.where(found.known, b, 1.0)
    if scheme == "equal":
        return (a + b) / safe, (a + b) / safe, kappa
    if scheme in ("pooled", "means"):
        return up, a / safe, kappa
    return up, up, a * b / np.where(a + b > 0, a + b, 1.0)


@dataclass(frozen=True)
class EventRegressions:
    """The regressions behind a path of event times.

    Attributes
    ----------
    design : Design
    found : Contrasts
        Cells, with changes net of covariates where there are any.
    cells : Cells
        Their mass is kappa.
    plan : Plan
        Event times and their cells.
    scheme : str
        ``"regression"``, ``"equal"``, ``"pooled"`` or ``"means"``.
    sizes : mapping of event time to tuple
        Rows, parameters and clusters of each regression.
    slopes : mapping of event time to Slopes
        Empty without covariates.
    other : mapping
        Further kinds of errors: a name and the regressions that they come from, with the same numbers.
    """

    design: Design
    found: Contrasts
    cells: Cells
    plan: Plan
    scheme: str
    sizes: Mapping[int, tuple[int, int, int]]
    slopes: Mapping[int, Slopes]
    other: Mapping[str, EventRegressions] = field(default_factory=dict)

    @cached_property
    def members(self) -> list[Ints]:
        """Columns of the contrasts behind each event time, identified ones only."""
        return members_of(self.plan, self.cells, self.found)

    @property
    def events(self) -> list[int]:
        """Event time of each number."""
        return [int(term.event_time or 0) for term in self.plan.terms]

    @cached_property
    def estimates(self) -> Floats:
        """Coefficient of each event time; zero where it has no cell."""
        kappa, gap = row_mass(self.found, self.scheme)[2], self.found.gap
        return np.array([kappa[m] @ gap[m] / kappa[m].sum() if m.size else 0.0 for m in self.members])

    def _parts(self, j: int) -> tuple[Floats, Floats, Floats, Floats]:
        """Influence per mass and centre of the change, for treated and controls of each cell of term j."""
        found, mine = self.found, self.members[j]
        up, down, kappa = (values[mine] for values in row_mass(found, self.scheme))
        a, b = found.a[mine], found.b[mine]
        whole, share = kappa.sum(), a / (a + b)
        high, low = found.treated_mean[mine], found.control_mean[mine]
        if self.scheme == "pooled":
            centre = np.full(mine.size, a @ high / whole), np.full(mine.size, a @ low / whole)
            return up / whole, down / whole, *centre
        if self.scheme == "means":
            return up / whole, down / whole, high, low
        apart = high - low - self.estimates[j]
        centre = high - (1 - share) * apart, low + share * apart
        return up * (1 - share) / whole, down * share / whole, *centre

    @cached_property
    def psi(self) -> Floats:
        """Score of each unit for each event time (N, p)."""
        cells, numbers = len(self.found.pairs), len(self.members)
        up, down = np.zeros((cells, numbers)), np.zeros((cells, numbers))
        high, low = np.zeros(cells), np.zeros(cells)
        for j, mine in enumerate(self.members):
            if mine.size:
                up[mine, j], down[mine, j], high[mine], low[mine] = self._parts(j)
        out = self.found.pulled(up, down, high, low)
        for j, event in enumerate(self.events):
            if slopes := self.slopes.get(event):
                out[:, j] -= slopes.psi @ slopes.imbalance
        return out

    def averaged(self, plan: Plan, weights: Floats) -> Scores:
        """Scores of the event times of a plan, and of its overall effect; for `Effects`."""
        held = self if plan is self.plan else replace(self, plan=plan)
        return held.uncertainty(plan.total, weights.shape[1])

    def uncertainty(self, total: Floats, numbers: int) -> Scores:
        """Scores of the event times and of their mean with weights ``total`` (p)."""
        exact = not self.slopes or self.scheme == "regression"
        sizes = np.array([self.sizes.get(e, (0, 0, 0)) for e in self.events], dtype=np.float64)
        plain = Scores(
            estimates=self.estimates,
            psi=self.psi,
            clusters=self.design.unit_clusters,
            n_clusters=self.design.n_clusters,
            sizes=Sizes(*sizes.T),
            adjusted=(lambda: self._second) if exact else None,
            left_out=self._left_out if exact else None,
            other={name: partial(self._other, name, total, numbers) for name in self.other},
        )
        mix = np.zeros((self.estimates.size, numbers))
        mix[:, : self.estimates.size + 1] = np.column_stack([np.eye(self.estimates.size), total])
        return plain.combine(mix)

    def _other(self, name: str, total: Floats, numbers: int) -> Scores:
        return replace(self.other[name], plan=self.plan).uncertainty(total, numbers)

    @cached_property
    def _second(self) -> tuple[Floats, Floats]:
        return self._adjusted("CR2")

    def _adjusted(self, kind: str) -> tuple[Floats, Floats]:
        out = np.zeros((self.design.n_clusters, len(self.members)))
        df = np.full(len(self.members), np.nan)
        for j, mine in enumerate(self.members):
            if mine.size and self.scheme == "means":
                out[:, j], df[j] = self._adjusted_means(j)
            elif mine.size:
                out[:, j], df[j] = adjusted_scores(self._rows(j), kind, self.design.n_clusters)
        return out, df

    def _adjusted_means(self, j: int) -> tuple[Floats, float]:
        """CR2 of means by cell and side: a cluster's leverage is its share of the mass of each."""
        found, mine, g = self.found, self.members[j], self.design.n_clusters
        up, down, high, low = self._parts(j)
        score, own, across = np.zeros(g), np.zeros(g), []
        for mass, pull, centre in ((found.treated, up, high), (found.control, -down, low)):
            moved = mass[:, mine] * (found.change[:, mine] - centre)
            share = cluster_sums(mass[:, mine], self.design.unit_clusters, g)
            whole = mass[:, mine].sum(axis=0)
            gain = pull * gains(1 - share / whole, "CR2")
            score += (gain * cluster_sums(moved, self.design.unit_clusters, g)).sum(axis=1)
            own += (gain**2 * share).sum(axis=1)
            across.append(gain * share / np.sqrt(whole))
        return score, free_of(own, np.column_stack(across))

    def _rows(self, j: int) -> Rows:
        """Lay out the rows of one regression."""
        found, mine = self.found, self.members[j]
        if slopes := self.slopes.get(self.events[j]):
            return slopes.rows(self.design.unit_clusters)
        up, down, high, low = self._parts(j)
        by, bc, _ = (values[mine] for values in row_mass(found, self.scheme))
        if self.scheme == "pooled":
            bc = bc * found.b[mine].sum() / found.a[mine].sum()
        unit, cell = np.nonzero((found.treated[:, mine] > 0) | (found.control[:, mine] > 0))
        is_up = found.treated[unit, mine[cell]] > 0
        mass = np.where(is_up, found.treated[unit, mine[cell]], found.control[unit, mine[cell]])
        root = np.sqrt(mass * np.where(is_up, by[cell], bc[cell]))
        pull = mass * np.where(is_up, up[cell], -down[cell]) / root
        residual = root * (found.change[unit, mine[cell]] - np.where(is_up, high[cell], low[cell]))
        if self.scheme == "pooled":
            basis = np.column_stack([root * is_up, root * ~is_up])
        else:
            same = cell[:, None] == np.arange(mine.size)
            basis = np.column_stack([root[:, None] * same, pull])
        basis = basis / np.linalg.norm(basis, axis=0)
        return Rows(pull, residual, basis, self.design.unit_clusters[unit])

    def _left_out(self) -> Floats:
        if self.slopes:
            return self.estimates - self._adjusted("CR3")[0]
        a, b, gap = without_each(self.found, self.design.unit_clusters, self.design.n_clusters)
        with np.errstate(invalid="ignore", divide="ignore"):
            kappa = a * b / (a + b) if self.scheme == "regression" else a * (b > 0)
        kappa = np.nan_to_num(kappa)
        at = positions(self.cells, self.found)
        real = at >= 0
        mass, gaps = np.zeros((len(a), at.size)), np.full((len(a), at.size), np.nan)
        mass[:, real], gaps[:, real] = kappa[:, at[real]], gap[:, at[real]]
        out = left_out_of(self.plan, mass, gaps)[:, :-1]
        return np.where([mine.size > 0 for mine in self.members], out, 0.0)


def members_of(plan: Plan, cells: Cells, found: Contrasts) -> list[Ints]:
    """Return the columns of the contrasts behind each average of a plan, identified ones only."""
    at = positions(cells, found)
    out = []
    for group in plan.members:
        mine = at[group]
        mine = mine[mine >= 0]
        out.append(mine[found.known[mine]])
    return out


def path_of(made: Effects, alone: frozenset[int | None] = frozenset()) -> Estimate:
    """Return the path of event times; ``alone``: those at which every cohort has one treated cluster."""
    path = lone_told(made.estimate(plan_of(made.cells, "dynamic")), alone)
    return replace(path, aggregator=partial(_narrowed, made, alone))


def _narrowed(
    made: Effects,
    alone: frozenset[int | None],
    kind: str,
    *,
    balance: int | None,
    leads: int | None,
    lags: int | None,
) -> Estimate:
    if kind != "dynamic" or balance is not None:
        asked = f"balance={balance}" if balance is not None else repr(kind)
        raise DesignError(
            f"{made.estimator} estimates event times; it has no aggregation {asked}.",
            repair="Use aggregate('dynamic', leads=, lags=), or group_time, imputation or did_m.",
        )
    path = lone_told(made.estimate(plan_of(made.cells, "dynamic", leads=leads, lags=lags)), alone)
    return replace(path, aggregator=partial(_narrowed, made, alone))


def lone_told(fit: Estimate, alone: frozenset[int | None] = frozenset()) -> Estimate:
    """Say where a term rests on one treated unit in all or in each cohort, and where no error exists."""
    errors, gone = np.diag(fit.vcov.matrix), fit.vcov.lost or ((),) * len(fit.terms)
    events = (t.event_time for t, ok in zip(fit.terms, fit.identified, strict=True) if ok)
    after = {e for e in events if e is not None and e >= 0}
    terms = []
    for term, ok, error, lost in zip(fit.terms, fit.identified, errors, gone, strict=True):
        words = _lone_words(fit, term.n_units == 1, term.event_time in alone, bool(error > 0 or lost))
        told = "; ".join(text for text in (term.reason, words) if text)
        terms.append(replace(term, reason=told) if ok else term)
    total = None if fit.total is None else lone_told(fit.total, alone | {None} if after <= alone else alone)
    return replace(fit, terms=tuple(terms), total=total)


def _lone_words(fit: Estimate, single: bool, alone: bool, sure: bool) -> str:
    word = unit_word(fit.design)
    if single:
        return f"one treated {word}: its own variation cannot be estimated, the interval is too narrow"
    if not sure:
        return "no variation is left to take an error from"
    if alone:
        return f"one treated {word} or cluster in each cohort: CR0 to CR2 lack their variation"
    return ""


def slopes_of(
    found: Contrasts, mine: Ints, more: Contrasts, x: Floats, scheme: str, names: tuple[str, ...]
) -> Slopes:
    """Fit the covariates of one event time.

    Parameters
    ----------
    found
        Cells with the changes as they are.
    mine
        Columns of ``found``, the cells with both sides.
    more
        Cells with one side only: they tell nothing of the effect, but something of the slopes.
    x
        Covariates (k, N, c) of the cells ``mine`` and then ``more``.
    scheme
        ``"regression"``: with cell effects and treated, all rows. ``"equal"``: with cell effects, controls.
    names
        Names of the covariates, for messages.
    """
    treated = np.column_stack([found.treated[:, mine], more.treated])
    control = np.column_stack([found.control[:, mine], more.control])
    change = np.column_stack([found.change[:, mine], more.change])
    mass = control if scheme == "equal" else treated + control
    whole = np.where(mass.any(axis=0), mass.sum(axis=0), 1.0)
    side = np.where(mass > 0, (treated > 0) - treated.sum(axis=0) / whole, 0.0)
    if scheme == "equal":
        side = np.zeros_like(mass)

    def net(values: Floats) -> Floats:
        """Remove cell means, and the treated indicator where it is in the regression."""
        out = np.where(mass > 0, values - (mass * values).sum(axis=-2)[..., None, :] / whole, 0.0)
        if scheme != "equal":
            slope = (mass * side * out).sum(axis=(-2, -1)) / (mass * side**2).sum()
            out = out - np.asarray(slope)[..., None, None] * side
        return np.asarray(out)

    inner, outer = net(x), net(change)
    columns, back = _orthonormal(mass, x, inner, found, mine, names)
    moments = (columns * mass * outer).sum(axis=(1, 2))
    error = outer - np.tensordot(moments, columns, axes=1)
    kappa = row_mass(found, scheme)[2][mine]
    apart = np.array([_apart(found, mine, kappa, values[:, : mine.size]) for values in x])
    psi = (columns * mass * error).sum(axis=2).T @ back.T
    return Slopes(back @ moments, psi, mass, side, error, columns, apart, back.T @ apart)


def _orthonormal(
    mass: Floats, x: Floats, inner: Floats, found: Contrasts, mine: Ints, names: tuple[str, ...]
) -> tuple[Floats, Floats]:
    """Return orthonormal columns in place of covariates, and what turns their slopes back."""
    scale = np.sqrt((mass * inner**2).sum(axis=(1, 2)))
    spread = np.sqrt((mass * x**2).sum(axis=(1, 2)))
    unit = inner / np.where(scale > 0, scale, 1.0)[:, None, None]
    roots, vectors = np.linalg.eigh(np.einsum("knc,nc,lnc->kl", unit, mass, unit, optimize=True))
    if (scale <= RANK_TOLERANCE * spread).any() or roots[0] < RANK_TOLERANCE:
        raise DesignError(
            "The slopes of the covariates cannot be told apart from period effects and each other.",
            [f"{', '.join(names)}: event time {found.pairs[mine[0]].period - found.pairs[mine[0]].cohort}"],
            repair="Leave out a covariate, or narrow leads and lags.",
        )
    turn = vectors / np.sqrt(roots)
    return np.tensordot(turn.T, unit, axes=1), turn / scale[:, None]


def _apart(found: Contrasts, mine: Ints, kappa: Floats, values: Floats) -> float:
    """Weighted difference of a covariate between treated and controls."""
    up = (found.treated[:, mine] * values).sum(axis=0) / found.a[mine]
    down = (found.control[:, mine] * values).sum(axis=0) / found.b[mine]
    return float(kappa @ (up - down) / kappa.sum())
