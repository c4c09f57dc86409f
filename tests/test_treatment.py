from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from clsimpact.errors import AdoptionError
from clsimpact.geography import Boundaries
from clsimpact.panel import load_panel
from clsimpact.treatment import adoption_table, load_adoption, tag_adoption
from tests.adoption_helpers import DERBY, LEEDS, YORK, adopters, committed, dated, names
from tests.panel_helpers import BOUNDARIES, YEARS, built, only, returns

SWITCHERS = {"Leeds": 2016, "Derby": 2016, "Doncaster": 2016, "York": 2017, "Thurrock": 2018}
ALWAYS = {"Shropshire", "Somerset", "Calderdale", "Wakefield"}
UNDATED = {"Croydon", "Hartlepool"}
ABROAD = ["Denbighshire", "East Renfrewshire", "Scottish Borders"]


# --- the committed list -------------------------------------------------------------------------------


def test_what_is_known_by_default() -> None:
    tagged = committed()
    assert dated(tagged) == SWITCHERS
    assert names(tagged, "adopter") == set(SWITCHERS)
    assert not set(tagged["name"]) & (ALWAYS | UNDATED | {"Telford and Wrekin"})
    assert set(tagged["adoption_status"]) == {"adopter", "never known"}
    assert tagged["ons_code"].nunique() == 150 - 4 - 2 - 1
    assert len(tagged) == 143 * len(YEARS)


@pytest.mark.parametrize("boundaries", BOUNDARIES)
def test_boundaries_do_not_change_who_adopted(boundaries: Boundaries) -> None:
    tagged = tag_adoption(built(boundaries), load_adoption())
    assert dated(tagged) == SWITCHERS
    assert set(tagged.attrs["adoption"]["left_out"]) == ALWAYS | UNDATED | {"Telford and Wrekin"}


def test_what_was_left_out_is_recorded() -> None:
    record = committed().attrs["adoption"]
    assert record["left_out"] == {
        **dict.fromkeys(ALWAYS, "always treated"),
        **dict.fromkeys(UNDATED, "undated"),
        "Telford and Wrekin": "unknown",
    }
    assert record["outside_england"] == ABROAD
    assert record["choices"] == {
        "date": "adoption_year",
        "part_year": "first_exposed",
        "undated": "drop",
        "always_treated": "drop",
    }
    assert "incomplete" in record["caution"]
    assert committed().attrs["licence"] == built().attrs["licence"]


def test_adopters_in_other_nations_touch_nothing() -> None:
    english = load_adoption().query("nation == 'England'")
    tagged = tag_adoption(built(), english)
    pd.testing.assert_frame_equal(tagged, committed(), check_exact=True)
    assert tagged.attrs["adoption"]["outside_england"] == []
    blank = tag_adoption(built(), english.assign(nation=pd.NA))
    assert blank.attrs["adoption"]["outside_england"] == []


@pytest.mark.parametrize(
    ("choices", "expected"),
    [
        ({"date": "earliest"}, {**SWITCHERS, "Leeds": 2015, "Croydon": 2018}),
        (
            {"date": "latest"},
            {"Leeds": 2016, "Derby": 2017, "Doncaster": 2017, "York": 2018, "Thurrock": 2019, "Croydon": 2020,
             "Hartlepool": 2022, "Somerset": 2016, "Calderdale": 2017},
        ),
        (
            {"part_year": "first_full"},
            {**{name: year + 1 for name, year in SWITCHERS.items()}, **dict.fromkeys(ALWAYS, 2015)},
        ),
        ({"undated": "control"}, SWITCHERS),
        ({"undated": "treated_from_latest"}, {**SWITCHERS, "Croydon": 2020, "Hartlepool": 2022}),
        ({"always_treated": "keep"}, {**SWITCHERS, **dict.fromkeys(ALWAYS, 2014)}),
        (
            {"undated": "treated_from_latest", "part_year": "first_full", "date": "earliest"},
            {"Leeds": 2016, "Derby": 2017, "Doncaster": 2017, "York": 2018, "Thurrock": 2019, "Croydon": 2019,
             "Hartlepool": 2023, "Somerset": 2015, "Calderdale": 2015, "Wakefield": 2015},
        ),
    ],
)  # fmt: skip
def test_every_choice(choices: dict[str, str], expected: dict[str, int]) -> None:
    assert dated(committed(**choices)) == expected


def test_every_combination_of_choices_fits_the_committed_list() -> None:
    for date in ("adoption_year", "earliest", "latest"):
        for part_year in ("first_exposed", "first_full"):
            for undated in ("drop", "control", "treated_from_latest"):
                for always in ("drop", "keep"):
                    tagged = committed(date=date, part_year=part_year, undated=undated, always_treated=always)
                    assert set(dated(tagged)) >= set(SWITCHERS)
                    assert tagged["adoption_status"].notna().all()


def test_status_of_those_without_a_date() -> None:
    tagged = committed(undated="control")
    assert names(tagged, "undated") == UNDATED
    assert names(tagged, "unknown") == {"Telford and Wrekin"}
    assert tagged.loc[tagged["adoption_status"].isin(["undated", "unknown"]), "treated"].eq(0).all()
    latest = committed(undated="treated_from_latest")
    assert names(latest, "adopter") == set(SWITCHERS) | UNDATED
    assert "Telford and Wrekin" not in set(latest["name"])
    assert set(latest.attrs["adoption"]["left_out"]) == ALWAYS | {"Telford and Wrekin"}


def test_always_treated_who_are_kept_are_treated_throughout() -> None:
    kept = committed(always_treated="keep")
    assert names(kept, "always treated") == ALWAYS
    assert kept.loc[kept["adoption_status"] == "always treated", "treated"].eq(1).all()


@pytest.mark.parametrize("first", [2014, 2015, 2016, 2017])
def test_always_treated_depends_on_the_first_year(first: int) -> None:
    panel = built().query(f"year >= {first}")
    tagged = tag_adoption(panel, load_adoption(), always_treated="keep")
    assert names(tagged, "always treated") == ALWAYS | {
        name for name, year in SWITCHERS.items() if year <= first
    }


def test_event_time_and_treated_by_hand() -> None:
    leeds = committed().query("name == 'Leeds'")
    assert leeds["event_time"].tolist() == [-2, -1, 0, 1, 2, 3, 4, 5, 6]
    assert leeds["treated"].tolist() == [0, 0, 1, 1, 1, 1, 1, 1, 1]
    full = committed(part_year="first_full").query("name == 'Leeds'")
    assert full["event_time"].tolist() == [-3, -2, -1, 0, 1, 2, 3, 4, 5]
    assert full["treated"].tolist() == [0, 0, 0, 1, 1, 1, 1, 1, 1]
    never = committed().query("name == 'Barnsley'")
    assert never["event_time"].isna().all()
    assert never["treated"].eq(0).all()


def test_types_and_everything_else_as_it_was() -> None:
    panel = built()
    tagged = committed()
    assert str(tagged["adoption_year"].dtype) == str(tagged["event_time"].dtype) == "Int64"
    assert tagged["treated"].dtype == "int64"
    assert tagged["adoption_status"].dtype == "string"
    pd.testing.assert_frame_equal(tagged[panel.columns], panel.loc[tagged.index], check_exact=True)


def test_adopted_after_the_panel_is_not_yet_treated() -> None:
    tagged = tag_adoption(built(), adopters((LEEDS, 2022)), part_year="first_full")
    leeds = tagged.query("name == 'Leeds'")
    assert leeds["adoption_year"].unique().tolist() == [2023]
    assert leeds["treated"].eq(0).all()
    assert leeds["event_time"].max() == -1


# --- what users bring ---------------------------------------------------------------------------------


def test_a_list_of_two_columns_is_enough() -> None:
    assert dated(tag_adoption(built(), adopters((LEEDS, 2016), (YORK, 2017)))) == {
        "Leeds": 2016,
        "York": 2017,
    }


def test_a_row_that_has_lost_a_cell_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "adopters.csv"
    path.write_text("la_name,ons_code,adoption_year\nLeeds,E08000035,2016\nE06000014,2017\n")
    with pytest.raises(AdoptionError, match="row 3: 2 cells"):
        load_adoption(path)


def test_a_cell_of_half_a_book_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "adopters.csv"
    path.write_text(f"la_name,ons_code,adoption_year\n{'x' * 140_000},E08000035,2016\n")
    with pytest.raises(AdoptionError, match="field larger than field limit"):
        load_adoption(path)


def test_an_empty_list() -> None:
    tagged = tag_adoption(built(), load_adoption().iloc[:0])
    assert len(tagged) == len(built())
    assert set(tagged["adoption_status"]) == {"never known"}
    assert tagged["adoption_year"].isna().all()
    assert str(tagged["adoption_year"].dtype) == "Int64"
    assert adoption_table(tagged).empty


@pytest.mark.parametrize("text", ["object", "string", "category"])
@pytest.mark.parametrize("year", ["int64", "Int64", "float64", "object", "string"])
def test_types_do_not_matter(text: str, year: str) -> None:
    columns = ["ons_code", "cassr_code", "name", "region", "adoption_status"]
    panel = built().astype({name: text for name in columns if name in built()})
    listed = load_adoption().query("ons_code == @LEEDS or ons_code == @YORK").reset_index(drop=True)
    plain = listed.astype({"adoption_year": year, "ons_code": text, "la_name": text})
    tagged = tag_adoption(panel, plain)
    assert dated(tagged) == {"Leeds": 2016, "York": 2017}
    assert tagged["event_time"].tolist() == tag_adoption(built(), listed)["event_time"].tolist()


def test_the_panel_may_be_of_other_areas() -> None:
    panel = pd.DataFrame({"ons_code": ["A", "A", "B", "B"], "year": [2001, 2002, 2001, 2002]})
    tagged = tag_adoption(panel, adopters(("A", 2002)))
    assert tagged["treated"].tolist() == [0, 1, 0, 0]
    assert tagged["adoption_year"].tolist() == [2002, 2002, pd.NA, pd.NA]


def test_inputs_are_never_changed() -> None:
    panel, listed = (
        built().copy(),
        load_adoption().assign(adoption_year=lambda table: table["adoption_year"].astype("string")),
    )
    before, listed_before = panel.copy(), listed.copy()
    tagged = tag_adoption(panel, listed, undated="treated_from_latest")
    tagged["gce"] = 0.0
    tagged.attrs["licence"] = "changed"
    pd.testing.assert_frame_equal(panel, before, check_exact=True)
    pd.testing.assert_frame_equal(listed, listed_before, check_exact=True)
    assert panel.attrs == before.attrs


def test_order_of_rows_does_not_matter() -> None:
    shuffled = built().sample(frac=1, random_state=2)
    tagged = tag_adoption(shuffled, load_adoption().sample(frac=1, random_state=3))
    pd.testing.assert_frame_equal(tagged.sort_index(), committed(), check_exact=True)


def test_a_tagged_panel_can_be_tagged_anew() -> None:
    again = tag_adoption(committed(undated="control", always_treated="keep"), load_adoption())
    pd.testing.assert_frame_equal(again, committed(), check_exact=True)


# --- the table of adoption ----------------------------------------------------------------------------


def test_adoption_table_by_hand() -> None:
    table = adoption_table(committed())
    assert table["adoption_year"].tolist() == [2016, 2017, 2018]
    assert table["year_label"].tolist() == ["2016-17", "2017-18", "2018-19"]
    assert table["n_councils"].tolist() == [3, 1, 1]
    assert table["councils"].tolist() == ["Derby, Doncaster, Leeds", "York", "Thurrock"]
    people = returns().query("source_id == 'population_mid_2015' and level == 'council'")
    people = people[people["age_band"].isin(["18 to 64", "65 and over"])]
    adults = people.groupby("ons_code")["value"].sum()
    left = adults.drop(load_adoption().query("la_name not in @SWITCHERS and nation == 'England'")["ons_code"])
    shares = [
        adults[[DERBY, "E08000017", LEEDS]].sum() / left.sum(),
        adults[YORK] / left.sum(),
        adults["E06000034"] / left.sum(),
    ]
    assert table["share_of_population"].tolist() == pytest.approx(shares, rel=1e-12)
    assert table["cumulative_share"].iloc[-1] == pytest.approx(sum(shares), rel=1e-12)


def test_what_is_no_table_is_named() -> None:
    with pytest.raises(AdoptionError) as caught:
        tag_adoption("panel.csv", [1, 2])  # type: ignore[arg-type]
    assert caught.value.problems == ("panel is 'panel.csv'", "adoption is a list")


def test_adoption_table_needs_a_tagged_panel() -> None:
    with pytest.raises(AdoptionError, match=r"no column 'adoption_year'"):
        adoption_table(built())
    with pytest.raises(AdoptionError, match=r"no column 'population_18_plus'"):
        adoption_table(committed().drop(columns="population_18_plus"))


def test_leeds_is_where_it_should_be() -> None:
    row = only(committed(), "Leeds", 2018)
    assert (row["ons_code"], row["adoption_year"], row["event_time"], row["treated"]) == (LEEDS, 2016, 2, 1)


@pytest.mark.parametrize("year", ["2014-15", 2014.5])
def test_years_of_the_panel_must_be_whole_numbers(year: object) -> None:
    panel = load_panel()
    panel["year"] = panel["year"].astype("object").replace(2014, year)
    with pytest.raises(AdoptionError, match=r"whole numbers.*\n.*in 150 rows"):
        tag_adoption(panel, load_adoption())
