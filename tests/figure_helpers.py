"""What is on a page, and whether anything is cut or overlaps."""

from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.text import Text

from clsimpact.plots.style import style

TOUCH = 1.0
"""Pixels by which two text boxes may share an edge."""


def drawn(figure: Figure) -> list[Text]:
    """Every text on the page (matplotlib keeps labels of ticks beyond the limits, which are not drawn)."""
    ax = figure.axes[0]
    found = [*figure.texts, *ax.texts, ax.xaxis.label, ax.yaxis.label]
    for axis, limits in ((ax.xaxis, ax.get_xlim()), (ax.yaxis, ax.get_ylim())):
        ticks = zip(axis.get_majorticklocs(), axis.get_majorticklabels(), strict=True)
        found += [label for at, label in ticks if limits[0] <= at <= limits[1]]
    return [text for text in found if text.get_text()]


def assert_legible(figure: Figure) -> None:
    """Nothing is cut, nothing overlaps, nothing is smaller than 12 points."""
    with style():
        figure.draw_without_rendering()
    page = figure.bbox
    # Text.get_window_extent: of an annotation it would include the arrow.
    boxes = [(text.get_text(), Text.get_window_extent(text)) for text in drawn(figure)]
    assert len(boxes) > 5
    assert min(text.get_fontsize() for text in drawn(figure)) >= 12
    for i, (words, box) in enumerate(boxes):
        assert page.x0 <= box.x0, words
        assert box.x1 <= page.x1, words
        assert page.y0 <= box.y0, words
        assert box.y1 <= page.y1, words
        for other, second in boxes[i + 1 :]:
            wide = min(box.x1, second.x1) - max(box.x0, second.x0)
            high = min(box.y1, second.y1) - max(box.y0, second.y0)
            assert not (wide > TOUCH and high > TOUCH), f"{words!r} overlaps {other!r}"
