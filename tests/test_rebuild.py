from __future__ import annotations

import io
import json
import lzma
import shutil
import socket
from pathlib import Path

import csvw
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

from clsimpact import rebuild
from clsimpact.errors import LayoutError, SourceError, SourceWarning
from clsimpact.loaders.manifest import load_manifest
from clsimpact.loaders.returns import COLUMNS
from clsimpact.rebuild import build, load_returns
from clsimpact.store import processed_folder, read_parquet

TOTAL_LIMIT = 12_000_000
"""Bytes: all of the committed data, so that a clone and an installed package stay small."""
FILE_LIMIT = 4 * 1024**2
"""Bytes: no single file is larger than 4 MiB."""


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


@pytest.fixture(scope="session")
def built(official: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything built anew from the publishers' files, once for all tests."""
    folder = tmp_path_factory.mktemp("built")
    build(official, folder)
    return folder


@pytest.fixture(scope="session")
def rebuilt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything built anew from the committed returns."""
    folder = tmp_path_factory.mktemp("rebuilt")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("CLSIMPACT_RAW", raising=False)
        build(out=folder)
    return folder


def differing(one: Path, other: Path) -> list[str]:
    left, right = contents(one), contents(other)
    return sorted(name for name in left.keys() | right.keys() if left.get(name) != right.get(name))


def test_committed_data_are_what_the_publishers_files_give(built: Path) -> None:
    assert differing(built, processed_folder()) == []


@pytest.mark.once
def test_two_builds_give_the_same_bytes(built: Path, rebuilt: Path) -> None:
    assert differing(built, rebuilt) == []


@pytest.mark.once
def test_committed_panel_is_what_the_committed_returns_give(rebuilt: Path) -> None:
    assert differing(rebuilt, processed_folder()) == []


def test_which_files_are_built() -> None:
    figures = [source.id for source in load_manifest().values() if source.adapter != "lookup"]
    assert set(contents(processed_folder())) == {
        *(f"{name}.parquet" for name in ("returns", "panel", "adoption")),
        *(f"{name}.csv{suffix}" for name in ("panel", "adoption") for suffix in ("", "-metadata.json")),
        "returns-metadata.json",
        *(f"returns/{source_id}.csv.xz" for source_id in figures),
    }


def test_committed_data_are_small() -> None:
    sizes = {name: len(content) for name, content in contents(processed_folder()).items()}
    assert sum(sizes.values()) < TOTAL_LIMIT
    assert max(sizes.values()) < FILE_LIMIT


def as_text(table: pd.DataFrame) -> pd.DataFrame:
    """The table as its CSV twin spells it."""
    spelled = {
        name: [None if pd.isna(value) else str(value) for value in table[name].tolist()]
        for name in table.columns
    }
    return pd.DataFrame(spelled, dtype="object")


def read_twin(content: bytes) -> pd.DataFrame:
    text = pd.read_csv(io.BytesIO(content), dtype=str, keep_default_na=False)
    return text.astype("object").where(text != "", None)


def test_csv_twins_together_are_the_returns() -> None:
    returns = pq.read_table(processed_folder() / "returns.parquet")
    kinds = {name: returns.schema.field(name).type for name in COLUMNS}
    options = pa_csv.ConvertOptions(column_types=kinds, null_values=[""], strings_can_be_null=True)
    twins = []
    for source_id in returns["source_id"].unique().to_pylist():
        content = lzma.decompress((processed_folder() / "returns" / f"{source_id}.csv.xz").read_bytes())
        twins.append(pa_csv.read_csv(io.BytesIO(content), convert_options=options))
        assert set(twins[-1]["source_id"].to_pylist()) == {source_id}
    assert pa.concat_tables(twins).equals(returns)


@pytest.mark.parametrize("name", ["panel", "adoption"])
def test_csv_twin_is_the_table(name: str) -> None:
    table = read_parquet(name)
    twin = read_twin((processed_folder() / f"{name}.csv").read_bytes())
    assert list(twin.columns) == list(table.columns)
    numeric = [column for column in table.columns if pd.api.types.is_numeric_dtype(table[column])]
    for column in numeric:
        pd.testing.assert_series_equal(
            twin[column].astype("float64"), table[column].astype("float64"), check_exact=True
        )
    words = table.columns.difference(numeric)
    pd.testing.assert_frame_equal(twin[words], as_text(table[words]))


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("the test may not use the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.mark.filterwarnings("always")
@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("name", ["panel", "adoption"])
def test_metadata_describe_the_csv(name: str) -> None:
    described = csvw.CSVW(str(processed_folder() / f"{name}.csv"), validate=True)
    assert described.is_valid
    table = read_parquet(name)
    columns = described.tables[0].tableSchema.columns
    assert [column.name for column in columns] == list(table.columns)
    for column in columns:
        kind = {"i": "integer", "u": "integer", "f": "number"}.get(
            str(getattr(table[column.name].dtype, "kind", "O")), "string"
        )
        if column.name.endswith("_year"):
            kind = "integer"
        assert column.datatype.base == kind, column.name
        assert column.common_props["dc:description"]
    keys = described.tables[0].tableSchema.primaryKey
    assert not table.duplicated(keys).any()


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize(
    ("old", "new"),
    [("E10000006,102,Cumbria", "E10000006,102,Cumbria,one too many"), (",2014,2014-15,", ",MMXIV,2014-15,")],
)
@pytest.mark.filterwarnings("always")
def test_metadata_refuse_a_csv_that_is_not_the_described_one(tmp_path: Path, old: str, new: str) -> None:
    for suffix in (".csv", ".csv-metadata.json"):
        shutil.copy(processed_folder() / f"panel{suffix}", tmp_path)
    path = tmp_path / "panel.csv"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    assert not csvw.CSVW(str(path), validate=True).is_valid


def test_metadata_of_the_returns_list_every_file_and_column() -> None:
    metadata = json.loads((processed_folder() / "returns-metadata.json").read_text(encoding="utf-8"))
    listed = [table["url"] for table in metadata["tables"]]
    assert sorted(listed) == sorted(
        name for name in contents(processed_folder()) if name.startswith("returns/")
    )
    assert len(listed) == len(set(listed))
    columns = metadata["tableSchema"]["columns"]
    assert tuple(column["name"] for column in columns) == COLUMNS
    assert {column["name"]: column["datatype"] for column in columns if column["datatype"] != "string"} == {
        "year": "integer",
        "value": "number",
    }
    assert all(column["dc:description"] for column in columns)


def test_raw_folder_must_exist_and_be_complete(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="There is no folder"):
        build(tmp_path / "absent", tmp_path / "out")
    with pytest.raises(SourceError, match="lacks"):
        build(tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.fixture
def cut(official: Path, tmp_path: Path) -> Path:
    """The publishers' files, one of them cut at the end of a line."""
    folder = tmp_path / "raw"
    for path in (path for path in official.rglob("*") if path.is_file()):
        copy = folder / path.relative_to(official)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.symlink_to(path)
    path = folder / load_manifest()["asc_fr_totals_2016_17"].path
    lines = path.read_bytes().splitlines(keepends=True)
    path.unlink()
    path.write_bytes(b"".join(lines[: len(lines) // 2]))
    return folder


def test_changed_file_is_refused_before_anything_is_read(cut: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(
        SourceError, match=r"1 of 35 files in .* differ from data/raw/manifest\.toml"
    ) as caught:
        build(cut, out)
    assert len(caught.value.problems) == 1
    assert caught.value.problems[0].startswith("nhs-digital/2016-17/CSV ASCFR Totals.csv (")
    assert "accept_changed=True" in caught.value.repair
    with pytest.raises(SourceError, match="1 of 26 files"):
        load_returns(cut)
    assert not out.exists()


def test_accepted_change_still_has_to_be_whole(cut: Path, tmp_path: Path) -> None:
    with (
        pytest.warns(SourceWarning, match="1 of 26 files"),
        pytest.raises(LayoutError, match=r"CSV ASCFR Totals\.csv: the file is not whole"),
    ):
        load_returns(cut, accept_changed=True)


def test_folder_that_cannot_be_written_is_found_first(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    for out in (file, file / "below"):
        with pytest.raises(SourceError, match="The tables cannot be written to"):
            build(out=out)


def test_installed_package_is_not_rebuilt_in_its_place(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("CLSIMPACT_RAW", raising=False)
    packaged = Path(rebuild.__file__).parent / "data" / "processed"
    monkeypatch.setattr(rebuild, "processed_folder", lambda: packaged)
    with pytest.raises(SourceError, match="give --out DIR"):
        build()
