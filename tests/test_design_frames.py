"""A design from any kind of data frame is the one from pandas, and other things are refused."""

from __future__ import annotations

import decimal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from clsimpact.design import Design
from clsimpact.errors import DesignError, PanelError
from tests.estimation_helpers import council_design, made_up

pl = pytest.importorskip("polars")
duckdb = pytest.importorskip("duckdb")

ARRAYS = [
    *["y", "X", "w", "unit_codes", "time_codes", "cluster_codes", "effect_codes", "times", "cohorts"],
    *["event_time", "treated", "unit_cohorts", "unit_rows", "unit_clusters"],
]
PLAIN = ["units", "unit_names", "periods", "balanced", "simulated", "outcome_label", "n_effects"]
PLAIN += ["n_clusters", "cohort_sizes", "n_obs"]

KINDS: dict[str, Callable[[pa.Table], Any]] = {
    "arrow": lambda table: table,
    "polars": pl.from_arrow,
    "polars lazy": lambda table: pl.from_arrow(table).lazy(),
    "duckdb": lambda table: duckdb.from_arrow(table),
}
OPTIONS = {"weights": "size", "covariates": ["need"], "cluster": "region", "effects": "region"}


@pytest.fixture(params=sorted(KINDS))
def kind(request: pytest.FixtureRequest) -> Callable[[pa.Table], Any]:
    return KINDS[request.param]


def to_arrow(panel: pd.DataFrame) -> pa.Table:
    """The same rows without pandas metadata, as a file or another program would give them."""
    return pa.Table.from_pandas(panel, preserve_index=False).replace_schema_metadata(None)


def assert_same(design: Design, expected: Design) -> None:
    for name in ARRAYS:
        mine, theirs = getattr(design, name), getattr(expected, name)
        if theirs is None:
            assert mine is None
            continue
        np.testing.assert_array_equal(mine, theirs, strict=True)
        assert not mine.flags.writeable
    for name in PLAIN:
        assert getattr(design, name) == getattr(expected, name), name
    assert str(design.check()) == str(expected.check())
    assert design.dropped.astype(object).equals(expected.dropped.astype(object))


def test_every_kind_gives_the_arrays_of_pandas(kind: Callable[[pa.Table], Any]) -> None:
    panel = made_up(share=0.8).sample(frac=1, random_state=4)
    panel.loc[panel.index[:3], "cost"] = np.nan
    assert_same(council_design(kind(to_arrow(panel)), **OPTIONS), council_design(panel, **OPTIONS))


@pytest.mark.parametrize("never", [None, np.nan, np.inf, 0.0])
def test_never_treated_however_written(never: float | None, kind: Callable[[pa.Table], Any]) -> None:
    panel = made_up()
    cohorts = [never if np.isnan(c) else c for c in panel["adoption_year"].tolist()]
    table = to_arrow(panel.drop(columns="adoption_year"))
    table = table.append_column("adoption_year", pa.array(cohorts, pa.float64(), from_pandas=False))
    assert_same(council_design(kind(table)), council_design(panel))


def whole(panel: pd.DataFrame) -> pd.DataFrame:
    code = panel["ons_code"].str[1:].astype(int) + 7
    return panel.assign(ons_code=code, adoption_year=panel["adoption_year"].astype("Int64")).drop(
        columns="name"
    )


def categories(panel: pd.DataFrame) -> pd.DataFrame:
    order = sorted(panel["ons_code"].unique(), reverse=True)
    code = pd.Categorical(panel["ons_code"], categories=order)
    return panel.assign(ons_code=code, region=panel["region"].astype("category"))


def nullable(panel: pd.DataFrame) -> pd.DataFrame:
    cost = panel["cost"].round().astype("Int64").mask(panel.index == 4)
    return panel.assign(cost=cost, year=panel["year"].astype("Int16"), need=panel["need"].astype("Float64"))


def marked(panel: pd.DataFrame) -> pd.DataFrame:
    return panel.assign(simulated=True)


def yes_or_no(panel: pd.DataFrame) -> pd.DataFrame:
    return panel.assign(cost=panel["cost"] > 100, simulated=False)


def decimals(panel: pd.DataFrame) -> pd.DataFrame:
    return panel.assign(cost=[decimal.Decimal(f"{value:.3f}") for value in panel["cost"]])


def yes_no_or_missing(panel: pd.DataFrame) -> pd.DataFrame:
    return panel.assign(cost=(panel["cost"] > 100).astype("boolean").mask(panel.index == 4))


CHANGES = [whole, categories, nullable, marked, yes_or_no, yes_no_or_missing, decimals]


@pytest.mark.parametrize("change", CHANGES)
def test_every_type_of_column(
    change: Callable[[pd.DataFrame], pd.DataFrame], kind: Callable[[pa.Table], Any]
) -> None:
    panel = change(made_up())
    expected = council_design(panel, **OPTIONS)
    assert expected.simulated == (change is marked)
    assert_same(council_design(kind(to_arrow(panel)), **OPTIONS), expected)


def test_whole_numbers_beyond_64_bits_in_duckdb() -> None:
    panel = whole(made_up())
    relation = duckdb.from_arrow(to_arrow(panel))
    wide = relation.project("* replace (ons_code::hugeint as ons_code, cost::decimal(12, 3) as cost)")
    design = council_design(wide)
    assert design.units == council_design(panel).units
    assert {type(unit) for unit in design.units} == {int}
    np.testing.assert_array_equal(design.y, [float(f"{value:.3f}") for value in council_design(panel).y])


def test_only_the_named_columns_are_read(kind: Callable[[pa.Table], Any]) -> None:
    panel = made_up()
    table = to_arrow(panel).append_column("odd", pa.array([[1, "a"][i % 2] for i in [0] * 200]))
    nested = table.append_column("list", pa.array([[1.0]] * 200))
    assert_same(council_design(kind(nested)), council_design(panel))


def test_a_lazy_frame_reads_no_other_column() -> None:
    def refuse(_: object) -> Any:
        raise AssertionError("a column that no role names was computed")

    lazy = pl.from_arrow(to_arrow(made_up())).lazy()
    lazy = lazy.with_columns(pl.col("cost").map_batches(refuse, return_dtype=pl.Float64).alias("unused"))
    assert council_design(lazy).n_obs == 200


def test_problems_are_the_same_sentences(kind: Callable[[pa.Table], Any]) -> None:
    panel = made_up()
    panel.loc[3, "adoption_year"] = 2019
    panel.loc[5, "size"] = -1.0
    panel.loc[6, "cost"] = np.inf
    panel = pd.concat([panel, panel.iloc[[9]]])
    with pytest.raises(DesignError) as expected:
        council_design(panel, weights="size")
    with pytest.raises(DesignError) as caught:
        council_design(kind(to_arrow(panel)), weights="size")
    assert caught.value.problems == expected.value.problems
    assert len(caught.value.problems) == 4


def test_whole_numbers_with_gaps_are_still_shown_whole(kind: Callable[[pa.Table], Any]) -> None:
    panel = whole(made_up())
    panel["ons_code"] = panel["ons_code"].astype("Int64").mask(panel.index == 9)
    panel.loc[6, "cost"] = np.inf
    with pytest.raises(PanelError, match="'cost' is infinite at 8 in 2016") as caught:
        council_design(kind(to_arrow(panel)))
    assert "unit 'ons_code' is missing at row 10 in 2021" in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "options", "words"),
    [
        ({}, {"outcome": "csot"}, r"outcome 'csot' is not a column \(did you mean 'cost'\?\)"),
        ({"year": pd.Timestamp("2020-01-01")}, {}, "time 'year' holds dates; whole numbers are needed"),
        ({"year": pd.Timestamp("2020-01-01").date()}, {}, "time 'year' holds dates; whole numbers"),
        ({"cost": "12"}, {}, r"outcome 'cost' holds text, not numbers, at Council 0 \(E000\) in 2014: '12'"),
        ({"ons_code": None}, {}, "unit 'ons_code' is missing at Council 0"),
    ],
)
def test_refused_in_every_kind(
    changes: dict[str, object], options: dict[str, str], words: str, kind: Callable[[pa.Table], Any]
) -> None:
    with pytest.raises(PanelError, match=words):
        council_design(kind(to_arrow(made_up().assign(**changes))), **options)


def test_a_type_that_arrow_cannot_hold() -> None:
    frame = pl.from_arrow(to_arrow(made_up())).with_columns(pl.col("year").cast(pl.Int128))
    with pytest.raises(PanelError, match="A column has a type that Arrow cannot hold"):
        council_design(frame)


def test_no_rows(kind: Callable[[pa.Table], Any]) -> None:
    with pytest.raises(PanelError, match="The panel has no rows"):
        council_design(kind(to_arrow(made_up().iloc[:0])))


def test_made_up_rows_are_never_mixed(kind: Callable[[pa.Table], Any]) -> None:
    panel = made_up()
    with pytest.raises(DesignError, match="120 of 200 rows are made up"):
        council_design(kind(to_arrow(panel.assign(simulated=panel["year"] > 2016))))


def test_a_column_that_occurs_twice() -> None:
    table = to_arrow(made_up())
    with pytest.raises(PanelError, match="column 'cost' occurs 2 times"):
        council_design(table.append_column("cost", table["size"]))
    twice = table.append_column("need", table["size"])
    assert council_design(twice).n_obs == 200
    flag = pa.array([True] * 200)
    marked_twice = table.append_column("simulated", flag).append_column("simulated", flag)
    for data in (marked_twice, marked_twice.to_pandas()):
        with pytest.raises(PanelError, match="column 'simulated' occurs 2 times"):
            council_design(data)


@pytest.mark.parametrize(
    "data",
    [
        {"cost": [1.0]},
        [1],
        None,
        np.zeros((2, 2)),
        pd.Series([1]),
        pl.Series([1]),
        pa.chunked_array([[1]]),
    ],
    ids=lambda data: type(data).__name__,
)
def test_other_things_are_refused(data: object) -> None:
    words = "is not a table that a design can read.*polars DataFrame, a polars LazyFrame, a pyarrow Table"
    with pytest.raises(PanelError, match=rf"(?s){words} or a duckdb relation"):
        council_design(data)


@pytest.mark.parametrize(
    ("data", "reader"),
    [("panel.csv", "read_csv"), (Path("data/panel.csv"), "read_csv"), ("panel.xlsx", "read_excel")],
    ids=str,
)
def test_a_file_has_to_be_read_first(data: str | Path, reader: str) -> None:
    with pytest.raises(PanelError, match="is the name of a file, not a table") as caught:
        council_design(data)
    assert caught.value.repair == f"Read the file first: pandas.{reader}({Path(data).name!r})."


def test_pandas_alone_imports_no_other_library() -> None:
    code = (
        "import sys; from clsimpact.datasets import load_mpdta; from clsimpact.design import Design; "
        "Design(load_mpdta(), outcome='lemp', unit='county', time='year', cohort='first_treat'); "
        "sys.exit(any(name in sys.modules for name in ('narwhals', 'polars', 'duckdb')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
