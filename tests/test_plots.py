"""The event-study figure: what is drawn, what is said, same bytes, nothing overlapping."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from clsimpact.design import Design
from clsimpact.errors import DesignError
from clsimpact.estimators import event_study, twfe
from clsimpact.plots import EventStudyFigure, alt_text, cells_figure, event_study_figure
from clsimpact.plots.style import PALETTE, style
from tests.estimation_helpers import council_design, made_up, mpdta
from tests.stub_fits import cell_fit, path_fit

pytestmark = pytest.mark.usefixtures("usual_errors")

TOUCH = 1.0
"""Pixels by which two text boxes may share an edge."""


def _councils() -> Design:
    panel = made_up()
    label = "Gross current expenditure on adult social care per adult"
    panel.attrs["columns"] = {"cost": {"label": label, "unit": "£, 2021-22 prices"}}
    panel.attrs["source_line"] = "Source: NHS England, Adult Social Care Activity and Finance Report."
    return council_design(panel)


def _all_treated() -> Design:
    rows = [(u, t, 6 + u % 6, float(u * t % 7)) for u in range(30) for t in range(1, 15)]
    return Design(
        pd.DataFrame(rows, columns=["u", "t", "c", "y"]), outcome="y", unit="u", time="t", cohort="c"
    )


def _figures() -> dict[str, EventStudyFigure]:
    return {
        "mpdta": event_study_figure(event_study(mpdta())),
        "gaps": event_study_figure(event_study(_councils())),
        "nothing identified": event_study_figure(event_study(_all_treated())),
        "many": event_study_figure(event_study(_all_treated(), reference=(-1, -4))),
        "static": event_study_figure(twfe(_councils(), inference="CR2")),
        "alone": event_study_figure(event_study(_alone())),
        "by event time": event_study_figure(cell_fit(mpdta(), universal=False)),
        "group": event_study_figure(cell_fit(mpdta()).aggregate("group")),
        "calendar": event_study_figure(cell_fit(mpdta()).aggregate("calendar")),
        "simple": event_study_figure(cell_fit(mpdta()).aggregate("simple")),
    }


def _drawn(figure: Figure) -> list[Text]:
    """Every text on the page (matplotlib keeps labels of ticks beyond the limits, not drawn)."""
    ax = figure.axes[0]
    low, high = ax.get_ylim()
    ticks = zip(ax.get_yticks(), ax.get_yticklabels(), strict=True)
    kept = [label for at, label in ticks if low <= at <= high]
    return [*figure.texts, *ax.texts, ax.xaxis.label, *ax.get_xticklabels(), *kept]


NAMES = (
    "mpdta", "gaps", "nothing identified", "many", "static", "alone",
    "by event time", "group", "calendar", "simple",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_no_text_is_cut_and_none_overlaps(name: str) -> None:
    figure = _figures()[name].figure
    with style():
        figure.draw_without_rendering()
    page = figure.bbox
    boxes = []
    for text in _drawn(figure):
        boxes.append((text.get_text(), text.get_window_extent()))
        assert text.get_fontsize() >= 12
    assert len(boxes) > 5
    for i, (words, box) in enumerate(boxes):
        assert box.x0 >= page.x0, words
        assert box.x1 <= page.x1, words
        assert box.y0 >= page.y0, words
        assert box.y1 <= page.y1, words
        for other, second in boxes[i + 1 :]:
            wide = min(box.x1, second.x1) - max(box.x0, second.x0)
            high = min(box.y1, second.y1) - max(box.y0, second.y0)
            assert not (wide > TOUCH and high > TOUCH), f"{words!r} overlaps {other!r}"


def test_points_reference_and_counts() -> None:
    fit = event_study(mpdta())
    made = event_study_figure(fit)
    lines = {line.get_marker(): line for line in made.axes.lines if line.get_marker() in ("o", "x")}
    hollow = [line for line in made.axes.lines if line.get_markerfacecolor() == "white"]
    assert [list(line.get_xdata()) for line in hollow] == [[-1.0]]
    solid = next(
        line
        for line in made.axes.lines
        if line.get_marker() == "o" and line.get_markerfacecolor() == PALETTE[0]
    )
    tidy = fit.tidy()
    np.testing.assert_array_equal(solid.get_ydata(), tidy[tidy["identified"]]["estimate"])
    assert list(lines["x"].get_xdata()) == []
    labels = [tick.get_text() for tick in made.axes.get_xticklabels()]
    assert labels[0] == "\u22124\nn = 131"
    assert labels[-1] == "3\nn = 20"
    assert list(made.data["n_units"]) == [131, 171, 171, 191, 191, 60, 20, 20]


def test_unidentified_periods_are_marked() -> None:
    made = event_study_figure(event_study(_all_treated()))
    crosses = next(line for line in made.axes.lines if line.get_marker() == "x")
    assert len(crosses.get_xdata()) == len(made.data) - 1
    assert "Cross: not identified" in made.source
    assert "no effect after adoption is identified" in made.title


def test_title_follows_the_numbers() -> None:
    assert _figures()["mpdta"].title == "Teen employment 0.0714 log points lower on average after adoption"
    up = council_design(made_up().assign(cost=lambda f: -f["cost"]), outcome_label="Cost", outcome_unit="£")
    assert "higher" in event_study_figure(event_study(up)).title
    flat = made_up()
    flat["cost"] = np.random.default_rng(8).normal(size=len(flat))
    title = event_study_figure(
        event_study(council_design(flat, outcome_label="Cost", outcome_unit="£"))
    ).title
    assert "anywhere from £" in title
    assert "lower to £" in title


def test_words_around_the_figure() -> None:
    made = _figures()["gaps"]
    assert "£, 2021-22 prices" in made.subtitle
    assert "England, 40 councils (15 treated), 2014, 2016, 2017, 2020, 2021" in made.subtitle
    assert "2016: -2, 2017: -1, 2018: -1" in made.source
    assert "With 15 treated clusters these intervals (CR1) are too narrow." in made.source
    assert made.source.endswith("Source: NHS England, Adult Social Care Activity and Finance Report.")
    own = event_study_figure(event_study(mpdta()), title="A title", subtitle="A subtitle", source="A source")
    assert (own.title, own.subtitle) == ("A title", "A subtitle")
    assert own.source.endswith("A source")


def test_alternative_text_has_every_number() -> None:
    text = alt_text(event_study(mpdta()))
    assert "Event time -1: reference, zero." in text
    assert "Event time 2: -0.132, interval -0.188 to -0.0751, 20 treated units." in text
    assert "Event time -4: not identified." in alt_text(event_study(_all_treated()))


def _alone() -> Design:
    """Cohorts of 2 in 2016 and 1 in 2018: some event times rest on one council."""
    panel = made_up(n_units=20, years=(2014, 2015, 2016, 2017, 2018, 2019))
    panel["adoption_year"] = panel["ons_code"].map({"E000": 2016, "E001": 2016, "E002": 2018})
    return council_design(panel, outcome_label="Cost", outcome_unit="£000, 2021-22 prices")


def test_one_council_has_a_diamond_and_no_bar() -> None:
    fit = event_study(_alone(), inference="CR2")
    made = event_study_figure(fit)
    tidy = fit.tidy()
    single = tidy[tidy["identified"] & (tidy["n_units"] == 1)]
    several = tidy[tidy["identified"] & (tidy["n_units"] > 1)]
    assert len(single) > 1
    diamond = next(line for line in made.axes.lines if line.get_marker() == "D")
    assert list(diamond.get_xdata()) == single["event_time"].tolist()
    np.testing.assert_array_equal(diamond.get_ydata(), single["estimate"])
    bars = made.axes.collections[0].get_segments()
    assert [bar[0][0] for bar in bars] == several["event_time"].tolist()
    assert "n = 1: no interval, because one council's own variation cannot be estimated." in made.source
    assert made.alt_text.count("no interval, 1 treated council.") == len(single)
    assert "no interval, 2" not in made.alt_text
    assert "interval" in made.subtitle
    assert single["conf_low"].notna().all()


@pytest.mark.parametrize("kind", ["CR1", "CR2"])
def test_one_treated_council_makes_no_finding(kind: str) -> None:
    panel = made_up(n_units=20)
    panel["adoption_year"] = panel["adoption_year"].where(panel["ons_code"] == "E001")
    panel["cost"] += 500 * (panel["year"] >= panel["adoption_year"])
    design = council_design(panel, outcome_label="Cost", outcome_unit="£")
    for fit in (twfe(design, inference=kind), event_study(design, inference=kind)):
        made = event_study_figure(fit)
        assert made.title == "Cost: one treated council, so no interval can be trusted"
        assert made.title in made.alt_text
        assert "Bars" not in made.subtitle
        assert "too narrow" not in made.source
        assert "n = 1: no interval" in made.source
        assert len(made.axes.collections) == 0 or not made.axes.collections[0].get_segments()


def test_thousands_of_pounds_are_said_in_title_and_alternative_text() -> None:
    panel = made_up()
    panel["cost"] = -1000 * panel["cost"]
    words = {"outcome_label": "Spending", "outcome_unit": "£000, 2021-22 prices"}
    made = event_study_figure(event_study(council_design(panel, **words)))
    assert " thousand higher on average after adoption" in made.title
    assert made.title in made.alt_text


@pytest.mark.parametrize("suffix", ["svg", "png", "pdf"])
def test_same_bytes_twice(tmp_path: Path, suffix: str) -> None:
    paths = [event_study_figure(event_study(mpdta())).save(tmp_path / f"{i}.{suffix}") for i in range(2)]
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert len(paths[0].read_bytes()) > 5000


def test_global_settings_are_left_alone() -> None:
    before = dict(mpl.rcParams)
    event_study_figure(event_study(mpdta()))._repr_png_()
    assert dict(mpl.rcParams) == before


def test_given_axes_are_used() -> None:
    ax = Figure().add_subplot()
    assert event_study(mpdta()).plot(ax=ax) is ax
    assert len(ax.lines) > 3
    sides = ("top", "right", "left", "bottom")
    assert [ax.spines[side].get_visible() for side in sides] == [False, False, False, True]


def test_effects_by_cohort_and_period_are_drawn_by_event_time() -> None:
    fit = cell_fit(mpdta())
    made = event_study_figure(fit)
    assert made.data["term"].tolist() == fit.aggregate("dynamic").tidy()["term"].tolist()
    assert made.title == "Teen employment 0.04 log points lower on average after adoption"
    assert "-0.04" in f"{fit.overall['estimate'].iloc[0]:.3f}"
    assert "Open point: reference" in made.source
    varying = event_study_figure(cell_fit(mpdta(), universal=False))
    assert "Open point" not in varying.source
    assert "Points before adoption: changes from one period to the next." in varying.source
    assert "difference from the reference period" not in varying.subtitle


@pytest.mark.parametrize(
    ("kind", "axis", "first", "words"),
    [
        (
            "group",
            "First treated year (n: treated units behind each point)",
            "2004\nn = 20",
            "Cohort 2004: -0.0797",
        ),
        ("calendar", "Year (n: treated units behind each point)", "2004\nn = 20", "Period 2004: -0.0105"),
        (
            "simple",
            "Number under the axis: treated units",
            "Effect of adoption\nn = 191",
            "Effect of adoption: -0.04,",
        ),
    ],
)
def test_averages_have_axes_with_sensible_words(kind: str, axis: str, first: str, words: str) -> None:
    made = event_study_figure(cell_fit(mpdta()).aggregate(kind))
    assert made.axes.get_xlabel() == axis
    assert made.axes.get_xticklabels()[0].get_text() == first
    assert words in made.alt_text


def test_plot_of_any_result_returns_axes() -> None:
    fit = cell_fit(mpdta())
    for one in (fit, fit.aggregate("group"), fit.aggregate("dynamic"), fit.aggregate("simple")):
        ax = Figure().add_subplot()
        assert one.plot(ax=ax) is ax


def test_one_chart_per_cohort() -> None:
    fit = cell_fit(mpdta(), lost=(2004, 2007))
    made = cells_figure(fit)
    titles = [ax.get_title(loc="left") for ax in made.figure.axes]
    assert titles == ["Cohort 2004 (20 units)", "Cohort 2006 (40 units)", "Cohort 2007 (131 units)"]
    solid = [line for line in made.figure.axes[1].lines if line.get_markerfacecolor() == PALETTE[0]]
    points = next(line for line in solid if line.get_marker() == "o")
    rows = fit.tidy().query("cohort == 2006 and identified")
    assert list(points.get_xdata()) == [2003, 2004, 2006, 2007]
    np.testing.assert_array_equal(points.get_ydata(), rows["estimate"])
    crosses = [line for line in made.figure.axes[0].lines if line.get_marker() == "x"]
    assert list(crosses[0].get_xdata()) == [2007]
    assert "Cross: not identified" in made.source
    assert "cohort 2004 in 2007: not identified" in made.alt_text
    limits = {ax.get_ylim() for ax in made.figure.axes}
    assert len(limits) == 1


def test_charts_per_cohort_are_legible_and_averages_find_their_cells() -> None:
    fit = cell_fit(mpdta())
    made = cells_figure(fit.aggregate("dynamic"))
    pd.testing.assert_frame_equal(made.data, fit.tidy())
    with style():
        made.figure.draw_without_rendering()
    boxes = [
        text.get_window_extent()
        for ax in made.figure.axes
        for text in (*ax.texts, ax.title, ax._left_title, *ax.get_xticklabels())
        if text.get_text()
    ]
    boxes += [text.get_window_extent() for text in made.figure.texts]
    for i, box in enumerate(boxes):
        assert box.x1 <= made.figure.bbox.x1
        assert box.y0 >= 0
        for second in boxes[i + 1 :]:
            wide = min(box.x1, second.x1) - max(box.x0, second.x0)
            high = min(box.y1, second.y1) - max(box.y0, second.y0)
            assert not (wide > TOUCH and high > TOUCH)


def test_title_of_cells_follows_the_numbers() -> None:
    assert cells_figure(cell_fit(mpdta())).title == (
        "Teen employment 0.00459 to 0.137 log points lower by cohort and year; all 7 effects are negative"
    )


def test_no_cells_to_draw() -> None:
    with pytest.raises(DesignError, match="stacked has no effects by cohort and period"):
        cells_figure(path_fit(mpdta(), {0: 1.0}))


def test_bands_are_lines_beyond_the_bars() -> None:
    fit = event_study(mpdta())
    plain, made = event_study_figure(fit), event_study_figure(fit, bands=True)
    found = fit.bands().set_index("term")
    data = made.data.set_index("term")
    known = found.index[found["band_low"].notna()]
    assert len(known) > 4
    for name in ("band_low", "band_high"):
        np.testing.assert_array_equal(data.loc[known, name], found.loc[known, name])
    assert (data.loc[known, "band_low"] < data.loc[known, "conf_low"]).all()
    assert (data.loc[known, "band_high"] > data.loc[known, "conf_high"]).all()
    assert "Thin lines: bands that hold for all points together" in made.source
    assert "Thin lines" not in plain.source
    assert "band_low" not in plain.data
    drawn = len(made.axes.collections) - len(plain.axes.collections)
    assert drawn == 1
    ends = {round(float(y), 9) for path in made.axes.collections[0].get_paths() for y in path.vertices[:, 1]}
    wanted = {round(float(y), 9) for name in ("band_low", "band_high") for y in data.loc[known, name]}
    assert wanted <= ends


def test_bands_that_cannot_be_trusted_are_told_not_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    fit = event_study(mpdta())
    plain = event_study_figure(fit)

    def refuse(_: object) -> None:
        raise DesignError("No bands: there are two adopters.", repair="Leave them out.")

    monkeypatch.setattr(type(fit), "bands", refuse)
    made = event_study_figure(fit, bands=True)
    assert len(made.axes.collections) == len(plain.axes.collections)
    assert "No bands: there are two adopters. " in made.source
    assert "Thin lines" not in made.source
