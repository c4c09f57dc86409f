"""Several outcomes, age bands or horizons at once: p-values that hold for all of them together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clsimpact.errors import DesignError, list_some
from clsimpact.inference.methods import Permutation, Wild
from clsimpact.inference.multiplicity import holm as holm_adjusted
from clsimpact.inference.multiplicity import romano_wolf as stepped

if TYPE_CHECKING:
    from clsimpact.results import Estimate

__all__ = ["holm", "romano_wolf"]


def holm(fits: Mapping[str, Estimate], *, terms: str | Sequence[str] | None = None) -> pd.DataFrame:
    """Adjust p-values of several results for their number, whatever the dependence between them (Holm 1979).

    Parameters
    ----------
    fits
        Results by label: one per outcome, age band or definition, say.
    terms
        Terms of each result, or one; by default its overall effect.

    Returns
    -------
    pandas.DataFrame
        ``label, term, estimate, conf_low, conf_high, p_value, p_adjusted``: one row per label and term.

    Raises
    ------
    DesignError
        No results, or an unknown term.

    Examples
    --------
    >>> from clsimpact.datasets import example_design
    >>> from clsimpact.estimators import event_study
    >>> fit = event_study(example_design())
    >>> holm({"employment": fit}, terms=["e=0", "e=1"])["p_adjusted"].round(3).tolist()
    [0.098, 0.027]
    """
    rows = _rows(fits, [terms] if isinstance(terms, str) else terms)
    return rows.assign(p_adjusted=holm_adjusted(rows["p_value"].to_numpy(dtype=float)))


def romano_wolf(fits: Mapping[str, Estimate], *, terms: str | Sequence[str] | None = None) -> pd.DataFrame:
    """Adjust p-values of several results by the joint distribution of their statistics (Romano and Wolf).

    The results must come from draws that go together: the same method, number of draws and seed, on the same
    units with the same adoption. Then draw b re-assigns (or multiplies) the same units in each. The wild
    bootstrap multiplies clusters, which must be the same, or, with ``Wild(parts="rows")``, the same rows.

    Parameters
    ----------
    fits, terms
        As in `holm`.

    Returns
    -------
    pandas.DataFrame
        As in `holm`; ``p_value`` is by the same draws. NaN where a row has no p-value: it enters no family.

    Raises
    ------
    DesignError
        Results without draws, or whose draws do not go together (the message says in what they differ).

    Notes
    -----
    Romano and Wolf (2005), doi 10.1198/016214504000000539. ``docs/inference.md``.

    Examples
    --------
    >>> from clsimpact.datasets import example_design
    >>> from clsimpact.estimators import event_study
    >>> fit = event_study(example_design()).with_inference("permutation", draws=999, seed=1)
    >>> romano_wolf({"employment": fit}, terms=["e=0", "e=1"])["p_adjusted"].round(2).tolist()
    [0.1, 0.03]
    """
    terms = [terms] if isinstance(terms, str) else terms
    rows = _rows(fits, terms)
    _require_together(fits)
    observed, draws = [], []
    for fit in fits.values():
        for contrast in _contrasts(fit, terms):
            part, weights = contrast
            found = None if part.procedure is None else part.procedure.drawn(weights)
            if found is None:
                raise DesignError(
                    f"{part.estimator} has no draws.", repair="Use with_inference('permutation')."
                )
            observed.append(found.observed[0])
            draws.append(found.statistics[:, 0])
    known = rows["p_value"].notna().to_numpy()
    adjusted = np.full(len(rows), np.nan)
    if known.any():
        columns = np.nan_to_num(np.column_stack(draws)[:, known], nan=np.inf)
        adjusted[known] = stepped(np.array(observed)[known], columns)
    return rows.assign(p_adjusted=adjusted)


def _rows(fits: Mapping[str, Estimate], terms: Sequence[str] | None) -> pd.DataFrame:
    if not isinstance(fits, Mapping) or not fits:
        raise DesignError(
            "There are no results to adjust.",
            repair="Give results by name: {'spending': fit, 'requests': other}.",
        )
    parts = []
    for label, fit in fits.items():
        frame = (
            fit.overall if terms is None else fit.tidy().set_index("term", drop=False).reindex(list(terms))
        )
        unknown = [] if terms is None else [name for name in terms if name not in {t.name for t in fit.terms}]
        if unknown:
            own = list_some([term.name for term in fit.terms], 40)
            raise DesignError(
                f"{label} has no terms {', '.join(map(repr, unknown))}.", repair=f"Its terms: {own}."
            )
        shown = frame[["term", "estimate", "conf_low", "conf_high", "p_value"]].reset_index(drop=True)
        shown.insert(0, "label", label)
        parts.append(shown)
    return pd.concat(parts, ignore_index=True)


def _contrasts(fit: Estimate, terms: Sequence[str] | None) -> list[tuple[Estimate, np.ndarray]]:
    """Return what each row is a combination of."""
    names = [term.name for term in fit.terms]
    if terms is not None:
        return [(fit, np.eye(len(names))[names.index(name)]) for name in terms]
    if fit.total is not None:
        return [(fit.total, np.ones(1))]
    after = [
        float(ok and term.event_time is not None and term.event_time >= 0)
        for term, ok in zip(fit.terms, fit.identified, strict=True)
    ]
    weights = np.array(after) if any(after) else np.eye(len(names))[0]
    return [(fit, weights / weights.sum())]


def _same_rows(one: Estimate, other: Estimate) -> bool:
    """Whether two samples have the same units in the same periods, row by row."""
    same = np.array_equal(one.design.unit_codes, other.design.unit_codes)
    return same and np.array_equal(one.design.times, other.design.times)


def _require_together(fits: Mapping[str, Estimate]) -> None:
    first = next(iter(fits.values()))
    problems = []
    for label, fit in fits.items():
        if fit.procedure is None or first.procedure is None:
            problems.append(f"{label}: no draws ({fit.method})")
            continue
        one, other = first.procedure.run, fit.procedure.run
        if not isinstance(other.method, Permutation | Wild):
            problems.append(f"{label}: {fit.method} re-assigns nothing")
        elif (one.method, one.draws, one.seed) != (other.method, other.draws, other.seed):
            problems.append(f"{label}: another method, number of draws or seed")
        elif first.design.units != fit.design.units or not np.array_equal(one.forms.paths, other.forms.paths):
            problems.append(f"{label}: other units or adoption dates")
        elif not np.array_equal(first.design.unit_clusters, fit.design.unit_clusters):
            problems.append(f"{label}: other clusters")
        elif not np.array_equal(one.assignments.strata, other.assignments.strata):
            problems.append(f"{label}: units observed in other periods")
        elif isinstance(other.method, Wild) and other.method.parts == "rows" and not _same_rows(first, fit):
            problems.append(f"{label}: other rows, and each row has a multiplier of its own")
    if problems:
        raise DesignError(
            "The draws of these results do not go together.",
            problems,
            repair="Restrict the designs to the same councils and years; use one method, draws and seed.",
        )
