from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clsimpact.errors import LayoutError, SourceError
from clsimpact.loaders._csv_categories import read_categories
from clsimpact.loaders.csvs import (
    addresses,
    figures,
    find_columns,
    ons_codes,
    read_text_cells,
    read_text_table,
    replace_texts,
    translate_column,
)
from clsimpact.loaders.manifest import Source
from clsimpact.loaders.values import read_figure
from tests.loaders.workbooks import record

SOURCE_ID = "asc_fr_activity_2016_17"


def written(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "made-up.csv"
    path.write_bytes(content)
    return path


def table(tmp_path: Path, content: bytes) -> pd.DataFrame:
    path = written(tmp_path, content)
    return read_text_table(path, record(SOURCE_ID, path))


def test_nothing_is_interpreted(tmp_path: Path) -> None:
    found = table(tmp_path, b'\xef\xbb\xbfCode,Value\r\n007,NA\n"a,b", 1.0\nNone,\n\n')
    assert list(found.columns) == ["Code", "Value"]
    assert found.to_numpy().tolist() == [["007", "NA"], ["a,b", " 1.0"], ["None", ""]]
    assert found.index.tolist() == [0, 1, 2]


def test_cells_of_a_file_without_a_header(tmp_path: Path) -> None:
    path = written(tmp_path, b",NW\nx,1\n")
    assert read_text_cells(path, record(SOURCE_ID, path)).to_numpy().tolist() == [["", "NW"], ["x", "1"]]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "made-up.csv is empty"),
        (b"\n\n", "made-up.csv is empty"),
        (b"a,b\n", "made-up.csv holds no rows below its header"),
        (b"a,b\n1,2\n3\n", "row 3: 1 cells"),
        (b"a,b\n1,2,3\n4,5,6\n", "row 2: 3 cells, row 3: 3 cells"),
        (b"a,b\n1,2\n\n3,4\n", "row 3: 0 cells"),
        (b'a,b\n1,"2\n', "unexpected end of data"),
        (b"a,b\n1,\xff\n", "made-up.csv cannot be read as a CSV in utf-8-sig"),
    ],
)
def test_damaged_file_is_refused(tmp_path: Path, content: bytes, problem: str) -> None:
    with pytest.raises(SourceError, match=problem):
        table(tmp_path, content)


def test_columns_are_found_whatever_their_case_and_suffix(tmp_path: Path) -> None:
    found = pd.DataFrame([["1", "2"]], columns=["AgeBand_KEY", "Council Code"])
    wanted = {"council_code": "cassr_code", "ageband": "age_band"}
    assert find_columns(found, tmp_path, wanted) == {
        "cassr_code": ("Council Code", 1),
        "age_band": ("AgeBand_KEY", 0),
    }


def test_columns_that_do_not_fit_are_all_listed() -> None:
    found = pd.DataFrame([list("1234")], columns=["Valu", "Year", "YEAR_KEY", "Colour"])
    with pytest.raises(LayoutError, match=r"^a\.csv: the columns are not") as caught:
        find_columns(found, Path("b/a.csv"), {"value": "value", "year": "year"})
    assert caught.value.problems == (
        "no column 'value' (did you mean 'valu'?)",
        "column A: unknown heading 'Valu'",
        "column D: unknown heading 'Colour'",
        "columns B and C are both headed 'Year'",
    )


def test_labels_are_translated_and_unknown_ones_placed() -> None:
    labels = pd.Series(["Age 18-64", "-", "", "1", "Age 18-46", "Age 18-46"], name="Age")
    words, problems = translate_column(labels, "age_band", also={"1": "85 and over"})
    assert words.fillna("").tolist() == ["18 to 64", "", "", "85 and over", "", ""]
    assert len(problems) == 1
    assert problems[0].startswith(
        "column Age, row 6, 7: 'Age 18-46' is no known age band (did you mean 'age 18-64'"
    )
    _, problems = translate_column(labels, "age_band", first_row=1)
    assert problems[0].startswith("column Age, row 4: '1' is no known age band")


def test_codes_of_councils_depend_on_the_year() -> None:
    codes = pd.Series(["809", "738", "809"], name="CASSR")
    old, problems = ons_codes(codes, 2018)
    assert old.fillna("").tolist() == ["E10000009", "", "E10000009"]
    assert problems[0].startswith("column CASSR, row 3: '738' was no council's social-care code in 2018-19")
    new, problems = ons_codes(codes, 2019)
    assert new.tolist() == ["E06000059", "E06000058", "E06000059"]
    assert problems == []


def test_figures_have_a_value_or_a_status(tmp_path: Path) -> None:
    source = record(SOURCE_ID, tmp_path)
    cells = pd.Series(["1.5", ":", "", "x", "x", "-2"])
    found, problems = figures(cells, source, lambda row: addresses([row], 0)[0])
    assert found["value"].fillna(-99).tolist() == [1.5, -99, -99, -99, -99, -2]
    assert found["status"].fillna("").tolist() == ["published", "not_submitted", "", "", "", "published"]
    assert problems == [
        "A4: blank, and a blank has no meaning in this file",
        "A5, A6: 'x' is neither a number nor known shorthand (:)",
    ]
    _, problems = figures(cells, source, lambda row: addresses([row], 0)[0], blank_is_layout=True)
    assert len(problems) == 1


def test_list_of_problems_ends(tmp_path: Path) -> None:
    cells = pd.Series([f"x{number}" for number in range(50)])
    assert len(figures(cells, record(SOURCE_ID, tmp_path), str, limit=7)[1]) == 7


@given(st.lists(st.floats(-1e12, 1e12).map(repr), min_size=1, max_size=20))
def test_printed_numbers_come_back_exactly(cells: list[str]) -> None:
    source = record(SOURCE_ID, Path("x.csv"))
    found, problems = figures(pd.Series(cells, dtype="object"), source, str)
    assert problems == []
    assert found["value"].tolist() == [float(cell) for cell in cells]


# --- columns as categories

DAMAGED = [
    b"",
    b"\n\n",
    b"a,b\n",
    b"a,b\n1,2\n3\n",
    b"a,b\n1,2,3\n4,5,6\n",
    b"a,b\n1,2\n\n3,4\n",
    b'a,b\n1,"2\n',
    b'a,b\n1,"2"x\n',
    b'a,b\nx,"a,"b\n',
    b"a,b\n1,\xff\n",
    b"a\x96,b\n1,2\n",
    b"a,b",
]
WHOLE = [
    b'\xef\xbb\xbfCode,Value\r\n007,NA\n"a,b", 1.0\nNone,\n\n',
    b'"Co\nde",a,a\n"x\r\ny",1,null\nz,"",\n',
    b'a,b\n1,"2""3"\n',
    b'a,b\n1,2"3\n',
    b"a,b\r1,2\r3,4\r",
    b"a\n1\n\n",
    b"a,b\n1,2\n3,4\n\n\n",
    "a,b\nü,–\n".encode(),
]


@pytest.mark.parametrize("content", DAMAGED)
def test_categories_refuse_what_text_refuses(tmp_path: Path, content: bytes) -> None:
    path = written(tmp_path, content)
    with pytest.raises(SourceError) as plain:
        read_text_table(path, record(SOURCE_ID, path))
    with pytest.raises(SourceError) as caught:
        read_categories(path, record(SOURCE_ID, path))
    assert str(caught.value) == str(plain.value)


@pytest.mark.parametrize("content", WHOLE)
def test_categories_hold_the_same_text(tmp_path: Path, content: bytes) -> None:
    path = written(tmp_path, content)
    source = record(SOURCE_ID, path)
    same_text(path, source)


def same_text(path: Path, source: Source) -> None:
    plain = outcome(read_text_table, path, source)
    found = outcome(read_categories, path, source)
    if isinstance(found, pd.DataFrame) and isinstance(plain, pd.DataFrame):
        assert found.columns.tolist() == plain.columns.tolist()
        assert found.to_numpy().tolist() == plain.to_numpy().tolist()
        assert all(isinstance(kind, pd.CategoricalDtype) for kind in found.dtypes)
    else:
        assert found == plain


def outcome(reader: Callable[[Path, Source], pd.DataFrame], path: Path, source: Source) -> object:
    """What a reader gives, or what it says."""
    try:
        return reader(path, source)
    except SourceError as error:
        return str(error)


@given(st.text(alphabet='ab," \n\r;é', max_size=24))
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_text_is_read_alike_or_refused_alike(tmp_path: Path, text: str) -> None:
    path = written(tmp_path, f"h,i\n{text}".encode())
    same_text(path, record(SOURCE_ID, path))


def test_categories_of_another_encoding(tmp_path: Path) -> None:
    path = written(tmp_path, "Name,Money\nÉ,£5\n".encode("cp1252"))
    source = record(SOURCE_ID, path, encoding="cp1252")
    assert read_categories(path, source).to_numpy().tolist() == [["É", "£5"]]


TEXTS = st.sampled_from(["1.5", "-2", "1e3", "(3)", "1,234.5", ".5", "007", ":", "", "x", "£4", "5%", " 6 "])


@given(st.lists(TEXTS, min_size=1, max_size=12))
def test_figures_of_categories_are_those_of_text(cells: list[str]) -> None:
    source = record(SOURCE_ID, Path("x.csv"))
    plain, said = figures(pd.Series(cells, dtype="object"), source, str)
    found, problems = figures(pd.Series(cells, dtype="object").astype("category"), source, str)
    assert problems == said
    assert found["value"].equals(plain["value"])
    for name in ("status", "marker"):
        assert found[name].isna().tolist() == plain[name].isna().tolist()
        assert found[name].dropna().tolist() == plain[name].dropna().tolist()
    for cell, value, status in zip(cells, plain["value"], plain["status"], strict=True):
        try:
            figure = read_figure(cell, source.markers)
        except ValueError:
            figure = None
        assert (None if pd.isna(value) else value) == (figure.value if figure else None)
        assert (None if pd.isna(status) else status) == (figure.status if figure else None)


def test_a_marker_of_digits_is_no_number(tmp_path: Path) -> None:
    source = record(SOURCE_ID, tmp_path, markers={"99": "suppressed"})
    found, problems = figures(pd.Series(["99", "98"]), source, str)
    assert found["status"].tolist() == ["suppressed", "published"]
    assert problems == []


def test_translated_categories_stay_categories() -> None:
    labels = pd.Series(["Age 18-64", "-", "1", "Age 18-46"], name="Age").astype("category")
    words, problems = translate_column(labels, "age_band", also={"1": "85 and over"})
    assert words.cat.categories.tolist() == ["18 to 64", "85 and over"]
    assert words.astype("string").fillna("").tolist() == ["18 to 64", "", "85 and over", ""]
    assert problems[0].startswith("column Age, row 5: 'Age 18-46'")
    codes, _ = ons_codes(pd.Series(["809", "738"], name="CASSR").astype("category"), 2018)
    assert codes.astype("string").fillna("").tolist() == ["E10000009", ""]


def test_replaced_texts_of_an_empty_column() -> None:
    assert replace_texts(pd.Series([], dtype="object").astype("category"), {}).tolist() == []
