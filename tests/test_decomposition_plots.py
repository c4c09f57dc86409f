"""Figures of the decompositions: nothing overlaps, titles state the finding, words have the numbers."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure

from clsimpact.decomposition.bacon import bacon
from clsimpact.decomposition.twfe_weights import twfe_weights
from clsimpact.design import Design
from clsimpact.plots.decomposition import bacon_figure, weights_figure
from tests.estimation_helpers import castle, council_design, made_up, mpdta, stagg
from tests.figure_helpers import assert_legible, drawn


def panels(reference: Path) -> dict[str, Design]:
    return {
        "mpdta": mpdta(),
        "castle": castle(reference),
        "stagg": stagg(reference),
        "made up": council_design(made_up().assign(simulated=True)),
    }


@pytest.mark.parametrize("name", ["mpdta", "castle", "stagg", "made up"])
def test_figures_are_legible(reference: Path, name: str) -> None:
    design = panels(reference)[name]
    for figure in (bacon_figure(bacon(design)), weights_figure(twfe_weights(design))):
        marks = [text for text in drawn(figure.figure) if text.get_text() == "SIMULATED"]
        assert len(marks) == (name == "made up")
        for mark in marks:
            mark.remove()  # lies under everything else on purpose
        assert_legible(figure.figure)


def test_the_scatter_holds_every_comparison_and_the_coefficient() -> None:
    found = bacon(mpdta())
    figure = bacon_figure(found)
    points = np.concatenate(
        [line.get_xydata() for line in figure.axes.lines if line.get_linestyle() == "None"]
    )
    assert len(points) == 9
    assert points[:, 0].sum() == pytest.approx(1)
    assert points[:, 0] @ points[:, 1] == pytest.approx(found.coefficient)
    assert any(np.allclose(line.get_ydata(), found.coefficient) for line in figure.axes.lines)
    assert figure.title.startswith("5.4% of the two-way fixed effects weight")
    assert "later vs earlier treated: 3 comparisons, weight 5.4%, mean 0.0046" in figure.alt_text
    legend = figure.axes.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == [
        "treated vs never treated: 86.3%",
        "earlier vs later treated: 8.3%",
        "later vs already treated: 5.4%",
    ]


def test_the_title_without_and_with_only_forbidden_comparisons() -> None:
    data = made_up()
    one = data[~data["adoption_year"].isin([2016, 2017])]
    assert bacon_figure(bacon(council_design(one))).title.startswith("None of the two-way")
    two = data[data["adoption_year"].isin([2014, 2017]) | data["ons_code"].isin(["E000"])]
    two = two.assign(adoption_year=two["adoption_year"].replace(2016, 2014))
    only = bacon_figure(bacon(council_design(two, always_treated="keep")))
    assert only.title.startswith("All of the two-way")


def test_negative_weights_are_open_points_below_zero(reference: Path) -> None:
    found = twfe_weights(mpdta())
    figure = weights_figure(found)
    assert figure.data.set_index(["cohort", "period"]).loc[(2004, 2007), "relative"] < 0
    white = [
        line for line in figure.axes.lines if line.get_markerfacecolor() == "white" and len(line.get_xdata())
    ]
    assert [line.get_xydata().tolist()[0][0] for line in white] == [2007]
    assert figure.title.startswith("20 of 291 treated rows enter")
    assert "-0.158 in 2007" in figure.alt_text
    calm = weights_figure(twfe_weights(castle(reference)))
    assert calm.title == "No effect enters the two-way fixed effects estimate with a negative weight"


def test_figures_draw_on_given_axes_and_save_the_same_bytes(tmp_path: Path) -> None:
    axes = Figure().add_subplot()
    assert bacon(mpdta()).plot(ax=axes) is axes
    assert twfe_weights(mpdta()).plot(ax=Figure().add_subplot()).lines
    first = bacon_figure(bacon(mpdta())).save(tmp_path / "a.svg").read_bytes()
    assert first == bacon_figure(bacon(mpdta())).save(tmp_path / "b.svg").read_bytes()


def test_figures_in_a_notebook_say_what_is_measured(reference: Path) -> None:
    page = bacon(mpdta()).plot().figure
    said = " ".join(text.get_text() for text in page.texts).replace("\n", " ")
    assert "Teen employment (log points): difference in differences of each pair of cohorts" in said
    axes = twfe_weights(mpdta()).plot()
    said = " ".join(text.get_text() for text in axes.figure.texts).replace("\n", " ")
    assert "Weight of the effect on a treated unit and period in the coefficient" in said
    assert axes.get_xlabel() == "Year (open points: negative weight)"
    assert weights_figure(twfe_weights(castle(reference))).axes.get_xlabel() == "Year"
    for figure in (page, axes.figure):
        assert_legible(figure)
        plt.close(figure)
