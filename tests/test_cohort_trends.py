"""Raw trends by cohort: the means that are drawn, what is said of them, nothing overlapping."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clsimpact.datasets import example_design
from clsimpact.design import Design
from clsimpact.errors import DesignError
from clsimpact.plots.cohort_trends import cohort_trends_figure
from tests.figure_helpers import assert_legible
from tests.page_helpers import watermarks

ROUNDING = 1e-12
"""A mean taken in two ways: rounding in double precision only."""


def panel(periods: int = 6, *, never: bool = True, level: float = 1.0) -> pd.DataFrame:
    cohorts = {0: min(3, periods), 1: min(3, periods), 2: 4, 3: None if never else 5, 4: None if never else 5}
    rows = [(u, t, cohorts[u], level * (u + 0.5 * t)) for u in cohorts for t in range(1, periods + 1)]
    return pd.DataFrame(rows, columns=["u", "t", "c", "y"]).astype({"c": "float64"})


def design(frame: pd.DataFrame) -> Design:
    return Design(frame, outcome="y", unit="u", time="t", cohort="c", outcome_label="Accidents")


def test_means_of_cohorts_are_those_of_a_hand() -> None:
    data = cohort_trends_figure(design(panel())).data
    first = data[data["series"].eq("3 (2)")]
    np.testing.assert_allclose(first["mean"], [0.5 + 0.5 * t for t in range(1, 7)], rtol=ROUNDING)
    assert first["treated"].tolist() == [False, False, True, True, True, True]
    assert first["n_units"].tolist() == [2] * 6
    never = data[data["series"].eq("never (2)")]
    np.testing.assert_allclose(never["mean"], [3.5 + 0.5 * t for t in range(1, 7)], rtol=ROUNDING)
    assert not never["treated"].any()


def test_missing_values_are_left_out_not_filled() -> None:
    frame = panel()
    frame = frame[~(frame["u"].eq(0) & frame["t"].eq(2))]
    data = cohort_trends_figure(design(frame)).data
    row = data[data["series"].eq("3 (2)") & data["period"].eq(2)].iloc[0]
    assert (row["mean"], row["n_units"]) == (2.0, 1)


def test_title_and_words_follow_the_numbers() -> None:
    made = cohort_trends_figure(
        design(panel()), units="towns", scale=100.0, unit="per cent", words="the share"
    )
    assert made.title == "The share: from 400 in 1 to 650 in 6 where nobody is known to have adopted"
    assert "Accidents (per cent)" in made.subtitle
    assert "towns not known to have adopted" in made.subtitle
    assert "adopted 3 (2): 100 in 1, 350 in 6." in made.alt_text
    assert "not adopted (2): 400 in 1, 650 in 6." in made.alt_text
    every = cohort_trends_figure(design(panel(never=False)))
    assert every.title.endswith("over the panel")


def test_each_cohort_is_told_by_its_marker_as_well_as_its_colour() -> None:
    made = cohort_trends_figure(design(panel()))
    lines = [line for line in made.axes.lines if line.get_linestyle() == "None"]
    markers = {str(line.get_marker()) for line in lines}
    assert len(markers) == 3
    filled = [line for line in lines if line.get_markerfacecolor() != "white"]
    assert {x for line in filled for x in line.get_xdata()} == {3, 4, 5, 6}


@pytest.mark.parametrize("periods", [2, 6, 30])
def test_nothing_is_cut_and_nothing_overlaps(periods: int) -> None:
    assert_legible(cohort_trends_figure(design(panel(periods))).figure)
    assert_legible(cohort_trends_figure(design(panel(periods, level=1e-6))).figure)


def test_lines_that_end_together_have_labels_apart() -> None:
    frame = panel()
    frame["y"] = 0.5 * frame["t"]
    assert_legible(cohort_trends_figure(design(frame)).figure)


def test_made_up_data_are_marked() -> None:
    frame = panel()
    assert watermarks(cohort_trends_figure(design(frame)).figure) == 0
    frame.attrs["simulated"] = True
    assert watermarks(cohort_trends_figure(design(frame)).figure) == 1


def test_one_period_has_no_trend() -> None:
    frame = panel()
    roles = {"outcome": "y", "unit": "u", "time": "t", "cohort": "c"}
    with pytest.raises(DesignError, match="one period"):
        cohort_trends_figure(Design(frame[frame["t"].eq(3)], **roles, always_treated="keep"))


def test_the_same_bytes_twice() -> None:
    one, other = (cohort_trends_figure(example_design())._repr_png_() for _ in range(2))
    assert one == other
