from __future__ import annotations

import itertools
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clsimpact.errors import ClsimpactError
from clsimpact.geography import (
    LAST_YEAR,
    constant_areas,
    council_codes,
    council_of_cassr,
    councils,
    regions,
    successors,
)
from clsimpact.loaders import lookup
from clsimpact.loaders.manifest import load_manifest
from clsimpact.loaders.returns import as_text
from clsimpact.treatment import load_adoption
from tests.panel_helpers import returns

COUNTS = {
    2014: 152, 2015: 152, 2016: 152, 2017: 152, 2018: 152,
    2019: 151, 2020: 151, 2021: 152, 2022: 152, 2023: 153, 2024: 153,
}  # fmt: skip
TIERS = {2016: "2016", 2019: "2019", 2020: "2020", 2022: "2022", 2023: "2023"}
"""Financial year to the ONS look-up of its December (of April for 2023)."""
CHANGES = [
    (
        2019,
        {"E06000028": "810", "E06000029": "811", "E10000009": "809"},
        {"E06000058": "738", "E06000059": "809"},
    ),
    (2020, {"E10000002": "612"}, {"E06000060": "916"}),
    (2021, {"E10000021": "504"}, {"E06000061": "Z9D4Z", "E06000062": "U6Q5Z"}),
    (
        2023,
        {"E10000006": "102", "E10000023": "218", "E10000027": "905"},
        {"E06000063": "H6X4G", "E06000064": "W8X1Q", "E06000065": "218", "E06000066": "905"},
    ),
]
MERGED = {
    "E06000058+E06000059": {"E06000028", "E06000029", "E10000009", "E06000058", "E06000059"},
    "E06000060": {"E10000002", "E06000060"},
    "E10000021": {"E10000021", "E06000061", "E06000062"},
}


def held(official: Path, source_id: str) -> pd.DataFrame:
    source = load_manifest()[source_id]
    return lookup.read(official / source.path, source)


@pytest.mark.parametrize(("year", "count"), COUNTS.items())
def test_number_of_councils(year: int, count: int) -> None:
    table = councils(year)
    assert len(table) == count
    assert table["ons_code"].is_unique
    assert table["cassr_code"].is_unique
    assert council_codes(year) == tuple(table["ons_code"])


def test_no_council_before_the_library_begins() -> None:
    assert councils(2013).empty
    assert council_codes(2013) == ()


@pytest.mark.parametrize(("year", "old", "new"), CHANGES)
def test_every_change(year: int, old: dict[str, str], new: dict[str, str]) -> None:
    before, after = set(council_codes(year - 1)), set(council_codes(year))
    assert before - after == set(old)
    assert after - before == set(new)
    for codes, when in ((old, year - 1), (new, year)):
        assert council_of_cassr(codes.values(), when) == {cassr: ons for ons, cassr in codes.items()}
    for code in old:
        assert set(successors(code)) <= set(new)
        assert successors(code)


def test_nothing_else_changed() -> None:
    changed = {year for year, _, _ in CHANGES}
    for before, after in itertools.pairwise(range(2014, 2025)):
        if after not in changed:
            assert council_codes(before) == council_codes(after)


def test_successors() -> None:
    assert successors("E06000028") == ("E06000058",)
    assert successors("E10000009") == ("E06000058", "E06000059")
    assert successors("E10000021") == ("E06000061", "E06000062")
    assert successors("E08000035") == successors("nowhere") == ()


def test_two_councils_named_buckinghamshire() -> None:
    table = councils().query("name == 'Buckinghamshire'").set_index("cassr_code")
    assert table["ons_code"].to_dict() == {"612": "E10000002", "916": "E06000060"}
    assert table["last_year"].to_dict()["612"] == 2019
    assert table["first_year"].to_dict()["916"] == 2020


def test_the_table_is_sound() -> None:
    table = councils().set_index("ons_code")
    assert table.index.is_unique
    assert (table["first_year"] <= table["last_year"]).all()
    prefixes = {"unitary": "E06", "metropolitan district": "E08", "county": "E10"}
    for code, kind in table["council_type"].items():
        assert str(code).startswith(prefixes.get(kind, "E09")), code
    for code, row in table.iterrows():
        for old in filter(None, row["predecessors"].split(";")):
            assert table.loc[old, "last_year"] == row["first_year"] - 1, (old, code)
            assert table.loc[old, "region_code"] == row["region_code"]
    assert table.groupby("region_code")["region"].nunique().eq(1).all()
    assert len(regions()) == 9
    assert regions()["E12000003"] == "Yorkshire and The Humber"


def test_a_copy_is_returned() -> None:
    for year in (2016, None):
        table = councils(year)
        table["name"] = "changed"
        table.loc[0, "ons_code"] = "changed"
        assert "Leeds" in set(councils(year)["name"])
        assert "changed" not in set(councils(year)["ons_code"])


def test_unknown_care_codes_are_all_named() -> None:
    with pytest.raises(ClsimpactError, match="3 social-care codes were not in use in 2018-19") as error:
        council_of_cassr(["738", "809", "99", "916"], 2018)
    assert all(code in str(error.value) for code in ("738", "99", "916"))
    assert "809," not in str(error.value)


# --- areas with constant boundaries -------------------------------------------------------------------


@settings(deadline=None)
@given(st.integers(2014, 2024), st.integers(0, 10))
def test_areas_partition_the_councils(first: int, span: int) -> None:
    last = min(first + span, 2024)
    areas = constant_areas(first, last)
    expected = set().union(*(council_codes(year) for year in range(first, last + 1)))
    assert set(areas) == expected
    distinct = dict.fromkeys(areas.values())
    members = [code for area in distinct for code in area.members]
    assert len(members) == len(set(members))
    assert set(members) == expected
    assert len({area.code for area in distinct}) == len(distinct)
    for code, area in areas.items():
        assert code in area.members
        for year in range(first, last + 1):
            assert set(area.members) & set(council_codes(year)), f"{area.name} is empty in {year}"


@settings(deadline=None)
@given(st.integers(2014, 2024), st.integers(0, 10), st.integers(0, 10))
def test_a_longer_window_only_joins_areas(first: int, span: int, more: int) -> None:
    last = min(first + span, 2024)
    short, long = constant_areas(first, last), constant_areas(first, min(last + more, 2024))
    for area in short.values():
        assert len({long[code] for code in area.members}) == 1


def test_areas_of_one_year_are_its_councils() -> None:
    for year in (2014, 2018, 2019, 2021, 2023):
        areas = constant_areas(year, year)
        assert all(area.members == (code,) and area.code == code for code, area in areas.items())


def test_areas_of_the_panel() -> None:
    areas = {area.code: set(area.members) for area in constant_areas(2014, 2022).values()}
    assert {code: members for code, members in areas.items() if len(members) > 1} == MERGED
    assert len(areas) == 150


def test_areas_of_windows_that_miss_a_change() -> None:
    assert constant_areas(2014, 2018)["E06000028"].code == "E06000028"
    assert constant_areas(2019, 2022)["E06000058"].code == "E06000058"
    assert constant_areas(2018, 2019)["E10000009"].name == "Bournemouth, Christchurch and Poole + Dorset"
    assert constant_areas(2021, 2022)["E06000061"].members == ("E06000061",)
    assert constant_areas(2022, 2023)["E10000027"].code == "E06000066"
    assert constant_areas(2022, 2023)["E10000006"].code == "E10000006"
    assert constant_areas(2022, 2023)["E06000063"].name == "Cumbria"


def test_a_window_that_ends_before_it_begins() -> None:
    with pytest.raises(ClsimpactError, match=r"ends in 2014-15, before it begins in 2021-22"):
        constant_areas(2021, 2014)


@pytest.mark.parametrize("mid_year", [2015, 2016, 2017, 2018, 2019, 2020, 2022])
def test_population_of_areas_is_conserved(mid_year: int) -> None:
    """The areas hold every council of a source once, so their people are the people of England."""
    rows = returns().query(f"source_id == 'population_mid_{mid_year}' and measure == 'population'")
    rows = as_text(rows[rows["age_band"].isin(["18 to 64", "65 and over"])])
    of_councils = rows[rows["level"] == "council"].groupby("ons_code")["value"].sum()
    areas = constant_areas(2014, 2023)
    by_area = of_councils.groupby(of_councils.index.map(lambda code: areas[code].code)).sum()
    england = rows.loc[rows["level"] == "england", "value"].sum()
    assert len(by_area) == len({area.code for area in areas.values()})
    if england:
        assert by_area.sum() == england
    assert by_area.sum() == of_councils.sum() > 4e7


# --- against the publishers' look-ups ----------------------------------------------------------------


@pytest.mark.parametrize(("year", "release"), TIERS.items())
def test_councils_are_those_of_the_ons_look_up(official: Path, year: int, release: str) -> None:
    table = held(official, f"lookup_lower_upper_{release}")
    english = table[table["council_code"].str.startswith("E")]
    assert set(english["council_code"]) == set(council_codes(year))


def test_names_are_those_of_the_ons_look_up(official: Path) -> None:
    table = held(official, "lookup_lower_upper_2023").drop_duplicates("upper_code").set_index("upper_code")
    names = councils(2023).set_index("ons_code")["name"]
    printed = table.loc[names.index, "upper_name"]
    different = {code: (names[code], printed[code]) for code in names.index if names[code] != printed[code]}
    assert different == {}


def test_christchurch_moved_from_dorset_to_bcp(official: Path) -> None:
    before, after = (
        dict(zip(table["lower_code"], table["council_code"], strict=True))
        for table in (held(official, f"lookup_lower_upper_{release}") for release in ("2016", "2012_2019"))
    )
    assert before["E07000048"] == "E10000009"
    assert after["E07000048"] == "E06000058"
    moved = {
        (old, after[code])
        for code, old in before.items()
        if code.startswith("E") and after.get(code, old) != old
    }
    table = councils(2019)
    ours = {
        (old, code)
        for code, olds in zip(table["ons_code"], table["predecessors"], strict=True)
        for old in filter(None, olds.split(";"))
    }
    # The look-up keeps Dorset's county code for the districts that became Dorset Council.
    assert moved | {("E10000009", "E06000059")} == ours


def test_care_codes_and_regions_of_2023(official: Path) -> None:
    table = held(official, "ascof_codes").query("level == 'council'").set_index("ons_code")
    ours = councils(2023).set_index("ons_code")
    assert set(table.index) == set(ours.index)
    assert table["cassr_code"].reindex(ours.index).astype(str).tolist() == ours["cassr_code"].tolist()


def financial_year(text: str, *, end: bool) -> int:
    """Return the financial year of a date; an end may be given as 31 March or 1 April."""
    when = date.fromisoformat(text)
    if end and (when.month, when.day) == (4, 1):
        when -= timedelta(days=1)
    return when.year - (when.month < 4)


def test_dates_and_successors_of_mysociety(official: Path) -> None:
    table = held(official, "local_authorities_mysociety")
    theirs = {row["gss_code"]: row for row in table.fillna("").to_dict("records")}
    code_of = {row["local_authority_code"]: row["gss_code"] for row in theirs.values()}
    for ours in councils().to_dict("records"):
        code, row = ours["ons_code"], theirs[ours["ons_code"]]
        if ours["first_year"] > 2014:
            assert financial_year(row["start_date"], end=False) == ours["first_year"], code
        assert (ours["last_year"] < LAST_YEAR) == (row["end_date"] != ""), code
        if ours["last_year"] < LAST_YEAR:
            assert financial_year(row["end_date"], end=True) == ours["last_year"], code
            replaced = {code_of[short] for short in row["replaced_by"].split(",")}
            # mySociety does not count the district of Christchurch, which left Dorset for the new council.
            extra = {"E06000058"} if code == "E10000009" else set()
            assert replaced | extra == set(successors(code)), code


def test_codes_of_adopters_name_the_right_council() -> None:
    names = councils().set_index("ons_code")["name"]
    adoption = load_adoption()
    english = adoption[adoption["nation"] == "England"]
    assert len(english) == 12
    for name, code in zip(english["la_name"], english["ons_code"], strict=True):
        assert names[code] == name
    assert set(adoption.loc[adoption["nation"] != "England", "ons_code"].str[0]) == {"W", "S"}
