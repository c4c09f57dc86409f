"""A run that is stopped, killed or out of room: what stays is a partial file, continued or thrown away."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from clsimpact.fetch import LOCK, fetch, read_lock
from clsimpact.fetch import _transfer as transfer
from clsimpact.fetch._transfer import CHUNK, partial_of
from tests.fetch import server as serving
from tests.fetch.server import Server, fingerprint, policy, source, table, workbook

WHOLE = workbook()
PART = 200_000
LONG = 60.0
"""Seconds without a byte that no test lasts."""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def begin(server: Server, folder: Path, *, etag: str = '"one"') -> Path:
    """Leave a partial file as a run leaves it whose connection broke off at every attempt."""
    server.routes["/wanted.xlsx"] = [serving.announced(WHOLE[:PART], len(WHOLE), etag=etag)]
    wanted = source(server)
    report = fetch([wanted], dest=folder, _policy=policy(server, [], waits=()))
    assert report["wanted"].status == "failed"
    return partial_of(folder / wanted.path)


def finish(server: Server, folder: Path) -> dict[str, str]:
    """Fetch once more; return the headers of the last request."""
    report = fetch([source(server)], dest=folder, _policy=policy(server, []))
    assert report["wanted"].status == "fetched", report["wanted"].message
    assert (folder / source(server).path).read_bytes() == WHOLE
    assert names(folder) == sorted([LOCK, "wanted.xlsx"])
    return server.seen[-1][1]


def test_a_download_is_continued_where_it_broke_off(server: Server, tmp_path: Path) -> None:
    partial = begin(server, tmp_path)
    size = partial.stat().st_size
    assert 0 < size <= PART
    assert names(tmp_path) == [".wanted.xlsx.partial", ".wanted.xlsx.partial.json"]
    assert fetch([source(server)], dest=tmp_path, offline=True)["wanted"].status == "kept offline"
    server.routes["/wanted.xlsx"] = [serving.good(WHOLE)]
    headers = finish(server, tmp_path)
    assert headers["range"] == f"bytes={size}-"
    assert headers["if-range"] == '"one"'
    assert headers["accept-encoding"] == "identity"


def test_another_edition_is_not_joined_to_the_one_begun(server: Server, tmp_path: Path) -> None:
    begin(server, tmp_path, etag='"old"')
    server.routes["/wanted.xlsx"] = [serving.good(WHOLE)]
    assert finish(server, tmp_path)["if-range"] == '"old"'


def test_a_shorter_edition_leaves_nothing_of_the_one_begun(server: Server, tmp_path: Path) -> None:
    shorter = workbook(PART // 4, seed=3)
    begin(server, tmp_path, etag='"old"')
    server.routes["/wanted.xlsx"] = [serving.good(shorter)]
    fetch([source(server)], dest=tmp_path, _policy=policy(server, []))
    assert (tmp_path / source(server).path).read_bytes() == shorter


def test_a_continuation_that_ends_early_is_continued(server: Server, tmp_path: Path) -> None:
    size = begin(server, tmp_path).stat().st_size
    more = 10

    def behave(handler: serving.Handler) -> None:
        span = f"bytes {size}-{len(WHOLE) - 1}/{len(WHOLE)}"
        handler.head(206, Content_Length=more, Content_Range=span, ETag='"one"')
        handler.wfile.write(WHOLE[size : size + more])

    server.routes["/wanted.xlsx"] = [behave, serving.good(WHOLE)]
    assert finish(server, tmp_path)["range"] == f"bytes={size + more}-"


def test_a_weak_mark_is_no_ground_to_continue(server: Server, tmp_path: Path) -> None:
    begin(server, tmp_path, etag='W/"one"')
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    "answer",
    [
        serving.status(416),
        lambda handler: handler.head(206, Content_Length=0, Content_Range="bytes 0-9/10", ETag='"one"'),
        lambda handler: handler.head(206, Content_Length=0, Content_Range="", ETag='"one"'),
    ],
    ids=["416", "another range", "no range"],
)
def test_a_wrong_continuation_starts_again(answer: serving.Behaviour, server: Server, tmp_path: Path) -> None:
    begin(server, tmp_path)
    server.routes["/wanted.xlsx"] = [answer, serving.good(WHOLE)]
    assert "range" not in finish(server, tmp_path)


def test_a_continued_body_that_is_damaged_gets_another_chance(server: Server, tmp_path: Path) -> None:
    partial = begin(server, tmp_path)
    partial.write_bytes(bytes(partial.stat().st_size))
    server.routes["/wanted.xlsx"] = [serving.good(WHOLE)]
    assert "range" not in finish(server, tmp_path)


def test_a_whole_partial_file_is_checked_without_a_download(server: Server, tmp_path: Path) -> None:
    partial = begin(server, tmp_path)
    partial.write_bytes(WHOLE)
    asked = len(server.seen)
    finish(server, tmp_path)
    assert len(server.seen) == asked


def test_a_stray_partial_file_is_not_believed(server: Server, tmp_path: Path) -> None:
    partial = partial_of(tmp_path / source(server).path)
    partial.parent.mkdir(parents=True)
    partial.write_bytes(b"whatever")
    server.routes["/wanted.xlsx"] = [serving.good(WHOLE)]
    assert "range" not in finish(server, tmp_path)


def test_an_interrupted_run_keeps_what_was_whole(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.routes = {"/wanted.xlsx": [serving.good(WHOLE)], "/first.csv": [serving.good(table())]}
    taken: list[int] = []
    write = transfer._Receiver.write

    def interrupt(receiver: transfer._Receiver, chunk: bytes) -> None:
        if receiver.position >= CHUNK:
            raise KeyboardInterrupt
        write(receiver, chunk)
        taken.append(len(chunk))

    with monkeypatch.context() as patch:
        patch.setattr(transfer._Receiver, "write", interrupt)
        with pytest.raises(KeyboardInterrupt):
            fetch([source(server, "first.csv"), source(server)], dest=tmp_path, _policy=policy(server, []))
    assert names(tmp_path) == [".wanted.xlsx.partial", ".wanted.xlsx.partial.json", LOCK, "first.csv"]
    assert list(read_lock(tmp_path)) == ["first"]
    (tmp_path / source(server, "first.csv").path).unlink()
    (tmp_path / LOCK).unlink()
    assert finish(server, tmp_path)["range"] == f"bytes={CHUNK}-"


CHILD = """
import sys
from pathlib import Path
from clsimpact.fetch import fetch
from tests.fetch.server import Source, Policy
place, folder = sys.argv[1:]
record = Source(id="wanted", file="wanted.xlsx", path="nhs-digital/2019-20/wanted.xlsx", publication="",
                publisher="", years="2019-20", adapter="data_tables", sha256="", licence="", attribution="",
                address=f"http://{place}/wanted.xlsx")
fetch([record], dest=folder, _policy=Policy(frozenset({place}), frozenset({"http"})))
"""


def test_a_killed_run_leaves_only_a_partial_file(server: Server, tmp_path: Path, root: Path) -> None:
    server.routes["/wanted.xlsx"] = [serving.stalled(WHOLE[:PART], len(WHOLE), etag='"one"')]
    partial = partial_of(tmp_path / source(server).path)
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, server.place, str(tmp_path)],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    until = time.monotonic() + LONG
    while not (partial.is_file() and partial.stat().st_size >= CHUNK) and time.monotonic() < until:
        assert child.poll() is None, "the child ended by itself"
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    assert names(tmp_path) == [".wanted.xlsx.partial", ".wanted.xlsx.partial.json"]
    kept = partial.stat().st_size
    assert CHUNK <= kept <= PART
    server.routes["/wanted.xlsx"] = [serving.good(WHOLE)]
    assert finish(server, tmp_path)["range"] == f"bytes={kept}-"


@pytest.mark.parametrize("where", ["body", "lock", "rename"])
def test_a_full_disk_costs_one_source(
    where: str, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.routes = {"/wanted.xlsx": [serving.good(WHOLE)], "/other.csv": [serving.good(table())]}
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def refuse(*_: object) -> None:
        raise full

    targets = {
        "body": ("clsimpact.fetch._transfer._Receiver.write", lambda r: "wanted" in r.partial.name),
        "lock": ("clsimpact.fetch._run.record", lambda _, name: name == "wanted"),
        "rename": ("pathlib.Path.replace", lambda path: path.name == ".wanted.xlsx.partial"),
    }
    target, concerned = targets[where]
    module, _, name = target.rpartition(".")
    owner = _resolve(module)
    real = getattr(owner, name)

    def patched(*given: object) -> object:
        few = given[: concerned.__code__.co_argcount]
        return refuse() if concerned(*few) else real(*given)

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, patched)
        report = fetch(
            [source(server), source(server, "other.csv")], dest=tmp_path, _policy=policy(server, [])
        )
    assert report["wanted"].status == "failed"
    assert "The disk is full" in report["wanted"].message
    assert "make room" in report["wanted"].message
    assert report["other"].status == "fetched"
    assert names(tmp_path) == [LOCK, "other.csv"]
    (tmp_path / source(server, "other.csv").path).unlink()
    finish(server, tmp_path)


def _resolve(words: str) -> object:
    import importlib

    with contextlib.suppress(ModuleNotFoundError):
        return importlib.import_module(words)
    module, _, name = words.rpartition(".")
    return getattr(importlib.import_module(module), name)


def test_a_folder_that_cannot_be_written_is_named(server: Server, tmp_path: Path) -> None:
    server.routes = {"/wanted.xlsx": [serving.good(WHOLE)], "/other.csv": [serving.good(table())]}
    (tmp_path / "nhs-digital").write_text("in the way", encoding="utf-8")
    other = source(server, "other.csv", path="ascof/other.csv")
    report = fetch([source(server), other], dest=tmp_path, _policy=policy(server, []))
    assert report["wanted"].status == "failed"
    assert "could not be written" in report["wanted"].message
    assert report["other"].status == "fetched"


def test_the_fingerprint_is_recorded_before_the_file_gets_its_name(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.routes["/wanted.xlsx"] = [serving.good(WHOLE)]

    def stop(path: Path, *_: object) -> Path:
        if path.name == ".wanted.xlsx.partial":
            raise KeyboardInterrupt
        return rename(path, *_)

    rename = Path.replace
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", stop)
        with pytest.raises(KeyboardInterrupt):
            fetch([source(server)], dest=tmp_path, _policy=policy(server, []))
    assert read_lock(tmp_path)["wanted"].sha256 == fingerprint(WHOLE)
    assert not (tmp_path / source(server).path).exists()
    asked = len(server.seen)
    finish(server, tmp_path)
    assert len(server.seen) == asked
