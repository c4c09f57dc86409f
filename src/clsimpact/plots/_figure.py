"""A figure with the words and numbers that belong to it."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from clsimpact.plots.style import save, style

__all__ = ["EventStudyFigure"]


@dataclass(frozen=True, eq=False)
class EventStudyFigure:
    """A figure with the words and numbers that belong to it.

    Attributes
    ----------
    figure, axes
        Matplotlib objects.
    title, subtitle, source, alt_text : str
    data : pandas.DataFrame
        The rows drawn, as in `Estimate.tidy` (with the label first where estimators stand side by side).

    Examples
    --------
    >>> from clsimpact.datasets import example_design
    >>> from clsimpact.estimators import event_study
    >>> from clsimpact.plots import event_study_figure
    >>> event_study_figure(event_study(example_design())).data["term"].tolist()[:2]
    ['e=-4', 'e=-3']
    """

    figure: Figure
    axes: Axes
    title: str
    subtitle: str
    source: str
    alt_text: str
    data: pd.DataFrame

    def save(self, path: str | Path, *, dpi: int = 150) -> Path:
        """Save with fixed metadata (``.svg``, ``.png`` or ``.pdf``): same numbers, same bytes.

        Examples
        --------
        >>> import tempfile
        >>> from clsimpact.datasets import example_design
        >>> from clsimpact.estimators import twfe
        >>> from clsimpact.plots import event_study_figure
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     event_study_figure(twfe(example_design())).save(Path(folder) / "effect.svg").name
        'effect.svg'
        """
        return save(self.figure, path, dpi=dpi)

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        with style():
            self.figure.savefig(buffer, format="png", dpi=100, metadata={"Software": None})
        return buffer.getvalue()
