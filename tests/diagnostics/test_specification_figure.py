"""The figure of a specification curve: what is drawn and said, with 12 specifications and with a thousand."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

import clsimpact as ci
from clsimpact.diagnostics.specification_curve import SpecificationCurve, specification_curve
from clsimpact.plots.specification_curve import specification_figure
from tests.diagnostics.test_specification_curve import CONTROLS, DATES, ROLES, SAMPLES, panel, small
from tests.test_compare_figure import assert_legible

LONG = "with a very long name that says everything about the filter"


@pytest.fixture(scope="module")
def twelve() -> SpecificationCurve:
    names = ["twfe", "group_time", "imputation"]
    return small(
        panel(effect=-1.5), samples={"all": None, LONG: SAMPLES["no 2018"]}, cohort=DATES, estimators=names
    )


@pytest.fixture(scope="module")
def thousand() -> SpecificationCurve:
    samples: dict[str, Any] = {"all": None, "no 2018": SAMPLES["no 2018"]}
    samples |= {f"without u2{i}": partial(_without, unit=f"u2{i}") for i in range(5)}
    controls: dict[str, Any] = CONTROLS | {"no B": lambda rows: rows["region"] != "B", "no C": _not_c}
    makers: dict[str, Any] = {"twfe": "twfe", "event study": "event_study", "Sun-Abraham": "sun_abraham"}
    makers |= {"one lag": partial(ci.event_study, lags=1), "extended": "extended_twfe"}
    makers |= {"one lead": partial(ci.event_study, leads=1)}
    return specification_curve(
        panel(n=30), outcomes=["y", "z"], samples=samples, controls=controls,
        cohort=DATES | {"again": "best"},
        estimators=makers, **ROLES,
    )  # fmt: skip


def _without(rows: Any, *, unit: str) -> Any:
    return rows["unit"] != unit


def _not_c(rows: Any) -> Any:
    return rows["region"] != "C"


def test_twelve_specifications_are_legible(twelve: SpecificationCurve) -> None:
    made = specification_figure(twelve)
    assert_legible(made.figure)
    assert len(made.figure.axes) == 2
    words = " ".join(text.get_text() for ax in made.figure.axes for text in ax.texts)
    for name in ("Sample", "Adoption dates", "Estimator", "group_time", "no difference", "median"):
        assert name in words
    assert "Controls" not in words


def test_a_thousand_specifications_are_legible(thousand: SpecificationCurve) -> None:
    made = specification_figure(thousand)
    assert len(thousand.table) == 1008
    assert_legible(made.figure)
    assert "1,008" in made.subtitle


def test_what_is_drawn_are_the_numbers_in_order(twelve: SpecificationCurve) -> None:
    made = specification_figure(twelve)
    b = made.data["estimate"].to_numpy()
    assert (np.diff(b) >= 0).all()
    assert sorted(b) == sorted(twelve.table["estimate"])
    points = np.concatenate([line.get_ydata() for line in made.axes.lines if line.get_marker() == "o"])
    assert sorted(points) == sorted(b)
    main = next(line for line in made.axes.lines if line.get_marker() == "D")
    assert main.get_ydata()[0] == twelve.main["estimate"]
    panel_axes = made.figure.axes[0]
    ticks = sum(len(part.get_paths()) for part in panel_axes.collections)
    assert ticks == 3 * 12


def test_words_say_what_the_numbers_say(twelve: SpecificationCurve) -> None:
    made = specification_figure(twelve)
    assert made.title.startswith("All 12 estimates are negative")
    assert "Source: made up." in made.source
    assert "diamond" in made.source
    assert "Medians by estimator" in made.alt_text
    assert "-" in made.alt_text
    own = specification_figure(twelve, title="T", subtitle="S", source="")
    assert (own.title, own.subtitle) == ("T", "S")


def test_what_is_not_drawn_is_said(twelve: SpecificationCurve) -> None:
    table = twelve.table.copy()
    table.loc[3, "identified"] = False
    table.loc[4, ["conf_low", "conf_high"]] = np.nan
    made = specification_figure(replace(twelve, table=table))
    assert len(made.data) == 11
    assert "Not drawn: 1 specifications without an estimate" in made.source
    assert "cross: no interval (1)" in made.source
    nothing = specification_figure(replace(twelve, table=table.assign(identified=False)))
    assert "None of 12 specifications" in nothing.title


def test_made_up_data_are_marked() -> None:
    data = panel().assign(simulated=True)
    data.attrs["simulated"] = True
    curve = small(data, samples=SAMPLES)
    assert curve.simulated
    made = specification_figure(curve)
    assert "SIMULATED" in [text.get_text() for text in made.axes.texts]
    assert "(SIMULATED)" in made.subtitle
    assert repr(curve).startswith("SIMULATED")
    assert curve.summary().startswith("SIMULATED")
    assert repr(curve.permutation_test(draws=99)).startswith("SIMULATED")


def test_proportions_are_shown_in_percentage_points() -> None:
    data = panel(effect=-2.0)
    data["y"] /= 100
    data.attrs["columns"]["y"]["unit"] = "proportion of requests"
    curve = small(data)
    assert "percentage points of requests" in curve.summary()
    made = specification_figure(curve)
    point = next(line for line in made.axes.lines if line.get_marker() == "D").get_ydata()[0]
    assert point == pytest.approx(100 * curve.main["estimate"])


def test_the_curve_alone_on_axes_of_the_user(twelve: SpecificationCurve) -> None:
    ax = Figure().add_subplot()
    assert twelve.plot(ax=ax) is ax
    assert len(ax.figure.axes) == 1
