"""What every estimator returns.

`Estimate.tidy` is the spine: one row per term, always the same columns; every other accessor is a view on it.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clsimpact import _combine, _explain, _joint, _procedures
from clsimpact._combine import embedded, whole_sample
from clsimpact._exports import Exports, estimate_table
from clsimpact._maketables import Maketables
from clsimpact._tidy import REFERENCE, TIDY_COLUMNS, Term, checked_level, tidy_frame
from clsimpact._version import __version__
from clsimpact.design import Design
from clsimpact.errors import DesignError
from clsimpact.inference.influence import Uncertainty
from clsimpact.inference.sandwich import Covariance

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from matplotlib.axes import Axes

    from clsimpact._forms import Forms
    from clsimpact._procedures import Procedure
    from clsimpact.diagnostics.report import CheckReport
    from clsimpact.estimators._within import Regression
    from clsimpact.inference.equivalence import Equivalence
    from clsimpact.inference.methods import Method
    from clsimpact.report._table import Table

__all__ = ["REFERENCE", "TIDY_COLUMNS", "Estimate", "Term", "checked_level", "embedded", "whole_sample"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, repr=False, eq=False)
class Estimate(Maketables, Exports):
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
    uncertainty : Uncertainty or None
        What lies behind the numbers, from which another covariance follows without refitting.
    slots : tuple
        Position of each term in ``uncertainty``; None where there is no number.
    row_terms : integer array or None
        For each row of the sample the term whose effect it shows, -1 for none.
    total : Estimate or None
        The overall effect of adoption, one term, where it is more than a mean of terms.
    aggregator : callable or None
        Makes what `aggregate` returns.
    sampler : callable or None
        Makes what `sample` returns.
    options : mapping
        Options of the estimator that decide what is estimated, such as ``{"control": "never"}``.
    again : callable or None
        Estimates another design with the same options.
    rows : callable or None
        Makes the weight of each outcome in each term and the overall effect (N, T, p + 1), where an estimator
        keeps weights that depend on the outcomes.
    procedure : Procedure or None
        Draws that p-values and intervals come from, in place of the t distribution.
    forms : Forms or None
        How outcomes enter the numbers, where that was asked.
    asked : str or Method
        The inference that was asked for; with ``"auto"``, ``why`` says what was chosen and why, and
        ``refused`` why no interval is shown.

    Examples
    --------
    >>> from clsimpact.datasets import example_design
    >>> from clsimpact.estimators import twfe
    >>> twfe(example_design())
    twfe of lemp: treated -0.0365 (95% interval -0.0623 to -0.0108, permutation)
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
    uncertainty: Uncertainty | None = None
    slots: tuple[int | None, ...] = ()
    row_terms: NDArray[np.int64] | None = None
    total: Estimate | None = None
    aggregator: Callable[..., Estimate] | None = None
    sampler: Callable[[], pd.DataFrame] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    again: Callable[[Design], Estimate] | None = None
    rows: Callable[[], Floats] | None = None
    procedure: Procedure | None = None
    forms: Forms | None = None
    asked: str | Method = ""
    why: str = ""
    refused: str = ""

    @property
    def method(self) -> str:
        """Name of what p-values and intervals come from: a covariance, or a way to draw.

        Examples
        --------
        >>> from clsimpact.datasets import example_design
        >>> from clsimpact.estimators import twfe
        >>> twfe(example_design()).method, twfe(example_design(), inference="CR1").method
        ('permutation', 'CR1')
        """
        return self.vcov.kind if self.procedure is None else self.procedure.name

    @property
    def nobs(self) -> int:
        """Number of rows in the estimation sample.

        Examples
        --------
        >>> from clsimpact.datasets import example_design
        >>> from clsimpact.estimators import twfe
        >>> twfe(example_design()).nobs
        2500
        """
        return self.design.n_obs

    @property
    def covariance(self) -> pd.DataFrame:
        """Covariance matrix of the identified terms, labelled by term.

        Examples
        --------
        >>> from clsimpact.datasets import example_design
        >>> from clsimpact.estimators import twfe
        >>> twfe(example_design()).covariance.shape
        (1, 1)
        """
        return _combine.labelled_covariance(self)

    @property
    def overall(self) -> pd.DataFrame:
        """One tidy row: the effect of adoption.

        Estimators of effects by cohort and period average over treated units and periods (their
        ``aggregate("simple")``); an event study, and ``aggregate("dynamic")``, over event times 0 and later.

        Examples
        --------
        >>> from clsimpact.datasets import example_design
        >>> from clsimpact.estimators import twfe
        >>> twfe(example_design()).overall["n_units"].tolist()
        [191]
        """
        if self.total is not None:
            return self.total.tidy().iloc[[0]]
        if any(term.event_time is not None for term in self.terms):
            return self.average()
        return self.tidy().iloc[[0]]

    @property
    def provenance(self) -> dict[str, Any]:
        """Where the numbers come from: data, roles, sample, options and library version (a fresh copy).

        ``["estimate"]["inference"]`` identifies p-values and intervals: what was ``asked``, the ``method``
        with its ``options``, ``draws`` and ``seed`` (None without draws), and ``why`` and ``refused`` of
        ``"auto"``.

        Examples
        --------
        >>> from clsimpact.datasets import example_design
        >>> from clsimpact.estimators import twfe
        >>> twfe(example_design()).provenance["estimate"]["covariance"]
        'path = 1'
        >>> twfe(example_design(), inference="CR1").provenance["estimate"]["inference"]["method"]
        'CR1'
        """
        how = {"estimator": self.estimator, "covariance": self.vcov.factor_text, "level": self.level}
        how |= {"options": dict(self.options), "equation": self.equation, "notes": list(self.notes)}
        how |= {"inference": _procedures.record(self)}
        return copy.deepcopy({**self.design.provenance, "estimate": how, "clsimpact": __version__})

    def tidy(self) -> pd.DataFrame:
        """One row per term, always with the columns of `TIDY_COLUMNS`.

        ``event_time``, ``cohort``, ``n_units`` and ``n_obs`` are nullable integers. p-values and intervals
        use the t distribution with the degrees of freedom of the covariance. A reference period has estimate
        0, no standard error and ``identified=False``; a term the data cannot identify has no estimate and a
        reason.

        Examples
        --------
        >>> from clsimpact.datasets import example_design
        >>> from clsimpact.estimators import twfe
        >>> twfe(example_design()).tidy()[["estimate", "p_value"]].round(4)
           estimate  p_value
        0   -0.0365   0.0065
        """
        with np.errstate(invalid="ignore"):
            error = np.sqrt(np.diag(self.vcov.matrix))
        terms = _combine.told(self) if any(self.vcov.lost) else self.terms
        frame = tidy_frame(terms, self.estimates, error, self.vcov.df, self.identified, self.level)
        return _combine.with_draws(self, frame)

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
        >>> from clsimpact.datasets import example_design
        >>> from clsimpact.estimators import event_study
        >>> fit = event_study(example_design())
        >>> row = fit.linear_combination({"e=0": 0.5, "e=1": 0.5}, label="first two years")
        >>> round(float(row["estimate"].iloc[0]), 6)
        -0.030808
        """
        return _combine.linear_combination(self, weights, label)

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
        >>> from clsimpact.datasets import example_design
        >>> from clsimpact.estimators import event_study
        >>> round(float(event_study(example_design()).average()["estimate"].iloc[0]), 6)
        -0.071414
        """
        return _combine.average(self, post=post, weights=weights, label=label)

    def aggregate(
        self,
        kind: str,
        *,
        balance: int | None = None,
        leads: int | None = None,
        lags: int | None = None,
    ) -> Estimate:
        """Average the effects by cohort and period, with the same covariance.

        Parameters
        ----------
        kind
            ``"simple"``: one number, each treated unit and period counting once. ``"group"``: by cohort.
            ``"calendar"``: by period. ``"dynamic"``: by event time.
        balance
            For ``"dynamic"``: only cohorts observed at least this many periods after adoption, and event
            times up to it, so that each event time averages over the same cohorts.
        leads, lags
            For ``"dynamic"``: event times from ``-leads`` to ``lags``.

        Returns
        -------
        Estimate
            Its ``overall`` is the mean that goes with the kind.

        Raises
        ------
        DesignError
            An unknown kind, or an estimator without effects by cohort and period.

        Examples
        --------
        >>> from clsimpact.datasets import example_design
        >>> from clsimpact.estimators.group_time import group_time
        >>> fit = group_time(example_design())
        >>> round(float(fit.aggregate("dynamic").overall["estimate"].iloc[0]), 6)
        -0.07724
        """
        return _combine.aggregated(self, kind, balance=balance, leads=leads, lags=lags)

    def sample(self) -> pd.DataFrame:
        """Say which units and periods stand behind each term.

        Returns
        -------
        pandas.DataFrame
            One row per term: ``term, treated_units, control_units, periods, left_out``. ``left_out`` names
            units that the term cannot use, and why. A regression uses every row of the design for each term.

        Examples
        --------
        >>> from clsimpact.datasets import example_design
        >>> from clsimpact.estimators import twfe
        >>> twfe(example_design()).sample()["control_units"].tolist()
        [309]
        """
        if self.sampler is not None:
            return _combine.with_covariates(self, self.sampler())
        return whole_sample(self)

    def with_inference(
        self,
        method: str | Method,
        *,
        level: float | None = None,
        draws: int = 9999,
        seed: int = 0,
        executor: Executor | None = None,
        progress: bool = False,
    ) -> Estimate:
        """Return the same estimates with other p-values and intervals, without refitting.

        ==================  ==========================================================================
        method              p-values and intervals from
        ==================  ==========================================================================
        ``"auto"``          what the design calls for, by measured sizes (``why`` says which)
        ``"CR0"`` ...       the t distribution with that covariance: see below
        ``"path"``          CR2 around one path of effects by event time, Satterthwaite
        ``"permutation"``   re-assigned adoption, studentised: `clsimpact.inference.Permutation`
        ``"wild"``          the wild cluster bootstrap, null imposed: `clsimpact.inference.Wild`
        ``"multiplier"``    influence functions times random weights: `clsimpact.inference.Multiplier`
        ``"conley_taber"``  residuals of controls: `clsimpact.inference.ConleyTaber`, `FermanPinto`
        ==================  ==========================================================================

        Parameters
        ----------
        method
            A name, or a method with options of its own such as ``Wild(weights="webb")``. Covariances are
            ``"CR0"``, ``"CR1"``, ``"CR2"`` (Satterthwaite degrees of freedom), ``"CR3"``, ``"jackknife"``
            (leave one cluster out), and for regressions ``"HC1"``, ``"iid"`` and ``"CR2_IK"`` (CR2 with
            Imbens-Kolesár degrees of freedom, see `clsimpact.inference.imbens_kolesar`); see
            `clsimpact.inference.sandwich` and `clsimpact.inference.influence`. Each estimator offers those
            that are defined for it.
        level
            Another confidence level.
        draws, seed
            Number of draws and seed of their generator: the same numbers for any number of workers. All
            possibilities are enumerated where there are no more than ``draws``.
        executor
            Any `concurrent.futures.Executor`: draws are computed by it, and at once. Without one they are
            computed here, when somebody looks.
        progress
            Show a bar.

        Raises
        ------
        DesignError
            A method that this estimator or design does not allow (the message lists those that it does).

        Warns
        -----
        FewTreatedWarning
            If the covariance was measured to reject a true null too often with so few adopters.

        Examples
        --------
        >>> from clsimpact.datasets import example_design
        >>> from clsimpact.estimators import twfe
        >>> fit = twfe(example_design())
        >>> fit.with_inference("CR2").vcov.df.round(3).tolist()
        [279.826]
        >>> fit.with_inference("permutation", draws=999, seed=1).tidy()["p_value"].round(3).tolist()
        [0.007]
        """
        return _combine.with_inference(self, method, level, draws, seed, executor, progress)

    def joint_test(
        self, terms: str | Sequence[str] = "before", *, statistic: str | None = None
    ) -> pd.DataFrame:
        """Test that several terms are all zero, by the inference of this result.

        Parameters
        ----------
        terms
            ``"before"`` (the terms before adoption: a test of pre-trends), ``"after"``, ``"all"``, or names.
        statistic
            ``"balanced"``: the largest t, each term judged by its own distribution (permutation, multiplier);
            ``"sup_t"``: the largest t; ``"wald"``. By default balanced where adoption is re-assigned and
            where ``"auto"`` chose a covariance, else Wald. Without draws Wald has an F distribution, which
            rejects far too often with few adopters.

        Returns
        -------
        pandas.DataFrame
            One row: ``terms, n_terms, statistic, p_value, test, inference, left_out``. Terms that rest on
            fewer than three adopters are left out where the method has to see how adopters vary.

        Raises
        ------
        DesignError
            Unknown terms or statistic, or no term left; under ``"auto"`` also where no joint test was seen
            to hold.

        Examples
        --------
        >>> from clsimpact.datasets import example_design
        >>> from clsimpact.estimators import event_study
        >>> fit = event_study(example_design()).with_inference("permutation", draws=999, seed=1)
        >>> fit.joint_test("before")[["n_terms", "p_value", "test"]].round(2)
           n_terms  p_value      test
        0        3     0.18  balanced
        """
        return _joint.joint_test(self, terms, statistic)

    def bands(
        self, terms: str | Sequence[str] = "all", *, statistic: str | None = None, level: float | None = None
    ) -> pd.DataFrame:
        """Return the tidy frame with simultaneous bands beside the pointwise intervals.

        With the stated probability all the terms lie within their bands. ``"sup_t"`` uses one critical value;
        ``"balanced"``, the default, makes each term as likely as any other to leave its band, which matters
        where some terms rest on few adopters (Montiel Olea and Plagborg-Moller 2019, doi 10.1002/jae.2656).

        Parameters
        ----------
        terms, statistic
            As in `joint_test`; bands are for these terms together.
        level
            Confidence level; that of the result by default.

        Returns
        -------
        pandas.DataFrame
            `tidy` with ``band_low, band_high, critical`` (NaN for terms outside the family). Where ``"auto"``
            makes no bands all are NaN, and ``attrs["bands"]`` says why.

        Raises
        ------
        DesignError
            As `joint_test`; a method that makes no bands, such as the bootstrap with the null imposed.

        Examples
        --------
        >>> from clsimpact.datasets import example_design
        >>> from clsimpact.estimators.group_time import group_time
        >>> fit = group_time(example_design()).aggregate("dynamic").with_inference("multiplier", seed=1)
        >>> round(float(fit.bands(statistic="sup_t")["critical"].iloc[0]), 1)
        2.6
        """
        return _joint.bands(self, terms, statistic, self.level if level is None else checked_level(level))

    def equivalence(
        self,
        margin: float | tuple[float, float],
        *,
        row: str | None = None,
        weights: Mapping[str, float] | None = None,
        level: float | None = None,
    ) -> Equivalence:
        """Test that an effect is no larger than a margin: two one-sided tests.

        Parameters
        ----------
        margin
            In the unit of the outcome: one number for both sides, or ``(low, high)``.
        row
            A term; by default the overall effect.
        weights
            Instead of a row: the weight of each term by name, as in `linear_combination`.
        level
            Level of the one-sided tests; that of the result by default.

        Returns
        -------
        Equivalence
            p-values, the interval, and ``largest_not_ruled_out`` in the unit of the outcome.

        Raises
        ------
        DesignError
            An unknown or unidentified term, a row and weights at once, a method without a distribution of its
            own, or a bad margin.

        Examples
        --------
        >>> from clsimpact.datasets import example_design
        >>> from clsimpact.estimators import event_study, twfe
        >>> found = twfe(example_design()).equivalence(0.1)
        >>> found.equivalent, round(found.largest_not_ruled_out, 4)
        (True, 0.0589)

        The average of two event times:

        >>> found = event_study(example_design()).equivalence(0.1, weights={"e=0": 0.5, "e=1": 0.5})
        >>> found.equivalent, round(found.largest_not_ruled_out, 4)
        (True, 0.0514)
        """
        level = self.level if level is None else checked_level(level)
        if weights is not None and row is not None:
            raise DesignError("A row and weights were given.", repair="Give one of them.")
        if weights is not None:
            return _joint.equivalence_of(self, margin, weights, level)
        return _joint.equivalence(self, margin, row, level)

    def check(
        self,
        names: str | Iterable[str] | None = None,
        *,
        data: pd.DataFrame | None = None,
        adoption: pd.DataFrame | None = None,
        neighbours: pd.DataFrame | None = None,
        margin: float | None = None,
        draws: int = 999,
        seed: int = 0,
        executor: Executor | None = None,
        progress: bool = False,
    ) -> CheckReport:
        """Check what the result rests on: trends, dates, comparison, recording, and how far it bends.

        Parameters
        ----------
        names
            Checks to run, by name (:func:`clsimpact.checks` lists them); by default all.
        data
            The panel behind the design with its other columns (other outcomes, regions, populations).
        adoption
            Who adopted, with the dates that the evidence allows (``adoption_year, earliest_year,
            latest_year`` and the column of units).
        neighbours
            Pairs of neighbouring units: a frame whose first two columns are units.
        margin
            What is too small to matter, in the unit of the outcome. With one, a fault whose whole interval
            lies within it is called too small to matter even if it is certain. Without one, every check, of
            trends too, takes a bias to matter that would bring an interval that excludes zero to zero, or
            that is a quarter of the width of the interval if that is less: few panels are precise enough to
            rule that out, and most such checks then say what they could have seen and *cannot tell*.
        draws, seed, executor
            For inference by draws, as in `with_inference`.
        progress
            Show a bar, in a terminal or a notebook.

        Returns
        -------
        CheckReport
            A result per check: verdict (*holds*, *does not hold*, *cannot tell*), finding, numbers, figure
            and advice with the line of code that follows it. ``to_markdown()`` writes them as a page.

        Raises
        ------
        DesignError
            Unknown checks, or none; a margin that is no number above zero, or too few draws.

        Examples
        --------
        >>> from clsimpact.datasets import example_design
        >>> from clsimpact.estimators import event_study
        >>> event_study(example_design()).check("pre_trends", margin=0.05)["pre_trends"].verdict
        'holds'
        """
        from clsimpact._check import design_items
        from clsimpact.diagnostics.registry import run_checks
        from clsimpact.diagnostics.setting import Setting

        given = Setting(
            self.design, self, data, adoption, neighbours, margin, draws=draws, seed=seed, executor=executor
        )
        return run_checks(given, names, design_items(self.design), progress=progress)

    def with_covariance(self, kind: str, *, level: float | None = None) -> Estimate:
        """Return the same estimates with another covariance: `with_inference`, by its first name.

        Examples
        --------
        >>> from clsimpact.datasets import example_design
        >>> from clsimpact.estimators import twfe
        >>> twfe(example_design()).with_covariance("CR0").vcov.kind
        'CR0'
        """
        return self.with_inference(kind, level=level)

    def summary(self) -> str:
        """Sample, equation, covariance with its factor, terms and caveats, as text (deterministic).

        Examples
        --------
        >>> from clsimpact.datasets import example_design
        >>> from clsimpact.estimators import twfe
        >>> print(twfe(example_design(), inference="CR1").summary().splitlines()[8])
        Covariance: CR1 = 500/499 · 2499/2494 = 1.0040; clusters: county (500, of which 191 treated); t with
        499 df
        """
        return _explain.summary(self)

    def explain(self) -> str:
        """Say in plain words what the numbers and their interval do and do not rule out.

        Examples
        --------
        >>> from clsimpact.datasets import example_design
        >>> from clsimpact.estimators import twfe
        >>> print(twfe(example_design()).explain().splitlines()[0])
        Estimated effect of adoption on teen employment (log points): 0.0365 log points lower, if trends were
        parallel.
        """
        return _explain.explain(self)

    def plot(self, *, ax: Axes | None = None) -> Axes:
        """Draw the terms with their intervals and return the axes (see `clsimpact.plots.event_study_figure`).

        Examples
        --------
        >>> from clsimpact.datasets import example_design
        >>> from clsimpact.estimators import event_study
        >>> event_study(example_design()).plot().get_ylabel()
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
        >>> from clsimpact.datasets import example_design
        >>> from clsimpact.estimators import twfe
        >>> round(float(twfe(example_design()).model.params["treated"]), 6)
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
        >>> from clsimpact.datasets import example_design
        >>> from clsimpact.estimators import twfe
        >>> bool(twfe(example_design()).verify()["agrees"].all())
        True
        """
        from clsimpact._verify import verify

        return verify(self)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the result to a file that `clsimpact.load_estimate` reads.

        It is JSON, without pickle: numbers to the last bit, words, covariance, averages by cohort and period,
        and provenance. The data are not in it.

        Parameters
        ----------
        path
            The file; its folder is made if it does not exist.

        Returns
        -------
        pathlib.Path
            The file. The same result gives the same bytes.

        Examples
        --------
        >>> import tempfile
        >>> from clsimpact.datasets import example_design
        >>> from clsimpact.estimators import twfe
        >>> twfe(example_design()).save(Path(tempfile.mkdtemp()) / "twfe.json").name
        'twfe.json'
        """
        from clsimpact.saved import save_estimate

        return save_estimate(self, path)

    def _table(self) -> Table:
        return estimate_table(self, _explain.shown(self))

    def __repr__(self) -> str:
        return _explain.short(self)

    def _repr_html_(self) -> str:
        return _explain.shown(self).html()

    @property
    def regression(self) -> Regression | None:
        """The regression whose coefficients the terms are, or None.

        Examples
        --------
        >>> from clsimpact.datasets import example_design
        >>> from clsimpact.estimators import twfe
        >>> twfe(example_design()).regression.columns.shape
        (2500, 1)
        """
        return getattr(self.uncertainty, "plain", None)

    def fitted(self) -> Regression:
        """Return the regression, or raise `DesignError` where the terms are not its coefficients.

        Examples
        --------
        >>> from clsimpact.datasets import example_design
        >>> from clsimpact.estimators import twfe
        >>> twfe(example_design()).fitted().columns.shape
        (2500, 1)
        """
        if self.regression is None:
            raise _combine.no_regression(self)
        return self.regression
