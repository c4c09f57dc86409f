"""What every estimator returns.

`Estimate.tidy` is the spine: one row per term, always the same columns; every other accessor is a view on it.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clsimpact import _explain
from clsimpact._tidy import REFERENCE, TIDY_COLUMNS, Term, checked_level, tidy_frame
from clsimpact._version import __version__
from clsimpact.design import Design
from clsimpact.errors import DesignError, did_you_mean, list_some
from clsimpact.inference.sandwich import Covariance, sandwich, satterthwaite

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from clsimpact.estimators._within import Regression

__all__ = ["REFERENCE", "TIDY_COLUMNS", "Estimate", "Term", "checked_level", "embedded"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, repr=False, eq=False)
class Estimate:
    """Estimates of a design, with their covariance and everything needed to check them.

    Attributes
    ----------
    estimator : str
        Name of the function that made it.
    design : Design
        The sample behind the numbers (after any window).
    terms : tuple of Term
    estimates : float array
        One per term, in units of the outcome; NaN where not identified, 0 for a reference period.
    identified : boolean array
    vcov : Covariance
        Matrix over all terms (NaN where there is none), degrees of freedom, the factor and its numbers.
    level : float
        Confidence level.
    equation : str
        The equation as estimated.
    notes : tuple of str
        Choices that the reader must know, such as the reference.
    regression : Regression or None
        Regressors, influence, residuals and basis, from which another covariance follows without refitting.
    slots : tuple
        Column of the regression of each term.

    Examples
    --------
    >>> from clsimpact.datasets import load_mpdta
    >>> from clsimpact.estimators import twfe
    >>> design = Design(load_mpdta(), outcome="lemp", unit="county", time="year", cohort="first_treat")
    >>> fit = twfe(design)
    >>> fit
    twfe of lemp: treated -0.0365 (95% interval -0.0626 to -0.0105, CR1)
    """

    estimator: str
    design: Design
    terms: tuple[Term, ...]
    estimates: Floats
    identified: NDArray[np.bool_]
    vcov: Covariance
    level: float
    equation: str
    notes: tuple[str, ...] = ()
    regression: Regression | None = None
    slots: tuple[int | None, ...] = ()

    @property
    def nobs(self) -> int:
        """Number of rows in the estimation sample.

        Examples
        --------
        >>> from clsimpact.datasets import load_mpdta
        >>> from clsimpact.estimators import twfe
        >>> design = Design(load_mpdta(), outcome="lemp", unit="county", time="year", cohort="first_treat")
        >>> twfe(design).nobs
        2500
        """
        return self.design.n_obs

    @property
    def covariance(self) -> pd.DataFrame:
        """Covariance matrix of the identified terms, labelled by term.

        Examples
        --------
        >>> from clsimpact.datasets import load_mpdta
        >>> from clsimpact.estimators import twfe
        >>> design = Design(load_mpdta(), outcome="lemp", unit="county", time="year", cohort="first_treat")
        >>> twfe(design).covariance.shape
        (1, 1)
        """
        keep = np.flatnonzero(self.identified)
        names = [self.terms[i].name for i in keep]
        return pd.DataFrame(self.vcov.matrix[np.ix_(keep, keep)], index=names, columns=names)

    @property
    def overall(self) -> pd.DataFrame:
        """One tidy row: the effect of adoption (event study: the mean over event times 0 and later).

        Examples
        --------
        >>> from clsimpact.datasets import load_mpdta
        >>> from clsimpact.estimators import twfe
        >>> design = Design(load_mpdta(), outcome="lemp", unit="county", time="year", cohort="first_treat")
        >>> twfe(design).overall["n_units"].tolist()
        [191]
        """
        if any(term.event_time is not None for term in self.terms):
            return self.average()
        return self.tidy().iloc[[0]]

    @property
    def provenance(self) -> dict[str, Any]:
        """Where the numbers come from: data, roles, sample, options and library version (a fresh copy).

        Examples
        --------
        >>> from clsimpact.datasets import load_mpdta
        >>> from clsimpact.estimators import twfe
        >>> design = Design(load_mpdta(), outcome="lemp", unit="county", time="year", cohort="first_treat")
        >>> twfe(design).provenance["estimate"]["covariance"]
        'CR1 = 500/499 · 2499/2494 = 1.0040'
        """
        how = {"estimator": self.estimator, "covariance": self.vcov.factor_text, "level": self.level}
        how |= {"equation": self.equation, "notes": list(self.notes)}
        return copy.deepcopy({**self.design.provenance, "estimate": how, "clsimpact": __version__})

    def tidy(self) -> pd.DataFrame:
        """One row per term, always with the columns of `TIDY_COLUMNS`.

        ``event_time``, ``cohort``, ``n_units`` and ``n_obs`` are nullable integers. p-values and intervals
        use the t distribution with the degrees of freedom of the covariance. A reference period has estimate
        0, no standard error and ``identified=False``; a term the data cannot identify has no estimate and a
        reason.

        Examples
        --------
        >>> from clsimpact.datasets import load_mpdta
        >>> from clsimpact.estimators import twfe
        >>> design = Design(load_mpdta(), outcome="lemp", unit="county", time="year", cohort="first_treat")
        >>> fit = twfe(design)
        >>> fit.tidy()[["estimate", "p_value"]].round(4)
           estimate  p_value
        0   -0.0365   0.0061
        """
        with np.errstate(invalid="ignore"):
            error = np.sqrt(np.diag(self.vcov.matrix))
        return tidy_frame(self.terms, self.estimates, error, self.vcov.df, self.identified, self.level)

    def linear_combination(self, weights: Mapping[str, float], *, label: str = "combination") -> pd.DataFrame:
        """Estimate a weighted sum of terms, with the standard error from the covariance.

        With CR2 the degrees of freedom are Satterthwaite's for this very combination.

        Parameters
        ----------
        weights
            Weight of each term by name.
        label
            Name of the row.

        Returns
        -------
        pandas.DataFrame
            One tidy row.

        Raises
        ------
        DesignError
            Unknown terms, or terms that are not identified.

        Examples
        --------
        >>> from clsimpact.datasets import load_mpdta
        >>> from clsimpact.estimators import event_study
        >>> design = Design(load_mpdta(), outcome="lemp", unit="county", time="year", cohort="first_treat")
        >>> fit = event_study(design)
        >>> row = fit.linear_combination({"e=0": 0.5, "e=1": 0.5}, label="first two years")
        >>> round(float(row["estimate"].iloc[0]), 6)
        -0.030808
        """
        c = self._contrast(weights)
        used = np.flatnonzero(c)
        variance = float(c[used] @ self.vcov.matrix[np.ix_(used, used)] @ c[used])
        estimate = float(c[used] @ self.estimates[used])
        units, rows = self._behind([i for i in used if self.terms[i].n_units is not None])
        term = Term(label, None, None, units, rows)
        error, df = np.array([np.sqrt(variance)]), np.array([self._df(c)])
        return tidy_frame((term,), np.array([estimate]), error, df, np.array([True]), self.level)

    def average(
        self, *, post: bool = True, weights: Mapping[int, float] | None = None, label: str | None = None
    ) -> pd.DataFrame:
        """Average the identified terms after (or before) adoption.

        Parameters
        ----------
        post
            True: event times 0 and later. False: earlier ones, without the reference.
        weights
            Weight of each event time; scaled to sum to one. By default all are equal.
        label
            Name of the row.

        Returns
        -------
        pandas.DataFrame
            One tidy row; ``reason`` lists event times left out because they are not identified.

        Raises
        ------
        DesignError
            Nothing to average, weights for other event times, or weights that sum to zero.

        Examples
        --------
        >>> from clsimpact.datasets import load_mpdta
        >>> from clsimpact.estimators import event_study
        >>> design = Design(load_mpdta(), outcome="lemp", unit="county", time="year", cohort="first_treat")
        >>> fit = event_study(design)
        >>> round(float(fit.average()["estimate"].iloc[0]), 6)
        -0.071414
        """
        times = {i: t.event_time for i, t in enumerate(self.terms) if t.event_time is not None}
        side = {i: e for i, e in times.items() if (e >= 0) == post}
        good = {e: self.terms[i].name for i, e in side.items() if self.identified[i]}
        lost = [
            self.terms[i].name
            for i in side
            if not self.identified[i] and not self.terms[i].reason.startswith(REFERENCE)
        ]
        share = (
            dict.fromkeys(good, 1.0) if weights is None else {int(e): float(w) for e, w in weights.items()}
        )
        unknown = [e for e in share if e not in good]
        if unknown or not share or sum(share.values()) == 0:
            bad = [f"event time {e} is not an identified term of that side" for e in unknown]
            raise DesignError(
                "There is nothing to average.", bad, repair=f"Identified: {list_some(sorted(good))}."
            )
        total = sum(share.values())
        name = label or ("average after adoption" if post else "average before adoption")
        row = self.linear_combination({good[e]: w / total for e, w in share.items()}, label=name)
        return (
            row.assign(reason=f"without {list_some(lost)} (not identified)")
            if lost and weights is None
            else row
        )

    def with_covariance(self, kind: str, *, level: float | None = None) -> Estimate:
        """Return the same estimates with another covariance, without refitting.

        Parameters
        ----------
        kind
            ``"CR0"``, ``"CR1"``, ``"CR2"``, ``"CR3"``, ``"HC1"`` or ``"iid"``; see
            `clsimpact.inference.sandwich`.
        level
            Another confidence level.

        Raises
        ------
        DesignError
            Unknown kind, or an estimate that is not a regression.

        Examples
        --------
        >>> from clsimpact.datasets import load_mpdta
        >>> from clsimpact.estimators import twfe
        >>> design = Design(load_mpdta(), outcome="lemp", unit="county", time="year", cohort="first_treat")
        >>> fit = twfe(design)
        >>> fit.with_covariance("CR2").vcov.df.round(3).tolist()
        [279.826]
        """
        level = self.level if level is None else checked_level(level)
        return replace(self, vcov=embedded(self.fitted(), self.slots, self.design, kind), level=level)

    def summary(self) -> str:
        """Sample, equation, covariance with its factor, terms and caveats, as text (deterministic).

        Examples
        --------
        >>> from clsimpact.datasets import load_mpdta
        >>> from clsimpact.estimators import twfe
        >>> design = Design(load_mpdta(), outcome="lemp", unit="county", time="year", cohort="first_treat")
        >>> fit = twfe(design)
        >>> print(fit.summary().splitlines()[8])
        Covariance: CR1 = 500/499 · 2499/2494 = 1.0040; clusters: county (500, of which 191 treated); t with
        499 df
        """
        return _explain.summary(self)

    def explain(self) -> str:
        """Say in plain words what the numbers and their interval do and do not rule out.

        Examples
        --------
        >>> from clsimpact.datasets import load_mpdta
        >>> from clsimpact.estimators import twfe
        >>> design = Design(load_mpdta(), outcome="lemp", unit="county", time="year", cohort="first_treat")
        >>> fit = twfe(design)
        >>> print(fit.explain().splitlines()[0])
        Estimated effect of adoption on teen employment (log points): 0.0365 log points lower, if trends were
        parallel.
        """
        return _explain.explain(self)

    def plot(self, *, ax: Axes | None = None) -> Axes:
        """Draw the terms with their intervals and return the axes (see `clsimpact.plots.event_study_figure`).

        Examples
        --------
        >>> from clsimpact.datasets import load_mpdta
        >>> from clsimpact.estimators import event_study
        >>> design = Design(load_mpdta(), outcome="lemp", unit="county", time="year", cohort="first_treat")
        >>> fit = event_study(design)
        >>> fit.plot().get_ylabel()
        ''
        """
        from clsimpact.plots.event_study import plot_axes

        return plot_axes(self, ax=ax)

    @property
    def model(self) -> Any:
        """The same specification fitted by linearmodels ``PanelOLS`` (unit effects) or statsmodels (others).

        Its standard errors follow the conventions of that library; `verify` converts them.

        Examples
        --------
        >>> from clsimpact.datasets import load_mpdta
        >>> from clsimpact.estimators import twfe
        >>> design = Design(load_mpdta(), outcome="lemp", unit="county", time="year", cohort="first_treat")
        >>> round(float(twfe(design).model.params["treated"]), 6)
        -0.036549
        """
        from clsimpact._verify import other_model

        return other_model(self)

    def verify(self) -> pd.DataFrame:
        """Refit in linearmodels and statsmodels and compare term by term.

        Returns
        -------
        pandas.DataFrame
            Per identified term: estimates and standard errors (ours, linearmodels, statsmodels; the latter
            two converted to our convention by the factors in ``attrs``), largest relative differences,
            ``agrees``.

        Examples
        --------
        >>> from clsimpact.datasets import load_mpdta
        >>> from clsimpact.estimators import twfe
        >>> design = Design(load_mpdta(), outcome="lemp", unit="county", time="year", cohort="first_treat")
        >>> fit = twfe(design)
        >>> bool(fit.verify()["agrees"].all())
        True
        """
        from clsimpact._verify import verify

        return verify(self)

    def __repr__(self) -> str:
        return _explain.short(self)

    def _repr_html_(self) -> str:
        return _explain.html_table(self)

    def fitted(self) -> Regression:
        """Return the regression, or raise `DesignError` where the estimator is none.

        Examples
        --------
        >>> from clsimpact.datasets import load_mpdta
        >>> from clsimpact.estimators import twfe
        >>> design = Design(load_mpdta(), outcome="lemp", unit="county", time="year", cohort="first_treat")
        >>> twfe(design).fitted().columns.shape
        (2500, 1)
        """
        if self.regression is None:
            raise DesignError(f"{self.estimator} is not a regression: this needs one.")
        return self.regression

    def _contrast(self, weights: Mapping[str, float]) -> Floats:
        names = [term.name for term in self.terms]
        problems = [f"{n!r} is not a term{did_you_mean(n, names)}" for n in weights if n not in names]
        for name in (n for n in weights if n in names):
            at = names.index(name)
            if not self.identified[at]:
                problems.append(f"{name} is not identified ({self.terms[at].reason})")
        if problems or not any(weights.values()):
            raise DesignError(
                "The combination cannot be estimated.", problems, repair=f"Terms: {list_some(names, 40)}."
            )
        return np.array([float(weights.get(name, 0.0)) for name in names])

    def _behind(self, used: Sequence[Any]) -> tuple[int | None, int | None]:
        """Count the treated units and rows behind several terms."""
        columns = [self.slots[i] for i in used] if self.slots else []
        if self.regression is None or not columns:
            return None, None
        rows = (self.regression.columns[:, columns] != 0).any(axis=1)
        return int(np.unique(self.design.unit_codes[rows]).size), int(rows.sum())

    def _df(self, contrast: Floats) -> float:
        if self.vcov.kind != "CR2" or self.regression is None:
            return float(np.nanmin(self.vcov.df[np.flatnonzero(contrast)]))
        used = [(i, slot) for i, slot in enumerate(self.slots) if slot is not None and contrast[i] != 0]
        p = sum(contrast[i] * self.regression.influence[:, slot] for i, slot in used)
        return satterthwaite(np.asarray(p), self.regression.basis, self.design.cluster_codes, kind="CR2")


def embedded(regression: Regression, slots: tuple[int | None, ...], design: Design, kind: str) -> Covariance:
    """Covariance over all terms, NaN where a term has no coefficient."""
    at = [i for i, slot in enumerate(slots) if slot is not None and regression.identified[slot]]
    columns = [slot for slot in (slots[i] for i in at) if slot is not None]
    found = sandwich(
        regression.influence[:, columns],
        regression.residuals,
        regression.basis,
        design.cluster_codes,
        kind=kind,
        counts=regression.counts,
    )
    matrix, df = np.full((len(slots), len(slots)), np.nan), np.full(len(slots), np.nan)
    matrix[np.ix_(at, at)] = found.matrix
    df[at] = found.df
    for array in (matrix, df):
        array.setflags(write=False)
    return replace(found, matrix=matrix, df=df)
