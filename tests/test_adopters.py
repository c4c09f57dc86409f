"""Lists of adopters: councils that changed, lists that do not fit, lists from a file."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from clsimpact._adopters import find_adopters
from clsimpact.errors import AdoptionError
from clsimpact.geography import councils
from clsimpact.treatment import ADOPTION_COLUMNS, load_adoption, tag_adoption
from tests.adoption_helpers import BARNSLEY, DERBY, LEEDS, YORK, adopters, committed, dated
from tests.panel_helpers import built


def wrong(
    *rows: tuple[str, int | None], panel: pd.DataFrame | None = None, **columns: list[Any]
) -> AdoptionError:
    with pytest.raises(AdoptionError) as error:
        tag_adoption(built() if panel is None else panel, adopters(*rows, **columns))
    return error.value


# --- councils that changed ----------------------------------------------------------------------------

BCP = "Bournemouth, Christchurch and Poole + Dorset"


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("E06000028", BCP),
        ("E06000029", BCP),
        ("E10000009", BCP),
        ("E06000058", BCP),
        ("E06000059", BCP),
        ("E10000002", "Buckinghamshire"),
        ("E06000060", "Buckinghamshire"),
        ("E10000021", "Northamptonshire"),
        ("E06000062", "Northamptonshire"),
        ("E06000066", "Somerset"),
        ("E06000063", "Cumbria"),
    ],
)
@pytest.mark.parametrize("first", [2014, 2021])
def test_an_adopter_stands_for_its_merged_area(code: str, name: str, first: int) -> None:
    panel = built().query(f"year >= {first}")
    tagged = tag_adoption(panel, adopters((code, 2022)))
    assert dated(tagged) == {name: 2022}
    assert tagged["treated"].sum() == 1


def test_every_council_of_england_has_a_place() -> None:
    everyone = adopters(*((code, None) for code in councils()["ons_code"])).assign(nation="England")
    for boundaries in ("constant", "as_reported"):
        found = find_adopters(
            built(boundaries), everyone.reindex(columns=list(ADOPTION_COLUMNS)), "adoption_year"
        )
        lost = {row.code for row in found if not row.areas}
        assert lost == set()


def test_as_reported_the_successors_carry_the_year() -> None:
    panel = built("as_reported")
    tagged = tag_adoption(panel, adopters(("E10000002", 2016), ("E06000028", 2017)))
    assert set(tagged.dropna(subset=["adoption_year"])["ons_code"]) == {
        "E10000002", "E06000060", "E06000028", "E06000058",
    }  # fmt: skip
    successor = tagged.query("ons_code == 'E06000060'")
    assert successor["event_time"].tolist() == [4, 5, 6]
    assert set(tagged.query("ons_code == 'E06000029'")["adoption_status"]) == {"never known"}


def test_as_reported_a_successor_that_is_listed_has_its_own_year() -> None:
    tagged = tag_adoption(built("as_reported"), adopters(("E06000028", 2016), ("E06000058", 2020)))
    years = tagged.drop_duplicates("ons_code").set_index("ons_code")["adoption_year"]
    assert (years["E06000028"], years["E06000058"]) == (2016, 2020)


def test_two_adopters_in_one_merged_area() -> None:
    error = wrong(("E06000028", 2016), ("E06000029", 2018), la_name=["Bournemouth", "Poole"])
    assert error.problems == (
        "Bournemouth (E06000028), Poole (E06000029): share the merged area E06000058+E06000059; "
        "keep one row for it",
    )


def test_dropped_areas_are_not_in_the_panel() -> None:
    error = wrong(("E06000028", 2016), panel=built("drop"), la_name=["Bournemouth"])
    assert error.problems == ("Bournemouth (E06000028): not in the panel",)


# --- lists that do not fit ----------------------------------------------------------------------------


def test_everything_wrong_is_told_at_once() -> None:
    panel = built().query("name != 'York'")
    error = wrong(
        ("E0800035", 2016),
        (YORK, 2017),
        (DERBY, 2016),
        (DERBY, 2017),
        (BARNSLEY, 2030),
        ("E06000034", 2018),
        ("E06000051", 1914),
        panel=panel,
        la_name=["Leeds City", "York", "Derby", "Derby", "Barnsley", "Thurrock", "Shropshire"],
        earliest_year=[None, None, None, None, None, 2019, None],
        latest_year=[None, None, None, None, None, 2017, None],
    )
    found = "\n".join(error.problems)
    assert len(error.problems) == 6
    assert "Leeds City (E0800035): no council has this code (did you mean 'E08000035'" in found
    assert "York (E06000014): not in the panel" in found
    assert "Derby (E06000015): listed 2 times" in found
    assert "Barnsley (E08000016): adoption_year 2030 is outside the panel, 2014 to 2022" in found
    assert (
        "Thurrock (E06000034): earliest, adoption and latest year are not in order (2019, 2018, 2017)"
        in found
    )
    assert "Shropshire (E06000051): adoption_year 1914 is outside the panel" in found
    assert "adoption[~adoption['ons_code']" in error.repair


def test_a_wrong_code_with_a_right_name() -> None:
    error = wrong(("E08000099", 2016), la_name=["Leeds"])
    assert error.problems == ("Leeds (E08000099): no council has this code; Leeds is E08000035",)


def test_years_that_are_used_must_be_in_the_panel() -> None:
    table = adopters((LEEDS, None), earliest_year=[2016], latest_year=[2027], la_name=["Leeds"])
    assert "Leeds" not in set(tag_adoption(built(), table)["name"])
    with pytest.raises(AdoptionError, match=r"latest_year 2027 is outside the panel"):
        tag_adoption(built(), table, undated="treated_from_latest")
    with pytest.raises(AdoptionError, match=r"latest_year 2027 is outside the panel"):
        tag_adoption(built(), table, date="latest")


def test_unknown_choices_are_told_together() -> None:
    with pytest.raises(AdoptionError) as error:
        committed(date="first", undated="dorp")
    assert len(error.value.problems) == 2
    assert error.value.problems[0] == "date='first' is not one of 'adoption_year', 'earliest', 'latest'"
    assert error.value.problems[1].endswith("(did you mean 'drop'?)")


def test_several_rows_for_one_council_and_year() -> None:
    panel = pd.concat([built(), built().query("name in ['Leeds', 'York'] and year == 2016")])
    with pytest.raises(AdoptionError, match="several rows for one council and year") as error:
        tag_adoption(panel, load_adoption())
    assert error.value.problems == ("York (E06000014) in 2016-17", "Leeds (E08000035) in 2016-17")


def test_a_panel_without_what_is_needed() -> None:
    with pytest.raises(AdoptionError, match="no column 'ons_code' and no column 'year'"):
        tag_adoption(built()[["name"]], load_adoption())
    with pytest.raises(AdoptionError, match=r"rows without ons_code or year"):
        tag_adoption(built().assign(year=float("nan")), load_adoption())
    with pytest.raises(AdoptionError, match="no rows"):
        tag_adoption(built().iloc[:0], load_adoption())


def test_a_list_without_what_is_needed() -> None:
    with pytest.raises(AdoptionError, match=r"The adoption list is not a usable list") as error:
        tag_adoption(built(), pd.DataFrame({"onscode": [LEEDS], "year": [2016]}))
    assert error.value.problems == (
        "no column 'ons_code' (did you mean 'onscode'?)",
        "no column 'adoption_year'",
    )
    with pytest.raises(AdoptionError, match=r"^The adoption list"):
        tag_adoption(built(), pd.DataFrame({"ons_code": [LEEDS], "adoption_year": ["soon"]}))
    assert "row 1, column 'adoption_year': 'soon' is no year" in str(wrong((YORK, 2017), (LEEDS, "soon")))  # type: ignore[arg-type]


# --- lists from a file --------------------------------------------------------------------------------


def written(folder: Any, text: str) -> Any:
    path = folder / "mine.csv"
    path.write_bytes(text.encode("utf-8"))
    return path


def test_a_csv_of_ones_own(tmp_path: Any) -> None:
    path = written(
        tmp_path, "\ufeffons_code,adoption_year,who_told_us\nE08000035 ,2016,a letter\nE06000014,,\n"
    )
    table = load_adoption(path)
    assert table["ons_code"].tolist() == [LEEDS, YORK]
    assert table["adoption_year"].tolist() == [2016, pd.NA]
    assert table["nation"].eq("England").all()
    assert table["who_told_us"].tolist() == ["a letter", pd.NA]
    assert dated(tag_adoption(built(), table)) == {"Leeds": 2016}


def test_every_wrong_cell_of_a_csv_is_named(tmp_path: Any) -> None:
    text = (
        "ons_code,adoption_year,latest_year\nE08000035,spring 2016,2016.5\n,2017,inf\nE06000015,2016,1e400\n"
    )
    with pytest.raises(AdoptionError, match=r"mine.csv is not a usable list") as error:
        load_adoption(written(tmp_path, text))
    assert error.value.problems == (
        "row 2, column 'adoption_year': 'spring 2016' is no year",
        "row 2, column 'latest_year': '2016.5' is no year",
        "row 3, column 'latest_year': 'inf' is no year",
        "row 4, column 'latest_year': '1e400' is no year",
        "row 3: no ons_code",
    )


def test_a_csv_without_the_columns(tmp_path: Any) -> None:
    with pytest.raises(AdoptionError) as error:
        load_adoption(written(tmp_path, "code,adoption_years\nE08000035,2016\n"))
    assert error.value.problems == (
        "no column 'ons_code' (did you mean 'code'?)",
        "no column 'adoption_year' (did you mean 'adoption_years'?)",
    )


@pytest.mark.parametrize("content", [b"", b"ons_code,adoption_year\n\xff\xfe,2016\n", b'a,b\n"x,2,3,4\n1'])
def test_a_file_that_is_no_csv(tmp_path: Any, content: bytes) -> None:
    path = tmp_path / "mine.csv"
    path.write_bytes(content)
    with pytest.raises(AdoptionError, match=r"mine\.csv"):
        load_adoption(path)


def test_no_file(tmp_path: Any) -> None:
    with pytest.raises(AdoptionError, match=r"There is no file .*absent\.csv"):
        load_adoption(tmp_path / "absent.csv")


def test_the_committed_list_is_the_committed_csv(root: Any) -> None:
    from_csv = load_adoption(root / "data" / "processed" / "adoption.csv")
    pd.testing.assert_frame_equal(from_csv, load_adoption())
