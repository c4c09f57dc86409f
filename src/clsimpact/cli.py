"""The command line: its words and options. What the commands do is in :mod:`clsimpact._commands`."""

from __future__ import annotations

import argparse
import io
import os
import re
import sys
from collections.abc import Sequence
from typing import Final, NoReturn, TypeAlias

from clsimpact import _commands
from clsimpact._disk import is_full
from clsimpact._version import __version__
from clsimpact.errors import ClsimpactError, did_you_mean

__all__ = ["main"]

_Commands: TypeAlias = "argparse._SubParsersAction[_Parser]"
_RAW: Final = "folder with the publishers' files (default: CLSIMPACT_RAW"

_EXAMPLES = """examples:
  clsimpact doctor                           whether Python, libraries and data are as they should be
  clsimpact replicate --out outputs          the whole report from the committed data, into outputs/
  clsimpact study --out mine.toml            a study file to start from
  clsimpact replicate --study mine.toml      the report of your own study
  clsimpact check                            compare the committed figures with each other
  clsimpact check --raw official             compare them with the publishers' files too
  clsimpact build --raw official             rebuild data/processed from the publishers' files
  clsimpact fetch --year 2019-20 2020-21     download publications whose addresses are known
  clsimpact sources                          what each adapter was checked against
  clsimpact quality --out quality.html       what a careful reader should know of the returns
  clsimpact simulate --seed 1 --out made-up  made-up publications in the official layouts
  clsimpact demo                             the whole study on made-up returns, against its truth
  clsimpact describe gce_per_adult           what a column of the panel means

exit status: 0 the command did what it says; 1 it found something wrong and said what; 2 it was called
wrongly; 130 it was stopped."""

_EXAMPLES_OF: Final = {
    "build": ("clsimpact build --raw official", "clsimpact build --out rebuilt"),
    "check": ("clsimpact check", "clsimpact check --raw official"),
    "completion": (
        "clsimpact completion bash >> ~/.bashrc",
        "clsimpact completion zsh > ~/.zfunc/_clsimpact",
    ),
    "demo": ("clsimpact demo", "clsimpact demo --seed 2 --out outputs/second-world"),
    "describe": ("clsimpact describe gce_per_adult", "clsimpact describe --markdown > dictionary.md"),
    "doctor": ("clsimpact doctor", "clsimpact doctor --json"),
    "fetch": ("clsimpact fetch --year 2019-20 2020-21", "clsimpact fetch --offline --dest official"),
    "quality": ("clsimpact quality --out quality.html", "clsimpact quality --raw official"),
    "replicate": (
        "clsimpact replicate --out outputs",
        "clsimpact replicate --study mine.toml --workers 2",
        "clsimpact replicate --json > ledger.json",
    ),
    "simulate": ("clsimpact simulate --seed 1 --out made-up --rows study",),
    "sources": ("clsimpact sources", "clsimpact sources --markdown > sources.md"),
    "study": ("clsimpact study", "clsimpact study --out mine.toml"),
}


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
    _print_what_can_be_printed()
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
        if is_full(error):
            return _fail(options, f"The disk is full{place}.\nRepair: Make room, then run it again.")
        return _fail(options, f"{error.strerror or error}{place}")
    except KeyboardInterrupt:
        return _fail(options, "stopped", 130)
    return status


def _print_what_can_be_printed() -> None:
    """Write letters that the terminal lacks as their codes: a name with an accent must not end a run."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _fail(options: argparse.Namespace, words: str, status: int = 1) -> int:
    print(f"clsimpact {options.command}: {words}", file=sys.stderr)
    return status


class _Parser(argparse.ArgumentParser):
    """Adds the nearest command, choice or option to what is said of a mistyped one."""

    def error(self, message: str) -> NoReturn:
        """Print what is wrong and end with status 2."""
        found = re.search(r"invalid choice: '([^']*)' \(choose from (.*)\)", message)
        own = [it for it in self._option_string_actions if it.startswith("--")]  # help is --help
        near = did_you_mean(found[1], [*re.findall(r"[\w-]+", found[2]), *own]) if found else ""
        if message.endswith("required: COMMAND"):
            near = f" ({self.prog} --help lists them, with examples)"
        super().error(message + near)

    def parse_known_args(self, args=None, namespace=None):  # type: ignore[no-untyped-def]
        """Refuse options that nobody knows here, where those of the command are known."""
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:
            known = list(self._option_string_actions)
            near = (did_you_mean(it.partition("=")[0], known) for it in unknown if it.startswith("-"))
            self.error(f"unrecognized arguments: {' '.join(unknown)}{''.join(near)}")
        return found, unknown


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="clsimpact",
        description="What a council programme did: from official returns to a figure with a verdict.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"clsimpact {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_data_commands(commands)
    _add_study_commands(commands)
    _add_other_commands(commands)
    return parser


def _command(commands: _Commands, name: str, words: str) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        name,
        help=words,
        description=f"{words[0].upper()}{words[1:]}.",
        epilog="\n".join(["examples:", *(f"  {line}" for line in _EXAMPLES_OF[name])]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=getattr(_commands, name))
    return parser


def _add_data_commands(commands: _Commands) -> None:
    fetch = _command(commands, "fetch", "download the publications whose addresses are known")
    fetch.add_argument(
        "--year", metavar="YEAR", nargs="+", action="extend", help="financial years, such as 2019-20"
    )
    fetch.add_argument("--dest", metavar="DIR", help="where to put them (default: CLSIMPACT_RAW or data/raw)")
    fetch.add_argument("--offline", action="store_true", help="download nothing; say what is there")
    fetch.add_argument(
        "--superseded", action="store_true", help="also the releases that were re-issued since"
    )
    changed = "take a file that differs from the one recorded at its first download"
    fetch.add_argument("--accept-changed", metavar="ID", nargs="+", action="extend", help=changed)

    sources = _command(commands, "sources", "list every source and what its adapter was checked against")
    sources.add_argument("--markdown", action="store_true", help="as a Markdown table")

    build = _command(commands, "build", "rebuild the committed tables (returns, panel, adoption)")
    without = "without it, panel and adoption are rebuilt from the committed returns"
    build.add_argument("--raw", metavar="DIR", help=f"{_RAW}; {without})")
    build.add_argument("--out", metavar="DIR", help="where to write (default: data/processed)")

    check = _command(commands, "check", "compare the figures with each other; exit status 1 on a mismatch")
    check.add_argument("--raw", metavar="DIR", help=f"{_RAW}), to compare with them too")

    quality = _command(
        commands, "quality", "report on the quality of the returns, by council, year and return"
    )
    quality.add_argument(
        "--raw", metavar="DIR", help=f"{_RAW} or made-up ones; default: the committed figures)"
    )
    quality.add_argument("--out", metavar="FILE", help="write an HTML page")

    describe = _command(commands, "describe", "print the data dictionary of the panel")
    describe.add_argument("column", nargs="?", help="one column (default: all)")
    describe.add_argument("--markdown", action="store_true", help="as a Markdown table")


def _add_study_commands(commands: _Commands) -> None:
    replicate = _command(
        commands, "replicate", "run a study: every claim, check, figure and table, the ledger and the report"
    )
    replicate.add_argument(
        "--out", metavar="DIR", default="outputs", help="where to write (default: outputs)"
    )
    replicate.add_argument(
        "--study", metavar="FILE", help="a study file (TOML); default: the study of Community Led Support"
    )
    replicate.add_argument("--raw", metavar="DIR", help="folder of further publications (default: as fetch)")
    replicate.add_argument(
        "--offline", action="store_true", help="download nothing: committed figures and files already there"
    )
    _add_run_options(replicate)

    study = _command(commands, "study", "write a study file to start from, with every field explained")
    study.add_argument("--out", metavar="FILE", help="where to write (default: print it)")

    simulate = _command(commands, "simulate", "write made-up publications with a known truth")
    simulate.add_argument("--out", metavar="DIR", required=True, help="where to write")
    simulate.add_argument("--seed", metavar="N", type=int, default=1, help="the same seed, the same files")
    simulate.add_argument("--truth", metavar="FILE", help="a truth file (TOML); default: the study's claims")
    rows = "finance files of their real size, or only what the study needs (default: all)"
    simulate.add_argument("--rows", choices=("all", "study"), default="all", help=rows)

    demo = _command(
        commands, "demo", "run the whole study on made-up returns: the report, and the truth beside it"
    )
    demo.add_argument(
        "--out", metavar="DIR", default="outputs/demo", help="where to write (default: outputs/demo)"
    )
    demo.add_argument("--seed", metavar="N", type=int, default=1, help="the same seed, the same files")
    _add_run_options(demo)


def _add_other_commands(commands: _Commands) -> None:
    doctor = _command(
        commands, "doctor", "look whether Python, libraries, data and folders are as they should be"
    )
    doctor.add_argument("--json", action="store_true", help="as JSON, for programs")

    completion = _command(commands, "completion", "print what a shell reads to complete commands and options")
    completion.add_argument("shell", choices=("bash", "zsh", "tcsh"), help="which shell")
    completion.set_defaults(parser=_parser)


def _add_run_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--workers", metavar="N", type=_count, help="processes (default: one a processor, four at most)"
    )
    parser.add_argument(
        "--fresh", action="store_true", help="make every step again; by default unchanged ones are taken up"
    )
    parser.add_argument("--json", action="store_true", help="print the ledger as JSON and nothing else")


def _count(text: str) -> int:
    """Read a number of processes."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
