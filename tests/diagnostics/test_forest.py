"""The forest figure: what it draws, what it leaves out, and what it says in words."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.colors import to_hex

from clsimpact.plots.forest import MOST, forest_figure
from clsimpact.plots.style import DARK_BLUE, PALETTE
from tests.diagnostics.check_helpers import design, panel


def rows(n: int) -> pd.DataFrame:
    middle = np.linspace(-1, 1, n)
    return pd.DataFrame(
        {
            "label": [f"line {i}" for i in range(n)],
            "estimate": middle,
            "conf_low": middle - 1,
            "conf_high": middle + 1,
        }
    )


def test_points_and_intervals_stand_where_the_numbers_are() -> None:
    data = rows(3)
    data.loc[1, ["conf_low", "conf_high"]] = np.nan
    data["marked"] = [False, False, True]
    made = forest_figure(data, design=design(panel()), title="T", subtitle="S", reference=0.5)
    spans = [line for line in made.axes.lines if len(line.get_xdata()) == 2 and line.get_linewidth() == 2.2]
    assert [tuple(np.asarray(line.get_xdata())) for line in spans] == [(-2.0, 0.0), (0.0, 2.0)]
    points = [line for line in made.axes.lines if len(line.get_xdata()) == 1]
    assert [float(np.asarray(line.get_xdata())[0]) for line in points] == [-1.0, 0.0, 1.0]
    assert [to_hex(line.get_color()) for line in points] == [
        DARK_BLUE.lower(),
        DARK_BLUE.lower(),
        PALETTE[3].lower(),
    ]
    assert [text.get_text() for text in made.axes.get_yticklabels()] == ["line 0", "line 1", "line 2"]
    low, high = made.axes.get_ylim()
    assert low > high
    assert made.axes.get_xlabel() == "Effect (£)"
    assert made.alt_text == "T. S. line 0: -1 (-2 to 0); line 1: 0; line 2: 1 (0 to 2)."


def test_of_many_lines_the_ends_and_the_marked_ones_are_drawn() -> None:
    data = rows(100).assign(marked=lambda frame: frame.index == 50)
    made = forest_figure(data, design=design(panel()), title="T", subtitle="S")
    names = [text.get_text() for text in made.axes.get_yticklabels()]
    assert len(names) == MOST
    assert {"line 0", "line 99", "line 50"} <= set(names)
    assert made.source.startswith("70 of 100 lines in the middle are not drawn.")
    assert len(made.data) == 100
    assert made.alt_text.endswith("70 more.")


def test_made_up_data_are_marked() -> None:
    made = forest_figure(rows(2), design=design(panel().assign(simulated=True)), title="T", subtitle="S")
    assert "SIMULATED" in [text.get_text() for text in made.axes.texts]
