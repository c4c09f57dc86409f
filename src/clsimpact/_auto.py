"""Which inference a design calls for, by the table of measured sizes (`clsimpact._sizes`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from clsimpact._check import kind_label, lone_words, plural
from clsimpact._estimator_names import in_sentence
from clsimpact._sizes import HOLDS, nearest
from clsimpact.inference.assignments import Assignments

if TYPE_CHECKING:
    from clsimpact._forms import Forms
    from clsimpact._tidy import Term
    from clsimpact.design import Design
    from clsimpact.results import Estimate

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

__all__ = [
    "FEWEST_CONTROLS",
    "LEAST",
    "LEAST_TOGETHER",
    "MANY",
    "adopters_behind",
    "choose",
    "hides_lone",
    "no_joint_words",
    "other_ways",
    "too_narrow_words",
]

LEAST = 3
"""Adopters that an interval needs: fewer were not measured, and one adopter shows no variation of its own."""

FEWEST_CONTROLS = 5
"""Clusters without adoption that an interval needs: with fewer, their own variation is not known either."""

FEWEST_TOGETHER = 80
"""Clusters that bands and joint tests need: with fewer they were measured to fail if adopters are noisier.

It is the least measured number of units from which on they reject a true null at most 7% of the time, on
average over estimators, with any number of adopters and any kind of error (docs/size/shapes.csv).
"""

MANY = 50
"""With more adopters than this behind every number, and more others, usual errors stand in by convention.

They are what other programs show. With 60 behind the thinnest number, in panels of 2,010 units, they held
nearly for the overall effect; several terms at once did where adopters are as noisy as others
(docs/size/large.csv).
"""

LARGE = 2000
"""Units up to which draws take a second; larger panels have the usual errors where adopters are many."""


def too_narrow_words(fit: Estimate, kind: str, *, draws: bool = False) -> str:
    """Say at which rate a method was measured to reject, where that is too often; else nothing.

    A covariance has to hold on every kind of panel; draws on average over them, and nearly.
    """
    treated = fit.design.n_treated_clusters
    rate = nearest(fit.estimator, treated).get(kind)
    if treated > MANY or rate is None or (rate.mean <= NEARLY if draws else rate.most <= HOLDS):
        return ""
    return (
        f"{plural(treated, 'treated cluster')}: with {rate.treated}, a nominal 5% test of a true null by "
        f"{kind_label(kind)} rejected {rate} of the time (overall effect by "
        f"{in_sentence(fit.estimator)}, made-up panels "
        f'of {rate.units} units, docs/size.md). Use inference="auto".'
    )


def choose(fit: Estimate, forms: Forms) -> tuple[str, str]:
    """Return the method (``""``: the estimator's usual covariance; ``"none"``: no interval) and why.

    What is looked at: treated and other clusters, adopters behind the thinnest number (balance), how unequal
    the weights make adopters (leverage), and what was measured for this estimator with so many adopters.
    """
    design = fit.design
    treated, controls = design.n_treated_clusters, _controls(design)
    few = plural(treated, "treated cluster")
    if treated < LEAST:
        one = lone_words(design) if treated == 1 else few
        return "none", f"{one}: no interval holds whatever the errors, and none is shown (from {LEAST} on)"
    if controls < FEWEST_CONTROLS:
        return (
            "none",
            f"{plural(controls, 'cluster')} to compare with: no interval was measured to hold (from "
            f"{FEWEST_CONTROLS} on)",
        )
    if len(design.units) > LARGE and _thinnest(fit) > MANY and controls > MANY:
        return (
            "",
            f"{few}, {_thinnest(fit)} or more behind every number, and {controls} others are many: "
            + _usual_words(fit),
        )
    reason = _obstacle(forms)
    if not reason:
        return "permutation", f"{few}: studentised permutation of adoption{_measured(fit, 'permutation')}"
    without = f"{few}; no permutation, as {reason}"
    if fit.rows is not None or not (forms.obstacle or forms.long):
        return "path", f"{without}: errors around one path of effects{_measured(fit, 'path')}"
    return _without_permutation(fit, without)


def _without_permutation(fit: Estimate, without: str) -> tuple[str, str]:
    """Return the method and why, where outcomes enter the numbers in a way of their own row by row."""
    design = fit.design
    if (even := _as_good_as(design)) < LEAST:
        return (
            "none",
            f"{without}; weights are so unequal (leverage) that adopters count as {even:.1f} equal ones: no "
            f"interval is shown (from {LEAST} on)",
        )
    if fit.estimator in ("twfe", "event_study"):
        return "wild", f"{without}: wild cluster bootstrap, null imposed{_measured(fit, 'wild')}"
    if _thinnest(fit) > MANY and _controls(design) > MANY:
        return "", f"{without}; adopters are many: {_usual_words(fit)}"
    offered = () if fit.uncertainty is None else fit.uncertainty.kinds
    known = nearest(fit.estimator, design.n_treated_clusters)
    for kind in ("CR2", "jackknife", "CR3"):
        if kind in offered and kind in known and known[kind].mean <= NEARLY:
            return kind, f"{without}: {kind}{_measured(fit, kind)}"
    return (
        "none",
        f"{without}, and no error that {fit.estimator} has then was measured to hold: "
        "Permutation(refit=True) estimates every re-assigned panel again",
    )


def _usual_words(fit: Estimate) -> str:
    """Name the usual errors of an estimator, which are no choice by measured size."""
    return f"{fit.vcov.kind}, the usual errors of {fit.estimator}, by convention (docs/size.md: large panels)"


NEARLY = 7.0
"""Mean rate in per cent up to which a covariance stands in where adoption cannot be permuted."""


def no_joint_words(fit: Estimate, terms: object) -> str:
    """Say why several numbers at once are not judged where the library chose the inference, or nothing."""
    if fit.refused or fit.asked != "auto":
        return fit.refused
    few = fit.design.n_treated_clusters
    if fit.procedure is None and _thinnest(fit) <= MANY:
        return (
            f"with {plural(few, 'adopter')} no joint test by {kind_label(fit.vcov.kind)} was measured to hold"
        )
    if fit.design.n_clusters < FEWEST_TOGETHER:
        return (
            f"with {plural(fit.design.n_clusters, 'cluster')} it was measured to fail where adopters are "
            f"noisier than others (from {FEWEST_TOGETHER} on it holds better)"
        )
    if few >= LEAST_TOGETHER or _all_before(fit, terms):
        return ""
    held = f"only the test of the terms before adoption does (others from {LEAST_TOGETHER} on)"
    return f"with {plural(few, 'adopter')} it was not measured to hold: {held}"


def _all_before(fit: Estimate, terms: object) -> bool:
    """Whether terms are those before adoption, or some of them."""
    if isinstance(terms, str):
        return terms == "before"
    start = -fit.design.anticipation
    before = {t.name for t in fit.terms if t.event_time is not None and t.event_time < start}
    return isinstance(terms, Sequence) and bool(terms) and all(str(name) in before for name in terms)


def adopters_behind(fit: Estimate, contrast: Floats | None = None) -> Ints:
    """Treated clusters behind each term (p), as cohorts and periods tell; units where those are fewer.

    ``contrast`` (p, m) asks for combinations of terms instead (m): of the terms that have a weight.
    """
    design = fit.design
    mixed = np.eye(len(fit.terms)) if contrast is None else contrast
    inside = np.array([_units_behind(design, term) for term in fit.terms])
    most = np.array([len(design.units) if term.n_units is None else term.n_units for term in fit.terms])
    out = np.empty(mixed.shape[1], dtype=np.int64)
    for j, used in enumerate((mixed != 0).T):
        count = np.unique(design.unit_clusters[inside[used].any(axis=0)]).size
        out[j] = min(count, most[used].sum())
    return out


def _units_behind(design: Design, term: Term) -> NDArray[np.bool_]:
    """Adopters (N) that can stand behind a term: all where it has no cohort, event time or period.

    A covariate is no effect of theirs: nobody.
    """
    if term.cohort is not None:
        return np.asarray(design.in_window & (design.unit_cohorts == term.cohort))
    if term.event_time is not None:
        return np.asarray(design.in_window & np.isin(design.unit_cohorts + term.event_time, design.periods))
    if term.n_units is None:
        return np.zeros(len(design.units), dtype=bool)
    year = next((p for p in design.periods if term.name == f"t={p}"), None)
    return design.in_window if year is None else np.asarray(design.unit_cohorts <= year)


def hides_lone(fit: Estimate) -> bool:
    """Whether numbers on one adopter have no interval under a covariance that the library chose."""
    return fit.asked == "auto" and fit.procedure is None and _thinnest(fit) <= MANY


def _thinnest(fit: Estimate) -> int:
    """Return the fewest treated clusters behind an effect (terms of covariates are no effects)."""
    effects = [t.event_time is not None or t.cohort is not None or t.n_units is not None for t in fit.terms]
    known = adopters_behind(fit)[np.array(effects, dtype=bool) & fit.identified]
    return int(min(known, default=fit.design.n_treated_clusters))


def _controls(design: Design) -> int:
    """Clusters with units that do not adopt; where all adopt, those of the last cohort."""
    still = ~design.in_window
    if not still.any():
        still = design.unit_cohorts == list(design.cohort_sizes)[-1]
    return int(np.unique(design.unit_clusters[still]).size)


def _as_good_as(design: Design) -> float:
    """Return how many adopters of equal weight adopters are as good as: (sum w)^2 / sum w^2."""
    if design.w is None:
        return float(design.n_treated_clusters)
    inside = design.in_window[design.unit_codes]
    mass = np.bincount(design.cluster_codes[inside], weights=design.w[inside])
    return float(mass.sum() ** 2 / (mass**2).sum())


def _measured(fit: Estimate, method: str) -> str:
    """Say how often a method rejected a true null, where that was measured."""
    rate = nearest(fit.estimator, fit.design.n_treated_clusters, fit.design.n_clusters).get(method)
    if rate is None:
        return ""
    return (
        f"; with {rate.treated} of {rate.units} it rejected a true null {rate.mean:.1f}% of the time "
        f"(nominal 5%, mean over kinds of panel; {rate} by kind, each known to about a point)"
    )


def other_ways(fit: Estimate) -> tuple[str, ...]:
    """Return the methods that stand beside the chosen one in a summary."""
    offered = () if fit.uncertainty is None else fit.uncertainty.kinds
    own = [kind for kind in ("CR1", "CR2", "jackknife", "CR3") if kind in offered][:3]
    more = ["path"] if fit.procedure is not None else []
    more += ["wild"] if fit.estimator in ("twfe", "event_study") else []
    return tuple(name for name in (*own, *more) if name != fit.method)


def _obstacle(forms: Forms) -> str:
    """Why adoption is not permuted, or nothing; what costs no refit is asked first."""
    if forms.plain_obstacle or forms.long:
        return forms.plain_obstacle or forms.long
    ways = Assignments(forms.paths, forms.patterns)
    if ways.movable < forms.design.n_treated:
        alone = forms.design.n_treated - ways.movable
        return f"{plural(alone, 'adopter')} cannot be moved: nobody else is observed in the same periods"
    if ways.count < ENOUGH:
        return f"there are {ways.count} re-assignments only ({ENOUGH} are needed)"
    return forms.obstacle


LEAST_TOGETHER = 5
"""Adopters from which bands and joint tests of all terms were measured to hold; those before adoption: 3."""

ENOUGH = 400
"""Re-assignments that a permutation needs for an interval at 95% that is not coarse."""
