"""Results built by hand: paths and cells whose numbers a test chooses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from clsimpact.design import Design
from clsimpact.estimators._cells import Cells, Effects
from clsimpact.inference.influence import Influence
from clsimpact.inference.sandwich import Counts
from clsimpact.results import REFERENCE, Estimate, Term, embedded


def influence(design: Design, values: Sequence[float], errors: Sequence[float], seed: int = 1) -> Influence:
    """Numbers with the standard errors given, one cluster per unit."""
    n = len(design.units)
    psi = np.random.default_rng(seed).normal(size=(n, len(values)))
    psi *= np.asarray(errors) / np.sqrt((psi**2).sum(axis=0))
    counts = Counts(n_obs=design.n_obs, n_clusters=n, k_nested=1, k_all=1)
    return Influence(np.asarray(values, dtype=float), psi, np.arange(n), counts)


def path_fit(
    design: Design,
    path: Mapping[int, float | None],
    *,
    error: float = 0.01,
    reference: int | None = -1,
    estimator: str = "stacked",
    units: int | Mapping[int, int] = 20,
    total: tuple[str, float] | None = None,
    notes: tuple[str, ...] = (),
    options: Mapping[str, Any] | None = None,
) -> Estimate:
    """Effects by event time; None where not identified."""
    events = sorted({*path, *([] if reference is None else [reference])})
    values = [path.get(e) for e in events]
    held = influence(design, [v or 0.0 for v in values], [error] * len(events))
    good = np.array([v is not None for v in values])
    count = {e: units if isinstance(units, int) else units[e] for e in events}
    terms = tuple(
        Term(
            f"e={e}", e, None, count[e], count[e], "" if ok else REFERENCE if e == reference else "no control"
        )
        for e, ok in zip(events, good, strict=True)
    )
    slots = tuple(i if ok else None for i, ok in enumerate(good))
    zero = [0.0 if e == reference else np.nan for e in events]
    numbers = np.where(good, [v or 0.0 for v in values], zero)
    return Estimate(
        estimator, design, terms, numbers, good, embedded(held, slots, good, "CR0"), 0.95, "", notes,
        uncertainty=held, slots=slots, options=options or {},
        total=None if total is None else one_fit(design, *total, error=error, estimator=estimator),
    )  # fmt: skip


def one_fit(
    design: Design, name: str, value: float, *, error: float = 0.01, estimator: str = "synthetic_did"
) -> Estimate:
    """One effect."""
    held = influence(design, [value], [error])
    good = np.array([True])
    return Estimate(
        estimator, design, (Term(name, None, None, design.n_treated, int(design.treated.sum())),),
        held.estimates, good, embedded(held, (0,), good, "CR0"), 0.95, "", (), uncertainty=held, slots=(0,),
    )  # fmt: skip


def cell_fit(design: Design, *, lost: tuple[int, int] | None = None, universal: bool = True) -> Estimate:
    """Effects by cohort and period as plain differences in means from the period before adoption."""
    n, periods = len(design.units), np.array(design.periods)
    y = design.y.reshape(n, periods.size)
    never = ~design.in_window
    cohorts, rest = [], []
    values, scores = [], []
    for g, size in design.cohort_sizes.items():
        mine = design.unit_cohorts == g
        base = int(np.flatnonzero(periods < g)[-1])
        for j, t in enumerate(periods):
            if j == 0 and not universal:
                continue
            start = base if universal or t >= g else max(j - 1, 0)
            change = y[:, j] - y[:, start]
            values.append(change[mine].mean() - change[never].mean())
            psi = np.where(mine, (change - change[mine].mean()) / size, 0.0)
            scores.append(psi - np.where(never, (change - change[never].mean()) / never.sum(), 0.0))
            cohorts.append((g, int(t), size))
            rest.append(universal and j == base)
    g, t, size = (np.array(part) for part in zip(*cohorts, strict=True))
    zero = np.array(rest)
    gone = np.zeros(zero.size, bool) if lost is None else (g == lost[0]) & (t == lost[1])
    reasons = tuple(REFERENCE if z else "no control" if x else "" for z, x in zip(zero, gone, strict=True))
    good = ~zero & ~gone
    cells = Cells(g, t, size.astype(float), size, size, good, zero, reasons)
    numbers = np.where(good, values, np.where(zero, 0.0, np.nan))
    counts = Counts(n_obs=design.n_obs, n_clusters=n, k_nested=1, k_all=1)
    held = Influence(np.nan_to_num(numbers), np.column_stack(scores), np.arange(n), counts)
    effects = Effects(
        "group_time", design, cells, numbers, lambda _, w: held.combine(w), "CR0", 0.95, "ATT(g,t)",
        ("Comparison: units never treated",),
    )  # fmt: skip
    return effects.aggregate("cells")
