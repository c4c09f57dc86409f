"""The claims: an event study per outcome, the verdicts, and their sentences."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pandas as pd

from clsimpact.claims.evaluate import ClaimReport, ClaimResult, JudgedTest, evaluate_claims
from clsimpact.errors import DesignError
from clsimpact.plots.event_study import event_study_figure
from clsimpact.report._table import Table
from clsimpact.report.ledger import Row
from clsimpact.report.pieces._common import estimable, fit_of, sample_words, trace_name, years_words
from clsimpact.report.product import Product, draw
from clsimpact.report.study_data import StudyData
from clsimpact.report.words import Writer, claim_sentences, scale_of, shown_unit
from clsimpact.results import Estimate

__all__ = ["make"]


def make(data: StudyData) -> Product:
    """Estimate every outcome, judge every claim, and draw the paths of the study's outcomes."""
    product = Product()
    fits, absent = _fits(data)
    report = evaluate_claims(
        fits,
        data.study.claims,
        margins={name: margin for name, margin in data.study.margins.items() if name in fits},
        margin_share=data.study.margin_share,
        not_estimable=absent,
    )
    product.rows += [_row(result, fits.get(result.outcome), data) for result in report]
    if data.study.claims:
        product.tables.append(_table(report, data))
    product.facts["absent"] = absent
    product.facts["verdicts"] = {f"{it.claim.id}.{it.outcome}": it.verdict for it in report}
    if "event_studies" in data.study.figures:
        for outcome in data.study.outcomes:
            if outcome.name in fits:
                _draw(product, fits[outcome.name], outcome.name, data)
    return product


def _fits(data: StudyData) -> tuple[dict[str, Estimate], dict[str, str]]:
    """Estimate every outcome that can be, and say of the others why not."""
    absent = {name: why for name, why in estimable(data).items() if why}
    fits: dict[str, Estimate] = {}
    for outcome in data.outcomes():
        if outcome.name not in absent:
            try:
                fits[outcome.name] = fit_of(data, outcome.name)
            except DesignError as error:
                absent[outcome.name] = error.summary
    return fits, absent


def _row(result: ClaimResult, fit: Estimate | None, data: StudyData) -> Row:
    outcome = data.outcome(result.outcome)
    said = claim_sentences(result, outcome, data.unit_of(result.outcome), data.study.units)
    first = result.tests[0]
    sizes = [it.test for it in result.tests if it.test.rule == "equals"]
    common: dict[str, Any] = {
        "id": f"{result.claim.id}.{result.outcome}",
        "kind": "claim",
        "label": data.label_of(result.outcome),
        "text": said.text,
        "numbers": dict(said.numbers),
        "function": "clsimpact.evaluate_claims",
        "inputs": tuple(data.inputs),
        "claim": result.claim.id,
        "outcome": result.outcome,
        "unit": data.unit_of(result.outcome),
        "verdict": result.verdict,
        "rule": result.rule,
        "published": result.claim.published,
        "tolerance": sizes[0].tolerance if sizes else None,
        "tolerance_reason": sizes[0].reason if sizes else "",
    }
    row = Row(**common)
    if fit is None:
        return replace(row, missing=_missing(result.outcome, data))
    return row if first.finding is None else _with_numbers(row, first, fit, data)


def _with_numbers(row: Row, first: JudgedTest, fit: Estimate, data: StudyData) -> Row:
    """Add what the first test of a claim found, and how."""
    finding = first.finding
    if finding is None:
        return row
    return replace(
        row,
        estimate=finding.estimate,
        conf_low=finding.low,
        conf_high=finding.high,
        level=0.95,
        window=first.window,
        p_value=_known(finding.p_value),
        p_adjusted=_known(first.p_adjusted),
        margin=_known(first.margin) if first.test.needs_margin else None,
        estimator=fit.estimator,
        inference=fit.why or fit.method,
        sample=f"{sample_words(fit, data.study.units)}; {years_words(data, row.outcome)}",
        trace=trace_name(data, row.outcome),
    )


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _missing(outcome: str, data: StudyData) -> str:
    """Name the publications that hold the years which are lacking, where the panel is one of councils."""
    if not data.study.of_councils or outcome not in data.tagged:
        return ""
    from clsimpact.outcomes import EVERY_OUTCOME
    from clsimpact.publications import name_missing
    from clsimpact.report.pieces._common import held_years

    if outcome not in EVERY_OUTCOME:
        return ""
    held = held_years(data, outcome)
    years = sorted(int(year) for year in data.tagged["year"].unique())
    return name_missing(EVERY_OUTCOME[outcome].publication, [year for year in years if year not in held])


def _test_rows(result: ClaimResult, data: StudyData) -> Iterator[Mapping[str, object]]:
    """Yield a line per test; of a claim that cannot be estimated one, of its main outcome."""
    lost = result.verdict == "not estimable"
    if lost and not result.main:
        return
    factor = scale_of(data.unit_of(result.outcome)).factor
    for it in result.tests[:1] if lost else result.tests:
        found = it.finding
        ends = [math.nan] * 3 if found is None else [found.estimate, found.low, found.high]
        yield {
            "claim": result.claim.id,
            "outcome": data.label_of(result.outcome),
            "test": it.test.rule.replace("_", " "),
            "window": it.window,
            **dict(zip(("estimate", "low", "high"), (factor * end for end in ends), strict=True)),
            "unit": shown_unit(data.unit_of(result.outcome)),
            "verdict": it.judgement.verdict,
        }


def _table(report: ClaimReport, data: StudyData) -> Table:
    """Return the claims with their verdicts as a table for readers."""
    rows = [row for result in report for row in _test_rows(result, data)]
    heads = {
        "claim": "Claim", "outcome": "Outcome", "test": "Test", "window": "Window (years since adoption)",
        "estimate": "Estimate", "low": "95% interval, low", "high": "95% interval, high", "unit": "Unit",
        "verdict": "Verdict of the test",
    }  # fmt: skip
    notes = (
        "A test of a claim is judged by its interval; a claim is consistent where all its tests are.",
        "Of claims that cannot be estimated the main outcome alone is shown; the ledger has every outcome.",
    )
    return Table(
        "claims",
        f"Claims and tests: {data.study.title}",
        pd.DataFrame(rows),
        heads,
        notes,
        simulated=data.simulated,
    )


def _draw(product: Product, fit: Estimate, name: str, data: StudyData) -> None:
    """Draw the path of an outcome, with its title computed from the average after adoption."""
    outcome, unit = data.outcome(name), data.unit_of(name)
    average = fit.average().iloc[0]
    title = path_title(
        outcome.words, unit, *(float(average[key]) for key in ("estimate", "conf_low", "conf_high"))
    )
    figure = event_study_figure(fit, title=title, unit_word=data.study.units, bands=True)
    row = draw(
        product, f"path-{name}", figure, function=f"clsimpact.{fit.estimator}", inputs=tuple(data.inputs),
        outcome=name, trace=trace_name(data, name),
    )  # fmt: skip
    product.rows[-1] = replace(
        row, estimator=fit.estimator, inference=fit.why or fit.method, level=fit.level, unit=unit,
        estimate=float(average["estimate"]), conf_low=_known(float(average["conf_low"])),
        conf_high=_known(float(average["conf_high"])), window="all event times after adoption",
    )  # fmt: skip


def path_title(words: str, unit: str, estimate: float, low: float, high: float) -> str:
    """State the average effect after adoption: its size if the interval excludes zero, else the interval.

    Examples
    --------
    >>> path_title("spending per adult", "£ per adult", 17.8, -22.4, 58.1)
    'Spending per adult after adoption: average effect between −£22.4 and +£58.1'
    >>> path_title("spending per adult", "£ per adult", -30.2, -41.0, -19.4)
    'Spending per adult £30.2 lower on average after adoption (95% interval −£41 to −£19.4)'
    """
    pen = Writer(scale_of(unit))
    head = f"{words[0].upper()}{words[1:]}"
    if math.isnan(low):
        return f"{head} after adoption: {pen.signed(estimate)} on average, without an interval"
    ends = pen.bare(low, sign=True), pen.bare(high, sign=True)
    after = pen.scale.after
    if low > 0 or high < 0:
        way = "higher" if low > 0 else "lower"
        span = f"(95% interval {ends[0]} to {ends[1]})"
        return f"{head} {pen.size(estimate)} {way} on average after adoption {span}"
    return f"{head} after adoption: average effect between {ends[0]} and {ends[1]}{after}"
