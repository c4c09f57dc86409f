"""What councils do: the front door before and after, and what money is spent on."""

from __future__ import annotations

from collections.abc import Callable

from clsimpact.errors import ClsimpactError
from clsimpact.plots._figure import EventStudyFigure
from clsimpact.report.product import Product, draw
from clsimpact.report.study_data import StudyData

__all__ = ["make"]


def make(data: StudyData) -> Product:
    """Draw the flow of requests and spending by type, of a panel of councils."""
    product = Product()
    if not data.study.of_councils:
        return product
    if "front_door" in data.study.figures:
        from clsimpact.plots.front_door import front_door_figure

        _try(product, "front-door", lambda: front_door_figure(data.tagged), front_door_figure, data)
    returns = data.returns
    if "spending_types" in data.study.figures and returns is not None:
        from clsimpact.plots.spending_types import spending_types_figure

        ask = spending_types_figure
        _try(product, "spending-types", lambda: ask(returns, data.tagged), ask, data)
    return product


def _try(
    product: Product,
    name: str,
    make: Callable[[], EventStudyFigure],
    function: Callable[..., object],
    data: StudyData,
) -> None:
    """Draw a figure, or keep the reason why there is nothing to draw."""
    try:
        figure = make()
    except ClsimpactError as error:
        product.facts[name] = error.summary
        return
    draw(product, name, figure, function=f"clsimpact.plots.{function.__name__}", inputs=tuple(data.inputs))
