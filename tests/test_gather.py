"""Further publications beside the committed figures: what cannot be read costs only itself."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pandas as pd
import pytest

import clsimpact as ci
from clsimpact.errors import PanelError, SourceError
from clsimpact.gather import gather_returns
from clsimpact.loaders import folder_sources
from clsimpact.loaders._fetched import Entry, record
from clsimpact.loaders.manifest import all_sources, load_manifest, sha256_of
from clsimpact.report.study import default_path
from clsimpact.simulate.publish import record_of
from clsimpact.simulate.salt_csv import write_salt_csv
from clsimpact.simulate.world import World, simulate_world


@pytest.fixture(scope="module")
def world() -> World:
    return simulate_world(3)


@pytest.fixture(scope="module")
def salt(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A made-up SALT file, whose layout is the official one."""
    path = tmp_path_factory.mktemp("salt") / "SIMULATED SALT 2022-23.csv"
    write_salt_csv(world.book(2022), path)
    return path


def test_nothing_there_is_the_committed_table(tmp_path: Path) -> None:
    gathered = gather_returns(tmp_path)
    assert (gathered.read, gathered.problems) == ((), ())
    assert len(gathered.returns) == len(ci.load_returns())
    assert set(folder_sources(tmp_path)) == set(load_manifest())


def test_a_file_that_says_it_is_made_up_is_refused_under_an_official_name(salt: Path, tmp_path: Path) -> None:
    place = tmp_path / all_sources()["salt_2022_23"].path
    place.parent.mkdir(parents=True)
    shutil.copy(salt, place)
    gathered = gather_returns(tmp_path)
    assert gathered.read == ()
    assert len(gathered.problems) == 1
    assert "SALT 2022-23.csv" in gathered.problems[0]
    assert "made up" in gathered.problems[0]


def test_a_damaged_file_costs_only_itself(tmp_path: Path) -> None:
    for source_id, content in (("salt_2022_23", b"<html>"), ("tables_2019_20", b"PK\x03\x04 cut")):
        place = tmp_path / all_sources()[source_id].path
        place.parent.mkdir(parents=True)
        place.write_bytes(content)
    gathered = gather_returns(tmp_path)
    assert gathered.read == ()
    assert [text.split(" (")[0] for text in gathered.problems] == [
        "SALT 2022-23.csv",
        "ASCFR and SALT Reference Tables 2019-20.xlsx",
    ] or len(gathered.problems) == 2
    assert len(gathered.returns) == len(ci.load_returns())


def test_a_superseded_release_is_left_out_where_its_re_issue_is_there(tmp_path: Path) -> None:
    for source_id in ("tables_2020_21", "tables_2020_21_first"):
        place = tmp_path / all_sources()[source_id].path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(b"")
    assert set(folder_sources(tmp_path)) - set(load_manifest()) == {"tables_2020_21"}
    (tmp_path / all_sources()["tables_2020_21"].path).unlink()
    assert set(folder_sources(tmp_path)) - set(load_manifest()) == {"tables_2020_21_first"}


def test_made_up_publications_are_the_only_sources_of_their_folder(salt: Path, world: World) -> None:
    from clsimpact.simulate.publication import Written
    from clsimpact.simulate.publish import _toml

    source = record_of(Written(salt, "salt_2022_23", ci.load_returns().head(0)), salt.parent)
    (salt.parent / "manifest.toml").write_text(_toml(source), encoding="utf-8")
    assert set(folder_sources(salt.parent)) == {"simulated_salt_2022_23"}
    returns = ci.load_returns(salt.parent)
    assert set(returns["source_id"]) == {"simulated_salt_2022_23"}
    again = ci.read_return(salt)
    assert len(again) == len(returns)
    with pytest.raises(SourceError, match="made-up publications"):
        ci.build(salt.parent)


def test_made_up_and_official_returns_are_never_mixed(salt: Path) -> None:
    from clsimpact.loaders.returns import concat_returns

    both = concat_returns([ci.load_returns(), ci.read_return(salt)])
    with pytest.raises(PanelError, match="simulated"):
        ci.build_panel(both)


@pytest.fixture
def as_if_official(salt: Path, tmp_path: Path) -> Path:
    """A folder with a SALT file of 2022-23 that does not say that it is made up."""
    place = tmp_path / "raw" / all_sources()["salt_2022_23"].path
    place.parent.mkdir(parents=True)
    place.write_bytes(salt.read_bytes().replace(b"SIM", b"900"))
    return tmp_path / "raw"


def test_a_further_publication_joins_the_panel(as_if_official: Path, world: World) -> None:
    gathered = gather_returns(as_if_official)
    assert [source.id for source in gathered.read] == ["salt_2022_23"]
    assert gathered.problems == ()
    panel = ci.build_panel(gathered.returns)
    held = panel[panel["signposted"].notna()]
    assert sorted(held["year"].unique()) == [2021, 2022]
    assert not panel.attrs["simulated"]
    assert "salt_2022_23" in {source["id"] for source in panel.attrs["sources"]}
    leeds = panel[(panel["name"] == "Leeds") & (panel["year"] == 2022)]["requests_18_64"].item()
    areas = world.book(2022).areas()
    asked = world.book(2022).figures("requests", {"age_band": "18 to 64"}, areas)
    assert leeds == asked.value[areas["name"].eq("Leeds").to_numpy()].item()
    old = ci.load_panel()
    same = panel["year"].le(2021)
    pd.testing.assert_series_equal(panel.loc[same, "gce_per_adult"], old.loc[same, "gce_per_adult"])


def test_the_ledger_names_what_was_read_and_what_was_not(as_if_official: Path, tmp_path: Path) -> None:
    broken = as_if_official / all_sources()["tables_2019_20"].path
    broken.parent.mkdir(parents=True)
    broken.write_bytes(b"PK cut")
    few = default_path().read_text(encoding="utf-8").replace('checks = "all"', 'checks = ["precision"]')
    study = tmp_path / "study.toml"
    study.write_text(re.sub(r"figures = .*", 'figures = ["event_studies"]', few), encoding="utf-8")
    report = ci.replicate(tmp_path / "out", study=study, raw=as_if_official, pdf=False)
    choices = report.ledger.choices
    assert "publication salt_2022_23" in choices
    assert "2019-20" in choices["not read (1)"]
    for name in ("ledger.md", "report.html"):
        page = (tmp_path / "out" / name).read_text(encoding="utf-8")
        assert "salt_2022_23" in page
        assert "documented layout" in page
    assert report.ledger["C4.gce_per_adult"].verdict == "inconclusive"
    assert "salt_2022_23" in (tmp_path / "out" / "trace" / "signposted.csv").read_text(encoding="utf-8")


def test_a_made_up_workbook_is_refused_under_an_official_name(world: World, tmp_path: Path) -> None:
    from clsimpact.simulate.workbook import write_workbook

    made_up = tmp_path / "SIMULATED tables.xlsx"
    write_workbook(world.book(2022), made_up)
    place = tmp_path / "raw" / all_sources()["tables_2022_23"].path
    place.parent.mkdir(parents=True)
    shutil.copy(made_up, place)
    gathered = gather_returns(tmp_path / "raw")
    assert gathered.read == ()
    assert "says that its figures are made up" in gathered.problems[0]


def test_a_file_is_checked_against_the_record_of_its_download(as_if_official: Path) -> None:
    source = all_sources()["salt_2022_23"]
    place = as_if_official / source.path
    entry = Entry(source.path, sha256_of(place), place.stat().st_size, "", "2026-01-01", "fetched")
    record(as_if_official, source.id, entry)
    assert gather_returns(as_if_official).problems == ()
    changed = place.read_bytes()
    place.write_bytes(changed.replace(b",250", b",255", 1))
    gathered = gather_returns(as_if_official)
    assert gathered.read == ()
    assert "recorded at their download" in gathered.problems[0]
