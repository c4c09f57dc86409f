"""The page on changed figures: shares noticed by table, kind and rule, and what cannot be noticed."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from itertools import pairwise

import pandas as pd

from clsimpact import __version__
from tests.corruption.figures import KINDS

__all__ = ["page"]

_NEW = ("impossible value", "quotient")
"""Rules that were added because of this page."""

_HEAD = """# Figures changed without a word

Of {figures:,} official figures that were changed one by one, the rules notice **{share:.1%}**; without the
two rules that this page led to ({new}) they noticed {old:.1%}.

Figures were drawn over every table of every publication held (large tables more often, in proportion to the
root of their size) and changed in the returns table, as if the publisher had printed them so. A change counts
as noticed when `find_inconsistencies` or the quality report says something that it did not say before, about
that figure, a total over it, or its council and year. Figures were changed many at a time, no two of one
council in a return, or of one region in a measure, year and table. {alone} figures were changed alone as
well, and for {differ} of them other rules noticed.

That a *file* has changed is another matter: its SHA-256 is in the manifest, so a changed byte in a file that
is held is noticed always, and `clsimpact check --raw` adds up every table of the 2021-22 workbook a second
time. What is measured here is an error in the publication itself, or in one whose fingerprint nobody knows
yet. The comparisons of `clsimpact check` are not counted: most look at the same totals.

Made by `make corruption` ({made_by}). Every figure, its change and what noticed it stand in
[corruption.csv](corruption.csv).
"""


def page(table: pd.DataFrame, *, seed: int, alone: int, differ: int) -> str:
    """Return the page.

    Parameters
    ----------
    table
        A row a changed figure, with ``noticed`` and the names of the ``rules``, apart by semicolons.
    seed, alone, differ
        Of the run: its seed, how many figures were changed alone as well, and for how many the rules that
        noticed were others.
    """
    old = table["rules"].map(lambda rules: any(rule not in _NEW for rule in rules.split("; ") if rule))
    facts = {
        "figures": len(table),
        "share": table["noticed"].mean(),
        "old": old.mean(),
        "new": " and ".join(f"*{name}*" for name in _NEW),
        "alone": alone,
        "differ": differ,
        "made_by": f"seed {seed}, clsimpact {__version__}, Python {platform.python_version()}",
    }
    lines = [
        _HEAD.format(**facts),
        *_by_kind(table),
        *_by_rule(table),
        *_by_source(table),
        *_by_size(table),
        *_CANNOT,
    ]
    return "\n".join(lines).rstrip() + "\n"


def _share(rows: pd.DataFrame) -> str:
    return f"{len(rows):,} | {rows['noticed'].mean():.0%}"


def _by_kind(table: pd.DataFrame) -> Iterator[str]:
    yield from ("| change | what is done | figures | noticed |", "|---|---|---:|---:|")
    for kind, (_, words) in KINDS.items():
        rows = table[table["kind"] == kind]
        if len(rows):
            yield f"| {kind} | {words} | {_share(rows)} |"
    yield ""


def _by_rule(table: pd.DataFrame) -> Iterator[str]:
    each = table.loc[table["noticed"], "rules"].str.split("; ")
    counts = each.explode().value_counts()
    alone = each[each.map(len) == 1].map(lambda rules: rules[0]).value_counts()
    yield from ("| rule | figures noticed | by it alone |", "|---|---:|---:|")
    yield from (f"| {rule} | {count:,} | {alone.get(rule, 0):,} |" for rule, count in counts.items())
    yield ""


def _by_source(table: pd.DataFrame) -> Iterator[str]:
    yield from ("| publication | tables | figures | noticed |", "|---|---:|---:|---:|")
    for source, rows in table.groupby("source_id", observed=True):
        yield f"| `{source}` | {rows['table'].nunique()} | {_share(rows)} |"
    yield ""


def _by_size(table: pd.DataFrame) -> Iterator[str]:
    size = (table["after"] / table["before"] - 1).abs()
    size = size.where(table["before"] != 0, float("inf"))
    bounds = (0.0, 0.02, 0.1, 0.5, 2.0, float("inf"))
    yield from ("| size of the change | figures | noticed |", "|---|---:|---:|")
    for low, high in pairwise(bounds):
        rows = table[(size > low) & (size <= high)]
        words = f"more than {low:.0%}" if high == float("inf") else f"{low:.0%} to {high:.0%}"
        if len(rows):
            yield f"| {words} | {_share(rows)} |"
    yield ""


_CANNOT = (
    "## What cannot be noticed",
    "",
    "- A figure that stands alone: no total over it is printed, nothing is computed from it, and no other",
    "  publication repeats it. Most lines of unit costs, activity and additional data are such figures, and",
    "  the outcomes of ASCOF without numerator and denominator.",
    "- A change within what rounding allows: counts rounded to 5 can be off by 2.5 each, so a total of many",
    "  of them by some dozens; a digit in the decimals of money by less than £500.",
    "- A change of the total and its part by the same amount, or of a whole table to another year's.",
    "- A plausible figure of a council that jumps often: the jump rule speaks only beyond what is usual.",
    "- Figures of councils whose region's total holds another council's imputed figure: only a gap below the",
    "  sum is told there.",
)
