from __future__ import annotations

import csv
from pathlib import Path

import pandas as pd
import pytest

from clsimpact.errors import LayoutError, SourceError
from clsimpact.geography import councils
from clsimpact.loaders import ascof_official_csv, ascof_open_data
from clsimpact.loaders.manifest import load_manifest
from clsimpact.loaders.returns import as_text
from clsimpact.loaders.sheets import open_workbook
from tests.loaders.keyed_files import source_of, write_rows

Rows = list[dict[str, str]]
SEQUEL = {
    "ASCOF Measure Code": "2D",
    "Disaggregation Level": "Total",
    "Measure Group": "2D",
    "Measure Group Description": "The outcome of short-term services: sequel to service",
}
STATISTICS = {"Numerator": "5853", "Denominator": "6113", "Outcome": "95.7"}


def rows_of(
    year: int, *, measure: dict[str, str] = SEQUEL, ons: str = "ONS Code", kind: str = "Council Type"
) -> Rows:
    """Three statistics of one measure, for every council, a region, a council type and England."""
    areas = [(c.cassr_code, c.name, "Council", c.ons_code) for c in councils(year).itertuples()]
    areas += [("NE", "North East", "Region", "E12000001"), ("S", "Shire Counties", kind, "")]
    areas.append(("England", "England", "England", "E92000001"))
    return [
        {
            "Geographical Code": code,
            "Geographical Description": name,
            "Geographical Level": level,
            ons: ons_code,
            **measure,
            "Measure Type": statistic,
            "Measure Value": value,
        }
        for code, name, level, ons_code in areas
        for statistic, value in STATISTICS.items()
    ]


def read(tmp_path: Path, rows: Rows, source_id: str) -> pd.DataFrame:
    return ascof_official_csv.read(write_rows(tmp_path / "ascof.csv", rows), source_of(source_id))


def test_numerator_denominator_and_outcome_are_rows(tmp_path: Path) -> None:
    rows = rows_of(2021)
    rows[3]["Measure Value"], rows[4]["Measure Value"] = "[c]", "[x]"
    table = read(tmp_path, rows, "ascof_csv_2021_22")
    first = table.iloc[:3]
    assert first["statistic"].tolist() == list(STATISTICS)
    assert first["value"].tolist() == [5853.0, 6113.0, 95.7]
    assert first["unit"].tolist() == ["people", "people", "%"]
    assert set(table["measure"]) == {"sequel_to_short_term_support"}
    assert set(table["year"]) == {2021}
    assert (first["name"].iloc[0], first["cassr_code"].iloc[0]) == ("Hartlepool", "111")
    assert table["status"].tolist()[2:6] == ["published", "suppressed", "not_submitted", "published"]
    assert table["level"].value_counts().to_dict() == {
        "council": 3 * 152,
        "region": 3,
        "council_type": 3,
        "england": 3,
    }
    assert first["cell"].tolist() == ["J2", "J3", "J4"]


def test_2018_19_has_another_heading_encoding_and_marker(tmp_path: Path) -> None:
    rows = rows_of(2018, ons="ONS Area Code", kind="Council type")
    for row in rows[:3]:
        row["Measure Group Description"] = "The outcome of short\u2013term services: sequel to service"
    rows[3]["Measure Value"] = "c"
    path = write_rows(tmp_path / "ascof.csv", rows)
    path.write_bytes(path.read_text(encoding="utf-8").encode("cp1252"))
    table = ascof_official_csv.read(path, source_of("ascof_csv_2018_19"))
    assert table["status"].iloc[3] == "suppressed"
    assert set(table["measure"]) == {"sequel_to_short_term_support"}
    with pytest.raises(SourceError, match="utf-8-sig"):
        ascof_official_csv.read(path, source_of("ascof_csv_2019_20"))


def test_a_code_means_what_it_meant_in_its_year(tmp_path: Path) -> None:
    renumbered = {**SEQUEL, "ASCOF Measure Code": "2A", "Measure Group": "2A"}
    table = read(tmp_path, rows_of(2023, measure=renumbered), "ascof_csv_2023_24")
    assert set(table["measure"]) == {"sequel_to_short_term_support"}
    assert set(table["detail"]) == {"2A"}
    with pytest.raises(LayoutError, match="no measure has the code '2D' in 2023"):
        read(tmp_path, rows_of(2023), "ascof_csv_2023_24")


def test_codes_with_brackets_and_breakdowns(tmp_path: Path) -> None:
    measure = {
        "ASCOF Measure Code": "2B(1)6574",
        "Disaggregation Level": "65-74",
        "Measure Group": "2B(1)",
        "Measure Group Description": "Proportion of older people 65 and over who were still at home 91 days "
        "after discharge from hospital into reablement/rehabilitation services effectiveness of the service",
    }
    table = read(tmp_path, rows_of(2019, measure=measure), "ascof_csv_2019_20")
    assert set(table["measure"]) == {"reablement_still_home_91_days"}
    assert set(table["detail"]) == {"2B(1)6574"}
    assert set(table["age_band"]) == {"65 to 74"}


def changed(row: int, **cells: str) -> Rows:
    rows = rows_of(2021)
    rows[row].update({name.replace("_", " "): cell for name, cell in cells.items()})
    return rows


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (changed(0, Measure_Type="Numerater"), "unknown measure type 'Numerater' (did you mean 'Numerator'"),
        (changed(0, Disaggregation_Level="Men"), "unknown disaggregation level 'Men'"),
        (changed(0, ASCOF_Measure_Code="2DM"), "the code '2DM' is not that of '2D' for 'Total'"),
        (changed(0, Geographical_Level="Region"), "row 2: 'Hartlepool' with the code 'E06000001' is printed"),
        (changed(0, Geographical_Code="112"), "row 2: the code 112 is that of E06000002, not of 'E06000001'"),
        (changed(0, Geographical_Code="998"), "row 2: '998' was no council's social-care code in 2021-22"),
        (changed(0, Measure_Value=""), "blank where a figure is expected"),
        (changed(0, Measure_Value="n/a"), "'n/a' is neither a number nor known shorthand"),
        (rows_of(2021)[3:], "1 of 152 councils are missing: Hartlepool (111)"),
        ([*rows_of(2021), rows_of(2021)[0]], "1 rows stand twice (row 467)"),
    ],
)
def test_what_is_not_understood_is_named_with_its_place(tmp_path: Path, rows: Rows, message: str) -> None:
    with pytest.raises(LayoutError) as caught:
        read(tmp_path, rows, "ascof_csv_2021_22")
    assert any(message in problem for problem in caught.value.problems)


def test_unknown_headings_are_refused(tmp_path: Path) -> None:
    rows = [{**row, "Shoe size": "9"} for row in rows_of(2021)]
    with pytest.raises(LayoutError, match="unknown header 'Shoe size'"):
        read(tmp_path, rows, "ascof_csv_2021_22")


def test_the_real_figures_of_2020_21_read_the_same_from_a_csv(tmp_path: Path, official: Path) -> None:
    record = load_manifest()["ascof_open_data_2020_21"]
    header, *rows = next(iter(open_workbook(official / record.path))).rows
    group = header.index("Measure Group")
    chosen = [number for number, row in enumerate(rows) if row[group] in ("2D", "2A2", "1A")]
    path = tmp_path / "in.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        for row in [header, *(rows[number] for number in chosen)]:
            writer.writerow([int(c) if isinstance(c, float) and c.is_integer() else c for c in row])
    table = ascof_official_csv.read(path, source_of("ascof_csv_2019_20", year=2020, id=record.id))
    expected = ascof_open_data.read(official / record.path, record).iloc[chosen].reset_index(drop=True)
    assert len(table) == len(expected) > 1000
    pd.testing.assert_frame_equal(*[as_text(part.drop(columns="cell")) for part in (table, expected)])
