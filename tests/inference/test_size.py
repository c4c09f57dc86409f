"""The short version of `make size`: on a few hundred panels, what holds and what does not."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

pytestmark = pytest.mark.once

PANELS, DRAWS = 300, 199
"""Panels per cell and draws; seeds are fixed, so that the counts are the same in every run."""

LOW, HIGH = 2.3, 7.7
"""Three Monte Carlo errors (0.89 points on 600 panels) around 5%: a rate of 10%, or of 1%, lies outside."""

RARE = 1e-4
"""Chance that a test of the right size rejects so often."""


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
    """Rates over two kinds of panel: five noisy adopters with own effects, ten with lasting errors."""
    cells = (size.Cell(5, 8, "noisy_adopters", "varying"), size.Cell(10, 7, "ar_0.8", "none"))
    rows = pd.concat([pd.DataFrame(size.measure(cell, PANELS, DRAWS, 0, 0)) for cell in cells])
    keys = ["estimator", "method", "quantity"]
    return rows.groupby(keys, as_index=False).agg(rejected=("rejected", "mean"), panels=("panels", "sum"))


def test_permutation_and_path_errors_hold(measured: pd.DataFrame) -> None:
    """Overall effects, joint tests before and after, bands; `measure` compares with the public door."""
    together = ["before", "after", "band"]
    permuted = measured["method"] == "permutation"
    rows = measured[permuted & measured["quantity"].isin(["overall", *together])]
    assert len(rows) == 10 + 8 + 9 + 9
    assert (rows["panels"] == 2 * PANELS).all()
    assert rows["rejected"].between(LOW, HIGH).all(), rows[~rows["rejected"].between(LOW, HIGH)].to_string()
    path = measured[(measured["method"] == "path") & (measured["quantity"] == "overall")]
    assert path["rejected"].between(LOW - 1, HIGH).all()  # path errors are wide with five adopters


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


def test_auto_with_covariates_holds(size: ModuleType) -> None:
    """Through the public door, where adoption cannot be permuted: the wild bootstrap, the null imposed."""
    cell, rng, wrong = size.Cell(10, 8, "ar_0.5", "none"), np.random.default_rng(1), 0
    panels = cell.panels(COVARIATE_PANELS)
    for y in panels:
        frame = size.frame_of(y, cell.cohorts).assign(x=rng.normal(size=y.size))
        design = size.ci.Design(
            frame, outcome="y", unit="unit", time="year", cohort="first", covariates=["x"]
        )
        fit = size.ci.twfe(design).with_inference("auto", draws=DRAWS)
        assert fit.method == "wild"
        wrong += int(fit.overall["p_value"].item() <= 0.05)
    assert binom.ppf(0.001, COVARIATE_PANELS, 0.05) <= wrong <= binom.ppf(0.999, COVARIATE_PANELS, 0.05)


COVARIATE_PANELS = 200
