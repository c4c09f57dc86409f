"""What a server can do wrong: each with its message, and none leaves a file that a later run trusts."""

from __future__ import annotations

import io
import itertools
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from clsimpact.fetch import LOCK, FetchReport, fetch, read_lock
from clsimpact.loaders.manifest import Source
from tests.fetch import server as serving
from tests.fetch.server import Behaviour, Server, fingerprint, policy, source, table, workbook

WHOLE = workbook()
LATER = "Retry-After"
ALL_ATTEMPTS = 4
"""One attempt and the three waits of the policy."""


def bomb() -> bytes:
    """An archive of 60 kB that would unpack to 64 MiB."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("xl/sheet1.xml", bytes(64 * 1024 * 1024))
    return stream.getvalue()


def crowd() -> bytes:
    """An archive of too many files."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        for number in range(2001):
            archive.writestr(str(number), "")
    return stream.getvalue()


def flipped() -> bytes:
    """The archive with one byte of its content changed."""
    middle = len(WHOLE) // 2
    return WHOLE[:middle] + bytes([WHOLE[middle] ^ 1]) + WHOLE[middle + 1 :]


@dataclass(frozen=True)
class Case:
    """One way to misbehave.

    ``routes`` are what the server does at each address, by the time it is asked; ``says`` are words of the
    message, ``asked`` is how often the source's own address is asked for, ``waits`` what is waited between.
    """

    name: str
    routes: Callable[[Server], dict[str, list[Behaviour]]]
    says: tuple[str, ...]
    asked: int = 1
    waits: tuple[float, ...] = ()
    file: str = "wanted.xlsx"
    limits: dict[str, object] = field(default_factory=dict)
    record: dict[str, object] = field(default_factory=dict)


def always(
    behaviour: Behaviour, path: str = "/wanted.xlsx"
) -> Callable[[Server], dict[str, list[Behaviour]]]:
    return lambda _: {path: [behaviour]}


def loop(server: Server) -> dict[str, list[Behaviour]]:
    return {"/wanted.xlsx": [serving.moved("/other")], "/other": [serving.moved("/wanted.xlsx", 301)]}


def chain(_: Server) -> dict[str, list[Behaviour]]:
    hops = {f"/{n}": [serving.moved(f"/{n + 1}")] for n in range(9)}
    return {"/wanted.xlsx": [serving.moved("/0")], **hops}


BACK_OFF = (1.0, 2.0, 4.0)
PAGE = b"\xef\xbb\xbf \n<!DOCTYPE html><html><body>Please accept our cookies, then try again</body></html>"
CSV = {"file": "wanted.csv"}
CASES = [
    Case("page instead of a workbook", always(serving.body(PAGE)), ("web page",)),
    Case("page instead of a table", always(serving.body(PAGE), "/wanted.csv"), ("web page",), **CSV),
    Case("error in JSON", always(serving.body(b'{"error":1}'), "/wanted.csv"), ("no .csv file",), **CSV),
    Case("words", always(serving.body(b"Denied."), "/wanted.csv"), ("begins 'Denied.'",), **CSV),
    Case("workbook as table", always(serving.body(WHOLE), "/wanted.csv"), ("workbook or an",), **CSV),
    Case("zero bytes", always(serving.body(table() + bytes(9)), "/wanted.csv"), ("zero bytes",), **CSV),
    Case(
        "no end announced", always(serving.endless(table()), "/wanted.csv"), ("where the file ends",), **CSV
    ),
    Case("no .xls", always(serving.body(table()), "/wanted.xls"), ("no .xls workbook",), file="wanted.xls"),
    Case("empty body", always(serving.body(b"")), ("empty",)),
    Case(
        "truncated body",
        always(serving.announced(WHOLE[:200_000], len(WHOLE))),
        ("broke off after", "Tried 4 times"),
        ALL_ATTEMPTS,
        BACK_OFF,
    ),
    Case(
        "length far too large",
        always(serving.announced(WHOLE, len(WHOLE) * 9)),
        ("broke off after",),
        ALL_ATTEMPTS,
        BACK_OFF,
    ),
    Case("length above the limit", always(serving.announced(b"", 10**12)), ("1,000,000,000,000", "MiB")),
    Case(
        "more than the limit",
        always(serving.chunked(WHOLE, whole=True)),
        ("sent more than it may",),
        limits={"largest": 100_000},
    ),
    Case(
        "chunks cut off",
        always(serving.chunked(WHOLE[:100_000])),
        ("broke off after",),
        ALL_ATTEMPTS,
        BACK_OFF,
    ),
    Case(
        "connection reset",
        always(serving.announced(WHOLE[:200_000], len(WHOLE), reset=True)),
        ("broke off after",),
        ALL_ATTEMPTS,
        BACK_OFF,
    ),
    Case(
        "slow body",
        always(serving.stalled(WHOLE[:1000], len(WHOLE))),
        ("sent nothing for too long",),
        2,
        (0.5,),
        limits={"waits": (0.5,)},
    ),
    Case("body cut by its length", always(serving.body(WHOLE[:-100])), ("cut off or damaged",)),
    Case("one byte wrong", always(serving.body(flipped())), ("check sum", "xl/sheet1.bin")),
    Case("zip bomb", always(serving.body(bomb())), ("200 times its size",)),
    Case("too many files", always(serving.body(crowd())), ("2,002 files",)),
    Case(
        "pack of too many files",
        always(serving.body(crowd()), "/wanted.zip"),
        ("2,002 files; 200 are allowed",),
        file="wanted.zip",
    ),
    Case(
        "archive of another kind",
        always(serving.body(WHOLE), "/wanted.ods"),
        ("no .ods file", "content.xml"),
        file="wanted.ods",
    ),
    Case(
        "wrong hash",
        always(serving.body(workbook(seed=2))),
        (fingerprint(workbook(seed=2)), fingerprint(WHOLE), "the manifest", "accept_changed=['wanted']"),
        record={"sha256": fingerprint(WHOLE)},
    ),
    Case("404", always(serving.status(404)), ("no file at this address", "404")),
    Case("403", always(serving.status(403)), ("does not hand it out", "403")),
    Case("no content", always(serving.status(204)), ("204",)),
    Case("500 always", always(serving.status(500)), ("HTTP 500", "Tried 4 times"), ALL_ATTEMPTS, BACK_OFF),
    Case(
        "429 with a wait",
        always(serving.status(429, **{LATER: 7})),
        ("HTTP 429",),
        ALL_ATTEMPTS,
        (7.0, 7.0, 7.0),
    ),
    Case("429 with a long wait", always(serving.status(429, **{LATER: 3600})), ("3,600 seconds",)),
    Case("redirect loop", loop, ("loop", "/other -> ")),
    Case("redirects without end", chain, ("More than 5 redirects", "/4")),
    Case("redirect to nowhere", always(serving.moved("")), ("not said where to",)),
    Case("foreign host", always(serving.moved("http://localhost:9/wanted.xlsx")), ("not on a host",)),
    Case("host as user", always(serving.moved("http://127.0.0.1@localhost:9/")), ("not on a host",)),
    Case("another scheme", always(serving.moved("file:///etc/hostname")), ("does not begin with http://",)),
    Case(
        "yet another scheme", always(serving.moved("ftp://127.0.0.1/wanted.xlsx")), ("does not begin with",)
    ),
    Case("backslash", always(serving.moved("http:\\\\localhost:9\\")), ("is no address",)),
]


def contents(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_failure_is_named_and_leaves_nothing_to_trust(
    case: Case, server: Server, tmp_path: Path
) -> None:
    waited: list[float] = []
    wanted = source(server, case.file, **case.record)
    other = source(server, "other.csv")
    server.routes = {**case.routes(server), "/other.csv": [serving.good(table())]}

    def run(waited: list[float], **limits: object) -> FetchReport:
        return fetch([wanted, other], dest=tmp_path, _policy=policy(server, waited, **limits))

    report = run(waited, **case.limits)
    outcome = report["wanted"]
    assert outcome.status == "failed"
    assert not report.ok
    for words in (*case.says, "Repair:"):
        assert words in outcome.message
    assert wanted.address in outcome.message
    assert server.count(f"/{case.file}") == case.asked
    assert tuple(waited) == case.waits
    assert report["other"].status == "fetched"
    assert contents(tmp_path) == [LOCK, "other.csv"]
    assert list(read_lock(tmp_path)) == ["other"]
    _recovers(run, server, wanted, tmp_path)


def _recovers(run: Callable[..., FetchReport], server: Server, wanted: Source, folder: Path) -> None:
    """A later good run succeeds and is verified; the one after it asks for nothing."""
    content = WHOLE if wanted.file.endswith("xlsx") else table()
    if wanted.file.endswith((".xls", ".ods", ".zip")):
        return  # The server has no such file.
    server.routes[f"/{wanted.file}"] = [serving.good(content)]
    later = run([])
    assert later.ok
    assert (later["wanted"].status, later["other"].status) == ("fetched", "verified")
    assert later["wanted"].sha256 == fingerprint(content)
    assert (folder / wanted.path).read_bytes() == content
    assert read_lock(folder)["wanted"].sha256 == fingerprint(content)
    assert contents(folder) == sorted([LOCK, "other.csv", wanted.file])
    asked = len(server.seen)
    last = run([])
    assert [outcome.status for outcome in last.outcomes] == ["verified", "verified"]
    assert len(server.seen) == asked


@pytest.mark.parametrize(
    ("first", "waits"),
    [
        (serving.status(500), (1.0,)),
        (serving.status(503, **{LATER: 3}), (3.0,)),
        (serving.announced(WHOLE[:200_000], len(WHOLE)), (1.0,)),
        (serving.stalled(WHOLE[:1000], len(WHOLE)), (1.0,)),
    ],
    ids=["500", "503 with a wait", "cut off", "slow"],
)
def test_a_passing_failure_is_tried_again(
    first: Behaviour, waits: tuple[float, ...], server: Server, tmp_path: Path
) -> None:
    waited: list[float] = []
    server.routes["/wanted.xlsx"] = [first, serving.good(WHOLE)]
    report = fetch([source(server)], dest=tmp_path, _policy=policy(server, waited))
    assert report["wanted"].status == "fetched"
    assert tuple(waited) == waits
    assert (tmp_path / source(server).path).read_bytes() == WHOLE


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_redirect_on_the_same_host_is_followed(code: int, server: Server, tmp_path: Path) -> None:
    server.routes = {
        "/wanted.xlsx": [serving.moved("/new%20place/x.xlsx#part", code)],
        "/new%20place/x.xlsx": [serving.good(WHOLE)],
    }
    report = fetch([source(server)], dest=tmp_path, _policy=policy(server, []))
    assert report["wanted"].sha256 == fingerprint(WHOLE)


def test_a_body_that_takes_too_long_is_given_up(server: Server, tmp_path: Path) -> None:
    server.routes["/wanted.xlsx"] = [serving.body(WHOLE)]
    outcome = fetch([source(server)], dest=tmp_path, _policy=policy(server, [], longest=0.0))["wanted"]
    assert outcome.status == "failed"
    assert "Not whole after 0 seconds. Tried 4 times." in outcome.message
    assert contents(tmp_path) == []


@pytest.mark.parametrize(("hops", "status"), [(5, "fetched"), (6, "failed")])
def test_five_redirects_are_followed_and_no_more(
    hops: int, status: str, server: Server, tmp_path: Path
) -> None:
    names = ["/wanted.xlsx", *(f"/{hop}" for hop in range(1, hops + 1))]
    server.routes = {name: [serving.moved(after)] for name, after in itertools.pairwise(names)}
    server.routes[names[-1]] = [serving.good(WHOLE)]
    report = fetch([source(server)], dest=tmp_path, _policy=policy(server, []))
    assert report["wanted"].status == status
    assert len(server.seen) == 6


def test_the_name_the_server_proposes_is_not_used(server: Server, tmp_path: Path) -> None:
    proposal = 'attachment; filename="../../../evil.xlsx"'
    server.routes["/wanted.xlsx"] = [serving.body(WHOLE, Content_Disposition=proposal)]
    fetch([source(server)], dest=tmp_path / "raw", _policy=policy(server, []))
    assert contents(tmp_path) == [LOCK, "wanted.xlsx"]


def test_a_chunked_body_that_is_whole_is_taken(server: Server, tmp_path: Path) -> None:
    server.routes["/wanted.csv"] = [serving.chunked(table(), whole=True)]
    report = fetch([source(server, "wanted.csv")], dest=tmp_path, _policy=policy(server, []))
    assert report["wanted"].sha256 == fingerprint(table())


def test_a_host_without_a_connection_is_tried_once_more_only(server: Server, tmp_path: Path) -> None:
    waited: list[float] = []
    gone = f"127.0.0.1:{_closed_port()}"
    records = [source(server, f"{name}.csv", address=f"http://{gone}/{name}.csv") for name in "abc"]
    limits = policy(server, waited, hosts=frozenset({gone}))
    report = fetch(records, dest=tmp_path, _policy=limits)
    assert waited == list(BACK_OFF)
    assert "No connection to" in report["a"].message
    assert "Tried 4 times." in report["a"].message
    assert "Tried 1 time." in report["c"].message


def _closed_port() -> int:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
