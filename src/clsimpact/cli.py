"""The command line: build, check, describe and replicate. It alone prints."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from clsimpact._version import __version__
from clsimpact.errors import ClsimpactError

if TYPE_CHECKING:
    from clsimpact.report.ledger import Ledger

__all__ = ["main"]

_EXAMPLES = """examples:
  clsimpact replicate --out outputs          rebuild the ledger, figures and tables from the committed data
  clsimpact check                            compare the committed figures with each other
  clsimpact check --raw official             compare them with the publishers' files too
  clsimpact build --raw official             rebuild data/processed from the publishers' files
  clsimpact describe gce_per_adult           what a column of the panel means

exit status: 0 the command did what it says; 1 it found something wrong and said what; 2 it was called
wrongly; 130 it was stopped."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments
        Words after the program's name; those of the process if omitted.

    Returns
    -------
    int
        Exit status.

    Examples
    --------
    >>> main(["describe", "gce"])  # doctest: +ELLIPSIS
    gce: Gross current expenditure [£000, cash]
    ...
    0
    """
    options = _parser().parse_args(arguments)
    try:
        status: int = options.run(options)
        sys.stdout.flush()
    except ClsimpactError as error:
        return _fail(options, str(error))
    except BrokenPipeError:
        # The reader of a pipe has closed it (``clsimpact describe | head``): say nothing, at exit neither.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        place = f": {error.filename}" if error.filename else ""
        return _fail(options, f"{error.strerror or error}{place}")
    except KeyboardInterrupt:
        return _fail(options, "stopped", 130)
    return status


def _fail(options: argparse.Namespace, words: str, status: int = 1) -> int:
    print(f"clsimpact {options.command}: {words}", file=sys.stderr)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="clsimpact",
        description="What a council programme did: from official returns to a figure with a verdict.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"clsimpact {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    words = "rebuild the committed tables (returns, panel, adoption)"
    build = commands.add_parser("build", help=words, description=f"{words.capitalize()}.")
    without = "without it, panel and adoption are rebuilt from the committed returns"
    raw = "folder with the publishers' files (default: CLSIMPACT_RAW"
    build.add_argument("--raw", metavar="DIR", help=f"{raw}; {without})")
    build.add_argument("--out", metavar="DIR", help="where to write (default: data/processed)")
    build.set_defaults(run=_build)

    words = "compare the figures with each other; exit status 1 on a mismatch"
    check = commands.add_parser("check", help=words, description=f"{words.capitalize()}.")
    check.add_argument("--raw", metavar="DIR", help=f"{raw}), to compare with them too")
    check.set_defaults(run=_check)

    words = "print the data dictionary of the panel"
    describe = commands.add_parser("describe", help=words, description=f"{words.capitalize()}.")
    describe.add_argument("column", nargs="?", help="one column (default: all)")
    describe.add_argument("--markdown", action="store_true", help="as a Markdown table")
    describe.set_defaults(run=_describe)

    words = "estimate every claim and write figures, tables and the ledger"
    replicate = commands.add_parser("replicate", help=words, description=f"{words.capitalize()}.")
    replicate.add_argument(
        "--out", metavar="DIR", default="outputs", help="where to write (default: outputs)"
    )
    offline = "use the committed data only; nothing is downloaded in this version, with or without it"
    replicate.add_argument("--offline", action="store_true", help=offline)
    replicate.set_defaults(run=_replicate)
    return parser


def _build(options: argparse.Namespace) -> int:
    from clsimpact.loaders import raw_folder
    from clsimpact.rebuild import build

    source = raw_folder(options.raw)
    what = f"files in {source}" if source else "committed returns (no folder of files was named)"
    print(f"Reading the {what}")
    for name, path in build(options.raw, options.out).items():
        print(f"  {name}: {path}")
    return 0


def _check(options: argparse.Namespace) -> int:
    from clsimpact.loaders import raw_folder
    from clsimpact.loaders.reconcile import check

    table = check(raw_folder(options.raw))
    print(f"{'agree':>9} {'explained':>9} {'differ':>6}  check")
    for row in table.to_dict("records"):
        print(f"{row['agree']:>9,} {row['explained']:>9,} {row['differ']:>6,}  {row['check']}")
        if row["note"] and (row["differ"] or row["explained"]):
            print(f"{'':>28}{row['note']}")
    wrong = int(table["differ"].sum())
    differ = f"{wrong or 'none'} {'differs' if wrong == 1 else 'differ'}"
    print(f"{int(table['compared'].sum()):,} comparisons: {differ} without an explanation.")
    return 1 if wrong else 0


def _describe(options: argparse.Namespace) -> int:
    from clsimpact.dictionary import describe

    rows = describe(options.column).to_dict("records")
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


def _replicate(options: argparse.Namespace) -> int:
    from tqdm import tqdm

    from clsimpact.report.replicate import replicate

    terminal = sys.stderr.isatty()
    bar = tqdm(
        total=1, disable=not terminal, bar_format="{desc:<60.60} {bar} {n_fmt}/{total_fmt}", leave=False
    )

    def progress(words: str, step: int, total: int) -> None:
        if terminal:
            bar.total, bar.n = total, step
            bar.set_description_str(words)
        else:
            print(f"[{step}/{total}] {words}", flush=True)

    try:
        ledger = replicate(options.out, progress=progress)
    finally:
        bar.close()
    _print_verdicts(ledger)
    print(f"The ledger is in {Path(options.out) / 'ledger.md'}")
    return 0


def _print_verdicts(ledger: Ledger) -> None:
    """Print each claim with its verdicts; outcomes that share verdict and reason share a line."""
    for claim, group in groupby(ledger.entries, key=lambda entry: (entry.claim, entry.statement)):
        print(f"\n{claim[0]}  {claim[1]}")
        for (verdict, rule, value), same in groupby(group, key=lambda e: (e.verdict, e.rule, e.value)):
            print(f"    {', '.join(entry.outcome for entry in same)}: {verdict}")
            print(f"        {value or rule}")
            if value:
                print(f"        {rule}")
    print()


if __name__ == "__main__":
    sys.exit(main())
