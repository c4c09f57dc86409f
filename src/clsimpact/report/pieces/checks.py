"""What the main estimate rests on: every check, with its figure."""

from __future__ import annotations

import json

from clsimpact.claims.evaluate import comparison_mean
from clsimpact.diagnostics.report import CheckReport
from clsimpact.diagnostics.result import CheckResult
from clsimpact.errors import ClsimpactError
from clsimpact.report.ledger import Row
from clsimpact.report.pieces._common import fit_of, main_outcome, trace_name
from clsimpact.report.product import Product, draw
from clsimpact.report.study_data import StudyData
from clsimpact.store import csv_bytes

__all__ = ["PAGE", "make", "run_checks"]

PAGE = "how-this-could-be-wrong.md"
"""Name of the page, here and in docs/."""
_FUNCTION = "clsimpact.results.Estimate.check"


def make(data: StudyData) -> Product:
    """Run the study's checks on its main outcome."""
    product = Product()
    name = main_outcome(data)
    if name is None or data.study.checks == ():
        return product
    found = run_checks(data, name)
    product.files[PAGE] = found.to_markdown().encode()
    values = json.dumps(found.to_dict(), indent=1, ensure_ascii=False, allow_nan=False)
    product.files["checks.json"] = f"{values}\n".encode()
    product.files["tables/checks.csv"] = csv_bytes(found.tidy())
    product.facts["outcome"] = name
    product.facts["checks"] = [_facts(result) for result in found]
    for result in found:
        product.rows += _rows(result, name, tuple(data.inputs))
        if result.found.draw is not None:
            _draw(product, result, name, data)
    return product


def run_checks(data: StudyData, outcome: str) -> CheckReport:
    """Run the study's checks on an outcome, with the margin that the study states for it."""
    fit = fit_of(data, outcome)
    margin = data.study.margins.get(outcome) or data.study.margin_share * comparison_mean(fit) or None
    return fit.check(
        data.study.checks, data=data.panel, adoption=data.adoption, margin=margin, seed=data.study.seed
    )


def _rows(result: CheckResult, outcome: str, inputs: tuple[str, ...]) -> list[Row]:
    """Return the row of a check, and one for each piece of advice."""
    numbers = {key: float(it) for key, it in result.numbers.items() if isinstance(it, int | float)}
    about = f"what to do about {result.name.replace('_', ' ')}"
    check = Row(
        f"check-{result.name}", "check", result.question, result.finding, _FUNCTION, inputs,
        outcome=outcome, verdict=result.verdict, rule=result.source, numbers=numbers,
    )  # fmt: skip
    advice = [
        Row(f"advice-{result.name}-{place}", "check", about, it.text, _FUNCTION, inputs, outcome=outcome,
            rule=it.code)
        for place, it in enumerate(result.advice, start=1)
    ]  # fmt: skip
    return [check, *advice]


def _draw(product: Product, result: CheckResult, outcome: str, data: StudyData) -> None:
    """Draw what a check found, where there is enough to draw."""
    try:
        figure = result.plot()
    except ClsimpactError:
        return
    draw(product, f"check-{result.name}", figure, function=_FUNCTION, inputs=tuple(data.inputs),
         outcome=outcome, verdict=result.verdict, trace=trace_name(data, outcome))  # fmt: skip


def _facts(made: CheckResult) -> dict[str, object]:
    """Return what the page says of a check."""
    return {
        "name": made.name,
        "title": made.title,
        "question": made.question,
        "verdict": made.verdict,
        "finding": made.finding,
        "source": made.source,
        "advice": [{"text": it.text, "code": it.code} for it in made.advice],
    }
