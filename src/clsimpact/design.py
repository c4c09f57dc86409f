"""The design: one frozen object that says who is compared with whom, and on which rows.

Every estimator takes a `Design` and reads only its arrays. It holds roles, sample, comparison group and
provenance, so that two estimates from one design are comparable by construction.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clsimpact import _check
from clsimpact._frames import open_table
from clsimpact._input import Gone, Rows, drop_always_treated, gone, read
from clsimpact._outcome import copied, outcome_words
from clsimpact._range import warn_of_range
from clsimpact.errors import DesignError, did_you_mean, list_some

if TYPE_CHECKING:
    from narwhals.typing import IntoFrame

    from clsimpact.diagnostics.report import CheckReport

__all__ = ["Design"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, init=False, eq=False, repr=False)
class Design:
    """Roles, sample and comparison group of a difference-in-differences analysis.

    Each unit adopts once and for good, at its cohort; units without one are never treated. The causal
    reading of any estimate rests on parallel trends: without adoption, adopters and their comparison units
    would have moved alike; and on no effect before adoption (beyond ``anticipation`` periods).

    Parameters
    ----------
    data
        One row per unit and period, in any row order: a pandas or polars DataFrame, a polars LazyFrame, a
        pyarrow Table or a duckdb relation. Only the columns named below are read. It is not changed.
    outcome, unit, time
        Column names. The time is a whole number (a financial year is its start year); gaps are allowed and
        event time counts calendar periods, not rows.
    cohort
        Column with the first treated period of the unit, constant within unit.
        Missing, 0 or infinity: never treated.
    weights
        Column of positive weights; read as inverse variances of the rows.
    covariates
        Columns added to the regression. A covariate moved by the programme biases the effect.
    cluster
        Column whose groups hold whole units; by default the unit.
    effects
        ``"unit"``, or a column constant within unit, such as ``"region"``. With a column the regressions hold
        effects of that column, an indicator per adopter cohort and time effects.
    anticipation
        Periods before adoption in which the outcome may already respond.
    always_treated
        What to do with units treated in every observed period, which have no "before": ``"drop"`` or
        ``"keep"``.
    names
        Column that names units in messages; by default ``"name"`` where the data have one.
    outcome_label, outcome_unit, source
        Words for tables and figures. By default from ``data.attrs["columns"][outcome]`` (keys ``label`` and
        ``unit``) and ``data.attrs["source_line"]``. Where ``data.attrs["simulated"]`` or a column
        ``simulated`` is true the label says SIMULATED, and so does everything made from it.

    Attributes
    ----------
    y, X, w : float arrays
        Outcome (n), covariates (n, k) and weights (n, or None), sorted by unit and then time; read-only.
    unit_codes, time_codes, cluster_codes, effect_codes : integer arrays (n)
        Positions in ``units``, ``periods`` and the sorted levels of the other two columns.
    times, cohorts, event_time : arrays (n)
        Period; first treated period and period minus it (NaN where never treated).
    treated : boolean array (n)
        True from ``cohort - anticipation`` on.
    units, unit_names, unit_cohorts, periods
        Labels, names and cohort of each unit, and the observed periods.
    unit_rows : integer array (units + 1)
        Offsets: the rows of unit i are ``unit_rows[i]:unit_rows[i + 1]``.
    unit_clusters : integer array (units)
        Cluster of each unit, a position in the sorted levels of the cluster.
    balanced : bool
        True if every unit is observed in every period of the sample.
    dropped : pandas.DataFrame
        ``unit, time, reason`` of every row that left the sample.

    Raises
    ------
    PanelError
        Data of another kind, missing or misspelt columns, duplicated unit and time, text for numbers,
        infinite values.
    DesignError
        Cohort varying within unit, clusters that split units, no treated or no untreated rows.
        All problems are raised together.

    Warns
    -----
    SampleWarning
        If always-treated units are dropped.
    RangeWarning
        If the outcome is a share or a percentage by its unit, and lies outside 0 to 1 or 0 to 100.

    Examples
    --------
    >>> from clsimpact.datasets import load_mpdta
    >>> design = Design(load_mpdta(), outcome="lemp", unit="county", time="year", cohort="first_treat")
    >>> design
    Design of lemp: 500 units (191 treated, 309 never treated), 5 periods 2003-2007, 2500 rows
    >>> design.cohort_sizes
    {2004: 20, 2006: 40, 2007: 131}
    """

    outcome: str
    unit: str
    time: str
    cohort: str
    weights: str | None
    covariates: tuple[str, ...]
    cluster: str
    effects: str
    anticipation: int
    always_treated: str
    outcome_label: str
    outcome_unit: str
    source: str
    simulated: bool
    y: Floats
    X: Floats
    w: Floats | None
    unit_codes: Ints
    time_codes: Ints
    cluster_codes: Ints
    effect_codes: Ints
    times: Ints
    cohorts: Floats
    event_time: Floats
    treated: NDArray[np.bool_]
    units: tuple[Any, ...]
    unit_cohorts: Floats
    unit_rows: Ints
    unit_clusters: Ints
    periods: tuple[int, ...]
    balanced: bool
    n_effects: int
    n_clusters: int
    _dropped: tuple[Gone, ...]
    _attrs: dict[Hashable, Any]
    _rows: Rows

    def __init__(
        self,
        data: pd.DataFrame | IntoFrame,
        *,
        outcome: str,
        unit: str,
        time: str,
        cohort: str,
        weights: str | None = None,
        covariates: Sequence[str] = (),
        cluster: str | None = None,
        effects: str = "unit",
        anticipation: int = 0,
        always_treated: Literal["drop", "keep"] = "drop",
        names: str | None = None,
        outcome_label: str | None = None,
        outcome_unit: str | None = None,
        source: str | None = None,
    ) -> None:
        _check_options(anticipation, always_treated)
        roles = {"outcome": outcome, "unit": unit, "time": time, "cohort": cohort}
        _require_names(roles, {"weights": weights, "cluster": cluster, "effects": effects, "names": names})
        many = _several(covariates, outcome)
        roles |= {"weights": weights or "", "cluster": cluster or unit}
        roles |= {"effects": unit if effects == "unit" else effects, "names": names or "name"}
        table = open_table(data, (*roles.values(), *many, "simulated"))
        if not names and "name" not in table.known:
            roles["names"] = unit
        plain: dict[str, Any] = {key: roles[key] for key in ("outcome", "unit", "time", "cohort", "cluster")}
        plain |= {"weights": weights, "covariates": many, "anticipation": int(anticipation)}
        plain |= {"effects": "unit" if roles["effects"] == unit else effects}
        plain |= {"always_treated": always_treated}
        plain |= outcome_words(table, outcome, outcome_label, outcome_unit, source)
        rows, dropped = read(table, roles, many)
        rows, dropped = drop_always_treated(rows, dropped, int(anticipation), always_treated)
        self._fill(plain, rows, tuple(dropped))
        _require_comparison(self)
        warn_of_range(self)

    def _fill(self, plain: Mapping[str, Any], rows: Rows, dropped: tuple[Gone, ...]) -> None:
        rows = rows.compact() if dropped else rows
        unit, time = rows.unit, rows.time
        cluster, effect = rows.cluster or unit, rows.effect or unit
        counts = np.bincount(unit.codes)
        offsets = np.concatenate([[0], np.cumsum(counts)])
        times = np.array(time.levels, dtype=np.int64)[time.codes]
        event = times - rows.cohort
        arrays = {
            "y": rows.y,
            "X": rows.X,
            "w": rows.w,
            "unit_codes": unit.codes,
            "time_codes": time.codes,
            "cluster_codes": cluster.codes,
            "effect_codes": effect.codes,
            "times": times,
            "cohorts": rows.cohort,
            "event_time": event,
            "treated": event >= -plain["anticipation"],
            "unit_cohorts": rows.cohort[offsets[:-1]],
            "unit_rows": offsets,
            "unit_clusters": cluster.codes[offsets[:-1]],
        }
        for array in arrays.values():
            if array is not None:
                array.setflags(write=False)
        facts = {"units": unit.levels, "periods": time.levels, "n_effects": len(effect.levels)}
        facts |= {"n_clusters": len(cluster.levels), "balanced": bool((counts == len(time.levels)).all())}
        self.__dict__.update({**plain, **arrays, **facts, "_dropped": dropped, "_rows": rows})

    @cached_property
    def unit_names(self) -> tuple[str, ...]:
        """Name of each unit, with its label: ``Kent (E10000016)``.

        Examples
        --------
        >>> from clsimpact.datasets import example_design
        >>> example_design().unit_names[0]
        '8001'
        """
        return self._rows.names_of(self.unit_rows[:-1])

    @property
    def n_obs(self) -> int:
        """Number of rows in the sample.

        Examples
        --------
        >>> from clsimpact.datasets import example_design
        >>> example_design().n_obs
        2500
        """
        return int(self.y.size)

    @property
    def in_window(self) -> NDArray[np.bool_]:
        """True for each unit that adopts (or anticipates) by the last period of the panel.

        Examples
        --------
        >>> from clsimpact.datasets import example_design
        >>> int(example_design().in_window.sum())
        191
        """
        return np.asarray(self.unit_cohorts - self.anticipation <= self.periods[-1])

    @property
    def cohort_sizes(self) -> dict[int, int]:
        """Number of units of each cohort that adopts by the last period.

        Examples
        --------
        >>> from clsimpact.datasets import example_design
        >>> example_design().cohort_sizes
        {2004: 20, 2006: 40, 2007: 131}
        """
        values, counts = np.unique(self.unit_cohorts[self.in_window], return_counts=True)
        return {int(v): int(c) for v, c in zip(values, counts, strict=True)}

    @property
    def n_treated(self) -> int:
        """Number of units that adopt by the last period.

        Examples
        --------
        >>> from clsimpact.datasets import example_design
        >>> example_design().n_treated
        191
        """
        return int(self.in_window.sum())

    @property
    def n_never(self) -> int:
        """Number of units that never adopt.

        Examples
        --------
        >>> from clsimpact.datasets import example_design
        >>> example_design().n_never
        309
        """
        return int(np.isnan(self.unit_cohorts).sum())

    @property
    def n_treated_clusters(self) -> int:
        """Number of clusters with a treated row: what clustered inference lives on.

        Examples
        --------
        >>> from clsimpact.datasets import example_design
        >>> example_design().n_treated_clusters
        191
        """
        return int(np.unique(self.cluster_codes[self.treated]).size)

    @property
    def dropped(self) -> pd.DataFrame:
        """Rows that left the sample, with the reason: columns ``unit, time, reason``.

        Examples
        --------
        >>> from clsimpact.datasets import example_design
        >>> example_design().dropped.columns.tolist()
        ['unit', 'time', 'reason']
        """
        rows = [row for record in self._dropped for row in record.tuples()]
        return pd.DataFrame(rows, columns=["unit", "time", "reason"])

    @property
    def data(self) -> pd.DataFrame:
        """A fresh copy of the estimation sample, sorted by unit and time, one column per role.

        Examples
        --------
        >>> from clsimpact.datasets import example_design
        >>> example_design().data.shape
        (2500, 6)
        """
        columns: dict[str, Any] = {self.unit: self._rows.unit.labels(), self.time: self.times}
        columns |= {self.outcome: self.y, self.cohort: self.cohorts, "event_time": self.event_time}
        columns |= {"treated": self.treated}
        columns |= {name: self.X[:, j] for j, name in enumerate(self.covariates)}
        if self.weights is not None and self.w is not None:
            columns[self.weights] = self.w
        for column, factor in ((self.cluster, self._rows.cluster), (self.effects, self._rows.effect)):
            columns |= {} if factor is None else {column: factor.labels()}
        return pd.DataFrame({key: np.array(value) for key, value in columns.items()})

    @property
    def provenance(self) -> dict[str, Any]:
        """Where the sample comes from: attributes of the data, roles, and counts (a fresh copy).

        Examples
        --------
        >>> from clsimpact.datasets import example_design
        >>> example_design().provenance["sample"]["treated_units"]
        191
        """
        roles = ("outcome", "unit", "time", "cohort", "weights", "covariates", "cluster", "effects")
        return {
            "data": copied(self._attrs),
            "roles": {key: getattr(self, key) for key in (*roles, "anticipation", "always_treated")},
            "sample": {
                "rows": self.n_obs,
                "rows_dropped": sum(len(record) for record in self._dropped),
                "units": len(self.units),
                "treated_units": self.n_treated,
                "never_treated_units": self.n_never,
                "cohorts": self.cohort_sizes,
                "periods": list(self.periods),
            },
        }

    def check(
        self,
        names: str | Iterable[str] | None = None,
        *,
        data: pd.DataFrame | None = None,
        neighbours: pd.DataFrame | None = None,
        margin: float | None = None,
        draws: int = 999,
        seed: int = 0,
        progress: bool = False,
    ) -> CheckReport:
        """Say in words what the design can and cannot carry, before any result is looked at.

        Parameters
        ----------
        names
            Checks to run, by name (:func:`clsimpact.checks` lists them); by default all that need no result.
        data
            The panel behind the design, with its other columns: for checks of who is compared with whom.
        neighbours
            Pairs of neighbouring units, where a check needs them.
        margin
            What is too small to matter, in the unit of the outcome.
        draws, seed
            For inference by draws.
        progress
            Show a bar, in a terminal or a notebook.

        Returns
        -------
        CheckReport
            ``items``: sample counts, gaps, dropped rows, few treated units (with measured error rates),
            cohorts without a comparison; units and periods by name. And a result per check: verdict, finding,
            numbers, figure and advice.

        Raises
        ------
        DesignError
            Unknown checks, checks that need a result, or none; a margin that is no number above zero, or too
            few draws.

        Examples
        --------
        >>> from clsimpact.datasets import load_mpdta
        >>> design = Design(load_mpdta(), outcome="lemp", unit="county", time="year", cohort="first_treat")
        >>> report = design.check()
        >>> report.items[0]
        ('info', '2500 rows: 500 units, 5 periods 2003-2007; balanced.')
        >>> report["comparison_weights"].verdict
        'holds'
        """
        from clsimpact.diagnostics.registry import run_checks
        from clsimpact.diagnostics.setting import Setting

        given = Setting(self, data=data, neighbours=neighbours, margin=margin, draws=draws, seed=seed)
        return run_checks(given, names, _check.design_items(self), progress=progress)

    def restrict(self, keep: NDArray[np.bool_], *, reason: str) -> Design:
        """Return the design on fewer rows, with the others counted as dropped.

        Parameters
        ----------
        keep
            True for rows that stay (n), in the order of the arrays.
        reason
            Why the others leave; shown in ``dropped`` and in every summary.

        Raises
        ------
        DesignError
            If ``keep`` is not one True or False per row, or no treated or no untreated row is left.

        Examples
        --------
        >>> from clsimpact.datasets import load_mpdta
        >>> design = Design(load_mpdta(), outcome="lemp", unit="county", time="year", cohort="first_treat")
        >>> design.restrict(design.times < 2007, reason="before 2007 only").n_obs
        2000
        """
        stays = np.asarray(keep)
        if stays.dtype != np.bool_ or stays.shape != (self.n_obs,):
            text = (
                f"keep has shape {stays.shape} and type {stays.dtype}; {self.n_obs} rows need True or False"
            )
            raise DesignError(
                "The rows to keep cannot be read.",
                [text],
                repair="Give one True or False a row of the design.",
            )
        if not stays.any():
            raise DesignError(f"No row is left ({reason}).", repair="Keep more rows.")
        plain = {key: getattr(self, key) for key in _PLAIN}
        record = gone(self._rows, ~stays, reason)
        new = object.__new__(Design)
        new._fill(plain, self._rows.take(stays), (*self._dropped, record))
        _require_comparison(new)
        return new

    def with_outcome(self, values: Floats) -> Design:
        """Return the same design with other outcomes.

        Parameters
        ----------
        values
            One number per row (n), in the order of the arrays, in units of the outcome.

        Raises
        ------
        DesignError
            If there is not one finite number per row.

        Examples
        --------
        >>> from clsimpact.datasets import example_design
        >>> design = example_design()
        >>> bool((design.with_outcome(2 * design.y).y == 2 * design.y).all())
        True
        """
        y = np.array(values, dtype=np.float64)
        if y.shape != (self.n_obs,) or not np.isfinite(y).all():
            raise DesignError(
                f"The outcomes have shape {y.shape}; {self.n_obs} finite numbers are needed.",
                repair="Give one number a row of the design, in its order.",
            )
        return self._remade(replace(self._rows, y=y))

    def with_cohorts(self, unit_cohorts: Floats) -> Design:
        """Return the same rows with other adoption dates: a placebo, or a re-assignment.

        Parameters
        ----------
        unit_cohorts
            First treated period of each unit, in the order of ``units``; NaN where it never adopts.

        Raises
        ------
        DesignError
            If there is not one number per unit, or no treated or no untreated row is left.

        Examples
        --------
        >>> from clsimpact.datasets import example_design
        >>> design = example_design()
        >>> design.with_cohorts(design.unit_cohorts[::-1]).n_treated
        191
        """
        cohorts = np.array(unit_cohorts, dtype=np.float64)
        if cohorts.shape != (len(self.units),) or np.isinf(cohorts).any():
            text = (
                f"The cohorts have shape {cohorts.shape}; one for each of {len(self.units)} units is needed."
            )
            raise DesignError(text, repair="Use NaN for units that never adopt.")
        new = self._remade(replace(self._rows, cohort=cohorts[self.unit_codes]))
        _require_comparison(new)
        return new

    def _remade(self, rows: Rows) -> Design:
        new = object.__new__(Design)
        new._fill({key: getattr(self, key) for key in _PLAIN}, rows, self._dropped)
        return new

    def __repr__(self) -> str:
        return f"Design of {self.outcome}: {_check.sample_words(self)}, {self.n_obs} rows"

    def _repr_html_(self) -> str:
        return _check.design_html(self)


_PLAIN = (
    "outcome", "unit", "time", "cohort", "weights", "covariates", "cluster", "effects",
    "anticipation", "always_treated", "outcome_label", "outcome_unit", "source", "simulated", "_attrs",
)  # fmt: skip


def _check_options(anticipation: int, always_treated: str) -> None:
    problems = []
    number = isinstance(anticipation, int | float | np.number) and not isinstance(anticipation, bool)
    if not number or not anticipation >= 0 or anticipation != np.floor(anticipation):
        problems.append(f"anticipation is {anticipation!r}; a whole number of periods, 0 or more, is needed")
    if always_treated not in ("drop", "keep"):
        near = did_you_mean(str(always_treated), ("drop", "keep"))
        problems.append(f"always_treated is {always_treated!r}{near}; it can be 'drop' or 'keep'")
    if problems:
        raise DesignError(
            "The options of the design cannot be used.", problems, repair="Change them, or leave them out."
        )


def _require_names(needed: Mapping[str, object], others: Mapping[str, object]) -> None:
    """Refuse what is not the name of one column."""
    wrong = [
        f"{role} is not named"
        for role, name in needed.items()
        if name is None or (isinstance(name, str) and not name)
    ]
    for role, name in {**needed, **others}.items():
        if isinstance(name, list | tuple):
            wrong.append(f"{role} is {len(name)} names: {list_some(name, 4)}")
        elif not isinstance(name, Hashable):
            wrong.append(f"{role} is a whole column or table, not a name")
    wrong += _shared(needed) if not wrong else []
    if wrong:
        raise DesignError(
            "Each role of the design needs the name of one column, and its own.",
            wrong,
            repair="Give a name, such as cluster='region'; only covariates may be several.",
        )


def _shared(needed: Mapping[str, object]) -> list[str]:
    """Say which roles were given one and the same column."""
    columns: dict[object, list[str]] = {}
    for role, name in needed.items():
        columns.setdefault(name, []).append(role)
    return [f"{' and '.join(roles)} are both {name!r}" for name, roles in columns.items() if len(roles) > 1]


def _several(covariates: Any, outcome: str) -> tuple[str, ...]:
    if isinstance(covariates, str):
        covariates = (covariates,)
    if not isinstance(covariates, Iterable):
        raise DesignError(
            f"covariates is {covariates!r}, not a list of columns.", repair="Write covariates=['income']."
        )
    many = tuple(covariates)
    if hasattr(covariates, "dtype") or any(not isinstance(name, Hashable) for name in many):
        raise DesignError(
            "covariates holds a whole column or table, not names of columns.",
            repair="Write covariates=['income'].",
        )
    if outcome in many:
        raise DesignError(
            f"The outcome {outcome!r} is among the covariates.", repair="Leave it out of covariates."
        )
    return many


def _require_comparison(design: Design) -> None:
    problems = []
    if len(design.periods) == 1:
        problems.append(f"one period only: {design.periods[0]}")
    if not design.treated.any():
        problems.append("no treated observation: no unit is observed in or after its cohort")
    if design.treated.all():
        problems.append("no untreated observation: every row is treated")
    if problems:
        last = f"The sample covers {design.periods[0]}-{design.periods[-1]}."
        raise DesignError(
            "The design has nothing to compare.",
            problems,
            repair=f"{last} Check cohort {design.cohort!r}, and that there are years before and after it.",
        )
