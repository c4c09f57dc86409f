"""Interrupt every command in every way: docs/explanation/interruptions.md. The short form is tests/faults."""

from __future__ import annotations

import argparse
import errno
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Final

import pandas as pd

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.faults import kinds  # noqa: E402
from tests.faults.client import Runner, faketime, may_mount  # noqa: E402
from tests.faults.kinds import Tally  # noqa: E402
from tests.faults.trials import COMMANDS, Trial, trials  # noqa: E402
from tests.faults.workers import killed_processes  # noqa: E402
from tests.fetch.server import Server, serve  # noqa: E402
from tools.interruptions_words import FOUND, HEAD, HOW  # noqa: E402

from clsimpact._version import __version__  # noqa: E402

DATES: Final = (
    "@1970-01-03 00:00:00",
    "@2007-06-01 12:00:00",
    "@2031-03-30 01:30:00",
    "@2112-02-29 23:59:58",
)
ZONES: Final = ("Pacific/Kiritimati", "America/St_Johns", "Asia/Kathmandu", "UTC")
LOCALES: Final = ("C", "C.UTF-8", "tr_TR.UTF-8", "de_DE.UTF-8")
WRITES: Final = {"fetch": 40, "build": 15, "replicate": 6, "functions": 16}
"""At how many writes a run is killed, and at how many the disk is full; a run of ``replicate`` takes long."""

FEWER: Final = {"fetch": 10, "build": 5, "replicate": 3, "functions": 5}
"""How often kinds are tried that do not depend on the moment."""


def main() -> int:
    """Try everything, keep the counts, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=50, help="moments at which each command is killed")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--commands", nargs="+", choices=COMMANDS, default=COMMANDS)
    parser.add_argument("--only-clock", action="store_true", help="set the clock, and nothing else")
    parser.add_argument("--add", action="store_true", help="keep the counts of what is not tried now")
    parser.add_argument("--counts", default="docs/explanation/interruptions.csv")
    parser.add_argument("--page", default="docs/explanation/interruptions.md")
    parser.add_argument("--only-page", action="store_true", help="write the page from counts that are there")
    options = parser.parse_args()
    counts = Path(options.counts)
    if not options.only_page:
        _try(counts, options)
    table = pd.read_csv(counts, keep_default_na=False)
    Path(options.page).write_text(_page(table), encoding="utf-8")
    return 1 if table["problems"].ne("").any() else 0


def _try(counts: Path, options: argparse.Namespace) -> None:
    scratch = Path(tempfile.mkdtemp(prefix="clsimpact"))
    tallies = _earlier(counts) if options.add else {}
    try:
        for tally in _everything(scratch, options):
            print(
                f"{tally.command}: {tally.fault}: {tally.tried} tried",
                *tally.problems,
                sep="\n    ",
                flush=True,
            )
            tallies[tally.command, tally.fault] = {**asdict(tally), "problems": " | ".join(tally.problems)}
            pd.DataFrame(tallies.values()).to_csv(counts, index=False, lineterminator="\n")
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _earlier(counts: Path) -> dict[tuple[str, str], dict[str, object]]:
    """Return the counts that are there, of which those that are tried again are replaced."""
    rows = pd.read_csv(counts, keep_default_na=False).to_dict("records")
    return {(str(row["command"]), str(row["fault"])): dict(row) for row in rows}


def _everything(scratch: Path, options: argparse.Namespace) -> Iterator[Tally]:
    mounts, library, clock = may_mount(scratch), faketime(), scratch / "clock"
    clock.write_text("+0", encoding="ascii")
    with ExitStack() as stack:
        server = stack.enter_context(serve())
        runner = stack.enter_context(Runner(scratch / "one", apart=mounts))
        other = stack.enter_context(Runner(scratch / "two"))
        every = {name: trial for name, trial in trials(server, scratch).items() if name in options.commands}
        for name, trial in every.items():
            for turn in ("first", "second"):  # The first time, caches are cold.
                trial.measure(runner, scratch / name / turn)
            print(f"{name}: {trial.seconds:.2f} s, {len(trial.usual)} files", flush=True)
        for name, trial in every.items() if not options.only_clock else ():
            every_kind = _kinds(runner, other, trial, server, options.times, options.seed, mounts=mounts)
            for number, kind in enumerate(every_kind):
                yield _timed(kind, scratch / name / str(number))
        if library is not None:
            faked = {
                "LD_PRELOAD": str(library),
                "FAKETIME_TIMESTAMP_FILE": str(clock),
                "FAKETIME_NO_CACHE": "1",
            }
            timed = stack.enter_context(Runner(scratch / "timed", FAKETIME_DONT_FAKE_MONOTONIC="1", **faked))
            for name, trial in every.items():
                yield kinds.clocks(timed, trial, scratch / name / "clock", clock, DATES)


def _timed(kind: Callable[[Path], Tally], place: Path) -> Tally:
    place.mkdir(parents=True)
    began = time.monotonic()
    tally = kind(place)
    print(f"  {time.monotonic() - began:.0f} s", flush=True)
    shutil.rmtree(place, ignore_errors=True)
    return tally


def _kinds(
    runner: Runner, other: Runner, trial: Trial, server: Server, times: int, seed: int, *, mounts: bool
) -> Iterator[Callable[[Path], Tally]]:
    """Yield the kinds of fault that a command is put to."""
    few, most = FEWER[trial.name], WRITES[trial.name]
    places = [{"TZ": zone, "LC_ALL": name} for zone, name in zip(ZONES, _locales(), strict=False)]
    yield lambda place: kinds.kills(runner, trial, place, times=times, seed=seed)
    if trial.name == "build":
        yield lambda place: kinds.kills_over_old(
            runner, trial, _older(trial), place, times=times // 2, seed=seed
        )
    if trial.name == "replicate":
        yield lambda place: killed_processes(runner, trial, place, times=2)
    for code in (0, errno.ENOSPC):
        yield lambda place, code=code: kinds.at_each_write(runner, trial, place, code=code, most=most)
    if mounts:
        yield lambda place: kinds.small_disks(runner, trial, place, sizes=2 * few)
        yield lambda place: kinds.read_only_disk(runner, trial, place)
    yield lambda place: kinds.small_files(runner, trial, place, sizes=(5_000, 50_000, 200_000))
    if os.geteuid() == 0:
        yield lambda place: kinds.no_right(runner, trial, place)
    yield lambda place: kinds.two_at_once(runner, other, trial, place, times=few, seed=seed)
    yield lambda place: kinds.surroundings(runner, trial, place, places, "locale and time zone changed")
    yield lambda place: kinds.long_paths(runner, trial, place, spare=(0, 40, 80, 120, 160, 250))
    yield lambda place: kinds.folders_in_the_way(runner, trial, place, most=few)
    if trial.name == "fetch":
        yield lambda place: kinds.bad_servers(runner, trial, place, server, seed=seed)


def _locales() -> tuple[str, ...]:
    """Return the locales that the machine has, as many as there are zones."""
    import locale

    found = []
    before = locale.setlocale(locale.LC_ALL)
    for name in LOCALES:
        try:
            locale.setlocale(locale.LC_ALL, name)
        except locale.Error:
            continue
        found.append(name)
    locale.setlocale(locale.LC_ALL, before)
    return tuple((found * len(ZONES))[: len(ZONES)])


def _older(trial: Trial) -> Trial:
    """Return the same set of tables with other content, as an earlier build might have left it."""
    return Trial(
        trial.name, trial.words, {}, {name: b"older " + content for name, content in trial.usual.items()}
    )


def _page(table: pd.DataFrame) -> str:
    order = table.assign(place=table["command"].map(COMMANDS.index)).sort_values(
        ["fault", "place"], kind="stable"
    )
    wrong = [problem for row in order.itertuples() for problem in str(row.problems).split(" | ") if problem]
    runs = f"{int(table['tried'].sum()):,} runs were disturbed, and another followed in each folder."
    lines = [
        HEAD,
        f"{runs} {len(wrong) or 'Nothing'} was otherwise than it should be ({platform.system()}, "
        f"Python {platform.python_version()}, clsimpact {__version__}).",
        "",
        "| fault | command | tried | struck | problems |",
        "|---|---|---:|---:|---:|",
    ]
    for row in order.itertuples():
        many = len([problem for problem in str(row.problems).split(" | ") if problem])
        lines.append(f"| {row.fault} | {row.command} | {row.tried} | {row.struck} | {many} |")
    lines += ["", *(f"- {problem}" for problem in wrong)] if wrong else []
    return "\n".join(lines) + "\n" + HOW + FOUND


if __name__ == "__main__":
    raise SystemExit(main())
