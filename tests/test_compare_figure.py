"""The figure of estimators side by side: what is drawn, what is said, nothing cut or overlapping."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from clsimpact.comparison import Comparison, compare
from clsimpact.estimators import event_study, twfe
from clsimpact.plots import comparison_figure
from clsimpact.plots.comparison import looks
from clsimpact.plots.style import style
from tests.estimation_helpers import council_design, made_up, mpdta
from tests.figure_helpers import TOUCH
from tests.stub_fits import cell_fit, one_fit, path_fit

pytestmark = pytest.mark.usefixtures("usual_errors")

PATH = {-3: 0.01, -2: -0.01, 0: -0.02, 1: -0.05}
DESIGN = mpdta()

LONG = "Two-way fixed effects of everything, clustered"


def two() -> Comparison:
    return compare([path_fit(DESIGN, PATH), path_fit(DESIGN, PATH)], labels=["A", "B"])


def ten() -> Comparison:
    names = ("imputation", "two_stage", "extended_twfe", "stacked", "local_projection", "sun_abraham")
    fits = [path_fit(DESIGN, PATH, estimator=name) for name in names]
    more = [path_fit(DESIGN, {0: -0.02, 1: None}, estimator="did_m"), one_fit(DESIGN, "ATT", -0.04)]
    return compare([cell_fit(DESIGN), event_study(DESIGN), *fits, *more])


def assert_legible(figure: Figure) -> None:
    """Nothing is cut, nothing overlaps, nothing is smaller than 12 points, on all axes."""
    with style():
        figure.draw_without_rendering()
    texts = [*figure.texts]
    for ax in figure.axes:
        texts += [*ax.texts, ax.xaxis.label]
        for axis, limits in ((ax.xaxis, ax.get_xlim()), (ax.yaxis, ax.get_ylim())):
            ticks = zip(axis.get_majorticklocs(), axis.get_majorticklabels(), strict=True)
            texts += [label for at, label in ticks if limits[0] <= at <= limits[1]]
    shown = [part for part in texts if part.get_text() and part.get_text() != "SIMULATED"]
    boxes = [(part.get_text(), Text.get_window_extent(part)) for part in shown]
    page = figure.bbox
    assert min(part.get_fontsize() for part in shown) >= 12
    for i, (words, box) in enumerate(boxes):
        assert page.x0 <= box.x0, words
        assert box.x1 <= page.x1, words
        assert page.y0 <= box.y0, words
        assert box.y1 <= page.y1, words
        for other, second in boxes[i + 1 :]:
            wide = min(box.x1, second.x1) - max(box.x0, second.x0)
            high = min(box.y1, second.y1) - max(box.y0, second.y0)
            assert not (wide > TOUCH and high > TOUCH), f"{words!r} overlaps {other!r}"


def test_ten_estimates_are_legible_and_told_apart() -> None:
    made = comparison_figure(ten())
    assert_legible(made.figure)
    shapes = [(look.colour, look.marker) for look in looks(10)]
    assert len({marker for _, marker in shapes}) == 10
    assert len(shapes) == len(set(shapes))


@pytest.mark.parametrize("name", ["two", "councils", "overall", "many event times", "long labels"])
def test_no_text_is_cut_and_none_overlaps(name: str) -> None:
    council = council_design(made_up(), outcome_label="Spending per adult", outcome_unit="£, 2021-22 prices")
    long = {e: -0.01 for e in range(-20, 20) if e != -1}
    made = {
        "two": two(),
        "councils": compare([event_study(council), twfe(council), event_study(council, inference="CR2")]),
        "overall": compare([twfe(DESIGN), cell_fit(DESIGN)], path="overall"),
        "many event times": compare(
            [path_fit(DESIGN, long), path_fit(DESIGN, long, units=180)], labels=["A", "B"]
        ),
        "long labels": compare(
            [twfe(DESIGN), cell_fit(DESIGN)], labels=[LONG, "Callaway–Sant'Anna (not yet)"]
        ),
    }[name]
    assert_legible(comparison_figure(made).figure)


def test_points_are_the_numbers_and_gaps_stay_empty() -> None:
    a = path_fit(DESIGN, {0: -0.02, 1: None, 2: -0.04})
    both = compare([a, path_fit(DESIGN, PATH)], labels=["A", "B"])
    ax = comparison_figure(both).axes
    line = next(line for line in ax.lines if line.get_label() == "A")
    assert [round(x) for x in line.get_xdata()] == [0, 2]
    assert list(line.get_ydata()) == [-0.02, -0.04]
    bars = [path.vertices for bars in ax.collections for path in bars.get_paths()]
    assert len(bars) == 2 + 4
    assert "Not identified: A at 1." in comparison_figure(both).source


def test_words_of_the_figure() -> None:
    made = comparison_figure(ten())
    assert made.title.startswith("Teen employment ")
    assert "500 units (191 treated), 2003-2007." in made.subtitle
    assert "Compared with: " in made.source
    assert "Before adoption: " in made.source
    assert made.source.endswith("data set mpdta.")
    assert "event time 1: not identified" in made.alt_text
    assert made.title in made.alt_text
    for label in ten().labels:
        assert f"{label}: overall " in made.alt_text
    own = comparison_figure(two(), title="T", subtitle="S", source="X")
    assert (own.title, own.subtitle, own.source.splitlines()[-1]) == ("T", "S", "X")


def test_simulated_is_marked() -> None:
    design = council_design(made_up().assign(simulated=True))
    both = compare([twfe(design), event_study(design)])
    for made in (
        comparison_figure(both),
        comparison_figure(compare([twfe(design), twfe(design)], labels=["A", "B"])),
    ):
        assert "SIMULATED" in [part.get_text() for ax in made.figure.axes for part in ax.texts]
    assert repr(both).startswith("SIMULATED")
    assert "SIMULATED" in both.explain()


def test_given_axes_are_used_and_settings_left_alone(tmp_path: Path) -> None:
    before = dict(mpl.rcParams)
    ax = Figure().add_subplot()
    assert two().plot(ax=ax) is ax
    assert [part.get_text() for part in ax.get_legend().get_texts()] == ["A", "B"]
    paths = [comparison_figure(ten()).save(tmp_path / f"{i}.png") for i in range(2)]
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert dict(mpl.rcParams) == before


def test_one_treated_council_has_no_bar() -> None:
    panel = made_up(n_units=20)
    panel["adoption_year"] = panel["adoption_year"].where(panel["ons_code"] == "E001")
    design = council_design(panel)
    made = comparison_figure(compare([twfe(design), event_study(design)]))
    assert "No bar: rests on one council" in made.source
    assert "no interval can be trusted" in made.title
    assert not [bars for bars in made.axes.collections if bars.get_paths()]
    assert_legible(made.figure)


def test_nothing_identified_is_said_and_drawn() -> None:
    some, none = path_fit(DESIGN, {0: -0.02, 1: None}), path_fit(DESIGN, {0: None, 1: None})
    made = comparison_figure(compare([some, none], labels=["A", "B"]))
    assert "Not identified: A at 1; B at 0, 1." in made.source
    assert_legible(made.figure)
    assert comparison_figure(compare([none, none], labels=["A", "B"])).title == (
        "Teen employment: no estimator identifies an effect after adoption"
    )


def test_a_bound_near_zero_is_not_rounded_to_it() -> None:
    near = one_fit(DESIGN, "ATT", -0.0196473 - 0.0002, error=0.01)
    made = comparison_figure(compare([near, one_fit(DESIGN, "ATT", 0.05)], labels=["A", "B"]))
    shown = [part.get_text() for part in made.axes.texts]
    assert "\u22120.020 (\u22120.039 to \u22120.0002)" in shown


@pytest.mark.filterwarnings("ignore::clsimpact.errors.RangeWarning")
def test_proportions_are_percentage_points_throughout() -> None:
    design = council_design(made_up(), outcome_label="Share", outcome_unit="proportion of requests")
    fits = [path_fit(design, {-2: 0.01, 0: 0.054}, total=("ATT", value)) for value in (0.051, 0.062)]
    made = comparison_figure(compare(fits, labels=["A", "B"]))
    assert made.title.startswith("Share 5.1 to 6.2 percentage points higher")
    assert "Share, percentage points of requests: effect" in made.subtitle
    made.figure.draw_without_rendering()
    key = made.figure.axes[0]
    assert key.get_xlabel() == "Overall effect of adoption, percentage points of requests"
    assert [text.get_text().split()[0] for text in key.texts if "(" in text.get_text()] == ["5.1", "6.2"]
    for axis in (key.xaxis, made.axes.yaxis):
        shown = [float(text.get_text().replace("\u2212", "-")) for text in axis.get_majorticklabels()]
        np.testing.assert_allclose(shown, 100 * axis.get_majorticklocs(), atol=1e-6)
    assert made.data["estimate"].max() == 0.054


def test_the_zero_line_of_the_key_starts_below_the_first_heading() -> None:
    key = comparison_figure(ten()).figure.axes[0]
    (zero,) = [path.vertices for lines in key.collections for path in lines.get_paths()]
    assert zero[:, 1].min() == 0.4  # the first row is at 1, its heading at 0
