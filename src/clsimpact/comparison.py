"""Estimators side by side: one table and one figure, and where they answer different questions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from clsimpact import _agreement, _check
from clsimpact._comparison_words import Difference, Entry, differences, joined, times
from clsimpact._display import attribution_of, card, folded, grid, pairs, paragraphs
from clsimpact._estimator_names import NAMES
from clsimpact._exports import Exports, comparison_table
from clsimpact.errors import DesignError, did_you_mean, list_some
from clsimpact.results import Estimate
from clsimpact.saved import SavedEstimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from clsimpact.report._table import Table

__all__ = ["Comparison", "compare"]

MOST = 10
"""More estimators than this cannot be told apart in one figure."""

PATHS = ("auto", "dynamic", "overall")


@dataclass(frozen=True, eq=False, repr=False)
class Comparison(Exports):
    """Estimates of one effect, side by side.

    Attributes
    ----------
    entries : tuple
        Label, estimate and path by event time of each.

    Examples
    --------
    >>> from clsimpact.datasets import example_design
    >>> from clsimpact.estimators import event_study, twfe
    >>> compare([twfe(example_design()), event_study(example_design())])
    Comparison of 2 estimates of lemp: Two-way fixed effects, Two-way event study
    """

    entries: tuple[Entry, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """Name of each estimate.

        Examples
        --------
        >>> from clsimpact.datasets import example_design
        >>> from clsimpact.estimators import event_study, twfe
        >>> compare([twfe(example_design()), event_study(example_design())]).labels
        ('Two-way fixed effects', 'Two-way event study')
        """
        return tuple(entry.label for entry in self.entries)

    @cached_property
    def differences(self) -> tuple[Difference, ...]:
        """Points in which the estimates answer different questions.

        Examples
        --------
        >>> from clsimpact.datasets import example_design
        >>> from clsimpact.estimators import event_study, twfe
        >>> compare([twfe(example_design()), event_study(example_design())]).differences[0].kind
        'overall'
        """
        return differences(self.entries)

    def warnings(self) -> tuple[str, ...]:
        """Say where the estimates answer different questions: one sentence each, computed from the fits.

        Samples (rows, units, periods, values), weights, covariates and anticipation; comparison groups;
        weights of the overall effect; event times and reference periods; what the estimates before adoption
        are; treated units behind an event time; covariances, levels and clusters.

        Examples
        --------
        >>> from clsimpact.datasets import example_design
        >>> from clsimpact.estimators import event_study
        >>> fit = event_study(example_design())
        >>> compare([fit, fit.with_inference("CR2")], labels=["one", "two"]).warnings()
        ('The covariances differ: permutation (one); CR2 (two).',)
        """
        return tuple(difference.text for difference in self.differences)

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What the estimates have in common, and what could not be shown.

        Examples
        --------
        >>> from clsimpact.datasets import example_design
        >>> from clsimpact.estimators import event_study, twfe
        >>> compare([twfe(example_design()), event_study(example_design())]).notes[0]
        'Sample: 500 units (191 treated, 309 never treated), 5 periods 2003-2007, 2500 rows'
        """
        design = self.entries[0].fit.design
        found = [f"Sample: {_check.sample_words(design)}, {design.n_obs} rows"]
        kinds = {difference.kind for difference in self.differences}
        if "sample" in kinds:
            found = [f"{'SIMULATED: ' if design.simulated else ''}The samples differ, see the warnings"]
        lost = {e.label: [times(e.lost)] for e in self.entries if e.lost}
        if lost:
            said = "; ".join(f"{label}: {events[0]}" for label, events in lost.items())
            found.append(f"Event times that the data cannot identify: {said}")
        gone = [e.label for e in self.entries if not e.overall["identified"].iloc[0]]
        if gone:
            found.append(f"No overall effect is identified by {list_some(gone)}")
        worst = next((e.fit for e in self.entries if _check.too_narrow(design, e.fit.method)), None)
        if worst is not None:
            uncertainty = getattr(worst, "uncertainty", None)  # a saved estimate has none
            offered = () if uncertainty is None else uncertainty.kinds
            kind, name = worst.method, worst.estimator
            found.append(_check.few_treated(design, kind, estimator=name, offered=offered))
        elif few := _check.few_treated(design):
            found.append(few)
        return tuple(found)

    def tidy(self) -> pd.DataFrame:
        """Return the tidy rows of every estimate, the label first (column ``estimator``).

        Rows by event time where an estimate has them, else its overall effect; covariates are left out.

        Examples
        --------
        >>> from clsimpact.datasets import example_design
        >>> from clsimpact.estimators import event_study, twfe
        >>> both = compare([twfe(example_design()), event_study(example_design())])
        >>> both.tidy()["estimator"].value_counts().to_dict()
        {'Two-way event study': 8, 'Two-way fixed effects': 1}
        """
        return self._stacked([entry.rows for entry in self.entries])

    def overall(self) -> pd.DataFrame:
        """Return the overall effect of every estimate: one tidy row each, the label first.

        Examples
        --------
        >>> from clsimpact.datasets import example_design
        >>> from clsimpact.estimators import event_study, twfe
        >>> both = compare([twfe(example_design()), event_study(example_design())])
        >>> both.overall()["estimate"].round(4).tolist()
        [-0.0365, -0.0714]
        """
        return self._stacked([entry.overall for entry in self.entries])

    def _stacked(self, parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
        names = [label for label, rows in zip(self.labels, parts, strict=True) for _ in range(len(rows))]
        made = pd.concat(parts, ignore_index=True)
        made.insert(0, "estimator", names)
        return made

    def table(self) -> pd.DataFrame:
        """Return a table to read: a row per event time and for the overall effect, a column per estimate.

        Cells hold the estimate and its interval; the first column the treated units behind the row (a range
        where estimates differ); the last rows the units and rows of each sample. The numbers are in `tidy`.

        Examples
        --------
        >>> from clsimpact.datasets import example_design
        >>> from clsimpact.estimators import event_study, twfe
        >>> both = compare([twfe(example_design()), event_study(example_design())], labels=["TWFE", "path"])
        >>> both.table().loc[["0", "overall"], ["treated units", "path"]]
                treated units                          path
        0                 191  -0.0181 (-0.0393 to 0.00298)
        overall           191   -0.0714 (-0.108 to -0.0351)
        """
        events = sorted({int(e) for entry in self.entries if entry.path for e in entry.rows["event_time"]})
        rows = {str(e): [_at(entry, e) for entry in self.entries] for e in events}
        rows["overall"] = [entry.overall for entry in self.entries]
        body = {name: [_units(parts), *map(self._cell, self.entries, parts)] for name, parts in rows.items()}
        designs = [entry.fit.design for entry in self.entries]
        body["units"] = ["", *(str(len(design.units)) for design in designs)]
        body["rows"] = ["", *(str(design.n_obs) for design in designs)]
        return pd.DataFrame.from_dict(body, orient="index", columns=["treated units", *self.labels])

    @staticmethod
    def _cell(entry: Entry, rows: pd.DataFrame | None) -> str:
        if rows is None or rows.empty:
            return ""
        row = rows.iloc[0]
        if str(row["reason"]).startswith("reference"):
            return "0 (reference)"
        if not row["identified"]:
            return "not identified"
        if not bool(_agreement.usable(rows, entry.fit.design).iloc[0]):
            return f"{_check.number(row['estimate'])} (no interval)"
        low, high = _check.number(row["conf_low"]), _check.number(row["conf_high"])
        return f"{_check.number(row['estimate'])} ({low} to {high})"

    def explain(self) -> str:
        """Say whether the estimates agree, and where they answer different questions.

        Distances between estimates are set beside the widths of their intervals.

        Examples
        --------
        >>> from clsimpact.datasets import example_design
        >>> from clsimpact.estimators import event_study, twfe
        >>> both = compare([twfe(example_design()), event_study(example_design())])
        >>> print(both.explain().splitlines()[0])
        2 estimates of the effect of adoption on teen employment (log points), if trends were parallel.
        """
        mind = [
            f"Mind: {text[0].lower() if text.startswith('The ') else text[0]}{text[1:]}"
            for text in self.warnings()
        ]
        return "\n".join([*_agreement.explain(self.entries), *mind, *self._facts()])

    def _facts(self) -> list[str]:
        """Return the notes as sentences."""
        return [f"{note[0].upper()}{note[1:]}." for note in self.notes]

    def plot(self, *, ax: Axes | None = None) -> Axes:
        """Draw all estimates in one figure and return the axes (see `clsimpact.plots.comparison_figure`).

        Examples
        --------
        >>> from clsimpact.datasets import example_design
        >>> from clsimpact.estimators import event_study, twfe
        >>> both = compare([twfe(example_design()), event_study(example_design())])
        >>> len(both.plot().figure.axes)
        2
        """
        from clsimpact.plots.comparison import plot_axes

        return plot_axes(self, ax=ax)

    def _table(self) -> Table:
        return comparison_table(self)

    def __repr__(self) -> str:
        design = self.entries[0].fit.design
        made_up = "SIMULATED: " if design.simulated else ""
        head = f"{made_up}Comparison of {len(self.entries)} estimates of {design.outcome}"
        return f"{head}: {', '.join(self.labels)}"

    def _repr_html_(self) -> str:
        frame, design = self.table(), self.entries[0].fit.design
        heads = ["Event time", *(str(name).capitalize() for name in frame.columns[:1]), *self.labels]
        rows = [
            [str(name), *map(str, cells)] for name, cells in zip(frame.index, frame.to_numpy(), strict=True)
        ]
        level = f"{100 * self.entries[0].fit.level:.4g}%"
        title = f"{_agreement.headline(self.entries)} (estimates and {level} intervals)"
        equations = [(entry.label, entry.fit.equation) for entry in self.entries]
        return card(
            grid(title, heads, rows, align="l" + "r" * (len(heads) - 1)),
            paragraphs((*self.warnings(), *self._facts())),
            folded("How they were estimated", pairs(equations)),
            folded("Attribution", paragraphs([self._attribution()])),
            simulated=design.simulated,
            source=design.source,
        )

    def _attribution(self) -> str:
        """Return the attribution of the data; what a saved file says of them can be anything."""
        said: Any = self.entries[0].fit.provenance
        return attribution_of(said.get("data") if isinstance(said, dict) else None)


def compare(
    fits: Sequence[Estimate | SavedEstimate],
    *,
    labels: Sequence[str] | None = None,
    path: Literal["dynamic", "overall", "auto"] = "auto",
) -> Comparison:
    """Put estimates of one effect side by side, and say where they answer different questions.

    Nothing is estimated anew: paths by event time are `Estimate.aggregate` ("dynamic") where the terms are
    effects by cohort and period, else the terms themselves; overall effects are `Estimate.overall`.

    Parameters
    ----------
    fits
        Two to ten estimates of the same outcome, for the same units, periods and cohorts; their samples and
        options may differ, and `Comparison.warnings` says how. Saved ones (`clsimpact.load_estimate`) hold
        no data, so whether their units and values are the same is not known; the warnings say so.
    labels
        Name of each; by default what readers call the estimator, with what tells two of a kind apart.
    path
        ``"dynamic"``: effects by event time; every estimate must have them. ``"overall"``: the overall effect
        only. ``"auto"``: effects by event time for those that have them.

    Returns
    -------
    Comparison

    Raises
    ------
    DesignError
        Fewer than two or more than ten estimates, other objects, another outcome, unit, period or cohort,
        made-up beside official data, labels that do not fit, or no path where one is asked for.

    Examples
    --------
    >>> from clsimpact.datasets import example_design
    >>> from clsimpact.estimators import event_study, twfe
    >>> both = compare([twfe(example_design()), event_study(example_design())])
    >>> both.overall()[["estimator", "estimate"]].round(4)
                   estimator  estimate
    0  Two-way fixed effects   -0.0365
    1    Two-way event study   -0.0714
    """
    held: list[Any] = list(fits) if isinstance(fits, Iterable) else [fits]
    _require(held, path)
    names = _labels(held, labels)
    paths = [None if path == "overall" else _path(fit) for fit in held]
    lacking = [name for name, found in zip(names, paths, strict=True) if found is None]
    if path == "dynamic" and lacking:
        raise DesignError(
            "There is no path by event time to compare.",
            [f"{name} has none" for name in lacking],
            repair="Use path='auto' or path='overall', or leave them out.",
        )
    return Comparison(tuple(map(Entry, names, held, paths)))


def _require(fits: Sequence[Estimate | SavedEstimate], path: str) -> None:
    if path not in PATHS:
        raise DesignError(
            f"path {path!r} is not known{did_you_mean(str(path), PATHS)}.",
            repair=f"Use one of {', '.join(PATHS)}.",
        )
    problems = [
        f"item {i + 1} is {type(fit).__name__}, not an estimate"
        for i, fit in enumerate(fits)
        if not isinstance(fit, Estimate | SavedEstimate)
    ]
    if not 2 <= len(fits) <= MOST:
        problems.append(f"{len(fits)} given; 2 to {MOST} can be set side by side")
    if problems:
        raise DesignError("The estimates cannot be compared.", problems, repair="Give a list of estimates.")
    for key, word in _SAME.items():
        values = [getattr(fit.design, key) for fit in fits]
        given = [value for value in values if key != "outcome_unit" or value]  # a table may not carry units
        if any(value != given[0] for value in given):
            found: dict[str, list[str]] = {}
            for i, (fit, value) in enumerate(zip(fits, values, strict=True)):
                found.setdefault(str(value), []).append(f"{i + 1}: {fit.estimator}")
            problems.append(f"{word}: {joined(found)}")
    if problems:
        raise DesignError(
            "These are estimates of different things.",
            problems,
            repair="Compare estimates of one outcome for the same units and cohorts.",
        )


_SAME = {
    "outcome": "the outcome differs",
    "outcome_unit": "the unit of the outcome differs",
    "unit": "the units differ",
    "time": "the period column differs",
    "cohort": "the cohort column differs",
    "simulated": "made-up data differ from official data (simulated)",
}


def _path(fit: Estimate) -> Estimate | None:
    """Return the estimate by event time, or None."""
    events = [term.event_time for term in fit.terms if term.event_time is not None]
    if events and len(set(events)) == len(events):
        return fit
    if not fit.aggregator:
        return None
    try:
        return fit.aggregate("dynamic")
    except DesignError:
        return None


def _labels(fits: Sequence[Estimate], labels: Sequence[str] | None) -> tuple[str, ...]:
    if labels is not None:
        given = tuple(str(label) for label in labels)
        twice = [label for label, n in Counter(given).items() if n > 1]
        if len(given) != len(fits) or twice or isinstance(labels, str):
            problems = [f"{len(given)} labels for {len(fits)} estimates"] if len(given) != len(fits) else []
            problems += [f"{label!r} stands twice" for label in twice]
            raise DesignError("The labels do not fit.", problems, repair="Give each estimate its own label.")
        return given
    names = [NAMES.get(fit.estimator, fit.estimator) for fit in fits]
    for told in (
        _option_words(fits),
        [fit.method for fit in fits],
        [str(i + 1) for i in range(len(fits))],
    ):
        counts = Counter(names)
        twice = [name for name, n in counts.items() if n > 1]
        for name in twice:
            mine = [i for i, own in enumerate(names) if own == name]
            if len({told[i] for i in mine}) > 1:
                for i in mine:
                    names[i] = f"{name} ({told[i]})" if told[i] else name
    return tuple(names)


def _option_words(fits: Sequence[Estimate]) -> list[str]:
    """Options in which estimates of one estimator differ, in words."""
    out = []
    for fit in fits:
        others = [other for other in fits if other.estimator == fit.estimator]
        keys = [k for k in fit.options if any(o.options.get(k) != fit.options[k] for o in others)]
        out.append(", ".join(str(fit.options[k]).replace("_", " ") for k in keys))
    return out


def _at(entry: Entry, event: int) -> pd.DataFrame | None:
    """Return the row of one event time."""
    if entry.path is None:
        return None
    return entry.rows[entry.rows["event_time"] == event]


def _units(parts: Sequence[pd.DataFrame | None]) -> str:
    found = [rows for rows in parts if rows is not None and len(rows) and rows["identified"].iloc[0]]
    counts = [int(rows["n_units"].iloc[0]) for rows in found if not pd.isna(rows["n_units"].iloc[0])]
    if not counts:
        return ""
    low, high = int(np.min(counts)), int(np.max(counts))
    return str(low) if low == high else f"{low} to {high}"
