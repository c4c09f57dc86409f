from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from clsimpact._status import Known
from clsimpact.errors import LayoutError
from clsimpact.loaders import salt_csv
from clsimpact.loaders.manifest import Source, all_sources
from clsimpact.simulate.publication import TIDY_COLUMNS, Written
from clsimpact.simulate.salt_csv import write_salt_csv
from tests.simulate.stub_book import StubBook

YEARS = (2014, 2018, 2019, 2023)


@dataclass(frozen=True)
class QuickBook(StubBook):
    """The stub book with one draw a question, so that a whole file takes a second and not ten."""

    asked: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)

    def figures(
        self, measure: str, says: Mapping[str, str], areas: pd.DataFrame, *, year: int | None = None
    ) -> Known:
        self.asked.append((measure, dict(says)))
        words = "|".join(f"{key}={says[key]}" for key in sorted(says))
        digest = hashlib.blake2b(f"{measure}|{words}|{self.year}".encode(), digest_size=8).digest()
        draw = np.random.default_rng(int.from_bytes(digest, "big")).random(len(areas))
        status = np.where(draw < 0.1, "suppressed", "published").astype("object")
        status[draw > 0.95] = "not_submitted"
        value = 5.0 * np.round(1000 * draw) + 5
        return Known(np.where(status == "published", value, np.nan), status)


def record(written: Written, **changes: object) -> Source:
    """The record of a made-up file: that of the official one in whose layout it is."""
    official = all_sources()[written.source_id.removeprefix("simulated_")]
    source = replace(official, id=written.source_id, simulated=True, verified="made-up file")
    return replace(source, **changes)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def publications(tmp_path_factory: pytest.TempPathFactory) -> dict[int, tuple[Written, QuickBook]]:
    folder = tmp_path_factory.mktemp("salt")
    made = {}
    for year in YEARS:
        book = QuickBook(year)
        made[year] = (write_salt_csv(book, folder / f"SIMULATED SALT {year}.csv"), book)
    return made


Made = dict[int, tuple[Written, QuickBook]]


@pytest.fixture(scope="module")
def loaded(publications: Made) -> dict[int, pd.DataFrame]:
    return {year: salt_csv.read(written.path, record(written)) for year, (written, _) in publications.items()}


@pytest.mark.parametrize("year", YEARS)
def test_the_loader_gives_back_what_was_written(
    publications: Made, loaded: dict[int, pd.DataFrame], year: int
) -> None:
    (written, _), table = publications[year], loaded[year]
    assert list(written.figures.columns) == list(TIDY_COLUMNS)
    assert len(table) == len(written.figures)
    for name in TIDY_COLUMNS:
        got, wanted = table[name], written.figures[name]
        if isinstance(wanted.dtype, pd.CategoricalDtype):
            words = sorted({*map(str, got.cat.categories), *map(str, wanted.cat.categories)})
            got, wanted = (
                part.cat.rename_categories(str).cat.set_categories(words).cat.codes for part in (got, wanted)
            )
        if wanted.isna().all():
            assert got.isna().all(), name
        else:
            np.testing.assert_array_equal(got.to_numpy(), wanted.to_numpy(), err_msg=name)


@pytest.mark.parametrize("year", YEARS)
def test_every_question_is_asked_once(publications: Made, year: int) -> None:
    questions = [(measure, *sorted(says.items())) for measure, says in publications[year][1].asked]
    assert len(questions) == len({*map(str, questions)}) > 1000
    words = {word for _, says in publications[year][1].asked for word in says.values()}
    assert ("Prison" in words, "100% NHS funded care" in words) == (year > 2014, year > 2014)
    assert any(measure == "st_max_clients" for measure, _ in publications[year][1].asked) == (year >= 2018)


@pytest.mark.parametrize(
    ("year", "heading", "markers", "age"),
    [
        (2014, "AgeBand_Key", {"*", ":"}, "1"),
        (2018, "AgeBand_Key", {"*", ":"}, "Age 18 to 64"),
        (2019, "AgeBand", {"*", ":"}, "Age 18 to 64"),
        (2023, "AgeBand", {"[c]", "[x]"}, "Age 18 to 64"),
    ],
)
def test_the_file_looks_as_its_year_does(
    publications: Made, year: int, heading: str, markers: set[str], age: str
) -> None:
    written, _ = publications[year]
    columns = ["UUID", heading, "ITEMVALUE"]
    rows = pd.read_csv(written.path, usecols=columns, dtype="category", keep_default_na=False)
    assert rows[heading].iloc[0] == age
    assert rows["UUID"].cat.categories.str.startswith("SIM").all()
    printed = rows["ITEMVALUE"].cat.categories
    assert {cell for cell in printed if not cell.isdigit()} == markers


def test_a_known_figure_stands_where_it_belongs(publications: Made, loaded: dict[int, pd.DataFrame]) -> None:
    _, book = publications[2018]
    says = {"age_band": "65 and over", "route_of_access": "Discharge from hospital", "sequel": "End of life"}
    wanted = book.figures("requests", says, book.areas())
    chosen = loaded[2018][loaded[2018]["measure"] == "requests"]
    for dimension, word in says.items():
        chosen = chosen[chosen[dimension] == word]
    np.testing.assert_array_equal(chosen["value"].to_numpy(), wanted.value)
    assert set(chosen["table"]) == {"SIMULATED SALT 2018: STS001 1b"}


def test_withheld_regions_and_all_levels_are_there(publications: Made) -> None:
    figures = publications[2023][0].figures
    assert figures["level"].value_counts().index.tolist() == ["council", "region", "england"]
    assert set(figures["status"]) == {"published", "suppressed", "not_submitted"}


def test_made_up_figures_are_refused_under_an_official_record(publications: Made) -> None:
    written, _ = publications[2019]
    with pytest.raises(LayoutError, match="says that it is made up"):
        salt_csv.read(written.path, record(written, simulated=False, id="csv_pack_2019_20"))


def test_numeric_keys_are_of_no_use_without_their_reference_data(publications: Made, tmp_path: Path) -> None:
    written, _ = publications[2014]
    alone = tmp_path / written.path.name
    alone.symlink_to(written.path)
    with pytest.raises(LayoutError, match="has no known meaning"):
        salt_csv.read(alone, record(written))
    beside = salt_csv.reference_data_path(written.path)
    assert beside.read_text(encoding="utf-8").splitlines()[1].startswith("SIMULATED,")


def test_the_same_book_gives_the_same_bytes_and_an_estimate_is_not_marked(tmp_path: Path) -> None:
    class Estimates(QuickBook):
        def figures(self, measure: str, says: Mapping[str, str], areas: pd.DataFrame, *, year: int | None = None) -> Known:  # fmt: skip  # noqa: E501
            return Known(np.full(len(areas), 12.5), np.full(len(areas), "estimated", dtype="object"))

    one = write_salt_csv(Estimates(2016), tmp_path / "a.csv", numeric_keys=False)
    two = write_salt_csv(Estimates(2016), tmp_path / "b.csv", numeric_keys=False)
    assert one.path.read_bytes() == two.path.read_bytes()
    assert not salt_csv.reference_data_path(one.path).exists()
    assert set(one.figures["status"]) == {"published"}
    assert one.path.read_text(encoding="utf-8").splitlines()[1].endswith(",12.5")
