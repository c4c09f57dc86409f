"""Which inference a design calls for, by the table of measured sizes (`clsimpact._sizes`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clsimpact._check import kind_label, lone_words, plural
from clsimpact._sizes import HOLDS, nearest
from clsimpact.inference.assignments import Assignments

if TYPE_CHECKING:
    from clsimpact._forms import Forms
    from clsimpact.results import Estimate

__all__ = ["LEAST", "LEAST_TOGETHER", "MANY", "choose", "other_ways", "too_narrow_words"]

LEAST = 3
"""Adopters that an interval needs: fewer were not measured, and one adopter shows no variation of its own."""

MANY = 50
"""With more adopters than this, and more units that do not adopt, the estimator's usual covariance holds."""


def too_narrow_words(fit: Estimate, kind: str) -> str:
    """Say at which rate a method was measured to reject, where that is too often; else nothing."""
    treated = fit.design.n_treated_clusters
    rate = nearest(fit.estimator, treated).get(kind)
    if treated > MANY or rate is None or rate.most <= HOLDS:
        return ""
    return (
        f"{plural(treated, 'treated cluster')}: with {rate.treated}, a nominal 5% test of a true null by "
        f"{kind_label(kind)} rejected {rate} of the time (overall effect of {fit.estimator}, made-up panels "
        'of docs/size.md). Use inference="auto".'
    )


def choose(fit: Estimate, forms: Forms) -> tuple[str, str]:
    """Return the method (``""``: the estimator's usual covariance; ``"none"``: no interval) and why."""
    design = fit.design
    treated, controls = design.n_treated_clusters, design.n_clusters - design.n_treated_clusters
    few = plural(treated, "treated cluster")
    if treated < LEAST:
        one = lone_words(design) if treated == 1 else few
        return (
            "none",
            f"{one}: no interval holds whatever the errors, and none is shown (measured from {LEAST} on)",
        )
    if treated > MANY and controls > MANY:
        return (
            "",
            f"{few} and {controls} others are many: {fit.vcov.kind}, the usual errors of {fit.estimator}",
        )
    reason = _obstacle(forms)
    if not reason:
        return "permutation", f"{few}: studentised permutation of adoption{_measured(fit, treated)}"
    if fit.rows is not None or not forms.obstacle:
        return "path", f"{few}; no permutation, as {reason}: errors around one path of effects"
    offered = () if fit.uncertainty is None else fit.uncertainty.kinds
    best = next((kind for kind in ("CR2", "jackknife", "CR3") if kind in offered), "")
    return best, f"{few}; no permutation, as {reason}: {best or fit.vcov.kind}"


def _measured(fit: Estimate, treated: int) -> str:
    """Say how often permutation rejected a true null, where that was measured."""
    rate = nearest(fit.estimator, treated).get("permutation")
    if rate is None:
        return ""
    return (
        f"; with {rate.treated} it rejected a true null {rate.mean:.1f}% of the time (nominal 5%, mean over "
        f"kinds of panel; {rate} by kind, each known to about half a point)"
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
    if forms.plain_obstacle:
        return forms.plain_obstacle
    ways = Assignments(forms.paths, forms.patterns)
    if ways.movable < forms.design.n_treated or ways.count < ENOUGH:
        return "few re-assignments keep the periods in which units are observed"
    return forms.obstacle


LEAST_TOGETHER = 5
"""Adopters from which bands and joint tests of all terms were measured to hold; those before adoption: 3."""

ENOUGH = 400
"""Re-assignments that a permutation needs for an interval at 95% that is not coarse."""
