"""The style of every figure: the palette and rules of the UK Government Analysis Function.

https://analysisfunction.civilservice.gov.uk/policy-store/data-visualisation-charts/ - categorical colours
keep their order; a pale horizontal grid only; no top, right or left spine; direct labels; no meaning by
colour alone.
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from clsimpact._paths import file_to_write
from clsimpact._printable import only_printable
from clsimpact.store import write_bytes

__all__ = [
    "DARK_BLUE",
    "DARK_GREY",
    "GRID",
    "PALETTE",
    "clean_axes",
    "mark_simulated",
    "save",
    "style",
    "wrap",
]

PALETTE = ("#12436D", "#28A197", "#801650", "#F46A25", "#3D3D3D", "#A285D1")
"""Categorical colours in their order: dark blue, turquoise, dark pink, orange, dark grey, light purple."""

DARK_BLUE, DARK_GREY, GRID = PALETTE[0], PALETTE[4], "#D9D9D9"

TEXT_SIZE, TITLE_SIZE = 13, 17

_SETTINGS: dict[str, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["Arial", "Liberation Sans", "Helvetica", "DejaVu Sans"],
    "font.size": TEXT_SIZE,
    "axes.unicode_minus": True,
    "text.color": "#000000",
    "text.usetex": False,
    "text.parse_math": False,
    "svg.hashsalt": "clsimpact",
    "svg.fonttype": "path",
    "savefig.bbox": None,
    "path.simplify": True,
}


_METADATA: dict[str, dict[str, Any]] = {
    ".svg": {"Date": None},
    ".png": {"Software": None},
    ".pdf": {"CreationDate": None, "Producer": None, "Creator": None},
}
"""Endings of the files that a figure can be saved as, and what is left out so that bytes repeat."""


@contextmanager
def style() -> Iterator[None]:
    """Use the style inside a ``with`` block; global settings are as before afterwards.

    Examples
    --------
    >>> before = mpl.rcParams["font.size"]
    >>> with style():
    ...     inside = mpl.rcParams["font.size"]
    >>> inside, mpl.rcParams["font.size"] == before
    (13.0, True)
    """
    with mpl.rc_context(cast(Any, _SETTINGS)):
        yield


def clean_axes(ax: Axes) -> None:
    """Leave the bottom spine and a pale horizontal grid.

    Examples
    --------
    >>> ax = Figure().add_subplot()
    >>> clean_axes(ax)
    >>> ax.spines["left"].get_visible()
    False
    """
    for side in ("top", "right", "left"):
        ax.spines[side].set_visible(False)
    ax.spines["bottom"].set_color(DARK_GREY)
    ax.grid(visible=True, axis="y", color=GRID, linewidth=0.8)
    ax.grid(visible=False, axis="x")
    ax.set_axisbelow(True)
    ax.tick_params(axis="y", length=0, labelsize=TEXT_SIZE)
    ax.tick_params(axis="x", color=DARK_GREY, labelsize=TEXT_SIZE)


def mark_simulated(ax: Axes) -> None:
    """Write SIMULATED across axes whose data are made up, so that a copied picture still says so.

    Examples
    --------
    >>> ax = Figure().add_subplot()
    >>> mark_simulated(ax)
    >>> ax.texts[0].get_text()
    'SIMULATED'
    """
    ax.text(
        0.5,
        0.5,
        "SIMULATED",
        transform=ax.transAxes,
        ha="center",
        va="center",
        rotation=20,
        fontsize=54,
        fontweight="bold",
        color=DARK_GREY,
        alpha=0.16,
        zorder=0.5,
    )


def wrap(text: str, width: float, size: float) -> str:
    """Break a text into lines that fit in ``width`` inches at ``size`` points (mean glyph 0.56 em).

    Examples
    --------
    >>> wrap("ten words are about right for the title of a chart", 3, 17).count(chr(10))
    2
    """
    return "\n".join(textwrap.wrap(text, max(int(width * 72 / (0.56 * size)), 10), break_on_hyphens=False))


def save(figure: Figure, path: str | Path, *, dpi: int = 150) -> Path:
    """Save a figure with fixed metadata, so that the same figure gives the same bytes.

    Parameters
    ----------
    figure
        What to save.
    path
        The suffix chooses the format: ``.svg``, ``.png`` or ``.pdf``.
    dpi
        Resolution of a PNG.

    Raises
    ------
    ClsimpactError
        If the suffix is another, or it is a folder.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(Figure(), Path(folder) / "empty.svg").suffix
    '.svg'
    """
    place = file_to_write(path, "a figure", *_METADATA)
    drawn, kind = io.BytesIO(), place.suffix.lower()
    with style():
        figure.savefig(drawn, format=kind.removeprefix("."), dpi=dpi, metadata=_METADATA[kind])
    made = drawn.getvalue()
    write_bytes(place, only_printable(made) if kind == ".svg" else made)
    return place
