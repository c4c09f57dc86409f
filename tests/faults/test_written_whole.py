"""What is written has its name when it is whole, and a disk that refuses is told in words."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from matplotlib.figure import Figure

from clsimpact._disk import cannot_write, is_full
from clsimpact.errors import ClsimpactError
from clsimpact.plots.style import save
from clsimpact.report.tables import Table, to_docx, to_workbook
from clsimpact.store import sweep, write_bytes

TABLE = Table("costs", "Costs", pd.DataFrame({"x": [1.5]}), {"x": "Costs (£)"})
NAME_MAX = 255

WRITERS: dict[str, Callable[[Path], Path]] = {
    "a.svg": lambda path: save(Figure(), path),
    "a.png": lambda path: save(Figure(), path),
    "a.pdf": lambda path: save(Figure(), path),
    "a.xlsx": lambda path: to_workbook([TABLE], path, title="Costs"),
    "a.docx": lambda path: to_docx([TABLE], path),
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk_leaves_what_was_there(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / name
    path.write_bytes(b"as it was")

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", refuse)
        with pytest.raises(ClsimpactError, match=r"cannot be written: the disk is full.\nRepair: Make room"):
            WRITERS[name](path)
    assert path.read_bytes() == b"as it was"
    assert list(tmp_path.iterdir()) == [path]
    WRITERS[name](path)
    first = path.read_bytes()
    WRITERS[name](path)
    assert path.read_bytes() == first != b"as it was"


def test_a_name_as_long_as_names_may_be(tmp_path: Path) -> None:
    path = tmp_path / ("é" * (NAME_MAX // 2) + "x")
    write_bytes(path, b"a")
    assert path.read_bytes() == b"a"
    with pytest.raises(ClsimpactError, match="its path is too long"):
        write_bytes(path.with_name(f"{path.name}x"), b"a")


@pytest.mark.parametrize(
    ("code", "words", "repair"),
    [
        (errno.ENOSPC, "the disk is full", "Make room"),
        (errno.EDQUOT, "the disk is full", "Make room"),
        (errno.EACCES, "no right to write there", "folder of your own"),
        (errno.EROFS, "the disk can only be read", "folder of your own"),
        (errno.EISDIR, "no folder can be there", "folder of your own"),
        (errno.ENAMETOOLONG, "its path is too long", "shorter path"),
        (errno.EIO, os.strerror(errno.EIO), "folder of your own"),
    ],
)
def test_each_refusal_has_words(code: int, words: str, repair: str) -> None:
    error = cannot_write(Path("a.txt"), OSError(code, os.strerror(code)))
    assert error.summary == f"a.txt cannot be written: {words}."
    assert repair in error.repair


def test_a_full_disk_is_known_behind_the_words() -> None:
    cause = OSError(errno.ENOSPC, "full")
    told = ClsimpactError("Not written.", repair="Make room.")
    assert not is_full(told)
    told.__cause__ = cause
    assert is_full(told)
    assert is_full(cause)
    assert not is_full(OSError(errno.EACCES, "no"))
    assert not is_full(None)


def test_sweeping_takes_only_what_a_killed_run_left(tmp_path: Path) -> None:
    for name in (".clsimpact-0a1b.partial", ".clsimpact-report", ".wanted.xlsx.partial", "a.partial"):
        (tmp_path / name).write_bytes(b"a")
    sweep(tmp_path)
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == [".clsimpact-report", ".wanted.xlsx.partial", "a.partial"]
