"""Figures: one per file, each with its title, alternative text and data."""

from clsimpact.plots.event_study import EventStudyFigure, alt_text, event_study_figure
from clsimpact.plots.trends import trends_figure

__all__ = ["EventStudyFigure", "alt_text", "event_study_figure", "trends_figure"]
