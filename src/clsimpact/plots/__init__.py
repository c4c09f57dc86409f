"""Figures: one per file, each with its title, alternative text and data."""

from clsimpact.plots.cells import cells_figure
from clsimpact.plots.comparison import comparison_figure
from clsimpact.plots.decomposition import bacon_figure, weights_figure
from clsimpact.plots.event_study import EventStudyFigure, alt_text, event_study_figure
from clsimpact.plots.forest import forest_figure
from clsimpact.plots.honest_did import honest_did_figure
from clsimpact.plots.specification_curve import specification_figure
from clsimpact.plots.synthetic import synthetic_figure
from clsimpact.plots.trends import trends_figure

__all__ = [
    "EventStudyFigure",
    "alt_text",
    "bacon_figure",
    "cells_figure",
    "comparison_figure",
    "event_study_figure",
    "forest_figure",
    "honest_did_figure",
    "specification_figure",
    "synthetic_figure",
    "trends_figure",
    "weights_figure",
]
