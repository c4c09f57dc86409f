"""The placebo figure: where the estimate stands among estimates of adoption that did not happen."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from clsimpact._check import number, unit_text
from clsimpact.design import Design
from clsimpact.plots._figure import EventStudyFigure
from clsimpact.plots._page import page
from clsimpact.plots.style import DARK_BLUE, DARK_GREY, PALETTE, TEXT_SIZE, clean_axes, mark_simulated, style

__all__ = ["placebo_figure"]

WIDTH, HEIGHT = 10.0, 3.6
BINS = 25


def placebo_figure(
    estimates: NDArray[np.float64], actual: float, *, design: Design, title: str, subtitle: str
) -> EventStudyFigure:
    """Draw placebo estimates as a histogram, with the estimate of true adoption as a line.

    Parameters
    ----------
    estimates
        Estimates of placebo adoption.
    actual
        The estimate of true adoption.
    design
        Gives unit, source, and whether data are made up.
    title, subtitle
        The finding, and what was measured.

    Examples
    --------
    >>> from clsimpact.datasets import example_design
    >>> made = placebo_figure(np.array([-1.0, 0.0, 1.0]), 2.0, design=example_design(), title="Far out",
    ...                       subtitle="Three placebos")
    >>> made.alt_text
    'Far out. Three placebos. Placebo estimates run from -1 to 1, half of them between -0.5 and 0.5; true: 2.'
    """
    known = estimates[np.isfinite(estimates)]
    low, high = np.percentile(known, [25, 75])
    with style():
        sheet = page(Figure, WIDTH, HEIGHT + 0.9, title, subtitle, design.source)
        ax = sheet.axes(0.9, sheet.bottom + 0.75, WIDTH - 1.3, HEIGHT - 0.35)
        clean_axes(ax)
        ax.hist(known, bins=BINS, color=DARK_BLUE, edgecolor="white", linewidth=0.6)
        ax.axvline(0, color=DARK_GREY, linewidth=1.2)
        ax.axvline(actual, color=PALETTE[3], linewidth=2.6)
        ax.annotate(
            f"true adoption: {number(actual)}",
            (actual, 1.0),
            (0, 4),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            ha="center",
            fontsize=TEXT_SIZE,
        )
        ax.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
        ax.set_ylabel("Placebos", fontsize=TEXT_SIZE)
        unit = unit_text(design)
        ax.set_xlabel(
            f"Estimate of placebo adoption ({unit})" if unit else "Estimate of placebo adoption",
            fontsize=TEXT_SIZE,
        )
        if design.simulated:
            mark_simulated(ax)
    words = (
        f"{title}. {subtitle}. Placebo estimates run from {number(float(known.min()))} to "
        f"{number(float(known.max()))}, half of them between {number(float(low))} and {number(float(high))}; "
        f"true: {number(actual)}."
    )
    data = pd.DataFrame({"placebo": known})
    return EventStudyFigure(sheet.figure, ax, title, subtitle, design.source, words, data)
