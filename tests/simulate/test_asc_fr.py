"""Made-up finance returns: what is written, the ordinary loader gives back."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from clsimpact._status import Known
from clsimpact.errors import LayoutError
from clsimpact.loaders import asc_fr_long, pss_ex1_wide
from clsimpact.loaders.labels import known_labels
from clsimpact.loaders.manifest import Source, all_sources
from clsimpact.simulate import _finance, asc_fr_csv, asc_fr_old
from clsimpact.simulate._asc_fr_wide import _expenditure_lines
from clsimpact.simulate._finance import Item
from clsimpact.simulate.asc_fr_csv import write_asc_fr_long
from clsimpact.simulate.asc_fr_old import write_asc_fr_2014_15, write_asc_fr_2015_16, write_asc_fr_2016_17
from clsimpact.simulate.publication import TIDY_COLUMNS, Written
from tests.simulate.stub_book import StubBook


@dataclass(frozen=True)
class WithholdingBook(StubBook):
    """Quick pseudo-figures, money with five decimals; some are withheld in each of the given ways."""

    withheld: tuple[str, ...] = ("not_submitted",)

    def figures(
        self, measure: str, says: Mapping[str, str], areas: pd.DataFrame, *, year: int | None = None
    ) -> Known:
        assert "data_type" not in says
        rng = np.random.default_rng(zlib.crc32(f"{measure}{sorted(says.items())}".encode()))
        status = rng.choice(["published", *self.withheld], size=len(areas), p=self.chances()).astype("object")
        value = np.round(rng.normal(500, 2000, len(areas)), 5)
        return Known(np.where(np.isin(status, ["published", "estimated"]), value, np.nan), status)

    def chances(self) -> list[float]:
        return [1 - 0.02 * len(self.withheld), *[0.02] * len(self.withheld)]


def record_of(written: Written) -> Source:
    """The manifest record of a made-up file."""
    official = all_sources()[written.source_id.removeprefix("simulated_")]
    return replace(official, id=written.source_id, file=written.path.name, simulated=True)


def given_back(written: Written) -> pd.DataFrame:
    source = record_of(written)
    reader = pss_ex1_wide if source.adapter == "pss_ex1_wide" else asc_fr_long
    return reader.read(written.path, source)


def same_figures(written: Written) -> None:
    assert list(written.figures) == list(TIDY_COLUMNS)
    found, wanted = given_back(written), written.figures
    assert len(found) == len(wanted)
    assert np.array_equal(found["value"], wanted["value"], equal_nan=True)
    for name in TIDY_COLUMNS:
        if name != "value":
            assert numbered(found[name], words := words_of(found[name], wanted[name])).equals(
                numbered(wanted[name], words)
            ), name


def words_of(*columns: pd.Series) -> list[object]:
    return sorted({word for column in columns for word in column.dropna().unique()}, key=str)


def numbered(column: pd.Series, words: list[object]) -> pd.Series:
    """The place of each word, and -1 for nothing: quicker to compare than words."""
    kinds = column.astype("category")
    places = {word: place for place, word in enumerate(words)}
    of_kind = np.array([places[word] for word in kinds.cat.categories] + [-1])
    return pd.Series(of_kind[kinds.cat.codes.to_numpy()])


# --- the long file


@pytest.mark.parametrize("year", [2017, 2018, 2019, 2023])
def test_long_file_comes_back(tmp_path: Path, year: int) -> None:
    path = tmp_path / f"SIMULATED ASC-FR{'.xlsb' if year == 2017 else '.csv'}"
    book = WithholdingBook(year, withheld=("not_submitted", "suppressed"))
    written = write_asc_fr_long(book, path, rows="study")
    assert set(written.figures["status"]) == {"published", "not_submitted", "suppressed"}
    assert set(written.figures["level"]) == {"england", "region", "council"}
    same_figures(written)


def test_long_file_of_the_stub_book_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    items = list(asc_fr_csv._study())[::20]
    monkeypatch.setattr(asc_fr_csv, "_study", lambda: iter(items))
    written = write_asc_fr_long(StubBook(2021), tmp_path / "SIMULATED.csv", rows="study")
    first = written.figures.query("ons_code == 'E06000001'").iloc[0]
    says = items[0].question
    areas = StubBook(2021).areas()
    known = StubBook(2021).figures(first["measure"], says, areas[areas["ons_code"] == "E06000001"])
    assert first["value"] == known.value[0]
    same_figures(written)


@pytest.mark.parametrize("year", [2017, 2020])
def test_every_kind_of_item_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, year: int) -> None:
    every = list(asc_fr_csv._every())
    chosen = every[::31] + [item for item in every if item.measure == "home_care_hourly_rate"]
    monkeypatch.setattr(asc_fr_csv, "_every", lambda: iter(chosen))
    path = tmp_path / f"SIMULATED{'.xlsb' if year == 2017 else '.csv'}"
    written = write_asc_fr_long(WithholdingBook(year), path)
    assert set(written.figures["measure"]) == set(asc_fr_csv._QUANTITIES)
    same_figures(written)


def test_whole_file_has_its_real_size_and_no_item_twice() -> None:
    items = list(asc_fr_csv._every())
    distinct = {(item.measure, *sorted(item.says.items())) for item in items}
    assert len(distinct) == len(items)
    assert 490_000 < len(items) * (152 + 9 + 1) < 510_000
    study = list(asc_fr_csv._study())
    cells = [item for item in study if "Total" not in item.says.values()]
    assert len(cells) == 99  # as many as the extract of 2017-18 has
    assert len(study) == 3 * 6 * 8 + 3 * 6 * 3 + 7 + 3 + 1 + 1
    voluntary = [item for item in items if item.says.get("data_type") == "Voluntary"]
    assert {item.says["age_band"] for item in voluntary} == set(_finance.SUB_BANDS)
    assert not [
        item for item in items if item not in voluntary and item.word("age_band") in _finance.SUB_BANDS
    ]


def test_cells_of_the_extract_are_those_of_the_study(official: Path) -> None:
    source = all_sources()["asc_fr_gce_2017_18"]
    table = asc_fr_long.read(official / source.path, source)
    names = [*("care_type", "age_band", "primary_support_reason", "support_setting"), "purpose"]
    names.append("carer_support_type")
    printed = table[names].astype("object").drop_duplicates()
    found = {tuple("" if pd.isna(word) else word for word in row) for row in printed.itertuples(index=False)}
    cells = [item for item in asc_fr_csv._study() if "Total" not in item.says.values()]
    assert found == {tuple(item.word(name) for name in names) for item in cells}


@pytest.mark.parametrize(("year", "suffix"), [(2018, "_Key"), (2019, "")])
def test_headings_end_in_key_until_2018(tmp_path: Path, year: int, suffix: str) -> None:
    path = tmp_path / "SIMULATED.csv"
    write_asc_fr_long(WithholdingBook(year), path, rows="study")
    with path.open(encoding="utf-8") as stream:
        header, first = stream.readline().strip().split(","), stream.readline().split(",")
    assert header[9:12] == ["DimensionGroup", f"CareType{suffix}", f"FinanceType{suffix}"]
    assert header[-1] == "ITEMVALUE"
    assert len(header) == 24
    assert first[:4] == ["National", "Gross Current Expenditure", str(year + 1), "SIM0000001"]


def test_made_up_file_is_refused_as_an_official_one(tmp_path: Path) -> None:
    written = write_asc_fr_long(WithholdingBook(2021), tmp_path / "renamed.csv", rows="study")
    with pytest.raises(LayoutError, match="the file says it is made up"):
        asc_fr_long.read(written.path, all_sources()["asc_fr_2021_22"])
    path = tmp_path / "renamed wide.csv"
    path.write_text("Notes,\nSIMULATED: made up,\n", encoding="cp1252")
    with pytest.raises(LayoutError, match="the file says it is made up") as caught:
        pss_ex1_wide.read(path, all_sources()["pss_ex1_expenditure_2014_15"])
    assert caught.value.problems == ("A2: SIMULATED: made up",)


def test_status_without_a_mark_is_refused(tmp_path: Path) -> None:
    book = WithholdingBook(2019, withheld=("not_applicable",))
    with pytest.raises(LayoutError, match=r"x\.csv: this layout has no mark for not_applicable") as caught:
        write_asc_fr_long(book, tmp_path / "x.csv", rows="study")
    assert caught.value.problems == ("answered for gross_current_expenditure",)
    assert not (tmp_path / "x.csv").exists()


def test_year_of_another_layout(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="2016-17 is no long file"):
        write_asc_fr_long(WithholdingBook(2016), tmp_path / "x.csv")


def test_same_book_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_asc_fr_long(WithholdingBook(2019), tmp_path / f"{name}.csv", rows="study")
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


# --- the older styles


def test_2014_15_comes_back(tmp_path: Path) -> None:
    (written,) = write_asc_fr_2014_15(WithholdingBook(2014), tmp_path)
    assert written.path.name == "SIMULATED pss-exp-eng-14-15-fin-coun-lev-exp-data.csv"
    assert len(written.figures) == 2_674 * 152
    same_figures(written)


def test_rows_of_2014_15_are_those_of_the_publication(official: Path) -> None:
    lines = (official / all_sources()["pss_ex1_expenditure_2014_15"].path).read_text("cp1252").splitlines()
    # No label of this file holds a comma.
    printed = [tuple(line.split(",")[:5]) for line in lines[2:] if re.search(r",-?\d", line)]
    made = [line.labels for line in _expenditure_lines()]
    assert sorted(tuple(map(str.strip, row)) for row in made) == sorted(
        tuple(map(str.strip, row)) for row in printed
    )


def test_2015_16_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    items = list(asc_fr_old._expenditure_items())
    assert len(items) == 99 * (4 + 5 + 1)
    monkeypatch.setattr(asc_fr_old, "_expenditure_items", lambda: iter(items[::7]))
    book = WithholdingBook(2015, withheld=("not_submitted", "estimated"))
    activity, expenditure = write_asc_fr_2015_16(book, tmp_path)
    assert activity.path.name == "SIMULATED pss-exp-eng-15-16-fin-act.csv"
    assert len(activity.figures) == 125 * 152
    assert set(activity.figures["status"]) == {"published", "not_submitted", "estimated"}
    same_figures(activity)
    same_figures(expenditure)


def test_2016_17_comes_back(tmp_path: Path) -> None:
    activity, totals = write_asc_fr_2016_17(WithholdingBook(2016), tmp_path)
    assert totals.path.name == "SIMULATED CSV ASCFR Totals.csv"
    assert len(activity.figures) == 125 * (151 + 9 + 1)
    assert len(totals.figures) == 6 * 259 * (151 + 9 + 1)
    key = totals.figures.query("support_setting == 'Key 5 (meaning not published; always 0)'")
    assert set(key["value"]) == {0.0}
    assert "906" not in set(totals.figures["cassr_code"])
    same_figures(activity)
    same_figures(totals)


def test_item_asks_what_it_says_but_for_the_kind_of_data() -> None:
    item = Item("care_weeks", {"age_band": "65 to 74", "data_type": "Voluntary"})
    assert item.question == {"age_band": "65 to 74"}
    assert Item("care_weeks", {"care_type": "Other"}, asked={"care_type": "Total"}).question == {
        "care_type": "Total"
    }


def every_word(items: Iterator[Item]) -> set[tuple[str, str]]:
    return {pair for item in items for pair in item.says.items()}


def test_every_word_is_one_of_the_returns_table() -> None:
    words = every_word(asc_fr_csv._every())
    for dimension, word in words:
        known = set(known_labels(dimension).values())
        assert word in known, (dimension, word)
