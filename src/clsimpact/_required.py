"""What a method needs of a result: refused at once, in words, where it is not there."""

from __future__ import annotations

import numpy as np

from clsimpact._check import plural
from clsimpact._runs import NAMES, Run, sizes_of
from clsimpact.errors import DesignError, list_some
from clsimpact.inference.methods import FermanPinto, Multiplier, Permutation, Wild

__all__ = ["require"]


def require(run: Run) -> None:
    """Refuse a method that a result cannot have."""
    forms, method = run.forms, run.method
    if isinstance(method, Permutation):
        _require_assignments(run, method)
    elif not isinstance(method, Multiplier):
        _require_rows(run)
    elif not hasattr(forms.fit.uncertainty, "scores"):
        raise DesignError(f"{forms.fit.estimator} has no influence functions.", repair="Use 'wild'.")


def _require_assignments(run: Run, method: Permutation) -> None:
    """Refuse a permutation of what cannot be permuted."""
    forms, dates = run.forms, list(run.forms.design.cohort_sizes)
    if not method.refit and forms.obstacle:
        raise DesignError(
            f"Adoption cannot be re-assigned without refits: {forms.obstacle}.",
            repair="Use Permutation(refit=True) with fewer draws and an executor, or another method.",
        )
    if method.refit and method.impose_null:
        raise DesignError("refit=True takes effects out at their estimates.", repair="Leave impose_null out.")
    if forms.design.n_clusters < len(forms.design.units):
        raise DesignError(
            f"Adoption is re-assigned unit by unit, but the design clusters by {forms.design.cluster}.",
            repair="Cluster by unit, or use 'wild'.",
        )
    if method.who == "dates" and len(dates) == 1:
        raise DesignError(
            f"All adopters adopt in {dates[0]}: there are no dates to permute among them.",
            repair='Permute who adopts: Permutation(who="units").',
        )
    if run.assignments.movable < 2:
        raise DesignError(
            f"Re-assignment moves {plural(run.assignments.movable, 'adopter')}: the others are alone in "
            "their stratum or set of observed periods.",
            repair="Use wider strata, or another method.",
        )


def _require_rows(run: Run) -> None:
    """Refuse a method that needs the weight of each row, or controls, where there are none."""
    forms, name = run.forms, NAMES[type(run.method)]
    try:
        _ = forms.by_row
    except DesignError as error:
        kinds = () if forms.fit.uncertainty is None else forms.fit.uncertainty.kinds
        raise DesignError(
            f"{name} needs to know how each row enters the numbers of {forms.fit.estimator}.",
            [error.summary],
            repair=f"Use 'auto', a covariance ({', '.join(kinds)}), or Permutation(refit=True).",
        ) from error
    if isinstance(run.method, Wild):
        return
    if forms.donors.sum() < 2:
        whole = list_some(np.array(forms.design.unit_names)[forms.donors]) or "none"
        raise DesignError(
            f"{name} needs two controls or more that are seen in every period; there is {whole}.",
            repair="Restrict the design to periods in which controls are seen, or use 'auto'.",
        )
    if isinstance(run.method, FermanPinto):
        sizes_of(forms.design, run.method.size)
