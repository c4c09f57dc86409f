from __future__ import annotations

import stat
import struct
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clsimpact.errors import SourceError
from clsimpact.loaders._archive import unpack

MIB = 1024**2


def pack(path: Path, members: dict[str, bytes], *, packed: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", packed) as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo("x")
            info.filename = name  # as it is: the constructor would tidy it
            info.compress_type = packed
            archive.writestr(info, content)
    return path


def listing(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def refused(archive: Path, folder: Path, **limits: float) -> str:
    before = listing(folder.parent)
    with pytest.raises(SourceError) as caught:
        unpack(archive, folder, **limits)  # type: ignore[arg-type]
    assert listing(folder.parent) == before, "something was left behind"
    assert archive.name in caught.value.summary
    return str(caught.value)


def test_a_good_archive_is_unpacked_in_its_order(tmp_path: Path) -> None:
    archive = pack(
        tmp_path / "good.zip", {"b.csv": b"1", "data/a.csv": b"22", "data/": b"", "readme.txt": b""}
    )
    files = unpack(archive, tmp_path / "out")
    assert [path.relative_to(tmp_path / "out").as_posix() for path in files] == [
        "b.csv",
        "data/a.csv",
        "readme.txt",
    ]
    assert [path.read_bytes() for path in files] == [b"1", b"22", b""]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("/etc/passwd", "has an absolute path"),
        ("../outside.csv", "leads out of the folder"),
        ("a/../../outside.csv", "leads out of the folder"),
        ("C:/outside.csv", "has a drive letter"),
        ("c:outside.csv", "has a drive letter"),
        ("a\\b.csv", "has a backslash"),
        ("..\\outside.csv", "leads out of the folder"),
        ("a\nb.csv", "has no proper name"),
        (" ", "has no proper name"),
        ("a\u202evsc.exe", "has no proper name"),
        ("a.csv:hidden", "has a colon in its name"),
        ("sub/CON.csv", "has the name of a device"),
        ("nul", "has the name of a device"),
    ],
)
def test_bad_names_are_refused(tmp_path: Path, name: str, message: str) -> None:
    archive = pack(tmp_path / "bad.zip", {"good.csv": b"1", name: b"2"})
    text = refused(archive, tmp_path / "out")
    assert f"{name!r} {message}" in text


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.text(st.sampled_from("./\\:aC\0 "), min_size=1, max_size=8))
def test_no_name_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    inner = tmp_path / "in" / "out"
    archive = pack(tmp_path / "any.zip", {name: b"x"})
    try:
        files = unpack(archive, inner)
    except SourceError:
        files = []
    assert all(path.resolve().is_relative_to(inner.resolve()) for path in files)
    assert set(listing(tmp_path)) <= {"any.zip", "in", "in/out", *(f"in/out/{p}" for p in listing(inner))}
    for path in files:
        path.unlink()


def test_links_and_devices_are_refused(tmp_path: Path) -> None:
    for kind, words in ((stat.S_IFLNK, "is a symbolic link"), (stat.S_IFIFO, "is no file")):
        with zipfile.ZipFile(tmp_path / "link.zip", "w") as archive:
            info = zipfile.ZipInfo("link.csv")
            info.external_attr = (kind | 0o777) << 16
            archive.writestr(info, "/etc/passwd")
        assert f"'link.csv' {words}" in refused(tmp_path / "link.zip", tmp_path / "out")


def test_a_link_inside_the_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "sub").symlink_to(tmp_path / "elsewhere")
    archive = pack(tmp_path / "through.zip", {"sub/file.csv": b"1"})
    assert "'sub/file.csv' leads out of the folder" in refused(archive, tmp_path / "out")


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("names", [("a.csv", "A.csv"), ("caf\u00e9.csv", "cafe\u0301.csv")])
def test_names_that_a_file_system_may_not_tell_apart(tmp_path: Path, names: tuple[str, str]) -> None:
    archive = pack(tmp_path / "twice.zip", dict.fromkeys(names, b"1"))
    assert f"{names[1]!r} stands twice (also as {names[0]!r})" in refused(archive, tmp_path / "out")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_that_stands_twice(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "twice.zip", "w") as archive:
        archive.writestr("a.csv", "1")
        archive.writestr("a.csv", "2")
    assert "'a.csv' stands twice" in refused(tmp_path / "twice.zip", tmp_path / "out")


def test_a_file_that_is_also_a_folder(tmp_path: Path) -> None:
    archive = pack(tmp_path / "both.zip", {"a": b"1", "a/b.csv": b"2"})
    assert "'a/b.csv' lies below a file" in refused(archive, tmp_path / "out")


def test_encrypted_members_are_refused(tmp_path: Path) -> None:
    archive = pack(tmp_path / "secret.zip", {"a.csv": b"1"})
    content = bytearray(archive.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    content[content.index(b"PK\x03\x04") + 6] |= 1
    archive.write_bytes(content)
    assert "'a.csv' is encrypted" in refused(archive, tmp_path / "out")


def test_a_file_that_is_there_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "b.csv").write_text("mine")
    archive = pack(tmp_path / "again.zip", {"a.csv": b"1", "b.csv": b"2"})
    assert "'b.csv' is there already" in refused(archive, tmp_path / "out")
    assert (tmp_path / "out" / "b.csv").read_text() == "mine"


def test_limits_of_count_and_size(tmp_path: Path) -> None:
    archive = pack(tmp_path / "many.zip", {f"{n}.csv": b"12345" for n in range(4)})
    assert "it has 4 members; the limit is 3" in refused(archive, tmp_path / "out", max_files=3)
    assert "its members hold 20 bytes; the limit is 19" in refused(archive, tmp_path / "out", max_bytes=19)
    assert len(unpack(archive, tmp_path / "out", max_files=4, max_bytes=20)) == 4


def test_an_absurd_ratio_is_refused_and_what_came_before_is_removed(tmp_path: Path) -> None:
    archive = pack(tmp_path / "bomb.zip", {"good/a.csv": b"1", "bomb.csv": bytes(4 * MIB)})
    message = "'bomb.csv' becomes more than 200 times its packed size"
    assert message in refused(archive, tmp_path / "out")
    assert len(unpack(archive, tmp_path / "out", max_ratio=2000)) == 2


def test_a_member_that_holds_more_than_it_declares_is_refused(tmp_path: Path) -> None:
    archive = pack(tmp_path / "lie.zip", {"lie.csv": bytes(4 * MIB)})
    content = bytearray(archive.read_bytes())
    struct.pack_into("<I", content, content.index(b"PK\x01\x02") + 24, 10)
    struct.pack_into("<I", content, content.index(b"PK\x03\x04") + 22, 10)
    archive.write_bytes(content)
    assert "is no zip archive, or a broken one" in refused(archive, tmp_path / "out", max_bytes=100)


@pytest.mark.parametrize("content", [b"", b"<html></html>", b"PK\x05\x06"])
def test_what_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "page.zip"
    path.write_bytes(content)
    assert "is no zip archive, or a broken one" in refused(path, tmp_path / "out")


def test_damage_inside_a_member_is_noticed(tmp_path: Path) -> None:
    archive = pack(tmp_path / "hurt.zip", {"a.csv": b"1", "b.csv": b"23456789"}, packed=zipfile.ZIP_STORED)
    archive.write_bytes(archive.read_bytes().replace(b"23456789", b"23456780"))
    assert "Bad CRC-32" in refused(archive, tmp_path / "out")


def test_a_truncated_archive_is_refused(tmp_path: Path) -> None:
    archive = pack(tmp_path / "cut.zip", {"a.csv": b"1" * 1000})
    archive.write_bytes(archive.read_bytes()[:-30])
    assert "is no zip archive, or a broken one" in refused(archive, tmp_path / "out")


def test_a_disk_that_is_full_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = pack(tmp_path / "good.zip", {"a.csv": b"1", "b.csv": b"2"})
    real = Path.open

    def full(self: Path, mode: str = "r", *rest: object, **more: object) -> object:
        if self.name == "b.csv" and "x" in mode:
            raise OSError(28, "No space left on device")
        return real(self, mode, *rest, **more)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", full)
    assert "No space left on device" in refused(archive, tmp_path / "out")
