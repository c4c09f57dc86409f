from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

from clsimpact.errors import ReconciliationError, SourceError
from clsimpact.loaders import reconcile
from clsimpact.loaders.manifest import load_manifest
from clsimpact.loaders.raw_checks import count_cells
from clsimpact.store import read_parquet

COLUMNS = ["check", "compared", "agree", "explained", "differ", "note"]


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    return {name: read_parquet(name) for name in ("returns", "panel")}


@pytest.fixture(autouse=True)
def no_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CLSIMPACT_RAW", raising=False)


@pytest.fixture(scope="module")
def sound() -> pd.DataFrame:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("CLSIMPACT_RAW", raising=False)
        return reconcile.check(strict=True)


def with_change(
    monkeypatch: pytest.MonkeyPatch,
    tables: dict[str, pd.DataFrame],
    name: str,
    query: str,
    column: str,
    add: float,
) -> str:
    """Let the check see a table in which one figure is changed, and return the name of its area."""
    changed = tables[name].copy()
    found = changed.query(query)
    assert len(found) == 1, len(found)
    changed.loc[found.index, column] += add
    monkeypatch.setattr(reconcile, "read_parquet", {**tables, name: changed}.__getitem__)
    return str(found["name"].iloc[0]) if "name" in found else ""


def differing() -> dict[str, str]:
    found = reconcile.check()
    found = found[found["differ"] > 0]
    return dict(zip(found["check"], found["note"], strict=True))


def test_committed_figures_agree(sound: pd.DataFrame) -> None:
    assert list(sound.columns) == COLUMNS
    assert (sound["differ"] == 0).all()
    assert (sound["compared"] > 0).all()
    assert (sound["agree"] + sound["explained"] + sound["differ"] == sound["compared"]).all()
    assert not sound["check"].duplicated().any()


def test_how_much_is_compared(sound: pd.DataFrame) -> None:
    compared = sound.set_index("check")["compared"]
    assert compared["councils against their region, 2021-22 data tables"] == 3_566
    assert compared["GCE identities, 2016-17 (every row)"] == 41_699
    assert compared["GCE identities, 2014-15"] == 456
    assert compared["ASCOF 2020-21: joined file against the open data"] == 2_213


def test_explained_differences_are_the_known_ones(sound: pd.DataFrame) -> None:
    explained = set(sound.loc[sound["explained"] > 0, "check"])
    assert explained == {
        "councils against their region, 2021-22 data tables",
        "England populations against the Overview (2015-16 to 2020-21)",
        *(f"GCE of councils against T4, {year}" for year in ("2016-17", "2017-18", "2020-21", "2021-22")),
    }


T14 = "source_id == 'asc_fr_salt_2021_22' and table == 'T14' and cell == '{}'"


@pytest.mark.parametrize(
    ("query", "check", "place"),
    [
        (
            "source_id == 'asc_fr_salt_2021_22' and table == 'T3' and ons_code == 'E08000001' "
            "and year == 2021 and measure == 'gross_current_expenditure' and statistic.isna()",
            "GCE identities, 2021-22 (T3)",
            "E08000001, Bolton",
        ),
        (
            "source_id == 'pss_ex1_expenditure_2014_15' and ons_code == 'E08000001' and care_type == 'Total' "
            "and primary_support_reason == 'Total' and detail.isna() "
            "and measure == 'gross_current_expenditure'",
            "GCE identities, 2014-15",
            "E08000001, Bolton",
        ),
        (
            "source_id == 'asc_fr_totals_2016_17' and cell == 'Q2'",
            "GCE identities, 2016-17 (every row)",
            "row 2 (Cumbria)",
        ),
    ],
)
def test_one_changed_expenditure_is_found_with_its_place(
    monkeypatch: pytest.MonkeyPatch, tables: dict[str, pd.DataFrame], query: str, check: str, place: str
) -> None:
    with_change(monkeypatch, tables, "returns", query, "value", 1_000.0)
    found = differing()
    assert place in found[check]
    assert "off by 1,000.0" in found[check]
    with pytest.raises(ReconciliationError, match=r"comparisons? differ") as caught:
        reconcile.check(strict=True)
    assert any(place in problem for problem in caught.value.problems)


def test_a_score_that_differs_in_its_second_digit_is_found(
    monkeypatch: pytest.MonkeyPatch, tables: dict[str, pd.DataFrame]
) -> None:
    query = (
        "source_id == 'ascof_open_data_2020_21' and ons_code == 'E08000034' and statistic == 'Outcome' "
        "and measure == 'adjusted_quality_of_life' and age_band == 'Total' and gender == 'Total'"
    )
    with_change(monkeypatch, tables, "returns", query, "value", 0.01)
    assert list(differing()) == ["ASCOF 2020-21: joined file against the open data"]


def test_council_that_does_not_add_up_to_its_region_is_found(
    monkeypatch: pytest.MonkeyPatch, tables: dict[str, pd.DataFrame]
) -> None:
    rows = tables["returns"].query(
        "source_id == 'asc_fr_salt_2021_22' and table == 'T14' and ons_code == 'E08000001'"
    )
    cell = rows["cell"].iloc[-1]
    with_change(monkeypatch, tables, "returns", T14.format(cell), "value", 50.0)
    found = differing()
    assert list(found) == ["councils against their region, 2021-22 data tables"]
    assert re.match(r"first: T14 [A-Z]+\d+, E12000002: ", *found.values())


@pytest.mark.parametrize("year", [2014, 2016, 2017, 2020, 2021])
def test_panel_that_is_not_the_councils_sum_is_found(
    monkeypatch: pytest.MonkeyPatch, tables: dict[str, pd.DataFrame], year: int
) -> None:
    with_change(monkeypatch, tables, "panel", f"year == {year} and ons_code == 'E08000001'", "gce", 11.0)
    label = f"{year}-{(year + 1) % 100:02d}"
    assert f"GCE of councils against T4, {label}" in differing()


def test_nothing_to_compare_is_not_agreement(
    monkeypatch: pytest.MonkeyPatch, tables: dict[str, pd.DataFrame]
) -> None:
    without = tables["returns"].query("source_id != 'ascof_joined_2017_24'")
    monkeypatch.setattr(reconcile, "read_parquet", {**tables, "returns": without}.__getitem__)
    with pytest.raises(ReconciliationError, match="ASCOF 2020-21: joined file against the open data: 0 of 0"):
        reconcile.check(strict=True)


def test_folder_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="There is no folder"):
        reconcile.check(tmp_path / "absent")


def test_against_the_publishers_files(official: Path) -> None:
    found = reconcile.check(official, strict=True).set_index("check")
    cells = found.loc["cells of the 55 tables against an independent count"]
    assert (cells["compared"], cells["agree"], cells["differ"]) == (130, 130, 0)
    assert cells["note"] == "7,865 [c], 1,579 [x], 75,323 number, 557 percent"
    sums = found.loc["values of the 55 tables against an independent sum"]
    assert (sums["compared"], sums["agree"], sums["differ"]) == (58, 58, 0)
    prints = found.loc["files against the manifest (SHA-256)"]
    assert (prints["compared"], prints["agree"]) == (35, 35)
    lookups = found[found.index.str.contains("against the ONS look-up")]
    assert lookups["compared"].to_dict() == {
        f"councils of {year} against the ONS look-up": many
        for year, many in ((2016, 152), (2019, 151), (2020, 151), (2022, 152), (2023, 153))
    }


def test_folder_without_any_of_the_files(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="holds none of the 35 files") as caught:
        reconcile.check(tmp_path)
    assert len(caught.value.problems) == 35


@pytest.mark.parametrize("query", [T14.format("H11"), "source_id == 'asc_fr_salt_2021_22' and cell == 'F11'"])
def test_changed_values_are_found_by_the_independent_sum(
    official: Path, monkeypatch: pytest.MonkeyPatch, tables: dict[str, pd.DataFrame], query: str
) -> None:
    changed = tables["returns"].copy()
    rows = changed.query(query).index
    many = changed.loc[rows[changed.loc[rows, "value"].notna()], "table"].nunique()
    changed.loc[rows, "value"] += 5.0
    monkeypatch.setattr(reconcile, "read_parquet", {**tables, "returns": changed}.__getitem__)
    found = reconcile.check(official).set_index("check")
    sums = found.loc["values of the 55 tables against an independent sum"]
    assert (sums["compared"], sums["differ"]) == (58, many)
    assert sums["note"].startswith("different: T")


@pytest.mark.parametrize(("table", "times"), [("T10", 0.0), ("T5", 10.0), ("T2", 0.0), ("T3", 0.0)])
def test_figure_held_over_does_not_explain_any_gap(
    monkeypatch: pytest.MonkeyPatch, tables: dict[str, pd.DataFrame], table: str, times: float
) -> None:
    changed = tables["returns"].copy()
    camden = changed.query(f"source_id == 'asc_fr_salt_2021_22' and table == '{table}'")
    camden = camden[camden["ons_code"] == "E09000007"]
    changed.loc[camden.index, "value"] *= times
    monkeypatch.setattr(reconcile, "read_parquet", {**tables, "returns": changed}.__getitem__)
    assert differing()["councils against their region, 2021-22 data tables"].startswith(f"first: {table} ")


@pytest.mark.parametrize(
    ("table", "measure", "check"),
    [
        ("T10", "requests", "requests in T10 and T11 against T2"),
        ("T11", "requests", "requests in T10 and T11 against T2"),
        ("T50", "clients_reviewed", "clients reviewed against planned and unplanned (T50)"),
    ],
)
def test_figures_of_one_council_have_to_agree(
    monkeypatch: pytest.MonkeyPatch, tables: dict[str, pd.DataFrame], table: str, measure: str, check: str
) -> None:
    changed = tables["returns"].copy()
    rows = changed.query(f"source_id == 'asc_fr_salt_2021_22' and table == '{table}'")
    rows = rows[(rows["ons_code"] == "E09000007") & (rows["measure"] == measure)]
    changed.loc[rows.index, "value"] *= 0.0
    monkeypatch.setattr(reconcile, "read_parquet", {**tables, "returns": changed}.__getitem__)
    assert differing()[check].startswith("first: E09000007, ")


def test_one_lost_cell_is_found(
    official: Path, monkeypatch: pytest.MonkeyPatch, tables: dict[str, pd.DataFrame]
) -> None:
    lost = tables["returns"].query(f"not ({T14.format('H11')})")
    assert len(lost) == len(tables["returns"]) - 1
    monkeypatch.setattr(reconcile, "read_parquet", {**tables, "returns": lost}.__getitem__)
    found = reconcile.check(official).set_index("check")
    cells = found.loc["cells of the 55 tables against an independent count"]
    assert (cells["agree"], cells["differ"]) == (129, 1)


def test_count_of_cells_knows_no_layout(official: Path) -> None:
    counts = count_cells(official / load_manifest()["asc_fr_salt_2021_22"].path)
    assert list(counts) == [f"T{number}" for number in range(1, 56)]
    assert sum(counts.values(), Counter()) == {"number": 75_323, "percent": 557, "[c]": 7_865, "[x]": 1_579}
