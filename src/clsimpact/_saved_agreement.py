"""Whether the parts of a saved result agree: what was changed in one place stands otherwise in another.

It finds slips and clumsy changes. Who made a file, and of what data, it cannot tell: whoever changes every
part alike makes a file that agrees.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["disagreements"]


def disagreements(held: Mapping[str, Any]) -> list[str]:
    """Return what does not agree in the parts of one estimate, in words.

    Examples
    --------
    >>> from clsimpact.saved import example_saved
    >>> fit = example_saved()
    >>> parts = {name: getattr(fit, name) for name in ("terms", "estimates", "identified", "vcov", "design")}
    >>> more = {"tidy": fit.tidy(), "overall": None, "shown": fit._shown, "words": fit._words}
    >>> disagreements({**parts, **more, "level": 0.95})
    []
    >>> disagreements({**parts, **more, "level": 0.95, "estimates": 2 * fit.estimates})
    ['estimates: not those of the table']
    """
    sizes = {len(held[name]) for name in ("terms", "estimates", "identified", "tidy")}
    vcov = held["vcov"]
    if len(sizes | {len(vcov.matrix), len(vcov.df)}) > 1 or len(vcov.lost) not in (0, len(held["terms"])):
        return ["terms, estimates, covariance and tidy rows are not equally many"]
    found = [] if 0 < held["level"] < 1 else [f"level is {held['level']}, not between 0 and 1"]
    found += _of_terms(held)
    for name in ("tidy", "overall"):
        if held[name] is not None:
            found += [f"{name}: {words}" for words in _out_of_range(held[name])]
    return [*found, *_of_marks(held)]


def _of_terms(held: Mapping[str, Any]) -> Iterator[str]:
    """Compare terms, estimates and errors with the rows of the table."""
    tidy, terms = held["tidy"], held["terms"]
    if list(tidy["term"]) != [term.name for term in terms]:
        yield "terms: not those of the table"
    for name in ("event_time", "cohort", "n_units", "n_obs"):
        if not tidy[name].equals(pd.Series([getattr(term, name) for term in terms], dtype="Int64")):
            yield f"{name}: not that of the table"
    if not np.array_equal(tidy["estimate"], held["estimates"], equal_nan=True):
        yield "estimates: not those of the table"
    if not np.array_equal(tidy["identified"], held["identified"]):
        yield "identified: not as in the table"


def _out_of_range(frame: pd.DataFrame) -> Iterator[str]:
    """Say which numbers cannot be what their columns say."""
    if (frame["std_error"] <= 0).any():
        yield "a standard error is not above zero"
    if (~frame["p_value"].dropna().between(0, 1)).any():
        yield "a p-value is not between 0 and 1"
    if (frame["conf_low"] > frame["conf_high"]).any():
        yield "an interval ends below its start"
    if (frame[["n_units", "n_obs"]] < 0).any(axis=None):
        yield "a number of units or rows is below zero"


def _of_marks(held: Mapping[str, Any]) -> Iterator[str]:
    """See that what is made up is so called everywhere, and counts are counts."""
    design = held["design"]
    marks = {design.simulated, held["shown"].simulated, held["words"]["short"].startswith("SIMULATED")}
    if len(marks) > 1:
        yield "whether the data are made up: not said alike"
    counts = (design.n_obs, design.n_units, design.n_treated, design.n_never, design.n_clusters)
    if min(counts) < 0 or design.n_treated + design.n_never > design.n_units:
        yield "the design: numbers of units or rows that cannot be"
