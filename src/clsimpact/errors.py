"""What the library says when something is wrong.

Every message says *what* is wrong, *where* (file, sheet and cell, or councils and years) and *how to repair
it*. Problems are collected and raised together: a user who has to mend a file should see the whole list once.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

__all__ = [
    "AdoptionError",
    "ClsimpactError",
    "ClsimpactWarning",
    "DesignError",
    "FewTreatedWarning",
    "LayoutError",
    "PanelError",
    "RangeWarning",
    "ReconciliationError",
    "SampleWarning",
    "SourceError",
    "SourceWarning",
    "did_you_mean",
    "list_some",
]


class ClsimpactError(ValueError):
    """Base of every error that the library raises on purpose.

    Parameters
    ----------
    summary
        One sentence: what could not be done.
    problems
        Each single thing that is wrong, with its place.
    repair
        What the reader can do about it.

    Attributes
    ----------
    problems : tuple of str
        The same problems, for programs.

    Examples
    --------
    >>> raise ClsimpactError("The file was not read.", ["cell B3: no number"], repair="Correct it.")
    Traceback (most recent call last):
    clsimpact.errors.ClsimpactError: The file was not read.
      - cell B3: no number
    Repair: Correct it.
    """

    def __init__(self, summary: str, problems: Iterable[str] = (), *, repair: str = "") -> None:
        self.summary = summary
        self.problems = tuple(problems)
        self.repair = repair
        lines = [summary, *(f"  - {problem}" for problem in self.problems)]
        if repair:
            lines.append(f"Repair: {repair}")
        super().__init__("\n".join(lines))


class SourceError(ClsimpactError):
    """A publisher's file is absent, truncated, or not the file that the manifest describes.

    Examples
    --------
    >>> from clsimpact.loaders import raw_folder
    >>> raw_folder("no-such-folder")
    Traceback (most recent call last):
    clsimpact.errors.SourceError: There is no folder no-such-folder.
    Repair: Name the folder that holds the publishers' files.
    """


class LayoutError(ClsimpactError):
    """A file opened, but its headers, labels or values are not the ones its layout declares.

    Examples
    --------
    >>> raise LayoutError("The sheet has no table.", ["a.xlsx, T1"], repair="Use the publisher's file.")
    Traceback (most recent call last):
    clsimpact.errors.LayoutError: The sheet has no table.
      - a.xlsx, T1
    Repair: Use the publisher's file.
    """


class ReconciliationError(ClsimpactError):
    """Figures that must agree with each other do not.

    Examples
    --------
    >>> raise ReconciliationError("Totals differ.", ["T1: 3, not 4"], repair="Look at both cells.")
    Traceback (most recent call last):
    clsimpact.errors.ReconciliationError: Totals differ.
      - T1: 3, not 4
    Repair: Look at both cells.
    """


class PanelError(ClsimpactError):
    """A panel has duplicated rows, unknown councils or columns of the wrong kind.

    Examples
    --------
    >>> from clsimpact import Design, load_mpdta
    >>> Design(load_mpdta(), outcome="lempp", unit="county", time="year", cohort="first_treat")
    Traceback (most recent call last):
    clsimpact.errors.PanelError: The design names columns that cannot be used.
      - outcome 'lempp' is not a column (did you mean 'lemp' or 'lpop'?)
    Repair: The data have: county, year, lemp, lpop, first_treat.
    """


class AdoptionError(ClsimpactError):
    """An adoption list cannot be used with a panel.

    Examples
    --------
    >>> from clsimpact import load_adoption
    >>> load_adoption("no-such-list.csv")
    Traceback (most recent call last):
    clsimpact.errors.AdoptionError: There is no file no-such-list.csv.
    Repair: Give the path of a CSV of adopters.
    """


class DesignError(ClsimpactError):
    """A design cannot be estimated as asked.

    Examples
    --------
    >>> from clsimpact.datasets import example_design
    >>> from clsimpact import group_time
    >>> group_time(example_design(), control="nevr")
    Traceback (most recent call last):
    clsimpact.errors.DesignError: The options of group_time cannot be used.
      - control is 'nevr' (did you mean 'never'?); it can be 'never' or 'not_yet'
    Repair: Change them, or leave them out.
    """


class ClsimpactWarning(UserWarning):
    """Base of every warning of the library.

    Examples
    --------
    >>> issubclass(SampleWarning, ClsimpactWarning)
    True
    """


class SampleWarning(ClsimpactWarning):
    """Rows or units leave the sample.

    Examples
    --------
    >>> import warnings
    >>> from clsimpact import Design, load_mpdta
    >>> panel = load_mpdta()
    >>> late = panel[panel["year"] >= 2004]
    >>> with warnings.catch_warnings(record=True) as found:
    ...     warnings.simplefilter("always")
    ...     _ = Design(late, outcome="lemp", unit="county", time="year", cohort="first_treat")
    >>> [it.category.__name__ for it in found]
    ['SampleWarning']
    """


class FewTreatedWarning(ClsimpactWarning):
    """Too few treated units for the inference that was asked for.

    Examples
    --------
    >>> issubclass(FewTreatedWarning, UserWarning)
    True
    """


class RangeWarning(ClsimpactWarning):
    """A share or a percentage lies outside its range.

    Examples
    --------
    >>> import warnings
    >>> from clsimpact import Design, load_mpdta
    >>> with warnings.catch_warnings(record=True) as found:
    ...     warnings.simplefilter("always")
    ...     roles = {"unit": "county", "time": "year", "cohort": "first_treat"}
    ...     _ = Design(load_mpdta(), outcome="lemp", outcome_unit="proportion", **roles)
    >>> [it.category.__name__ for it in found]
    ['RangeWarning']
    """


class SourceWarning(ClsimpactWarning):
    """A publisher's file differs from the one that its adapter was checked against.

    Examples
    --------
    >>> issubclass(SourceWarning, UserWarning)
    True
    """


def list_some(items: Iterable[object], limit: int = 12) -> str:
    """Write a list for a message, with a count of what is left out.

    Examples
    --------
    >>> list_some(["a", "b", "c"], limit=2)
    'a, b and 1 more'
    """
    words = [str(item) for item in items]
    if len(words) <= limit:
        return ", ".join(words)
    return f"{', '.join(words[:limit])} and {len(words) - limit} more"


def did_you_mean(word: str, known: Sequence[str], *, how_many: int = 3) -> str:
    """Return `` (did you mean 'x'?)`` for the nearest known names, or an empty string.

    Examples
    --------
    >>> did_you_mean("gce_per_adlut", ["gce_per_adult", "gce"])
    " (did you mean 'gce_per_adult'?)"
    >>> did_you_mean("GCE per adult", ["gce_per_adult", "gce"])
    " (did you mean 'gce_per_adult'?)"
    """
    near = difflib.get_close_matches(word, list(known), n=how_many, cutoff=0.6)
    if not near:
        plain = {name.casefold(): name for name in reversed(known)}
        close = difflib.get_close_matches(word.casefold(), list(plain), n=how_many, cutoff=0.6)
        near = [plain[name] for name in close]
    return f" (did you mean {' or '.join(repr(name) for name in near)}?)" if near else ""
