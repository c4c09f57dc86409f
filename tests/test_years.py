from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clsimpact.errors import ClsimpactError
from clsimpact.years import parse_year, year_label


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("2016-17", 2016),
        ("2016/17", 2016),
        ("2016–17", 2016),
        ("2016/2017", 2016),
        ("2016 to 2017", 2016),
        ("201617", 2016),
        (" 2016 17 ", 2016),
        ("1999-00", 1999),
        ("2099-2100", 2099),
        ("2099-00", 2099),
    ],
)
def test_forms_in_use(text: str, start: int) -> None:
    assert parse_year(text) == start


@pytest.mark.parametrize(
    "text", ["2017", "2016-18", "2016-16", "2016-2018", "16-17", "", "2016-17-18", "FY2016"]
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ClsimpactError, match="is not a financial year") as error:
        parse_year(text)
    assert repr(text) in str(error.value)
    assert "'2016-17'" in error.value.repair


@given(st.integers(1000, 9998))
def test_label_and_start_are_inverse(start: int) -> None:
    assert parse_year(year_label(start)) == start
    assert parse_year(f"{start}/{start + 1}") == start


@given(st.integers(1000, 9998), st.integers(0, 99))
def test_only_the_next_year_follows(start: int, end: int) -> None:
    text = f"{start}-{end:02d}"
    if end == (start + 1) % 100:
        assert parse_year(text) == start
    else:
        with pytest.raises(ClsimpactError):
            parse_year(text)


def test_label_by_hand() -> None:
    assert [year_label(year) for year in (2008, 2009, 2016, 1999)] == [
        "2008-09",
        "2009-10",
        "2016-17",
        "1999-00",
    ]
