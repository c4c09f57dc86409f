"""Commands killed, out of room, without rights, beside themselves: ``make interruptions`` in short."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults import kinds
from tests.faults.client import Ending, Runner, faketime, may_mount
from tests.faults.kinds import Tally
from tests.faults.trials import Trial, trials
from tests.fetch.server import Server, serve

SEED = 7
QUICK = ("fetch", "build", "functions")
"""Commands whose small run takes a second; one of ``replicate`` takes several."""

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")

TryOut = Callable[..., Tally]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serve() as running:
        yield running


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    scratch = tmp_path_factory.mktemp("runner")
    with Runner(scratch, apart=may_mount(scratch)) as running:
        yield running


@pytest.fixture
def small_disk(tmp_path: Path) -> None:
    """The right to mount a small disk."""
    if not may_mount(tmp_path):
        pytest.skip("only root may mount a small disk")


@pytest.fixture(scope="module")
def every(server: Server, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Trial]:
    return trials(server, tmp_path_factory.mktemp("trials"))


@pytest.fixture
def trial(
    request: pytest.FixtureRequest,
    every: dict[str, Trial],
    runner: Runner,
    tmp_path_factory: pytest.TempPathFactory,
) -> Trial:
    """A command whose undisturbed run is known."""
    chosen = every[request.param]
    if not chosen.usual:
        for turn in ("cold", "usual"):
            chosen.measure(runner, tmp_path_factory.mktemp(turn) / "out")
    return chosen


def of(*names: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("trial", names, indirect=True)


def nothing_wrong(tally: Tally, *, struck: int = 1) -> None:
    assert tally.problems == []
    assert tally.struck >= struck


@of("fetch", "build", "replicate", "functions")
def test_killed_at_random_moments(trial: Trial, runner: Runner, tmp_path: Path) -> None:
    times = 2 if trial.name == "replicate" else 5
    nothing_wrong(kinds.kills(runner, trial, tmp_path, times=times, seed=SEED))


@of(*QUICK)
@pytest.mark.parametrize("code", [0, errno.ENOSPC], ids=["killed", "full"])
def test_stopped_at_a_write(trial: Trial, runner: Runner, tmp_path: Path, code: int) -> None:
    nothing_wrong(kinds.at_each_write(runner, trial, tmp_path, code=code, most=2))


@of("build")
def test_no_old_table_stays_beside_a_new_one(trial: Trial, runner: Runner, tmp_path: Path) -> None:
    older = {name: b"older" + content for name, content in trial.usual.items()}
    before = Trial(trial.name, trial.words, {}, older)
    nothing_wrong(kinds.kills_over_old(runner, trial, before, tmp_path, times=2, seed=SEED))


@pytest.mark.usefixtures("small_disk")
@of("fetch")
def test_a_disk_that_is_too_small(trial: Trial, runner: Runner, tmp_path: Path) -> None:
    nothing_wrong(kinds.small_disks(runner, trial, tmp_path, sizes=3))


@pytest.mark.usefixtures("small_disk")
@of("fetch", "build")
def test_a_disk_that_can_only_be_read(trial: Trial, runner: Runner, tmp_path: Path) -> None:
    nothing_wrong(kinds.read_only_disk(runner, trial, tmp_path))


@needs_root
@of("fetch")
def test_a_folder_of_somebody_else(trial: Trial, runner: Runner, tmp_path: Path) -> None:
    nothing_wrong(kinds.no_right(runner, trial, tmp_path))


@of("fetch", "functions")
def test_files_of_a_limited_size(trial: Trial, runner: Runner, tmp_path: Path) -> None:
    nothing_wrong(kinds.small_files(runner, trial, tmp_path, sizes=(5_000,)))


@of("fetch", "build")
def test_two_runs_at_once(trial: Trial, runner: Runner, tmp_path: Path) -> None:
    with Runner(tmp_path / "other") as other:
        nothing_wrong(kinds.two_at_once(runner, other, trial, tmp_path, times=2, seed=SEED))


@of("fetch", "functions")
def test_another_time_zone_and_locale(trial: Trial, runner: Runner, tmp_path: Path) -> None:
    places = [{"TZ": "Pacific/Kiritimati", "LC_ALL": "C"}, {"TZ": "America/St_Johns", "LC_ALL": "C.UTF-8"}]
    nothing_wrong(kinds.surroundings(runner, trial, tmp_path, places, "elsewhere"))


@of("fetch")
@pytest.mark.skipif(faketime() is None, reason="libfaketime is not installed")
def test_a_clock_that_is_set(trial: Trial, tmp_path: Path) -> None:
    clock = tmp_path / "clock"
    clock.write_text("+0", encoding="ascii")
    faked = {"LD_PRELOAD": str(faketime()), "FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_NO_CACHE": "1"}
    with Runner(tmp_path / "timed", FAKETIME_DONT_FAKE_MONOTONIC="1", **faked) as timed:
        dates = ("@1970-01-03 00:00:00", "@2112-02-29 23:59:58")
        nothing_wrong(kinds.clocks(timed, trial, tmp_path, clock, dates))


@of("fetch")
def test_a_long_path_with_spaces_and_accents(trial: Trial, runner: Runner, tmp_path: Path) -> None:
    nothing_wrong(kinds.long_paths(runner, trial, tmp_path, spare=(20, 250)))


@of("fetch")
def test_a_folder_named_like_a_file(trial: Trial, runner: Runner, tmp_path: Path) -> None:
    nothing_wrong(kinds.folders_in_the_way(runner, trial, tmp_path, most=2), struck=2)


class TestTheTrialsNotice:
    """What is looked for would be seen."""

    @of("functions")
    def test_half_a_file(self, trial: Trial, tmp_path: Path) -> None:
        (tmp_path / "fit.json").write_bytes(trial.usual["fit.json"][:-9])
        assert trial.problems(tmp_path) == ["fit.json"]

    @of("build")
    def test_old_beside_new(self, trial: Trial, tmp_path: Path) -> None:
        (tmp_path / "panel.csv").write_bytes(b"old")
        (tmp_path / "adoption.csv").write_bytes(trial.usual["adoption.csv"])
        assert trial.problems(tmp_path, {"panel.csv": b"old"}) == ["old tables beside new ones"]

    def test_a_traceback(self) -> None:
        assert not Ending(1, "Traceback (most recent call last):", 0.0).explained
        assert not Ending(1, "", 0.0).explained
        assert not Ending(99, "clsimpact: words", 0.0).explained
        assert Ending(1, "clsimpact: words", 0.0).explained
