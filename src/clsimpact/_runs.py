"""One method on one result: the draws that its terms and its overall effect ask for, and what was drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from math import log10
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clsimpact._check import kind_label, plural, unit_word
from clsimpact._forms import Forms
from clsimpact._refit import Refits, refits
from clsimpact.errors import DesignError, list_some
from clsimpact.inference.assignments import Assignments
from clsimpact.inference.draws import Drawn
from clsimpact.inference.few_treated import FewTreated, conley_taber, ferman_pinto
from clsimpact.inference.methods import (
    ConleyTaber,
    FermanPinto,
    Method,
    Multiplier,
    Permutation,
    Wild,
)
from clsimpact.inference.multiplier import multiply
from clsimpact.inference.randomisation import permute
from clsimpact.inference.wild import RowForm, wild

if TYPE_CHECKING:
    from clsimpact.design import Design
    from clsimpact.results import Estimate

__all__ = ["NAMES", "Placebos", "Run", "sizes_of"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

NAMES: Mapping[type, str] = {
    Permutation: "permutation",
    Wild: "wild",
    Multiplier: "multiplier",
    ConleyTaber: "conley_taber",
    FermanPinto: "ferman_pinto",
}
"""Name of each method."""


@dataclass(frozen=True, eq=False)
class Run:
    """One method on one result: everything that its terms and its overall effect ask of the draws.

    Attributes
    ----------
    method : Method
    forms : Forms
    draws, seed : int
    executor, progress
        See `clsimpact.inference.blocks.run_blocks`.
    """

    method: Method
    forms: Forms
    draws: int
    seed: int
    executor: Executor | None = None
    progress: bool = False
    _kept: dict[bytes, Drawn | Placebos] = field(default_factory=dict, repr=False)
    _refits: list[Refits] = field(default_factory=list, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"executor": None}

    @property
    def width(self) -> int:
        """Terms, and one more where the overall effect is a number of its own."""
        return len(self.forms.fit.terms) + (self.forms.fit.total is not None)

    @property
    def about_zero(self) -> Run:
        """The run whose statistics are about zero: it imposes no hypothesis on each number by itself."""
        if isinstance(self.method, Permutation | Wild) and self.method.impose_null:
            return replace(self, method=replace(self.method, impose_null=False), _kept={})
        return self

    def numbers(self, weights: Floats | None = None) -> Drawn | Placebos:
        """Return what the draws say of combinations ``weights`` (width, m); by default of each by itself."""
        mixed = np.eye(self.width) if weights is None else weights
        key = mixed.tobytes()
        if key not in self._kept:
            self._kept[key] = self._drawn(mixed)
        return self._kept[key]

    def _drawn(self, weights: Floats) -> Drawn | Placebos:
        how: Any = {"draws": self.draws, "seed": self.seed}
        how |= {"executor": self.executor, "progress": self.progress}
        method, forms = self.method, self.forms
        if isinstance(method, Permutation) and method.refit:
            return self.refitted.drawn(weights)
        if isinstance(method, Permutation):
            return permute(
                forms.by_type.combine(weights),
                forms.outcomes,
                self.assignments,
                forms.patterns,
                impose_null=method.impose_null,
                studentise=method.statistic == "t",
                **how,
            )
        if isinstance(method, Multiplier):
            return multiply(*_influence(forms.fit, weights), weights=method.weights, **how)
        rows = forms.by_row
        rows = replace(rows, weights=rows.weights @ weights, estimates=rows.estimates @ weights)
        if isinstance(method, Wild):
            parts = None if method.parts == "clusters" else np.arange(forms.design.n_obs)
            return wild(rows, weights=method.weights, impose_null=method.impose_null, parts=parts, **how)
        return _placebo(self, rows)

    @property
    def refitted(self) -> Refits:
        """Every re-assigned panel estimated again, once."""
        if not self._refits:
            how: Any = {"draws": self.draws, "seed": self.seed, "executor": self.executor}
            bare = isinstance(self.method, Permutation) and self.method.statistic != "t"
            how |= {"progress": self.progress, "studentise": not bare}
            self._refits.append(refits(self.forms.fit, self.assignments, **how))
        return self._refits[0]

    @property
    def assignments(self) -> Assignments:
        """The re-assignments that the method allows."""
        forms, method = self.forms, self.method
        strata, only = forms.patterns, False
        if isinstance(method, Permutation) and method.refit:
            strata = np.zeros_like(strata)
        if isinstance(method, Permutation):
            only = method.who == "dates"
            if method.strata is not None:
                own = _labels(forms.design, method.strata)
                strata = np.unique(np.column_stack([strata, own]), axis=0, return_inverse=True)[1].ravel()
        return Assignments(forms.paths, strata, only)

    @property
    def words(self) -> str:
        """What was drawn, in one sentence."""
        return _words(self)


def _influence(fit: Estimate, weights: Floats) -> tuple[Floats, Floats]:
    """Estimates (m) and influence of each cluster (G, m) on combinations of terms and overall effect."""
    columns, numbers = [], []
    for part in (fit,) if fit.total is None else (fit, fit.total):
        scores = np.asarray(getattr(part.uncertainty, "scores", None))
        padded = np.hstack([np.nan_to_num(scores), np.zeros((len(scores), 1))])
        places = [
            -1 if slot is None or not ok else slot
            for slot, ok in zip(part.slots, part.identified, strict=True)
        ]
        columns.append(padded[:, places])
        numbers.append(np.where(part.identified, part.estimates, 0.0))
    return np.concatenate(numbers) @ weights, np.hstack(columns) @ weights


@dataclass(frozen=True)
class Placebos:
    """Numbers with residuals of controls in place of those of adopters, at any level."""

    at: Callable[[float], list[FewTreated]]

    def p_values(self) -> Floats:
        """p-values of no effect (p)."""
        return np.array([found.p_value for found in self.at(0.95)])

    def intervals(self, level: float) -> tuple[Floats, Floats]:
        """Lower and upper ends (p)."""
        ends = np.array([(found.conf_low, found.conf_high) for found in self.at(level)])
        return ends[:, 0], ends[:, 1]


def _placebo(run: Run, rows: RowForm) -> Placebos:
    """Put residuals of the controls that are seen in every period in place of those of adopters.

    Weights and residuals are those of outcomes: rows of a weighted panel are divided by the root of their
    weight again, else a control would enter with its own weight in place of the adopter's.
    """
    design, forms, method = run.forms.design, run.forms, run.method
    shape = (*forms.seen.shape, rows.weights.shape[1] + 1)
    grid, root = np.zeros(shape), forms.roots
    laid = np.column_stack([rows.weights * root[:, None], rows.residuals / root])
    grid[design.unit_codes, design.time_codes] = laid
    treated, controls = forms.paths > 0, forms.donors
    how: Any = {"draws": run.draws, "seed": run.seed}
    size = sizes_of(design, method.size) if isinstance(method, FermanPinto) else None

    def at(level: float) -> list[FewTreated]:
        out = []
        for j, estimate in enumerate(rows.estimates):
            mine = treated & (grid[:, :, j] != 0).any(axis=1)
            given = (float(estimate), grid[controls, :, -1], grid[mine, :, j])
            if not mine.any():
                out.append(_NOTHING)
            elif size is None:
                out.append(conley_taber(*given, level=level, **how))
            else:
                out.append(ferman_pinto(*given, size[controls], size[mine], level=level, **how))
        return out

    return Placebos(at)


_NOTHING = FewTreated("", np.nan, np.nan, np.nan, np.nan, 0.95, np.empty(0), True, 0, 0)
"""Stands for a number that no adopter enters: a reference period."""


def sizes_of(design: Design, given: Mapping[Any, Any]) -> Floats:
    """Size of each unit (N), as `FermanPinto` was given them, or `DesignError` with what is wrong."""
    sizes = _of_units(design, given, "size")
    try:
        numbers = np.array([float(size) for size in sizes])
    except (TypeError, ValueError):
        raise DesignError(
            "Sizes of units are not numbers.",
            [f"{name}: {size!r}" for name, size in zip(design.unit_names, sizes, strict=True)][:5],
            repair="Give the population of each unit as a number.",
        ) from None
    return numbers


def _labels(design: Design, given: Mapping[Any, Any]) -> Ints:
    words = [str(label) for label in _of_units(design, given, "stratum")]
    return np.unique(words, return_inverse=True)[1].astype(np.int64)


def _of_units(design: Design, given: Mapping[Any, Any], what: str) -> list[Any]:
    """Return what is given of every unit, in the order of the design, or name those without."""
    found = [given.get(unit) for unit in design.units]
    lost = [name for name, value in zip(design.unit_names, found, strict=True) if pd.isna(value)]
    if lost:
        raise DesignError(
            f"Units have no {what}.", [list_some(lost)], repair=f"Give the {what} of every unit."
        )
    return found


def _words(run: Run) -> str:
    """Say what was drawn, how often, and out of how many."""
    method, unit = run.method, unit_word(run.forms.design)
    if isinstance(method, Permutation):
        ways, count = run.assignments, run.assignments.count
        many = f"all {count:,}" if count <= run.draws else f"{run.draws:,} of {_many(count)}"
        moved = ways.movable
        still = run.forms.design.n_treated - moved
        who = f"adoption dates among {moved} adopters" if ways.dates_only else f"adoption among {unit}s"
        inside = " within strata" if method.strata is not None else ""
        left = f"; {plural(still, 'adopter')} cannot be moved" if still else ""
        stat = (
            "studentised"
            if method.statistic == "t"
            else "of the coefficient, valid only if adopters are as noisy as others"
        )
        stat += ", by refits" if method.refit else ""
        if method.refit and (lost := run.refitted.lost):
            many += f" ({lost} could not be estimated and count against an effect)"
        null = "each hypothesis imposed" if method.impose_null else "effects taken out at their estimates"
        return f"permutation of {who}{inside}, {stat}; {many} re-assignments, {null}{left}; seed {run.seed}"
    many = f"{run.draws:,} draws, seed {run.seed}"
    if isinstance(method, Wild):
        null = "null imposed" if method.impose_null else "null not imposed"
        by = "rows" if method.parts == "rows" else "clusters"
        n = run.forms.design.n_obs if method.parts == "rows" else run.forms.design.n_clusters
        if method.weights == "rademacher" and n < run.draws.bit_length():
            many = f"all {2**n:,} vectors of signs"
        return f"wild cluster bootstrap, {null}, {method.weights} by {by}, {many}"
    if isinstance(method, Multiplier):
        return f"multiplier bootstrap of influence functions, {method.weights}, {many}"
    name = kind_label(NAMES[type(method)])
    how = "; variance falls with size" if isinstance(method, FermanPinto) else ""
    used, there = int(run.forms.donors.sum()), int((run.forms.paths == 0).sum())
    whose = "" if used == there else f"the {used} of {there} "
    seen = "" if used == there else " that are seen in every period,"
    return f"{name}: residuals of {whose}controls{seen} in place of adopters'{how}, at most {many}"


def _many(count: int) -> str:
    """Write a count: in full up to ten million, then by its power of ten."""
    if count < 10**7:
        return f"{count:,}"
    power = int(log10(count))
    power += int(count >= 10 ** (power + 1)) - int(count < 10**power)
    head = count // 10 ** (power - 1)
    return f"{head // 10}.{head % 10} × 10^{power}"
