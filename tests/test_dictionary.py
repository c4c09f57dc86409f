from __future__ import annotations

import pytest

from clsimpact.dictionary import ASCOF_OUTCOMES, column_facts, describe
from clsimpact.errors import PanelError
from clsimpact.outcomes import OUTCOMES
from clsimpact.years import spans
from tests.panel_helpers import built


def test_every_column_of_the_panel_is_described_and_no_other() -> None:
    table = describe()
    assert sorted(table["column"]) == sorted(built().columns)
    assert table["column"].is_unique
    assert list(table.columns) == ["column", "label", "unit", "definition", "source", "years"]
    assert (table["label"] != "").all()
    assert (table["definition"] != "").all()


def test_numbers_have_units_and_sources() -> None:
    facts = column_facts()
    for name in built().select_dtypes("float64"):
        assert facts[str(name)].unit, name
        assert facts[str(name)].source, name
    for name in (*OUTCOMES, *ASCOF_OUTCOMES):
        assert f"why {name} is missing" in facts[f"{name}_status"].definition


@pytest.mark.parametrize(
    ("column", "years"),
    [
        ("gce", "2014-15, 2016-17 to 2017-18, 2020-21 to 2021-22"),
        ("requests_18_64", "2019-20 to 2021-22"),
        ("signposted", "2021-22"),
        ("direct_payments", "2017-18 to 2022-23"),
        ("population_18_plus", "2014-15 to 2022-23"),
    ],
)
def test_years_are_those_with_figures(column: str, years: str) -> None:
    row = describe(column)
    assert len(row) == 1
    assert row["years"].item() == years
    held = built().dropna(subset=[column])["year"].unique()
    assert spans(sorted(int(year) for year in held)) == years


def test_an_unknown_column_with_the_nearest() -> None:
    with pytest.raises(PanelError, match=r"no column 'gce_per_adlut' \(did you mean 'gce_per_adult'"):
        describe("gce_per_adlut")


def test_spans_by_hand() -> None:
    assert spans([]) == ""
    assert spans([2014]) == "2014-15"
    assert spans([2014, 2015, 2017]) == "2014-15 to 2015-16, 2017-18"
