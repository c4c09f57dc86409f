r"""Wooldridge's extended two-way fixed effects: a coefficient for each cohort and treated period."""

from __future__ import annotations

from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from clsimpact._check import unit_word
from clsimpact._procedures import base_kind, finished, quick_kind
from clsimpact.design import Design
from clsimpact.errors import DesignError, did_you_mean
from clsimpact.estimators._compress import Layout, layout_of
from clsimpact.estimators._options import require_design
from clsimpact.estimators._within_effects import Interaction, base_cells, numbered, with_a_before
from clsimpact.estimators._within_grid import regress_cells
from clsimpact.inference.methods import Method
from clsimpact.results import Estimate

__all__ = ["extended_twfe"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

CONTROLS = ("not_yet", "never")

SAME_SHARE = 1e-12
"""A cohort's values of a covariate are one value if they differ by less than this share of the largest: the
distance from their mean is then rounding (about 1e-16), and would pass for the cohort's indicator."""


def extended_twfe(
    design: Design,
    *,
    control: Literal["not_yet", "never"] = "not_yet",
    inference: str | Method = "auto",
    level: float = 0.95,
) -> Estimate:
    r"""Estimate the effect on each cohort in each treated period by one saturated regression.

    .. math:: y_{it} = \alpha_i + \lambda_t + \sum_{(g,t')} 1[\text{cohort}_i = g, t = t'] \,
              (\tau_{gt'} + \dot x_{i,g}'\rho_{gt'}) + x_i'\pi_t + z_{it}'b + \varepsilon_{it},
              \qquad \dot x_{i,g} = x_i - \bar x_g .

    The cells (g, t) run over the periods from ``g - anticipation`` on (``control="not_yet"``: everyone not
    yet treated is a control) or over all periods but the reference of the cohort (``control="never"``: only
    units that never adopt, or adopt after the panel, are). Under parallel trends (given x) and no
    anticipation :math:`\tau_{gt}` is the mean effect on cohort g in period t. Without covariates and on a
    balanced panel ``"not_yet"`` equals `imputation` and ``"never"`` equals `sun_abraham`.

    **Covariates** that are constant within units (x) are interacted with the periods and, around their cohort
    means, with the cells, as in Wooldridge; their interactions with cohorts lie in the unit effects. The
    means count as fixed in the standard errors. Covariates that vary over time (z) are plain regressors: one
    slope, the same before and after adoption, so they must not respond to adoption.

    Parameters
    ----------
    design
        Who is compared with whom.
    control
        ``"not_yet"`` (default) or ``"never"``.
    inference
        ``"auto"``, a method, or the name of one: see `Estimate.with_inference`. Covariances:
        ``"CR1"`` (usual; reproduces etwfe and diff-diff) or another kind of `twfe`.
    level
        Confidence level of the intervals.

    Returns
    -------
    Estimate
        Terms ``"g=2004,t=2006"`` in units of the outcome, then one per time-varying covariate. ``overall`` is
        the mean over treated rows from adoption on; ``aggregate`` gives the other averages.

    Raises
    ------
    DesignError
        An unknown ``control``, ``"never"`` without such units, effects of another column than the unit, or no
        cohort seen before adoption.

    References
    ----------
    Wooldridge (2025), Empirical Economics, doi 10.1007/s00181-025-02807-z (working paper 2021).

    Examples
    --------
    >>> from clsimpact.datasets import load_mpdta
    >>> design = Design(load_mpdta(), outcome="lemp", unit="county", time="year", cohort="first_treat")
    >>> fit = extended_twfe(design)
    >>> fit.tidy()[["term", "estimate", "std_error"]].round(4).head(3)
                term  estimate  std_error
    0  g=2004,t=2004   -0.0194     0.0224
    1  g=2004,t=2005   -0.0783     0.0314
    2  g=2004,t=2006   -0.1361     0.0360
    >>> fit.overall[["estimate", "std_error"]].round(6)
       estimate  std_error
    0  -0.04771   0.013355
    """
    require_design(design, "extended_twfe")
    kind = base_kind(inference, "CR1")
    note = _checked(design, control)
    design, gone = with_a_before(design)
    layout = layout_of(design)
    base, reference = base_cells(layout)
    there = layout.rows > 0
    there[0] = False
    if control == "not_yet":
        base = np.zeros_like(there)
        there[1:] &= layout.event >= -design.anticipation
    else:
        note = f"{note}; {reference[0].lower()}{reference[1:]}"
    table = numbered(there & ~base)
    constant = _constant(design)
    extra, varying = _covariates(layout, table, constant)
    width = int(table.max()) + 1
    plain = tuple(name for name, fixed in zip(design.covariates, constant, strict=True) if not fixed)
    interacted = tuple(name for name, fixed in zip(design.covariates, constant, strict=True) if fixed)
    fit = Interaction(
        estimator="extended_twfe",
        equation=_equation(design, interacted, plain),
        layout=layout,
        table=table,
        base=base,
        regression=regress_cells(layout, table, extra=extra),
        gone=gone,
        covariates=tuple((name, width + varying + j) for j, name in enumerate(plain)),
        not_yet=control == "not_yet",
        notes=(note, *_covariate_notes(interacted, plain)),
    )
    made = fit.result(kind, level, "cells")
    again = partial(extended_twfe, control=control, level=level, inference=quick_kind(kind))
    return finished(made, again, inference)


def _checked(design: Design, control: str) -> str:
    """Return the sentence that names the controls, or raise."""
    word = unit_word(design)
    if control not in CONTROLS:
        raise DesignError(
            f"control {control!r} is not known{did_you_mean(str(control), CONTROLS)}.",
            repair=f"Use one of {', '.join(CONTROLS)}.",
        )
    if design.effects != "unit":
        raise DesignError(
            f"extended_twfe needs unit effects; the design has effects of {design.effects!r}.",
            repair="Leave out effects=, or use twfe or event_study, which take them.",
        )
    if control == "never" and design.in_window.all():
        cohorts = ", ".join(str(cohort) for cohort in design.cohort_sizes)
        raise DesignError(
            f"Every {word} adopts in the panel (in {cohorts}): there is no {word} that never adopts.",
            repair="Use control='not_yet'.",
        )
    who = f"{word}s not yet treated, and those that" if control == "not_yet" else f"{word}s that"
    return f"Comparison: {who} never adopt, or adopt after {design.periods[-1]}"


def _constant(design: Design) -> list[bool]:
    """Say of each covariate whether it is constant within every unit."""
    first = design.X[design.unit_rows[:-1]][design.unit_codes]
    return [bool(same) for same in (first == design.X).all(axis=0)]


def _covariates(layout: Layout, table: Ints, constant: list[bool]) -> tuple[Floats, int]:
    """Return the columns (k, N, T): interactions of constant covariates, then the others as they are.

    The second value counts the interactions.
    """
    shape = layout.mass.shape
    columns: list[Floats] = []
    at = table[layout.codes[layout.order]]
    code = layout.codes[layout.order]
    for values in layout.design.X.T[np.array(constant, dtype=bool)]:
        unit = values[layout.design.unit_rows[:-1]][layout.order]
        mass = layout.mass.sum(axis=1)
        whole_mass = np.bincount(code, weights=mass)
        mean = np.bincount(code, weights=mass * unit) / np.where(whole_mass > 0, whole_mass, 1.0)
        within = np.where(_one_value(unit, code)[code], 0.0, unit - mean[code])
        whole = unit - mass @ unit / mass.sum()
        cells = np.unique(table[table >= 0])
        columns += [np.where(at == cell, within[:, None], 0.0) for cell in cells]
        columns += [np.where(np.arange(shape[1]) == t, whole[:, None], 0.0) for t in range(1, shape[1])]
    count = len(columns)
    columns += [layout.laid(x) for x, fixed in zip(layout.design.X.T, constant, strict=True) if not fixed]
    return np.array(columns).reshape(-1, *shape) * (layout.mass > 0), count


def _one_value(unit: Floats, code: Ints) -> Bools:
    """Say of each cohort code whether its units share one value."""
    low, high = (np.full(code.max() + 1, sign * np.inf) for sign in (1, -1))
    np.minimum.at(low, code, unit)
    np.maximum.at(high, code, unit)
    return np.asarray(high - low <= SAME_SHARE * np.abs(unit).max())


def _equation(design: Design, interacted: tuple[str, ...], plain: tuple[str, ...]) -> str:
    moved = "".join(f" + ρ[g,s]·({name}[i] − mean[g])" for name in interacted)
    effect = f"(τ[g,s]{moved})" if interacted else "τ[g,s]"
    parts = [f"Σ_(g,s) {effect}·1[cohort[i] = g, t = s]"]
    parts += [f"π[t]·{name}[i]" for name in interacted] + [f"b·{name}[i,t]" for name in plain]
    return f"{design.outcome}[i,t] = {design.unit}[i] + {design.time}[t] + {' + '.join(parts)} + error[i,t]"


def _covariate_notes(interacted: tuple[str, ...], plain: tuple[str, ...]) -> list[str]:
    found = []
    if interacted:
        found.append(f"Interacted with cells (around cohort means) and periods: {', '.join(interacted)}")
    if plain:
        found.append(f"Plain regressors, one slope each: {', '.join(plain)}")
    return found
