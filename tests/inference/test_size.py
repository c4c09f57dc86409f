"""The short version of `make size`: on a few hundred panels, what holds and what does not."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest
from scipy.stats import binom

PANELS, DRAWS = 200, 199
"""Panels per cell: a rate of 5% is told from one of 20% nearly always."""

RARE = 1e-4
"""Chance that a test of the right size leaves its bounds: each bound is this quantile of a binomial."""


@pytest.fixture(scope="module")
def size(root: Path) -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(root / "tools"))
        import size as found

        yield found
    for name in ("size", "size_panels"):
        sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def measured(size: ModuleType) -> pd.DataFrame:
    cell = size.Cell(5, 8, "noisy_adopters", "none")
    return pd.DataFrame(size.measure(cell, PANELS, DRAWS, 0, 0))


def test_permutation_and_path_errors_hold_with_five_noisy_adopters(measured: pd.DataFrame) -> None:
    """Counts lie where a rate of 3% to 7% puts them; `measure` compares its numbers with the public door."""
    rows = measured[measured["quantity"].isin(["overall", "before", "band"])]
    counts = (rows["rejected"] * rows["panels"] / 100).round()
    assert len(rows) == 10 * 2 + 8 + 9
    assert counts.min() >= binom.ppf(RARE / len(rows), PANELS, 0.03)
    assert counts.max() <= binom.ppf(1 - RARE / len(rows), PANELS, 0.07)


def test_power_grows_with_the_effect(measured: pd.DataFrame) -> None:
    rows = measured[measured["method"] == "permutation"].set_index(["quantity", "estimator"])["rejected"]
    assert (rows["power_1.0"] > rows["overall"]).all()


def test_clustered_errors_do_not_hold_with_five_adopters(size: ModuleType) -> None:
    """CR1 and influence functions reject a true null more than twice as often as they say."""
    cell = size.Cell(5, 8, "ar_0.5", "none")
    found: dict[tuple[str, str, str], list[float]] = {}
    for y in cell.panels(PANELS):
        design = size.design_of(y, cell.cohorts)
        for name, kind in (("twfe", "CR1"), ("group_time", "CR0"), ("imputation", "CR0")):
            size.note(found, getattr(size.ci, name)(design, inference=kind), name, kind, 0.0)
    for rejected in found.values():
        assert sum(rejected) > binom.ppf(1 - RARE, PANELS, 0.05)
