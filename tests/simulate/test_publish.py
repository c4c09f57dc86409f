"""Whole sets of made-up publications: what is written, what it says of itself, and that it is read back."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pandas as pd
import pytest

import clsimpact as ci
from clsimpact.errors import SourceError
from clsimpact.loaders.manifest import load_manifest
from clsimpact.simulate.publish import Publications, simulate
from clsimpact.simulate.round_trip import differences, round_trip
from clsimpact.simulate.truth import Truth

pytestmark = pytest.mark.once

SEED = 2
ORDER_OF_SUMS = 1e-12
"""2015-16 prints no totals: its cells are added up in the order of the file, or of the book."""


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Publications:
    return simulate(tmp_path_factory.mktemp("made up"), seed=SEED, rows="study")


def test_every_file_says_that_it_is_made_up(made: Publications) -> None:
    files = [path for path in made.folder.rglob("*") if path.is_file()]
    assert {path.name for path in files if not path.name.startswith("SIMULATED ")} == {"manifest.toml"}
    assert "SIMULATED" in (made.folder / "manifest.toml").read_text(encoding="utf-8")


def test_the_manifest_describes_every_file(made: Publications) -> None:
    manifest = load_manifest(made.folder / "manifest.toml")
    assert manifest == dict(made.sources)
    for source in manifest.values():
        assert source.simulated
        assert source.verified == "made-up file"
        assert source.id.startswith("simulated_")
        content = (made.folder / source.path).read_bytes()
        assert hashlib.sha256(content).hexdigest() == source.sha256


def test_the_years_and_layouts(made: Publications) -> None:
    ids = {source_id.removeprefix("simulated_") for source_id in made.sources}
    workbooks = {name for name in ids if name.startswith("tables_")} | {"asc_fr_salt_2021_22"}
    assert len(workbooks) == 8
    assert {
        f"salt_{label}" for label in ("2014_15", "2015_16", "2016_17", "2017_18", "2021_22", "2023_24")
    } <= ids
    assert {f"csv_pack_{label}" for label in ("2018_19", "2019_20", "2020_21")} <= ids
    assert {"asc_fr_2017_18", "asc_fr_2021_22", "asc_fr_totals_2016_17", "pss_ex1_expenditure_2014_15"} <= ids


def test_truth_and_adopters_lie_beside_them(made: Publications) -> None:
    text = (made.folder / "SIMULATED truth.toml").read_text(encoding="utf-8")
    assert Truth.from_toml(text) == made.world.truth
    adoption = ci.load_adoption(made.folder / "SIMULATED adoption.csv")
    assert len(adoption) == len(made.world.truth.adopters)


def test_processes_write_the_same_bytes(made: Publications, tmp_path: Path) -> None:
    again = simulate(tmp_path / "made up", seed=SEED, rows="study", workers=2)
    assert list(again.sources) == list(made.sources)
    for path in sorted(made.folder.rglob("*")):
        if path.is_file() and path.name != "SIMULATED README.txt":
            assert (again.folder / path.relative_to(made.folder)).read_bytes() == path.read_bytes(), path.name


def test_a_folder_with_other_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real.csv").write_text("1", encoding="utf-8")
    with pytest.raises(SourceError, match=r"not made up[\s\S]*real\.csv"):
        simulate(tmp_path, rows="study")
    with pytest.raises(SourceError, match="is a file"):
        simulate(tmp_path / "real.csv", rows="study")


def test_every_figure_of_every_layout_comes_back(tmp_path: Path) -> None:
    results = list(round_trip(tmp_path, seed=1, rows="study"))
    assert {result["file"]: result["differences"] for result in results if result["differences"]} == {}
    assert len(results) >= 25
    assert all(int(str(result["figures"])) > 1_000 for result in results)


def test_a_single_changed_figure_is_noticed() -> None:
    figures = pd.DataFrame(
        {
            "year": [2016, 2016],
            "value": [5.0, None],
            "status": ["published", "suppressed"],
            "table": ["T1", "T1"],
        }
    )
    assert differences(figures, figures) == []
    for changes in (
        {"value": [10.0, None]},
        {"status": ["published", "not_submitted"]},
        {"table": ["T1", "T2"]},
    ):
        found = differences(figures, figures.assign(**changes))
        assert [text.split(":")[0] for text in found] == ["not read", "not written"]
    assert differences(figures, figures.iloc[:1]) == ["not read: 2016, nan, suppressed, T1"]
    assert differences(figures.iloc[[0, 0]], figures.iloc[[0]]) == ["not read: 2016, 5.0, published, T1"]


def test_the_panel_of_the_files_is_the_panel_without_files(made: Publications) -> None:
    from clsimpact.rebuild import SIMULATED_YEARS
    from clsimpact.simulate.memory import simulated_panel

    panel = ci.build_panel(ci.load_returns(made.folder), years=SIMULATED_YEARS)
    assert panel.attrs["simulated"] is True
    assert re.search("SIMULATED", panel.attrs["title"])
    pd.testing.assert_frame_equal(panel, simulated_panel(SEED), rtol=ORDER_OF_SUMS, atol=0.0)
