from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from clsimpact.errors import SourceError
from clsimpact.fetch import LOCK
from clsimpact.loaders.manifest import all_sources, load_manifest
from clsimpact.sources import NOT_READ, WORDS, sources, sources_markdown, sources_text

COLUMNS_OF_THE_PAGE = 11


def test_every_source_has_one_row_in_the_order_of_the_manifests() -> None:
    table = sources()
    assert list(table["id"]) == list(all_sources())
    assert list(table["held"]) == [name in load_manifest() for name in all_sources()]


def test_the_words_say_no_more_than_was_seen() -> None:
    table = sources().set_index("id")
    assert set(table["verified"]) <= set(WORDS)
    assert set(table.loc[~table["held"], "verified"]) == {"documented layout", NOT_READ}
    assert set(table.loc[table["held"], "verified"]) == {"publisher's file", "third party's copy"}
    assert list(table.index[table["adapter"] == ""]) == list(table.index[table["verified"] == NOT_READ])
    third = table["status"].str.contains("third party")
    assert set(table.loc[third, "verified"]) == {"third party's copy"}
    copies = table.index[~third & table["verified"].eq("third party's copy")]
    assert list(copies) == ["gdp_deflator_2023_12"], "a CSV save of the publisher's workbook"


def test_a_fingerprint_is_known_by_the_manifest_or_the_folder(tmp_path: Path) -> None:
    plain = sources().set_index("id")["sha256"]
    assert set(plain[sources().set_index("id")["held"]]) == {"manifest"}
    assert plain["tables_2019_20"] == ""
    entry = f"file='f'\nsha256='{'0' * 64}'\nbytes=1\naddress=''\ndate=''\norigin='fetched'\n"
    (tmp_path / LOCK).write_text(f"[tables_2019_20]\n{entry}[asc_fr_salt_2021_22]\n{entry}", encoding="utf-8")
    known = sources(tmp_path).set_index("id")["sha256"]
    assert known["tables_2019_20"] == LOCK
    assert known["asc_fr_salt_2021_22"] == "manifest"
    assert known["tables_2018_19"] == ""
    (tmp_path / LOCK).write_text("[", encoding="utf-8")
    with pytest.raises(SourceError, match="cannot be read"):
        sources(tmp_path)


def test_the_text_names_every_source_under_its_word() -> None:
    blocks = {block.split(" (")[0]: block for block in sources_text().split("\n\n")}
    table = sources()
    for row in table.itertuples():
        assert f"  {row.id} " in blocks[str(row.verified)]
    assert sum(block.count("\n") for block in blocks.values()) == len(table)
    assert "superseded by tables_2020_21" in blocks["documented layout"]
    assert "figures committed; address known; SHA-256 in manifest" in blocks["publisher's file"]


def test_the_page_is_one_table_with_its_words_explained() -> None:
    lines = sources_markdown().splitlines()
    rows = [line for line in lines if line.startswith("|")]
    assert len(rows) == len(all_sources()) + 2
    assert {line.count(" | ") for line in rows if not line.startswith("|---")} == {COLUMNS_OF_THE_PAGE - 1}
    explained = [line.split("*")[1] for line in lines if line.startswith("- ")]
    assert set(explained) == set(sources()["verified"])
    addresses = [source.address for source in all_sources().values() if source.address]
    assert [address for address in addresses if f"](<{address}>)" not in "".join(rows)] == []


@pytest.mark.parametrize("adapter", sorted({source.adapter for source in all_sources().values()} - {""}))
def test_every_adapter_that_is_named_exists(adapter: str) -> None:
    assert callable(importlib.import_module(f"clsimpact.loaders.{adapter}").read)
