"""Forty official figures changed one by one (`make corruption` changes a thousand)."""

from __future__ import annotations

from random import Random

import pandas as pd
import pytest

from clsimpact.store import read_parquet
from tests.corruption.figures import KINDS, Change, Neighbours, draw
from tests.corruption.notice import Found, batches, changed, look, noticed
from tests.corruption.page import page

SOURCES = ("asc_fr_salt_2021_22", "ascof_open_data_2020_21", "deprivation_2019", "population_mid_2020")
LEAST = 0.4
"""Share noticed of forty figures of these publications; over all publications see docs/corruption.md."""


@pytest.fixture(scope="module")
def returns() -> pd.DataFrame:
    table = read_parquet("returns")
    return table[table["source_id"].isin(SOURCES)].reset_index(drop=True)


@pytest.fixture(scope="module")
def before(returns: pd.DataFrame) -> Found:
    return look(returns)


def test_what_is_noticed_of_forty_figures(returns: pd.DataFrame, before: Found) -> None:
    changes = draw(returns, figures=40, seed=5)
    found: dict[Change, tuple[str, ...]] = {}
    for members in batches(returns, changes, largest=40)[:2]:
        found |= dict(noticed(returns, before, members))
    assert len(found) >= 30
    assert sum(map(bool, found.values())) >= LEAST * len(found)


def test_nothing_changed_is_nothing_noticed(returns: pd.DataFrame, before: Found) -> None:
    row = int(returns.index[returns["value"].notna()][0])
    value = float(returns["value"].iloc[row])
    ((_, rules),) = noticed(returns, before, [Change(row, "digit", value, value)])
    assert rules == ()


def test_only_the_changed_figures_change(returns: pd.DataFrame) -> None:
    changes = draw(returns, figures=20, seed=1)
    table = changed(returns, changes)
    other = table["value"].ne(returns["value"]) & returns["value"].notna()
    assert sorted(table.index[other]) == sorted(change.row for change in changes)
    assert changes == draw(returns, figures=20, seed=1)


@pytest.mark.parametrize(
    ("kind", "after"),
    [("times ten", 1250.0), ("decimal left", 12.5), ("sign", -125.0), ("zero", 0.0), ("row shifted", 7.0)],
)
def test_what_is_done_to_a_figure(kind: str, after: float) -> None:
    assert KINDS[kind][0](Random(1), 125.0, Neighbours([7.0], [])) == after


def test_digits_of_a_figure() -> None:
    assert {KINDS["transposed"][0](Random(n), 125.0, Neighbours([], [])) for n in range(20)} == {215.0, 152.0}
    changed_digits = {KINDS["digit"][0](Random(n), 7.0, Neighbours([], [])) for n in range(200)}
    assert changed_digits == {0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 9.0}
    assert KINDS["transposed"][0](Random(1), 55.0, Neighbours([], [])) is None
    assert KINDS["other year"][0](Random(1), 55.0, Neighbours([], [])) is None


def test_the_page_counts_by_kind_rule_and_publication() -> None:
    rows = [
        ("a", "T1", "sign", 1.0, -1.0, "impossible value"),
        ("a", "T2", "zero", 1.0, 0.0, "printed twice; quotient"),
        ("b", "T1", "digit", 1.0, 2.0, ""),
    ]
    table = pd.DataFrame(rows, columns=["source_id", "table", "kind", "before", "after", "rules"])
    text = page(table.assign(noticed=table["rules"] != ""), seed=1, alone=0, differ=0)
    assert "the rules notice **66.7%**" in text
    assert "they noticed 33.3%" in text
    assert "| impossible value | 1 | 1 |" in text
    assert "| quotient | 1 | 0 |" in text
    assert "| `a` | 2 | 2 | 100% |" in text
