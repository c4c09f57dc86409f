from __future__ import annotations

import csv
import re
from pathlib import Path

import pandas as pd
import pytest

from clsimpact.errors import LayoutError, SourceError
from clsimpact.loaders import deferred_payments
from clsimpact.loaders.manifest import load_manifest
from tests.loaders.workbooks import record, write_csv

SOURCE = load_manifest()["deferred_payments_2015_16"]
ROWS: list[list[object]] = [
    [
        *("UUID", "LABEL", "CASSR_CODE", "CASSR_NAME", "Time_Period_Desc", "Indicator_Desc"),
        *("Characteristic_Parent", "Characteristic_Child", "AGE_CATEGORY", "Value"),
    ],
    [
        1,
        "2015/2016",
        108,
        "North Tyneside",
        "YearEnd",
        "Number of DPAs",
        "Eligibility",
        "Met",
        "Age 18-64",
        "*",
    ],
    [
        2,
        "2014/2015",
        108,
        "North Tyneside",
        "YearEnd",
        "Number of DPAs",
        "Eligibility",
        "Met",
        "Age 65 and over",
        15,
    ],
]


def read(tmp_path: Path, rows: list[list[object]]) -> pd.DataFrame:
    path = write_csv(tmp_path / "made-up.csv", rows)
    # A few made-up rows are no whole file: what is missing is tested in test_complete.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(deferred_payments, "_incomplete", lambda *_: ())
        return deferred_payments.read(path, record(SOURCE.id, path, encoding="utf-8"))


def changed(row: int, column: str, cell: object) -> list[list[object]]:
    copy = [list(line) for line in ROWS]
    copy[row][ROWS[0].index(column)] = cell
    return copy


def test_by_hand(tmp_path: Path) -> None:
    found = read(tmp_path, ROWS)
    wanted = ["year", "ons_code", "name", "level", "age_band", "value", "status", "cell"]
    assert found[wanted].astype("object").where(found[wanted].notna(), None).to_numpy().tolist() == [
        [2015, "E08000022", "North Tyneside", "council", "18 to 64", None, "suppressed", "J2"],
        [2014, "E08000022", "North Tyneside", "council", "65 and over", 15.0, "published", "J3"],
    ]
    assert found["detail"].iloc[0] == "Number of DPAs; Eligibility; Met; YearEnd"


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        (changed(1, "Value", "x"), r"J2: 'x' is neither a number nor known shorthand \(\*\)"),
        (changed(1, "Value", ""), r"J2: blank, and a blank has no meaning in this file"),
        (
            changed(2, "CASSR_CODE", "1080"),
            r"column CASSR_CODE, row 3: '1080' was no .* in 2015-16 \(did you mean '108'",
        ),
        (changed(2, "AGE_CATEGORY", "Age 65"), r"column AGE_CATEGORY, row 3: 'Age 65' is no known age band"),
        (changed(2, "LABEL", "2014/2016"), r"column LABEL, row 3: '2014/2016' is not a financial year"),
    ],
)
def test_what_is_not_understood_is_refused_with_its_place(
    tmp_path: Path, rows: list[list[object]], problem: str
) -> None:
    with pytest.raises(LayoutError, match=r"^made-up\.csv: some cells are not understood") as caught:
        read(tmp_path, rows)
    assert len(caught.value.problems) == 1
    assert re.match(problem, caught.value.problems[0]), caught.value.problems


def test_problems_are_listed_together(tmp_path: Path) -> None:
    rows = changed(1, "Value", "x")
    rows[2][1] = "2014"
    with pytest.raises(LayoutError) as caught:
        read(tmp_path, rows)
    assert len(caught.value.problems) == 2


def test_column_that_is_absent_or_twice(tmp_path: Path) -> None:
    with pytest.raises(LayoutError, match=r"no column 'age_category'"):
        read(tmp_path, [[*row[:8], row[9]] for row in ROWS])
    with pytest.raises(LayoutError, match=r"columns B and K are both headed 'LABEL'"):
        read(tmp_path, [[*row, row[1]] for row in ROWS])


def test_truncated_file(official: Path, tmp_path: Path) -> None:
    content = (official / SOURCE.path).read_bytes()
    path = tmp_path / SOURCE.file
    path.write_bytes(content[: content.rindex(b",")])
    with pytest.raises(
        SourceError, match=rf"{re.escape(SOURCE.file)}: not every row has 10 cells .*\n  - row 5601: 9"
    ):
        deferred_payments.read(path, SOURCE)


def test_every_value_of_the_official_file_once(official: Path) -> None:
    found = deferred_payments.read(official / SOURCE.path, SOURCE)
    with (official / SOURCE.path).open(encoding="cp1252", newline="") as stream:
        printed = list(csv.DictReader(stream))
    values = [None if line["Value"] == "*" else float(line["Value"]) for line in printed]
    assert [None if pd.isna(value) else value for value in found["value"]] == values
    assert values.count(None) == 4_908
    assert found["status"].value_counts().to_dict() == {"suppressed": 4_908, "published": 692}
    assert found["cell"].tolist() == [f"J{row}" for row in range(2, len(printed) + 2)]
    assert found["year"].tolist() == [int(line["LABEL"][:4]) for line in printed]
    assert found["cassr_code"].tolist() == [line["CASSR_CODE"] for line in printed]
    assert set(found["level"]) == {"council"}
    assert found["detail"].str.contains("<£300").any()
