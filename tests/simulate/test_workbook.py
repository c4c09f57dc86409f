"""Made-up workbooks: what was written is what the ordinary loader reads, in every edition."""

from __future__ import annotations

import csv
import dataclasses
import importlib.util
import io
import os
import re
import time
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import python_calamine

from clsimpact._status import Known
from clsimpact.errors import ClsimpactError
from clsimpact.loaders.data_tables import read
from clsimpact.loaders.labels import measures, read_toml
from clsimpact.loaders.manifest import Source, all_sources
from clsimpact.loaders.returns import DIMENSIONS, as_text
from clsimpact.simulate.editions import Edition, edition_of, editions, layouts
from clsimpact.simulate.publication import TIDY_COLUMNS, Written
from clsimpact.simulate.workbook import MARK, write_workbook
from tests.simulate.stub_book import StubBook

ROOT = Path(__file__).resolve().parents[2]
LAYOUTS = ROOT / "src" / "clsimpact" / "simulate" / "layouts"
# One table of each kind, and those that a panel needs: numbers of the 2021-22 edition.
SOME = (1, 2, 3, 4, 7, 9, 10, 11, 12, 14, 21, 29, 40, 47, 48, 50, 52)
KEYS = [column for column in TIDY_COLUMNS if column not in ("value", "status")]
ABOVE = 8  # rows in which what a sheet is must have been said
SEVENTEEN_DIGITS = 1.1128348824494259


@dataclasses.dataclass(frozen=True)
class QuickBook(StubBook):
    """A stub that draws all areas at once; the status of a figure is one of all that a book may give."""

    def figures(
        self, measure: str, says: Mapping[str, str], areas: pd.DataFrame, *, year: int | None = None
    ) -> Known:
        asked = f"{self.seed}|{measure}|{sorted(says.items())}|{year}"
        draw = np.random.default_rng(zlib.crc32(asked.encode()))
        kinds = ["published", "estimated", "suppressed", "not_submitted", "not_applicable"]
        status = draw.choice(np.array(kinds, dtype="object"), len(areas), p=[0.8, 0.05, 0.05, 0.05, 0.05])
        values = draw.normal(scale=1e4, size=len(areas))
        return Known(np.where(np.isin(status, kinds[:2]), values, np.nan), status)


def source_of(edition: Edition) -> Source:
    """Return the record of a made-up workbook."""
    official = all_sources()[edition.official_id]
    return dataclasses.replace(
        official, id=edition.source_id, file=edition.file, markers=edition.markers, simulated=True
    )


def some_tables(edition: Edition) -> Edition:
    """Return an edition with few tables, under their own numbers."""
    return dataclasses.replace(
        edition, tables={number: old for number, old in edition.tables.items() if old in SOME}
    )


def assert_same_figures(written: pd.DataFrame, found: pd.DataFrame) -> None:
    """Compare two sets of figures: the same keys once each, the same statuses, values to the last bit."""
    tables = []
    for frame in (written, as_text(found)):
        frame = frame[list(TIDY_COLUMNS)].astype("object")
        frame = frame.where(frame.notna(), None)
        tables.append(frame.set_index(KEYS).sort_index(key=lambda words: words.astype(str)))
    left, right = tables
    assert not left.index.has_duplicates
    assert list(left.index) == list(right.index)
    assert list(left["status"]) == list(right["status"])
    assert list(left["value"]) == list(right["value"])


def rows_of(path: Path, sheet: str) -> list[list[object]]:
    """Return a sheet as rows of cells that start at A1."""
    workbook = python_calamine.CalamineWorkbook.from_path(path)
    return workbook.get_sheet_by_name(sheet).to_python(skip_empty_area=False)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """Return the whole workbook of 2021-22; benchmarks/workbook.py tells how long it takes."""
    path = tmp_path_factory.mktemp("whole") / edition_of(2021).file
    return write_workbook(QuickBook(2021), path, note="Seed 1.")


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Written]:
    """Return a workbook of some tables for every edition."""
    folder = tmp_path_factory.mktemp("few")
    return {
        year: write_workbook(QuickBook(year), folder / edition.file, edition=some_tables(edition))
        for year, edition in editions().items()
    }


def test_every_figure_of_the_known_edition_comes_back(whole: Written) -> None:
    assert whole.figures["table"].nunique() == len(edition_of(2021).tables)
    assert_same_figures(whole.figures, read(whole.path, source_of(edition_of(2021))))


@pytest.mark.parametrize("year", [year for year in editions() if year != 2021])
def test_every_other_edition_comes_back(few: dict[int, Written], year: int) -> None:
    assert_same_figures(few[year].figures, read(few[year].path, source_of(edition_of(year))))


def test_a_cell_holds_what_the_book_says(few: dict[int, Written]) -> None:
    book = QuickBook(2021)
    areas = book.areas()
    known = book.figures("requests", {"age_band": "18 to 64"}, areas, year=2021)
    rows = rows_of(few[2021].path, "T1")
    england, north_east, first_council = 9, 11, 21  # rows below two rows of header and a blank one
    assert [row[8] for row in (rows[6], rows[7])] == [
        "Number of requests for support received from new clients",
        "18 to 64",
    ]
    printed = [rows[at][8] for at in (england, north_east, first_council)]
    short = {status: marker for marker, status in edition_of(2021).markers.items()}
    places = (0, 1, 10)
    assert printed == [
        known.value[at] if np.isfinite(known.value[at]) else short.get(known.status[at], "[x]")
        for at in places
    ]
    assert (
        rows[first_council][:5]
        == areas.loc[10, ["ons_code", "cassr_code", "name", "region_code", "region"]].to_list()
    )


def test_what_has_no_mark_of_its_own_is_printed_as_the_publisher_does(few: dict[int, Written]) -> None:
    book = QuickBook(2021)
    known = book.figures("requests", {"age_band": "18 to 64"}, book.areas(), year=2021)
    figures = few[2021].figures.query("table == 'T1' and measure == 'requests' and age_band == '18 to 64'")
    pairs = set(zip(known.status, figures["status"], strict=True))
    assert pairs == {
        ("published", "published"),
        ("estimated", "published"),
        ("suppressed", "suppressed"),
        ("not_submitted", "not_submitted"),
        ("not_applicable", "not_submitted"),
    }


def test_a_number_keeps_all_its_digits(tmp_path: Path) -> None:
    class Exact(StubBook):
        def figures(self, measure, says, areas, *, year=None):  # type: ignore[no-untyped-def]
            return Known(
                np.full(len(areas), SEVENTEEN_DIGITS), np.full(len(areas), "published", dtype="object")
            )

    edition = dataclasses.replace(edition_of(2021), tables={4: 4})
    written = write_workbook(Exact(2021), tmp_path / edition.file, edition=edition)
    assert rows_of(written.path, "T4")[8] == ["2014-15", SEVENTEEN_DIGITS, SEVENTEEN_DIGITS]


@pytest.mark.parametrize(
    ("year", "row", "column"),
    [(2016, 6, 1), (2017, 7, 1), (2021, 7, 1), (2022, 5, 1), (2023, 5, 2)],
)
def test_the_header_stands_where_the_edition_has_it(
    few: dict[int, Written], year: int, row: int, column: int
) -> None:
    rows = rows_of(few[year].path, "T1")
    assert rows[row - 1][column - 1] == "Geography code"
    assert str(rows[row - 4][column - 1]).startswith("Table 1: Summary figures regarding Adult Social Care")
    if column > 1:
        assert not any(str(line[0]).strip() for line in rows)


def test_the_total_of_spending_stands_in_column_13_in_2023(few: dict[int, Written]) -> None:
    header = rows_of(few[2023].path, "T14")[4]
    assert (header[1], header[3], header[12]) == (
        "Geography code",
        "LA name",
        "Total Gross Current Expenditure (GCE)",
    )


def test_numbers_of_tables_are_those_documented() -> None:
    documented = {2016: {16: 21, 17: 23, 18: 25, 19: 26, 24: 32}, 2018: {47: 49, 48: 50, 49: 51, 53: 55}}
    for year, numbers in documented.items():
        tables = edition_of(year).tables
        assert {number: tables[number] for number in numbers} == numbers
    assert max(edition_of(2018).tables) == 53
    for year in range(2017, 2024):
        kept = {number: number for number in (21, *range(23, 29), 32)}
        assert kept.items() <= edition_of(year).tables.items()
    assert all(13 not in edition_of(year).tables.values() for year in (2016, 2017))


def test_tables_of_two_years_list_the_councils_of_both(few: dict[int, Written]) -> None:
    listed = few[2021].figures.groupby("table")["ons_code"].agg(set)
    northamptonshire, buckinghamshire = "E10000021", "E10000002"
    assert {northamptonshire, buckinghamshire} <= listed["T2"]
    assert northamptonshire in listed["T3"]
    assert buckinghamshire not in listed["T3"]
    assert northamptonshire not in listed["T1"]


def test_every_sheet_says_that_it_is_made_up(whole: Written) -> None:
    workbook = python_calamine.CalamineWorkbook.from_path(whole.path)
    assert workbook.sheet_names[:3] == ["Title", "Contents", "Notes and Definitions"]
    for name in workbook.sheet_names:
        rows = workbook.get_sheet_by_name(name).to_python(skip_empty_area=False)
        assert MARK in [cell for row in rows[:ABOVE] for cell in row], name
    with zipfile.ZipFile(whole.path) as archive:
        properties = archive.read("docProps/core.xml").decode()
    assert properties.count("SIMULATED") >= 3
    assert "Seed 1." in properties
    assert "Seed 1." in " ".join(str(cell) for row in rows_of(whole.path, "Title") for cell in row)


def test_the_same_figures_give_the_same_bytes(few: dict[int, Written], tmp_path: Path) -> None:
    edition = some_tables(edition_of(2018))
    before = os.environ.get("TZ")
    os.environ["TZ"] = "Asia/Tokyo"
    time.tzset()
    try:
        again = write_workbook(QuickBook(2018), tmp_path / edition.file, edition=edition)
    finally:
        os.environ.pop("TZ") if before is None else os.environ.update(TZ=before)
        time.tzset()
    assert again.path.read_bytes() == few[2018].path.read_bytes()
    with zipfile.ZipFile(again.path) as archive:
        assert {member.date_time[0] for member in archive.infolist()} == {1980}
        assert "2024-01-01T00:00:00Z" in archive.read("docProps/core.xml").decode()


def test_spending_since_the_first_year_begins_in_2014(few: dict[int, Written]) -> None:
    rows = rows_of(few[2016].path, "T4")
    assert rows[2][0] == "Table 4: Gross Current Expenditure in cash and real terms, 2014-15 to 2016-17"
    assert [row[0] for row in rows[7:13]] == [
        "2014-15",
        "2015-16",
        "2016-17",
        " ",
        "Percentage change from 2015-16 to 2016-17",
        "Percentage change from 2014-15 to 2016-17",
    ]


def test_shares_of_a_row_are_printed_as_percentages_in_text(few: dict[int, Written]) -> None:
    shares = [row[4] for row in rows_of(few[2021].path, "T9")[8:10]]
    known = QuickBook(2021).figures(
        "requests",
        {
            "age_band": "Total",
            "sequel": "Total",
            "route_of_access": "Planned entry (transition)",
            "statistic": "Share of row total",
            "unit": "percent",
        },
        QuickBook(2021).areas().head(1),
        year=2021,
    )
    assert shares == [f"{float(known.value[0])!r}%", ""]


def test_a_file_that_does_not_say_it_is_made_up_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ClsimpactError, match="does not say"):
        write_workbook(StubBook(2021), tmp_path / "ASCFR and SALT Data Tables 2021-22.xlsx")
    assert not list(tmp_path.iterdir())


def test_an_edition_of_another_year_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ClsimpactError, match="of 2020-21, the book of 2021-22"):
        write_workbook(StubBook(2021), tmp_path / "SIMULATED.xlsx", edition=edition_of(2020))


def test_a_year_without_a_workbook_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ClsimpactError, match="2015-16"):
        write_workbook(StubBook(2015), tmp_path / "SIMULATED.xlsx")


@pytest.mark.parametrize(
    ("value", "status"), [(np.nan, "published"), (np.inf, "published"), (np.nan, "not_held")]
)
def test_a_figure_that_cannot_be_printed_is_refused(tmp_path: Path, value: float, status: str) -> None:
    class Broken(StubBook):
        def figures(self, measure, says, areas, *, year=None):  # type: ignore[no-untyped-def]
            return Known(np.full(len(areas), value), np.full(len(areas), status, dtype="object"))

    with pytest.raises(ClsimpactError, match="T1: net_total_expenditure"):
        write_workbook(Broken(2021), tmp_path / "SIMULATED.xlsx")
    assert not list(tmp_path.iterdir())


def test_every_frozen_word_is_one_of_the_returns_table() -> None:
    known = {dimension: set(words) for dimension, words in read_toml("labels.toml").items()}
    known |= {"statistic": {"Share of row total", "Percentage change"}, "unit": {"percent", "proportion"}}
    known |= {"detail": {"long and short term care"}}
    for layout in layouts().values():
        assert {column.measure for column in layout.columns} <= set(measures())
        for said in (*layout.columns, *layout.lines):
            assert all(word in known[name] for name, word in said.says.items())
            assert set(said.says) <= {*DIMENSIONS, "unit"}


def test_what_each_edition_is_known_from_is_said() -> None:
    for edition in editions().values():
        assert set(edition.seen) == {"documented", "inferred", "ours"}
        assert edition.seen["documented"]
        assert edition.official_id in all_sources()
        assert all_sources()[edition.official_id].file == edition.file.removeprefix("SIMULATED ")


def test_the_frozen_layouts_are_those_of_the_official_file(official: Path) -> None:
    where = importlib.util.spec_from_file_location("freeze_layouts", ROOT / "tools" / "freeze_layouts.py")
    assert where is not None
    assert where.loader is not None
    tool = importlib.util.module_from_spec(where)
    where.loader.exec_module(tool)
    workbook = official / all_sources()["asc_fr_salt_2021_22"].path
    for name, text in tool.freeze(workbook).items():
        assert (LAYOUTS / name).read_text(encoding="utf-8") == text


def test_no_figure_of_the_publisher_is_in_the_frozen_layouts() -> None:
    rows = csv.reader(io.StringIO((LAYOUTS / "columns.csv").read_text(encoding="utf-8")))
    assert all(
        re.fullmatch(r"-?\d{0,2}", cell) for row in list(rows)[1:] for cell in (row[0], row[1], row[3])
    )
