"""One run at a time in a folder, tables replaced together, and what a killed run leaves."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from clsimpact import store
from clsimpact._alone import alone_in
from clsimpact._replaced import finish, replaced
from clsimpact.errors import ClsimpactError, SourceError
from clsimpact.fetch import fetch
from clsimpact.fetch._transfer import partial_of
from clsimpact.loaders.manifest import Source
from clsimpact.panel import load_panel
from clsimpact.rebuild import build
from clsimpact.report.replicate import replicate, report_folder
from tests.faults.trials import STUDY
from tests.fetch.server import Server, good, policy, serve, source, table

ANOTHER = "Another run writes to"


class TestAlone:
    @pytest.mark.parametrize("command", ["fetch", "build", "replicate"])
    def test_a_second_run_is_refused(
        self, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small: Path
    ) -> None:
        monkeypatch.delenv("CLSIMPACT_RAW", raising=False)
        runs = {
            "fetch": lambda: fetch(dest=tmp_path),
            "build": lambda: build(out=tmp_path),
            "replicate": lambda: replicate(tmp_path, study=small),
        }
        with alone_in(tmp_path), pytest.raises(SourceError, match=ANOTHER):
            runs[command]()

    def test_the_folder_is_free_afterwards_and_holds_no_lock(self, tmp_path: Path) -> None:
        with pytest.raises(KeyError), alone_in(tmp_path / "new"):
            raise KeyError
        with alone_in(tmp_path / "new"):
            assert list((tmp_path / "new").iterdir()) == []

    def test_a_disk_that_cannot_lock_is_no_obstacle(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: object) -> None:
            raise OSError(os.EX_OSERR, "no locks available")

        monkeypatch.setattr("fcntl.flock", refuse)
        with alone_in(tmp_path), alone_in(tmp_path):
            assert tmp_path.is_dir()

    def test_a_system_without_locks_is_none_either(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("clsimpact._alone.find_spec", lambda _: None)
        with alone_in(tmp_path), alone_in(tmp_path):
            assert tmp_path.is_dir()

    def test_a_place_that_is_taken(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"a")
        with pytest.raises(ClsimpactError, match="cannot be written"), alone_in(tmp_path / "file"):
            pass


class TestReplaced:
    def test_nothing_is_touched_before_all_is_written(self, tmp_path: Path) -> None:
        (tmp_path / "a.txt").write_bytes(b"old")

        def stop(place: Path) -> None:
            (place / "a.txt").write_bytes(b"new")
            raise KeyError

        with pytest.raises(KeyError), replaced(tmp_path) as place:
            stop(place)
        assert [path.name for path in tmp_path.rglob("*")] == ["a.txt"]
        assert (tmp_path / "a.txt").read_bytes() == b"old"

    def test_what_was_left_to_move_is_moved(self, tmp_path: Path) -> None:
        (tmp_path / "b.txt").write_bytes(b"old")
        whole = tmp_path / store.WHOLE
        (whole / "below").mkdir(parents=True)
        (whole / "b.txt").write_bytes(b"new")
        (whole / "below" / "c.txt").write_bytes(b"new")
        finish(tmp_path)
        assert (tmp_path / "b.txt").read_bytes() == (tmp_path / "below" / "c.txt").read_bytes() == b"new"
        assert not whole.exists()

    def test_a_place_that_is_taken_is_named_and_nothing_is_lost(self, tmp_path: Path) -> None:
        (tmp_path / "a.txt").mkdir()
        with pytest.raises(ClsimpactError, match=r"a\.txt cannot be written"), replaced(tmp_path) as place:
            (place / "a.txt").write_bytes(b"new")
        assert (tmp_path / store.WHOLE / "a.txt").read_bytes() == b"new"
        (tmp_path / "a.txt").rmdir()
        finish(tmp_path)
        assert (tmp_path / "a.txt").read_bytes() == b"new"

    def test_readers_refuse_tables_that_are_half_replaced(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / store.WHOLE).mkdir()
        for name in ("panel.parquet", "adoption.parquet"):
            (tmp_path / name).write_bytes((store.processed_folder() / name).read_bytes())
        monkeypatch.setattr(store, "processed_folder", lambda: tmp_path)
        with pytest.raises(SourceError, match=r"are being replaced.*\nRepair: .*clsimpact build"):
            load_panel()
        finish(tmp_path)
        assert len(load_panel()) > 0


class TestWhatIsLeft:
    def test_a_report_that_was_killed_in_its_first_moment(self, tmp_path: Path) -> None:
        (tmp_path / ".clsimpact-00ff.partial").write_bytes(b"A report")
        assert report_folder(tmp_path) == tmp_path

    def test_a_fetch_that_was_killed_after_its_last_rename(self, tmp_path: Path) -> None:
        with serve() as server:
            wanted = self._fetched(server, tmp_path)
            place = tmp_path / wanted.path
            left = partial_of(place)
            left.with_name(f"{left.name}.json").write_text("{}", encoding="utf-8")
            (place.parent / ".clsimpact-00ff.partial").write_bytes(b"{")
            self._fetched(server, tmp_path)
        assert [path.name for path in place.parent.iterdir()] == [place.name]

    def _fetched(self, server: Server, folder: Path) -> Source:
        wanted = source(server, "one.csv")
        server.routes["/one.csv"] = [good(table())]
        assert fetch([wanted], dest=folder, _policy=policy(server, [])).ok
        return wanted


@pytest.fixture
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("study") / "study.toml"
    path.write_text(STUDY, encoding="utf-8")
    (path.parent / "panel.csv").write_text("town,year,since,accidents\nA,2010,,1\n", encoding="utf-8")
    return path
