"""Figures: one per file, each with its title, alternative text and data."""

from clsimpact.plots.adoption_timeline import adoption_timeline_figure
from clsimpact.plots.cells import cells_figure
from clsimpact.plots.comparison import comparison_figure
from clsimpact.plots.decomposition import bacon_figure, weights_figure
from clsimpact.plots.event_study import EventStudyFigure, alt_text, event_study_figure
from clsimpact.plots.forest import forest_figure
from clsimpact.plots.front_door import front_door_figure
from clsimpact.plots.honest_did import honest_did_figure
from clsimpact.plots.specification_curve import specification_figure
from clsimpact.plots.spending_types import spending_types_figure
from clsimpact.plots.synthetic import synthetic_figure
from clsimpact.plots.tile_map import tile_layout, tile_map_figure
from clsimpact.plots.trends import trends_figure

__all__ = [
    "EventStudyFigure",
    "adoption_timeline_figure",
    "alt_text",
    "bacon_figure",
    "cells_figure",
    "comparison_figure",
    "event_study_figure",
    "forest_figure",
    "front_door_figure",
    "honest_did_figure",
    "specification_figure",
    "spending_types_figure",
    "synthetic_figure",
    "tile_layout",
    "tile_map_figure",
    "trends_figure",
    "weights_figure",
]
