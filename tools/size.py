"""Measure how often nominal 5% tests reject a true null, and how often they see an effect (make size).

Writes docs/size/measured.csv (every cell), src/clsimpact/inference/sizes.csv (what the library reads),
docs/size.md and docs/images/size.png. Peers are measured by tests/oracles/size.py on the same panels.

Permutations, path errors and the joint tests use the library's own array functions on many panels of one
design at once; the first panel of each cell is also given to the public functions, and must agree.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import os
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd
from scipy.special import stdtr
from size_panels import ADOPTERS, EFFECTS, ERRORS, FIRST, PERIODS, SHAPE_ERRORS, SHAPES, Cell, Floats

import clsimpact as ci
import clsimpact.results
from clsimpact._forms import Forms
from clsimpact.errors import ClsimpactWarning
from clsimpact.inference import Permutation, Wild
from clsimpact.inference.assignments import Assignments
from clsimpact.inference.draws import critical
from clsimpact.inference.linear import LinearForm
from clsimpact.inference.multiplicity import min_p
from clsimpact.inference.randomisation import permute

ROOT = Path(__file__).resolve().parents[1]
LINEAR = (
    "twfe", "event_study", "group_time", "sun_abraham", "imputation", "two_stage", "extended_twfe",
    "stacked", "did_m", "local_projection",
)  # fmt: skip
LEAST = 3
SHIFTS = (0.5, 1.0)
CELLS = "group_time"
"""Estimator whose effects by cohort and period are tested together as well."""

WALD_KINDS = ("CR1", "CR2")


def frame_of(y: Floats, first: np.ndarray) -> pd.DataFrame:
    """Lay a panel out as rows."""
    years = np.arange(FIRST, FIRST + y.shape[1])
    return pd.DataFrame({
        "unit": np.repeat(np.arange(len(y)), years.size),
        "year": np.tile(years, len(y)),
        "first": np.repeat(first, years.size),
        "y": y.ravel(),
    })  # fmt: skip


def design_of(y: Floats, first: np.ndarray) -> ci.Design:
    """Return the design of a panel."""
    return ci.Design(frame_of(y, first), outcome="y", unit="unit", time="year", cohort="first")


@dataclass(frozen=True)
class Plan:
    """Columns of one estimator in the joint form: overall, terms before adoption and after, all, and pairs.

    ``pairs`` are the terms that rest on two adopters, which enter no joint test; ``cells`` the effects by
    cohort and period of an estimator that has them.
    """

    name: str
    overall: int
    before: list[int]
    after: list[int]
    pairs: list[int]
    cells: list[int]

    @property
    def every(self) -> list[int]:
        """All terms by event time that enter joint tests."""
        return self.before + self.after


def plans_of(design: ci.Design) -> tuple[list[tuple[LinearForm, list[Plan]]], Forms]:
    """Forms of all estimators, those of one working regression side by side."""
    groups: dict[bool, tuple[list[Floats], list[Plan], LinearForm]] = {}
    for name in LINEAR:
        fit = getattr(ci, name)(design, inference=usual(name)[0])
        path = fit.aggregate("dynamic") if fit.aggregator is not None else fit
        forms, form = Forms(path), Forms(path).by_type
        one = name == "twfe"
        weights, plans, _ = groups.setdefault(one, ([], [], form))
        at = sum(w.shape[2] for w in weights)
        overall = overall_weights(fit, path, form)
        event = [term.event_time for term in path.terms]
        shown = [i for i, ok in enumerate(path.identified) if ok and event[i] is not None]
        shown = [i for i in shown if np.isfinite(form.df[i])]
        known = [i for i in shown if (path.terms[i].n_units or 0) >= LEAST]
        before = [at + 1 + i for i in known if (event[i] or 0) < 0]
        after = [at + 1 + i for i in known if (event[i] or 0) >= 0]
        pairs = [at + 1 + i for i in shown if path.terms[i].n_units == 2]
        columns, cells = [overall, form.weights], []
        if name == CELLS:
            whole = Forms(fit).by_type.weights[:, :, :-1]
            start = at + 1 + form.weights.shape[2]
            cells = [
                start + i
                for i, term in enumerate(fit.terms)
                if (term.n_units or 0) >= LEAST and fit.identified[i]
            ]
            columns.append(whole)
        weights.append(np.concatenate(columns, axis=2))
        plans.append(Plan(name, at, before, after, pairs, cells))
    joined = [
        (replace(form, weights=np.concatenate(weights, axis=2)), plans)
        for weights, plans, form in groups.values()
    ]
    return joined, forms


def overall_weights(fit: ci.results.Estimate, path: ci.results.Estimate, form: LinearForm) -> Floats:
    """Weights of the number that `Estimate.overall` shows (K, T, 1)."""
    if fit.total is not None:
        return Forms(fit).by_type.weights[:, :, -1:]
    after = [i for i, t in enumerate(path.terms) if path.identified[i] and (t.event_time or 0) >= 0]
    if fit.estimator == "twfe":
        after = [0]
    return form.weights[:, :, after].mean(axis=2, keepdims=True)


def usual(name: str) -> tuple[str, ...]:
    """Covariances of an estimator, its own first."""
    return {
        "twfe": ("CR1", "CR2", "CR3"),
        "event_study": ("CR1", "CR2", "CR3"),
        "group_time": ("CR0", "CR2", "jackknife"),
        "sun_abraham": ("CR1", "CR2", "CR3"),
        "imputation": ("CR0", "CR2", "jackknife"),
        "two_stage": ("CR0", "jackknife"),
        "extended_twfe": ("CR1", "CR2", "CR3"),
        "stacked": ("CR3", "CR1", "CR2"),
        "did_m": ("cohort", "jackknife"),
        "local_projection": ("CR1", "CR2", "CR3"),
    }[name]


Found = dict[tuple[str, str, str], list[float]]


def measure(cell: Cell, panels: int, draws: int, classic: int, synthetic: int) -> list[dict[str, object]]:
    """Return a row per estimator, method and quantity."""
    started = time.perf_counter()
    warnings.simplefilter("ignore", ClsimpactWarning)
    outcomes = cell.panels(panels)
    design = design_of(outcomes[0], cell.cohorts)
    found: Found = {}
    joined, forms = plans_of(design)
    ways = Assignments(forms.paths, forms.patterns)
    for number, y in enumerate(outcomes):
        net = y - y.mean(axis=1, keepdims=True)
        for form, plans in joined:
            drawn = permute(form, net, ways, forms.patterns, draws=draws, seed=number)
            record(found, form, plans, drawn)
    check_first(cell, outcomes[0], joined, forms, draws)
    for y in outcomes[:classic]:
        record_classic(found, design_of(y, cell.cohorts))
    for y in outcomes[:synthetic]:
        fit = ci.synthetic_did(design_of(y, cell.cohorts), inference="path")
        note(found, fit, "synthetic_did", "path", 0.0)
    spent = time.perf_counter() - started
    return [
        {
            "estimator": name, "method": method, "units": cell.units, "treated": cell.adopters,
            "periods": cell.periods,
            "errors": cell.errors, "effects": cell.effects, "quantity": quantity,
            "rejected": round(100 * float(np.mean(values)), 2), "panels": len(values),
            "seconds": round(spent, 1),
        }
        for (name, method, quantity), values in found.items()
    ]  # fmt: skip


def record(found: Found, form: LinearForm, plans: list[Plan], drawn: object) -> None:
    """Keep what one panel says: permutation and path errors."""
    observed, statistics = drawn.observed, np.nan_to_num(drawn.statistics, nan=np.inf)
    lead = [plan.overall for plan in plans]
    edge = critical(statistics[:, lead], 0.95)
    for plan, top in zip(plans, edge, strict=True):
        t, df = observed[plan.overall], form.df[plan.overall]
        keep(found, plan.name, "permutation", "overall", abs(t) > top)
        keep(found, plan.name, "path", "overall", 2 * stdtr(df, -abs(t)) <= 0.05)
        for shift in SHIFTS:
            moved = abs(t + shift / drawn.errors[plan.overall])
            keep(found, plan.name, "permutation", f"power_{shift}", moved > top)
            keep(found, plan.name, "path", f"power_{shift}", 2 * stdtr(df, -moved) <= 0.05)
        together = {"before": plan.before, "after": plan.after, "band": plan.every, "cells": plan.cells}
        for quantity, columns in together.items():
            if columns:
                p = min_p(observed[columns], statistics[:, columns])[0]
                keep(found, plan.name, "permutation", quantity, p <= 0.05)
        if plan.pairs:
            beyond = np.abs(observed[plan.pairs]) > critical(statistics[:, plan.pairs], 0.95)
            found.setdefault((plan.name, "permutation", "pairs"), []).append(float(beyond.mean()))


def keep(found: Found, name: str, method: str, quantity: str, value: object) -> None:
    """Note one answer."""
    found.setdefault((name, method, quantity), []).append(float(bool(value)))


def note(found: Found, fit: ci.results.Estimate, name: str, method: str, truth: float) -> None:
    """Keep whether the interval of the overall effect leaves the truth out."""
    row = fit.overall.iloc[0]
    if np.isfinite(row["conf_low"]):
        outside = not row["conf_low"] <= truth <= row["conf_high"]
        keep(found, name, method, "overall", outside)
        for shift in SHIFTS:
            low, high = row["conf_low"] + shift, row["conf_high"] + shift
            keep(found, name, method, f"power_{shift}", not low <= truth <= high)


def record_classic(found: Found, design: ci.Design) -> None:
    """Keep what the covariances of each estimator and the wild bootstrap say."""
    for name in LINEAR:
        kinds = usual(name)
        fit = getattr(ci, name)(design, inference=kinds[0])
        for kind in kinds:
            if kind in fit.uncertainty.kinds:
                note(found, fit.with_inference(kind), name, kind, 0.0)
        if name in ("twfe", "event_study"):
            note(found, fit.with_inference("wild", draws=399), name, "wild", 0.0)
            note(
                found, fit.with_inference(Wild(impose_null=False), draws=399), name, "wild_unrestricted", 0.0
            )
        if name == "event_study":
            for kind in WALD_KINDS:
                p = fit.with_inference(kind).joint_test("before")["p_value"].iloc[0]
                keep(found, name, kind, "before", p <= 0.05)
            imposed = fit.with_inference("wild", draws=399)
            for terms in ("before", "after"):
                p = imposed.joint_test(terms)["p_value"].iloc[0]
                keep(found, name, "wild", terms, p <= 0.05)
            free = fit.with_inference(Wild(impose_null=False), draws=399).bands()
            free = free[free["band_low"].notna()]
            missed = (free["band_low"] > 0) | (free["band_high"] < 0)
            keep(found, name, "wild_unrestricted", "band", missed.any())
        if name in COEFFICIENT:
            bare = fit.with_inference(Permutation(statistic="coefficient"), draws=399)
            note(found, bare, name, "coefficient", 0.0)
    one = ci.synthetic_did(design, inference="jackknife")
    if np.isfinite(one.overall["conf_low"].iloc[0]):
        note(found, one, "synthetic_did", "jackknife", 0.0)


def check_first(cell: Cell, y: Floats, joined: list, forms: Forms, draws: int) -> None:
    """Compare the first panel with what a user gets."""
    net = y - y.mean(axis=1, keepdims=True)
    for form, plans in joined:
        drawn = permute(
            form, net, Assignments(forms.paths, forms.patterns), forms.patterns, draws=draws, seed=0
        )
        low = drawn.intervals(0.95)[0]
        for plan in plans:
            fit = getattr(ci, plan.name)(design_of(y, cell.cohorts))
            mine = fit.with_inference("permutation", draws=draws, seed=0).overall["conf_low"].iloc[0]
            if not np.isclose(mine, low[plan.overall], rtol=1e-9, atol=1e-9):
                raise AssertionError(f"{cell}, {plan.name}: {mine} against {low[plan.overall]}")


def run(job: tuple[Cell, int, int, int, int]) -> list[dict[str, object]]:
    """Measure one cell (in a process of its own)."""
    return measure(*job)


COEFFICIENT = ("twfe", "event_study", "group_time", "imputation")
"""Estimators for which permutation of the bare coefficient is measured."""

PLAIN = ("ar_0.5", "noisy_adopters")
"""Kinds of error for which covariances and the wild bootstrap are measured too."""


def cells(periods: list[int], adopters: list[int]) -> list[Cell]:
    """Every kind of panel of the usual shape."""
    every = itertools.product(periods, ERRORS, EFFECTS, adopters)
    return [Cell(size, length, errors, effects) for length, errors, effects, size in every]


def shapes(kinds: list[str], sizes: list[int]) -> list[Cell]:
    """Panels with few units, few controls or many adopters: of these kinds of error and numbers of units."""
    every = itertools.product(kinds, [shape for shape in SHAPES if not sizes or shape[0] in sizes])
    return [Cell(adopters, PERIODS[0], errors, "none", units) for errors, (units, adopters) in every]


def main() -> None:
    """Measure every cell."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--panels", type=int, default=2000)
    parser.add_argument("--draws", type=int, default=399)
    parser.add_argument("--classic", type=int, default=500, help="panels for covariances and wild bootstrap")
    parser.add_argument("--synthetic", type=int, default=500, help="panels for synthetic_did")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "size" / "measured.csv")
    parser.add_argument("--adopters", type=int, nargs="*", default=list(ADOPTERS))
    parser.add_argument("--periods", type=int, nargs="*", default=list(PERIODS))
    parser.add_argument("--shapes", action="store_true", help="panels of other shapes instead")
    parser.add_argument("--errors", nargs="*", default=list(SHAPE_ERRORS), help="with --shapes: these only")
    parser.add_argument("--units", type=int, nargs="*", default=[], help="with --shapes: these only")
    parser.add_argument("--append", action="store_true", help="add to what --out holds")
    given = parser.parse_args()
    jobs = []
    chosen = shapes(given.errors, given.units) if given.shapes else cells(given.periods, given.adopters)
    for cell in chosen:
        plain = cell.periods == PERIODS[0] and cell.effects == "none" and cell.errors in PLAIN
        synthetic = 0 if given.shapes else given.synthetic
        jobs.append((cell, given.panels, given.draws, given.classic * plain, synthetic))
    started = time.perf_counter()
    given.out.parent.mkdir(parents=True, exist_ok=True)
    mode = "a" if given.append else "w"
    with (
        given.out.open(mode, newline="", encoding="utf-8") as file,
        ProcessPoolExecutor(given.workers) as pool,
    ):
        writer = None
        for number, rows in enumerate(pool.map(run, jobs), start=1):
            if writer is None:
                writer = csv.DictWriter(file, rows[0], lineterminator="\n")
                if not given.append:
                    writer.writeheader()
            writer.writerows(rows)
            file.flush()
            print(
                f"{number}/{len(jobs)} {jobs[number - 1][0]} {time.perf_counter() - started:.0f} s",
                flush=True,
            )


if __name__ == "__main__":
    main()
