"""Which sources, which folder, which fingerprint: the fetch when the network behaves."""

from __future__ import annotations

import datetime as dt
import io
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import requests

from clsimpact.errors import SourceError
from clsimpact.fetch import (
    LOCK,
    STATUSES,
    connection_answers,
    default_folder,
    fetch,
    raw_destination,
    read_lock,
)
from clsimpact.fetch._choose import choose_sources
from clsimpact.fetch._policy import Policy, RefusedError, check_address, own_hosts
from clsimpact.loaders.manifest import all_sources, load_manifest
from tests.fetch import server as serving
from tests.fetch.server import Server, fingerprint, policy, source, table, workbook

WHOLE = workbook()
DAY = dt.date(2026, 11, 23)
IMMEDIATELY = 0.5
"""Seconds: far less than the timeout that is not waited for."""


def test_only_https_addresses_of_the_manifests_hosts_are_opened() -> None:
    limits = Policy(hosts=own_hosts())
    for known in all_sources().values():
        if known.address:
            check_address(known.address, limits)
    check_address("https://FILES.digital.nhs.uk:443/a.xlsx", limits)


@pytest.mark.parametrize(
    "address",
    [
        "http://files.digital.nhs.uk/a.xlsx",
        "file:///etc/hostname",
        "ftp://files.digital.nhs.uk/a.xlsx",
        "//files.digital.nhs.uk/a.xlsx",
        "https://files.digital.nhs.uk.example.org/a.xlsx",
        "https://example.org/files.digital.nhs.uk/a.xlsx",
        "https://files.digital.nhs.uk@example.org/a.xlsx",
        "https://user:word@files.digital.nhs.uk/a.xlsx",
        "https://files.digital.nhs.uk:8443/a.xlsx",
        "https://example.org\\@files.digital.nhs.uk/a.xlsx",
        "https://files.digital.nhs.uk\\@example.org/a.xlsx",
        "https://files.digital.nhs.uk%2eexample.org/a.xlsx",
        "https://files.digital\n.nhs.uk/a.xlsx",
        " https://files.digital.nhs.uk/a.xlsx",
        "https://[files.digital.nhs.uk/a.xlsx",
        "https://",
        "",
    ],
)
def test_every_other_address_is_refused(address: str) -> None:
    with pytest.raises(RefusedError, match="not opened"):
        check_address(address, Policy(hosts=own_hosts()))


def test_a_record_of_ones_own_must_be_on_the_manifests_hosts(tmp_path: Path, server: Server) -> None:
    report = fetch([source(server)], dest=tmp_path)
    assert report["wanted"].status == "failed"
    assert "https://" in report["wanted"].message
    assert server.seen == []


@pytest.mark.parametrize(
    "path",
    [
        "../outside.xlsx",
        "nhs-digital/../../outside.xlsx",
        "/tmp/outside.xlsx",
        "C:/outside.xlsx",
        "nhs-digital\\outside.xlsx",
        "nhs-digital/.wanted.xlsx.partial",
        "nhs-digital/wanted\n.xlsx",
        "fetched.toml",
        "",
    ],
)
def test_a_path_that_leaves_the_folder_is_refused(path: str, server: Server, tmp_path: Path) -> None:
    server.routes = {"/wanted.xlsx": [serving.good(WHOLE)], "/other.csv": [serving.good(table())]}
    records = [source(server, path=path), source(server, "other.csv")]
    report = fetch(records, dest=tmp_path / "raw", _policy=policy(server, []))
    assert report["wanted"].status == "failed"
    assert "does not stay in the folder" in report["wanted"].message
    assert report["other"].status == "fetched"
    assert server.count("/wanted.xlsx") == 0
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]


def test_the_lock_records_each_file(server: Server, tmp_path: Path) -> None:
    server.routes["/wanted.xlsx"] = [serving.good(WHOLE)]
    wanted = source(server)
    report = fetch([wanted], dest=tmp_path, now=DAY, _policy=policy(server, []))
    entry = read_lock(tmp_path)["wanted"]
    assert (entry.file, entry.sha256, entry.bytes) == (wanted.path, fingerprint(WHOLE), len(WHOLE))
    assert (entry.address, entry.date, entry.origin) == (wanted.address, "2026-11-23", "fetched")
    assert not entry.accepted
    assert (report["wanted"].bytes, report["wanted"].sha256) == (len(WHOLE), fingerprint(WHOLE))
    assert "1 source, 0.3 MB downloaded" in report.summary()


def test_a_later_file_that_differs_is_refused_until_it_is_accepted(server: Server, tmp_path: Path) -> None:
    wanted, newer = source(server), workbook(seed=2)
    server.routes["/wanted.xlsx"] = [serving.good(WHOLE), serving.good(newer)]
    fetch([wanted], dest=tmp_path, now=DAY, _policy=policy(server, []))
    (tmp_path / wanted.path).unlink()
    refused = fetch([wanted], dest=tmp_path, _policy=policy(server, []))["wanted"]
    assert refused.status == "failed"
    for words in (fingerprint(WHOLE), fingerprint(newer), f"{LOCK} of 2026-11-23", "accept_changed"):
        assert words in refused.message
    assert not (tmp_path / wanted.path).exists()
    for status in ("fetched", "verified"):
        again = fetch([wanted], dest=tmp_path, accept_changed="wanted", _policy=policy(server, []))
        assert again["wanted"].status == status
    assert read_lock(tmp_path)["wanted"].sha256 == fingerprint(newer)
    assert fetch([wanted], dest=tmp_path, _policy=policy(server, []))["wanted"].status == "verified"


def test_a_changed_file_of_a_known_fingerprint_can_be_accepted(server: Server, tmp_path: Path) -> None:
    wanted = source(server, sha256=fingerprint(workbook(seed=2)))
    server.routes["/wanted.xlsx"] = [serving.good(WHOLE)]
    fetch([wanted], dest=tmp_path, accept_changed=["wanted"], _policy=policy(server, []))
    assert read_lock(tmp_path)["wanted"].accepted
    assert fetch([wanted], dest=tmp_path, _policy=policy(server, []))["wanted"].status == "verified"


def test_a_file_there_that_nobody_knows_is_recorded_as_found(server: Server, tmp_path: Path) -> None:
    wanted = source(server)
    place = tmp_path / wanted.path
    place.parent.mkdir(parents=True)
    place.write_bytes(WHOLE)
    outcome = fetch([wanted], dest=tmp_path, _policy=policy(server, []))["wanted"]
    assert (outcome.status, outcome.sha256) == ("verified", fingerprint(WHOLE))
    assert "Found in place" in outcome.message
    entry = read_lock(tmp_path)["wanted"]
    assert (entry.origin, entry.address) == ("found in place", "")
    place.write_bytes(workbook(seed=2))
    changed = fetch([wanted], dest=tmp_path, _policy=policy(server, []))["wanted"]
    assert changed.status == "failed"
    assert fingerprint(WHOLE) in changed.message
    assert place.read_bytes() == workbook(seed=2), "a file of the user's is never overwritten"
    assert server.seen == []


def test_a_page_there_under_a_files_name_is_not_believed(server: Server, tmp_path: Path) -> None:
    place = tmp_path / source(server).path
    place.parent.mkdir(parents=True)
    place.write_text("<html>", encoding="utf-8")
    outcome = fetch([source(server)], dest=tmp_path, _policy=policy(server, []))["wanted"]
    assert outcome.status == "failed"
    assert "Move it away" in outcome.message
    assert read_lock(tmp_path) == {}


def test_a_file_elsewhere_in_the_folder_is_found(server: Server, tmp_path: Path) -> None:
    (tmp_path / "wanted.xlsx").write_bytes(WHOLE)
    assert fetch([source(server)], dest=tmp_path, _policy=policy(server, []))["wanted"].status == "verified"
    assert read_lock(tmp_path)["wanted"].file == "wanted.xlsx"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[", "cannot be read"),
        ("[a]\nsha256 = 'x'\n", r"\[a\]"),
        ("a = 1\n", r"\[a\]"),
        (
            "[a]\nfile='f'\nsha256='zz'\nbytes=1\naddress=''\ndate=''\norigin='fetched'\n",
            "64 hexadecimal digits",
        ),
    ],
)
def test_a_lock_that_cannot_be_read_stops_the_run(text: str, says: str, tmp_path: Path) -> None:
    (tmp_path / LOCK).write_text(text, encoding="utf-8")
    with pytest.raises(SourceError, match=says) as caught:
        fetch(dest=tmp_path, offline=True)
    assert LOCK in caught.value.summary


def test_a_lock_entry_survives_odd_names(server: Server, tmp_path: Path) -> None:
    name = 'a "quoted" – naïve.csv'
    server.routes["/odd.csv"] = [serving.good(table())]
    odd = source(server, "odd.csv", path=f"ascof/{name}", file=name)
    fetch([odd], dest=tmp_path, _policy=policy(server, []))
    assert read_lock(tmp_path)["odd"].file == f"ascof/{name}"


def test_offline_asks_for_nothing(server: Server, tmp_path: Path) -> None:
    records = [source(server), source(server, "unknown.csv", address="")]
    report = fetch(records, dest=tmp_path, offline=True, _policy=policy(server, []))
    assert [outcome.status for outcome in report.outcomes] == ["kept offline", "no address known"]
    assert report.ok
    assert server.seen == []
    assert "A publication (A publisher)" in report["unknown"].message


def test_the_official_files_agree_with_the_manifest(official: Path, tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.symlink_to(official)
    report = fetch(list(load_manifest()), dest=raw, offline=True)
    assert {outcome.status for outcome in report.outcomes} == {"verified"}
    assert not (official / LOCK).exists()


def test_reissues_are_preferred_and_superseded_files_kept_apart() -> None:
    latest = choose_sources(None, ["2020-21"], superseded=False)
    every = choose_sources(None, ["2020-21"], superseded=True)
    more = [record for record in every if record not in latest]
    assert [record.id for record in more] == ["tables_2020_21_first"]
    assert "superseded" in Path(more[0].path).parts
    assert "tables_2020_21" in [record.id for record in latest]
    with pytest.raises(SourceError, match="re-issued as tables_2020_21"):
        choose_sources(["tables_2020_21_first"], None, superseded=False)


@pytest.mark.parametrize("year", ["2019-20", "2019/20", "2019", 2019])
def test_a_year_is_chosen_by_label_or_start(year: str | int) -> None:
    chosen = {record.id for record in choose_sources(None, [year], superseded=False)}
    assert {"tables_2019_20", "csv_pack_2019_20", "ascof_csv_2019_20", "asc_fr_salt_2021_22"} <= chosen
    assert "tables_2018_19" not in chosen
    assert not any(name.startswith(("population", "lookup", "gdp")) for name in chosen)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"years": ["2019-02"]}, ["'2019-02' is not a financial year", "'2019-20'", "2014-15 to 2024-25"]),
        ({"years": ["2031-32", "1066"]}, ["no source covers 2031-32", "no source covers 1066-67"]),
        ({"sources": ["tables_2019_21"]}, ["tables_2019_21", "did you mean 'tables_2019_20'"]),
        ({"accept_changed": ["nothing"]}, ["nothing", "clsimpact sources"]),
    ],
)
def test_what_is_not_known_is_refused_with_what_is(
    arguments: dict[str, list[str]], says: list[str], tmp_path: Path
) -> None:
    with pytest.raises(SourceError) as caught:
        fetch(**arguments, dest=tmp_path, offline=True)  # type: ignore[arg-type]
    for words in says:
        assert words in str(caught.value)


def test_the_folder_is_said_and_may_be_chosen(
    tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CLSIMPACT_RAW", raising=False)
    assert default_folder() == root / "data" / "raw"
    monkeypatch.setenv("CLSIMPACT_RAW", str(tmp_path))
    assert raw_destination() == (tmp_path, "the folder that CLSIMPACT_RAW names")
    assert raw_destination(tmp_path / "x")[1] == "the folder asked for"


def test_a_folder_of_made_up_publications_is_refused(tmp_path: Path) -> None:
    text = load_manifest_text("SIMULATED a.csv")
    (tmp_path / "manifest.toml").write_text(text, encoding="utf-8")
    with pytest.raises(SourceError, match="made-up"):
        fetch(dest=tmp_path, offline=True)
    (tmp_path / "file").touch()
    with pytest.raises(SourceError, match="is a file"):
        fetch(dest=tmp_path / "file", offline=True)


def load_manifest_text(path: str) -> str:
    fields = ("publication", "publisher", "years", "adapter", "sha256", "licence", "attribution")
    lines = [f'{name} = "x"' for name in fields]
    return "\n".join(["[[source]]", 'id = "simulated_a"', f'path = "{path}"', "simulated = true", *lines])


def test_the_report_lists_what_is_not_there_and_counts_what_ships(tmp_path: Path) -> None:
    report = fetch(dest=tmp_path, offline=True)
    frame = report.to_frame()
    assert list(frame["source_id"]) == [
        name for name, record in all_sources().items() if not record.superseded_by
    ]
    assert set(frame["status"]) == {"kept offline", "no address known"} < set(STATUSES)
    held = sum(not record.address for record in load_manifest().values())
    text = report.summary()
    assert f"the figures of {held} ship with the library" in text
    assert "no address known: salt_2014_15: No address is known." in text
    assert "population_mid_2015" not in text
    assert str(tmp_path) in text
    with pytest.raises(SourceError, match=r"did not concern 'salt_2014_16' .*'salt_2014_15'"):
        report["salt_2014_16"]


def test_a_progress_bar_is_drawn_only_when_asked_for_and_where_somebody_looks(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    server.routes = {f"/{name}.csv": [serving.good(table())] for name in ("one", "other", "third")}
    fetch([source(server, "one.csv")], dest=tmp_path, _policy=policy(server, []))
    fetch([source(server, "other.csv")], dest=tmp_path, progress=True, _policy=policy(server, []))
    quiet = capsys.readouterr()
    assert (quiet.out, quiet.err) == ("", "")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    fetch([source(server, "third.csv")], dest=tmp_path, progress=True, _policy=policy(server, []))
    assert "third.csv: 100%" in terminal.getvalue()


def test_whether_a_connection_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(code: int) -> None:
        response = requests.Response()
        response.status_code = code
        monkeypatch.setattr(requests, "head", lambda *_, **__: response)

    answer(200)
    assert connection_answers()
    answer(503)
    assert not connection_answers()

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("whatever")

    monkeypatch.setattr(requests, "head", fail)
    assert not connection_answers()
    forever = threading.Event()
    monkeypatch.setattr(requests, "head", lambda *_, **__: forever.wait(20))
    start = dt.datetime.now(dt.UTC)
    assert not connection_answers(timeout=0.05)
    forever.set()
    assert (dt.datetime.now(dt.UTC) - start).total_seconds() < IMMEDIATELY


def test_the_facade_does_not_import_the_network_libraries() -> None:
    words = "import sys, clsimpact; sys.exit('pooch' in sys.modules or 'requests' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", words], check=False).returncode == 0
