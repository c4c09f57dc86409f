from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from clsimpact.errors import LayoutError
from clsimpact.loaders import cld_csv
from clsimpact.loaders._keyed_layout import load_layout
from clsimpact.loaders.labels import measures
from tests.loaders.keyed_files import CLD_HEADINGS, Rows, source_of, whole_file, write_rows

ITEM = {
    "UID": "7",
    "Measure": "STS001",
    "View": "Route of access",
    "AggregationLevel": "Detail",
    "AgeBand": "65 and over",
    "RouteOfAccess": "99",
    "SequelToRequestGrouped": "Long-term support",
    "HasUnpaidCarer": "99",
    "AccommodationStatusGroup": "",
}


def rows_2024(*items: dict[str, str]) -> Rows:
    return whole_file(2024, items or (ITEM,), CLD_HEADINGS)


def read(tmp_path: Path, rows: Rows, source_id: str = "cld_requests_2024_25") -> pd.DataFrame:
    path = write_rows(tmp_path / "cld.csv", rows)
    return cld_csv.read(path, source_of(source_id))


def test_figures_have_measures_and_a_return_of_their_own(tmp_path: Path) -> None:
    rows = rows_2024()
    rows[1]["ITEMVALUE"] = "[c]"
    table = read(tmp_path, rows)
    first = table.iloc[0]
    assert len(table) == len(rows) == 153 + 9 + 1
    assert (first["measure"], first["return_"], first["unit"]) == ("cld_requests", "CLD", "requests")
    assert (first["year"], first["name"], first["value"]) == (2024, "Hartlepool", 5.0)
    assert (first["age_band"], first["route_of_access"]) == ("65 and over", "Total")
    assert first["detail"] == "SequelToRequestGrouped: Long-term support; View: Route of access"
    assert table["status"].tolist()[:2] == ["published", "suppressed"]


@pytest.mark.parametrize(
    ("printed", "measure"),
    [
        ("ST-Max STS002", "cld_st_max_episodes"),
        ("LTS001b", "cld_long_term_clients_year_end"),
        ("LTS001", "cld_long_term_support"),
        ("LTS002", "cld_reviews"),
        ("LTS004", "cld_learning_disability_clients"),
    ],
)
def test_measures(tmp_path: Path, printed: str, measure: str) -> None:
    assert set(read(tmp_path, rows_2024({**ITEM, "Measure": printed}))["measure"]) == {measure}


def test_a_combination_that_does_not_occur_may_have_no_row(tmp_path: Path) -> None:
    rows = rows_2024(ITEM, {**ITEM, "View": "Age"})
    assert len(read(tmp_path, rows[1:])) == len(rows) - 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"Measure": "STS003"}, "'STS003' is no known sheet (did you mean"),
        ({"AgeBand": "65 and ovre"}, "column AgeBand: '65 and ovre' is no known age band (did you mean"),
        (
            {"ServiceType": "3"},
            "column ServiceType, row 2, 3, 4, 5 and 159 more: the key '3' has no known meaning",
        ),
    ],
)
def test_unknown_words_are_refused(tmp_path: Path, change: dict[str, str], message: str) -> None:
    with pytest.raises(LayoutError) as caught:
        read(tmp_path, rows_2024({**ITEM, **change}))
    assert any(message in problem for problem in caught.value.problems)


def test_twins_missing_councils_and_unknown_columns_are_refused(tmp_path: Path) -> None:
    rows = rows_2024()
    with pytest.raises(LayoutError, match=r"1 rows stand twice \(row 165\)"):
        read(tmp_path, [*rows, rows[0]])
    with pytest.raises(LayoutError, match="1 of 153 councils are missing: Hartlepool"):
        read(tmp_path, rows[1:])
    with pytest.raises(LayoutError, match="unknown heading 'Shoe size'"):
        read(tmp_path, [{**row, "Shoe size": "9"} for row in rows])


def test_every_declared_measure_says_that_it_is_not_comparable() -> None:
    for rule in load_layout("cld_csv.toml").rules:
        entry = measures()[rule.measure]
        assert rule.measure.startswith("cld_")
        assert entry["return_"] == "CLD"
        assert "not comparable with SALT" in entry["meaning"]
