"""A page with title, subtitle and source, and the room that they leave."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from clsimpact._asked import kind_of
from clsimpact.errors import DesignError
from clsimpact.plots.style import DARK_GREY, TEXT_SIZE, TITLE_SIZE, wrap

__all__ = ["Page", "figure_of", "page", "write_zero"]

MARGIN = 0.3
"""Inches left and right of the words."""


@dataclass(frozen=True)
class Page:
    """A figure whose words are written; ``bottom`` and ``top`` (inches) bound the room for axes."""

    figure: Figure
    width: float
    height: float
    bottom: float
    top: float

    def axes(self, left: float, bottom: float, width: float, height: float) -> Axes:
        """Add axes, measured in inches from the lower left corner."""
        w, h = self.width, self.height
        return self.figure.add_axes((left / w, bottom / h, width / w, height / h))


def figure_of(ax: Axes) -> Figure:
    """Return the figure that axes stand in.

    Raises
    ------
    DesignError
        If they are no axes: a figure, or several axes.

    Examples
    --------
    >>> whole = Figure()
    >>> figure_of(whole.subfigures(1, 2)[0].add_subplot()) is whole
    True
    """
    if not isinstance(ax, Axes):
        one = "ax=axes[0], one of them" if hasattr(ax, "__len__") else "ax=figure.add_subplot()"
        raise DesignError(f"ax is {kind_of(ax)}, not the axes to draw on.", repair=f"Give {one}.")
    owner = ax.figure
    return owner if isinstance(owner, Figure) else owner.figure


def page(
    maker: Callable[..., Figure], width: float, body: float, title: str, subtitle: str, source: str
) -> Page:
    """Make a page as high as its words and ``body`` inches need."""
    room = width - 2 * MARGIN
    blocks = [
        (wrap(title, room * 0.94, TITLE_SIZE), TITLE_SIZE, "bold"),
        (wrap(subtitle, room * 1.03, TEXT_SIZE), TEXT_SIZE, "normal"),
    ]
    foot = "\n".join(wrap(line, room * 1.03, TEXT_SIZE - 1) for line in source.split("\n"))
    below = 0.22 + _height(foot, TEXT_SIZE - 1)
    above = 0.2 + sum(_height(text, size) + 0.06 for text, size, _ in blocks)
    height = above + body + below
    figure = maker(figsize=(width, height))
    y = height - 0.2
    for text, size, weight in blocks:
        _write(figure, MARGIN / width, y / height, text, size=size, weight=weight, va="top")
        y -= _height(text, size) + 0.06
    _write(figure, MARGIN / width, 0.12 / height, foot, size=TEXT_SIZE - 1, va="bottom", colour=DARK_GREY)
    return Page(figure, width, height, below, y)


def _height(text: str, size: int) -> float:
    return (text.count("\n") + 1) * size * 1.45 / 72 if text else 0.0


def _write(
    figure: Figure,
    x: float,
    y: float,
    text: str,
    *,
    size: int,
    va: str,
    weight: str = "normal",
    colour: str = "#000000",
) -> None:
    figure.text(x, y, text, fontsize=size, fontweight=weight, va=va, ha="left", linespacing=1.3, color=colour)


def write_zero(ax: Axes) -> None:
    """Draw the line of no difference and name it."""
    ax.axhline(0, color=DARK_GREY, linewidth=1.2, zorder=1)
    ax.annotate(
        "no difference",
        (1, 0),
        (6, 0),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        va="center",
        fontsize=TEXT_SIZE - 1,
    )
