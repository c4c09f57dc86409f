"""What the library says of measured sizes: rates of panels of that shape, and limits that tables bear out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from clsimpact._auto import FEWEST_TOGETHER, LARGE, MANY, NEARLY
from clsimpact._sizes import MEASURED_UNITS, nearest, rates, sizes_measured
from clsimpact.estimators import event_study, twfe
from tests.inference.test_procedures import noise

TOGETHER = ("before", "after", "band")

ROUNDED = 0.006
"""Rates are shipped with two decimals."""


@pytest.fixture(scope="module")
def shapes(root: Path) -> pd.DataFrame:
    return pd.read_csv(root / "docs" / "size" / "shapes.csv")


@pytest.mark.parametrize(
    ("units", "treated", "shape"),
    [
        (20, 5, (20, 5)),
        (26, 6, (20, 5)),
        (30, 9, (40, 10)),
        (60, 12, (60, 10)),
        (150, 5, (150, 5)),
        (130, 9, (150, 10)),
    ],
)
def test_a_summary_quotes_panels_of_its_shape(units: int, treated: int, shape: tuple[int, int]) -> None:
    """The nearest number of units, as a ratio, and then of adopters."""
    fit = event_study(noise(units, {2018: 3, 2019: treated - 3}))
    size, adopters = shape
    rate = rates("event_study", units=size)[adopters]["permutation"]
    assert (rate.units, rate.treated) == shape
    assert f"with {adopters} of {size} it rejected a true null {rate.mean:.1f}% of the time" in fit.why
    caveat = next(line for line in fit.summary().splitlines() if line.startswith("Caveat: only"))
    own = f"{rate} with permutation on such panels of {size} units with {adopters} treated"
    assert (own in caveat) == (size < MEASURED_UNITS)
    main = rates("event_study")[adopters]
    assert (f"{main['permutation']} of the time with permutation" in caveat) == (size == MEASURED_UNITS)
    assert f"{main['CR1']} of the time with CR1" in caveat


def test_methods_that_were_measured_on_the_main_panels_only_keep_their_rates() -> None:
    small, main = nearest("twfe", 5, 20), nearest("twfe", 5)
    assert small["CR1"] == main["CR1"]
    assert small["permutation"].units == small["path"].units == 20
    assert small["permutation"] != main["permutation"]
    assert nearest("twfe", 5, MEASURED_UNITS) == main
    assert nearest("nothing", 5, 20) == {}
    assert sizes_measured() == tuple(sorted(sizes_measured()))


def test_the_table_of_small_panels_is_that_of_the_measurements(shapes: pd.DataFrame) -> None:
    for estimator in ("twfe", "event_study", "group_time"):
        for units in sizes_measured()[:-1]:
            for treated, found in rates(estimator, units=units).items():
                rows = shapes[(shapes["estimator"] == estimator) & (shapes["units"] == units)]
                rows = rows[(rows["treated"] == treated) & (rows["quantity"] == "overall")]
                for method, rate in found.items():
                    values = rows.loc[rows["method"] == method, "rejected"]
                    assert rate.mean == pytest.approx(values.mean(), abs=ROUNDED)
                    assert (rate.least, rate.most) == pytest.approx((values.min(), values.max()), abs=ROUNDED)
    assert {*shapes["units"]} == {*sizes_measured()}


def test_bands_start_where_they_were_measured_to_hold(shapes: pd.DataFrame) -> None:
    """The fewest units from which on the mean over estimators is at most 7%, whoever is noisier."""
    rows = shapes[(shapes["method"] == "permutation") & shapes["quantity"].isin(TOGETHER)]
    worst = rows.groupby(["units", "treated", "errors"])["rejected"].mean().groupby("units").max()
    holds = [int(units) for units in worst.index if (worst.loc[units:] <= NEARLY).all()]
    assert min(holds) == FEWEST_TOGETHER
    fit = event_study(noise(FEWEST_TOGETHER - 1, {2018: 3, 2019: 3}))
    assert f"from {FEWEST_TOGETHER} on" in fit.bands().attrs["bands"]
    fit = event_study(noise(FEWEST_TOGETHER, {2018: 3, 2019: 3}))
    assert fit.bands()["band_low"].notna().any()


def test_usual_errors_of_large_panels_are_measured(root: Path) -> None:
    """Nearly 5% for the overall effect; several terms at once hold if adopters are as noisy as others."""
    rows = pd.read_csv(root / "docs" / "size" / "large.csv")
    assert (rows["units"] > LARGE).all()
    assert (rows["treated"] / 4 > MANY).all()  # four cohorts, one of them alone at the ends of the path
    assert {*rows["quantity"]} == {"overall", "before", "band"}
    overall = rows[rows["quantity"] == "overall"].groupby("errors")["rejected"].mean()
    assert (overall <= NEARLY).all()
    alike = rows[(rows["quantity"] != "overall") & (rows["errors"] == "ar_0.5")]
    chance = 3 * 100 * np.sqrt(0.05 * 0.95 / alike["panels"])
    assert ((alike["rejected"] - 5).abs() <= chance).all()


def test_documents_quote_the_table(root: Path) -> None:
    rate: Any = rates("twfe")[5]["CR1"]
    assert rate.least > 10
    for name in ("README.md", "docs/inference.md"):
        text = " ".join((root / name).read_text(encoding="utf-8").split())
        assert f"a true null {rate.mean:.0f}% of the time" in text, name
    assert twfe(noise(150, {2018: 3, 2019: 2})).method == "permutation"
