"""The replication ledger: a row for every claim, figure, table, check and number of a report."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from importlib import resources
from typing import Any, Final, Literal

import numpy as np
import pandas as pd

from clsimpact._display import card, folded, grid, pairs
from clsimpact._printable import printable
from clsimpact.claims.rules import signed
from clsimpact.errors import ClsimpactError

__all__ = ["Ledger", "Row", "ledger_schema"]

Kind = Literal["claim", "number", "figure", "table", "check", "setting"]


@dataclass(frozen=True)
class Row:
    """One line of the ledger.

    Attributes
    ----------
    id
        Unique in a report: what the page links to.
    kind
        What it is.
    label
        What it is, in words.
    text
        As the report prints it.
    function
        What made it.
    inputs
        Which of the ledger's inputs it was made from.
    claim, outcome
        Which claim and outcome it belongs to.
    estimate, conf_low, conf_high, level, unit, window
        In the unit of the outcome; ``None`` where nothing was estimated.
    p_value, p_adjusted, margin
        Of the claim's main test.
    estimator, inference, sample
        How, and on what.
    published, tolerance, tolerance_reason
        A published size, how far from it still counts as met, and why so far.
    verdict, rule
        And the rule that led to it.
    numbers
        Each number of the text to its value.
    step
        The step of the run that made it; ``run.json`` says how long that took.
    files
        Written beside the ledger.
    trace
        File with the cells of the publications that it was computed from.
    missing
        Publications that would have to be held.

    Examples
    --------
    >>> Row("n", "number", "councils", "143", "len").value
    ''
    >>> Row("c", "claim", "Spending", "", "f", estimate=1.0, conf_low=-2.0, conf_high=4.0, unit="£").value
    '+1 £ (95% interval -2 to +4)'
    """

    id: str
    kind: Kind
    label: str
    text: str
    function: str
    inputs: tuple[str, ...] = ()
    claim: str = ""
    outcome: str = ""
    estimate: float | None = None
    conf_low: float | None = None
    conf_high: float | None = None
    level: float | None = None
    unit: str = ""
    window: str = ""
    p_value: float | None = None
    p_adjusted: float | None = None
    margin: float | None = None
    estimator: str = ""
    inference: str = ""
    sample: str = ""
    published: str = ""
    tolerance: float | None = None
    tolerance_reason: str = ""
    verdict: str = ""
    rule: str = ""
    numbers: Mapping[str, float] = field(default_factory=dict)
    step: str = ""
    files: tuple[str, ...] = ()
    trace: str = ""
    missing: str = ""

    @property
    def value(self) -> str:
        """The estimate, its unit and its interval in words; empty where nothing was estimated."""
        if self.estimate is None or self.conf_low is None or self.conf_high is None:
            return ""
        bounds = f"{signed(self.conf_low)} to {signed(self.conf_high)}"
        size = f"{signed(self.estimate)} {self.unit}".strip()
        return f"{size} ({100 * (self.level or 0.95):.4g}% interval {bounds})"

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> Row:
        """Make a row of what :func:`dataclasses.asdict` and JSON have made of one.

        Examples
        --------
        >>> words = {"id": "n", "kind": "number", "label": "", "text": "5", "function": "f"}
        >>> Row.read({**words, "files": ["a.csv"]}).files
        ('a.csv',)
        """
        made = dict(values)
        for name in ("inputs", "files"):
            made[name] = tuple(made.get(name, ()))
        return cls(**made)


@dataclass(frozen=True)
class Ledger:
    """Every row, and what they were made from. Two runs on the same inputs give the same bytes.

    Attributes
    ----------
    title
        Of the study.
    simulated
        Whether the data are made up.
    rows
        One per claim and outcome, figure, table, check, number and setting.
    inputs
        What was read to its SHA-256.
    versions
        Of the library, Python and what numbers depend on.
    choices
        What was decided, in words.
    files
        What was written beside the ledger.
    attribution
        Sources and licence.

    Raises
    ------
    ClsimpactError
        If two rows have one id, or a row names an input that is none.

    Examples
    --------
    >>> print(Ledger("A study", False, (), {}, {}, {}, (), "Sources: none.").to_markdown().splitlines()[0])
    # Replication ledger: A study
    """

    title: str
    simulated: bool
    rows: tuple[Row, ...]
    inputs: Mapping[str, str]
    versions: Mapping[str, str]
    choices: Mapping[str, str]
    files: tuple[str, ...]
    attribution: str

    def __post_init__(self) -> None:
        twice = [name for name, count in Counter(row.id for row in self.rows).items() if count > 1]
        unknown = {name for row in self.rows for name in row.inputs if name not in self.inputs}
        problems = [f"two rows are called {name!r}" for name in sorted(twice)]
        problems += [f"no input is called {name!r}" for name in sorted(unknown)]
        if problems:
            raise ClsimpactError(
                "The ledger does not hold together.",
                problems,
                repair="Give rows names of their own, and name their inputs.",
            )

    def __getitem__(self, name: str) -> Row:
        """Return the row of an id, or raise KeyError."""
        for row in self.rows:
            if row.id == name:
                return row
        raise KeyError(name)

    def of_kind(self, kind: Kind) -> Iterator[Row]:
        """Yield the rows of a kind.

        Examples
        --------
        >>> list(Ledger("A study", False, (), {}, {}, {}, (), "").of_kind("claim"))
        []
        """
        return (row for row in self.rows if row.kind == kind)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as in the JSON file; the schema is :func:`ledger_schema`.

        Examples
        --------
        >>> Ledger("A study", False, (), {}, {}, {}, (), "").to_dict()["title"]
        'A study'
        """
        made = _plain(asdict(self))
        return {"made_up": "SIMULATED: every figure is made up", **made} if self.simulated else made

    def to_json(self) -> str:
        """Return the ledger as JSON, the same text for the same inputs.

        Examples
        --------
        >>> Ledger("A study", False, (), {}, {}, {}, (), "").to_json().splitlines()[1]
        ' "title": "A study",'
        """
        return json.dumps(self.to_dict(), indent=1, ensure_ascii=False, allow_nan=False) + "\n"

    def tidy(self) -> pd.DataFrame:
        """Return a frame with a row per row; lists are joined, numbers in texts left out.

        Examples
        --------
        >>> len(Ledger("A study", False, (), {}, {}, {}, (), "").tidy())
        0
        """
        names = [it.name for it in fields(Row) if it.name != "numbers"]
        rows = [{name: _joined(getattr(row, name)) for name in names} for row in self.rows]
        return pd.DataFrame(rows, columns=names)

    def _repr_html_(self) -> str:
        heads = ("Claim", "Outcome", "Estimate", "Verdict", "Why")
        claims = [(row.claim, row.label, row.value, row.verdict, row.rule) for row in self.of_kind("claim")]
        others = [(r.id, r.label, r.text[:200], r.function) for r in self.rows if r.kind != "claim"]
        counts = Counter(row.kind for row in self.rows)
        tally = ", ".join(f"{count} of kind {kind}" for kind, count in counts.items()) or "no rows"
        head = ("Id", "What", "Text", "Made by")
        inputs = [(name, f"SHA-256 {digest}") for name, digest in self.inputs.items()]
        title = f"Replication ledger: {self.title} ({tally})"
        return card(
            grid(title, heads, claims, align="lllll"),
            folded("Figures, tables, checks and numbers", grid("", head, others, align="llll")),
            folded("Choices", pairs(self.choices.items())),
            folded("Inputs and versions", pairs([*inputs, *self.versions.items()])),
            simulated=self.simulated,
            source=self.attribution,
        )

    def to_markdown(self) -> str:
        """Return the ledger as a page.

        Examples
        --------
        >>> Ledger("A study", False, (), {}, {}, {}, (), "").to_markdown().splitlines()[0]
        '# Replication ledger: A study'
        """
        mark = "SIMULATED: " if self.simulated else ""
        lines = [f"# {mark}Replication ledger: {_said(self.title)}", ""]
        lines += ["What is claimed, and what the figures at hand can say of it.", ""]
        lines += ["| claim | outcome | estimate | verdict | why |", "|---|---|---|---|---|"]
        lines += [_claim_line(row) for row in self.of_kind("claim")]
        lines += ["", "## What was estimated", ""]
        lines += [line for row in self.of_kind("claim") if row.estimate is not None for line in _detail(row)]
        lines += ["## Figures that are not held, and what waits for them", "", *_needs(self.of_kind("claim"))]
        lines += ["", "## Figures, tables, checks and numbers", ""]
        lines += ["| id | what | text | made by | step |", "|---|---|---|---|---|"]
        lines += [_other_line(row) for row in self.rows if row.kind != "claim"]
        lines += ["", "## Choices", "", *(f"- {_said(n)}: {_said(text)}" for n, text in self.choices.items())]
        lines += ["", "## Inputs", "", *(f"- {_code(n)}: SHA-256 `{d}`" for n, d in self.inputs.items())]
        lines += ["", "## Versions", "", *(f"- {name} {text}" for name, text in self.versions.items())]
        lines += ["", "## Files", "", *(f"- [{_said(name)}](<{name}>)" for name in self.files)]
        return "\n".join([*lines, "", _said(self.attribution), ""])


def _plain(value: Any) -> Any:
    """Return values that JSON can hold: a missing number is null."""
    if isinstance(value, Mapping):
        return {str(key): _plain(it) for key, it in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(it) for it in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _joined(value: object) -> object:
    return "; ".join(map(str, value)) if isinstance(value, tuple) else value


def _said(text: str) -> str:
    """Return text as one line of Markdown that is no HTML, no link and no picture."""
    line = " ".join(printable(text).split())
    return line.replace("&", "&amp;").replace("<", "&lt;").replace("](", "]\\(").replace("![", "!\\[")


def _code(text: str) -> str:
    """Return text as code of Markdown."""
    return f"`{' '.join(printable(text).replace('`', chr(39)).split())}`"


def _cell(text: str) -> str:
    return _said(text).replace("|", "\\|") or "–"


def _claim_line(row: Row) -> str:
    outcome = f"{_cell(row.label)} ({_code(row.outcome).replace('|', chr(92) + '|')})"
    cells = (_cell(row.claim), outcome, _cell(row.value), f"**{_cell(row.verdict)}**", _cell(row.rule))
    return f"| {' | '.join(cells)} |"


def _other_line(row: Row) -> str:
    cells = (f"`{row.id}`", row.label, row.text[:300], f"`{row.function}`", row.step)
    return f"| {' | '.join(_cell(cell) for cell in cells)} |"


def _detail(row: Row) -> list[str]:
    lines = [
        f"### {_said(row.claim)}: {_said(row.label)}",
        "",
        f"- Found: {_said(row.text)}",
        f"- Data: {_said(row.sample)}; every cell: [{row.trace}](<{row.trace}>)"
        if row.trace
        else f"- Data: {_said(row.sample)}",
        f"- Estimator: {row.estimator}; {_said(row.inference)}",
        f"- Estimate over {row.window}: {_said(row.value)}",
        f"- Verdict: **{row.verdict}**: {_said(row.rule)}.",
    ]
    if row.published:
        reason = _said(row.tolerance_reason)
        lines.append(f"- Published: {_said(row.published)}; tolerance {row.tolerance}: {reason}.")
    return [*lines, ""]


def _needs(rows: Iterable[Row]) -> list[str]:
    """List each missing publication once, with the claims and outcomes that wait for it."""
    waiting: dict[str, list[str]] = {}
    for row in rows:
        if row.missing:
            waiting.setdefault(row.missing, []).append(f"{_said(row.claim)} {_code(row.outcome)}")
    return [f"- {_said(what)}. Needed by: {', '.join(who)}." for what, who in waiting.items()] or ["Nothing."]


_SCHEMA: Final = "ledger-schema.json"


def ledger_schema() -> dict[str, Any]:
    """Return the JSON schema of a ledger (draft 2020-12).

    Examples
    --------
    >>> ledger_schema()["title"]
    'Replication ledger of clsimpact'
    """
    text = (resources.files("clsimpact") / "data" / _SCHEMA).read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema
