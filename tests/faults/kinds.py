"""The kinds of fault: each is put to a command, and tells what was found."""

from __future__ import annotations

import errno
import random
import shutil
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from tests.faults.client import Ending, Runner
from tests.faults.trials import FILES, Trial, hidden, slowly
from tests.fetch import server as serving
from tests.fetch.server import Server

NOBODY = 65534
MAX_PATH = 4096
"""Bytes of a path, with the zero byte at its end (Linux)."""
ROOM = "64m"


class Where(NamedTuple):
    """A folder as the runner names it, and as this process sees it."""

    folder: Path
    seen: Path


@dataclass
class Tally:
    """What a fault did to a command.

    Attributes
    ----------
    fault, command
        What was tried.
    tried, struck
        How often, and how often it struck before the run had ended.
    problems
        Whatever was not as it should be.
    """

    fault: str
    command: str
    tried: int = 0
    struck: int = 0
    problems: list[str] = field(default_factory=list)

    def note(self, trial: Trial, runner: Runner, folder: Path, ending: Ending, at: object) -> None:
        """Look at a folder after a fault, and run the command there once more."""
        self.look_again(trial, runner, ending, Where(folder, folder), trial.problems(folder), at)

    def look_again(
        self, trial: Trial, runner: Runner, ending: Ending, where: Where, found: list[str], at: object
    ) -> None:
        """Judge how a run ended, and run the command there once more."""
        self.tried += 1
        self.struck += ending.status != 0
        if not (ending.killed or ending.explained):
            found.append(f"status {ending.status}, said {ending.said.strip()[-400:]!r}")
        if ending.status == 0:
            found += trial.differing(where.seen)
        again = runner.run(trial.call(where.folder), **trial.request)
        if again.status != 0:
            found.append(f"the next run said {again.said.strip()[-300:]!r}")
        self.problems += [f"{at}: {words}" for words in (*found, *trial.differing(where.seen))]


def kills(runner: Runner, trial: Trial, scratch: Path, *, times: int, seed: int) -> Tally:
    """Kill at random moments of an undisturbed run's time."""
    tally, draw = Tally("kill -9 at random moments", trial.name), random.Random(f"{seed} {trial.name}")
    for number in range(times):
        folder, after = scratch / f"kill-{number}", draw.uniform(0, trial.seconds)
        ending = runner.kill(trial.call(folder), after, **trial.request)
        tally.note(trial, runner, folder, ending, f"after {after:.3f} s")
        shutil.rmtree(folder, ignore_errors=True)
    return tally


def kills_over_old(
    runner: Runner, trial: Trial, other: Trial, scratch: Path, *, times: int, seed: int
) -> Tally:
    """Kill a run that replaces what another run wrote, and look for old files beside new ones."""
    tally = Tally("kill -9 while an older set is replaced", trial.name)
    draw = random.Random(seed)
    for number in range(times):
        folder = scratch / f"over-{number}"
        _fill(folder, other.usual)
        after = draw.uniform(0.5, 1.0) * trial.seconds
        ending = runner.kill(trial.call(folder), after, **trial.request)
        found = trial.problems(folder, other.usual)
        tally.look_again(trial, runner, ending, Where(folder, folder), found, f"after {after:.3f} s")
        shutil.rmtree(folder)
    return tally


def _fill(folder: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)


def at_each_write(runner: Runner, trial: Trial, scratch: Path, *, code: int, most: int) -> Tally:
    """Kill (code 0), or fail with an error of the disk, before each opening, renaming and making of a folder.

    Where there are more than ``most`` of them, as many are chosen evenly.
    """
    words = "kill -9 before each write" if code == 0 else f"{errno.errorcode[code]} at each write"
    tally = Tally(words, trial.name)
    scratch.mkdir(parents=True, exist_ok=True)
    folder, counted = scratch / "count", scratch / "counted.txt"
    fault = {"folder": str(folder), "at": -1, "code": code, "counted": str(counted)}
    runner.run(trial.call(folder), fault=fault, **trial.request)
    total = int(counted.read_text(encoding="ascii"))
    for at in sorted({1 + round(i * (total - 1) / max(most - 1, 1)) for i in range(min(most, total))}):
        folder = scratch / f"write-{at}"
        fault = {"folder": str(folder), "at": at, "code": code}
        ending = runner.run(trial.call(folder), fault=fault, **trial.request)
        tally.note(trial, runner, folder, ending, f"write {at} of {total}")
        shutil.rmtree(folder, ignore_errors=True)
    return tally


def small_disks(runner: Runner, trial: Trial, scratch: Path, *, sizes: int) -> Tally:
    """Run on disks that are too small by more or less, then on the same disk with room."""
    tally = Tally("disk full (small tmpfs)", trial.name)
    needed = sum(len(content) for content in trial.usual.values()) + 4096 * len(trial.usual)
    place = scratch / "disk"
    place.mkdir(parents=True)
    for number in range(sizes):
        size = 8192 + round(needed * 1.6 * number / sizes)
        assert runner.mount("-t", "tmpfs", "-o", f"size={size}", "none", str(place))
        seen = runner.inside(place)
        ending = runner.run(trial.call(place / "out"), **trial.request)
        found = trial.problems(seen / "out")
        runner.mount("-o", f"remount,size={ROOM}", str(place))
        tally.look_again(trial, runner, ending, Where(place / "out", seen / "out"), found, f"{size:,} bytes")
    return tally


def small_files(runner: Runner, trial: Trial, scratch: Path, *, sizes: Iterable[int]) -> Tally:
    """Allow files of a certain size only (RLIMIT_FSIZE): a write beyond it fails half way."""
    tally = Tally("files limited in size (RLIMIT_FSIZE)", trial.name)
    for size in sizes:
        folder = scratch / f"limit-{size}"
        ending = runner.run(trial.call(folder), largest=size, **trial.request)
        tally.note(trial, runner, folder, ending, f"{size:,} bytes")
        shutil.rmtree(folder, ignore_errors=True)
    return tally


def read_only_disk(runner: Runner, trial: Trial, scratch: Path) -> Tally:
    """Run where the disk can only be read: an empty folder, and one with an undisturbed run's files."""
    tally = Tally("read-only disk", trial.name)
    place = scratch / "read-only"
    place.mkdir(parents=True)
    for held in ({}, trial.usual):
        assert runner.mount("-t", "tmpfs", "-o", f"size={ROOM}", "none", str(place))
        seen = runner.inside(place)
        _fill(seen / "out", held)
        runner.mount("-o", "remount,ro", str(place))
        ending = runner.run(trial.call(place / "out"), **trial.request)
        found = trial.problems(seen / "out")
        runner.mount("-o", "remount,rw", str(place))
        at = f"{len(held)} files held"
        tally.look_again(trial, runner, ending, Where(place / "out", seen / "out"), found, at)
    return tally


def no_right(runner: Runner, trial: Trial, scratch: Path) -> Tally:
    """Run as a user who may not write to the folder (needs root, to become that user)."""
    tally = Tally("no right to write", trial.name)
    folder = scratch / "foreign"
    folder.mkdir(parents=True)
    for parent in (scratch, *scratch.parents):
        if parent.stat().st_mode & 0o055 != 0o055 and parent.owner() == "root":
            parent.chmod(0o755)
    ending = runner.run(trial.call(folder), user=NOBODY, **trial.request)
    tally.note(trial, runner, folder, ending, "as nobody")
    return tally


def two_at_once(one: Runner, other: Runner, trial: Trial, scratch: Path, *, times: int, seed: int) -> Tally:
    """Start the same command twice in one folder, a random moment apart."""
    tally, draw = Tally("two runs at once", trial.name), random.Random(f"{seed} {trial.name}")
    for number in range(times):
        folder = scratch / f"two-{number}"
        one.start(trial.call(folder), **trial.request)
        time.sleep(draw.uniform(0, 0.7) * trial.seconds)
        endings = [other.run(trial.call(folder), **trial.request), one.end()]
        tally.tried += 1
        tally.struck += any(ending.status != 0 for ending in endings)
        found = [f"said {it.said.strip()[-400:]!r}" for it in endings if not it.explained]
        if all(ending.status != 0 for ending in endings):
            found.append("neither run ended well")
        found += trial.differing(folder)
        tally.problems += [f"pair {number}: {words}" for words in found]
        shutil.rmtree(folder)
    return tally


def surroundings(
    runner: Runner, trial: Trial, scratch: Path, environs: Iterable[dict[str, str]], what: str
) -> Tally:
    """Run, kill and run again in other surroundings each time: the bytes must not depend on them."""
    tally, places = Tally(what, trial.name), list(environs)
    for number, environ in enumerate(places):
        folder, other = scratch / f"around-{number}", places[(number + 1) % len(places)]
        killed = runner.kill(trial.call(folder), 0.6 * trial.seconds, environ=environ, **trial.request)
        found = trial.problems(folder)
        ending = runner.run(trial.call(folder), environ=other, **trial.request)
        tally.tried, tally.struck = tally.tried + 1, tally.struck + killed.killed
        found += [] if ending.status == 0 else [f"said {ending.said.strip()[-400:]!r}"]
        found += trial.differing(folder)
        tally.problems += [f"{environ} then {other}: {words}" for words in found]
        shutil.rmtree(folder)
    return tally


def clocks(runner: Runner, trial: Trial, scratch: Path, clock: Path, settings: Iterable[str]) -> Tally:
    """Set the clock between a killed run and the next, and within the next."""
    tally, dates = Tally("clock set back and forward", trial.name), list(settings)
    for number, date in enumerate(dates):
        folder, other = scratch / f"clock-{number}", dates[(number + 1) % len(dates)]
        clock.write_text(date, encoding="ascii")
        killed = runner.kill(trial.call(folder), 0.6 * trial.seconds, **trial.request)
        found = trial.problems(folder)
        clock.write_text(other, encoding="ascii")
        runner.start(trial.call(folder), **trial.request)
        time.sleep(0.3 * trial.seconds)
        clock.write_text(date, encoding="ascii")
        ending = runner.end()
        tally.tried, tally.struck = tally.tried + 1, tally.struck + killed.killed
        found += [] if ending.explained else [f"said {ending.said.strip()[-400:]!r}"]
        if ending.explained and ending.status != 0:
            clock.write_text("+0", encoding="ascii")  # As the words asked for.
            runner.run(trial.call(folder), **trial.request)
        found += trial.differing(folder)
        tally.problems += [f"{date} then {other}: {words}" for words in found]
        shutil.rmtree(folder)
    return tally


def long_path(base: Path, length: int) -> Path:
    """Return a path of so many bytes, with spaces and accents, whose names are as long as names may be."""
    path = str(base)
    name = "dossier très long, à côté "
    while (missing := length - len(path.encode()) - 1) > 0:
        piece = (name * 12).encode()[: min(missing, 255)].decode(errors="ignore").rstrip()
        piece += "x" * (min(missing, 255) - len(piece.encode()))
        path += f"/{piece}"
    return Path(path)


def long_paths(runner: Runner, trial: Trial, scratch: Path, *, spare: Iterable[int]) -> Tally:
    """Write to folders whose path leaves so many bytes for the names below."""
    tally = Tally("long path with spaces and accents", trial.name)
    for left in spare:
        base = scratch / f"long-{left}"
        folder = long_path(base, MAX_PATH - 1 - left)
        ending = runner.run(trial.call(folder), **trial.request)
        tally.tried, tally.struck = tally.tried + 1, tally.struck + (ending.status != 0)
        found = trial.problems(folder) if folder.is_dir() else []
        if not ending.explained:
            found.append(f"status {ending.status}, said {ending.said.strip()[-400:]!r}")
        if ending.status == 0:
            found += trial.differing(folder)
        tally.problems += [f"{left} bytes left: {words}" for words in found]
        shutil.rmtree(base, ignore_errors=True)
    return tally


def folders_in_the_way(runner: Runner, trial: Trial, scratch: Path, *, most: int) -> Tally:
    """Put a folder where a file shall be, then take it away and run again."""
    tally = Tally("a folder named like a file", trial.name)
    names = sorted(name for name in trial.usual if not hidden(name))
    for name in names[:: max(len(names) // most, 1)]:
        folder = scratch / f"way-{tally.tried}"
        if ".clsimpact-report" in trial.usual:
            _fill(folder, {".clsimpact-report": trial.usual[".clsimpact-report"]})
        (folder / name).mkdir(parents=True)
        ending = runner.run(trial.call(folder), **trial.request)
        if ending.status != 0 and (folder / name).is_dir():
            (folder / name).rmdir()
        tally.note(trial, runner, folder, ending, name)
        shutil.rmtree(folder)
    return tally


def bad_servers(runner: Runner, trial: Trial, scratch: Path, server: Server, *, seed: int) -> Tally:
    """Fetch from servers that stall, cut, lie about the length or change the file; then from a good one."""
    tally, draw = Tally("servers that misbehave", trial.name), random.Random(seed)
    good = dict(server.routes)
    for name in (name for name in BAD for _ in range(3)):
        folder = scratch / f"server-{tally.tried}"
        for file, content in FILES.items():
            part = content[: draw.randrange(1, len(content))]
            server.routes[f"/{file}"] = BAD[name](content, part)
        ending = runner.run(trial.call(folder), **trial.request)
        found = trial.problems(folder)
        server.routes = dict(good)
        tally.look_again(trial, runner, ending, Where(folder, folder), found, name)
        shutil.rmtree(folder)
    return tally


BAD: Final[dict[str, Callable[[bytes, bytes], list[serving.Behaviour]]]] = {
    "stalls": lambda content, part: [serving.stalled(part, len(content), etag='"one"')],
    "cuts the connection": lambda content, part: [serving.announced(part, len(content), etag='"one"')],
    "resets the connection": lambda content, part: [serving.announced(part, len(content), reset=True)],
    "announces too much": lambda content, _: [serving.announced(content, len(content) + 1000)],
    "changes the file between two ranges": lambda content, part: [
        serving.announced(part[::-1], len(content), etag='"old"'),
        slowly(content),
    ],
    "answers 503": lambda *_: [serving.status(503)],
}
"""How a server misbehaves, given a file and the beginning of it."""
