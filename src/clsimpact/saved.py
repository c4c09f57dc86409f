"""Results on disk: what `Estimate.save` writes and `load_estimate` reads.

The file is JSON: nothing in it runs, so that it may come from a stranger. It holds what a reader of a result
needs (numbers, words, covariance, provenance), and not the data: whatever needs them has to be estimated
again.
"""

from __future__ import annotations

import copy
import os
import tempfile
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clsimpact import _combine, _explain, _procedures
from clsimpact import _save_format as form
from clsimpact._explain import Shown
from clsimpact._exports import Exports, estimate_table
from clsimpact._paths import file_to_write, path_of
from clsimpact._saved_agreement import disagreements
from clsimpact._saved_parts import ESTIMATE, FILE, SavedDesign
from clsimpact._tidy import Term
from clsimpact._version import __version__
from clsimpact.errors import DesignError, SourceError, did_you_mean
from clsimpact.inference.sandwich import Covariance
from clsimpact.store import write_bytes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from clsimpact.report._table import Table
    from clsimpact.results import Estimate

__all__ = ["SavedDesign", "SavedEstimate", "load_estimate", "save_estimate"]

NOT_HELD: Final = (
    "with_inference", "with_covariance", "verify", "model", "fitted", "regression", "average",
    "linear_combination", "joint_test", "bands", "equivalence", "check", "uncertainty", "procedure", "total",
    "forms", "row_terms", "slots", "sampler", "rows", "again", "unit_weights", "time_weights", "blocks",
)  # fmt: skip
"""What an estimate can do and its file cannot: it needs the data."""


class _NotHeldError(DesignError, AttributeError):
    """Something that needs the data; for Python an attribute that is not there."""


@dataclass(frozen=True, repr=False, eq=False)
class SavedEstimate(Exports):
    """A result that was read from a file, with the numbers and words that it was saved with.

    What needs the data (other inference, averages and tests of terms, checks, refits in other libraries)
    raises `DesignError` and says so; ``hasattr`` is False of it.

    Attributes
    ----------
    estimator, method, asked, equation, why, refused : str
    design : SavedDesign
        What is known of the sample.
    terms : tuple of Term
    estimates, identified : arrays
        One per term.
    vcov : Covariance
    level : float
    notes, warnings : tuple of str
        Choices and caveats that the reader must know.
    aggregates : dict
        Kind to the average of that kind: a saved estimate.
    made_by : str
        Library and version that saved it.

    Examples
    --------
    >>> found = example_saved()
    >>> found.tidy()[["estimate", "p_value"]].round(4)
       estimate  p_value
    0   -0.0365   0.0065
    """

    estimator: str
    method: str
    asked: str
    equation: str
    why: str
    refused: str
    level: float
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    design: SavedDesign
    terms: tuple[Term, ...]
    estimates: NDArray[np.float64]
    identified: NDArray[np.bool_]
    vcov: Covariance
    aggregates: dict[str, SavedEstimate]
    made_by: str
    _frames: dict[str, pd.DataFrame]
    _words: dict[str, str]
    _shown: Shown
    _provenance: Any
    _content: bytes

    def tidy(self) -> pd.DataFrame:
        """Return one row per term, as `Estimate.tidy` did (a copy).

        Examples
        --------
        >>> fit = example_saved()
        >>> fit.tidy()["term"].tolist()
        ['treated']
        """
        return self._frames["tidy"].copy()

    @property
    def overall(self) -> pd.DataFrame:
        """One tidy row: the effect of adoption (a copy).

        Examples
        --------
        >>> fit = example_saved()
        >>> fit.overall["n_units"].tolist()
        [191]
        """
        return self._frames["overall"].copy()

    def sample(self) -> pd.DataFrame:
        """Say which units and periods stand behind each term, as `Estimate.sample` did (a copy).

        Examples
        --------
        >>> fit = example_saved()
        >>> fit.sample()["control_units"].tolist()
        [309]
        """
        return self._frames["sample"].copy()

    @property
    def covariance(self) -> pd.DataFrame:
        """Covariance matrix of the identified terms, labelled by term.

        Examples
        --------
        >>> fit = example_saved()
        >>> fit.covariance.shape
        (1, 1)
        """
        return _combine.labelled_covariance(self)

    @property
    def nobs(self) -> int:
        """Number of rows in the estimation sample.

        Examples
        --------
        >>> fit = example_saved()
        >>> fit.nobs
        2500
        """
        return self.design.n_obs

    @property
    def provenance(self) -> Any:
        """Where the numbers come from, as `Estimate.provenance` said (a copy).

        Examples
        --------
        >>> fit = example_saved()
        >>> fit.provenance["estimate"]["covariance"]
        'path = 1'
        """
        return copy.deepcopy(self._provenance)

    @property
    def options(self) -> dict[str, Any]:
        """Options of the estimator that decide what was estimated, as far as the file says (a copy).

        Examples
        --------
        >>> fit = example_saved()
        >>> fit.options
        {}
        """
        said = self._provenance.get("estimate") if isinstance(self._provenance, dict) else None
        held = said.get("options") if isinstance(said, dict) else None
        return dict(held) if isinstance(held, dict) else {}

    @property
    def aggregator(self) -> bool:
        """Whether there are averages of effects by cohort and period.

        Examples
        --------
        >>> fit = example_saved()
        >>> fit.aggregator
        False
        """
        return bool(self.aggregates)

    def aggregate(self, kind: str) -> SavedEstimate:
        """Return the average of a kind that was saved.

        Raises
        ------
        DesignError
            The file has no average of this kind.

        Examples
        --------
        >>> fit = example_saved()
        >>> fit.aggregate("dynamic")
        Traceback (most recent call last):
        clsimpact.errors.DesignError: The saved twfe has no aggregation 'dynamic'.
        Repair: It has none; for others refit from the data.
        """
        if kind not in self.aggregates:
            near = did_you_mean(str(kind), list(self.aggregates))
            raise DesignError(
                f"The saved {self.estimator} has no aggregation {kind!r}{near}.",
                repair=f"It has {', '.join(self.aggregates) or 'none'}; for others refit from the data.",
            )
        return self.aggregates[kind]

    def summary(self) -> str:
        """Return the text of `Estimate.summary`.

        Examples
        --------
        >>> fit = example_saved()
        >>> fit.summary().splitlines()[0]
        'twfe: Teen employment (log points)'
        """
        return self._words["summary"]

    def explain(self) -> str:
        """Return the text of `Estimate.explain`.

        Examples
        --------
        >>> fit = example_saved()
        >>> fit.explain()[:28]
        'Estimated effect of adoption'
        """
        return self._words["explain"]

    def plot(self, *, ax: Axes | None = None) -> Axes:
        """Draw the terms with their intervals and return the axes.

        Examples
        --------
        >>> fit = example_saved()
        >>> from matplotlib.figure import Figure
        >>> fit.plot(ax=Figure().add_subplot()).get_xlabel()
        'Number under the axis: treated units'
        """
        from clsimpact.plots.event_study import plot_axes

        return plot_axes(self, ax=ax)  # type: ignore[arg-type]

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the same file again and return its path.

        Raises
        ------
        DesignError
            This is an average within a file: save the estimate that it is an average of.

        Examples
        --------
        >>> fit = example_saved()
        >>> import tempfile
        >>> fit.save(Path(tempfile.mkdtemp()) / "again.json").name
        'again.json'
        """
        if not self._content:
            raise DesignError("An average within a file is not saved by itself.", repair="Save the whole.")
        where = file_to_write(path, "a result")
        write_bytes(where, self._content)
        return where

    def _table(self) -> Table:
        return estimate_table(self, self._shown)  # type: ignore[arg-type]

    def __repr__(self) -> str:
        return self._words["short"]

    def _repr_html_(self) -> str:
        return self._shown.html()

    def __getattr__(self, name: str) -> Any:
        if name in NOT_HELD:
            raise _NotHeldError(
                f"A saved estimate has no {name}: that needs the data, which the file does not hold.",
                repair="Refit from the data: load the panel, make the design and estimate again.",
            )
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")


def example_saved() -> SavedEstimate:
    """Return `clsimpact.twfe` of the example design, saved and read back, for examples.

    Examples
    --------
    >>> example_saved()
    twfe of lemp: treated -0.0365 (95% interval -0.0623 to -0.0108, permutation)
    """
    from clsimpact.datasets import example_design
    from clsimpact.estimators import twfe

    with tempfile.TemporaryDirectory() as folder:
        return load_estimate(twfe(example_design()).save(Path(folder) / "twfe.json"))


def save_estimate(fit: Estimate, path: str | os.PathLike[str]) -> Path:
    """Write `Estimate.save`."""
    record = {"format": form.FORMAT, "version": form.VERSION, "made_by": f"clsimpact {__version__}"}
    averages = {}
    for kind in _combine.AGGREGATIONS if fit.aggregator is not None else ():
        try:
            averages[kind] = _record(fit.aggregate(kind))
        except DesignError:  # this kind does not exist for the sample: the reader is told what there is
            continue
    content = form.text_of({**record, "estimate": _record(fit), "aggregates": averages})
    where = file_to_write(path, "a result")
    write_bytes(where, content)
    return where


def _record(fit: Estimate) -> dict[str, Any]:
    """Return what is said of one estimate, as JSON holds it."""
    design, vcov, how = fit.design, fit.vcov, _procedures.record(fit)
    sample = {each.name: getattr(design, each.name, None) for each in fields(SavedDesign)}
    sample |= {"n_units": len(design.units), "cohort_sizes": list(map(list, design.cohort_sizes.items()))}
    sample |= {"covariates": list(design.covariates), "periods": list(map(int, design.periods))}
    terms = pd.DataFrame([asdict(term) for term in fit.terms], columns=[it.name for it in fields(Term)])
    whole = dict.fromkeys(("event_time", "cohort", "n_units", "n_obs"), "Int64")
    return {
        **{key: getattr(fit, key) for key in ("estimator", "method", "equation", "why", "refused", "level")},
        "asked": how["asked"],
        "notes": list(fit.notes),
        "warnings": list(_explain.caveats(fit)),
        "design": sample,
        "terms": form.table_text(terms.astype(whole)),
        "estimates": [form.number_text(value) for value in fit.estimates],
        "identified": [bool(value) for value in fit.identified],
        "vcov": {
            "kind": vcov.kind,
            "matrix": [[form.number_text(value) for value in row] for row in vcov.matrix],
            "df": [form.number_text(value) for value in vcov.df],
            "factor": form.number_text(vcov.factor),
            "factor_text": vcov.factor_text,
            "counts": asdict(vcov.counts),
            "lost": [list(map(int, gone)) for gone in vcov.lost],
        },
        "tidy": form.table_text(fit.tidy()),
        "overall": _overall(fit),
        "sample": form.table_text(fit.sample()),
        "words": {"short": repr(fit), "summary": fit.summary(), "explain": fit.explain()},
        "shown": _explain.shown(fit)._asdict(),
        "provenance": form.plain_value(fit.provenance),
    }


def _overall(fit: Estimate) -> dict[str, Any] | None:
    try:
        return form.table_text(fit.overall)
    except DesignError:
        return None


def load_estimate(path: str | os.PathLike[str]) -> SavedEstimate:
    """Read a result that `Estimate.save` wrote.

    The file is JSON of a known form; nothing in it runs, and what does not belong there is refused. Numbers
    are those of the result that was saved, to the last bit. Parts that do not agree are refused; but who made
    a file, and of which data, no file can prove.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    SavedEstimate
        With ``tidy()``, ``overall``, ``aggregate(...)``, ``summary()``, ``explain()``, ``plot()``, ``vcov``,
        ``provenance``, and the table for Word, LaTeX, HTML and the clipboard.

    Raises
    ------
    SourceError
        If there is no such file, or it is too large, truncated, of an unknown version or not of this form.

    Examples
    --------
    >>> import tempfile
    >>> from clsimpact.datasets import example_design
    >>> from clsimpact.estimators import twfe
    >>> path = twfe(example_design()).save(Path(tempfile.mkdtemp()) / "twfe.json")
    >>> load_estimate(path)
    twfe of lemp: treated -0.0365 (95% interval -0.0623 to -0.0108, permutation)
    """
    where = path_of(path, "a file of fit.save")
    if not where.is_file():
        raise SourceError(f"There is no file {where.name}.", repair="Give the path of a file of fit.save.")
    if where.stat().st_size > form.MOST_BYTES:
        raise SourceError(
            f"{where.name} has {where.stat().st_size:,} bytes; a saved estimate has at most "
            f"{form.MOST_BYTES:,}.",
            repair="Give a file that fit.save wrote.",
        )
    content = where.read_bytes()
    record = form.parse(content, where.name)
    made_by = str(record.get("made_by", ""))
    try:
        parts = form.checked(record, FILE)
        averages = {name: _read(made_by, {}, b"", value) for name, value in parts["aggregates"].items()}
        return _read(made_by, averages, content, parts["estimate"])
    except (ValueError, TypeError) as error:
        raise SourceError(
            f"{where.name} is not of the form of a saved estimate.",
            str(error).split("; "),
            repair="Ask for the file again, or save the estimate anew with fit.save(path).",
        ) from None


def _read(made_by: str, aggregates: dict[str, SavedEstimate], content: bytes, value: Any) -> SavedEstimate:
    """Read one estimate, and see that its parts belong together."""
    held = form.checked(value, ESTIMATE, "the estimate")
    if found := disagreements(held):
        raise ValueError("; ".join(found))
    frames = {name: held.pop(name) for name in ("tidy", "overall", "sample")}
    if frames["overall"] is None:
        frames["overall"] = frames["tidy"].iloc[:0]
    own: dict[str, Any] = {f"_{name}": held.pop(name) for name in ("words", "shown", "provenance")}
    more: dict[str, Any] = {
        "aggregates": aggregates,
        "made_by": made_by,
        "_frames": frames,
        "_content": content,
    }
    return SavedEstimate(**held, **more, **own)
