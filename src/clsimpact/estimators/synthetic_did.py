r"""Synthetic difference in differences, cohort by cohort."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Literal, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clsimpact import _auto
from clsimpact._check import number, plural, unit_word
from clsimpact._procedures import base_kind, finished
from clsimpact._room import require_room
from clsimpact._runs import NAMES
from clsimpact.design import Design
from clsimpact.errors import DesignError, did_you_mean, list_some
from clsimpact.estimators._cells import Cells, Effects, Plan, plan_of
from clsimpact.estimators._grid import Grid, TwoWay, grid_of
from clsimpact.estimators._options import require_design
from clsimpact.estimators._synthetic_blocks import Block, Span, block_of
from clsimpact.estimators._synthetic_panel import whole_panel
from clsimpact.estimators._synthetic_published import LONG
from clsimpact.estimators._synthetic_solve import WEIGHTS
from clsimpact.estimators._synthetic_variance import KINDS, Replicates, Resampled, averaged, choice
from clsimpact.estimators._untreated import spread_of
from clsimpact.estimators._within_solve import EMPTY_TOLERANCE, RANK_TOLERANCE
from clsimpact.inference.methods import Method
from clsimpact.inference.sandwich import Counts
from clsimpact.results import REFERENCE, Estimate

__all__ = ["SyntheticEstimate", "synthetic_did"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, repr=False, eq=False)
class SyntheticEstimate(Estimate):
    """Estimates of `synthetic_did`, with the weights behind them.

    Attributes
    ----------
    blocks : tuple
        One `clsimpact.estimators._synthetic_blocks.Block` per cohort: weights, ridge and gaps as arrays.

    Examples
    --------
    >>> from clsimpact.datasets import load_mpdta
    >>> design = Design(load_mpdta(), outcome="lemp", unit="county", time="year", cohort="first_treat")
    >>> fit = synthetic_did(design)
    >>> fit.time_weights.query("cohort == 2006").round(3)[["period", "weight"]]
       period  weight
    1    2003   0.013
    2    2004   0.274
    3    2005   0.713
    """

    blocks: tuple[Block, ...] = ()

    @property
    def unit_weights(self) -> pd.DataFrame:
        """Weight of each control for each cohort: ``cohort, unit, name, weight``; sums to one per cohort.

        Examples
        --------
        >>> from clsimpact.datasets import load_mpdta
        >>> design = Design(load_mpdta(), outcome="lemp", unit="county", time="year", cohort="first_treat")
        >>> synthetic_did(design).unit_weights.groupby("cohort")["weight"].sum().round(12).tolist()
        [1.0, 1.0, 1.0]
        """
        names, units = self.design.unit_names, self.design.units
        rows = [
            (block.span.cohort, units[i], names[i], weight)
            for block in self.blocks
            for i, weight in zip(block.controls, block.unit_weights, strict=True)
        ]
        return pd.DataFrame(rows, columns=["cohort", "unit", "name", "weight"])

    @property
    def time_weights(self) -> pd.DataFrame:
        """Weight of each period before adoption for each cohort: ``cohort, period, weight``.

        Examples
        --------
        >>> from clsimpact.datasets import load_mpdta
        >>> design = Design(load_mpdta(), outcome="lemp", unit="county", time="year", cohort="first_treat")
        >>> synthetic_did(design).time_weights.groupby("cohort")["weight"].sum().round(12).tolist()
        [1.0, 1.0, 1.0]
        """
        periods = np.array(self.design.periods)
        rows = [
            (block.span.cohort, int(period), weight)
            for block in self.blocks
            for period, weight in zip(periods[block.span.before], block.time_weights, strict=True)
        ]
        return pd.DataFrame(rows, columns=["cohort", "period", "weight"])


def synthetic_did(
    design: Design,
    *,
    weights: Literal["exact", "published"] = "exact",
    unbalanced: Literal["refuse", "complete"] = "refuse",
    inference: str | Method = "auto",
    level: float = 0.95,
    draws: int = 200,
    seed: int = 0,
) -> SyntheticEstimate:
    r"""Estimate effects by cohort against weighted controls and weighted periods.

    For a cohort g with treated units I, periods P before adoption (and its anticipation) and Q from adoption
    on, and controls C that adopt at no time in the panel:

    .. math:: \hat\tau_g = \frac{1}{|Q|}\sum_{t \in Q}\delta_t - \sum_{s \in P}\hat\lambda_s\delta_s,
              \qquad \delta_t = \frac{1}{|I|}\sum_{i \in I} Y_{it} - \sum_{i \in C}\hat\omega_i Y_{it},

    the effect of adoption on the cohort's units. :math:`\hat\omega` makes controls run parallel to the cohort
    before adoption and :math:`\hat\lambda` makes the periods before adoption predict those after it, among
    controls; both lie on the simplex and solve a ridge problem, see ``weights``. The overall effect weighs
    cohorts by treated units and periods.

    Identified if, without adoption, the cohort would have moved like its weighted controls: outcomes follow
    unit and period effects plus a few latent factors that the weights balance, there is no effect before
    adoption (beyond ``anticipation``), and adoption does not depend on later noise.

    Parameters
    ----------
    design
        Every unit in every period, no weights. Covariates are taken out first: their coefficients come from
        rows not yet treated, with unit and period effects, and are kept in every replicate of the variance.
    weights
        ``"exact"``: the minimum of the paper's problems. ``"published"``: where the authors' program and its
        ports stop, above that minimum (Frank-Wolfe steps, small weights dropped, at most 10,000 steps more:
        `clsimpact.estimators._synthetic_published`). Weights that reach that limit are used as they are and
        ``fit.notes`` names them; draws of placebo and bootstrap have the same limit. Only for comparison with
        those programs.
    unbalanced
        ``"complete"`` leaves out units that lack a period; ``"refuse"`` names them.
    inference
        ``"jackknife"``, ``"placebo"`` or ``"bootstrap"``: see `clsimpact.estimators._synthetic_variance`.
        ``"auto"`` is errors around one path of effects with the weights kept (``"path"``), whatever the
        number of adopters; with covariates the jackknife where its measured rate is 7% or less, else no
        interval. With more than 50 adopters behind every number it is the jackknife (placebo where a cohort
        of one cluster leaves none) with covariates, and in panels of more than 2,000 units. See
        `Estimate.with_inference`.
    level
        Confidence level of the intervals.
    draws, seed
        Replicates of placebo and bootstrap, and the seed of their generator.

    Returns
    -------
    SyntheticEstimate
        Terms ``"g=2004"``, ... in units of the outcome; ``overall`` is the ATT; ``aggregate("dynamic")`` the
        path by event time. Gaps before adoption show the fit that the weights were chosen for: they are not a
        test. ``unit_weights`` and ``time_weights`` hold the weights.

    Raises
    ------
    DesignError
        Weights, effects other than unit effects, missing rows, no controls, no cohort with a period before
        and after adoption, an unknown option, or a variance that the sample does not allow.

    References
    ----------
    Arkhangelsky, Athey, Hirshberg, Imbens and Wager (2021), doi 10.1257/aer.20190159; staggered adoption:
    Clarke, Pailañir, Athey and Imbens (2023), arXiv 2301.11859.

    Examples
    --------
    >>> from clsimpact.datasets import load_mpdta
    >>> design = Design(load_mpdta(), outcome="lemp", unit="county", time="year", cohort="first_treat")
    >>> fit = synthetic_did(design)
    >>> fit.tidy()[["term", "estimate", "std_error"]].round(4)
         term  estimate  std_error
    0  g=2004   -0.0797     0.0268
    1  g=2006   -0.0236     0.0167
    2  g=2007   -0.0367     0.0158
    """
    require_design(design, "synthetic_did")
    asked = base_kind(inference, "auto")
    _check_options(design, weights, inference, draws)
    design = whole_panel(design, unbalanced=unbalanced, method="synthetic_did")
    if asked in ("auto", "jackknife"):
        cohorts, periods = len(design.cohort_sizes), len(design.periods)
        require_room(cohorts, periods, design.n_clusters, cohorts, periods)
    grid = grid_of(design)
    y, notes = _outcome(design, grid)
    blocks, member, reasons = _blocks(design, grid, y, weights)
    source = Replicates(
        y=y - y.mean(),
        blocks=blocks,
        member=member,
        clusters=design.unit_clusters,
        draws=draws,
        seed=seed,
        counts=Counts(design.n_obs, design.n_clusters, 0, 0),
        how=weights,
    )
    kind = asked
    if asked == "auto":
        path = inference == "path" or design.n_treated_clusters <= _auto.MANY
        kind = "jackknife" if path and not design.covariates else choice(source)
    effects = _effects(design, source, reasons, kind, level, notes)
    plan = _by_cohort(effects.cells)
    made = effects.estimate(plan)
    own = {f.name: getattr(made, f.name) for f in fields(Estimate)}
    options = {"weights": weights, "unbalanced": unbalanced, "draws": draws, "seed": seed, "level": level}
    again = partial(synthetic_did, **options, inference=kind)  # type: ignore[arg-type]
    found = finished(SyntheticEstimate(**own, blocks=blocks), again, inference)
    return cast("SyntheticEstimate", found)


def _check_options(design: Design, weights: str, inference: str | Method, draws: int) -> None:
    problems, known = [], ("auto", *KINDS, "path", *NAMES.values())
    if weights not in WEIGHTS:
        near = did_you_mean(str(weights), WEIGHTS)
        problems.append(f"weights {weights!r} are not on offer{near}: {', '.join(WEIGHTS)}")
    if isinstance(inference, str) and inference not in known:
        near = did_you_mean(inference, known)
        problems.append(f"inference {inference!r} is not on offer{near}: {', '.join(known)}")
    if isinstance(draws, bool) or not isinstance(draws, int) or draws < 2:
        problems.append(f"draws is {draws!r}; a whole number, 2 or more, is needed")
    if design.weights is not None:
        problems.append(f"weights={design.weights!r}: the method chooses the weights of units itself")
    if design.effects != "unit":
        problems.append(f"effects={design.effects!r}: synthetic_did needs unit effects (twfe takes others)")
    if problems:
        raise DesignError(
            "synthetic_did cannot use this design and these options.",
            problems,
            repair="Change these, or use group_time or imputation.",
        )


def _outcome(design: Design, grid: Grid) -> tuple[Floats, tuple[str, ...]]:
    """Outcome net of covariates, and what was done."""
    if not design.covariates:
        return grid.y, ()
    effects = TwoWay(np.where(grid.treated, 0.0, grid.mass))
    rows = effects.mass > 0
    x = effects.residuals(grid.x)[:, rows]
    norm = np.linalg.norm(x, axis=1)
    moves = norm > EMPTY_TOLERANCE * spread_of(effects.mass, grid.x)
    slopes, unit = np.zeros(len(x)), norm[moves]
    slopes[moves] = (
        np.linalg.lstsq(x[moves].T / unit, effects.residuals(grid.y)[rows], rcond=RANK_TOLERANCE)[0] / unit
    )
    said = [
        f"{name} ({number(b)})" for name, b, ok in zip(design.covariates, slopes, moves, strict=True) if ok
    ]
    still = [name for name, ok in zip(design.covariates, moves, strict=True) if not ok]
    notes = []
    if said:
        notes.append(f"Covariates: taken out with slopes from rows not yet treated: {list_some(said)}")
    if still:
        notes.append(f"Covariates: {list_some(still)} does not move within units and changes nothing")
    moved = grid.x - grid.x.mean(axis=2, keepdims=True)
    return grid.y - np.tensordot(slopes, moved, axes=1), tuple(notes)


def _blocks(
    design: Design, grid: Grid, y: Floats, how: str
) -> tuple[tuple[Block, ...], Ints, dict[int, str]]:
    """Blocks of the cohorts that have one, the role of each unit, and why other cohorts have none."""
    controls = np.flatnonzero(~design.in_window)
    if controls.size == 0:
        last = max(design.cohort_sizes)
        raise DesignError(
            f"synthetic_did needs controls: every {unit_word(design)} adopts by {design.periods[-1]}.",
            repair=f"Restrict the design to periods before {last - design.anticipation}, the last adoption: "
            "its cohort is then not treated and serves as the controls.",
        )
    member = np.full(len(design.units), -2)
    member[controls] = -1
    blocks: list[Block] = []
    reasons: dict[int, str] = {}
    for cohort in design.cohort_sizes:
        before, after = grid.periods < cohort - design.anticipation, grid.periods >= cohort
        if not before.any() or not after.any():
            side = "before" if not before.any() else "after"
            reasons[cohort] = f"no period {side} the adoption of {_named(design, cohort)}"
            continue
        treated = np.flatnonzero(grid.cohorts == cohort)
        member[treated] = len(blocks)
        blocks.append(block_of(y, Span(cohort, before, after), treated, controls, how))
    if not blocks:
        raise DesignError(
            "No cohort has a period before and after its adoption.",
            list(reasons.values()),
            repair="Add periods before the adoption of at least one cohort.",
        )
    return tuple(blocks), member, reasons


def _named(design: Design, cohort: int) -> str:
    names = [design.unit_names[i] for i in np.flatnonzero(design.unit_cohorts == cohort)]
    return f"cohort {cohort} ({list_some(names, 5)})"


def _effects(
    design: Design,
    source: Replicates,
    reasons: dict[int, str],
    kind: str,
    level: float,
    notes: tuple[str, ...],
) -> Effects:
    cells, of_cell = _cells(design, source.blocks, reasons)
    width = len(design.periods)
    slots = np.maximum(of_cell, 0) * width + np.tile(np.arange(width), of_cell.size // width)
    gaps = np.array([block.gaps for block in source.blocks]).ravel()
    estimates = np.where(cells.identified, gaps[slots], np.nan)

    def uncertainty(plan: Plan, weights: Floats) -> Resampled:
        return averaged(source, of_cell, slots, estimates, plan, weights)

    return Effects(
        estimator="synthetic_did",
        design=design,
        cells=cells,
        estimates=estimates,
        averaged=uncertainty,
        covariance=kind,
        level=level,
        equation=_equation(design),
        notes=(*_notes(design, source, kind), *notes, *(f"Left out: {why}" for why in reasons.values())),
        sampler=lambda plan: _sample(design, source, cells, plan),
        options={"weights": source.how, "draws": source.draws, "seed": source.seed},
        rows=None if design.covariates else partial(_rows, source, of_cell),
    )


def _rows(source: Replicates, of_cell: Ints, weights: Floats) -> Floats:
    """Weights of outcomes (N, T, q) in averages of cells, weights of units and periods kept as they are."""
    n, width = source.y.shape
    out = np.zeros((n, width, weights.shape[1]))
    for k, block in enumerate(source.blocks):
        mine = np.flatnonzero(of_cell == k)
        total = weights[mine]
        steps = np.zeros((width, weights.shape[1]))
        steps[np.arange(mine.size)] = total
        steps[block.span.before] -= block.time_weights[:, None] * total.sum(axis=0)
        out[block.treated] += steps / block.treated.size
        out[block.controls] -= block.unit_weights[:, None, None] * steps
    return out


def _cells(design: Design, blocks: tuple[Block, ...], reasons: dict[int, str]) -> tuple[Cells, Ints]:
    """Cells of all cohorts and periods, and the block of each (-1 for none)."""
    periods, sizes = np.array(design.periods), design.cohort_sizes
    known = {block.span.cohort: k for k, block in enumerate(blocks)}
    cohorts, times = np.repeat(list(sizes), periods.size), np.tile(periods, len(sizes))
    of_cell = np.array([known.get(int(g), -1) for g in cohorts])
    lone = np.array([k >= 0 and blocks[k].span.before.sum() == 1 for k in of_cell])
    lone &= times < cohorts - design.anticipation
    identified = (of_cell >= 0) & ~lone
    reference = lone & ~np.isin(times - cohorts, (times - cohorts)[identified])
    units = np.repeat(list(sizes.values()), periods.size)
    why = tuple(
        reasons.get(int(g), REFERENCE if zero else BASE if only else _mind(design, n))
        for g, n, only, zero in zip(cohorts, units, lone, reference, strict=True)
    )
    return Cells(cohorts, times, units.astype(np.float64), units, units, identified, reference, why), of_cell


BASE = "the only period before adoption: zero by construction"
"""Reason of a gap that is zero whatever the data."""


def _mind(design: Design, size: int) -> str:
    return (
        f"one treated {unit_word(design)}: its own variation is taken from the controls" if size == 1 else ""
    )


def _by_cohort(cells: Cells) -> Plan:
    """Return one average per cohort; overall, each treated unit and period counts once."""
    plan = plan_of(cells, "group")
    mass = np.array(
        [(cells.mass * (plan.weights[:, j] > 0)).sum() for j in range(len(plan.terms))], dtype=np.float64
    )
    return replace(plan, kind="cells", total=mass / mass.sum())


def _equation(design: Design) -> str:
    outcome = "".join((f"{design.outcome}[i,t]", *(f" − b·{name}[i,t]" for name in design.covariates)))
    outcome = f"({outcome})" if design.covariates else outcome
    return (
        f"per cohort: weighted least squares of {outcome} on {design.unit}[i] + {design.time}[t] + "
        "τ·treated, weights ω[i]·λ[t] of controls and of periods before adoption"
    )


def _notes(design: Design, source: Replicates, kind: str) -> tuple[str, ...]:
    controls = plural(int((source.member == -1).sum()), unit_word(design))
    why = {
        "jackknife": "one cluster left out at a time, weights kept",
        "placebo": f"{source.draws} draws of controls as adopters, seed {source.seed}; takes treated units "
        "to be as noisy as controls",
        "bootstrap": f"{source.draws} draws of clusters, seed {source.seed}",
    }[kind]
    return (
        f"Comparison: {controls} not treated in the panel, weighted to run parallel to each cohort",
        *_published(source),
        "Gaps before adoption are what the weights were fitted to: they are not a test of parallel trends",
        f"Variance: {kind} ({why})",
    )


def _published(source: Replicates) -> tuple[str, ...]:
    if source.how != "published":
        return ()
    kinds = dict.fromkeys(kind for block in source.blocks for kind in block.cut_short)
    cut = [
        f"{kind} of cohort {list_some(b.span.cohort for b in source.blocks if kind in b.cut_short)}"
        for kind in kinds
    ]
    end = f"; the limit of {LONG:,} steps ended the {' and the '.join(cut)}" if cut else ""
    return (f"Weights: published, by steps that stop above the minimum{end}",)


def _sample(design: Design, source: Replicates, cells: Cells, plan: Plan) -> pd.DataFrame:
    periods = np.array(design.periods)
    known = {block.span.cohort: block for block in source.blocks}
    rows = []
    for term, members in zip(plan.terms, plan.members, strict=True):
        used_cells = members[cells.identified[members]]
        blocks = [known[int(g)] for g in np.unique(cells.cohorts[used_cells])]
        gone = members[~cells.identified[members]]
        lack = [f"{_named(design, int(cells.cohorts[i]))}: {cells.reasons[i]}" for i in gone]
        used = np.unique(np.concatenate([b.controls[b.unit_weights > 0] for b in blocks] or [np.array([])]))
        base = [
            f"cohort {b.span.cohort} against "
            + ", ".join(
                f"{p} ({w:.2f})" for p, w in zip(periods[b.span.before], b.time_weights, strict=True) if w
            )
            for b in blocks
        ]
        treated = int(sum(b.treated.size for b in blocks))
        rows.append((term.name, treated, used.size, "; ".join(base), "; ".join(dict.fromkeys(lack))))
    columns = ["term", "treated_units", "control_units", "periods", "left_out"]
    frame = pd.DataFrame(rows, columns=columns)
    return frame.astype({"treated_units": "Int64", "control_units": "Int64"})
