"""What the checks of one analysis say together: in a terminal, in Jupyter, as values, and as a page."""

from __future__ import annotations

import html
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from clsimpact._check import number
from clsimpact._display import card, folded, grid, pairs
from clsimpact.diagnostics.result import VERDICTS, CheckResult
from clsimpact.errors import DesignError, did_you_mean

__all__ = ["CheckReport", "result_html"]

WIDTH = 100
"""Characters of a line in a terminal."""

_HEADS = {
    "does not hold": "What does not hold",
    "cannot tell": "What cannot be told from these data",
    "holds": "What was tested and holds",
}


_SEVERAL = {"does not hold": "do not hold", "holds": "hold"}


@dataclass(frozen=True, eq=False, repr=False)
class CheckReport:
    """What the checks of a design or of a result say.

    Attributes
    ----------
    subject : str
        What was checked.
    simulated : bool
        Whether the data are made up.
    items : tuple of (str, str)
        Facts of the sample: level (``"info"``, ``"advice"``, ``"warning"``) and text.
    results : tuple of CheckResult
        In the order of :func:`clsimpact.checks`.
    data_source : str
        Where the data come from.

    Examples
    --------
    >>> from clsimpact.datasets import example_design
    >>> report = example_design().check(["comparison_weights", "precision"])
    >>> [result.name for result in report]
    ['comparison_weights', 'precision']
    >>> report["precision"].title
    'Precision'
    """

    subject: str
    simulated: bool
    items: tuple[tuple[str, str], ...]
    results: tuple[CheckResult, ...]
    data_source: str = ""

    def __iter__(self) -> Iterator[CheckResult]:
        return iter(self.results)

    def __len__(self) -> int:
        return len(self.results)

    def __getitem__(self, name: str) -> CheckResult:
        for result in self.results:
            if result.name == name:
                return result
        names = [result.name for result in self.results]
        raise DesignError(
            f"{name!r} was not run{did_you_mean(str(name), names)}.", names, repair="Run it: fit.check(name)."
        )

    def tidy(self) -> pd.DataFrame:
        """One row per check: ``name, title, verdict, finding, advice, source``.

        Examples
        --------
        >>> from clsimpact.datasets import example_design
        >>> example_design().check("precision").tidy()["name"].tolist()
        ['precision']
        """
        rows = [
            {
                "name": result.name,
                "title": result.title,
                "verdict": result.verdict,
                "finding": result.finding,
                "advice": "; ".join(item.text for item in result.advice),
                "source": result.source,
            }
            for result in self.results
        ]
        return pd.DataFrame(rows, columns=["name", "title", "verdict", "finding", "advice", "source"])

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the figures as plain values that JSON can hold.

        Examples
        --------
        >>> import json
        >>> from clsimpact.datasets import example_design
        >>> len(json.dumps(example_design().check("precision").to_dict(), allow_nan=False)) > 100
        True
        """
        return {
            "subject": self.subject,
            "simulated": self.simulated,
            "sample": [{"level": level, "text": text} for level, text in self.items],
            "checks": [result.to_dict() for result in self.results],
        }

    def to_markdown(self) -> str:
        r"""Return the page *How this analysis could be wrong*: verdict by verdict, the worst first.

        Every sentence of it comes from the checks that were run.

        Examples
        --------
        >>> from clsimpact.datasets import example_design
        >>> print(example_design().check("precision").to_markdown().split("\n")[0])
        # How this analysis could be wrong
        """
        return "\n".join(_page(self)) + "\n"

    def __str__(self) -> str:
        mark = "SIMULATED: " if self.simulated else ""
        lines = [f"{mark}Checks of the {self.subject}", *_facts(self)]
        for result in self.results:
            lines += ["", *_lines(result)]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return card(
            f"<p><strong>{html.escape(f'Checks of the {self.subject}: {_count(self)}.')}</strong></p>",
            "".join(result_html(result) for result in self.results),
            folded("Sample", pairs(self.items) if self.items else ""),
            simulated=self.simulated,
            source=self.data_source,
        )


def result_html(result: CheckResult) -> str:
    """Return one result as HTML: the verdict and finding, details folded."""
    advice = "".join(
        f"<li>{html.escape(item.text)}<pre><code>{html.escape(item.code)}</code></pre></li>"
        for item in result.advice
    )
    numbers = grid(
        f"{result.title}: numbers",
        [],
        [(name.replace("_", " "), _shown(value)) for name, value in result.numbers.items()],
        align="lr",
    )
    table = numbers if result.numbers else ""
    listed = f"<p>What to do</p><ul>{advice}</ul>" if advice else ""
    return (
        f"<details><summary><strong>{html.escape(result.verdict)}</strong> – {html.escape(result.title)}: "
        f"{html.escape(result.finding)}</summary>"
        f"<p>{html.escape(result.question)} {html.escape(result.threat)}</p>"
        f"{listed}{table}<p>Method: {html.escape(result.source)}</p></details>"
    )


def _shown(value: object) -> str:
    return number(value) if isinstance(value, float) else "not available" if value is None else str(value)


def _count(report: CheckReport) -> str:
    counts = [(verdict, sum(result.verdict == verdict for result in report)) for verdict in VERDICTS]
    said = [f"{n} {verdict if n == 1 else _SEVERAL.get(verdict, verdict)}" for verdict, n in counts if n]
    return ", ".join(said) or "no checks were run"


def _facts(report: CheckReport) -> list[str]:
    lines: list[str] = []
    for level, text in report.items:
        lines += _wrapped(f"{level:<8} {text}", "  ", " " * 11)
    return lines


def _lines(result: CheckResult) -> list[str]:
    lines = [f"{result.verdict.upper()}: {result.title} ({result.name})"]
    lines += _wrapped(result.finding, "  ", "  ")
    for item in result.advice:
        lines += [*_wrapped(f"-> {item.text}", "  ", "     "), f"     {item.code}"]
    return lines


def _wrapped(text: str, first: str, later: str) -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=first,
        subsequent_indent=later,
        break_long_words=False,
        break_on_hyphens=False,
    )


_MARKS = re.compile(r"([\\`*\[\]|~])|((?<!\w)_|_(?!\w))")
"""Characters that Markdown reads; an underscore within a word is only an underscore."""


def _escaped(text: str) -> str:
    r"""Return a text on one line that Markdown and HTML show as it is.

    Examples
    --------
    >>> _escaped("<b> *a* of gce_per_adult & [x](y)")
    '&lt;b&gt; \\*a\\* of gce_per_adult &amp; \\[x\\](y)'
    """
    return _MARKS.sub(r"\\\g<0>", html.escape(" ".join(text.split()), quote=False))


def _fence(code: str) -> str:
    """Return a fence that the code itself does not close."""
    longest = max((len(run) for run in re.findall("`+", code)), default=0)
    return "`" * max(3, longest + 1)


def _page(report: CheckReport) -> Iterator[str]:
    yield "# How this analysis could be wrong"
    yield ""
    if report.simulated:
        yield "**SIMULATED: the data behind this page are made up.**"
        yield ""
    subject = _escaped(report.subject)
    yield f"Written from the checks of the {subject}: {_count(report)}. *Holds* means that a fault"
    yield "that matters is ruled out, or that a limit that the check states is kept; *cannot tell* that"
    yield "neither can be said."
    yield ""
    for verdict in VERDICTS:
        mine = [result for result in report if result.verdict == verdict]
        if not mine:
            continue
        yield f"## {_HEADS[verdict]}"
        yield ""
        for result in mine:
            yield from _section(result)
    facts = [text for level, text in report.items if level == "warning"]
    if facts:
        yield "## Warnings about the sample"
        yield ""
        yield from (f"- {_escaped(text)}" for text in facts)


def _section(result: CheckResult) -> Iterator[str]:
    yield f"### {result.title} (`{result.name}`)"
    yield ""
    yield f"{result.question} {result.threat}"
    yield ""
    yield f"**{result.verdict.capitalize()}.** {_escaped(result.finding)}"
    yield ""
    for item in result.advice:
        fence = _fence(item.code)
        yield f"- {_escaped(item.text)}"
        yield ""
        yield f"  {fence}python"
        yield from (f"  {line}" for line in item.code.splitlines())
        yield f"  {fence}"
        yield ""
    yield f"Method: {result.source}."
    yield ""
