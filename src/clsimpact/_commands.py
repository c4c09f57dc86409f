"""What each command of the command line does. These functions print; the library does not."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from clsimpact.report.ledger import Ledger
    from clsimpact.report.replicate import Report

__all__ = [
    "build", "check", "completion", "demo", "describe", "doctor", "fetch", "quality", "replicate", "simulate",
    "sources", "study",
]  # fmt: skip


def build(options: argparse.Namespace) -> int:
    from clsimpact import rebuild
    from clsimpact.loaders import raw_folder

    source = raw_folder(options.raw)
    what = f"files in {source}" if source else "committed returns (no folder of files was named)"
    print(f"Reading the {what}")
    with _progress() as progress:
        written = rebuild.build(options.raw, options.out, progress=progress)
    for name, path in written.items():
        print(f"  {name}: {path}")
    return 0


def check(options: argparse.Namespace) -> int:
    from clsimpact.loaders import raw_folder, reconcile

    table = reconcile.check(raw_folder(options.raw))
    print(f"{'agree':>9} {'explained':>9} {'differ':>6}  check")
    for row in table.to_dict("records"):
        print(f"{row['agree']:>9,} {row['explained']:>9,} {row['differ']:>6,}  {row['check']}")
        if row["note"] and (row["differ"] or row["explained"]):
            print(f"{'':>28}{row['note']}")
    wrong = int(table["differ"].sum())
    differ = f"{wrong or 'none'} {'differs' if wrong == 1 else 'differ'}"
    print(f"{int(table['compared'].sum()):,} comparisons: {differ} without an explanation.")
    return 1 if wrong else 0


def describe(options: argparse.Namespace) -> int:
    from clsimpact import dictionary

    rows = dictionary.describe(options.column).to_dict("records")
    if options.markdown:
        names = ("unit", "definition", "source", "years")
        print(f"| column | {' | '.join(names)} |\n|---|---|---|---|---|")
        for row in rows:
            print(f"| `{row['column']}` | {' | '.join(row[name] for name in names)} |")
        return 0
    for row in rows:
        unit = f" [{row['unit']}]" if row["unit"] else ""
        print(f"{row['column']}: {row['label']}{unit}")
        print(f"    {row['definition']}")
        print(f"    source: {row['source'] or '–'}; years: {row['years'] or 'none'}")
    return 0


def doctor(options: argparse.Namespace) -> int:
    import json
    from dataclasses import asdict

    from clsimpact.doctor import examine

    findings = examine()
    if options.json:
        print(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            print(f"{_coloured(f'{finding.state:<9}', finding.state)}{finding.what}: {finding.found}")
            if finding.repair:
                print(f"{'':<9}-> {finding.repair}")
    return 1 if any(finding.state == "missing" for finding in findings) else 0


_COLOURS = {"ok": "32", "optional": "33", "missing": "31"}


def _coloured(words: str, state: str) -> str:
    """Colour words in a terminal, unless NO_COLOR asks for none; never in a file or a pipe."""
    import os

    if not sys.stdout.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return words
    return f"\x1b[{_COLOURS[state]}m{words}\x1b[0m"


def completion(options: argparse.Namespace) -> int:
    import shtab

    print(shtab.complete(options.parser(), shell=options.shell))
    return 0


@contextmanager
def _progress(*, quiet: bool = False) -> Iterator[Callable[[str, int, int], None]]:
    """Give a listener for steps: one bar with the time left in a terminal, one line a step elsewhere."""
    from tqdm import tqdm

    if quiet:
        yield lambda *_: None
        return

    terminal = sys.stderr.isatty()
    bar = tqdm(
        total=1,
        disable=not terminal,
        bar_format="{desc:<60.60} {bar} {n_fmt}/{total_fmt} {remaining} left",
        leave=False,
    )

    def tell(words: str, step: int, total: int) -> None:
        if terminal:
            bar.total, bar.n = total, step
            bar.set_description_str(words)
        else:
            print(f"[{step}/{total}] {words}", flush=True)

    try:
        yield tell
    finally:
        bar.close()


def replicate(options: argparse.Namespace) -> int:
    from clsimpact.report.replicate import replicate

    raw = Path(options.raw) if options.study and options.raw else None if options.study else _fetched(options)
    with _progress(quiet=options.json) as progress:
        report = replicate(
            options.out, study=options.study, raw=raw, workers=_workers(options), fresh=options.fresh,
            progress=progress,
        )  # fmt: skip
    return _told(report, options)


def _workers(options: argparse.Namespace) -> int:
    """Return how many processes were asked for; by default one a processor, four at most."""
    import os

    return options.workers or min(os.cpu_count() or 1, 4)


def _told(report: Report, options: argparse.Namespace) -> int:
    """Print what was found, for readers or for scripts."""
    if options.json:
        print(report.ledger.to_json(), end="")
        return 0
    _print_verdicts(report.ledger)
    for words in report.warnings:
        print(f"Warning: {words}")
    missing = "" if (report.folder / "report.pdf").is_file() else " (no PDF, Word or workbook: see run.json)"
    print(f"The report is {report.folder / 'report.html'}{missing}")
    return 0


def study(options: argparse.Namespace) -> int:
    from clsimpact._paths import file_to_write
    from clsimpact.errors import SourceError
    from clsimpact.report.study import default_path
    from clsimpact.store import write_bytes

    text = default_path().read_text(encoding="utf-8")
    if options.out is None:
        print(text, end="")
        return 0
    target = file_to_write(options.out, "a study file")
    if target.exists():
        raise SourceError(f"{target} is there already.", repair="Give another name.")
    write_bytes(target, text.encode())
    print(f"{target} is written: change it, then run 'clsimpact replicate --study {target}'.")
    return 0


def _fetched(options: argparse.Namespace) -> Path:
    """Try to get further publications where a connection answers, and say what could not be had."""
    from clsimpact.fetch import connection_answers, default_folder, fetch

    folder = Path(options.raw) if options.raw else default_folder()
    if options.offline:
        return folder
    told = sys.stderr if options.json else sys.stdout
    if not connection_answers():
        words = "No connection answers: only the committed figures and the files already there are used."
        print(words, file=told)
        return folder
    print(fetch(dest=folder).summary(), file=told)
    return folder


def fetch(options: argparse.Namespace) -> int:
    from clsimpact import fetch as fetching

    report = fetching.fetch(
        years=options.year or None,
        dest=options.dest,
        offline=options.offline,
        superseded=options.superseded,
        accept_changed=options.accept_changed or (),
        progress=sys.stderr.isatty(),
    )
    print(report.summary())
    return 0 if report.ok else 1


def sources(options: argparse.Namespace) -> int:
    from clsimpact import sources as table

    print(table.sources_markdown() if options.markdown else table.sources_text())
    return 0


def simulate(options: argparse.Namespace) -> int:
    from clsimpact.simulate.publish import simulate
    from clsimpact.simulate.truth import Truth

    truth = Truth.from_toml(_truth_text(options.truth)) if options.truth else None
    with _progress() as progress:
        made = simulate(options.out, seed=options.seed, truth=truth, rows=options.rows, progress=progress)
    print(f"{len(made.sources)} SIMULATED publications are in {made.folder}, with the truth beside them.")
    return 0


def _truth_text(path: str) -> str:
    """Return the text of a truth file."""
    from clsimpact._own_files import own_text

    repair = "Give the path of a truth file (TOML), or leave --truth out for the truth of the study."
    return own_text(path, "a truth file", repair)[1]


def demo(options: argparse.Namespace) -> int:
    from clsimpact.report.demo import demonstrate

    with _progress(quiet=options.json) as progress:
        report = demonstrate(
            options.out, seed=options.seed, workers=_workers(options), fresh=options.fresh, progress=progress
        )
    if not options.json:
        print(f"\nSIMULATED: the truth is known. {report.ledger['number-inside'].text}")
    return _told(report, options)


def quality(options: argparse.Namespace) -> int:
    from clsimpact import quality as checking
    from clsimpact._paths import file_to_write
    from clsimpact.rebuild import load_returns
    from clsimpact.store import write_bytes

    target = file_to_write(options.out, "a page") if options.out else None
    returns = load_returns(options.raw) if options.raw else None
    report = checking.quality(returns, panel=None if returns is None else _panel_of(returns))
    print(report.summary())
    if target is not None:
        write_bytes(target, report.to_html().encode())
        print(f"The page is {target}")
    return 0


def _panel_of(returns: pd.DataFrame) -> pd.DataFrame:
    """Build the panel of returns, over the years that made-up or official publications cover."""
    from clsimpact.panel import build_panel
    from clsimpact.rebuild import SIMULATED_YEARS

    made_up = returns["source_id"].astype("string").str.startswith("simulated_").any()
    return build_panel(returns, years=SIMULATED_YEARS if made_up else None)


def _print_verdicts(ledger: Ledger) -> None:
    """Print each claim with its verdicts; outcomes that share verdict and reason share a line."""
    for claim, group in groupby(ledger.of_kind("claim"), key=lambda row: row.claim):
        print(f"\n{claim}  {ledger[f'statement-{claim}'].text}")
        for (verdict, rule, value), same in groupby(group, key=lambda e: (e.verdict, e.rule, e.value)):
            print(f"    {', '.join(row.outcome for row in same)}: {verdict}")
            print(f"        {value or rule}")
            if value:
                print(f"        {rule}")
    print()
