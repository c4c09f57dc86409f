"""What maketables asks of a result (its plug-in protocol), without importing it.

``maketables.ETable([fit, other])`` then sets results side by side in HTML, LaTeX, Word or Typst. The names
are those that maketables 0.2 looks for: ``coef_table``, ``stat``, ``depvar``, ``fixef_string``,
``var_labels``, ``vcov_info``, ``stat_labels`` and ``default_stat_keys``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pandas as pd

from clsimpact._check import kind_label, unit_text
from clsimpact._explain import ONE_MODEL

if TYPE_CHECKING:
    from clsimpact.results import Estimate

__all__ = ["Maketables"]

_LABELS = {
    "estimator": "Estimator",
    "N": "Observations",
    "n_units": "Units",
    "n_treated": "Treated units",
    "n_clusters": "Clusters",
    "se_type": "Inference",
    "level": "Confidence level (%)",
}


class Maketables:
    """The protocol, for `clsimpact.results.Estimate` to inherit."""

    __slots__ = ()

    @property
    def __maketables_coef_table__(self) -> pd.DataFrame:
        """Estimates by term: ``b, se, t, p`` and both ends of the interval (``ci95l, ci95u`` at 95%).

        A reference period has estimate 0 and no error; a term that is not identified has no number.

        Examples
        --------
        >>> from clsimpact.datasets import example_design
        >>> from clsimpact.estimators import twfe
        >>> twfe(example_design()).__maketables_coef_table__.round(3).columns.tolist()
        ['b', 'se', 't', 'p', 'ci95l', 'ci95u']
        """
        fit = _result(self)
        ends = {"conf_low": f"ci{100 * fit.level:.4g}l", "conf_high": f"ci{100 * fit.level:.4g}u"}
        names = {"estimate": "b", "std_error": "se", "statistic": "t", "p_value": "p", **ends}
        table = fit.tidy().set_index("term")[list(names)].rename(columns=names)
        return table.rename_axis(index="Coefficient").astype(float)

    def __maketables_stat__(self, key: str) -> Any:
        """Return one line below the coefficients, or None where it is not defined (such as R²).

        Examples
        --------
        >>> from clsimpact.datasets import example_design
        >>> from clsimpact.estimators import twfe
        >>> fit = twfe(example_design())
        >>> fit.__maketables_stat__("N"), fit.__maketables_stat__("se_type"), fit.__maketables_stat__("r2")
        (2500, 'permutation', None)
        """
        fit = _result(self)
        return {
            "estimator": fit.estimator,
            "N": fit.nobs,
            "n_units": len(fit.design.units),
            "n_treated": fit.design.n_treated,
            "n_clusters": len(set(fit.design.unit_clusters.tolist())),
            "se_type": _inference(fit),
            "level": 100 * fit.level,
        }.get(key)

    @property
    def __maketables_depvar__(self) -> str:
        """Label of the outcome, which says SIMULATED where it is made up, and its unit.

        Examples
        --------
        >>> from clsimpact.datasets import example_design
        >>> from clsimpact.estimators import twfe
        >>> twfe(example_design()).__maketables_depvar__
        'Teen employment (log points)'
        """
        design = _result(self).design
        unit = unit_text(design)
        return f"{design.outcome_label} ({unit})" if unit else str(design.outcome_label)

    @property
    def __maketables_fixef_string__(self) -> str | None:
        """Effects that the regression holds, such as ``county+year``; None without one set of them.

        Examples
        --------
        >>> from clsimpact.datasets import example_design
        >>> from clsimpact.estimators import twfe
        >>> twfe(example_design()).__maketables_fixef_string__
        'county+year'
        """
        fit = _result(self)
        if fit.estimator not in ONE_MODEL:
            return None
        design = fit.design
        held = design.unit if design.effects == "unit" else f"{design.effects}+adopter cohort"
        return f"{held}+{design.time}"

    @property
    def __maketables_var_labels__(self) -> dict[str, str]:
        """Terms in words.

        Examples
        --------
        >>> from clsimpact.datasets import example_design
        >>> from clsimpact.estimators import event_study
        >>> event_study(example_design()).__maketables_var_labels__["e=-2"]
        'Event time -2'
        """
        terms = _result(self).terms
        return {t.name: f"Event time {t.event_time}" for t in terms if t.name == f"e={t.event_time}"}

    @property
    def __maketables_vcov_info__(self) -> dict[str, Any]:
        """Kind of inference, and the column whose groups are clusters.

        Examples
        --------
        >>> from clsimpact.datasets import example_design
        >>> from clsimpact.estimators import twfe
        >>> twfe(example_design(), inference="CR1").__maketables_vcov_info__
        {'vcov_type': 'CR1', 'clustervar': 'county'}
        """
        fit = _result(self)
        return {"vcov_type": kind_label(fit.method), "clustervar": fit.design.cluster}

    @property
    def __maketables_stat_labels__(self) -> dict[str, str]:
        """What the lines below the coefficients are called."""
        return dict(_LABELS)

    @property
    def __maketables_default_stat_keys__(self) -> list[str]:
        """The lines that are shown without being asked for."""
        return ["estimator", "N", "n_units", "n_treated", "se_type"]


def _result(given: Maketables) -> Estimate:
    return cast("Estimate", given)


def _inference(fit: Estimate) -> str:
    """Name the inference, with the clusters where a covariance says so of itself."""
    words = kind_label(fit.method)
    return f"{words} by {fit.design.cluster}" if fit.method.startswith("CR") else words
