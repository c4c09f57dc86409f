from __future__ import annotations

import zipfile
from pathlib import Path

import pandas as pd
import pytest

from clsimpact.errors import LayoutError, SourceError, SourceWarning
from clsimpact.loaders import asc_fr_long, csv_pack, salt_csv
from clsimpact.loaders.manifest import Source
from clsimpact.loaders.returns import COLUMNS, as_returns
from tests.loaders.keyed_files import source_of, whole_file, write_rows

ITEM = {"SHEET": "STS001", "TABLE": "1b", "AgeBand_Key": "65 and over"}
ASC_FR = b"GEOGRAPHY_LEVEL,DimensionGroup,ITEMVALUE\nLocal Authority,Expenditure,12\n"
SOURCE = source_of("csv_pack_2018_19")


def salt(tmp_path: Path, item: dict[str, str] | None = None) -> bytes:
    return write_rows(tmp_path / "SALT.csv", whole_file(2018, [item or ITEM])).read_bytes()


def pack(tmp_path: Path, members: dict[str, bytes]) -> Path:
    path = tmp_path / "CSV DATA PACK 2018-19.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def money(path: Path, source: Source) -> pd.DataFrame:
    """Stands for the finance adapter: one figure that says which file and return it was given."""
    row = {"year": 2018, "level": "england", "measure": "gross_current_expenditure", "value": 12.0}
    row |= {"status": "published", "table": path.stem, "cell": "C2", "return_": source.return_}
    return as_returns(pd.DataFrame([row]), source)


@pytest.fixture(autouse=True)
def _finance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asc_fr_long, "read", money)


def test_each_member_is_read_by_its_own_adapter(tmp_path: Path) -> None:
    members = {
        "folder/ASC-FR Data File v2.csv": ASC_FR,
        "folder/SALT Data File.csv": salt(tmp_path),
        "folder/readme.txt": b"\x00 not a CSV",
        "__MACOSX/folder/._SALT Data File.csv": b"\x00",
    }
    table = csv_pack.read(pack(tmp_path, members), SOURCE)
    assert list(table.columns) == list(COLUMNS)
    assert table["return_"].tolist() == ["ASC-FR"] + ["SALT"] * (len(table) - 1)
    assert table["table"].iloc[[0, 1]].tolist() == ["ASC-FR Data File v2", "SALT Data File: STS001 1b"]
    assert set(table["source_id"]) == {"csv_pack_2018_19"}
    expected = salt_csv.read(tmp_path / "SALT.csv", SOURCE)
    assert table["value"].tolist()[1:] == expected["value"].tolist()


def test_reference_data_in_the_pack_decode_the_keys(tmp_path: Path) -> None:
    members = {
        "asc-fr.csv": ASC_FR,
        "a.csv": salt(tmp_path, {**ITEM, "Gender_Key": "2"}),
        "a reference data.csv": b"Field,Key,Description\nGender,2,Female\n",
    }
    table = csv_pack.read(pack(tmp_path, members), SOURCE)
    assert table["gender"].iloc[1] == "Female"


def test_a_return_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.warns(SourceWarning, match="holds no CSV of the ASC-FR return: its figures are missing"):
        table = csv_pack.read(pack(tmp_path, {"s.csv": salt(tmp_path)}), SOURCE)
    assert set(table["return_"]) == {"SALT"}


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"readme.txt": b"x"}, "it holds no CSV of the returns"),
        ({"a.csv": ASC_FR, "b.csv": ASC_FR}, "b.csv and a.csv are both a CSV of the ASC-FR return"),
        ({"a.csv": ASC_FR, "b.csv": b"Shoe,Size\n1,2\n"}, "b.csv is no known CSV; it begins with Shoe, Size"),
    ],
)
def test_other_contents_are_refused(tmp_path: Path, members: dict[str, bytes], message: str) -> None:
    with pytest.raises(LayoutError) as caught:
        csv_pack.read(pack(tmp_path, members), SOURCE)
    assert message in caught.value.problems


def test_an_error_inside_names_pack_and_member(tmp_path: Path) -> None:
    members = {"a.csv": ASC_FR, "s.csv": salt(tmp_path, {**ITEM, "Gender_Key": "Femail"})}
    with pytest.raises(LayoutError) as caught:
        csv_pack.read(pack(tmp_path, members), SOURCE)
    assert caught.value.summary == "CSV DATA PACK 2018-19.zip: s.csv: some cells are not understood."
    assert "'Femail' is no known gender (did you mean 'female'" in caught.value.problems[0]


def test_a_dangerous_pack_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="leads out of the folder"):
        csv_pack.read(pack(tmp_path, {"../s.csv": salt(tmp_path)}), SOURCE)
