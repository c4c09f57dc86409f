"""Whether anything on a page of several charts is cut, overlaps, or is too small to read."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from clsimpact.plots.style import style
from tests.figure_helpers import TOUCH

WATERMARK = "SIMULATED"


def texts_of(ax: Axes) -> list[Text]:
    """Every text of a chart that is drawn, without the watermark."""
    found = [text for text in ax.texts if text.get_text() != WATERMARK]
    if not ax.axison:
        return found
    found += [ax.xaxis.label, ax.yaxis.label, ax.title, ax._left_title]
    for axis, limits in ((ax.xaxis, ax.get_xlim()), (ax.yaxis, ax.get_ylim())):
        low, high = sorted(limits)
        ticks = zip(axis.get_majorticklocs(), axis.get_majorticklabels(), strict=True)
        found += [label for at, label in ticks if low <= at <= high]
    return found


def assert_page_legible(figure: Figure, *, least: int = 6) -> None:
    """Nothing is cut, nothing overlaps, nothing is smaller than 12 points."""
    with style():
        figure.draw_without_rendering()
    texts = [*figure.texts, *(text for ax in figure.axes for text in texts_of(ax))]
    drawn = [text for text in texts if text.get_text().strip()]
    boxes = [(text.get_text(), Text.get_window_extent(text)) for text in drawn]
    assert len(boxes) >= least
    assert min(text.get_fontsize() for text in drawn) >= 12
    page = figure.bbox
    for i, (words, box) in enumerate(boxes):
        assert page.x0 <= box.x0, words
        assert box.x1 <= page.x1, words
        assert page.y0 <= box.y0, words
        assert box.y1 <= page.y1, words
        for other, second in boxes[i + 1 :]:
            wide = min(box.x1, second.x1) - max(box.x0, second.x0)
            high = min(box.y1, second.y1) - max(box.y0, second.y0)
            assert not (wide > TOUCH and high > TOUCH), f"{words!r} overlaps {other!r}"


def watermarks(figure: Figure) -> int:
    """How often the page says across its charts that the data are made up."""
    return sum(text.get_text() == WATERMARK for ax in figure.axes for text in ax.texts)
