"""The parts of a saved result: of which form each has to be, and what is made of it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clsimpact import _combine
from clsimpact import _save_format as form
from clsimpact._explain import Shown
from clsimpact._tidy import TIDY_COLUMNS, Term
from clsimpact.inference.sandwich import Counts, Covariance

__all__ = ["ESTIMATE", "FILE", "SavedDesign"]


@dataclass(frozen=True)
class SavedDesign:
    """What a saved result says of its sample.

    Attributes
    ----------
    outcome, outcome_label, outcome_unit, unit, time, cohort, cluster, effects, source : str
    weights : str or None
    covariates : tuple of str
    anticipation, n_obs, n_units, n_treated, n_never, n_clusters, n_treated_clusters : int
    balanced, simulated : bool
    periods : tuple of int
    cohort_sizes : dict
        Treated units by cohort.
    """

    outcome: str
    outcome_label: str
    outcome_unit: str
    unit: str
    time: str
    cohort: str
    cluster: str
    effects: str
    source: str
    weights: str | None
    covariates: tuple[str, ...]
    anticipation: int
    n_obs: int
    n_units: int
    n_treated: int
    n_never: int
    n_clusters: int
    n_treated_clusters: int
    balanced: bool
    simulated: bool
    periods: tuple[int, ...]
    cohort_sizes: dict[int, int]

    @property
    def units(self) -> range:
        """As many as there were units; which they were is not in the file."""
        return range(self.n_units)


def _tidy(value: Any) -> pd.DataFrame:
    frame = form.table(value)
    if tuple(frame.columns) != TIDY_COLUMNS:
        raise ValueError(f"its columns are not {', '.join(TIDY_COLUMNS)}")
    kinds = {name: str(dtype) for name, dtype in frame.dtypes.items()}
    wrong = [name for name, kind in _TIDY_TYPES.items() if kinds[name] != kind]
    if wrong:
        raise ValueError(f"{', '.join(wrong)}: of the wrong kind")
    return frame


_TIDY_TYPES: Final = {
    **dict.fromkeys(("event_time", "cohort", "n_units", "n_obs"), "Int64"),
    **dict.fromkeys(("estimate", "std_error", "statistic", "p_value", "conf_low", "conf_high"), "float64"),
    "identified": "bool",
}


def _terms(value: Any) -> tuple[Term, ...]:
    frame = form.table(value)
    if list(frame.columns) != [each.name for each in fields(Term)]:
        raise ValueError("its columns are not those of terms")
    wrong = [name for name, kind in _TIDY_TYPES.items() if name in frame and str(frame[name].dtype) != kind]
    if wrong:
        raise ValueError(f"{', '.join(wrong)}: of the wrong kind")
    cells = frame.astype(object).where(frame.notna(), None)
    return tuple(Term(*row) for row in cells.itertuples(index=False, name=None))


def _design(value: Any) -> SavedDesign:
    return SavedDesign(**form.checked(value, _DESIGN, "the design"))


def _cohorts(value: Any) -> dict[int, int]:
    rows = form.several(form.several(form.count))(value)
    if any(len(row) != 2 for row in rows):
        raise ValueError("a cohort and a number of units are needed")
    return dict(rows)


def _vcov(value: Any) -> Covariance:
    return Covariance(**form.checked(value, _COVARIANCE, "the covariance"))


def _identified(value: Any) -> NDArray[np.bool_]:
    found = np.array(form.several(form.flag)(value), dtype=bool)
    found.setflags(write=False)
    return found


def _words(value: Any) -> dict[str, str]:
    return form.checked(value, dict.fromkeys(("short", "summary", "explain"), form.text), "words")


def _shown(value: Any) -> Shown:
    held = form.checked(value, _SHOWN, "what is shown")
    if any(len(row) != len(held["heads"]) for row in held["rows"]) or not held["heads"]:
        raise ValueError("rows are not as long as their headings")
    if any(len(row) != 2 for row in held["how"]):
        raise ValueError("a name and its meaning are needed")
    return Shown(**held)


_TEXTS: Final = form.several(form.text)
_SHOWN: Final[dict[str, form.Shape]] = {
    "caption": form.text, "heads": _TEXTS, "rows": form.several(_TEXTS), "below": _TEXTS,
    "how": form.several(_TEXTS), "source": form.text, "simulated": form.flag,
}  # fmt: skip
_COUNTS: Final = dict.fromkeys([each.name for each in fields(Counts)], form.count)
_COVARIANCE: Final[dict[str, form.Shape]] = {
    "kind": form.text, "matrix": form.matrix, "df": form.floats, "factor": form.number,
    "factor_text": form.text, "counts": lambda value: Counts(**form.checked(value, _COUNTS, "counts")),
    "lost": form.several(form.several(form.count)),
}  # fmt: skip
_DESIGN: Final[dict[str, form.Shape]] = {
    **dict.fromkeys(
        (
            "outcome",
            "outcome_label",
            "outcome_unit",
            "unit",
            "time",
            "cohort",
            "cluster",
            "effects",
            "source",
        ),
        form.text,
    ),
    "weights": form.optional(form.text),
    "covariates": _TEXTS,
    **dict.fromkeys(
        ("anticipation", "n_obs", "n_units", "n_treated", "n_never", "n_clusters", "n_treated_clusters"),
        form.count,
    ),
    **dict.fromkeys(("balanced", "simulated"), form.flag),
    "periods": form.several(form.count),
    "cohort_sizes": _cohorts,
}
ESTIMATE: Final[dict[str, form.Shape]] = {
    **dict.fromkeys(("estimator", "method", "equation", "why", "refused", "asked"), form.text),
    "level": form.number, "notes": _TEXTS, "warnings": _TEXTS, "design": _design, "terms": _terms,
    "estimates": form.floats, "identified": _identified, "vcov": _vcov, "tidy": _tidy,
    "overall": form.optional(_tidy), "sample": form.table, "words": _words, "shown": _shown,
    "provenance": form.open_value,
}  # fmt: skip


def _averages(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict) or set(value) - set(_combine.AGGREGATIONS):
        raise ValueError(f"averages can be {', '.join(_combine.AGGREGATIONS)}")
    return value


FILE: Final[dict[str, form.Shape]] = {
    "format": form.text, "version": form.count, "made_by": form.text, "estimate": lambda value: value,
    "aggregates": _averages,
}  # fmt: skip
