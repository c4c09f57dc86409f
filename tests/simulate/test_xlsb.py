"""Two independent readers must find in a workbook what was written."""

from __future__ import annotations

import tempfile
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import python_calamine
import pyxlsb
from hypothesis import given, settings
from hypothesis import strategies as st

from clsimpact.errors import LayoutError, SourceError
from clsimpact.loaders._long_sheet import read_long_sheet
from clsimpact.loaders.manifest import all_sources
from clsimpact.simulate import xlsb
from clsimpact.simulate.xlsb import write_xlsb

TEXTS = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FFF), max_size=12)
CELLS = st.one_of(TEXTS, st.floats(-1e12, 1e12), st.none())
SOURCE = all_sources()["asc_fr_2017_18"]


def by_calamine(path: Path) -> list[list[object]]:
    return python_calamine.load_workbook(path).get_sheet_by_index(0).to_python()


def by_pyxlsb(path: Path, width: int) -> list[list[object]]:
    with pyxlsb.open_workbook(str(path)) as book, book.get_sheet(1) as sheet:
        rows = [[cell.v for cell in row] for row in sheet.rows()]
    return [
        [("" if value is None else value) for value in [*row, *[None] * (width - len(row))]] for row in rows
    ]


@given(st.lists(st.tuples(CELLS, CELLS, CELLS), max_size=8))
@settings(max_examples=60, deadline=None)
def test_both_readers_find_what_was_written(rows: list[tuple[object, object, object]]) -> None:
    table = pd.DataFrame(rows, columns=["A", "B", "C"], dtype="object")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "SIMULATED.xlsb"
        write_xlsb(table, path, sheet="SIMULATED", title="made up")
        wanted = [["made up", "", ""], ["A", "B", "C"]]
        wanted += [["" if cell is None else cell for cell in row] for row in rows]  # type: ignore[misc]
        assert by_calamine(path) == wanted[: 2 + last_filled(rows)]
        assert by_pyxlsb(path, 3) == wanted


def last_filled(rows: list[tuple[object, object, object]]) -> int:
    """Calamine leaves out rows without a cell at the end."""
    filled = [place for place, row in enumerate(rows, start=1) if any(cell not in (None, "") for cell in row)]
    return max(filled, default=0)


def test_categories_and_several_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xlsb, "_CHUNK", 7)
    table = pd.DataFrame({"A": pd.Categorical(list("xyzzy") * 5), "B": np.arange(25) / 8})
    write_xlsb(table, tmp_path / "a.xlsb", sheet="S", title="T")
    wanted = [["T", ""], ["A", "B"], *table.astype("object").to_numpy().tolist()]
    assert by_calamine(tmp_path / "a.xlsb") == by_pyxlsb(tmp_path / "a.xlsb", 2) == wanted


def test_same_table_gives_the_same_bytes(tmp_path: Path) -> None:
    table = pd.DataFrame({"A": ["x", "y"], "B": [1.0, 2.0]})
    for name in ("a.xlsb", "b.xlsb"):
        write_xlsb(table, tmp_path / name, sheet="S", title="T")
    assert (tmp_path / "a.xlsb").read_bytes() == (tmp_path / "b.xlsb").read_bytes()


def test_more_rows_than_a_sheet_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xlsb, "_LONGEST", 3)
    with pytest.raises(ValueError, match="2 rows are more than a sheet can hold"):
        write_xlsb(pd.DataFrame({"A": ["x", "y"]}), tmp_path / "a.xlsb", sheet="S", title="T")


# --- the reader of long sheets


def test_header_is_found_below_the_title_and_rows_keep_their_places(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsb"
    table = pd.DataFrame({"UUID": [8114715.0, 5.0], "ITEMVALUE_Key": pd.Series([1e-05, ":"], dtype="object")})
    write_xlsb(table, path, sheet="S", title="T")
    found = read_long_sheet(path, SOURCE)
    assert found.columns.tolist() == ["UUID", "ITEMVALUE_Key"]
    assert found.to_numpy().tolist() == [["8114715", "1e-05"], ["5", ":"]]
    assert (found.index + 2).tolist() == [3, 4]


def test_sheet_that_does_not_begin_in_its_first_row(tmp_path: Path) -> None:
    """The title is taken out of the workbook's bytes: what is left begins in row 2."""
    path, moved = tmp_path / "a.xlsb", tmp_path / "b.xlsb"
    write_xlsb(pd.DataFrame({"ITEMVALUE": ["x"]}), path, sheet="S", title="T")
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(moved, "w") as copy:
        for name in archive.namelist():
            content = archive.read(name)
            if name.endswith("sheet1.bin"):
                row = xlsb._row(0, xlsb._cells(["T"], {"T": 0}))
                assert row in content
                content = content.replace(row, b"")
            copy.writestr(name, content)
    assert (read_long_sheet(moved, SOURCE).index + 2).tolist() == [3]


def test_workbook_without_the_heading(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsb"
    write_xlsb(pd.DataFrame({"A": ["x"]}), path, sheet="Contents", title="T")
    with pytest.raises(LayoutError, match=r"a\.xlsb: no sheet has a column ITEMVALUE") as caught:
        read_long_sheet(path, SOURCE)
    assert caught.value.problems == ("sheets: Contents",)
    write_xlsb(pd.DataFrame({"ITEMVALUE": []}), path, sheet="Contents", title="T")
    with pytest.raises(LayoutError, match="no sheet has a column ITEMVALUE with rows below it"):
        read_long_sheet(path, SOURCE)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_truncated_workbook(tmp_path: Path, share: float) -> None:
    path = tmp_path / "a.xlsb"
    write_xlsb(pd.DataFrame({"ITEMVALUE": ["x"]}), path, sheet="S", title="T")
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(SourceError, match=r"a\.xlsb cannot be opened as a workbook"):
        read_long_sheet(path, replace(SOURCE, file=path.name))
