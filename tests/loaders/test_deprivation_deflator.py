from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import python_calamine

from clsimpact.errors import LayoutError, SourceError
from clsimpact.loaders import deflator, deprivation
from clsimpact.loaders.manifest import load_manifest
from tests.loaders.workbooks import record, write_csv, write_ods

MANIFEST = load_manifest()
PRICES = MANIFEST["gdp_deflator_2023_12"]
LAYOUT: list[list[object]] = [
    ["", "GDP DEFLATORS", "", "", "", "", "", ""],
    ["", "Financial year", "", "", "", "Calendar year", "", ""],
    [
        "",
        "Financial year",
        "2022-23 = 100",
        "per cent change on previous year",
        "",
        "Calendar year",
        "2022 = 100",
        "per cent change on previous year",
    ],
    ["", "2021-22", 93.629, "", "", "2021", 95.113, -0.32],
    ["", "2022-23", 100, 6.8, "", "2022", 100, 5.14],
    ["", "2023-24 (1) (2)", "-", 6.1, "", "2023 (1)", "-", 7.03],
    ["", "Sources and footnotes:", "", "", "", "", "", ""],
    ["", "(1)", "a note", "", "", "", "", ""],
]
INDICES = [f"deprivation_{year}" for year in (2015, 2019)]
AREA = ["Upper Tier Local Authority District code (2019)", "Upper Tier Local Authority District name (2019)"]


def small_indices() -> dict[str, list[list[object]]]:
    sheets: dict[str, list[list[object]]] = {"Notes": []}
    for name, prefixes in deprivation._SHEETS.items():
        summaries = [*deprivation._SUMMARIES, *deprivation._EXTRA.get(name, {})]
        header = [*AREA, *(f"{prefixes[0]} - {summary.capitalize()}" for summary in summaries)]
        sheets[name] = [header, ["E06000001", "Hartlepool", *range(len(summaries))]]
    return sheets


# Deflators


def test_deflator_by_hand(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "prices.csv", LAYOUT)
    table = deflator.read(path, record(PRICES.id, path))
    wanted = ["measure", "year", "value", "unit", "status", "data_type", "cell"]
    rows = [tuple(row) for row in table[wanted].fillna({"value": 0.0}).itertuples(index=False)]
    assert rows == [
        ("gdp_deflator", 2021, 93.629, "2022-23 = 100", "published", "Outturn", "C4"),
        ("gdp_deflator", 2022, 100, "2022-23 = 100", "published", "Outturn", "C5"),
        ("gdp_deflator_change", 2022, 6.8, "%", "published", "Outturn", "D5"),
        ("gdp_deflator", 2023, 0, "2022-23 = 100", "not_applicable", "Forecast", "C6"),
        ("gdp_deflator_change", 2023, 6.1, "%", "published", "Forecast", "D6"),
        ("gdp_deflator_calendar", 2021, 95.113, "2022 = 100", "published", "Outturn", "G4"),
        ("gdp_deflator_change_calendar", 2021, -0.32, "%", "published", "Outturn", "H4"),
        ("gdp_deflator_calendar", 2022, 100, "2022 = 100", "published", "Outturn", "G5"),
        ("gdp_deflator_change_calendar", 2022, 5.14, "%", "published", "Outturn", "H5"),
        ("gdp_deflator_calendar", 2023, 0, "2022 = 100", "not_applicable", "Forecast", "G6"),
        ("gdp_deflator_change_calendar", 2023, 7.03, "%", "published", "Forecast", "H6"),
    ]
    assert set(table["level"]) == {"other"}


@pytest.mark.parametrize(
    ("row", "column", "cell", "message"),
    [
        (2, 2, "2022-23 index", "cell C3: unknown header '2022-23 index'"),
        (2, 2, "", "cell C3: no header above cells that are not blank"),
        (2, 3, "change", "cell D3: unknown header 'change'"),
        (3, 1, "2021-23", "cell B4: '2021-23' is not a financial year"),
        (3, 1, "average", "cell B4: 'average' is not a financial year"),
        (3, 2, "n/a", "prices.csv, sheet 'prices': 1 cells cannot be read.\n  - cell C4: 'n/a'"),
        (6, 1, "Notes", "no row says 'Sources and footnotes:'"),
    ],
)
def test_deflator_refuses_what_is_not_in_the_layout(
    tmp_path: Path, row: int, column: int, cell: object, message: str
) -> None:
    rows = [list(cells) for cells in LAYOUT]
    rows[row][column] = cell
    path = write_csv(tmp_path / "prices.csv", rows)
    with pytest.raises(LayoutError, match=message):
        deflator.read(path, record(PRICES.id, path))


def test_deflator_refuses_a_year_listed_twice(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "prices.csv", [*LAYOUT[:4], *LAYOUT[3:]])
    with pytest.raises(LayoutError, match="is listed twice"):
        deflator.read(path, record("gdp_deflator_2023_12", path))


def test_deflators_of_the_treasury(official: Path) -> None:
    table = deflator.read(official / PRICES.path, PRICES)
    index = table[table["measure"] == "gdp_deflator"].set_index("year")
    known = {2014: 81.870, 2015: 82.459, 2016: 84.335, 2019: 89.527, 2020: 94.403, 2021: 93.629, 2022: 100.0}
    assert index["value"].loc[list(known)].to_dict() == known
    assert (index["status"] == "not_applicable").sum() == 6
    assert index.index.tolist() == list(range(1955, 2029))
    raw = pd.read_csv(
        official / PRICES.path, header=None, skiprows=7, nrows=74, thousands=",", dtype="string"
    )
    figures = pd.concat([raw[column] for column in (2, 3, 4, 5, 8, 9, 10)])
    assert len(table) == figures.notna().sum()
    assert (table["status"] == "not_applicable").sum() == (figures == "-").sum() == 12


def test_changes_follow_from_the_index(official: Path) -> None:
    rounding = 0.007  # half a unit of the printed change, and of an index of about 50 in both years
    table = deflator.read(official / PRICES.path, PRICES)
    wide = (
        table[table["data_type"] == "Outturn"]
        .pivot_table(index="year", columns="measure", values="value")
        .loc[1991:]
    )
    computed = 100 * (wide["gdp_deflator"] / wide["gdp_deflator"].shift() - 1)
    assert (computed - wide["gdp_deflator_change"]).abs().max() < rounding


def test_truncated_deflators(official: Path, tmp_path: Path) -> None:
    path = tmp_path / PRICES.file
    path.write_bytes((official / PRICES.path).read_bytes()[:3_000])
    with pytest.raises((LayoutError, SourceError)):
        deflator.read(path, PRICES)


# Deprivation


def test_deprivation_by_hand(tmp_path: Path) -> None:
    path = write_ods(tmp_path / "indices.ods", small_indices())
    table = deprivation.read(path, record("deprivation_2019", path))
    imd = table[table["table"] == "IMD"].set_index("measure")
    assert imd["value"].to_dict() == {
        "imd_average_rank": 0,
        "imd_rank_of_average_rank": 1,
        "imd_average_score": 2,
        "imd_rank_of_average_score": 3,
        "imd_proportion_in_most_deprived_tenth": 4,
        "imd_rank_of_proportion_in_most_deprived_tenth": 5,
        "imd_extent": 6,
        "imd_rank_of_extent": 7,
        "imd_local_concentration": 8,
        "imd_rank_of_local_concentration": 9,
    }
    assert imd.loc["imd_average_score", "cell"] == "E2"
    assert len(table) == 10 + 2 * 8 + 7 * 6
    assert set(table["year"]) == {2019}


@pytest.mark.parametrize(
    ("sheet", "row", "column", "cell", "message"),
    [
        ("IMD", 0, 4, "IMD - Mean score", "sheet 'IMD'.*\n  - cell E1: unknown header 'IMD - Mean score'"),
        ("Crime", 0, 4, "Income - Average score", "sheet 'Crime'.*\n  - cell E1: unknown header"),
        ("Crime", 0, 3, "Crime - Average rank", "2 columns are headed 'average rank'"),
        ("Crime", 0, 0, "Code", "no header for the code of the area"),
        (
            "Living",
            1,
            0,
            "E07000001",
            r"cell A2: 'E07000001' \('Hartlepool'\) is no code of an upper-tier authority",
        ),
        ("Living", 1, 2, "[x]", r"sheet 'Living'.*\n  - cell C2: '\[x\]'"),
    ],
)
def test_deprivation_refuses_what_is_not_in_the_layout(
    tmp_path: Path, sheet: str, row: int, column: int, cell: object, message: str
) -> None:
    sheets = small_indices()
    sheets[sheet][row][column] = cell
    path = write_ods(tmp_path / "indices.ods", sheets)
    with pytest.raises(LayoutError, match=message):
        deprivation.read(path, record("deprivation_2019", path))


def test_deprivation_refuses_a_council_listed_twice(tmp_path: Path) -> None:
    sheets = small_indices()
    sheets["IMD"].append(list(sheets["IMD"][1]))
    with pytest.raises(LayoutError, match="is listed twice"):
        deprivation.read(
            write_ods(tmp_path / "i.ods", sheets), record("deprivation_2019", tmp_path / "i.ods")
        )


def test_deprivation_wants_every_sheet(tmp_path: Path) -> None:
    sheets = small_indices()
    del sheets["Crime"]
    path = write_ods(tmp_path / "indices.ods", sheets)
    with pytest.raises(LayoutError, match="Crime: lacking"):
        deprivation.read(path, record("deprivation_2019", path))
    sheets["Crimes"] = sheets["IMD"]
    path = write_ods(tmp_path / "indices.ods", sheets)
    with pytest.raises(LayoutError, match=r"unknown sheet \(did you mean 'Crime'\?\)"):
        deprivation.read(path, record("deprivation_2019", path))


@pytest.mark.parametrize(("source_id", "areas"), list(zip(INDICES, (152, 151), strict=True)))
def test_deprivation_agrees_with_a_straight_reading(official: Path, source_id: str, areas: int) -> None:
    source = MANIFEST[source_id]
    table = deprivation.read(official / source.path, source)
    workbook = python_calamine.CalamineWorkbook.from_path(official / source.path)
    sheets = [
        workbook.get_sheet_by_name(name).to_python() for name in workbook.sheet_names if name != "Notes"
    ]
    printed = [cell for rows in sheets for row in rows for cell in row if isinstance(cell, float)]
    assert table["value"].tolist() == printed
    assert table["ons_code"].nunique() == areas
    assert table["measure"].nunique() == 10 + 2 * 8 + 7 * 6


def test_both_releases_have_the_same_measures(official: Path) -> None:
    first, second = (deprivation.read(official / MANIFEST[name].path, MANIFEST[name]) for name in INDICES)
    assert set(first["measure"]) == set(second["measure"])
    pair = dict(zip(("measure", "unit"), (second["measure"], second["unit"]), strict=True))
    units = dict(zip(pair["measure"], pair["unit"], strict=True))
    assert units == dict(zip(first["measure"], first["unit"], strict=True))


def test_hartlepool_2019(official: Path) -> None:
    source = MANIFEST["deprivation_2019"]
    table = deprivation.read(official / source.path, source)
    here = table[(table["ons_code"] == "E06000001") & (table["measure"] == "imd_average_score")]
    assert here["value"].item() == 35.037


def test_ranks_follow_from_scores(official: Path) -> None:
    source = MANIFEST["deprivation_2019"]
    table = deprivation.read(official / source.path, source)
    wide = table.pivot_table(index="ons_code", columns="measure", values="value")
    ranks = wide["imd_average_score"].rank(ascending=False, method="min")
    assert (ranks == wide["imd_rank_of_average_score"]).all()


def test_truncated_indices(official: Path, tmp_path: Path) -> None:
    source = MANIFEST["deprivation_2019"]
    path = tmp_path / source.file
    path.write_bytes((official / source.path).read_bytes()[:-500])
    with pytest.raises(SourceError, match="truncated"):
        deprivation.read(path, source)


def test_deprivation_refuses_a_sheet_without_rows(tmp_path: Path) -> None:
    path = write_ods(tmp_path / "indices.ods", {**small_indices(), "IMD": []})
    with pytest.raises(LayoutError, match="no header for the code of the area"):
        deprivation.read(path, record("deprivation_2019", path))
    path = write_ods(tmp_path / "indices.ods", {**small_indices(), "IMD": small_indices()["IMD"][:1]})
    with pytest.raises(LayoutError, match="there is no area in it"):
        deprivation.read(path, record("deprivation_2019", path))
