"""What became of the mutants, as docs/mutation.md and a table docs/mutation.csv."""

from __future__ import annotations

import argparse
import platform
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
from mutation_mutants import Mutant
from mutation_runner import CASES, EXAMPLES, SECONDS, TIMES
from scipy.stats import binomtest

from clsimpact import __version__
from clsimpact.store import write_csv

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "clsimpact"
REASONS = ROOT / "tests" / "mutation_reasons.toml"
OUTCOMES = ("killed", "timed out", "survived", "not covered")
COLUMNS = [
    "name",
    "module",
    "function",
    "line",
    "kind",
    "before",
    "after",
    "outcome",
    "by",
    "tests",
    "reason",
]

LETTERS = "capitals, or letters around a text: tests hold what it says, not each letter"

_HEAD = """# Mutation testing

Would a test notice if the code were wrong? The estimators, the inference, outcomes, treatment and the panel
are changed, one small change at a time (a *mutant*): another operator or comparison, another number or text,
an argument left out or `None`, an assignment of `None`. A mutant is *killed* when a test fails, and *timed
out* when a test takes more than {slack} seconds and {times} times as long as it should; both count as
noticed. One that no test notices has *survived*; one whose statement none of the tests runs is *not covered*.
Neither counts as noticed.

Made by `make mutation ARGS='{asked}'`
({date}; clsimpact {version}, Python {python}, mutmut {mutmut}, numpy {numpy}, pandas {pandas}).
Every mutant that was run is in [mutation.csv](mutation.csv).

"""

_HOW = """
## How

- The changes are those of [mutmut](https://pypi.org/project/mutmut/), in every function and method. mutmut
  itself leaves decorated functions out, and much of this library computes in cached properties:
  `tools/mutation_runner.py` exchanges the code of one function in a forked process instead, so that
  properties are mutated as well. (Of outcomes, whose functions run while they are imported, the changed
  module is run again.) Not mutated: what stands outside of functions (constants, fields of data
  classes), type annotations, calls of `len` and `isinstance`, and defaults of parameters that are neither a
  number, a text nor a name.
- The tests are those of estimators and inference, of the mutated files and of what lies next to them, and the
  examples in docstrings: {tests:,} tests, each of which takes less than {longest} s of CPU time. Slower ones
  are left out, and so are those of the report, the checks, the command line and the documents: they could
  only kill more.
- A mutant meets only tests that run the changed statement, those named like its file first and then the
  quickest of each file, until one fails or {budget:.0f} s of tests have passed. Of the sets of parameters
  of a test at most {cases} are used, and Hypothesis draws the same {examples} examples every time.
- {run_whole:,} that no test noticed were run again, each in a copy of the library, with whole files of tests
  and without these limits (`--whole` does so with every file that reaches the change).
- *Words* are what stands in an error, a warning, an f-string or a text with blanks. *Code* is everything
  else: it computes, or names a column, an option or a parameter.
- `make mutation ARGS='--share 0.02 --seed 2'` draws others. A larger share of the same seed holds the
  smaller one. `ARGS='--again survived'` runs survivors again, after a test was written. What is known of each
  mutant is kept in the folder `mutants`; without it everything is run anew.
"""


def write_page(
    mutants: list[Mutant],
    drawn: list[Mutant],
    log: dict[str, Any],
    docs: Path,
    options: argparse.Namespace,
) -> None:
    """Write the page and the table.

    Parameters
    ----------
    mutants, drawn
        All of them, and those that were to be run.
    log
        What became of each, by name.
    docs
        The folder of the documentation.
    options
        Of the run: seed, share, budget, longest and what is left out, the number of tests, and the table of a
        further sample.
    """
    found = _found(drawn, log)
    made = pd.Series([each.module for each in mutants]).value_counts()
    libraries = {name: version(name) for name in ("mutmut", "numpy", "pandas")}
    facts: dict[str, object] = {
        "run_whole": int(found["whole"].eq(True).sum()) if "whole" in found else 0,
        "slack": SECONDS,
        "times": TIMES,
        "examples": EXAMPLES,
        "cases": CASES,
        **vars(options),
        "asked": _asked(options),
    }
    facts |= {
        "version": __version__,
        "python": platform.python_version(),
        "date": datetime.now(tz=UTC).date(),
    } | libraries
    lines = [*_summary(found, len(mutants)), ""]
    further = pd.read_csv(options.fresh, keep_default_na=False) if options.fresh else None
    if further is not None:
        further["reason"] = list(map(judged(), further.to_dict("records")))
        lines += [*_further(further, options.fresh_asked), ""]
        write_csv(further[[*COLUMNS, "since"]], docs / "mutation-fresh.csv")
    lines += [*_not_run(found, made), *_by_module(found, made)]
    text = _HEAD.format(**facts) + "\n".join(lines)
    text += "\n" + _HOW.format(**facts)
    text += "\n" + "\n".join(_survivors(found, "Not noticed"))
    if further is not None:
        since = [f"noticed since, by {it}" if it else "" for it in further["since"]]
        further["reason"] = further["reason"].where(further["reason"] != "", since)
        text += "\n\n" + "\n".join(_survivors(further, "Not noticed in the further samples"))
    (docs / "mutation.md").write_text(text.rstrip() + "\n", encoding="utf-8")
    write_csv(found[COLUMNS].sort_values(["module", "line", "name"]), docs / "mutation.csv")


def _found(drawn: list[Mutant], log: dict[str, Any]) -> pd.DataFrame:
    found = pd.DataFrame([asdict(each) | log[each.name] for each in drawn if each.name in log])
    return found.assign(reason=list(map(judged(), found.to_dict("records"))))


def _asked(options: argparse.Namespace) -> str:
    """Return the options that draw these mutants and run these tests."""
    named = ("share", "seed", "longest", "budget", "only", "leave_out")
    return " ".join(
        f"--{name.replace('_', '-')} {getattr(options, name)}"
        for name in named
        if getattr(options, name) != ""
    )


def judged() -> Callable[[Mapping[str, Any]], str]:
    """Return what says why a mutant is harmless, where that was judged: of this mutant, or of all like it."""
    known = tomllib.loads(REASONS.read_text(encoding="utf-8"))
    named = {each["name"]: each["reason"] for each in known["survivor"]}

    def reason(mutant: Mapping[str, Any]) -> str:
        like = (
            each["reason"]
            for each in known["like"]
            if each["words"] in mutant["before"] and each["words"] not in mutant["after"]
        )
        return str(named.get(mutant["name"]) or next(like, "") or (LETTERS if _same_words(mutant) else ""))

    return reason


def _same_words(mutant: Mapping[str, Any]) -> bool:
    """Whether a text differs by capitals, or by the XX that mutmut puts around it; long ones are cut."""
    plain = (mutant[side].lower().replace("xx", "").strip("…\"'") for side in ("before", "after"))
    short, long = sorted(plain, key=len)
    return mutant["kind"] == "words" and long.startswith(short)


def _summary(found: pd.DataFrame, made: int) -> Iterator[str]:
    what = (
        "all of them"
        if len(found) == made
        else f"a random sample of {len(found):,}, the same share of every file"
    )
    yield f"There are **{made:,} mutants**; run were {what}."
    yield ""
    yield from _by_kind(found)
    survivors = found[~_noticed(found)]
    judged = int(survivors["reason"].ne("").sum())
    yield ""
    yield (
        f"The interval is Wilson's. Of {len(survivors):,} not noticed, {judged:,} were read and judged; "
        f"{len(survivors) - judged:,} are not yet judged."
    )


def _by_kind(found: pd.DataFrame) -> Iterator[str]:
    yield "| | run | killed | timed out | survived | not covered | noticed | 95% interval |"
    yield "|---|---:|---:|---:|---:|---:|---:|---:|"
    for kind in ("code", "words", "all"):
        rows = found if kind == "all" else found[found["kind"] == kind]
        yield f"| {kind} | {_cells(rows)} | {_interval(rows)} |"


def _further(found: pd.DataFrame, asked: str) -> Iterator[str]:
    yield (
        "Tests were written for what this sample showed: of all mutants fewer are noticed. Of further random "
        f"samples, {len(found):,} mutants in all (`{asked}`, [mutation-fresh.csv](mutation-fresh.csv)), the "
        "tests noticed, before any was written for them and without whole files of tests:"
    )
    yield ""
    yield from _by_kind(found)
    code = found[found["kind"].eq("code")]
    missed = ~_noticed(code)
    harmless, since = missed & code["reason"].ne(""), missed & code["since"].ne("")
    later, left = (int((missed & ~harmless & each).sum()) for each in (since, ~since))
    yield ""
    yield (
        f"Of the {int(missed.sum())} in code that they did not notice, {int(harmless.sum())} were judged "
        f"harmless; without these {_noticed(code[~harmless]).mean():.1%} were noticed "
        f"({_interval(code[~harmless])}). Of the others, {later} are noticed since, by tests written for "
        f"them or by tests too long for this run; {left} {'is' if left == 1 else 'are'} open."
    )


def _not_run(found: pd.DataFrame, made: pd.Series) -> Iterator[str]:
    missing = sorted(set(made.index) - set(found["module"]))
    if missing:
        yield from (f"None was run of {', '.join(f'`{module}`' for module in missing)}.", "")


def _noticed(found: pd.DataFrame) -> pd.Series:
    return found["outcome"].isin(["killed", "timed out"])


def _cells(rows: pd.DataFrame) -> str:
    numbers = [f"{int(rows['outcome'].eq(outcome).sum()):,}" for outcome in OUTCOMES]
    return " | ".join([f"{len(rows):,}", *numbers, f"{_noticed(rows).mean():.1%}" if len(rows) else "-"])


def _interval(rows: pd.DataFrame) -> str:
    if rows.empty:
        return "-"
    low, high = binomtest(int(_noticed(rows).sum()), len(rows)).proportion_ci(method="wilson")
    return f"{low:.1%} to {high:.1%}"


def _by_module(found: pd.DataFrame, made: pd.Series) -> Iterator[str]:
    yield "| file | mutants | run | killed | timed out | survived | not covered | noticed |"
    yield "|---|---:|---:|---:|---:|---:|---:|---:|"
    for module, number in made.sort_index().items():
        yield f"| `{module}` | {number:,} | {_cells(found[found['module'] == module])} |"


def _survivors(found: pd.DataFrame, title: str) -> Iterator[str]:
    rows = found[~_noticed(found)].sort_values(["module", "line", "name"])
    yield from (f"## {title}", "", "Lines are numbered as on the day of the run.", "")
    yield "| where | line | change | outcome | why it is harmless, or what notices it |"
    yield "|---|---|---|---|---|"
    for row in rows.itertuples():
        outcome = f"{row.outcome} ({row.by})" if row.by else row.outcome
        text = (SOURCE / str(row.module)).read_text(encoding="utf-8").splitlines()[int(row.line) - 1].strip()
        still = row.before.strip("…'") in text
        cells = [
            f"`{row.module}`, `{row.function}`",
            f"{row.line}: {_quoted(text)}" if still else str(row.line),
        ]
        cells += [f"{_quoted(row.before)} → {_quoted(row.after)}", outcome, row.reason or "not yet judged"]
        yield f"| {' | '.join(cells)} |"


def _quoted(text: str) -> str:
    """Code within a cell of a table, whatever it holds."""
    return "<code>" + "".join(_ESCAPED.get(each, each) for each in text) + "</code>"


_ESCAPED = {each: f"&#{ord(each)};" for each in "&<>|`*_\\[]{}$\"'~^:"}
