"""The quality report: what every rule found, who submitted what, and how to read it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pandas as pd

from clsimpact._display import card, folded, grid
from clsimpact._paths import path_of
from clsimpact._version import __version__
from clsimpact.attribution import condense
from clsimpact.errors import list_some
from clsimpact.loaders.manifest import all_sources
from clsimpact.quality._findings import FINDING_COLUMNS, SEVERITIES, Rule, as_findings, each
from clsimpact.quality._material import NOT_SUBMITTED_BY_COUNCILS, SIMULATED, Material
from clsimpact.quality.rules import RULES
from clsimpact.store import read_parquet, write_bytes, write_csv
from clsimpact.years import spans, year_label

__all__ = ["QualityReport", "quality"]

_RULE_COLUMNS: Final = (
    "rule",
    "title",
    "looks_at",
    "threshold",
    "false_alarms",
    "cannot_see",
    "source",
    "looked_at",
    "unit",
    "found",
    "note",
    "look",
    "warn",
)


_SHOWN: Final = 20
"""Findings that a notebook shows; the frame has all."""


@dataclass(frozen=True)
class QualityReport:
    """What is odd about a returns table. No figure is changed by it.

    Attributes
    ----------
    findings
        One row a finding: ``rule, ons_code, name, region, year, return_, measure, severity, value, reference,
        words, source_id, table, cell``. ``severity`` is ``note`` (good to know), ``look`` (look before
        use) or ``warn`` (do not use without a decision). ``cell`` is given where one figure is meant;
        where several are, it is that of the largest. Codes are those in force in the year.
    coverage
        One row a council, year and return: figures by status. See
        :func:`clsimpact.quality.coverage.coverage`.
    rules
        One row a rule: what it looks at, threshold and why, false alarms, what it cannot see, source, how
        much it looked at and how much it found.
    simulated
        Whether figures come from made-up publications.
    attribution
        Sources and licences.
    made_by
        Library and version.
    """

    findings: pd.DataFrame
    coverage: pd.DataFrame
    rules: pd.DataFrame
    simulated: bool
    attribution: str
    made_by: str

    def summary(self) -> str:
        """Return the report in words, a line a rule.

        Returns
        -------
        str
            Lines of text; the first says what was looked at, and that it is simulated where it is.
        """
        councils, years = self.coverage["ons_code"].nunique(), sorted(set(self.coverage["year"].tolist()))
        returns = list_some(sorted(set(self.coverage["return_"].tolist())))
        head = f"Quality of the returns: {returns}, {spans(years)}, {councils} council codes."
        counts = self.findings["severity"].value_counts()
        tally = ", ".join(f"{int(counts.get(name, 0)):,} {name}" for name in reversed(SEVERITIES))
        lines = [f"{head} SIMULATED: the figures are made up." if self.simulated else head]
        lines += [f"{len(self.findings):,} findings: {tally}."]
        lines += [f"  {words}" for words in (_line(row) for row in each(self.rules))]
        return "\n".join([*lines, "Rules never change a figure; each says what it cannot see."])

    def _repr_html_(self) -> str:
        heads = ("Rule", "Looked at", *(name.capitalize() for name in reversed(SEVERITIES)))
        rows = [
            (
                row.title,
                f"{row.looked_at:,} {row.unit}",
                *(f"{getattr(row, n):,}" for n in reversed(SEVERITIES)),
            )
            for row in each(self.rules)
        ]
        title, *_ = self.summary().splitlines()
        worst = self.findings[self.findings["severity"] == SEVERITIES[-1]].head(_SHOWN)
        titles = {row.rule: row.title for row in each(self.rules)}
        told = [(titles[row.rule], _said(row.name), _year(row.year), str(row.words)) for row in each(worst)]
        named = f"The first {len(told)} findings of the most serious kind"
        return card(
            grid(title, heads, rows, align="llrrr"),
            folded(named, grid("", ("Rule", "Area", "Year", "Finding"), told, align="llll") if told else ""),
            simulated=self.simulated,
            source=self.attribution,
        )

    def to_html(self) -> str:
        """Return the report as one page that needs nothing else: no script, no network.

        Returns
        -------
        str
            HTML.
        """
        from clsimpact.quality.page import page

        return page(self)

    def to_csv(self, folder: str | os.PathLike[str]) -> dict[str, Path]:
        """Write findings, coverage and rules as CSV.

        Parameters
        ----------
        folder
            Where to write; it is made if it does not exist. Names begin with ``SIMULATED`` where the returns
            are made up.

        Returns
        -------
        dict
            ``findings``, ``coverage``, ``rules`` and ``summary`` to the file written.
        """
        mark = "SIMULATED " if self.simulated else ""
        place, written = path_of(folder, "a folder to write to"), {}
        for name in ("findings", "coverage", "rules"):
            written[name] = place / f"{mark}quality-{name}.csv"
            table = getattr(self, name)
            write_csv(table.assign(simulated=True) if self.simulated else table, written[name])
        written["summary"] = place / f"{mark}quality-summary.txt"
        words = f"{self.summary()}\n\n{self.attribution}\nMade by {self.made_by}.\n"
        write_bytes(written["summary"], words.encode())
        return written


def _said(value: Any) -> str:
    """Return a word, and nothing where there is none."""
    return "" if pd.isna(value) else str(value)


def _year(value: Any) -> str:
    return "" if pd.isna(value) else year_label(int(value))


def _line(row: Any) -> str:
    if not row.looked_at:
        return f"{row.title}: nothing to look at (it needs {row.unit})."
    parts = ", ".join(f"{getattr(row, name):,} {name}" for name in reversed(SEVERITIES) if getattr(row, name))
    found = f"{row.found:,} found ({parts})" if row.found else "none found"
    return f"{row.title}: {found} in {row.looked_at:,} {row.unit}."


def quality(returns: pd.DataFrame | None = None, *, panel: pd.DataFrame | None = None) -> QualityReport:
    """Look for what is odd about the returns: absent, withheld, filled in, revised, far out, jumping, moved.

    Parameters
    ----------
    returns
        A returns table, for example ``clsimpact.load_returns()``; the committed official one if omitted.
        It is not changed.
    panel
        A panel built from them, whose withheld outcomes are named; the committed one with the committed
        returns.

    Returns
    -------
    QualityReport
        Findings, coverage and rules. The same for any order of the rows.

    Raises
    ------
    PanelError
        If the table lacks columns or holds no council figure of a return.

    Examples
    --------
    >>> import clsimpact as ci
    >>> returns = ci.load_returns()
    >>> report = quality(returns[returns["source_id"] == "asc_fr_salt_2021_22"])
    >>> report.findings.query("rule == 'submitted' and name == 'Swindon'")["words"].item()
    'Swindon has no ASC-FR figure for 2021-22 (216 marked not submitted); other councils have.'
    """
    if returns is None:
        returns = read_parquet("returns")
        panel = read_parquet("panel") if panel is None else panel
    material = Material(returns, panel)
    found = {rule.name: rule.find(material) for rule in RULES}
    parts = [it.findings.assign(rule=name) for name, it in found.items() if len(it.findings)]
    every = as_findings(pd.concat(parts, ignore_index=True)) if parts else as_findings([])
    findings = _named(every, material)
    rules = pd.DataFrame([_described(rule, found[rule.name].looked_at, findings) for rule in RULES])
    return QualityReport(
        findings=findings,
        coverage=material.coverage,
        rules=rules[list(_RULE_COLUMNS)],
        simulated=material.simulated,
        attribution=_attribution(material),
        made_by=f"clsimpact {__version__}",
    )


def _named(findings: pd.DataFrame, material: Material) -> pd.DataFrame:
    """Write names and regions, and put the findings in an order that does not depend on the rows."""
    places = material.areas
    for column in ("name", "region"):
        findings[column] = findings["ons_code"].map(places[column]).astype("string")
    order = {rule.name: place for place, rule in enumerate(RULES)}
    rank = {name: place for place, name in enumerate(reversed(SEVERITIES))}
    keys = findings.assign(order=findings["rule"].map(order), rank=findings["severity"].map(rank))
    by = ["order", "rank", "year", "return_", "ons_code", "measure", "source_id", "words"]
    return keys.sort_values(by, kind="stable", ignore_index=True)[list(FINDING_COLUMNS)]


def _described(rule: Rule, looked_at: int, findings: pd.DataFrame) -> dict[str, object]:
    mine = findings.loc[findings["rule"] == rule.name, "severity"]
    counts = {name: int(mine.eq(name).sum()) for name in SEVERITIES}
    words = ("title", "looks_at", "threshold", "false_alarms", "cannot_see", "source", "unit")
    facts = {name: getattr(rule, name) for name in words}
    return {"rule": rule.name, **facts, "looked_at": looked_at, "found": len(mine), **counts}


def _attribution(material: Material) -> str:
    known = all_sources()
    table = material.returns
    used = table.loc[~table["return_"].isin(NOT_SUBMITTED_BY_COUNCILS), "source_id"].unique()
    people = table.loc[table["measure"].isin(["population"]), "source_id"].unique()
    ids = sorted({str(name).removeprefix(SIMULATED) for name in (*used, *people)})
    words = condense(known[name].attribution for name in ids if name in known)
    licence = "Licence: Open Government Licence v3.0."
    if material.simulated:
        return "SIMULATED figures, made up by this library in the layouts of the publishers."
    return f"{words} {licence}".strip()
