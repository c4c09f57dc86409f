from __future__ import annotations

import codecs
import importlib
import re
import shutil
from pathlib import Path, PurePosixPath

import pytest

from clsimpact.errors import SourceError
from clsimpact.loaders.manifest import Source, find_source, load_manifest, manifest_path, sha256_of
from clsimpact.loaders.returns import STATUSES

SOURCES = load_manifest()
RECORD = """
[licence.open]
licence = "Open Government Licence v3.0"
attribution = "Contains made-up information."

[[source]]
id = "{id}"
path = "somewhere/{path}"
publication = "A publication"
publisher = "A publisher"
years = "2020-21"
sha256 = ""
terms = "open"
adapter = "lookup"
"""


def test_there_is_a_record_for_every_file_of_the_project() -> None:
    assert len(SOURCES) == 35
    assert len({source.sha256 for source in SOURCES.values()}) == 35


@pytest.mark.parametrize("source", list(SOURCES.values()), ids=list(SOURCES))
def test_record_says_what_it_must(source: Source) -> None:
    assert re.fullmatch(r"[a-z0-9_]+", source.id)
    assert re.fullmatch(r"[0-9a-f]{64}", source.sha256)
    assert "licensed under" in source.attribution
    assert source.licence.startswith(("Open Government Licence", "Creative Commons"))
    assert source.status
    assert source.return_
    assert source.years
    assert not PurePosixPath(source.path).is_absolute()
    assert source.file == PurePosixPath(source.path).name
    assert source.address == "" or source.address.startswith("https://")
    assert source.released == "" or re.fullmatch(r"\d{4}-\d{2}-\d{2}", source.released)
    codecs.lookup(source.encoding)
    assert set(source.markers.values()) <= set(STATUSES) - {"published"}
    assert callable(importlib.import_module(f"clsimpact.loaders.{source.adapter}").read)


def test_manifest_names_no_place_of_a_machine() -> None:
    text = manifest_path().read_text(encoding="utf-8")
    assert not re.search(r"(?<![\w.])/(home|work|tmp|root|Users)/", text)


def test_converted_files_are_not_called_official() -> None:
    for source_id in (
        "asc_fr_gce_2017_18",
        "ascof_joined_2017_24",
        "ascof_codes",
        "local_authorities_mysociety",
    ):
        assert "not official" in SOURCES[source_id].status


def test_manifest_describes_exactly_the_files_held(official: Path) -> None:
    held = {path.relative_to(official).as_posix(): path for path in official.rglob("*") if path.is_file()}
    held.pop("SOURCES.md", None)
    assert set(held) == {source.path for source in SOURCES.values()}
    wrong = [source.id for source in SOURCES.values() if sha256_of(held[source.path]) != source.sha256]
    assert wrong == []


def test_encodings_decode_and_pounds_survive(official: Path) -> None:
    for source in SOURCES.values():
        if source.path.endswith(".csv"):
            text = (official / source.path).read_text(encoding=source.encoding)
            assert "�" not in text
            assert not text.startswith("\ufeff")
    deferred = SOURCES["deferred_payments_2015_16"]
    assert "<£300" in (official / deferred.path).read_text(encoding=deferred.encoding)


def test_file_is_found_by_content_or_name(official: Path, tmp_path: Path) -> None:
    source = SOURCES["ascof_direction"]
    renamed = tmp_path / "renamed.csv"
    shutil.copy(official / source.path, renamed)
    assert find_source(renamed) is source
    edited = tmp_path / source.file.upper()
    edited.write_text("edited")
    assert find_source(edited) is source


def test_unknown_file_is_refused_with_the_nearest_name(tmp_path: Path) -> None:
    path = tmp_path / "trend_dat.csv"
    path.write_text("")
    with pytest.raises(SourceError, match=r"no file named 'trend_dat.csv' \(did you mean 'trend_data.csv'"):
        find_source(path)
    with pytest.raises(SourceError, match="There is no file"):
        find_source(tmp_path / "absent.csv")


def test_own_manifest(tmp_path: Path) -> None:
    path = tmp_path / "manifest.toml"
    path.write_text(RECORD.format(id="one", path="a.csv"), encoding="utf-8")
    source = load_manifest(path)["one"]
    assert (source.file, source.attribution, source.encoding) == (
        "a.csv",
        "Contains made-up information.",
        "utf-8-sig",
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (RECORD.format(id="one", path="a.csv").replace('adapter = "lookup"', ""), "'one' is not complete"),
        (RECORD.format(id="one", path="a.csv") + 'colour = "blue"', "'one' is not complete"),
        (RECORD.format(id="one", path="a.csv").replace("terms", "# terms"), "'one' is not complete"),
        (
            RECORD.format(id="one", path="a.csv")
            + RECORD.format(id="one", path="b.csv").partition('information."')[2],
            "'one' or its path is listed twice",
        ),
        (
            RECORD.format(id="one", path="a.csv")
            + RECORD.format(id="two", path="a.csv").partition('information."')[2],
            "'two' or its path is listed twice",
        ),
        (RECORD.format(id="one", path="a.csv") + "status = 9", "'status' is 9"),
        (RECORD.format(id="one", path="a.csv") + "markers = { a = [1] }", "'markers' is"),
        (RECORD.format(id="one", path="a.csv") + "year = true", "'year' is True"),
        ("source = 5", "records and licences are no tables"),
        ("[source]\nid = [5]", "'id' is"),
    ],
)
def test_damaged_manifest_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "manifest.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SourceError, match=message):
        load_manifest(path)
