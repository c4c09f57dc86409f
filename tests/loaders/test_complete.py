"""A file that is not whole is refused, and never gives a number."""

from __future__ import annotations

import csv
import importlib
import io
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clsimpact.errors import LayoutError, SourceError
from clsimpact.geography import councils
from clsimpact.loaders import asc_fr_long, compare_fingerprints
from clsimpact.loaders._complete import fold_name, item_problems, lacking_areas, number_rows
from clsimpact.loaders.manifest import Source, load_manifest
from tests.loaders.workbooks import record, write_csv

SOURCES = load_manifest()
LONG = [source.id for source in SOURCES.values() if source.adapter == "asc_fr_long"]
WIDE = [source.id for source in SOURCES.values() if source.adapter == "pss_ex1_wide"]
LAYOUTS = [*LONG, *WIDE, "deferred_payments_2015_16"]
Lines = list[bytes]
HEADER = "UUID,Council Code,Council Name,Data Type,Data Source,Age Band,Finance Type,Comparative totals,Value"


def read(official: Path, folder: Path, source: Source, change: Callable[[Lines], Lines]) -> None:
    """Read a changed copy of a publisher's file, under its own name."""
    path = folder / source.file
    path.write_bytes(b"".join(change((official / source.path).read_bytes().splitlines(keepends=True))))
    importlib.import_module(f"clsimpact.loaders.{source.adapter}").read(path, source)


def figure_row(source: Source) -> int:
    return 40 if source.id in WIDE else 1_000


@pytest.mark.parametrize("keep", [0.03, 0.25, 0.5, 0.75, 0.94, -1])
@pytest.mark.parametrize("name", LAYOUTS)
def test_file_cut_at_the_end_of_a_line(official: Path, tmp_path: Path, name: str, keep: float) -> None:
    def cut(lines: Lines) -> Lines:
        # The last lines of the wide files are notes: cut before them.
        notes = next((i for i, line in enumerate(lines) if b"Notes" in line and name in WIDE), len(lines))
        return lines[: notes - 2] if keep < 0 else lines[: int(notes * keep)]

    with pytest.raises(LayoutError, match=r": the file is not whole, or holds rows twice\.\n  - ") as caught:
        read(official, tmp_path, SOURCES[name], cut)
    assert caught.value.repair.startswith("Download the file again")


@pytest.mark.parametrize("name", LAYOUTS)
def test_row_that_stands_twice(official: Path, tmp_path: Path, name: str) -> None:
    row = figure_row(SOURCES[name])
    with pytest.raises(LayoutError, match="the file is not whole, or holds rows twice") as caught:
        read(official, tmp_path, SOURCES[name], lambda lines: [*lines[: row + 1], *lines[row:]])
    wanted = rf"row {row + 2}\b.*: the same as" if name in WIDE else rf"1 row stands twice \(row {row + 2}\)"
    assert re.search(wanted, str(caught.value)), caught.value.problems


@pytest.mark.parametrize("name", LAYOUTS)
def test_one_row_that_is_not_there(official: Path, tmp_path: Path, name: str) -> None:
    row = figure_row(SOURCES[name])
    with pytest.raises(LayoutError, match="the file is not whole") as caught:
        read(official, tmp_path, SOURCES[name], lambda lines: [*lines[:row], *lines[row + 1 :]])
    wanted = r"\d rows of figures, where" if name in WIDE else r"1 of \d+ row is missing|1 of \d+ rows? "
    assert re.search(wanted, str(caught.value)), caught.value.problems


@pytest.mark.parametrize(
    ("name", "old", "new", "problem"),
    [
        *(
            (name, b"102 - Cumbria", b"102 - Kent", "'102 - Kent': the code 102 is that of Cumbria")
            for name in WIDE
        ),
        *(
            (
                name,
                b",102,Cumbria,",
                b",102,Kent,",
                r"row 2.*: the code 102 is that of Cumbria, not of 'Kent'",
            )
            for name in ("asc_fr_activity_2015_16", "asc_fr_additional_2015_16")
        ),
        (
            "asc_fr_gce_2017_18",
            b",104,E06000057,Northumberland,",
            b",104,E06000057,Kent,",
            r"row 2: the code 104 is that of Northumberland, not of 'Kent'",
        ),
        (
            "deferred_payments_2015_16",
            b",108,North Tyneside,",
            b",108,South Tyneside,",
            r"row 2: the code 108 is that of North Tyneside, not of 'South Tyneside'",
        ),
    ],
)
def test_name_that_is_not_the_one_of_the_code(
    official: Path, tmp_path: Path, name: str, old: bytes, new: bytes, problem: str
) -> None:
    def swap(lines: Lines) -> Lines:
        place = next(i for i, line in enumerate(lines) if old in line)
        return [*lines[:place], lines[place].replace(old, new, 1), *lines[place + 1 :]]

    with pytest.raises(LayoutError, match="some cells are not understood") as caught:
        read(official, tmp_path, SOURCES[name], swap)
    assert len(caught.value.problems) == 1
    assert re.search(problem, caught.value.problems[0]), caught.value.problems


@pytest.mark.parametrize(
    ("name", "columns", "problem"),
    [
        (WIDE[0], 100, r"57 of 152 councils are missing: "),
        (WIDE[1], 160, r"2 of 10 regions and England are missing: South West \(E12000009\), England"),
        (WIDE[2], 100, r"58 of 152 councils are missing: "),
    ],
)
def test_columns_cut_off(official: Path, tmp_path: Path, name: str, columns: int, problem: str) -> None:
    source = SOURCES[name]
    rows = list(csv.reader(io.StringIO((official / source.path).read_text(encoding=source.encoding))))
    many = columns + (5 if name == WIDE[1] else 0)
    path = tmp_path / source.file
    with path.open("w", encoding=source.encoding, newline="") as stream:
        csv.writer(stream).writerows([row[:many] for row in rows])
    with pytest.raises(LayoutError, match="the file is not whole") as caught:
        importlib.import_module(f"clsimpact.loaders.{source.adapter}").read(path, source)
    assert any(
        re.match(problem.replace("57", r"\d+").replace("58", r"\d+"), found)
        for found in caught.value.problems
    ), caught.value.problems


def whole_file() -> list[str]:
    """A made-up file of additional data: every council with 33 items."""
    table = councils(2015)
    return [
        HEADER,
        *(
            f"{item},{code},{name},Mandatory,Additional Data,-,Income,Other expenditure,{item}"
            for code, name in zip(table["cassr_code"], table["name"].str.replace(",", ""), strict=True)
            for item in range(33)
        ),
    ]


def read_made_up(tmp_path: Path, lines: list[str]) -> int:
    path = write_csv(tmp_path / "made-up.csv", [line.split(",") for line in lines])
    return len(asc_fr_long.read(path, record("asc_fr_additional_2015_16", path)))


def test_made_up_file_that_is_whole(tmp_path: Path) -> None:
    assert read_made_up(tmp_path, whole_file()) == 152 * 33


def test_made_up_file_says_which_council_lacks_what(tmp_path: Path) -> None:
    lines = whole_file()
    with pytest.raises(LayoutError) as caught:
        read_made_up(tmp_path, [*lines[:3], *lines[4:], lines[2]])
    assert caught.value.problems == (
        "Hartlepool (111): 1 row stands twice (row 5017)",
        "Hartlepool (111): 1 of 33 row is missing (it has rows between 2 and 5017)",
    )
    last = councils(2015).iloc[-1]
    with pytest.raises(LayoutError) as caught:
        read_made_up(tmp_path, lines[:-33])
    assert caught.value.problems == (f"1 of 152 councils are missing: {last['name']} ({last['cassr_code']})",)
    with pytest.raises(LayoutError) as caught:
        read_made_up(tmp_path, [line for line in lines if not line.startswith("32,")])
    assert caught.value.problems == ("32 different items an area, where the publication has 33",)


def test_names_stay_apart_when_folded() -> None:
    for year in range(2014, 2024):
        names = councils(year)["name"].map(fold_name)
        assert not names.duplicated().any()
        assert (names != "").all()


def test_nothing_is_said_of_what_is_whole() -> None:
    areas = pd.Series(["1", "1", "2", "2"])
    items = pd.DataFrame({"a": list("xyxy")})
    assert list(item_problems(areas, items, {}, 2)) == []
    assert list(lacking_areas(["1", "2"], {"1": "One"})) == []


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_fingerprints_refuse_any_change(official: Path, tmp_path: Path, source: Source) -> None:
    path = tmp_path / source.path
    path.parent.mkdir(parents=True)
    shutil.copyfile(official / source.path, path)
    compare_fingerprints(tmp_path, [source])
    content = path.read_bytes()
    path.write_bytes(content[: content.rindex(b"\n", 0, len(content) // 2) + 1])
    with pytest.raises(SourceError, match=r"1 of 1 files .* differ from") as caught:
        compare_fingerprints(tmp_path, [source])
    assert caught.value.problems == (f"{source.path} ({source.publication})",)
    assert "accept_changed=True" in caught.value.repair


@given(st.lists(st.tuples(*[st.sampled_from("abc")] * 3), max_size=20), st.booleans())
def test_rows_have_one_number_for_the_same_words(rows: list[tuple[str, str, str]], categories: bool) -> None:
    table = pd.DataFrame(rows, columns=list("xyz"), dtype="object")
    numbers = number_rows(table.astype("category") if categories else table).tolist()
    first = dict(reversed(list(zip(rows, numbers, strict=True))))
    assert numbers == [first[row] for row in rows]
    assert len(set(numbers)) == len(set(rows))


def test_items_that_lack_or_stand_twice_are_placed_by_index() -> None:
    areas = pd.Series(["1", "1", "1", "2"], index=[10, 11, 12, 13])
    items = pd.DataFrame({"a": list("xyxy"), "b": ""}, index=areas.index)
    assert list(item_problems(areas, items.astype("category"), {"1": "One"}, 3)) == [
        "2 different items an area, where the publication has 3",
        "One (1): 1 row stands twice (row 14)",
        "2 (2): 1 of 2 row is missing (it has rows between 15 and 15)",
    ]
