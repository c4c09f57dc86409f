from __future__ import annotations

import json
import lzma
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from clsimpact import store
from clsimpact.errors import ClsimpactError, SourceError

TABLE = pd.DataFrame(
    {
        "year": pd.array([2016, None], dtype="Int64"),
        "value": [0.1, np.nan],
        "flag": pd.array([True, None], dtype="boolean"),
        "name": pd.array(["Torbay, é", None], dtype="string"),
        "word": np.array(["x", np.nan], dtype=object),
        "cell": ["A1", "A2"],
    }
)


def test_bytes_are_written_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "a.txt"
    store.write_bytes(path, b"one")
    store.write_bytes(path, b"two")
    assert path.read_bytes() == b"two"
    assert [file.name for file in path.parent.iterdir()] == ["a.txt"]


@pytest.mark.parametrize("step", ["write_bytes", "replace"])
def test_failure_leaves_the_old_file_and_no_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old", encoding="utf-8")
    write = Path.write_bytes

    def fail(self: Path, content: object) -> int:
        if step == "write_bytes":
            write(self, b"ha")
        raise OSError("disk full")

    monkeypatch.setattr(Path, step, fail)
    with pytest.raises(ClsimpactError, match=r"a\.txt cannot be written: disk full"):
        store.write_bytes(path, b"half")
    monkeypatch.undo()
    assert path.read_text(encoding="utf-8") == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]


def test_parquet_keeps_values_missing_and_types(tmp_path: Path) -> None:
    before = TABLE.copy()
    store.write_parquet(TABLE, tmp_path / "a.parquet")
    found = pq.read_table(tmp_path / "a.parquet")
    assert found.to_pydict() == {
        "year": [2016, None],
        "value": [0.1, None],
        "flag": [True, None],
        "name": ["Torbay, é", None],
        "word": ["x", None],
        "cell": ["A1", "A2"],
    }
    kinds = [str(kind) for kind in found.schema.types]
    assert kinds == ["int64", "double", "bool", "string", "string", "string"]
    assert found.schema.pandas_metadata is None
    pd.testing.assert_frame_equal(TABLE, before)


def test_same_table_gives_the_same_bytes_whatever_the_text_type(tmp_path: Path) -> None:
    store.write_parquet(TABLE, tmp_path / "a.parquet")
    other = TABLE.astype({"name": "object", "word": "string", "cell": "string"})
    other.attrs["source"] = "elsewhere"
    other.index = pd.Index([5, 6])
    store.write_parquet(other, tmp_path / "b.parquet")
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_csv_spells_missing_as_nothing_and_numbers_exactly(tmp_path: Path) -> None:
    wanted = 'year,value,flag,name,word,cell\r\n2016,0.1,True,"Torbay, é",x,A1\r\n,,,,,A2\r\n'.encode()
    assert store.csv_bytes(TABLE) == wanted
    store.write_csv(TABLE, tmp_path / "a.csv")
    store.write_csv(TABLE, tmp_path / "a.csv.xz")
    assert (tmp_path / "a.csv").read_bytes() == wanted
    assert lzma.decompress((tmp_path / "a.csv.xz").read_bytes()) == wanted


def test_metadata_keep_their_order_and_letters(tmp_path: Path) -> None:
    store.write_metadata(tmp_path / "a.json", {"z": "£", "a": [1]})
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert text == '{\n  "z": "£",\n  "a": [\n    1\n  ]\n}\n'
    assert json.loads(text) == {"z": "£", "a": [1]}


def test_committed_table_that_is_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "processed_folder", lambda: tmp_path)
    with pytest.raises(SourceError, match=r"returns\.parquet is absent .*\nRepair: .*clsimpact build"):
        store.read_parquet("returns")
    store.write_parquet(TABLE, tmp_path / "returns.parquet")
    found = store.read_parquet("returns")
    assert str(found["name"].dtype) == "category"
    assert found["value"].fillna(-1).tolist() == [0.1, -1]


def test_folder_of_committed_data_holds_them() -> None:
    names = {path.name for path in store.processed_folder().iterdir()}
    assert {"returns.parquet", "panel.parquet", "adoption.parquet"} <= names
