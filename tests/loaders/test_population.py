from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from clsimpact.errors import LayoutError, SourceError
from clsimpact.loaders import population
from clsimpact.loaders.manifest import load_manifest
from tests.loaders.workbooks import record, write_ods

YEARS = range(2015, 2023)
AGES = list(range(91))
AREAS = {
    "E92000001": "England",
    "E10000006": "Cumbria",
    "E07000026": "Allerdale",
    "E11000001": "Greater Manchester",
}


def made_up(
    top: object = "90+", title: str = "MYE2: Persons by single year of age and sex, mid-2020"
) -> list[list[object]]:
    rows: list[list[object]] = [[title], ["Code", "Name", "Geography", "All ages", *map(str, AGES[:-1]), top]]
    rows += [[code, name, "", sum(AGES), *AGES] for code, name in AREAS.items()]
    return [*rows, [], ["1. A footnote."]]


def read(path: Path) -> pd.DataFrame:
    return population.read(path, record("population_mid_2020", path))


def test_bands_by_hand(tmp_path: Path) -> None:
    path = write_ods(tmp_path / "p.ods", {"Contents": [["Persons by single year of age"]], "X": made_up()})
    table = read(path)
    cumbria = table[table["name"] == "Cumbria"].set_index("age_band")
    assert cumbria["value"].to_dict() == {
        "Total": 90 * 91 / 2,
        "18 to 64": 64 * 65 / 2 - 17 * 18 / 2,
        "65 and over": 90 * 91 / 2 - 64 * 65 / 2,
    }
    assert cumbria["cell"].to_dict() == {"Total": "D4", "18 to 64": "W4:BQ4", "65 and over": "BR4:CQ4"}
    levels = table.drop_duplicates("name").set_index("name")["level"].to_dict()
    assert levels == {
        "England": "england",
        "Cumbria": "council",
        "Allerdale": "district",
        "Greater Manchester": "other",
    }
    assert set(table["unit"]) == {"people"}
    assert set(table["year"]) == {2020}


def test_90_and_90_plus_are_the_same(tmp_path: Path) -> None:
    plus = read(write_ods(tmp_path / "a.ods", {"X": made_up("90+")}))
    bare = read(write_ods(tmp_path / "b.ods", {"X": made_up(90)}))
    pd.testing.assert_frame_equal(plus, bare)


def test_a_column_too_many_is_named(tmp_path: Path) -> None:
    rows = made_up()
    rows[1].append("91")
    with pytest.raises(LayoutError, match="cell CR2: '91' where no further column is expected"):
        read(write_ods(tmp_path / "p.ods", {"X": rows}))


def test_an_area_listed_twice_is_refused(tmp_path: Path) -> None:
    rows = made_up()
    rows.insert(4, list(rows[3]))
    with pytest.raises(LayoutError, match="cell A5: 'E10000006' is listed twice"):
        read(write_ods(tmp_path / "p.ods", {"X": rows}))


def test_ages_that_do_not_add_up_are_refused(tmp_path: Path) -> None:
    rows = made_up()
    rows[3][3] = sum(AGES) + 1
    path = write_ods(tmp_path / "p.ods", {"X": rows})
    with pytest.raises(
        LayoutError, match=r"p\.ods, sheet 'X'.*\n.*cell D4: Cumbria prints 4096, its ages add up to 4095"
    ):
        read(path)


@pytest.mark.parametrize(
    ("row", "column", "cell", "message"),
    [
        (1, 3, "Everybody", "no column is headed 'All ages'"),
        (1, 20, "16 years", "cell U2: '16 years' where the age 16 is expected"),
        (1, 4, "zero", "the ages 0 to 90 are not all there"),
        (3, 0, "Cumbria", "cell A4: 'Cumbria' is no area code"),
        (3, 10, "[x]", "cell K4: '\\[x\\]' is no number of people"),
        (3, 10, 0.5, "cell K4: 0.5 is no number of people"),
        (3, 10, "", "cell K4: '' is no number of people"),
        (
            0,
            0,
            "MYE2: Persons by single year of age and sex, mid-2019",
            "the title says mid-2019, the manifest mid-2020",
        ),
        (0, 0, "MYE2: Males by single year of age and sex, mid-2020", "no sheet is titled as persons"),
    ],
)
def test_what_is_not_in_the_layout_is_refused(
    tmp_path: Path, row: int, column: int, cell: object, message: str
) -> None:
    rows = made_up()
    rows[row][column] = cell
    with pytest.raises(LayoutError, match=message):
        read(write_ods(tmp_path / "p.ods", {"X": rows}))


@pytest.mark.parametrize("year", YEARS)
def test_every_layout_agrees_with_a_straight_reading(official: Path, year: int) -> None:
    source = load_manifest()[f"population_mid_{year}"]
    path = official / source.path
    table = population.read(path, source)
    name = table["table"].iloc[0]
    straight = pd.read_excel(path, sheet_name=name, header=None, engine="calamine")
    straight = straight[straight[0].astype("string").str.fullmatch(r"[A-Z]\d{8}").fillna(False)]
    assert len(table) == 3 * len(straight)
    ages = straight.iloc[:, -91:].astype("float64")
    wide = table.pivot_table(index="ons_code", columns="age_band", values="value", sort=False)
    assert wide.index.tolist() == straight[0].tolist()
    assert (wide["18 to 64"].to_numpy() == ages.iloc[:, 18:65].sum(axis=1).to_numpy()).all()
    assert (wide["65 and over"].to_numpy() == ages.iloc[:, 65:].sum(axis=1).to_numpy()).all()
    assert (wide["Total"].to_numpy() == ages.sum(axis=1).to_numpy()).all()
    assert set(table["year"]) == {year}


@pytest.mark.parametrize(
    ("year", "counties", "councils"), [(2015, 27, 152), (2018, 26, 151), (2020, 24, 152), (2022, 21, 153)]
)
def test_councils_cover_england_once(official: Path, year: int, counties: int, councils: int) -> None:
    source = load_manifest()[f"population_mid_{year}"]
    table = population.read(official / source.path, source)
    total = table[table["age_band"] == "Total"]
    council = total[total["level"] == "council"]
    assert len(council) == councils
    assert council["ons_code"].str.startswith("E10").sum() == counties
    england = total.loc[total["level"] == "england", "value"].item()
    assert council["value"].sum() == england
    assert total.loc[total["level"] == "region", "value"].sum() == england


def test_official_denominators_of_england(official: Path) -> None:
    known = {2015: (33_396_899, 9_711_572), 2016: (33_599_949, 9_882_841), 2020: (33_992_831, 10_464_019)}
    for year, values in known.items():
        source = load_manifest()[f"population_mid_{year}"]
        table = population.read(official / source.path, source)
        england = table[table["level"] == "england"].set_index("age_band")["value"]
        assert (england["18 to 64"], england["65 and over"]) == values


@pytest.mark.parametrize("year", [2016, 2022])
def test_truncated_workbook(official: Path, tmp_path: Path, year: int) -> None:
    source = load_manifest()[f"population_mid_{year}"]
    cut = tmp_path / source.file
    cut.write_bytes((official / source.path).read_bytes()[:-20_000])
    with pytest.raises(SourceError, match="truncated or of another kind"):
        population.read(cut, source)
