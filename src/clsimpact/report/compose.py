"""From what the steps made to a document: which sections there are, and what they say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from clsimpact.report.collect import VERDICTS
from clsimpact.report.document import (
    Block,
    Code,
    Document,
    FigureBlock,
    Folded,
    Heading,
    Items,
    Paragraph,
    Run,
    TableBlock,
    paragraph,
)
from clsimpact.report.ledger import Ledger, Row
from clsimpact.report.methods import method_blocks
from clsimpact.report.product import Drawn, Product
from clsimpact.report.provenance import provenance_blocks
from clsimpact.report.study import Study

__all__ = ["compose"]


class _Parts:
    """What the steps made, by id."""

    def __init__(self, products: Mapping[str, Product], ledger: Ledger, study: Study) -> None:
        self.ledger, self.study = ledger, study
        self.figures: dict[str, Drawn] = {
            it.id: it for product in products.values() for it in product.figures
        }
        self.tables = {it.id: it for product in products.values() for it in product.tables}
        self.facts = {name: product.facts for name, product in products.items()}

    def say(self, text: str, style: str = "plain") -> Paragraph:
        """Make a paragraph whose numbers are rows of the ledger."""
        return paragraph(text, self.ledger, style)

    def figure(self, *names: str) -> list[Block]:
        """Return the figures that there are."""
        return [FigureBlock(self.figures[name]) for name in names if name in self.figures]

    def table(self, *names: str) -> list[Block]:
        """Return the tables that there are."""
        return [TableBlock(self.tables[name]) for name in names if name in self.tables]


def compose(
    study: Study, products: Mapping[str, Product], ledger: Ledger, sources: Sequence[Mapping[str, Any]]
) -> Document:
    """Put a report together.

    Parameters
    ----------
    study
        What was asked.
    products
        Step to what it made.
    ledger
        Rows of all steps.
    sources
        The publications behind the panel.

    Returns
    -------
    Document
        Sections in the order of the argument: in short, claims, outcomes, adopters, choices, checks, data,
        methods, provenance.

    Raises
    ------
    ClsimpactError
        If the text holds a number that is not in the ledger.
    """
    parts = _Parts(products, ledger, study)
    blocks: list[Block] = [
        *_summary(parts),
        *_claims(parts),
        *_truth(parts),
        *_outcomes(parts),
        *_adopters(parts),
        *_services(parts),
        *_choices(parts),
        *_checks(parts),
        *_data(parts),
        *method_blocks(parts.study, ledger),
        *provenance_blocks(ledger, sources, parts.facts.get("records", {})),
    ]
    return Document(study.title, study.question, ledger.simulated, tuple(blocks), ledger)


def _rows(ledger: Ledger, *, main: bool) -> list[Row]:
    """Return the rows of claims: of each claim's main outcome, or of the others."""
    seen: set[str] = set()
    found = []
    for row in ledger.of_kind("claim"):
        if (row.claim not in seen) == main:
            found.append(row)
        seen.add(row.claim)
    return found


def _summary(parts: _Parts) -> list[Block]:
    ledger, study = parts.ledger, parts.study
    blocks: list[Block] = [Heading("In short", "summary")]
    if ledger.simulated:
        words = (
            "Everything here is SIMULATED: returns, adopters and effects were made up, and nothing is "
            "about any real council."
        )
        blocks.append(Paragraph((Run(words, strong=True),), "warning"))
    blocks.append(
        parts.say(
            f"{{{{number-adopters}}}} {study.units} with a usable date of adoption are compared with "
            f"{{{{number-comparison}}}} {study.units} not known to have adopted.",
            "lead",
        )
    )
    blocks.append(Items(tuple(_claim_item(row, ledger) for row in _rows(ledger, main=True))))
    if parts.facts.get("checks", {}).get("checks"):
        blocks.append(_check_count(parts))
    return blocks


def _claim_item(row: Row, ledger: Ledger) -> Paragraph:
    statement = ledger[f"statement-{row.claim}"].text
    return Paragraph(
        (
            Run(f"{row.claim}. ", row=f"statement-{row.claim}", strong=True),
            Run(f"{statement}. ", row=f"statement-{row.claim}", strong=True),
            Run(f"Verdict: {row.verdict}. ", strong=True),
            Run(row.text, row=row.id),
        )
    )


def _missing(ledger: Ledger) -> list[Block]:
    """Say once for each publication that is not held which outcomes wait for it."""
    waiting: dict[str, dict[str, str]] = {}
    for row in ledger.of_kind("claim"):
        if row.missing:
            waiting.setdefault(row.missing, {}).setdefault(row.label, row.id)
    if not waiting:
        return []
    items = []
    for missing, labels in waiting.items():
        first = next(iter(labels.values()))
        runs = [Run(f"{missing}.", row=first), Run(" Needed for: ")]
        for place, (label, name) in enumerate(labels.items()):
            runs += [Run("; " if place else ""), Run(label, row=name)]
        items.append(Paragraph((*runs, Run("."))))
    head = Paragraph((Run("Publications that would have to be held:", strong=True),))
    return [head, Items(tuple(items))]


def _check_count(parts: _Parts) -> Paragraph:
    counts = {verdict: f"number-checks-{verdict.replace(' ', '-')}" for verdict in VERDICTS}
    return parts.say(
        f"Of the checks of what the main estimate rests on, {{{{{counts['holds']}}}}} hold, "
        f"{{{{{counts['does not hold']}}}}} do not hold, and {{{{{counts['cannot tell']}}}}} cannot tell."
    )


def _claims(parts: _Parts) -> list[Block]:
    others = [row for row in _rows(parts.ledger, main=False) if row.verdict != "not estimable"]
    blocks: list[Block] = [Heading("The claims", "claims")]
    blocks.append(
        parts.say(
            "Each claim is declared as tests on the path of effects before the results are looked at. A "
            "verdict follows from intervals: consistent, not consistent, inconclusive, or not estimable. "
            "The main tests of the claims are corrected for their number by Holm's method; other "
            "definitions of an outcome are judged on their own."
        )
    )
    blocks += parts.table("claims")
    if others:
        blocks += [
            Folded(
                "Other outcomes and definitions",
                (Items(tuple(_claim_item(row, parts.ledger) for row in others)),),
            )
        ]
    return blocks


def _truth(parts: _Parts) -> list[Block]:
    if "truth" not in parts.tables:
        return []
    words = (
        "The data were made up with a known effect. This is what was put in beside what was found. "
        "{{number-inside}}"
    )
    return [
        Heading("What was put in", "truth"),
        parts.say(words),
        *parts.figure(*(name for name in parts.figures if name.startswith("truth-"))),
        *parts.table("truth"),
        Folded("Every point of the paths", tuple(parts.table("truth-path"))),
    ]


def _outcomes(parts: _Parts) -> list[Block]:
    paths = [name for it in parts.study.outcomes for name in (f"path-{it.name}", f"trends-{it.name}")]
    blocks = parts.figure(*paths)
    if not blocks:
        return []
    words = (
        "Bars are intervals for each point; thin lines, where there are any, hold for all points "
        "together. Under the axis stands how many adopters are behind a point."
    )
    return [Heading("What happened to each outcome", "outcomes"), parts.say(words), *blocks]


def _adopters(parts: _Parts) -> list[Block]:
    facts = parts.facts.get("adoption", {})
    blocks: list[Block] = [Heading("Who adopted", "adopters")]
    if facts.get("caution"):
        blocks.append(Paragraph((Run(facts["caution"], row="setting-choices"),), "note"))
    return [*blocks, *parts.figure("adoption", "map"), *parts.table("adoption")]


def _services(parts: _Parts) -> list[Block]:
    blocks = parts.figure("front-door", "spending-types")
    if not blocks:
        return []
    words = (
        "These figures describe; they are not estimates of an effect. A fall in funded care is not by "
        "itself good or bad: the returns say nothing of how people fared who were turned elsewhere."
    )
    return [Heading("The front door, and what money is spent on", "services"), parts.say(words), *blocks]


def _choices(parts: _Parts) -> list[Block]:
    names = [f"estimators-{it.name}" for it in parts.study.outcomes]
    blocks: list[Block] = [*parts.figure(*names, "choices", "curve")]
    if "number-curve" in {row.id for row in parts.ledger.rows}:
        blocks.append(Paragraph((Run(parts.ledger["number-curve"].text, row="number-curve"),)))
    blocks += parts.table("estimators", "choices", "secondary")
    return [Heading("How much do the choices matter?", "choices"), *blocks] if blocks else []


def _checks(parts: _Parts) -> list[Block]:
    found = parts.facts.get("checks", {}).get("checks", [])
    if not found:
        return []
    words = (
        "Every threat to the main estimate is a check with a verdict. Holds: a fault that matters would "
        "have been seen, and was not. Cannot tell: data, power or a margin are lacking."
    )
    blocks: list[Block] = [Heading("How this could be wrong", "wrong"), parts.say(words)]
    for verdict in VERDICTS:
        chosen = [it for it in found if it["verdict"] == verdict]
        if chosen:
            blocks.append(
                Heading(f"{verdict[0].upper()}{verdict[1:]}", f"checks-{verdict.replace(' ', '-')}", 3)
            )
            blocks += [Folded(it["title"], tuple(_check(it, parts))) for it in chosen]
    return blocks


def _check(fact: Mapping[str, Any], parts: _Parts) -> list[Block]:
    row = f"check-{fact['name']}"
    blocks: list[Block] = [
        Paragraph((Run(fact["question"], row=row, strong=True),)),
        Paragraph((Run(fact["finding"], row=row),)),
        *parts.figure(row),
    ]
    for place, advice in enumerate(fact["advice"], start=1):
        told = Run(advice["text"], row=f"advice-{fact['name']}-{place}")
        blocks.append(Paragraph((Run("What to do: ", strong=True), told)))
        if advice["code"]:
            blocks.append(Code(advice["code"]))
    return [*blocks, Paragraph((Run("Method: "), Run(fact["source"], row=row)), "note")]


def _data(parts: _Parts) -> list[Block]:
    blocks: list[Block] = [
        Heading("The data", "data"),
        *parts.table("coverage"),
        *_missing(parts.ledger),
        *parts.table("agreement", "quality"),
    ]
    ids = {row.id for row in parts.ledger.rows}
    if "number-compared" in ids:
        words = (
            "{{number-compared}} comparisons of figures with each other were made; {{number-differ}} "
            "differ without an explanation."
        )
        blocks.insert(1, parts.say(words))
    return blocks
