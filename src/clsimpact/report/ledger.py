"""The replication ledger: one entry per claim and outcome, as a page and as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from clsimpact._check import number
from clsimpact.claims import signed

__all__ = ["Entry", "Ledger", "as_records"]


@dataclass(frozen=True)
class Entry:
    """One claim for one outcome: what was used, what was found, and the verdict.

    Numbers are in the outcome's unit; they are ``None`` where nothing could be estimated.

    Examples
    --------
    >>> Entry("C4", "No increase", "gce", "Spending", "£", "inconclusive", "it is wide", 1.0, -2.0, 4.0).value
    '+1 £ (95% interval -2 to +4)'
    """

    claim: str
    statement: str
    outcome: str
    label: str
    unit: str
    verdict: str
    rule: str
    estimate: float | None = None
    conf_low: float | None = None
    conf_high: float | None = None
    level: float | None = None
    estimator: str = ""
    inference: str = ""
    sample: str = ""
    years_held: str = ""
    missing: str = ""
    caveat: str = ""
    published_value: str = ""

    @property
    def value(self) -> str:
        """The estimate, its unit and its interval in words; empty where nothing was estimated."""
        if self.estimate is None or self.conf_low is None or self.conf_high is None:
            return ""
        bounds = f"{signed(self.conf_low)} to {signed(self.conf_high)}"
        return f"{signed(self.estimate)} {self.unit} ({100 * (self.level or 0.95):.4g}% interval {bounds})"


@dataclass(frozen=True)
class Ledger:
    """Every entry, with what it was made from.

    Attributes
    ----------
    entries
        One per claim and outcome.
    made_by
        Library and version.
    inputs
        Committed table to its SHA-256.
    choices
        How adopters were tagged, the margin, the covariance.
    files
        What was written beside the ledger.
    attribution
        Sources and licence.
    sensitivity
        Rows of :func:`clsimpact.report.sensitivity.sensitivity_table`.
    secondary
        Rows of :func:`clsimpact.report.secondary.secondary_table`.
    figures
        File of each figure to its text alternative.

    Examples
    --------
    >>> print(Ledger((), "clsimpact", {}, {}, (), "Sources: none.").to_markdown().splitlines()[0])
    # Replication ledger
    """

    entries: tuple[Entry, ...]
    made_by: str
    inputs: Mapping[str, str]
    choices: Mapping[str, str]
    files: tuple[str, ...]
    attribution: str
    sensitivity: tuple[Mapping[str, Any], ...] = ()
    secondary: tuple[Mapping[str, Any], ...] = ()
    figures: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return the ledger as JSON, the same text for the same inputs."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    def to_markdown(self) -> str:
        """Return the ledger as a page."""
        lines = ["# Replication ledger", ""]
        lines += ["What the study claims, and what the official figures at hand can say of it.", ""]
        lines += ["| claim | outcome | estimate | verdict | why |", "|---|---|---|---|---|"]
        lines += [_row(entry) for entry in self.entries]
        estimated = [entry for entry in self.entries if entry.estimate is not None]
        lines += ["", "## What was estimated", "", *(line for entry in estimated for line in _detail(entry))]
        lines += [line for name, words in self.figures.items() for line in (_image(name, words), "")]
        lines += _moves(self.sensitivity)
        lines += _others(self.secondary)
        lines += ["## Figures that are not held, and what waits for them", ""]
        lines += _needs([entry for entry in self.entries if entry.missing])
        lines += ["", "## Choices", "", *(f"- {name}: {text}" for name, text in self.choices.items())]
        digests = (f"- `{name}`: SHA-256 `{digest}`" for name, digest in self.inputs.items())
        lines += ["", "## Inputs", "", *digests]
        lines += ["", "## Files", "", *(f"- [{name}]({name})" for name in self.files)]
        lines += ["", f"{self.attribution}", "", f"Made by {self.made_by}.", ""]
        return "\n".join(lines)


def _row(entry: Entry) -> str:
    cells = (
        entry.claim,
        f"{entry.label} (`{entry.outcome}`)",
        entry.value or "–",
        f"**{entry.verdict}**",
        entry.rule,
    )
    return f"| {' | '.join(cells)} |"


def _detail(entry: Entry) -> list[str]:
    return [
        f"### {entry.claim}: {entry.label}",
        "",
        f"- Claim: {entry.statement}",
        f"- Data: {entry.sample}; years with figures: {entry.years_held}",
        f"- Estimator: {entry.estimator}; {entry.inference}",
        f"- Estimate: {entry.value}",
        f"- Verdict: **{entry.verdict}**: {entry.rule}.",
        *([f"- Caveat: {entry.caveat}"] if entry.caveat else []),
        "",
    ]


def _image(name: str, words: str) -> str:
    return f"![{words.strip().replace('[', '(').replace(']', ')')}]({name})"


def _moves(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Show the estimate under each choice, with the number of adopters that it rests on."""
    if not rows:
        return []
    lines = ["## How the spending estimate moves with the choices", ""]
    lines += [
        "One effect after adoption in place of a path (two-way fixed effects, auto), in £ per adult.",
        "",
    ]
    lines += ["| choice | estimate | 95% interval | treated councils |", "|---|--:|--:|--:|"]
    for row in rows:
        low, high = _money(row["conf_low"]), _money(row["conf_high"])
        lines.append(
            f"| {row['choice']} | {_money(row['estimate'])} | {low} to {high} | {number(row['treated'])} |"
        )
    return [*lines, ""]


def _money(value: float | None) -> str:
    return "–" if value is None else f"{value:+.1f}"


def _others(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Write the outcomes without a claim as a section."""
    if not rows:
        return []
    lines = ["## Outcomes of which the study claims nothing", ""]
    lines += ["One effect after adoption (two-way fixed effects); no verdict.", ""]
    lines += [
        "| outcome | estimate | 95% interval | adopters | years with figures | remark |",
        "|---|--:|--:|--:|---|---|",
    ]
    for row in rows:
        unit = "percentage points" if row["unit"] == "%" else row["unit"]
        estimate = "–" if row["estimate"] is None else f"{signed(row['estimate'])} {unit}"
        interval = (
            "–" if row["conf_low"] is None else f"{signed(row['conf_low'])} to {signed(row['conf_high'])}"
        )
        cells = [row["label"], estimate, interval, str(row["treated"]), row["years_held"], row["remark"]]
        lines.append(f"| {' | '.join(cells)} |")
    return [*lines, ""]


def _needs(entries: Sequence[Entry]) -> list[str]:
    """List each missing publication once, with the claims and outcomes that wait for it."""
    waiting: dict[str, list[str]] = {}
    for entry in entries:
        waiting.setdefault(entry.missing, []).append(f"{entry.claim} `{entry.outcome}`")
    lines = [f"- {publication}. Needed by: {', '.join(who)}." for publication, who in waiting.items()]
    return lines or ["Nothing."]


def as_records(entries: Sequence[Entry]) -> list[dict[str, Any]]:
    """Return entries as plain records, for a table.

    Examples
    --------
    >>> as_records([Entry("C4", "No increase", "gce", "Spending", "£", "inconclusive", "wide")])[0]["claim"]
    'C4'
    """
    return [asdict(entry) for entry in entries]
