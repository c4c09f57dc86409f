from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from clsimpact.errors import ClsimpactWarning, LayoutError, SourceError, SourceWarning
from clsimpact.loaders import raw_folder, read_raw, read_return
from clsimpact.loaders.manifest import load_manifest
from clsimpact.loaders.returns import (
    COLUMNS,
    LEVELS,
    STATUSES,
    as_returns,
    as_text,
    concat_returns,
    empty_returns,
)
from clsimpact.rebuild import load_returns

SOURCE = load_manifest()["asc_fr_salt_2021_22"]
DIRECTION = load_manifest()["ascof_direction"]


def rows(**changes: Any) -> pd.DataFrame:
    columns: dict[str, Any] = {
        "year": [2021, 2021],
        "level": "council",
        "measure": "requests",
        "value": [1.0, np.nan],
        "status": ["published", "suppressed"],
        "table": "T1",
        "cell": ["A1", "A2"],
    }
    return pd.DataFrame({**columns, **changes})


def test_columns_types_and_source() -> None:
    given = rows(name="")
    before = given.copy()
    found = as_returns(given, SOURCE)
    assert tuple(found.columns) == COLUMNS
    assert (str(found["year"].dtype), str(found["value"].dtype)) == ("Int64", "float64")
    text = [column for column in COLUMNS if column not in ("year", "value", "cell")]
    assert all(str(found[column].dtype) == "category" for column in text)
    assert str(found["cell"].dtype) == "string"
    assert set(as_text(found).dtypes.astype(str)) == {"string", "Int64", "float64"}
    assert set(found["source_id"]) == {SOURCE.id}
    assert found["name"].isna().all()
    pd.testing.assert_frame_equal(given, before)


def test_empty_table_has_the_columns() -> None:
    assert tuple(empty_returns().columns) == COLUMNS
    assert len(empty_returns()) == 0


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"colour": "blue"}, "column 'colour' is not one of the returns table"),
        ({"level": "parish"}, "unknown level: parish"),
        ({"level": None}, "unknown level: (missing)"),
        ({"status": ["published", "guessed"]}, "unknown status: guessed"),
        ({"value": [1.0, 2.0]}, "T1 A2: status suppressed with value 2.0"),
        ({"value": [np.nan, np.nan]}, "T1 A1: status published with value nan"),
        ({"value": [np.inf, np.nan]}, "T1 A1: infinite value"),
        ({"cell": "A1"}, "T1 A1: read twice"),
    ],
)
def test_rows_that_form_no_returns_table(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(LayoutError, match=re.escape(SOURCE.file)) as caught:
        as_returns(rows(**changes), SOURCE)
    assert problem in caught.value.problems


def test_no_rows_are_no_returns_table() -> None:
    with pytest.raises(LayoutError, match="no figure was found"):
        as_returns(rows().head(0), SOURCE)


def test_committed_returns_keep_the_rules() -> None:
    returns = load_returns()
    assert tuple(returns.columns) == COLUMNS
    assert set(returns["level"]) <= set(LEVELS)
    assert set(returns["status"]) <= set(STATUSES)
    has_value = returns["status"].isin(["published", "estimated"]).to_numpy(dtype=bool)
    assert (has_value == returns["value"].notna().to_numpy()).all()
    assert np.isfinite(returns["value"].dropna()).all()
    figures = [source.id for source in load_manifest().values() if source.adapter != "lookup"]
    assert list(returns["source_id"].unique()) == figures


def test_known_file_is_read_without_a_warning(official: Path, tmp_path: Path) -> None:
    renamed = tmp_path / "any name.csv"
    shutil.copy(official / DIRECTION.path, renamed)
    pd.testing.assert_frame_equal(read_return(renamed), read_return(official / DIRECTION.path))


def test_file_known_by_its_name_only_is_read_with_a_warning(official: Path, tmp_path: Path) -> None:
    source = load_manifest()["deferred_payments_2015_16"]
    lines = (official / source.path).read_bytes().splitlines(keepends=True)
    path = tmp_path / source.file
    path.write_bytes(b"".join([*lines[:-1], lines[-1].replace(b",*", b",5")]))
    with pytest.warns(
        SourceWarning, match=rf"^{re.escape(source.file)} differs from the file .*\nRepair: "
    ) as caught:
        found = read_return(path)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert len(found) == len(lines) - 1
    assert found["value"].iloc[-1] == 5.0
    assert issubclass(SourceWarning, ClsimpactWarning)


def test_damaged_file_is_an_error_and_not_a_warning(official: Path, tmp_path: Path) -> None:
    path = tmp_path / SOURCE.file
    content = (official / SOURCE.path).read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(SourceError, match="it is truncated or of another kind"):
        read_return(path)


def test_folder_of_raw_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CLSIMPACT_RAW", raising=False)
    assert raw_folder() is None
    monkeypatch.setenv("CLSIMPACT_RAW", str(tmp_path))
    assert raw_folder() == tmp_path
    with pytest.raises(SourceError, match=r"There is no folder .*absent"):
        raw_folder(tmp_path / "absent")


def test_absent_files_are_all_listed(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="lacks 35 of 35 files") as caught:
        read_raw(tmp_path)
    assert len(caught.value.problems) == 35
    assert SOURCE.path in caught.value.problems[10]
    assert SOURCE.publication in caught.value.problems[10]


def test_file_may_lie_anywhere_below_the_folder(official: Path, tmp_path: Path) -> None:
    place = tmp_path / "elsewhere" / DIRECTION.file
    place.parent.mkdir()
    shutil.copy(official / DIRECTION.path, place)
    assert len(read_raw(tmp_path, [DIRECTION])[DIRECTION.id]) == 22


def test_tables_are_joined_without_a_loss() -> None:
    one, two = as_returns(rows(), SOURCE), as_returns(rows(name="Elsewhere", cell=["B1", "B2"]), SOURCE)
    joined = concat_returns([one, two])
    assert str(joined["name"].dtype) == "category"
    pd.testing.assert_frame_equal(
        as_text(joined), pd.concat([as_text(one), as_text(two)], ignore_index=True), check_dtype=False
    )
    assert concat_returns([]).empty
